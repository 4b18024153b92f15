#include "engine/catalog.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/limits.h"
#include "base/log.h"
#include "base/mem.h"
#include "worker/worker.h"

struct catalog {
    struct writer *writer;
    const struct pool_limits *pools;
    struct catalog_entry **entries; /* by id */
    size_t count, cap;
};

struct catalog *catalog_new(struct writer *writer)
{
    struct catalog *c = mem_alloc(sizeof(*c));
    c->writer = writer;
    return c;
}

void catalog_limit_pools(struct catalog *c, const struct pool_limits *pools)
{
    c->pools = pools;
}

static void entry_free(struct catalog_entry *entry)
{
    definition_free(entry->definition);
    free(entry->file);
    free(entry);
}

void catalog_free(struct catalog *c)
{
    if (!c)
        return;
    for (size_t i = 0; i < c->count; i++)
        entry_free(c->entries[i]);
    free(c->entries);
    free(c);
}

/* Index of `id`, or of where it would stand. */
static size_t catalog_index(const struct catalog *c, const char *id)
{
    size_t low = 0, high = c->count;
    while (low < high) {
        size_t middle = (low + high) / 2;
        if (strcmp(c->entries[middle]->definition->id, id) < 0)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

struct catalog_entry *catalog_find(const struct catalog *c, const char *id)
{
    size_t i = catalog_index(c, id);
    return i < c->count && strcmp(c->entries[i]->definition->id, id) == 0 ? c->entries[i]
                                                                          : NULL;
}

size_t catalog_count(const struct catalog *c)
{
    return c->count;
}

struct catalog_entry *catalog_at(const struct catalog *c, size_t i)
{
    ASSERT(i < c->count);
    return c->entries[i];
}

static int catalog_parse(const struct catalog *c, struct str text,
                         enum definition_format format, const char *origin,
                         struct definition **ret_definition, struct err *e)
{
    struct definition_input in = {.text = text,
                                  .origin = origin,
                                  .format = format,
                                  .schemas = worker_schemas(),
                                  .pools = c->pools};
    return definition_parse(&in, ret_definition, e);
}

/* Takes the definition. */
static struct catalog_entry *catalog_insert(struct catalog *c, struct definition *d,
                                            const char *file, int64_t created_at_us,
                                            int64_t updated_at_us)
{
    size_t i = catalog_index(c, d->id);
    struct catalog_entry *entry = mem_alloc(sizeof(*entry));
    *entry = (struct catalog_entry){d, mem_strdup(file), created_at_us, updated_at_us};
    MEM_GROW(c->entries, c->count, c->cap);
    memmove(&c->entries[i + 1], &c->entries[i], (c->count - i) * sizeof(c->entries[0]));
    c->entries[i] = entry;
    c->count++;
    return entry;
}

/* ---- the folder ---- */

static int file_read(const char *path, struct buf *out, struct err *e)
{
    struct stat st;
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK); /* a named pipe would block */
    if (fd < 0)
        return fail_errno(e, errno, "%s", path);
    if (fstat(fd, &st) == 0 && !S_ISREG(st.st_mode)) {
        close(fd);
        return fail(e, E_INVAL, "%s: this is not a file", path);
    }
    ssize_t n = 1;
    while (n > 0 && !out->overflow) {
        char piece[16384];
        n = read(fd, piece, sizeof(piece));
        if (n > 0)
            buf_add(out, piece, (size_t)n);
    }
    int error = errno;
    close(fd);
    if (n < 0)
        return fail_errno(e, error, "%s", path);
    if (out->overflow)
        return fail(e, E_TOOBIG,
                    "%s: larger than %d bytes, which is the most that a definition may have",
                    path, LIMIT_DEFINITION_BYTES);
    return 0;
}

static int catalog_load_file(struct catalog *c, const char *path, struct err *e)
{
    AUTO_BUF text = BUF_INIT(LIMIT_DEFINITION_BYTES);
    struct definition *d;
    bool json = str_ends(str_of(path), STR(".json"));
    int r = file_read(path, &text, e);
    if (r >= 0)
        r = catalog_parse(c, buf_str(&text), json ? DEFINITION_JSON : DEFINITION_YAML, path, &d,
                          e);
    if (r < 0)
        return r;
    struct catalog_entry *known = catalog_find(c, d->id);
    if (known) {
        r = fail_field(e, E_EXISTS, "id", "%s: id '%s' is taken already by %s%s", path, d->id,
                       known->file ? known->file : "a definition",
                       known->file ? "" : " that came over the API");
        definition_free(d);
        return r;
    }
    for (int i = 0; i < d->warning_count; i++)
        log_warn("%s: %s", path, d->warnings[i]);
    int64_t now_us = clock_wall_us();
    catalog_insert(c, d, path, now_us, now_us);
    return 0;
}

static int is_definition(const struct dirent *entry)
{
    struct str name = str_of(entry->d_name);
    return name.p[0] != '.' && (str_ends(name, STR(".yaml")) || str_ends(name, STR(".yml")) ||
                                str_ends(name, STR(".json")));
}

int catalog_load_folder(struct catalog *c, const char *folder, struct err *e)
{
    struct dirent **files;
    int count = scandir(folder, &files, is_definition, alphasort), wrong = 0;
    if (count < 0)
        return fail_errno(e, errno, "the folder of definitions %s cannot be read", folder);
    for (int i = 0; i < count; i++) {
        AUTO_FREE char *path = mem_printf("%s/%s", folder, files[i]->d_name);
        struct err why;
        if (catalog_load_file(c, path, &why) < 0) {
            log_error("left out: %s", why.text);
            wrong++;
        }
        free(files[i]);
    }
    free(files);
    return wrong;
}

/* ---- the store ---- */

int catalog_load_store(struct catalog *c, struct store_reader *r, struct err *e)
{
    AUTO_ARENA a = ARENA_INIT;
    struct definition_row **rows;
    size_t count;
    int code = store_list_definitions(r, &a, &rows, &count, e);
    for (size_t i = 0; code >= 0 && i < count; i++) {
        const struct definition_row *row = rows[i];
        struct definition *d;
        struct err why;
        if (catalog_parse(c, str_of(row->source),
                          row->is_json ? DEFINITION_JSON : DEFINITION_YAML, "stored definition",
                          &d, &why) < 0) {
            log_error("definition '%s' is left out: %s", row->id, why.text);
        } else if (catalog_find(c, d->id)) {
            log_error("definition '%s' that came over the API is left out: %s has the same id",
                      d->id, catalog_find(c, d->id)->file);
            definition_free(d);
        } else {
            catalog_insert(c, d, NULL, row->created_at_us, row->updated_at_us);
        }
    }
    return code;
}

static void entry_store(struct catalog *c, const struct catalog_entry *entry)
{
    const struct definition *d = entry->definition;
    struct definition_row row = {.id = d->id,
                                 .source = d->source,
                                 .is_json = d->is_json,
                                 .created_at_us = entry->created_at_us,
                                 .updated_at_us = entry->updated_at_us};
    batch_put_definition(writer_batch(c->writer), &row);
}

int catalog_add(struct catalog *c, struct str text, enum definition_format format,
                struct catalog_entry **ret_entry, struct err *e)
{
    struct definition *d;
    int r = catalog_parse(c, text, format, "request body", &d, e);
    if (r < 0)
        return r;
    if (catalog_find(c, d->id))
        r = fail_field(e, E_EXISTS, "id", "there is a definition '%s' already", d->id);
    else if (c->count >= LIMIT_DEFINITIONS)
        r = fail(e, E_LIMIT, "there are %d definitions, which is the most there may be",
                 LIMIT_DEFINITIONS);
    if (r < 0) {
        definition_free(d);
        return r;
    }
    int64_t now_us = clock_wall_us();
    *ret_entry = catalog_insert(c, d, NULL, now_us, now_us);
    entry_store(c, *ret_entry);
    return 0;
}

/* One that may be changed over the API. */
static int catalog_own(const struct catalog *c, const char *id,
                       struct catalog_entry **ret_entry, struct err *e)
{
    struct catalog_entry *entry = catalog_find(c, id);
    if (!entry)
        return fail(e, E_NOTFOUND, "there is no definition '%s'", id);
    if (entry->file)
        return fail(e, E_STATE, "definition '%s' belongs to the file %s: change it there", id,
                    entry->file);
    *ret_entry = entry;
    return 0;
}

int catalog_replace(struct catalog *c, const char *id, struct str text,
                    enum definition_format format, struct catalog_entry **ret_entry,
                    struct err *e)
{
    struct catalog_entry *entry;
    struct definition *d;
    int r = catalog_own(c, id, &entry, e);
    if (r >= 0)
        r = catalog_parse(c, text, format, "request body", &d, e);
    if (r < 0)
        return r;
    if (strcmp(d->id, id) != 0) {
        r = fail_field(e, E_INVAL, "id", "the id in the text is '%s', expected '%s'", d->id,
                       id);
        definition_free(d);
        return r;
    }
    definition_free(entry->definition);
    entry->definition = d;
    entry->updated_at_us = clock_wall_us();
    entry_store(c, entry);
    *ret_entry = entry;
    return 0;
}

int catalog_remove(struct catalog *c, const char *id, struct err *e)
{
    struct catalog_entry *entry;
    int r = catalog_own(c, id, &entry, e);
    if (r < 0)
        return r;
    size_t i = catalog_index(c, id);
    batch_delete_definition(writer_batch(c->writer), id);
    memmove(&c->entries[i], &c->entries[i + 1], (c->count - i - 1) * sizeof(c->entries[0]));
    c->count--;
    entry_free(entry);
    return 0;
}
