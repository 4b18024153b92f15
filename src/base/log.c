#include "base/log.h"

#include <stdarg.h>
#include <stdio.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/json.h"

enum { LINE_BYTES = 2048, JSON_BYTES = 16 * LINE_BYTES }; /* every byte may need an escape */

static bool log_json;

void log_set_json(bool json)
{
    log_json = json;
}

static void write_words(struct buf *out, enum log_level level, const char *time,
                        const char *text)
{
    static const char *const names[] = {"ERR", "WRN", "INF"};
    buf_printf(out, "%s %s %s\n", time, names[level], text);
}

static void write_json(struct buf *out, enum log_level level, const char *time,
                       const char *text, const char *event, const char *subject)
{
    static const char *const names[] = {"error", "warn", "info"};
    struct json j = JSON_TO(out);
    json_begin_object(&j);
    json_key_c(&j, "time", time);
    json_key_c(&j, "level", names[level]);
    json_key_c(&j, "message", text);
    if (event)
        json_key_c(&j, "event", event);
    if (event && subject[0])
        json_key_c(&j, "subject", subject);
    json_end_object(&j);
    buf_add_byte(out, '\n');
}

void log_event(enum log_level level, const char *event, const char *subject, const char *text)
{
    char time[CLOCK_TEXT_LEN + 1];
    AUTO_BUF line = BUF_INIT(JSON_BYTES);
    clock_format(clock_wall_us(), time);
    if (log_json)
        write_json(&line, level, time, text, event, subject);
    else
        write_words(&line, level, time, text);
    (void)!write(STDERR_FILENO, buf_text(&line), line.n);
}

void log_write(enum log_level level, const char *fmt, ...)
{
    char text[LINE_BYTES];
    va_list ap;
    va_start(ap, fmt);
    (void)vsnprintf(text, sizeof(text), fmt, ap);
    va_end(ap);
    log_event(level, NULL, NULL, text);
}
