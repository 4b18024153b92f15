#include "base/text.h"

#include <stdio.h>
#include <string.h>

struct str str_of(const char *s)
{
    return (struct str){s, s ? strlen(s) : 0};
}

bool str_eq(struct str a, struct str b)
{
    return a.n == b.n && (a.n == 0 || memcmp(a.p, b.p, a.n) == 0);
}

bool str_eq_c(struct str a, const char *b)
{
    return str_eq(a, str_of(b));
}

bool str_starts(struct str s, struct str prefix)
{
    return s.n >= prefix.n && str_eq((struct str){s.p, prefix.n}, prefix);
}

bool str_ends(struct str s, struct str suffix)
{
    return s.n >= suffix.n && str_eq((struct str){s.p + s.n - suffix.n, suffix.n}, suffix);
}

struct str str_trim(struct str s)
{
    while (s.n && text_is_space(s.p[0]))
        s.p++, s.n--;
    while (s.n && text_is_space(s.p[s.n - 1]))
        s.n--;
    return s;
}

ptrdiff_t str_find(struct str s, struct str needle)
{
    if (needle.n == 0)
        return 0;
    const char *hit = s.n ? memmem(s.p, s.n, needle.p, needle.n) : NULL;
    return hit ? hit - s.p : -1;
}

static bool same_nocase(const char *a, const char *b, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (text_lower(a[i]) != text_lower(b[i]))
            return false;
    return true;
}

/* The next `c` from `p` on, or `end`. */
static const char *byte_find(const char *p, const char *end, char c)
{
    const char *hit = p < end ? memchr(p, c, (size_t)(end - p)) : NULL;
    return hit ? hit : end;
}

/* Looks only where the first letter is, small or capital: texts of megabytes are searched. */
ptrdiff_t str_find_nocase(struct str s, struct str needle)
{
    if (needle.n == 0 || needle.n > s.n)
        return needle.n == 0 ? 0 : -1;
    char low = text_lower(needle.p[0]);
    char high = low >= 'a' && low <= 'z' ? (char)(low - 'a' + 'A') : low;
    const char *end = s.p + s.n - needle.n + 1;
    const char *at_low = byte_find(s.p, end, low), *at_high = byte_find(s.p, end, high);
    for (;;) {
        const char *at = MIN(at_low, at_high);
        if (at == end)
            return -1;
        if (same_nocase(at, needle.p, needle.n))
            return at - s.p;
        if (at == at_low)
            at_low = byte_find(at + 1, end, low);
        if (at == at_high)
            at_high = byte_find(at + 1, end, high);
    }
}

struct str str_cut(struct str *rest, char separator)
{
    const char *hit = rest->n ? memchr(rest->p, separator, rest->n) : NULL;
    struct str head = *rest;
    if (!hit) {
        *rest = (struct str){NULL, 0};
        return head;
    }
    head.n = (size_t)(hit - rest->p);
    rest->p += head.n + 1;
    rest->n -= head.n + 1;
    return head;
}

bool str_to_int(struct str s, int64_t min, int64_t max, int64_t *ret_value)
{
    bool negative = s.n && s.p[0] == '-';
    size_t i = negative;
    if (i == s.n)
        return false;
    int64_t value = 0;
    for (; i < s.n; i++) {
        if (s.p[i] < '0' || s.p[i] > '9')
            return false;
        int digit = s.p[i] - '0';
        if (__builtin_mul_overflow(value, 10, &value) ||
            __builtin_add_overflow(value, negative ? -digit : digit, &value))
            return false;
    }
    if (value < min || value > max)
        return false;
    *ret_value = value;
    return true;
}

void text_copy(char *to, size_t size, const char *from)
{
    ASSERT(size > 0);
    size_t n = from ? strnlen(from, size - 1) : 0;
    if (n)
        memcpy(to, from, n);
    to[n] = 0;
}

void text_bytes(uint64_t bytes, char to[32])
{
    if (bytes < 1000)
        (void)snprintf(to, 32, "%d B", (int)bytes);
    else if (bytes < 999950)
        (void)snprintf(to, 32, "%.1f KB", (double)bytes / 1e3);
    else if (bytes < 999950000)
        (void)snprintf(to, 32, "%.1f MB", (double)bytes / 1e6);
    else
        (void)snprintf(to, 32, "%.1f GB", (double)bytes / 1e9);
}

const char *text_count(int64_t n, char to[COUNT_TEXT_MAX])
{
    char digits[COUNT_TEXT_MAX / 4 * 3];
    int length = snprintf(digits, sizeof(digits), "%lld", (long long)n), at = 0;
    int sign = n < 0;
    for (int i = 0; i < length; i++) {
        if (i > sign && (length - i) % 3 == 0)
            to[at++] = ',';
        to[at++] = digits[i];
    }
    to[at] = 0;
    return to;
}

char text_lower(char c)
{
    return c >= 'A' && c <= 'Z' ? (char)(c + ('a' - 'A')) : c;
}

bool text_is_space(char c)
{
    return c == ' ' || (c >= '\t' && c <= '\r');
}

bool text_is_alnum(char c)
{
    char l = text_lower(c);
    return (l >= 'a' && l <= 'z') || (c >= '0' && c <= '9');
}

void text_to_variable(char *s)
{
    for (; *s; s++)
        *s = !text_is_alnum(*s) ? '_' : *s >= 'a' && *s <= 'z' ? (char)(*s - 'a' + 'A') : *s;
}

int text_hex(char c)
{
    char l = text_lower(c);
    return c >= '0' && c <= '9' ? c - '0' : l >= 'a' && l <= 'f' ? l - 'a' + 10 : -1;
}

size_t utf8_length(const unsigned char *s, size_t n)
{
    unsigned char c = s[0];
    if (c < 0x80)
        return 1;
    size_t len = c >= 0xC2 && c <= 0xDF   ? 2
                 : (c & 0xF0) == 0xE0     ? 3
                 : c >= 0xF0 && c <= 0xF4 ? 4
                                          : 0;
    if (len == 0 || len > n)
        return 0;
    for (size_t i = 1; i < len; i++)
        if ((s[i] & 0xC0) != 0x80)
            return 0;
    if ((c == 0xE0 && s[1] < 0xA0) || (c == 0xED && s[1] > 0x9F) ||
        (c == 0xF0 && s[1] < 0x90) || (c == 0xF4 && s[1] > 0x8F))
        return 0;
    return len;
}

uint32_t utf8_code(const unsigned char *s, size_t n)
{
    uint32_t code = n == 1 ? s[0] : s[0] & (0x7fU >> n);
    for (size_t i = 1; i < n; i++)
        code = code << 6 | (s[i] & 0x3fU);
    return code;
}

bool utf8_is_valid(struct str s)
{
    for (size_t i = 0; i < s.n;) {
        uint64_t word;
        if (i + 8 <= s.n && (memcpy(&word, s.p + i, 8), !(word & 0x8080808080808080u))) {
            i += 8;
            continue;
        }
        size_t n = utf8_length((const unsigned char *)s.p + i, s.n - i);
        if (n == 0)
            return false;
        i += n;
    }
    return true;
}

size_t utf8_cut(struct str s, size_t max)
{
    if (s.n <= max)
        return s.n;
    size_t cut = max;
    for (int back = 0; back < 3 && cut > 0 && ((unsigned char)s.p[cut] & 0xC0) == 0x80; back++)
        cut--;
    return ((unsigned char)s.p[cut] & 0xC0) == 0x80 ? max : cut;
}

int text_distance(const char *a, const char *b)
{
    enum { LONGEST = 63 };
    size_t na = strlen(a), nb = strlen(b);
    if (na > LONGEST || nb > LONGEST)
        return (int)MAX(na, nb);
    int d[LONGEST + 1][LONGEST + 1];
    for (size_t i = 0; i <= na; i++)
        d[i][0] = (int)i;
    for (size_t j = 0; j <= nb; j++)
        d[0][j] = (int)j;
    for (size_t i = 1; i <= na; i++) {
        for (size_t j = 1; j <= nb; j++) {
            int best = MIN(d[i - 1][j], d[i][j - 1]) + 1;
            best = MIN(best, d[i - 1][j - 1] + (a[i - 1] != b[j - 1]));
            if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1])
                best = MIN(best, d[i - 2][j - 2] + 1);
            d[i][j] = best;
        }
    }
    return d[na][nb];
}

const char *text_nearest(const char *word, const char *const *names)
{
    const char *best = NULL;
    int limit = strlen(word) <= 4 ? 1 : strlen(word) <= 8 ? 2 : 3;
    for (; *names; names++) {
        int distance = text_distance(word, *names);
        if (distance <= limit) {
            limit = distance - 1;
            best = *names;
        }
    }
    return best;
}
