// SPDX-License-Identifier: GPL-3.0-or-later
//
// What writing to a table needs besides the rows: bound defaults, generated columns, expressions and
// predicates of indexes, CHECKs, and the foreign keys both ways. Made by the binder (sql/bind/bind_table.c),
// compiled with the plan, run by sql/exec/writer.h.
//
// The row to be written is known by variables of its own: row_base + ordinal (sql/exec/row.h).
//
// Memory   The plan's arena; table descriptors are the plan's copies.
#pragma once
#include "sql/plan/rel.h"

struct table_plan_check {
    const char *name;
    struct scalar *condition; // Over the row's variables.
    const char *domain, *domain_schema; // It is this domain's; NULL: the table's.
    uint32_t ordinal;                   // Of the domain's column.
    bool not_null;                      // The domain's NOT NULL.
    bool view;                // WITH CHECK OPTION of the view of this name.
};

// 23502 or 23514 of a domain. `check` NULL: its NOT NULL.
struct session;
struct status domain_violation(struct arena *arena, const struct session *session,
    const char *schema, const char *domain, const char *check);

// A foreign key of this table: rows written must find their parent.
struct table_plan_reference {
    const struct constraint_desc *constraint;
    const struct table_desc *parent;
    const struct index_desc *parent_index; // Unique, over the referenced columns.
    uint32_t *ordinals;                    // Of this table's columns, in the order of the index.
    uint32_t *parent_ordinals;
    uint32_t count;
};
// A foreign key of another table that points here: rows deleted or re-keyed must not be missed.
struct table_plan_back_reference {
    const struct constraint_desc *constraint;
    struct table_plan *child;
    const struct index_desc *child_index;  // Whose first columns are the key's; NULL: scan.
    uint32_t *ordinals;                    // Of this table, in the order of child_ordinals.
    uint32_t *child_ordinals;              // In the order of the child's index.
    uint32_t count;
    const struct index_desc *key_index;    // Unique, over the referenced columns: as children look for it.
    enum rel_lock update_lock;             // What a child is locked in when its columns change.
};

struct table_plan {
    const struct table_desc *table;
    var_id row_base;
    uint32_t width;               // row_width(table)
    struct scalar **defaults;     // Per column, NULL: none. Not for generated ones.
    struct rel_item_list computed; // Generated columns, then expressions of indexes.
    struct scalar **predicates;   // Per index, NULL: every row.
    struct table_plan_check *checks;
    uint32_t check_count;
    struct table_plan_reference *references;
    uint32_t reference_count;
    struct table_plan_back_reference *back_references;
    uint32_t back_reference_count;
    uint32_t index;               // Of its writer in the run.
    // What the table is being rewritten as (sql/ddl/schema_change.h), and its columns over the row; or NULL.
    struct table_plan *target;
    struct scalar **target_columns;
    uint32_t targets;             // How often the statement inserts into it or updates it.
    const struct table_desc *defaults_of; // The view whose columns' defaults go before; NULL: none.
};

struct insert_plan {
    struct table_plan *table;
    var_id *sources;              // Per column, the input's variable; VAR_NONE: its default.
    bool *of_domain;              // Per column: what it gets is of its domain already; NULL: of none is that known.
    enum conflict_action conflict;
    bool upsert;
    const struct index_desc **arbiters; // Unique indexes whose conflicts are handled.
    uint32_t arbiter_count;
    bool any_arbiter;             // ON CONFLICT DO NOTHING without a target: all of them.
    var_id existing_base;         // The row in the way, in assignments and WHERE.
    var_id excluded_base;         // The row that was to be inserted.
    struct rel_item_list assignments; // var: existing_base + ordinal of the column.
    struct scalar *conflict_where;
    bool materialize;             // The source reads the table.
    var_id xmax;                  // For RETURNING: 0 of a row that is new, else who replaced it; VAR_NONE: nobody asks.
    enum rel_lock conflict_lock;  // Of rows in the way.
};

struct update_plan {
    struct table_plan *table;
    struct rel *scan;             // The REL_SCAN of the table in the input.
    var_id *sources;              // Per column, the input's variable of the new value; VAR_NONE: the old.
    bool *of_domain;              // Per column: what it is assigned is of its domain already.
    bool materialize;
    bool once;                    // A row can be met more than once (joins): only the first counts.
};

void insert_plan_each_scalar(struct insert_plan *plan,
    void (*fn)(struct scalar **scalar, void *context), void *context);
void update_plan_each_scalar(struct update_plan *plan,
    void (*fn)(struct scalar **scalar, void *context), void *context);
