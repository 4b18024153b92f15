/* The parser is a loop over two states: collecting the head of a frame (2 to 14 bytes), and
 * taking its payload. Data frames are gathered in `message` until the one with FIN, control
 * frames in `control`, because they may come between the frames of a message.
 *
 * It fails on everything the RFC forbids a client to send: no mask, reserved bits, unknown
 * opcodes, lengths not written in the shortest form, control frames in pieces or over 125
 * bytes, continuations of nothing, text that is not UTF-8. */
#include "server/websocket.h"

#include <string.h>

#include <nettle/base64.h>
#include <nettle/sha1.h>

enum { RSV1 = 0x40 }; /* of the first frame of a message: it is compressed */

bool ws_accept(struct str key, char to[WS_ACCEPT_LEN + 1])
{
    static const char guid[] = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11";
    enum { KEY_LEN = 24, NONCE_LEN = 16 };
    struct base64_decode_ctx decode;
    uint8_t nonce[BASE64_DECODE_LENGTH(KEY_LEN)], digest[SHA1_DIGEST_SIZE];
    size_t n = sizeof(nonce);
    base64_decode_init(&decode);
    if (key.n != KEY_LEN || !base64_decode_update(&decode, &n, nonce, key.n, key.p) ||
        !base64_decode_final(&decode) || n != NONCE_LEN)
        return false;
    struct sha1_ctx sha1;
    sha1_init(&sha1);
    sha1_update(&sha1, key.n, (const uint8_t *)key.p);
    sha1_update(&sha1, sizeof(guid) - 1, (const uint8_t *)guid);
    sha1_digest(&sha1, sizeof(digest), digest);
    base64_encode_raw(to, sizeof(digest), digest);
    to[WS_ACCEPT_LEN] = 0;
    return true;
}

/* One parameter of an offer: does the answer WS_DEFLATE_ACCEPT satisfy it? */
static bool deflate_parameter_is_fine(struct str parameter)
{
    struct str value = parameter, name = str_trim(str_cut(&value, '='));
    value = value.p ? str_trim(value) : value;
    if (str_eq_c(name, "server_max_window_bits"))
        return value.p && (str_eq_c(value, "15") || str_eq_c(value, "\"15\""));
    return str_eq_c(name, "client_max_window_bits") ||
           str_eq_c(name, "server_no_context_takeover") ||
           str_eq_c(name, "client_no_context_takeover");
}

bool ws_offers_deflate(struct str extensions)
{
    while (extensions.p) {
        struct str offer = str_cut(&extensions, ',');
        bool fine = str_eq_c(str_trim(str_cut(&offer, ';')), "permessage-deflate");
        while (offer.p && fine)
            fine = deflate_parameter_is_fine(str_trim(str_cut(&offer, ';')));
        if (fine)
            return true;
    }
    return false;
}

void ws_parser_init(struct ws_parser *p, size_t max_bytes, struct inflater *inflater)
{
    enum { CONTROL_BYTES = 125 };
    *p = (struct ws_parser){.max_bytes = max_bytes,
                            .inflater = inflater,
                            .message = BUF_INIT(max_bytes),
                            .control = BUF_INIT(CONTROL_BYTES)};
}

void ws_parser_done(struct ws_parser *p)
{
    buf_done(&p->message);
    buf_done(&p->control);
}

static enum ws_result refuse(struct ws_parser *p, int code, const char *reason)
{
    p->close_code = code;
    p->reason = reason;
    return WS_ERROR;
}

/* How many bytes the head has, as far as its first two tell. */
static size_t head_length(const struct ws_parser *p)
{
    enum { MASK_BYTES = 4 };
    if (p->head_n < 2)
        return 2;
    unsigned length = p->head[1] & 0x7f;
    return 2 + (length == 126 ? 2 : length == 127 ? 8 : 0) + MASK_BYTES;
}

static bool is_control(unsigned opcode)
{
    return (opcode & 8) != 0;
}

/* What the first two bytes can already be wrong about; so a client that does not mask is told
 * at once, not when the bytes that should be a mask have come. */
static enum ws_result head_check(struct ws_parser *p)
{
    unsigned opcode = p->head[0] & 0x0f, length = p->head[1] & 0x7f;
    bool fin = p->head[0] & 0x80;
    bool packed = p->head[0] & RSV1;
    bool may_be_packed = p->inflater && (opcode == WS_TEXT || opcode == WS_BINARY);
    if ((p->head[0] & 0x30) || (packed && !may_be_packed))
        return refuse(p, WS_CLOSE_PROTOCOL, "a reserved bit is set");
    if (!(p->head[1] & 0x80))
        return refuse(p, WS_CLOSE_PROTOCOL, "a client's frames must be masked");
    if (opcode > WS_PONG || (opcode > WS_BINARY && opcode < WS_CLOSE))
        return refuse(p, WS_CLOSE_PROTOCOL, "unknown opcode");
    if (is_control(opcode) && (!fin || length > 125))
        return refuse(p, WS_CLOSE_PROTOCOL,
                      "a control frame is one frame of at most 125 bytes");
    if (opcode == WS_CONTINUATION && !p->message_opcode)
        return refuse(p, WS_CLOSE_PROTOCOL, "a continuation of nothing");
    if ((opcode == WS_TEXT || opcode == WS_BINARY) && p->message_opcode)
        return refuse(p, WS_CLOSE_PROTOCOL, "a new message before the last one ended");
    return WS_MORE;
}

/* The head is complete: takes the length from it. */
static enum ws_result payload_begin(struct ws_parser *p)
{
    unsigned length = p->head[1] & 0x7f;
    size_t width = length == 126 ? 2 : length == 127 ? 8 : 0;
    p->opcode = p->head[0] & 0x0f;
    p->left = width ? 0 : length;
    for (size_t i = 0; i < width; i++)
        p->left = p->left << 8 | p->head[2 + i];
    if ((width == 2 && p->left < 126) || (width == 8 && (p->left < 65536 || p->left >> 63)))
        return refuse(p, WS_CLOSE_PROTOCOL, "a length that is not in its shortest form");
    if (!is_control(p->opcode) && p->left > p->max_bytes - p->message.n)
        return refuse(p, WS_CLOSE_BAD_REQUEST, "the message is too large");
    if (p->opcode == WS_TEXT || p->opcode == WS_BINARY) {
        p->message_opcode = p->opcode;
        p->packed = p->head[0] & RSV1;
    }
    p->mask_at = 0;
    p->in_payload = true;
    return WS_MORE;
}

static void payload_take(struct ws_parser *p, struct str *in)
{
    size_t n = p->left < in->n ? (size_t)p->left : in->n;
    if (n == 0)
        return;
    struct buf *into = is_control(p->opcode) ? &p->control : &p->message;
    unsigned char *to = (unsigned char *)buf_room(into, n);
    const unsigned char *mask = p->head + p->head_n - 4;
    for (size_t i = 0; i < n; i++)
        to[i] = (unsigned char)in->p[i] ^ mask[(p->mask_at + i) & 3];
    p->mask_at += n;
    p->left -= n;
    into->n += n;
    in->p += n;
    in->n -= n;
}

static bool is_utf8(struct str s)
{
    for (size_t i = 0; i < s.n;) {
        size_t n = utf8_length((const unsigned char *)s.p + i, s.n - i);
        if (n == 0)
            return false;
        i += n;
    }
    return true;
}

static bool is_close_code(int code)
{
    return (code >= 1000 && code <= 1003) || (code >= 1007 && code <= 1011) ||
           (code >= 3000 && code <= 4999);
}

static enum ws_result control_end(struct ws_parser *p, struct ws_message *ret)
{
    struct str data = buf_str(&p->control);
    p->gave = true;
    *ret = (struct ws_message){.opcode = p->opcode, .data = data};
    if (p->opcode != WS_CLOSE)
        return WS_MESSAGE;
    ret->close_code = WS_CLOSE_NONE;
    if (data.n == 0)
        return WS_MESSAGE;
    if (data.n == 1)
        return refuse(p, WS_CLOSE_PROTOCOL, "a close code has two bytes");
    ret->close_code = (unsigned char)data.p[0] << 8 | (unsigned char)data.p[1];
    ret->data = (struct str){data.p + 2, data.n - 2};
    if (!is_close_code(ret->close_code))
        return refuse(p, WS_CLOSE_PROTOCOL, "a close code that may not be sent");
    if (!is_utf8(ret->data))
        return refuse(p, WS_CLOSE_TEXT, "the reason of the close is not UTF-8");
    return WS_MESSAGE;
}

/* What came compressed is replaced by what it says. */
static enum ws_result message_unpack(struct ws_parser *p)
{
    struct buf text = BUF_INIT(p->max_bytes);
    bool ok = inflater_run(p->inflater, buf_str(&p->message), &text);
    buf_done(&p->message);
    p->message = text;
    if (text.overflow)
        return refuse(p, WS_CLOSE_BAD_REQUEST, "the message is too large");
    return ok ? WS_MORE : refuse(p, WS_CLOSE_TEXT, "a compressed message cannot be unpacked");
}

static enum ws_result message_end(struct ws_parser *p, struct ws_message *ret)
{
    if (p->packed && message_unpack(p) == WS_ERROR)
        return WS_ERROR;
    *ret = (struct ws_message){.opcode = p->message_opcode, .data = buf_str(&p->message)};
    p->message_opcode = 0;
    p->gave = true;
    if (ret->opcode == WS_TEXT && !is_utf8(ret->data))
        return refuse(p, WS_CLOSE_TEXT, "a text message is not UTF-8");
    return WS_MESSAGE;
}

enum ws_result ws_parser_next(struct ws_parser *p, struct str *in, struct ws_message *ret)
{
    ASSERT(p->close_code == 0);
    if (p->gave) { /* clients say little: what most of them need is no memory */
        buf_done(&p->control);
        if (!p->message_opcode)
            buf_done(&p->message);
    }
    p->gave = false;
    for (;;) {
        while (!p->in_payload) {
            if (in->n == 0)
                return WS_MORE;
            p->head[p->head_n++] = (unsigned char)*in->p++;
            in->n--;
            if (p->head_n == 2 && head_check(p) == WS_ERROR)
                return WS_ERROR;
            if (p->head_n == head_length(p) && payload_begin(p) == WS_ERROR)
                return WS_ERROR;
        }
        payload_take(p, in);
        if (p->left)
            return WS_MORE;
        bool fin = p->head[0] & 0x80;
        p->in_payload = false;
        p->head_n = 0;
        if (is_control(p->opcode))
            return control_end(p, ret);
        if (fin)
            return message_end(p, ret);
    }
}

void ws_add_control(struct buf *out, enum ws_opcode opcode, struct str data)
{
    ASSERT(data.n <= 125);
    buf_add_byte(out, (char)(0x80 | opcode));
    buf_add_byte(out, (char)data.n);
    buf_add_str(out, data);
}

void ws_add_close(struct buf *out, int code, const char *reason)
{
    char data[125] = {(char)(code >> 8), (char)(code & 0xff)};
    struct str text = str_of(reason);
    size_t n = text.n < sizeof(data) - 2 ? text.n : utf8_cut(text, sizeof(data) - 2);
    if (n)
        memcpy(data + 2, text.p, n);
    ws_add_control(out, WS_CLOSE, (struct str){data, n + 2});
}
