/* again.c: the definition that a job was started with, from its row: to go on after a restart,
 * and to run it once more. */
#include <jansson.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "engine/job.h"

static bool names_have(const char *const *names, int count, const char *name)
{
    for (int i = 0; i < count; i++)
        if (strcmp(names[i], name) == 0)
            return true;
    return false;
}

int definition_again(const struct job_row *row, const char *const *names,
                     const char *const *values, int count, struct definition **ret_definition,
                     struct err *e)
{
    json_t *stored = row->parameters ? json_loads(row->parameters, 0, NULL) : NULL, *value;
    size_t most = json_object_size(stored) + (size_t)count;
    AUTO_FREE const char **all_names = mem_alloc(most * sizeof(char *));
    AUTO_FREE const char **all_values = mem_alloc(most * sizeof(char *));
    const char *name;
    int n = 0;
    json_object_foreach(stored, name, value)
    {
        if (names_have(names, count, name))
            continue;
        all_names[n] = name;
        all_values[n++] = json_string_value(value);
    }
    for (int i = 0; i < count; i++) {
        all_names[n] = names[i];
        all_values[n++] = values[i];
    }
    struct definition_input in = {.text = str_of(row->source),
                                  .origin = "stored definition",
                                  .format =
                                      row->source_is_json ? DEFINITION_JSON : DEFINITION_YAML,
                                  .schemas = worker_schemas(),
                                  .names = all_names,
                                  .values = all_values,
                                  .value_count = n,
                                  .for_run = true};
    int r = definition_parse(&in, ret_definition, e);
    json_decref(stored);
    return r;
}
