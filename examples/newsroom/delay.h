/* Lets a request wait without holding a server thread: the connection is suspended and a clock
 * thread resumes it. One `struct delay` per server, in the caller's memory. */
#pragma once

#include <microhttpd.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>

struct delay_wait;

struct delay {
    pthread_t thread;
    pthread_mutex_t lock;
    pthread_cond_t changed;
    struct delay_wait *first; /* soonest first */
    bool stopping;
};

/* Starts the clock thread. False when there is no thread to be had. */
bool delay_init(struct delay *delay);

/* Resumes everyone who still waits and ends the thread. Call it before MHD_stop_daemon(), which
 * must not find a suspended connection. From then on delay_connection() refuses. */
void delay_done(struct delay *delay);

/* Suspends `connection` for `ms` milliseconds. False when it did not (shutting down, no
 * memory): then go on at once. Call it only from a callback of that connection; any server
 * thread. */
bool delay_connection(struct delay *delay, struct MHD_Connection *connection, int ms);

/* Milliseconds of a clock that never jumps. */
int64_t delay_now_ms(void);
