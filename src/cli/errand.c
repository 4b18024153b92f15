/* tailrace log, progress, output, spawn: what a command says to the server that runs it. The
 * environment that it was given says where that is and which task it is. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/json.h"
#include "base/mem.h"
#include "cli/arguments.h"
#include "cli/cli.h"
#include "cli/client.h"
#include "job/parameter.h"

enum { BODY_MAX_BYTES = 1000 * 1000, READ_BYTES = 64 * 1024, LINE_MAX_BYTES = 64 * 1024 };

struct errand {
    struct client client;
    char *path; /* up to the last '/' */
};

static int errand_open(struct errand *it, struct err *e)
{
    const char *url = getenv("TAILRACE_URL"), *step = getenv("TAILRACE_STEP_ID");
    const char *task = getenv("TAILRACE_TASK"), *token = getenv("TAILRACE_TOKEN");
    if (!url || !step || !task || !token)
        return fail(e, E_STATE,
                    "this is for commands of a step: TAILRACE_URL, TAILRACE_STEP_ID, "
                    "TAILRACE_TASK and TAILRACE_TOKEN are not all set");
    int r = client_open(&it->client, url, e);
    if (r < 0)
        return r;
    it->client.token = token;
    it->path = mem_printf("/api/steps/%s/tasks/%s/", step, task);
    return 0;
}

static void errand_close(struct errand *it)
{
    client_close(&it->client);
    mem_clear(&it->path);
}

static int errand_send(struct errand *it, const char *what, struct buf *body, struct err *e)
{
    AUTO_FREE char *path = mem_printf("%s%s", it->path, what);
    AUTO_JSON *reply = NULL;
    if (body->overflow)
        return fail(e, E_TOOBIG, "it is longer than %d bytes", BODY_MAX_BYTES);
    return client_post_text(&it->client, path, buf_text(body), &reply, e);
}

/* The only request of a command. */
static int errand_say(const char *what, struct buf *body, struct err *e)
{
    struct errand it = {0};
    int r = errand_open(&it, e);
    if (r < 0)
        return r;
    r = errand_send(&it, what, body, e);
    errand_close(&it);
    return r;
}

/* ---- log ---- */

static int lines_send(struct errand *it, const char *level, struct str text, struct err *e)
{
    AUTO_BUF body = BUF_INIT(BODY_MAX_BYTES);
    struct json j = JSON_TO(&body);
    json_begin_object(&j);
    json_key_c(&j, "level", level);
    json_key(&j, "lines");
    json_begin_array(&j);
    while (text.n > 0)
        json_text(&j, str_cut(&text, '\n'));
    json_end_array(&j);
    json_end_object(&j);
    return errand_send(it, "log", &body, e);
}

/* JSON has no zero bytes here; this one becomes U+FFFD, as what is no UTF-8 does. */
static void zero_bytes_mark(char *p, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (p[i] == '\0')
            p[i] = (char)0xff;
}

/* Whole lines as they come, several at once when they come fast. */
static int stdin_send(struct errand *it, const char *level, struct err *e)
{
    AUTO_BUF text = BUF_INIT(LINE_MAX_BYTES + READ_BYTES);
    for (;;) {
        char *room = buf_room(&text, READ_BYTES);
        ssize_t n = read(STDIN_FILENO, room, READ_BYTES);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return fail(e, E_IO, "cannot read standard input: %s", strerror(errno));
        zero_bytes_mark(room, (size_t)n);
        text.n += (size_t)n;
        const char *newline = text.n ? memrchr(text.p, '\n', text.n) : NULL;
        size_t whole = newline ? (size_t)(newline + 1 - text.p) : 0;
        if (n == 0 || (whole == 0 && text.n >= LINE_MAX_BYTES))
            whole = text.n;
        int r = whole ? lines_send(it, level, (struct str){text.p, whole}, e) : 0;
        if (r < 0 || n == 0)
            return r;
        buf_drop(&text, whole);
    }
}

static int log_run(const struct arguments *a, struct err *e)
{
    struct errand it = {0};
    AUTO_BUF text = BUF_INIT(BODY_MAX_BYTES);
    const char *level = arguments_text(a, "level");
    int r = errand_open(&it, e);
    if (r < 0)
        return r;
    for (int i = 0; i < a->value_count; i++)
        buf_printf(&text, "%s%s", i ? " " : "", a->values[i]);
    if (a->value_count == 0)
        r = stdin_send(&it, level, e);
    else if (text.overflow)
        r = fail(e, E_TOOBIG, "the text is longer than %d bytes", BODY_MAX_BYTES);
    else
        r = lines_send(&it, level, text.n ? buf_str(&text) : STR("\n"), e);
    errand_close(&it);
    return r;
}

static const struct option log_options[] = {
    {.name = "level",
     .letter = 'l',
     .value = "LEVEL",
     .fallback = "info",
     .help = "debug, info, warn or error"},
    {0},
};

const struct command log_command = {
    .name = "log",
    .arguments = "[TEXT...]",
    .summary = "in a step: write a line to its log",
    .help = "Without TEXT each line of standard input becomes a line, as it comes.\n"
            "The server and the task are those of the command that it is called from.",
    .examples = "log \"ten files are new\"\n"
                "log --level warn \"one file is missing\"",
    .options = log_options,
    .values_min = 0,
    .values_max = -1,
    .run = log_run,
};

/* ---- progress, output, spawn ---- */

static const struct option no_options[] = {{0}};

static int progress_run(const struct arguments *a, struct err *e)
{
    AUTO_BUF body = BUF_INIT(BODY_MAX_BYTES);
    struct json j = JSON_TO(&body);
    json_begin_object(&j);
    json_key_c(&j, "text", a->values[0]);
    json_end_object(&j);
    return errand_say("progress", &body, e);
}

const struct command progress_command = {
    .name = "progress",
    .arguments = "TEXT",
    .summary = "in a step: say how far it is",
    .help = "TEXT is for people: \"12/40\", \"40 %\". The newest one is shown.",
    .examples = "progress 12/40",
    .options = no_options,
    .values_min = 1,
    .values_max = 1,
    .run = progress_run,
};

/* NAME=VALUE of each argument from `first` on, as an object. */
static int values_write(struct json *j, const struct arguments *a, int first, struct err *e)
{
    json_begin_object(j);
    for (int i = first; i < a->value_count; i++) {
        struct str value = str_of(a->values[i]), name = str_cut(&value, '=');
        if (!value.p)
            return fail(e, E_INVAL, "'%s' is not NAME=VALUE", a->values[i]);
        if (!parameter_is_name(name))
            return fail(e, E_INVAL, "'%.*s' cannot be a name: that is " PARAMETER_NAME_RULE,
                        STR_ARG(name));
        for (int k = first; k < i; k++)
            if (strncmp(a->values[k], a->values[i], name.n + 1) == 0)
                return fail(e, E_INVAL, "'%.*s' is there twice", STR_ARG(name));
        AUTO_FREE char *key = mem_copy(name.p, name.n);
        json_key_text(j, key, value);
    }
    json_end_object(j);
    return 0;
}

static int output_run(const struct arguments *a, struct err *e)
{
    AUTO_BUF body = BUF_INIT(BODY_MAX_BYTES);
    struct json j = JSON_TO(&body);
    json_begin_object(&j);
    json_key(&j, "outputs");
    int r = values_write(&j, a, 0, e);
    json_end_object(&j);
    return r < 0 ? r : errand_say("output", &body, e);
}

const struct command output_command = {
    .name = "output",
    .arguments = "NAME=VALUE...",
    .summary = "in a step: set outputs for the steps after it",
    .help = "NAME is a-z, 0-9 and _, the first a letter. Steps after it have the value as\n"
            "{steps.STEP.NAME} in their config, and as the variable STEP_<STEP>_<NAME>.",
    .examples = "output version=1.4.2 files=12",
    .options = no_options,
    .values_min = 1,
    .values_max = -1,
    .run = output_run,
};

static int spawn_run(const struct arguments *a, struct err *e)
{
    AUTO_BUF body = BUF_INIT(BODY_MAX_BYTES);
    struct json j = JSON_TO(&body);
    json_begin_object(&j);
    json_key_c(&j, "key", a->values[0]);
    json_key(&j, "values");
    int r = values_write(&j, a, 1, e);
    json_end_object(&j);
    return r < 0 ? r : errand_say("spawn", &body, e);
}

const struct command spawn_command = {
    .name = "spawn",
    .arguments = "KEY [NAME=VALUE...]",
    .summary = "in a step: add a task to it",
    .help =
        "The task runs the step's command with KEY as the variable ITEM, and each VALUE as\n"
        "ITEM_<NAME>. NAME is a-z, 0-9 and _, the first a letter. A key that the step has\n"
        "already is an error (status 5).",
    .examples = "spawn articles/one.txt\nspawn articles/two.txt language=en pages=12",
    .options = no_options,
    .values_min = 1,
    .values_max = -1,
    .run = spawn_run,
};
