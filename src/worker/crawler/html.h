/* html.h: what a page says: its head, its links, its main text. The one place (with markdown.c)
 * that knows the parser, gumbo.
 *
 * Everything found lives in the arena that the caller gives. Runs on the pool: it takes 20 to
 * 50 ms for a megabyte, and touches nothing but its arguments. */
#pragma once

#include "base/arena.h"
#include "base/buf.h"
#include "base/err.h"
#include "base/keyset.h"

struct html_link {
    struct str url; /* normalised, NUL-terminated */
    struct hash key;
    bool nofollow;
};

struct html_page {
    const char *title, *description, *published, *language, *canonical; /* "" when not said */
    bool noindex, nofollow;                                             /* <meta name=robots> */
    struct html_link *links; /* to http and https pages, each address once, in page order */
    size_t link_count;
    size_t other_links; /* mailto:, javascript: and what is no address */
    size_t words;       /* of the main text */
    bool truncated;     /* the text was longer than LIMIT_DOCUMENT_BYTES */
};

/* Reads the page at `url` (normalised) from UTF-8 text; its main text is appended to *markdown.
 * E_TOOBIG: the tree would need more memory or time than any real page does. */
CHECKED int html_read(struct str text, struct str url, struct arena *arena,
                      struct html_page *page, struct buf *markdown, struct err *e);
