/* scope.h: which addresses a crawl is about: hosts, depth and patterns. Thread: one at a time.
 */
#pragma once

#include "base/buf.h"
#include "base/err.h"
#include "base/map.h"
#include "job/settings.h"

struct scope {
    struct link_rule *include, *exclude;
    size_t include_count, exclude_count;
    struct map hosts; /* those that the crawl may go to when same_host is on */
    bool same_host;
    int64_t max_depth;
};

/* Reads the settings. E_INVAL: a pattern is no regular expression. */
CHECKED int scope_open(struct scope *s, const struct settings *settings, struct err *e);
void scope_close(struct scope *s);

void scope_add_host(struct scope *s, struct str url); /* that of a start page */
bool scope_has_host(const struct scope *s, struct str url);

/* May a link to `url` be followed? When not, *why is set to the reason: "exclude pattern 'x'".
 */
bool scope_admits(const struct scope *s, struct str url, int64_t depth, struct buf *why);
