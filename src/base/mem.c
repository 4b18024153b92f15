#include "base/mem.h"
#include "base/fault.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void *mem_check(void *p, size_t n)
{
    if (!p || FAULT(MEMORY)) {
        fprintf(stderr, "tailrace: out of memory (%zu bytes wanted)\n", n);
        abort();
    }
    return p;
}

void *mem_alloc(size_t n)
{
    return mem_check(calloc(1, n ? n : 1), n);
}

void *mem_resize(void *p, size_t n)
{
    return mem_check(realloc(p, n ? n : 1), n);
}

char *mem_copy(const void *p, size_t n)
{
    char *copy = mem_check(malloc(n + 1), n + 1);
    if (n)
        memcpy(copy, p, n);
    copy[n] = 0;
    return copy;
}

char *mem_strdup(const char *s)
{
    return s ? mem_copy(s, strlen(s)) : NULL;
}

char *mem_printf(const char *fmt, ...)
{
    char *text = NULL;
    va_list ap;
    va_start(ap, fmt);
    int n = vasprintf(&text, fmt, ap);
    va_end(ap);
    return mem_check(n < 0 ? NULL : text, 0);
}

void mem_clear(void *pp)
{
    void **p = pp;
    free(*p);
    *p = NULL;
}
