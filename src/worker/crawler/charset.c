#include "worker/crawler/charset.h"

#include <iconv.h>
#include <string.h>

enum { PRESCAN_BYTES = 1024, CHUNK_BYTES = 16 * 1024 };

struct encoding {
    const char *name;   /* as shown */
    const char *iconv;  /* as the C library calls it */
    const char *labels; /* as pages write it, each between spaces */
};

/* Only what is listed here is ever given to iconv_open(): its names have suffixes with powers
 * ("//TRANSLIT") that are nothing for pages to choose. */
static const struct encoding encodings[] = {
    {"utf-8", "UTF-8", " utf-8 utf8 unicode-1-1-utf-8 unicode11utf8 x-unicode20utf8 "},
    {"windows-1252", "WINDOWS-1252",
     " windows-1252 cp1252 x-cp1252 iso-8859-1 iso8859-1 iso88591 iso_8859-1 latin1 l1 ascii "
     "us-ascii ansi_x3.4-1968 cp819 ibm819 iso-ir-100 csisolatin1 "},
    {"utf-16le", "UTF-16LE", " utf-16le utf-16 unicode ucs-2 iso-10646-ucs-2 csunicode "},
    {"utf-16be", "UTF-16BE", " utf-16be unicodefffe "},
    {"iso-8859-2", "ISO-8859-2", " iso-8859-2 iso8859-2 latin2 l2 csisolatin2 "},
    {"iso-8859-3", "ISO-8859-3", " iso-8859-3 latin3 l3 "},
    {"iso-8859-4", "ISO-8859-4", " iso-8859-4 latin4 l4 "},
    {"iso-8859-5", "ISO-8859-5", " iso-8859-5 cyrillic "},
    {"iso-8859-6", "ISO-8859-6", " iso-8859-6 arabic "},
    {"iso-8859-7", "ISO-8859-7", " iso-8859-7 greek "},
    {"iso-8859-8", "ISO-8859-8", " iso-8859-8 iso-8859-8-i hebrew "},
    {"iso-8859-10", "ISO-8859-10", " iso-8859-10 latin6 l6 "},
    {"iso-8859-13", "ISO-8859-13", " iso-8859-13 "},
    {"iso-8859-14", "ISO-8859-14", " iso-8859-14 "},
    {"iso-8859-15", "ISO-8859-15", " iso-8859-15 iso8859-15 latin9 l9 "},
    {"iso-8859-16", "ISO-8859-16", " iso-8859-16 "},
    {"windows-1250", "WINDOWS-1250", " windows-1250 cp1250 x-cp1250 "},
    {"windows-1251", "WINDOWS-1251", " windows-1251 cp1251 x-cp1251 "},
    {"windows-1253", "WINDOWS-1253", " windows-1253 cp1253 "},
    {"windows-1254", "WINDOWS-1254", " windows-1254 cp1254 iso-8859-9 latin5 l5 "},
    {"windows-1255", "WINDOWS-1255", " windows-1255 cp1255 "},
    {"windows-1256", "WINDOWS-1256", " windows-1256 cp1256 "},
    {"windows-1257", "WINDOWS-1257", " windows-1257 cp1257 "},
    {"windows-1258", "WINDOWS-1258", " windows-1258 cp1258 "},
    {"windows-874", "CP874", " windows-874 iso-8859-11 tis-620 dos-874 "},
    {"koi8-r", "KOI8-R", " koi8-r koi8 koi cskoi8r "},
    {"koi8-u", "KOI8-U", " koi8-u koi8-ru "},
    {"ibm866", "IBM866", " ibm866 cp866 866 csibm866 "},
    {"macintosh", "MACINTOSH", " macintosh mac x-mac-roman "},
    {"gb18030", "GB18030", " gb18030 gbk gb2312 gb_2312-80 x-gbk chinese csgb2312 "},
    {"big5", "BIG5-HKSCS", " big5 big5-hkscs cn-big5 x-x-big5 csbig5 "},
    {"euc-jp", "EUC-JP", " euc-jp x-euc-jp "},
    {"shift_jis", "CP932", " shift_jis shift-jis sjis x-sjis windows-31j ms932 csshiftjis "},
    {"iso-2022-jp", "ISO-2022-JP", " iso-2022-jp csiso2022jp "},
    {"euc-kr", "CP949", " euc-kr ks_c_5601-1987 ksc5601 korean windows-949 cseuckr "},
};

enum { UTF_8, WINDOWS_1252, UTF_16LE, UTF_16BE };

static const struct encoding *encoding_find(struct str label)
{
    char padded[48] = " ";
    label = str_trim(label);
    if (label.n == 0 || label.n > sizeof(padded) - 3 || memchr(label.p, ' ', label.n))
        return NULL;
    memcpy(padded + 1, label.p, label.n);
    padded[label.n + 1] = ' ';
    struct str want = {padded, label.n + 2};
    for (size_t i = 0; i < ARRAY_LEN(encodings); i++)
        if (str_find_nocase(str_of(encodings[i].labels), want) >= 0)
            return &encodings[i];
    return NULL;
}

/* The value of "charset=" in a Content-Type or in a <meta>, as far as `s` goes. */
static struct str charset_value(struct str s)
{
    ptrdiff_t at;
    while ((at = str_find_nocase(s, STR("charset"))) >= 0) {
        s.p += at + 7, s.n -= (size_t)at + 7;
        struct str value = s;
        while (value.n && text_is_space(value.p[0]))
            value.p++, value.n--;
        if (value.n == 0 || value.p[0] != '=')
            continue;
        value.p++, value.n--;
        while (value.n &&
               (text_is_space(value.p[0]) || value.p[0] == '"' || value.p[0] == '\''))
            value.p++, value.n--;
        size_t n = 0;
        while (n < value.n && !text_is_space(value.p[n]) && !strchr("\"';/><", value.p[n]))
            n++;
        value.n = n;
        return value;
    }
    return (struct str){NULL, 0};
}

static const struct encoding *meta_find(struct str s)
{
    s.n = MIN(s.n, (size_t)PRESCAN_BYTES);
    while (s.n) {
        const char *lt = memchr(s.p, '<', s.n);
        if (!lt)
            return NULL;
        s.n -= (size_t)(lt - s.p);
        s.p = lt;
        if (str_starts(s, STR("<!--"))) {
            ptrdiff_t end = str_find(s, STR("-->"));
            if (end < 0)
                return NULL;
            s.p += end, s.n -= (size_t)end;
            continue;
        }
        const char *gt = memchr(s.p, '>', s.n);
        struct str tag = {s.p, gt ? (size_t)(gt - s.p) : s.n};
        if (gt &&
            str_find_nocase((struct str){tag.p, MIN(tag.n, (size_t)5)}, STR("<meta")) == 0) {
            const struct encoding *found = encoding_find(charset_value(tag));
            if (found == &encodings[UTF_16LE] || found == &encodings[UTF_16BE])
                found = &encodings[UTF_8]; /* the tag could not have been read otherwise */
            if (found)
                return found;
        }
        s.p += 1, s.n -= 1;
    }
    return NULL;
}

/* Cuts a byte order mark off and returns what it says. */
static const struct encoding *mark_take(struct str *s)
{
    static const struct {
        const char *mark;
        size_t n;
        int encoding;
    } marks[] = {
        {"\xef\xbb\xbf", 3, UTF_8}, {"\xff\xfe", 2, UTF_16LE}, {"\xfe\xff", 2, UTF_16BE}};
    for (size_t i = 0; i < ARRAY_LEN(marks); i++)
        if (str_starts(*s, (struct str){marks[i].mark, marks[i].n})) {
            s->p += marks[i].n, s->n -= marks[i].n;
            return &encodings[marks[i].encoding];
        }
    return NULL;
}

/* Not iconv's work: it lets sequences through that mean nothing beyond U+10FFFF. */
static void utf8_repair(struct str s, struct buf *out)
{
    size_t plain = 0;
    for (size_t i = 0, n; i < s.n; i += n) {
        n = utf8_length((const unsigned char *)s.p + i, s.n - i);
        if (n > 0)
            continue;
        buf_add(out, s.p + plain, i - plain);
        buf_add_c(out, "\xef\xbf\xbd");
        n = 1;
        plain = i + 1;
    }
    buf_add(out, s.p + plain, s.n - plain);
}

static void decode(const struct encoding *from, struct str s, struct buf *out)
{
    if (from == &encodings[UTF_8]) {
        utf8_repair(s, out);
        return;
    }
    iconv_t cd = iconv_open("UTF-8", from->iconv);
    if (cd == (iconv_t)-1) { /* a system without that table: better than nothing */
        for (size_t i = 0; i < s.n; i++)
            buf_add_c(out, (signed char)s.p[i] >= 0 ? (char[2]){s.p[i], 0} : "\xef\xbf\xbd");
        return;
    }
    char *in = (char *)(uintptr_t)s.p; /* iconv() does not write there */
    size_t left = s.n;
    while (left && !out->overflow) {
        char chunk[CHUNK_BYTES], *to = chunk;
        size_t room = sizeof(chunk), before = left;
        (void)iconv(cd, &in, &left, &to, &room);
        buf_add(out, chunk, (size_t)(to - chunk));
        if (left && left == before && to == chunk) { /* stuck on a wrong or cut byte */
            buf_add_c(out, "\xef\xbf\xbd");
            in++, left--;
        }
    }
    iconv_close(cd);
}

const char *charset_decode(struct str bytes, struct str content_type, struct buf *room,
                           struct str *ret_text)
{
    const struct encoding *found = mark_take(&bytes);
    if (!found)
        found = encoding_find(charset_value(content_type));
    if (!found)
        found = meta_find(bytes);
    bool valid = (!found || found == &encodings[UTF_8]) && utf8_is_valid(bytes);
    if (!found)
        found = &encodings[valid ? UTF_8 : WINDOWS_1252];
    if (valid) {
        *ret_text = bytes;
    } else {
        decode(found, bytes, room);
        *ret_text = buf_str(room);
    }
    return found->name;
}
