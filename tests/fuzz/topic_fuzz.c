/* Any bytes as the name of a topic and as a cursor: what is taken has one canonical form, which
 * is taken as the same again; what is refused is refused in one sentence. */
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include "feed/feed.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_topic(struct str text)
{
    struct topic_filter topic, again;
    struct err e = {0};
    char name[TOPIC_NAME_MAX];
    if (topic_parse(text, &topic, &e) < 0) {
        ASSERT(e.code == E_NOTFOUND && e.text[0]);
        return;
    }
    topic_name(&topic, name);
    ASSERT(topic_parse(str_of(name), &again, &e) >= 0);
    ASSERT(topic.kind == again.kind && topic.min_level == again.min_level &&
           id_eq(topic.job_id, again.job_id));
}

static void check_cursor(struct str text)
{
    char epoch[24], epoch_again[24], canonical[64];
    uint64_t seq, seq_again;
    if (!cursor_parse(text, epoch, sizeof(epoch), &seq))
        return;
    ASSERT(epoch[0] && strlen(epoch) < sizeof(epoch) && seq <= INT64_MAX);
    (void)snprintf(canonical, sizeof(canonical), "%s:%llu", epoch, (unsigned long long)seq);
    ASSERT(cursor_parse(str_of(canonical), epoch_again, sizeof(epoch_again), &seq_again));
    ASSERT(strcmp(epoch, epoch_again) == 0 && seq == seq_again);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct str text = {(const char *)data, size};
    text.n = strnlen(text.p, size); /* both come as C strings */
    check_topic(text);
    check_cursor(text);
    return 0;
}
