/* assets.h: the pages and what they load, from inside the binary (asset.h). Thread: loop. */
#pragma once

#include "server/request.h"

/* Where the style sheet of all pages is. Thread: any. */
const char *assets_stylesheet(void);

/* Answers with the file that has the request's path: E_NOTFOUND. */
int handle_asset(struct request *r, struct err *e);
