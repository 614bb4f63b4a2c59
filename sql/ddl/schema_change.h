// SPDX-License-Identifier: GPL-3.0-or-later
//
// Schema changes that are too large for one transaction, as jobs: they survive crashes and sessions, and are
// seen whole or not at all.
//
//   new index      the descriptor gets it write-only; every writer from then on keeps it (sql/catalog/catalog.h says why
//                  nobody misses it). A job reads the rows batch by batch and adds their entries, each
//                  batch one serializable transaction, so that an entry never outlives its row. A duplicate
//                  fails the job, which takes the index out again. At the end it becomes public.
//                  One on expressions, or of a part of the rows, is filled by the planner (schema_change_fill.c).
//   new constraint enforced for writers at once (validating), then the old rows are checked, then public. NOT NULL
//                  is such a check first.
//   rewrite        (primary key, column type, volatile default) the descriptor gets what the table is to become
//                  (struct table_rewrite): every writer from then on writes its rows as the target's too, and a job
//                  copies the others batch by batch; then one transaction makes the target the table. Reads go on
//                  with the old rows throughout. Only where the new primary key is of chance do writers wait.
//   erase          data of dropped tables and replaced indexes goes after the GC TTL.
//
// A batch and what it has done are one transaction; checkpoints follow, so that a run after a crash does a few rows
// again, which are there already. PAUSE leaves the writers' part at work; CANCEL takes everything back, and so does
// who cancels the statement that waits for it. A session that ends leaves its job to itself.
//
// Shard    Jobs run on the shard that adopted them. Everything suspends.
// Errors   23505, 23502, 23503, 23514 of old rows reach the statement that waits.
#pragma once
#include "sql/ddl/ddl_internal.h"

void schema_change_register(void);

// Puts `target`, in which new elements are write-only or validating, commits the statement's transaction, runs
// the job that makes them public, waits, and begins a new transaction. Implicit transactions only.
CHECKED struct status schema_change_publish(
    struct statement_context *context, struct table_desc *target);
CHECKED struct status schema_change_rewrite(struct statement_context *context,
    const struct table_desc *source, struct table_desc *target, const char **column_sql);
