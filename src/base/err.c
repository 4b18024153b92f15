#include "base/err.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/text.h"

static const struct {
    int http, exit;
    const char *name;
} err_table[] = {{200, 0, "ok"},
#define X(name, http, exit, code) {http, exit, code},
                 ERR_TABLE(X)
#undef X
};

static PRINTF(4, 0) void err_fill(struct err *e, int code, const char *field, const char *fmt,
                                  va_list ap)
{
    ASSERT(code < 0 && -code < (int)ARRAY_LEN(err_table));
    if (!e)
        return;
    e->code = code;
    e->line = e->column = 0;
    text_copy(e->field, sizeof(e->field), field);
    (void)vsnprintf(e->text, sizeof(e->text), fmt, ap);
}

void err_set(struct err *e, int code, const char *fmt, ...)
{
    va_list ap;
    va_start(ap, fmt);
    err_fill(e, code, "", fmt, ap);
    va_end(ap);
}

void err_set_field(struct err *e, int code, const char *field, const char *fmt, ...)
{
    va_list ap;
    va_start(ap, fmt);
    err_fill(e, code, field, fmt, ap);
    va_end(ap);
}

void err_set_errno(struct err *e, int errnum, const char *fmt, ...)
{
    va_list ap;
    va_start(ap, fmt);
    err_fill(e, E_IO, "", fmt, ap);
    va_end(ap);
    if (e) {
        size_t n = strlen(e->text);
        (void)snprintf(e->text + n, sizeof(e->text) - n, ": %s", strerror(errnum));
    }
}

static int err_index(int code)
{
    ASSERT(-code < (int)ARRAY_LEN(err_table));
    return code < 0 ? -code : 0;
}

int err_http_status(int code)
{
    return err_table[err_index(code)].http;
}

int err_exit_status(int code)
{
    return err_table[err_index(code)].exit;
}

const char *err_code_name(int code)
{
    return err_table[err_index(code)].name;
}

_Noreturn void assert_failed(const char *file, int line, const char *condition)
{
    fprintf(stderr, "tailrace: %s:%d: this must always hold, but does not: %s\n", file, line,
            condition);
    abort();
}
