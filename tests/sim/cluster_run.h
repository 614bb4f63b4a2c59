// SPDX-License-Identifier: GPL-3.0-or-later
//
// A run of a cluster with clients (tests/sim/clients.h) on all nodes. At any instant at most one replica of a
// slice may serve; at the end everything acknowledged is there, nothing refused is, transactions are
// serializable, registers linearizable, balances add up, all replicas hold the same, and once the faults are
// over everything finishes in bounded time.
#pragma once
#include "tests/sim/clients.h"
#include "tests/sim/kv_world.h"
#include "tests/sim/nemesis.h"

struct cluster_run {
    struct kv_world kv;
    struct clients clients;
    bool finishing;
};

// Draws the faults (NULL: nothing goes wrong) and starts the nodes; clients begin as soon as one serves.
void cluster_begin(struct cluster_run *cluster, struct sim_run *run, uint32_t nodes, uint32_t operations,
    struct nemesis_options *faults);
// Until the faults are over and the clients are done.
void cluster_suffer(struct cluster_run *cluster);
// Heals, waits, checks, stops.
void cluster_end(struct cluster_run *cluster);
// For world_run: the first slice has three voters, all up, and the clients' slices exist.
bool cluster_is_replicated(void *cluster);
