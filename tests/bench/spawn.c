/* spawn: the least that running commands takes: posix_spawn() with two pipes, so many at a
 * time, what they write is read, they are waited for, nothing of it is kept. Like floor.c for
 * what is sent.
 *
 *     spawn COUNT AT-ONCE PROGRAM ARGUMENT...      prints how many a second */
#include <err.h>
#include <fcntl.h>
#include <spawn.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/text.h"

enum { AT_ONCE_MAX = 64 };

struct command {
    pid_t pid; /* 0: free */
    int reads[2];
};

static struct command commands[AT_ONCE_MAX];

static void command_start(struct command *c, char **argv)
{
    posix_spawn_file_actions_t files;
    posix_spawnattr_t attr;
    int ends[2][2];
    if (pipe2(ends[0], O_CLOEXEC) < 0 || pipe2(ends[1], O_CLOEXEC) < 0)
        err(1, "pipe");
    posix_spawn_file_actions_init(&files);
    posix_spawnattr_init(&attr);
    posix_spawnattr_setflags(&attr, POSIX_SPAWN_SETSID);
    for (int i = 0; i < 2; i++) {
        posix_spawn_file_actions_adddup2(&files, ends[i][1], i + 1);
        c->reads[i] = ends[i][0];
    }
    int r = posix_spawn(&c->pid, argv[0], &files, &attr, argv, environ);
    if (r)
        errx(1, "%s: %s", argv[0], strerror(r));
    for (int i = 0; i < 2; i++)
        close(ends[i][1]);
    posix_spawnattr_destroy(&attr);
    posix_spawn_file_actions_destroy(&files);
}

static void command_end(struct command *c)
{
    char text[4096];
    for (int i = 0; i < 2; i++) {
        while (read(c->reads[i], text, sizeof(text)) > 0)
            ;
        close(c->reads[i]);
    }
    c->pid = 0;
}

static void one_ended(int at_once)
{
    int status;
    pid_t pid = wait(&status);
    if (pid < 0 || status != 0)
        errx(1, "a command ended with %d", status);
    for (int i = 0; i < at_once; i++)
        if (commands[i].pid == pid)
            command_end(&commands[i]);
}

int main(int argc, char **argv)
{
    int64_t count, at_once;
    if (argc < 4 || !str_to_int(str_of(argv[1]), 1, INT32_MAX, &count) ||
        !str_to_int(str_of(argv[2]), 1, AT_ONCE_MAX, &at_once))
        errx(2, "usage: spawn COUNT AT-ONCE PROGRAM ARGUMENT...");
    int64_t began_us = clock_mono_us();
    for (int64_t started = 0, ended = 0; ended < count; ended++) {
        for (int i = 0; i < at_once && started < count; i++)
            if (commands[i].pid == 0) {
                command_start(&commands[i], argv + 3);
                started++;
            }
        one_ended((int)at_once);
    }
    printf("%.1f\n", (double)count * 1e6 / (double)(clock_mono_us() - began_us));
    return 0;
}
