/* event.h: one entry of the log, and a batch of them.
 *
 * A batch is built on the loop thread, committed by the store thread, which gives the numbers,
 * and published on the loop thread; it is never touched by two of them at once. Reading the log
 * gives batches too. Texts lie one behind the other in one buffer and sources are listed once
 * per batch, so that adding a line allocates nothing once the buffers have grown. */
#pragma once

#include "base/buf.h"
#include "base/id.h"
#include "job/state.h"

enum event_type {
    EVENT_JOB_LOG,           /* a line */
    EVENT_CRAWLER_JOB_LOG,   /* a line's companion: a crawler task's figures */
    EVENT_STEP_PROGRESS,     /* absolute counts of a step */
    EVENT_JOB_STATUS_CHANGE, /* a job, step or task moved */
    EVENT_SYSTEM,            /* the server itself: started, a job was deleted ... */
    EVENT_STEP_OUTPUT,       /* a step said a value that later ones may use */
    EVENT_TYPE_COUNT
};

enum event_level {
    LEVEL_DEBUG,
    LEVEL_INFO,
    LEVEL_WARN,
    LEVEL_ERROR,
    LEVEL_COUNT,
    LEVEL_NONE = LEVEL_COUNT /* of a topic: no line is high enough */
};

enum event_originator { ORIGINATOR_MONITOR, ORIGINATOR_STEP, ORIGINATOR_WORKER };

/* What stands for a job in events that are about none: those of type EVENT_SYSTEM. */
#define ID_SYSTEM                                                                              \
    ((struct id){{0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff,      \
                  0xff, 0xff, 0xff, 0xff}})

/* Who an event is about: a step of a job, or (step_id none) the job itself. */
struct event_source {
    struct id manager_id; /* the job */
    struct id step_id;
    const char *step_name;   /* "" for the job itself */
    const char *source_type; /* the step's worker type; "job" for the job itself */
};

struct event {
    uint64_t seq; /* server-wide, 1, 2, 3 ...; 0 until committed */
    uint64_t
        line; /* of a line: its number in its step (or in the job itself), from 1; else 0 */
    int64_t ts_us;                  /* wall clock */
    struct id task_id;              /* the task that it comes from, or none */
    uint32_t source;                /* index into the batch's sources */
    uint32_t message_at, message_n; /* in the batch's text: the line, without newline */
    uint32_t members_at,
        members_n; /* in the batch's text: further members of the payload, as JSON
                      text without braces ("\"url\":\"…\",\"depth\":1"), or none */
    uint8_t type, level, originator;
    uint8_t kind; /* enum job_kind, of a status change: what moved */
};

struct event_batch {
    struct event *events;
    size_t count, cap;
    struct buf text;
    struct event_source *sources; /* their strings are the batch's own */
    size_t source_count, source_cap;
    uint32_t *places; /* where they are: a hash table of index + 1, when they are many */
    size_t places_cap, placed;
};

#define EVENT_BATCH_INIT                                                                       \
    {                                                                                          \
        NULL, 0, 0, BUF_INIT(UINT32_MAX), NULL, 0, 0, NULL, 0, 0                               \
    }
#define AUTO_EVENT_BATCH AUTO(event_batch_done) struct event_batch

void event_batch_done(struct event_batch *b);
void event_batch_clear(struct event_batch *b); /* empty, memory kept */

/* Makes room for so many events in all, and so many bytes of text. */
void event_batch_reserve(struct event_batch *b, size_t events, size_t bytes);

/* Index of a source equal to `source`, added (with copies of its strings) when it is new. */
uint32_t event_batch_source(struct event_batch *b, const struct event_source *source);

/* Appends an event; message, members and source index in *event are filled from the arguments.
 * The pointer returned is valid until the next append. */
struct event *event_batch_add(struct event_batch *b, const struct event *event,
                              const struct event_source *source, struct str message,
                              struct str members);

/* Appends a copy of event i of `from`. */
void event_batch_copy(struct event_batch *b, const struct event_batch *from, size_t i);

struct str event_message(const struct event_batch *b, const struct event *e);
struct str event_members(const struct event_batch *b, const struct event *e);

/* Ids as the payload shows them. The writer is the task, else the step, else the job; its
 * parent is the step of a task, the job of a step, none of a job. */
struct id event_job_id(const struct event_batch *b, const struct event *e);
struct id event_parent_id(const struct event_batch *b, const struct event *e);

const char *event_type_name(enum event_type type);
const char *event_level_name(enum event_level level);
bool event_level_parse(struct str name, enum event_level *ret_level);
const char *event_originator_name(enum event_originator originator); /* "", "step", "worker" */

/* Which topics an event belongs to (see docs/protocol.md). */
enum topic_kind {
    TOPIC_ALL,    /* every event of every job: the plain WebSocket form */
    TOPIC_JOBS,   /* states of jobs and steps, and progress: no lines, tasks, outputs */
    TOPIC_JOB,    /* everything of one job */
    TOPIC_SYSTEM, /* what is about no job */
};

struct topic_filter {
    enum topic_kind kind;
    struct id job_id;           /* TOPIC_JOB */
    enum event_level min_level; /* TOPIC_JOB: lines below it are left out; states never are */
};

bool event_matches(const struct event_batch *b, const struct event *e,
                   const struct topic_filter *f);
