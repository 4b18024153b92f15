/* Which commands need no shell, and that they mean the same to one. */
#include "worker/plain.h"

#include <stdlib.h>

#include "base/buf.h"
#include "base/mem.h"
#include "test.h"

/* "a|b|c", or "shell". */
static char *words_of(const char *command)
{
    AUTO_ARENA arena = ARENA_INIT;
    AUTO_BUF text = BUF_INIT(100000);
    char **words = plain_words(&arena, command);
    if (!words)
        return mem_strdup("shell");
    for (size_t i = 0; words[i]; i++)
        buf_printf(&text, "%s%s", i ? "|" : "", words[i]);
    return buf_take(&text);
}

TEST(a_path_and_plain_words_need_no_shell)
{
    static const char *const cases[][2] = {
        {"/bin/true", "/bin/true"},
        {"/bin/true\n", "/bin/true"},
        {"  /usr/bin/rsync  -a\t--rsh=ssh host:/srv/a /srv/b,c+d@e%f_g ",
         "/usr/bin/rsync|-a|--rsh=ssh|host:/srv/a|/srv/b,c+d@e%f_g"},
        {"/bin/echo a=b", "/bin/echo|a=b"},
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        AUTO_FREE char *words = words_of(cases[i][0]);
        CHECK_TEXT(words, cases[i][1]);
    }
}

TEST(what_means_something_to_a_shell_goes_to_one)
{
    static const char *const cases[] = {
        "",           "true",           "./run",        "A=b /bin/true",   "/bin/a; /bin/b",
        "/bin/a &",   "/bin/a\n/bin/b", "/bin/a | b",   "/bin/a > b",      "/bin/a $HOME",
        "/bin/a `b`", "/bin/a \"b c\"", "/bin/a 'b c'", "/bin/a b\\ c",    "/bin/a *.c",
        "/bin/a ?",   "/bin/a [a]",     "/bin/a {b,c}", "/bin/a ~/b",      "/bin/a # b",
        "/bin/a !b",  "/bin/a (b)",     "/bin/a ^b",    "/bin/a \xc3\xa4", "/bin/a\r\n/bin/b",
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        AUTO_FREE char *words = words_of(cases[i]);
        CHECK_TEXT(words, "shell");
    }
    AUTO_BUF many = BUF_INIT(1000);
    buf_add_c(&many, "/bin/a");
    for (int i = 0; i < 64; i++)
        buf_add_c(&many, " b");
    AUTO_FREE char *words = words_of(buf_text(&many));
    CHECK_TEXT(words, "shell");
}
