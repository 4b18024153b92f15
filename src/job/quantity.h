/* quantity.h: durations and sizes as people write them.
 *
 * A duration is a whole number and a unit: "250ms", "2s", "30m", "1h", "7d"; 0 needs no unit. A
 * size is a whole number of bytes, alone or with "B", "KiB", "MiB" or "GiB". Thread: any. */
#pragma once

#include "base/text.h"

#define QUANTITY_TEXT_MAX 32

/* A hundred years: what a definition may say at most, so that a time and a duration can be
 * added in microseconds, too. */
#define QUANTITY_DURATION_MAX_MS (INT64_C(36500) * 24 * 60 * 60 * 1000)

/* All of `text`; false (and nothing set) when it is anything else or passes int64_t. */
bool quantity_parse_duration(struct str text, int64_t *ret_ms);
bool quantity_parse_size(struct str text, int64_t *ret_bytes);

/* The shortest form that means exactly `value`, which is not negative. Returns `to`. */
char *quantity_format_duration(int64_t ms, char to[QUANTITY_TEXT_MAX]);
char *quantity_format_size(int64_t bytes, char to[QUANTITY_TEXT_MAX]);
