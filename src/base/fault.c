#include "base/fault.h"

#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/log.h"
#include "base/text.h"

bool fault_armed;
static struct str fault_name;
static int64_t fault_at;
static enum { FAULT_KILL, FAULT_FAIL, FAULT_STICK } fault_action;
static atomic_long fault_count;

void fault_init(void)
{
    struct str rest = str_of(getenv("TAILRACE_FAULT"));
    if (rest.n == 0)
        return;
    fault_name = str_cut(&rest, ':');
    struct str at = str_cut(&rest, ':');
    fault_action = str_eq_c(rest, "fail")    ? FAULT_FAIL
                   : str_eq_c(rest, "stick") ? FAULT_STICK
                                             : FAULT_KILL;
    fault_armed = str_to_int(at, 1, INT64_MAX, &fault_at);
    if (!fault_armed)
        log_warn("TAILRACE_FAULT is ignored: expected NAME:N[:kill|fail|stick]");
}

bool fault_hit(const char *name)
{
    if (!str_eq_c(fault_name, name))
        return false;
    long count = atomic_fetch_add(&fault_count, 1) + 1;
    if (fault_action == FAULT_KILL && count == fault_at)
        kill(getpid(), SIGKILL);
    return fault_action == FAULT_STICK ? count >= fault_at : count == fault_at;
}
