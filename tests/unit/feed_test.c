/* The feed on a real store and a real store thread: a client that knows nothing but the rule of
 * docs/protocol.md (from > cursor is a gap; skip what is at or before the cursor) must end with
 * exactly what the store has. */
#include <jansson.h>
#include <stdlib.h>

#include "base/limits.h"
#include "base/mem.h"
#include "feed/feed.h"
#include "feed/tree.h"
#include "store/writer.h"
#include "test.h"

struct world {
    uv_loop_t loop;
    struct store *store;
    struct writer *writer;
    struct feed *feed;
    struct id job;
    uint64_t lines;
    bool committed;
};

static void on_closing(void *context, struct batch *b)
{
    (void)context, (void)b;
}

static void on_committed(void *context, const struct batch *b)
{
    struct world *w = context;
    feed_publish(w->feed, b);
}

static void on_drained(void *context)
{
    (void)context;
}

static void on_durable(void *arg)
{
    struct world *w = arg;
    w->committed = true;
}

static void world_commit(struct world *w)
{
    w->committed = false;
    writer_after_commit(w->writer, on_durable, w);
    writer_turn(w->writer);
    while (!w->committed)
        uv_run(&w->loop, UV_RUN_ONCE);
}

static void put_job(struct world *w, enum job_state status)
{
    struct job_row row = {.id = w->job,
                          .definition_id = "d",
                          .name = "D",
                          .source = "",
                          .status = status,
                          .created_at_us = 1,
                          .lines = w->lines};
    batch_put_job(writer_batch(w->writer), &row);
}

static void world_init(struct world *w)
{
    struct err e;
    struct writer_hooks hooks = {w, on_closing, on_committed, on_drained};
    *w = (struct world){.job = id_new()};
    CHECK(uv_loop_init(&w->loop) == 0);
    CHECK(store_open_memory(&w->store, &e) >= 0);
    CHECK(feed_new(&w->loop, w->store, &w->feed, &e) >= 0);
    CHECK(writer_new(&w->loop, w->store, &hooks, &w->writer, &e) >= 0);
    put_job(w, JOB_RUNNING);
    world_commit(w);
}

static void world_done(struct world *w)
{
    struct err e;
    CHECK(writer_stop(w->writer, &e) >= 0);
    feed_stop(w->feed);
    while (uv_run(&w->loop, UV_RUN_DEFAULT))
        ;
    feed_free(w->feed);
    writer_free(w->writer);
    store_close(w->store);
    CHECK(uv_loop_close(&w->loop) == 0);
}

static void add_event(struct world *w, enum event_type type, const char *members)
{
    struct event_source source = {w->job, ID_NONE, "", "job"};
    struct event event = {
        .type = (uint8_t)type, .ts_us = 1700000000000000, .level = LEVEL_INFO};
    char text[64];
    if (type == EVENT_JOB_LOG)
        event.line = ++w->lines;
    snprintf(text, sizeof(text), "line %llu", (unsigned long long)event.line);
    event_batch_add(&writer_batch(w->writer)->events, &event, &source,
                    type == EVENT_JOB_LOG ? str_of(text) : str_of(""), str_of(members));
}

static void add_lines(struct world *w, int count)
{
    for (int i = 0; i < count; i++)
        add_event(w, EVENT_JOB_LOG, "");
    put_job(w, JOB_RUNNING);
}

static void delete_job(struct world *w)
{
    struct event_source source = {ID_SYSTEM, ID_NONE, "", "system"};
    struct event event = {.type = EVENT_SYSTEM, .ts_us = 1700000000000000};
    batch_delete_job(writer_batch(w->writer), w->job);
    event_batch_add(&writer_batch(w->writer)->events, &event, &source, str_of("deleted"),
                    str_of(""));
    world_commit(w);
}

/* ---- a client ---- */

struct client {
    struct world *world;
    struct feed_cursor cursor;
    enum feed_form form;
    uint64_t seen; /* the client's own cursor */
    uint64_t lines, first_line;
    int resets, snapshots, ends, caught_up, packed;
    char reason[16]; /* of the last reset */
    bool opened, ready, failed;
};

static void client_events(struct client *c, json_t *frame)
{
    uint64_t from = (uint64_t)json_integer_value(json_object_get(frame, "from"));
    uint64_t to = (uint64_t)json_integer_value(json_object_get(frame, "to"));
    size_t i;
    json_t *event;
    CHECK(from <= c->seen); /* no gap */
    json_array_foreach(json_object_get(frame, "events"), i, event)
    {
        uint64_t seq = (uint64_t)json_integer_value(json_object_get(event, "seq"));
        CHECK(seq > from && seq <= to);
        if (seq <= c->seen)
            continue;
        json_t *line = json_object_get(json_object_get(event, "payload"), "line");
        if (line)
            CHECK_INT(json_integer_value(line), ++c->lines);
        c->seen = seq;
    }
    c->seen = MAX(c->seen, to);
}

static void client_text(struct client *c, const char *p, size_t n)
{
    json_t *frame = json_loadb(p, n, JSON_REJECT_DUPLICATES, NULL);
    CHECK(frame);
    const char *type = json_string_value(json_object_get(frame, "type"));
    if (c->form == FEED_PLAIN) {
        uint64_t seq = (uint64_t)json_integer_value(json_object_get(frame, "seq"));
        CHECK_INT(seq, c->seen + 1); /* plain clients cannot skip: exactly the next one */
        c->seen = seq;
        c->lines += strcmp(type, "job_log") == 0;
    } else if (strcmp(type, "events") == 0) {
        client_events(c, frame);
    } else if (strcmp(type, "snapshot") == 0) {
        c->snapshots++;
        c->seen = (uint64_t)json_integer_value(json_object_get(frame, "as_of"));
        c->lines = (uint64_t)json_integer_value(
            json_object_get(json_object_get(frame, "state"), "total_logs"));
    } else if (strcmp(type, "end") == 0) {
        c->ends++;
        CHECK_INT(c->seen, json_integer_value(json_object_get(frame, "to")));
        CHECK_INT(json_integer_value(
                      json_object_get(json_object_get(frame, "lines"), ID_TEXT(c->world->job))),
                  c->lines);
    } else {
        c->resets += strcmp(type, "reset") == 0;
        if (strcmp(type, "reset") == 0)
            text_copy(c->reason, sizeof(c->reason),
                      json_string_value(json_object_get(frame, "reason")));
        c->caught_up += strcmp(type, "caught_up") == 0;
    }
    json_decref(frame);
}

/* Takes an event stream apart: an id must be the cursor that its data ends at. */
static void client_stream(struct client *c, struct span *s)
{
    struct str rest = {(const char *)s->data, s->size}, line, id = {NULL, 0};
    while (rest.p && rest.n) {
        line = str_cut(&rest, '\n');
        if (str_starts(line, STR("id: ")))
            id = (struct str){line.p + 4, line.n - 4};
        if (!str_starts(line, STR("data: ")))
            continue;
        client_text(c, line.p + 6, line.n - 6);
        if (id.p) {
            char epoch[40];
            uint64_t seq;
            CHECK(cursor_parse(id, epoch, sizeof(epoch), &seq));
            CHECK_INT(seq, c->seen);
            CHECK_TEXT(epoch, feed_epoch(c->world->feed));
        }
        id.p = NULL;
    }
    span_unref(s);
}

static void client_frame(struct client *c, bool packed, const char *p, size_t n)
{
    struct buf text = BUF_INIT(LIMIT_REPLY_BYTES);
    struct inflater *inflater = inflater_new();
    CHECK(!packed || c->form == FEED_DEFLATED);
    if (packed)
        CHECK(inflater_run(inflater, (struct str){p, n}, &text));
    c->packed += packed;
    client_text(c, packed ? text.p : p, packed ? text.n : n);
    buf_done(&text);
    inflater_free(inflater);
}

/* Takes the WebSocket frames apart. */
static void client_span(struct client *c, struct span *s)
{
    if (c->form == FEED_SSE) {
        client_stream(c, s);
        return;
    }
    for (size_t at = 0; at < s->size;) {
        bool packed = s->data[at] == 0xc1;
        CHECK(packed || s->data[at] == 0x81);
        size_t n = s->data[at + 1], head = 2;
        int width = n == 126 ? 2 : n == 127 ? 8 : 0;
        for (int i = 0; i < width; i++)
            n = (i ? n << 8 : 0) | s->data[at + 2 + (size_t)i];
        head += (size_t)width;
        client_frame(c, packed, (const char *)s->data + at + head, n);
        at += head + n;
    }
    span_unref(s);
}

static void on_opened(struct feed_cursor *cursor, struct feed_opened *o)
{
    struct client *c = cursor->owner;
    c->opened = c->ready = true;
    c->failed = o->code < 0;
    if (c->form == FEED_PLAIN)
        c->seen = o->from;
    if (o->first)
        client_span(c, o->first);
}

static void on_ready(struct feed_cursor *cursor)
{
    struct client *c = cursor->owner;
    c->ready = true;
}

static void client_open(struct client *c, struct world *w, enum feed_form form,
                        enum feed_start start, const char *epoch)
{
    struct feed_request request = {.topic = {.kind = TOPIC_JOB, .job_id = w->job},
                                   .form = form,
                                   .start = start,
                                   .since = c->seen,
                                   .epoch = epoch ? epoch : feed_epoch(w->feed)};
    c->world = w;
    c->form = form;
    c->opened = false;
    c->cursor = (struct feed_cursor){.owner = c, .on_opened = on_opened, .on_ready = on_ready};
    if (form == FEED_PLAIN)
        request.topic.kind = TOPIC_ALL;
    feed_open(w->feed, &c->cursor, &request);
}

static void client_open_topic(struct client *c, struct world *w, enum topic_kind kind,
                              enum feed_start start)
{
    struct feed_request request = {.topic = {.kind = kind},
                                   .start = start,
                                   .since = c->seen,
                                   .epoch = feed_epoch(w->feed)};
    c->world = w;
    c->cursor = (struct feed_cursor){.owner = c, .on_opened = on_opened, .on_ready = on_ready};
    feed_open(w->feed, &c->cursor, &request);
}

static void client_wait_open(struct client *c)
{
    while (!c->opened)
        uv_run(&c->world->loop, UV_RUN_ONCE);
}

/* Takes at most `most` frames. */
static void client_take(struct client *c, int most)
{
    struct span *s;
    while (most-- > 0 && (s = feed_next(&c->cursor)))
        client_span(c, s);
}

static void client_take_all(struct client *c)
{
    do {
        uv_run(&c->world->loop, UV_RUN_NOWAIT);
        client_take(c, 1000);
    } while (!feed_is_live(&c->cursor) || c->seen < feed_head(c->world->feed));
}

TEST(a_viewer_that_comes_late_gets_history_and_then_what_follows)
{
    struct world w;
    struct client c = {0};
    world_init(&w);
    add_lines(&w, 2000);
    world_commit(&w);
    client_open(&c, &w, FEED_V1, FEED_SINCE, "any");
    client_wait_open(&c);
    client_take_all(&c);
    CHECK_INT(c.lines, 2000);
    CHECK_INT(c.caught_up, 1);
    add_lines(&w, 3);
    world_commit(&w);
    client_take_all(&c);
    CHECK_INT(c.lines, 2003);
    CHECK_INT(c.resets, 0);
    feed_close(&c.cursor);
    world_done(&w);
}

TEST(viewers_of_one_topic_share_the_same_bytes)
{
    struct world w;
    struct client a = {0}, b = {0};
    world_init(&w);
    client_open(&a, &w, FEED_V1, FEED_NOW, NULL);
    client_open(&b, &w, FEED_V1, FEED_NOW, NULL);
    client_wait_open(&a);
    client_wait_open(&b);
    client_take(&a, 10);
    client_take(&b, 10);
    add_lines(&w, 5);
    world_commit(&w);
    struct span *first = NULL, *second = NULL;
    while (!(first = feed_next(&a.cursor)))
        uv_run(&w.loop, UV_RUN_ONCE);
    second = feed_next(&b.cursor);
    CHECK(first == second && first->refs >= 3);
    span_unref(first);
    span_unref(second);
    feed_close(&a.cursor);
    feed_close(&b.cursor);
    world_done(&w);
}

TEST(a_cursor_of_another_epoch_or_of_the_future_is_reset_with_the_state)
{
    struct world w;
    world_init(&w);
    add_lines(&w, 10);
    world_commit(&w);
    struct client other = {.seen = 3}, ahead = {.seen = 3000};
    client_open(&other, &w, FEED_V1, FEED_SINCE, "another");
    client_open(&ahead, &w, FEED_V1, FEED_SINCE, NULL);
    client_wait_open(&other);
    client_wait_open(&ahead);
    CHECK(other.resets == 1 && other.snapshots == 1 && other.lines == 10);
    CHECK(ahead.resets == 1 && ahead.snapshots == 1 && ahead.lines == 10);
    feed_close(&other.cursor);
    feed_close(&ahead.cursor);
    world_done(&w);
}

TEST(a_topic_of_a_job_that_does_not_exist_is_refused)
{
    struct world w, other;
    struct client c = {0};
    world_init(&w);
    other = w;
    other.job = id_new();
    client_open(&c, &other, FEED_V1, FEED_SNAPSHOT, NULL);
    while (!c.opened)
        uv_run(&w.loop, UV_RUN_ONCE);
    CHECK(c.failed);
    feed_close(&c.cursor);
    world_done(&w);
}

TEST(end_comes_after_the_last_event_and_its_totals_match)
{
    struct world w;
    struct client live = {0}, late = {0};
    world_init(&w);
    client_open(&live, &w, FEED_V1, FEED_SNAPSHOT, NULL);
    client_wait_open(&live);
    client_take_all(&live);
    add_lines(&w, 700);
    add_event(&w, EVENT_JOB_STATUS_CHANGE, "\"status\":\"completed\"");
    put_job(&w, JOB_COMPLETED);
    world_commit(&w);
    while (!live.ends) {
        uv_run(&w.loop, UV_RUN_ONCE);
        client_take(&live, 100);
    }
    CHECK_INT(live.lines, 700);
    client_open(&late, &w, FEED_V1, FEED_SINCE, NULL);
    client_wait_open(&late);
    while (!late.ends) {
        uv_run(&w.loop, UV_RUN_NOWAIT);
        client_take(&late, 1);
    }
    CHECK_INT(late.lines, 700);
    client_take(&late, 10);
    CHECK_INT(late.ends, 1);
    feed_close(&live.cursor);
    feed_close(&late.cursor);
    world_done(&w);
}

TEST(a_viewer_of_all_jobs_is_given_the_state_again_when_a_job_was_deleted)
{
    struct world w;
    struct client live = {0}, back = {0};
    world_init(&w);
    add_lines(&w, 3);
    world_commit(&w);
    client_open_topic(&live, &w, TOPIC_JOBS, FEED_SNAPSHOT);
    client_wait_open(&live);
    client_take_all(&live);
    CHECK_INT(live.snapshots, 1);
    delete_job(&w);
    CHECK(!feed_bookmark(&live.cursor)); /* it would carry the cursor over the deletion */
    client_take_all(&live);
    CHECK(live.snapshots == 2 && live.resets == 1);
    CHECK_TEXT(live.reason, "pruned");
    back.seen = 2; /* of before the deletion */
    client_open_topic(&back, &w, TOPIC_JOBS, FEED_SINCE);
    client_wait_open(&back);
    CHECK(back.snapshots == 1 && back.resets == 1);
    CHECK_TEXT(back.reason, "pruned");
    client_take_all(&live);
    CHECK_INT(live.resets, 1); /* once */
    feed_close(&live.cursor);
    feed_close(&back.cursor);
    world_done(&w);
}

TEST(a_viewer_of_a_job_is_told_when_it_was_deleted)
{
    struct world w;
    struct client c = {0};
    world_init(&w);
    client_open(&c, &w, FEED_V1, FEED_SNAPSHOT, NULL);
    client_wait_open(&c);
    client_take_all(&c);
    delete_job(&w);
    while (!c.failed) {
        client_take(&c, 1);
        uv_run(&w.loop, UV_RUN_ONCE);
    }
    feed_close(&c.cursor);
    world_done(&w);
}

TEST(viewers_that_are_behind_share_what_is_read_back)
{
    struct world w;
    struct client clients[20] = {0};
    world_init(&w);
    add_lines(&w, 3000);
    world_commit(&w);
    for (int i = 0; i < 20; i++) {
        client_open(&clients[i], &w, FEED_V1, FEED_SINCE, NULL);
        client_wait_open(&clients[i]);
    }
    struct span *frames[20] = {NULL};
    for (int i = 0; i < 20; i++)
        CHECK(!feed_next(&clients[i].cursor)); /* nothing is in memory */
    for (int i = 0; i < 20; i++)
        while (!(frames[i] = feed_next(&clients[i].cursor)))
            uv_run(&w.loop, UV_RUN_ONCE);
    for (int i = 1; i < 20; i++)
        CHECK(frames[i] == frames[0]);
    for (int i = 0; i < 20; i++) {
        client_span(&clients[i], frames[i]);
        client_take_all(&clients[i]);
        CHECK_INT(clients[i].lines, 3000);
        feed_close(&clients[i].cursor);
    }
    world_done(&w);
}

/* Random appends, commits, stalls, cuts and returns; every client must end with what the store
 * has. */
static void random_walk(unsigned seed)
{
    static const enum feed_form forms[5] = {FEED_V1, FEED_DEFLATED, FEED_SSE, FEED_V1,
                                            FEED_PLAIN};
    struct world w;
    struct client clients[5] = {0};
    bool open[5] = {false};
    srandom(seed);
    world_init(&w);
    for (int step = 0; step < 300; step++) {
        int i = (int)(random() % 5);
        struct client *c = &clients[i];
        long what = random() % 100;
        if (what < 40) {
            add_lines(&w, (int)(random() % 200));
            if (random() % 2)
                world_commit(&w);
            else
                writer_turn(w.writer);
        } else if (what < 50 && open[i] && i < 4) { /* cut; the plain client stays */
            feed_close(&c->cursor);
            open[i] = false;
        } else if (what < 70 && !open[i]) {
            client_open(c, &w, forms[i], i == 4 ? FEED_NOW : FEED_SINCE, NULL);
            open[i] = true;
        } else if (open[i] && c->opened) {
            client_take(c, (int)(random() % 4));
        }
        uv_run(&w.loop, UV_RUN_NOWAIT);
    }
    world_commit(&w);
    for (int i = 0; i < 5; i++) {
        if (!open[i])
            client_open(&clients[i], &w, forms[i], i == 4 ? FEED_NOW : FEED_SINCE, NULL);
        client_wait_open(&clients[i]);
        client_take_all(&clients[i]);
        CHECK_INT(clients[i].seen, feed_head(w.feed));
        if (i < 4)
            CHECK_INT(clients[i].lines, w.lines);
        CHECK_INT(clients[i].resets, 0);
        feed_close(&clients[i].cursor);
    }
    CHECK(clients[1].packed > 0);
    world_done(&w);
}

TEST(viewers_that_stall_and_come_back_miss_nothing_in_any_order_of_things)
{
    for (unsigned seed = 1; seed <= 8; seed++)
        random_walk(seed);
}

/* More than one piece of a reading: the newest are the newest of all. */
TEST(of_very_much_that_the_server_told_a_snapshot_has_the_newest)
{
    enum { MANY = 12000 };
    struct world w;
    struct err e;
    AUTO_READER *r = NULL;
    AUTO_BUF out = BUF_INIT(LIMIT_REPLY_BYTES);
    struct json j = JSON_TO(&out);
    char members[200];
    world_init(&w);
    for (int i = 1; i <= MANY; i++) {
        snprintf(members, sizeof(members), "\"event\":\"n%d\",\"pad\":\"%0120d\"", i, 0);
        add_event(&w, EVENT_SYSTEM, members);
    }
    world_commit(&w);
    CHECK(store_read_begin(w.store, &r, &e) >= 0);
    CHECK(tree_write_system(r, "e", 2, &j, &e) >= 0);
    CHECK_HAS(buf_text(&out), "\"n12000\"");
    CHECK_HAS(buf_text(&out), "\"n11999\"");
    CHECK(!strstr(buf_text(&out), "\"n11998\""));
    store_read_end(TAKE(r));
    world_done(&w);
}
