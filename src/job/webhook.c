#include "job/webhook.h"

#include <stdlib.h>
#include <string.h>

#include "base/limits.h"
#include "base/mem.h"
#include "job/quantity.h"
#include "job/secret.h"
#include "job/state.h"
#include "job/step.h"

enum {
    URL_MAX = 4096,
    ATTEMPTS = 8, /* with these pauses, for about twenty minutes */
    BACKOFF_MS = 10 * 1000,
    BACKOFF_MAX_MS = 10 * 60 * 1000,
    TIMEOUT_MS = 10 * 1000,
    TIMEOUT_MAX_MS = 5 * 60 * 1000,
};

static const char *const outcome_names[] = {"completed", "failed", "cancelled", NULL};
static const enum job_state outcome_states[] = {JOB_COMPLETED, JOB_FAILED, JOB_CANCELLED};

static int url_read(const struct node *n, const struct definition *d, char **ret_url,
                    struct err *e)
{
    const char *text = "";
    int r = node_line(n, URL_MAX, &text, e);
    if (r >= 0)
        r = secrets_check(d->secrets, d->secret_count, n, text, e);
    if (r < 0)
        return r;
    struct str url = str_of(text);
    if (!str_starts(url, STR("http://")) && !str_starts(url, STR("https://")) &&
        !str_starts(url, STR("{secrets.")))
        return node_fail_expected(n, "an address that begins with http:// or https://", e);
    *ret_url = mem_strdup(text);
    return 0;
}

static int on_read(const struct node *list, struct webhook *w, struct err *e)
{
    int r = node_check_list(list, e), choice = 0;
    if (r >= 0 && list->count == 0)
        r = node_fail(list, e, "expected at least one of completed, failed, cancelled");
    if (r < 0)
        return r;
    w->outcomes = 0;
    NODE_EACH (list, n) {
        r = node_choice(n, outcome_names, &choice, e);
        if (r < 0)
            return r;
        w->outcomes |= 1u << outcome_states[choice];
    }
    return 0;
}

static int signing_read(const struct node *n, const struct definition *d, struct webhook *w,
                        struct err *e)
{
    const char *name = "", *names[LIMIT_DEFINITION_SECRETS + 1] = {NULL};
    int i = 0, r = node_line(n, URL_MAX, &name, e);
    if (r < 0)
        return r;
    for (; i < d->secret_count; i++)
        names[i] = d->secrets[i].name;
    for (i = 0; i < d->secret_count && strcmp(name, names[i]) != 0;)
        i++;
    if (i == d->secret_count)
        return node_fail(n, e, "there is no secret '%s'%s", NODE_SHOWN(name),
                         NODE_HINT(name, names));
    w->secret = mem_strdup(name);
    return 0;
}

static int webhook_read(const struct node *n, const struct definition *d, struct webhook *w,
                        struct err *e)
{
    static const char *const keys[] = {"url", "on", "secret", "retry", "timeout", NULL};
    struct step_definition retry = {.retry_attempts = ATTEMPTS,
                                    .retry_backoff_ms = BACKOFF_MS,
                                    .retry_backoff_max_ms = BACKOFF_MAX_MS};
    const struct node *url = NULL, *part;
    int r = node_check_map(n, keys, e);
    w->outcomes = 1u << JOB_COMPLETED | 1u << JOB_FAILED | 1u << JOB_CANCELLED;
    w->timeout_ms = TIMEOUT_MS;
    if (r >= 0)
        r = node_need(n, "url", "an address", &url, e);
    if (r >= 0)
        r = url_read(url, d, &w->url, e);
    if (r >= 0 && (part = node_get(n, "on")))
        r = on_read(part, w, e);
    if (r >= 0 && (part = node_get(n, "secret")))
        r = signing_read(part, d, w, e);
    if (r >= 0 && (part = node_get(n, "retry")))
        r = retry_read(part, &retry, e);
    if (r >= 0 && (part = node_get(n, "timeout")))
        r = node_duration(part, 1, TIMEOUT_MAX_MS, &w->timeout_ms, e);
    w->attempts = retry.retry_attempts;
    w->backoff_ms = retry.retry_backoff_ms;
    w->backoff_max_ms = retry.retry_backoff_max_ms;
    return r;
}

int webhooks_read(const struct node *list, struct definition *d, struct err *e)
{
    int r = list ? node_check_list(list, e) : 0;
    if (r < 0 || !list)
        return r;
    if (list->count > LIMIT_DEFINITION_WEBHOOKS)
        return node_fail(list, e, "expected at most %d webhooks, found %d",
                         LIMIT_DEFINITION_WEBHOOKS, list->count);
    d->webhooks = mem_alloc((size_t)list->count * sizeof(*d->webhooks));
    NODE_EACH (list, n) {
        r = webhook_read(n, d, &d->webhooks[d->webhook_count++], e);
        if (r < 0)
            return r;
    }
    return 0;
}

void webhooks_free(struct definition *d)
{
    for (int i = 0; i < d->webhook_count; i++) {
        free(d->webhooks[i].url);
        free(d->webhooks[i].secret);
    }
    free(d->webhooks);
}

static void key_ms(struct json *j, const char *key, int64_t ms)
{
    char text[QUANTITY_TEXT_MAX];
    json_key_c(j, key, quantity_format_duration(ms, text));
}

static void webhook_json(const struct webhook *w, struct json *j)
{
    json_begin_object(j);
    json_key_c(j, "url", w->url);
    json_key(j, "on");
    json_begin_array(j);
    for (size_t i = 0; i < ARRAY_LEN(outcome_states); i++)
        if (w->outcomes & 1u << outcome_states[i])
            json_text_c(j, outcome_names[i]);
    json_end_array(j);
    json_key_c(j, "secret", w->secret);
    json_key(j, "retry");
    json_begin_object(j);
    json_key_int(j, "attempts", w->attempts);
    key_ms(j, "backoff", w->backoff_ms);
    key_ms(j, "backoff_max", w->backoff_max_ms);
    json_end_object(j);
    key_ms(j, "timeout", w->timeout_ms);
    json_end_object(j);
}

void webhooks_json(const struct definition *d, struct json *j)
{
    json_begin_array(j);
    for (int i = 0; i < d->webhook_count; i++)
        webhook_json(&d->webhooks[i], j);
    json_end_array(j);
}
