/* secret.h: the secrets that a definition names: where each is found, never what it is.
 *
 *     secrets: { token: { file: /etc/tailrace/token }, other: { env: NAME } }
 *
 * "{secrets.token}" in a setting that may hold one (setting_spec.secrets) stands for the value,
 * which the worker fills in when it uses it; "${secrets.token}" is left as it is. Pure: nothing
 * is read here. Thread: any. */
#pragma once

#include "job/definition.h"
#include "job/node.h"

/* Reads `secrets:` into d->secrets; `map` may be NULL. */
CHECKED int secrets_read(const struct node *map, struct definition *d, struct err *e);
void secrets_free(struct definition *d);

/* "the file /etc/token" or "the environment variable NAME"; the caller frees it. */
char *secret_where(const struct secret *secret);

/* Cuts *rest behind its first reference: *ret_before is what stands before it, *ret_name its
 * name. False when there is none; then *ret_before is all of *rest. */
bool secret_next(struct str *rest, struct str *ret_before, struct str *ret_name);
bool secret_is_in(const char *text);

/* Checks the references in `filled`, which is the text of `n` with parameters filled in: each
 * has a declared name and was written by the definition's author. A value from outside cannot
 * make one, or whoever starts a job could send its secrets anywhere. */
CHECKED int secrets_check(const struct secret *secrets, int count, const struct node *n,
                          const char *filled, struct err *e);
