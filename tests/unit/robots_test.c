#include "worker/crawler/robots.h"

#include <stdlib.h>

#include "base/buf.h"
#include "test.h"

static bool allows(const char *file, const char *target)
{
    struct robots *r = robots_parse(str_of(file), "tailrace/1.0 (+https://example.test)");
    bool yes = robots_allow(r, str_of(target));
    robots_free(r);
    return yes;
}

TEST(robots_without_rules_allow_everything)
{
    CHECK(allows("", "/"));
    CHECK(allows("User-agent: *\nDisallow:\n", "/x"));
    CHECK(allows("Disallow: /\n", "/x")); /* belongs to no group */
    CHECK(allows("<html>no</html>", "/x"));
}

TEST(the_group_that_names_us_beats_the_star)
{
    const char *file = "User-agent: *\nDisallow: /\n\nUser-agent: TailRace\nDisallow: /a\n";
    CHECK(allows(file, "/b"));
    CHECK(!allows(file, "/a/x"));
    CHECK(!allows("User-agent: other\nDisallow: /a\nUser-agent: *\nDisallow: /b", "/b"));
    CHECK(allows("User-agent: other\nDisallow: /a\nUser-agent: *\nDisallow: /b", "/a"));
    CHECK(allows("User-agent: tail\nDisallow: /", "/a")); /* not our token */
    CHECK(!allows("User-agent: tailrace/2.0\nDisallow: /", "/a"));
    CHECK(allows("User-agent: tailrace\nUser-agent: *\nDisallow:\n", "/a"));
}

TEST(groups_with_several_agents_and_repeated_groups_are_joined)
{
    const char *file = "User-agent: x\nUser-agent: tailrace\nDisallow: /a\n"
                       "User-agent: y\nDisallow: /b\n"
                       "User-agent: tailrace\nDisallow: /c\n";
    CHECK(!allows(file, "/a") && allows(file, "/b") && !allows(file, "/c"));
    CHECK(!allows("User-agent: tailrace\nSitemap: /s\nDisallow: /a", "/a"));
}

TEST(the_longest_rule_decides_and_allow_wins_ties)
{
    CHECK(allows("User-agent: *\nDisallow: /a\nAllow: /a/b\n", "/a/b/c"));
    CHECK(!allows("User-agent: *\nDisallow: /a\nAllow: /a/b\n", "/a/c"));
    CHECK(allows("User-agent: *\nAllow: /p\nDisallow: /\n", "/page"));
    CHECK(allows("User-agent: *\nDisallow: /folder\nAllow: /folder\n", "/folder/page"));
    CHECK(!allows("User-agent: *\nAllow: /page\nDisallow: /*.htm\n", "/page.htm"));
    CHECK(allows("User-agent: *\nAllow: /$\nDisallow: /\n", "/"));
    CHECK(!allows("User-agent: *\nAllow: /$\nDisallow: /\n", "/page.htm"));
    CHECK(allows("User-agent: *\nDisallow: /\n", "/robots.txt"));
}

TEST(stars_and_dollars_match_as_the_standard_says)
{
    CHECK(!allows("User-agent: *\nDisallow: /*.php$\n", "/a/b.php"));
    CHECK(allows("User-agent: *\nDisallow: /*.php$\n", "/a/b.php?x"));
    CHECK(!allows("User-agent: *\nDisallow: /*.php\n", "/a/b.php?x"));
    CHECK(!allows("User-agent: *\nDisallow: /a*b*c$\n", "/axxbyybzzc"));
    CHECK(allows("User-agent: *\nDisallow: /a*b*c$\n", "/axxbyybzzcd"));
    CHECK(!allows("User-agent: *\nDisallow: *\n", "/x"));
    CHECK(!allows("User-agent: *\nDisallow: /fish*\n", "/fish"));
    CHECK(allows("User-agent: *\nDisallow: /fish\n", "/Fish"));
    CHECK(!allows("User-agent: *\nDisallow: /exact$\n", "/exact"));
    CHECK(allows("User-agent: *\nDisallow: /exact$\n", "/exact/"));
    CHECK(!allows("User-agent: *\nDisallow: /*aa$\n", "/xaaa"));
    CHECK(!allows("User-agent: *\nDisallow: /a$b\n", "/a$b")); /* a dollar inside is itself */
}

TEST(percent_encoding_does_not_matter)
{
    CHECK(!allows("User-agent: *\nDisallow: /%7Euser\n", "/~user/x"));
    CHECK(!allows("User-agent: *\nDisallow: /a%3cd\n", "/a%3Cd.html"));
    CHECK(!allows("User-agent: *\nDisallow: /\xe3\x83\x84\n", "/%E3%83%84"));
    CHECK(!allows("User-agent: *\nDisallow: /file-%2A.html\n", "/file-*.html"));
    CHECK(allows("User-agent: *\nDisallow: /file-%2A.html\n", "/file-x.html"));
    CHECK(allows("User-agent: *\nDisallow: /a%2Fb\n", "/a/b"));
}

TEST(lines_end_in_every_way_and_comments_go)
{
    CHECK(!allows("\xef\xbb\xbfUser-agent: *\r\nDisallow: /a # no\r\n", "/a"));
    CHECK(!allows("user-AGENT : *\rDISALLOW:/a\r", "/a"));
    CHECK(!allows("  User-agent:\t* \n\n\n  Disallow : /a  ", "/a"));
    CHECK(allows("User-agent: *\n# Disallow: /a\n", "/a"));
}

TEST(only_the_first_500_kib_are_read)
{
    AUTO_BUF file = BUF_INIT(1 << 20);
    buf_add_c(&file, "User-agent: *\nDisallow: /a\n");
    while (file.n < ROBOTS_BYTES)
        buf_add_c(&file, "# nothing\n");
    buf_add_c(&file, "Disallow: /b\n");
    CHECK(!allows(buf_text(&file), "/a") && allows(buf_text(&file), "/b"));
}

TEST(delay_and_sitemaps_are_noted)
{
    const char *file = "Sitemap: http://a/1\nUser-agent: *\nCrawl-delay: 2.5\nDisallow: /x\n"
                       "sitemap: http://a/2\n";
    struct robots *r = robots_parse(str_of(file), "tailrace");
    CHECK_INT(robots_crawl_delay_ms(r), 2500);
    CHECK_INT(robots_sitemap_count(r), 2);
    CHECK_INT(robots_rule_count(r), 1);
    robots_free(r);
    r = robots_parse(STR("User-agent: *\nCrawl-delay: soon\n"), "tailrace");
    CHECK_INT(robots_crawl_delay_ms(r), 0);
    robots_free(r);
}

TEST(a_pattern_made_to_be_slow_is_not)
{
    AUTO_BUF file = BUF_INIT(1 << 20), target = BUF_INIT(1 << 20);
    buf_add_c(&file, "User-agent: *\n");
    for (int i = 0; i < 400; i++) {
        buf_add_c(&file, "Disallow: /");
        for (int k = 0; k < 500; k++)
            buf_add_c(&file, "*a");
        buf_add_c(&file, "b$\n");
    }
    buf_add_byte(&target, '/');
    while (target.n < 8000)
        buf_add_byte(&target, 'a');
    CHECK(
        allows(buf_text(&file), buf_text(&target))); /* the time limit of tests is the check */
}
