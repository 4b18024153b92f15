#include "base/zone.h"

#include <glib.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/macro.h"

#define ZONE_FOLDER "/usr/share/zoneinfo"

/* The struct is only a name for GLib's. */
static GTimeZone *glib_zone(const struct zone *z)
{
    return (GTimeZone *)(uintptr_t)z;
}

/* GLib takes rules as in TZ, too, where "UTC+5" is what everybody else calls UTC-5. UTC needs
 * no file. */
static bool is_known(const char *name)
{
    char path[PATH_MAX];
    struct stat st;
    const char *folder = getenv("TZDIR");
    int n = snprintf(path, sizeof(path), "%s/%s", folder ? folder : ZONE_FOLDER, name);
    return strcmp(name, "UTC") == 0 ||
           (n < (int)sizeof(path) && stat(path, &st) == 0 && S_ISREG(st.st_mode));
}

int zone_open(const char *name, struct zone **ret_zone, struct err *e)
{
    /* GLib takes more than names: offsets, "" for the machine's own zone, and paths, on which
     * somebody could have put a pipe. */
    static const char letters[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
                                  "0123456789_+-/";
    bool is_name = name[0] >= 'A' && name[0] <= 'Z' && !name[strspn(name, letters)];
    GTimeZone *z = is_name && is_known(name) ? g_time_zone_new_identifier(name) : NULL;
    if (!z)
        return fail(e, E_INVAL, "there is no time zone '%s' on this machine", name);
    *ret_zone = (struct zone *)z;
    return 0;
}

void zone_close(struct zone *z)
{
    if (z)
        g_time_zone_unref(glib_zone(z));
}

int64_t zone_offset(const struct zone *z, int64_t utc_s)
{
    gint interval = g_time_zone_find_interval(glib_zone(z), G_TIME_TYPE_UNIVERSAL, utc_s);
    return g_time_zone_get_offset(glib_zone(z), interval);
}

/* The first second after `from`, at the latest `to`, at which the offset is not `before`. */
static int64_t find_change(const struct zone *z, int64_t from, int64_t to, int64_t before)
{
    while (from + 1 < to) {
        int64_t middle = from + (to - from) / 2;
        if (zone_offset(z, middle) == before)
            from = middle;
        else
            to = middle;
    }
    return to;
}

int zone_instants(const struct zone *z, int64_t local_s, int64_t ret_utc_s[2])
{
    /* No offset is longer than a day, and no zone changes twice within two. */
    int64_t before = zone_offset(z, local_s - DAY_S), after = zone_offset(z, local_s + DAY_S);
    int64_t first = local_s - before, second = local_s - after;
    bool is_first = zone_offset(z, first) == before,
         is_second = zone_offset(z, second) == after;
    ret_utc_s[0] = is_first ? first : second;
    ret_utc_s[1] = second;
    if (is_first && is_second)
        return before == after ? 1 : 2;
    if (is_first || is_second)
        return 1;
    ret_utc_s[0] = find_change(z, second, first, before);
    return 0;
}
