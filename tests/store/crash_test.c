/* kill -9 at the fault places of the store: what was acknowledged is there, whole, once. */
#include <signal.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/fault.h"
#include "base/limits.h"
#include "store_case.h"

enum { LINES_PER_COMMIT = 3 };

/* Appends until it is killed; says each head on the pipe once it is durable. */
static void child_run(int out, const char *fault, struct id job_id, struct id step_id)
{
    setenv("TAILRACE_FAULT", fault, 1);
    CHECK_INT(fault_init(NULL), 0);
    struct store *s = case_open(BACKEND_SQLITE);
    struct event_source source = case_step_source(job_id, step_id);
    struct step_row step = case_step(step_id, job_id, 1);
    struct err e;
    uint64_t line = 0;
    for (int i = 0; i < 600; i++) {
        struct batch *b = batch_new();
        struct job_row job = case_job(job_id, JOB_RUNNING);
        for (int k = 0; k < LINES_PER_COMMIT; k++)
            put_line(b, &source, ++line, LEVEL_INFO, "a line");
        step.lines = line;
        if (i == 0)
            batch_put_job(b, &job);
        batch_put_step(b, &step);
        uint64_t head = commit(s, b);
        if (write(out, &head, sizeof(head)) != (ssize_t)sizeof(head))
            _exit(2);
        while (store_compact(s, false, &e) > 0)
            ;
    }
    _exit(3); /* nobody killed it */
}

/* Returns the last head that the child said. */
static uint64_t child_kill(const char *fault, struct id job_id, struct id step_id)
{
    int ends[2], status;
    CHECK(pipe(ends) == 0);
    pid_t pid = fork();
    if (pid == 0)
        child_run(ends[1], fault, job_id, step_id);
    close(ends[1]);
    uint64_t said = 0, head;
    while (read(ends[0], &head, sizeof(head)) == (ssize_t)sizeof(head))
        said = head;
    close(ends[0]);
    CHECK(waitpid(pid, &status, 0) == pid);
    CHECK(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
    return said;
}

static void check_log(struct store *s, struct id job_id, struct id step_id, uint64_t head)
{
    struct err e;
    struct store_reader *r;
    CHECK(store_read_begin(s, &r, &e) >= 0);
    AUTO_EVENT_BATCH events = EVENT_BATCH_INIT;
    AUTO_EVENT_BATCH lines = EVENT_BATCH_INIT;
    AUTO_ARENA a = ARENA_INIT;
    struct event_query q = {{.kind = TOPIC_ALL}, 0, SIZE_MAX, SIZE_MAX};
    struct line_query lq = {.job_id = job_id, .step_id = step_id, .limit = SIZE_MAX};
    uint64_t to;
    CHECK(store_read_events(r, &q, &events, &to, &e) >= 0);
    CHECK(store_read_lines(r, &lq, &lines, &e) >= 0);
    CHECK_INT(to, head);
    CHECK_INT(events.count, head);
    CHECK_INT(lines.count, head);
    for (size_t i = 0; i < events.count; i++) {
        CHECK_INT(events.events[i].seq, i + 1);
        CHECK_INT(lines.events[i].line, i + 1);
    }
    struct step_row *step;
    if (head > 0) {
        CHECK(store_get_step(r, step_id, &a, &step, &e) >= 0);
        CHECK_INT(step->lines, head); /* rows and events, or neither */
    }
    store_read_end(r);
}

/* `more`: how many commits may be there that were not acknowledged. */
static void crash(const char *fault, uint64_t at_least, uint64_t more)
{
    struct id job_id = id_new(), step_id = id_new();
    uint64_t said = child_kill(fault, job_id, step_id);
    struct store *s = case_open(BACKEND_SQLITE);
    uint64_t head = store_head(s);
    CHECK_INT(head, said + more * LINES_PER_COMMIT);
    CHECK(head >= at_least);
    check_log(s, job_id, step_id, head);
    case_fill(s, 300, 1); /* and life goes on */
    case_compact(s);
    store_close(s);
}

TEST(killed_before_its_first_commit_the_store_is_empty)
{
    crash("store.commit.before:1", 0, 0);
}

TEST(killed_before_the_fsync_of_a_commit_only_that_commit_is_missing)
{
    crash("store.commit.before_fsync:20", 19 * LINES_PER_COMMIT, 0);
}

TEST(killed_after_a_commit_that_commit_is_there)
{
    crash("store.commit.after:20", 20 * LINES_PER_COMMIT, 1);
}

TEST(killed_before_the_switch_of_a_pass_nothing_is_missing_or_double)
{
    crash("store.compact.before_switch:1", 256 * LINES_PER_COMMIT, 0);
}

TEST(killed_before_the_second_switch_nothing_is_missing_or_double)
{
    crash("store.compact.before_switch:2", 512 * LINES_PER_COMMIT, 0);
}

/* A file that may not grow is as good as a full disk. */
TEST(a_commit_that_finds_no_room_leaves_nothing_and_can_be_tried_again)
{
    struct store *s = case_open(BACKEND_SQLITE);
    case_fill(s, 5, 2);
    AUTO_BUF before = BUF_INIT(LIMIT_REPLY_BYTES);
    AUTO_BUF after = BUF_INIT(LIMIT_REPLY_BYTES);
    dump_store(s, 1, &before);
    struct event_source source = case_job_source(id_new());
    struct batch *b = batch_new();
    struct rng rng = {1};
    for (uint64_t line = 1; line <= 20000; line++) {
        char text[32];
        snprintf(text, sizeof(text), "%llx", (unsigned long long)rng_below(&rng, UINT64_MAX));
        put_line(b, &source, line, LEVEL_INFO, text);
    }
    struct rlimit old, small;
    CHECK(getrlimit(RLIMIT_FSIZE, &old) == 0);
    small = (struct rlimit){200 * 1024, old.rlim_max};
    signal(SIGXFSZ, SIG_IGN);
    CHECK(setrlimit(RLIMIT_FSIZE, &small) == 0);
    struct err e;
    int r = store_append(s, b, &e);
    CHECK(setrlimit(RLIMIT_FSIZE, &old) == 0);
    CHECK_INT(r, E_IO);
    CHECK_HAS(e.text, "tailrace.db");
    dump_store(s, 1, &after);
    check_same("after the disk was full", &after, &before);
    CHECK(store_append(s, b, &e) >= 0);
    CHECK_INT(b->first_seq, 16);
    batch_free(b);
    store_close(s);
    s = case_open(BACKEND_SQLITE);
    CHECK_INT(store_head(s), 15 + 20000);
    store_close(s);
}

TEST(the_epoch_stays_the_same_after_a_crash)
{
    char epoch[32];
    struct store *s = case_open(BACKEND_SQLITE);
    snprintf(epoch, sizeof(epoch), "%s", store_epoch(s));
    store_close(s);
    (void)child_kill("store.commit.before_fsync:5", id_new(), id_new());
    s = case_open(BACKEND_SQLITE);
    CHECK_TEXT(store_epoch(s), epoch);
    store_close(s);
}
