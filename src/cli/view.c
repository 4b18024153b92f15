#include "cli/view.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "cli/command.h"
#include "cli/cursor.h"
#include "cli/follow.h"

enum { NAME_COLUMNS_MAX = 24 };

/* ---- steps ---- */

static struct view_step *view_step(struct view *v, const char *id, const char *name)
{
    for (int i = 0; i < v->step_count; i++)
        if (strcmp(v->steps[i].id, id) == 0) {
            v->newest = i;
            return &v->steps[i];
        }
    MEM_GROW(v->steps, v->step_count, v->step_cap);
    v->newest = v->step_count++;
    v->steps[v->newest] = (struct view_step){.id = mem_strdup(id), .name = mem_strdup(name)};
    v->steps[v->newest].status = mem_strdup("pending");
    v->steps[v->newest].progress_text = mem_strdup("");
    int width = (int)terminal_length(str_of(name));
    v->name_width = MIN(MAX(v->name_width, width), NAME_COLUMNS_MAX);
    return &v->steps[v->newest];
}

static void text_replace(char **to, const char *text)
{
    free(*to);
    *to = mem_strdup(text);
}

static void step_take_counts(struct view_step *step, const json_t *payload)
{
    step->total = client_int(payload, "total_jobs");
    step->running = client_int(payload, "running_jobs");
    step->completed = client_int(payload, "completed_jobs");
    step->failed = client_int(payload, "failed_jobs");
    step->cancelled = client_int(payload, "cancelled_jobs");
    text_replace(&step->progress_text, client_text(payload, "progress_text"));
}

void view_init(struct view *v, const json_t *tree, bool json, bool with_progress,
               const char *step)
{
    *v = (struct view){
        .json = json, .with_progress = with_progress, .step = step, .name_width = 3};
    terminal_init(&v->terminal);
    const json_t *steps = json_object_get(tree, "steps");
    for (size_t i = 0; i < json_array_size(steps); i++) {
        const json_t *s = json_array_get(steps, i);
        (void)view_step(v, client_text(s, "step_id"), client_text(s, "name"));
    }
}

void view_done(struct view *v)
{
    terminal_done(&v->terminal);
    for (int i = 0; i < v->step_count; i++) {
        free(v->steps[i].id);
        free(v->steps[i].name);
        free(v->steps[i].status);
        free(v->steps[i].progress_text);
    }
    mem_clear(&v->steps);
}

/* ---- lines ---- */

static void view_line(struct view *v, const json_t *payload)
{
    struct terminal *t = &v->terminal;
    struct buf *out = &t->out;
    const char *name = client_text(payload, "step_name"),
               *level = client_text(payload, "level");
    const json_t *text = json_object_get(payload, "message");
    struct str message = {json_string_value(text), json_string_length(text)};
    long long line = (long long)client_int(payload, "line");
    enum event_level l = LEVEL_INFO;
    name = *name ? name : "job";
    if (!t->is_terminal) {
        buf_printf(out, "%s %lld %s ", name, line, level);
        terminal_text(t, out, message);
        buf_add_byte(out, '\n');
        return;
    }
    (void)event_level_parse(str_of(level), &l);
    const char *colour = terminal_level_colour(t, l);
    buf_add_c(out, terminal_dim(t));
    terminal_text(t, out, str_of(name));
    buf_printf(out, "%*s %5lld%s %s%-5s ",
               (int)MAX(0, v->name_width - (int)terminal_length(str_of(name))), "", line,
               terminal_plain(t), colour, level);
    terminal_text(t, out, message);
    buf_printf(out, "%s\n", *colour ? terminal_plain(t) : "");
}

void view_event(void *view, const json_t *event)
{
    struct view *v = view;
    const json_t *payload = json_object_get(event, "payload");
    const char *type = client_text(event, "type"), *id = client_text(payload, "step_id"),
               *name = client_text(payload, "step_name");
    if (*id && strcmp(type, "step_progress") == 0)
        step_take_counts(view_step(v, id, name), payload);
    if (*id && strcmp(client_text(payload, "kind"), "step") == 0)
        text_replace(&view_step(v, id, name)->status, client_text(payload, "status"));
    if (v->step && strcmp(v->step, name) != 0 && strcmp(v->step, id) != 0)
        return;
    if (v->json) {
        AUTO_FREE char *text = json_dumps(event, JSON_COMPACT);
        buf_add_c(&v->terminal.out, text);
        buf_add_byte(&v->terminal.out, '\n');
    } else if (strcmp(type, "job_log") == 0) {
        view_line(v, payload);
    }
}

/* ---- the progress line ---- */

static void bar_add(const struct view *v, struct buf *out, json_int_t done, json_int_t total)
{
    int width = MIN(MAX(terminal_columns() - 70, 10), 30);
    int filled = total > 0 ? (int)(done * width / total) : 0;
    buf_add_byte(out, '[');
    for (int i = 0; i < width; i++)
        buf_add_c(out, i >= filled ? " " : v->terminal.utf8 ? "█" : "#");
    buf_add_byte(out, ']');
}

static void count_add(struct buf *out, json_int_t count, const char *what)
{
    if (count > 0)
        buf_printf(out, "  %lld %s", (long long)count, what);
}

static void view_progress(struct view *v)
{
    struct terminal *t = &v->terminal;
    struct buf *out = &t->progress;
    int begun = 0;
    buf_clear(out);
    if (!v->with_progress || v->json || !t->is_terminal || v->step_count == 0)
        return;
    for (int i = 0; i < v->step_count; i++)
        begun += strcmp(v->steps[i].status, "pending") != 0;
    const struct view_step *step = &v->steps[v->newest];
    json_int_t done = step->completed + step->failed + step->cancelled;
    buf_printf(out, "%sstep %d/%d%s ", terminal_dim(t), begun, v->step_count,
               terminal_plain(t));
    buf_add_c(out, terminal_state_colour(t, step->status));
    terminal_text(t, out, str_of(step->name));
    buf_printf(out, "%s ", terminal_plain(t));
    bar_add(v, out, done, step->total);
    buf_printf(out, " %lld/%lld", (long long)done, (long long)step->total);
    count_add(out, step->running, "running");
    count_add(out, step->failed, "failed");
    count_add(out, step->cancelled, "cancelled");
    buf_printf(out, "  %s", terminal_dim(t));
    terminal_text(t, out, str_of(step->progress_text));
    buf_add_c(out, terminal_plain(t));
}

bool view_answer(void *view)
{
    struct view *v = view;
    view_progress(v);
    return terminal_flush(&v->terminal);
}

static void view_note(void *view, const char *note)
{
    struct view *v = view;
    buf_clear(&v->terminal.progress); /* the note must not stand behind it */
    (void)terminal_flush(&v->terminal);
    fprintf(stderr, "tailrace: %s\n", note);
}

/* ---- a whole job ---- */

static int tree_get(struct client *c, const char *job_id, json_t **ret_tree, struct err *e)
{
    AUTO_FREE char *path = mem_printf("/api/jobs/%s/tree", job_id);
    return client_get(c, path, 0, ret_tree, e);
}

static int step_check(const json_t *tree, const char *step, struct err *e)
{
    AUTO_BUF names = BUF_INIT(400);
    const json_t *steps = json_object_get(tree, "steps");
    for (size_t i = 0; i < json_array_size(steps); i++) {
        const json_t *s = json_array_get(steps, i);
        const char *name = client_text(s, "name");
        if (strcmp(name, step) == 0 || strcmp(client_text(s, "step_id"), step) == 0)
            return 0;
        buf_printf(&names, "%s%s", names.n ? ", " : "", name);
    }
    return fail(e, E_NOTFOUND, "the job has no step '%s'; it has %s", step, buf_text(&names));
}

/* Says on stderr how it ended, and returns the exit status of it. */
static int outcome_say(struct client *c, const char *job_id, const char *seen)
{
    AUTO_JSON *tree = NULL;
    struct err e;
    char took[TERMINAL_TIME_MAX];
    const char *status =
        tree_get(c, job_id, &tree, &e) < 0 ? seen : client_text(tree, "status");
    const char *name = client_text(tree, "job_name"), *why = client_text(tree, "cause");
    fprintf(stderr, "tailrace: %s %s", *name ? name : job_id, status);
    if (tree)
        fprintf(stderr, " after %s", terminal_duration(client_int(tree, "duration_ms"), took));
    fprintf(stderr, "%s%s\n", *why ? ": " : "", why);
    return strcmp(status, "completed") == 0   ? 0
           : strcmp(status, "cancelled") == 0 ? EXIT_JOB_CANCELLED
                                              : EXIT_JOB_FAILED;
}

static int follow_end(struct client *c, const struct view_request *q,
                      const struct follow_outcome *outcome)
{
    if (outcome->signum) {
        fprintf(stderr,
                "tailrace: the job goes on without this; `tailrace logs %s --follow` shows it, "
                "`tailrace cancel %s` stops it\n",
                q->job_id, q->job_id);
        return 128 + outcome->signum;
    }
    return outcome->ended && q->follow ? outcome_say(c, q->job_id, outcome->status) : 0;
}

int view_job(struct client *c, const struct view_request *q, struct err *e)
{
    AUTO_JSON *tree = NULL;
    int r = tree_get(c, q->job_id, &tree, e);
    if (r >= 0 && q->step)
        r = step_check(tree, q->step, e);
    struct follow f = {.job_id = q->job_id,
                       .min_level = q->min_level,
                       .on_event = view_event,
                       .on_answer = view_answer,
                       .on_note = view_note};
    struct cursor now;
    if (r >= 0)
        r = cursor_read(client_text(tree, "cursor"), &now, e);
    if (r < 0)
        return r;
    if (!q->follow)
        f.until = now.seq;
    /* "epoch:0" is before the first event of all */
    AUTO_FREE char *first = mem_printf("%s:0", now.epoch);
    f.since = q->since ? q->since : first;

    struct view v;
    struct follow_outcome outcome;
    view_init(&v, tree, q->json, q->follow, q->step);
    f.user = &v;
    r = follow_job(c, &f, &outcome, e);
    view_done(&v);
    return r < 0 ? r : follow_end(c, q, &outcome);
}
