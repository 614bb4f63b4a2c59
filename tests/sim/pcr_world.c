// SPDX-License-Identifier: GPL-3.0-or-later
#include "tests/sim/pcr_world.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "core/hash.h"
#include "core/mark.h"
#include "kv/key.h"
#include "kv/kv_node.h"
#include "repl/consumer.h"
#include "sql/wire/pgclient.h"
#include "sql/service/settings.h"
#include "tenant/tenant.h"
#include "tests/sim/canary.h"
#include "tests/sim/server_node.h"

#define MS WORLD_MS
#define SECOND WORLD_SECOND
#define SPANS 4u
#define SPANS_MAX 9u
#define ROWS 24u // A span.
#define PRIMARY PCR_PRIMARY
#define STANDBY PCR_STANDBY
#define PORT SERVER_PORT
#define ASK_NS (20 * SECOND) // For one thing that the operator asks for.

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

static struct status write_some(struct task *task, uint64_t tenant, const char *owner,
    uint32_t number, uint64_t seed, uint32_t spans)
{
    struct status st;
    struct kv_txn *txn;
    struct sim_random random = sim_random_named(hash_combine(seed, number), "pcr/write");
    const struct kv_txn_options options = {.tenant = tenant};
    uint64_t rows = sim_random_between(&random, 1, 5);
    TRY(kv_txn_begin(task, &options, &txn));
    for (uint64_t i = 0; i < rows && !failed(st); i++) {
        struct bytes key = row_key(task->arena, tenant, (uint32_t)sim_random_below(&random, spans),
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
    if (tenant != NULL && tenant->data_state != TENANT_READY) { // An attempt that failed half way.
        TRY(tenant_drop(task, tenant->id, false));
        tenant = NULL;
    }
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
    struct pcr_side *side = &pcr->sides[node->cluster];
    while (!task->cancelled) {
        if (side->tenant == 0 || pcr->writes >= side->writes_max) {
            st = task_sleep(task, 200 * MS);
            continue;
        }
        uint32_t number = ++pcr->writes;
        struct arena_mark mark = arena_mark(task->arena);
        if (sim_keep(node->world->run, SIM_OPERATION, number)) {
            task->deadline_ns = task_now_ns(task) + ASK_NS;
            side->wrote = true;
            side->writing |= UINT64_C(1) << node->id;
            st = write_some(
                task, side->tenant, "source", number, node->world->run->seed, pcr->spans);
            task->deadline_ns = UINT64_MAX;
            side->writing &= ~(UINT64_C(1) << node->id);
            sim_count(node->world->run, failed(st) ? "writes refused" : "writes", 1);
        }
        arena_release(task->arena, mark);
        st = task_sleep(task, hash_combine(node->world->run->seed, number) % pcr->write_every_ns);
    }
    node->tasks--;
    return STATUS_OK;
}

// As a client would: what lost a race is asked again.
static struct status written(struct task *task, uint64_t tenant, const char *owner, uint32_t number,
    uint64_t seed)
{
    struct status st;
    do {
        st = write_some(task, tenant, owner, number, seed, SPANS);
    } while (status_is(st, E_SERIALIZATION_FAILURE));
    return st;
}

// A span with rows goes to another slice, with what it holds: of what is written there, or of what is received.
static struct status move_held(struct task *task, struct world_node *node, struct pcr *pcr, uint32_t cluster)
{
    struct status st = STATUS_OK;
    struct sim_random random =
        sim_random_named(hash_combine(node->world->run->seed, pcr->moves++), "pcr/held");
    struct kv_slice_info *slices;
    uint32_t slice_count;
    const uint64_t tenant = pcr->sides[cluster].tenant;
    if (tenant == 0 || pcr->spans == 0) return STATUS_OK;
    const uint32_t at = (uint32_t)sim_random_below(&random, pcr->spans);
    const struct span span = {
        row_key(task->arena, tenant, at, 0), row_key(task->arena, tenant, at + 1, 0)};
    TRY(kv_slices(task, task->arena, &slices, &slice_count));
    TRY(kv_move(task, span, slices[sim_random_below(&random, slice_count)].id));
    covered("sim.pcr_range_moved");
    sim_count(node->world->run, cluster == PRIMARY ? "ranges moved" : "ranges moved at the standby", 1);
out:
    return st;
}

// Spans that nothing has been written to go to other slices, then they are written to.
static struct status move_some(struct task *task, struct world_node *node, struct pcr *pcr)
{
    struct status st;
    struct sim_random random =
        sim_random_named(hash_combine(node->world->run->seed, pcr->moves++), "pcr/move");
    struct kv_slice_info *slices;
    uint32_t slice_count;
    struct span span = {row_key(task->arena, pcr->sides[PRIMARY].tenant, pcr->spans, 0),
        row_key(task->arena, pcr->sides[PRIMARY].tenant, pcr->spans + 1, 0)};
    TRY(kv_slices(task, task->arena, &slices, &slice_count));
    TRY(kv_split(task, span.start));
    TRY(kv_split(task, span.end));
    TRY(kv_move_empty(task, span, slices[sim_random_below(&random, slice_count)].id));
    sim_tell(node->world->run, node->world->sim, SIM_AREA_WORK, node->id, "span %u has moved", pcr->spans);
    if (pcr->spans < SPANS_MAX) pcr->spans++;
    sim_count(node->world->run, "spans moved", 1);
out:
    return st;
}

static struct status move_loop(struct task *task, void *arg)
{
    struct world_node *node = arg;
    struct pcr *pcr = pcr_of(node->world);
    struct status st = STATUS_OK;
    while (!task->cancelled && pcr->moving && pcr->spans < SPANS_MAX) {
        struct arena_mark mark = arena_mark(task->arena);
        uint64_t pause =
            hash_combine(node->world->run->seed, 77 + pcr->moves) % (4 * SECOND);
        st = task_sleep(task, pause);
        if (failed(st)) break;
        // One of the primary's nodes does it.
        const bool standby = world_serving(node->world, STANDBY, 0) == node;
        if (world_serving(node->world, PRIMARY, 0) != node && !standby) continue;
        task->deadline_ns = task_now_ns(task) + ASK_NS;
        st = move_held(task, node, pcr, standby ? STANDBY : PRIMARY);
        if (!failed(st) && !standby) st = move_some(task, node, pcr);
        task->deadline_ns = UINT64_MAX;
        if (failed(st))
            sim_tell(node->world->run, node->world->sim, SIM_AREA_WORK, node->id, "moves: %s", st.message);
        arena_release(task->arena, mark);
    }
    node->tasks--;
    return STATUS_OK;
}

static struct status primary_prepare(struct task *task, struct world_node *node)
{
    struct pcr *pcr = pcr_of(node->world);
    struct status st;
    uint64_t source, other;
    if (pcr->sides[PRIMARY].tenant != 0) return STATUS_OK;
    TRY(tenant_make(task, "other", &other));
    TRY(tenant_make(task, "source", &source));
    TRY(spread(task, source));
    for (uint32_t i = 0; i < 10; i++)
        TRY(written(task, other, "other", i, node->world->run->seed));
    for (uint32_t i = 0; i < 20; i++)
        TRY(written(task, source, "source", UINT32_MAX - i, node->world->run->seed));
    if (pcr->readers != NULL) TRY(pcr_readers_prepare(task, node, pcr->readers));
    pcr->sides[PRIMARY].tenant = source;
out:
    return st;
}

static struct status primary_serves(struct task *task, struct world_node *node)
{
    struct pcr *pcr = pcr_of(node->world);
    struct status st = STATUS_OK;
    do {
        st = STATUS_OK;
        if (node->id == 1) st = primary_prepare(task, node);
    } while (status_is(st, E_SERIALIZATION_FAILURE));
    TRY(st);
    while (pcr->sides[PRIMARY].tenant == 0)
        TRY(task_sleep(task, 50 * MS));
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
    sim_tell(node->world->run, node->world->sim, SIM_AREA_WORK, node->id, "%s: %s", sql,
        failed(st) ? st.message : "ok");
    return st;
}

// An operator that was slow finds that the story has gone on.
static struct status check_round(const struct pcr *pcr, uint32_t follower)
{
    return pcr->follower == follower ? STATUS_OK
                                     : status_make(E_QUERY_CANCELED, "the sides have changed");
}

static struct status create(struct task *task, struct world_node *node)
{
    struct pcr *pcr = pcr_of(node->world);
    struct pcr_side *own = &pcr->sides[pcr->follower], *other = &pcr->sides[1 - pcr->follower];
    struct status st;
    struct tenant *tenant;
    const bool read = pcr->readers != NULL && pcr->follower == STANDBY;
    if (read && other->tenant == 0) return STATUS_OK; // What readers look at is not there yet.
    if (read) TRY(say(task, node, "SET CLUSTER SETTING bulkio.stream_ingestion.standby_read_ts_poll_interval = '300ms'"));
    for (; pcr->prepare != NULL && *pcr->prepare != NULL; pcr->prepare++) TRY(say(task, node, *pcr->prepare));
    if (pcr->plain) TRY(say(task, node, "SET CLUSTER SETTING physical_replication.consumer.stream_compression.enabled = false"));
    TRY(tenant_read_by_name(task, NULL, task->arena, own->name, &tenant));
    // What is served does not follow.
    if (pcr->readers != NULL && tenant != NULL && tenant->service_mode != TENANT_NONE)
        TRY(say(task, node, arena_printf(task->arena, "ALTER VIRTUAL CLUSTER %s STOP SERVICE", own->name)));
    if (tenant == NULL || tenant->replication_job == 0) {
        TRY(say(task, node,
            arena_printf(task->arena,
                tenant == NULL || tenant->data_state != TENANT_READY
                    ? "CREATE VIRTUAL CLUSTER %s FROM REPLICATION OF %s ON '%s'%s"
                    : "ALTER VIRTUAL CLUSTER %s START REPLICATION OF %s ON '%s'%s",
                own->name, other->name, other->uri, read ? " WITH READ VIRTUAL CLUSTER" : "")));
        TRY(tenant_read_by_name(task, NULL, task->arena, own->name, &tenant));
    }
    TRY(check_round(pcr, node->cluster));
    if (tenant == NULL || tenant->replication_job == 0 || pcr->step != PCR_CREATE) return STATUS_OK;
    own->tenant = tenant->id;
    if (pcr->forger != NULL && pcr->follower == STANDBY) pcr_forger_follows(pcr->forger, tenant->id);
    pcr->step = PCR_REPLICATE;
out:
    return st;
}

// Looks how far the job is: neither time goes back.
static struct status watch(struct task *task, struct world_node *node, struct tenant **tenant)
{
    struct pcr *pcr = pcr_of(node->world);
    struct sim_run *run = node->world->run;
    struct status st;
    struct consumer_record *record;
    const uint32_t follower = node->cluster;
    TRY(check_round(pcr, follower));
    TRY(tenant_read(task, NULL, task->arena, pcr->sides[follower].tenant, tenant));
    TRY(check_round(pcr, follower));
    if (*tenant == NULL) {
        sim_violation(run, "the virtual cluster that follows is gone");
        goto out;
    }
    if ((*tenant)->replication_job == 0) goto out;
    TRY(consumer_read(task, NULL, task->arena, (*tenant)->replication_job, &record));
    TRY(check_round(pcr, follower));
    if (record == NULL) {
        sim_violation(run, "the record of the consumer is gone");
        goto out;
    }
    if (hlc_less(record->replicated, pcr->replicated) || hlc_less(record->retained, pcr->retained))
        sim_violation(run, "the replicated or the retained time went back");
    pcr->replicated = record->replicated;
    pcr->retained = record->retained;
    if (!hlc_is_zero(record->replicated) && hlc_less(record->replicated, record->retained))
        sim_violation(run, "the retained time is above the replicated time");
out:
    return st;
}

// "LATEST", or a time between the retained and the replicated one, or one to come.
static const char *cutover_time(struct task *task, struct world_node *node)
{
    struct pcr *pcr = pcr_of(node->world);
    struct sim_random random = sim_random_named(node->world->run->seed, "pcr/time");
    struct hlc_timestamp at = pcr->replicated;
    char text[HLC_TEXT_BYTES];
    uint64_t away = sim_random_below(&random, 3 * SECOND);
    if (pcr->to == PCR_LATEST || hlc_is_zero(at)) return "LATEST";
    if (pcr->to == PCR_FUTURE)
        at.wall_ns += away;
    else if (at.wall_ns - away > pcr->retained.wall_ns)
        at.wall_ns -= away;
    return arena_printf(task->arena, "SYSTEM TIME '%s'", hlc_format(at, text));
}

static struct status ask_cutover(struct task *task, struct world_node *node)
{
    struct pcr *pcr = pcr_of(node->world);
    struct status st;
    struct tenant *tenant;
    TRY(watch(task, node, &tenant));
    if (tenant != NULL && tenant->data_state == TENANT_READY) pcr->step = PCR_READY; // Asked before.
    if (tenant == NULL || pcr->step == PCR_READY) goto out;
    st = say(task, node,
        arena_printf(task->arena, "ALTER VIRTUAL CLUSTER %s COMPLETE REPLICATION TO %s",
            pcr->sides[pcr->follower].name, cutover_time(task, node)));
    // Asked before, and under way.
    if (failed(st) && strstr(st.message, "already started cutting over") != NULL) st = STATUS_OK;
    if (failed(st)) goto out;
    TRY(check_round(pcr, node->cluster));
    if (pcr->step == PCR_CUTOVER) pcr->step = PCR_READY; // Else it is asked again.
out:
    return st;
}

static struct status operate_once(struct task *task, struct world_node *node)
{
    struct pcr *pcr = pcr_of(node->world);
    struct tenant *tenant;
    struct status st = STATUS_OK;
    switch (pcr->step) {
    case PCR_CREATE: TRY(create(task, node)); break;
    case PCR_REPLICATE:
        TRY(watch(task, node, &tenant));
        if (!hlc_is_zero(pcr->replicated) && pcr->replicating_at_ns == 0)
            pcr->replicating_at_ns = sim_now_ns(node->world->sim);
        break;
    case PCR_CUTOVER: TRY(ask_cutover(task, node)); break;
    case PCR_READY:
        TRY(watch(task, node, &tenant));
        if (tenant == NULL || tenant->data_state != TENANT_READY) break;
        pcr->cutover = tenant->activation;
        pcr->step = PCR_OVER;
        break;
    case PCR_OVER: break;
    }
out:
    return st;
}

static struct status operator_loop(struct task *task, void *arg)
{
    struct world_node *node = arg;
    struct pcr *pcr = pcr_of(node->world);
    struct status st = STATUS_OK;
    while (!task->cancelled) {
        struct arena_mark mark = arena_mark(task->arena);
        if (world_serving(node->world, pcr->follower, pcr->operator) == node) {
            task->deadline_ns = task_now_ns(task) + ASK_NS;
            st = operate_once(task, node);
            task->deadline_ns = UINT64_MAX;
            if (failed(st)) {
                sim_tell(node->world->run, node->world->sim, SIM_AREA_WORK, node->id, "operator: %s", st.message);
                pcr->operator++; // Another node may do better.
            }
        }
        arena_release(task->arena, mark);
        st = task_sleep(task, 100 * MS);
    }
    node->tasks--;
    return STATUS_OK;
}

// Both may be a source.
static struct status may_be_source(struct task *task)
{
    struct status st;
    do {
        st = settings_store(task, TENANT_SYSTEM, "kv.rangefeed.enabled", "true");
    } while (status_is(st, E_SERIALIZATION_FAILURE));
    return failed(st) ? st : settings_announce(task, TENANT_SYSTEM);
}

static struct status serves(struct task *task, struct world_node *node)
{
    struct status st = STATUS_OK;
    bool first = node->id == 1 || node->world->nodes[node->id - 2].cluster != node->cluster;
    if (first) TRY(may_be_source(task));
    struct pcr *pcr = pcr_of(node->world);
    if (node->cluster == PRIMARY) TRY(primary_serves(task, node));
    if (pcr->readers != NULL && node->cluster == PRIMARY) TRY(pcr_readers_write(task, node, pcr->readers));
    if (pcr->readers != NULL && node->cluster == STANDBY) TRY(pcr_readers_read(task, node, pcr->readers));
    if (pcr->forger != NULL && node->cluster == STANDBY) TRY(pcr_forger_start(task, node, pcr->forger));
    if (pcr->moving) TRY(server_node_spawn(task, node, move_loop, node, "sim-mover"));
    TRY(server_node_spawn(task, node, write_loop, node, "sim-writer"));
    st = server_node_spawn(task, node, operator_loop, node, "sim-operator");
out:
    return st;
}

// --- a node's life -------------------------------------------------------------------------------

static struct status boot(struct task *task, void *arg)
{
    struct world_node *node = arg;
    const struct server_node_options options = {
        .replicas = pcr_of(node->world)->replicas, .serves = serves};
    pcr_of(node->world)->sides[node->cluster].writing &= ~(UINT64_C(1) << node->id);
    return server_node_run(task, node, &options);
}

// --- the end -------------------------------------------------------------------------------------

static struct status check_rows(struct task *task, struct pcr *pcr, uint32_t side)
{
    const uint64_t tenant = pcr->sides[side].tenant;
    struct status st = STATUS_OK;
    static const char own[] = "source-canary ";
    struct kv_export export = {.tenant = tenant,
        .span = {row_key(task->arena, tenant, 0, 0), row_key(task->arena, tenant, SPANS_MAX + 1, 0)},
        .all = true};
    TRY(kv_now(task, tenant, &export.at));
    while (!export.done) {
        struct kv_version *versions;
        uint32_t count;
        TRY(kv_export_next(task, &export, task->arena, &versions, &count));
        for (uint32_t i = 0; i < count; i++) {
            const struct kv_version *version = &versions[i];
            if (hlc_less(pcr->cutover, version->ts) && !pcr->sides[side].wrote)
                sim_violation(pcr->world.run,
                    "a version above the cutover time is left in cluster %" PRIu32 ", of %" PRIu64 ", under %s",
                    side + 1, version->ts.wall_ns, key_format(task->arena, version->key));
            if (version->tombstone) continue;
            if (version->value.size < sizeof own - 1 ||
                memcmp(version->value.data, own, sizeof own - 1) != 0)
                sim_violation(pcr->world.run,
                    "cluster %s has a row of another virtual cluster: %.*s, under %s",
                    side == PRIMARY ? "1" : "2", (int)version->value.size,
                    (const char *)version->value.data, key_format(task->arena, version->key));
        }
    }
out:
    return st;
}

static struct status measure_once(struct task *task, struct world_node *node)
{
    struct pcr *pcr = pcr_of(node->world);
    struct status st;
    uint64_t tenant = pcr->sides[node->cluster].tenant;
    TRY(kv_fingerprint(task, tenant, key_tenant_span(task->arena, tenant), pcr->cutover,
        &pcr->fingerprints[node->cluster]));
    TRY(check_rows(task, pcr, node->cluster));
    if (pcr->readers != NULL && node->cluster == PRIMARY && pcr->follower == STANDBY)
        TRY(pcr_readers_check(task, node, pcr->readers));
    if (pcr->forger != NULL && node->cluster == STANDBY) TRY(pcr_forger_check(task, pcr->forger));
    pcr->measured[node->cluster] = true;
out:
    return st;
}

static struct status measure(struct task *task, void *arg)
{
    struct world_node *node = arg;
    struct pcr *pcr = pcr_of(node->world);
    struct status st;
    task->deadline_ns = task_now_ns(task) + 60 * SECOND;
    // A disk that has room again is not used at once.
    while (status_is(st = measure_once(task, node), E_DISK_FULL))
        TRY(task_sleep(task, 200 * MS));
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
    return ((struct pcr *)arg)->step == PCR_OVER;
}

static bool is_measured(void *arg)
{
    return !((struct pcr *)arg)->measuring;
}

static bool serve_both(void *arg)
{
    struct pcr *pcr = arg;
    for (uint32_t i = 0; i < pcr->world.node_count; i++) {
        if (!world_node_serves(&pcr->world.nodes[i])) return false;
    }
    return true;
}

void pcr_lose_primary(struct pcr *pcr)
{
    for (uint32_t i = 0; i < pcr->world.node_count; i++) {
        struct world_node *node = &pcr->world.nodes[i];
        if (node->cluster != PRIMARY) continue;
        node->wanted = false;
        if (sim_node_running(node->machine) != NULL) sim_node_crash(node->machine);
    }
    sim_tell(pcr->world.run, pcr->world.sim, SIM_AREA_FAULT, 0, "the primary is lost");
}

// Of what one cluster sends the other. What is compressed cannot be looked at: every other run does without.
static void look_for_canaries(struct pcr *pcr)
{
    uint64_t machines[2] = {0};
    struct sim_random random = sim_random_named(pcr->world.run->seed, "pcr/plain");
    for (uint32_t i = 0; i < pcr->world.node_count; i++)
        machines[pcr->world.nodes[i].cluster] |= UINT64_C(1) << pcr->world.nodes[i].id;
    canary_forbid("other-canary", machines[PRIMARY], machines[STANDBY]);
    canary_count("source-canary", machines[PRIMARY], machines[STANDBY]);
    pcr->plain = sim_random_below(&random, 2) == 0;
}

void pcr_begin(struct pcr *pcr, struct sim_run *run, const struct pcr_options *options)
{
    const struct world_options world = {.clusters = 2,
        .nodes_of = {options->nodes[PRIMARY], options->nodes[STANDBY]},
        .shards = options->shards,
        .fibers = 256,
        .max_offset_ns = 500 * MS,
        .sim = {.bend = true, .watch = canary_watch},
        .boot = boot,
        .look = server_node_look};
    memset(pcr, 0, sizeof *pcr);
    pcr->spans = SPANS;
    pcr->replicas = options->replicas;
    pcr->prepare = options->prepare;
    canaries_begin(run);
    world_begin(&pcr->world, run, &world);
    look_for_canaries(pcr);
    server_node_register();
    pcr->follower = STANDBY;
    if (options->forger) pcr->forger = pcr_forger_new(&pcr->world, "source", "other");
    if (options->readers) pcr->readers = pcr_readers_new(&pcr->world, "source", "target-readonly");
    pcr->sides[PRIMARY].name = "source";
    pcr->sides[STANDBY].name = "target";
    pcr->sides[PRIMARY].writes_max = options->writes;
    pcr->write_every_ns = options->write_every_ns;
    for (uint32_t i = pcr->world.node_count; i > 0; i--) {
        const struct world_node *node = &pcr->world.nodes[i - 1];
        struct pcr_side *side = &pcr->sides[node->cluster];
        snprintf(side->uri, sizeof side->uri, "postgresql://root@%s:" PORT "?sslmode=disable",
            sim_node_address(node->machine));
    }
}

void pcr_start(struct pcr *pcr)
{
    world_start_all(&pcr->world);
    world_expect(&pcr->world, "both clusters start", serve_both, pcr, 60 * SECOND);
}

bool pcr_replicate(struct pcr *pcr, uint64_t within_ns)
{
    return world_run(&pcr->world, is_replicating, pcr, within_ns);
}

bool pcr_cut_over(struct pcr *pcr, uint64_t within_ns)
{
    if (pcr->step < PCR_CUTOVER) {
        pcr->retained_at_cutover = pcr->retained;
        pcr->step = PCR_CUTOVER;
    }
    return world_run(&pcr->world, is_over, pcr, within_ns);
}

void pcr_compare(struct pcr *pcr)
{
    struct world *world = &pcr->world;
    if (world->run->violated) return;
    if (pcr->readers != NULL) pcr_readers_stop(pcr->readers);
    if (pcr->forger != NULL) pcr_forger_stop(pcr->forger);
    world_heal(world); // The primary, too, comes back.
    world_expect(world, "both clusters run", serve_both, pcr, 60 * SECOND);
    for (uint32_t cluster = PRIMARY; cluster <= STANDBY && !world->run->violated; cluster++) {
        pcr->measuring = true;
        world_spawn(world_serving(world, cluster, 0), 0, "sim-measure", measure,
            world_serving(world, cluster, 0));
        world_expect(world, "a fingerprint is made", is_measured, pcr, 60 * SECOND);
    }
    if (world->run->violated) return;
    const struct kv_fingerprint *a = &pcr->fingerprints[PRIMARY], *b = &pcr->fingerprints[STANDBY];
    pcr->measured[PRIMARY] = pcr->measured[STANDBY] = false;
    if (a->hash != b->hash || a->keys != b->keys || a->bytes != b->bytes)
        sim_violation(world->run,
            "fingerprints differ at the cutover time: %" PRIu64 " keys, %" PRIu64
            " bytes on the primary, %" PRIu64 " and %" PRIu64 " on the standby",
            a->keys, a->bytes, b->keys, b->bytes);
    if (hlc_less(pcr->cutover, pcr->retained_at_cutover))
        sim_violation(world->run, "the cutover time is below the retained time");
    if (pcr->plain && a->keys > 0 && canary_crossed("source-canary") == 0)
        sim_violation(world->run, "%" PRIu64 " keys have come to the standby, and nothing of them was seen on the way", a->keys);
    sim_count(world->run, "cutovers", 1);
    sim_count(world->run, "keys compared", a->keys);
}

void pcr_turn_round(struct pcr *pcr, const struct pcr_return *back)
{
    struct pcr_side *sides = pcr->sides;
    pcr->moving = false;
    sides[STANDBY].writes_max = pcr->writes + back->writes;
    // Whether they are asleep or have not heard of it: what they write from now on has to be undone, or refused.
    sides[PRIMARY].writes_max = back->writers_stay ? sides[STANDBY].writes_max : 0;
    world_run(&pcr->world, NULL, NULL, back->pause_ns);
    pcr->follower = PRIMARY;
    pcr->replicating_at_ns = 0;
    pcr->replicated = pcr->retained = pcr->retained_at_cutover = HLC_ZERO;
    pcr->world.healed = false;
    pcr->step = PCR_CREATE;
}

static bool is_quiet(void *arg)
{
    return ((struct pcr *)arg)->sides[PRIMARY].writing == 0;
}

void pcr_quiet(struct pcr *pcr)
{
    pcr->sides[PRIMARY].writes_max = 0;
    world_expect(&pcr->world, "writers of the former primary end", is_quiet, pcr, 4 * ASK_NS);
    pcr->sides[PRIMARY].wrote = false;
}

void pcr_end(struct pcr *pcr)
{
    struct world *world = &pcr->world;
    if (!world->run->violated) world_stop(world);
    sim_note(world->sim, pcr->fingerprints[STANDBY].hash);
    world_end(world);
    canaries_end();
}
