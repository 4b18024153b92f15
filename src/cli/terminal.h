/* terminal.h: what is written for people: colours, text that cannot harm a terminal, a progress
 * line at the bottom, tables, times.
 *
 * Where stdout is no terminal, text goes out as it is and there is neither colour nor progress
 * line. NO_COLOR (not empty) and TERM=dumb switch colours off. Thread: main. */
#pragma once

#include <stdbool.h>

#include "base/buf.h"
#include "job/event.h"
#include "job/state.h"

struct terminal {
    bool is_terminal; /* stdout */
    bool colour;
    bool utf8;           /* what it can show */
    struct buf out;      /* waits for terminal_flush() */
    struct buf progress; /* the line at the bottom */
    bool progress_is_drawn;
};

void terminal_init(struct terminal *t);
void terminal_done(struct terminal *t); /* removes the progress line */
int terminal_columns(void);             /* of the window now; 80 when it does not say */

/* Appends foreign text. On a terminal its control characters become visible ("\x07"), as do the
 * invisible ones that turn the direction of writing; colours (SGR sequences) stay, or are left
 * out without colours, and are ended with the text. */
void terminal_text(const struct terminal *t, struct buf *out, struct str text);

/* SGR sequences, "" without colours. */
const char *terminal_level_colour(const struct terminal *t, enum event_level level);
const char *terminal_state_colour(const struct terminal *t, const char *state);
const char *terminal_dim(const struct terminal *t);
const char *terminal_plain(const struct terminal *t); /* back to normal */

/* Writes t->out above the progress line, and the progress line anew. False: nobody reads any
 * more. */
bool terminal_flush(struct terminal *t);

/* Tables: rows of cells, the columns as wide as their widest cell. Cells are copied. */
struct table {
    char **cells;
    size_t count, cap, columns;
};

void table_init(struct table *table, const char *const *titles); /* NULL-terminated */
void table_add(struct table *table, const char *cell);
void table_print(struct table *table, struct terminal *t, size_t state_column); /* and frees */

/* "2026-11-23 11:15:02", local time, of an RFC 3339 text; "" for what is none. */
#define TERMINAL_TIME_MAX 32
char *terminal_time(const char *rfc3339, char to[TERMINAL_TIME_MAX]);

/* "340 ms", "12.3 s", "4 min 05 s", "2 h 03 min". */
char *terminal_duration(int64_t ms, char to[TERMINAL_TIME_MAX]);

/* Number of characters (code points). */
size_t terminal_length(struct str text);
