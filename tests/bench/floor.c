/* floor: the least that a server can do: it makes events and gives each viewer the same bytes,
 * one send() for each viewer and turn. No protocol, no storage, no log of what was said; what
 * it reaches is the kernel's part of any server's work.
 *
 *     floor --viewers 1000 --events 100000 --span 65536             as fast as it can
 *     floor --viewers 100 --events 10000 --rate 1000 --turn-ms 16   at a steady rate
 *
 * It prints where it listens, accepts so many viewers, then waits for its standard input to
 * end, and goes. A message is all events of a turn, joined by newlines, and closes at `span`
 * bytes; with a rate, an event's time is when it is due, not when its turn comes. A viewer is
 * {socket, offset} into the one stream of bytes that is kept whole. */
#include <errno.h>
#include <getopt.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/clock.h"
#include "base/mem.h"
#include "server/websocket.h"

enum {
    STREAM_MAX_BYTES = 2000 * 1000 * 1000,
    LAG_MAX_BYTES = 4 * 1024 * 1024, /* of the slowest: then it waits, as a store's ring does */
    REQUEST_MAX_BYTES = 4096,
    LINE_BYTES = 170,
    EVENT_MAX_BYTES = 700,
};

struct viewer {
    int fd;
    size_t sent;
};

static struct viewer *viewers;
static int64_t viewer_count = 1, event_count = 1000, rate, turn_ms = 16, span_bytes = 65536;
static struct buf stream = BUF_INIT(STREAM_MAX_BYTES);
static int64_t made, begun_us; /* wall clock */

_Noreturn static void die(const char *what)
{
    fprintf(stderr, "floor: %s: %s\n", what, strerror(errno));
    exit(1);
}

/* ---- viewers ---- */

static int listen_anywhere(void)
{
    struct sockaddr_in a = {.sin_family = AF_INET, .sin_addr = {htonl(INADDR_LOOPBACK)}};
    socklen_t n = sizeof(a);
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd < 0 || bind(fd, (struct sockaddr *)&a, n) < 0 || listen(fd, 1024) < 0 ||
        getsockname(fd, (struct sockaddr *)&a, &n) < 0)
        die("cannot listen");
    printf("listening on http://127.0.0.1:%d\n", ntohs(a.sin_port));
    (void)fflush(stdout);
    return fd;
}

static void viewer_accept(struct viewer *v, int listener)
{
    char text[REQUEST_MAX_BYTES] = "", accept_text[WS_ACCEPT_LEN + 1], *key;
    size_t n = 0;
    v->fd = accept4(listener, NULL, NULL, SOCK_CLOEXEC);
    if (v->fd < 0)
        die("accept");
    while (!strstr(text, "\r\n\r\n")) {
        ssize_t got = recv(v->fd, text + n, sizeof(text) - 1 - n, 0);
        if (got <= 0)
            die("no request");
        n += (size_t)got;
    }
    key = strstr(text, "Sec-WebSocket-Key: ");
    if (!key || !ws_accept((struct str){key + 19, strcspn(key + 19, "\r")}, accept_text))
        die("no WebSocket");
    AUTO_FREE char *answer =
        mem_printf("HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\n"
                   "Connection: Upgrade\r\nSec-WebSocket-Accept: %s\r\n\r\n",
                   accept_text);
    if (send(v->fd, answer, strlen(answer), MSG_NOSIGNAL) < 0)
        die("send");
    (void)setsockopt(v->fd, IPPROTO_TCP, TCP_NODELAY, &(int){1}, sizeof(int));
}

/* ---- events ---- */

static void number_add(struct buf *out, int64_t value)
{
    char digits[20];
    int n = 0;
    do
        digits[sizeof(digits) - 1 - (size_t)n++] = (char)('0' + value % 10);
    while (value /= 10);
    buf_add(out, digits + sizeof(digits) - n, (size_t)n);
}

/* What tailrace sends for a line of a job, byte for byte but for the ids. */
static void event_add(struct buf *out)
{
    static const char filler[] =
        ": packed a block of records from the warehouse by the river, then sorted the index of "
        "a shelf between the two halves of the archive, then sent one page of the ledger in "
        "the order in which it had arrived";
    char now[CLOCK_TEXT_LEN + 1];
    clock_format(rate ? begun_us + made * 1000000 / rate : clock_wall_us(), now);
    made++;
    buf_add_c(out, "{\"seq\":");
    number_add(out, made);
    buf_add_c(out, ",\"type\":\"job_log\",\"ts\":\"");
    buf_add(out, now, CLOCK_TEXT_LEN);
    buf_add_c(out, "\",\"payload\":{\"job_id\":\"0199e9c2-7a6d-7c11-9a54-1c2b3d4e5f60\","
                   "\"parent_job_id\":\"0199e9c2-7a6d-7c11-9a54-1c2b3d4e5f61\","
                   "\"manager_id\":\"0199e9c2-7a6d-7c11-9a54-1c2b3d4e5f62\","
                   "\"step_id\":\"0199e9c2-7a6d-7c11-9a54-1c2b3d4e5f61\","
                   "\"step_name\":\"lines\",\"source_type\":\"generator\","
                   "\"originator\":\"worker\",\"timestamp\":\"");
    buf_add(out, now, CLOCK_TEXT_LEN);
    buf_add_c(out, "\",\"level\":\"info\",\"message\":\"");
    size_t message = out->n;
    buf_add_c(out, "worker-1 line ");
    number_add(out, made);
    buf_add_byte(out, '/');
    number_add(out, event_count);
    buf_add(out, filler, LINE_BYTES - (out->n - message));
    buf_add_c(out, "\",\"line\":");
    number_add(out, made);
    buf_add_c(out, "}}");
}

/* The stream's memory is there before it begins: a server that runs has its memory. */
static void stream_reserve(void)
{
    size_t n = (size_t)event_count * EVENT_MAX_BYTES;
    char *room = buf_room(&stream, n);
    if (!room)
        die("too many events to keep");
    memset(room, 0, n);
}

static void head_add(struct buf *out, size_t n)
{
    unsigned char head[10] = {0x81, n < 126 ? (unsigned char)n : n < 65536 ? 126 : 127};
    size_t whole = n < 126 ? 2 : n < 65536 ? 4 : 10;
    for (size_t i = 2; i < whole; i++)
        head[i] = (unsigned char)(n >> (8 * (whole - 1 - i)));
    buf_add(out, head, whole);
}

/* Up to `count` events as one message; returns at the span's size. */
static void message_add(int64_t count)
{
    static struct buf text = BUF_INIT(STREAM_MAX_BYTES);
    buf_clear(&text);
    for (int64_t i = 0; i < count && (int64_t)text.n < span_bytes; i++) {
        if (i)
            buf_add_byte(&text, '\n');
        event_add(&text);
    }
    head_add(&stream, text.n);
    buf_add_str(&stream, buf_str(&text));
    if (stream.overflow)
        die("too many events to keep");
}

/* ---- the loop ---- */

/* One send for each viewer; returns how far the slowest is. */
static size_t turn(void)
{
    size_t slowest = stream.n;
    for (int64_t i = 0; i < viewer_count; i++) {
        struct viewer *v = &viewers[i];
        if (v->sent < stream.n) {
            ssize_t n = send(v->fd, stream.p + v->sent, stream.n - v->sent,
                             MSG_DONTWAIT | MSG_NOSIGNAL);
            if (n < 0 && errno != EAGAIN)
                exit(0); /* a viewer is gone: the case is over */
            v->sent += n > 0 ? (size_t)n : 0;
        }
        slowest = MIN(slowest, v->sent);
    }
    return slowest;
}

static void wait_for(size_t place)
{
    for (int64_t i = 0; i < viewer_count; i++)
        if (viewers[i].sent <= place) {
            struct pollfd p = {.fd = viewers[i].fd, .events = POLLOUT};
            (void)poll(&p, 1, 1000);
            return;
        }
}

static void run(void)
{
    int64_t turns = 0;
    size_t slowest = 0;
    begun_us = clock_wall_us();
    while (made < event_count || slowest < stream.n) {
        int64_t due = event_count;
        if (rate) {
            int64_t next_us = begun_us + ++turns * turn_ms * 1000;
            int64_t left_us = next_us - clock_wall_us();
            if (left_us > 0)
                (void)usleep((unsigned)left_us);
            due = MIN(event_count, (clock_wall_us() - begun_us) * rate / 1000000);
        }
        if (made < due && (rate || stream.n - slowest < LAG_MAX_BYTES))
            message_add(due - made);
        while (rate && made < due) /* one span was not enough for a turn */
            message_add(due - made);
        size_t before = slowest;
        slowest = turn();
        if (slowest == before && slowest < stream.n)
            wait_for(slowest);
    }
}

static const struct option long_options[] = {
    {"viewers", required_argument, NULL, 'n'},
    {"events", required_argument, NULL, 'e'},
    {"rate", required_argument, NULL, 'r'},
    {"turn-ms", required_argument, NULL, 't'},
    {"span", required_argument, NULL, 's'},
    {"line-bytes", required_argument, NULL, 'l'},
    {0},
};

static void arguments_read(int argc, char **argv)
{
    int option;
    while ((option = getopt_long(argc, argv, "", long_options, NULL)) != -1) {
        int64_t *value = option == 'n'   ? &viewer_count
                         : option == 'e' ? &event_count
                         : option == 'r' ? &rate
                         : option == 't' ? &turn_ms
                         : option == 's' ? &span_bytes
                                         : NULL;
        if (!value || !str_to_int(str_of(optarg), 0, INT32_MAX, value)) {
            fprintf(stderr, "floor: see the top of floor.c\n");
            exit(2);
        }
    }
}

int main(int argc, char **argv)
{
    arguments_read(argc, argv);
    viewers = mem_alloc((size_t)viewer_count * sizeof(viewers[0]));
    stream_reserve();
    int listener = listen_anywhere();
    for (int64_t i = 0; i < viewer_count; i++)
        viewer_accept(&viewers[i], listener);
    char rest[64];
    while (read(STDIN_FILENO, rest, sizeof(rest)) > 0)
        ;
    run();
    for (int64_t i = 0; i < viewer_count; i++) /* until each has read all of it */
        (void)shutdown(viewers[i].fd, SHUT_WR);
    for (int64_t i = 0; i < viewer_count; i++)
        while (recv(viewers[i].fd, rest, sizeof(rest), 0) > 0)
            ;
    return 0;
}
