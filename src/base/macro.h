/* macro.h: the few macros everything uses.
 *
 * AUTO(fn) runs fn(&variable) at the end of the scope; TAKE(p) hands ownership on and leaves
 * NULL. ASSERT stays on in release builds: it is for arguments, states and sizes that only a
 * mistake in this program can break, never for input, files or the network (those are errors,
 * err.h). */
#pragma once

#include <stddef.h>
#include <sys/param.h> /* MIN and MAX; libuv's header pulls it in as well */

#define CHECKED __attribute__((warn_unused_result))
#define PRINTF(fmt, args) __attribute__((format(printf, fmt, args)))
#define AUTO(fn) __attribute__((cleanup(fn)))

#define TAKE(p)                                                                                \
    ({                                                                                         \
        __typeof__(p) taken_ = (p);                                                            \
        (p) = NULL;                                                                            \
        taken_;                                                                                \
    })

#define ARRAY_LEN(a) (sizeof(a) / sizeof((a)[0]))

#define container_of(ptr, type, member)                                                        \
    ((type *)(void *)((char *)(1 ? (ptr) : &((type *)0)->member) - offsetof(type, member)))

/* Prints file, line and condition to stderr and aborts. */
_Noreturn void assert_failed(const char *file, int line, const char *condition);
#define ASSERT(cond) ((cond) ? (void)0 : assert_failed(__FILE__, __LINE__, #cond))
