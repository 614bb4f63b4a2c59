// SPDX-License-Identifier: GPL-3.0-or-later
//
// Scripted cases of virtual clusters.
#include "core/mark.h"
#include "kv/cluster.h"
#include "kv/key.h"
#include "kv/zone_span.h"
#include "sql/session/internal.h"
#include "sql/wire/pgclient.h"
#include "tenant/tenant.h"
#include "tests/sim/server_node.h"

#define ROUNDS 60u
#define SAY_NS (20 * WORLD_SECOND)

struct switching {
    struct world world; // First.
    uint64_t tenant;
    struct sim_random random;
    uint32_t running; // Tasks of the round.
    bool done;
};

static struct switching *switching_of(struct world_node *node)
{
    return (struct switching *)node->world;
}

static struct status start_main(struct task *task, void *arg)
{
    struct switching *switching = switching_of(arg);
    struct status st = tenant_start_service(task, switching->tenant);
    switching->running--;
    return failed(st) ? STATUS_OK : st; // It may be stopping just now.
}

static struct status stop_main(struct task *task, void *arg)
{
    struct switching *switching = switching_of(arg);
    struct status st = task_sleep(task, sim_random_below(&switching->random, 12 * WORLD_MS));
    if (!failed(st)) st = tenant_stop_service(task, switching->tenant);
    if (failed(st)) sim_violation(switching->world.run, "a service cannot be stopped: %s", st.message);
    switching->running--;
    return STATUS_OK;
}

static struct status round_once(struct task *task, struct world_node *node)
{
    struct switching *switching = switching_of(node);
    struct status st;
    struct tenant *tenant;
    switching->running = 2;
    world_spawn(node, 0, "sim-start", start_main, node);
    world_spawn(node, 0, "sim-stop", stop_main, node);
    while (switching->running > 0) TRY(task_sleep(task, 5 * WORLD_MS));
    TRY(tenant_read(task, NULL, task->arena, switching->tenant, &tenant));
    const bool served = tenant_lookup_id(task->shard, switching->tenant) != NULL;
    if (served != (tenant->service_mode == TENANT_SHARED))
        sim_violation(node->world->run, "a virtual cluster is %sserved and by its record is %s", served ? "" : "not ",
            served ? "not" : "to be");
out:
    return st;
}

static struct status switch_main(struct task *task, void *arg)
{
    struct world_node *node = arg;
    struct switching *switching = switching_of(node);
    struct status st = STATUS_OK;
    struct tenant *tenant;
    TRY(tenant_create(task, task->arena, "switched", 0, &tenant));
    switching->tenant = tenant->id;
    for (uint32_t i = 0; i < ROUNDS && !node->world->run->violated; i++) {
        struct arena_mark mark = arena_mark(task->arena);
        TRY(round_once(task, node));
        arena_release(task->arena, mark);
    }
out:
    if (failed(st)) sim_violation(node->world->run, "switching a service fails: %s", st.message);
    switching->done = true;
    node->tasks--;
    return STATUS_OK;
}

static struct status serves(struct task *task, struct world_node *node)
{
    return server_node_spawn(task, node, switch_main, node, "sim-switch");
}

static struct status boot(struct task *task, void *arg)
{
    static const struct server_node_options options = {.serves = serves};
    return server_node_run(task, arg, &options);
}

static bool is_done(void *arg)
{
    return ((struct switching *)arg)->done;
}

// Whether a node serves hangs on the record as it is at last, and not on who was told first.
SIM_CASE(tenant_service_switched, "a service that is stopped while a node begins to serve it is not served there afterwards")
{
    struct switching *switching = ARENA_NEW(&run->arena, struct switching);
    struct world *world = &switching->world;
    const struct world_options options = {.clusters = 1, .nodes = 1, .shards = 2, .max_offset_ns = 500 * WORLD_MS,
        .sim = {.bend = true}, .boot = boot, .look = server_node_look};
    memset(switching, 0, sizeof *switching);
    switching->random = sim_random_named(run->seed, "switching");
    server_node_register();
    world_begin(world, run, &options);
    world_start_all(world);
    world_expect(world, "all is switched", is_done, switching, 10 * SAY_NS);
    if (!run->violated) world_stop(world);
    world_end(world);
}

// --- a virtual cluster whose maker is gone -----------------------------------------------------------------

#define MAKER 2u // A node.

struct making {
    struct world world; // First.
    bool begun, made;
};

static struct status begin_main(struct task *task, void *arg)
{
    struct world_node *node = arg;
    struct making *making = (struct making *)node->world;
    struct tenant *tenant;
    while (!making->begun) {
        struct status st = tenant_create_record(task, task->arena, "half", &tenant);
        making->begun = !failed(st);
        if (failed(st) && failed(task_sleep(task, WORLD_SECOND))) break;
    }
    node->tasks--;
    return STATUS_OK;
}

static struct status make_main(struct task *task, void *arg)
{
    struct world_node *node = arg;
    struct making *making = (struct making *)node->world;
    struct tenant *tenant;
    while (!making->made) {
        making->made = making->begun && !failed(tenant_create(task, task->arena, "half", 0, &tenant));
        if (!making->made && failed(task_sleep(task, WORLD_SECOND))) break;
    }
    node->tasks--;
    return STATUS_OK;
}

static struct status making_serves(struct task *task, struct world_node *node)
{
    const struct making *making = (const struct making *)node->world;
    if (node->id == MAKER && making->begun) return STATUS_OK;
    return server_node_spawn(task, node, node->id == MAKER ? begin_main : make_main, node, "sim-make");
}

static struct status making_boot(struct task *task, void *arg)
{
    static const struct server_node_options options = {.serves = making_serves};
    return server_node_run(task, arg, &options);
}

static bool is_begun(void *arg)
{
    return ((struct making *)arg)->begun;
}

static bool is_made(void *arg)
{
    return ((struct making *)arg)->made;
}

// Otherwise nobody could take its name until a time has passed that is enough for whoever is slow.
SIM_CASE(tenant_maker_lost, "the name of a virtual cluster is free again soon after the node went down that was making it")
{
    struct making *making = ARENA_NEW(&run->arena, struct making);
    struct world *world = &making->world;
    const struct world_options options = {.clusters = 1, .nodes = 3, .shards = 1, .max_offset_ns = 500 * WORLD_MS,
        .boot = making_boot, .look = server_node_look};
    memset(making, 0, sizeof *making);
    server_node_register();
    world_begin(world, run, &options);
    world_start_all(world);
    world_expect(world, "it is begun", is_begun, making, 60 * WORLD_SECOND);
    struct world_node *maker = &world->nodes[MAKER - 1];
    maker->wanted = run->seed % 2 == 0;
    if (sim_node_running(maker->machine) != NULL) sim_node_crash(maker->machine);
    world_expect(world, "another one makes it", is_made, making, 30 * WORLD_SECOND);
    if (!run->violated) world_stop(world);
    world_end(world);
}

// --- zones that storage was not told of before a crash -------------------------------------------------------

#define TTL_BOUND_S 650u

struct zoned {
    struct world world; // First.
    uint64_t tenant;
    uint32_t writer; // A node.
    bool settled, written, told;
};

static struct status zones_say(struct task *task, struct pgclient *client, const char *sql)
{
    struct pgclient_result ignored;
    return pgclient_collect(task, client, task->arena, sql, &ignored);
}

static struct status zones_connect(struct task *task, struct world_node *node, struct pgclient **client)
{
    struct pgclient_options options = {.connect_timeout_ns = 3 * WORLD_SECOND};
    const char *url = arena_printf(task->arena,
        "postgresql://root@%s:" SERVER_PORT "/defaultdb?sslmode=disable&options=-ccluster=zoned",
        sim_node_address(node->machine));
    struct status st = pgclient_url_parse(task->arena, url, &options);
    return failed(st) ? st : pgclient_connect(task, &options, client);
}

// Bounds as GRANT CAPABILITY writes them before it tells storage of them, and a table, of which storage is told a moment
// after its statement.
static struct status zones_write(struct task *task, struct world_node *node)
{
    struct zoned *zoned = (struct zoned *)node->world;
    struct status st;
    struct tenant *tenant;
    struct pgclient *client = NULL;
    TRY(tenant_create(task, task->arena, "zoned", 0, &tenant));
    zoned->tenant = tenant->id;
    TRY(tenant_start_service(task, tenant->id));
    TRY(zones_connect(task, node, &client));
    TRY(zones_say(task, client, "ALTER DATABASE defaultdb CONFIGURE ZONE USING gc.ttlseconds = 7000"));
    struct datum params[] = {datum_int((int64_t)tenant->id),
        datum_text(arena_printf(task->arena, "{\"gcTtlSeconds\": {\"start\": 600, \"end\": %u}}", TTL_BOUND_S))};
    TRY(internal_query(task, TENANT_SYSTEM, NULL, task->arena, NULL,
        "INSERT INTO system.public.tenant_capabilities (tenant_id, name, value) VALUES ($1, 'span_config_bounds', $2)", 2,
        params, (type_oid[]){TYPE_INT8, TYPE_TEXT}));
    TRY(zones_say(task, client, "CREATE TABLE t (k INT PRIMARY KEY)"));
    zoned->written = true;
out:
    if (client != NULL) pgclient_close(client);
    return st;
}

static struct status zones_look(struct task *task, struct world_node *node)
{
    struct zoned *zoned = (struct zoned *)node->world;
    struct status st;
    struct zone_span *spans;
    uint32_t count;
    TRY(zone_spans_get(task, task->arena, key_tenant_span(task->arena, zoned->tenant), &spans, &count));
    zoned->told = count == 1 && spans[0].zone.ttl_ns == TTL_BOUND_S * WORLD_SECOND;
out:
    return st;
}

static struct status zones_main(struct task *task, void *arg)
{
    struct world_node *node = arg;
    struct zoned *zoned = (struct zoned *)node->world;
    struct status st = STATUS_OK;
    const struct world_node *writer = &zoned->world.nodes[zoned->writer - 1];
    while (!failed(st) && !zoned->settled) st = task_sleep(task, WORLD_SECOND);
    if (!failed(st) && !zoned->written && node == writer) st = zones_write(task, node);
    while (!failed(st) && !(zoned->written && (writer->starts > 1 || node != writer))) st = task_sleep(task, WORLD_SECOND);
    while (!failed(st) && !zoned->told) {
        st = zones_look(task, node);
        if (!failed(st)) st = task_sleep(task, WORLD_SECOND);
    }
    if (failed(st) && !task->cancelled) sim_violation(node->world->run, "zones cannot be looked at: %s", st.message);
    node->tasks--;
    return STATUS_OK;
}

static struct status zones_serve(struct task *task, struct world_node *node)
{
    return server_node_spawn(task, node, zones_main, node, "sim-zones");
}

static struct status zones_boot(struct task *task, void *arg)
{
    static const struct server_node_options options = {.serves = zones_serve};
    return server_node_run(task, arg, &options);
}

static bool zones_written(void *arg)
{
    return ((struct zoned *)arg)->written;
}

static bool zones_told(void *arg)
{
    return ((struct zoned *)arg)->told;
}

// Otherwise the next change of its schema would be the first to tell it.
SIM_CASE(tenant_zones_told_late, "what was said of zones just before a crash is told to storage after it")
{
    struct zoned *zoned = ARENA_NEW(&run->arena, struct zoned);
    struct world *world = &zoned->world;
    const struct world_options options = {.clusters = 1, .nodes = 1, .shards = 2, .max_offset_ns = 500 * WORLD_MS,
        .boot = zones_boot, .look = server_node_look};
    memset(zoned, 0, sizeof *zoned);
    zoned->writer = 1;
    zoned->settled = true;
    server_node_register();
    world_begin(world, run, &options);
    world_start_all(world);
    world_expect(world, "all is written", zones_written, zoned, 60 * WORLD_SECOND);
    sim_node_crash(world->nodes[0].machine);
    world_expect(world, "storage is told", zones_told, zoned, 60 * WORLD_SECOND);
    if (!run->violated) world_stop(world);
    world_end(world);
}

static bool zones_serving(void *arg)
{
    struct zoned *zoned = arg;
    for (uint32_t i = 0; i < zoned->world.node_count; i++)
        if (!world_node_serves(&zoned->world.nodes[i])) return false;
    return true;
}

// Each start looks, so: of the others long before.
SIM_CASE(tenant_zones_told_by_others, "what was said of zones by a node that never comes back is told to storage by those that are left")
{
    struct zoned *zoned = ARENA_NEW(&run->arena, struct zoned);
    struct world *world = &zoned->world;
    const struct world_options options = {.clusters = 1, .nodes = 3, .shards = 1, .max_offset_ns = 500 * WORLD_MS,
        .boot = zones_boot, .look = server_node_look};
    memset(zoned, 0, sizeof *zoned);
    zoned->writer = 1 + (uint32_t)(run->seed % 3);
    server_node_register();
    world_begin(world, run, &options);
    world_start_all(world);
    world_expect(world, "all serve", zones_serving, zoned, 60 * WORLD_SECOND);
    world_run(world, NULL, NULL, 30 * WORLD_SECOND);
    zoned->settled = true;
    world_expect(world, "all is written", zones_written, zoned, 60 * WORLD_SECOND);
    struct world_node *writer = &world->nodes[zoned->writer - 1];
    writer->wanted = false;
    sim_node_crash(writer->machine);
    world_expect(world, "storage is told", zones_told, zoned, 60 * WORLD_SECOND);
    if (!run->violated) world_stop(world);
    world_end(world);
}

// --- a node that was told nothing ----------------------------------------------------------------------------

#define MISSER 3u // A node.

struct missing {
    struct world world; // First.
    uint64_t tenant;
    bool paused, started, served; // Served by the node that was told nothing.
};

static struct status missing_main(struct task *task, void *arg)
{
    struct world_node *node = arg;
    struct missing *missing = (struct missing *)node->world;
    struct status st = STATUS_OK;
    struct tenant *tenant;
    while (!missing->served && !failed(st)) {
        struct arena_mark mark = arena_mark(task->arena);
        if (node->id == MISSER) {
            missing->served = missing->tenant != 0 && tenant_lookup_id(task->shard, missing->tenant) != NULL;
        } else if (node->id == 1 && missing->tenant == 0) {
            if (!failed(tenant_create(task, task->arena, "missed", 0, &tenant))) missing->tenant = tenant->id;
        } else if (node->id == 1 && missing->paused && !missing->started) {
            missing->started = !failed(tenant_start_service(task, missing->tenant));
        }
        arena_release(task->arena, mark);
        st = task_sleep(task, WORLD_SECOND);
    }
    node->tasks--;
    return STATUS_OK;
}

static struct status missing_serves(struct task *task, struct world_node *node)
{
    return server_node_spawn(task, node, missing_main, node, "sim-missing");
}

static struct status missing_boot(struct task *task, void *arg)
{
    static const struct server_node_options options = {.serves = missing_serves};
    return server_node_run(task, arg, &options);
}

static bool missing_is_made(void *arg)
{
    struct missing *missing = arg;
    return missing->tenant != 0 && world_node_serves(&missing->world.nodes[MISSER - 1]);
}

static bool missing_is_started(void *arg)
{
    return ((struct missing *)arg)->started;
}

static bool missing_look_failed(void *arg)
{
    (void)arg;
    return sim_reached("service.look_fails");
}

static bool missing_is_served(void *arg)
{
    return ((struct missing *)arg)->served;
}

// Its record has lapsed, so that nobody waits for it. What it cannot read when it is back it reads later.
SIM_CASE(tenant_service_missed, "a node that was away when a service was started serves it, though its first look at the records fails")
{
    struct missing *missing = ARENA_NEW(&run->arena, struct missing);
    struct world *world = &missing->world;
    const struct world_options options = {.clusters = 1, .nodes = 3, .shards = 1, .max_offset_ns = 500 * WORLD_MS,
        .boot = missing_boot, .look = server_node_look};
    memset(missing, 0, sizeof *missing);
    server_node_register();
    world_begin(world, run, &options);
    world_start_all(world);
    world_expect(world, "it is made", missing_is_made, missing, 60 * WORLD_SECOND);
    sim_node_pause(world->nodes[MISSER - 1].machine, 60 * WORLD_SECOND);
    missing->paused = true;
    marks_insist("service.look_fails");
    world_expect(world, "its service is started", missing_is_started, missing, 50 * WORLD_SECOND);
    world_expect(world, "the node to look at the records", missing_look_failed, missing, 60 * WORLD_SECOND);
    marks_insist(NULL);
    world_expect(world, "the node serves it", missing_is_served, missing, 60 * WORLD_SECOND);
    if (!run->violated) world_stop(world);
    world_end(world);
}
