/* The happy path of a request: sent, answered with 2xx and a JSON object. Requests run on a
 * curl multi handle and not by curl_easy_perform(), because that is how a Ctrl-C (wake_fd) ends
 * one at once. */
#include "cli/client.h"

#include <stdlib.h>
#include <string.h>

#include "base/id.h"
#include "base/limits.h"
#include "base/mem.h"

enum { CONNECT_LIMIT_S = 5, REQUEST_LIMIT_S = 60, PREFIX_MIN = 8, PAGE_ROWS = 1000 };

void client_json_clear(json_t **json)
{
    json_decref(*json);
    *json = NULL;
}

static size_t on_reply(char *bytes, size_t size, size_t n, void *user)
{
    struct client *c = user;
    buf_add(&c->reply, bytes, size * n);
    return c->reply.overflow ? 0 : size * n;
}

static bool url_is_local(const char *url)
{
    const char *host = strstr(url, "://") + 3;
    return strncmp(host, "127.", 4) == 0 || strncmp(host, "localhost", 9) == 0 ||
           strncmp(host, "[::1]", 5) == 0;
}

int client_open(struct client *c, const char *url, struct err *e)
{
    *c = (struct client){.wake_fd = -1, .reply = BUF_INIT(LIMIT_REPLY_BYTES)};
    bool scheme = strncmp(url, "http://", 7) == 0 || strncmp(url, "https://", 8) == 0;
    if (!scheme || strstr(url, "://")[3] == '\0')
        return fail(e, E_INVAL, "'%s' is no address of a server; expected http://HOST:PORT",
                    url);
    size_t n = strlen(url);
    while (url[n - 1] == '/')
        n--;
    c->base = mem_copy(url, n);
    c->curl = curl_easy_init();
    c->multi = curl_multi_init();
    ASSERT(c->curl && c->multi);
    return 0;
}

void client_close(struct client *c)
{
    curl_easy_cleanup(c->curl);
    curl_multi_cleanup(c->multi);
    mem_clear(&c->base);
    buf_done(&c->reply);
}

/* E_NET and curl's own words, with a hint for the error that everybody meets. */
static int fail_transfer(const struct client *c, CURLcode code, struct err *e)
{
    if (code == CURLE_WRITE_ERROR)
        return fail(e, E_TOOBIG, "the answer of %s is larger than %d MiB", c->base,
                    LIMIT_REPLY_BYTES / 1024 / 1024);
    if (code == CURLE_COULDNT_CONNECT || code == CURLE_COULDNT_RESOLVE_HOST)
        return fail(e, E_NET,
                    "no server answers at %s; is `tailrace serve` running? "
                    "(--server or TAILRACE_URL name another)",
                    c->base);
    return fail(e, E_NET, "the connection to %s failed: %s", c->base, curl_easy_strerror(code));
}

/* Runs the prepared request to its end. */
static int request_perform(struct client *c, struct err *e)
{
    int running = 1;
    c->interrupted = false;
    (void)curl_multi_add_handle(c->multi, c->curl);
    while (running && !c->interrupted) {
        struct curl_waitfd wake = {.fd = c->wake_fd, .events = CURL_WAIT_POLLIN};
        (void)curl_multi_perform(c->multi, &running);
        if (running)
            (void)curl_multi_poll(c->multi, &wake, c->wake_fd >= 0 ? 1 : 0, 1000, NULL);
        c->interrupted = wake.revents != 0;
    }
    CURLcode code = CURLE_OK;
    int left;
    for (CURLMsg *m; (m = curl_multi_info_read(c->multi, &left));)
        code = m->data.result;
    (void)curl_multi_remove_handle(c->multi, c->curl);
    if (c->interrupted)
        return fail(e, E_BUSY, "interrupted");
    return code == CURLE_OK ? 0 : fail_transfer(c, code, e);
}

static int code_of(const char *name)
{
#define X(symbol, http, exit, text)                                                            \
    if (strcmp(name, text) == 0)                                                               \
        return symbol;
    ERR_TABLE(X)
#undef X
    return 0;
}

/* The sentence of the server, under the code that it gave. */
static int fail_reply(const struct client *c, long status, const json_t *reply, struct err *e)
{
    const char *text = client_text(reply, "error");
    int code = code_of(client_text(reply, "code"));
    if (!*text)
        return fail(e, E_NET, "%s answers with HTTP %ld, and not as a tailrace server does",
                    c->base, status);
    if (code == 0)
        code = status == 404   ? E_NOTFOUND
               : status == 503 ? E_BUSY
               : status < 500  ? E_INVAL
                               : E_IO;
    return fail(e, code, "%s", text);
}

static int request(struct client *c, const char *path, const char *body, int wait_s,
                   json_t **ret_reply, struct err *e)
{
    AUTO_FREE char *url = mem_printf("%s%s", c->base, path);
    struct curl_slist *headers = curl_slist_append(NULL, "Accept: application/json");
    if (body)
        headers = curl_slist_append(headers, "Content-Type: application/json");
    AUTO_FREE char *token = c->token ? mem_printf("Authorization: Bearer %s", c->token) : NULL;
    if (token)
        headers = curl_slist_append(headers, token);
    buf_clear(&c->reply);
    curl_easy_reset(c->curl);
    (void)curl_easy_setopt(c->curl, CURLOPT_URL, url);
    (void)curl_easy_setopt(c->curl, CURLOPT_PROTOCOLS_STR, "http,https");
    (void)curl_easy_setopt(c->curl, CURLOPT_HTTPHEADER, headers);
    (void)curl_easy_setopt(c->curl, CURLOPT_NOSIGNAL, 1L);
    (void)curl_easy_setopt(c->curl, CURLOPT_CONNECTTIMEOUT, (long)CONNECT_LIMIT_S);
    (void)curl_easy_setopt(c->curl, CURLOPT_TIMEOUT, (long)(REQUEST_LIMIT_S + wait_s));
    (void)curl_easy_setopt(c->curl, CURLOPT_WRITEFUNCTION, on_reply);
    (void)curl_easy_setopt(c->curl, CURLOPT_WRITEDATA, c);
    if (url_is_local(c->base)) /* a proxy of the environment is for other hosts */
        (void)curl_easy_setopt(c->curl, CURLOPT_PROXY, "");
    if (body)
        (void)curl_easy_setopt(c->curl, CURLOPT_POSTFIELDS, body);
    int r = request_perform(c, e);
    curl_slist_free_all(headers);
    if (r < 0)
        return r;

    long status = 0;
    (void)curl_easy_getinfo(c->curl, CURLINFO_RESPONSE_CODE, &status);
    AUTO_JSON *reply = json_loadb(buf_text(&c->reply), c->reply.n, JSON_ALLOW_NUL, NULL);
    if (status < 200 || status > 299 || !json_is_object(reply))
        return fail_reply(c, status, reply, e);
    *ret_reply = TAKE(reply);
    return 0;
}

int client_get(struct client *c, const char *path, int wait_s, json_t **ret_reply,
               struct err *e)
{
    return request(c, path, NULL, wait_s, ret_reply, e);
}

int client_post(struct client *c, const char *path, const json_t *body, json_t **ret_reply,
                struct err *e)
{
    AUTO_FREE char *text = json_dumps(body, JSON_COMPACT);
    return client_post_text(c, path, text, ret_reply, e);
}

int client_post_text(struct client *c, const char *path, const char *body, json_t **ret_reply,
                     struct err *e)
{
    return request(c, path, body, 0, ret_reply, e);
}

char *client_escape(const char *text)
{
    struct buf out = BUF_INIT(SIZE_MAX / 2);
    for (const char *p = text; *p; p++)
        if (text_is_alnum(*p) || strchr("-._~", *p))
            buf_add_byte(&out, *p);
        else
            buf_printf(&out, "%%%02X", (unsigned char)*p);
    (void)buf_text(&out);
    return buf_take(&out);
}

const char *client_text(const json_t *object, const char *name)
{
    const char *text = json_string_value(json_object_get(object, name));
    return text ? text : "";
}

json_int_t client_int(const json_t *object, const char *name)
{
    return json_integer_value(json_object_get(object, name));
}

/* One page of the list, newest first. Takes the ids that begin with `prefix`; *ret_below says
 * that the page goes back to ids before all of those. */
static int page_search(struct client *c, const char *prefix, json_int_t offset, int limit,
                       char **found, bool *ret_below, struct err *e)
{
    AUTO_FREE char *path =
        mem_printf("/api/jobs?limit=%d&offset=%lld&order_by=created_at&order_dir=desc", limit,
                   (long long)offset);
    AUTO_JSON *reply = NULL;
    int r = client_get(c, path, 0, &reply, e);
    if (r < 0)
        return r;
    const json_t *jobs = json_object_get(reply, "jobs");
    *ret_below = json_array_size(jobs) < (size_t)limit;
    for (size_t i = 0; i < json_array_size(jobs); i++) {
        const char *id = client_text(json_array_get(jobs, i), "id");
        int order = strncasecmp(id, prefix, strlen(prefix));
        *ret_below = *ret_below || order < 0;
        if (order != 0)
            continue;
        if (*found && strcmp(*found, id) != 0)
            return fail(e, E_INVAL,
                        "'%s' fits several jobs, such as %s and %s; write more of it", prefix,
                        *found, id);
        if (!*found)
            *found = mem_strdup(id);
    }
    return 0;
}

int client_find_job(struct client *c, const char *word, char **ret_id, struct err *e)
{
    struct id id;
    bool latest = strcmp(word, "latest") == 0, below = false;
    if (id_parse(str_of(word), &id)) {
        *ret_id = mem_strdup(ID_TEXT(id));
        return 0;
    }
    if (!latest &&
        (strlen(word) < PREFIX_MIN || strspn(word, "0123456789abcdefABCDEF-") < strlen(word)))
        return fail(
            e, E_INVAL,
            "'%s' is no job: expected an id, at least %d characters of one, or 'latest'", word,
            PREFIX_MIN);
    AUTO_FREE char *found = NULL;
    int limit = latest ? 1 : PAGE_ROWS;
    for (json_int_t offset = 0; !below && !(latest && offset > 0); offset += limit) {
        int r = page_search(c, latest ? "" : word, offset, limit, &found, &below, e);
        if (r < 0)
            return r;
    }
    if (!found)
        return latest ? fail(e, E_NOTFOUND, "there is no job yet")
                      : fail(e, E_NOTFOUND, "there is no job whose id begins with '%s'", word);
    *ret_id = TAKE(found);
    return 0;
}
