#include "base/limits.h"
#include "base/mem.h"
#include "job/definition.h"
#include "job/schedule.h"
#include "test.h"

static const struct setting_spec crawler_settings[] = {
    {.name = "start_urls", .kind = SETTING_TEXTS, .required = true},
    {.name = "max_depth", .kind = SETTING_INT, .fallback = "3"},
    {.name = "delay", .kind = SETTING_DURATION, .fallback = "0ms"},
    {.name = NULL},
};
static const struct setting_spec shell_settings[] = {
    {.name = "command", .kind = SETTING_TEXT, .required = true, .verbatim = true},
    {.name = "env", .kind = SETTING_PAIRS},
    {.name = NULL},
};
static const struct worker_schema crawler = {.type = "crawler", .settings = crawler_settings};
static const struct worker_schema shell = {
    .type = "shell", .settings = shell_settings, .one_task = true};
static const struct worker_schema *const schemas[] = {&crawler, &shell, NULL};

static struct definition *parse(const char *text, enum definition_format format, struct err *e)
{
    struct definition_input in = {.text = str_of(text),
                                  .format = format,
                                  .schemas = schemas,
                                  .origin =
                                      format == DEFINITION_JSON ? "request body" : "x.yaml"};
    struct definition *d = NULL;
    *e = (struct err){0};
    CHECK((definition_parse(&in, &d, e) == 0) == (d != NULL));
    return d;
}

/* The value of a parameter, `name` NULL: none. */
static struct definition *parse_to_run(const char *text, const char *name, const char *value,
                                       struct err *e)
{
    struct definition_input in = {.text = str_of(text),
                                  .origin = "x.yaml",
                                  .schemas = schemas,
                                  .names = &name,
                                  .values = &value,
                                  .value_count = name != NULL,
                                  .for_run = true};
    struct definition *d = NULL;
    *e = (struct err){0};
    CHECK((definition_parse(&in, &d, e) == 0) == (d != NULL));
    return d;
}

#define HEAD "id: a\nname: A\n"
#define STEP "steps:\n- {name: s, type: shell, config: {command: ls}}\n"

static const char news[] =
    "id: news-crawler\n"
    "name: News Crawler\n"
    "description: Crawl news pages and keep the articles\n"
    "schedule: { cron: \"*/30 * * * *\", timezone: Europe/Berlin, missed: run-once }\n"
    "timeout: 30m\n"
    "enabled: true\n"
    "tags: [news]\n"
    "parameters: { site: { default: \"http://127.0.0.1:8090/\", description: where to start } "
    "}\n"
    "error_tolerance: { max_child_failures: 10, failure_action: stop_all }\n"
    "steps:\n"
    "  - name: report\n"
    "    type: shell\n"
    "    depends: [crawl_news_sites]\n"
    "    on_error: continue\n"
    "    retry: { attempts: 3, backoff: 2s }\n"
    "    timeout: 5m\n"
    "    heartbeat: 90s\n"
    "    config: { command: \"./report.sh {site}\", env: { STYLE: short } }\n"
    "  - name: crawl_news_sites\n"
    "    type: crawler\n"
    "    config:\n"
    "      start_urls: [\"{site}\"]\n"
    "      max_depth: 2\n";

TEST(a_whole_definition_is_read_with_all_its_fields)
{
    struct err e;
    struct definition *d = parse(news, DEFINITION_YAML, &e);
    CHECK_TEXT(e.text, "");
    CHECK_TEXT(d->id, "news-crawler");
    CHECK_TEXT(d->name, "News Crawler");
    CHECK_TEXT(d->description, "Crawl news pages and keep the articles");
    CHECK_TEXT(d->source, news);
    CHECK_TEXT(d->schedule->text, "*/30 * * * *");
    CHECK_TEXT(d->schedule->timezone, "Europe/Berlin");
    CHECK_INT(d->schedule->missed, MISSED_RUN_ONCE);
    CHECK_INT(d->schedule->overlap, OVERLAP_SKIP);
    CHECK_INT(d->warning_count, 0);
    CHECK_INT(d->timeout_ms, 30 * 60 * 1000);
    CHECK(d->enabled && !d->is_json);
    CHECK_INT(d->tag_count, 1);
    CHECK_TEXT(d->tags[0], "news");
    CHECK_INT(d->parameter_count, 1);
    CHECK_TEXT(d->parameters[0].value, "http://127.0.0.1:8090/");
    CHECK_TEXT(d->parameters[0].description, "where to start");
    CHECK_INT(d->max_child_failures, 10);
    CHECK_INT(d->failure_action, FAILURE_STOP_ALL);
    CHECK_INT(d->step_count, 2);
    CHECK_INT(d->order[0], 1);
    CHECK_INT(d->order[1], 0);
    const struct step_definition *report = &d->steps[0], *crawl = &d->steps[1];
    CHECK_TEXT(report->name, "report");
    CHECK(report->schema == &shell && crawl->schema == &crawler);
    CHECK_INT(report->depends_count, 1);
    CHECK_INT(report->depends[0], 1);
    CHECK_INT(report->on_error, ON_ERROR_CONTINUE);
    CHECK_INT(report->retry_attempts, 3);
    CHECK_INT(report->retry_backoff_ms, 2000);
    CHECK_INT(report->timeout_ms, 5 * 60 * 1000);
    CHECK_INT(report->heartbeat_ms, 90 * 1000);
    CHECK_INT(crawl->heartbeat_ms, 0);
    CHECK_TEXT(settings_text(report->settings, "command"), "./report.sh {site}");
    CHECK_TEXT(settings_item(crawl->settings, "start_urls", 0), "http://127.0.0.1:8090/");
    CHECK_INT(settings_int(crawl->settings, "max_depth"), 2);
    definition_free(d);
}

TEST(a_definition_with_the_least_in_it_has_its_defaults)
{
    struct err e;
    struct definition *d = parse(HEAD STEP, DEFINITION_YAML, &e);
    CHECK_TEXT(e.text, "");
    CHECK_TEXT(d->description, "");
    CHECK(!d->schedule);
    CHECK(d->enabled);
    CHECK_INT(d->max_child_failures, -1);
    CHECK_INT(d->steps[0].on_error, ON_ERROR_FAIL);
    CHECK_TEXT(d->steps[0].description, "");
    CHECK_INT(d->warning_count, 0);
    definition_free(d);
}

/* Valid, with so many warnings. */
static struct definition *parse_warned(const char *text, int warnings)
{
    struct err e;
    struct definition *d = parse(text, DEFINITION_YAML, &e);
    CHECK_TEXT(e.text, "");
    CHECK_INT(d->warning_count, warnings);
    return d;
}

TEST(what_may_not_be_meant_is_taken_and_said)
{
    struct definition *d = parse_warned(HEAD "schedule: 0 3 1 * mon\n" STEP, 1);
    CHECK_TEXT(d->schedule->text, "0 3 1 * mon");
    CHECK_TEXT(d->warnings[0],
               "schedule: it is due when either of its two days fits, not only when both do");
    definition_free(d);
}

TEST(braces_that_are_nearly_a_parameter_are_said_and_no_others)
{
    struct definition *d = parse_warned(
        HEAD "parameters: { site: \"http://a/\" }\nsteps:\n  - name: s\n    type: crawler\n"
             "    config: { start_urls: [\"{sit}\", \"{site}{pages}${sitee}\", "
             "\"http://a/{item}\"] }\n"
             "  - { name: t, type: shell, config: { command: \"echo {sit}\" } }\n",
        2);
    CHECK_TEXT(d->warnings[0], "steps[0].config.start_urls[0]: '{sit}' is no parameter and "
                               "stays as it is, did you mean '{site}'?");
    CHECK_TEXT(d->warnings[1], "steps[0].config.start_urls[2]: '{item}' stays as it is, for "
                               "the step has no for_each");
    definition_free(d);
}

TEST(a_heartbeat_that_never_ends_an_attempt_is_said)
{
    struct definition *d = parse_warned(HEAD "steps:\n"
                                             "  - { name: a, type: shell, task_timeout: 1m, "
                                             "heartbeat: 60s, config: { command: x } }\n"
                                             "  - { name: b, type: shell, task_timeout: 1m, "
                                             "heartbeat: 59s, config: { command: x } }\n",
                                        1);
    CHECK_TEXT(d->warnings[0], "steps[0].heartbeat: it is not shorter than task_timeout, which "
                               "ends an attempt before it");
    definition_free(d);
}

TEST(steps_whose_outputs_are_the_same_variables_are_said)
{
    struct definition *d = parse_warned(
        HEAD "steps:\n"
             "  - { name: a-b, type: shell, config: { command: x } }\n"
             "  - { name: a-c, type: shell, config: { command: x } }\n"
             "  - { name: a_b, type: shell, depends: [a-b], config: { command: x } }\n",
        1);
    CHECK_TEXT(d->warnings[0],
               "steps[2].name: commands get the outputs of 'a_b' as variables STEP_A_B_…, as "
               "those of step 'a-b': of an output that both have they see one");
    definition_free(d);
}

static const char news_json[] =
    "{\"id\": \"news\", \"name\": \"News\", \"enabled\": false, \"parameters\": {\"site\": "
    "\"http://a/\"},\n"
    " \"steps\": [{\"name\": \"s\", \"type\": \"crawler\", \"timeout\": null,\n"
    "  \"config\": {\"start_urls\": [\"{site}\", 5, 0.1, true], \"max_depth\": 7}}]}";

TEST(the_same_definition_may_be_written_in_json)
{
    struct err e;
    struct definition *d = parse(news_json, DEFINITION_JSON, &e);
    CHECK_TEXT(e.text, "");
    CHECK(d->is_json && !d->enabled);
    const struct settings *s = d->steps[0].settings;
    CHECK_INT(settings_int(s, "max_depth"), 7);
    CHECK_TEXT(settings_item(s, "start_urls", 0), "http://a/");
    CHECK_TEXT(settings_item(s, "start_urls", 1), "5");
    CHECK_TEXT(settings_item(s, "start_urls", 2), "0.1");
    CHECK_TEXT(settings_item(s, "start_urls", 3), "true");
    definition_free(d);
}

static char *shown(const struct definition *d)
{
    struct buf out = BUF_INIT(LIMIT_REPLY_BYTES);
    struct json j = JSON_TO(&out);
    json_begin_object(&j);
    definition_json_members(d, &j);
    json_end_object(&j);
    CHECK(!out.overflow);
    return buf_take(&out);
}

TEST(a_definition_that_is_shown_and_sent_back_is_the_same_definition)
{
    struct err e;
    struct definition *d = parse(news, DEFINITION_YAML, &e);
    AUTO_FREE char *first = shown(d);
    definition_free(d);

    /* source, format and warnings are told about a definition, they are no part of it */
    char *end = strstr(first, ",\"source\":");
    CHECK(end);
    CHECK_HAS(end, "\"source\":\"id: news-crawler\\nname");
    CHECK_HAS(end, "\"format\":\"yaml\",\"warnings\":[]");
    memcpy(end, "}", 2);

    d = parse(first, DEFINITION_JSON, &e);
    CHECK_TEXT(e.text, "");
    AUTO_FREE char *second = shown(d);
    definition_free(d);
    CHECK(strncmp(first, second, strlen(first) - 1) == 0);
    CHECK_HAS(first, "\"start_urls\":[\"{site}\"]");
    CHECK_HAS(first, "\"max_depth\":2");
    CHECK_HAS(first, "\"depends\":[\"crawl_news_sites\"]");
}

/* Parameters */

#define OPEN                                                                                   \
    HEAD "parameters: {site: , depth: {default: 2}}\n"                                         \
         "steps:\n- name: s\n  type: crawler\n"                                                \
         "  config: {start_urls: [\"{site}\"], max_depth: \"{depth}\"}\n"

TEST(a_parameter_without_a_default_needs_a_value_to_run_but_not_to_be_kept)
{
    struct err e;
    struct definition *d = parse(OPEN, DEFINITION_YAML, &e);
    CHECK_TEXT(e.text, "");
    CHECK(d->parameters[0].required && !d->parameters[0].value && !d->parameters[1].required);
    CHECK_TEXT(settings_item(d->steps[0].settings, "start_urls", 0), "{site}");
    definition_free(d);

    CHECK(!parse_to_run(OPEN, NULL, NULL, &e));
    CHECK_TEXT(e.text, "x.yaml: parameter 'site' has no default and needs a value");
    CHECK_TEXT(e.field, "parameters.site");

    d = parse_to_run(OPEN, "site", "http://b/", &e);
    CHECK_TEXT(e.text, "");
    CHECK_TEXT(settings_item(d->steps[0].settings, "start_urls", 0), "http://b/");
    CHECK_INT(settings_int(d->steps[0].settings, "max_depth"), 2);
    definition_free(d);
}

#define TYPED(members)                                                                         \
    HEAD "parameters: {p: {" members                                                           \
         "}}\nsteps:\n- {name: s, type: shell, config: {command: ls}}\n"

TEST(a_parameter_takes_values_of_its_type_and_no_others)
{
    static const struct {
        const char *text, *value, *error; /* error NULL: it is taken */
    } cases[] = {
        {TYPED("type: integer"), "-12", NULL},
        {TYPED("type: integer"), "1.5", "x.yaml: parameter 'p' is a whole number, not '1.5'"},
        {TYPED("type: integer, minimum: 1, maximum: 3"), "3", NULL},
        {TYPED("type: integer, minimum: 1, maximum: 3"), "4",
         "x.yaml: parameter 'p' is a whole number from 1 to 3, not '4'"},
        {TYPED("type: integer, maximum: 3"), "4",
         "x.yaml: parameter 'p' is a whole number of at most 3, not '4'"},
        {TYPED("type: boolean"), "false", NULL},
        {TYPED("type: boolean"), "no", "x.yaml: parameter 'p' is true or false, not 'no'"},
        {TYPED("choices: [a, b c]"), "b c", NULL},
        {TYPED("choices: [a, b c]"), "b",
         "x.yaml: parameter 'p' is one of 'a', 'b c', not 'b'"},
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct err e;
        struct definition *d = parse_to_run(cases[i].text, "p", cases[i].value, &e);
        CHECK_TEXT(e.text, cases[i].error ? cases[i].error : "");
        CHECK((d != NULL) == (cases[i].error == NULL));
        if (d)
            CHECK_TEXT(d->parameters[0].value, cases[i].value);
        definition_free(d);
    }
}

TEST(a_value_for_a_parameter_that_is_not_declared_is_refused)
{
    struct err e;
    CHECK(!parse_to_run(OPEN, "sight", "x", &e));
    CHECK_TEXT(e.text, "x.yaml: there is no parameter 'sight'");
    CHECK(!parse_to_run(OPEN, "sit", "x", &e));
    CHECK_TEXT(e.text, "x.yaml: there is no parameter 'sit', did you mean 'site'?");
    CHECK_TEXT(e.field, "parameters.sit");
}

TEST(a_value_that_does_not_fit_its_setting_is_told_at_the_setting)
{
    static const char text[] =
        HEAD "parameters: {depth: 2}\nsteps:\n- name: s\n  type: crawler\n"
             "  config: {start_urls: [a], max_depth: \"{depth}\"}\n";
    struct err e;
    CHECK(!parse_to_run(text, "depth", "deep", &e));
    CHECK_TEXT(e.text,
               "x.yaml:7:40: steps[0].config.max_depth: expected a whole number, found 'deep'");
    CHECK_TEXT(e.field, "steps[0].config.max_depth");
}

TEST(a_long_value_cannot_be_multiplied_without_bound)
{
    static char value[LIMIT_DEFINITION_BYTES / 2 + 1];
    struct err e;
    memset(value, 'x', sizeof(value) - 1);
    struct definition *d = parse_to_run(OPEN, "site", value, &e);
    CHECK_TEXT(e.text, "");
    definition_free(d);
    CHECK(!parse_to_run(HEAD "parameters: {site: }\nsteps:\n- name: s\n  type: crawler\n"
                             "  config: {start_urls: [\"{site}\", \"{site}\", \"{site}\"]}\n",
                        "site", value, &e));
    CHECK_INT(e.code, E_TOOBIG);
    CHECK_TEXT(e.text,
               "x.yaml:7:45: steps[0].config.start_urls[2]: the settings have more than 262144 "
               "bytes with their parameters filled in");
}

/* Wrong input. Each message is there in full: it is what a person will read. */

struct wrong {
    const char *text, *message, *field;
};

static void check_wrong(const struct wrong *cases, size_t count, enum definition_format format)
{
    for (size_t i = 0; i < count; i++) {
        struct err e;
        CHECK(!parse(cases[i].text, format, &e));
        CHECK_TEXT(e.text, cases[i].message);
        CHECK_TEXT(e.field, cases[i].field ? cases[i].field : "");
        CHECK_INT(e.code, E_INVAL);
    }
}

#define STEPS(steps) HEAD "steps:\n" steps
#define SHELL(rest) "- {name: s, type: shell, config: {command: ls}" rest "}\n"

static const struct wrong wrong_heads[] = {
    {"", "x.yaml: there is nothing in this text", NULL},
    {"# only a comment\n", "x.yaml: there is nothing in this text", NULL},
    {"---\n", "x.yaml:2:1: expected a map, found nothing", NULL},
    {"just text\n", "x.yaml:1:1: expected a map, found 'just text'", NULL},
    {"[a]\n", "x.yaml:1:1: expected a map, found a list", NULL},
    {"name: A\n" STEP,
     "x.yaml:1:1: 'id' is missing, expected lower-case letters, digits and '-'", "id"},
    {"id:\nname: A\n" STEP,
     "x.yaml:1:4: id: expected lower-case letters, digits and '-', found nothing", "id"},
    {"id: News Crawler\nname: A\n" STEP,
     "x.yaml:1:5: id: expected lower-case letters, digits and '-', found 'News Crawler'", "id"},
    {"id: ../etc\nname: A\n" STEP,
     "x.yaml:1:5: id: expected lower-case letters, digits and '-', found '../etc'", "id"},
    {"id: -a\nname: A\n" STEP, "x.yaml:1:5: id: expected a letter or a digit first, found '-'",
     "id"},
    {"id: aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa\nname: A\n" STEP,
     "x.yaml:1:5: id: expected at most 64 characters, found 65", "id"},
    {"id: a\n" STEP, "x.yaml:1:1: 'name' is missing, expected text", "name"},
    {"id: a\nname: [A]\n" STEP, "x.yaml:2:7: name: expected text, found a list", "name"},
    {"id: a\nname: ' '\n" STEP, "x.yaml:2:7: name: expected text, found only ' '", "name"},
    {"id: a\nname: \"A\\nB\"\n" STEP,
     "x.yaml:2:7: name: expected one line without control characters", "name"},
    {HEAD "descripton: x\n" STEP,
     "x.yaml:3:1: unknown key 'descripton', did you mean 'description'?", "descripton"},
    {HEAD "enabled: yes\n" STEP, "x.yaml:3:10: enabled: expected true or false, found 'yes'",
     "enabled"},
    {HEAD "timeout: half an hour\n" STEP,
     "x.yaml:3:10: timeout: expected a duration such as 250ms, 2s, 30m or 1h, found 'half an "
     "hour'",
     "timeout"},
    {HEAD "timeout: 36501d\n" STEP,
     "x.yaml:3:10: timeout: expected 0ms to 36500d, found '36501d'", "timeout"},
    {HEAD "keep: {age: 9223372036854775807ms}\n" STEP,
     "x.yaml:3:13: keep.age: expected 1s to 36500d, found '9223372036854775807ms'", "keep.age"},
    {HEAD "steps:\n- {name: s, type: shell, heartbeat: never, config: {command: ls}}\n",
     "x.yaml:4:37: steps[0].heartbeat: expected a duration such as 250ms, 2s, 30m or 1h, found "
     "'never'",
     "steps[0].heartbeat"},
    {HEAD "steps:\n- {name: s, type: shell, heartbeat: -5m, config: {command: ls}}\n",
     "x.yaml:4:37: steps[0].heartbeat: expected a duration such as 250ms, 2s, 30m or 1h, found "
     "'-5m'",
     "steps[0].heartbeat"},
    {HEAD "steps:\n- {name: s, type: shell, heart_beat: 5m, config: {command: ls}}\n",
     "x.yaml:4:26: steps[0]: unknown key 'heart_beat', did you mean 'heartbeat'?",
     "steps[0].heart_beat"},
    {HEAD "heartbeat: 5m\n" STEP, "x.yaml:3:1: unknown key 'heartbeat'", "heartbeat"},
    {HEAD "tags: news\n" STEP,
     "x.yaml:3:7: tags: expected a list, found 'news'; a list of one is written [news]",
     "tags"},
    {HEAD "tags: [a, {b: c}]\n" STEP, "x.yaml:3:11: tags[1]: expected text, found a map",
     "tags[1]"},
    {HEAD "schedule: hourly\n" STEP,
     "x.yaml:3:11: schedule: expected five fields such as \"*/30 * * * *\", or @hourly, "
     "@daily, @weekly, @monthly, @yearly, found 'hourly'",
     "schedule"},
    {HEAD "schedule: \"61 * * * *\"\n" STEP,
     "x.yaml:3:11: schedule: minute: expected 0 to 59, '*', ranges or lists, found '61'",
     "schedule"},
    {HEAD "schedule: [a]\n" STEP,
     "x.yaml:3:11: schedule: expected five fields such as \"*/30 * * * *\", found a list",
     "schedule"},
    {HEAD "schedule: {cron: \"@daily\", timezone: Europe/Berln}\n" STEP,
     "x.yaml:3:38: schedule.timezone: expected a name such as Europe/Berlin, found "
     "'Europe/Berln'",
     "schedule.timezone"},
    {HEAD "schedule: {cron: \"@daily\", missed: never}\n" STEP,
     "x.yaml:3:36: schedule.missed: expected skip, run-once or run-all, found 'never'",
     "schedule.missed"},
    {HEAD "schedule: {cron: \"@daily\", overlap: wait}\n" STEP,
     "x.yaml:3:37: schedule.overlap: expected skip, queue, replace or allow, found 'wait'",
     "schedule.overlap"},
    {HEAD "schedule: \"@daily\"\nparameters: {site: {}}\n" STEP,
     "x.yaml:3:11: schedule: parameter 'site' has no default, so nothing can be started",
     "schedule"},
    {HEAD "schedule: {timezone: UTC}\n" STEP,
     "x.yaml:3:11: schedule: 'cron' is missing, expected five fields such as \"*/30 * * * *\"",
     "schedule.cron"},
    {HEAD "schedule: {corn: x}\n" STEP,
     "x.yaml:3:12: schedule: unknown key 'corn', did you mean 'cron'?", "schedule.corn"},
    {HEAD "error_tolerance: {max_child_failures: -1}\n" STEP,
     "x.yaml:3:39: error_tolerance.max_child_failures: expected 0 to 2147483647, found '-1'",
     "error_tolerance.max_child_failures"},
    {HEAD "error_tolerance: [3]\n" STEP,
     "x.yaml:3:18: error_tolerance: expected a map, found a list", "error_tolerance"},
    {HEAD "error_tolerance: {failure_action: stop}\n" STEP,
     "x.yaml:3:35: error_tolerance.failure_action: expected continue, stop_all or "
     "mark_warning, found "
     "'stop'",
     "error_tolerance.failure_action"},
    {HEAD "parameters: [site]\n" STEP,
     "x.yaml:3:13: parameters: expected a map of names, found a list", "parameters"},
    {HEAD "parameters: {Site: x}\n" STEP,
     "x.yaml:3:14: parameters: a parameter's name is lower-case letters, digits and '_', the "
     "first a "
     "letter, at most 64",
     "parameters.Site"},
    {HEAD "parameters: {site: {defualt: x}}\n" STEP,
     "x.yaml:3:21: parameters.site: unknown key 'defualt', did you mean 'default'?",
     "parameters.site.defualt"},
    {HEAD "parameters: {n: {type: int}}\n" STEP,
     "x.yaml:3:24: parameters.n.type: expected text, integer or boolean, found 'int'",
     "parameters.n.type"},
    {HEAD "parameters: {n: {maximum: 3}}\n" STEP,
     "x.yaml:3:27: parameters.n.maximum: only an integer has a minimum and a maximum",
     "parameters.n.maximum"},
    {HEAD "parameters: {n: {type: integer, minimum: 3, maximum: 2}}\n" STEP,
     "x.yaml:3:54: parameters.n.maximum: expected 3 or more, found '2'",
     "parameters.n.maximum"},
    {HEAD "parameters: {n: {type: integer, default: many}}\n" STEP,
     "x.yaml:3:42: parameters.n.default: expected a whole number, found 'many'",
     "parameters.n.default"},
    {HEAD "parameters: {n: {choices: [a], default: b}}\n" STEP,
     "x.yaml:3:41: parameters.n.default: expected one of 'a', found 'b'",
     "parameters.n.default"},
    {HEAD "parameters: {n: {choices: []}}\n" STEP,
     "x.yaml:3:27: parameters.n.choices: expected at least one choice", "parameters.n.choices"},
    {HEAD "parameters: {n: {type: integer, choices: [1, x]}}\n" STEP,
     "x.yaml:3:46: parameters.n.choices[1]: expected a whole number, found 'x'",
     "parameters.n.choices[1]"},
    {HEAD "parameters: {site: [x]}\n" STEP,
     "x.yaml:3:20: parameters.site: expected a map, found a list", "parameters.site"},
};

TEST(a_wrong_head_is_told_with_its_place)
{
    check_wrong(wrong_heads, ARRAY_LEN(wrong_heads), DEFINITION_YAML);
}

static const struct wrong wrong_steps[] = {
    {HEAD, "x.yaml:1:1: 'steps' is missing, expected a list with at least one step", "steps"},
    {STEPS(""), "x.yaml:3:7: steps: expected a list with at least one step, found nothing",
     "steps"},
    {HEAD "steps: []\n", "x.yaml:3:8: steps: expected at least one step", "steps"},
    {HEAD "steps: {s: x}\n", "x.yaml:3:8: steps: expected a list, found a map", "steps"},
    {STEPS("- ls\n"), "x.yaml:4:3: steps[0]: expected a map, found 'ls'", "steps[0]"},
    {STEPS("-\n"), "x.yaml:4:2: steps[0]: expected a map, found nothing", "steps[0]"},
    {STEPS("- type: shell\n"),
     "x.yaml:4:3: steps[0]: 'name' is missing, expected a name of letters, digits, '_' and '-'",
     "steps[0].name"},
    {STEPS("- name: a b\n  type: shell\n"),
     "x.yaml:4:9: steps[0].name: expected a name of letters, digits, '_' and '-', found 'a b'",
     "steps[0].name"},
    {STEPS("- name: s\n"),
     "x.yaml:4:3: steps[0]: 'type' is missing, expected the type of a worker", "steps[0].type"},
    {STEPS("- name: s\n  type: crawlr\n"),
     "x.yaml:5:9: steps[0].type: expected crawler or shell, found 'crawlr', did you mean "
     "'crawler'?",
     "steps[0].type"},
    {STEPS("- name: s\n  type: teleport\n"),
     "x.yaml:5:9: steps[0].type: expected crawler or shell, found 'teleport'", "steps[0].type"},
    {STEPS("- name: s\n  type: shell\n"),
     "x.yaml:4:3: steps[0].config: 'command' is missing, expected text",
     "steps[0].config.command"},
    {STEPS("- name: s\n  type: shell\n  config: ls\n"),
     "x.yaml:6:11: steps[0].config: expected a map, found 'ls'", "steps[0].config"},
    {STEPS("- name: s\n  type: crawler\n  config:\n    start_urls: [a]\n    max_dept: 2\n"),
     "x.yaml:8:5: steps[0].config: unknown key 'max_dept', did you mean 'max_depth'?",
     "steps[0].config.max_dept"},
    {STEPS("- name: s\n  type: crawler\n  config:\n    start_urls: [a]\n    max_depth: deep\n"),
     "x.yaml:8:16: steps[0].config.max_depth: expected a whole number, found 'deep'",
     "steps[0].config.max_depth"},
    {STEPS(SHELL("") "- name: t\n  typ: shell\n"),
     "x.yaml:6:3: steps[1]: unknown key 'typ', did you mean 'type'?", "steps[1].typ"},
    {STEPS(SHELL("") SHELL("")),
     "x.yaml:5:10: steps[1].name: steps[0] has the name 's' already", "steps[1].name"},
    {STEPS(SHELL(", on_error: explode")),
     "x.yaml:4:59: steps[0].on_error: expected fail, continue or retry, found 'explode'",
     "steps[0].on_error"},
    {STEPS(SHELL(", retry: 3")), "x.yaml:4:56: steps[0].retry: expected a map, found '3'",
     "steps[0].retry"},
    {STEPS(SHELL(", retry: {attempts: 0}")),
     "x.yaml:4:67: steps[0].retry.attempts: expected 1 to 100, found '0'",
     "steps[0].retry.attempts"},
    {STEPS(SHELL(", depends: s")),
     "x.yaml:4:58: steps[0].depends: expected a list, found 's'; a list of one is written [s]",
     "steps[0].depends"},
    {STEPS(SHELL(", depends: [s]")),
     "x.yaml:4:59: steps[0].depends[0]: step 's' depends on itself", "steps[0].depends[0]"},
    {STEPS("- {name: crawl_news, type: crawler, config: {start_urls: [a]}}\n" SHELL(
         ", depends: [crawl_new]")),
     "x.yaml:5:59: steps[1].depends[0]: there is no step 'crawl_new', did you mean "
     "'crawl_news'?",
     "steps[1].depends[0]"},
    {STEPS(
         "- {name: a, type: crawler, config: {start_urls: [a]}}\n" SHELL(", depends: [a, a]")),
     "x.yaml:5:62: steps[1].depends[1]: step 'a' is named twice", "steps[1].depends[1]"},
    {STEPS(SHELL(", when: failed")),
     "x.yaml:4:55: steps[0].when: expected a map of steps and how they ended, found 'failed'",
     "steps[0].when"},
    {STEPS(SHELL(", when: {s: failed}")),
     "x.yaml:4:59: steps[0].when.s: step 's' depends on itself", "steps[0].when.s"},
    {STEPS("- {name: crawl, type: crawler, config: {start_urls: [a]}}\n" SHELL(
         ", when: {crawls: failed}")),
     "x.yaml:5:64: steps[1].when.crawls: there is no step 'crawls', did you mean 'crawl'?",
     "steps[1].when.crawls"},
    {STEPS("- {name: a, type: crawler, config: {start_urls: [a]}}\n" SHELL(
         ", when: {a: [failed, fialed]}")),
     "x.yaml:5:68: steps[1].when.a[1]: expected completed, failed, cancelled or skipped, "
     "found 'fialed', did you mean 'failed'?",
     "steps[1].when.a[1]"},
    {STEPS("- {name: a, type: crawler, config: {start_urls: [a]}}\n" SHELL(", when: {a: []}")),
     "x.yaml:5:59: steps[1].when.a: expected at least one outcome", "steps[1].when.a"},
    {STEPS("- {name: a, type: crawler, when: {b: failed}, config: {start_urls: [a]}}\n"
           "- {name: b, type: crawler, when: {a: failed}, config: {start_urls: [a]}}\n"),
     "x.yaml:4:34: steps[0].when: the steps depend on each other in a circle: a → b → a",
     "steps[0].when"},
    {STEPS("- {name: a, type: crawler, depends: [b], config: {start_urls: [a]}}\n"
           "- {name: b, type: crawler, depends: [c], config: {start_urls: [a]}}\n"
           "- {name: c, type: crawler, depends: [a], config: {start_urls: [a]}}\n"),
     "x.yaml:4:37: steps[0].depends: the steps depend on each other in a circle: a → b → c → a",
     "steps[0].depends"},
};

TEST(a_wrong_step_is_told_with_its_place)
{
    check_wrong(wrong_steps, ARRAY_LEN(wrong_steps), DEFINITION_YAML);
}

static const struct wrong wrong_yaml[] = {
    {HEAD "name: B\n" STEP, "x.yaml:3:1: key 'name' is there twice, first in line 2", "name"},
    {STEPS("- name: s\n\t  type: shell\n"),
     "x.yaml:5:1: a tab stands here; YAML is indented with spaces only", NULL},
    {STEPS("- name: s\n  \ttype: shell\n"),
     "x.yaml:5:3: a tab stands here; YAML is indented with spaces only", NULL},
    {STEPS("\t- name: s\n"), "x.yaml:4:1: a tab stands here; YAML is indented with spaces only",
     NULL},
    {HEAD "description: &d text\n",
     "x.yaml:3:14: anchors are not taken here; a text that begins with '&' needs quotes", NULL},
    {HEAD "description: *d\n",
     "x.yaml:3:14: aliases are not taken here; a text that begins with '*' needs quotes", NULL},
    {HEAD "description: !!str x\n",
     "x.yaml:3:14: tags are not taken here; a text that begins with '!' needs quotes", NULL},
    {HEAD "schedule: */5 * * * *\n",
     "x.yaml:3:12: this is not YAML: while scanning an alias, did not find expected alphabetic "
     "or numeric "
     "character; a text that begins with such a character needs quotes",
     NULL},
    {HEAD "description: @x\n",
     "x.yaml:3:14: this is not YAML: while scanning for the next token, found character that "
     "cannot "
     "start any token; a text that begins with such a character needs quotes",
     NULL},
    {HEAD "description: a: b\n",
     "x.yaml:3:15: this is not YAML: mapping values are not allowed in this context", NULL},
    {HEAD STEP "---\nid: b\n",
     "x.yaml:5:1: a second document begins here; write it into a file of its own", NULL},
    {"? [a]\n: b\n", "x.yaml:1:3: a key is a word, not a list or a map", NULL},
    {"{? : b}\n", "x.yaml:1:4: a key is missing in front of ':'", NULL},
    {"<<: {id: a}\n", "x.yaml:1:1: unknown key '<<'", "<<"},
    {HEAD "description: \"a\\0b\"\n", "x.yaml:3:14: a text may not hold the character NUL",
     NULL},
    {HEAD "description: \xff\n", "x.yaml:3:14: this is not YAML: invalid leading UTF-8 octet",
     NULL},
    {"id: [a\n",
     "x.yaml:2:1: this is not YAML: while parsing a flow sequence, did not find expected ',' "
     "or ']'",
     NULL},
    {HEAD "description: [[[[[[[[[[[[[[[[x]]]]]]]]]]]]]]]]\n",
     "x.yaml:3:29: description[0][0][0][0][0][0][0][0][0][0][0][0][0][0][0]: lists and maps "
     "may be "
     "nested at most 16 deep",
     "description[0][0][0][0][0][0][0][0][0][0][0][0][0][0][0]"},
};

TEST(yaml_that_could_mean_two_things_is_refused)
{
    check_wrong(wrong_yaml, ARRAY_LEN(wrong_yaml), DEFINITION_YAML);
}

#define JSON_STEP                                                                              \
    "\"steps\": [{\"name\": \"s\", \"type\": \"crawler\", \"config\": {\"start_urls\": "       \
    "[\"a\"]"
#define JSON_HEAD "{\"id\": \"a\", \"name\": \"A\", "

static const struct wrong wrong_json[] = {
    {"", "request body: there is nothing in this text", NULL},
    {"[]", "request body: expected a map, found a list", NULL},
    {"{\"id\": \"a\",\n \"name\" \"A\"}",
     "request body:2:11: this is not JSON: ':' expected near '\"A\"'", NULL},
    {"{\"id\": \"a\"", "request body:1:10: this is not JSON: '}' expected near end of file",
     NULL},
    {"{\"id\": \"a\"} {", "request body:1:13: this is not JSON: end of file expected near '{'",
     NULL},
    {"{\"id\": \"a\", \"id\": \"b\"}",
     "request body:1:16: this is not JSON: duplicate object key near '\"id\"'", NULL},
    {JSON_HEAD "\"enabled\": \"true\", " JSON_STEP "}}]}",
     "request body: enabled: expected true or false, found 'true' in quotes", "enabled"},
    {JSON_HEAD "\"enabled\": 1, " JSON_STEP "}}]}",
     "request body: enabled: expected true or false, found '1'", "enabled"},
    {JSON_HEAD JSON_STEP ", \"max_dept\": 1}}]}",
     "request body: steps[0].config: unknown key 'max_dept', did you mean 'max_depth'?",
     "steps[0].config.max_dept"},
    {JSON_HEAD JSON_STEP ", \"max_depth\": \"1\"}}]}",
     "request body: steps[0].config.max_depth: expected a whole number, found '1' in quotes",
     "steps[0].config.max_depth"},
    {JSON_HEAD JSON_STEP ", \"max_depth\": 1.0}}]}",
     "request body: steps[0].config.max_depth: expected a whole number, found '1.0'",
     "steps[0].config.max_depth"},
    {JSON_HEAD JSON_STEP ", \"max_depth\": true}}]}",
     "request body: steps[0].config.max_depth: expected a whole number, found 'true'",
     "steps[0].config.max_depth"},
    {JSON_HEAD "\"\": 1}", "request body: a key may not be empty", NULL},
    {"{\"id\": \"a\", \"name\": \"\\u0000\"}",
     "request body:1:28: a text may not hold the character NUL", NULL},
};

TEST(a_wrong_request_body_is_told_with_the_field)
{
    check_wrong(wrong_json, ARRAY_LEN(wrong_json), DEFINITION_JSON);
}

TEST(line_and_column_are_there_apart_from_the_sentence)
{
    struct err e;
    CHECK(!parse(HEAD "enabled: perhaps\n", DEFINITION_YAML, &e));
    CHECK_INT(e.line, 3);
    CHECK_INT(e.column, 10);
    CHECK(!parse("{\"id\":\n 5 5}", DEFINITION_JSON, &e));
    CHECK_INT(e.line, 2);
}

TEST(ten_megabytes_of_yaml_are_refused_unread)
{
    enum { SIZE = 10 * 1024 * 1024 };
    AUTO_FREE char *text = mem_alloc(SIZE + 1);
    struct err e;
    memset(text, '\n', SIZE);
    CHECK(!parse(text, DEFINITION_YAML, &e));
    CHECK_INT(e.code, E_TOOBIG);
    CHECK_TEXT(e.text,
               "x.yaml: a definition may have at most 262144 bytes, this one has 10485760");
}

TEST(the_most_steps_are_taken_and_one_more_is_not)
{
    AUTO_BUF text = BUF_INIT(LIMIT_DEFINITION_BYTES);
    struct err e;
    buf_add_c(&text, HEAD "steps:\n");
    for (int i = LIMIT_DEFINITION_STEPS; i > 0;
         i--) /* each waits for the next: the longest chain */
        buf_printf(&text,
                   "- {name: s%d, type: shell, config: {command: ls}, depends: [%s%.0d]}\n", i,
                   i > 1 ? "s" : "", i - 1);
    struct definition *d = parse(buf_text(&text), DEFINITION_YAML, &e);
    CHECK_TEXT(e.text, "");
    CHECK_INT(d->step_count, LIMIT_DEFINITION_STEPS);
    CHECK_INT(d->order[0], LIMIT_DEFINITION_STEPS - 1);
    definition_free(d);
    buf_add_c(&text, "- {name: more, type: shell, config: {command: ls}}\n");
    CHECK(!parse(buf_text(&text), DEFINITION_YAML, &e));
    CHECK_TEXT(e.text, "x.yaml:4:1: steps: expected at most 500 steps, found 501");
}

TEST(a_message_holds_no_control_characters_and_not_all_of_a_long_text)
{
    static char text[2000];
    struct err e;
    (void)snprintf(text, sizeof(text), "id: \"a\\n\\e[31m%01000d\"\nname: A\n", 0);
    CHECK(!parse(text, DEFINITION_YAML, &e));
    CHECK(!strchr(e.text, '\n') && !strchr(e.text, '\033'));
    CHECK(strlen(e.text) < 200);
    CHECK_HAS(e.text, "found 'a  [31m000");
}
