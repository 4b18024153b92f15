/* newsroom: a small newspaper to crawl, or any folder of files as a web site.
 *
 * main() reads the options, loads what is to be served, starts the threads and then only waits
 * for the signal that ends it. The signals are blocked before any thread exists, so that none
 * of them is interrupted by one. */
#include "server.h"

#include <err.h>
#include <getopt.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#ifndef NEWSROOM_ARTICLES
#define NEWSROOM_ARTICLES "examples/newsroom/articles"
#endif

enum { DELAY_MAX_MS = 60000, TIMEOUT_S = 60, TIMEOUT_MAX_S = 3600 };

static const char usage[] =
    "Usage: newsroom [--listen ADDRESS:PORT] [--delay MS] [--timeout SECONDS]\n"
    "                [--articles DIR | --root DIR...]\n"
    "\n"
    "Serves a small invented newspaper, with everything that crawlers meet in life.\n"
    "\n"
    "  --listen ADDRESS:PORT  where to listen; port 0 picks a free one (127.0.0.1:8090)\n"
    "  --articles DIR         the folder of articles (" NEWSROOM_ARTICLES ")\n"
    "  --root DIR             serve this folder of files instead of the newspaper\n"
    "  --root PREFIX=DIR      the same below /PREFIX/; may be given several times\n"
    "  --delay MS             let every request wait that long, 0 to 60000 (0)\n"
    "  --timeout SECONDS      let go of clients that say nothing for that long, 1 to 3600 "
    "(60)\n"
    "  --help                 print this and exit\n"
    "\n"
    "Prints one line when it is ready: listening on http://ADDRESS:PORT/\n"
    "Ends with 0 on SIGINT or SIGTERM, 1 when it cannot listen, 2 when an option is wrong.\n";

struct options {
    const char *listen_on;
    const char *articles; /* NULL: where they usually are */
    int delay_ms;
    int timeout_s;
    struct folders folders;
};

/* The value of `option`, a whole number from `min` to `max`. */
static bool number_read(const char *option, const char *unit, int min, int max, int *ret)
{
    size_t digits = strspn(optarg, "0123456789");
    long n = digits > 0 && digits <= 5 && !optarg[digits] ? strtol(optarg, NULL, 10) : -1;
    if (n < min || n > max) {
        warnx("--%s '%s': give %s from %d to %d.", option, optarg, unit, min, max);
        return false;
    }
    *ret = (int)n;
    return true;
}

/* Returns -1 to go on, else the exit status. */
static int options_read(struct options *options, int argc, char **argv)
{
    static const struct option known[] = {
        {"listen", required_argument, NULL, 'l'},
        {"articles", required_argument, NULL, 'a'},
        {"root", required_argument, NULL, 'r'},
        {"delay", required_argument, NULL, 'd'},
        {"timeout", required_argument, NULL, 't'},
        {"help", no_argument, NULL, 'h'},
        {0},
    };
    int c;
    while ((c = getopt_long(argc, argv, "", known, NULL)) != -1) {
        bool good = true;
        if (c == 'l')
            options->listen_on = optarg;
        else if (c == 'a')
            options->articles = optarg;
        else if (c == 'r')
            good = folders_add(&options->folders, optarg);
        else if (c == 'd')
            good = number_read("delay", "milliseconds", 0, DELAY_MAX_MS, &options->delay_ms);
        else if (c == 't')
            good = number_read("timeout", "seconds", 1, TIMEOUT_MAX_S, &options->timeout_s);
        else if (c == 'h')
            return fputs(usage, stdout) < 0;
        else
            good = false; /* getopt_long() said why */
        if (!good)
            return 2;
    }
    if (optind < argc) {
        warnx("'%s' is not an option; see --help.", argv[optind]);
        return 2;
    }
    if (options->articles && options->folders.count > 0) {
        warnx("--articles and --root exclude each other.");
        return 2;
    }
    return -1;
}

/* The articles' folder: as compiled in, seen from here or from where the program was built. */
static const char *articles_find_folder(char *buffer, size_t size)
{
    if (access(NEWSROOM_ARTICLES, R_OK | X_OK) == 0)
        return NEWSROOM_ARTICLES;
    char exe[PATH_MAX];
    ssize_t n = readlink("/proc/self/exe", exe, sizeof exe - 1);
    exe[n < 0 ? 0 : n] = '\0';
    char *slash = strrchr(exe, '/');
    if (slash)
        *slash = '\0';
    int length = snprintf(buffer, size, "%s/../examples/newsroom/articles", exe);
    if (length > 0 && (size_t)length < size && access(buffer, R_OK | X_OK) == 0)
        return buffer;
    warnx("cannot find the articles; name their folder with --articles DIR.");
    return NULL;
}

static int serve(const struct options *options, const struct site *site, struct delay *delay)
{
    struct server server = {.folders = &options->folders,
                            .site = site,
                            .delay = delay,
                            .delay_ms = options->delay_ms,
                            .timeout_s = options->timeout_s};
    sigset_t ending;
    sigemptyset(&ending);
    sigaddset(&ending, SIGINT);
    sigaddset(&ending, SIGTERM);
    signal(SIGINT, SIG_DFL);  /* a shell's background job inherits it as ignored, */
    signal(SIGTERM, SIG_DFL); /* and then sigwait() would never see it */
    pthread_sigmask(SIG_BLOCK, &ending, NULL);
    signal(SIGPIPE, SIG_IGN); /* a client may hang up in the middle of a file */

    if (!delay_init(delay)) {
        warnx("cannot start a thread.");
        return 1;
    }
    int failed = server_start(&server, options->listen_on);
    if (failed) {
        delay_done(delay);
        return failed;
    }
    printf("listening on %s/\n", server.origin);
    fflush(stdout);
    int signal_number;
    sigwait(&ending, &signal_number);
    server_stop(&server);
    return 0;
}

int main(int argc, char **argv)
{
    struct options options = {.listen_on = "127.0.0.1:8090", .timeout_s = TIMEOUT_S};
    struct site site = {0};
    struct delay delay;
    int status = options_read(&options, argc, argv);
    if (status < 0 && options.folders.count == 0) {
        char buffer[PATH_MAX + 64];
        const char *dir =
            options.articles ? options.articles : articles_find_folder(buffer, sizeof buffer);
        if (!dir || !site_init(&site, dir, &delay))
            status = 2;
    }
    if (status < 0)
        status = serve(&options, &site, &delay);
    site_done(&site);
    folders_done(&options.folders);
    return status;
}
