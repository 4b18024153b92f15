/* The HTTP side: a listening socket, two threads of libmicrohttpd, one handler.
 * Serves the folders when there are any, else the site. */
#pragma once

#include "delay.h"
#include "folder.h"
#include "site.h"

enum { SERVER_THREADS = 2 };

struct server {
    const struct folders *folders; /* lent; count 0: serve the site */
    const struct site *site;       /* lent */
    struct delay *delay;           /* lent */
    int delay_ms;                  /* every request waits that long */
    int timeout_s;                 /* a connection that is silent for so long is closed */
    struct MHD_Daemon *daemon;
    char origin[ORIGIN_MAX_BYTES]; /* "http://127.0.0.1:8090", with the real port */
};

/* Listens on "ADDRESS:PORT" ("[ADDRESS]:PORT" for IPv6; port 0 picks a free one) and serves
 * until server_stop(). Returns 0, 1 when it cannot listen, 2 when `listen_on` makes no sense;
 * both said on stderr in one sentence. */
int server_start(struct server *server, const char *listen_on);

/* Ends delay's waits first (delay_done), then all connections. */
void server_stop(struct server *server);
