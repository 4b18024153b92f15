/* Which Host and Origin headers are let in. */
#include "server/guard.h"

#include "test.h"

static bool host_is_fine(const char *host, const char *listen)
{
    struct err e;
    return guard_check_host(str_of(host), listen, &e) >= 0;
}

static bool origin_is_fine(const char *origin, const char *host)
{
    struct err e;
    return guard_check_origin(str_of(origin), str_of(host), &e) >= 0;
}

TEST(only_names_of_this_machine_are_answered)
{
    static const char *const fine[] = {"127.0.0.1", "127.0.0.1:8085", "127.8.7.6:1",
                                       "localhost", "LocalHost:80",   "page.localhost:8085",
                                       "[::1]",     "[::1]:8085"};
    static const char *const wrong[] = {"",
                                        "evil.example",
                                        "evil.example:8085",
                                        "127.0.0.1.evil.example",
                                        "localhost.evil.example",
                                        "notlocalhost",
                                        ".localhost",
                                        "10.0.0.1:8085",
                                        "128.0.0.1",
                                        "[::2]:8085",
                                        "127.0.0.1x"};
    for (size_t i = 0; i < sizeof(fine) / sizeof(fine[0]); i++)
        if (!host_is_fine(fine[i], "127.0.0.1"))
            test_fail(__FILE__, __LINE__, "\"%s\" was refused", fine[i]);
    for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++)
        if (host_is_fine(wrong[i], "127.0.0.1"))
            test_fail(__FILE__, __LINE__, "\"%s\" was let in", wrong[i]);
}

TEST(the_address_it_listens_on_is_answered_and_with_a_wildcard_every_numeric_one)
{
    CHECK(host_is_fine("build.example:8085", "build.example"));
    CHECK(host_is_fine("10.0.0.1:8085", "10.0.0.1"));
    CHECK(!host_is_fine("10.0.0.2:8085", "10.0.0.1"));
    CHECK(host_is_fine("10.0.0.2:8085", "0.0.0.0"));
    CHECK(host_is_fine("[fd00::7]:8085", "::"));
    CHECK(!host_is_fine("evil.example:8085", "0.0.0.0"));
}

TEST(only_pages_of_the_server_itself_may_change_something)
{
    CHECK(origin_is_fine("http://127.0.0.1:8085", "127.0.0.1:8085"));
    CHECK(!origin_is_fine("http://127.0.0.1:8086", "127.0.0.1:8085"));
    CHECK(!origin_is_fine("https://127.0.0.1:8085", "127.0.0.1:8085"));
    CHECK(!origin_is_fine("http://evil.example", "127.0.0.1:8085"));
    CHECK(!origin_is_fine("null", "127.0.0.1:8085"));
    CHECK(!origin_is_fine("http://", ""));
    CHECK(!origin_is_fine("", ""));
}

TEST(an_address_to_listen_on_has_a_host_and_a_port)
{
    struct str host, port;
    CHECK(guard_split_address(STR("127.0.0.1:8085"), &host, &port));
    CHECK(str_eq_c(host, "127.0.0.1") && str_eq_c(port, "8085"));
    CHECK(guard_split_address(STR("[::1]:0"), &host, &port));
    CHECK(str_eq_c(host, "::1") && str_eq_c(port, "0"));
    CHECK(!guard_split_address(STR("8085"), &host, &port));
    CHECK(!guard_split_address(STR(":8085"), &host, &port));
    CHECK(!guard_split_address(STR("localhost:"), &host, &port));
    CHECK(!guard_split_address(STR("localhost:65536"), &host, &port));
    CHECK(!guard_split_address(STR("::1:8085"), &host, &port));
    CHECK(!guard_split_address(STR("localhost:http"), &host, &port));
}
