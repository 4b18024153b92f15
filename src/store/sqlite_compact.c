/* The compactor: journal rows become chunks.
 *
 * The happy path of a pass: READ takes journal rows from the oldest on and deals their events
 * out to streams, until it has PASS_RAW_BYTES of text; WRITE compresses slices of streams and
 * inserts them, STEP_RAW_BYTES a transaction; SWITCH moves compacted_seq to the end of the
 * pass and deletes its journal rows. Each call of sqlite_compact() does one small step, so that
 * commits can go between.
 *
 * Nobody sees a chunk before the switch, and a pass that fails or is cut off leaves only chunks
 * beyond compacted_seq, which are removed before the next pass. The inserts need no fsync of
 * their own: the switch syncs all that the WAL holds before it. */
#include <stdlib.h>

#include "base/clock.h"
#include "base/fault.h"
#include "base/limits.h"
#include "base/map.h"
#include "base/mem.h"
#include "store/sqlite.h"

enum {
    DUE_BYTES = 2 * 1024 * 1024, /* of compressed journal */
    DUE_ROWS = 256,
    DUE_IDLE_ROWS = 32, /* when idle, and the oldest row is older than DUE_IDLE_US */
    DUE_IDLE_US = 3 * 1000 * 1000,
    PASS_RAW_BYTES = 8 * 1024 * 1024,
    PASS_ROWS = 1024,
    KEEP_BYTES = 3 * PASS_RAW_BYTES,
    /* Parts of steps that write alike double their memory in the same moment, which takes
     * longer than a step may: so many begin with room for a chunk, of lines of this size. The
     * system gives pages only as they are written. */
    ROOMY_PARTS = 64,
    ROOMY_LINE_BYTES = 128,
    STEP_RAW_BYTES = LIMIT_CHUNK_BYTES, /* read, or written, between two commits */
    STEP_CHUNKS = 8,
    QUIET_US = 50 * 1000, /* no commit for so long: sweeps follow each other */
};

/* What a pass holds of one stream. */
struct part {
    struct id job_id, step_id;
    bool is_jobs; /* the stream `jobs` */
    struct event_batch events;
    size_t written; /* events before this are in chunks */
};

struct compactor {
    enum { COMPACT_NONE, COMPACT_READ, COMPACT_WRITE, COMPACT_SWITCH } phase;
    uint64_t to_seq; /* the pass is (compacted_seq, to_seq] */
    struct journal_size taken;
    size_t raw_bytes;
    struct part **parts;
    size_t part_count, part_at;
    size_t part_made, part_cap; /* those behind part_count wait, empty, to be used again */
    struct map by_source;       /* job id and step id → struct part */
    struct event_batch row;     /* the journal row at hand */
    bool swept;                 /* since the last pass */
    bool leftovers;             /* chunks beyond compacted_seq may be there */
};

struct compactor *compactor_new(void)
{
    struct compactor *k = mem_alloc(sizeof(*k));
    k->row = (struct event_batch)EVENT_BATCH_INIT;
    return k;
}

/* Empties the parts. Their memory stays for the next pass up to `keep` bytes: growing into
 * fresh pages would cost more than the copying. */
static void parts_clear(struct compactor *k, size_t keep)
{
    size_t kept = 0;
    for (size_t i = 0; i < k->part_made; i++) {
        struct event_batch *events = &k->parts[i]->events;
        kept += events->text.cap + events->cap * sizeof(struct event);
        if (kept <= keep)
            event_batch_clear(events);
        else
            event_batch_done(events);
    }
    k->part_count = k->part_at = 0;
}

void compactor_drop_pass(struct compactor *k)
{
    parts_clear(k, KEEP_BYTES);
    map_done(&k->by_source);
    k->phase = COMPACT_NONE;
    k->taken = (struct journal_size){0};
    k->raw_bytes = 0;
    k->leftovers = true;
}

void compactor_free(struct compactor *k)
{
    if (!k)
        return;
    parts_clear(k, 0);
    for (size_t i = 0; i < k->part_made; i++)
        free(k->parts[i]);
    free(k->parts);
    map_done(&k->by_source);
    event_batch_done(&k->row);
    free(k);
}

int sqlite_drop_leftovers(struct sqlite_store *s, struct err *e)
{
    compactor_drop_pass(s->compactor);
    AUTO_QUERY q;
    int r = query_open(&q, s->writer, "DELETE FROM chunks WHERE pass_seq > ?", e);
    if (r < 0)
        return r;
    bind_number(&q, (int64_t)s->compacted_seq);
    return query_run(&q, e);
}

int sqlite_clean(struct sqlite_store *s, struct err *e)
{
    int r = sqlite_begin(s, e);
    return r < 0 ? r : sqlite_end(s, sqlite_drop_leftovers(s, e), e);
}

/* ---- read ---- */

static struct part *part_add(struct compactor *k, struct id job_id, struct id step_id)
{
    if (k->part_count == k->part_made) {
        MEM_GROW(k->parts, k->part_made, k->part_cap);
        struct part *made = mem_alloc(sizeof(*made));
        made->events = (struct event_batch)EVENT_BATCH_INIT;
        k->parts[k->part_made++] = made;
        if (k->part_made <= ROOMY_PARTS)
            event_batch_reserve(&made->events, LIMIT_CHUNK_BYTES / ROOMY_LINE_BYTES,
                                LIMIT_CHUNK_BYTES);
    }
    struct part *p = k->parts[k->part_count++];
    p->job_id = job_id;
    p->step_id = step_id;
    p->is_jobs = false;
    p->written = 0;
    return p;
}

/* The stream `jobs` is part 0: it is there first and has no job. */
static struct part *part_find(struct compactor *k, const struct event_source *source)
{
    struct id key[2] = {source->manager_id, source->step_id};
    struct str key_bytes = {(const char *)key, sizeof(key)};
    struct part *p = map_get(&k->by_source, key_bytes);
    if (!p) {
        p = part_add(k, source->manager_id, source->step_id);
        map_set(&k->by_source, key_bytes, p);
    }
    return p;
}

static int job_is_deleted(struct conn *c, struct id job_id, struct err *e)
{
    AUTO_QUERY q;
    int r = query_open(&q, c, "SELECT 1 FROM deleted WHERE job_id = ?", e);
    if (r < 0)
        return r;
    bind_id(&q, job_id);
    return query_step(&q, e);
}

static int row_deal(struct sqlite_store *s, struct compactor *k, struct err *e)
{
    static const struct topic_filter jobs = {.kind = TOPIC_JOBS};
    struct event_batch *row = &k->row;
    AUTO_FREE struct part **parts = mem_alloc(row->source_count * sizeof(*parts));
    for (size_t i = 0; i < row->source_count; i++) {
        int r = job_is_deleted(s->writer, row->sources[i].manager_id, e);
        if (r < 0)
            return r;
        parts[i] = r ? NULL : part_find(k, &row->sources[i]);
    }
    for (size_t i = 0; i < row->count; i++) {
        struct part *p = parts[row->events[i].source];
        if (!p)
            continue;
        event_batch_copy(&p->events, row, i);
        if (event_matches(row, &row->events[i], &jobs))
            event_batch_copy(&k->parts[0]->events, row, i);
    }
    return 0;
}

static int pass_read_row(struct sqlite_store *s, struct compactor *k, struct err *e)
{
    if (FAULT(STORE_COMPACT_READ))
        return fault_fail(e);
    AUTO_QUERY q;
    int r =
        query_open(&q, s->writer, "SELECT last_seq, blob FROM journal WHERE first_seq = ?", e);
    if (r < 0)
        return r;
    bind_number(&q, (int64_t)k->to_seq + 1);
    r = query_step(&q, e);
    if (r < 0)
        return r;
    if (r == 0)
        return fail(e, E_CORRUPT, "%s is damaged: its journal has no row for event %llu",
                    s->path, (unsigned long long)k->to_seq + 1);
    uint64_t last_seq = (uint64_t)column_number(&q);
    struct str blob = column_blob(&q);
    r = codec_decode(s->writer->codec, blob, &k->row, e);
    if (r >= 0)
        r = row_deal(s, k, e);
    if (r < 0)
        return r;
    k->to_seq = last_seq;
    k->taken.rows++;
    k->taken.bytes += (int64_t)blob.n;
    k->raw_bytes += k->row.text.n + k->row.count * 8;
    return 0;
}

static int pass_read(struct sqlite_store *s, struct compactor *k, struct err *e)
{
    uint64_t head = atomic_load(&s->head);
    size_t until = MIN(k->raw_bytes + STEP_RAW_BYTES, (size_t)PASS_RAW_BYTES);
    while (k->to_seq < head && k->raw_bytes < until && k->taken.rows < PASS_ROWS) {
        int r = pass_read_row(s, k, e);
        if (r < 0)
            return r;
    }
    if (k->to_seq == head || k->raw_bytes >= PASS_RAW_BYTES || k->taken.rows >= PASS_ROWS)
        k->phase = COMPACT_WRITE;
    return 0;
}

/* ---- write ---- */

struct chunk {
    const struct part *part;
    size_t from, to;
    char *blob;
    size_t blob_n;
};

static int chunk_insert(struct sqlite_store *s, const struct chunk *chunk, struct err *e)
{
    const struct event *events = chunk->part->events.events;
    uint64_t first_line = 0, last_line = 0;
    int64_t levels[LEVEL_COUNT] = {0}, job = STREAM_JOBS, stream = STREAM_JOBS;
    for (size_t i = chunk->from; i < chunk->to; i++) {
        if (events[i].type != EVENT_JOB_LOG)
            continue;
        first_line = first_line ? first_line : events[i].line;
        last_line = events[i].line;
        levels[events[i].level]++;
    }
    int r = 0;
    if (!chunk->part->is_jobs) {
        r = sqlite_stream(s->writer, chunk->part->job_id, ID_NONE, &job, e);
        if (r >= 0)
            r = sqlite_stream(s->writer, chunk->part->job_id, chunk->part->step_id, &stream, e);
    }
    AUTO_QUERY q = {0};
    if (r >= 0)
        r = query_open(&q, s->writer,
                       "INSERT INTO chunks(stream, job, pass_seq, first_seq, last_seq,"
                       " first_line, last_line, debug, info, warn, error, blob)"
                       " VALUES(?,?,?,?,?,?,?,?,?,?,?,?)",
                       e);
    if (r < 0)
        return r;
    bind_number(&q, stream);
    bind_number(&q, job);
    bind_number(&q, (int64_t)s->compactor->to_seq);
    bind_number(&q, (int64_t)events[chunk->from].seq);
    bind_number(&q, (int64_t)events[chunk->to - 1].seq);
    bind_number(&q, (int64_t)first_line);
    bind_number(&q, (int64_t)last_line);
    for (int i = 0; i < LEVEL_COUNT; i++)
        bind_number(&q, levels[i]);
    bind_blob(&q, (struct str){chunk->blob, chunk->blob_n});
    return query_run(&q, e);
}

static int chunks_insert(struct sqlite_store *s, const struct chunk *chunks, size_t n,
                         struct err *e)
{
    int r = sqlite_begin(s, e);
    if (r < 0)
        return r;
    for (size_t i = 0; i < n && r >= 0; i++)
        r = chunk_insert(s, &chunks[i], e);
    if (r >= 0 && FAULT(STORE_COMPACT_WRITE))
        r = fault_fail(e);
    return sqlite_end(s, r, e);
}

/* Compresses the next slices, in the order of the parts. Returns how many. */
static int slices_encode(struct sqlite_store *s, struct compactor *k, struct chunk *chunks,
                         struct err *e)
{
    int n = 0;
    size_t bytes = 0;
    while (k->part_at < k->part_count && n < STEP_CHUNKS && bytes < STEP_RAW_BYTES) {
        struct part *p = k->parts[k->part_at];
        if (p->written == p->events.count) {
            k->part_at++;
            continue;
        }
        struct chunk *chunk = &chunks[n];
        *chunk = (struct chunk){.part = p, .from = p->written};
        chunk->to = sqlite_slice(&p->events, chunk->from, &bytes);
        struct str blob;
        int r = codec_encode(s->writer->codec, &p->events, chunk->from, chunk->to, CODEC_CHUNK,
                             &blob, e);
        if (r < 0)
            return r;
        chunk->blob = mem_copy(blob.p, blob.n);
        chunk->blob_n = blob.n;
        p->written = chunk->to;
        n++;
    }
    return n;
}

static int pass_write(struct sqlite_store *s, struct compactor *k, struct err *e)
{
    struct chunk chunks[STEP_CHUNKS] = {0};
    int r = slices_encode(s, k, chunks, e);
    if (r == 0)
        k->phase = COMPACT_SWITCH;
    if (r > 0) {
        int n = r;
        r = conn_exec(s->writer, "PRAGMA synchronous = NORMAL", e);
        if (r >= 0)
            r = chunks_insert(s, chunks, (size_t)n, e);
        int r_full = conn_exec(s->writer, "PRAGMA synchronous = FULL", e);
        r = r < 0 ? r : r_full;
    }
    for (size_t i = 0; i < STEP_CHUNKS; i++)
        free(chunks[i].blob);
    return r;
}

/* ---- switch ---- */

static int switch_write(struct sqlite_store *s, const struct compactor *k, struct err *e)
{
    AUTO_QUERY q;
    int r =
        query_open(&q, s->writer, "UPDATE meta SET value = ? WHERE key = 'compacted_seq'", e);
    if (r < 0)
        return r;
    bind_number(&q, (int64_t)k->to_seq);
    r = query_run(&q, e);
    if (r < 0)
        return r;
    AUTO_QUERY prefix;
    r = query_open(&prefix, s->writer, "DELETE FROM journal WHERE first_seq <= ?", e);
    if (r < 0)
        return r;
    bind_number(&prefix, (int64_t)k->to_seq);
    return query_run(&prefix, e);
}

static int pass_switch(struct sqlite_store *s, struct compactor *k, struct err *e)
{
    if (FAULT(STORE_COMPACT_BEFORE_SWITCH))
        return fault_fail(e);
    int r = sqlite_begin(s, e);
    if (r < 0)
        return r;
    r = sqlite_end(s, switch_write(s, k, e), e);
    if (r < 0)
        return r;
    FAULT_KILLS(STORE_COMPACT_AFTER_SWITCH);
    s->compacted_seq = k->to_seq;
    s->journal.rows -= k->taken.rows;
    s->journal.bytes -= k->taken.bytes;
    s->journal_since_us = clock_mono_us();
    compactor_drop_pass(k);
    k->leftovers = false;
    k->swept = false;
    return 0;
}

/* ---- the steps ---- */

static bool pass_is_due(const struct sqlite_store *s, bool idle)
{
    if (s->journal.bytes >= DUE_BYTES || s->journal.rows >= DUE_ROWS)
        return true;
    return idle && s->journal.rows >= DUE_IDLE_ROWS &&
           clock_mono_us() - s->journal_since_us >= DUE_IDLE_US;
}

static int pass_begin(struct sqlite_store *s, struct compactor *k, struct err *e)
{
    if (k->leftovers) {
        int r = sqlite_clean(s, e);
        if (r < 0)
            return r;
    }
    k->leftovers = true;
    k->to_seq = s->compacted_seq;
    part_add(k, ID_NONE, ID_NONE)->is_jobs = true;
    k->phase = COMPACT_READ;
    return 0;
}

int sqlite_compact(struct store *base, bool idle, struct err *e)
{
    struct sqlite_store *s = sqlite_store(base);
    struct compactor *k = s->compactor;
    int r = 0;
    switch (k->phase) {
    case COMPACT_NONE:
        if (s->has_garbage && !(k->swept && pass_is_due(s, idle))) {
            r = garbage_sweep(s, e);
            k->swept = true;
        } else if (pass_is_due(s, idle)) {
            r = pass_begin(s, k, e);
        } else {
            return 0;
        }
        break;
    case COMPACT_READ:
        r = pass_read(s, k, e);
        break;
    case COMPACT_WRITE:
        r = pass_write(s, k, e);
        break;
    case COMPACT_SWITCH:
        r = pass_switch(s, k, e);
        break;
    }
    if (r < 0) {
        compactor_drop_pass(k);
        return r;
    }
    bool sweeps = s->has_garbage && (idle || clock_mono_us() - s->appended_us >= QUIET_US);
    return k->phase != COMPACT_NONE || sweeps || pass_is_due(s, idle);
}
