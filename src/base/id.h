/* id.h: UUIDv7 (RFC 9562): 48 bits of milliseconds, then random bits; so ids sort by the time
 * at which they were made, and those of one millisecond in the order in which they were made.
 *
 * The zero id means "none" and is written as "". Thread: any. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/text.h"

struct id {
    uint8_t b[16];
};

#define ID_TEXT_LEN 36
#define ID_NONE ((struct id){{0}})

struct id id_new(void);
bool id_is_none(struct id id);
bool id_eq(struct id a, struct id b);
int id_compare(struct id a, struct id b);

/* "018f0f5e-…": 36 characters and a NUL; "" for the zero id. Returns `to`. */
char *id_format(struct id id, char to[ID_TEXT_LEN + 1]);

/* Reads the 36 character form, any case. Any UUID version is taken. */
bool id_parse(struct str text, struct id *ret_id);

/* For a printf argument: ID_TEXT(id) lives until the end of the enclosing block. */
#define ID_TEXT(id) id_format((id), (char[ID_TEXT_LEN + 1]){0})
