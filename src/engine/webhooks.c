/* The happy path of a message: a job ends -> webhooks_job_ended() puts a row for each webhook
 * that wants to know into the batch that has the end -> when that is durable, and not too many
 * are under way, message_send() reads the secrets, signs and sends it -> 2xx comes -> the row
 * goes.
 *
 * Any other answer, or none, and it waits for its next attempt, which the row knows; after the
 * last one it is given up. Each of these is told. A row holds all that is needed, so it
 * outlives the job, and no secret. */
#include "engine/webhooks.h"

#include <jansson.h>
#include <nettle/base64.h>
#include <nettle/hmac.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/fault.h"
#include "base/json.h"
#include "base/limits.h"
#include "base/mem.h"
#include "engine/job.h"
#include "job/secret.h"
#include "worker/web/fetch.h"
#include "worker/web/status.h"
#include "worker/web/url.h"

enum {
    BODY_MAX_BYTES = 4 * 1024 * 1024,
    TARGET_MAX_BYTES = 64 * 1024,
    ANSWER_MAX_BYTES = 64 * 1024, /* nobody reads it */
    AT_ONCE = 16,                 /* so many are sent at a time; the others wait */
    HEADER_BYTES = 256,
    GONE = 410,
};

struct webhooks {
    struct engine *engine;
    webhooks_told *told;
    void *arg;
    struct list all;   /* struct message.link */
    struct list ready; /* struct message.link_ready: due, and too many are under way */
    int sending;
};

enum message_phase { MESSAGE_WAITS, MESSAGE_SENDS, MESSAGE_FAILED, MESSAGE_ENDED };

struct message {
    struct webhooks *webhooks;
    struct list link, link_ready;
    struct delivery_row row;
    char *definition_id, *target_text, *body; /* the row's */
    json_t *target;
    enum message_phase phase;
    struct deadline deadline;
    struct fetcher *fetcher;
    struct fetch fetch;
    struct buf url;    /* with its secrets */
    struct mask *mask; /* of these: an error may name a part of the address */
    char headers[5][HEADER_BYTES];
    const char *header_list[6];
};

static struct batch *batch_of(const struct webhooks *w)
{
    return writer_batch(w->engine->writer);
}

static const char *target_text(const struct message *m, const char *key)
{
    return json_string_value(json_object_get(m->target, key)); /* or NULL */
}

static int64_t target_int(const struct message *m, const char *key)
{
    return json_integer_value(json_object_get(m->target, key));
}

static void PRINTF(4, 5) tell(const struct message *m, enum event_level level,
                              const char *event, const char *fmt, ...)
{
    AUTO_BUF text = BUF_INIT(4096);
    const char *url = target_text(m, "url"); /* as it was written: without secrets */
    buf_printf(&text, "%s: ", url ? url : "a webhook");
    va_list ap;
    va_start(ap, fmt);
    buf_vprintf(&text, fmt, ap);
    va_end(ap);
    m->webhooks->told(m->webhooks->arg, level, event, m->row.job_id, buf_text(&text));
}

/* ---- what is told ---- */

static void body_step(const struct step *step, struct json *j)
{
    json_begin_object(j);
    json_key_id(j, "step_id", step->row.id);
    json_key_c(j, "name", step->row.name);
    json_key_c(j, "type", step->row.type);
    json_key_c(j, "status", job_state_name(step->row.status));
    json_key_c(j, "cause", step->row.cause);
    json_key_time(j, "started_at", step->row.started_at_us);
    json_key_time(j, "completed_at", step->row.completed_at_us);
    json_end_object(j);
}

static char *body_write(const struct job *job)
{
    AUTO_BUF body = BUF_INIT(BODY_MAX_BYTES);
    AUTO_FREE char *type = mem_printf("job.%s", job_state_name(job->row.status));
    struct json j = JSON_TO(&body);
    json_begin_object(&j);
    json_key_c(&j, "type", type);
    json_key_time(&j, "timestamp", job->row.completed_at_us);
    json_key(&j, "data");
    json_begin_object(&j);
    json_key_id(&j, "job_id", job->row.id);
    json_key_c(&j, "definition_id", job->row.definition_id);
    json_key_c(&j, "name", job->row.name);
    json_key_c(&j, "status", job_state_name(job->row.status));
    json_key_c(&j, "cause", job->row.cause);
    json_key_c(&j, "error", job->row.error);
    json_key_c(&j, "started_by", job->row.started_by);
    json_key_time(&j, "created_at", job->row.created_at_us);
    json_key_time(&j, "started_at", job->row.started_at_us);
    json_key_time(&j, "completed_at", job->row.completed_at_us);
    json_key(&j, "steps");
    json_begin_array(&j);
    for (int i = 0; i < job->step_count; i++)
        body_step(&job->steps[i], &j);
    json_end_array(&j);
    json_end_object(&j);
    json_end_object(&j);
    return buf_take(&body);
}

/* Where to, and where the secrets are: all that sending needs of the definition. */
static char *target_write(const struct definition *d, const struct webhook *hook)
{
    AUTO_BUF text = BUF_INIT(TARGET_MAX_BYTES * 4);
    struct json j = JSON_TO(&text);
    json_begin_object(&j);
    json_key_c(&j, "url", hook->url);
    json_key_c(&j, "secret", hook->secret);
    json_key_int(&j, "attempts", hook->attempts);
    json_key_int(&j, "backoff_ms", hook->backoff_ms);
    json_key_int(&j, "backoff_max_ms", hook->backoff_max_ms);
    json_key_int(&j, "timeout_ms", hook->timeout_ms);
    json_key(&j, "secrets");
    json_begin_object(&j);
    for (int i = 0; i < d->secret_count; i++) {
        const struct secret *s = &d->secrets[i];
        json_key(&j, s->name);
        json_begin_object(&j);
        json_key_c(&j, s->kind == SECRET_FILE ? "file" : "env", s->from);
        json_end_object(&j);
    }
    json_end_object(&j);
    json_end_object(&j);
    return buf_take(&text);
}

/* ---- messages ---- */

static struct message *message_new(struct webhooks *w, const struct delivery_row *row)
{
    struct message *m = mem_alloc(sizeof(*m));
    m->webhooks = w;
    m->row = *row;
    m->row.definition_id = m->definition_id = mem_strdup(row->definition_id);
    m->row.target = m->target_text = mem_strdup(row->target);
    m->row.body = m->body = mem_strdup(row->body);
    m->target = json_loads(row->target, 0, NULL);
    m->url = (struct buf)BUF_INIT(LIMIT_TASK_KEY_BYTES);
    list_add(&w->all, &m->link);
    return m;
}

static void message_quiet(struct message *m)
{
    fetch_stop(&m->fetch);
    fetch_clear(&m->fetch);
    fetcher_free(TAKE(m->fetcher));
    buf_wipe(&m->url);
    mask_free(TAKE(m->mask));
}

static void message_free(struct message *m)
{
    message_quiet(m);
    deadline_clear(&m->webhooks->engine->deadlines, &m->deadline);
    list_remove(&m->link);
    list_remove(&m->link_ready);
    json_decref(m->target);
    free(m->definition_id);
    free(m->target_text);
    free(m->body);
    free(m);
}

static void on_deadline(struct deadline *d);

static void message_wait(struct message *m, int64_t ms)
{
    deadline_set(&m->webhooks->engine->deadlines, &m->deadline, ms, on_deadline);
}

static void message_end(struct message *m)
{
    batch_delete_delivery(batch_of(m->webhooks), m->row.id);
    m->phase = MESSAGE_ENDED;
}

static void message_fail(struct message *m, const char *text, bool for_good)
{
    AUTO_BUF room = BUF_INIT(SECRETS_ROOM);
    bool holds_secret = m->mask && mask_apply(m->mask, NULL, str_of(text), &room);
    const char *why = holds_secret ? buf_text(&room) : text;
    const struct step_definition pauses = {.retry_backoff_ms = target_int(m, "backoff_ms"),
                                           .retry_backoff_max_ms =
                                               target_int(m, "backoff_max_ms")};
    int most = (int)target_int(m, "attempts");
    m->row.attempts++;
    if (for_good || m->row.attempts >= most) {
        tell(m, LEVEL_ERROR, "webhook_given_up", "given up after attempt %d of %d: %s",
             m->row.attempts, most, why);
        message_end(m);
        return;
    }
    int64_t ms = retry_pause_ms(&pauses, m->row.attempts);
    tell(m, LEVEL_WARN, "webhook_failed", "attempt %d of %d: %s; the next one in %lld.%lld s",
         m->row.attempts, most, why, (long long)ms / 1000, (long long)ms % 1000 / 100);
    m->row.due_at_us = clock_wall_us() + ms * 1000;
    batch_put_delivery(batch_of(m->webhooks), &m->row);
    m->phase = MESSAGE_FAILED;
}

static void on_answer(struct fetch *f)
{
    struct message *m = container_of(f, struct message, fetch);
    const char *reason = http_status_reason(f->status);
    FAULT_KILLS(WEBHOOK_ANSWERED);
    m->webhooks->sending--;
    if (f->error.code < 0) {
        message_fail(m, f->error.text, false);
    } else if (f->status >= 200 && f->status <= 299) {
        tell(m, LEVEL_INFO, "webhook_delivered", "taken, %d%s%s, %lld ms", f->status,
             *reason ? " " : "", reason, (long long)(f->duration_us + 500) / 1000);
        message_end(m);
    } else {
        AUTO_FREE char *why = mem_printf("HTTP %d%s%s", f->status, *reason ? " " : "", reason);
        message_fail(m, why, f->status == GONE);
    }
    message_wait(m, 0); /* what it used may not be freed in here */
}

/* ---- sending ---- */

/* Of one name, as the definition had it. */
static int read_named(const struct message *m, const char *name, char **ret_value,
                      struct err *e)
{
    json_t *from = json_object_get(json_object_get(m->target, "secrets"), name);
    const char *file = json_string_value(json_object_get(from, "file"));
    const char *env = json_string_value(json_object_get(from, "env"));
    struct secret secret = {.name = (char *)(uintptr_t)name,
                            .kind = file ? SECRET_FILE : SECRET_ENV,
                            .from = (char *)(uintptr_t)(file ? file : env)};
    mode_t mode;
    if (!secret.from)
        return fail(e, E_NOTFOUND, "there is no secret '%s'", name);
    return secret_load(&secret, ret_value, &mode, e);
}

static int url_fill(struct message *m, struct err *e)
{
    AUTO_BUF room = BUF_INIT(LIMIT_DEFINITION_BYTES);
    const char *text = target_text(m, "url");
    m->mask = mask_new();
    struct str rest = str_of(text), before, name;
    while (secret_next(&rest, &before, &name)) {
        AUTO_FREE char *named = mem_copy(name.p, name.n);
        char *value = NULL;
        int r = read_named(m, named, &value, e);
        if (r < 0)
            return r;
        buf_add_str(&room, before);
        buf_add_c(&room, value);
        mask_add(m->mask, str_of(value));
        secret_wipe(value);
    }
    buf_add_str(&room, before);
    if (url_resolve(buf_str(&room), STR(""), &m->url, NULL) < 0)
        return fail(e, E_INVAL, "this is no address of http or https");
    return 0;
}

/* The key: of a secret that begins with "whsec_" what follows, in base64, as the specification
 * writes keys; of any other its bytes. */
static struct str key_of(const char *secret, uint8_t room[LIMIT_SECRET_BYTES])
{
    struct base64_decode_ctx context;
    struct str prefix = STR("whsec_"), key = str_of(secret);
    size_t n = LIMIT_SECRET_BYTES;
    if (!str_starts(key, prefix))
        return key;
    base64_decode_init(&context);
    if (!base64_decode_update(&context, &n, room, key.n - prefix.n, key.p + prefix.n) ||
        !base64_decode_final(&context))
        return key;
    return (struct str){(const char *)room, n};
}

static int sign(struct message *m, const char *id, int64_t timestamp, char to[HEADER_BYTES],
                struct err *e)
{
    char *secret = NULL, head[96], text[BASE64_ENCODE_RAW_LENGTH(SHA256_DIGEST_SIZE) + 1] = "";
    uint8_t room[LIMIT_SECRET_BYTES], digest[SHA256_DIGEST_SIZE];
    struct hmac_sha256_ctx context;
    int r = read_named(m, target_text(m, "secret"), &secret, e);
    if (r < 0)
        return r;
    (void)snprintf(head, sizeof(head), "%s.%lld.", id, (long long)timestamp);
    struct str key = key_of(secret, room);
    hmac_sha256_set_key(&context, key.n, (const uint8_t *)key.p);
    hmac_sha256_update(&context, strlen(head), (const uint8_t *)head);
    hmac_sha256_update(&context, strlen(m->body), (const uint8_t *)m->body);
    hmac_sha256_digest(&context, sizeof(digest), digest);
    base64_encode_raw(text, sizeof(digest), digest);
    (void)snprintf(to, HEADER_BYTES, "webhook-signature: v1,%s", text);
    explicit_bzero(room, sizeof(room));
    explicit_bzero(&context, sizeof(context));
    secret_wipe(secret);
    return 0;
}

static int headers_write(struct message *m, struct err *e)
{
    int64_t timestamp = clock_wall_us() / 1000000;
    char id[ID_TEXT_LEN + 1];
    int n = 3;
    id_format(m->row.id, id);
    (void)snprintf(m->headers[0], HEADER_BYTES, "Content-Type: application/json");
    (void)snprintf(m->headers[1], HEADER_BYTES, "webhook-id: %s", id);
    (void)snprintf(m->headers[2], HEADER_BYTES, "webhook-timestamp: %lld",
                   (long long)timestamp);
    int r = target_text(m, "secret") ? sign(m, id, timestamp, m->headers[n++], e) : 0;
    memset(m->header_list, 0, sizeof(m->header_list));
    for (int i = 0; i < n; i++)
        m->header_list[i] = m->headers[i];
    return r;
}

static int message_start(struct message *m, struct err *e)
{
    struct fetcher_options options = {
        .user_agent = "tailrace/" VERSION,
        .timeout_ms = target_int(m, "timeout_ms"),
        .connections = 1,
        .patient = true,
    };
    if (FAULT(WEBHOOK_SEND))
        return fault_fail(e);
    m->url = (struct buf)BUF_INIT(LIMIT_TASK_KEY_BYTES);
    int r = url_fill(m, e);
    if (r >= 0)
        r = headers_write(m, e);
    if (r < 0)
        return r;
    m->fetcher = fetcher_new(m->webhooks->engine->loop, &options, e);
    if (!m->fetcher)
        return E_IO;
    m->fetch = (struct fetch){.url = buf_text(&m->url),
                              .method = "POST",
                              .headers = m->header_list,
                              .content = str_of(m->body),
                              .max_size = ANSWER_MAX_BYTES,
                              .cut_body = true,
                              .local_is_fine = true, /* the definition's own address */
                              .done = on_answer};
    fetch_start(m->fetcher, &m->fetch);
    return 0;
}

static void message_send(struct message *m)
{
    struct webhooks *w = m->webhooks;
    struct err e;
    if (w->sending >= AT_ONCE) {
        list_add(&w->ready, &m->link_ready);
        return;
    }
    m->phase = MESSAGE_SENDS;
    w->sending++;
    if (message_start(m, &e) >= 0)
        return;
    w->sending--;
    message_fail(m, e.text, false);
    message_wait(m, 0);
}

/* The only switch over the phase. */
static void on_deadline(struct deadline *d)
{
    struct message *m = container_of(d, struct message, deadline), *next;
    struct webhooks *w = m->webhooks;
    if (w->engine->stopping)
        return;
    switch (m->phase) {
    case MESSAGE_WAITS:
        message_send(m);
        return;
    case MESSAGE_SENDS:
        return;
    case MESSAGE_FAILED:
        message_quiet(m);
        m->phase = MESSAGE_WAITS;
        message_wait(m, MAX((m->row.due_at_us - clock_wall_us()) / 1000, 0));
        break;
    case MESSAGE_ENDED:
        message_free(m);
        break;
    }
    next = LIST_TAKE(&w->ready, struct message, link_ready);
    if (next)
        message_send(next);
}

/* ---- all of them ---- */

/* Nobody hears of an end that is not durable: after a crash there might be another one. */
static void on_committed(void *arg)
{
    message_wait(arg, 0);
}

void webhooks_job_ended(struct webhooks *w, const struct job *job)
{
    const struct definition *d = job->definition;
    AUTO_FREE char *body = NULL;
    for (int i = 0; i < d->webhook_count; i++) {
        const struct webhook *hook = &d->webhooks[i];
        if (!(hook->outcomes & 1u << job->row.status))
            continue;
        AUTO_FREE char *target = target_write(d, hook);
        if (!body)
            body = body_write(job);
        struct delivery_row row = {.id = id_new(),
                                   .job_id = job->row.id,
                                   .definition_id = d->id,
                                   .target = target,
                                   .body = body,
                                   .created_at_us = clock_wall_us()};
        row.due_at_us = row.created_at_us;
        batch_put_delivery(batch_of(w), &row);
        writer_after_commit(w->engine->writer, on_committed, message_new(w, &row));
    }
}

struct webhooks *webhooks_new(struct engine *g, webhooks_told *told, void *arg)
{
    struct webhooks *w = mem_alloc(sizeof(*w));
    *w = (struct webhooks){.engine = g, .told = told, .arg = arg};
    list_init(&w->all);
    list_init(&w->ready);
    g->webhooks = w;
    return w;
}

int webhooks_load(struct webhooks *w, struct store_reader *r, struct err *e)
{
    AUTO_ARENA a = ARENA_INIT;
    struct delivery_row **rows;
    size_t count;
    int code = store_list_deliveries(r, &a, &rows, &count, e);
    for (size_t i = 0; code >= 0 && i < count; i++) {
        int64_t ms = (rows[i]->due_at_us - clock_wall_us()) / 1000;
        message_wait(message_new(w, rows[i]), MAX(ms, 0));
    }
    return code;
}

size_t webhooks_waiting(const struct webhooks *w)
{
    size_t n = 0;
    LIST_EACH (&w->all, struct message, link, m)
        n += m->phase != MESSAGE_ENDED;
    return n;
}

void webhooks_stop(struct webhooks *w)
{
    if (!w)
        return;
    LIST_EACH (&w->all, struct message, link, m)
        fetch_stop(&m->fetch);
}

void webhooks_close(struct webhooks *w)
{
    if (!w)
        return;
    LIST_EACH (&w->all, struct message, link, m)
        message_free(m);
    w->engine->webhooks = NULL;
    free(w);
}
