#include "base/buf.h"
#include "base/clock.h"
#include "base/id.h"
#include "base/json.h"
#include "base/keyset.h"
#include "base/list.h"
#include "base/map.h"
#include "base/mem.h"
#include "test.h"

TEST(a_buffer_never_passes_its_maximum)
{
    AUTO_BUF b = BUF_INIT(10);
    buf_add_c(&b, "12345678");
    buf_add_c(&b, "90123");
    CHECK(b.overflow);
    CHECK_TEXT(buf_text(&b), "12345678");
    buf_printf(&b, "%d", 90);
    CHECK_TEXT(buf_text(&b), "1234567890");
    buf_drop(&b, 4);
    CHECK_TEXT(buf_text(&b), "567890");
}

TEST(a_buffer_that_was_filled_from_outside_ends_with_a_nul)
{
    AUTO_BUF b = BUF_INIT(200);
    buf_add_c(&b, "older and longer than what follows");
    buf_clear(&b);
    memcpy(buf_room(&b, 100), "123", 3); /* as read() does */
    b.n += 3;
    CHECK_TEXT(buf_text(&b), "123");
    AUTO_FREE char *p = buf_take(&b);
    CHECK_TEXT(p, "123");
}

TEST(json_is_escaped_and_wrong_bytes_become_the_replacement_character)
{
    AUTO_BUF b = BUF_INIT(1000);
    struct json j = JSON_TO(&b);
    json_begin_object(&j);
    json_key_text(&j, "a", (struct str){"\"\\\n\x01\x7f\xff\xc3\xa9\xed\xa0\x80", 11});
    json_key_int(&j, "b", INT64_MIN);
    json_key(&j, "c");
    json_begin_array(&j);
    json_bool(&j, true);
    json_write_null(&j);
    json_double(&j, 0.5);
    json_end_array(&j);
    json_key_time(&j, "t", 0);
    json_end_object(&j);
    CHECK_TEXT(buf_text(&b),
               "{\"a\":\"\\\"\\\\\\n\\u0001\\u007f\xEF\xBF\xBD\xc3\xa9\xEF\xBF\xBD"
               "\xEF\xBF\xBD\xEF\xBF\xBD\",\"b\":-9223372036854775808,"
               "\"c\":[true,null,0.5],\"t\":null}");
}

TEST(a_time_is_written_with_fixed_width_and_read_back)
{
    static const int64_t times[] = {
        0, 1, 999999, 1000000, 1795428902123456, 253402300799999999};
    for (size_t i = 0; i < ARRAY_LEN(times); i++) {
        char text[CLOCK_TEXT_LEN + 1];
        int64_t back;
        clock_format(times[i], text);
        CHECK_INT(strlen(text), CLOCK_TEXT_LEN);
        CHECK(clock_parse(str_of(text), &back));
        CHECK_INT(back, times[i]);
    }
    int64_t t;
    CHECK(clock_parse(STR("2026-11-23T10:15:02Z"), &t) && t % 1000000 == 0);
    CHECK(!clock_parse(STR("2026-11-23 10:15:02Z"), &t));
    CHECK(!clock_parse(STR("2026-11-23T10:15:02."), &t));
}

TEST(ids_sort_by_the_order_in_which_they_were_made)
{
    struct id before = id_new(), back;
    for (int i = 0; i < 10000; i++) {
        struct id id = id_new();
        CHECK(id_compare(before, id) < 0);
        before = id;
    }
    CHECK(id_parse(str_of(ID_TEXT(before)), &back));
    CHECK(id_eq(before, back));
    CHECK(!id_parse(STR("018f0f5e-0000-7000-8000-00000000000g"), &back));
    CHECK_TEXT(ID_TEXT(ID_NONE), "");
}

TEST(a_map_keeps_what_it_was_given_through_growth_and_removal)
{
    struct map m = MAP_INIT;
    static int values[5000];
    for (int i = 0; i < 5000; i++)
        map_set(&m, (struct str){(char *)&i, sizeof(i)}, &values[i]);
    for (int i = 0; i < 5000; i += 2)
        CHECK(map_remove(&m, (struct str){(char *)&i, sizeof(i)}) == &values[i]);
    CHECK_INT(m.count, 2500);
    for (int i = 0; i < 5000; i++)
        CHECK(map_get(&m, (struct str){(char *)&i, sizeof(i)}) == (i % 2 ? &values[i] : NULL));
    int zero = 0;
    map_set(&m, (struct str){(char *)&zero, sizeof(zero)}, &values[7]);
    CHECK(map_get(&m, (struct str){(char *)&zero, sizeof(zero)}) == &values[7]);
    size_t it = 0, seen = 0;
    while (map_next(&m, &it, NULL, NULL))
        seen++;
    CHECK_INT(seen, 2501);
    map_done(&m);
}

TEST(a_set_of_keys_tells_those_it_met_from_all_others)
{
    struct keyset s = KEYSET_INIT;
    CHECK(!keyset_has(&s, hash_of(STR(""))));
    for (int i = 0; i < 20000; i += 2)
        CHECK(keyset_add(&s, hash_of((struct str){(char *)&i, sizeof(i)})));
    CHECK_INT(s.count, 10000);
    for (int i = 0; i < 20000; i++)
        CHECK(keyset_has(&s, hash_of((struct str){(char *)&i, sizeof(i)})) == (i % 2 == 0));
    CHECK(!keyset_add(&s, hash_of((struct str){(char *)&(int){18}, sizeof(int)})));
    CHECK_INT(s.count, 10000);
    keyset_done(&s);
}

TEST(a_hash_sees_every_byte_and_the_length)
{
    struct keyset s = KEYSET_INIT;
    char text[20] = {0};
    for (size_t n = 0; n <= sizeof(text); n++)
        CHECK(keyset_add(&s, hash_of((struct str){text, n})));
    for (size_t i = 0; i < sizeof(text); i++) {
        text[i] = 1;
        CHECK(keyset_add(&s, hash_of((struct str){text, sizeof(text)})));
        text[i] = 0;
    }
    CHECK(!keyset_add(&s, hash_of((struct str){text, sizeof(text)})));
    keyset_done(&s);
}

TEST(a_text_is_cut_between_characters_only)
{
    CHECK_INT(utf8_cut(STR("ab\xc3\xa9"), 3), 2);
    CHECK_INT(utf8_cut(STR("ab\xc3\xa9"), 4), 4);
    CHECK_INT(utf8_cut(STR("\xf0\x9f\x98\x80x"), 3), 0);
    CHECK_INT(utf8_cut(STR("\x80\x80\x80\x80\x80"), 4), 4);
}

TEST(a_misspelt_word_finds_the_one_that_was_meant)
{
    static const char *const names[] = {"max_depth", "max_pages", "delay", NULL};
    CHECK_TEXT(text_nearest("max_dept", names), "max_depth");
    CHECK_TEXT(text_nearest("dealy", names), "delay");
    CHECK(text_nearest("concurrency", names) == NULL);
}

TEST(numbers_are_read_whole_or_not_at_all)
{
    int64_t v = 7;
    CHECK(str_to_int(STR("-12"), -20, 20, &v) && v == -12);
    CHECK(!str_to_int(STR("12x"), 0, 20, &v));
    CHECK(!str_to_int(STR(""), 0, 20, &v));
    CHECK(!str_to_int(STR("-"), -1, 20, &v));
    CHECK(!str_to_int(STR("99999999999999999999"), 0, INT64_MAX, &v));
    CHECK(str_to_int(STR("9223372036854775807"), 0, INT64_MAX, &v) && v == INT64_MAX);
    CHECK(!str_to_int(STR("21"), 0, 20, &v));
}

struct item {
    int value;
    struct list link;
};

TEST(a_list_may_lose_the_element_that_is_being_visited)
{
    struct list head;
    struct item items[5] = {0};
    int sum = 0;
    list_init(&head);
    for (int i = 0; i < 5; i++) {
        items[i].value = i;
        list_add(&head, &items[i].link);
    }
    LIST_EACH (&head, struct item, link, item) {
        sum += item->value;
        list_remove(&item->link);
    }
    CHECK_INT(sum, 10);
    CHECK(list_is_empty(&head));
}

TEST(a_word_is_found_whatever_its_case_and_wherever_it_is)
{
    CHECK_INT(str_find_nocase(STR("aAbAB"), STR("ab")), 1);
    CHECK_INT(str_find_nocase(STR("xxAB"), STR("aB")), 2);
    CHECK_INT(str_find_nocase(STR("ABAC"), STR("abac")), 0);
    CHECK_INT(str_find_nocase(STR("aab"), STR("AAC")), -1);
    CHECK_INT(str_find_nocase(STR("ab"), STR("abc")), -1);
    CHECK_INT(str_find_nocase(STR("100% _a[`{"), STR("_A[`{")), 5);
    CHECK_INT(str_find_nocase(STR("[a"), STR("{A")), -1);
    CHECK_INT(str_find_nocase(STR("\xc3\xa9t\xc3\xa9"), STR("\xa9")), 1);
    CHECK_INT(str_find_nocase(STR("abc"), STR("")), 0);
    CHECK_INT(str_find_nocase(str_of(NULL), STR("a")), -1);
    CHECK_INT(str_find_nocase(str_of(NULL), STR("")), 0);
}

TEST(a_count_for_people_has_its_thousands_apart)
{
    CHECK_TEXT(COUNT_TEXT(0), "0");
    CHECK_TEXT(COUNT_TEXT(999), "999");
    CHECK_TEXT(COUNT_TEXT(1000), "1,000");
    CHECK_TEXT(COUNT_TEXT(1234567), "1,234,567");
    CHECK_TEXT(COUNT_TEXT(-123456), "-123,456");
    CHECK_TEXT(COUNT_TEXT(INT64_MIN), "-9,223,372,036,854,775,808");
}
