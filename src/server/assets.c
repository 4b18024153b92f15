#include "server/assets.h"

#include <string.h>

#include "base/mem.h"
#include "server/asset.h"

static const struct asset *asset_find(const char *path)
{
    size_t low = 0, high = asset_count;
    while (low < high) {
        size_t middle = (low + high) / 2;
        int order = strcmp(path, assets[middle].path);
        if (order == 0)
            return &assets[middle];
        if (order < 0)
            high = middle;
        else
            low = middle + 1;
    }
    return NULL;
}

/* A page for many things is served at "/jobs/" and the like with any one part after it: its
 * path in the table ends in a star. */
static const struct asset *asset_find_below(const char *path)
{
    const char *last = strrchr(path, '/');
    AUTO_FREE char *pattern = mem_printf("%.*s/*", (int)(last ? last - path : 0), path);
    return asset_find(pattern);
}

/* Is `word` one of a header's values, which commas separate? A parameter (";q=0") that refuses
 * it is honoured; weak tags ("W/…") count as the same. */
static bool list_has(struct str list, const char *word)
{
    while (list.p) {
        struct str parameters = str_cut(&list, ','), item;
        item = str_trim(str_cut(&parameters, ';'));
        if (str_starts(item, STR("W/")))
            item = (struct str){item.p + 2, item.n - 2};
        struct str quality = str_trim(parameters);
        if (str_eq_c(item, word))
            return !str_eq_c(quality, "q=0") && !str_eq_c(quality, "q=0.0");
    }
    return false;
}

const char *assets_stylesheet(void)
{
    static const char prefix[] = "/assets/style-";
    for (size_t i = 0; i < asset_count; i++)
        if (strncmp(assets[i].path, prefix, sizeof(prefix) - 1) == 0)
            return assets[i].path;
    return "";
}

int handle_asset(struct request *r, struct err *e)
{
    const struct asset *a = asset_find(r->path);
    if (!a)
        a = asset_find_below(r->path);
    if (!a)
        return fail(e, E_NOTFOUND, "there is nothing at %.200s", r->path);
    bool same = list_has(request_header(r, "If-None-Match"), a->etag);
    bool gzip = a->gzip && list_has(request_header(r, "Accept-Encoding"), "gzip");
    union {
        const void *constant;
        void *plain;
    } data = {gzip ? a->gzip : a->data}; /* the library's argument lacks a const */
    size_t size = gzip ? a->gzip_size : a->size;
    struct MHD_Response *response =
        MHD_create_response_from_buffer(same ? 0 : size, data.plain, MHD_RESPMEM_PERSISTENT);
    ASSERT(response);
    (void)MHD_add_response_header(response, "ETag", a->etag);
    (void)MHD_add_response_header(response, "Cache-Control",
                                  a->immutable ? "public, max-age=31536000, immutable"
                                               : "no-cache");
    (void)MHD_add_response_header(response, "Vary", "Accept-Encoding");
    if (!same)
        (void)MHD_add_response_header(response, "Content-Type", a->content_type);
    if (gzip && !same)
        (void)MHD_add_response_header(response, "Content-Encoding", "gzip");
    request_reply_response(r, same ? MHD_HTTP_NOT_MODIFIED : MHD_HTTP_OK, response);
    return 0;
}
