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
 * it is left when the server is killed. When it has grown past twice LIMIT_OUTPUTS_BYTES it is
 * cut, and the system lets nobody write to it any more. Thread: loop; it is short, and was just
 * written. */
#pragma once

#include "worker/worker.h"

enum { OUTPUT_PATH_MAX = 64 };

struct output_file {
    int fd;                     /* negative: there is none */
    char path[OUTPUT_PATH_MAX]; /* how the command finds it */
    uv_fs_event_t watch;        /* to be closed by the owner, before the others */
};

void output_file_init(struct output_file *f, uv_loop_t *loop); /* there is none */

/* Makes it. 0, or a negative number of uv_strerror(). */
CHECKED int output_file_open(struct output_file *f);

/* Cuts and seals it when it is too large. That is looked at by itself whenever something is
 * written; who calls it now and then bounds it also on a system that has no watch left. */
void output_file_bound(struct output_file *f);

/* Says what is in it, and closes it. E_INVAL with the line: what it says is no output; those
 * before it count. E_TOOBIG: it had more than it may have. */
CHECKED int output_file_take(struct output_file *f, struct worker_task *task, struct err *e);
void output_file_close(struct output_file *f);
