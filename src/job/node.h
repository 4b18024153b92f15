/* node.h: a text in YAML or JSON as a tree that remembers where everything stood.
 *
 * Nothing is guessed here: a scalar is its text, and whoever wants a number or a bool of it
 * asks for one. Both readers are strict: a key that is there twice, nesting past
 * LIMIT_DEFINITION_DEPTH and, in YAML, tags, anchors, aliases and a second document are errors.
 *
 * A failure names the origin, line and column (YAML, and what is not JSON at all), the path of
 * the value such as "steps[1].config.max_depth", what was expected and what was found.
 *
 * Ownership: all nodes and their texts live in the tree. Thread: one at a time. */
#pragma once

#include "base/arena.h"
#include "base/err.h"

enum node_kind {
    NODE_NONE, /* nothing was written, or null */
    NODE_SCALAR,
    NODE_LIST,
    NODE_MAP,
};

struct node {
    enum node_kind kind;
    bool quoted;      /* SCALAR: in quotes, a block, or a JSON string: never a number or bool */
    int line, column; /* of the value, 1-based; 0 in JSON */
    int key_line, key_column;  /* of its key */
    const char *key;           /* in a map; never "" */
    int index;                 /* in its list or map */
    const char *text;          /* SCALAR; no NUL inside, valid UTF-8 */
    const char *origin;        /* how messages name the whole text */
    const struct node *parent; /* NULL: the root */
    struct node *first, *last; /* LIST, MAP: children in the order of the text */
    struct node *next;
    int count;
};

struct node_tree {
    struct arena arena;
    const char *origin;
    struct node *root;
};

#define NODE_TREE_OF(origin_)                                                                  \
    {                                                                                          \
        ARENA_INIT, (origin_), NULL                                                            \
    }
#define AUTO_NODE_TREE AUTO(node_tree_done) struct node_tree

/* Each reads into a fresh tree. E_INVAL. What was read is freed by node_tree_done() in any
 * case. */
CHECKED int node_read_yaml(struct node_tree *t, struct str text, struct err *e);
CHECKED int node_read_json(struct node_tree *t, struct str text, struct err *e);
void node_tree_done(struct node_tree *t);

/* For the readers: a new last child of `parent` (NULL: the root). */
CHECKED int node_new(struct node_tree *t, struct node *parent, const struct node *like,
                     struct node **ret_node, struct err *e);

#define NODE_EACH(parent, name)                                                                \
    for (const struct node *name = (parent)->first; name; name = name->next)

/* The value of a key; NULL when there is none or it is nothing, and when `map` is NULL
 * or no map at all. */
const struct node *node_get(const struct node *map, const char *key);

/* The same where it may not be missing; `what` says what is expected. */
CHECKED int node_need(const struct node *map, const char *key, const char *what,
                      const struct node **ret_value, struct err *e);

/* A map with no other keys than those (NULL-terminated). */
CHECKED int node_check_map(const struct node *n, const char *const *keys, struct err *e);
CHECKED int node_check_list(const struct node *n, struct err *e);

/* Typed values. A limit `max` of 0 with a `min` >= 0 means none. Borrowed texts live as the
 * tree. */
CHECKED int node_text(const struct node *n, const char **ret_text, struct err *e);
CHECKED int node_line(const struct node *n, size_t max, const char **ret_text, struct err *e);
CHECKED int node_bool(const struct node *n, bool *ret_value, struct err *e);
CHECKED int node_int(const struct node *n, int64_t min, int64_t max, int64_t *ret_value,
                     struct err *e);
CHECKED int node_number(const struct node *n, double *ret_value, struct err *e); /* >= 0 */
CHECKED int node_duration(const struct node *n, int64_t min, int64_t max, int64_t *ret_ms,
                          struct err *e);
CHECKED int node_size(const struct node *n, int64_t min, int64_t max, int64_t *ret_bytes,
                      struct err *e);
CHECKED int node_choice(const struct node *n, const char *const *choices, int *ret_index,
                        struct err *e);

/* The three ways to be wrong; all return E_INVAL: the value, the key, and what is not there. */
int node_fail(const struct node *n, struct err *e, const char *fmt, ...) PRINTF(3, 4);
int node_fail_key(const struct node *n, struct err *e, const char *fmt, ...) PRINTF(3, 4);
int node_fail_missing(const struct node *map, const char *key, struct err *e, const char *fmt,
                      ...) PRINTF(4, 5);
int node_fail_expected(const struct node *n, const char *expected,
                       struct err *e); /* + what was found */

/* A place in the text that no node stands for. */
int node_fail_at(const char *origin, int line, int column, struct err *e, const char *fmt, ...)
    PRINTF(5, 6);

/* ", did you mean 'x'?" or "". */
#define NODE_HINT_MAX 96
char *node_hint(const char *word, const char *const *names, char to[NODE_HINT_MAX]);
#define NODE_HINT(word, names) node_hint((word), (names), (char[NODE_HINT_MAX]){0})

/* Foreign text for a message: one line, at most some 60 bytes. */
#define NODE_SHOWN_MAX 72
char *node_shown(const char *text, char to[NODE_SHOWN_MAX]);
#define NODE_SHOWN(text) node_shown((text), (char[NODE_SHOWN_MAX]){0})

/* "steps[1].config" as text; at most `size` bytes with the NUL. Returns `to`. */
char *node_path(const struct node *n, char *to, size_t size);
