/* schedules.h: starts jobs when their definitions' schedules are due.
 *
 * What was decided about a time, and the job that came of it, become durable in one batch: each
 * time has its job once, however often the server dies. Times are taken by the wall clock,
 * which is looked at again at least every half minute, in case somebody sets it.
 *
 * A time that nobody looked at for a minute was missed (the server was down, the machine
 * slept); what then happens is the definition's `missed`. When a job of the definition still
 * runs, it is its `overlap`. A schedule that is new, changed or was paused starts anew: what
 * passed before is nobody's. Thread: loop. */
#pragma once

#include "engine/catalog.h"
#include "engine/engine.h"

struct schedules;

/* What happened, for the server's own log: `event` is "schedule_missed", "schedule_skipped",
 * "schedule_queued" or "schedule_failed". */
typedef void schedules_told(void *arg, enum event_level level, const char *event,
                            const char *definition_id, const char *text);

struct schedules *schedules_new(struct engine *g, struct catalog *catalog,
                                struct writer *writer, schedules_told *told, void *arg);
void schedules_free(struct schedules *s); /* before the engine; NULL is fine */

/* Takes in what was decided before; after the catalog was loaded, before the loop runs. Times
 * that are due start in its first turn. */
CHECKED int schedules_load(struct schedules *s, struct store_reader *r, struct err *e);

/* Definitions were added or changed. */
void schedules_changed(struct schedules *s);

/* A definition was removed, and its row with it. */
void schedules_forget(struct schedules *s, const char *definition_id);

/* A paused schedule starts nothing. E_STATE: the definition has none. Durable with the current
 * batch. */
CHECKED int schedules_pause(struct schedules *s, const struct definition *d, bool paused,
                            struct err *e);

struct schedule_state {
    bool paused;
    int64_t queued_at_us; /* a time that waits for the job before it to end; 0: none */
};
struct schedule_state schedules_state(const struct schedules *s, const char *definition_id);

/* Looks at all schedules as at `now_us` and starts what is due. For the timer, and for tests
 * with a clock of their own. */
void schedules_run(struct schedules *s, int64_t now_us);
