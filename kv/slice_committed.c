// SPDX-License-Identifier: GPL-3.0-or-later
//
// From committed to applied, at leaders and followers alike, and at a restart.
//
// What is committed is applied at the end of the log's batch, all of it in one store transaction, when it is
// little. More than that goes to a task of the slice's own, which may yield between transactions; while it
// runs everything queues behind it, so the order is always the log's. Followers, whom nobody waits for, let more gather,
// and apply runs of mere writes in the order of their keys (slice_gather.c).
//
// Entries too large for a record come in parts, neighbours in the log but for changes of the members; they are put
// together here. Parts whose end never comes (their leader was deposed) are void with the next entry.
#include <stdlib.h>

#include "core/invariant.h"
#include "core/log.h"
#include "core/mark.h"
#include "kv/slice_internal.h"

#define APPLY_INLINE_BYTES (256u << 10)
#define APPLY_INLINE_ITEMS 512u // About a millisecond.
#define APPLY_AGAIN_NS UINT64_C(5000000)
// How long a full cache may stay full. What is committed waits within a log's window (RAFT_WINDOW_BYTES) meanwhile.
#define APPLY_BUSY_NS UINT64_C(60000000000)
#define APPLY_BUSY_LAST_NS UINT64_C(100000000) // Once the slice is stopping: the log has it.
#define FINISH_ENTRIES 256u
// What a follower lets gather: the more keys are put in their order, the cheaper each. Bounded by what a new leader may
// have to catch up with, which delays it by some milliseconds, and by how old what a follower shows may be.
#define APPLY_GATHER_BYTES (2u << 20)
#define APPLY_GATHER_ITEMS 8192u
#define APPLY_GATHER_NS UINT64_C(250000000)

// --- parts -----------------------------------------------------------------------------------------------

static void parts_drop(struct slice *slice)
{
    free(slice->parts);
    slice->parts = NULL;
    slice->parts_total = slice->parts_size = 0;
}

static struct status malformed_part(void)
{
    return status_make(E_DATA_CORRUPTED, "malformed part of a log entry");
}

// Takes a part in; with the last one *whole is the entry, whose memory is the caller's.
static struct status part_take(struct slice *slice, struct bytes payload, struct bytes *whole)
{
    uint32_t total;
    *whole = bytes_of(NULL, 0);
    if (payload.size < PART_HEADER_BYTES) return malformed_part();
    uint8_t flags = payload.data[1];
    memcpy(&total, payload.data + 2, 4);
    struct bytes part = bytes_skip(payload, PART_HEADER_BYTES);
    if (total > ENTRY_BYTES_MAX || part.size > total) return malformed_part();
    if (flags & PART_FIRST) {
        parts_drop(slice);
        slice->parts = malloc((size_t)total + 1);
        if (slice->parts == NULL) return status_make(E_OUT_OF_MEMORY, "out of memory for an entry");
        slice->parts_total = total;
    }
    // Parts that follow nothing: their beginning was void already. So are they, at every replica.
    if (slice->parts == NULL) return STATUS_OK;
    if (slice->parts_total != total || part.size > total - slice->parts_size)
        return malformed_part();
    memcpy(slice->parts + slice->parts_size, part.data, part.size);
    slice->parts_size += (uint32_t)part.size;
    if (!(flags & PART_LAST)) return STATUS_OK;
    if (slice->parts_size != total) return malformed_part();
    *whole = bytes_of(slice->parts, total);
    slice->parts = NULL;
    slice->parts_total = slice->parts_size = 0;
    return STATUS_OK;
}

static struct status config_take(struct slice_entry *entry, struct bytes payload)
{
    entry->config = malloc(sizeof *entry->config);
    invariant(entry->config != NULL);
    if (!raft_config_decode(payload, entry->config))
        return status_make(E_DATA_CORRUPTED, "malformed members in a log entry");
    entry->config->index = entry->index;
    return STATUS_OK;
}

// What of a record is to be applied: entry->payload (and owned), checked. Keeps track of parts.
static struct status entry_take(
    struct slice *slice, struct slice_entry *entry, struct bytes payload)
{
    struct entry_reader reader;
    entry->may_mark = true;
    if (entry->kind == RAFT_CONFIG) {
        entry->may_mark = slice->parts_total == 0;
        return config_take(entry, payload);
    }
    if (entry->kind != RAFT_DATA) {
        parts_drop(slice);
        return STATUS_OK;
    }
    if (entry->proposal != NULL) {
        // The proposer has all of it.
        parts_drop(slice);
        entry->may_mark = !entry->proposal->is_part;
        slice->parts_total = entry->may_mark ? 0 : (uint32_t)entry->proposal->payload.size;
        if (entry->may_mark) entry->payload = entry->proposal->payload;
        return STATUS_OK;
    }
    if (payload.size > 0 && payload.data[0] == ENTRY_PART_FORMAT) {
        struct status st = part_take(slice, payload, &entry->payload);
        if (failed(st)) return st;
        entry->owned = (uint8_t *)entry->payload.data;
        entry->may_mark = slice->parts_total == 0;
    } else {
        parts_drop(slice);
        entry->payload = payload;
    }
    return entry->payload.data == NULL ? STATUS_OK : entry_open(entry->payload, &reader);
}

static void entry_count_items(struct slice *slice, struct slice_entry *entry)
{
    struct entry_reader reader;
    struct entry_op op;
    entry->plain = entry->config == NULL && slice_entry_plain(entry->payload);
    if (entry->payload.data == NULL) return;
    entry_open_trusted(entry->payload, &reader);
    while (entry_op_next(&reader, &op)) {
        entry->item_count += op.item_count;
        if (op.kind == ENTRY_DRAIN) entry->item_count += op.sequence;
        if (op.kind != ENTRY_RESOLVE || !op.commit) continue;
        const struct pending *prepared = slice_prepared_find(slice, op.txn);
        if (prepared != NULL) entry->item_count += prepared->key_count;
    }
}

// --- the queue -------------------------------------------------------------------------------------------

static void entry_free(struct slice_entry *entry)
{
    free(entry->owned);
    free(entry->config);
    arena_fini(&entry->told_arena);
    if (entry->proposal == NULL) free(entry);
}

static void entry_done(struct slice_entry *entry, struct status st)
{
    struct slice_proposal *proposal = entry->proposal;
    entry_free(entry);
    if (proposal != NULL) slice_proposal_finish(proposal, st);
}

static void queue_append(struct slice *slice, struct slice_entry *entry)
{
    struct kv_shard *kv = slice->kv;
    entry->next = NULL;
    if (slice->committed == NULL) {
        slice->committed = entry;
    } else {
        slice->committed_tail->next = entry;
    }
    slice->committed_tail = entry;
    slice->committed_bytes += entry->payload.size;
    slice->committed_items += entry->item_count;
    if (entry->proposal != NULL || entry->kind != RAFT_DATA) slice->committed_urgent = true;
    if (slice->committed_linked) return;
    slice->committed_linked = true;
    slice->committed_next = kv->committed;
    kv->committed = slice;
}

static struct slice_entry *queue_take(struct slice *slice)
{
    struct slice_entry *entry = slice->committed;
    slice->committed = entry->next;
    slice->committed_bytes -= entry->payload.size;
    slice->committed_items -= entry->item_count;
    return entry;
}

void slice_entry_committed(struct raft_log *log, const struct log_record *record,
    log_position position, struct raft_proposal *raft)
{
    struct slice *slice = log->arg;
    struct slice_proposal *proposal =
        raft == NULL ? NULL : container_of(raft, struct slice_proposal, raft);
    struct slice_entry *entry = proposal != NULL ? &proposal->entry : malloc(sizeof *entry);
    invariant(entry != NULL);
    *entry = (struct slice_entry){.term = record->term,
        .index = record->index,
        .position = position,
        .kind = record->kind,
        .proposal = proposal};
    arena_init(&entry->told_arena, NULL);
    if (failed(slice->failed)) {
        entry_done(entry, slice_ambiguous());
        return;
    }
    struct status st = entry_take(slice, entry, record->payload);
    if (failed(st)) {
        slice_fail(slice, st, "reading a committed entry");
        entry_done(entry, slice_ambiguous());
        return;
    }
    if (proposal != NULL) {
        entry->item_count = proposal->item_count;
    } else {
        entry_count_items(slice, entry);
    }
    if (entry->payload.data != NULL) {
        struct entry_reader reader;
        entry_open_trusted(entry->payload, &reader);
        slice_ceiling_set(slice, reader.ceiling);
    }
    queue_append(slice, entry);
}

void slice_committed_drop(struct slice *slice)
{
    while (slice->committed != NULL)
        entry_done(queue_take(slice), slice_ambiguous());
    parts_drop(slice);
}

// --- applying --------------------------------------------------------------------------------------------

// Applies `count` entries of the list in one transaction (or, in a task, several).
static struct status apply_some(struct slice *slice, struct task *task, uint32_t count)
{
    struct slice_apply apply = {.slice = slice, .task = task};
    const struct slice_entry *mark = NULL;
    struct slice_entry *entry = slice->committed;
    const struct raft_config *config = &slice->config, *config_marked = config;
    uint32_t run_end = 0;
    bool gather = false;
    struct status st = store_begin(slice->store);
    if (failed(st)) return st;
    for (uint32_t i = 0; i < count; i++, entry = entry->next) {
        if (i == run_end) {
            run_end += slice_gather_run(entry, count - i, &gather);
            if (gather) TRY(slice_gather_apply(&apply, entry, run_end - i));
        }
        arena_reset(&entry->told_arena);
        apply.told_arena = &entry->told_arena;
        apply.told = bytes_of(NULL, 0);
        apply.prepare_refused = false;
        if (entry->payload.data != NULL && !gather)
            TRY(slice_apply_entry(&apply, entry->payload));
        entry->told = apply.told;
        entry->prepare_refused = apply.prepare_refused;
        if (entry->config != NULL) config = entry->config;
        if (!entry->may_mark) continue;
        mark = entry;
        config_marked = config;
    }
    if (mark != NULL)
        TRY(slice_apply_mark(slice, mark->term, mark->index, slice->ceiling, config_marked));
    if (SIM_MAYBE("store.busy")) TRY(status_make(STORE_BUSY, "store cache is full"));
    TRY(store_commit(slice->store));
    return st;
out:
    store_rollback(slice->store);
    return st;
}

static struct status members_task(struct task *task, void *arg)
{
    struct slice *slice = arg;
    slice->members_saving = false;
    return slice->running ? slice_checkpoint(task, slice) : STATUS_OK;
}

// Soon in the store for good: who finds its log damaged has to know that there are others to rebuild it.
static void members_save(struct slice *slice)
{
    if (slice->members_saving || !slice->running) return;
    struct status st = slice_task_start(slice, members_task, "slice members", TASK_SYSTEM);
    slice->members_saving = !failed(st);
}

static void entry_remember(struct slice *slice, const struct slice_entry *entry)
{
    if (entry->may_mark) {
        slice->applied_index = entry->index;
        slice->applied_term = entry->term;
        slice->applied_position = entry->position;
    }
    if (entry->config != NULL) {
        slice->config = *entry->config;
        members_save(slice);
    }
    if (entry->payload.data == NULL) return;
    slice->bytes_since_checkpoint += entry->payload.size;
    slice_ops_tell(slice, entry->payload, entry->index, true);
    if (entry->told.data != NULL) slice_ops_tell(slice, entry->told, entry->index, true);
    slice_apply_remember(slice, entry->payload, entry->prepare_refused);
}

// The applied ones leave the list, in order: observers, then memory, then readers and the proposer.
static void finish_some(struct slice *slice, uint32_t count)
{
    for (uint32_t i = 0; i < count; i++) {
        struct slice_entry *entry = queue_take(slice);
        entry_remember(slice, entry);
        raft_log_applied(&slice->log, entry->index, entry->position);
        entry_done(entry, STATUS_OK);
    }
    for (struct slice_observer *at = slice->observers, *next; at != NULL; at = next) {
        next = at->next;
        if (at->batch_end != NULL) at->batch_end(at, slice);
    }
    slice_closed_update(slice);
    if (slice->committed == NULL) wait_queue_wake_all(&slice->role_waiters, STATUS_OK);
}

static void fail_all(struct slice *slice, struct status st)
{
    slice_fail(slice, st, "applying an entry");
    slice_committed_drop(slice);
    wait_queue_wake_all(&slice->role_waiters, STATUS_OK);
}

// How many of the entries a task applies at once: a run that is worth it, or one.
static uint32_t next_count(const struct slice *slice)
{
    bool gather;
    uint32_t run = slice_gather_run(slice->committed, UINT32_MAX, &gather);
    return gather ? run : 1;
}

static uint32_t committed_count(const struct slice *slice)
{
    uint32_t count = 0;
    for (const struct slice_entry *at = slice->committed; at != NULL; at = at->next)
        count++;
    return count;
}

static bool may_wait(const struct slice *slice, uint64_t busy_ns)
{
    return busy_ns < (slice->running ? APPLY_BUSY_NS : APPLY_BUSY_LAST_NS);
}

static struct status apply_task(struct task *task, void *arg)
{
    struct slice *slice = arg;
    uint64_t since_ns = task_now_ns(task); // Something was applied.
    while (slice->committed != NULL && slice->held == 0) {
        uint32_t count = next_count(slice);
        struct status st = apply_some(slice, task, count);
        if (status_is(st, STORE_BUSY) && may_wait(slice, task_now_ns(task) - since_ns)) {
            // Its cache is full: eviction needs a moment, and as long as the disk does.
            if (failed(task_sleep(task, APPLY_AGAIN_NS))) task_cancel_clear(task);
            continue;
        }
        if (failed(st)) {
            fail_all(slice, st);
            break;
        }
        since_ns = task_now_ns(task);
        for (uint32_t some; count > 0; count -= some) {
            some = count < FINISH_ENTRIES ? count : FINISH_ENTRIES;
            finish_some(slice, some);
            if (failed(task_yield_if_due(task))) task_cancel_clear(task);
        }
    }
    slice->applying = false;
    wait_queue_wake_all(&slice->role_waiters, STATUS_OK);
    return STATUS_OK;
}

static void gathered(struct timer *timer)
{
    struct kv_shard *kv = container_of(timer, struct kv_shard, apply_timer);
    for (uint32_t i = 0; i < kv->slice_count; i++)
        slice_apply_now(kv->slices[i]);
}

static bool may_gather(const struct slice *slice)
{
    return slice->role == SLICE_FOLLOWER && slice->running && !slice->committed_urgent &&
           slice->committed_bytes < APPLY_GATHER_BYTES &&
           slice->committed_items < APPLY_GATHER_ITEMS;
}

static void apply_later(struct slice *slice, uint64_t after_ns)
{
    struct kv_shard *kv = slice->kv;
    if (kv->apply_timer.armed) return;
    kv->apply_timer.fire = gathered;
    timer_arm(kv->shard, &kv->apply_timer, shard_now_ns(kv->shard) + after_ns);
}

void slice_apply_committed(struct slice *slice)
{
    if (slice->committed == NULL || slice->applying) return;
    if (may_gather(slice))
        apply_later(slice, APPLY_GATHER_NS);
    else
        slice_apply_now(slice);
}

void slice_apply_now(struct slice *slice)
{
    if (slice->committed == NULL || slice->applying || slice->held > 0) return;
    struct status st = STATUS_OK;
    slice->committed_urgent = false;
    if (LIKELY(slice->committed_bytes <= APPLY_INLINE_BYTES &&
               slice->committed_items <= APPLY_INLINE_ITEMS &&
               !(slice->role == SLICE_FOLLOWER && SIM_MAYBE("slice.apply_task")))) {
        uint32_t count = committed_count(slice);
        st = apply_some(slice, NULL, count);
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
    st = SIM_MAYBE("slice.apply_refused") ? status_make(E_TOO_MANY_CONNECTIONS, "too many tasks wait to be started")
                                          : slice_task_start(slice, apply_task, "slice apply", TASK_SYSTEM);
    if (!failed(st)) return;
    slice->applying = false;
    // While too many tasks wait, so does what is committed.
    if (status_is(st, E_TOO_MANY_CONNECTIONS))
        apply_later(slice, APPLY_AGAIN_NS);
    else
        fail_all(slice, st);
}

void slice_apply_hold(struct task *task, struct slice *slice)
{
    slice->held++;
    while (slice->applying) {
        if (failed(task_wait(task, &slice->role_waiters))) task_cancel_clear(task);
    }
}

void slice_apply_release(struct slice *slice)
{
    invariant(slice->held > 0);
    if (--slice->held == 0) slice_apply_committed(slice);
}

// --- replaying -------------------------------------------------------------------------------------------

#define REPLAY_ENTRIES 512u
#define REPLAY_BYTES (1u << 20)

static struct status replay_flush(struct slice *slice)
{
    struct slice_replay *replay = slice->replay;
    if (!replay->in_transaction) return STATUS_OK;
    struct status st =
        slice_apply_mark(slice, replay->mark_term, replay->mark_index, slice->ceiling, &slice->config);
    if (failed(st))
        store_rollback(slice->store);
    else
        st = store_commit(slice->store);
    if (!failed(st)) {
        slice->applied_index = replay->mark_index;
        slice->applied_term = replay->mark_term;
        slice->applied_position = replay->mark_position;
    }
    replay->in_transaction = false;
    replay->entries = 0;
    replay->bytes = 0;
    return st;
}

static struct status replay_begin(struct slice *slice)
{
    struct slice_replay *replay = slice->replay;
    if (replay->in_transaction) return STATUS_OK;
    struct status st = store_begin(slice->store);
    if (failed(st)) return st;
    replay->in_transaction = true;
    replay->mark_index = slice->applied_index;
    replay->mark_term = slice->applied_term;
    replay->mark_position = slice->applied_position;
    return STATUS_OK;
}

static struct status replay_payload(struct task *task, struct slice *slice, struct bytes payload)
{
    struct slice_replay *replay = slice->replay;
    struct entry_reader reader;
    struct status st;
    entry_open_trusted(payload, &reader);
    slice_ceiling_set(slice, reader.ceiling);
    struct slice_apply apply = {.slice = slice, .task = task, .bytes = replay->bytes};
    TRY(slice_apply_entry(&apply, payload));
    // At once, not when the transaction commits: the next entry may build on it. A failure ends the start.
    slice_apply_remember(slice, payload, apply.prepare_refused);
out:
    return st;
}

void slice_replay_free(struct slice_replay *replay)
{
    if (replay != NULL) free(replay->open.data);
    free(replay);
}

// Of a log that is given up, where no record keeps its place: the parts of an entry that is not whole.
static void open_note(struct slice_replay *replay, const struct log_record *record, bool whole)
{
    size_t size = replay->open.size + RAFT_LEFT_ENTRY_BYTES + record->payload.size;
    if (whole) replay->open.size = 0;
    if (whole) return;
    if (size > replay->open.capacity) {
        replay->open.capacity = size * 2;
        replay->open.data = realloc(replay->open.data, replay->open.capacity);
        invariant(replay->open.data != NULL);
    }
    uint8_t *at = replay->open.data + replay->open.size;
    raft_log_left_entry(record, at);
    if (record->payload.size > 0)
        memcpy(at + RAFT_LEFT_ENTRY_BYTES, record->payload.data, record->payload.size);
    replay->open.size = size;
    replay->open.last = record->index;
}

static struct status replay_one(struct task *task, struct slice *slice,
    const struct log_record *record, log_position position)
{
    struct slice_replay *replay = slice->replay;
    struct slice_entry entry = {
        .term = record->term, .index = record->index, .kind = record->kind};
    struct status st;
    TRY(entry_take(slice, &entry, record->payload));
    if (position == 0) open_note(replay, record, entry.may_mark);
    TRY(replay_begin(slice));
    if (entry.config != NULL) slice->config = *entry.config;
    if (entry.payload.data != NULL) TRY(replay_payload(task, slice, entry.payload));
    replay->entries++;
    replay->bytes += record->payload.size;
    if (entry.may_mark) {
        replay->mark_index = record->index;
        replay->mark_term = record->term;
        replay->mark_position = position;
        if (replay->entries >= REPLAY_ENTRIES || replay->bytes >= REPLAY_BYTES)
            TRY(replay_flush(slice));
    }
out:
    free(entry.owned);
    free(entry.config);
    if (failed(st) && replay->in_transaction) {
        store_rollback(slice->store);
        replay->in_transaction = false;
    }
    if (status_is(st, STORE_BUSY))
        st = status_make(E_OUT_OF_MEMORY, "the store's cache is too small to replay its log");
    return st;
}

struct status slice_replay(struct task *task, struct slice *slice, const struct log_record *record,
    log_position position)
{
    struct log_record committed;
    log_position at;
    struct status st = raft_log_replay(&slice->log, record, position);
    while (!failed(st) && raft_log_replay_next(&slice->log, &committed, &at))
        st = replay_one(task, slice, &committed, at);
    return st;
}

struct status slice_replay_end(struct slice *slice)
{
    return replay_flush(slice);
}

struct status slice_replay_void(struct slice *slice)
{
    struct status st = STATUS_OK;
    if (slice->parts_total == 0) return STATUS_OK;
    parts_drop(slice);
    slice->replay->open.size = 0;
    TRY(replay_begin(slice));
    raft_log_replay_applied(
        &slice->log, &slice->replay->mark_index, &slice->replay->mark_term);
    TRY(replay_flush(slice));
out:
    return st;
}
