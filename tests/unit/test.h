/* test.h: the harness. A test is a sentence; each runs in its own forked process with a time
 * limit, so that a failure, a crash, a leak and a hang are each one red line.
 *
 *     TEST(a_finished_job_never_moves)
 *     {
 *         CHECK(!job_state_can_move(KIND_JOB, JOB_COMPLETED, JOB_RUNNING));
 *     }
 *
 * Tests register themselves before main(). The binary runs all of them, or those whose name
 * contains one of its arguments; it ends with "N passed, N failed". */
#pragma once

#include <stdio.h>
#include <string.h>

struct test {
    const char *name, *file;
    void (*run)(void);
    struct test *next;
};

void test_register(struct test *t);
_Noreturn void test_fail(const char *file, int line, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));

/* An empty folder of this test's own, removed when the test ends. */
const char *test_folder(void);

#define TEST(name_)                                                                            \
    static void test_##name_(void);                                                            \
    __attribute__((constructor)) static void test_add_##name_(void)                            \
    {                                                                                          \
        static struct test t = {#name_, __FILE__, test_##name_, NULL};                         \
        test_register(&t);                                                                     \
    }                                                                                          \
    static void test_##name_(void)

#define CHECK(cond) ((cond) ? (void)0 : test_fail(__FILE__, __LINE__, "%s", #cond))

#define CHECK_INT(got, want)                                                                   \
    do {                                                                                       \
        long long got_ = (long long)(got), want_ = (long long)(want);                          \
        if (got_ != want_)                                                                     \
            test_fail(__FILE__, __LINE__, "%s is %lld, expected %lld", #got, got_, want_);     \
    } while (0)

#define CHECK_TEXT(got, want)                                                                  \
    do {                                                                                       \
        const char *got_ = (got), *want_ = (want);                                             \
        if (!got_ || strcmp(got_, want_) != 0)                                                 \
            test_fail(__FILE__, __LINE__, "%s is \"%s\", expected \"%s\"", #got,               \
                      got_ ? got_ : "(null)", want_);                                          \
    } while (0)

/* `text` contains `part`. */
#define CHECK_HAS(text, part)                                                                  \
    do {                                                                                       \
        const char *text_ = (text), *part_ = (part);                                           \
        if (!strstr(text_, part_))                                                             \
            test_fail(__FILE__, __LINE__, "%s is \"%s\", expected to contain \"%s\"", #text,   \
                      text_, part_);                                                           \
    } while (0)
