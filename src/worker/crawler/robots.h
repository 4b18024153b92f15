/* robots.h: what a robots.txt lets a crawler fetch (RFC 9309).
 *
 * Of all groups that name the crawler the rules are taken together; when none does, those for
 * "*". The longest rule that matches decides, allow wins a tie, no match allows. "*" stands for
 * any octets, "$" for the end. Both sides are compared in the percent-encoding of url.h.
 *
 * Pure: fetching is crawler business. Ownership: robots_free(). Thread: read-only, any. */
#pragma once

#include "base/text.h"

#define ROBOTS_BYTES (500 * 1024) /* of a file; what follows is not read */

struct robots;

/* `agent` is the whole user agent text; its product token ("tailrace" of "tailrace/1.0") is
 * what groups are looked up by. */
struct robots *robots_parse(struct str file, const char *agent);
void robots_free(struct robots *r); /* NULL is fine */

/* `target` is path and query of a normalised address. */
bool robots_allow(const struct robots *r, struct str target);

size_t robots_rule_count(const struct robots *r);
size_t robots_sitemap_count(const struct robots *r);
int64_t robots_crawl_delay_ms(const struct robots *r); /* 0: none */
