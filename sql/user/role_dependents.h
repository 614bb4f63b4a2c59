// SPDX-License-Identifier: GPL-3.0-or-later
//
// What stands in the way of DROP ROLE: objects that the role owns, and privileges that it has or has granted.
//
// Shard    The session's. Suspends: reads the catalog.
#pragma once

#include "core/status.h"

struct statement_context;

// The DETAIL: a line each of this database's objects and of databases, in the order in which they were made, at most 100
// of them; how many there are in each other database. NULL when there is nothing. In the statement's arena.
CHECKED struct status role_dependents(struct statement_context *context, const char *role, const char **detail);
