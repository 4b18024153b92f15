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
bool parameter_is_name(struct str s); /* could it be the name of one? */

/* One reading's state. The bytes that filling made are counted: a few references to a long
 * value could grow without bound otherwise. */
struct filler {
    const struct parameter *parameters;
    int count;
    const struct secret *secrets; /* that may be named; they are not filled in here */
    int secret_count;
    size_t bytes;
};

/* The text of `n` with "{name}" replaced by the value of each parameter of that name.
 * `ret_open` says that at least one has no value yet and stands there as it was. E_TOOBIG when
 * all texts together pass LIMIT_DEFINITION_BYTES. The caller frees *ret_text. */
CHECKED int filler_fill(struct filler *f, const struct node *n, char **ret_text, bool *ret_open,
                        struct err *e);
