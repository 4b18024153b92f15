#include "job/secret.h"

#include <stdlib.h>
#include <string.h>

#include "base/limits.h"
#include "base/mem.h"
#include "job/parameter.h"

enum { SECRET_FROM_MAX = 4096 };

/* ---- reading ---- */

static bool is_variable(const char *name)
{
    return *name && !strchr("0123456789", *name) &&
           strspn(name, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_") ==
               strlen(name);
}

/* What is wrong is not repeated: it may be the secret itself. */
static int from_read(const struct node *n, enum secret_kind kind, struct secret *secret,
                     struct err *e)
{
    const char *text = "";
    int r = node_line(n, SECRET_FROM_MAX, &text, e);
    if (r < 0)
        return r;
    if (kind == SECRET_FILE && text[0] != '/')
        return node_fail(n, e, "expected the whole path of a file, from /");
    if (kind == SECRET_ENV && !is_variable(text))
        return node_fail(n, e, "expected the name of an environment variable");
    secret->kind = kind;
    secret->from = mem_strdup(text);
    return 0;
}

static int secret_read(const struct node *n, struct secret *secret, struct err *e)
{
    static const char *const keys[] = {"file", "env", NULL};
    if (!parameter_is_name(str_of(n->key)))
        return node_fail_key(n, e, "a secret's name is " PARAMETER_NAME_RULE);
    if (n->kind != NODE_MAP)
        return node_fail(n, e,
                         "expected {file: PATH} or {env: NAME}, for no definition holds "
                         "a secret itself");
    int r = node_check_map(n, keys, e);
    const struct node *file = node_get(n, "file"), *env = node_get(n, "env");
    secret->name = mem_strdup(n->key);
    if (r >= 0 && !file == !env)
        r = node_fail(n, e, "expected either 'file' or 'env'");
    if (r >= 0)
        r = from_read(file ? file : env, file ? SECRET_FILE : SECRET_ENV, secret, e);
    return r;
}

int secrets_read(const struct node *map, struct definition *d, struct err *e)
{
    if (!map)
        return 0;
    if (map->kind != NODE_MAP)
        return node_fail(map, e, "expected a map of names");
    if (map->count > LIMIT_DEFINITION_SECRETS)
        return node_fail(map, e, "expected at most %d secrets, found %d",
                         LIMIT_DEFINITION_SECRETS, map->count);
    d->secrets = mem_alloc((size_t)map->count * sizeof(*d->secrets));
    NODE_EACH (map, n) {
        int r = secret_read(n, &d->secrets[d->secret_count++], e);
        if (r < 0)
            return r;
    }
    return 0;
}

void secrets_free(struct definition *d)
{
    for (int i = 0; i < d->secret_count; i++) {
        free(d->secrets[i].name);
        free(d->secrets[i].from);
    }
    free(d->secrets);
}

char *secret_where(const struct secret *secret)
{
    return mem_printf("%s %s",
                      secret->kind == SECRET_FILE ? "the file" : "the environment variable",
                      secret->from);
}

/* ---- references ---- */

bool secret_next(struct str *rest, struct str *ret_before, struct str *ret_name)
{
    const struct str open = STR("{secrets.");
    struct str s = *rest;
    *ret_before = s;
    for (ptrdiff_t at; (at = str_find(s, open)) >= 0;) {
        bool is_escaped = s.p + at > rest->p && s.p[at - 1] == '$';
        s.p += (size_t)at + open.n;
        s.n -= (size_t)at + open.n;
        ptrdiff_t end = str_find(s, STR("}"));
        struct str name = {s.p, end < 0 ? 0 : (size_t)end};
        if (is_escaped || !parameter_is_name(name))
            continue;
        ret_before->n = (size_t)(s.p - open.n - rest->p);
        *ret_name = name;
        *rest = (struct str){s.p + name.n + 1, s.n - name.n - 1};
        return true;
    }
    *rest = (struct str){s.p + s.n, 0};
    return false;
}

bool secret_is_in(const char *text)
{
    struct str rest = str_of(text), before, name;
    return secret_next(&rest, &before, &name);
}

static int references(const char *text)
{
    struct str rest = str_of(text), before, name;
    int count = 0;
    while (secret_next(&rest, &before, &name))
        count++;
    return count;
}

int secrets_check(const struct secret *secrets, int count, const struct node *n,
                  const char *filled, struct err *e)
{
    struct str rest = str_of(n->text), before, name;
    while (secret_next(&rest, &before, &name)) {
        int i = 0;
        while (i < count && !str_eq_c(name, secrets[i].name))
            i++;
        if (i == count)
            return node_fail(n, e, "there is no secret '%.*s'", STR_ARG(name));
    }
    if (references(filled) != references(n->text))
        return node_fail(n, e, "the value of a parameter cannot name a secret");
    return 0;
}
