/* backup.h: a copy of a data folder's database, taken while a server may be writing to it.
 *
 * The copy is one file: everything that was committed when the copying began, nothing of what
 * came later. Its history has a new name (epoch), so that viewers of the one are never taken
 * for viewers of the other. It is checked before it gets its name; whatever interrupts the
 * copying leaves no file of that name.
 *
 * A restore is the way back: the copy as `tailrace.db` in an empty folder.
 *
 * While it copies, the server's write-ahead log cannot be emptied, and grows by what is
 * written. Blocks on the disk; thread: any, and any process. */
#pragma once

#include "base/err.h"

struct backup_watch {
    void (*copied)(struct backup_watch *w, int64_t bytes,
                   int64_t total_bytes); /* now and then */
};

/* E_NOTFOUND: there is no database in `folder`; E_EXISTS: there is a file `to` already;
 * E_CORRUPT; E_IO. */
CHECKED int store_backup(const char *folder, const char *to, struct backup_watch *watch,
                         struct err *e);
