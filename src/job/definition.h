/* definition.h: what to run. YAML or JSON text in, a checked struct out.
 *
 * Checking is strict: unknown keys (with the nearest right one named), wrong types, unknown
 * step types, unknown, doubled or circular `depends` are errors that name origin, line, column,
 * what was found and what was expected; err.line, err.column and err.field (such as
 * "steps[1].config.max_depth") are filled for callers that show them apart.
 *
 * Parameters: "{site}" in a text of a step's config (or in its list items and map values)
 * stands for the parameter `site` when the definition declares one of that name; anything else
 * in braces, and "${site}", is left as it is. A setting whose spec says `verbatim` is not
 * touched.
 *
 * Pure: no I/O (but for the time zone database), no clock. Thread: any. Ownership:
 * definition_free() frees everything. */
#pragma once

#include "base/err.h"
#include "base/json.h"
#include "job/keep.h"
#include "job/pool.h"
#include "job/settings.h"

enum parameter_type { PARAMETER_TEXT, PARAMETER_INTEGER, PARAMETER_BOOLEAN };

struct parameter {
    char *name;        /* [a-z][a-z0-9_]* */
    char *description; /* "" when not given */
    char *fallback;    /* the default; NULL: none */
    char *value;       /* what was given, else the default; NULL: required, not given */
    bool required;     /* no default */
    enum parameter_type type;
    int64_t minimum, maximum; /* of an integer */
    char **choices;           /* the only values that there are; none: any */
    int choice_count;
};

extern const char *const parameter_type_names[];

enum secret_kind { SECRET_FILE, SECRET_ENV };

struct secret {
    char *name; /* as a parameter's */
    enum secret_kind kind;
    char *from; /* the file's path, or the variable's name */
};

struct webhook {
    char *url;         /* may name secrets */
    unsigned outcomes; /* 1 << enum job_state */
    char *secret;      /* that signs; NULL: nothing does */
    int attempts;
    int64_t backoff_ms, backoff_max_ms, timeout_ms;
};

enum on_error { ON_ERROR_FAIL, ON_ERROR_CONTINUE, ON_ERROR_RETRY };

struct step_definition {
    char *name; /* unique in the definition */
    char *type;
    char *description;
    int *depends;     /* indexes of earlier or later steps */
    unsigned *wanted; /* how each must have ended, as bits of enum job_state; 0: well */
    int depends_count;
    enum on_error on_error; /* default fail: what depends on it is skipped and the job fails */
    bool always_run;        /* also after what it depends on has failed or was skipped */
    int retry_attempts;     /* of a task, the first one counted; 0: one */
    int64_t retry_backoff_ms, retry_backoff_max_ms;
    int64_t timeout_ms, task_timeout_ms; /* 0: none */
    int64_t heartbeat_ms;                /* an attempt may be silent for so long; 0: any time */
    int64_t max_lines;                   /* of further ones the newest are kept; 0: no limit */
    bool max_lines_fail;                 /* and the step fails */
    struct settings *for_each;           /* for_each.h; NULL: none */
    bool for_each_lines;                 /* it is one text, whose lines are the items */
    int parallel;                        /* of its tasks, so many at once */
    struct settings *settings;
    const struct worker_schema *schema;
};

enum failure_action { FAILURE_CONTINUE, FAILURE_STOP_ALL, FAILURE_MARK_WARNING };

struct definition {
    char *id;   /* [a-z0-9-], at most 64 */
    char *name; /* for people */
    char *description;
    char *source; /* the text it was read from */
    bool is_json; /* of the source */
    bool enabled;
    struct schedule *schedule; /* schedule.h; NULL: none */
    int64_t timeout_ms;
    char **tags;
    int tag_count;
    struct parameter *parameters;
    int parameter_count;
    struct secret *secrets; /* secret.h */
    int secret_count;
    struct webhook *webhooks; /* webhook.h */
    int webhook_count;
    int max_running;        /* jobs of it at once; 0: no limit */
    char *pool;             /* NULL: none */
    struct keep keep;       /* of its jobs that have ended */
    int priority;           /* PRIORITY_MIN to PRIORITY_MAX, the highest first */
    int max_child_failures; /* -1: no limit */
    enum failure_action failure_action;
    struct step_definition *steps;
    int step_count;
    int *order;      /* step indexes such that each comes after what it depends on */
    char **warnings; /* what is valid and may not be what was meant, a sentence each */
    int warning_count;
};

enum { PRIORITY_MIN = -100, PRIORITY_MAX = 100 };

enum definition_format { DEFINITION_YAML, DEFINITION_JSON };

/* `origin` is how messages name the text (a file's path, "request body"). `schemas` lists the
 * worker types, NULL at the end. E_INVAL; E_TOOBIG past LIMIT_DEFINITION_BYTES. Values for
 * parameters may be given as `names[i]` = `values[i]`; an undeclared name is an error. With
 * `for_run`, a required parameter without a value is an error; without, settings that hold one
 * are taken unchecked. */
struct definition_input {
    struct str text;
    const char *origin;
    enum definition_format format;
    const struct worker_schema *const *schemas;
    const char *const *names, *const *values;
    int value_count;
    bool for_run;
    const struct pool_limits *pools; /* that there are; NULL: not known here */
};

CHECKED int definition_parse(const struct definition_input *in,
                             struct definition **ret_definition, struct err *e);
void definition_free(struct definition *d); /* NULL is fine */

/* While it is read: "steps[0].config.url: " and the remark become one of its warnings. */
struct node;
void definition_warn(struct definition *d, const struct node *n, const char *remark);

/* The definition as the API shows it: all fields with their defaults, steps, `source`,
 * `format`, `warnings`. Writes the members only, so that callers may add their own. */
void definition_json_members(const struct definition *d, struct json *j);

/* The next `count` times after `after_us` at which its schedule is due, as a member
 * "next_runs"; none without one. */
void definition_json_next_runs(const struct definition *d, int64_t after_us, int count,
                               struct json *j);
