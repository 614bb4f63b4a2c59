// SPDX-License-Identifier: GPL-3.0-or-later
//
// What the leader's files share: kv/leader.c and kv/leader_staged.c. Nobody else includes this.
#pragma once
#include "kv/leader.h"

// Everything up to the choice of a timestamp: locks, admission, validation. On success nothing has suspended since the
// last check.
CHECKED struct status leader_commit_begin(
    struct task *task, struct slice *slice, struct leader_commit *commit, bool keep_locks);
// The commit's timestamp, within its bounds. Nothing suspends.
CHECKED struct status leader_commit_ts(struct slice *slice, struct leader_commit *commit);
// Until this node's wall clock has passed `ts`: what is acknowledged lies below it.
CHECKED struct status leader_clock_pass(struct task *task, struct hlc_timestamp ts);
// Ends what the transaction staged here, as `resolve` says, until nothing of it is left.
CHECKED struct status leader_staged_end(
    struct task *task, struct slice *slice, const struct leader_resolve *resolve);
// 40001 when what the transaction has staged here, as far as it knows, is not: it was dropped, as of a client that is
// gone. Does not suspend.
CHECKED struct status leader_staged_check(
    const struct slice *slice, const struct leader_call *call);
// Makes known to the lock table who has written the key already: staged, or prepared under an earlier leader.
CHECKED struct status leader_writer_known(struct slice *slice, struct bytes key, uint64_t txn);
// Whether there is such a one, other than `txn`.
CHECKED struct status leader_writer_other(
    struct slice *slice, struct bytes key, uint64_t txn, bool *other);
