/* given.h: starting a job: the parameters that a request gives, and the answer. Thread: loop.
 */
#pragma once

#include "server/request.h"

struct given {
    const char **names, **values; /* in the request's arena */
    int count;
    const char *by; /* who asks, for people: "page" ...; "API" when it is not said */
};

/* {"parameters":{"site":"http://…"},"by":"page"} of the body; none when there is no body.
 * E_INVAL. */
CHECKED int given_read(struct request *r, struct given *given, struct err *e);

/* 202, when it is durable. */
void given_reply_started(struct request *r, struct id job_id, const char *name);
