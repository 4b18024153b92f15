/* The happy path of a child: spawned, its pidfd becomes readable when it ends, it is reaped,
 * on_exit(). */
#include "worker/child.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <sys/pidfd.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/macro.h"

static int living; /* children that are not reaped yet */

static void on_watch(uv_poll_t *watch, int status, int events)
{
    struct child *child = container_of(watch, struct child, watch);
    struct rusage used;
    int wait_status = 0;
    (void)status, (void)events;
    if (wait4(child->pid, &wait_status, WNOHANG, &used) != child->pid)
        return;
    living--;
    (void)uv_poll_stop(&child->watch);
    child->on_exit(child, wait_status, &used);
}

/* The number of an error; 0 when *ret_pid runs. */
static int spawn(const struct child_options *o, pid_t *ret_pid)
{
    posix_spawn_file_actions_t files;
    posix_spawnattr_t attr;
    sigset_t all, none;
    (void)sigfillset(&all);
    (void)sigemptyset(&none);
    ASSERT(posix_spawn_file_actions_init(&files) == 0 && posix_spawnattr_init(&attr) == 0);
    int r = posix_spawnattr_setsigdefault(&attr, &all);
    r = r ? r : posix_spawnattr_setsigmask(&attr, &none);
    r = r ? r
          : posix_spawnattr_setflags(&attr, POSIX_SPAWN_SETSID | POSIX_SPAWN_SETSIGDEF |
                                                POSIX_SPAWN_SETSIGMASK);
    for (int i = 0; i < 3 && r == 0; i++)
        r = o->files[i] < 0
                ? posix_spawn_file_actions_addopen(&files, i, "/dev/null", O_RDWR, 0)
                : posix_spawn_file_actions_adddup2(&files, o->files[i], i);
    if (r == 0 && o->cwd)
        r = posix_spawn_file_actions_addchdir_np(&files, o->cwd);
    if (r == 0)
        r = posix_spawn(ret_pid, o->file, &files, &attr, o->argv, o->env);
    (void)posix_spawnattr_destroy(&attr);
    (void)posix_spawn_file_actions_destroy(&files);
    return r;
}

/* Nobody will be told of its end. */
static int give_up(pid_t pid, int code)
{
    (void)kill(-pid, SIGKILL);
    while (waitpid(pid, NULL, 0) < 0 && errno == EINTR)
        ;
    return code;
}

int child_start(struct child *child, uv_loop_t *loop, const struct child_options *options,
                void (*on_exit)(struct child *child, int status, const struct rusage *used))
{
    pid_t pid;
    int r = spawn(options, &pid);
    if (r != 0)
        return -r; /* as uv_translate_sys_error(), which is the same on Linux */
    int pidfd = pidfd_open(pid, 0);
    if (pidfd < 0)
        return give_up(pid, -errno);
    *child = (struct child){.pid = pid, .on_exit = on_exit, .pidfd = pidfd};
    r = uv_poll_init(loop, &child->watch, pidfd);
    if (r < 0) {
        child->pid = 0;
        (void)close(pidfd);
        return give_up(pid, r);
    }
    ASSERT(uv_poll_start(&child->watch, UV_READABLE, on_watch) == 0);
    living++;
    return 0;
}

static void on_watch_close(uv_handle_t *handle)
{
    struct child *child = container_of((uv_poll_t *)handle, struct child, watch);
    (void)close(child->pidfd); /* not earlier: closing the watch makes libuv forget whoever has
                                  this number by then, and that may be the next child */
    child->on_close(child);
}

void child_close(struct child *child, void (*on_close)(struct child *child))
{
    child->on_close = on_close;
    uv_close((uv_handle_t *)&child->watch, on_watch_close);
}

/* The kernel's list of this thread's children, kept open; anew after a fork(). -1: none. */
static int children_open(void)
{
    static int fd = -1;
    static pid_t of;
    if (of != getpid()) {
        if (fd >= 0)
            (void)close(fd);
        fd = open("/proc/thread-self/children", O_RDONLY | O_CLOEXEC);
        of = getpid();
    }
    return fd;
}

/* A process that is adopted is listed at the first thread that lives, which is the one that
 * asks. Only this thread reaps, so nobody leaves the list while it is read, and who comes to it
 * meanwhile had a parent in it. */
bool child_strangers(void)
{
    int adopts = 0, children = 0;
    char text[4096];
    if (gettid() != getpid() || prctl(PR_GET_CHILD_SUBREAPER, &adopts) < 0 || !adopts)
        return true;
    int fd = children_open();
    ssize_t n = -1;
    for (off_t at = 0; fd >= 0 && (n = pread(fd, text, sizeof(text), at)) > 0; at += n)
        for (ssize_t i = 0; i < n; i++)
            children += text[i] == ' ';
    return n < 0 || children != living;
}
