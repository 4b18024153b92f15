#include "worker/plain.h"

#include <string.h>

#include "base/text.h"

enum { WORDS_MAX = 64 }; /* with more of them, a shell makes no difference */

/* No blank, no newline, and nothing that has a meaning to some shell. */
static bool is_plain(char c)
{
    return text_is_alnum(c) || (c && strchr("_-./,:+@%=", c) != NULL);
}

static bool is_blank(char c)
{
    return c == ' ' || c == '\t';
}

/* How many words there are; 0 when it needs a shell. Their copies in `to`, unless that is NULL.
 */
static size_t words_cut(struct str text, struct arena *arena, char **to)
{
    size_t count = 0;
    for (size_t at = 0, n; at < text.n; at += n) {
        n = 0;
        if (is_blank(text.p[at])) {
            n = 1;
            continue;
        }
        while (at + n < text.n && is_plain(text.p[at + n]))
            n++;
        if (n == 0)
            return 0;
        if (to) {
            to[count] = arena_alloc(arena, n + 1);
            memcpy(to[count], text.p + at, n);
        }
        count++;
    }
    return count;
}

char **plain_words(struct arena *arena, const char *command)
{
    struct str text = str_trim(str_of(command));
    if (!str_starts(text, STR("/")))
        return NULL;
    size_t count = words_cut(text, arena, NULL);
    if (count == 0 || count > WORDS_MAX)
        return NULL;
    char **words = arena_alloc(arena, (count + 1) * sizeof(*words));
    (void)words_cut(text, arena, words);
    return words;
}
