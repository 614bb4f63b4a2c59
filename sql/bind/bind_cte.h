// SPDX-License-Identifier: GPL-3.0-or-later
//
// What the files of common table expressions share; no one else includes it.
//
// SEARCH and CYCLE of recursive queries are columns that both sides of the UNION get: a row's place in the order
// asked for, whether it closes a cycle, and the way to it.
#pragma once
#include "sql/bind/bind.h"

// The two sides as they are bound.
struct cte_paths {
    struct select *left, *right;
    uint32_t hidden; // Columns that were added behind those of the query.
    bool depth;      // The last of them counts steps and is for the right side alone.
};
// `select` is the UNION.
CHECKED struct status bind_cte_paths(struct binder *binder, struct scope *scope,
    const struct cte *cte, const struct select *select, struct cte_paths *paths);
// Names and types of what the query gives.
CHECKED struct status bind_cte_columns(struct binder *binder, const struct cte *cte,
    const struct query *query, struct cte_scope *scope, struct rel_cte *out);
