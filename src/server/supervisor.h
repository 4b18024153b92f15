/* supervisor.h: what the process tells the manager that started it, by the protocol of
 * sd_notify(3): texts as datagrams to the socket named by $NOTIFY_SOCKET. Started by hand, it
 * tells nobody anything.
 *
 * The watchdog is a timer of the loop: a loop that hangs stops telling that it is well, and the
 * manager starts the server anew. Thread: loop. */
#pragma once

#include <uv.h>

struct supervisor {
    int fd; /* -1: nobody listens */
    uv_timer_t watchdog;
};

void supervisor_open(struct supervisor *s, uv_loop_t *loop);
void supervisor_close(struct supervisor *s);

/* "READY=1", "STOPPING=1", "STATUS=…"; several with newlines between. */
void supervisor_tell(const struct supervisor *s, const char *state);
