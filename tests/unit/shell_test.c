/* Real commands under /bin/sh. Where a test needs a moment ("while it runs"), the command says
 * a line and waits at a fifo, and the test opens the fifo when it has seen the line. */
#include "worker/shell.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/limits.h"
#include "base/mem.h"
#include "job/definition.h"
#include "test.h"
#include "test_host.h"
#include "worker/orphan.h"

static struct test_host *command_run(const char *json_command)
{
    AUTO_FREE char *config = mem_printf("{\"command\":\"%s\"}", json_command);
    struct test_host *h = test_host_new(&shell_worker, config);
    test_host_run(h);
    return h;
}

/* The process has ended; one that nobody has reaped yet has ended too. */
static bool pid_is_gone(const char *text)
{
    long pid = strtol(text, NULL, 10);
    CHECK(pid > 1);
    AUTO_FREE char *path = mem_printf("/proc/%ld/stat", pid);
    FILE *f = fopen(path, "r");
    if (!f)
        return true;
    char state = 0;
    bool there = fscanf(f, "%*d %*s %c", &state) == 1; /* not when it is reaped meanwhile */
    fclose(f);
    return !there || state == 'Z' || state == 'X';
}

TEST(stdout_is_info_and_stderr_is_warn)
{
    struct test_host *h = command_run("echo one; echo two >&2; printf 'three\\\\r\\\\nfour'");
    AUTO_FREE char *out = test_host_text(h, LEVEL_INFO), *err = test_host_text(h, LEVEL_WARN);
    CHECK_TEXT(out, "one\nthree\nfour");
    CHECK_TEXT(err, "two");
    CHECK_INT(h->line_count, 4);
    CHECK_INT(h->lines[0].task, 1);
    CHECK_INT(h->tasks[0]->outcome, JOB_COMPLETED);
    CHECK_HAS(h->tasks[0]->key, "echo one; echo two >&2");
    test_host_free(h);
}

TEST(a_command_writes_to_terminals_and_cannot_read_from_them)
{
    struct test_host *h =
        command_run("test ! -t 0 && test -t 1 && test -t 2 && stty size <&1 && echo $TERM &&"
                    " ! cat <&2; echo \\\"$PAGER\\\"");
    AUTO_FREE char *out = test_host_text(h, LEVEL_INFO), *err = test_host_text(h, LEVEL_WARN);
    CHECK_TEXT(out, "40 120\nxterm-256color\ncat");
    CHECK_HAS(err, "Bad file descriptor");
    test_host_free(h);
}

TEST(a_command_that_asks_for_pipes_gets_pipes)
{
    setenv("TERM", "of-the-server", 1);
    struct test_host *h = test_host_new(
        &shell_worker, "{\"pty\":false,\"command\":\"test ! -t 1 && test ! -t 2 && echo $TERM; "
                       "echo two >&2; echo one > /dev/stdout\"}");
    test_host_run(h);
    AUTO_FREE char *out = test_host_text(h, LEVEL_INFO), *err = test_host_text(h, LEVEL_WARN);
    CHECK_TEXT(out, "of-the-server\none");
    CHECK_TEXT(err, "two");
    test_host_free(h);
}

TEST(bytes_come_as_they_are_from_pipes_and_terminals)
{
    /* All but the carriage return. */
    const char *octal = "for i in 0 1 2 3; do for j in 0 1 2 3 4 5 6 7; do"
                        " for k in 0 1 2 3 4 5 6 7; do [ $i$j$k = 015 ] ||"
                        " printf '%b' '\\\\0'$i$j$k; done; done; done";
    for (int pty = 0; pty < 2; pty++) {
        AUTO_FREE char *config =
            mem_printf("{\"pty\":%s,\"command\":\"%s\"}", pty ? "true" : "false", octal);
        struct test_host *h = test_host_new(&shell_worker, config);
        test_host_run(h);
        CHECK_INT(h->line_count, 2); /* before and after the newline, 10 */
        CHECK_INT(h->lines[0].n, 10);
        CHECK_INT(h->lines[1].n, 244);
        for (int i = 0; i < 10; i++)
            CHECK_INT((unsigned char)h->lines[0].text[i], i);
        for (int i = 0; i < 244; i++)
            CHECK_INT((unsigned char)h->lines[1].text[i], i < 2 ? i + 11 : i + 12);
        test_host_free(h);
    }
}

TEST(empty_lines_and_zero_bytes_are_kept)
{
    struct test_host *h = command_run("printf '\\\\na\\\\000b\\\\n\\\\n'");
    CHECK_INT(h->line_count, 3);
    CHECK_INT(h->lines[0].n, 0);
    CHECK_INT(h->lines[1].n, 3);
    CHECK_INT(h->lines[1].text[2], 'b');
    test_host_free(h);
}

TEST(an_exit_code_is_the_cause_of_a_failure)
{
    struct test_host *h = command_run("echo last words; exit 3");
    CHECK_INT(h->tasks[0]->outcome, JOB_FAILED);
    CHECK_TEXT(h->tasks[0]->cause, "exit code 3");
    CHECK_TEXT(h->lines[0].text, "last words");
    test_host_free(h);
}

TEST(a_signal_is_the_cause_of_a_failure)
{
    struct test_host *h = command_run("kill -9 $$");
    CHECK_INT(h->tasks[0]->outcome, JOB_FAILED);
    CHECK_TEXT(h->tasks[0]->cause, "killed by signal 9 (Killed)");
    test_host_free(h);
}

TEST(the_environment_is_small_and_says_where_the_command_runs)
{
    setenv("OF_THE_SERVER_ALONE", "1", 1);
    setenv("HOME", "/nowhere", 1);
    struct test_host *h = test_host_new(
        &shell_worker,
        "{\"command\":\"env\",\"env\":{\"STYLE\":\"short\",\"HOME\":\"/home/step\"}}");
    struct worker_parameter parameters[] = {{"site", "http://127.0.0.1:8090/"},
                                            {"max_age", NULL}};
    h->step.parameters = parameters;
    h->step.parameter_count = 2;
    test_host_run(h);
    AUTO_FREE char *got = test_host_text(h, LEVEL_INFO);
    AUTO_FREE char *all = mem_printf("\n%s\n", got);
    CHECK_HAS(all, "\nPARAM_SITE=http://127.0.0.1:8090/\n");
    CHECK_HAS(all, "\nPARAM_MAX_AGE=\n");
    CHECK_HAS(all, "\nTAILRACE_JOB=job-1\n");
    CHECK_HAS(all, "\nTAILRACE_STEP=one\n");
    CHECK_HAS(all, "\nTAILRACE_STEP_ID=step-1\n");
    CHECK_HAS(all, "\nTAILRACE_ATTEMPT=1\n");
    CHECK_HAS(all, "\nSTYLE=short\n");
    CHECK_HAS(all, "\nHOME=/home/step\n");
    CHECK_HAS(all, "\nPATH=");
    CHECK(!strstr(all, "/nowhere"));
    CHECK(!strstr(all, "OF_THE_SERVER_ALONE"));
    test_host_free(h);
}

/* All but what differs from task to task, each line between two newlines. */
static char *environment_of(const char *command)
{
    AUTO_FREE char *config =
        mem_printf("{\"command\":\"%s\",\"cwd\":\"/usr/../usr\"}", command);
    struct test_host *h = test_host_new(&shell_worker, config);
    test_host_run(h);
    CHECK_INT(h->tasks[0]->outcome, JOB_COMPLETED);
    AUTO_BUF all = BUF_INIT(100000);
    for (size_t i = 0; i < h->line_count; i++)
        if (strncmp(h->lines[i].text, "TAILRACE_", 9) != 0)
            buf_printf(&all, "\n%s\n", h->lines[i].text);
    test_host_free(h);
    return buf_take(&all);
}

TEST(a_program_that_needs_no_shell_sees_what_it_sees_under_one)
{
    setenv("PWD", "/nowhere", 1);
    AUTO_FREE char *alone = environment_of("/usr/bin/env"),
                   *shell = environment_of("/usr/bin/env;");
    CHECK_INT(strlen(alone), strlen(shell));
    CHECK_HAS(alone, "\nPWD=/usr\n");
    for (struct str rest = str_of(alone); rest.p;) {
        struct str line = str_cut(&rest, '\n');
        AUTO_FREE char *whole = mem_printf("\n%.*s\n", STR_ARG(line));
        CHECK(line.n == 0 || strstr(shell, whole));
    }
}

TEST(a_program_that_needs_no_shell_is_the_command)
{
    struct test_host *h = command_run("/bin/readlink /proc/self/exe");
    CHECK_HAS(h->lines[0].text, "readlink");
    test_host_free(h);
    AUTO_FREE char *script = mem_printf("%s/dies", test_folder());
    FILE *f = fopen(script, "w");
    CHECK(f && fputs("#!/bin/sh\nkill -9 $$\n", f) >= 0 && fclose(f) == 0);
    CHECK_INT(chmod(script, 0755), 0);
    h = command_run(script);
    CHECK_TEXT(h->tasks[0]->cause, "killed by signal 9 (Killed)");
    test_host_free(h);
}

TEST(a_program_that_cannot_be_started_is_told_by_a_shell)
{
    struct test_host *h = command_run("/nowhere/program with words");
    CHECK_TEXT(h->tasks[0]->cause, "exit code 127");
    CHECK_HAS(h->lines[0].text, "/nowhere/program: not found");
    test_host_free(h);
    AUTO_FREE char *script = mem_printf("%s/no-first-line", test_folder());
    FILE *f = fopen(script, "w");
    CHECK(f && fputs("echo run by $0\n", f) >= 0 && fclose(f) == 0);
    CHECK_INT(chmod(script, 0755), 0);
    h = command_run(script);
    CHECK_HAS(h->lines[0].text, "run by ");
    test_host_free(h);
}

TEST(a_variable_of_tailrace_cannot_be_set_by_a_step)
{
    struct test_host *h = test_host_new(
        &shell_worker, "{\"command\":\"true\",\"env\":{\"TAILRACE_TASK\":\"x\"}}");
    struct err e;
    CHECK_INT(test_host_open(h, &e), E_INVAL);
    CHECK_TEXT(e.text, "env: TAILRACE_TASK is set by tailrace itself");
    test_host_free(h);
}

TEST(stdin_is_empty_and_dev_stdout_can_be_opened)
{
    struct test_host *h = command_run("cat; echo one > /dev/stdout; echo two > /dev/stderr");
    CHECK_INT(h->tasks[0]->outcome, JOB_COMPLETED);
    CHECK_INT(h->line_count, 2);
    test_host_free(h);
}

TEST(a_command_runs_in_the_folder_that_it_asks_for)
{
    AUTO_FREE char *config = mem_printf("{\"command\":\"pwd\",\"cwd\":\"%s\"}", test_folder());
    struct test_host *h = test_host_new(&shell_worker, config);
    test_host_run(h);
    CHECK_TEXT(h->lines[0].text, test_folder());
    test_host_free(h);
}

TEST(a_folder_that_is_not_there_fails_the_task_and_is_named)
{
    struct test_host *h =
        test_host_new(&shell_worker, "{\"command\":\"pwd\",\"cwd\":\"/not/there\"}");
    test_host_run(h);
    CHECK_INT(h->tasks[0]->outcome, JOB_FAILED);
    CHECK_TEXT(h->start_error, "cwd: there is no folder /not/there");
    test_host_free(h);
}

TEST(a_shell_that_cannot_start_fails_the_task_and_leaves_no_handle)
{
    AUTO_FREE char *config = mem_printf("{\"command\":\"%0*d\"}", 200 * 1024, 7);
    struct test_host *h = test_host_new(&shell_worker, config); /* Linux: 128 KiB an argument */
    test_host_run(h);
    CHECK_INT(h->tasks[0]->outcome, JOB_FAILED);
    CHECK_HAS(h->start_error, "the command cannot be started: ");
    test_host_free(h);
}

static char *fifo;

static void fifo_make(void)
{
    fifo = mem_printf("%s/go", test_folder());
    CHECK_INT(mkfifo(fifo, 0600), 0);
}

/* Lets the command go on that waits at the fifo, once it does. */
static void fifo_open(struct test_host *h)
{
    (void)h;
    int fd = open(fifo, O_WRONLY);
    CHECK(fd >= 0);
    close(fd);
}

static uv_timer_t later;

static void on_later(uv_timer_t *timer)
{
    (void)timer;
    fifo_open(NULL);
}

/* In the next turn of the loop: what the command writes then is not read in this one, too. */
static void fifo_open_later(struct test_host *h)
{
    (void)h;
    CHECK_INT(uv_timer_start(&later, on_later, 0, 0), 0);
}

static void run_with_later(struct test_host *h)
{
    CHECK_INT(uv_timer_init(&h->loop, &later), 0);
    test_host_run(h);
    uv_close((uv_handle_t *)&later, NULL);
}

static void fifo_open_when_ready(struct test_host *h, const struct test_line *line)
{
    if (strcmp(line->text, "ready") == 0)
        fifo_open(h);
}

TEST(a_line_comes_while_the_command_runs)
{
    fifo_make();
    AUTO_FREE char *config = mem_printf("{\"command\":\"echo ready; cat %s; echo end\"}", fifo);
    struct test_host *h = test_host_new(&shell_worker, config);
    h->on_line = fifo_open_when_ready; /* without it the command waits for ever */
    test_host_run(h);
    CHECK_INT(h->line_count, 2);
    CHECK_INT(h->tasks[0]->outcome, JOB_COMPLETED);
    test_host_free(h);
    mem_clear(&fifo);
}

TEST(a_very_long_line_loses_no_byte)
{
    enum { BYTES = 3 * 1024 * 1024 + 17 };
    struct test_host *h =
        command_run("head -c 3145745 /dev/zero | tr '\\\\0' x; echo; echo behind it");
    size_t n = 0;
    for (size_t i = 0; i + 1 < h->line_count; i++) {
        size_t mark = i > 0 ? strlen("…") : 0;
        CHECK(i == 0 || strncmp(h->lines[i].text, "…", mark) == 0);
        CHECK(h->lines[i].n <= 16 * LIMIT_LINE_BYTES);
        n += h->lines[i].n - mark;
    }
    CHECK_INT(n, BYTES);
    CHECK_TEXT(h->lines[h->line_count - 1].text, "behind it");
    test_host_free(h);
}

TEST(a_piece_of_a_long_line_splits_no_character)
{
    struct test_host *h = command_run("yes é | head -n 900000 | tr -d '\\\\n'");
    CHECK_INT(h->line_count, 2);
    for (size_t i = 0; i < h->line_count; i++)
        for (size_t at = 0, n; at < h->lines[i].n; at += n) {
            n = utf8_length((unsigned char *)h->lines[i].text + at, h->lines[i].n - at);
            CHECK(n > 0);
        }
    test_host_free(h);
}

static void much_is_written(const char *config)
{
    struct test_host *h = test_host_new(&shell_worker, config);
    h->pause_lines = 1000;
    test_host_run(h);
    CHECK_INT(h->line_count, 200000);
    for (size_t i = 0; i < h->line_count; i++)
        CHECK_INT(atol(h->lines[i].text), i + 1);
    CHECK(h->pauses > 5);
    CHECK(h->most_burst < 1000 + 128 * 1024 / 4); /* at most one turn more than allowed */
    CHECK_INT(h->tasks[0]->outcome, JOB_COMPLETED);
    test_host_free(h);
}

TEST(a_store_that_is_behind_slows_the_command_and_no_line_is_lost)
{
    for (int pty = 0; pty < 2; pty++)
        much_is_written(pty ? "{\"command\":\"seq 1 200000\"}"
                            : "{\"pty\":false,\"command\":\"seq 1 200000\"}");
}

TEST(every_write_of_a_command_is_a_sign_of_life_also_without_a_newline)
{
    fifo_make();
    for (int pty = 0; pty < 2; pty++) {
        AUTO_FREE char *config = mem_printf(
            "{\"pty\":%s,\"command\":\"for i in 1 2 3; do printf .%s; cat %s; done\"}",
            pty ? "true" : "false", pty ? "" : " >&2", fifo);
        struct test_host *h = test_host_new(&shell_worker, config);
        h->on_sign = fifo_open_later;
        run_with_later(h);
        CHECK_INT(h->line_count, 1);
        CHECK_TEXT(h->lines[0].text, "...");
        CHECK_INT(h->signs, 3);
        test_host_free(h);
    }
    mem_clear(&fifo);
    struct test_host *h = command_run("exec sleep 0.2");
    CHECK_INT(h->signs, 0);
    test_host_free(h);
}

static void stop_when_ready(struct test_host *h, const struct test_line *line)
{
    if (strcmp(line->text, "ready") == 0)
        test_host_stop(h);
}

/* It has much more time than it takes, also on a machine that is very busy. */
static struct test_host *command_stop(const char *command)
{
    AUTO_FREE char *config = mem_printf("{\"grace\":\"60s\",\"command\":\"%s\"}", command);
    struct test_host *h = test_host_new(&shell_worker, config);
    h->on_line = stop_when_ready;
    test_host_run(h);
    CHECK_INT(h->tasks[0]->outcome, JOB_CANCELLED);
    return h;
}

TEST(a_stopped_command_may_say_goodbye)
{
    /* The shell may say "Terminated" of its sleep, on stderr: before or after, nobody knows. */
    struct test_host *h = command_stop("exec 2>/dev/null; trap 'echo bye; exit 0' TERM;"
                                       " echo ready; while :; do sleep 0.02; done");
    CHECK_TEXT(h->lines[h->line_count - 2].text, "bye");
    CHECK_HAS(h->lines[h->line_count - 1].text, ": all processes are gone");
    test_host_free(h);
}

TEST(a_stopped_command_takes_its_children_with_it)
{
    struct test_host *h = command_stop("sleep 1000 & echo $!; echo ready; sleep 1000");
    CHECK(pid_is_gone(h->lines[0].text));
    test_host_free(h);
}

TEST(a_child_of_a_stopped_shell_has_time_to_say_goodbye)
{
    struct test_host *h =
        command_stop("sh -c \\\"trap 'sleep 0.3; echo bye; exit' TERM; echo ready;"
                     " while :; do sleep 0.02; done\\\"; true");
    CHECK_TEXT(h->lines[h->line_count - 2].text, "bye");
    CHECK_HAS(h->lines[h->line_count - 1].text, ": all processes are gone");
    test_host_free(h);
}

static void stop_and_let_go(struct test_host *h, const struct test_line *line)
{
    stop_when_ready(h, line);
    if (h->line_count == 3) /* the first of the countdown */
        fifo_open(h);
}

TEST(a_command_that_ignores_sigterm_is_counted_down)
{
    fifo_make();
    AUTO_FREE char *config = mem_printf(
        "{\"grace\":\"10s\",\"command\":\"trap '' TERM; echo ready; sh -c 'cat %s'; true\"}",
        fifo);
    struct test_host *h = test_host_new(&shell_worker, config);
    h->on_line = stop_and_let_go;
    test_host_run(h);
    mem_clear(&fifo);
    CHECK_TEXT(h->lines[1].text, "stopping: SIGTERM sent, SIGKILL in 10s");
    CHECK_HAS(h->lines[2].text, "SIGKILL in ");
    CHECK_HAS(h->lines[2].text, " processes are left");
    CHECK_HAS(h->lines[h->line_count - 1].text, "stopped after ");
    CHECK_INT(h->grace_ms, 10000);
    test_host_free(h);
}

TEST(a_command_that_ignores_sigterm_is_named_and_killed)
{
    CHECK_INT(shell_init(test_folder()), 0);
    struct test_host *h = test_host_new(
        &shell_worker, "{\"grace\":\"100ms\",\"command\":\"trap '' TERM; echo $$; setsid sh -c "
                       "'trap \\\"\\\" TERM; echo ready; while :; do sleep 0.01; done'\"}");
    h->on_line = stop_when_ready;
    test_host_run(h);
    CHECK_INT(h->tasks[0]->outcome, JOB_CANCELLED);
    CHECK(pid_is_gone(h->lines[0].text));
    CHECK_TEXT(h->lines[2].text, "stopping: SIGTERM sent, SIGKILL in 100ms");
    AUTO_FREE char *name = mem_printf("%s (sh)", h->lines[0].text);
    CHECK_HAS(h->lines[3].text, "survived SIGTERM: ");
    CHECK_HAS(h->lines[3].text, name);
    CHECK_HAS(h->lines[3].text, "; SIGKILL sent");
    CHECK_HAS(h->lines[4].text, "stopped after ");
    CHECK_INT(h->line_count, 5);
    test_host_free(h);
}

TEST(without_grace_a_command_is_killed_at_once)
{
    CHECK_INT(shell_init(test_folder()), 0);
    struct test_host *h = test_host_new(
        &shell_worker,
        "{\"grace\":0,\"command\":\"trap 'echo bye' TERM; echo ready; sleep 1000\"}");
    h->on_line = stop_when_ready;
    test_host_run(h);
    CHECK_INT(h->line_count, 3);
    CHECK_TEXT(h->lines[1].text, "stopping: SIGKILL sent");
    CHECK_HAS(h->lines[2].text, "stopped after ");
    test_host_free(h);
}

TEST(a_daemon_of_a_stopped_command_may_say_goodbye)
{
    CHECK_INT(shell_init(test_folder()), 0);
    struct test_host *h =
        command_stop("exec 2>/dev/null; env -i setsid sh -c 'trap \\\"echo bye; exit\\\" TERM; "
                     "echo ready; while :; do sleep 0.02; done' & wait");
    CHECK_TEXT(h->lines[h->line_count - 2].text, "bye");
    test_host_free(h);
}

static void fifo_open_at_progress(struct test_host *h, const struct test_line *line)
{
    if (line->n > 0 && line->text[line->n - 1] == '\r')
        fifo_open_later(h);
}

/* Told at most every 50 ms, so the command waits for longer than that. */
TEST(progress_that_is_written_over_a_line_is_told_as_it_comes)
{
    fifo_make();
    AUTO_FREE char *wait = mem_printf("cat %s; sleep 0.06", fifo);
    AUTO_FREE char *config =
        mem_printf("{\"command\":\"printf 'a\\\\rb\\\\rc'; %s; printf 'd\\\\re\\\\r'; %s;"
                   " printf 'f\\\\n'\"}",
                   wait, wait);
    struct test_host *h = test_host_new(&shell_worker, config);
    h->on_line = fifo_open_at_progress;
    run_with_later(h);
    mem_clear(&fifo);
    CHECK_INT(h->line_count, 3);
    CHECK_TEXT(h->lines[0].text, "b\r"); /* of what came at once the newest */
    CHECK_TEXT(h->lines[1].text, "cd\r");
    CHECK_TEXT(h->lines[2].text, "e\rf");
    test_host_free(h);
}

TEST(a_carriage_return_before_a_newline_is_no_progress_however_it_is_cut)
{
    struct test_host *h =
        command_run("printf 'three\\\\r'; sleep 0.2; printf '\\\\nfour\\\\r\\\\n'");
    CHECK_INT(h->line_count, 2);
    CHECK_TEXT(h->lines[0].text, "three");
    CHECK_TEXT(h->lines[1].text, "four");
    test_host_free(h);
}

TEST(a_background_process_does_not_outlive_its_task)
{
    struct test_host *h = command_run("sleep 1000 & echo $!");
    CHECK_INT(h->tasks[0]->outcome, JOB_COMPLETED);
    CHECK(pid_is_gone(h->lines[0].text));
    test_host_free(h);
}

TEST(a_background_process_that_ends_with_the_shell_is_heard)
{
    struct test_host *h =
        command_run("(while kill -0 $$ 2>&-; do :; done; echo late) & echo early");
    CHECK_INT(h->line_count, 2);
    CHECK_TEXT(h->lines[1].text, "late");
    test_host_free(h);
}

/* Runs `command` in the background, which is to print its pid and "ready"; then the shell ends.
 */
static struct test_host *background_run(const char *command)
{
    fifo_make();
    AUTO_FREE char *config = mem_printf("{\"command\":\"%s & cat %s\"}", command, fifo);
    struct test_host *h = test_host_new(&shell_worker, config);
    h->on_line = fifo_open_when_ready;
    test_host_run(h);
    mem_clear(&fifo);
    CHECK_INT(h->tasks[0]->outcome, JOB_COMPLETED);
    CHECK_INT(h->line_count, 2);
    return h;
}

TEST(a_process_in_a_session_of_its_own_does_not_outlive_its_task)
{
    CHECK_INT(shell_init(test_folder()), 0);
    struct test_host *h =
        background_run("setsid sh -c 'setsid sh -c \\\"echo \\\\$\\\\$; echo ready; "
                       "sleep 1000; true\\\" & wait'");
    CHECK(pid_is_gone(h->lines[0].text));
    CHECK_INT(waitpid(-1, NULL, WNOHANG), -1); /* and no adopted child is left unreaped */
    CHECK_INT(errno, ECHILD);
    test_host_free(h);
}

TEST(a_process_that_always_executes_something_new_does_not_outlive_its_task)
{
    CHECK_INT(shell_init(test_folder()), 0);
    AUTO_FREE char *script = mem_printf("%s/again", test_folder());
    FILE *f = fopen(script, "w");
    CHECK(f && fputs("#!/bin/sh\nexec \"$0\"\n", f) > 0 && fchmod(fileno(f), 0755) == 0);
    CHECK_INT(fclose(f), 0);
    AUTO_FREE char *command = mem_printf(
        "setsid %s & until [ x$(cut -d' ' -f6 /proc/$!/stat) = x$! ]; do :; done; echo $!",
        script);
    for (int i = 0; i < 40; i++) {
        struct test_host *h = command_run(command);
        CHECK_INT(h->tasks[0]->outcome, JOB_COMPLETED);
        CHECK(pid_is_gone(h->lines[h->line_count - 1].text));
        test_host_free(h);
    }
}

TEST(a_process_that_clears_its_environment_does_not_outlive_its_task)
{
    CHECK_INT(shell_init(test_folder()), 0);
    struct test_host *h =
        background_run("env -i setsid sh -c 'echo $$; echo ready; exec sleep 1000'");
    CHECK(pid_is_gone(h->lines[0].text));
    test_host_free(h);
}

/* Nobody does so by chance. As the last command's it is found all the same, because nothing
 * else can be a child of this process. */
TEST(a_process_that_shakes_off_its_mark_goes_with_the_last_command)
{
    CHECK_INT(shell_init(test_folder()), 0);
    struct test_host *h = background_run(
        "(prlimit --locks=5: setsid sh -c 'echo $$; echo ready; exec sleep 1000' &)");
    CHECK(pid_is_gone(h->lines[0].text));
    CHECK_INT(waitpid(-1, NULL, WNOHANG), -1);
    test_host_free(h);
}

TEST(orphans_that_end_while_their_command_runs_are_reaped)
{
    CHECK_INT(shell_init(test_folder()), 0);
    const char *count = "$(ps --ppid $PPID -o stat= | grep -c Z)";
    AUTO_FREE char *command = mem_printf(
        "for i in 1 2 3 4 5; do (setsid true &); done; until [ %s = 5 ]; do sleep 0.02; done;"
        " echo ended; until [ %s = 0 ]; do sleep 0.1; done; echo reaped",
        count, count);
    struct test_host *h = command_run(command);
    CHECK_INT(h->tasks[0]->outcome, JOB_COMPLETED);
    CHECK_TEXT(h->lines[1].text, "reaped");
    test_host_free(h);
}

TEST(a_server_that_starts_kills_what_its_predecessor_left)
{
    AUTO_FREE char *neighbour = mem_printf("%s-2", test_folder());
    const uint64_t marks[2] = {orphan_mark(str_of(test_folder())) | 7,
                               orphan_mark(str_of(neighbour)) | 7};
    char *argv[] = {(char[]){"/bin/sleep"}, (char[]){"1000"}, NULL};
    pid_t pids[2];
    for (int i = 0; i < 2; i++) {
        orphan_mark_set(marks[i]);
        pids[i] = fork();
        if (pids[i] == 0) {
            (void)execv(argv[0], argv);
            _exit(127);
        }
        orphan_mark_set(0);
        CHECK(orphan_mark_of(pids[i]) == marks[i]);
    }
    CHECK_INT(shell_init(test_folder()), 1);
    int status;
    CHECK_INT(waitpid(pids[0], &status, 0), pids[0]);
    CHECK(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
    CHECK_INT(waitpid(pids[1], &status, WNOHANG), 0); /* another's lives */
    kill(pids[1], SIGKILL);
    waitpid(pids[1], &status, 0);
    CHECK_INT(shell_init(test_folder()), 0);
}

/* ---- what a command used ---- */

TEST(the_time_of_the_processor_counts_children_and_orphans)
{
    CHECK_INT(shell_init(test_folder()), 0);
    fifo_make();
    const char *burn = "while read -r a b c d e f g h i j k l m user rest </proc/self/stat &&"
                       " [ $user -lt 20 ]; do :; done"; /* hundredths of a second */
    AUTO_FREE char *command = mem_printf("(setsid sh -c '%s; echo > %s' &); sh -c '%s'; cat %s",
                                         burn, fifo, burn, fifo);
    struct test_host *h = command_run(command);
    mem_clear(&fifo);
    CHECK_INT(h->tasks[0]->outcome, JOB_COMPLETED);
    CHECK(h->cost.cpu_us >= 390000 && h->cost.cpu_us < 30 * 1000000);
    test_host_free(h);
}

TEST(the_largest_process_is_the_peak_memory)
{
    struct test_host *h = command_run("true");
    CHECK(h->cost.is_known && h->cost.memory_is_at_most);
    test_host_free(h);
    h = command_run("head -c 100000000 /dev/zero | tail -n 1 | wc -c");
    CHECK(!h->cost.memory_is_at_most);
    CHECK(h->cost.memory_bytes > 100000000 && h->cost.memory_bytes < 400000000);
    test_host_free(h);
}

TEST(costs_of_several_tasks_are_one_text)
{
    struct cost c = {0};
    char text[COST_TEXT_MAX];
    CHECK_TEXT(cost_text(&c, text), "");
    cost_add(&c, &(struct cost){true, 1500000, 20000000, true});
    CHECK_TEXT(cost_text(&c, text), ", CPU 1.500 s, peak memory under 20.0 MB");
    cost_add(&c, &(struct cost){true, 2000, 3000000, false});
    CHECK_TEXT(cost_text(&c, text), ", CPU 1.502 s, peak memory 3.0 MB");
    cost_add(&c, &(struct cost){true, 0, 30000000, true});
    CHECK_TEXT(cost_text(&c, text), ", CPU 1.502 s, peak memory 3.0 MB");
    cost_add(&c, &(struct cost){true, 0, 4000000, false});
    CHECK_TEXT(cost_text(&c, text), ", CPU 1.502 s, peak memory 4.0 MB");
}

/* ---- limits ---- */

TEST(limits_hold_for_all_processes_of_a_command)
{
    struct test_host *h = test_host_new(
        &shell_worker,
        "{\"memory\":\"64MiB\",\"cpu_time\":\"5s\",\"processes\":777,"
        "\"open_files\":99,\"nice\":3,\"command\":\"sh -c 'cat /proc/self/limits; "
        "nice'\"}");
    test_host_run(h);
    AUTO_FREE char *out = test_host_text(h, LEVEL_INFO);
    const char *const limits[] = {
        "Max data size", "67108864 67108864", "Max cpu time",   "5 6",
        "Max processes", "777 777",           "Max open files", "99 99"};
    for (size_t i = 0; i < ARRAY_LEN(limits); i += 2) {
        const char *at = strstr(out, limits[i]);
        char soft[32] = "", hard[32] = "";
        CHECK(at && sscanf(at + strlen(limits[i]), "%31s %31s", soft, hard) == 2);
        AUTO_FREE char *both = mem_printf("%s %s", soft, hard);
        CHECK_TEXT(both, limits[i + 1]);
    }
    AUTO_FREE char *niceness = mem_printf("%d", MIN(getpriority(PRIO_PROCESS, 0) + 3, 19));
    CHECK_TEXT(h->lines[h->line_count - 1].text, niceness);
    test_host_free(h);
}

TEST(a_command_that_uses_too_much_of_the_processor_says_so)
{
    const char *const commands[] = {"while :; do :; done",
                                    "sh -c 'while :; do :; done'; exit $?"};
    for (size_t i = 0; i < ARRAY_LEN(commands); i++) {
        AUTO_FREE char *config =
            mem_printf("{\"cpu_time\":\"300ms\",\"command\":\"%s\"}", commands[i]);
        struct test_host *h = test_host_new(&shell_worker, config);
        test_host_run(h);
        CHECK_INT(h->tasks[0]->outcome, JOB_FAILED);
        CHECK_TEXT(h->tasks[0]->cause,
                   i == 0
                       ? "killed by signal 24 (CPU time limit exceeded), more than cpu_time: 1s"
                       : "exit code 152, more than cpu_time: 1s");
        test_host_free(h);
    }
}

TEST(a_process_gets_no_more_memory_than_allowed)
{
    struct test_host *h = test_host_new(
        &shell_worker, "{\"memory\":\"32MiB\",\"command\":\"head -c 100000000 /dev/zero | tail "
                       "-n 1 | wc -c\"}");
    test_host_run(h);
    AUTO_FREE char *err = test_host_text(h, LEVEL_WARN);
    CHECK_HAS(err, "memory exhausted");
    test_host_free(h);
}
