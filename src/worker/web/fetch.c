/* libcurl says which sockets to watch and when to wake it (on_socket, on_timer); the loop's
 * polls and timer say when something happened (socket_ready, timer_fired); messages_read() then
 * hands finished requests to their owners. Requests are reused: setting one up costs more than
 * a small page.
 *
 * Sockets are opened and closed here, for two reasons. A poll handle can then live as long as
 * its connection instead of being made anew for every page. And the address is known before
 * connecting: a page on the internet must not be able to make this machine ask its own network,
 * so addresses of this machine, private and link-local ones are refused, unless the crawl was
 * told to go to that host (`local_is_fine`). The check is on the address, where no trick with
 * names helps. */
#include "worker/web/fetch.h"

#include <curl/curl.h>
#include <netinet/in.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>

#include "base/mem.h"
#include "worker/web/host_name.h"
#include "worker/web/url.h"

enum {
    CONNECT_TIMEOUT_MS = 10 * 1000,
    STALL_SECONDS = 20, /* with less than STALL_BYTES a second: given up */
    STALL_BYTES = 16,
    HEADER_BYTES = 256 * 1024, /* of one answer: given up */
    RECEIVE_BYTES = 64 * 1024,
};

struct watch {
    uv_poll_t poll;
    struct fetcher *fetcher;
    bool active; /* poll was initialised */
};

struct fetcher {
    uv_loop_t *loop;
    CURLM *multi;
    uv_timer_t timer;
    char *user_agent;
    int64_t timeout_ms;
    bool patient;
    struct curl_slist *headers;
    struct watch **watches; /* by file descriptor: the connections opened here */
    size_t watch_cap;
    CURL **idle; /* requests to be used again */
    size_t idle_count, idle_cap;
    struct fetch **running;
    size_t running_count, running_cap;
};

/* ---- addresses ---- */

static bool ipv4_is_local(const unsigned char *a)
{
    return a[0] == 0 || a[0] == 10 || a[0] == 127 || (a[0] == 100 && (a[1] & 0xc0) == 64) ||
           (a[0] == 169 && a[1] == 254) || (a[0] == 172 && (a[1] & 0xf0) == 16) ||
           (a[0] == 192 && a[1] == 168) || a[0] >= 224;
}

static bool ipv6_is_local(const unsigned char *a)
{
    static const unsigned char mapped[12] = {[10] = 0xff, [11] = 0xff};
    static const unsigned char zeros[15] = {0};
    if (memcmp(a, mapped, 12) == 0)
        return ipv4_is_local(a + 12);
    return (memcmp(a, zeros, 15) == 0 && a[15] <= 1) || (a[0] & 0xfe) == 0xfc || a[0] == 0xff ||
           (a[0] == 0xfe && (a[1] & 0x80) != 0);
}

static bool address_is_fine(const struct fetch *f, const struct sockaddr *a)
{
    if (a->sa_family == AF_INET) {
        struct sockaddr_in in;
        memcpy(&in, a, sizeof(in));
        return f->local_is_fine || !ipv4_is_local((const unsigned char *)&in.sin_addr);
    }
    if (a->sa_family == AF_INET6) {
        struct sockaddr_in6 in6;
        memcpy(&in6, a, sizeof(in6));
        return f->local_is_fine || !ipv6_is_local((const unsigned char *)&in6.sin6_addr);
    }
    return false;
}

/* ---- sockets ---- */

static void on_watch_closed(uv_handle_t *handle)
{
    free(container_of((uv_poll_t *)handle, struct watch, poll));
}

static void watch_close(struct watch *w)
{
    if (w->active)
        uv_close((uv_handle_t *)&w->poll, on_watch_closed);
    else
        free(w);
}

static curl_socket_t on_open(void *data, curlsocktype purpose, struct curl_sockaddr *address)
{
    struct fetch *fetch = data;
    struct fetcher *f = fetch->fetcher;
    if (purpose != CURLSOCKTYPE_IPCXN || !address_is_fine(fetch, &address->addr)) {
        fetch->refused = true;
        return CURL_SOCKET_BAD;
    }
    int fd = socket(address->family, address->socktype | SOCK_CLOEXEC, address->protocol);
    if (fd < 0)
        return CURL_SOCKET_BAD;
    while (f->watch_cap <= (size_t)fd) {
        size_t cap = f->watch_cap ? f->watch_cap * 2 : 64;
        f->watches = mem_resize(f->watches, cap * sizeof(struct watch *));
        memset(f->watches + f->watch_cap, 0, (cap - f->watch_cap) * sizeof(struct watch *));
        f->watch_cap = cap;
    }
    f->watches[fd] = mem_alloc(sizeof(struct watch));
    f->watches[fd]->fetcher = f;
    return fd;
}

static struct watch *watch_of(struct fetcher *f, curl_socket_t fd)
{
    return (size_t)fd < f->watch_cap ? f->watches[fd] : NULL;
}

static int on_close(void *data, curl_socket_t fd)
{
    struct fetcher *f = data;
    struct watch *w = watch_of(f, fd);
    if (w) {
        f->watches[fd] = NULL;
        watch_close(w);
    }
    return close(fd);
}

static void messages_read(struct fetcher *f);

static void socket_ready(uv_poll_t *poll, int status, int events)
{
    struct fetcher *f = container_of(poll, struct watch, poll)->fetcher;
    int flags = status < 0 ? CURL_CSELECT_ERR : 0;
    flags |= events & UV_READABLE ? CURL_CSELECT_IN : 0;
    flags |= events & UV_WRITABLE ? CURL_CSELECT_OUT : 0;
    int fd = -1, running;
    if (uv_fileno((const uv_handle_t *)poll, &fd) == 0)
        curl_multi_socket_action(f->multi, fd, flags, &running);
    messages_read(f);
}

/* curl tells what to wait for. A socket that was not opened here (its resolver's) gets a watch
 * for just as long as curl wants it watched. */
static int on_socket(CURL *easy, curl_socket_t fd, int what, void *data, void *assigned)
{
    (void)easy;
    struct fetcher *f = data;
    struct watch *own = watch_of(f, fd), *w = own ? own : assigned;
    if (what == CURL_POLL_REMOVE) {
        if (own && own->active)
            uv_poll_stop(&own->poll);
        else if (w && !own)
            watch_close(w);
        return 0;
    }
    if (!w) {
        w = mem_alloc(sizeof(*w));
        w->fetcher = f;
        curl_multi_assign(f->multi, fd, w);
    }
    if (!w->active) {
        if (uv_poll_init(f->loop, &w->poll, fd) < 0)
            return -1;
        w->active = true;
    }
    int events = what & CURL_POLL_IN ? UV_READABLE : 0;
    events |= what & CURL_POLL_OUT ? UV_WRITABLE : 0;
    return uv_poll_start(&w->poll, events, socket_ready) < 0 ? -1 : 0;
}

static void timer_fired(uv_timer_t *timer)
{
    struct fetcher *f = container_of(timer, struct fetcher, timer);
    int running;
    curl_multi_socket_action(f->multi, CURL_SOCKET_TIMEOUT, 0, &running);
    messages_read(f);
}

static int on_timer(CURLM *multi, long timeout_ms, void *data)
{
    (void)multi;
    struct fetcher *f = data;
    if (timeout_ms < 0)
        uv_timer_stop(&f->timer);
    else
        uv_timer_start(&f->timer, timer_fired, (uint64_t)timeout_ms, 0);
    return 0;
}

/* ---- one answer ---- */

struct str fetch_media_type(const char *content_type, char room[64])
{
    struct str rest = str_of(content_type);
    struct str type = str_trim(str_cut(&rest, ';'));
    type.n = MIN(type.n, (size_t)63);
    for (size_t i = 0; i < type.n; i++)
        room[i] = text_lower(type.p[i]);
    return (struct str){room, type.n};
}

static void type_read(struct fetch *f)
{
    char *type = NULL, room[64];
    _Static_assert(sizeof(f->detail) >= CURL_ERROR_SIZE, "libcurl writes that much");
    (void)curl_easy_getinfo(f->easy, CURLINFO_CONTENT_TYPE, &type);
    text_copy(f->content_type, sizeof(f->content_type), type);
    struct str media = fetch_media_type(f->content_type, room);
    f->is_text = media.n == 0 || str_starts(media, STR("text/")) ||
                 str_eq(media, STR("application/xhtml+xml"));
    f->type_known = true;
}

static size_t on_body(char *p, size_t size, size_t n, void *data)
{
    struct fetch *f = data;
    n *= size;
    if (f->heard)
        f->heard(f);
    if (!f->type_known)
        type_read(f);
    size_t room = f->max_size - MIN(f->bytes, f->max_size);
    size_t take = MIN(n, room);
    if (f->any_type || f->is_text)
        buf_add(&f->body, p, take);
    f->bytes += take;
    f->too_large = take < n;
    return take; /* less than n ends the request */
}

static size_t on_header(char *p, size_t size, size_t n, void *data)
{
    (void)p;
    struct fetch *f = data;
    if (f->heard)
        f->heard(f);
    f->header_bytes += n * size;
    return f->header_bytes > HEADER_BYTES ? 0 : n * size;
}

static void size_text(uint64_t bytes, char to[32])
{
    if (bytes >= 1024 * 1024)
        snprintf(to, 32, "%.4g MiB", (double)bytes / (1024 * 1024));
    else
        snprintf(to, 32, "%.4g KiB", (double)bytes / 1024);
}

/* What went wrong, as a sentence that does not depend on the page, so that equal ones count as
 * one kind of error. */
static int error_write(struct fetch *f, CURLcode code, const char *detail)
{
    struct url_parts u = url_split(str_of(f->url));
    struct err *e = &f->error;
    char size[32];
    size_text(f->max_size, size);
    switch (code) {
    case CURLE_COULDNT_RESOLVE_HOST:
        return fail(e, E_NET, "the host name '%.*s' does not resolve", STR_ARG(u.host));
    case CURLE_COULDNT_CONNECT:
        if (f->refused)
            return fail(e, E_FORBIDDEN,
                        "%.*s has a private address, where no link or redirect may lead",
                        STR_ARG(u.host));
        return fail(e, E_NET, "%.*s refuses connections", STR_ARG(u.origin));
    case CURLE_OPERATION_TIMEDOUT:
        return fail(e, E_NET, "timed out after %.3g s (%s)", (double)f->duration_us / 1e6,
                    f->status      ? "the answer did not end"
                    : f->bytes > 0 ? "the answer stalled"
                                   : "no answer");
    case CURLE_UNSUPPORTED_PROTOCOL:
    case CURLE_WEIRD_SERVER_REPLY:
    case CURLE_HTTP2:
    case CURLE_HTTP2_STREAM:
        return fail(e, E_NET, "%.*s does not speak HTTP", STR_ARG(u.origin));
    case CURLE_GOT_NOTHING:
        return fail(e, E_NET, "%.*s closed the connection without an answer",
                    STR_ARG(u.origin));
    case CURLE_PARTIAL_FILE:
        return fail(e, E_NET, "the answer ended before its announced length");
    case CURLE_RECV_ERROR:
    case CURLE_SEND_ERROR:
        return fail(e, E_NET, "%.*s broke the connection", STR_ARG(u.origin));
    case CURLE_FILESIZE_EXCEEDED:
        return fail(e, E_TOOBIG, "larger than max_size (%s)", size);
    case CURLE_WRITE_ERROR:
        if (f->too_large)
            return fail(e, E_TOOBIG, "larger than max_size (%s)", size);
        return fail(e, E_TOOBIG, "more than %d KiB of headers", HEADER_BYTES / 1024);
    case CURLE_OUT_OF_MEMORY: /* libcurl's word for its limit of a header line, too */
        return fail(e, E_TOOBIG,
                    "a line of the headers is longer than 100 KiB (or there is no "
                    "memory left)");
    case CURLE_BAD_CONTENT_ENCODING:
        return fail(e, E_NET, "the answer's compression is broken");
    case CURLE_SSL_CONNECT_ERROR:
    case CURLE_PEER_FAILED_VERIFICATION:
    case CURLE_SSL_CACERT_BADFILE:
    case CURLE_SSL_CERTPROBLEM:
    case CURLE_SSL_CIPHER:
        return fail(e, E_NET, "TLS with %.*s failed: %s", STR_ARG(u.origin),
                    *detail ? detail : curl_easy_strerror(code));
    default:
        return fail(e, E_NET, "%s", *detail ? detail : curl_easy_strerror(code));
    }
}

static void answer_read(struct fetch *f, CURLcode code)
{
    long status = 0;
    curl_off_t us = 0;
    struct curl_header *location = NULL;
    (void)curl_easy_getinfo(f->easy, CURLINFO_RESPONSE_CODE, &status);
    (void)curl_easy_getinfo(f->easy, CURLINFO_TOTAL_TIME_T, &us);
    f->status = (int)status;
    f->duration_us = us;
    if (!f->type_known)
        type_read(f);
    if (status >= 300 && status < 400 &&
        curl_easy_header(f->easy, "location", 0, CURLH_HEADER, -1, &location) == CURLHE_OK)
        f->location = mem_strdup(location->value);
    if (code != CURLE_OK && !(f->too_large && f->cut_body))
        (void)error_write(f, code, f->detail);
}

/* ---- requests ---- */

static CURL *easy_new(struct fetcher *f)
{
    CURL *c = curl_easy_init();
    if (!c)
        return NULL;
    curl_easy_setopt(c, CURLOPT_NOSIGNAL, 1L);
    curl_easy_setopt(c, CURLOPT_PROTOCOLS_STR, "http,https");
    curl_easy_setopt(c, CURLOPT_PATH_AS_IS, 1L);
    curl_easy_setopt(c, CURLOPT_USERAGENT, f->user_agent);
    curl_easy_setopt(c, CURLOPT_ACCEPT_ENCODING, "");
    curl_easy_setopt(c, CURLOPT_HTTP_VERSION, (long)CURL_HTTP_VERSION_2TLS);
    curl_easy_setopt(c, CURLOPT_LOW_SPEED_TIME, f->patient ? 0L : (long)STALL_SECONDS);
    curl_easy_setopt(c, CURLOPT_LOW_SPEED_LIMIT, (long)STALL_BYTES);
    curl_easy_setopt(c, CURLOPT_BUFFERSIZE, (long)RECEIVE_BYTES);
    curl_easy_setopt(c, CURLOPT_WRITEFUNCTION, on_body);
    curl_easy_setopt(c, CURLOPT_HEADERFUNCTION, on_header);
    curl_easy_setopt(c, CURLOPT_OPENSOCKETFUNCTION, on_open);
    curl_easy_setopt(c, CURLOPT_CLOSESOCKETFUNCTION, on_close);
    curl_easy_setopt(c, CURLOPT_CLOSESOCKETDATA, f);
    return c;
}

static void easy_release(struct fetch *f)
{
    struct fetcher *owner = f->fetcher;
    curl_multi_remove_handle(owner->multi, f->easy);
    curl_easy_setopt(f->easy, CURLOPT_ERRORBUFFER, NULL);
    curl_easy_setopt(f->easy, CURLOPT_HTTPHEADER, NULL);
    curl_slist_free_all(f->header_list);
    f->header_list = NULL;
    MEM_GROW(owner->idle, owner->idle_count, owner->idle_cap);
    owner->idle[owner->idle_count++] = f->easy;
    f->easy = NULL;
    for (size_t i = 0; i < owner->running_count; i++)
        if (owner->running[i] == f) {
            owner->running[i] = owner->running[--owner->running_count];
            break;
        }
}

static void header_add(struct curl_slist **list, const char *line)
{
    *list = curl_slist_append(*list, line);
    ASSERT(*list); /* out of memory */
}

static bool method_has_content(const char *method)
{
    return strcmp(method, "POST") == 0 || strcmp(method, "PUT") == 0 ||
           strcmp(method, "PATCH") == 0;
}

/* Method, headers and body. CURLOPT_HTTPGET undoes what the request was used for before. */
static void request_write(struct fetch *f)
{
    CURL *c = f->easy;
    const char *method = f->method ? f->method : "GET";
    curl_easy_setopt(c, CURLOPT_HTTPGET, 1L);
    if (strcmp(method, "HEAD") == 0) {
        curl_easy_setopt(c, CURLOPT_NOBODY, 1L);
    } else if (f->content.n > 0 || method_has_content(method)) {
        curl_easy_setopt(c, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)f->content.n);
        curl_easy_setopt(c, CURLOPT_POSTFIELDS, f->content.n ? f->content.p : "");
    }
    curl_easy_setopt(c, CURLOPT_CUSTOMREQUEST, f->method);
    if (!f->headers) {
        curl_easy_setopt(c, CURLOPT_HTTPHEADER, f->fetcher->headers);
        return;
    }
    header_add(&f->header_list, "Expect:"); /* no round trip before the body */
    bool has_type = false;
    for (const char *const *h = f->headers; *h; h++) {
        header_add(&f->header_list, *h);
        has_type = has_type || strncasecmp(*h, "content-type:", 13) == 0;
    }
    if (!has_type)
        header_add(&f->header_list,
                   "Content-Type:"); /* and not libcurl's, which means a form */
    curl_easy_setopt(c, CURLOPT_HTTPHEADER, f->header_list);
}

void fetch_start(struct fetcher *fetcher, struct fetch *f)
{
    ASSERT(!f->easy);
    fetch_clear(f);
    f->fetcher = fetcher;
    f->body.max = f->max_size;
    CURL *c = fetcher->idle_count ? fetcher->idle[--fetcher->idle_count] : easy_new(fetcher);
    ASSERT(c); /* out of memory */
    struct url_parts u = url_split(str_of(f->url));
    int64_t timeout_ms = f->timeout_ms ? f->timeout_ms : fetcher->timeout_ms;
    curl_easy_setopt(c, CURLOPT_URL, f->url);
    curl_easy_setopt(c, CURLOPT_CONNECTTIMEOUT_MS,
                     (long)MIN(timeout_ms, (int64_t)CONNECT_TIMEOUT_MS));
    curl_easy_setopt(c, CURLOPT_TIMEOUT_MS, (long)timeout_ms);
    curl_easy_setopt(c, CURLOPT_PRIVATE, f);
    curl_easy_setopt(c, CURLOPT_WRITEDATA, f);
    curl_easy_setopt(c, CURLOPT_HEADERDATA, f);
    curl_easy_setopt(c, CURLOPT_OPENSOCKETDATA, f);
    curl_easy_setopt(c, CURLOPT_ERRORBUFFER, f->detail);
    curl_easy_setopt(c, CURLOPT_MAXFILESIZE_LARGE,
                     f->cut_body ? (curl_off_t)0 : (curl_off_t)f->max_size);
    /* no proxy can reach this machine's own loopback; else the environment's counts */
    curl_easy_setopt(c, CURLOPT_PROXY, host_name_is_loopback(u.host) ? "" : NULL);
    /* over TLS wait for the first connection: it may carry all requests */
    curl_easy_setopt(c, CURLOPT_PIPEWAIT, u.scheme.n == 5 ? 1L : 0L);
    f->easy = c;
    request_write(f);
    MEM_GROW(fetcher->running, fetcher->running_count, fetcher->running_cap);
    fetcher->running[fetcher->running_count++] = f;
    CURLMcode code = curl_multi_add_handle(fetcher->multi, c);
    ASSERT(code == CURLM_OK);
}

void fetch_stop(struct fetch *f)
{
    if (f->easy)
        easy_release(f);
}

void fetch_clear(struct fetch *f)
{
    ASSERT(!f->easy);
    buf_done(&f->body);
    free(f->location);
    f->location = NULL;
    f->error = (struct err){0};
    f->status = 0;
    f->bytes = f->header_bytes = 0;
    f->duration_us = 0;
    f->content_type[0] = f->detail[0] = 0;
    f->refused = f->too_large = f->type_known = f->is_text = false;
}

static void messages_read(struct fetcher *f)
{
    int left;
    CURLMsg *m;
    while ((m = curl_multi_info_read(f->multi, &left))) {
        if (m->msg != CURLMSG_DONE)
            continue;
        struct fetch *fetch = NULL;
        CURLcode code = m->data.result;
        (void)curl_easy_getinfo(m->easy_handle, CURLINFO_PRIVATE, (char **)&fetch);
        answer_read(fetch, code);
        easy_release(fetch);
        fetch->done(fetch);
    }
}

/* ---- the fetcher ---- */

static void curl_init(void)
{
    ASSERT(curl_global_init(CURL_GLOBAL_DEFAULT) == CURLE_OK);
}

struct fetcher *fetcher_new(uv_loop_t *loop, const struct fetcher_options *options,
                            struct err *e)
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    pthread_once(&once, curl_init);
    CURLM *multi = curl_multi_init();
    if (!multi) {
        (void)fail(e, E_IO, "libcurl cannot start");
        return NULL;
    }
    struct fetcher *f = mem_alloc(sizeof(*f));
    f->loop = loop;
    f->multi = multi;
    f->timeout_ms = options->timeout_ms;
    f->patient = options->patient;
    f->user_agent = mem_strdup(options->user_agent);
    f->headers = curl_slist_append(
        NULL, "Accept: text/html,application/xhtml+xml,text/plain;q=0.9,*/*;q=0.5");
    ASSERT(uv_timer_init(loop, &f->timer) == 0);
    curl_multi_setopt(multi, CURLMOPT_SOCKETFUNCTION, on_socket);
    curl_multi_setopt(multi, CURLMOPT_SOCKETDATA, f);
    curl_multi_setopt(multi, CURLMOPT_TIMERFUNCTION, on_timer);
    curl_multi_setopt(multi, CURLMOPT_TIMERDATA, f);
    curl_multi_setopt(multi, CURLMOPT_MAXCONNECTS, (long)options->connections * 2);
    curl_multi_setopt(multi, CURLMOPT_MAX_HOST_CONNECTIONS, (long)options->connections);
    curl_multi_setopt(multi, CURLMOPT_PIPELINING, (long)CURLPIPE_MULTIPLEX);
    return f;
}

static void on_timer_closed(uv_handle_t *handle)
{
    free(container_of((uv_timer_t *)handle, struct fetcher, timer));
}

void fetcher_free(struct fetcher *f)
{
    if (!f)
        return;
    while (f->running_count)
        fetch_stop(f->running[0]);
    for (size_t i = 0; i < f->idle_count; i++)
        curl_easy_cleanup(f->idle[i]);
    curl_multi_cleanup(f->multi);
    for (size_t i = 0; i < f->watch_cap; i++)
        if (f->watches[i])
            watch_close(f->watches[i]);
    curl_slist_free_all(f->headers);
    free(f->watches);
    free(f->idle);
    free(f->running);
    free(f->user_agent);
    uv_close((uv_handle_t *)&f->timer, on_timer_closed);
}
