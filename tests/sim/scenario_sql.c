// SPDX-License-Identifier: GPL-3.0-or-later
//
// Whole servers under everything that can go wrong, while SQL clients work on them and change schemas:
// tests/sim/sql_clients.h, and what tests/sim/kv_world.h watches below them. At the end all jobs are over, and
// nobody holds a lock or has left a write behind.
#include <inttypes.h>

#include "tests/sim/catalog_check.h"
#include "tests/sim/kv_world.h"
#include "tests/sim/leftover_check.h"
#include "tests/sim/nemesis.h"
#include "tests/sim/replica_check.h"
#include "tests/sim/server_node.h"
#include "tests/sim/sql_clients.h"
#include "tests/sim/sql_oracle.h"

#define OPERATIONS_MAX 200u
#define UNITS_MAX 40u
#define HEAL_WITHIN (90 * WORLD_SECOND)

struct sql_run {
    struct kv_world kv; // First.
    struct sql_clients clients;
    struct sql_oracle oracle; // oracle.units 0: none is asked.
    bool finishing;
};

static struct sql_run *run_of(struct world *world)
{
    return (struct sql_run *)world;
}

static struct status serves(struct task *task, struct world_node *node)
{
    struct sql_clients *clients = &run_of(node->world)->clients;
    struct status st = STATUS_OK;
    if (node->id == 1) TRY(sql_clients_lay_out(task, node, clients));
    while (!clients->laid_out)
        TRY(task_sleep(task, 50 * WORLD_MS));
    TRY(sql_clients_start(task, node, clients, 2));
out:
    return st;
}

static struct status boot(struct task *task, void *arg)
{
    struct world_node *node = arg;
    const struct server_node_options options = {
        .slices_per_shard = run_of(node->world)->kv.slices_per_shard, .serves = serves};
    return server_node_run(task, node, &options);
}

static void node_down(struct kv_world *kv, struct world_node *node)
{
    workload_node_down(&run_of(&kv->world)->clients.work, node);
}

static void look(struct kv_world *kv)
{
    server_node_look(&kv->world);
    catalog_check_look(&kv->world);
}

static struct world_node *leader_node(struct world *world)
{
    return kv_world_leader(container_of(world, struct kv_world, world));
}

static bool work_is_done(void *arg)
{
    struct sql_run *sql = arg;
    return workload_is_done(&sql->clients.work) && (sql->oracle.units == 0 || sql_oracle_is_done(&sql->oracle));
}

static bool all_is_done(void *arg)
{
    return nemesis_is_over(&((struct sql_run *)arg)->kv.world) && work_is_done(arg);
}

static bool is_finished(void *arg)
{
    return !((struct sql_run *)arg)->finishing;
}

static struct status finish(struct task *task, void *arg)
{
    struct world_node *node = arg;
    struct sql_run *sql = run_of(node->world);
    struct status st = sql_clients_finish(task, node, &sql->clients);
    if (failed(st))
        sim_violation(node->world->run, "without faults reading fails: %s", st.message);
    sql->finishing = false;
    return STATUS_OK;
}

static void run_sql(struct sim_run *run, uint32_t nodes, uint32_t units, bool lies)
{
    struct sql_run *sql = ARENA_NEW(&run->arena, struct sql_run);
    struct sim_random random = sim_random_named(run->seed, "sql");
    const struct kv_world_options options = {
        .nodes = nodes, .fibers = 256, .boot = boot, .look = look, .down = node_down};
    const struct nemesis_options faults = {.faults_max = 12,
        .gap_max_ns = 2 * WORLD_SECOND,
        .allowed = NEMESIS_ALL | NEMESIS_MEMORY,
        .leader = leader_node};
    struct world *world = &sql->kv.world;
    server_node_register();
    memset(sql, 0, sizeof *sql);
    kv_world_begin(&sql->kv, run, &options);
    // Beside the oracle they are there to be in its way.
    sql_clients_init(&sql->clients, world, units > 0 ? (uint32_t)sim_random_below(&random, OPERATIONS_MAX / 8)
        : (uint32_t)sim_random_between(&random, OPERATIONS_MAX / 4, OPERATIONS_MAX));
    nemesis_plan(world, &faults);
    world_start_all(world);
    if (units > 0) sql_oracle_start(&sql->oracle, world, units, lies);
    world_run(world, all_is_done, sql, 90 * WORLD_SECOND);
    world_heal(world);
    world_expect(world, "all operations end", work_is_done, sql, units > 0 ? 4 * HEAL_WITHIN : HEAL_WITHIN);
    if (units > 0 && !run->violated) sql_oracle_stop(&sql->oracle);
    if (!run->violated) kv_world_expect_serving(&sql->kv, HEAL_WITHIN);
    sql->finishing = true;
    if (!run->violated) {
        struct world_node *node = world_serving(world, 0, run->seed);
        world_spawn(node, 0, "sim-finish", finish, node);
        world_expect(world, "the last reading ends", is_finished, sql, HEAL_WITHIN);
    }
    if (!run->violated) leftover_check(&sql->kv);
    if (!run->violated && sql->kv.several) replica_check_agree(&sql->kv, HEAL_WITHIN);
    sql_clients_check(&sql->clients, !sql->kv.several);
    if (!run->violated) world_stop(world);
    sim_note(world->sim, sql->clients.acknowledged);
    world_end(world);
}

SIM_SCENARIO(sql, "SQL clients of one node under faults: every answer, the sums, serializable histories")
{
    run_sql(run, 1, 0, false);
}

SIM_SCENARIO(sql_nodes, "the same on three nodes, and no two versions of a table in use")
{
    run_sql(run, 3, 0, false);
}

SIM_SCENARIO(sql_oracle, "free statements give what they give on one shard to which nothing happens")
{
    struct sim_random random = sim_random_named(run->seed, "oracle");
    uint32_t nodes = sim_random_below(&random, 3) == 0 ? 3 : 1;
    run_sql(run, nodes, (uint32_t)sim_random_between(&random, 8, UNITS_MAX), false);
}

SIM_SCENARIO_ON_REQUEST(sql_oracle_lies, "an answer that lacks a row")
{
    run_sql(run, 1, UNITS_MAX, true);
}

