/* child.h: a process that the loop starts and waits for.
 *
 * uv_spawn() of Debian's libuv forks: the kernel copies the tables of all the memory that the
 * server has, so each start takes longer the larger the server is, while the loop stands still.
 * posix_spawn() shares the memory until the new program begins. And who waits here learns what
 * the process used.
 *
 *     child_start() == 0  →  on_exit(), once  →  child_close()  →  on_close()
 *
 * A process starts in a session of its own (so its group has its number), with the default
 * action for all signals and none blocked. All other files of the server must be close-on-exec.
 *
 * Thread: the loop's. */
#pragma once

#include <stdbool.h>
#include <sys/resource.h>
#include <uv.h>

struct child_options {
    const char *file; /* a path; not looked up in PATH */
    char *const *argv, *const *env;
    const char *cwd; /* NULL: the server's */
    int files[3];    /* what becomes stdin, stdout, stderr; -1: /dev/null */
};

struct child {
    pid_t pid; /* stays the number of its group after the end; 0: never started */
    void (*on_exit)(struct child *child, int status, const struct rusage *used);
    uv_poll_t watch; /* of a pidfd */
    int pidfd;
    void (*on_close)(struct child *child);
};

/* 0, or a negative number of uv_strerror(): then there is nothing to close. `status` of
 * on_exit() is that of wait(2), `used` what the process and those that it waited for have used.
 */
int child_start(struct child *child, uv_loop_t *loop, const struct child_options *options,
                void (*on_exit)(struct child *child, int status, const struct rusage *used));

/* After on_exit(). */
void child_close(struct child *child, void (*on_close)(struct child *child));

/* Has this process children that are not from child_start()? They are what commands left
 * behind: it adopts them (PR_SET_CHILD_SUBREAPER) in the moment in which their parent ends, so
 * when a command has ended and the answer is no, no descendant of it is left, not even one that
 * has left its group. True when it cannot be known. */
bool child_strangers(void);
