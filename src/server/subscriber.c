/* The happy path of a subscription: sub -> opening -> (on_opened) -> ready: first frames, then
 * frames -> nothing now -> (on_ready) -> ready ... -> the end frame -> gone. Callbacks of the
 * feed only put it on the list of those that are ready; everything else, its end too, happens
 * in subscriber_next(). */
#include "server/subscriber.h"

#include <stdlib.h>
#include <string.h>

#include "base/limits.h"
#include "base/mem.h"
#include "job/node.h"
#include "server/server.h"

enum {
    LAG_EVENTS = 512,         /* being less behind is not worth a word */
    RECORD_BYTES = 16 * 1024, /* frames are counted together up to this */
    EPOCH_MAX = 40,
};

struct sent {
    uint64_t to;
    size_t bytes;
};

struct subscription {
    struct subscriber *subscriber;
    struct feed_cursor cursor;
    struct topic_filter topic;
    struct list link, ready_link;
    struct span *first;
    bool opening, behind;
    int code; /* < 0: it could not be opened, and why */
    char *why;
    struct sent *sent; /* oldest first: what was not acknowledged */
    size_t sent_count, sent_cap;
};

void subscriber_init(struct subscriber *s)
{
    list_init(&s->all);
    list_init(&s->ready);
}

static void subscription_free(struct subscription *sub)
{
    struct subscriber *s = sub->subscriber;
    feed_close(&sub->cursor);
    list_remove(&sub->link);
    list_remove(&sub->ready_link);
    s->count--;
    s->opening -= sub->opening;
    for (size_t i = 0; i < sub->sent_count; i++)
        s->unacked -= sub->sent[i].bytes;
    span_unref(sub->first);
    free(sub->why);
    free(sub->sent);
    free(sub);
}

void subscriber_done(struct subscriber *s)
{
    LIST_EACH (&s->all, struct subscription, link, sub)
        subscription_free(sub);
}

static struct subscription *subscription_find(struct subscriber *s,
                                              const struct topic_filter *topic)
{
    LIST_EACH (&s->all, struct subscription, link, sub)
        if (sub->topic.kind == topic->kind && sub->topic.min_level == topic->min_level &&
            id_eq(sub->topic.job_id, topic->job_id))
            return sub;
    return NULL;
}

/* ---- what the feed says ---- */

static void set_ready(struct subscription *sub)
{
    if (!list_is_linked(&sub->ready_link))
        list_add(&sub->subscriber->ready, &sub->ready_link);
    sub->subscriber->wake(sub->subscriber);
}

static void on_opened(struct feed_cursor *c, struct feed_opened *o)
{
    struct subscription *sub = c->owner;
    sub->subscriber->opening -= sub->opening; /* 1, unless the job was deleted later on */
    sub->opening = false;
    sub->code = o->code;
    sub->why = o->code < 0 ? mem_strdup(o->err.text) : NULL;
    span_unref(sub->first);
    sub->first = TAKE(o->first);
    set_ready(sub);
}

static void on_ready(struct feed_cursor *c)
{
    set_ready(c->owner);
}

static void subscription_open(struct subscriber *s, const struct feed_request *request)
{
    struct subscription *sub = mem_alloc(sizeof(*sub));
    sub->subscriber = s;
    sub->opening = true;
    sub->cursor.owner = sub;
    sub->cursor.on_opened = on_opened;
    sub->cursor.on_ready = on_ready;
    sub->topic = request->topic;
    list_add(&s->all, &sub->link);
    s->count++;
    s->opening++;
    feed_open(s->server->feed, &sub->cursor, request);
}

void subscriber_open_plain(struct subscriber *s)
{
    subscription_open(s, &(struct feed_request){.topic = {.kind = TOPIC_ALL},
                                                .form = FEED_PLAIN,
                                                .start = FEED_NOW,
                                                .epoch = feed_epoch(s->server->feed)});
}

/* ---- frames ---- */

static void count_sent(struct subscription *sub, const struct span *frame)
{
    struct subscriber *s = sub->subscriber;
    if (!s->counts)
        return;
    s->unacked += frame->weight;
    if (sub->sent_count && sub->sent[sub->sent_count - 1].bytes < RECORD_BYTES) {
        struct sent *last = &sub->sent[sub->sent_count - 1];
        last->to = MAX(last->to, frame->to);
        last->bytes += frame->weight;
        return;
    }
    MEM_GROW(sub->sent, sub->sent_count, sub->sent_cap);
    sub->sent[sub->sent_count++] = (struct sent){frame->to, frame->weight};
}

static void count_acked(struct subscription *sub, uint64_t to)
{
    size_t n = 0;
    while (n < sub->sent_count && sub->sent[n].to <= to)
        sub->subscriber->unacked -= sub->sent[n++].bytes;
    sub->sent_count -= n;
    if (n)
        memmove(sub->sent, sub->sent + n, sub->sent_count * sizeof(struct sent));
}

static bool window_is_full(const struct subscriber *s)
{
    return s->counts && s->unacked >= LIMIT_WS_UNACKED_BYTES;
}

static struct span *text_frame(uint64_t at, struct buf *text)
{
    ASSERT(!text->overflow);
    return span_text(at, buf_str(text));
}

static void say(struct subscriber *s, const char *code, const char *topic, const char *message,
                bool retry)
{
    AUTO_BUF text = BUF_INIT(LIMIT_FRAME_BYTES);
    struct json j = JSON_TO(&text);
    json_begin_object(&j);
    json_key_c(&j, "type", "error");
    json_key_c(&j, "code", code);
    json_key_c(&j, "message", message);
    json_key_bool(&j, "retry", retry);
    if (topic)
        json_key_c(&j, "topic", topic);
    json_end_object(&j);
    s->say(s, text_frame(0, &text));
}

static void say_error(struct subscriber *s, const char *code, const char *topic,
                      const char *message)
{
    say(s, code, topic, message, false);
}

static struct span *number_frame(struct subscription *sub, const char *type, const char *key,
                                 uint64_t value)
{
    AUTO_BUF text = BUF_INIT(256);
    struct json j = JSON_TO(&text);
    char name[TOPIC_NAME_MAX];
    topic_name(&sub->topic, name);
    json_begin_object(&j);
    json_key_c(&j, "type", type);
    json_key_c(&j, "topic", name);
    json_key_int(&j, key, (int64_t)value);
    json_end_object(&j);
    return text_frame(sub->cursor.seq, &text);
}

static void subscription_fail(struct subscription *sub)
{
    char name[TOPIC_NAME_MAX];
    topic_name(&sub->topic, name);
    if (sub->code == E_NOTFOUND)
        say_error(sub->subscriber, "unknown_topic", name, sub->why);
    else
        say(sub->subscriber, err_code_name(sub->code), name, sub->why, true);
    subscription_free(sub);
}

/* The next frame of one subscription; NULL: nothing now, and it may be gone. */
static struct span *subscription_next(struct subscription *sub)
{
    if (sub->code < 0) {
        subscription_fail(sub);
        return NULL;
    }
    struct span *frame = sub->first ? TAKE(sub->first) : NULL;
    if (!frame)
        frame = feed_next(&sub->cursor);
    list_remove(&sub->ready_link);
    if (frame) {
        count_sent(sub, frame);
        list_add(&sub->subscriber->ready, &sub->ready_link); /* the others first */
        return frame;
    }
    if (sub->behind && feed_is_live(&sub->cursor)) {
        sub->behind = false;
        return number_frame(sub, "caught_up", "at", sub->cursor.seq);
    }
    if (sub->cursor.end_sent)
        subscription_free(sub);
    return NULL;
}

struct span *subscriber_next(struct subscriber *s)
{
    struct subscription *sub;
    while (!window_is_full(s) &&
           (sub = LIST_FIRST(&s->ready, struct subscription, ready_link))) {
        struct span *frame = subscription_next(sub);
        if (frame)
            return frame;
    }
    return NULL;
}

bool subscriber_has_next(const struct subscriber *s)
{
    return !list_is_empty(&s->ready) && !window_is_full(s);
}

bool subscriber_is_live(const struct subscriber *s)
{
    const struct list *head = &s->all;
    for (struct list *at = head->next; at != head; at = at->next) {
        const struct subscription *sub = container_of(at, struct subscription, link);
        if (sub->opening || (sub->code >= 0 && !feed_is_live(&sub->cursor)))
            return false;
    }
    return true;
}

void subscriber_bookmark(struct subscriber *s)
{
    LIST_EACH (&s->all, struct subscription, link, sub) {
        struct span *frame = sub->opening || list_is_linked(&sub->ready_link)
                                 ? NULL
                                 : feed_bookmark(&sub->cursor);
        if (frame)
            s->say(s, frame);
    }
}

void subscriber_lag(struct subscriber *s)
{
    LIST_EACH (&s->all, struct subscription, link, sub) {
        uint64_t lag = sub->opening || sub->code < 0 ? 0 : feed_lag(&sub->cursor);
        if (lag < LAG_EVENTS || feed_is_live(&sub->cursor))
            continue;
        sub->behind = true;
        s->say(s, number_frame(sub, "lag", "events", lag));
    }
}

/* ---- what the client says ---- */

struct message {
    const struct node *root;
    const char *name; /* of the topic, as written */
    struct topic_filter topic;
};

/* since, snapshot or tail -> where to start. */
static int read_start(const struct message *m, struct feed_request *request,
                      char epoch[EPOCH_MAX], struct err *e)
{
    const struct node *since = node_get(m->root, "since");
    const struct node *snapshot = node_get(m->root, "snapshot");
    const struct node *tail = node_get(m->root, "tail");
    const char *text;
    bool wanted = false;
    int64_t lines = 0;
    int code = 0;
    request->start = FEED_NOW;
    if (since && (code = node_text(since, &text, e)) >= 0) {
        request->start = FEED_SINCE;
        if (!cursor_parse(str_of(text), epoch, EPOCH_MAX, &request->since))
            return fail(e, E_INVAL, "since is a cursor of the form epoch:seq");
    }
    if (code >= 0 && snapshot && (code = node_bool(snapshot, &wanted, e)) >= 0 && wanted)
        request->start = FEED_SNAPSHOT;
    if (code >= 0 && tail && (code = node_int(tail, 0, INT64_MAX, &lines, e)) >= 0) {
        request->start = FEED_SNAPSHOT;
        request->tail = (size_t)MIN(lines, LIMIT_TAIL_LINES);
    }
    return code;
}

static void on_sub(struct subscriber *s, const struct message *m)
{
    struct err e;
    char epoch[EPOCH_MAX] = "";
    struct feed_request request = {.topic = m->topic, .form = s->form, .epoch = epoch};
    struct subscription *old = subscription_find(s, &m->topic);
    if (read_start(m, &request, epoch, &e) < 0) {
        say_error(s, "bad_cursor", m->name, e.text);
        return;
    }
    if (old) /* it subscribes again from where it is */
        subscription_free(old);
    if (s->count >= LIMIT_WS_SUBSCRIPTIONS)
        say_error(s, "too_many_subscriptions", m->name,
                  "64 subscriptions are the most for one connection");
    else
        subscription_open(s, &request);
}

static void on_unsub(struct subscriber *s, const struct message *m)
{
    struct subscription *sub = subscription_find(s, &m->topic);
    if (sub) /* if not, it has ended meanwhile */
        subscription_free(sub);
    s->wake(s); /* the window may be open again */
}

static void on_ack(struct subscriber *s, const struct message *m)
{
    struct err e;
    int64_t to;
    struct subscription *sub = subscription_find(s, &m->topic);
    const struct node *value = node_get(m->root, "to");
    if (!value || node_int(value, 0, INT64_MAX, &to, &e) < 0) {
        say_error(s, "bad_request", m->name,
                  "an ack needs `to`, the seq up to which all was seen");
        return;
    }
    s->counts = true;
    if (sub)
        count_acked(sub, (uint64_t)to);
    s->wake(s);
}

static const struct op {
    const char *name;
    void (*run)(struct subscriber *s, const struct message *m);
} ops[] = {{"sub", on_sub}, {"unsub", on_unsub}, {"ack", on_ack}};

static const struct op *op_find(const char *name)
{
    for (size_t i = 0; i < ARRAY_LEN(ops); i++)
        if (strcmp(ops[i].name, name) == 0)
            return &ops[i];
    return NULL;
}

void subscriber_receive(struct subscriber *s, struct str text)
{
    AUTO_NODE_TREE tree = NODE_TREE_OF("message");
    struct err e;
    const char *name = "";
    struct message m = {0};
    if (node_read_json(&tree, text, &e) < 0 || !tree.root || tree.root->kind != NODE_MAP) {
        say_error(s, "bad_request", NULL, "a message is one JSON object with op and topic");
        s->refuse(s, "a message is one JSON object");
        return;
    }
    m.root = tree.root;
    const struct node *op_node = node_get(m.root, "op"), *topic = node_get(m.root, "topic");
    const struct op *op = NULL;
    if (op_node && node_text(op_node, &name, &e) >= 0)
        op = op_find(name);
    if (!op) {
        say_error(s, "unknown_op", NULL, "op is one of sub, unsub, ack");
        return;
    }
    if (!topic || node_text(topic, &m.name, &e) < 0) {
        say_error(s, "bad_request", NULL, "a message needs a topic");
        return;
    }
    if (topic_parse(str_of(m.name), &m.topic, &e) < 0) {
        say_error(s, "unknown_topic", m.name, e.text);
        return;
    }
    op->run(s, &m);
}
