/* secrets.c: what the secrets of a job are.
 *
 * They are read when a step is opened, so a secret that was changed counts from the next step
 * on, and are held in memory as long as that step is open. Nothing of this is ever stored:
 * record.c and output.c, through which everything goes that is kept or told of a job, let all
 * texts of a job that has secrets pass here. What was read once is looked for until the job's
 * end, so an old value does not come out either. */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/limits.h"
#include "base/mem.h"
#include "engine/job.h"
#include "job/secret.h"

#define AUTO_SECRET AUTO(buf_wipe) struct buf

static void close_fd(const int *fd)
{
    if (*fd >= 0)
        (void)close(*fd);
}

/* Others on this machine can read it: not refused, but said. */
static void tell_mode(struct step *step, const struct secret *secret, mode_t mode)
{
    if (mode & (S_IROTH | S_IWOTH))
        record_linef(step->job, step, LEVEL_WARN,
                     "secret '%s': every user of this machine can %s the file %s (mode %04o)",
                     secret->name, mode & S_IROTH ? "read" : "write", secret->from,
                     (unsigned)mode & 07777);
}

static int file_read(const struct secret *secret, struct buf *out, mode_t *ret_mode,
                     struct err *e)
{
    struct stat st;
    AUTO(close_fd)
    int fd = open(secret->from, O_RDONLY | O_CLOEXEC | O_NONBLOCK); /* a pipe would block */
    if (fd < 0 || fstat(fd, &st) < 0)
        return fail_errno(e, errno, "secret '%s': the file %s cannot be read", secret->name,
                          secret->from);
    if (!S_ISREG(st.st_mode))
        return fail(e, E_INVAL, "secret '%s': %s is not a file", secret->name, secret->from);
    char *room = buf_room(out, LIMIT_SECRET_BYTES + 2); /* never moved: no copy is left */
    ssize_t n = 1;
    while (n > 0 && out->n < LIMIT_SECRET_BYTES + 2) {
        n = read(fd, room + out->n, LIMIT_SECRET_BYTES + 2 - out->n);
        out->n += n > 0 ? (size_t)n : 0;
    }
    if (n < 0)
        return fail_errno(e, errno, "secret '%s': the file %s cannot be read", secret->name,
                          secret->from);
    *ret_mode = st.st_mode;
    return 0;
}

static int env_read(const struct secret *secret, struct buf *out, struct err *e)
{
    const char *value = getenv(secret->from);
    if (!value)
        return fail(e, E_NOTFOUND, "secret '%s': the server's environment has no variable %s",
                    secret->name, secret->from);
    buf_add(out, value, MIN(strlen(value), (size_t)LIMIT_SECRET_BYTES + 2));
    return 0;
}

/* Without one newline at the end, which most editors and `echo` leave there. */
int secret_load(const struct secret *secret, char **ret_value, mode_t *ret_mode, struct err *e)
{
    AUTO_SECRET value = BUF_INIT(LIMIT_SECRET_BYTES + 2);
    *ret_mode = 0;
    int r = secret->kind == SECRET_FILE ? file_read(secret, &value, ret_mode, e)
                                        : env_read(secret, &value, e);
    if (r < 0)
        return r;
    AUTO_FREE char *where = secret_where(secret);
    if (value.n > 0 && value.p[value.n - 1] == '\n')
        value.n -= value.n > 1 && value.p[value.n - 2] == '\r' ? 2 : 1;
    if (value.n < LIMIT_SECRET_MIN_BYTES)
        return fail(e, E_INVAL,
                    "secret '%s': %s has %zu bytes, at least %d are needed: so short a text "
                    "could not be told from others in a log",
                    secret->name, where, value.n, LIMIT_SECRET_MIN_BYTES);
    if (value.n > LIMIT_SECRET_BYTES)
        return fail(e, E_TOOBIG, "secret '%s': %s has more than %d KiB", secret->name, where,
                    LIMIT_SECRET_BYTES / 1024);
    if (memchr(value.p, 0, value.n))
        return fail(e, E_INVAL, "secret '%s': %s has a NUL byte, expected text", secret->name,
                    where);
    *ret_value = mem_copy(value.p, value.n);
    return 0;
}

void secret_wipe(char *value)
{
    if (value)
        explicit_bzero(value, strlen(value));
    free(value);
}

int secrets_open(struct step *step, struct err *e)
{
    const struct definition *d = step->job->definition;
    int r = 0;
    if (d->secret_count == 0)
        return 0;
    step->secrets = mem_alloc((size_t)d->secret_count * sizeof(*step->secrets));
    step->worker.secrets = step->secrets;
    for (int i = 0; i < d->secret_count && r >= 0; i++) {
        char *value = NULL;
        mode_t mode;
        r = secret_load(&d->secrets[i], &value, &mode, e);
        if (r < 0)
            break;
        tell_mode(step, &d->secrets[i], mode);
        step->secrets[i] = (struct worker_secret){d->secrets[i].name, value};
        step->worker.secret_count++;
        if (!step->job->mask)
            step->job->mask = mask_new();
        mask_add(step->job->mask, str_of(value));
    }
    if (r < 0)
        secrets_close(step);
    return r;
}

void secrets_close(struct step *step)
{
    for (size_t i = 0; i < step->worker.secret_count; i++)
        secret_wipe((char *)(uintptr_t)step->secrets[i].value);
    free(step->secrets);
    step->worker.secrets = step->secrets = NULL;
    step->worker.secret_count = 0;
}

/* ---- keeping them out ---- */

void secrets_free_streams(struct mask_stream **streams)
{
    for (int i = 0; *streams && i < LEVEL_COUNT; i++)
        mask_stream_done(&(*streams)[i]);
    free(*streams);
    *streams = NULL;
}

/* A command's two outputs are two levels. */
static struct mask_stream *stream_of(struct mask_stream **streams, enum event_level level)
{
    if (*streams)
        return &(*streams)[level];
    *streams = mem_alloc(LEVEL_COUNT * sizeof(**streams));
    for (int i = 0; i < LEVEL_COUNT; i++)
        (*streams)[i] = (struct mask_stream)MASK_STREAM_INIT;
    return &(*streams)[level];
}

void secrets_mask_line(struct step *step, struct task *task, enum event_level level,
                       struct str *line, struct buf *room)
{
    struct mask *mask = step->job->mask;
    if (!mask)
        return;
    struct mask_stream *s = stream_of(task ? &task->masked : &step->masked, level);
    if (mask_apply(mask, s, *line, room))
        *line = buf_str(room);
}

void secrets_mask(const struct job *job, struct str *text, struct buf *room)
{
    if (job->mask && text->n && mask_apply(job->mask, NULL, *text, room))
        *text = buf_str(room);
}

void secrets_mask_json(const struct job *job, struct str *text, struct buf *room)
{
    if (job->mask && text->n && mask_apply_json(job->mask, *text, room))
        *text = buf_str(room);
}

const char *secrets_mask_c(const struct job *job, const char *text, struct buf *room)
{
    bool any = job->mask && text && mask_apply(job->mask, NULL, str_of(text), room);
    return any ? buf_text(room) : text;
}

bool secrets_are_in(const struct job *job, struct str text)
{
    return job->mask && mask_finds(job->mask, text);
}
