/* settings.h: the `config` of a step, checked against what its worker type declares.
 *
 * A worker type lists its settings once (struct setting_spec); reading them strictly, their
 * defaults, the error messages and the help text all come from that list. Values are typed by
 * the list, never guessed: `no` is text where text is wanted, and an error where a number is.
 *
 * Ownership: struct settings belongs to its step definition; what it returns lives as long.
 * Asking for a name that the list does not have, or with the wrong kind, is a mistake of the
 * program and aborts. Thread: read-only after parsing, any. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/macro.h"

enum setting_kind {
    SETTING_TEXT,
    SETTING_INT,
    SETTING_NUMBER,   /* a fraction, as failure_rate */
    SETTING_BOOL,     /* true or false, nothing else */
    SETTING_DURATION, /* "250ms", "2s", "30m", "1h"; kept in milliseconds; min and max too */
    SETTING_SIZE,     /* "64KiB", "10MiB", "500B" or a plain number of bytes; kept in bytes */
    SETTING_TEXTS,    /* list of texts */
    SETTING_PAIRS,    /* map of text to text */
};

struct err;

struct setting_spec {
    const char *name;
    enum setting_kind kind;
    bool required;
    bool verbatim;        /* parameters ("{site}") are not filled in */
    bool secrets;         /* may name secrets (secret.h), which the worker fills in */
    int64_t min, max;     /* of INT, DURATION, SIZE; max 0 with min >= 0: no upper limit */
    const char *fallback; /* the default as it would be written; NULL: "" / 0 / false / empty */
    const char *const *choices; /* TEXT: the only values allowed, NULL-terminated; NULL: any */
    /* TEXT, TEXTS, PAIRS: what only the worker knows about a value (and its key, of PAIRS).
     * A sentence without the place, which is added. */
    int (*check)(const char *key, const char *text, struct err *e);
    const char *help; /* one line */
};

/* What a worker type tells about itself. */
struct worker_schema {
    const char *type;                    /* as written in `type:` */
    const char *help;                    /* one line */
    const struct setting_spec *settings; /* ends with name == NULL */
    bool one_task;                       /* a step has one: so it may have for_each */
};

struct settings;

const char *settings_text(const struct settings *s, const char *name);
/* INT, DURATION (ms), SIZE (bytes) */
int64_t settings_int(const struct settings *s, const char *name);
double settings_number(const struct settings *s, const char *name);
bool settings_bool(const struct settings *s, const char *name);
size_t settings_count(const struct settings *s, const char *name); /* TEXTS, PAIRS; TEXT: 1 */
/* Value i; key i of PAIRS. */
const char *settings_item(const struct settings *s, const char *name, size_t i);
const char *settings_written(const struct settings *s, const char *name,
                             size_t i); /* with nothing filled in */
const char *settings_key(const struct settings *s, const char *name, size_t i);
void settings_free(struct settings *s);

/* For the reader of definitions: reads `config` (a map; NULL when nothing was written) of
 * `step`, with parameters filled in. A setting that holds one without a value is kept as
 * written, unchecked. */
struct node;
struct filler;
CHECKED int settings_read(const struct node *config, const struct node *step,
                          const struct worker_schema *schema, struct filler *filler,
                          struct settings **ret_settings, struct err *e);

/* Does any setting ask for a value that is not known when a definition is read (filler.h)? */
bool settings_are_open(const struct settings *s);

/* A copy in which open settings have the values of `filler`, and are checked. E_INVAL with the
 * setting, `where` before its name: a value is wrong, or `filler` knows none. What asks for
 * values that are still not known stays open. */
CHECKED int settings_fill(const struct settings *s, const char *where, struct filler *filler,
                          struct settings **ret_settings, struct err *e);

/* Writes one object: every setting, as it was written or with its default. */
struct json;
void settings_json(const struct settings *s, struct json *j);
