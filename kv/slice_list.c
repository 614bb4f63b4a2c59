// SPDX-License-Identifier: GPL-3.0-or-later
#include "kv/slice_list.h"

#include "kv/client.h"
#include "kv/cluster.h"
#include "kv/kv_node.h"
#include "kv/leader.h"

#define KEY_BYTES 4u
#define WAIT_NS UINT64_C(50000000)
#define WAIT_MAX_NS UINT64_C(10000000000)

static const uint8_t prefix[] = {0x01, 'S'}, prefix_end[] = {0x01, 'S' + 1};

struct status slice_list_note(struct task *task, uint64_t slice)
{
    struct status st;
    const uint8_t key[KEY_BYTES] = {prefix[0], prefix[1], (uint8_t)(slice >> 8), (uint8_t)slice};
    const struct kv_txn_options options = {.tenant = 0};
    struct kv_txn *txn;
    st = kv_txn_begin(task, &options, &txn);
    if (failed(st)) return st;
    TRY(kv_put(task, txn, bytes_of(key, sizeof key), BYTES_LITERAL("")));
    return kv_txn_commit(task, txn, NULL);
out:
    kv_txn_rollback(task, txn);
    return st;
}

struct status slice_list_read(
    struct task *task, struct arena *arena, uint64_t **slices, uint32_t *count)
{
    struct status st;
    const struct kv_txn_options options = {.tenant = 0, .read_only = true};
    struct kv_txn *txn;
    struct kv_scan scan;
    *count = 0;
    *slices = ARENA_ARRAY(arena, uint64_t, KV_SLICES_MAX);
    st = kv_txn_begin(task, &options, &txn);
    if (failed(st)) return st;
    kv_scan_init(&scan,
        (struct span){bytes_of(prefix, sizeof prefix), bytes_of(prefix_end, sizeof prefix_end)});
    for (;;) {
        struct kv_batch batch;
        TRY(kv_scan_next(task, txn, &scan, arena, &batch));
        if (batch.count == 0) break;
        for (uint32_t i = 0; i < batch.count && *count < KV_SLICES_MAX; i++) {
            struct bytes key = batch.pairs[i].key;
            if (key.size != KEY_BYTES) continue;
            uint64_t slice = (uint64_t)key.data[2] << 8 | key.data[3];
            if (slice >= 1 && slice <= KV_SLICES_MAX) (*slices)[(*count)++] = slice;
        }
    }
out:
    kv_txn_rollback(task, txn);
    return st;
}

// Both lists are in order of ids.
static void merge(
    struct arena *arena, const uint64_t *heard, uint32_t heard_count, uint64_t **slices, uint32_t *count)
{
    const uint64_t *written = *slices;
    uint32_t a = 0, b = 0, written_count = *count;
    *slices = ARENA_ARRAY(arena, uint64_t, heard_count + written_count + 1);
    *count = 0;
    while (a < heard_count || b < written_count) {
        uint64_t next = b == written_count || (a < heard_count && heard[a] < written[b]) ? heard[a]
                                                                                       : written[b];
        if (a < heard_count && heard[a] == next) a++;
        if (b < written_count && written[b] == next) b++;
        (*slices)[(*count)++] = next;
    }
}

struct status slice_list_all(
    struct task *task, struct arena *arena, uint64_t **slices, uint32_t *count)
{
    struct status st = STATUS_OK;
    uint64_t *heard;
    uint32_t heard_count;
    const uint64_t until_ns = task_now_ns(task) + WAIT_MAX_NS;
    *count = 0;
    for (;;) {
        leader_slices(task->shard, arena, &heard, &heard_count);
        if (!cluster_alone(task->shard)) TRY(slice_list_read(task, arena, slices, count));
        if (*count > 0 || cluster_alone(task->shard)) break;
        // A node that was alone a moment ago: placement is about to begin.
        if (task_now_ns(task) >= until_ns)
            TRY(status_make(E_NOT_IN_PREREQUISITE_STATE, "not all slices of the cluster are known yet"));
        TRY(task_sleep(task, WAIT_NS));
    }
    merge(arena, heard, heard_count, slices, count);
out:
    return st;
}
