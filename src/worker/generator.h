/* generator.h: the worker that makes lines, for demos, tests and load.
 *
 * `worker_count` tasks write `log_count` lines each, one every `log_delay_ms`, or
 * `lines_per_second` of them (both 0: as fast as the store takes them), each of `line_bytes`
 * (0: as they come). Each task spawns `child_count` further tasks, down to
 * `recursion_depth` generations. A share of `failure_rate` of the tasks fails at its end.
 * Everything follows from the settings and the keys of the tasks ("worker-2", its first child
 * "worker-2.1"), nothing from chance, so that two runs agree line by line.
 *
 * Every task writes exactly log_count lines, and each says its task and its number:
 *     worker-2.1 line 7/200: ...
 * Thread: loop. */
#pragma once

#include "worker/worker.h"

extern const struct worker_type generator_worker;
