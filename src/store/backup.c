/* The happy path: open both, fix the snapshot by reading, copy piece by piece, give the copy
 * its own epoch, look through it, and only then call it by its name.
 *
 * SQLite begins anew whenever the source has changed between two pieces, which under a busy
 * server would be always. A read transaction that stays open over all pieces shows it one
 * state. */
#include "store/backup.h"

#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <stdio.h>
#include <unistd.h>

#include "base/fault.h"
#include "base/mem.h"
#include "store/sqlite_conn.h"
#include "store/store_ops.h"

enum { PIECE_PAGES = 2048 };

static void conn_free_auto(struct conn **c)
{
    conn_free(*c);
}

#define AUTO_CONN AUTO(conn_free_auto) struct conn

static int page_bytes(struct conn *c, int64_t *ret_bytes, struct err *e)
{
    return conn_number(c, "PRAGMA page_size", 0, ret_bytes, e);
}

static int pages_copy(struct conn *from, struct conn *to, struct backup_watch *watch,
                      struct err *e)
{
    int64_t page;
    int r = page_bytes(from, &page, e);
    if (r < 0)
        return r;
    sqlite3_backup *b = sqlite3_backup_init(to->db, "main", from->db, "main");
    if (!b)
        return conn_fail(to, sqlite3_errcode(to->db), e);
    int rc;
    do {
        if (FAULT(STORE_BACKUP_COPY)) {
            (void)sqlite3_backup_finish(b);
            return fault_fail(e);
        }
        rc = sqlite3_backup_step(b, PIECE_PAGES);
        int64_t total = sqlite3_backup_pagecount(b);
        watch->copied(watch, (total - sqlite3_backup_remaining(b)) * page, total * page);
    } while (rc == SQLITE_OK);
    (void)sqlite3_backup_finish(b);
    if (rc == SQLITE_DONE)
        return 0;
    /* which of the two it was is not told; what can go wrong is the copy: no space, no rights
     */
    return conn_fail(to, rc, e);
}

static int copy_rename(struct conn *c, struct err *e)
{
    char epoch[EPOCH_LEN + 1];
    AUTO_QUERY q;
    int r = query_open(&q, c, "UPDATE meta SET value = ? WHERE key = 'epoch'", e);
    if (r < 0)
        return r;
    store_make_epoch(epoch);
    bind_text(&q, epoch);
    return query_run(&q, e);
}

static int copy_check(struct conn *c, struct err *e)
{
    AUTO_ARENA a = ARENA_INIT;
    AUTO_QUERY q;
    int r = query_open(&q, c, "PRAGMA quick_check(1)", e);
    if (r >= 0)
        r = query_step(&q, e);
    if (r < 0)
        return r;
    const char *found = column_text(&q, &a);
    return str_eq_c(str_of(found), "ok") ? 0 : fail(e, E_CORRUPT, "%s: %s", c->path, found);
}

/* The copy, whole and closed, at `path`. */
static int copy_make(const char *source, const char *path, struct backup_watch *watch,
                     struct err *e)
{
    AUTO_CONN *from = NULL, *to = NULL;
    int64_t there;
    int r = conn_open(source, SQLITE_OPEN_READONLY, &from, e);
    if (r >= 0)
        r = conn_exec(from, "BEGIN", e);
    if (r >= 0) /* the first read fixes the snapshot */
        r = conn_number(from, "SELECT count(*) FROM meta WHERE key = 'epoch'", 0, &there, e);
    if (r >= 0 && !there)
        r = fail(e, E_CORRUPT, "%s is no tailrace database", source);
    if (r >= 0)
        r = conn_open(path, SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE, &to, e);
    if (r >= 0)
        r = pages_copy(from, to, watch, e);
    if (r >= 0) /* one file, without a log beside it */
        r = conn_exec(to, "PRAGMA journal_mode = DELETE", e);
    if (r >= 0)
        r = copy_rename(to, e);
    if (r >= 0)
        r = copy_check(to, e);
    return r;
}

static int folder_sync(const char *path, struct err *e)
{
    AUTO_FREE char *copy = mem_strdup(path); /* dirname() writes into it */
    const char *folder = dirname(copy);
    int fd = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0 || fsync(fd) < 0) {
        int errnum = errno;
        if (fd >= 0)
            (void)close(fd);
        return fail_errno(e, errnum, "cannot write in %s", folder);
    }
    (void)close(fd);
    return 0;
}

int store_backup(const char *folder, const char *to, struct backup_watch *watch, struct err *e)
{
    AUTO_FREE char *source = mem_printf("%s/tailrace.db", folder);
    AUTO_FREE char *part = mem_printf("%s.part", to);
    if (access(source, F_OK) < 0)
        return fail(e, E_NOTFOUND, "there is no data of tailrace in %s", folder);
    if (access(to, F_OK) == 0)
        return fail(e, E_EXISTS, "there is a file %s already", to);
    (void)unlink(part); /* of a copying that was interrupted */
    int r = copy_make(source, part, watch, e);
    if (r >= 0 && FAULT(STORE_BACKUP_RENAME))
        r = fault_fail(e);
    if (r >= 0 && rename(part, to) < 0)
        r = fail_errno(e, errno, "cannot make %s", to);
    if (r < 0) {
        (void)unlink(part);
        return r;
    }
    return folder_sync(to, e);
}
