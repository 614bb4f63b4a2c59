// SPDX-License-Identifier: GPL-3.0-or-later
//
// CREATE DOMAIN, ALTER DOMAIN.
#include "core/task.h"
#include "sql/catalog/pg_catalog.h"
#include "sql/ddl/ddl_internal.h"
#include "sql/parse/ast_visit.h"
#include "sql/parse/deparse.h"
#include "sql/parse/parse.h"
#include "sql/plan/plan.h"
#include "sql/session/internal.h"

struct value_walk {
    struct expr *expr;
    bool other; // A column that is not VALUE.
};

static void note_value(struct expr *expr, void *arg)
{
    struct value_walk *walk = arg;
    if (expr->kind != EXPR_COLUMN) return;
    if (expr->column.star || expr->column.count != 1 || strcmp(expr->column.names[0], "value") != 0)
        walk->other = true;
}

static void note_values_on_stack(void *arg)
{
    struct value_walk *walk = arg;
    expr_visit(walk->expr, note_value, walk);
}

static struct status add_domain_check(struct statement_context *context, struct table_desc *domain,
    const struct constraint *constraint)
{
    struct status st = STATUS_OK;
    struct value_walk walk = {.expr = constraint->expr};
    struct constraint_desc check = {.kind = TABLE_CHECK, .not_valid = constraint->not_valid};
    struct type type;

    stack_call(note_values_on_stack, &walk);
    if (walk.other)
        return ddl_error(context, E_INVALID_COLUMN_REFERENCE,
            "cannot use table references in domain check constraint");
    TRY(ddl_check_text(
        context, constraint->expr, "check constraint", domain, NULL, NULL, &check.check_sql));
    TRY(plan_expression_type(
        context->task, context->session, context->arena, domain, constraint->expr, &type));
    if (type.oid != TYPE_BOOL)
        return ddl_error(context, E_DATATYPE_MISMATCH,
            "argument of CHECK must be type boolean, not type %s",
            type_format(context->arena, type));
    check.name = constraint->name;
    for (uint32_t number = 0; check.name == NULL; number++) {
        const char *name = ddl_join_name(context->arena, domain->name, NULL, "check", number);
        bool used = false;
        for (uint32_t i = 0; i < domain->constraint_count; i++)
            used |= strcmp(domain->constraints[i].name, name) == 0;
        if (!used) check.name = name;
    }
    for (uint32_t i = 0; i < domain->constraint_count; i++)
        if (strcmp(domain->constraints[i].name, check.name) == 0)
            return ddl_error(context, E_DUPLICATE_OBJECT,
                "constraint \"%s\" for domain \"%s\" already exists", check.name, domain->name);
    check.id = domain->next_constraint_id++;
    DDL_APPEND(context->arena, domain->constraints, domain->constraint_count, check);
out:
    return st;
}

static struct status domain_constraint(struct statement_context *context,
    struct table_desc *domain, const struct constraint *constraint, bool *null_written)
{
    switch (constraint->kind) {
    case CONSTRAINT_NOT_NULL: domain->columns[0].not_null = true; return STATUS_OK;
    case CONSTRAINT_NULL: *null_written = true; return STATUS_OK;
    case CONSTRAINT_DEFAULT:
        if (domain->columns[0].default_sql != NULL)
            return ddl_error(context, E_SYNTAX_ERROR, "multiple default expressions");
        return ddl_lone_default_text(
            context, constraint->expr, domain->columns[0].type, &domain->columns[0].default_sql);
    case CONSTRAINT_CHECK:
        if (constraint->no_inherit)
            return ddl_error(context, E_INVALID_OBJECT_DEFINITION,
                "check constraints for domains cannot be marked NO INHERIT");
        return add_domain_check(context, domain, constraint);
    case CONSTRAINT_PRIMARY_KEY:
        return ddl_error(
            context, E_SYNTAX_ERROR, "primary key constraints not possible for domains");
    case CONSTRAINT_UNIQUE:
        return ddl_error(context, E_SYNTAX_ERROR, "unique constraints not possible for domains");
    case CONSTRAINT_FOREIGN_KEY:
        return ddl_error(
            context, E_SYNTAX_ERROR, "foreign key constraints not possible for domains");
    default: return ddl_unsupported(context, "this constraint of a domain");
    }
}

// The default and the collation of the domain that it is over, as they are now.
static struct status take_beneath(struct statement_context *context, struct column_desc *value,
    bool collated, const char **default_sql)
{
    struct status st = STATUS_OK;
    const struct table_desc *beneath;
    if (value->domain == 0) return st;
    TRY(catalog_table_by_id(context->task, context->session, type_user_id(value->domain), &beneath));
    const struct column_desc *column = &beneath->columns[0];
    if (column->default_sql != NULL) *default_sql = arena_strdup(context->arena, column->default_sql);
    if (!collated && column->collation != NULL) value->collation = arena_strdup(context->arena, column->collation);
out:
    return st;
}

struct status ddl_create_domain(struct statement_context *context)
{
    struct status st = STATUS_OK;
    const struct create_domain *create = context->statement->as.create_domain;
    struct table_desc domain;
    struct column_desc value = {.name = "value"};
    bool null_written = false;

    TRY(ddl_column_type(context, create->type, &value.type, NULL, &value.domain));
    if (type_is_domain_array(value.domain)) return ddl_unsupported(context, "a domain over an array of a domain");
    TRY(ddl_collation(context, &create->collation, value.type, &value.collation));
    const char *inherited = NULL;
    TRY(take_beneath(context, &value, create->collation.name != NULL, &inherited));
    TRY(ddl_begin_type(context, &create->name, RELATION_DOMAIN, &domain));
    value.id = domain.next_column_id++;
    DDL_APPEND(context->arena, domain.columns, domain.column_count, value);
    for (uint32_t i = 0; i < create->constraint_count; i++)
        TRY(domain_constraint(context, &domain, &create->constraints[i], &null_written));
    if (null_written && domain.columns[0].not_null)
        return ddl_error(context, E_SYNTAX_ERROR, "conflicting NULL/NOT NULL constraints");
    if (domain.columns[0].default_sql == NULL) domain.columns[0].default_sql = inherited;
    TRY(ddl_put_new_type(context, &domain));
out:
    return st;
}

// Whether the domain is that one, or over it, be it with others between them.
static struct status domain_is_over(
    struct statement_context *context, type_oid oid, uint32_t domain_id, bool *is_over)
{
    struct status st = STATUS_OK;
    const struct table_desc *domain;
    *is_over = false;
    while (oid != 0 && !*is_over) {
        *is_over = type_user_id(oid) == domain_id;
        TRY(catalog_table_by_id(context->task, context->session, type_user_id(oid), &domain));
        oid = domain->columns[0].domain;
    }
out:
    return st;
}

// As in PostgreSQL, elements of arrays are not looked through: 0A000 where a column is of an array of the domain.
static struct status refuse_arrays(struct statement_context *context, const struct table_desc *table,
    const struct table_desc *domain)
{
    struct status st = STATUS_OK;
    for (uint32_t k = 0; k < table->column_count; k++) {
        bool is_over = false;
        if (type_is_domain_array(table->columns[k].domain))
            TRY(domain_is_over(context, table->columns[k].domain, domain->id, &is_over));
        if (is_over)
            return ddl_error(context, E_FEATURE_NOT_SUPPORTED,
                "cannot alter type \"%s\" because column \"%s.%s\" uses it", domain->name, table->name,
                table->columns[k].name);
    }
out:
    return st;
}

// Whether what is stored meets a new condition; `sql` NULL: is not null.
static struct status validate_columns(struct statement_context *context,
    const struct table_desc *domain, const char *sql)
{
    struct status st = STATUS_OK;
    const struct table_desc **tables;
    uint32_t count;
    TRY(catalog_list_tables(
        context->task, context->session, context->arena, domain->database_id, &tables, &count));
    for (uint32_t i = 0; i < count; i++) {
        const struct table_desc *table = tables[i];
        if (table->kind != RELATION_TABLE) continue;
        TRY(refuse_arrays(context, table, domain));
        for (uint32_t k = 0; k < table->column_count; k++) {
            const struct column_desc *column = &table->columns[k];
            bool is_over;
            TRY(domain_is_over(context, column->domain, domain->id, &is_over));
            if (!is_over) continue;
            struct internal_result result = {0};
            const char *condition = sql, *full, *own = ddl_quoted(context->arena, column->name);
            TRY(ddl_qualified_name(context, table, &full));
            TRY(ddl_rename_in_text(context->arena, &condition, "value", column->name));
            const char *query = sql == NULL
                ? arena_printf(context->arena, "SELECT 1 FROM %s WHERE %s IS NULL LIMIT 1", full, own)
                : arena_printf(context->arena, "SELECT 1 FROM %s WHERE NOT (%s) LIMIT 1", full,
                      condition);
            TRY(internal_query(context->task, context->session->tenant, context->session,
                context->arena, &result, query, 0, NULL, NULL));
            if (result.row_count == 0) continue;
            if (sql == NULL)
                st = ddl_error(context, E_NOT_NULL_VIOLATION,
                    "column \"%s\" of table \"%s\" contains null values", column->name,
                    table->name);
            else
                st = ddl_error(context, E_CHECK_VIOLATION,
                    "column \"%s\" of table \"%s\" contains values that violate the new constraint",
                    column->name, table->name);
            return ddl_names(context, st, table, column->name, NULL);
        }
    }
out:
    return st;
}

static struct status find_domain_check(struct statement_context *context,
    struct table_desc *domain, const struct alter_domain *alter, uint32_t *at)
{
    for (*at = 0; *at < domain->constraint_count; ++*at)
        if (strcmp(domain->constraints[*at].name, alter->constraint_name) == 0) return STATUS_OK;
    if (!alter->missing_ok)
        return ddl_error(context, E_UNDEFINED_OBJECT,
            "constraint \"%s\" of domain \"%s\" does not exist", alter->constraint_name,
            ddl_shown(context, domain));
    ddl_notice(context, "constraint \"%s\" of domain \"%s\" does not exist, skipping",
        alter->constraint_name, ddl_shown(context, domain));
    return STATUS_OK;
}

struct status ddl_alter_domain(struct statement_context *context)
{
    struct status st = STATUS_OK;
    const struct alter_domain *alter = context->statement->as.alter_domain;
    struct table_desc *domain;
    bool null_written = false;
    uint32_t at;

    TRY(ddl_edit_type(context, &alter->name, false, &domain));
    if (domain->kind != RELATION_DOMAIN)
        return ddl_error(context, E_WRONG_OBJECT_TYPE, "%s is not a domain", domain->name);
    switch (alter->kind) {
    case DOMAIN_DEFAULT:
        domain->columns[0].default_sql = NULL;
        if (alter->expr != NULL)
            TRY(ddl_lone_default_text(
                context, alter->expr, domain->columns[0].type, &domain->columns[0].default_sql));
        break;
    case DOMAIN_SET_NOT_NULL:
        TRY(validate_columns(context, domain, NULL));
        domain->columns[0].not_null = true;
        break;
    case DOMAIN_DROP_NOT_NULL: domain->columns[0].not_null = false; break;
    case DOMAIN_ADD_CONSTRAINT: {
        uint32_t count = domain->constraint_count;
        TRY(domain_constraint(context, domain, alter->constraint, &null_written));
        if (domain->constraint_count > count && !alter->constraint->not_valid)
            TRY(validate_columns(context, domain, domain->constraints[count].check_sql));
        break;
    }
    case DOMAIN_DROP_CONSTRAINT:
        TRY(find_domain_check(context, domain, alter, &at));
        if (at == domain->constraint_count) goto out;
        DDL_REMOVE(domain->constraints, domain->constraint_count, at);
        break;
    case DOMAIN_VALIDATE_CONSTRAINT:
        TRY(find_domain_check(context, domain, alter, &at));
        TRY(validate_columns(context, domain, domain->constraints[at].check_sql));
        domain->constraints[at].not_valid = false;
        break;
    }
    TRY(catalog_put_table(context->task, context->session, domain));
out:
    return st;
}

struct status ddl_rename_domain_constraint(
    struct statement_context *context, const struct rename *rename)
{
    struct status st = STATUS_OK;
    struct table_desc *domain;
    struct constraint_desc *renamed = NULL;
    bool taken = false;

    TRY(ddl_edit_type(context, &rename->name, false, &domain));
    if (domain->kind != RELATION_DOMAIN)
        return ddl_error(context, E_WRONG_OBJECT_TYPE, "%s is not a domain", domain->name);
    for (uint32_t i = 0; i < domain->constraint_count; i++) {
        if (strcmp(domain->constraints[i].name, rename->part) == 0) renamed = &domain->constraints[i];
        taken |= strcmp(domain->constraints[i].name, rename->new_name) == 0;
    }
    if (renamed == NULL)
        return ddl_error(context, E_UNDEFINED_OBJECT, "constraint \"%s\" for domain %s does not exist",
            rename->part, ddl_shown(context, domain));
    if (taken)
        return ddl_error(context, E_DUPLICATE_OBJECT,
            "constraint \"%s\" for domain %s already exists", rename->new_name,
            ddl_shown(context, domain));
    renamed->name = rename->new_name;
    TRY(catalog_put_table(context->task, context->session, domain));
out:
    return st;
}
