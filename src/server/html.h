/* html.h: text for a page without scripts. Thread: any. */
#pragma once

#include "base/buf.h"

/* Appends a text as HTML shows it: nothing in it is markup. */
void html_text(struct buf *out, struct str text);

/* The same of a line of a log: without terminal escapes (colours, links, cursor moves) and what
 * is left of control characters. */
void html_line(struct buf *out, struct str line);
