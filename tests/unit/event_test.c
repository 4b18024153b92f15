/* A batch of events with very many sources. */
#include "job/event.h"
#include "test.h"

enum { SOURCES = 5000 };

TEST(a_batch_finds_each_of_its_many_sources_again)
{
    AUTO_EVENT_BATCH b = EVENT_BATCH_INIT;
    static struct event_source sources[SOURCES];
    struct event event = {.type = EVENT_JOB_LOG};
    for (int time = 0; time < 2; time++) { /* its memory is used again after clearing */
        event_batch_clear(&b);
        for (int i = 0; i < SOURCES; i++) {
            sources[i] =
                (struct event_source){id_new(), i % 3 ? id_new() : ID_NONE, "step", "shell"};
            (void)event_batch_add(&b, &event, &sources[i], STR("line"), STR(""));
        }
        CHECK_INT(b.source_count, SOURCES);
        for (int i = 0; i < SOURCES; i++)
            CHECK_INT(event_batch_source(&b, &sources[i * 7 % SOURCES]), i * 7 % SOURCES);
        CHECK_INT(b.source_count, SOURCES);
    }
}
