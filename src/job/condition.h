/* condition.h: `when` of a step: how others must have ended so that it starts. Thread: one at a
 * time. */
#pragma once

#include "base/buf.h"
#include "base/map.h"
#include "job/definition.h"
#include "job/node.h"

/* Reads `when: { crawl: failed, count: [failed, skipped] }`, after `depends`. A step that is
 * named here and not there is depended on all the same. `indexes` maps names to steps. */
CHECKED int conditions_read(const struct node *when, const struct map *indexes,
                            struct definition *d, struct step_definition *s, struct err *e);

/* "failed or skipped" */
void outcomes_write(unsigned outcomes, struct buf *out);

/* The member "when" of a step, an object with a list for each. */
void conditions_json(const struct definition *d, const struct step_definition *s,
                     struct json *j);
