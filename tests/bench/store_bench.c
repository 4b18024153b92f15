/* How fast the store is on this machine: lines a second of one step in batches of several
 * sizes, how long a small commit takes, and what a line costs on the disk before and after
 * compaction.
 *
 *     cc -O2 ... tests/bench/store_bench.c        ./store_bench FOLDER [LINES]
 *
 * FOLDER is made and must not exist yet: its disk is what is measured. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/clock.h"
#include "base/mem.h"
#include "bench_lines.h"
#include "store/store.h"

enum { COMMITS_MEASURED = 400 };

static struct event_source source;
static uint64_t lines;

static struct batch *batch_of_lines(int count)
{
    struct batch *b = batch_new();
    for (int i = 0; i < count; i++) {
        struct event e = {.type = EVENT_JOB_LOG,
                          .level = any(50) ? LEVEL_INFO : LEVEL_WARN,
                          .originator = ORIGINATOR_WORKER,
                          .line = ++lines,
                          .ts_us = clock_wall_us()};
        event_batch_add(&b->events, &e, &source, bench_line(), (struct str){NULL, 0});
    }
    return b;
}

static double ingest(struct store *s, int64_t total, int per_batch)
{
    struct err e;
    int64_t spent_us = 0;
    for (int64_t done = 0; done < total; done += per_batch) {
        struct batch *b = batch_of_lines(per_batch);
        int64_t begin_us = clock_mono_us();
        must(store_append(s, b, &e), &e);
        spent_us += clock_mono_us() - begin_us;
        batch_free(b);
    }
    return (double)total * 1e6 / (double)spent_us;
}

static int on_compare(const void *a, const void *b)
{
    int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;
    return (x > y) - (x < y);
}

static void latency(struct store *s)
{
    struct err e;
    static int64_t took_us[COMMITS_MEASURED];
    for (int i = 0; i < COMMITS_MEASURED; i++) {
        struct batch *b = batch_of_lines(1);
        int64_t begin_us = clock_mono_us();
        must(store_append(s, b, &e), &e);
        took_us[i] = clock_mono_us() - begin_us;
        batch_free(b);
    }
    qsort(took_us, COMMITS_MEASURED, sizeof(took_us[0]), on_compare);
    printf("a commit of one line         p50 %6.2f ms   p99 %6.2f ms\n",
           (double)took_us[COMMITS_MEASURED / 2] / 1e3,
           (double)took_us[COMMITS_MEASURED * 99 / 100] / 1e3);
}

/* Compacts all; says how long the longest step held up commits. */
static void compact(struct store *s)
{
    struct err e;
    int64_t begin_us = clock_mono_us(), longest_us = 0;
    for (int r = 1; r > 0;) {
        int64_t step_us = clock_mono_us();
        r = store_compact(s, true, &e);
        must(r, &e);
        longest_us = MAX(longest_us, clock_mono_us() - step_us);
    }
    double s_total = (double)(clock_mono_us() - begin_us) / 1e6;
    printf("compaction                   %.0f lines/s   longest step %.1f ms\n",
           (double)lines / s_total, (double)longest_us / 1e3);
}

static void read_pages(struct store *s)
{
    struct err e;
    AUTO_READER *r = NULL;
    must(store_read_begin(s, &r, &e), &e);
    int64_t begin_us = clock_mono_us();
    for (uint64_t i = 0; i < 1000; i++) {
        AUTO_EVENT_BATCH into = EVENT_BATCH_INIT;
        struct line_query q = {.job_id = source.manager_id, .step_id = source.step_id};
        q.after = i * 7919 % lines;
        q.limit = 100;
        must(store_read_lines(r, &q, &into, &e), &e);
    }
    printf("a random page of 100 lines   %.3f ms\n",
           (double)(clock_mono_us() - begin_us) / 1e6);
}

static void size_print(const char *folder, const char *when)
{
    AUTO_FREE char *path = mem_printf("%s/tailrace.db", folder);
    struct stat st;
    if (stat(path, &st) == 0)
        printf("bytes a line %s  %.1f\n", when, (double)st.st_size / (double)lines);
}

static struct store *reopen(struct store *s, const char *folder)
{
    struct err e;
    store_close(s); /* folds the WAL into the file */
    must(store_open_sqlite(folder, &s, &e), &e);
    return s;
}

int main(int argc, char **argv)
{
    struct store *s;
    struct err e;
    if (argc < 2) {
        fprintf(stderr, "usage: store_bench FOLDER [LINES]\n");
        return 2;
    }
    int64_t total = argc > 2 ? strtoll(argv[2], NULL, 10) : 1000000;
    source = (struct event_source){id_new(), id_new(), "crawl", "crawler"};
    must(store_open_sqlite(argv[1], &s, &e), &e);
    latency(s);
    static const int sizes[] = {1000, 5000, 20000};
    for (size_t i = 0; i < ARRAY_LEN(sizes); i++)
        printf("batches of %5d lines        %.0f lines/s, all on disk\n", sizes[i],
               ingest(s, total, sizes[i]));
    s = reopen(s, argv[1]);
    size_print(argv[1], "in the journal  ");
    compact(s);
    read_pages(s);
    store_close(s);
    size_print(argv[1], "after compaction"); /* with the room that is free for the next lines */
    return 0;
}
