// SPDX-License-Identifier: GPL-3.0-or-later
#include "kv/push.h"

#include <stdlib.h>

#include "core/invariant.h"
#include "core/rest.h"
#include "core/log.h"
#include "core/mark.h"
#include "core/metrics.h"
#include "core/rpc.h"
#include "kv/cluster.h"
#include "kv/leader_wire.h"
#include "kv/slice.h"
#include "kv/staged.h"

#define METHOD_ALIVE (RPC_LEADER + 40u)
#define PASS_TXNS_MAX 64u  // Looked at in one pass of a slice.
#define ASK_NS UINT64_C(1000000000)
#define RECORDS_EVERY 20u      // Passes.
#define RECORDS_KNOWN_MAX 256u // Watched at a time, a shard.

static_assert(RECORD_LATE_NS * 2 <= RECORD_KEEP_NS, "clocks may be apart, and replies late");

static_assert(RPC_LEADER + LEADER_KIND_END <= METHOD_ALIVE, "numbers of methods are apart");

METRIC_DEFINE(metric_pushed, "txn.orphans.resolved", METRIC_COUNTER, METRIC_COUNT, false,
    "Prepared transactions resolved because their client was gone");

METRIC_DEFINE(metric_records, "txn.orphans.records", METRIC_COUNTER, METRIC_COUNT, false,
    "Records of transactions ended because their client was gone");

// A record that was met, and when first.
struct known_record {
    uint64_t slice, txn, since_ns, pass;
};

struct push {
    struct known_record known[RECORDS_KNOWN_MAX];
    uint32_t known_count;
    uint64_t pass;
    struct task *task;
    struct wait_queue ended;
    bool stopping;
};

static struct push *push_of(struct kv_shard *kv)
{
    return kv->module_state[KV_SLOT_PUSH];
}

// --- is it alive? --------------------------------------------------------------------------------

struct alive_ask {
    uint64_t txn;
    bool alive;
};

static struct status alive_here(struct task *task, void *arg)
{
    struct alive_ask *ask = arg;
    ask->alive = client_txn_runs(task->shard, ask->txn);
    return STATUS_OK;
}

static struct status alive_serve(
    struct task *task, const struct rpc_request *request, struct buffer *reply)
{
    struct wire_in in = {.rest = request->body, .arena = task->arena};
    uint64_t txn = wire_take_u64(&in);
    if (in.bad || in.rest.size > 0) return status_make(E_PROTOCOL_VIOLATION, "malformed request");
    struct kv_shard *kv = kv_shard_of(task->shard);
    // Storage that is only starting has begun nothing.
    bool alive = kv != NULL && kv->module_state[KV_SLOT_CLIENT] != NULL &&
        client_txn_runs(task->shard, txn);
    wire_put_bool(reply, alive);
    return STATUS_OK;
}

void push_register(void)
{
    static const struct rpc_method method = {
        .id = METHOD_ALIVE,
        .name = "txn.alive",
        .class = TASK_SYSTEM,
        .call = alive_serve,
    };
    rpc_method_register(&method);
}

static struct status alive_there(struct task *task, uint32_t node, struct alive_ask *ask)
{
    struct buffer body;
    buffer_init(&body, task->arena);
    wire_put_u64(&body, ask->txn);
    struct rpc_call call = {
        .node = node,
        .shard = client_txn_shard(ask->txn),
        .method = METHOD_ALIVE,
        .body = buffer_bytes(&body),
    };
    uint64_t deadline_ns = task->deadline_ns;
    uint64_t soon_ns = task_now_ns(task) + ASK_NS;
    if (soon_ns < deadline_ns) task->deadline_ns = soon_ns;
    struct status st = rpc_call(task, &call);
    task->deadline_ns = deadline_ns;
    if (failed(st)) {
        if (task->cancelled) return st;
        ask->alive = cluster_alive(task->shard, node);
        return STATUS_OK;
    }
    struct wire_in in = {.rest = call.reply, .arena = task->arena};
    ask->alive = wire_take_bool(&in);
    if (in.bad) ask->alive = true;
    return STATUS_OK;
}

struct status push_alive(struct task *task, uint64_t txn, bool *alive)
{
    struct alive_ask ask = {.txn = txn};
    uint32_t node = 0;
    struct status st = STATUS_OK;
    if (client_txn_node(txn) == client_node_bits(task->shard->node->id)) {
        node = task->shard->node->id;
    } else {
        uint32_t count;
        const struct cluster_node *nodes = cluster_nodes(task->shard, &count);
        for (uint32_t i = 0; i < count; i++) {
            if (client_node_bits(nodes[i].id) == client_txn_node(txn)) node = nodes[i].id;
        }
    }
    if (node == task->shard->node->id) {
        // A shard that is no more, after a restart with fewer.
        bool gone = client_txn_shard(txn) >= task->shard->node->shard_count;
        if (!gone) st = shard_call(task, client_txn_shard(txn), alive_here, &ask);
    } else if (node != 0) {
        st = alive_there(task, node, &ask);
    }
    *alive = ask.alive;
    return st;
}

// --- prepared writes -----------------------------------------------------------------------------

struct orphan {
    uint64_t txn, record_slice;
    struct hlc_timestamp ts;
};

static struct status record_look(
    struct task *task, const struct orphan *orphan, struct leader_record_get *get)
{
    *get = (struct leader_record_get){
        .call = {.slice = orphan->record_slice, .owner.txn = orphan->txn}};
    return leader_record_look(task, get);
}

// Also decides a staged one, when its client is gone.
static struct status record_settle(
    struct task *task, const struct orphan *orphan, struct leader_record_get *get, bool *settled)
{
    struct status st = STATUS_OK;
    bool alive;
    *settled = true;
    if (!get->staged) goto out;
    *settled = false;
    TRY(push_alive(task, orphan->txn, &alive));
    if (alive) goto out;
    TRY(commit_recover(task, orphan->txn, orphan->record_slice, get));
    TRY(record_look(task, orphan, get));
    *settled = get->found && !get->staged;
out:
    return st;
}

static struct status record_abort(struct task *task, const struct orphan *orphan)
{
    struct leader_record_put put = {.call = {.slice = orphan->record_slice,
                                        .read_ts = orphan->ts,
                                        .owner.txn = orphan->txn}};
    struct status st = leader_call(task, &put.call, task->arena, LEADER_RECORD_PUT);
    leader_reply_end(&put.call);
    return st;
}

static struct status orphan_resolve(
    struct task *task, uint64_t slice, const struct orphan *orphan)
{
    struct status st = STATUS_OK;
    struct leader_record_get get;
    TRY(record_look(task, orphan, &get));
    if (!get.found) {
        bool alive;
        TRY(push_alive(task, orphan->txn, &alive));
        if (alive) goto out;
        TRY(record_abort(task, orphan));
        TRY(record_look(task, orphan, &get));
        if (!get.found) goto out; // Ended meanwhile: by whoever resolved it.
    }
    bool settled;
    TRY(record_settle(task, orphan, &get, &settled));
    if (!settled) goto out;
    struct leader_resolve resolve = {.call = {.slice = slice,
                                         .read_ts = get.ts,
                                         .owner.txn = orphan->txn},
        .commit = get.commit};
    st = leader_call(task, &resolve.call, task->arena, LEADER_RESOLVE);
    leader_reply_end(&resolve.call);
    if (failed(st)) goto out;
    metric_add(&metric_pushed, 0, 1);
    log_info(0, "slice %llu: %s a transaction whose client is gone", (unsigned long long)slice,
        get.commit ? "committed" : "dropped");
out:
    return st;
}

static struct status prepared_pass(struct task *task, struct slice *slice)
{
    struct orphan orphans[PASS_TXNS_MAX];
    uint32_t count = 0;
    const struct env *env = task->shard->env;
    const uint64_t now_ns = (uint64_t)env->wall_ns((struct env *)(uintptr_t)env);
    for (struct list_link *at = slice->prepared.next;
         at != NULL && at != &slice->prepared && count < PASS_TXNS_MAX; at = at->next) {
        const struct pending *prepared = container_of(at, struct pending, link);
        if (prepared->ts.wall_ns + PUSH_AFTER_NS > now_ns) continue;
        if (prepared->staged != NULL) continue; // Below.
        orphans[count++] =
            (struct orphan){prepared->txn, prepared->record_slice, prepared->ts};
    }
    for (struct list_link *at = slice->staged.next; at != &slice->staged && count < PASS_TXNS_MAX;
         at = at->next) {
        const struct staged *staged = container_of(at, struct staged, link);
        if (staged->draining || staged->since.wall_ns + PUSH_AFTER_NS > now_ns) continue;
        orphans[count++] = (struct orphan){
            staged->txn, staged->record_slice, hlc_max(staged->ts, staged->since)};
    }
    for (uint32_t i = 0; i < count; i++) {
        // Next time, or by another leader.
        struct status st = orphan_resolve(task, slice->id, &orphans[i]);
        if (failed(st) && task->cancelled) return st;
    }
    return STATUS_OK;
}

// --- records -------------------------------------------------------------------------------------

// Since when it is known; 0: there is no room.
static uint64_t record_since(struct push *push, uint64_t slice, uint64_t txn, uint64_t now_ns)
{
    for (uint32_t i = 0; i < push->known_count; i++) {
        struct known_record *known = &push->known[i];
        if (known->slice != slice || known->txn != txn) continue;
        known->pass = push->pass;
        return known->since_ns;
    }
    if (push->known_count == RECORDS_KNOWN_MAX) return 0;
    push->known[push->known_count++] = (struct known_record){slice, txn, now_ns, push->pass};
    return now_ns;
}

// Those of this slice that have ended, or that another leads now.
static void records_forget(struct push *push, uint64_t slice)
{
    uint32_t kept = 0;
    for (uint32_t i = 0; i < push->known_count; i++) {
        const struct known_record *known = &push->known[i];
        if (known->slice != slice || known->pass == push->pass) push->known[kept++] = *known;
    }
    push->known_count = kept;
}

static struct status record_end(struct task *task, const struct orphan *orphan)
{
    struct leader_record_put put = {
        .call = {.slice = orphan->record_slice, .owner.txn = orphan->txn}, .end = true};
    struct status st = leader_call(task, &put.call, task->arena, LEADER_RECORD_PUT);
    leader_reply_end(&put.call);
    return st;
}

static struct status record_collect(struct task *task, const struct orphan *orphan)
{
    struct status st = STATUS_OK;
    struct leader_record_get get;
    bool alive, settled;
    TRY(push_alive(task, orphan->txn, &alive));
    if (alive) goto out;
    TRY(record_look(task, orphan, &get));
    if (!get.found) goto out;
    TRY(record_settle(task, orphan, &get, &settled));
    if (!settled || (get.commit && get.slice_count == 0)) goto out;
    // What an abort leaves prepared finds no record, which says the same.
    for (uint32_t i = 0; get.commit && i < get.slice_count; i++) {
        struct leader_resolve resolve = {
            .call = {.slice = get.slices[i], .read_ts = get.ts, .owner.txn = orphan->txn}, .commit = true};
        st = leader_call(task, &resolve.call, task->arena, LEADER_RESOLVE);
        leader_reply_end(&resolve.call);
        TRY(st);
    }
    TRY(record_end(task, orphan));
    covered("push.record_collected");
    metric_add(&metric_records, 0, 1);
out:
    return st;
}

static struct status records_pass(struct task *task, struct slice *slice)
{
    struct status st = STATUS_OK;
    struct push *push = push_of(kv_shard_of(task->shard));
    struct slice_record *records;
    uint32_t count;
    const uint64_t now_ns = task_now_ns(task);
    TRY(slice_record_list(slice, task->arena, &records, &count));
    for (uint32_t i = 0; i < count; i++) {
        const struct orphan orphan = {records[i].txn, slice->id, records[i].ts};
        uint64_t since_ns = record_since(push, slice->id, orphan.txn, now_ns);
        if (since_ns == 0 || now_ns - since_ns < RECORD_KEEP_NS) continue;
        // Next time, or by another leader.
        st = record_collect(task, &orphan);
        if (failed(st) && task->cancelled) return st;
        st = STATUS_OK;
    }
    records_forget(push, slice->id);
out:
    return st;
}

// --- locks ---------------------------------------------------------------------------------------

static void owner_add(uint64_t *owners, uint32_t *count, uint64_t txn)
{
    for (uint32_t i = 0; i < *count; i++) {
        if (owners[i] == txn) return;
    }
    if (*count < PASS_TXNS_MAX) owners[(*count)++] = txn;
}

void push_release(struct slice *slice, uint64_t txn)
{
    if (slice_prepared_find(slice, txn) != NULL || staged_find(slice, txn) != NULL) {
        covered("push.locks_kept");
        return;
    }
    lock_release_lost(slice->locks, txn);
}

// Of those that are gone.
static struct status owners_release(
    struct task *task, struct slice *slice, const uint64_t *owners, uint32_t count)
{
    struct status st = STATUS_OK;
    for (uint32_t i = 0; i < count; i++) {
        bool alive;
        TRY(push_alive(task, owners[i], &alive));
        if (!alive && slice->role == SLICE_SERVING) push_release(slice, owners[i]);
    }
out:
    return st;
}

// Who somebody waits for longer than it should take.
static struct status locks_pass(struct task *task, struct slice *slice)
{
    uint64_t owners[PASS_TXNS_MAX];
    uint32_t count = 0;
    for (const struct lock_waiter *at = slice->locks->waiters; at != NULL; at = at->table_next) {
        if (!at->reported) continue;
        struct lock_owner_id blockers[4];
        uint32_t n = lock_waits_for(at, blockers, 4);
        for (uint32_t i = 0; i < n; i++) owner_add(owners, &count, blockers[i].txn);
    }
    return owners_release(task, slice, owners, count);
}

// Locks that nobody waits for are no hindrance, but they would stay for as long as this leader does.
static struct status locks_sweep(struct task *task, struct slice *slice, uint64_t turn)
{
    uint64_t owners[PASS_TXNS_MAX];
    uint32_t count = lock_owners(slice->locks, turn, owners, PASS_TXNS_MAX);
    return owners_release(task, slice, owners, count);
}

// --- the task ------------------------------------------------------------------------------------

static struct status slice_pass(struct task *task, struct slice *slice)
{
    struct status st = STATUS_OK;
    slice_hold(slice);
    if (slice->role == SLICE_SERVING &&
        !(list_empty(&slice->prepared) && list_empty(&slice->staged))) {
        TRY(prepared_pass(task, slice));
    }
    if (slice->role == SLICE_SERVING && slice->locks->waiters != NULL) {
        TRY(locks_pass(task, slice));
    }
    if (push_of(kv_shard_of(task->shard))->pass % RECORDS_EVERY != 0) goto out;
    if (slice->role == SLICE_SERVING) {
        TRY(locks_sweep(task, slice, push_of(kv_shard_of(task->shard))->pass / RECORDS_EVERY));
        TRY(records_pass(task, slice));
    } else {
        records_forget(push_of(kv_shard_of(task->shard)), slice->id);
    }
out:
    slice_let_go(slice);
    return st;
}

static struct status push_run(struct task *task, void *arg)
{
    struct status st = STATUS_OK;
    struct kv_shard *kv = arg;
    struct push *push = push_of(kv);
    push->task = task;
    while (!push->stopping) {
        TRY(task_rest(task, PUSH_PASS_NS));
        push->pass++;
        struct arena_mark mark = arena_mark(task->arena);
        for (uint64_t id = 1; id <= KV_SLICES_MAX && kv->slice_count > 0; id++) {
            struct slice *slice = kv_slice_find(kv, id);
            if (slice != NULL && slice->locks != NULL) TRY(slice_pass(task, slice));
        }
        arena_release(task->arena, mark);
    }
out:
    return st;
}

static void push_ended(struct task *task, struct status st, void *arg)
{
    struct push *push = push_of(arg);
    (void)task;
    (void)st;
    push->task = NULL;
    wait_queue_wake_all(&push->ended, STATUS_OK);
}

static struct status start_here(struct task *task, void *arg)
{
    (void)arg;
    const struct task_options options = {
        .fn = push_run,
        .arg = kv_shard_of(task->shard),
        .kind = "kv.push",
        .class = TASK_SYSTEM,
        .ended = push_ended,
        .ended_arg = kv_shard_of(task->shard),
    };
    return task_start(task->shard, &options);
}

static struct status stop_here(struct task *task, void *arg)
{
    struct push *push = push_of(kv_shard_of(task->shard));
    (void)arg;
    push->stopping = true;
    if (push->task != NULL) {
        task_cancel(push->task, status_make(E_ADMIN_SHUTDOWN, "storage is stopping"));
    }
    while (push->task != NULL) {
        if (failed(task_wait(task, &push->ended))) task_cancel_clear(task);
    }
    return STATUS_OK;
}

static struct status push_shard_init(struct task *task, struct kv_shard *kv)
{
    (void)task;
    struct push *push = calloc(1, sizeof *push);
    if (push == NULL) return status_make(E_OUT_OF_MEMORY, "out of memory");
    wait_queue_init(&push->ended);
    kv->module_state[KV_SLOT_PUSH] = push;
    metric_register(&metric_pushed);
    metric_register(&metric_records);
    return STATUS_OK;
}

static void push_shard_fini(struct kv_shard *kv)
{
    free(push_of(kv));
    kv->module_state[KV_SLOT_PUSH] = NULL;
}

static struct status push_started(struct task *task, struct kv_node *node)
{
    (void)node;
    return shard_call_all(task, start_here, NULL);
}

static void push_stopping(struct task *task, struct kv_node *node)
{
    (void)node;
    struct status st = shard_call_all(task, stop_here, NULL);
    if (failed(st)) log_warning(0, "stopping while orphans are looked for: %s", st.message);
}

const struct kv_module push_module = {
    .name = "push",
    .slot = KV_SLOT_PUSH,
    .shard_init = push_shard_init,
    .started = push_started,
    .stopping = push_stopping,
    .shard_fini = push_shard_fini,
};
