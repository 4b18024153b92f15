#include "worker/http_output.h"

#include <jansson.h>
#include <stdlib.h>
#include <string.h>

#include "base/limits.h"
#include "base/mem.h"
#include "job/parameter.h"

int http_output_check(const char *name, const char *of, struct err *e)
{
    if (!parameter_is_name(str_of(name)))
        return fail(e, E_INVAL, "an output's name is " PARAMETER_NAME_RULE ", not '%s'", name);
    if (strcmp(of, "status") != 0 && strcmp(of, "body") != 0 && of[0] != '/')
        return fail(e, E_INVAL,
                    "expected status, body or a path in JSON such as /name, found '%s'", of);
    return 0;
}

/* "~1" is a slash in a name, "~0" a tilde. */
static char *token_name(struct str token)
{
    char *name = mem_copy(token.p, token.n), *to = name;
    for (const char *from = name; *from; from++) {
        bool is_escape = from[0] == '~' && (from[1] == '0' || from[1] == '1');
        *to++ = !is_escape ? *from : from[1] == '0' ? '~' : '/';
        from += is_escape;
    }
    *to = 0;
    return name;
}

static const json_t *pointer_follow(const json_t *at, const char *pointer)
{
    struct str rest = str_of(pointer + 1);
    while (at && rest.p) {
        AUTO_FREE char *name = token_name(str_cut(&rest, '/'));
        int64_t index;
        if (json_is_object(at))
            at = json_object_get(at, name);
        else if (json_is_array(at) && str_to_int(str_of(name), 0, INT32_MAX, &index))
            at = json_array_get(at, (size_t)index);
        else
            at = NULL;
    }
    return at;
}

static int value_say(struct worker_task *task, const char *name, const char *pointer,
                     const json_t *answer, struct err *e)
{
    const json_t *value = pointer_follow(answer, pointer);
    if (!value)
        return fail(e, E_INVAL, "output '%s': the answer has no %s", name, pointer);
    AUTO_FREE char *text = json_is_string(value)
                               ? mem_copy(json_string_value(value), json_string_length(value))
                               : json_dumps(value, JSON_ENCODE_ANY | JSON_COMPACT);
    return task->step->host->output(task, str_of(name), str_of(text), e);
}

static int output_say(struct worker_task *task, const char *name, const char *of, int status,
                      struct str body, json_t **answer, struct err *e)
{
    json_error_t why;
    char number[16];
    if (strcmp(of, "body") == 0)
        return task->step->host->output(task, str_of(name), body, e);
    if (strcmp(of, "status") == 0) {
        (void)snprintf(number, sizeof(number), "%d", status);
        return task->step->host->output(task, str_of(name), str_of(number), e);
    }
    if (!*answer)
        *answer = json_loadb(body.p, body.n, JSON_DECODE_ANY, &why);
    if (!*answer)
        return fail(e, E_INVAL, "output '%s': the answer is no JSON: line %d: %s", name,
                    why.line, why.text);
    return value_say(task, name, of, *answer, e);
}

int http_outputs_say(struct worker_task *task, int status, struct str body, struct err *e)
{
    const struct settings *s = task->settings;
    json_t *answer = NULL;
    int r = 0;
    for (size_t i = 0; r == 0 && i < settings_count(s, "outputs"); i++)
        r = output_say(task, settings_key(s, "outputs", i), settings_item(s, "outputs", i),
                       status, body, &answer, e);
    json_decref(answer);
    return r;
}
