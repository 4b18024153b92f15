/* worker.h: the contract between the engine and the code that does the work.
 *
 * A worker type (shell, crawler, http) is one struct worker_type. The engine runs its steps; a
 * step has a queue of tasks; a task is one unit of work with a key (a URL, a command).
 * The happy path:
 *
 *     step_open()                       state for the step is made
 *     step_known(key) ...               only after a restart: each task that there is already
 *     step_plan()                       only the first time ever: spawn the first tasks
 *     task_start(task) ... done()       as many at a time as `concurrency` says
 *     step_close()                      no task is running any more
 *
 * A worker knows neither store nor feed: what it has to say goes through struct worker_host.
 * Everything here runs on the loop thread and must not block; CPU work goes to the pool with
 * uv_queue_work(), and such a work item owns its data until its `after` callback.
 *
 * done() is called exactly once per started task, also after task_stop(), and never from inside
 * task_start() or task_stop() (start fails now, or ends later). The task is gone when done()
 * returns. */
#pragma once

#include <uv.h>

#include "base/err.h"
#include "job/event.h"
#include "job/settings.h"
#include "worker/cost.h"

struct worker_parameter {
    const char *name, *value;
};

struct worker_task {
    struct worker_step *step;
    struct id id;
    int64_t number;      /* 1, 2, ... in its step */
    int attempt;         /* 1 the first time; more after an interruption */
    const char *key;     /* unique in the step */
    const char *payload; /* JSON, as given to spawn(); "" when there is none */
    const struct settings
        *settings; /* the step's, with `item` filled in; from task_start() on */
    const char
        *item; /* of a step with for_each or one that was spawned by another, else NULL */
    const struct worker_parameter *values; /* that it was spawned with */
    size_t value_count;
    void *state; /* the worker's, from task_start() to done() */
};

/* A secret of the job and what it is, while the step is open: for what is sent or run, never
 * for what is stored. (The host masks what a worker says, all the same.) */
struct worker_secret {
    const char *name, *value;
};

struct worker_step {
    const struct worker_type *type;
    const struct worker_host *host;
    uv_loop_t *loop;
    const struct settings *settings;
    const char *name;
    const char *job_id_text, *step_id_text;    /* for the environment of commands */
    const struct worker_parameter *parameters; /* of the job */
    size_t parameter_count;
    const struct worker_secret *secrets;
    size_t secret_count;
    const struct worker_parameter *variables; /* for commands: outputs of steps before */
    size_t variable_count;
    int concurrency; /* how many tasks run at once; 1 unless step_open() sets it */
    void *state;     /* the worker's, from step_open() to step_close() */
};

struct worker_document {
    const char *url, *title, *description, *published, *markdown;
    struct str metadata; /* JSON object */
};

/* A job that a task wants to be run. */
struct worker_job {
    const char *definition;                   /* its id */
    const char *const *names, *const *values; /* parameters */
    int count;
};

/* What the engine does for a worker. Texts are copied. */
struct worker_host {
    /* Writes a line. `task` NULL: the step itself says it. No newline at the end; longer than
     * LIMIT_LINE_BYTES is split over several lines. */
    void (*log)(struct worker_step *s, struct worker_task *task, enum event_level level,
                struct str message);

    /* The task has shown a sign of life that is no line (yet): for the step's `heartbeat`.
     * Lines count by themselves. `task` NULL: it counts for all tasks of the step that run. */
    void (*alive)(struct worker_step *s, struct worker_task *task);

    /* Sends the companion event of the last line of this task, with further members (JSON text
     * without braces). */
    void (*companion)(struct worker_task *task, enum event_level level, struct str message,
                      struct str members);

    /* Queues a task. E_EXISTS when the step has the key already, E_TOOBIG for the key, E_INVAL
     * when a secret is in key or payload, which are stored. */
    int (*spawn)(struct worker_step *s, struct str key, struct str payload, struct err *e);

    /* Keeps a document. At most one per task; it is durable together with the task's outcome,
     * so call it just before done(). */
    void (*keep)(struct worker_task *task, const struct worker_document *document);

    /* Says in words how far the step is ("62/100 pages"). */
    void (*progress)(struct worker_step *s, const char *text);

    /* Says that the task was asked to end, and in how many milliseconds what is left of it is
     * killed; told as `kill_at` of the step until done(). */
    void (*stopping)(struct worker_task *task, int64_t grace_ms);

    /* Adds to what the step has used; the line that ends it tells. Before done(). */
    void (*cost)(struct worker_task *task, const struct cost *cost);

    /* With this a command shows that it is of the task, when it asks the server for something
     * (errand.c); good until done(). NULL in a host that has no server. */
    const char *(*token)(struct worker_task *task);

    /* Ends a task: JOB_COMPLETED, JOB_FAILED or JOB_CANCELLED, and why (NULL when completed).
     */
    void (*done)(struct worker_task *task, enum job_state outcome, const char *cause);

    /* False: the store is behind; write no more for now, step_resume() will be called. Asking
     * is voluntary: what is written all the same is kept. */
    bool (*may_write)(struct worker_step *s);

    /* Sets an output of the step, for the steps after it; a name that is there gets the new
     * value. It is durable with the task's outcome at the latest. E_INVAL: the name is not
     * lower-case letters, digits and '_', or the value is no UTF-8 text; E_TOOBIG past
     * LIMIT_OUTPUTS and LIMIT_OUTPUTS_BYTES of the step. */
    int (*output)(struct worker_task *task, struct str name, struct str value, struct err *e);

    /* Starts a job for a task and tells its id; 1 instead of 0 when the task had started it
     * before the server was restarted. The type's job_ended() says when it has ended.
     * E_NOTFOUND, E_INVAL, E_LIMIT (LIMIT_JOB_DEPTH, --max-family). */
    int (*job_start)(struct worker_task *task, const struct worker_job *job,
                     char ret_id[ID_TEXT_LEN + 1], struct err *e);

    /* Asks it to end. False: the server is stopping, the job goes on with its next start, and
     * job_ended() will not be called. */
    bool (*job_stop)(struct worker_task *task);
};

struct worker_type {
    const struct worker_schema *schema;
    int files; /* that the server has open for a task that runs, about; 0: none */
    /* An error fails the step; NULL: it needs no state and cannot fail. */
    int (*step_open)(struct worker_step *s, struct err *e);
    void (*step_known)(struct worker_step *s, const char *key, const char *payload,
                       enum job_state status); /* NULL: not of interest */
    void (*step_plan)(struct worker_step *s);
    int (*task_start)(struct worker_task *t, struct err *e); /* an error fails the task */
    void (*task_stop)(struct worker_task *t);                /* end soon, as JOB_CANCELLED */
    /* NULL: it starts no jobs. May call done(). The outputs of the job's steps are the task's,
     * unless `lost` says why not. */
    void (*job_ended)(struct worker_task *t, enum job_state outcome, const char *cause,
                      const char *lost);
    void (*step_resume)(struct worker_step *s); /* NULL: the worker never pauses */
    void (*step_close)(struct worker_step *s);  /* NULL: nothing is to be freed */
};

/* For writing lines with a format. */
void worker_log(struct worker_step *s, struct worker_task *t, enum event_level level,
                const char *fmt, ...) PRINTF(4, 5);

/* Appends `text`, a setting that may hold secrets, with "{secrets.NAME}" filled in. */
void worker_fill(const struct worker_step *s, const char *text, struct buf *out);

/* All types there are, NULL at the end; and one by name, or NULL. */
extern const struct worker_type *const worker_types[];
const struct worker_type *worker_type_find(const char *name);

/* The schemas of all types, NULL at the end: for definition_parse(). */
const struct worker_schema *const *worker_schemas(void);
