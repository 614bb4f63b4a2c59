// SPDX-License-Identifier: GPL-3.0-or-later
//
// The SQL layer as a whole: what is registered once per process, and what is set up per node.
#pragma once
#include "core/status.h"
#include "core/task.h"

// Types, functions, statements, virtual tables, settings, job types. Once per process, before shards start.
void sql_register(void);
// Per-shard state of settings and jobs. On shard 0, after kv_start and before anything runs SQL.
CHECKED struct status sql_node_start(struct task *task);
CHECKED struct status sql_node_stop(struct task *task);
// Forgets all that this node has cached of a tenant: descriptors, roles, settings, plans. Before it is served, because
// its data may have been replaced beneath (replication, restore).
CHECKED struct status sql_tenant_forget(struct task *task, uint64_t tenant);
