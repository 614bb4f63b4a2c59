// SPDX-License-Identifier: GPL-3.0-or-later
#include <criterion/criterion.h>
#include <errno.h>

#include "core/env_sim.h"

#define MS UINT64_C(1000000)
#define SECOND (1000 * MS)

static const struct node_options two_shards = {.shard_count = 2, .fibers_per_shard = 16};
static const struct node_options one_shard = {.shard_count = 1, .fibers_per_shard = 16};

// Straight-line disk and network operations for these tests.
struct waiter {
    struct wait_queue queue;
    bool done;
};

static void disk_done(struct disk_op *op)
{
    struct waiter *waiter = op->arg;
    waiter->done = true;
    wait_queue_wake_all(&waiter->queue, STATUS_OK);
}

static int64_t disk_do(struct task *task, struct disk_op op)
{
    struct waiter waiter = {0};
    op.complete = disk_done;
    op.arg = &waiter;
    task->shard->env->disk_submit(task->shard->env, task->shard, &op);
    while (!waiter.done)
        if (failed(task_wait(task, &waiter.queue))) task_cancel_clear(task);
    return op.result;
}

// --- clocks, shards, determinism -------------------------------------------------------------------

struct counted {
    uint32_t calls, on_shard;
    uint64_t slept_ns;
};

static struct status bump(struct task *task, void *arg)
{
    struct counted *counted = arg;
    counted->calls++;
    counted->on_shard = task->shard->index;
    return task_sleep(task, 3 * MS);
}

static struct status call_init(struct task *task, void *arg)
{
    struct status st = STATUS_OK;
    struct counted *counted = arg;
    uint64_t start = task_now_ns(task);
    for (int i = 0; i < 10; i++)
        TRY(shard_call(task, 1, bump, counted));
    counted->slept_ns = task_now_ns(task) - start;
out:
    return st;
}

static bool called_ten_times(void *arg)
{
    return ((struct counted *)arg)->slept_ns != 0;
}

static uint64_t digest_of(uint64_t seed)
{
    struct counted counted = {0};
    struct sim *sim = sim_create(seed, NULL);
    struct sim_node *node = sim_node_add(sim, 1);
    sim_node_start(node, &two_shards, call_init, &counted);
    cr_assert(sim_run_until(sim, called_ten_times, &counted, SECOND));
    cr_assert(counted.calls == 10 && counted.on_shard == 1);
    cr_assert(counted.slept_ns >= 30 * MS && counted.slept_ns < 40 * MS);
    uint64_t digest = sim_digest(sim);
    sim_destroy(sim);
    return digest;
}

Test(env_sim, the_same_seed_gives_the_same_run_and_another_another)
{
    uint64_t digest = digest_of(7);
    cr_assert_eq(digest_of(7), digest);
    cr_assert_neq(digest_of(8), digest);
}

static struct status wall_read(struct task *task, void *arg)
{
    *(int64_t *)arg = task->shard->env->wall_ns(task->shard->env);
    return STATUS_OK;
}

struct walls {
    struct sim_node *node;
    bool grew, done;
};

static struct status walls_init(struct task *task, void *arg)
{
    struct walls *walls = arg;
    struct status st;
    int64_t before, after;
    TRY(wall_read(task, &before));
    sim_clock_offset_set(walls->node, -(int64_t)(300 * MS));
    walls->grew = true;
    for (uint32_t i = 0; i < 10; i++) {
        TRY(shard_call(task, 1, wall_read, &after));
        walls->grew = walls->grew && after > before;
        TRY(wall_read(task, &before));
        walls->grew = walls->grew && before > after;
    }
    walls->done = true;
out:
    return st;
}

static bool walls_done(void *arg)
{
    return ((struct walls *)arg)->done;
}

// Shards tell by it what came after what they have heard from each other.
Test(env_sim, a_clock_that_is_set_back_neither_goes_back_nor_stands_still)
{
    struct walls walls = {0};
    struct sim *sim = sim_create(1, NULL);
    walls.node = sim_node_add(sim, 1);
    sim_node_start(walls.node, &two_shards, walls_init, &walls);
    cr_assert(sim_run_until(sim, walls_done, &walls, SECOND));
    cr_expect(walls.grew);
    sim_destroy(sim);
}

static struct status long_init(struct task *task, void *arg)
{
    (void)arg;
    return task_sleep(task, 3600 * SECOND);
}

Test(env_sim, an_idle_hour_is_a_jump_and_a_stop_ends_the_node)
{
    struct sim *sim = sim_create(1, NULL);
    struct sim_node *node = sim_node_add(sim, 1);
    sim_node_start(node, &two_shards, long_init, NULL);
    sim_run_until(sim, NULL, NULL, 1800 * SECOND);
    cr_assert_not_null(sim_node_running(node));
    sim_node_stop(node);
    sim_run_until(sim, NULL, NULL, 10 * SECOND);
    cr_assert_null(sim_node_running(node));
    cr_assert_eq(sim_node_status(node).code, E_ADMIN_SHUTDOWN);
    sim_destroy(sim);
}

// --- disk ------------------------------------------------------------------------------------------

#define SECTORS 64

struct disk_test {
    uint8_t synced, unsynced; // What is written, sector by sector; 0: not.
    bool done;
    int64_t result;
};

static struct status disk_init(struct task *task, void *arg)
{
    struct disk_test *test = arg;
    uint8_t *data = arena_alloc(task->arena, SECTORS * 4096);
    int64_t handle =
        disk_do(task, (struct disk_op){.kind = DISK_OPEN, .path = "/data/f", .flags = DISK_CREATE});
    cr_assert_geq(handle, 0);
    struct disk_op write = {
        .kind = DISK_WRITE, .handle = handle, .buffer = data, .size = SECTORS * 4096};
    memset(data, test->synced, SECTORS * 4096);
    cr_assert_eq(disk_do(task, write), SECTORS * 4096);
    cr_assert_eq(disk_do(task, (struct disk_op){.kind = DISK_SYNC, .handle = handle}), 0);
    memset(data, test->unsynced, SECTORS * 4096);
    cr_assert_eq(disk_do(task, write), SECTORS * 4096);
    test->done = true;
    return task_sleep(task, SECOND);
}

static bool disk_test_done(void *arg)
{
    return ((struct disk_test *)arg)->done;
}

Test(env_sim, a_crash_keeps_what_was_synced_and_any_part_of_the_rest)
{
    uint32_t old = 0, new = 0;
    for (uint64_t seed = 1; seed <= 10; seed++) {
        struct disk_test test = {.synced = 1, .unsynced = 2};
        struct sim *sim = sim_create(seed, NULL);
        struct sim_node *node = sim_node_add(sim, 1);
        sim_node_start(node, &one_shard, disk_init, &test);
        cr_assert(sim_run_until(sim, disk_test_done, &test, SECOND));
        sim_node_crash(node);
        uint64_t size;
        const uint8_t *data = sim_disk_peek(node, "/data/f", &size);
        cr_assert_eq(size, SECTORS * 4096);
        for (uint32_t i = 0; i < SECTORS * 4096; i++) {
            old += data[i] == 1;
            new += data[i] == 2;
        }
        sim_destroy(sim);
    }
    cr_assert_eq(old + new, 10 * SECTORS * 4096, "one or the other, nothing else");
    cr_assert(old > SECTORS * 4096 && new > SECTORS * 4096, "each happens");
}

Test(env_sim, a_kill_keeps_the_page_cache)
{
    struct disk_test test = {.synced = 1, .unsynced = 2};
    struct sim *sim = sim_create(1, NULL);
    struct sim_node *node = sim_node_add(sim, 1);
    sim_node_start(node, &one_shard, disk_init, &test);
    cr_assert(sim_run_until(sim, disk_test_done, &test, SECOND));
    sim_node_kill(node);
    uint64_t size;
    const uint8_t *data = sim_disk_peek(node, "/data/f", &size);
    for (uint64_t i = 0; i < size; i++)
        cr_assert_eq(data[i], 2);
    sim_destroy(sim);
}

static struct status dsync_init(struct task *task, void *arg)
{
    struct disk_test *test = arg;
    uint8_t *data = arena_alloc_aligned(task->arena, 8192, 4096);
    memset(data, 3, 8192);
    int64_t handle =
        disk_do(task, (struct disk_op){.kind = DISK_OPEN, .path = "/data/f", .flags = DISK_CREATE});
    struct disk_op write = {.kind = DISK_WRITE,
        .handle = handle,
        .buffer = data,
        .size = 8192,
        .flags = DISK_DIRECT | DISK_DSYNC};
    test->result = disk_do(task, write);
    write.size = 100;
    cr_assert_eq(disk_do(task, write), -EINVAL, "direct writes are aligned");
    test->done = true;
    return task_sleep(task, SECOND);
}

Test(env_sim, a_dsync_write_is_durable_and_a_planned_crash_comes_at_its_operation)
{
    for (uint64_t at = 1; at <= 4; at++) {
        struct disk_test test = {0};
        struct sim *sim = sim_create(at, NULL);
        struct sim_node *node = sim_node_add(sim, 1);
        sim_node_start(node, &one_shard, dsync_init, &test);
        sim_disk_crash_at(node, at);
        sim_run_until(sim, disk_test_done, &test, SECOND);
        cr_assert_eq(sim_node_crashed(node), at < 4);
        cr_assert_eq(sim_disk_ops(node), at < 4 ? at : 3);
        cr_assert_eq(test.result, at > 2 ? 8192 : 0);
        if (at > 2) {
            if (sim_node_running(node) != NULL) sim_node_crash(node);
            uint64_t size;
            const uint8_t *data = sim_disk_peek(node, "/data/f", &size);
            cr_assert(size == 8192 && data[0] == 3 && data[8191] == 3);
        }
        sim_destroy(sim);
    }
}

Test(env_sim, planned_failures_and_a_full_disk_are_reported)
{
    struct disk_test test = {0};
    struct sim *sim = sim_create(3, NULL);
    struct sim_node *node = sim_node_add(sim, 1);
    sim_disk_fail_at(node, 2, EIO);
    sim_node_start(node, &one_shard, dsync_init, &test);
    sim_run_until(sim, disk_test_done, &test, SECOND);
    cr_assert_eq(test.result, -EIO);
    sim_node_kill(node);

    test = (struct disk_test){0};
    sim_disk_quota_set(node, 4096);
    sim_node_start(node, &one_shard, dsync_init, &test);
    sim_run_until(sim, disk_test_done, &test, SECOND);
    cr_assert_eq(test.result, -ENOSPC);
    sim_destroy(sim);
}

// --- time ------------------------------------------------------------------------------------------

struct sleeper {
    bool over;
};

static struct status sleeper_init(struct task *task, void *arg)
{
    struct status st = task_sleep(task, 3600 * SECOND);
    ((struct sleeper *)arg)->over = true;
    return st;
}

Test(env_sim, no_more_time_passes_than_is_run_for_though_nothing_happens)
{
    struct sleeper sleeper = {0};
    struct sim *sim = sim_create(5, NULL);
    struct sim_node *node = sim_node_add(sim, 1);
    sim_node_start(node, &one_shard, sleeper_init, &sleeper);
    for (int i = 0; i < 3; i++) {
        uint64_t start_ns = sim_now_ns(sim);
        sim_run_until(sim, NULL, NULL, SECOND);
        cr_assert_leq(sim_now_ns(sim) - start_ns, SECOND + MS); // A turn may be under way.
        cr_assert_geq(sim_now_ns(sim) - start_ns, SECOND);
        cr_assert_not(sleeper.over);
    }
    sim_run_until(sim, NULL, NULL, 3600 * SECOND);
    cr_assert(sleeper.over);
    sim_destroy(sim);
}

// --- network ---------------------------------------------------------------------------------------

#define PAYLOAD 300000

struct server {
    char local[NET_ADDRESS_BYTES];
    struct net_op listen, recv, send;
    struct net_buffer iov;
    struct shard *shard;
    uint8_t *data;
    size_t size;
};

struct client;
struct client_op {
    struct net_op op;
    struct waiter waiter;
    struct client *client;
};

struct client {
    struct client_op connect, send, recv; // Here, for they outlive the task.
    const char *address;
    uint64_t received;
    int64_t connect_result, last_result;
    bool done;
};

static void server_sent(struct net_op *op)
{
    (void)op;
}

// Sends back the whole payload once it is there.
static void server_received(struct net_op *op)
{
    struct server *server = op->arg;
    if (op->result <= 0) return;
    memcpy(server->data + server->size, op->data, (size_t)op->result);
    server->size += (size_t)op->result;
    if (server->size < PAYLOAD) return;
    server->iov = (struct net_buffer){server->data, server->size};
    server->send = (struct net_op){.kind = NET_SEND,
        .handle = op->handle,
        .iov = &server->iov,
        .iov_count = 1,
        .complete = server_sent};
    server->shard->env->net_submit(server->shard->env, server->shard, &server->send);
}

static void server_accepted(struct net_op *op)
{
    struct server *server = op->arg;
    if (op->result < 0) return;
    server->size = 0;
    server->recv = (struct net_op){
        .kind = NET_RECV, .handle = op->result, .complete = server_received, .arg = server};
    server->shard->env->net_submit(server->shard->env, server->shard, &server->recv);
}

static struct status server_init(struct task *task, void *arg)
{
    struct server *server = arg;
    server->shard = task->shard;
    server->data = arena_alloc(task->arena, PAYLOAD);
    server->listen = (struct net_op){.kind = NET_LISTEN,
        .address = ":26257",
        .complete = server_accepted,
        .arg = server,
        .local = server->local};
    task->shard->env->net_submit(task->shard->env, task->shard, &server->listen);
    cr_assert_eq(server->listen.result, 0);
    cr_assert_str_eq(server->local, "10.0.0.1:26257");
    return task_sleep(task, 3600 * SECOND);
}

static void client_done(struct net_op *op)
{
    struct client_op *it = op->arg;
    if (op->kind == NET_RECV && op->result > 0) {
        for (int64_t i = 0; i < op->result; i++)
            cr_assert_eq(op->data[i], (uint8_t)((it->client->received + (uint64_t)i) * 7));
        it->client->received += (uint64_t)op->result;
        if (it->client->received < PAYLOAD) return;
    }
    it->waiter.done = true;
    wait_queue_wake_all(&it->waiter.queue, STATUS_OK);
}

static int64_t net_do(struct task *task, struct client_op *it)
{
    it->op.complete = client_done;
    it->op.arg = it;
    task->shard->env->net_submit(task->shard->env, task->shard, &it->op);
    while (!it->waiter.done)
        if (failed(task_wait(task, &it->waiter.queue))) task_cancel_clear(task);
    return it->op.result;
}

static struct status client_init(struct task *task, void *arg)
{
    struct client *client = arg;
    struct client_op *connect = &client->connect;
    struct client_op *send = &client->send;
    struct client_op *recv = &client->recv;
    connect->op = (struct net_op){.kind = NET_CONNECT, .address = client->address};
    client->connect_result = net_do(task, connect);
    if (client->connect_result >= 0) {
        uint8_t *data = arena_alloc(task->arena, PAYLOAD);
        for (uint32_t i = 0; i < PAYLOAD; i++)
            data[i] = (uint8_t)(i * 7);
        struct net_buffer iov[2] = {{data, 1000}, {data + 1000, PAYLOAD - 1000}};
        send->op = (struct net_op){
            .kind = NET_SEND, .handle = client->connect_result, .iov = iov, .iov_count = 2};
        recv->op = (struct net_op){.kind = NET_RECV, .handle = client->connect_result};
        recv->client = client;
        client->last_result = net_do(task, send);
        if (client->last_result > 0) client->last_result = net_do(task, recv);
    }
    client->done = true;
    return task_sleep(task, 3600 * SECOND);
}

static bool client_is_done(void *arg)
{
    return ((struct client *)arg)->done;
}

struct world {
    struct sim *sim;
    struct sim_node *server_node, *client_node;
    struct server server;
    struct client client;
};

static void world_start(struct world *world, uint64_t seed)
{
    *world = (struct world){.sim = sim_create(seed, NULL), .client.address = "10.0.0.1:26257"};
    world->server_node = sim_node_add(world->sim, 1);
    world->client_node = sim_node_add(world->sim, 2);
    sim_node_start(world->server_node, &one_shard, server_init, &world->server);
    sim_run_until(world->sim, NULL, NULL, MS);
}

Test(env_sim, streams_are_ordered_and_whole_however_they_are_cut)
{
    for (uint64_t seed = 1; seed <= 5; seed++) {
        struct world world;
        world_start(&world, seed);
        sim_node_start(world.client_node, &one_shard, client_init, &world.client);
        cr_assert(sim_run_until(world.sim, client_is_done, &world.client, 10 * SECOND));
        cr_assert_eq(world.client.received, PAYLOAD);
        sim_node_stop(world.server_node);
        sim_node_stop(world.client_node);
        sim_run_until(world.sim, NULL, NULL, 10 * SECOND);
        cr_assert_null(sim_node_running(world.server_node));
        cr_assert_null(sim_node_running(world.client_node));
        sim_destroy(world.sim);
    }
}

Test(env_sim, a_partition_holds_bytes_back_and_healing_lets_them_through)
{
    struct world world;
    world_start(&world, 9);
    sim_node_start(world.client_node, &one_shard, client_init, &world.client);
    while (world.server.size == 0)
        cr_assert(sim_step(world.sim));
    sim_net_cut(world.client_node, world.server_node, true);
    sim_run_until(world.sim, client_is_done, &world.client, 60 * SECOND);
    cr_assert_not(world.client.done);
    cr_assert(world.server.size < PAYLOAD);
    sim_net_heal(world.sim);
    cr_assert(sim_run_until(world.sim, client_is_done, &world.client, 10 * SECOND));
    cr_assert_eq(world.client.received, PAYLOAD);
    sim_destroy(world.sim);
}

Test(env_sim, a_crashed_peer_resets_its_connections_and_refuses_new_ones)
{
    struct world world;
    world_start(&world, 11);
    sim_node_start(world.client_node, &one_shard, client_init, &world.client);
    while (world.server.size == 0)
        cr_assert(sim_step(world.sim));
    sim_node_crash(world.server_node);
    cr_assert(sim_run_until(world.sim, client_is_done, &world.client, 10 * SECOND));
    cr_assert_eq(world.client.last_result, -ECONNRESET);
    sim_node_kill(world.client_node);
    world.client = (struct client){.address = "10.0.0.1:26257"};
    sim_node_start(world.client_node, &one_shard, client_init, &world.client);
    cr_assert(sim_run_until(world.sim, client_is_done, &world.client, 10 * SECOND));
    cr_assert_eq(world.client.connect_result, -ECONNREFUSED);
    sim_destroy(world.sim);
}
