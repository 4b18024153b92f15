#include "worker/output_file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/limits.h"

enum {
    FILE_MAX_BYTES = 2 * LIMIT_OUTPUTS_BYTES,
    CUT_BYTES = FILE_MAX_BYTES + 1, /* of one that is too large, and shows it */
    SHOWN_MAX_BYTES = 64, /* a longer text is not: cut, a secret in it would not be known */
};

/* What was found, for a sentence that will be masked. */
static const char *shown(struct str text, char to[SHOWN_MAX_BYTES + 16])
{
    if (text.n > SHOWN_MAX_BYTES)
        (void)snprintf(to, SHOWN_MAX_BYTES + 16, "(%zu bytes)", text.n);
    else
        (void)snprintf(to, SHOWN_MAX_BYTES + 16, "'%.*s'", STR_ARG(text));
    return to;
}

void output_file_init(struct output_file *f, uv_loop_t *loop)
{
    f->fd = -1;
    ASSERT(uv_fs_event_init(loop, &f->watch) == 0);
}

/* No more first, or a writer is faster than the cut; and no less last, or the end of what is
 * too long would be taken for all of it. What was written between is cut off with the rest. */
void output_file_bound(struct output_file *f)
{
    struct stat st;
    if (f->fd < 0 || fstat(f->fd, &st) < 0 || st.st_size <= CUT_BYTES)
        return;
    (void)fcntl(f->fd, F_ADD_SEALS, F_SEAL_GROW);
    if (ftruncate(f->fd, CUT_BYTES) == 0)
        (void)fcntl(f->fd, F_ADD_SEALS, F_SEAL_SHRINK);
}

static void on_change(uv_fs_event_t *watch, const char *name, int events, int status)
{
    (void)name, (void)events, (void)status;
    output_file_bound(container_of(watch, struct output_file, watch));
}

int output_file_open(struct output_file *f)
{
    f->fd = memfd_create("tailrace-output", MFD_CLOEXEC | MFD_ALLOW_SEALING);
    if (f->fd < 0)
        return -errno; /* as uv_translate_sys_error(), which is the same on Linux */
    (void)snprintf(f->path, sizeof(f->path), "/proc/%ld/fd/%d", (long)getpid(), f->fd);
    (void)uv_fs_event_start(&f->watch, on_change, f->path, 0);
    return 0;
}

void output_file_close(struct output_file *f)
{
    if (f->fd >= 0)
        (void)close(f->fd);
    f->fd = -1;
}

static int file_read(int fd, struct buf *out, struct err *e)
{
    char piece[4096];
    for (ssize_t n; !out->overflow && (n = pread(fd, piece, sizeof(piece), (off_t)out->n)) > 0;)
        buf_add(out, piece, (size_t)n);
    return out->overflow ? fail(e, E_TOOBIG, "TAILRACE_OUTPUT has more than %d KiB",
                                FILE_MAX_BYTES / 1024)
                         : 0;
}

/* The lines up to `word`, without the last newline; *rest goes behind it. */
static int block_cut(struct str *rest, struct str word, int *line, struct str *ret_value,
                     struct err *e)
{
    const char *begin = rest->p;
    int first = *line;
    while (rest->p) {
        struct str text = str_cut(rest, '\n');
        ++*line;
        if (!str_eq(text, word))
            continue;
        size_t n = (size_t)(text.p - begin);
        *ret_value = (struct str){begin, n ? n - 1 : 0};
        return 0;
    }
    return fail(e, E_INVAL, "TAILRACE_OUTPUT, line %d: the line %s that ends it is missing",
                first, shown(word, (char[SHOWN_MAX_BYTES + 16]){0}));
}

/* The line `text` and, of a block, those after it. */
static int output_read(struct worker_task *task, struct str text, struct str *rest, int *line,
                       struct err *e)
{
    struct err why;
    int first = *line, r = 0;
    ptrdiff_t block = str_find(text, STR("<<")), equals = str_find(text, STR("="));
    bool is_block = block >= 0 && (equals < 0 || block < equals);
    struct str name = text, value = {0};
    if (is_block) {
        name.n = (size_t)block;
        struct str word = {text.p + block + 2, text.n - (size_t)block - 2};
        r = block_cut(rest, word, line, &value, e);
    } else if (equals >= 0) {
        name.n = (size_t)equals;
        value = (struct str){text.p + equals + 1, text.n - (size_t)equals - 1};
    } else {
        return fail(e, E_INVAL, "TAILRACE_OUTPUT, line %d: expected name=value, found %s",
                    first, shown(text, (char[SHOWN_MAX_BYTES + 16]){0}));
    }
    if (r == 0 && task->step->host->output(task, name, value, &why) < 0)
        return fail(e, E_INVAL, "TAILRACE_OUTPUT, line %d: %s", first, why.text);
    return r;
}

int output_file_take(struct output_file *f, struct worker_task *task, struct err *e)
{
    AUTO_BUF text = BUF_INIT(FILE_MAX_BYTES);
    int r = file_read(f->fd, &text, e), line = 0;
    output_file_close(f);
    for (struct str rest = buf_str(&text); r == 0 && rest.p;) {
        struct str one = str_cut(&rest, '\n');
        line++;
        if (one.n > 0)
            r = output_read(task, one, &rest, &line, e);
    }
    return r;
}
