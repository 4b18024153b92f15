/* Opening and closing a data folder, and read transactions.
 *
 * The happy path: make the folder, lock it against other processes, open the file, check or
 * make its tables, drop the chunks of a pass that a crash cut off, start the checkpointer. Each
 * step that fails undoes the ones before it through store_close(). */
#include "store/sqlite.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/fault.h"
#include "base/mem.h"

enum { IDLE_READERS_MAX = 16, LOCK_TRIES = 200, LOCK_RETRY_MS = 10 };

/* ---- reading ---- */

static void reader_free(struct sqlite_reader *r)
{
    if (!r)
        return;
    conn_free(r->conn);
    free(r);
}

static int reader_new(struct sqlite_store *s, struct sqlite_reader **ret_reader, struct err *e)
{
    struct sqlite_reader *reader = mem_alloc(sizeof(*reader));
    int r = conn_open(s->path, SQLITE_OPEN_READONLY, &reader->conn, e);
    if (r >= 0)
        r = conn_exec(reader->conn, "PRAGMA cache_size = -512", e);
    if (r < 0) {
        reader_free(reader);
        return r;
    }
    reader->base.store = &s->base;
    *ret_reader = reader;
    return 0;
}

/* The first read fixes the snapshot; all that describes it is read here. */
static int reader_begin(struct sqlite_reader *reader, struct err *e)
{
    int64_t compacted = 0, as_of = 0, deleted = 0, deleted_seq = 0;
    int r = conn_exec(reader->conn, "BEGIN", e);
    if (r >= 0)
        r = conn_number(reader->conn, "SELECT value FROM meta WHERE key = 'compacted_seq'", 0,
                        &compacted, e);
    if (r >= 0)
        r = conn_number(reader->conn,
                        "SELECT last_seq FROM journal ORDER BY first_seq DESC LIMIT 1",
                        compacted, &as_of, e);
    if (r >= 0)
        r = conn_number(reader->conn, "SELECT EXISTS(SELECT 1 FROM deleted)", 0, &deleted, e);
    if (r >= 0)
        r = conn_number(reader->conn, "SELECT value FROM meta WHERE key = 'deleted_seq'", 0,
                        &deleted_seq, e);
    reader->compacted_seq = (uint64_t)compacted;
    reader->base.deleted_seq = (uint64_t)deleted_seq;
    reader->base.as_of = (uint64_t)as_of;
    reader->any_deleted = deleted != 0;
    return r;
}

static int sqlite_read_begin(struct store *base, struct store_reader **ret_reader,
                             struct err *e)
{
    struct sqlite_store *s = sqlite_store(base);
    pthread_mutex_lock(&s->pool_lock);
    struct sqlite_reader *reader = s->idle_readers;
    if (reader) {
        s->idle_readers = reader->next;
        s->idle_count--;
    }
    s->open_readers++;
    pthread_mutex_unlock(&s->pool_lock);
    int r = reader ? 0 : reader_new(s, &reader, e);
    if (r >= 0)
        r = reader_begin(reader, e);
    if (r >= 0) {
        *ret_reader = &reader->base;
        return 0;
    }
    reader_free(reader);
    pthread_mutex_lock(&s->pool_lock);
    s->open_readers--;
    pthread_mutex_unlock(&s->pool_lock);
    return r;
}

static void sqlite_read_end(struct store_reader *base)
{
    struct sqlite_reader *reader = sqlite_reader(base);
    struct sqlite_store *s = sqlite_store(base->store);
    bool keep = conn_exec(reader->conn, "COMMIT", NULL) >= 0;
    pthread_mutex_lock(&s->pool_lock);
    s->open_readers--;
    keep = keep && s->idle_count < IDLE_READERS_MAX;
    if (keep) {
        reader->next = s->idle_readers;
        s->idle_readers = reader;
        s->idle_count++;
    }
    pthread_mutex_unlock(&s->pool_lock);
    if (!keep)
        reader_free(reader);
}

/* ---- opening ---- */

/* Makes the folder and those above it. */
static int folder_make(const char *folder, struct err *e)
{
    AUTO_FREE char *path = mem_strdup(folder);
    if (!*path)
        return fail_field(e, E_INVAL, "data", "the data folder has an empty name");
    for (char *p = path + 1; *p; p++) {
        if (*p != '/')
            continue;
        *p = 0;
        (void)mkdir(path, 0755); /* what is missing in the end shows below */
        *p = '/';
    }
    if (mkdir(path, 0755) < 0 && errno != EEXIST)
        return fail_errno(e, errno, "cannot make the data folder %s", folder);
    return 0;
}

/* Who holds the lock, as text; "" when the file does not say. */
static struct str lock_holder(const char *path, char *room, size_t size)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    ssize_t n = fd < 0 ? 0 : read(fd, room, size - 1);
    if (fd >= 0)
        close(fd);
    room[n > 0 ? n : 0] = 0;
    return str_trim((struct str){room, n > 0 ? (size_t)n : 0});
}

static bool process_is_gone(const char *pid)
{
    long id = strtol(pid, NULL, 10);
    return id > 0 && kill((pid_t)id, 0) < 0 && errno == ESRCH;
}

/* A server that was killed while it started a command leaves its lock to that child until the
 * child has become the command, some microseconds later or, on a busy machine, much more. So a
 * lock of a process that is gone is waited for. */
static int lock_take(int fd, const char *path)
{
    for (int left = LOCK_TRIES;; left--) {
        if (flock(fd, LOCK_EX | LOCK_NB) == 0)
            return 0;
        int error = errno;
        char holder[32];
        (void)lock_holder(path, holder, sizeof(holder));
        if (error != EWOULDBLOCK || left == 0 || !process_is_gone(holder))
            return -error;
        (void)poll(NULL, 0, LOCK_RETRY_MS);
    }
}

static int lock_say(const char *path, struct err *e)
{
    int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
    if (fd < 0)
        return fail_errno(e, errno, "cannot write in the data folder: %s", path);
    int r = dprintf(fd, "%ld\n", (long)getpid());
    int error = errno;
    close(fd);
    return r < 0 ? fail_errno(e, error, "cannot write %s", path) : 0;
}

/* What is locked is the folder itself, so that nobody gets in by removing a file from it; the
 * file `lock` says who has it. */
static int folder_lock(struct sqlite_store *s, struct err *e)
{
    AUTO_FREE char *path = mem_printf("%s/lock", s->folder);
    s->lock_fd = open(s->folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (s->lock_fd < 0)
        return fail_errno(e, errno, "cannot open the data folder %s", s->folder);
    int r = lock_take(s->lock_fd, path);
    if (r >= 0)
        return lock_say(path, e);
    if (r != -EWOULDBLOCK)
        return fail_errno(e, -r, "cannot lock the data folder %s", s->folder);
    char room[32];
    struct str pid = lock_holder(path, room, sizeof(room));
    return fail(e, E_BUSY, "the data folder %s is in use by another tailrace (process %.*s)",
                s->folder, STR_ARG(pid.n ? pid : STR("unknown")));
}

static off_t file_bytes(const char *path)
{
    struct stat st;
    return stat(path, &st) == 0 ? st.st_size : 0;
}

/* SQLite would throw the log of a database away that is not there, and begin anew: but what
 * was committed last, perhaps all of it, is only in that log. */
static int check_not_lost(const struct sqlite_store *s, struct err *e)
{
    AUTO_FREE char *wal = mem_printf("%s-wal", s->path);
    if (file_bytes(s->path) > 0 || file_bytes(wal) == 0)
        return 0;
    return fail(e, E_CORRUPT,
                "%s is missing or empty, but its log %s is there; put the database back, or "
                "move the log away to begin anew",
                s->path, wal);
}

static int writer_open(struct sqlite_store *s, struct err *e)
{
    int r = conn_open(s->path, SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE, &s->writer, e);
    if (r < 0)
        return r;
    if (sqlite3_db_readonly(s->writer->db, "main") == 1)
        return fail(e, E_IO, "cannot write %s", s->path);
    return schema_prepare(s->writer, e);
}

/* What the store knows by heart, from the tables. */
static int store_recall(struct sqlite_store *s, struct err *e)
{
    struct conn *c = s->writer;
    int64_t compacted = 0, head = 0;
    int r =
        conn_number(c, "SELECT value FROM meta WHERE key = 'compacted_seq'", 0, &compacted, e);
    if (r >= 0)
        r = conn_number(c, "SELECT max(last_seq) FROM journal", compacted, &head, e);
    if (r >= 0)
        r = conn_number(c, "SELECT count(*) FROM journal", 0, &s->journal.rows, e);
    if (r >= 0)
        r = conn_number(c, "SELECT sum(length(blob)) FROM journal", 0, &s->journal.bytes, e);
    if (r < 0)
        return r;
    s->has_garbage = true;
    s->compacted_seq = (uint64_t)compacted;
    atomic_store(&s->head, (uint64_t)head);
    s->journal_since_us = clock_mono_us();
    AUTO_ARENA a = ARENA_INIT;
    AUTO_QUERY q;
    r = query_open(&q, c, "SELECT value FROM meta WHERE key = 'epoch'", e);
    if (r >= 0)
        r = query_step(&q, e);
    if (r == 0)
        return fail(e, E_CORRUPT, "%s is damaged: it has no epoch", s->path);
    if (r > 0)
        text_copy(s->base.epoch, sizeof(s->base.epoch), column_text(&q, &a));
    return r < 0 ? r : 0;
}

static void sqlite_close(struct store *base)
{
    struct sqlite_store *s = sqlite_store(base);
    ASSERT(s->open_readers == 0);
    checkpointer_stop(s);
    while (s->idle_readers) {
        struct sqlite_reader *reader = s->idle_readers;
        s->idle_readers = reader->next;
        reader_free(reader);
    }
    compactor_free(s->compactor);
    conn_free(s->writer); /* the last one: SQLite folds the WAL into the file */
    if (s->mark_fd >= 0)
        close(s->mark_fd);
    if (s->lock_fd >= 0)
        close(s->lock_fd);
    pthread_mutex_destroy(&s->commit_lock);
    pthread_mutex_destroy(&s->pool_lock);
    free(s->folder);
    free(s->path);
    free(s);
}

static uint64_t sqlite_head(struct store *base)
{
    return atomic_load(&sqlite_store(base)->head);
}

static const struct store_ops sqlite_ops = {
    .close = sqlite_close,
    .head = sqlite_head,
    .append = sqlite_append,
    .compact = sqlite_compact,
    .read_begin = sqlite_read_begin,
    .read_end = sqlite_read_end,
    .get_job = sqlite_get_job,
    .get_step = sqlite_get_step,
    .get_task = sqlite_get_task,
    .get_document = sqlite_get_document,
    .list_jobs = sqlite_list_jobs,
    .walk_ended = sqlite_walk_ended,
    .free_bytes = sqlite_free_bytes,
    .count_jobs = sqlite_count_jobs,
    .list_steps = sqlite_list_steps,
    .list_tasks = sqlite_list_tasks,
    .group_errors = sqlite_group_errors,
    .list_documents = sqlite_list_documents,
    .list_definitions = sqlite_list_definitions,
    .list_schedules = sqlite_list_schedules,
    .list_deliveries = sqlite_list_deliveries,
    .read_lines = sqlite_read_lines,
    .read_events = sqlite_read_events,
};

int store_open_sqlite(const char *folder, struct store **ret_store, struct err *e)
{
    /* SQLite would count its allocations, under a lock that all connections share; refused when
     * it is in use already */
    (void)sqlite3_config(SQLITE_CONFIG_MEMSTATUS, 0);
    struct sqlite_store *s = mem_alloc(sizeof(*s));
    s->base.ops = &sqlite_ops;
    s->folder = mem_strdup(folder);
    s->path = mem_printf("%s/tailrace.db", folder);
    s->lock_fd = s->mark_fd = -1;
    s->compactor = compactor_new();
    pthread_mutex_init(&s->commit_lock, NULL);
    pthread_mutex_init(&s->pool_lock, NULL);
    int r = folder_make(folder, e);
    if (r >= 0)
        r = folder_lock(s, e);
    if (r >= 0 && FAULT(STORE_OPEN))
        r = fault_fail(e);
    if (r >= 0)
        r = check_not_lost(s, e);
    if (r >= 0)
        r = writer_open(s, e);
    if (r >= 0)
        r = store_recall(s, e);
    if (r >= 0)
        r = mark_check(s, e);
    if (r >= 0)
        r = sqlite_clean(s, e);
    if (r >= 0)
        r = checkpointer_start(s, e);
    if (r < 0) {
        sqlite_close(&s->base);
        return r;
    }
    *ret_store = &s->base;
    return 0;
}
