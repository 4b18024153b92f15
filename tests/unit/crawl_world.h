/* crawl_world.h: a step that runs without the engine: a queue of tasks, captured lines, kept
 * documents. The worker on one side and the servers on the other are real. */
#pragma once

#include "base/buf.h"
#include "worker/worker.h"

struct world;

/* `config` are the lines of the step's config in YAML, each indented by six spaces. */
struct world *world_new(const char *config);

/* Tells the worker of a task of an earlier run. */
void world_known(struct world *w, const char *key, const char *payload, enum job_state status);

/* Opens the step, plans (unless something is known), runs all tasks, closes. Returns the result
 * of step_open(). */
int world_run(struct world *w);

/* For tests that interfere: called before each loop turn, with tasks running, until it returns
 * false. */
extern bool (*world_turn)(struct world *w);
void world_stop_all(struct world *w); /* task_stop() for each running task, no further starts */
void world_hold(struct world *w, bool hold); /* may_write() says no; false: and step_resume() */

const char *world_log(struct world *w); /* "info: fetched http://...\n" ... */
const char *
world_documents(struct world *w); /* "url|title|published|markdown|metadata\n" ... */
const char *world_companions(struct world *w);
const char *
world_ends(struct world *w); /* "completed http://...\n", "failed http://... cause\n" */
const char *world_progress(struct world *w);
uv_loop_t *world_loop(struct world *w);
int world_count(struct world *w, const char *part); /* how often in the log */
int world_tasks(struct world *w);
int world_running_most(struct world *w);
void world_free(struct world *w);

/* A server in a process of its own, killed with the test. Returns its port. */
int site_start(void); /* the site of crawler_test.c, libmicrohttpd */
int garbage_start(const char *answer, bool then_close); /* answers any connection so */
int site_hits(const char *path); /* how often the site was asked for that path so far */
