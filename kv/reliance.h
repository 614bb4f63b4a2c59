// SPDX-License-Identifier: GPL-3.0-or-later
//
// Reliance: keys that a transaction has read from a cache, of which it need not ask their leader at its commit, because
// whoever changes them tells every shard first (kv/cluster.h: announcements) and commits above all that was answered.
//
// Rules    A shard that has not heard of a change may rely; a commit that does has an upper bound (`until`) that its
//          leaders keep, and is noted here while it is under way. A shard that hears of a change lets nobody rely from
//          then on, and answers when those under way have ended or their bounds are over, with the highest timestamp
//          that any of them may have (`high`). A node that does not answer is passed over once its liveness record has
//          expired, and no bound is above that expiration. So the change commits above every commit that relied.
//          The change itself has a bound, too (cluster_change_until, before anybody is told): a node that
//          has come, or come back, since then relies on nothing before that is over (cluster_rely_from).
//          All of this compares timestamps; clocks that differ cost time, and never decide.
// Not it   Which keys, and what is cached of them: sql/catalog/catalog_announce.c.
//
// Shard    The owner's only.
// Memory   struct reliance is the caller's, and stays while transactions of its shard refer to it.
// Errors   None: who may not rely has its keys validated instead.
// Checked  tests/unit/kv/test_reliance.c, tests/sim/case_schema.c
// Source   Gray, Cheriton, "Leases: An Efficient Fault-Tolerant Mechanism for Distributed File Cache Consistency", 1989.
#pragma once
#include "core/hlc.h"
#include "core/list.h"
#include "core/task.h"

struct bytes;
struct kv_txn;

#define RELIANCE_NS UINT64_C(2000000000) // The longest a commit may rely, and so the longest that a change waits.

struct reliance {
    uint64_t generation;       // Grows with each change that is heard of, or may have been missed.
    struct list_link commits;  // That rely and are under way.
    struct wait_queue ended;
    struct hlc_timestamp high; // Of those that have ended, or were waited out.
};

void reliance_init(struct reliance *reliance);
// From here on nobody relies on what was noted before. Does not suspend.
void reliance_shake(struct reliance *reliance);
// Until no commit that is under way relies on what was noted before it was shaken: none will have a timestamp above
// `high`. At most RELIANCE_NS.
CHECKED struct status reliance_wait(struct task *task, struct reliance *reliance);

// --- of a transaction, for kv/txn.c ----------------------------------------------------------------------

// Its commit begins: true when it relies. Otherwise what it has relied on has been added to its reads.
CHECKED struct status txn_rely_begin(struct task *task, struct kv_txn *txn, bool *relies);
void txn_rely_end(struct kv_txn *txn, struct status st, struct hlc_timestamp commit_ts);
// What it has relied on is validated up to its snapshot, and from there on with its reads. 40001.
CHECKED struct status txn_rely_no_more(struct task *task, struct kv_txn *txn);
// Its snapshot is about to move: the same when something was heard of since, or may be told of that lies before `to`.
CHECKED struct status txn_rely_move(struct task *task, struct kv_txn *txn, struct hlc_timestamp to);
// The node goes: when this returns, nothing of the shard relies any more.
CHECKED struct status reliance_settle(struct task *task, void *unused);
