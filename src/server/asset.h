/* asset.h: the files of the page, built into the program.
 *
 * The table is generated from ui/ by tools/assets.mjs: one entry for each path that is served,
 * sorted by path. Everything is constant and lives as long as the program; thread: any. */
#pragma once

#include <stdbool.h>
#include <stddef.h>

struct asset {
    const char *path; /* as requested, with its slash: "/queue", "/assets/app-….js"; a page
                         for many things ends in a star: "/jobs/" and an asterisk */
    const char *content_type;  /* with charset where there is one */
    const unsigned char *data; /* `size` bytes, as they are */
    size_t size;
    const unsigned char
        *gzip; /* the same, `gzip_size` bytes in gzip format; NULL when not smaller */
    size_t gzip_size;
    const char *etag; /* of the content, with its quotes */
    bool immutable;   /* the path has a hash of the content: may be kept for ever */
};

extern const struct asset assets[];
extern const size_t asset_count;
