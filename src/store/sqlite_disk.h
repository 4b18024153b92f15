/* sqlite_disk.h: the fault points below SQLite: a disk that is full, or does not keep what it
 * was given. They strike in the middle of what SQLite does, at its n-th write or fsync of the
 * database or its log, so its own handling of such errors is in play, and what it leaves in the
 * files. Thread: any. */
#pragma once

/* The name of the file system for SQLite to use; NULL: its own. */
const char *sqlite_disk(void);
