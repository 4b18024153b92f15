#include "server/html.h"

enum { ESCAPE = 0x1b, BELL = 0x07, DELETE = 0x7f };

static void html_byte(struct buf *out, char c)
{
    if (c == '&')
        buf_add_c(out, "&amp;");
    else if (c == '<')
        buf_add_c(out, "&lt;");
    else if (c == '>')
        buf_add_c(out, "&gt;");
    else if (c == '"')
        buf_add_c(out, "&quot;");
    else
        buf_add_byte(out, c);
}

void html_text(struct buf *out, struct str text)
{
    for (size_t i = 0; i < text.n; i++)
        html_byte(out, text.p[i]);
}

static bool is_in(struct str line, size_t at, char low, char high)
{
    return at < line.n && line.p[at] >= low && line.p[at] <= high;
}

static size_t skip_all(struct str line, size_t at, char low, char high)
{
    while (is_in(line, at, low, high))
        at++;
    return at;
}

/* The place after an escape sequence that begins at `i` (ECMA-48). Of a control sequence or a
 * short one, up to its final byte; of a string such as a link's address, up to BEL or ESC \.
 * What is not complete hides no text: only its beginning is skipped. */
static size_t escape_end(struct str line, size_t i)
{
    char kind = i + 1 < line.n ? line.p[i + 1] : 0;
    size_t at = i + 2;
    if (kind == '[') {
        at = skip_all(line, at, ' ', '?');
        return is_in(line, at, '@', '~') ? at + 1 : at;
    }
    if (kind == ']' || kind == 'P' || kind == 'X' || kind == '^' || kind == '_') {
        while (at < line.n && line.p[at] != BELL && line.p[at] != ESCAPE)
            at++;
        if (at == line.n)
            return i + 2;
        return line.p[at] == BELL ? at + 1 : is_in(line, at + 1, '\\', '\\') ? at + 2 : at;
    }
    at = skip_all(line, i + 1, ' ', '/'); /* such as ESC ( B */
    return is_in(line, at, '0', '~') ? at + 1 : at;
}

/* U+0080 to U+009F, the second set of control characters, in UTF-8. */
static bool is_c1(struct str line, size_t i)
{
    return i + 1 < line.n && (unsigned char)line.p[i] == 0xc2 &&
           (unsigned char)line.p[i + 1] < 0xa0;
}

void html_line(struct buf *out, struct str line)
{
    for (size_t i = 0; i < line.n;) {
        unsigned char c = (unsigned char)line.p[i];
        if (c == ESCAPE) {
            i = escape_end(line, i);
            continue;
        }
        if (is_c1(line, i)) {
            i += 2;
            continue;
        }
        if (c == '\t' || (c >= ' ' && c != DELETE))
            html_byte(out, line.p[i]);
        i++;
    }
}
