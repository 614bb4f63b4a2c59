// SPDX-License-Identifier: GPL-3.0-or-later
//
// A shard's consensus groups and their messages: one tick timer for all groups that are not quiet, and one message
// a turn to each shard of another node, whatever number of groups had something to say to it.
//
// Quiet groups say nothing. For them, and only while there are any, a shard that holds a group's leader sends an
// empty message every RAFT_ALIVE_NS to where its followers are; followers of a node that is silent for
// RAFT_SILENT_NS wake and look for a new leader. Groups that went to rest without a member wake when its shard is heard.
//
// Shard    One a shard.
// Memory   Frames gather up to RAFT_FRAME_BYTES (or one message, when that is larger).
// Errors   A malformed frame is logged and dropped whole from there on.
#pragma once
#include "core/hashmap.h"
#include "core/rest.h"
#include "core/shard.h"
#include "kv/raft_log.h"

#define RAFT_TICK_NS UINT64_C(100000000)
#define RAFT_ALIVE_NS REST_BEAT_NS
#define RAFT_SILENT_NS UINT64_C(1500000000)
#define RAFT_FRAME_BYTES (1u << 20)
#define RAFT_HOLD_NS UINT64_C(1000000) // The longest that a small append waits for others.
#define RAFT_LAZY_NS UINT64_C(4000000) // The same, to a member that is not needed for a quorum.

struct raft_peer; // A shard of another node.

// How messages leave; the real ones are rpc_send and cluster_slice_shard.
struct raft_network {
    // The shard of `node` that holds its replica of the slice; false: not known now.
    bool (*shard_of)(void *arg, uint32_t node, uint64_t slice, uint32_t *shard);
    bool (*send)(void *arg, uint32_t node, uint32_t shard, struct bytes frame);
    void *arg;
};

struct raft_shard {
    struct shard *shard;
    uint32_t self; // Node.
    struct raft_network network;
    struct hashmap groups; // struct raft_log by slice.
    struct list_link ticking, dirty, owing, held, held_lazy;
    struct timer tick, alive, hold, hold_lazy;
    uint64_t alive_due_ns; // When the others are told next.
    struct turn_hook hook;
    struct hashmap peers;       // struct raft_peer by node and shard.
    struct list_link sending;   // Those with a frame to send.
    struct raft_entry *entries; // Decoded, during a step.
    uint32_t entry_capacity;
    struct raft_slot *free_slots;
    uint32_t free_slot_count;
};

struct raft_shard *raft_shard_create(
    struct shard *shard, uint32_t self, const struct raft_network *network);
// Over rpc_send (kv/raft_rpc.c). What comes in goes to kv_shard_of(shard)->raft.
struct raft_shard *raft_shard_create_rpc(struct shard *shard, uint32_t self);
void raft_rpc_register(void); // Once a process, before the first node starts.
// Its groups were stopped before, and the shard's log is closed.
void raft_shard_destroy(struct raft_shard *raft_shard);
// A frame from a shard of another node. Groups that are not here are passed over.
void raft_shard_receive(
    struct raft_shard *raft_shard, uint32_t node, uint32_t shard, struct bytes frame);
// The node is down, for sure or as far as anybody knows (kv/cluster.h): groups led there look for another leader.
void raft_shard_node_down(struct raft_shard *raft_shard, uint32_t node);

// --- for raft_log.c ------------------------------------------------------------------------------

// A record on its way to the disk.
struct raft_slot {
    struct log_append append;
    struct raft_log *log; // NULL: it is gone.
    struct raft_shard *shard;
    uint64_t version;      // Of a hard state.
    struct list_link link; // In log->slots.
    struct raft_slot *next;
};
struct raft_slot *raft_slot_take(struct raft_log *log);
void raft_slot_give(struct raft_slot *slot);

void raft_shard_add(struct raft_shard *raft_shard, struct raft_log *log);
void raft_shard_remove(struct raft_shard *raft_shard, struct raft_log *log);
// Has raft_log_pump called at the end of the turn.
void raft_shard_dirty(struct raft_shard *raft_shard, struct raft_log *log);
// Whether the group gets ticks.
void raft_shard_tick_set(struct raft_shard *raft_shard, struct raft_log *log, bool ticks);
// After a flush: what the group holds back leaves before long.
void raft_shard_held(struct raft_shard *raft_shard, struct raft_log *log);
void raft_shard_send(
    struct raft_shard *raft_shard, uint64_t slice, const struct raft_message *message);
void raft_log_pump(struct raft_log *log);
void raft_log_tick(struct raft_log *log);

// --- messages as bytes (kv/raft_wire.c) ----------------------------------------------------------

size_t raft_message_bytes(const struct raft_message *message);
void raft_message_encode(const struct raft_message *message, uint8_t *out);
// False: malformed. Entries and their bodies point into `in` and raft_shard->entries.
bool raft_message_decode(
    struct raft_shard *raft_shard, struct bytes in, struct raft_message *message);
