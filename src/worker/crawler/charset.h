/* charset.h: the bytes of a page to UTF-8, as browsers do it.
 *
 * A byte order mark decides, else the Content-Type, else a <meta> in the first 1024 bytes; else
 * it is UTF-8 when it is valid UTF-8, else windows-1252. Labels mean what the encoding standard
 * says
 * ("latin1" and "ascii" are windows-1252); an unknown label counts as none. What is not valid
 * in the encoding becomes U+FFFD, one for each wrong byte. Pure; thread: any. */
#pragma once

#include "base/buf.h"

/* Decodes `bytes`. *ret_text is the result: a slice of `bytes` where nothing had to be changed,
 * else *room holds it. Returns the encoding's name ("utf-8"), which is static. A result that
 * does not fit `room` is cut (room->overflow). */
const char *charset_decode(struct str bytes, struct str content_type, struct buf *room,
                           struct str *ret_text);
