/* The happy path of a sweep: one look at /proc finds nobody. Otherwise everybody found gets
 * SIGKILL, we wait for those to be gone, and look again, because a process may have had a child
 * between our look at it and its end. */
#include "worker/orphan.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/pidfd.h>
#include <sys/resource.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/clock.h"
#include "base/mem.h"

enum {
    SWEEP_LIMIT_MS = 1000,
    CHASED_MAX = 256, /* a look; further ones are found by the next */
    CHILDREN_MAX_BYTES = 1024 * 1024,
};

struct chase {
    struct pollfd watches[CHASED_MAX];
    pid_t pids[CHASED_MAX];
    int count;
};

/* FNV-1a, 64 bits: it must be the same in the next server. */
uint64_t orphan_mark(struct str folder)
{
    uint64_t h = UINT64_C(0xcbf29ce484222325);
    for (size_t i = 0; i < folder.n; i++)
        h = (h ^ (unsigned char)folder.p[i]) * UINT64_C(0x100000001b3);
    return (h >> 2 >> ORPHAN_TASK_BITS) << ORPHAN_TASK_BITS; /* 62 bits: not "unlimited" */
}

void orphan_mark_set(uint64_t mark)
{
    struct rlimit l;
    if (getrlimit(__RLIMIT_LOCKS, &l) < 0)
        return;
    l.rlim_cur = mark ? MIN(mark, l.rlim_max) : l.rlim_max;
    (void)setrlimit(__RLIMIT_LOCKS, &l);
}

uint64_t orphan_mark_of(pid_t pid)
{
    struct rlimit l;
    bool is_known = prlimit(pid, __RLIMIT_LOCKS, NULL, &l) == 0 && l.rlim_cur != RLIM_INFINITY;
    return is_known ? l.rlim_cur : 0;
}

static bool mark_fits(pid_t pid, uint64_t mark, bool folder)
{
    uint64_t its = orphan_mark_of(pid);
    return its && (folder ? its >> ORPHAN_TASK_BITS == mark >> ORPHAN_TASK_BITS : its == mark);
}

/* A pidfd of a process with the mark that has not ended, or -1. */
static int process_open(pid_t pid, uint64_t mark, bool folder)
{
    int fd = mark_fits(pid, mark, folder) ? pidfd_open(pid, 0) : -1;
    if (fd < 0)
        return -1;
    struct pollfd ended = {.fd = fd, .events = POLLIN};
    if (mark_fits(pid, mark, folder) && poll(&ended, 1, 0) == 0)
        return fd;
    (void)close(fd);
    return -1;
}

/* The next process's number of a listing of /proc, without this one's; 0 at the end. */
static pid_t proc_next(DIR *proc)
{
    int64_t pid;
    for (struct dirent *entry; (entry = readdir(proc));)
        if (str_to_int(str_of(entry->d_name), 1, INT32_MAX, &pid) && pid != getpid())
            return (pid_t)pid;
    return 0;
}

static void name_read(pid_t pid, char *to, size_t size)
{
    char path[64];
    (void)snprintf(path, sizeof(path), "/proc/%ld/comm", (long)pid);
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    ssize_t n = fd < 0 ? 0 : read(fd, to, size - 1);
    if (fd >= 0)
        (void)close(fd);
    n = MAX(n, 0);
    to[n > 0 && to[n - 1] == '\n' ? n - 1 : n] = '\0';
}

void orphan_look(uint64_t mark, struct orphan_look *look)
{
    look->count = look->named = 0;
    DIR *proc = opendir("/proc");
    for (pid_t pid; proc && (pid = proc_next(proc));) {
        int fd = process_open(pid, mark, false);
        if (fd < 0)
            continue;
        if (look->named < ORPHANS_NAMED) {
            look->who[look->named].pid = pid;
            name_read(pid, look->who[look->named].name, sizeof(look->who[0].name));
            look->named++;
        }
        look->count++;
        if (look->signal && getpgid(pid) != look->but) {
            (void)pidfd_send_signal(fd, look->signal, NULL, 0);
            (void)pidfd_send_signal(fd, SIGCONT, NULL, 0);
        }
        (void)close(fd);
    }
    if (proc)
        (void)closedir(proc);
}

static void chase_find(struct chase *chase, uint64_t mark, bool folder,
                       struct orphan_sweep *sweep)
{
    chase->count = 0;
    DIR *proc = opendir("/proc");
    for (pid_t pid; proc && chase->count < CHASED_MAX && (pid = proc_next(proc));) {
        int fd = process_open(pid, mark, folder);
        if (fd < 0)
            continue;
        if (pidfd_send_signal(fd, SIGKILL, NULL, 0) < 0) {
            (void)close(fd);
            continue;
        }
        chase->watches[chase->count] = (struct pollfd){.fd = fd, .events = POLLIN};
        chase->pids[chase->count++] = pid;
        sweep->killed++;
    }
    if (proc)
        (void)closedir(proc);
}

/* A pidfd becomes readable when its process has ended. */
static void chase_wait(struct chase *chase, int64_t until_us, struct orphan_sweep *sweep)
{
    for (int i = 0; i < chase->count; i++) {
        int64_t left_ms = (until_us - clock_mono_us()) / 1000;
        int r;
        do
            r = poll(&chase->watches[i], 1, (int)MAX(left_ms, 0));
        while (r < 0 && errno == EINTR);
        if (r == 0)
            sweep->stubborn = chase->pids[i];
        (void)close(chase->watches[i].fd);
    }
}

void orphan_sweep(uint64_t mark, bool folder, struct orphan_sweep *ret_sweep)
{
    AUTO_FREE struct chase *chase = mem_alloc(sizeof(*chase));
    int64_t until_us = clock_mono_us() + SWEEP_LIMIT_MS * INT64_C(1000);
    *ret_sweep = (struct orphan_sweep){0};
    do {
        ret_sweep->stubborn = 0;
        chase_find(chase, mark, folder, ret_sweep);
        chase_wait(chase, until_us, ret_sweep);
    } while (chase->count > 0 && clock_mono_us() < until_us);
}

int orphan_children(pid_t *pids, int max)
{
    AUTO_BUF text = BUF_INIT(CHILDREN_MAX_BYTES);
    char path[64], *room;
    (void)snprintf(path, sizeof(path), "/proc/self/task/%ld/children", (long)getpid());
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return -1;
    ssize_t n = 0;
    while ((room = buf_room(&text, 4096)) && (n = read(fd, room, 4096)) > 0)
        text.n += (size_t)n;
    (void)close(fd);
    int count = 0;
    for (struct str rest = buf_str(&text); rest.n > 0 && count < max;) {
        int64_t pid;
        if (str_to_int(str_cut(&rest, ' '), 1, INT32_MAX, &pid))
            pids[count++] = (pid_t)pid;
    }
    return n < 0 ? -1 : count;
}
