/* fan.c: for_each: one task of a step for each item.
 *
 * The tasks are planned by the engine instead of the worker. A task's payload has its item; its
 * key is the item too, or the item and its place when an earlier one is the same. What asks for
 * {item} is filled in when the task starts, so a step with many items holds few settings. */
#include <inttypes.h>
#include <jansson.h>
#include <stdlib.h>
#include <string.h>

#include "base/json.h"
#include "base/limits.h"
#include "base/mem.h"
#include "engine/job.h"
#include "job/filler.h"
#include "job/for_each.h"

void fan_write(struct buf *payload, struct str item, const struct worker_parameter *values,
               size_t count)
{
    struct json j = JSON_TO(payload);
    json_begin_object(&j);
    json_key_text(&j, "item", item);
    json_key(&j, "values");
    json_begin_object(&j);
    for (size_t i = 0; i < count; i++)
        json_key_c(&j, values[i].name, values[i].value);
    json_end_object(&j);
    json_end_object(&j);
}

static int item_plan(struct step *step, const char *item, size_t place, struct err *e)
{
    AUTO_BUF payload = BUF_INIT(FAN_PAYLOAD_MAX_BYTES),
             key = BUF_INIT(2 * LIMIT_TASK_KEY_BYTES);
    fan_write(&payload, str_of(item), NULL, 0);
    buf_add_c(&key, item);
    int r = queue_add(step, buf_str(&key), buf_str(&payload), e);
    while (r == E_EXISTS) {
        buf_printf(&key, " #%zu", place);
        r = queue_add(step, buf_str(&key), buf_str(&payload), e);
    }
    if (r < 0) {
        AUTO_FREE char *why = mem_strdup(e->text);
        return fail(e, E_INVAL, "for_each: item %zu: %s", place, why);
    }
    return r;
}

int fan_plan(struct step *step, struct err *e)
{
    struct filler filler = supply_filler(step);
    char **items = NULL;
    size_t count = 0;
    int r = for_each_items(step->definition, &filler, &items, &count, e);
    filler_done(&filler);
    for (size_t i = 0; i < count; i++) {
        if (r == 0)
            r = item_plan(step, items[i], i + 1, e);
        free(items[i]);
    }
    free(items);
    if (r == 0 && count == 0)
        record_linef(step->job, step, LEVEL_INFO, "for_each has no items");
    if (r == 0)
        fan_tell(step);
    return r;
}

static void values_take(struct task *t, json_t *values)
{
    const char *name;
    json_t *value;
    size_t n = 0;
    t->values = mem_alloc(json_object_size(values) * sizeof(*t->values));
    json_object_foreach(values, name, value) t->values[n++] =
        (struct worker_parameter){mem_strdup(name), mem_strdup(json_string_value(value))};
    t->worker.values = t->values;
    t->worker.value_count = n;
}

static void item_take(struct task *t)
{
    json_t *payload = json_loads(t->payload, 0, NULL);
    const char *item = json_string_value(json_object_get(payload, "item"));
    t->item = mem_strdup(item ? item : t->key);
    t->worker.item = t->item;
    values_take(t, json_object_get(payload, "values"));
    json_decref(payload);
}

int fan_take(struct task *t, struct err *e)
{
    struct step *step = t->step;
    t->worker.settings = step->worker.settings;
    if (!step->definition->for_each && !str_starts(str_of(t->payload), STR("{\"item\":")))
        return 0;
    if (!t->item)
        item_take(t);
    AUTO_FREE char *text = mem_printf("item '%s'", NODE_SHOWN(t->item));
    if (t->row.attempt < 2 || step->definition->retry_attempts < 2) /* else it is said there */
        record_line(step->job, step, t, ORIGINATOR_STEP, LEVEL_INFO, str_of(text));
    if (!settings_are_open(step->worker.settings))
        return 0;
    struct filler filler = supply_filler(step);
    filler.has_item = true;
    filler.item = t->item;
    settings_free(TAKE(t->settings));
    int r = settings_fill(step->worker.settings, "config.", &filler, &t->settings, e);
    filler_done(&filler);
    t->hopeless = r < 0;
    if (r == 0)
        t->worker.settings = t->settings;
    return r;
}

void fan_done(struct task *t)
{
    settings_free(t->settings);
    free(t->item);
    for (size_t i = 0; i < t->worker.value_count; i++) {
        free((char *)(uintptr_t)t->values[i].name);
        free((char *)(uintptr_t)t->values[i].value);
    }
    free(t->values);
}

void fan_tell(struct step *step)
{
    const int64_t *n = step->counts;
    int64_t total = 0;
    if (!step->definition->for_each)
        return;
    for (int i = 0; i < TASK_COUNTS; i++)
        total += n[i];
    AUTO_FREE char *text =
        mem_printf("%" PRId64 "/%" PRId64, total - n[JOB_PENDING] - n[JOB_RUNNING], total);
    engine_host.progress(&step->worker, text);
}

char *fan_label(const struct task *t)
{
    return t->item ? mem_printf("item '%s': ", NODE_SHOWN(t->item)) : mem_strdup("");
}

void fan_failed(struct task *t, const char *cause)
{
    if (!t->item)
        return;
    AUTO_FREE char *text = mem_printf("item '%s' failed: %s", NODE_SHOWN(t->item), cause);
    record_line(t->step->job, t->step, t, ORIGINATOR_STEP, LEVEL_ERROR, str_of(text));
}
