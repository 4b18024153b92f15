/* codec.h: events as bytes, for journal rows and chunks alike.
 *
 * A blob is: "TL", a version byte, then one zstd frame with a checksum. Unpacked, it is a
 * header and one column per field, because columns of like values compress far better than
 * records; numbers are LEB128 varints, signed ones zigzag:
 *
 *     first_seq count
 *     source_count { job id, step id: 16 bytes each; name and type: length, bytes }
 *     task_count { id: 16 bytes }
 *     type[count]: byte      bits[count]: byte, level | originator << 2 | kind << 4
 *     source[count]          task[count]: 0 is none, else index + 1
 *     seq[count]: distance to the one before, minus 1 (to first_seq for the first, as it is)
 *     ts[count]: signed distance to the one before
 *     line[count]: signed distance to the number expected: the last line of this source + 1,
 *                  or 0 for what is not a line
 *     message_n[count]       members_n[count]
 *     all texts: message, members, message, members ...
 *
 * The decoder trusts nothing: any byte that does not fit is E_CORRUPT with a sentence.
 * Thread: a struct codec belongs to one at a time. */
#pragma once

#include "base/err.h"
#include "job/event.h"

/* Levels of zstd. In the journal, where lines stay for seconds, speed counts: -2 halves the
 * time of 1 for a quarter more bytes, and below that the bytes cost more than the time saves.
 * On chunks 3 costs a quarter more time than 1 and saves 0 to 4 %. */
enum codec_level { CODEC_JOURNAL = -2, CODEC_CHUNK = 1 };

enum {
    CODEC_RAW_MAX_BYTES = 128 * 1024 * 1024, /* unpacked: E_TOOBIG, E_CORRUPT */
};

struct codec; /* compression contexts and scratch memory, kept for the next call */

struct codec *codec_new(void);
void codec_free(struct codec *c); /* NULL is fine */

/* Encodes events [from, to) of a batch, whose seq are ascending, to > from. The bytes are the
 * codec's and valid until its next use. E_TOOBIG. */
CHECKED int codec_encode(struct codec *c, const struct event_batch *b, size_t from, size_t to,
                         enum codec_level level, struct str *ret_blob, struct err *e);

/* Decodes into a batch, which is cleared first; on failure it is empty. E_CORRUPT. */
CHECKED int codec_decode(struct codec *c, struct str blob, struct event_batch *into,
                         struct err *e);

/* The same for what is inside of the zstd frame: behind the checksum, for fuzzing. */
CHECKED int codec_decode_raw(struct str raw, struct event_batch *into, struct err *e);
