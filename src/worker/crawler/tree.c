#include "worker/crawler/tree.h"

#include <string.h>

bool tree_is(const GumboNode *node, GumboTag tag)
{
    return node->type == GUMBO_NODE_ELEMENT && node->v.element.tag == tag;
}

const char *tree_attribute(const GumboNode *node, const char *name)
{
    if (node->type != GUMBO_NODE_ELEMENT)
        return NULL;
    const GumboAttribute *a = gumbo_get_attribute(&node->v.element.attributes, name);
    return a ? a->value : NULL;
}

bool tree_has_token(const GumboNode *node, const char *attribute, const char *token)
{
    struct str rest = str_of(tree_attribute(node, attribute)), want = str_of(token);
    while (rest.n) {
        size_t n = 0;
        while (n < rest.n && !text_is_space(rest.p[n]) && rest.p[n] != ',')
            n++;
        if (n == want.n && str_find_nocase((struct str){rest.p, n}, want) == 0)
            return true;
        n += n < rest.n;
        rest.p += n, rest.n -= n;
    }
    return false;
}

static const GumboVector *tree_children(const GumboNode *node)
{
    if (node->type == GUMBO_NODE_DOCUMENT)
        return &node->v.document.children;
    bool element = node->type == GUMBO_NODE_ELEMENT || node->type == GUMBO_NODE_TEMPLATE;
    return element ? &node->v.element.children : NULL;
}

const GumboNode *tree_next(const GumboNode *root, const GumboNode *node, bool skip)
{
    const GumboVector *children = skip ? NULL : tree_children(node);
    if (children && children->length)
        return children->data[0];
    while (node != root) {
        const GumboVector *siblings = tree_children(node->parent);
        if (node->index_within_parent + 1 < siblings->length)
            return siblings->data[node->index_within_parent + 1];
        node = node->parent;
    }
    return NULL;
}

const GumboNode *tree_find(const GumboNode *root, GumboTag tag)
{
    for (const GumboNode *n = root; n; n = tree_next(root, n, false))
        if (tree_is(n, tag))
            return n;
    return NULL;
}

static bool attribute_hides(const GumboAttribute *a)
{
    if (a->name[0] == 'h')
        return strcmp(a->name, "hidden") == 0;
    if (a->name[0] == 'a')
        return strcmp(a->name, "aria-hidden") == 0 && strcmp(a->value, "true") == 0;
    return a->name[0] == 'r' && strcmp(a->name, "role") == 0 &&
           (strcmp(a->value, "navigation") == 0 || strcmp(a->value, "search") == 0 ||
            strcmp(a->value, "complementary") == 0);
}

bool tree_is_noise(const GumboNode *node)
{
    if (node->type == GUMBO_NODE_TEMPLATE || node->type == GUMBO_NODE_COMMENT)
        return true;
    if (node->type != GUMBO_NODE_ELEMENT)
        return false;
    switch (node->v.element.tag) {
    case GUMBO_TAG_SCRIPT:
    case GUMBO_TAG_STYLE:
    case GUMBO_TAG_NOSCRIPT:
    case GUMBO_TAG_NAV:
    case GUMBO_TAG_ASIDE:
    case GUMBO_TAG_FOOTER:
    case GUMBO_TAG_BUTTON:
    case GUMBO_TAG_SELECT:
    case GUMBO_TAG_INPUT:
    case GUMBO_TAG_TEXTAREA:
    case GUMBO_TAG_IFRAME:
    case GUMBO_TAG_OBJECT:
    case GUMBO_TAG_SVG:
    case GUMBO_TAG_MATH:
    case GUMBO_TAG_HEAD:
        return true;
    default:
        break;
    }
    const GumboVector *attributes = &node->v.element.attributes;
    for (unsigned i = 0; i < attributes->length; i++)
        if (attribute_hides(attributes->data[i]))
            return true;
    return false;
}

void tree_text(const GumboNode *node, struct buf *out)
{
    bool space = false, any = false;
    for (const GumboNode *n = node; n;) {
        bool noise = n != node && tree_is_noise(n);
        bool text = n->type == GUMBO_NODE_TEXT || n->type == GUMBO_NODE_WHITESPACE ||
                    n->type == GUMBO_NODE_CDATA;
        for (const char *p = text ? n->v.text.text : ""; *p; p++) {
            if (text_is_space(*p)) {
                space = any;
                continue;
            }
            if (space)
                buf_add_byte(out, ' ');
            buf_add_byte(out, *p);
            space = false;
            any = true;
        }
        n = tree_next(node, n, noise);
    }
}
