/* The items are read as a setting of their own, so that they are filled in as any. */
#include "job/for_each.h"

#include <stdlib.h>
#include <string.h>

#include "base/limits.h"
#include "base/mem.h"
#include "job/settings.h"

static const struct setting_spec specs[] = {
    {.name = "for_each", .kind = SETTING_TEXTS, .required = true},
    {0},
};
static const struct worker_schema schema = {.type = "for_each", .settings = specs};

/* A text is a list of one here. */
static int items_read(const struct node *n, const struct node *step, struct filler *filler,
                      struct settings **ret_items, struct err *e)
{
    struct node one = *n, list = *n, map = *step;
    if (n->kind != NODE_LIST) {
        list.kind = NODE_LIST;
        list.count = 1;
        list.first = list.last = &one;
        one.next = NULL;
    }
    list.next = NULL;
    map.first = map.last = &list;
    map.count = 1;
    struct filler own = *filler; /* a parameter with many items is no part of the settings */
    own.has_item = false;
    own.bytes = 0;
    own.max_bytes = LIMIT_BODY_BYTES;
    int r = settings_read(&map, step, &schema, &own, ret_items, e);
    filler->references = own.references;
    filler->reference_count = own.reference_count;
    filler->reference_cap = own.reference_cap;
    return r;
}

/* References are looked up when all steps were read, and then the nodes are looked at: those
 * made here are gone. */
static void references_repair(struct filler *filler, size_t from, const struct node *n)
{
    for (size_t i = from; i < filler->reference_count; i++)
        if (n->kind != NODE_LIST)
            filler->references[i].n = n;
}

int for_each_read(const struct node *step, struct filler *filler, struct step_definition *s,
                  struct err *e)
{
    const struct node *n = node_get(step, "for_each"), *parallel = node_get(step, "parallel");
    int64_t at_once = 1;
    if (!n)
        return parallel ? node_fail_key(parallel, e, "only a step with for_each is parallel")
                        : 0;
    if (!s->schema->one_task)
        return node_fail_key(n, e,
                             "a step of type %s has tasks of its own, so it cannot have "
                             "for_each",
                             s->type);
    if (n->kind == NODE_MAP)
        return node_fail_expected(n, "a list of items, or a text with one in each line", e);
    size_t known = filler->reference_count;
    int r = items_read(n, step, filler, &s->for_each, e);
    references_repair(filler, known, n);
    if (r >= 0 && parallel)
        r = node_int(parallel, 1, LIMIT_PARALLEL, &at_once, e);
    s->for_each_lines = n->kind != NODE_LIST;
    s->parallel = (int)at_once;
    return r;
}

/* ---- at the start ---- */

struct items {
    char **list;
    size_t count, cap, given;
};

static int item_add(struct items *items, struct str item, struct err *e)
{
    if (item.n == 0)
        return 0;
    items->given++;
    if (items->given > LIMIT_ITEMS)
        return fail(e, E_TOOBIG, "for_each has more than %d items", LIMIT_ITEMS);
    if (item.n > LIMIT_ITEM_BYTES)
        return fail(e, E_TOOBIG, "for_each: item %zu has %zu bytes, at most %d are allowed",
                    items->given, item.n, LIMIT_ITEM_BYTES);
    MEM_GROW(items->list, items->count, items->cap);
    items->list[items->count++] = mem_copy(item.p, item.n);
    return 0;
}

static int lines_add(struct items *items, const char *text, struct err *e)
{
    int r = 0;
    for (struct str rest = str_of(text); rest.p && r == 0;)
        r = item_add(items, str_trim(str_cut(&rest, '\n')), e);
    return r;
}

int for_each_items(const struct step_definition *s, struct filler *filler, char ***ret_items,
                   size_t *ret_count, struct err *e)
{
    struct items items = {0};
    struct settings *filled = NULL;
    filler->max_bytes = LIMIT_BODY_BYTES;
    int r = settings_fill(s->for_each, "", filler, &filled, e);
    for (size_t i = 0; r == 0 && i < settings_count(filled, "for_each"); i++) {
        const char *text = settings_item(filled, "for_each", i);
        r = s->for_each_lines ? lines_add(&items, text, e) : item_add(&items, str_of(text), e);
    }
    settings_free(filled);
    for (size_t i = 0; r < 0 && i < items.count; i++)
        free(items.list[i]);
    if (r < 0) {
        free(items.list);
        return r;
    }
    *ret_items = items.list;
    *ret_count = items.count;
    return 0;
}

/* ---- showing ---- */

static void items_json(const struct step_definition *s, struct json *j)
{
    json_begin_array(j);
    for (size_t i = 0; i < settings_count(s->for_each, "for_each"); i++)
        json_text_c(j, settings_written(s->for_each, "for_each", i));
    json_end_array(j);
}

void for_each_json(const struct step_definition *s, struct json *j)
{
    json_key(j, "for_each");
    if (!s->for_each)
        json_write_null(j);
    else if (s->for_each_lines)
        json_text_c(j, settings_written(s->for_each, "for_each", 0));
    else
        items_json(s, j);
    json_key(j, "parallel");
    if (s->for_each)
        json_int(j, s->parallel);
    else
        json_write_null(j);
}
