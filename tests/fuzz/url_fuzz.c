/* Resolving anything against anything ends, stays inside its buffers, and what it gives is its
 * own normal form. The first line of the input is the base, the rest the reference. */
#include <stdint.h>
#include <string.h>

#include "base/limits.h"
#include "worker/web/url.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct str rest = {(const char *)data, size};
    struct str first = str_cut(&rest, '\n');
    AUTO_BUF base = BUF_INIT(LIMIT_TASK_KEY_BYTES), out = BUF_INIT(LIMIT_TASK_KEY_BYTES),
             again = BUF_INIT(LIMIT_TASK_KEY_BYTES);
    struct err e;
    if (url_resolve(first, STR("http://base.test/a/b?c"), &base, &e) < 0)
        return 0;
    if (url_resolve(rest, buf_str(&base), &out, &e) < 0)
        return 0;
    struct url_parts u = url_split(buf_str(&out));
    ASSERT(u.host.n > 0 && u.path.n > 0 && u.path.p[0] == '/');
    ASSERT(u.origin.n + u.target.n == out.n && out.p[out.n] == 0 && strlen(out.p) == out.n);
    ASSERT(url_resolve(buf_str(&out), STR(""), &again, &e) >= 0);
    ASSERT(str_eq(buf_str(&out), buf_str(&again)));
    return 0;
}
