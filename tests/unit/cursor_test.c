/* The command line's client rule against the vectors that the page's is held to as well
 * (tests/api/cursor.test.mjs). Those with frames that only a WebSocket has are the page's. */
#include "cli/cursor.h"

#include <stdlib.h>

#include "base/text.h"
#include "test.h"

enum { BOTH_MIN = 15 }; /* as many vectors must have concerned both */

static json_t *vectors_read(void)
{
    json_error_t why;
    json_t *vectors = json_load_file("tests/vectors/client-rule.json", 0, &why);
    if (!vectors)
        test_fail(__FILE__, __LINE__, "client-rule.json, line %d: %s", why.line, why.text);
    return vectors;
}

static const char *text_of(const json_t *object, const char *name)
{
    return json_string_value(json_object_get(object, name));
}

static bool is_for_both(const json_t *vector)
{
    const json_t *steps = json_object_get(vector, "steps");
    for (size_t i = 0; i < json_array_size(steps); i++) {
        const json_t *step = json_array_get(steps, i);
        if (strcmp(text_of(json_object_get(step, "frame"), "type"), "events") != 0 ||
            json_object_get(step, "request"))
            return false;
    }
    return true;
}

static void on_event(void *user, const json_t *event)
{
    (void)json_array_append((json_t *)user, json_object_get(event, "seq"));
}

static void step_play(const char *name, struct cursor *c, const json_t *step)
{
    static const char *const verdicts[] = {"applied", "stale", "gap"};
    json_t *none = json_array(), *got = json_array(), *want = json_object_get(step, "applied");
    char at[CURSOR_TEXT_MAX];
    enum cursor_verdict verdict = cursor_take(c, json_object_get(step, "frame"), on_event, got);
    cursor_text(c, at);
    if (strcmp(verdicts[verdict], text_of(step, "verdict")) != 0 ||
        strcmp(at, text_of(step, "cursor")) != 0 || !json_equal(got, want ? want : none)) {
        char *frame = json_dumps(json_object_get(step, "frame"), JSON_COMPACT);
        test_fail(__FILE__, __LINE__, "%s: %s gives %s and the cursor %s", name, frame,
                  verdicts[verdict], at);
    }
    json_decref(none);
    json_decref(got);
}

TEST(the_rule_of_the_command_line_is_that_of_the_page)
{
    struct err e;
    int both = 0;
    json_t *vectors = vectors_read();
    for (size_t i = 0; i < json_array_size(vectors); i++) {
        const json_t *vector = json_array_get(vectors, i);
        const json_t *steps = json_object_get(vector, "steps");
        struct cursor c;
        if (!is_for_both(vector))
            continue;
        CHECK(cursor_read(text_of(vector, "cursor"), &c, &e) >= 0);
        for (size_t k = 0; k < json_array_size(steps); k++)
            step_play(text_of(vector, "name"), &c, json_array_get(steps, k));
        both++;
    }
    CHECK(both >= BOTH_MIN);
    json_decref(vectors);
}

TEST(an_answer_that_does_not_prove_that_it_is_complete_is_a_gap)
{
    static const char *const answers[] = {"{}",
                                          "[]",
                                          "{\"from\":100,\"to\":200}",
                                          "{\"to\":200,\"events\":[]}",
                                          "{\"from\":-1,\"to\":200,\"events\":[]}",
                                          "{\"from\":\"0\",\"to\":200,\"events\":[]}"};
    for (size_t i = 0; i < ARRAY_LEN(answers); i++) {
        struct cursor c = {.epoch = "e1", .seq = 100};
        json_t *answer = json_loads(answers[i], 0, NULL);
        CHECK_INT(cursor_take(&c, answer, NULL, NULL), CURSOR_GAP);
        CHECK_INT(c.seq, 100);
        json_decref(answer);
    }
}

TEST(a_cursor_is_an_epoch_and_a_number)
{
    static const char *const wrong[] = {"",
                                        ":",
                                        "7",
                                        ":7",
                                        "e1:",
                                        "e1:-1",
                                        "e1:x",
                                        "e1:1 ",
                                        "e1:99999999999999999999",
                                        "0123456789012345678901234567890123456789:1"};
    struct err e;
    struct cursor c;
    char text[CURSOR_TEXT_MAX];
    for (size_t i = 0; i < ARRAY_LEN(wrong); i++)
        CHECK_INT(cursor_read(wrong[i], &c, &e), E_INVAL);
    CHECK(cursor_read("e1:9223372036854775807", &c, &e) >= 0);
    cursor_text(&c, text);
    CHECK_TEXT(text, "e1:9223372036854775807");
}
