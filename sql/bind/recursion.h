// SPDX-License-Identifier: GPL-3.0-or-later
//
// Which of its own queries a WITH RECURSIVE names, and where: the order in which they can be bound, and that each that
// names itself does so in the one place where that has a meaning. By the statement's tree alone, before anything is bound.
//
// Shard    Pure. Recursive as deep as AST_DEPTH_MAX: on the big stack, as the binder is.
// Memory   The binder's arena.
// Errors   42P19 and 0A000 in PostgreSQL's words and order, with positions.
#pragma once
#include "sql/bind/bind.h"

#define E_INVALID_RECURSION SQLSTATE('4', '2', 'P', '1', '9')

struct recursion {
    uint32_t *order; // Numbers of with->items: each after those that it names.
    bool *recursive; // Per item: it names itself.
};
CHECKED struct status recursion_check(
    struct binder *binder, const struct with_clause *with, struct recursion *recursion);
