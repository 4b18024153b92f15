/* Every kind of setting is kept as a list of texts: one for most kinds, any number for TEXTS
 * and PAIRS. Beside the text that counts stands the text as it was written, when parameters
 * made them differ, so that a definition is shown as its author knows it. Numbers are read
 * once, here. */
#include "job/settings.h"

#include <stdlib.h>
#include <string.h>

#include "base/json.h"
#include "base/limits.h"
#include "base/mem.h"
#include "job/filler.h"
#include "job/node.h"
#include "job/secret.h"

struct setting_item {
    char *key; /* PAIRS */
    char *text;
    char *written; /* NULL: as `text` */
};

struct setting_value {
    bool open; /* holds a parameter that has no value yet */
    size_t count;
    struct setting_item *items;
    int64_t number; /* INT, DURATION, SIZE; BOOL: 0 or 1 */
    double fraction;
};

struct settings {
    const struct worker_schema *schema;
    struct setting_value *values; /* one for each of schema->settings */
};

static size_t spec_count(const struct worker_schema *schema)
{
    size_t n = 0;
    while (schema->settings[n].name)
        n++;
    return n;
}

void settings_free(struct settings *s)
{
    if (!s)
        return;
    for (size_t i = 0; i < spec_count(s->schema); i++) {
        struct setting_value *v = &s->values[i];
        for (size_t k = 0; k < v->count; k++) {
            free(v->items[k].key);
            free(v->items[k].text);
            free(v->items[k].written);
        }
        free(v->items);
    }
    free(s->values);
    free(s);
}

static void settings_clear(struct settings **s)
{
    settings_free(*s);
}

#define AUTO_SETTINGS AUTO(settings_clear) struct settings

/* Reading */

static const char *kind_noun(enum setting_kind kind)
{
    static const char *const nouns[] = {
        [SETTING_TEXT] = "text",
        [SETTING_INT] = "a whole number",
        [SETTING_NUMBER] = "a number such as 0.25",
        [SETTING_BOOL] = "true or false",
        [SETTING_DURATION] = "a duration such as 250ms, 2s, 30m or 1h",
        [SETTING_SIZE] = "a size such as 500B, 64KiB or 10MiB",
        [SETTING_TEXTS] = "a list of texts",
        [SETTING_PAIRS] = "a map of texts",
    };
    return nouns[kind];
}

static bool kind_is_many(enum setting_kind kind)
{
    return kind == SETTING_TEXTS || kind == SETTING_PAIRS;
}

static int text_check(const struct setting_spec *spec, const struct node *n, struct err *e)
{
    struct err why;
    if (!spec->check || spec->check(n->key, n->text, &why) == 0)
        return 0;
    return node_fail(n, e, "%s", why.text);
}

/* Reads the number out of `n`, or checks the text. */
static int value_check(const struct setting_spec *spec, const struct node *n,
                       struct setting_value *v, struct err *e)
{
    int choice, r = 0;
    bool yes = false;
    switch (spec->kind) {
    case SETTING_TEXT:
        if (spec->choices)
            return node_choice(n, spec->choices, &choice, e);
        if (spec->required && !n->text[0])
            return node_fail(n, e, "expected text, found ''");
        return text_check(spec, n, e);
    case SETTING_INT:
        return node_int(n, spec->min, spec->max, &v->number, e);
    case SETTING_NUMBER:
        return node_number(n, &v->fraction, e);
    case SETTING_BOOL:
        r = node_bool(n, &yes, e);
        v->number = yes;
        return r;
    case SETTING_DURATION:
        return node_duration(n, spec->min, spec->max, &v->number, e);
    case SETTING_SIZE:
        return node_size(n, spec->min, spec->max, &v->number, e);
    case SETTING_TEXTS:
    case SETTING_PAIRS:
        return text_check(spec, n, e);
    }
    return 0;
}

/* `filled` is `n` with its parameters filled in. Quotes tell what a person meant only while the
 * text is theirs: max_depth: "{depth}" cannot be written without. */
static int item_read(const struct setting_spec *spec, const struct node *n,
                     struct filler *filler, struct setting_value *v, struct err *e)
{
    struct setting_item *item = &v->items[v->count];
    struct node filled = *n;
    bool open = false;
    if (n->kind != NODE_SCALAR)
        return node_fail_expected(n, kind_is_many(spec->kind) ? "text" : kind_noun(spec->kind),
                                  e);
    v->count++; /* from here on it is freed with the others */
    if (spec->verbatim || !filler) {
        item->text = mem_strdup(n->text);
    } else {
        int r = filler_fill(filler, n, &item->text, &open, e);
        if (r >= 0 && secret_is_in(item->text))
            r = spec->secrets
                    ? secrets_check(filler->secrets, filler->secret_count, n, item->text, e)
                    : node_fail(n, e, "no secret can be used here");
        if (r < 0)
            return r;
    }
    item->key = spec->kind == SETTING_PAIRS ? mem_strdup(n->key) : NULL;
    v->open = v->open || open;
    if (strcmp(item->text, n->text) != 0) {
        item->written = mem_strdup(n->text);
        filled.text = item->text;
        filled.quoted = false;
    }
    return open ? 0 : value_check(spec, &filled, v, e);
}

static int value_read(const struct setting_spec *spec, const struct node *n,
                      struct filler *filler, struct setting_value *v, struct err *e)
{
    int r = 0;
    if (spec->kind == SETTING_TEXTS)
        r = node_check_list(n, e);
    else if (spec->kind == SETTING_PAIRS && n->kind != NODE_MAP)
        r = node_fail_expected(n, kind_noun(spec->kind), e);
    if (r < 0)
        return r;
    bool many = kind_is_many(spec->kind);
    if (many && spec->required && n->count == 0)
        return node_fail(n, e, "expected at least one entry");
    v->items = mem_alloc((many ? (size_t)n->count : 1) * sizeof(*v->items));
    if (!many)
        return item_read(spec, n, filler, v, e);
    NODE_EACH (n, child) {
        r = item_read(spec, child, filler, v, e);
        if (r < 0)
            return r;
    }
    return 0;
}

/* The default is the program's own text: that it can be read is not a question of input. */
static void value_default(const struct setting_spec *spec, struct setting_value *v)
{
    AUTO_NODE_TREE tree = NODE_TREE_OF(spec->name);
    struct node scalar = {.kind = NODE_SCALAR, .text = spec->fallback, .origin = spec->name};
    const struct node *n = &scalar;
    struct err e = {0};
    if (!spec->fallback)
        return;
    if (kind_is_many(spec->kind)) {
        ASSERT(node_read_yaml(&tree, str_of(spec->fallback), &e) == 0);
        n = tree.root;
    }
    ASSERT(value_read(spec, n, NULL, v, &e) == 0);
}

/* Nothing, or null, where something must be. */
static int fail_missing(const struct node *config, const struct node *step,
                        const struct setting_spec *spec, struct err *e)
{
    const struct node absent = {.kind = NODE_MAP,
                                .key = "config",
                                .parent = step,
                                .origin = step->origin,
                                .line = step->line,
                                .column = step->column};
    const struct node *value;
    return node_need(config ? config : &absent, spec->name, kind_noun(spec->kind), &value, e);
}

static int check_keys(const struct node *config, const struct worker_schema *schema,
                      struct err *e)
{
    size_t count = spec_count(schema);
    AUTO_FREE const char **names = mem_alloc((count + 1) * sizeof(*names));
    for (size_t i = 0; i < count; i++)
        names[i] = schema->settings[i].name;
    return node_check_map(config, names, e);
}

int settings_read(const struct node *config, const struct node *step,
                  const struct worker_schema *schema, struct filler *filler,
                  struct settings **ret_settings, struct err *e)
{
    AUTO_SETTINGS *s = mem_alloc(sizeof(*s));
    s->schema = schema;
    s->values = mem_alloc(spec_count(schema) * sizeof(*s->values));
    int r = config ? check_keys(config, schema, e) : 0;
    if (r < 0)
        return r;
    for (size_t i = 0; schema->settings[i].name; i++) {
        const struct setting_spec *spec = &schema->settings[i];
        const struct node *n = node_get(config, spec->name);
        if (n)
            r = value_read(spec, n, filler, &s->values[i], e);
        else if (spec->required)
            r = fail_missing(config, step, spec, e);
        else
            value_default(spec, &s->values[i]);
        if (r < 0)
            return r;
    }
    *ret_settings = TAKE(s);
    return 0;
}

/* Filling in later */

bool settings_are_open(const struct settings *s)
{
    for (size_t i = 0; s->schema->settings[i].name; i++)
        if (s->values[i].open)
            return true;
    return false;
}

static void value_copy(const struct setting_value *from, struct setting_value *to)
{
    *to = *from;
    to->items = mem_alloc(from->count * sizeof(*to->items));
    for (size_t i = 0; i < from->count; i++)
        to->items[i] = (struct setting_item){.key = mem_strdup(from->items[i].key),
                                             .text = mem_strdup(from->items[i].text),
                                             .written = mem_strdup(from->items[i].written)};
}

/* Each item is read once more, from its text as it was written. There is no text of a
 * definition here whose lines could be told, so messages name the setting. */
static int value_fill(const struct setting_spec *spec, const char *where,
                      const struct setting_value *from, struct filler *filler,
                      struct setting_value *to, struct err *e)
{
    int r = 0;
    to->items = mem_alloc(from->count * sizeof(*to->items));
    for (size_t i = 0; i < from->count && r == 0; i++) {
        const struct setting_item *item = &from->items[i];
        AUTO_FREE char *place = item->key ? mem_printf("%s%s.%s", where, spec->name, item->key)
                                : spec->kind == SETTING_TEXTS
                                    ? mem_printf("%s%s[%zu]", where, spec->name, i)
                                    : mem_printf("%s%s", where, spec->name);
        struct node n = {.kind = NODE_SCALAR,
                         .quoted = true,
                         .origin = place,
                         .key = item->key,
                         .text = item->written ? item->written : item->text};
        r = item_read(spec, &n, filler, to, e);
    }
    return r;
}

int settings_fill(const struct settings *s, const char *where, struct filler *filler,
                  struct settings **ret_settings, struct err *e)
{
    AUTO_SETTINGS *filled = mem_alloc(sizeof(*filled));
    filled->schema = s->schema;
    filled->values = mem_alloc(spec_count(s->schema) * sizeof(*filled->values));
    for (size_t i = 0; s->schema->settings[i].name; i++) {
        if (!s->values[i].open) {
            value_copy(&s->values[i], &filled->values[i]);
            continue;
        }
        int r = value_fill(&s->schema->settings[i], where, &s->values[i], filler,
                           &filled->values[i], e);
        if (r < 0)
            return r;
    }
    *ret_settings = TAKE(filled);
    return 0;
}

/* Asking */

static const struct setting_value *value_of(const struct settings *s, const char *name,
                                            unsigned kinds)
{
    for (size_t i = 0; s->schema->settings[i].name; i++) {
        if (strcmp(s->schema->settings[i].name, name) == 0) {
            ASSERT(kinds & (1u << s->schema->settings[i].kind));
            return &s->values[i];
        }
    }
    ASSERT(!"the schema has a setting of this name");
    return NULL;
}

enum { TEXT_KINDS = 1u << SETTING_TEXT | 1u << SETTING_TEXTS | 1u << SETTING_PAIRS };

const char *settings_text(const struct settings *s, const char *name)
{
    const struct setting_value *v = value_of(s, name, 1u << SETTING_TEXT);
    return v->count ? v->items[0].text : "";
}

int64_t settings_int(const struct settings *s, const char *name)
{
    return value_of(s, name, 1u << SETTING_INT | 1u << SETTING_DURATION | 1u << SETTING_SIZE)
        ->number;
}

double settings_number(const struct settings *s, const char *name)
{
    return value_of(s, name, 1u << SETTING_NUMBER)->fraction;
}

bool settings_bool(const struct settings *s, const char *name)
{
    return value_of(s, name, 1u << SETTING_BOOL)->number;
}

size_t settings_count(const struct settings *s, const char *name)
{
    return value_of(s, name, TEXT_KINDS)->count;
}

const char *settings_item(const struct settings *s, const char *name, size_t i)
{
    const struct setting_value *v = value_of(s, name, TEXT_KINDS);
    ASSERT(i < v->count);
    return v->items[i].text;
}

const char *settings_written(const struct settings *s, const char *name, size_t i)
{
    const struct setting_value *v = value_of(s, name, TEXT_KINDS);
    ASSERT(i < v->count);
    return v->items[i].written ? v->items[i].written : v->items[i].text;
}

const char *settings_key(const struct settings *s, const char *name, size_t i)
{
    const struct setting_value *v = value_of(s, name, 1u << SETTING_PAIRS);
    ASSERT(i < v->count);
    return v->items[i].key;
}

/* Showing */

static void item_json(const struct setting_item *item, struct json *j)
{
    json_text_c(j, item->written ? item->written : item->text);
}

/* A key of PAIRS is the author's, and json_key() does not escape. */
static void pair_json(const struct setting_item *item, struct json *j)
{
    AUTO_BUF key = BUF_INIT(6 * LIMIT_DEFINITION_BYTES);
    json_escape(&key, str_of(item->key));
    json_key(j, buf_text(&key));
    item_json(item, j);
}

static void texts_json(const struct setting_value *v, struct json *j)
{
    json_begin_array(j);
    for (size_t i = 0; i < v->count; i++)
        item_json(&v->items[i], j);
    json_end_array(j);
}

static void pairs_json(const struct setting_value *v, struct json *j)
{
    json_begin_object(j);
    for (size_t i = 0; i < v->count; i++)
        pair_json(&v->items[i], j);
    json_end_object(j);
}

static void value_json(const struct setting_spec *spec, const struct setting_value *v,
                       struct json *j)
{
    bool by_parameter = v->count && (v->items[0].written || v->open);
    if (spec->kind == SETTING_TEXTS)
        texts_json(v, j);
    else if (spec->kind == SETTING_PAIRS)
        pairs_json(v, j);
    else if (by_parameter)
        item_json(&v->items[0], j);
    else if (spec->kind == SETTING_BOOL)
        json_bool(j, v->number);
    else if (spec->kind == SETTING_INT)
        json_int(j, v->number);
    else if (spec->kind == SETTING_NUMBER)
        json_double(j, v->fraction);
    else if (v->count)
        json_text_c(j, v->items[0].text);
    else
        json_text_c(j, spec->kind == SETTING_TEXT ? "" : "0");
}

void settings_json(const struct settings *s, struct json *j)
{
    json_begin_object(j);
    for (size_t i = 0; s->schema->settings[i].name; i++) {
        json_key(j, s->schema->settings[i].name);
        value_json(&s->schema->settings[i], &s->values[i], j);
    }
    json_end_object(j);
}
