/* cap.c: a step that writes too many lines keeps the first and the newest.
 *
 * The happy path: the step has as many lines as its definition allows (`max_lines`) -> a line
 * says so, and from then on lines are held here: the newest of them, the others are only
 * counted -> now and then a line says how many -> the step ends, or is asked to, or the server
 * stops: the held ones are written behind a line that says how many were left out. They are
 * ordinary lines and numbered like all, so numbers have no gaps, and nobody who looks needs to
 * know.
 *
 * What a step writes when it is being stopped or goes on after a restart is of interest at
 * once: then so many lines as are held otherwise are written as they come. Nothing of this is
 * stored: after a crash the row says how many lines there are, so the step is where it was; the
 * lines that were held nobody has seen. */
#include <stdlib.h>
#include <string.h>

#include "base/limits.h"
#include "base/mem.h"
#include "engine/job.h"

enum { TOLD_FIRST = 10000 };

/* A line that is held. */
struct held_line {
    struct event event;
    size_t n;
    char text[];
};

static size_t held_max(const struct step *step)
{
    return (size_t)MIN(step->definition->max_lines, LIMIT_HELD_LINES);
}

static void drop_oldest(struct cap *cap)
{
    struct held_line *oldest = cap->held[cap->first];
    cap->bytes -= oldest->n;
    cap->first = (cap->first + 1) % LIMIT_HELD_LINES;
    cap->count--;
    free(oldest);
}

static void tell(struct step *step, int64_t ts_us, const char *text)
{
    struct event event = {.type = EVENT_JOB_LOG,
                          .ts_us = ts_us,
                          .level = LEVEL_WARN,
                          .originator = ORIGINATOR_STEP};
    record_held(step, &event, str_of(text));
}

static void cap_begin(struct step *step, int64_t ts_us)
{
    struct cap *cap = &step->cap;
    AUTO_FREE char *text = mem_printf(
        "more than %s lines: from here on only the newest %s are kept, and shown when "
        "the step ends (max_lines)",
        COUNT_TEXT(step->definition->max_lines), COUNT_TEXT((int64_t)held_max(step)));
    cap->held = mem_alloc(LIMIT_HELD_LINES * sizeof(struct held_line *));
    cap->tell_at = TOLD_FIRST;
    tell(step, ts_us, text);
    if (step->definition->max_lines_fail)
        step_is_due(step);
}

static void hold(struct step *step, const struct event *event, struct str line)
{
    struct cap *cap = &step->cap;
    struct held_line *held = mem_alloc(sizeof(*held) + line.n);
    held->event = *event;
    held->n = line.n;
    memcpy(held->text, line.p, line.n);
    while (cap->count &&
           (cap->count == held_max(step) || cap->bytes + line.n > LIMIT_HELD_BYTES)) {
        drop_oldest(cap);
        cap->left_out++;
    }
    cap->held[(cap->first + cap->count++) % LIMIT_HELD_LINES] = held;
    cap->bytes += line.n;
}

bool cap_takes(struct step *step, const struct event *event, struct str line)
{
    struct cap *cap = &step->cap;
    int64_t most = step->definition->max_lines;
    if (!most || (int64_t)step->row.lines < most || cap->writing)
        return false;
    if (cap->passing > 0) {
        cap->passing--;
        return false;
    }
    cap->writing = true;
    if (!cap->held)
        cap_begin(step, event->ts_us);
    hold(step, event, line);
    if (cap->left_out >= cap->tell_at) {
        AUTO_FREE char *text =
            mem_printf("… %s lines left out so far …", COUNT_TEXT(cap->left_out));
        cap->tell_at *= 2;
        tell(step, event->ts_us, text);
    }
    cap->writing = false;
    return true;
}

bool cap_is_over(const struct step *step)
{
    return step->cap.held != NULL;
}

void cap_flush(struct step *step)
{
    struct cap *cap = &step->cap;
    cap->writing = true;
    if (cap->left_out) {
        AUTO_FREE char *text = mem_printf("… %s lines left out …", COUNT_TEXT(cap->left_out));
        tell(step, cap->held[cap->first]->event.ts_us, text);
    }
    while (cap->count) {
        struct held_line *oldest = cap->held[cap->first];
        record_held(step, &oldest->event, (struct str){oldest->text, oldest->n});
        drop_oldest(cap);
    }
    cap->left_out = 0;
    cap->tell_at = TOLD_FIRST;
    cap->writing = false;
    cap_pass(step);
}

void cap_pass(struct step *step)
{
    step->cap.passing = (int64_t)held_max(step);
}

void cap_done(struct step *step)
{
    while (step->cap.count)
        drop_oldest(&step->cap);
    mem_clear(&step->cap.held);
}
