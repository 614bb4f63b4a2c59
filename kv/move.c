// SPDX-License-Identifier: GPL-3.0-or-later
#include "kv/move.h"

#include <stdlib.h>

#include "core/codec.h"
#include "core/log.h"
#include "core/mark.h"
#include "core/metrics.h"
#include "kv/key.h"
#include "kv/move_side.h"
#include "kv/range_admin.h"
#include "kv/slice_internal.h"
#include "kv/txn.h"

#define RECORD_FORMAT 1u
#define SWAP_ATTEMPTS_MAX 50u
#define STEP_NS UINT64_C(30000000000)
#define COPY_NS UINT64_C(600000000000)
#define AGAIN_NS UINT64_C(50000000)       // Between attempts, times their number.
#define AGAIN_LAST_NS UINT64_C(2000000000)
#define PACE_NS UINT64_C(20000000)        // At most, between two pieces of a copy.

METRIC_DEFINE(metric_moved, "kv.ranges.moved", METRIC_COUNTER, METRIC_COUNT, false,
    "Ranges that were moved to another slice");
METRIC_DEFINE(metric_given_up, "kv.ranges.moves_given_up", METRIC_COUNTER, METRIC_COUNT, false,
    "Attempts to move a range that were given up, to be made again");

enum move_phase { MOVE_NONE, MOVE_WANTED, MOVE_COPYING, MOVE_GIVING_UP, MOVE_SWITCHED };

struct move_record {
    enum move_phase phase;
    uint32_t failures;
    uint64_t attempt;
    uint64_t to;
    struct range range; // As it is before the move.
    // Once it is fenced: what the target has to be above.
    struct hlc_timestamp high, threshold;
    bool ingesting, ingested;
};

struct moves {
    struct task *task;
    bool stop;
    bool wanted;             // Something may have been added.
    uint32_t count;          // Of records, when last looked at.
    uint64_t attempt;        // Of the move that this coordinator is busy with.
    uint64_t failed_id;      // The range that was given up for good last.
    struct wait_queue wake;  // The task.
    struct wait_queue ended; // Those that wait for moves.
};

static struct moves *moves_of(const struct kv_shard *kv)
{
    return kv->module_state[KV_SLOT_MOVES];
}

static struct status refused(const char *why)
{
    return status_make(E_NOT_IN_PREREQUISITE_STATE, why);
}

// --- records -------------------------------------------------------------------------------------

static const uint8_t record_prefix[] = {0x01, 'm'};

static struct bytes record_key(struct arena *arena, struct bytes start)
{
    struct buffer key;
    buffer_init(&key, arena);
    buffer_append(&key, record_prefix, sizeof record_prefix);
    buffer_append_bytes(&key, start);
    return buffer_bytes(&key);
}

static struct bytes record_encode(struct arena *arena, const struct move_record *record)
{
    struct buffer out;
    buffer_init(&out, arena);
    codec_put_u8(&out, RECORD_FORMAT);
    codec_put_u8(&out, (uint8_t)record->phase);
    codec_put_u32(&out, record->failures);
    codec_put_u64(&out, record->attempt);
    codec_put_u64(&out, record->to);
    codec_put_bytes(&out, range_encode(arena, &record->range));
    codec_put_hlc(&out, record->high);
    codec_put_hlc(&out, record->threshold);
    codec_put_u8(&out, (uint8_t)((record->ingesting ? 1 : 0) | (record->ingested ? 2 : 0)));
    return buffer_bytes(&out);
}

static struct status record_decode(struct bytes value, struct move_record *record)
{
    struct codec_reader in = codec_read(value);
    bool known = codec_get_u8(&in) == RECORD_FORMAT;
    record->phase = (enum move_phase)codec_get_u8(&in);
    record->failures = codec_get_u32(&in);
    record->attempt = codec_get_u64(&in);
    record->to = codec_get_u64(&in);
    struct bytes range = codec_get_bytes(&in);
    record->high = codec_get_hlc(&in);
    record->threshold = codec_get_hlc(&in);
    const uint8_t flags = codec_get_u8(&in);
    record->ingesting = (flags & 1) != 0;
    record->ingested = (flags & 2) != 0;
    known = known && codec_done(&in) && record->phase >= MOVE_WANTED && record->phase <= MOVE_SWITCHED;
    if (!known) return status_make(E_DATA_CORRUPTED, "record of a move is damaged");
    return range_decode(range, &record->range);
}

static struct status record_read(
    struct task *task, struct kv_txn *txn, struct bytes start, struct move_record *record)
{
    struct bytes value;
    *record = (struct move_record){0};
    struct status st =
        kv_get(task, txn, NULL, record_key(task->arena, start), task->arena, &value);
    if (failed(st) || value.data == NULL) return st;
    return record_decode(value, record);
}

static struct status record_now(struct task *task, struct bytes start, struct move_record *record)
{
    struct bytes value;
    *record = (struct move_record){0};
    struct status st = kv_read_now(task, 0, record_key(task->arena, start), task->arena, &value);
    if (failed(st) || value.data == NULL) return st;
    return record_decode(value, record);
}

// All records whose ranges begin in the span, in task->arena.
static struct status records_list(
    struct task *task, struct span span, struct move_record **records, uint32_t *count)
{
    const struct kv_txn_options options = {.read_only = true};
    struct kv_txn *txn;
    struct kv_scan scan;
    struct kv_batch batch;
    uint32_t capacity = 0;
    *records = NULL;
    *count = 0;
    struct status st = kv_txn_begin(task, &options, &txn);
    if (failed(st)) return st;
    kv_scan_init(&scan,
        (struct span){record_key(task->arena, span.start), record_key(task->arena, span.end)});
    do {
        TRY(kv_scan_next(task, txn, &scan, task->arena, &batch));
        for (uint32_t i = 0; i < batch.count; i++) {
            if (*count == capacity) {
                uint32_t grown = capacity == 0 ? 16 : capacity * 2;
                *records = arena_grow(task->arena, *records, capacity * sizeof **records,
                    grown * sizeof **records);
                capacity = grown;
            }
            TRY(record_decode(batch.pairs[i].value, &(*records)[(*count)++]));
        }
    } while (batch.count > 0);
out:
    kv_txn_rollback(task, txn);
    return st;
}

// A record becomes another one, if it is still as it was; with it, perhaps, the descriptor.
struct swap {
    const struct move_record *from; // Its phase and attempt count.
    const struct move_record *next; // NULL: erased.
    const struct range *descriptor; // NULL: stays. Must be as from->range until then.
};

// So that whoever goes through all slices, one after the other, knows whether something passed him by.
static const uint8_t switches_key[] = {0x01, 'M'};

static struct status switches_count(struct task *task, struct kv_txn *txn)
{
    struct bytes value;
    struct buffer out;
    const struct bytes key = bytes_of(switches_key, sizeof switches_key);
    struct status st = kv_get(task, txn, NULL, key, task->arena, &value);
    if (failed(st)) return st;
    buffer_init(&out, task->arena);
    codec_put_u64(&out, value.size == 8 ? codec_load(value.data, 8) + 1 : 1);
    return kv_put(task, txn, key, buffer_bytes(&out));
}

struct status move_switches(struct task *task, uint64_t *count)
{
    struct bytes value;
    struct arena arena;
    arena_init(&arena, NULL);
    struct status st =
        kv_read_now(task, 0, bytes_of(switches_key, sizeof switches_key), &arena, &value);
    *count = !failed(st) && value.size == 8 ? codec_load(value.data, 8) : 0;
    st = status_copy(task->arena, st);
    arena_fini(&arena);
    return st;
}

static struct status swap_in(struct task *task, struct kv_txn *txn, const struct swap *swap)
{
    struct move_record now;
    struct range range;
    struct bytes value;
    const struct range *before = &swap->from->range;
    const struct bytes key = record_key(task->arena, before->span.start);
    struct status st;
    TRY(record_read(task, txn, before->span.start, &now));
    if (now.phase != swap->from->phase || now.attempt != swap->from->attempt)
        return refused("another has taken the move over");
    if (swap->descriptor != NULL) {
        const struct bytes name = range_meta_key(task->arena, before->span.start);
        TRY(kv_get(task, txn, NULL, name, task->arena, &value));
        if (value.data == NULL) return refused("the range is no more");
        TRY(range_decode(value, &range));
        if (range.id != before->id || range.generation != before->generation)
            return refused("the range has changed");
        TRY(kv_put(task, txn, name, range_encode(task->arena, swap->descriptor)));
        TRY(switches_count(task, txn));
    }
    st = swap->next == NULL ? kv_delete(task, txn, key)
                            : kv_put(task, txn, key, record_encode(task->arena, swap->next));
out:
    return st;
}

static struct status swap_run(struct task *task, const struct swap *swap)
{
    struct status st = STATUS_OK;
    for (uint32_t attempt = 0; attempt < SWAP_ATTEMPTS_MAX; attempt++) {
        const struct kv_txn_options options = {0};
        struct kv_txn *txn;
        st = kv_txn_begin(task, &options, &txn);
        if (failed(st)) return st;
        st = swap_in(task, txn, swap);
        if (failed(st)) {
            kv_txn_rollback(task, txn);
        } else {
            st = kv_txn_commit(task, txn, NULL);
        }
        if (!status_is(st, E_SERIALIZATION_FAILURE)) break;
    }
    return st;
}

// --- requests to the two slices ------------------------------------------------------------------

static struct status ask(struct task *task, struct leader_move *move,
    const struct move_record *record, enum leader_move_kind what, struct arena *arena)
{
    struct bytes start = record->range.span.start;
    bool source = what <= LEADER_MOVE_SOURCE_END;
    struct status st = key_decode_tenant_prefix(&start, &move->call.tenant);
    if (failed(st)) return st;
    move->call.slice = source ? record->range.slice : record->to;
    move->what = what;
    move->attempt = record->attempt;
    move->range = record->range;
    const uint64_t deadline_ns = task->deadline_ns;
    task->deadline_ns = task_now_ns(task) + STEP_NS;
    st = leader_call(task, &move->call, arena, LEADER_MOVE);
    task->deadline_ns = deadline_ns;
    return st;
}

// One that answers nothing.
static struct status tell(struct task *task, struct leader_move *move,
    const struct move_record *record, enum leader_move_kind what)
{
    struct status st = ask(task, move, record, what, task->arena);
    leader_reply_end(&move->call);
    return st;
}

// One piece from the source to the target.
static struct status piece(
    struct task *task, const struct move_record *record, uint64_t sequence, bool *drained)
{
    struct arena arena;
    struct leader_move pull = {.sequence = sequence}, push = {0};
    struct status st;
    arena_init(&arena, NULL);
    TRY(ask(task, &pull, record, LEADER_MOVE_PULL, &arena));
    *drained = pull.drained;
    if (pull.version_count == 0) goto out;
    push.versions = pull.versions;
    push.version_count = pull.version_count;
    st = ask(task, &push, record, LEADER_MOVE_PUSH, &arena);
    if (failed(st)) st = status_copy(task->arena, st);
    leader_reply_end(&push.call);
out:
    if (failed(st)) st = status_copy(task->arena, st);
    leader_reply_end(&pull.call);
    arena_fini(&arena);
    return st;
}

// Until nothing is left to be sent at some moment. `pace`: others want to work, too.
static struct status copy(
    struct task *task, const struct move_record *record, uint64_t *sequence, bool pace)
{
    struct status st = STATUS_OK;
    const uint64_t until_ns = task_now_ns(task) + COPY_NS;
    bool drained = false;
    while (!drained) {
        const uint64_t began_ns = task_now_ns(task);
        if (began_ns >= until_ns) return refused("the range is written to faster than it is copied");
        TRY(piece(task, record, ++*sequence, &drained));
        uint64_t pause_ns = (task_now_ns(task) - began_ns) / 2;
        if (pace && !drained) TRY(task_sleep(task, pause_ns < PACE_NS ? pause_ns + 1 : PACE_NS));
    }
out:
    return st;
}

// --- one attempt ---------------------------------------------------------------------------------

static struct status begin(
    struct task *task, const struct move_record *wanted, struct move_record *record)
{
    struct status st;
    *record = *wanted;
    record->phase = MOVE_COPYING;
    TRY(range_id_next(task, &record->attempt));
    const struct swap swap = {.from = wanted, .next = record};
    st = swap_run(task, &swap);
out:
    return st;
}

static struct status add_range(
    struct task *task, const struct move_record *record, struct leader_move *add)
{
    add->high = record->high;
    add->threshold = record->threshold;
    add->ingesting = record->ingesting;
    add->ingested = record->ingested;
    return tell(task, add, record, LEADER_MOVE_ADD);
}

static struct status switch_over(
    struct task *task, const struct move_record *record, uint64_t *sequence)
{
    struct status st;
    struct leader_move fence = {0}, confirm = {0}, add = {0};
    struct arena arena;
    arena_init(&arena, NULL);
    TRY(ask(task, &fence, record, LEADER_MOVE_FENCE, &arena));
    TRY(copy(task, record, sequence, false));
    struct move_record switched = *record;
    struct range range = record->range;
    switched.phase = MOVE_SWITCHED;
    switched.high = fence.high;
    switched.threshold = fence.threshold;
    switched.ingesting = fence.ingesting;
    switched.ingested = fence.ingested;
    confirm.ingesting = fence.ingesting;
    confirm.ingested = fence.ingested;
    TRY(tell(task, &confirm, record, LEADER_MOVE_CONFIRM));
    range.slice = record->to;
    range.generation++;
    const struct swap swap = {.from = record, .next = &switched, .descriptor = &range};
    TRY(swap_run(task, &swap));
    // The locks are known here alone; who comes later does without.
    add.locks = fence.locks;
    add.lock_count = fence.lock_count;
    st = add_range(task, &switched, &add);
out:
    if (failed(st)) st = status_copy(task->arena, st);
    leader_reply_end(&fence.call);
    arena_fini(&arena);
    return st;
}

static struct status attempt_run(struct task *task, const struct move_record *record)
{
    struct status st;
    struct leader_move source = {0}, target = {0};
    uint64_t sequence = 0;
    TRY(tell(task, &source, record, LEADER_MOVE_SOURCE_BEGIN));
    target.ingesting = source.ingesting;
    target.ingested = source.ingested;
    TRY(tell(task, &target, record, LEADER_MOVE_TARGET_BEGIN));
    TRY(copy(task, record, &sequence, true));
    TRY(range_change_lock(task));
    st = switch_over(task, record, &sequence);
    range_change_unlock(task->shard);
out:
    return st;
}

// --- ending what was begun -----------------------------------------------------------------------

static struct status finish(struct task *task, const struct move_record *record)
{
    struct status st;
    struct leader_move add = {0}, target = {0}, source = {0};
    TRY(add_range(task, record, &add));
    TRY(tell(task, &target, record, LEADER_MOVE_TARGET_END));
    TRY(tell(task, &source, record, LEADER_MOVE_SOURCE_END));
    const struct swap swap = {.from = record};
    TRY(swap_run(task, &swap));
    metric_add(&metric_moved, 0, 1);
    covered("move.finished");
    log_info(0, "range %llu has moved from slice %llu to slice %llu",
        (unsigned long long)record->range.id, (unsigned long long)record->range.slice,
        (unsigned long long)record->to);
out:
    return st;
}

// Whether the range is still there, where it was: its virtual cluster may have been erased.
static struct status source_has(struct task *task, const struct move_record *record, bool *has)
{
    struct range *ranges;
    uint32_t count;
    struct status st =
        range_list(task, record->range.span, task->arena, &ranges, &count);
    *has = false;
    for (uint32_t i = 0; !failed(st) && i < count; i++)
        if (ranges[i].slice == record->range.slice) *has = true;
    return st;
}

static struct status give_up(
    struct task *task, struct moves *moves, const struct move_record *found)
{
    struct status st = STATUS_OK;
    struct move_record record = *found, next = *found;
    struct leader_move source = {0}, target = {0};
    bool locked = false;
    record.phase = MOVE_GIVING_UP;
    if (found->phase == MOVE_COPYING) {
        const struct swap swap = {.from = found, .next = &record};
        TRY(swap_run(task, &swap));
    }
    covered("move.given_up");
    metric_add(&metric_given_up, 0, 1);
    TRY(range_change_lock(task));
    locked = true;
    TRY(source_has(task, &record, &source.back));
    TRY(tell(task, &source, &record, LEADER_MOVE_SOURCE_END));
    range_change_unlock(task->shard);
    locked = false;
    target.back = true;
    TRY(tell(task, &target, &record, LEADER_MOVE_TARGET_END));
    next.phase = MOVE_WANTED;
    next.failures++;
    const bool last = next.failures >= MOVE_ATTEMPTS_MAX;
    const struct swap swap = {.from = &record, .next = last ? NULL : &next};
    st = swap_run(task, &swap);
    if (!failed(st) && last) moves->failed_id = record.range.id;
out:
    if (locked) range_change_unlock(task->shard);
    return st;
}

// Whatever of the move is left, in whatever phase its record is now.
static struct status settle(struct task *task, struct moves *moves, struct bytes start)
{
    struct move_record record;
    struct status st = record_now(task, start, &record);
    if (failed(st)) return st;
    switch (record.phase) {
    case MOVE_COPYING:
    case MOVE_GIVING_UP: return give_up(task, moves, &record);
    case MOVE_SWITCHED: return finish(task, &record);
    case MOVE_NONE:
    case MOVE_WANTED: break;
    }
    return STATUS_OK;
}

// The ranges may have been split, merged or moved since it was wanted.
static struct status plan_anew(struct task *task, const struct move_record *record, bool *same)
{
    struct status st;
    struct range *ranges;
    uint32_t count;
    const struct range *range = &record->range;
    *same = false;
    TRY(range_list(task, range->span, task->arena, &ranges, &count));
    if (count == 1 && ranges[0].id == range->id && ranges[0].generation == range->generation &&
        ranges[0].slice != record->to) {
        *same = true;
        return STATUS_OK;
    }
    const struct swap swap = {.from = record};
    TRY(swap_run(task, &swap));
    TRY(range_change_lock(task));
    st = move_want(task, ranges, count, record->to);
    range_change_unlock(task->shard);
out:
    return st;
}

static struct status wanted_run(
    struct task *task, struct moves *moves, const struct move_record *wanted)
{
    struct status st;
    struct move_record record;
    bool same;
    TRY(plan_anew(task, wanted, &same));
    if (!same) return STATUS_OK;
    TRY(begin(task, wanted, &record));
    moves->attempt = record.attempt;
    st = attempt_run(task, &record);
    moves->attempt = 0;
    if (failed(st) && !task->cancelled)
        log_info(0, "range %llu is not moved to slice %llu yet: %s",
            (unsigned long long)record.range.id, (unsigned long long)record.to, st.message);
out:
    return st;
}

// --- the coordinator -----------------------------------------------------------------------------

static uint64_t wait_of(const struct move_record *record)
{
    uint64_t wait_ns = AGAIN_NS * (record->failures < 40 ? record->failures : 40);
    return wait_ns < AGAIN_LAST_NS ? wait_ns : AGAIN_LAST_NS;
}

// One after the other; *wait_ns until the next pass is due, UINT64_MAX when there is nothing to do.
static struct status pass(struct task *task, struct moves *moves, uint64_t *wait_ns)
{
    static const uint8_t last[] = {0xff};
    struct move_record *records;
    uint32_t count;
    struct status st;
    *wait_ns = UINT64_MAX;
    moves->wanted = false;
    TRY(records_list(task, (struct span){{0}, bytes_of(last, 1)}, &records, &count));
    moves->count = count;
    for (uint32_t i = 0; i < count && !moves->stop; i++) {
        struct arena_mark mark = arena_mark(task->arena);
        const struct bytes start = records[i].range.span.start;
        st = STATUS_OK;
        if (records[i].phase == MOVE_WANTED) st = wanted_run(task, moves, &records[i]);
        if (moves->stop || task->cancelled) return st;
        struct status settled = settle(task, moves, start);
        if (failed(settled) && !task->cancelled)
            log_warning(0, "the move of range %llu is not ended yet: %s",
                (unsigned long long)records[i].range.id, settled.message);
        if (moves->stop || task->cancelled) return settled;
        if (failed(st) || failed(settled)) {
            uint64_t due_ns = failed(settled) ? AGAIN_LAST_NS : wait_of(&records[i]) + AGAIN_NS;
            if (due_ns < *wait_ns) *wait_ns = due_ns;
        } else {
            moves->wanted = true; // What it was planned into.
        }
        arena_release(task->arena, mark);
        wait_queue_wake_all(&moves->ended, STATUS_OK);
    }
    st = STATUS_OK;
out:
    return st;
}

static struct status move_task(struct task *task, void *arg)
{
    struct status st = STATUS_OK;
    struct slice *slice = arg;
    struct kv_shard *kv = slice->kv;
    struct moves *moves = moves_of(kv);
    if (moves == NULL || moves->task != NULL) return STATUS_OK; // Stopped before it began.
    moves->task = task;
    while (!moves->stop) {
        uint64_t wait_ns = AGAIN_LAST_NS;
        struct arena_mark mark = arena_mark(task->arena);
        if (kv->ranges_told) {
            st = pass(task, moves, &wait_ns);
            if (failed(st) && !task->cancelled) {
                log_warning(0, "moves of ranges: %s", st.message);
                wait_ns = AGAIN_LAST_NS;
            }
        }
        arena_release(task->arena, mark);
        if (moves->stop || task->cancelled) break;
        wait_queue_wake_all(&moves->ended, STATUS_OK);
        if (moves->wanted && kv->ranges_told) continue;
        st = wait_ns == UINT64_MAX
                 ? task_wait(task, &moves->wake)
                 : task_wait_until(task, &moves->wake, task_now_ns(task) + wait_ns, STATUS_OK);
        TRY(st);
    }
out:
    if (moves_of(kv) == moves) kv->module_state[KV_SLOT_MOVES] = NULL;
    wait_queue_wake_all(&moves->ended, slice_not_leader());
    free(moves);
    return st;
}

// --- asking --------------------------------------------------------------------------------------

static struct status wish_change(struct task *task, const struct move_record *wanted)
{
    struct move_record now;
    struct status st = record_now(task, wanted->range.span.start, &now);
    if (failed(st) || now.phase != MOVE_WANTED || now.to == wanted->to) return st;
    const struct swap swap = {.from = &now, .next = wanted};
    st = swap_run(task, &swap);
    return status_is(st, E_NOT_IN_PREREQUISITE_STATE) ? STATUS_OK : st;
}

struct status move_want(
    struct task *task, const struct range *ranges, uint32_t count, uint64_t to)
{
    struct status st = STATUS_OK;
    for (uint32_t i = 0; i < count; i++) {
        const struct move_record none = {.range = ranges[i]};
        const struct move_record wanted = {.phase = MOVE_WANTED, .to = to, .range = ranges[i]};
        const struct swap swap = {.from = &none, .next = &wanted};
        if (ranges[i].slice == to) continue;
        st = swap_run(task, &swap);
        // It is on its way already, perhaps elsewhere: the latest wish counts from then on.
        if (status_is(st, E_NOT_IN_PREREQUISITE_STATE)) st = wish_change(task, &wanted);
        TRY(st);
    }
    // Not before: they may have gone meanwhile.
    struct moves *moves = moves_of(kv_shard_of(task->shard));
    if (moves == NULL) return slice_not_leader();
    moves->wanted = true;
    wait_queue_wake_all(&moves->wake, STATUS_OK);
out:
    return st;
}

struct status move_await(struct task *task, struct span span, uint64_t to)
{
    struct status st = STATUS_OK;
    for (;;) {
        struct move_record *records;
        struct range *ranges;
        uint32_t count, range_count;
        struct arena_mark mark = arena_mark(task->arena);
        TRY(records_list(task, span, &records, &count));
        struct moves *moves = moves_of(kv_shard_of(task->shard));
        if (count == 0) {
            TRY(range_list(task, span, task->arena, &ranges, &range_count));
            moves = moves_of(kv_shard_of(task->shard));
            for (uint32_t i = 0; i < range_count; i++) {
                if (ranges[i].slice == to || !span_overlaps(ranges[i].span, span)) continue;
                if (moves != NULL && moves->failed_id == ranges[i].id)
                    return refused("the range could not be moved: the log tells why");
                return status_make(K_END, "it went elsewhere");
            }
            return STATUS_OK;
        }
        arena_release(task->arena, mark);
        if (moves == NULL) return slice_not_leader();
        TRY(task_wait(task, &moves->ended));
    }
out:
    return st;
}

struct status move_allows_change(struct task *task, struct bytes start)
{
    struct move_record record;
    struct status st = record_now(task, start, &record);
    if (failed(st)) return st;
    const struct moves *moves = moves_of(kv_shard_of(task->shard));
    bool own = moves != NULL && record.attempt == moves->attempt;
    if (record.phase == MOVE_GIVING_UP || (record.phase == MOVE_COPYING && !own))
        return refused("the range is being moved");
    return STATUS_OK;
}

uint32_t move_count(const struct kv_shard *kv)
{
    const struct moves *moves = moves_of(kv);
    return moves == NULL ? 0 : moves->count;
}

void move_settled(struct kv_shard *kv)
{
    struct moves *moves = moves_of(kv);
    kv->ranges_told = true;
    if (moves != NULL) wait_queue_wake_all(&moves->wake, STATUS_OK);
}

// --- the module ----------------------------------------------------------------------------------

static struct status moves_leading(struct task *task, struct slice *slice)
{
    (void)task;
    if (slice->id != SLICE_META) return STATUS_OK;
    struct moves *moves = calloc(1, sizeof *moves);
    if (moves == NULL) return status_make(E_OUT_OF_MEMORY, "out of memory");
    wait_queue_init(&moves->wake);
    wait_queue_init(&moves->ended);
    slice->kv->module_state[KV_SLOT_MOVES] = moves;
    struct status st = slice_task_start(slice, move_task, "kv moves", TASK_SYSTEM);
    if (failed(st)) {
        slice->kv->module_state[KV_SLOT_MOVES] = NULL;
        free(moves);
    }
    return st;
}

// Once it runs, the task frees what is its own.
static void moves_following(struct slice *slice)
{
    struct moves *moves = moves_of(slice->kv);
    if (slice->id != SLICE_META || moves == NULL) return;
    slice->kv->module_state[KV_SLOT_MOVES] = NULL;
    moves->stop = true;
    wait_queue_wake_all(&moves->ended, slice_not_leader());
    if (moves->task == NULL)
        free(moves);
    else
        task_cancel(moves->task, status_make(E_ADMIN_SHUTDOWN, "ranges are moved by another node"));
}

static struct status stop_here(struct task *task, void *arg)
{
    struct slice *slice = kv_slice_find(kv_shard_of(task->shard), SLICE_META);
    (void)arg;
    if (slice != NULL) moves_following(slice);
    return STATUS_OK;
}

static void moves_stopping(struct task *task, struct kv_node *node)
{
    struct status st = shard_call(
        task, kv_slice_shard(SLICE_META, node->node->shard_count), stop_here, NULL);
    if (failed(st)) log_warning(0, "stopping while ranges are moved: %s", st.message);
}

static struct status moves_started(struct task *task, struct kv_node *node)
{
    (void)task;
    (void)node;
    metric_register(&metric_moved);
    metric_register(&metric_given_up);
    return STATUS_OK;
}

const struct kv_module move_module = {
    .name = "move coordinator",
    .slot = KV_SLOT_MOVES,
    .slice_leading = moves_leading,
    .slice_following = moves_following,
    .started = moves_started,
    .stopping = moves_stopping,
};
