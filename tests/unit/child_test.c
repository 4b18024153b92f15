/* Real processes: how one is started, what is told of its end, and who is a stranger. */
#include "worker/child.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <sys/prctl.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <unistd.h>

#include "test.h"

static struct child child;
static int ended, status, closed, strangers;
static struct rusage usage;

static void on_close(struct child *c)
{
    CHECK(c == &child);
    closed++;
}

static void on_exit_told(struct child *c, int wait_status, const struct rusage *used)
{
    CHECK(c == &child);
    ended++;
    status = wait_status;
    usage = *used;
    strangers = child_strangers();
    child_close(c, on_close);
}

static int command_start(uv_loop_t *loop, const char *command, const char *cwd, int out)
{
    char *argv[] = {(char[]){"/bin/sh"}, (char[]){"-c"}, (char *)(uintptr_t)command, NULL};
    char *env[] = {(char[]){"PATH=/usr/bin:/bin"}, NULL};
    struct child_options options = {
        .file = argv[0], .argv = argv, .env = env, .cwd = cwd, .files = {-1, out, -1}};
    return child_start(&child, loop, &options, on_exit_told);
}

static void command_run(const char *command, const char *cwd, int out)
{
    uv_loop_t loop;
    CHECK_INT(uv_loop_init(&loop), 0);
    CHECK_INT(command_start(&loop, command, cwd, out), 0);
    CHECK_INT(uv_run(&loop, UV_RUN_DEFAULT), 0);
    CHECK_INT(uv_loop_close(&loop), 0);
    CHECK(ended == 1 && closed == 1);
}

TEST(a_child_tells_its_exit_code_and_what_it_used)
{
    command_run("i=0; while [ $i -lt 20000 ]; do i=$((i + 1)); done; exit 7", NULL, -1);
    CHECK(WIFEXITED(status) && WEXITSTATUS(status) == 7);
    CHECK(usage.ru_maxrss > 0);
    /* A kernel that counts ticks may give all of so little to the system. */
    CHECK(timerisset(&usage.ru_utime) || timerisset(&usage.ru_stime));
}

TEST(a_child_that_is_killed_tells_the_signal)
{
    command_run("kill -9 $$", NULL, -1);
    CHECK(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
}

TEST(a_child_has_a_session_its_folder_and_its_files)
{
    int ends[2];
    char text[64] = "";
    CHECK_INT(pipe2(ends, O_CLOEXEC), 0);
    command_run(
        "pwd; read line || echo end; [ $(cut -d' ' -f6 /proc/$$/stat) = $$ ] && echo own",
        "/usr", ends[1]);
    close(ends[1]);
    CHECK(read(ends[0], text, sizeof(text) - 1) > 0);
    CHECK_TEXT(text, "/usr\nend\nown\n");
    close(ends[0]);
}

TEST(a_child_gets_no_signals_that_the_server_ignores_or_blocks)
{
    sigset_t set;
    CHECK(signal(SIGPIPE, SIG_IGN) != SIG_ERR);
    CHECK(sigemptyset(&set) == 0 && sigaddset(&set, SIGTERM) == 0);
    CHECK_INT(sigprocmask(SIG_BLOCK, &set, NULL), 0);
    /* signals 32 and 33 are the C library's own */
    command_run("grep -qx 'SigBlk:.0*' /proc/self/status &&"
                " grep -qx 'SigIgn:.........[08]0000000' /proc/self/status",
                NULL, -1);
    CHECK_INT(status, 0);
}

TEST(a_child_that_cannot_start_says_why_and_leaves_nothing)
{
    uv_loop_t loop;
    char *argv[] = {(char[]){"/nowhere"}, NULL};
    struct child_options options = {
        .file = argv[0], .argv = argv, .env = argv + 1, .files = {-1, -1, -1}};
    CHECK_INT(uv_loop_init(&loop), 0);
    CHECK_INT(child_start(&child, &loop, &options, on_exit_told), UV_ENOENT);
    CHECK_INT(command_start(&loop, "true", "/nowhere", -1), UV_ENOENT);
    CHECK(waitpid(-1, NULL, WNOHANG) < 0 && errno == ECHILD);
    CHECK_INT(uv_loop_close(&loop), 0);
}

TEST(who_is_adopted_is_a_stranger)
{
    CHECK(child_strangers()); /* it cannot be known by who does not adopt */
    CHECK_INT(prctl(PR_SET_CHILD_SUBREAPER, 1), 0);
    CHECK(!child_strangers());
    command_run("sleep 1000 & exit 0", NULL, -1);
    CHECK(strangers);
    CHECK_INT(kill(-child.pid, SIGKILL), 0);
    CHECK(child_strangers()); /* until it is reaped */
    CHECK(waitpid(-child.pid, NULL, 0) > 0);
    CHECK(!child_strangers());
}

TEST(a_child_that_runs_is_no_stranger)
{
    uv_loop_t loop;
    int ends[2];
    CHECK_INT(prctl(PR_SET_CHILD_SUBREAPER, 1), 0);
    CHECK_INT(uv_loop_init(&loop), 0);
    CHECK_INT(pipe2(ends, O_CLOEXEC), 0);
    CHECK_INT(command_start(&loop, "exec sleep 1000", NULL, ends[1]), 0);
    CHECK(!child_strangers());
    CHECK_INT(kill(child.pid, SIGKILL), 0);
    CHECK_INT(uv_run(&loop, UV_RUN_DEFAULT), 0);
    CHECK(!strangers);
    CHECK_INT(uv_loop_close(&loop), 0);
}

static int exits, closes;

static void on_exit_count(struct child *c, int wait_status, const struct rusage *used)
{
    (void)c, (void)used;
    exits += WIFEXITED(wait_status) || WIFSIGNALED(wait_status);
}

static void on_close_count(struct child *c)
{
    (void)c;
    closes++;
}

static void sleep_start(struct child *c, uv_loop_t *loop, const char *seconds)
{
    char *argv[] = {(char[]){"sleep"}, (char[8]){0}, NULL}, *env[] = {NULL};
    snprintf(argv[1], 8, "%s", seconds);
    struct child_options options = {
        .file = "/bin/sleep", .argv = argv, .env = env, .files = {-1, -1, -1}};
    CHECK_INT(child_start(c, loop, &options, on_exit_count), 0);
}

/* libuv forgets a file by its number, whoever has it. */
TEST(a_child_that_is_closed_late_does_not_make_the_loop_forget_the_next_one)
{
    uv_loop_t loop;
    struct child first, second;
    CHECK_INT(uv_loop_init(&loop), 0);
    sleep_start(&first, &loop, "0");
    while (exits < 1)
        uv_run(&loop, UV_RUN_ONCE);
    sleep_start(&second, &loop, "100");
    uv_run(&loop, UV_RUN_NOWAIT); /* the loop waits for it now */
    child_close(&first, on_close_count);
    while (closes < 1)
        uv_run(&loop, UV_RUN_ONCE);
    CHECK_INT(kill(second.pid, SIGKILL), 0);
    siginfo_t info;
    CHECK_INT(waitid(P_PID, (id_t)second.pid, &info, WEXITED | WNOWAIT), 0);
    uv_run(&loop, UV_RUN_NOWAIT);
    CHECK_INT(exits, 2);
    child_close(&second, on_close_count);
    uv_run(&loop, UV_RUN_DEFAULT);
    CHECK_INT(closes, 2);
    CHECK_INT(uv_loop_close(&loop), 0);
}
