/* mem.h: memory that is there or the program ends.
 *
 * For small sizes that the program itself decides. A size that an outsider influences passes a
 * named limit of limits.h first. Out of memory: one line on stderr, abort(). */
#pragma once

#include <stdarg.h>
#include <stddef.h>

#include "base/macro.h"

void *mem_alloc(size_t n);               /* zeroed */
void *mem_resize(void *p, size_t n);     /* like realloc, new bytes not zeroed */
char *mem_copy(const void *p, size_t n); /* n bytes and a NUL after them */
char *mem_strdup(const char *s);         /* NULL gives NULL */
char *mem_printf(const char *fmt, ...) PRINTF(1, 2);

/* Frees *p and clears it: for AUTO_FREE and for fields that live on. */
void mem_clear(void *pp);

#define AUTO_FREE AUTO(mem_clear)

/* Makes room for one more element: doubles `cap` when `count` has reached it. */
#define MEM_GROW(array, count, cap)                                                            \
    do {                                                                                       \
        if ((count) == (cap)) {                                                                \
            (cap) = (cap) ? (cap)*2 : 8;                                                       \
            (array) = mem_resize((array), (size_t)(cap) * sizeof((array)[0]));                 \
        }                                                                                      \
    } while (0)
