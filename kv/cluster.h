// SPDX-License-Identifier: GPL-3.0-or-later
//
// The cluster as this node sees it: its own identity, the other nodes, who is alive, who leads which
// slice.
//
// Identity   <store>/CLUSTER holds cluster id, node id and store id, from before the first byte of data.
//            `init` makes node 1 of a new cluster; everyone else joins: asks a node of the cluster for an id.
// Store      Who a store belongs to is not enough: a copy of it belongs to the same node, and an old one has forgotten votes
//            and entries that others count on. So each start of a node, each end in order, and every CLUSTER_INCARNATION_NS in
//            between, give its store a new incarnation (a number that grows, and 128 random bits): first written into CLUSTER, then,
//            by a transaction that has looked at the one before, into the node's liveness record; then it is gossiped, and kept
//            with the table of nodes. The record decides: a store whose incarnation is neither the record's nor a later one is
//            a copy or an old state. Nobody who has heard of a later one talks to it, so that it takes part in nothing; whom
//            it asks to be taken in reads the record, if it can within a second; and its own first renewal ends it at the latest. A
//            store may be a step ahead, where a crash came between, or further, where the record was lost with a majority
//            (kv/loss.h). What was copied after the last of these steps is not told from the store itself: it is taken for the
//            store, moved, and what it was copied from is refused from then on. That is as it should be when the node was down. A
//            copy of one that ran has forgotten what the node did between it and a crash: the steps in between keep that short.
// Gossip     Each node keeps a table of all nodes and one of slice leaders. Every 500 ms, and at once on a
//            change, it tells some others what it has; newer replaces older. No node is special.
// Alive      A node whose heartbeat (a counter in its gossip entry) has moved within CLUSTER_ALIVE_NS. This is
//            advice: nothing unsafe may follow from it. What must be certain goes through
// Liveness   records in the meta slice, 0x01 'N' <id> -> {epoch, expiration, membership, draining}, renewed by their
//            node. Who needs a silent node out of the way raises its epoch once the record has expired; that
//            node finds out before it can renew, and knows by its own clock that it may no longer rely on it.
//
// Not where replicas should be (kv/placement.h), nor routing of keys (kv/router.h).
//
// Shard    Shard 0 owns the tables; each shard has a read-only copy, replaced between turns.
// Memory   Pointers from cluster_node and cluster_nodes are good until the next suspension.
// Safety   A liveness epoch is believed by its node only while its own clock is max_offset before the expiration.
// Errors   Joining: 55000 with reason and remedy.
#pragma once
#include "core/arena.h"
#include "core/hlc.h"
#include "core/rpc.h"
#include "core/shard.h"

#define CLUSTER_NODES_MAX 1024u
#define CLUSTER_REPLICAS_MAX 16u // Of one slice.
#define CLUSTER_ALIVE_NS UINT64_C(2000000000)
#define CLUSTER_GOSSIP_NS UINT64_C(500000000)
#define CLUSTER_LIVENESS_NS UINT64_C(6000000000)
#define CLUSTER_INCARNATION_NS UINT64_C(30000000000)
#define CLUSTER_INCARNATION_NODES 16u // With more of them it is longer, in proportion.
#define CLUSTER_MAX_OFFSET_NS INT64_C(500000000)

enum cluster_membership {
    CLUSTER_ACTIVE,
    CLUSTER_DECOMMISSIONING, // Holds replicas that are to go.
    CLUSTER_DECOMMISSIONED,  // Never comes back.
};

struct cluster_node {
    uint32_t id;
    uint32_t shard_count;
    uint8_t store_id[16];
    struct rpc_incarnation incarnation; // The last one that was heard to be in its record.
    char address[64], sql_address[64], http_address[64]; // "host:port", as advertised.
    char locality[192]; // "region=a,zone=b"
    char attrs[64];     // "ssd:fast"
    char version[32];
    int64_t started_at_ns;
    // Changing all the time; as of the last gossip.
    int64_t heartbeat_at_ns; // Wall clock of the node.
    uint64_t heartbeat;      // Counts up; (started_at_ns, heartbeat) orders what a node said.
    uint64_t disk_bytes, disk_free_bytes, data_bytes;
    uint32_t replicas, leaders, ranges;
    bool draining;
    enum cluster_membership membership;
    // This node's own opinion.
    bool alive;
    uint64_t heard_at_ns;     // Monotonic: when the heartbeat last moved. Shard 0 only.
    int64_t clock_offset_ns;  // Of its clock to ours, as measured. Shard 0 only.
};

// Who serves a slice, as last heard. The highest (term, config) wins.
struct cluster_slice {
    uint64_t slice;
    uint64_t term;
    uint64_t config;  // Index of the entry that set the members.
    uint32_t leader;  // Node; 0: unknown.
    uint32_t voter_count, learner_count;
    uint32_t voters[CLUSTER_REPLICAS_MAX], learners[CLUSTER_REPLICAS_MAX];
};

// --- what everyone may ask, on any shard, without suspending -------------------------------------

// NULL: no such node. The own node is in the table, too.
const struct cluster_node *cluster_node(struct shard *shard, uint32_t id);
// All, by id.
const struct cluster_node *cluster_nodes(struct shard *shard, uint32_t *count);
// The own node is alive. Unknown nodes are not.
bool cluster_alive(struct shard *shard, uint32_t id);
// Changes with what is known of any slice's leader and members. Shard 0.
uint64_t cluster_slices_hash(struct shard *shard);
// False when nothing was heard yet. A node that runs alone answers for itself.
bool cluster_slice(struct shard *shard, uint64_t slice, struct cluster_slice *where);
// The shard of `node` that holds its replica of the slice; false while the node is unknown.
bool cluster_slice_shard(struct shard *shard, uint32_t node, uint64_t slice, uint32_t *target);
// True for a node that never had another in its table: its own clock and caches are all there are.
bool cluster_alone(struct shard *shard);
int64_t cluster_max_offset_ns(struct shard *shard);

// --- what replicas tell --------------------------------------------------------------------------

// On the slice's shard, when its replica begins to serve or its members change. Spread at once.
void cluster_slice_announce(struct shard *shard, const struct cluster_slice *slice);
// A better address was learnt from a redirect.
void cluster_slice_hint(struct shard *shard, uint64_t slice, uint64_t term, uint32_t leader);
// Figures of this node's entry: added up over shards by the caller. Shard 0.
struct cluster_load {
    uint64_t disk_bytes, disk_free_bytes, data_bytes;
    uint32_t replicas, leaders, ranges;
};
void cluster_load_set(struct node *node, const struct cluster_load *load);

// Told when a node was added, changed its address, state or membership, or when `alive` changed. Must not suspend. Added
// and removed on the shard that is to hear it; without a cluster (tests of the layers above) there is nothing to hear.
struct cluster_watch {
    void (*changed)(
        struct cluster_watch *watch, struct shard *shard, const struct cluster_node *node);
    struct cluster_watch *next;
};
void cluster_watch_add(struct shard *shard, struct cluster_watch *watch);
void cluster_watch_remove(struct shard *shard, struct cluster_watch *watch);

// --- starting ------------------------------------------------------------------------------------

struct cluster_options {
    const char *dir;           // The store.
    const char *address;       // Advertised for RPC.
    const char *sql_address, *http_address;
    const char *locality, *attrs;
    const char *const *join;   // NULL-terminated addresses; NULL with `single`.
    bool single;               // A new store becomes a cluster of its own at once.
    int64_t max_offset_ns;     // 0: CLUSTER_MAX_OFFSET_NS.
    // Called (shard 0, not in a task) while a new store waits for init or an answer to its join.
    void (*waiting)(void *arg, const char *what);
    // Once, when nobody has taken it in for some time: what the last one that was asked has said. May be NULL.
    void (*trouble)(void *arg, const char *why);
    void *arg;
};

enum cluster_start { CLUSTER_NEW, CLUSTER_JOINED, CLUSTER_RESTARTED };

// On shard 0 after rpc_start, when this node can be called at its address, and before kv_start. Suspends
// until it is known who this node is (for a new store with `join`, that may be long), sets node->id, and
// begins to gossip. CLUSTER_NEW: storage bootstraps (slices of one voter); CLUSTER_JOINED: it begins
// with no replica.
CHECKED struct status cluster_start(
    struct task *task, const struct cluster_options *options, enum cluster_start *how);
// On shard 0, when storage answers: begins to renew the liveness record. Suspends until the first
// renewal.
CHECKED struct status cluster_live(struct task *task);
// On shard 0. First, when sessions are gone and before kv_stop: the record lapses at once, so that nobody waits for
// this node. Then, before or after kv_stop: gossip ends.
void cluster_leave(struct task *task);
void cluster_stop(struct task *task);

// 16 bytes; once cluster_start has returned.
const uint8_t *cluster_id(struct node *node);

// --- liveness records ----------------------------------------------------------------------------

// Why this node has to end, when it has found out so itself (its clock, a refusal); success otherwise.
struct status cluster_failure(struct node *node);
// RPC methods, before any node starts to talk: cluster_start does it, too.
void cluster_register(void);

struct cluster_liveness {
    uint32_t node;
    uint64_t epoch;
    struct hlc_timestamp expiration;
    bool draining;
    enum cluster_membership membership;
};
// From storage, all records by node id, in `arena`. Suspends.
CHECKED struct status cluster_liveness_read(
    struct task *task, struct arena *arena, struct cluster_liveness **records, uint32_t *count);
// Whether the key is a liveness record's.
bool cluster_liveness_key(struct bytes key);
// This node's own epoch, while it may rely on it; 0 when its record has lapsed: what it caches of the
// cluster's state may be stale then. Any shard; does not suspend.
uint64_t cluster_epoch(struct shard *shard);
// For what relies on announcements (kv/reliance.h). Up to when it may now, at most `most_ns` from now, and in no case
// beyond the expiration of this node's record; zero: not at all.
struct hlc_timestamp cluster_rely_until(struct shard *shard, uint64_t most_ns);
// What was read before this may have been changed by who did not find this node alive yet. Zero: nothing.
struct hlc_timestamp cluster_rely_from(struct shard *shard);
// What was told to the shard until now was not heard by who relies on it.
void cluster_rely_anew(struct shard *shard);
// Suspends until `node` has a lapsed record and raises its epoch, or until it is alive again (*lapsed
// false). At most CLUSTER_LIVENESS_NS and a little.
CHECKED struct status cluster_fence(struct task *task, uint32_t node, bool *lapsed);
CHECKED struct status cluster_membership_set(
    struct task *task, uint32_t node, enum cluster_membership membership);
CHECKED struct status cluster_draining_set(struct task *task, bool draining);

// --- telling every shard of every node -----------------------------------------------------------

// For caches of the cluster's state (catalog, settings, roles). An announcement runs on every shard
// of every node as a task, and has been heard by all when this returns: a node that does not answer
// is waited for until its liveness record has lapsed and its epoch was raised; it drops all its
// caches (cluster_announcement.reset) before it relies on an epoch again.
struct cluster_announcement {
    uint16_t id; // 1..63, part of the protocol.
    const char *name;
    struct status (*heard)(struct task *task, struct bytes body);
    // On each shard once it has heard: nobody there who relied on not having heard commits above it, or has a snapshot
    // above it. May be NULL.
    struct hlc_timestamp (*relied)(struct shard *shard, struct bytes body);
    // On each shard: everything cached may be stale. Must not suspend. May be NULL.
    void (*reset)(struct shard *shard);
};
void cluster_announcement_register(const struct cluster_announcement *announcement);
CHECKED struct status cluster_announce(struct task *task, uint16_t id, struct bytes body);
// The same, for a change that nobody may have relied on not to come: it may be committed above `after`, which this node's
// clock has passed, and not above what cluster_change_until said before.
CHECKED struct status cluster_announce_above(
    struct task *task, uint16_t id, struct bytes body, struct hlc_timestamp *after);
#define CLUSTER_CHANGE_NS UINT64_C(12000000000)
struct hlc_timestamp cluster_change_until(struct shard *shard);
