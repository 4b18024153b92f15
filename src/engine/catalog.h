/* catalog.h: the definitions there are: those of the folder and those that came by API.
 *
 * A definition of the folder belongs to its file: changing it over the API is refused with that
 * reason. One id has one definition: a second one in the folder is refused, naming both files.
 * API definitions are rows of the store. Thread: loop. */
#pragma once

#include "job/definition.h"
#include "store/writer.h"

struct catalog;

struct catalog_entry {
    struct definition *definition;
    char *file; /* of the folder; NULL: came by API */
    int64_t created_at_us, updated_at_us;
};

struct catalog *catalog_new(struct writer *writer);

/* A definition may name one of these only; before the first one comes. They live as long. */
void catalog_limit_pools(struct catalog *c, const struct pool_limits *pools);
void catalog_free(struct catalog *c);

/* Reads *.yaml, *.yml and *.json of `folder`, by name. A wrong file is logged with its sentence
 * and left out; the rest is served. Returns how many were wrong; E_IO when the folder cannot be
 * read. */
CHECKED int catalog_load_folder(struct catalog *c, const char *folder, struct err *e);

/* Takes in what the store has (before the loop runs). */
CHECKED int catalog_load_store(struct catalog *c, struct store_reader *r, struct err *e);

struct catalog_entry *catalog_find(const struct catalog *c, const char *id); /* or NULL */
size_t catalog_count(const struct catalog *c);
struct catalog_entry *catalog_at(const struct catalog *c, size_t i); /* by id */

/* Checks and adds: E_INVAL, E_EXISTS, E_LIMIT. `replace`: E_NOTFOUND when there is none,
 * E_STATE when it belongs to a file, E_INVAL when the id in the text is another one. Durable
 * with the current batch: answer after writer_after_commit(). The entry is valid until the next
 * change. */
CHECKED int catalog_add(struct catalog *c, struct str text, enum definition_format format,
                        struct catalog_entry **ret_entry, struct err *e);
CHECKED int catalog_replace(struct catalog *c, const char *id, struct str text,
                            enum definition_format format, struct catalog_entry **ret_entry,
                            struct err *e);
CHECKED int catalog_remove(struct catalog *c, const char *id, struct err *e);
