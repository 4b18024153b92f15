/* Checkpoints: copying what was committed from the WAL into the database file.
 *
 * The happy path: after each commit SQLite tells how many pages the WAL has. When it has grown
 * by WAL_PAGES_HIGH since the last checkpoint, or when nothing was committed for a while, the
 * thread copies, without holding anybody up: little at a time, since its fsync() of the
 * database and the commits' own share one disk. While commits go on, such a pass never gets to
 * the end of the WAL: it sees what was there when it began. So when the WAL has reached
 * WAL_PAGES_MAX, one more short pass is done while commits wait for it, and SQLite begins the
 * WAL from its start again. That matters beyond the size of the file: an fdatasync() of a file
 * that grows writes its inode too and costs twice as much. A reader that still needs old pages
 * forbids the new start; then the next checkpoint tries again. */
#include <stdlib.h>
#include <time.h>

#include "base/clock.h"
#include "base/fault.h"
#include "base/log.h"
#include "base/mem.h"
#include "store/sqlite.h"

enum {
    WAL_PAGES_HIGH = 512,  /* 2 MiB of 4 KiB pages: a pass */
    WAL_PAGES_MAX = 16384, /* 64 MiB: and one that commits wait for */
    WAL_IDLE_US = 1000 * 1000,
};

struct checkpointer {
    struct sqlite_store *store;
    struct conn *conn;
    pthread_t thread;
    pthread_mutex_t lock;
    pthread_cond_t wake;
    int wal_pages;     /* at the last commit */
    int copied_pages;  /* so many were there at the last checkpoint */
    int64_t commit_us; /* mono time of the last commit */
    bool stop;
};

static bool checkpoint_is_urgent(const struct checkpointer *c)
{
    return c->wal_pages - c->copied_pages >= WAL_PAGES_HIGH;
}

static int on_wal_commit(void *ctx, sqlite3 *db, const char *name, int pages)
{
    (void)db, (void)name;
    struct checkpointer *c = ctx;
    pthread_mutex_lock(&c->lock);
    if (pages < c->copied_pages) /* it began from its start again */
        c->copied_pages = 0;
    bool first = c->wal_pages == c->copied_pages;
    c->wal_pages = pages;
    c->commit_us = clock_mono_us();
    if (first || checkpoint_is_urgent(c))
        pthread_cond_signal(&c->wake);
    pthread_mutex_unlock(&c->lock);
    return SQLITE_OK;
}

/* Is the log so long that it should begin anew? */
static bool checkpoint_is_overdue(struct checkpointer *c)
{
    pthread_mutex_lock(&c->lock);
    bool overdue = c->wal_pages >= WAL_PAGES_MAX;
    pthread_mutex_unlock(&c->lock);
    return overdue;
}

/* Errors are logged, not returned: nothing is lost by them, and the next one tries again. */
static void checkpoint_pass(struct checkpointer *c)
{
    if (FAULT(STORE_CHECKPOINT)) {
        log_warn("checkpoint of %s: the fault point %s was told to fail", c->conn->path,
                 fault_name());
        return;
    }
    int rc =
        sqlite3_wal_checkpoint_v2(c->conn->db, "main", SQLITE_CHECKPOINT_PASSIVE, NULL, NULL);
    if (rc != SQLITE_OK && rc != SQLITE_BUSY)
        log_warn("checkpoint of %s: %s", c->conn->path, sqlite3_errmsg(c->conn->db));
}

static void checkpoint(struct checkpointer *c)
{
    checkpoint_pass(c);
    if (!checkpoint_is_overdue(c))
        return;
    pthread_mutex_lock(&c->store->commit_lock);
    checkpoint_pass(c);
    pthread_mutex_unlock(&c->store->commit_lock);
}

/* Waits under the lock until there is something to do. False: the store closes. */
static bool checkpointer_wait(struct checkpointer *c)
{
    while (!c->stop) {
        int64_t quiet_us = clock_mono_us() - c->commit_us;
        bool news = c->wal_pages > c->copied_pages;
        if (checkpoint_is_urgent(c) || (news && quiet_us >= WAL_IDLE_US))
            return true;
        if (!news) {
            pthread_cond_wait(&c->wake, &c->lock);
            continue;
        }
        int64_t until_us = clock_mono_us() + WAL_IDLE_US - quiet_us;
        struct timespec until = {until_us / 1000000, until_us % 1000000 * 1000};
        pthread_cond_timedwait(&c->wake, &c->lock, &until);
    }
    return false;
}

static void *checkpointer_run(void *ctx)
{
    struct checkpointer *c = ctx;
    (void)pthread_setname_np(pthread_self(), "checkpoint");
    pthread_mutex_lock(&c->lock);
    while (checkpointer_wait(c)) {
        c->copied_pages = c->wal_pages;
        pthread_mutex_unlock(&c->lock);
        checkpoint(c);
        pthread_mutex_lock(&c->lock);
    }
    pthread_mutex_unlock(&c->lock);
    return NULL;
}

static void checkpointer_free(struct checkpointer *c)
{
    conn_free(c->conn);
    pthread_mutex_destroy(&c->lock);
    pthread_cond_destroy(&c->wake);
    free(c);
}

int checkpointer_start(struct sqlite_store *s, struct err *e)
{
    struct checkpointer *c = mem_alloc(sizeof(*c));
    c->store = s;
    pthread_mutex_init(&c->lock, NULL);
    pthread_condattr_t attr;
    pthread_condattr_init(&attr);
    pthread_condattr_setclock(&attr, CLOCK_MONOTONIC); /* what clock_mono_us() reads */
    pthread_cond_init(&c->wake, &attr);
    pthread_condattr_destroy(&attr);
    int64_t tables;
    int r = conn_open(s->path, SQLITE_OPEN_READWRITE, &c->conn, e);
    if (r >=
        0) /* a connection that has never read does not know of the WAL: it copies nothing */
        r = conn_number(c->conn, "SELECT count(*) FROM sqlite_master", 0, &tables, e);
    if (r >= 0) {
        int errnum = pthread_create(&c->thread, NULL, checkpointer_run, c);
        if (errnum)
            r = fail_errno(e, errnum, "cannot start the checkpoint thread");
    }
    if (r < 0) {
        checkpointer_free(c);
        return r;
    }
    s->checkpointer = c;
    sqlite3_wal_hook(s->writer->db, on_wal_commit, c);
    return 0;
}

void checkpointer_stop(struct sqlite_store *s)
{
    struct checkpointer *c = TAKE(s->checkpointer);
    if (!c)
        return;
    sqlite3_wal_hook(s->writer->db, NULL, NULL);
    pthread_mutex_lock(&c->lock);
    c->stop = true;
    pthread_cond_signal(&c->wake);
    pthread_mutex_unlock(&c->lock);
    pthread_join(c->thread, NULL);
    checkpointer_free(c);
}
