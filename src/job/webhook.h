/* webhook.h: whom a definition tells how its jobs ended.
 *
 *     webhooks:
 *       - { url: "https://example.org/hook", on: [failed], secret: key }
 *
 * Pure. Thread: any. */
#pragma once

#include "job/definition.h"
#include "job/node.h"

/* Reads the list into d->webhooks, after the secrets; `list` may be NULL. */
CHECKED int webhooks_read(const struct node *list, struct definition *d, struct err *e);
void webhooks_free(struct definition *d);
void webhooks_json(const struct definition *d, struct json *j); /* the value: a list */
