/* A definition for the API: the words and the shape of the text it was read from, so that a
 * client can change a field and send it back. */
#include "job/definition.h"

#include "job/condition.h"
#include "job/for_each.h"
#include "job/quantity.h"
#include "job/schedule.h"
#include "job/step.h"
#include "job/webhook.h"

static void key_duration(struct json *j, const char *key, int64_t ms)
{
    char text[QUANTITY_TEXT_MAX];
    json_key_c(j, key, ms ? quantity_format_duration(ms, text) : NULL);
}

static void key_texts(struct json *j, const char *key, char *const *texts, int count)
{
    json_key(j, key);
    json_begin_array(j);
    for (int i = 0; i < count; i++)
        json_text_c(j, texts[i]);
    json_end_array(j);
}

static void parameters_json(const struct definition *d, struct json *j)
{
    json_key(j, "parameters");
    json_begin_object(j);
    for (int i = 0; i < d->parameter_count; i++) {
        const struct parameter *p = &d->parameters[i];
        json_key(j, p->name);
        json_begin_object(j);
        json_key_c(j, "type", parameter_type_names[p->type]);
        if (p->minimum > INT64_MIN)
            json_key_int(j, "minimum", p->minimum);
        if (p->maximum < INT64_MAX)
            json_key_int(j, "maximum", p->maximum);
        if (p->choice_count)
            key_texts(j, "choices", p->choices, p->choice_count);
        json_key_c(j, "default", p->fallback);
        json_key_c(j, "description", p->description);
        json_end_object(j);
    }
    json_end_object(j);
}

static void secrets_json(const struct definition *d, struct json *j)
{
    json_key(j, "secrets");
    json_begin_object(j);
    for (int i = 0; i < d->secret_count; i++) {
        const struct secret *s = &d->secrets[i];
        json_key(j, s->name);
        json_begin_object(j);
        json_key_c(j, s->kind == SECRET_FILE ? "file" : "env", s->from);
        json_end_object(j);
    }
    json_end_object(j);
}

static void retry_json(const struct step_definition *s, struct json *j)
{
    json_key(j, "retry");
    if (!s->retry_attempts) {
        json_write_null(j);
        return;
    }
    json_begin_object(j);
    json_key_int(j, "attempts", s->retry_attempts);
    key_duration(j, "backoff", s->retry_backoff_ms);
    key_duration(j, "backoff_max", s->retry_backoff_max_ms);
    json_end_object(j);
}

static void step_json(const struct definition *d, const struct step_definition *s,
                      struct json *j)
{
    json_begin_object(j);
    json_key_c(j, "name", s->name);
    json_key_c(j, "type", s->type);
    json_key_c(j, "description", s->description);
    json_key(j, "depends");
    json_begin_array(j);
    for (int i = 0; i < s->depends_count; i++)
        json_text_c(j, d->steps[s->depends[i]].name);
    json_end_array(j);
    conditions_json(d, s, j);
    json_key_c(j, "on_error", on_error_names[s->on_error]);
    json_key_bool(j, "always_run", s->always_run);
    retry_json(s, j);
    for_each_json(s, j);
    key_duration(j, "timeout", s->timeout_ms);
    key_duration(j, "task_timeout", s->task_timeout_ms);
    key_duration(j, "heartbeat", s->heartbeat_ms);
    json_key(j, "max_lines");
    json_begin_object(j);
    json_key_int(j, "lines", s->max_lines);
    json_key_c(j, "then", max_lines_names[s->max_lines_fail]);
    json_end_object(j);
    json_key(j, "config");
    settings_json(s->settings, j);
    json_end_object(j);
}

static void tolerance_json(const struct definition *d, struct json *j)
{
    json_key(j, "error_tolerance");
    json_begin_object(j);
    json_key(j, "max_child_failures");
    if (d->max_child_failures < 0)
        json_write_null(j);
    else
        json_int(j, d->max_child_failures);
    json_key_c(j, "failure_action", failure_action_names[d->failure_action]);
    json_end_object(j);
}

static void schedule_member(const struct schedule *s, struct json *j)
{
    json_key(j, "schedule");
    if (s)
        schedule_json(s, j);
    else
        json_write_null(j);
}

void definition_json_next_runs(const struct definition *d, int64_t after_us, int count,
                               struct json *j)
{
    json_key(j, "next_runs");
    json_begin_array(j);
    for (int i = 0; d->schedule && i < count; i++) {
        after_us = schedule_next(d->schedule, after_us);
        json_time(j, after_us);
    }
    json_end_array(j);
}

void definition_json_members(const struct definition *d, struct json *j)
{
    char words[SCHEDULE_WORDS_MAX];
    json_key_c(j, "id", d->id);
    json_key_c(j, "name", d->name);
    json_key_c(j, "description", d->description);
    schedule_member(d->schedule, j);
    key_duration(j, "timeout", d->timeout_ms);
    json_key_bool(j, "enabled", d->enabled);
    json_key(j, "max_running");
    if (d->max_running)
        json_int(j, d->max_running);
    else
        json_write_null(j);
    json_key(j, "keep");
    keep_json(&d->keep, j);
    json_key_c(j, "pool", d->pool);
    json_key_int(j, "priority", d->priority);
    key_texts(j, "tags", d->tags, d->tag_count);
    parameters_json(d, j);
    secrets_json(d, j);
    json_key(j, "webhooks");
    webhooks_json(d, j);
    tolerance_json(d, j);
    json_key(j, "steps");
    json_begin_array(j);
    for (int i = 0; i < d->step_count; i++)
        step_json(d, &d->steps[i], j);
    json_end_array(j);
    if (d->schedule)
        schedule_words(d->schedule, words);
    json_key_c(j, "source", d->source);
    json_key_c(j, "schedule_words", d->schedule ? words : NULL);
    json_key_c(j, "format", d->is_json ? "json" : "yaml");
    key_texts(j, "warnings", d->warnings, d->warning_count);
}
