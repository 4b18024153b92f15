/* Reads argv from left to right. What begins with a dash is looked up in the command's table,
 * everything else is a value. The sentence of an error says what was written and what was
 * expected, because whoever reads it has just typed it. */
#include "cli/arguments.h"

#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "base/text.h"

static const struct option *option_find(const struct command *c, struct str name)
{
    for (const struct option *o = c->options; o && o->name; o++)
        if (str_eq_c(name, o->name))
            return o;
    return NULL;
}

static const struct option *option_find_letter(const struct command *c, char letter)
{
    for (const struct option *o = c->options; o && o->name; o++)
        if (o->letter == letter)
            return o;
    return NULL;
}

static int fail_unknown(const struct command *c, const char *word, struct err *e)
{
    const char *names[64] = {"help"};
    size_t n = 1;
    for (const struct option *o = c->options; o && o->name && n + 1 < ARRAY_LEN(names); o++)
        names[n++] = o->name;
    const char *nearest = strncmp(word, "--", 2) == 0 ? text_nearest(word + 2, names) : NULL;
    if (nearest)
        return fail(e, E_INVAL, "%s: there is no option %s; did you mean --%s?", c->name, word,
                    nearest);
    return fail(e, E_INVAL, "%s: there is no option %s; `tailrace help %s` lists them", c->name,
                word, c->name);
}

static void given_add(struct arguments *a, const struct option *o, const char *value)
{
    a->given[a->given_count++] = (struct argument_given){o, value};
}

/* Takes argv[*i] (and the next one, when that is its value). */
static int option_parse(struct arguments *a, int argc, char **argv, int *i, struct err *e)
{
    const struct command *c = a->command;
    const char *word = argv[*i], *value = NULL;
    const struct option *o;
    if (word[1] == '-') {
        value = strchr(word, '=');
        size_t n = value ? (size_t)(value - word) : strlen(word);
        value = value ? value + 1 : NULL;
        o = option_find(c, (struct str){word + 2, n - 2});
    } else {
        o = option_find_letter(c, word[1]);
        value = word[2] ? word + 2 : NULL;
    }
    if (!o)
        return fail_unknown(c, word, e);
    if (!o->value && value)
        return fail(e, E_INVAL, "%s: --%s takes no value", c->name, o->name);
    if (o->value && !value) {
        if (*i + 1 >= argc)
            return fail(e, E_INVAL, "%s: --%s needs a value (%s)", c->name, o->name, o->value);
        value = argv[++*i];
    }
    given_add(a, o, value);
    return 0;
}

static int count_check(const struct arguments *a, struct err *e)
{
    const struct command *c = a->command;
    if (a->value_count < c->values_min)
        return fail(e, E_INVAL, "%s: an argument is missing; usage: tailrace %s %s", c->name,
                    c->name, c->arguments);
    if (c->values_max >= 0 && a->value_count > c->values_max)
        return fail(e, E_INVAL, "%s: '%s' is one argument too many; usage: tailrace %s%s%s",
                    c->name, a->values[c->values_max], c->name, *c->arguments ? " " : "",
                    c->arguments);
    return 0;
}

int arguments_parse(const struct command *c, int argc, char **argv, struct arguments *a,
                    struct err *e)
{
    *a = (struct arguments){.command = c};
    a->values = mem_alloc((size_t)argc * sizeof(a->values[0]));
    a->given = mem_alloc((size_t)argc * sizeof(a->given[0]));
    for (int i = 1; i < argc && strcmp(argv[i], "--") != 0; i++)
        a->help = a->help || strcmp(argv[i], "--help") == 0 || strcmp(argv[i], "-h") == 0;
    if (a->help)
        return 0;
    bool options = true;
    for (int i = 1; i < argc; i++) {
        if (options && strcmp(argv[i], "--") == 0) {
            options = false;
        } else if (options && argv[i][0] == '-' && argv[i][1]) {
            int r = option_parse(a, argc, argv, &i, e);
            if (r < 0)
                return r;
        } else {
            a->values[a->value_count++] = argv[i];
        }
    }
    return count_check(a, e);
}

void arguments_done(struct arguments *a)
{
    mem_clear(&a->values);
    mem_clear(&a->given);
    a->value_count = a->given_count = 0;
}

static const struct option *option_of(const struct arguments *a, const char *name)
{
    const struct option *o = option_find(a->command, str_of(name));
    ASSERT(o);
    return o;
}

int arguments_count(const struct arguments *a, const char *name)
{
    const struct option *o = option_of(a, name);
    int n = 0;
    for (int i = 0; i < a->given_count; i++)
        n += a->given[i].option == o;
    return n;
}

const char *arguments_item(const struct arguments *a, const char *name, int index)
{
    const struct option *o = option_of(a, name);
    for (int i = 0; i < a->given_count; i++)
        if (a->given[i].option == o && index-- == 0)
            return a->given[i].value;
    return NULL;
}

bool arguments_have(const struct arguments *a, const char *name)
{
    return arguments_count(a, name) > 0;
}

const char *arguments_text(const struct arguments *a, const char *name)
{
    const struct option *o = option_of(a, name);
    int n = arguments_count(a, name);
    if (n > 0)
        return arguments_item(a, name, n - 1);
    const char *value = o->environment ? getenv(o->environment) : NULL;
    return value && *value ? value : o->fallback;
}

int arguments_int(const struct arguments *a, const char *name, int64_t min, int64_t max,
                  int64_t *ret_value, struct err *e)
{
    const char *text = arguments_text(a, name);
    if (!str_to_int(str_of(text), min, max, ret_value))
        return fail(e, E_INVAL, "%s: --%s is '%s', expected a number from %lld to %lld",
                    a->command->name, name, text ? text : "", (long long)min, (long long)max);
    return 0;
}
