#include "job/filler.h"

#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/mem.h"
#include "job/parameter.h"

enum { REFERENCE_MAX = sizeof("{steps..}") + 2 * 64 }; /* the longest, with two names */
enum { LOOKED_AT_MAX = 100 }; /* whoever writes nothing but braces does not hold the loop */

void filler_done(struct filler *f)
{
    for (size_t i = 0; i < f->reference_count; i++)
        free(f->references[i].of);
    free(f->references);
    *f = (struct filler){0};
}

/* Whether `inside`, the text between braces, can only be meant as an output. */
static bool is_reference(struct str inside)
{
    if (!str_starts(inside, STR("steps.")))
        return false;
    for (size_t i = 0; i < inside.n; i++)
        if (!text_is_alnum(inside.p[i]) && !strchr("._-", inside.p[i]))
            return false;
    return true;
}

/* steps.NAME.OUTPUT */
static int output_fill(struct filler *f, const struct node *n, struct str inside,
                       const char **ret_value, struct err *e)
{
    struct str rest = {inside.p + strlen("steps."), inside.n - strlen("steps.")};
    struct str of = str_cut(&rest, '.');
    if (of.n == 0 || !parameter_is_name(rest))
        return node_fail(n, e, "expected {steps.NAME.OUTPUT}, found '{%.*s}'", STR_ARG(inside));
    AUTO_FREE char *step = mem_copy(of.p, of.n), *name = mem_copy(rest.p, rest.n);
    if (f->output) {
        *ret_value = f->output(f->arg, step, name);
        return *ret_value ? 0 : node_fail(n, e, "step '%s' has set no output '%s'", step, name);
    }
    MEM_GROW(f->references, f->reference_count, f->reference_cap);
    f->references[f->reference_count++] = (struct reference){n, TAKE(step), f->step};
    return 0;
}

/* What is in braces and is no parameter stays as it is; it may have been meant as one. */
static void misspelt_warn(struct filler *f, const struct node *n, struct str inside)
{
    if (!f->warned || !parameter_is_name(inside) || f->looked_at >= LOOKED_AT_MAX)
        return;
    f->looked_at++;
    AUTO_FREE char *word = mem_copy(inside.p, inside.n), *remark = NULL;
    const char **names = mem_alloc(((size_t)f->count + 1) * sizeof(*names));
    for (int i = 0; i < f->count; i++)
        names[i] = f->parameters[i].name;
    const char *nearest = text_nearest(word, names);
    free(names);
    if (nearest)
        remark = mem_printf("'{%s}' is no parameter and stays as it is, did you mean '{%s}'?",
                            word, nearest);
    else if (strcmp(word, "item") == 0)
        remark = mem_printf("'{item}' stays as it is, for the step has no for_each");
    if (remark)
        definition_warn(f->warned, n, remark);
}

/* What stands at the beginning of `s`, a '{'. *ret_length is 0 when that is no more than a
 * brace, *ret_value NULL when the value is not known yet. */
static int value_at(struct filler *f, const struct node *n, struct str s, size_t *ret_length,
                    const char **ret_value, struct err *e)
{
    struct str inside = {s.p + 1, s.n - 1};
    inside.n = MIN(inside.n, (size_t)REFERENCE_MAX);
    ptrdiff_t end = str_find(inside, STR("}"));
    *ret_length = 0;
    *ret_value = NULL;
    if (end < 0)
        return 0;
    inside.n = (size_t)end;
    int i = parameter_index(f->parameters, f->count, inside);
    bool is_item = f->has_item && str_eq_c(inside, "item"), is_output = is_reference(inside);
    if (is_item)
        *ret_value = f->item;
    else if (i >= 0)
        *ret_value = f->parameters[i].value;
    if (is_item || is_output || i >= 0)
        *ret_length = inside.n + 2;
    else
        misspelt_warn(f, n, inside);
    return is_output ? output_fill(f, n, inside, ret_value, e) : 0;
}

static int fail_too_big(const struct filler *f, const struct node *n, struct err *e)
{
    (void)node_fail(n, e,
                    "the settings have more than %zu bytes with their parameters filled in",
                    f->max_bytes);
    if (e)
        e->code = E_TOOBIG;
    return E_TOOBIG;
}

int filler_fill(struct filler *f, const struct node *n, char **ret_text, bool *ret_open,
                struct err *e)
{
    AUTO_BUF out = BUF_INIT(f->max_bytes - f->bytes);
    struct str rest = str_of(n->text);
    bool is_escaped = false,
         open = false; /* escaped: behind '$', the shell's own way to say it */
    while (rest.n) {
        const char *value = NULL;
        size_t length = 0;
        int r = 0;
        if (rest.p[0] == '{' && !is_escaped)
            r = value_at(f, n, rest, &length, &value, e);
        if (r < 0)
            return r;
        if (value) {
            buf_add_c(&out, value);
        } else {
            open = open || length;
            length = 1;
            buf_add_byte(&out, rest.p[0]);
        }
        is_escaped = rest.p[0] == '$';
        rest.p += length;
        rest.n -= length;
    }
    if (out.overflow)
        return fail_too_big(f, n, e);
    f->bytes += out.n;
    *ret_text = buf_take(&out);
    *ret_open = open;
    return 0;
}
