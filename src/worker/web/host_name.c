/* A host is an IPv6 address in brackets, or, percent-decoded, a name. A name whose last label
 * is a number must be an IPv4 address in one of the forms that inet_aton() has known since the
 * eighties
 * ("0x7f.1", "2130706433"), or two spellings of one machine would be two hosts. */
#include "worker/web/host_name.h"

#include <arpa/inet.h>
#include <string.h>

enum { HOST_NAME_BYTES = 253 };

/* The longest run of two or more zero pieces is what "::" stands for; returns its length. */
static int ipv6_zero_run(const uint16_t piece[8], int *ret_start)
{
    int best = 1;
    *ret_start = -1;
    for (int i = 0; i < 8; i++) {
        int n = 0;
        while (i + n < 8 && piece[i + n] == 0)
            n++;
        if (n > best) {
            best = n;
            *ret_start = i;
        }
        i += n;
    }
    return best;
}

static void ipv6_write(const unsigned char octets[16], struct buf *out)
{
    uint16_t piece[8];
    for (int i = 0; i < 8; i++)
        piece[i] = (uint16_t)(octets[2 * i] << 8 | octets[2 * i + 1]);
    int start, length = ipv6_zero_run(piece, &start);
    buf_add_byte(out, '[');
    for (int i = 0; i < 8; i++) {
        if (i == start) {
            buf_add_c(out, i == 0 ? "::" : ":");
            i += length - 1;
            continue;
        }
        buf_printf(out, i < 7 ? "%x:" : "%x", piece[i]);
    }
    buf_add_byte(out, ']');
}

static int ipv6_normalise(struct str inner, struct buf *out, struct err *e)
{
    char text[64];
    unsigned char octets[16];
    if (inner.n < sizeof(text)) {
        memcpy(text, inner.p, inner.n);
        text[inner.n] = 0;
        if (strlen(text) == inner.n && inet_pton(AF_INET6, text, octets) == 1) {
            ipv6_write(octets, out);
            return 0;
        }
    }
    return fail(e, E_INVAL, "'[%.*s]' is no IPv6 address", (int)MIN(inner.n, (size_t)64),
                inner.p);
}

/* Reads one number of an IPv4 address: decimal, 0x hex or 0 octal. */
static bool ipv4_number(struct str s, uint64_t *ret_value)
{
    unsigned base = 10;
    if (s.n >= 2 && s.p[0] == '0' && text_lower(s.p[1]) == 'x') {
        base = 16;
        s.p += 2, s.n -= 2;
    } else if (s.n >= 2 && s.p[0] == '0') {
        base = 8;
        s.p++, s.n--;
    } else if (s.n == 0) {
        return false;
    }
    uint64_t value = 0;
    for (size_t i = 0; i < s.n; i++) {
        int digit = text_hex(s.p[i]);
        if (digit < 0 || digit >= (int)base)
            return false;
        value = MIN(value * base + (unsigned)digit, (uint64_t)1 << 33); /* too large stays so */
    }
    *ret_value = value;
    return true;
}

static bool name_ends_in_number(struct str name)
{
    if (name.n && name.p[name.n - 1] == '.')
        name.n--;
    size_t start = name.n;
    while (start && name.p[start - 1] != '.')
        start--;
    struct str last = {name.p + start, name.n - start};
    bool digits = last.n > 0;
    for (size_t i = 0; i < last.n; i++)
        digits = digits && last.p[i] >= '0' && last.p[i] <= '9';
    uint64_t value;
    return digits || ipv4_number(last, &value);
}

static int ipv4_normalise(struct str name, struct buf *out, struct err *e)
{
    struct str rest = name;
    if (rest.p[rest.n - 1] == '.')
        rest.n--;
    uint64_t parts[4], address = 0;
    int count = 0;
    do {
        struct str part = str_cut(&rest, '.');
        if (count == 4 || !ipv4_number(part, &parts[count]))
            return fail(e, E_INVAL, "'%.*s' is no IPv4 address", STR_ARG(name));
        count++;
    } while (rest.p);
    for (int i = 0; i < count - 1; i++) {
        if (parts[i] > 255)
            return fail(e, E_INVAL, "'%.*s' is no IPv4 address", STR_ARG(name));
        address |= parts[i] << (24 - 8 * i);
    }
    if (parts[count - 1] >= (uint64_t)1 << (8 * (5 - count)))
        return fail(e, E_INVAL, "'%.*s' is no IPv4 address", STR_ARG(name));
    address |= parts[count - 1];
    buf_printf(out, "%u.%u.%u.%u", (unsigned)(address >> 24 & 255),
               (unsigned)(address >> 16 & 255), (unsigned)(address >> 8 & 255),
               (unsigned)(address & 255));
    return 0;
}

/* Percent-decodes and lower-cases `raw` into name[]. */
static int name_decode(struct str raw, char name[HOST_NAME_BYTES + 2], size_t *ret_n,
                       struct err *e)
{
    size_t n = 0;
    for (size_t i = 0; i < raw.n; i++) {
        unsigned char c = (unsigned char)raw.p[i];
        if (c == '%' && i + 2 < raw.n) {
            int high = text_hex(raw.p[i + 1]), low = text_hex(raw.p[i + 2]);
            if (high >= 0 && low >= 0) {
                c = (unsigned char)(high << 4 | low);
                i += 2;
            }
        }
        if (c >= 0x80)
            return fail(e, E_INVAL,
                        "international host names are taken in their xn-- form only");
        if (c <= ' ' || c == 0x7f || strchr("#/:<>?@[\\]^|%", c))
            return fail(e, E_INVAL, "a host name cannot hold the character 0x%02X", c);
        if (n > HOST_NAME_BYTES)
            return fail(e, E_INVAL, "a host name cannot be longer than %d bytes",
                        HOST_NAME_BYTES);
        name[n++] = text_lower((char)c);
    }
    if (n == 0 || (n == 1 && name[0] == '.'))
        return fail(e, E_INVAL, "there is no host name");
    *ret_n = n;
    return 0;
}

int host_name_normalise(struct str raw, struct buf *out, struct err *e)
{
    if (raw.n && raw.p[0] == '[') {
        if (raw.p[raw.n - 1] != ']')
            return fail(e, E_INVAL, "the ']' of the IPv6 address is missing");
        return ipv6_normalise((struct str){raw.p + 1, raw.n - 2}, out, e);
    }
    char text[HOST_NAME_BYTES + 2];
    struct str name = {text, 0};
    int r = name_decode(raw, text, &name.n, e);
    if (r < 0)
        return r;
    if (name_ends_in_number(name))
        return ipv4_normalise(name, out, e);
    buf_add_str(out, name);
    return 0;
}

bool host_name_is_loopback(struct str host)
{
    return str_eq(host, STR("localhost")) || str_ends(host, STR(".localhost")) ||
           str_eq(host, STR("[::1]")) ||
           (str_starts(host, STR("127.")) && name_ends_in_number(host));
}
