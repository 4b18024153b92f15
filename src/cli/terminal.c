#include "cli/terminal.h"

#include <errno.h>
#include <langinfo.h>
#include <locale.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/mem.h"

enum { OUT_MAX_BYTES = 256 * 1024 * 1024 };

void terminal_init(struct terminal *t)
{
    const char *no_color = getenv("NO_COLOR"), *term = getenv("TERM");
    (void)setlocale(LC_CTYPE, "");
    *t = (struct terminal){
        .is_terminal = isatty(STDOUT_FILENO) == 1,
        .utf8 = strcmp(nl_langinfo(CODESET), "UTF-8") == 0,
        .out = BUF_INIT(OUT_MAX_BYTES),
        .progress = BUF_INIT(4096),
    };
    t->colour = t->is_terminal && !(no_color && *no_color) && term && strcmp(term, "dumb") != 0;
}

void terminal_done(struct terminal *t)
{
    buf_clear(&t->progress);
    (void)terminal_flush(t);
    buf_done(&t->out);
    buf_done(&t->progress);
}

int terminal_columns(void)
{
    struct winsize size;
    if (ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col > 0)
        return size.ws_col;
    return 80;
}

/* ---- foreign text ---- */

/* Length of the SGR sequence ("ESC [ 1;31 m") at the beginning of `s`, or 0. */
static size_t sgr_length(struct str s)
{
    if (s.n < 3 || s.p[0] != '\033' || s.p[1] != '[')
        return 0;
    for (size_t i = 2; i < s.n; i++) {
        if (s.p[i] == 'm')
            return i + 1;
        if ((s.p[i] < '0' || s.p[i] > '9') && s.p[i] != ';' && s.p[i] != ':')
            return 0;
    }
    return 0;
}

enum { POINT_REPLACEMENT = 0xfffd };

/* The code point at the beginning of `s`; for a byte that is no UTF-8 the replacement. */
static uint32_t point_at(struct str s, size_t *ret_n)
{
    const unsigned char *p = (const unsigned char *)s.p;
    size_t n = utf8_length(p, s.n);
    *ret_n = n ? n : 1;
    return n ? utf8_code(p, n) : POINT_REPLACEMENT;
}

static bool point_is_harmful(uint32_t point)
{
    return (point < 0x20 && point != '\t') || (point >= 0x7f && point < 0xa0) ||
           (point >= 0x202a && point <= 0x202e) || (point >= 0x2066 && point <= 0x2069) ||
           point == 0x2028 || point == 0x2029;
}

void terminal_text(const struct terminal *t, struct buf *out, struct str text)
{
    bool coloured = false;
    if (!t->is_terminal) {
        buf_add_str(out, text);
        return;
    }
    for (size_t n; text.n > 0; text.p += n, text.n -= n) {
        n = sgr_length(text);
        if (n > 0) {
            coloured = true;
            if (t->colour)
                buf_add(out, text.p, n);
            continue;
        }
        uint32_t point = point_at(text, &n);
        if (point == POINT_REPLACEMENT)
            buf_add_c(out, "\uFFFD");
        else if (!point_is_harmful(point))
            buf_add(out, text.p, n);
        else
            buf_printf(out, point < 0x100 ? "\\x%02x" : "\\u%04x", (unsigned)point);
    }
    if (coloured && t->colour)
        buf_add_c(out, "\033[0m");
}

size_t terminal_length(struct str text)
{
    size_t count = 0;
    for (size_t n; text.n > 0; text.p += n, text.n -= n, count++)
        (void)point_at(text, &n);
    return count;
}

/* ---- colours ---- */

const char *terminal_dim(const struct terminal *t)
{
    return t->colour ? "\033[2m" : "";
}

const char *terminal_plain(const struct terminal *t)
{
    return t->colour ? "\033[0m" : "";
}

const char *terminal_level_colour(const struct terminal *t, enum event_level level)
{
    static const char *const colours[LEVEL_COUNT] = {[LEVEL_DEBUG] = "\033[2m",
                                                     [LEVEL_INFO] = "",
                                                     [LEVEL_WARN] = "\033[33m",
                                                     [LEVEL_ERROR] = "\033[31m"};
    return t->colour ? colours[level] : "";
}

const char *terminal_state_colour(const struct terminal *t, const char *name)
{
    static const char *const colours[JOB_STATE_COUNT] = {
        [JOB_PENDING] = "\033[2m",   [JOB_RUNNING] = "\033[36m",   [JOB_COMPLETED] = "\033[32m",
        [JOB_FAILED] = "\033[1;31m", [JOB_CANCELLED] = "\033[33m", [JOB_SKIPPED] = "\033[2m"};
    enum job_state state;
    return t->colour && job_state_parse(str_of(name), &state) ? colours[state] : "";
}

/* ---- output ---- */

static bool bytes_write(const char *p, size_t n)
{
    while (n > 0) {
        ssize_t r = write(STDOUT_FILENO, p, n);
        if (r < 0 && errno != EINTR)
            return false;
        p += MAX(r, 0);
        n -= (size_t)MAX(r, 0);
    }
    return true;
}

bool terminal_flush(struct terminal *t)
{
    AUTO_BUF all = BUF_INIT(OUT_MAX_BYTES + 8192);
    if (t->progress_is_drawn)
        buf_add_c(&all, "\r\033[K");
    buf_add_str(&all, buf_str(&t->out));
    t->progress_is_drawn = t->is_terminal && t->progress.n > 0;
    if (t->progress_is_drawn) /* no wrapping: a narrow window cuts it at its edge */
        buf_printf(&all, "\033[?7l%s\033[0m\033[?7h", buf_text(&t->progress));
    buf_clear(&t->out);
    return bytes_write(all.p, all.n);
}

/* ---- tables ---- */

void table_init(struct table *table, const char *const *titles)
{
    *table = (struct table){0};
    for (; *titles; titles++, table->columns++)
        table_add(table, *titles);
}

void table_add(struct table *table, const char *cell)
{
    MEM_GROW(table->cells, table->count, table->cap);
    table->cells[table->count++] = mem_strdup(cell);
}

static size_t column_width(const struct table *table, size_t column)
{
    size_t width = 0;
    for (size_t i = column; i < table->count; i += table->columns)
        width = MAX(width, terminal_length(str_of(table->cells[i])));
    return width;
}

static void cell_print(const char *cell, const char *colour, struct terminal *t)
{
    buf_add_c(&t->out, colour);
    terminal_text(t, &t->out, str_of(cell));
    buf_add_c(&t->out, *colour ? terminal_plain(t) : "");
}

void table_print(struct table *table, struct terminal *t, size_t state_column)
{
    ASSERT(table->columns > 0);
    AUTO_FREE size_t *widths = mem_alloc(table->columns * sizeof(widths[0]));
    for (size_t i = 0; i < table->columns; i++)
        widths[i] = column_width(table, i);
    for (size_t i = 0; i < table->count; i++) {
        size_t column = i % table->columns, n = terminal_length(str_of(table->cells[i]));
        cell_print(table->cells[i],
                   i < table->columns       ? terminal_dim(t)
                   : column == state_column ? terminal_state_colour(t, table->cells[i])
                                            : "",
                   t);
        if (column + 1 < table->columns)
            buf_printf(&t->out, "%*s", (int)(widths[column] - n + 2), "");
        else
            buf_add_byte(&t->out, '\n');
        free(table->cells[i]);
    }
    mem_clear(&table->cells);
}

/* ---- times ---- */

char *terminal_time(const char *rfc3339, char to[TERMINAL_TIME_MAX])
{
    int64_t us;
    struct tm tm;
    to[0] = '\0';
    if (!clock_parse(str_of(rfc3339), &us))
        return to;
    time_t seconds = (time_t)(us / 1000000);
    if (localtime_r(&seconds, &tm))
        (void)strftime(to, TERMINAL_TIME_MAX, "%Y-%m-%d %H:%M:%S", &tm);
    return to;
}

char *terminal_duration(int64_t ms, char to[TERMINAL_TIME_MAX])
{
    int64_t s = ms / 1000;
    if (ms < 1000)
        (void)snprintf(to, TERMINAL_TIME_MAX, "%lld ms", (long long)ms);
    else if (s < 60)
        (void)snprintf(to, TERMINAL_TIME_MAX, "%lld.%lld s", (long long)s,
                       (long long)(ms / 100 % 10));
    else if (s < 3600)
        (void)snprintf(to, TERMINAL_TIME_MAX, "%lld min %02lld s", (long long)(s / 60),
                       (long long)(s % 60));
    else
        (void)snprintf(to, TERMINAL_TIME_MAX, "%lld h %02lld min", (long long)(s / 3600),
                       (long long)(s / 60 % 60));
    return to;
}
