/* err.h: one way to fail.
 *
 * A function that can fail returns int: >= 0 is good, negative is one of E_* below, and the
 * last argument `struct err *e` holds one sentence for a person. The sentence is written where
 * the failure happened, with fail(); callers only pass the number on:
 *
 *     r = store_open(path, &s, e);
 *     if (r < 0)
 *         return r;
 *
 * Library code does not log: whoever turns an error into a reply or a state reports it, once.
 * `e` may be NULL where the sentence is of no use. Thread: any; a struct err belongs to one. */
#pragma once

#include "base/macro.h"

/* name, HTTP status, exit status of the command line, code in JSON replies */
#define ERR_TABLE(X)                                                                           \
    X(E_INVAL, 400, 2, "invalid")                                                              \
    X(E_NOTFOUND, 404, 4, "not_found")                                                         \
    X(E_METHOD, 405, 2, "method_not_allowed")                                                  \
    X(E_STATE, 409, 5, "wrong_state")                                                          \
    X(E_EXISTS, 409, 5, "already_exists")                                                      \
    X(E_CONFLICT, 409, 5, "conflict")                                                          \
    X(E_GONE, 410, 5, "gone")                                                                  \
    X(E_TOOBIG, 413, 2, "too_large")                                                           \
    X(E_TYPE, 415, 2, "unsupported_media_type")                                                \
    X(E_UPGRADE, 426, 2, "upgrade_required")                                                   \
    X(E_LIMIT, 429, 6, "limit_reached")                                                        \
    X(E_FORBIDDEN, 403, 3, "forbidden")                                                        \
    X(E_IO, 500, 7, "io")                                                                      \
    X(E_CORRUPT, 500, 7, "corrupt")                                                            \
    X(E_VERSION, 500, 7, "version")                                                            \
    X(E_NET, 502, 8, "network")                                                                \
    X(E_BUSY, 503, 6, "busy")

enum err_code {
    E_OK_ = 0,
#define X(name, http, exit, code) name##_INDEX_,
    ERR_TABLE(X)
#undef X
};

enum {
#define X(name, http, exit, code) name = -name##_INDEX_,
    ERR_TABLE(X)
#undef X
};

#define ERR_TEXT_MAX 640

struct err {
    int code;                /* one of E_*, 0 while nothing failed */
    int line, column;        /* place in a text that was read, 1-based; 0: none */
    char field[96];          /* name of the field that is wrong, "" when none */
    char text[ERR_TEXT_MAX]; /* one sentence, no newline; cut at the end when longer */
};

/* Fills *e (place and field are cleared) and gives `code`, which is one of E_*. */
#define fail(e, code, ...) (err_set((e), (code), __VA_ARGS__), (code))

/* Like fail(), and names the field. */
#define fail_field(e, code, field, ...)                                                        \
    (err_set_field((e), (code), (field), __VA_ARGS__), (code))

/* Like fail(E_IO), and ends the sentence with ": " and strerror(errnum). */
#define fail_errno(e, errnum, ...) (err_set_errno((e), (errnum), __VA_ARGS__), E_IO)

/* The functions behind them; macros, so that the compiler and the checkers see that the result
 * is negative. */
void err_set(struct err *e, int code, const char *fmt, ...) PRINTF(3, 4);
void err_set_field(struct err *e, int code, const char *field, const char *fmt, ...)
    PRINTF(4, 5);
void err_set_errno(struct err *e, int errnum, const char *fmt, ...) PRINTF(3, 4);

int err_http_status(int code);       /* 200 for code >= 0 */
int err_exit_status(int code);       /* 0 for code >= 0 */
const char *err_code_name(int code); /* "not_found" ... ; "ok" for code >= 0 */
