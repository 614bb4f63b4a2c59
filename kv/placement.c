// SPDX-License-Identifier: GPL-3.0-or-later
#include "kv/placement.h"

#include <stdlib.h>

#include "core/invariant.h"
#include "core/hash.h"
#include "core/rest.h"
#include "core/log.h"
#include "core/metrics.h"
#include "core/rpc.h"
#include "kv/balance.h"
#include "kv/client.h"
#include "kv/entry.h"
#include "kv/maintenance.h"
#include "kv/placement_zones.h"
#include "kv/range.h"
#include "kv/slice_internal.h"
#include "kv/slice_list.h"

#define PASS_NS UINT64_C(1000000000)
#define PASS_SOON_NS UINT64_C(200000000) // After a step.
#define PASS_CALM_NS UINT64_C(8000000000) // Where nothing has changed in CALM_PASSES passes, nor changes.
#define CALM_PASSES 10u
#define STEP_NS UINT64_C(15000000000)
#define LIST_NS UINT64_C(3000000000)
#define STEPS_MAX 64u

static METRIC_DEFINE(metric_steps, "kv.placement.steps", METRIC_COUNTER, METRIC_COUNT, false,
    "Changes of members and leaders that were brought about");
static METRIC_DEFINE(metric_failures, "kv.placement.failures", METRIC_COUNTER, METRIC_COUNT, false,
    "Changes of members and leaders that failed, to be tried again");

static const uint8_t slice_key[] = {0x01, 's'};

struct silence {
    uint32_t node;
    uint64_t since_ns;
};

#define ANNOUNCE_RELOCATED 41u // The start of the range.

struct placement {
    struct task *task;
    bool stop;
    struct silence silent[CLUSTER_NODES_MAX];
    uint32_t silent_count;
    bool left_out;    // It was said that there are too many zones.
    bool listed_read; // `listed` has what is written down (kv/slice_list.h).
    uint64_t listed[KV_SLICES_MAX / 64 + 1]; // A bit for each slice.
    struct balance balance;
    struct slice_observer observer; // Of the meta slice.
    bool records_changed;           // Since the last pass.
    uint64_t seen;                  // Hash of what the node's tables said then.
    uint32_t calm;                  // Passes without news.
    uint64_t look_ns;               // When the next pass is due all the same.
};

void placement_dead_after_set(struct shard *shard, uint64_t dead_after_ns)
{
    struct kv_shard *kv = kv_shard_of(shard);
    if (kv != NULL) kv->dead_after_ns = dead_after_ns;
}

// --- looking -----------------------------------------------------------------------------------------------

// Since when the node is silent, by this node's own watch; 0: it is not.
static uint64_t silent_since(struct placement *placement, uint32_t node, bool alive, uint64_t now_ns)
{
    uint32_t at = 0;
    while (at < placement->silent_count && placement->silent[at].node != node)
        at++;
    if (alive) {
        if (at < placement->silent_count)
            placement->silent[at] = placement->silent[--placement->silent_count];
        return 0;
    }
    if (at == placement->silent_count) {
        if (at == CLUSTER_NODES_MAX) return 0;
        placement->silent[placement->silent_count++] =
            (struct silence){.node = node, .since_ns = now_ns};
    }
    return placement->silent[at].since_ns;
}

static void nodes_look(struct task *task, struct placement *placement, struct placement_view *view)
{
    uint32_t count;
    const struct cluster_node *nodes = cluster_nodes(task->shard, &count);
    uint64_t now_ns = task_now_ns(task);
    uint64_t dead_after_ns = kv_shard_of(task->shard)->dead_after_ns;
    if (dead_after_ns == 0) dead_after_ns = PLACEMENT_DEAD_AFTER_NS;
    view->nodes = ARENA_ARRAY(task->arena, struct placement_node, count + 1);
    view->node_count = 0;
    if (count == 0) // Storage without a cluster.
        view->nodes[view->node_count++] = (struct placement_node){.id = kv_node_id(task->shard->node),
            .shard_count = task->shard->node->shard_count,
            .alive = true,
            .locality = "",
            .attrs = ""};
    for (uint32_t i = 0; i < count; i++) {
        const struct cluster_node *node = &nodes[i];
        bool alive = cluster_alive(task->shard, node->id);
        uint64_t since_ns = silent_since(placement, node->id, alive, now_ns);
        bool leaving = node->membership != CLUSTER_ACTIVE;
        view->nodes[view->node_count++] = (struct placement_node){
            .id = node->id,
            .shard_count = node->shard_count == 0 ? 1 : node->shard_count,
            .alive = alive,
            .dead = since_ns != 0 && now_ns - since_ns > dead_after_ns,
            .draining = node->draining,
            .leaving = leaving,
            .full = maintenance_room_short(node->disk_bytes, node->disk_free_bytes),
            .locality = arena_string(task->arena, bytes_of_string(node->locality)),
            .attrs = arena_string(task->arena, bytes_of_string(node->attrs)),
        };
    }
}

static struct placement_slice *slice_get(struct placement_view *view, uint64_t id)
{
    for (uint32_t i = 0; i < view->slice_count; i++) {
        if (view->slices[i].id == id) return &view->slices[i];
    }
    struct placement_slice *slice = &view->slices[view->slice_count++];
    *slice = (struct placement_slice){.id = id};
    return slice;
}

struct told {
    struct kv_replica *replicas;
    uint32_t count;
};

// What the serving leaders say counts; a replica that no config names is one that was forgotten.
static void slices_look(
    struct task *task, struct placement_view *view, const struct told *told)
{
    uint32_t total = 0;
    for (uint32_t i = 0; i < view->node_count; i++)
        total += told[i].count;
    view->slices = ARENA_ARRAY(task->arena, struct placement_slice, total + 1);
    view->slice_count = 0;
    uint64_t *terms = ARENA_ARRAY(task->arena, uint64_t, total + 1);
    for (uint32_t i = 0; i < view->node_count; i++) {
        for (uint32_t k = 0; k < told[i].count; k++) {
            const struct kv_replica *replica = &told[i].replicas[k];
            struct placement_slice *slice = slice_get(view, replica->slice);
            uint64_t *term = &terms[slice - view->slices];
            if (replica->role != SLICE_SERVING) continue;
            if (slice->leader != 0 && *term >= replica->term) continue;
            *term = replica->term;
            slice->leader = view->nodes[i].id;
            slice->load = replica->load;
            slice->bytes = replica->bytes;
            slice->ranges = replica->ranges;
            slice->damaged = replica->damaged_member;
            slice->config = replica->config;
            slice->silent = replica->silent_members;
        }
    }
}

static struct status view_look(struct task *task, struct placement *placement,
    struct placement_zones *zones, struct placement_view *view)
{
    struct status st;
    TRY(zone_get_whole(task, ZONE_ROOT, &view->zone));
    TRY(zone_get(task, ZONE_META, &view->meta_zone));
    if (view->meta_zone.set != 0) zone_inherit(&view->meta_zone, &view->zone);
    TRY(placement_zones_read(task, &view->zone, zones));
    if (cluster_alone(task->shard) && zones->class_count == 0 && zones->labelled_count == 0) return STATUS_OK;
    nodes_look(task, placement, view);
    view->complete = true;
    struct told *told = ARENA_ARRAY(task->arena, struct told, view->node_count + 1);
    for (uint32_t i = 0; i < view->node_count; i++) {
        told[i] = (struct told){0};
        if (!view->nodes[i].alive) continue;
        uint64_t deadline_ns = task->deadline_ns;
        task->deadline_ns = task_now_ns(task) + LIST_NS;
        st = kv_replicas(
            task, view->nodes[i].id, task->arena, &told[i].replicas, &told[i].count);
        task->deadline_ns = deadline_ns;
        if (!failed(st)) continue;
        if (task->cancelled) return st;
        told[i].count = 0;
        view->complete = false;
        view->nodes[i].alive = false; // Nothing new goes there now.
    }
    slices_look(task, view, told);
    placement_zones_classes(zones, view);
    if (zones->left_out && !placement->left_out)
        log_warning(0, "placement: more than %u zones differ from the default: some data stays as the default has it",
            PLACEMENT_CLASSES_MAX);
    placement->left_out = zones->left_out;
    st = STATUS_OK;
out:
    return st;
}

// --- steps -------------------------------------------------------------------------------------------------

static struct status slice_create(struct task *task, const struct placement_view *view, uint32_t node,
    const struct placement_class *class, uint64_t *id)
{
    const struct raft_config config = {.count = 1, .members = {{.node = node}}};
    int64_t last = 0;
    uint64_t highest = 0;
    struct status st;
    for (uint32_t i = 0; i < view->slice_count; i++)
        highest = view->slices[i].id > highest ? view->slices[i].id : highest;
    TRY(kv_increment(task, 0, bytes_of(slice_key, sizeof slice_key), (int64_t)highest, 1, &last));
    if (last <= (int64_t)highest || last > (int64_t)KV_SLICES_MAX)
        return status_make(E_NOT_IN_PREREQUISITE_STATE, "no number is left for a slice");
    *id = (uint64_t)last;
    // Before anything can be put into it.
    if (class != NULL) TRY(zone_set(task, ZONE_OF_SLICE + *id, &class->own));
    TRY(kv_replica_create(task, node, *id, &config));
out:
    return st;
}

static struct status step_take(
    struct task *task, const struct placement_view *view, struct placement_step *step)
{
    const struct placement_slice *slice = NULL;
    struct status st = STATUS_OK;
    for (uint32_t i = 0; i < view->slice_count; i++) {
        if (view->slices[i].id == step->slice) slice = &view->slices[i];
    }
    const struct zone none = {0};
    if (step->kind == PLACEMENT_CREATE) return slice_create(task, view, step->node, step->class, &step->slice);
    if (step->kind == PLACEMENT_CLASS)
        return zone_set(task, ZONE_OF_SLICE + step->slice, step->class == NULL ? &none : &step->class->own);
    invariant(slice != NULL);
    switch (step->kind) {
    case PLACEMENT_ADD:
        TRY(kv_replica_create(task, step->node, step->slice, NULL));
        st = kv_replica_change(task, slice->leader, step->slice, RAFT_ADD_LEARNER, step->node);
        break;
    case PLACEMENT_PROMOTE:
        st = kv_replica_change(task, slice->leader, step->slice, RAFT_PROMOTE, step->node);
        break;
    case PLACEMENT_REMOVE:
        TRY(kv_replica_change(task, slice->leader, step->slice, RAFT_REMOVE, step->node));
        // A node that is down erases it when it comes back and hears that it is no member.
        if (cluster_alive(task->shard, step->node))
            st = kv_replica_destroy(task, step->node, step->slice, true);
        break;
    case PLACEMENT_TRANSFER:
        st = kv_replica_transfer(task, slice->leader, step->slice, step->node);
        break;
    case PLACEMENT_NOTHING:
    case PLACEMENT_CLASS:
    case PLACEMENT_CREATE: break;
    }
out:
    return st;
}

// Everybody can find out about each slice, also who has heard nothing.
static struct status slices_list(
    struct task *task, struct placement *placement, const struct placement_view *view)
{
    struct status st = STATUS_OK;
    if (!placement->listed_read) {
        uint64_t *slices;
        uint32_t count;
        TRY(slice_list_read(task, task->arena, &slices, &count));
        for (uint32_t i = 0; i < count; i++)
            placement->listed[slices[i] / 64] |= UINT64_C(1) << slices[i] % 64;
        placement->listed_read = true;
    }
    for (uint32_t i = 0; i < view->slice_count; i++) {
        const uint64_t id = view->slices[i].id, bit = UINT64_C(1) << id % 64;
        if (id > KV_SLICES_MAX || (placement->listed[id / 64] & bit) != 0) continue;
        TRY(slice_list_note(task, id));
        placement->listed[id / 64] |= bit;
    }
out:
    return st;
}

static const char *const kind_names[] = {"nothing", "add", "promote", "remove", "transfer", "create",
    "another zone for it,"};

static struct status pass(struct task *task, struct placement *placement, bool *busy)
{
    struct placement_view view = {0};
    struct placement_zones *zones = ARENA_NEW(task->arena, struct placement_zones);
    struct status st;
    TRY(view_look(task, placement, zones, &view));
    if (view.slice_count == 0) return STATUS_OK; // Alone, and without zones.
    st = slices_list(task, placement, &view);
    if (failed(st)) {
        if (task->cancelled) return st;
        // The disk of who leads the meta slice may be full: the steps take leadership elsewhere.
        log_warning(0, "placement: slices are not written down: %s", st.message);
        view.complete = false;
    }
    struct placement_step *steps = ARENA_ARRAY(task->arena, struct placement_step, STEPS_MAX);
    // The plan moves leaders in its table as it goes; the steps are asked of those that lead now.
    struct placement_view plan = view;
    plan.slices = ARENA_ARRAY(task->arena, struct placement_slice, view.slice_count + 1);
    if (view.slice_count > 0)
        memcpy(plan.slices, view.slices, view.slice_count * sizeof *plan.slices);
    uint32_t count = placement_plan(&plan, steps, STEPS_MAX);
    *busy = count > 0;
    for (uint32_t i = 0; i < count && !placement->stop; i++) {
        uint64_t deadline_ns = task->deadline_ns;
        task->deadline_ns = task_now_ns(task) + STEP_NS;
        st = step_take(task, &view, &steps[i]);
        task->deadline_ns = deadline_ns;
        if (failed(st) && task->cancelled) return st;
        metric_add(failed(st) ? &metric_failures : &metric_steps, 0, 1);
        // A learner that has not caught up yet is no news.
        if (failed(st) && steps[i].kind == PLACEMENT_PROMOTE &&
            status_is(st, E_NOT_IN_PREREQUISITE_STATE))
            continue;
        if (failed(st))
            log_warning(0, "placement: slice %llu, %s node %u: %s",
                (unsigned long long)steps[i].slice, kind_names[steps[i].kind], steps[i].node,
                st.message);
        else
            log_info(0, "placement: slice %llu, %s node %u", (unsigned long long)steps[i].slice,
                kind_names[steps[i].kind], steps[i].node);
    }
    st = STATUS_OK;
    if (!placement->stop && !task->cancelled) st = placement_zones_move(task, zones, &view, busy);
out:
    return st;
}

// --- rest --------------------------------------------------------------------------------------------------

// Whatever passes go by is in the meta slice or comes by gossip; the rest can wait a little. Nodes renew their own
// records all the time.
static void record_applied(
    struct slice_observer *observer, struct slice *slice, const struct entry_op *op, uint64_t index)
{
    struct placement *placement = container_of(observer, struct placement, observer);
    struct entry_items items;
    struct entry_item item;
    (void)slice;
    (void)index;
    if (op->kind == ENTRY_GC || placement->records_changed) return;
    placement->records_changed = op->kind != ENTRY_WRITES;
    entry_items_open(op, &items);
    while (op->kind == ENTRY_WRITES && !placement->records_changed && entry_item_next(&items, &item))
        placement->records_changed = !cluster_liveness_key(item.key);
}

static uint64_t tables_hash(struct shard *shard, bool *all_well)
{
    uint32_t count;
    const struct cluster_node *nodes = cluster_nodes(shard, &count);
    uint64_t hash = cluster_slices_hash(shard);
    for (uint32_t i = 0; i < count; i++) {
        const struct cluster_node *node = &nodes[i];
        bool full = maintenance_room_short(node->disk_bytes, node->disk_free_bytes);
        uint64_t state = (uint64_t)node->membership << 2 | (uint64_t)node->draining << 1 | full;
        *all_well = *all_well && (cluster_alive(shard, node->id) || node->membership == CLUSTER_DECOMMISSIONED);
        hash = hash_combine(hash_combine(hash, node->id), (uint64_t)node->started_at_ns);
        hash = hash_combine(hash_combine(hash, state), (uint64_t)node->replicas << 32 | node->ranges);
        hash = hash_combine(hash, node->shard_count);
        hash = hash_combine(hash, hash_bytes(bytes_of_string(node->locality)));
        hash = hash_combine(hash, hash_bytes(bytes_of_string(node->attrs)));
    }
    return hash;
}

// Whether a pass would find what the last one found.
static bool is_calm(struct task *task, struct placement *placement)
{
    bool all_well = true;
    uint64_t seen = tables_hash(task->shard, &all_well);
    bool same = seen == placement->seen && !placement->records_changed && all_well;
    placement->seen = seen;
    placement->calm = same ? placement->calm + 1 : 0;
    placement->records_changed = false;
    if (placement->calm > CALM_PASSES && task_now_ns(task) < placement->look_ns) return true;
    placement->look_ns = task_now_ns(task) + PASS_CALM_NS;
    return false;
}

// --- the task ----------------------------------------------------------------------------------------------

static struct status placement_task(struct task *task, void *arg)
{
    struct slice *slice = arg;
    struct placement *placement = slice->kv->module_state[KV_SLOT_PLACEMENT];
    struct status st = STATUS_OK;
    if (placement == NULL || placement->task != NULL) return STATUS_OK; // Stopped before it began.
    placement->task = task;
    placement->observer.applied = record_applied;
    slice_observer_add(slice, &placement->observer);
    while (!placement->stop) {
        bool busy = false;
        struct arena_mark mark = arena_mark(task->arena);
        if ((slice->kv->ranges_told || !cluster_alone(task->shard)) && !is_calm(task, placement)) {
            st = pass(task, placement, &busy);
            if (failed(st) && !task->cancelled) log_warning(0, "placement: %s", st.message);
            if (failed(st) || busy) placement->calm = 0;
        }
        if (!placement->stop && !task->cancelled) {
            st = balance_pass(task, &placement->balance, busy);
            if (failed(st) && !task->cancelled) log_info(0, "placement: ranges are not moved now: %s", st.message);
        }
        arena_release(task->arena, mark);
        if (placement->stop || task->cancelled) break;
        TRY(task_rest(task, busy ? PASS_SOON_NS : PASS_NS));
    }
out:
    if (slice->kv->module_state[KV_SLOT_PLACEMENT] == placement)
        slice->kv->module_state[KV_SLOT_PLACEMENT] = NULL;
    slice_observer_remove(slice, &placement->observer);
    free(placement);
    return st;
}

// Whoever leads the meta slice hears it; nobody else does anything about it.
static struct status rest_heard(struct task *task, struct bytes body)
{
    struct kv_shard *kv = kv_shard_of(task->shard);
    struct placement *placement = kv == NULL ? NULL : kv->module_state[KV_SLOT_PLACEMENT];
    if (placement != NULL) balance_rest(&placement->balance, body, task_now_ns(task) + BALANCE_RELOCATED_NS);
    return STATUS_OK;
}

static const struct cluster_announcement rest_announcement = {
    .id = ANNOUNCE_RELOCATED, .name = "a range that is to stay", .heard = rest_heard};

struct status placement_rest_tell(struct task *task, struct bytes start)
{
    return cluster_announce(task, ANNOUNCE_RELOCATED, start);
}

static struct status placement_leading(struct task *task, struct slice *slice)
{
    (void)task;
    if (slice->id != SLICE_META) return STATUS_OK;
    struct placement *placement = calloc(1, sizeof *placement);
    if (placement == NULL) return status_make(E_OUT_OF_MEMORY, "out of memory");
    slice->kv->module_state[KV_SLOT_PLACEMENT] = placement;
    struct status st =
        slice_task_start(slice, placement_task, "kv placement", TASK_SYSTEM);
    if (failed(st)) {
        slice->kv->module_state[KV_SLOT_PLACEMENT] = NULL;
        free(placement);
    }
    return st;
}

// Once it runs, the task frees what is its own.
static void placement_following(struct slice *slice)
{
    struct placement *placement = slice->kv->module_state[KV_SLOT_PLACEMENT];
    if (slice->id != SLICE_META || placement == NULL) return;
    slice->kv->module_state[KV_SLOT_PLACEMENT] = NULL;
    placement->stop = true;
    if (placement->task == NULL)
        free(placement);
    else
        task_cancel(placement->task, status_make(E_ADMIN_SHUTDOWN, "placement goes elsewhere"));
}

static struct status stop_here(struct task *task, void *arg)
{
    struct slice *slice = kv_slice_find(kv_shard_of(task->shard), SLICE_META);
    (void)arg;
    if (slice != NULL) placement_following(slice);
    return STATUS_OK;
}

static void placement_stopping(struct task *task, struct kv_node *node)
{
    struct status st = shard_call(
        task, kv_slice_shard(SLICE_META, node->node->shard_count), stop_here, NULL);
    if (failed(st)) log_warning(0, "stopping while replicas are placed: %s", st.message);
}

static struct status placement_started(struct task *task, struct kv_node *node)
{
    (void)task;
    (void)node;
    cluster_announcement_register(&rest_announcement);
    metric_register(&metric_steps);
    metric_register(&metric_failures);
    balance_metrics_register();
    return STATUS_OK;
}

const struct kv_module placement_module = {
    .name = "placement",
    .slot = KV_SLOT_PLACEMENT,
    .slice_leading = placement_leading,
    .slice_following = placement_following,
    .started = placement_started,
    .stopping = placement_stopping,
};
