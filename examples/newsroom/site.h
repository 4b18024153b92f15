/* The paper as a web site: which address is which page. Read-only after site_init(), so any
 * number of threads may ask it. */
#pragma once

#include "article.h"
#include "delay.h"
#include "request.h"

struct site {
    struct articles articles;
    struct delay *delay; /* lent: the page without end rests on it */
};

/* Loads the articles; false with the reason on stderr. Either way end with site_done(). */
bool site_init(struct site *site, const char *articles_dir, struct delay *delay);
void site_done(struct site *site);

/* How long the page thinks before it answers, in milliseconds; 0 for nearly all. */
int site_wait_ms(const struct request *request);

struct reply site_answer(const struct site *site, const struct request *request);

/* The pages behind the addresses. `rest` is what follows the route's own path: the slug of an
 * article, the name of a section; "" when nothing follows. A reply with status 0 means "there
 * is no such page". */
typedef struct reply site_page(const struct site *site, const struct request *request,
                               const char *rest);

/* front.c: pages that list articles */
site_page front_home, front_news, front_section, front_archive, front_tags, front_sitemap;

/* notice.c: pages of the house itself */
site_page notice_about, notice_imprint, notice_subscribe, notice_robots, notice_service,
    notice_login, notice_private, notice_public;

/* oddity.c: what else a crawler meets in life */
site_page oddity_old, oddity_loop, oddity_error, oddity_slow, oddity_latin1, oddity_latin1_meta,
    oddity_large, oddity_endless, oddity_classified;

/* asset.c: what pages refer to */
site_page asset_static;
