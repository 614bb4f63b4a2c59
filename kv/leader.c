// SPDX-License-Identifier: GPL-3.0-or-later
//
// What every request is checked for at its leader, and the locks that it takes or relies on. Requests themselves:
// kv/leader_read.c, leader_commit.c, leader_staged.c, leader_record.c, leader_raw.c, move_side.c.
#include "kv/leader.h"

#include "core/mark.h"
#include "kv/balance.h"
#include "kv/key.h"
#include "kv/leader_internal.h"
#include "kv/leader_wire.h"
#include "kv/move_side.h"
#include "kv/range.h"
#include "kv/slice_internal.h"
#include "kv/staged.h"
#include "kv/txn.h"

// --- what every request is checked for -----------------------------------------------------------

static struct status foreign(void)
{
    return status_make(E_INSUFFICIENT_PRIVILEGE, "key does not belong to this virtual cluster");
}

struct status leader_check_key(uint64_t tenant, struct bytes key)
{
    bool own = tenant == 0 ? span_contains(range_meta_span(), key) : key_in_tenant(key, tenant);
    return own ? STATUS_OK : foreign();
}

// The end of a span is no key of it: it may be the first one past the tenant's.
static bool is_tenant_end(uint64_t tenant, struct bytes end)
{
    if (tenant == 0) return bytes_equal(end, range_meta_span().end);
    struct arena arena;
    arena_init(&arena, NULL);
    bool is_end = bytes_equal(end, key_tenant_span(&arena, tenant).end);
    arena_fini(&arena);
    return is_end;
}

struct status leader_check_span(uint64_t tenant, struct span span)
{
    if (bytes_compare(span.start, span.end) > 0) {
        return status_make(E_INTERNAL, "span ends before it starts");
    }
    struct status st = leader_check_key(tenant, span.start);
    if (failed(st)) return st;
    if (!failed(leader_check_key(tenant, span.end))) return STATUS_OK;
    return is_tenant_end(tenant, span.end) ? STATUS_OK : foreign();
}

struct status leader_wrong_range(void)
{
    return status_make_retry(K_WRONG_RANGE, RETRY_STATEMENT, "the slice does not serve this key");
}

struct status leader_given_up(void)
{
    return status_make_retry(E_SERIALIZATION_FAILURE, RETRY_TRANSACTION,
        "could not serialize access: transaction was given up by another");
}

struct status leader_serves_key(struct slice *slice, uint64_t tenant, struct bytes key)
{
    struct status st = leader_check_key(tenant, key);
    if (failed(st)) return st;
    struct range_entry *entry = range_set_find(slice->ranges, key);
    if (entry == NULL) return leader_wrong_range();
    range_entry_ask(entry, key);
    return STATUS_OK;
}

struct status leader_serves_span(struct slice *slice, uint64_t tenant, struct span span)
{
    struct status st = leader_check_span(tenant, span);
    if (failed(st)) return st;
    if (!range_set_covers(slice->ranges, span)) return leader_wrong_range();
    struct range_entry *entry = range_set_find(slice->ranges, span.start);
    if (entry != NULL) range_entry_ask(entry, span.start);
    return STATUS_OK;
}

// Whoever goes by a descriptor that has changed since looks it up again. What this leader has not heard of yet is newer.
struct status leader_serves_as_told(struct slice *slice, const struct leader_call *call, struct bytes key)
{
    if (call->generation == 0) return STATUS_OK;
    const struct range_entry *entry = range_set_find(slice->ranges, key);
    return entry != NULL && call->generation < entry->range.generation ? leader_wrong_range() : STATUS_OK;
}

struct status leader_serves_reads(struct slice *slice, uint64_t tenant,
    const struct read_entry *entries, uint32_t count)
{
    struct status st = STATUS_OK;
    for (uint32_t i = 0; i < count && !failed(st); i++) {
        const struct read_entry *entry = &entries[i];
        st = read_entry_is_key(entry)
            ? leader_serves_key(slice, tenant, entry->start)
            : leader_serves_span(slice, tenant, (struct span){entry->start, entry->end});
    }
    return st;
}

struct status leader_slice(
    struct task *task, const struct leader_call *call, struct slice **slice)
{
    struct kv_shard *kv = kv_shard_of(task->shard);
    if (kv == NULL || kv->stopping) return status_make(E_ADMIN_SHUTDOWN, "storage is stopping");
    *slice = kv_slice_find(kv, call->slice);
    if (*slice != NULL) {
        // A follower's reads look for themselves whether it is far enough.
        if (call->follower) return STATUS_OK;
        struct status st = slice_may_serve(task, *slice);
        return failed(st) ? st : leader_staged_check(*slice, call);
    }
    // Of a slice that is nowhere no replica will ever be found.
    if (client_of(task)->directory == NULL) return leader_wrong_range();
    return status_make_retry(K_NOT_LEADER, RETRY_STATEMENT, "the slice has no replica here");
}

// Whether it would have cost no more at another node's leader: kv/balance.h.
static bool movable(const struct leader_call *call, enum leader_kind kind)
{
    if (call->relayed) return true;
    return kind == LEADER_SCAN && ((const struct leader_scan *)call)->batch.count > BALANCE_MOVABLE_ROWS;
}

struct status leader_run(struct task *task, struct leader_call *call, enum leader_kind kind)
{
    struct kv_shard *kv = kv_shard_of(task->shard);
    struct slice *slice = kv == NULL ? NULL : kv_slice_find(kv, call->slice);
    call->leader = 0;
    if (UNLIKELY(slice == NULL)) return leader_codec(kind)->run(task, call);
    slice_hold(slice);
    call->locks_since = 0; // Of what another leader has answered, none.
    const uint64_t turn = slice->turn;
    struct status st = leader_codec(kind)->run(task, call);
    slice->calls++;
    slice->calls_movable += movable(call, kind);
    // With other replicas that is no last word, nor is what a replica says whose log or store has failed.
    const bool unknown = status_is(st, E_AMBIGUOUS_RESULT);
    if (UNLIKELY(unknown || status_is(st, E_IO_ERROR)) && slice->leased &&
        (failed(slice->failed) || (unknown && slice->turn != turn)))
        st = status_make_retry(K_FATE_ELSEWHERE, RETRY_STATEMENT,
            "the replica lost its leadership while the request was under way");
    if (UNLIKELY(status_is(st, K_NOT_LEADER))) {
        uint32_t leader = slice_leader(slice);
        call->leader = leader == task->shard->node->id ? 0 : leader;
    }
    slice_let_go(slice);
    return st;
}

// --- locks ---------------------------------------------------------------------------------------

// Keys may be written by transactions that hold no lock of the table.
bool leader_has_writers(const struct slice *slice)
{
    return !list_empty(&slice->staged) || !list_empty(&slice->staging) ||
           !list_empty(&slice->prepared);
}

struct status leader_lock_key(struct task *task, struct slice *slice, struct leader_call *call,
    const struct kv_read *read, struct bytes key, struct lock_answer *answer)
{
    const struct lock_request request = {
        .owner = {leader_holder(call), call->owner.age_ns},
        .mode = read->lock,
        .wait = read->wait,
        .deadline_ns = call->lock_deadline_ns,
        .level = call->lock_level,
    };
    call->locks_taken++;
    if (move_shuts(slice, key, leader_holder(call))) return leader_wrong_range();
    if (UNLIKELY(leader_has_writers(slice))) {
        struct status st = leader_writer_known(slice, key, call->owner.txn);
        if (failed(st)) return st;
    }
    struct status st = lock_acquire(task, slice->locks, &request, key, answer);
    call->lock_wait_ns += answer->waited_ns;
    if (failed(st) || answer->skipped) return st;
    if (call->locks_since == 0) call->locks_since = answer->since;
    return st;
}

// Locks live in the leader's memory. Whoever relies on them instead of validating what it read is told when they went
// with an earlier leader, or were taken away because its node was silent; also if it has taken them again since.
struct status leader_check_held_key(
    struct slice *slice, const struct leader_call *call, const struct held_key *held)
{
    const struct bytes key = held->key;
    struct status st = leader_serves_key(slice, call->tenant, key);
    if (failed(st)) return st;
    if (LIKELY(lock_held_since(slice->locks, leader_holder(call), key, held->mode, held->since)))
        return STATUS_OK;
    uint64_t writer = 0; // What is staged is locked by being there.
    if (!list_empty(&slice->staged)) st = staged_owner(slice, key, 0, &writer);
    if (failed(st) || writer == call->owner.txn) return st;
    covered("leader.lost_locks");
    return status_make_retry(E_SERIALIZATION_FAILURE, RETRY_TRANSACTION,
        "could not serialize access: the locks of the transaction were lost");
}

struct status leader_check_held(struct slice *slice, const struct leader_call *call,
    const struct held_key *keys, uint32_t count)
{
    struct status st = STATUS_OK;
    for (uint32_t i = 0; i < count && !failed(st); i++)
        st = leader_check_held_key(slice, call, &keys[i]);
    return st;
}
