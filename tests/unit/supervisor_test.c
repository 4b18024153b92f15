/* A real server under a manager of our own: it says when it is ready, that it is well, and when
 * it stops. */
#include "server/supervisor.h"

#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/macro.h"
#include "server/server.h"
#include "test.h"

static int manager; /* where the datagrams arrive */
static char said[4096];

static int manager_listen(const char *path)
{
    struct sockaddr_un to = {.sun_family = AF_UNIX};
    size_t n = strlen(path);
    memcpy(to.sun_path, path, n);
    if (path[0] == '@')
        to.sun_path[0] = 0;
    int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    CHECK(fd >= 0);
    CHECK_INT(bind(fd, (struct sockaddr *)&to,
                   (socklen_t)(offsetof(struct sockaddr_un, sun_path) + n)),
              0);
    CHECK_INT(setenv("NOTIFY_SOCKET", path, 1), 0);
    return fd;
}

/* Appends what is said next, with a "|" after it. */
static void manager_hear(void)
{
    size_t n = strlen(said);
    ssize_t got = recv(manager, said + n, sizeof(said) - n - 2, 0);
    CHECK(got > 0);
    memcpy(said + n + (size_t)got, "|", 2);
}

static void *manager_main(void *arg)
{
    (void)arg;
    while (!strstr(said, "READY=1"))
        manager_hear();
    for (int more = 3; more > 0; more--)
        manager_hear(); /* the loop goes on, and says so */
    (void)kill(getpid(), SIGTERM);
    while (!strstr(said, "STOPPING=1"))
        manager_hear();
    return NULL;
}

static void on_ready(const char *address)
{
    (void)address;
}

static void serve_once(void)
{
    struct err e = {0};
    pthread_t thread;
    struct server_options options = {
        .listen = "127.0.0.1:0", .data = test_folder(), .heartbeat_ms = 20000};
    CHECK_INT(pthread_create(&thread, NULL, manager_main, NULL), 0);
    CHECK_INT(server_run(&options, on_ready, &e), 0);
    CHECK_INT(pthread_join(thread, NULL), 0);
}

TEST(a_server_tells_its_manager_when_it_is_ready_and_that_it_is_well)
{
    char path[96];
    (void)snprintf(path, sizeof(path), "%s/notify", test_folder());
    manager = manager_listen(path);
    CHECK_INT(setenv("WATCHDOG_USEC", "20000", 1), 0);
    serve_once();
    CHECK(strstr(said, "STATUS=http://127.0.0.1:"));
    const char *well = strstr(strstr(said, "READY=1"), "WATCHDOG=1|");
    CHECK(well && well < strstr(said, "STOPPING=1"));
}

TEST(a_manager_may_be_named_by_an_abstract_address_and_want_no_watchdog)
{
    char path[64];
    (void)snprintf(path, sizeof(path), "@tailrace-test-%d", (int)getpid());
    manager = manager_listen(path);
    char other[16];
    (void)snprintf(other, sizeof(other), "%d", (int)getppid());
    CHECK_INT(setenv("WATCHDOG_USEC", "20000", 1), 0);
    CHECK_INT(setenv("WATCHDOG_PID", other, 1), 0); /* meant for somebody else */
    struct supervisor s;
    uv_loop_t loop;
    CHECK_INT(uv_loop_init(&loop), 0);
    supervisor_open(&s, &loop);
    CHECK(!uv_is_active((uv_handle_t *)&s.watchdog));
    supervisor_tell(&s, "READY=1");
    manager_hear();
    CHECK_TEXT(said, "READY=1|");
    supervisor_close(&s);
    (void)uv_run(&loop, UV_RUN_DEFAULT);
    CHECK_INT(uv_loop_close(&loop), 0);
}

TEST(without_a_manager_nobody_is_told_anything)
{
    static const char *const paths[] = {NULL, "", "relative", "/nobody/is/here"};
    uv_loop_t loop;
    CHECK_INT(uv_loop_init(&loop), 0);
    for (size_t i = 0; i < ARRAY_LEN(paths); i++) {
        struct supervisor s;
        (void)unsetenv("NOTIFY_SOCKET");
        if (paths[i])
            (void)setenv("NOTIFY_SOCKET", paths[i], 1);
        supervisor_open(&s, &loop);
        CHECK_INT(s.fd, -1);
        supervisor_tell(&s, "READY=1");
        supervisor_close(&s);
        (void)uv_run(&loop, UV_RUN_DEFAULT);
    }
    CHECK_INT(uv_loop_close(&loop), 0);
}
