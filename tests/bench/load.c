/* load: many WebSocket viewers of one server, which check everything that they get.
 *
 *     load --viewers 1000 --v1 --topic job:... 127.0.0.1:8085 /ws
 *     load --viewers 1000 --events 100000 127.0.0.1:9000 /
 *
 * Happy path of a connection: connecting -> its request is out -> open (101 came; v1: greeted,
 * subscribed, caught up) -> finished. When all are open, {"ready":...} is printed, and from
 * then on all that is delivered counts. When all have finished, or the standard input ends, one
 * JSON object with the figures is printed. Stalled viewers read nothing from "ready" until the
 * others have finished.
 *
 * One thread and one buffer; see check.h for how so many bytes are checked at such a price. */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/json.h"
#include "base/mem.h"
#include "check.h"

enum {
    READ_BYTES = 256 * 1024,
    CONNECTING_MAX = 256, /* at once, so that no backlog overflows */
    HEAD_MAX_BYTES = 10,
    RESPONSE_MAX_BYTES = 8 * 1024,
    SHOWN_MAX = 120, /* bytes of an unexpected message that are shown */
};

enum viewer_state {
    VIEWER_CONNECTING,
    VIEWER_UPGRADING,
    VIEWER_OPENING,
    VIEWER_OPEN,
    VIEWER_GONE
};

struct viewer {
    int fd;
    enum viewer_state state;
    bool stalled, finished;
    struct buf response;
    unsigned char head[HEAD_MAX_BYTES];
    size_t head_n;
    bool in_payload;
    size_t left;
    struct check_viewer check;
};

static struct {
    const char *path, *topic, *since;
    struct sockaddr_in address;
    int64_t viewers, stalled, timeout_s, skip_ms;
    bool deflate;
} options = {.topic = "jobs", .since = "0", .viewers = 1, .timeout_s = 120};

static struct check check;
static struct viewer *viewers;
static int poller;
static int64_t connecting, opened, open_now, finished, closed, begun_us, ready_us, until_us;
static struct timespec cpu_at_ready;
static char in[READ_BYTES];

_Noreturn static void die(const char *what)
{
    fprintf(stderr, "load: %s: %s\n", what, strerror(errno));
    exit(1);
}

static void watch(struct viewer *v, uint32_t events, int op)
{
    struct epoll_event e = {.events = events, .data.ptr = v};
    if (epoll_ctl(poller, op, v->fd, &e) < 0)
        die("epoll_ctl");
}

/* ---- what a viewer says ---- */

static void viewer_write(struct viewer *v, const char *p, size_t n)
{
    if (send(v->fd, p, n, MSG_NOSIGNAL) != (ssize_t)n)
        die("a request could not be sent");
}

/* A client's frames are masked; with zeros they read as they are. */
static void viewer_say(struct viewer *v, int opcode, struct str text)
{
    AUTO_BUF frame = BUF_INIT(1024);
    buf_add_byte(&frame, (char)(0x80 | opcode));
    if (text.n < 126) {
        buf_add_byte(&frame, (char)(0x80 | text.n));
    } else {
        buf_add_byte(&frame, (char)(0x80 | 126));
        buf_add_byte(&frame, (char)(text.n >> 8));
        buf_add_byte(&frame, (char)text.n);
    }
    buf_add(&frame, "\0\0\0\0", 4);
    buf_add_str(&frame, text);
    viewer_write(v, frame.p, frame.n);
}

static void viewer_subscribe(struct viewer *v)
{
    AUTO_FREE char *text =
        strcmp(options.since, "now") == 0
            ? mem_printf("{\"op\":\"sub\",\"topic\":\"%s\"}", options.topic)
            : mem_printf("{\"op\":\"sub\",\"topic\":\"%s\",\"since\":\"%s:%s\"}", options.topic,
                         check.epoch, options.since);
    viewer_say(v, 1, str_of(text));
}

static void viewer_upgrade(struct viewer *v)
{
    char host[INET_ADDRSTRLEN];
    ASSERT(inet_ntop(AF_INET, &options.address.sin_addr, host, sizeof(host)));
    AUTO_FREE char *text = mem_printf(
        "GET %s HTTP/1.1\r\nHost: %s:%d\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
        "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n%s%s\r\n",
        options.path, host, ntohs(options.address.sin_port),
        check.v1 ? "Sec-WebSocket-Protocol: tailrace.v1\r\n" : "",
        options.deflate ? "Sec-WebSocket-Extensions: permessage-deflate; "
                          "server_no_context_takeover; client_no_context_takeover\r\n"
                        : "");
    viewer_write(v, text, strlen(text));
    v->state = VIEWER_UPGRADING;
    watch(v, EPOLLIN, EPOLL_CTL_MOD);
}

/* ---- the life of a viewer ---- */

static void viewer_connect(struct viewer *v)
{
    v->fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (v->fd < 0)
        die("socket");
    (void)setsockopt(v->fd, IPPROTO_TCP, TCP_NODELAY, &(int){1}, sizeof(int));
    if (connect(v->fd, (struct sockaddr *)&options.address, sizeof(options.address)) < 0 &&
        errno != EINPROGRESS)
        die("connect");
    v->response = (struct buf)BUF_INIT(RESPONSE_MAX_BYTES);
    watch(v, EPOLLOUT, EPOLL_CTL_ADD);
    connecting++;
}

static void connect_more(void)
{
    while (opened < options.viewers && connecting < CONNECTING_MAX)
        viewer_connect(&viewers[opened++]);
}

/* From here on everything counts. */
static void all_are_open(void)
{
    ready_us = clock_wall_us();
    until_us = clock_mono_us() + options.timeout_s * 1000000;
    check.counting = true;
    check.skip_until_us = ready_us + options.skip_ms * 1000;
    for (int64_t i = 0; i < options.stalled; i++) {
        viewers[i].stalled = true;
        watch(&viewers[i], 0, EPOLL_CTL_MOD);
    }
    ASSERT(clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &cpu_at_ready) == 0);
    printf("{\"ready\":%lld,\"seconds\":%.3f}\n", (long long)open_now,
           (double)(ready_us - begun_us) / 1e6);
    (void)fflush(stdout);
}

static void viewer_is_open(struct viewer *v)
{
    if (v->state == VIEWER_OPEN)
        return;
    v->state = VIEWER_OPEN;
    v->check.counted = v - viewers >= options.stalled;
    connecting--;
    if (++open_now == options.viewers)
        all_are_open();
}

static void viewer_is_finished(struct viewer *v)
{
    if (v->finished)
        return;
    v->finished = true;
    finished++;
    if (finished == options.viewers - options.stalled)
        for (int64_t i = 0; i < options.stalled; i++) {
            viewers[i].stalled = false;
            watch(&viewers[i], EPOLLIN, EPOLL_CTL_MOD);
        }
}

static void viewer_is_gone(struct viewer *v, const char *why)
{
    if (v->state == VIEWER_GONE)
        return;
    if (!v->finished && closed++ == 0)
        fprintf(stderr, "load: viewer %lld was closed: %s\n", (long long)(v - viewers), why);
    if (v->state != VIEWER_OPEN)
        exit(1);
    v->state = VIEWER_GONE;
    (void)close(v->fd);
    viewer_is_finished(v);
}

/* ---- what a viewer hears ---- */

static void control_end(struct viewer *v)
{
    struct str text = buf_str(&v->check.held);
    if ((v->head[0] & 15) == 9)
        viewer_say(v, 10, text);
    if ((v->head[0] & 15) == 8) {
        AUTO_FREE char *why = mem_copy(text.p, MIN(text.n, (size_t)SHOWN_MAX));
        viewer_is_gone(v, text.n > 2 ? why + 2 : "without a reason");
    }
    buf_done(&v->check.held);
}

static void message_end(struct viewer *v, int64_t now_us)
{
    v->in_payload = false;
    v->head_n = 0;
    if (v->head[0] & 8) {
        control_end(v);
        return;
    }
    switch (check_end(&check, &v->check, now_us)) {
    case CHECK_STATUS:
        if (v->state == VIEWER_OPENING)
            viewer_subscribe(v);
        break;
    case CHECK_CAUGHT_UP:
        viewer_is_open(v);
        break;
    case CHECK_FINISHED:
        viewer_is_open(v);
        viewer_is_finished(v);
        break;
    default:
        break;
    }
}

/* True when the head of a frame is complete. */
static bool head_read(struct viewer *v, const char **p, const char *end)
{
    while (*p < end) {
        v->head[v->head_n++] = (unsigned char)*(*p)++;
        unsigned length = v->head_n > 1 ? v->head[1] & 127 : 0;
        size_t whole = length == 127 ? 10 : length == 126 ? 4 : 2;
        if (v->head_n < whole)
            continue;
        v->left = whole == 2 ? length : 0;
        for (size_t i = 2; i < whole; i++)
            v->left = v->left << 8 | v->head[i];
        return true;
    }
    return false;
}

static void frames_read(struct viewer *v, const char *p, size_t n, int64_t now_us)
{
    const char *end = p + n;
    while (v->state != VIEWER_GONE && (v->in_payload || p < end)) {
        if (!v->in_payload) {
            if (!head_read(v, &p, end))
                return;
            v->in_payload = true;
            check_message(&check, &v->check, v->left, v->head[0] & 0x40);
            if (v->head[0] & 8)
                v->check.like = NULL;
        }
        size_t k = MIN(v->left, (size_t)(end - p));
        check_bytes(&v->check, p, k);
        p += k;
        v->left -= k;
        if (v->left > 0)
            return;
        message_end(v, now_us);
    }
}

static void response_read(struct viewer *v, const char *p, size_t n, int64_t now_us)
{
    buf_add(&v->response, p, n);
    ptrdiff_t end = str_find(buf_str(&v->response), STR("\r\n\r\n"));
    if (end < 0 && !v->response.overflow)
        return;
    struct str rest = buf_str(&v->response);
    if (!str_starts(rest, STR("HTTP/1.1 101 "))) {
        fprintf(stderr, "load: no upgrade: %.*s\n", SHOWN_MAX, buf_text(&v->response));
        exit(1);
    }
    if (options.deflate &&
        str_find_nocase((struct str){rest.p, (size_t)end}, STR("permessage-deflate")) < 0) {
        fprintf(stderr, "load: the server does not deflate\n");
        exit(3);
    }
    v->state = VIEWER_OPENING;
    if (!check.v1)
        viewer_is_open(v);
    frames_read(v, rest.p + end + 4, rest.n - (size_t)end - 4, now_us);
    buf_done(&v->response);
}

static void viewer_read(struct viewer *v)
{
    ssize_t n = recv(v->fd, in, READ_BYTES, MSG_DONTWAIT);
    if (n == 0 || (n < 0 && errno != EAGAIN && errno != EINTR))
        viewer_is_gone(v, n == 0 ? "the other side ended" : strerror(errno));
    if (n <= 0)
        return;
    int64_t now_us = clock_wall_us();
    if (v->state == VIEWER_UPGRADING)
        response_read(v, in, (size_t)n, now_us);
    else
        frames_read(v, in, (size_t)n, now_us);
}

static void viewer_event(struct viewer *v, uint32_t events)
{
    if (v->state == VIEWER_CONNECTING && (events & EPOLLOUT))
        viewer_upgrade(v);
    else if (v->stalled && (events & (EPOLLHUP | EPOLLERR)))
        viewer_is_gone(v, "while it was stalled");
    else if (v->state != VIEWER_GONE && !v->stalled)
        viewer_read(v);
}

/* ---- the whole ---- */

/* Until all have finished; false when the standard input ended, or the time is up, before. */
static bool run(void)
{
    struct epoll_event events[512];
    until_us = clock_mono_us() + options.timeout_s * 1000000;
    struct epoll_event input = {.events = EPOLLIN | EPOLLHUP, .data.ptr = NULL};
    bool told = epoll_ctl(poller, EPOLL_CTL_ADD, STDIN_FILENO, &input) < 0 && errno != EPERM;
    while (!told && finished < options.viewers) {
        connect_more();
        int64_t left_ms = (until_us - clock_mono_us()) / 1000;
        int n = left_ms > 0 ? epoll_wait(poller, events, ARRAY_LEN(events), (int)left_ms) : 0;
        if (n == 0)
            break;
        for (int i = 0; i < n; i++) {
            if (events[i].data.ptr)
                viewer_event(events[i].data.ptr, events[i].events);
            else
                told = true;
        }
    }
    return finished == options.viewers;
}

static void key_ms(struct json *j, const char *key, int64_t us)
{
    json_key(j, key);
    json_double(j, (double)us / 1000);
}

static void violations_print(struct json *j, bool complete)
{
    json_key(j, "violations");
    json_begin_object(j);
    json_key_int(j, "gaps", (int64_t)check.gaps);
    json_key_int(j, "doubled", (int64_t)check.doubled);
    json_key_int(j, "disordered", (int64_t)check.disordered);
    json_key_int(j, "incomplete", (int64_t)check.incomplete);
    json_key_int(j, "malformed", (int64_t)check.malformed);
    json_key_int(j, "closed", closed);
    json_end_object(j);
    json_key_c(j, "first", check.first_violation);
    json_key_bool(j, "complete", complete);
}

static double cpu_since_ready_s(void)
{
    struct timespec now;
    ASSERT(clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now) == 0);
    return (double)(now.tv_sec - cpu_at_ready.tv_sec) +
           (double)(now.tv_nsec - cpu_at_ready.tv_nsec) / 1e9;
}

static void results_print(bool complete)
{
    double seconds = (double)(check.last_us - check.first_us) / 1e6;
    AUTO_BUF out = BUF_INIT(64 * 1024);
    struct json j = JSON_TO(&out);
    json_begin_object(&j);
    json_key_int(&j, "viewers", open_now);
    json_key_int(&j, "delivered", (int64_t)check.delivered);
    json_key_int(&j, "bytes", (int64_t)check.bytes);
    json_key_int(&j, "messages", (int64_t)check.messages);
    json_key(&j, "seconds");
    json_double(&j, seconds);
    json_key(&j, "per_second");
    json_double(&j, seconds > 0 ? (double)check.delivered / seconds : 0);
    key_ms(&j, "p50_ms", histogram_at(&check.latency, 0.5));
    key_ms(&j, "p99_ms", histogram_at(&check.latency, 0.99));
    key_ms(&j, "p999_ms", histogram_at(&check.latency, 0.999));
    key_ms(&j, "max_ms", check.latency.max_us);
    json_key(&j, "client_cpu_s");
    json_double(&j, cpu_since_ready_s());
    violations_print(&j, complete);
    json_end_object(&j);
    puts(buf_text(&out));
}

static const struct option long_options[] = {
    {"viewers", required_argument, NULL, 'n'},
    {"v1", no_argument, NULL, '1'},
    {"topic", required_argument, NULL, 't'},
    {"since", required_argument, NULL, 's'},   /* a seq, or "now"; default 0 */
    {"events", required_argument, NULL, 'e'},  /* peers: as many events, then it is finished */
    {"stalled", required_argument, NULL, 'k'}, /* so many of the viewers */
    {"skip-ms", required_argument, NULL, 'w'}, /* no latencies of what comes earlier */
    {"timeout", required_argument, NULL, 'T'}, /* seconds until all are open, and then again */
    {"deflate", no_argument, NULL, 'd'},       /* exit code 3 when the server does not */
    {0},
};

static int64_t number_of(const char *text)
{
    int64_t value;
    if (str_to_int(str_of(text), 0, INT64_MAX, &value))
        return value;
    fprintf(stderr, "load: '%s' is not a number\n", text);
    exit(2);
}

static void option_read(int option)
{
    switch (option) {
    case 'n':
        options.viewers = number_of(optarg);
        break;
    case '1':
        check.v1 = true;
        break;
    case 't':
        options.topic = optarg;
        break;
    case 's':
        options.since = optarg;
        break;
    case 'e':
        check.wanted = (uint64_t)number_of(optarg);
        break;
    case 'k':
        options.stalled = number_of(optarg);
        break;
    case 'w':
        options.skip_ms = number_of(optarg);
        break;
    case 'T':
        options.timeout_s = number_of(optarg);
        break;
    case 'd':
        options.deflate = true;
        break;
    default:
        exit(2);
    }
}

static void arguments_read(int argc, char **argv)
{
    int option;
    while ((option = getopt_long(argc, argv, "", long_options, NULL)) != -1)
        option_read(option);
    char *port = optind < argc ? strchr(argv[optind], ':') : NULL;
    if (optind + 2 != argc || !port || options.stalled >= options.viewers) {
        fprintf(stderr, "usage: load [options] ADDRESS:PORT PATH\n");
        exit(2);
    }
    *port = 0;
    options.address = (struct sockaddr_in){.sin_family = AF_INET,
                                           .sin_port = htons((uint16_t)number_of(port + 1))};
    if (inet_pton(AF_INET, argv[optind], &options.address.sin_addr) != 1)
        die(argv[optind]);
    options.path = argv[optind + 1];
}

static void files_allow_most(void)
{
    struct rlimit limit;
    if (getrlimit(RLIMIT_NOFILE, &limit) == 0) {
        limit.rlim_cur = limit.rlim_max;
        (void)setrlimit(RLIMIT_NOFILE, &limit);
    }
}

int main(int argc, char **argv)
{
    check_init(&check);
    arguments_read(argc, argv);
    files_allow_most();
    viewers = mem_alloc((size_t)options.viewers * sizeof(viewers[0]));
    poller = epoll_create1(EPOLL_CLOEXEC);
    begun_us = clock_wall_us();
    bool complete = run();
    results_print(complete);
    check_done(&check);
    free(viewers);
    return 0;
}
