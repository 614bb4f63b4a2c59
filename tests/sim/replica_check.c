// SPDX-License-Identifier: GPL-3.0-or-later
#include "tests/sim/replica_check.h"

#include <inttypes.h>
#include <stdio.h>

#include "core/hash.h"
#include "core/invariant.h"
#include "core/mark.h"
#include "core/reactor.h"
#include "kv/slice_internal.h"
#include "tests/sim/store_pair.h"

#define LOOKS 2048u // One in so many compares.
// What is not applied may be that much (kv/raft.h), and as much again is kept for who is slow.
#define WINDOW_BYTES_MAX (2u * RAFT_WINDOW_BYTES + (2u << 20))

// What each replica writes down by itself: how far it is and how far ahead of the clock, promises of an earlier log.
static bool is_own(enum store_table table, struct bytes key)
{
    return table == STORE_META && key.size == 1 &&
           (key.data[0] == META_APPLIED || key.data[0] == META_LEFT);
}

// A checkpoint is due when so many segments are full (kv/maintenance.c); what is written until it is done comes on top.
#define LOG_BYTES_MAX(node) (4u * (node)->options.log_segment_bytes + 4u * LOG_SEGMENT_LEAST)
#define LOG_SEGMENT_LEAST ((4u << 20) + (64u << 10)) // It holds the largest record.

static uint64_t log_most; // Of the run.

uint64_t replica_check_log_most(void)
{
    return log_most;
}

// On the disk, per shard: what nobody needs any more goes.
static bool logs_are_short(void *arg)
{
    struct kv_world *kv = arg;
    bool all = true;
    for (uint32_t i = 0; i < kv->world.node_count; i++) {
        const struct node *node = sim_node_running(kv->world.nodes[i].machine);
        for (uint32_t k = 0; node != NULL && k < node->shard_count; k++) {
            const struct kv_shard *shard = kv_shard_of(node->shards[k]);
            if (shard == NULL || shard->log == NULL) continue;
            uint64_t bytes = log_writer_bytes(shard->log);
            if (bytes > log_most) log_most = bytes;
            all = all && bytes <= LOG_BYTES_MAX(shard->node);
        }
    }
    return all;
}

static struct status table_hash(struct slice *slice, enum store_table table, uint64_t *hash)
{
    struct store_cursor *cursor = NULL;
    bool found;
    struct status st;
    TRY(store_cursor_open(slice->store, table, &cursor));
    TRY(store_seek(cursor, STORE_FORWARD, bytes_of("", 0), &found));
    while (found) {
        if (!is_own(table, cursor->key)) {
            *hash = hash_combine(*hash, hash_bytes(cursor->key));
            *hash = hash_combine(*hash, hash_bytes(cursor->value));
        }
        TRY(store_step(cursor, STORE_FORWARD, &found));
    }
out:
    store_cursor_close(cursor);
    return st;
}

struct seen {
    struct slice *slice;
    uint32_t node; // Of the cluster.
};

// Long values: the pieces of each version's that there is, and no others.
static struct status pieces_count(struct slice *slice, uint64_t *wanted, uint64_t *there)
{
    struct store_cursor *cursor = NULL;
    bool found;
    struct status st = STATUS_OK;
    for (enum store_table table = 0; table < STORE_TABLE_COUNT; table++) {
        TRY(store_cursor_open(slice->store, table, &cursor));
        TRY(store_seek(cursor, STORE_FORWARD, bytes_of("", 0), &found));
        while (found) {
            struct mvcc_version version = {0};
            if (table == STORE_CURRENT) TRY(mvcc_current_decode(cursor->value, &version));
            if (table == STORE_HISTORY) TRY(mvcc_history_decode(cursor->value, &version));
            if (version.pieces) *wanted += mvcc_piece_count(version.value.size);
            *there += table == STORE_PIECES;
            TRY(store_step(cursor, STORE_FORWARD, &found));
        }
        store_cursor_close(cursor);
        cursor = NULL;
    }
out:
    store_cursor_close(cursor);
    return st;
}

static void pieces_check(struct kv_world *kv, const struct seen *seen)
{
    uint64_t wanted = 0, there = 0;
    struct status st = pieces_count(seen->slice, &wanted, &there);
    if (failed(st))
        sim_violation(kv->world.run, "slice %u on node %u: %s", (uint32_t)seen->slice->id, seen->node, st.message);
    if (wanted > 0) covered("replicas.have_pieces");
    if (wanted != there)
        sim_violation(kv->world.run, "slice %u on node %u: %" PRIu64 " pieces of long values, %" PRIu64 " wanted",
            (uint32_t)seen->slice->id, seen->node, there, wanted);
}

static uint64_t replica_hash(struct slice *slice)
{
    uint64_t hash = 0;
    store_pair_compare(slice->store);
    struct slice_mark mark;
    struct status st = slice_mark_read(slice->store, &mark);
    invariant(!failed(st));
    hash = hash_combine(hash, mark.config.count);
    for (uint32_t i = 0; i < mark.config.count; i++) {
        const struct raft_member *member = &mark.config.members[i];
        hash = hash_combine(hash, (uint64_t)member->node << 1 | (member->learner ? 1 : 0));
    }
    for (uint32_t table = 0; table < STORE_TABLE_COUNT; table++) {
        st = table_hash(slice, (enum store_table)table, &hash);
        invariant(!failed(st));
    }
    return hash;
}

// --- replicas that run --------------------------------------------------------------------------

#define REPLICAS_MAX (WORLD_NODES_MAX * KV_WORLD_SLICES_MAX)

static struct seen seen[REPLICAS_MAX];
static uint32_t seen_count;

static void note(struct kv_world *kv, struct world_node *node, struct slice *slice)
{
    (void)kv;
    (void)node;
    if (seen_count == REPLICAS_MAX) return;
    seen[seen_count++] = (struct seen){slice, slice->kv->node->node_id};
}

// Its store is at its applied index, and nothing is on its way into it.
static bool is_at_rest(const struct slice *slice)
{
    return slice->started && slice->running && !slice->applying && !slice->installing &&
           !failed(slice->failed);
}

// A copy of a store is made while entries are applied: it may hold of the next ones what its applied index does not tell,
// until they have been applied to it as well (kv/slice_apply.c).
static bool may_hold_more(const struct slice *slice)
{
    bool others_are_ahead = false;
    for (uint32_t i = 0; i < seen_count; i++)
        others_are_ahead |= seen[i].slice->id == slice->id && seen[i].slice->applied_index > slice->applied_index;
    return others_are_ahead && slice->checkpoint_index == slice->applied_index;
}

static bool compare(struct kv_world *kv, const struct seen *a, const struct seen *b)
{
    shard_self_set(a->slice->shard);
    pieces_check(kv, a);
    uint64_t one = replica_hash(a->slice);
    shard_self_set(b->slice->shard);
    pieces_check(kv, b);
    uint64_t other = replica_hash(b->slice);
    shard_self_set(NULL);
    if (one == other) return true;
    sim_violation(kv->world.run,
        "slice %u at index %" PRIu64 " holds one thing on node %u and another on node %u",
        (uint32_t)a->slice->id, a->slice->applied_index, a->node, b->node);
    return false;
}

void replica_check_look(struct kv_world *kv)
{
    if (kv->looks == 0) log_most = 0;
    if (++kv->looks % LOOKS != 0) return;
    if (!logs_are_short(kv) && kv->log_bounded)
        sim_violation(kv->world.run, "a log has %" PRIu64 " bytes", log_most);
    seen_count = 0;
    kv_world_replicas_each(kv, note);
    for (uint32_t i = 0; i < seen_count; i++) {
        const struct slice *slice = seen[i].slice;
        if (slice->started && slice->log.raft.window_bytes > WINDOW_BYTES_MAX)
            sim_violation(kv->world.run, "slice %u keeps %" PRIu64 " bytes of entries in memory",
                (uint32_t)slice->id, slice->log.raft.window_bytes);
        for (uint32_t k = i + 1; k < seen_count; k++) {
            if (seen[k].slice->id != slice->id || !is_at_rest(slice) || !is_at_rest(seen[k].slice) ||
                seen[k].slice->applied_index != slice->applied_index || slice->applied_index == 0 ||
                may_hold_more(slice) || may_hold_more(seen[k].slice))
                continue;
            if (!compare(kv, &seen[i], &seen[k])) return;
            sim_count(kv->world.run, "replicas compared", 1);
            break;
        }
    }
}

// --- at the end ----------------------------------------------------------------------------------

static const struct seen *member_of(uint64_t slice, uint32_t node)
{
    for (uint32_t i = 0; i < seen_count; i++) {
        if (seen[i].slice->id == slice && seen[i].node == node) return &seen[i];
    }
    return NULL;
}

static char behind[128]; // The replica that is waited for.

static bool members_at(const struct seen *leader)
{
    const struct raft_config *config = raft_log_config(&leader->slice->log);
    for (uint32_t i = 0; i < config->count; i++) {
        const struct seen *member = member_of(leader->slice->id, config->members[i].node);
        if (member != NULL && is_at_rest(member->slice) &&
            member->slice->applied_index == leader->slice->applied_index)
            continue;
        snprintf(behind, sizeof behind,
            "slice %" PRIu64 ": node %u leads at %" PRIu64 ", node %u is at %" PRIu64 "%s",
            leader->slice->id, leader->node, leader->slice->applied_index, config->members[i].node,
            member == NULL ? 0 : member->slice->applied_index,
            member != NULL && !is_at_rest(member->slice) ? " and busy" : "");
        return false;
    }
    return true;
}

static bool all_at_one_index(void *arg)
{
    struct kv_world *kv = arg;
    uint32_t leaders = 0;
    seen_count = 0;
    kv_world_replicas_each(kv, note);
    for (uint32_t i = 0; i < seen_count; i++) {
        if (seen[i].slice->role != SLICE_SERVING) continue;
        if (!members_at(&seen[i])) return false;
        leaders++;
    }
    return leaders > 0;
}

void replica_check_agree(struct kv_world *kv, uint64_t within_ns)
{
    world_expect(&kv->world, "logs on the disk are within their bound", logs_are_short, kv, within_ns);
    behind[0] = 0;
    kv->world.stuck_on = behind;
    world_expect(&kv->world, "all replicas come to be at one index", all_at_one_index, kv, within_ns);
    kv->world.stuck_on = NULL;
    if (kv->world.run->violated) return;
    for (uint32_t i = 0; i < seen_count; i++) {
        if (seen[i].slice->role != SLICE_SERVING) continue;
        const struct raft_config *config = raft_log_config(&seen[i].slice->log);
        for (uint32_t k = 0; k < config->count; k++) {
            const struct seen *member = member_of(seen[i].slice->id, config->members[k].node);
            if (member != &seen[i] && !compare(kv, &seen[i], member)) return;
        }
    }
}
