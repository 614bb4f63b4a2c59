// SPDX-License-Identifier: GPL-3.0-or-later
//
// Who holds much has much of the cache, nobody has nothing, and together they have no more than there is.
#include <criterion/criterion.h>

#include "kv/cache_share.h"

#define MIB (UINT64_C(1) << 20)

static void check_whole(uint64_t total, const uint64_t *shares, uint32_t count)
{
    uint64_t sum = 0;
    for (uint32_t i = 0; i < count; i++)
        sum += shares[i];
    cr_expect_leq(sum, total);
    cr_expect_geq(sum + count, total, "nothing is left over");
}

Test(cache_share, stores_that_hold_nothing_share_evenly)
{
    const uint64_t needs[4] = {0};
    uint64_t shares[4];
    cache_shares(256 * MIB, needs, shares, 4);
    for (uint32_t i = 0; i < 4; i++)
        cr_expect_eq(shares[i], 64 * MIB);
}

Test(cache_share, one_large_store_has_what_small_ones_leave)
{
    const uint64_t needs[6] = {MIB, 500 * MIB, MIB, 0, 0, 0};
    uint64_t shares[6];
    cache_shares(256 * MIB, needs, shares, 6);
    cr_expect_gt(shares[1], 195 * MIB);
    for (uint32_t i = 0; i < 6; i++)
        cr_expect_geq(shares[i], 256 * MIB / 6 / 4);
    check_whole(256 * MIB, shares, 6);
}

Test(cache_share, large_needs_do_not_overflow)
{
    const uint64_t needs[3] = {UINT64_C(1) << 45, UINT64_C(1) << 46, UINT64_C(1) << 45};
    uint64_t shares[3];
    cache_shares(UINT64_C(1) << 40, needs, shares, 3);
    cr_expect_gt(shares[1], shares[0]);
    check_whole(UINT64_C(1) << 40, shares, 3);
}
