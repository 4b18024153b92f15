/* tailrace serve: settings from flags, else environment, else file, else the defaults here;
 * then the server runs until a signal ends it. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/limits.h"
#include "cli/arguments.h"
#include "cli/cli.h"
#include "job/node.h"
#include "job/quantity.h"
#include "server/server.h"

#define DEFAULT_LISTEN "127.0.0.1:8085"
#define DEFAULT_DEFINITIONS "definitions"
#define DEFAULT_HEARTBEAT "20"
#define DEFAULT_MAX_JOBS "0"
#define DEFAULT_MAX_FAMILY "1000"
#define DEFAULT_MIN_FREE "256MiB"

enum { HEARTBEAT_MAX_S = 600 };

static const struct option serve_options[] = {
    {.name = "listen",
     .value = "HOST:PORT",
     .environment = "TAILRACE_LISTEN",
     .help = "where to listen; port 0 picks a free one (default " DEFAULT_LISTEN ")"},
    {.name = "data",
     .value = "DIR",
     .environment = "TAILRACE_DATA",
     .help = "holds everything it ever writes (default ./" DEFAULT_DATA ")"},
    {.name = "definitions",
     .value = "DIR",
     .environment = "TAILRACE_DEFINITIONS",
     .help = "job definitions (default ./" DEFAULT_DEFINITIONS ", when it is there)"},
    {.name = "heartbeat",
     .value = "SECONDS",
     .environment = "TAILRACE_HEARTBEAT",
     .help = "a ping to viewers after so much silence (default " DEFAULT_HEARTBEAT ")"},
    {.name = "max-jobs",
     .value = "N",
     .environment = "TAILRACE_MAX_JOBS",
     .help = "so many jobs run at once, the others wait (default 0: no limit)"},
    {.name = "max-family",
     .value = "N",
     .environment = "TAILRACE_MAX_FAMILY",
     .help =
         "so many jobs may come of one by steps that start jobs (default " DEFAULT_MAX_FAMILY
         "; 0: no limit)"},
    {.name = "keep-age",
     .value = "TIME",
     .environment = "TAILRACE_KEEP_AGE",
     .help = "jobs that ended longer ago are deleted: 30d (default 0: never)"},
    {.name = "keep-jobs",
     .value = "N",
     .environment = "TAILRACE_KEEP_JOBS",
     .help =
         "of the jobs that have ended, more are deleted, the oldest first (default 0: none)"},
    {.name = "keep-bytes",
     .value = "SIZE",
     .environment = "TAILRACE_KEEP_BYTES",
     .help = "the same when their text is longer in all: 20GiB (default 0: none)"},
    {.name = "min-free",
     .value = "SIZE",
     .environment = "TAILRACE_MIN_FREE",
     .help = "with less room for the data new jobs wait (default " DEFAULT_MIN_FREE ")"},
    {.name = "pool",
     .many = true,
     .value = "NAME=N",
     .environment = "TAILRACE_POOL",
     .help = "so many jobs whose definition names this pool run at once; several times"},
    {.name = "log-format",
     .value = "text|json",
     .environment = "TAILRACE_LOG_FORMAT",
     .help = "its own log on stderr: lines for people, or a JSON object each (default text)"},
    {.name = "config",
     .value = "FILE",
     .environment = "TAILRACE_CONFIG",
     .help = "YAML or JSON with the options above as keys; pools: {NAME: N}"},
    {0},
};

static void fd_close(const int *fd)
{
    if (*fd >= 0)
        (void)close(*fd);
}

static int file_read(const char *path, struct buf *out, struct err *e)
{
    AUTO(fd_close) int fd = open(path, O_RDONLY | O_CLOEXEC);
    ssize_t n = 0;
    char *room;
    if (fd < 0 && errno == ENOENT)
        return fail(e, E_NOTFOUND, "there is no configuration file %s", path);
    if (fd < 0)
        return fail_errno(e, errno, "cannot open %s", path);
    while ((room = buf_room(out, 4096)) && (n = read(fd, room, 4096)) > 0)
        out->n += (size_t)n;
    if (n < 0)
        return fail_errno(e, errno, "cannot read %s", path);
    return room ? 0 : fail(e, E_TOOBIG, "%s is too large for a configuration file", path);
}

/* The root of the file, a map of known keys; NULL when there is no file. */
static int config_read(struct node_tree *tree, const char *path, const struct node **ret_root,
                       struct err *e)
{
    static const char *const keys[] = {"listen",     "data",       "definitions", "heartbeat",
                                       "max-jobs",   "max-family", "keep-age",    "keep-jobs",
                                       "keep-bytes", "min-free",   "pools",       "log-format",
                                       NULL};
    AUTO_BUF text = BUF_INIT(LIMIT_DEFINITION_BYTES);
    bool json = str_ends(str_of(path), STR(".json"));
    int r = file_read(path, &text, e);
    if (r >= 0)
        r = json ? node_read_json(tree, buf_str(&text), e)
                 : node_read_yaml(tree, buf_str(&text), e);
    if (r >= 0 && tree->root && tree->root->kind != NODE_NONE)
        r = node_check_map(tree->root, keys, e);
    *ret_root = tree->root;
    return r;
}

/* One setting, wherever it was written. */
static int setting(const struct arguments *a, const struct node *config, const char *name,
                   const char *fallback, const char **ret_value, struct err *e)
{
    const struct node *n = config ? node_get(config, name) : NULL;
    *ret_value = arguments_text(a, name);
    if (*ret_value)
        return 0;
    if (n)
        return node_text(n, ret_value, e);
    *ret_value = fallback;
    return 0;
}

static int log_format_read(const struct arguments *a, const struct node *config, bool *ret_json,
                           struct err *e)
{
    const char *format;
    int r = setting(a, config, "log-format", "text", &format, e);
    if (r < 0)
        return r;
    *ret_json = strcmp(format, "json") == 0;
    if (!*ret_json && strcmp(format, "text") != 0)
        return fail_field(e, E_INVAL, "log-format", "log-format is text or json, not '%s'",
                          format);
    return 0;
}

/* All of them from where they are first found: the flags, the environment, the file. */
static int pools_setting(const struct arguments *a, const struct node *config,
                         struct pool_limits *pools, struct err *e)
{
    const struct node *map = node_get(config, "pools");
    const char *text = arguments_text(a, "pool");
    int count = arguments_count(a, "pool"), r = 0;
    for (int i = 0; i < count && r >= 0; i++)
        r = pools_read(pools, str_of(arguments_item(a, "pool", i)), e);
    if (text && !count)
        r = pools_read(pools, str_of(text), e);
    if (text || !map)
        return r;
    if (map->kind != NODE_MAP)
        return node_fail_expected(map, "a map of names to numbers", e);
    NODE_EACH (map, n) {
        struct err why;
        if (n->kind != NODE_SCALAR)
            return node_fail_expected(n, "a number of places", e);
        if (pool_add(pools, str_of(n->key), str_of(n->text), &why) < 0)
            return node_fail(n, e, "%s", why.text);
    }
    return 0;
}

static bool is_folder(const char *path)
{
    struct stat st;
    return stat(path, &st) == 0 && S_ISDIR(st.st_mode);
}

static int jobs_setting(const struct arguments *a, const struct node *config, const char *name,
                        const char *fallback, int64_t *ret_number, struct err *e)
{
    const char *text;
    int r = setting(a, config, name, fallback, &text, e);
    if (r >= 0 && !str_to_int(str_of(text), 0, INT32_MAX, ret_number))
        return fail_field(e, E_INVAL, name, "%s is a number of jobs, 0 for no limit, not '%s'",
                          name, text);
    return r;
}

/* How long jobs that have ended are kept. */
static int keep_options_read(const struct arguments *a, const struct node *config,
                             struct keep *keep, struct err *e)
{
    const char *age, *bytes;
    int r = setting(a, config, "keep-age", "0", &age, e);
    if (r >= 0)
        r = jobs_setting(a, config, "keep-jobs", "0", &keep->jobs, e);
    if (r >= 0)
        r = setting(a, config, "keep-bytes", "0", &bytes, e);
    if (r < 0)
        return r;
    if (!quantity_parse_duration(str_of(age), &keep->age_ms))
        return fail_field(e, E_INVAL, "keep-age",
                          "keep-age is a duration such as 30d, 0 for no limit, not '%s'", age);
    if (!quantity_parse_size(str_of(bytes), &keep->bytes))
        return fail_field(e, E_INVAL, "keep-bytes",
                          "keep-bytes is a size such as 20GiB, 0 for no limit, not '%s'",
                          bytes);
    return 0;
}

static int options_read(const struct arguments *a, const struct node *config,
                        struct server_options *o, struct err *e)
{
    const char *heartbeat, *least;
    int64_t seconds, max_jobs, max_family;
    int r = setting(a, config, "listen", DEFAULT_LISTEN, &o->listen, e);
    if (r >= 0)
        r = setting(a, config, "data", DEFAULT_DATA, &o->data, e);
    if (r >= 0)
        r = setting(a, config, "definitions",
                    is_folder(DEFAULT_DEFINITIONS) ? DEFAULT_DEFINITIONS : NULL,
                    &o->definitions, e);
    if (r >= 0)
        r = setting(a, config, "heartbeat", DEFAULT_HEARTBEAT, &heartbeat, e);
    if (r >= 0)
        r = jobs_setting(a, config, "max-jobs", DEFAULT_MAX_JOBS, &max_jobs, e);
    if (r >= 0)
        r = jobs_setting(a, config, "max-family", DEFAULT_MAX_FAMILY, &max_family, e);
    if (r >= 0)
        r = setting(a, config, "min-free", DEFAULT_MIN_FREE, &least, e);
    if (r < 0)
        return r;
    if (!str_to_int(str_of(heartbeat), 1, HEARTBEAT_MAX_S, &seconds))
        return fail_field(e, E_INVAL, "heartbeat",
                          "heartbeat is a number of seconds from 1 to %d, not '%s'",
                          HEARTBEAT_MAX_S, heartbeat);
    if (!quantity_parse_size(str_of(least), &o->min_free_bytes) ||
        o->min_free_bytes > INT64_MAX / 2)
        return fail_field(e, E_INVAL, "min-free",
                          "min-free is a size such as 1GiB, 0 for none, not '%s'", least);
    o->heartbeat_ms = seconds * 1000;
    o->max_jobs = (int)max_jobs;
    o->max_family = (int)max_family;
    r = keep_options_read(a, config, &o->keep, e);
    if (r >= 0)
        r = log_format_read(a, config, &o->log_json, e);
    return r < 0 ? r : pools_setting(a, config, &o->pools, e);
}

static void on_ready(const char *address)
{
    printf("listening on %s\n", address);
    (void)fflush(stdout);
}

static int serve_run(const struct arguments *a, struct err *e)
{
    const char *path = arguments_text(a, "config");
    AUTO_NODE_TREE tree = NODE_TREE_OF(path);
    const struct node *config = NULL;
    struct server_options options = {0};
    int r = path ? config_read(&tree, path, &config, e) : 0;
    if (r >= 0)
        r = options_read(a, config, &options, e);
    return r < 0 ? r : server_run(&options, on_ready, e);
}

const struct command serve_command = {
    .name = "serve",
    .arguments = "",
    .summary = "run the server",
    .examples = "serve\n"
                "serve --data /var/lib/tailrace --definitions /etc/tailrace/definitions\n"
                "serve --max-jobs 8 --pool database=2 --keep-age 30d --min-free 1GiB",
    .options = serve_options,
    .help =
        "A flag wins over the environment, that over the file, that over the default.\n"
        "Prints one line, \"listening on URL\", when it is ready. SIGTERM and SIGINT end it\n"
        "in good order: running tasks are stopped and go on with the next start.",
    .run = serve_run,
};
