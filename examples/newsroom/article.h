/* The articles of the paper, loaded once at the start from a folder of text files.
 *
 * A file `some-slug.txt` starts with a header, one `name: value` a line, in any order:
 *     title, section, date (2025-04-12 06:30, UTC), byline, description, tags, related
 * then an empty line and the text: paragraphs with an empty line between them, `## heading`,
 * `> quotation`, `- list item`, and inside `*emphasis*` and `[words](address)`.
 * `tags` and `related` are lists separated by commas; related ones are slugs and must exist. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <time.h>

enum { ARTICLE_TAGS_MAX = 6, ARTICLE_RELATED_MAX = 6, TAGS_MAX = 64 };

/* All strings point into the file's text, which the article owns, except `slug`. */
struct article {
    char *slug; /* owned */
    char *file; /* owned: the whole text, cut into pieces */
    const char *title, *section, *byline, *description, *body;
    const char *tags[ARTICLE_TAGS_MAX + 1];       /* NULL at the end */
    const char *related[ARTICLE_RELATED_MAX + 1]; /* NULL at the end */
    time_t published;
};

struct articles {
    struct article *items; /* newest first */
    size_t count;
    const char *tags[TAGS_MAX]; /* every tag once, by the alphabet */
    size_t tag_count;
};

struct section {
    const char *name;  /* in addresses */
    const char *title; /* for people */
    const char *motto;
};

enum { SECTION_COUNT = 5 };
extern const struct section sections[SECTION_COUNT];

/* NULL when there is no such section. */
const struct section *section_find(const char *name);

/* Loads every *.txt of the folder. On failure says on stderr which file and line is wrong and
 * returns false. Either way end with articles_done(). */
bool articles_load(struct articles *articles, const char *dir);
void articles_done(struct articles *articles);

/* NULL when there is no such article. */
const struct article *articles_find(const struct articles *articles, const char *slug);

bool article_has_tag(const struct article *article, const char *tag);

/* When it was published, in UTC and cut into its parts, for strftime(). */
struct tm article_time(const struct article *article);
