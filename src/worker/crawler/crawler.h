/* crawler.h: the worker type `crawler`: fetches pages, keeps their text, follows their links.
 *
 * A task is one address, normalised (url.h), so that each page is fetched once however its
 * links are spelled. Its payload is {"depth", "redirects", "from", "via"}: how many links away
 * from a start page it is, how many redirects led to it, the page that has the link, and the
 * addresses that redirected to it. */
#pragma once

#include "worker/worker.h"

extern const struct worker_type crawler_worker;
