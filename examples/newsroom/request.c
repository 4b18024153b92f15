/* The address of a request, decoded in exactly one place.
 *
 * The happy path: decode percent escapes, drop empty and "." segments, let ".." take its parent
 * away. ".." never climbs above the root, so a tidy path cannot leave the site; symbolic links
 * are the folder's concern. A NUL byte would cut the path short behind our back, so it is
 * refused. */
#include "request.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static int hex_value(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    if (c >= 'a' && c <= 'f')
        return c - 'a' + 10;
    if (c >= 'A' && c <= 'F')
        return c - 'A' + 10;
    return -1;
}

/* Decodes into `out`, which is as large as the path. Returns 0 or an HTTP status. */
static unsigned path_decode(const char *raw, char out[PATH_MAX_BYTES])
{
    size_t n = 0;
    for (const char *p = raw; *p; p++) {
        if (n + 1 >= PATH_MAX_BYTES)
            return MHD_HTTP_URI_TOO_LONG;
        if (*p != '%') {
            out[n++] = *p;
            continue;
        }
        int high = hex_value(p[1]);
        int low = high < 0 ? -1 : hex_value(p[2]);
        if (low < 0 || (high == 0 && low == 0))
            return MHD_HTTP_BAD_REQUEST;
        out[n++] = (char)(high * 16 + low);
        p += 2;
    }
    out[n] = '\0';
    return out[0] == '/' ? 0 : MHD_HTTP_BAD_REQUEST;
}

/* Tidies in place; the result is never longer than what was there. */
static void path_tidy(char *path)
{
    char *out = path;
    bool slash_at_end = true;
    for (const char *p = path; *p;) {
        p += strspn(p, "/");
        size_t n = strcspn(p, "/");
        slash_at_end = p[n] == '/' || n == 0;
        if (n == 2 && p[0] == '.' && p[1] == '.') {
            while (out > path && *--out != '/')
                ;
            slash_at_end = true;
        } else if (n == 1 && p[0] == '.') {
            slash_at_end = true;
        } else if (n > 0) {
            *out++ = '/';
            memmove(out, p, n);
            out += n;
        }
        p += n;
    }
    if (slash_at_end || out == path)
        *out++ = '/';
    *out = '\0';
}

/* Host is written into pages, so only what can be a host and port is believed. */
static bool host_is_plausible(const char *host)
{
    size_t n = strlen(host);
    return n > 0 && n <= 255 &&
           strspn(host,
                  "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789.-:[]") == n;
}

unsigned request_read(struct MHD_Connection *connection, const char *raw_path,
                      const char *fallback_origin, struct request *ret_request)
{
    unsigned status = path_decode(raw_path, ret_request->path);
    if (status)
        return status;
    path_tidy(ret_request->path);

    const char *host = MHD_lookup_connection_value(connection, MHD_HEADER_KIND, "Host");
    if (host && host_is_plausible(host))
        snprintf(ret_request->origin, sizeof ret_request->origin, "http://%s", host);
    else
        snprintf(ret_request->origin, sizeof ret_request->origin, "%s", fallback_origin);
    ret_request->connection = connection;
    return 0;
}

const char *request_query(const struct request *request, const char *name)
{
    return MHD_lookup_connection_value(request->connection, MHD_GET_ARGUMENT_KIND, name);
}

static struct reply reply_of(unsigned status, const char *content_type,
                             struct MHD_Response *response)
{
    if (response)
        (void)MHD_add_response_header(response, MHD_HTTP_HEADER_CONTENT_TYPE, content_type);
    return (struct reply){status, response};
}

struct reply reply_text(unsigned status, const char *content_type, char *text, size_t size)
{
    struct MHD_Response *response =
        MHD_create_response_from_buffer(size, text, MHD_RESPMEM_MUST_FREE);
    if (!response)
        free(text);
    return reply_of(status, content_type, response);
}

struct reply reply_static(unsigned status, const char *content_type, const void *data,
                          size_t size)
{
    /* The library only reads it; its parameter is older than its manners. */
    union {
        const void *in;
        void *out;
    } body = {.in = data};
    return reply_of(status, content_type,
                    MHD_create_response_from_buffer(size, body.out, MHD_RESPMEM_PERSISTENT));
}

struct reply reply_redirect(unsigned status, const char *path)
{
    static const char plain[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"
                                "/-._~!$&'()*+,;=:@";
    char location[3 * PATH_MAX_BYTES];
    size_t n = 0;
    for (const char *p = path; *p && n + 4 < sizeof location; p++) {
        if (strchr(plain, *p))
            location[n++] = *p;
        else
            n += (size_t)snprintf(location + n, 4, "%%%02X", (unsigned char)*p);
    }
    location[n] = '\0';
    struct reply reply = reply_static(status, "text/plain; charset=utf-8", "Moved.\n", 7);
    if (reply.response)
        (void)MHD_add_response_header(reply.response, MHD_HTTP_HEADER_LOCATION, location);
    return reply;
}
