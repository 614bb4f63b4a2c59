// SPDX-License-Identifier: GPL-3.0-or-later
//
// How long the loss of a node is felt, and by whom: three nodes with three replicas of everything, clients that
// write to every slice from every node, and now and then the node that leads the most loses its power. Nothing else
// goes wrong, so that there is always a majority. Two hundred seeds are a thousand losses:
//
//     sim --scenario leader_loss --seeds 1..200
//
// Checked   every slice that the node led is served again within LOST_MAX.
// Printed   that time; what writes to other slices take in the seconds before a loss, and in those after it.
#include "core/hash.h"
#include "kv/client.h"
#include "kv/key.h"
#include "kv/router.h"
#include "tests/sim/kv_world.h"

#define TENANT 5u
#define GROUPS 6u
#define LOSSES 5u
#define LOST_MAX (20 * WORLD_SECOND)
#define WINDOW (4 * WORLD_SECOND) // Before a loss, and after it.
#define SAMPLED 60u               // One write in so many is told of.
#define THINK_NS (30 * WORLD_MS)

static const char before_name[] = "write before a loss";
static const char after_name[] = "write to another slice after a loss";
static const char lost_name[] = "write to the slice after the loss";

enum moment { QUIET, BEFORE, AFTER };

struct losses {
    struct kv_world kv;
    bool laid_out, stop;
    enum moment moment;
    uint32_t victim;               // Node.
    bool lost[GROUPS];             // The victim led the group's slice.
    uint64_t slice[GROUPS];
};
struct prober {
    struct losses *losses;
    struct world_node *node;
    uint32_t group;
};

static struct bytes group_key(struct arena *arena, uint32_t group)
{
    struct buffer key;
    buffer_init(&key, arena);
    key_append_tenant_prefix(&key, TENANT);
    buffer_append_u8(&key, (uint8_t)('a' + group));
    return buffer_bytes(&key);
}

static struct status lay_out(struct task *task, struct losses *losses)
{
    struct status st;
    uint32_t slices = kv_world_slices(task);
    TRY(kv_tenant_create(task, TENANT, 1));
    for (uint32_t i = 0; i < GROUPS; i++) {
        struct span span = {group_key(task->arena, i), group_key(task->arena, i + 1)};
        st = kv_move_empty(task, span, 1 + i % slices);
        if (!status_is(st, E_NOT_IN_PREREQUISITE_STATE)) TRY(st);
        losses->slice[i] = 1 + i % slices;
    }
    losses->laid_out = true;
    st = STATUS_OK;
out:
    return st;
}

static struct status write_once(struct task *task, uint32_t group, uint64_t value)
{
    struct status st;
    struct kv_txn *txn = NULL;
    TRY(kv_txn_begin(task, &(struct kv_txn_options){.tenant = TENANT}, &txn));
    TRY(kv_put(task, txn, group_key(task->arena, group), bytes_of(&value, sizeof value)));
    struct kv_txn *ending = txn;
    txn = NULL;
    TRY(kv_txn_commit(task, ending, NULL));
out:
    if (txn != NULL) kv_txn_rollback(task, txn);
    return st;
}

static void note(struct prober *prober, enum moment moment, bool lost, uint64_t ns)
{
    struct sim_run *run = prober->losses->kv.world.run;
    if (moment == QUIET || prober->node->id == prober->losses->victim) return;
    sim_sample(run, moment == BEFORE ? before_name : lost ? lost_name : after_name, ns);
}

static struct status prober_main(struct task *task, void *arg)
{
    struct prober *prober = arg;
    struct losses *losses = prober->losses;
    struct world *world = &losses->kv.world;
    struct sim_random random = sim_random_named(
        hash_combine(world->run->seed, prober->node->starts * 100 + prober->node->id * 10 + prober->group),
        "prober");
    while (!losses->stop && !task->cancelled) {
        struct arena_mark mark = arena_mark(task->arena);
        uint64_t began_ns = sim_now_ns(world->sim);
        enum moment moment = losses->moment;
        bool lost = losses->lost[prober->group];
        struct status st = write_once(task, prober->group, began_ns);
        for (; failed(st) && !task->cancelled; st = write_once(task, prober->group, began_ns)) {
            if (failed(task_sleep(task, WORLD_MS))) break;
        }
        // What was under way when the node was lost began before it, and counts as after it.
        if (losses->moment == AFTER && moment == BEFORE) {
            moment = AFTER;
            lost = losses->lost[prober->group];
        }
        if (!failed(st) && sim_random_below(&random, SAMPLED) == 0)
            note(prober, moment, lost, sim_now_ns(world->sim) - began_ns);
        arena_release(task->arena, mark);
        if (failed(task_sleep(task, sim_random_below(&random, THINK_NS)))) break;
    }
    prober->node->tasks--;
    return STATUS_OK;
}

static struct status node_serves(struct task *task, struct world_node *node, struct kv_world *kv)
{
    struct losses *losses = kv->arg;
    struct status st = STATUS_OK;
    if (node->id == 1 && !losses->laid_out) TRY(lay_out(task, losses));
    while (!losses->laid_out)
        TRY(task_sleep(task, 50 * WORLD_MS));
    for (uint32_t i = 0; i < GROUPS; i++) {
        struct prober *prober = ARENA_NEW(&kv->world.run->arena, struct prober);
        *prober = (struct prober){losses, node, i};
        TRY(task_start(task->shard,
            &(struct task_options){.fn = prober_main, .arg = prober, .kind = "sim-prober"}));
        node->tasks++;
    }
out:
    return st;
}

static struct status shard_serves(struct task *task, struct world_node *node, struct kv_world *kv)
{
    (void)task;
    (void)node;
    (void)kv;
    return STATUS_OK;
}

static bool is_ready(void *arg)
{
    struct losses *losses = arg;
    return losses->laid_out && kv_world_replicated(&losses->kv, losses->slice, GROUPS, 3);
}

static bool served_again(void *arg)
{
    struct losses *losses = arg;
    for (uint32_t i = 0; i < GROUPS; i++) {
        uint32_t server = losses->kv.slices[losses->slice[i]].server;
        if (losses->lost[i] && (server == 0 || server == losses->victim)) return false;
    }
    return true;
}

static void lose_one(struct losses *losses)
{
    struct world *world = &losses->kv.world;
    world_expect(world, "three replicas of everything", is_ready, losses, 120 * WORLD_SECOND);
    losses->moment = BEFORE;
    world_run(world, NULL, NULL, WINDOW);
    struct world_node *victim = kv_world_leader(&losses->kv);
    if (world->run->violated || victim == NULL) return;
    losses->victim = victim->id;
    for (uint32_t i = 0; i < GROUPS; i++)
        losses->lost[i] = losses->kv.slices[losses->slice[i]].server == victim->id;
    victim->wanted = false;
    losses->moment = AFTER;
    sim_node_crash(victim->machine);
    sim_count(world->run, "losses", 1);
    world_run(world, NULL, NULL, 10 * WORLD_MS); // It is noticed.
    world_expect(world, "the slices of a lost node are served again", served_again, losses, LOST_MAX);
    world_run(world, NULL, NULL, WINDOW);
    losses->moment = QUIET;
    losses->victim = 0;
    victim->wanted = true;
    world_run(world, NULL, NULL, 2 * WORLD_SECOND);
}

SIM_SCENARIO_ON_REQUEST(
    leader_loss, "how long the loss of a node is felt by its slices, and by others")
{
    struct losses *losses = ARENA_NEW(&run->arena, struct losses);
    memset(losses, 0, sizeof *losses);
    const struct kv_world_options options = {
        .nodes = 3, .shards = 1, .slices_per_shard = 3, .serves = node_serves, .shard_serves = shard_serves, .arg = losses};
    kv_world_begin(&losses->kv, run, &options);
    world_start_all(&losses->kv.world);
    for (uint32_t i = 0; i < LOSSES && !run->violated; i++)
        lose_one(losses);
    losses->stop = true;
    if (!run->violated) world_stop(&losses->kv.world);
    world_end(&losses->kv.world);
}
