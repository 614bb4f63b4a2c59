// SPDX-License-Identifier: GPL-3.0-or-later
#include "kv/lock_list.h"

#include "core/codec.h"
#include "core/rpc.h"
#include "kv/cluster.h"
#include "kv/key.h"
#include "kv/lock.h"
#include "kv/slice.h"
#include "kv/kv_node.h"

#define METHOD_LIST (RPC_LEADER + 44u)
#define LISTED_BYTES_LEAST 30u

// --- here ------------------------------------------------------------------------------------------------

struct collect {
    uint64_t tenant;
    struct arena *arena; // Several shards add to it, one after the other.
    struct lock_list *list;
};

static struct listed_lock *list_add(struct lock_list *list, struct arena *arena)
{
    if (list->count == list->capacity) {
        const uint32_t capacity = list->capacity == 0 ? 16 : list->capacity * 2;
        list->locks = arena_grow(arena, list->locks, list->count * sizeof *list->locks,
            capacity * sizeof *list->locks);
        list->capacity = capacity;
    }
    struct listed_lock *lock = &list->locks[list->count++];
    *lock = (struct listed_lock){0};
    return lock;
}

static void collect_slice(const struct collect *call, const struct slice *slice)
{
    struct lock_taken held;
    uint64_t place = 0;
    const struct lock_table *table = slice->locks;
    while (call->list->count < LOCK_LIST_MAX && lock_next_held(table, &place, &held)) {
        if (!key_in_tenant(held.key, call->tenant)) continue;
        struct listed_lock *lock = list_add(call->list, call->arena);
        lock->key = arena_copy(call->arena, held.key);
        lock->txn = held.owner.txn;
        lock->mode = held.mode;
        lock->granted = true;
    }
    struct env *env = slice->shard->env;
    for (const struct lock_waiter *at = table->waiters; at != NULL; at = at->table_next) {
        struct bytes key = lock_waiter_key(at);
        if (call->list->count == LOCK_LIST_MAX || key.data == NULL) break;
        if (at->granted || !key_in_tenant(key, call->tenant)) continue;
        struct lock_owner_id blockers[LOCK_LIST_BLOCKERS_MAX];
        struct listed_lock *lock = list_add(call->list, call->arena);
        lock->key = arena_copy(call->arena, key);
        lock->txn = at->owner.txn;
        lock->mode = at->mode;
        lock->since_us = env->wall_ns(env) / 1000 -
            (int64_t)((shard_now_ns(slice->shard) - at->started_ns) / 1000);
        lock->blocker_count = lock_waits_for(at, blockers, LOCK_LIST_BLOCKERS_MAX);
        for (uint32_t i = 0; i < lock->blocker_count; i++) lock->blockers[i] = blockers[i].txn;
    }
}

static struct status collect_here(struct task *task, void *arg)
{
    const struct collect *call = arg;
    const struct kv_shard *kv = kv_shard_of(task->shard);
    for (uint32_t i = 0; kv != NULL && i < kv->slice_count; i++) {
        const struct slice *slice = kv->slices[i];
        if (slice->locks != NULL && slice->role == SLICE_SERVING) collect_slice(call, slice);
    }
    return STATUS_OK;
}

static struct status list_here(
    struct task *task, uint64_t tenant, struct arena *arena, struct lock_list *list)
{
    struct status st = STATUS_OK;
    struct collect call = {.tenant = tenant, .arena = arena, .list = list};
    for (uint32_t i = 0; i < task->shard->node->shard_count; i++)
        TRY(shard_call(task, i, collect_here, &call));
out:
    return st;
}

// --- between nodes ---------------------------------------------------------------------------------------

static void lock_put(struct buffer *out, const struct listed_lock *lock)
{
    codec_put_bytes(out, lock->key);
    codec_put_u64(out, lock->txn);
    codec_put_u8(out, (uint8_t)lock->mode);
    codec_put_u8(out, lock->granted);
    codec_put_i64(out, lock->since_us);
    codec_put_u32(out, lock->blocker_count);
    for (uint32_t i = 0; i < lock->blocker_count; i++) codec_put_u64(out, lock->blockers[i]);
}

static bool lock_get(struct codec_reader *in, struct arena *arena, struct listed_lock *lock)
{
    lock->key = arena_copy(arena, codec_get_bytes(in));
    lock->txn = codec_get_u64(in);
    const uint8_t mode = codec_get_u8(in);
    if (mode == KV_LOCK_NONE || mode > KV_LOCK_MODES) return false;
    lock->mode = (enum kv_lock)mode;
    lock->granted = codec_get_bool(in);
    lock->since_us = codec_get_i64(in);
    lock->blocker_count = codec_get_u32(in);
    if (lock->blocker_count > LOCK_LIST_BLOCKERS_MAX) return false;
    for (uint32_t i = 0; i < lock->blocker_count; i++) lock->blockers[i] = codec_get_u64(in);
    return !in->bad;
}

static struct status serve(struct task *task, const struct rpc_request *request, struct buffer *reply)
{
    struct status st = STATUS_OK;
    struct codec_reader in = codec_read(request->body);
    const uint64_t tenant = codec_get_u64(&in);
    struct lock_list list = {0};
    struct arena arena;
    if (!codec_done(&in)) return status_make(E_PROTOCOL_VIOLATION, "malformed request");
    arena_init(&arena, NULL);
    TRY(list_here(task, tenant, &arena, &list));
    codec_put_u32(reply, list.count);
    for (uint32_t i = 0; i < list.count; i++) lock_put(reply, &list.locks[i]);
out:
    arena_fini(&arena);
    return st;
}

static struct status reply_take(struct bytes reply, struct arena *arena, struct lock_list *list)
{
    struct codec_reader in = codec_read(reply);
    const uint32_t count = codec_get_count(&in, LISTED_BYTES_LEAST - 4);
    for (uint32_t i = 0; i < count; i++) {
        if (lock_get(&in, arena, list_add(list, arena))) continue;
        list->count--;
        return status_make(E_PROTOCOL_VIOLATION, "the node's answer is malformed");
    }
    return STATUS_OK;
}

struct status lock_list(
    struct task *task, uint64_t tenant, struct arena *arena, struct lock_list *list)
{
    struct status st;
    uint32_t node_count, count = 0;
    const uint32_t own = task->shard->node->id;
    const uint64_t deadline_ns = task->deadline_ns;
    uint8_t body[8];
    *list = (struct lock_list){0};
    TRY(list_here(task, tenant, arena, list));
    codec_store(body, tenant, sizeof body);
    const struct cluster_node *nodes = cluster_nodes(task->shard, &node_count);
    struct rpc_call *calls = ARENA_ARRAY(arena, struct rpc_call, node_count + 1);
    for (uint32_t i = 0; i < node_count; i++) {
        if (nodes[i].id == own || !nodes[i].alive) continue;
        calls[count++] = (struct rpc_call){.node = nodes[i].id, .method = METHOD_LIST,
            .body = bytes_of(body, sizeof body), .arena = arena};
    }
    if (count == 0) goto out;
    const uint64_t latest_ns = task_now_ns(task) + LOCK_LIST_NS;
    if (deadline_ns == 0 || latest_ns < deadline_ns) task->deadline_ns = latest_ns;
    st = rpc_call_many(task, calls, count);
    task->deadline_ns = deadline_ns;
    if (failed(st) && task->cancelled) goto out;
    st = STATUS_OK;
    for (uint32_t i = 0; i < count; i++)
        if (!failed(calls[i].status)) TRY(reply_take(calls[i].reply, arena, list));
out:
    return st;
}

void lock_list_register(void)
{
    static const struct rpc_method method = {
        .id = METHOD_LIST, .name = "locks.list", .class = TASK_DEFAULT, .call = serve};
    rpc_method_register(&method);
}
