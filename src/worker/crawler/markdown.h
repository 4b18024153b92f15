/* markdown.h: the main text of a page as Markdown.
 *
 * Kept: headings, paragraphs, lists, links, code, quotes, simple tables, emphasis, images with
 * a text. Left out: navigation, footers, side columns, forms, scripts, what is hidden. Thread:
 * any. */
#pragma once

#include <gumbo.h>

#include "base/buf.h"

/* The element that holds what the page is about: <main> or role=main (and in it the <article>,
 * if there is just one), the only <article>, or else the smallest block with most of the text.
 * `root` is the <html> element. */
const GumboNode *markdown_main(const GumboNode *root);

/* Appends the text of `node`; links are resolved against `base`. Stops when *out is full (its
 * overflow says so). Returns the number of words. */
size_t markdown_write(const GumboNode *node, struct str base, struct buf *out);
