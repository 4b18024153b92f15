/* output_file.h: the file in which a command says outputs.
 *
 *     version=1.2.3
 *     files<<END
 *     a.txt
 *     b.txt
 *     END
 *
 * It is in memory and has a name only while the server has it open (memfd_create(2)): what a
 * command writes there may be a secret, which must not come to lie on the disk, and nothing of
 * it is left when the server is killed. Thread: loop; it is short, and was just written. */
#pragma once

#include "worker/worker.h"

enum { OUTPUT_PATH_MAX = 64 };

/* Makes the file of a task and says how the command finds it. Returns its descriptor, or a
 * negative number of uv_strerror(). */
CHECKED int output_file_new(char ret_path[OUTPUT_PATH_MAX]);

/* Says what is in it, and closes it. E_INVAL with the line: what it says is no output; those
 * before it count. */
CHECKED int output_file_take(struct worker_task *task, int fd, struct err *e);
