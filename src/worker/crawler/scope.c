#include "worker/crawler/scope.h"

#include <regex.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "worker/web/url.h"

struct pattern {
    const char *text; /* the settings' */
    bool is_regex;
    regex_t regex;
};

/* "/.../" is a regular expression, anything else a part of the address. */
static bool pattern_is_regex(struct str s)
{
    return s.n > 2 && s.p[0] == '/' && s.p[s.n - 1] == '/' && strpbrk(s.p, "^$*+?[](){}|\\");
}

static int pattern_compile(struct pattern *p, const char *setting, size_t i, struct err *e)
{
    struct str s = str_of(p->text);
    if (!pattern_is_regex(s))
        return 0;
    AUTO_FREE char *source = mem_copy(s.p + 1, s.n - 2);
    int code = regcomp(&p->regex, source, REG_EXTENDED | REG_NOSUB);
    if (code) {
        char why[128];
        (void)regerror(code, &p->regex, why, sizeof(why));
        return fail_field(e, E_INVAL, setting, "%s[%zu]: '%s' is no regular expression: %s",
                          setting, i, p->text, why);
    }
    p->is_regex = true;
    return 0;
}

static int patterns_read(const struct settings *settings, const char *name,
                         struct pattern **ret_patterns, size_t *ret_count, struct err *e)
{
    size_t count = settings_count(settings, name);
    *ret_patterns = mem_alloc((count + 1) * sizeof(**ret_patterns));
    for (size_t i = 0; i < count; i++) {
        (*ret_patterns)[i].text = settings_item(settings, name, i);
        (*ret_count)++;
        int r = pattern_compile(&(*ret_patterns)[i], name, i, e);
        if (r < 0)
            return r;
    }
    return 0;
}

int scope_open(struct scope *s, const struct settings *settings, struct err *e)
{
    *s = (struct scope){0};
    s->same_host = settings_bool(settings, "same_host");
    s->max_depth = settings_int(settings, "max_depth");
    int r = patterns_read(settings, "include_patterns", &s->include, &s->include_count, e);
    if (r >= 0)
        r = patterns_read(settings, "exclude_patterns", &s->exclude, &s->exclude_count, e);
    if (r < 0)
        scope_close(s);
    return r;
}

static void patterns_free(struct pattern *patterns, size_t count)
{
    for (size_t i = 0; i < count; i++)
        if (patterns[i].is_regex)
            regfree(&patterns[i].regex);
    free(patterns);
}

void scope_close(struct scope *s)
{
    patterns_free(s->include, s->include_count);
    patterns_free(s->exclude, s->exclude_count);
    map_done(&s->hosts);
    *s = (struct scope){0};
}

void scope_add_host(struct scope *s, struct str url)
{
    map_set(&s->hosts, url_split(url).host, s);
}

bool scope_has_host(const struct scope *s, struct str url)
{
    return map_get(&s->hosts, url_split(url).host) != NULL;
}

static const struct pattern *patterns_find(const struct pattern *patterns, size_t count,
                                           struct str url)
{
    for (size_t i = 0; i < count; i++) {
        const struct pattern *p = &patterns[i];
        if (p->is_regex ? regexec(&p->regex, url.p, 0, NULL, 0) == 0
                        : str_find(url, str_of(p->text)) >= 0)
            return p;
    }
    return NULL;
}

bool scope_admits(const struct scope *s, struct str url, int64_t depth, struct buf *why)
{
    buf_clear(why);
    if (s->same_host && !scope_has_host(s, url)) {
        buf_add_c(why, "other host");
        return false;
    }
    const struct pattern *p = patterns_find(s->exclude, s->exclude_count, url);
    if (p) {
        buf_printf(why, "exclude pattern '%s'", p->text);
        return false;
    }
    if (s->include_count && !patterns_find(s->include, s->include_count, url)) {
        buf_add_c(why, "no include pattern matches");
        return false;
    }
    if (depth > s->max_depth) {
        buf_printf(why, "deeper than max_depth %lld", (long long)s->max_depth);
        return false;
    }
    return true;
}
