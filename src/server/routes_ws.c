/* The handshake of a WebSocket. After the 101 the socket is ours: the descriptor is duplicated
 * and libmicrohttpd closes its own, so that a viewer costs no HTTP connection. */
#include <fcntl.h>
#include <strings.h>

#include "server/http.h"
#include "server/request.h"
#include "server/viewer.h"
#include "server/websocket.h"

static const char protocol[] = "tailrace.v1";

/* Is `word` one of a header's values, which commas separate? Any case. */
static bool header_has(const struct request *r, const char *name, const char *word)
{
    struct str list = request_header(r, name);
    while (list.p) {
        struct str item = str_trim(str_cut(&list, ','));
        if (item.n == str_of(word).n && strncasecmp(item.p, word, item.n) == 0)
            return true;
    }
    return false;
}

static void on_upgrade(void *arg, struct MHD_Connection *connection, void *state,
                       const char *extra, size_t extra_n, MHD_socket socket,
                       struct MHD_UpgradeResponseHandle *handle)
{
    struct server *server = arg;
    struct request *r = state;
    (void)connection;
    int fd = fcntl(socket, F_DUPFD_CLOEXEC, 0);
    if (fd >= 0)
        viewers_add(server->viewers, fd, *(const enum feed_form *)r->arg,
                    (struct str){extra, extra_n});
    (void)MHD_upgrade_action(handle, MHD_UPGRADE_ACTION_CLOSE);
    http_upgraded(server->http);
}

static int check_handshake(struct request *r, char accept[WS_ACCEPT_LEN + 1], struct err *e)
{
    struct str wanted = request_header(r, "Sec-WebSocket-Protocol");
    bool asks = header_has(r, "Upgrade", "websocket") && header_has(r, "Connection", "upgrade");
    if (!asks || !str_eq_c(str_of(r->method), "GET"))
        return fail(e, E_UPGRADE, "this address speaks the WebSocket protocol only");
    if (!header_has(r, "Sec-WebSocket-Version", "13"))
        return fail(e, E_UPGRADE, "the WebSocket version must be 13");
    if (!ws_accept(request_header(r, "Sec-WebSocket-Key"), accept))
        return fail_field(e, E_INVAL, "Sec-WebSocket-Key",
                          "Sec-WebSocket-Key must be 16 bytes in base64");
    if (wanted.p && !header_has(r, "Sec-WebSocket-Protocol", protocol))
        return fail_field(e, E_INVAL, "Sec-WebSocket-Protocol",
                          "unknown sub-protocol '%.*s'; this server speaks %s, or none",
                          (int)MIN(wanted.n, (size_t)64), wanted.p, protocol);
    if (viewers_is_full(r->server->viewers))
        return fail(e, E_BUSY, "the server has as many connections as it can take");
    return 0;
}

/* Without sub-protocol a message is one event, which compresses badly by itself. */
static enum feed_form form_wanted(const struct request *r)
{
    if (!request_header(r, "Sec-WebSocket-Protocol").p)
        return FEED_PLAIN;
    return ws_offers_deflate(request_header(r, "Sec-WebSocket-Extensions")) ? FEED_DEFLATED
                                                                            : FEED_V1;
}

int handle_ws(struct request *r, struct err *e)
{
    char accept[WS_ACCEPT_LEN + 1];
    enum feed_form form = form_wanted(r);
    int code = check_handshake(r, accept, e);
    if (code < 0)
        return code;
    struct MHD_Response *response = MHD_create_response_for_upgrade(on_upgrade, r->server);
    ASSERT(response);
    (void)MHD_add_response_header(response, "Upgrade", "websocket");
    (void)MHD_add_response_header(response, "Sec-WebSocket-Accept", accept);
    if (form != FEED_PLAIN)
        (void)MHD_add_response_header(response, "Sec-WebSocket-Protocol", protocol);
    if (form == FEED_DEFLATED)
        (void)MHD_add_response_header(response, "Sec-WebSocket-Extensions", WS_DEFLATE_ACCEPT);
    enum feed_form *arg = arena_alloc(&r->arena, sizeof(*arg));
    *arg = form;
    r->arg = arg;
    request_reply_response(r, MHD_HTTP_SWITCHING_PROTOCOLS, response);
    return 0;
}
