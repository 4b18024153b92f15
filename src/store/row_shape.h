/* row_shape.h: where the strings of a row are, so that one function copies every kind of row.
 *
 * A shape names the size of a row and the offsets of its `const char *` members. Thread: any.
 */
#pragma once

#include "store/rows.h"

struct row_shape {
    size_t size;
    const size_t *strings; /* offsets */
    size_t string_count;
};

extern const struct row_shape shape_job, shape_step, shape_task, shape_document,
    shape_definition, shape_schedule, shape_delivery;

/* A deep copy in one block, to be freed by free(). */
void *row_dup(const struct row_shape *shape, const void *row);

/* A deep copy in an arena. */
void *row_copy(const struct row_shape *shape, struct arena *a, const void *row);
