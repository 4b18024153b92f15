/* Encoding walks over the events once per column, which is fast because each loop is small;
 * decoding fills the array of events column by column and takes all texts in one copy. */
#include "store/codec.h"

#include <stdlib.h>
#include <string.h>
#include <zstd.h>

#include "base/map.h"
#include "base/mem.h"

enum {
    CODEC_VERSION = 1,
    CODEC_HEADER_BYTES = 3,
    VARINT_MAX_BYTES = 10,
};

enum {
    COLUMNS_MIN_BYTES = 9, /* one byte a column and event */
    SOURCE_MIN_BYTES = 34, /* two ids and two empty names */
};

struct codec {
    ZSTD_CCtx *pack;
    ZSTD_DCtx *unpack;
    struct buf raw, packed;
};

struct codec *codec_new(void)
{
    struct codec *c = mem_alloc(sizeof(*c));
    c->pack = ZSTD_createCCtx();
    c->unpack = ZSTD_createDCtx();
    ASSERT(c->pack && c->unpack);
    c->raw = (struct buf)BUF_INIT(CODEC_RAW_MAX_BYTES);
    c->packed = (struct buf)BUF_INIT(ZSTD_COMPRESSBOUND((size_t)CODEC_RAW_MAX_BYTES) +
                                     CODEC_HEADER_BYTES);
    return c;
}

void codec_free(struct codec *c)
{
    if (!c)
        return;
    ZSTD_freeCCtx(c->pack);
    ZSTD_freeDCtx(c->unpack);
    buf_done(&c->raw);
    buf_done(&c->packed);
    free(c);
}

/* ---- writing ---- */

static inline char *put_varint(char *p, uint64_t v)
{
    for (; v >= 0x80; v >>= 7)
        *p++ = (char)(v | 0x80);
    *p++ = (char)v;
    return p;
}

static inline uint64_t zigzag(uint64_t difference)
{
    return (difference << 1) ^ (0 - (difference >> 63));
}

static void put_number(struct buf *out, uint64_t v)
{
    char *p = buf_room(out, VARINT_MAX_BYTES);
    if (p)
        out->n = (size_t)(put_varint(p, v) - out->p);
}

static void put_text(struct buf *out, const char *s)
{
    struct str text = str_of(s);
    put_number(out, text.n);
    buf_add_str(out, text);
}

/* What encoding knows besides the events: the sources and tasks in use, by new index. */
struct tables {
    uint32_t *source_index; /* of the batch's source, or UINT32_MAX */
    uint32_t *sources;      /* of the new index: the batch's source */
    size_t source_count;
    uint32_t *task_of; /* of each event, 0 for none */
    struct id *tasks;
    size_t task_count, task_cap;
};

static void tables_done(struct tables *t)
{
    free(t->source_index);
    free(t->sources);
    free(t->task_of);
    free(t->tasks);
}

static uint32_t tables_task(struct tables *t, struct map *known, struct id id)
{
    if (id_is_none(id))
        return 0;
    if (t->task_count && id_eq(t->tasks[t->task_count - 1], id))
        return (uint32_t)t->task_count;
    uintptr_t index = (uintptr_t)map_get(known, ID_KEY(id));
    if (!index) {
        MEM_GROW(t->tasks, t->task_count, t->task_cap);
        t->tasks[t->task_count++] = id;
        index = t->task_count;
        map_set(known, ID_KEY(id), (void *)index);
    }
    return (uint32_t)index;
}

static void tables_fill(struct tables *t, const struct event_batch *b, size_t from, size_t to)
{
    struct map known = MAP_INIT;
    t->source_index = mem_alloc(b->source_count * sizeof(uint32_t));
    memset(t->source_index, 0xff, b->source_count * sizeof(uint32_t));
    t->sources = mem_alloc(b->source_count * sizeof(uint32_t));
    t->task_of = mem_alloc((to - from) * sizeof(uint32_t));
    for (size_t i = from; i < to; i++) {
        const struct event *e = &b->events[i];
        ASSERT(e->source < b->source_count);
        if (t->source_index[e->source] == UINT32_MAX) {
            t->source_index[e->source] = (uint32_t)t->source_count;
            t->sources[t->source_count++] = e->source;
        }
        t->task_of[i - from] = i > from && id_eq(e->task_id, e[-1].task_id)
                                   ? t->task_of[i - from - 1]
                                   : tables_task(t, &known, e->task_id);
    }
    map_done(&known);
}

static void put_tables(struct buf *out, const struct event_batch *b, const struct tables *t)
{
    put_number(out, t->source_count);
    for (size_t i = 0; i < t->source_count; i++) {
        const struct event_source *s = &b->sources[t->sources[i]];
        buf_add(out, s->manager_id.b, sizeof(s->manager_id.b));
        buf_add(out, s->step_id.b, sizeof(s->step_id.b));
        put_text(out, s->step_name);
        put_text(out, s->source_type);
    }
    put_number(out, t->task_count);
    for (size_t i = 0; i < t->task_count; i++)
        buf_add(out, t->tasks[i].b, sizeof(t->tasks[i].b));
}

static char *put_lines(char *p, const struct event *events, size_t n, const struct tables *t)
{
    AUTO_FREE uint64_t *last = mem_alloc(t->source_count * sizeof(uint64_t));
    for (size_t i = 0; i < n; i++) {
        bool is_line = events[i].type == EVENT_JOB_LOG;
        uint64_t *newest = &last[t->source_index[events[i].source]];
        p = put_varint(p, zigzag(events[i].line - (is_line ? *newest + 1 : 0)));
        if (is_line)
            *newest = events[i].line;
    }
    return p;
}

static void put_columns(struct buf *out, const struct event *events, size_t n,
                        const struct tables *t)
{
    char *p = buf_room(out, n * (2 + 7 * VARINT_MAX_BYTES));
    if (!p)
        return;
    for (size_t i = 0; i < n; i++)
        *p++ = (char)events[i].type;
    for (size_t i = 0; i < n; i++)
        *p++ = (char)(events[i].level | events[i].originator << 2 | events[i].kind << 4);
    for (size_t i = 0; i < n; i++)
        p = put_varint(p, t->source_index[events[i].source]);
    for (size_t i = 0; i < n; i++)
        p = put_varint(p, t->task_of[i]);
    for (size_t i = 0; i < n; i++)
        p = put_varint(p, i == 0 ? 0 : events[i].seq - events[i - 1].seq - 1);
    uint64_t ts = 0;
    for (size_t i = 0; i < n; i++) {
        p = put_varint(p, zigzag((uint64_t)events[i].ts_us - ts));
        ts = (uint64_t)events[i].ts_us;
    }
    p = put_lines(p, events, n, t);
    for (size_t i = 0; i < n; i++)
        p = put_varint(p, events[i].message_n);
    for (size_t i = 0; i < n; i++)
        p = put_varint(p, events[i].members_n);
    out->n = (size_t)(p - out->p);
}

/* They lie in the batch as they are wanted here: one behind the other, in order. */
static void put_texts(struct buf *out, const struct event_batch *b, const struct event *first,
                      const struct event *last)
{
    size_t bytes = 0, all = (size_t)last->members_at + last->members_n - first->message_at;
    for (const struct event *e = first; e <= last; e++)
        bytes += (size_t)e->message_n + e->members_n;
    ASSERT(bytes == all);
    buf_add(out, b->text.p + first->message_at, all);
}

static void put_raw(struct buf *out, const struct event_batch *b, size_t from, size_t to)
{
    struct tables t = {0};
    tables_fill(&t, b, from, to);
    put_number(out, b->events[from].seq);
    put_number(out, to - from);
    put_tables(out, b, &t);
    put_columns(out, b->events + from, to - from, &t);
    put_texts(out, b, &b->events[from], &b->events[to - 1]);
    tables_done(&t);
}

int codec_encode(struct codec *c, const struct event_batch *b, size_t from, size_t to,
                 enum codec_level level, struct str *ret_blob, struct err *e)
{
    ASSERT(from < to && to <= b->count);
    buf_clear(&c->raw);
    put_raw(&c->raw, b, from, to);
    if (c->raw.overflow)
        return fail(e, E_TOOBIG, "%zu events are more than %d MiB in one piece", to - from,
                    CODEC_RAW_MAX_BYTES >> 20);
    buf_clear(&c->packed);
    buf_add(&c->packed, "TL\1", CODEC_HEADER_BYTES);
    size_t bound = ZSTD_compressBound(c->raw.n);
    char *room = buf_room(&c->packed, bound);
    ASSERT(room);
    ZSTD_CCtx_setParameter(c->pack, ZSTD_c_compressionLevel, (int)level);
    ZSTD_CCtx_setParameter(c->pack, ZSTD_c_checksumFlag, 1);
    size_t n = ZSTD_compress2(c->pack, room, bound, c->raw.p, c->raw.n);
    ASSERT(!ZSTD_isError(n)); /* the room is enough, nothing else can fail */
    c->packed.n += n;
    *ret_blob = buf_str(&c->packed);
    return 0;
}

/* ---- reading ---- */

struct input {
    const unsigned char *p, *end;
    const char *wrong; /* what does not fit, once something does not */
};

static void input_fail(struct input *in, const char *what)
{
    if (!in->wrong)
        in->wrong = what;
    in->p = in->end;
}

static uint64_t get_number(struct input *in)
{
    uint64_t v = 0;
    for (int shift = 0; in->p < in->end && shift < 64; shift += 7) {
        unsigned char byte = *in->p++;
        if (shift == 63 && byte > 1)
            break;
        v |= (uint64_t)(byte & 0x7f) << shift;
        if (byte < 0x80)
            return v;
    }
    input_fail(in, "a number ends too early or is too large");
    return 0;
}

static uint64_t get_below(struct input *in, uint64_t limit, const char *what)
{
    uint64_t v = get_number(in);
    if (v < limit)
        return v;
    input_fail(in, what);
    return 0;
}

static uint64_t get_signed(struct input *in)
{
    uint64_t v = get_number(in);
    return (v >> 1) ^ (0 - (v & 1));
}

static const unsigned char *get_bytes(struct input *in, size_t n)
{
    if ((size_t)(in->end - in->p) < n) {
        input_fail(in, "it is cut off");
        return NULL;
    }
    const unsigned char *p = in->p;
    in->p += n;
    return p;
}

static struct id get_id(struct input *in)
{
    struct id id = ID_NONE;
    const unsigned char *p = get_bytes(in, sizeof(id.b));
    if (p)
        memcpy(id.b, p, sizeof(id.b));
    return id;
}

static char *get_text(struct input *in)
{
    uint64_t n = get_number(in);
    if (n > (uint64_t)(in->end - in->p)) {
        input_fail(in, "a name is cut off");
        return mem_strdup("");
    }
    const unsigned char *p = get_bytes(in, n);
    if (n && memchr(p, 0, n))
        input_fail(in, "a name holds a zero byte");
    return mem_copy(p, n);
}

/* A count of things that take at least `each` bytes, so that a wrong one allocates nothing. */
static size_t get_count(struct input *in, size_t each)
{
    uint64_t n = get_number(in);
    if (n <= (uint64_t)(in->end - in->p) / each)
        return (size_t)n;
    input_fail(in, "a count is larger than what follows");
    return 0;
}

static void get_sources(struct input *in, struct event_batch *into)
{
    size_t n = get_count(in, SOURCE_MIN_BYTES);
    for (size_t i = 0; i < n && !in->wrong; i++) {
        /* not by event_batch_source(), whose search would be slow for a hostile count */
        MEM_GROW(into->sources, into->source_count, into->source_cap);
        struct event_source *s = &into->sources[into->source_count++];
        s->manager_id = get_id(in);
        s->step_id = get_id(in);
        s->step_name = get_text(in);
        s->source_type = get_text(in);
    }
}

static void get_bits(struct input *in, struct event *events, size_t n)
{
    const unsigned char *types = get_bytes(in, n);
    const unsigned char *bits = get_bytes(in, n);
    for (size_t i = 0; i < n && !in->wrong; i++) {
        events[i].type = types[i];
        events[i].level = bits[i] & 3;
        events[i].originator = bits[i] >> 2 & 3;
        events[i].kind = bits[i] >> 4;
        if (types[i] >= EVENT_TYPE_COUNT || events[i].originator > ORIGINATOR_WORKER ||
            events[i].kind > KIND_TASK)
            input_fail(in, "an event has an unknown type, originator or kind");
    }
}

static void get_order(struct input *in, struct event *events, size_t n, uint64_t first_seq)
{
    uint64_t seq = first_seq, ts = 0;
    for (size_t i = 0; i < n; i++) {
        uint64_t skipped = get_number(in);
        if (skipped >= (uint64_t)INT64_MAX - seq || (i == 0 && skipped))
            input_fail(in, "a sequence number is impossible");
        seq += skipped + (i > 0);
        events[i].seq = seq;
    }
    for (size_t i = 0; i < n; i++) {
        ts += get_signed(in);
        events[i].ts_us = (int64_t)ts;
    }
}

static void get_lines(struct input *in, struct event *events, size_t n, size_t source_count)
{
    AUTO_FREE uint64_t *last = mem_alloc(source_count * sizeof(uint64_t));
    for (size_t i = 0; i < n; i++) {
        bool is_line = events[i].type == EVENT_JOB_LOG;
        uint64_t *newest = &last[events[i].source];
        events[i].line = get_signed(in) + (is_line ? *newest + 1 : 0);
        if (is_line)
            *newest = events[i].line;
    }
}

static void get_texts(struct input *in, struct event_batch *into)
{
    struct event *events = into->events;
    for (size_t i = 0; i < into->count; i++)
        events[i].message_n =
            (uint32_t)get_below(in, CODEC_RAW_MAX_BYTES, "a text is too long");
    for (size_t i = 0; i < into->count; i++)
        events[i].members_n =
            (uint32_t)get_below(in, CODEC_RAW_MAX_BYTES, "a text is too long");
    uint64_t at = 0, total = (uint64_t)(in->end - in->p);
    for (size_t i = 0; i < into->count && at <= total; i++) {
        events[i].message_at = (uint32_t)at;
        events[i].members_at = (uint32_t)at + events[i].message_n;
        at += (uint64_t)events[i].message_n + events[i].members_n;
    }
    if (at != total)
        input_fail(in, "the texts are not as long as they should be");
    else
        buf_add(&into->text, in->p, total);
}

static void get_raw(struct input *in, struct event_batch *into)
{
    uint64_t first_seq = get_number(in);
    size_t n = get_count(in, COLUMNS_MIN_BYTES);
    if (first_seq == 0 || n == 0)
        input_fail(in, "it holds no events");
    get_sources(in, into);
    size_t task_count = get_count(in, sizeof(struct id));
    const unsigned char *tasks = get_bytes(in, task_count * sizeof(struct id));
    if (n > (size_t)(in->end - in->p) / COLUMNS_MIN_BYTES)
        input_fail(in, "it holds fewer events than it says");
    if (in->wrong)
        return;
    if (into->cap < n) {
        into->events = mem_resize(into->events, n * sizeof(struct event));
        into->cap = n;
    }
    memset(into->events, 0, n * sizeof(struct event));
    get_bits(in, into->events, n);
    for (size_t i = 0; i < n; i++)
        into->events[i].source =
            (uint32_t)get_below(in, into->source_count, "an event has an unknown source");
    for (size_t i = 0; i < n; i++) {
        uint64_t task = get_below(in, task_count + 1, "an event has an unknown task");
        if (task)
            memcpy(into->events[i].task_id.b, tasks + (task - 1) * 16, 16);
    }
    get_order(in, into->events, n, first_seq);
    if (in->wrong)
        return;
    get_lines(in, into->events, n, into->source_count);
    into->count = n;
    get_texts(in, into);
}

int codec_decode_raw(struct str raw, struct event_batch *into, struct err *e)
{
    event_batch_clear(into);
    const unsigned char *p = (const unsigned char *)raw.p;
    struct input in = {p, p + raw.n, NULL};
    get_raw(&in, into);
    if (!in.wrong)
        return 0;
    event_batch_clear(into);
    return fail(e, E_CORRUPT, "a stored block of events is damaged: %s", in.wrong);
}

int codec_decode(struct codec *c, struct str blob, struct event_batch *into, struct err *e)
{
    event_batch_clear(into);
    if (blob.n < CODEC_HEADER_BYTES || memcmp(blob.p, "TL", 2) != 0)
        return fail(e, E_CORRUPT, "a stored block of events does not begin as one");
    if (blob.p[2] != CODEC_VERSION)
        return fail(e, E_CORRUPT, "a stored block of events is of unknown version %d",
                    (unsigned char)blob.p[2]);
    const char *frame = blob.p + CODEC_HEADER_BYTES;
    size_t frame_n = blob.n - CODEC_HEADER_BYTES;
    unsigned long long raw_n = ZSTD_getFrameContentSize(frame, frame_n);
    if (raw_n > CODEC_RAW_MAX_BYTES) /* unknown and invalid are huge numbers too */
        return fail(e, E_CORRUPT, "a stored block of events has a damaged frame");
    buf_clear(&c->raw);
    char *room = buf_room(&c->raw, (size_t)raw_n);
    size_t n = ZSTD_decompressDCtx(c->unpack, room, (size_t)raw_n, frame, frame_n);
    if (ZSTD_isError(n) || n != raw_n)
        return fail(e, E_CORRUPT, "a stored block of events cannot be unpacked: %s",
                    ZSTD_isError(n) ? ZSTD_getErrorName(n) : "it is too short");
    return codec_decode_raw((struct str){room, n}, into, e);
}
