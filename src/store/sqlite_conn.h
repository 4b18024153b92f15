/* sqlite_conn.h: one connection to the database, and queries on it without ceremony.
 *
 * Values are bound and columns read from left to right, so that a row is written and read by
 * one line per member, in the order of the statement's text:
 *
 *     AUTO_QUERY query;
 *     r = query_open(&query, conn, "SELECT name, lines FROM steps WHERE id = ?", e);
 *     if (r < 0)
 *         return r;
 *     bind_id(&query, id);
 *     r = query_step(&query, e);              1: a row, 0: none left
 *     name = column_text(&query, arena);
 *
 * Statements are kept prepared, by their text. Thread: a connection belongs to one at a time.
 */
#pragma once

#include <sqlite3.h>

#include "base/arena.h"
#include "base/err.h"
#include "base/id.h"
#include "store/codec.h"

enum { CONN_STATEMENTS = 48 };

struct conn {
    sqlite3 *db;
    char *path; /* for sentences */
    struct codec *codec;
    struct conn_statement {
        char *sql;
        sqlite3_stmt *stmt;
        bool busy;
    } cache[CONN_STATEMENTS];
    size_t cached, oldest;
};

struct query {
    struct conn *conn;
    struct conn_statement *cached;
    sqlite3_stmt *stmt;
    int bind_at, column_at, bind_rc;
};

CHECKED int conn_open(const char *path, int flags, struct conn **ret_conn, struct err *e);
void conn_free(struct conn *c); /* NULL is fine */

/* Runs statements that return nothing. */
CHECKED int conn_exec(struct conn *c, const char *sql, struct err *e);

/* The first column of the only row, or `otherwise` when there is no row or it is null. */
CHECKED int conn_number(struct conn *c, const char *sql, int64_t otherwise, int64_t *ret_value,
                        struct err *e);

/* Fails with what SQLite says about its last error on this connection. */
int conn_fail(struct conn *c, int rc, struct err *e);

CHECKED int query_open(struct query *q, struct conn *c, const char *sql, struct err *e);
void query_close(struct query *q); /* resets the statement, unbinds */
#define AUTO_QUERY AUTO(query_close) struct query

CHECKED int query_step(struct query *q, struct err *e);

/* Steps to the end: for statements that change something. */
CHECKED int query_run(struct query *q, struct err *e);

void bind_number(struct query *q, int64_t v);
void bind_text(struct query *q, const char *s); /* NULL is null; lives until query_close() */
void bind_id(struct query *q, struct id id);    /* copied */
void bind_blob(struct query *q, struct str s);  /* lives until query_close() */

int64_t column_number(struct query *q);
const char *column_text(struct query *q, struct arena *a); /* null is NULL */
struct id column_id(struct query *q);                      /* of a wrong length: none */
struct str column_blob(struct query *q);                   /* valid until the next step */
