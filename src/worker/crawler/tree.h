/* tree.h: small questions to gumbo's tree, for html.c and markdown.c. Thread: any. */
#pragma once

#include <gumbo.h>
#include <stdbool.h>

#include "base/buf.h"

bool tree_is(const GumboNode *node, GumboTag tag); /* an element of that tag */
const char *tree_attribute(const GumboNode *node, const char *name); /* NULL: not there */
bool tree_has_token(const GumboNode *node, const char *attribute, const char *token);

/* The node after `node` in document order inside `root`, NULL at the end; with `skip`, not into
 * node's children. Needs no stack, however deep the tree is. */
const GumboNode *tree_next(const GumboNode *root, const GumboNode *node, bool skip);

/* The first element of that tag inside root, or NULL. */
const GumboNode *tree_find(const GumboNode *root, GumboTag tag);

/* Scripts, form fields, navigation, hidden parts: nothing of it is text of the page. */
bool tree_is_noise(const GumboNode *node);

/* Appends the text inside `node`, white space folded, noise left out. */
void tree_text(const GumboNode *node, struct buf *out);
