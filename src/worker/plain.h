/* plain.h: commands that need no shell.
 *
 * `/usr/bin/rsync -a /srv/a /srv/b` means the same to a shell and to whoever cuts it at its
 * blanks; the shell would only fork, execute that, and wait for it, which takes as long as a
 * small program itself. make(1) does the same.
 *
 * Thread: any. */
#pragma once

#include "base/arena.h"

/* The words of a command that is one program, by its path from the root, and words in which no
 * shell would see anything. NULL: it needs a shell. They live in the arena, a NULL at the end.
 */
char **plain_words(struct arena *arena, const char *command);
