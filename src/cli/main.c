/* The program's door: finds the command in the table, lets the table read its arguments, runs
 * it, and turns an error into one line on stderr and an exit status. */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/fault.h"
#include "cli/arguments.h"
#include "cli/cli.h"

const struct command *const commands[] = {
    &serve_command,  &run_command,     &rerun_command,    &logs_command,
    &jobs_command,   &show_command,    &cancel_command,   &definitions_command,
    &pause_command,  &resume_command,  &schedule_command, &validate_command,
    &backup_command, &log_command,     &progress_command, &output_command,
    &spawn_command,  &version_command, &help_command,     NULL,
};

static int command_run(const struct command *c, int argc, char **argv, struct err *e)
{
    struct arguments a;
    int r = arguments_parse(c, argc, argv, &a, e);
    if (r >= 0 && a.help)
        command_help(c);
    else if (r >= 0)
        r = c->run(&a, e);
    arguments_done(&a);
    return r;
}

/* What may stand before the command: --server, for whoever keeps it in an alias. */
static int globals_take(int *argc, char ***argv, struct err *e)
{
    while (*argc > 1 && (*argv)[1][0] == '-') {
        const char *word = (*argv)[1];
        int used = 1;
        if (strncmp(word, "--server=", 9) == 0) {
            (void)setenv("TAILRACE_URL", word + 9, 1);
        } else if (strcmp(word, "--server") == 0 && *argc > 2) {
            (void)setenv("TAILRACE_URL", (*argv)[2], 1);
            used = 2;
        } else {
            return fail(e, E_INVAL,
                        "there is no option %s before a command; see `tailrace help`", word);
        }
        *argc -= used;
        *argv += used;
    }
    return 0;
}

static int program_run(int argc, char **argv, struct err *e)
{
    static char version[] = "version";
    const char *word = argc > 1 ? argv[1] : "";
    if (argc < 2 || strcmp(word, "--help") == 0 || strcmp(word, "-h") == 0) {
        command_help_all();
        return 0;
    }
    if (strcmp(word, "--version") == 0)
        argv[1] = version;
    int r = globals_take(&argc, &argv, e);
    if (r < 0)
        return r;
    if (argc < 2)
        return fail(e, E_INVAL, "which command? `tailrace help` lists them");
    const struct command *c = command_find(argv[1]);
    return c ? command_run(c, argc - 1, argv + 1, e) : command_unknown(argv[1], e);
}

int main(int argc, char **argv)
{
    struct err e = {0};
    (void)signal(SIGPIPE,
                 SIG_IGN); /* a closed pipe is an error of a write, not of the program */
    int r = fault_init(&e);
    if (r == 0)
        r = program_run(argc, argv, &e);
    else if (r > 0)
        r = 0; /* it was a question */
    if (r >= 0 && (fflush(stdout) != 0 || ferror(stdout)))
        return err_exit_status(E_IO); /* `tailrace logs | head`: nobody to tell */
    if (r < 0)
        fprintf(stderr, "tailrace: %s\n", e.text);
    return r < 0 ? err_exit_status(r) : r;
}
