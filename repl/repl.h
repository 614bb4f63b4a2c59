// SPDX-License-Identifier: GPL-3.0-or-later
//
// Physical replication of virtual clusters between clusters: the layer as a whole. Producer, stream, consumer,
// cutover and fingerprints have headers of their own.
#pragma once

// Registers tables, statements, functions, settings, job types and the tenant layer's hooks. Once, before shards start.
void repl_register(void);
