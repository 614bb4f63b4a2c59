// SPDX-License-Identifier: GPL-3.0-or-later
//
// Numbers of transactions (xid8), and snapshots in their terms, for those who ask: pg_current_xact_id(),
// pg_current_snapshot(), pg_xact_status(). A virtual cluster counts them in one key. Whoever has taken one writes how it
// ends as a row, in the transaction itself: what the row's readers see is what they see of the transaction.
//
// Outcome   (number) -> 'c' committed, 'a' aborted. Until the transaction has ended a key of its number is locked, by a
//           transaction of its own, so that savepoints do not matter. No row and no lock: it is over without having committed,
//           or the lock was lost; whoever needs to know writes 'a' there, with which its commit conflicts (40001) should it
//           come yet.
// Gate      Who takes a number shares the lock of a key until the number's own is locked; who writes 'a' has it alone: nobody looks
//           for a number that is given out and not locked yet.
// Summary   All numbers up to one are over, but for those it lists: snapshots look at the rows behind it alone. It is brought
//           up by who asks for outcomes and by every XACT_SETTLE_EACHth number, XACT_KEPT rows stay behind it.
// Order     Numbers grow in the order in which they are taken, across all nodes. They say nothing of the order of commits,
//           as in PostgreSQL, and only transactions that ask have one.
//
// Shard     The session's. All suspend, but for xact_assigned().
// Errors    25006 in a transaction that cannot write; 22023 for a number that is not given out yet; 40001.
#pragma once
#include "core/arena.h"
#include "core/bytes.h"
#include "core/status.h"

struct session;
struct task;

#define XACT_FIRST 3u // PostgreSQL's own come before it.
#define XACT_SETTLE_EACH 1024u
#define XACT_KEPT 1000000u

// The transaction's number; it takes one if it has none.
CHECKED struct status xact_current(struct task *task, struct session *session, uint64_t *id);
// 0: it has none.
uint64_t xact_assigned(const struct session *session);
// "in progress", "committed", "aborted"; NULL: too long ago.
CHECKED struct status xact_status(struct task *task, struct session *session, uint64_t id, const char **status);
// Of the transaction's (READ COMMITTED: the statement's) snapshot, in the form of pg_snapshot's values.
CHECKED struct status xact_snapshot(
    struct task *task, struct session *session, struct arena *arena, struct bytes *snapshot);

void xact_session_end(struct session *session);
void xact_register(void);
void function_xact_register(void); // sql/function/function_xact.c
