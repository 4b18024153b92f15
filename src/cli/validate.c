/* tailrace validate FILE...: the checks of the server, without one. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/limits.h"
#include "cli/arguments.h"
#include "cli/cli.h"
#include "job/definition.h"
#include "worker/worker.h"

static void fd_close(const int *fd)
{
    if (*fd >= 0)
        (void)close(*fd);
}

static int file_read(const char *path, struct buf *out, struct err *e)
{
    AUTO(fd_close) int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0 && errno == ENOENT)
        return fail(e, E_NOTFOUND, "there is no file %s", path);
    if (fd < 0)
        return fail_errno(e, errno, "cannot open %s", path);
    ssize_t n = 0;
    char *room;
    while ((room = buf_room(out, 4096)) && (n = read(fd, room, 4096)) > 0)
        out->n += (size_t)n;
    if (n < 0)
        return fail_errno(e, errno, "cannot read %s", path);
    return 0; /* a file that is too large is longer than the limit now: the parser says it */
}

static int file_validate(const char *path, struct err *e)
{
    AUTO_BUF text = BUF_INIT(LIMIT_DEFINITION_BYTES + 8192);
    int r = file_read(path, &text, e);
    if (r < 0)
        return r;
    struct definition_input in = {
        .text = buf_str(&text),
        .origin = path,
        .format = str_ends(str_of(path), STR(".json")) ? DEFINITION_JSON : DEFINITION_YAML,
        .schemas = worker_schemas(),
    };
    struct definition *d = NULL;
    r = definition_parse(&in, &d, e);
    if (r < 0)
        return r;
    printf("%s: definition '%s' is valid: %d %s", path, d->id, d->step_count,
           d->step_count == 1 ? "step" : "steps");
    if (d->pool)
        printf("; only a server knows whether it has pool '%s'", d->pool);
    (void)putchar('\n');
    for (int i = 0; i < d->warning_count; i++)
        printf("%s: warning: %s\n", path, d->warnings[i]);
    definition_free(d);
    return 0;
}

static int validate_run(const struct arguments *a, struct err *e)
{
    int status = 0;
    for (int i = 0; i < a->value_count; i++) {
        struct err wrong = {0};
        int r = file_validate(a->values[i], &wrong);
        if (r >= 0)
            continue;
        if (status < 0)
            fprintf(stderr, "tailrace: %s\n", e->text);
        *e = wrong;
        status = r;
    }
    return status;
}

const struct command validate_command = {
    .name = "validate",
    .arguments = "FILE...",
    .summary = "check definition files; needs no server",
    .help =
        "Files that end in .json are read as JSON, all others as YAML. Of each wrong file one\n"
        "sentence with file, line and column goes to stderr, and the exit status is 2.",
    .examples = "validate definitions/*.yaml",
    .values_min = 1,
    .values_max = -1,
    .run = validate_run,
};
