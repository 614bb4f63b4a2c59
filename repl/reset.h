// SPDX-License-Identifier: GPL-3.0-or-later
//
// ALTER VIRTUAL CLUSTER a RESET DATA TO SYSTEM TIME t: all of a's data, its catalog and settings among it, is again what it
// was at t. What is above is undone by a job, which goes on after a crash; meanwhile the virtual cluster is in data state
// "add" and cannot be started. The statement waits for it.
//
// A history that was cut off is another one: clusters that replicated from a before, or a from them, do not find the way
// back to each other by START REPLICATION (reset_forbids).
//
// Shard    Any. Suspends.
// Errors   55000 when a serves, is not ready, is replicated to another cluster, or t is no longer kept;
//          22023 for times at which it was not there.
// Checked  tests/unit/repl/test_flow.c, tests/integration/test_tenants.py
#pragma once
#include "core/hlc.h"
#include "sql/session/statement.h"

CHECKED struct status reset_execute(struct statement_context *context);
// Whether the virtual cluster with this source_id was reset at or after `ts`: what it has of that time is not what
// others remember.
bool reset_forbids(const char *source_id, struct hlc_timestamp ts);
void reset_register(void);
