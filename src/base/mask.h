/* mask.h: finds secrets in what programs print, and puts "***" in their place.
 *
 * A secret is found as it is, in base64 (also of a text that it is a part of; standard and URL
 * alphabet), in hex, and in the spellings that URLs, forms, JSON, HTML and the shell have for
 * single characters. A secret of several lines is found as a whole and by its
 * lines. In all forms it is also found when line breaks (or colours of a terminal) stand
 * between its characters.
 *
 * Texts of one stream are given one after the other, as its lines come. Nothing is held back:
 * of a text that ends with the beginning of a secret, that beginning is masked when it is long
 * enough to be told from other text (4 characters; 6 digits of hex), and what continues it in
 * the next text is masked when it does.
 *
 *     struct mask *m = mask_new();
 *     mask_add(m, STR("correct horse"));
 *     AUTO_BUF out = BUF_INIT(LIMIT_LINE_BYTES);
 *     if (mask_apply(m, &stream, line, &out)) ... out is what may be shown, else the line
 *
 * Not found: what was turned around, shortened, compressed or encrypted. Cost without a hit:
 * about a nanosecond a byte. Memory of secrets is wiped before it is freed. Thread: one at a
 * time. */
#pragma once

#include "base/buf.h"

struct mask;

struct mask_stream {
    struct buf tail; /* of what came so far: what may go on as a secret */
};

#define MASK_STREAM_INIT                                                                       \
    {                                                                                          \
        BUF_INIT(MASK_TAIL_BYTES)                                                              \
    }
enum { MASK_TAIL_BYTES = 128 * 1024 };

struct mask *mask_new(void);
void mask_free(struct mask *m); /* NULL is fine */

/* One that is there already costs nothing. */
void mask_add(struct mask *m, struct str secret);

/* False: `text` holds no secret, and *out was not touched. True: it is in *out, masked, with as
 * many line breaks as before. `s` NULL: the text stands alone. */
bool mask_apply(struct mask *m, struct mask_stream *s, struct str text, struct buf *out);

/* The same for a text in JSON (members without braces will do): only within its strings. */
bool mask_apply_json(struct mask *m, struct str text, struct buf *out);

/* Is a whole secret in it? */
bool mask_finds(struct mask *m, struct str text);

void mask_stream_done(struct mask_stream *s);
