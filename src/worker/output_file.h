/* output_file.h: the file in which a command says outputs.
 *
 *     version=1.2.3
 *     files<<END
 *     a.txt
 *     b.txt
 *     END
 *
 * It lies in the data folder while the command runs, is named by TAILRACE_OUTPUT, and is read
 * when all of the command has ended. It is not there before the command writes it: most never
 * do, and a file costs as much as a commit's share of a command. Thread: loop; it is short, and
 * was just written. */
#pragma once

#include "worker/worker.h"

/* Removes those that an earlier server left, and says where new ones lie. */
void output_files_init(const char *folder);

/* Where the file of a task is to be; NULL when there is no folder. The caller frees it. */
char *output_file_new(const struct worker_task *task);

/* Says what is in it, and removes it. E_INVAL with the line: what it says is no output; those
 * before it count. NULL is fine. */
CHECKED int output_file_take(struct worker_task *task, const char *path, struct err *e);
