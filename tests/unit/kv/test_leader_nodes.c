// SPDX-License-Identifier: GPL-3.0-or-later
//
// A client on a node that holds no data: everything it asks goes to another node's leaders, and is as good as there. The
// nodes and what lies between them are simulated.
#include <criterion/criterion.h>
#include <stdio.h>

#include "core/env_sim.h"
#include "core/rpc.h"
#include "kv/admin.h"
#include "kv/cluster.h"
#include "kv/leader_wire.h"
#include "kv/slice_list.h"
#include "kv/rangefeed.h"
#include "kv/replica.h"
#include "kv/txn.h"
#include "tests/unit/kv/kv_harness.h"

#define SECOND (1000 * MS)
#define NODES 2u
#define NODES_MAX 3u

// A simulated crash leaves behind what the node had allocated.
const char *__asan_default_options(void);
const char *__asan_default_options(void)
{
    return "detect_leaks=0";
}

struct test_node {
    struct sim_node *machine;
    char address[32];
    const char *join[2];
    task_fn body; // Runs when storage has started.
    bool started, done;
};

static struct {
    struct sim *sim;
    struct test_node nodes[NODES_MAX + 1];
    char failure[400];
    bool ready; // The tenant's storage is.
    bool prepared, crashed;
} world;

static struct status serve(struct task *task, struct test_node *test)
{
    struct status st = STATUS_OK;
    struct rpc_options rpc = {0};
    enum cluster_start how;
    char bound[64];
    TRY(rpc_start(task, &rpc));
    TRY(rpc_listen(task, ":26257", bound));
    const struct cluster_options options = {.dir = "/data", .address = test->address,
        .join = test->join[0] == NULL ? NULL : test->join, .single = test->join[0] == NULL};
    TRY(cluster_start(task, &options, &how));
    struct kv_options kv = {.dir = "/data/kv", .store = KV_STORE_MODEL};
    memcpy(kv.identity.cluster_id, cluster_id(task->shard->node), 16);
    kv.identity.node_id = task->shard->node->id;
    kv.joined = how == CLUSTER_JOINED;
    TRY(kv_start(task, &kv));
    TRY(cluster_live(task));
    test->started = true;
    if (test->body != NULL) TRY(test->body(task, test));
out:
    return st;
}

static struct status node_init(struct task *task, void *arg)
{
    struct test_node *test = arg;
    struct status st = serve(task, test);
    char sqlstate[6];
    status_sqlstate(st, sqlstate);
    if (failed(st)) {
        snprintf(world.failure, sizeof world.failure, "%s: %s %s", test->address, sqlstate,
            st.message);
    }
    test->done = true;
    return STATUS_OK;
}

static bool is_started(void *arg)
{
    return ((struct test_node *)arg)->started || world.failure[0] != 0;
}

static bool is_done(void *arg)
{
    return ((struct test_node *)arg)->done;
}

// As the server: who it is comes later.
static const struct node_options two_shards = {.id = 1, .shard_count = 2, .fibers_per_shard = 256};

static void begin_nodes(uint64_t seed, uint32_t count, task_fn first, task_fn second)
{
    memset(&world, 0, sizeof world);
    leader_wire_register();
    world.sim = sim_create(seed, NULL);
    for (uint32_t i = 1; i <= count; i++) {
        struct test_node *test = &world.nodes[i];
        test->machine = sim_node_add(world.sim, i);
        snprintf(test->address, sizeof test->address, "10.0.0.%u:26257", i);
        test->body = i == 1 ? first : i == 2 ? second : NULL;
        test->join[0] = i == 1 ? NULL : "10.0.0.1:26257";
        sim_node_start(test->machine, &two_shards, node_init, test);
        cr_assert(sim_run_until(world.sim, is_started, test, 60 * SECOND), "node %u", i);
        cr_assert_eq(world.failure[0], 0, "seed %lu: %s", (unsigned long)seed, world.failure);
    }
}

static void begin_world(uint64_t seed, task_fn first, task_fn second)
{
    begin_nodes(seed, NODES, first, second);
}

static void end_world(uint64_t seed, uint32_t last)
{
    cr_assert(sim_run_until(world.sim, is_done, &world.nodes[last], 300 * SECOND));
    cr_assert_eq(world.failure[0], 0, "seed %lu: %s", (unsigned long)seed, world.failure);
    sim_destroy(world.sim);
}

static void run(uint64_t seed, task_fn first, task_fn second)
{
    begin_world(seed, first, second);
    end_world(seed, 2);
}

static struct status make_tenant(struct task *task, void *arg)
{
    struct status st = STATUS_OK;
    (void)arg;
    TRY(kv_tenant_create(task, TENANT, 2));
    TRY(kv_move_empty(
        task, (struct span){key(task, "m"), key_tenant_span(task->arena, TENANT).end}, 3));
    world.ready = true;
out:
    return st;
}

// --- transactions --------------------------------------------------------------------------------

static struct status transactions(struct task *task, void *arg)
{
    struct status st = STATUS_OK;
    struct kv_txn *txn;
    struct bytes value;
    char *text;
    (void)arg;
    while (!world.ready) TRY(task_sleep(task, MS));
    // One slice, two slices, reads of what was written, inserts of what is there.
    TRY(put_now(task, "a", "one"));
    TRY(read_now(task, "a", &value));
    CHECK(is_text(value, "one"));
    TRY(begin(task, &txn));
    TRY(put(task, txn, "b", "two"));
    TRY(put(task, txn, "x", "three"));
    TRY(commit(task, txn));
    TRY(begin(task, &txn));
    TRY(scan_all(task, txn, "a", "zz", false, &text));
    CHECK(strcmp(text, "a=one b=two x=three ") == 0);
    TRY(scan_all(task, txn, "a", "zz", true, &text));
    CHECK(strcmp(text, "x=three b=two a=one ") == 0);
    TRY(get_locked(task, txn, "x", &value));
    CHECK(is_text(value, "three"));
    struct bytes existing;
    TRY(kv_insert(task, txn, key(task, "b"), BYTES_LITERAL("no"), task->arena, &existing));
    CHECK(is_text(existing, "two"));
    TRY(erase(task, txn, "b"));
    TRY(commit(task, txn));
    TRY(read_now(task, "b", &value));
    CHECK(is_text(value, NULL));

    // What changed after it was read is a conflict.
    struct kv_txn *other;
    TRY(begin(task, &txn));
    TRY(get(task, txn, "a", &value));
    TRY(begin(task, &other));
    TRY(put(task, other, "a", "new"));
    TRY(commit(task, other));
    TRY(put(task, txn, "y", "based on a"));
    CHECK_FAILS(commit(task, txn), E_SERIALIZATION_FAILURE);

    // No other tenant's keys, from whatever node.
    const struct kv_txn_options options = {.tenant = 3};
    TRY(kv_txn_begin(task, &options, &txn));
    CHECK_FAILS(kv_get(task, txn, NULL, key(task, "a"), task->arena, &value),
        E_INSUFFICIENT_PRIVILEGE);
    kv_txn_rollback(task, txn);
out:
    return st;
}

Test(leader_nodes, transactions_are_as_good_from_another_node)
{
    for (uint64_t seed = 1; seed <= 4; seed++) run(seed, make_tenant, transactions);
}

// Both nodes count the same counters up, in one slice and over two: none is lost.
static struct status count_up(struct task *task, void *arg)
{
    struct status st = STATUS_OK;
    (void)arg;
    for (uint32_t done = 0; done < 20;) {
        struct kv_txn *txn;
        struct bytes value;
        const char *keys[] = {"n", "b"};
        TRY(begin(task, &txn));
        for (uint32_t i = 0; i < 2 && !failed(st); i++) {
            st = get_locked(task, txn, keys[(done + i) % 2], &value);
            int number = value.data == NULL ? 0 : atoi(arena_string(task->arena, value));
            if (!failed(st)) {
                st = put(task, txn, keys[(done + i) % 2],
                    arena_printf(task->arena, "%d", number + 1));
            }
        }
        if (failed(st)) {
            kv_txn_rollback(task, txn);
        } else {
            st = commit(task, txn);
        }
        if (!failed(st)) done++;
        if (status_is(st, E_SERIALIZATION_FAILURE)) st = STATUS_OK;
        TRY(st);
    }
out:
    return st;
}

static struct status count_first(struct task *task, void *arg)
{
    struct status st = STATUS_OK;
    TRY(make_tenant(task, arg));
    while (!world.nodes[2].started) TRY(task_sleep(task, MS));
    TRY(count_up(task, arg));
out:
    return st;
}

static struct status count_second(struct task *task, void *arg)
{
    struct status st = STATUS_OK;
    struct bytes value;
    while (!world.ready) TRY(task_sleep(task, MS));
    TRY(count_up(task, arg));
    while (!world.nodes[1].done) TRY(task_sleep(task, MS));
    TRY(read_now(task, "n", &value));
    CHECK(is_text(value, "40"));
    TRY(read_now(task, "b", &value));
    CHECK(is_text(value, "40"));
out:
    return st;
}

Test(leader_nodes, two_nodes_count_together)
{
    for (uint64_t seed = 1; seed <= 4; seed++) run(seed, count_first, count_second);
}

// --- everything else -----------------------------------------------------------------------------

// A feed from another node begins with what is there, goes on with what comes, in order, and says up to where it is
// complete.
static struct status feeds(struct task *task, void *arg)
{
    struct status st = STATUS_OK;
    struct rangefeed *feed = NULL;
    const struct rangefeed_event *events;
    uint32_t count;
    uint32_t values = 0;
    struct hlc_timestamp resolved = HLC_ZERO;
    struct hlc_timestamp last = HLC_ZERO;
    (void)arg;
    while (!world.ready) TRY(task_sleep(task, MS));
    for (uint32_t i = 0; i < 50; i++) {
        TRY(put_now(task, arena_printf(task->arena, "a%03u", i), "old"));
    }
    const struct rangefeed_options options = {
        .tenant = TENANT, .slice = 2, .span = key_span(task, "a", "b")};
    TRY(rangefeed_open(task, &options, &feed));
    for (uint32_t written = 0; values < 100;) {
        TRY(rangefeed_next(task, feed, &events, &count));
        for (uint32_t i = 0; i < count; i++) {
            if (events[i].kind == RANGEFEED_RESOLVED) resolved = events[i].version.ts;
            if (events[i].kind != RANGEFEED_VALUE) continue;
            CHECK(hlc_less(resolved, events[i].version.ts));
            if (values >= 50) CHECK(hlc_less(last, events[i].version.ts));
            CHECK(is_text(events[i].version.value, values < 50 ? "old" : "new"));
            last = events[i].version.ts;
            values++;
        }
        if (values < 50) continue;
        for (; written < 50; written++) {
            TRY(put_now(task, arena_printf(task->arena, "a%03u", written), "new"));
        }
    }
    rangefeed_close(task, feed);
    const struct rangefeed_options forged = {
        .tenant = 3, .slice = 2, .span = key_span(task, "a", "b")};
    TRY(rangefeed_open(task, &forged, &feed));
    CHECK_FAILS(rangefeed_next(task, feed, &events, &count), E_INSUFFICIENT_PRIVILEGE);
out:
    rangefeed_close(task, feed);
    return st;
}

Test(leader_nodes, feeds_come_from_another_node)
{
    for (uint64_t seed = 1; seed <= 4; seed++) run(seed, make_tenant, feeds);
}

// For a node that has heard of none: what is to reach all slices reads it.
static struct status slices_are_written_down(struct task *task)
{
    struct status st = STATUS_OK;
    uint64_t *slices;
    uint32_t count = 0;
    while (count < 4) {
        TRY(task_sleep(task, MS));
        TRY(slice_list_read(task, task->arena, &slices, &count));
    }
    for (uint32_t i = 0; i < 4; i++) CHECK(slices[i] == i + 1);
out:
    return st;
}

static struct status administration(struct task *task, void *arg)
{
    struct status st = STATUS_OK;
    struct kv_range *ranges;
    struct kv_slice_info *slices;
    struct kv_version *versions;
    uint32_t count;
    uint64_t shown = 0;
    (void)arg;
    while (!world.ready) TRY(task_sleep(task, MS));
    TRY(kv_tenant_create(task, 9, 0));
    TRY(kv_split(task, key(task, "c")));
    for (uint32_t i = 0; i < 30; i++) TRY(put_now(task, arena_printf(task->arena, "%c", 'a' + i % 26), "v"));
    TRY(kv_ranges(task, key_tenant_span(task->arena, TENANT), task->arena, &ranges, &count));
    CHECK(count == 3 && ranges[0].node == 1 && ranges[2].slice == 3);
    TRY(kv_slices(task, task->arena, &slices, &count));
    CHECK(count == 4);
    TRY(slices_are_written_down(task));
    struct kv_export export = {.tenant = TENANT,
        .span = key_tenant_span(task->arena, TENANT),
        .at = hlc_now(&task->shard->hlc)};
    while (!export.done) {
        TRY(kv_export_next(task, &export, task->arena, &versions, &count));
        shown += count;
    }
    CHECK(shown == 26);
    struct kv_fingerprint print;
    TRY(kv_fingerprint(task, TENANT, export.span, export.at, &print));
    CHECK(print.keys == 26);
    TRY(kv_ingest_begin(task, 9));
    const struct kv_version version = {
        .key = key_in(task, 9, "k"), .value = BYTES_LITERAL("v"), .ts = {1000, 1}};
    TRY(kv_ingest(task, 9, &version, 1));
    TRY(kv_revert(task, 9, (struct hlc_timestamp){999, 0}, &shown));
    CHECK(shown == 1);
    TRY(kv_ingest_end(task, 9, HLC_MAX));
    TRY(kv_tenant_erase(task, 9));
    struct kv_protection protection = {.id = {1}, .tenant = TENANT, .ts = hlc_now(&task->shard->hlc)};
    TRY(kv_protect(task, &protection));
    TRY(kv_unprotect(task, protection.id));
out:
    return st;
}

Test(leader_nodes, administration_works_from_another_node)
{
    for (uint64_t seed = 1; seed <= 2; seed++) run(seed, make_tenant, administration);
}

// --- clients that go away ------------------------------------------------------------------------

static struct status prepare(struct task *task, struct kv_txn *txn)
{
    struct status st = STATUS_OK;
    struct txn_parts parts = {.arena = task->arena};
    TRY(put(task, txn, "a", "prepared"));
    TRY(put(task, txn, "x", "prepared"));
    TRY(txn_parts_writes(task, txn, &parts));
    for (uint32_t i = 0; i < parts.count; i++) {
        struct leader_commit commit;
        commit_request_init(txn, task, &parts.parts[i], &commit);
        TRY(commit_payload(
            task, txn, &parts.parts[i], parts.parts[0].slice, &commit.payload));
        st = leader_call(task, &commit.call, task->arena, LEADER_PREPARE);
        leader_reply_end(&commit.call);
        TRY(st);
    }
out:
    return st;
}

static struct status leave_things_behind(struct task *task, void *arg)
{
    struct status st = STATUS_OK;
    struct kv_txn *txn;
    struct kv_txn *other;
    struct bytes value;
    (void)arg;
    while (!world.ready) TRY(task_sleep(task, MS));
    TRY(put_now(task, "a", "before"));
    TRY(begin(task, &txn));
    TRY(prepare(task, txn));
    TRY(begin(task, &other));
    TRY(get_locked(task, other, "c", &value));
    world.prepared = true;
    TRY(task_sleep(task, 1000 * SECOND));
out:
    return st;
}

// What waits for the one that crashed goes on, as if its transaction had never been.
static struct status find_them(struct task *task, void *arg)
{
    struct status st = STATUS_OK;
    struct kv_txn *txn;
    struct bytes value;
    TRY(make_tenant(task, arg));
    while (!world.crashed) TRY(task_sleep(task, MS));
    TRY(begin(task, &txn));
    TRY(get(task, txn, "a", &value));
    CHECK(is_text(value, "before"));
    TRY(get(task, txn, "x", &value));
    CHECK(is_text(value, NULL));
    TRY(get_locked(task, txn, "c", &value));
    TRY(put(task, txn, "a", "after"));
    TRY(put(task, txn, "x", "after"));
    TRY(commit(task, txn));
    TRY(read_now(task, "x", &value));
    CHECK(is_text(value, "after"));
out:
    return st;
}

static bool has_prepared(void *arg)
{
    (void)arg;
    return world.prepared || world.failure[0] != 0;
}

Test(leader_nodes, what_a_crashed_client_left_is_cleaned_up)
{
    for (uint64_t seed = 1; seed <= 4; seed++) {
        begin_world(seed, find_them, leave_things_behind);
        cr_assert(sim_run_until(world.sim, has_prepared, NULL, 60 * SECOND));
        cr_assert_eq(world.failure[0], 0, "seed %lu: %s", (unsigned long)seed, world.failure);
        sim_node_crash(world.nodes[2].machine);
        world.crashed = true;
        end_world(seed, 1);
    }
}

// --- reads of the past -----------------------------------------------------------------------------

struct voters {
    uint64_t slice;
    uint32_t count;
};

static struct status voters_look(struct task *task, void *arg)
{
    struct voters *voters = arg;
    const struct slice *slice = kv_slice_find(kv_shard_of(task->shard), voters->slice);
    voters->count = slice == NULL ? 0 : raft_config_voters(&slice->log.raft.committed);
    return STATUS_OK;
}

static struct status await_voters(struct task *task, uint64_t slice)
{
    struct status st = STATUS_OK;
    struct voters voters = {.slice = slice};
    while (voters.count < 3) {
        TRY(task_sleep(task, 10 * MS));
        TRY(shard_call(task, (uint32_t)((slice - 1) % task->shard->node->shard_count), voters_look, &voters));
    }
out:
    return st;
}

// In order, to any other node.
static struct status hand_over(struct task *task, uint64_t slice)
{
    struct status st = STATUS_OK;
    struct rpc_target where;
    const uint64_t until_ns = task_now_ns(task) + 60 * SECOND;
    while (!leader_where(task->shard, slice, &where)) TRY(task_sleep(task, 10 * MS));
    const uint32_t from = where.node;
    for (uint32_t to = from % 3 + 1;; to = to % 3 + 1) {
        CHECK(task_now_ns(task) < until_ns);
        st = to == from ? STATUS_OK : kv_replica_transfer(task, from, slice, to);
        if (!failed(st) && to != from) break;
        TRY(task_sleep(task, 10 * MS));
    }
out:
    return st;
}

static struct status await_leaders_elsewhere(struct task *task)
{
    struct status st = STATUS_OK;
    struct rpc_target where;
    for (uint64_t slice = 2; slice <= 3; slice++) {
        TRY(await_voters(task, slice));
        while (!leader_where(task->shard, slice, &where) || where.node == task->shard->node->id) {
            TRY(hand_over(task, slice));
            TRY(task_sleep(task, 100 * MS));
        }
    }
out:
    return st;
}

static struct {
    bool waiting, go;
} alone;

static struct status read_alone(struct task *task, void *arg)
{
    struct status st = STATUS_OK;
    struct kv_txn *txn;
    struct bytes value;
    char *text;
    (void)arg;
    while (!world.ready) TRY(task_sleep(task, MS));
    TRY(await_leaders_elsewhere(task));
    TRY(put_now(task, "a", "then"));
    TRY(put_now(task, "x", "then"));
    TRY(begin(task, &txn));
    const struct kv_txn_options past = {.tenant = TENANT, .read_only = true, .as_of = kv_txn_read_ts(txn)};
    kv_txn_rollback(task, txn);
    // Leaders close what they have served since: both do, whoever they are by then, and go to rest.
    TRY(task_sleep(task, 5 * SECOND));
    TRY(put_now(task, "a", "later"));
    TRY(put_now(task, "y", "later"));
    TRY(task_sleep(task, 5 * SECOND));
    alone.waiting = true;
    while (!alone.go) TRY(task_sleep(task, MS));
    TRY(kv_txn_begin(task, &past, &txn));
    TRY(get(task, txn, "a", &value));
    CHECK(is_text(value, "then"));
    TRY(scan_all(task, txn, "a", "zz", false, &text));
    CHECK(strcmp(text, "a=then x=then ") == 0);
    TRY(commit(task, txn));
out:
    return st;
}

static bool alone_waits(void *arg)
{
    (void)arg;
    return alone.waiting || world.failure[0] != 0;
}

// What is behind the closed time any replica serves by itself: also the last node of three, which leads nothing and
// reaches nobody.
Test(leader_nodes, the_past_is_read_where_no_leader_can_be_reached)
{
    for (uint64_t seed = 91; seed <= 93; seed++) {
        memset(&alone, 0, sizeof alone);
        begin_nodes(seed, 3, make_tenant, read_alone);
        cr_assert(sim_run_until(world.sim, alone_waits, NULL, 120 * SECOND));
        cr_assert_eq(world.failure[0], 0, "%s", world.failure);
        sim_node_crash(world.nodes[1].machine);
        sim_node_crash(world.nodes[3].machine);
        alone.go = true;
        end_world(seed, 2);
    }
}

// --- at rest -------------------------------------------------------------------------------------

struct rest {
    uint32_t shared, ticking; // Replicas with others; those of slices nobody uses that get ticks.
    uint32_t looks;
};

static struct status rest_look(struct task *task, void *arg)
{
    struct rest *rest = arg;
    const struct kv_shard *kv = kv_shard_of(task->shard);
    rest->shared = 0;
    for (uint32_t i = 0; i < kv->slice_count; i++) {
        const struct raft_log *log = &kv->slices[i]->log;
        if (log->slice == 1 || log->raft.config.count < 2) continue; // Liveness uses the first.
        rest->shared++;
        rest->ticking += list_linked(&log->tick_link);
        rest->ticking += kv->slices[i]->committed != NULL;
    }
    rest->looks++;
    return STATUS_OK;
}

static struct status look_at_rest(struct task *task, void *arg)
{
    struct status st = STATUS_OK;
    struct rest rest = {0};
    (void)arg;
    TRY(task_sleep(task, 120 * SECOND));
    for (uint32_t i = 0; i < 100; i++) {
        for (uint32_t shard = 0; shard < task->shard->node->shard_count; shard++) {
            TRY(shard_call(task, shard, rest_look, &rest));
            CHECK(rest.shared > 0);
        }
        TRY(task_sleep(task, SECOND / 10));
    }
    CHECK(rest.ticking == 0);
out:
    return st;
}

Test(leader_nodes, slices_that_nobody_uses_get_no_ticks)
{
    begin_nodes(41, 3, look_at_rest, NULL);
    end_world(41, 1);
}
