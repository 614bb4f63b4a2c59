// SPDX-License-Identifier: GPL-3.0-or-later
//
// Transactions whose client is gone, cleaned up by whoever meets them.
//
// A transaction's id names the node and the shard that began it, and only they know whether it still runs. A leader that
// keeps prepared writes, or somebody waiting for a lock, for longer than PUSH_AFTER_NS asks there. When the answer is
// no, or there is no answer and the node is not alive by the cluster's tables:
//   locks     are released: should it run after all it is told at its commit (kv/lock.h, `since`);
//   prepared  writes are resolved as their record says. Without one the transaction is recorded as aborted first, where
//             its own record would be: what is written first stands, so a client that was only thought to be gone
//             cannot commit any more.
//   records   that nobody has ended are kept for RECORD_KEEP_NS; then what they commit is resolved in all their
//             participants, and they end. So that a client that stood still all that time cannot commit after all, a
//             record that says so later than RECORD_LATE_NS is refused.
//
// Shard    One task a shard looks after the slices that it leads.
// Safety   Does not depend on the guess who is alive: a transaction has one record, the first.
// Checked  tests/unit/kv/test_leader_nodes.c: a client's node crashes between prepare and record.
#pragma once
#include "kv/kv_node.h"
#include "kv/txn.h"

#define PUSH_AFTER_NS UINT64_C(3000000000)
#define PUSH_PASS_NS UINT64_C(500000000)
#define RECORD_LATE_NS UINT64_C(60000000000)
#define RECORD_KEEP_NS UINT64_C(120000000000)

extern const struct kv_module push_module;
// With leader_wire_register.
void push_register(void);

struct slice;

// Whether the transaction still runs, as far as can be known. Suspends.
CHECKED struct status push_alive(struct task *task, uint64_t txn, bool *alive);
// Releases the locks of one that does not, unless it has written here: those stay until that is resolved.
void push_release(struct slice *slice, uint64_t txn);
