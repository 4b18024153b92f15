/* for_each.h: `for_each` of a step: what its tasks are about, one for each item.
 *
 *     for_each: [a, "{site}/b"]       a list of texts
 *     for_each: "{steps.list.files}"  one text: each of its lines is an item
 *
 * Thread: one at a time. */
#pragma once

#include "job/definition.h"
#include "job/filler.h"
#include "job/node.h"

/* Reads `for_each` and `parallel` of `step`; E_INVAL also for a worker that has its own tasks.
 * Outputs in it are noted in `filler`. */
CHECKED int for_each_read(const struct node *step, struct filler *filler,
                          struct step_definition *s, struct err *e);

/* The items, with the values of `filler`; those that are empty are left out. The caller frees
 * each, and the list. E_INVAL, E_TOOBIG: LIMIT_ITEMS, LIMIT_ITEM_BYTES. */
CHECKED int for_each_items(const struct step_definition *s, struct filler *filler,
                           char ***ret_items, size_t *ret_count, struct err *e);

void for_each_json(const struct step_definition *s, struct json *j);
