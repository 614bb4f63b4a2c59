// SPDX-License-Identifier: GPL-3.0-or-later
//
// information_schema: constraints and the columns they are on. A user sees those of tables on which they have a
// privilege other than SELECT, or which they own, as in PostgreSQL.
#include <string.h>

#include "sql/catalog/pg_catalog.h"
#include "sql/plan/plan.h"
#include "sql/user/privilege_object.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))
#define ROWS(name_) \
    static struct status name_( \
        struct task *task, struct session *session, struct virtual_table_sink *sink)

#define SEEING_PRIVILEGES \
    (PRIVILEGE_INSERT | PRIVILEGE_UPDATE | PRIVILEGE_DELETE | PRIVILEGE_TRUNCATE | \
        PRIVILEGE_REFERENCES | PRIVILEGE_TRIGGER)

// One constraint of any kind.
struct named_constraint {
    const char *name, *type;
    const struct index_desc *index;           // PRIMARY KEY, UNIQUE
    const struct constraint_desc *constraint; // CHECK, FOREIGN KEY
    const struct column_desc *not_null;       // A column's NOT NULL, which the standard takes for a CHECK.
};

typedef struct status (*constraint_fn)(struct pg_rows *rows, const struct table_desc *table,
    const struct named_constraint *constraint);

static struct status each_not_null(
    struct pg_rows *rows, const struct table_desc *table, constraint_fn send)
{
    struct status st = STATUS_OK;
    for (uint32_t i = 0; !failed(st) && i < table->column_count; i++) {
        const struct column_desc *column = &table->columns[i];
        if (!column->not_null || column->hidden || column->state != ELEMENT_PUBLIC) continue;
        struct named_constraint constraint = {.type = "CHECK",
            .not_null = column,
            .name = arena_printf(&rows->arena, "%u_%u_%u_not_null", pg_namespace_oid(table->schema_id),
                pg_oid(table->id), i + 1)};
        st = send(rows, table, &constraint);
    }
    return st;
}

static struct status each_constraint(
    struct pg_rows *rows, const struct table_desc *table, constraint_fn send)
{
    struct status st = STATUS_OK;
    bool seen;
    if (table->kind != RELATION_TABLE) return st;
    TRY(pg_user_has_any_of_table(rows->task, rows->session, table, SEEING_PRIVILEGES, &seen));
    if (!seen) return st;
    for (uint32_t i = 0; i < table->index_count; i++) {
        const struct index_desc *index = &table->indexes[i];
        if (!pg_index_shown(table, index) || !(index_is_key(index) || index->from_constraint)) continue;
        struct named_constraint constraint = {
            .name = index->name, .type = index_is_key(index) ? "PRIMARY KEY" : "UNIQUE", .index = index};
        TRY(send(rows, table, &constraint));
    }
    for (uint32_t i = 0; i < table->constraint_count; i++) {
        struct named_constraint constraint = {.name = table->constraints[i].name,
            .type = table->constraints[i].kind == TABLE_CHECK ? "CHECK" : "FOREIGN KEY",
            .constraint = &table->constraints[i]};
        TRY(send(rows, table, &constraint));
    }
    st = each_not_null(rows, table, send);
out:
    return st;
}

static void begin_constraint(struct pg_row *row, struct pg_rows *rows,
    const struct table_desc *table, const struct named_constraint *constraint)
{
    pg_row_begin(row, rows->sink);
    pg_put_text(row, "constraint_catalog", rows->database->name);
    pg_put_text(row, "constraint_schema", pg_schema_name(rows, table->schema_id));
    pg_put_text(row, "constraint_name", constraint->name);
}

static void put_table(struct pg_row *row, struct pg_rows *rows, const struct table_desc *table)
{
    pg_put_text(row, "table_catalog", rows->database->name);
    pg_put_text(row, "table_schema", pg_schema_name(rows, table->schema_id));
    pg_put_text(row, "table_name", table->name);
}

// --- table_constraints, check_constraints ----------------------------------------------------------------------

static struct status constraint_row(struct pg_rows *rows, const struct table_desc *table,
    const struct named_constraint *constraint)
{
    struct pg_row row;
    begin_constraint(&row, rows, table, constraint);
    put_table(&row, rows, table);
    pg_put_text(&row, "constraint_type", constraint->type);
    bool deferrable = constraint->index != NULL        ? constraint->index->deferrable
                      : constraint->constraint != NULL ? constraint->constraint->deferrable
                                                       : false;
    bool deferred = constraint->index != NULL        ? constraint->index->initially_deferred
                    : constraint->constraint != NULL ? constraint->constraint->initially_deferred
                                                     : false;
    pg_put_text(&row, "is_deferrable", deferrable ? "YES" : "NO");
    pg_put_text(&row, "initially_deferred", deferred ? "YES" : "NO");
    pg_put_text(&row, "enforced", "YES");
    if (constraint->index != NULL && !index_is_key(constraint->index))
        pg_put_text(&row, "nulls_distinct", "YES");
    return pg_row_send(&row);
}

static struct status check_row(struct pg_rows *rows, const struct table_desc *table,
    const struct named_constraint *constraint)
{
    struct pg_row row;
    const char *text = NULL;
    if (strcmp(constraint->type, "CHECK") != 0) return STATUS_OK;
    if (constraint->not_null == NULL) {
        struct status st = plan_expression_text(rows->task, rows->session, &rows->arena, table,
            constraint->constraint->check_sql, TYPE_OF(TYPE_BOOL), false, &text);
        if (failed(st)) return st;
    }
    begin_constraint(&row, rows, table, constraint);
    pg_put_text(&row, "check_clause",
        constraint->not_null != NULL
            ? arena_printf(&rows->arena, "%s IS NOT NULL", constraint->not_null->name)
            : arena_printf(&rows->arena, "(%s)%s", text,
                  constraint->constraint->not_valid ? " NOT VALID" : ""));
    return pg_row_send(&row);
}

// --- key_column_usage ------------------------------------------------------------------------------------------

// The unique index that a foreign key leans on.
static const struct index_desc *referenced_index(
    const struct table_desc *table, const uint32_t *columns, uint32_t count)
{
    for (uint32_t i = 0; i < table->index_count; i++) {
        const struct index_desc *index = &table->indexes[i];
        if (!(index->unique || index->primary) || index->column_count != count) continue;
        uint32_t matched = 0;
        for (uint32_t j = 0; j < count; j++)
            for (uint32_t k = 0; k < count; k++)
                matched += index->columns[j].column_id == columns[k];
        if (matched == count) return index;
    }
    return NULL;
}

static struct status key_column(struct pg_rows *rows, const struct table_desc *table,
    const struct named_constraint *constraint, uint32_t column_id, uint32_t position, uint32_t referenced)
{
    struct pg_row row;
    const struct column_desc *column = table_column_by_id(table, column_id);
    if (column == NULL) return STATUS_OK;
    begin_constraint(&row, rows, table, constraint);
    put_table(&row, rows, table);
    pg_put_text(&row, "column_name", column->name);
    pg_put_int(&row, "ordinal_position", position);
    if (referenced != 0) pg_put_int(&row, "position_in_unique_constraint", referenced);
    return pg_row_send(&row);
}

static struct status key_columns(struct pg_rows *rows, const struct table_desc *table,
    const struct named_constraint *constraint)
{
    struct status st = STATUS_OK;
    if (constraint->index != NULL) {
        for (uint32_t i = 0; i < constraint->index->column_count; i++)
            TRY(key_column(rows, table, constraint, constraint->index->columns[i].column_id, i + 1, 0));
        return st;
    }
    const struct constraint_desc *key = constraint->constraint;
    if (key == NULL || key->kind != TABLE_FOREIGN_KEY) return st;
    const struct table_desc *referenced;
    TRY(catalog_table_by_id(rows->task, rows->session, key->referenced_table, &referenced));
    const struct index_desc *index =
        referenced_index(referenced, key->referenced_columns, key->column_count);
    for (uint32_t i = 0; i < key->column_count; i++) {
        uint32_t position = 0;
        for (uint32_t j = 0; index != NULL && j < index->column_count; j++)
            if (index->columns[j].column_id == key->referenced_columns[i]) position = j + 1;
        TRY(key_column(rows, table, constraint, key->columns[i], i + 1, position));
    }
out:
    return st;
}

// --- referential_constraints -----------------------------------------------------------------------------------

static struct status referential_row(struct pg_rows *rows, const struct table_desc *table,
    const struct named_constraint *constraint)
{
    static const char *const actions[] = {
        "NO ACTION", "RESTRICT", "CASCADE", "SET NULL", "SET DEFAULT"};
    struct status st = STATUS_OK;
    struct pg_row row;
    const struct constraint_desc *key = constraint->constraint;
    const struct table_desc *referenced;
    if (key == NULL || key->kind != TABLE_FOREIGN_KEY) return st;
    TRY(catalog_table_by_id(rows->task, rows->session, key->referenced_table, &referenced));
    const struct index_desc *index =
        referenced_index(referenced, key->referenced_columns, key->column_count);
    begin_constraint(&row, rows, table, constraint);
    if (index != NULL) {
        pg_put_text(&row, "unique_constraint_catalog", rows->database->name);
        pg_put_text(&row, "unique_constraint_schema", pg_schema_name(rows, referenced->schema_id));
        pg_put_text(&row, "unique_constraint_name", index->name);
    }
    pg_put_text(&row, "match_option", key->match_full ? "FULL" : "NONE");
    pg_put_text(&row, "update_rule", actions[key->on_update]);
    pg_put_text(&row, "delete_rule", actions[key->on_delete]);
    st = pg_row_send(&row);
out:
    return st;
}

// --- usage -----------------------------------------------------------------------------------------------------

static struct status usage_row(struct pg_rows *rows, const struct table_desc *table,
    const struct named_constraint *constraint, const struct table_desc *used, uint32_t column_id)
{
    struct pg_row row;
    const struct column_desc *column = table_column_by_id(used, column_id);
    if (column == NULL) return STATUS_OK;
    begin_constraint(&row, rows, table, constraint);
    put_table(&row, rows, used);
    pg_put_text(&row, "column_name", column->name);
    return pg_row_send(&row);
}

static struct status column_usage(struct pg_rows *rows, const struct table_desc *table,
    const struct named_constraint *constraint)
{
    struct status st = STATUS_OK;
    const struct constraint_desc *of = constraint->constraint;
    if (constraint->not_null != NULL) return st;
    if (constraint->index != NULL) {
        for (uint32_t i = 0; i < constraint->index->column_count; i++)
            TRY(usage_row(rows, table, constraint, table, constraint->index->columns[i].column_id));
        return st;
    }
    const struct table_desc *used = table;
    bool foreign = of->kind == TABLE_FOREIGN_KEY;
    if (foreign) TRY(catalog_table_by_id(rows->task, rows->session, of->referenced_table, &used));
    for (uint32_t i = 0; i < of->column_count; i++)
        TRY(usage_row(
            rows, table, constraint, used, foreign ? of->referenced_columns[i] : of->columns[i]));
out:
    return st;
}

static struct status table_usage(struct pg_rows *rows, const struct table_desc *table,
    const struct named_constraint *constraint)
{
    struct status st = STATUS_OK;
    struct pg_row row;
    const struct table_desc *used = table;
    if (constraint->not_null != NULL) return st;
    if (constraint->constraint != NULL) {
        if (constraint->constraint->kind != TABLE_FOREIGN_KEY) return st;
        TRY(catalog_table_by_id(
            rows->task, rows->session, constraint->constraint->referenced_table, &used));
    }
    begin_constraint(&row, rows, table, constraint);
    put_table(&row, rows, used);
    st = pg_row_send(&row);
out:
    return st;
}

#define CONSTRAINT_ROWS(name_, fn_) \
    static struct status name_##_of(struct pg_rows *rows, const struct table_desc *table) \
    { \
        return each_constraint(rows, table, fn_); \
    } \
    ROWS(name_) \
    { \
        return pg_each_table(task, session, sink, name_##_of); \
    }
CONSTRAINT_ROWS(constraint_rows, constraint_row)
CONSTRAINT_ROWS(table_check_rows, check_row)
CONSTRAINT_ROWS(key_rows, key_columns)
CONSTRAINT_ROWS(referential_rows, referential_row)
CONSTRAINT_ROWS(column_usage_rows, column_usage)
CONSTRAINT_ROWS(table_usage_rows, table_usage)

ROWS(check_rows)
{
    struct status st = table_check_rows(task, session, sink);
    return failed(st) ? st : pg_query_rows(task, session, sink,
        "SELECT current_database(), n.nspname, c.conname, substring(pg_get_constraintdef(c.oid) FROM 7) "
        "FROM pg_constraint c JOIN pg_namespace n ON n.oid = c.connamespace WHERE c.contypid <> 0");
}

static const struct pg_table tables[] = {
    {"table_constraints",
        "constraint_catalog name, constraint_schema name, constraint_name name, "
        "table_catalog name, table_schema name, table_name name, "
        "constraint_type varchar, is_deferrable varchar, initially_deferred varchar, "
        "enforced varchar, nulls_distinct varchar",
        constraint_rows},
    {"check_constraints",
        "constraint_catalog name, constraint_schema name, constraint_name name, "
        "check_clause varchar",
        check_rows},
    {"key_column_usage",
        "constraint_catalog name, constraint_schema name, constraint_name name, "
        "table_catalog name, table_schema name, table_name name, column_name name, "
        "ordinal_position int4, position_in_unique_constraint int4",
        key_rows},
    {"referential_constraints",
        "constraint_catalog name, constraint_schema name, constraint_name name, "
        "unique_constraint_catalog name, unique_constraint_schema name, "
        "unique_constraint_name name, match_option varchar, update_rule varchar, "
        "delete_rule varchar",
        referential_rows},
    {"constraint_column_usage",
        "table_catalog name, table_schema name, table_name name, column_name name, "
        "constraint_catalog name, constraint_schema name, constraint_name name",
        column_usage_rows},
    {"constraint_table_usage",
        "table_catalog name, table_schema name, table_name name, "
        "constraint_catalog name, constraint_schema name, constraint_name name",
        table_usage_rows},
};

void information_schema_constraints_register(void)
{
    pg_tables_register("information_schema", tables, COUNT(tables));
}
