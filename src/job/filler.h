/* filler.h: texts of a definition, with the values that they ask for filled in.
 *
 *     {site}              a parameter
 *     {item}              in a step with for_each: what a task is about
 *     {steps.list.files}  an output of a step before
 *
 * Any other braces stay as they are, and so does what follows '$'. Parameters are known when a
 * definition is read for a run; the others when the step, or its task, starts: until then a
 * text that asks for them is "open". A value that is filled in is never read again. Thread: one
 * at a time. */
#pragma once

#include "job/definition.h"
#include "job/node.h"

/* A text of step `step` asks for an output of the step that is called `of`. */
struct reference {
    const struct node *n;
    char *of;
    int step;
};

/* One reading's state. The bytes that filling made are counted: a few references to a long
 * value could grow without bound otherwise. */
struct filler {
    const struct parameter *parameters;
    int count;
    const struct secret *secrets; /* that may be named; they are not filled in here */
    int secret_count;
    size_t bytes, max_bytes;
    bool has_item;
    const char *item; /* NULL: not known yet */

    /* NULL: outputs are not known yet. It returns NULL for one that was never set, which is an
     * error. */
    const char *(*output)(void *arg, const char *step, const char *name);
    void *arg;

    struct definition *warned; /* is told of braces that may be misspelt; NULL: nobody is */
    int looked_at;             /* such braces */

    int step; /* whose texts are read */
    struct reference *references;
    size_t reference_count, reference_cap;
};

void filler_done(struct filler *f);

/* The text of `n` with the values. `ret_open` says that at least one is not known yet: then
 * this is not the text that counts. E_INVAL: what begins with "{steps." names no output;
 * E_TOOBIG when all texts together pass max_bytes. The caller frees *ret_text. */
CHECKED int filler_fill(struct filler *f, const struct node *n, char **ret_text, bool *ret_open,
                        struct err *e);
