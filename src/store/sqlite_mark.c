/* The mark: a small file beside the database with its epoch and newest seq, written after each
 * commit and never synced. The database is never older than its mark, whatever dies; unless an
 * old copy of it was put back. Then what viewers saw under this epoch is not its history any
 * more, so at the next start it is given a new one. (A copy of the whole folder brings its mark
 * along and is not noticed.) */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/log.h"
#include "base/mem.h"
#include "store/sqlite.h"

enum { MARK_BYTES = EPOCH_LEN + 1 + 20 + 1 }; /* "epoch 00000000000000000042\n" */

static void mark_read(const struct sqlite_store *s, char epoch[EPOCH_LEN + 1],
                      unsigned long long *ret_seq)
{
    char text[MARK_BYTES + 1] = "";
    *ret_seq = 0;
    epoch[0] = 0;
    if (pread(s->mark_fd, text, MARK_BYTES, 0) == MARK_BYTES)
        (void)sscanf(text, "%16s %20llu", epoch, ret_seq);
}

void mark_write(const struct sqlite_store *s, uint64_t seq)
{
    char text[MARK_BYTES + 1];
    (void)snprintf(text, sizeof(text), "%-*s %020llu\n", EPOCH_LEN, s->base.epoch,
                   (unsigned long long)seq);
    (void)!pwrite(s->mark_fd, text, MARK_BYTES, 0); /* an old mark notices less, no more */
}

static int epoch_renew(struct sqlite_store *s, struct err *e)
{
    AUTO_QUERY q;
    int r = query_open(&q, s->writer, "UPDATE meta SET value = ? WHERE key = 'epoch'", e);
    if (r < 0)
        return r;
    store_make_epoch(s->base.epoch);
    bind_text(&q, s->base.epoch);
    return query_run(&q, e);
}

int mark_check(struct sqlite_store *s, struct err *e)
{
    char epoch[EPOCH_LEN + 1];
    unsigned long long seq;
    uint64_t head = atomic_load(&s->head);
    AUTO_FREE char *path = mem_printf("%s/mark", s->folder);
    s->mark_fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0644);
    if (s->mark_fd < 0)
        return fail_errno(e, errno, "cannot write in the data folder: %s", path);
    mark_read(s, epoch, &seq);
    if (strcmp(epoch, s->base.epoch) == 0 && seq > head) {
        int r = epoch_renew(s, e);
        if (r < 0)
            return r;
        log_warn("%s is older than it was (%llu events, there were %llu): an old copy was put "
                 "back, so its history has a new name, and viewers begin anew",
                 s->path, (unsigned long long)head, seq);
    }
    mark_write(s, head);
    return 0;
}
