// SPDX-License-Identifier: GPL-3.0-or-later
//
// Replicas of kv/raft.h alone, in one process: a bag of messages, disks that lag and tear, stores that are
// checkpointed now and then; and what must always hold, checked as it happens. For tests/sim/scenario_raft.c
// and tests/unit/kv/test_raft.c.
//
// Checked   one leader a term; a leader has everything that was committed before; logs that agree at an index agree
//           before it; what was applied at an index is the same everywhere and for ever; a hard state is durable
//           before a message that depends on it (by crashes).
#pragma once
#include <stdio.h>
#include <stdlib.h>

#include "core/hash.h"
#include "core/invariant.h"
#include "kv/raft.h"

#define CLUSTER_NODES_END 8u // Node ids are 1..7.
#define CLUSTER_INDEXES 20000u
#define CLUSTER_TERMS 20000u
#define CLUSTER_BAG 4096u

struct cluster_record { // On a disk. index 0: a hard state.
    uint64_t index, term, version;
    uint32_t vote;
    enum raft_entry_kind kind;
    uint8_t *body;
    size_t size;
};

struct cluster_replica {
    struct raft_cluster *cluster;
    uint32_t node;
    bool exists, running;
    struct raft raft;
    // Disk: records in order; the first `durable` survive a crash.
    struct cluster_record *disk;
    uint32_t disk_count, disk_durable, disk_capacity;
    uint64_t hard_handed;
    // Store: applied state, and its last checkpoint.
    uint64_t applied, applied_term, state;
    struct raft_config applied_config;
    uint64_t kept_index, kept_term, kept_state;
    struct raft_config kept_config;
    uint64_t proposals_failed;
    bool slow_apply;
};

struct cluster_message {
    struct raft_message message;
    uint8_t *memory;
};

struct cluster_snapshot {
    uint32_t from, to;
    bool pending;
};

struct raft_cluster {
    uint64_t random;
    bool lazy_waits; // raft_flush_lazy is the test's to call.
    struct cluster_replica nodes[CLUSTER_NODES_END];
    struct cluster_message bag[CLUSTER_BAG];
    uint32_t bag_count;
    bool cut[CLUSTER_NODES_END][CLUSTER_NODES_END]; // From, to.
    struct cluster_snapshot snapshots[64];
    uint32_t loss_percent, duplicate_percent;
    bool in_order; // The bag is a queue.
    // What is true for ever.
    uint32_t leader_of_term[CLUSTER_TERMS];
    uint64_t committed_hash[CLUSTER_INDEXES], state_at[CLUSTER_INDEXES], term_at[CLUSTER_INDEXES];
    uint64_t committed; // Highest index applied anywhere.
    uint64_t proposed;
    uint64_t elections, snapshots_sent, messages_sent, messages_delivered;
    bool violated;
    char violation[400];
};

#define CLUSTER_CHECK(cluster, cond, ...)                                                          \
    do {                                                                                           \
        if (!(cond) && !(cluster)->violated) {                                                     \
            (cluster)->violated = true;                                                            \
            snprintf((cluster)->violation, sizeof(cluster)->violation, __VA_ARGS__);               \
        }                                                                                          \
    } while (0)

static inline uint32_t cluster_random(struct raft_cluster *cluster, uint32_t bound)
{
    cluster->random += 0x9e3779b97f4a7c15u;
    return (uint32_t)((hash_u64(cluster->random) >> 32) % bound);
}

static inline bool cluster_chance(struct raft_cluster *cluster, uint32_t percent)
{
    return percent > 0 && cluster_random(cluster, 100) < percent;
}

// --- messages ------------------------------------------------------------------------------------

static void cluster_bag_add(struct raft_cluster *cluster, const struct raft_message *message)
{
    if (cluster->bag_count == CLUSTER_BAG) return; // Lost.
    struct cluster_message *slot = &cluster->bag[cluster->bag_count++];
    slot->message = *message;
    slot->memory = NULL;
    if (message->entry_count == 0) return;
    size_t size = message->entry_count * sizeof(struct raft_entry);
    for (uint32_t i = 0; i < message->entry_count; i++)
        size += message->entries[i].body.size;
    slot->memory = malloc(size);
    invariant(slot->memory != NULL);
    struct raft_entry *entries = (struct raft_entry *)(void *)slot->memory;
    uint8_t *at = slot->memory + message->entry_count * sizeof(struct raft_entry);
    for (uint32_t i = 0; i < message->entry_count; i++) {
        entries[i] = message->entries[i];
        entries[i].proposal = NULL;
        size_t bytes = message->entries[i].body.size;
        if (bytes > 0) memcpy(at, message->entries[i].body.data, bytes);
        entries[i].body = bytes_of(bytes > 0 ? at : NULL, bytes);
        at += bytes;
    }
    slot->message.entries = entries;
}

static void cluster_send(void *arg, const struct raft_message *message)
{
    struct cluster_replica *replica = arg;
    struct raft_cluster *cluster = replica->cluster;
    cluster->messages_sent++;
    if (cluster_chance(cluster, cluster->loss_percent)) return;
    cluster_bag_add(cluster, message);
    if (cluster_chance(cluster, cluster->duplicate_percent)) cluster_bag_add(cluster, message);
}

static void cluster_bag_take(struct raft_cluster *cluster, uint32_t at)
{
    free(cluster->bag[at].memory);
    cluster->bag_count--;
    if (cluster->in_order)
        memmove(&cluster->bag[at], &cluster->bag[at + 1],
            (cluster->bag_count - at) * sizeof cluster->bag[0]);
    else
        cluster->bag[at] = cluster->bag[cluster->bag_count];
}

static void cluster_snapshot_wanted(void *arg, uint32_t node, bool learner)
{
    struct cluster_replica *replica = arg;
    (void)learner;
    for (uint32_t i = 0; i < 64; i++) {
        struct cluster_snapshot *at = &replica->cluster->snapshots[i];
        if (at->pending) continue;
        *at = (struct cluster_snapshot){.from = replica->node, .to = node, .pending = true};
        return;
    }
}

static void cluster_dropped(void *arg, void *proposal, bool known)
{
    struct cluster_replica *replica = arg;
    (void)proposal;
    replica->proposals_failed += known;
}

// --- disk and store ------------------------------------------------------------------------------

static void cluster_disk_append(
    struct cluster_replica *replica, struct cluster_record record, struct bytes body)
{
    if (replica->disk_count == replica->disk_capacity) {
        replica->disk_capacity = replica->disk_capacity == 0 ? 64 : 2 * replica->disk_capacity;
        replica->disk = realloc(replica->disk, replica->disk_capacity * sizeof replica->disk[0]);
        invariant(replica->disk != NULL);
    }
    record.size = body.size;
    if (body.size > 0) {
        record.body = malloc(body.size);
        invariant(record.body != NULL);
        memcpy(record.body, body.data, body.size);
    }
    replica->disk[replica->disk_count++] = record;
}

static uint64_t cluster_entry_hash(uint64_t term, enum raft_entry_kind kind, struct bytes body)
{
    return hash_combine(hash_combine(term, kind), hash_bytes(body));
}

static void cluster_apply(struct cluster_replica *replica)
{
    struct raft_cluster *cluster = replica->cluster;
    struct raft *raft = &replica->raft;
    uint64_t end = raft->commit < raft->stable ? raft->commit : raft->stable;
    if (replica->slow_apply && end > replica->applied + 1) end = replica->applied + 1;
    while (replica->applied < end) {
        uint64_t index = replica->applied + 1;
        uint64_t term = raft->term, hash;
        if (index <= raft->base) { // Alone: the disk has it.
            uint32_t at = replica->disk_count;
            while (at > 0 && replica->disk[at - 1].index != index)
                at--;
            invariant(at > 0);
            term = replica->disk[at - 1].term;
            hash = cluster_entry_hash(term, replica->disk[at - 1].kind,
                bytes_of(replica->disk[at - 1].body, replica->disk[at - 1].size));
        } else {
            struct raft_entry *entry = raft_entry_at(raft, index);
            entry->proposal = NULL;
            term = entry->term;
            hash = cluster_entry_hash(term, entry->kind, entry->body);
            if (entry->kind == RAFT_CONFIG) {
                bool whole = raft_config_decode(entry->body, &replica->applied_config);
                invariant(whole);
                replica->applied_config.index = index;
            }
        }
        CLUSTER_CHECK(cluster, index < CLUSTER_INDEXES, "too many entries for the harness");
        if (index >= CLUSTER_INDEXES) return;
        replica->state = hash_combine(replica->state, hash);
        if (cluster->committed_hash[index] == 0) {
            cluster->committed_hash[index] = hash;
            cluster->state_at[index] = replica->state;
            cluster->term_at[index] = term;
        }
        CLUSTER_CHECK(cluster,
            cluster->committed_hash[index] == hash && cluster->state_at[index] == replica->state,
            "node %u applied something else at %llu", replica->node, (unsigned long long)index);
        if (index > cluster->committed) cluster->committed = index;
        replica->applied = index;
        replica->applied_term = term;
        raft_applied(raft, index);
    }
}

// --- what must hold ------------------------------------------------------------------------------

static void cluster_check_leader(struct cluster_replica *replica)
{
    struct raft_cluster *cluster = replica->cluster;
    struct raft *raft = &replica->raft;
    // Before its term is durable a leader says nothing, and commits nothing: it may be forgotten.
    if (raft->role != RAFT_LEADER || raft_hard_dirty(raft)) return;
    CLUSTER_CHECK(cluster, raft->term < CLUSTER_TERMS, "too many terms for the harness");
    if (raft->term >= CLUSTER_TERMS) return;
    uint32_t *leader = &cluster->leader_of_term[raft->term];
    if (*leader == replica->node) return;
    CLUSTER_CHECK(cluster, *leader == 0, "nodes %u and %u both lead term %llu", *leader,
        replica->node, (unsigned long long)raft->term);
    *leader = replica->node;
    cluster->elections++;
    // Leader completeness, as far as anything is known to be committed in an earlier term.
    for (uint64_t index = raft->base + 1; index <= cluster->committed; index++) {
        if (cluster->term_at[index] >= raft->term) continue;
        CLUSTER_CHECK(cluster, raft_term_at(raft, index) == cluster->term_at[index],
            "node %u leads term %llu without the committed entry %llu", replica->node,
            (unsigned long long)raft->term, (unsigned long long)index);
    }
}

static void cluster_check_matching(struct raft_cluster *cluster)
{
    for (uint32_t a = 1; a < CLUSTER_NODES_END; a++) {
        for (uint32_t b = a + 1; b < CLUSTER_NODES_END; b++) {
            struct cluster_replica *one = &cluster->nodes[a], *two = &cluster->nodes[b];
            if (!one->running || !two->running) continue;
            uint64_t high = one->raft.last < two->raft.last ? one->raft.last : two->raft.last;
            uint64_t low = one->raft.base > two->raft.base ? one->raft.base : two->raft.base;
            bool agreed = false;
            for (uint64_t index = high; index > low; index--) {
                struct raft_entry *x = raft_entry_at(&one->raft, index);
                struct raft_entry *y = raft_entry_at(&two->raft, index);
                if (x->term == y->term) agreed = true;
                CLUSTER_CHECK(cluster, !agreed || x->term == y->term,
                    "logs of %u and %u agree above %llu, not there", a, b,
                    (unsigned long long)index);
                CLUSTER_CHECK(cluster,
                    x->term != y->term || (x->kind == y->kind && bytes_equal(x->body, y->body)),
                    "nodes %u and %u hold different entries at %llu of one term", a, b,
                    (unsigned long long)index);
            }
        }
    }
}

// After any input: hands over what is to be written, sends, applies, checks.
static void cluster_pump(struct cluster_replica *replica)
{
    struct raft *raft = &replica->raft;
    if (!replica->running) return;
    if (raft->hard_version > replica->hard_handed) {
        replica->hard_handed = raft->hard_version;
        cluster_disk_append(replica,
            (struct cluster_record){
                .term = raft->term, .vote = raft->vote, .version = raft->hard_version},
            bytes_of(NULL, 0));
    }
    while (raft->handed < raft->last) {
        raft->handed++;
        const struct raft_entry *entry = raft_entry_at(raft, raft->handed);
        cluster_disk_append(replica,
            (struct cluster_record){
                .index = raft->handed, .term = entry->term, .kind = entry->kind},
            entry->body);
    }
    raft_flush(raft);
    if (raft->held && (raft->last + raft->commit) % 3 == 0) raft_flush_held(raft);
    if (raft->held_lazy && !replica->cluster->lazy_waits && (raft->last + raft->commit) % 5 == 0)
        raft_flush_lazy(raft);
    cluster_apply(replica);
    cluster_check_leader(replica);
}

// The first `count` of what waits gets durable.
static void cluster_disk_complete(struct cluster_replica *replica, uint32_t count)
{
    while (count > 0 && replica->disk_durable < replica->disk_count) {
        const struct cluster_record *record = &replica->disk[replica->disk_durable++];
        count--;
        if (record->index == 0)
            raft_hard_durable(&replica->raft, record->version);
        else
            raft_durable(&replica->raft, record->index, record->term);
    }
    cluster_pump(replica);
}

// --- life ----------------------------------------------------------------------------------------

static void cluster_start(struct cluster_replica *replica)
{
    struct raft_cluster *cluster = replica->cluster;
    uint64_t term = 0;
    uint32_t vote = 0;
    struct raft_options options = {
        .self = replica->node,
        .config = replica->kept_config,
        .base = replica->kept_index,
        .base_term = replica->kept_term,
        .seed = hash_combine(cluster->random, replica->node),
        .io = {.send = cluster_send,
            .snapshot = cluster_snapshot_wanted,
            .dropped = cluster_dropped,
            .arg = replica},
    };
    // Replay: a later record replaces an earlier one at its index and all after it.
    const struct cluster_record **live =
        calloc(replica->disk_count + 1, sizeof(struct cluster_record *));
    invariant(live != NULL);
    uint32_t count = 0;
    for (uint32_t i = 0; i < replica->disk_count; i++) {
        const struct cluster_record *record = &replica->disk[i];
        if (record->index == 0) {
            term = record->term;
            vote = record->vote;
            continue;
        }
        while (count > 0 && live[count - 1]->index >= record->index)
            count--;
        if (record->index > replica->kept_index) live[count++] = record;
    }
    options.term = term;
    options.vote = vote;
    raft_init(&replica->raft, &options);
    for (uint32_t i = 0; i < count; i++) {
        CLUSTER_CHECK(cluster, live[i]->index == replica->raft.last + 1, "gap on the disk of %u",
            replica->node);
        struct status st = raft_restore(&replica->raft, live[i]->term, live[i]->kind,
            bytes_of(live[i]->body, live[i]->size), 0);
        CLUSTER_CHECK(cluster, !failed(st), "node %u: %s", replica->node, st.message);
    }
    free(live);
    replica->applied = replica->kept_index;
    replica->applied_term = replica->kept_term;
    replica->applied_config = replica->kept_config;
    replica->state = replica->kept_state;
    replica->hard_handed = 0;
    replica->running = true;
    raft_start(&replica->raft);
    cluster_pump(replica);
}

static void cluster_crash(struct cluster_replica *replica, uint32_t survivors)
{
    if (!replica->running) return;
    uint32_t keep = replica->disk_durable + survivors;
    while (replica->disk_count > keep)
        free(replica->disk[--replica->disk_count].body);
    replica->disk_durable = replica->disk_count;
    raft_fini(&replica->raft);
    replica->running = false;
}

static void cluster_checkpoint(struct cluster_replica *replica)
{
    replica->kept_index = replica->applied;
    replica->kept_term = replica->applied_term;
    replica->kept_state = replica->state;
    replica->kept_config = replica->applied_config;
}

static void cluster_init(struct raft_cluster *cluster, uint64_t seed, uint32_t voters)
{
    memset(cluster, 0, sizeof *cluster);
    cluster->random = hash_u64(seed + 1);
    struct raft_config config = {.count = voters};
    for (uint32_t i = 0; i < voters; i++)
        config.members[i].node = i + 1;
    for (uint32_t i = 1; i < CLUSTER_NODES_END; i++) {
        struct cluster_replica *replica = &cluster->nodes[i];
        replica->cluster = cluster;
        replica->node = i;
        if (i > voters) continue;
        replica->exists = true;
        replica->kept_config = config;
        cluster_start(replica);
    }
}

static void cluster_fini(struct raft_cluster *cluster)
{
    for (uint32_t i = 1; i < CLUSTER_NODES_END; i++) {
        struct cluster_replica *replica = &cluster->nodes[i];
        cluster_crash(replica, UINT32_MAX / 2);
        for (uint32_t k = 0; k < replica->disk_count; k++)
            free(replica->disk[k].body);
        free(replica->disk);
    }
    while (cluster->bag_count > 0)
        cluster_bag_take(cluster, cluster->bag_count - 1);
}

// --- steps ---------------------------------------------------------------------------------------

static void cluster_deliver(struct raft_cluster *cluster, uint32_t at)
{
    struct cluster_message *slot = &cluster->bag[at];
    struct raft_message message = slot->message;
    struct cluster_replica *to = &cluster->nodes[message.to];
    bool through = to->running && !cluster->cut[message.from][message.to];
    if (through) {
        cluster->messages_delivered++;
        struct status st = raft_step(&to->raft, &message);
        CLUSTER_CHECK(cluster, !failed(st), "node %u refuses a message of %u: %s", message.to,
            message.from, st.message);
        cluster_pump(to);
    }
    // Delivering may have added messages, never moved this one.
    cluster_bag_take(cluster, at);
}

static void cluster_deliver_all(struct raft_cluster *cluster)
{
    for (uint32_t rounds = 0; cluster->bag_count > 0 && rounds < 100000; rounds++)
        cluster_deliver(
            cluster, cluster->in_order ? 0 : cluster_random(cluster, cluster->bag_count));
}

static void cluster_snapshot_finish(struct raft_cluster *cluster, struct cluster_snapshot *snapshot)
{
    struct cluster_replica *from = &cluster->nodes[snapshot->from];
    struct cluster_replica *to = &cluster->nodes[snapshot->to];
    snapshot->pending = false;
    bool ok = from->running && to->running && !cluster->cut[snapshot->from][snapshot->to] &&
              from->raft.role == RAFT_LEADER && to->raft.role != RAFT_LEADER;
    uint64_t index = from->applied;
    if (ok && index > to->applied) {
        to->applied = index;
        to->applied_term = from->applied_term;
        to->state = from->state;
        to->applied_config = from->applied_config;
        cluster_checkpoint(to);
        raft_installed(&to->raft, index, from->applied_term, &from->applied_config);
        if (to->raft.last == index) {
            // What is after it in the log does not count any more.
            cluster_disk_append(to,
                (struct cluster_record){.index = index, .term = from->applied_term},
                bytes_of(NULL, 0));
        }
        cluster_pump(to);
        cluster->snapshots_sent++;
    }
    if (from->running) {
        raft_snapshot_sent(&from->raft, snapshot->to, index, ok);
        cluster_pump(from);
    }
}

static void cluster_snapshots_finish(struct raft_cluster *cluster)
{
    for (uint32_t i = 0; i < 64; i++)
        if (cluster->snapshots[i].pending) cluster_snapshot_finish(cluster, &cluster->snapshots[i]);
}

static struct cluster_replica *cluster_leader(struct raft_cluster *cluster)
{
    struct cluster_replica *found = NULL;
    for (uint32_t i = 1; i < CLUSTER_NODES_END; i++) {
        struct cluster_replica *at = &cluster->nodes[i];
        if (at->running && at->raft.role == RAFT_LEADER &&
            (found == NULL || at->raft.term > found->raft.term))
            found = at;
    }
    return found;
}

static bool cluster_propose(struct cluster_replica *replica, size_t size)
{
    struct raft *raft = &replica->raft;
    uint64_t index;
    uint8_t body[600] = {0};
    if (!replica->running || raft->role != RAFT_LEADER) return false;
    uint64_t number = ++replica->cluster->proposed;
    memcpy(body, &number, 8);
    struct bytes bytes = bytes_of(body, 8 + size);
    if (raft_alone(raft)) {
        index = raft_propose_alone(raft);
        cluster_disk_append(
            replica, (struct cluster_record){.index = index, .term = raft->term}, bytes);
    } else if (!raft_propose(raft, bytes, replica, &index)) {
        return false;
    }
    cluster_pump(replica);
    return true;
}

// Disks and messages, until nothing is under way.
static void cluster_settle(struct raft_cluster *cluster)
{
    for (uint32_t rounds = 0; rounds < 20; rounds++) {
        for (uint32_t i = 1; i < CLUSTER_NODES_END; i++)
            if (cluster->nodes[i].running) cluster_disk_complete(&cluster->nodes[i], UINT32_MAX);
        cluster_deliver_all(cluster);
        cluster_snapshots_finish(cluster);
    }
}

// Time passes with everything working: a tick everywhere, disks and messages at once.
static void cluster_run(struct raft_cluster *cluster, uint32_t ticks)
{
    for (uint32_t tick = 0; tick < ticks && !cluster->violated; tick++) {
        for (uint32_t i = 1; i < CLUSTER_NODES_END; i++) {
            struct cluster_replica *replica = &cluster->nodes[i];
            if (!replica->running) continue;
            raft_tick(&replica->raft);
            cluster_pump(replica);
        }
        cluster_settle(cluster);
    }
}
