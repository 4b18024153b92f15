/* store_case.h: what the tests of the store share: running a test on both implementations,
 * making batches with few words, and writing all that a store answers as text, so that two
 * stores, or one store at two moments, are compared by comparing texts. */
#pragma once

#include "base/buf.h"
#include "store/store.h"
#include "test.h"

enum backend { BACKEND_MEMORY, BACKEND_SQLITE };

/* The store of the backend; the SQLite one in this test's folder. Fails the test. */
struct store *case_open(enum backend backend);

/* A test that both implementations must pass. */
#define STORE_TEST(name_)                                                                      \
    static void store_##name_(enum backend backend);                                           \
    TEST(name_##_in_memory)                                                                    \
    {                                                                                          \
        store_##name_(BACKEND_MEMORY);                                                         \
    }                                                                                          \
    TEST(name_##_in_sqlite)                                                                    \
    {                                                                                          \
        store_##name_(BACKEND_SQLITE);                                                         \
    }                                                                                          \
    static void store_##name_(enum backend backend)

/* A repeatable source of numbers. */
struct rng {
    uint64_t state;
};
uint64_t rng_below(struct rng *rng, uint64_t n); /* 0 .. n - 1 */

struct event_source case_job_source(struct id job_id);
struct event_source case_step_source(struct id job_id, struct id step_id);

struct job_row case_job(struct id id, enum job_state status);
struct step_row case_step(struct id id, struct id job_id, int number);
struct task_row case_task(struct id id, const struct step_row *step, int number,
                          const char *key);

void put_line(struct batch *b, const struct event_source *source, uint64_t line,
              enum event_level level, const char *message);
void put_state(struct batch *b, const struct event_source *source, enum job_kind kind);

/* Appends and frees; the test fails when it cannot. Returns the head. */
uint64_t commit(struct store *s, struct batch *b);

/* One job, one step, and `rows` commits of `lines` lines each. */
struct log_case {
    struct id job_id, step_id;
    uint64_t lines;
};
struct log_case case_fill(struct store *s, int rows, int lines);

/* Compacts until nothing is left to do. Returns the number of steps. */
int case_compact(struct store *s);

/* All answers of a reader. The queries that have many shapes are chosen by `seed`. */
void dump_reader(struct store_reader *r, uint64_t seed, struct buf *out);
void dump_store(struct store *s, uint64_t seed, struct buf *out);

/* Fails the test and shows the first line that differs. */
void check_same(const char *what, struct buf *got, struct buf *want);
