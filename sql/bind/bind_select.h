// SPDX-License-Identifier: GPL-3.0-or-later
//
// A SELECT while it is put together. Private to sql/bind/bind_select.c and sql/bind/bind_group.c.
#pragma once
#include "sql/bind/bind.h"

// One item of a SELECT list while the query around it is being put together.
struct target_scalar {
    const char *name;
    struct scalar *scalar;
    uint32_t table_oid;
    uint16_t attribute;
    const struct expr *expr; // As written; NULL: not known.
    bool named; // Has an alias, or is a column: ORDER BY can mean it.
};
struct target_scalars {
    struct target_scalar *items;
    uint32_t count, capacity;
};

struct group_set { // Numbers of the groups in it.
    uint32_t *groups;
    uint32_t count;
};

struct select_build {
    const struct select *select;
    struct scope *scope;
    struct select_level level;
    struct rel *rel;
    struct rel_item_list groups;
    struct group_set *sets; // Of GROUP BY: one, or several of GROUPING SETS and its family.
    uint32_t set_count;
    struct target_scalars targets;
    struct scalar *having;
    struct rel_order *order;
    uint32_t order_count;
    struct scalar **distinct_on;
    uint32_t distinct_on_count;
};

// An ordinal or an output name in GROUP BY, ORDER BY and DISTINCT ON; NULL: it is neither.
CHECKED struct status bind_match_target(struct binder *binder,
    const struct target_scalars *targets, const struct expr *expr, const char *clause, bool names,
    struct scalar **out);
// bind_group.c: GROUP BY with its sets; then the operator of groups and aggregates above build->rel.
CHECKED struct status bind_groups(struct binder *binder, struct select_build *build);
CHECKED struct status bind_group_build(struct binder *binder, struct select_build *build);
