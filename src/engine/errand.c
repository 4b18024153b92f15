/* errand.c: what a running command may ask the server for, and how it shows that it may.
 *
 * Its token is made when the worker first asks for it, lives in memory as long as the attempt
 * runs, and is good for that task alone. It is never stored: after a restart the task runs
 * again, with another one. */
#include <string.h>
#include <sys/random.h>

#include "base/fault.h"
#include "base/json.h"
#include "base/limits.h"
#include "engine/job.h"
#include "job/parameter.h"

const char *errand_token(struct task *t)
{
    unsigned char random[ERRAND_TOKEN_LEN / 2];
    if (t->token[0])
        return t->token;
    ASSERT(getrandom(random, sizeof(random), 0) == (ssize_t)sizeof(random));
    for (size_t i = 0; i < sizeof(random); i++)
        (void)snprintf(t->token + 2 * i, 3, "%02x", random[i]);
    map_set(&t->step->job->engine->errands, ID_KEY(t->row.id), t);
    return t->token;
}

void errand_end(struct task *t)
{
    explicit_bzero(t->token, sizeof(t->token));
    (void)map_remove(&t->step->job->engine->errands, ID_KEY(t->row.id));
}

/* Takes the same time wherever they differ. */
static bool token_is(const struct task *t, struct str token)
{
    unsigned char different = 0;
    if (token.n != ERRAND_TOKEN_LEN)
        return false;
    for (size_t i = 0; i < token.n; i++)
        different |= (unsigned char)(token.p[i] ^ t->token[i]);
    return different == 0;
}

int engine_errand(struct engine *g, struct id step_id, struct id task_id, struct str token,
                  struct worker_task **ret_task, struct err *e)
{
    if (FAULT(ENGINE_ERRAND))
        return fault_fail(e);
    struct task *t = map_get(&g->errands, ID_KEY(task_id));
    if (!t || !id_eq(t->step->row.id, step_id) || !token_is(t, token))
        return fail(e, E_FORBIDDEN, "the token is not that of a task that runs in this step");
    timeout_alive(t);
    *ret_task = &t->worker;
    return 0;
}

static int values_check(const struct worker_parameter *values, size_t count, struct err *e)
{
    size_t bytes = 0;
    for (size_t i = 0; i < count; i++) {
        bytes += strlen(values[i].name) + strlen(values[i].value);
        if (!parameter_is_name(str_of(values[i].name)))
            return fail(e, E_INVAL, "a value's name is " PARAMETER_NAME_RULE ", not '%.*s'",
                        PARAMETER_NAME_MAX, values[i].name);
    }
    if (bytes > LIMIT_TASK_VALUES_BYTES)
        return fail(e, E_TOOBIG,
                    "the values have %zu bytes with their names, at most %d are allowed", bytes,
                    LIMIT_TASK_VALUES_BYTES);
    return 0;
}

int engine_errand_spawn(struct worker_task *w, struct str key,
                        const struct worker_parameter *values, size_t count, struct err *e)
{
    struct task *t = container_of(w, struct task, worker);
    AUTO_BUF payload = BUF_INIT(FAN_PAYLOAD_MAX_BYTES);
    if (t->step->stopping)
        return fail(e, E_STATE, "step '%s' is being stopped", t->step->row.name);
    int r = values_check(values, count, e);
    if (r < 0)
        return r;
    fan_write(&payload, key, values, count);
    return payload.overflow ? fail(e, E_TOOBIG, "the key has %zu bytes", key.n)
                            : w->step->host->spawn(w->step, key, buf_str(&payload), e);
}
