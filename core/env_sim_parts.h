// SPDX-License-Identifier: GPL-3.0-or-later
//
// What the parts of the simulated environment share; private to core/env_sim*.c.
#pragma once
#include "core/env_sim.h"
#include "core/list.h"

#define SIM_NODES_MAX 16u
#define SIM_SHARDS_MAX 16u

// A moment in the future. Events of a node that has crashed since are dropped, unfired: what they
// point to is gone. Pointers to what belongs to the sim go in `object`.
struct sim_event {
    uint64_t time_ns, sequence;
    struct sim_event *next_free;
    struct sim_node *node; // NULL: the world's own.
    uint32_t incarnation;
    const char *name; // One word, for trace and digest.
    void (*fire)(struct sim_event *event);
    struct sim *sim;
    void *object;        // The sim's, or the node's (then gone with it).
    struct shard *shard; // On which it fires; NULL: on none.
    int64_t number;
    void (*fn)(void *arg), (*done)(void *arg);
    void *arg;
};

struct sim_page {
    uint8_t *current, *durable; // The same memory when nothing of it is dirty; NULL: zeros.
    uint8_t dirty;              // A bit for each 512 bytes: `current` is not durable there.
};

struct sim_file {
    struct list_link link;
    char *path;
    bool folder;
    bool unlinked; // Open, but without a name.
    uint32_t handles;
    uint64_t size, durable_size;
    struct sim_page *pages; // Zero beyond the sizes.
    uint64_t page_count;
    uint8_t *peeked;
};

struct sim_disk {
    struct list_link files; // In order of creation.
    struct sim_file **handles;
    uint32_t handle_count;
    struct list_link in_flight; // struct sim_disk_flight.
    struct sim_random random;
    uint64_t ops;
    uint64_t crash_at, fail_at; // Counts of ops; 0: never.
    uint64_t changing_ops;
    int fail_error;
    uint64_t quota_bytes, used_bytes;
    uint32_t sector_bytes;
    struct sim_disk_faults faults;
    uint64_t frozen_until_ns, damages;
};

struct sim_socket;

struct sim_node {
    struct env env;
    struct sim *sim;
    uint32_t id, index; // index: position in the sim's nodes.
    char address[32];
    uint32_t incarnation; // Grows when it goes down.
    struct node *node;
    struct node_options options;
    bool stopping, exiting, crashed;
    bool straight; // sim_node_straight.
    uint64_t refuse_every, refuse_asked; // sim_memory_refuse.
    uint64_t allocations_left;           // sim_memory_fail_at.
    bool doomed;                         // One has failed.
    uint32_t in_flight; // Operations whose completion is still to come.
    struct status status;
    char status_message[256];
    struct sim_random random;
    uint64_t mono_base_ns;
    int64_t wall_offset_ns;
    int64_t wall_set_ns; // What it showed when it was set last, at that time.
    uint64_t wall_set_at_ns;
    int64_t drift_per_million;
    uint64_t drift_since_ns;
    uint64_t paused_until_ns;
    uint64_t message_time_ns[SIM_SHARDS_MAX][SIM_SHARDS_MAX];
    struct sim_disk disk;
    struct list_link sockets; // Of the present incarnation.
    struct sim_socket **handles;
    uint32_t handle_count;
    uint32_t next_port;
};

struct sim {
    uint64_t seed;
    struct sim_options options;
    uint64_t now_ns;
    uint64_t digest;
    uint64_t sequence;
    struct sim_random sched_random, net_random, message_random;
    struct sim_event **heap; // By time, then sequence.
    uint32_t event_count, event_capacity;
    struct sim_node *nodes[SIM_NODES_MAX];
    uint32_t node_count;
    bool cut[SIM_NODES_MAX][SIM_NODES_MAX]; // [from][to], by position in nodes.
    struct sim_link links[SIM_NODES_MAX][SIM_NODES_MAX];
    uint64_t clogged_until_ns[SIM_NODES_MAX][SIM_NODES_MAX];
    struct sim_event *free_events;
    struct list_link all_sockets;           // For the end.
};

static inline struct sim_node *sim_node_of(struct env *env)
{
    return container_of(env, struct sim_node, env);
}

// The event's fields are the caller's to fill in before the next step. `node` may be NULL.
struct sim_event *sim_event_add(struct sim *sim, struct sim_node *node, uint64_t delay_ns,
    const char *name, void (*fire)(struct sim_event *event));
uint32_t sim_node_index(const struct sim_node *sim_node);

void sim_disk_init(struct sim_node *sim_node);
void sim_disk_fini(struct sim_node *sim_node);
// The machine lost its power (`power_lost`), or only the program died.
void sim_disk_crashed(struct sim_node *sim_node, bool power_lost);
void sim_disk_submit(struct env *env, struct shard *shard, struct disk_op *op);

void sim_net_submit(struct env *env, struct shard *shard, struct net_op *op);
// All sockets of the node are gone; their peers will notice.
void sim_net_crashed(struct sim_node *sim_node);
// Cancels whatever is armed: the node is exiting.
void sim_net_exit(struct sim_node *sim_node);
void sim_net_fini(struct sim *sim);
void sim_net_healed(struct sim *sim);
