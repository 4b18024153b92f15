/* The tables, and the question whether a file is one of ours.
 *
 * A new file has no tables and gets all of them in one transaction, so a crash leaves either
 * nothing or everything. Formats are counted in user_version; a file of an older one gets what
 * is missing and is of this one from then on.
 *
 * Two choices keep the many tasks compact: a task's rowid is its step's number and its own, so
 * the table itself lists them in order; and the uniqueness of keys is looked up by a hash. */
#include <stdio.h>

#include "base/macro.h"
#include "store/sqlite.h"

enum {
    /* 2: events of type `system`; 3: steps know their first error; 4: schedules, and who
     * started a job; 5: outputs of steps, and jobs that a job started; 6: the size of a job; 7:
     * the garbage of jobs; 8: priorities, pools, and what a job waits for;
     * 9: deliveries of webhooks; 10: how many jobs have come of a job; 11: when what a step
     * stops is killed; 12: when a task is tried again */
    FORMAT_VERSION = 12,
    FORMAT_APPLICATION = 0x74616c72, /* "talr" */
    PAGE_BYTES = 4096,
};

/* What version 3 added; `between` stands before each column but the first. */
#define STEP_INDEX_COLUMNS(between)                                                            \
    " first_error INTEGER NOT NULL DEFAULT 0" between                                          \
    " last_error INTEGER NOT NULL DEFAULT 0" between " told_lines TEXT"

/* What version 4 added. */
#define STARTED_BY_COLUMN " started_by TEXT"
#define SCHEDULES_TABLE                                                                        \
    "CREATE TABLE schedules(definition_id TEXT PRIMARY KEY, key TEXT, decided_at INTEGER,"     \
    " queued_at INTEGER, paused INTEGER) WITHOUT ROWID;"

/* What version 5 added. */
#define OUTPUTS_COLUMN " outputs TEXT"
#define PARENT_COLUMN " parent_id BLOB"

/* What version 6 added. */
#define BYTES_COLUMN " bytes INTEGER NOT NULL DEFAULT 0"
#define ENDED_INDEX                                                                            \
    "CREATE INDEX jobs_by_end ON jobs(completed_at, id, definition_id, bytes)"                 \
    " WHERE end_seq > 0;"

/* What version 7 added. */
#define GARBAGE_TABLE                                                                          \
    "CREATE TABLE garbage(n INTEGER PRIMARY KEY, job_id BLOB NOT NULL, step INTEGER NOT "      \
    "NULL);"                                                                                   \
    "CREATE INDEX garbage_by_step ON garbage(step);"

/* What version 8 added. */
#define PRIORITY_COLUMN " priority INTEGER NOT NULL DEFAULT 0"
#define POOL_COLUMN " pool TEXT"
#define WAITS_FOR_COLUMN " waits_for TEXT"

/* What version 9 added. */
#define DELIVERIES_TABLE                                                                       \
    "CREATE TABLE deliveries(id BLOB PRIMARY KEY, job_id BLOB NOT NULL, definition_id TEXT,"   \
    " target TEXT, body TEXT, attempts INTEGER NOT NULL, created_at INTEGER,"                  \
    " due_at INTEGER) WITHOUT ROWID;"

/* What version 10 added. */
#define FAMILY_COLUMN " family INTEGER NOT NULL DEFAULT 0"

/* What version 11 added. */
#define KILL_AT_COLUMN " kill_at INTEGER NOT NULL DEFAULT 0"

/* What version 12 added. */
#define DUE_COLUMN " due_at INTEGER NOT NULL DEFAULT 0"

static const char schema[] =
    "CREATE TABLE meta(key TEXT PRIMARY KEY, value) WITHOUT ROWID;"
    "CREATE TABLE journal(first_seq INTEGER PRIMARY KEY, last_seq INTEGER NOT NULL,"
    " blob BLOB NOT NULL);"
    "CREATE TABLE streams(n INTEGER PRIMARY KEY, job_id BLOB NOT NULL, step_id BLOB NOT NULL,"
    " UNIQUE(job_id, step_id));"
    "CREATE TABLE chunks(n INTEGER PRIMARY KEY, stream INTEGER NOT NULL,"
    " job INTEGER NOT NULL, pass_seq INTEGER NOT NULL, first_seq INTEGER NOT NULL,"
    " last_seq INTEGER NOT NULL, first_line INTEGER NOT NULL, last_line INTEGER NOT NULL,"
    " debug INTEGER NOT NULL, info INTEGER NOT NULL, warn INTEGER NOT NULL,"
    " error INTEGER NOT NULL, blob BLOB NOT NULL);"
    "CREATE INDEX chunks_by_pass ON chunks(pass_seq);"
    "CREATE INDEX chunks_by_job ON chunks(job, pass_seq);"
    "CREATE INDEX chunks_by_line ON chunks(stream, last_line);"
    "CREATE TABLE deleted(job_id BLOB PRIMARY KEY) WITHOUT ROWID;" GARBAGE_TABLE

    "CREATE TABLE jobs(n INTEGER PRIMARY KEY, id BLOB NOT NULL UNIQUE, definition_id TEXT,"
    " name TEXT, status INTEGER NOT NULL, created_at INTEGER, started_at INTEGER,"
    " completed_at INTEGER, updated_at INTEGER, error TEXT, cause TEXT,"
    " lines INTEGER NOT NULL, end_seq INTEGER NOT NULL, source_is_json INTEGER NOT NULL,"
    " parameters TEXT, source TEXT," STARTED_BY_COLUMN "," PARENT_COLUMN "," BYTES_COLUMN
    "," PRIORITY_COLUMN "," POOL_COLUMN "," WAITS_FOR_COLUMN "," FAMILY_COLUMN ");" ENDED_INDEX
    "CREATE INDEX jobs_by_time ON jobs(created_at, id);"
    "CREATE INDEX jobs_by_status ON jobs(status, created_at, id);"
    "CREATE INDEX jobs_by_definition ON jobs(definition_id, created_at, id);"

    "CREATE TABLE steps(n INTEGER PRIMARY KEY, id BLOB NOT NULL UNIQUE,"
    " job_id BLOB NOT NULL, number INTEGER NOT NULL, name TEXT, type TEXT, depends TEXT,"
    " status INTEGER NOT NULL, started_at INTEGER, completed_at INTEGER, updated_at INTEGER,"
    " error TEXT, cause TEXT, progress_text TEXT, pending INTEGER, running INTEGER,"
    " completed INTEGER, failed INTEGER, cancelled INTEGER, lines INTEGER, debug INTEGER,"
    " info INTEGER, warn INTEGER, error_lines INTEGER, documents INTEGER," STEP_INDEX_COLUMNS(
        ",") "," OUTPUTS_COLUMN "," BYTES_COLUMN "," KILL_AT_COLUMN ");"
             "CREATE INDEX steps_by_job ON steps(job_id, number);"

             "CREATE TABLE tasks(n INTEGER PRIMARY KEY, id BLOB NOT NULL UNIQUE,"
             " step INTEGER NOT NULL, key_hash INTEGER NOT NULL, status INTEGER NOT NULL,"
             " attempt INTEGER NOT NULL, created_at INTEGER, started_at INTEGER,"
             " completed_at INTEGER, cause TEXT, key TEXT, payload TEXT," DUE_COLUMN ");"
             "CREATE INDEX tasks_by_status ON tasks(step, status);"
             "CREATE INDEX tasks_by_key ON tasks(step, key_hash);"

             "CREATE TABLE documents(n INTEGER PRIMARY KEY, id BLOB NOT NULL UNIQUE,"
             " job_id BLOB NOT NULL, step_id BLOB NOT NULL, url TEXT, title TEXT, description "
             "TEXT,"
             " published TEXT, created_at INTEGER, metadata TEXT, markdown TEXT);"
             "CREATE INDEX documents_by_job ON documents(job_id);"

             "CREATE TABLE definitions(id TEXT PRIMARY KEY, source TEXT, is_json INTEGER NOT "
             "NULL,"
             " created_at INTEGER, updated_at INTEGER);" SCHEDULES_TABLE DELIVERIES_TABLE

             "INSERT INTO meta VALUES('compacted_seq', 0);"
             "INSERT INTO streams VALUES(1, zeroblob(16), zeroblob(16));";

static int schema_create_tables(struct conn *c, struct err *e)
{
    char epoch[EPOCH_LEN + 1], stamp[160];
    store_make_epoch(epoch);
    snprintf(stamp, sizeof(stamp),
             "INSERT INTO meta VALUES('epoch', '%s');"
             "PRAGMA application_id = %d; PRAGMA user_version = %d;",
             epoch, FORMAT_APPLICATION, FORMAT_VERSION);
    int r = conn_exec(c, "BEGIN IMMEDIATE", e);
    if (r >= 0)
        r = conn_exec(c, schema, e);
    if (r >= 0)
        r = conn_exec(c, stamp, e);
    if (r >= 0)
        r = conn_exec(c, "COMMIT", e);
    return r;
}

/* Of steps written before version 3, nobody knows the first error without reading: theirs stay
 * 0; nor who started the jobs of before version 4, nor how large those of before version 6 are.
 */
static int schema_upgrade(struct conn *c, int64_t from, struct err *e)
{
    char pragma[64];
    snprintf(pragma, sizeof(pragma), "PRAGMA user_version = %d; COMMIT", FORMAT_VERSION);
    int r = conn_exec(c, "BEGIN IMMEDIATE", e);
    if (r >= 0 && from < 3)
        r = conn_exec(
            c,
            "ALTER TABLE steps ADD COLUMN" STEP_INDEX_COLUMNS("; ALTER TABLE steps ADD COLUMN"),
            e);
    if (r >= 0 && from < 4)
        r = conn_exec(c, "ALTER TABLE jobs ADD COLUMN" STARTED_BY_COLUMN ";" SCHEDULES_TABLE,
                      e);
    if (r >= 0 && from < 5)
        r = conn_exec(c,
                      "ALTER TABLE steps ADD COLUMN" OUTPUTS_COLUMN
                      "; ALTER TABLE jobs ADD COLUMN" PARENT_COLUMN,
                      e);
    if (r >= 0 && from < 6)
        r = conn_exec(c,
                      "ALTER TABLE jobs ADD COLUMN" BYTES_COLUMN
                      "; ALTER TABLE steps ADD COLUMN" BYTES_COLUMN ";" ENDED_INDEX,
                      e);
    if (r >= 0 && from < 7)
        r = conn_exec(c, GARBAGE_TABLE, e);
    if (r >= 0 && from < 8)
        r = conn_exec(c,
                      "ALTER TABLE jobs ADD COLUMN" PRIORITY_COLUMN
                      "; ALTER TABLE jobs ADD COLUMN" POOL_COLUMN
                      "; ALTER TABLE jobs ADD COLUMN" WAITS_FOR_COLUMN,
                      e);
    if (r >= 0 && from < 9)
        r = conn_exec(c, DELIVERIES_TABLE, e);
    if (r >= 0 && from < 10)
        r = conn_exec(c, "ALTER TABLE jobs ADD COLUMN" FAMILY_COLUMN, e);
    if (r >= 0 && from < 11)
        r = conn_exec(c, "ALTER TABLE steps ADD COLUMN" KILL_AT_COLUMN, e);
    if (r >= 0)
        r = conn_exec(c, "ALTER TABLE tasks ADD COLUMN" DUE_COLUMN, e);
    return r < 0 ? r : conn_exec(c, pragma, e);
}

static int schema_check(struct conn *c, bool *ret_empty, struct err *e)
{
    int64_t tables = 0, application = 0, version = 0;
    int r = conn_number(c, "SELECT count(*) FROM sqlite_master", 0, &tables, e);
    if (r >= 0)
        r = conn_number(c, "PRAGMA application_id", 0, &application, e);
    if (r >= 0)
        r = conn_number(c, "PRAGMA user_version", 0, &version, e);
    if (r < 0)
        return r;
    *ret_empty = tables == 0 && application == 0;
    if (*ret_empty)
        return 0;
    if (application != FORMAT_APPLICATION)
        return fail(e, E_CORRUPT, "%s is a database, but not one of tailrace", c->path);
    if (version > FORMAT_VERSION)
        return fail(e, E_VERSION,
                    "%s was written by a newer tailrace (format %lld, this one knows %d)",
                    c->path, (long long)version, FORMAT_VERSION);
    return version < FORMAT_VERSION ? schema_upgrade(c, version, e) : 0;
}

/* The journal follows on what was compacted without a gap: else rows are lost. */
static int schema_check_journal(struct conn *c, struct err *e)
{
    int64_t gap = 0;
    int r = conn_number(c,
                        "SELECT (SELECT min(first_seq) FROM journal) - 1 -"
                        " (SELECT value FROM meta WHERE key = 'compacted_seq')",
                        0, &gap, e);
    if (r < 0)
        return r;
    if (gap != 0)
        return fail(e, E_CORRUPT, "%s is damaged: its journal does not follow on its chunks",
                    c->path);
    return 0;
}

int schema_prepare(struct conn *c, struct err *e)
{
    bool empty = false;
    char pragmas[128];
    snprintf(pragmas, sizeof(pragmas), "PRAGMA page_size = %d;", PAGE_BYTES);
    int r = schema_check(c, &empty, e);
    if (r >= 0 && empty)
        r = conn_exec(c, pragmas, e);
    if (r >= 0)
        r = conn_exec(c,
                      "PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL;"
                      "PRAGMA secure_delete = 0; PRAGMA wal_autocheckpoint = 0;"
                      "PRAGMA cache_size = -1024; PRAGMA temp_store = MEMORY",
                      e);
    if (r >= 0 && empty)
        r = schema_create_tables(c, e);
    return r < 0 ? r : schema_check_journal(c, e);
}
