// SPDX-License-Identifier: GPL-3.0-or-later
//
// Waits that last as long as somebody else likes: for a lock that another session holds, for a client to read or to write, for a
// time that a client has named.
//
// A session has no stack between its statements: its next one needs one, and with it come the locks that others wait for. So those
// who wait in this way may not hold all stacks. They hold at most three quarters of those that tasks of their kind share (sessions;
// calls from elsewhere, by depth), those of one tenant at most half. Whoever else comes, holders of locks first of all, gets a
// stack in the time that statements take. A task that waits for its stack has nothing yet and is not refused: their line is bounded
// by itself (task_start).
//
// Shard    The task's.
// Errors   53300 (linger_refused): the caller has to turn back instead of waiting.
// Checked  tests/unit/kv/test_txn_locks.c, tests/sim/scenario_overload.c, tests/integration/test_crowd.py
#pragma once
#include "core/task.h"

// Around such a wait. False: too many wait. A task that begins twice counts twice.
bool linger_begin(struct task *task);
void linger_end(struct task *task);
struct status linger_refused(void);
