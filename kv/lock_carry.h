// SPDX-License-Identifier: GPL-3.0-or-later
//
// Locks that go along where a leadership, or a range, goes in order: no transaction loses what it holds by that.
//
// A leader that hands over puts what its table holds into its last entry (ENTRY_LOCKS), the one that lowers the ceiling
// to what it has given out. Each replica that applies it keeps it in memory. Whoever leads next, the intended one or
// not, takes the locks over if its ceiling is still that entry's: nobody has held a lease since, so nobody has given a
// lock. A leader that ends in any other way takes its locks with it, and whoever relied on them is told at its commit
// (kv/lock.h, `since`).
//
// Shard    The slice's owner.
// Memory   LOCK_CARRY_BYTES a slice, from the hand-over until somebody leads; what is beyond is not taken along.
// Errors   None of its own: a lock that does not come along is lost, which its owner finds out.
// Checked  tests/unit/kv/test_leader_nodes.c, tests/unit/kv/test_txn_locks.c, tests/sim/scenario_kv_txn.c.
#pragma once
#include "kv/leader_wire.h"
#include "kv/lock.h"
#include "kv/slice.h"

#define LOCK_CARRY_BYTES (2u << 20)
#define LOCK_WIRE_LEAST 6u // Bytes of an encoded lock, at least.

void lock_wire_put(struct buffer *out, const struct lock_taken *lock);
// A lock; sets in->bad when it is none.
struct lock_taken lock_wire_take(struct wire_in *in);

// The last entry of a leadership: the ceiling, and what is locked. Suspends; the locks are those of the call.
CHECKED struct status lock_carry_propose(
    struct task *task, struct slice *slice, struct hlc_timestamp ceiling);
// A replica applies it.
void lock_carry_note(struct slice *slice, const struct entry_op *op);
// The slice begins to be led here: from here on its table gives locks of its own.
void lock_carry_lead(struct slice *slice);
void lock_carry_drop(struct slice *slice);

// Puts locks that came from elsewhere into the slice's table, and looks after those whose transactions have ended
// without knowing that they are here.
void lock_carry_adopt(struct slice *slice, const struct lock_taken *locks, uint32_t count);
