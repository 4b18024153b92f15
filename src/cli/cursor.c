/* The whole rule: from > cursor is a gap; skip what is at or before the cursor; then the cursor
 * is max(cursor, to). */
#include "cli/cursor.h"

#include <stdio.h>
#include <string.h>

#include "base/macro.h"
#include "base/text.h"

int cursor_read(const char *text, struct cursor *ret_cursor, struct err *e)
{
    const char *colon = strrchr(text, ':');
    size_t n = colon ? (size_t)(colon - text) : 0;
    int64_t seq;
    if (n == 0 || n >= sizeof(ret_cursor->epoch) ||
        !str_to_int(str_of(colon + 1), 0, INT64_MAX, &seq))
        return fail(e, E_INVAL,
                    "'%s' is no cursor; expected EPOCH:NUMBER, as \"cursor\" in the "
                    "output of `tailrace show JOB --json`",
                    text);
    text_copy(ret_cursor->epoch, n + 1, text);
    ret_cursor->seq = (uint64_t)seq;
    return 0;
}

void cursor_text(const struct cursor *c, char to[CURSOR_TEXT_MAX])
{
    (void)snprintf(to, CURSOR_TEXT_MAX, "%s:%llu", c->epoch, (unsigned long long)c->seq);
}

static uint64_t number_of(const json_t *object, const char *name)
{
    return (uint64_t)json_integer_value(json_object_get(object, name));
}

enum cursor_verdict cursor_take(struct cursor *c, const json_t *frame,
                                void (*on_event)(void *user, const json_t *event), void *user)
{
    const json_t *events = json_object_get(frame, "events");
    uint64_t before = c->seq;
    if (!json_is_integer(json_object_get(frame, "from")) || !json_is_array(events) ||
        number_of(frame, "from") > c->seq)
        return CURSOR_GAP;
    for (size_t i = 0; i < json_array_size(events); i++) {
        const json_t *event = json_array_get(events, i);
        if (number_of(event, "seq") <= c->seq)
            continue;
        on_event(user, event);
        c->seq = number_of(event, "seq");
    }
    c->seq = MAX(c->seq, number_of(frame, "to"));
    return c->seq > before ? CURSOR_APPLIED : CURSOR_STALE;
}
