/* Compaction changes nothing that a reader can see: not between its steps, not for a reader
 * that began before, not after a restart in its middle, not when it fails. */
#include <sqlite3.h>
#include <stdlib.h>

#include "base/fault.h"
#include "base/limits.h"
#include "base/mem.h"
#include "store_case.h"

/* Two jobs whose lines alternate in each commit, long enough for many chunks a stream. */
static void fill_interleaved(struct store *s, int rows)
{
    AUTO_FREE char *text = mem_alloc(2001);
    memset(text, 'x', 2000);
    struct event_source sources[3];
    uint64_t lines[3] = {0};
    struct batch *b = batch_new();
    for (int i = 0; i < 3; i++) {
        struct id job_id = id_new();
        sources[i] = case_step_source(job_id, id_new());
        struct job_row job = case_job(job_id, JOB_RUNNING);
        struct step_row step = case_step(sources[i].step_id, job_id, 1);
        batch_put_job(b, &job);
        batch_put_step(b, &step);
    }
    for (int i = 0; i < rows; i++) {
        for (int k = 0; k < 9; k++) {
            struct event_source *source = &sources[k % 3];
            text[k * 100] = (char)('a' + i % 26);
            put_line(b, source, ++lines[k % 3], (enum event_level)(k % LEVEL_COUNT), text);
            if (k % 4 == 0)
                put_state(b, source, k ? KIND_TASK : KIND_STEP);
        }
        commit(s, b);
        b = batch_new();
    }
    batch_free(b);
}

TEST(no_answer_changes_between_the_steps_of_the_compactor)
{
    struct store *s = case_open(BACKEND_SQLITE);
    fill_interleaved(s, 256);
    AUTO_BUF before = BUF_INIT(LIMIT_REPLY_BYTES * 4u);
    AUTO_BUF now = BUF_INIT(LIMIT_REPLY_BYTES * 4u);
    struct store_reader *old;
    struct err e;
    CHECK(store_read_begin(s, &old, &e) >= 0);
    dump_store(s, 9, &before);
    int r, steps = 0;
    while ((r = store_compact(s, false, &e)) > 0) {
        if (steps++ % 7 == 0) {
            dump_store(s, 9, &now);
            check_same("between two steps", &now, &before);
        }
    }
    CHECK(r == 0 && steps > 20);
    dump_store(s, 9, &now);
    check_same("after the last step", &now, &before);
    buf_clear(&now);
    dump_reader(old, 9, &now);
    check_same("for a reader from before", &now, &before);
    store_read_end(old);
    store_close(s);
    s = case_open(BACKEND_SQLITE);
    dump_store(s, 9, &now);
    check_same("after a restart", &now, &before);
    store_close(s);
}

TEST(a_pass_that_is_cut_off_by_a_restart_begins_again)
{
    struct store *s = case_open(BACKEND_SQLITE);
    fill_interleaved(s, 256);
    AUTO_BUF before = BUF_INIT(LIMIT_REPLY_BYTES * 4u);
    AUTO_BUF now = BUF_INIT(LIMIT_REPLY_BYTES * 4u);
    struct err e;
    dump_store(s, 2, &before);
    for (int i = 0; i < 15; i++)
        CHECK(store_compact(s, false, &e) == 1);
    store_close(s);
    s = case_open(BACKEND_SQLITE);
    dump_store(s, 2, &now);
    check_same("after the restart", &now, &before);
    case_compact(s);
    dump_store(s, 2, &now);
    check_same("after the second try", &now, &before);
    store_close(s);
}

TEST(a_switch_that_fails_is_done_again_and_changes_nothing)
{
    setenv("TAILRACE_FAULT", "store.compact.before_switch:1:fail", 1);
    CHECK_INT(fault_init(NULL), 0);
    struct store *s = case_open(BACKEND_SQLITE);
    fill_interleaved(s, 256);
    AUTO_BUF before = BUF_INIT(LIMIT_REPLY_BYTES * 4u);
    AUTO_BUF now = BUF_INIT(LIMIT_REPLY_BYTES * 4u);
    struct err e;
    dump_store(s, 2, &before);
    int r;
    do {
        r = store_compact(s, false, &e);
    } while (r > 0);
    CHECK_INT(r, E_IO);
    dump_store(s, 2, &now);
    check_same("after the failure", &now, &before);
    case_compact(s);
    dump_store(s, 2, &now);
    check_same("after the second try", &now, &before);
    store_close(s);
}

/* Its lines are hidden in any case; this asks whether they still take room. */
static void check_no_stream(struct id job_id)
{
    char path[128];
    sqlite3 *db;
    sqlite3_stmt *stmt;
    snprintf(path, sizeof(path), "%s/tailrace.db", test_folder());
    CHECK(sqlite3_open(path, &db) == SQLITE_OK);
    CHECK(sqlite3_prepare_v2(db, "SELECT count(*) FROM streams WHERE job_id = ?", -1, &stmt,
                             NULL) == SQLITE_OK);
    CHECK(sqlite3_bind_blob(stmt, 1, job_id.b, sizeof(job_id.b), SQLITE_STATIC) == SQLITE_OK);
    CHECK(sqlite3_step(stmt) == SQLITE_ROW);
    CHECK_INT(sqlite3_column_int(stmt, 0), 0);
    sqlite3_finalize(stmt);
    sqlite3_close(db);
}

TEST(a_job_deleted_in_the_middle_of_a_pass_stays_deleted)
{
    for (int steps = 1; steps < 7; steps++) { /* a pass has six */
        struct store *s = case_open(BACKEND_SQLITE);
        struct log_case gone = case_fill(s, 128, 2), kept = case_fill(s, 128, 2);
        struct err e;
        for (int i = 0; i < steps; i++)
            CHECK(store_compact(s, false, &e) >= 0);
        struct batch *b = batch_new();
        batch_delete_job(b, gone.job_id);
        commit(s, b);
        AUTO_BUF before = BUF_INIT(LIMIT_REPLY_BYTES);
        AUTO_BUF after = BUF_INIT(LIMIT_REPLY_BYTES);
        dump_store(s, 4, &before);
        CHECK(!strstr(buf_text(&before), ID_TEXT(gone.job_id)));
        case_compact(s);
        dump_store(s, 4, &after);
        check_same("after the rest of the pass", &after, &before);
        CHECK_HAS(buf_text(&after), ID_TEXT(kept.job_id));
        store_close(s);
        check_no_stream(gone.job_id);
    }
}

TEST(quiet_journals_are_left_alone)
{
    struct store *s = case_open(BACKEND_SQLITE);
    struct err e;
    case_fill(s, 10, 2);
    CHECK_INT(store_compact(s, false, &e), 0);
    CHECK_INT(store_compact(s, true, &e), 0);
    store_close(s);
}
