// SPDX-License-Identifier: GPL-3.0-or-later
#include "kv/range_admin.h"

#include <stdlib.h>

#include "core/invariant.h"
#include "core/mark.h"
#include "core/rpc.h"
#include "kv/cluster.h"
#include "kv/deadlock.h"
#include "kv/key.h"
#include "kv/leader_range.h"
#include "kv/lock.h"
#include "kv/lock_carry.h"
#include "kv/move.h"
#include "kv/move_side.h"
#include "kv/protected.h"
#include "kv/range_record.h"
#include "kv/range_upkeep.h"
#include "kv/replica.h"
#include "kv/router.h"
#include "kv/slice_internal.h"
#include "kv/txn.h"
#include "kv/validate.h"
#include "kv/zone_span.h"

#define CHANGE_ATTEMPTS_MAX 50u
#define DRAIN_POLL_NS 200000u

struct ranges {
    bool changing; // On shard 0: one change at a time.
    struct wait_queue changes;
    struct range_upkeep *upkeep;
};

static struct ranges *ranges_of(struct kv_shard *kv)
{
    return kv->module_state[KV_SLOT_RANGES];
}

struct range_upkeep *range_upkeep_of(struct kv_shard *kv)
{
    return ranges_of(kv)->upkeep;
}

// --- what leaders hold ---------------------------------------------------------------------------

// Told after a split or a merge: the slice has the range in one form or another, unless it has left meanwhile.
static struct status range_added(
    struct task *task, struct slice *slice, const struct leader_range *request)
{
    if (move_holds(slice, request->range.span))
        return status_make(E_NOT_IN_PREREQUISITE_STATE, "the range is being moved");
    return range_record_add(task, slice, &request->range);
}

// Takes the range from its leader, waits until nothing of it is under way, and erases what it holds.
static struct status range_erased(
    struct task *task, struct slice *slice, struct leader_range *request)
{
    struct status st = STATUS_OK;
    const struct range *range = &request->range;
    range_set_remove(slice->ranges, range->span.start);
    while (slice_pending_find_span(slice, range->span, HLC_MAX) != NULL) {
        TRY(task_sleep(task, DRAIN_POLL_NS));
    }
    TRY(range_record_remove(task, slice, range->span.start));
    TRY(slice_clear(task, slice, request->call.tenant, range->span));
out:
    return st;
}

struct status leader_range(struct task *task, void *arg)
{
    struct leader_range *request = arg;
    struct slice *slice;
    struct status st = leader_slice(task, &request->call, &slice);
    if (failed(st)) return st;
    if (request->what == LEADER_RANGE_ADD) return range_added(task, slice, request);
    return range_erased(task, slice, request);
}

static struct status range_request(struct task *task, struct leader_range *request)
{
    request->call.slice = request->range.slice;
    struct status st = leader_call(task, &request->call, task->arena, LEADER_RANGE);
    leader_reply_end(&request->call);
    return st;
}

// Whoever is not sure to lead slice 1 any more tells nothing: others may have changed the range since.
static struct status tell(struct task *task, const struct range *range)
{
    const struct slice *meta = kv_slice_find(kv_shard_of(task->shard), SLICE_META);
    struct leader_range request = {.what = LEADER_RANGE_ADD, .range = *range};
    struct status st = meta == NULL ? slice_not_leader() : slice_check(meta);
    return failed(st) ? st : range_request(task, &request);
}

// --- descriptors ---------------------------------------------------------------------------------

static struct status descriptors_read(struct task *task, struct kv_txn *txn, struct span span,
    enum kv_lock lock, struct arena *arena, struct range **ranges, uint32_t *count)
{
    struct status st = STATUS_OK;
    uint32_t capacity = 0;
    *ranges = NULL;
    *count = 0;
    // The one that covers the start of the span begins at or before it.
    struct kv_scan scan;
    struct kv_batch batch;
    kv_scan_init(&scan, range_meta_lookup_span(arena, span.start, true));
    scan.reverse = true;
    scan.limit = 1;
    scan.read.lock = lock;
    TRY(kv_scan_next(task, txn, &scan, arena, &batch));
    struct bytes from = range_meta_key(arena, span.start);
    if (batch.count == 1) {
        struct range first;
        TRY(range_decode(batch.pairs[0].value, &first));
        if (bytes_compare(span.start, first.span.end) < 0) from = batch.pairs[0].key;
    }
    kv_scan_init(&scan, (struct span){from, range_meta_key(arena, span.end)});
    scan.read.lock = lock;
    do {
        TRY(kv_scan_next(task, txn, &scan, arena, &batch));
        for (uint32_t i = 0; i < batch.count; i++) {
            if (*count == capacity) {
                uint32_t grown = capacity == 0 ? 16 : capacity * 2;
                *ranges = arena_grow(arena, *ranges, capacity * sizeof(struct range),
                    grown * sizeof(struct range));
                capacity = grown;
            }
            TRY(range_decode(batch.pairs[i].value, &(*ranges)[(*count)++]));
        }
    } while (batch.count > 0);
out:
    return st;
}

// The one that ends at or before `key`, nearest to it.
static struct status range_before(
    struct task *task, struct arena *arena, struct bytes key, struct range *range)
{
    const struct kv_txn_options options = {.read_only = true};
    struct kv_txn *txn;
    struct kv_scan scan;
    struct kv_batch batch;
    struct status st = kv_txn_begin(task, &options, &txn);
    if (failed(st)) return st;
    kv_scan_init(&scan, range_meta_lookup_span(arena, key, false));
    scan.reverse = true;
    scan.limit = 1;
    TRY(kv_scan_next(task, txn, &scan, arena, &batch));
    st = batch.count == 1 ? range_decode(batch.pairs[0].value, range)
                          : status_make(E_NOT_IN_PREREQUISITE_STATE, "there is no range before it");
out:
    kv_txn_rollback(task, txn);
    return st;
}

struct status range_list(struct task *task, struct span span, struct arena *arena,
    struct range **ranges, uint32_t *count)
{
    const struct kv_txn_options options = {.read_only = true};
    struct kv_txn *txn;
    struct status st = kv_txn_begin(task, &options, &txn);
    if (failed(st)) return st;
    st = descriptors_read(task, txn, span, KV_LOCK_NONE, arena, ranges, count);
    kv_txn_rollback(task, txn);
    return st;
}

static struct status descriptor_put(
    struct task *task, struct kv_txn *txn, struct arena *arena, const struct range *range)
{
    return kv_put(task, txn, range_meta_key(arena, range->span.start), range_encode(arena, range));
}

struct status range_id_next(struct task *task, uint64_t *id)
{
    static const uint8_t key[] = {0x01, 'n'};
    int64_t value;
    struct status st =
        kv_increment(task, 0, bytes_of(key, sizeof key), RANGE_META_ID + 1, 1, &value);
    *id = (uint64_t)value;
    return st;
}

// --- changes, at the leader of slice 1 -------------------------------------------------------------------------

// 55000 unless the descriptors are what they were when they were looked at.
static struct status descriptors_check(struct task *task, struct kv_txn *txn, struct arena *arena,
    const struct range *before, uint32_t count)
{
    struct status st = STATUS_OK;
    for (uint32_t i = 0; i < count; i++) {
        struct bytes value;
        struct range now = {0};
        TRY(kv_get(task, txn, NULL, range_meta_key(arena, before[i].span.start), arena, &value));
        if (value.data != NULL) TRY(range_decode(value, &now));
        if (now.id == before[i].id && now.generation == before[i].generation) continue;
        return status_make(E_NOT_IN_PREREQUISITE_STATE, "the ranges have changed meanwhile");
    }
out:
    return st;
}

// Writes the given descriptors (slice 0: erases the one with that start) in one transaction, in place of `before`.
static struct status descriptors_write(struct task *task, struct arena *arena,
    const struct range *before, uint32_t before_count, const struct range *ranges, uint32_t count)
{
    struct status st = STATUS_OK;
    for (uint32_t attempt = 0; attempt < CHANGE_ATTEMPTS_MAX; attempt++) {
        const struct kv_txn_options options = {0};
        struct kv_txn *txn;
        TRY(kv_txn_begin(task, &options, &txn));
        st = descriptors_check(task, txn, arena, before, before_count);
        for (uint32_t i = 0; i < count && !failed(st); i++) {
            st = ranges[i].slice == 0
                ? kv_delete(task, txn, range_meta_key(arena, ranges[i].span.start))
                : descriptor_put(task, txn, arena, &ranges[i]);
        }
        if (failed(st)) {
            kv_txn_rollback(task, txn);
        } else {
            st = kv_txn_commit(task, txn, NULL);
        }
        if (!status_is(st, E_SERIALIZATION_FAILURE)) break;
    }
out:
    return st;
}

struct status range_change_lock(struct task *task)
{
    struct status st = STATUS_OK;
    struct ranges *ranges = ranges_of(kv_shard_of(task->shard));
    while (ranges->changing) TRY(task_wait(task, &ranges->changes));
    ranges->changing = true;
out:
    return st;
}

void range_change_unlock(struct shard *shard)
{
    struct ranges *ranges = ranges_of(kv_shard_of(shard));
    ranges->changing = false;
    wait_queue_wake_one(&ranges->changes, STATUS_OK);
}

static struct status change_run(
    struct task *task, const struct leader_change *change, struct arena *arena);

struct status leader_change(struct task *task, void *arg)
{
    struct status st = STATUS_OK;
    const struct leader_change *change = arg;
    struct slice *slice;
    struct arena arena;
    uint32_t attempts = 0;
    arena_init(&arena, NULL);
again:
    TRY(leader_slice(task, &change->call, &slice));
    TRY(range_change_lock(task));
    st = change_run(task, change, &arena);
    range_change_unlock(task->shard);
    if (!failed(st) && change->what == LEADER_CHANGE_MOVE) {
        st = move_await(task, change->span, change->to);
        if (status_is(st, K_END) && ++attempts < CHANGE_ATTEMPTS_MAX) goto again;
        if (status_is(st, K_END)) st = slice_not_leader();
    }
    if (failed(st)) st = status_copy(task->arena, st);
out:
    arena_fini(&arena);
    return st;
}

static struct status change_ask(struct task *task, struct leader_change *change)
{
    struct kv_shard *kv = kv_shard_of(task->shard);
    if (kv == NULL || kv->stopping) return status_make(E_ADMIN_SHUTDOWN, "storage is stopping");
    change->call.slice = SLICE_META;
    struct status st = leader_call(task, &change->call, task->arena, LEADER_CHANGE);
    leader_reply_end(&change->call);
    return st;
}

static bool slice_known(struct task *task, struct arena *arena, uint64_t slice)
{
    uint64_t *slices;
    uint32_t count;
    bool known = false;
    leader_slices(task->shard, arena, &slices, &count);
    for (uint32_t i = 0; i < count; i++) known = known || slices[i] == slice;
    return known;
}

// A range's descriptor says something else about it than its bounds and its slice.
static struct status range_mark(
    struct task *task, struct arena *arena, const struct range *found, uint64_t sticky_ns)
{
    struct status st;
    struct range marked = *found;
    TRY(move_allows_change(task, found->span.start));
    marked.sticky_ns = sticky_ns;
    marked.generation++;
    TRY(descriptors_write(task, arena, found, 1, &marked, 1));
    st = tell(task, &marked);
out:
    return st;
}

static struct status split_at(
    struct task *task, struct arena *arena, struct bytes key, uint64_t sticky_ns)
{
    struct status st = STATUS_OK;
    struct range *found;
    uint32_t count;
    struct span point = {key, key_next(arena, key)};
    TRY(range_list(task, point, arena, &found, &count));
    if (count == 0) return status_make(E_NOT_IN_PREREQUISITE_STATE, "no range holds the key");
    if (bytes_equal(found->span.start, key))
        return sticky_ns <= found->sticky_ns ? STATUS_OK : range_mark(task, arena, found, sticky_ns);
    TRY(move_allows_change(task, found->span.start));
    struct range halves[2] = {*found, *found};
    halves[0].span.end = key;
    halves[1].span.start = key;
    halves[1].sticky_ns = sticky_ns;
    halves[0].generation = halves[1].generation = found->generation + 1;
    TRY(range_id_next(task, &halves[1].id));
    TRY(descriptors_write(task, arena, found, 1, halves, 2));
    TRY(tell(task, &halves[0]));
    TRY(tell(task, &halves[1]));
out:
    return st;
}

static struct status unsplit_at(struct task *task, struct arena *arena, struct bytes key)
{
    struct range *found;
    uint32_t count;
    struct status st =
        range_list(task, (struct span){key, key_next(arena, key)}, arena, &found, &count);
    if (failed(st)) return st;
    if (count == 0 || !bytes_equal(found->span.start, key))
        return status_make(E_NOT_IN_PREREQUISITE_STATE, "no range starts at the key");
    return found->sticky_ns == 0 ? STATUS_OK : range_mark(task, arena, found, 0);
}

static struct status mergeable(
    struct task *task, const struct range *left, const struct range *right, bool same_slice)
{
    struct bytes first = left->span.start, second = right->span.start;
    uint64_t tenants[2];
    struct env *env = task->shard->env;
    struct status st;
    if ((left->slice != right->slice) == same_slice || !bytes_equal(left->span.end, right->span.start))
        return status_make(E_NOT_IN_PREREQUISITE_STATE, "the ranges are not neighbours in one slice");
    if (right->sticky_ns > (uint64_t)env->wall_ns(env))
        return status_make(E_NOT_IN_PREREQUISITE_STATE, "the range was split off by hand");
    TRY(key_decode_tenant_prefix(&first, &tenants[0]));
    TRY(key_decode_tenant_prefix(&second, &tenants[1]));
    if (tenants[0] != tenants[1])
        return status_make(E_NOT_IN_PREREQUISITE_STATE, "the ranges are not of one virtual cluster");
    bool same;
    TRY(zone_same(task, left->span.start, right->span.start, &same));
    if (!same || protected_slice_zone(task->shard, left->slice) != protected_slice_zone(task->shard, right->slice))
        return status_make(E_NOT_IN_PREREQUISITE_STATE, "the ranges have different zone configurations");
    TRY(move_allows_change(task, left->span.start));
    TRY(move_allows_change(task, right->span.start));
out:
    return st;
}

static struct status merge_at(struct task *task, struct arena *arena, struct bytes key)
{
    struct status st = STATUS_OK;
    struct range *found, before[2], after[2];
    uint32_t count;
    TRY(range_list(task, (struct span){key, key_next(arena, key)}, arena, &found, &count));
    if (count == 0) return status_make(E_NOT_IN_PREREQUISITE_STATE, "no range holds the key");
    if (!bytes_equal(found->span.start, key)) return STATUS_OK; // Done before.
    before[1] = *found;
    // The greatest start below it.
    TRY(range_before(task, arena, key, &before[0]));
    TRY(mergeable(task, &before[0], &before[1], true));
    after[0] = before[0];
    after[0].span.end = before[1].span.end;
    after[0].generation = (before[0].generation > before[1].generation ? before[0].generation
                                                                       : before[1].generation) + 1;
    after[1] = before[1];
    after[1].slice = 0;
    TRY(descriptors_write(task, arena, before, 2, after, 2));
    covered("range.merged");
    st = tell(task, &after[0]);
out:
    return st;
}

static struct status gather_at(struct task *task, struct arena *arena, struct bytes key)
{
    struct range *found, left, right;
    struct leader_size figures[2] = {0};
    uint32_t count;
    struct status st = range_list(task, (struct span){key, key_next(arena, key)}, arena, &found, &count);
    if (failed(st)) return st;
    if (count == 0 || !bytes_equal(found->span.start, key)) return STATUS_OK; // Done before.
    right = *found;
    TRY(range_before(task, arena, key, &left));
    if (left.slice == right.slice) return STATUS_OK;
    TRY(mergeable(task, &left, &right, false));
    if (move_count(kv_shard_of(task->shard)) > 0)
        return status_make(E_NOT_IN_PREREQUISITE_STATE, "other ranges are being moved");
    TRY(range_figures(task, &left, &figures[0]));
    TRY(range_figures(task, &right, &figures[1]));
    const struct range_tuning *tuning = range_tuning(task->shard);
    const uint64_t bytes = figures[0].bytes + figures[1].bytes, rate = figures[0].rate + figures[1].rate;
    if (!range_cold(tuning, rate, bytes, range_bytes_max(task->shard, right.slice, key)))
        return status_make(E_NOT_IN_PREREQUISITE_STATE, "the range before it is not small and cold");
    // The smaller one; but nothing goes to the cluster's own records.
    const bool right_goes = right.slice == SLICE_META || (left.slice != SLICE_META && figures[1].bytes <= figures[0].bytes);
    st = right_goes ? move_want(task, &right, 1, left.slice) : move_want(task, &left, 1, right.slice);
out:
    return st;
}

static struct status change_key(
    struct task *task, enum leader_change_kind what, struct bytes key, uint64_t to)
{
    struct leader_change change = {.what = what, .key = key, .to = to};
    if (key.size > KEY_BYTES_MAX) {
        return status_make(E_PROGRAM_LIMIT_EXCEEDED, "key is longer than 16 KiB");
    }
    return change_ask(task, &change);
}

struct status kv_split(struct task *task, struct bytes key)
{
    return change_key(task, LEADER_CHANGE_SPLIT, key, 0);
}

struct status kv_split_until(struct task *task, struct bytes key, uint64_t until_ns)
{
    return change_key(task, LEADER_CHANGE_SPLIT, key, until_ns);
}

struct status kv_unsplit(struct task *task, struct bytes key)
{
    return change_key(task, LEADER_CHANGE_UNSPLIT, key, 0);
}

struct status kv_merge(struct task *task, struct bytes key)
{
    return change_key(task, LEADER_CHANGE_MERGE, key, 0);
}

struct status range_gather(struct task *task, struct bytes key)
{
    return change_key(task, LEADER_CHANGE_GATHER, key, 0);
}

// The slice with the fewest ranges, of those with as many the one with the fewest bytes.
static struct status slice_choose(struct task *task, struct arena *arena, uint64_t *slice)
{
    struct status st = STATUS_OK;
    struct kv_slice_info *infos;
    uint32_t count;
    TRY(kv_slices(task, arena, &infos, &count));
    const struct kv_slice_info *best = &infos[0];
    for (uint32_t i = 1; i < count; i++) {
        bool fewer = infos[i].ranges < best->ranges ||
            (infos[i].ranges == best->ranges && infos[i].bytes < best->bytes);
        if (infos[i].zone == 0 && fewer) best = &infos[i];
    }
    *slice = best->id;
out:
    return st;
}

static struct status create_run(struct task *task, const struct leader_change *change, struct arena *arena)
{
    struct status st = STATUS_OK;
    struct range *found;
    uint32_t count;
    struct range range = {
        .span = key_tenant_span(arena, change->call.tenant), .slice = change->to, .generation = 1};
    TRY(range_list(task, range.span, arena, &found, &count));
    if (count > 0) { // Created before: the caller repeats after a crash, perhaps before its slice was told.
        st = move_allows_change(task, found->span.start);
        if (status_is(st, E_NOT_IN_PREREQUISITE_STATE)) return STATUS_OK; // Its move tells.
        if (!failed(st) && found->generation == range.generation) st = tell(task, found);
        goto out;
    }
    if (range.slice == 0) TRY(slice_choose(task, arena, &range.slice));
    if (!slice_known(task, arena, range.slice)) {
        return status_make(E_INVALID_PARAMETER_VALUE, "no such slice");
    }
    TRY(range_id_next(task, &range.id));
    TRY(descriptors_write(task, arena, NULL, 0, &range, 1));
    TRY(tell(task, &range));
out:
    return st;
}

struct status kv_tenant_create(struct task *task, uint64_t tenant, uint64_t slice)
{
    invariant(tenant != 0);
    struct leader_change change = {
        .call.tenant = tenant, .what = LEADER_CHANGE_CREATE, .to = slice};
    return change_ask(task, &change);
}

static struct status erase_run(struct task *task, const struct leader_change *change, struct arena *arena)
{
    struct status st = STATUS_OK;
    struct range *ranges;
    uint32_t count;
    TRY(range_list(task, key_tenant_span(arena, change->call.tenant), arena, &ranges, &count));
    for (uint32_t i = 0; i < count; i++) {
        struct leader_range request = {.call.tenant = change->call.tenant,
            .what = LEADER_RANGE_ERASE, .range = ranges[i]};
        TRY(range_request(task, &request));
    }
    for (uint32_t i = 0; i < count; i++) ranges[i].slice = 0;
    TRY(descriptors_write(task, arena, NULL, 0, ranges, count));
out:
    return st;
}

struct status kv_tenant_erase(struct task *task, uint64_t tenant)
{
    invariant(tenant != 0);
    struct leader_change change = {.call.tenant = tenant, .what = LEADER_CHANGE_ERASE};
    return change_ask(task, &change);
}

// --- having ranges moved --------------------------------------------------------------------------

// Cuts the span off its neighbours and wants what is in it to be in slice `to`.
static struct status move_begin(struct task *task, const struct leader_change *change, struct arena *arena)
{
    struct status st = STATUS_OK;
    struct range *ranges;
    uint32_t count;
    if (!slice_known(task, arena, change->to)) {
        return status_make(E_INVALID_PARAMETER_VALUE, "no such slice");
    }
    TRY(split_at(task, arena, change->span.start, 0));
    // The end of the tenant's span is no key of any range: then there is nothing to cut off.
    TRY(range_list(task, (struct span){change->span.end, key_next(arena, change->span.end)}, arena,
        &ranges, &count));
    if (count > 0) TRY(split_at(task, arena, change->span.end, 0));
    TRY(range_list(task, change->span, arena, &ranges, &count));
    st = move_want(task, ranges, count, change->to);
out:
    return st;
}

struct status range_want(struct task *task, struct span span, uint64_t to)
{
    const struct leader_change change = {.what = LEADER_CHANGE_MOVE, .to = to, .span = span};
    struct status st = range_change_lock(task);
    if (failed(st)) return st;
    st = move_begin(task, &change, task->arena);
    range_change_unlock(task->shard);
    return st;
}

static struct status change_run(
    struct task *task, const struct leader_change *change, struct arena *arena)
{
    switch (change->what) {
    case LEADER_CHANGE_SPLIT: return split_at(task, arena, change->key, change->to);
    case LEADER_CHANGE_UNSPLIT: return unsplit_at(task, arena, change->key);
    case LEADER_CHANGE_MERGE: return merge_at(task, arena, change->key);
    case LEADER_CHANGE_GATHER: return gather_at(task, arena, change->key);
    case LEADER_CHANGE_CREATE: return create_run(task, change, arena);
    case LEADER_CHANGE_ERASE: return erase_run(task, change, arena);
    case LEADER_CHANGE_MOVE: return move_begin(task, change, arena);
    case LEADER_CHANGE_KIND_END: break;
    }
    return status_make(E_INTERNAL, "unknown change of ranges");
}

struct status kv_move(struct task *task, struct span span, uint64_t slice)
{
    if (bytes_compare(span.start, span.end) >= 0) {
        return status_make(E_INVALID_PARAMETER_VALUE, "the span is empty");
    }
    struct leader_change change = {.what = LEADER_CHANGE_MOVE, .to = slice, .span = span};
    struct status st = change_ask(task, &change);
    // This shard need not find out.
    return failed(st) ? st : router_evict_all(task, 0);
}

struct status kv_move_empty(struct task *task, struct span span, uint64_t slice)
{
    struct status st;
    struct kv_export export = {.span = span, .at = hlc_now(&task->shard->hlc), .all = true};
    struct bytes start = span.start;
    struct kv_version *versions;
    struct arena arena;
    uint32_t count;
    arena_init(&arena, NULL);
    TRY(key_decode_tenant_prefix(&start, &export.tenant));
    TRY(kv_export_next(task, &export, &arena, &versions, &count));
    if (count > 0)
        st = status_make(E_NOT_IN_PREREQUISITE_STATE, "the range is not empty");
    else
        st = kv_move(task, span, slice);
out:
    if (failed(st)) st = status_copy(task->arena, st);
    arena_fini(&arena);
    return st;
}

// --- walking -------------------------------------------------------------------------------------

struct status range_walk(struct task *task, struct span span, range_visit visit, void *arg)
{
    struct status st = STATUS_OK;
    struct arena arena;
    arena_init(&arena, NULL);
    struct bytes at = span.start;
    uint32_t attempt = 0;
    while (bytes_compare(at, span.end) < 0) {
        const struct range *found;
        TRY(router_find(task, at, false, &found));
        struct range range = *found; // The route may be evicted while the part is visited.
        range.span.start = arena_copy(&arena, found->span.start);
        range.span.end = arena_copy(&arena, found->span.end);
        struct span part = {at, range.span.end};
        if (bytes_compare(span.end, part.end) < 0) part.end = span.end;
        st = visit(task, arg, &range, part);
        if (status_is(st, K_WRONG_RANGE) && attempt < ROUTE_ATTEMPTS_MAX) {
            TRY(router_evict(task, at, false, attempt++));
            continue;
        }
        TRY(st);
        attempt = 0;
        at = part.end;
    }
out:
    arena_fini(&arena);
    return st;
}

// --- the module ----------------------------------------------------------------------------------

// What counts for validation does so from the moment its timestamp is chosen. Resolved writes are
// told as writes, with their transaction.
static void on_proposed(
    struct slice_observer *observer, struct slice *slice, const struct entry_op *op)
{
    (void)observer;
    if (op->kind != ENTRY_WRITES && op->kind != ENTRY_PREPARE) return;
    struct entry_items items;
    struct entry_item item;
    struct bytes first = {0};
    struct bytes last = {0};
    const bool bulk = op->item_count > VALIDATOR_BULK_COUNT;
    entry_items_open(op, &items);
    while (entry_item_next(&items, &item)) {
        if (!bulk && op->kind == ENTRY_PREPARE) {
            validator_note_prepared(slice->validator, item.key, op->ts, op->txn);
            continue;
        }
        if (!bulk) {
            validator_note(slice->validator, item.key, op->ts, op->txn);
            continue;
        }
        if (first.data == NULL || bytes_compare(item.key, first) < 0) first = item.key;
        if (last.data == NULL || bytes_compare(last, item.key) < 0) last = item.key;
    }
    if (bulk) validator_note_bulk(slice->validator, first, last, op->ts, op->txn);
}

// Estimates: all of an entry is counted for the range of its first key.
static void on_applied(struct slice_observer *observer, struct slice *slice,
    const struct entry_op *op, uint64_t index)
{
    (void)observer;
    (void)index;
    range_record_applied(slice, op);
    if (UNLIKELY(op->kind == ENTRY_LOCKS)) lock_carry_note(slice, op);
    if (op->kind != ENTRY_WRITES && op->kind != ENTRY_INGEST && op->kind != ENTRY_PREPARE) return;
    struct entry_items items;
    struct entry_item item;
    entry_items_open(op, &items);
    if (!entry_item_next(&items, &item)) return;
    struct range_entry *entry = range_set_find(slice->ranges, item.key);
    if (entry == NULL) return;
    entry->bytes_unmeasured += op->items.size;
    entry->keys += op->item_count;
}

static struct status range_shard_init(struct task *task, struct kv_shard *kv)
{
    (void)task;
    struct ranges *ranges = calloc(1, sizeof *ranges);
    if (ranges == NULL) return status_make(E_OUT_OF_MEMORY, "out of memory");
    wait_queue_init(&ranges->changes);
    kv->module_state[KV_SLOT_RANGES] = ranges;
    return range_upkeep_make(kv, &ranges->upkeep);
}

static void range_shard_fini(struct kv_shard *kv)
{
    range_upkeep_free(ranges_of(kv)->upkeep);
    free(ranges_of(kv));
    kv->module_state[KV_SLOT_RANGES] = NULL;
}

static struct status range_slice_ready(struct task *task, struct slice *slice)
{
    struct status st = STATUS_OK;
    (void)task;
    slice->locks = calloc(1, sizeof *slice->locks);
    if (slice->locks == NULL) return status_make(E_OUT_OF_MEMORY, "out of memory");
    TRY(lock_table_init(slice->locks, slice->shard));
    slice->locks->blocked = deadlock_blocked;
    slice->locks->unblocked = deadlock_unblocked;
    slice->locks->arg = slice;
    TRY(validator_create(&slice->validator));
    TRY(range_set_create(&slice->ranges));
    TRY(range_record_load(slice));
    slice->range_observer =
        (struct slice_observer){.proposed = on_proposed, .applied = on_applied};
    slice_observer_add(slice, &slice->range_observer);
out:
    return st;
}

static struct status range_slice_leading(struct task *task, struct slice *slice)
{
    (void)task;
    validator_reset(slice->validator, slice->last_commit);
    slice->early = slice->last_commit;
    lock_carry_lead(slice);
    return STATUS_OK;
}

static void range_slice_following(struct slice *slice)
{
    lock_table_drop(slice->locks, status_make_retry(K_NOT_LEADER, RETRY_STATEMENT,
                                      "the slice is led by another node"));
}

static void range_slice_fini(struct slice *slice)
{
    if (slice->range_observer.proposed != NULL) {
        slice_observer_remove(slice, &slice->range_observer);
    }
    lock_carry_drop(slice);
    if (slice->locks != NULL) lock_table_fini(slice->locks);
    free(slice->locks);
    validator_destroy(slice->validator);
    range_set_destroy(slice->ranges);
    slice->locks = NULL;
    slice->validator = NULL;
    slice->ranges = NULL;
}

static struct status range_started(struct task *task, struct kv_node *node)
{
    struct status st = STATUS_OK;
    (void)node;
    // Where there are other nodes replicas know their ranges by their logs, and slices may have no
    // leader yet.
    if (!cluster_alone(task->shard)) {
        move_settled(kv_shard_of(task->shard));
        return range_upkeep_start(task);
    }
    st = replica_made_tell(task);
    if (failed(st)) return st;
    struct arena arena;
    arena_init(&arena, NULL);
    struct range *ranges;
    uint32_t count;
    static const uint8_t last[] = {0xff};
    const struct span all = {range_meta_span().end, bytes_of(last, 1)};
    TRY(range_list(task, all, &arena, &ranges, &count));
    for (uint32_t i = 0; i < count; i++) {
        st = tell(task, &ranges[i]);
        // On its way when the last start ended: the move is ended first.
        if (!status_is(st, E_NOT_IN_PREREQUISITE_STATE)) TRY(st);
    }
    TRY(kv_tenant_create(task, TENANT_SYSTEM, SLICE_META));
    move_settled(kv_shard_of(task->shard));
    TRY(range_upkeep_start(task));
out:
    arena_fini(&arena);
    return st;
}

const struct kv_module range_module = {
    .name = "ranges",
    .slot = KV_SLOT_RANGES,
    .shard_init = range_shard_init,
    .slice_ready = range_slice_ready,
    .slice_leading = range_slice_leading,
    .slice_following = range_slice_following,
    .started = range_started,
    .stopping = range_upkeep_stop,
    .slice_fini = range_slice_fini,
    .shard_fini = range_shard_fini,
};
