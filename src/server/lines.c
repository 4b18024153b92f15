/* Forwards, the log itself has the order. Backwards, the newest lines of each source (the job
 * and its steps) are merged, one source after the other, so that never more than twice the
 * limit is held. Where a source reaches the bound is found by bisection: line numbers and seq
 * both ascend in it. */
#include "server/lines.h"

#include <stdlib.h>

#include "base/limits.h"
#include "base/mem.h"

enum { EVENTS_AT_ONCE = 2048, BYTES_AT_ONCE = 1024 * 1024 };

int lines_read_forwards(struct store_reader *reader, const struct line_range *range,
                        struct event_batch *into, uint64_t *ret_to, struct err *e)
{
    uint64_t as_of = store_read_as_of(reader), to = range->after_seq;
    size_t wanted = into->count + range->limit;
    while (to < as_of && into->count < wanted &&
           (!range->before_seq || to < range->before_seq)) {
        AUTO_EVENT_BATCH events = EVENT_BATCH_INIT;
        struct event_query q = {
            .topic = {TOPIC_JOB, range->job_id, range->min_level},
            .after_seq = to,
            .max_events = EVENTS_AT_ONCE,
            .max_bytes = BYTES_AT_ONCE,
        };
        int code = store_read_events(reader, &q, &events, &to, e);
        if (code < 0)
            return code;
        for (size_t i = 0; i < events.count; i++) {
            const struct event *event = &events.events[i];
            if (event->type != EVENT_JOB_LOG ||
                (range->before_seq && event->seq >= range->before_seq))
                continue;
            if (into->count == wanted) {
                to = into->events[wanted - 1].seq;
                break;
            }
            event_batch_copy(into, &events, i);
        }
    }
    if (ret_to)
        *ret_to = to;
    return 0;
}

struct source {
    struct id step_id;
    uint64_t lines;
};

/* The number of the first line with seq >= bound; lines + 1 when there is none. */
static int line_at(struct store_reader *reader, struct id job_id, const struct source *source,
                   uint64_t bound, uint64_t *ret_line, struct err *e)
{
    uint64_t low = 1, high = source->lines + 1;
    while (low < high) {
        AUTO_EVENT_BATCH one = EVENT_BATCH_INIT;
        uint64_t middle = low + (high - low) / 2;
        struct line_query q = {
            .job_id = job_id, .step_id = source->step_id, .after = middle - 1, .limit = 1};
        int code = store_read_lines(reader, &q, &one, e);
        if (code < 0)
            return code;
        if (one.count == 0 || one.events[0].seq >= bound)
            high = middle;
        else
            low = middle + 1;
    }
    *ret_line = low;
    return 0;
}

/* Replaces *kept by the newest `limit` of both, in ascending order. */
static void merge(struct event_batch *kept, struct event_batch *more, size_t limit)
{
    size_t a = kept->count, b = more->count, n = MIN(a + b, limit);
    struct pick {
        const struct event_batch *batch;
        size_t at;
    } *picks = mem_alloc(n * sizeof(*picks));
    for (size_t i = n; i > 0; i--) {
        bool first = b == 0 || (a > 0 && kept->events[a - 1].seq > more->events[b - 1].seq);
        picks[i - 1] = first ? (struct pick){kept, --a} : (struct pick){more, --b};
    }
    struct event_batch merged = EVENT_BATCH_INIT;
    for (size_t i = 0; i < n; i++)
        event_batch_copy(&merged, picks[i].batch, picks[i].at);
    free(picks);
    event_batch_done(kept);
    *kept = merged;
}

static int add_source(struct store_reader *reader, const struct line_range *range,
                      const struct source *source, struct event_batch *kept, struct err *e)
{
    AUTO_EVENT_BATCH lines = EVENT_BATCH_INIT;
    struct line_query q = {
        .job_id = range->job_id,
        .step_id = source->step_id,
        .min_level = range->min_level,
        .limit = range->limit,
        .from_end = true,
    };
    int code = 0;
    if (range->before_seq)
        code = line_at(reader, range->job_id, source, range->before_seq, &q.before, e);
    if (code >= 0 && range->after_seq) {
        code = line_at(reader, range->job_id, source, range->after_seq + 1, &q.after, e);
        q.after--;
    }
    if (code >= 0)
        code = store_read_lines(reader, &q, &lines, e);
    if (code >= 0 && lines.count)
        merge(kept, &lines, range->limit);
    return code;
}

int lines_read_backwards(struct store_reader *reader, const struct line_range *range,
                         struct event_batch *into, struct err *e)
{
    AUTO_ARENA a = ARENA_INIT;
    struct job_row *job = NULL;
    struct step_row **steps = NULL;
    size_t count = 0;
    int code = store_get_job(reader, range->job_id, &a, &job, e);
    if (code >= 0)
        code = store_list_steps(reader, range->job_id, &a, &steps, &count, e);
    if (code >= 0)
        code = add_source(reader, range, &(struct source){ID_NONE, job->lines}, into, e);
    for (size_t i = 0; code >= 0 && i < count; i++)
        code =
            add_source(reader, range, &(struct source){steps[i]->id, steps[i]->lines}, into, e);
    return code;
}

int64_t lines_count_step(const struct step_row *step, enum event_level level)
{
    uint64_t count = 0;
    for (int i = level; i < LEVEL_COUNT; i++)
        count += step->lines_by_level[i];
    return (int64_t)count;
}

/* The job itself writes few lines, and counts them only together: above `debug` they are read.
 */
static int count_own(struct store_reader *reader, const struct job_row *job,
                     enum event_level level, int64_t *count, struct err *e)
{
    struct line_query q = {.job_id = job->id, .min_level = level, .limit = LIMIT_PAGE_ROWS};
    if (level == LEVEL_DEBUG) {
        *count += (int64_t)job->lines;
        return 0;
    }
    for (;;) {
        AUTO_EVENT_BATCH lines = EVENT_BATCH_INIT;
        int code = store_read_lines(reader, &q, &lines, e);
        if (code < 0 || lines.count == 0)
            return code;
        *count += (int64_t)lines.count;
        q.after = lines.events[lines.count - 1].line;
    }
}

int lines_count(struct store_reader *reader, struct id job_id, enum event_level level,
                int64_t *ret_count, struct err *e)
{
    AUTO_ARENA a = ARENA_INIT;
    struct job_row *job;
    struct step_row **steps;
    size_t count;
    *ret_count = 0;
    int code = store_get_job(reader, job_id, &a, &job, e);
    if (code >= 0)
        code = store_list_steps(reader, job_id, &a, &steps, &count, e);
    if (code < 0)
        return code;
    for (size_t i = 0; i < count; i++)
        *ret_count += lines_count_step(steps[i], level);
    return count_own(reader, job, level, ret_count, e);
}
