/* An address is read in one go from left to right: scheme, then authority, path and query, each
 * either its own or the base's, written to the output as they are found. What browsers mend
 * (missing slashes, backslashes) is mended here too, because links are written for browsers. */
#include "worker/web/url.h"

#include <string.h>

#include "base/limits.h"
#include "worker/web/host_name.h"

static bool is_slash(char c)
{
    return c == '/' || c == '\\';
}

/* Without controls and spaces at the ends, tabs and newlines inside, and the fragment. */
static struct str reference_clean(struct str s, struct buf *room)
{
    while (s.n && (unsigned char)s.p[0] <= ' ')
        s.p++, s.n--;
    while (s.n && (unsigned char)s.p[s.n - 1] <= ' ')
        s.n--;
    bool dirty = false;
    for (size_t i = 0; i < s.n; i++) {
        dirty = dirty || s.p[i] == '\t' || s.p[i] == '\n' || s.p[i] == '\r';
        if (s.p[i] == '#')
            s.n = i;
    }
    if (!dirty)
        return s;
    for (size_t i = 0; i < s.n; i++)
        if (s.p[i] != '\t' && s.p[i] != '\n' && s.p[i] != '\r')
            buf_add_byte(room, s.p[i]);
    return buf_str(room);
}

/* Length of the scheme in front of ":", or 0. */
static size_t scheme_length(struct str s)
{
    for (size_t i = 0; i < s.n; i++) {
        char c = s.p[i];
        bool letter = text_lower(c) >= 'a' && text_lower(c) <= 'z';
        if (c == ':')
            return i;
        if (!letter && (i == 0 || !(text_is_alnum(c) || c == '+' || c == '-' || c == '.')))
            return 0;
    }
    return 0;
}

static bool scheme_is(struct str s, const char *name)
{
    struct str want = str_of(name);
    return s.n == want.n && str_find_nocase(s, want) == 0;
}

/* Must this octet be percent-encoded there? */
static bool octet_is_special(unsigned char c, bool in_query)
{
    if (c <= ' ' || c >= 0x7f || c == '"' || c == '#' || c == '<' || c == '>')
        return true;
    return in_query ? c == '\'' : c == '?' || c == '^' || c == '`' || c == '{' || c == '}';
}

static bool octet_is_unreserved(unsigned char c)
{
    return text_is_alnum((char)c) || c == '-' || c == '.' || c == '_' || c == '~';
}

void url_normalise_octets(struct str s, bool in_query, struct buf *out)
{
    static const char hex[] = "0123456789ABCDEF";
    size_t plain = 0; /* start of what is copied as it is */
    size_t stray = 0; /* where in *out the last "%" that begins no escape ends */
    for (size_t i = 0; i < s.n; i++) {
        unsigned char c = (unsigned char)s.p[i];
        size_t used = 1, at = out->n + (i - plain);
        bool decode = false;
        if (c == '%' && i + 2 < s.n && text_hex(s.p[i + 1]) >= 0 && text_hex(s.p[i + 2]) >= 0) {
            c = (unsigned char)(text_hex(s.p[i + 1]) << 4 | text_hex(s.p[i + 2]));
            used = 3;
            /* "%d%41" must not become the escape "%dA" */
            decode = octet_is_unreserved(c) && (!stray || at > stray + 1);
        } else if (!octet_is_special(c, in_query)) {
            stray = c == '%' ? at + 1 : stray;
            continue;
        }
        buf_add(out, s.p + plain, i - plain);
        if (decode)
            buf_add_byte(out, (char)c);
        else
            buf_add(out, (char[3]){'%', hex[c >> 4], hex[c & 15]}, 3);
        i += used - 1;
        plain = i + 1;
    }
    buf_add(out, s.p + plain, s.n - plain);
}

/* Appends the segments of `s` behind the "/" that ends *out, whose path starts at `path`. */
static void path_append(struct str s, size_t path, struct buf *out)
{
    for (;;) {
        size_t n = 0;
        while (n < s.n && !is_slash(s.p[n]))
            n++;
        bool last = n == s.n;
        size_t start = out->n;
        url_normalise_octets((struct str){s.p, n}, false, out);
        struct str segment = {out->p + start, out->n - start};
        if (str_eq(segment, STR("."))) {
            out->n = start;
        } else if (str_eq(segment, STR(".."))) {
            out->n = start;
            if (out->n > path + 1)
                out->n--;
            while (out->n > path + 1 && out->p[out->n - 1] != '/')
                out->n--;
        } else if (!last) {
            buf_add_byte(out, '/');
        }
        if (last || out->overflow)
            return;
        s.p += n + 1, s.n -= n + 1;
    }
}

static int port_append(struct str port, bool secure, struct buf *out, struct err *e)
{
    unsigned value = 0;
    for (size_t i = 0; i < port.n; i++) {
        if (port.p[i] < '0' || port.p[i] > '9')
            return fail(e, E_INVAL, "the port is not a number");
        value = value * 10 + (unsigned)(port.p[i] - '0');
        if (value > 65535)
            return fail(e, E_INVAL, "the port is larger than 65535");
    }
    if (port.n && value != (secure ? 443 : 80))
        buf_printf(out, ":%u", value);
    return 0;
}

/* Takes the authority off the front of *rest. */
static int authority_append(struct str *rest, bool secure, struct buf *out, struct err *e)
{
    size_t n = 0, host = 0;
    for (; n < rest->n && !is_slash(rest->p[n]) && rest->p[n] != '?'; n++)
        if (rest->p[n] == '@')
            host = n + 1;
    struct str name = {rest->p + host, n - host}, port = {NULL, 0};
    rest->p += n, rest->n -= n;
    size_t colon = 0;
    bool inside = false; /* brackets */
    for (; colon < name.n && (inside || name.p[colon] != ':'); colon++)
        inside = name.p[colon] == '[' || (inside && name.p[colon] != ']');
    if (colon < name.n) {
        port = (struct str){name.p + colon + 1, name.n - colon - 1};
        name.n = colon;
    }
    int r = host_name_normalise(name, out, e);
    if (r < 0)
        return r;
    return port_append(port, secure, out, e);
}

static void query_append(struct str after_path, struct buf *out)
{
    if (after_path.n == 0)
        return;
    buf_add_byte(out, '?');
    url_normalise_octets((struct str){after_path.p + 1, after_path.n - 1}, true, out);
}

/* Path and query of a reference that has an authority in *out already. */
static void target_append(struct str rest, struct buf *out)
{
    const char *mark = rest.n ? memchr(rest.p, '?', rest.n) : NULL;
    size_t path_n = mark ? (size_t)(mark - rest.p) : rest.n;
    struct str path = {rest.p, path_n};
    if (path.n && is_slash(path.p[0]))
        path.p++, path.n--;
    size_t start = out->n;
    buf_add_byte(out, '/');
    path_append(path, start, out);
    query_append((struct str){rest.p + path_n, rest.n - path_n}, out);
}

static int absolute_append(struct str rest, bool secure, struct buf *out, struct err *e)
{
    while (rest.n && is_slash(rest.p[0]))
        rest.p++, rest.n--;
    buf_add_c(out, secure ? "https://" : "http://");
    int r = authority_append(&rest, secure, out, e);
    if (r < 0)
        return r;
    target_append(rest, out);
    return 0;
}

static int relative_append(struct str rest, struct str base, struct buf *out, struct err *e)
{
    struct url_parts b = url_split(base);
    if (rest.n >= 2 && is_slash(rest.p[0]) && is_slash(rest.p[1]))
        return absolute_append(rest, b.scheme.n == 5, out, e);
    buf_add_str(out, b.origin);
    if (rest.n && is_slash(rest.p[0])) {
        target_append(rest, out);
    } else if (rest.n == 0) {
        buf_add_str(out, b.target);
    } else if (rest.p[0] == '?') {
        buf_add_str(out, b.path);
        query_append(rest, out);
    } else {
        size_t start = out->n;
        while (b.path.p[b.path.n - 1] != '/')
            b.path.n--;
        buf_add_str(out, b.path);
        const char *mark = memchr(rest.p, '?', rest.n);
        size_t path_n = mark ? (size_t)(mark - rest.p) : rest.n;
        path_append((struct str){rest.p, path_n}, start, out);
        query_append((struct str){rest.p + path_n, rest.n - path_n}, out);
    }
    return 0;
}

static int reference_append(struct str s, struct str base, struct buf *out, struct err *e)
{
    size_t n = scheme_length(s);
    if (n == 0) {
        if (base.n == 0)
            return fail(e, E_INVAL, "the address does not begin with http:// or https://");
        return relative_append(s, base, out, e);
    }
    struct str scheme = {s.p, n}, rest = {s.p + n + 1, s.n - n - 1};
    bool secure = scheme_is(scheme, "https");
    if (!secure && !scheme_is(scheme, "http"))
        return fail(e, E_TYPE, "the scheme '%.*s' is neither http nor https",
                    (int)MIN(n, (size_t)32), scheme.p);
    /* "http:page" is relative for browsers when the base has the same scheme */
    bool same = base.n && (url_split(base).scheme.n == 5) == secure;
    if (same && !(rest.n >= 2 && is_slash(rest.p[0]) && is_slash(rest.p[1])))
        return relative_append(rest, base, out, e);
    return absolute_append(rest, secure, out, e);
}

int url_resolve(struct str reference, struct str base, struct buf *out, struct err *e)
{
    buf_clear(out);
    if (reference.n > 4 * (size_t)LIMIT_TASK_KEY_BYTES)
        return fail(e, E_TOOBIG, "the address is %zu bytes long", reference.n);
    AUTO_BUF room = BUF_INIT(4 * LIMIT_TASK_KEY_BYTES);
    struct str s = reference_clean(reference, &room);
    int r = reference_append(s, base, out, e);
    if (r >= 0 && (out->overflow || out->n > LIMIT_TASK_KEY_BYTES))
        r = fail(e, E_TOOBIG, "the address is longer than %d bytes", LIMIT_TASK_KEY_BYTES);
    if (r < 0)
        buf_clear(out);
    else
        out->p[out->n] = 0; /* ".." may have cut it back */
    return r;
}

struct url_parts url_split(struct str url)
{
    struct url_parts u = {0};
    u.scheme = (struct str){url.p, url.p[4] == 's' ? 5 : 4};
    size_t host = u.scheme.n + 3, n = host;
    while (n < url.n && url.p[n] != '/')
        n++;
    u.origin = (struct str){url.p, n};
    u.host = (struct str){url.p + host, n - host};
    for (size_t i = n; i-- > host && url.p[i] != ']';)
        if (url.p[i] == ':') {
            u.port = (struct str){url.p + i + 1, n - i - 1};
            u.host.n = i - host;
            break;
        }
    u.target = (struct str){url.p + n, url.n - n};
    u.path = u.target;
    const char *mark = u.target.n ? memchr(u.target.p, '?', u.target.n) : NULL;
    if (mark)
        u.path.n = (size_t)(mark - u.target.p);
    return u;
}
