// SPDX-License-Identifier: GPL-3.0-or-later
//
// What the leader's files share: kv/leader.c (checks, locks), leader_read.c, leader_commit.c, leader_staged.c and
// leader_record.c. Nobody else includes this, but for leader_clock_pass, which kv/commit_multi.c and announce.c need.
//
// Shard    The slice's. What takes a task may suspend, unless it says that it does not.
#pragma once
#include "kv/leader.h"

// --- kv/leader.c: what a request asks for is this tenant's, and served here -------------------------------

// K_WRONG_RANGE: the client looks its route up again.
CHECKED struct status leader_wrong_range(void);
// 40001: another has ended the transaction, as one whose client is gone.
CHECKED struct status leader_given_up(void);
// 42501 when it is another tenant's, K_WRONG_RANGE when the slice does not serve it. The range is told that it was asked.
CHECKED struct status leader_serves_key(struct slice *slice, uint64_t tenant, struct bytes key);
CHECKED struct status leader_serves_span(struct slice *slice, uint64_t tenant, struct span span);
CHECKED struct status leader_serves_reads(
    struct slice *slice, uint64_t tenant, const struct read_entry *entries, uint32_t count);
// K_WRONG_RANGE when the client goes by a descriptor that has changed since.
CHECKED struct status leader_serves_as_told(
    struct slice *slice, const struct leader_call *call, struct bytes key);

// --- kv/leader.c: locks -----------------------------------------------------------------------------------

// Whether keys may be written by transactions that hold no lock of the table.
bool leader_has_writers(const struct slice *slice);
// Takes the lock that `read` asks for, and counts it in the call. Suspends while others hold it: answer->suspended.
CHECKED struct status leader_lock_key(struct task *task, struct slice *slice,
    struct leader_call *call, const struct kv_read *read, struct bytes key,
    struct lock_answer *answer);
// 40001 unless the transaction has held the keys since when it says.
CHECKED struct status leader_check_held_key(
    struct slice *slice, const struct leader_call *call, const struct held_key *held);
CHECKED struct status leader_check_held(struct slice *slice, const struct leader_call *call,
    const struct held_key *keys, uint32_t count);

// --- kv/leader_commit.c -----------------------------------------------------------------------------------

// Everything up to the choice of a timestamp: locks, admission, validation. On success nothing has suspended since the
// last check.
CHECKED struct status leader_commit_begin(
    struct task *task, struct slice *slice, struct leader_commit *commit, bool keep_locks);
// The commit's timestamp, within its bounds. Nothing suspends.
CHECKED struct status leader_commit_ts(struct slice *slice, struct leader_commit *commit);
// Until this node's wall clock has passed `ts`: what is acknowledged lies below it.
CHECKED struct status leader_clock_pass(struct task *task, struct hlc_timestamp ts);

// --- kv/leader_staged.c -----------------------------------------------------------------------------------

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
