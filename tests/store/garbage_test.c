/* What a deleted job leaves is not seen, is freed piece by piece, and by whoever opens the
 * folder next when somebody dies in the middle. */
#include <signal.h>
#include <sqlite3.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/fault.h"
#include "base/limits.h"
#include "base/mem.h"
#include "store_case.h"

#define NOTHING_LEFT                                                                           \
    "SELECT (SELECT count(*) FROM documents) + (SELECT count(*) FROM garbage)"                 \
    " + (SELECT count(*) FROM tasks) + (SELECT count(*) FROM chunks WHERE stream <> 1)"        \
    " + (SELECT count(*) FROM streams WHERE n <> 1)"

static int64_t sql_count(const char *sql)
{
    AUTO_FREE char *path = mem_printf("%s/tailrace.db", test_folder());
    sqlite3 *db;
    sqlite3_stmt *stmt;
    CHECK(sqlite3_open(path, &db) == SQLITE_OK);
    CHECK(sqlite3_prepare_v2(db, sql, -1, &stmt, NULL) == SQLITE_OK);
    CHECK(sqlite3_step(stmt) == SQLITE_ROW);
    int64_t n = sqlite3_column_int64(stmt, 0);
    sqlite3_finalize(stmt);
    sqlite3_close(db);
    return n;
}

/* A job with lines in chunks, tasks and documents; more than one sweep takes. */
static struct log_case case_large(struct store *s)
{
    enum { TASKS = 2000, DOCUMENTS = 40 };
    struct log_case c = case_fill(s, 300, 40);
    struct step_row step = case_step(c.step_id, c.job_id, 1);
    struct batch *b = batch_new();
    for (int i = 0; i < TASKS; i++) {
        char key[32];
        snprintf(key, sizeof(key), "task %d", i);
        struct task_row task = case_task(id_new(), &step, i + 1, key);
        struct document_row document = {.id = task.id,
                                        .job_id = c.job_id,
                                        .step_id = c.step_id,
                                        .url = "http://gone/",
                                        .markdown = "text"};
        batch_put_task(b, &task);
        if (i < DOCUMENTS)
            batch_put_document(b, &document);
    }
    commit(s, b);
    case_compact(s);
    return c;
}

static void check_gone(struct store *s, struct id job_id)
{
    AUTO_BUF dump = BUF_INIT(LIMIT_REPLY_BYTES);
    dump_store(s, 5, &dump);
    CHECK(!strstr(buf_text(&dump), ID_TEXT(job_id)));
    CHECK(!strstr(buf_text(&dump), "http://gone/"));
    CHECK(!strstr(buf_text(&dump), "task 7"));
}

TEST(a_deleted_job_is_gone_at_once_and_freed_in_pieces)
{
    struct store *s = case_open(BACKEND_SQLITE);
    struct log_case gone = case_large(s);
    struct err e;
    struct batch *b = batch_new();
    batch_delete_job(b, gone.job_id);
    commit(s, b);
    check_gone(s, gone.job_id);
    CHECK_INT(sql_count("SELECT count(*) FROM tasks"), 2000);
    CHECK_INT(sql_count("SELECT count(*) FROM documents"), 40);
    int64_t left = 2000;
    int sweeps = 0;
    for (; left > 0; sweeps++) {
        CHECK(store_compact(s, true, &e) >= 0);
        int64_t now = sql_count("SELECT count(*) FROM tasks");
        CHECK(now < left);
        left = now;
    }
    CHECK(sweeps > 1);
    case_compact(s);
    check_gone(s, gone.job_id);
    CHECK_INT(sql_count(NOTHING_LEFT), 0);
    store_close(s);
}

TEST(a_new_step_does_not_get_what_a_deleted_one_has_left)
{
    struct store *s = case_open(BACKEND_SQLITE);
    struct log_case gone = case_large(s);
    struct batch *b = batch_new();
    batch_delete_job(b, gone.job_id);
    commit(s, b);
    struct log_case fresh = case_fill(s, 1, 1);
    struct step_row step = case_step(fresh.step_id, fresh.job_id, 1);
    struct task_row task = case_task(id_new(), &step, 1, "task 1");
    b = batch_new();
    batch_put_task(b, &task);
    commit(s, b); /* the key is not taken */
    case_compact(s);
    CHECK_INT(sql_count("SELECT count(*) FROM tasks"), 1);
    store_close(s);
}

/* Deletes and sweeps until it is killed. */
static void child_run(const char *fault, struct id job_id)
{
    struct err e;
    setenv("TAILRACE_FAULT", fault, 1);
    CHECK_INT(fault_init(NULL), 0);
    struct store *s = case_open(BACKEND_SQLITE);
    struct batch *b = batch_new();
    batch_delete_job(b, job_id);
    commit(s, b);
    while (store_compact(s, true, &e) > 0)
        ;
    _exit(3); /* nobody killed it */
}

TEST(killed_while_a_job_is_freed_the_next_start_frees_the_rest)
{
    static const char *const faults[] = {"store.sweep:1", "store.sweep:2", "store.sweep:3"};
    for (size_t i = 0; i < ARRAY_LEN(faults); i++) {
        struct store *s = case_open(BACKEND_SQLITE);
        struct log_case gone = case_large(s);
        int status;
        store_close(s);
        pid_t pid = fork();
        if (pid == 0)
            child_run(faults[i], gone.job_id);
        CHECK(waitpid(pid, &status, 0) == pid);
        CHECK(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
        s = case_open(BACKEND_SQLITE);
        CHECK(sql_count("SELECT count(*) FROM garbage") > 0);
        check_gone(s, gone.job_id);
        case_compact(s);
        check_gone(s, gone.job_id);
        CHECK_INT(sql_count(NOTHING_LEFT), 0);
        store_close(s);
    }
}

TEST(a_sweep_that_fails_is_tried_again)
{
    struct store *s = case_open(BACKEND_SQLITE);
    struct log_case gone = case_large(s);
    struct err e;
    setenv("TAILRACE_FAULT", "store.sweep:2:fail", 1);
    CHECK_INT(fault_init(NULL), 0);
    struct batch *b = batch_new();
    batch_delete_job(b, gone.job_id);
    commit(s, b);
    CHECK_INT(store_compact(s, true, &e), 1);
    CHECK_INT(store_compact(s, true, &e), E_IO);
    CHECK_HAS(e.text, "store.sweep");
    case_compact(s);
    CHECK_INT(sql_count(NOTHING_LEFT), 0);
    store_close(s);
}
