// SPDX-License-Identifier: GPL-3.0-or-later
//
// Which stream goes from which node of the primary to which of this cluster.
#include <stdlib.h>
#include <string.h>

#include "core/log.h"
#include "core/mark.h"
#include "core/metrics.h"
#include "kv/admin.h"
#include "kv/cluster.h"
#include "kv/key.h"
#include "repl/flow.h"
#include "repl/internal.h"
#include "sql/service/settings.h"

#define SPLITS_MAX 1024u
#define TARGETS_MAX 128u

METRIC_DEFINE(metric_replans, "physical_replication.distsql_replan_count", METRIC_COUNTER,
    METRIC_COUNT, false,
    "Times that streams were planned anew because a cluster's topology had changed");

void flow_plan_metrics_register(void)
{
    metric_register(&metric_replans);
}

// --- where streams run -------------------------------------------------------------------------------

struct target {
    uint32_t node, shards, streams;
    uint64_t bytes;
};

// The nodes of this cluster that can take streams; the own one first.
static uint32_t targets_list(struct shard *shard, struct target *targets)
{
    uint32_t node_count, count = 1;
    const struct cluster_node *nodes = cluster_nodes(shard, &node_count);
    targets[0] = (struct target){.node = shard->node->id, .shards = shard->node->shard_count};
    for (uint32_t i = 0; i < node_count && count < TARGETS_MAX; i++) {
        if (nodes[i].id == shard->node->id || !nodes[i].alive || nodes[i].draining ||
            nodes[i].membership != CLUSTER_ACTIVE || nodes[i].shard_count == 0)
            continue;
        targets[count++] = (struct target){.node = nodes[i].id, .shards = nodes[i].shard_count};
    }
    return count;
}

static int by_bytes(const void *a, const void *b)
{
    const struct partition *left = *(struct partition *const *)a;
    const struct partition *right = *(struct partition *const *)b;
    if (left->bytes_estimate != right->bytes_estimate)
        return left->bytes_estimate > right->bytes_estimate ? -1 : 1;
    return left->slice < right->slice ? -1 : 1;
}

// Evenly: each to the node with the fewest streams, among those to the one with the least to receive; the larger ones
// are dealt out first.
static void targets_assign(struct consumer *consumer)
{
    struct target *targets = ARENA_ARRAY(&consumer->plan_arena, struct target, TARGETS_MAX);
    uint32_t target_count = targets_list(consumer->shard, targets);
    uint32_t count = consumer->partition_count;
    struct partition **order = ARENA_ARRAY(&consumer->plan_arena, struct partition *, count + 1);
    for (uint32_t i = 0; i < count; i++)
        order[i] = &consumer->partitions[i];
    qsort(order, count, sizeof order[0], by_bytes);
    for (uint32_t i = 0; i < count; i++) {
        struct target *best = &targets[0];
        for (uint32_t k = 1; k < target_count; k++) {
            if (targets[k].streams < best->streams ||
                (targets[k].streams == best->streams && targets[k].bytes < best->bytes))
                best = &targets[k];
        }
        uint32_t first = best == &targets[0] ? consumer->shard->index : 0;
        order[i]->target =
            (struct rpc_target){best->node, (first + best->streams) % best->shards};
        best->streams++;
        best->bytes += order[i]->bytes_estimate;
    }
    if (target_count > 1 && count > 1) covered("flow.several_nodes");
}

// Nodes that could take a stream and have none, while others have several.
static bool targets_idle(const struct consumer *consumer)
{
    struct target targets[TARGETS_MAX];
    uint32_t target_count = targets_list(consumer->shard, targets), idle = 0, busiest = 0;
    for (uint32_t i = 0; i < target_count; i++) {
        uint32_t streams = 0;
        for (uint32_t k = 0; k < consumer->partition_count; k++)
            streams += consumer->partitions[k].target.node == targets[i].node;
        idle += streams == 0;
        if (streams > busiest) busiest = streams;
    }
    return idle > 0 && busiest > 1;
}

// --- what streams do ---------------------------------------------------------------------------------

static struct span span_copy(struct arena *arena, struct span span)
{
    return (struct span){arena_copy(arena, span.start), arena_copy(arena, span.end)};
}

static void missing_gather(struct consumer *consumer, struct partition *partition)
{
    struct arena *arena = &consumer->plan_arena;
    uint32_t capacity = 0;
    for (uint32_t i = 0; i < partition->span_count; i++) {
        struct span *missing;
        uint32_t count;
        frontier_missing(&consumer->progress.frontier, arena, partition->spans[i], &missing, &count);
        if (partition->missing_count + count > capacity) {
            capacity = 2 * (partition->missing_count + count);
            struct span *grown = ARENA_ARRAY(arena, struct span, capacity);
            if (partition->missing_count > 0)
                memcpy(grown, partition->missing, partition->missing_count * sizeof *grown);
            partition->missing = grown;
        }
        for (uint32_t k = 0; k < count; k++)
            partition->missing[partition->missing_count++] = span_copy(arena, missing[k]);
    }
    partition->scanned = partition->missing_count == 0;
}

static void partition_fill(
    struct consumer *consumer, struct partition *partition, const struct source_partition *source)
{
    struct arena *arena = &consumer->plan_arena;
    *partition = (struct partition){.consumer = consumer,
        .home = consumer->shard->index,
        .slice = source->slice,
        .node = source->node,
        .address = source->address == NULL ? NULL : arena_strdup(arena, source->address),
        .bytes_estimate = source->bytes,
        .span_count = source->span_count};
    partition->spans = ARENA_ARRAY(arena, struct span, source->span_count);
    for (uint32_t i = 0; i < source->span_count; i++)
        partition->spans[i] = span_copy(arena, source->spans[i]);
    missing_gather(consumer, partition);
    // What is to be scanned is scanned as of the start; from there on all of it is followed.
    partition->from = consumer->record->start;
    if (!partition->scanned) return;
    partition->from = HLC_MAX;
    for (uint32_t i = 0; i < partition->span_count; i++)
        partition->from = hlc_min(partition->from,
            frontier_min_of(&consumer->progress.frontier, partition->spans[i]));
}

static void addresses_take(struct consumer *consumer, const struct source_spec *spec)
{
    struct arena *arena = &consumer->plan_arena;
    const char **addresses = ARENA_ARRAY(arena, const char *, PROGRESS_ADDRESSES_MAX);
    struct bytes rest = spec->addresses;
    uint32_t count = 0;
    while (rest.size > 0 && count < PROGRESS_ADDRESSES_MAX) {
        const uint8_t *comma = memchr(rest.data, ',', rest.size);
        size_t size = comma == NULL ? rest.size : (size_t)(comma - rest.data);
        if (size > 0 && size < sizeof((struct cluster_node){0}).sql_address)
            addresses[count++] = arena_string(arena, bytes_of(rest.data, size));
        rest = bytes_skip(rest, comma == NULL ? size : size + 1);
    }
    if (count == 0) return; // Those from before are better than none.
    consumer->progress.addresses = addresses;
    consumer->progress.address_count = count;
}

// Before anything is here: makes ranges as the source has them and spreads them over this cluster's slices.
static void split_target(
    struct task *task, struct consumer *consumer, const struct source_spec *spec)
{
    struct status st;
    struct arena arena;
    struct kv_slice_info *slices;
    uint32_t slice_count, splits = 0;
    arena_init(&arena, NULL);
    struct span all = key_tenant_span(&arena, consumer->record->tenant);
    struct span source = key_tenant_span(&arena, consumer->record->source_tenant);
    TRY(kv_slices(task, &arena, &slices, &slice_count));
    // Not those that are for data with another zone: it would be brought back from there.
    uint32_t plain = 0;
    for (uint32_t i = 0; i < slice_count; i++)
        if (slices[i].zone == 0) slices[plain++] = slices[i];
    slice_count = plain;
    uint32_t wanted = 0;
    for (uint32_t i = 0; i < spec->count && spec->count > 1; i++) wanted += spec->partitions[i].span_count;
    if (wanted > 0)
        TRY(job_update(task, consumer->job, consumer->job->progress, -1,
            arena_printf(&arena, REPL_SPLITTING " %u initial splits based on the source cluster's topology",
                wanted < SPLITS_MAX ? wanted : SPLITS_MAX)));
    for (uint32_t i = 0; i < spec->count && spec->count > 1; i++) {
        for (uint32_t j = 0; j < spec->partitions[i].span_count && splits < SPLITS_MAX; j++) {
            struct bytes start = spec->partitions[i].spans[j].start;
            if (!span_contains(source, start)) continue;
            start = key_rewrite_tenant(&arena, start, consumer->record->tenant);
            if (bytes_compare(start, all.start) > 0) TRY(kv_split(task, start));
            splits++;
        }
    }
    if (splits == 0 || slice_count == 0) goto out;
    struct kv_range *ranges;
    uint32_t count;
    TRY(kv_ranges(task, all, &arena, &ranges, &count));
    for (uint32_t i = 0; i < count; i++) {
        uint64_t slice = slices[i % slice_count].id;
        if (ranges[i].slice != slice) TRY(kv_move_empty(task, ranges[i].span, slice));
    }
out:
    // How data is spread decides about speed only.
    if (failed(st))
        log_warning(TENANT_SYSTEM, "ranges of virtual cluster %s were not spread: %s",
            consumer->record->tenant_name, st.message);
    arena_fini(&arena);
}

// --- plans -------------------------------------------------------------------------------------------

void flow_plan_end(struct consumer *consumer)
{
    if (!consumer->planned) return;
    consumer->planned = false;
    consumer->partitions = NULL;
    consumer->partition_count = 0;
    frontier_fini(&consumer->progress.frontier);
    consumer->progress = (struct progress){0};
    arena_fini(&consumer->plan_arena);
}

static struct status plan_make(
    struct task *task, struct consumer *consumer, const struct source_spec *spec)
{
    struct status st;
    struct consumer_record *record = consumer->record;
    arena_init(&consumer->plan_arena, NULL);
    struct span all = key_tenant_span(&consumer->plan_arena, record->source_tenant);
    st = progress_decode(&consumer->plan_arena, record->partitions, all, &consumer->progress);
    if (failed(st)) {
        arena_fini(&consumer->plan_arena);
        return st;
    }
    consumer->planned = true;
    frontier_forward(&consumer->progress.frontier, all, record->replicated);
    addresses_take(consumer, spec);
    consumer->partitions = ARENA_ARRAY(&consumer->plan_arena, struct partition, spec->count);
    consumer->partition_count = spec->count;
    for (uint32_t i = 0; i < spec->count; i++)
        partition_fill(consumer, &consumer->partitions[i], &spec->partitions[i]);
    targets_assign(consumer);
    if (record->topology != 0 && record->topology != spec->topology) {
        metric_add(&metric_replans, 0, 1);
        covered("flow.replans");
    }
    record->topology = spec->topology;
    consumer->frontier = frontier_min(&consumer->progress.frontier);
    (void)task;
    return STATUS_OK;
}

struct status flow_plan(struct task *task, struct consumer *consumer, struct pgclient *client)
{
    struct status st;
    struct arena arena;
    struct source_spec spec;
    arena_init(&arena, NULL);
    TRY(source_spec(task, client, &arena, consumer->record->stream, &spec));
    if (consumer->record->topology == 0 && hlc_is_zero(consumer->record->replicated))
        split_target(task, consumer, &spec);
    TRY(plan_make(task, consumer, &spec));
    consumer->topology_ns = task_now_ns(task);
out:
    if (failed(st)) st = status_copy(task->arena, st);
    arena_fini(&arena);
    return st;
}

// How many of the slices are led by other nodes than the plan knows.
static uint32_t moved_leaders(const struct consumer *consumer, const struct source_spec *spec)
{
    uint32_t moved = 0;
    for (uint32_t i = 0; i < spec->count && i < consumer->partition_count; i++)
        moved += spec->partitions[i].node != 0 &&
                 spec->partitions[i].node != consumer->partitions[i].node;
    return moved;
}

struct status flow_plan_check(
    struct task *task, struct consumer *consumer, struct pgclient *client)
{
    struct status st;
    struct arena arena;
    struct source_spec spec;
    double threshold = settings_float(
        task->shard, TENANT_SYSTEM, "physical_replication.consumer.replan_flow_threshold");
    arena_init(&arena, NULL);
    TRY(source_spec(task, client, &arena, consumer->record->stream, &spec));
    addresses_take(consumer, &spec);
    bool moved = spec.topology != consumer->record->topology;
    bool leaders = threshold > 0 && moved_leaders(consumer, &spec) >
                                        threshold * (double)consumer->partition_count;
    if (moved || leaders || targets_idle(consumer)) {
        covered("flow.replan_asked");
        st = status_make(E_REPLAN, "the topology of a cluster has changed");
    }
    consumer->topology_ns = task_now_ns(task);
out:
    if (failed(st)) st = status_copy(task->arena, st);
    arena_fini(&arena);
    return st;
}

// How far the streams that run on the node are; HLC_MAX when none does.
static struct hlc_timestamp node_frontier(const struct consumer *consumer, uint32_t node)
{
    struct hlc_timestamp least = HLC_MAX;
    for (uint32_t i = 0; i < consumer->partition_count; i++) {
        const struct partition *partition = &consumer->partitions[i];
        if (partition->target.node != node) continue;
        for (uint32_t k = 0; k < partition->span_count; k++)
            least = hlc_min(
                least, frontier_min_of(&consumer->progress.frontier, partition->spans[k]));
    }
    return least;
}

struct status flow_plan_compare(struct task *task, const struct consumer *consumer)
{
    uint64_t threshold_ns = settings_duration_ns(
        task->shard, TENANT_SYSTEM, "physical_replication.consumer.node_lag_replanning_threshold");
    struct hlc_timestamp least = HLC_MAX, most = HLC_ZERO;
    if (threshold_ns == 0) return STATUS_OK;
    for (uint32_t i = 0; i < consumer->partition_count; i++) {
        struct hlc_timestamp at = node_frontier(consumer, consumer->partitions[i].target.node);
        if (hlc_is_zero(at)) return STATUS_OK; // Some are scanning: they differ by what they have to scan.
        least = hlc_min(least, at);
        most = hlc_max(most, at);
    }
    if (most.wall_ns <= least.wall_ns || most.wall_ns - least.wall_ns <= threshold_ns) return STATUS_OK;
    covered("flow.node_lags");
    return status_make(E_REPLAN, "a node of this cluster is far behind another");
}
