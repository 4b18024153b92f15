/* websocket.h: RFC 6455 for a server, without a socket: the handshake's hash and its extension
 * permessage-deflate (RFC 7692), a parser for what clients send, and frames that are not shared
 * (those that are: feed/form.h).
 *
 * The parser takes bytes in pieces of any size and gives whole messages:
 *
 *     struct str in = {bytes, n};
 *     while ((r = ws_parser_next(&p, &in, &m)) == WS_MESSAGE)
 *         ...                                   r == WS_MORE: `in` is used up
 *     if (r == WS_ERROR) close with p.close_code and p.reason
 *
 * Pure; thread: one at a time. */
#pragma once

#include "base/buf.h"
#include "feed/deflate.h"

/* Sec-WebSocket-Accept for a Sec-WebSocket-Key. False when the key is not 16 bytes in base64.
 */
#define WS_ACCEPT_LEN 28
bool ws_accept(struct str key, char to[WS_ACCEPT_LEN + 1]);

/* Does Sec-WebSocket-Extensions offer permessage-deflate in a form that can be taken? Each
 * message is compressed by itself, with the full window; an offer that asks for a smaller one
 * or has words that are not known is passed over for the next. The answer is
 * WS_DEFLATE_ACCEPT. */
#define WS_DEFLATE_ACCEPT                                                                      \
    "permessage-deflate; server_no_context_takeover; client_no_context_takeover"
bool ws_offers_deflate(struct str extensions);

enum ws_opcode {
    WS_CONTINUATION = 0,
    WS_TEXT = 1,
    WS_BINARY = 2,
    WS_CLOSE = 8,
    WS_PING = 9,
    WS_PONG = 10,
};

/* Close codes: the RFC's, and those of docs/protocol.md. */
enum ws_close {
    WS_CLOSE_NORMAL = 1000,
    WS_CLOSE_PROTOCOL = 1002,
    WS_CLOSE_TYPE = 1003,
    WS_CLOSE_NONE = 1005, /* the peer gave no code; never sent */
    WS_CLOSE_TEXT = 1007,
    WS_CLOSE_RESTART = 4001,
    WS_CLOSE_STALLED = 4003,
    WS_CLOSE_SILENT = 4004,
    WS_CLOSE_BAD_REQUEST = 4500,
};

struct ws_message {
    enum ws_opcode opcode; /* TEXT, BINARY, CLOSE, PING or PONG */
    struct str data;       /* unmasked; of CLOSE: the reason. Valid until the next call */
    int close_code;        /* of CLOSE: the peer's code, WS_CLOSE_NONE without one */
};

enum ws_result { WS_MORE, WS_MESSAGE, WS_ERROR };

struct ws_parser {
    int close_code; /* after WS_ERROR */
    const char *reason;
    /* the parser's own from here on */
    size_t max_bytes;
    struct inflater *inflater; /* borrowed; NULL: no extension was agreed on */
    unsigned char head[14];
    unsigned char head_n;
    uint64_t left;   /* bytes of payload that the current frame still has */
    size_t mask_at;  /* which byte of the mask comes next */
    bool in_payload; /* the head is complete */
    bool gave;       /* the last call gave a message that lies in `message` or `control` */
    unsigned char opcode;
    unsigned char message_opcode; /* of the message in pieces, or 0 */
    bool packed;                  /* that message is compressed */
    struct buf message;           /* TEXT and BINARY, over all their frames */
    struct buf control;           /* PING, PONG and CLOSE, which may come between them */
};

/* A message longer than max_bytes, unpacked too, is an error (WS_CLOSE_BAD_REQUEST). With an
 * inflater, which several parsers may share, messages may be compressed. */
void ws_parser_init(struct ws_parser *p, size_t max_bytes, struct inflater *inflater);
void ws_parser_done(struct ws_parser *p);

/* Moves *in behind what it used. After WS_ERROR it must not be called again. */
enum ws_result ws_parser_next(struct ws_parser *p, struct str *in, struct ws_message *ret);

/* Appends an unmasked control frame; `data` has at most 125 bytes. */
void ws_add_control(struct buf *out, enum ws_opcode opcode, struct str data);

/* Appends a close frame; the reason is cut where it does not fit. */
void ws_add_close(struct buf *out, int code, const char *reason);
