/* GET /api/events/stream: where to begin. A browser that comes back by itself says where it was
 * in Last-Event-ID, and asks for the same address as the first time; so that header wins. */
#include "base/limits.h"
#include "server/request.h"
#include "server/streams.h"

enum { EPOCH_MAX = 40 };

static int parse_cursor(struct str text, const char *field, char epoch[EPOCH_MAX],
                        struct feed_request *wanted, struct err *e)
{
    wanted->start = FEED_SINCE;
    if (cursor_parse(text, epoch, EPOCH_MAX, &wanted->since))
        return 0;
    return fail_field(e, E_INVAL, field, "%s is a cursor of the form epoch:seq, not '%.*s'",
                      field, (int)MIN(text.n, (size_t)64), text.p);
}

/* One of Last-Event-ID, since, snapshot and tail; none: from now. */
static int parse_start(const struct request *r, char epoch[EPOCH_MAX],
                       struct feed_request *wanted, struct err *e)
{
    struct str last = request_header(r, "Last-Event-ID"), since = request_query(r, "since");
    bool snapshot;
    int64_t tail;
    int code = request_query_bool(r, "snapshot", false, &snapshot, e);
    if (code >= 0)
        code = request_query_int(r, "tail", 1, LIMIT_TAIL_LINES, 0, &tail, e);
    if (code < 0)
        return code;
    if (last.p && last.n)
        return parse_cursor(last, "Last-Event-ID", epoch, wanted, e);
    if (since.p)
        return parse_cursor(since, "since", epoch, wanted, e);
    if (snapshot || tail)
        wanted->start = FEED_SNAPSHOT;
    wanted->tail = (size_t)tail;
    return 0;
}

int handle_events_stream(struct request *r, struct err *e)
{
    struct str topic = request_query(r, "topic");
    char epoch[EPOCH_MAX] = "";
    struct feed_request wanted = {.form = FEED_SSE, .start = FEED_NOW, .epoch = epoch};
    if (!topic.p)
        return fail_field(e, E_INVAL, "topic",
                          "which topic? \"jobs\", \"job:<id>\" or \"system\" is expected");
    int code = topic_parse(topic, &wanted.topic, e);
    if (code >= 0)
        code = parse_start(r, epoch, &wanted, e);
    if (code < 0)
        return code;
    streams_open(r->server->streams, r, &wanted, request_header(r, "Last-Event-ID").p != NULL);
    return 0;
}
