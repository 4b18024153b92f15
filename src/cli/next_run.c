#include "cli/next_run.h"

const char *definition_next_run(const json_t *d, char time[TERMINAL_TIME_MAX])
{
    const json_t *next = json_array_get(json_object_get(d, "next_runs"), 0);
    if (json_is_false(json_object_get(d, "enabled")))
        return "disabled";
    if (json_is_true(json_object_get(d, "paused")))
        return "paused";
    return next ? terminal_time(json_string_value(next), time) : "";
}
