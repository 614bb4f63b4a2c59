// SPDX-License-Identifier: GPL-3.0-or-later
#include <criterion/criterion.h>

#include "core/env.h"
#include "core/hlc.h"

static int64_t wall;
static int64_t wall_ns(struct env *env)
{
    (void)env;
    return wall;
}

Test(hlc, now_always_grows_even_if_the_wall_clock_stands_or_goes_back)
{
    struct env env = {.wall_ns = wall_ns};
    struct hlc hlc;
    hlc_init(&hlc, &env);
    struct hlc_timestamp last = HLC_ZERO;
    static const int64_t walls[] = {100, 100, 101, 50, 50, 102, -5, 103};
    for (size_t i = 0; i < sizeof walls / sizeof walls[0]; i++) {
        wall = walls[i];
        struct hlc_timestamp now = hlc_now(&hlc);
        cr_assert(hlc_less(last, now));
        last = now;
    }
    cr_assert_eq(last.wall_ns, 103);
    cr_assert_eq(last.logical, 0);
}

Test(hlc, now_is_above_what_was_seen)
{
    struct env env = {.wall_ns = wall_ns};
    struct hlc hlc;
    hlc_init(&hlc, &env);
    wall = 100;
    hlc_update(&hlc, (struct hlc_timestamp){500, UINT32_MAX});
    hlc_update(&hlc, (struct hlc_timestamp){400, 0});
    struct hlc_timestamp now = hlc_now(&hlc);
    cr_assert_eq(now.wall_ns, 501, "the counter carries into the wall time");
    cr_assert_eq(now.logical, 0);
}

Test(hlc, encoding_keeps_the_order)
{
    static const struct hlc_timestamp rows[] = {{0, 0}, {0, 1}, {1, 0}, {255, UINT32_MAX}, {256, 0},
        {1ull << 40, 3}, {UINT64_MAX, UINT32_MAX}};
    uint8_t last[HLC_ENCODED_BYTES] = {0}, bytes[HLC_ENCODED_BYTES];
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        hlc_encode(rows[i], bytes);
        cr_assert(i == 0 || memcmp(last, bytes, sizeof bytes) < 0);
        cr_assert(hlc_equal(hlc_decode(bytes), rows[i]));
        memcpy(last, bytes, sizeof bytes);
        if (i > 0) cr_assert(hlc_less(hlc_previous(hlc_next(rows[i - 1])), rows[i]));
    }
}

Test(hlc, text_is_parsed_as_a_decimal)
{
    char text[HLC_TEXT_BYTES];
    struct hlc_timestamp ts;
    cr_assert_str_eq(hlc_format((struct hlc_timestamp){1695922878030920020u, 7}, text),
        "1695922878030920020.0000000007");
    cr_assert(hlc_parse(text, &ts));
    cr_assert(ts.wall_ns == 1695922878030920020u && ts.logical == 7);
    cr_assert(hlc_parse("12", &ts) && ts.wall_ns == 12 && ts.logical == 0);
    cr_assert(hlc_parse("12.1", &ts) && ts.logical == 1000000000);
    static const char *const bad[] = {
        "", ".", "1.", "x", "1x", "1.00000000001", "-1", "1.9999999999", "99999999999999999999"};
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
        cr_assert_not(hlc_parse(bad[i], &ts), "%s", bad[i]);
}
