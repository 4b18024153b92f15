/* follow.h: the events of a job over long-poll, by the client's rule of docs/protocol.md: each
 * once, in order, without a gap, also across a restart of the server. Thread: main. */
#pragma once

#include "cli/client.h"
#include "job/state.h"

struct follow {
    const char *job_id;
    const char *since;     /* cursor "epoch:seq": what comes after it */
    const char *min_level; /* "warn": lines below are left out; NULL: all lines */
    uint64_t until;        /* 0: follow to the job's end; else: stop at this seq, do not wait */
    void (*on_event)(void *user, const json_t *event);
    bool (*on_answer)(void *user); /* after the events of an answer; false ends it */
    void (*on_note)(void *user,
                    const char *note); /* for a person: the server is away, is back */
    void *user;
};

struct follow_outcome {
    bool ended;      /* the job is over */
    int signum;      /* SIGINT or SIGTERM ended it, or 0 */
    char status[16]; /* final status of the job, "" when its event was before `since` */
};

/* E_GONE when the server's log is not the one of the cursor any more; E_NET only when the first
 * request fails, later ones are repeated (with a note) until the server answers. */
CHECKED int follow_job(struct client *c, const struct follow *f,
                       struct follow_outcome *ret_outcome, struct err *e);
