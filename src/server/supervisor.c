/* One datagram for each state; what cannot be told is not important enough to wait for. */
#include "server/supervisor.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/log.h"
#include "base/text.h"

/* A connected datagram socket, or -1. A path that begins with "@" is an abstract one. */
static int notify_connect(const char *path)
{
    struct sockaddr_un to = {.sun_family = AF_UNIX};
    size_t n = path ? strlen(path) : 0;
    if (n < 2 || n >= sizeof(to.sun_path) || (path[0] != '/' && path[0] != '@'))
        return -1;
    memcpy(to.sun_path, path, n);
    if (path[0] == '@')
        to.sun_path[0] = 0;
    int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    socklen_t size = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + n);
    if (fd >= 0 && connect(fd, (struct sockaddr *)&to, size) == 0)
        return fd;
    log_warn("cannot reach the manager at %s: %s", path, strerror(errno));
    if (fd >= 0)
        (void)close(fd);
    return -1;
}

/* How often it wants to hear of us; 0: never. Twice as often is what it recommends. */
static uint64_t watchdog_ms(void)
{
    int64_t us, pid;
    if (!str_to_int(str_of(getenv("WATCHDOG_USEC")), 2000, INT64_MAX, &us))
        return 0;
    const char *whose = getenv("WATCHDOG_PID");
    if (whose && (!str_to_int(str_of(whose), 1, INT32_MAX, &pid) || pid != getpid()))
        return 0;
    return (uint64_t)us / 1000 / 2;
}

static void on_watchdog(uv_timer_t *timer)
{
    supervisor_tell(container_of(timer, struct supervisor, watchdog), "WATCHDOG=1");
}

void supervisor_open(struct supervisor *s, uv_loop_t *loop)
{
    s->fd = notify_connect(getenv("NOTIFY_SOCKET"));
    ASSERT(uv_timer_init(loop, &s->watchdog) == 0);
    uint64_t every_ms = s->fd < 0 ? 0 : watchdog_ms();
    if (every_ms)
        ASSERT(uv_timer_start(&s->watchdog, on_watchdog, 0, every_ms) == 0);
}

void supervisor_close(struct supervisor *s)
{
    uv_close((uv_handle_t *)&s->watchdog, NULL);
    if (s->fd >= 0)
        (void)close(s->fd);
}

void supervisor_tell(const struct supervisor *s, const char *state)
{
    if (s->fd >= 0)
        (void)send(s->fd, state, strlen(state), MSG_NOSIGNAL | MSG_DONTWAIT);
}
