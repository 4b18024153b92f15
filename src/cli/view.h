/* view.h: the events of one job as lines on a terminal, as plain text or as JSON.
 *
 *     terminal     columns and colours, and at the bottom a progress line
 *     plain        STEP LINE LEVEL MESSAGE, for grep
 *     JSON         one event a line, as the API gives it
 *
 * Lines of the job itself stand under the step name "job". Thread: main. */
#pragma once

#include <jansson.h>

#include "cli/client.h"
#include "cli/terminal.h"

struct view_step {
    char *id, *name, *status, *progress_text;
    json_int_t total, running, completed, failed, cancelled;
};

struct view {
    struct terminal terminal;
    bool json;
    bool with_progress;
    const char *step; /* name or id of the only step to show, or NULL */
    struct view_step *steps;
    int step_count, step_cap;
    int name_width;
    int newest; /* index of the step that reported last */
};

/* `tree` is the answer of /api/jobs/{id}/tree: it tells the steps. */
void view_init(struct view *v, const json_t *tree, bool json, bool with_progress,
               const char *step);
void view_done(struct view *v);
void view_event(void *view, const json_t *event); /* for struct follow */
bool view_answer(void *view);

/* Follows, or only prints what there is now, and returns the exit status. The parts of
 * `tailrace run` and `tailrace logs` that are the same. */
struct view_request {
    const char *job_id;
    const char *since; /* cursor, or NULL: from the first line */
    const char *step, *min_level;
    bool follow, json;
};
CHECKED int view_job(struct client *c, const struct view_request *q, struct err *e);
