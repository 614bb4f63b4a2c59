// SPDX-License-Identifier: GPL-3.0-or-later
//
// From an entry to its effect: admission, the log, parts of large entries, and applying in log order.
//
// What is durable is applied at the end of the log's batch, all of it in one store transaction, when it is
// little. More than that goes to a task of the slice's own, which may yield between transactions; while it
// runs everything queues behind it, so the order is always the log's.
#include <stdlib.h>

#include "core/invariant.h"
#include "core/log.h"
#include "kv/slice_internal.h"

#define APPLY_INLINE_BYTES (256u << 10)
#define APPLY_INLINE_ITEMS 512u // About a millisecond.
#define APPLY_ATTEMPTS 20u
// A record of the log holds this much of a large entry, behind a header: format u8 | flags u8 | total u32.
#define PART_BYTES (1u << 20)
#define PART_HEADER_BYTES 6u
enum part_flags { PART_FIRST = 1, PART_LAST = 2 };

// --- admission -------------------------------------------------------------------------------------------

struct status slice_check(const struct slice *slice)
{
    if (UNLIKELY(failed(slice->failed))) return slice->failed;
    if (UNLIKELY(!slice->running || slice->kv->stopping))
        return status_make(E_ADMIN_SHUTDOWN, "storage is stopping");
    return STATUS_OK;
}

struct status slice_admit_any(struct task *task, struct slice *slice)
{
    struct status st = STATUS_OK;
    for (;;) {
        if (failed(slice->failed)) return slice->failed;
        if (!slice->running) return status_make(E_ADMIN_SHUTDOWN, "storage is stopping");
        if (!slice->parts_open) return STATUS_OK;
        TRY(task_wait(task, &slice->admit_waiters));
    }
out:
    return st;
}

struct status slice_admit(struct task *task, struct slice *slice, size_t bytes)
{
    struct status st = slice_check(slice);
    if (failed(st)) return st;
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
    struct status st = task_start(slice->shard, &(struct task_options){
                                                    .fn = fn,
                                                    .arg = slice,
                                                    .kind = kind,
                                                    .class = class,
                                                    .ended = own_task_ended,
                                                    .ended_arg = slice,
                                                });
    if (!failed(st)) slice->own_tasks++;
    return st;
}

// --- proposing -------------------------------------------------------------------------------------------

// Waits for what nothing may cut short: memory of this task is lent to the log until then.
static void wait_done(struct task *task, struct slice_proposal *proposal)
{
    if (proposal->done) return;
    uint64_t deadline_ns = task->deadline_ns;
    struct status cancelled = STATUS_OK;
    task->deadline_ns = UINT64_MAX;
    while (!proposal->done) {
        struct status st = task_wait(task, &proposal->waiter);
        if (!failed(st) || proposal->done) continue;
        if (task->cancelled) cancelled = task->cancel_status;
        task_cancel_clear(task);
    }
    task->deadline_ns = deadline_ns;
    if (failed(cancelled)) task_cancel(task, cancelled);
}

static void proposal_finish(struct slice_proposal *proposal, struct status st)
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
}

static struct status ambiguous(void)
{
    return status_make_retry(E_AMBIGUOUS_RESULT, RETRY_AMBIGUOUS,
        "the outcome of the commit is unknown: the log failed");
}

static void part_end(struct slice_proposal *part, struct status st)
{
    part->st = st;
    part->done = true;
    wait_queue_wake_all(&part->waiter, STATUS_OK);
}

static void proposal_failed(struct raft_proposal *raft, struct status st)
{
    struct slice_proposal *proposal = container_of(raft, struct slice_proposal, raft);
    slice_fail(proposal->slice, st, "writing its log");
    if (proposal->is_part) {
        part_end(proposal, st);
    } else {
        proposal_finish(proposal, ambiguous());
    }
}

static void log_committed(struct raft_log *log, const struct log_record *record,
    log_position position, struct raft_proposal *raft)
{
    struct slice *slice = log->arg;
    struct slice_proposal *proposal = container_of(raft, struct slice_proposal, raft);
    (void)record;
    (void)position;
    if (proposal->is_part) {
        part_end(proposal, STATUS_OK);
        return;
    }
    if (failed(slice->failed)) {
        proposal_finish(proposal, ambiguous());
        return;
    }
    slice_ceiling_durable(slice, proposal->ceiling);
    proposal->next = NULL;
    if (slice->committed == NULL) {
        slice->committed = proposal;
    } else {
        slice->committed_tail->next = proposal;
    }
    slice->committed_tail = proposal;
    slice->committed_bytes += proposal->payload.size;
    slice->committed_items += proposal->item_count;
}

const struct raft_log_hooks slice_log_hooks = {.committed = log_committed};

static void part_fill(struct bytes payload, size_t offset, uint8_t *out, size_t *size)
{
    size_t left = payload.size - offset;
    size_t part = left < PART_BYTES ? left : PART_BYTES;
    uint32_t total = (uint32_t)payload.size;
    out[0] = ENTRY_PART_FORMAT;
    out[1] = (uint8_t)((offset == 0 ? PART_FIRST : 0) | (part == left ? PART_LAST : 0));
    memcpy(out + 2, &total, 4);
    memcpy(out + PART_HEADER_BYTES, payload.data + offset, part);
    *size = part;
}

// All parts but the last are made durable one by one; the last one carries the proposal itself. Others wait
// meanwhile, so that the parts of an entry are neighbours in the log.
static struct status propose_parts(
    struct task *task, struct slice *slice, struct slice_proposal *proposal)
{
    struct status st = STATUS_OK;
    uint8_t *buffer = malloc(PART_BYTES + PART_HEADER_BYTES);
    if (buffer == NULL) return status_make(E_OUT_OF_MEMORY, "out of memory for a large entry");
    slice->parts_open = true;
    for (size_t offset = 0, size; offset < proposal->payload.size; offset += size) {
        part_fill(proposal->payload, offset, buffer, &size);
        struct bytes record = bytes_of(buffer, size + PART_HEADER_BYTES);
        if (offset + size == proposal->payload.size) {
            TRY(raft_log_propose(&slice->log, &proposal->raft, record));
            break;
        }
        struct slice_proposal part = {
            .slice = slice, .raft = {.failed = proposal_failed}, .is_part = true};
        wait_queue_init(&part.waiter);
        TRY(raft_log_propose(&slice->log, &part.raft, record));
        wait_done(task, &part);
        TRY(part.st);
    }
out:
    slice->parts_open = false;
    wait_queue_wake_all(&slice->admit_waiters, STATUS_OK);
    free(buffer);
    return st;
}

static void pending_prepare(struct slice_proposal *proposal, struct arena *arena)
{
    struct entry_reader reader;
    struct entry_op op;
    entry_open_trusted(proposal->payload, &reader);
    while (entry_op_next(&reader, &op)) {
        const struct pending *prepared;
        proposal->item_count += op.item_count;
        if (op.kind == ENTRY_RESOLVE && op.commit) {
            prepared = slice_prepared_find(proposal->slice, op.txn);
            if (prepared != NULL) proposal->item_count += prepared->key_count;
            proposal->slice->last_commit = hlc_max(proposal->slice->last_commit, op.ts);
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

struct status slice_propose(struct task *task, struct slice *slice, struct bytes payload)
{
    struct arena_mark mark = arena_mark(task->arena);
    struct slice_proposal proposal = {
        .slice = slice, .payload = payload, .raft = {.failed = proposal_failed}};
    struct status st = STATUS_OK;
    if (failed(slice->failed)) return slice->failed;
    if (payload.size > ENTRY_BYTES_MAX)
        return status_make(E_PROGRAM_LIMIT_EXCEEDED, "transaction writes too much");
    if (!slice->running) return status_make(E_ADMIN_SHUTDOWN, "storage is stopping");
    invariant(!slice->parts_open); // The caller was admitted, and has not suspended since.
    wait_queue_init(&proposal.waiter);
    pending_prepare(&proposal, task->arena);
    proposal.ceiling = slice_ceiling_next(slice);
    slice->ceiling_proposed = proposal.ceiling;
    entry_ceiling_set(payload, proposal.ceiling);
    expensive_invariant(!failed(entry_open(payload, &(struct entry_reader){0})));

    // Pending before it is with the log: cutting a large entry into parts suspends.
    slice->in_flight++;
    if (proposal.is_pending) {
        expensive_invariant(list_empty(&slice->pending) ||
                            hlc_less(container_of(slice->pending.prev, struct pending, link)->ts,
                                proposal.pending.ts));
        pending_add(slice, &proposal.pending, &slice->pending);
    }
    slice_ops_tell(slice, payload, 0, false);
    st = payload.size <= PART_BYTES ? raft_log_propose(&slice->log, &proposal.raft, payload)
                                    : propose_parts(task, slice, &proposal);
    if (failed(st)) {
        proposal_finish(&proposal, st);
    } else {
        wait_done(task, &proposal);
        st = proposal.st;
    }
    arena_release(task->arena, mark);
    return st;
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
    arena_release(task->arena, mark);
    return st;
}

// --- applying --------------------------------------------------------------------------------------------

// Applies `count` entries of the list in one transaction (or, in a task, several).
static struct status apply_some(
    struct slice *slice, struct task *task, struct slice_proposal *first, uint32_t count)
{
    struct slice_apply apply = {.slice = slice, .task = task};
    struct slice_proposal *proposal = first;
    struct status st = store_begin(slice->store);
    if (failed(st)) return st;
    for (uint32_t i = 0; i < count; i++, proposal = proposal->next) {
        TRY(slice_apply_entry(&apply, proposal->payload));
        if (i + 1 < count) continue;
        const struct log_record *record = &proposal->raft.append.record;
        TRY(slice_apply_mark(slice, record->term, record->index, slice->ceiling));
    }
    TRY(store_commit(slice->store));
    return st;
out:
    store_rollback(slice->store);
    return st;
}

// The applied ones leave the list, in order: observers, then memory, then readers and the proposer.
static void finish_some(struct slice *slice, uint32_t count)
{
    for (uint32_t i = 0; i < count; i++) {
        struct slice_proposal *proposal = slice->committed;
        slice->committed = proposal->next;
        slice->committed_bytes -= proposal->payload.size;
        slice->committed_items -= proposal->item_count;
        uint64_t index = proposal->raft.append.record.index;
        raft_log_applied(&slice->log, index, proposal->raft.append.position);
        slice->bytes_since_checkpoint += proposal->payload.size;
        slice_ops_tell(slice, proposal->payload, index, true);
        slice_apply_remember(slice, proposal->payload);
        proposal_finish(proposal, STATUS_OK);
    }
    for (struct slice_observer *at = slice->observers, *next; at != NULL; at = next) {
        next = at->next;
        if (at->batch_end != NULL) at->batch_end(at, slice);
    }
}

static void fail_all(struct slice *slice, struct status st)
{
    slice_fail(slice, st, "applying an entry");
    while (slice->committed != NULL) {
        struct slice_proposal *proposal = slice->committed;
        slice->committed = proposal->next;
        proposal_finish(proposal, ambiguous());
    }
    slice->committed_bytes = slice->committed_items = 0;
}

static uint32_t committed_count(const struct slice *slice)
{
    uint32_t count = 0;
    for (const struct slice_proposal *at = slice->committed; at != NULL; at = at->next)
        count++;
    return count;
}

static struct status apply_task(struct task *task, void *arg)
{
    struct slice *slice = arg;
    uint32_t attempts = 0;
    while (slice->committed != NULL) {
        struct status st = apply_some(slice, task, slice->committed, 1);
        if (status_is(st, STORE_BUSY) && ++attempts < APPLY_ATTEMPTS) {
            // Its cache is full: eviction needs a moment.
            if (failed(task_sleep(task, 5000000))) task_cancel_clear(task);
            continue;
        }
        if (failed(st)) {
            fail_all(slice, st);
            break;
        }
        attempts = 0;
        finish_some(slice, 1);
        if (failed(task_yield_if_due(task))) task_cancel_clear(task);
    }
    slice->applying = false;
    return STATUS_OK;
}

void slice_apply_committed(struct slice *slice)
{
    if (slice->committed == NULL || slice->applying) return;
    struct status st = STATUS_OK;
    if (LIKELY(slice->committed_bytes <= APPLY_INLINE_BYTES &&
               slice->committed_items <= APPLY_INLINE_ITEMS)) {
        uint32_t count = committed_count(slice);
        st = apply_some(slice, NULL, slice->committed, count);
        if (LIKELY(!failed(st))) {
            finish_some(slice, count);
            return;
        }
        if (!status_is(st, STORE_BUSY)) {
            fail_all(slice, st);
            return;
        }
    }
    slice->applying = true;
    st = slice_task_start(slice, apply_task, "slice apply", TASK_SYSTEM);
    if (failed(st)) {
        slice->applying = false;
        fail_all(slice, st);
    }
}

// --- replaying -------------------------------------------------------------------------------------------

#define REPLAY_ENTRIES 512u
#define REPLAY_BYTES (1u << 20)

static struct status replay_flush(struct slice *slice)
{
    struct slice_replay *replay = slice->replay;
    if (!replay->in_transaction) return STATUS_OK;
    struct status st = slice_apply_mark(slice, replay->term, replay->applied_index, slice->ceiling);
    if (failed(st))
        store_rollback(slice->store);
    else
        st = store_commit(slice->store);
    replay->in_transaction = false;
    replay->entries = 0;
    replay->bytes = 0;
    return st;
}

static struct status replay_entry(struct task *task, struct slice *slice, struct bytes payload)
{
    struct slice_replay *replay = slice->replay;
    struct entry_reader reader;
    struct status st = entry_open(payload, &reader);
    if (failed(st)) return st;
    slice->ceiling = hlc_max(slice->ceiling, reader.ceiling);
    if (!replay->in_transaction) {
        TRY(store_begin(slice->store));
        replay->in_transaction = true;
    }
    struct slice_apply apply = {.slice = slice, .task = task, .bytes = replay->bytes};
    TRY(slice_apply_entry(&apply, payload));
    // At once, not when the transaction commits: the next entry may build on it. A failure ends the start.
    slice_apply_remember(slice, payload);
    return st;
out:
    if (replay->in_transaction) store_rollback(slice->store);
    replay->in_transaction = false;
    if (status_is(st, STORE_BUSY))
        st = status_make(E_OUT_OF_MEMORY, "the store's cache is too small to replay its log");
    return st;
}

static struct status replay_part(struct slice *slice, struct bytes payload, bool *whole)
{
    struct slice_replay *replay = slice->replay;
    const struct status malformed =
        status_make(E_DATA_CORRUPTED, "part of a log entry out of place");
    uint32_t total;
    *whole = false;
    if (payload.size < PART_HEADER_BYTES) return malformed;
    uint8_t flags = payload.data[1];
    memcpy(&total, payload.data + 2, 4);
    if (total > ENTRY_BYTES_MAX) return malformed;
    struct bytes part = bytes_skip(payload, PART_HEADER_BYTES);
    if (flags & PART_FIRST) {
        arena_reset(&replay->arena);
        buffer_init(&replay->parts, &replay->arena);
        replay->parts_total = total;
    }
    if (replay->parts_total != total || part.size > total - replay->parts.size) return malformed;
    buffer_append_bytes(&replay->parts, part);
    *whole = flags & PART_LAST;
    return *whole && replay->parts.size != total ? malformed : STATUS_OK;
}

struct status slice_replay(struct task *task, struct slice *slice, uint64_t term, uint64_t index,
    struct bytes payload, log_position position)
{
    struct slice_replay *replay = slice->replay;
    struct status st = STATUS_OK;
    bool whole = true;
    if (index <= replay->applied_index) return STATUS_OK;
    // What was cut as a torn tail was never seen, so its indexes may be used again; but there is no gap.
    if (index > replay->index + 1 || term < replay->term) {
        log_error(0, "slice %llu: record %llu of term %llu follows %llu of term %llu in its log",
            (unsigned long long)slice->id, (unsigned long long)index, (unsigned long long)term,
            (unsigned long long)replay->index, (unsigned long long)replay->term);
        return status_make(E_DATA_CORRUPTED, "gap in a slice's log");
    }
    replay->index = index;
    replay->term = term;
    replay->position = position;
    if (payload.size > 0 && payload.data[0] == ENTRY_PART_FORMAT) {
        TRY(replay_part(slice, payload, &whole));
        if (!whole) goto out;
        TRY(replay_entry(task, slice, buffer_bytes(&replay->parts)));
        replay->parts_total = 0;
        arena_reset(&replay->arena);
        buffer_init(&replay->parts, &replay->arena);
    } else {
        replay->parts_total = 0; // What was gathered has no end: its proposer never had an answer.
        TRY(replay_entry(task, slice, payload));
    }
    replay->applied_index = index;
    replay->applied_position = position;
    replay->entries++;
    replay->bytes += payload.size;
    if (replay->entries >= REPLAY_ENTRIES || replay->bytes >= REPLAY_BYTES || !whole)
        TRY(replay_flush(slice));
out:
    return st;
}

struct status slice_replay_end(struct slice *slice)
{
    struct slice_replay *replay = slice->replay;
    if (replay->parts_total > 0) {
        // An entry of which the end was never logged, and now never will be: its parts count as applied,
        // so that no index is used twice and none is missing, whatever becomes of this log.
        if (!replay->in_transaction) {
            struct status st = store_begin(slice->store);
            if (failed(st)) return st;
            replay->in_transaction = true;
        }
        replay->applied_index = replay->index;
        replay->applied_position = replay->position;
        replay->parts_total = 0;
    }
    return replay_flush(slice);
}
