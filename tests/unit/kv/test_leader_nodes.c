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

// --- handing over --------------------------------------------------------------------------------

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

static struct status refused(struct task *task, const char *row, enum kv_lock lock)
{
    struct status st = STATUS_OK;
    struct kv_txn *txn;
    struct bytes value;
    const struct kv_read read = {.lock = lock, .wait = KV_WAIT_FAIL};
    TRY(begin(task, &txn));
    CHECK_FAILS(kv_get(task, txn, &read, key(task, row), task->arena, &value), E_LOCK_NOT_AVAILABLE);
    kv_txn_rollback(task, txn);
out:
    return st;
}

struct waiter {
    bool ended;
    struct status st;
};

static struct status wait_for_row(struct task *task, void *arg)
{
    struct status st;
    struct waiter *waiter = arg;
    struct kv_txn *txn;
    struct bytes value;
    TRY(begin(task, &txn));
    kv_txn_weaken(txn, true);
    st = get_locked(task, txn, "a", &value);
    CHECK(failed(st) || is_text(value, "written"));
    if (!failed(st)) {
        TRY(put(task, txn, "a", "by the waiter"));
        st = commit(task, txn);
    } else {
        kv_txn_rollback(task, txn);
    }
out:
    waiter->st = st;
    waiter->ended = true;
    return STATUS_OK;
}

// Who holds locks notices nothing of it when the leadership goes to another node in order, however often; who waits
// for one waits on.
static struct status hand_locks_over(struct task *task, void *arg)
{
    struct status st;
    struct kv_txn *writer, *reader;
    struct bytes value;
    struct waiter waiter = {0};
    const struct kv_read shared = {.lock = KV_LOCK_SHARE};
    TRY(make_tenant(task, arg));
    TRY(put_now(task, "a", "one"));
    TRY(await_voters(task, 2));
    TRY(begin(task, &writer));
    kv_txn_weaken(writer, true);
    TRY(get_locked(task, writer, "a", &value));
    const struct kv_lock_mark mark = kv_txn_lock_mark(writer);
    TRY(get_locked(task, writer, "c", &value));
    TRY(begin(task, &reader));
    TRY(kv_get(task, reader, &shared, key(task, "b"), task->arena, &value));
    TRY(task_start(task->shard,
        &(struct task_options){.fn = wait_for_row, .arg = &waiter, .kind = "waiter"}));
    for (uint32_t i = 0; i < 3; i++) {
        TRY(hand_over(task, 2));
        TRY(refused(task, "a", KV_LOCK_SHARE));
        TRY(refused(task, "b", KV_LOCK_UPDATE));
        TRY(refused(task, "c", KV_LOCK_SHARE));
    }
    // Also what was locked since a savepoint is known there.
    kv_txn_unlock_to(writer, &mark);
    for (;;) {
        struct kv_txn *other;
        const struct kv_read nowait = {.lock = KV_LOCK_UPDATE, .wait = KV_WAIT_FAIL};
        TRY(begin(task, &other));
        st = kv_get(task, other, &nowait, key(task, "c"), task->arena, &value);
        kv_txn_rollback(task, other);
        if (!status_is(st, E_LOCK_NOT_AVAILABLE)) break;
        TRY(task_sleep(task, MS));
    }
    TRY(st);
    CHECK(!waiter.ended);
    TRY(put(task, writer, "a", "written"));
    TRY(commit(task, writer));
    TRY(commit(task, reader)); // Writes nothing: its lock must have been there.
    while (!waiter.ended) TRY(task_sleep(task, MS));
    TRY(waiter.st);
    TRY(read_now(task, "a", &value));
    CHECK(is_text(value, "by the waiter"));
out:
    return st;
}

Test(leader_nodes, locks_go_along_with_a_leadership_that_is_handed_over)
{
    for (uint64_t seed = 51; seed <= 54; seed++) {
        begin_nodes(seed, 3, hand_locks_over, NULL);
        end_world(seed, 1);
    }
}

struct orphan_lock {
    uint64_t txn;
    bool granted;
};

static struct status lock_for_nobody(struct task *task, void *arg)
{
    struct orphan_lock *orphan = arg;
    struct slice *slice = kv_slice_find(kv_shard_of(task->shard), 2);
    const struct lock_request request = {
        .owner.txn = orphan->txn, .mode = KV_LOCK_UPDATE, .wait = KV_WAIT_FAIL};
    if (slice == NULL || slice->role != SLICE_SERVING) return STATUS_OK;
    return lock_try(slice->locks, &request, key(task, "a"), &orphan->granted);
}

// A lock whose transaction has ended, of whatever node it was, stands in nobody's way for long: its release may have
// gone astray while the leadership was handed over.
static struct status wait_for_nobody(struct task *task, void *arg)
{
    struct status st;
    struct bytes value;
    TRY(make_tenant(task, arg));
    TRY(put_now(task, "a", "one"));
    for (uint32_t i = 0; i < 2; i++) {
        struct kv_txn *txn;
        TRY(begin(task, &txn));
        struct orphan_lock orphan = {.txn = txn->lock_id};
        kv_txn_rollback(task, txn);
        if (i == 1) orphan.txn ^= UINT64_C(0xc0) << 56; // Of another node, which does not know it.
        TRY(shard_call_all(task, lock_for_nobody, &orphan));
        CHECK(orphan.granted);
        TRY(begin(task, &txn));
        TRY(get_locked(task, txn, "a", &value));
        TRY(put(task, txn, "a", "two"));
        TRY(commit(task, txn));
    }
out:
    return st;
}

Test(leader_nodes, a_lock_of_a_transaction_that_has_ended_is_let_go)
{
    for (uint64_t seed = 55; seed <= 56; seed++) {
        begin_nodes(seed, 3, wait_for_nobody, NULL);
        end_world(seed, 1);
    }
}

// --- what became of it -----------------------------------------------------------------------------

// A commit by a client on node 2, led elsewhere, and what is lost on the way.
struct doubt {
    bool multi, locked;             // Over two slices; rows are locked before the commit begins.
    bool answer_lost, request_lost; // Messages from, and to, those that lead: from before the commit on.
    bool leader_dies, third_dies;   // Later; or, if the leader does not, connections break and messages come again.
    uint32_t code;                  // What the commit must say; 0: done.
    bool there;                     // And whether it must have been.
};

static struct {
    struct doubt doubt;
    uint32_t leader;
    bool waiting, go, ended, healed, there;
    uint32_t code;
    char message[200], hint[200];
} doubted;

static struct status await_leaders_elsewhere(struct task *task)
{
    struct status st = STATUS_OK;
    struct rpc_target where;
    for (uint64_t slice = 2; slice <= 3; slice++) {
        TRY(await_voters(task, slice));
        while (!leader_where(task->shard, slice, &where) || where.node == task->shard->node->id) {
            st = hand_over(task, slice);
            if (failed(st)) goto out;
            TRY(task_sleep(task, 100 * MS));
        }
        if (slice == 2) doubted.leader = where.node;
    }
out:
    return st;
}

static struct status commit_in_doubt(struct task *task, void *arg)
{
    struct status st = STATUS_OK;
    struct kv_txn *txn;
    struct bytes value;
    (void)arg;
    while (!world.ready) TRY(task_sleep(task, MS));
    TRY(await_leaders_elsewhere(task));
    TRY(put_now(task, "b", "connected"));
    TRY(put_now(task, "y", "connected"));
    TRY(begin(task, &txn));
    if (doubted.doubt.locked) {
        TRY(get_locked(task, txn, "a", &value));
        TRY(get_locked(task, txn, "x", &value));
    }
    TRY(put(task, txn, "a", "new"));
    if (doubted.doubt.multi) TRY(put(task, txn, "x", "new"));
    doubted.waiting = true;
    while (!doubted.go) TRY(task_sleep(task, MS));
    st = commit(task, txn);
    doubted.code = st.code;
    if (failed(st)) {
        snprintf(doubted.message, sizeof doubted.message, "%s", st.message);
        const struct status_report *report = status_report_of(st);
        if (report != NULL && report->hint != NULL)
            snprintf(doubted.hint, sizeof doubted.hint, "%s", report->hint);
    }
    doubted.ended = true;
    while (!doubted.healed) TRY(task_sleep(task, MS));
    const uint64_t until_ns = task_now_ns(task) + 60 * SECOND;
    do {
        st = read_now(task, "a", &value);
    } while (failed(st) && task_now_ns(task) < until_ns && !failed(task_sleep(task, 100 * MS)));
    TRY(st);
    doubted.there = is_text(value, "new");
    TRY(read_now(task, "x", &value));
    CHECK(!doubted.doubt.multi || is_text(value, "new") == doubted.there); // All or nothing.
out:
    return st;
}

static bool doubt_waits(void *arg)
{
    (void)arg;
    return doubted.waiting || world.failure[0] != 0;
}

static bool doubt_ended(void *arg)
{
    (void)arg;
    return doubted.ended || world.failure[0] != 0;
}

static bool never(void *arg)
{
    (void)arg;
    return false;
}

static void doubt_cut(uint32_t node, bool cut)
{
    struct sim_node *client = world.nodes[2].machine, *other = world.nodes[node].machine;
    if (doubted.doubt.answer_lost) sim_net_cut(other, client, cut);
    if (doubted.doubt.request_lost) sim_net_cut(client, other, cut);
}

static void doubt_die(uint32_t node)
{
    sim_node_crash(world.nodes[node].machine);
}

static void doubt_revive(uint32_t node)
{
    world.nodes[node].started = false;
    world.nodes[node].body = NULL;
    sim_node_start(world.nodes[node].machine, &two_shards, node_init, &world.nodes[node]);
}

static void doubt_run(uint64_t seed, const struct doubt *doubt)
{
    memset(&doubted, 0, sizeof doubted);
    doubted.doubt = *doubt;
    begin_nodes(seed, 3, make_tenant, commit_in_doubt);
    cr_assert(sim_run_until(world.sim, doubt_waits, NULL, 120 * SECOND));
    cr_assert_eq(world.failure[0], 0, "%s", world.failure);
    const uint32_t leader = doubted.leader, third = 1 + 2 + 3 - 2 - leader;
    doubt_cut(leader, true);
    doubt_cut(third, true);
    doubted.go = true;
    sim_run_until(world.sim, never, NULL, SECOND);
    cr_assert(!doubted.ended, "nobody has told it yet");
    if (doubt->leader_dies) doubt_die(leader);
    if (doubt->third_dies) doubt_die(third);
    if (!doubt->third_dies) doubt_cut(third, false);
    if (!doubt->leader_dies) {
        sim_net_reset(world.nodes[2].machine, world.nodes[leader].machine);
        sim_net_reset(world.nodes[2].machine, world.nodes[third].machine);
        doubt_cut(leader, false);
    }
    cr_assert(sim_run_until(world.sim, doubt_ended, NULL, 120 * SECOND));
    doubt_cut(leader, false);
    doubt_cut(third, false);
    if (doubt->leader_dies) doubt_revive(leader);
    if (doubt->third_dies) doubt_revive(third);
    doubted.healed = true;
    end_world(seed, 2);
    cr_assert_eq(doubted.code, doubt->code, "seed %lu: %s", (unsigned long)seed, doubted.message);
    cr_assert_eq(doubted.there, doubt->there, "seed %lu", (unsigned long)seed);
}

// The answer to a commit is lost. As long as a majority is left somebody knows what became of it, and the client is
// told that, whoever leads by then; only without one it is told that nobody knows.
Test(leader_nodes, the_result_of_a_commit_is_unknown_only_where_nobody_can_tell)
{
    static const struct doubt doubts[] = {
        {.answer_lost = true, .there = true},
        {.answer_lost = true, .leader_dies = true, .there = true},
        {.answer_lost = true, .leader_dies = true, .third_dies = true, .code = E_AMBIGUOUS_RESULT, .there = true},
        {.request_lost = true, .there = true},
        {.request_lost = true, .leader_dies = true, .there = true},
        {.request_lost = true, .leader_dies = true, .third_dies = true, .code = E_AMBIGUOUS_RESULT},
    };
    for (uint32_t i = 0; i < 18; i++) {
        struct doubt doubt = doubts[i / 3];
        doubt.multi = i % 3 > 0;
        doubt.locked = i % 3 == 1;
        if (i % 3 == 2 && doubt.code == 0) continue;
        if (i % 3 == 2 && doubt.code != 0) {
            doubt.code = E_CONNECTION_FAILURE; // It was still locking its rows: that has committed nothing.
            doubt.there = false;
        }
        doubt_run(61 + i, &doubt);
        if (doubt.code != E_AMBIGUOUS_RESULT) continue;
        cr_assert(strstr(doubted.message, "the result of the commit is unknown") != NULL, "%s", doubted.message);
        cr_assert(strstr(doubted.hint, "may have been committed") != NULL, "%s", doubted.hint);
    }
}

// --- reads of the past -----------------------------------------------------------------------------

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

// --- clocks that differ ------------------------------------------------------------------------------

static struct {
    uint32_t committed, seen; // Told past the network: what a person sees on one screen, and types at another.
} told;

static struct status commit_and_tell(struct task *task, void *arg)
{
    struct status st;
    TRY(make_tenant(task, arg));
    for (uint32_t i = 1; i <= 60; i++) {
        struct kv_txn *txn;
        const char *text = arena_printf(task->arena, "%u", i);
        TRY(begin(task, &txn));
        TRY(put(task, txn, "a", text));
        if (i % 2 == 0) TRY(put(task, txn, "x", text)); // Another slice.
        TRY(commit(task, txn));
        told.committed = i;
        while (told.seen < i) TRY(task_sleep(task, MS / 10));
        TRY(task_sleep(task, 7 * MS));
    }
out:
    return st;
}

static struct status see_what_was_told(struct task *task, void *arg)
{
    struct status st = STATUS_OK;
    (void)arg;
    while (told.seen < 60) {
        struct kv_txn *txn;
        struct bytes value;
        char *text;
        while (told.committed == told.seen) TRY(task_sleep(task, MS / 10));
        const uint32_t last = told.committed;
        const struct kv_txn_options options = {.tenant = TENANT, .read_only = last % 3 == 0};
        TRY(kv_txn_begin(task, &options, &txn));
        if (last % 3 == 1) kv_txn_weaken(txn, true);
        const char *row = last % 2 == 0 ? "x" : "a";
        const char *wanted = arena_printf(task->arena, "%u", last);
        if (last / 4 % 2 == 0) {
            TRY(get(task, txn, row, &value));
            CHECK(is_text(value, wanted));
        } else {
            TRY(scan_all(task, txn, "a", "zz", false, &text));
            CHECK(strstr(text, arena_printf(task->arena, "%s=%s ", row, wanted)) != NULL);
        }
        kv_txn_rollback(task, txn);
        told.seen = last;
    }
out:
    return st;
}

// What was committed before a transaction began, by whatever clock, is seen by it: also on a node whose clock is behind,
// and hears of the commit by no message.
Test(leader_nodes, a_clock_that_is_behind_hides_nothing_that_was_committed)
{
    for (uint64_t seed = 81; seed <= 84; seed++) {
        memset(&told, 0, sizeof told);
        begin_world(seed, commit_and_tell, see_what_was_told);
        sim_clock_offset_set(world.nodes[2].machine, -(int64_t)((seed - 80) * 90 * MS));
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
