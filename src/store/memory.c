/* The store that forgets: for tests, and to compare the other one with.
 *
 * The happy path of a batch: wait until no reader is open, check everything that could fail,
 * then apply all of it, which cannot fail. */
#include "store/memory.h"

#include <stdlib.h>
#include <string.h>

#include "base/fault.h"
#include "base/mem.h"

/* ---- shelves ---- */

static void *shelf_get(const struct shelf *shelf, struct str key)
{
    struct slot *slot = map_get(&shelf->by_key, key);
    return slot ? slot->row : NULL;
}

static void *shelf_put(struct shelf *shelf, struct str key, const void *row)
{
    struct slot *slot = map_get(&shelf->by_key, key);
    if (!slot) {
        slot = mem_alloc(sizeof(*slot));
        MEM_GROW(shelf->slots, shelf->count, shelf->cap);
        shelf->slots[shelf->count++] = slot;
        map_set(&shelf->by_key, key, slot);
    }
    void *copy = row_dup(shelf->shape, row);
    free(slot->row);
    slot->row = copy;
    return copy;
}

static void slot_free(struct slot *slot)
{
    free(slot->row);
    free(slot);
}

/* Takes away the rows whose id at `offset` is `job_id`; every row begins with its own id. */
static void shelf_remove(struct shelf *shelf, size_t offset, struct id job_id)
{
    size_t kept = 0;
    for (size_t i = 0; i < shelf->count; i++) {
        struct slot *slot = shelf->slots[i];
        const char *row = slot->row;
        if (memcmp(row + offset, job_id.b, sizeof(job_id.b)) != 0) {
            shelf->slots[kept++] = slot;
            continue;
        }
        (void)map_remove(&shelf->by_key, (struct str){row, sizeof(struct id)});
        slot_free(slot);
    }
    shelf->count = kept;
}

static void shelf_done(struct shelf *shelf)
{
    for (size_t i = 0; i < shelf->count; i++)
        slot_free(shelf->slots[i]);
    free(shelf->slots);
    map_done(&shelf->by_key);
}

static char *task_key(const struct task_row *row, size_t *ret_n)
{
    struct str key = str_of(row->key);
    *ret_n = sizeof(row->step_id) + key.n;
    char *bytes = mem_alloc(*ret_n);
    memcpy(bytes, &row->step_id, sizeof(row->step_id));
    if (key.n)
        memcpy(bytes + sizeof(row->step_id), key.p, key.n);
    return bytes;
}

/* ---- checking ---- */

/* What the batch itself brings before the change at hand. */
struct coming {
    struct map ids;  /* steps and tasks */
    struct map keys; /* step id and key → the task's row */
};

static int task_check(struct memory_store *s, struct coming *coming, struct task_row *row,
                      struct err *e)
{
    if (!shelf_get(&s->steps, ID_KEY(row->step_id)) &&
        !map_get(&coming->ids, ID_KEY(row->step_id)))
        return fail(e, E_NOTFOUND, "there is no step %s", ID_TEXT(row->step_id));
    size_t n;
    AUTO_FREE char *bytes = task_key(row, &n);
    struct str key = {bytes, n};
    const struct slot *slot = map_get(&s->task_keys, key);
    const struct task_row *known = slot ? slot->row : map_get(&coming->keys, key);
    if (known && !id_eq(known->id, row->id))
        return fail(e, E_EXISTS, "step %s has a task for '%.200s' already",
                    ID_TEXT(row->step_id), row->key ? row->key : "");
    map_set(&coming->keys, key, row);
    map_set(&coming->ids, ID_KEY(row->id), row);
    return 0;
}

static int change_check(struct memory_store *s, struct coming *coming, struct change *c,
                        struct err *e)
{
    if (c->kind == CHANGE_STEP)
        map_set(&coming->ids, ID_KEY(c->step->id), c->step);
    if (c->kind == CHANGE_STEP_STATE && !shelf_get(&s->steps, ID_KEY(c->step->id)) &&
        !map_get(&coming->ids, ID_KEY(c->step->id)))
        return fail(e, E_NOTFOUND, "there is no step %s", ID_TEXT(c->step->id));
    if (c->kind == CHANGE_TASK)
        return task_check(s, coming, c->task, e);
    if (c->kind == CHANGE_TASK_STATE && !shelf_get(&s->tasks, ID_KEY(c->task->id)) &&
        !map_get(&coming->ids, ID_KEY(c->task->id)))
        return fail(e, E_NOTFOUND, "there is no task %s", ID_TEXT(c->task->id));
    return 0;
}

static int batch_check(struct memory_store *s, struct batch *batch, struct err *e)
{
    struct coming coming = {0};
    int r = 0;
    for (size_t i = 0; i < batch->change_count && r >= 0; i++)
        r = change_check(s, &coming, &batch->changes[i], e);
    map_done(&coming.ids);
    map_done(&coming.keys);
    if (r >= 0 && (FAULT(STORE_COMMIT_BEFORE) || FAULT(STORE_COMMIT_BEFORE_FSYNC)))
        r = fail(e, E_IO, "a fault place of the commit was told to fail");
    return r;
}

/* ---- applying ---- */

static void job_apply(struct memory_store *s, struct job_row *row, uint64_t last_seq)
{
    const struct job_row *old = shelf_get(&s->jobs, ID_KEY(row->id));
    bool final = job_state_is_final(row->status);
    row->end_seq = !final ? 0 : old && old->end_seq ? old->end_seq : last_seq;
    shelf_put(&s->jobs, ID_KEY(row->id), row);
}

static void task_apply(struct memory_store *s, struct task_row *row)
{
    shelf_put(&s->tasks, ID_KEY(row->id), row);
    size_t n;
    AUTO_FREE char *key = task_key(row, &n);
    map_set(&s->task_keys, (struct str){key, n}, map_get(&s->tasks.by_key, ID_KEY(row->id)));
}

static void task_apply_state(struct memory_store *s, const struct task_row *state)
{
    struct task_row row = *(struct task_row *)shelf_get(&s->tasks, ID_KEY(state->id));
    row.status = state->status;
    row.attempt = state->attempt;
    row.started_at_us = state->started_at_us;
    row.completed_at_us = state->completed_at_us;
    row.due_at_us = state->due_at_us;
    row.cause = state->cause;
    shelf_put(&s->tasks, ID_KEY(row.id), &row);
}

static void step_apply_state(struct memory_store *s, const struct step_row *state)
{
    const struct step_row *old = shelf_get(&s->steps, ID_KEY(state->id));
    struct step_row row = *state;
    row.job_id = old->job_id;
    row.number = old->number;
    row.name = old->name;
    row.type = old->type;
    row.depends = old->depends;
    shelf_put(&s->steps, ID_KEY(row.id), &row);
}

static void shelf_remove_key(struct shelf *shelf, struct str key)
{
    struct slot *slot = map_remove(&shelf->by_key, key);
    for (size_t i = 0; slot && i < shelf->count; i++) {
        if (shelf->slots[i] != slot)
            continue;
        shelf->slots[i] = shelf->slots[--shelf->count];
        slot_free(slot);
        break;
    }
}

/* The events stay in the log and are passed over: rewriting it would gain nothing here. */
static void job_remove(struct memory_store *s, struct id job_id, uint64_t last_seq)
{
    for (size_t i = 0; i < s->tasks.count; i++) {
        const struct task_row *row = s->tasks.slots[i]->row;
        size_t n;
        AUTO_FREE char *key = task_key(row, &n);
        if (id_eq(row->job_id, job_id))
            (void)map_remove(&s->task_keys, (struct str){key, n});
    }
    shelf_remove(&s->tasks, offsetof(struct task_row, job_id), job_id);
    shelf_remove(&s->documents, offsetof(struct document_row, job_id), job_id);
    shelf_remove(&s->steps, offsetof(struct step_row, job_id), job_id);
    shelf_remove(&s->jobs, offsetof(struct job_row, id), job_id);
    map_set(&s->deleted, ID_KEY(job_id), s);
    s->deleted_seq = last_seq;
}

static void change_apply(struct memory_store *s, struct change *c, uint64_t last_seq)
{
    switch (c->kind) {
    case CHANGE_JOB:
        job_apply(s, c->job, last_seq);
        break;
    case CHANGE_STEP:
        shelf_put(&s->steps, ID_KEY(c->step->id), c->step);
        break;
    case CHANGE_STEP_STATE:
        step_apply_state(s, c->step);
        break;
    case CHANGE_TASK:
        task_apply(s, c->task);
        break;
    case CHANGE_TASK_STATE:
        task_apply_state(s, c->task);
        break;
    case CHANGE_DOCUMENT:
        shelf_put(&s->documents, ID_KEY(c->document->id), c->document);
        break;
    case CHANGE_DEFINITION:
        shelf_put(&s->definitions, str_of(c->definition->id), c->definition);
        break;
    case CHANGE_DEFINITION_DELETE:
        shelf_remove_key(&s->definitions, str_of(c->definition_id));
        shelf_remove_key(&s->schedules, str_of(c->definition_id));
        break;
    case CHANGE_SCHEDULE:
        shelf_put(&s->schedules, str_of(c->schedule->definition_id), c->schedule);
        break;
    case CHANGE_DELIVERY:
        shelf_put(&s->deliveries, ID_KEY(c->delivery->id), c->delivery);
        break;
    case CHANGE_DELIVERY_DELETE:
        shelf_remove_key(&s->deliveries, ID_KEY(c->delivery_id));
        break;
    case CHANGE_JOB_DELETE:
        job_remove(s, c->job_id, last_seq);
        break;
    }
}

static void batch_apply(struct memory_store *s, struct batch *batch)
{
    store_number_events(batch, s->head);
    s->head += batch->events.count;
    for (size_t i = 0; i < batch->change_count; i++)
        change_apply(s, &batch->changes[i], s->head);
    if (batch->events.count == 0)
        return;
    struct event_batch *copy = mem_alloc(sizeof(*copy));
    *copy = (struct event_batch)EVENT_BATCH_INIT;
    for (size_t i = 0; i < batch->events.count; i++)
        event_batch_copy(copy, &batch->events, i);
    MEM_GROW(s->log, s->log_count, s->log_cap);
    s->log[s->log_count++] = copy;
}

static int memory_append(struct store *base, struct batch *batch, struct err *e)
{
    struct memory_store *s = container_of(base, struct memory_store, base);
    pthread_mutex_lock(&s->lock);
    while (s->readers > 0)
        pthread_cond_wait(&s->quiet, &s->lock);
    int r = batch_check(s, batch, e);
    if (r >= 0)
        batch_apply(s, batch);
    pthread_mutex_unlock(&s->lock);
    return r;
}

/* ---- the rest ---- */

static int memory_compact(struct store *s, bool idle, struct err *e)
{
    (void)s, (void)idle, (void)e; /* there is nothing to tidy up */
    return 0;
}

static uint64_t memory_head(struct store *base)
{
    struct memory_store *s = container_of(base, struct memory_store, base);
    pthread_mutex_lock(&s->lock);
    uint64_t head = s->head;
    pthread_mutex_unlock(&s->lock);
    return head;
}

static int memory_read_begin(struct store *base, struct store_reader **ret_reader,
                             struct err *e)
{
    (void)e;
    struct memory_store *s = container_of(base, struct memory_store, base);
    struct store_reader *r = mem_alloc(sizeof(*r));
    pthread_mutex_lock(&s->lock);
    s->readers++;
    *r = (struct store_reader){base, s->head, s->deleted_seq};
    pthread_mutex_unlock(&s->lock);
    *ret_reader = r;
    return 0;
}

static void memory_read_end(struct store_reader *r)
{
    struct memory_store *s = memory_store(r);
    pthread_mutex_lock(&s->lock);
    if (--s->readers == 0)
        pthread_cond_signal(&s->quiet);
    pthread_mutex_unlock(&s->lock);
    free(r);
}

static void memory_close(struct store *base)
{
    struct memory_store *s = container_of(base, struct memory_store, base);
    ASSERT(s->readers == 0);
    struct shelf *shelves[] = {&s->jobs,        &s->steps,     &s->tasks,     &s->documents,
                               &s->definitions, &s->schedules, &s->deliveries};
    for (size_t i = 0; i < ARRAY_LEN(shelves); i++)
        shelf_done(shelves[i]);
    map_done(&s->task_keys);
    map_done(&s->deleted);
    for (size_t i = 0; i < s->log_count; i++) {
        event_batch_done(s->log[i]);
        free(s->log[i]);
    }
    free(s->log);
    pthread_mutex_destroy(&s->lock);
    pthread_cond_destroy(&s->quiet);
    free(s);
}

static struct store_ops memory_ops;

static void memory_ops_init(void)
{
    memory_ops = (struct store_ops){
        .close = memory_close,
        .head = memory_head,
        .append = memory_append,
        .compact = memory_compact,
        .read_begin = memory_read_begin,
        .read_end = memory_read_end,
    };
    memory_read_ops(&memory_ops);
}

int store_open_memory(struct store **ret_store, struct err *e)
{
    (void)e;
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    pthread_once(&once, memory_ops_init);
    struct memory_store *s = mem_alloc(sizeof(*s));
    s->base.ops = &memory_ops;
    store_make_epoch(s->base.epoch);
    pthread_mutex_init(&s->lock, NULL);
    pthread_cond_init(&s->quiet, NULL);
    s->jobs.shape = &shape_job;
    s->steps.shape = &shape_step;
    s->tasks.shape = &shape_task;
    s->documents.shape = &shape_document;
    s->definitions.shape = &shape_definition;
    s->schedules.shape = &shape_schedule;
    s->deliveries.shape = &shape_delivery;
    *ret_store = &s->base;
    return 0;
}
