/* The list of worker types, and what all of them share. A new type is one line here. */
#include "worker/worker.h"

#include <stdarg.h>

#include "base/limits.h"
#include "job/secret.h"
#include "worker/crawler/crawler.h"
#include "worker/generator.h"
#include "worker/http.h"
#include "worker/shell.h"
#include "worker/subjob.h"

/* clang-format off */
const struct worker_type *const worker_types[] = {
    &shell_worker,
    &crawler_worker,
    &http_worker,
    &generator_worker,
    &subjob_worker,
    NULL,
};
/* clang-format on */

static const struct worker_schema *schemas[ARRAY_LEN(worker_types)];

const struct worker_type *worker_type_find(const char *name)
{
    for (const struct worker_type *const *t = worker_types; *t; t++)
        if (str_eq_c(str_of((*t)->schema->type), name))
            return *t;
    return NULL;
}

static void schemas_fill(void)
{
    for (size_t i = 0; worker_types[i]; i++)
        schemas[i] = worker_types[i]->schema;
}

const struct worker_schema *const *worker_schemas(void)
{
    static uv_once_t once = UV_ONCE_INIT;
    uv_once(&once, schemas_fill);
    return schemas;
}

void worker_log(struct worker_step *s, struct worker_task *t, enum event_level level,
                const char *fmt, ...)
{
    AUTO_BUF text =
        BUF_INIT(16 * LIMIT_LINE_BYTES); /* the host splits what is longer than a line */
    va_list ap;
    va_start(ap, fmt);
    buf_vprintf(&text, fmt, ap);
    va_end(ap);
    s->host->log(s, t, level,
                 text.overflow ? STR("(a line of more than 1 MiB was left out here)")
                               : buf_str(&text));
}

void worker_fill(const struct worker_step *s, const char *text, struct buf *out)
{
    struct str rest = str_of(text), before, name;
    while (secret_next(&rest, &before, &name)) {
        buf_add_str(out, before);
        for (size_t i = 0; i < s->secret_count; i++)
            if (str_eq_c(name, s->secrets[i].name))
                buf_add_c(out, s->secrets[i].value);
    }
    buf_add_str(out, before);
}
