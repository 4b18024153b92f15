/* Folders of files, served as they are: `--root DIR` or several `--root PREFIX=DIR`. */
#pragma once

#include "request.h"

enum { FOLDERS_MAX = 16 };

struct folder {
    char prefix[64]; /* "" for the only folder of a site, else one path segment */
    char *real_path; /* without a slash at the end; "" means the root of the file system */
    int fd;
};

struct folders {
    struct folder items[FOLDERS_MAX];
    size_t count;
};

/* Adds a folder from an option's value: "DIR" or "PREFIX=DIR". A value with a slash or a dot
 * before the first '=' is a plain DIR. On failure says on stderr what is wrong, returns false.
 */
bool folders_add(struct folders *folders, const char *value);

void folders_done(struct folders *folders);

/* Serves a file, an index.html, a redirect to the trailing slash, or 404. What lies outside of
 * the folder, by whatever link, is 404. Any thread. */
struct reply folders_answer(const struct folders *folders, const struct request *request);
