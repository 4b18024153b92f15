/* The benchmarks' checker: what it lets pass is called complete and in order. */
#include "../bench/check.h"

#include <stdlib.h>

#include "base/mem.h"
#include "test.h"

enum { NOW_US = 1000000 };

/* A whole message, in two pieces. */
static enum check_kind hear(struct check *c, struct check_viewer *v, struct str text,
                            bool deflated)
{
    check_message(c, v, text.n, deflated);
    check_bytes(v, text.p, text.n / 2);
    check_bytes(v, text.p + text.n / 2, text.n - text.n / 2);
    return check_end(c, v, NOW_US);
}

static char *event_text(unsigned seq)
{
    return mem_printf("{\"seq\":%u,\"type\":\"job_log\",\"ts\":\"1970-01-01T00:00:00.250000Z\","
                      "\"payload\":{\"message\":\"{\\\"seq\\\":7\",\"line\":%u}}",
                      seq, seq);
}

/* All events after `from` up to `to`, as a frame of v1. */
static char *frame_text(unsigned from, unsigned to)
{
    AUTO_BUF text = BUF_INIT(65536);
    buf_printf(&text,
               "{\"type\":\"events\",\"topic\":\"job:1\",\"from\":%u,\"to\":%u,\"events\":[",
               from, to);
    for (unsigned seq = from + 1; seq <= to; seq++) {
        AUTO_FREE char *event = event_text(seq);
        buf_printf(&text, "%s%s", seq == from + 1 ? "" : ",", event);
    }
    buf_add_c(&text, "]}");
    return buf_take(&text);
}

static void hear_frame(struct check *c, struct check_viewer *v, unsigned from, unsigned to)
{
    AUTO_FREE char *text = frame_text(from, to);
    CHECK_INT(hear(c, v, str_of(text), false), CHECK_EVENTS);
}

static uint64_t violations(const struct check *c)
{
    return c->gaps + c->doubled + c->disordered + c->incomplete + c->malformed;
}

static void check_init_v1(struct check *c)
{
    check_init(c);
    c->v1 = c->counting = true;
}

TEST(viewers_that_get_every_event_once_are_counted_and_found_right)
{
    struct check c;
    check_init_v1(&c);
    struct check_viewer v[3] = {{.counted = true}, {.counted = true}, {.counted = true}};
    for (int i = 0; i < 3; i++) {
        hear_frame(&c, &v[i], 0, 4);
        if (i == 1)
            hear_frame(&c, &v[i], 2, 9); /* overlaps, as a frame may */
        else
            hear_frame(&c, &v[i], 4, 9);
        hear_frame(&c, &v[i], 9, 9); /* a bookmark */
        CHECK_INT(hear(&c, &v[i],
                       STR("{\"type\":\"end\",\"to\":9,\"lines\":{\"a\":5,\"b\":4}}"), false),
                  CHECK_FINISHED);
    }
    CHECK_INT(violations(&c), 0);
    CHECK_INT(c.delivered, 27);
    CHECK_INT(c.latency.total, 27);
    CHECK_INT(c.latency.max_us, 750000);
    check_done(&c);
}

TEST(a_gap_a_lost_line_and_a_changed_byte_are_found)
{
    struct check c;
    check_init_v1(&c);
    struct check_viewer v = {.counted = true}, other = {.counted = true};
    hear_frame(&c, &v, 0, 4);
    hear_frame(&c, &v, 5, 9);
    CHECK_INT(c.gaps, 1);
    (void)hear(&c, &v, STR("{\"type\":\"end\",\"to\":9,\"lines\":{\"a\":9}}"), false);
    CHECK_INT(c.incomplete, 1);
    AUTO_FREE char *text = frame_text(0, 4);
    char *third = strstr(text, "{\"seq\":3");
    CHECK(third);
    third[7] = '2'; /* the same length, so it is compared with what the first one got */
    (void)hear(&c, &other, str_of(text), false);
    CHECK_INT(c.disordered, 1);
    check_done(&c);
}

TEST(events_of_peers_are_numbered_one_by_one)
{
    struct check c;
    check_init(&c);
    c.counting = true;
    c.wanted = 3;
    struct check_viewer v = {.counted = true};
    AUTO_FREE char *one = event_text(1), *two = event_text(2), *three = event_text(3);
    AUTO_FREE char *pair = mem_printf("%s\n%s", one, two);
    CHECK_INT(hear(&c, &v, str_of(pair), false), CHECK_EVENTS);
    CHECK_INT(hear(&c, &v, str_of(three), false), CHECK_FINISHED);
    CHECK_INT(violations(&c), 0);
    (void)hear(&c, &v, str_of(three), false);
    CHECK_INT(c.doubled, 1);
    struct check_viewer late = {.counted = true};
    (void)hear(&c, &late, str_of(two), false);
    CHECK_INT(c.gaps, 1);
    check_done(&c);
}

TEST(deflated_frames_are_inflated_once_and_compared_by_their_bytes)
{
    struct check c;
    check_init_v1(&c);
    struct check_viewer v[2] = {{.counted = true}, {.counted = true}};
    AUTO_FREE char *text = frame_text(0, 40);
    unsigned char packed[4096];
    z_stream z = {.next_in = (unsigned char *)text,
                  .avail_in = (unsigned)strlen(text),
                  .next_out = packed,
                  .avail_out = sizeof(packed)};
    CHECK_INT(deflateInit2(&z, 6, Z_DEFLATED, -15, 8, Z_DEFAULT_STRATEGY), Z_OK);
    CHECK_INT(deflate(&z, Z_SYNC_FLUSH), Z_OK);
    struct str message = {(const char *)packed, z.total_out - 4}; /* RFC 7692, 7.2.1 */
    for (int i = 0; i < 2; i++)
        CHECK_INT(hear(&c, &v[i], message, true), CHECK_EVENTS);
    CHECK_INT(violations(&c), 0);
    CHECK_INT(c.delivered, 80);
    CHECK_INT(c.bytes, 2 * message.n);
    CHECK_INT(deflateEnd(&z), Z_DATA_ERROR); /* freed; it was not told that this is the end */
    check_done(&c);
}

TEST(percentiles_of_a_histogram_are_off_by_less_than_a_hundredth)
{
    struct histogram *h = mem_alloc(sizeof(*h));
    for (int64_t us = 1; us <= 2000000; us += 7)
        histogram_add(h, us);
    static const double shares[] = {0.001, 0.1, 0.5, 0.99, 0.999};
    for (size_t i = 0; i < ARRAY_LEN(shares); i++) {
        double want = shares[i] * 2000000, got = (double)histogram_at(h, shares[i]);
        CHECK(got > want * 0.99 && got < want * 1.01);
    }
    CHECK_INT(histogram_at(h, 1), h->max_us);
    free(h);
}
