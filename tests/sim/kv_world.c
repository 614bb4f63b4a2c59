// SPDX-License-Identifier: GPL-3.0-or-later
#include "tests/sim/kv_world.h"

#include <inttypes.h>
#include <stdlib.h>

#include "core/invariant.h"
#include "core/reactor.h"
#include "core/rpc.h"
#include "kv/cluster.h"
#include "kv/leader_wire.h"
#include "tests/sim/replica_check.h"
#include "tests/sim/store_pair.h"

// --- a node's life -------------------------------------------------------------------------------

struct shard_start {
    struct kv_world *kv;
    struct world_node *node;
};

static struct status shard_serves(struct task *task, void *arg)
{
    struct shard_start *start = arg;
    return start->kv->options.shard_serves(task, start->node, start->kv);
}

#define PORT ":26257"

// Who this node is: the first node makes the cluster, the others join it.
static struct status identify(
    struct task *task, struct world_node *node, struct kv_options *options)
{
    struct status st;
    char bound[64];
    const char *own = arena_printf(task->arena, "%s" PORT, sim_node_address(node->machine));
    const char *first =
        arena_printf(task->arena, "%s" PORT, sim_node_address(node->world->nodes[0].machine));
    const char *join[] = {first, NULL};
    enum cluster_start how;
    const struct rpc_options rpc = {.max_offset_ns = (int64_t)node->world->options.max_offset_ns, .version = node->version};
    const struct cluster_options cluster = {.dir = "/data",
        .address = own,
        .join = node->id == 1 ? NULL : join,
        .single = node->id == 1,
        .max_offset_ns = (int64_t)node->world->options.max_offset_ns};
    TRY(rpc_start(task, &rpc));
    TRY(rpc_listen(task, PORT, bound));
    TRY(cluster_start(task, &cluster, &how));
    options->identity.node_id = task->shard->node->id;
    memcpy(options->identity.cluster_id, cluster_id(task->shard->node),
        sizeof options->identity.cluster_id);
    options->max_offset_ns = node->world->options.max_offset_ns;
    options->joined = how == CLUSTER_JOINED;
out:
    return st;
}

static struct status boot(struct task *task, void *arg)
{
    struct world_node *node = arg;
    struct kv_world *kv = (struct kv_world *)node->world;
    struct status st;
    bool runs = false;
    struct kv_options options = {.dir = "/data/kv",
        .store = KV_STORE_MODEL,
        .store_open = store_pair_of(kv->world.run, STORE_PAIR_LONGEST),
        .slices_per_shard = kv->slices_per_shard,
        .log_segment_bytes = 2u << 20};
    if (kv->several) TRY(identify(task, node, &options));
    TRY(kv_start(task, &options));
    runs = true;
    if (kv->several) TRY(cluster_live(task));
    TRY(kv->options.serves(task, node, kv));
    struct shard_start start = {kv, node};
    node->serving = true;
    TRY(shard_call_all(task, shard_serves, &start));
    node->init = task;
    while (!node->leaves)
        TRY(task_sleep(task, 3600 * WORLD_SECOND)); // Until it is stopped.
out:
    node->init = NULL;
    task_cancel_clear(task);
    while (runs && node->tasks > 0) {
        if (failed(task_sleep(task, WORLD_MS))) task_cancel_clear(task);
    }
    struct status why = kv->several ? cluster_failure(task->shard->node) : STATUS_OK;
    if (failed(why)) st = why;
    if (runs && kv->several && node->leaves) cluster_leave(task);
    if (runs && kv->several) cluster_stop(task);
    if (runs) {
        struct status stopped = kv_stop(task);
        if (!failed(st)) st = stopped;
    }
    if (node->leaves) node_stop(task->shard->node);
    // Another node's shutdown is no reason to end.
    if (sim_node_stopping(node->machine) && status_is(st, E_ADMIN_SHUTDOWN)) st = STATUS_OK;
    return st;
}

static void went_down(struct world *world, struct world_node *node)
{
    struct kv_world *kv = (struct kv_world *)world;
    for (uint32_t slice = 1; slice <= KV_WORLD_SLICES_MAX; slice++) {
        if (kv->slices[slice].server != node->id) continue;
        kv->slices[slice].server = 0;
        if (kv->several && kv->slices[slice].lost_at_ns == 0)
            kv->slices[slice].lost_at_ns = sim_now_ns(world->sim);
    }
    if (kv->options.down != NULL) kv->options.down(kv, node);
}

// --- watching ------------------------------------------------------------------------------------

void kv_world_replicas_each(struct kv_world *kv, kv_world_replica_fn seen)
{
    for (uint32_t i = 0; i < kv->world.node_count; i++) {
        struct world_node *world_node = &kv->world.nodes[i];
        struct node *node = sim_node_running(world_node->machine);
        if (node == NULL) continue;
        for (uint32_t k = 0; k < node->shard_count; k++) {
            struct kv_shard *shard = kv_shard_of(node->shards[k]);
            if (shard == NULL || shard->slices == NULL) continue;
            for (uint32_t s = 0; s < shard->slice_count; s++) {
                if (shard->slices[s] != NULL && shard->slices[s]->id <= KV_WORLD_SLICES_MAX)
                    seen(kv, world_node, shard->slices[s]);
            }
        }
    }
}

static void look_at_term(struct kv_world *kv, struct world_node *node, struct slice *slice)
{
    uint32_t id = (uint32_t)slice->id;
    for (uint32_t i = 0; i < kv->term_count; i++) {
        struct kv_world_term *term = &kv->terms[i];
        if (term->slice != id || term->term != slice->log.raft.term) continue;
        if (term->node != node->id)
            sim_violation(kv->world.run,
                "slice %u has two leaders in term %" PRIu64 ": nodes %u and %u", id, term->term,
                term->node, node->id);
        return;
    }
    if (kv->term_count < KV_WORLD_TERMS_MAX)
        kv->terms[kv->term_count++] =
            (struct kv_world_term){id, node->id, slice->log.raft.term};
}

static void look_at_replica(struct kv_world *kv, struct world_node *node, struct slice *slice)
{
    if (sim_node_paused(node->machine)) return; // It will ask its clock before it serves again.
    shard_self_set(slice->shard);
    bool serves = kv_world_may_serve(slice);
    shard_self_set(NULL);
    struct kv_world_slice *seen = &kv->slices[slice->id];
    // One that nobody has asked since has no lease, and gets it with the first request.
    bool would = serves || (slice->role == SLICE_SERVING && slice->log.raft.quiet && !failed(slice->failed));
    if (would && seen->lost_at_ns != 0 && seen->server == 0) {
        sim_sample(kv->world.run, "leader lost until served again", sim_now_ns(kv->world.sim) - seen->lost_at_ns);
        seen->lost_at_ns = 0;
    }
    if (!serves) return;
    // Consensus hears of a new term before the slice is told, within a turn; the lease holds until then.
    if (kv->several && slice->log.raft.role == RAFT_LEADER) look_at_term(kv, node, slice);
    if (seen->server != 0 && seen->server != node->id) {
        sim_violation(kv->world.run, "slice %u is served by nodes %u and %u at once",
            (uint32_t)slice->id, seen->server, node->id);
        return;
    }
    seen->server = node->id;
}

static void look(struct world *world)
{
    struct kv_world *kv = (struct kv_world *)world;
    for (uint32_t i = 1; i <= KV_WORLD_SLICES_MAX; i++)
        kv->slices[i].server = 0;
    kv_world_replicas_each(kv, look_at_replica);
    if (kv->several) replica_check_look(kv);
    if (kv->options.look != NULL) kv->options.look(kv);
}

bool kv_world_may_serve(const struct slice *slice)
{
    return slice->role == SLICE_SERVING && !failed(slice_check(slice));
}

// --- for scenarios -------------------------------------------------------------------------------

void kv_world_register(void)
{
    static bool registered;
    if (registered) return;
    registered = true;
    cluster_register();
    leader_wire_register();
}

void kv_world_begin(struct kv_world *kv, struct sim_run *run, const struct kv_world_options *options)
{
    kv_world_register();
    struct sim_random random = sim_random_named(run->seed, "kv-world");
    memset(kv, 0, sizeof *kv);
    kv->options = *options;
    kv->several = options->nodes > 1;
    kv->arg = options->arg;
    kv->slices_per_shard = options->slices_per_shard != 0
                               ? options->slices_per_shard
                               : (uint32_t)sim_random_between(&random, 1, 3);
    const struct world_options world = {.clusters = 1,
        .nodes = options->nodes,
        .shards = options->shards != 0 ? options->shards
                                       : (uint32_t)sim_random_between(&random, 1, 2),
        .shards_vary = options->shards == 0 && sim_random_below(&random, 2) == 0,
        .max_offset_ns = 500 * WORLD_MS,
        .sim = {.bend = true},
        .fibers = options->fibers,
        .boot = options->boot != NULL ? options->boot : boot,
        .look = look,
        .down = went_down};
    world_begin(&kv->world, run, &world);
}

uint32_t kv_world_slices(struct task *task)
{
    return kv_node_of(task->shard->node)->slice_count;
}

struct world_node *kv_world_leader(struct kv_world *kv)
{
    uint32_t served[WORLD_NODES_MAX + 1] = {0}, best = 0;
    for (uint32_t i = 1; i <= KV_WORLD_SLICES_MAX; i++)
        served[kv->slices[i].server]++;
    for (uint32_t id = 1; id <= kv->world.node_count; id++) {
        if (served[id] > 0 && (best == 0 || served[id] > served[best])) best = id;
    }
    return best == 0 ? NULL : &kv->world.nodes[best - 1];
}

static uint32_t voters_now[KV_WORLD_SLICES_MAX + 1]; // Of the walk over replicas under way.

static void note_voters(struct kv_world *kv, struct world_node *node, struct slice *slice)
{
    (void)kv;
    (void)node;
    if (slice->role == SLICE_SERVING)
        voters_now[slice->id] = raft_config_voters(raft_log_config(&slice->log));
}

bool kv_world_replicated(
    struct kv_world *kv, const uint64_t *slices, uint32_t count, uint32_t voters)
{
    for (uint32_t i = 0; i < kv->world.node_count; i++) {
        if (!world_node_serves(&kv->world.nodes[i])) return false;
    }
    memset(voters_now, 0, sizeof voters_now);
    kv_world_replicas_each(kv, note_voters);
    for (uint32_t i = 0; i < count; i++) {
        if (voters_now[slices[i]] < voters) return false;
    }
    return true;
}

static uint32_t rot_node; // Of the walk over replicas under way.
static bool rot_allowed;

static void note_rot(struct kv_world *kv, struct world_node *node, struct slice *slice)
{
    const struct raft_config *config = raft_log_config(&slice->log);
    (void)kv;
    if (slice->role == SLICE_SERVING && raft_config_voters(config) < 3) rot_allowed = false;
    if (node->id != rot_node) return;
    // Its own store has to say that there are others.
    if (raft_config_voters(config) < 3 || slice->checkpoint_index < config->index || slice->log.raft.damaged)
        rot_allowed = false;
}

bool kv_world_may_rot(struct kv_world *kv, struct world_node *node)
{
    for (uint32_t i = 0; i < kv->world.node_count; i++) {
        if (!world_node_serves(&kv->world.nodes[i])) return false;
    }
    rot_node = node->id;
    rot_allowed = true;
    kv_world_replicas_each(kv, note_rot);
    return rot_allowed;
}

struct serving {
    struct kv_world *kv;
    bool exists[KV_WORLD_SLICES_MAX + 1];
    bool led[KV_WORLD_SLICES_MAX + 1]; // An idle slice's lease may have lapsed.
};
static struct serving *serving_now; // Of the walk over replicas under way.

static void note_exists(struct kv_world *kv, struct world_node *node, struct slice *slice)
{
    (void)kv;
    (void)node;
    serving_now->exists[slice->id] = true;
    if (slice->role == SLICE_SERVING) serving_now->led[slice->id] = true;
}

static bool all_served(void *arg)
{
    struct serving *serving = arg;
    uint32_t count = 0;
    for (uint32_t i = 0; i < serving->kv->world.node_count; i++) {
        if (!world_node_serves(&serving->kv->world.nodes[i])) return false;
    }
    serving_now = serving;
    memset(serving->led, 0, sizeof serving->led);
    memset(serving->exists, 0, sizeof serving->exists);
    kv_world_replicas_each(serving->kv, note_exists);
    for (uint32_t i = 1; i <= KV_WORLD_SLICES_MAX; i++) {
        if (!serving->exists[i]) continue;
        if (!serving->led[i]) return false;
        count++;
    }
    return count > 0;
}

void kv_world_expect_serving(struct kv_world *kv, uint64_t within_ns)
{
    struct serving serving = {.kv = kv};
    world_expect(&kv->world, "every slice is served and every node runs", all_served, &serving,
        within_ns);
}
