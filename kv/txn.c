// SPDX-License-Identifier: GPL-3.0-or-later
#include "kv/txn.h"

#include <stdlib.h>

#include "core/env.h"
#include "core/invariant.h"
#include "core/mark.h"
#include "core/metrics.h"
#include "kv/cluster.h"
#include "kv/key.h"

#define FREE_TXNS_MAX 1024u

METRIC_DEFINE(metric_commits, "txn.commits", METRIC_COUNTER, METRIC_COUNT, true,
    "Transactions committed");
METRIC_DEFINE(metric_aborts, "txn.aborts", METRIC_COUNTER, METRIC_COUNT, true,
    "Transactions rolled back or failed");

// --- the shard's share ---------------------------------------------------------------------------

static struct status client_shard_init(struct task *task, struct kv_shard *kv)
{
    struct status st = STATUS_OK;
    (void)task;
    struct client *client = calloc(1, sizeof *client);
    if (client == NULL) return status_make(E_OUT_OF_MEMORY, "out of memory");
    invariant(kv->shard->index < 1u << CLIENT_TXN_SHARD_BITS);
    // Eighths of about 65 microseconds: ids of an earlier start are lower as long as a shard begins
    // less than 100,000 transactions a second on average. They come around after 18 years.
    client->last_id = (uint64_t)kv->shard->env->wall_ns(kv->shard->env) >> 13;
    client->patience_end_ns = UINT64_MAX;
    list_init(&client->fates);
    list_init(&client->live);
    for (uint32_t i = 0; i < CLIENT_COMMIT_LISTS; i++) list_init(&client->commits[i]);
    client->leader_count = KV_SLICES_MAX + 1;
    client->leaders = calloc(client->leader_count, sizeof client->leaders[0]);
    if (client->leaders == NULL) {
        st = status_make(E_OUT_OF_MEMORY, "out of memory");
        goto out;
    }
    TRY(range_set_create(&client->router.routes));
    if (kv->shard->slots[SHARD_SLOT_CLUSTER] != NULL) {
        client->directory = &leader_directory_cluster;
    }
    kv->module_state[KV_SLOT_CLIENT] = client;
    metric_register(&metric_commits);
    metric_register(&metric_aborts);
    return STATUS_OK;
out:
    free(client->leaders);
    free(client);
    return st;
}

static void client_shard_fini(struct kv_shard *kv)
{
    struct client *client = kv->module_state[KV_SLOT_CLIENT];
    if (client == NULL) return;
    while (client->free != NULL) {
        struct kv_txn *txn = client->free;
        client->free = txn->next_free;
        free(txn);
    }
    range_set_destroy(client->router.routes);
    free(client->leaders);
    free(client);
    kv->module_state[KV_SLOT_CLIENT] = NULL;
}

const struct kv_module client_module = {
    .name = "client",
    .slot = KV_SLOT_CLIENT,
    .shard_init = client_shard_init,
    .shard_fini = client_shard_fini,
};

static struct client *client_of_shard(struct shard *shard)
{
    return kv_shard_of(shard)->module_state[KV_SLOT_CLIENT];
}

uint64_t client_txn_id(struct shard *shard)
{
    const uint64_t count_mask = (UINT64_C(1) << CLIENT_TXN_COUNT_BITS) - 1;
    uint64_t count = ++client_of_shard(shard)->last_id & count_mask;
    uint64_t id = (uint64_t)client_node_bits(shard->node->id) << (64 - CLIENT_TXN_NODE_BITS) |
        (uint64_t)shard->index << CLIENT_TXN_COUNT_BITS | count;
    return id == 0 ? client_txn_id(shard) : id; // 0 is nobody's.
}

bool client_txn_runs(struct shard *shard, uint64_t txn)
{
    struct client *client = client_of_shard(shard);
    for (struct list_link *at = client->live.next; at != &client->live; at = at->next) {
        const struct kv_txn *live = container_of(at, struct kv_txn, link);
        if (live->id == txn || live->lock_id == txn) return true;
    }
    return false;
}

// --- life ----------------------------------------------------------------------------------------

static void txn_reset(struct kv_txn *txn)
{
    txn->doomed = false;
    txn->weak = false;
    txn->locked_slices = NULL;
    txn->locked_count = txn->locked_capacity = 0;
    txn->lock_count = 0;
    txn->lock_hash_count = 0;
    txn->unlocked_ts = HLC_ZERO;
    txn->stats = (struct kv_txn_stats){0};
    write_buffer_init(&txn->writes, &txn->write_arena);
    txn->buffer_bytes_max = TXN_BUFFER_BYTES;
    txn->stages = NULL;
    txn->stage_count = txn->stage_capacity = 0;
    txn->staged_epochs = txn->staged_attempt = txn->staged_bytes = 0;
    txn->view = (struct staged_view){0};
    txn->hidden = NULL;
    txn->hidden_capacity = 0;
    read_set_init(&txn->reads, &txn->arena);
    read_set_init(&txn->step_reads, &txn->arena);
    txn->relied = (struct txn_relied){0};
    read_set_init(&txn->relied.keys, &txn->arena);
    txn->commit_after = txn->commit_until = HLC_ZERO;
    held_set_init(&txn->held, &txn->arena);
    held_set_init(&txn->locked, &txn->arena);
    txn->locked_more = false;
    txn->lock_level = 0;
}

// What was acknowledged before the snapshot was taken has timestamps at or below it, by this node's
// clock; by others' they may be this far above.
static void txn_snapshot(struct task *task, struct kv_txn *txn, struct hlc_timestamp now)
{
    txn->read_ts = now;
    txn->seen.count = 0;
    txn->uncertain = HLC_ZERO;
    if (LIKELY(cluster_alone(task->shard))) return;
    txn->uncertain = now;
    txn->uncertain.wall_ns += (uint64_t)cluster_max_offset_ns(task->shard);
}

struct status kv_txn_begin(
    struct task *task, const struct kv_txn_options *options, struct kv_txn **begun)
{
    *begun = NULL;
    struct kv_shard *kv = kv_shard_of(task->shard);
    if (kv == NULL || kv->stopping) return status_make(E_ADMIN_SHUTDOWN, "storage is stopping");
    struct hlc_timestamp now = hlc_now(&task->shard->hlc);
    bool in_past = !hlc_is_zero(options->as_of);
    if (in_past && hlc_less(now, options->as_of)) {
        return status_make(E_INVALID_PARAMETER_VALUE, "cannot read at a timestamp in the future");
    }

    struct client *client = client_of(task);
    struct kv_txn *txn = client->free;
    if (txn != NULL) {
        client->free = txn->next_free;
        client->free_count--;
    } else {
        txn = calloc(1, sizeof *txn);
        if (txn == NULL) return status_make(E_OUT_OF_MEMORY, "out of memory");
    }
    client->live_count++;
    list_append(&client->live, &txn->link);
    txn->shard = task->shard;
    txn->id = txn->lock_id = client_txn_id(task->shard);
    txn->age_ns = now.wall_ns;
    txn->tenant = options->tenant;
    txn->lock_timeout_ns = options->lock_timeout_ns;
    txn_snapshot(task, txn, now);
    txn->in_past = in_past;
    txn->from_leaders = options->from_leaders;
    if (in_past) {
        txn->read_ts = options->as_of;
        txn->uncertain = HLC_ZERO;
    }
    txn->read_only = options->read_only || in_past;
    arena_init(&txn->arena, options->account);
    arena_init(&txn->write_arena, options->account);
    txn_reset(txn);
    *begun = txn;
    return STATUS_OK;
}

void txn_release_locks(struct kv_txn *txn)
{
    for (uint32_t i = 0; i < txn->locked_count; i++) {
        leader_release(txn->shard, txn->locked_slices[i], txn->lock_id, 0, UINT32_MAX);
    }
    txn->locked_count = 0;
    txn->lock_count = 0;
}

void txn_end(struct kv_txn *txn)
{
    struct client *client = client_of_shard(txn->shard);
    commit_abandon(txn);
    txn_release_locks(txn);
    arena_fini(&txn->write_arena);
    arena_fini(&txn->arena);
    client->live_count--;
    list_remove(&txn->link);
    if (client->free_count >= FREE_TXNS_MAX) {
        free(txn);
        return;
    }
    txn->next_free = client->free;
    client->free = txn;
    client->free_count++;
}

void kv_txn_rollback(struct task *task, struct kv_txn *txn)
{
    (void)task;
    if (txn == NULL) return;
    if (!txn->read_only) metric_add(&metric_aborts, txn->tenant, 1);
    txn_end(txn);
}

struct status kv_txn_restart(struct task *task, struct kv_txn *txn)
{
    commit_abandon(txn);
    txn_release_locks(txn);
    arena_reset(&txn->write_arena);
    arena_reset(&txn->arena);
    txn_reset(txn);
    // A new identity, so that nothing still under way about the former one is taken for this one's.
    txn->id = txn->lock_id = client_txn_id(task->shard);
    txn_snapshot(task, txn, hlc_now(&task->shard->hlc));
    return STATUS_OK;
}

struct status kv_txn_step(struct task *task, struct kv_txn *txn)
{
    struct status st = txn_check(txn, false);
    if (failed(st)) return st;
    struct hlc_timestamp now = hlc_now(&task->shard->hlc);
    read_set_clear(&txn->step_reads);
    st = txn_move(task, txn, now);
    if (!failed(st)) txn_snapshot(task, txn, hlc_max(txn->read_ts, now));
    return st;
}

void kv_txn_weaken(struct kv_txn *txn, bool weak)
{
    txn->weak = weak;
}

bool kv_txn_is_weak(const struct kv_txn *txn)
{
    return txn->weak;
}

bool kv_txn_locks_rows(const struct kv_txn *txn)
{
    return txn->lock_count < TXN_LOCKS_MAX;
}

void kv_txn_lock_timeout_set(struct kv_txn *txn, uint64_t timeout_ns)
{
    txn->lock_timeout_ns = timeout_ns;
}

// Reads only: they were all of one snapshot, so the transaction took place then.
static bool needs_commit(const struct kv_txn *txn)
{
    return kv_txn_has_writes(txn);
}

static struct status commit_routed(
    struct task *task, struct kv_txn *txn, struct hlc_timestamp *commit_ts)
{
    struct status st = STATUS_OK;
    for (uint32_t attempt = 0; attempt < ROUTE_ATTEMPTS_MAX; attempt++) {
        struct txn_parts parts = {.arena = &txn->arena};
        TRY(txn_parts_writes(task, txn, &parts));
        TRY(txn_parts_reads(task, txn, &parts));
        TRY(txn_parts_held(task, txn, &parts));
        txn->relied.spread |= parts.count > 1;
        st = parts.count == 1 ? commit_one(task, txn, &parts.parts[0], commit_ts)
                              : commit_multi(task, txn, &parts, commit_ts);
        if (!status_is(st, K_WRONG_RANGE)) break;
        TRY(router_evict_all(task, attempt));
    }
out:
    return st;
}

// Up to when it may hardly rely any more, or may not.
static struct status held_up(struct task *task)
{
    struct env *env = task->shard->env;
    return task_sleep(task, env->random(env) % (RELIANCE_NS + RELIANCE_NS / 8));
}

// What took longer than it may rely on others does so no more, and is validated instead.
static struct status commit_parts(
    struct task *task, struct kv_txn *txn, struct hlc_timestamp *commit_ts)
{
    struct status st = STATUS_OK;
    bool relies;
    TRY(txn_rely_begin(task, txn, &relies));
    if (relies) {
        if (SIM_MAYBE("reliance.held_up")) st = held_up(task);
        if (!failed(st)) st = commit_routed(task, txn, commit_ts);
        txn_rely_end(txn, st, *commit_ts);
        if (!status_is(st, K_LATE)) goto out;
        covered("reliance.late");
        TRY(txn_rely_no_more(task, txn));
    }
    st = commit_routed(task, txn, commit_ts);
out:
    if (status_is(st, K_LATE))
        st = status_make_retry(E_SERIALIZATION_FAILURE, RETRY_TRANSACTION,
            "could not serialize access: the commit took too long");
    return st;
}

struct status kv_txn_commit(struct task *task, struct kv_txn *txn, struct hlc_timestamp *commit_ts)
{
    struct hlc_timestamp ts = HLC_ZERO;
    struct status st = txn_check(txn, false);
    if (!failed(st) && needs_commit(txn)) {
        st = arena_check(&txn->arena);
        if (!failed(st)) {
            st = txn->stage_count > 0 ? commit_staged(task, txn, &ts)
                                      : commit_parts(task, txn, &ts);
        }
    } else if (!failed(st)) {
        st = txn_check_locks(task, txn);
    }
    if (commit_ts != NULL) *commit_ts = ts;
    if (failed(st)) {
        metric_add(&metric_aborts, txn->tenant, 1);
        // Its message may live in the transaction's arena.
        st = status_copy(task->arena, st);
        if (status_is(st, E_AMBIGUOUS_RESULT))
            st = status_hint(task->arena, st,
                "The transaction may have been committed: look what is there before doing it again.");
    } else if (!txn->read_only) {
        metric_add(&metric_commits, txn->tenant, 1);
    }
    txn_end(txn);
    return st;
}

// --- facts ---------------------------------------------------------------------------------------

struct hlc_timestamp kv_txn_read_ts(const struct kv_txn *txn)
{
    return txn->read_ts;
}

uint64_t kv_txn_id(const struct kv_txn *txn)
{
    return txn->id;
}

uint64_t kv_txn_tenant(const struct kv_txn *txn)
{
    return txn->tenant;
}

bool kv_txn_has_writes(const struct kv_txn *txn)
{
    return txn->writes.count > 0 || txn->stage_count > 0;
}

uint64_t kv_txn_write_bytes(const struct kv_txn *txn)
{
    return txn->staged_bytes + txn->writes.bytes;
}

const struct kv_txn_stats *kv_txn_stats(const struct kv_txn *txn)
{
    return &txn->stats;
}

void kv_txn_depend(struct kv_txn *txn, struct bytes key)
{
    if (!txn->read_only) read_set_add_key(&txn->reads, key);
}

void kv_txn_commit_within(struct kv_txn *txn, struct hlc_timestamp after, struct hlc_timestamp until)
{
    txn->commit_after = after;
    txn->commit_until = until;
}

// --- for the other files of the client -----------------------------------------------------------

void txn_back_to(struct kv_txn *txn, struct hlc_timestamp ts)
{
    invariant(!txn->read_only && hlc_is_zero(txn->unlocked_ts));
    invariant(txn->reads.count == 0 && txn->writes.count == 0);
    if (hlc_less(ts, txn->read_ts)) txn->read_ts = ts;
}

struct status txn_check(const struct kv_txn *txn, bool writes)
{
    if (txn->doomed) {
        return status_make_retry(E_SERIALIZATION_FAILURE, RETRY_TRANSACTION,
            "could not serialize access: transaction must be restarted");
    }
    if (writes && txn->read_only) {
        return status_make(
            E_READ_ONLY_TRANSACTION, "cannot write or lock rows in a read-only transaction");
    }
    return STATUS_OK;
}

struct status txn_outcome(struct kv_txn *txn, struct status st)
{
    if (status_is(st, E_SERIALIZATION_FAILURE)) txn->doomed = true;
    return st;
}

// How many requests of it have staged there, as far as it knows.
static uint64_t staged_at(const struct kv_txn *txn, uint64_t slice)
{
    for (uint32_t i = 0; i < txn->stage_count; i++) {
        if (txn->stages[i].slice == slice) return txn->stages[i].sequence;
    }
    return 0;
}

void txn_call_init(
    struct kv_txn *txn, struct task *task, uint64_t slice, struct leader_call *call)
{
    call->slice = slice;
    // The reply arena is the transport's: leader_call begins it when it is needed.
    call->generation = 0;
    call->tenant = txn->tenant;
    call->read_ts = txn->read_ts;
    call->uncertain = hlc_less(txn->read_ts, txn->uncertain) ? txn->uncertain : HLC_ZERO;
    call->seen = &txn->seen;
    call->view = LIKELY(txn->stage_count == 0) ? NULL : &txn->view;
    call->staged = staged_at(txn, slice);
    call->follower = txn->in_past && !txn->from_leaders;
    call->owner = (struct lock_owner_id){txn->id, txn->age_ns};
    call->holder = txn->lock_id;
    call->lock_level = txn->lock_level;
    call->locks_since = 0;
    call->lock_deadline_ns =
        txn->lock_timeout_ns == 0 ? 0 : task_now_ns(task) + txn->lock_timeout_ns;
    call->remote = false;
    call->leader = 0;
    call->moved_to = HLC_ZERO;
    call->lock_wait_ns = 0;
    call->locks_taken = 0;
}

void txn_note_locks(struct kv_txn *txn, uint64_t slice)
{
    for (uint32_t i = 0; i < txn->locked_count; i++) {
        if (txn->locked_slices[i] == slice) return;
    }
    if (txn->locked_count == txn->locked_capacity) {
        uint32_t capacity = txn->locked_capacity == 0 ? 4 : txn->locked_capacity * 2;
        txn->locked_slices = arena_grow(&txn->arena, txn->locked_slices,
            txn->locked_capacity * sizeof(uint64_t), capacity * sizeof(uint64_t));
        txn->locked_capacity = capacity;
    }
    txn->locked_slices[txn->locked_count++] = slice;
}

void txn_locks_gone(struct kv_txn *txn, uint64_t slice)
{
    uint32_t kept = 0;
    for (uint32_t i = 0; i < txn->locked_count; i++) {
        if (txn->locked_slices[i] != slice) txn->locked_slices[kept++] = txn->locked_slices[i];
    }
    txn->locked_count = kept;
}

bool txn_lock_is_known(const struct kv_txn *txn, const struct write_node *write)
{
    const uint64_t strong = txn_lock_hash(write->key, KV_LOCK_UPDATE);
    const uint64_t enough = txn_lock_hash(write->key, write_node_lock(write));
    for (uint32_t i = 0; i < txn->lock_hash_count; i++) {
        if (txn->lock_hashes[i] == strong || txn->lock_hashes[i] == enough) return true;
    }
    return false;
}

void txn_count(struct kv_txn *txn, const struct leader_call *call)
{
    txn->stats.requests++;
    txn->stats.lock_wait_ns += call->lock_wait_ns;
    txn->lock_count += call->locks_taken;
}

static struct status parts_of(
    struct task *task, struct read_set *reads, struct txn_parts *parts);

static struct status refresh_part(struct task *task, struct kv_txn *txn,
    const struct txn_part *part, struct hlc_timestamp to)
{
    struct leader_refresh refresh = {
        .entries = part->reads, .count = part->read_count, .to = to};
    txn_call_init(txn, task, part->slice, &refresh.call);
    struct status st = leader_call(task, &refresh.call, &txn->arena, LEADER_REFRESH);
    txn_count(txn, &refresh.call);
    leader_reply_end(&refresh.call);
    return st;
}

// Inserts are checked from the snapshot on: those made before it moves rest on their locks until then.
static void hold_inserts(struct kv_txn *txn)
{
    if (txn->weak || !hlc_is_zero(txn->unlocked_ts)) return;
    if (txn->writes.count > TXN_HELD_MAX) {
        txn->unlocked_ts = txn->read_ts;
        return;
    }
    const struct write_node *node = write_buffer_seek(&txn->writes, (struct bytes){0});
    for (; node != NULL; node = write_node_next(node)) {
        if (!node->checked) continue;
        const enum kv_lock mode = KV_LOCK_NO_KEY_UPDATE; // Nobody else writes it.
        const struct held_key *locked = held_set_find(&txn->locked, node->key, mode);
        txn_note_held(txn, node->key, mode, locked == NULL ? 0 : locked->since);
    }
}

static struct status refresh(struct task *task, struct kv_txn *txn, struct read_set *reads,
    struct hlc_timestamp to)
{
    struct status st = STATUS_OK;
    for (uint32_t attempt = 0; reads->count > 0 && attempt < ROUTE_ATTEMPTS_MAX; attempt++) {
        struct txn_parts parts = {.arena = &txn->arena};
        TRY(parts_of(task, reads, &parts));
        for (uint32_t i = 0; i < parts.count && !failed(st); i++) {
            st = refresh_part(task, txn, &parts.parts[i], to);
        }
        if (!status_is(st, K_WRONG_RANGE)) break;
        TRY(router_evict_all(task, attempt));
    }
out:
    return st;
}

struct status txn_unchanged(
    struct task *task, struct kv_txn *txn, struct read_set *keys, struct hlc_timestamp from)
{
    const struct hlc_timestamp snapshot = txn->read_ts;
    txn->read_ts = from;
    struct status st = refresh(task, txn, keys, snapshot);
    txn->read_ts = snapshot;
    return st;
}

struct status txn_move(struct task *task, struct kv_txn *txn, struct hlc_timestamp to)
{
    struct status st;
    to = hlc_max(to, hlc_now(&task->shard->hlc));
    TRY(refresh(task, txn, &txn->step_reads, to));
    st = txn_move_to(task, txn, to);
out:
    return st;
}

struct status txn_move_to(struct task *task, struct kv_txn *txn, struct hlc_timestamp to)
{
    struct status st = STATUS_OK;
    if (hlc_less_equal(to, txn->read_ts)) goto out;
    TRY(txn_rely_move(task, txn, to));
    hold_inserts(txn);
    TRY(refresh(task, txn, &txn->reads, to));
    txn->read_ts = to;
out:
    return txn_outcome(txn, st);
}

// --- by slice ------------------------------------------------------------------------------------

struct txn_part *txn_parts_get(struct txn_parts *parts, uint64_t slice)
{
    for (uint32_t i = parts->count; i-- > 0;) {
        if (parts->parts[i].slice == slice) return &parts->parts[i];
    }
    if (parts->count == parts->capacity) {
        uint32_t capacity = parts->capacity == 0 ? 4 : parts->capacity * 2;
        parts->parts = arena_grow(parts->arena, parts->parts,
            parts->capacity * sizeof(struct txn_part), capacity * sizeof(struct txn_part));
        parts->capacity = capacity;
    }
    struct txn_part *part = &parts->parts[parts->count++];
    *part = (struct txn_part){.slice = slice};
    return part;
}

static void part_add_read(struct txn_parts *parts, struct txn_part *part, struct read_entry entry)
{
    if (part->read_count == part->read_capacity) {
        uint32_t capacity = part->read_capacity == 0 ? 8 : part->read_capacity * 2;
        part->reads = arena_grow(parts->arena, part->reads,
            part->read_capacity * sizeof entry, capacity * sizeof entry);
        part->read_capacity = capacity;
    }
    part->reads[part->read_count++] = entry;
}

static struct status parts_of(
    struct task *task, struct read_set *reads, struct txn_parts *parts)
{
    struct status st = STATUS_OK;
    uint32_t count;
    const struct read_entry *entries = read_set_entries(reads, &count);
    for (uint32_t i = 0; i < count; i++) {
        struct read_entry rest = entries[i];
        for (;;) { // A span is cut where ranges meet.
            const struct range *range;
            TRY(router_find(task, rest.start, false, &range));
            struct txn_part *part = txn_parts_get(parts, range->slice);
            if (read_entry_is_key(&rest) || bytes_compare(rest.end, range->span.end) <= 0) {
                part_add_read(parts, part, rest);
                break;
            }
            struct bytes cut = arena_copy(parts->arena, range->span.end);
            part_add_read(parts, part, (struct read_entry){rest.start, cut});
            rest.start = cut;
        }
    }
out:
    return st;
}

struct status txn_parts_reads(struct task *task, struct kv_txn *txn, struct txn_parts *parts)
{
    return parts_of(task, &txn->reads, parts);
}

struct status txn_parts_writes(struct task *task, struct kv_txn *txn, struct txn_parts *parts)
{
    struct status st = STATUS_OK;
    const struct write_node *node = write_buffer_seek(&txn->writes, (struct bytes){0});
    uint32_t rest = (uint32_t)txn->writes.count;
    for (; node != NULL; node = write_node_next(node), rest--) {
        const struct range *range;
        TRY(router_find(task, node->key, false, &range));
        struct txn_part *part = txn_parts_get(parts, range->slice);
        if (part->write_count == part->write_capacity) {
            // Most often all of them are in one slice: room for the rest at once.
            uint32_t capacity = part->write_capacity == 0
                ? (rest < 64 ? rest : 64) : part->write_capacity * 2;
            part->writes = arena_grow(parts->arena, part->writes,
                part->write_capacity * sizeof node, capacity * sizeof node);
            part->write_capacity = capacity;
        }
        part->writes[part->write_count++] = node;
        if (part->write_count % 1024 == 0) TRY(task_yield_if_due(task));
    }
out:
    return st;
}
