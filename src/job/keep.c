#include "job/keep.h"

#include "base/json.h"
#include "job/node.h"
#include "job/quantity.h"

enum { AGE_MIN_MS = 1000 };

int keep_read(const struct node *n, struct keep *ret_keep, struct err *e)
{
    static const char *const keys[] = {"age", "jobs", "bytes", NULL};
    const struct node *age = node_get(n, "age"), *jobs = node_get(n, "jobs"),
                      *bytes = node_get(n, "bytes");
    struct keep k = {0};
    int r = node_check_map(n, keys, e);
    if (r >= 0 && age)
        r = node_duration(age, AGE_MIN_MS, 0, &k.age_ms, e);
    if (r >= 0 && jobs)
        r = node_int(jobs, 1, INT32_MAX, &k.jobs, e);
    if (r >= 0 && bytes)
        r = node_size(bytes, 1, 0, &k.bytes, e);
    if (r >= 0 && !keep_is_limited(&k))
        return node_fail(n, e, "expected at least one of age, jobs and bytes");
    if (r >= 0)
        *ret_keep = k;
    return r;
}

void keep_json(const struct keep *k, struct json *j)
{
    char text[QUANTITY_TEXT_MAX];
    if (!keep_is_limited(k)) {
        json_write_null(j);
        return;
    }
    json_begin_object(j);
    json_key_c(j, "age", k->age_ms ? quantity_format_duration(k->age_ms, text) : NULL);
    json_key(j, "jobs");
    if (k->jobs)
        json_int(j, k->jobs);
    else
        json_write_null(j);
    json_key_c(j, "bytes", k->bytes ? quantity_format_size(k->bytes, text) : NULL);
    json_end_object(j);
}
