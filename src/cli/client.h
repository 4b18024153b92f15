/* client.h: the public HTTP API, as the commands use it.
 *
 * Every call is one request and blocks until its answer is there, or until `wake_fd` is
 * readable. An error of the server comes back as the E_* of its `code` with its own sentence; a
 * server that cannot be reached, or breaks off, is E_NET; one that is going down E_BUSY.
 * Thread: main. */
#pragma once

#include <curl/curl.h>
#include <jansson.h>
#include <stdbool.h>

#include "base/buf.h"
#include "base/err.h"

struct client {
    CURL *curl;
    CURLM *multi;
    char *base;       /* "http://127.0.0.1:8085" */
    int wake_fd;      /* -1, or: readable ends a request */
    bool interrupted; /* the last request was ended by wake_fd */
    struct buf reply;
    const char *token; /* of a task, sent with each request; NULL: none */
};

#define AUTO_JSON AUTO(client_json_clear) json_t
void client_json_clear(json_t **json);

/* E_INVAL when `url` is no http or https address. */
CHECKED int client_open(struct client *c, const char *url, struct err *e);
void client_close(struct client *c);

/* `path` begins with "/". The caller frees *ret_reply with json_decref(); it is an object. A
 * call that waits on the server says how long with `wait_s`. */
CHECKED int client_get(struct client *c, const char *path, int wait_s, json_t **ret_reply,
                       struct err *e);
CHECKED int client_post(struct client *c, const char *path, const json_t *body,
                        json_t **ret_reply, struct err *e);
CHECKED int client_post_text(struct client *c, const char *path, const char *body,
                             json_t **ret_reply, struct err *e); /* JSON already */

/* For a path: `text` with everything escaped that is not plain; the caller frees. */
char *client_escape(const char *text);

/* The id of the job that `word` means: an id, the beginning of one (8 characters or more), or
 * "latest". The caller frees. E_NOTFOUND, E_INVAL (too short, or it fits several). */
CHECKED int client_find_job(struct client *c, const char *word, char **ret_id, struct err *e);

/* The text of a member, "" when it is not there or no text; and a number, 0. */
const char *client_text(const json_t *object, const char *name);
json_int_t client_int(const json_t *object, const char *name);
