/* The file is read once, line by line. A group is one or more user-agent lines and the rules up
 * to the next user-agent line; rules are kept in two sets, those for us and those for "*".
 *
 * A rule's path is kept as the literal pieces between its stars. Matching looks for each piece
 * behind the one before; taking the first place where it fits is always right, so that no
 * pattern takes more than one pass over the address, whatever its author intended. */
#include "worker/crawler/robots.h"

#include <stdlib.h>
#include <string.h>

#include "base/arena.h"
#include "base/buf.h"
#include "base/mem.h"
#include "worker/web/url.h"

enum { PATTERN_BYTES = 2048, CRAWL_DELAY_MAX_S = 86400 };

struct rule {
    struct str pattern; /* normalised; "*" is the byte STAR */
    bool allow, anchored;
};

struct rule_set {
    struct rule *rules;
    size_t count, cap;
    int64_t delay_ms;
    bool named; /* a user-agent line asked for it */
};

struct robots {
    struct arena arena;
    struct rule_set own, any;
    size_t sitemaps;
};

enum { STAR = 1 }; /* no normalised octet is below ' ' */

/* Undoes the encoding of the two octets that mean something in a pattern: "%2A" matches "*". */
static void target_normalise(struct str s, struct buf *out)
{
    AUTO_BUF octets = BUF_INIT(16 * PATTERN_BYTES);
    url_normalise_octets(s, true, &octets);
    for (size_t i = 0; i < octets.n; i++) {
        struct str rest = {octets.p + i, octets.n - i};
        bool star = str_starts(rest, STR("%2A")), dollar = str_starts(rest, STR("%24"));
        buf_add_byte(out, star ? '*' : dollar ? '$' : octets.p[i]);
        i += star || dollar ? 2 : 0;
    }
}

static void pattern_normalise(struct str s, struct buf *out)
{
    bool first = true;
    while (s.p) {
        struct str piece = str_cut(&s, '*');
        if (!first)
            buf_add_byte(out, STAR);
        first = false;
        target_normalise(piece, out);
    }
}

static void rule_add(struct robots *r, struct rule_set *set, struct str path, bool allow)
{
    bool anchored = path.n && path.p[path.n - 1] == '$';
    if (anchored)
        path.n--;
    if ((path.n == 0 && !anchored) || path.n > PATTERN_BYTES)
        return; /* "Disallow:" forbids nothing; nobody writes the other */
    AUTO_BUF pattern = BUF_INIT(4 * PATTERN_BYTES);
    pattern_normalise(path, &pattern);
    MEM_GROW(set->rules, set->count, set->cap);
    const char *copy = arena_str(&r->arena, buf_str(&pattern));
    set->rules[set->count++] = (struct rule){{copy, pattern.n}, allow, anchored};
}

/* Seconds, perhaps with a fraction, to milliseconds; 0 when it is no number. */
static int64_t delay_parse(struct str value)
{
    struct str whole = str_cut(&value, '.');
    int64_t seconds = 0, fraction = 0;
    if (!str_to_int(whole, 0, INT64_MAX, &seconds))
        return 0;
    char digits[4] = "000";
    for (size_t i = 0; i < 3 && i < value.n; i++)
        digits[i] = value.p[i];
    (void)str_to_int(str_of(digits), 0, 999, &fraction);
    return MIN(seconds, (int64_t)CRAWL_DELAY_MAX_S) * 1000 + fraction;
}

/* Length of the product token in front of a text. */
static size_t token_length(struct str s)
{
    size_t n = 0;
    while (n < s.n && ((text_lower(s.p[n]) >= 'a' && text_lower(s.p[n]) <= 'z') ||
                       s.p[n] == '_' || s.p[n] == '-'))
        n++;
    return n;
}

struct group_state {
    bool own, any, in_rules;
};

static void agent_line(struct robots *r, struct group_state *g, struct str value,
                       struct str token)
{
    if (g->in_rules)
        *g = (struct group_state){0};
    if (value.n && value.p[0] == '*')
        g->any = r->any.named = true;
    value.n = token_length(value);
    if (value.n && value.n == token.n && str_find_nocase(value, token) == 0)
        g->own = r->own.named = true;
}

static bool key_is(struct str key, const char *name)
{
    return key.n == strlen(name) && str_find_nocase(key, str_of(name)) == 0;
}

static void line_parse(struct robots *r, struct group_state *g, struct str line,
                       struct str token)
{
    struct str rest = str_cut(&line, '#');
    struct str key = str_trim(str_cut(&rest, ':'));
    struct str value = str_trim(rest);
    bool allow = key_is(key, "allow");
    if (key_is(key, "user-agent")) {
        agent_line(r, g, value, token);
    } else if (allow || key_is(key, "disallow")) {
        g->in_rules = true;
        if (g->own)
            rule_add(r, &r->own, value, allow);
        if (g->any)
            rule_add(r, &r->any, value, allow);
    } else if (key_is(key, "crawl-delay")) {
        int64_t ms = delay_parse(value);
        if (g->own)
            r->own.delay_ms = MAX(r->own.delay_ms, ms);
        if (g->any)
            r->any.delay_ms = MAX(r->any.delay_ms, ms);
    } else if (key_is(key, "sitemap")) {
        r->sitemaps++;
    }
}

struct robots *robots_parse(struct str file, const char *agent)
{
    struct robots *r = mem_alloc(sizeof(*r));
    struct str token = str_of(agent);
    token.n = token_length(token);
    struct group_state g = {0};
    file.n = MIN(file.n, (size_t)ROBOTS_BYTES);
    if (str_starts(file, STR("\xef\xbb\xbf")))
        file.p += 3, file.n -= 3;
    while (file.n) {
        size_t n = 0;
        while (n < file.n && file.p[n] != '\n' && file.p[n] != '\r')
            n++;
        line_parse(r, &g, (struct str){file.p, n}, token);
        n += n < file.n;
        file.p += n, file.n -= n;
    }
    return r;
}

void robots_free(struct robots *r)
{
    if (!r)
        return;
    arena_done(&r->arena);
    free(r->own.rules);
    free(r->any.rules);
    free(r);
}

static bool rule_matches(const struct rule *rule, struct str target)
{
    struct str rest = rule->pattern;
    for (bool first = true; rest.p; first = false) {
        struct str piece = str_cut(&rest, STAR);
        bool last = !rest.p;
        if (last && rule->anchored)
            return first ? str_eq(target, piece) : str_ends(target, piece);
        ptrdiff_t at = first ? (str_starts(target, piece) ? 0 : -1) : str_find(target, piece);
        if (at < 0)
            return false;
        target.p += (size_t)at + piece.n;
        target.n -= (size_t)at + piece.n;
    }
    return true;
}

static const struct rule_set *robots_set(const struct robots *r)
{
    return r->own.named ? &r->own : &r->any;
}

bool robots_allow(const struct robots *r, struct str target)
{
    const struct rule_set *set = robots_set(r);
    if (set->count == 0 || str_eq(target, STR("/robots.txt")))
        return true;
    AUTO_BUF text = BUF_INIT(16 * PATTERN_BYTES);
    target_normalise(target, &text);
    struct str subject = {buf_text(&text), text.n};
    const struct rule *best = NULL;
    size_t best_n = 0;
    for (size_t i = 0; i < set->count; i++) {
        const struct rule *rule = &set->rules[i];
        size_t n = rule->pattern.n + rule->anchored;
        bool better = !best || n > best_n || (n == best_n && rule->allow && !best->allow);
        if (better && rule_matches(rule, subject)) {
            best = rule;
            best_n = n;
        }
    }
    return !best || best->allow;
}

size_t robots_rule_count(const struct robots *r)
{
    return robots_set(r)->count;
}

size_t robots_sitemap_count(const struct robots *r)
{
    return r->sitemaps;
}

int64_t robots_crawl_delay_ms(const struct robots *r)
{
    return robots_set(r)->delay_ms;
}
