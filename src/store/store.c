/* The door of the store: every call goes to the implementation behind it. */
#include "store/store.h"

#include <stdio.h>
#include <sys/random.h>

#include "base/fault.h"
#include "store/store_ops.h"

void store_close(struct store *s)
{
    if (s)
        s->ops->close(s);
}

const char *store_epoch(const struct store *s)
{
    return s->epoch;
}

uint64_t store_head(struct store *s)
{
    return s->ops->head(s);
}

int store_append(struct store *s, struct batch *batch, struct err *e)
{
    return s->ops->append(s, batch, e);
}

int store_compact(struct store *s, bool idle, struct err *e)
{
    return s->ops->compact(s, idle, e);
}

int store_read_begin(struct store *s, struct store_reader **ret_reader, struct err *e)
{
    if (FAULT(STORE_READ))
        return fault_fail(e);
    return s->ops->read_begin(s, ret_reader, e);
}

void store_read_end(struct store_reader *r)
{
    if (r)
        r->store->ops->read_end(r);
}

uint64_t store_read_as_of(const struct store_reader *r)
{
    return r->as_of;
}

uint64_t store_read_floor(const struct store_reader *r, const struct topic_filter *topic)
{
    return topic->kind == TOPIC_JOBS ? r->deleted_seq : 0;
}

int store_get_job(struct store_reader *r, struct id id, struct arena *a,
                  struct job_row **ret_row, struct err *e)
{
    return r->store->ops->get_job(r, id, a, ret_row, e);
}

int store_get_step(struct store_reader *r, struct id id, struct arena *a,
                   struct step_row **ret_row, struct err *e)
{
    return r->store->ops->get_step(r, id, a, ret_row, e);
}

int store_get_task(struct store_reader *r, struct id id, struct arena *a,
                   struct task_row **ret_row, struct err *e)
{
    return r->store->ops->get_task(r, id, a, ret_row, e);
}

int store_get_document(struct store_reader *r, struct id id, struct arena *a,
                       struct document_row **ret_row, struct err *e)
{
    return r->store->ops->get_document(r, id, a, ret_row, e);
}

int store_list_jobs(struct store_reader *r, const struct job_query *q, struct arena *a,
                    struct job_row ***ret_rows, size_t *ret_count, int64_t *ret_total,
                    struct err *e)
{
    return r->store->ops->list_jobs(r, q, a, ret_rows, ret_count, ret_total, e);
}

int store_walk_ended(struct store_reader *r, ended_visitor *visit, void *arg, struct err *e)
{
    return r->store->ops->walk_ended(r, visit, arg, e);
}

int store_free_bytes(struct store_reader *r, int64_t *ret_bytes, struct err *e)
{
    return r->store->ops->free_bytes(r, ret_bytes, e);
}

int store_count_jobs(struct store_reader *r, int64_t ret_counts[JOB_STATE_COUNT], struct err *e)
{
    return r->store->ops->count_jobs(r, ret_counts, e);
}

int store_list_steps(struct store_reader *r, struct id job_id, struct arena *a,
                     struct step_row ***ret_rows, size_t *ret_count, struct err *e)
{
    return r->store->ops->list_steps(r, job_id, a, ret_rows, ret_count, e);
}

int store_list_tasks(struct store_reader *r, const struct task_query *q, struct arena *a,
                     struct task_row ***ret_rows, size_t *ret_count, int64_t *ret_total,
                     struct err *e)
{
    return r->store->ops->list_tasks(r, q, a, ret_rows, ret_count, ret_total, e);
}

int store_group_errors(struct store_reader *r, struct id step_id, int64_t limit,
                       struct arena *a, struct error_group **ret_groups, size_t *ret_count,
                       struct err *e)
{
    return r->store->ops->group_errors(r, step_id, limit, a, ret_groups, ret_count, e);
}

int store_list_documents(struct store_reader *r, const struct document_query *q,
                         struct arena *a, struct document_row ***ret_rows, size_t *ret_count,
                         int64_t *ret_total, struct err *e)
{
    return r->store->ops->list_documents(r, q, a, ret_rows, ret_count, ret_total, e);
}

int store_list_definitions(struct store_reader *r, struct arena *a,
                           struct definition_row ***ret_rows, size_t *ret_count, struct err *e)
{
    return r->store->ops->list_definitions(r, a, ret_rows, ret_count, e);
}

int store_list_deliveries(struct store_reader *r, struct arena *a,
                          struct delivery_row ***ret_rows, size_t *ret_count, struct err *e)
{
    return r->store->ops->list_deliveries(r, a, ret_rows, ret_count, e);
}

int store_list_schedules(struct store_reader *r, struct arena *a,
                         struct schedule_row ***ret_rows, size_t *ret_count, struct err *e)
{
    return r->store->ops->list_schedules(r, a, ret_rows, ret_count, e);
}

int store_read_lines(struct store_reader *r, const struct line_query *q,
                     struct event_batch *into, struct err *e)
{
    return r->store->ops->read_lines(r, q, into, e);
}

int store_read_events(struct store_reader *r, const struct event_query *q,
                      struct event_batch *into, uint64_t *ret_to, struct err *e)
{
    ASSERT(q->after_seq <= r->as_of);
    return r->store->ops->read_events(r, q, into, ret_to, e);
}

void store_make_epoch(char to[EPOCH_LEN + 1])
{
    unsigned char random[EPOCH_LEN / 2];
    ASSERT(getrandom(random, sizeof(random), 0) == (ssize_t)sizeof(random));
    for (size_t i = 0; i < sizeof(random); i++)
        snprintf(to + 2 * i, 3, "%02x", random[i]);
}

void store_number_events(struct batch *batch, uint64_t head)
{
    batch->first_seq = head + 1;
    for (size_t i = 0; i < batch->events.count; i++)
        batch->events.events[i].seq = head + 1 + i;
}

void store_unnumber_events(struct batch *batch)
{
    batch->first_seq = 0;
    for (size_t i = 0; i < batch->events.count; i++)
        batch->events.events[i].seq = 0;
}
