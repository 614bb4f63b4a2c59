// SPDX-License-Identifier: GPL-3.0-or-later
//
// Applying entries to the store. Everything here is idempotent: after a crash the log is replayed from the
// last checkpoint's applied index, and a checkpoint may have caught a large entry half applied.
#include "core/invariant.h"
#include "core/log.h"
#include "core/mark.h"
#include "kv/slice_internal.h"
#include "kv/staged.h"

// A transaction larger than this is cut in two where that is allowed: the store keeps its changes in memory.
#define TRANSACTION_BYTES_MAX (1u << 20)
#define TRANSACTION_ITEMS_MAX 200u // About half a millisecond: others want to run, too.

struct bytes meta_number_key(
    enum meta_letter letter, uint64_t number, uint8_t out[META_NUMBER_KEY_BYTES])
{
    out[0] = (uint8_t)letter;
    for (uint32_t i = 0; i < 8; i++)
        out[1 + i] = (uint8_t)(number >> (56 - 8 * i));
    return bytes_of(out, META_NUMBER_KEY_BYTES);
}

struct status slice_apply_pause(struct slice_apply *apply, size_t bytes)
{
    if (apply->task == NULL) return STATUS_OK;
    apply->bytes += bytes;
    if (++apply->items < TRANSACTION_ITEMS_MAX && apply->bytes < TRANSACTION_BYTES_MAX &&
        !SIM_MAYBE("slice.apply_cut"))
        return STATUS_OK;
    struct store *store = apply->slice->store;
    struct status st = store_commit(store);
    if (failed(st)) return st;
    apply->bytes = apply->items = 0;
    // Readers that run meanwhile find the keys pending, or read below them.
    st = task_yield(apply->task);
    if (failed(st)) task_cancel_clear(apply->task); // Applying is not cancellable.
    return store_begin(store);
}

// A long value's pieces come first, with pauses: nobody sees them before the record is there.
struct status slice_apply_put(struct slice_apply *apply, struct bytes key, struct hlc_timestamp ts,
    struct bytes value, bool tombstone, bool in_any_order)
{
    struct mvcc *mvcc = &apply->slice->mvcc;
    struct status st = STATUS_OK;
    const uint32_t pieces = tombstone ? 0 : mvcc_piece_count(value.size);
    for (uint32_t i = 0; i < pieces; i++) {
        TRY(mvcc_put_piece(mvcc, key, ts, value, i));
        TRY(slice_apply_pause(apply, value.size / pieces));
    }
    TRY(mvcc_put_record(mvcc, key, ts, value, tombstone, in_any_order));
    st = slice_apply_pause(apply, key.size + (pieces > 0 ? 0 : value.size) + 64);
out:
    return st;
}

static struct status apply_writes(
    struct slice_apply *apply, const struct entry_op *op, struct hlc_timestamp ts)
{
    struct entry_items items;
    struct entry_item item;
    struct status st = STATUS_OK;
    entry_items_open(op, &items);
    while (entry_item_next(&items, &item)) {
        TRY(slice_apply_put(apply, item.key, ts, item.value, item.tombstone, false));
    }
out:
    return st;
}

static struct status apply_ingest(struct slice_apply *apply, const struct entry_op *op)
{
    struct slice *slice = apply->slice;
    struct slice_tenant tenant;
    struct entry_items items;
    struct entry_item item;
    // From the store, not from memory: an earlier entry of this transaction may have begun the ingestion.
    struct status st = slice_tenant_load(slice, op->tenant, &tenant);
    if (failed(st)) return st;
    entry_items_open(op, &items);
    while (entry_item_next(&items, &item)) {
        // What is received is found by its time from the moment that it is there.
        if (tenant.ingesting) TRY(mvcc_time_put(&slice->mvcc, op->tenant, item.ts, item.key));
        TRY(slice_apply_put(apply, item.key, item.ts, item.value, item.tombstone, true));
    }
out:
    return st;
}

static struct status apply_revert(struct slice_apply *apply, const struct entry_op *op)
{
    struct slice *slice = apply->slice;
    struct entry_items items;
    struct entry_item item;
    struct status st = STATUS_OK;
    struct arena arena;
    uint64_t removed = 0;
    arena_init(&arena, NULL);
    entry_items_open(op, &items);
    while (entry_item_next(&items, &item)) {
        TRY(mvcc_revert_key(&slice->mvcc, item.key, op->ts, &removed));
        struct span at = mvcc_time_span(&arena, op->tenant, item.ts, hlc_next(item.ts));
        struct buffer key;
        buffer_init(&key, &arena);
        buffer_append_bytes(&key, at.start);
        buffer_append_bytes(&key, item.key);
        TRY(store_remove(slice->store, STORE_TIME, buffer_bytes(&key)));
        arena_reset(&arena);
        TRY(slice_apply_pause(apply, 2 * item.key.size + 256));
    }
out:
    arena_fini(&arena);
    return st;
}

// The prepared writes are kept as an entry of their own, with this operation alone.
static struct status apply_prepare(
    struct slice_apply *apply, const struct entry_op *op, struct bytes entry)
{
    uint8_t name[META_NUMBER_KEY_BYTES];
    struct bytes record;
    bool found;
    struct status st = store_get(apply->slice->store, STORE_META,
        meta_number_key(META_RECORD, op->txn, name), &record, &found);
    apply->prepare_refused =
        !failed(st) && found && record.size > 0 && record.data[0] == RECORD_ABORTED;
    store_release(apply->slice->store);
    if (failed(st) || apply->prepare_refused) return st;
    return store_put(
        apply->slice->store, STORE_META, meta_number_key(META_PREPARED, op->txn, name), entry);
}

// Prepared writes from the store, not from memory: an earlier entry of this transaction may have prepared them,
// as at a replica that catches up. Copied to the arena; none (data NULL) when they are resolved already.
static struct status prepared_load(
    struct slice *slice, struct arena *arena, struct bytes key, struct bytes *payload)
{
    struct bytes value;
    bool found;
    struct status st = store_get(slice->store, STORE_META, key, &value, &found);
    *payload = !failed(st) && found ? arena_copy(arena, value) : bytes_of(NULL, 0);
    store_release(slice->store);
    return st;
}

static struct status apply_resolve(struct slice_apply *apply, const struct entry_op *op)
{
    struct slice *slice = apply->slice;
    struct arena arena;
    struct bytes payload;
    uint8_t name[META_NUMBER_KEY_BYTES];
    struct bytes key = meta_number_key(META_PREPARED, op->txn, name);
    struct status st;
    arena_init(&arena, NULL);
    TRY(staged_apply_resolve(slice, op));
    TRY(prepared_load(slice, &arena, key, &payload));
    if (payload.data == NULL) goto out; // Resolved already.
    if (op->commit) {
        struct entry_reader reader;
        struct entry_op writes;
        entry_open_trusted(payload, &reader);
        while (entry_op_next(&reader, &writes))
            TRY(apply_writes(apply, &writes, op->ts));
    }
    TRY(store_remove(slice->store, STORE_META, key));
out:
    arena_fini(&arena);
    return st;
}

static struct status apply_record(struct slice *slice, const struct entry_op *op)
{
    uint8_t name[META_NUMBER_KEY_BYTES];
    struct bytes key = meta_number_key(META_RECORD, op->txn, name);
    if (op->kind == ENTRY_RECORD_END) return store_remove(slice->store, STORE_META, key);
    // The first one stands: the client and whoever gives it up for gone may both have written one.
    struct bytes former;
    bool found, prepared = false;
    struct status found_st = store_get(slice->store, STORE_META, key, &former, &found);
    bool stands = !failed(found_st) && found &&
                  !(op->over && former.size > 0 && former.data[0] == RECORD_STAGED);
    store_release(slice->store);
    if (failed(found_st) || stands) return found_st;
    if (op->unless_prepared) {
        uint8_t prepared_name[META_NUMBER_KEY_BYTES];
        found_st = store_get(slice->store, STORE_META,
            meta_number_key(META_PREPARED, op->txn, prepared_name), &former, &prepared);
        store_release(slice->store);
        if (failed(found_st) || prepared) return found_st;
    }
    // commit u8 | ts | the coordinator's own
    struct arena arena;
    arena_init(&arena, NULL);
    struct buffer value;
    buffer_init(&value, &arena);
    buffer_append_u8(&value,
        op->staged ? RECORD_STAGED : (op->commit ? RECORD_COMMITTED : RECORD_ABORTED));
    hlc_encode(op->ts, buffer_reserve(&value, HLC_ENCODED_BYTES));
    value.size += HLC_ENCODED_BYTES;
    buffer_append_bytes(&value, op->value);
    struct status st = store_put(slice->store, STORE_META, key, buffer_bytes(&value));
    arena_fini(&arena);
    return st;
}

static struct status apply_tenant(struct slice *slice, const struct entry_op *op)
{
    struct slice_tenant next;
    // From the store, not from memory: an earlier entry of this transaction may have changed it.
    struct status st = slice_tenant_load(slice, op->tenant, &next);
    if (failed(st)) return st;
    if (op->kind == ENTRY_GC) {
        next.gc_threshold = hlc_max(next.gc_threshold, op->ts);
    } else {
        next.ingesting = op->ingesting;
        next.ingested = !op->ingesting;
        if (!op->ingesting) {
            struct arena arena;
            arena_init(&arena, NULL);
            st = store_clear(
                slice->store, STORE_TIME, mvcc_time_span(&arena, op->tenant, HLC_ZERO, HLC_MAX));
            arena_fini(&arena);
        }
    }
    return failed(st) ? st : slice_tenant_put(slice, &next);
}

static struct status apply_meta(struct slice *slice, const struct entry_op *op)
{
    struct arena arena;
    arena_init(&arena, NULL);
    struct buffer name;
    buffer_init(&name, &arena);
    buffer_append_u8(&name, META_NAMED);
    buffer_append_bytes(&name, op->key);
    struct status st = op->value.data == NULL
                           ? store_remove(slice->store, STORE_META, buffer_bytes(&name))
                           : store_put(slice->store, STORE_META, buffer_bytes(&name), op->value);
    arena_fini(&arena);
    return st;
}

// The bytes of the operation itself, as an entry: what prepared writes are stored as.
static struct bytes op_as_entry(struct arena *arena, const struct entry_op *op)
{
    struct entry_builder builder;
    struct entry_items items;
    struct entry_item item;
    entry_begin(&builder, arena);
    entry_op_append(&builder, op);
    entry_items_open(op, &items);
    while (entry_item_next(&items, &item))
        entry_item_append(&builder, &item);
    return entry_end(&builder);
}

static struct status apply_drain(struct slice_apply *apply, const struct entry_op *op)
{
    struct arena arena;
    struct bytes told;
    if (apply->told_arena != NULL)
        return staged_apply_drain(apply->slice, op, apply->told_arena, &apply->told);
    arena_init(&arena, NULL);
    struct status st = staged_apply_drain(apply->slice, op, &arena, &told);
    arena_fini(&arena);
    return st;
}

static struct status apply_op(struct slice_apply *apply, const struct entry_op *op)
{
    struct slice *slice = apply->slice;
    switch (op->kind) {
    case ENTRY_WRITES: return apply_writes(apply, op, op->ts);
    case ENTRY_INGEST: return apply_ingest(apply, op);
    case ENTRY_REVERT: return apply_revert(apply, op);
    case ENTRY_PREPARE: {
        struct arena arena;
        arena_init(&arena, NULL);
        struct status st = apply_prepare(apply, op, op_as_entry(&arena, op));
        arena_fini(&arena);
        return st;
    }
    case ENTRY_RESOLVE: return apply_resolve(apply, op);
    case ENTRY_RECORD:
    case ENTRY_RECORD_END: return apply_record(slice, op);
    case ENTRY_GC:
    case ENTRY_TENANT: return apply_tenant(slice, op);
    case ENTRY_CLEAR: return mvcc_clear(&slice->mvcc, op->span);
    case ENTRY_META: return apply_meta(slice, op);
    case ENTRY_STAGE: return staged_apply_stage(apply, op);
    case ENTRY_SEAL: return staged_apply_seal(slice, op);
    case ENTRY_DRAIN: return apply_drain(apply, op);
    case ENTRY_LOCKS: return STATUS_OK;
    case ENTRY_KIND_END: break;
    }
    return status_make(E_DATA_CORRUPTED, "unknown kind of log entry");
}

struct status slice_apply_entry(struct slice_apply *apply, struct bytes payload)
{
    struct entry_reader reader;
    struct entry_op op;
    struct status st = STATUS_OK;
    entry_open_trusted(payload, &reader);
    while (entry_op_next(&reader, &op))
        TRY(apply_op(apply, &op));
out:
    return st;
}

// term u64 | index u64 | last commit | ceiling | index of the members' entry u64 | members
#define MARK_BYTES (24u + 2u * HLC_ENCODED_BYTES)

struct status slice_apply_mark(struct slice *slice, uint64_t term, uint64_t index,
    struct hlc_timestamp ceiling, const struct raft_config *config)
{
    uint8_t value[MARK_BYTES + RAFT_CONFIG_BYTES_MAX];
    uint8_t letter = META_APPLIED;
    memcpy(value, &term, 8);
    memcpy(value + 8, &index, 8);
    hlc_encode(slice->last_commit, value + 16);
    hlc_encode(ceiling, value + 16 + HLC_ENCODED_BYTES);
    memcpy(value + 16 + 2 * HLC_ENCODED_BYTES, &config->index, 8);
    size_t size = MARK_BYTES;
    if (config->count > 0) size += raft_config_encode(config, value + MARK_BYTES);
    return store_put(slice->store, STORE_META, bytes_of(&letter, 1), bytes_of(value, size));
}

static struct status mark_decode(struct bytes value, struct slice_mark *mark)
{
    if (value.size < MARK_BYTES || value.size > MARK_BYTES + RAFT_CONFIG_BYTES_MAX)
        return status_make(E_DATA_CORRUPTED, "malformed applied record");
    memcpy(&mark->term, value.data, 8);
    memcpy(&mark->index, value.data + 8, 8);
    mark->last_commit = hlc_decode(value.data + 16);
    mark->ceiling = hlc_decode(value.data + 16 + HLC_ENCODED_BYTES);
    // A learner that has not come to the entry that made it one knows no members.
    if (value.size == MARK_BYTES) return STATUS_OK;
    if (!raft_config_decode(bytes_skip(value, MARK_BYTES), &mark->config))
        return status_make(E_DATA_CORRUPTED, "malformed applied record: members");
    memcpy(&mark->config.index, value.data + 16 + 2 * HLC_ENCODED_BYTES, 8);
    return STATUS_OK;
}

struct status slice_mark_read(struct store *store, struct slice_mark *mark)
{
    uint8_t letter = META_APPLIED;
    struct bytes value;
    bool found;
    *mark = (struct slice_mark){0};
    struct status st = store_get(store, STORE_META, bytes_of(&letter, 1), &value, &found);
    if (!failed(st) && found) st = mark_decode(value, mark);
    store_release(store);
    return st;
}

// --- in memory -----------------------------------------------------------------------------------------------

static void remember_ingest(struct slice *slice, const struct entry_op *op)
{
    struct slice_tenant *tenant = slice_tenant_get(slice, op->tenant);
    struct hlc_timestamp high = HLC_ZERO;
    struct entry_items items;
    struct entry_item item;
    entry_items_open(op, &items);
    while (entry_item_next(&items, &item))
        high = hlc_max(high, item.ts);
    if (tenant != NULL) tenant->ingest_high = hlc_max(tenant->ingest_high, high);
    // What a replication stream brings has times of another cluster's clock; what moves here was committed in this one.
    if (tenant != NULL && tenant->ingesting) return;
    slice->applied_ts = hlc_max(slice->applied_ts, high);
    slice->last_commit = hlc_max(slice->last_commit, high);
}

void slice_apply_remember(struct slice *slice, struct bytes payload, bool prepare_refused)
{
    struct entry_reader reader;
    struct entry_op op;
    entry_open_trusted(payload, &reader);
    while (entry_op_next(&reader, &op)) {
        switch (op.kind) {
        case ENTRY_WRITES:
            if (op.txn != 0) slice_fate_note(slice, op.txn, op.ts);
            slice->applied_ts = hlc_max(slice->applied_ts, op.ts);
            slice->last_commit = hlc_max(slice->last_commit, op.ts);
            break;
        case ENTRY_INGEST: remember_ingest(slice, &op); break;
        case ENTRY_PREPARE:
            slice->last_commit = hlc_max(slice->last_commit, op.ts);
            if (!prepare_refused && slice_prepared_find(slice, op.txn) == NULL) {
                struct arena arena;
                arena_init(&arena, NULL);
                prepared_create(slice, &op, op_as_entry(&arena, &op));
                arena_fini(&arena);
            }
            break;
        case ENTRY_RESOLVE: {
            struct pending *prepared = slice_prepared_find(slice, op.txn);
            if (op.commit) {
                slice_fate_note(slice, op.txn, op.ts);
                slice->applied_ts = hlc_max(slice->applied_ts, op.ts);
                slice->last_commit = hlc_max(slice->last_commit, op.ts);
            }
            if (prepared != NULL && prepared->staged == NULL) prepared_destroy(slice, prepared);
            if (staged_find(slice, op.txn) != NULL) staged_remember(slice, op.txn);
            break;
        }
        case ENTRY_SEAL:
            slice->last_commit = hlc_max(slice->last_commit, op.ts);
            staged_remember(slice, op.txn);
            break;
        case ENTRY_STAGE:
        case ENTRY_DRAIN: staged_remember(slice, op.txn); break;
        case ENTRY_GC: {
            struct slice_tenant *tenant = slice_tenant_make(slice, op.tenant);
            tenant->gc_threshold = hlc_max(tenant->gc_threshold, op.ts);
            tenant->gc_proposed = hlc_max(tenant->gc_proposed, op.ts);
            break;
        }
        case ENTRY_TENANT: {
            struct slice_tenant *tenant = slice_tenant_make(slice, op.tenant);
            tenant->ingesting = op.ingesting;
            tenant->ingested = !op.ingesting;
            tenant->closing = false;
            break;
        }
        case ENTRY_REVERT:
        case ENTRY_RECORD:
        case ENTRY_RECORD_END:
        case ENTRY_CLEAR:
        case ENTRY_META:
        case ENTRY_LOCKS:
        case ENTRY_KIND_END: break;
        }
    }
}

static void tell_one(struct slice *slice, const struct entry_op *op, uint64_t index, bool applied)
{
    for (struct slice_observer *at = slice->observers, *next; at != NULL; at = next) {
        next = at->next;
        if (applied) {
            if (at->applied != NULL) at->applied(at, slice, op, index);
        } else {
            if (at->proposed != NULL) at->proposed(at, slice, op);
        }
    }
}

void slice_ops_tell(struct slice *slice, struct bytes payload, uint64_t index, bool applied)
{
    if (slice->observers == NULL) return;
    struct entry_reader reader;
    struct entry_op op;
    entry_open_trusted(payload, &reader);
    while (entry_op_next(&reader, &op)) {
        struct pending *prepared;
        if (op.kind == ENTRY_RESOLVE && op.commit &&
            (prepared = slice_prepared_find(slice, op.txn)) != NULL && prepared->staged == NULL) {
            struct entry_reader inner;
            struct entry_op writes;
            entry_open_trusted(prepared->payload, &inner);
            while (entry_op_next(&inner, &writes)) {
                writes.kind = ENTRY_WRITES;
                writes.ts = op.ts;
                tell_one(slice, &writes, index, applied);
            }
        }
        tell_one(slice, &op, index, applied);
    }
}
