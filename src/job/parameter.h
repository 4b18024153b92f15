/* parameter.h: what a definition leaves open, and filling it in.
 *
 * Thread: one at a time. */
#pragma once

#include "job/definition.h"
#include "job/node.h"

/* Reads `parameters:` into d->parameters; `map` may be NULL. */
CHECKED int parameters_read(const struct node *map, struct definition *d, struct err *e);

/* Takes over the values that came with `in`. */
CHECKED int parameters_give(struct definition *d, const struct definition_input *in,
                            struct err *e);
void parameters_free(struct definition *d);

enum { PARAMETER_NAME_MAX = 64 };

/* Secrets, outputs and the values of a spawned task have such names too. */
#define PARAMETER_NAME_RULE "lower-case letters, digits and '_', the first a letter, at most 64"
bool parameter_is_name(struct str s);
int parameter_index(const struct parameter *list, int count, struct str name); /* -1: none */
