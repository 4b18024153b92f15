/* Each row: a reference, the base it stands in, and the address that a browser would ask for
 * (with the spelling normalised), or NULL where there is none. */
#include "worker/web/url.h"

#include "base/limits.h"
#include "test.h"
#include "worker/web/host_name.h"

struct row {
    const char *reference, *base, *want;
};

static void rows_check(const struct row *rows, size_t count)
{
    AUTO_BUF out = BUF_INIT(LIMIT_TASK_KEY_BYTES);
    for (size_t i = 0; i < count; i++) {
        struct err e = {0};
        int r = url_resolve(str_of(rows[i].reference), str_of(rows[i].base), &out, &e);
        if (!rows[i].want && r >= 0)
            test_fail(__FILE__, __LINE__, "'%s' in '%s' gave '%s', expected an error",
                      rows[i].reference, rows[i].base, buf_text(&out));
        if (!rows[i].want && !e.text[0])
            test_fail(__FILE__, __LINE__, "'%s' failed without a sentence", rows[i].reference);
        if (rows[i].want && r < 0)
            test_fail(__FILE__, __LINE__, "'%s' in '%s' failed: %s", rows[i].reference,
                      rows[i].base, e.text);
        if (rows[i].want && strcmp(buf_text(&out), rows[i].want) != 0)
            test_fail(__FILE__, __LINE__, "'%s' in '%s' gave '%s', expected '%s'",
                      rows[i].reference, rows[i].base, buf_text(&out), rows[i].want);
    }
}

TEST(absolute_addresses_are_normalised)
{
    static const struct row rows[] = {
        {"http://a.test", "", "http://a.test/"},
        {"http://a.test/", "", "http://a.test/"},
        {"HTTP://A.Test/Path", "", "http://a.test/Path"},
        {"https://a.test", "", "https://a.test/"},
        {"http://a.test:80/", "", "http://a.test/"},
        {"https://a.test:443/", "", "https://a.test/"},
        {"http://a.test:443/", "", "http://a.test:443/"},
        {"https://a.test:80/", "", "https://a.test:80/"},
        {"http://a.test:8080/x", "", "http://a.test:8080/x"},
        {"http://a.test:/x", "", "http://a.test/x"},
        {"http://a.test:00080/x", "", "http://a.test/x"},
        {"http://a.test:0/x", "", "http://a.test:0/x"},
        {"http://a.test:65535/", "", "http://a.test:65535/"},
        {"http://a.test:65536/", "", NULL},
        {"http://a.test:8a/", "", NULL},
        {"http://a.test:-1/", "", NULL},
        {"http://a.test:80:90/", "", NULL},
        {"http://a.test#top", "", "http://a.test/"},
        {"http://a.test/#top", "", "http://a.test/"},
        {"http://a.test/x#a#b?c", "", "http://a.test/x"},
        {"http://a.test?q=1", "", "http://a.test/?q=1"},
        {"http://a.test/?", "", "http://a.test/?"},
        {"http://a.test/?#x", "", "http://a.test/?"},
        {"  http://a.test/ ", "", "http://a.test/"},
        {"\x01http://a.test/x\x1f", "", "http://a.test/x"},
        {"ht\ntp://a.te\tst/a\r\nb", "", "http://a.test/ab"},
        {"http:\\\\a.test\\x\\y", "", "http://a.test/x/y"},
        {"http:/a.test/x", "", "http://a.test/x"},
        {"http:a.test/x", "", "http://a.test/x"},
        {"http:////a.test/x", "", "http://a.test/x"},
        {"http:\\/\\a.test/x", "", "http://a.test/x"},
        {"http://user@a.test/", "", "http://a.test/"},
        {"http://user:pass@a.test/", "", "http://a.test/"},
        {"http://u@v@a.test:81/", "", "http://a.test:81/"},
        {"http://good.test:80@evil.test/", "", "http://evil.test/"},
        {"http://good.test\\@evil.test/", "", "http://good.test/@evil.test/"},
        {"http://a.test/a@b", "", "http://a.test/a@b"},
        {"http://a.test?x@y", "", "http://a.test/?x@y"},
        {"http://a.test./", "", "http://a.test./"},
        {"http://a_b.test/", "", "http://a_b.test/"},
        {"http://xn--bcher-kva.test/", "", "http://xn--bcher-kva.test/"},
        {"http://ex%61mple.test/", "", "http://example.test/"},
        {"http://EX%41MPLE.test/", "", "http://example.test/"},
        {"http:///", "", NULL},
        {"http://", "", NULL},
        {"http://?x", "", NULL},
        {"http://:80/", "", NULL},
        {"http://user@/x", "", NULL},
        {"http://./", "", NULL},
        {"http://a b/", "", NULL},
        {"http://a%20b/", "", NULL},
        {"http://a<b/", "", NULL},
        {"http://a|b/", "", NULL},
        {"http://a^b/", "", NULL},
        {"http://a%/", "", NULL},
        {"http://a%00b/", "", NULL},
        {"http://a%2fb/", "", NULL},
        {"http://b\xc3\xbc\x63her.test/", "", NULL},
        {"http://b%C3%BCcher.test/", "", NULL},
        {"http://a]b/", "", NULL},
        {"", "", NULL},
        {"a.test/x", "", NULL},
        {"//a.test/x", "", NULL},
        {"/x", "", NULL},
        {"://a.test/", "", NULL},
    };
    rows_check(rows, ARRAY_LEN(rows));
}

TEST(paths_and_queries_have_one_spelling)
{
    static const struct row rows[] = {
        {"http://a.test/.", "", "http://a.test/"},
        {"http://a.test/./x", "", "http://a.test/x"},
        {"http://a.test/..", "", "http://a.test/"},
        {"http://a.test/../../x", "", "http://a.test/x"},
        {"http://a.test/a/b/../c", "", "http://a.test/a/c"},
        {"http://a.test/a/b/..", "", "http://a.test/a/"},
        {"http://a.test/a/b/.", "", "http://a.test/a/b/"},
        {"http://a.test/a/b/../..", "", "http://a.test/"},
        {"http://a.test/a/%2e/b", "", "http://a.test/a/b"},
        {"http://a.test/a/%2E%2e/b", "", "http://a.test/b"},
        {"http://a.test/a/.%2e/b", "", "http://a.test/b"},
        {"http://a.test/a/..b", "", "http://a.test/a/..b"},
        {"http://a.test/a/...", "", "http://a.test/a/..."},
        {"http://a.test/a/.b", "", "http://a.test/a/.b"},
        {"http://a.test//a", "", "http://a.test//a"},
        {"http://a.test/a//b", "", "http://a.test/a//b"},
        {"http://a.test/a//../b", "", "http://a.test/a/b"},
        {"http://a.test/a\\..\\b", "", "http://a.test/b"},
        {"http://a.test/%7Euser", "", "http://a.test/~user"},
        {"http://a.test/%41%7a%30%2D%2e%5F", "", "http://a.test/Az0-._"},
        {"http://a.test/%2f", "", "http://a.test/%2F"},
        {"http://a.test/%c3%bc", "", "http://a.test/%C3%BC"},
        {"http://a.test/\xc3\xbc", "", "http://a.test/%C3%BC"},
        {"http://a.test/a b", "", "http://a.test/a%20b"},
        {"http://a.test/a\"b", "", "http://a.test/a%22b"},
        {"http://a.test/<x>", "", "http://a.test/%3Cx%3E"},
        {"http://a.test/`{}^", "", "http://a.test/%60%7B%7D%5E"},
        {"http://a.test/a|b", "", "http://a.test/a|b"},
        {"http://a.test/[x]", "", "http://a.test/[x]"},
        {"http://a.test/a;b=c,d!$&'()*+:@", "", "http://a.test/a;b=c,d!$&'()*+:@"},
        {"http://a.test/%", "", "http://a.test/%"},
        {"http://a.test/%4", "", "http://a.test/%4"},
        {"http://a.test/%zz", "", "http://a.test/%zz"},
        {"http://a.test/%%41", "", "http://a.test/%%41"},
        {"http://a.test/%d%41%41", "", "http://a.test/%d%41A"},
        {"http://a.test/x%23y", "", "http://a.test/x%23y"},
        {"http://a.test/x%3Fy", "", "http://a.test/x%3Fy"},
        {"http://a.test/?q=a b", "", "http://a.test/?q=a%20b"},
        {"http://a.test/?q='x'", "", "http://a.test/?q=%27x%27"},
        {"http://a.test/?q=%27%7e", "", "http://a.test/?q=%27~"},
        {"http://a.test/?a=../b", "", "http://a.test/?a=../b"},
        {"http://a.test/?a\\b", "", "http://a.test/?a\\b"},
        {"http://a.test/?b=2&a=1", "", "http://a.test/?b=2&a=1"},
        {"http://a.test/?a?b", "", "http://a.test/?a?b"},
        {"http://a.test/?{`}^|", "", "http://a.test/?{`}^|"},
        {"http://a.test/?\xe2\x82\xac", "", "http://a.test/?%E2%82%AC"},
        {"http://a.test/index.html", "", "http://a.test/index.html"},
        {"http://a.test/dir", "", "http://a.test/dir"},
        {"http://a.test/dir/", "", "http://a.test/dir/"},
        {"http://a.test/\x7f", "", "http://a.test/%7F"},
    };
    rows_check(rows, ARRAY_LEN(rows));
}

TEST(references_resolve_against_their_page)
{
#define B "http://a.test/b/c/d;p?q"
    static const struct row rows[] = {
        {"g", B, "http://a.test/b/c/g"},
        {"./g", B, "http://a.test/b/c/g"},
        {"g/", B, "http://a.test/b/c/g/"},
        {"/g", B, "http://a.test/g"},
        {"//g.test", B, "http://g.test/"},
        {"//g.test/x", B, "http://g.test/x"},
        {"\\\\g.test\\x", B, "http://g.test/x"},
        {"/\\g.test/x", B, "http://g.test/x"},
        {"///g.test/x", B, "http://g.test/x"},
        {"?y", B, "http://a.test/b/c/d;p?y"},
        {"?", B, "http://a.test/b/c/d;p?"},
        {"g?y", B, "http://a.test/b/c/g?y"},
        {"#s", B, "http://a.test/b/c/d;p?q"},
        {"", B, "http://a.test/b/c/d;p?q"},
        {"g#s", B, "http://a.test/b/c/g"},
        {"g?y#s", B, "http://a.test/b/c/g?y"},
        {";x", B, "http://a.test/b/c/;x"},
        {"g;x", B, "http://a.test/b/c/g;x"},
        {".", B, "http://a.test/b/c/"},
        {"./", B, "http://a.test/b/c/"},
        {"..", B, "http://a.test/b/"},
        {"../", B, "http://a.test/b/"},
        {"../g", B, "http://a.test/b/g"},
        {"../..", B, "http://a.test/"},
        {"../../g", B, "http://a.test/g"},
        {"../../../g", B, "http://a.test/g"},
        {"/./g", B, "http://a.test/g"},
        {"/../g", B, "http://a.test/g"},
        {"g.", B, "http://a.test/b/c/g."},
        {"..g", B, "http://a.test/b/c/..g"},
        {"./../g", B, "http://a.test/b/g"},
        {"g/./h", B, "http://a.test/b/c/g/h"},
        {"g/../h", B, "http://a.test/b/c/h"},
        {"g;x=1/../y", B, "http://a.test/b/c/y"},
        {"g?y/../x", B, "http://a.test/b/c/g?y/../x"},
        {"http:g", B, "http://a.test/b/c/g"},
        {"http:/g", B, "http://a.test/g"},
        {"http:?y", B, "http://a.test/b/c/d;p?y"},
        {"https:g", B, "https://g/"},
        {"https://h.test/x", B, "https://h.test/x"},
        {"http:\\\\h.test\\x", B, "http://h.test/x"},
        {" g ", B, "http://a.test/b/c/g"},
        {"g\nh", B, "http://a.test/b/c/gh"},
        {"a:b", B, NULL},
        {"./a:b", B, "http://a.test/b/c/a:b"},
        {"1:b", B, "http://a.test/b/c/1:b"},
        {"mailto:x@a.test", B, NULL},
        {"javascript:void(0)", B, NULL},
        {"JavaScript:alert(1)", B, NULL},
        {"data:text/html,x", B, NULL},
        {"ftp://a.test/", B, NULL},
        {"file:///etc/passwd", B, NULL},
        {"tel:+123", B, NULL},
        {"g", "https://a.test:8443/x/y", "https://a.test:8443/x/g"},
        {"//h.test", "https://a.test/", "https://h.test/"},
        {"g", "http://[::1]:81/x", "http://[::1]:81/g"},
        {"?y", "http://a.test/", "http://a.test/?y"},
    };
#undef B
    rows_check(rows, ARRAY_LEN(rows));
}

TEST(hosts_that_are_numbers_have_one_form)
{
    static const struct row rows[] = {
        {"http://127.0.0.1/", "", "http://127.0.0.1/"},
        {"http://127.1/", "", "http://127.0.0.1/"},
        {"http://127.0.1/", "", "http://127.0.0.1/"},
        {"http://2130706433/", "", "http://127.0.0.1/"},
        {"http://0x7f.1/", "", "http://127.0.0.1/"},
        {"http://0X7F000001/", "", "http://127.0.0.1/"},
        {"http://0177.0.0.01/", "", "http://127.0.0.1/"},
        {"http://127.0.0.1./", "", "http://127.0.0.1/"},
        {"http://0/", "", "http://0.0.0.0/"},
        {"http://0x/", "", "http://0.0.0.0/"},
        {"http://255.255.255.255/", "", "http://255.255.255.255/"},
        {"http://256.0.0.1/", "", NULL},
        {"http://1.2.3.256/", "", NULL},
        {"http://1.2.65536/", "", NULL},
        {"http://1.2.65535/", "", "http://1.2.255.255/"},
        {"http://4294967296/", "", NULL},
        {"http://1.2.3.4.5/", "", NULL},
        {"http://1..2/", "", NULL},
        {"http://a.1/", "", NULL},
        {"http://08.1/", "", NULL},
        {"http://a.0x1/", "", NULL},
        {"http://1.2.3.4a/", "", "http://1.2.3.4a/"},
        {"http://1.a/", "", "http://1.a/"},
        {"http://[::1]/", "", "http://[::1]/"},
        {"http://[::1]:80/", "", "http://[::1]/"},
        {"http://[::1]:8080/x", "", "http://[::1]:8080/x"},
        {"http://[::]/", "", "http://[::]/"},
        {"http://[1:2:3:4:5:6:7:8]/", "", "http://[1:2:3:4:5:6:7:8]/"},
        {"http://[1::8]/", "", "http://[1::8]/"},
        {"http://[1:0:0:0:0:0:0:8]/", "", "http://[1::8]/"},
        {"http://[1:0:0:4:0:0:0:8]/", "", "http://[1:0:0:4::8]/"},
        {"http://[1:0:3:4:5:6:7:8]/", "", "http://[1:0:3:4:5:6:7:8]/"},
        {"http://[1:2:3:4:5:6:0:0]/", "", "http://[1:2:3:4:5:6::]/"},
        {"http://[2001:DB8::00FF]/", "", "http://[2001:db8::ff]/"},
        {"http://[::ffff:1.2.3.4]/", "", "http://[::ffff:102:304]/"},
        {"http://[::1", "", NULL},
        {"http://[1:2]/", "", NULL},
        {"http://[::1%25eth0]/", "", NULL},
        {"http://[g::]/", "", NULL},
        {"http://[1::2::3]/", "", NULL},
        {"http://[]/", "", NULL},
        {"http://[::1]x/", "", NULL},
    };
    rows_check(rows, ARRAY_LEN(rows));
}

TEST(normalising_twice_changes_nothing)
{
    static const char *const texts[] = {"http://A/%41/../b c?x=%zz'", "http://0x7f.1:80",
                                        "http://[0:0::1]/%2e%2E/%2f", "https://x/?"};
    AUTO_BUF once = BUF_INIT(LIMIT_TASK_KEY_BYTES), twice = BUF_INIT(LIMIT_TASK_KEY_BYTES);
    for (size_t i = 0; i < ARRAY_LEN(texts); i++) {
        CHECK(url_resolve(str_of(texts[i]), str_of(""), &once, NULL) >= 0);
        CHECK(url_resolve(buf_str(&once), str_of(""), &twice, NULL) >= 0);
        CHECK_TEXT(buf_text(&twice), buf_text(&once));
    }
}

TEST(other_schemes_and_overlong_addresses_have_codes_of_their_own)
{
    AUTO_BUF out = BUF_INIT(LIMIT_TASK_KEY_BYTES);
    struct err e = {0};
    CHECK_INT(url_resolve(STR("mailto:a@b"), STR("http://a/"), &out, &e), E_TYPE);
    CHECK_HAS(e.text, "'mailto'");
    AUTO_BUF big = BUF_INIT(1 << 20);
    buf_add_c(&big, "http://a/");
    while (big.n < LIMIT_TASK_KEY_BYTES)
        buf_add_byte(&big, 'x');
    CHECK_INT(url_resolve(buf_str(&big), STR(""), &out, &e), 0);
    CHECK_INT(out.n, LIMIT_TASK_KEY_BYTES);
    buf_add_byte(&big, 'x');
    CHECK_INT(url_resolve(buf_str(&big), STR(""), &out, &e), E_TOOBIG);
    while (big.n < 100000)
        buf_add_byte(&big, '/');
    CHECK_INT(url_resolve(buf_str(&big), STR(""), &out, &e), E_TOOBIG);
}

TEST(an_address_splits_into_its_parts)
{
    struct url_parts u = url_split(STR("https://[::1]:8443/a/b?c=/d"));
    CHECK(str_eq(u.scheme, STR("https")) && str_eq(u.host, STR("[::1]")));
    CHECK(str_eq(u.port, STR("8443")) && str_eq(u.origin, STR("https://[::1]:8443")));
    CHECK(str_eq(u.path, STR("/a/b")) && str_eq(u.target, STR("/a/b?c=/d")));
    u = url_split(STR("http://a.test/"));
    CHECK(str_eq(u.host, STR("a.test")) && u.port.n == 0 && str_eq(u.path, STR("/")));
}

TEST(loopback_hosts_are_known)
{
    CHECK(host_name_is_loopback(STR("127.0.0.1")) && host_name_is_loopback(STR("127.9.9.9")));
    CHECK(host_name_is_loopback(STR("localhost")) && host_name_is_loopback(STR("[::1]")));
    CHECK(!host_name_is_loopback(STR("127.example.test")));
    CHECK(!host_name_is_loopback(STR("mylocalhost")));
}
