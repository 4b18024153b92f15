/* Any file can be read and asked. The first line of the input is the path. */
#include <stdint.h>

#include "worker/crawler/robots.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct str rest = {(const char *)data, size};
    struct str path = str_cut(&rest, '\n');
    struct robots *r = robots_parse(rest, "tailrace/1.0");
    (void)robots_allow(r, path);
    ASSERT(robots_allow(r, STR("/robots.txt")));
    ASSERT(robots_crawl_delay_ms(r) >= 0);
    robots_free(r);
    return 0;
}
