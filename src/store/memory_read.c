/* Reading the memory store: pick the rows that match, sort, cut the page out, copy. */
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "store/memory.h"
#include "store/sink.h"

/* ---- lists ---- */

/* Rows that matched, still those of the store. */
struct rows {
    const void **p;
    size_t count, cap;
};

static void rows_add(struct rows *rows, const void *row)
{
    MEM_GROW(rows->p, rows->count, rows->cap);
    rows->p[rows->count++] = row;
}

static void rows_sort(struct rows *rows, int (*compare)(const void *, const void *, void *),
                      void *ctx)
{
    if (rows->count > 1)
        qsort_r(rows->p, rows->count, sizeof(*rows->p), compare, ctx);
}

/* Copies the page into the arena, tells the total, frees. */
static void **rows_finish(struct rows *rows, const struct row_shape *shape, int64_t limit,
                          int64_t offset, struct arena *a, size_t *ret_count,
                          int64_t *ret_total)
{
    int64_t total = (int64_t)rows->count;
    int64_t begin = MIN(MAX(offset, 0), total);
    int64_t count = limit < 0 ? total - begin : MIN(limit, total - begin);
    void **page = arena_alloc(a, (size_t)count * sizeof(*page));
    for (int64_t i = 0; i < count; i++)
        page[i] = row_copy(shape, a, rows->p[begin + i]);
    *ret_count = (size_t)count;
    if (ret_total)
        *ret_total = total;
    free(rows->p);
    *rows = (struct rows){0};
    return page;
}

static bool state_is_wanted(unsigned states, enum job_state state)
{
    return states == 0 || (states & 1u << state);
}

static int compare_number(int64_t a, int64_t b)
{
    return (a > b) - (a < b);
}

static int compare_text(const char *a, const char *b)
{
    return strcmp(a ? a : "", b ? b : "");
}

static int turn_compare(const struct job_row *a, const struct job_row *b)
{
    int order = compare_number(b->priority, a->priority);
    order = order ? order : compare_number(a->created_at_us, b->created_at_us);
    return order ? order : id_compare(a->id, b->id);
}

static int jobs_compare(const void *pa, const void *pb, void *ctx)
{
    const struct job_query *q = ctx;
    const struct job_row *a = *(const struct job_row *const *)pa;
    const struct job_row *b = *(const struct job_row *const *)pb;
    int order = 0;
    switch (q->order) {
    case ORDER_CREATED:
        order = compare_number(a->created_at_us, b->created_at_us);
        break;
    case ORDER_STARTED:
        order = compare_number(a->started_at_us, b->started_at_us);
        break;
    case ORDER_COMPLETED:
        order = compare_number(a->completed_at_us, b->completed_at_us);
        break;
    case ORDER_NAME:
        order = compare_text(a->name, b->name);
        break;
    case ORDER_STATUS:
        order = compare_number(a->status, b->status);
        break;
    case ORDER_TURN:
        return q->descending ? -turn_compare(a, b) : turn_compare(a, b);
    }
    order = order ? order : id_compare(a->id, b->id);
    return q->descending ? -order : order;
}

static bool text_has(const char *text, const char *word)
{
    return text && str_find_nocase(str_of(text), str_of(word)) >= 0;
}

static bool job_is_wanted(const struct job_row *row, const struct job_query *q)
{
    const char *definition = row->definition_id;
    return state_is_wanted(q->states, row->status) &&
           (!q->definition_id || (definition && strcmp(definition, q->definition_id) == 0)) &&
           (!q->before || (row->waits_for && turn_compare(row, q->before) < 0 &&
                           compare_text(row->waits_for, q->before->waits_for) == 0)) &&
           (!q->word || text_has(row->name, q->word) || text_has(definition, q->word));
}

static int memory_list_jobs(struct store_reader *r, const struct job_query *q, struct arena *a,
                            struct job_row ***ret_rows, size_t *ret_count, int64_t *ret_total,
                            struct err *e)
{
    (void)e;
    const struct shelf *jobs = &memory_store(r)->jobs;
    struct rows rows = {0};
    for (size_t i = 0; i < jobs->count; i++) {
        const struct job_row *row = jobs->slots[i]->row;
        if (job_is_wanted(row, q))
            rows_add(&rows, row);
    }
    struct job_query ctx = *q;
    rows_sort(&rows, jobs_compare, &ctx);
    *ret_rows = (struct job_row **)rows_finish(&rows, &shape_job, q->limit, q->offset, a,
                                               ret_count, ret_total);
    return 0;
}

static int ended_compare(const void *pa, const void *pb, void *ctx)
{
    (void)ctx;
    const struct job_row *a = *(const struct job_row *const *)pa;
    const struct job_row *b = *(const struct job_row *const *)pb;
    int order = compare_number(b->completed_at_us, a->completed_at_us);
    return order ? order : memcmp(b->id.b, a->id.b, sizeof(a->id.b));
}

static int memory_walk_ended(struct store_reader *r, ended_visitor *visit, void *arg,
                             struct err *e)
{
    (void)e;
    const struct shelf *jobs = &memory_store(r)->jobs;
    struct rows rows = {0};
    for (size_t i = 0; i < jobs->count; i++)
        if (((const struct job_row *)jobs->slots[i]->row)->end_seq > 0)
            rows_add(&rows, jobs->slots[i]->row);
    rows_sort(&rows, ended_compare, NULL);
    for (size_t i = 0; i < rows.count; i++) {
        const struct job_row *row = rows.p[i];
        struct ended_job job = {row->id, str_of(row->definition_id), row->completed_at_us,
                                row->bytes};
        visit(arg, &job);
    }
    free(rows.p);
    return 0;
}

static int memory_free_bytes(struct store_reader *r, int64_t *ret_bytes, struct err *e)
{
    (void)r, (void)e;
    *ret_bytes = 0;
    return 0;
}

static int memory_count_jobs(struct store_reader *r, int64_t *ret_counts, struct err *e)
{
    (void)e;
    const struct shelf *jobs = &memory_store(r)->jobs;
    for (int i = 0; i < JOB_STATE_COUNT; i++)
        ret_counts[i] = 0;
    for (size_t i = 0; i < jobs->count; i++)
        ret_counts[((const struct job_row *)jobs->slots[i]->row)->status]++;
    return 0;
}

static int steps_compare(const void *pa, const void *pb, void *ctx)
{
    (void)ctx;
    const struct step_row *a = *(const struct step_row *const *)pa;
    const struct step_row *b = *(const struct step_row *const *)pb;
    return compare_number(a->number, b->number);
}

static int memory_list_steps(struct store_reader *r, struct id job_id, struct arena *a,
                             struct step_row ***ret_rows, size_t *ret_count, struct err *e)
{
    (void)e;
    const struct shelf *steps = &memory_store(r)->steps;
    struct rows rows = {0};
    for (size_t i = 0; i < steps->count; i++) {
        const struct step_row *row = steps->slots[i]->row;
        if (id_eq(row->job_id, job_id))
            rows_add(&rows, row);
    }
    rows_sort(&rows, steps_compare, NULL);
    *ret_rows = (struct step_row **)rows_finish(&rows, &shape_step, -1, 0, a, ret_count, NULL);
    return 0;
}

struct task_order {
    struct memory_store *store;
    bool newest_first;
};

static int task_step_number(const struct memory_store *s, struct id step_id)
{
    const struct slot *slot = map_get(&s->steps.by_key, ID_KEY(step_id));
    return slot ? ((const struct step_row *)slot->row)->number : 0;
}

static int tasks_compare(const void *pa, const void *pb, void *ctx)
{
    const struct task_order *by = ctx;
    const struct task_row *a = *(const struct task_row *const *)pa;
    const struct task_row *b = *(const struct task_row *const *)pb;
    int order = compare_number(task_step_number(by->store, a->step_id),
                               task_step_number(by->store, b->step_id));
    order = order ? order : compare_number(a->number, b->number);
    return by->newest_first ? -order : order;
}

static int memory_list_tasks(struct store_reader *r, const struct task_query *q,
                             struct arena *a, struct task_row ***ret_rows, size_t *ret_count,
                             int64_t *ret_total, struct err *e)
{
    (void)e;
    bool one_step = !id_is_none(q->step_id);
    const struct shelf *tasks = &memory_store(r)->tasks;
    struct rows rows = {0};
    for (size_t i = 0; i < tasks->count; i++) {
        const struct task_row *row = tasks->slots[i]->row;
        bool here = one_step ? id_eq(row->step_id, q->step_id) && row->number > q->after_number
                             : id_eq(row->job_id, q->job_id);
        if (here && state_is_wanted(q->states, row->status))
            rows_add(&rows, row);
    }
    rows_sort(&rows, tasks_compare, &(struct task_order){memory_store(r), q->newest_first});
    *ret_rows = (struct task_row **)rows_finish(&rows, &shape_task, q->limit, q->offset, a,
                                                ret_count, ret_total);
    return 0;
}

static int causes_compare(const void *pa, const void *pb, void *ctx)
{
    (void)ctx;
    return compare_text((*(const struct task_row *const *)pa)->cause,
                        (*(const struct task_row *const *)pb)->cause);
}

static int groups_compare(const void *pa, const void *pb)
{
    const struct error_group *a = pa, *b = pb;
    return a->count != b->count ? compare_number(b->count, a->count)
                                : strcmp(a->message, b->message);
}

static int memory_group_errors(struct store_reader *r, struct id step_id, int64_t limit,
                               struct arena *a, struct error_group **ret_groups,
                               size_t *ret_count, struct err *e)
{
    (void)e;
    const struct shelf *tasks = &memory_store(r)->tasks;
    struct rows rows = {0};
    for (size_t i = 0; i < tasks->count; i++) {
        const struct task_row *row = tasks->slots[i]->row;
        if (row->status == JOB_FAILED && id_eq(row->step_id, step_id))
            rows_add(&rows, row);
    }
    rows_sort(&rows, causes_compare, NULL);
    struct error_group *groups = arena_alloc(a, rows.count * sizeof(*groups));
    size_t count = 0;
    for (size_t i = 0; i < rows.count; i++) {
        const char *cause = ((const struct task_row *)rows.p[i])->cause;
        if (count == 0 || compare_text(groups[count - 1].message, cause) != 0)
            groups[count++].message = arena_strdup(a, cause ? cause : "");
        groups[count - 1].count++;
    }
    if (count > 1)
        qsort(groups, count, sizeof(*groups), groups_compare);
    *ret_groups = groups;
    *ret_count = limit < 0 ? count : MIN(count, (size_t)limit);
    free(rows.p);
    return 0;
}

static bool document_has_words(const struct document_row *row, const struct document_query *q)
{
    for (int i = 0; i < DOCUMENT_WORDS_MAX && q->words[i]; i++)
        if (!text_has(row->url, q->words[i]) && !text_has(row->title, q->words[i]) &&
            !text_has(row->markdown, q->words[i]))
            return false;
    return true;
}

static bool document_is_of_host(const struct document_row *row, const char *host)
{
    if (!host)
        return true;
    const char *at = row->url ? strstr(row->url, "://") : NULL;
    size_t n = strlen(host);
    return at && strncmp(at + 3, host, n) == 0 && at[3 + n] == '/';
}

static int memory_list_documents(struct store_reader *r, const struct document_query *q,
                                 struct arena *a, struct document_row ***ret_rows,
                                 size_t *ret_count, int64_t *ret_total, struct err *e)
{
    (void)e;
    const struct shelf *documents = &memory_store(r)->documents;
    bool one_job = !id_is_none(q->job_id);
    struct rows rows = {0};
    for (size_t i = 0; i < documents->count; i++) {
        size_t at = one_job ? i : documents->count - 1 - i;
        const struct document_row *row = documents->slots[at]->row;
        if ((!one_job || id_eq(row->job_id, q->job_id)) && document_has_words(row, q) &&
            document_is_of_host(row, q->host) && row->created_at_us >= q->since_us)
            rows_add(&rows, row);
    }
    *ret_rows = (struct document_row **)rows_finish(&rows, &shape_document, q->limit, q->offset,
                                                    a, ret_count, ret_total);
    for (size_t i = 0; i < *ret_count && !q->with_markdown; i++)
        (*ret_rows)[i]->markdown = NULL;
    return 0;
}

/* Definitions and schedules begin with the id of the definition. */
static int compare_definition_ids(const void *pa, const void *pb, void *ctx)
{
    (void)ctx;
    return compare_text(**(const char *const *const *)pa, **(const char *const *const *)pb);
}

static int memory_list_definitions(struct store_reader *r, struct arena *a,
                                   struct definition_row ***ret_rows, size_t *ret_count,
                                   struct err *e)
{
    (void)e;
    const struct shelf *definitions = &memory_store(r)->definitions;
    struct rows rows = {0};
    for (size_t i = 0; i < definitions->count; i++)
        rows_add(&rows, definitions->slots[i]->row);
    rows_sort(&rows, compare_definition_ids, NULL);
    *ret_rows = (struct definition_row **)rows_finish(&rows, &shape_definition, -1, 0, a,
                                                      ret_count, NULL);
    return 0;
}

static int memory_list_schedules(struct store_reader *r, struct arena *a,
                                 struct schedule_row ***ret_rows, size_t *ret_count,
                                 struct err *e)
{
    (void)e;
    const struct shelf *schedules = &memory_store(r)->schedules;
    struct rows rows = {0};
    for (size_t i = 0; i < schedules->count; i++)
        rows_add(&rows, schedules->slots[i]->row);
    rows_sort(&rows, compare_definition_ids, NULL);
    *ret_rows =
        (struct schedule_row **)rows_finish(&rows, &shape_schedule, -1, 0, a, ret_count, NULL);
    return 0;
}

static int compare_deliveries(const void *pa, const void *pb, void *ctx)
{
    (void)ctx;
    const struct delivery_row *a = *(const struct delivery_row *const *)pa;
    const struct delivery_row *b = *(const struct delivery_row *const *)pb;
    return id_compare(a->id, b->id);
}

static int memory_list_deliveries(struct store_reader *r, struct arena *a,
                                  struct delivery_row ***ret_rows, size_t *ret_count,
                                  struct err *e)
{
    (void)e;
    const struct shelf *deliveries = &memory_store(r)->deliveries;
    struct rows rows = {0};
    for (size_t i = 0; i < deliveries->count; i++)
        rows_add(&rows, deliveries->slots[i]->row);
    rows_sort(&rows, compare_deliveries, NULL);
    *ret_rows =
        (struct delivery_row **)rows_finish(&rows, &shape_delivery, -1, 0, a, ret_count, NULL);
    return 0;
}

/* ---- single rows ---- */

static void *row_find(const struct shelf *shelf, const char *what, struct id id,
                      struct arena *a, struct err *e)
{
    const struct slot *slot = map_get(&shelf->by_key, ID_KEY(id));
    if (slot)
        return row_copy(shelf->shape, a, slot->row);
    (void)fail(e, E_NOTFOUND, "there is no %s %s", what, ID_TEXT(id));
    return NULL;
}

#define GET(kind, shelf)                                                                       \
    static int memory_get_##kind(struct store_reader *r, struct id id, struct arena *a,        \
                                 struct kind##_row **ret_row, struct err *e)                   \
    {                                                                                          \
        struct kind##_row *row = row_find(&memory_store(r)->shelf, #kind, id, a, e);           \
        if (!row)                                                                              \
            return E_NOTFOUND;                                                                 \
        *ret_row = row;                                                                        \
        return 0;                                                                              \
    }

GET(job, jobs)
GET(step, steps)
GET(task, tasks)
GET(document, documents)

/* ---- events ---- */

static int memory_read_lines(struct store_reader *r, const struct line_query *q,
                             struct event_batch *into, struct err *e)
{
    (void)e;
    const struct memory_store *s = memory_store(r);
    if (map_get(&s->deleted, ID_KEY(q->job_id)))
        return 0;
    struct line_sink sink = {.query = q, .into = into, .left = q->limit};
    for (size_t i = 0; i < s->log_count && sink.left > 0; i++)
        line_sink_offer(&sink, s->log[q->from_end ? s->log_count - 1 - i : i]);
    line_sink_finish(&sink);
    return 0;
}

static int memory_read_events(struct store_reader *r, const struct event_query *q,
                              struct event_batch *into, uint64_t *ret_to, struct err *e)
{
    (void)e;
    const struct memory_store *s = memory_store(r);
    struct event_sink sink = {.into = into, .query = q, .to = q->after_seq};
    for (size_t i = 0; i < s->log_count && !sink.full; i++) {
        const struct event_batch *b = s->log[i];
        if (b->events[b->count - 1].seq <= q->after_seq)
            continue;
        for (size_t k = 0; k < b->count && !sink.full; k++) {
            if (b->events[k].seq > q->after_seq &&
                !map_get(&s->deleted, ID_KEY(b->sources[b->events[k].source].manager_id)))
                (void)event_sink_offer(&sink, b, k);
        }
    }
    *ret_to = sink.full ? sink.to : r->as_of;
    return 0;
}

void memory_read_ops(struct store_ops *ops)
{
    ops->get_job = memory_get_job;
    ops->get_step = memory_get_step;
    ops->get_task = memory_get_task;
    ops->get_document = memory_get_document;
    ops->list_jobs = memory_list_jobs;
    ops->walk_ended = memory_walk_ended;
    ops->free_bytes = memory_free_bytes;
    ops->count_jobs = memory_count_jobs;
    ops->list_steps = memory_list_steps;
    ops->list_tasks = memory_list_tasks;
    ops->group_errors = memory_group_errors;
    ops->list_documents = memory_list_documents;
    ops->list_definitions = memory_list_definitions;
    ops->list_schedules = memory_list_schedules;
    ops->list_deliveries = memory_list_deliveries;
    ops->read_lines = memory_read_lines;
    ops->read_events = memory_read_events;
}
