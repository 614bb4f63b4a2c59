// SPDX-License-Identifier: GPL-3.0-or-later
//
// Locks on rows as PostgreSQL shows them: in pg_locks, and who waits for whom (pg_blocking_pids). A row is a "tuple" of its
// table; its page and tuple number are made of its key, the same wherever it is asked. A transaction holds its own
// "transactionid", and who waits for a row waits for the one of the first that is in its way.
//
// Shard    Any. Asks every node (kv/lock_list.h, sql/insight/activity.h), and suspends.
// Checked  tests/integration/test_transactions.py.
#pragma once
#include "sql/catalog/pg_catalog.h"
#include "sql/session/session.h"

CHECKED struct status row_locks_send(
    struct task *task, struct session *session, struct virtual_table_sink *sink);
// Process numbers of sessions that stand in the way of the one with that number, each once; in `arena`.
CHECKED struct status row_locks_blocking(struct task *task, struct session *session, uint32_t process,
    struct arena *arena, uint32_t **processes, uint32_t *count);
