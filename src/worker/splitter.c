/* The happy path of a line: it is whole within one read, and is told without a copy. */
#include "worker/splitter.h"

#include <string.h>

#include "base/limits.h"
#include "base/mem.h"

enum {
    GATHER_BYTES = 16 * LIMIT_LINE_BYTES, /* a longer line is handed on in pieces */
    PROGRESS_EVERY_MS = 50,
};

void splitter_init(struct splitter *s, struct worker_task *task, enum event_level level)
{
    *s = (struct splitter){.task = task, .level = level, .line = BUF_INIT(GATHER_BYTES + 16)};
}

static void splitter_line(struct splitter *s, struct str line)
{
    if (line.n > 0 && line.p[line.n - 1] == '\r')
        line.n--;
    struct worker_task *task = s->task;
    task->step->host->log(task->step, task, s->level, line);
}

/* Keeps the beginning of a line until the rest comes. A line that never ends must not fill the
 * memory: it is handed on in pieces, the later ones marked. */
static void splitter_gather(struct splitter *s, struct str part)
{
    while (part.n > 0) {
        size_t n = MIN(part.n, GATHER_BYTES - s->line.n);
        buf_add(&s->line, part.p, n);
        part.p += n;
        part.n -= n;
        if (s->line.n == GATHER_BYTES) {
            size_t whole = utf8_cut(buf_str(&s->line), GATHER_BYTES - 1);
            splitter_line(s, (struct str){s->line.p, whole});
            AUTO_FREE char *rest = mem_copy(s->line.p + whole, s->line.n - whole);
            size_t rest_n = s->line.n - whole;
            buf_clear(&s->line);
            buf_add_c(&s->line, "…");
            buf_add(&s->line, rest, rest_n);
        }
    }
}

/* Programs show progress by writing over a line: "41 %\r42 %\r". Such a text is a line that
 * ends with the carriage return, as soon as something else than a newline follows it. They come
 * fast, and only the newest matters: those between are left out. */
static void splitter_progress(struct splitter *s)
{
    struct str text = buf_str(&s->line);
    const char *last = text.n ? memrchr(text.p, '\r', text.n - 1) : NULL;
    if (!last)
        return;
    const char *before = memrchr(text.p, '\r', (size_t)(last - text.p));
    const char *from = before ? before + 1 : text.p;
    struct worker_task *task = s->task;
    uint64_t now_ms = uv_now(task->step->loop);
    if (now_ms - s->progress_ms >= PROGRESS_EVERY_MS) {
        s->progress_ms = now_ms;
        task->step->host->log(task->step, task, s->level,
                              (struct str){from, (size_t)(last + 1 - from)});
    }
    buf_drop(&s->line, (size_t)(last + 1 - text.p));
}

void splitter_add(struct splitter *s, struct str text)
{
    while (text.n > 0) {
        const char *newline = memchr(text.p, '\n', text.n);
        struct str part = {text.p, newline ? (size_t)(newline - text.p) : text.n};
        text.p += part.n + (newline ? 1 : 0);
        text.n -= part.n + (newline ? 1 : 0);
        if (newline && s->line.n == 0 && part.n < GATHER_BYTES) {
            splitter_line(s, part); /* whole in one read, as most are: no copy */
            continue;
        }
        splitter_gather(s, part);
        if (newline) {
            splitter_line(s, buf_str(&s->line));
            buf_clear(&s->line);
        }
    }
    splitter_progress(s);
}

void splitter_end(struct splitter *s)
{
    if (s->line.n > 0)
        splitter_line(s, buf_str(&s->line));
    buf_done(&s->line);
}
