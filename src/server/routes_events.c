/* Long-poll: the events of a topic after a cursor. When there are none yet, the request waits
 * for the topic, then reads again; so the answer is always what the store has, and the same as
 * what a WebSocket is sent. */
#include <stdio.h>
#include <string.h>

#include "base/limits.h"
#include "feed/encode.h"
#include "server/request.h"
#include "server/waits.h"

enum { WAIT_MAX_S = 60, WAIT_S = 25, EPOCH_MAX = 40 };

struct poll {
    struct request *request;
    struct topic_filter topic;
    char epoch[EPOCH_MAX];
    uint64_t from, to; /* asked for; looked at so far */
    int64_t until_ms;  /* of the loop's clock */
    int64_t limit;
    size_t count; /* events in the answer */
    bool end, timed_out;
    const char *gone; /* why the cursor is of no use, or NULL */
    struct wait wait;
};

/* Has the job ended, with all its events in what was looked at? */
static int read_end(struct poll *p, struct store_reader *reader, struct err *e)
{
    AUTO_ARENA a = ARENA_INIT;
    struct job_row *job;
    if (p->topic.kind != TOPIC_JOB)
        return 0;
    int code = store_get_job(reader, p->topic.job_id, &a, &job, e);
    if (code == E_NOTFOUND)
        return fail(e, E_NOTFOUND, "there is no job '%s'", ID_TEXT(p->topic.job_id));
    p->end = code >= 0 && job->end_seq && p->to >= job->end_seq;
    return code;
}

static void write_events(struct request *r, const struct event_batch *events)
{
    struct poll *p = r->arg;
    char name[TOPIC_NAME_MAX];
    topic_name(&p->topic, name);
    json_begin_object(&r->j);
    json_key_c(&r->j, "topic", name);
    json_key_int(&r->j, "from", (int64_t)p->from);
    json_key_int(&r->j, "to", (int64_t)p->to);
    encode_cursor(&r->j, "cursor", store_epoch(r->server->store), p->to);
    json_key(&r->j, "events");
    json_begin_array(&r->j);
    for (size_t i = 0; i < events->count; i++)
        encode_event(&r->j, events, &events->events[i]);
    json_end_array(&r->j);
    json_key_bool(&r->j, "end", p->end);
    json_end_object(&r->j);
}

static int read_events(struct request *r, struct store_reader *reader, struct err *e)
{
    struct poll *p = r->arg;
    AUTO_EVENT_BATCH events = EVENT_BATCH_INIT;
    uint64_t as_of = store_read_as_of(reader);
    struct event_query q = {.topic = p->topic,
                            .after_seq = p->to,
                            .max_events = (size_t)p->limit,
                            .max_bytes = LIMIT_WS_UNACKED_BYTES};
    int code = 0;
    /* seq 0 has seen nothing, which is true of every history */
    bool foreign = p->from && strcmp(p->epoch, store_epoch(r->server->store)) != 0;
    bool pruned = p->from && p->to < store_read_floor(reader, &p->topic);
    p->gone = foreign ? "epoch" : p->to > as_of ? "ahead" : pruned ? "pruned" : NULL;
    if (p->gone)
        return 0;
    while (code >= 0 && events.count == 0 && q.after_seq < as_of) {
        code = store_read_events(reader, &q, &events, &p->to, e);
        q.after_seq = p->to;
    }
    if (code >= 0)
        code = read_end(p, reader, e);
    if (code < 0)
        return code;
    p->count = events.count;
    buf_clear(&r->out);
    r->j = JSON_TO(&r->out);
    write_events(r, &events);
    return 0;
}

static void reply_gone(struct request *r, const char *reason)
{
    struct err e;
    const char *why = strcmp(reason, "epoch") == 0   ? "is of another history"
                      : strcmp(reason, "ahead") == 0 ? "is ahead of the log"
                                                     : "lies before a deletion";
    (void)fail(&e, E_GONE, "the cursor %s; begin again without since", why);
    r->status = err_http_status(E_GONE);
    buf_clear(&r->out); /* of the answer that nothing came for */
    r->j = JSON_TO(&r->out);
    json_begin_object(&r->j);
    request_write_error(&r->j, &e);
    json_key_c(&r->j, "reason", reason);
    json_end_object(&r->j);
    request_reply(r);
}

static void on_wait_end(struct wait *w, bool timed_out);

/* Answers, or waits for more. */
static int answer_or_wait(struct request *r, struct err *e)
{
    struct poll *p = r->arg;
    (void)e;
    int64_t left = p->until_ms - (int64_t)uv_now(&r->server->loop);
    if (p->gone) {
        reply_gone(r, p->gone);
    } else if (p->count || p->end || p->timed_out || left <= 0) {
        request_reply(r);
    } else if (feed_head(r->server->feed) > p->to) { /* published since it was read */
        request_read(r, read_events, answer_or_wait);
    } else {
        p->wait = (struct wait){.topic = p->topic, .after = p->to, .on_end = on_wait_end};
        waits_add(r->server->waits, &p->wait, left);
    }
    return 0;
}

static void on_wait_end(struct wait *w, bool timed_out)
{
    struct poll *p = container_of(w, struct poll, wait);
    p->timed_out = timed_out;
    request_read(p->request, read_events, answer_or_wait);
}

static int parse_since(const struct request *r, struct poll *p, struct err *e)
{
    struct str since = request_query(r, "since");
    text_copy(p->epoch, sizeof(p->epoch), store_epoch(r->server->store));
    p->from = feed_head(r->server->feed);
    if (since.p && !cursor_parse(since, p->epoch, sizeof(p->epoch), &p->from))
        return fail_field(e, E_INVAL, "since",
                          "since is a cursor of the form epoch:seq, not '%.*s'",
                          (int)MIN(since.n, (size_t)64), since.p);
    p->to = p->from;
    return 0;
}

int handle_events(struct request *r, struct err *e)
{
    struct poll *p = arena_alloc(&r->arena, sizeof(*p));
    struct str topic = request_query(r, "topic");
    int64_t wait_s;
    if (!topic.p)
        return fail_field(e, E_INVAL, "topic",
                          "which topic? \"jobs\", \"job:<id>\" or \"system\" is expected");
    int code = topic_parse(topic, &p->topic, e);
    if (code >= 0)
        code = parse_since(r, p, e);
    if (code >= 0)
        code = request_query_int(r, "wait", 0, WAIT_MAX_S, WAIT_S, &wait_s, e);
    if (code >= 0)
        code = request_query_int(r, "limit", 1, LIMIT_FRAME_EVENTS, LIMIT_FRAME_EVENTS,
                                 &p->limit, e);
    if (code < 0)
        return code;
    p->request = r;
    p->until_ms = (int64_t)uv_now(&r->server->loop) + wait_s * 1000;
    r->arg = p;
    request_read(r, read_events, answer_or_wait);
    return 0;
}
