/* Any bytes with any charset are a page: text is valid UTF-8 when the input was decoded, links
 * are normalised, and no page takes long. The first line of the input is the Content-Type. */
#include <stdint.h>
#include <string.h>

#include "base/limits.h"
#include "worker/crawler/charset.h"
#include "worker/crawler/html.h"
#include "worker/web/url.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct str rest = {(const char *)data, size};
    struct str type = str_cut(&rest, '\n');
    AUTO_BUF room = BUF_INIT(3 * size + 16), markdown = BUF_INIT(64 * 1024);
    AUTO_ARENA arena = ARENA_INIT;
    struct str text;
    struct html_page page;
    struct err e;
    (void)charset_decode(rest, type, &room, &text);
    for (size_t i = 0, n; i < text.n; i += n) {
        n = utf8_length((const unsigned char *)text.p + i, text.n - i);
        ASSERT(n > 0);
    }
    if (html_read(text, STR("http://a.test/dir/page"), &arena, &page, &markdown, &e) < 0)
        return 0;
    for (size_t i = 0; i < page.link_count; i++)
        ASSERT(strlen(page.links[i].url.p) == page.links[i].url.n &&
               url_split(page.links[i].url).host.n > 0);
    for (size_t i = 0, n; i < markdown.n; i += n) {
        n = utf8_length((const unsigned char *)markdown.p + i, markdown.n - i);
        ASSERT(n > 0);
    }
    return 0;
}
