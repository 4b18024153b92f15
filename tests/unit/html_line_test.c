/* What a page without scripts shows of a line. */
#include "server/html.h"

#include "test.h"

static void check_line(const char *line, const char *shown)
{
    AUTO_BUF out = BUF_INIT(4096);
    html_line(&out, str_of(line));
    CHECK_TEXT(buf_text(&out), shown);
}

TEST(a_line_of_a_page_has_no_markup)
{
    check_line("<b a=\"1\">&amp;</b>", "&lt;b a=&quot;1&quot;&gt;&amp;amp;&lt;/b&gt;");
}

TEST(a_line_of_a_page_has_no_escape_sequences)
{
    check_line("\033[1;31mred\033[0m, \033(B\033[mplain\033c.", "red, plain.");
    check_line("\033]0;title\007text", "text");
    check_line("\033]8;;http://x/\033\\link\033]8;;\033\\!", "link!");
    check_line("\033]0;cut\033[31mred", "red");
    check_line("a\001b\tc\177d\r", "ab\tcd");
    check_line("\xc2\x9b"
               "31mc1 \xc2\xa0\xc3\xa9\xc2\x85",
               "31mc1 \xc2\xa0\xc3\xa9");
}

TEST(an_escape_sequence_that_is_not_complete_hides_no_text)
{
    check_line("a\033", "a");
    check_line("a\033[", "a");
    check_line("a\033[12", "a");
    check_line("\033[\xe6\x97\xa5\xe6\x9c\xac", "\xe6\x97\xa5\xe6\x9c\xac");
    check_line("\033]0;no end of it", "0;no end of it");
    check_line("\033\033[31mred", "red");
}
