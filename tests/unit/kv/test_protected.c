// SPDX-License-Identifier: GPL-3.0-or-later
//
// Garbage collection by TTL goes as far as protected timestamps let it, and not a version further.
#include "tests/unit/kv/kv_harness.h"

#include "kv/kv_node.h"
#include "kv/slice.h"

static struct status collect_shard(struct task *task, void *arg)
{
    struct status st = STATUS_OK;
    struct kv_shard *kv = kv_shard_of(task->shard);
    (void)arg;
    for (uint32_t i = 0; i < kv->slice_count; i++) TRY(slice_gc(task, kv->slices[i], NULL));
out:
    return st;
}

static struct status collect(struct task *task)
{
    return shard_call_all(task, collect_shard, NULL);
}

static struct status value_at(
    struct task *task, struct hlc_timestamp ts, const char *text, struct bytes *value)
{
    struct kv_txn *txn;
    struct status st = begin_at(task, ts, &txn);
    if (failed(st)) return st;
    st = get(task, txn, text, value);
    kv_txn_rollback(task, txn);
    return st;
}

static struct status restart(struct task *task, struct kv_test *test)
{
    struct status st = kv_stop(task);
    return failed(st) ? st : kv_start(task, &test->options);
}

KV_TEST(protected, versions_outlive_the_ttl)
{
    struct status st = STATUS_OK;
    struct bytes value;
    struct hlc_timestamp first;
    struct hlc_timestamp second;
    struct kv_protection protection = {
        .id = "sixteen bytes id", .tenant = TENANT, .meta = BYTES_LITERAL("a test")};
    TRY(put_now(task, "a", "1"));
    TRY(kv_now(task, TENANT, &first));
    TRY(task_sleep(task, 2 * MS)); // Collection moves in steps of a millisecond.
    TRY(put_now(task, "a", "2"));
    TRY(kv_now(task, TENANT, &second));
    TRY(put_now(task, "a", "3"));
    protection.ts = first;
    TRY(kv_protect(task, &protection));
    TRY(kv_gc_ttl_set(task, TENANT, 1));
    TRY(task_sleep(task, MS));
    TRY(collect(task));
    TRY(value_at(task, first, "a", &value));
    CHECK(is_text(value, "1"));

    // It survives a restart, and so does the TTL.
    TRY(restart(task, arg));
    TRY(collect(task));
    TRY(value_at(task, first, "a", &value));
    CHECK(is_text(value, "1"));
    struct kv_protection *all;
    uint32_t count;
    TRY(kv_protections(task, task->arena, &all, &count));
    CHECK(count == 1 && all[0].tenant == TENANT && hlc_equal(all[0].ts, first));
    CHECK(bytes_equal(all[0].meta, protection.meta));

    TRY(kv_protect_move(task, protection.id, second));
    TRY(collect(task));
    CHECK_FAILS(value_at(task, first, "a", &value), E_BELOW_GC_THRESHOLD);
    TRY(value_at(task, second, "a", &value));
    CHECK(is_text(value, "2"));
    // Too late to protect what is gone; the record stays where it was.
    CHECK_FAILS(kv_protect_move(task, protection.id, first), E_NOT_IN_PREREQUISITE_STATE);
    TRY(collect(task));
    TRY(value_at(task, second, "a", &value));
    CHECK(is_text(value, "2"));

    TRY(kv_unprotect(task, protection.id));
    TRY(task_sleep(task, 2 * MS));
    TRY(collect(task));
    CHECK_FAILS(value_at(task, second, "a", &value), E_BELOW_GC_THRESHOLD);
    TRY(read_now(task, "a", &value));
    CHECK(is_text(value, "3"));
    protection.ts = second;
    CHECK_FAILS(kv_protect(task, &protection), E_NOT_IN_PREREQUISITE_STATE);
    TRY(kv_protections(task, task->arena, &all, &count));
    CHECK(count == 0);
    CHECK_FAILS(kv_protect_move(task, protection.id, second), E_UNDEFINED_OBJECT);
out:
    return st;
}

// Whoever keeps versions for less time sees them go: collection comes at beats of half a minute, or much more seldom.
KV_TEST(protected, a_lowered_ttl_acts_at_once)
{
    struct status st = STATUS_OK;
    struct bytes value;
    struct hlc_timestamp first;
    const uint64_t until_ns = task_now_ns(task) + GC_EVERY_NS / 2;
    TRY(put_now(task, "a", "1"));
    TRY(kv_now(task, TENANT, &first));
    TRY(task_sleep(task, 2 * MS));
    TRY(put_now(task, "a", "2"));
    TRY(kv_gc_ttl_set(task, TENANT, 1));
    do {
        if (task_now_ns(task) > until_ns) return status_make(E_INTERNAL, "the versions do not go");
        TRY(task_sleep(task, MS));
        st = value_at(task, first, "a", &value);
    } while (!failed(st));
    CHECK(status_is(st, E_BELOW_GC_THRESHOLD));
    TRY(read_now(task, "a", &value));
    CHECK(is_text(value, "2"));
out:
    return st;
}

KV_TEST(protected, other_tenants_are_collected_meanwhile)
{
    struct status st = STATUS_OK;
    struct bytes value;
    struct hlc_timestamp first;
    const struct kv_protection protection = {.id = "sixteen bytes id", .tenant = 1234};
    struct kv_protection placed = protection;
    TRY(put_now(task, "a", "1"));
    TRY(kv_now(task, TENANT, &first));
    TRY(put_now(task, "a", "2"));
    placed.ts = first;
    TRY(kv_protect(task, &placed));
    TRY(kv_gc_ttl_set(task, TENANT, 1));
    TRY(task_sleep(task, MS));
    TRY(collect(task));
    CHECK_FAILS(value_at(task, first, "a", &value), E_BELOW_GC_THRESHOLD);
out:
    return st;
}
