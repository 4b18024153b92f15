#include "cli/terminal.h"

#include <stdlib.h>

#include "test.h"

static const char *shown(bool is_terminal, bool colour, struct str text)
{
    static struct buf out = BUF_INIT(4096);
    struct terminal t = {.is_terminal = is_terminal, .colour = colour};
    buf_clear(&out);
    terminal_text(&t, &out, text);
    return buf_text(&out);
}

TEST(control_characters_are_visible_on_a_terminal)
{
    CHECK_TEXT(shown(true, true, STR("a\tb\rc\x07\x7f")), "a\tb\\x0dc\\x07\\x7f");
    CHECK_TEXT(shown(true, true, STR("\033]0;title\007")), "\\x1b]0;title\\x07");
    CHECK_TEXT(shown(true, true, STR("\033[2J\033[31")), "\\x1b[2J\\x1b[31");
    CHECK_TEXT(shown(true, true, STR("\0x")), "\\x00x");
}

TEST(characters_that_turn_the_writing_are_visible_on_a_terminal)
{
    CHECK_TEXT(shown(true, true, STR("\u202eabc\u2066")), "\\u202eabc\\u2066");
    CHECK_TEXT(shown(true, true, STR("\xc2\x85")), "\\x85");
    CHECK_TEXT(shown(true, true, STR("\xff")), "\xef\xbf\xbd");
    CHECK_TEXT(shown(true, true, STR("näher 日本 🚚")), "näher 日本 🚚");
}

TEST(colours_of_a_line_stay_and_end_with_it)
{
    CHECK_TEXT(shown(true, true, STR("\033[1;31mred")), "\033[1;31mred\033[0m");
    CHECK_TEXT(shown(true, false, STR("\033[1;31mred\033[0m.")), "red.");
}

TEST(text_for_a_file_is_left_as_it_is)
{
    CHECK_TEXT(shown(false, false, STR("\033[31m\r\x07")), "\033[31m\r\x07");
}

TEST(durations_are_written_for_people)
{
    char to[TERMINAL_TIME_MAX];
    CHECK_TEXT(terminal_duration(0, to), "0 ms");
    CHECK_TEXT(terminal_duration(999, to), "999 ms");
    CHECK_TEXT(terminal_duration(12345, to), "12.3 s");
    CHECK_TEXT(terminal_duration(245000, to), "4 min 05 s");
    CHECK_TEXT(terminal_duration(7380000, to), "2 h 03 min");
}

TEST(times_are_shown_in_the_zone_of_the_reader)
{
    char to[TERMINAL_TIME_MAX];
    setenv("TZ", "CET-1", 1);
    CHECK_TEXT(terminal_time("2026-11-23T23:15:02.123456Z", to), "2026-11-24 00:15:02");
    CHECK_TEXT(terminal_time("", to), "");
}
