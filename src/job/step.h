/* step.h: the `steps:` of a definition. Thread: one at a time. */
#pragma once

#include "base/map.h"
#include "job/definition.h"
#include "job/filler.h"
#include "job/node.h"

/* Reads the list `steps` into d->steps and d->order. */
CHECKED int steps_read(const struct node *steps, const struct worker_schema *const *schemas,
                       struct filler *filler, struct definition *d, struct err *e);
void steps_free(struct definition *d);

/* Reads attempts and pauses of a step, or of what is tried again like one; what is not written
 * stays as it is. */
CHECKED int retry_read(const struct node *n, struct step_definition *s, struct err *e);

/* The step that is called `name` and that `s` waits for; `n` is where it is written. E_INVAL:
 * there is none, or it is `s` itself. `indexes` maps names to steps. */
CHECKED int step_index(const struct node *n, const char *name, const struct map *indexes,
                       const struct definition *d, const struct step_definition *s,
                       int *ret_index, struct err *e);

/* The words of enum on_error and enum failure_action, and what comes after max_lines; NULL at
 * the end. */
extern const char *const on_error_names[], *const failure_action_names[],
                                               *const max_lines_names[];
