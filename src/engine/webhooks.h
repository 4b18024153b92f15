/* webhooks.h: tells others over HTTP how jobs ended.
 *
 * That a message is to be sent and the job's end are one commit, and it is a row of the store
 * until its receiver has taken it or all attempts have failed: so it is sent at least once,
 * whatever dies. What comes twice has the same id.
 *
 * A message is a POST in the form of the Standard Webhooks specification: headers webhook-id,
 * webhook-timestamp and, when it is signed, webhook-signature. Any 2xx means that it was taken,
 * 410 that nobody will ever want it. Redirects are not followed. Thread: loop. */
#pragma once

#include "engine/engine.h"

struct job;
struct webhooks;

/* Is told what becomes of each message, for the system's own log. */
typedef void webhooks_told(void *arg, enum event_level level, const char *event,
                           struct id job_id, const char *text);

/* Before engine_recover(), which may end jobs. */
struct webhooks *webhooks_new(struct engine *g, webhooks_told *told, void *arg);

/* Takes up what an earlier server left. */
CHECKED int webhooks_load(struct webhooks *w, struct store_reader *r, struct err *e);

/* For record.c: the job has just become final, in the batch that is being filled. */
void webhooks_job_ended(struct webhooks *w, const struct job *job);

/* Messages that nobody has taken yet, those under way counted. */
size_t webhooks_waiting(const struct webhooks *w);

/* Breaks off what is under way; it is sent again at the next start. NULL is fine, also for
 * webhooks_close(), which comes before engine_free(). */
void webhooks_stop(struct webhooks *w);
void webhooks_close(struct webhooks *w);
