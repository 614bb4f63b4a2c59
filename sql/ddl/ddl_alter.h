// SPDX-License-Identifier: GPL-3.0-or-later
//
// What the parts of ALTER TABLE share: ddl_alter.c has the statement, ddl_alter_column.c the columns,
// ddl_alter_constraint.c keys and constraints.
//
// Shard    The session's. Everything that gives a status suspends.
// Memory   Of the statement.
// Errors   42703, 42704, 42809, 2BP01, 55000 with PostgreSQL's messages; whatever rows do not meet.
#pragma once
#include "sql/ddl/ddl_internal.h"

struct alter {
    struct statement_context *context;
    const struct alter_table *statement;
    const struct alter_command *command;
    const struct table_desc *before; // The whole statement.
    struct table_desc *source; // As stored.
    struct table_desc *table;  // Being edited.
    const struct alter_command *skips; // An ADD COLUMN IF NOT EXISTS whose column there was.
};

// Reads the descriptor for one command, as the one before it left it: alter->source, and alter->table to be edited; NULL
// when there is none and IF EXISTS allows it.
CHECKED struct status alter_load(struct alter *alter);
CHECKED struct status alter_put(struct alter *alter);
// After a part that was committed another has failed: ends its transaction. *again: it has lost against others, and may be made
// again in the transaction that has begun; otherwise what it gives is the statement's error.
CHECKED struct status alter_again(
    struct statement_context *context, struct status lost, uint32_t attempt, bool *again);

// --- columns -------------------------------------------------------------------------------------------------

// A command about one column.
CHECKED struct status alter_column(struct alter *alter);
// The one that the command names; 42703.
CHECKED struct status alter_find_column(struct alter *alter, struct column_desc **column);
struct status alter_contains_nulls(struct alter *alter, const struct column_desc *column); // 23502
bool alter_key_has(const struct index_desc *index, uint32_t column_id);
bool alter_text_mentions(struct arena *arena, const char *text, const char *column);
bool alter_index_mentions(
    struct arena *arena, const struct index_desc *index, const struct column_desc *column);

// --- keys and constraints ------------------------------------------------------------------------------------

CHECKED struct status alter_back_reference_remove(
    struct alter *alter, uint32_t parent_id, uint32_t constraint_id);
CHECKED struct status alter_set_primary_key(
    struct alter *alter, const struct constraint *constraint, const char *column, bool replace);
// SET NOT NULL of a table that is too large for the statement's transaction, or whose rows change all the time.
CHECKED struct status alter_set_not_null_online(struct alter *alter, const char *name);
CHECKED struct status alter_add_constraint(
    struct alter *alter, const struct constraint *constraint, const char *column);
// Foreign keys that lean on the index go, with CASCADE, before it goes, by itself or (`column`) with a column.
CHECKED struct status alter_release_index(
    struct alter *alter, const struct index_desc *index, const struct column_desc *column);
CHECKED struct status alter_remove_index(struct alter *alter, uint32_t position);
CHECKED struct status alter_drop_primary_key(struct alter *alter, const struct column_desc *column);
CHECKED struct status alter_drop_constraint(struct alter *alter);
CHECKED struct status alter_validate_constraint(struct alter *alter);
CHECKED struct status alter_change_constraint(struct alter *alter);
