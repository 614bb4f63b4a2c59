// SPDX-License-Identifier: GPL-3.0-or-later
//
// Several nodes on this machine for `isopod demo --nodes N`.
#pragma once
#include "core/arena.h"
#include "core/status.h"

#define DEMO_NODES_MAX 9u

struct demo_nodes_options {
    const char *folder;
    uint32_t count;
    uint64_t sql_port; // Of the first; 0: any.
    uint64_t shards;
    bool quiet;        // Prints nothing.
};

// Starts the nodes, calls `serving` with their addresses (NULL-terminated) once all serve, and ends them.
CHECKED struct status demo_nodes_run(struct arena *arena, const struct demo_nodes_options *options,
    struct status (*serving)(const char *const *addresses, void *arg), void *arg);
