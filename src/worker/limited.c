/* By a program in front and not by the server between fork() and exec(): what runs there shares
 * the server's memory (child.h). Only commands with limits pay for it. */
#include "worker/limited.h"

#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <sys/wait.h>

#include "base/buf.h"
#include "job/quantity.h"

enum { CPU_LAST_S = 1, SHELL_SIGNAL_CODE = 128, WORD_BYTES = 64 };

static int64_t cpu_s(const struct settings *s)
{
    return (settings_int(s, "cpu_time") + 999) / 1000;
}

static void word_add(struct arena *arena, char **words, int *count, const char *option,
                     int64_t soft, int64_t hard)
{
    ASSERT(*count < LIMITED_WORDS_MAX);
    char *word = words[(*count)++] = arena_alloc(arena, WORD_BYTES);
    if (soft < 0)
        (void)snprintf(word, WORD_BYTES, "%s", option);
    else if (hard < 0)
        (void)snprintf(word, WORD_BYTES, "%s%" PRId64, option, soft);
    else
        (void)snprintf(word, WORD_BYTES, "%s%" PRId64 ":%" PRId64, option, soft, hard);
}

/* Memory is what Linux calls data: reserving addresses, as many runtimes do, costs nothing. The
 * end of cpu_time is SIGXCPU, and SIGKILL a second later for who ignores it. */
int limited_words(const struct settings *s, struct arena *arena, char *words[LIMITED_WORDS_MAX])
{
    int count = 0;
    int64_t memory = settings_int(s, "memory"), processes = settings_int(s, "processes"),
            files = settings_int(s, "open_files"), nice = settings_int(s, "nice");
    if (memory || cpu_s(s) || processes || files)
        word_add(arena, words, &count, "/usr/bin/prlimit", -1, -1);
    if (memory)
        word_add(arena, words, &count, "--data=", memory, memory);
    if (cpu_s(s))
        word_add(arena, words, &count, "--cpu=", cpu_s(s), cpu_s(s) + CPU_LAST_S);
    if (processes)
        word_add(arena, words, &count, "--nproc=", processes, processes);
    if (files)
        word_add(arena, words, &count, "--nofile=", files, files);
    if (nice) {
        word_add(arena, words, &count, "/usr/bin/nice", -1, -1);
        word_add(arena, words, &count, "-n", -1, -1);
        word_add(arena, words, &count, "", nice, -1);
    }
    return count;
}

/* A shell tells the signal of its program as an exit code. */
void limited_cause(const struct settings *s, int status, char to[ERR_TEXT_MAX])
{
    char text[QUANTITY_TEXT_MAX];
    bool by_signal = WIFSIGNALED(status) && WTERMSIG(status) == SIGXCPU;
    bool by_code = WIFEXITED(status) && WEXITSTATUS(status) == SHELL_SIGNAL_CODE + SIGXCPU;
    to[0] = '\0';
    if (cpu_s(s) && (by_signal || by_code))
        (void)snprintf(to, ERR_TEXT_MAX, ", more than cpu_time: %s",
                       quantity_format_duration(cpu_s(s) * 1000, text));
}
