/* How rows are copied, and how a batch collects them.
 *
 * The happy path of a row: the engine fills a struct with strings of its own, batch_put_*()
 * copies it into the arena of the batch, the store thread writes it, and batch_free() forgets
 * it. What a kind of row holds is said once, by its shape; nothing else here knows its members.
 */
#include "store/rows.h"

#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "store/row_shape.h"

enum { KEEP_BYTES = 1024 * 1024 }; /* an empty batch keeps so much, however little it held */

#define SHAPE(kind, ...)                                                                       \
    static const size_t kind##_strings[] = {__VA_ARGS__};                                      \
    const struct row_shape shape_##kind = {sizeof(struct kind##_row), kind##_strings,          \
                                           ARRAY_LEN(kind##_strings)}

#define AT(kind, member) offsetof(struct kind##_row, member)

SHAPE(job, AT(job, definition_id), AT(job, name), AT(job, source), AT(job, parameters),
      AT(job, started_by), AT(job, pool), AT(job, waits_for), AT(job, error), AT(job, cause));
SHAPE(step, AT(step, name), AT(step, type), AT(step, depends), AT(step, error), AT(step, cause),
      AT(step, progress_text), AT(step, told_lines), AT(step, outputs));
SHAPE(task, AT(task, key), AT(task, payload), AT(task, cause));
SHAPE(document, AT(document, url), AT(document, title), AT(document, description),
      AT(document, published), AT(document, markdown), AT(document, metadata));
SHAPE(definition, AT(definition, id), AT(definition, source));
SHAPE(schedule, AT(schedule, definition_id), AT(schedule, key));
SHAPE(delivery, AT(delivery, definition_id), AT(delivery, target), AT(delivery, body));

static const char **string_at(void *row, size_t offset)
{
    return (const char **)(void *)((char *)row + offset);
}

void *row_copy(const struct row_shape *shape, struct arena *a, const void *row)
{
    void *copy = arena_alloc(a, shape->size);
    memcpy(copy, row, shape->size);
    for (size_t i = 0; i < shape->string_count; i++) {
        const char **s = string_at(copy, shape->strings[i]);
        *s = arena_strdup(a, *s);
    }
    return copy;
}

void *row_dup(const struct row_shape *shape, const void *row)
{
    AUTO_FREE char *flat = mem_copy(row, shape->size); /* to read the pointers from */
    size_t bytes = shape->size;
    for (size_t i = 0; i < shape->string_count; i++) {
        const char *s = *string_at(flat, shape->strings[i]);
        bytes += s ? strlen(s) + 1 : 0;
    }
    char *copy = mem_copy(flat, shape->size);
    copy = mem_resize(copy, bytes);
    char *to = copy + shape->size;
    for (size_t i = 0; i < shape->string_count; i++) {
        const char **s = string_at(copy, shape->strings[i]);
        if (!*s)
            continue;
        size_t n = strlen(*s) + 1;
        *s = memcpy(to, *s, n);
        to += n;
    }
    return copy;
}

struct job_row *job_row_copy(struct arena *a, const struct job_row *row)
{
    return row_copy(&shape_job, a, row);
}

struct step_row *step_row_copy(struct arena *a, const struct step_row *row)
{
    return row_copy(&shape_step, a, row);
}

struct task_row *task_row_copy(struct arena *a, const struct task_row *row)
{
    return row_copy(&shape_task, a, row);
}

struct document_row *document_row_copy(struct arena *a, const struct document_row *row)
{
    return row_copy(&shape_document, a, row);
}

struct definition_row *definition_row_copy(struct arena *a, const struct definition_row *row)
{
    return row_copy(&shape_definition, a, row);
}

struct schedule_row *schedule_row_copy(struct arena *a, const struct schedule_row *row)
{
    return row_copy(&shape_schedule, a, row);
}

struct delivery_row *delivery_row_copy(struct arena *a, const struct delivery_row *row)
{
    return row_copy(&shape_delivery, a, row);
}

struct batch *batch_new(void)
{
    struct batch *b = mem_alloc(sizeof(*b));
    b->events = (struct event_batch)EVENT_BATCH_INIT;
    return b;
}

void batch_free(struct batch *b)
{
    if (!b)
        return;
    event_batch_done(&b->events);
    arena_done(&b->arena);
    free(b->changes);
    free(b);
}

void batch_clear(struct batch *b)
{
    const struct buf *text = &b->events.text;
    if (text->cap > KEEP_BYTES && text->n < text->cap / 16) /* a burst is over */
        event_batch_done(&b->events);
    else
        event_batch_clear(&b->events);
    arena_done(&b->arena);
    b->change_count = 0;
    b->first_seq = 0;
}

size_t batch_bytes(const struct batch *b)
{
    return b->events.text.n + b->events.count * sizeof(struct event) + b->arena.bytes +
           b->change_count * sizeof(struct change);
}

static struct change *batch_add_change(struct batch *b, enum change_kind kind)
{
    MEM_GROW(b->changes, b->change_count, b->change_cap);
    struct change *c = &b->changes[b->change_count++];
    *c = (struct change){.kind = kind};
    return c;
}

void batch_put_job(struct batch *b, const struct job_row *row)
{
    batch_add_change(b, CHANGE_JOB)->job = job_row_copy(&b->arena, row);
}

void batch_put_step(struct batch *b, const struct step_row *row)
{
    batch_add_change(b, CHANGE_STEP)->step = step_row_copy(&b->arena, row);
}

/* What the definition says of a step stays as it is in the store. */
void batch_put_step_state(struct batch *b, const struct step_row *row)
{
    struct step_row state = *row;
    state.name = state.type = state.depends = NULL;
    batch_add_change(b, CHANGE_STEP_STATE)->step = step_row_copy(&b->arena, &state);
}

void batch_put_task(struct batch *b, const struct task_row *row)
{
    batch_add_change(b, CHANGE_TASK)->task = task_row_copy(&b->arena, row);
}

/* Key and payload stay as they are in the store: not copying them keeps batches small. */
void batch_put_task_state(struct batch *b, const struct task_row *row)
{
    struct task_row state = *row;
    state.key = state.payload = NULL;
    batch_add_change(b, CHANGE_TASK_STATE)->task = task_row_copy(&b->arena, &state);
}

void batch_put_document(struct batch *b, const struct document_row *row)
{
    batch_add_change(b, CHANGE_DOCUMENT)->document = document_row_copy(&b->arena, row);
}

void batch_put_definition(struct batch *b, const struct definition_row *row)
{
    batch_add_change(b, CHANGE_DEFINITION)->definition = definition_row_copy(&b->arena, row);
}

void batch_put_schedule(struct batch *b, const struct schedule_row *row)
{
    batch_add_change(b, CHANGE_SCHEDULE)->schedule = schedule_row_copy(&b->arena, row);
}

void batch_put_delivery(struct batch *b, const struct delivery_row *row)
{
    batch_add_change(b, CHANGE_DELIVERY)->delivery = delivery_row_copy(&b->arena, row);
}

void batch_delete_delivery(struct batch *b, struct id id)
{
    batch_add_change(b, CHANGE_DELIVERY_DELETE)->delivery_id = id;
}

void batch_delete_definition(struct batch *b, const char *id)
{
    const char *copy = arena_strdup(&b->arena, id);
    batch_add_change(b, CHANGE_DEFINITION_DELETE)->definition_id = copy;
}

void batch_delete_job(struct batch *b, struct id job_id)
{
    batch_add_change(b, CHANGE_JOB_DELETE)->job_id = job_id;
}
