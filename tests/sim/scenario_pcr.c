// SPDX-License-Identifier: GPL-3.0-or-later
//
// Two clusters, each with the whole server, and a virtual cluster that the second follows while both
// suffer; then a cutover at a random moment, to a random time, with the primary lost or not. At the
// end
//   - the standby holds at the cutover time exactly what the primary held then,
//   - nothing above it is left, the time lies between what was retained and what was replicated,
//   - the replicated time never went back,
//   - no row of another virtual cluster ever came over,
//   - and all of it ended in bounded time.
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "core/hash.h"
#include "core/reactor.h"
#include "kv/key.h"
#include "kv/kv_node.h"
#include "repl/consumer.h"
#include "repl/repl.h"
#include "sql/bootstrap.h"
#include "sql/pgclient.h"
#include "sql/pgwire.h"
#include "sql/register.h"
#include "sql/settings.h"
#include "tenant/tenant.h"
#include "tests/sim/nemesis.h"

#define MS WORLD_MS
#define SECOND WORLD_SECOND
#define SPANS 4u
#define ROWS 24u // A span.
#define PRIMARY 0u
#define STANDBY 1u
#define PORT "26257"
#define WITHIN (180 * SECOND)

enum step {
    STEP_CREATE,    // The standby is told to follow.
    STEP_REPLICATE, // The initial scan, and on.
    STEP_CUTOVER,   // It is told to take over.
    STEP_READY,     // It is about to.
    STEP_OVER,
};

struct pcr {
    struct world world; // First.
    struct nemesis_options nemesis;
    uint64_t source, target; // Tenants; 0: not there yet.
    uint32_t writes, writes_max;
    enum step step;
    bool operating; // An operator's task runs.
    bool lose_primary, back_in_time;
    uint64_t cutover_after_ns, replicating_at_ns;
    struct hlc_timestamp replicated, retained; // Highest seen.
    struct hlc_timestamp cutover;
    struct hlc_timestamp replicated_at_cutover, retained_at_cutover;
    bool measuring, measured[2];
    struct kv_fingerprint fingerprints[2];
    char uri[128];
};

static struct pcr *pcr_of(struct world *world)
{
    return (struct pcr *)world;
}

// --- keys and rows -------------------------------------------------------------------------------

static struct bytes row_key(struct arena *arena, uint64_t tenant, uint32_t span, uint32_t row)
{
    struct buffer key;
    buffer_init(&key, arena);
    key_append_tenant_prefix(&key, tenant);
    key_append_uvarint(&key, 1000 + span);
    if (row > 0) key_append_uvarint(&key, row);
    return buffer_bytes(&key);
}

// Every value says whose it is.
static struct bytes row_value(struct arena *arena, const char *owner, uint32_t number)
{
    return bytes_of_string(arena_printf(arena, "%s-canary %" PRIu32, owner, number));
}

static struct status write_some(
    struct task *task, uint64_t tenant, const char *owner, uint32_t number, uint64_t seed)
{
    struct status st;
    struct kv_txn *txn;
    struct sim_random random = sim_random_named(hash_combine(seed, number), "pcr/write");
    const struct kv_txn_options options = {.tenant = tenant};
    uint64_t rows = sim_random_between(&random, 1, 5);
    TRY(kv_txn_begin(task, &options, &txn));
    for (uint64_t i = 0; i < rows && !failed(st); i++) {
        struct bytes key = row_key(task->arena, tenant, (uint32_t)sim_random_below(&random, SPANS),
            (uint32_t)sim_random_between(&random, 1, ROWS));
        if (sim_random_below(&random, 4) == 0)
            st = kv_delete(task, txn, key);
        else
            st = kv_put(task, txn, key, row_value(task->arena, owner, number));
    }
    if (failed(st))
        kv_txn_rollback(task, txn);
    else
        st = kv_txn_commit(task, txn, NULL);
out:
    return st;
}

// --- what runs on the primary --------------------------------------------------------------------

static struct status spread(struct task *task, uint64_t tenant)
{
    struct status st = STATUS_OK;
    uint32_t slices = kv_node_of(task->shard->node)->slice_count;
    for (uint32_t i = 0; i < SPANS; i++) {
        struct span span = {
            row_key(task->arena, tenant, i, 0), row_key(task->arena, tenant, i + 1, 0)};
        st = kv_move_empty(task, span, 1 + i % slices);
        if (!status_is(st, E_NOT_IN_PREREQUISITE_STATE)) TRY(st);
        st = STATUS_OK;
    }
out:
    return st;
}

static struct status tenant_make(struct task *task, const char *name, uint64_t *id)
{
    struct status st;
    struct tenant *tenant;
    TRY(tenant_read_by_name(task, NULL, task->arena, name, &tenant));
    if (tenant == NULL) TRY(tenant_create(task, task->arena, name, 0, &tenant));
    *id = tenant->id;
out:
    return st;
}

static struct status write_loop(struct task *task, void *arg)
{
    struct world_node *node = arg;
    struct pcr *pcr = pcr_of(node->world);
    struct status st = STATUS_OK;
    while (!task->cancelled && pcr->writes < pcr->writes_max) {
        uint32_t number = ++pcr->writes;
        struct arena_mark mark = arena_mark(task->arena);
        if (sim_keep(node->world->run, SIM_OPERATION, number)) {
            st = write_some(task, pcr->source, "source", number, node->world->run->seed);
            sim_count(node->world->run, failed(st) ? "writes refused" : "writes", 1);
        }
        arena_release(task->arena, mark);
        st = task_sleep(task, hash_combine(node->world->run->seed, number) % (60 * MS));
    }
    node->tasks--;
    return STATUS_OK;
}

static struct status primary_serves(struct task *task, struct world_node *node)
{
    struct pcr *pcr = pcr_of(node->world);
    struct status st;
    uint64_t source, other;
    TRY(settings_store(task, TENANT_SYSTEM, "kv.rangefeed.enabled", "true"));
    TRY(settings_announce(task, TENANT_SYSTEM));
    TRY(tenant_make(task, "other", &other));
    TRY(tenant_make(task, "source", &source));
    if (pcr->source == 0) {
        TRY(spread(task, source));
        for (uint32_t i = 0; i < 10; i++)
            TRY(write_some(task, other, "other", i, node->world->run->seed));
        for (uint32_t i = 0; i < 20; i++)
            TRY(write_some(task, source, "source", UINT32_MAX - i, node->world->run->seed));
        pcr->source = source;
    }
    TRY(task_start(task->shard,
        &(struct task_options){.fn = write_loop, .arg = node, .kind = "sim-writer"}));
    node->tasks++;
out:
    return st;
}

// --- the operator of the standby -----------------------------------------------------------------

static struct status say(struct task *task, struct world_node *node, const char *sql)
{
    struct status st;
    struct pgclient *client = NULL;
    struct pgclient_options options;
    const char *url = arena_printf(task->arena, "postgresql://root@%s:" PORT "?sslmode=disable",
        sim_node_address(node->machine));
    memset(&options, 0, sizeof options);
    TRY(pgclient_url_parse(task->arena, url, &options));
    TRY(pgclient_connect(task, &options, &client));
    TRY(pgclient_query(task, client, sql, NULL));
out:
    if (client != NULL) pgclient_close(client);
    sim_tell(node->world->run, node->world->sim, "n%u %s: %s", node->id, sql,
        failed(st) ? st.message : "ok");
    return st;
}

static struct status create(struct task *task, struct world_node *node)
{
    struct pcr *pcr = pcr_of(node->world);
    struct status st;
    struct tenant *tenant;
    TRY(tenant_read_by_name(task, NULL, task->arena, "target", &tenant));
    if (tenant == NULL || tenant->replication_job == 0) {
        TRY(say(task, node,
            arena_printf(task->arena, "CREATE VIRTUAL CLUSTER target FROM REPLICATION OF source ON '%s'",
                pcr->uri)));
        TRY(tenant_read_by_name(task, NULL, task->arena, "target", &tenant));
    }
    if (tenant == NULL) return STATUS_OK;
    pcr->target = tenant->id;
    pcr->step = STEP_REPLICATE;
out:
    return st;
}

// Looks how far the job is: neither time goes back.
static struct status watch(struct task *task, struct world_node *node, struct tenant **tenant)
{
    struct pcr *pcr = pcr_of(node->world);
    struct sim_run *run = node->world->run;
    struct status st;
    struct consumer_live live;
    TRY(tenant_read(task, NULL, task->arena, pcr->target, tenant));
    if (*tenant == NULL) {
        sim_violation(run, "the virtual cluster that follows is gone");
        goto out;
    }
    if ((*tenant)->replication_job == 0) goto out;
    TRY(consumer_live(task, (*tenant)->replication_job, &live));
    if (!live.running) goto out;
    // What a job that was just started knows is its record, which may be a little older than what it knew before.
    if (hlc_less(pcr->replicated, live.replicated)) pcr->replicated = live.replicated;
    if (hlc_less(pcr->retained, live.retained)) pcr->retained = live.retained;
    if (!hlc_is_zero(live.replicated) && hlc_less(live.replicated, live.retained))
        sim_violation(run, "the retained time is above the replicated time");
out:
    return st;
}

static struct status ask_cutover(struct task *task, struct world_node *node)
{
    struct pcr *pcr = pcr_of(node->world);
    struct status st;
    struct tenant *tenant;
    const char *to = "LATEST";
    TRY(watch(task, node, &tenant));
    if (tenant == NULL || tenant->data_state == TENANT_READY) goto out;
    if (pcr->back_in_time && hlc_less(pcr->retained, pcr->replicated)) {
        struct sim_random random = sim_random_named(node->world->run->seed, "pcr/time");
        struct hlc_timestamp at = pcr->replicated;
        char text[HLC_TEXT_BYTES];
        uint64_t back = sim_random_below(&random, 2 * SECOND);
        if (at.wall_ns - back > pcr->retained.wall_ns) at.wall_ns -= back;
        to = arena_printf(task->arena, "SYSTEM TIME '%s'", hlc_format(at, text));
    }
    st = say(task, node,
        arena_printf(task->arena, "ALTER VIRTUAL CLUSTER target COMPLETE REPLICATION TO %s", to));
    if (failed(st)) goto out; // Asked again.
    pcr->step = STEP_READY;
out:
    return st;
}

static struct status operate_once(struct task *task, struct world_node *node)
{
    struct pcr *pcr = pcr_of(node->world);
    struct tenant *tenant;
    struct status st = STATUS_OK;
    switch (pcr->step) {
    case STEP_CREATE: TRY(create(task, node)); break;
    case STEP_REPLICATE:
        TRY(watch(task, node, &tenant));
        if (!hlc_is_zero(pcr->replicated) && pcr->replicating_at_ns == 0)
            pcr->replicating_at_ns = sim_now_ns(node->world->sim);
        break;
    case STEP_CUTOVER: TRY(ask_cutover(task, node)); break;
    case STEP_READY:
        TRY(watch(task, node, &tenant));
        if (tenant == NULL || tenant->data_state != TENANT_READY) break;
        pcr->cutover = tenant->activation;
        pcr->step = STEP_OVER;
        break;
    case STEP_OVER: break;
    }
out:
    return st;
}

static struct status operator_loop(struct task *task, void *arg)
{
    struct world_node *node = arg;
    struct status st = STATUS_OK;
    while (!task->cancelled) {
        struct arena_mark mark = arena_mark(task->arena);
        st = operate_once(task, node);
        if (failed(st))
            sim_tell(node->world->run, node->world->sim, "n%u operator: %s", node->id, st.message);
        arena_release(task->arena, mark);
        st = task_sleep(task, 100 * MS);
    }
    node->tasks--;
    return STATUS_OK;
}

static struct status standby_serves(struct task *task, struct world_node *node)
{
    struct status st = task_start(task->shard,
        &(struct task_options){.fn = operator_loop, .arg = node, .kind = "sim-operator"});
    if (!failed(st)) node->tasks++;
    return st;
}

// --- a node's life -------------------------------------------------------------------------------

struct parts {
    bool kv, sql, wire, tenants;
};

static struct status parts_start(struct task *task, struct world_node *node, struct parts *parts)
{
    struct status st;
    bool done;
    char address[NET_ADDRESS_BYTES];
    const struct kv_options options = {
        .dir = "/data/kv", .store = KV_STORE_MODEL, .log_segment_bytes = 4u << 20};
    const struct pgwire_options wire = {.address = ":" PORT, .insecure = true};
    const struct bootstrap_options bootstrap = {0};
    (void)node;
    TRY(kv_start(task, &options));
    parts->kv = true;
    TRY(sql_node_start(task));
    parts->sql = true;
    TRY(kv_tenant_create(task, TENANT_SYSTEM, 0));
    TRY(bootstrap_done(task, TENANT_SYSTEM, &done));
    if (!done) TRY(bootstrap_tenant(task, TENANT_SYSTEM, &bootstrap));
    parts->tenants = true;
    TRY(tenant_node_start(task));
    TRY(pgwire_start(task, &wire, address));
    parts->wire = true;
out:
    return st;
}

static void first_failure(struct status *st, struct status then)
{
    if (!failed(*st)) *st = then;
}

static struct status boot(struct task *task, void *arg)
{
    struct world_node *node = arg;
    struct parts parts = {0};
    struct status st;
    TRY(parts_start(task, node, &parts));
    TRY(node->cluster == PRIMARY ? primary_serves(task, node) : standby_serves(task, node));
    node->serving = true;
    for (;;)
        TRY(task_sleep(task, 3600 * SECOND));
out:
    task_cancel_clear(task);
    while (node->tasks > 0) {
        if (failed(task_sleep(task, MS))) task_cancel_clear(task);
    }
    task->shard->node->draining = true;
    if (parts.wire) first_failure(&st, pgwire_drain(task, SECOND));
    if (parts.tenants) first_failure(&st, tenant_node_stop(task));
    if (parts.sql) first_failure(&st, sql_node_stop(task));
    if (parts.kv) first_failure(&st, kv_stop(task));
    if (status_is(st, E_ADMIN_SHUTDOWN)) st = STATUS_OK;
    return st;
}

// --- the end -------------------------------------------------------------------------------------

static struct status check_rows(struct task *task, struct pcr *pcr, uint64_t tenant)
{
    struct status st = STATUS_OK;
    static const char own[] = "source-canary ";
    struct kv_export export = {.tenant = tenant,
        .span = {row_key(task->arena, tenant, 0, 0), row_key(task->arena, tenant, SPANS, 0)},
        .all = true};
    TRY(kv_now(task, tenant, &export.at));
    while (!export.done) {
        struct kv_version *versions;
        uint32_t count;
        TRY(kv_export_next(task, &export, task->arena, &versions, &count));
        for (uint32_t i = 0; i < count; i++) {
            const struct kv_version *version = &versions[i];
            if (hlc_less(pcr->cutover, version->ts) && !pcr->world.healed)
                sim_violation(pcr->world.run, "a version above the cutover time is left");
            if (version->tombstone) continue;
            if (version->value.size < sizeof own - 1 ||
                memcmp(version->value.data, own, sizeof own - 1) != 0)
                sim_violation(pcr->world.run, "a row of another virtual cluster came over");
        }
    }
out:
    return st;
}

static struct status measure(struct task *task, void *arg)
{
    struct world_node *node = arg;
    struct pcr *pcr = pcr_of(node->world);
    struct status st;
    uint64_t tenant = node->cluster == PRIMARY ? pcr->source : pcr->target;
    struct span span = {
        row_key(task->arena, tenant, 0, 0), row_key(task->arena, tenant, SPANS, 0)};
    TRY(kv_fingerprint(
        task, tenant, span, pcr->cutover, &pcr->fingerprints[node->cluster]));
    TRY(check_rows(task, pcr, tenant));
    pcr->measured[node->cluster] = true;
out:
    if (failed(st))
        sim_violation(pcr->world.run, "cluster %u cannot be read at the cutover time: %s",
            node->cluster, st.message);
    pcr->measuring = false;
    return STATUS_OK;
}

static bool is_replicating(void *arg)
{
    return ((struct pcr *)arg)->replicating_at_ns != 0;
}

static bool is_over(void *arg)
{
    return ((struct pcr *)arg)->step == STEP_OVER;
}

static bool is_measured(void *arg)
{
    return !((struct pcr *)arg)->measuring;
}

static bool serve_both(void *arg)
{
    struct pcr *pcr = arg;
    for (uint32_t i = 0; i < pcr->world.node_count; i++) {
        if (!pcr->world.nodes[i].serving) return false;
    }
    return true;
}

static void compare(struct pcr *pcr)
{
    struct world *world = &pcr->world;
    for (uint32_t cluster = PRIMARY; cluster <= STANDBY && !world->run->violated; cluster++) {
        pcr->measuring = true;
        world_spawn(world_serving(world, cluster, 0), 0, "sim-measure", measure,
            world_serving(world, cluster, 0));
        world_expect(world, "a fingerprint is made", is_measured, pcr, 60 * SECOND);
    }
    if (world->run->violated) return;
    const struct kv_fingerprint *a = &pcr->fingerprints[PRIMARY], *b = &pcr->fingerprints[STANDBY];
    if (a->hash != b->hash || a->keys != b->keys || a->bytes != b->bytes)
        sim_violation(world->run,
            "fingerprints differ at the cutover time: %" PRIu64 " keys, %" PRIu64
            " bytes on the primary, %" PRIu64 " and %" PRIu64 " on the standby",
            a->keys, a->bytes, b->keys, b->bytes);
    if (hlc_less(pcr->cutover, pcr->retained_at_cutover))
        sim_violation(world->run, "the cutover time is below the retained time");
    sim_count(world->run, "cutovers", 1);
    sim_count(world->run, "keys compared", a->keys);
}

static void primary_lose(struct pcr *pcr)
{
    for (uint32_t i = 0; i < pcr->world.node_count; i++) {
        struct world_node *node = &pcr->world.nodes[i];
        if (node->cluster != PRIMARY) continue;
        node->wanted = false;
        if (sim_node_running(node->machine) != NULL) sim_node_crash(node->machine);
    }
    sim_tell(pcr->world.run, pcr->world.sim, "the primary is lost");
}

static void layers_register(void) // Once a process.
{
    static bool done;
    if (done) return;
    done = true;
    sql_register();
    tenant_register();
    repl_register();
}

static void run_pcr(struct sim_run *run, uint32_t nodes)
{
    struct pcr *pcr = ARENA_NEW(&run->arena, struct pcr);
    struct sim_random random = sim_random_named(run->seed, "pcr");
    struct world *world = &pcr->world;
    const struct world_options options = {.clusters = 2,
        .nodes = nodes,
        .shards = (uint32_t)sim_random_between(&random, 1, 2),
        .fibers = 256,
        .max_offset_ns = 500 * MS,
        .sim = {.bend = true},
        .boot = boot};
    world_begin(world, run, &options);
    layers_register();
    pcr->writes_max = (uint32_t)sim_random_between(&random, 20, 400);
    pcr->lose_primary = sim_random_below(&random, 2) == 0;
    pcr->back_in_time = sim_random_below(&random, 2) == 0;
    pcr->cutover_after_ns = sim_random_below(&random, 6 * SECOND);
    snprintf(pcr->uri, sizeof pcr->uri, "postgresql://root@%s:" PORT "?sslmode=disable",
        sim_node_address(world->nodes[0].machine));
    pcr->nemesis = (struct nemesis_options){
        .faults_max = 10, .gap_max_ns = 3 * SECOND, .allowed = NEMESIS_ALL};
    world_start_all(world);
    world_expect(world, "both clusters start", serve_both, pcr, 60 * SECOND);
    nemesis_plan(world, &pcr->nemesis);

    world_run(world, is_replicating, pcr, 60 * SECOND);
    if (pcr->replicating_at_ns == 0) { // The faults let it come to nothing: without them it must.
        world_heal(world);
        world_expect(world, "the initial scan ends", is_replicating, pcr, WITHIN);
    }
    world_run(world, NULL, NULL, pcr->cutover_after_ns);
    pcr->retained_at_cutover = pcr->retained;
    if (pcr->lose_primary) primary_lose(pcr);
    pcr->step = STEP_CUTOVER;
    bool over = world_run(world, is_over, pcr, 30 * SECOND);
    if (!run->violated && !over) {
        bool lost = pcr->lose_primary;
        world_heal(world);
        if (lost) primary_lose(pcr);
        world_expect(world, "the standby takes over", is_over, pcr, WITHIN);
    }
    if (!run->violated) {
        world_heal(world); // The primary, too, comes back: to be compared with.
        world_expect(world, "both clusters run", serve_both, pcr, 60 * SECOND);
    }
    if (!run->violated) compare(pcr);
    if (!run->violated) world_stop(world);
    sim_note(world->sim, pcr->fingerprints[STANDBY].hash);
    world_end(world);
}

SIM_SCENARIO(pcr, "a standby follows and takes over, under faults of both clusters")
{
    run_pcr(run, 1);
}
