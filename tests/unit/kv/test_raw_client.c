// SPDX-License-Identifier: GPL-3.0-or-later
//
// Raw versions over slices, as replication uses them: what is exported from one tenant and ingested
// into another, whose ranges lie elsewhere, has the same fingerprint at every timestamp; a revert
// takes back what lies above.
#include "tests/unit/kv/kv_harness.h"

#define COPY 9u

static struct status write_some(struct task *task, uint32_t round)
{
    struct status st = STATUS_OK;
    struct kv_txn *txn;
    TRY(begin(task, &txn));
    for (uint32_t i = 0; i < 40; i++) {
        struct bytes at = key_number(task, i % 2 == 0 ? "b" : "t", i);
        if ((i + round) % 5 == 0) {
            TRY(kv_delete(task, txn, at));
        } else {
            TRY(kv_put(task, txn, at,
                bytes_of_string(arena_printf(task->arena, "%u in round %u", i, round))));
        }
    }
    TRY(commit(task, txn));
out:
    return st;
}

// Copies the versions in (after, at] to the other tenant, in small pieces.
static struct status copy_versions(
    struct task *task, struct hlc_timestamp after, struct hlc_timestamp at, bool all)
{
    struct status st = STATUS_OK;
    struct kv_export export = {.tenant = TENANT,
        .span = key_tenant_span(task->arena, TENANT),
        .after = after,
        .at = at,
        .all = all,
        .bytes_max = 500};
    while (!export.done) {
        struct kv_version *versions;
        uint32_t count;
        TRY(kv_export_next(task, &export, task->arena, &versions, &count));
        for (uint32_t i = 0; i < count; i++) {
            versions[i].key = key_rewrite_tenant(task->arena, versions[i].key, COPY);
        }
        TRY(kv_ingest(task, COPY, versions, count));
        TRY(kv_ingest(task, COPY, versions, count / 2)); // The same version twice is one.
    }
out:
    return st;
}

static struct status same_at(struct task *task, struct hlc_timestamp ts, bool *same)
{
    struct kv_fingerprint own;
    struct kv_fingerprint copy;
    struct status st =
        kv_fingerprint(task, TENANT, key_tenant_span(task->arena, TENANT), ts, &own);
    if (failed(st)) return st;
    st = kv_fingerprint(task, COPY, key_tenant_span(task->arena, COPY), ts, &copy);
    *same = own.hash == copy.hash && own.keys == copy.keys && own.bytes == copy.bytes;
    return st;
}

// Who began to write before the tenant followed another cluster's cannot commit into what it receives.
static struct status late_write_is_refused(struct task *task, struct kv_txn *late)
{
    struct status st = STATUS_OK;
    struct hlc_timestamp ts;
    CHECK_FAILS(kv_txn_commit(task, late, &ts), E_NOT_IN_PREREQUISITE_STATE);
out:
    return st;
}

// What was removed when slices 1 and 2, which hold the copy, were done.
struct told {
    uint32_t count;
    uint64_t removed[2];
};

static void slice_done(void *arg, uint64_t slice, uint64_t removed)
{
    struct told *told = arg;
    if (slice <= 2) told->removed[slice - 1] = removed;
    told->count++;
}

KV_TEST(raw_client, copies_of_a_tenant_have_its_fingerprint)
{
    struct status st = STATUS_OK;
    struct hlc_timestamp times[4];
    bool same;
    uint64_t removed;
    TRY(kv_test_spread(task));
    TRY(kv_tenant_create(task, COPY, 1));
    TRY(kv_move_empty(
        task, (struct span){key_in(task, COPY, "c"), key_in(task, COPY, "t000020")}, 2));
    for (uint32_t round = 0; round < 4; round++) {
        TRY(write_some(task, round));
        TRY(kv_now(task, TENANT, &times[round]));
    }
    const struct kv_version early = {
        .key = key_in(task, COPY, "b"), .value = BYTES_LITERAL("early"), .ts = times[0]};
    CHECK_FAILS(kv_ingest(task, COPY, &early, 1), E_NOT_IN_PREREQUISITE_STATE);
    const struct kv_txn_options options = {.tenant = COPY};
    struct kv_txn *late;
    TRY(kv_txn_begin(task, &options, &late));
    TRY(kv_put(task, late, key_in(task, COPY, "late"), BYTES_LITERAL("stray")));
    TRY(kv_ingest_begin(task, COPY));
    TRY(late_write_is_refused(task, late));
    TRY(copy_versions(task, HLC_ZERO, times[1], false)); // The backfill,
    TRY(copy_versions(task, times[1], times[3], true));  // and what came after it.
    for (uint32_t round = 1; round < 4; round++) {
        TRY(same_at(task, times[round], &same));
        CHECK(same);
    }
    struct told told = {0};
    TRY(kv_revert_told(task, COPY, times[2], &removed, slice_done, &told));
    CHECK(removed == 40);
    CHECK(told.count >= 2 && told.removed[0] > 0 && told.removed[0] < told.removed[1] && told.removed[1] == 40);
    TRY(kv_revert(task, COPY, times[2], &removed));
    CHECK(removed == 0);
    TRY(same_at(task, times[2], &same));
    CHECK(same);
    TRY(same_at(task, times[3], &same));
    CHECK(!same);
    // A stream that nobody listens to any more may send something after the revert.
    TRY(copy_versions(task, times[2], times[3], true));
    TRY(kv_ingest_end(task, COPY, times[2]));
    TRY(same_at(task, times[2], &same));
    CHECK(same);
    TRY(same_at(task, times[3], &same));
    CHECK(!same);
    // Whatever comes later adds nothing and erases nothing.
    CHECK_FAILS(kv_ingest(task, COPY, &early, 1), E_NOT_IN_PREREQUISITE_STATE);
    CHECK_FAILS(kv_ingest_clear(task, COPY, (struct span){key_in(task, COPY, "a"), key_in(task, COPY, "z")}),
        E_NOT_IN_PREREQUISITE_STATE);
    // It serves now, and its commits are above all that it received.
    struct kv_txn *txn;
    struct hlc_timestamp ts;
    struct bytes value;
    TRY(kv_txn_begin(task, &options, &txn));
    TRY(kv_get(task, txn, NULL, key_in(task, COPY, "t000021"), task->arena, &value));
    CHECK(is_text(value, "21 in round 2"));
    TRY(kv_put(task, txn, key_in(task, COPY, "t000021"), BYTES_LITERAL("own")));
    TRY(kv_txn_commit(task, txn, &ts));
    CHECK(hlc_less(times[2], ts));
out:
    return st;
}
