/* chronicle.h: what the server does itself, as events of the topic `system`: it was started, it
 * is stopping, a job was deleted ... They are durable and numbered like all others. Thread:
 * loop. */
#pragma once

#include "base/macro.h"
#include "job/event.h"

struct server;

/* Adds an event to the current batch, and its message to the server's log. `event` is its name
 * ("started"), `subject` what it is about (the id of a job or a definition, of this instance
 * ...), or "". */
void chronicle_add(struct server *s, enum event_level level, const char *event,
                   const char *subject, const char *fmt, ...) PRINTF(5, 6);

/* End of a turn: tells when the store, after some trouble, commits again. */
void chronicle_turn(struct server *s);
