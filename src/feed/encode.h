/* encode.h: events as JSON. Field names are those of docs/protocol.md. Thread: any. */
#pragma once

#include "base/json.h"
#include "store/rows.h"

/* {"seq":…,"type":…,"ts":…,"payload":{…}} */
void encode_event(struct json *j, const struct event_batch *b, const struct event *e);

/* The same without `ts`, type first: the plain WebSocket form {"type","payload","seq"}. */
void encode_event_plain(struct json *j, const struct event_batch *b, const struct event *e);

/* A line as REST answers and trees show it: {"line","seq","timestamp","level","message",…}. */
void encode_line(struct json *j, const struct event_batch *b, const struct event *e);

/* "epoch:seq" */
void encode_cursor(struct json *j, const char *key, const char *epoch, uint64_t seq);

/* "started_at", "completed_at" and, as soon as both are known, "duration_ms". */
void encode_times(struct json *j, int64_t started_us, int64_t completed_us);

/* "total":…, "pending":… to "cancelled":… as members. */
void encode_counts(struct json *j, const int64_t counts[TASK_COUNTS]);
