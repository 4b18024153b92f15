#include "base/json.h"

#include <math.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include "base/clock.h"

static void value_begins(struct json *j)
{
    if (j->comma)
        buf_add_byte(j->out, ',');
    j->comma = true;
}

static void open_with(struct json *j, char bracket)
{
    value_begins(j);
    buf_add_byte(j->out, bracket);
    j->comma = false;
}

static void close_with(struct json *j, char bracket)
{
    buf_add_byte(j->out, bracket);
    j->comma = true;
}

void json_begin_object(struct json *j)
{
    open_with(j, '{');
}

void json_end_object(struct json *j)
{
    close_with(j, '}');
}

void json_begin_array(struct json *j)
{
    open_with(j, '[');
}

void json_end_array(struct json *j)
{
    close_with(j, ']');
}

void json_key(struct json *j, const char *key)
{
    value_begins(j);
    buf_add_byte(j->out, '"');
    buf_add_c(j->out, key);
    buf_add(j->out, "\":", 2);
    j->comma = false;
}

/* Has any of eight bytes the value 0? (Exact as a question; from Hacker's Delight, 6-1.) */
static uint64_t any_zero(uint64_t v)
{
    static const uint64_t ones = 0x0101010101010101u;
    return (v - ones) & ~v & (ones << 7);
}

/* The same question for what plain_run() stops at. */
static bool any_special(uint64_t v)
{
    static const uint64_t ones = 0x0101010101010101u, tops = ones << 7;
    uint64_t below_space = (v - ones * 0x20) & ~v & tops;
    uint64_t from_delete = (v | (v + ones)) & tops; /* 0x7F and all that is not ASCII */
    return below_space | from_delete | any_zero(v ^ ones * '"') | any_zero(v ^ ones * '\\');
}

/* How many bytes from s on need no escape and are plain ASCII. Eight at a time as long as all
 * of them are; where they are not, one by one. */
static size_t plain_run(const unsigned char *s, size_t n)
{
    size_t i = 0;
    for (uint64_t v; i + sizeof(v) <= n; i += sizeof(v)) {
        memcpy(&v, s + i, sizeof(v));
        if (any_special(v))
            break;
    }
    while (i < n && s[i] >= 0x20 && s[i] < 0x7F && s[i] != '"' && s[i] != '\\')
        i++;
    return i;
}

static void escape_control(struct buf *out, unsigned char c)
{
    static const char names[] = "\b\t\n\f\r", letters[] = "btnfr";
    const char *hit = memchr(names, c, sizeof(names) - 1);
    if (c == '"' || c == '\\')
        buf_add(out, (char[]){'\\', (char)c}, 2);
    else if (hit)
        buf_add(out, (char[]){'\\', letters[hit - names]}, 2);
    else
        buf_printf(out, "\\u%04x", c);
}

void json_escape(struct buf *out, struct str s)
{
    const unsigned char *p = (const unsigned char *)s.p;
    size_t n = s.n;
    while (n) {
        size_t run = plain_run(p, n);
        if (run) {
            buf_add(out, p, run);
        } else if (*p < 0x80) {
            escape_control(out, *p);
            run = 1;
        } else {
            run = utf8_length(p, n);
            if (run)
                buf_add(out, p, run);
            else
                buf_add(out, "\xEF\xBF\xBD", 3), run = 1;
        }
        p += run;
        n -= run;
    }
}

void json_text(struct json *j, struct str s)
{
    value_begins(j);
    buf_add_byte(j->out, '"');
    json_escape(j->out, s);
    buf_add_byte(j->out, '"');
}

void json_text_c(struct json *j, const char *s)
{
    if (s)
        json_text(j, str_of(s));
    else
        json_write_null(j);
}

void json_int(struct json *j, int64_t value)
{
    char text[24], *p = text + sizeof(text);
    uint64_t rest = value < 0 ? 0 - (uint64_t)value : (uint64_t)value;
    do
        *--p = (char)('0' + rest % 10);
    while (rest /= 10);
    if (value < 0)
        *--p = '-';
    value_begins(j);
    buf_add(j->out, p, (size_t)(text + sizeof(text) - p));
}

void json_double(struct json *j, double value)
{
    if (!isfinite(value)) {
        json_write_null(j);
        return;
    }
    value_begins(j);
    buf_printf(j->out, "%.15g", value);
}

void json_bool(struct json *j, bool value)
{
    value_begins(j);
    buf_add_c(j->out, value ? "true" : "false");
}

void json_write_null(struct json *j)
{
    value_begins(j);
    buf_add(j->out, "null", 4);
}

void json_id(struct json *j, struct id id)
{
    char text[ID_TEXT_LEN + 3];
    id_format(id, text + 1);
    text[0] = '"';
    size_t n = strlen(text);
    text[n++] = '"';
    value_begins(j);
    buf_add(j->out, text, n);
}

void json_time(struct json *j, int64_t wall_us)
{
    char text[CLOCK_TEXT_LEN + 1];
    if (wall_us == 0) {
        json_write_null(j);
        return;
    }
    clock_format(wall_us, text);
    json_text(j, (struct str){text, CLOCK_TEXT_LEN});
}

void json_raw(struct json *j, struct str value)
{
    if (value.n == 0) {
        json_write_null(j);
        return;
    }
    value_begins(j);
    buf_add_str(j->out, value);
}

void json_key_text(struct json *j, const char *key, struct str s)
{
    json_key(j, key);
    json_text(j, s);
}

void json_key_c(struct json *j, const char *key, const char *s)
{
    json_key(j, key);
    json_text_c(j, s);
}

void json_key_int(struct json *j, const char *key, int64_t value)
{
    json_key(j, key);
    json_int(j, value);
}

void json_key_bool(struct json *j, const char *key, bool value)
{
    json_key(j, key);
    json_bool(j, value);
}

void json_key_id(struct json *j, const char *key, struct id id)
{
    json_key(j, key);
    json_id(j, id);
}

void json_key_time(struct json *j, const char *key, int64_t wall_us)
{
    json_key(j, key);
    json_time(j, wall_us);
}

void json_key_raw(struct json *j, const char *key, struct str value)
{
    json_key(j, key);
    json_raw(j, value);
}
