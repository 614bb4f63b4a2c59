// SPDX-License-Identifier: GPL-3.0-or-later
//
// Ranges: made, split, handed over and erased under clients that have cached where they were, and
// found again after a restart.
#include "tests/unit/kv/kv_harness.h"

#include "kv/kv_node.h"
#include "kv/range.h"
#include "kv/range_record.h"

static struct status range_count(struct task *task, uint64_t tenant, uint32_t *count)
{
    struct kv_range *ranges;
    return kv_ranges(task, key_tenant_span(task->arena, tenant), task->arena, &ranges, count);
}

static struct status restart(struct task *task, struct kv_test *test)
{
    struct status st = kv_stop(task);
    return failed(st) ? st : kv_start(task, &test->options);
}

KV_TEST(ranges, split_without_moving_anything)
{
    struct status st = STATUS_OK;
    struct kv_range *ranges;
    uint32_t count;
    struct bytes value;
    TRY(put_now(task, "b", "1"));
    TRY(put_now(task, "n", "2"));
    TRY(kv_split(task, key(task, "m")));
    TRY(kv_split(task, key(task, "m")));
    TRY(kv_split(task, key(task, "c")));
    TRY(kv_ranges(task, key_span(task, "a", "z"), task->arena, &ranges, &count));
    CHECK(count == 3);
    CHECK(bytes_equal(ranges[0].span.end, key(task, "c")));
    CHECK(bytes_equal(ranges[1].span.end, key(task, "m")));
    CHECK(ranges[0].id != ranges[1].id && ranges[1].id != ranges[2].id);
    CHECK(ranges[0].slice == ranges[2].slice);
    TRY(kv_ranges(task, key_span(task, "d", "e"), task->arena, &ranges, &count));
    CHECK(count == 1 && bytes_equal(ranges[0].span.start, key(task, "c")));
    for (int again = 0; again < 2; again++) {
        TRY(read_now(task, "b", &value));
        CHECK(is_text(value, "1"));
        TRY(read_now(task, "n", &value));
        CHECK(is_text(value, "2"));
        TRY(range_count(task, TENANT, &count));
        CHECK(count == 3);
        if (again == 0) TRY(restart(task, arg));
    }
    CHECK_FAILS(kv_split(task, key_in(task, 77, "x")), E_NOT_IN_PREREQUISITE_STATE);
out:
    return st;
}

KV_TEST(ranges, hand_over_only_what_is_empty)
{
    struct status st = STATUS_OK;
    struct bytes value;
    struct kv_range *ranges;
    uint32_t count;
    TRY(put_now(task, "b", "1"));
    TRY(put_now(task, "c", "1"));
    TRY(put_now(task, "c", NULL));
    CHECK_FAILS(kv_move_empty(task, key_span(task, "a", "e"), 1), E_NOT_IN_PREREQUISITE_STATE);
    // A tombstone is a version: a snapshot of the past may still ask for what it hides.
    CHECK_FAILS(kv_move_empty(task, key_span(task, "c", "d"), 1), E_NOT_IN_PREREQUISITE_STATE);
    TRY(read_now(task, "b", &value));
    CHECK(is_text(value, "1"));
    TRY(put_now(task, "c", "2"));
    CHECK_FAILS(kv_move_empty(task, key_span(task, "p", "q"), 4711), E_INVALID_PARAMETER_VALUE);
    TRY(kv_move_empty(task, key_span(task, "p", "q"), 1));
    TRY(kv_move_empty(task, key_span(task, "p", "q"), 1));
    for (int again = 0; again < 2; again++) {
        TRY(put_now(task, "p", "in slice 1"));
        TRY(put_now(task, "q", "still in slice 2"));
        TRY(read_now(task, "p", &value));
        CHECK(is_text(value, "in slice 1"));
        TRY(kv_ranges(task, key_span(task, "p", "q"), task->arena, &ranges, &count));
        CHECK(count == 1 && ranges[0].slice == 1);
        if (again == 0) TRY(restart(task, arg));
    }
out:
    return st;
}

// Writers go on while their span is handed from slice to slice: nothing is lost, nobody sees an
// error.
struct handover {
    bool stop;
    uint32_t written;
};

static struct status write_and_erase(struct task *task, void *arg)
{
    struct status st = STATUS_OK;
    struct worker *worker = arg;
    struct handover *handover = worker->context;
    for (uint32_t i = 0; !__atomic_load_n(&handover->stop, __ATOMIC_ACQUIRE); i++) {
        struct bytes value;
        char *name = arena_printf(task->arena, "w%u-%u", worker->number, i);
        TRY(put_now(task, name, name));
        TRY(read_now(task, name, &value));
        CHECK(is_text(value, name));
        __atomic_fetch_add(&handover->written, 1, __ATOMIC_RELAXED);
        TRY(task_yield(task));
    }
out:
    __atomic_store_n(&handover->stop, true, __ATOMIC_RELEASE);
    return st;
}

KV_TEST(ranges, move_under_clients_that_know_old_routes)
{
    struct status st = STATUS_OK;
    struct handover handover = {0};
    struct workers *workers = ARENA_NEW(task->arena, struct workers);
    for (uint32_t i = 0; i < 4; i++) {
        TRY(worker_start(task, workers, i, write_and_erase, &handover));
    }
    uint32_t slices = kv_node_of(task->shard->node)->slice_count;
    for (uint32_t i = 0; i < 12; i++) {
        // Splitting where they write, handing over what lies beside it.
        TRY(kv_split(task, key(task, arena_printf(task->arena, "w%u-%u", i % 4, i * 3))));
        TRY(kv_move_empty(task, key_span(task, "x", "y"), 1 + i % slices));
        char *name = arena_printf(task->arena, "x%u", i);
        struct status first = put_now(task, name, NULL); // A tombstone is in the way next time.
        (void)first.code;
        TRY(kv_clear(task, TENANT, key_span(task, "x", "y")));
        TRY(task_sleep(task, MS));
    }
    __atomic_store_n(&handover.stop, true, __ATOMIC_RELEASE);
    TRY(workers_wait(task, workers, 4));
    CHECK(handover.written > 0);
out:
    return st;
}

KV_TEST(ranges, of_a_tenant_come_and_go)
{
    struct status st = STATUS_OK;
    struct kv_txn *txn;
    struct bytes value;
    uint32_t count;
    uint32_t shard;
    const struct kv_txn_options options = {.tenant = 9};
    TRY(kv_tenant_create(task, 9, 0));
    TRY(kv_tenant_create(task, 9, 0)); // Repeated after a crash, say.
    TRY(range_count(task, 9, &count));
    CHECK(count == 1);
    TRY(kv_tenant_shard(task, 9, &shard));
    CHECK(shard < task->shard->node->shard_count);
    TRY(kv_txn_begin(task, &options, &txn));
    TRY(kv_put(task, txn, key_in(task, 9, "row"), BYTES_LITERAL("1")));
    TRY(kv_txn_commit(task, txn, NULL));
    TRY(kv_split(task, key_in(task, 9, "s")));
    TRY(kv_tenant_erase(task, 9));
    TRY(range_count(task, 9, &count));
    CHECK(count == 0);
    CHECK_FAILS(kv_read_now(task, 9, key_in(task, 9, "row"), task->arena, &value),
        E_NOT_IN_PREREQUISITE_STATE);
    TRY(kv_tenant_create(task, 9, 0));
    TRY(kv_read_now(task, 9, key_in(task, 9, "row"), task->arena, &value));
    CHECK(is_text(value, NULL));
    TRY(restart(task, arg));
    TRY(kv_read_now(task, 9, key_in(task, 9, "row"), task->arena, &value));
    CHECK(is_text(value, NULL));
    TRY(kv_tenant_erase(task, 9));
    TRY(kv_tenant_erase(task, 9));
    // The neighbour has all of its own.
    TRY(put_now(task, "b", "1"));
out:
    return st;
}

// As when whoever made the range was gone before it could tell its slice.
static struct status forget_told(struct task *task, void *arg)
{
    struct status st = STATUS_OK;
    const struct bytes *start = arg;
    struct kv_shard *kv = kv_shard_of(task->shard);
    for (uint32_t i = 0; i < kv->slice_count; i++) {
        const struct range_entry *entry = range_set_find(kv->slices[i]->ranges, *start);
        if (entry != NULL && bytes_equal(entry->range.span.start, *start))
            TRY(range_record_remove(task, kv->slices[i], *start));
    }
out:
    return st;
}

KV_TEST(ranges, a_tenant_that_is_created_again_is_told_again)
{
    struct status st = STATUS_OK;
    struct bytes value, start = key_tenant_span(task->arena, 9).start;
    task->deadline_ns = task_now_ns(task) + 10000 * MS; // What no slice serves is asked for until then.
    TRY(kv_tenant_create(task, 9, 0));
    TRY(shard_call_all(task, forget_told, &start));
    TRY(kv_tenant_create(task, 9, 0));
    TRY(kv_read_now(task, 9, key_in(task, 9, "row"), task->arena, &value));
out:
    return st;
}

KV_TEST(ranges, new_tenants_spread_over_slices)
{
    struct status st = STATUS_OK;
    struct kv_slice_info *slices;
    uint32_t count;
    for (uint64_t tenant = 10; tenant < 22; tenant++) TRY(kv_tenant_create(task, tenant, 0));
    TRY(kv_slices(task, task->arena, &slices, &count));
    CHECK(count == 2 * task->shard->node->shard_count);
    for (uint32_t i = 0; i < count; i++) {
        CHECK(slices[i].id == i + 1);
        CHECK(slices[i].ranges >= 12 / count);
        CHECK(slices[i].shard < task->shard->node->shard_count);
    }
out:
    return st;
}
