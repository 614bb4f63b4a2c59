// SPDX-License-Identifier: GPL-3.0-or-later
#include "kv/balance.h"

#include <string.h>

#include "core/log.h"
#include "core/mark.h"
#include "core/metrics.h"
#include "kv/cluster.h"
#include "kv/leader_range.h"
#include "kv/maintenance.h"
#include "kv/move.h"
#include "kv/protected.h"
#include "kv/range_admin.h"
#include "kv/range_upkeep.h"
#include "kv/replica.h"

#define LIST_NS UINT64_C(3000000000)
#define SOURCES_MAX 16u // Slices that are looked into in one pass,
#define CORE_SOURCES_MAX 4u // and of them on one core.

static METRIC_DEFINE(metric_moves, "kv.ranges.moves.load", METRIC_COUNTER, METRIC_COUNT, false,
    "Ranges that were sent from a core with much to do to another");

void balance_metrics_register(void)
{
    metric_register(&metric_moves);
}

// --- looking -----------------------------------------------------------------------------------------

static void slices_take(struct task *task, uint32_t node, const struct kv_replica *replicas, uint32_t count,
    bool taking, struct balance_slice *slices, uint32_t *slice_count)
{
    for (uint32_t i = 0; i < count && *slice_count < KV_SLICES_MAX; i++) {
        uint32_t shard;
        if (replicas[i].role != SLICE_SERVING || !cluster_slice_shard(task->shard, node, replicas[i].slice, &shard))
            continue;
        slices[(*slice_count)++] = (struct balance_slice){.id = replicas[i].slice,
            .node = node,
            .shard = shard,
            .load = replicas[i].load,
            .movable = replicas[i].load_movable,
            .ranges = replicas[i].ranges,
            .placement = (uint32_t)protected_slice_zone(task->shard, replicas[i].slice),
            .taking = taking};
    }
}

static struct status node_look(
    struct task *task, uint32_t node, bool taking, struct balance_slice *slices, uint32_t *count)
{
    struct kv_replica *replicas;
    uint32_t replica_count;
    const uint64_t deadline_ns = task->deadline_ns;
    task->deadline_ns = task_now_ns(task) + LIST_NS;
    struct status st = kv_replicas(task, node, task->arena, &replicas, &replica_count);
    task->deadline_ns = deadline_ns;
    if (!failed(st)) slices_take(task, node, replicas, replica_count, taking, slices, count);
    return st;
}

// A node that does not answer is passed over: what it leads is not moved now.
static struct status slices_look(struct task *task, struct balance_slice *slices, uint32_t *count)
{
    struct status st = STATUS_OK;
    uint32_t node_count;
    *count = 0;
    if (cluster_alone(task->shard)) return node_look(task, kv_node_id(task->shard->node), true, slices, count);
    const struct cluster_node *nodes = cluster_nodes(task->shard, &node_count);
    uint32_t *ids = ARENA_ARRAY(task->arena, uint32_t, node_count + 1);
    bool *taking = ARENA_ARRAY(task->arena, bool, node_count + 1);
    uint32_t alive = 0;
    for (uint32_t i = 0; i < node_count; i++) {
        if (!cluster_alive(task->shard, nodes[i].id)) continue;
        ids[alive] = nodes[i].id;
        taking[alive++] = nodes[i].membership == CLUSTER_ACTIVE && !nodes[i].draining &&
                          !maintenance_room_short(nodes[i].disk_bytes, nodes[i].disk_free_bytes);
    }
    for (uint32_t i = 0; i < alive; i++) {
        st = node_look(task, ids[i], taking[i], slices, count);
        if (failed(st) && task->cancelled) return st;
    }
    return STATUS_OK;
}

// --- ranges that rest --------------------------------------------------------------------------------

static uint32_t rested_find(const struct balance *balance, struct bytes start)
{
    const size_t size = start.size < RANGE_SAMPLE_BYTES ? start.size : RANGE_SAMPLE_BYTES;
    for (uint32_t i = 0; i < BALANCE_RESTED_MAX; i++) {
        if (balance->rested[i].until_ns != 0 && balance->rested[i].size == size &&
            memcmp(balance->rested[i].start, start.data, size) == 0)
            return i;
    }
    return BALANCE_RESTED_MAX;
}

void balance_rest(struct balance *balance, struct bytes start, uint64_t until_ns)
{
    uint32_t at = rested_find(balance, start);
    if (at == BALANCE_RESTED_MAX) at = balance->rested_next++ % BALANCE_RESTED_MAX;
    const size_t size = start.size < RANGE_SAMPLE_BYTES ? start.size : RANGE_SAMPLE_BYTES;
    memcpy(balance->rested[at].start, start.data, size);
    balance->rested[at].size = (uint32_t)size;
    balance->rested[at].until_ns = until_ns;
}

// --- moving ------------------------------------------------------------------------------------------

bool balance_rests(const struct balance *balance, struct bytes start, uint64_t now_ns)
{
    uint32_t at = rested_find(balance, start);
    return at < BALANCE_RESTED_MAX && balance->rested[at].until_ns > now_ns;
}

// The start of the range that should go; data NULL: none of this slice.
static struct status range_choose(struct task *task, const struct balance *balance,
    const struct balance_slice *from, uint64_t gap, uint64_t threshold, struct bytes *start)
{
    struct leader_look look = {.call.slice = from->id, .sizes_wanted = true};
    struct status st = leader_call(task, &look.call, task->arena, LEADER_LOOK);
    *start = (struct bytes){0};
    if (!failed(st)) {
        struct balance_range *ranges = ARENA_ARRAY(task->arena, struct balance_range, look.size_count + 1);
        for (uint32_t i = 0; i < look.size_count; i++)
            ranges[i] = (struct balance_range){.rate = look.sizes[i].rate,
                .resting = balance_rests(balance, look.sizes[i].start, task_now_ns(task)) ||
                           span_contains(range_meta_span(), look.sizes[i].start)};
        uint32_t chosen = balance_range(ranges, look.size_count, from->load, gap, threshold);
        if (chosen < look.size_count) *start = arena_copy(task->arena, look.sizes[chosen].start);
    }
    leader_reply_end(&look.call);
    return st;
}

static struct status range_send(
    struct task *task, struct bytes start, const struct balance_slice *from, const struct balance_slice *to)
{
    struct status st;
    struct range *ranges;
    uint32_t count;
    const struct span point = {start, key_next(task->arena, start)};
    TRY(range_change_lock(task));
    st = range_list(task, point, task->arena, &ranges, &count);
    if (!failed(st) && count == 1 && ranges[0].slice == from->id && bytes_equal(ranges[0].span.start, start)) {
        st = move_want(task, ranges, 1, to->id);
        if (!failed(st)) {
            covered("balance.moved");
            metric_add(&metric_moves, 0, 1);
            log_info(0,
                "range %llu goes from slice %llu (node %u, core %u) to slice %llu (node %u, core %u), which has less to do",
                (unsigned long long)ranges[0].id, (unsigned long long)from->id, from->node, from->shard,
                (unsigned long long)to->id, to->node, to->shard);
        }
    }
    range_change_unlock(task->shard);
out:
    return st;
}

static bool hot_before(const struct balance_core *hot, uint32_t count, const struct balance_slice *slice)
{
    for (uint32_t i = 0; i < count; i++)
        if (hot[i].node == slice->node && hot[i].shard == slice->shard) return true;
    return false;
}

// Notes the cores that should give something away.
static void hot_note(
    struct balance *balance, const struct balance_slice *slices, uint32_t count, uint64_t threshold)
{
    struct balance_wish wish;
    balance->hot_count = 0;
    for (uint32_t next = 0; balance->hot_count < BALANCE_HOT_MAX; next = wish.from + 1) {
        if (!balance_slices(slices, count, threshold, next, &wish)) break;
        const struct balance_slice *slice = &slices[wish.from];
        if (!hot_before(balance->hot, balance->hot_count, slice))
            balance->hot[balance->hot_count++] = (struct balance_core){slice->node, slice->shard};
    }
}

static struct status look(struct task *task, struct balance *balance, const struct range_tuning *tuning)
{
    struct status st;
    struct balance_slice *slices = ARENA_ARRAY(task->arena, struct balance_slice, KV_SLICES_MAX);
    struct balance_core before[BALANCE_HOT_MAX], core = {0};
    struct balance_wish wish;
    uint32_t count, looked = 0, of_core = 0;
    const uint32_t before_count = balance->hot_count;
    const uint64_t threshold = tuning->move_rate == 0 ? BALANCE_RATE_DEFAULT : tuning->move_rate;
    const uint64_t rest_ns = BALANCE_REST_WAITS * (tuning->move_wait_ns == 0 ? BALANCE_WAIT_NS : tuning->move_wait_ns);
    memcpy(before, balance->hot, sizeof before);
    TRY(slices_look(task, slices, &count));
    balance_cores(slices, count);
    hot_note(balance, slices, count, threshold);
    for (uint32_t next = 0; looked < SOURCES_MAX && balance_slices(slices, count, threshold, next, &wish);
        next = wish.from + 1) {
        struct bytes start;
        const struct balance_slice *from = &slices[wish.from];
        of_core = core.node == from->node && core.shard == from->shard ? of_core + 1 : 1;
        core = (struct balance_core){from->node, from->shard};
        if (of_core > CORE_SOURCES_MAX || !hot_before(before, before_count, from)) continue;
        looked++;
        TRY(range_choose(task, balance, from, wish.gap, threshold, &start));
        if (start.data == NULL) continue;
        balance_rest(balance, start, task_now_ns(task) + rest_ns);
        balance->hot_count = 0;
        TRY(range_send(task, start, from, &slices[wish.to]));
        break;
    }
out:
    return st;
}

struct status balance_pass(struct task *task, struct balance *balance, bool busy)
{
    const struct kv_shard *kv = kv_shard_of(task->shard);
    const struct range_tuning *tuning = range_tuning(task->shard);
    const uint64_t now_ns = task_now_ns(task);
    const uint64_t wait_ns = tuning->move_wait_ns == 0 ? BALANCE_WAIT_NS : tuning->move_wait_ns;
    if (!tuning->move || busy || !kv->ranges_told || move_count(kv) > 0) {
        balance->due_ns = now_ns + wait_ns; // What is measured until then settles.
        balance->hot_count = 0;
        return STATUS_OK;
    }
    if (now_ns < balance->due_ns) return STATUS_OK;
    balance->due_ns = now_ns + wait_ns;
    return look(task, balance, tuning);
}
