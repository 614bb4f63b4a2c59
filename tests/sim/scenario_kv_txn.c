// SPDX-License-Identifier: GPL-3.0-or-later
//
// Transactions over several slices and shards while the node crashes, restarts with other numbers
// of shards, splits its ranges and checkpoints. At the end all versions are read back and
//   - every acknowledged transaction is there, whole, at its timestamp,
//   - one whose end nobody saw is there whole or not at all, one that was refused is not there,
//   - in the order of their timestamps they are a serial history: each read what those before it
//     wrote,
//   - that order does not contradict the order in which they began and were acknowledged,
//   - and the rangefeeds, opened anew after each start from their last resolved mark, told every
//     version.
#include <inttypes.h>
#include <stdlib.h>

#include "core/hash.h"
#include "core/mark.h"
#include "kv/key.h"
#include "kv/kv_node.h"
#include "kv/rangefeed.h"
#include "kv/txn.h"
#include "tests/sim/one_node.h"
#include "tests/sim/store_pair.h"

#define MS UINT64_C(1000000)
#define SECOND (1000 * MS)
#define TENANT 5u
#define KEYS 8u
#define GROUPS 4u // Of keys; each in a slice of its own where there are enough.
#define WORKERS 3u
#define SHARDS_MAX 3u
#define SLICES_MAX (4 * SHARDS_MAX)
#define TXNS_MAX 1200u
#define OPS_MAX 5u
#define READS_MAX (OPS_MAX * KEYS) // Of one operation as many as there are keys.
#define VERSIONS_MAX 8000u

enum txn_state { TXN_UNKNOWN, TXN_DONE, TXN_VOID };

struct seen {
    uint32_t key;
    uint64_t value; // 0: absent.
};
#define SOME_VALUE UINT64_MAX // Of a read that only says that the key is there.

struct txn {
    enum txn_state state;
    struct hlc_timestamp ts;
    bool wrote;
    uint64_t began, acknowledged; // Of world->clock; acknowledged 0: never.
    struct seen reads[READS_MAX], writes[OPS_MAX + 1];
    uint32_t read_count, write_count;
};

struct version {
    uint32_t key;
    uint64_t value; // 0: a tombstone.
    struct hlc_timestamp ts;
    bool told; // By a feed.
};

struct world {
    struct sim_run *run;
    uint64_t incarnation;
    uint32_t shards, transactions;
    struct txn *txns;
    uint32_t txn_count;
    struct version *versions;
    uint32_t version_count;
    struct version *told; // By feeds, also twice.
    uint32_t told_count;
    struct hlc_timestamp resolved[GROUPS]; // Of the feed of each group of keys.
    uint64_t next_value, clock;
    uint32_t working, listening;
    bool done, failed, last;
};

struct worker {
    struct world *world;
    uint64_t number; // Of a worker or a slice.
};

// --- keys ----------------------------------------------------------------------------------------

static struct bytes group_key(struct arena *arena, uint32_t group)
{
    struct buffer key;
    buffer_init(&key, arena);
    key_append_tenant_prefix(&key, TENANT);
    buffer_append_u8(&key, (uint8_t)('a' + group));
    return buffer_bytes(&key);
}

static struct bytes key_of(struct arena *arena, uint32_t number)
{
    struct buffer key;
    buffer_init(&key, arena);
    buffer_append_bytes(&key, group_key(arena, number % GROUPS));
    buffer_append_u8(&key, (uint8_t)number);
    return buffer_bytes(&key);
}

static uint32_t number_of(struct bytes key)
{
    return key.data[key.size - 1];
}

static uint64_t value_number(struct bytes value)
{
    uint64_t number = 0;
    if (value.data != NULL && value.size >= 8) memcpy(&number, value.data, 8);
    return number;
}

// --- work ----------------------------------------------------------------------------------------

static void note_read(struct txn *txn, uint32_t key, struct bytes value)
{
    for (uint32_t i = 0; i < txn->write_count; i++) {
        if (txn->writes[i].key == key) return;
    }
    txn->reads[txn->read_count++] = (struct seen){key, value_number(value)};
}

static struct status op_scan(
    struct task *task, struct kv_txn *kv, struct txn *txn, bool reverse, enum kv_lock lock)
{
    struct status st = STATUS_OK;
    struct bytes found[KEYS] = {0};
    struct kv_scan scan;
    struct kv_batch batch;
    kv_scan_init(&scan, key_tenant_span(task->arena, TENANT));
    scan.batch_rows = 3;
    scan.reverse = reverse;
    scan.read.lock = lock;
    do {
        TRY(kv_scan_next(task, kv, &scan, task->arena, &batch));
        for (uint32_t i = 0; i < batch.count; i++) {
            found[number_of(batch.pairs[i].key)] = batch.pairs[i].value;
        }
    } while (batch.count > 0);
    for (uint32_t i = 0; i < KEYS; i++) note_read(txn, i, found[i]);
out:
    return st;
}

// Several keys, locked as rows that others refer to are: what is found is there as long as the lock is; or (`values`) read
// as well, while others may go on to change them.
static struct status op_refer(struct task *task, struct kv_txn *kv, struct txn *txn,
    uint32_t first, uint32_t count, bool values)
{
    struct status st = STATUS_OK;
    struct bytes keys[KEYS], found[KEYS];
    const struct kv_read read = {.lock = KV_LOCK_KEY_SHARE, .no_validate = !values};
    for (uint32_t i = 0; i < count; i++) keys[i] = key_of(task->arena, (first + i) % KEYS);
    TRY(kv_get_many(task, kv, &read, keys, count, task->arena, found, NULL));
    for (uint32_t i = 0; i < count; i++) {
        const uint64_t some = SOME_VALUE;
        note_read(txn, (first + i) % KEYS,
            values || found[i].data == NULL ? found[i] : bytes_of(&some, sizeof some));
    }
out:
    return st;
}

static enum kv_lock some_lock(struct sim_random *random)
{
    return KV_LOCK_KEY_SHARE + (enum kv_lock)sim_random_below(random, KV_LOCK_MODES);
}

static struct status op_write(struct task *task, struct world *world, struct kv_txn *kv,
    struct txn *txn, uint32_t key, bool erase)
{
    uint64_t value = ++world->next_value;
    struct bytes at = key_of(task->arena, key);
    struct status st = erase ? kv_delete(task, kv, at) : kv_put(task, kv, at, bytes_of(&value, 8));
    if (!failed(st)) txn->writes[txn->write_count++] = (struct seen){key, erase ? 0 : value};
    return st;
}

static struct status op_insert(
    struct task *task, struct world *world, struct kv_txn *kv, struct txn *txn, uint32_t key)
{
    uint64_t value = ++world->next_value;
    struct bytes existing;
    struct status st = kv_insert(
        task, kv, key_of(task->arena, key), bytes_of(&value, 8), task->arena, &existing);
    if (failed(st)) return st;
    note_read(txn, key, existing);
    if (existing.data == NULL) txn->writes[txn->write_count++] = (struct seen){key, value};
    return st;
}

static struct status run_ops(struct task *task, struct world *world, struct kv_txn *kv,
    struct txn *txn, struct sim_random *random)
{
    struct status st = STATUS_OK;
    uint64_t ops = sim_random_between(random, 1, OPS_MAX);
    for (uint64_t i = 0; i < ops; i++) {
        uint32_t key = (uint32_t)sim_random_below(random, KEYS);
        struct kv_read read = {0};
        struct bytes value;
        switch (sim_random_below(random, 12)) {
        case 0:
            TRY(op_scan(task, kv, txn, i % 2 == 1,
                sim_random_below(random, 3) == 0 ? some_lock(random) : KV_LOCK_NONE));
            break;
        case 1:
        case 2: read.lock = some_lock(random); __attribute__((fallthrough));
        case 3:
        case 4:
            TRY(kv_get(task, kv, &read, key_of(task->arena, key), task->arena, &value));
            note_read(txn, key, value);
            break;
        case 5: TRY(op_write(task, world, kv, txn, key, true)); break;
        case 6: TRY(op_insert(task, world, kv, txn, key)); break;
        case 10:
        case 11:
            TRY(op_refer(task, kv, txn, key, 1 + (uint32_t)sim_random_below(random, 4),
                sim_random_below(random, 3) == 0));
            break;
        case 7: TRY(task_sleep(task, sim_random_below(random, 3 * MS))); break;
        default: TRY(op_write(task, world, kv, txn, key, false));
        }
    }
    // What only deletes could not be told from its kind.
    if (txn->write_count > 0) {
        TRY(op_write(task, world, kv, txn, (uint32_t)sim_random_below(random, KEYS), false));
    }
out:
    return st;
}

static bool is_ordinary(struct status st)
{
    return status_is(st, E_SERIALIZATION_FAILURE) || status_is(st, E_DISK_FULL);
}

static struct status one_txn(struct task *task, struct world *world, struct sim_random *random)
{
    if (world->txn_count == TXNS_MAX) return STATUS_OK;
    struct txn *txn = &world->txns[world->txn_count++];
    struct arena_mark mark = arena_mark(task->arena);
    const struct kv_txn_options options = {.tenant = TENANT};
    struct kv_txn *kv;
    txn->began = ++world->clock;
    struct status st = kv_txn_begin(task, &options, &kv);
    if (failed(st)) {
        txn->state = TXN_VOID;
        return st;
    }
    // A third of them stages its writes, as a large one does.
    if (sim_random_below(random, 3) == 0) kv->buffer_bytes_max = sim_random_below(random, 2) * 300;
    st = run_ops(task, world, kv, txn, random);
    struct hlc_timestamp read_ts = kv_txn_read_ts(kv);
    if (failed(st)) {
        txn->state = TXN_VOID;
        kv_txn_rollback(task, kv);
        goto out;
    }
    txn->wrote = kv_txn_has_writes(kv);
    read_ts = kv_txn_read_ts(kv);
    st = kv_txn_commit(task, kv, &txn->ts);
    if (!failed(st)) {
        if (!txn->wrote) txn->ts = read_ts;
        txn->state = TXN_DONE;
        txn->acknowledged = ++world->clock;
    } else if (!status_is(st, E_AMBIGUOUS_RESULT)) {
        txn->state = TXN_VOID;
    }
out:
    arena_release(task->arena, mark);
    return is_ordinary(st) ? STATUS_OK : st;
}

// With all that it holds, while others go on.
static struct status move_group(struct task *task, struct sim_random *random)
{
    const uint32_t group = (uint32_t)sim_random_below(random, GROUPS);
    const struct span span = {group_key(task->arena, group), group_key(task->arena, group + 1)};
    const uint64_t to = 1 + sim_random_below(random, kv_node_of(task->shard->node)->slice_count);
    struct status st = kv_move(task, span, to);
    if (!failed(st)) covered("sim.group_moved");
    // Somebody splits it all the time; its transactions do not end.
    return status_is(st, E_NOT_IN_PREREQUISITE_STATE) || is_ordinary(st) ? STATUS_OK : st;
}

static struct status work(struct task *task, void *arg)
{
    struct worker *worker = arg;
    struct world *world = worker->world;
    struct status st = STATUS_OK;
    struct sim_random random = sim_random_named(hash_combine(world->run->seed, world->incarnation),
        arena_printf(task->arena, "txn/%" PRIu64, worker->number));
    for (uint32_t i = 0; i < world->transactions; i++) {
        uint64_t what = sim_random_below(&random, 40);
        if (what == 0) {
            TRY(kv_checkpoint(task));
        } else if (what == 1) {
            st = kv_split(
                task, key_of(task->arena, (uint32_t)sim_random_below(&random, KEYS)));
            // The range may be on its way.
            if (!status_is(st, E_NOT_IN_PREREQUISITE_STATE)) TRY(st);
            st = STATUS_OK;
        } else if (what == 2) {
            TRY(move_group(task, &random));
        } else {
            TRY(one_txn(task, world, &random));
        }
    }
out:
    if (failed(st)) world->failed = true;
    world->working--;
    return st;
}

// --- feeds ---------------------------------------------------------------------------------------

// Where the group is; 0: in more than one slice, as a crash may have left it. Then it is brought together.
static struct status group_slice(struct task *task, uint32_t group, uint64_t *slice)
{
    struct kv_range *ranges;
    uint32_t count;
    struct arena arena;
    arena_init(&arena, NULL);
    const struct span span = {group_key(&arena, group), group_key(&arena, group + 1)};
    struct status st = kv_ranges(task, span, &arena, &ranges, &count);
    *slice = 0;
    for (uint32_t i = 0; !failed(st) && i < count; i++)
        *slice = i == 0 || ranges[i].slice == *slice ? ranges[i].slice : 0;
    if (!failed(st) && *slice == 0) {
        st = kv_move(task, span, ranges[0].slice);
        if (!failed(st) || status_is(st, E_NOT_IN_PREREQUISITE_STATE))
            st = status_make(K_WRONG_RANGE, "it lay in several slices");
    }
    arena_fini(&arena);
    return st;
}

static bool was_told(const struct world *world, uint32_t key, struct hlc_timestamp ts)
{
    for (uint32_t i = world->told_count; i-- > 0;)
        if (world->told[i].key == key && hlc_equal(world->told[i].ts, ts)) return true;
    return false;
}

static void events_take(struct worker *worker, const struct rangefeed_event *events, uint32_t count)
{
    struct world *world = worker->world;
    struct hlc_timestamp *resolved = &world->resolved[worker->number];
    for (uint32_t i = 0; i < count; i++) {
        const struct kv_version *version = &events[i].version;
        if (hlc_less_equal(version->ts, *resolved))
            sim_violation(world->run, "group %" PRIu64 ": an event at or below a resolved mark",
                worker->number);
        if (events[i].kind == RANGEFEED_RESOLVED) {
            *resolved = version->ts;
        } else if (world->told_count < VERSIONS_MAX &&
                   !was_told(world, number_of(version->key), version->ts)) {
            world->told[world->told_count++] = (struct version){.key = number_of(version->key),
                .value = version->tombstone ? 0 : value_number(version->value),
                .ts = version->ts};
        }
    }
}

// As replication does: the feed is opened where the descriptors say, and must find there what they say.
static struct status listen_once(struct task *task, struct worker *worker)
{
    struct status st = STATUS_OK;
    struct rangefeed *feed = NULL;
    const uint32_t group = (uint32_t)worker->number;
    uint64_t slice;
    TRY(group_slice(task, group, &slice));
    const struct span all = {group_key(task->arena, group), group_key(task->arena, group + 1)};
    const struct rangefeed_options options = {.tenant = TENANT,
        .slice = slice,
        .span = all,
        .expected = &all,
        .expected_count = 1,
        .after = worker->world->resolved[group],
        .resolved_every_ns = 20 * MS};
    TRY(rangefeed_open(task, &options, &feed));
    for (;;) {
        const struct rangefeed_event *events;
        uint32_t count;
        TRY(rangefeed_next(task, feed, &events, &count));
        events_take(worker, events, count);
    }
out:
    rangefeed_close(task, feed);
    return st;
}

static struct status listen(struct task *task, void *arg)
{
    struct worker *worker = arg;
    struct status st;
    do {
        struct arena_mark mark = arena_mark(task->arena);
        st = listen_once(task, worker);
        arena_release(task->arena, mark);
        if (!status_is(st, K_WRONG_RANGE)) break;
        covered("sim.feed_moved");
        st = task_sleep(task, MS);
    } while (!failed(st));
    worker->world->listening--;
    return st;
}

// --- checking ------------------------------------------------------------------------------------

static struct status versions_read(struct task *task, struct world *world)
{
    struct status st = STATUS_OK;
    struct kv_export export = {
        .tenant = TENANT, .span = key_tenant_span(task->arena, TENANT), .all = true};
    TRY(kv_now(task, TENANT, &export.at));
    world->version_count = 0;
    while (!export.done) {
        struct kv_version *versions;
        uint32_t count;
        TRY(kv_export_next(task, &export, task->arena, &versions, &count));
        for (uint32_t i = 0; i < count && world->version_count < VERSIONS_MAX; i++) {
            world->versions[world->version_count++] =
                (struct version){.key = number_of(versions[i].key),
                    .value = versions[i].tombstone ? 0 : value_number(versions[i].value),
                    .ts = versions[i].ts};
        }
    }
out:
    return st;
}

static const struct version *version_find(
    const struct world *world, uint32_t key, uint64_t value, struct hlc_timestamp ts)
{
    for (uint32_t i = 0; i < world->version_count; i++) {
        const struct version *version = &world->versions[i];
        if (version->key != key || version->value != value) continue;
        if (hlc_is_zero(ts) || hlc_equal(version->ts, ts)) return version;
    }
    return NULL;
}

static bool is_last_write(const struct txn *txn, uint32_t at)
{
    for (uint32_t i = at + 1; i < txn->write_count; i++) {
        if (txn->writes[i].key == txn->writes[at].key) return false;
    }
    return true;
}

// Settles what became of the transaction: whole, at one timestamp, or not at all.
static void settle(struct world *world, struct txn *txn)
{
    if (txn->write_count == 0) return;
    // The last one is a put, with a value of its own; unless the transaction failed before it came
    // to that.
    const struct seen *mark = &txn->writes[txn->write_count - 1];
    const struct version *found =
        mark->value == 0 ? NULL : version_find(world, mark->key, mark->value, HLC_ZERO);
    if (txn->state == TXN_UNKNOWN) {
        txn->state = found != NULL ? TXN_DONE : TXN_VOID;
        if (found != NULL) txn->ts = found->ts;
    }
    if (txn->state != TXN_DONE) {
        for (uint32_t i = 0; i < txn->write_count; i++) {
            if (txn->writes[i].value == 0) continue;
            if (version_find(world, txn->writes[i].key, txn->writes[i].value, HLC_ZERO) != NULL) {
                sim_violation(world->run,
                    "value %" PRIu64 " should not be there, its transaction is not",
                    txn->writes[i].value);
            }
        }
        return;
    }
    for (uint32_t i = 0; i < txn->write_count; i++) {
        const struct seen *write = &txn->writes[i];
        if (write->value == 0) continue; // Deleting what is not there leaves nothing.
        if (is_last_write(txn, i) &&
            version_find(world, write->key, write->value, txn->ts) == NULL) {
            sim_violation(world->run, "value %" PRIu64 " of key %u is missing", write->value,
                write->key);
        }
    }
}

static int txn_order(const void *left, const void *right)
{
    const struct txn *a = *(const struct txn *const *)left;
    const struct txn *b = *(const struct txn *const *)right;
    int order = hlc_compare(a->ts, b->ts);
    return order != 0 ? order : (int)b->wrote - (int)a->wrote;
}

static void check_serial(struct world *world)
{
    struct txn **order = ARENA_ARRAY(&world->run->arena, struct txn *, world->txn_count);
    uint64_t present[KEYS] = {0};
    uint64_t latest_begin = 0;
    uint32_t count = 0;
    for (uint32_t i = 0; i < world->txn_count; i++) {
        if (world->txns[i].state == TXN_DONE) order[count++] = &world->txns[i];
    }
    qsort(order, count, sizeof *order, txn_order);
    for (uint32_t i = 0; i < count; i++) {
        const struct txn *txn = order[i];
        for (uint32_t k = 0; k < txn->read_count; k++) {
            const struct seen *read = &txn->reads[k];
            if (read->value == present[read->key]) continue;
            if (read->value == SOME_VALUE && present[read->key] != 0) continue;
            sim_violation(world->run, "key %u was read as %" PRIu64 " where it was %" PRIu64,
                read->key, read->value, present[read->key]);
        }
        for (uint32_t k = 0; k < txn->write_count; k++) {
            present[txn->writes[k].key] = txn->writes[k].value;
        }
        if (txn->acknowledged != 0 && latest_begin > txn->acknowledged) {
            sim_violation(world->run, "a transaction comes after one that began after its end");
        }
        if (txn->began > latest_begin) latest_begin = txn->began;
    }
}

static void check_told(struct world *world)
{
    for (uint32_t i = 0; i < world->told_count; i++) {
        const struct version *told = &world->told[i];
        const struct version *found = version_find(world, told->key, told->value, told->ts);
        if (found == NULL && told->value == 0) continue; // Deleted what was not there.
        if (found == NULL) {
            sim_violation(world->run, "a feed told of what is not there: %" PRIu64, told->value);
            return;
        }
        world->versions[found - world->versions].told = true;
    }
    for (uint32_t i = 0; i < world->version_count; i++) {
        if (!world->versions[i].told) {
            sim_violation(world->run, "no feed told of value %" PRIu64, world->versions[i].value);
        }
    }
}

// --- a node's life -------------------------------------------------------------------------------

static struct status spawn(struct task *task, void *arg)
{
    struct world *world = arg;
    struct status st = STATUS_OK;
    for (uint32_t i = 0; i < WORKERS; i++) {
        struct worker *worker = ARENA_NEW(&world->run->arena, struct worker);
        *worker = (struct worker){world, task->shard->index * WORKERS + i};
        TRY(task_start(task->shard,
            &(struct task_options){.fn = work, .arg = worker, .kind = "kv-txn-worker"}));
        world->working++;
    }
    // From any shard: here the last one listens.
    for (uint32_t i = 0; i < GROUPS; i++) {
        if (task->shard->index + 1 != task->shard->node->shard_count) break;
        struct worker *worker = ARENA_NEW(&world->run->arena, struct worker);
        *worker = (struct worker){world, i};
        TRY(task_start(task->shard,
            &(struct task_options){.fn = listen, .arg = worker, .kind = "kv-txn-feed"}));
        world->listening++;
    }
out:
    return st;
}

// As far as an earlier start did not come.
static struct status lay_out(struct task *task)
{
    struct status st = STATUS_OK;
    uint32_t slices = kv_node_of(task->shard->node)->slice_count;
    TRY(kv_tenant_create(task, TENANT, 1));
    for (uint32_t i = 0; i < GROUPS; i++) {
        struct span span = {group_key(task->arena, i), group_key(task->arena, i + 1)};
        st = kv_move_empty(task, span, 1 + i % slices);
        if (!status_is(st, E_NOT_IN_PREREQUISITE_STATE)) TRY(st);
        st = STATUS_OK;
    }
out:
    return st;
}

static struct status finish(struct task *task, struct world *world)
{
    struct status st = STATUS_OK;
    struct hlc_timestamp now;
    TRY(kv_now(task, TENANT, &now));
    // The feeds reach the present; what they told of is complete then.
    for (uint32_t i = 0; i < GROUPS;) {
        if (hlc_less(world->resolved[i], now)) {
            TRY(task_sleep(task, 5 * MS));
        } else {
            i++;
        }
    }
    TRY(versions_read(task, world));
    for (uint32_t i = 0; i < world->txn_count; i++) settle(world, &world->txns[i]);
    check_serial(world);
    check_told(world);
out:
    return st;
}

static struct status node_init(struct task *task, void *arg)
{
    struct world *world = arg;
    struct kv_options options = {.dir = "/data/kv",
        .store = KV_STORE_MODEL,
        .store_open = store_pair_of(world->run, STORE_PAIR_LONGEST),
        .slices_per_shard = 4,
        .log_segment_bytes = 2u << 20};
    struct status st;
    bool serving = false;
    TRY(kv_start(task, &options));
    serving = true;
    TRY(lay_out(task));
    TRY(shard_call_all(task, spawn, world));
    while (world->working > 0) TRY(task_sleep(task, MS));
    if (world->last && !world->failed) TRY(finish(task, world));
    world->done = !world->failed;
    TRY(task_sleep(task, 3600 * SECOND)); // Until the node is stopped.
out:
    if (failed(st)) world->failed = true;
    task_cancel_clear(task);
    while (serving && world->working > 0) {
        if (failed(task_sleep(task, MS))) task_cancel_clear(task);
    }
    if (serving) {
        struct status stopped = kv_stop(task);
        if (!failed(st)) st = stopped;
    }
    while (world->listening > 0) { // They are told that storage has stopped.
        if (failed(task_sleep(task, MS))) task_cancel_clear(task);
    }
    return st;
}

// --- cases ---------------------------------------------------------------------------------------

static enum one_node_work work_of(void *arg)
{
    const struct world *world = arg;
    return world->failed ? ONE_NODE_FAILED : world->done ? ONE_NODE_DONE : ONE_NODE_WORKS;
}

static void start(
    struct world *world, struct sim_node *node, struct sim_random *random, uint32_t transactions)
{
    world->incarnation++;
    world->transactions = transactions;
    world->done = world->failed = false;
    world->working = world->listening = 0;
    if (world->incarnation == 1)
        world->shards = (uint32_t)sim_random_between(random, 1, 2);
    else if (sim_random_below(random, 2) == 0)
        world->shards = (uint32_t)sim_random_between(random, 1, SHARDS_MAX);
    const struct node_options options = {.shard_count = world->shards, .fibers_per_shard = 128};
    sim_node_start(node, &options, node_init, world);
}

SIM_SCENARIO(kv_txn, "transactions over slices, shards and crashes form one serial history")
{
    struct world *world = ARENA_NEW(&run->arena, struct world);
    struct sim_random random = sim_random_named(run->seed, "kv-txn/case");
    struct sim *sim = sim_run_begin(run, 0, NULL);
    struct one_node one = {run, sim_node_add(sim, 1), work_of, world};
    world->run = run;
    world->txns = ARENA_ARRAY(&run->arena, struct txn, TXNS_MAX);
    world->versions = ARENA_ARRAY(&run->arena, struct version, VERSIONS_MAX);
    world->told = ARENA_ARRAY(&run->arena, struct version, VERSIONS_MAX);
    for (uint32_t i = 0; i < GROUPS; i++) world->resolved[i] = (struct hlc_timestamp){1, 0};

    uint64_t rounds = sim_random_between(&random, 1, 5);
    for (uint64_t round = 0; round < rounds && !run->violated; round++) {
        sim_disk_crash_at(one.node, sim_random_between(&random, 10, 250));
        start(world, one.node, &random, 15);
        one_node_run_out(sim, &one);
        one_node_down(sim, &one, &random);
    }
    sim_disk_crash_at(one.node, 0);
    world->last = true;
    if (!run->violated) start(world, one.node, &random, 15);
    if (!run->violated && !one_node_run_out(sim, &one) && !run->violated)
        sim_violation(run, "without faults storage fails: %s", sim_node_status(one.node).message);
    sim_note(sim, world->txn_count);
    sim_run_end(run, sim);
}
