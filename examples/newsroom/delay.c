/* Waiting without blocking.
 *
 * A server thread suspends the connection and puts it on a list ordered by time; the clock
 * thread sleeps until the first is due and resumes it. A suspended connection is never closed
 * by the library, so the pointers on the list stay valid until they are resumed here, even when
 * the client hung up meanwhile. Both steps of a suspension happen under the lock: the clock
 * cannot resume what is not suspended yet. */
#include "delay.h"

#include <stdlib.h>
#include <time.h>

struct delay_wait {
    struct delay_wait *next;
    struct MHD_Connection *connection;
    int64_t due_ms;
};

int64_t delay_now_ms(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

/* Resumes who is due; everyone when stopping. */
static void delay_resume(struct delay *delay)
{
    int64_t now_ms = delay_now_ms();
    while (delay->first && (delay->stopping || delay->first->due_ms <= now_ms)) {
        struct delay_wait *wait = delay->first;
        delay->first = wait->next;
        MHD_resume_connection(wait->connection);
        free(wait);
    }
}

static void *delay_run(void *arg)
{
    struct delay *delay = arg;
    pthread_mutex_lock(&delay->lock);
    for (;;) {
        delay_resume(delay);
        if (delay->stopping)
            break;
        if (!delay->first) {
            pthread_cond_wait(&delay->changed, &delay->lock);
            continue;
        }
        int64_t due_ms = delay->first->due_ms;
        struct timespec until = {.tv_sec = due_ms / 1000,
                                 .tv_nsec = (long)(due_ms % 1000) * 1000000};
        pthread_cond_timedwait(&delay->changed, &delay->lock, &until);
    }
    pthread_mutex_unlock(&delay->lock);
    return NULL;
}

bool delay_init(struct delay *delay)
{
    *delay = (struct delay){.lock = PTHREAD_MUTEX_INITIALIZER};
    pthread_condattr_t attr;
    pthread_condattr_init(&attr);
    pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
    pthread_cond_init(&delay->changed, &attr);
    pthread_condattr_destroy(&attr);
    return pthread_create(&delay->thread, NULL, delay_run, delay) == 0;
}

void delay_done(struct delay *delay)
{
    pthread_mutex_lock(&delay->lock);
    delay->stopping = true;
    pthread_cond_signal(&delay->changed);
    pthread_mutex_unlock(&delay->lock);
    pthread_join(delay->thread, NULL);
}

bool delay_connection(struct delay *delay, struct MHD_Connection *connection, int ms)
{
    struct delay_wait *wait = malloc(sizeof *wait);
    if (!wait)
        return false;
    *wait = (struct delay_wait){.connection = connection, .due_ms = delay_now_ms() + ms};

    pthread_mutex_lock(&delay->lock);
    bool suspended = !delay->stopping;
    if (suspended) {
        MHD_suspend_connection(connection);
        struct delay_wait **at = &delay->first;
        while (*at && (*at)->due_ms <= wait->due_ms)
            at = &(*at)->next;
        wait->next = *at;
        *at = wait;
        pthread_cond_signal(&delay->changed);
    }
    pthread_mutex_unlock(&delay->lock);
    if (!suspended)
        free(wait);
    return suspended;
}
