/* The text of a scalar as what the reader of the tree wants it to be. */
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "job/node.h"
#include "job/quantity.h"

int node_text(const struct node *n, const char **ret_text, struct err *e)
{
    if (n->kind != NODE_SCALAR)
        return node_fail_expected(n, "text", e);
    *ret_text = n->text;
    return 0;
}

int node_line(const struct node *n, size_t max, const char **ret_text, struct err *e)
{
    const char *text = "";
    int r = node_text(n, &text, e);
    if (r < 0)
        return r;
    size_t length = strlen(text);
    if (length > max)
        return node_fail(n, e, "expected at most %zu bytes, found %zu", max, length);
    bool blank = true;
    for (const char *p = text; *p; p++) {
        if ((unsigned char)*p < 0x20 || *p == 0x7F)
            return node_fail(n, e, "expected one line without control characters");
        blank = blank && *p == ' ';
    }
    if (blank)
        return node_fail(n, e, "expected text, found only '%s'", NODE_SHOWN(text));
    *ret_text = text;
    return 0;
}

int node_bool(const struct node *n, bool *ret_value, struct err *e)
{
    bool yes = n->kind == NODE_SCALAR && !n->quoted && strcmp(n->text, "true") == 0;
    bool no = n->kind == NODE_SCALAR && !n->quoted && strcmp(n->text, "false") == 0;
    if (!yes && !no)
        return node_fail_expected(n, "true or false", e);
    *ret_value = yes;
    return 0;
}

/* How a whole number, a duration and a size differ. */
struct measure {
    const char *noun;
    bool (*parse)(struct str text, int64_t *ret_value);
    char *(*format)(int64_t value, char to[QUANTITY_TEXT_MAX]);
    bool in_quotes; /* is it one in quotes too? */
    int64_t most;   /* where the field itself has no end */
};

static bool whole_parse(struct str text, int64_t *ret_value)
{
    return str_to_int(text, INT64_MIN, INT64_MAX, ret_value);
}

static char *whole_format(int64_t value, char to[QUANTITY_TEXT_MAX])
{
    (void)snprintf(to, QUANTITY_TEXT_MAX, "%" PRId64, value);
    return to;
}

static int measure_read(const struct measure *m, const struct node *n, int64_t min, int64_t max,
                        int64_t *ret_value, struct err *e)
{
    int64_t value;
    if (n->kind != NODE_SCALAR || (n->quoted && !m->in_quotes) ||
        !m->parse(str_of(n->text), &value))
        return node_fail_expected(n, m->noun, e);
    if (max == 0 && min >= 0)
        max = m->most;
    if (value < min || value > max) {
        char from[QUANTITY_TEXT_MAX], to[QUANTITY_TEXT_MAX];
        if (max == INT64_MAX)
            return node_fail(n, e, "expected %s or more, found '%s'", m->format(min, from),
                             NODE_SHOWN(n->text));
        return node_fail(n, e, "expected %s to %s, found '%s'", m->format(min, from),
                         m->format(max, to), NODE_SHOWN(n->text));
    }
    *ret_value = value;
    return 0;
}

int node_int(const struct node *n, int64_t min, int64_t max, int64_t *ret_value, struct err *e)
{
    static const struct measure whole = {"a whole number", whole_parse, whole_format, false,
                                         INT64_MAX};
    return measure_read(&whole, n, min, max, ret_value, e);
}

int node_duration(const struct node *n, int64_t min, int64_t max, int64_t *ret_ms,
                  struct err *e)
{
    static const struct measure duration = {"a duration such as 250ms, 2s, 30m or 1h",
                                            quantity_parse_duration, quantity_format_duration,
                                            true, QUANTITY_DURATION_MAX_MS};
    return measure_read(&duration, n, min, max, ret_ms, e);
}

int node_size(const struct node *n, int64_t min, int64_t max, int64_t *ret_bytes, struct err *e)
{
    static const struct measure size = {"a size such as 500B, 64KiB or 10MiB",
                                        quantity_parse_size, quantity_format_size, true,
                                        INT64_MAX};
    return measure_read(&size, n, min, max, ret_bytes, e);
}

int node_number(const struct node *n, double *ret_value, struct err *e)
{
    /* strtod() takes more than a number as people write it: "0x1p3", "inf", " 1" */
    bool plain = n->kind == NODE_SCALAR && !n->quoted && n->text[0] != 'e' &&
                 n->text[0] != 'E' && n->text[strspn(n->text, "0123456789.eE+-")] == 0;
    char *end = NULL;
    double value = plain ? strtod(n->text, &end) : 0;
    if (!plain || end == n->text || *end || !isfinite(value))
        return node_fail_expected(n, "a number such as 0.25", e);
    if (value < 0)
        return node_fail(n, e, "expected 0 or more, found '%s'", NODE_SHOWN(n->text));
    *ret_value = value;
    return 0;
}

int node_choice(const struct node *n, const char *const *choices, int *ret_index, struct err *e)
{
    int count = 0;
    for (; choices[count]; count++) {
        if (n->kind == NODE_SCALAR && strcmp(n->text, choices[count]) == 0) {
            *ret_index = count;
            return 0;
        }
    }
    AUTO_BUF all = BUF_INIT(ERR_TEXT_MAX);
    for (int i = 0; i < count; i++)
        buf_printf(&all, "%s%s", i == 0 ? "" : i == count - 1 ? " or " : ", ", choices[i]);
    if (n->kind != NODE_SCALAR)
        return node_fail_expected(n, buf_text(&all), e);
    return node_fail(n, e, "expected %s, found '%s'%s", buf_text(&all), NODE_SHOWN(n->text),
                     NODE_HINT(n->text, choices));
}
