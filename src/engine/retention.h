/* retention.h: deletes jobs that have ended and are too old, too many or too large: as their
 * definition says (`keep`), or as the server does for all.
 *
 * The oldest go first, a few in a batch, each as if somebody had deleted it over the API. What
 * there is is looked at on the pool: when a job has ended, after a start and once a minute; but
 * a look is followed by a pause that is twenty times as long, and by some seconds when it found
 * something, so that who looks at the list of jobs is not sent it again and again.
 *
 * A job whose definition is gone is kept as the server's limits say. Thread: loop. */
#pragma once

#include "engine/catalog.h"
#include "engine/engine.h"

struct retention;

/* A job is being deleted, durable with the current batch: `text` says which and why. */
typedef void retention_told(void *arg, struct id job_id, const char *text);

/* `keep` is the server's; what it points to is copied. */
struct retention *retention_new(struct engine *g, struct catalog *catalog,
                                const struct keep *keep, retention_told *told, void *arg);

/* Deletes nothing any more; before the writer stops. NULL is fine. */
void retention_stop(struct retention *r);
void retention_free(struct retention *r); /* after the loop's last run; NULL is fine */

/* A batch was committed: were jobs among it that have ended? */
void retention_committed(struct retention *r, const struct batch *b);

/* How many it has deleted since it was made. */
int64_t retention_removed(const struct retention *r);

/* Looks now, as at `now_us`; false: it is busy with the look before, or with what that found.
 * For the timer, and for tests with a clock of their own. */
bool retention_run(struct retention *r, int64_t now_us);
bool retention_is_busy(const struct retention *r);
