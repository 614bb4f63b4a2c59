// SPDX-License-Identifier: GPL-3.0-or-later
//
// Calls, messages and streams between nodes while links fail and nodes die: a call is executed at most
// once, and not at all when it says so; a message arrives at most once; a stream gives what was sent,
// in order, from its beginning; and once the faults are over every call is answered.
#include <inttypes.h>
#include <stdlib.h>

#include "core/hash.h"
#include "core/rpc.h"
#include "tests/sim/nemesis.h"

#define NODES 3u
#define CALLS_MAX 4096u
#define MESSAGES_MAX 4096u
#define METHOD_CALL (RPC_TEST + 0)
#define METHOD_MESSAGE (RPC_TEST + 1)
#define METHOD_STREAM (RPC_TEST + 2)
#define ADDRESS_PORT ":26257"
#define ANSWERS_AFTER 5u

struct rpc_world {
    struct world world; // First.
    uint32_t calls, messages;
    uint8_t executed[CALLS_MAX], never[CALLS_MAX];
    uint8_t arrived[MESSAGES_MAX];
    uint32_t answers[WORLD_NODES_MAX + 1]; // Since the faults ended.
};

static struct rpc_world *current; // Handlers have no argument; one world at a time.

// --- serving -------------------------------------------------------------------------------------

static struct status call_handler(
    struct task *task, const struct rpc_request *request, struct buffer *reply)
{
    struct status st = STATUS_OK;
    uint32_t number;
    if (request->body.size < sizeof number) return status_make(E_PROTOCOL_VIOLATION, "short");
    memcpy(&number, request->body.data, sizeof number);
    if (number < CALLS_MAX && ++current->executed[number] > 1)
        sim_violation(current->world.run, "call %u was executed twice", number);
    uint64_t hash = hash_bytes(request->body);
    if (hash % 3 == 0) TRY(task_sleep(task, hash % (200 * WORLD_MS)));
    if (hash % 7 == 0) return status_make(E_UNIQUE_VIOLATION, "as asked");
    buffer_append(reply, &hash, sizeof hash);
out:
    return st;
}

static void message_handler(struct shard *shard, const struct rpc_request *request)
{
    uint32_t number;
    (void)shard;
    if (request->body.size < sizeof number) return;
    memcpy(&number, request->body.data, sizeof number);
    if (number < MESSAGES_MAX && ++current->arrived[number] > 1)
        sim_violation(current->world.run, "message %u arrived twice", number);
}

static struct status stream_handler(
    struct task *task, const struct rpc_request *request, struct rpc_stream *stream)
{
    struct status st = STATUS_OK;
    uint32_t count = 0;
    if (request->body.size == sizeof count) memcpy(&count, request->body.data, sizeof count);
    for (uint64_t i = 0; i < count; i++) {
        size_t size = 8 + hash_u64(i) % 3000;
        uint8_t *body = arena_alloc(task->arena, size);
        memset(body, (int)i, size);
        memcpy(body, &i, sizeof i);
        TRY(rpc_stream_send(task, stream, (struct bytes){body, size}));
    }
out:
    return st;
}

static const struct rpc_method methods[] = {
    {.id = METHOD_CALL, .name = "sim.call", .class = TASK_DEFAULT, .call = call_handler},
    {.id = METHOD_MESSAGE, .name = "sim.message", .class = TASK_SYSTEM, .message = message_handler},
    {.id = METHOD_STREAM, .name = "sim.stream", .class = TASK_BULK, .bulk = true, .stream = stream_handler},
};

// --- asking --------------------------------------------------------------------------------------

static struct status ask_call(struct task *task, struct rpc_world *rpc, uint32_t node, uint64_t draw)
{
    struct sim_run *run = rpc->world.run;
    if (rpc->calls == CALLS_MAX) return STATUS_OK;
    uint32_t number = rpc->calls++;
    size_t size = sizeof number + hash_u64(draw) % (draw % 5 == 0 ? 300000 : 200);
    uint8_t *body = arena_alloc_zero(task->arena, size);
    memcpy(body, &number, sizeof number);
    struct rpc_call call = {.node = node,
        .shard = draw % 3 == 0 ? RPC_ANY_SHARD : (uint32_t)(draw % rpc->world.options.shards),
        .method = METHOD_CALL,
        .body = {body, size}};
    if (draw % 4 == 0) task->deadline_ns = task_now_ns(task) + draw % (500 * WORLD_MS);
    struct status st = rpc_call(task, &call);
    task->deadline_ns = UINT64_MAX;
    uint64_t hash = hash_bytes(call.body), got = 0;
    if (!failed(st)) {
        if (call.reply.size == sizeof got) memcpy(&got, call.reply.data, sizeof got);
        if (got != hash || rpc->executed[number] != 1)
            sim_violation(run, "call %u was given the answer of another", number);
    } else if (status_is(st, E_UNIQUE_VIOLATION)) {
        if (hash % 7 != 0 || rpc->executed[number] != 1)
            sim_violation(run, "call %u was given the failure of another", number);
        st = STATUS_OK;
    } else if (!call.sent) {
        rpc->never[number] = 1;
    }
    return st;
}

static struct status ask_stream(struct task *task, struct rpc_world *rpc, uint32_t node, uint64_t draw)
{
    struct status st;
    struct rpc_stream *stream = NULL;
    uint32_t count = (uint32_t)(draw % 200);
    uint64_t stop_at = draw % 5 == 0 ? draw % 50 : UINT64_MAX;
    const struct rpc_stream_options options = {
        .target = {node, (uint32_t)(draw % rpc->world.options.shards)},
        .method = METHOD_STREAM,
        .body = bytes_of(&count, sizeof count),
        .window_bytes = draw % 2 == 0 ? 0 : 16384};
    TRY(rpc_stream_open(task, &options, &stream));
    for (uint64_t i = 0; i < stop_at; i++) {
        struct bytes body;
        uint64_t number = UINT64_MAX;
        struct arena_mark mark = arena_mark(task->arena);
        st = rpc_stream_next(task, stream, task->arena, &body);
        if (status_is(st, K_END)) {
            st = STATUS_OK;
            if (i != count)
                sim_violation(rpc->world.run, "a stream of %u ended well after %" PRIu64, count, i);
            break;
        }
        TRY(st);
        if (body.size >= sizeof number) memcpy(&number, body.data, sizeof number);
        if (number != i || body.size != 8 + hash_u64(i) % 3000)
            sim_violation(rpc->world.run, "a stream gave %" PRIu64 " for %" PRIu64, number, i);
        arena_release(task->arena, mark);
        if (draw % 3 == 0) TRY(task_sleep(task, draw % (3 * WORLD_MS)));
    }
out:
    if (stream != NULL) rpc_stream_close(stream);
    return st;
}

static struct status ask(struct task *task, void *arg)
{
    struct world_node *node = arg;
    struct rpc_world *rpc = (struct rpc_world *)node->world;
    struct status st = STATUS_OK;
    while (!task->cancelled) {
        uint64_t draw = task->shard->env->random(task->shard->env);
        struct arena_mark mark = arena_mark(task->arena);
        uint32_t to = (uint32_t)(1 + draw % NODES);
        draw /= NODES;
        if (draw % 4 == 0 && rpc->messages < MESSAGES_MAX) {
            uint32_t number = rpc->messages++;
            (void)rpc_send(task->shard,
                (struct rpc_target){to, (uint32_t)(draw % rpc->world.options.shards)},
                METHOD_MESSAGE, bytes_of(&number, sizeof number));
        } else if (draw % 4 == 1 && to != node->id) { // Streams are for others.
            st = ask_stream(task, rpc, to, draw / 4);
        } else {
            st = ask_call(task, rpc, to, draw / 4);
            if (!failed(st) && rpc->world.healed && to != node->id) rpc->answers[node->id]++;
        }
        arena_release(task->arena, mark);
        st = task_sleep(task, draw % (30 * WORLD_MS));
        if (failed(st)) break;
    }
    node->tasks--;
    return STATUS_OK;
}

// --- a node's life -------------------------------------------------------------------------------

static struct status shard_begin(struct task *task, void *arg)
{
    struct world_node *node = arg;
    struct status st = STATUS_OK;
    for (uint32_t id = 1; id <= NODES; id++) {
        rpc_peer_set(task->shard, id,
            arena_printf(task->arena, "%s" ADDRESS_PORT,
                sim_node_address(node->world->nodes[id - 1].machine)));
    }
    for (uint32_t i = 0; i < 2; i++) {
        TRY(task_start(
            task->shard, &(struct task_options){.fn = ask, .arg = node, .kind = "sim-asker"}));
        node->tasks++;
    }
out:
    return st;
}

static struct status boot(struct task *task, void *arg)
{
    struct world_node *node = arg;
    struct status st;
    char bound[64];
    const struct rpc_options options = {.cluster_id = {1, 2, 3}};
    TRY(rpc_start(task, &options));
    TRY(rpc_listen(task, ADDRESS_PORT, bound));
    node->serving = true;
    TRY(shard_call_all(task, shard_begin, node));
    TRY(task_sleep(task, 3600 * WORLD_SECOND));
out:
    task_cancel_clear(task);
    while (node->tasks > 0) {
        if (failed(task_sleep(task, WORLD_MS))) task_cancel_clear(task);
    }
    return status_is(st, E_ADMIN_SHUTDOWN) ? STATUS_OK : st;
}

static bool all_answered(void *arg)
{
    struct rpc_world *rpc = arg;
    for (uint32_t id = 1; id <= NODES; id++) {
        if (rpc->answers[id] < ANSWERS_AFTER) return false;
    }
    return true;
}

SIM_SCENARIO(rpc, "calls, messages and streams between nodes, under faults")
{
    static bool registered;
    struct rpc_world *rpc = ARENA_NEW(&run->arena, struct rpc_world);
    struct sim_random random = sim_random_named(run->seed, "rpc");
    const struct world_options options = {.clusters = 1,
        .nodes = NODES,
        .shards = (uint32_t)sim_random_between(&random, 1, 2),
        .sim = {.bend = true},
        .boot = boot};
    const struct nemesis_options faults = {
        .faults_max = 20, .gap_max_ns = WORLD_SECOND, .allowed = NEMESIS_ALL};
    for (uint32_t i = 0; i < sizeof methods / sizeof methods[0] && !registered; i++)
        rpc_method_register(&methods[i]);
    registered = true;
    current = rpc;
    world_begin(&rpc->world, run, &options);
    nemesis_plan(&rpc->world, &faults);
    world_start_all(&rpc->world);
    world_run(&rpc->world, NULL, NULL, sim_random_between(&random, 1, 8) * WORLD_SECOND);
    world_heal(&rpc->world);
    world_expect(&rpc->world, "every node is answered", all_answered, rpc, 60 * WORLD_SECOND);
    if (!run->violated) world_stop(&rpc->world);
    for (uint32_t i = 0; i < rpc->calls; i++) {
        if (rpc->never[i] && rpc->executed[i] > 0)
            sim_violation(run, "call %u was said not to have been sent, and was executed", i);
    }
    sim_count(run, "calls", rpc->calls);
    sim_count(run, "messages", rpc->messages);
    world_end(&rpc->world);
}
