// SPDX-License-Identifier: GPL-3.0-or-later
#include "tests/sim/clients.h"

#include <inttypes.h>
#include <stdlib.h>

#include "core/hash.h"
#include "core/mark.h"
#include "kv/key.h"
#include "kv/kv_node.h"
#include "kv/leader.h"
#include "kv/range_upkeep.h"
#include "kv/zone_span.h"

#define IMPATIENT_ONE_IN 6u
#define PATIENCE_MAX_MS 400u
#define MOVE_NS (5 * WORLD_SECOND)

// From when a client knew that it had locked a row to when it asked for the commit that then was made.
#define MUTEXES 2u
struct mutex_hold {
    uint32_t mutex;
    uint64_t from_ns, to_ns;
};

enum table { TABLE_ACCOUNT = 'b', TABLE_MUTEX = 'm', TABLE_LIST = 'l', TABLE_REGISTER = 'r', TABLE_RING = 'o', TABLE_SETUP = 's' };

void clients_init(struct clients *clients, struct world *world, uint32_t operations)
{
    struct sim_random random = sim_random_named(world->run->seed, "clients");
    memset(clients, 0, sizeof *clients);
    clients->world = world;
    clients->groups = (uint32_t)sim_random_between(&random, 1, 5);
    workload_init(&clients->work, world->run, operations,
        sim_random_between(&random, WORLD_MS, 150 * WORLD_MS));
    clients->accounts = (uint32_t)sim_random_between(&random, 2, CLIENTS_ACCOUNTS_MAX);
    clients->lists = (uint32_t)sim_random_between(&random, 1, 6);
    clients->registers = (uint32_t)sim_random_between(&random, 1, 3);
    random = sim_random_named(world->run->seed, "clients/ring");
    if (sim_random_below(&random, 2) == 0) clients->ring = (uint32_t)sim_random_between(&random, 4, CLIENTS_RING_MAX);
    list_history_init(&clients->list_history, world->run, clients->lists, operations + 1);
    register_history_init(&clients->register_history, world->run, operations + 1);
    clients->holds = ARENA_ARRAY(&world->run->arena, struct mutex_hold, operations + 1);
}

// --- keys ----------------------------------------------------------------------------------------

static struct bytes group_key(struct arena *arena, uint32_t group)
{
    struct buffer key;
    buffer_init(&key, arena);
    key_append_tenant_prefix(&key, CLIENTS_TENANT);
    buffer_append_u8(&key, (uint8_t)('a' + group));
    return buffer_bytes(&key);
}

static struct bytes key_of(
    const struct clients *clients, struct arena *arena, enum table table, uint32_t number)
{
    struct buffer key;
    uint32_t group = (number * 7 + (uint32_t)table) % clients->groups;
    buffer_init(&key, arena);
    buffer_append_bytes(&key, group_key(arena, group));
    buffer_append_u8(&key, (uint8_t)table);
    buffer_append_u8(&key, (uint8_t)number);
    return buffer_bytes(&key);
}

static struct status lay_out_rows(struct task *task, struct clients *clients)
{
    struct status st;
    struct kv_txn *txn = NULL;
    struct bytes there;
    const struct kv_txn_options options = {.tenant = CLIENTS_TENANT};
    const int64_t balance = CLIENTS_BALANCE;
    TRY(kv_txn_begin(task, &options, &txn));
    for (uint32_t i = 0; i < clients->accounts; i++)
        TRY(kv_insert(task, txn, key_of(clients, task->arena, TABLE_ACCOUNT, i),
            bytes_of(&balance, sizeof balance), task->arena, &there));
    for (uint32_t i = 0; i < clients->ring; i++) {
        const uint32_t next = (i + 1) % clients->ring;
        TRY(kv_insert(task, txn, key_of(clients, task->arena, TABLE_RING, i), bytes_of(&next, sizeof next),
            task->arena, &there));
    }
    struct kv_txn *ending = txn;
    txn = NULL;
    TRY(kv_txn_commit(task, ending, NULL));
out:
    if (txn != NULL) kv_txn_rollback(task, txn);
    return st;
}

CHECKED struct status clients_lay_out(struct task *task, struct clients *clients, uint32_t slices)
{
    struct status st = STATUS_OK;
    if (clients->laid_out) return STATUS_OK;
    TRY(kv_tenant_create(task, CLIENTS_TENANT, 1));
    for (uint32_t i = 0; i < clients->groups && slices > 1; i++) {
        struct span span = {group_key(task->arena, i), group_key(task->arena, i + 1)};
        st = kv_move_empty(task, span, 1 + i % slices);
        // It has rows already; or the slice that was meant is not known to all any more: they stay where they are.
        if (!status_is(st, E_NOT_IN_PREREQUISITE_STATE) && !status_is(st, E_INVALID_PARAMETER_VALUE)) TRY(st);
    }
    TRY(lay_out_rows(task, clients));
    clients->laid_out = true;
out:
    return st;
}

// --- operations ----------------------------------------------------------------------------------

struct operation {
    struct clients *clients;
    struct task *task;
    struct sim_random random;
    struct kv_txn *txn;
    enum fate fate;
    bool writes;
};

static uint64_t true_ns(const struct clients *clients)
{
    return sim_now_ns(clients->world->sim);
}

static struct status begin(struct operation *op, bool read_only)
{
    const struct kv_txn_options options = {.tenant = CLIENTS_TENANT, .read_only = read_only};
    op->fate = FATE_VOID;
    return kv_txn_begin(op->task, &options, &op->txn);
}

// Whatever comes of it is in op->fate.
static struct status commit(struct operation *op)
{
    struct kv_txn *txn = op->txn;
    op->txn = NULL;
    op->writes = kv_txn_has_writes(txn);
    op->fate = FATE_UNKNOWN; // If the node dies meanwhile.
    struct status st = kv_txn_commit(op->task, txn, NULL);
    if (!failed(st))
        op->fate = FATE_DONE;
    else if (!status_is(st, E_AMBIGUOUS_RESULT))
        op->fate = FATE_VOID;
    return st;
}

static int64_t balance_of(struct clients *clients, struct bytes value)
{
    int64_t balance = 0;
    if (value.size == sizeof balance)
        memcpy(&balance, value.data, sizeof balance);
    else
        sim_violation(clients->world->run, "an account of %zu bytes", value.size);
    return balance;
}

static struct status put_balance(struct operation *op, uint32_t account, int64_t balance)
{
    return kv_put(op->task, op->txn, key_of(op->clients, op->task->arena, TABLE_ACCOUNT, account),
        bytes_of(&balance, sizeof balance));
}

static struct status transfer(struct operation *op)
{
    struct clients *clients = op->clients;
    struct status st;
    struct bytes value;
    struct kv_read read = {0};
    uint32_t from = (uint32_t)sim_random_below(&op->random, clients->accounts);
    uint32_t to = (uint32_t)sim_random_below(&op->random, clients->accounts);
    int64_t amount = (int64_t)sim_random_between(&op->random, 1, 10);
    if (sim_random_below(&op->random, 2) == 0)
        read.lock = sim_random_below(&op->random, 2) == 0 ? KV_LOCK_UPDATE : KV_LOCK_NO_KEY_UPDATE;
    TRY(begin(op, false));
    TRY(kv_get(op->task, op->txn, &read, key_of(clients, op->task->arena, TABLE_ACCOUNT, from),
        op->task->arena, &value));
    int64_t source = balance_of(clients, value);
    TRY(kv_get(op->task, op->txn, &read, key_of(clients, op->task->arena, TABLE_ACCOUNT, to),
        op->task->arena, &value));
    int64_t target = balance_of(clients, value);
    if (from != to) {
        TRY(put_balance(op, from, source - amount));
        TRY(put_balance(op, to, target + amount));
    }
    TRY(commit(op));
out:
    return st;
}

static void check_total(struct clients *clients, int64_t total, uint32_t accounts, const char *how)
{
    if (accounts != clients->accounts || total != (int64_t)clients->accounts * CLIENTS_BALANCE)
        sim_violation(clients->world->run, "%s of %u accounts gives %u of them with %" PRId64 " in all",
            how, clients->accounts, accounts, total);
}

static struct status total_scan(struct operation *op)
{
    struct clients *clients = op->clients;
    struct status st;
    struct kv_scan scan;
    struct kv_batch batch;
    int64_t total = 0;
    uint32_t found = 0;
    TRY(begin(op, sim_random_below(&op->random, 2) == 0));
    kv_scan_init(&scan, key_tenant_span(op->task->arena, CLIENTS_TENANT));
    scan.reverse = sim_random_below(&op->random, 2) == 0;
    scan.batch_rows = (uint32_t)sim_random_between(&op->random, 1, 20);
    do {
        TRY(kv_scan_next(op->task, op->txn, &scan, op->task->arena, &batch));
        for (uint32_t i = 0; i < batch.count; i++) {
            struct bytes key = batch.pairs[i].key;
            if (key.size < 2 || key.data[key.size - 2] != TABLE_ACCOUNT) continue;
            total += balance_of(clients, batch.pairs[i].value);
            found++;
        }
    } while (batch.count > 0);
    TRY(commit(op));
    check_total(clients, total, found, "a scan");
out:
    return st;
}

static struct status total_many(struct operation *op)
{
    struct clients *clients = op->clients;
    struct status st;
    struct bytes keys[CLIENTS_ACCOUNTS_MAX], values[CLIENTS_ACCOUNTS_MAX];
    int64_t total = 0;
    uint32_t found = 0;
    TRY(begin(op, sim_random_below(&op->random, 2) == 0));
    for (uint32_t i = 0; i < clients->accounts; i++)
        keys[i] = key_of(clients, op->task->arena, TABLE_ACCOUNT, i);
    TRY(kv_get_many(
        op->task, op->txn, NULL, keys, clients->accounts, op->task->arena, values, NULL));
    for (uint32_t i = 0; i < clients->accounts; i++) {
        if (values[i].data == NULL) continue;
        total += balance_of(clients, values[i]);
        found++;
    }
    TRY(commit(op));
    check_total(clients, total, found, "a read");
out:
    return st;
}

// --- the ring: link i says which comes next

static struct status link_read(struct operation *op, uint32_t link, bool lock, uint32_t *next)
{
    struct clients *clients = op->clients;
    struct status st;
    struct bytes value;
    const struct kv_read read = {.lock = lock ? KV_LOCK_UPDATE : KV_LOCK_NONE};
    *next = 0;
    TRY(kv_get(op->task, op->txn, &read, key_of(clients, op->task->arena, TABLE_RING, link), op->task->arena, &value));
    if (value.size == sizeof *next) memcpy(next, value.data, sizeof *next);
    if (value.size != sizeof *next || *next >= clients->ring)
        sim_violation(clients->world->run, "link %u of the ring leads to %u", link, *next);
out:
    return st;
}

static struct status link_put(struct operation *op, uint32_t link, uint32_t next)
{
    return kv_put(op->task, op->txn, key_of(op->clients, op->task->arena, TABLE_RING, link), bytes_of(&next, sizeof next));
}

// Of four links in a row the middle two change places. Two that overlap, and do not see each other, make two rings of one.
static struct status ring_turn(struct operation *op)
{
    struct status st;
    uint32_t links[4] = {(uint32_t)sim_random_below(&op->random, op->clients->ring)};
    const bool lock = sim_random_below(&op->random, 4) == 0;
    TRY(begin(op, false));
    for (uint32_t i = 1; i < 4 && !op->clients->world->run->violated; i++) TRY(link_read(op, links[i - 1], lock, &links[i]));
    TRY(link_put(op, links[0], links[2]));
    TRY(link_put(op, links[2], links[1]));
    TRY(link_put(op, links[1], links[3]));
    TRY(commit(op));
    covered("sim.ring_turned");
out:
    return st;
}

static struct status ring_look(struct operation *op)
{
    struct clients *clients = op->clients;
    struct status st;
    uint32_t next[CLIENTS_RING_MAX], link = 0, length = 0;
    TRY(begin(op, sim_random_below(&op->random, 2) == 0));
    for (uint32_t i = 0; i < clients->ring && !clients->world->run->violated; i++) TRY(link_read(op, i, false, &next[i]));
    TRY(commit(op));
    if (clients->world->run->violated) goto out;
    do {
        link = next[link];
        length++;
    } while (link != 0 && length <= clients->ring);
    if (length != clients->ring)
        sim_violation(clients->world->run, "the ring of %u links comes back after %u", clients->ring, length);
out:
    return st;
}

// Reads the list and, if told, puts it back with one more value.
static struct status touch_list(struct operation *op, struct list_txn *txn, bool append)
{
    struct clients *clients = op->clients;
    struct status st;
    struct bytes value;
    struct buffer longer;
    struct kv_read read = {0};
    uint32_t list = (uint32_t)sim_random_below(&op->random, clients->lists);
    struct bytes key = key_of(clients, op->task->arena, TABLE_LIST, list);
    if (append && sim_random_below(&op->random, 2) == 0) read.lock = KV_LOCK_UPDATE;
    TRY(kv_get(op->task, op->txn, &read, key, op->task->arena, &value));
    list_note_read(&clients->list_history, txn, list, value.data, value.size);
    if (!append) goto out;
    uint32_t more = list_note_append(&clients->list_history, txn, list);
    buffer_init(&longer, op->task->arena);
    buffer_append_bytes(&longer, value);
    buffer_append(&longer, &more, sizeof more);
    TRY(kv_put(op->task, op->txn, key, buffer_bytes(&longer)));
out:
    return st;
}

static struct status lists(struct operation *op)
{
    struct clients *clients = op->clients;
    struct status st;
    struct list_txn *txn = list_txn_begin(&clients->list_history);
    uint64_t touches = sim_random_between(&op->random, 1, HISTORY_TXN_OPS_MAX / 2);
    if (txn == NULL) return STATUS_OK;
    txn->began_ns = true_ns(clients);
    TRY(begin(op, false));
    for (uint64_t i = 0; i < touches; i++)
        TRY(touch_list(op, txn, sim_random_below(&op->random, 3) != 0));
    if (sim_random_below(&op->random, 8) == 0)
        TRY(task_sleep(op->task, sim_random_below(&op->random, 20 * WORLD_MS)));
    TRY(commit(op));
out:
    txn->fate = op->fate;
    txn->ended_ns = true_ns(clients);
    return st;
}

static struct status write_register(struct operation *op)
{
    struct clients *clients = op->clients;
    struct status st;
    struct register_op *note = register_op_begin(&clients->register_history);
    if (note == NULL) return STATUS_OK;
    note->key = (uint32_t)sim_random_below(&op->random, clients->registers);
    note->write = true;
    note->value = ++clients->register_history.next_value;
    note->began_ns = true_ns(clients);
    TRY(begin(op, false));
    TRY(kv_put(op->task, op->txn, key_of(clients, op->task->arena, TABLE_REGISTER, note->key),
        bytes_of(&note->value, sizeof note->value)));
    TRY(commit(op));
out:
    note->fate = op->fate;
    note->ended_ns = true_ns(clients);
    return st;
}

static struct status read_register(struct operation *op)
{
    struct clients *clients = op->clients;
    struct status st;
    struct bytes value;
    struct register_op *note = register_op_begin(&clients->register_history);
    if (note == NULL) return STATUS_OK;
    note->key = (uint32_t)sim_random_below(&op->random, clients->registers);
    note->fate = FATE_VOID;
    note->began_ns = true_ns(clients);
    struct bytes key = key_of(clients, op->task->arena, TABLE_REGISTER, note->key);
    if (sim_random_below(&op->random, 2) == 0) {
        TRY(kv_read_now(op->task, CLIENTS_TENANT, key, op->task->arena, &value));
    } else {
        TRY(begin(op, sim_random_below(&op->random, 2) == 0));
        TRY(kv_get(op->task, op->txn, NULL, key, op->task->arena, &value));
        TRY(commit(op));
    }
    if (value.size == sizeof note->value) memcpy(&note->value, value.data, sizeof note->value);
    note->ended_ns = true_ns(clients);
    note->fate = FATE_DONE;
out:
    return st;
}

// Of transactions that lock the same row for writing, and commit, one follows the other: also when they write nothing, or
// elsewhere, and whatever becomes of the leader that gave the lock.
static void check_hold(struct clients *clients, const struct mutex_hold *hold)
{
    for (uint32_t i = 0; i < clients->hold_count; i++) {
        const struct mutex_hold *other = &clients->holds[i];
        if (other->mutex != hold->mutex) continue;
        if (other->from_ns < hold->to_ns && hold->from_ns < other->to_ns)
            sim_violation(clients->world->run,
                "a row was locked from %" PRIu64 " to %" PRIu64 " and from %" PRIu64 " to %" PRIu64,
                other->from_ns, other->to_ns, hold->from_ns, hold->to_ns);
    }
    if (clients->hold_count <= clients->work.operations) clients->holds[clients->hold_count++] = *hold;
}

static struct status mutex(struct operation *op)
{
    struct clients *clients = op->clients;
    struct status st;
    struct bytes value;
    struct kv_read read = {.lock = KV_LOCK_UPDATE};
    struct mutex_hold hold = {.mutex = (uint32_t)sim_random_below(&op->random, MUTEXES)};
    const struct bytes key = key_of(clients, op->task->arena, TABLE_MUTEX, hold.mutex);
    TRY(begin(op, false));
    kv_txn_weaken(op->txn, sim_random_below(&op->random, 2) == 0);
    // What it holds in a weaker mode first is no hindrance, nor of use to anybody else.
    if (sim_random_below(&op->random, 2) == 0) {
        read.lock = KV_LOCK_KEY_SHARE;
        TRY(kv_get(op->task, op->txn, &read, key, op->task->arena, &value));
        read.lock = KV_LOCK_NO_KEY_UPDATE;
    }
    TRY(kv_get(op->task, op->txn, &read, key, op->task->arena, &value));
    hold.from_ns = true_ns(clients);
    const uint64_t longest = sim_random_below(&op->random, 3) == 0 ? WORLD_SECOND : 20 * WORLD_MS;
    TRY(task_sleep(op->task, sim_random_below(&op->random, longest)));
    // Taken once more it is as it was; lost meanwhile, it is not.
    if (sim_random_below(&op->random, 2) == 0)
        TRY(kv_get(op->task, op->txn, &read, key, op->task->arena, &value));
    if (sim_random_below(&op->random, 3) == 0)
        TRY(kv_put(op->task, op->txn,
            key_of(clients, op->task->arena, TABLE_MUTEX,
                MUTEXES + (uint32_t)sim_random_below(&op->random, 4)),
            BYTES_LITERAL("written")));
    hold.to_ns = true_ns(clients);
    TRY(commit(op));
    check_hold(clients, &hold);
out:
    return st;
}

// --- the clients' life ---------------------------------------------------------------------------

// What a client may be told at any time. Anything else is a fault of the database.
static bool is_ordinary(struct status st)
{
    static const uint32_t codes[] = {E_SERIALIZATION_FAILURE, E_AMBIGUOUS_RESULT, E_DISK_FULL, E_OUT_OF_MEMORY,
        E_QUERY_CANCELED, E_ADMIN_SHUTDOWN, E_LOCK_NOT_AVAILABLE, E_CONNECTION_FAILURE, E_IO_ERROR};
    for (uint32_t i = 0; i < sizeof codes / sizeof codes[0]; i++) {
        if (status_is(st, codes[i])) return true;
    }
    return !failed(st);
}

static void operate(struct task *task, struct clients *clients, uint32_t number)
{
    struct operation op = {.clients = clients,
        .task = task,
        .fate = FATE_VOID,
        .random = sim_random_named(hash_combine(clients->world->run->seed, number), "operation")};
    struct sim_random patience = sim_random_named(hash_combine(clients->world->run->seed, number), "patience");
    struct status st;
    char code[6];
    uint64_t what = sim_random_below(&op.random, 100);
    // Some do not wait for long, whatever is under way then.
    if (sim_random_below(&patience, IMPATIENT_ONE_IN) == 0)
        task->deadline_ns = task_now_ns(task) + sim_random_between(&patience, 1, PATIENCE_MAX_MS) * WORLD_MS;
    if (clients->ring > 0 && what % 5 == 0)
        st = sim_random_below(&op.random, 3) == 0 ? ring_look(&op) : ring_turn(&op);
    else if (what < 25)
        st = transfer(&op);
    else if (what < 30)
        st = total_scan(&op);
    else if (what < 38)
        st = total_many(&op);
    else if (what < 68)
        st = lists(&op);
    else if (what < 82)
        st = write_register(&op);
    else if (what < 92)
        st = mutex(&op);
    else
        st = read_register(&op);
    task->deadline_ns = UINT64_MAX;
    if (op.txn != NULL) kv_txn_rollback(task, op.txn);
    clients->acknowledged += op.writes && op.fate == FATE_DONE;
    clients->unknown += op.fate == FATE_UNKNOWN;
    clients->refused += op.fate == FATE_VOID && failed(st);
    sim_tell(clients->world->run, clients->world->sim, SIM_AREA_WORK, task->shard->node->id, "operation %u %s %u", number,
        failed(st) ? "failed" : "done", clients->list_history.txn_count);
    if (failed(st))
        sim_tell(clients->world->run, clients->world->sim, SIM_AREA_WORK, task->shard->node->id, "operation %u: %s", number,
            st.message);
    status_sqlstate(st, code);
    if (!is_ordinary(st))
        sim_violation(clients->world->run, "an operation failed with %s (%s)",
            code, st.message);
}

// Ranges are split, and go elsewhere with what they hold, under all of this.
static void move_around(struct task *task, struct clients *clients, uint32_t number)
{
    struct sim_random random = sim_random_named(hash_combine(clients->world->run->seed, number), "move");
    uint64_t *slices;
    uint32_t count;
    struct status st;
    if (sim_random_below(&random, 24) != 0) return;
    const uint32_t group = (uint32_t)sim_random_below(&random, clients->groups);
    const struct span span = {group_key(task->arena, group), group_key(task->arena, group + 1)};
    const uint64_t deadline_ns = task->deadline_ns;
    task->deadline_ns = task_now_ns(task) + MOVE_NS;
    leader_slices(task->shard, task->arena, &slices, &count);
    if (sim_random_below(&random, 4) == 0) {
        // Some groups have zones of their own for a while, for which placement makes slices.
        struct zone_span spans[] = {
            {.span = span, .zone = {.set = ZONE_TTL, .ttl_ns = sim_random_between(&random, 3, 4) * UINT64_C(3600000000000)}}};
        st = zone_spans_set(task, CLIENTS_TENANT, spans, (uint32_t)sim_random_below(&random, 2));
        if (!failed(st)) covered("sim.zones_set");
    } else if (sim_random_below(&random, 4) == 0) {
        st = kv_split(task, key_of(clients, task->arena, TABLE_LIST,
            (uint32_t)sim_random_below(&random, clients->lists)));
    } else {
        st = count == 0 ? STATUS_OK : kv_move(task, span, slices[sim_random_below(&random, count)]);
        if (!failed(st)) covered("sim.range_moved");
    }
    task->deadline_ns = deadline_ns;
    if (!is_ordinary(st) && !status_is(st, E_NOT_IN_PREREQUISITE_STATE) &&
        !status_is(st, E_INVALID_PARAMETER_VALUE))
        sim_violation(clients->world->run, "moving a range failed: %s", st.message);
}

struct client {
    struct clients *clients;
    struct world_node *node;
    struct memory_account account; // Of what it asks for, as a session's: what is refused to sessions is refused to it.
};

static void operate_once(struct task *task, void *client, uint32_t number)
{
    struct clients *clients = ((struct client *)client)->clients;
    move_around(task, clients, number);
    operate(task, clients, number);
}

static struct status client_main(struct task *task, void *arg)
{
    struct client *client = arg;
    workload_run(task, &client->clients->work, client->node, operate_once, client);
    client->node->tasks--;
    return STATUS_OK;
}

CHECKED struct status clients_start(
    struct task *task, struct world_node *node, struct clients *clients, uint32_t count)
{
    struct status st = STATUS_OK;
    struct sim_random random = sim_random_named(clients->world->run->seed, "ranges");
    // Every other time ranges are split, moved and joined by themselves, as often as can be.
    if (sim_random_below(&random, 2) == 0 && !clients->ranges_rest)
        *range_tuning(task->shard) = (struct range_tuning){.split_by_load = true,
            .split_rate = sim_random_between(&random, 1, 16),
            .merge = true,
            .look_ns = sim_random_between(&random, 20, 400) * UINT64_C(1000000),
            .move = true,
            .move_rate = sim_random_between(&random, 1, 10),
            .move_wait_ns = sim_random_between(&random, 20, 400) * UINT64_C(1000000)};
    for (uint32_t i = 0; i < count; i++) {
        struct client *client = ARENA_NEW(&clients->world->run->arena, struct client);
        *client = (struct client){.clients = clients, .node = node};
        memory_account_init(&client->account, &task->shard->account, "a client", 0);
        TRY(task_start(task->shard,
            &(struct task_options){.fn = client_main, .arg = client, .kind = "sim-client", .account = &client->account}));
        node->tasks++;
    }
out:
    return st;
}

// --- the end -------------------------------------------------------------------------------------

CHECKED struct status clients_finish(struct task *task, struct clients *clients)
{
    struct status st = STATUS_OK;
    struct bytes value;
    struct kv_txn *txn = NULL;
    const struct kv_txn_options options = {.tenant = CLIENTS_TENANT, .read_only = true};
    struct operation op = {.clients = clients,
        .task = task,
        .random = sim_random_named(clients->world->run->seed, "finish")};
    TRY(total_scan(&op));
    TRY(total_many(&op));
    if (clients->ring > 0) TRY(ring_look(&op));
    TRY(kv_txn_begin(task, &options, &txn));
    for (uint32_t i = 0; i < clients->lists; i++) {
        TRY(kv_get(task, txn, NULL, key_of(clients, task->arena, TABLE_LIST, i), task->arena,
            &value));
        list_note_final(&clients->list_history, i, value.data, value.size);
    }
    for (uint32_t i = 0; i < clients->registers; i++) {
        TRY(kv_get(task, txn, NULL, key_of(clients, task->arena, TABLE_REGISTER, i), task->arena,
            &value));
        struct register_op *note = register_op_begin(&clients->register_history);
        if (note == NULL) break;
        *note = (struct register_op){.key = i,
            .fate = FATE_DONE,
            .began_ns = true_ns(clients),
            .ended_ns = true_ns(clients)};
        if (value.size == sizeof note->value) memcpy(&note->value, value.data, sizeof note->value);
    }
    clients->finished = true;
out:
    if (op.txn != NULL) kv_txn_rollback(task, op.txn);
    if (txn != NULL) kv_txn_rollback(task, txn);
    return st;
}

void clients_check(struct clients *clients, bool real_time)
{
    struct sim_run *run = clients->world->run;
    sim_count(run, "acknowledged", clients->acknowledged);
    sim_count(run, "unknown", clients->unknown);
    sim_count(run, "refused", clients->refused);
    if (run->violated || !clients->finished) return;
    list_history_check(&clients->list_history, real_time);
    register_history_check(&clients->register_history);
}
