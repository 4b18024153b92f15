#include "job/parameter.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/limits.h"
#include "base/mem.h"

_Static_assert(PARAMETER_NAME_MAX == 64, "the rule says so");

bool parameter_is_name(struct str s)
{
    for (size_t i = 0; i < s.n; i++) {
        char c = s.p[i];
        if (!(c >= 'a' && c <= 'z') && (i == 0 || (c != '_' && !(c >= '0' && c <= '9'))))
            return false;
    }
    return s.n > 0 && s.n <= PARAMETER_NAME_MAX;
}

const char *const parameter_type_names[] = {"text", "integer", "boolean", NULL};

/* ---- what a value may be ---- */

static bool is_choice(const struct parameter *p, const char *value)
{
    int i = 0;
    while (i < p->choice_count && strcmp(value, p->choices[i]) != 0)
        i++;
    return i < p->choice_count || p->choice_count == 0;
}

static bool is_of_type(const struct parameter *p, const char *value)
{
    int64_t number;
    if (p->type == PARAMETER_INTEGER)
        return str_to_int(str_of(value), p->minimum, p->maximum, &number);
    return p->type == PARAMETER_TEXT || strcmp(value, "true") == 0 ||
           strcmp(value, "false") == 0;
}

/* "a whole number from 1 to 10": what is_of_type() wants. */
static void type_expected(const struct parameter *p, struct buf *out)
{
    bool from = p->minimum > INT64_MIN, to = p->maximum < INT64_MAX;
    buf_add_c(out, p->type == PARAMETER_BOOLEAN ? "true or false" : "a whole number");
    if (from)
        buf_printf(out, " from %" PRId64, p->minimum);
    if (to)
        buf_printf(out, "%s %" PRId64, from ? " to" : " of at most", p->maximum);
}

/* What a value has to be: a choice, when there are some. */
static void value_expected(const struct parameter *p, struct buf *out)
{
    for (int i = 0; i < p->choice_count; i++)
        buf_printf(out, "%s'%s'", i == 0 ? "one of " : ", ", p->choices[i]);
    if (!p->choice_count)
        type_expected(p, out);
}

/* ---- reading ---- */

static int choice_read(const struct node *n, struct parameter *p, struct err *e)
{
    const char *text = NULL;
    int r = node_line(n, LIMIT_DEFINITION_BYTES, &text, e);
    if (r < 0)
        return r;
    if (!is_of_type(p, text)) {
        AUTO_BUF expected = BUF_INIT(LIMIT_DEFINITION_BYTES);
        type_expected(p, &expected);
        return node_fail_expected(n, buf_text(&expected), e);
    }
    p->choices[p->choice_count++] = mem_strdup(text);
    return 0;
}

static int choices_read(const struct node *list, struct parameter *p, struct err *e)
{
    int r = node_check_list(list, e);
    if (r < 0)
        return r;
    if (list->count == 0)
        return node_fail(list, e, "expected at least one choice");
    p->choices = mem_alloc((size_t)list->count * sizeof(*p->choices));
    NODE_EACH (list, n) {
        r = choice_read(n, p, e);
        if (r < 0)
            return r;
    }
    return 0;
}

static int range_read(const struct node *map, struct parameter *p, struct err *e)
{
    const struct node *low = node_get(map, "minimum"), *high = node_get(map, "maximum");
    int r = 0;
    if ((low || high) && p->type != PARAMETER_INTEGER)
        return node_fail(low ? low : high, e, "only an integer has a minimum and a maximum");
    if (low)
        r = node_int(low, INT64_MIN, INT64_MAX, &p->minimum, e);
    if (r >= 0 && high)
        r = node_int(high, p->minimum, INT64_MAX, &p->maximum, e);
    return r;
}

/* A default that nobody could give is a mistake. */
static int default_read(const struct node *n, struct parameter *p, const char **ret_value,
                        struct err *e)
{
    int r = node_text(n, ret_value, e);
    if (r < 0 || (is_of_type(p, *ret_value) && is_choice(p, *ret_value)))
        return r;
    AUTO_BUF expected = BUF_INIT(LIMIT_DEFINITION_BYTES);
    value_expected(p, &expected);
    return node_fail_expected(n, buf_text(&expected), e);
}

static int members_read(const struct node *n, struct parameter *p, const char **ret_value,
                        const char **ret_description, struct err *e)
{
    static const char *const keys[] = {"type",    "choices",     "minimum", "maximum",
                                       "default", "description", NULL};
    const struct node *part;
    int type = PARAMETER_TEXT;
    int r = node_check_map(n, keys, e);
    if (r >= 0 && (part = node_get(n, "type")))
        r = node_choice(part, parameter_type_names, &type, e);
    p->type = (enum parameter_type)type;
    if (r >= 0)
        r = range_read(n, p, e);
    if (r >= 0 && (part = node_get(n, "choices")))
        r = choices_read(part, p, e);
    if (r >= 0 && (part = node_get(n, "default")))
        r = default_read(part, p, ret_value, e);
    if (r >= 0 && (part = node_get(n, "description")))
        r = node_text(part, ret_description, e);
    return r;
}

/* `site: {default: ..., description: ...}`, or only the default, or nothing for a required one.
 */
static int parameter_read(const struct node *n, struct parameter *p, struct err *e)
{
    const char *value = NULL, *description = "";
    int r = 0;
    *p = (struct parameter){.minimum = INT64_MIN, .maximum = INT64_MAX};
    if (!parameter_is_name(str_of(n->key)))
        return node_fail_key(n, e, "a parameter's name is " PARAMETER_NAME_RULE);
    if (n->kind == NODE_SCALAR)
        value = n->text;
    else if (n->kind != NODE_NONE)
        r = members_read(n, p, &value, &description, e);
    p->name = mem_strdup(n->key);
    p->description = mem_strdup(description);
    p->fallback = mem_strdup(value);
    p->value = mem_strdup(value);
    p->required = !value;
    return r;
}

int parameters_read(const struct node *map, struct definition *d, struct err *e)
{
    if (!map)
        return 0;
    if (map->kind != NODE_MAP)
        return node_fail_expected(map, "a map of names", e);
    if (map->count > LIMIT_DEFINITION_PARAMETERS)
        return node_fail(map, e, "expected at most %d parameters, found %d",
                         LIMIT_DEFINITION_PARAMETERS, map->count);
    d->parameters = mem_alloc((size_t)map->count * sizeof(*d->parameters));
    NODE_EACH (map, n) {
        int r = parameter_read(n, &d->parameters[d->parameter_count++], e);
        if (r < 0)
            return r;
    }
    return 0;
}

void parameters_free(struct definition *d)
{
    for (int i = 0; i < d->parameter_count; i++) {
        free(d->parameters[i].name);
        free(d->parameters[i].description);
        free(d->parameters[i].fallback);
        free(d->parameters[i].value);
        for (int k = 0; k < d->parameters[i].choice_count; k++)
            free(d->parameters[i].choices[k]);
        free(d->parameters[i].choices);
    }
    free(d->parameters);
}

int parameter_index(const struct parameter *list, int count, struct str name)
{
    int i = 0;
    while (i < count && !str_eq_c(name, list[i].name))
        i++;
    return i < count ? i : -1;
}

static int fail_unknown(const struct definition *d, const struct definition_input *in,
                        const char *name, struct err *e)
{
    const char *names[LIMIT_DEFINITION_PARAMETERS + 1] = {NULL};
    AUTO_FREE char *field = mem_printf("parameters.%s", NODE_SHOWN(name));
    for (int i = 0; i < d->parameter_count; i++)
        names[i] = d->parameters[i].name;
    return fail_field(e, E_INVAL, field, "%s: there is no parameter '%s'%s", in->origin,
                      NODE_SHOWN(name), NODE_HINT(name, names));
}

static int value_check(const struct parameter *p, const struct definition_input *in,
                       const char *field, const char *value, struct err *e)
{
    if (is_of_type(p, value) && is_choice(p, value))
        return 0;
    AUTO_BUF expected = BUF_INIT(LIMIT_DEFINITION_BYTES);
    value_expected(p, &expected);
    return fail_field(e, E_INVAL, field, "%s: parameter '%s' is %s, not '%s'", in->origin,
                      p->name, buf_text(&expected), NODE_SHOWN(value));
}

int parameters_give(struct definition *d, const struct definition_input *in, struct err *e)
{
    bool given[LIMIT_DEFINITION_PARAMETERS] = {false};
    for (int k = 0; k < in->value_count; k++) {
        int i = parameter_index(d->parameters, d->parameter_count, str_of(in->names[k]));
        if (i < 0)
            return fail_unknown(d, in, in->names[k], e);
        AUTO_FREE char *field = mem_printf("parameters.%s", in->names[k]);
        if (given[i])
            return fail_field(e, E_INVAL, field, "%s: parameter '%s' is given twice",
                              in->origin, in->names[k]);
        int r = value_check(&d->parameters[i], in, field, in->values[k], e);
        if (r < 0)
            return r;
        given[i] = true;
        free(d->parameters[i].value);
        d->parameters[i].value = mem_strdup(in->values[k]);
    }
    for (int i = 0; in->for_run && i < d->parameter_count; i++) {
        if (d->parameters[i].value)
            continue;
        AUTO_FREE char *field = mem_printf("parameters.%s", d->parameters[i].name);
        return fail_field(e, E_INVAL, field,
                          "%s: parameter '%s' has no default and needs a value", in->origin,
                          d->parameters[i].name);
    }
    return 0;
}
