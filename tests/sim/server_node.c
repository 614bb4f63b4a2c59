// SPDX-License-Identifier: GPL-3.0-or-later
#include "tests/sim/server_node.h"

#include "core/reactor.h"
#include "core/rpc.h"
#include "kv/cluster.h"
#include "kv/kv_node.h"
#include "repl/repl.h"
#include "sql/catalog/bootstrap.h"
#include "sql/exec/spill.h"
#include "sql/service/zone_object.h"
#include "sql/wire/pgwire.h"
#include "sql/session/register.h"
#include "tenant/tenant.h"
#include "tests/sim/kv_world.h"
#include "tests/sim/store_pair.h"

#define RPC_PORT "26258"

struct parts {
    bool kv, sql, wire, tenants, cluster;
};

static uint32_t nodes_of(const struct world *world, uint32_t cluster)
{
    uint32_t count = 0;
    for (uint32_t i = 0; i < world->node_count; i++)
        count += world->nodes[i].cluster == cluster;
    return count;
}

// Who this node is.
static struct status identify(
    struct task *task, struct world_node *node, struct kv_options *options, struct parts *parts)
{
    struct status st;
    struct world *world = node->world;
    char bound[NET_ADDRESS_BYTES];
    uint32_t first = 0;
    while (world->nodes[first].cluster != node->cluster) first++;
    const char *own = sim_node_address(node->machine);
    const char *join[] = {
        arena_printf(task->arena, "%s:" RPC_PORT, sim_node_address(world->nodes[first].machine)), NULL};
    enum cluster_start how;
    const struct rpc_options rpc = {.max_offset_ns = (int64_t)world->options.max_offset_ns, .version = node->version};
    const struct cluster_options cluster = {.dir = "/data",
        .address = arena_printf(task->arena, "%s:" RPC_PORT, own),
        .sql_address = arena_printf(task->arena, "%s:" SERVER_PORT, own),
        .join = node->id == first + 1 ? NULL : join,
        .single = node->id == first + 1,
        .max_offset_ns = (int64_t)world->options.max_offset_ns};
    TRY(rpc_start(task, &rpc));
    TRY(rpc_listen(task, ":" RPC_PORT, bound));
    TRY(cluster_start(task, &cluster, &how));
    parts->cluster = true;
    options->identity.node_id = task->shard->node->id;
    memcpy(options->identity.cluster_id, cluster_id(task->shard->node),
        sizeof options->identity.cluster_id);
    options->max_offset_ns = world->options.max_offset_ns;
    options->joined = how == CLUSTER_JOINED;
out:
    return st;
}

static struct status parts_start(struct task *task, struct world_node *node,
    const struct server_node_options *wanted, struct parts *parts)
{
    struct status st;
    bool done, several = nodes_of(node->world, node->cluster) > 1;
    char address[NET_ADDRESS_BYTES];
    struct kv_options options = {.dir = "/data/kv",
        .store = KV_STORE_MODEL,
        .store_open = store_pair_of(node->world->run, STORE_PAIR_LONGEST),
        .log_segment_bytes = 4u << 20,
        .slices_per_shard = wanted->slices_per_shard,
        .replicas = wanted->replicas};
    const struct pgwire_options wire = {.address = ":" SERVER_PORT, .insecure = true};
    const struct bootstrap_options bootstrap = {0};
    const struct spill_options spill = {.dir = "/data/temp"};
    if (several) TRY(identify(task, node, &options, parts));
    TRY(kv_start(task, &options));
    parts->kv = true;
    if (several) TRY(cluster_live(task));
    TRY(sql_node_start(task));
    parts->sql = true;
    TRY(spill_node_start(task, &spill));
    if (!several || kv_is_new(task->shard->node)) TRY(kv_tenant_create(task, TENANT_SYSTEM, 0));
    TRY(bootstrap_done(task, TENANT_SYSTEM, &done));
    if (!done) TRY(bootstrap_tenant(task, TENANT_SYSTEM, &bootstrap));
    parts->tenants = true;
    TRY(tenant_node_start(task));
    TRY(zone_objects_start(task));
    TRY(pgwire_start(task, &wire, address));
    parts->wire = true;
out:
    return st;
}

// As the server does: what cannot be stopped in order is left as it is, and so is all below it.
static struct status parts_stop(struct task *task, const struct parts *parts)
{
    struct status st = STATUS_OK;
    task->shard->node->draining = true;
    if (parts->wire) TRY(pgwire_drain(task, WORLD_SECOND));
    if (parts->tenants) TRY(tenant_node_stop(task));
    if (parts->tenants && parts->cluster) TRY(repl_node_stop(task));
    if (parts->sql) TRY(sql_node_stop(task));
    if (parts->cluster && parts->kv) cluster_leave(task);
    if (parts->kv) TRY(kv_stop(task));
    if (parts->cluster) cluster_stop(task);
out:
    return st;
}

struct status server_node_run(
    struct task *task, struct world_node *node, const struct server_node_options *options)
{
    struct parts parts = {0};
    struct status st;
    TRY(parts_start(task, node, options, &parts));
    TRY(options->serves(task, node));
    node->serving = true;
    node->init = task;
    while (!node->leaves)
        TRY(task_sleep(task, 3600 * WORLD_SECOND));
out:
    node->init = NULL;
    task_cancel_clear(task);
    while (node->tasks > 0) {
        if (failed(task_sleep(task, WORLD_MS))) task_cancel_clear(task);
    }
    struct status stopped = parts_stop(task, &parts);
    if (failed(stopped)) node->gave_up = true;
    if (!failed(st)) st = stopped;
    if (node->leaves) node_stop(task->shard->node);
    // Another node's shutdown is no reason to end.
    if (sim_node_stopping(node->machine) && status_is(st, E_ADMIN_SHUTDOWN)) st = STATUS_OK;
    return st;
}

void server_node_look(struct world *world)
{
    for (uint32_t i = 0; i < world->node_count; i++) {
        struct world_node *node = &world->nodes[i];
        if (!node->gave_up) continue;
        node->gave_up = false;
        if (sim_node_running(node->machine) != NULL) sim_node_kill(node->machine);
    }
}

struct status server_node_spawn(
    struct task *task, struct world_node *node, task_fn fn, void *arg, const char *kind)
{
    struct status st =
        task_start(task->shard, &(struct task_options){.fn = fn, .arg = arg, .kind = kind});
    if (!failed(st)) node->tasks++;
    return st;
}

void server_node_register(void)
{
    static bool done;
    if (done) return;
    done = true;
    sql_register();
    tenant_register();
    repl_register();
    kv_world_register();
}
