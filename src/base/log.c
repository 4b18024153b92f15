#include "base/log.h"

#include <stdarg.h>
#include <stdio.h>
#include <unistd.h>

#include "base/clock.h"

static enum log_level log_max = LOG_INFO;

void log_set_level(enum log_level level)
{
    log_max = level;
}

void log_write(enum log_level level, const char *fmt, ...)
{
    static const char *const names[] = {"ERR", "WRN", "INF", "DBG"};
    char line[2048], time[CLOCK_TEXT_LEN + 1];
    if (level > log_max)
        return;
    clock_format(clock_wall_us(), time);
    int n = snprintf(line, sizeof(line), "%s %s ", time, names[level]);
    va_list ap;
    va_start(ap, fmt);
    int more = vsnprintf(line + n, sizeof(line) - (size_t)n - 1, fmt, ap);
    va_end(ap);
    n = MIN(n + MAX(more, 0), (int)sizeof(line) - 2);
    line[n++] = '\n';
    (void)!write(STDERR_FILENO, line, (size_t)n);
}
