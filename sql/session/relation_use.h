// SPDX-License-Identifier: GPL-3.0-or-later
//
// Relations that the session itself is at work on: its open cursors and portals read them, or constraints of theirs wait
// for COMMIT. PostgreSQL refuses to change, truncate or drop those (renaming and moving them is nobody's harm), and so it
// is here: what a cursor reads does not get other columns beneath it, and what was remembered of a constraint keeps its
// meaning. Who changes a relation asks here first, once it knows that it may.
//
// Shard    The session's. Nothing suspends.
// Errors   55006.
// Source   PostgreSQL 15: what each statement refuses was found out by trying it.
#pragma once
#include "sql/catalog/catalog.h"
#include "sql/session/statement.h"

// `what`: the statement, as the message calls it ("ALTER TABLE").
CHECKED struct status relation_refuse_used(
    struct statement_context *context, const struct table_desc *relation, const char *what);
