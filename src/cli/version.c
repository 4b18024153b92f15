/* tailrace version */
#include <stdio.h>

#include "cli/arguments.h"
#include "cli/cli.h"

static int version_run(const struct arguments *a, struct err *e)
{
    (void)a, (void)e;
    printf("tailrace %s\n", VERSION);
    return 0;
}

const struct command version_command = {
    .name = "version",
    .arguments = "",
    .summary = "print the version",
    .examples = "version",
    .run = version_run,
};
