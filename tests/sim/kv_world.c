// SPDX-License-Identifier: GPL-3.0-or-later
#include "tests/sim/kv_world.h"

#include <inttypes.h>
#include <stdlib.h>

#include "core/invariant.h"
#include "core/reactor.h"

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

static struct status boot(struct task *task, void *arg)
{
    struct world_node *node = arg;
    struct kv_world *kv = (struct kv_world *)node->world;
    struct status st;
    bool runs = false;
    const struct kv_options options = {.dir = "/data/kv",
        .store = KV_STORE_MODEL,
        .slices_per_shard = kv->slices_per_shard,
        .log_segment_bytes = 2u << 20};
    TRY(kv_start(task, &options));
    runs = true;
    TRY(kv->options.serves(task, node, kv));
    struct shard_start start = {kv, node};
    node->serving = true;
    TRY(shard_call_all(task, shard_serves, &start));
    for (;;)
        TRY(task_sleep(task, 3600 * WORLD_SECOND)); // Until it is stopped.
out:
    task_cancel_clear(task);
    while (runs && node->tasks > 0) {
        if (failed(task_sleep(task, WORLD_MS))) task_cancel_clear(task);
    }
    if (runs) {
        struct status stopped = kv_stop(task);
        if (!failed(st)) st = stopped;
    }
    if (status_is(st, E_ADMIN_SHUTDOWN)) st = STATUS_OK;
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

// Calls `seen` for each replica that runs.
typedef void (*replica_fn)(struct kv_world *kv, struct world_node *node, struct slice *slice);

static void replicas_each(struct kv_world *kv, replica_fn seen)
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
        if (term->slice != id || term->term != slice->log.term) continue;
        if (term->node != node->id)
            sim_violation(kv->world.run,
                "slice %u has two leaders in term %" PRIu64 ": nodes %u and %u", id, term->term,
                term->node, node->id);
        return;
    }
    if (kv->term_count < KV_WORLD_TERMS_MAX)
        kv->terms[kv->term_count++] =
            (struct kv_world_term){id, node->id, slice->log.term};
}

static void look_at_replica(struct kv_world *kv, struct world_node *node, struct slice *slice)
{
    if (sim_node_paused(node->machine)) return; // It will ask its clock before it serves again.
    shard_self_set(slice->shard);
    bool serves = kv_world_may_serve(slice);
    shard_self_set(NULL);
    if (!serves) return;
    struct kv_world_slice *seen = &kv->slices[slice->id];
    if (kv->several) look_at_term(kv, node, slice);
    if (seen->server != 0 && seen->server != node->id) {
        sim_violation(kv->world.run, "slice %u is served by nodes %u and %u at once",
            (uint32_t)slice->id, seen->server, node->id);
        return;
    }
    if (seen->lost_at_ns != 0 && seen->server == 0) {
        sim_sample(kv->world.run, "leader lost until served again",
            sim_now_ns(kv->world.sim) - seen->lost_at_ns);
        seen->lost_at_ns = 0;
    }
    seen->server = node->id;
}

static void look(struct world *world)
{
    struct kv_world *kv = (struct kv_world *)world;
    for (uint32_t i = 1; i <= KV_WORLD_SLICES_MAX; i++)
        kv->slices[i].server = 0;
    replicas_each(kv, look_at_replica);
}
