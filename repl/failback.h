// SPDX-License-Identifier: GPL-3.0-or-later
//
// ALTER VIRTUAL CLUSTER a START REPLICATION OF b: a, which was the source of b or was itself filled from b, follows b
// from the time at which their histories parted, without a new scan. What a has of its own above that time is undone
// first, by its job.
//
// Errors   55000 when a serves, is not ready, was never of one history with b, or no longer keeps that time.
// Source   reference: physical cluster replication, section 10.
#pragma once
#include "repl/consumer.h"
#include "sql/session/statement.h"

struct consumer;

CHECKED struct status failback_execute(struct statement_context *context);
// What this cluster wrote itself above the time is received again, as it is: so the time index learns of it. The virtual
// cluster is one that ingests.
CHECKED struct status failback_index(struct task *task, uint64_t tenant, struct hlc_timestamp after);
// The job's first step: undoes what lies above the start, and is then as far as that. Can be repeated.
CHECKED struct status failback_prepare(struct task *task, struct consumer *consumer);
