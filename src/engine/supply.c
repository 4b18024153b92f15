/* supply.c: what a step gets from those before it: their outputs, in its settings and as
 * variables for commands. All of them have ended when it starts, so both are made once, when
 * the worker opens, also after a restart. */
#include <stdlib.h>
#include <string.h>

#include "base/limits.h"
#include "base/mem.h"
#include "engine/job.h"
#include "job/filler.h"

/* For the filler; `arg` is the job. */
static const char *output_of(void *arg, const char *name, const char *output)
{
    const struct job *job = arg;
    for (int i = 0; i < job->step_count; i++)
        if (strcmp(job->steps[i].row.name, name) == 0)
            return output_get(&job->steps[i], output);
    return NULL;
}

struct filler supply_filler(const struct step *step)
{
    const struct definition *d = step->job->definition;
    return (struct filler){.parameters = d->parameters,
                           .count = d->parameter_count,
                           .secrets = d->secrets,
                           .secret_count = d->secret_count,
                           .max_bytes = LIMIT_DEFINITION_BYTES,
                           .output = output_of,
                           .arg = step->job,
                           .has_item = step->definition->for_each};
}

/* STEP_<NAME>_<OUTPUT> */
static void variable_add(struct step *step, const char *name, const struct output *o)
{
    char *variable = mem_printf("STEP_%s_%s", name, o->name);
    text_to_variable(variable);
    size_t count = step->worker.variable_count++;
    step->variables =
        mem_resize(step->variables, step->worker.variable_count * sizeof(*step->variables));
    step->variables[count] = (struct worker_parameter){variable, o->value};
    step->worker.variables = step->variables;
}

static void mark_before(const struct step *step, bool *before)
{
    for (int i = 0; i < step->definition->depends_count; i++) {
        int index = step->definition->depends[i];
        if (before[index])
            continue;
        before[index] = true;
        mark_before(&step->job->steps[index], before);
    }
}

static int variables_make(struct step *step, struct err *e)
{
    bool before[LIMIT_DEFINITION_STEPS] = {false};
    mark_before(step, before);
    for (int i = 0; i < step->job->step_count; i++) {
        const struct step *other = &step->job->steps[i];
        for (int k = 0; before[i] && k < other->output_count; k++)
            variable_add(step, other->row.name, &other->outputs[k]);
    }
    if (step->worker.variable_count > LIMIT_OUTPUTS_BEFORE)
        return fail(e, E_TOOBIG,
                    "the steps before it have set %zu outputs, at most %d can be used",
                    step->worker.variable_count, LIMIT_OUTPUTS_BEFORE);
    return 0;
}

void supply_done(struct step *step)
{
    for (size_t i = 0; i < step->worker.variable_count; i++)
        free((char *)(uintptr_t)step->variables[i].name);
    mem_clear(&step->variables);
    step->worker.variables = NULL;
    step->worker.variable_count = 0;
    settings_free(TAKE(step->settings));
    step->worker.settings = step->definition->settings;
}

int supply_take(struct step *step, struct err *e)
{
    supply_done(step);
    int r = variables_make(step, e);
    if (r < 0 || !settings_are_open(step->definition->settings))
        return r;
    struct filler filler = supply_filler(step);
    r = settings_fill(step->definition->settings, "config.", &filler, &step->settings, e);
    if (r >= 0)
        step->worker.settings = step->settings;
    filler_done(&filler);
    return r;
}
