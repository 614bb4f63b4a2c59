// SPDX-License-Identifier: GPL-3.0-or-later
//
// The inside of the cluster's tables, shared by kv/cluster.c (identity, joining), kv/gossip.c (tables and their spread),
// kv/cluster_view.c (each shard's copy), kv/liveness.c (records in the meta slice), kv/announce.c. Everyone else sees kv/cluster.h.
//
// Shard    struct cluster is shard 0's; struct cluster_shard each shard's copy, changed by messages from shard 0.
#pragma once
#include "core/codec.h"
#include "core/rpc.h"
#include "kv/cluster.h"
#include "kv/kv_node.h"

enum cluster_method {
    CLUSTER_RPC_JOIN = RPC_CLUSTER,
    CLUSTER_RPC_INIT,
    CLUSTER_RPC_GOSSIP,
    CLUSTER_RPC_ANNOUNCE,
    CLUSTER_RPC_DRAIN,
    CLUSTER_RPC_MEMBERSHIP,
    CLUSTER_RPC_STATUS,
    CLUSTER_RPC_LOSS, // kv/loss.c
};

#define CLUSTER_JOIN_MAX 32u
// What to do about a store that is not the one that its node ran with last.
#define CLUSTER_STORE_COPIED                                                                          \
    "A store must not be copied: remove this one, and start the node with the store that it ran "     \
    "with last. If that is lost for good, decommission the node and start with an empty --store "     \
    "to join as a new one."

// A node as shard 0 knows it.
struct gossip_node {
    struct cluster_node node;
    uint32_t version;            // Of what its node says of itself, besides the heartbeat.
    uint32_t membership_version; // Of the membership, which others may change.
};

struct cluster {
    struct node *node;
    struct node_exit_hook exit_hook;
    uint8_t cluster_id[16], store_id[16];
    uint32_t node_id; // 0: not yet known.
    struct rpc_incarnation incarnation; // As CLUSTER says.
    bool incarnated;                // It is this start's, and to be in the record.
    char dir[512];
    char *join[CLUSTER_JOIN_MAX];
    uint32_t join_count;
    int64_t max_offset_ns;
    bool alone;
    bool ending_alone; // It is being written down that it is no more.
    bool serving;     // Storage answers: nodes may join through this one.
    bool stopping;
    bool init_asked;
    char trouble[256]; // What the last one that did not take this node in has said.
    struct wait_queue changed; // Waiting for an identity, an epoch.
    struct status failure;     // Why this node must end.
    struct arena arena;        // Of what lives as long as the node: the failure's message.

    // Tables (gossip.c), by id.
    struct gossip_node *nodes;
    uint32_t count, capacity;
    struct cluster_slice **slices; // [id]; NULL: nothing known.
    uint64_t slices_hash;
    struct timer timer;
    uint64_t ticks;
    bool contacting, peers_dirty, saving, dirty;
    struct cluster_load load_told;
    struct rpc_watch rpc_watch;
    struct {
        uint32_t node;
        int64_t offset_ns, error_ns;
        uint64_t at_ns;
    } clocks[CLUSTER_NODES_MAX / 8];
    uint32_t clock_count;

    // The own record (liveness.c).
    uint64_t epoch;
    int64_t expiration_ns;
    bool renewing, draining;
    bool leaving;         // No renewal any more.
    struct task *renewer; // While it renews; else NULL.
    bool stepping;
    struct task *stepper; // While the store gets its next incarnation; else NULL.
    uint64_t stepped_ns;  // When it was last tried.
    // As the last renewal left it, committed at `ts`; zero: it has to be read.
    struct {
        struct hlc_timestamp ts;
        struct cluster_liveness liveness;
        uint32_t membership_version;
        struct rpc_incarnation incarnation;
    } renewed; // The incarnation: always as last seen.
};

struct cluster_shard {
    struct shard *shard;
    struct cluster *cluster; // Only for what never changes after the start.
    struct cluster_node *nodes;
    uint32_t count;
    struct cluster_slice **slices;
    struct cluster_watch *watches;
    bool alone;
    uint64_t epoch;
    int64_t expiration_ns;
    int64_t rely_from_ns; // cluster_rely_from.
    struct shard_exit_hook exit_hook;
};

static inline struct cluster *cluster_of(const struct node *node)
{
    return node->slots[NODE_SLOT_CLUSTER];
}
static inline struct cluster_shard *cluster_shard_of(const struct shard *shard)
{
    return shard->slots[SHARD_SLOT_CLUSTER];
}

// --- gossip.c, on shard 0 ------------------------------------------------------------------------

struct gossip_node *gossip_find(struct cluster *cluster, uint32_t id);
// Takes over what is newer in `entry`. True when something was.
bool gossip_merge(struct cluster *cluster, const struct gossip_node *entry);
bool gossip_merge_slice(struct cluster *cluster, const struct cluster_slice *slice);
// The node at `address` has answered. Who was not heard of since this node started is alive, then: its next heartbeat
// need not be waited for.
void gossip_answered(struct cluster *cluster, const char *address);
// The own entry has changed: its version grows, and everyone is told.
void gossip_own_changed(struct cluster *cluster);
// From now on it is known who is met by RPC, and what their clocks say.
void gossip_watch(struct cluster *cluster);
void gossip_start(struct cluster *cluster);
void gossip_stop(struct cluster *cluster);
void gossip_free(struct cluster *cluster);
void gossip_node_put(struct buffer *out, const struct gossip_node *entry);
// False for what is malformed.
bool gossip_node_get(struct codec_reader *in, struct gossip_node *entry);
void gossip_tables_put(struct buffer *out, struct cluster *cluster);
bool gossip_tables_merge(struct codec_reader *in, struct cluster *cluster);
// Of earlier releases, without incarnations.
bool gossip_tables_merge_plain(struct codec_reader *in, struct cluster *cluster);
void gossip_register(void);

// --- cluster_view.c: each shard's copy of the tables --------------------------------------------------

// On shard 0: hands the table of nodes to every shard, when it has changed; what is known of one slice.
void cluster_view_publish(struct cluster *cluster);
void cluster_view_publish_slice(struct cluster *cluster, const struct cluster_slice *slice);
// Whether `a` says something newer of its slice than `b`, which may be NULL.
bool cluster_view_is_newer(const struct cluster_slice *a, const struct cluster_slice *b);
// Takes it over into a table, [slice id], when it is newer. True when it was.
bool cluster_view_set(struct cluster_slice **slices, const struct cluster_slice *slice);

// What is known of a slice, on its way to another shard; freed by who takes it.
struct cluster_slice_message {
    struct shard_message message;
    struct cluster_slice slice;
    bool announce; // To shard 0: spread it.
};
// At once on the own shard.
void cluster_view_send(struct shard *from, uint32_t to, const struct cluster_slice *slice,
    void (*deliver)(struct shard *shard, struct shard_message *message), bool announce);

// --- cluster.c -----------------------------------------------------------------------------------

// Asks --join addresses and nodes that are silent for their tables, in a task of its own, unless one runs.
void cluster_contact(struct cluster *cluster);
// Writes <store>/PEERS, in a task of its own.
void cluster_peers_save(struct cluster *cluster);
// This node must end: the last line of its log, and the end.
void cluster_fail(struct cluster *cluster, struct status why);
// The identity file, with `alone` as it is.
CHECKED struct status cluster_identity_write(
    struct task *task, struct cluster *cluster, bool alone, const struct rpc_incarnation *incarnation);

// --- liveness.c ----------------------------------------------------------------------------------

// From now on there may be other nodes: renews the record. Suspends until it is there.
CHECKED struct status liveness_begin(struct task *task, struct cluster *cluster);
// A store that says that it is the node's, in that incarnation: refused when the record says otherwise; not when
// the record cannot be read soon. Suspends.
CHECKED struct status liveness_store_check(
    struct task *task, struct cluster *cluster, const struct gossip_node *entry, const struct rpc_incarnation *incarnation);
// Whether a store in `incarnation` may be the one that ran in `last`; E_NOT_IN_PREREQUISITE_STATE if not.
CHECKED struct status liveness_incarnation_check(struct arena *arena, uint32_t node, const struct rpc_incarnation *last,
    const struct rpc_incarnation *incarnation);
// The next free node id.
CHECKED struct status liveness_node_id(struct task *task, uint32_t *id);
void announcements_reset(struct shard *shard);
void announce_register(void);
