// SPDX-License-Identifier: GPL-3.0-or-later
#include "kv/move_side.h"

#include <stdlib.h>

#include "core/codec.h"
#include "core/invariant.h"
#include "core/log.h"
#include "core/mark.h"
#include "kv/entry.h"
#include "kv/key.h"
#include "kv/lock_carry.h"
#include "kv/move_notes.h"
#include "kv/range_record.h"
#include "kv/slice_internal.h"
#include "kv/staged.h"
#include "kv/validate.h"

#define SOURCE_LETTER 'O'
#define TARGET_LETTER 'I'
#define RECORD_FORMAT 1u
#define CLOSING_NS UINT64_C(3000000000)      // At most, for holders of locks to end;
#define CLOSING_QUIET_NS UINT64_C(500000000) // unless none of them does for so long.
#define CLOSING_POLL_NS UINT64_C(1000000)
#define SHUT_NS UINT64_C(2000000000)
#define POLL_NS UINT64_C(200000)
#define PULL_BYTES (1u << 20)

static struct status over(const char *why)
{
    return status_make(E_NOT_IN_PREREQUISITE_STATE, why);
}

// --- records -------------------------------------------------------------------------------------

static struct bytes record_name(struct arena *arena, enum move_end end, struct bytes start)
{
    struct buffer name;
    buffer_init(&name, arena);
    buffer_append_u8(&name, end == MOVE_SOURCE ? SOURCE_LETTER : TARGET_LETTER);
    buffer_append_bytes(&name, start);
    return buffer_bytes(&name);
}

static void record_put(struct entry_builder *builder, struct arena *arena, enum move_end end,
    uint64_t attempt, bool done, const struct range *range)
{
    struct buffer value;
    buffer_init(&value, arena);
    codec_put_u8(&value, RECORD_FORMAT);
    codec_put_u64(&value, attempt);
    codec_put_u8(&value, done);
    buffer_append_bytes(&value, range_encode(arena, range));
    entry_op_append(builder, &(struct entry_op){.kind = ENTRY_META,
                                 .key = record_name(arena, end, range->span.start),
                                 .value = buffer_bytes(&value)});
}

static void record_erase(
    struct entry_builder *builder, struct arena *arena, enum move_end end, struct bytes start)
{
    entry_op_append(builder,
        &(struct entry_op){.kind = ENTRY_META, .key = record_name(arena, end, start)});
}

static void side_free(struct move_side *side)
{
    move_notes_free(side->notes);
    free(side);
}

static struct move_side **side_link(struct slice *slice, enum move_end end, struct bytes start)
{
    struct move_side **link = &slice->moves;
    while (*link != NULL &&
           ((*link)->end != end || !bytes_equal((*link)->range.span.start, start)))
        link = &(*link)->next;
    return link;
}

static struct status side_decode(enum move_end end, struct bytes value, struct move_side **made)
{
    struct range range;
    if (value.size < 10 || value.data[0] != RECORD_FORMAT)
        return status_make(E_DATA_CORRUPTED, "record of a move is damaged");
    struct status st = range_decode(bytes_skip(value, 10), &range);
    if (failed(st)) return st;
    size_t start = range.span.start.size, size = range.span.end.size;
    struct move_side *side = calloc(1, sizeof *side + start + size);
    if (side == NULL) return status_make(E_OUT_OF_MEMORY, "out of memory");
    uint8_t *keys = (uint8_t *)(side + 1);
    memcpy(keys, range.span.start.data, start);
    memcpy(keys + start, range.span.end.data, size);
    side->end = end;
    side->attempt = codec_load(value.data + 1, 8);
    side->done = value.data[9] != 0;
    side->range = range;
    side->range.span = (struct span){bytes_of(keys, start), bytes_of(keys + start, size)};
    *made = side;
    return STATUS_OK;
}

// As a record says: notes of the same attempt stay.
static struct status side_set(struct slice *slice, struct bytes name, struct bytes value)
{
    enum move_end end = name.data[0] == SOURCE_LETTER ? MOVE_SOURCE : MOVE_TARGET;
    struct move_side **link = side_link(slice, end, bytes_skip(name, 1));
    struct move_side *former = *link, *side = NULL;
    struct status st = value.data == NULL ? STATUS_OK : side_decode(end, value, &side);
    if (failed(st)) return st;
    if (former != NULL) {
        *link = former->next;
        if (side != NULL && side->attempt == former->attempt) {
            side->notes = former->notes;
            side->gate = former->gate;
            former->notes = NULL;
        }
        side_free(former);
    }
    if (side != NULL) {
        side->next = slice->moves;
        slice->moves = side;
    }
    slice->ranges->version++;
    return STATUS_OK;
}

static void sides_drop(struct slice *slice)
{
    while (slice->moves != NULL) {
        struct move_side *side = slice->moves;
        slice->moves = side->next;
        side_free(side);
    }
}

struct status move_side_load(struct slice *slice)
{
    static const uint8_t letters[] = {SOURCE_LETTER, TARGET_LETTER};
    struct arena arena;
    struct status st = STATUS_OK;
    arena_init(&arena, NULL);
    sides_drop(slice);
    for (uint32_t i = 0; i < sizeof letters; i++) {
        struct kv_pair *pairs;
        uint32_t count;
        TRY(slice_meta_list(slice, bytes_of(&letters[i], 1), &arena, &pairs, &count));
        for (uint32_t k = 0; k < count; k++) TRY(side_set(slice, pairs[k].key, pairs[k].value));
    }
out:
    arena_fini(&arena);
    return st;
}

// --- what others are told ------------------------------------------------------------------------

bool move_shuts_any(const struct slice *slice, struct bytes key, uint64_t txn)
{
    for (const struct move_side *side = slice->moves; side != NULL; side = side->next) {
        if (side->gate == MOVE_OPEN || !span_contains(side->range.span, key)) continue;
        if (side->gate == MOVE_SHUT) return true;
        // Who holds a lock may finish; others would wait for it in vain.
        if (txn == 0 || lock_held_count(slice->locks, txn) == 0) return true;
    }
    return false;
}

bool move_shuts_span(const struct slice *slice, struct span span)
{
    for (const struct move_side *side = slice->moves; side != NULL; side = side->next)
        if (side->gate == MOVE_SHUT && span_overlaps(side->range.span, span)) return true;
    return false;
}

bool move_fenced(const struct slice *slice, uint64_t tenant)
{
    for (const struct move_side *side = slice->moves; side != NULL; side = side->next) {
        if (side->end != MOVE_SOURCE || (!side->done && side->gate != MOVE_SHUT)) continue;
        if (key_in_tenant(side->range.span.start, tenant)) return true;
    }
    return false;
}

bool move_fences(const struct slice *slice, struct span span)
{
    for (const struct move_side *side = slice->moves; side != NULL; side = side->next)
        if (side->end == MOVE_SOURCE && side->done && span_overlaps(side->range.span, span)) return true;
    return false;
}

bool move_leaves(const struct slice *slice, struct span span)
{
    for (const struct move_side *side = slice->moves; side != NULL; side = side->next)
        if (side->end == MOVE_SOURCE && span_overlaps(side->range.span, span)) return true;
    return false;
}

bool move_holds(const struct slice *slice, struct span span)
{
    for (const struct move_side *side = slice->moves; side != NULL; side = side->next) {
        if (!span_overlaps(side->range.span, span)) continue;
        if (side->end == MOVE_SOURCE ? side->done : !side->done) return true;
    }
    return false;
}

// --- the source ----------------------------------------------------------------------------------

static struct move_side *side_find(
    struct slice *slice, enum move_end end, const struct leader_move *move)
{
    struct move_side *side = *side_link(slice, end, move->range.span.start);
    return side != NULL && side->attempt == move->attempt ? side : NULL;
}

static bool serves_exactly(struct slice *slice, const struct range *range)
{
    const struct range_entry *entry = range_set_find(slice->ranges, range->span.start);
    return entry != NULL && entry->range.id == range->id &&
           entry->range.generation == range->generation &&
           bytes_equal(entry->range.span.start, range->span.start) &&
           bytes_equal(entry->range.span.end, range->span.end);
}

static void tenant_tell(struct slice *slice, struct leader_move *move)
{
    const struct slice_tenant *tenant = slice_tenant_get(slice, move->call.tenant);
    move->threshold = slice_gc_threshold(slice, move->call.tenant);
    move->ingesting = tenant != NULL && tenant->ingesting;
    move->ingested = tenant != NULL && tenant->ingested;
}

// The slice may not have been told of a split that its leader's predecessor was to hear of.
static struct status source_align(
    struct task *task, struct slice *slice, const struct leader_move *move)
{
    struct range range = move->range;
    range.slice = slice->id;
    if (serves_exactly(slice, &range)) return STATUS_OK;
    if (!range_set_covers(slice->ranges, range.span)) return over("the slice does not serve the range");
    return range_record_add(task, slice, &range);
}

static struct status source_begin(
    struct task *task, struct slice *slice, struct leader_move *move)
{
    struct entry_builder builder;
    struct status st;
    TRY(source_align(task, slice, move));
    TRY(slice_admit(task, slice, 0));
    struct move_side *side = *side_link(slice, MOVE_SOURCE, move->range.span.start);
    if (side != NULL && (side->done || side->attempt > move->attempt))
        return over("another move of the range is not over");
    if (!serves_exactly(slice, &move->range)) return over("the range has changed");
    entry_begin(&builder, task->arena);
    record_put(&builder, task->arena, MOVE_SOURCE, move->attempt, false, &move->range);
    TRY(slice_propose(task, slice, entry_end(&builder)));
    TRY(slice_check(slice));
    side = side_find(slice, MOVE_SOURCE, move);
    if (side == NULL) return over("another move of the range has begun");
    if (side->notes == NULL) st = move_notes_make(side->range.span, &side->notes);
    tenant_tell(slice, move);
out:
    return st;
}

// The side may go away while this suspends: `notes` are looked up again by those who use them.
static struct status source_pull(
    struct task *task, struct slice *slice, struct leader_move *move)
{
    struct status st;
    struct move_side *side = side_find(slice, MOVE_SOURCE, move);
    if (side == NULL || side->notes == NULL) return over("the move has ended here");
    // An answer that was lost, and asked for again, had keys that are noted no more.
    if (++side->notes->sequence != move->sequence) side->notes->lost = true;
    TRY(move_notes_pull(task, slice, side, PULL_BYTES, move->call.arena, &move->versions,
        &move->version_count));
    side = side_find(slice, MOVE_SOURCE, move);
    if (side == NULL || side->notes == NULL || side->notes->lost)
        return over("what was written meanwhile is not known");
    move->drained = side->notes->scanned && side->notes->keys.count == 0;
out:
    return st;
}

static struct status gate_set(
    struct slice *slice, const struct leader_move *move, enum move_gate gate)
{
    struct move_side *side = side_find(slice, MOVE_SOURCE, move);
    if (side == NULL || side->notes == NULL || side->notes->lost)
        return over("the move has ended here");
    side->gate = gate;
    slice->ranges->version++; // What was checked before is to be checked again.
    return STATUS_OK;
}

// Until those that hold locks in the range have let go: what is in the middle of its commit had better end it here. Not
// longer than that goes on.
static struct status locks_drain(
    struct task *task, struct slice *slice, const struct leader_move *move)
{
    struct status st = STATUS_OK;
    const uint64_t until_ns = task_now_ns(task) + CLOSING_NS;
    uint64_t changed_ns = task_now_ns(task), before = 0, who;
    while (lock_count_in(slice->locks, move->range.span, &who) > 0) {
        const uint64_t now_ns = task_now_ns(task);
        if (who != before) changed_ns = now_ns;
        before = who;
        if (now_ns >= until_ns || now_ns >= changed_ns + CLOSING_QUIET_NS) break;
        TRY(task_sleep(task, CLOSING_POLL_NS));
        TRY(slice_may_serve(task, slice));
    }
out:
    return st;
}

// Until everything proposed is applied, and nothing in the range is left to be decided.
static struct status writes_drain(
    struct task *task, struct slice *slice, const struct leader_move *move)
{
    struct status st = STATUS_OK;
    const uint64_t until_ns = task_now_ns(task) + SHUT_NS;
    const uint64_t last = raft_log_last(&slice->log);
    for (;;) {
        bool staged = false;
        TRY(slice_admit(task, slice, 0));
        TRY(slice_check(slice));
        TRY(staged_in_span(slice, move->range.span, &staged));
        bool pending = slice_pending_find_span(slice, move->range.span, HLC_MAX) != NULL;
        if (slice->applied_index >= last && !staged && !pending) return STATUS_OK;
        // A large transaction takes its time: its rows cannot come along.
        if (staged || task_now_ns(task) >= until_ns) {
            covered("move.busy");
            return over("transactions are under way in the range");
        }
        TRY(task_sleep(task, POLL_NS));
    }
out:
    return st;
}

static struct status fence_propose(
    struct task *task, struct slice *slice, const struct leader_move *move)
{
    struct entry_builder builder;
    if (!serves_exactly(slice, &move->range)) return over("the range has changed");
    entry_begin(&builder, task->arena);
    range_record_erase_op(&builder, task->arena, move->range.span.start);
    record_put(&builder, task->arena, MOVE_SOURCE, move->attempt, true, &move->range);
    return slice_propose(task, slice, entry_end(&builder));
}

static void fence_answer(struct slice *slice, struct leader_move *move)
{
    const struct status gone =
        status_make_retry(K_WRONG_RANGE, RETRY_STATEMENT, "the range has moved");
    move->high = hlc_max(slice->read_high, slice->last_commit);
    tenant_tell(slice, move);
    lock_span_take(slice->locks, move->range.span, gone, move->call.arena, MOVE_LOCKS_MAX,
        &move->locks, &move->lock_count);
}

static struct status source_fence(
    struct task *task, struct slice *slice, struct leader_move *move)
{
    struct status st = STATUS_OK;
    bool staged = false;
    struct move_side *side = side_find(slice, MOVE_SOURCE, move);
    if (side == NULL || side->notes == NULL) return over("the move has ended here");
    if (side->done) goto fenced;
    TRY(staged_in_span(slice, move->range.span, &staged));
    if (staged) return over("transactions are under way in the range");
    TRY(gate_set(slice, move, MOVE_CLOSING));
    TRY(locks_drain(task, slice, move));
    TRY(gate_set(slice, move, MOVE_SHUT));
    TRY(writes_drain(task, slice, move));
    TRY(gate_set(slice, move, MOVE_SHUT));
    TRY(fence_propose(task, slice, move));
    TRY(slice_check(slice));
    side = side_find(slice, MOVE_SOURCE, move);
    if (side == NULL || !side->done) return over("the move has ended here");
fenced:
    covered("move.fenced");
    fence_answer(slice, move);
out:
    if (failed(st)) (void)gate_set(slice, move, MOVE_OPEN).code;
    return st;
}

static void source_leave(struct slice *slice, const struct leader_move *move,
    const struct move_side *side, struct arena *arena, struct entry_builder *builder)
{
    const struct range *range = &side->range;
    if (side->done && move->back && !range_set_covers(slice->ranges, range->span)) {
        covered("move.taken_back");
        range_record_put_op(builder, arena, range);
    }
    if (side->done && !move->back)
        entry_op_append(builder,
            &(struct entry_op){.kind = ENTRY_CLEAR, .tenant = move->call.tenant, .span = range->span});
}

// --- the target ----------------------------------------------------------------------------------

static bool serves_any(const struct slice *slice, struct span span)
{
    for (uint32_t i = 0; i < slice->ranges->count; i++)
        if (span_overlaps(slice->ranges->entries[i]->range.span, span)) return true;
    return false;
}

static struct status target_check(const struct slice *slice, const struct leader_move *move)
{
    if (serves_any(slice, move->range.span)) return over("the slice serves the range");
    for (const struct move_side *side = slice->moves; side != NULL; side = side->next) {
        if (!span_overlaps(side->range.span, move->range.span)) continue;
        // What it had of the range is still being erased; or another attempt came later.
        if (side->end == MOVE_SOURCE || side->done || side->attempt > move->attempt)
            return over("another move of the range is not over");
    }
    return STATUS_OK;
}

// What the source knows of the tenant, where this slice knows nothing.
static void tenant_follow(
    struct slice *slice, const struct leader_move *move, struct entry_builder *builder)
{
    const struct slice_tenant *tenant = slice_tenant_get(slice, move->call.tenant);
    if (!move->ingesting && !move->ingested) return;
    if (tenant != NULL && (tenant->ingesting || tenant->ingested)) return;
    entry_op_append(builder, &(struct entry_op){.kind = ENTRY_TENANT,
                                 .tenant = move->call.tenant,
                                 .ingesting = move->ingesting});
}

static struct status target_begin(
    struct task *task, struct slice *slice, const struct leader_move *move)
{
    struct entry_builder builder;
    struct status st;
    TRY(slice_admit(task, slice, 1)); // Not onto a full disk.
    TRY(target_check(slice, move));
    entry_begin(&builder, task->arena);
    for (const struct move_side *side = slice->moves; side != NULL; side = side->next)
        if (side->end == MOVE_TARGET && span_overlaps(side->range.span, move->range.span))
            record_erase(&builder, task->arena, MOVE_TARGET, side->range.span.start);
    entry_op_append(&builder, &(struct entry_op){.kind = ENTRY_CLEAR,
                                  .tenant = move->call.tenant,
                                  .span = move->range.span});
    tenant_follow(slice, move, &builder);
    record_put(&builder, task->arena, MOVE_TARGET, move->attempt, false, &move->range);
    st = slice_propose(task, slice, entry_end(&builder));
out:
    return st;
}

static struct status target_push(
    struct task *task, struct slice *slice, const struct leader_move *move)
{
    struct status st = STATUS_OK;
    struct arena_mark mark = arena_mark(task->arena);
    for (uint32_t i = 0; i < move->version_count;) {
        struct entry_builder builder;
        TRY(slice_admit(task, slice, 1));
        const struct move_side *side = side_find(slice, MOVE_TARGET, move);
        if (side == NULL || side->done) return over("the move has ended here");
        entry_begin(&builder, task->arena);
        entry_op_append(&builder,
            &(struct entry_op){.kind = ENTRY_INGEST, .tenant = move->call.tenant});
        for (size_t bytes = 0; i < move->version_count && bytes < PULL_BYTES / 2; i++) {
            const struct kv_version *version = &move->versions[i];
            if (!span_contains(side->range.span, version->key))
                return over("the key is not of the range");
            bytes += version->key.size + version->value.size + 32;
            entry_item_append(&builder, &(struct entry_item){.key = version->key,
                                            .value = version->value,
                                            .ts = version->ts,
                                            .tombstone = version->tombstone});
        }
        TRY(slice_propose(task, slice, entry_end(&builder)));
        arena_release(task->arena, mark);
    }
out:
    // A failure's message may be there.
    if (!failed(st)) arena_release(task->arena, mark);
    return st;
}

static struct status target_confirm(struct slice *slice, const struct leader_move *move)
{
    const struct move_side *side = side_find(slice, MOVE_TARGET, move);
    if (side == NULL || side->done) return over("the move has ended here");
    // Of two slices one may know already that no more is received: what is wrong above the cutover's time is undone
    // where it lies, not on the way.
    const struct slice_tenant *tenant = slice_tenant_get(slice, move->call.tenant);
    bool known = tenant != NULL && (tenant->ingesting || tenant->ingested);
    if (known && (move->ingesting || move->ingested) && tenant->ingesting != move->ingesting)
        return over("the virtual cluster ceases to be replicated");
    return STATUS_OK;
}

static struct status target_add(
    struct task *task, struct slice *slice, const struct leader_move *move)
{
    struct entry_builder builder;
    struct status st;
    TRY(slice_admit(task, slice, 0));
    const struct move_side *side = side_find(slice, MOVE_TARGET, move);
    if (side == NULL || side->done) goto out; // Done before.
    lock_carry_adopt(slice, move->locks, move->lock_count); // Before anybody else can have them.
    // Above every read and commit of the source. Its commits may be ahead of this node's clock, and count for
    // validation though nobody noted them here.
    slice_read_high_raise(slice, move->high);
    slice->early = hlc_max(slice->early, move->high);
    hlc_update(&slice->shard->hlc, move->high);
    validator_note_bulk(
        slice->validator, side->range.span.start, side->range.span.end, move->high, 0);
    struct range range = side->range;
    range.slice = slice->id;
    range.generation++;
    entry_begin(&builder, task->arena);
    if (hlc_less(slice_gc_threshold(slice, move->call.tenant), move->threshold))
        entry_op_append(&builder, &(struct entry_op){.kind = ENTRY_GC,
                                      .tenant = move->call.tenant,
                                      .ts = move->threshold});
    tenant_follow(slice, move, &builder);
    range_record_put_op(&builder, task->arena, &range);
    record_put(&builder, task->arena, MOVE_TARGET, move->attempt, true, &move->range);
    st = slice_propose(task, slice, entry_end(&builder));
out:
    return st;
}

static void target_leave(const struct leader_move *move, const struct move_side *side,
    struct arena *arena, struct entry_builder *builder)
{
    if (!move->back) return;
    if (side->done) range_record_erase_op(builder, arena, side->range.span.start);
    entry_op_append(builder,
        &(struct entry_op){.kind = ENTRY_CLEAR, .tenant = move->call.tenant, .span = side->range.span});
}

// --- the end, at either side ---------------------------------------------------------------------

static struct status side_end(
    struct task *task, struct slice *slice, enum move_end end, const struct leader_move *move)
{
    struct entry_builder builder;
    struct status st;
    TRY(slice_admit(task, slice, 0));
    const struct move_side *side = side_find(slice, end, move);
    if (side == NULL) goto out; // Done before.
    entry_begin(&builder, task->arena);
    if (end == MOVE_SOURCE) {
        source_leave(slice, move, side, task->arena, &builder);
    } else {
        target_leave(move, side, task->arena, &builder);
    }
    record_erase(&builder, task->arena, end, side->range.span.start);
    st = slice_propose(task, slice, entry_end(&builder));
out:
    return st;
}

// --- requests ------------------------------------------------------------------------------------

struct status leader_move(struct task *task, void *arg)
{
    struct leader_move *move = arg;
    struct slice *slice;
    struct status st = leader_slice(task, &move->call, &slice);
    if (!failed(st)) st = leader_check_span(move->call.tenant, move->range.span);
    if (failed(st)) return st;
    switch (move->what) {
    case LEADER_MOVE_SOURCE_BEGIN: return source_begin(task, slice, move);
    case LEADER_MOVE_PULL: return source_pull(task, slice, move);
    case LEADER_MOVE_FENCE: return source_fence(task, slice, move);
    case LEADER_MOVE_SOURCE_END: return side_end(task, slice, MOVE_SOURCE, move);
    case LEADER_MOVE_TARGET_BEGIN: return target_begin(task, slice, move);
    case LEADER_MOVE_PUSH: return target_push(task, slice, move);
    case LEADER_MOVE_CONFIRM: return target_confirm(slice, move);
    case LEADER_MOVE_ADD: return target_add(task, slice, move);
    case LEADER_MOVE_TARGET_END: return side_end(task, slice, MOVE_TARGET, move);
    case LEADER_MOVE_KIND_END: break;
    }
    return status_make(E_INTERNAL, "unknown part of a move");
}

// --- the module ----------------------------------------------------------------------------------

static void on_applied(struct slice_observer *observer, struct slice *slice,
    const struct entry_op *op, uint64_t index)
{
    (void)observer;
    (void)index;
    if (UNLIKELY(op->kind == ENTRY_META) && op->key.size > 0 &&
        (op->key.data[0] == SOURCE_LETTER || op->key.data[0] == TARGET_LETTER)) {
        struct status st = side_set(slice, op->key, op->value);
        if (failed(st))
            log_error(0, "slice %llu: a move is not noted: %s", (unsigned long long)slice->id,
                st.message);
    }
    for (struct move_side *side = slice->moves; UNLIKELY(side != NULL); side = side->next)
        if (side->notes != NULL) move_notes_take(side->notes, op);
}

static struct status slice_ready(struct task *task, struct slice *slice)
{
    struct status st;
    (void)task;
    TRY(move_side_load(slice));
    slice->move_observer = (struct slice_observer){.applied = on_applied};
    slice_observer_add(slice, &slice->move_observer);
out:
    return st;
}

static void slice_following(struct slice *slice)
{
    for (struct move_side *side = slice->moves; side != NULL; side = side->next) {
        move_notes_free(side->notes);
        side->notes = NULL;
        side->gate = MOVE_OPEN;
    }
}

static void slice_fini(struct slice *slice)
{
    if (slice->move_observer.applied != NULL)
        slice_observer_remove(slice, &slice->move_observer);
    sides_drop(slice);
}

const struct kv_module move_side_module = {
    .name = "moves",
    .slot = KV_SLOT_NONE,
    .slice_ready = slice_ready,
    .slice_following = slice_following,
    .slice_fini = slice_fini,
};
