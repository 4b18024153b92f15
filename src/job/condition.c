#include "job/condition.h"

#include "base/mem.h"
#include "job/state.h"
#include "job/step.h"

static const enum job_state outcomes[] = {JOB_COMPLETED, JOB_FAILED, JOB_CANCELLED,
                                          JOB_SKIPPED};
static const char *const outcome_words[] = {"completed", "failed", "cancelled", "skipped",
                                            NULL};

static int outcome_read(const struct node *n, unsigned *outcomes_of, struct err *e)
{
    int choice = 0, r = node_choice(n, outcome_words, &choice, e);
    *outcomes_of |= 1u << outcomes[choice];
    return r;
}

static int outcomes_read(const struct node *n, unsigned *ret_outcomes, struct err *e)
{
    int r = 0;
    *ret_outcomes = 0;
    if (n->kind != NODE_LIST)
        return outcome_read(n, ret_outcomes, e);
    if (n->count == 0)
        return node_fail(n, e, "expected at least one outcome");
    NODE_EACH (n, one) {
        r = outcome_read(one, ret_outcomes, e);
        if (r < 0)
            return r;
    }
    return r;
}

/* Where the step stands in `depends`, at its end if it was not there. */
static int depends_add(struct step_definition *s, int index)
{
    int i = 0;
    while (i < s->depends_count && s->depends[i] != index)
        i++;
    if (i < s->depends_count)
        return i;
    size_t count = (size_t)++s->depends_count;
    s->depends = mem_resize(s->depends, count * sizeof(*s->depends));
    s->wanted = mem_resize(s->wanted, count * sizeof(*s->wanted));
    s->depends[i] = index;
    s->wanted[i] = 0;
    return i;
}

int conditions_read(const struct node *when, const struct map *indexes, struct definition *d,
                    struct step_definition *s, struct err *e)
{
    if (when->kind != NODE_MAP)
        return node_fail_expected(when, "a map of steps and how they ended", e);
    NODE_EACH (when, n) {
        int index = 0;
        unsigned wanted = 0;
        int r = step_index(n, n->key, indexes, d, s, &index, e);
        if (r >= 0)
            r = outcomes_read(n, &wanted, e);
        if (r < 0)
            return r;
        int at = depends_add(s, index); /* which may move the list */
        s->wanted[at] = wanted;
    }
    return 0;
}

void outcomes_write(unsigned wanted, struct buf *out)
{
    bool more = false;
    for (size_t i = 0; i < ARRAY_LEN(outcomes); i++) {
        if (!(wanted & 1u << outcomes[i]))
            continue;
        buf_printf(out, "%s%s", more ? " or " : "", outcome_words[i]);
        more = true;
    }
}

void conditions_json(const struct definition *d, const struct step_definition *s,
                     struct json *j)
{
    json_key(j, "when");
    json_begin_object(j);
    for (int i = 0; i < s->depends_count; i++) {
        if (!s->wanted[i])
            continue;
        json_key(j, d->steps[s->depends[i]].name);
        json_begin_array(j);
        for (size_t k = 0; k < ARRAY_LEN(outcomes); k++)
            if (s->wanted[i] & 1u << outcomes[k])
                json_text_c(j, outcome_words[k]);
        json_end_array(j);
    }
    json_end_object(j);
}
