/* log.h: the server's own log, on stderr, for whoever operates it: for people, or a JSON object
 * a line.
 *
 * Not the log of a job (that is an event, engine.h), and never written by the feed about its
 * own work, or publishing a line would cause a line. Thread: any; one write(2) a line. */
#pragma once

#include <stdbool.h>

#include "base/macro.h"

enum log_level { LOG_ERROR, LOG_WARN, LOG_INFO };

void log_set_json(bool json); /* before other threads run */
void log_write(enum log_level level, const char *fmt, ...) PRINTF(2, 3);

/* One of the things that have a name ("job_deleted") and are about something ("" when not). */
void log_event(enum log_level level, const char *event, const char *subject, const char *text);

#define log_error(...) log_write(LOG_ERROR, __VA_ARGS__)
#define log_warn(...) log_write(LOG_WARN, __VA_ARGS__)
#define log_info(...) log_write(LOG_INFO, __VA_ARGS__)
