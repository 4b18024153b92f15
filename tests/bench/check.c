#include "check.h"

#include <jansson.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/mem.h"

enum {
    FRAME_BUCKETS = 1 << 16,
    MESSAGE_MAX_BYTES = 64 * 1024 * 1024,
};

struct place { /* an event: its number, and when it was made */
    uint64_t seq;
    int64_t ts_us;
    bool line;
};

struct check_frame {
    struct check_frame *next; /* of the same bucket */
    uint64_t from, to;
    uint64_t lines;
    bool deflated;
    size_t n;
    char *bytes; /* as they came */
    size_t count, cap;
    struct place *events;
};

void check_init(struct check *c)
{
    *c = (struct check){.frames = mem_alloc(FRAME_BUCKETS * sizeof(c->frames[0]))};
    ASSERT(inflateInit2(&c->inflater, -15) == Z_OK);
}

static void frame_free(struct check_frame *f)
{
    free(f->bytes);
    free(f->events);
    free(f);
}

void check_done(struct check *c)
{
    for (size_t i = 0; i < FRAME_BUCKETS; i++)
        for (struct check_frame *f = c->frames[i], *next; f; f = next) {
            next = f->next;
            frame_free(f);
        }
    free(c->frames);
    (void)inflateEnd(&c->inflater);
}

PRINTF(3, 4) static void violation(struct check *c, uint64_t *count, const char *fmt, ...)
{
    va_list ap;
    va_start(ap, fmt);
    (*count)++;
    if (!c->first_violation[0])
        (void)vsnprintf(c->first_violation, sizeof(c->first_violation), fmt, ap);
    va_end(ap);
}

/* ---- bytes ---- */

static struct check_frame *frame_like(const struct check *c, uint64_t from, size_t n,
                                      bool deflated)
{
    struct check_frame *f = c->frames[from % FRAME_BUCKETS];
    while (f && (f->from != from || f->n != n || f->deflated != deflated))
        f = f->next;
    return f;
}

void check_message(struct check *c, struct check_viewer *v, size_t length, bool deflated)
{
    v->held.max = MESSAGE_MAX_BYTES;
    v->like = frame_like(c, v->cursor, length, deflated);
    v->length = length;
    v->have = 0;
    v->deflated = deflated;
}

void check_bytes(struct check_viewer *v, const char *bytes, size_t n)
{
    if (v->like && memcmp(v->like->bytes + v->have, bytes, n) != 0) {
        buf_add(&v->held, v->like->bytes, v->have);
        v->like = NULL;
    }
    if (!v->like)
        buf_add(&v->held, bytes, n);
    v->have += n;
}

/* ---- messages ---- */

/* Takes `prefix` off the front. */
static bool take(struct str *s, const char *prefix)
{
    struct str p = str_of(prefix);
    if (!str_starts(*s, p))
        return false;
    *s = (struct str){s->p + p.n, s->n - p.n};
    return true;
}

static bool take_number(struct str *s, uint64_t *ret)
{
    size_t n = 0;
    for (*ret = 0; n < s->n && s->p[n] >= '0' && s->p[n] <= '9'; n++)
        *ret = *ret * 10 + (uint64_t)(s->p[n] - '0');
    *s = (struct str){s->p + n, s->n - n};
    return n > 0;
}

static bool take_to(struct str *s, const char *mark)
{
    ptrdiff_t at = str_find(*s, str_of(mark));
    if (at < 0)
        return false;
    *s = (struct str){s->p + at, s->n - (size_t)at};
    return take(s, mark);
}

/* All events of a message. Quotes inside of a text are escaped, so these marks are nowhere but
 * at the beginning of an event. */
static bool events_read(struct check_frame *f, struct str text)
{
    while (take_to(&text, "{\"seq\":")) {
        struct place p = {0};
        if (!take_number(&text, &p.seq) || !take(&text, ",\"type\":\""))
            return false;
        p.line = str_starts(text, STR("job_log\""));
        if (!take_to(&text, "\"ts\":\"") || text.n < CLOCK_TEXT_LEN ||
            !clock_parse((struct str){text.p, CLOCK_TEXT_LEN}, &p.ts_us))
            return false;
        MEM_GROW(f->events, f->count, f->cap);
        f->events[f->count++] = p;
        f->lines += p.line;
    }
    return true;
}

static void frame_judge(struct check *c, const struct check_frame *f)
{
    for (size_t i = 0; i < f->count; i++)
        if (f->events[i].seq > f->to ||
            f->events[i].seq <= (i ? f->events[i - 1].seq : f->from))
            violation(c, &c->disordered, "event %llu in a frame from %llu to %llu",
                      (unsigned long long)f->events[i].seq, (unsigned long long)f->from,
                      (unsigned long long)f->to);
    if (!c->v1 && f->to - f->from != f->count)
        violation(c, &c->gaps, "a message from %llu to %llu has %zu events",
                  (unsigned long long)f->from, (unsigned long long)f->to, f->count);
}

/* Is the frame what follows for this viewer? Its events count. */
static void frame_deliver(struct check *c, struct check_viewer *v, const struct check_frame *f,
                          int64_t now_us)
{
    if (f->from > v->cursor)
        violation(c, &c->gaps, "a frame from %llu to %llu for a viewer at %llu",
                  (unsigned long long)f->from, (unsigned long long)f->to,
                  (unsigned long long)v->cursor);
    else if (f->from < v->cursor && !c->v1)
        violation(c, &c->doubled, "event %llu again", (unsigned long long)f->from + 1);
    size_t first = 0; /* frames of v1 may overlap: the client skips what it has */
    while (first < f->count && f->events[first].seq <= v->cursor)
        first++;
    for (size_t i = first; i < f->count; i++)
        v->lines += f->events[i].line;
    v->events += f->count - first;
    v->cursor = MAX(v->cursor, f->to);
    if (!c->counting || !v->counted || first == f->count)
        return;
    if (!c->first_us)
        c->first_us = now_us;
    c->last_us = now_us;
    c->delivered += f->count - first;
    c->bytes += f->n;
    c->messages++;
    if (now_us >= c->skip_until_us)
        for (size_t i = first; i < f->count; i++)
            histogram_add(&c->latency, now_us - f->events[i].ts_us);
}

/* The held bytes as text: they themselves, or inflated into *room. */
static bool message_text(struct check *c, const struct check_viewer *v, struct buf *room,
                         struct str *ret)
{
    static const unsigned char tail[] = {0, 0, 0xff, 0xff};
    *ret = buf_str(&v->held);
    if (!v->deflated)
        return true;
    ASSERT(inflateReset(&c->inflater) == Z_OK);
    for (int part = 0; part < 2; part++) {
        c->inflater.next_in =
            part ? (unsigned char *)(uintptr_t)tail : (unsigned char *)v->held.p;
        c->inflater.avail_in = part ? sizeof(tail) : (unsigned)v->held.n;
        do {
            enum { ROOM = 256 * 1024 };
            char *to = buf_room(room, ROOM);
            c->inflater.next_out = (unsigned char *)to;
            c->inflater.avail_out = ROOM;
            int r = to ? inflate(&c->inflater, Z_SYNC_FLUSH) : Z_MEM_ERROR;
            if (r != Z_OK && r != Z_BUF_ERROR)
                return false;
            room->n += ROOM - c->inflater.avail_out;
        } while (c->inflater.avail_out == 0);
    }
    *ret = buf_str(room);
    return true;
}

/* Sum of the `lines` of an end frame. */
static uint64_t lines_total(struct str text)
{
    json_t *frame = json_loadb(text.p, text.n, 0, NULL), *value;
    const char *step;
    uint64_t sum = 0;
    json_object_foreach(json_object_get(frame, "lines"), step, value) sum +=
        (uint64_t)json_integer_value(value);
    json_decref(frame);
    return sum;
}

static enum check_kind control_read(struct check *c, struct check_viewer *v, struct str text)
{
    const struct str whole = text;
    if (!take(&text, "{\"type\":\""))
        violation(c, &c->malformed, "not a frame: %.*s", (int)MIN(text.n, 100u), text.p);
    if (take(&text, "status\"")) {
        if (take_to(&text, "\"epoch\":\""))
            text_copy(c->epoch, MIN(sizeof(c->epoch), strcspn(text.p, "\"") + 1), text.p);
        return CHECK_STATUS;
    }
    if (take(&text, "subscribed\"")) {
        if (!take_to(&text, "\"from\":") || !take_number(&text, &v->cursor))
            violation(c, &c->malformed, "%.*s", (int)MIN(whole.n, 200u), whole.p);
        return CHECK_SUBSCRIBED;
    }
    if (take(&text, "caught_up\""))
        return CHECK_CAUGHT_UP;
    if (take(&text, "end\"")) {
        uint64_t total = lines_total(whole);
        if (total != v->lines)
            violation(c, &c->incomplete, "the end says %llu lines, %llu came",
                      (unsigned long long)total, (unsigned long long)v->lines);
        return CHECK_FINISHED;
    }
    if (!take(&text, "lag\""))
        violation(c, &c->malformed, "unexpected: %.*s", (int)MIN(whole.n, 200u), whole.p);
    return CHECK_OTHER;
}

/* Where the frame is, and its events; false: it is no frame of events. */
static bool frame_read(const struct check *c, struct check_frame *f, struct str text)
{
    struct str head = text;
    if (c->v1) {
        if (!take(&head, "{\"type\":\"events\",") || !take_to(&head, "\"from\":") ||
            !take_number(&head, &f->from) || !take(&head, ",\"to\":") ||
            !take_number(&head, &f->to))
            return false;
        return events_read(f, head);
    }
    if (!events_read(f, text) || f->count == 0)
        return false;
    f->from = f->events[0].seq - 1;
    f->to = f->events[f->count - 1].seq;
    return true;
}

static struct check_frame *frame_keep(struct check *c, struct check_frame *f)
{
    for (struct check_frame *o = c->frames[f->from % FRAME_BUCKETS]; o; o = o->next)
        if (o->from == f->from && o->n == f->n && o->deflated == f->deflated &&
            memcmp(o->bytes, f->bytes, f->n) == 0) {
            frame_free(f);
            return o;
        }
    f->next = c->frames[f->from % FRAME_BUCKETS];
    c->frames[f->from % FRAME_BUCKETS] = f;
    frame_judge(c, f);
    return f;
}

static enum check_kind unlike_end(struct check *c, struct check_viewer *v,
                                  const struct check_frame **ret_frame)
{
    AUTO_BUF room = BUF_INIT(MESSAGE_MAX_BYTES);
    struct str text;
    if (!message_text(c, v, &room, &text)) {
        violation(c, &c->malformed, "%zu bytes cannot be inflated", v->held.n);
        return CHECK_OTHER;
    }
    struct check_frame *f = mem_alloc(sizeof(*f));
    if (!frame_read(c, f, text)) {
        frame_free(f);
        return control_read(c, v, text);
    }
    f->deflated = v->deflated;
    f->n = v->held.n;
    f->bytes = mem_copy(v->held.p, v->held.n);
    *ret_frame = frame_keep(c, f);
    return CHECK_EVENTS;
}

enum check_kind check_end(struct check *c, struct check_viewer *v, int64_t now_us)
{
    enum check_kind kind = CHECK_EVENTS;
    if (!v->like) {
        kind = unlike_end(c, v, &v->like);
        buf_done(&v->held);
    }
    if (kind != CHECK_EVENTS)
        return kind;
    frame_deliver(c, v, v->like, now_us);
    v->like = NULL;
    return !c->v1 && v->events >= c->wanted ? CHECK_FINISHED : CHECK_EVENTS;
}
