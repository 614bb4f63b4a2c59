// SPDX-License-Identifier: GPL-3.0-or-later
//
// Ranges are cut where they are busy, and joined when they are small and cold; what was cut by hand stays.
#include "tests/unit/kv/kv_harness.h"

#include "kv/kv_node.h"
#include "kv/range.h"
#include "kv/range_upkeep.h"

#define SECOND_NS UINT64_C(1000000000)

struct look {
    uint64_t slice;
    uint32_t count;
};

// On the slice's shard, as often as is said.
static struct status look_there(struct task *task, void *arg)
{
    struct status st = STATUS_OK;
    const struct look *look = arg;
    struct slice *slice = kv_slice_find(kv_shard_of(task->shard), look->slice);
    for (uint32_t i = 0; i < look->count && !failed(st); i++)
        st = range_upkeep_look(task, slice, SECOND_NS);
    return st;
}

static struct status look(struct task *task, uint64_t slice, uint32_t count)
{
    struct look ask = {slice, count};
    return shard_call(task, kv_slice_shard(slice, task->shard->node->shard_count), look_there, &ask);
}

static struct status ranges_of(struct task *task, struct kv_range **ranges, uint32_t *count)
{
    return kv_ranges(task, key_tenant_span(task->arena, TENANT), task->arena, ranges, count);
}

static struct status ask_for(struct task *task, const char *prefix, uint32_t keys, uint32_t times)
{
    struct status st = STATUS_OK;
    struct bytes value;
    for (uint32_t i = 0; i < times; i++) {
        struct arena_mark mark = arena_mark(task->arena);
        TRY(read_now(task, arena_printf(task->arena, "%s%03u", prefix, i % keys), &value));
        arena_release(task->arena, mark);
    }
out:
    return st;
}

static struct status tune_here(struct task *task, void *arg)
{
    *range_tuning(task->shard) = *(const struct range_tuning *)arg;
    return STATUS_OK;
}

KV_TEST(range_upkeep, a_busy_range_is_cut_in_the_middle_of_what_is_asked_for)
{
    struct status st = STATUS_OK;
    struct kv_range *ranges;
    uint32_t count;
    struct range_tuning tuning = {.split_by_load = true, .split_rate = 200};
    TRY(shard_call_all(task, tune_here, &tuning));
    for (uint32_t round = 0; round < 2; round++) {
        TRY(ask_for(task, "k", 100, 700));
        TRY(look(task, 2, 1));
    }
    TRY(ranges_of(task, &ranges, &count));
    CHECK(count == 2);
    CHECK(bytes_compare(key(task, "k020"), ranges[1].span.start) < 0);
    CHECK(bytes_compare(ranges[1].span.start, key(task, "k080")) < 0);
    CHECK(ranges[0].slice == ranges[1].slice && ranges[1].sticky_ns == 0);
    // One key alone cannot be shared out.
    for (uint32_t round = 0; round < 4; round++) {
        TRY(ask_for(task, "z", 1, 700));
        TRY(look(task, 2, 1));
    }
    TRY(ranges_of(task, &ranges, &count));
    CHECK(count == 2);
    tuning.split_by_load = false;
    TRY(shard_call_all(task, tune_here, &tuning));
    for (uint32_t round = 0; round < 4; round++) {
        TRY(ask_for(task, "k", 100, 700));
        TRY(look(task, 2, 1));
    }
    TRY(ranges_of(task, &ranges, &count));
    CHECK(count == 2);
out:
    return st;
}

KV_TEST(range_upkeep, small_and_cold_neighbours_are_joined)
{
    struct status st = STATUS_OK;
    struct kv_range *ranges;
    struct bytes value;
    uint32_t count;
    struct range_tuning tuning = {.split_by_load = true, .split_rate = RANGE_SPLIT_RATE_DEFAULT, .merge = true};
    TRY(shard_call_all(task, tune_here, &tuning));
    TRY(put_now(task, "b", "1"));
    TRY(put_now(task, "n", "2"));
    TRY(kv_split(task, key(task, "c")));
    TRY(kv_split(task, key(task, "m")));
    TRY(kv_split_until(task, key(task, "q"), UINT64_MAX));
    TRY(kv_split(task, key(task, "t")));
    TRY(kv_move(task, key_span(task, "x", "z"), 1));
    TRY(ranges_of(task, &ranges, &count));
    CHECK(count == 7);
    TRY(look(task, 2, 2));
    TRY(ranges_of(task, &ranges, &count));
    CHECK(count == 7); // Not so soon.
    for (uint32_t i = 0; i < 6; i++) TRY(look(task, 2, RANGE_COLD_LOOKS));
    TRY(ranges_of(task, &ranges, &count));
    CHECK(count == 4); // The border that was made by hand stays, and what lies between other slices'.
    CHECK(bytes_equal(ranges[1].span.start, key(task, "q")) && ranges[1].sticky_ns == UINT64_MAX);
    TRY(kv_unsplit(task, key(task, "q")));
    for (uint32_t i = 0; i < 2; i++) TRY(look(task, 2, RANGE_COLD_LOOKS));
    TRY(ranges_of(task, &ranges, &count));
    CHECK(count == 3);
    for (int again = 0; again < 2; again++) {
        struct kv_test *test = arg;
        TRY(read_now(task, "b", &value));
        CHECK(is_text(value, "1"));
        TRY(read_now(task, "n", &value));
        CHECK(is_text(value, "2"));
        TRY(put_now(task, "y", "3"));
        TRY(ranges_of(task, &ranges, &count));
        CHECK(count == 3);
        if (again == 1) break;
        TRY(kv_stop(task));
        TRY(kv_start(task, &test->options));
    }
    CHECK_FAILS(kv_merge(task, key(task, "x")), E_NOT_IN_PREREQUISITE_STATE);
    CHECK_FAILS(kv_unsplit(task, key(task, "b")), E_NOT_IN_PREREQUISITE_STATE);
out:
    return st;
}

// The smaller one comes to the other's slice, and is joined there; nobody brings together what was moved a moment ago,
// what was cut by hand, or what is asked for.
KV_TEST(range_upkeep, small_and_cold_neighbours_in_different_slices_come_together)
{
    struct status st = STATUS_OK;
    struct kv_range *ranges;
    struct bytes value;
    uint32_t count;
    TRY(put_now(task, "b", "1"));
    TRY(put_now(task, "n", "2"));
    TRY(put_now(task, "x", "3"));
    TRY(kv_split_until(task, key(task, "w"), UINT64_MAX));
    TRY(kv_move(task, (struct span){key(task, "w"), key_tenant_span(task->arena, TENANT).end}, 1));
    TRY(kv_move(task, key_span(task, "m", "w"), 1));
    TRY(ranges_of(task, &ranges, &count));
    CHECK(count == 3 && ranges[0].slice == 2 && ranges[1].slice == 1 && ranges[2].slice == 1);
    TRY(look(task, 1, RANGE_COLD_LOOKS - 2));
    TRY(look(task, 2, RANGE_COLD_LOOKS));
    TRY(ask_for(task, "n", 1, 100));
    TRY(look(task, 1, 2)); // It is not cold.
    TRY(ranges_of(task, &ranges, &count));
    CHECK(ranges[0].slice == 2 && ranges[1].slice == 1 && count == 3);
    TRY(look(task, 1, RANGE_COLD_LOOKS));
    for (uint32_t waited = 0; ranges[1].slice != 2 && waited < 10000; waited++) {
        TRY(task_sleep(task, MS));
        TRY(ranges_of(task, &ranges, &count));
    }
    CHECK(ranges[0].slice == 2 && ranges[1].slice == 2 && count == 3);
    for (uint32_t waited = 0; count > 2 && waited < 10000; waited++) {
        TRY(task_sleep(task, MS));
        TRY(look(task, 2, RANGE_COLD_LOOKS));
        TRY(ranges_of(task, &ranges, &count));
    }
    TRY(look(task, 1, 3 * RANGE_COLD_LOOKS));
    TRY(ranges_of(task, &ranges, &count));
    CHECK(count == 2 && ranges[0].slice == 2 && ranges[1].slice == 1);
    CHECK(bytes_equal(ranges[1].span.start, key(task, "w")));
    static const char *const keys[] = {"b", "n", "x"}, *const values[] = {"1", "2", "3"};
    for (uint32_t i = 0; i < 3; i++) {
        TRY(read_now(task, keys[i], &value));
        CHECK(is_text(value, values[i]));
    }
out:
    return st;
}
