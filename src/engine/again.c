/* again.c: the definition that a job was started with, from its row: to go on after a restart,
 * and to run it once more, perhaps without the steps that had completed. */
#include <jansson.h>
#include <stdlib.h>
#include <string.h>

#include "base/limits.h"
#include "base/mem.h"
#include "engine/job.h"

static bool names_have(const char *const *names, int count, const char *name)
{
    for (int i = 0; i < count; i++)
        if (strcmp(names[i], name) == 0)
            return true;
    return false;
}

int definition_again(const struct job_row *row, const char *const *names,
                     const char *const *values, int count, struct definition **ret_definition,
                     struct err *e)
{
    json_t *stored = row->parameters ? json_loads(row->parameters, 0, NULL) : NULL, *value;
    size_t most = json_object_size(stored) + (size_t)count;
    AUTO_FREE const char **all_names = mem_alloc(most * sizeof(char *));
    AUTO_FREE const char **all_values = mem_alloc(most * sizeof(char *));
    const char *name;
    int n = 0;
    json_object_foreach(stored, name, value)
    {
        if (names_have(names, count, name))
            continue;
        all_names[n] = name;
        all_values[n++] = json_string_value(value);
    }
    for (int i = 0; i < count; i++) {
        all_names[n] = names[i];
        all_values[n++] = values[i];
    }
    struct definition_input in = {.text = str_of(row->source),
                                  .origin = "stored definition",
                                  .format =
                                      row->source_is_json ? DEFINITION_JSON : DEFINITION_YAML,
                                  .schemas = worker_schemas(),
                                  .names = all_names,
                                  .values = all_values,
                                  .value_count = n,
                                  .for_run = true};
    int r = definition_parse(&in, ret_definition, e);
    json_decref(stored);
    return r;
}

/* ---- from what failed ---- */

/* A step that was skipped will be skipped again for the same reason when all that it waits for
 * ends as it did: what comes after it need not run for its sake. */
static bool is_settled(const struct step_definition *s, const struct step_row *row,
                       const bool *settled)
{
    bool is = row->status == JOB_COMPLETED || row->status == JOB_SKIPPED;
    for (int i = 0; i < s->depends_count; i++)
        is = is && settled[s->depends[i]];
    return is;
}

int again_choose(const struct job_row *row, const struct start *start,
                 const struct definition *d, bool *taken, struct err *e)
{
    bool settled[LIMIT_DEFINITION_STEPS] = {false};
    int left = d->step_count;
    if (!job_state_is_final(row->status))
        return fail(e, E_STATE, "job '%s' has not ended yet", ID_TEXT(row->id));
    for (int k = 0; k < d->step_count && start->step_count == (size_t)d->step_count; k++) {
        int i = d->order[k];
        settled[i] = is_settled(&d->steps[i], start->steps[i], settled);
        taken[i] = settled[i] && start->steps[i]->status == JOB_COMPLETED;
        left -= settled[i];
    }
    if (left == 0)
        return fail(e, E_STATE,
                    "nothing of job '%s' failed, so nothing is left to be run again",
                    ID_TEXT(row->id));
    return 0;
}

static void step_take_over(struct step *step, const struct step_row *row, const char *from)
{
    AUTO_FREE char *cause = mem_printf("taken over from job %s", from);
    record_linef(step->job, step, LEVEL_INFO, "%s", cause);
    outputs_take_over(step, row->outputs);
    record_step_move(step, JOB_COMPLETED, cause);
}

void again_take_over(struct job *job, struct id from, const struct start *start,
                     const bool *taken)
{
    int count = 0;
    for (int i = 0; i < job->step_count; i++) {
        if (taken[i])
            step_take_over(&job->steps[i], start->steps[i], ID_TEXT(from));
        count += taken[i];
    }
    record_linef(job, NULL, LEVEL_INFO, "%d of %d steps taken over from job %s", count,
                 job->step_count, ID_TEXT(from));
}
