/* given.h: how a request wants a job to be started, and the answer; and who asks. Thread: loop.
 */
#pragma once

#include "server/request.h"

struct given {
    struct start start; /* its texts are in the request's arena; `by` is "API" without one */
    int priority;
    bool from_failed; /* of a rerun */
};

/* {"parameters":{"site":"http://…"},"by":"page","priority":10} of the body, of a rerun also
 * "from_failed"; nothing when there is no body. E_INVAL. */
CHECKED int given_read(struct request *r, bool is_rerun, struct given *given, struct err *e);

/* {"by":"page"} of the body and nothing else: who or what asks, "API" without it. E_INVAL. */
CHECKED int given_read_by(struct request *r, const char **ret_by, struct err *e);

/* 202, when it is durable. */
void given_reply_started(struct request *r, struct id job_id, const char *name);
