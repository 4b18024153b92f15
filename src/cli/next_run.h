/* next_run.h: when a definition starts by itself, for people. Thread: main. */
#pragma once

#include "cli/client.h"
#include "cli/terminal.h"

/* Of a definition as the API tells it: the time of its next run, why there is none ("disabled",
 * "paused"), or "" without a schedule. */
const char *definition_next_run(const json_t *d, char time[TERMINAL_TIME_MAX]);
