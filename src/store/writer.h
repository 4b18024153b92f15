/* writer.h: the store thread and group commit.
 *
 * The loop thread fills the current batch; at the end of each loop turn the batch leaves for
 * the store thread when that is idle, so that everything that arrives during one commit goes
 * into the next: one fsync for all. While much arrives, batches leave at most every 5 ms. A
 * batch that could not be committed (disk full ...) is
 * tried again, in place, until it can be; nothing is dropped and nothing after it overtakes it;
 * meanwhile writer_is_full() stops the producers and writer_trouble() has the sentence.
 *
 * After a commit, on the loop thread, in this order: on_committed(batch), which publishes it;
 * then the callbacks of writer_after_commit(). So: visible implies durable.
 *
 * Thread: all functions on the loop thread. */
#pragma once

#include <uv.h>

#include "store/store.h"

struct writer;

struct writer_hooks {
    void *context;
    void (*on_closing)(void *context,
                       struct batch *b); /* last rows (counters) before it leaves */
    void (*on_committed)(void *context, const struct batch *b);
    void (*on_drained)(void *context); /* writer_is_full() has turned false */
};

CHECKED int writer_new(uv_loop_t *loop, struct store *store, const struct writer_hooks *hooks,
                       struct writer **ret_writer, struct err *e);

/* The batch that is being filled; changes with every writer_turn(). Never NULL. */
struct batch *writer_batch(struct writer *w);

/* Calls done(arg) once when everything in the current batch, and all before, is durable and was
 * published. Also works with an empty batch. */
void writer_after_commit(struct writer *w, void (*done)(void *arg), void *arg);

/* Producers should pause. Whoever was told so, at any moment, is told by on_drained(). */
bool writer_is_full(struct writer *w);
const char *writer_trouble(const struct writer *w); /* "" while commits succeed */

/* How it does: of batches from the end of the turn that began them until they were durable and
 * published. */
struct writer_figures {
    int64_t commits;
    int64_t last_us;        /* 0: no commit yet */
    int64_t p50_us, p99_us; /* of the last minute's, the newest thousand; 0: there was none */
    int64_t oldest_us;      /* so long what is not durable yet has waited; 0: nothing waits */
    size_t bytes;           /* not durable yet */
};
struct writer_figures writer_figures(const struct writer *w);

/* Hands over what there is when the store thread is idle and the window is over; if not, that
 * happens by itself later. The server calls it at the end of a turn. */
void writer_turn(struct writer *w);

/* How long after a batch of so many events has left the next one may leave. */
int64_t writer_window_us(size_t events);

/* Commits what is left, waits for it and ends the thread; the loop must still run afterwards to
 * close handles. Gives up on a store that fails (E_IO) and says so. */
CHECKED int writer_stop(struct writer *w, struct err *e);
void writer_free(struct writer *w); /* after writer_stop() and a run of the loop */
