/* A file system for SQLite (sqlite3.h, sqlite3_vfs) that is its own one, but for two methods of
 * the files that count. It is there only while a fault point is armed. */
#include "store/sqlite_disk.h"

#include <pthread.h>
#include <sqlite3.h>
#include <string.h>

#include "base/err.h"
#include "base/fault.h"
#include "base/text.h"

/* Methods as SQLite has them (it has some for files that are locked, and some for others), and
 * ours instead. */
struct methods {
    const sqlite3_io_methods *theirs;
    sqlite3_io_methods ours;
};

static struct methods known[4];
static sqlite3_vfs disk, *usual;
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_once_t once = PTHREAD_ONCE_INIT;

static const sqlite3_io_methods *theirs(const sqlite3_file *f)
{
    const struct methods *m = known;
    while (f->pMethods != &m->ours)
        m++;
    return m->theirs;
}

/* When the disk is full, the first half was still written. */
static int disk_write(sqlite3_file *f, const void *bytes, int n, sqlite3_int64 at)
{
    int half = n / 2;
    int rc = theirs(f)->xWrite(f, bytes, half, at);
    if (rc == SQLITE_OK && FAULT(STORE_DISK_WRITE))
        return SQLITE_FULL;
    return rc == SQLITE_OK
               ? theirs(f)->xWrite(f, (const char *)bytes + half, n - half, at + half)
               : rc;
}

static int disk_sync(sqlite3_file *f, int flags)
{
    return FAULT(STORE_DISK_SYNC) ? SQLITE_IOERR_FSYNC : theirs(f)->xSync(f, flags);
}

static const sqlite3_io_methods *ours(const sqlite3_io_methods *methods)
{
    struct methods *m = known;
    pthread_mutex_lock(&lock);
    while (m->theirs && m->theirs != methods)
        ASSERT(++m < known + ARRAY_LEN(known));
    *m = (struct methods){methods, *methods};
    m->ours.xWrite = disk_write;
    m->ours.xSync = disk_sync;
    pthread_mutex_unlock(&lock);
    return &m->ours;
}

static int disk_open(sqlite3_vfs *v, const char *path, sqlite3_file *f, int flags,
                     int *ret_flags)
{
    (void)v;
    int rc = usual->xOpen(usual, path, f, flags, ret_flags);
    if (rc == SQLITE_OK && flags & (SQLITE_OPEN_MAIN_DB | SQLITE_OPEN_WAL))
        f->pMethods = ours(f->pMethods);
    return rc;
}

static void disk_make(void)
{
    usual = sqlite3_vfs_find(NULL);
    disk = *usual;
    disk.zName = "fault";
    disk.pNext = NULL;
    disk.xOpen = disk_open;
    ASSERT(sqlite3_vfs_register(&disk, 0) == SQLITE_OK);
}

const char *sqlite_disk(void)
{
    if (!fault_armed)
        return NULL;
    (void)pthread_once(&once, disk_make);
    return disk.zName;
}
