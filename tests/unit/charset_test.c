#include "worker/crawler/charset.h"

#include "test.h"

static const char *name;

/* Decodes and returns the text; the encoding's name is in `name`. */
static const char *decoded(struct str bytes, const char *type)
{
    static char text[4096];
    AUTO_BUF room = BUF_INIT(4000);
    struct str out;
    name = charset_decode(bytes, str_of(type), &room, &out);
    snprintf(text, sizeof(text), "%.*s", STR_ARG(out));
    return text;
}

TEST(the_content_type_names_the_encoding)
{
    CHECK_TEXT(decoded(STR("caf\xe9"), "text/html; charset=ISO-8859-1"), "caf\xc3\xa9");
    CHECK_TEXT(name, "windows-1252");
    CHECK_TEXT(decoded(STR("\x80 \x93x\x94"), "text/html;charset=\"latin1\""),
               "\xe2\x82\xac \xe2\x80\x9cx\xe2\x80\x9d");
    CHECK_TEXT(decoded(STR("\xcf\xf0\xe8"), "text/html; charset=windows-1251"),
               "\xd0\x9f\xd1\x80\xd0\xb8");
    CHECK_TEXT(decoded(STR("\xc4\xe3"), "text/html; charset = gb2312"), "\xe4\xbd\xa0");
    CHECK_TEXT(name, "gb18030");
    CHECK_TEXT(decoded(STR("\x93\xfa"), "text/html; charset=Shift_JIS"), "\xe6\x97\xa5");
    CHECK_TEXT(decoded(STR("\xa4"), "text/html; charset=iso-8859-15"), "\xe2\x82\xac");
}

TEST(a_byte_order_mark_beats_the_content_type)
{
    CHECK_TEXT(decoded(STR("\xef\xbb\xbf\xc3\xa9"), "text/html; charset=latin1"), "\xc3\xa9");
    CHECK_TEXT(name, "utf-8");
    CHECK_TEXT(decoded(STR("\xff\xfeh\0i\0"), ""), "hi");
    CHECK_TEXT(decoded(STR("\xfe\xff\0h\0i"), ""), "hi");
    CHECK_TEXT(name, "utf-16be");
}

TEST(a_meta_element_is_found_in_the_first_kilobyte)
{
    CHECK_TEXT(decoded(STR("<html><meta charset=latin1>\xe9"), "text/html"),
               "<html><meta charset=latin1>\xc3\xa9");
    CHECK_HAS(decoded(STR("<META http-equiv='content-type' "
                          "content='text/html; charset=windows-1251'>\xcf"),
                      ""),
              "\xd0\x9f");
    CHECK_HAS(
        decoded(STR("<!-- <meta charset=windows-1251> --><meta charset='latin1'>\xe9"), ""),
        "\xc3\xa9");
    (void)decoded(STR("<meta charset=utf-16>x"), "");
    CHECK_TEXT(name, "utf-8"); /* it could not have been read otherwise */
    AUTO_BUF page = BUF_INIT(4000);
    while (page.n < 1100)
        buf_add_c(&page, "<p>     ");
    buf_add_c(&page, "<meta charset=windows-1251>\xcf");
    (void)decoded(buf_str(&page), "");
    CHECK_TEXT(name, "windows-1252");
}

TEST(without_a_label_valid_utf8_is_utf8_and_the_rest_windows_1252)
{
    CHECK_TEXT(decoded(STR("\xe2\x82\xac"), "text/html"), "\xe2\x82\xac");
    CHECK_TEXT(name, "utf-8");
    CHECK_TEXT(decoded(STR("caf\xe9"), "text/html"), "caf\xc3\xa9");
    CHECK_TEXT(name, "windows-1252");
    CHECK_TEXT(decoded(STR("caf\xe9"), "text/html; charset=klingon"), "caf\xc3\xa9");
    CHECK_TEXT(decoded(STR(""), ""), "");
}

TEST(what_is_not_valid_becomes_a_replacement_character)
{
    CHECK_TEXT(decoded(STR("a\xff\x62"), "text/html; charset=utf-8"), "a\xef\xbf\xbd\x62");
    CHECK_TEXT(decoded(STR("a\xe2\x82"), "text/html; charset=utf-8"),
               "a\xef\xbf\xbd\xef\xbf\xbd");
    CHECK_TEXT(decoded(STR("\xf9\x80\x80\x80\x80"), "text/html; charset=utf-8"),
               "\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd");
    CHECK_TEXT(decoded(STR("\x81x"), "text/html; charset=windows-1252"), "\xef\xbf\xbdx");
    CHECK_TEXT(decoded(STR("\xa4"), "text/html; charset=euc-jp"), "\xef\xbf\xbd");
}

TEST(a_label_has_no_power_over_the_converter)
{
    CHECK_TEXT(decoded(STR("caf\xe9"), "text/html; charset=utf-8//IGNORE"),
               "caf\xef\xbf\xbd"); /* the label ends at the slash */
    (void)decoded(STR("+ADw-"), "text/html; charset=utf-7");
    CHECK_TEXT(name, "utf-8");
}

TEST(text_that_needs_no_change_is_not_copied)
{
    struct str bytes = STR("plain \xc3\xa9"), out;
    AUTO_BUF room = BUF_INIT(100);
    (void)charset_decode(bytes, STR(""), &room, &out);
    CHECK(out.p == bytes.p && out.n == bytes.n);
}
