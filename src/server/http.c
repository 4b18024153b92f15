/* The descriptor that the loop polls is libmicrohttpd's epoll; "readable" means that some
 * connection has something to do. What was resumed, or upgraded and is to be cleaned up, is not
 * seen there: for that there is `kicked`, and one more run at the end of the turn. Each run
 * ends with asking for its next deadline, which is 0 when data was read and not yet looked at,
 * so nothing ever waits for a byte that has already come. */
#include "server/http.h"

#include <errno.h>
#include <netdb.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/limits.h"
#include "base/log.h"
#include "base/mem.h"
#include "server/guard.h"
#include "server/request.h"

enum {
    IDLE_S = 75,                  /* a connection that says nothing is closed */
    CONNECTION_BYTES = 24 * 1024, /* head of a request: 431 above */
    BACKLOG = 1024,
    HTTP_SHARE = 8, /* of the connections, one in so many; the others are for viewers */
    LAST_RUNS = 4,
};

struct http {
    struct server *server;
    struct MHD_Daemon *daemon;
    char *host;
    uv_poll_t poll;
    uv_timer_t timer;
    size_t pending;
    bool kicked;
};

/* ---- listening ---- */

static int fail_listen(const char *address, int error, struct err *e)
{
    if (error == EADDRINUSE)
        return fail(e, E_BUSY,
                    "cannot listen on %s: another program uses this port; choose one with "
                    "--listen (port 0 picks a free one)",
                    address);
    if (error == EACCES)
        return fail(e, E_FORBIDDEN, "cannot listen on %s: this port needs more rights",
                    address);
    return fail(e, E_NET, "cannot listen on %s: %s", address, strerror(error));
}

static int listen_on(const struct addrinfo *to)
{
    int on = 1;
    int fd = socket(to->ai_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd < 0)
        return -errno;
    (void)setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
    if (bind(fd, to->ai_addr, to->ai_addrlen) == 0 && listen(fd, BACKLOG) == 0)
        return fd;
    int error = errno;
    (void)close(fd);
    return -error;
}

static void write_url(int fd, char *url, size_t url_size)
{
    struct sockaddr_storage name;
    socklen_t n = sizeof(name);
    char host[NI_MAXHOST] = "", port[NI_MAXSERV] = "";
    ASSERT(getsockname(fd, (struct sockaddr *)&name, &n) == 0);
    (void)getnameinfo((struct sockaddr *)&name, n, host, sizeof(host), port, sizeof(port),
                      NI_NUMERICHOST | NI_NUMERICSERV);
    (void)snprintf(url, url_size, strchr(host, ':') ? "http://[%s]:%s" : "http://%s:%s", host,
                   port);
}

int http_listen(const char *address, int *ret_fd, char *url, size_t url_size, struct err *e)
{
    struct addrinfo hints = {.ai_socktype = SOCK_STREAM, .ai_flags = AI_PASSIVE}, *found;
    struct str host, port;
    if (!guard_split_address(str_of(address), &host, &port))
        return fail_field(e, E_INVAL, "listen",
                          "'%.200s' is no address to listen on; expected HOST:PORT, such as "
                          "127.0.0.1:8085 or [::1]:8085",
                          address);
    AUTO_FREE char *name = mem_copy(host.p, host.n);
    AUTO_FREE char *service = mem_copy(port.p, port.n);
    int r = getaddrinfo(name, service, &hints, &found);
    if (r != 0)
        return fail_field(e, E_INVAL, "listen", "cannot listen on %s: %s", address,
                          gai_strerror(r));
    int fd = listen_on(found);
    freeaddrinfo(found);
    if (fd < 0)
        return fail_listen(address, -fd, e);
    write_url(fd, url, url_size);
    *ret_fd = fd;
    return 0;
}

/* ---- libmicrohttpd ---- */

static enum MHD_Result on_request(void *arg, struct MHD_Connection *connection, const char *url,
                                  const char *method, const char *version, const char *upload,
                                  size_t *upload_n, void **state)
{
    struct http *h = arg;
    (void)version;
    if (!*state)
        *state = request_new(h->server, connection, method, url);
    return request_step(*state, upload, upload_n);
}

static void on_completed(void *arg, struct MHD_Connection *connection, void **state,
                         enum MHD_RequestTerminationCode why)
{
    (void)arg;
    (void)connection;
    (void)why;
    if (*state)
        request_free(*state);
    *state = NULL;
}

static void on_log(void *arg, const char *fmt, va_list ap) PRINTF(2, 0);
static void on_log(void *arg, const char *fmt, va_list ap)
{
    (void)arg, (void)fmt, (void)ap; /* what clients do wrong is nobody's news */
}

static void on_timer(uv_timer_t *timer);

static void http_run(struct http *h)
{
    MHD_UNSIGNED_LONG_LONG ms;
    if (!h->daemon)
        return;
    h->kicked = false;
    (void)MHD_run(h->daemon);
    bool timed = MHD_get_timeout(h->daemon, &ms) == MHD_YES;
    if (timed || h->kicked)
        (void)uv_timer_start(&h->timer, on_timer, h->kicked ? 0 : ms, 0);
    else
        (void)uv_timer_stop(&h->timer);
}

static void on_timer(uv_timer_t *timer)
{
    http_run(container_of(timer, struct http, timer));
}

static void on_poll(uv_poll_t *poll, int status, int events)
{
    (void)status;
    (void)events;
    http_run(container_of(poll, struct http, poll));
}

int http_new(struct server *server, const char *address, int listen_fd, struct http **ret_http,
             struct err *e)
{
    struct http *h = mem_alloc(sizeof(*h));
    struct str host = {0}, port;
    (void)guard_split_address(str_of(address), &host, &port);
    *h = (struct http){.server = server, .host = mem_copy(host.p, host.n)};
    h->daemon = MHD_start_daemon(
        MHD_USE_EPOLL | MHD_ALLOW_UPGRADE | MHD_ALLOW_SUSPEND_RESUME | MHD_USE_ERROR_LOG, 0,
        NULL, NULL, on_request, h, MHD_OPTION_EXTERNAL_LOGGER, on_log, NULL,
        MHD_OPTION_LISTEN_SOCKET, listen_fd, MHD_OPTION_NOTIFY_COMPLETED, on_completed, NULL,
        MHD_OPTION_CONNECTION_LIMIT, server->connections_max / HTTP_SHARE,
        MHD_OPTION_CONNECTION_TIMEOUT, (unsigned)IDLE_S, MHD_OPTION_CONNECTION_MEMORY_LIMIT,
        (size_t)CONNECTION_BYTES, MHD_OPTION_STRICT_FOR_CLIENT, 1, MHD_OPTION_END);
    const union MHD_DaemonInfo *info =
        h->daemon ? MHD_get_daemon_info(h->daemon, MHD_DAEMON_INFO_EPOLL_FD) : NULL;
    if (!info) {
        (void)close(listen_fd);
        free(h->host);
        free(h);
        return fail(e, E_IO, "cannot start the HTTP server");
    }
    ASSERT(uv_poll_init(&server->loop, &h->poll, info->epoll_fd) == 0);
    ASSERT(uv_poll_start(&h->poll, UV_READABLE, on_poll) == 0);
    ASSERT(uv_timer_init(&server->loop, &h->timer) == 0);
    *ret_http = h;
    return 0;
}

void http_suspended(struct http *h)
{
    h->pending++;
}

void http_resumed(struct http *h)
{
    h->pending--;
    h->kicked = true;
}

void http_upgraded(struct http *h)
{
    h->kicked = true;
}

void http_turn(struct http *h)
{
    if (h->kicked)
        http_run(h);
}

const char *http_host(const struct http *h)
{
    return h->host;
}

size_t http_pending(const struct http *h)
{
    return h->pending;
}

size_t http_connections(const struct http *h)
{
    const union MHD_DaemonInfo *info =
        h->daemon ? MHD_get_daemon_info(h->daemon, MHD_DAEMON_INFO_CURRENT_CONNECTIONS) : NULL;
    return info ? info->num_connections : 0;
}

void http_quiesce(struct http *h)
{
    MHD_socket fd = MHD_quiesce_daemon(h->daemon);
    if (fd != MHD_INVALID_SOCKET)
        (void)close(fd);
}

void http_stop(struct http *h)
{
    ASSERT(h->pending == 0);
    for (int i = 0; i < LAST_RUNS; i++)
        http_run(h); /* the last answers leave */
    uv_close((uv_handle_t *)&h->poll, NULL);
    uv_close((uv_handle_t *)&h->timer, NULL);
    MHD_stop_daemon(TAKE(h->daemon));
}

void http_free(struct http *h)
{
    if (!h)
        return;
    free(h->host);
    free(h);
}
