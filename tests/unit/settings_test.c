#include "base/buf.h"
#include "base/json.h"
#include "base/limits.h"
#include "job/filler.h"
#include "job/graph.h"
#include "job/node.h"
#include "job/parameter.h"
#include "job/quantity.h"
#include "job/settings.h"
#include "test.h"

static const char *const moods[] = {"calm", "wild", NULL};

static const struct setting_spec specs[] = {
    {.name = "command", .kind = SETTING_TEXT, .required = true, .verbatim = true},
    {.name = "agent", .kind = SETTING_TEXT, .fallback = "tailrace: a # robot"},
    {.name = "mood", .kind = SETTING_TEXT, .choices = moods, .fallback = "calm"},
    {.name = "max_depth", .kind = SETTING_INT, .min = 1, .max = 64, .fallback = "3"},
    {.name = "max_pages", .kind = SETTING_INT},
    {.name = "offset", .kind = SETTING_INT, .min = -5, .max = 5},
    {.name = "rate", .kind = SETTING_NUMBER, .fallback = "0.25"},
    {.name = "follow", .kind = SETTING_BOOL, .fallback = "true"},
    {.name = "wait", .kind = SETTING_DURATION, .min = 100, .max = 60000, .fallback = "2s"},
    {.name = "max_size", .kind = SETTING_SIZE, .fallback = "10MiB"},
    {.name = "urls", .kind = SETTING_TEXTS, .fallback = "[a, 'b c']"},
    {.name = "env", .kind = SETTING_PAIRS, .fallback = "{ LANG: C }"},
    {.name = NULL},
};
static const struct worker_schema worker = {.type = "test", .settings = specs};

static struct parameter parameters[] = {
    {.name = "site", .value = "http://a/"},
    {.name = "depth", .value = "7"},
    {.name = "self", .value = "{site}"},
    {.name = "open"},
};

/* Reads `yaml` as the config of a step; e.code is 0 when it was taken. */
static struct settings *config_read(const char *yaml, struct err *e)
{
    AUTO_NODE_TREE tree = NODE_TREE_OF("x.yaml");
    struct filler filler = {.parameters = parameters,
                            .count = ARRAY_LEN(parameters),
                            .max_bytes = LIMIT_DEFINITION_BYTES};
    struct settings *s = NULL;
    *e = (struct err){0};
    if (node_read_yaml(&tree, str_of(yaml), e) < 0)
        return NULL;
    struct node step = {.kind = NODE_MAP, .origin = "x.yaml", .line = 1, .column = 1};
    const struct node *config = tree.root->kind == NODE_NONE ? NULL : tree.root;
    CHECK((settings_read(config, &step, &worker, &filler, &s, e) == 0) == (s != NULL));
    return s;
}

TEST(settings_that_nobody_wrote_have_their_defaults)
{
    struct err e;
    struct settings *s = config_read("command: ls", &e);
    CHECK_TEXT(e.text, "");
    CHECK_TEXT(settings_text(s, "command"), "ls");
    CHECK_TEXT(settings_text(s, "agent"), "tailrace: a # robot");
    CHECK_TEXT(settings_text(s, "mood"), "calm");
    CHECK_INT(settings_int(s, "max_depth"), 3);
    CHECK_INT(settings_int(s, "max_pages"), 0);
    CHECK(settings_number(s, "rate") > 0.24 && settings_number(s, "rate") < 0.26);
    CHECK(settings_bool(s, "follow"));
    CHECK_INT(settings_int(s, "wait"), 2000);
    CHECK_INT(settings_int(s, "max_size"), 10 << 20);
    CHECK_INT(settings_count(s, "urls"), 2);
    CHECK_TEXT(settings_item(s, "urls", 1), "b c");
    CHECK_TEXT(settings_key(s, "env", 0), "LANG");
    CHECK_TEXT(settings_item(s, "env", 0), "C");
    settings_free(s);
}

TEST(the_list_of_settings_decides_the_type_not_the_look_of_the_value)
{
    struct err e;
    struct settings *s =
        config_read("command: no\nagent: 0x10\nurls: [yes, 1.50, true]\n"
                    "env: { A: off, B: 007 }\nmax_depth: 64\noffset: -5\nfollow: false\n",
                    &e);
    CHECK_TEXT(e.text, "");
    CHECK_TEXT(settings_text(s, "command"), "no");
    CHECK_TEXT(settings_text(s, "agent"), "0x10");
    CHECK_TEXT(settings_item(s, "urls", 0), "yes");
    CHECK_TEXT(settings_item(s, "urls", 1), "1.50");
    CHECK_TEXT(settings_item(s, "urls", 2), "true");
    CHECK_TEXT(settings_item(s, "env", 0), "off");
    CHECK_TEXT(settings_item(s, "env", 1), "007");
    CHECK_INT(settings_int(s, "max_depth"), 64);
    CHECK_INT(settings_int(s, "offset"), -5);
    CHECK(!settings_bool(s, "follow"));
    settings_free(s);
}

TEST(a_setting_with_a_null_value_is_one_that_nobody_wrote)
{
    struct err e;
    struct settings *s = config_read("command: ls\nmax_depth:\nagent: ~\nurls: null\n", &e);
    CHECK_TEXT(e.text, "");
    CHECK_INT(settings_int(s, "max_depth"), 3);
    CHECK_INT(settings_count(s, "urls"), 2);
    settings_free(s);
}

TEST(parameters_are_filled_into_texts_lists_and_maps_and_nowhere_else)
{
    struct err e;
    struct settings *s =
        config_read("command: echo {site}\nagent: 'to {site}{depth}, ${site} {other} {'\n"
                    "max_depth: '{depth}'\nurls: ['{site}x', '{self}', '{open}']\n"
                    "env: { '{site}': '{depth}' }\n",
                    &e);
    CHECK_TEXT(e.text, "");
    CHECK_TEXT(settings_text(s, "command"), "echo {site}"); /* verbatim */
    CHECK_TEXT(settings_text(s, "agent"), "to http://a/7, ${site} {other} {");
    CHECK_INT(settings_int(s, "max_depth"), 7);
    CHECK_TEXT(settings_item(s, "urls", 0), "http://a/x");
    CHECK_TEXT(settings_item(s, "urls", 1), "{site}"); /* a value is not filled again */
    CHECK_TEXT(settings_item(s, "urls", 2), "{open}"); /* has no value yet */
    CHECK_TEXT(settings_key(s, "env", 0), "{site}");
    CHECK_TEXT(settings_item(s, "env", 0), "7");
    settings_free(s);
}

TEST(a_setting_whose_parameter_has_no_value_yet_is_not_checked)
{
    struct err e;
    struct settings *s = config_read("command: ls\nmax_depth: '{open}'\nmood: '{open}'\n", &e);
    CHECK_TEXT(e.text, "");
    CHECK_INT(settings_int(s, "max_depth"), 0);
    CHECK_TEXT(settings_text(s, "mood"), "{open}");
    settings_free(s);
}

TEST(settings_are_shown_as_their_author_wrote_them)
{
    struct err e;
    AUTO_BUF out = BUF_INIT(4096);
    struct json j = JSON_TO(&out);
    struct settings *s =
        config_read("command: \"say \\\"hi\\\"\"\nmax_depth: '{depth}'\nwait: 100ms\n"
                    "urls: ['{site}', b]\nenv: { 'a\"b': '{open}' }\n",
                    &e);
    CHECK_TEXT(e.text, "");
    settings_json(s, &j);
    CHECK_TEXT(
        buf_text(&out),
        "{\"command\":\"say \\\"hi\\\"\",\"agent\":\"tailrace: a # robot\",\"mood\":\"calm\","
        "\"max_depth\":\"{depth}\",\"max_pages\":0,\"offset\":0,\"rate\":0.25,\"follow\":true,"
        "\"wait\":\"100ms\",\"max_size\":\"10MiB\",\"urls\":[\"{site}\",\"b\"],"
        "\"env\":{\"a\\\"b\":\"{open}\"}}");
    settings_free(s);
}

static const struct {
    const char *yaml, *message;
} wrong[] = {
    {"", "x.yaml: there is nothing in this text"},
    {"{}", "x.yaml:1:1: 'command' is missing, expected text"},
    {"command:\n", "x.yaml:1:9: command: expected text, found nothing"},
    {"command: ''\n", "x.yaml:1:10: command: expected text, found ''"},
    {"command: [ls]\n", "x.yaml:1:10: command: expected text, found a list"},
    {"command: {ls}\n",
     "x.yaml:1:10: command: expected text, found a map; a text that begins with '{' "
     "needs quotes"},
    {"command: ls\nmax_dept: 2\n",
     "x.yaml:2:1: unknown key 'max_dept', did you mean 'max_depth'?"},
    {"command: ls\nzzz: 2\n", "x.yaml:2:1: unknown key 'zzz'"},
    {"command: ls\nmax_depth: two\n",
     "x.yaml:2:12: max_depth: expected a whole number, found 'two'"},
    {"command: ls\nmax_depth: '2'\n",
     "x.yaml:2:12: max_depth: expected a whole number, found '2' in quotes"},
    {"command: ls\nmax_depth: 2.0\n",
     "x.yaml:2:12: max_depth: expected a whole number, found '2.0'"},
    {"command: ls\nmax_depth: 0x2\n",
     "x.yaml:2:12: max_depth: expected a whole number, found '0x2'"},
    {"command: ls\nmax_depth: +2\n",
     "x.yaml:2:12: max_depth: expected a whole number, found '+2'"},
    {"command: ls\nmax_depth: 65\n", "x.yaml:2:12: max_depth: expected 1 to 64, found '65'"},
    {"command: ls\nmax_depth: [1]\n",
     "x.yaml:2:12: max_depth: expected a whole number, found a list"},
    {"command: ls\nmax_pages: -1\n", "x.yaml:2:12: max_pages: expected 0 or more, found '-1'"},
    {"command: ls\nmax_pages: 99999999999999999999\n",
     "x.yaml:2:12: max_pages: expected a whole number, found '99999999999999999999'"},
    {"command: ls\nmood: wilt\n",
     "x.yaml:2:7: mood: expected calm or wild, found 'wilt', did you mean 'wild'?"},
    {"command: ls\nmood: [wild]\n", "x.yaml:2:7: mood: expected text, found a list"},
    {"command: ls\nrate: much\n",
     "x.yaml:2:7: rate: expected a number such as 0.25, found 'much'"},
    {"command: ls\nrate: .\n", "x.yaml:2:7: rate: expected a number such as 0.25, found '.'"},
    {"command: ls\nrate: 1e999\n",
     "x.yaml:2:7: rate: expected a number such as 0.25, found '1e999'"},
    {"command: ls\nrate: -0.5\n", "x.yaml:2:7: rate: expected 0 or more, found '-0.5'"},
    {"command: ls\nfollow: yes\n", "x.yaml:2:9: follow: expected true or false, found 'yes'"},
    {"command: ls\nfollow: 'true'\n",
     "x.yaml:2:9: follow: expected true or false, found 'true' in quotes"},
    {"command: ls\nwait: 5 minutes\n",
     "x.yaml:2:7: wait: expected a duration such as 250ms, 2s, 30m or 1h, found '5 minutes'"},
    {"command: ls\nwait: 5\n",
     "x.yaml:2:7: wait: expected a duration such as 250ms, 2s, 30m or 1h, found '5'"},
    {"command: ls\nwait: 99ms\n", "x.yaml:2:7: wait: expected 100ms to 1m, found '99ms'"},
    {"command: ls\nmax_size: 5MB\n",
     "x.yaml:2:11: max_size: expected a size such as 500B, 64KiB or 10MiB, found '5MB'"},
    {"command: ls\nurls: http://a/\n", "x.yaml:2:7: urls: expected a list, found 'http://a/'; "
                                       "a list of one is written [http://a/]"},
    {"command: ls\nurls: [a, , b]\n",
     "x.yaml:2:11: this is not YAML: while parsing a flow node, did "
     "not find expected node content"},
    {"command: ls\nurls: [a, ~]\n", "x.yaml:2:11: urls[1]: expected text, found nothing"},
    {"command: ls\nurls: {a: b}\n", "x.yaml:2:7: urls: expected a list, found a map"},
    {"command: ls\nenv: [A=b]\n", "x.yaml:2:6: env: expected a map of texts, found a list"},
    {"command: ls\nenv: {A: }\n", "x.yaml:2:10: env.A: expected text, found nothing"},
    {"command: ls\nenv:\n  A: [b]\n", "x.yaml:3:6: env.A: expected text, found a list"},
    {"command: ls\nmax_depth: '{site}'\n",
     "x.yaml:2:12: max_depth: expected a whole number, found 'http://a/'"},
};

TEST(a_wrong_setting_is_told_with_its_place_what_was_found_and_what_was_expected)
{
    for (size_t i = 0; i < ARRAY_LEN(wrong); i++) {
        struct err e;
        CHECK(!config_read(wrong[i].yaml, &e));
        CHECK_TEXT(e.text, wrong[i].message);
    }
}

TEST(durations_and_sizes_are_a_number_and_a_unit)
{
    static const struct {
        const char *text;
        int64_t ms, bytes; /* -1: not one */
    } cases[] = {
        {"0", 0, 0},
        {"0ms", 0, -1},
        {"250ms", 250, -1},
        {"2s", 2000, -1},
        {"30m", 1800000, -1},
        {"1h", 3600000, -1},
        {"7d", 604800000, -1},
        {"5", -1, 5},
        {"500B", -1, 500},
        {"64KiB", -1, 65536},
        {"10MiB", -1, 10 << 20},
        {"2GiB", -1, 2LL << 30},
        {"", -1, -1},
        {"ms", -1, -1},
        {"-1s", -1, -1},
        {"1.5s", -1, -1},
        {"1 s", -1, -1},
        {"1S", -1, -1},
        {"64kib", -1, -1},
        {"1h30m", -1, -1},
        {"-5", -1, -1},
        {"9223372036854775807s", -1, -1},
        {"9223372036854775807GiB", -1, -1},
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        int64_t ms = -1, bytes = -1;
        CHECK_INT(quantity_parse_duration(str_of(cases[i].text), &ms), cases[i].ms >= 0);
        CHECK_INT(ms, cases[i].ms);
        CHECK_INT(quantity_parse_size(str_of(cases[i].text), &bytes), cases[i].bytes >= 0);
        CHECK_INT(bytes, cases[i].bytes);
    }
}

TEST(a_duration_is_written_so_that_it_reads_back_as_the_same)
{
    char text[QUANTITY_TEXT_MAX];
    CHECK_TEXT(quantity_format_duration(0, text), "0ms");
    CHECK_TEXT(quantity_format_duration(1500, text), "1500ms");
    CHECK_TEXT(quantity_format_duration(90000, text), "90s");
    CHECK_TEXT(quantity_format_duration(86400000, text), "1d");
    CHECK_TEXT(quantity_format_size(1536, text), "1536B");
    CHECK_TEXT(quantity_format_size(3 << 20, text), "3MiB");
}

TEST(an_order_keeps_what_is_there_and_puts_nothing_before_what_it_depends_on)
{
    int order[4];
    const int on_3[] = {3}, on_0[] = {0};
    const struct graph_node nodes[] = {{on_3, 1}, {NULL, 0}, {on_0, 1}, {NULL, 0}};
    CHECK_INT(graph_order(nodes, 4, order), 0);
    const int expected[] = {3, 0, 1, 2};
    for (int i = 0; i < 4; i++)
        CHECK_INT(order[i], expected[i]);
}

TEST(a_circle_is_named_from_its_lowest_member_on)
{
    int order[4];
    const int on_2[] = {2}, on_3[] = {3}, on_1[] = {1};
    const struct graph_node nodes[] = {{on_3, 1}, {on_2, 1}, {on_3, 1}, {on_1, 1}};
    CHECK_INT(graph_order(nodes, 4, order), 3); /* reached from 0, which is not in it */
    CHECK_INT(order[0], 1);
    CHECK_INT(order[1], 2);
    CHECK_INT(order[2], 3);
}
