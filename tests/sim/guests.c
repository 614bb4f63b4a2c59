// SPDX-License-Identifier: GPL-3.0-or-later
#include "tests/sim/guests.h"

#include <inttypes.h>
#include <stdlib.h>

#include "core/hash.h"
#include "core/mark.h"
#include "sql/wire/pgclient.h"
#include "tests/sim/server_node.h"

#define CLUSTERS_MAX 4u
#define GUESTS_EACH 4u // At a time.
#define ROWS_MAX 1200u
#define LIMIT_MAX 3u
#define STAY_NS (400 * WORLD_MS)
#define SAY_NS (15 * WORLD_SECOND)
#define LIMIT_SETTING "server.max_connections_per_gateway"
#define DUPLICATE_ROLE SQLSTATE('4', '2', '7', '1', '0')

enum fate { ROW_NONE, ROW_DONE, ROW_REFUSED, ROW_UNKNOWN };

struct guests {
    struct world *world;
    uint32_t servers, count;
    const char *const *clusters;
    uint32_t limits[CLUSTERS_MAX]; // 0: none.
    uint32_t rows;
    uint8_t fates[ROWS_MAX], owners[ROWS_MAX];
    struct guest *all; // That have come, newest first.
    uint32_t checking;
    bool end;
};

struct guest {
    struct guests *guests;
    struct world_node *node;
    uint32_t cluster, number;
    struct pgclient *client;
    struct pgclient_result result;
    struct sim_random random;
    struct guest *next;
    uint64_t start; // Of the node: a crash ends it without a word.
    bool gone;
};

struct guests *guests_new(struct world *world, uint32_t servers, const char *const *clusters, uint32_t count)
{
    struct guests *guests = ARENA_NEW(&world->run->arena, struct guests);
    struct sim_random random = sim_random_named(world->run->seed, "guests");
    memset(guests, 0, sizeof *guests);
    guests->world = world;
    guests->servers = servers;
    guests->clusters = clusters;
    guests->count = count;
    if (sim_random_below(&random, 2) == 0) return guests;
    for (uint32_t i = 0; i < count; i++) {
        if (sim_random_below(&random, 3) != 0) guests->limits[i] = (uint32_t)sim_random_between(&random, 1, LIMIT_MAX);
        sim_tell_option(world->run, "sessions", "of %s on a server: %u (0: as many as come)", clusters[i], guests->limits[i]);
    }
    return guests;
}

static bool has_limits(const struct guests *guests)
{
    for (uint32_t i = 0; i < guests->count; i++) {
        if (guests->limits[i] > 0) return true;
    }
    return false;
}

// --- what a guest says ----------------------------------------------------------------------------------

static void hang_up(struct guest *guest)
{
    if (guest->client != NULL) pgclient_close(guest->client);
    guest->client = NULL;
}

static struct guest *guest_new(struct guests *guests, struct world_node *node, uint32_t cluster, uint64_t number)
{
    struct guest *guest = ARENA_NEW(&guests->world->run->arena, struct guest);
    *guest = (struct guest){.guests = guests,
        .node = node,
        .cluster = cluster,
        .number = (uint32_t)number,
        .random = sim_random_named(hash_combine(guests->world->run->seed, number), guests->clusters[cluster])};
    return guest;
}

static void check_refusal(const struct guest *guest, const char *cluster, const char *role, struct status st)
{
    struct sim_run *run = guest->guests->world->run;
    char code[6];
    status_sqlstate(st, code);
    if (strncmp(code, "XX", 2) == 0) sim_violation(run, "a guest of %s is told of an internal error: %s", cluster, st.message);
    if (strstr(st.message, "too many clients already") == NULL) return;
    if (!status_is(st, E_TOO_MANY_CONNECTIONS)) sim_violation(run, "too many sessions of %s: %s instead of 53300", cluster, code);
    if (strcmp(role, "root") == 0 || guest->guests->limits[guest->cluster] == 0)
        sim_violation(run, "%s of %s is refused, who may have as many sessions as he likes", role, cluster);
    covered("sim.session_limit_reached");
    sim_count(run, "sessions refused", 1);
}

static struct status call(struct task *task, struct guest *guest, const char *cluster, const char *role, uint32_t server)
{
    struct status st;
    const struct world *world = guest->guests->world;
    struct pgclient_options options = {.connect_timeout_ns = 5 * WORLD_SECOND};
    TRY(pgclient_url_parse(task->arena,
        arena_printf(task->arena, "postgresql://%s@%s:" SERVER_PORT "/defaultdb?sslmode=disable&options=-ccluster%%3D%s", role,
            sim_node_address(world->nodes[server].machine), cluster),
        &options));
    st = pgclient_connect(task, &options, &guest->client);
    sim_tell(world->run, world->sim, SIM_AREA_WORK, guest->node->id, "guest %u of %s as %s at n%u: %s", guest->number, cluster, role,
        server + 1, failed(st) ? st.message : "let in");
    if (failed(st)) check_refusal(guest, cluster, role, st);
out:
    return st;
}

static struct status say(struct task *task, struct guest *guest, const char *sql)
{
    const struct world *world = guest->guests->world;
    struct status st = pgclient_collect(task, guest->client, task->arena, sql, &guest->result);
    sim_tell(world->run, world->sim, SIM_AREA_WORK, guest->node->id, "guest %u says %s: %s", guest->number, sql,
        failed(st) ? st.message : "ok");
    return st;
}

static uint32_t any_server(struct guest *guest)
{
    return (uint32_t)sim_random_below(&guest->random, guest->guests->servers);
}

// As root, until somebody does it; what is there already is as good.
static struct status patiently(struct task *task, struct guest *guest, const char *cluster, const char *sql)
{
    struct status st;
    for (;;) {
        task->deadline_ns = task_now_ns(task) + SAY_NS;
        st = call(task, guest, cluster, "root", any_server(guest));
        if (!failed(st)) st = say(task, guest, sql);
        task->deadline_ns = UINT64_MAX;
        hang_up(guest);
        if (!failed(st) || status_is(st, DUPLICATE_ROLE)) return STATUS_OK;
        TRY(task_sleep(task, 200 * WORLD_MS));
    }
out:
    return st;
}

// --- coming and going -----------------------------------------------------------------------------------

// What the server may have done when it did not say so.
static enum fate fate_of(struct status st)
{
    char code[6];
    status_sqlstate(st, code);
    if (!failed(st)) return ROW_DONE;
    return strncmp(code, "08", 2) == 0 || strncmp(code, "57", 2) == 0 || status_is(st, E_AMBIGUOUS_RESULT) ? ROW_UNKNOWN
                                                                                                       : ROW_REFUSED;
}

static struct status stay(struct task *task, struct guest *guest)
{
    struct guests *guests = guest->guests;
    struct status st = STATUS_OK;
    for (uint64_t rows = sim_random_below(&guest->random, 3); rows > 0 && guests->rows < ROWS_MAX; rows--) {
        const uint32_t row = guests->rows++;
        guests->owners[row] = (uint8_t)guest->cluster;
        guests->fates[row] = ROW_UNKNOWN;
        st = say(task, guest, arena_printf(task->arena, "INSERT INTO guests VALUES (%u)", row));
        guests->fates[row] = (uint8_t)fate_of(st);
        if (failed(st)) return st;
    }
    return task_sleep(task, sim_random_below(&guest->random, STAY_NS));
}

static struct status guest_main(struct task *task, void *arg)
{
    struct guest *guest = arg;
    struct guests *guests = guest->guests;
    while (!task->cancelled && !guests->end) {
        struct arena_mark mark = arena_mark(task->arena);
        task->deadline_ns = task_now_ns(task) + SAY_NS;
        struct status st = call(task, guest, guests->clusters[guest->cluster], "guest", any_server(guest));
        if (!failed(st)) sim_count(guests->world->run, "sessions of guests", 1);
        if (!failed(st)) st = stay(task, guest);
        task->deadline_ns = UINT64_MAX;
        hang_up(guest);
        arena_release(task->arena, mark);
        if (failed(task_sleep(task, sim_random_below(&guest->random, STAY_NS)))) break;
    }
    guest->gone = true;
    return STATUS_OK;
}

struct status guests_start(struct task *task, struct guests *guests, struct world_node *node, uint32_t cluster)
{
    struct status st = STATUS_OK;
    const char *name = guests->clusters[cluster];
    if (!has_limits(guests) || guests->end) return STATUS_OK;
    struct guest *host = guest_new(guests, node, cluster, 1000 * node->starts + 500);
    TRY(patiently(task, host, name, "CREATE TABLE IF NOT EXISTS guests (k INT PRIMARY KEY)"));
    TRY(patiently(task, host, name, "CREATE ROLE guest LOGIN"));
    TRY(patiently(task, host, name, "GRANT ALL ON guests TO guest"));
    if (guests->limits[cluster] > 0)
        TRY(patiently(task, host, "system",
            arena_printf(task->arena, "ALTER VIRTUAL CLUSTER %s SET CLUSTER SETTING " LIMIT_SETTING " = %u", name,
                guests->limits[cluster])));
    for (uint32_t i = 0; i < GUESTS_EACH; i++) {
        struct guest *guest = guest_new(guests, node, cluster, 1000 * node->starts + 501 + i);
        guest->start = node->starts;
        guest->next = guests->all;
        guests->all = guest;
        world_spawn(node, 0, "sim-guest", guest_main, guest);
    }
out:
    return st;
}

// --- the end --------------------------------------------------------------------------------------------

void guests_end(struct guests *guests)
{
    guests->end = true;
}

bool guests_have_gone(void *arg)
{
    const struct guests *guests = arg;
    for (const struct guest *guest = guests->all; guest != NULL; guest = guest->next) {
        if (!guest->gone && guest->start == guest->node->starts && sim_node_running(guest->node->machine) != NULL) return false;
    }
    return true;
}

// As many as the server may have; then one more.
static struct status check_places(struct task *task, struct guest *const *some, uint32_t server, uint32_t limit)
{
    struct status st = STATUS_OK;
    const char *name = some[0]->guests->clusters[some[0]->cluster];
    struct sim_run *run = some[0]->guests->world->run;
    for (uint32_t i = 0; i < limit; i++) {
        while (failed(st = call(task, some[i], name, "guest", server)))
            TRY(task_sleep(task, 100 * WORLD_MS)); // Those that went have not all been noticed.
    }
    st = call(task, some[limit], name, "guest", server);
    if (!failed(st)) sim_violation(run, "node %u takes more than %u sessions of %s", server + 1, limit, name);
    if (!status_is(st, E_TOO_MANY_CONNECTIONS)) sim_violation(run, "one session too many of %s: %s", name, st.message);
    st = STATUS_OK;
out:
    for (uint32_t i = 0; i <= limit; i++)
        hang_up(some[i]);
    return st;
}

static struct status check_rows(struct task *task, struct guest *guest)
{
    struct guests *guests = guest->guests;
    struct sim_run *run = guests->world->run;
    const char *name = guests->clusters[guest->cluster];
    bool *found = ARENA_ARRAY(task->arena, bool, ROWS_MAX);
    struct status st;
    memset(found, 0, ROWS_MAX);
    TRY(patiently(task, guest, name, "SELECT k FROM guests"));
    for (uint64_t i = 0; i < guest->result.row_count; i++)
        found[strtoull(arena_string(task->arena, pgclient_value(&guest->result, i, 0)), NULL, 10) % ROWS_MAX] = true;
    for (uint32_t row = 0; row < guests->rows; row++) {
        if (guests->owners[row] != guest->cluster) continue;
        if (guests->fates[row] == ROW_DONE && !found[row]) sim_violation(run, "row %u of a guest of %s is gone", row, name);
        if (guests->fates[row] == ROW_REFUSED && found[row])
            sim_violation(run, "row %u of a guest of %s is there, and was refused", row, name);
        sim_count(run, "rows of guests", guests->fates[row] == ROW_DONE);
    }
out:
    return st;
}

static struct status check_main(struct task *task, void *arg)
{
    struct guest *guest = arg;
    struct guests *guests = guest->guests;
    struct guest *some[LIMIT_MAX + 1];
    const uint32_t limit = guests->limits[guest->cluster];
    struct status st;
    TRY(check_rows(task, guest));
    for (uint32_t i = 0; i <= limit; i++)
        some[i] = guest_new(guests, guest->node, guest->cluster, 600 + i);
    for (uint32_t server = 0; limit > 0 && server < guests->servers; server++)
        TRY(check_places(task, some, server, limit));
    guests->checking--;
out:
    return st;
}

void guests_check(struct guests *guests, struct world_node *node)
{
    if (!has_limits(guests)) return;
    for (uint32_t i = 0; i < guests->count; i++) {
        guests->checking++;
        world_spawn(node, 0, "sim-guests-check", check_main, guest_new(guests, node, i, 599));
    }
}

bool guests_are_over(void *arg)
{
    return ((struct guests *)arg)->checking == 0;
}
