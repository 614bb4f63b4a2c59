// SPDX-License-Identifier: GPL-3.0-or-later
//
// Scans: batches from the slices that hold the span, in order, with the transaction's own writes
// laid over.
#include "core/invariant.h"
#include "core/mark.h"
#include "kv/key.h"
#include "kv/txn.h"

#define BATCH_ROWS 1024u
#define MOVES_MAX 32u // Of the snapshot, for one batch of a locking scan.

void kv_scan_init(struct kv_scan *scan, struct span span)
{
    *scan = (struct kv_scan){.span = span};
}

// One batch's work. `part` is what one range holds of the rest of the scan.
struct step {
    struct kv_txn *txn;
    struct kv_scan *scan;
    struct arena *arena;
    struct span part;
    struct span covered;  // Of `part`, what the batch answers for.
    uint32_t rows_max;
    bool note; // Whatever else says that reads are not noted.
    struct kv_batch batch;
    bool visited;         // The visitor has seen the rows.
    uint64_t bytes_visited;
    struct kv_batch locked; // As the leader gave them; none when the rows are not locked.
    uint64_t locks_since;
};

static uint32_t rows_wanted(const struct kv_scan *scan)
{
    uint64_t rows = scan->batch_rows == 0 ? BATCH_ROWS : scan->batch_rows;
    if (SIM_MAYBE("scan.small_batch")) rows = 1;
    if (scan->limit > 0 && scan->limit - scan->returned < rows) {
        rows = scan->limit - scan->returned;
    }
    return (uint32_t)rows;
}

// The rest of the scan, cut to the range where it goes on. K_END when nothing is left.
static struct status step_route(
    struct task *task, struct step *step, uint32_t attempt, uint64_t *slice, uint64_t *generation)
{
    struct status st = STATUS_OK;
    struct kv_scan *scan = step->scan;
    struct span rest = scan->span;
    if (scan->resume.data != NULL) *(scan->reverse ? &rest.end : &rest.start) = scan->resume;
    if (bytes_compare(rest.start, rest.end) >= 0) return status_make(K_END, "no more rows");
    const struct range *range;
    TRY(router_find(
        task, scan->reverse ? rest.end : rest.start, scan->reverse, &range));
    *slice = range->slice;
    *generation = router_generation(range, attempt);
    // Bounds of the route are copied: it may be evicted while this step waits.
    if (scan->reverse && bytes_compare(rest.start, range->span.start) < 0) {
        rest.start = arena_copy(step->arena, range->span.start);
    }
    if (!scan->reverse && bytes_compare(range->span.end, rest.end) < 0) {
        rest.end = arena_copy(step->arena, range->span.end);
    }
    step->part = rest;
out:
    return st;
}

static void step_take(struct step *step, struct leader_scan *request)
{
    struct leader_call *call = &request->call;
    step->batch = request->batch;
    step->visited = request->visitor != NULL && call->here;
    step->bytes_visited = request->bytes_visited;
    step->locks_since = call->locks_since;
    step->covered = step->part;
    if (!request->done && !step->scan->reverse) {
        step->covered.end = leader_reply_take(call, step->arena, request->span.start);
    } else if (!request->done) {
        step->covered.start = leader_reply_take(call, step->arena, request->span.end);
    }
    if (call->remote) {
        struct kv_pair *pairs = ARENA_ARRAY(step->arena, struct kv_pair, step->batch.count);
        for (uint32_t i = 0; i < step->batch.count; i++) {
            pairs[i].key = arena_copy(step->arena, step->batch.pairs[i].key);
            pairs[i].value = arena_copy(step->arena, step->batch.pairs[i].value);
        }
        step->batch.pairs = pairs;
    }
    if (request->read.lock != KV_LOCK_NONE) step->locked = step->batch;
}

// --- own writes ----------------------------------------------------------------------------------

static const struct write_node *own_first(
    const struct step *step, const struct span *covered)
{
    const struct write_buffer *writes = &step->txn->writes;
    if (writes->count == 0) return NULL;
    return step->scan->reverse ? write_buffer_seek_below(writes, covered->end)
                               : write_buffer_seek(writes, covered->start);
}

static const struct write_node *own_beside(const struct step *step, const struct write_node *node)
{
    return step->scan->reverse ? write_node_previous(node) : write_node_next(node);
}

// `node`, or the first after it that has something to show, when it lies in the span.
static const struct write_node *own_within(
    const struct step *step, const struct span *covered, const struct write_node *node)
{
    struct bytes value;
    const uint64_t epoch = txn_mark_epoch(&step->scan->read);
    while (node != NULL && write_node_before(node, epoch, &value) == WRITE_NONE)
        node = own_beside(step, node);
    if (node == NULL) return NULL;
    bool within = step->scan->reverse
        ? bytes_compare(covered->start, node->key) <= 0
        : bytes_compare(node->key, covered->end) < 0;
    return within ? node : NULL;
}

// Whether the transaction has written in what is asked for.
static bool step_has_own(const struct step *step)
{
    return own_within(step, &step->part, own_first(step, &step->part)) != NULL;
}

// Asks the slice; moves the snapshot and asks again where rows under lock are newer.
static struct status step_request(struct task *task, struct step *step)
{
    struct status st = STATUS_OK;
    struct kv_txn *txn = step->txn;
    struct kv_scan *scan = step->scan;
    uint32_t moves = 0;
    for (uint32_t attempt = 0; attempt < ROUTE_ATTEMPTS_MAX + MOVES_MAX; attempt++) {
        struct leader_scan request;
        memset(&request, 0, sizeof request);
        uint64_t slice, generation;
        TRY(step_route(task, step, attempt, &slice, &generation));
        txn_call_init(txn, task, slice, &request.call);
        request.call.generation = generation;
        txn_call_mark(txn, scan->read.mark, step->arena, &request.call);
        request.read = txn_read_mode(txn, &scan->read, &step->note);
        request.span = step->part;
        request.reverse = scan->reverse;
        request.rows_max = step->rows_max;
        // Own writes must be laid over first.
        if (scan->visitor != NULL && !step_has_own(step)) request.visitor = scan->visitor;
        if (request.read.lock != KV_LOCK_NONE) txn_note_locks(txn, request.call.slice);
        st = leader_call(task, &request.call, step->arena, LEADER_SCAN);
        txn_count(txn, &request.call);
        if (!failed(st)) step_take(step, &request);
        struct hlc_timestamp moved_to = request.call.moved_to;
        leader_reply_end(&request.call);

        if (status_is(st, K_WRONG_RANGE)) {
            struct bytes at = scan->reverse ? step->part.end : step->part.start;
            TRY(router_evict(task, at, scan->reverse, attempt));
            continue;
        }
        bool again = status_is(st, K_MOVED);
        if (!again) TRY(st);
        if (!hlc_is_zero(moved_to)) TRY(txn_move(task, txn, moved_to));
        if (!again) return STATUS_OK;
        if (++moves == MOVES_MAX) break;
    }
    st = status_make_retry(E_SERIALIZATION_FAILURE, RETRY_TRANSACTION,
        "could not serialize access: rows change faster than they can be locked");
out:
    return st;
}

// --- laying own writes over ----------------------------------------------------------------------

static const struct write_node *own_next(const struct step *step, const struct write_node *node)
{
    return own_within(step, &step->covered, own_beside(step, node));
}

// The batch so far answers only for what comes before and including `key`.
static void step_cut_after(struct step *step, struct bytes key)
{
    if (step->scan->reverse) {
        step->covered.start = key;
    } else {
        step->covered.end = key_next(step->arena, key);
    }
}

// A copy: the buffer is emptied when it is staged.
static struct kv_pair own_pair(
    const struct step *step, const struct write_node *own, struct bytes value)
{
    return (struct kv_pair){arena_copy(step->arena, own->key), arena_copy(step->arena, value)};
}

// Merges own writes into the batch: rows put appear, rows replaced change, rows deleted go.
static void step_overlay(struct step *step)
{
    const struct write_node *own = own_within(step, &step->covered, own_first(step, &step->covered));
    if (own == NULL) return;
    struct kv_batch stored = step->batch;
    struct kv_pair *out = ARENA_ARRAY(step->arena, struct kv_pair, step->rows_max);
    uint32_t count = 0;
    uint32_t at = 0;
    while (at < stored.count || own != NULL) {
        int order;
        if (at == stored.count) {
            order = 1;
        } else if (own == NULL) {
            order = -1;
        } else {
            order = bytes_compare(stored.pairs[at].key, own->key);
            if (step->scan->reverse) order = -order;
        }
        struct bytes value = {0};
        bool gone = order >= 0 &&
            write_node_before(own, txn_mark_epoch(&step->scan->read), &value) == WRITE_DELETE;
        if (!gone && count == step->rows_max) {
            step_cut_after(step, out[count - 1].key);
            break;
        }
        if (!gone) {
            out[count++] = order < 0 ? stored.pairs[at] : own_pair(step, own, value);
        }
        if (order <= 0) at++;
        if (order >= 0) own = own_next(step, own);
    }
    step->batch = (struct kv_batch){out, count};
}

// Shows the visitor what it has not seen where it lay.
static struct status step_show(struct step *step)
{
    struct status st = STATUS_OK;
    struct kv_visitor *visitor = step->scan->visitor;
    if (visitor == NULL || step->visited) return st;
    for (uint32_t i = 0; i < step->batch.count; i++)
        TRY(kv_visit(visitor, step->arena, step->batch.pairs[i].key,
            step->batch.pairs[i].value, i));

out:
    return st;
}

// --- what was read -------------------------------------------------------------------------------

static void step_note(struct step *step)
{
    struct kv_txn *txn = step->txn;
    const struct kv_read *read = &step->scan->read;
    txn->stats.bytes_read += step->visited ? step->bytes_visited : 0;
    for (uint32_t i = 0; i < step->batch.count && !step->visited; i++) {
        txn->stats.bytes_read += step->batch.pairs[i].key.size + step->batch.pairs[i].value.size;
    }
    txn->stats.rows_read += step->batch.count;
    for (uint32_t i = 0; read->lock >= KV_LOCK_NO_KEY_UPDATE && !step->note && i < step->batch.count; i++) {
        txn_lock_known(txn, step->batch.pairs[i].key, read->lock);
    }
    for (uint32_t i = 0; i < step->locked.count; i++) {
        txn_note_lock(txn, step->locked.pairs[i].key, read->lock, step->locks_since);
    }
    if (!step->note && (!txn_notes_reads(txn) || read->no_validate)) return;
    if (!step->note && txn->weak && read->lock != KV_LOCK_NONE) return; // What was locked is newest.
    if (read->lock == KV_LOCK_NONE || read->wait != KV_WAIT_SKIP) {
        read_set_add_span(step->note ? &txn->reads : txn_noted(txn), step->covered);
        return;
    }
    // SKIP LOCKED does not say that there were no other rows.
    for (uint32_t i = 0; i < step->batch.count; i++) {
        read_set_add_key(&txn->reads, step->batch.pairs[i].key);
    }
}

static void step_finish(struct step *step)
{
    struct kv_scan *scan = step->scan;
    struct bytes to = scan->reverse ? step->covered.start : step->covered.end;
    // Kept by the transaction: the batch's arena may be reset before the next call.
    scan->resume = arena_copy(&step->txn->arena, to);
    scan->returned += step->batch.count;
    if (scan->limit > 0 && scan->returned >= scan->limit) scan->done = true;
    struct bytes bound = scan->reverse ? scan->span.start : scan->span.end;
    int order = bytes_compare(to, bound);
    if (scan->reverse ? order <= 0 : order >= 0) scan->done = true;
}

struct status kv_scan_next(struct task *task, struct kv_txn *txn, struct kv_scan *scan,
    struct arena *arena, struct kv_batch *batch)
{
    struct status st = STATUS_OK;
    *batch = (struct kv_batch){0};
    TRY(txn_check(txn, scan->read.lock != KV_LOCK_NONE));
    // Leaders check their parts; a span that is not the tenant's as a whole is refused as a whole.
    if (scan->resume.data == NULL && !scan->done) TRY(leader_check_span(txn->tenant, scan->span));
    while (batch->count == 0 && !scan->done) {
        struct step step = {
            .txn = txn, .scan = scan, .arena = arena, .rows_max = rows_wanted(scan)};
        st = step_request(task, &step);
        if (status_is(st, K_END)) {
            scan->done = true;
            return STATUS_OK;
        }
        TRY(st);
        step_overlay(&step);
        TRY(step_show(&step));
        step_note(&step);
        step_finish(&step);
        *batch = step.batch;
        TRY(task_yield_if_due(task));
    }
out:
    return txn_outcome(txn, st);
}
