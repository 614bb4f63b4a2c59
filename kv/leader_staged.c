// SPDX-License-Identifier: GPL-3.0-or-later
//
// Staged writes at their leader: taken, sealed, resolved and drained. See kv/staged.h.
//
// What is staged is locked by being there, and while its entry is under way by struct staging: it comes into the table of
// locks when somebody asks. What was locked before is let go then, unless somebody waits, so that the table stays small.
#include <stdlib.h>

#include "core/invariant.h"
#include "core/mark.h"
#include "kv/leader_internal.h"
#include "kv/slice_internal.h"
#include "kv/staged.h"
#include "kv/validate.h"

#define DRAINS_AT_ONCE 4u

// Who goes on would read what was there before it wrote. Of what is committed its client has had its answer.
struct status leader_staged_check(const struct slice *slice, const struct leader_call *call)
{
    if (LIKELY(call->staged == 0)) return STATUS_OK;
    const struct staged *staged = staged_find(slice, call->owner.txn);
    if (LIKELY(staged != NULL && staged->state != STAGED_ABORTED &&
            staged->sequence >= call->staged))
        return STATUS_OK;
    return leader_given_up();
}

// --- writers ---------------------------------------------------------------------------------------------

static struct status writer_find(
    struct slice *slice, struct bytes key, uint64_t txn, uint64_t *writer)
{
    *writer = 0;
    if (!list_empty(&slice->staging)) {
        const struct staging *staging = staging_find(slice, key, txn);
        if (staging != NULL) {
            *writer = staging->txn;
            return STATUS_OK;
        }
    }
    if (!list_empty(&slice->staged)) {
        struct status st = staged_owner(slice, key, txn, writer);
        if (failed(st) || *writer != 0) return st;
    }
    if (list_empty(&slice->prepared)) return STATUS_OK;
    const struct pending *pending = slice_pending_find(slice, key, HLC_MAX);
    if (pending != NULL && pending->txn != txn) *writer = pending->txn;
    return STATUS_OK;
}

struct status leader_writer_other(
    struct slice *slice, struct bytes key, uint64_t txn, bool *other)
{
    uint64_t writer;
    struct status st = writer_find(slice, key, txn, &writer);
    *other = writer != 0;
    return st;
}

// Of a row that it deletes nobody else has any lock; one that it leaves there others may hold on to.
static struct status lock_for(struct slice *slice, struct lock_owner_id writer, struct bytes key)
{
    struct lock_request request = {.owner = writer, .mode = KV_LOCK_UPDATE, .wait = KV_WAIT_SKIP};
    bool granted;
    struct status st = lock_try(slice->locks, &request, key, &granted);
    if (failed(st) || granted) return st;
    request.mode = KV_LOCK_NO_KEY_UPDATE;
    return lock_try(slice->locks, &request, key, &granted);
}

static struct lock_owner_id owner_of(const struct staging *staging)
{
    return (struct lock_owner_id){staging->holder, staging->age_ns};
}

struct status leader_writer_known(struct slice *slice, struct bytes key, uint64_t txn)
{
    uint64_t writer;
    const struct staging *staging = staging_find(slice, key, txn);
    if (staging != NULL) {
        covered("staged.staging_met");
        return lock_for(slice, owner_of(staging), key);
    }
    struct status st = writer_find(slice, key, txn, &writer);
    if (failed(st) || writer == 0) return st;
    // The oldest there is: it has written much, others give way.
    covered("staged.writer_met");
    return lock_for(slice, (struct lock_owner_id){.txn = writer}, key);
}

// --- taking ----------------------------------------------------------------------------------------------

static void op_of(struct bytes payload, struct entry_op *op)
{
    struct entry_reader reader;
    entry_open_trusted(payload, &reader);
    bool any = entry_op_next(&reader, op);
    invariant(any);
}

// Requests of a transaction come one after the other, and may come again.
static struct status stage_check(struct slice *slice, const struct entry_op *op, bool *done)
{
    const struct staged *staged = staged_find(slice, op->txn);
    const uint64_t last = staged == NULL ? 0 : staged->sequence;
    *done = false;
    if (staged != NULL && staged->state != STAGED_OPEN) return leader_given_up();
    if (op->sequence > last + 1) return leader_given_up(); // What came before was dropped.
    *done = op->sequence <= last;
    return STATUS_OK;
}

static bool crowded(const struct slice *slice, const struct leader_commit *commit)
{
    if (commit->write_count > 1 && SIM_MAYBE("staged.crowded")) return true;
    return commit->write_count > STAGED_CROWDED_ROWS &&
           (!list_empty(&slice->prepared) || staged_by_other(slice, commit->call.owner.txn));
}

static uint64_t locks_let_go(struct slice *slice, const struct leader_commit *commit)
{
    uint64_t count = 0;
    if (slice->locks == NULL || lock_held_count(slice->locks, commit->call.owner.txn) == 0) return 0;
    for (uint32_t i = 0; i < commit->write_count; i++) {
        count += lock_release_unawaited(
            slice->locks, commit->call.owner.txn, commit->writes[i]->key);
    }
    return count;
}

// With other replicas it may be applied after all, when nobody waits for it any more: then the table locks the keys until
// the transaction ends, or says the same again.
static void staging_left(struct slice *slice, const struct staging *staging)
{
    if (slice->locks == NULL || failed(slice_check_role(slice))) return;
    covered("staging.left");
    for (uint32_t i = 0; i < staging->count; i++) {
        if (failed(lock_for(slice, owner_of(staging), staging->writes[i]->key))) return; // No room: it has LOCK_COUNT_MAX.
    }
}

static struct status stage_propose(
    struct task *task, struct slice *slice, const struct leader_commit *commit)
{
    struct staging staging = {.txn = commit->call.owner.txn,
        .holder = leader_holder(&commit->call),
        .age_ns = commit->call.owner.age_ns,
        .writes = commit->writes,
        .count = commit->write_count};
    list_append(&slice->staging, &staging.link);
    struct status st = slice_propose(task, slice, commit->payload);
    if (status_is(st, E_AMBIGUOUS_RESULT)) staging_left(slice, &staging);
    list_remove(&staging.link);
    return st;
}

struct status leader_stage(struct task *task, void *arg)
{
    struct status st = STATUS_OK;
    struct leader_commit *commit = arg;
    struct slice *slice;
    struct entry_op op;
    bool done;
    TRY(leader_slice(task, &commit->call, &slice));
    op_of(commit->payload, &op);
    TRY(stage_check(slice, &op, &done));
    if (done) goto out;
    if (crowded(slice, commit)) return status_make_retry(K_CROWDED, RETRY_STATEMENT, "others stage rows as well");
    TRY(leader_commit_begin(task, slice, commit, false));
    TRY(stage_check(slice, &op, &done));
    if (!done) {
        entry_ts_set(commit->payload, hlc_now(&slice->shard->hlc));
        TRY(stage_propose(task, slice, commit));
        TRY(slice_check(slice));
        const struct staged *staged = staged_find(slice, op.txn);
        if (staged == NULL || staged->state != STAGED_OPEN || staged->sequence < op.sequence) {
            st = leader_given_up();
            goto out;
        }
    }
    commit->released = locks_let_go(slice, commit);
out:
    return st;
}

// --- sealing ---------------------------------------------------------------------------------------------

static struct status seal_check(struct slice *slice, const struct entry_op *op)
{
    const struct staged *staged = staged_find(slice, op->txn);
    if (staged == NULL || staged->sequence != op->sequence) return leader_given_up();
    if (staged->state != STAGED_OPEN && staged->state != STAGED_SEALED) return leader_given_up();
    if (op->value.size > STAGED_HIDDEN_MAX * sizeof(struct staged_hidden))
        return status_make(E_PROGRAM_LIMIT_EXCEEDED, "too many savepoints were rolled back to");
    return STATUS_OK;
}

static void note_all(const struct staged *staged, struct hlc_timestamp ts)
{
    validator_note_bulk(staged->slice->validator, staged->bounds.start, staged->bounds.end, ts,
        staged->txn);
}

struct status leader_seal(struct task *task, void *arg)
{
    struct status st = STATUS_OK;
    struct leader_commit *commit = arg;
    struct slice *slice;
    struct entry_op op;
    TRY(leader_slice(task, &commit->call, &slice));
    op_of(commit->payload, &op);
    TRY(seal_check(slice, &op));
    TRY(leader_commit_begin(task, slice, commit, true));
    TRY(seal_check(slice, &op));
    const struct staged *staged = staged_find(slice, op.txn);
    if (staged->state == STAGED_OPEN) {
        commit->mark = validator_mark(slice->validator);
        commit->epoch = slice->epoch;
        TRY(leader_commit_ts(slice, commit));
        entry_ts_set(commit->payload, commit->commit_ts);
        note_all(staged, commit->commit_ts);
        TRY(slice_propose(task, slice, commit->payload));
        TRY(slice_check(slice));
        staged = staged_find(slice, op.txn);
    } else {
        commit->epoch = 0; // Of an earlier request: nobody knows what came since.
    }
    if (staged == NULL || staged->state != STAGED_SEALED) {
        st = leader_given_up();
        goto out;
    }
    commit->commit_ts = staged->ts;
out:
    return st;
}

// --- the end ---------------------------------------------------------------------------------------------

static struct status propose_op(struct task *task, struct slice *slice, const struct entry_op *op)
{
    struct status st = STATUS_OK;
    struct entry_builder builder;
    struct arena_mark mark = arena_mark(task->arena);
    entry_begin(&builder, task->arena);
    entry_op_append(&builder, op);
    TRY(slice_admit(task, slice, 0)); // Also on a full disk: it makes room.
    TRY(slice_propose(task, slice, entry_end(&builder)));
out:
    arena_release(task->arena, mark);
    return st;
}

static struct status drain(struct task *task, struct slice *slice, uint64_t txn)
{
    struct status st = STATUS_OK;
    const struct entry_op op = {.kind = ENTRY_DRAIN, .txn = txn, .sequence = STAGED_DRAIN_ROWS};
    while (staged_find(slice, txn) != NULL) {
        TRY(propose_op(task, slice, &op));
        TRY(task_yield_if_due(task));
    }
out:
    return st;
}

struct drainer {
    struct slice *slice;
    uint64_t txn;
};

static struct status drain_along(struct task *task, void *arg)
{
    const struct drainer drainer = *(struct drainer *)arg;
    free(arg);
    return drain(task, drainer.slice, drainer.txn);
}

// Several entries under way at a time share writes of the log. Whether others help does not matter.
static struct status drain_all(struct task *task, struct slice *slice, uint64_t txn)
{
    for (uint32_t i = 1; i < DRAINS_AT_ONCE; i++) {
        struct drainer *drainer = malloc(sizeof *drainer);
        if (drainer == NULL) break;
        *drainer = (struct drainer){slice, txn};
        struct status st =
            slice_task_start_with(slice, drain_along, drainer, "slice drain", TASK_BULK);
        if (failed(st)) {
            free(drainer);
            break;
        }
    }
    return drain(task, slice, txn);
}

static struct status resolve(
    struct task *task, struct slice *slice, const struct leader_resolve *resolve)
{
    struct status st = STATUS_OK;
    struct staged *staged = staged_find(slice, resolve->call.owner.txn);
    if (staged->state > STAGED_SEALED) return STATUS_OK;
    if (resolve->commit && staged->state != STAGED_SEALED)
        return status_make(E_INTERNAL, "a transaction is committed that was not sealed");
    // Its keys count for validation from now on as what they are.
    TRY(slice_admit(task, slice, 0));
    staged = staged_find(slice, resolve->call.owner.txn);
    if (staged == NULL) goto out;
    if (resolve->commit) note_all(staged, resolve->call.read_ts);
    TRY(propose_op(task, slice, &(struct entry_op){.kind = ENTRY_RESOLVE,
                                    .txn = staged->txn,
                                    .commit = resolve->commit,
                                    .ts = resolve->call.read_ts}));
out:
    return st;
}

struct status leader_staged_end(
    struct task *task, struct slice *slice, const struct leader_resolve *request)
{
    struct status st = STATUS_OK;
    const uint64_t txn = request->call.owner.txn;
    struct staged *staged;
    while ((staged = staged_find(slice, txn)) != NULL && staged->draining) {
        TRY(task_wait(task, &staged->drained));
        TRY(slice_check(slice));
    }
    if (staged == NULL) goto out;
    staged->draining = true;
    st = resolve(task, slice, request);
    if (!failed(st)) st = drain_all(task, slice, txn);
    staged = staged_find(slice, txn);
    if (staged != NULL) {
        staged->draining = false;
        wait_queue_wake_all(&staged->drained, STATUS_OK);
    }
out:
    return st;
}
