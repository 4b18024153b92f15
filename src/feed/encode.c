#include "feed/encode.h"

#include <stdio.h>
#include <string.h>

#include "base/clock.h"

static void members_add(struct json *j, struct str members)
{
    if (members.n == 0)
        return;
    if (j->comma)
        buf_add_byte(j->out, ',');
    buf_add_str(j->out, members);
    j->comma = true;
}

static bool event_has_message(const struct event *e)
{
    return e->type == EVENT_JOB_LOG || e->type == EVENT_CRAWLER_JOB_LOG ||
           e->type == EVENT_SYSTEM;
}

static void write_who(struct json *j, const struct event_batch *b, const struct event *e)
{
    const struct event_source *s = &b->sources[e->source];
    bool of_job = e->type != EVENT_SYSTEM;
    json_key_id(j, "job_id", of_job ? event_job_id(b, e) : ID_NONE);
    json_key_id(j, "parent_job_id", event_parent_id(b, e));
    json_key_id(j, "manager_id", of_job ? s->manager_id : ID_NONE);
    json_key_id(j, "step_id", s->step_id);
    json_key_c(j, "step_name", s->step_name);
    json_key_c(j, "source_type", s->source_type);
    json_key_c(j, "originator", event_originator_name(e->originator));
}

/* Who an event comes from is the same for a whole run of lines, and is most of their bytes; so
 * the text of the last one is kept. What these ids name does not change its name. */
static void put_who(struct json *j, const struct event_batch *b, const struct event *e)
{
    enum { WHO_BYTES = 1024 };
    static _Thread_local char text[WHO_BYTES];
    static _Thread_local size_t text_n;
    static _Thread_local struct who {
        struct id manager_id, step_id, task_id;
        int originator;
    } known;
    const struct event_source *s = &b->sources[e->source];
    struct who who = {s->manager_id, s->step_id, e->task_id, e->originator};
    if (!text_n || memcmp(&who, &known, sizeof(who)) != 0) {
        size_t at = j->out->n;
        write_who(j, b, e);
        bool fits = !j->out->overflow && j->out->n - at <= WHO_BYTES;
        text_n = fits ? j->out->n - at : 0;
        if (fits)
            memcpy(text, j->out->p + at, text_n);
        known = who;
        return;
    }
    buf_add(j->out, text, text_n);
    j->comma = true;
}

static void payload(struct json *j, const struct event_batch *b, const struct event *e)
{
    json_key(j, "payload");
    json_begin_object(j);
    put_who(j, b, e);
    json_key_time(j, "timestamp", e->ts_us);
    if (event_has_message(e)) {
        json_key_c(j, "level", event_level_name(e->level));
        json_key_text(j, "message", event_message(b, e));
    }
    if (e->type == EVENT_JOB_LOG)
        json_key_int(j, "line", (int64_t)e->line);
    if (e->type == EVENT_JOB_STATUS_CHANGE)
        json_key_c(j, "kind", job_kind_name(e->kind));
    members_add(j, event_members(b, e));
    json_end_object(j);
}

void encode_event(struct json *j, const struct event_batch *b, const struct event *e)
{
    json_begin_object(j);
    json_key_int(j, "seq", (int64_t)e->seq);
    json_key_c(j, "type", event_type_name(e->type));
    json_key_time(j, "ts", e->ts_us);
    payload(j, b, e);
    json_end_object(j);
}

void encode_event_plain(struct json *j, const struct event_batch *b, const struct event *e)
{
    json_begin_object(j);
    json_key_c(j, "type", event_type_name(e->type));
    json_key_int(j, "seq", (int64_t)e->seq);
    payload(j, b, e);
    json_end_object(j);
}

void encode_line(struct json *j, const struct event_batch *b, const struct event *e)
{
    const struct event_source *s = &b->sources[e->source];
    json_begin_object(j);
    json_key_int(j, "line", (int64_t)e->line);
    json_key_int(j, "seq", (int64_t)e->seq);
    json_key_time(j, "timestamp", e->ts_us);
    json_key_c(j, "level", event_level_name(e->level));
    json_key_text(j, "message", event_message(b, e));
    json_key_id(j, "job_id", event_job_id(b, e));
    json_key_id(j, "step_id", s->step_id);
    json_key_c(j, "step_name", s->step_name);
    json_key_c(j, "originator", event_originator_name(e->originator));
    json_key_c(j, "source_type", s->source_type);
    json_end_object(j);
}

void encode_cursor(struct json *j, const char *key, const char *epoch, uint64_t seq)
{
    char text[64];
    (void)snprintf(text, sizeof(text), "%s:%llu", epoch, (unsigned long long)seq);
    json_key_c(j, key, text);
}

void encode_times(struct json *j, int64_t started_us, int64_t completed_us)
{
    json_key_time(j, "started_at", started_us);
    json_key_time(j, "completed_at", completed_us);
    json_key(j, "duration_ms");
    if (started_us && completed_us)
        json_int(j, (completed_us - started_us) / 1000);
    else
        json_write_null(j);
}

void encode_counts(struct json *j, const int64_t counts[TASK_COUNTS])
{
    int64_t total = 0;
    for (int i = 0; i < TASK_COUNTS; i++)
        total += counts[i];
    json_key_int(j, "total", total);
    for (int i = 0; i < TASK_COUNTS; i++)
        json_key_int(j, job_state_name((enum job_state)i), counts[i]);
}
