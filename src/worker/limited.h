/* limited.h: what a command may use: the settings memory, cpu_time, processes, open_files and
 * nice, each of which prlimit(1) and nice(1) set before the command begins. Thread: any. */
#pragma once

#include "base/arena.h"
#include "base/err.h"
#include "worker/worker.h"

enum { LIMITED_WORDS_MAX = 12 };

/* Puts in front of /bin/sh what has to be there, and returns how many words that are; 0: the
 * command has no limits. They live in the arena. */
int limited_words(const struct settings *s, struct arena *arena,
                  char *words[LIMITED_WORDS_MAX]);

/* Which limit has ended a command, as far as its status (of wait(2)) tells; "" when none, else
 * ", more than cpu_time: 5s". */
void limited_cause(const struct settings *s, int status, char to[ERR_TEXT_MAX]);

/* The settings, for the list of a worker's. */
#define LIMITED_SETTINGS                                                                       \
    {.name = "memory",                                                                         \
     .kind = SETTING_SIZE,                                                                     \
     .help = "each of its processes gets so much; 0: no limit"},                               \
        {.name = "cpu_time",                                                                   \
         .kind = SETTING_DURATION,                                                             \
         .help = "each of its processes is ended after so much; 0: no limit"},                 \
        {.name = "processes",                                                                  \
         .kind = SETTING_INT,                                                                  \
         .help = "of the server's user, when it starts one more; 0: no limit"},                \
        {.name = "open_files",                                                                 \
         .kind = SETTING_INT,                                                                  \
         .help = "of each of its processes; 0: the server's limit"},                           \
    {                                                                                          \
        .name = "nice", .kind = SETTING_INT, .max = 19,                                        \
        .help = "how far it steps back for others"                                             \
    }
