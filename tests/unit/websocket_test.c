/* What a client's bytes become, whole, byte by byte and in random pieces. */
#include "server/websocket.h"

#include <stdlib.h>
#include <string.h>

#include "test.h"

#define BYTES(s) s, sizeof(s) - 1

/* A step of the expected outcome: opcode and data of a message, or a close code. */
struct row {
    const char *name;
    const char *bytes;
    size_t n;
    const char *want; /* "text:Hello ping:x …" or "… error:1002" */
};

/* Masked with 0 unless the row is about masks: what is in the frame can be read here. */
static const struct row rows[] = {
    {"the RFC's masked Hello", BYTES("\x81\x85\x37\xfa\x21\x3d\x7f\x9f\x4d\x51\x58"),
     "text:Hello "},
    {"an empty text", BYTES("\x81\x80\0\0\0\0"), "text: "},
    {"binary", BYTES("\x82\x82\0\0\0\0ab"), "binary:ab "},
    {"three fragments", BYTES("\x01\x81\0\0\0\0a\x00\x81\0\0\0\0b\x80\x81\0\0\0\0c"),
     "text:abc "},
    {"a ping between fragments", BYTES("\x01\x81\0\0\0\0a\x89\x81\0\0\0\0!\x80\x81\0\0\0\0b"),
     "ping:! text:ab "},
    {"a pong", BYTES("\x8a\x80\0\0\0\0"), "pong: "},
    {"two messages", BYTES("\x81\x81\0\0\0\0a\x81\x81\0\0\0\0b"), "text:a text:b "},
    {"close without a code", BYTES("\x88\x80\0\0\0\0"), "close 1005: "},
    {"close with code and reason",
     BYTES("\x88\x85\0\0\0\0\x03\xe8"
           "bye"),
     "close 1000:bye "},
    {"close with an application's code", BYTES("\x88\x82\0\0\0\0\x0f\xa1"), "close 4001: "},
    {"UTF-8 over two fragments", BYTES("\x01\x81\0\0\0\0\xc3\x80\x81\0\0\0\0\xa4"),
     "text:\xc3\xa4 "},

    {"no mask", BYTES("\x81\x05Hello"), "error:1002"},
    {"a reserved bit", BYTES("\xc1\x80\0\0\0\0"), "error:1002"},
    {"opcode 3", BYTES("\x83\x80\0\0\0\0"), "error:1002"},
    {"opcode 11", BYTES("\x8b\x80\0\0\0\0"), "error:1002"},
    {"a continuation of nothing", BYTES("\x80\x80\0\0\0\0"), "error:1002"},
    {"a new message in the middle of one", BYTES("\x01\x81\0\0\0\0a\x81\x80\0\0\0\0"),
     "error:1002"},
    {"a ping in pieces", BYTES("\x09\x80\0\0\0\0"), "error:1002"},
    {"a ping of 126 bytes", BYTES("\x89\xfe\x00\x7e\0\0\0\0"), "error:1002"},
    {"a close code of one byte", BYTES("\x88\x81\0\0\0\0\x03"), "error:1002"},
    {"a close code that is only local", BYTES("\x88\x82\0\0\0\0\x03\xee"), "error:1002"},
    {"a close code below 1000", BYTES("\x88\x82\0\0\0\0\x03\xe7"), "error:1002"},
    {"a reason that is not UTF-8", BYTES("\x88\x83\0\0\0\0\x03\xe8\xff"), "error:1007"},
    {"a length of 5 in two bytes", BYTES("\x81\xfe\x00\x05\0\0\0\0"), "error:1002"},
    {"a length of 126 in eight bytes",
     BYTES("\x81\xff\x00\x00\x00\x00\x00\x00\x00\x7e\0\0\0\0"), "error:1002"},
    {"a length with the highest bit", BYTES("\x81\xff\x80\x00\x00\x00\x00\x01\x00\x00\0\0\0\0"),
     "error:1002"},
    {"text that is not UTF-8", BYTES("\x81\x81\0\0\0\0\xff"), "error:1007"},
    {"an overlong form", BYTES("\x81\x82\0\0\0\0\xc0\xaf"), "error:1007"},
    {"a surrogate", BYTES("\x81\x83\0\0\0\0\xed\xa0\x80"), "error:1007"},
    {"more than the limit", BYTES("\x81\xfe\x01\x01\0\0\0\0"), "error:4500"},
    {"far more than the limit", BYTES("\x81\xff\x00\x00\x7f\xff\xff\xff\xff\xff\0\0\0\0"),
     "error:4500"},
    {"an error after a message", BYTES("\x81\x81\0\0\0\0a\x83\x80\0\0\0\0"),
     "text:a error:1002"},
    {"half a frame", BYTES("\x81\x85\0\0\0\0He"), ""},
};

enum { LIMIT_BYTES = 256 };

static void outcome_add(struct buf *out, const struct ws_message *m)
{
    static const char *const names[16] = {[WS_TEXT] = "text",
                                          [WS_BINARY] = "binary",
                                          [WS_CLOSE] = "close",
                                          [WS_PING] = "ping",
                                          [WS_PONG] = "pong"};
    buf_add_c(out, names[m->opcode]);
    if (m->opcode == WS_CLOSE)
        buf_printf(out, " %d", m->close_code);
    buf_add_byte(out, ':');
    buf_add_str(out, m->data);
    buf_add_byte(out, ' ');
}

/* Feeds the row in pieces of at most `piece` bytes (0: of random lengths). */
static void check_row(const struct row *row, size_t piece)
{
    AUTO_BUF out = BUF_INIT(4096);
    struct ws_parser p;
    enum ws_result r = WS_MORE;
    ws_parser_init(&p, LIMIT_BYTES, NULL);
    for (size_t at = 0; at < row->n && r != WS_ERROR;) {
        struct ws_message m;
        size_t n = piece ? piece : 1 + (size_t)rand() % 7;
        n = n < row->n - at ? n : row->n - at;
        char *copy = malloc(n); /* so that reading past it is found */
        memcpy(copy, row->bytes + at, n);
        struct str in = {copy, n};
        while ((r = ws_parser_next(&p, &in, &m)) == WS_MESSAGE)
            outcome_add(&out, &m);
        CHECK(r == WS_ERROR || in.n == 0);
        free(copy);
        at += n;
    }
    if (r == WS_ERROR)
        buf_printf(&out, "error:%d", p.close_code);
    ws_parser_done(&p);
    if (strcmp(buf_text(&out), row->want) != 0)
        test_fail(__FILE__, __LINE__, "%s, in pieces of %zu: \"%s\", expected \"%s\"",
                  row->name, piece, buf_text(&out), row->want);
}

TEST(a_websocket_client_is_understood_whatever_the_pieces)
{
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        check_row(&rows[i], rows[i].n);
        check_row(&rows[i], 1);
        for (int k = 0; k < 20; k++)
            check_row(&rows[i], 0);
    }
}

TEST(a_message_of_exactly_the_limit_is_taken)
{
    struct ws_parser p;
    struct ws_message m;
    char bytes[8 + LIMIT_BYTES] = "\x82\xfe\x01\x00"; /* and a mask of zeros */
    struct str in = {bytes, sizeof(bytes)};
    ws_parser_init(&p, LIMIT_BYTES, NULL);
    CHECK_INT(ws_parser_next(&p, &in, &m), WS_MESSAGE);
    CHECK_INT(m.data.n, LIMIT_BYTES);
    CHECK_INT(ws_parser_next(&p, &in, &m), WS_MORE);
    ws_parser_done(&p);
}

TEST(fragments_that_grow_past_the_limit_together_are_refused)
{
    struct ws_parser p;
    struct ws_message m;
    char bytes[6 + 100] = "\x02\xe4"; /* 100 bytes, more to come */
    ws_parser_init(&p, LIMIT_BYTES, NULL);
    for (int i = 0; i < 3; i++) {
        struct str in = {bytes, sizeof(bytes)};
        enum ws_result r = ws_parser_next(&p, &in, &m);
        CHECK_INT(r, i < 2 ? WS_MORE : WS_ERROR);
        bytes[0] = 0; /* a continuation */
    }
    CHECK_INT(p.close_code, WS_CLOSE_BAD_REQUEST);
    ws_parser_done(&p);
}

TEST(the_accept_hash_is_that_of_the_rfc)
{
    char accept[WS_ACCEPT_LEN + 1];
    CHECK(ws_accept(STR("dGhlIHNhbXBsZSBub25jZQ=="), accept));
    CHECK_TEXT(accept, "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=");
}

TEST(a_websocket_key_must_be_16_bytes_in_base64)
{
    static const char *const wrong[] = {"",
                                        "short",
                                        "dGhlIHNhbXBsZSBub25jZQ",
                                        "dGhlIHNhbXBsZSBub25jZ!==",
                                        "dGhlIHNhbXBsZSBub25jZXh4",
                                        "dGhlIHNhbXBsZSBub25jZQ==dGhl"};
    char accept[WS_ACCEPT_LEN + 1];
    for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++)
        if (ws_accept(str_of(wrong[i]), accept))
            test_fail(__FILE__, __LINE__, "\"%s\" was taken for a key", wrong[i]);
}

TEST(a_long_reason_is_cut_between_characters)
{
    AUTO_BUF out = BUF_INIT(256);
    char reason[201];
    memset(reason, 'x', sizeof(reason));
    memcpy(reason + 122, "\xc3\xa4", 2); /* lies across the limit of 123 */
    reason[200] = 0;
    ws_add_close(&out, WS_CLOSE_RESTART, reason);
    CHECK_INT(out.n, 2 + 2 + 122);
    CHECK_INT((unsigned char)out.p[0], 0x88);
    CHECK_INT(out.p[1], 124);
    CHECK_INT((unsigned char)out.p[2] << 8 | (unsigned char)out.p[3], WS_CLOSE_RESTART);
}

/* ---- permessage-deflate ---- */

TEST(an_offer_of_deflate_is_taken_when_its_words_are_known)
{
    static const struct {
        const char *offer;
        bool taken;
    } offers[] = {
        {"permessage-deflate", true},
        {"permessage-deflate; client_max_window_bits", true},
        {"permessage-deflate; server_no_context_takeover;client_max_window_bits=10", true},
        {"x-webkit-deflate-frame, permessage-deflate", true},
        {"permessage-deflate; server_max_window_bits=15", true},
        {"permessage-deflate; server_max_window_bits=10", false},
        {"permessage-deflate; server_max_window_bits=10, permessage-deflate", true},
        {"permessage-deflate; server_max_window_bits", false},
        {"permessage-deflate; unknown=1", false},
        {"permessage-deflated", false},
        {"", false},
    };
    for (size_t i = 0; i < sizeof(offers) / sizeof(offers[0]); i++)
        if (ws_offers_deflate(str_of(offers[i].offer)) != offers[i].taken)
            test_fail(__FILE__, __LINE__, "\"%s\"", offers[i].offer);
    CHECK(!ws_offers_deflate((struct str){NULL, 0}));
}

/* A client's frame with mask 0, RSV1 set. */
static void add_packed(struct buf *out, struct str text)
{
    struct deflater *deflater = deflater_new();
    AUTO_BUF packed = BUF_INIT(1 << 20);
    deflater_add(deflater, &packed, text);
    CHECK(packed.n < 126);
    buf_add(out, (char[]){(char)0xc1, (char)(0x80 | packed.n), 0, 0, 0, 0}, 6);
    buf_add_str(out, buf_str(&packed));
    deflater_free(deflater);
}

TEST(a_compressed_message_is_unpacked_and_the_next_one_is_by_itself)
{
    AUTO_BUF in = BUF_INIT(4096);
    struct inflater *inflater = inflater_new();
    struct ws_parser p;
    struct ws_message m;
    add_packed(&in, STR("{\"op\":\"sub\",\"topic\":\"jobs\"}"));
    buf_add(&in, "\x81\x82\0\0\0\0hi", 8);
    add_packed(&in, STR(""));
    add_packed(&in, STR("once more, once more"));
    ws_parser_init(&p, LIMIT_BYTES, inflater);
    struct str rest = buf_str(&in);
    static const char *const want[] = {"{\"op\":\"sub\",\"topic\":\"jobs\"}", "hi", "",
                                       "once more, once more"};
    for (int i = 0; i < 4; i++) {
        CHECK_INT(ws_parser_next(&p, &rest, &m), WS_MESSAGE);
        CHECK(str_eq_c(m.data, want[i]));
    }
    ws_parser_done(&p);
    inflater_free(inflater);
}

static int close_code_of(struct str in, struct inflater *inflater)
{
    struct ws_parser p;
    struct ws_message m;
    ws_parser_init(&p, LIMIT_BYTES, inflater);
    while (ws_parser_next(&p, &in, &m) == WS_MESSAGE)
        ;
    int code = p.close_code;
    ws_parser_done(&p);
    return code;
}

TEST(a_compressed_message_that_was_not_agreed_on_is_broken_or_grows_too_large_is_refused)
{
    char many[LIMIT_BYTES + 1];
    struct inflater *inflater = inflater_new();
    AUTO_BUF bomb = BUF_INIT(4096);
    AUTO_BUF fine = BUF_INIT(4096);
    memset(many, 'x', sizeof(many));
    add_packed(&bomb, (struct str){many, sizeof(many)});
    add_packed(&fine, (struct str){many, LIMIT_BYTES});
    CHECK_INT(close_code_of(buf_str(&fine), NULL), WS_CLOSE_PROTOCOL);
    CHECK_INT(close_code_of(buf_str(&fine), inflater), 0);
    CHECK_INT(close_code_of(buf_str(&bomb), inflater), WS_CLOSE_BAD_REQUEST);
    CHECK_INT(close_code_of(STR("\xc1\x83\0\0\0\0\xff\xff\xff"), inflater), WS_CLOSE_TEXT);
    /* only the first frame of a message says that it is compressed; a ping never is */
    CHECK_INT(close_code_of(STR("\x01\x81\0\0\0\0x\xc0\x81\0\0\0\0x"), inflater),
              WS_CLOSE_PROTOCOL);
    CHECK_INT(close_code_of(STR("\xc9\x80\0\0\0\0"), inflater), WS_CLOSE_PROTOCOL);
    CHECK_INT(close_code_of(buf_str(&fine), inflater), 0); /* it works after an error too */
    inflater_free(inflater);
}
