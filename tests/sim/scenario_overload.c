// SPDX-License-Identifier: GPL-3.0-or-later
//
// More than a cluster can do: it has few fibers, little memory and a slow disk, and for some seconds many times as many
// clients of one virtual cluster as there are fibers ask for what is large, contended, or in the way, while a few of
// another go on with what they always do. Some of the many think in the middle of a transaction, holding locks that others
// want, and some of these never come back; at times nearly all want the same row. The clients are on a machine of their own.
//
// Checked   whoever is turned away is told so: 53xxx, or what any client may be told; never anything else. What SQL takes
//           of memory stays within its budget. The few go on: each of their statements ends in bounded time, and most
//           succeed. Who waits for somebody who thinks is answered by its own timeout, and who thinks for longer than it may is
//           ended. Who holds what all others wait for goes on: its statements end in bounded time. When the many have gone, nothing is locked or refused any more and memory is given back; every
//           acknowledged write is there, none that was refused.
#include <inttypes.h>
#include <stdlib.h>

#include "core/hash.h"
#include "core/mark.h"
#include "core/reactor.h"
#include "core/shard.h"
#include "sql/wire/pgclient.h"
#include "sql/session/session.h"
#include "tests/sim/server_node.h"

#define FEW 4u
#define MANY_MAX 240u
#define STATEMENTS_MAX 1500u
#define SERVERS 0u // Cluster.
#define CLIENTS 1u
#define CALM_NS (2 * WORLD_SECOND)
#define LOAD_NS (6 * WORLD_SECOND)
#define GRACE_NS (5 * WORLD_SECOND)  // After the load: then all is as before it.
#define AFTER_NS (5 * WORLD_SECOND)
#define FEW_WITHIN_NS (15 * WORLD_SECOND)
#define HOLDER_WITHIN_NS (5 * WORLD_SECOND)
#define END_WITHIN_NS (60 * WORLD_SECOND)
#define THINK_NS (900 * WORLD_MS) // At most, each time; some may for no longer than
#define THINK_MAX_MS 400          // that.
#define IDLE_IN_TRANSACTION SQLSTATE('2', '5', 'P', '0', '3')
#define MEMORY_BYTES (UINT64_C(8) << 20)
#define TASK_BYTES (UINT64_C(256) << 10)   // Of a statement until it first looks at the budget: its text, its plan, a few rows.
#define SESSION_BYTES (UINT64_C(32) << 10) // Of one that does nothing: it is there whatever the budget.
#define LEFT_BYTES (UINT64_C(1) << 20) // More than before the load: caches.

enum write_fate { WRITE_NONE, WRITE_DONE, WRITE_REFUSED, WRITE_UNKNOWN };

struct overload {
    struct world world; // First.
    uint32_t shards, fibers;
    bool ready, stop, checked;
    bool loading;
    bool thinkers; // Every other run has some: who waits for them asks for less.
    bool crowd;    // Most want one row.
    uint64_t settled_ns; // From then on nothing is refused; 0: not yet.
    uint32_t few, many;  // That run.
    uint32_t statements, turned_away;
    uint64_t few_asked, few_done; // During the load.
    uint64_t after_done;
    int64_t counts[FEW];   // Acknowledged.
    int64_t unsure[FEW];
    enum write_fate writes[STATEMENTS_MAX + 1];
    int64_t hot_count, hot_unsure; // Of what everybody wants.
    uint64_t calm_bytes, peak_bytes;
};

struct caller {
    struct overload *overload;
    struct world_node *node;
    uint32_t number;
    const char *cluster;
    struct pgclient *client;
    struct pgclient_result result;
    struct sim_random random;
};

static struct overload *overload_of(struct world *world)
{
    return (struct overload *)world;
}

// --- callers ---------------------------------------------------------------------------------------------

static struct world_node *server(struct overload *overload, uint64_t draw)
{
    uint32_t servers = overload->world.node_count - 1;
    return &overload->world.nodes[draw % servers];
}

static struct status say(struct task *task, struct caller *caller, const char *sql)
{
    struct status st = STATUS_OK;
    struct overload *overload = caller->overload;
    struct pgclient_options options = {.connect_timeout_ns = 10 * WORLD_SECOND};
    if (caller->client == NULL) {
        const struct world_node *node = server(overload, sim_random_next(&caller->random));
        TRY(pgclient_url_parse(task->arena,
            arena_printf(task->arena, "postgresql://root@%s:" SERVER_PORT "/defaultdb?sslmode=disable&options=-ccluster%%3D%s",
                sim_node_address(node->machine), caller->cluster),
            &options));
        TRY(pgclient_connect(task, &options, &caller->client));
    }
    TRY(pgclient_collect(task, caller->client, task->arena, sql, &caller->result));
out:
    sim_tell(overload->world.run, overload->world.sim, SIM_AREA_WORK, 0, "%s %u says %.60s: %s", caller->cluster, caller->number, sql,
        failed(st) ? st.message : "ok");
    return st;
}

static void hang_up(struct caller *caller)
{
    if (caller->client != NULL) pgclient_close(caller->client);
    caller->client = NULL;
}

static bool is_class(struct status st, const char *class)
{
    char code[6];
    status_sqlstate(st, code);
    return failed(st) && strncmp(code, class, 2) == 0;
}

// What became of a write that is a transaction of its own.
static enum write_fate fate_of(struct status st)
{
    if (!failed(st)) return WRITE_DONE;
    // A client that has waited long enough does not know either.
    if (is_class(st, "08") || is_class(st, "57") || status_is(st, E_AMBIGUOUS_RESULT)) return WRITE_UNKNOWN;
    return WRITE_REFUSED;
}

// `thinks`: it holds locks, and its patience is its own.
static void check_refusal(struct caller *caller, struct status st, bool thinks)
{
    if (!failed(st)) return;
    bool turned_away = is_class(st, "53");
    if (thinks && (status_is(st, E_LOCK_NOT_AVAILABLE) || status_is(st, IDLE_IN_TRANSACTION))) {
        covered("sim.thought_too_long");
        sim_count(caller->overload->world.run, "thought or waited too long", 1);
        return;
    }
    if (turned_away) {
        caller->overload->turned_away++;
        covered("sim.turned_away");
        sim_count(caller->overload->world.run, "turned away", 1);
    }
    if (!turned_away && !is_class(st, "08") && !is_class(st, "40") && !is_class(st, "57"))
        sim_violation(caller->overload->world.run, "a client under overload is told: %s", st.message);
}

// --- the few ---------------------------------------------------------------------------------------------

static void few_ended(struct caller *caller, struct status st, uint64_t began_ns)
{
    struct overload *overload = caller->overload;
    struct sim_run *run = overload->world.run;
    uint64_t took_ns = sim_now_ns(overload->world.sim) - began_ns;
    check_refusal(caller, st, false);
    if (took_ns > FEW_WITHIN_NS)
        sim_violation(run, "a statement of another virtual cluster took %.1f s", (double)took_ns / 1e9);
    if (overload->settled_ns != 0 && began_ns >= overload->settled_ns) {
        if (failed(st)) sim_violation(run, "after the load a statement is refused: %s", st.message);
        overload->after_done++;
    }
    if (!overload->loading) return;
    overload->few_asked++;
    overload->few_done += !failed(st);
    sim_sample(run, "statement of another virtual cluster under load", took_ns);
}

static struct status few_main(struct task *task, void *arg)
{
    struct caller *caller = arg;
    struct overload *overload = caller->overload;
    while (!overload->stop && !task->cancelled) {
        struct arena_mark mark = arena_mark(task->arena);
        uint64_t began_ns = sim_now_ns(overload->world.sim);
        struct status st = say(task, caller, arena_printf(task->arena, "UPDATE own SET n = n + 1 WHERE k = %u", caller->number));
        enum write_fate fate = fate_of(st);
        overload->counts[caller->number] += fate == WRITE_DONE;
        overload->unsure[caller->number] += fate == WRITE_UNKNOWN;
        few_ended(caller, st, began_ns);
        if (failed(st)) hang_up(caller);
        arena_release(task->arena, mark);
        st = task_sleep(task, sim_random_below(&caller->random, 200 * WORLD_MS));
    }
    hang_up(caller);
    overload->few--;
    return STATUS_OK;
}

// --- the many --------------------------------------------------------------------------------------------

static const char *demand(struct task *task, struct caller *caller, uint32_t number, bool *writes)
{
    *writes = false;
    if (caller->overload->crowd && sim_random_below(&caller->random, 8) != 0) return "UPDATE hot SET n = n + 1 WHERE k = 0";
    switch (sim_random_below(&caller->random, 6)) {
    case 0: // One value that grows.
        return "SELECT length(string_agg(repeat('x', 1000), ',')) FROM generate_series(1, 1500)";
    case 1: // Rows that are kept, or go to a temporary file.
        return "SELECT max(s) FROM (SELECT repeat('y', 400) || i AS s FROM generate_series(1, 1500) i ORDER BY 1 LIMIT 1400) t";
    case 2: // In each other's way.
        return "UPDATE hot SET n = n + 1 WHERE k = 0";
    case 3: // Held while its client does something else.
        return "BEGIN; SELECT * FROM hot FOR UPDATE; SELECT pg_sleep(0.01); COMMIT";
    default:
        *writes = true;
        return arena_printf(task->arena, "INSERT INTO many VALUES (%u, repeat('z', %" PRIu64 "))", number,
            sim_random_between(&caller->random, 10, 60000));
    }
}

static struct status think(struct task *task, struct caller *caller)
{
    return task_sleep(task, sim_random_below(&caller->random, THINK_NS));
}

// Of who holds what many wait for: with its end they go on.
static struct status say_as_holder(struct task *task, struct caller *caller, const char *sql)
{
    struct overload *overload = caller->overload;
    const uint64_t began_ns = sim_now_ns(overload->world.sim);
    struct status st = say(task, caller, sql);
    const uint64_t took_ns = sim_now_ns(overload->world.sim) - began_ns;
    sim_sample(overload->world.run, "statement of who holds what others wait for", took_ns);
    if (took_ns > HOLDER_WITHIN_NS)
        sim_violation(overload->world.run, "who holds a lock waits for %.1f s: %s", (double)took_ns / 1e9, sql);
    return st;
}

// A transaction whose client thinks between its statements.
static struct status ponder(struct task *task, struct caller *caller)
{
    struct overload *overload = caller->overload;
    struct status st;
    const bool leaves = sim_random_below(&caller->random, 8) == 0;
    static const char *const patience[] = {"lock_timeout", "idle_in_transaction_session_timeout", "statement_timeout"};
    const uint64_t which = sim_random_below(&caller->random, 4);
    TRY(say(task, caller, "BEGIN"));
    if (which < 3) TRY(say(task, caller, arena_printf(task->arena, "SET LOCAL %s = %d", patience[which], THINK_MAX_MS)));
    TRY(say(task, caller, "SELECT n FROM hot WHERE k = 0 FOR UPDATE"));
    TRY(think(task, caller));
    TRY(say_as_holder(task, caller, "UPDATE hot SET n = n + 1 WHERE k = 0"));
    TRY(think(task, caller));
    sim_count(overload->world.run, "thought", 1);
    if (leaves) {
        hang_up(caller);
        return STATUS_OK;
    }
    st = say_as_holder(task, caller, "COMMIT");
    const enum write_fate fate = fate_of(st);
    overload->hot_count += fate == WRITE_DONE;
    overload->hot_unsure += fate == WRITE_UNKNOWN;
out:
    return st;
}

static struct status want(struct task *task, struct caller *caller, uint32_t number, bool *thinks)
{
    struct overload *overload = caller->overload;
    bool writes;
    *thinks = overload->thinkers && sim_random_below(&caller->random, 4) == 0;
    if (*thinks) return ponder(task, caller);
    const char *sql = demand(task, caller, number, &writes);
    const bool hot = strncmp(sql, "UPDATE hot", strlen("UPDATE hot")) == 0;
    if (writes) overload->writes[number] = WRITE_UNKNOWN;
    const bool connected = caller->client != NULL;
    struct status st = say(task, caller, sql);
    const enum write_fate fate = !connected && caller->client == NULL ? WRITE_REFUSED : fate_of(st);
    if (writes) overload->writes[number] = fate;
    overload->hot_count += hot && fate == WRITE_DONE;
    overload->hot_unsure += hot && fate == WRITE_UNKNOWN;
    return st;
}

static struct status many_main(struct task *task, void *arg)
{
    struct caller *caller = arg;
    struct overload *overload = caller->overload;
    while (overload->loading && !task->cancelled && overload->statements < STATEMENTS_MAX) {
        struct arena_mark mark = arena_mark(task->arena);
        bool thinks;
        const uint32_t number = ++overload->statements;
        if (sim_keep(overload->world.run, SIM_OPERATION, number)) {
            task->deadline_ns = task_now_ns(task) + 2 * LOAD_NS;
            struct status st = want(task, caller, number, &thinks);
            task->deadline_ns = UINT64_MAX;
            check_refusal(caller, st, thinks);
            sim_count(overload->world.run, failed(st) ? "demands refused" : "demands", 1);
            if (failed(st) || sim_random_below(&caller->random, 8) == 0) hang_up(caller);
        }
        arena_release(task->arena, mark);
        if (failed(task_sleep(task, sim_random_below(&caller->random, 20 * WORLD_MS)))) break;
    }
    hang_up(caller);
    overload->many--;
    return STATUS_OK;
}

static struct caller *caller_new(struct overload *overload, uint32_t number, const char *cluster)
{
    struct world *world = &overload->world;
    struct caller *caller = ARENA_NEW(&world->run->arena, struct caller);
    *caller = (struct caller){.overload = overload,
        .node = &world->nodes[world->node_count - 1],
        .number = number,
        .cluster = cluster,
        .random = sim_random_named(hash_combine(world->run->seed, number), cluster)};
    return caller;
}

// --- set-up and the end ----------------------------------------------------------------------------------

static struct status patiently(struct task *task, struct caller *caller, const char *sql)
{
    struct status st;
    while (failed(st = say(task, caller, sql))) {
        hang_up(caller);
        TRY(task_sleep(task, 200 * WORLD_MS)); // It is not served yet.
    }
out:
    return st;
}

static struct status set_up(struct task *task, struct overload *overload)
{
    struct status st = STATUS_OK;
    static const char *const names[] = {"few", "many"};
    struct caller *system = caller_new(overload, 900, "system");
    struct caller *few = caller_new(overload, 901, "few"), *many = caller_new(overload, 902, "many");
    for (uint32_t i = 0; i < 2; i++) {
        TRY(patiently(task, system, arena_printf(task->arena, "CREATE VIRTUAL CLUSTER IF NOT EXISTS %s", names[i])));
        TRY(patiently(task, system, arena_printf(task->arena, "ALTER VIRTUAL CLUSTER %s START SERVICE SHARED", names[i])));
    }
    TRY(patiently(task, few, "CREATE TABLE IF NOT EXISTS own (k INT PRIMARY KEY, n INT)"));
    TRY(patiently(task, few, "UPSERT INTO own SELECT i, 0 FROM generate_series(0, 3) i"));
    TRY(patiently(task, many, "CREATE TABLE IF NOT EXISTS hot (k INT PRIMARY KEY, n INT)"));
    TRY(patiently(task, many, "UPSERT INTO hot VALUES (0, 0)"));
    TRY(patiently(task, many, "CREATE TABLE IF NOT EXISTS many (k INT PRIMARY KEY, v TEXT)"));
    overload->ready = true;
out:
    hang_up(system);
    hang_up(few);
    hang_up(many);
    return st;
}

static int64_t number_at(struct task *task, const struct caller *caller, uint64_t row, uint32_t column)
{
    return strtoll(arena_string(task->arena, pgclient_value(&caller->result, row, column)), NULL, 10);
}

static struct status check_writes(struct task *task, void *arg)
{
    struct overload *overload = arg;
    struct sim_run *run = overload->world.run;
    struct status st;
    struct caller *few = caller_new(overload, 903, "few"), *many = caller_new(overload, 904, "many");
    bool *found = ARENA_ARRAY(task->arena, bool, STATEMENTS_MAX + 1);
    memset(found, 0, STATEMENTS_MAX + 1);
    TRY(say(task, few, "SELECT n FROM own ORDER BY k"));
    for (uint32_t i = 0; i < FEW; i++) {
        int64_t n = number_at(task, few, i, 0);
        if (n < overload->counts[i] || n > overload->counts[i] + overload->unsure[i])
            sim_violation(run, "%" PRId64 " updates are there, %" PRId64 " were acknowledged", n, overload->counts[i]);
    }
    TRY(say(task, many, "UPDATE hot SET n = n WHERE k = 0 RETURNING n")); // Nobody holds it.
    const int64_t hot = number_at(task, many, 0, 0);
    if (hot < overload->hot_count || hot > overload->hot_count + overload->hot_unsure)
        sim_violation(run, "%" PRId64 " updates of what everybody wants are there, %" PRId64 " were acknowledged", hot,
            overload->hot_count);
    TRY(say(task, many, "SELECT k FROM many"));
    for (uint64_t i = 0; i < many->result.row_count; i++) found[number_at(task, many, i, 0)] = true;
    for (uint32_t i = 0; i <= STATEMENTS_MAX; i++) {
        if (overload->writes[i] == WRITE_DONE && !found[i]) sim_violation(run, "acknowledged write %u is gone", i);
        if (overload->writes[i] == WRITE_REFUSED && found[i]) sim_violation(run, "refused write %u is there", i);
    }
out:
    hang_up(few);
    hang_up(many);
    if (failed(st)) sim_violation(run, "after the load reading fails: %s", st.message);
    overload->checked = true;
    return STATUS_OK;
}

// --- nodes -----------------------------------------------------------------------------------------------

static struct status serves(struct task *task, struct world_node *node)
{
    (void)task;
    (void)node;
    return STATUS_OK;
}

static struct status boot(struct task *task, void *arg)
{
    struct world_node *node = arg;
    struct overload *overload = overload_of(node->world);
    static const struct server_node_options options = {.serves = serves};
    struct status st = STATUS_OK;
    if (node->cluster == SERVERS) return server_node_run(task, node, &options);
    TRY(set_up(task, overload));
    for (uint32_t i = 0; i < FEW; i++) {
        overload->few++;
        world_spawn(node, 0, "sim-few", few_main, caller_new(overload, i, "few"));
    }
    node->serving = true;
    for (;;) TRY(task_sleep(task, 3600 * WORLD_SECOND));
out:
    return sim_node_stopping(node->machine) && status_is(st, E_ADMIN_SHUTDOWN) ? STATUS_OK : st;
}

static uint64_t memory_bytes(struct overload *overload)
{
    uint64_t most = 0;
    for (uint32_t i = 0; i + 1 < overload->world.node_count; i++) {
        struct node *node = sim_node_running(overload->world.nodes[i].machine);
        for (uint32_t k = 0; node != NULL && k < node->shard_count; k++) {
            const struct memory_account *account = &node->shards[k]->account;
            if (account->used_bytes > most) most = account->used_bytes;
            if (account->used_bytes <= account->limit_bytes) continue;
            uint32_t sessions = 0;
            for (struct session *session = session_first(node->shards[k]); session != NULL; session = session_next(session))
                sessions++;
            uint64_t over = (uint64_t)node->shards[k]->reactor->task_count * TASK_BYTES + sessions * SESSION_BYTES;
            if (account->used_bytes > account->limit_bytes + over)
                sim_violation(overload->world.run, "%" PRIu64 " bytes are used of a budget of %" PRIu64 ", with %u tasks and %u sessions",
                    account->used_bytes, account->limit_bytes, node->shards[k]->reactor->task_count, sessions);
        }
    }
    return most;
}

static void look(struct world *world)
{
    struct overload *overload = overload_of(world);
    uint64_t bytes = memory_bytes(overload);
    if (bytes > overload->peak_bytes) overload->peak_bytes = bytes;
    server_node_look(world);
}

// --- the story -------------------------------------------------------------------------------------------

static bool is_ready(void *arg)
{
    return ((struct overload *)arg)->ready;
}

static bool many_are_gone(void *arg)
{
    return ((struct overload *)arg)->many == 0;
}

static bool few_are_gone(void *arg)
{
    return ((struct overload *)arg)->few == 0;
}

static bool is_checked(void *arg)
{
    return ((struct overload *)arg)->checked;
}

static bool memory_is_back(void *arg)
{
    struct overload *overload = arg;
    return memory_bytes(overload) <= overload->calm_bytes + LEFT_BYTES;
}

static void load(struct overload *overload, uint32_t many)
{
    struct world *world = &overload->world;
    struct world_node *clients = &world->nodes[world->node_count - 1];
    overload->calm_bytes = memory_bytes(overload);
    overload->loading = true;
    for (uint32_t i = 0; i < many; i++) {
        overload->many++;
        world_spawn(clients, 0, "sim-many", many_main, caller_new(overload, i, "many"));
    }
    world_run(world, many_are_gone, overload, LOAD_NS);
    overload->loading = false;
    world_expect(world, "whoever asked too much has an answer", many_are_gone, overload, END_WITHIN_NS);
}

static void aftermath(struct overload *overload)
{
    struct world *world = &overload->world;
    struct sim_run *run = world->run;
    world_expect(world, "memory is given back", memory_is_back, overload, GRACE_NS);
    overload->settled_ns = sim_now_ns(world->sim);
    world_run(world, NULL, NULL, AFTER_NS);
    if (run->violated) return;
    if (overload->after_done < FEW) sim_violation(run, "after the load next to nothing is done");
    if (overload->few_done * 2 < overload->few_asked)
        sim_violation(run, "another virtual cluster's statements: %" PRIu64 " of %" PRIu64 " succeeded under load",
            overload->few_done, overload->few_asked);
    overload->stop = true;
    world_expect(world, "all clients end", few_are_gone, overload, END_WITHIN_NS);
    world_spawn(&world->nodes[world->node_count - 1], 0, "sim-check", check_writes, overload);
    world_expect(world, "all is read", is_checked, overload, END_WITHIN_NS);
}

SIM_SCENARIO(overload, "many times the clients that a cluster has room for: bounds, refusals, others go on, and then all is well")
{
    struct overload *overload = ARENA_NEW(&run->arena, struct overload);
    struct sim_random random = sim_random_named(run->seed, "overload");
    memset(overload, 0, sizeof *overload);
    const struct world_options options = {.clusters = 2,
        .nodes_of = {sim_random_below(&random, 3) == 0 ? 3 : 1, 1},
        .shards = (uint32_t)sim_random_between(&random, 1, 2),
        .fibers_of = {(uint32_t)sim_random_between(&random, 48, 128), 512},
        .sql_memory_bytes = MEMORY_BYTES,
        .max_offset_ns = 500 * WORLD_MS,
        .sim = {.bend = true, .disk_slow_per_million = (uint32_t)sim_random_below(&random, 50000)},
        .boot = boot,
        .look = look};
    const uint32_t many = (uint32_t)sim_random_between(&random, 40, MANY_MAX);
    overload->thinkers = sim_random_below(&random, 2) == 0;
    overload->crowd = sim_random_below(&random, 3) == 0;
    struct world *world = &overload->world;
    server_node_register();
    world_begin(world, run, &options);
    world_start_all(world);
    world_expect(world, "the cluster serves", is_ready, overload, 60 * WORLD_SECOND);
    world_run(world, NULL, NULL, CALM_NS);
    if (!run->violated) load(overload, many);
    if (!run->violated) aftermath(overload);
    sim_count(run, "clients", many);
    sim_count(run, "peak KiB of memory", overload->peak_bytes >> 10);
    if (!run->violated) world_stop(world);
    sim_note(world->sim, overload->statements);
    world_end(world);
}
