/* Serves any folder of files.
 *
 * The happy path of a file is three system calls: open it below the folder's descriptor, ask
 * the kernel for the real path of what was opened, and its size; the body then goes out by
 * sendfile. The check looks at what is open, not at a name that could change its meaning in
 * between. It fails for links that lead out of the folder; they exist in honest documentation
 * (shared scripts of the distribution) and are simply not there for a visitor. */
#include "folder.h"

#include "page.h"

#include <err.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>
#include <unistd.h>

static const char *content_type_of(const char *path)
{
    /* No charset: these files are not ours, their own <meta> knows better. */
    static const struct {
        const char *extension, *type;
    } types[] = {
        {"html", "text/html"},
        {"htm", "text/html"},
        {"xhtml", "application/xhtml+xml"},
        {"css", "text/css"},
        {"js", "text/javascript"},
        {"json", "application/json"},
        {"xml", "application/xml"},
        {"txt", "text/plain"},
        {"png", "image/png"},
        {"jpg", "image/jpeg"},
        {"jpeg", "image/jpeg"},
        {"gif", "image/gif"},
        {"webp", "image/webp"},
        {"svg", "image/svg+xml"},
        {"ico", "image/vnd.microsoft.icon"},
        {"woff", "font/woff"},
        {"woff2", "font/woff2"},
        {"pdf", "application/pdf"},
        {"gz", "application/gzip"},
        {"zip", "application/zip"},
    };
    const char *slash = strrchr(path, '/');
    const char *dot = strrchr(slash ? slash : path, '.');
    for (size_t i = 0; dot && i < sizeof types / sizeof *types; i++)
        if (strcasecmp(dot + 1, types[i].extension) == 0)
            return types[i].type;
    return "application/octet-stream";
}

/* The real path of an open file, as the kernel knows it. */
static bool fd_real_path(int fd, char *out, size_t size)
{
    char link[32];
    snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
    ssize_t n = readlink(link, out, size);
    if (n <= 0 || (size_t)n >= size)
        return false;
    out[n] = '\0';
    return true;
}

static bool folder_holds(const struct folder *folder, int fd)
{
    char path[PATH_MAX];
    size_t n = strlen(folder->real_path);
    return fd_real_path(fd, path, sizeof path) && strncmp(path, folder->real_path, n) == 0 &&
           (path[n] == '/' || path[n] == '\0');
}

/* Splits "PREFIX=DIR"; returns where DIR starts, NULL when PREFIX is no path segment. */
static const char *prefix_split(const char *value, char *prefix, size_t size)
{
    size_t n = strcspn(value, "=");
    prefix[0] = '\0';
    if (value[n] != '=' || memchr(value, '/', n) || memchr(value, '.', n))
        return value;
    static const char allowed[] =
        "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-";
    if (n == 0 || n >= size || strspn(value, allowed) != n)
        return NULL;
    memcpy(prefix, value, n);
    prefix[n] = '\0';
    return value + n + 1;
}

bool folders_add(struct folders *folders, const char *value)
{
    if (folders->count == FOLDERS_MAX) {
        warnx("--root can be given at most %d times.", FOLDERS_MAX);
        return false;
    }
    struct folder *folder = &folders->items[folders->count];
    const char *dir = prefix_split(value, folder->prefix, sizeof folder->prefix);
    if (!dir) {
        warnx(
            "--root '%s': the prefix before '=' must be 1 to %zu letters, digits, '_' or '-'.",
            value, sizeof folder->prefix - 1);
        return false;
    }
    for (size_t i = 0; i < folders->count; i++) {
        const char *other = folders->items[i].prefix;
        if (*other == '\0' || *folder->prefix == '\0') {
            warnx("Several --root options need a prefix each, as in --root docs=DIR.");
            return false;
        }
        if (strcmp(other, folder->prefix) == 0) {
            warnx("--root '%s': the prefix '%s' is taken already.", value, other);
            return false;
        }
    }
    char path[PATH_MAX];
    folder->fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (folder->fd < 0) {
        warnx("--root: cannot open the folder '%s': %s.", dir, strerror(errno));
        return false;
    }
    if (!fd_real_path(folder->fd, path, sizeof path)) {
        warnx("--root needs /proc to be mounted: cannot read /proc/self/fd.");
        close(folder->fd);
        return false;
    }
    folder->real_path = strdup(strcmp(path, "/") == 0 ? "" : path);
    if (!folder->real_path)
        err(1, "--root");
    folders->count++;
    return true;
}

void folders_done(struct folders *folders)
{
    for (size_t i = 0; i < folders->count; i++) {
        close(folders->items[i].fd);
        free(folders->items[i].real_path);
    }
    folders->count = 0;
}

static struct reply not_found(void)
{
    static const char text[] =
        "<!DOCTYPE html>\n<html lang=\"en\"><head><meta charset=\"utf-8\">"
        "<title>Not found</title></head>\n"
        "<body><h1>Not found</h1><p>There is no such file here.</p>"
        "</body></html>\n";
    return reply_static(MHD_HTTP_NOT_FOUND, "text/html; charset=utf-8", text, sizeof text - 1);
}

static struct reply fd_reply(int fd, const struct stat *st, const char *path)
{
    struct MHD_Response *response =
        MHD_create_response_from_fd64((uint64_t)st->st_size, fd); /* now owns fd */
    if (!response) {
        close(fd);
        return (struct reply){0};
    }
    (void)MHD_add_response_header(response, MHD_HTTP_HEADER_CONTENT_TYPE,
                                  content_type_of(path));
    return (struct reply){MHD_HTTP_OK, response};
}

/* `path` is below the folder, without a slash in front; "" is the folder itself. */
static struct reply folder_answer(const struct folder *folder, const char *path,
                                  const struct request *request)
{
    enum { FLAGS = O_RDONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC };
    struct stat st;
    int fd = openat(folder->fd, *path ? path : ".", FLAGS);
    if (fd >= 0 && fstat(fd, &st) == 0 && S_ISDIR(st.st_mode) && folder_holds(folder, fd)) {
        size_t n = strlen(request->path);
        if (request->path[n - 1] != '/') {
            char with_slash[PATH_MAX_BYTES + 1];
            snprintf(with_slash, sizeof with_slash, "%s/", request->path);
            close(fd);
            return reply_redirect(MHD_HTTP_MOVED_PERMANENTLY, with_slash);
        }
        int index_fd = openat(fd, "index.html", FLAGS);
        close(fd);
        fd = index_fd;
        path = "index.html";
    }
    if (fd < 0)
        return not_found();
    if (fstat(fd, &st) < 0 || !S_ISREG(st.st_mode) || !folder_holds(folder, fd)) {
        close(fd);
        return not_found();
    }
    return fd_reply(fd, &st, path);
}

static struct reply folders_index(const struct folders *folders)
{
    struct page page;
    FILE *out = page_open(&page);
    fputs("<!DOCTYPE html>\n<html lang=\"en\"><head><meta "
          "charset=\"utf-8\"><title>Folders</title>"
          "</head>\n<body><h1>Folders</h1>\n<ul>\n",
          out);
    for (size_t i = 0; i < folders->count; i++)
        fprintf(out, "<li><a href=\"/%s/\">%s</a></li>\n", folders->items[i].prefix,
                folders->items[i].prefix);
    fputs("</ul></body></html>\n", out);
    return page_close(&page, MHD_HTTP_OK, "text/html; charset=utf-8");
}

struct reply folders_answer(const struct folders *folders, const struct request *request)
{
    const char *path = request->path + 1;
    if (folders->items[0].prefix[0] == '\0')
        return folder_answer(&folders->items[0], path, request);
    if (*path == '\0')
        return folders_index(folders);
    size_t n = strcspn(path, "/");
    for (size_t i = 0; i < folders->count; i++) {
        const struct folder *folder = &folders->items[i];
        if (strlen(folder->prefix) == n && memcmp(folder->prefix, path, n) == 0)
            return folder_answer(folder, path[n] ? path + n + 1 : path + n, request);
    }
    return not_found();
}
