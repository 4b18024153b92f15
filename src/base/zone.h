/* zone.h: time zones, by their names in the system's database ("Europe/Berlin").
 *
 * Reading a zone and its offsets is GLib's GTimeZone; what local times mean when clocks are set
 * back or forward is decided here. Times are whole seconds since 1970; a *local* time is what
 * clocks of the zone show, counted as if it were UTC. Thread: any; a zone by one at a time. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"

enum { DAY_S = 24 * 60 * 60 };

struct zone;

/* "UTC" is known without a database. E_INVAL: there is no such zone. */
CHECKED int zone_open(const char *name, struct zone **ret_zone, struct err *e);
void zone_close(struct zone *z); /* NULL is fine */

int64_t zone_offset(const struct zone *z, int64_t utc_s); /* what is added to make it local */

/* When clocks of the zone show `local_s`: once (returns 1), twice because they are set back in
 * between (2, the earlier one first), or never because they are set forward over it (0;
 * ret_utc_s[0] is then the instant at which they are). */
int zone_instants(const struct zone *z, int64_t local_s, int64_t ret_utc_s[2]);
