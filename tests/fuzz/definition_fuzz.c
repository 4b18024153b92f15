/* Any bytes, as a definition in YAML and in JSON. What is taken must be ready to be shown;
 * what is refused must say so in one sentence. */
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/limits.h"
#include "job/definition.h"

int LLVMFuzzerTestOneInput(const unsigned char *bytes, size_t n);

static const char *const moods[] = {"calm", "wild", NULL};

static const struct setting_spec settings[] = {
    {.name = "text", .kind = SETTING_TEXT},
    {.name = "script", .kind = SETTING_TEXT, .verbatim = true},
    {.name = "mood", .kind = SETTING_TEXT, .choices = moods, .fallback = "calm"},
    {.name = "depth", .kind = SETTING_INT, .max = 64, .fallback = "3"},
    {.name = "rate", .kind = SETTING_NUMBER, .fallback = "0.5"},
    {.name = "on", .kind = SETTING_BOOL},
    {.name = "wait", .kind = SETTING_DURATION, .fallback = "2s"},
    {.name = "size", .kind = SETTING_SIZE, .fallback = "10MiB"},
    {.name = "urls", .kind = SETTING_TEXTS, .fallback = "[a, b]"},
    {.name = "env", .kind = SETTING_PAIRS},
    {.name = NULL},
};
static const struct worker_schema any = {.type = "any", .settings = settings, .one_task = true};
static const struct worker_schema *const schemas[] = {&any, NULL};

static void show(const struct definition *d, struct buf *out)
{
    struct json j = JSON_TO(out);
    json_begin_object(&j);
    definition_json_members(d, &j);
    json_end_object(&j);
    ASSERT(!out->overflow);
}

static struct definition *parse(struct str text, enum definition_format format)
{
    static const char *const names[] = {"site"}, *const values[] = {"7"};
    struct definition_input in = {
        .text = text, .origin = "fuzz", .format = format, .schemas = schemas};
    struct err e = {0};
    struct definition *d = NULL;
    int r = definition_parse(&in, &d, &e);
    ASSERT((r == 0) == (d != NULL) &&
           (r == 0 || (e.code == r && e.text[0] && !strchr(e.text, '\n'))));
    struct definition *run = NULL;
    in.names = names;
    in.values = values;
    in.value_count = d && d->parameter_count == 1 && strcmp(d->parameters[0].name, "site") == 0;
    in.for_run = true;
    if (definition_parse(&in, &run, &e) == 0)
        definition_free(run);
    return d;
}

int LLVMFuzzerTestOneInput(const unsigned char *bytes, size_t n)
{
    struct str text = {(const char *)bytes, n};
    for (int format = DEFINITION_YAML; format <= DEFINITION_JSON; format++) {
        struct definition *d = parse(text, (enum definition_format)format);
        AUTO_BUF shown = BUF_INIT(LIMIT_REPLY_BYTES);
        if (d)
            show(d, &shown);
        definition_free(d);
    }
    return 0;
}
