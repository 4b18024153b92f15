#include "base/fault.h"

#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/text.h"

enum { LINE_MAX_BYTES = 160 };

static const struct {
    const char *name, *fails, *where;
} points[] = {
#define X(symbol, name, fails, where) {name, fails, where},
    FAULT_POINTS(X)
#undef X
};

static const char *const action_names[] = {"kill", "fail", "stick", NULL};
enum fault_action { FAULT_KILL, FAULT_FAIL, FAULT_STICK };

bool fault_armed;
static enum fault_point armed_point;
static int64_t armed_at;
static enum fault_action armed_action;
static atomic_long count;

static void list_print(void)
{
    for (size_t i = 0; i < ARRAY_LEN(points); i++)
        printf("%s\t%s\t%s\n", points[i].name, points[i].where,
               points[i].fails ? points[i].fails : "");
}

/* The place of `word` among `names`, or -1. */
static int find(struct str word, const char *const *names)
{
    for (int i = 0; names[i]; i++)
        if (str_eq_c(word, names[i]))
            return i;
    return -1;
}

static int name_read(struct str word, struct err *e)
{
    const char *names[ARRAY_LEN(points) + 1] = {NULL};
    char text[LINE_MAX_BYTES];
    for (size_t i = 0; i < ARRAY_LEN(points); i++)
        names[i] = points[i].name;
    int i = find(word, names);
    if (i >= 0)
        return i;
    (void)snprintf(text, sizeof(text), "%.*s", STR_ARG(word));
    const char *nearest = text_nearest(text, names);
    return fail(e, E_INVAL,
                "TAILRACE_FAULT: there is no fault point '%s'%s%s%s; "
                "TAILRACE_FAULT=list lists them",
                text, nearest ? ", nearest is '" : "", nearest ? nearest : "",
                nearest ? "'" : "");
}

int fault_init(struct err *e)
{
    struct str rest = str_of(getenv("TAILRACE_FAULT"));
    fault_armed = false;
    atomic_store(&count, 0);
    if (rest.n == 0)
        return 0;
    if (str_eq_c(rest, "list")) {
        list_print();
        return 1;
    }
    int point = name_read(str_cut(&rest, ':'), e);
    if (point < 0)
        return point;
    struct str at = str_cut(&rest, ':');
    int action = rest.p ? find(rest, action_names) : FAULT_KILL;
    if (!str_to_int(at, 1, INT64_MAX, &armed_at) || action < 0)
        return fail(e, E_INVAL,
                    "TAILRACE_FAULT is NAME:N[:kill|fail|stick], N from 1, not '%s'",
                    getenv("TAILRACE_FAULT"));
    if (action != FAULT_KILL && !points[point].fails)
        return fail(e, E_INVAL, "TAILRACE_FAULT: at %s nothing can fail, only kill is possible",
                    points[point].name);
    armed_point = (enum fault_point)point;
    armed_action = (enum fault_action)action;
    fault_armed = true;
    return 0;
}

const char *fault_name(void)
{
    return points[armed_point].name;
}

/* One write, without memory of its own: it may be memory that is missing. */
static void hit_tell(long n)
{
    char text[LINE_MAX_BYTES];
    int length = snprintf(text, sizeof(text), "tailrace: fault point %s, time %ld: %s\n",
                          fault_name(), n, action_names[armed_action]);
    ssize_t written = write(STDERR_FILENO, text, (size_t)length);
    (void)written;
}

bool fault_hit(enum fault_point point)
{
    if (point != armed_point)
        return false;
    long n = atomic_fetch_add(&count, 1) + 1;
    if (n == armed_at)
        hit_tell(n);
    if (armed_action == FAULT_KILL && n == armed_at)
        (void)kill(getpid(), SIGKILL);
    return armed_action != FAULT_KILL &&
           (armed_action == FAULT_STICK ? n >= armed_at : n == armed_at);
}
