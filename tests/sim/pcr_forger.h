// SPDX-License-Identifier: GPL-3.0-or-later
//
// Somebody who asks a replicated cluster for streams that are not his, or that are not as agreed: on the standby's
// machines, beside the streams that are in order and with what these know. Over SQL as a user without the privilege, from
// inside of another virtual cluster, and as the operator, with one thing of a good request changed; and, where the
// standby has several nodes, over RPC to these.
//
// Checked   each request is refused, with the SQLSTATE that it deserves unless faults come first; who has no privilege is
//           told of nothing else; none is given a key or a value that is not the stream's own (tests/sim/canary.h looks
//           at all that is sent); what does not ingest receives nothing.
// Strays    Between nodes also a second stream of what is followed, of which its consumer knows nothing, as one would be
//           that was given up and goes on: what it brings is there already, or is undone by the cutover.
#pragma once
#include "tests/sim/world.h"

struct pcr_forger;

// `source`, `other`: virtual clusters of the first cluster; that one of the second which does not follow is called
// "bystander" and made here.
struct pcr_forger *pcr_forger_new(struct world *world, const char *source, const char *other);
// A task of one of the standby's nodes, that counts in node->tasks.
CHECKED struct status pcr_forger_start(struct task *task, struct world_node *node, struct pcr_forger *forger);
// What strays bring something to, from then on.
void pcr_forger_follows(struct pcr_forger *forger, uint64_t tenant);
// From then on nothing else is asked for.
void pcr_forger_strays(struct pcr_forger *forger);
void pcr_forger_stop(struct pcr_forger *forger);
// On a node of the standby, at the end: the bystander is empty.
CHECKED struct status pcr_forger_check(struct task *task, struct pcr_forger *forger);
