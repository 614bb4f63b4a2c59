// SPDX-License-Identifier: GPL-3.0-or-later
//
// What a transaction knows of its locks: which of them it relies on, and which it took since a savepoint.
#include "core/invariant.h"
#include "core/mark.h"
#include "kv/txn.h"

void txn_note_held(struct kv_txn *txn, struct bytes key, enum kv_lock mode, uint64_t since)
{
    if (txn->read_only) return;
    if (txn->held.count < TXN_HELD_MAX || held_set_find(&txn->held, key, mode) != NULL)
        held_set_add(&txn->held, key, mode, since);
    else if (txn->weak)
        read_set_add_key(&txn->reads, key); // No other can change it: a new snapshot finds it as it is.
    else
        txn->doomed = true;
}

void txn_note_lock(struct kv_txn *txn, struct bytes key, enum kv_lock mode, uint64_t since)
{
    if (txn->weak) {
        txn_note_held(txn, key, mode, since);
    } else if (txn->locked.count < TXN_HELD_MAX) {
        held_set_add(&txn->locked, key, mode, since);
    } else {
        txn->locked_more = true;
    }
}

// --- at the commit ---------------------------------------------------------------------------------------

static struct status parts_add(
    struct task *task, const struct held_set *set, const struct write_buffer *unwritten,
    struct txn_parts *parts)
{
    struct status st = STATUS_OK;
    for (uint32_t i = 0; i < set->count; i++) {
        const struct range *range;
        // Reads that are noted are validated: what else the lock was for is no matter once the row is written.
        if (unwritten != NULL && write_buffer_find(unwritten, set->keys[i].key) != NULL) continue;
        TRY(router_find(task, set->keys[i].key, false, &range));
        struct txn_part *part = txn_parts_get(parts, range->slice);
        if (part->held_count == part->held_capacity) {
            uint32_t capacity = part->held_capacity == 0 ? 4 : part->held_capacity * 2;
            part->held = arena_grow(parts->arena, part->held,
                part->held_capacity * sizeof *part->held, capacity * sizeof *part->held);
            part->held_capacity = capacity;
        }
        part->held[part->held_count++] = set->keys[i];
    }
out:
    return st;
}

struct status txn_parts_held(struct task *task, struct kv_txn *txn, struct txn_parts *parts)
{
    struct status st = parts_add(task, &txn->held, NULL, parts);
    return failed(st) ? st : parts_add(task, &txn->locked, &txn->writes, parts);
}

static struct status check_parts(
    struct task *task, struct kv_txn *txn, const struct txn_parts *parts)
{
    struct status st = STATUS_OK;
    struct leader_validate *checks =
        ARENA_ARRAY(&txn->arena, struct leader_validate, parts->count);
    struct leader_item *items = ARENA_ARRAY(&txn->arena, struct leader_item, parts->count);
    for (uint32_t i = 0; i < parts->count; i++) {
        memset(&checks[i], 0, sizeof checks[i]);
        txn_call_init(txn, task, parts->parts[i].slice, &checks[i].call);
        checks[i].held = parts->parts[i].held;
        checks[i].held_count = parts->parts[i].held_count;
        items[i] = (struct leader_item){.kind = LEADER_VALIDATE, .call = &checks[i].call};
    }
    leader_call_many(task, items, parts->count, &txn->arena);
    for (uint32_t i = 0; i < parts->count; i++) {
        txn_count(txn, &checks[i].call);
        if (failed(items[i].status) && (!failed(st) || status_is(st, K_WRONG_RANGE)))
            st = items[i].status;
        leader_reply_end(&checks[i].call);
    }
    return st;
}

struct status txn_check_locks(struct task *task, struct kv_txn *txn)
{
    struct status st = STATUS_OK;
    if (txn->read_only || txn->locked_count == 0) return st;
    for (uint32_t attempt = 0; attempt < ROUTE_ATTEMPTS_MAX; attempt++) {
        struct txn_parts parts = {.arena = &txn->arena};
        TRY(txn_parts_held(task, txn, &parts));
        st = check_parts(task, txn, &parts);
        if (!status_is(st, K_WRONG_RANGE)) break;
        TRY(router_evict_all(task, attempt));
    }
    TRY(st);
    if (txn->locked_more) TRY(txn_move(task, txn, hlc_now(&task->shard->hlc)));
out:
    return st;
}

// --- savepoints ------------------------------------------------------------------------------------------

struct kv_lock_mark kv_txn_lock_mark(struct kv_txn *txn)
{
    return (struct kv_lock_mark){
        .level = ++txn->lock_level,
        .held = txn->held.count,
        .locked = txn->locked.count,
        .known = txn->lock_hash_count,
        .count = txn->lock_count,
    };
}

void kv_txn_unlock_to(struct kv_txn *txn, const struct kv_lock_mark *mark)
{
    const uint32_t last = txn->lock_level++;
    invariant(mark->level <= last);
    if (txn->locked_count == 0) return;
    covered("txn.unlocked");
    for (uint32_t i = 0; i < txn->locked_count; i++)
        leader_release(txn->shard, txn->locked_slices[i], txn->lock_id, mark->level, last);
    held_set_cut(&txn->held, mark->held);
    held_set_cut(&txn->locked, mark->locked);
    if (txn->lock_hash_count > mark->known) txn->lock_hash_count = mark->known;
    if (txn->lock_count > mark->count) txn->lock_count = mark->count;
}
