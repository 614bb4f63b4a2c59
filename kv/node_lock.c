// SPDX-License-Identifier: GPL-3.0-or-later
#include "kv/node_lock.h"

#include "core/codec.h"
#include "core/invariant.h"
#include "core/shard.h"
#include "kv/client.h"
#include "kv/cluster.h"

#define FORMAT 1u
#define ATTEMPTS_MAX 50u
#define WAIT_FIRST_NS UINT64_C(2000000)
#define WAIT_LAST_NS UINT64_C(100000000)
#define LAPSE_NS (2 * CLUSTER_LIVENESS_NS)

struct holder {
    uint32_t node, modes;
    uint64_t epoch;
    int64_t started_at_ns;
};
struct holders {
    struct holder *items;
    uint32_t count;
};

// A record that has lapsed for a moment is soon renewed: that is waited for.
static struct status own_holder(struct task *task, struct holder *own)
{
    struct status st = STATUS_OK;
    uint32_t id = task->shard->node->id;
    uint64_t end_ns = task_now_ns(task) + LAPSE_NS;
    while (cluster_epoch(task->shard) == 0 && task_now_ns(task) < end_ns) TRY(task_sleep(task, WAIT_LAST_NS));
    const struct cluster_node *node = cluster_node(task->shard, id);
    *own = (struct holder){.node = id,
        .epoch = cluster_epoch(task->shard),
        .started_at_ns = node == NULL ? 0 : node->started_at_ns};
    if (own->epoch == 0)
        st = status_make(E_NOT_IN_PREREQUISITE_STATE,
            "this node is cut off from the cluster: it can hold no lock against others");
out:
    return st;
}

static bool same_life(const struct holder *a, const struct holder *b)
{
    return a->node == b->node && a->epoch == b->epoch && a->started_at_ns == b->started_at_ns;
}

// --- records -------------------------------------------------------------------------------------------

static struct bytes key_of(struct arena *arena, struct bytes name)
{
    static const uint8_t prefix[] = {0x01, 'L'};
    struct buffer key;
    invariant(name.size > 0 && name.size <= NODE_LOCK_NAME_BYTES_MAX);
    buffer_init(&key, arena);
    buffer_append(&key, prefix, sizeof prefix);
    buffer_append_bytes(&key, name);
    return buffer_bytes(&key);
}

static struct status holders_decode(struct arena *arena, struct bytes value, struct holders *holders)
{
    *holders = (struct holders){0};
    if (value.data == NULL) {
        holders->items = ARENA_ARRAY(arena, struct holder, 1);
        return STATUS_OK;
    }
    struct codec_reader in = codec_read(value);
    bool known = codec_get_u8(&in) == FORMAT;
    uint32_t count = codec_get_count(&in, 24);
    holders->items = ARENA_ARRAY(arena, struct holder, count + 1); // One more may come.
    for (uint32_t i = 0; i < count; i++) {
        struct holder *holder = &holders->items[holders->count++];
        holder->node = codec_get_u32(&in);
        holder->modes = codec_get_u32(&in);
        holder->epoch = codec_get_u64(&in);
        holder->started_at_ns = codec_get_i64(&in);
    }
    if (!known || !codec_done(&in)) return status_make(E_DATA_CORRUPTED, "the record of a lock is damaged");
    return STATUS_OK;
}

static struct bytes holders_encode(struct arena *arena, const struct holders *holders)
{
    struct buffer out;
    buffer_init(&out, arena);
    codec_put_u8(&out, FORMAT);
    codec_put_u32(&out, holders->count);
    for (uint32_t i = 0; i < holders->count; i++) {
        const struct holder *holder = &holders->items[i];
        codec_put_u32(&out, holder->node);
        codec_put_u32(&out, holder->modes);
        codec_put_u64(&out, holder->epoch);
        codec_put_i64(&out, holder->started_at_ns);
    }
    return buffer_bytes(&out);
}

// Drops what is of an earlier life of this node, and finds the present one's; NULL: none.
static struct holder *own_find(struct holders *holders, const struct holder *own)
{
    struct holder *found = NULL;
    uint32_t kept = 0;
    for (uint32_t i = 0; i < holders->count; i++) {
        if (holders->items[i].node == own->node && !same_life(&holders->items[i], own)) continue;
        holders->items[kept] = holders->items[i];
        if (holders->items[kept].node == own->node) found = &holders->items[kept];
        kept++;
    }
    holders->count = kept;
    return found;
}

// --- changes -------------------------------------------------------------------------------------------

struct lock_change {
    struct bytes name;
    struct holder own;
    uint32_t add, conflicts; // Acquiring: these modes, unless others hold conflicting ones.
    bool keep;               // Otherwise: own.modes alone.
    struct holder gone;      // A holder that is known to be gone; node 0: none.
    struct holder in_the_way; // Answer: node 0: none.
};

static struct status change_once(struct task *task, struct lock_change *change)
{
    struct status st;
    struct kv_txn *txn = NULL;
    struct holders holders;
    struct bytes value;
    struct arena arena;
    const struct kv_txn_options options = {0};
    const struct kv_read read = {.lock = KV_LOCK_UPDATE};
    arena_init(&arena, NULL);
    change->in_the_way = (struct holder){0};
    TRY(kv_txn_begin(task, &options, &txn));
    struct bytes key = key_of(&arena, change->name);
    TRY(kv_get(task, txn, &read, key, &arena, &value));
    TRY(holders_decode(&arena, value, &holders));
    struct holder *own = own_find(&holders, &change->own);
    for (uint32_t i = 0; i < holders.count && !change->keep; i++) {
        const struct holder *at = &holders.items[i];
        bool gone = same_life(at, &change->gone) && at->node == change->gone.node && at->node != 0;
        if (at == own || gone || !(at->modes & change->conflicts)) continue;
        change->in_the_way = *at;
        goto out;
    }
    if (own == NULL) {
        own = &holders.items[holders.count++];
        *own = change->own;
        own->modes = 0;
    }
    own->modes = change->keep ? change->own.modes : own->modes | change->add;
    struct holders left = {.items = ARENA_ARRAY(&arena, struct holder, holders.count)};
    for (uint32_t i = 0; i < holders.count; i++) {
        const struct holder *at = &holders.items[i];
        bool gone = change->gone.node != 0 && same_life(at, &change->gone);
        if (at->modes != 0 && !gone) left.items[left.count++] = *at;
    }
    if (left.count == 0)
        TRY(kv_delete(task, txn, key));
    else
        TRY(kv_put(task, txn, key, holders_encode(&arena, &left)));
    struct kv_txn *ending = txn;
    txn = NULL;
    TRY(kv_txn_commit(task, ending, NULL));
out:
    st = status_copy(task->arena, st);
    if (txn != NULL) kv_txn_rollback(task, txn);
    arena_fini(&arena);
    return st;
}

// Asked for again it does the same: an outcome that is not known is asked for again.
static struct status change_run(struct task *task, struct lock_change *change)
{
    struct status st = STATUS_OK;
    for (uint32_t attempt = 0; attempt < ATTEMPTS_MAX; attempt++) {
        st = change_once(task, change);
        if (!status_is(st, E_SERIALIZATION_FAILURE) && !status_is(st, E_AMBIGUOUS_RESULT)) break;
    }
    return st;
}

// Whether the holder is gone for certain.
static struct status is_gone(struct task *task, const struct holder *holder, bool *gone)
{
    struct status st = STATUS_OK;
    struct cluster_liveness *records;
    uint32_t count;
    struct arena arena;
    *gone = false;
    const struct cluster_node *node = cluster_node(task->shard, holder->node);
    if (node != NULL && node->started_at_ns > holder->started_at_ns) {
        *gone = true;
        return STATUS_OK;
    }
    if (cluster_alive(task->shard, holder->node)) return STATUS_OK;
    arena_init(&arena, NULL);
    bool lapsed = false;
    TRY(cluster_fence(task, holder->node, &lapsed));
    TRY(cluster_liveness_read(task, &arena, &records, &count));
    for (uint32_t i = 0; i < count; i++)
        if (records[i].node == holder->node && records[i].epoch > holder->epoch) *gone = true;
out:
    st = status_copy(task->arena, st);
    arena_fini(&arena);
    return st;
}

struct status node_lock_acquire(struct task *task, const struct node_lock_wish *wish, bool *granted)
{
    struct status st;
    struct lock_change change = {.name = wish->name, .add = wish->modes, .conflicts = wish->conflicts};
    uint64_t wait_ns = WAIT_FIRST_NS;
    uint64_t end_ns = wish->timeout_ns == 0 ? UINT64_MAX : task_now_ns(task) + wish->timeout_ns;
    *granted = false;
    for (;;) {
        bool gone;
        TRY(own_holder(task, &change.own));
        TRY(change_run(task, &change));
        *granted = change.in_the_way.node == 0;
        if (*granted) break;
        TRY(is_gone(task, &change.in_the_way, &gone));
        change.gone = gone ? change.in_the_way : (struct holder){0};
        if (gone) continue;
        if (wish->try) break;
        uint64_t now_ns = task_now_ns(task);
        if (now_ns >= end_ns)
            return status_make(E_LOCK_NOT_AVAILABLE, "canceling statement due to lock timeout");
        TRY(task_sleep(task, wait_ns < end_ns - now_ns ? wait_ns : end_ns - now_ns));
        if (wait_ns < WAIT_LAST_NS) wait_ns *= 2;
    }
out:
    return st;
}

struct status node_lock_keep(struct task *task, struct bytes name, uint32_t modes)
{
    struct lock_change change = {.name = name, .keep = true};
    struct status st = own_holder(task, &change.own);
    // Then others know that it holds nothing any more, or will.
    if (failed(st)) return modes == 0 ? STATUS_OK : st;
    change.own.modes = modes;
    return change_run(task, &change);
}
