// SPDX-License-Identifier: GPL-3.0-or-later
//
// Catalog objects as SQL text: stored expressions with names in place of ids, and whole CREATE statements.
// Definitions of single indexes and constraints are sql/catalog/pg_catalog.h's.
//
// Shard    The session's. Suspends: names are looked up.
// Memory   Texts live in the arena given.
#pragma once
#include "core/arena.h"
#include "sql/catalog/catalog.h"

// A default or other stored expression, with the oids of sequences turned into names.
CHECKED struct status catalog_expression_text(struct task *task, struct session *session,
    struct arena *arena, const char *stored, const char **text);
// The whole CREATE statement of a table, view or sequence.
CHECKED struct status catalog_create_text(struct task *task, struct session *session,
    struct arena *arena, const struct table_desc *table, const char **text);

// A view's query in lines, its tables with the schemas that the search path does not find them in.
CHECKED struct status catalog_view_text(struct task *task, struct session *session,
    struct arena *arena, const struct table_desc *view, bool pretty, uint32_t width, const char **text);

// The stored form of a sequence's nextval: by oid, so that it outlives a rename.
char *catalog_nextval_text(struct arena *arena, uint32_t sequence_id);
