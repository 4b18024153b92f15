/* output.c: the values that a step says for those after it.
 *
 * They live in the step's row as one JSON object, and each is told by an event, both in the
 * batch in which it was said. A step says few and short ones, so they are a list here. */
#include <jansson.h>
#include <stdlib.h>
#include <string.h>

#include "base/json.h"
#include "base/limits.h"
#include "base/mem.h"
#include "engine/job.h"
#include "job/parameter.h"

enum { JSON_MAX_BYTES = 8 * LIMIT_OUTPUTS_BYTES };

static struct output *output_find(const struct step *step, struct str name)
{
    for (int i = 0; i < step->output_count; i++)
        if (str_eq_c(name, step->outputs[i].name))
            return &step->outputs[i];
    return NULL;
}

const char *output_get(const struct step *step, const char *name)
{
    const struct output *o = output_find(step, str_of(name));
    return o ? o->value : NULL;
}

/* The object for the row. */
static void outputs_keep(struct step *step)
{
    AUTO_BUF text = BUF_INIT(JSON_MAX_BYTES);
    struct json j = JSON_TO(&text);
    json_begin_object(&j);
    for (int i = 0; i < step->output_count; i++)
        json_key_c(&j, step->outputs[i].name, step->outputs[i].value);
    json_end_object(&j);
    free(step->outputs_text);
    step->row.outputs = step->outputs_text = buf_take(&text);
}

static void output_put(struct step *step, struct output *old, struct str name, struct str value)
{
    if (!old) {
        size_t count = (size_t)step->output_count + 1;
        step->outputs = mem_resize(step->outputs, count * sizeof(*step->outputs));
        old = &step->outputs[step->output_count++];
        *old = (struct output){.name = mem_copy(name.p, name.n)};
    }
    free(old->value);
    old->value = mem_copy(value.p, value.n);
}

/* Of a secret that has an '=' and was written as it is, that would cut off the name. */
static bool name_holds_secret(const struct job *job, struct str name, struct str value)
{
    if (!job->mask || secrets_are_in(job, value))
        return secrets_are_in(job, name);
    AUTO_BUF line = BUF_INIT(SECRETS_ROOM);
    buf_add_str(&line, name);
    buf_add_byte(&line, '=');
    buf_add_str(&line, value);
    return secrets_are_in(job, buf_str(&line));
}

int output_set(struct step *step, const struct task *task, struct str name, struct str value,
               struct err *e)
{
    AUTO_BUF room = BUF_INIT(SECRETS_ROOM);
    if (name_holds_secret(step->job, name, value))
        return fail(e, E_INVAL, "an output's name holds a secret");
    if (secrets_are_in(step->job,
                       value)) /* one that only ends as one begins is used as it is */
        secrets_mask(step->job, &value, &room);
    struct output *old = output_find(step, name);
    size_t bytes = name.n + value.n;
    if (!parameter_is_name(name))
        return fail(e, E_INVAL, "an output's name is " PARAMETER_NAME_RULE ", not '%.*s'",
                    (int)MIN(name.n, (size_t)PARAMETER_NAME_MAX), name.p);
    if (!utf8_is_valid(value) || memchr(value.p, 0, value.n))
        return fail(e, E_INVAL, "output '%.*s' is no text in UTF-8", STR_ARG(name));
    if (!old && step->output_count == LIMIT_OUTPUTS)
        return fail(e, E_TOOBIG, "output '%.*s' is one too many: a step has at most %d",
                    STR_ARG(name), LIMIT_OUTPUTS);
    for (int i = 0; i < step->output_count; i++)
        if (&step->outputs[i] != old)
            bytes += strlen(step->outputs[i].name) + strlen(step->outputs[i].value);
    if (bytes > LIMIT_OUTPUTS_BYTES)
        return fail(e, E_TOOBIG,
                    "with output '%.*s' the step's outputs have %zu bytes, at most %d are "
                    "allowed",
                    STR_ARG(name), bytes, LIMIT_OUTPUTS_BYTES);
    output_put(step, old, name, value);
    outputs_keep(step);
    record_output(step, task, name, value);
    return 0;
}

void outputs_adopt(struct step *step, const char *text)
{
    json_t *all = text ? json_loads(text, 0, NULL) : NULL, *value;
    const char *name;
    json_object_foreach(all, name, value)
    {
        if (json_is_string(value))
            output_put(step, NULL, str_of(name), str_of(json_string_value(value)));
    }
    json_decref(all);
    step->row.outputs = NULL;
    if (step->output_count)
        outputs_keep(step);
}

void outputs_take_over(struct step *step, const char *text)
{
    outputs_adopt(step, text);
    for (int i = 0; i < step->output_count; i++)
        record_output(step, NULL, str_of(step->outputs[i].name),
                      str_of(step->outputs[i].value));
}

void outputs_done(struct step *step)
{
    for (int i = 0; i < step->output_count; i++) {
        free(step->outputs[i].name);
        free(step->outputs[i].value);
    }
    free(step->outputs);
    free(step->outputs_text);
}
