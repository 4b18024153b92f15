/* space.h: looks once a second how much room is left for the data folder, so that a disk that
 * is nearly full is noticed while it is only nearly so: then new jobs wait, and who looks is
 * told.
 *
 * Room is what the file system has for this user and what is free inside the database. It is
 * low below a limit, and enough again a tenth above it. Thread: loop; the looking is done on
 * the pool, for a file system may hang. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/macro.h"

struct err;
struct json;
struct server;
struct space;

/* Looks for the first time, at once: before jobs go on. E_IO. */
CHECKED int space_new(struct server *s, int64_t min_bytes, struct space **ret_space,
                      struct err *e);
void space_stop(struct space *space); /* closes its handle; NULL is fine */
void space_free(struct space *space); /* after the loop's last run; NULL is fine */

/* Bytes of the files right in a folder. Blocks; any thread. */
int64_t space_folder_bytes(const char *folder);

/* "space": {...} of GET /api/status. */
void space_json(const struct space *space, struct json *j);
bool space_is_low(const struct space *space);
