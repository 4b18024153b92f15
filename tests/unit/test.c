#include "test.h"

#include <ftw.h>
#include <signal.h>
#include <stdarg.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

enum { TEST_TIME_LIMIT_S = 120 };

static struct test *tests, **tests_end = &tests;
static char folder[64];

void test_register(struct test *t)
{
    *tests_end = t;
    tests_end = &t->next;
}

void test_fail(const char *file, int line, const char *fmt, ...)
{
    va_list ap;
    va_start(ap, fmt);
    printf("    %s:%d: ", file, line);
    vprintf(fmt, ap);
    printf("\n");
    va_end(ap);
    fflush(stdout);
    _exit(1); /* no leak report: what the test held is not freed */
}

const char *test_folder(void)
{
    return folder;
}

static int on_entry(const char *path, const struct stat *st, int flag, struct FTW *ftw)
{
    (void)st, (void)flag, (void)ftw;
    return remove(path);
}

static int test_run(const struct test *t)
{
    snprintf(folder, sizeof(folder), "%s", "/tmp/tailrace-test-XXXXXX");
    if (!mkdtemp(folder))
        return -1;
    fflush(stdout);
    pid_t pid = fork();
    if (pid == 0) {
        (void)setpgid(0, 0); /* what the test starts and forgets goes with it */
        alarm(TEST_TIME_LIMIT_S);
        t->run();
        fflush(stdout);
        exit(0); /* the leak checker runs at exit */
    }
    int status = -1;
    waitpid(pid, &status, 0);
    kill(-pid, SIGKILL);
    nftw(folder, on_entry, 16, FTW_DEPTH | FTW_PHYS);
    return status;
}

static void sentence_print(const char *verdict, const struct test *t)
{
    printf("%s ", verdict);
    for (const char *p = t->name; *p; p++)
        putchar(*p == '_' ? ' ' : *p);
    printf("\n");
}

static int test_is_wanted(const struct test *t, int argc, char **argv)
{
    for (int i = 1; i < argc; i++)
        if (strstr(t->name, argv[i]) || strstr(t->file, argv[i]))
            return 1;
    return argc < 2;
}

int main(int argc, char **argv)
{
    int passed = 0, failed = 0;
    for (const struct test *t = tests; t; t = t->next) {
        if (!test_is_wanted(t, argc, argv))
            continue;
        int status = test_run(t);
        if (status == 0) {
            passed++;
            continue;
        }
        failed++;
        sentence_print("FAILED", t);
        if (WIFSIGNALED(status))
            printf("    killed by signal %d (%s)\n", WTERMSIG(status),
                   strsignal(WTERMSIG(status)));
        else
            printf("    exit status %d\n", WEXITSTATUS(status));
    }
    printf("%d passed, %d failed\n", passed, failed);
    return failed ? 1 : 0;
}
