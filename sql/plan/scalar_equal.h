// SPDX-License-Identifier: GPL-3.0-or-later
//
// Whether two queries within expressions, bound in one place, are the same: operator for operator, with variables of their
// own that stand for each other. Two that give the same rows in other ways differ. Not yet rewritten.
//
// Shard    Runs where it is called; does not suspend.
// Memory   Some in `arena`, for as long as the comparison takes.
#pragma once
#include "sql/plan/scalar.h"

struct scalar_naming {
    struct arena *arena;
    uint32_t var_count;
    // Whether the variables that two operators give have the same names.
    bool (*alike)(const struct scalar_naming *naming, var_id a, var_id b);
    const void *context;
};
// Volatile calls written alike are the same.
bool subquery_equal(const struct scalar *a, const struct scalar *b, const struct scalar_naming *naming);
