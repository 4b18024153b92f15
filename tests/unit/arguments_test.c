#include "cli/arguments.h"

#include <stdint.h>
#include <stdlib.h>

#include "base/text.h"
#include "test.h"

static int no_run(const struct arguments *a, struct err *e)
{
    (void)a, (void)e;
    return 0;
}

static const struct option options[] = {
    {.name = "follow", .letter = 'f', .help = ""},
    {.name = "parameter", .letter = 'p', .many = true, .value = "NAME=VALUE", .help = ""},
    {.name = "limit", .value = "N", .environment = "TEST_LIMIT", .fallback = "20", .help = ""},
    {0},
};
static const struct command command = {
    .name = "walk",
    .arguments = "PLACE [PLACE]",
    .summary = "",
    .options = options,
    .values_min = 1,
    .values_max = 2,
    .run = no_run,
};

/* `line` as a shell without quotes would cut it; the words live until the next call. */
static int parse(const char *line, struct arguments *a, struct err *e)
{
    static char text[256], *argv[32];
    int argc = 0;
    text_copy(text, sizeof(text), line);
    for (char *p = text; p && argc < 31; argc++) {
        argv[argc] = p;
        p = strchr(p, ' ');
        if (p)
            *p++ = '\0';
    }
    argv[argc] = NULL;
    return arguments_parse(&command, argc, argv, a, e);
}

TEST(options_and_values_may_be_mixed)
{
    struct arguments a;
    struct err e;
    CHECK_INT(parse("walk -p a=1 here --parameter=b=2 -pc=3 -f -- -there", &a, &e), 0);
    CHECK_INT(a.value_count, 2);
    CHECK_TEXT(a.values[0], "here");
    CHECK_TEXT(a.values[1], "-there");
    CHECK_INT(arguments_count(&a, "parameter"), 3);
    CHECK_TEXT(arguments_item(&a, "parameter", 0), "a=1");
    CHECK_TEXT(arguments_item(&a, "parameter", 1), "b=2");
    CHECK_TEXT(arguments_item(&a, "parameter", 2), "c=3");
    CHECK(arguments_have(&a, "follow"));
    arguments_done(&a);
}

TEST(what_is_written_wins_over_the_environment_and_that_over_the_fallback)
{
    struct arguments a;
    struct err e;
    CHECK_INT(parse("walk x", &a, &e), 0);
    CHECK_TEXT(arguments_text(&a, "limit"), "20");
    setenv("TEST_LIMIT", "", 1);
    CHECK_TEXT(arguments_text(&a, "limit"), "20");
    setenv("TEST_LIMIT", "30", 1);
    CHECK_TEXT(arguments_text(&a, "limit"), "30");
    CHECK(!arguments_have(&a, "limit"));
    arguments_done(&a);
    CHECK_INT(parse("walk x --limit 40", &a, &e), 0);
    int64_t limit = 0;
    CHECK_INT(arguments_int(&a, "limit", 1, 100, &limit, &e), 0);
    CHECK_INT(limit, 40);
    CHECK_INT(arguments_int(&a, "limit", 1, 39, &limit, &e), E_INVAL);
    CHECK_TEXT(e.text, "walk: --limit is '40', expected a number from 1 to 39");
    arguments_done(&a);
}

static const char *complaint(const char *line)
{
    static struct err e;
    struct arguments a;
    CHECK_INT(parse(line, &a, &e), E_INVAL);
    arguments_done(&a);
    return e.text;
}

TEST(wrong_arguments_are_named)
{
    CHECK_TEXT(complaint("walk x --folow"),
               "walk: there is no option --folow; did you mean --follow?");
    CHECK_TEXT(complaint("walk x -z"),
               "walk: there is no option -z; `tailrace help walk` lists them");
    CHECK_TEXT(complaint("walk x --limit"), "walk: --limit needs a value (N)");
    CHECK_TEXT(complaint("walk x --follow=yes"), "walk: --follow takes no value");
    CHECK_TEXT(complaint("walk --follow"),
               "walk: an argument is missing; usage: tailrace walk PLACE [PLACE]");
    CHECK_TEXT(complaint("walk x y z"),
               "walk: 'z' is one argument too many; usage: tailrace walk PLACE [PLACE]");
}
