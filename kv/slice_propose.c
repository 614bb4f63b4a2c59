// SPDX-License-Identifier: GPL-3.0-or-later
//
// From an entry to the log: admission, ceilings, parts of large entries.
#include <stdlib.h>

#include "core/invariant.h"
#include "core/mark.h"
#include "core/log.h"
#include "core/work.h"
#include "kv/leader.h"
#include "kv/slice_internal.h"
#include "kv/staged.h"

#define STAY_NS UINT64_C(2000000000)

// --- admission -------------------------------------------------------------------------------------------

struct status slice_admit_any(struct task *task, struct slice *slice)
{
    struct status st = STATUS_OK;
    for (;;) {
        TRY(slice_check_role(slice));
        if (!slice->parts_open) return STATUS_OK;
        TRY(task_wait(task, &slice->admit_waiters));
    }
out:
    return st;
}

struct status slice_admit(struct task *task, struct slice *slice, size_t bytes)
{
    struct status st = slice_check_role(slice);
    if (UNLIKELY(failed(st))) return st;
    if (UNLIKELY(bytes > ENTRY_BYTES_MAX))
        return status_make(E_PROGRAM_LIMIT_EXCEEDED, "transaction writes too much");
    if (UNLIKELY(slice->kv->disk_full && bytes > 0))
        return status_make(E_DISK_FULL, "no room on the disk of the store");
    if (LIKELY(!slice->parts_open)) return STATUS_OK;
    return slice_admit_any(task, slice);
}

void slice_fail(struct slice *slice, struct status st, const char *what)
{
    if (failed(slice->failed)) return;
    char code[6];
    status_sqlstate(st, code);
    log_error(0, "slice %llu has failed, %s: %s (%s)", (unsigned long long)slice->id, what,
        st.message, code);
    // The message must outlive everything; the cause is in the log.
    slice->failed = status_make(E_IO_ERROR, "this part of the store has failed");
    wait_queue_wake_all(&slice->admit_waiters, slice->failed);
    wait_queue_wake_all(&slice->ceiling_waiters, slice->failed);
    // It can answer nobody, however well its log goes: another one is to lead, where there is one.
    if (slice->leased) raft_log_state_lost(&slice->log);
}

static void own_task_ended(struct task *task, struct status st, void *arg)
{
    struct slice *slice = arg;
    (void)task;
    (void)st.code;
    invariant(slice->own_tasks > 0);
    slice->own_tasks--;
    wait_queue_wake_all(&slice->idle_waiters, STATUS_OK);
}

struct status slice_task_start(
    struct slice *slice, task_fn fn, const char *kind, enum task_class class)
{
    return slice_task_start_with(slice, fn, slice, kind, class);
}

struct status slice_task_start_with(
    struct slice *slice, task_fn fn, void *arg, const char *kind, enum task_class class)
{
    struct status st = task_start(slice->shard, &(struct task_options){
                                                    .fn = fn,
                                                    .arg = arg,
                                                    .kind = kind,
                                                    .class = class,
                                                    .ended = own_task_ended,
                                                    .ended_arg = slice,
                                                });
    if (!failed(st)) slice->own_tasks++;
    return st;
}

// --- proposing -------------------------------------------------------------------------------------------

// With other voters an entry may be under way for as long as a majority is gone, and who proposed it must be able
// to leave: such proposals are malloc'ed, and free themselves when their proposer has left.
static struct slice_proposal *proposal_make(
    struct slice *slice, struct slice_proposal *own, struct bytes payload)
{
    bool stays = raft_alone(&slice->log.raft);
    struct slice_proposal *proposal = stays ? own : malloc(sizeof *proposal);
    invariant(proposal != NULL);
    *proposal = (struct slice_proposal){.slice = slice,
        .payload = payload,
        .raft = {.failed = slice_proposal_failed},
        .malloced = !stays};
    if (!stays && payload.data != NULL) {
        uint8_t *copy = malloc(payload.size);
        invariant(copy != NULL);
        memcpy(copy, payload.data, payload.size);
        proposal->payload = bytes_of(copy, payload.size);
    }
    wait_queue_init(&proposal->waiter);
    return proposal;
}

static void proposal_free(struct slice_proposal *proposal)
{
    if (!proposal->malloced) return;
    free(proposal->pending.keys);
    free((void *)proposal->payload.data);
    free(proposal);
}

void slice_proposal_finish(struct slice_proposal *proposal, struct status st)
{
    struct slice *slice = proposal->slice;
    if (proposal->is_pending) {
        pending_remove(slice, &proposal->pending, st);
        proposal->is_pending = false;
    }
    proposal->st = st;
    proposal->done = true;
    invariant(slice->in_flight > 0);
    slice->in_flight--;
    wait_queue_wake_all(&proposal->waiter, STATUS_OK);
    if (slice->in_flight == 0) wait_queue_wake_all(&slice->idle_waiters, STATUS_OK);
    if (proposal->left) proposal_free(proposal);
}

struct status slice_ambiguous(void)
{
    return status_make_retry(E_AMBIGUOUS_RESULT, RETRY_AMBIGUOUS,
        "the outcome of the commit is unknown: the log failed");
}

// Nothing of it is or will be applied (K_NOT_LEADER), or nobody knows (40003).
void slice_proposal_failed(struct raft_proposal *raft, struct status st)
{
    slice_proposal_finish(container_of(raft, struct slice_proposal, raft), st);
}

// Frees the proposal. Memory of this task may be lent to the log: then nothing cuts this short. Otherwise who is
// cancelled or late stays a little longer, for the outcome, and leaves with 40003; and so does everybody once the
// slice has been without a leader here for as long as clients look for one: with a majority gone nobody would tell.
static struct status proposal_wait(struct task *task, struct slice_proposal *proposal)
{
    const uint64_t deadline_ns = task->deadline_ns;
    uint64_t leave_ns = task_now_ns(task) + LEADER_PATIENCE_NS;
    bool hurried = false;
    struct status cancelled = STATUS_OK;
    while (!proposal->done) {
        struct status st;
        if (!proposal->malloced) {
            task->deadline_ns = UINT64_MAX;
            st = task_wait(task, &proposal->waiter);
        } else {
            st = task_wait_until(task, &proposal->waiter, leave_ns, slice_ambiguous());
        }
        if (!failed(st) || proposal->done) continue;
        if (proposal->malloced && task_now_ns(task) >= leave_ns) {
            if (hurried || proposal->slice->role == SLICE_FOLLOWER) break;
            leave_ns = task_now_ns(task) + LEADER_PATIENCE_NS; // The leader has its majority: it is slow.
            continue;
        }
        if (task->cancelled) cancelled = task->cancel_status;
        task_cancel_clear(task);
        task->deadline_ns = UINT64_MAX;
        if (proposal->malloced && !hurried) leave_ns = task_now_ns(task) + STAY_NS;
        hurried = true;
    }
    task->deadline_ns = deadline_ns;
    if (failed(cancelled)) task_cancel(task, cancelled);
    if (!proposal->done) {
        proposal->left = true;
        return status_make_retry(E_AMBIGUOUS_RESULT, RETRY_AMBIGUOUS,
            "the outcome of the commit is unknown: a majority of the replicas does not answer");
    }
    struct status st = proposal->st;
    proposal_free(proposal);
    return st;
}

static void part_fill(
    struct bytes payload, size_t offset, size_t most, uint8_t *out, size_t *size)
{
    size_t left = payload.size - offset;
    size_t part = left < most ? left : most;
    uint32_t total = (uint32_t)payload.size;
    out[0] = ENTRY_PART_FORMAT;
    out[1] = (uint8_t)((offset == 0 ? PART_FIRST : 0) | (part == left ? PART_LAST : 0));
    memcpy(out + 2, &total, 4);
    memcpy(out + PART_HEADER_BYTES, payload.data + offset, part);
    *size = part;
}

static struct status part_propose(struct task *task, struct slice *slice, struct bytes record,
    size_t total)
{
    struct slice_proposal own;
    struct slice_proposal *part = proposal_make(slice, &own, bytes_of(NULL, total));
    part->is_part = true;
    slice->in_flight++;
    struct status st = raft_log_propose(&slice->log, &part->raft, record);
    if (failed(st)) slice_proposal_finish(part, st);
    return proposal_wait(task, part);
}

// All parts but the last are committed one by one; the last one carries the proposal itself. Others wait
// meanwhile, so that the parts of an entry are neighbours in the log: they are of one leader and one term.
static struct status propose_parts(
    struct task *task, struct slice *slice, struct slice_proposal *proposal, size_t most)
{
    struct status st = STATUS_OK;
    uint64_t turn = slice->turn;
    uint8_t *buffer = malloc(most + PART_HEADER_BYTES);
    if (buffer == NULL) return status_make(E_OUT_OF_MEMORY, "out of memory for a large entry");
    slice->parts_open = true;
    for (size_t offset = 0, size; offset < proposal->payload.size; offset += size) {
        part_fill(proposal->payload, offset, most, buffer, &size);
        struct bytes record = bytes_of(buffer, size + PART_HEADER_BYTES);
        if (offset + size == proposal->payload.size) {
            TRY(raft_log_propose(&slice->log, &proposal->raft, record));
            break;
        }
        st = part_propose(task, slice, record, proposal->payload.size);
        // Without its last part the entry is void, whatever became of this one.
        if (status_is(st, E_AMBIGUOUS_RESULT) && !failed(slice->failed)) st = slice_not_leader();
        TRY(st);
        if (slice->turn != turn) {
            st = slice_not_leader();
            goto out;
        }
        // Nobody waits for what a cancelled statement stages.
        if (proposal->stages) TRY(task_check(task));
        if (proposal->stages && SIM_MAYBE("slice.give_up_parts")) {
            st = slice_not_leader();
            goto out;
        }
    }
out:
    slice->parts_open = false;
    wait_queue_wake_all(&slice->admit_waiters, STATUS_OK);
    free(buffer);
    return st;
}

// All of the bounds, copied: what is staged may be gone before its proposal.
static void pending_seal(
    struct slice_proposal *proposal, const struct entry_op *op, struct arena *arena)
{
    const struct staged *staged = staged_find(proposal->slice, op->txn);
    if (staged == NULL) return;
    const struct span bounds = staged->bounds;
    size_t size = bounds.start.size + bounds.end.size + 1;
    uint8_t *copy = arena != NULL ? arena_alloc(arena, size) : malloc(size);
    invariant(copy != NULL);
    memcpy(copy, bounds.start.data, bounds.start.size);
    memcpy(copy + bounds.start.size, bounds.end.data, bounds.end.size);
    struct pending *pending = &proposal->pending;
    pending->keys = (struct pending_key *)(void *)copy; // Never looked at: it is freed with it.
    pending->coarse = true;
    pending->key_count = 1;
    pending->bounds = (struct span){bytes_of(copy, bounds.start.size),
        bytes_of(copy + bounds.start.size, bounds.end.size)};
    pending->ts = op->ts;
    pending->tenant = op->tenant;
    proposal->is_pending = true;
}

static void pending_prepare(struct slice_proposal *proposal, struct arena *arena)
{
    struct entry_reader reader;
    struct entry_op op;
    entry_open_trusted(proposal->payload, &reader);
    while (entry_op_next(&reader, &op)) {
        const struct pending *prepared;
        proposal->item_count += op.item_count;
        proposal->stages = op.kind == ENTRY_STAGE;
        if (op.kind == ENTRY_DRAIN) proposal->item_count += op.sequence;
        if (op.kind == ENTRY_SEAL) pending_seal(proposal, &op, arena);
        if (op.kind == ENTRY_RESOLVE && op.commit) {
            prepared = slice_prepared_find(proposal->slice, op.txn);
            if (prepared != NULL) proposal->item_count += prepared->key_count;
            proposal->slice->last_commit = hlc_max(proposal->slice->last_commit, op.ts);
            proposal->slice->early = hlc_max(proposal->slice->early, op.ts);
            hlc_update(&proposal->slice->shard->hlc, op.ts);
        }
        if (op.kind != ENTRY_WRITES && op.kind != ENTRY_PREPARE) continue;
        invariant(!proposal->is_pending || hlc_equal(proposal->pending.ts, op.ts));
        proposal->pending.ts = op.ts;
        proposal->pending.tenant = op.tenant;
        proposal->is_pending = true;
        pending_gather(&proposal->pending, &op, arena);
    }
}

static struct status propose_at(
    struct task *task, struct slice *slice, struct bytes payload, struct hlc_timestamp ceiling)
{
    struct arena_mark mark = arena_mark(task->arena);
    struct slice_proposal own;
    const struct hlc_timestamp before = slice->ceiling_proposed;
    entry_ceiling_set(payload, ceiling);
    slice->ceiling_proposed = ceiling;
    struct slice_proposal *proposal = proposal_make(slice, &own, payload);
    struct status st;
    pending_prepare(proposal, proposal->malloced ? NULL : task->arena);
    expensive_invariant(!failed(entry_open(payload, &(struct entry_reader){0})));

    // Pending before it is with the log: cutting a large entry into parts suspends.
    slice->in_flight++;
    if (proposal->is_pending) {
        expensive_invariant(list_empty(&slice->pending) ||
                            hlc_less(container_of(slice->pending.prev, struct pending, link)->ts,
                                proposal->pending.ts));
        pending_add(slice, &proposal->pending, &slice->pending);
    }
    slice_ops_tell(slice, payload, 0, false);
    const size_t most = SIM_MAYBE("slice.small_parts") ? payload.size / 3 + 1 : PART_BYTES;
    st = payload.size <= most ? raft_log_propose(&slice->log, &proposal->raft, payload)
                              : propose_parts(task, slice, proposal, most);
    if (failed(st)) {
        slice_proposal_finish(proposal, st);
        // Nobody brings this ceiling any more.
        if (hlc_equal(slice->ceiling_proposed, ceiling)) slice->ceiling_proposed = before;
    }
    st = proposal_wait(task, proposal);
    // A failure's message may be there.
    if (!failed(st)) arena_release(task->arena, mark);
    return st;
}

struct status slice_propose(struct task *task, struct slice *slice, struct bytes payload)
{
    struct status st = slice_check_role(slice);
    if (UNLIKELY(failed(st))) return st;
    if (payload.size > ENTRY_BYTES_MAX)
        return status_make(E_PROGRAM_LIMIT_EXCEEDED, "transaction writes too much");
    invariant(!slice->parts_open); // The caller was admitted, and has not suspended since.
    slice->load_count++;
    return propose_at(task, slice, payload, slice_ceiling_next(slice));
}

struct status slice_propose_ceiling(
    struct task *task, struct slice *slice, struct bytes payload, struct hlc_timestamp ceiling)
{
    return propose_at(task, slice, payload, ceiling);
}

struct status slice_propose_writes(struct task *task, struct slice *slice, uint64_t tenant,
    const struct slice_write *writes, uint32_t count, struct hlc_timestamp ts)
{
    struct entry_builder builder;
    struct arena_mark mark = arena_mark(task->arena);
    entry_begin(&builder, task->arena);
    entry_op_append(&builder, &(struct entry_op){.kind = ENTRY_WRITES, .tenant = tenant, .ts = ts});
    for (uint32_t i = 0; i < count; i++)
        entry_item_append(
            &builder, &(struct entry_item){.key = writes[i].key, .value = writes[i].value});
    struct status st = slice_propose(task, slice, entry_end(&builder));
    // A failure's message may be there.
    if (!failed(st)) arena_release(task->arena, mark);
    return st;
}
