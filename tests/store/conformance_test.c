/* What store.h promises, one sentence a test, on every implementation. */
#include <pthread.h>
#include <stdlib.h>

#include "base/fault.h"
#include "base/limits.h"
#include "store_case.h"

static struct store_reader *reader(struct store *s)
{
    struct store_reader *r;
    struct err e;
    CHECK(store_read_begin(s, &r, &e) >= 0);
    return r;
}

STORE_TEST(an_empty_store_has_head_0_and_no_rows)
{
    struct store *s = case_open(backend);
    CHECK_INT(store_head(s), 0);
    CHECK_INT(strlen(store_epoch(s)), 16);
    struct store_reader *r = reader(s);
    struct err e;
    AUTO_ARENA a = ARENA_INIT;
    struct job_row *job;
    struct event_query q = {.max_events = 10, .max_bytes = 10};
    AUTO_EVENT_BATCH into = EVENT_BATCH_INIT;
    uint64_t to = 7;
    CHECK_INT(store_get_job(r, id_new(), &a, &job, &e), E_NOTFOUND);
    CHECK_HAS(e.text, "there is no job ");
    CHECK(store_read_events(r, &q, &into, &to, &e) >= 0);
    CHECK_INT(to, 0);
    store_read_end(r);
    store_close(s);
}

STORE_TEST(events_are_numbered_without_gaps_across_batches)
{
    struct store *s = case_open(backend);
    struct event_source source = case_job_source(id_new());
    struct err e;
    uint64_t line = 0;
    for (int i = 1; i <= 5; i++) {
        struct batch *b = batch_new();
        for (int k = 0; k < i; k++)
            put_line(b, &source, ++line, LEVEL_INFO, "x");
        CHECK(store_append(s, b, &e) >= 0);
        CHECK_INT(b->first_seq, line - (uint64_t)i + 1);
        for (int k = 0; k < i; k++)
            CHECK_INT(b->events.events[k].seq, b->first_seq + (uint64_t)k);
        CHECK_INT(store_head(s), line);
        batch_free(b);
    }
    store_close(s);
}

STORE_TEST(a_batch_without_events_changes_rows_and_not_the_head)
{
    struct store *s = case_open(backend);
    struct id id = id_new();
    struct batch *b = batch_new();
    struct job_row job = case_job(id, JOB_PENDING), *got;
    batch_put_job(b, &job);
    CHECK_INT(commit(s, b), 0);
    struct store_reader *r = reader(s);
    struct err e;
    AUTO_ARENA a = ARENA_INIT;
    CHECK(store_get_job(r, id, &a, &got, &e) >= 0);
    CHECK_TEXT(got->name, "News");
    store_read_end(r);
    store_close(s);
}

STORE_TEST(the_end_of_a_job_is_the_last_event_of_the_batch_that_ended_it)
{
    struct store *s = case_open(backend);
    struct id id = id_new();
    struct event_source source = case_job_source(id);
    static const enum job_state states[] = {JOB_RUNNING, JOB_COMPLETED, JOB_COMPLETED};
    static const uint64_t ends[] = {0, 4, 4};
    struct err e;
    for (int i = 0; i < 3; i++) {
        struct batch *b = batch_new();
        struct job_row job = case_job(id, states[i]), *got;
        put_line(b, &source, 1, LEVEL_INFO, "x");
        batch_put_job(b, &job);
        put_line(b, &source, 2, LEVEL_INFO, "y");
        CHECK(store_append(s, b, &e) >= 0);
        CHECK_INT(b->changes[0].job->end_seq, ends[i]);
        batch_free(b);
        struct store_reader *r = reader(s);
        AUTO_ARENA a = ARENA_INIT;
        CHECK(store_get_job(r, id, &a, &got, &e) >= 0);
        CHECK_INT(got->end_seq, ends[i]);
        store_read_end(r);
    }
    store_close(s);
}

static void fail_once(enum backend backend, const char *place)
{
    char fault[64];
    snprintf(fault, sizeof(fault), "%s:2:fail", place);
    setenv("TAILRACE_FAULT", fault, 1);
    CHECK_INT(fault_init(NULL), 0);
    struct store *s = case_open(backend);
    case_fill(s, 1, 3);
    AUTO_BUF before = BUF_INIT(LIMIT_REPLY_BYTES);
    AUTO_BUF after = BUF_INIT(LIMIT_REPLY_BYTES);
    dump_store(s, 1, &before);
    struct id id = id_new();
    struct event_source source = case_job_source(id);
    struct batch *b = batch_new();
    struct job_row job = case_job(id, JOB_RUNNING);
    batch_put_job(b, &job);
    put_line(b, &source, 1, LEVEL_INFO, "again");
    struct err e;
    CHECK_INT(store_append(s, b, &e), E_IO);
    CHECK_INT(b->events.events[0].seq, 0);
    dump_store(s, 1, &after);
    check_same("after a failed commit", &after, &before);
    CHECK(store_append(s, b, &e) >= 0); /* the same batch, again */
    CHECK_INT(b->first_seq, 5);
    batch_free(b);
    dump_store(s, 1, &after);
    CHECK_HAS(buf_text(&after), "'again'");
    store_close(s);
}

STORE_TEST(a_commit_that_fails_before_it_begins_leaves_nothing)
{
    fail_once(backend, "store.commit.before");
}

STORE_TEST(a_commit_that_fails_before_its_fsync_leaves_nothing)
{
    fail_once(backend, "store.commit.before_fsync");
}

STORE_TEST(a_batch_with_an_impossible_change_leaves_nothing)
{
    struct store *s = case_open(backend);
    case_fill(s, 1, 1);
    AUTO_BUF before = BUF_INIT(LIMIT_REPLY_BYTES);
    AUTO_BUF after = BUF_INIT(LIMIT_REPLY_BYTES);
    dump_store(s, 1, &before);
    struct id job_id = id_new();
    struct event_source source = case_job_source(job_id);
    struct step_row step = case_step(id_new(), job_id, 1);
    struct job_row job = case_job(job_id, JOB_RUNNING);
    struct task_row first = case_task(id_new(), &step, 1, "http://a/");
    struct task_row same_key = case_task(id_new(), &step, 2, "http://a/");
    struct task_row no_step = first;
    no_step.step_id = id_new();
    struct step_row other_step = case_step(id_new(), job_id, 2);
    struct task_row *wrong[] = {&same_key, &no_step, &same_key};
    static const int codes[] = {E_EXISTS, E_NOTFOUND, E_NOTFOUND, E_NOTFOUND};
    for (int i = 0; i < 4; i++) {
        struct batch *b = batch_new();
        struct err e;
        put_line(b, &source, 1, LEVEL_INFO, "x");
        batch_put_job(b, &job);
        batch_put_step(b, &step);
        batch_put_task(b, &first);
        if (i < 2)
            batch_put_task(b, wrong[i]);
        else if (i == 3)
            batch_put_step_state(b, &other_step);
        else
            batch_put_task_state(b, wrong[i]);
        CHECK_INT(store_append(s, b, &e), codes[i]);
        batch_free(b);
        dump_store(s, 1, &after);
        check_same("after an impossible change", &after, &before);
    }
    store_close(s);
}

STORE_TEST(the_state_of_a_step_leaves_what_the_definition_says)
{
    struct store *s = case_open(backend);
    struct log_case c = case_fill(s, 1, 1);
    struct step_row was = case_step(c.step_id, c.job_id, 1), *got;
    struct step_row row = {.id = c.step_id,
                           .status = JOB_FAILED,
                           .error = "no such host",
                           .lines = 9,
                           .tasks = {1, 2, 3, 4, 5},
                           .lines_by_level = {6, 7, 8, 9},
                           .first_error = 11,
                           .last_error = 12,
                           .told_lines = "{}",
                           .outputs = "{\"a\":\"1\"}",
                           .documents = 10,
                           .kill_at_us = 13};
    struct batch *b = batch_new();
    batch_put_step_state(b, &row);
    commit(s, b);
    struct store_reader *r = reader(s);
    struct err e;
    AUTO_ARENA a = ARENA_INIT;
    CHECK(store_get_step(r, c.step_id, &a, &got, &e) >= 0);
    CHECK_TEXT(got->name, was.name);
    CHECK_TEXT(got->type, was.type);
    CHECK_TEXT(got->depends, was.depends);
    CHECK(id_eq(got->job_id, c.job_id) && got->number == 1);
    CHECK_INT(got->status, JOB_FAILED);
    CHECK_TEXT(got->error, "no such host");
    CHECK(memcmp(got->tasks, row.tasks, sizeof(row.tasks)) == 0);
    CHECK(memcmp(got->lines_by_level, row.lines_by_level, sizeof(row.lines_by_level)) == 0);
    CHECK(got->lines == 9 && got->documents == 10);
    CHECK(got->first_error == 11 && got->last_error == 12 && got->kill_at_us == 13);
    CHECK_TEXT(got->told_lines, "{}");
    CHECK_TEXT(got->outputs, "{\"a\":\"1\"}");
    store_read_end(r);
    store_close(s);
}

STORE_TEST(a_task_written_again_keeps_its_key_and_its_number)
{
    struct store *s = case_open(backend);
    struct log_case c = case_fill(s, 1, 1);
    struct step_row step = case_step(c.step_id, c.job_id, 1);
    struct task_row task = case_task(id_new(), &step, 7, "http://a/"), *got;
    for (int i = 0; i < 2; i++) {
        struct batch *b = batch_new();
        task.attempt = i;
        task.due_at_us = 5000 + i;
        batch_put_task(b, &task);
        commit(s, b);
    }
    struct batch *b = batch_new();
    task.status = JOB_FAILED;
    task.due_at_us += 100;
    task.cause = "connection refused";
    task.key = "ignored here";
    batch_put_task_state(b, &task);
    commit(s, b);
    struct store_reader *r = reader(s);
    struct err e;
    AUTO_ARENA a = ARENA_INIT;
    CHECK(store_get_task(r, task.id, &a, &got, &e) >= 0);
    CHECK_TEXT(got->key, "http://a/");
    CHECK_TEXT(got->cause, "connection refused");
    CHECK_INT(got->number, 7);
    CHECK_INT(got->attempt, 1);
    CHECK_INT(got->due_at_us, 5101);
    CHECK_INT(got->status, JOB_FAILED);
    struct error_group *groups;
    size_t count;
    CHECK(store_group_errors(r, c.step_id, 10, &a, &groups, &count, &e) >= 0);
    CHECK_INT(count, 1);
    CHECK_TEXT(groups[0].message, "connection refused");
    store_read_end(r);
    store_close(s);
}

struct later {
    struct store *store;
    int rows;
};

static void *append_later(void *ctx)
{
    struct later *later = ctx;
    case_fill(later->store, later->rows, 2);
    return NULL;
}

STORE_TEST(a_reader_sees_one_state_whatever_is_appended_meanwhile)
{
    struct store *s = case_open(backend);
    case_fill(s, 3, 4);
    AUTO_BUF before = BUF_INIT(LIMIT_REPLY_BYTES);
    AUTO_BUF during = BUF_INIT(LIMIT_REPLY_BYTES);
    struct store_reader *r = reader(s);
    dump_reader(r, 5, &before);
    pthread_t thread;
    struct later later = {s, 20};
    CHECK(pthread_create(&thread, NULL, append_later, &later) == 0);
    for (int i = 0; i < 5; i++) { /* the memory store holds the append up, SQLite does not */
        buf_clear(&during);
        dump_reader(r, 5, &during);
        check_same("while others append", &during, &before);
    }
    store_read_end(r);
    pthread_join(thread, NULL);
    r = reader(s);
    CHECK_INT(store_read_as_of(r), 3 * 5 + 20 * 3);
    store_read_end(r);
    store_close(s);
}

STORE_TEST(lines_are_read_by_number_level_and_end)
{
    struct store *s = case_open(backend);
    struct log_case c = case_fill(s, 300, 3);
    for (int compacted = 0; compacted < 2; compacted++) {
        struct store_reader *r = reader(s);
        struct err e;
        AUTO_EVENT_BATCH into = EVENT_BATCH_INIT;
        struct line_query q = {.job_id = c.job_id, .step_id = c.step_id, .limit = 4};
        q.after = 100;
        CHECK(store_read_lines(r, &q, &into, &e) >= 0);
        CHECK_INT(into.count, 4);
        CHECK_INT(into.events[0].line, 101);
        event_batch_clear(&into);
        q = (struct line_query){c.job_id, c.step_id, LEVEL_DEBUG, 0, 0, 5, true};
        CHECK(store_read_lines(r, &q, &into, &e) >= 0);
        CHECK_INT(into.count, 5);
        CHECK_INT(into.events[0].line, c.lines - 4);
        CHECK_INT(into.events[4].line, c.lines);
        event_batch_clear(&into);
        q = (struct line_query){c.job_id, c.step_id, LEVEL_ERROR, 10, 30, 100, false};
        CHECK(store_read_lines(r, &q, &into, &e) >= 0);
        CHECK_INT(into.count, 5); /* 11, 15, 19, 23, 27 */
        CHECK_INT(into.events[4].line, 27);
        event_batch_clear(&into);
        q = (struct line_query){c.job_id, c.step_id, LEVEL_DEBUG, 0, 2, 100, true};
        CHECK(store_read_lines(r, &q, &into, &e) >= 0);
        CHECK_INT(into.count, 1);
        struct str message = event_message(&into, &into.events[0]);
        CHECK(str_eq_c(message, "line 0 of commit 0"));
        store_read_end(r);
        case_compact(s);
    }
    store_close(s);
}

STORE_TEST(a_topic_is_read_in_pieces_that_tile_the_log)
{
    struct store *s = case_open(backend);
    struct log_case c = case_fill(s, 10, 5);
    case_fill(s, 10, 5);
    struct store_reader *r = reader(s);
    struct err e;
    struct event_query q = {{TOPIC_JOB, c.job_id, LEVEL_ERROR}, 0, 3, 1 << 20};
    uint64_t to, events = 0, pieces = 0;
    for (; q.after_seq < store_read_as_of(r); q.after_seq = to) {
        AUTO_EVENT_BATCH into = EVENT_BATCH_INIT;
        CHECK(store_read_events(r, &q, &into, &to, &e) >= 0);
        CHECK(into.count <= 3 && to > q.after_seq);
        events += into.count;
        pieces++;
    }
    CHECK_INT(q.after_seq, 120);
    CHECK_INT(events, 10 + 12); /* states are never left out, lines by level */
    CHECK_INT(pieces, 8);
    store_read_end(r);
    store_close(s);
}

STORE_TEST(a_deleted_job_and_its_events_do_not_come_back)
{
    struct store *s = case_open(backend);
    struct log_case compacted = case_fill(s, 300, 2);
    case_compact(s);
    struct log_case fresh = case_fill(s, 3, 2);
    struct log_case kept = case_fill(s, 3, 2);
    struct batch *b = batch_new();
    batch_delete_job(b, compacted.job_id);
    batch_delete_job(b, fresh.job_id);
    commit(s, b);
    for (int i = 0; i < 2; i++) {
        AUTO_BUF dump = BUF_INIT(LIMIT_REPLY_BYTES);
        dump_store(s, 3, &dump);
        CHECK(!strstr(buf_text(&dump), ID_TEXT(compacted.job_id)));
        CHECK(!strstr(buf_text(&dump), ID_TEXT(fresh.job_id)));
        CHECK_HAS(buf_text(&dump), ID_TEXT(kept.job_id));
        struct store_reader *r = reader(s);
        struct line_query q = {.job_id = fresh.job_id, .step_id = fresh.step_id, .limit = 9};
        AUTO_EVENT_BATCH into = EVENT_BATCH_INIT;
        struct err e;
        CHECK(store_read_lines(r, &q, &into, &e) >= 0);
        CHECK_INT(into.count, 0);
        store_read_end(r);
        case_fill(s, 300, 1); /* so that the journal with the deleted ones is compacted */
        case_compact(s);
    }
    store_close(s);
}
