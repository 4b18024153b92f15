/* The items are read as a setting of their own, so that they are filled in as any. */
#include "job/for_each.h"

#include <stdlib.h>
#include <string.h>

#include "base/limits.h"
#include "base/mem.h"
#include "job/settings.h"

static int item_check(const char *key, const char *text, struct err *e)
{
    size_t n = strlen(text);
    (void)key;
    return n <= LIMIT_ITEM_BYTES
               ? 0
               : fail(e, E_TOOBIG, "an item has at most %d bytes, this one %zu",
                      LIMIT_ITEM_BYTES, n);
}

/* The next line that is an item; without a text in *rest none is left. */
static struct str line_take(struct str *rest)
{
    struct str line = {NULL, 0};
    while (rest->p && line.n == 0)
        line = str_trim(str_cut(rest, '\n'));
    return line;
}

static int lines_check(const char *key, const char *text, struct err *e)
{
    struct str line, rest = str_of(text);
    (void)key;
    for (size_t i = 1; (line = line_take(&rest)).n; i++) {
        if (i > LIMIT_ITEMS)
            return fail(e, E_TOOBIG, "more than %d items", LIMIT_ITEMS);
        if (line.n > LIMIT_ITEM_BYTES)
            return fail(e, E_TOOBIG, "item %zu has %zu bytes, at most %d are allowed", i,
                        line.n, LIMIT_ITEM_BYTES);
    }
    return 0;
}

static const struct setting_spec list_specs[] = {
    {.name = "for_each", .kind = SETTING_TEXTS, .required = true, .check = item_check},
    {0},
};
static const struct setting_spec lines_specs[] = {
    {.name = "for_each", .kind = SETTING_TEXT, .check = lines_check},
    {0},
};
static const struct worker_schema list_schema = {.type = "for_each", .settings = list_specs};
static const struct worker_schema lines_schema = {.type = "for_each", .settings = lines_specs};

static int items_read(const struct node *n, const struct node *step, struct filler *filler,
                      struct settings **ret_items, struct err *e)
{
    struct node items = *n, map = *step;
    items.next = NULL;
    map.first = map.last = &items;
    map.count = 1;
    struct filler own = *filler; /* a parameter with many items is no part of the settings */
    own.has_item = false;
    own.bytes = 0;
    own.max_bytes = LIMIT_BODY_BYTES;
    int r = settings_read(&map, step, n->kind == NODE_LIST ? &list_schema : &lines_schema, &own,
                          ret_items, e);
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
    if (n->kind == NODE_LIST && n->count > LIMIT_ITEMS)
        return node_fail(n, e, "more than %d items", LIMIT_ITEMS);
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
    size_t count, cap;
};

static void item_add(struct items *items, struct str item)
{
    if (item.n == 0)
        return;
    MEM_GROW(items->list, items->count, items->cap);
    items->list[items->count++] = mem_copy(item.p, item.n);
}

int for_each_items(const struct step_definition *s, struct filler *filler, char ***ret_items,
                   size_t *ret_count, struct err *e)
{
    struct items items = {0};
    struct settings *filled;
    filler->max_bytes = LIMIT_BODY_BYTES;
    int r = settings_fill(s->for_each, "", filler, &filled, e);
    if (r < 0)
        return r;
    for (size_t i = 0; i < settings_count(filled, "for_each"); i++) {
        struct str line, text = str_of(settings_item(filled, "for_each", i));
        if (!s->for_each_lines)
            item_add(&items, text);
        else
            while ((line = line_take(&text)).n)
                item_add(&items, line);
    }
    settings_free(filled);
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
