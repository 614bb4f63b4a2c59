// SPDX-License-Identifier: GPL-3.0-or-later
//
// Connections under crashes, partitions and resets: what a client gets back is what it sent, in
// order and never more; and once the faults end every client gets its answers.
#include <inttypes.h>
#include <stdlib.h>

#include "core/hash.h"
#include "core/net.h"
#include "tests/sim/sim.h"

#define MS UINT64_C(1000000)
#define SECOND (1000 * MS)
#define CLIENTS 2
#define MESSAGE_BYTES_MAX 20000
#define ANSWERS_AFTER_FAULTS 5
#define SERVER_ADDRESS "10.0.0.1:26257"

struct net_world {
    struct sim_run *run;
    uint64_t answers[CLIENTS]; // Since the faults ended.
    bool faults_ended;
};

struct client_arg {
    struct net_world *world;
    uint32_t index;
};

// --- the server: sends back whatever comes -------------------------------------------------------

static void echo_input(struct conn *conn)
{
    struct bytes input = conn_input(conn);
    // Back-pressure: what waits to be sent is bounded.
    if (input.size > 0 && conn_output_bytes(conn) < 2 * MESSAGE_BYTES_MAX) {
        conn_write(conn, input.data, input.size);
        conn_consume(conn, input.size);
        conn_flush(conn);
    }
    if (conn_ended(conn)) conn_close(conn);
}

static const struct conn_handler echo_handler = {.on_input = echo_input};

static void echo_accept(struct listener *listener, struct conn *conn)
{
    conn_set_handler(conn, &echo_handler, listener_arg(listener));
}

static struct status server_listen(struct task *task, void *arg)
{
    struct listener *listener;
    struct listener_options options = {.address = ":26257",
        .input_bytes_max = 4 * MESSAGE_BYTES_MAX,
        .on_accept = echo_accept,
        .arg = arg};
    return net_listen(task, &options, &listener);
}

static struct status server_init(struct task *task, void *arg)
{
    return shard_call_all(task, server_listen, arg);
}

// --- clients -------------------------------------------------------------------------------------

static uint8_t byte_at(uint64_t key, uint64_t offset)
{
    return (uint8_t)(hash_u64(key + offset / 8) >> (offset % 8 * 8));
}

// One message there and back.
static struct status round_trip(
    struct task *task, struct client_arg *client, struct conn *conn, uint64_t key)
{
    struct status st = STATUS_OK;
    uint64_t size = 1 + hash_u64(key) % MESSAGE_BYTES_MAX;
    struct arena_mark mark = arena_mark(task->arena);
    uint8_t *data = arena_alloc(task->arena, size);
    for (uint64_t i = 0; i < size; i++)
        data[i] = byte_at(key, i);
    conn_write(conn, data, size);
    conn_flush(conn);
    for (uint64_t got = 0; got < size;) {
        TRY(conn_wait_input(task, conn, 1));
        struct bytes input = conn_input(conn);
        if (input.size > size - got)
            sim_violation(client->world->run, "client %u got more than it sent", client->index);
        for (uint64_t i = 0; i < input.size && i < size - got; i++) {
            if (input.data[i] == byte_at(key, got + i)) continue;
            sim_violation(client->world->run, "client %u got other bytes at %" PRIu64,
                client->index, got + i);
            break;
        }
        got += input.size;
        conn_consume(conn, input.size);
    }
    if (client->world->faults_ended) client->world->answers[client->index]++;
out:
    arena_release(task->arena, mark);
    return st;
}

static struct status client_init(struct task *task, void *arg)
{
    struct client_arg *client = arg;
    struct env *env = task->shard->env;
    for (;;) {
        struct conn *conn;
        struct status st = net_connect(task, SERVER_ADDRESS, 4 * MESSAGE_BYTES_MAX, &conn);
        while (!failed(st)) {
            st = round_trip(task, client, conn, env->random(env));
            if (failed(st)) conn_abort(conn);
        }
        if (task->cancelled) return st;
        st = task_sleep(task, 20 * MS + env->random(env) % (100 * MS));
        if (failed(st)) return st;
    }
}

// --- faults --------------------------------------------------------------------------------------

struct net_nodes {
    struct sim_node *server, *clients[CLIENTS];
    struct client_arg args[CLIENTS];
    struct node_options options;
};

static void revive(struct net_nodes *nodes, struct net_world *world)
{
    if (sim_node_running(nodes->server) == NULL)
        sim_node_start(nodes->server, &nodes->options, server_init, world);
    for (uint32_t i = 0; i < CLIENTS; i++) {
        if (sim_node_running(nodes->clients[i]) != NULL) continue;
        nodes->args[i] = (struct client_arg){world, i};
        sim_node_start(nodes->clients[i], &nodes->options, client_init, &nodes->args[i]);
    }
}

static void fault(struct sim *sim, struct sim_random *random, struct net_nodes *nodes)
{
    struct sim_node *client = nodes->clients[sim_random_below(random, CLIENTS)];
    switch (sim_random_below(random, 8)) {
    case 0:
        if (sim_node_running(nodes->server) != NULL) sim_node_crash(nodes->server);
        break;
    case 1:
        if (sim_node_running(client) != NULL) sim_node_kill(client);
        break;
    case 2: sim_net_cut(nodes->server, client, true); break;
    case 3: sim_net_cut(client, nodes->server, true); break;
    case 4: sim_net_heal(sim); break;
    case 5: sim_net_reset(nodes->server, client); break;
    case 6: sim_node_stop(sim_random_below(random, 2) == 0 ? nodes->server : client); break;
    default: break;
    }
}

static bool all_answered(void *arg)
{
    struct net_world *world = arg;
    for (uint32_t i = 0; i < CLIENTS; i++) {
        if (world->answers[i] < ANSWERS_AFTER_FAULTS) return false;
    }
    return true;
}

SIM_SCENARIO(net, "echoes over connections, under crashes, partitions and resets")
{
    struct net_world world = {.run = run};
    struct sim_random random = sim_random_named(run->seed, "net/faults");
    struct net_nodes nodes = {0};
    struct sim *sim = sim_run_begin(run, 0, NULL);
    nodes.options.shard_count = (uint32_t)sim_random_between(&random, 1, 3);
    nodes.server = sim_node_add(sim, 1);
    for (uint32_t i = 0; i < CLIENTS; i++)
        nodes.clients[i] = sim_node_add(sim, 2 + i);
    uint64_t faults = sim_random_below(&random, 20);
    revive(&nodes, &world);
    for (uint64_t i = 0; i < faults && !run->violated; i++) {
        sim_run_until(sim, NULL, NULL, sim_random_between(&random, 0, 300 * MS));
        fault(sim, &random, &nodes);
        if (sim_random_below(&random, 2) == 0) revive(&nodes, &world);
    }
    // Liveness: with everything healed all clients are answered. A node that is stopping is let go.
    sim_net_heal(sim);
    sim_run_until(sim, NULL, NULL, 2 * SECOND);
    revive(&nodes, &world);
    world.faults_ended = true;
    if (!sim_run_until(sim, all_answered, &world, 60 * SECOND))
        sim_violation(run, "a client has no answers a minute after the faults ended");
    sim_note(sim, world.answers[0]);
    sim_run_end(run, sim);
}
