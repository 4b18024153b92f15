/* Data folders that are wrong: each gives one sentence with the place. */
#include <fcntl.h>
#include <sqlite3.h>
#include <sys/file.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "store_case.h"

static const char *db_path(void)
{
    static char path[128];
    snprintf(path, sizeof(path), "%s/tailrace.db", test_folder());
    return path;
}

static void run_sql(const char *sql)
{
    sqlite3 *db;
    CHECK(sqlite3_open(db_path(), &db) == SQLITE_OK);
    CHECK(sqlite3_exec(db, sql, NULL, NULL, NULL) == SQLITE_OK);
    CHECK(sqlite3_close(db) == SQLITE_OK);
}

static int try_open(const char *folder, struct err *e)
{
    struct store *s;
    int r = store_open_sqlite(folder, &s, e);
    if (r >= 0)
        store_close(s);
    return r;
}

TEST(what_was_written_is_there_after_a_restart)
{
    struct store *s = case_open(BACKEND_SQLITE);
    char epoch[32];
    snprintf(epoch, sizeof(epoch), "%s", store_epoch(s));
    case_fill(s, 20, 3);
    AUTO_BUF before = BUF_INIT(1 << 20);
    AUTO_BUF after = BUF_INIT(1 << 20);
    dump_store(s, 1, &before);
    store_close(s);
    s = case_open(BACKEND_SQLITE);
    CHECK_TEXT(store_epoch(s), epoch);
    CHECK_INT(store_head(s), 80);
    dump_store(s, 1, &after);
    check_same("after a restart", &after, &before);
    store_close(s);
}

/* A folder of before there were schedules and outputs, made of a new one. */
TEST(a_folder_of_an_older_format_gets_what_is_missing)
{
    struct store *s = case_open(BACKEND_SQLITE);
    case_fill(s, 5, 1);
    store_close(s);
    run_sql("ALTER TABLE jobs DROP COLUMN priority; ALTER TABLE jobs DROP COLUMN pool;"
            "ALTER TABLE jobs DROP COLUMN waits_for; ALTER TABLE jobs DROP COLUMN family;"
            "DROP TABLE garbage; DROP INDEX jobs_by_end; ALTER TABLE jobs DROP COLUMN bytes;"
            "ALTER TABLE steps DROP COLUMN kill_at; ALTER TABLE steps DROP COLUMN bytes;"
            "ALTER TABLE jobs DROP COLUMN started_by; ALTER TABLE tasks DROP COLUMN due_at;"
            "DROP TABLE schedules; DROP TABLE deliveries;"
            "ALTER TABLE jobs DROP COLUMN parent_id; ALTER TABLE steps DROP COLUMN outputs;"
            "PRAGMA user_version = 3");
    s = case_open(BACKEND_SQLITE);
    struct batch *b = batch_new();
    struct schedule_row row = {"news", "0 3 * * * UTC", 7, 0, true};
    struct err e;
    AUTO_ARENA a = ARENA_INIT;
    struct schedule_row **rows;
    struct store_reader *r;
    size_t count;
    batch_put_schedule(b, &row);
    batch_put_delivery(b, &(struct delivery_row){.id = {{1}}, .body = "{}"});
    commit(s, b);
    CHECK(store_read_begin(s, &r, &e) >= 0);
    CHECK(store_list_schedules(r, &a, &rows, &count, &e) >= 0);
    CHECK_INT(count, 1);
    CHECK_TEXT(rows[0]->key, "0 3 * * * UTC");
    CHECK(rows[0]->paused);
    store_read_end(r);
    store_close(s);
}

static void copy_file(const char *from, const char *to)
{
    char bytes[4096];
    int in = open(from, O_RDONLY), out = open(to, O_WRONLY | O_CREAT | O_TRUNC, 0644);
    CHECK(in >= 0 && out >= 0);
    for (ssize_t n; (n = read(in, bytes, sizeof(bytes))) > 0;)
        CHECK(write(out, bytes, (size_t)n) == n);
    close(in);
    close(out);
}

TEST(an_old_copy_that_was_put_back_is_noticed_and_gets_a_new_epoch_once)
{
    char epoch[32], renewed[32], copy[160];
    snprintf(copy, sizeof(copy), "%s/copy.db", test_folder());
    struct store *s = case_open(BACKEND_SQLITE);
    snprintf(epoch, sizeof(epoch), "%s", store_epoch(s));
    case_fill(s, 5, 3);
    store_close(s);
    copy_file(db_path(), copy);
    s = case_open(BACKEND_SQLITE); /* the copy itself is no older copy yet */
    CHECK_TEXT(store_epoch(s), epoch);
    case_fill(s, 5, 3);
    store_close(s);
    copy_file(copy, db_path());
    s = case_open(BACKEND_SQLITE);
    snprintf(renewed, sizeof(renewed), "%s", store_epoch(s));
    CHECK(strcmp(renewed, epoch) != 0);
    store_close(s);
    s = case_open(BACKEND_SQLITE);
    CHECK_TEXT(store_epoch(s), renewed);
    store_close(s);
}

static off_t db_bytes(void)
{
    struct stat st;
    return stat(db_path(), &st) == 0 ? st.st_size : 0;
}

TEST(the_log_is_copied_into_the_database_while_commits_go_on)
{
    struct store *s = case_open(BACKEND_SQLITE);
    off_t empty = db_bytes();
    while (db_bytes() == empty) /* never quiet for so long that the checkpoint comes by that */
        case_fill(s, 10, 20);
    store_close(s);
}

TEST(a_missing_folder_is_made_with_those_above_it)
{
    char folder[128];
    struct err e;
    snprintf(folder, sizeof(folder), "%s/a/b", test_folder());
    CHECK(try_open(folder, &e) >= 0);
}

TEST(a_folder_below_a_file_is_refused)
{
    char folder[160];
    struct err e;
    snprintf(folder, sizeof(folder), "%s/file", test_folder());
    close(open(folder, O_CREAT | O_WRONLY, 0644));
    snprintf(folder, sizeof(folder), "%s/file/data", test_folder());
    CHECK_INT(try_open(folder, &e), E_IO);
    CHECK_HAS(e.text, folder);
    CHECK_HAS(e.text, "Not a directory");
}

TEST(a_folder_without_permission_is_refused)
{
    struct err e;
    bool root = geteuid() == 0;
    CHECK(chmod(test_folder(), 0555) == 0);
    if (root) /* permissions do not stop root: be somebody else for a moment */
        CHECK(seteuid(65534) == 0);
    int r = try_open(test_folder(), &e);
    if (root) /* and let the leak checker look into this process again */
        CHECK(seteuid(0) == 0 && prctl(PR_SET_DUMPABLE, 1) == 0);
    CHECK_INT(r, E_IO);
    CHECK_HAS(e.text, test_folder());
    CHECK_HAS(e.text, "Permission denied");
}

TEST(a_folder_in_use_is_refused_and_says_by_whom)
{
    struct store *s = case_open(BACKEND_SQLITE);
    struct err e;
    char pid[32], lock[160];
    CHECK_INT(try_open(test_folder(), &e), E_BUSY);
    CHECK_HAS(e.text, test_folder());
    snprintf(pid, sizeof(pid), "process %ld", (long)getpid());
    CHECK_HAS(e.text, pid);
    snprintf(lock, sizeof(lock), "%s/lock", test_folder());
    CHECK(unlink(lock) == 0); /* as one may do who is told that the folder is in use */
    CHECK_INT(try_open(test_folder(), &e), E_BUSY);
    store_close(s);
    CHECK(try_open(test_folder(), &e) >= 0);
}

/* Holds the lock as the child of a killed server does, for a moment, under the number of a
 * process that is gone. */
static void lock_hold_for_one_gone(pid_t gone)
{
    char path[160];
    snprintf(path, sizeof(path), "%s/lock", test_folder());
    FILE *f = fopen(path, "w");
    CHECK(f && fprintf(f, "%ld\n", (long)gone) > 0 && fclose(f) == 0);
    int fd = open(test_folder(), O_RDONLY | O_DIRECTORY);
    CHECK(fd >= 0 && flock(fd, LOCK_EX) == 0);
    pid_t child = fork();
    CHECK(child >= 0);
    if (child == 0) {
        (void)usleep(100 * 1000);
        _exit(0);
    }
    close(fd); /* the child alone holds it now */
}

TEST(the_lock_of_a_killed_server_is_waited_for)
{
    struct err e;
    pid_t gone = fork();
    CHECK(gone >= 0);
    if (gone == 0)
        _exit(0);
    CHECK(waitpid(gone, NULL, 0) == gone);
    lock_hold_for_one_gone(gone);
    CHECK(try_open(test_folder(), &e) >= 0);
    CHECK(wait(NULL) > 0);
}

TEST(a_folder_of_a_newer_tailrace_is_refused)
{
    struct err e;
    CHECK(try_open(test_folder(), &e) >= 0);
    run_sql("PRAGMA user_version = 1000");
    CHECK_INT(try_open(test_folder(), &e), E_VERSION);
    CHECK_HAS(e.text, db_path());
    CHECK_HAS(e.text, "was written by a newer tailrace (format 1000, this one knows ");
}

TEST(a_database_of_another_program_is_refused_and_left_alone)
{
    struct err e;
    run_sql("CREATE TABLE theirs(a); INSERT INTO theirs VALUES(1)");
    CHECK_INT(try_open(test_folder(), &e), E_CORRUPT);
    CHECK_HAS(e.text, db_path());
    CHECK_HAS(e.text, "not one of tailrace");
    run_sql("UPDATE theirs SET a = 2");
}

TEST(a_file_that_is_no_database_is_refused)
{
    struct err e;
    FILE *f = fopen(db_path(), "w");
    for (int i = 0; i < 1000; i++)
        fputs("this is not a database at all\n", f);
    fclose(f);
    CHECK_INT(try_open(test_folder(), &e), E_CORRUPT);
    CHECK_HAS(e.text, db_path());
}

TEST(a_folder_without_a_name_is_refused)
{
    struct err e;
    CHECK_INT(try_open("", &e), E_INVAL);
    CHECK_HAS(e.text, "empty name");
}

/* A process that is killed leaves its last commits in the log only. */
TEST(a_log_whose_database_is_missing_is_kept)
{
    struct err e;
    char wal[160];
    struct stat before, after;
    snprintf(wal, sizeof(wal), "%s-wal", db_path());
    pid_t child = fork();
    if (child == 0) {
        case_fill(case_open(BACKEND_SQLITE), 10, 2);
        _exit(0);
    }
    CHECK(waitpid(child, NULL, 0) == child);
    CHECK(stat(wal, &before) == 0 && before.st_size > 0);
    CHECK(unlink(db_path()) == 0);
    CHECK_INT(try_open(test_folder(), &e), E_CORRUPT);
    CHECK_HAS(e.text, "is missing or empty, but its log");
    CHECK(stat(wal, &after) == 0 && after.st_size == before.st_size);
}

TEST(a_truncated_database_is_refused)
{
    struct err e;
    struct store *s = case_open(BACKEND_SQLITE);
    case_fill(s, 100, 20);
    store_close(s);
    struct stat st;
    CHECK(stat(db_path(), &st) == 0);
    for (int eighths = 7; eighths > 0; eighths -= 2) {
        CHECK(truncate(db_path(), st.st_size * eighths / 8) == 0);
        CHECK_INT(try_open(test_folder(), &e), E_CORRUPT);
        CHECK_HAS(e.text, db_path());
    }
}

TEST(a_journal_with_a_hole_is_refused)
{
    struct err e;
    struct store *s = case_open(BACKEND_SQLITE);
    case_fill(s, 10, 2);
    store_close(s);
    run_sql("DELETE FROM journal WHERE first_seq = 1");
    CHECK_INT(try_open(test_folder(), &e), E_CORRUPT);
    CHECK_HAS(e.text, "does not follow");
}

TEST(a_damaged_journal_row_is_an_error_and_not_fewer_lines)
{
    struct err e;
    struct store *s = case_open(BACKEND_SQLITE);
    struct log_case c = case_fill(s, 3, 2);
    store_close(s);
    run_sql("UPDATE journal SET blob = substr(blob, 1, length(blob) - 9) WHERE first_seq = 4");
    s = case_open(BACKEND_SQLITE);
    struct store_reader *r;
    AUTO_EVENT_BATCH into = EVENT_BATCH_INIT;
    struct line_query q = {.job_id = c.job_id, .step_id = c.step_id, .limit = 100};
    CHECK(store_read_begin(s, &r, &e) >= 0);
    CHECK_INT(store_read_lines(r, &q, &into, &e), E_CORRUPT);
    store_read_end(r);
    store_close(s);
}
