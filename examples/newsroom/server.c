/* Serving.
 *
 * The handler is called several times per request: when the header is there, for each piece of
 * a body that nobody asked for, and at the end. `con_cls` counts the steps without any
 * allocation: it points to one of two marks. A request that has to wait is suspended between
 * the marks, and the same call comes again when it is resumed. */
#include "server.h"

#include <err.h>
#include <errno.h>
#include <netdb.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

static char mark_seen, mark_waited;

static struct reply bad_request(unsigned status)
{
    static const char text[] = "This address cannot be read.\n";
    return reply_static(status, "text/plain; charset=utf-8", text, sizeof text - 1);
}

static struct reply wrong_method(void)
{
    static const char text[] = "Only GET and HEAD are possible here.\n";
    struct reply reply = reply_static(MHD_HTTP_METHOD_NOT_ALLOWED, "text/plain; charset=utf-8",
                                      text, sizeof text - 1);
    if (reply.response)
        (void)MHD_add_response_header(reply.response, MHD_HTTP_HEADER_ALLOW, "GET, HEAD");
    return reply;
}

static enum MHD_Result reply_send(struct MHD_Connection *connection, struct reply reply)
{
    if (!reply.response)
        return MHD_NO; /* closes the connection */
    enum MHD_Result result = MHD_queue_response(connection, reply.status, reply.response);
    MHD_destroy_response(reply.response);
    return result;
}

static enum MHD_Result on_request(void *cls, struct MHD_Connection *connection, const char *url,
                                  const char *method, const char *version, const char *upload,
                                  size_t *upload_size, void **con_cls)
{
    (void)version;
    (void)upload;
    const struct server *server = cls;
    if (!*con_cls) {
        *con_cls = &mark_seen;
        return MHD_YES;
    }
    if (*upload_size > 0) {
        *upload_size = 0;
        return MHD_YES;
    }
    if (strcmp(method, MHD_HTTP_METHOD_GET) != 0 && strcmp(method, MHD_HTTP_METHOD_HEAD) != 0)
        return reply_send(connection, wrong_method());

    struct request request;
    unsigned status = request_read(connection, url, server->origin, &request);
    if (status)
        return reply_send(connection, bad_request(status));

    bool is_site = server->folders->count == 0;
    int wait_ms = server->delay_ms + (is_site ? site_wait_ms(&request) : 0);
    if (wait_ms > 0 && *con_cls == &mark_seen) {
        *con_cls = &mark_waited;
        if (delay_connection(server->delay, connection, wait_ms))
            return MHD_YES;
    }
    return reply_send(connection, is_site ? site_answer(server->site, &request)
                                          : folders_answer(server->folders, &request));
}

/* Leaves percent escapes alone: request_read() decodes, and once is enough. */
static size_t on_unescape(void *cls, struct MHD_Connection *connection, char *text)
{
    (void)cls;
    (void)connection;
    return strlen(text);
}

/* Cuts "ADDRESS:PORT" into the two; false when it is not like that. */
static bool listen_cut(const char *listen_on, char *address, size_t size, const char **ret_port)
{
    const char *colon = strrchr(listen_on, ':');
    if (!colon)
        return false;
    size_t n = (size_t)(colon - listen_on);
    bool bracketed = n > 2 && listen_on[0] == '[' && colon[-1] == ']';
    if (bracketed) {
        listen_on++;
        n -= 2;
    }
    if (n == 0 || n >= size || (!bracketed && memchr(listen_on, ':', n)))
        return false;
    memcpy(address, listen_on, n);
    address[n] = '\0';
    *ret_port = colon + 1;
    size_t digits = strspn(*ret_port, "0123456789");
    return digits > 0 && digits <= 5 && !(*ret_port)[digits] &&
           strtol(*ret_port, NULL, 10) <= 65535;
}

/* A bound, listening socket; -1 when the system says no. */
static int listen_socket(const struct addrinfo *info)
{
    int fd = socket(info->ai_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    int on = 1;
    if (fd >= 0 && setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on) == 0 &&
        bind(fd, info->ai_addr, info->ai_addrlen) == 0 && listen(fd, SOMAXCONN) == 0)
        return fd;
    int saved = errno;
    if (fd >= 0)
        close(fd);
    errno = saved;
    return -1;
}

/* The address with the port that the system really gave. */
static void origin_write(struct server *server, int fd)
{
    struct sockaddr_storage at;
    socklen_t size = sizeof at;
    char host[64] = "?", port[8] = "?";
    if (getsockname(fd, (struct sockaddr *)&at, &size) == 0)
        (void)getnameinfo((struct sockaddr *)&at, size, host, sizeof host, port, sizeof port,
                          NI_NUMERICHOST | NI_NUMERICSERV);
    bool v6 = at.ss_family == AF_INET6;
    snprintf(server->origin, sizeof server->origin, "http://%s%s%s:%s", v6 ? "[" : "", host,
             v6 ? "]" : "", port);
}

int server_start(struct server *server, const char *listen_on)
{
    char address[128];
    const char *port;
    struct addrinfo *info = NULL;
    const struct addrinfo hints = {.ai_socktype = SOCK_STREAM,
                                   .ai_flags = AI_PASSIVE | AI_NUMERICHOST | AI_NUMERICSERV};
    if (!listen_cut(listen_on, address, sizeof address, &port) ||
        getaddrinfo(address, port, &hints, &info) != 0) {
        warnx("--listen '%s': give an address and a port, like 127.0.0.1:8090 or [::1]:0.",
              listen_on);
        return 2;
    }
    int fd = listen_socket(info);
    int saved = errno;
    freeaddrinfo(info);
    if (fd < 0) {
        warnx("cannot listen on %s: %s.", listen_on, strerror(saved));
        return 1;
    }
    origin_write(server, fd);
    server->daemon = MHD_start_daemon(
        MHD_USE_EPOLL_INTERNAL_THREAD | MHD_ALLOW_SUSPEND_RESUME, 0, NULL, NULL, on_request,
        server, MHD_OPTION_LISTEN_SOCKET, fd, MHD_OPTION_THREAD_POOL_SIZE,
        (unsigned)SERVER_THREADS, MHD_OPTION_CONNECTION_TIMEOUT, (unsigned)server->timeout_s,
        MHD_OPTION_UNESCAPE_CALLBACK, on_unescape, NULL, MHD_OPTION_END);
    if (server->daemon)
        return 0;
    close(fd);
    warnx("cannot start the HTTP threads on %s.", listen_on);
    return 1;
}

void server_stop(struct server *server)
{
    delay_done(server->delay);
    MHD_stop_daemon(server->daemon); /* closes the socket, too */
    server->daemon = NULL;
}
