/* tailrace backup COPY: a copy of the data, while a server works with it or not. */
#include "store/backup.h"

#include <stdio.h>

#include "cli/arguments.h"
#include "cli/cli.h"
#include "cli/terminal.h"

struct backup {
    struct backup_watch watch;
    struct terminal terminal;
    int64_t bytes;
};

static void on_copied(struct backup_watch *watch, int64_t bytes, int64_t total_bytes)
{
    struct backup *b = container_of(watch, struct backup, watch);
    char done[32], total[32];
    b->bytes = bytes;
    text_bytes((uint64_t)bytes, done);
    text_bytes((uint64_t)total_bytes, total);
    buf_clear(&b->terminal.progress);
    buf_printf(&b->terminal.progress, "%s of %s copied", done, total);
    (void)terminal_flush(&b->terminal);
}

static int backup_run(const struct arguments *a, struct err *e)
{
    struct backup b = {.watch = {on_copied}};
    terminal_init(&b.terminal);
    int r = store_backup(arguments_text(a, "data"), a->values[0], &b.watch, e);
    terminal_done(&b.terminal);
    if (r < 0)
        return r;
    char size[32];
    text_bytes((uint64_t)b.bytes, size);
    printf("%s: %s\n", a->values[0], size);
    return 0;
}

static const struct option options[] = {
    {.name = "data",
     .value = "DIR",
     .environment = "TAILRACE_DATA",
     .fallback = "./" DEFAULT_DATA,
     .help = "the server's data folder"},
    {0},
};

const struct command backup_command = {
    .name = "backup",
    .arguments = "COPY",
    .summary = "copy the data, also while the server runs",
    .help =
        "COPY is one file, a SQLite database: everything that was committed when the copying\n"
        "began. It is checked before it gets its name. To restore it, make it the file\n"
        "tailrace.db of an empty folder and start the server with --data on that folder.",
    .examples = "backup monday.db\n"
                "backup --data /var/lib/tailrace /srv/copies/monday.db",
    .options = options,
    .values_min = 1,
    .values_max = 1,
    .run = backup_run,
};
