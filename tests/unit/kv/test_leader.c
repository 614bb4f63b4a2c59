// SPDX-License-Identifier: GPL-3.0-or-later
//
// A leader believes no client: requests that name one tenant and keys of another are refused, in
// every kind of request, on the own shard and from another.
#include "tests/unit/kv/kv_harness.h"

#include "kv/entry.h"
#include "kv/leader.h"
#include "kv/range_admin.h"
#include "kv/rangefeed.h"
#include "kv/router.h"
#include "kv/slice_internal.h"
#include "kv/validate.h"

#define OTHER 3u

// Where the victim's keys really are, so that only the tenant check can refuse.
static struct status slice_of(struct task *task, struct bytes at, uint64_t *slice)
{
    const struct range *range;
    struct status st = router_find(task, at, false, &range);
    if (!failed(st)) *slice = range->slice;
    return st;
}

static struct status ask(struct task *task, struct leader_call *call, uint64_t slice,
    enum leader_kind kind)
{
    call->slice = slice;
    call->tenant = OTHER;
    call->owner = (struct lock_owner_id){1, 1};
    call->read_ts = hlc_now(&task->shard->hlc);
    struct status st = leader_call(task, call, task->arena, kind);
    leader_reply_end(call);
    return st;
}

static struct status forge(struct task *task, struct bytes at, struct span span, uint64_t slice)
{
    struct status st = STATUS_OK;
    struct bytes value;
    for (int lock = 0; lock < 2; lock++) {
        struct leader_get get = {.read.lock = lock ? KV_LOCK_UPDATE : KV_LOCK_NONE,
            .keys = &at, .values = &value, .count = 1};
        CHECK_FAILS(ask(task, &get.call, slice, LEADER_GET), E_INSUFFICIENT_PRIVILEGE);
        struct leader_scan scan = {.read.lock = get.read.lock, .span = span};
        CHECK_FAILS(ask(task, &scan.call, slice, LEADER_SCAN), E_INSUFFICIENT_PRIVILEGE);
    }
    struct leader_present present = {.key = at};
    CHECK_FAILS(ask(task, &present.call, slice, LEADER_PRESENT), E_INSUFFICIENT_PRIVILEGE);
    const struct read_entry reads[] = {{.start = at}, {span.start, span.end}};
    for (int i = 0; i < 2; i++) {
        struct leader_refresh refresh = {.entries = &reads[i], .count = 1};
        CHECK_FAILS(ask(task, &refresh.call, slice, LEADER_REFRESH), E_INSUFFICIENT_PRIVILEGE);
        struct leader_validate check = {.reads = &reads[i], .read_count = 1};
        CHECK_FAILS(ask(task, &check.call, slice, LEADER_VALIDATE), E_INSUFFICIENT_PRIVILEGE);
    }
    struct write_node *node = arena_alloc_zero(task->arena, sizeof *node + sizeof(void *));
    *node = (struct write_node){.key = at, .value = BYTES_LITERAL("forged"), .kind = WRITE_PUT};
    const struct write_node *writes[] = {node};
    const enum leader_kind commits[] = {LEADER_COMMIT, LEADER_PREPARE, LEADER_LOCK};
    for (int i = 0; i < 3; i++) {
        struct leader_commit commit = {.writes = writes, .write_count = 1};
        struct entry_builder builder;
        entry_begin(&builder, task->arena);
        entry_op_append(&builder,
            &(struct entry_op){.kind = commits[i] == LEADER_PREPARE ? ENTRY_PREPARE : ENTRY_WRITES,
                .tenant = OTHER,
                .txn = 1,
                .record_slice = slice});
        entry_item_append(&builder, &(struct entry_item){.key = at, .value = node->value});
        commit.payload = entry_end(&builder);
        CHECK_FAILS(ask(task, &commit.call, slice, commits[i]), E_INSUFFICIENT_PRIVILEGE);
    }
out:
    return st;
}

// A payload that says more than the writes beside it was made by our own client: it is not what is
// checked. But what clients can reach, the client's own functions, is checked before it is
// buffered.
static struct status forge_through_the_client(struct task *task, struct bytes at, struct span span)
{
    struct status st = STATUS_OK;
    struct kv_txn *txn;
    struct bytes value;
    struct kv_scan scan;
    struct kv_batch batch;
    int64_t number;
    const struct kv_txn_options options = {.tenant = OTHER};
    TRY(kv_txn_begin(task, &options, &txn));
    CHECK_FAILS(
        kv_get(task, txn, NULL, at, task->arena, &value), E_INSUFFICIENT_PRIVILEGE);
    CHECK_FAILS(kv_put(task, txn, at, BYTES_LITERAL("forged")), E_INSUFFICIENT_PRIVILEGE);
    CHECK_FAILS(kv_delete(task, txn, at), E_INSUFFICIENT_PRIVILEGE);
    CHECK_FAILS(kv_insert(task, txn, at, BYTES_LITERAL("forged"), task->arena, &value),
        E_INSUFFICIENT_PRIVILEGE);
    kv_scan_init(&scan, span);
    CHECK_FAILS(kv_scan_next(task, txn, &scan, task->arena, &batch), E_INSUFFICIENT_PRIVILEGE);
    kv_txn_rollback(task, txn);
    CHECK_FAILS(kv_read_now(task, OTHER, at, task->arena, &value), E_INSUFFICIENT_PRIVILEGE);
    CHECK_FAILS(kv_increment(task, OTHER, at, 0, 1, &number), E_INSUFFICIENT_PRIVILEGE);
    CHECK_FAILS(kv_clear(task, OTHER, span), E_INSUFFICIENT_PRIVILEGE);
    struct kv_fingerprint fingerprint;
    CHECK_FAILS(kv_fingerprint(task, OTHER, span, hlc_now(&task->shard->hlc), &fingerprint),
        E_INSUFFICIENT_PRIVILEGE);
    struct kv_export export = {
        .tenant = OTHER, .span = span, .at = hlc_now(&task->shard->hlc)};
    struct kv_version *versions;
    uint32_t count;
    CHECK_FAILS(kv_export_next(task, &export, task->arena, &versions, &count),
        E_INSUFFICIENT_PRIVILEGE);
    const struct kv_version version = {
        .key = at, .value = BYTES_LITERAL("forged"), .ts = hlc_now(&task->shard->hlc)};
    CHECK_FAILS(kv_ingest(task, OTHER, &version, 1), E_INSUFFICIENT_PRIVILEGE);
    const struct rangefeed_options feed_options = {.tenant = OTHER, .slice = 2, .span = span};
    struct rangefeed *feed;
    CHECK_FAILS(rangefeed_open(task, &feed_options, &feed), E_INSUFFICIENT_PRIVILEGE);
out:
    return st;
}

KV_TEST(leader, refuses_keys_of_other_tenants)
{
    struct status st = STATUS_OK;
    struct bytes value;
    uint64_t slice;
    TRY(kv_tenant_create(task, OTHER, 2));
    TRY(put_now(task, "secret", "42"));
    struct bytes secret = key(task, "secret");
    struct span own = key_tenant_span(task->arena, TENANT);
    struct span other = key_tenant_span(task->arena, OTHER);
    const struct span spans[] = {
        key_span(task, "a", "z"), own,
        {own.start, other.end},                           // Begins too early.
        {other.start, bytes_of((uint8_t[]){0xff}, 1)},    // Ends too late.
        {secret, other.end},
    };
    TRY(slice_of(task, secret, &slice));
    for (uint32_t i = 0; i < sizeof spans / sizeof spans[0]; i++) {
        TRY(forge(task, secret, spans[i], slice));
        TRY(forge_through_the_client(task, secret, spans[i]));
    }
    // Neither the cluster's own span, nor anything that is nobody's.
    const struct bytes strange[] = {
        BYTES_LITERAL("\x01r"), BYTES_LITERAL(""), BYTES_LITERAL("\x02"), BYTES_LITERAL("\x05x")};
    for (uint32_t i = 0; i < 4; i++) {
        struct span span = {strange[i], bytes_of((uint8_t[]){0xff}, 1)};
        TRY(forge(task, strange[i], span, 1));
    }
    TRY(read_now(task, "secret", &value));
    CHECK(is_text(value, "42"));
out:
    return st;
}

// Even the key right after the tenant's last is refused, and the tenant's own end is accepted.
KV_TEST(leader, knows_where_a_tenant_ends)
{
    struct status st = STATUS_OK;
    static const uint64_t tenants[] = {2, 0xf7, 0xf8, 0xff, 0x100, 0xffff, 1ull << 40};
    for (uint32_t i = 0; i < sizeof tenants / sizeof tenants[0]; i++) {
        struct span span = key_tenant_span(task->arena, tenants[i]);
        TRY(leader_check_span(tenants[i], span));
        CHECK_FAILS(leader_check_key(tenants[i], span.end), E_INSUFFICIENT_PRIVILEGE);
        span.end = key_next(task->arena, span.end);
        CHECK_FAILS(leader_check_span(tenants[i], span), E_INSUFFICIENT_PRIVILEGE);
    }
out:
    return st;
}

// --- what came after a prepare ---------------------------------------------------------------------

#define TXN 77u

// "b" is written, by a transaction of which only this part is shown.
static struct status prepare(struct task *task, struct hlc_timestamp read_ts, struct leader_commit *commit)
{
    struct write_node *node = arena_alloc_zero(task->arena, sizeof *node + sizeof(void *));
    *node = (struct write_node){.key = key(task, "b"), .value = BYTES_LITERAL("new"), .kind = WRITE_PUT};
    const struct write_node **writes = ARENA_ARRAY(task->arena, const struct write_node *, 1);
    writes[0] = node;
    *commit = (struct leader_commit){.writes = writes, .write_count = 1};
    struct entry_builder builder;
    entry_begin(&builder, task->arena);
    entry_op_append(&builder,
        &(struct entry_op){.kind = ENTRY_PREPARE, .tenant = TENANT, .txn = TXN, .record_slice = 2});
    entry_item_append(&builder, &(struct entry_item){.key = node->key, .value = node->value});
    commit->payload = entry_end(&builder);
    commit->call.slice = 2;
    commit->call.tenant = TENANT;
    commit->call.owner = (struct lock_owner_id){TXN, 1};
    commit->call.read_ts = read_ts;
    struct status st = leader_call(task, &commit->call, task->arena, LEADER_PREPARE);
    leader_reply_end(&commit->call);
    return st;
}

static struct status validate(struct task *task, struct hlc_timestamp read_ts,
    const struct leader_commit *prepared, const struct read_entry *reads, uint32_t count)
{
    struct leader_validate check = {.reads = reads,
        .read_count = count,
        .mark = prepared->mark,
        .epoch = prepared->epoch,
        .prepared = true,
        .to = hlc_now(&task->shard->hlc),
        .call = prepared->call};
    check.call.read_ts = read_ts;
    struct status st = leader_call(task, &check.call, task->arena, LEADER_VALIDATE);
    leader_reply_end(&check.call);
    return st;
}

static struct status forget(struct task *task, void *arg)
{
    struct slice *slice = kv_slice_find(kv_shard_of(task->shard), 2);
    (void)arg;
    validator_reset(slice->validator, slice->last_commit);
    return STATUS_OK;
}

// After a prepare its leader may forget what was written since, and a range may come with writes that it has not seen:
// that is no conflict. It looks at what there is, leaving out what the transaction itself has prepared.
KV_TEST(leader, what_it_does_not_remember_is_no_conflict)
{
    struct status st = STATUS_OK;
    struct leader_commit commit;
    const uint32_t shard = kv_slice_shard(2, task->shard->node->shard_count);
    const struct read_entry reads[] = {
        {.start = key(task, "a")}, {.start = key(task, "b"), .end = key(task, "d")}};
    TRY(put_now(task, "a", "1"));
    TRY(put_now(task, "b", "1"));
    TRY(put_now(task, "c", "1"));
    struct hlc_timestamp read_ts = hlc_now(&task->shard->hlc);
    TRY(prepare(task, read_ts, &commit));
    TRY(put_now(task, "x", "none of its business"));
    TRY(shard_call(task, shard, forget, NULL));
    TRY(validate(task, read_ts, &commit, reads, 2));
    // Another leader has prepared nothing itself.
    commit.epoch++;
    TRY(validate(task, read_ts, &commit, reads, 2));
    TRY(put_now(task, "c", "2"));
    CHECK_FAILS(validate(task, read_ts, &commit, reads, 2), E_SERIALIZATION_FAILURE);
    TRY(validate(task, read_ts, &commit, reads, 1));
    TRY(put_now(task, "a", "2"));
    CHECK_FAILS(validate(task, read_ts, &commit, reads, 1), E_SERIALIZATION_FAILURE);
    struct leader_resolve resolve = {.call = commit.call};
    TRY(leader_call(task, &resolve.call, task->arena, LEADER_RESOLVE));
    leader_reply_end(&resolve.call);
out:
    return st;
}

static struct status lose_locks(struct task *task, void *arg)
{
    (void)arg;
    lock_table_drop(kv_slice_find(kv_shard_of(task->shard), 2)->locks, status_make(K_NOT_LEADER, "led elsewhere"));
    return STATUS_OK;
}

static struct status lock_now(struct task *task, const char *text)
{
    struct status st;
    struct kv_txn *txn;
    struct bytes value;
    const struct kv_read read = {.lock = KV_LOCK_UPDATE, .wait = KV_WAIT_FAIL};
    TRY(begin(task, &txn));
    st = kv_get(task, txn, &read, key(task, text), task->arena, &value);
    kv_txn_rollback(task, txn);
out:
    return st;
}

// A commit that was begun anew has another name than the transaction's locks. A leader that has only found what it
// prepared makes it known by that name, until it is resolved.
KV_TEST(leader, what_was_prepared_is_locked_until_it_is_resolved_whoever_holds_the_locks)
{
    struct status st = STATUS_OK;
    struct leader_commit commit;
    TRY(put_now(task, "b", "1"));
    for (uint32_t i = 0; i < 3; i++) {
        TRY(prepare(task, hlc_now(&task->shard->hlc), &commit));
        TRY(shard_call(task, kv_slice_shard(2, task->shard->node->shard_count), lose_locks, NULL));
        CHECK_FAILS(lock_now(task, "b"), E_LOCK_NOT_AVAILABLE);
        struct leader_resolve resolve = {.call = commit.call, .keep_locks = i == 2};
        if (i > 0) resolve.call.holder = TXN + 1;
        TRY(leader_call(task, &resolve.call, task->arena, LEADER_RESOLVE));
        leader_reply_end(&resolve.call);
        TRY(lock_now(task, "b"));
    }
out:
    return st;
}

// Whoever goes by a descriptor that has changed since is sent to look it up again, also when the slice still has the key;
// one that the leader has not heard of yet is believed. Clients find out by themselves.
KV_TEST(leader, an_old_descriptor_is_redirected)
{
    struct status st = STATUS_OK;
    struct bytes value, at = key(task, "k");
    const struct range *range;
    TRY(put_now(task, "k", "1"));
    TRY(read_now(task, "k", &value)); // This shard knows the range.
    TRY(router_find(task, at, false, &range));
    const uint64_t before = range->generation, slice = range->slice;
    TRY(kv_split(task, key(task, "c")));
    const uint64_t generations[] = {before, before + 1, before + 2, 0};
    for (uint32_t i = 0; i < 4; i++) {
        struct leader_get get = {.keys = &at, .values = &value, .count = 1};
        struct leader_present present = {.key = at};
        struct leader_scan scan = {.span = key_span(task, "k", "l")};
        struct leader_call *const calls[] = {&get.call, &present.call, &scan.call};
        static const enum leader_kind kinds[] = {LEADER_GET, LEADER_PRESENT, LEADER_SCAN};
        for (uint32_t k = 0; k < 3; k++) {
            *calls[k] = (struct leader_call){.slice = slice, .tenant = TENANT, .generation = generations[i],
                .owner = {1, 1}, .read_ts = hlc_now(&task->shard->hlc)};
            st = leader_call(task, calls[k], task->arena, kinds[k]);
            leader_reply_end(calls[k]);
            CHECK(i == 0 ? status_is(st, K_WRONG_RANGE) : !failed(st));
        }
    }
    st = STATUS_OK;
    TRY(router_find(task, at, false, &range));
    CHECK(range->generation == before);
    TRY(read_now(task, "k", &value));
    CHECK(is_text(value, "1"));
    TRY(router_find(task, at, false, &range));
    CHECK(range->generation == before + 1 && bytes_equal(range->span.start, key(task, "c")));
out:
    return st;
}
