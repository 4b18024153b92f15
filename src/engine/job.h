/* job.h: a job that is not final yet, in memory: the job, its steps, and the tasks at hand.
 *
 * The rows in the store say the same; what is here and not there is work in progress of this
 * process: worker state, queues, timers. All of it belongs to the loop thread. A job is freed
 * when the rows of its final state are on their way to the store (engine_on_closing).
 *
 * Who does what:
 *     job.c      job manager: which steps may start, how the job ends
 *     places.c   how many jobs may run at once
 *     step.c     step manager: opens the worker, hands out tasks, how the step ends
 *     files.c    how many tasks may run for the files that they hold open
 *     queue.c    the tasks of a step that wait: a window in memory, the rest in the store
 *     schedules.c  which jobs start by themselves, and when
 *     cap.c      steps that write too many lines
 *     retention.c  which jobs that have ended are deleted, and when
 *     retry.c    tasks that try again later, and how long anything may take
 *     output.c   values that a step says for those after it
 *     supply.c   what a step gets from those before it
 *     fan.c      for_each: one task for each item
 *     subjob.c   jobs that tasks of other jobs have started
 *     monitor.c  job monitor: step_progress, at most ten a second per step
 *     record.c   the only code that writes lines, states and rows
 *     secrets.c  what a step's secrets are, while it is open; keeping them out of what is told
 *     host.c     what workers may ask for (worker.h)
 *     errand.c   what running commands may ask for
 *     recover.c  jobs that an earlier server left behind */
#pragma once

#include "base/deadline.h"
#include "base/keyset.h"
#include "base/list.h"
#include "base/map.h"
#include "base/mask.h"
#include "engine/engine.h"
#include "engine/places.h"

/* Whoever looked for a job in the store may come to delete it some milliseconds after another
 * one did: so many deletions later that is known. */
enum { DELETED_KNOWN = 1024 };

/* files.c */
struct files {
    int most, used;      /* by tasks that run, as their workers say; most 0: no limit */
    struct list waiting; /* struct step.link_files */
};

struct engine {
    uv_loop_t *loop;
    const struct catalog *catalog; /* NULL: steps can start no jobs */
    struct store *store;
    struct writer *writer;
    struct id deleted[DELETED_KNOWN]; /* the newest, a ring */
    size_t deleted_count;
    struct list jobs;   /* struct job.link */
    struct map by_id;   /* the same */
    struct map by_task; /* of them, those that have not ended, by the task that started them */
    struct map errands; /* tasks that have a token, by id */
    int max_family;
    struct list dirty_jobs; /* rows to write with the batch that is being filled */
    struct list dirty_steps;
    struct list due_jobs; /* to be looked at in the next turn: job_advance(), step_advance() */
    struct list due_steps;
    struct list monitored; /* steps with progress to tell, when their time has come */
    struct list counted;   /* steps with new lines, whose number is told now and then */
    uv_timer_t due_timer, monitor_timer, count_timer;
    int open_timers;            /* engine_free() waits for them */
    struct deadlines deadlines; /* of tasks, steps and jobs */
    struct places places;
    struct files files;
    const struct pool_limits *pools;
    struct webhooks *webhooks; /* webhooks.h; NULL: nobody is told */
    bool stopping;
    int readings; /* queue readings on the pool */
    void (*stopped)(void *arg);
    void *stopped_arg;
    void (*ended)(void *arg); /* jobs have ended; or NULL */
    void *ended_arg;
};

struct output {
    char *name, *value;
};

/* What is held of a step that has too many lines. */
struct cap {
    struct held_line **held; /* a ring; NULL: it has not too many */
    size_t first, count, bytes;
    int64_t left_out; /* that came before the held ones */
    int64_t tell_at;  /* how many are left out when it is said next */
    int64_t passing;  /* so many lines are written as they come */
    bool writing;     /* lines are those of cap.c */
};

struct step {
    struct worker_step worker; /* what the worker sees */
    struct job *job;
    const struct step_definition *definition;
    struct step_row row; /* its texts: the definition's, or those below */
    char *error, *cause, *told_text, *told_lines;
    char *depends; /* JSON array */
    char id_text[ID_TEXT_LEN + 1];
    struct event_source source;
    /* As they are. The row has them as the newest step_progress told them: whoever reads it
     * must see what whoever follows the events sees. */
    int64_t counts[TASK_COUNTS];
    int64_t documents;
    char *progress_text;
    struct output *outputs;
    int output_count;
    char *outputs_text; /* all of them, as the row has them */
    struct cost cost;   /* of its tasks, in this process */

    int64_t last_number; /* of the newest task */
    char *last_failure;  /* cause of the newest failed task */
    struct keyset keys;  /* every task's key */
    struct list link_dirty, link_due, link_monitored, link_counted, link_files;
    struct worker_secret *secrets; /* secrets.c */
    struct mask_stream *masked;    /* of what the step itself says */
    struct settings *settings;     /* with the outputs of others; NULL: the definition's */
    struct worker_parameter *variables;
    bool opened;      /* the worker has state */
    bool stopping;    /* no further task is started; running ones were asked to end */
    char *stop_cause; /* why */
    enum job_state stop_state;
    struct deadline deadline;

    struct cap cap; /* cap.c */

    /* retry.c */
    struct list waiting; /* tasks that try again later */
    int64_t waiting_count;

    /* queue.c */
    struct list ready;   /* pending tasks in memory, by number */
    struct list running; /* tasks at the worker */
    int64_t ready_count, running_count;
    int64_t spilled; /* pending tasks that are only in the store, all behind loaded_number */
    int64_t loaded_number;      /* newest task that is or was in memory */
    struct queue_read *reading; /* spilled tasks are being read back */
};

enum { ERRAND_TOKEN_LEN = 32 };

struct task {
    struct worker_task worker;
    struct step *step;
    struct list link;          /* in ready, running or waiting */
    struct deadline deadline;  /* of this attempt, or when to try again */
    struct deadline heartbeat; /* when it is asked whether it was silent for too long */
    int64_t alive_ms;          /* its last sign of life (deadlines_now_ms()) */
    bool suspected;            /* it was silent for too long, and is listened to once more */
    char *expired;             /* why it was asked to end: it took too long, or was silent */
    bool hopeless;             /* to try again would change nothing */
    int64_t kill_at_us;        /* it was asked to end; then what is left of it is killed */
    struct job *child;         /* subjob.c: the job that it started and waits for */
    char *item;                /* fan.c */
    struct worker_parameter *values; /* the same; owned, with their texts */
    struct settings *settings;       /* with the item; NULL: the step's */
    struct mask_stream *masked;      /* of what it says, one for each level; NULL: no secrets */
    struct task_row row;             /* key and payload: the worker's texts, owned here */
    char *key, *payload, *cause;
    /* Of this attempt; "": nobody asked for it. */
    char token[ERRAND_TOKEN_LEN + 1];
};

struct job {
    struct engine *engine;
    struct list link, link_dirty, link_due;
    /* subjob.c */
    bool awaited;            /* its task does not run again yet */
    struct task *parent;     /* whose child it is, while that waits for it */
    struct id parent_job_id; /* the job of that task; none: nobody's */
    struct definition *definition;
    struct job_row row; /* texts: the definition's, or those below */
    char *parameters;   /* JSON object */
    struct worker_parameter *worker_parameters;
    char *error, *cause, *started_by, *waits_for;
    char *broken; /* why it cannot go on after a restart; NULL: it can */
    char id_text[ID_TEXT_LEN + 1];
    struct event_source source;
    struct step *steps; /* as in the definition, one for one */
    int step_count;
    struct mask *mask; /* NULL: no secret was read yet; all that were, while it is there */
    bool cancelling;   /* its cause says by whom */
    struct deadline deadline;

    /* places.c */
    enum place_state place;
    struct pool *pool;
    struct load *load; /* while it waits for a place, or has one */
    struct heap_node turn;
    struct list link_asked;
    int64_t asked;            /* when: 1, 2, 3 ... */
    int ahead, ahead_in_pool; /* when it was asked for: of its definition, of its pool */
};

/* ---- job.c ---- */

/* Makes a job in memory; takes the definition. Writes nothing. */
struct job *job_new(struct engine *g, struct definition *d, struct id id);
void job_set_started_by(struct job *job, const char *started_by); /* copied; NULL: unknown */
void job_free(struct job *job);
struct job *job_find(const struct engine *g, struct id id); /* NULL: it has ended */
void job_is_due(struct job *job);                           /* job_advance() in the next turn */
void job_advance(struct job *job);
void job_begin(struct job *job); /* it has a place */
void job_cancel(struct job *job, const char *who);

/* Ends what runs and what waits, with the job's cause: it is being cancelled. */
void job_stop(struct job *job);

/* The same for a job that took too long. That it did is known by the cause of its steps, also
 * after a restart. */
void job_expire(struct job *job, const char *cause);

/* ---- step.c ---- */

struct step *step_of(struct worker_step *w);
void step_is_due(struct step *step); /* step_advance() in the next turn */
void step_advance(struct step *step);
void step_start(struct step *step);
CHECKED int step_open(struct step *step, struct err *e); /* the worker makes its state */
void step_close(struct step *step);

/* Closes it, tells its last progress and how it ended, and moves it there. */
void step_end(struct step *step, enum job_state state, const char *cause);

/* Keeps the cause of the newest failed task. Copied. */
void step_remember_failure(struct step *step, const char *key, const char *cause);

/* Starts no more tasks, asks the running ones to end, and ends the step as `state`. */
void step_stop(struct step *step, enum job_state state, const char *cause);

/* ---- files.c ---- */

void files_init(struct files *files);

/* For one more task of the step. False: it has to wait, and is due when it is its turn. */
bool files_take(struct step *step);
void files_give(struct step *step);  /* a task has ended */
void files_leave(struct step *step); /* it has no task to begin any more */

/* ---- cap.c ---- */

/* A line of the step is to be written: true when it was held instead, or left out. */
bool cap_takes(struct step *step, const struct event *event, struct str line);
bool cap_is_over(const struct step *step); /* it has too many */
void cap_flush(struct step *step);         /* writes what is held */
void cap_pass(struct step *step);          /* the next lines are not held */
void cap_done(struct step *step);

/* ---- again.c ---- */

/* The definition of a job that was, with the parameters it was started with, save those that
 * are given anew. E_INVAL: this version cannot read it, or the parameters are wrong. */
CHECKED int definition_again(const struct job_row *row, const char *const *names,
                             const char *const *values, int count,
                             struct definition **ret_definition, struct err *e);

/* Which steps of a job can be taken over: those that completed, when nothing that they wait
 * for runs again. E_STATE: the job has not ended, or nothing is left to be run. */
CHECKED int again_choose(const struct job_row *row, const struct start *start,
                         const struct definition *d, bool *taken, struct err *e);

/* Moves these steps of a new job to completed, with their outputs. */
void again_take_over(struct job *job, struct id from, const struct start *start,
                     const bool *taken);

/* ---- queue.c ---- */

CHECKED int queue_add(struct step *step, struct str key, struct str payload, struct err *e);
void queue_return(struct task *t);          /* to the end of those that wait; leaves its list */
bool queue_has(struct step *step);          /* a pending task in memory; refills the window */
struct task *queue_take(struct step *step); /* the next one, or NULL */
bool queue_is_empty(const struct step *step); /* nothing pending, in memory or in the store */
void queue_abandon(struct step *step); /* forgets what is in memory, not what is stored */
struct task *task_new(struct step *step, const struct task_row *row); /* of a row; in no list */
void task_free(struct task *t);

/* Takes a pending task whose row is stored into the queue, behind all others; by number. One
 * that is tried again later waits for that. */
void queue_place(struct step *step, struct task *t);

/* ---- retry.c ---- */

/* How long to wait after so many attempts have failed. */
int64_t retry_pause_ms(const struct step_definition *d, int attempt);
bool retry_is_left(const struct task *t);
void retry_start(const struct task *t); /* says which attempt begins */
void retry_later(struct task *t,
                 const char *cause);        /* instead of failing; it leaves its list */
bool retry_is_later(const struct task *t);  /* a pending one that may not run yet */
void retry_wait(struct task *t);            /* until it may; it leaves its list */
struct task *retry_take(struct step *step); /* one that waits for that, or NULL */

/* From when it began to run; nothing when the definition sets no time. Of a task also how long
 * it may be silent. */
void timeout_start_task(struct task *t);
void timeout_end_task(struct task *t);
void timeout_alive(struct task *t); /* a sign of life */
void timeout_start_step(struct step *step);
void timeout_start_job(struct job *job);

/* Why it ended then; of a job without a timeout NULL. The caller frees it. */
char *timeout_job_cause(const struct job *job);

/* ---- output.c ---- */

/* Sets an output, or replaces it. E_INVAL: the name cannot be one, or the value is no text;
 * E_TOOBIG past LIMIT_OUTPUTS and LIMIT_OUTPUTS_BYTES. */
CHECKED int output_set(struct step *step, const struct task *task, struct str name,
                       struct str value, struct err *e);
const char *output_get(const struct step *step, const char *name); /* NULL: was never set */
void outputs_adopt(struct step *step, const char *text);           /* those of a row */
void outputs_take_over(struct step *step, const char *text);       /* and tells them */
void outputs_done(struct step *step);

/* ---- supply.c ---- */

/* Fills outputs of other steps into the settings and makes the worker's variables of them.
 * E_INVAL: a setting asks for an output that was not set, or is wrong with its value. */
CHECKED int supply_take(struct step *step, struct err *e);
void supply_done(struct step *step);
struct filler supply_filler(const struct step *step); /* knows all but the item */

/* ---- fan.c ---- */

/* Queues a task for each item. E_INVAL, E_TOOBIG: the items cannot be known, or are too many.
 */
CHECKED int fan_plan(struct step *step, struct err *e);

/* The payload of a task with an item, and the values that it was spawned with; overflows past
 * FAN_PAYLOAD_MAX_BYTES. */
enum { FAN_PAYLOAD_MAX_BYTES = 8 * (LIMIT_TASK_KEY_BYTES + LIMIT_TASK_VALUES_BYTES) };
void fan_write(struct buf *payload, struct str item, const struct worker_parameter *values,
               size_t count);

/* Gives a task that starts its settings, and of a step with for_each its item; says which it
 * is. E_INVAL: a setting is wrong with it. */
CHECKED int fan_take(struct task *t, struct err *e);
void fan_failed(struct task *t, const char *cause); /* says so, of a task with an item */
void fan_tell(struct step *step);                   /* "12/40" as progress */
char *fan_label(const struct task *t); /* "item 'a': ", or ""; the caller frees it */
void fan_done(struct task *t);

/* ---- subjob.c ---- */

CHECKED int subjob_start(struct task *t, const struct worker_job *wanted,
                         char ret_id[ID_TEXT_LEN + 1], struct err *e); /* as job_start() */
bool subjob_stop(struct task *t);                                      /* as job_stop() */
void subjob_forget(struct task *t); /* a task that waits is cancelled: so is the job it had */
void subjob_detach(struct task *t); /* they know each other no more */

/* Who started the jobs that an earlier server left, and which of them must not end before their
 * tasks run again. */
CHECKED int subjobs_recover(struct engine *g, struct store_reader *r, struct err *e);
void subjob_ended(struct job *job, enum job_state outcome, const char *cause);

/* ---- monitor.c ---- */

void monitor_changed(struct step *step); /* counts or progress text are new */
void monitor_counted(struct step *step); /* it has more lines */
void monitor_tell(struct step *step);    /* writes step_progress now, when there is news */
void monitor_init(struct engine *g);

/* ---- secrets.c ---- */

enum { SECRETS_ROOM = 16 * 1024 * 1024 }; /* of a masked text: three times the longest */

/* Reads the job's secrets for a step that is being opened. E_INVAL, E_NOTFOUND, E_IO. */
CHECKED int secrets_open(struct step *step, struct err *e);

/* One of them, now. *ret_mode is that of its file, or 0. The caller wipes and frees the value.
 */
CHECKED int secret_load(const struct secret *secret, char **ret_value, mode_t *ret_mode,
                        struct err *e);
void secret_wipe(char *value);         /* frees it; NULL is fine */
void secrets_close(struct step *step); /* wipes and forgets them */

/* Frees the streams of a task or a step. */
void secrets_free_streams(struct mask_stream **streams);

/* A worker's next line of a level, masked: *line becomes what is in *room when a secret is in
 * it. `task` NULL: the step's own. */
void secrets_mask_line(struct step *step, struct task *task, enum event_level level,
                       struct str *line, struct buf *room);

/* The same for a text that stands alone, and for one in JSON. */
void secrets_mask(const struct job *job, struct str *text, struct buf *room);
void secrets_mask_json(const struct job *job, struct str *text, struct buf *room);

/* NULL stays NULL; else a text that lives as *room. */
const char *secrets_mask_c(const struct job *job, const char *text, struct buf *room);
bool secrets_are_in(const struct job *job, struct str text);

/* ---- record.c ---- */

/* Writes a line of the job (step and task NULL), a step, or a task. Splits at newlines and at
 * LIMIT_LINE_BYTES. */
void record_line(struct job *job, struct step *step, struct task *task,
                 enum event_originator originator, enum event_level level, struct str message);
/* One line that cap.c has held. */
void record_held(struct step *step, struct event *event, struct str line);
void record_linef(struct job *job, struct step *step, enum event_level level, const char *fmt,
                  ...) PRINTF(4, 5);

/* The companion of a task's newest line. */
void record_companion(const struct task *task, enum event_level level, struct str message,
                      struct str members);
void record_progress(struct step *step);
void record_output(struct step *step, const struct task *task, struct str name,
                   struct str value);
void record_document(const struct task *task, const struct worker_document *document);
void record_task_created(const struct task_row *row, struct step *step);

/* The one way a state moves: checks the table, appends the event, brings row and counters
 * along. `cause` is copied; NULL: none. */
void record_job_move(struct job *job, enum job_state to, const char *cause);
void record_step_move(struct step *step, enum job_state to, const char *cause);
void record_task_move(struct task *task, enum job_state to, const char *cause);

/* Keeps why a job is being ended, for a restart in the middle of it. `cause` is copied. */
void record_job_cause(struct job *job, const char *cause);

/* What a pending job waits for, words that follow "waits for"; copied. Told when it is news. */
void record_job_waits(struct job *job, const char *text);

/* One more job has come of it. */
void record_family_grows(struct job *job);

/* The first event and rows of a new job. */
void record_job_created(struct job *job);

/* ---- errand.c ---- */

const char *errand_token(struct task *t);
void errand_end(struct task *t); /* its token is worth nothing any more */

/* ---- host.c ---- */

extern const struct worker_host engine_host;
void engine_check_stopped(
    struct engine *g); /* tells engine_stop()'s caller when all is quiet */
