// SPDX-License-Identifier: GPL-3.0-or-later
//
// Nodes find each other: one is initialized, the others get ids of their own; every table comes to agree; who does
// not belong is refused with the reason; who is silent is seen to be.
#include <criterion/criterion.h>
#include <stdio.h>

#include "core/codec.h"
#include "core/crypto.h"
#include "core/disk.h"
#include "core/env_sim.h"
#include "core/rpc.h"
#include "core/rpc_internal.h"
#include "kv/admin.h"
#include "kv/client.h"
#include "kv/cluster.h"
#include "kv/cluster_admin.h"

#define MS UINT64_C(1000000)
#define SECOND (1000 * MS)
#define NODES 4u

// A simulated crash leaves behind what the node had allocated.
const char *__asan_default_options(void);
const char *__asan_default_options(void)
{
    return "detect_leaks=0";
}

struct test_node {
    struct sim_node *machine;
    char address[32], dir[64];
    const char *join[4];
    bool single, started, with_kv, alive_check;
    enum cluster_start how;
    uint32_t id;
    struct node *node;
};

static struct {
    struct sim *sim;
    struct test_node nodes[NODES + 1];
    const char *first; // Address of node 1.
    char failure[400];
} world;

// Who has joined knows where the first node is, on every shard, whatever was heard while it did not know who it is: a
// process that took itself for node 1 until then never looked for node 1, unless that one changed later.
static struct status knows_first(struct task *task, void *arg)
{
    (void)arg;
    const struct rpc_shard *rpc = rpc_shard_of(task->shard);
    const struct rpc_peer *peer = hashmap_get_u64(&rpc->peers, 1);
    if (peer != NULL && strcmp(peer->address, world.first) == 0) return STATUS_OK;
    snprintf(world.failure, sizeof world.failure, "shard %u does not know where node 1 is", task->shard->index);
    return status_make(E_INTERNAL, "node 1 is not known");
}

static struct status node_init(struct task *task, void *arg)
{
    struct test_node *test = arg;
    struct rpc_options rpc = {0};
    struct status st;
    char bound[64];
    TRY(rpc_start(task, &rpc));
    TRY(rpc_listen(task, ":26257", bound));
    struct cluster_options options = {.dir = test->dir, .address = test->address, .join = test->join,
        .single = test->single, .locality = "region=a"};
    TRY(cluster_start(task, &options, &test->how));
    if (test->how == CLUSTER_JOINED) TRY(shard_call_all(task, knows_first, NULL));
    if (test->with_kv) {
        struct kv_options kv = {.dir = arena_printf(task->arena, "%s/kv", test->dir), .store = KV_STORE_MODEL};
        memcpy(kv.identity.cluster_id, cluster_id(task->shard->node), 16);
        kv.identity.node_id = task->shard->node->id;
        kv.joined = test->how == CLUSTER_JOINED;
        TRY(kv_start(task, &kv));
        TRY(cluster_live(task));
    }
    test->id = task->shard->node->id;
    test->node = task->shard->node;
    test->started = true;
    st = STATUS_OK;
out:
    return st;
}

// As the server's: which node it is comes later.
static const struct node_options two_shards = {.id = 1, .shard_count = 2, .fibers_per_shard = 128};

static void world_begin(uint64_t seed)
{
    memset(&world, 0, sizeof world);
    world.sim = sim_create(seed, NULL);
    for (uint32_t i = 1; i <= NODES; i++) {
        struct test_node *test = &world.nodes[i];
        test->machine = sim_node_add(world.sim, i);
        snprintf(test->address, sizeof test->address, "10.0.0.%u:26257", i);
        snprintf(test->dir, sizeof test->dir, "/data");
        test->join[0] = "10.0.0.1:26257";
        test->join[1] = "10.0.0.2:26257";
    }
    world.nodes[1].with_kv = true;
    world.first = world.nodes[1].address;
}

static void start(uint32_t i)
{
    world.nodes[i].started = false;
    sim_node_start(world.nodes[i].machine, &two_shards, node_init, &world.nodes[i]);
}

static bool is_started(void *arg)
{
    return ((struct test_node *)arg)->started;
}

static void await_start(uint32_t i)
{
    bool done = sim_run_until(world.sim, is_started, &world.nodes[i], 30 * SECOND);
    struct status st = sim_node_status(world.nodes[i].machine);
    cr_assert(done, "node %u: %s", i, failed(st) ? st.message : "has not started");
}

// Every running node of the list has all of them alive in its table on its last shard.
static bool agree(void *arg)
{
    uint32_t wanted = *(uint32_t *)arg;
    for (uint32_t i = 1; i <= NODES; i++) {
        if (!world.nodes[i].started || sim_node_running(world.nodes[i].machine) == NULL) continue;
        uint32_t count, alive = 0;
        const struct cluster_node *nodes = cluster_nodes(world.nodes[i].node->shards[1], &count);
        for (uint32_t n = 0; n < count; n++)
            alive += nodes[n].alive;
        if (alive != wanted) return false;
    }
    return true;
}

static void await_alive(uint32_t count)
{
    cr_assert(sim_run_until(world.sim, agree, &count, 60 * SECOND), "tables do not agree on %u alive", count);
}

static void init_first(void)
{
    world.nodes[1].single = true;
    start(1);
    await_start(1);
    cr_assert(world.nodes[1].how == CLUSTER_NEW && world.nodes[1].id == 1);
}

static void join(uint32_t i)
{
    start(i);
    await_start(i);
    cr_assert(world.nodes[i].how == CLUSTER_JOINED);
}

Test(cluster, nodes_join_and_tables_agree)
{
    for (uint64_t seed = 1; seed <= 5; seed++) {
        world_begin(seed);
        // The others wait until there is a cluster to join.
        start(2);
        start(3);
        sim_run_until(world.sim, NULL, NULL, 3 * SECOND);
        cr_assert(!world.nodes[2].started && !world.nodes[3].started);
        init_first();
        await_start(2);
        await_start(3);
        cr_assert(world.nodes[2].id + world.nodes[3].id == 5);
        await_alive(3);
        uint32_t count;
        const struct cluster_node *nodes = cluster_nodes(world.nodes[3].node->shards[0], &count);
        cr_assert(count == 3 && nodes[0].id == 1 && nodes[2].id == 3 && nodes[0].shard_count == 2);
        cr_assert_str_eq(nodes[0].locality, "region=a");
        cr_assert(cluster_alive(world.nodes[3].node->shards[1], 1));
        cr_assert(!cluster_alone(world.nodes[1].node->shards[1]));
        sim_destroy(world.sim);
    }
}

// A machine's process has a number before it joins, here the machine's: 1, which is another node's.
Test(cluster, who_joins_does_not_take_itself_for_another_node)
{
    for (uint64_t seed = 1; seed <= 5; seed++) {
        world_begin(seed);
        world.nodes[1].with_kv = false;
        world.nodes[2].single = world.nodes[2].with_kv = true;
        world.first = world.nodes[2].address;
        start(2);
        await_start(2);
        cr_assert_eq(world.nodes[2].id, 1);
        start(1);
        bool started = sim_run_until(world.sim, is_started, &world.nodes[1], 60 * SECOND);
        cr_assert(started && world.failure[0] == 0, "seed %lu: %s", (unsigned long)seed, world.failure);
        cr_assert_eq(world.nodes[1].id, 2);
        await_alive(2);
        sim_destroy(world.sim);
    }
}

Test(cluster, who_is_heard_of_while_a_node_writes_down_its_id_is_found_later)
{
    for (uint64_t seed = 1; seed <= 5; seed++) {
        world_begin(seed);
        start(2);
        start(3);
        sim_run_until(world.sim, NULL, NULL, 3 * SECOND);
        init_first();
        for (uint32_t i = 2; i <= 3; i++)
            sim_disk_freeze(world.nodes[i].machine, 3 * SECOND);
        for (uint32_t i = 2; i <= 3; i++)
            cr_assert(sim_run_until(world.sim, is_started, &world.nodes[i], 300 * SECOND), "%s", world.failure);
        cr_assert_eq(world.failure[0], 0, "seed %lu: %s", (unsigned long)seed, world.failure);
        sim_destroy(world.sim);
    }
}

static uint64_t leader_known(struct test_node *test)
{
    struct cluster_slice where;
    return cluster_slice(test->node->shards[1], 7, &where) ? where.leader : 0;
}

static bool all_know_leader(void *arg)
{
    uint64_t leader = *(uint64_t *)arg;
    for (uint32_t i = 1; i <= 3; i++)
        if (leader_known(&world.nodes[i]) != leader) return false;
    return true;
}

struct announce_arg {
    struct cluster_slice slice;
};

static bool never(void *arg)
{
    (void)arg;
    return false;
}

// Announces from inside the node, as a replica does.
static struct turn_hook announce_hook;
static struct announce_arg announce_arg;
static struct shard *announce_shard;
static void announce_run(struct turn_hook *hook)
{
    (void)hook;
    cluster_slice_announce(announce_shard, &announce_arg.slice);
}
static void announce(uint32_t node, uint64_t term)
{
    announce_shard = world.nodes[node].node->shards[1];
    announce_arg.slice = (struct cluster_slice){.slice = 7, .term = term, .config = 1,
        .leader = world.nodes[node].id, .voter_count = 3, .voters = {1, 2, 3}};
    announce_hook.fn = announce_run;
    turn_hook_arm(announce_shard, &announce_hook);
}

Test(cluster, who_has_joined_knows_who_lives_and_finds_them_again)
{
    for (uint64_t seed = 1; seed <= 5; seed++) {
        world_begin(seed);
        init_first();
        join(2);
        await_alive(2);
        // Not only with their next heartbeats: what is asked of all nodes would leave them out until then.
        join(3);
        for (uint32_t id = 1; id <= 2; id++)
            cr_assert(cluster_alive(world.nodes[3].node->shards[0], id), "seed %lu: node %u", (unsigned long)seed, id);
        // Lost as soon as it serves, and sent to another cluster: it goes by what it has saved.
        sim_node_crash(world.nodes[3].machine);
        world.nodes[4].single = world.nodes[4].with_kv = true;
        start(4);
        await_start(4);
        world.nodes[3].join[0] = "10.0.0.4:26257";
        world.nodes[3].join[1] = NULL;
        start(3);
        await_start(3);
        cr_assert(world.nodes[3].how == CLUSTER_RESTARTED && world.nodes[3].id == 3);
        sim_destroy(world.sim);
    }
}

Test(cluster, newest_leader_of_a_slice_is_known_everywhere)
{
    world_begin(11);
    init_first();
    join(2);
    join(3);
    await_alive(3);
    announce(2, 5);
    uint64_t leader = world.nodes[2].id;
    cr_assert(sim_run_until(world.sim, all_know_leader, &leader, 2 * SECOND));
    announce(3, 6);
    leader = world.nodes[3].id;
    cr_assert(sim_run_until(world.sim, all_know_leader, &leader, 2 * SECOND));
    // A late word of an older term changes nothing.
    announce(2, 5);
    sim_run_until(world.sim, never, NULL, 3 * SECOND);
    cr_assert(all_know_leader(&leader));
    // Who comes later learns of it, too.
    join(4);
    sim_run_until(world.sim, never, NULL, 5 * SECOND);
    cr_assert_eq(leader_known(&world.nodes[4]), leader);
    sim_destroy(world.sim);
}

Test(cluster, silent_nodes_are_noticed_and_come_back)
{
    for (uint64_t seed = 1; seed <= 5; seed++) {
        world_begin(seed);
        init_first();
        join(2);
        join(3);
        await_alive(3);
        sim_run_until(world.sim, never, NULL, 5 * SECOND); // The table is saved.
        sim_node_crash(world.nodes[3].machine);
        await_alive(2);
        uint32_t id = world.nodes[3].id;
        start(3);
        await_start(3);
        cr_assert(world.nodes[3].how == CLUSTER_RESTARTED && world.nodes[3].id == id);
        await_alive(3);
        // Everyone at once.
        for (uint32_t i = 1; i <= 3; i++)
            sim_node_crash(world.nodes[i].machine);
        for (uint32_t i = 3; i >= 1; i--)
            start(i);
        for (uint32_t i = 1; i <= 3; i++)
            await_start(i);
        await_alive(3);
        sim_destroy(world.sim);
    }
}

static void refused(uint32_t i, const char *reason)
{
    start(i);
    cr_assert(!sim_run_until(world.sim, is_started, &world.nodes[i], 20 * SECOND));
    struct status st = sim_node_status(world.nodes[i].machine);
    cr_assert(failed(st), "node %u was not refused", i);
    cr_assert(strstr(st.message, reason) != NULL, "%s", st.message);
}

Test(cluster, duplicate_address_is_refused)
{
    world_begin(21);
    init_first();
    join(2);
    await_alive(2);
    snprintf(world.nodes[3].address, sizeof world.nodes[3].address, "10.0.0.2:26257");
    refused(3, "is that of node 2");
    sim_destroy(world.sim);
}

Test(cluster, store_of_another_cluster_is_refused)
{
    world_begin(22);
    init_first();
    // Node 3 makes a cluster of its own, then is sent to the other one.
    world.nodes[3].single = world.nodes[3].with_kv = true;
    world.nodes[3].join[0] = NULL;
    start(3);
    await_start(3);
    sim_node_crash(world.nodes[3].machine);
    world.nodes[3].join[0] = "10.0.0.1:26257";
    start(3);
    await_start(3);
    // It serves itself, and is in nobody's table.
    sim_run_until(world.sim, never, NULL, 5 * SECOND);
    uint32_t count;
    cluster_nodes(world.nodes[1].node->shards[0], &count);
    cr_assert_eq(count, 1);
    sim_destroy(world.sim);
}

// What a node's folder said, to make a copy of the store on another machine.
static struct {
    char text[16384];
    uint64_t size;
    const char *name;
} kept;

static struct status plant_init(struct task *task, void *arg)
{
    struct test_node *test = arg;
    const char *path = arena_printf(task->arena, "%s/%s", test->dir, kept.name);

    return disk_write_file(task, path, bytes_of(kept.text, kept.size));
}

static void keep_file(uint32_t from, const char *name)
{
    uint64_t size;
    const uint8_t *data = sim_disk_peek(world.nodes[from].machine, name, &size);
    cr_assert(data != NULL && size < sizeof kept.text);
    memcpy(kept.text, data, size);
    kept.text[size] = 0;
    kept.size = size;
}

static void plant(uint32_t to, const char *name)
{
    kept.name = name;
    sim_node_start(world.nodes[to].machine, &two_shards, plant_init, &world.nodes[to]);
    sim_run_until(world.sim, never, NULL, SECOND);
    sim_node_stop(world.nodes[to].machine);
    sim_run_until(world.sim, never, NULL, 2 * SECOND);
}

Test(cluster, copied_store_is_refused_while_the_first_is_alive)
{
    world_begin(23);
    init_first();
    join(2);
    join(3);
    await_alive(3);
    keep_file(2, "/data/CLUSTER");
    plant(4, "CLUSTER");
    refused(4, "is a copy");
    // The others go on.
    await_alive(3);
    sim_destroy(world.sim);
}

// Three nodes with storage; `shelf`: a disk in no machine.
static struct sim_node *three_with_storage(uint64_t seed)
{
    world_begin(seed);
    world.nodes[2].with_kv = world.nodes[3].with_kv = world.nodes[4].with_kv = true;
    init_first();
    join(2);
    join(3);
    await_alive(3);
    return sim_node_add(world.sim, NODES + 1);
}

static void go_down(uint32_t i)
{
    if (sim_node_running(world.nodes[i].machine) != NULL) sim_node_crash(world.nodes[i].machine);
    world.nodes[i].started = false;
    sim_run_until(world.sim, never, NULL, 2500 * MS);
}

Test(cluster, copied_store_is_refused_also_while_the_first_is_down)
{
    for (uint64_t seed = 51; seed <= 53; seed++) {
        struct sim_node *shelf = three_with_storage(seed);
        go_down(2);
        sim_disk_copy(world.nodes[2].machine, shelf);
        start(2);
        await_start(2);
        go_down(2);
        // Elsewhere, and in the place of the first.
        sim_disk_copy(shelf, world.nodes[4].machine);
        refused(4, "is a copy or an old state of the store of node 2");
        sim_disk_copy(world.nodes[2].machine, world.nodes[4].machine);
        sim_disk_copy(shelf, world.nodes[2].machine);
        refused(2, "is a copy or an old state of the store of node 2");
        await_alive(2);
        // What it ran with last is its store, wherever it is now; and then what it was copied from is not.
        sim_disk_copy(world.nodes[4].machine, shelf);
        start(4);
        await_start(4);
        cr_assert(world.nodes[4].id == 2 && world.nodes[4].how == CLUSTER_RESTARTED);
        await_alive(3);
        go_down(4);
        sim_disk_copy(shelf, world.nodes[2].machine);
        refused(2, "is a copy or an old state of the store of node 2");
        sim_destroy(world.sim);
    }
}

// Nobody can be asked before there is a majority: then the first renewal decides.
Test(cluster, copied_store_is_refused_when_all_nodes_start_at_once)
{
    for (uint64_t seed = 54; seed <= 56; seed++) {
        struct sim_node *shelf = three_with_storage(seed);
        sim_run_until(world.sim, never, NULL, 20 * SECOND); // All slices have copies on all nodes.
        go_down(3);
        sim_disk_copy(world.nodes[3].machine, shelf);
        start(3);
        await_start(3);
        for (uint32_t i = 1; i <= 3; i++)
            go_down(i);
        sim_disk_copy(shelf, world.nodes[3].machine);
        start(1);
        start(2);
        refused(3, "is a copy or an old state of the store of node 3");
        await_start(1);
        await_start(2);
        sim_destroy(world.sim);
    }
}

// A state of node 1 from before it let others in: it takes itself for the whole cluster.
Test(cluster, store_from_before_there_were_others_is_refused)
{
    world_begin(57);
    init_first();
    struct sim_node *shelf = sim_node_add(world.sim, NODES + 1);
    go_down(1);
    sim_disk_copy(world.nodes[1].machine, shelf);
    start(1);
    await_start(1);
    join(2);
    await_alive(2);
    go_down(1);
    sim_disk_copy(shelf, world.nodes[1].machine);
    start(1);
    sim_run_until(world.sim, never, NULL, 10 * SECOND);
    cr_assert(sim_node_running(world.nodes[1].machine) == NULL, "it goes on");
    sim_destroy(world.sim);
}

// Between any two of the steps by which a store gets a new incarnation.
Test(cluster, node_is_taken_in_again_whenever_its_start_is_cut_short)
{
    three_with_storage(58);
    bool whole = false;
    for (uint32_t count = 1; !whole; count++) {
        go_down(2);
        sim_disk_crash_at(world.nodes[2].machine, count);
        start(2);
        whole = sim_run_until(world.sim, is_started, &world.nodes[2], 10 * SECOND);
        sim_disk_crash_at(world.nodes[2].machine, 0);
        if (whole) break;
        start(2);
        await_start(2);
    }
    for (uint32_t i = 0; i < 20; i++) {
        go_down(2);
        start(2);
        sim_run_until(world.sim, is_started, &world.nodes[2], 1500 * MS + i * 50 * MS);
        go_down(2);
        start(2);
        await_start(2);
    }
    sim_destroy(world.sim);
}

// --- stores of earlier releases, which have no incarnation -------------------------------------------

#define INCARNATION_BYTES 24u // In records, and in tables.

static struct status records_made_plain(struct task *task, void *arg)
{
    struct kv_txn *txn;
    struct kv_txn_options options = {.tenant = 0};
    struct kv_read read = {.lock = KV_LOCK_UPDATE};
    struct bytes value;
    struct status st = kv_txn_begin(task, &options, &txn);
    if (failed(st)) return st;
    for (uint8_t id = 1; id <= 3; id++) {
        const uint8_t key[] = {0x01, 'N', 0, 0, 0, id};
        TRY(kv_get(task, txn, &read, bytes_of(key, sizeof key), task->arena, &value));
        size_t size = value.size - INCARNATION_BYTES;
        uint8_t *plain = arena_alloc(task->arena, size);
        memcpy(plain, value.data, size);
        plain[0] = 1; // The format.
        TRY(kv_put(task, txn, bytes_of(key, sizeof key), bytes_of(plain, size)));
    }
    struct hlc_timestamp ts;
    TRY(kv_txn_commit(task, txn, &ts));
    *(bool *)arg = true;
out:
    return st;
}

static bool is_true(void *arg)
{
    return *(bool *)arg;
}

static void identity_made_plain(uint32_t i)
{
    keep_file(i, "/data/CLUSTER");
    char *line = strstr(kept.text, "incarnation ");
    cr_assert_not_null(line);
    kept.size = (uint64_t)(line - kept.text);
    plant(i, "CLUSTER");
}

// Takes the incarnation out of each entry.
static void peers_made_plain(uint32_t i)
{
    static char plain[sizeof kept.text];
    size_t head = strlen("isopod peers 1\n") + 4, size = head;
    keep_file(i, "/data/PEERS");
    struct codec_reader in = codec_read(bytes_of(kept.text + head, kept.size - head));
    uint32_t count = codec_get_u32(&in);
    codec_store((uint8_t *)plain + size, count, 4);
    size += 4;
    for (uint32_t n = 0; n < count; n++) {
        const uint8_t *first = codec_take(&in, 4 + 4 + 16);
        memcpy(plain + size, first, 24);
        size += 24;
        const uint8_t *rest = codec_take(&in, INCARNATION_BYTES) + INCARNATION_BYTES;
        for (uint32_t text = 0; text < 6; text++)
            (void)codec_get_bytes(&in);
        const uint8_t *end = codec_take(&in, 6 * 8 + 3 * 4 + 2 + 2 * 4) + 6 * 8 + 3 * 4 + 2 + 2 * 4;
        memcpy(plain + size, rest, (size_t)(end - rest));
        size += (size_t)(end - rest);
    }
    memcpy(plain + size, in.at, (size_t)(in.end - in.at)); // The slices.
    size += (size_t)(in.end - in.at);
    memcpy(plain, "isopod peers 1\n", head - 4);
    codec_store((uint8_t *)plain + head - 4, crypto_crc32c(0, plain + head, size - head), 4);
    memcpy(kept.text, plain, size);
    kept.size = size;
    plant(i, "PEERS");
}

Test(cluster, stores_of_an_earlier_release_are_taken_in_once)
{
    three_with_storage(59);
    sim_run_until(world.sim, never, NULL, 5 * SECOND); // The tables are saved.
    bool done = false;
    const struct task_options task = {.fn = records_made_plain, .arg = &done, .kind = "test"};
    sim_task_start(world.nodes[1].machine, 0, &task);
    cr_assert(sim_run_until(world.sim, is_true, &done, 10 * SECOND));
    for (uint32_t i = 1; i <= 3; i++)
        sim_node_crash(world.nodes[i].machine);
    for (uint32_t i = 1; i <= 3; i++) {
        identity_made_plain(i);
        peers_made_plain(i);
        // It finds the others by what is saved.
        world.nodes[i].join[0] = world.nodes[4].address;
        world.nodes[i].join[1] = NULL;
        start(i);
    }
    for (uint32_t i = 1; i <= 3; i++)
        await_start(i);
    await_alive(3);
    go_down(2);
    start(2);
    await_start(2);
    go_down(2);
    identity_made_plain(2);
    refused(2, "is a copy or an old state of the store of node 2");
    sim_destroy(world.sim);
}

Test(cluster, clock_far_off_stops_its_node_only)
{
    world_begin(24);
    init_first();
    join(2);
    join(3);
    await_alive(3);
    sim_clock_offset_set(world.nodes[3].machine, (int64_t)(700 * MS));
    sim_run_until(world.sim, never, NULL, 20 * SECOND);
    cr_assert(sim_node_running(world.nodes[3].machine) == NULL, "it goes on");
    cr_assert(sim_node_running(world.nodes[1].machine) != NULL);
    cr_assert(sim_node_running(world.nodes[2].machine) != NULL);
    sim_destroy(world.sim);
}

// --- what operators ask ------------------------------------------------------------------------------

static struct {
    bool done;
    uint8_t cluster_id[16];
    struct status st;
    char message[300];
} operator;

static struct status operator_init(struct task *task, void *arg)
{
    (void)arg;
    struct rpc_options rpc = {0};
    struct status st;
    struct cluster_admin_node *nodes;
    uint32_t count, self;
    cluster_register();
    TRY(rpc_start(task, &rpc));
    TRY(cluster_admin_init(task, "10.0.0.1:26257", operator.cluster_id));
    st = cluster_admin_init(task, "10.0.0.1:26257", operator.cluster_id);
    if (!status_is(st, E_NOT_IN_PREREQUISITE_STATE)) {
        st = status_make(E_INTERNAL, "initialized twice");
        goto out;
    }
    TRY(task_sleep(task, 8 * SECOND));
    TRY(cluster_admin_nodes(task, "10.0.0.2:26257", task->arena, &nodes, &count, &self));
    if (count != 2 || self != 2 || !nodes[0].node.alive) st = status_make(E_INTERNAL, "wrong nodes");
    TRY(st);
    TRY(cluster_admin_membership(task, "10.0.0.1:26257", 1, CLUSTER_DECOMMISSIONING, true));
    TRY(task_sleep(task, 3 * SECOND));
    TRY(cluster_admin_nodes(task, "10.0.0.2:26257", task->arena, &nodes, &count, &self));
    if (nodes[0].node.membership != CLUSTER_DECOMMISSIONING) st = status_make(E_INTERNAL, "not decommissioning");
    TRY(st);
    TRY(cluster_admin_membership(task, "10.0.0.1:26257", 1, CLUSTER_ACTIVE, true));
    st = cluster_admin_membership(task, "10.0.0.1:26257", 77, CLUSTER_ACTIVE, true);
    if (status_is(st, E_UNDEFINED_OBJECT)) st = STATUS_OK;
out:
    if (failed(st)) snprintf(operator.message, sizeof operator.message, "%s", st.message);
    operator.done = true;
    return STATUS_OK;
}

static bool operator_done(void *arg)
{
    (void)arg;
    return operator.done;
}

Test(cluster, operator_initializes_and_changes_membership)
{
    world_begin(31);
    start(1);
    start(2);
    sim_run_until(world.sim, never, NULL, 2 * SECOND);
    cr_assert(!world.nodes[1].started);
    sim_node_start(world.nodes[4].machine, &two_shards, operator_init, NULL);
    cr_assert(sim_run_until(world.sim, operator_done, NULL, 60 * SECOND));
    cr_assert_str_eq(operator.message, "");
    cr_assert(world.nodes[1].how == CLUSTER_NEW && world.nodes[2].how == CLUSTER_JOINED);
    sim_destroy(world.sim);
}
