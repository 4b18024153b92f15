/* pattern.h: what is looked for in lines and addresses: words as they are, or a regular
 * expression. It may be anybody's: neither reading nor matching one takes long or much memory.
 *
 * Both are PCRE2's: words are matched literally, without regard to case unless it is asked for,
 * in all of Unicode. Lines may be any bytes; what is no UTF-8 matches nothing. Thread: any one
 * at a time. */
#pragma once

#include "base/err.h"
#include "base/macro.h"
#include "base/text.h"

struct pattern;

struct pattern_options {
    bool regex;        /* else: words as they are */
    bool exact;        /* upper and lower case differ */
    const char *field; /* of errors; a constant */
};

/* E_INVAL says what is wrong, and at which character. To be freed by
 * pattern_free(). */
CHECKED int pattern_new(struct str text, struct pattern_options options,
                        struct pattern **ret_pattern, struct err *e);
void pattern_free(struct pattern *p); /* NULL is fine */

/* 1: the line matches, 0: it does not. E_INVAL: the expression takes too long on it (PCRE2's
 * match limit), so whoever wrote it keeps nobody else from searching. */
CHECKED int pattern_match(struct pattern *p, struct str line, struct err *e);
