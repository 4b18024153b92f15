#include <nettle/base64.h>
#include <stdlib.h>
#include <string.h>

#include "base/json.h"
#include "base/mask.h"
#include "base/mem.h"
#include "test.h"

#define AUTO_MASK AUTO(mask_clear) struct mask
#define AUTO_STREAM AUTO(mask_stream_done) struct mask_stream

static void mask_clear(struct mask **m)
{
    mask_free(*m);
}

static struct mask *mask_of(const char *secret)
{
    struct mask *m = mask_new();
    mask_add(m, str_of(secret));
    return m;
}

/* What `text` looks like; valid until the next call. */
static const char *masked_in(struct mask *m, struct mask_stream *s, const char *text)
{
    static struct buf out = BUF_INIT(16 * 1024 * 1024);
    buf_clear(&out);
    return mask_apply(m, s, str_of(text), &out) ? buf_text(&out) : text;
}

static const char *masked(const char *secret, const char *text)
{
    AUTO_MASK *m = mask_of(secret);
    return masked_in(m, NULL, text);
}

struct sample {
    const char *secret, *text, *masked;
};

static void check_samples(const struct sample *samples, size_t count)
{
    for (size_t i = 0; i < count; i++)
        CHECK_TEXT(masked(samples[i].secret, samples[i].text), samples[i].masked);
}

TEST(a_secret_is_found_as_it_is)
{
    static const struct sample samples[] = {
        {"hunter2!", "hunter2!", "***"},
        {"hunter2!", "my hunter2! and hunter2!hunter2!.", "my *** and ***."},
        {"hunter2!", "hunter2, hunter, nothing", "hunter2, hunter, nothing"},
        {"hunter2!", "HUNTER2! is another one", "HUNTER2! is another one"},
        {"hunter2!", "", ""},
        {"aaaaaa", "aaaaaaaaaaaaa", "***a"},
        {"pässwort", "ein pässwort\xff", "ein ***\xff"},
        {"hunter2!", "\033[1mhun\033[01;31mter2\033[m!\033[0m", "\033[1m***\033[0m"},
        {"hunter2!", "hunter\n2!\nnext", "***\n***\nnext"},
    };
    check_samples(samples, ARRAY_LEN(samples));
}

TEST(a_secret_is_found_in_base64_wherever_it_stands_in_what_was_encoded)
{
    static const struct sample samples[] = {
        {"hunter2!", "aHVudGVyMiE=", "***"},                             /* hunter2! */
        {"hunter2!", "aHVudGVyMiE and more", "*** and more"},            /* without padding */
        {"hunter2!", "aHVudGVyMiEK", "***K"},                            /* hunter2!\n */
        {"hunter2!", "Basic dXNlcjpodW50ZXIyIQ==.", "Basic dXNlcj***."}, /* user: */
        {"hunter2!", "eGh1bnRlcjIh", "e***"},                            /* x */
        {"hunter2!", "eHhodW50ZXIyIQ==", "eH***"},                       /* xx */
        {"~~~?\?\?>>>", "fn5-Pz8_Pj4-", "***"},
        {"~~~?\?\?>>>", "fn5+Pz8/Pj4+", "***"},
        {"~~~?\?\?>>>", "fn5%2BPz8%2fPj4%2B", "***"},
        {"~~~?\?\?>>>", "\"fn5+Pz8\\/Pj4+\"", "\"***\""},
        {"hunter2!", "aHVu\n  dGVy\n  MiE=\n", "***\n***\n***\n"},
        {"hunter2!", "aHVu\\ndGVyMiE=", "***"},
    };
    check_samples(samples, ARRAY_LEN(samples));
}

TEST(a_secret_is_found_in_the_spellings_of_urls_json_html_shell_and_hex)
{
    static const struct sample samples[] = {
        {"a b&c/d+e", "q=a%20b%26c%2Fd%2Be", "q=***"},
        {"a b&c/d+e", "q=a+b%26c%2fd%2be&x=y", "q=***&x=y"},
        {"a b&c/d+e", "%61%20%62%26%63%2F%64%2B%65", "***"},
        {"100%25 sure", "100%25 sure 100%2525+sure 100%25+sure", "*** *** ***"},
        {"a_b-c.d", "a%5Fb%2dc%2Ed a\\_b\\-c.d", "*** ***"},
        {"say \"hi\" \\o/", "{\"k\":\"say \\\"hi\\\" \\\\o\\/\"}", "{\"k\":\"***\"}"},
        {"say \"hi\" \\o/", "say &quot;hi&quot; \\o/", "***"},
        {"it's mine", "set -x: 'it'\"'\"'s mine' it\\'s\\ mine 'it'\\''s mine'",
         "set -x: '***' *** '***'"},
        {"pässwort", "p\\u00e4sswort p\\u00E4sswort p%C3%A4sswort", "*** *** ***"},
        {"gold 😀!", "gold \\ud83d\\ude00!", "***"},
        {"tab\there\nmore", "tab\\there\\nmore", "***"},
        {"hunter2!",
         "68756e7465723221 68:75:6E:74:65:72:32:21 \\x68\\x75\\x6e\\x74\\x65\\x72\\x32\\x21",
         "*** *** ***"},
        {"hunter2!", "0000: 6875 6e74 6572 3221  hunter2!", "0000: ***  ***"},
    };
    check_samples(samples, ARRAY_LEN(samples));
}

TEST(a_secret_of_several_lines_is_found_by_its_lines)
{
    static const char key[] =
        "-----BEGIN KEY-----\nMIIEvQIBADANBg\n  kqhkiG9w0BAQ\nab\n-----END KEY-----\n";
    AUTO_MASK *m = mask_of(key);
    AUTO_STREAM s = MASK_STREAM_INIT;
    CHECK_TEXT(masked_in(m, NULL, "x kqhkiG9w0BAQ y ab"), "x *** y ab");
    CHECK_TEXT(masked_in(m, NULL, key), "***\n***\n***\n***\n***\n");
    CHECK_TEXT(masked_in(m, &s, "-----BEGIN KEY-----"), "***");
    CHECK_TEXT(masked_in(m, &s, "MIIEvQIBADANBg"), "***");
    CHECK_TEXT(masked_in(m, &s, "  kqhkiG9w0BAQ"), "***");
    CHECK_TEXT(masked_in(m, &s, "ab"), "***");
    CHECK_TEXT(masked_in(m, &s, "-----END KEY-----"), "***");
    CHECK_TEXT(masked_in(m, &s, "ab"), "ab");
}

TEST(a_secret_that_is_split_over_lines_is_masked_but_for_its_first_characters)
{
    AUTO_MASK *m = mask_of("correct horse");
    AUTO_STREAM s = MASK_STREAM_INIT;
    CHECK_TEXT(masked_in(m, &s, "the correct h"), "the ***");
    CHECK_TEXT(masked_in(m, &s, "orse is here"), "*** is here");
    CHECK_TEXT(masked_in(m, &s, "it ends with c"), "it ends with c");
    CHECK_TEXT(masked_in(m, &s, "orrect horse"), "***");
    CHECK_TEXT(masked_in(m, &s, "corr"), "***");
    CHECK_TEXT(masked_in(m, &s, "ect house"), "ect house");
    CHECK_TEXT(masked_in(m, &s, "orse"), "orse");
    const char *text = "correct horse";
    for (size_t i = 0; text[i]; i++)
        CHECK_TEXT(masked_in(m, &s, (char[]){text[i], 0}),
                   i < 3 ? ((char[]){text[i], 0}) : "***");
    /* base64 as `base64` wraps it, here at any column, and not mixed with another stream */
    CHECK_TEXT(masked_in(m, &s, "xxY29ycmVjdC"), "xx***");
    CHECK_TEXT(masked_in(m, NULL, "of another stream"), "of another stream");
    CHECK_TEXT(masked_in(m, &s, "Bob3JzZQ=="), "***");
}

TEST(what_is_json_stays_json)
{
    AUTO_MASK *m = mask_of("nabcdef");
    AUTO_BUF out = BUF_INIT(1000);
    CHECK(mask_apply_json(m, STR("\"a\":\"\\nabcdef\",\"n\":[\"x\\\\\",\"nabcdef\"]"), &out));
    CHECK_TEXT(buf_text(&out), "\"a\":\"***\",\"n\":[\"x\\\\\",\"***\"]");
    mask_add(m, STR("123456"));
    buf_clear(&out);
    CHECK(!mask_apply_json(m, STR("\"bytes\":1234567"), &out));
    CHECK_INT(out.n, 0);
}

TEST(secrets_are_added_one_by_one_and_none_twice)
{
    AUTO_MASK *m = mask_of("hunter2!");
    mask_add(m, STR("hunter2!"));
    mask_add(m, STR("hunter2!\n"));
    mask_add(m, STR("hunter2!more"));
    CHECK_TEXT(masked_in(m, NULL, "hunter2!more hunter2!"), "*** ***");
}

/* A secret put anywhere into noise, in one of its forms, is never there afterwards, and the
 * noise is. */
TEST(a_line_break_anywhere_in_any_form_does_not_bring_a_secret_out)
{
    /* base64 without its end: in a line of its own that tells two bits of the secret */
    static const char *const forms[] = {"s3cr3t/+token", "czNjcjN0Lyt0b2tlb",
                                        "s3cr3t%2F%2Btoken", "7333637233742f2b746f6b656e"};
    for (size_t f = 0; f < ARRAY_LEN(forms); f++) {
        size_t n = strlen(forms[f]);
        for (size_t cut = 1; cut < n; cut++) {
            AUTO_MASK *m = mask_of("s3cr3t/+token");
            AUTO_STREAM s = MASK_STREAM_INIT;
            AUTO_FREE char *first = mem_printf("<%.*s", (int)cut, forms[f]);
            AUTO_FREE char *second = mem_printf("%s>", forms[f] + cut);
            AUTO_FREE char *shown = mem_strdup(masked_in(m, &s, first));
            CHECK(strlen(shown) <= 1 + 5); /* "<" and "***", or what tells nothing */
            CHECK_TEXT(masked_in(m, &s, second), "***>");
        }
    }
}

/* ---- at random ---- */

static unsigned below(unsigned n)
{
    static unsigned seed = 20261128;
    seed = seed * 1103515245 + 12345;
    return (seed >> 8) % n;
}

static void random_text(struct buf *out, size_t n)
{
    static const char letters[] =
        "abcXYZ0189 +/=%&<>'\"\\-_.:;,{}[]()!?@#$^*~`|\n\tdefghijklmnopqrstuvwOPQRSTUVW234567";
    while (n-- > 0)
        buf_add_byte(out, letters[below(sizeof(letters) - 1)]);
}

static void hex_write(struct str s, struct buf *out)
{
    for (size_t i = 0; i < s.n; i++)
        buf_printf(out, "%02x", (unsigned char)s.p[i]);
}

static void url_write(struct str s, struct buf *out)
{
    for (size_t i = 0; i < s.n; i++)
        if (text_is_alnum(s.p[i]) || strchr("-_.~", s.p[i]))
            buf_add_byte(out, s.p[i]);
        else
            buf_printf(out, "%%%02X", (unsigned char)s.p[i]);
}

static void json_write(struct str s, struct buf *out)
{
    json_escape(out, s);
}

static void plain_write(struct str s, struct buf *out)
{
    buf_add_str(out, s);
}

static void base64_write(struct str s, struct buf *out)
{
    char *room = buf_room(out, BASE64_ENCODE_RAW_LENGTH(s.n));
    base64_encode_raw(room, s.n, (const uint8_t *)s.p);
    out->n += BASE64_ENCODE_RAW_LENGTH(s.n);
    buf_add_c(out, "");
}

/* As it looks when all line breaks are taken out. */
static void joined(struct str s, struct buf *out)
{
    for (size_t i = 0; i < s.n; i++)
        if (s.p[i] != '\n' && s.p[i] != '\r')
            buf_add_byte(out, s.p[i]);
}

static void (*const writes[])(struct str, struct buf *) = {plain_write, hex_write, url_write,
                                                           json_write, base64_write};

/* Gives the text to the mask in lines that end anywhere, and takes what comes out. */
static void say(struct mask *m, struct mask_stream *s, struct str text, struct buf *said)
{
    while (text.n > 0) {
        size_t most = 1 + below(60);
        most = MIN(text.n, most);
        const char *newline = memchr(text.p, '\n', most);
        size_t n = newline ? (size_t)(newline - text.p) : most;
        AUTO_FREE char *line = mem_copy(text.p, n);
        buf_add_c(said, masked_in(m, s, line));
        buf_add_byte(said, '\n');
        text.p += n + (newline != NULL);
        text.n -= n + (newline != NULL);
    }
}

TEST(a_secret_at_random_in_any_form_between_anything_in_any_lines_is_not_found)
{
    for (int round = 0; round < 3000; round++) {
        AUTO_BUF secret = BUF_INIT(100), text = BUF_INIT(10000), said = BUF_INIT(100000);
        AUTO_BUF wanted = BUF_INIT(1000), there = BUF_INIT(100000), form = BUF_INIT(1000);
        AUTO_MASK *m = mask_new();
        AUTO_STREAM s = MASK_STREAM_INIT;
        random_text(&secret, 10 + below(30));
        struct str trimmed = str_trim(buf_str(&secret));
        if (trimmed.n < 10)
            continue;
        mask_add(m, trimmed);
        random_text(&text, below(80));
        void (*write)(struct str, struct buf *) = writes[below(ARRAY_LEN(writes))];
        write(trimmed, &form);
        buf_add_str(&text, buf_str(&form));
        random_text(&text, below(80));
        say(m, &s, buf_str(&text), &said);
        joined(buf_str(&form), &wanted);
        joined(buf_str(&said), &there);
        if (str_find(buf_str(&there), buf_str(&wanted)) >= 0)
            test_fail(__FILE__, __LINE__, "secret <%s> is in <%s>", buf_text(&wanted),
                      buf_text(&said));
    }
}

TEST(what_holds_no_secret_is_not_touched)
{
    AUTO_MASK *m = mask_of("Qq7~no text has this");
    AUTO_STREAM s = MASK_STREAM_INIT;
    for (int round = 0; round < 3000; round++) {
        AUTO_BUF text = BUF_INIT(1000);
        random_text(&text, below(300));
        buf_add_c(&text, ".");
        CHECK_TEXT(masked_in(m, &s, buf_text(&text)), buf_text(&text));
    }
}
