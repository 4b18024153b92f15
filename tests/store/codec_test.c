/* The codec: what goes in comes out, and no damaged byte is believed or does harm. */
#include "store/codec.h"

#include <dirent.h>
#include <stdlib.h>

#include "base/limits.h"
#include "base/mem.h"
#include "store_case.h"

static void fill(struct event_batch *b, struct rng *rng, int count)
{
    static const char *const texts[] = {"", "x", "fetched http://a/ 200 in 84 ms", "ä\n\t"};
    struct id jobs[2] = {id_new(), id_new()}, tasks[3] = {ID_NONE, id_new(), id_new()};
    uint64_t seq = 1 + rng_below(rng, 1000);
    for (int i = 0; i < count; i++) {
        struct id job_id = jobs[rng_below(rng, 2)];
        struct event_source source =
            rng_below(rng, 2) ? case_job_source(job_id) : case_step_source(job_id, jobs[0]);
        struct event e = {.seq = seq,
                          .line = rng_below(rng, 3) ? rng_below(rng, 1000) : UINT64_MAX,
                          .ts_us = (int64_t)rng_below(rng, UINT64_MAX),
                          .task_id = tasks[rng_below(rng, 3)],
                          .type = (uint8_t)rng_below(rng, EVENT_TYPE_COUNT),
                          .level = (uint8_t)rng_below(rng, LEVEL_COUNT),
                          .originator = (uint8_t)rng_below(rng, 3),
                          .kind = (uint8_t)rng_below(rng, 3)};
        event_batch_add(b, &e, &source, str_of(texts[rng_below(rng, 4)]),
                        str_of(texts[rng_below(rng, 4)]));
        seq += 1 + (rng_below(rng, 2) ? 0 : rng_below(rng, 100000));
    }
}

static void check_equal(const struct event_batch *a, size_t from, const struct event_batch *b)
{
    for (size_t i = 0; i < b->count; i++) {
        const struct event *x = &a->events[from + i], *y = &b->events[i];
        const struct event_source *sx = &a->sources[x->source], *sy = &b->sources[y->source];
        CHECK(x->seq == y->seq && x->line == y->line && x->ts_us == y->ts_us);
        CHECK(x->type == y->type && x->level == y->level && x->kind == y->kind);
        CHECK(x->originator == y->originator && id_eq(x->task_id, y->task_id));
        CHECK(id_eq(sx->manager_id, sy->manager_id) && id_eq(sx->step_id, sy->step_id));
        CHECK_TEXT(sx->step_name, sy->step_name);
        CHECK_TEXT(sx->source_type, sy->source_type);
        CHECK(str_eq(event_message(a, x), event_message(b, y)));
        CHECK(str_eq(event_members(a, x), event_members(b, y)));
    }
}

TEST(events_come_out_of_the_codec_as_they_went_in)
{
    struct codec *c = codec_new();
    struct rng rng = {3};
    struct err e;
    AUTO_EVENT_BATCH out = EVENT_BATCH_INIT;
    for (int round = 0; round < 50; round++) {
        AUTO_EVENT_BATCH in = EVENT_BATCH_INIT;
        fill(&in, &rng, 1 + (int)rng_below(&rng, 200));
        size_t from = rng_below(&rng, in.count);
        size_t to = from + 1 + rng_below(&rng, in.count - from);
        struct str blob;
        CHECK(codec_encode(c, &in, from, to, CODEC_CHUNK, &blob, &e) >= 0);
        AUTO_FREE char *copy = mem_copy(blob.p, blob.n);
        CHECK(codec_decode(c, (struct str){copy, blob.n}, &out, &e) >= 0);
        CHECK_INT(out.count, to - from);
        check_equal(&in, from, &out);
    }
    codec_free(c);
}

TEST(a_damaged_block_is_an_error_wherever_the_damage_is)
{
    struct codec *c = codec_new();
    struct rng rng = {4};
    struct err e;
    AUTO_EVENT_BATCH in = EVENT_BATCH_INIT;
    AUTO_EVENT_BATCH out = EVENT_BATCH_INIT;
    fill(&in, &rng, 40);
    struct str blob;
    CHECK(codec_encode(c, &in, 0, in.count, CODEC_JOURNAL, &blob, &e) >= 0);
    size_t n = blob.n;
    for (size_t i = 0; i < n; i++) {
        AUTO_FREE char *copy = mem_copy(blob.p, n);
        copy[i] = (char)(copy[i] ^ 1 << rng_below(&rng, 8));
        int r = codec_decode(c, (struct str){copy, n}, &out, &e);
        if (r >= 0) /* a bit of the frame's header may mean nothing */
            check_equal(&in, 0, &out);
        else
            CHECK(r == E_CORRUPT && out.count == 0);
        CHECK_INT(codec_decode(c, (struct str){blob.p, i}, &out, &e), E_CORRUPT);
    }
    codec_free(c);
}

static void put_sources(struct buf *raw)
{
    buf_add(raw, "\1\2\1", 3); /* first_seq 1, two events, one source */
    for (int i = 0; i < 32; i++)
        buf_add_byte(raw, (char)i);
    buf_add(raw, "\1s\1t", 4);
    buf_add(raw, "\0", 1); /* no tasks */
}

TEST(what_is_inside_of_a_block_is_checked_too)
{
    /* the columns of two events: types, bits, sources, tasks, seq, ts, lines, texts */
    static const char good[] = "\0\0\1\1\0\0\0\0\0\0\0\0\0\0\1\1\0\0ab";
    static const struct {
        int at;
        char byte;
        const char *sentence;
    } cases[] = {{0, EVENT_TYPE_COUNT, "unknown type"},
                 {2, 3 << 2, "unknown type"},
                 {3, 3 << 4, "unknown type"},
                 {4, 1, "unknown source"},
                 {6, 1, "unknown task"},
                 {8, 1, "sequence number"},
                 {14, 2, "not as long"},
                 {17, 1, "not as long"},
                 {19, (char)0x80, NULL},
                 {18, 'c', NULL}};
    AUTO_EVENT_BATCH out = EVENT_BATCH_INIT;
    struct err e;
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        AUTO_BUF raw = BUF_INIT(1000);
        put_sources(&raw);
        size_t columns = raw.n;
        buf_add(&raw, good, sizeof(good) - 1);
        CHECK(codec_decode_raw(buf_str(&raw), &out, &e) >= 0);
        CHECK_INT(out.count, 2);
        CHECK(str_eq_c(event_message(&out, &out.events[1]), "b"));
        raw.p[columns + (size_t)cases[i].at] = cases[i].byte;
        int r = codec_decode_raw(buf_str(&raw), &out, &e);
        if (!cases[i].sentence) {
            CHECK(r >= 0); /* texts may be any bytes */
            continue;
        }
        CHECK_INT(r, E_CORRUPT);
        CHECK_HAS(e.text, cases[i].sentence);
    }
}

TEST(random_bytes_inside_of_a_block_do_no_harm)
{
    AUTO_EVENT_BATCH out = EVENT_BATCH_INIT;
    struct rng rng = {5};
    struct err e;
    for (int i = 0; i < 20000; i++) {
        AUTO_BUF raw = BUF_INIT(1000);
        put_sources(&raw);
        for (uint64_t n = rng_below(&rng, 60); n > 0; n--)
            buf_add_byte(&raw, (char)(rng_below(&rng, 3) ? 0 : rng_below(&rng, 256)));
        if (rng_below(&rng, 2))
            raw.p[rng_below(&rng, raw.n)] = (char)rng_below(&rng, 256);
        int r = codec_decode_raw(buf_str(&raw), &out, &e);
        CHECK(r == E_CORRUPT || (r == 0 && out.count > 0));
    }
}

/* The corpus of the fuzzer, where the tests are run from the project's folder. */
TEST(no_file_of_the_fuzzing_corpus_does_harm)
{
    static const char folder[] = "tests/fuzz/corpus/codec";
    DIR *dir = opendir(folder);
    if (!dir)
        return;
    struct codec *c = codec_new();
    AUTO_EVENT_BATCH out = EVENT_BATCH_INIT;
    int good = 0;
    for (struct dirent *entry; (entry = readdir(dir));) {
        char path[512], bytes[8192];
        struct err e;
        snprintf(path, sizeof(path), "%s/%s", folder, entry->d_name);
        FILE *f = entry->d_name[0] == '.' ? NULL : fopen(path, "rb");
        if (!f)
            continue;
        struct str data = {bytes, fread(bytes, 1, sizeof(bytes), f)};
        fclose(f);
        good += codec_decode(c, data, &out, &e) >= 0;
        good += codec_decode_raw(data, &out, &e) >= 0;
    }
    CHECK(good >= 2);
    closedir(dir);
    codec_free(c);
}
