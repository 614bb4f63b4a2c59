// SPDX-License-Identifier: GPL-3.0-or-later
//
// Deferred foreign keys, and deferrable unique ones: keys that were in violation when their statement ended are remembered until the
// transaction commits, or SET CONSTRAINTS asks for them, and looked at again then.
//
// A remembered key is a suspicion, not a fact: it is in violation when, at the end, a row refers to it and
// no row has it, or two rows have one that is to be unique. So neither ROLLBACK TO SAVEPOINT nor a later repair needs to take anything back;
// but what was looked at and found good since the savepoint is a suspicion again, and SET CONSTRAINTS' words since then are forgotten.
//
// Shard    The session's.
// Memory   malloc'ed with the first key, freed when the transaction ends. At most 1,000,000 keys: 54000.
// Errors   23503 and 23505 with PostgreSQL's messages.
#pragma once
#include "sql/catalog/catalog.h"
#include "sql/session/statement.h"

struct deferred_state; // In struct session.

// Whether violations of the constraint wait, as it was declared and as SET CONSTRAINTS says.
bool deferred_is(
    const struct session *session, uint32_t table_id, const struct constraint_desc *constraint);
struct deferred_key {
    const struct table_desc *child;
    const struct constraint_desc *constraint;
    const struct table_desc *parent;
    bool parent_changed; // The parent's row went; else a child's row came.
    const uint32_t *child_columns, *parent_columns; // Ordinals, in the order of `values`.
    const struct datum *values;
    uint32_t count;
};
CHECKED struct status deferred_note(struct session *session, const struct deferred_key *key);
// A row of the relation has changed in a way of which the constraint, which waits, will want to know; be it in violation or not.
CHECKED struct status deferred_touch(
    struct session *session, uint32_t relation_id, uint32_t child_id, const struct constraint_desc *constraint);
// Whether a constraint waits because of what the transaction has done to the relation: PostgreSQL's pending trigger events.
bool deferred_waits_for(const struct session *session, uint32_t relation_id);
// Two rows have the same values in a deferrable key now. Looked at when the statement ends, or later.
CHECKED struct status deferred_note_duplicate(struct session *session,
    const struct table_desc *table, const struct index_desc *index, const struct datum *values);
// At the end of a statement: keys that do not wait.
CHECKED struct status deferred_settle_statement(struct task *task, struct session *session);
// After a savepoint has been made, and when the session goes back to one.
void deferred_save(struct session *session, const struct savepoint *savepoint);
void deferred_rolled_back_to(struct session *session, const struct savepoint *savepoint);
CHECKED struct status deferred_set_execute(struct statement_context *context); // SET CONSTRAINTS
void deferred_register(void);
