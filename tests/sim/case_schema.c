// SPDX-License-Identifier: GPL-3.0-or-later
//
// Scripted cases of schema changes beside writers who rely on what they have cached of the table (kv/reliance.h).
#include "kv/cluster.h"
#include "sql/wire/pgclient.h"
#include "tests/sim/catalog_check.h"
#include "tests/sim/kv_world.h"
#include "tests/sim/server_node.h"

#define WRITERS 2u // A node's.
#define ROUNDS 6u
#define THINK_NS (300 * WORLD_MS)
#define PAUSE_NS (9 * WORLD_SECOND) // Longer than a node's record lasts.
#define WARM_NS (CLUSTER_CHANGE_NS + WORLD_SECOND) // Then all rely.
#define SAY_NS (60 * WORLD_SECOND)
#define HEAL_NS (300 * WORLD_SECOND) // The table grows, and a scan may take it a row at a time.

struct schema_run {
    struct kv_world kv; // First.
    bool laid_out, stop, changing;
    uint32_t next_key;
    uint32_t written[WORLD_NODES_MAX + 1]; // By node id: transactions.
    uint32_t changes, compared;
};

static struct schema_run *run_of(struct world *world)
{
    return (struct schema_run *)world;
}

static struct status connect_to(struct task *task, struct world_node *node, struct pgclient **client)
{
    struct pgclient_options options = {.connect_timeout_ns = 3 * WORLD_SECOND};
    const char *url = arena_printf(task->arena,
        "postgresql://root@%s:" SERVER_PORT "/defaultdb?sslmode=disable", sim_node_address(node->machine));
    struct status st = pgclient_url_parse(task->arena, url, &options);
    return failed(st) ? st : pgclient_connect(task, &options, client);
}

static struct status say(struct task *task, struct pgclient *client, const char *sql, struct pgclient_result *result)
{
    struct pgclient_result ignored;
    return pgclient_collect(task, client, task->arena, sql, result == NULL ? &ignored : result);
}

// --- writers ---------------------------------------------------------------------------------------------

static struct status write_once(struct task *task, struct world_node *node, struct pgclient *client)
{
    struct schema_run *schema = run_of(node->world);
    const uint32_t key = schema->next_key++;
    const char *insert = arena_printf(task->arena, "INSERT INTO t (k, v) VALUES (%u, %u)", key, key % 7);
    const char *update = arena_printf(task->arena, "UPDATE t SET v = v + 1 WHERE k = %u", key / 2);
    struct status st = STATUS_OK;
    switch (key % 4) {
    case 0: // Its snapshot moves.
        TRY(say(task, client, "BEGIN ISOLATION LEVEL READ COMMITTED", NULL));
        TRY(say(task, client, insert, NULL));
        TRY(say(task, client, update, NULL));
        TRY(say(task, client, "COMMIT", NULL));
        break;
    case 1:
        TRY(say(task, client, "BEGIN", NULL));
        TRY(say(task, client, insert, NULL));
        TRY(task_sleep(task, THINK_NS));
        TRY(say(task, client, update, NULL));
        TRY(say(task, client, "COMMIT", NULL));
        break;
    default: TRY(say(task, client, insert, NULL)); break;
    }
    schema->written[node->id]++;
out:
    return st;
}

// --- changes ---------------------------------------------------------------------------------------------

static bool is_there(struct task *task, struct pgclient *client, const char *sql)
{
    struct pgclient_result result;
    struct status st = say(task, client, sql, &result);
    return !failed(st) && result.row_count == 1 && bytes_equal(pgclient_value(&result, 0, 0), BYTES_LITERAL("1"));
}

static struct status compare(struct task *task, struct schema_run *schema, struct pgclient *client)
{
    struct status st;
    struct pgclient_result result;
    TRY(say(task, client,
        "SELECT (SELECT count(*) FROM t@t_v WHERE v >= 0), (SELECT count(*) FROM t@t_pkey), "
        "(SELECT sum(v) FROM t@t_v WHERE v >= 0), (SELECT sum(v) FROM t@t_pkey)",
        &result));
    schema->compared++;
    for (uint32_t i = 0; i < 4; i += 2) {
        const struct bytes indexed = pgclient_value(&result, 0, i), stored = pgclient_value(&result, 0, i + 1);
        if (bytes_equal(indexed, stored)) continue;
        sim_violation(schema->kv.world.run, "an index that was made beside writers says %.*s, its table %.*s",
            (int)indexed.size, (const char *)indexed.data, (int)stored.size, (const char *)stored.data);
    }
out:
    return st;
}

static struct status change_once(struct task *task, struct schema_run *schema, struct pgclient *client)
{
    struct status st = STATUS_OK;
    if (!is_there(task, client, "SELECT count(*)::int FROM pg_indexes WHERE indexname = 't_v'"))
        TRY(say(task, client, "CREATE INDEX t_v ON t (v)", NULL));
    TRY(compare(task, schema, client));
    TRY(say(task, client, "DROP INDEX t_v", NULL));
    TRY(say(task, client, "ALTER TABLE t ADD COLUMN c INT NOT NULL DEFAULT 7", NULL));
    if (!is_there(task, client, "SELECT (count(*) = count(c))::int FROM t"))
        sim_violation(schema->kv.world.run, "a column without NULLs has some");
    TRY(say(task, client, "ALTER TABLE t DROP COLUMN c", NULL));
    schema->changes++;
out:
    return st;
}

// --- tasks -----------------------------------------------------------------------------------------------

// A connection that is used again and again until the run is over, and opened anew after each failure. `use` opens it
// when it has something to do.
static struct status worker_run(struct task *task, struct world_node *node,
    struct status (*use)(struct task *task, struct world_node *node, struct pgclient **client))
{
    const struct schema_run *schema = run_of(node->world);
    struct pgclient *client = NULL;
    while (!schema->stop && !task->cancelled) {
        struct arena_mark mark = arena_mark(task->arena);
        struct status st = use(task, node, &client);
        if (failed(st) && client != NULL) {
            pgclient_close(client);
            client = NULL;
        }
        arena_release(task->arena, mark);
        if (failed(task_sleep(task, THINK_NS))) break;
    }
    if (client != NULL) pgclient_close(client);
    node->tasks--;
    return STATUS_OK;
}

static struct status writer_use(struct task *task, struct world_node *node, struct pgclient **client)
{
    struct status st = STATUS_OK;
    if (!run_of(node->world)->laid_out) goto out;
    if (*client == NULL) TRY(connect_to(task, node, client));
    TRY(write_once(task, node, *client));
out:
    return st;
}

static struct status changer_use(struct task *task, struct world_node *node, struct pgclient **client)
{
    struct schema_run *schema = run_of(node->world);
    struct status st = STATUS_OK;
    if (*client == NULL) TRY(connect_to(task, node, client));
    if (!schema->laid_out) {
        TRY(say(task, *client, "CREATE TABLE IF NOT EXISTS t (k INT PRIMARY KEY, v INT NOT NULL)", NULL));
        schema->laid_out = true;
    } else if (schema->changing) {
        st = change_once(task, schema, *client);
        if (failed(st)) (void)say(task, *client, "ALTER TABLE t DROP COLUMN IF EXISTS c", NULL).code;
    }
out:
    return st;
}

static struct status writer_main(struct task *task, void *arg)
{
    return worker_run(task, arg, writer_use);
}

static struct status changer_main(struct task *task, void *arg)
{
    return worker_run(task, arg, changer_use);
}

// --- the case --------------------------------------------------------------------------------------------

static struct status serves(struct task *task, struct world_node *node)
{
    struct status st = STATUS_OK;
    for (uint32_t i = 0; i < WRITERS; i++) TRY(server_node_spawn(task, node, writer_main, node, "sim-writer"));
    if (node->id == 1) TRY(server_node_spawn(task, node, changer_main, node, "sim-changer"));
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

static void look(struct kv_world *kv)
{
    server_node_look(&kv->world);
    catalog_check_look(&kv->world);
}

static uint32_t goal;

static bool all_write(void *arg)
{
    const struct schema_run *schema = arg;
    for (uint32_t id = 1; id <= 3; id++) {
        if (schema->written[id] < 5) return false;
    }
    return true;
}

static bool has_compared(void *arg)
{
    return ((struct schema_run *)arg)->compared >= goal;
}

static void forget_written(struct schema_run *schema)
{
    memset(schema->written, 0, sizeof schema->written);
}

SIM_CASE(schema_beside_writers,
    "schema changes beside writers on all nodes, of which some are paused for longer than their records last, or crash")
{
    struct schema_run *schema = ARENA_NEW(&run->arena, struct schema_run);
    struct world *world = &schema->kv.world;
    struct sim_random random = sim_random_named(run->seed, "schema");
    const struct kv_world_options options = {.nodes = 3, .fibers = 256, .boot = boot, .look = look};
    memset(schema, 0, sizeof *schema);
    server_node_register();
    kv_world_begin(&schema->kv, run, &options);
    world_start_all(world);
    world_expect(world, "all write", all_write, schema, SAY_NS);
    world_run(world, NULL, NULL, WARM_NS); // Caches are warm, placement is at rest.
    schema->changing = true;
    goal = 2;
    world_expect(world, "an index is made", has_compared, schema, HEAL_NS);
    for (uint32_t round = 0; round < ROUNDS && !run->violated; round++) {
        struct world_node *node = &world->nodes[1 + sim_random_below(&random, 2)];
        world_run(world, NULL, NULL, sim_random_below(&random, 2 * WORLD_SECOND));
        if (sim_random_below(&random, 3) > 0) {
            sim_node_pause(node->machine, sim_random_between(&random, WORLD_SECOND, PAUSE_NS));
        } else if (sim_node_running(node->machine) != NULL) {
            sim_node_crash(node->machine);
        }
        goal = schema->compared + 1;
        world_expect(world, "an index is made meanwhile", has_compared, schema, HEAL_NS);
    }
    world_heal(world);
    forget_written(schema);
    if (!run->violated) world_expect(world, "all write again", all_write, schema, HEAL_NS);
    world_run(world, NULL, NULL, WARM_NS);
    goal = schema->compared + 2;
    if (!run->violated) world_expect(world, "indexes are made in the end", has_compared, schema, HEAL_NS);
    schema->stop = true;
    if (!run->violated) world_stop(world);
    sim_note(world->sim, schema->compared);
    world_end(world);
}
