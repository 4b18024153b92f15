/* rows.h: what the tables hold. Strings of a row that was read belong to the arena that it was
 * read into; strings of a row that is to be written need to live until writer_put_*() has
 * copied them. NULL and "" mean the same: nothing. Times are wall clock microseconds, 0: not
 * yet. */
#pragma once

#include "base/arena.h"
#include "job/event.h"

struct job_row {
    struct id id;
    const char *definition_id, *name;
    const char *source; /* text of the definition as it was when the job was made */
    bool source_is_json;
    const char *parameters; /* JSON object, text to text */
    const char *started_by; /* who or what: "API", "schedule, due ..." */
    struct id parent_id;    /* the task that started it, of another job; none: nobody did */
    int family;             /* so many jobs have come of it, of one that no task started */
    int priority;
    const char *pool;      /* in which it takes a place while it runs; NULL: none */
    const char *waits_for; /* while it is pending: "a place of pool ..." */
    enum job_state status;
    int64_t created_at_us, started_at_us, completed_at_us, updated_at_us;
    const char *error; /* first error line, for a failed job */
    const char *cause; /* why it ended as it did, a sentence; before: why it is being ended */
    uint64_t lines;    /* lines of the job itself, not of its steps */
    int64_t bytes;     /* text of its events and documents as it was written; of the job itself
                          while     it runs, with that of its steps once it has ended */
    uint64_t end_seq;  /* seq of the last event of this job, 0 while it is not final; set by the
                          store */
};

enum {
    TASK_COUNTS = 5
}; /* pending, running, completed, failed, cancelled: enum job_state order */

struct step_row {
    struct id id, job_id;
    int number; /* 1, 2, ... in the order of the definition */
    const char *name, *type;
    const char *depends; /* JSON array of step names */
    enum job_state status;
    int64_t started_at_us, completed_at_us, updated_at_us;
    const char *error, *cause, *progress_text;
    int64_t tasks[TASK_COUNTS];
    uint64_t lines; /* all levels: also the number of the newest line */
    uint64_t lines_by_level[LEVEL_COUNT];
    uint64_t first_error, last_error; /* numbers of lines, 0: none */
    const char *told_lines; /* JSON object: the same four as the newest step_progress told them,
                               for whoever follows without lines; NULL before the first */
    int64_t documents;
    const char *outputs; /* JSON object, text to text; NULL: none */
    int64_t bytes;       /* as job_row.bytes */
    int64_t kill_at_us;  /* as the newest step_progress told it, 0: nothing is being stopped */
};

/* A job that has ended, without its texts. */
struct ended_job {
    struct id id;
    struct str definition_id;
    int64_t completed_at_us, bytes;
};

struct task_row {
    struct id id, job_id, step_id;
    int64_t number;      /* 1, 2, ... in its step, in the order in which they were queued */
    const char *key;     /* what it works on, such as a URL; a step has each key once */
    const char *payload; /* the worker's own, JSON */
    enum job_state status;
    int attempt; /* 0 before the first */
    int64_t created_at_us, started_at_us, completed_at_us;
    int64_t due_at_us; /* pending: it does not run again before; 0: it may run */
    const char *cause;
};

struct document_row {
    struct id id; /* of the task that kept it: a task keeps at most one */
    struct id job_id, step_id;
    const char *url, *title, *description;
    const char *published; /* as the page says it, normalised to RFC 3339 where possible */
    const char *markdown;
    const char *metadata; /* JSON object */
    int64_t created_at_us;
};

struct definition_row {
    const char *id;
    const char *source;
    bool is_json;
    int64_t created_at_us, updated_at_us;
};

/* What was decided about the schedule of a definition. */
struct schedule_row {
    const char *definition_id;
    const char *key;       /* of the schedule that this is about: schedule_key() */
    int64_t decided_at_us; /* times up to this one have had their job, or will have none */
    int64_t queued_at_us;  /* this one waits for the job before it to end; 0: none */
    bool paused;
};

/* A webhook's message that is on its way: gone when it was taken, or given up. */
struct delivery_row {
    struct id id; /* the receiver knows by it what comes twice */
    struct id job_id;
    const char *definition_id;
    const char *target; /* JSON: where to, signed by what, how often; no secret itself */
    const char *body;   /* JSON */
    int attempts;       /* that have failed */
    int64_t created_at_us, due_at_us;
};

/* What one commit makes durable: events in order and the rows that they change. Rows are
 * written whole (insert or replace by id). Filled on the loop thread through writer.h. */
enum change_kind {
    CHANGE_JOB,
    CHANGE_STEP,
    CHANGE_STEP_STATE, /* of a step that is there: all but what the definition says of it */
    CHANGE_TASK,       /* all of it */
    CHANGE_TASK_STATE, /* of a task that is there: status, attempt, started, completed, cause */
    CHANGE_DOCUMENT,
    CHANGE_DEFINITION,
    CHANGE_DEFINITION_DELETE,
    CHANGE_SCHEDULE,
    CHANGE_DELIVERY,
    CHANGE_DELIVERY_DELETE,
    CHANGE_JOB_DELETE, /* the job, its steps, tasks, documents and lines */
};

struct change {
    enum change_kind kind;
    union {
        struct job_row *job;
        struct step_row *step;
        struct task_row *task;
        struct document_row *document;
        struct definition_row *definition;
        struct schedule_row *schedule;
        struct delivery_row *delivery;
        const char *definition_id;
        struct id job_id, delivery_id;
    };
};

struct batch {
    struct event_batch events;
    struct change *changes;
    size_t change_count, change_cap;
    struct arena arena; /* the rows and their strings */
    uint64_t first_seq; /* of events[0]; set by the store */
};

/* The life of a batch. */
struct batch *batch_new(void);
void batch_free(struct batch *b);
void batch_clear(struct batch *b);         /* empty, memory for events kept */
size_t batch_bytes(const struct batch *b); /* memory that it holds for its contents */

/* Appends a change with a deep copy of the row. */
void batch_put_job(struct batch *b, const struct job_row *row);
void batch_put_step(struct batch *b, const struct step_row *row);
void batch_put_step_state(struct batch *b, const struct step_row *row);
void batch_put_task(struct batch *b, const struct task_row *row);
void batch_put_task_state(struct batch *b, const struct task_row *row);
void batch_put_document(struct batch *b, const struct document_row *row);
void batch_put_definition(struct batch *b, const struct definition_row *row);
void batch_put_schedule(struct batch *b, const struct schedule_row *row);
void batch_put_delivery(struct batch *b, const struct delivery_row *row);
void batch_delete_delivery(struct batch *b, struct id id);

/* With its schedule. */
void batch_delete_definition(struct batch *b, const char *id);
void batch_delete_job(struct batch *b, struct id job_id);

/* Deep copies into an arena (NULL strings stay NULL). */
struct job_row *job_row_copy(struct arena *a, const struct job_row *row);
struct step_row *step_row_copy(struct arena *a, const struct step_row *row);
struct task_row *task_row_copy(struct arena *a, const struct task_row *row);
struct document_row *document_row_copy(struct arena *a, const struct document_row *row);
struct definition_row *definition_row_copy(struct arena *a, const struct definition_row *row);
struct schedule_row *schedule_row_copy(struct arena *a, const struct schedule_row *row);
struct delivery_row *delivery_row_copy(struct arena *a, const struct delivery_row *row);
