/* A tree is built by one of the two readers (node_yaml.c, node_json.c) with node_new(), and
 * then only read. The path of a value is not kept: it is put together from the parents when
 * something failed. */
#include "job/node.h"

#include <stdio.h>
#include <string.h>

#include "base/buf.h"
#include "base/limits.h"

enum { NODE_PATH_MAX = 512 };

void node_tree_done(struct node_tree *t)
{
    arena_done(&t->arena);
    t->root = NULL;
}

static int node_depth(const struct node *n)
{
    int depth = 0;
    for (; n; n = n->parent)
        depth++;
    return depth;
}

int node_new(struct node_tree *t, struct node *parent, const struct node *like,
             struct node **ret_node, struct err *e)
{
    struct node *n = arena_alloc(&t->arena, sizeof(*n));
    *n = *like;
    n->origin = t->origin;
    n->parent = parent;
    if ((n->kind == NODE_LIST || n->kind == NODE_MAP) && node_depth(n) > LIMIT_DEFINITION_DEPTH)
        return node_fail(n, e, "lists and maps may be nested at most %d deep",
                         LIMIT_DEFINITION_DEPTH);
    if (!parent) {
        t->root = n;
    } else {
        n->index = parent->count++;
        if (parent->last)
            parent->last->next = n;
        else
            parent->first = n;
        parent->last = n;
    }
    *ret_node = n;
    return 0;
}

/* Messages */

char *node_shown(const char *text, char to[NODE_SHOWN_MAX])
{
    static const char more[] = "…";
    size_t n = utf8_cut(str_of(text), NODE_SHOWN_MAX - sizeof(more));
    for (size_t i = 0; i < n; i++)
        to[i] = (unsigned char)text[i] < 0x20 || text[i] == 0x7F ? ' ' : text[i];
    text_copy(to + n, NODE_SHOWN_MAX - n, text[n] ? more : "");
    return to;
}

char *node_hint(const char *word, const char *const *names, char to[NODE_HINT_MAX])
{
    const char *nearest = text_nearest(word, names);
    if (nearest)
        (void)snprintf(to, NODE_HINT_MAX, ", did you mean '%s'?", nearest);
    return to;
}

static void path_add(struct buf *path, const struct node *n)
{
    if (!n->parent)
        return;
    path_add(path, n->parent);
    if (n->key)
        buf_printf(path, "%s%s", path->n ? "." : "", NODE_SHOWN(n->key));
    else
        buf_printf(path, "[%d]", n->index);
}

char *node_path(const struct node *n, char *to, size_t size)
{
    AUTO_BUF path = BUF_INIT(NODE_PATH_MAX);
    path_add(&path, n);
    text_copy(to, size, buf_text(&path));
    return to;
}

struct place {
    const char *origin;
    int line, column;
    const struct node *path; /* NULL: none in the message */
};

PRINTF(4, 0)
static int place_fail(const struct place *at, const char *field, struct err *e, const char *fmt,
                      va_list ap)
{
    AUTO_BUF text = BUF_INIT(8 * ERR_TEXT_MAX);
    char path[NODE_PATH_MAX] = "";
    if (at->path)
        node_path(at->path, path, sizeof(path));
    if (at->line)
        buf_printf(&text, "%s:%d:%d: ", at->origin, at->line, at->column);
    else
        buf_printf(&text, "%s: ", at->origin);
    if (path[0])
        buf_printf(&text, "%s: ", path);
    buf_vprintf(&text, fmt, ap);
    (void)fail_field(e, E_INVAL, field, "%s", buf_text(&text));
    if (e) {
        e->line = at->line;
        e->column = at->column;
    }
    return E_INVAL;
}

int node_fail_at(const char *origin, int line, int column, struct err *e, const char *fmt, ...)
{
    va_list ap;
    va_start(ap, fmt);
    int r = place_fail(&(struct place){origin, line, column, NULL}, "", e, fmt, ap);
    va_end(ap);
    return r;
}

int node_fail(const struct node *n, struct err *e, const char *fmt, ...)
{
    char field[NODE_PATH_MAX];
    va_list ap;
    va_start(ap, fmt);
    int r = place_fail(&(struct place){n->origin, n->line, n->column, n},
                       node_path(n, field, sizeof(field)), e, fmt, ap);
    va_end(ap);
    return r;
}

int node_fail_key(const struct node *n, struct err *e, const char *fmt, ...)
{
    char field[NODE_PATH_MAX];
    va_list ap;
    va_start(ap, fmt);
    int r = place_fail(&(struct place){n->origin, n->key_line, n->key_column, n->parent},
                       node_path(n, field, sizeof(field)), e, fmt, ap);
    va_end(ap);
    return r;
}

int node_fail_missing(const struct node *map, const char *key, struct err *e, const char *fmt,
                      ...)
{
    struct node missing = {.key = key, .parent = map};
    char field[NODE_PATH_MAX];
    va_list ap;
    va_start(ap, fmt);
    int r = place_fail(&(struct place){map->origin, map->line, map->column, map},
                       node_path(&missing, field, sizeof(field)), e, fmt, ap);
    va_end(ap);
    return r;
}

int node_fail_expected(const struct node *n, const char *expected, struct err *e)
{
    const struct node *only = n->count == 1 ? n->first : NULL;
    switch (n->kind) {
    case NODE_NONE:
        return node_fail(n, e, "expected %s, found nothing", expected);
    case NODE_LIST:
        return node_fail(n, e, "expected %s, found a list", expected);
    case NODE_MAP: /* {site} without quotes is how YAML writes a map */
        if (n->line && only && only->kind == NODE_NONE)
            return node_fail(
                n, e, "expected %s, found a map; a text that begins with '{' needs quotes",
                expected);
        return node_fail(n, e, "expected %s, found a map", expected);
    case NODE_SCALAR:
        break;
    }
    return node_fail(n, e, "expected %s, found '%s'%s", expected, NODE_SHOWN(n->text),
                     n->quoted ? " in quotes" : "");
}

/* Lists and maps */

static const struct node *node_find(const struct node *map, const char *key)
{
    if (map->kind != NODE_MAP)
        return NULL;
    NODE_EACH (map, child)
        if (strcmp(child->key, key) == 0)
            return child;
    return NULL;
}

const struct node *node_get(const struct node *map, const char *key)
{
    const struct node *value = map ? node_find(map, key) : NULL;
    return value && value->kind != NODE_NONE ? value : NULL;
}

int node_need(const struct node *map, const char *key, const char *what,
              const struct node **ret_value, struct err *e)
{
    const struct node *value = node_find(map, key);
    if (!value)
        return node_fail_missing(map, key, e, "'%s' is missing, expected %s", key, what);
    if (value->kind == NODE_NONE)
        return node_fail_expected(value, what, e);
    *ret_value = value;
    return 0;
}

int node_check_map(const struct node *n, const char *const *keys, struct err *e)
{
    if (n->kind != NODE_MAP)
        return node_fail_expected(n, "a map", e);
    NODE_EACH (n, child) {
        const char *const *known = keys;
        while (*known && strcmp(*known, child->key) != 0)
            known++;
        if (!*known)
            return node_fail_key(child, e, "unknown key '%s'%s", NODE_SHOWN(child->key),
                                 NODE_HINT(child->key, keys));
    }
    return 0;
}

int node_check_list(const struct node *n, struct err *e)
{
    if (n->kind == NODE_SCALAR)
        return node_fail(n, e, "expected a list, found '%s'; a list of one is written [%s]",
                         NODE_SHOWN(n->text), NODE_SHOWN(n->text));
    return n->kind == NODE_LIST ? 0 : node_fail_expected(n, "a list", e);
}
