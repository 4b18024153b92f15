#include "job/event.h"

#include <stdlib.h>
#include <string.h>

#include "base/hash.h"
#include "base/mem.h"

static void sources_clear(struct event_batch *b)
{
    for (size_t i = 0; i < b->source_count; i++) {
        free((void *)(uintptr_t)b->sources[i].step_name);
        free((void *)(uintptr_t)b->sources[i].source_type);
    }
    b->source_count = 0;
    mem_clear(&b->places);
    b->places_cap = b->placed = 0;
}

void event_batch_done(struct event_batch *b)
{
    sources_clear(b);
    free(b->sources);
    free(b->events);
    buf_done(&b->text);
    *b = (struct event_batch)EVENT_BATCH_INIT;
}

void event_batch_clear(struct event_batch *b)
{
    sources_clear(b);
    b->count = 0;
    buf_clear(&b->text);
}

void event_batch_reserve(struct event_batch *b, size_t events, size_t bytes)
{
    if (b->cap < events) {
        b->cap = events;
        b->events = mem_resize(b->events, events * sizeof(struct event));
    }
    (void)buf_room(&b->text, bytes);
}

static bool source_eq(const struct event_source *a, const struct event_source *b)
{
    return id_eq(a->step_id, b->step_id) && id_eq(a->manager_id, b->manager_id);
}

/* The place of a source in the table: where it is, or the empty one where it would be. */
static uint32_t *source_place(const struct event_batch *b, const struct event_source *source)
{
    struct id ids[] = {source->manager_id, source->step_id};
    size_t at = hash_of((struct str){(const char *)ids, sizeof(ids)}).a;
    for (;; at++) {
        uint32_t *place = &b->places[at & (b->places_cap - 1)];
        if (*place == 0 || source_eq(&b->sources[*place - 1], source))
            return place;
    }
}

/* Puts those that are not there yet into the table, which is never more than half full. */
static void sources_place(struct event_batch *b)
{
    if (b->places_cap < 2 * (b->source_count + 1)) {
        free(b->places);
        while (b->places_cap < 4 * (b->source_count + 1))
            b->places_cap = MAX(2 * b->places_cap, (size_t)64);
        b->places = mem_alloc(b->places_cap * sizeof(*b->places));
        b->placed = 0;
    }
    for (; b->placed < b->source_count; b->placed++) {
        uint32_t *place = source_place(b, &b->sources[b->placed]);
        if (*place == 0)
            *place = (uint32_t)b->placed + 1;
    }
}

/* Index + 1; 0: it is not there. */
static uint32_t source_find(struct event_batch *b, const struct event_source *source)
{
    enum { FEW = 16 };
    if (b->source_count > FEW) {
        sources_place(b);
        return *source_place(b, source);
    }
    for (size_t i = b->source_count; i > 0; i--)
        if (source_eq(&b->sources[i - 1], source))
            return (uint32_t)i;
    return 0;
}

uint32_t event_batch_source(struct event_batch *b, const struct event_source *source)
{
    /* lines come in runs: most are of the source of the line before */
    uint32_t newest = b->count ? b->events[b->count - 1].source : 0;
    if (b->count && source_eq(&b->sources[newest], source))
        return newest;
    uint32_t found = source_find(b, source);
    if (found)
        return found - 1;
    MEM_GROW(b->sources, b->source_count, b->source_cap);
    struct event_source *added = &b->sources[b->source_count];
    *added = *source;
    added->step_name = mem_strdup(source->step_name);
    added->source_type = mem_strdup(source->source_type);
    return (uint32_t)b->source_count++;
}

struct event *event_batch_add(struct event_batch *b, const struct event *event,
                              const struct event_source *source, struct str message,
                              struct str members)
{
    uint32_t source_index = event_batch_source(b, source);
    MEM_GROW(b->events, b->count, b->cap);
    struct event *e = &b->events[b->count++];
    *e = *event;
    e->source = source_index;
    char *to = buf_room(&b->text, message.n + members.n);
    ASSERT(to);
    if (message.n)
        memcpy(to, message.p, message.n);
    if (members.n)
        memcpy(to + message.n, members.p, members.n);
    e->message_at = (uint32_t)b->text.n;
    e->message_n = (uint32_t)message.n;
    e->members_at = e->message_at + e->message_n;
    e->members_n = (uint32_t)members.n;
    b->text.n += message.n + members.n;
    return e;
}

void event_batch_copy(struct event_batch *b, const struct event_batch *from, size_t i)
{
    const struct event *e = &from->events[i];
    event_batch_add(b, e, &from->sources[e->source], event_message(from, e),
                    event_members(from, e));
}

struct str event_message(const struct event_batch *b, const struct event *e)
{
    return (struct str){b->text.p + e->message_at, e->message_n};
}

struct str event_members(const struct event_batch *b, const struct event *e)
{
    return (struct str){b->text.p + e->members_at, e->members_n};
}

struct id event_job_id(const struct event_batch *b, const struct event *e)
{
    const struct event_source *s = &b->sources[e->source];
    return !id_is_none(e->task_id)   ? e->task_id
           : !id_is_none(s->step_id) ? s->step_id
                                     : s->manager_id;
}

struct id event_parent_id(const struct event_batch *b, const struct event *e)
{
    const struct event_source *s = &b->sources[e->source];
    return !id_is_none(e->task_id)   ? s->step_id
           : !id_is_none(s->step_id) ? s->manager_id
                                     : ID_NONE;
}

const char *event_type_name(enum event_type type)
{
    static const char *const names[] = {"job_log",           "crawler_job_log", "step_progress",
                                        "job_status_change", "system",          "step_output"};
    ASSERT(type < EVENT_TYPE_COUNT);
    return names[type];
}

static const char *const level_names[] = {"debug", "info", "warn", "error"};

const char *event_level_name(enum event_level level)
{
    ASSERT(level < LEVEL_COUNT);
    return level_names[level];
}

bool event_level_parse(struct str name, enum event_level *ret_level)
{
    for (int i = 0; i < LEVEL_COUNT; i++) {
        if (str_eq_c(name, level_names[i])) {
            *ret_level = (enum event_level)i;
            return true;
        }
    }
    return false;
}

const char *event_originator_name(enum event_originator originator)
{
    static const char *const names[] = {"", "step", "worker"};
    return names[originator];
}

static bool event_is_line(const struct event *e)
{
    return e->type == EVENT_JOB_LOG || e->type == EVENT_CRAWLER_JOB_LOG;
}

bool event_matches(const struct event_batch *b, const struct event *e,
                   const struct topic_filter *f)
{
    switch (f->kind) {
    case TOPIC_ALL:
        return e->type != EVENT_SYSTEM;
    case TOPIC_SYSTEM:
        return e->type == EVENT_SYSTEM;
    case TOPIC_JOBS:
        return !event_is_line(e) && e->type != EVENT_SYSTEM && e->type != EVENT_STEP_OUTPUT &&
               !(e->type == EVENT_JOB_STATUS_CHANGE && e->kind == KIND_TASK);
    case TOPIC_JOB:
        return id_eq(b->sources[e->source].manager_id, f->job_id) &&
               !(event_is_line(e) && e->level < f->min_level) &&
               !(e->type == EVENT_STEP_OUTPUT && f->min_level == LEVEL_NONE);
    }
    return false;
}
