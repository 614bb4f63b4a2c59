// SPDX-License-Identifier: GPL-3.0-or-later
//
// Virtual clusters side by side, under faults. The clients of each are on a machine of their own, and all that they name,
// write and ask for carries their canary: tables, keys, values, statements that fail and quote it. They also look at what
// lists sessions, statements, jobs, locks and ranges. On the servers others ask for keys of a virtual cluster in the name
// of another one.
//
// Checked   nothing that is sent to a machine has another virtual cluster's canary in it, no log line has any; a key that is
//           forged is refused with 42501 and nothing else, unless it cannot be served at all; every row is one's own; no
//           client is told of an internal error; a quota of memory, however tiny, is kept and felt by nobody else; when
//           the faults and the quotas are over everybody gets on. Limits of sessions: guests.h.
#include <inttypes.h>
#include <stdlib.h>

#include "core/hash.h"
#include "core/log.h"
#include "core/mark.h"
#include "kv/admin.h"
#include "kv/key.h"
#include "sql/exec/memory.h"
#include "sql/session/shard_state.h"
#include "sql/wire/pgclient.h"
#include "tenant/tenant.h"
#include "tests/sim/canary.h"
#include "tests/sim/guests.h"
#include "tests/sim/nemesis.h"
#include "tests/sim/server_node.h"

#define TENANTS 3u
#define CLIENTS_EACH 2u
#define SERVERS 0u // Cluster.
#define CLIENTS 1u
#define OPERATIONS_MAX 240u
#define KEYS 12u
#define FORGE_EVERY_NS (300 * WORLD_MS)
#define READY_WITHIN_NS (60 * WORLD_SECOND)
#define END_WITHIN_NS (60 * WORLD_SECOND)
#define SAY_NS (15 * WORLD_SECOND)
#define QUOTA_SETTING "sql.memory.virtual_cluster_max"
#define QUOTA_MIN_BYTES (UINT64_C(1) << 14)
#define QUOTA_SPREAD 7u // As many times twice that, at most.
// Of a statement until it first looks at the quota, and of a session that does nothing.
#define UNCHECKED_BYTES (UINT64_C(256) << 10)

static const char *const names[TENANTS] = {"ta", "tb", "tc"};
static const char *const canaries[TENANTS] = {"ta-canary", "tb-canary", "tc-canary"};

enum leak { LEAK_NONE, LEAK_ANSWER, LEAK_LOG }; // On purpose: to see that it is noticed.

struct tenants {
    struct world world; // First.
    enum leak leak;
    uint32_t operations, next; // In all.
    uint32_t ready;            // How many have their tables.
    bool healed;
    uint64_t done_after[TENANTS]; // Statements that succeeded once all was well.
    uint64_t ids[TENANTS];        // 0: not known yet.
    uint64_t quotas[TENANTS];     // Bytes on each shard; 0: none.
    bool quotas_over;
    struct guests *guests;
};

struct talker {
    struct tenants *tenants;
    uint32_t tenant, number;
    struct pgclient *client;
    struct pgclient_result result;
    struct sim_random random;
};

static struct tenants *tenants_of(struct world *world)
{
    return (struct tenants *)world;
}

static void hang_up(struct talker *talker)
{
    if (talker->client != NULL) pgclient_close(talker->client);
    talker->client = NULL;
}

// What others may not have is no reason to refuse anything.
static void check_quota(struct talker *talker, const char *cluster, struct status st)
{
    struct tenants *tenants = talker->tenants;
    const bool own = strcmp(cluster, names[talker->tenant]) == 0 && tenants->quotas[talker->tenant] > 0;
    if (strstr(st.message, "virtual cluster") == NULL) return; // The node's own memory.
    if (!own) sim_violation(tenants->world.run, "%s has no quota, and is told of one: %s", cluster, st.message);
    covered("sim.quota_reached");
    sim_count(tenants->world.run, "refused by a quota", 1);
}

static struct status say_to(struct task *task, struct talker *talker, const char *cluster, const char *sql)
{
    struct status st = STATUS_OK;
    struct world *world = &talker->tenants->world;
    struct pgclient_options options = {.connect_timeout_ns = 5 * WORLD_SECOND};
    task->deadline_ns = task_now_ns(task) + SAY_NS;
    if (talker->client == NULL) {
        const struct world_node *node = &world->nodes[sim_random_below(&talker->random, world->node_count - TENANTS)];
        TRY(pgclient_url_parse(task->arena,
            arena_printf(task->arena, "postgresql://root@%s:" SERVER_PORT "/defaultdb?sslmode=disable&options=-ccluster%%3D%s",
                sim_node_address(node->machine), cluster),
            &options));
        TRY(pgclient_connect(task, &options, &talker->client));
    }
    TRY(pgclient_collect(task, talker->client, task->arena, sql, &talker->result));
out:
    task->deadline_ns = UINT64_MAX;
    sim_tell(world->run, world->sim, SIM_AREA_WORK, 0, "%s %u says %s: %s", cluster, talker->number, sql, failed(st) ? st.message : "ok");
    char code[6];
    status_sqlstate(st, code);
    if (failed(st) && strncmp(code, "XX", 2) == 0)
        sim_violation(world->run, "a client of %s is told of an internal error: %s", cluster, st.message);
    if (status_is(st, E_OUT_OF_MEMORY)) check_quota(talker, cluster, st);
    return st;
}

static struct status say(struct task *task, struct talker *talker, const char *sql)
{
    return say_to(task, talker, names[talker->tenant], sql);
}

// --- what clients ask for --------------------------------------------------------------------------------

// Who else is here, and what they are at.
static const char *const curious[] = {"SHOW SESSIONS", "SHOW QUERIES", "SHOW JOBS", "SHOW TABLES", "SHOW DATABASES",
    "SELECT * FROM pg_catalog.pg_stat_activity", "SELECT * FROM pg_catalog.pg_locks", "SELECT * FROM pg_catalog.pg_class",
    "SELECT * FROM crdb_internal.cluster_queries", "SELECT * FROM crdb_internal.cluster_sessions",
    "SELECT * FROM crdb_internal.ranges",
    "SELECT * FROM crdb_internal.node_statement_statistics", "SELECT * FROM crdb_internal.statement_statistics",
    "SELECT * FROM crdb_internal.jobs", "SELECT * FROM crdb_internal.cluster_transactions",
    "SELECT * FROM information_schema.columns",
    "SELECT * FROM crdb_internal.tables", "SHOW CLUSTER SETTINGS", "SELECT * FROM system.jobs",
    "SHOW RANGES FROM TABLE mine"};

static const char *demand(struct task *task, struct talker *talker, uint32_t number)
{
    const char *own = canaries[talker->tenant];
    const uint64_t k = sim_random_below(&talker->random, KEYS);
    switch (sim_random_below(&talker->random, 13)) {
    case 0: // Is there already, mostly.
        return arena_printf(task->arena, "INSERT INTO mine VALUES ('%s k%" PRIu64 "', '%s v%u')", own, k, own, number);
    case 1:
    case 2: return arena_printf(task->arena, "UPSERT INTO mine VALUES ('%s k%" PRIu64 "', '%s v%u')", own, k, own, number);
    case 3: return arena_printf(task->arena, "UPDATE mine SET v = '%s bad' WHERE k = '%s k%" PRIu64 "'", own, own, k);
    case 4: return arena_printf(task->arena, "SELECT '%s %u'::INT", own, number);
    case 5: return arena_printf(task->arena, "SELECT * FROM \"%s %u\"", own, number);
    case 6: return arena_printf(task->arena, "SELECT v, 1 / (length(k) - length(k)) FROM mine WHERE k = '%s k%" PRIu64 "'", own, k);
    case 7: // Waits for others, or is waited for.
        return arena_printf(task->arena,
            "BEGIN; SELECT * FROM mine WHERE k = '%s k0' FOR UPDATE; SELECT pg_sleep(0.05), '%s'; COMMIT", own, own);
    case 8: return arena_printf(task->arena, "EXPLAIN ANALYZE SELECT * FROM mine WHERE v > '%s v1'", own);
    case 9: return "SELECT k, v FROM mine";
    case 10: // A job that says what it does.
        return arena_printf(task->arena, "%s INDEX IF %sEXISTS \"%s i\" %s", k % 2 == 0 ? "CREATE" : "DROP", k % 2 == 0 ? "NOT " : "",
            own, k % 2 == 0 ? "ON mine (v)" : "");
    default: return curious[sim_random_below(&talker->random, sizeof curious / sizeof curious[0])];
    }
}

static void check_rows(struct talker *talker)
{
    const char *own = canaries[talker->tenant];
    for (uint64_t i = 0; i < talker->result.row_count; i++) {
        const struct bytes value = pgclient_value(&talker->result, i, 1);
        if (value.size < strlen(own) || memcmp(value.data, own, strlen(own)) != 0)
            sim_violation(talker->tenants->world.run, "%s reads what it has not written: %.*s", names[talker->tenant],
                (int)value.size, (const char *)value.data);
    }
}

static void ask(struct task *task, struct talker *talker, uint32_t number)
{
    struct tenants *tenants = talker->tenants;
    const char *sql = demand(task, talker, number);
    struct status st = say(task, talker, sql);
    const bool sees = !failed(st) && strcmp(sql, "SELECT k, v FROM mine") == 0;
    if (sees) check_rows(talker);
    sim_count(tenants->world.run, failed(st) ? "refused" : "answered", 1);
    if (!failed(st) && tenants->healed) tenants->done_after[talker->tenant]++;
    // A transaction that failed has to be left, and so has a node that is gone.
    if (failed(st)) hang_up(talker);
}

static struct status talk_main(struct task *task, void *arg)
{
    struct talker *talker = arg;
    struct tenants *tenants = talker->tenants;
    while (!task->cancelled && (tenants->next < tenants->operations || tenants->done_after[talker->tenant] < 3)) {
        const uint32_t number = tenants->next < tenants->operations ? tenants->next++ : 0;
        struct arena_mark mark = arena_mark(task->arena);
        if (sim_keep(tenants->world.run, SIM_OPERATION, number)) ask(task, talker, number);
        arena_release(task->arena, mark);
        if (failed(task_sleep(task, sim_random_below(&talker->random, 200 * WORLD_MS)))) break;
    }
    hang_up(talker);
    return STATUS_OK;
}

static struct talker *talker_new(struct tenants *tenants, uint32_t tenant, uint64_t number)
{
    struct talker *talker = ARENA_NEW(&tenants->world.run->arena, struct talker);
    *talker = (struct talker){.tenants = tenants,
        .tenant = tenant,
        .number = (uint32_t)number,
        .random = sim_random_named(hash_combine(tenants->world.run->seed, number), names[tenant])};
    return talker;
}

static struct status patiently(struct task *task, struct talker *talker, const char *cluster, const char *sql)
{
    struct status st;
    while (failed(st = say_to(task, talker, cluster, sql))) {
        hang_up(talker);
        TRY(task_sleep(task, 200 * WORLD_MS));
    }
out:
    return st;
}

static struct status set_up(struct task *task, struct talker *talker)
{
    struct status st;
    const char *name = names[talker->tenant], *own = canaries[talker->tenant];
    TRY(patiently(task, talker, "system", arena_printf(task->arena, "CREATE VIRTUAL CLUSTER IF NOT EXISTS %s", name)));
    TRY(patiently(task, talker, "system", arena_printf(task->arena, "ALTER VIRTUAL CLUSTER %s START SERVICE SHARED", name)));
    TRY(patiently(task, talker, "system", arena_printf(task->arena, "ALTER VIRTUAL CLUSTER %s RESET CLUSTER SETTING " QUOTA_SETTING, name)));
    hang_up(talker);
    TRY(patiently(task, talker, name,
        arena_printf(task->arena, "CREATE TABLE IF NOT EXISTS mine (k TEXT PRIMARY KEY, v TEXT, CHECK (v <> '%s bad'))", own)));
    TRY(patiently(task, talker, name,
        arena_printf(task->arena, "UPSERT INTO mine SELECT '%s k' || i, '%s v' || i FROM generate_series(0, 5) i", own, own)));
out:
    hang_up(talker);
    return st;
}

// Known before it is said: from then on it may be told of.
static struct status quota_set(struct task *task, struct talker *talker)
{
    struct status st = STATUS_OK;
    struct tenants *tenants = talker->tenants;
    const uint64_t bytes = tenants->quotas[talker->tenant];
    if (bytes == 0 || tenants->quotas_over) return STATUS_OK;
    TRY(patiently(task, talker, "system",
        arena_printf(task->arena, "ALTER VIRTUAL CLUSTER %s SET CLUSTER SETTING " QUOTA_SETTING " = '%" PRIu64 " B'",
            names[talker->tenant], bytes)));
out:
    hang_up(talker);
    return st;
}

static struct status quota_end_main(struct task *task, void *arg)
{
    struct talker *talker = arg;
    struct status st = patiently(task, talker, "system",
        arena_printf(task->arena, "ALTER VIRTUAL CLUSTER %s RESET CLUSTER SETTING " QUOTA_SETTING, names[talker->tenant]));
    hang_up(talker);
    return st;
}

static void quotas_draw(struct tenants *tenants)
{
    struct sim_random random = sim_random_named(tenants->world.run->seed, "quotas");
    if (sim_random_below(&random, 2) == 0) return;
    for (uint32_t i = 0; i < TENANTS; i++) {
        if (sim_random_below(&random, 2) == 0)
            tenants->quotas[i] = QUOTA_MIN_BYTES << sim_random_below(&random, QUOTA_SPREAD + 1);
    }
}

// What the checkers must notice: a client that is not where it says, and a line that quotes a row.
static void leak(struct task *task, struct tenants *tenants, struct talker *talker)
{
    if (tenants->leak == LEAK_LOG) log_info(0, "a row: %s v1", canaries[0]);
    if (tenants->leak != LEAK_ANSWER || talker->tenant != 1) return;
    struct status st;
    while (failed(st = say_to(task, talker, names[0], "SELECT v FROM mine"))) {
        hang_up(talker);
        if (failed(task_sleep(task, 200 * WORLD_MS))) break;
    }
    hang_up(talker);
}

static struct status client_machine(struct task *task, struct world_node *node)
{
    struct status st;
    struct tenants *tenants = tenants_of(node->world);
    const uint32_t tenant = node->id - (node->world->node_count - TENANTS) - 1;
    struct talker *first = talker_new(tenants, tenant, 1000 * node->starts);
    TRY(set_up(task, first));
    TRY(guests_start(task, tenants->guests, node, tenant)); // A tiny quota would refuse even that.
    TRY(quota_set(task, first));
    tenants->ready |= 1u << tenant;
    node->serving = true;
    leak(task, tenants, first);
    for (uint32_t i = 0; i < CLIENTS_EACH; i++)
        world_spawn(node, 0, "sim-talker", talk_main, talker_new(tenants, tenant, 1000 * node->starts + i + 1));
    for (;;) TRY(task_sleep(task, 3600 * WORLD_SECOND));
out:
    return sim_node_stopping(node->machine) && status_is(st, E_ADMIN_SHUTDOWN) ? STATUS_OK : st;
}

// --- forged keys -----------------------------------------------------------------------------------------

static struct status ids_find(struct task *task, struct tenants *tenants)
{
    struct status st = STATUS_OK;
    for (uint32_t i = 0; i < TENANTS; i++) {
        struct tenant *tenant;
        if (tenants->ids[i] != 0) continue;
        TRY(tenant_read_by_name(task, NULL, task->arena, names[i], &tenant));
        if (tenant != NULL && tenant->data_state == TENANT_READY) tenants->ids[i] = tenant->id;
    }
out:
    return st;
}

static struct status forge(struct task *task, uint64_t own, uint64_t other, uint64_t draw)
{
    struct status st = STATUS_OK;
    const struct span span = key_tenant_span(task->arena, other);
    struct bytes value;
    struct kv_txn *txn = NULL;
    struct kv_export export = {.tenant = own, .span = span, .all = true};
    struct kv_version *versions;
    struct kv_scan scan;
    struct kv_batch batch;
    uint32_t count;
    const struct kv_txn_options options = {.tenant = own};
    if (draw % 5 == 4) {
        TRY(kv_now(task, own, &export.at));
        return kv_export_next(task, &export, task->arena, &versions, &count);
    }
    if (draw % 5 == 3) return kv_read_now(task, own, span.start, task->arena, &value);
    TRY(kv_txn_begin(task, &options, &txn));
    switch (draw % 5) {
    case 0: st = kv_get(task, txn, NULL, span.start, task->arena, &value); break;
    case 1: st = kv_put(task, txn, span.start, BYTES_LITERAL("forged")); break;
    default:
        kv_scan_init(&scan, span);
        st = kv_scan_next(task, txn, &scan, task->arena, &batch);
    }
    kv_txn_rollback(task, txn);
out:
    return st;
}

static struct status forge_main(struct task *task, void *arg)
{
    struct world_node *node = arg;
    struct tenants *tenants = tenants_of(node->world);
    struct sim_run *run = node->world->run;
    struct sim_random random = sim_random_named(hash_combine(run->seed, node->id * 100 + node->starts), "forge");
    while (!task->cancelled) {
        struct arena_mark mark = arena_mark(task->arena);
        const uint32_t own = (uint32_t)sim_random_below(&random, TENANTS);
        const uint32_t other = (own + 1 + (uint32_t)sim_random_below(&random, TENANTS - 1)) % TENANTS;
        task->deadline_ns = task_now_ns(task) + SAY_NS;
        struct status st = ids_find(task, tenants);
        if (!failed(st) && tenants->ids[own] != 0 && tenants->ids[other] != 0) {
            st = forge(task, tenants->ids[own], tenants->ids[other], sim_random_next(&random));
            if (!failed(st)) sim_violation(run, "a key of %s is served to %s", names[other], names[own]);
            if (status_is(st, E_INSUFFICIENT_PRIVILEGE)) {
                covered("sim.forged_key_refused");
                sim_count(run, "forged keys refused", 1);
            }
        }
        task->deadline_ns = UINT64_MAX;
        arena_release(task->arena, mark);
        if (failed(task_sleep(task, sim_random_below(&random, FORGE_EVERY_NS)))) break;
    }
    node->tasks--;
    return STATUS_OK;
}

static struct status serves(struct task *task, struct world_node *node)
{
    return server_node_spawn(task, node, forge_main, node, "sim-forger");
}

static struct status boot(struct task *task, void *arg)
{
    struct world_node *node = arg;
    static const struct server_node_options options = {.serves = serves};
    return node->cluster == SERVERS ? server_node_run(task, node, &options) : client_machine(task, node);
}

// --- quotas ----------------------------------------------------------------------------------------------

// On each shard a virtual cluster has no more than its quota, and what its statements take before they look at it.
static void look_at_quotas(struct tenants *tenants)
{
    for (uint32_t i = 0; i < tenants->world.node_count; i++) {
        const struct world_node *world_node = &tenants->world.nodes[i];
        const struct node *node = sim_node_running(world_node->machine);
        if (node == NULL || world_node->cluster != SERVERS || !world_node->serving) continue;
        for (uint32_t k = 0; k < node->shard_count * TENANTS; k++) {
            struct shard *shard = node->shards[k / TENANTS];
            const uint64_t id = tenants->ids[k % TENANTS];
            const struct tenant_memory *memory = id == 0 ? NULL : hashmap_get_u64(&sql_shard(shard)->memory, id);
            if (memory == NULL || memory->account.limit_bytes == 0) continue;
            const uint64_t most = memory->account.limit_bytes + 2 * CLIENTS_EACH * UNCHECKED_BYTES;
            if (memory->account.used_bytes > most)
                sim_violation(tenants->world.run, "%s has %" PRIu64 " bytes on a shard of node %u, its quota is %" PRIu64,
                    names[k % TENANTS], memory->account.used_bytes, world_node->id, memory->account.limit_bytes);
        }
    }
}

static void look(struct world *world)
{
    server_node_look(world);
    look_at_quotas(tenants_of(world));
}

// --- the story -------------------------------------------------------------------------------------------

static bool are_ready(void *arg)
{
    return ((struct tenants *)arg)->ready == (1u << TENANTS) - 1;
}

static bool all_is_done(void *arg)
{
    struct tenants *tenants = arg;
    return nemesis_is_over(&tenants->world) && tenants->next >= tenants->operations;
}

static bool get_on(void *arg)
{
    struct tenants *tenants = arg;
    for (uint32_t i = 0; i < TENANTS; i++) {
        if (tenants->done_after[i] < 3) return false;
    }
    return true;
}

static void rules_make(struct tenants *tenants)
{
    const struct world *world = &tenants->world;
    uint64_t servers = 0;
    for (uint32_t i = 0; i < world->node_count - TENANTS; i++) servers |= UINT64_C(1) << world->nodes[i].id;
    for (uint32_t i = 0; i < TENANTS; i++) {
        uint64_t own = UINT64_C(1) << world->nodes[world->node_count - TENANTS + i].id;
        uint64_t others = 0;
        for (uint32_t k = 0; k < TENANTS; k++) others |= UINT64_C(1) << world->nodes[world->node_count - TENANTS + k].id;
        canary_forbid(canaries[i], servers, others & ~own);
        canary_count(canaries[i], servers, own);
    }
}

// By their operators, from the machine of the clients.
static void quotas_end(struct tenants *tenants)
{
    struct world *world = &tenants->world;
    tenants->quotas_over = true;
    for (uint32_t i = 0; i < TENANTS; i++) {
        struct world_node *node = &world->nodes[world->node_count - TENANTS + i];
        if (tenants->quotas[i] > 0) world_spawn(node, 0, "sim-quota", quota_end_main, talker_new(tenants, i, 999));
    }
}

static void check_guests(struct tenants *tenants)
{
    struct world *world = &tenants->world;
    guests_end(tenants->guests);
    world_expect(world, "all guests go", guests_have_gone, tenants->guests, END_WITHIN_NS);
    if (!world->run->violated) guests_check(tenants->guests, &world->nodes[world->node_count - 1]);
    world_expect(world, "all guests that may come are let in", guests_are_over, tenants->guests, END_WITHIN_NS);
}

static void run_tenants(struct sim_run *run, enum leak leak)
{
    struct tenants *tenants = ARENA_NEW(&run->arena, struct tenants);
    struct sim_random random = sim_random_named(run->seed, "tenants");
    memset(tenants, 0, sizeof *tenants);
    tenants->leak = leak;
    tenants->operations = (uint32_t)sim_random_between(&random, OPERATIONS_MAX / 4, OPERATIONS_MAX);
    const struct world_options options = {.clusters = 2,
        .nodes_of = {sim_random_below(&random, 3) == 0 ? 3 : 1, TENANTS},
        .shards = (uint32_t)sim_random_between(&random, 1, 2),
        .fibers = 192,
        .max_offset_ns = 500 * WORLD_MS,
        .sim = {.bend = true, .watch = canary_watch},
        .boot = boot,
        .look = look};
    const struct nemesis_options faults = {.faults_max = 10, .gap_max_ns = 2 * WORLD_SECOND, .allowed = NEMESIS_ALL | NEMESIS_MEMORY};
    struct world *world = &tenants->world;
    server_node_register();
    canaries_begin(run);
    world_begin(world, run, &options);
    rules_make(tenants);
    if (leak == LEAK_NONE) quotas_draw(tenants);
    tenants->guests = guests_new(world, world->node_count - TENANTS, names, leak == LEAK_NONE ? TENANTS : 0);
    world_start_all(world);
    world_expect(world, "all virtual clusters serve", are_ready, tenants, READY_WITHIN_NS);
    if (leak == LEAK_NONE) nemesis_plan(world, &faults);
    if (!run->violated) world_run(world, all_is_done, tenants, 60 * WORLD_SECOND);
    world_heal(world);
    world_run(world, NULL, NULL, 2 * WORLD_SECOND);
    quotas_end(tenants);
    world_run(world, NULL, NULL, 2 * WORLD_SECOND);
    tenants->healed = true;
    world_expect(world, "the clients of all virtual clusters get on", get_on, tenants, END_WITHIN_NS);
    check_guests(tenants);
    for (uint32_t i = 0; i < TENANTS && !run->violated; i++) {
        if (canary_crossed(canaries[i]) == 0) sim_violation(run, "nothing of what %s reads was seen", names[i]);
    }
    if (!run->violated) world_stop(world);
    sim_note(world->sim, tenants->next);
    world_end(world);
    canaries_end();
}

SIM_SCENARIO(tenants, "virtual clusters side by side under faults: nobody is sent what is another's, no log line has contents of rows")
{
    run_tenants(run, LEAK_NONE);
}

SIM_SCENARIO_ON_REQUEST(driver_leaks_answer, "a client is sent what is another's")
{
    run_tenants(run, LEAK_ANSWER);
}

SIM_SCENARIO_ON_REQUEST(driver_leaks_log, "a log line with contents of rows")
{
    run_tenants(run, LEAK_LOG);
}
