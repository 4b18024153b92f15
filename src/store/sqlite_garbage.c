/* What jobs that were deleted have left: nobody sees it any more, and it is freed in small
 * transactions between two commits, so that a job of ten million lines goes as one of a single
 * line does.
 *
 * The rows of a job and its steps go with the deletion itself, and with them all ways to its
 * tasks; its lines are passed over (table `deleted`), its documents too (table `garbage`). A
 * sweep takes what is oldest in `garbage`: of a step its tasks, then of the job chunks,
 * documents and streams, and the row itself with the last piece. So a crash leaves the rest for
 * later; while commits come, one sweep goes after each. No new step gets the number of one that
 * still has tasks here (step_write()).
 *
 * It is not swept during a pass of the compactor, which may have prepared chunks of the job:
 * those are there, or removed, before the next sweep. A pass that begins later passes the job
 * over. The deletes need no fsync of their own: what is lost by a power cut is swept again. */
#include "base/clock.h"
#include "base/fault.h"
#include "store/sqlite.h"

enum {
    SWEEP_US = 1000, /* then a sweep ends: between two looks at the clock go so many rows */
    CHUNKS = 1,      /* what they hold has to be read, to learn which pages are free */
    DOCUMENTS = 4,
    TASKS = 64,
    STREAMS = 64,
};

struct sweep {
    struct conn *conn;
    int64_t n, step; /* the row of `garbage` */
    struct id job_id;
    int64_t until_us; /* mono */
};

/* The oldest garbage; 0: there is none. */
static int sweep_next(struct sweep *sweep, struct err *e)
{
    AUTO_QUERY q;
    int r = query_open(&q, sweep->conn,
                       "SELECT n, job_id, step FROM garbage ORDER BY n LIMIT 1", e);
    if (r >= 0)
        r = query_step(&q, e);
    if (r <= 0)
        return r;
    sweep->n = column_number(&q);
    sweep->job_id = column_id(&q);
    sweep->step = column_number(&q);
    return 1;
}

/* Runs a DELETE of at most ?2 rows that belong to ?1. Returns 1 when there may be more. */
static int sweep_some(struct sweep *sweep, const char *sql, int most, struct err *e)
{
    AUTO_QUERY q;
    int r = query_open(&q, sweep->conn, sql, e);
    if (r < 0)
        return r;
    if (sweep->step)
        bind_number(&q, sweep->step);
    else
        bind_id(&q, sweep->job_id);
    bind_number(&q, most);
    r = query_run(&q, e);
    if (r < 0)
        return r;
    return sqlite3_changes(sweep->conn->db) == most;
}

static int sweep_step(struct sweep *sweep, struct err *e)
{
    return sweep_some(sweep,
                      "DELETE FROM tasks WHERE n IN (SELECT n FROM tasks WHERE n > ?1 << 32"
                      " AND n <= (?1 << 32) + 4294967295 LIMIT ?2)",
                      TASKS, e);
}

static int sweep_job(struct sweep *sweep, struct err *e)
{
    int r = sweep_some(sweep,
                       "DELETE FROM chunks WHERE n IN (SELECT n FROM chunks WHERE job ="
                       " (SELECT n FROM streams WHERE job_id = ?1 AND step_id = zeroblob(16))"
                       " LIMIT ?2)",
                       CHUNKS, e);
    if (r == 0)
        r = sweep_some(sweep,
                       "DELETE FROM documents WHERE n IN (SELECT n FROM documents"
                       " WHERE job_id = ?1 LIMIT ?2)",
                       DOCUMENTS, e);
    if (r == 0)
        r = sweep_some(sweep,
                       "DELETE FROM streams WHERE n IN (SELECT n FROM streams"
                       " WHERE job_id = ?1 LIMIT ?2)",
                       STREAMS, e);
    return r;
}

static int garbage_remove(struct sweep *sweep, struct err *e)
{
    AUTO_QUERY q;
    int r = query_open(&q, sweep->conn, "DELETE FROM garbage WHERE n = ?", e);
    if (r < 0)
        return r;
    bind_number(&q, sweep->n);
    return query_run(&q, e);
}

/* Returns 1 when there is more. */
static int sweep_run(struct sweep *sweep, struct err *e)
{
    int r;
    while ((r = sweep_next(sweep, e)) > 0 && clock_mono_us() < sweep->until_us) {
        do {
            r = sweep->step ? sweep_step(sweep, e) : sweep_job(sweep, e);
        } while (r > 0 && clock_mono_us() < sweep->until_us);
        if (r == 0)
            r = garbage_remove(sweep, e);
        if (r < 0)
            break;
    }
    if (r >= 0 && FAULT(STORE_SWEEP))
        return fault_fail(e);
    return r;
}

int garbage_sweep(struct sqlite_store *s, struct err *e)
{
    struct sweep sweep = {.conn = s->writer, .until_us = clock_mono_us() + SWEEP_US};
    int more = 0, r = conn_exec(s->writer, "PRAGMA synchronous = NORMAL", e);
    if (r >= 0)
        r = sqlite_begin(s, e);
    if (r >= 0) {
        more = sweep_run(&sweep, e);
        r = sqlite_end(s, more, e);
    }
    int r_full = conn_exec(s->writer, "PRAGMA synchronous = FULL", r < 0 ? NULL : e);
    if (r < 0 || r_full < 0)
        return r < 0 ? r : r_full;
    s->has_garbage = more > 0;
    return 0;
}
