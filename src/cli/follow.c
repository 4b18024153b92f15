/* The happy path: ask for what comes after the cursor; hand on every event behind it; move the
 * cursor to the end of the interval; ask again, until the answer says `end`. The cursor only
 * moves when an answer was handed on, so a request that failed anywhere is simply asked again.
 */
#include "cli/follow.h"

#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include "base/mem.h"
#include "base/text.h"
#include "cli/cursor.h"

enum { WAIT_S = 25, PAUSE_FIRST_MS = 1000, PAUSE_MAX_MS = 10000 };

struct reader {
    struct client *client;
    const struct follow *f;
    struct follow_outcome *outcome;
    struct cursor cursor;
    int signals; /* signalfd, or -1 */
    bool lost;   /* the server did not answer last time, and that was said */
    bool known;  /* it did answer once */
    int pause_ms;
};

static void outcome_note(const json_t *event, struct follow_outcome *outcome)
{
    const json_t *payload = json_object_get(event, "payload");
    enum job_state state;
    if (strcmp(client_text(event, "type"), "job_status_change") == 0 &&
        strcmp(client_text(payload, "kind"), "job") == 0 &&
        job_state_parse(str_of(client_text(payload, "status")), &state) &&
        job_state_is_final(state))
        text_copy(outcome->status, sizeof(outcome->status), job_state_name(state));
}

static void on_event(void *user, const json_t *event)
{
    struct reader *r = user;
    r->f->on_event(r->f->user, event);
    outcome_note(event, r->outcome);
}

static int answer_take(struct reader *r, const json_t *answer, struct err *e)
{
    char at[CURSOR_TEXT_MAX];
    if (cursor_take(&r->cursor, answer, on_event, r) != CURSOR_GAP)
        return 0;
    cursor_text(&r->cursor, at);
    return fail(e, E_NET, "the server left out events after %s", at);
}

static int answer_ask(struct reader *r, json_t **ret_answer, struct err *e)
{
    AUTO_FREE char *topic =
        mem_printf("job:%s%s%s", r->f->job_id, r->f->min_level ? "?min=" : "",
                   r->f->min_level ? r->f->min_level : "");
    AUTO_FREE char *topic_escaped = client_escape(topic);
    char cursor[CURSOR_TEXT_MAX];
    cursor_text(&r->cursor, cursor);
    AUTO_FREE char *since = client_escape(cursor);
    int wait_s =
        r->f->until || r->lost ? 0 : WAIT_S; /* lost: an answer tells that it is back */
    AUTO_FREE char *path =
        mem_printf("/api/events?topic=%s&since=%s&wait=%d", topic_escaped, since, wait_s);
    return client_get(r->client, path, wait_s, ret_answer, e);
}

/* Full jitter, so that many followers do not come back in step. False: a signal came. */
static bool reader_pause(struct reader *r)
{
    unsigned chance = 0;
    ASSERT(getrandom(&chance, sizeof(chance), 0) == sizeof(chance));
    struct pollfd signals = {.fd = r->signals, .events = POLLIN};
    int n = poll(&signals, 1, (int)(chance % (unsigned)r->pause_ms));
    r->pause_ms = MIN(r->pause_ms * 2, PAUSE_MAX_MS);
    return n == 0;
}

static void reader_found(struct reader *r)
{
    if (r->lost)
        r->f->on_note(r->f->user, "the server answers again");
    r->lost = false;
    r->known = true;
    r->pause_ms = PAUSE_FIRST_MS;
}

/* Decides whether a failed request is asked again. */
static bool reader_may_retry(struct reader *r, int code, const struct err *e)
{
    if (!r->known || r->f->until || (code != E_NET && code != E_BUSY))
        return false;
    if (!r->lost) {
        AUTO_FREE char *note = mem_printf("%s; trying again (Ctrl-C ends this)", e->text);
        r->f->on_note(r->f->user, note);
    }
    r->lost = true;
    return true;
}

static int reader_run(struct reader *r, struct err *e)
{
    do { /* at least once: whether the cursor is good is for the server to say */
        AUTO_JSON *answer = NULL;
        int code = answer_ask(r, &answer, e);
        if (r->client->interrupted)
            return 0;
        if (code >= 0)
            code = answer_take(r, answer, e);
        if (!r->f->on_answer(r->f->user)) /* also what came before a gap is shown */
            return 0;
        if (code >= 0) {
            reader_found(r);
            r->outcome->ended = json_is_true(json_object_get(answer, "end"));
        } else if (!reader_may_retry(r, code, e)) {
            return code;
        } else if (!reader_pause(r)) {
            return 0;
        }
    } while (!r->outcome->ended && (!r->f->until || r->cursor.seq < r->f->until));
    return 0;
}

static int signals_open(sigset_t *old)
{
    sigset_t set;
    (void)sigemptyset(&set);
    (void)sigaddset(&set, SIGINT);
    (void)sigaddset(&set, SIGTERM);
    (void)sigprocmask(SIG_BLOCK, &set, old);
    return signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
}

int follow_job(struct client *c, const struct follow *f, struct follow_outcome *ret_outcome,
               struct err *e)
{
    struct reader r = {
        .client = c, .f = f, .outcome = ret_outcome, .signals = -1, .pause_ms = PAUSE_FIRST_MS};
    sigset_t old;
    *ret_outcome = (struct follow_outcome){0};
    int code = cursor_read(f->since, &r.cursor, e);
    if (code < 0)
        return code;
    c->wake_fd = r.signals = signals_open(&old);
    code = reader_run(&r, e);
    struct signalfd_siginfo info;
    if (read(r.signals, &info, sizeof(info)) == sizeof(info))
        ret_outcome->signum = (int)info.ssi_signo;
    c->wake_fd = -1;
    (void)close(r.signals);
    (void)sigprocmask(SIG_SETMASK, &old, NULL);
    return code;
}
