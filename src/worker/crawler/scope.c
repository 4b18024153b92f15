#include "worker/crawler/scope.h"

#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "base/pattern.h"
#include "worker/web/url.h"

struct link_rule {
    const char *text;      /* the settings' */
    struct pattern *regex; /* NULL: a part of the address */
};

/* "/.../" is a regular expression, anything else a part of the address. */
static bool text_is_regex(struct str s)
{
    return s.n > 2 && s.p[0] == '/' && s.p[s.n - 1] == '/' && strpbrk(s.p, "^$*+?[](){}|\\");
}

static int rule_read(struct link_rule *rule, const char *setting, size_t i, struct err *e)
{
    struct str s = str_of(rule->text);
    struct err why;
    if (!text_is_regex(s))
        return 0;
    struct str source = {s.p + 1, s.n - 2};
    if (pattern_new(source, (struct pattern_options){.regex = true, .exact = true, .field = ""},
                    &rule->regex, &why) < 0)
        return fail_field(e, E_INVAL, setting, "%s[%zu]: '%s': %s", setting, i, rule->text,
                          why.text);
    return 0;
}

static int rules_read(const struct settings *settings, const char *name,
                      struct link_rule **ret_rules, size_t *ret_count, struct err *e)
{
    size_t count = settings_count(settings, name);
    *ret_rules = mem_alloc((count + 1) * sizeof(**ret_rules));
    for (size_t i = 0; i < count; i++) {
        (*ret_rules)[i].text = settings_item(settings, name, i);
        (*ret_count)++;
        int r = rule_read(&(*ret_rules)[i], name, i, e);
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
    int r = rules_read(settings, "include_patterns", &s->include, &s->include_count, e);
    if (r >= 0)
        r = rules_read(settings, "exclude_patterns", &s->exclude, &s->exclude_count, e);
    if (r < 0)
        scope_close(s);
    return r;
}

static void rules_free(struct link_rule *rules, size_t count)
{
    for (size_t i = 0; i < count; i++)
        pattern_free(rules[i].regex);
    free(rules);
}

void scope_close(struct scope *s)
{
    rules_free(s->include, s->include_count);
    rules_free(s->exclude, s->exclude_count);
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

/* An expression that would take too long says what `in_doubt` says. */
static const struct link_rule *rules_find(const struct link_rule *rules, size_t count,
                                          struct str url, bool in_doubt)
{
    for (size_t i = 0; i < count; i++) {
        const struct link_rule *rule = &rules[i];
        int found = rule->regex ? pattern_match(rule->regex, url, NULL)
                                : str_find(url, str_of(rule->text)) >= 0;
        if (found > 0 || (found < 0 && in_doubt))
            return rule;
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
    const struct link_rule *rule = rules_find(s->exclude, s->exclude_count, url, true);
    if (rule) {
        buf_printf(why, "exclude pattern '%s'", rule->text);
        return false;
    }
    if (s->include_count && !rules_find(s->include, s->include_count, url, false)) {
        buf_add_c(why, "no include pattern matches");
        return false;
    }
    if (depth > s->max_depth) {
        buf_printf(why, "deeper than max_depth %lld", (long long)s->max_depth);
        return false;
    }
    return true;
}
