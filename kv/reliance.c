// SPDX-License-Identifier: GPL-3.0-or-later
#include "kv/reliance.h"

#include "core/env.h"
#include "core/invariant.h"
#include "core/mark.h"
#include "core/shard.h"
#include "kv/cluster.h"
#include "kv/txn.h"

#define SETTLE_POLL_NS UINT64_C(1000000)

void reliance_init(struct reliance *reliance)
{
    *reliance = (struct reliance){.generation = 1};
    list_init(&reliance->commits);
    wait_queue_init(&reliance->ended);
}

void reliance_shake(struct reliance *reliance)
{
    reliance->generation++;
}

static struct hlc_timestamp latest_bound(const struct reliance *reliance)
{
    struct hlc_timestamp latest = HLC_ZERO;
    const struct list_link *all = &reliance->commits;
    for (const struct list_link *at = all->next; at != all; at = at->next) {
        const struct kv_txn *txn = container_of((uintptr_t)at, struct kv_txn, relied.link);
        if (txn->relied.generation != reliance->generation) latest = hlc_max(latest, txn->relied.until);
    }
    return latest;
}

struct status reliance_wait(struct task *task, struct reliance *reliance)
{
    struct status st = STATUS_OK;
    struct env *env = task->shard->env;
    struct hlc_timestamp bound;
    while (!hlc_is_zero(bound = latest_bound(reliance))) {
        const uint64_t wall_ns = (uint64_t)env->wall_ns(env);
        if (wall_ns > bound.wall_ns) {
            covered("reliance.waited_out");
            break;
        }
        covered("reliance.waits");
        const uint64_t wait_ns = bound.wall_ns - wall_ns + 1;
        TRY(task_wait_until(task, &reliance->ended, task_now_ns(task) + wait_ns, STATUS_OK));
    }
    reliance->high = hlc_max(reliance->high, bound);
out:
    return st;
}

void kv_txn_rely(struct kv_txn *txn, struct reliance *reliance, struct bytes key)
{
    struct txn_relied *relied = &txn->relied;
    if (txn->read_only) return;
    const bool other = relied->on != NULL &&
                       (relied->on != reliance || relied->generation != reliance->generation);
    if (other) { // What was noted before is looked at in the end; this is of another moment.
        read_set_add_key(&txn->reads, key);
        return;
    }
    if (relied->on == NULL) {
        relied->on = reliance;
        relied->generation = reliance->generation;
        relied->from = txn->read_ts;
    }
    read_set_add_key(&relied->keys, key);
}

struct status txn_rely_no_more(struct task *task, struct kv_txn *txn)
{
    struct status st = STATUS_OK;
    struct txn_relied *relied = &txn->relied;
    uint32_t count;
    if (relied->on == NULL) return STATUS_OK;
    covered("reliance.no_more");
    relied->on = NULL;
    if (hlc_less(relied->from, txn->read_ts)) TRY(txn_unchanged(task, txn, &relied->keys, relied->from));
    const struct read_entry *entries = read_set_entries(&relied->keys, &count);
    for (uint32_t i = 0; i < count; i++) {
        if (read_entry_is_key(&entries[i])) {
            read_set_add_key(&txn->reads, entries[i].start);
        } else {
            read_set_add_span(&txn->reads, (struct span){entries[i].start, entries[i].end});
        }
    }
    read_set_clear(&relied->keys);
out:
    return txn_outcome(txn, st);
}

struct status txn_rely_move(struct task *task, struct kv_txn *txn, struct hlc_timestamp to)
{
    const struct txn_relied *relied = &txn->relied;
    if (LIKELY(relied->on == NULL)) return STATUS_OK;
    // What is told from now on commits above this clock; beyond it something may be that was told of and is not seen.
    const bool may = relied->on->generation == relied->generation && hlc_less_equal(to, hlc_now(&task->shard->hlc));
    return may ? STATUS_OK : txn_rely_no_more(task, txn);
}

struct status txn_rely_begin(struct task *task, struct kv_txn *txn, bool *relies)
{
    struct txn_relied *relied = &txn->relied;
    *relies = false;
    if (relied->on == NULL) return STATUS_OK;
    const struct hlc_timestamp until = cluster_rely_until(txn->shard, RELIANCE_NS);
    const bool may = relied->on->generation == relied->generation && !hlc_is_zero(until);
    if (!may) return txn_rely_no_more(task, txn);
    *relies = true;
    relied->until = until;
    relied->spread = false;
    list_append(&relied->on->commits, &relied->link);
    client_of(task)->relying++;
    return STATUS_OK;
}

void txn_rely_end(struct kv_txn *txn, struct status st, struct hlc_timestamp commit_ts)
{
    struct txn_relied *relied = &txn->relied;
    struct reliance *on = relied->on;
    // Of one entry, or before it, a cancel says that it never came to the log: otherwise nobody knows, which is 40003.
    const bool cancelled = status_is(st, E_QUERY_CANCELED) && !relied->spread;
    const bool refused = cancelled || status_is(st, E_SERIALIZATION_FAILURE) || status_is(st, K_LATE) ||
                         status_is(st, K_WRONG_RANGE);
    // What has become of it otherwise is not looked at: it may be anywhere below its bound.
    if (failed(st)) commit_ts = refused ? HLC_ZERO : relied->until;
    on->high = hlc_max(on->high, commit_ts);
    list_remove(&relied->link);
    relied->until = HLC_ZERO;
    ((struct client *)kv_shard_of(txn->shard)->module_state[KV_SLOT_CLIENT])->relying--;
    wait_queue_wake_all(&on->ended, STATUS_OK);
}

struct status reliance_settle(struct task *task, void *unused)
{
    struct status st = STATUS_OK;
    (void)unused;
    struct kv_shard *kv = kv_shard_of(task->shard);
    const uint64_t end_ns = task_now_ns(task) + RELIANCE_NS;
    if (kv == NULL || kv->module_state[KV_SLOT_CLIENT] == NULL) return STATUS_OK;
    while (client_of(task)->relying > 0 && task_now_ns(task) < end_ns) TRY(task_sleep(task, SETTLE_POLL_NS));
out:
    return st;
}
