/* Each form of a secret is a pattern: a row of symbols, each of which may be spelled in one or
 * more ways. At a place where a pattern may begin, which a table of pairs of bytes tells, the
 * patterns that begin with this byte are tried, and the longest one that is there counts.
 *
 * A pattern that runs into the end of the text makes the stream's tail: the next text is looked
 * at with the tail before it, so that no state of half a pattern has to be kept. */
#include "base/mask.h"

#include <stdlib.h>
#include <string.h>

#include "base/mem.h"

enum {
    LINE_MIN_BYTES = 6, /* of a secret of several lines: a shorter one is found in the whole */
    TELLING = 4,        /* so many symbols at the end of a text are a beginning of a secret */
    TELLING_HEX = 6,
    SPELLING_MAX = 8, /* bytes of a single character's */
    GAP_MAX = 64,     /* bytes between two symbols that do not count */
    ESC = 0x1b,
};

/* URL, ESCAPED (JSON, shells) and HTML may spell a character, and always spell the one by which
 * spellings begin: so a secret that looks like a spelling is no riddle. ADDRESS is URL where
 * "%" stands as it is, for that is what becomes of a secret that is filled into an address. */
enum form {
    FORM_PLAIN,
    FORM_URL,
    FORM_ADDRESS,
    FORM_ESCAPED,
    FORM_HTML,
    FORM_BASE64,
    FORM_HEX
};

struct pattern {
    enum form form;
    unsigned char *symbols; /* bytes; of BASE64 0 to 63, of HEX 0 to 15 */
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

/* Of single characters; longer ones first. */
static const struct {
    enum form form;
    char c;
    const char *text;
} spellings[] = {
    {FORM_URL, ' ', "+"},          {FORM_HTML, '&', "&amp;"},
    {FORM_HTML, '<', "&lt;"},      {FORM_HTML, '>', "&gt;"},
    {FORM_HTML, '"', "&quot;"},    {FORM_HTML, '"', "&#34;"},
    {FORM_HTML, '\'', "&#39;"},    {FORM_HTML, '\'', "&#x27;"},
    {FORM_HTML, '\'', "&apos;"},   {FORM_ESCAPED, '\'', "'\"'\"'"},
    {FORM_ESCAPED, '\'', "'\\''"}, {FORM_ESCAPED, '\n', "\\n"},
    {FORM_ESCAPED, '\r', "\\r"},   {FORM_ESCAPED, '\t', "\\t"},
};

static const char base64_digits[] =
    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

static int hex_value(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    c = text_lower(c);
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

static int hex_byte(const char *s)
{
    int high = hex_value(s[0]), low = hex_value(s[1]);
    return high < 0 || low < 0 ? -1 : high * 16 + low;
}

/* Both alphabets. */
static int base64_value(char c)
{
    if (c >= 'A' && c <= 'Z')
        return c - 'A';
    if (c >= 'a' && c <= 'z')
        return c - 'a' + 26;
    if (c >= '0' && c <= '9')
        return c - '0' + 52;
    return c == '+' || c == '-' ? 62 : c == '/' || c == '_' ? 63 : -1;
}

/* How many bytes of `s` spell the symbol; 0: they do not; MORE: they may, when more comes. */
enum { MORE = -1 };

/* By its number: "%2F", "\x2f", "\u002f". */
static int numbered_at(enum form form, unsigned char c, struct str s)
{
    static const struct {
        enum form form;
        struct str head;
        bool is_byte; /* else of ASCII only */
    } heads[] = {{FORM_URL, {"%", 1}, true},
                 {FORM_ESCAPED, {"\\x", 2}, true},
                 {FORM_ESCAPED, {"\\u00", 4}, false}};
    for (size_t i = 0; i < ARRAY_LEN(heads); i++) {
        struct str head = heads[i].head;
        if (heads[i].form != form || memcmp(s.p, head.p, MIN(s.n, head.n)) != 0)
            continue;
        if (s.n < head.n + 2)
            return MORE;
        if (hex_byte(s.p + head.n) == c && (heads[i].is_byte || c < 0x80))
            return (int)head.n + 2;
    }
    return 0;
}

/* Does a spelling of more than one byte begin with it? */
static bool is_opener(char c)
{
    return c == '%' || c == '\\' || c == '&' || c == '\'';
}

static int spelled_at(enum form form, unsigned char c, struct str s)
{
    if (s.p[0] == '\n') /* a break in the text; one in the secret is spelled, but in HTML */
        return c == '\n' && form == FORM_HTML;
    if (!is_opener(s.p[0]) && s.p[0] != '+')
        return (unsigned char)s.p[0] == c;
    if (form == FORM_ADDRESS && c == '%')
        return s.p[0] == '%';
    if (form == FORM_ADDRESS)
        form = FORM_URL;
    int n = numbered_at(form, c, s);
    bool more = n == MORE;
    if (n > 0)
        return n;
    for (size_t i = 0; i < ARRAY_LEN(spellings); i++) {
        size_t length = strlen(spellings[i].text);
        if (spellings[i].form != form || (unsigned char)spellings[i].c != c ||
            memcmp(s.p, spellings[i].text, MIN(s.n, length)) != 0)
            continue;
        if (s.n >= length)
            return (int)length;
        more = true;
    }
    bool escaped = form == FORM_ESCAPED && s.p[0] == '\\' && !text_is_alnum((char)c);
    if (escaped && s.n > 1 && (unsigned char)s.p[1] == c)
        return 2;
    if (more || (escaped && s.n == 1))
        return MORE;
    return (unsigned char)s.p[0] == c;
}

static int base64_at(unsigned char value, struct str s)
{
    if (base64_value(s.p[0]) == value)
        return 1;
    if (value < 62 || (s.p[0] != '%' && s.p[0] != '\\'))
        return 0;
    if (s.p[0] == '\\')
        return s.n < 2 ? MORE : value == 63 && s.p[1] == '/' ? 2 : 0;
    if (s.n < 3)
        return MORE;
    int byte = hex_byte(s.p + 1);
    return byte == '+' || byte == '/' ? (base64_value((char)byte) == value ? 3 : 0) : 0;
}

static int unbroken_at(const struct pattern *p, size_t k, struct str s)
{
    switch (p->form) {
    case FORM_PLAIN:
        return (unsigned char)s.p[0] == p->symbols[k];
    case FORM_URL:
    case FORM_ADDRESS:
    case FORM_ESCAPED:
    case FORM_HTML:
        return spelled_at(p->form, p->symbols[k], s);
    case FORM_BASE64:
        return base64_at(p->symbols[k], s);
    case FORM_HEX:
        return hex_value(s.p[0]) == p->symbols[k];
    }
    return 0;
}

/* Also when line breaks stand in the middle of the spelling. */
static int symbol_at(const struct pattern *p, size_t k, struct str s)
{
    if (!is_opener(s.p[0]) || !memchr(s.p, '\n', MIN(s.n, (size_t)SPELLING_MAX)))
        return unbroken_at(p, k, s);
    char room[SPELLING_MAX] = "";
    size_t n = 0, ends[SPELLING_MAX] = {0};
    for (size_t i = 0; i < MIN(s.n, (size_t)GAP_MAX) && n < SPELLING_MAX; i++) {
        if (s.p[i] == '\n')
            continue;
        room[n] = s.p[i];
        ends[n++] = i + 1;
    }
    int length = unbroken_at(p, k, (struct str){room, n});
    return length > 0 ? (int)ends[length - 1] : length;
}

/* What may stand between two symbols: a break of the line, a colour of a terminal; in encoded
 * forms also the next line's indentation, and what stands between pairs of digits. */
static int between_at(const struct pattern *p, size_t k, struct str s)
{
    bool encoded = p->form == FORM_BASE64 || p->form == FORM_HEX;
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
    if (encoded && s.p[0] == '\\')
        return s.n < 2                                                           ? MORE
               : s.p[1] == 'n' || s.p[1] == 'r' || (k % 2 == 0 && s.p[1] == 'x') ? 2
                                                                                 : 0;
    return p->form == FORM_HEX && k % 2 == 0 && strchr(" :-%", s.p[0]) && s.p[0];
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
        int n = symbol_at(p, k, rest);
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

/* The characters beside base64 that hold some bits of the secret, and what fills it up. */
static struct range widen(const struct pattern *p, struct str s, struct range r)
{
    if (p->open_start && r.from > 0 && base64_value(s.p[r.from - 1]) >= 0)
        r.from--;
    if (p->open_end && r.to < s.n && base64_value(s.p[r.to]) >= 0)
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

static void wipe(struct buf *b)
{
    if (b->p)
        explicit_bzero(b->p, b->cap);
    buf_clear(b);
}

static void wipe_done(struct buf *b)
{
    wipe(b);
    buf_done(b);
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
    wipe_done(&s->tail);
}

/* ---- patterns ---- */

/* The bytes by which symbol k may begin: those that are all of it, and those that are not. */
static void starts_of(const struct pattern *p, size_t k, bool whole[256], bool part[256])
{
    unsigned char c = p->symbols[k];
    enum form form = p->form == FORM_ADDRESS ? FORM_URL : p->form;
    memset(whole, 0, 256);
    memset(part, 0, 256);
    switch (p->form) {
    case FORM_URL:
    case FORM_ADDRESS:
    case FORM_ESCAPED:
    case FORM_HTML:
        part['%'] = form == FORM_URL;
        part['\\'] = form == FORM_ESCAPED;
        for (size_t i = 0; i < ARRAY_LEN(spellings); i++)
            if (spellings[i].form == form && (unsigned char)spellings[i].c == c)
                (spellings[i].text[1] ? part : whole)[(unsigned char)spellings[i].text[0]] =
                    true;
        __attribute__((fallthrough));
    case FORM_PLAIN:
        whole[c] = true;
        return;
    case FORM_BASE64:
        whole[(unsigned char)base64_digits[c]] = true;
        whole['-'] = whole['-'] || c == 62;
        whole['_'] = whole['_'] || c == 63;
        part['%'] = part['\\'] = c >= 62;
        return;
    case FORM_HEX:
        whole[(unsigned char)"0123456789abcdef"[c]] = true;
        whole[(unsigned char)"0123456789ABCDEF"[c]] = true;
        return;
    }
}

static void pair_set(struct mask *m, unsigned first, unsigned second)
{
    unsigned pair = first << 8 | second;
    m->pairs[pair >> 3] |= (unsigned char)(1u << (pair & 7));
}

/* Enters the pattern in both tables. */
static void pattern_enter(struct mask *m, uint32_t index)
{
    bool whole[256], part[256], next[256], next_part[256];
    const struct pattern *p = &m->patterns[index];
    starts_of(p, 0, whole, part);
    starts_of(p, 1, next, next_part);
    next[ESC] = next['\n'] = next['\r'] = true;
    next['\\'] = next['\\'] || p->form == FORM_BASE64 || p->form == FORM_HEX;
    for (unsigned a = 0; a < 256; a++) {
        if (!whole[a] && !part[a])
            continue;
        struct bucket *bucket = &m->firsts[a];
        MEM_GROW(bucket->items, bucket->count, bucket->cap);
        bucket->items[bucket->count++] = index;
        for (unsigned b = 0; b < 256; b++)
            if (part[a] || next[b] || next_part[b])
                pair_set(m, a, b);
    }
}

/* Takes the symbols. */
static void pattern_add(struct mask *m, struct pattern p)
{
    MEM_GROW(m->patterns, m->count, m->cap);
    m->patterns[m->count++] = p;
    pattern_enter(m, (uint32_t)(m->count - 1));
}

static void text_add(struct mask *m, enum form form, struct str s)
{
    pattern_add(m, (struct pattern){
                       .form = form, .symbols = (unsigned char *)mem_copy(s.p, s.n), .n = s.n});
}

/* As it comes out in base64 behind `before` other bytes: those of its digits that depend on
 * nothing else. */
static void base64_add(struct mask *m, struct str s, size_t before)
{
    size_t first = (8 * before + 5) / 6, end = 8 * (before + s.n) / 6;
    struct pattern p = {.form = FORM_BASE64,
                        .symbols = mem_alloc(end - first),
                        .open_start = before > 0,
                        .open_end = 8 * (before + s.n) % 6 != 0};
    for (size_t digit = first; digit < end; digit++) {
        unsigned value = 0;
        for (size_t bit = 6 * digit; bit < 6 * digit + 6; bit++)
            value = value << 1 | ((unsigned char)s.p[bit / 8 - before] >> (7 - bit % 8) & 1u);
        p.symbols[p.n++] = (unsigned char)value;
    }
    pattern_add(m, p);
}

static void hex_add(struct mask *m, struct str s)
{
    struct pattern p = {.form = FORM_HEX, .symbols = mem_alloc(2 * s.n), .n = 2 * s.n};
    for (size_t i = 0; i < s.n; i++) {
        p.symbols[2 * i] = (unsigned char)s.p[i] >> 4;
        p.symbols[2 * i + 1] = (unsigned char)s.p[i] & 15;
    }
    pattern_add(m, p);
}

static void put_code(struct buf *out, uint32_t code, bool upper)
{
    if (upper)
        buf_printf(out, "\\u%04X", code);
    else
        buf_printf(out, "\\u%04x", code);
}

/* In JSON that has only ASCII: "p\u00e4ss". */
static void ascii_add(struct mask *m, struct str s, bool upper)
{
    AUTO(wipe_done) struct buf made = BUF_INIT(12 * s.n);
    bool is_ascii = true;
    for (size_t i = 0, n; i < s.n; i += n) {
        const unsigned char *c = (const unsigned char *)s.p + i;
        n = utf8_length(c, s.n - i);
        if (n == 0)
            return;
        if (n == 1) {
            buf_add_byte(&made, s.p[i]);
            continue;
        }
        is_ascii = false;
        uint32_t code = c[0] & (0xffu >> (n + 1));
        for (size_t k = 1; k < n; k++)
            code = code << 6 | (c[k] & 0x3fu);
        if (n == 4) {
            code -= 0x10000;
            put_code(&made, 0xd800 + (code >> 10), upper);
            code = 0xdc00 + (code & 0x3ff);
        }
        put_code(&made, code, upper);
    }
    if (!is_ascii)
        text_add(m, FORM_ESCAPED, buf_str(&made)); /* quotes are escaped there, too */
}

/* Would a program write it otherwise in this form? */
static bool is_spelled(enum form form, struct str s)
{
    static const char *const as_they_are[] = {
        [FORM_URL] = "-_.~",
        [FORM_ADDRESS] = "-_.~",
        [FORM_ESCAPED] = "-_.:@%+=",
        [FORM_HTML] = "-_.:@%+=/,;!?#*$()[]{}|^~` \\",
    };
    bool special = false, percent = false;
    for (size_t i = 0; i < s.n; i++) {
        special = special || (!text_is_alnum(s.p[i]) && !strchr(as_they_are[form], s.p[i]));
        percent = percent || s.p[i] == '%';
    }
    return special && (percent || form != FORM_ADDRESS);
}

static void forms_add(struct mask *m, struct str s)
{
    text_add(m, FORM_PLAIN, s);
    for (enum form form = FORM_URL; form <= FORM_HTML; form++)
        if (is_spelled(form, s))
            text_add(m, form, s);
    ascii_add(m, s, false);
    ascii_add(m, s, true);
    for (size_t before = 0; before < 3; before++)
        base64_add(m, s, before);
    hex_add(m, s);
}

static bool is_known(const struct mask *m, struct str s)
{
    for (size_t i = 0; i < m->count; i++)
        if (m->patterns[i].form == FORM_PLAIN && m->patterns[i].n == s.n &&
            memcmp(m->patterns[i].symbols, s.p, s.n) == 0)
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
    struct mask *m = mem_alloc(sizeof(*m));
    m->room.max = SIZE_MAX / 2; /* the texts are limited where they are made */
    return m;
}

void mask_free(struct mask *m)
{
    if (!m)
        return;
    for (size_t i = 0; i < m->count; i++) {
        explicit_bzero(m->patterns[i].symbols, m->patterns[i].n);
        free(m->patterns[i].symbols);
    }
    for (size_t i = 0; i < ARRAY_LEN(m->firsts); i++)
        free(m->firsts[i].items);
    free(m->patterns);
    free(m->ranges);
    wipe_done(&m->room);
    free(m);
}
