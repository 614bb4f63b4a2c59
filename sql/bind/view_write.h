// SPDX-License-Identifier: GPL-3.0-or-later
//
// Views that INSERT, UPDATE and DELETE can name: those over one table (or such a view) that leave its rows as they
// are. Writing to one is writing to the table.
//
// Errors   55000 for other views, with PostgreSQL's reasons.
#pragma once
#include "sql/bind/bind.h"

#define WRITTEN_VIEWS_MAX 32u

// From what the statement names down to the one over the table.
struct written_views {
    struct relation *items[WRITTEN_VIEWS_MAX];
    uint32_t count;
};

// NULL: it can be written to, as far as its query goes.
const char *view_not_updatable(const struct select *select);
bool view_has_updatable_column(const struct select *select);
// Lets the table's columns have the defaults that the views give them.
CHECKED struct status bind_view_defaults(
    struct binder *binder, const struct written_views *views, struct table_plan *plan);
CHECKED struct status bind_written_view(struct binder *binder, const struct table_target *target,
    const char *verb, struct relation *view, struct written_views *views,
    struct relation **table);
// The columns of view `at` over the table's row at `base`.
CHECKED struct status bind_view_range(struct binder *binder, const struct written_views *views,
    uint32_t at, const char *name, const struct table_desc *table, var_id base,
    struct range **range);
// Its WHERE; *condition NULL: it has none.
CHECKED struct status bind_view_condition(struct binder *binder, const struct written_views *views,
    uint32_t at, const struct table_desc *table, var_id base, struct scalar **condition);
// What WITH CHECK OPTION asks of new rows.
CHECKED struct status bind_view_checks(
    struct binder *binder, const struct written_views *views, struct table_plan *plan);
