/* How long a topic gathers: a rule over its viewers and its rate, without a clock. */
#include "feed/topic.h"

#include "base/limits.h"
#include "test.h"

enum { MS = 1000 };

static struct topic *topic_with(int viewers)
{
    struct form form = {.kind = FEED_V1};
    struct topic *t = topic_new(&(struct topic_filter){.kind = TOPIC_JOBS}, &form, 0);
    t->cursors = viewers;
    return t;
}

/* One event each `every_us` for a second, flushed as it is told; how long it gathers then. */
static int64_t gather_at_rate(int viewers, int64_t every_us)
{
    struct topic *t = topic_with(viewers);
    int64_t now_us = 1000 * MS, gather_us = 0;
    for (uint64_t seq = 1; now_us < 2000 * MS; now_us += every_us) {
        topic_add(t, seq++, STR("{}"), now_us);
        gather_us = topic_gather_us(t, now_us);
        if (t->flushed_at_us + gather_us <= now_us)
            topic_flush(t, now_us);
    }
    topic_free(t);
    return gather_us;
}

TEST(a_topic_that_was_quiet_flushes_at_once_however_many_look_at_it)
{
    CHECK_INT(gather_at_rate(1, 100 * MS), 0);
    CHECK_INT(gather_at_rate(5000, 100 * MS), 0);
}

TEST(a_topic_gathers_for_as_long_as_its_viewers_take_to_be_written_to)
{
    CHECK_INT(gather_at_rate(1, 5 * MS), 6);
    CHECK_INT(gather_at_rate(100, 1 * MS), 600);
    CHECK_INT(gather_at_rate(1000, 1 * MS), 6 * MS);
    CHECK_INT(gather_at_rate(20000, 1 * MS), 100 * MS); /* and no longer than that */
}

TEST(a_topic_of_a_high_rate_gathers_for_a_frame_of_the_screen)
{
    CHECK_INT(gather_at_rate(1, 200), 16 * MS);
    CHECK_INT(gather_at_rate(3000, 200), 18 * MS);
}

TEST(a_rate_is_forgotten_after_a_pause)
{
    struct topic *t = topic_with(1);
    int64_t now_us = 1000 * MS;
    for (int i = 0; i < 5000; i++, now_us += 100) {
        topic_add(t, (uint64_t)i + 1, STR("{}"), now_us);
        (void)topic_gather_us(t, now_us);
    }
    t->flushed_at_us = now_us;
    CHECK_INT(topic_gather_us(t, now_us), 16 * MS);
    now_us += 1000 * MS;
    t->flushed_at_us = now_us;
    CHECK_INT(topic_gather_us(t, now_us), 6);
    topic_free(t);
}

/* Frames of 60 KB, so many, 1 ms apart. */
static int64_t ring_fill(struct topic *t, int frames, int64_t now_us)
{
    AUTO_BUF text = BUF_INIT(LIMIT_FRAME_BYTES);
    for (int i = 0; i < LIMIT_FRAME_BYTES - 4096; i++)
        buf_add_byte(&text, 'x');
    for (int i = 0; i < frames; i++, now_us += MS) {
        topic_add(t, t->tail + 1, buf_str(&text), now_us);
        topic_flush(t, now_us);
    }
    return now_us;
}

TEST(young_frames_stay_in_a_ring_that_is_full)
{
    struct topic *t = topic_with(1);
    int64_t now_us = ring_fill(t, 200, 1000 * MS);
    CHECK_INT(t->count, 200); /* 12 MB in 0.2 s */
    topic_trim(t, now_us + (LIMIT_RING_FAST_MS - 100) * MS);
    CHECK(t->count > 90 && t->count < 110); /* those that came first are old now */
    topic_trim(t, now_us + 1000 * MS);
    CHECK(t->ring_bytes <= LIMIT_RING_BYTES);
    CHECK(t->ring_bytes > LIMIT_RING_BYTES - 2 * LIMIT_FRAME_BYTES);
    topic_free(t);
}

TEST(a_ring_of_young_frames_has_a_size_too)
{
    struct topic *t = topic_with(1);
    for (int i = 0; i < 20; i++)
        (void)ring_fill(t, 100, 1000 * MS); /* 120 MB at once */
    CHECK(t->ring_bytes <= LIMIT_RING_FAST_BYTES);
    CHECK(t->ring_bytes > LIMIT_RING_FAST_BYTES - 2 * LIMIT_FRAME_BYTES);
    CHECK(topic_frame_after(t, t->tail - 1)->to == t->tail);
    topic_free(t);
}
