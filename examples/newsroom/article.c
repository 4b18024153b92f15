/* Loads the articles.
 *
 * The happy path: read the file in one piece, cut the header into names and values in place,
 * keep the rest as the body. When all are there, sort them by date and check that every related
 * slug exists: a dead link in our own text is an error at the start, not a surprise for a
 * reader. */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE /* strptime */
#endif
#include "article.h"

#include <dirent.h>
#include <err.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { FILE_MAX_BYTES = 64 * 1024 };

const struct section sections[SECTION_COUNT] = {
    {"politics", "Politics", "Town halls, votes and the roads between them"},
    {"science", "Science", "What the valley measures, grows and digs up"},
    {"sport", "Sport", "Water, grass, mud and the people on it"},
    {"culture", "Culture", "Stages, shelves, kitchens and old songs"},
    {"business", "Business", "Workshops, shops, fields and the harbour"},
};

const struct section *section_find(const char *name)
{
    for (size_t i = 0; i < SECTION_COUNT; i++)
        if (strcmp(sections[i].name, name) == 0)
            return &sections[i];
    return NULL;
}

/* Reads a whole file, NUL at the end; NULL with errno. A file above the limit is EFBIG. */
static char *file_read(const char *path)
{
    FILE *f = fopen(path, "re");
    if (!f)
        return NULL;
    char *text = malloc(FILE_MAX_BYTES + 1);
    size_t n = text ? fread(text, 1, FILE_MAX_BYTES + 1, f) : 0;
    bool failed = ferror(f) != 0;
    fclose(f);
    if (!text || failed || n > FILE_MAX_BYTES) {
        free(text);
        errno = n > FILE_MAX_BYTES ? EFBIG : text ? EIO : ENOMEM;
        return NULL;
    }
    text[n] = '\0';
    char *fitting = realloc(text, n + 1);
    return fitting ? fitting : text;
}

static char *trim(char *s)
{
    s += strspn(s, " \t");
    size_t n = strlen(s);
    while (n > 0 && strchr(" \t\r", s[n - 1]))
        s[--n] = '\0';
    return s;
}

/* Cuts "a, b, c" in place; false when there are more than `max`. */
static bool list_cut(char *value, const char **out, size_t max)
{
    size_t n = 0;
    char *item;
    while ((item = strsep(&value, ","))) {
        item = trim(item);
        if (*item == '\0')
            continue;
        if (n == max)
            return false;
        out[n++] = item;
    }
    out[n] = NULL;
    return true;
}

static bool date_read(const char *value, time_t *ret_time)
{
    struct tm tm = {0};
    const char *end = strptime(value, "%Y-%m-%d %H:%M", &tm);
    if (!end || *end)
        return false;
    *ret_time = timegm(&tm);
    return true;
}

/* Takes one header field; NULL when it is good, else what is wrong with it. */
static const char *field_take(struct article *article, const char *name, char *value)
{
    if (strcmp(name, "title") == 0)
        article->title = value;
    else if (strcmp(name, "section") == 0)
        article->section = value;
    else if (strcmp(name, "byline") == 0)
        article->byline = value;
    else if (strcmp(name, "description") == 0)
        article->description = value;
    else if (strcmp(name, "date") == 0)
        return date_read(value, &article->published) ? NULL
                                                     : "the date is not like "
                                                       "2025-04-12 06:30";
    else if (strcmp(name, "tags") == 0)
        return list_cut(value, article->tags, ARTICLE_TAGS_MAX) ? NULL : "too many tags";
    else if (strcmp(name, "related") == 0)
        return list_cut(value, article->related, ARTICLE_RELATED_MAX) ? NULL
                                                                      : "too many related";
    else
        return "unknown header field";
    return NULL;
}

static const char *missing_field(const struct article *a)
{
    return !a->title            ? "title"
           : !a->section        ? "section"
           : !a->byline         ? "byline"
           : !a->description    ? "description"
           : a->published == 0  ? "date"
           : a->body[0] == '\0' ? "text after the header"
                                : NULL;
}

static bool article_read(struct article *article, const char *path)
{
    article->file = file_read(path);
    if (!article->file) {
        warnx("cannot read the article '%s': %s.", path, strerror(errno));
        return false;
    }
    char *rest = article->file, *line;
    for (int number = 1; (line = strsep(&rest, "\n")) && *trim(line); number++) {
        char *value = strchr(line, ':');
        if (!value) {
            warnx("%s:%d: a header line must be 'name: value'.", path, number);
            return false;
        }
        *value++ = '\0';
        const char *wrong = field_take(article, trim(line), trim(value));
        if (wrong) {
            warnx("%s:%d: '%s': %s.", path, number, line, wrong);
            return false;
        }
    }
    article->body = rest ? rest : "";
    const char *missing = missing_field(article);
    if (missing)
        warnx("%s: the article has no %s.", path, missing);
    else if (!section_find(article->section))
        warnx("%s: there is no section '%s'.", path, article->section);
    else
        return true;
    return false;
}

/* The slug of a file name; NULL for files that are no articles. */
static char *slug_of(const char *name)
{
    static const char allowed[] = "abcdefghijklmnopqrstuvwxyz0123456789-";
    size_t n = strspn(name, allowed);
    return n > 0 && strcmp(name + n, ".txt") == 0 ? strndup(name, n) : NULL;
}

static bool articles_read(struct articles *articles, DIR *folder, const char *dir)
{
    struct dirent *entry;
    while ((entry = readdir(folder))) {
        char *slug = slug_of(entry->d_name);
        if (!slug)
            continue;
        struct article *grown =
            reallocarray(articles->items, articles->count + 1, sizeof *grown);
        if (!grown)
            err(1, "loading articles");
        articles->items = grown;
        struct article *article = &grown[articles->count++];
        *article = (struct article){.slug = slug};
        char path[4096];
        snprintf(path, sizeof path, "%s/%s", dir, entry->d_name);
        if (!article_read(article, path))
            return false;
    }
    if (articles->count > 0)
        return true;
    warnx("there is no article in '%s'.", dir);
    return false;
}

static int article_compare(const void *a, const void *b)
{
    const struct article *x = a, *y = b;
    if (x->published != y->published)
        return x->published < y->published ? 1 : -1;
    return strcmp(x->slug, y->slug);
}

/* Keeps the list of tags sorted and each one once; false when it is full. */
static bool tag_add(struct articles *articles, const char *tag)
{
    size_t i = 0;
    while (i < articles->tag_count && strcmp(articles->tags[i], tag) < 0)
        i++;
    if (i < articles->tag_count && strcmp(articles->tags[i], tag) == 0)
        return true;
    if (articles->tag_count == TAGS_MAX)
        return false;
    memmove(&articles->tags[i + 1], &articles->tags[i],
            (articles->tag_count - i) * sizeof articles->tags[0]);
    articles->tags[i] = tag;
    articles->tag_count++;
    return true;
}

static bool articles_link(struct articles *articles)
{
    for (size_t i = 0; i < articles->count; i++) {
        const struct article *article = &articles->items[i];
        for (const char *const *slug = article->related; *slug; slug++) {
            if (!articles_find(articles, *slug)) {
                warnx("%s.txt: the related article '%s' does not exist.", article->slug, *slug);
                return false;
            }
        }
        for (const char *const *tag = article->tags; *tag; tag++) {
            if (!tag_add(articles, *tag)) {
                warnx("the articles have more than %d different tags.", TAGS_MAX);
                return false;
            }
        }
    }
    return true;
}

bool articles_load(struct articles *articles, const char *dir)
{
    *articles = (struct articles){0};
    DIR *folder = opendir(dir);
    if (!folder) {
        warnx("cannot open the folder of articles '%s': %s.", dir, strerror(errno));
        return false;
    }
    bool good = articles_read(articles, folder, dir);
    closedir(folder);
    if (!good)
        return false;
    qsort(articles->items, articles->count, sizeof *articles->items, article_compare);
    return articles_link(articles);
}

void articles_done(struct articles *articles)
{
    for (size_t i = 0; i < articles->count; i++) {
        free(articles->items[i].slug);
        free(articles->items[i].file);
    }
    free(articles->items);
    *articles = (struct articles){0};
}

const struct article *articles_find(const struct articles *articles, const char *slug)
{
    for (size_t i = 0; i < articles->count; i++)
        if (strcmp(articles->items[i].slug, slug) == 0)
            return &articles->items[i];
    return NULL;
}

bool article_has_tag(const struct article *article, const char *tag)
{
    for (const char *const *t = article->tags; *t; t++)
        if (strcmp(*t, tag) == 0)
            return true;
    return false;
}

struct tm article_time(const struct article *article)
{
    struct tm tm;
    gmtime_r(&article->published, &tm);
    return tm;
}
