/* http_output.h: what of an answer becomes outputs of the step.
 *
 *     outputs: { code: status, text: body, version: /app/version }
 *
 * A path is a JSON pointer (RFC 6901) into the answer. A text is taken as it is, anything else
 * as JSON. Thread: loop. */
#pragma once

#include "worker/worker.h"

/* For the setting: is `of` one of these, and `name` a name? */
CHECKED int http_output_check(const char *name, const char *of, struct err *e);

/* Says all outputs of the setting `outputs`. E_INVAL: the answer has no such thing, or it
 * cannot be an output. */
CHECKED int http_outputs_say(struct worker_task *task, int status, struct str body,
                             struct err *e);
