/* limits.h: every limit of the program, its unit, and what happens there. */
#pragma once

enum {
    LIMIT_LINE_BYTES = 64 * 1024,         /* a longer line becomes several */
    LIMIT_BODY_BYTES = 1024 * 1024,       /* HTTP request body: 413 */
    LIMIT_DEFINITION_BYTES = 256 * 1024,  /* a definition: refused, with its size */
    LIMIT_DEFINITION_STEPS = 500,         /* refused */
    LIMIT_DEFINITION_PARAMETERS = 100,    /* refused */
    LIMIT_DEFINITION_SECRETS = 32,        /* refused */
    LIMIT_POOLS = 100,                    /* of a server: it does not start */
    LIMIT_DEFINITION_WEBHOOKS = 10,       /* refused */
    LIMIT_DEFINITION_DEPTH = 16,          /* nesting of maps and lists: refused */
    LIMIT_DEFINITIONS = 10000,            /* in the folder and by API together: 429 */
    LIMIT_REPLY_BYTES = 64 * 1024 * 1024, /* one JSON answer: 400; lists are paged far below */
    LIMIT_PAGE_ROWS = 1000,               /* `limit` of a list: 400 above */
    LIMIT_CONNECTIONS = 20000, /* HTTP and WebSocket: further ones wait in the backlog */
    LIMIT_WS_INBOUND_BYTES = 16 * 1024,   /* one WebSocket message from a client: close 4500 */
    LIMIT_WS_INBOUND_PER_S = 20,          /* messages a second from one client: close 4500 */
    LIMIT_WS_SUBSCRIPTIONS = 64,          /* per connection: an error frame */
    LIMIT_WS_UNACKED_BYTES = 1024 * 1024, /* sent and not acknowledged: the viewer is parked */
    LIMIT_FRAME_BYTES = 64 * 1024, /* an events frame closes when it has grown past this */
    LIMIT_FRAME_EVENTS = 512,      /* or holds so many events */
    LIMIT_RING_BYTES =
        4 * 1024 * 1024, /* encoded frames kept per topic; older: from the store */
    LIMIT_RING_FAST_BYTES =
        48 * 1024 * 1024, /* while they are younger than LIMIT_RING_FAST_MS */
    LIMIT_RING_FAST_MS = 250,
    LIMIT_HISTORY_BYTES =
        8 * 1024 * 1024,         /* frames read back for viewers that are behind, per topic */
    LIMIT_SNAPSHOT_LINES = 100,  /* newest lines of each step in a snapshot */
    LIMIT_TAIL_LINES = 10000,    /* `tail` of a subscription: capped */
    LIMIT_SEARCH_LINES = 10000,  /* numbers of lines in the answer of a search: 400 above */
    LIMIT_SEARCH_MS = 80,        /* a search has worked so long: answered with what it has */
    LIMIT_SEARCH_STEPS = 200000, /* of a regular expression on one line: 400 */
    LIMIT_STEP_LINES =
        10 * 1000 * 1000,           /* of a step without `max_lines`: the newest are held */
    LIMIT_HELD_LINES = 1000,        /* newest lines of a step that has too many */
    LIMIT_HELD_BYTES = 1024 * 1024, /* of these: fewer are held */
    LIMIT_IN_FLIGHT_BYTES = 16 * 1024 * 1024, /* not yet committed: producers are not read */
    LIMIT_TASKS_WINDOW = 4096,       /* queued tasks of a step in memory; further: the store */
    LIMIT_JOB_DEPTH = 8,             /* jobs that start jobs: the step fails */
    LIMIT_ITEMS = 100000,            /* of for_each: refused, or the step fails */
    LIMIT_ITEM_BYTES = 4 * 1024,     /* one of them: the same */
    LIMIT_PARALLEL = 1000,           /* tasks of a step at once: refused */
    LIMIT_TASK_KEY_BYTES = 8 * 1024, /* a task's key (a URL): refused */
    LIMIT_TASK_VALUES_BYTES = 8 * 1024, /* what a task is spawned with: refused */
    LIMIT_OUTPUTS = 64,                 /* of a step: refused */
    LIMIT_OUTPUTS_BYTES = 64 * 1024,    /* of a step's outputs, names and values: refused */
    LIMIT_OUTPUTS_BEFORE = 4096,        /* of all steps that one waits for: that one fails */
    LIMIT_DOCUMENT_BYTES =
        4 * 1024 * 1024,            /* kept text of a page: cut, marked in its metadata */
    LIMIT_SECRET_MIN_BYTES = 6,     /* a shorter secret would mask half of a log: the same */
    LIMIT_SECRET_BYTES = 16 * 1024, /* a longer secret: the step that reads it fails */
    LIMIT_CHUNK_BYTES = 256 * 1024, /* raw bytes of a journal row, of a compacted chunk */
};
