/* server.h: puts the parts together and runs them until a signal ends it.
 *
 * The turn of the loop ends with: hand the batch to the store, let HTTP take up what was
 * resumed, write to viewers. See docs/architecture.md. Thread: loop, but for what is marked. */
#pragma once

#include <uv.h>

#include "engine/retention.h"
#include "engine/schedules.h"
#include "engine/webhooks.h"
#include "feed/feed.h"
#include "server/space.h"
#include "server/supervisor.h"

struct server_options {
    const char *listen;      /* "127.0.0.1:8085"; port 0 picks a free one */
    const char *data;        /* folder, made when it is not there */
    const char *definitions; /* folder, or NULL */
    int64_t heartbeat_ms;    /* to viewers, after so much silence */
    int max_jobs;            /* that run at once; 0: no limit */
    int max_family;          /* that come of one, in all; 0: no limit */
    struct keep keep;        /* of jobs that have ended */
    int64_t min_free_bytes;  /* below it new jobs wait */
    struct pool_limits pools;
    bool log_json; /* the server's own log */
};

struct server {
    uv_loop_t loop;
    struct store *store;
    struct writer *writer;
    struct feed *feed;
    struct catalog *catalog;
    struct engine *engine;
    struct schedules *schedules;
    struct webhooks *webhooks;
    struct retention *retention;
    struct space *space;
    struct http *http;
    struct viewers *viewers;
    struct waits *waits;
    struct streams *streams;

    char instance[ID_TEXT_LEN + 1]; /* of this process, for clients that want to notice a
                                       restart */
    int64_t started_at_us;
    bool draining;
    int task_files;           /* of the limit of open files, what is left for tasks */
    unsigned connections_max; /* HTTP and viewers: LIMIT_CONNECTIONS, or what files allow */

    char trouble[ERR_TEXT_MAX]; /* of the store, as last noticed; "": none */
    int64_t trouble_since_us;

    /* server.c's own */
    const struct server_options *options;
    uv_prepare_t before_poll;
    uv_check_t after_poll;
    uv_signal_t on_term, on_int;
    uv_timer_t patience; /* a drain does not wait longer */
    struct supervisor supervisor;
    bool engine_stopped, impatient;
    int listen_fd;
    char address[128]; /* "http://127.0.0.1:8085" */
};

/* Serves until SIGTERM or SIGINT, then drains. Calls ready(address) when requests are answered.
 * Errors: what keeps it from starting (E_BUSY: the port or the data folder is in use, E_IO,
 * E_CORRUPT, E_VERSION ...) and E_IO when the last batch could not be written. */
CHECKED int server_run(const struct server_options *options, void (*ready)(const char *address),
                       struct err *e);
