// SPDX-License-Identifier: GPL-3.0-or-later
//
// Physical replication of virtual clusters between clusters: the layer as a whole. Producer, stream, consumer,
// cutover and fingerprints have headers of their own.
#pragma once

#include "core/status.h"

struct task;

// Registers tables, statements, functions, settings, job types and the tenant layer's hooks. Once, before shards start.
void repl_register(void);
// Ends the streams that this node receives for the jobs of others. After tenant_node_stop, before SQL and storage stop.
CHECKED struct status repl_node_stop(struct task *task);
