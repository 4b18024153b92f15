/* Any control messages, one a line, to a subscriber with a feed and a store behind it, while a
 * job goes on: what is answered is JSON, and events come as a client may rely on: from where it
 * is, in order. "$" in a message stands for the epoch; these lines are no messages:
 *
 *     +  the job writes a line      .  it completes      -  silence, so bookmarks      ~  lag
 */
#include <jansson.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/limits.h"
#include "base/mem.h"
#include "server/server.h"
#include "server/subscriber.h"

enum { STEPS_MAX = 64 }; /* lines of an input that are looked at */

struct world {
    struct server server;
    struct subscriber subscriber;
    struct id job;
    uint64_t lines;
    json_t *cursors; /* topic -> up to where its frames have come */
    bool refused, ended;
};

/* ---- what is sent ---- */

static json_int_t number_of(const json_t *object, const char *name)
{
    const json_t *value = json_object_get(object, name);
    ASSERT(json_is_integer(value));
    return json_integer_value(value);
}

static void check_events(struct world *w, const char *topic, const json_t *frame)
{
    json_int_t from = number_of(frame, "from"), to = number_of(frame, "to"), last = from;
    json_int_t at = number_of(w->cursors, topic);
    const json_t *events = json_object_get(frame, "events");
    ASSERT(from <= at && from <= to);
    for (size_t i = 0; i < json_array_size(events); i++) {
        json_int_t seq = number_of(json_array_get(events, i), "seq");
        ASSERT(seq > last && seq <= to);
        last = seq;
    }
    ASSERT(json_object_set_new(w->cursors, topic, json_integer(MAX(at, to))) == 0);
}

static void check_frame(struct world *w, const char *text, size_t n)
{
    json_t *frame = json_loadb(text, n, JSON_REJECT_DUPLICATES, NULL);
    const char *type = json_string_value(json_object_get(frame, "type"));
    const char *topic = json_string_value(json_object_get(frame, "topic"));
    ASSERT(type);
    const char *place = strcmp(type, "subscribed") == 0 ? "from"
                        : strcmp(type, "snapshot") == 0 ? "as_of"
                                                        : NULL;
    if (place)
        ASSERT(json_object_set_new(w->cursors, topic, json_integer(number_of(frame, place))) ==
               0);
    else if (strcmp(type, "events") == 0)
        check_events(w, topic, frame);
    else if (strcmp(type, "end") == 0)
        ASSERT(number_of(frame, "to") <= number_of(w->cursors, topic));
    json_decref(frame);
}

/* A span holds text frames of the server: unmasked, whole. */
static void check_span(struct world *w, struct span *s)
{
    for (size_t at = 0; at < s->size;) {
        const unsigned char *p = s->data + at;
        size_t head = p[1] < 126 ? 2 : p[1] == 126 ? 4 : 10, n = p[1] < 126 ? p[1] : 0;
        ASSERT(p[0] == 0x81 && p[1] < 128);
        for (size_t i = 2; i < head; i++)
            n = n << 8 | p[i];
        ASSERT(at + head + n <= s->size);
        check_frame(w, (const char *)p + head, n);
        at += head + n;
    }
    span_unref(s);
}

static void on_wake(struct subscriber *s)
{
    (void)s;
}

static void on_say(struct subscriber *s, struct span *frame)
{
    check_span(container_of(s, struct world, subscriber), frame);
}

static void on_refuse(struct subscriber *s, const char *reason)
{
    ASSERT(reason[0]);
    container_of(s, struct world, subscriber)->refused = true;
}

/* Until every subscription is at its tail, or the client's window is full. */
static void send_all(struct world *w)
{
    struct subscriber *sub = &w->subscriber;
    struct span *s;
    do {
        (void)uv_run(&w->server.loop, subscriber_is_live(sub) ? UV_RUN_NOWAIT : UV_RUN_ONCE);
        while ((s = subscriber_next(sub)))
            check_span(w, s);
    } while (!subscriber_is_live(sub) && sub->unacked < LIMIT_WS_UNACKED_BYTES);
}

/* ---- the job ---- */

static void commit(struct world *w, enum event_type type, enum job_state status)
{
    struct event_source source = {w->job, ID_NONE, "", "job"};
    struct event event = {.type = (uint8_t)type, .ts_us = 1, .level = LEVEL_INFO};
    struct batch *b = batch_new();
    struct err e;
    if (type == EVENT_JOB_LOG)
        event.line = ++w->lines;
    event_batch_add(&b->events, &event, &source, STR("a line"),
                    type == EVENT_JOB_LOG ? STR("") : STR("\"status\":\"completed\""));
    batch_put_job(b, &(struct job_row){.id = w->job,
                                       .definition_id = "d",
                                       .name = "D",
                                       .source = "",
                                       .status = status,
                                       .created_at_us = 1,
                                       .lines = w->lines});
    ASSERT(store_append(w->server.store, b, &e) >= 0);
    feed_publish(w->server.feed, b);
    batch_free(b);
}

/* ---- the world ---- */

static void world_init(struct world *w)
{
    struct err e;
    *w = (struct world){.subscriber = {.wake = on_wake, .say = on_say, .refuse = on_refuse},
                        .cursors = json_object()};
    w->subscriber.server = &w->server;
    ASSERT(id_parse(STR("0199e9c2-7a6d-7c11-9a54-1c2b3d4e5f62"), &w->job));
    ASSERT(uv_loop_init(&w->server.loop) == 0);
    ASSERT(store_open_memory(&w->server.store, &e) >= 0);
    ASSERT(feed_new(&w->server.loop, w->server.store, &w->server.feed, &e) >= 0);
    subscriber_init(&w->subscriber);
    for (int i = 0; i < 3; i++)
        commit(w, EVENT_JOB_LOG, JOB_RUNNING);
}

static void world_done(struct world *w)
{
    subscriber_done(&w->subscriber);
    ASSERT(w->subscriber.count == 0 && w->subscriber.opening == 0 &&
           w->subscriber.unacked == 0);
    feed_stop(w->server.feed);
    (void)uv_run(&w->server.loop, UV_RUN_DEFAULT);
    feed_free(w->server.feed);
    store_close(w->server.store);
    ASSERT(uv_loop_close(&w->server.loop) == 0);
    json_decref(w->cursors);
}

static void receive(struct world *w, struct str line)
{
    AUTO_BUF text = BUF_INIT(LIMIT_WS_INBOUND_BYTES);
    for (size_t i = 0; i < line.n; i++)
        if (line.p[i] == '$')
            buf_add_c(&text, feed_epoch(w->server.feed));
        else
            buf_add_byte(&text, line.p[i]);
    if (!text.overflow)
        subscriber_receive(&w->subscriber, buf_str(&text));
}

static void step(struct world *w, struct str line)
{
    if (str_eq_c(line, "-")) {
        subscriber_bookmark(&w->subscriber);
    } else if (str_eq_c(line, "~")) {
        subscriber_lag(&w->subscriber);
    } else if (str_eq_c(line, "+") || str_eq_c(line, ".")) {
        bool end = line.p[0] == '.';
        if (!w->ended)
            commit(w, end ? EVENT_JOB_STATUS_CHANGE : EVENT_JOB_LOG,
                   end ? JOB_COMPLETED : JOB_RUNNING);
        w->ended = w->ended || end;
    } else {
        receive(w, line);
    }
    if (line.n % 2 == 0) /* several messages may come before anything is sent */
        send_all(w);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct str rest = {(const char *)data, size};
    struct world w;
    world_init(&w);
    for (int i = 0; i < STEPS_MAX && rest.p && !w.refused; i++)
        step(&w, str_cut(&rest, '\n'));
    send_all(&w);
    world_done(&w);
    return 0;
}
