#include "base/pattern.h"

#include <stdlib.h>

#define PCRE2_CODE_UNIT_WIDTH 8
#include <pcre2.h>

#include "base/limits.h"
#include "base/mem.h"

struct pattern {
    pcre2_code *code;
    pcre2_match_data *match;
    pcre2_match_context *context;
    const char *field;
};

static int fail_pattern(struct err *e, const char *field, int code, size_t at)
{
    PCRE2_UCHAR text[200];
    if (pcre2_get_error_message(code, text, sizeof(text)) < 0)
        text[0] = 0;
    return fail_field(e, E_INVAL, field, "this is no regular expression: %s, at character %zu",
                      (const char *)text, at + 1);
}

int pattern_new(struct str text, struct pattern_options options, struct pattern **ret_pattern,
                struct err *e)
{
    enum { DEPTH_MAX = 50 }; /* of parentheses */
    uint32_t flags = PCRE2_UTF | PCRE2_MATCH_INVALID_UTF;
    flags |= options.exact ? 0 : PCRE2_CASELESS;
    flags |= options.regex ? PCRE2_UCP | PCRE2_NEVER_BACKSLASH_C : PCRE2_LITERAL;
    pcre2_compile_context *context = pcre2_compile_context_create(NULL);
    ASSERT(context);
    (void)pcre2_set_parens_nest_limit(context, DEPTH_MAX);
    int error;
    size_t at;
    pcre2_code *code = pcre2_compile((PCRE2_SPTR)text.p, text.n, flags, &error, &at, context);
    pcre2_compile_context_free(context);
    if (!code)
        return fail_pattern(e, options.field, error, at);
    (void)pcre2_jit_compile(code, PCRE2_JIT_COMPLETE); /* without: slower, not different */
    struct pattern *p = mem_alloc(sizeof(*p));
    *p = (struct pattern){.code = code,
                          .match = pcre2_match_data_create_from_pattern(code, NULL),
                          .context = pcre2_match_context_create(NULL),
                          .field = options.field};
    ASSERT(p->match && p->context);
    (void)pcre2_set_match_limit(p->context, LIMIT_SEARCH_STEPS);
    *ret_pattern = p;
    return 0;
}

void pattern_free(struct pattern *p)
{
    if (!p)
        return;
    pcre2_match_context_free(p->context);
    pcre2_match_data_free(p->match);
    pcre2_code_free(p->code);
    free(p);
}

int pattern_match(struct pattern *p, struct str line, struct err *e)
{
    int r = pcre2_match(p->code, (PCRE2_SPTR)line.p, line.n, 0, 0, p->match, p->context);
    if (r >= 0)
        return 1;
    if (r == PCRE2_ERROR_NOMATCH)
        return 0;
    return fail_field(e, E_INVAL, p->field,
                      "this expression takes too long on one of the lines; write it so that "
                      "fewer ways to match have to be tried");
}
