#include "server/chronicle.h"

#include "base/clock.h"
#include "base/json.h"
#include "base/log.h"
#include "server/server.h"

static enum log_level log_level_of(enum event_level level)
{
    return level == LEVEL_ERROR ? LOG_ERROR : level == LEVEL_WARN ? LOG_WARN : LOG_INFO;
}

void chronicle_add(struct server *s, enum event_level level, const char *event,
                   const char *subject, const char *fmt, ...)
{
    enum { TEXT_BYTES = 4096 };
    static const struct event_source source = {ID_SYSTEM, ID_NONE, "", "system"};
    struct event entry = {.type = EVENT_SYSTEM,
                          .ts_us = clock_wall_us(),
                          .level = (uint8_t)level,
                          .originator = ORIGINATOR_MONITOR};
    AUTO_BUF message = BUF_INIT(TEXT_BYTES);
    AUTO_BUF members = BUF_INIT(TEXT_BYTES);
    struct json j = JSON_TO(&members);
    va_list ap;
    va_start(ap, fmt);
    buf_vprintf(&message, fmt, ap);
    va_end(ap);
    json_key_c(&j, "event", event);
    json_key_c(&j, "subject", subject);
    event_batch_add(&writer_batch(s->writer)->events, &entry, &source, buf_str(&message),
                    buf_str(&members));
    log_event(log_level_of(level), event, subject, buf_text(&message));
}

void chronicle_turn(struct server *s)
{
    const char *trouble = writer_trouble(s->writer);
    if (trouble[0] && !s->trouble[0]) {
        s->trouble_since_us = clock_mono_us();
        text_copy(s->trouble, sizeof(s->trouble), trouble);
    } else if (!trouble[0] && s->trouble[0]) {
        chronicle_add(s, LEVEL_ERROR, "store_recovered", "",
                      "nothing could be committed for %.1f s: %s",
                      (double)(clock_mono_us() - s->trouble_since_us) / 1e6, s->trouble);
        s->trouble[0] = 0;
    }
}
