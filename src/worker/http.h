/* http.h: the worker that asks a server over HTTP: one request, whose answer decides.
 *
 * A step is one task, its key the address. A status that is expected completes it; another one,
 * or no answer, fails it, and the step's `retry` says what then. The answer's text becomes
 * lines. What is interrupted by the server's end is asked again: a request that must not come
 * twice needs a key that its receiver understands, as with every client. */
#pragma once

#include "worker/worker.h"

extern const struct worker_type http_worker;
