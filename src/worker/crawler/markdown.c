/* The writer goes through the tree once. What stands between two texts is not written when it
 * is met but owed: line breaks (`newlines`), a space, the marker of a list item, the "**" or
 * "[" that opens a piece. text_begin() pays all of it when the next word comes, so that empty
 * elements leave no trace and white space never ends up inside a "**". Lines begin with
 * `prefix`: "> " for each quote, the indentation of each list item.
 *
 * `flat` > 0: inside a heading, a link or a table's cell there are no blocks; a break is a
 * space. */
#include "worker/crawler/markdown.h"

#include <stdlib.h>
#include <string.h>

#include "base/limits.h"
#include "worker/crawler/tree.h"
#include "worker/web/url.h"

enum {
    DEPTH_MAX = 200,     /* of elements; what lies deeper is written as plain words */
    PREFIX_BYTES = 1024, /* deeper lists and quotes are not indented any more */
    MAIN_DEPTH_MAX = 40,
};

struct writer {
    struct buf *out;
    struct str base;
    struct buf room, prefix, marker, open;
    size_t break_prefix; /* how much of the prefix a blank line gets */
    int newlines, flat, cells, depth;
    bool space, line_start, fresh, keep_header;
    size_t words;
};

static void node_write(struct writer *w, const GumboNode *node);

static void block_break(struct writer *w, int newlines)
{
    if (w->flat) {
        w->space = !w->line_start;
        return;
    }
    if (w->marker.n)
        return; /* the item's first block begins right behind its marker */
    w->break_prefix = w->newlines ? MIN(w->break_prefix, w->prefix.n) : w->prefix.n;
    w->newlines = MAX(w->newlines, newlines);
    w->space = false;
    w->line_start = true;
}

static void line_begin(struct writer *w)
{
    for (int i = w->fresh ? w->newlines : 0; i < w->newlines; i++) {
        buf_add_byte(w->out, '\n');
        if (i + 1 < w->newlines) { /* a blank line: no white space at its end */
            struct str blank = {w->prefix.p, MIN(w->break_prefix, w->prefix.n)};
            while (blank.n && blank.p[blank.n - 1] == ' ')
                blank.n--;
            buf_add_str(w->out, blank);
        }
    }
    buf_add(w->out, w->prefix.p, w->prefix.n - MIN(w->marker.n, w->prefix.n));
    buf_add_str(w->out, buf_str(&w->marker));
    buf_clear(&w->marker);
    w->newlines = 0;
}

/* Something visible comes: pay what is owed. */
static void text_begin(struct writer *w)
{
    if (w->newlines || w->fresh || w->marker.n)
        line_begin(w);
    if (w->space || w->line_start)
        w->words++;
    if (w->space && !w->line_start)
        buf_add_byte(w->out, ' ');
    buf_add_str(w->out, buf_str(&w->open));
    buf_clear(&w->open);
    w->space = w->line_start = w->fresh = false;
}

static bool needs_escape(const struct writer *w, struct str word, size_t i)
{
    char c = word.p[i], next = i + 1 < word.n ? word.p[i + 1] : ' ';
    switch (c) {
    case '\\':
    case '`':
    case '*':
    case '[':
    case ']':
    case '<':
        return true;
    case '_': /* inside a word it means nothing */
        return i == 0 || !text_is_alnum(word.p[i - 1]) || !text_is_alnum(next);
    case '&':
        return text_is_alnum(next) || next == '#';
    case '|':
        return w->cells > 0;
    default:
        return false;
    }
}

/* How many bytes of a word at the start of a line go before a backslash, or -1. */
static ptrdiff_t line_start_escape(struct str word)
{
    static const char marks[] = {'#', '>', '+', '-', '=', '~'};
    if (memchr(marks, word.p[0], sizeof(marks)))
        return 0;
    size_t digits = 0;
    while (digits < word.n && word.p[digits] >= '0' && word.p[digits] <= '9')
        digits++;
    bool item =
        digits && digits + 1 == word.n && (word.p[digits] == '.' || word.p[digits] == ')');
    return item ? (ptrdiff_t)digits : -1;
}

static void word_write(struct writer *w, struct str word)
{
    bool at_start = w->line_start && w->open.n == 0 && !w->cells;
    text_begin(w);
    ptrdiff_t mark = at_start ? line_start_escape(word) : -1;
    size_t plain = 0;
    for (size_t i = 0; i < word.n; i++)
        if (needs_escape(w, word, i) || (ptrdiff_t)i == mark) {
            buf_add(w->out, word.p + plain, i - plain);
            buf_add_byte(w->out, '\\');
            plain = i;
        }
    buf_add(w->out, word.p + plain, word.n - plain);
}

static void words_write(struct writer *w, const char *text)
{
    while (*text && !w->out->overflow) {
        size_t n = 0;
        if (text_is_space(*text)) {
            w->space = !w->line_start;
            text++;
            continue;
        }
        while (text[n] && !text_is_space(text[n]))
            n++;
        word_write(w, (struct str){text, n});
        text += n;
    }
}

static const GumboVector *children_of(const GumboNode *node)
{
    return &node->v.element.children;
}

static void children_write(struct writer *w, const GumboNode *node)
{
    const GumboVector *children = children_of(node);
    for (unsigned i = 0; i < children->length && !w->out->overflow; i++)
        node_write(w, children->data[i]);
}

static void block_write(struct writer *w, const GumboNode *node, int newlines)
{
    block_break(w, newlines);
    children_write(w, node);
    block_break(w, newlines);
}

/* Children between two marks; when nothing visible was inside, neither is written. */
static void marked_write(struct writer *w, const GumboNode *node, const char *open,
                         const char *close)
{
    size_t before = w->open.n;
    buf_add_c(&w->open, open);
    size_t with = w->open.n;
    children_write(w, node);
    if (w->open.n == with && with > before)
        w->open.p[w->open.n = before] = 0;
    else if (w->newlines == 0)
        buf_add_c(w->out, close);
}

static void heading_write(struct writer *w, const GumboNode *node)
{
    if (w->flat) {
        block_write(w, node, 2);
        return;
    }
    static const char hashes[] = "###### ";
    int level = (int)(node->v.element.tag - GUMBO_TAG_H1) + 1;
    block_break(w, 2);
    w->flat++;
    marked_write(w, node, hashes + 6 - level, "");
    w->flat--;
    block_break(w, 2);
}

static struct str url_of(struct writer *w, const GumboNode *node, const char *attribute)
{
    const char *reference = tree_attribute(node, attribute);
    if (!reference || *reference == '#' ||
        url_resolve(str_of(reference), w->base, &w->room, NULL) < 0)
        return (struct str){NULL, 0};
    return buf_str(&w->room);
}

/* The little signs behind headings that lead to themselves. */
static bool is_self_link(const GumboNode *node)
{
    const GumboVector *children = children_of(node);
    const GumboNode *only = children->length == 1 ? children->data[0] : NULL;
    if (!only || only->type != GUMBO_NODE_TEXT)
        return false;
    const char *text = only->v.text.text;
    return strcmp(text, "\xc2\xb6") == 0 || strcmp(text, "#") == 0 ||
           strcmp(text, "\xc2\xa7") == 0;
}

static void link_write(struct writer *w, const GumboNode *node)
{
    struct str url = url_of(w, node, "href");
    if (is_self_link(node))
        return;
    if (!url.n) {
        children_write(w, node);
        return;
    }
    bool round = memchr(url.p, '(', url.n) || memchr(url.p, ')', url.n);
    AUTO_BUF close = BUF_INIT(LIMIT_TASK_KEY_BYTES + 8);
    buf_printf(&close, round ? "](<%.*s>)" : "](%.*s)", STR_ARG(url));
    w->flat++;
    marked_write(w, node, "[", buf_text(&close));
    w->flat--;
}

static void image_write(struct writer *w, const GumboNode *node)
{
    const char *alt = tree_attribute(node, "alt");
    struct str url = url_of(w, node, "src");
    if (!alt || !*alt || !url.n)
        return;
    AUTO_BUF copy = BUF_INIT(LIMIT_TASK_KEY_BYTES);
    buf_add_str(&copy, url);
    buf_add_c(&w->open, "![");
    words_write(w, alt);
    buf_printf(w->out, "](%s)", buf_text(&copy));
}

static size_t longest_run(struct str s, char c)
{
    size_t best = 0, run = 0;
    for (size_t i = 0; i < s.n; i++) {
        run = s.p[i] == c ? run + 1 : 0;
        best = MAX(best, run);
    }
    return best;
}

static void repeat(struct buf *out, char c, size_t n)
{
    while (n-- > 0)
        buf_add_byte(out, c);
}

static void code_write(struct writer *w, const GumboNode *node)
{
    AUTO_BUF text = BUF_INIT(LIMIT_DOCUMENT_BYTES);
    tree_text(node, &text);
    if (text.n == 0)
        return;
    struct str s = buf_str(&text);
    size_t fence = longest_run(s, '`') + 1;
    bool pad = s.p[0] == '`' || s.p[s.n - 1] == '`';
    text_begin(w);
    repeat(w->out, '`', fence);
    buf_printf(w->out, pad ? " %.*s " : "%.*s", STR_ARG(s));
    repeat(w->out, '`', fence);
}

static void raw_text(const GumboNode *node, struct buf *out)
{
    for (const GumboNode *n = node; n; n = tree_next(node, n, false)) {
        if (n->type == GUMBO_NODE_TEXT || n->type == GUMBO_NODE_WHITESPACE)
            buf_add_c(out, n->v.text.text);
        else if (tree_is(n, GUMBO_TAG_BR))
            buf_add_byte(out, '\n');
    }
}

static void pre_write(struct writer *w, const GumboNode *node)
{
    if (w->flat) {
        code_write(w, node);
        return;
    }
    AUTO_BUF text = BUF_INIT(LIMIT_DOCUMENT_BYTES);
    raw_text(node, &text);
    struct str rest = buf_str(&text);
    while (rest.n && text_is_space(rest.p[rest.n - 1]))
        rest.n--;
    if (!rest.n)
        return;
    size_t fence = MAX(longest_run(rest, '`') + 1, (size_t)3);
    block_break(w, 2);
    text_begin(w);
    repeat(w->out, '`', fence);
    while (rest.p) {
        struct str line = str_cut(&rest, '\n');
        buf_add_byte(w->out, '\n');
        buf_add_str(w->out, buf_str(&w->prefix));
        buf_add_str(w->out, line);
        w->words += line.n > 0;
    }
    buf_add_byte(w->out, '\n');
    buf_add_str(w->out, buf_str(&w->prefix));
    repeat(w->out, '`', fence);
    block_break(w, 2);
}

static void item_write(struct writer *w, const GumboNode *node, int64_t number)
{
    if (w->flat || w->prefix.n + 16 > PREFIX_BYTES) {
        block_write(w, node, 1);
        return;
    }
    block_break(w, 1);
    size_t marker = w->marker.n, prefix = w->prefix.n;
    if (number >= 0)
        buf_printf(&w->marker, "%lld. ", (long long)number);
    else
        buf_add_c(&w->marker, "- ");
    size_t with = w->marker.n;
    repeat(&w->prefix, ' ', with - marker);
    w->line_start = true;
    children_write(w, node);
    if (w->marker.n == with)
        w->marker.p[w->marker.n = marker] = 0; /* nothing was in it */
    w->prefix.p[w->prefix.n = prefix] = 0;
    block_break(w, 1);
}

static void list_write(struct writer *w, const GumboNode *node)
{
    int64_t number = -1;
    if (tree_is(node, GUMBO_TAG_OL) &&
        !str_to_int(str_of(tree_attribute(node, "start")), 0, 999999999, &number))
        number = 1;
    bool nested = w->prefix.n > 0;
    block_break(w, nested ? 1 : 2);
    const GumboVector *children = children_of(node);
    for (unsigned i = 0; i < children->length && !w->out->overflow; i++) {
        const GumboNode *child = children->data[i];
        if (!tree_is(child, GUMBO_TAG_LI)) {
            node_write(w, child);
            continue;
        }
        item_write(w, child, number);
        number += number >= 0;
    }
    block_break(w, nested ? 1 : 2);
}

static void quote_write(struct writer *w, const GumboNode *node)
{
    if (w->flat || w->prefix.n + 2 > PREFIX_BYTES || w->marker.n) {
        block_write(w, node, 2);
        return;
    }
    block_break(w, 2);
    size_t prefix = w->prefix.n;
    buf_add_c(&w->prefix, "> ");
    children_write(w, node);
    w->prefix.p[w->prefix.n = prefix] = 0;
    block_break(w, 2);
}

static bool is_cell(const GumboNode *node)
{
    return tree_is(node, GUMBO_TAG_TD) || tree_is(node, GUMBO_TAG_TH);
}

/* Rows of data, not a frame around half a page. */
static bool table_is_simple(const GumboNode *table)
{
    bool wide = false;
    for (const GumboNode *n = tree_next(table, table, false); n;
         n = tree_next(table, n, false)) {
        if (n->type != GUMBO_NODE_ELEMENT)
            continue;
        switch (n->v.element.tag) {
        case GUMBO_TAG_TABLE:
        case GUMBO_TAG_PRE:
        case GUMBO_TAG_UL:
        case GUMBO_TAG_OL:
        case GUMBO_TAG_H1:
        case GUMBO_TAG_H2:
        case GUMBO_TAG_H3:
            return false;
        default:
            wide = wide || (is_cell(n) && n->index_within_parent > 0);
        }
    }
    return wide;
}

static void row_write(struct writer *w, const GumboNode *row, bool head)
{
    const GumboVector *children = children_of(row);
    size_t cells = 0;
    block_break(w, head ? 2 : 1);
    w->flat++, w->cells++;
    for (unsigned i = 0; i < children->length; i++) {
        if (!is_cell(children->data[i]))
            continue;
        if (cells++ == 0)
            text_begin(w);
        buf_add_c(w->out, cells == 1 ? "| " : " | ");
        w->line_start = true; /* no space before the first word */
        w->space = false;
        children_write(w, children->data[i]);
    }
    w->flat--, w->cells--;
    w->space = w->line_start = false;
    if (cells == 0)
        return;
    buf_add_c(w->out, " |");
    if (!head)
        return;
    block_break(w, 1);
    text_begin(w);
    for (size_t i = 0; i < cells; i++)
        buf_add_c(w->out, "| --- ");
    buf_add_byte(w->out, '|');
}

static void table_write(struct writer *w, const GumboNode *table)
{
    if (w->flat || !table_is_simple(table)) {
        block_write(w, table, 2);
        return;
    }
    block_break(w, 2);
    bool head = true;
    for (const GumboNode *n = table; n && !w->out->overflow; n = tree_next(table, n, false)) {
        if (tree_is(n, GUMBO_TAG_CAPTION)) {
            block_write(w, n, 2);
        } else if (tree_is(n, GUMBO_TAG_TR)) {
            row_write(w, n, head);
            head = false;
        }
    }
    block_break(w, 2);
}

static void break_write(struct writer *w)
{
    if (!w->flat && !w->line_start && w->newlines == 0)
        buf_add_c(w->out, "  ");
    block_break(w, 1);
}

static void rule_write(struct writer *w)
{
    if (w->flat)
        return;
    block_break(w, 2);
    text_begin(w);
    buf_add_c(w->out, "---");
    block_break(w, 2);
}

static void element_write(struct writer *w, const GumboNode *node)
{
    switch (node->v.element.tag) {
    case GUMBO_TAG_H1:
    case GUMBO_TAG_H2:
    case GUMBO_TAG_H3:
    case GUMBO_TAG_H4:
    case GUMBO_TAG_H5:
    case GUMBO_TAG_H6:
        heading_write(w, node);
        break;
    case GUMBO_TAG_A:
        link_write(w, node);
        break;
    case GUMBO_TAG_IMG:
        image_write(w, node);
        break;
    case GUMBO_TAG_STRONG:
    case GUMBO_TAG_B:
        marked_write(w, node, "**", "**");
        break;
    case GUMBO_TAG_EM:
    case GUMBO_TAG_I:
        marked_write(w, node, "*", "*");
        break;
    case GUMBO_TAG_CODE:
    case GUMBO_TAG_KBD:
    case GUMBO_TAG_SAMP:
    case GUMBO_TAG_TT:
        code_write(w, node);
        break;
    case GUMBO_TAG_PRE:
        pre_write(w, node);
        break;
    case GUMBO_TAG_UL:
    case GUMBO_TAG_OL:
    case GUMBO_TAG_MENU:
        list_write(w, node);
        break;
    case GUMBO_TAG_BLOCKQUOTE:
        quote_write(w, node);
        break;
    case GUMBO_TAG_TABLE:
        table_write(w, node);
        break;
    case GUMBO_TAG_BR:
        break_write(w);
        break;
    case GUMBO_TAG_HR:
        rule_write(w);
        break;
    case GUMBO_TAG_HEADER:
        if (w->keep_header)
            block_write(w, node, 2);
        break;
    case GUMBO_TAG_P:
    case GUMBO_TAG_DIV:
    case GUMBO_TAG_SECTION:
    case GUMBO_TAG_ARTICLE:
    case GUMBO_TAG_MAIN:
    case GUMBO_TAG_BODY:
    case GUMBO_TAG_ADDRESS:
    case GUMBO_TAG_FIGURE:
    case GUMBO_TAG_FIGCAPTION:
    case GUMBO_TAG_DETAILS:
    case GUMBO_TAG_SUMMARY:
    case GUMBO_TAG_DL:
    case GUMBO_TAG_DT:
    case GUMBO_TAG_DD:
    case GUMBO_TAG_LI:
    case GUMBO_TAG_FORM:
    case GUMBO_TAG_FIELDSET:
    case GUMBO_TAG_CENTER:
    case GUMBO_TAG_CAPTION:
    case GUMBO_TAG_TR:
    case GUMBO_TAG_TD:
    case GUMBO_TAG_TH:
        block_write(w, node, 2);
        break;
    default:
        children_write(w, node);
    }
}

static void deep_write(struct writer *w, const GumboNode *node)
{
    for (const GumboNode *n = node; n; n = tree_next(node, n, n != node && tree_is_noise(n)))
        if (n->type == GUMBO_NODE_TEXT)
            words_write(w, n->v.text.text);
}

static void node_write(struct writer *w, const GumboNode *node)
{
    switch (node->type) {
    case GUMBO_NODE_TEXT:
    case GUMBO_NODE_CDATA:
        words_write(w, node->v.text.text);
        break;
    case GUMBO_NODE_WHITESPACE:
        w->space = !w->line_start;
        break;
    case GUMBO_NODE_ELEMENT:
        if (tree_is_noise(node))
            break;
        if (w->depth == DEPTH_MAX) {
            deep_write(w, node);
            break;
        }
        w->depth++;
        element_write(w, node);
        w->depth--;
        break;
    default:
        break;
    }
}

static bool is_main(const GumboNode *node)
{
    if (tree_is(node, GUMBO_TAG_MAIN))
        return true;
    const char *role = node->v.element.attributes.length ? tree_attribute(node, "role") : NULL;
    return role && strcmp(role, "main") == 0;
}

size_t markdown_write(const GumboNode *node, struct str base, struct buf *out)
{
    struct writer w = {.out = out, .base = base, .line_start = true, .fresh = true};
    w.room = (struct buf)BUF_INIT(LIMIT_TASK_KEY_BYTES);
    w.prefix = w.marker = w.open = (struct buf)BUF_INIT(PREFIX_BYTES);
    w.keep_header = is_main(node) || tree_is(node, GUMBO_TAG_ARTICLE);
    node_write(&w, node);
    if (out->n)
        buf_add_byte(out, '\n');
    buf_done(&w.room);
    buf_done(&w.prefix);
    buf_done(&w.marker);
    buf_done(&w.open);
    return w.words;
}

/* Bytes of text below `node` that are neither noise nor inside a link. */
static size_t text_weight(const GumboNode *node)
{
    size_t sum = 0;
    for (const GumboNode *n = node; n;) {
        if (n->type == GUMBO_NODE_TEXT)
            sum += strlen(n->v.text.text);
        bool skip = tree_is_noise(n) || tree_is(n, GUMBO_TAG_A) || tree_is(n, GUMBO_TAG_HEADER);
        n = tree_next(node, n, skip);
    }
    return sum;
}

static bool is_container(const GumboNode *node)
{
    switch (node->v.element.tag) {
    case GUMBO_TAG_DIV:
    case GUMBO_TAG_SECTION:
    case GUMBO_TAG_ARTICLE:
    case GUMBO_TAG_CENTER:
    case GUMBO_TAG_FORM:
    case GUMBO_TAG_TABLE:
    case GUMBO_TAG_TBODY:
    case GUMBO_TAG_TR:
    case GUMBO_TAG_TD:
        return !tree_is_noise(node);
    default:
        return false;
    }
}

/* Goes down from the body for as long as one block holds most of the text. */
static const GumboNode *densest_block(const GumboNode *body)
{
    const GumboNode *node = body;
    size_t total = text_weight(body);
    for (int depth = 0; depth < MAIN_DEPTH_MAX; depth++) {
        const GumboVector *children = children_of(node);
        const GumboNode *heavy = NULL;
        for (unsigned i = 0; i < children->length && !heavy; i++) {
            const GumboNode *child = children->data[i];
            if (child->type == GUMBO_NODE_ELEMENT && is_container(child) &&
                text_weight(child) * 10 >= total * 7)
                heavy = child;
        }
        if (!heavy || total == 0)
            break;
        node = heavy;
    }
    return node;
}

const GumboNode *markdown_main(const GumboNode *root)
{
    const GumboNode *main = NULL, *article = NULL;
    int articles = 0; /* in all, until there is a main; then in it */
    for (const GumboNode *n = root; n; n = tree_next(main ? main : root, n, false)) {
        if (tree_is(n, GUMBO_TAG_ARTICLE)) {
            article = n;
            articles++;
        } else if (!main && n->type == GUMBO_NODE_ELEMENT && is_main(n)) {
            main = n;
            articles = 0;
        }
    }
    if (articles == 1)
        return article;
    const GumboNode *body = main ? main : tree_find(root, GUMBO_TAG_BODY);
    return main || !body ? (body ? body : root) : densest_block(body);
}
