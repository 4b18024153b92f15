/* json.h: writes JSON as a stream into a buffer. Reading is jansson's.
 *
 * Commas come by themselves:
 *
 *     struct json j = JSON_TO(&out);
 *     json_begin_object(&j);
 *     json_key_c(&j, "name", "News Crawler");
 *     json_key(&j, "tags");
 *     json_begin_array(&j);
 *     json_text_c(&j, "news");
 *     json_end_array(&j);
 *     json_end_object(&j);
 *
 * The names keep clear of jansson's, which is linked into the same program.
 *
 * Strings may hold any bytes: what is not valid UTF-8 becomes U+FFFD, one for each wrong byte.
 * Overflow is the buffer's (buf.h). Thread: one at a time. */
#pragma once

#include "base/buf.h"
#include "base/id.h"

struct json {
    struct buf *out;
    bool comma; /* a value stands before the next one in this object or array */
};

#define JSON_TO(buf) ((struct json){(buf), false})

void json_begin_object(struct json *j);
void json_end_object(struct json *j);
void json_begin_array(struct json *j);
void json_end_array(struct json *j);
void json_key(struct json *j, const char *key); /* `key` needs no escapes */

void json_text(struct json *j, struct str s);
void json_text_c(struct json *j, const char *s); /* NULL writes null */
void json_int(struct json *j, int64_t value);
void json_double(struct json *j, double value); /* what is not finite writes null */
void json_bool(struct json *j, bool value);
void json_write_null(struct json *j);
void json_id(struct json *j, struct id id);      /* "" for none */
void json_time(struct json *j, int64_t wall_us); /* null for 0 */
void json_raw(struct json *j,
              struct str value); /* a value that is JSON already; null when empty */

/* Key and value in one call. */
void json_key_text(struct json *j, const char *key, struct str s);
void json_key_c(struct json *j, const char *key, const char *s);
void json_key_int(struct json *j, const char *key, int64_t value);
void json_key_bool(struct json *j, const char *key, bool value);
void json_key_id(struct json *j, const char *key, struct id id);
void json_key_time(struct json *j, const char *key, int64_t wall_us);
void json_key_raw(struct json *j, const char *key, struct str value);

/* Appends the escaped contents of a string, without the quotes. */
void json_escape(struct buf *out, struct str s);
