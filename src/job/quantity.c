#include "job/quantity.h"

#include <inttypes.h>
#include <stdio.h>

struct unit {
    const char *name;
    int64_t factor;
};

/* Smallest first; each factor divides the next. */
static const struct unit durations[] = {
    {"ms", 1}, {"s", 1000}, {"m", 60 * 1000}, {"h", 60 * 60 * 1000}, {"d", 24 * 60 * 60 * 1000},
};
static const struct unit sizes[] = {
    {"B", 1},
    {"KiB", 1 << 10},
    {"MiB", 1 << 20},
    {"GiB", 1 << 30},
};

static bool quantity_parse(struct str text, const struct unit *units, size_t count,
                           int64_t *ret_value)
{
    size_t digits = 0;
    while (digits < text.n && text.p[digits] >= '0' && text.p[digits] <= '9')
        digits++;
    int64_t number;
    if (!str_to_int((struct str){text.p, digits}, 0, INT64_MAX, &number))
        return false;
    struct str name = {text.p + digits, text.n - digits};
    for (size_t i = 0; i < count; i++) {
        int64_t value;
        if (str_eq_c(name, units[i].name) &&
            !__builtin_mul_overflow(number, units[i].factor, &value)) {
            *ret_value = value;
            return true;
        }
    }
    return false;
}

static char *quantity_format(int64_t value, const struct unit *units, size_t count, char *to)
{
    ASSERT(value >= 0);
    size_t i = value == 0 ? 0 : count - 1;
    while (value % units[i].factor)
        i--;
    (void)snprintf(to, QUANTITY_TEXT_MAX, "%" PRId64 "%s", value / units[i].factor,
                   units[i].name);
    return to;
}

bool quantity_parse_duration(struct str text, int64_t *ret_ms)
{
    return quantity_parse(text, durations, ARRAY_LEN(durations), ret_ms) ||
           (str_eq_c(text, "0") && str_to_int(text, 0, 0, ret_ms));
}

bool quantity_parse_size(struct str text, int64_t *ret_bytes)
{
    return quantity_parse(text, sizes, ARRAY_LEN(sizes), ret_bytes) ||
           (text.n && text.p[0] != '-' && str_to_int(text, 0, INT64_MAX, ret_bytes));
}

char *quantity_format_duration(int64_t ms, char to[QUANTITY_TEXT_MAX])
{
    return quantity_format(ms, durations, ARRAY_LEN(durations), to);
}

char *quantity_format_size(int64_t bytes, char to[QUANTITY_TEXT_MAX])
{
    return quantity_format(bytes, sizes, ARRAY_LEN(sizes), to);
}
