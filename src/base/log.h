/* log.h: the server's own log, on stderr, for whoever operates it.
 *
 * Not the log of a job (that is an event, engine.h), and never written by the feed about its
 * own work, or publishing a line would cause a line. Thread: any; one write(2) a line. */
#pragma once

#include "base/macro.h"

enum log_level { LOG_ERROR, LOG_WARN, LOG_INFO, LOG_DEBUG };

void log_set_level(enum log_level level); /* default LOG_INFO */
void log_write(enum log_level level, const char *fmt, ...) PRINTF(2, 3);

#define log_error(...) log_write(LOG_ERROR, __VA_ARGS__)
#define log_warn(...) log_write(LOG_WARN, __VA_ARGS__)
#define log_info(...) log_write(LOG_INFO, __VA_ARGS__)
#define log_debug(...) log_write(LOG_DEBUG, __VA_ARGS__)
