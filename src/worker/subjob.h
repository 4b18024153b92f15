/* subjob.h: the worker whose task is another job.
 *
 * `definition` names what is run, with `parameters`; the task has ended when that job has, and
 * as it did. A cancel or a timeout of the task goes on to it. After a restart a task finds the
 * job that it had started. Thread: loop. */
#pragma once

#include "worker/worker.h"

extern const struct worker_type subjob_worker;
