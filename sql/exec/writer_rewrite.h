// SPDX-License-Identifier: GPL-3.0-or-later
//
// Copying the rows that a table had before it began to be rewritten: the job's half of sql/ddl/schema_change.h.
//
// Shard    The session's. Suspends.
// Memory   What comes out lies in the arena given.
// Errors   23502 and 23505 as ALTER TABLE has them; whatever the expressions of the new columns give.
#pragma once
#include "core/arena.h"
#include "core/status.h"

struct session;
struct task;
struct writer;

struct rewrite_copy {
    struct arena *arena;
    struct bytes resume; // First key; empty: the table's.
    bool lock;           // Read with locks.
    bool same_key;       // Rows keep their primary key.
    uint32_t rows_max;   // Ends after so many, or so much written.
    size_t write_bytes_max;
    // What was done.
    uint64_t rows;
    struct buffer last; // The last row's key.
    bool done;          // There are no more.
};
// In the session's transaction.
CHECKED struct status rewrite_copy_rows(struct task *task, struct session *session,
    struct writer *writer, struct rewrite_copy *copy);
