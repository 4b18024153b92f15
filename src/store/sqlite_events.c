/* Reading the log: chunks up to compacted_seq, journal rows from there on.
 *
 * Lines of a step: its chunks are found by line number, and those whose counts say that they
 * have no line of the wanted levels are not even read. From the end: the same road backwards,
 * piece by piece, turned around at the end.
 *
 * Events of a topic: pass by pass (see sqlite.h). The chunks of a pass overlap, so they are
 * merged by seq; a chunk is unpacked when the merge arrives at its first event and dropped
 * after its last, so never more is in memory than a pass holds. */
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "store/sink.h"
#include "store/sqlite.h"

static int is_deleted(struct sqlite_reader *r, struct id job_id, struct err *e)
{
    if (!r->any_deleted)
        return 0;
    AUTO_QUERY q;
    int rc = query_open(&q, r->conn, "SELECT 1 FROM deleted WHERE job_id = ?", e);
    if (rc < 0)
        return rc;
    bind_id(&q, job_id);
    return query_step(&q, e);
}

/* Journal rows are visited through a statement that stays open. */
static int journal_query(struct query *q, struct sqlite_reader *r, uint64_t after_seq,
                         bool newest_first, struct err *e)
{
    int rc =
        query_open(q, r->conn,
                   newest_first ? "SELECT blob FROM journal WHERE first_seq > ?"
                                  " ORDER BY first_seq DESC"
                                : "SELECT blob FROM journal WHERE first_seq >= ifnull((SELECT"
                                  " max(first_seq) FROM journal WHERE first_seq <= ?), 0)"
                                  " ORDER BY first_seq",
                   e);
    if (rc >= 0)
        bind_number(q, (int64_t)after_seq + !newest_first);
    return rc;
}

/* ---- lines ---- */

static int stream_find(struct sqlite_reader *r, struct id job_id, struct id step_id,
                       int64_t *ret_stream, struct err *e)
{
    AUTO_QUERY q;
    int rc =
        query_open(&q, r->conn, "SELECT n FROM streams WHERE job_id = ? AND step_id = ?", e);
    if (rc < 0)
        return rc;
    bind_id(&q, job_id);
    bind_id(&q, step_id);
    rc = query_step(&q, e);
    if (rc > 0)
        *ret_stream = column_number(&q);
    return rc;
}

/* The columns of a chunk row are: first_line, last_line, the counts by level, blob. */
static int chunk_offer_lines(struct query *q, struct line_sink *sink, bool *ret_beyond,
                             struct err *e)
{
    const struct line_query *wanted = sink->query;
    uint64_t first_line = (uint64_t)column_number(q), last_line = (uint64_t)column_number(q);
    *ret_beyond = wanted->from_end ? last_line <= wanted->after
                                   : wanted->before && first_line >= wanted->before;
    int64_t lines = 0;
    for (int level = 0; level < LEVEL_COUNT; level++) {
        int64_t n = column_number(q);
        lines += level >= (int)wanted->min_level ? n : 0;
    }
    if (*ret_beyond || lines == 0)
        return 0;
    AUTO_EVENT_BATCH chunk = EVENT_BATCH_INIT;
    int rc = codec_decode(q->conn->codec, column_blob(q), &chunk, e);
    if (rc >= 0)
        line_sink_offer(sink, &chunk);
    return rc;
}

#define CHUNK_LINES "SELECT first_line, last_line, debug, info, warn, error, blob FROM chunks"

/* Backwards from the first chunk that reaches up to `before`: the lines before it may lie in
 * that chunk and in those below it. */
static int chunks_read_lines(struct sqlite_reader *r, struct line_sink *sink, struct err *e)
{
    const struct line_query *wanted = sink->query;
    int64_t stream = 0;
    int rc = stream_find(r, wanted->job_id, wanted->step_id, &stream, e);
    if (rc <= 0)
        return rc;
    AUTO_QUERY q;
    rc = query_open(&q, r->conn,
                    wanted->from_end
                        ? CHUNK_LINES " WHERE stream = ?1 AND last_line > ?2 AND last_line <="
                                      " ifnull((SELECT min(last_line) FROM chunks"
                                      " WHERE stream = ?1 AND last_line >= ?4),"
                                      " 9223372036854775807)"
                                      " AND pass_seq <= ?3 ORDER BY last_line DESC"
                        : CHUNK_LINES " WHERE stream = ?1 AND last_line > ?2 AND pass_seq <= ?3"
                                      " ORDER BY last_line",
                    e);
    if (rc < 0)
        return rc;
    bind_number(&q, stream);
    bind_number(&q, (int64_t)MIN(wanted->after, (uint64_t)INT64_MAX));
    bind_number(&q, (int64_t)r->compacted_seq);
    if (wanted->from_end)
        bind_number(&q, wanted->before ? (int64_t)MIN(wanted->before - 1, (uint64_t)INT64_MAX)
                                       : INT64_MAX);
    bool beyond = false;
    while (sink->left > 0 && !beyond && (rc = query_step(&q, e)) > 0) {
        rc = chunk_offer_lines(&q, sink, &beyond, e);
        if (rc < 0)
            return rc;
    }
    return rc < 0 ? rc : 0;
}

static int journal_read_lines(struct sqlite_reader *r, struct line_sink *sink, struct err *e)
{
    AUTO_QUERY q;
    int rc = journal_query(&q, r, r->compacted_seq, sink->query->from_end, e);
    AUTO_EVENT_BATCH row = EVENT_BATCH_INIT;
    while (rc >= 0 && sink->left > 0 && (rc = query_step(&q, e)) > 0) {
        rc = codec_decode(r->conn->codec, column_blob(&q), &row, e);
        if (rc >= 0)
            line_sink_offer(sink, &row);
    }
    return rc < 0 ? rc : 0;
}

int sqlite_read_lines(struct store_reader *base, const struct line_query *q,
                      struct event_batch *into, struct err *e)
{
    struct sqlite_reader *r = sqlite_reader(base);
    struct line_sink sink = {.query = q, .into = into, .left = q->limit};
    int rc = is_deleted(r, q->job_id, e);
    if (rc != 0)
        return rc < 0 ? rc : 0;
    if (q->from_end) {
        rc = journal_read_lines(r, &sink, e);
        if (rc >= 0)
            rc = chunks_read_lines(r, &sink, e);
    } else {
        rc = chunks_read_lines(r, &sink, e);
        if (rc >= 0)
            rc = journal_read_lines(r, &sink, e);
    }
    line_sink_finish(&sink);
    return rc;
}

/* ---- events ---- */

/* A chunk of the pass that is being merged. */
struct piece {
    int64_t n;
    uint64_t first_seq, last_seq;
    struct event_batch events;
    bool *hidden; /* by source: its job was deleted; NULL: none */
    size_t at;
};

struct merge {
    struct piece *pieces; /* by first_seq */
    size_t count, cap;
    size_t begin, opened; /* before `begin` all are done, before `opened` all are unpacked */
};

static void piece_done(struct piece *p)
{
    event_batch_done(&p->events);
    mem_clear(&p->hidden);
    p->at = 0;
}

static void merge_done(struct merge *m)
{
    for (size_t i = 0; i < m->count; i++)
        piece_done(&m->pieces[i]);
    free(m->pieces);
}

/* Which sources of a batch are of deleted jobs. */
static int sources_hide(struct sqlite_reader *r, const struct event_batch *b, bool **ret_hidden,
                        struct err *e)
{
    if (!r->any_deleted)
        return 0;
    AUTO_FREE bool *hidden = mem_alloc(b->source_count * sizeof(bool));
    for (size_t i = 0; i < b->source_count; i++) {
        int rc = is_deleted(r, b->sources[i].manager_id, e);
        if (rc < 0)
            return rc;
        hidden[i] = rc > 0;
    }
    mem_clear(ret_hidden);
    *ret_hidden = TAKE(hidden);
    return 0;
}

static void piece_skip_to(struct piece *p, uint64_t after_seq)
{
    size_t low = 0, high = p->events.count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (p->events.events[middle].seq > after_seq)
            high = middle;
        else
            low = middle + 1;
    }
    p->at = low;
}

static int piece_open(struct sqlite_reader *r, struct piece *p, uint64_t after_seq,
                      struct err *e)
{
    AUTO_QUERY q;
    int rc = query_open(&q, r->conn, "SELECT blob FROM chunks WHERE n = ?", e);
    if (rc < 0)
        return rc;
    bind_number(&q, p->n);
    rc = query_step(&q, e);
    if (rc > 0)
        rc = codec_decode(r->conn->codec, column_blob(&q), &p->events, e);
    if (rc >= 0)
        rc = sources_hide(r, &p->events, &p->hidden, e);
    if (rc < 0)
        return rc;
    if (p->events.count == 0 || p->events.events[0].seq != p->first_seq ||
        p->events.events[p->events.count - 1].seq != p->last_seq)
        return fail(e, E_CORRUPT, "%s is damaged: chunk %lld is not what its row says",
                    r->conn->path, (long long)p->n);
    piece_skip_to(p, after_seq);
    return 0;
}

/* Offers events of a piece up to `until_seq`. False: the sink is full. */
static bool piece_offer(struct piece *p, struct event_sink *sink, uint64_t until_seq)
{
    for (; p->at < p->events.count; p->at++) {
        const struct event *event = &p->events.events[p->at];
        if (event->seq > until_seq)
            break;
        if (p->hidden && p->hidden[event->source])
            continue;
        if (!event_sink_offer(sink, &p->events, p->at))
            return false;
    }
    return true;
}

static struct piece *merge_first(struct merge *m, uint64_t *ret_until)
{
    struct piece *first = NULL;
    uint64_t first_seq = UINT64_MAX, second_seq = UINT64_MAX;
    for (size_t i = m->begin; i < m->count; i++) {
        struct piece *p = &m->pieces[i];
        bool open = i < m->opened;
        if (open && p->at == p->events.count) {
            piece_done(p);
            m->begin += i == m->begin;
            continue;
        }
        uint64_t seq = open ? p->events.events[p->at].seq : p->first_seq;
        if (seq < first_seq) {
            second_seq = first_seq;
            first_seq = seq;
            first = p;
        } else {
            second_seq = MIN(second_seq, seq);
        }
        if (!open)
            break; /* those behind begin later */
    }
    *ret_until = second_seq - 1;
    return first;
}

static int merge_run(struct sqlite_reader *r, struct merge *m, struct event_sink *sink,
                     struct err *e)
{
    for (;;) {
        uint64_t until_seq;
        struct piece *p = merge_first(m, &until_seq);
        if (!p)
            return 0;
        if (p == m->pieces + m->opened) {
            int rc = piece_open(r, p, sink->query->after_seq, e);
            if (rc < 0)
                return rc;
            m->opened++;
            continue; /* its first wanted event may lie behind others */
        }
        if (!piece_offer(p, sink, until_seq))
            return 0;
    }
}

/* The end of the next pass after `after_seq` that has chunks for the topic; 0: none. */
static int pass_next(struct sqlite_reader *r, int64_t job, uint64_t after_seq,
                     uint64_t *ret_pass, struct err *e)
{
    AUTO_QUERY q;
    int rc = query_open(&q, r->conn,
                        job ? "SELECT min(pass_seq) FROM chunks WHERE pass_seq > ?1"
                              " AND pass_seq <= ?2 AND job = ?3"
                            : "SELECT min(pass_seq) FROM chunks WHERE pass_seq > ?1"
                              " AND pass_seq <= ?2",
                        e);
    if (rc < 0)
        return rc;
    bind_number(&q, (int64_t)after_seq);
    bind_number(&q, (int64_t)r->compacted_seq);
    if (job)
        bind_number(&q, job);
    rc = query_step(&q, e);
    *ret_pass = rc > 0 ? (uint64_t)column_number(&q) : 0;
    return rc;
}

static int pass_list(struct sqlite_reader *r, int64_t job, uint64_t pass_seq,
                     uint64_t after_seq, struct merge *m, struct err *e)
{
    AUTO_QUERY q;
    int rc = query_open(&q, r->conn,
                        job ? "SELECT n, first_seq, last_seq FROM chunks WHERE pass_seq = ?1"
                              " AND last_seq > ?2 AND job = ?3 ORDER BY first_seq"
                            : "SELECT n, first_seq, last_seq FROM chunks WHERE pass_seq = ?1"
                              " AND last_seq > ?2 AND job <> ?3 ORDER BY first_seq",
                        e);
    if (rc < 0)
        return rc;
    bind_number(&q, (int64_t)pass_seq);
    bind_number(&q, (int64_t)after_seq);
    bind_number(&q, job ? job : STREAM_JOBS);
    while ((rc = query_step(&q, e)) > 0) {
        MEM_GROW(m->pieces, m->count, m->cap);
        struct piece *p = &m->pieces[m->count++];
        *p = (struct piece){.events = EVENT_BATCH_INIT};
        p->n = column_number(&q);
        p->first_seq = (uint64_t)column_number(&q);
        p->last_seq = (uint64_t)column_number(&q);
    }
    return rc;
}

/* The chunks of a topic; `job` is the number of its stream, 0: all of them. */
static int chunks_read_events(struct sqlite_reader *r, int64_t job, struct event_sink *sink,
                              struct err *e)
{
    uint64_t after_seq = sink->query->after_seq;
    for (;;) {
        uint64_t pass_seq = 0;
        int rc = pass_next(r, job, after_seq, &pass_seq, e);
        if (rc < 0 || pass_seq == 0)
            return rc < 0 ? rc : 0;
        AUTO(merge_done) struct merge merge = {0};
        rc = pass_list(r, job, pass_seq, after_seq, &merge, e);
        if (rc >= 0)
            rc = merge_run(r, &merge, sink, e);
        if (rc < 0 || sink->full)
            return rc;
        after_seq = pass_seq;
    }
}

static int journal_read_events(struct sqlite_reader *r, struct event_sink *sink, struct err *e)
{
    uint64_t after_seq = MAX(sink->query->after_seq, r->compacted_seq);
    AUTO_QUERY q;
    int rc = journal_query(&q, r, after_seq, false, e);
    AUTO(piece_done) struct piece row = {.events = EVENT_BATCH_INIT};
    while (rc >= 0 && !sink->full && (rc = query_step(&q, e)) > 0) {
        rc = codec_decode(r->conn->codec, column_blob(&q), &row.events, e);
        if (rc >= 0)
            rc = sources_hide(r, &row.events, &row.hidden, e);
        if (rc < 0)
            break;
        piece_skip_to(&row, after_seq);
        (void)piece_offer(&row, sink, UINT64_MAX);
    }
    return rc < 0 ? rc : 0;
}

/* Whether the topic has chunks, and where: 0 is none, 1 is some. */
static int topic_stream(struct sqlite_reader *r, const struct topic_filter *topic,
                        int64_t *ret_job, struct err *e)
{
    *ret_job = topic->kind == TOPIC_JOBS ? STREAM_JOBS : 0;
    if (topic->kind == TOPIC_ALL || topic->kind == TOPIC_JOBS)
        return 1;
    return stream_find(r, topic->kind == TOPIC_SYSTEM ? ID_SYSTEM : topic->job_id, ID_NONE,
                       ret_job, e);
}

int sqlite_read_events(struct store_reader *base, const struct event_query *q,
                       struct event_batch *into, uint64_t *ret_to, struct err *e)
{
    struct sqlite_reader *r = sqlite_reader(base);
    struct event_sink sink = {.into = into, .query = q, .to = q->after_seq};
    int64_t job = 0;
    int rc = topic_stream(r, &q->topic, &job, e);
    if (rc > 0 && q->after_seq < r->compacted_seq)
        rc = chunks_read_events(r, job, &sink, e);
    if (rc >= 0 && !sink.full)
        rc = journal_read_events(r, &sink, e);
    if (rc < 0)
        return rc;
    *ret_to = sink.full ? sink.to : base->as_of;
    return 0;
}
