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

/* The place after an escape sequence that begins at `i` (ECMA-48): of a control sequence, up to
 * its final byte; of a string such as a link's address, up to BEL or ESC \; else two bytes. */
static size_t escape_end(struct str line, size_t i)
{
    char kind = i + 1 < line.n ? line.p[i + 1] : 0;
    size_t at = i + 2;
    if (kind == '[') {
        while (at < line.n && (line.p[at] < '@' || line.p[at] > '~'))
            at++;
        return at + 1;
    }
    if (kind != ']' && kind != 'P' && kind != 'X' && kind != '^' && kind != '_')
        return at;
    while (at < line.n && line.p[at] != BELL && line.p[at] != ESCAPE)
        at++;
    return at < line.n && line.p[at] == ESCAPE ? at + 2 : at + 1;
}

void html_line(struct buf *out, struct str line)
{
    for (size_t i = 0; i < line.n;) {
        unsigned char c = (unsigned char)line.p[i];
        if (c == ESCAPE) {
            i = escape_end(line, i);
            continue;
        }
        if (c == '\t' || (c >= ' ' && c != DELETE))
            html_byte(out, line.p[i]);
        i++;
    }
}
