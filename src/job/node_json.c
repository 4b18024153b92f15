/* JSON: jansson reads all of it, strictly, then its values become nodes. It keeps no places, so
 * only what is not JSON at all is told with line and column. */
#include "job/node.h"

#include <jansson.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void json_clear(json_t **value)
{
    json_decref(*value);
}

#define AUTO_JSON AUTO(json_clear) json_t

/* The shortest decimal form that reads back as the same number, and never looks like a whole
 * one. */
static const char *real_text(struct arena *a, double value)
{
    char text[40];
    for (int digits = 15; digits <= 17; digits++) {
        (void)snprintf(text, sizeof(text) - 2, "%.*g", digits, value);
        if (fabs(strtod(text, NULL) - value) <= 0)
            break;
    }
    if (!strpbrk(text, ".e"))
        memcpy(text + strlen(text), ".0", 3);
    return arena_strdup(a, text);
}

static const char *scalar_text(struct arena *a, const json_t *value)
{
    char text[24];
    switch (json_typeof(value)) {
    case JSON_STRING:
        return arena_str(a, (struct str){json_string_value(value), json_string_length(value)});
    case JSON_INTEGER:
        (void)snprintf(text, sizeof(text), "%" JSON_INTEGER_FORMAT, json_integer_value(value));
        return arena_strdup(a, text);
    case JSON_REAL:
        return real_text(a, json_real_value(value));
    case JSON_TRUE:
        return "true";
    case JSON_FALSE:
        return "false";
    default:
        return "";
    }
}

/* `like` holds the key, if there is one. Recursion ends at LIMIT_DEFINITION_DEPTH, in
 * node_new(). */
static int value_read(struct node_tree *t, json_t *value, struct node *parent,
                      struct node *like, struct err *e)
{
    struct node *n;
    like->kind = json_is_object(value)  ? NODE_MAP
                 : json_is_array(value) ? NODE_LIST
                 : json_is_null(value)  ? NODE_NONE
                                        : NODE_SCALAR;
    like->quoted = json_is_string(value);
    like->text = scalar_text(&t->arena, value);
    int r = node_new(t, parent, like, &n, e);
    if (r < 0)
        return r;
    size_t i;
    const char *key;
    json_t *child;
    json_array_foreach(value, i, child)
    {
        r = value_read(t, child, n, &(struct node){0}, e);
        if (r < 0)
            return r;
    }
    json_object_foreach(value, key, child)
    {
        struct node named = {.key = arena_strdup(&t->arena, key)};
        if (!key[0])
            return node_fail(n, e, "a key may not be empty");
        r = value_read(t, child, n, &named, e);
        if (r < 0)
            return r;
    }
    return 0;
}

int node_read_json(struct node_tree *t, struct str text, struct err *e)
{
    if (str_trim(text).n == 0)
        return fail(e, E_INVAL, "%s: there is nothing in this text", t->origin);
    json_error_t error;
    AUTO_JSON *root = json_loadb(text.p, text.n, JSON_REJECT_DUPLICATES, &error);
    if (!root && json_error_code(&error) == json_error_null_character)
        return node_fail_at(t->origin, error.line, error.column, e,
                            "a text may not hold the character NUL");
    if (!root)
        return node_fail_at(t->origin, error.line, error.column, e, "this is not JSON: %s",
                            NODE_SHOWN(error.text));
    return value_read(t, root, NULL, &(struct node){0}, e);
}
