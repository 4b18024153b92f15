/* clock.h: what time it is. Thread: any. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/text.h"

int64_t clock_wall_us(void); /* microseconds since 1970, UTC; may jump */
int64_t clock_mono_us(void); /* microseconds, only forward; for measuring */

/* For tests of what happens in time: from now on the wall clock stands still at `wall_us`,
 * moves by clock_advance() only, and is what deadlines go by (deadline.h). Before other threads
 * run. clock_mono_us() stays what it is. */
void clock_hold(int64_t wall_us);
void clock_advance(int64_t us);
bool clock_is_held(void);

/* "2026-11-23T10:15:02.123456Z": fixed width, UTC. */
#define CLOCK_TEXT_LEN 27
void clock_format(int64_t wall_us, char to[CLOCK_TEXT_LEN + 1]);

/* Reads the form that clock_format() writes (fraction of 0 to 6 digits, "Z"). */
bool clock_parse(struct str text, int64_t *ret_wall_us);
