/* Any bytes as a compressed message: it never crashes or gives more than its limit, and is as
 * good as new for the next one. And any bytes, packed by the server's side, come out the same.
 */
#include <stdint.h>
#include <string.h>

#include "feed/deflate.h"

enum { LIMIT_BYTES = 64 * 1024 };

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
    struct str in = {(const char *)bytes, size};
    AUTO_BUF out = BUF_INIT(LIMIT_BYTES);
    AUTO_BUF packed = BUF_INIT(2 * LIMIT_BYTES);
    struct inflater *inflater = inflater_new();
    struct deflater *deflater = deflater_new();
    (void)inflater_run(inflater, in, &out);
    ASSERT(out.n <= LIMIT_BYTES);
    in.n = MIN(in.n, (size_t)LIMIT_BYTES);
    deflater_add(deflater, &packed, in);
    ASSERT(!packed.overflow && inflater_run(inflater, buf_str(&packed), &out));
    ASSERT(out.n == in.n && (in.n == 0 || memcmp(out.p, in.p, in.n) == 0));
    deflater_free(deflater);
    inflater_free(inflater);
    return 0;
}
