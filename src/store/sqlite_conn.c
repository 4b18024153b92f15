/* The one place that speaks SQLite's C interface. Its errors become ours here: damage is
 * E_CORRUPT, a lock is E_BUSY, a broken uniqueness is E_EXISTS, all else is E_IO, each with the
 * path of the file. */
#include "store/sqlite_conn.h"

#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "store/sqlite_disk.h"

enum { BUSY_TIMEOUT_MS = 10 * 1000 };

int conn_fail(struct conn *c, int rc, struct err *e)
{
    const char *what = sqlite3_errmsg(c->db);
    switch (rc & 0xff) {
    case SQLITE_CORRUPT:
    case SQLITE_NOTADB:
        return fail(e, E_CORRUPT, "%s is damaged or is not a tailrace database: %s", c->path,
                    what);
    case SQLITE_BUSY:
    case SQLITE_LOCKED:
        return fail(e, E_BUSY, "%s is locked by another process: %s", c->path, what);
    case SQLITE_CONSTRAINT:
        return fail(e, E_EXISTS, "%s holds that already: %s", c->path, what);
    default:
        return fail(e, E_IO, "cannot use %s: %s", c->path, what);
    }
}

static struct str value_str(sqlite3_value *value)
{
    const char *text = (const char *)sqlite3_value_text(value);
    return (struct str){text, text ? (size_t)sqlite3_value_bytes(value) : 0};
}

/* has_word(word, text ...): does it occur in one of the texts? As the memory store looks for
 * it, and without the copies that lower() and instr() make of long texts. */
static void sql_has_word(sqlite3_context *context, int count, sqlite3_value **values)
{
    struct str word = value_str(values[0]);
    int found = 0;
    for (int i = 1; i < count && !found; i++)
        found = str_find_nocase(value_str(values[i]), word) >= 0;
    sqlite3_result_int(context, found);
}

int conn_open(const char *path, int flags, struct conn **ret_conn, struct err *e)
{
    struct conn *c = mem_alloc(sizeof(*c));
    c->path = mem_strdup(path);
    c->codec = codec_new();
    int rc = sqlite3_open_v2(path, &c->db, flags | SQLITE_OPEN_NOMUTEX, sqlite_disk());
    if (rc == SQLITE_OK)
        rc = sqlite3_create_function(c->db, "has_word", -1, SQLITE_UTF8 | SQLITE_DETERMINISTIC,
                                     NULL, sql_has_word, NULL, NULL);
    if (rc != SQLITE_OK) {
        int r = conn_fail(c, rc, e);
        conn_free(c);
        return r;
    }
    sqlite3_extended_result_codes(c->db, 1);
    sqlite3_busy_timeout(c->db, BUSY_TIMEOUT_MS);
    *ret_conn = c;
    return 0;
}

static void statement_done(struct conn_statement *s)
{
    sqlite3_finalize(s->stmt);
    free(s->sql);
    *s = (struct conn_statement){0};
}

void conn_free(struct conn *c)
{
    if (!c)
        return;
    for (size_t i = 0; i < c->cached; i++)
        statement_done(&c->cache[i]);
    sqlite3_close(c->db);
    codec_free(c->codec);
    free(c->path);
    free(c);
}

int conn_exec(struct conn *c, const char *sql, struct err *e)
{
    int rc = sqlite3_exec(c->db, sql, NULL, NULL, NULL);
    return rc == SQLITE_OK ? 0 : conn_fail(c, rc, e);
}

int conn_number(struct conn *c, const char *sql, int64_t otherwise, int64_t *ret_value,
                struct err *e)
{
    AUTO_QUERY q;
    int r = query_open(&q, c, sql, e);
    if (r < 0)
        return r;
    r = query_step(&q, e);
    if (r < 0)
        return r;
    bool there = r > 0 && sqlite3_column_type(q.stmt, 0) != SQLITE_NULL;
    *ret_value = there ? column_number(&q) : otherwise;
    return 0;
}

/* The slot of the statement that was prepared longest ago and is not running. */
static struct conn_statement *cache_slot(struct conn *c)
{
    if (c->cached < CONN_STATEMENTS)
        return &c->cache[c->cached++];
    for (;;) {
        struct conn_statement *s = &c->cache[c->oldest++ % CONN_STATEMENTS];
        if (s->busy)
            continue;
        statement_done(s);
        return s;
    }
}

static struct conn_statement *cache_find(struct conn *c, const char *sql)
{
    for (size_t i = 0; i < c->cached; i++)
        if (c->cache[i].sql && !c->cache[i].busy && strcmp(c->cache[i].sql, sql) == 0)
            return &c->cache[i];
    return NULL;
}

int query_open(struct query *q, struct conn *c, const char *sql, struct err *e)
{
    *q = (struct query){.conn = c};
    struct conn_statement *s = cache_find(c, sql);
    if (!s) {
        sqlite3_stmt *stmt;
        int rc = sqlite3_prepare_v3(c->db, sql, -1, SQLITE_PREPARE_PERSISTENT, &stmt, NULL);
        if (rc != SQLITE_OK)
            return conn_fail(c, rc, e);
        s = cache_slot(c);
        *s = (struct conn_statement){.sql = mem_strdup(sql), .stmt = stmt};
    }
    s->busy = true;
    q->cached = s;
    q->stmt = s->stmt;
    return 0;
}

void query_close(struct query *q)
{
    if (!q->stmt)
        return;
    sqlite3_reset(q->stmt);
    sqlite3_clear_bindings(q->stmt);
    q->cached->busy = false;
    q->stmt = NULL;
}

int query_step(struct query *q, struct err *e)
{
    if (q->bind_rc != SQLITE_OK)
        return conn_fail(q->conn, q->bind_rc, e);
    q->column_at = 0;
    int rc = sqlite3_step(q->stmt);
    return rc == SQLITE_ROW ? 1 : rc == SQLITE_DONE ? 0 : conn_fail(q->conn, rc, e);
}

int query_run(struct query *q, struct err *e)
{
    int r;
    do {
        r = query_step(q, e);
    } while (r > 0);
    return r;
}

static void bind_note(struct query *q, int rc)
{
    if (rc != SQLITE_OK)
        q->bind_rc = rc;
}

void bind_number(struct query *q, int64_t v)
{
    bind_note(q, sqlite3_bind_int64(q->stmt, ++q->bind_at, v));
}

void bind_text(struct query *q, const char *s)
{
    bind_note(q, sqlite3_bind_text(q->stmt, ++q->bind_at, s, -1, SQLITE_STATIC));
}

void bind_id(struct query *q, struct id id)
{
    bind_note(q,
              sqlite3_bind_blob(q->stmt, ++q->bind_at, id.b, sizeof(id.b), SQLITE_TRANSIENT));
}

void bind_blob(struct query *q, struct str s)
{
    bind_note(q, sqlite3_bind_blob64(q->stmt, ++q->bind_at, s.p, s.n, SQLITE_STATIC));
}

int64_t column_number(struct query *q)
{
    return sqlite3_column_int64(q->stmt, q->column_at++);
}

const char *column_text(struct query *q, struct arena *a)
{
    const char *s = (const char *)sqlite3_column_text(q->stmt, q->column_at++);
    return arena_strdup(a, s);
}

struct id column_id(struct query *q)
{
    struct id id = ID_NONE;
    struct str blob = column_blob(q);
    if (blob.n == sizeof(id.b))
        memcpy(id.b, blob.p, sizeof(id.b));
    return id;
}

struct str column_blob(struct query *q)
{
    int at = q->column_at++;
    const char *p = sqlite3_column_blob(q->stmt, at);
    return (struct str){p, (size_t)sqlite3_column_bytes(q->stmt, at)};
}
