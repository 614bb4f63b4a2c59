// SPDX-License-Identifier: GPL-3.0-or-later
//
// Points: a key, several keys, and inserts, which are locking reads before writes.
#include <stdlib.h>

#include "core/invariant.h"
#include "kv/key.h"
#include "kv/txn.h"

static const struct kv_read plain_read = {0};

static struct status check_key(const struct kv_txn *txn, struct bytes key)
{
    if (UNLIKELY(key.size > KEY_BYTES_MAX)) {
        return status_make(E_PROGRAM_LIMIT_EXCEEDED, "key is longer than 16 KiB");
    }
    (void)txn;
    return STATUS_OK;
}

// What the transaction itself wrote there, if it did.
// A copy: the buffer is emptied when it is staged.
static bool overlay(const struct kv_txn *txn, const struct kv_read *read, struct bytes key,
    struct arena *arena, struct bytes *value)
{
    struct bytes own;
    if (txn->writes.count == 0) return false;
    const struct write_node *node = write_buffer_find(&txn->writes, key);
    if (node == NULL) return false;
    const enum write_kind kind = write_node_before(node, txn_mark_epoch(read), &own);
    if (kind == WRITE_NONE) return false;
    *value = kind == WRITE_PUT ? arena_copy(arena, own) : (struct bytes){0};
    return true;
}

// A lock is noted by itself, and is all there is to say where reads are not noted.
static void note_read(
    struct kv_txn *txn, const struct kv_read *read, struct bytes key, bool found)
{
    if (txn->weak && read->lock != KV_LOCK_NONE) return;
    if (!txn_notes_reads(txn)) return;
    if (read->no_validate && read->lock == KV_LOCK_NONE) return;
    // It is there as long as the lock is held.
    if (read->no_validate && found && held_set_find(&txn->held, key, read->lock) != NULL) return;
    read_set_add_key(txn_noted(txn), key);
}

static void note_lock(struct kv_txn *txn, const struct kv_read *read, struct bytes key, bool found,
    uint64_t since)
{
    if (read->no_validate && found && txn->held.count < TXN_HELD_FOUND_MAX) {
        txn_note_held(txn, key, read->lock, since);
    } else {
        txn_note_lock(txn, key, read->lock, since);
    }
}

// One point at its slice, wherever that is by now.
static struct status get_one(struct task *task, struct kv_txn *txn, struct leader_get *get,
    struct arena *arena)
{
    struct status st = STATUS_OK;
    for (uint32_t attempt = 0; attempt < ROUTE_ATTEMPTS_MAX; attempt++) {
        const struct range *range;
        TRY(router_find(task, get->keys[0], false, &range));
        txn_call_init(txn, task, range->slice, &get->call);
        txn_call_mark(txn, get->read.mark, arena, &get->call);
        get->call.generation = router_generation(range, attempt);
        if (get->read.lock != KV_LOCK_NONE) txn_note_locks(txn, range->slice);
        st = leader_call(task, &get->call, arena, LEADER_GET);
        txn_count(txn, &get->call);
        if (LIKELY(!failed(st))) break;
        leader_reply_end(&get->call);
        if (status_is(st, K_MOVED)) {
            TRY(txn_move(task, txn, get->call.moved_to));
        } else if (status_is(st, K_WRONG_RANGE)) {
            TRY(router_evict(task, get->keys[0], false, attempt));
        } else {
            break;
        }
    }
out:
    return st;
}

struct status kv_get(struct task *task, struct kv_txn *txn, const struct kv_read *read,
    struct bytes key, struct arena *arena, struct bytes *value)
{
    struct status st = STATUS_OK;
    if (read == NULL) read = &plain_read;
    bool skipped = false;
    *value = (struct bytes){0};
    struct leader_get get; // Only what is used is set: this is the hottest path.
    get.call.remote = false;
    TRY(txn_check(txn, read->lock != KV_LOCK_NONE));
    TRY(check_key(txn, key));
    if (overlay(txn, read, key, arena, value)) return STATUS_OK;

    bool note;
    get.read = txn_read_mode(txn, read, &note);
    get.keys = &key;
    get.values = value;
    get.skipped = &skipped;
    get.count = 1;
    TRY(get_one(task, txn, &get, arena));
    *value = leader_reply_take(&get.call, arena, *value);
    // No further: beyond that it is the lock alone that says that the value is the newest.
    if (!hlc_is_zero(get.call.moved_to)) TRY(txn_move_to(task, txn, get.call.moved_to));
    if (skipped) goto out;
    txn_lock_known(txn, key, get.read.lock);
    if (get.call.locks_since != 0)
        note_lock(txn, read, key, value->data != NULL, get.call.locks_since);
    if (UNLIKELY(note)) {
        read_set_add_key(&txn->reads, key);
    } else {
        note_read(txn, read, key, value->data != NULL);
    }
    txn->stats.rows_read += value->data != NULL;
    txn->stats.bytes_read += value->size;
out:
    leader_reply_end(&get.call);
    return txn_outcome(txn, st);
}

struct status kv_read_now(struct task *task, uint64_t tenant, struct bytes key,
    struct arena *arena, struct bytes *value)
{
    struct status st = STATUS_OK;
    struct kv_shard *kv = kv_shard_of(task->shard);
    if (kv == NULL || kv->stopping) return status_make(E_ADMIN_SHUTDOWN, "storage is stopping");
    struct leader_present get = {.key = key};
    for (uint32_t attempt = 0; attempt < ROUTE_ATTEMPTS_MAX; attempt++) {
        const struct range *range;
        TRY(router_find(task, key, false, &range));
        get.call.slice = range->slice;
        get.call.generation = router_generation(range, attempt);
        get.call.tenant = tenant;
        st = leader_call(task, &get.call, arena, LEADER_PRESENT);
        if (LIKELY(!status_is(st, K_WRONG_RANGE))) break;
        leader_reply_end(&get.call);
        TRY(router_evict(task, key, false, attempt));
    }
    TRY(st);
    *value = leader_reply_take(&get.call, arena, get.value);
out:
    leader_reply_end(&get.call);
    return st;
}

// --- many ----------------------------------------------------------------------------------------

// A key still to be read, and where its answer goes.
struct wanted {
    struct bytes key;
    uint32_t index;
};

static int wanted_order(const void *left, const void *right)
{
    const struct wanted *a = left;
    const struct wanted *b = right;
    return bytes_compare(a->key, b->key);
}

// Keys of one slice, as one request.
struct get_part {
    struct leader_get get;
    struct bytes *keys;
    struct bytes *values;
    bool *skipped;
    uint32_t *indexes;
};

struct get_batch {
    struct kv_txn *txn;
    const struct kv_read *read;
    struct arena scratch;
    struct wanted *wanted;
    uint32_t wanted_count;
    struct get_part *parts;
    uint32_t part_count, part_capacity;
    struct hlc_timestamp moved_to;
    bool stale; // Some route was.
    bool uncertain; // Some value was: what was read is of a snapshot that will move.
};

static struct get_part *part_of(struct get_batch *batch, uint64_t slice)
{
    for (uint32_t i = batch->part_count; i-- > 0;) {
        if (batch->parts[i].get.call.slice == slice) return &batch->parts[i];
    }
    if (batch->part_count == batch->part_capacity) {
        uint32_t capacity = batch->part_capacity == 0 ? 2 : batch->part_capacity * 2;
        batch->parts = arena_grow(&batch->scratch, batch->parts,
            batch->part_capacity * sizeof *batch->parts, capacity * sizeof *batch->parts);
        batch->part_capacity = capacity;
    }
    struct get_part *part = &batch->parts[batch->part_count++];
    memset(part, 0, sizeof *part);
    part->get.call.slice = slice;
    part->keys = ARENA_ARRAY(&batch->scratch, struct bytes, batch->wanted_count);
    part->values = ARENA_ARRAY(&batch->scratch, struct bytes, batch->wanted_count);
    part->skipped = ARENA_ARRAY(&batch->scratch, bool, batch->wanted_count);
    part->indexes = ARENA_ARRAY(&batch->scratch, uint32_t, batch->wanted_count);
    return part;
}

static struct status batch_group(struct task *task, struct get_batch *batch)
{
    struct status st = STATUS_OK;
    batch->part_count = 0;
    for (uint32_t i = 0; i < batch->wanted_count; i++) {
        const struct range *range;
        TRY(router_find(task, batch->wanted[i].key, false, &range));
        struct get_part *part = part_of(batch, range->slice);
        part->keys[part->get.count] = batch->wanted[i].key;
        part->indexes[part->get.count++] = batch->wanted[i].index;
    }
out:
    return st;
}

static void part_request(struct get_batch *batch, struct task *task, struct get_part *part)
{
    txn_call_init(batch->txn, task, part->get.call.slice, &part->get.call);
    txn_call_mark(batch->txn, batch->read->mark, &batch->scratch, &part->get.call);
    part->get.read = *batch->read;
    part->get.keys = part->keys;
    part->get.values = part->values;
    part->get.skipped = part->skipped;
    if (batch->read->lock != KV_LOCK_NONE) txn_note_locks(batch->txn, part->get.call.slice);
}

// All parts at once; the status of each is left in its item.
static void batch_send(struct task *task, struct get_batch *batch, struct arena *arena,
    struct leader_item *items)
{
    for (uint32_t i = 0; i < batch->part_count; i++) {
        part_request(batch, task, &batch->parts[i]);
    }
    if (batch->part_count == 1) {
        items[0].status = leader_call(task, &batch->parts[0].get.call, arena, LEADER_GET);
        return;
    }
    for (uint32_t i = 0; i < batch->part_count; i++) {
        items[i] = (struct leader_item){.kind = LEADER_GET, .call = &batch->parts[i].get.call};
    }
    leader_call_many(task, items, batch->part_count, arena);
}

static void part_take(struct get_batch *batch, struct get_part *part, struct arena *arena,
    struct bytes *values, bool *skipped)
{
    struct kv_txn *txn = batch->txn;
    for (uint32_t i = 0; i < part->get.count; i++) {
        uint32_t index = part->indexes[i];
        values[index] = leader_reply_take(&part->get.call, arena, part->values[i]);
        if (skipped != NULL) skipped[index] = part->skipped[i];
        txn->stats.rows_read += values[index].data != NULL;
        txn->stats.bytes_read += values[index].size;
        if (part->get.call.locks_since != 0 && !part->skipped[i])
            note_lock(txn, batch->read, part->keys[i], part->values[i].data != NULL,
                part->get.call.locks_since);
    }
    batch->moved_to = hlc_max(batch->moved_to, part->get.call.moved_to);
}

// Before the snapshot moves, or may: what was read of it so far must not have changed then. What was read under a lock
// is of the moment when that was given, between the snapshots: the lock must last.
static void batch_note(struct get_batch *batch, const struct leader_item *items)
{
    bool moves = batch->uncertain || batch->stale || !hlc_is_zero(batch->moved_to);
    for (uint32_t i = 0; moves && i < batch->part_count; i++) {
        const struct get_part *part = &batch->parts[i];
        if (failed(items[i].status)) continue;
        for (uint32_t k = 0; k < part->get.count; k++) {
            if (part->skipped[k]) continue;
            if (batch->read->lock != KV_LOCK_NONE)
                txn_note_held(batch->txn, part->keys[k], batch->read->lock, part->get.call.locks_since);
            else
                note_read(batch->txn, batch->read, part->keys[k], part->values[k].data != NULL);
        }
    }
    batch->uncertain = false;
}

// One round: sends what is wanted, takes what came, leaves what has to be routed anew.
static struct status batch_round(struct task *task, struct get_batch *batch, struct arena *arena,
    struct bytes *values, bool *skipped)
{
    struct status st = STATUS_OK;
    TRY(batch_group(task, batch));
    struct leader_item *items =
        ARENA_ARRAY(&batch->scratch, struct leader_item, batch->part_count);
    batch_send(task, batch, arena, items);
    batch->wanted_count = 0;
    for (uint32_t i = 0; i < batch->part_count; i++) {
        struct get_part *part = &batch->parts[i];
        txn_count(batch->txn, &part->get.call);
        if (!failed(items[i].status)) {
            part_take(batch, part, arena, values, skipped);
        } else if (status_is(items[i].status, K_WRONG_RANGE) ||
            status_is(items[i].status, K_MOVED)) {
            batch->moved_to = hlc_max(batch->moved_to, part->get.call.moved_to);
            batch->stale = batch->stale || status_is(items[i].status, K_WRONG_RANGE);
            batch->uncertain = batch->uncertain || status_is(items[i].status, K_MOVED);
            for (uint32_t k = 0; k < part->get.count; k++) {
                batch->wanted[batch->wanted_count++] =
                    (struct wanted){part->keys[k], part->indexes[k]};
            }
        } else if (!failed(st)) {
            st = items[i].status;
        }
        leader_reply_end(&part->get.call);
    }
    batch_note(batch, items);
out:
    return st;
}

static struct status get_many(struct task *task, struct kv_txn *txn, const struct kv_read *read,
    const struct bytes *keys, uint32_t count, struct arena *arena, struct bytes *values,
    bool *skipped)
{
    struct status st = STATUS_OK;
    struct get_batch batch = {.txn = txn, .read = read};
    arena_init(&batch.scratch, txn->arena.account);
    batch.wanted = ARENA_ARRAY(&batch.scratch, struct wanted, count);
    bool sorted = true;
    for (uint32_t i = 0; i < count; i++) {
        TRY(check_key(txn, keys[i]));
        if (skipped != NULL) skipped[i] = false;
        if (overlay(txn, read, keys[i], arena, &values[i])) continue;
        values[i] = (struct bytes){0};
        uint32_t n = batch.wanted_count++;
        batch.wanted[n] = (struct wanted){keys[i], i};
        if (n > 0 && bytes_compare(batch.wanted[n - 1].key, keys[i]) > 0) sorted = false;
    }
    if (!sorted) qsort(batch.wanted, batch.wanted_count, sizeof *batch.wanted, wanted_order);

    for (uint32_t attempt = 0; batch.wanted_count > 0; attempt++) {
        if (attempt == ROUTE_ATTEMPTS_MAX) {
            st = status_make(E_INTERNAL, "ranges move faster than they can be found");
            goto out;
        }
        TRY(batch_round(task, &batch, arena, values, skipped));
        if (batch.stale) TRY(router_evict_all(task, attempt));
        batch.stale = false;
        if (!hlc_is_zero(batch.moved_to))
            TRY(batch.uncertain ? txn_move(task, txn, batch.moved_to)
                                : txn_move_to(task, txn, batch.moved_to));
        batch.moved_to = HLC_ZERO;
    }
out:
    arena_fini(&batch.scratch);
    return st;
}

// A lock that lets others change the row, or make it, says nothing of its value: those of several keys may be of different
// instants.
static bool values_may_differ(const struct kv_txn *txn, const struct kv_read *read)
{
    return read->lock == KV_LOCK_KEY_SHARE && !txn->weak;
}

// What was locked, as of the snapshot; when only what there is counts (no_validate), what was not found.
static struct status get_again(struct task *task, struct kv_txn *txn, const struct kv_read *read,
    const struct bytes *keys, uint32_t count, struct arena *arena, struct bytes *values,
    const bool *skipped)
{
    struct status st = STATUS_OK;
    struct arena scratch;
    const struct kv_read plain = {.mark = read->mark};
    arena_init(&scratch, txn->arena.account);
    struct bytes *wanted = ARENA_ARRAY(&scratch, struct bytes, count);
    struct bytes *found = ARENA_ARRAY(&scratch, struct bytes, count);
    uint32_t *places = ARENA_ARRAY(&scratch, uint32_t, count);
    uint32_t wanted_count = 0;
    for (uint32_t i = 0; i < count; i++) {
        if ((read->no_validate && values[i].data != NULL) || (skipped != NULL && skipped[i])) continue;
        wanted[wanted_count] = keys[i];
        places[wanted_count++] = i;
    }
    if (wanted_count == 0) goto out;
    TRY(get_many(task, txn, &plain, wanted, wanted_count, arena, found, NULL));
    for (uint32_t i = 0; i < wanted_count; i++) values[places[i]] = found[i];
out:
    arena_fini(&scratch);
    return st;
}

struct status kv_get_many(struct task *task, struct kv_txn *txn, const struct kv_read *read,
    const struct bytes *keys, uint32_t count, struct arena *arena, struct bytes *values,
    bool *skipped)
{
    struct status st = STATUS_OK;
    bool note;
    if (read == NULL) read = &plain_read;
    TRY(txn_check(txn, read->lock != KV_LOCK_NONE));
    if (count == 0) return STATUS_OK;
    const struct kv_read mode = txn_read_mode(txn, read, &note);
    for (uint32_t i = 0; note && i < count; i++) read_set_add_key(&txn->reads, keys[i]);
    TRY(get_many(task, txn, &mode, keys, count, arena, values, skipped));
    if (values_may_differ(txn, &mode))
        TRY(get_again(task, txn, &mode, keys, count, arena, values, skipped));
    for (uint32_t i = 0; i < count; i++) {
        if (!note && (skipped == NULL || !skipped[i]))
            note_read(txn, read, keys[i], values[i].data != NULL);
    }
out:
    return txn_outcome(txn, st);
}

// --- inserts -------------------------------------------------------------------------------------

struct status kv_insert_many(struct task *task, struct kv_txn *txn, const struct kv_pair *pairs,
    uint32_t count, struct arena *arena, struct bytes *existing)
{
    struct status st = STATUS_OK;
    struct arena scratch;
    arena_init(&scratch, txn->arena.account);
    TRY(txn_check(txn, true));
    struct bytes *keys = ARENA_ARRAY(&scratch, struct bytes, count);
    for (uint32_t i = 0; i < count; i++) keys[i] = pairs[i].key;

    // A bulk load does not fill the lock table: what it reads is validated at commit instead.
    bool locks = txn->lock_count < TXN_LOCKS_INSERT_MAX && txn->stage_count == 0;
    const struct kv_read read = {.lock = locks ? KV_LOCK_UPDATE : KV_LOCK_NONE};
    TRY(get_many(task, txn, &read, keys, count, arena, existing, NULL));
    if (!locks && hlc_is_zero(txn->unlocked_ts)) txn->unlocked_ts = txn->read_ts;
    for (uint32_t i = 0; i < count; i++) {
        if (existing[i].data != NULL) {
            note_read(txn, &read, keys[i], true);
            continue;
        }
        if (locks) txn_lock_known(txn, keys[i], KV_LOCK_UPDATE);
        TRY(txn_put(task, txn, keys[i], pairs[i].value, true));
    }
out:
    arena_fini(&scratch);
    return txn_outcome(txn, st);
}

struct status kv_insert(struct task *task, struct kv_txn *txn, struct bytes key,
    struct bytes value, struct arena *arena, struct bytes *existing)
{
    const struct kv_pair pair = {key, value};
    return kv_insert_many(task, txn, &pair, 1, arena, existing);
}
