/* YAML: libyaml's events, one after the other, become nodes. What YAML has beyond scalars,
 * lists and maps is refused, because each of it lets a text mean something else than it looks
 * like. */
#include "job/node.h"

#include <string.h>
#include <yaml.h>

#include "base/map.h"

struct yaml_reader {
    yaml_parser_t parser;
    struct node_tree *tree;
    struct str text;
    struct err *e;
};

#define AUTO_EVENT AUTO(yaml_event_delete) yaml_event_t
#define AUTO_MAP AUTO(map_done) struct map
#define AUTO_READER AUTO(reader_done) struct yaml_reader

static void reader_done(struct yaml_reader *r)
{
    yaml_parser_delete(&r->parser);
}

static int fail_at(struct yaml_reader *r, yaml_mark_t mark, const char *what)
{
    return node_fail_at(r->tree->origin, (int)mark.line + 1, (int)mark.column + 1, r->e, "%s",
                        what);
}

/* The place of a byte: the reader of bytes below the parser knows nothing else. */
static yaml_mark_t mark_of_byte(struct str text, size_t byte)
{
    yaml_mark_t mark = {.index = byte};
    for (size_t i = 0; i < byte && i < text.n; i++) {
        if (text.p[i] == '\n')
            mark.line++, mark.column = 0;
        else if (((unsigned char)text.p[i] & 0xC0) != 0x80)
            mark.column++;
    }
    return mark;
}

/* Is there a tab in front of the first word of that line? Then that is what is wrong, whatever
 * the parser stumbled over behind it. */
static bool tab_indents(struct str text, yaml_mark_t *mark)
{
    struct str line = {NULL, 0};
    for (size_t i = 0; i <= mark->line; i++)
        line = str_cut(&text, '\n');
    for (size_t i = 0; i < line.n && (line.p[i] == ' ' || line.p[i] == '\t'); i++) {
        if (line.p[i] == '\t') {
            mark->column = i;
            return true;
        }
    }
    return false;
}

static int syntax_fail(struct yaml_reader *r)
{
    const yaml_parser_t *p = &r->parser;
    const char *problem = p->problem ? p->problem : "it ends too early";
    yaml_mark_t mark = p->problem_mark;
    if (p->error == YAML_READER_ERROR)
        mark = mark_of_byte(r->text, p->problem_offset);
    else if (tab_indents(r->text, &mark))
        return fail_at(r, mark, "a tab stands here; YAML is indented with spaces only");
    const char *context = p->context ? p->context : "";
    const char *hint = "";
    if (strstr(context, "alias") || strstr(context, "anchor") ||
        strstr(problem, "cannot start"))
        hint = "; a text that begins with such a character needs quotes";
    return node_fail_at(r->tree->origin, (int)mark.line + 1, (int)mark.column + 1, r->e,
                        "this is not YAML: %s%s%s%s", context, context[0] ? ", " : "", problem,
                        hint);
}

static int next_event(struct yaml_reader *r, yaml_event_t *event)
{
    return yaml_parser_parse(&r->parser, event) ? 0 : syntax_fail(r);
}

/* Refuses what has no place in a definition: `&anchor`, `*alias`, `!tag`. */
static int check_plain(struct yaml_reader *r, const yaml_event_t *event)
{
    const yaml_char_t *anchor = NULL, *tag = NULL;
    if (event->type == YAML_SCALAR_EVENT) {
        anchor = event->data.scalar.anchor;
        tag = event->data.scalar.tag;
    } else if (event->type == YAML_SEQUENCE_START_EVENT) {
        anchor = event->data.sequence_start.anchor;
        tag = event->data.sequence_start.tag;
    } else if (event->type == YAML_MAPPING_START_EVENT) {
        anchor = event->data.mapping_start.anchor;
        tag = event->data.mapping_start.tag;
    }
    if (event->type == YAML_ALIAS_EVENT)
        return fail_at(r, event->start_mark,
                       "aliases are not taken here; a text that begins with '*' "
                       "needs quotes");
    if (anchor)
        return fail_at(r, event->start_mark,
                       "anchors are not taken here; a text that begins with '&' "
                       "needs quotes");
    if (tag)
        return fail_at(r, event->start_mark,
                       "tags are not taken here; a text that begins with '!' "
                       "needs quotes");
    return 0;
}

static int scalar_text(struct yaml_reader *r, const yaml_event_t *event, const char **ret_text)
{
    struct str text = {(const char *)event->data.scalar.value, event->data.scalar.length};
    *ret_text = "";
    if (text.n && memchr(text.p, 0, text.n))
        return fail_at(r, event->start_mark, "a text may not hold the character NUL");
    *ret_text = arena_str(&r->tree->arena, text);
    return 0;
}

static bool is_nothing(const yaml_event_t *event)
{
    static const char *const words[] = {"", "~", "null", "Null", "NULL"};
    if (event->data.scalar.style != YAML_PLAIN_SCALAR_STYLE)
        return false;
    for (size_t i = 0; i < ARRAY_LEN(words); i++)
        if (strcmp((const char *)event->data.scalar.value, words[i]) == 0)
            return true;
    return false;
}

/* Reads the key of the next entry into `like`, or finds the end of the map. */
static int key_read(struct yaml_reader *r, struct map *seen, struct node *parent,
                    struct node *like, bool *ret_end)
{
    AUTO_EVENT event = {0};
    int x = next_event(r, &event);
    if (x < 0)
        return x;
    *ret_end = event.type == YAML_MAPPING_END_EVENT;
    if (*ret_end)
        return 0;
    x = check_plain(r, &event);
    if (x < 0)
        return x;
    if (event.type != YAML_SCALAR_EVENT)
        return fail_at(r, event.start_mark, "a key is a word, not a list or a map");
    x = scalar_text(r, &event, &like->key);
    if (x < 0)
        return x;
    if (!like->key[0])
        return fail_at(r, event.start_mark, "a key is missing in front of ':'");
    like->parent = parent;
    like->key_line = (int)event.start_mark.line + 1;
    like->key_column = (int)event.start_mark.column + 1;
    const struct node *earlier = map_get(seen, str_of(like->key));
    if (earlier) {
        like->origin = r->tree->origin;
        return node_fail_key(like, r->e, "key '%s' is there twice, first in line %d",
                             NODE_SHOWN(like->key), earlier->key_line);
    }
    return 0;
}

static int value_read(struct yaml_reader *r, const yaml_event_t *event, struct node *parent,
                      struct node *like, struct node **ret_node);

static int list_read(struct yaml_reader *r, struct node *list)
{
    for (;;) {
        AUTO_EVENT event = {0};
        struct node like = {0}, *child;
        int x = next_event(r, &event);
        if (x < 0)
            return x;
        if (event.type == YAML_SEQUENCE_END_EVENT)
            return 0;
        x = value_read(r, &event, list, &like, &child);
        if (x < 0)
            return x;
    }
}

static int map_read(struct yaml_reader *r, struct node *map)
{
    AUTO_MAP seen = MAP_INIT;
    for (;;) {
        AUTO_EVENT event = {0};
        struct node like = {0}, *child;
        bool end;
        int x = key_read(r, &seen, map, &like, &end);
        if (x < 0 || end)
            return x;
        x = next_event(r, &event);
        if (x < 0)
            return x;
        x = value_read(r, &event, map, &like, &child);
        if (x < 0)
            return x;
        map_set(&seen, str_of(child->key), child);
    }
}

/* `like` holds the key, if there is one. Recursion ends at LIMIT_DEFINITION_DEPTH, in
 * node_new(). */
static int value_read(struct yaml_reader *r, const yaml_event_t *event, struct node *parent,
                      struct node *like, struct node **ret_node)
{
    int x = check_plain(r, event);
    if (x < 0)
        return x;
    like->line = (int)event->start_mark.line + 1;
    like->column = (int)event->start_mark.column + 1;
    if (event->type == YAML_SCALAR_EVENT) {
        like->kind = is_nothing(event) ? NODE_NONE : NODE_SCALAR;
        like->quoted = event->data.scalar.style != YAML_PLAIN_SCALAR_STYLE;
        x = scalar_text(r, event, &like->text);
        if (x < 0)
            return x;
        return node_new(r->tree, parent, like, ret_node, r->e);
    }
    like->kind = event->type == YAML_SEQUENCE_START_EVENT ? NODE_LIST : NODE_MAP;
    x = node_new(r->tree, parent, like, ret_node, r->e);
    if (x < 0)
        return x;
    return like->kind == NODE_LIST ? list_read(r, *ret_node) : map_read(r, *ret_node);
}

/* What comes after the one document: its end, and the end of the text. */
static int end_read(struct yaml_reader *r)
{
    for (;;) {
        AUTO_EVENT event = {0};
        int x = next_event(r, &event);
        if (x < 0)
            return x;
        if (event.type == YAML_DOCUMENT_START_EVENT)
            return fail_at(r, event.start_mark,
                           "a second document begins here; write it into a file "
                           "of its own");
        if (event.type == YAML_STREAM_END_EVENT)
            return 0;
    }
}

int node_read_yaml(struct node_tree *t, struct str text, struct err *e)
{
    AUTO_READER r = {.tree = t, .text = text, .e = e};
    ASSERT(yaml_parser_initialize(&r.parser)); /* fails only without memory */
    yaml_parser_set_encoding(&r.parser, YAML_UTF8_ENCODING);
    yaml_parser_set_input_string(&r.parser, (const unsigned char *)(text.n ? text.p : ""),
                                 text.n);
    for (;;) {
        AUTO_EVENT event = {0};
        int x = next_event(&r, &event);
        if (x < 0)
            return x;
        if (event.type == YAML_STREAM_END_EVENT)
            return fail(e, E_INVAL, "%s: there is nothing in this text", t->origin);
        if (event.type == YAML_STREAM_START_EVENT || event.type == YAML_DOCUMENT_START_EVENT)
            continue;
        struct node like = {0}, *root;
        x = value_read(&r, &event, NULL, &like, &root);
        if (x < 0)
            return x;
        return end_read(&r);
    }
}
