/* Each form of a secret is a pattern: a row of symbols. A table has the spellings of every
 * symbol: the bytes that may stand for it. At a place where a pattern may begin, which a table
 * of pairs of bytes tells, the patterns that begin with this byte are tried, and the longest
 * one that is there counts.
 *
 * A pattern that runs into the end of the text makes the stream's tail: the next text is looked
 * at with the tail before it, so that no state of half a pattern has to be kept. */
#include "base/mask.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"

enum {
    LINE_MIN_BYTES = 6, /* of a secret of several lines: a shorter one is found in the whole */
    TELLING = 4,        /* so many symbols at the end of a text are a beginning of a secret */
    TELLING_HEX = 6,
    SPELLING_MAX = 7,  /* bytes */
    SPELLINGS_MAX = 6, /* of a symbol */
    GAP_MAX = 64,      /* bytes between two symbols that do not count */
    ESC = 0x1b,
};

/* In URL, ESCAPED (JSON, shells) and HTML a character may stand as it is or be spelled; of one
 * by which spellings begin that is tried first, so a secret that looks like a spelling is no
 * riddle. */
enum form { FORM_PLAIN, FORM_URL, FORM_ESCAPED, FORM_HTML, FORM_BASE64, FORM_HEX, FORM_COUNT };

/* Of several bytes: letters are lower-case, and found as either. */
struct spelling {
    unsigned char n; /* 0: behind the last one */
    char text[SPELLING_MAX];
};

struct pattern {
    enum form form;
    uint16_t *symbols; /* 256 * its form + a byte; of BASE64 0 to 63, of HEX 0 to 15 */
    size_t n;
    bool open_start, open_end; /* BASE64: the character beside it holds bits of the secret */
};

struct bucket {
    uint32_t *items; /* patterns that may begin with this byte */
    size_t count, cap;
};

struct range {
    size_t from, to;
    bool whole; /* a secret, not only the beginning of one */
};

struct mask {
    struct pattern *patterns;
    size_t count, cap;
    struct bucket firsts[256];
    unsigned char pairs[65536 / 8]; /* may a pattern begin with these two bytes? */
    struct range *ranges;           /* of the newest scan */
    size_t range_count, range_cap;
    struct buf room; /* a tail and the text after it */
};

/* ---- spellings ---- */

static const char base64_digits[] =
    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

static struct spelling table[FORM_COUNT * 256][SPELLINGS_MAX + 1]; /* longer ones first */

static void spell(enum form form, unsigned char c, const char *text, size_t n)
{
    struct spelling *s = table[form << 8 | c];
    while (s->n)
        s++;
    ASSERT(s < &table[form << 8 | c][SPELLINGS_MAX] && n <= SPELLING_MAX);
    s->n = (unsigned char)n;
    memcpy(s->text, text, n);
}

static void PRINTF(3, 4) spellf(enum form form, unsigned char c, const char *fmt, ...)
{
    char text[SPELLING_MAX + 1];
    va_list ap;
    va_start(ap, fmt);
    int n = vsnprintf(text, sizeof(text), fmt, ap);
    va_end(ap);
    spell(form, c, text, (size_t)n);
}

static void spell_character(unsigned char c)
{
    char escaped[] = {'\\', (char)c};
    spellf(FORM_URL, c, "%%%02x", c);
    spellf(FORM_ESCAPED, c, "\\x%02x", c);
    if (c < 0x80)
        spellf(FORM_ESCAPED, c, "\\u%04x", c);
    if (c != '\n' && !text_is_alnum((char)c))
        spell(FORM_ESCAPED, c, escaped, 2);
    for (enum form form = FORM_PLAIN; form <= FORM_HTML; form++)
        if (c != '\n' || form == FORM_PLAIN || form == FORM_HTML) /* else only a break */
            spell(form, c, &escaped[1], 1);
}

static void table_fill(void)
{
    static const struct {
        enum form form;
        char c;
        const char *text;
    } named[] = {
        {FORM_URL, ' ', "+"},          {FORM_HTML, '&', "&amp;"},
        {FORM_HTML, '<', "&lt;"},      {FORM_HTML, '>', "&gt;"},
        {FORM_HTML, '"', "&quot;"},    {FORM_HTML, '"', "&#34;"},
        {FORM_HTML, '\'', "&#39;"},    {FORM_HTML, '\'', "&#x27;"},
        {FORM_HTML, '\'', "&apos;"},   {FORM_ESCAPED, '\'', "'\"'\"'"},
        {FORM_ESCAPED, '\'', "'\\''"}, {FORM_ESCAPED, '\n', "\\n"},
        {FORM_ESCAPED, '\r', "\\r"},   {FORM_ESCAPED, '\t', "\\t"},
        {FORM_BASE64, 62, "%2b"},      {FORM_BASE64, 62, "-"},
        {FORM_BASE64, 63, "%2f"},      {FORM_BASE64, 63, "\\/"},
        {FORM_BASE64, 63, "_"},
    };
    for (size_t i = 0; i < ARRAY_LEN(named); i++)
        spellf(named[i].form, (unsigned char)named[i].c, "%s", named[i].text);
    for (unsigned c = 0; c < 256; c++)
        spell_character((unsigned char)c);
    for (unsigned char i = 0; i < 64; i++)
        spell(FORM_BASE64, i, &base64_digits[i], 1);
    for (unsigned char i = 0; i < 16; i++) {
        spell(FORM_HEX, i, &"0123456789abcdef"[i], 1);
        if (i > 9)
            spell(FORM_HEX, i, &"ABCDEF"[i - 10], 1);
    }
}

/* How many bytes of `s` spell the symbol, with line breaks among them; 0: they do not; MORE:
 * they may, when more comes. */
enum { MORE = -1 };

static int spelling_at(const struct spelling *spelling, struct str s)
{
    size_t at = 1;
    if (s.p[0] != spelling->text[0])
        return 0;
    for (size_t k = 1; k < spelling->n; k++, at++) {
        while (at < MIN(s.n, (size_t)GAP_MAX) && s.p[at] == '\n')
            at++;
        if (at == s.n)
            return MORE;
        if (text_lower(s.p[at]) != spelling->text[k])
            return 0;
    }
    return (int)at;
}

static int symbol_at(uint16_t symbol, struct str s)
{
    int n = 0;
    for (const struct spelling *spelling = table[symbol]; spelling->n && n == 0; spelling++)
        n = spelling_at(spelling, s);
    return n;
}

static bool is_encoded(const struct pattern *p)
{
    return p->form == FORM_BASE64 || p->form == FORM_HEX;
}

/* What may stand between two symbols: a break of the line, a colour of a terminal; in encoded
 * forms also the next line's indentation, and what stands between pairs of digits. */
static int between_at(const struct pattern *p, size_t k, struct str s)
{
    bool encoded = is_encoded(p);
    size_t n = 1;
    if (s.p[0] == ESC) { /* ESC [ 0 ; 31 m */
        if (s.n > 1 && s.p[1] != '[')
            return 0;
        for (n = 2; n < s.n && (s.p[n] < 0x40 || s.p[n] > 0x7e); n++)
            ;
        return n < s.n ? (int)n + 1 : MORE;
    }
    if (s.p[0] == '\n') {
        while (encoded && n < s.n && (s.p[n] == ' ' || s.p[n] == '\t'))
            n++;
        struct str rest = {s.p + n, s.n - n};
        return (int)n + (str_starts(rest, STR("…")) ? 3 : 0); /* as the shell worker marks it */
    }
    if (s.p[0] == '\r')
        return 1;
    bool pairs = p->form == FORM_HEX && k % 2 == 0;
    if (encoded && s.p[0] == '\\' && s.n < 2)
        return MORE;
    if (encoded && s.p[0] == '\\')
        return s.p[1] == 'n' || s.p[1] == 'r' || (pairs && s.p[1] == 'x') ? 2 : 0;
    return pairs && strchr(" :-%", s.p[0]) && s.p[0];
}

/* ---- finding ---- */

enum found { FOUND_NOTHING, FOUND_BEGINNING, FOUND_ALL };

/* Looks for the pattern where `s` begins. */
static enum found pattern_at(const struct pattern *p, struct str s, size_t *ret_end,
                             size_t *ret_symbols)
{
    size_t at = 0, k = 0, gap = 0;
    while (k < p->n) {
        *ret_symbols = k;
        if (at == s.n)
            return FOUND_BEGINNING;
        struct str rest = {s.p + at, s.n - at};
        int n = symbol_at(p->symbols[k], rest);
        if (n > 0) {
            k++;
            gap = 0;
        } else if (n == 0 && k > 0) {
            n = between_at(p, k, rest);
            gap += n > 0 ? (size_t)n : 0;
        }
        if (n == MORE)
            return FOUND_BEGINNING;
        if (n == 0 || gap > GAP_MAX)
            return FOUND_NOTHING;
        at += (size_t)n;
    }
    *ret_end = at;
    return FOUND_ALL;
}

static size_t candidate_next(const struct mask *m, struct str s, size_t i)
{
    const unsigned char *p = (const unsigned char *)s.p;
    for (; i + 1 < s.n; i++) {
        unsigned pair = (unsigned)p[i] << 8 | p[i + 1];
        if (m->pairs[pair >> 3] >> (pair & 7) & 1)
            return i;
    }
    return i < s.n && m->firsts[p[i]].count ? i : s.n;
}

static bool is_base64(char c)
{
    return text_is_alnum(c) || (c && strchr("+/-_", c));
}

/* The characters beside base64 that hold some bits of the secret, and what fills it up. */
static struct range widen(const struct pattern *p, struct str s, struct range r)
{
    if (p->open_start && r.from > 0 && is_base64(s.p[r.from - 1]))
        r.from--;
    if (p->open_end && r.to < s.n && is_base64(s.p[r.to]))
        r.to++;
    while (p->form == FORM_BASE64 && r.to < s.n && s.p[r.to] == '=')
        r.to++;
    return r;
}

/* What is to be masked of what begins at `i`. Moves *tail there when more may come. */
static struct range secret_at(const struct mask *m, struct str s, size_t i, size_t *tail)
{
    const struct bucket *bucket = &m->firsts[(unsigned char)s.p[i]];
    struct range longest = {i, i, false};
    for (size_t k = 0; k < bucket->count; k++) {
        const struct pattern *p = &m->patterns[bucket->items[k]];
        struct range r = {i, i, false};
        size_t length = 0, symbols = 0;
        switch (pattern_at(p, (struct str){s.p + i, s.n - i}, &length, &symbols)) {
        case FOUND_NOTHING:
            continue;
        case FOUND_ALL:
            r = widen(p, s, (struct range){i, i + length, true});
            break;
        case FOUND_BEGINNING:
            *tail = MIN(*tail, i);
            if (symbols >= (p->form == FORM_HEX ? TELLING_HEX : TELLING))
                r = widen(p, s, (struct range){i, s.n, false});
            break;
        }
        longest.from = MIN(longest.from, r.from);
        longest.to = MAX(longest.to, r.to);
        longest.whole = longest.whole || r.whole;
    }
    return longest;
}

/* Fills m->ranges. Returns where the tail begins; s.n: there is none. */
static size_t scan(struct mask *m, struct str s)
{
    size_t tail = s.n;
    m->range_count = 0;
    for (size_t i = candidate_next(m, s, 0); i < s.n; i = candidate_next(m, s, i)) {
        struct range r = secret_at(m, s, i, &tail);
        i = MAX(r.to, i + 1);
        if (r.to == r.from)
            continue;
        MEM_GROW(m->ranges, m->range_count, m->range_cap);
        m->ranges[m->range_count++] = r;
    }
    return tail;
}

/* ---- masking ---- */

static void put_masked(struct str s, bool goes_on, struct buf *out)
{
    buf_add_c(out, goes_on ? "" : "***");
    for (size_t i = 0; i < s.n; i++)
        if (s.p[i] == '\n')
            buf_add_c(out, i + 1 < s.n ? "\n***" : "\n");
}

/* Writes s from `offset` on; nothing when no range is there. */
static bool put_ranges(const struct mask *m, struct str s, size_t offset, struct buf *out)
{
    size_t at = offset;
    bool any = false;
    for (size_t i = 0; i < m->range_count; i++) {
        struct range r = m->ranges[i];
        r.from = MAX(r.from, at);
        if (r.to <= r.from)
            continue;
        buf_add(out, s.p + at, r.from - at);
        put_masked((struct str){s.p + r.from, r.to - r.from}, any && r.from == at, out);
        at = r.to;
        any = true;
    }
    if (any)
        buf_add(out, s.p + at, s.n - at);
    return any;
}

bool mask_apply(struct mask *m, struct mask_stream *stream, struct str text, struct buf *out)
{
    struct str all = text;
    size_t offset = 0;
    if (stream && stream->tail.n) {
        buf_clear(&m->room);
        buf_add_str(&m->room, buf_str(&stream->tail));
        buf_add_byte(&m->room, '\n');
        offset = m->room.n;
        buf_add_str(&m->room, text);
        all = buf_str(&m->room);
    }
    size_t tail = scan(m, all);
    bool any = put_ranges(m, all, offset, out);
    if (stream) {
        buf_clear(&stream->tail);
        buf_add(&stream->tail, all.p + tail, all.n - tail); /* too long a one is forgotten */
    }
    return any;
}

bool mask_finds(struct mask *m, struct str text)
{
    bool any = false;
    (void)scan(m, text);
    for (size_t i = 0; i < m->range_count; i++)
        any = any || m->ranges[i].whole;
    return any;
}

/* A backslash whose other half was masked would be no JSON. */
static void put_json(struct str s, struct buf *out)
{
    for (size_t i = 0; i < s.n; i++) {
        bool escape = s.p[i] == '\\';
        if (escape && (i + 1 == s.n || s.p[i + 1] == '*'))
            continue;
        buf_add(out, s.p + i, escape ? 2 : 1);
        i += escape;
    }
}

bool mask_apply_json(struct mask *m, struct str text, struct buf *out)
{
    bool any = false;
    AUTO_BUF made = BUF_INIT(3 * text.n + 16), piece = BUF_INIT(3 * text.n + 16);
    for (size_t at = 0; at < text.n;) {
        const char *open = memchr(text.p + at, '"', text.n - at);
        size_t from = open ? (size_t)(open + 1 - text.p) : text.n, to = from;
        while (to < text.n && text.p[to] != '"')
            to += text.p[to] == '\\' ? 2 : 1;
        to = MIN(to, text.n);
        buf_add(&made, text.p + at, from - at);
        buf_clear(&piece);
        if (mask_apply(m, NULL, (struct str){text.p + from, to - from}, &piece)) {
            put_json(buf_str(&piece), &made);
            any = true;
        } else {
            buf_add(&made, text.p + from, to - from);
        }
        at = to;
        if (at < text.n) /* the closing quote */
            buf_add_byte(&made, text.p[at++]);
    }
    if (any)
        buf_add_str(out, buf_str(&made));
    return any;
}

void mask_stream_done(struct mask_stream *s)
{
    buf_wipe(&s->tail);
}

/* ---- patterns ---- */

static void pattern_done(struct pattern *p)
{
    explicit_bzero(p->symbols, p->n * sizeof(p->symbols[0]));
    free(p->symbols);
}

static void pair_set(struct mask *m, char first, char second)
{
    unsigned pair = (unsigned)(unsigned char)first << 8 | (unsigned char)second;
    m->pairs[pair >> 3] |= (unsigned char)(1u << (pair & 7));
}

static void first_enter(struct mask *m, unsigned char first, uint32_t index)
{
    struct bucket *bucket = &m->firsts[first];
    if (bucket->count && bucket->items[bucket->count - 1] == index)
        return;
    MEM_GROW(bucket->items, bucket->count, bucket->cap);
    bucket->items[bucket->count++] = index;
}

/* Takes the symbols: enters the pattern in both tables. */
static void pattern_add(struct mask *m, struct pattern p)
{
    MEM_GROW(m->patterns, m->count, m->cap);
    m->patterns[m->count] = p;
    for (const struct spelling *s = table[p.symbols[0]]; s->n; s++) {
        first_enter(m, (unsigned char)s->text[0], (uint32_t)m->count);
        pair_set(m, s->text[0], '\n');
        if (s->n > 1) {
            for (unsigned c = 0; c < 256; c++)
                if (text_lower((char)c) == s->text[1])
                    pair_set(m, s->text[0], (char)c);
            continue;
        }
        for (const struct spelling *next = table[p.symbols[1]]; next->n; next++)
            pair_set(m, s->text[0], next->text[0]);
        pair_set(m, s->text[0], ESC);
        pair_set(m, s->text[0], '\r');
        if (is_encoded(&p))
            pair_set(m, s->text[0], '\\');
    }
    m->count++;
}

static void symbol_put(struct pattern *p, enum form form, unsigned char c)
{
    p->symbols[p->n++] = (uint16_t)(form << 8 | c);
}

/* What is `plain` stands as it is. */
static void text_add(struct mask *m, enum form form, struct str s, char plain)
{
    struct pattern p = {.form = form, .symbols = mem_alloc(s.n * sizeof(uint16_t))};
    for (size_t i = 0; i < s.n; i++)
        symbol_put(&p, s.p[i] == plain ? FORM_PLAIN : form, (unsigned char)s.p[i]);
    pattern_add(m, p);
}

/* As it comes out in digits of so many bits behind `before` other bytes: those of the digits
 * that depend on nothing else. */
static void digits_add(struct mask *m, enum form form, size_t bits, struct str s, size_t before)
{
    size_t first = (8 * before + bits - 1) / bits, end = 8 * (before + s.n) / bits;
    struct pattern p = {.form = form,
                        .symbols = mem_alloc((end - first) * sizeof(uint16_t)),
                        .open_start = before > 0,
                        .open_end = 8 * (before + s.n) % bits != 0};
    for (size_t bit = first * bits; bit < end * bits; bit += bits) {
        unsigned value = 0;
        for (size_t i = bit; i < bit + bits; i++)
            value = value << 1 | ((unsigned char)s.p[i / 8 - before] >> (7 - i % 8) & 1u);
        symbol_put(&p, form, (unsigned char)value);
    }
    pattern_add(m, p);
}

static void unit_put(struct pattern *p, uint32_t unit)
{
    symbol_put(p, FORM_ESCAPED, '\\'); /* which is escaped itself, in quotes */
    symbol_put(p, FORM_PLAIN, 'u');
    for (int shift = 12; shift >= 0; shift -= 4)
        symbol_put(p, FORM_HEX, unit >> shift & 15);
}

/* In JSON that has only ASCII: "p\u00e4ss". */
static void ascii_add(struct mask *m, struct str s)
{
    struct pattern p = {.form = FORM_ESCAPED, .symbols = mem_alloc(3 * s.n * sizeof(uint16_t))};
    for (size_t i = 0, n; i < s.n; i += n) {
        const unsigned char *c = (const unsigned char *)s.p + i;
        n = utf8_length(c, s.n - i);
        uint32_t code = utf8_code(c, n);
        if (n == 1)
            symbol_put(&p, FORM_ESCAPED, *c);
        else if (n < 4)
            unit_put(&p, code);
        else {
            unit_put(&p, 0xd800 + ((code - 0x10000) >> 10));
            unit_put(&p, 0xdc00 + (code & 0x3ff));
        }
    }
    if (p.n > s.n)
        pattern_add(m, p);
    else /* it has only ASCII anyway */
        pattern_done(&p);
}

static bool is_alnum(struct str s)
{
    for (size_t i = 0; i < s.n; i++)
        if (!text_is_alnum(s.p[i]))
            return false;
    return true;
}

static void forms_add(struct mask *m, struct str s)
{
    text_add(m, FORM_PLAIN, s, 0);
    for (enum form form = FORM_URL; form <= FORM_HTML && !is_alnum(s); form++)
        text_add(m, form, s, 0);
    if (memchr(s.p, '%', s.n)) /* it stays as it is when it is filled into an address */
        text_add(m, FORM_URL, s, '%');
    if (utf8_is_valid(s))
        ascii_add(m, s);
    for (size_t before = 0; before < 3; before++)
        digits_add(m, FORM_BASE64, 6, s, before);
    digits_add(m, FORM_HEX, 4, s, 0);
}

static bool is_pattern(const struct pattern *p, struct str s)
{
    bool is = p->form == FORM_PLAIN && p->n == s.n;
    for (size_t i = 0; i < s.n && is; i++)
        is = p->symbols[i] == (unsigned char)s.p[i];
    return is;
}

static bool is_known(const struct mask *m, struct str s)
{
    for (size_t i = 0; i < m->count; i++)
        if (is_pattern(&m->patterns[i], s))
            return true;
    return false;
}

void mask_add(struct mask *m, struct str secret)
{
    struct str whole = secret, rest = secret;
    while (whole.n > 1 && (whole.p[whole.n - 1] == '\n' || whole.p[whole.n - 1] == '\r'))
        whole.n--;
    if (whole.n < 2 || is_known(m, whole))
        return;
    forms_add(m, whole);
    while (rest.p) {
        struct str line = str_trim(str_cut(&rest, '\n'));
        if (line.n >= LINE_MIN_BYTES && !is_known(m, line))
            forms_add(m, line);
    }
}

struct mask *mask_new(void)
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    struct mask *m = mem_alloc(sizeof(*m));
    pthread_once(&once, table_fill);
    m->room.max = SIZE_MAX / 2; /* the texts are limited where they are made */
    return m;
}

void mask_free(struct mask *m)
{
    if (!m)
        return;
    for (size_t i = 0; i < m->count; i++)
        pattern_done(&m->patterns[i]);
    for (size_t i = 0; i < ARRAY_LEN(m->firsts); i++)
        free(m->firsts[i].items);
    free(m->patterns);
    free(m->ranges);
    buf_wipe(&m->room);
    free(m);
}
