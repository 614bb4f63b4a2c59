// SPDX-License-Identifier: GPL-3.0-or-later
//
// Readers of a standby: sessions of the virtual cluster that reads what another one replicates. Writers of the source
// write pairs of rows of a table over the wire; on every node of the standby a reader looks at all of it again and again,
// whatever happens to both clusters, also after the cutover.
//
// Checked at once: both rows of a pair are what one transaction wrote; two looks within a transaction see the same; the
// time of a node never goes back; nothing can be written; no row is another virtual cluster's. At the end: what readers
// saw is what the source's own history says of that time.
#pragma once
#include "tests/sim/world.h"

struct pcr_readers;

// `source`, `reader`: names of virtual clusters.
struct pcr_readers *pcr_readers_new(struct world *world, const char *source, const char *reader);
// On a node of the source that serves: its virtual cluster is served, its table is there. May be repeated.
CHECKED struct status pcr_readers_prepare(struct task *task, struct world_node *node, struct pcr_readers *readers);
// Tasks that count in node->tasks: on nodes of the source, and of the standby.
CHECKED struct status pcr_readers_write(struct task *task, struct world_node *node, struct pcr_readers *readers);
CHECKED struct status pcr_readers_read(struct task *task, struct world_node *node, struct pcr_readers *readers);
// The time of a node's readers, as last seen there.
struct hlc_timestamp pcr_readers_time(const struct pcr_readers *readers, const struct world_node *node);
// Nobody writes or looks any more.
void pcr_readers_stop(struct pcr_readers *readers);
// On a node of the source: compares what was seen with its history.
CHECKED struct status pcr_readers_check(struct task *task, struct world_node *node, struct pcr_readers *readers);
