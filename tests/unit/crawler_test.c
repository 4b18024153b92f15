/* The crawler against real servers, its engine being crawl_world.h. */
#include "worker/crawler/crawler.h"

#include <stdlib.h>

#include "base/buf.h"
#include "base/clock.h"
#include "base/err.h"
#include "crawl_world.h"
#include "test.h"

/* Crawls from 127.0.0.1:port/path with further lines of config. */
static struct world *crawl_prepare(int port, const char *path, const char *more)
{
    AUTO_BUF config = BUF_INIT(4096);
    buf_printf(&config, "      start_urls: [\"http://127.0.0.1:%d%s\"]\n%s", port, path, more);
    return world_new(buf_text(&config));
}

static struct world *crawl(int port, const char *path, const char *more)
{
    struct world *w = crawl_prepare(port, path, more);
    CHECK_INT(world_run(w), 0);
    return w;
}

TEST(a_site_is_crawled_and_every_address_asked_for_once)
{
    int port = site_start();
    struct world *w =
        crawl(port, "/", "      exclude_patterns: [admin]\n      max_size: 100KiB\n");
    static const char *const once[] = {"/robots.txt", "/",       "/a",     "/b",      "/moved",
                                       "/target",     "/loop1",  "/loop2", "/latin1", "/plain",
                                       "/deep/1",     "/deep/2", "/big",   "/missing"};
    for (size_t i = 0; i < ARRAY_LEN(once); i++)
        if (site_hits(once[i]) != 1)
            test_fail(__FILE__, __LINE__, "%s was asked for %d times", once[i],
                      site_hits(once[i]));
    static const char *const never[] = {"/private/p", "/admin/x", "/nofollow", "/secret",
                                        "/deep/3"};
    for (size_t i = 0; i < ARRAY_LEN(never); i++)
        CHECK_INT(site_hits(never[i]), 0);
    CHECK_INT(world_tasks(w), 23);
    CHECK_TEXT(world_progress(w), "16/16 pages"); /* without the targets of redirects */
    world_free(w);
}

TEST(every_address_has_a_line_that_says_what_happened)
{
    int port = site_start();
    struct world *w =
        crawl(port, "/", "      exclude_patterns: [admin]\n      max_size: 100KiB\n");
    static const char *const lines[] = {
        "info: robots.txt of http://127.0.0.1:%d: 1 rule for us, 1 sitemap",
        "info: fetched http://127.0.0.1:%d/a 200 text/html",
        "17 links, 13 new",
        "info: redirected to http://127.0.0.1:%d/target: 301 from http://127.0.0.1:%d/moved",
        "error: failed http://127.0.0.1:%d/loop2 HTTP 302, a redirect loop: back to",
        "error: failed http://127.0.0.1:%d/selfloop HTTP 302, a redirect loop: back to",
        "error: failed http://127.0.0.1:%d/hop/4 HTTP 302, more redirects in a row than",
        "warn: failed http://127.0.0.1:%d/missing HTTP 404 Not Found",
        "linked from http://127.0.0.1:%d/\n",
        "error: failed http://127.0.0.1:%d/broken HTTP 500 Internal Server Error",
        "error: failed http://127.0.0.1:%d/big larger than max_size (100 KiB)",
        "info: skipped http://127.0.0.1:%d/private/p: robots.txt disallows it",
        "debug: skipped http://127.0.0.1:%d/admin/x: exclude pattern 'admin'",
        "debug: skipped http://127.0.0.1:%d/nofollow: the link says nofollow",
        "debug: skipped http://127.0.0.1:%d/deep/3: deeper than max_depth 3",
        "debug: skipped http://localhost:1/: other host",
        "image/png 8 B",
        "not kept: neither HTML nor plain text",
        "not kept (noindex)",
    };
    for (size_t i = 0; i < ARRAY_LEN(lines); i++) {
        AUTO_BUF line = BUF_INIT(1024);
        for (const char *p = lines[i]; *p; p++)
            if (*p == '%')
                buf_printf(&line, "%d", port), p++;
            else
                buf_add_byte(&line, *p);
        CHECK_HAS(world_log(w), buf_text(&line));
    }
    world_free(w);
}

TEST(pages_are_kept_as_documents)
{
    int port = site_start();
    struct world *w = crawl(port, "/", "");
    CHECK_HAS(world_documents(w),
              "/a|A|2026-11-20T08:00:00Z|# A\n\nText of **A**.\n|{\"depth\":1,"
              "\"http_status\":200,\"content_type\":\"text/html\",\"charset\":"
              "\"utf-8\",\"language\":\"\",\"bytes\":234,\"words\":4,"
              "\"canonical\":\"http://127.0.0.1:");
    CHECK_HAS(world_documents(w), "/latin1|Caf\xc3\xa9 \xe2\x82\xac||caf\xc3\xa9\n|");
    CHECK_HAS(world_documents(w), "/plain|||just text\n|");
    CHECK(!strstr(world_documents(w), "noindex|"));
    CHECK(!strstr(world_documents(w), "image.png|"));
    world_free(w);
}

TEST(a_companion_carries_the_figures)
{
    int port = site_start();
    struct world *w = crawl(port, "/missing", "");
    AUTO_BUF want = BUF_INIT(1024);
    buf_printf(&want,
               "{\"url\":\"http://127.0.0.1:%d/missing\",\"depth\":0,\"http_status\":404,"
               "\"bytes\":2,\"duration_ms\":",
               port);
    CHECK_HAS(world_companions(w), buf_text(&want));
    CHECK_HAS(world_companions(w), "\"queued\":0,\"done\":0,\"failed\":1} failed http://");
    world_free(w);
}

TEST(max_pages_bounds_the_crawl_also_across_a_restart)
{
    int port = site_start();
    struct world *w = crawl(port, "/tree/1", "      max_pages: 10\n      max_depth: 20\n");
    CHECK_INT(world_tasks(w), 10);
    CHECK_INT(world_count(w, ": fetched "), 10);
    CHECK_INT(world_count(w, "max_pages of 10 is reached"), 1);
    CHECK_TEXT(world_progress(w), "10/10 pages");
    world_free(w);

    w = crawl_prepare(port, "/tree/1", "      max_pages: 10\n      max_depth: 20\n");
    char key[64];
    for (int i = 1; i <= 7; i++) {
        snprintf(key, sizeof(key), "http://127.0.0.1:%d/tree/%d", port, i);
        world_known(w, key, "{\"depth\":1,\"redirects\":0}",
                    i < 6 ? JOB_COMPLETED : JOB_PENDING);
    }
    CHECK_INT(world_run(w), 0);
    CHECK_INT(world_count(w, ": fetched "), 5); /* the 2 that were pending and 3 new ones */
    CHECK_TEXT(world_progress(w), "10/10 pages");
    world_free(w);
}

TEST(a_tree_of_255_pages_is_crawled_completely)
{
    int port = site_start();
    struct world *w = crawl(port, "/tree/1", "      max_depth: 20\n      concurrency: 16\n");
    CHECK_INT(world_count(w, ": fetched "), 255);
    CHECK_INT(world_tasks(w), 255);
    for (int i = 1; i <= 255; i++) {
        char path[32];
        snprintf(path, sizeof(path), "/tree/%d", i);
        CHECK_INT(site_hits(path), 1);
    }
    world_free(w);
}

TEST(include_patterns_choose_links_and_not_start_pages)
{
    int port = site_start();
    struct world *w = crawl(port, "/",
                            "      include_patterns: [\"/a\", \"/deep/[0-9]$/\"]\n"
                            "      exclude_patterns: [admin]\n");
    CHECK_INT(site_hits("/"), 1);
    CHECK_INT(site_hits("/a"), 1);
    CHECK_INT(site_hits("/deep/1"), 1);
    CHECK_INT(site_hits("/b"), 0);
    CHECK_INT(site_hits("/admin/x"), 0);
    CHECK_HAS(world_log(w), "/b: no include pattern matches");
    world_free(w);
}

TEST(without_follow_links_only_start_pages_are_fetched)
{
    int port = site_start();
    struct world *w = crawl(port, "/", "      follow_links: false\n");
    CHECK_INT(world_tasks(w), 1);
    world_free(w);
}

TEST(without_respect_robots_nothing_is_forbidden)
{
    int port = site_start();
    struct world *w = crawl(port, "/private/p", "      respect_robots: false\n");
    CHECK_INT(site_hits("/robots.txt"), 0);
    CHECK_INT(site_hits("/private/p"), 1);
    CHECK_HAS(world_log(w), "warn: robots.txt is not read");
    world_free(w);
    w = crawl(port, "/private/p", "");
    CHECK_INT(site_hits("/private/p"), 1);
    CHECK_HAS(world_log(w), "warn: skipped http://127.0.0.1");
    world_free(w);
}

static void failure_check(int port, const char *more, const char *sentence)
{
    struct world *w = crawl(port, "/", more);
    CHECK_HAS(world_ends(w), "failed http://127.0.0.1");
    CHECK_HAS(world_ends(w), sentence);
    CHECK_HAS(world_log(w), sentence);
    world_free(w);
}

TEST(servers_that_speak_no_http_are_told_from_those_that_refuse)
{
    failure_check(garbage_start("SSH-2.0-OpenSSH_9.2\r\n", true), "", "does not speak HTTP");
    failure_check(garbage_start("\x15\x03\x01\x02\x02\x50", true), "", "does not speak HTTP");
    failure_check(garbage_start("", true), "", "closed the connection without an answer");
    failure_check(1, "", "refuses connections");
    failure_check(garbage_start("HTTP/1.1 503 No\r\nContent-Length: 0\r\n\r\n", true), "",
                  "its robots.txt answers HTTP 503, which forbids everything");
    failure_check(garbage_start("", false), "      timeout: 300ms\n", "timed out after ");
    failure_check(garbage_start("HTTP/1.1 200 OK\r\nContent-Length: 50\r\n\r\nshort", true),
                  "      respect_robots: false\n", "ended before its announced length");
    failure_check(garbage_start("HTTP/1.1 302 Found\r\nContent-Length: 0\r\n\r\n", true),
                  "      respect_robots: false\n", "a redirect that does not say where to");
    failure_check(garbage_start("HTTP/1.1 302 Found\r\nLocation: ftp://x/\r\n"
                                "Content-Length: 0\r\n\r\n",
                                true),
                  "      respect_robots: false\n",
                  "the scheme 'ftp' is neither http nor https");
}

TEST(a_name_that_does_not_resolve_and_tls_that_fails_are_sentences)
{
    struct world *w = world_new("      start_urls: [\"http://nobody.invalid/\"]\n");
    CHECK_INT(world_run(w), 0);
    CHECK_HAS(world_ends(w),
              "failed http://nobody.invalid/ the host name 'nobody.invalid' does not resolve");
    world_free(w);
    char config[128];
    snprintf(config, sizeof(config), "      start_urls: [\"https://127.0.0.1:%d/\"]\n",
             garbage_start("HTTP/1.1 400 Bad\r\n\r\n", true));
    w = world_new(config);
    CHECK_INT(world_run(w), 0);
    CHECK_HAS(world_ends(w), "TLS with https://127.0.0.1");
    world_free(w);
}

TEST(pages_without_end_are_cut_off)
{
    int port = site_start();
    struct world *w = crawl(port, "/endless", "      max_size: 1MiB\n");
    CHECK_HAS(world_ends(w), "/endless larger than max_size (1 MiB)");
    world_free(w);
    w = crawl(port, "/drip", "      timeout: 400ms\n      respect_robots: false\n");
    CHECK_HAS(world_ends(w), "/drip timed out after ");
    world_free(w);
}

TEST(endless_headers_are_cut_off)
{
    AUTO_BUF answer = BUF_INIT(1 << 20);
    buf_add_c(&answer, "HTTP/1.1 200 OK\r\n");
    while (answer.n < 400000)
        buf_add_c(&answer, "X-Filler: 0123456789012345678901234567890123456789\r\n");
    failure_check(garbage_start(buf_text(&answer), false), "      respect_robots: false\n",
                  "more than 256 KiB of headers");
}

TEST(a_header_without_end_is_cut_off)
{
    AUTO_BUF answer = BUF_INIT(1 << 20);
    buf_add_c(&answer, "HTTP/1.1 200 OK\r\nX-Filler: ");
    while (answer.n < 400000)
        buf_add_byte(&answer, 'x');
    failure_check(garbage_start(buf_text(&answer), false), "      respect_robots: false\n",
                  "a line of the headers is longer than 100 KiB");
}

#define P10 "(((((((((("

TEST(a_wrong_setting_fails_the_step_with_its_place)
{
    static const char *const rows[][2] = {
        {"      start_urls: [\"example.com\"]\n",
         "start_urls[0]: 'example.com': the address does not begin with http:// or https://"},
        {"      start_urls: [\"http://a/\", \"ftp://x\"]\n",
         "start_urls[1]: 'ftp://x': the scheme"},
        {"      start_urls: [\"http://a/\"]\n      exclude_patterns: [\"/a[/\"]\n",
         "exclude_patterns[0]: '/a[/': this is no regular expression: missing terminating ]"},
        {"      start_urls: [\"http://a/\"]\n"
         "      include_patterns: [\"x\", \"/((((a{255}){255}){255}){255})/\"]\n",
         "this is no regular expression: regular expression is too large"},
        {"      start_urls: [\"http://a/\"]\n"
         "      include_patterns: [\"/" P10 P10 P10 P10 P10 P10 "a/\"]\n",
         "this is no regular expression: "},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct world *w = world_new(rows[i][0]);
        CHECK_INT(world_run(w), E_INVAL);
        CHECK_HAS(world_log(w), rows[i][1]);
        world_free(w);
    }
}

static bool stop_after_ten(struct world *w)
{
    if (world_count(w, ": fetched ") < 10)
        return true;
    world_stop_all(w);
    return false;
}

TEST(a_stopped_step_ends_every_task_as_cancelled)
{
    int port = site_start();
    world_turn = stop_after_ten;
    struct world *w = crawl(port, "/tree/1", "      max_depth: 20\n      concurrency: 16\n");
    CHECK_HAS(world_ends(w), "cancelled http://127.0.0.1");
    CHECK(world_count(w, ": fetched ") < 200);
    world_free(w);
}

static bool stop_at_once(struct world *w)
{
    world_stop_all(w);
    return false;
}

TEST(a_transfer_under_way_is_stopped_at_once)
{
    int port = garbage_start("", false); /* never answers */
    world_turn = stop_at_once;
    struct world *w = crawl(port, "/", "      respect_robots: false\n      timeout: 1h\n");
    CHECK_HAS(world_ends(w), "cancelled http://127.0.0.1");
    world_free(w);
    world_turn = stop_at_once;
    w = crawl(port, "/", "      timeout: 1h\n"); /* while robots.txt is asked for */
    CHECK_HAS(world_ends(w), "cancelled http://127.0.0.1");
    world_free(w);
}

/* What was under way when the store fell behind may still end: as many as ran at once. */
static bool hold_then_resume(struct world *w)
{
    static int turns, at_hold;
    int fetched = world_count(w, ": fetched ");
    if (!at_hold && fetched >= 5) {
        world_hold(w, true);
        at_hold = fetched;
    }
    turns += at_hold > 0;
    if (turns < 20000)
        return true; /* the idle handle below keeps the loop turning */
    CHECK(fetched <= at_hold + world_running_most(w));
    world_hold(w, false);
    return false;
}

static uv_idle_t idle;

static void on_idle(uv_idle_t *i)
{
    if (!world_turn)
        uv_close((uv_handle_t *)i, NULL);
}

TEST(nothing_new_is_fetched_while_the_store_is_behind)
{
    int port = site_start();
    struct world *w = crawl_prepare(port, "/tree/1", "      max_depth: 20\n");
    world_turn = hold_then_resume;
    uv_idle_init(world_loop(w), &idle);
    uv_idle_start(&idle, on_idle);
    CHECK_INT(world_run(w), 0);
    CHECK_INT(world_count(w, ": fetched "), 255);
    world_free(w);
}

TEST(the_delay_is_kept_between_pages_of_a_host)
{
    int port = site_start();
    int64_t begin = clock_mono_us();
    struct world *w = crawl(port, "/tree/1", "      max_pages: 5\n      delay: 60ms\n");
    CHECK(clock_mono_us() - begin >= 4 * 60000);
    CHECK_INT(world_count(w, ": fetched "), 5);
    world_free(w);
}

TEST(links_may_not_lead_into_the_own_network)
{
    int port = site_start();
    char body[256], answer[512];
    snprintf(body, sizeof(body), "<a href='http://127.0.0.2:%d/a'>x</a>", port);
    snprintf(answer, sizeof(answer),
             "HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nContent-Length: %zu\r\n"
             "Connection: close\r\n\r\n%s",
             strlen(body), body);
    int evil = garbage_start(answer, true);
    struct world *w = crawl(evil, "/", "      same_host: false\n      respect_robots: false\n");
    CHECK_HAS(world_ends(w),
              "127.0.0.2 has a private address, where no link or redirect may lead");
    CHECK_INT(site_hits("/a"), 0);
    world_free(w);
}

TEST(a_robots_txt_that_redirects_is_followed)
{
    int port = site_start();
    char answer[256];
    snprintf(answer, sizeof(answer),
             "HTTP/1.1 302 Found\r\nLocation: http://127.0.0.1:%d/robots.txt\r\n"
             "Content-Length: 0\r\nConnection: close\r\n\r\n",
             port);
    struct world *w = crawl(garbage_start(answer, true), "/private/x", "");
    CHECK_INT(site_hits("/robots.txt"), 1);
    CHECK_HAS(world_log(w), "robots.txt disallows it");
    world_free(w);
}
