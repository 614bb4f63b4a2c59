// SPDX-License-Identifier: GPL-3.0-or-later
//
// Large transactions: a write buffer that has grown to TXN_BUFFER_BYTES is staged at its leaders (kv/staged.h), in
// requests of TXN_STAGE_BYTES, and begins anew. From then on reads look there as well, and the commit is one over
// several slices even when it is only one: kv/commit_multi.c.
#include "core/invariant.h"
#include "core/mark.h"
#include "kv/txn.h"

bool txn_buffer_full(const struct kv_txn *txn, size_t more)
{
    if (txn->writes.count == 0) return false;
    if (SIM_MAYBE("txn.stage_early")) return true;
    return write_buffer_memory(&txn->writes) + more > txn->buffer_bytes_max;
}

struct txn_stage *txn_stage_get(struct kv_txn *txn, uint64_t slice)
{
    for (uint32_t i = 0; i < txn->stage_count; i++) {
        if (txn->stages[i].slice == slice) return &txn->stages[i];
    }
    if (txn->stage_count == txn->stage_capacity) {
        uint32_t capacity = txn->stage_capacity == 0 ? 4 : txn->stage_capacity * 2;
        txn->stages = arena_grow(&txn->arena, txn->stages,
            txn->stage_capacity * sizeof(struct txn_stage), capacity * sizeof(struct txn_stage));
        txn->stage_capacity = capacity;
    }
    txn->stages[txn->stage_count] = (struct txn_stage){.slice = slice};
    return &txn->stages[txn->stage_count++];
}

// --- one request ---------------------------------------------------------------------------------

struct chunk {
    struct arena arena;
    const struct write_node *first, *next; // From the first one up to `next`, all in one range.
    const struct write_node **writes;
    uint32_t count, rows_max;
    struct entry_builder builder;
};

static void chunk_add(struct chunk *chunk, const struct write_node *node)
{
    struct entry_item item = {.key = node->key};
    for (const struct write_undo *undo = node->older; undo != NULL; undo = undo->chain) {
        item.value = undo->value;
        item.tombstone = undo->kind == WRITE_DELETE;
        item.ts.wall_ns = undo->epoch;
        entry_item_append(&chunk->builder, &item);
    }
    item.value = node->value;
    item.tombstone = node->kind == WRITE_DELETE;
    item.ts.wall_ns = node->epoch;
    entry_item_append(&chunk->builder, &item);
    chunk->writes[chunk->count++] = node;
}

// Does not suspend: the range is the router's.
static void chunk_fill(struct kv_txn *txn, struct chunk *chunk, const struct range *range)
{
    const struct txn_stage *stage = txn_stage_get(txn, range->slice);
    const struct entry_op op = {
        .kind = ENTRY_STAGE,
        .tenant = txn->tenant,
        .txn = txn->id,
        .record_slice = txn->stages[0].slice,
        .sequence = stage->sequence + 1,
    };
    chunk->count = 0;
    chunk->writes = ARENA_ARRAY(&chunk->arena, const struct write_node *, chunk->rows_max);
    entry_begin(&chunk->builder, &chunk->arena);
    entry_op_append(&chunk->builder, &op);
    chunk->next = chunk->first;
    while (chunk->next != NULL && chunk->count < chunk->rows_max &&
        chunk->builder.buffer.size < TXN_STAGE_BYTES &&
        bytes_compare(chunk->next->key, range->span.end) < 0) {
        chunk_add(chunk, chunk->next);
        chunk->next = write_node_next(chunk->next);
    }
}

// Rows that are staged are locked by that from then on: whether they were up to then is asked here. Both are in order.
static void chunk_held(struct kv_txn *txn, struct chunk *chunk, struct txn_part *part)
{
    uint32_t at = 0;
    const uint32_t count = txn->held.count;
    if (count == 0) return;
    const struct held_key *held = held_set_sorted(&txn->held);
    part->held = ARENA_ARRAY(&chunk->arena, struct held_key, (size_t)chunk->count * KV_LOCK_MODES);
    for (uint32_t i = 0; i < chunk->count; i++) {
        while (at < count && bytes_compare(held[at].key, chunk->writes[i]->key) < 0) at++;
        while (at < count && bytes_equal(held[at].key, chunk->writes[i]->key))
            part->held[part->held_count++] = held[at++];
    }
}

static struct status chunk_send(
    struct task *task, struct kv_txn *txn, struct chunk *chunk, uint64_t slice)
{
    struct leader_commit commit;
    struct txn_part part = {.slice = slice, .writes = chunk->writes, .write_count = chunk->count};
    chunk_held(txn, chunk, &part);
    commit_request_init(txn, task, &part, &commit);
    commit.payload = entry_end(&chunk->builder);
    txn_note_locks(txn, slice);
    struct status st = leader_call(task, &commit.call, &chunk->arena, LEADER_STAGE);
    txn_count(txn, &commit.call);
    if (!failed(st)) {
        txn_stage_get(txn, slice)->sequence++;
        txn->lock_count -= commit.released < txn->lock_count ? commit.released : txn->lock_count;
    }
    leader_reply_end(&commit.call);
    return st;
}

// --- all of the buffer ---------------------------------------------------------------------------

static struct status stage_all(struct task *task, struct kv_txn *txn, struct chunk *chunk)
{
    struct status st = STATUS_OK;
    uint32_t attempt = 0;
    chunk->first = write_buffer_seek(&txn->writes, (struct bytes){0});
    chunk->rows_max = TXN_STAGE_ROWS;
    while (chunk->first != NULL) {
        const struct range *range;
        TRY(router_find(task, chunk->first->key, false, &range));
        const uint64_t slice = range->slice;
        chunk_fill(txn, chunk, range);
        st = chunk_send(task, txn, chunk, slice);
        if (status_is(st, K_CROWDED)) {
            covered("txn.stage_crowded");
            chunk->rows_max = chunk->count > STAGED_CROWDED_ROWS ? STAGED_CROWDED_ROWS : 1;
            arena_reset(&chunk->arena);
            continue;
        }
        if (status_is(st, K_WRONG_RANGE) && attempt < ROUTE_ATTEMPTS_MAX) {
            TRY(router_evict(task, chunk->first->key, false, attempt++));
            continue;
        }
        TRY(st);
        attempt = 0;
        chunk->first = chunk->next;
        arena_reset(&chunk->arena);
        TRY(task_yield_if_due(task));
    }
out:
    return st;
}

struct status txn_stage(struct task *task, struct kv_txn *txn)
{
    struct chunk chunk = {0};
    if (txn->writes.count == 0) return STATUS_OK;
    covered("txn.staged");
    arena_init(&chunk.arena, txn->arena.account);
    write_buffer_chain(&txn->writes);
    txn->staged_attempt = (uint64_t)txn->writes.epoch + 1;
    struct status st = stage_all(task, txn, &chunk);
    arena_fini(&chunk.arena);
    if (failed(st)) return txn_outcome(txn, st);
    txn->staged_epochs = txn->staged_attempt;
    txn->staged_bytes += txn->writes.bytes;
    write_buffer_clear(&txn->writes);
    arena_reset(&txn->write_arena);
    if (txn->buffer_bytes_max > TXN_BUFFER_NEXT_BYTES)
        txn->buffer_bytes_max = TXN_BUFFER_NEXT_BYTES;
    return STATUS_OK;
}

// --- savepoints ----------------------------------------------------------------------------------

// A savepoint is the epoch that it begins, and the place in the buffer's undo log.
#define SAVEPOINT_UNDO_BITS 32u

uint64_t kv_txn_savepoint(struct kv_txn *txn)
{
    const uint64_t undo = write_buffer_mark(&txn->writes);
    invariant(undo >> SAVEPOINT_UNDO_BITS == 0);
    return (uint64_t)txn->writes.epoch << SAVEPOINT_UNDO_BITS | undo;
}

static void hide(struct kv_txn *txn, uint64_t from, uint64_t to)
{
    // What was rolled back within is part of it: ranges stay few.
    while (txn->view.hidden_count > 0 &&
        txn->hidden[txn->view.hidden_count - 1].from >= from) {
        txn->view.hidden_count--;
    }
    if (txn->view.hidden_count == txn->hidden_capacity) {
        uint32_t capacity = txn->hidden_capacity == 0 ? 4 : txn->hidden_capacity * 2;
        txn->hidden = arena_grow(&txn->arena, txn->hidden,
            txn->hidden_capacity * sizeof *txn->hidden, capacity * sizeof *txn->hidden);
        txn->hidden_capacity = capacity;
    }
    txn->hidden[txn->view.hidden_count++] = (struct staged_hidden){from, to};
    txn->view.hidden = txn->hidden;
}

uint64_t kv_txn_mark(struct kv_txn *txn)
{
    write_buffer_mark(&txn->writes);
    return txn->writes.epoch;
}

bool kv_txn_wrote_since(const struct kv_txn *txn, struct bytes key, uint64_t mark, bool *known)
{
    const struct write_node *node = write_buffer_find(&txn->writes, key);
    const bool wrote = node != NULL && node->kind != WRITE_NONE && node->epoch >= mark;
    *known = wrote || txn->staged_attempt <= mark;
    return wrote;
}

// What is staged after the mark is hidden, as if it were rolled back.
void txn_call_mark(
    struct kv_txn *txn, uint64_t mark, struct arena *arena, struct leader_call *call)
{
    if (LIKELY(mark == 0 || txn->staged_attempt <= mark || call->view == NULL)) return;
    struct staged_view *view = ARENA_NEW(arena, struct staged_view);
    struct staged_hidden *hidden =
        ARENA_ARRAY(arena, struct staged_hidden, txn->view.hidden_count + 1);
    for (uint32_t i = 0; i < txn->view.hidden_count && txn->hidden[i].from < mark; i++)
        hidden[view->hidden_count++] = (struct staged_hidden){
            txn->hidden[i].from, txn->hidden[i].to < mark ? txn->hidden[i].to : mark};
    hidden[view->hidden_count++] = (struct staged_hidden){mark, UINT64_MAX};
    view->hidden = hidden;
    call->view = view;
}

void kv_txn_rollback_to(struct kv_txn *txn, uint64_t savepoint)
{
    const uint64_t epoch = savepoint >> SAVEPOINT_UNDO_BITS;
    const uint64_t undo = savepoint & ((UINT64_C(1) << SAVEPOINT_UNDO_BITS) - 1);
    if (epoch < txn->staged_epochs) {
        // What came before the savepoint is staged: all of the buffer came after it.
        write_buffer_clear(&txn->writes);
        arena_reset(&txn->write_arena);
    } else {
        write_buffer_rollback(&txn->writes, undo);
    }
    if (epoch >= txn->staged_attempt) return;
    hide(txn, epoch, (uint64_t)txn->writes.epoch + 1);
    txn->writes.epoch++;
}
