/* text.h: slices and small jobs on text.
 *
 * struct str is a borrowed slice: pointer and length, not necessarily NUL-terminated, never
 * owned. Thread: any. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/macro.h"

struct str {
    const char *p;
    size_t n;
};

#define STR(literal) ((struct str){(literal), sizeof(literal) - 1})
#define STR_ARG(s) (int)(s).n, (s).p /* for "%.*s" */

struct str str_of(const char *s); /* NULL gives the empty slice */
bool str_eq(struct str a, struct str b);
bool str_eq_c(struct str a, const char *b);
bool str_starts(struct str s, struct str prefix);
bool str_ends(struct str s, struct str suffix);
struct str str_trim(struct str s); /* without white space at both ends */

/* Offset of the first `needle` in `s`, or -1. The second form ignores ASCII case. */
ptrdiff_t str_find(struct str s, struct str needle);
ptrdiff_t str_find_nocase(struct str s, struct str needle);

/* Cuts *rest at the first `separator`: returns what is before it and moves *rest behind it.
 * When there is none, returns all of *rest and leaves it empty with p == NULL. */
struct str str_cut(struct str *rest, char separator);

/* Parses all of `s` as a decimal number in [min, max]. False leaves *ret_value alone. */
bool str_to_int(struct str s, int64_t min, int64_t max, int64_t *ret_value);

/* Copies at most size - 1 bytes and always ends with a NUL. NULL copies as "". */
void text_copy(char *to, size_t size, const char *from);

/* A number of bytes for people: "312 B", "4.9 KB", "1.2 MB". */
void text_bytes(uint64_t bytes, char to[32]);

/* A number for people: "1,234,567". Returns `to`. */
#define COUNT_TEXT_MAX 32
const char *text_count(int64_t n, char to[COUNT_TEXT_MAX]);
#define COUNT_TEXT(n) text_count((n), (char[COUNT_TEXT_MAX]){0})

/* ASCII only: what protocols call letters, whatever the locale is. */
char text_lower(char c);
bool text_is_space(char c);
bool text_is_alnum(char c);
void text_to_variable(char *s); /* to capitals, and '_' for what no variable's name has */
int text_hex(char c);           /* the value of a digit; -1: it is none */

/* Length in bytes of the valid UTF-8 sequence that starts at s[0], 0 when it is not valid
 * (overlong forms, surrogates and what lies above U+10FFFF are not). n >= 1. */
size_t utf8_length(const unsigned char *s, size_t n);
/* Its code point; `n` is its length, from utf8_length(). */
uint32_t utf8_code(const unsigned char *s, size_t n);
bool utf8_is_valid(struct str s); /* all of it; a zero byte is valid, too */

/* Largest k <= max such that cutting `s` at k splits no UTF-8 sequence. */
size_t utf8_cut(struct str s, size_t max);

/* Number of edits (insert, delete, replace, swap of neighbours) that turn a into b: for "did
 * you mean". Strings longer than 63 bytes are as far apart as they are long. */
int text_distance(const char *a, const char *b);

/* The entry of `names` (NULL-terminated) nearest to `word`, or NULL when none is near enough
 * for a person to have meant it. */
const char *text_nearest(const char *word, const char *const *names);
