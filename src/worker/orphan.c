/* The happy path of a sweep: one look at /proc finds nobody. Otherwise everybody found gets
 * SIGKILL, we wait for those to be gone, and look again, because a process may have had a child
 * between our look at it and its end. We also look again when somebody was just executing a new
 * program: for that moment a process has no environment that could tell whose it is. */
#include "worker/orphan.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/pidfd.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/clock.h"
#include "base/mem.h"

enum {
    SWEEP_LIMIT_MS = 1000,
    ENVIRON_MAX_BYTES = 4 * 1024 * 1024, /* twice what Linux allows for it by default */
    CHASED_MAX = 256,                    /* a look; further ones are found by the next */
    LOOK_AGAIN_MS = 1,
};

struct chase {
    struct pollfd watches[CHASED_MAX];
    pid_t pids[CHASED_MAX];
    int count;
    bool unsure; /* somebody had no environment yet */
};

static bool file_read(const char *path, struct buf *out)
{
    buf_clear(out);
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return false;
    ssize_t n = 0;
    char *room;
    while ((room = buf_room(out, 16 * 1024)) && (n = read(fd, room, 16 * 1024)) > 0)
        out->n += (size_t)n;
    (void)close(fd);
    return n == 0;
}

static bool environ_has(struct str all, const char *marker)
{
    while (all.n > 0)
        if (str_eq_c(str_cut(&all, '\0'), marker))
            return true;
    return false;
}

/* What proc(5) says of a process in its `stat`. */
struct process {
    char state;
    pid_t parent;
    unsigned long long memory_bytes; /* 0: a kernel thread, or one that has ended */
    unsigned long long code_start;   /* 0: its program is still being set up */
    unsigned long long environ_start, environ_end; /* 0: not set up yet */
};

/* "123 (name) S 45 ...": the name may hold anything, so look behind its last bracket. */
static struct process process_read(struct buf *stat)
{
    struct process p = {0};
    const char *after = strrchr(buf_text(stat), ')');
    struct str rest = str_of(after && after[1] ? after + 2 : NULL);
    for (int field = 3; rest.n > 0; field++) {
        const char *value = str_cut(&rest, ' ').p;
        if (field == 3)
            p.state = *value;
        else if (field == 4)
            p.parent = (pid_t)strtol(value, NULL, 10);
        else if (field == 23)
            p.memory_bytes = strtoull(value, NULL, 10);
        else if (field == 26)
            p.code_start = strtoull(value, NULL, 10);
        else if (field == 50)
            p.environ_start = strtoull(value, NULL, 10);
        else if (field == 51)
            p.environ_end = strtoull(value, NULL, 10);
    }
    return p;
}

/* What was read may have been nothing because a new program was just being executed. It is
 * known to be nothing when that program is complete: Linux fills in where the environment is
 * from its start on, so that it looks empty meanwhile, and where the code is after that
 * (create_elf_tables() and load_elf_binary() in fs/binfmt_elf.c). */
static bool environ_is_empty(const struct process *p)
{
    return p->code_start && p->environ_end && p->environ_start == p->environ_end;
}

static void zombie_note(struct orphan_sweep *sweep, pid_t pid)
{
    MEM_GROW(sweep->zombies, sweep->zombie_count, sweep->zombie_cap);
    sweep->zombies[sweep->zombie_count++] = pid;
}

static void process_look(pid_t pid, const char *marker, struct buf *text, struct chase *chase,
                         struct orphan_sweep *sweep)
{
    int fd = pidfd_open(pid, 0);
    if (fd < 0)
        return;
    char path[64];
    (void)snprintf(path, sizeof(path), "/proc/%ld/environ", (long)pid);
    bool readable = file_read(path, text);
    bool ours = readable && environ_has(buf_str(text), marker);
    if (!ours && text->n == 0) {
        (void)snprintf(path, sizeof(path), "/proc/%ld/stat", (long)pid);
        struct process p = file_read(path, text) ? process_read(text) : (struct process){0};
        if (p.state == 'Z' && p.parent == getpid())
            zombie_note(sweep, pid);
        else if (readable && p.memory_bytes && !environ_is_empty(&p))
            chase->unsure = true;
    }
    if (ours && chase->count < CHASED_MAX && pidfd_send_signal(fd, SIGKILL, NULL, 0) == 0) {
        chase->watches[chase->count] = (struct pollfd){.fd = fd, .events = POLLIN};
        chase->pids[chase->count++] = pid;
        sweep->killed++;
        return;
    }
    (void)close(fd);
}

static void chase_find(struct chase *chase, const char *marker, struct buf *text,
                       struct orphan_sweep *sweep)
{
    chase->count = sweep->zombie_count = 0;
    chase->unsure = false;
    DIR *proc = opendir("/proc");
    if (!proc)
        return;
    for (struct dirent *entry; (entry = readdir(proc));) {
        int64_t pid;
        if (str_to_int(str_of(entry->d_name), 1, INT32_MAX, &pid) && pid != getpid())
            process_look((pid_t)pid, marker, text, chase, sweep);
    }
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

void orphan_sweep(const char *marker, struct orphan_sweep *ret_sweep)
{
    AUTO_BUF text = BUF_INIT(ENVIRON_MAX_BYTES);
    AUTO_FREE struct chase *chase = mem_alloc(sizeof(*chase));
    int64_t until_us = clock_mono_us() + SWEEP_LIMIT_MS * INT64_C(1000);
    *ret_sweep = (struct orphan_sweep){0};
    do {
        ret_sweep->stubborn = 0;
        chase_find(chase, marker, &text, ret_sweep);
        chase_wait(chase, until_us, ret_sweep);
        if (chase->unsure)
            (void)poll(NULL, 0, LOOK_AGAIN_MS);
    } while ((chase->count > 0 || chase->unsure) && clock_mono_us() < until_us);
}

void orphan_sweep_done(struct orphan_sweep *sweep)
{
    mem_clear(&sweep->zombies);
    sweep->zombie_count = sweep->zombie_cap = 0;
}
