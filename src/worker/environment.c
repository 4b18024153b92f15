#include "worker/environment.h"

#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/mem.h"

/* A few references to a long secret must not grow without bound. The system takes no variable
 * of a thirtieth of this: the command is not started, and says so. */
enum { ENVIRONMENT_VALUE_MAX = 4 * 1024 * 1024 };

enum { VARIABLE_MAX = 32 * 4096 }; /* Linux: MAX_ARG_STRLEN, with the name and the NUL */

static char *server_url, *own_folder;

void environment_set_server(const char *url)
{
    char path[PATH_MAX];
    mem_clear(&server_url);
    mem_clear(&own_folder);
    server_url = mem_strdup(url);
    ssize_t n = readlink("/proc/self/exe", path, sizeof(path));
    const char *last = n > 0 ? memrchr(path, '/', (size_t)n) : NULL;
    own_folder = last ? mem_copy(path, (size_t)(last - path)) : NULL;
}

void environment_set(struct environment *env, const char *name, const char *value)
{
    size_t n = strlen(name), size = n + strlen(value) + 2;
    char *entry = arena_alloc(&env->arena, size);
    (void)snprintf(entry, size, "%s=%s", name, value);
    for (size_t i = 0; i < env->count; i++)
        if (strncmp(env->entries[i], entry, n + 1) == 0) {
            env->entries[i] = entry;
            return;
        }
    env->entries[env->count++] = entry;
    MEM_GROW(env->entries, env->count, env->cap);
    env->entries[env->count] = NULL;
}

static void inherit(struct environment *env)
{
    static const char *const names[] = {"HOME", "LANG", "LC_ALL", "LOGNAME", "SHELL",
                                        "TERM", "TZ",   "TMPDIR", "USER"};
    const char *path = getenv("PATH");
    path = path && *path ? path : "/usr/local/bin:/usr/bin:/bin";
    AUTO_FREE char *with_own = own_folder ? mem_printf("%s:%s", path, own_folder) : NULL;
    environment_set(env, "PATH", with_own ? with_own : path);
    for (size_t i = 0; i < ARRAY_LEN(names); i++) {
        const char *value = getenv(names[i]);
        if (value)
            environment_set(env, names[i], value);
    }
    environment_set(env, "PYTHONUNBUFFERED", "1"); /* or its lines come in bursts */
}

/* "PARAM_SITE" for the parameter "site". */
static void named_set(struct environment *env, const char *prefix, const char *of,
                      const char *value)
{
    AUTO_FREE char *name = mem_printf("%s%s", prefix, of);
    if (value && strlen(name) + strlen(value) + 2 > VARIABLE_MAX)
        return; /* with it no command could be started */
    text_to_variable(name);
    environment_set(env, name, value ? value : "");
}

static void own_set(struct environment *env, const struct worker_task *task, size_t i)
{
    AUTO_BUF value = BUF_INIT(ENVIRONMENT_VALUE_MAX);
    worker_fill(task->step, settings_item(task->settings, "env", i), &value);
    environment_set(env, settings_key(task->settings, "env", i), buf_text(&value));
}

void environment_init(struct environment *env, struct worker_task *task)
{
    const struct worker_step *step = task->step;
    *env = (struct environment){.arena = ARENA_INIT};
    MEM_GROW(env->entries, env->count, env->cap);
    inherit(env);
    if (settings_bool(task->settings, "pty")) {
        environment_set(env, "TERM", "xterm-256color");
        environment_set(env, "PAGER", "cat"); /* nobody turns pages */
        environment_set(env, "GIT_PAGER", "cat");
    }
    for (size_t i = 0; i < step->parameter_count; i++)
        named_set(env, "PARAM_", step->parameters[i].name, step->parameters[i].value);
    for (size_t i = 0; i < step->secret_count; i++)
        named_set(env, "SECRET_", step->secrets[i].name, step->secrets[i].value);
    for (size_t i = 0; i < step->variable_count; i++)
        environment_set(env, step->variables[i].name, step->variables[i].value);
    environment_set(env, "TAILRACE_JOB", step->job_id_text);
    environment_set(env, "TAILRACE_STEP", step->name);
    environment_set(env, "TAILRACE_STEP_ID", step->step_id_text);
    environment_set(env, "TAILRACE_TASK", ID_TEXT(task->id));
    char attempt[16];
    (void)snprintf(attempt, sizeof(attempt), "%d", task->attempt);
    environment_set(env, "TAILRACE_ATTEMPT", attempt);
    if (server_url && step->host->token) {
        environment_set(env, "TAILRACE_URL", server_url);
        environment_set(env, "TAILRACE_TOKEN", step->host->token(task));
    }
    if (task->item)
        environment_set(env, "ITEM", task->item);
    for (size_t i = 0; i < task->value_count; i++)
        named_set(env, "ITEM_", task->values[i].name, task->values[i].value);
    for (size_t i = 0; i < settings_count(task->settings, "env"); i++)
        own_set(env, task, i);
}

void environment_done(struct environment *env)
{
    arena_done(&env->arena);
    mem_clear(&env->entries);
    env->count = env->cap = 0;
}
