/* Templates: text on its way to being a page.
 *
 *     struct page page;
 *     FILE *out = page_begin(&page, request, &(struct page_head){.title = "Imprint", ...});
 *     fputs("<p>...</p>", out);
 *     return page_end(&page, MHD_HTTP_OK);
 *
 * The stream grows in memory and fails only when memory does: then the reply is empty and the
 * connection is closed, so nobody checks in between. */
#pragma once

#include "article.h"
#include "request.h"

#include <stdio.h>

struct page {
    FILE *out;
    char *text;
    size_t size;
    const char *charset; /* as in page_head */
    bool charset_in_header;
};

struct page_head {
    const char *title, *description;
    const char *path; /* for the canonical link: escaped, with query, from '/' on */
    const struct section *section; /* the one to mark in the navigation, or NULL */
    const struct article *article; /* when the page is one, else NULL */
    const char *charset;           /* NULL: utf-8, said in the header and in <meta> */
    bool charset_in_header;        /* with another charset: say it there, else in <meta> */
    bool noindex;
};

/* A stream without any template, closed into a reply. page_open() exits when out of memory. */
FILE *page_open(struct page *page);
struct reply page_close(struct page *page, unsigned status, const char *content_type);

/* A page of the paper: masthead and navigation before, footer after. */
FILE *page_begin(struct page *page, const struct request *request,
                 const struct page_head *head);
struct reply page_end(struct page *page, unsigned status);

/* Writes text with the five characters of HTML escaped; fit for attributes, too. */
void html_text(FILE *out, const char *text);

/* Writes an article's text as HTML. */
void html_body(FILE *out, const char *body);

/* Writes a teaser: date, linked title, description. */
void html_teaser(FILE *out, const struct article *article);
