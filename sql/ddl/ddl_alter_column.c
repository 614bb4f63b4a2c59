// SPDX-License-Identifier: GPL-3.0-or-later
//
// ALTER TABLE of columns: ADD COLUMN, DROP COLUMN, ALTER COLUMN.
#include "sql/ddl/ddl_alter.h"
#include "sql/function/function.h"
#include "sql/parse/parse.h"
#include "sql/plan/plan.h"
#include "sql/session/internal.h"

static struct status no_column(struct alter *alter, const char *name)
{
    return ddl_error(alter->context, E_UNDEFINED_COLUMN,
        "column \"%s\" of relation \"%s\" does not exist", name, alter->table->name);
}

struct status alter_find_column(struct alter *alter, struct column_desc **column)
{
    *column = ddl_column(alter->table, alter->command->name);
    return *column == NULL ? no_column(alter, alter->command->name) : STATUS_OK;
}

bool alter_key_has(const struct index_desc *index, uint32_t column_id)
{
    for (uint32_t i = 0; i < index->column_count; i++) {
        if (index->columns[i].expression_sql == NULL && index->columns[i].column_id == column_id)
            return true;
    }
    return false;
}

bool alter_text_mentions(struct arena *arena, const char *text, const char *column)
{
    struct expr *expr;
    struct ddl_expr_info info;
    if (text == NULL) return false;
    struct status st = parse_expression_on_stack(arena, bytes_of_string(text), &expr);
    if (failed(st)) return false;
    ddl_expr_info(arena, expr, &info);
    for (uint32_t i = 0; i < info.column_count; i++) {
        if (strcmp(info.columns[i], column) == 0) return true;
    }
    return false;
}

bool alter_index_mentions(
    struct arena *arena, const struct index_desc *index, const struct column_desc *column)
{
    if (alter_key_has(index, column->id)) return true;
    for (uint32_t i = 0; i < index->stored_count; i++) {
        if (index->stored[i] == column->id) return true;
    }
    for (uint32_t i = 0; i < index->column_count; i++) {
        if (alter_text_mentions(arena, index->columns[i].expression_sql, column->name)) return true;
    }
    return alter_text_mentions(arena, index->predicate_sql, column->name);
}

// --- ADD COLUMN ------------------------------------------------------------------------------------

struct status alter_contains_nulls(struct alter *alter, const struct column_desc *column)
{
    struct status st = ddl_error(alter->context, E_NOT_NULL_VIOLATION,
        "column \"%s\" of relation \"%s\" contains null values", column->name, alter->table->name);
    return ddl_names(alter->context, st, alter->table, column->name, NULL);
}

// Rows that are there already: a constant default is given as `missing`, anything else is written out.
static struct status fill_column(struct alter *alter, uint32_t column_id, bool *rewritten)
{
    struct status st = STATUS_OK;
    struct statement_context *context = alter->context;
    struct column_desc *column =
        (struct column_desc *)(uintptr_t)table_column_by_id(alter->table, column_id);
    struct ddl_expr_info info;
    struct expr *expr;
    struct datum value;
    bool has_rows;

    *rewritten = false;
    TRY(ddl_has_rows(context, alter->source, &has_rows));
    if (!has_rows) goto out;
    const char *text = column->generated_sql != NULL ? column->generated_sql : column->default_sql;
    if (column->domain != 0) {
        const struct table_desc *domain;
        TRY(catalog_table_by_id(context->task, context->session, type_user_id(column->domain), &domain));
        if (text == NULL && type_is_domain(column->domain) && domain->columns[0].default_sql != NULL)
            text = arena_strdup(context->arena, domain->columns[0].default_sql);
        if (text == NULL && !column->not_null) text = "NULL"; // Which the domain may not allow.
    }
    if (text == NULL) {
        if (column->not_null)
            return alter_contains_nulls(alter, column);
        goto out;
    }
    TRY(parse_expression_on_stack(context->arena, bytes_of_string(text), &expr));
    ddl_expr_info(context->arena, expr, &info);
    if (column->generated_sql != NULL || info.is_volatile) {
        const char **column_sql = ddl_copy_columns(context->arena, alter->source, alter->table);
        TRY(ddl_column_cast(context, text, column->type, column->domain,
            &column_sql[column - alter->table->columns]));
        TRY(ddl_rewrite(context, alter->source, alter->table, column_sql));
        *rewritten = true;
        goto out;
    }
    TRY(plan_evaluate_constant(context->task, context->session, context->arena, expr, NULL, NULL, 0,
        column->type, &value));
    if (column->domain != 0) {
        text = arena_printf(
            context->arena, "SELECT CAST((%s) AS %s)", text, type_sql(context, TYPE_OF(column->domain)));
        TRY(internal_query(context->task, context->session->tenant, context->session, context->arena, NULL, text, 0,
            NULL, NULL));
    }
    if (value.null) {
        if (column->not_null)
            return alter_contains_nulls(alter, column);
        goto out;
    }
    struct buffer encoded;
    buffer_init(&encoded, context->arena);
    type_value_encode(&encoded, column->type.oid, value);
    column->missing = buffer_bytes(&encoded);
out:
    return st;
}

static struct status add_column(struct alter *alter)
{
    struct status st = STATUS_OK;
    struct statement_context *context = alter->context;
    const struct column_definition *definition = alter->command->definition;
    struct column_desc *column;
    bool rewritten;

    if (ddl_column(alter->table, definition->name) != NULL) {
        if (!alter->command->missing_ok)
            return ddl_error(context, E_DUPLICATE_COLUMN,
                "column \"%s\" of relation \"%s\" already exists", definition->name,
                alter->table->name);
        ddl_notice_exists(context, E_DUPLICATE_COLUMN, "column \"%s\" of relation \"%s\" already exists, skipping",
            definition->name, alter->table->name);
        alter->skips = alter->command;
        goto out;
    }
    TRY(ddl_add_column(context, alter->table, definition, &column));
    TRY(ddl_settle_generated(context, alter->table));
    // Expressions are looked at before the rows that are there are asked for.
    TRY(alter_put(alter));
    TRY(ddl_validate_expressions(context, alter->table));
    TRY(fill_column(alter, column->id, &rewritten));
    if (!rewritten) TRY(alter_put(alter));
out:
    return st;
}

// --- DROP COLUMN -----------------------------------------------------------------------------------

static struct status drop_column(struct alter *alter);

// Generated columns that take their values from it.
static struct status generated_in_the_way(struct alter *alter, const struct column_desc *column)
{
    struct status st = STATUS_OK;
    const struct alter_command *command = alter->command;
    for (uint32_t i = 0; i < alter->table->column_count; i++) {
        const struct column_desc *other = &alter->table->columns[i];
        if (other->id == column->id ||
            !alter_text_mentions(alter->context->arena, other->generated_sql, column->name))
            continue;
        if (command->behavior != DROP_CASCADE) {
            st = ddl_error(alter->context, E_DEPENDENT_OBJECTS_EXIST,
                "cannot drop column %s of table %s because other objects depend on it",
                column->name, ddl_shown(alter->context, alter->table));
            st = status_detail(alter->context->arena, st,
                "column %s of table %s depends on column %s of table %s", other->name,
                ddl_shown(alter->context, alter->table), column->name,
                ddl_shown(alter->context, alter->table));
            return status_hint(alter->context->arena, st,
                "Use DROP ... CASCADE to drop the dependent objects too.");
        }
        ddl_cascades_to(alter->context, "column %s of table %s", other->name,
            ddl_shown(alter->context, alter->table));
        struct alter_command also = {
            .kind = ALTER_DROP_COLUMN, .name = other->name, .behavior = DROP_CASCADE};
        alter->command = &also;
        st = drop_column(alter);
        alter->command = command;
        TRY(st);
        TRY(alter_load(alter));
        i = UINT32_MAX; // From the start: the columns are others.
    }
out:
    return st;
}

static struct status drop_column_constraints(struct alter *alter, const struct column_desc *column)
{
    struct status st = STATUS_OK;
    struct table_desc *table = alter->table;
    for (uint32_t i = 0; i < table->constraint_count;) {
        struct constraint_desc constraint = table->constraints[i];
        bool mentions = false;
        for (uint32_t k = 0; k < constraint.column_count; k++)
            mentions |= constraint.columns[k] == column->id;
        if (!mentions) {
            i++;
            continue;
        }
        DDL_REMOVE(table->constraints, table->constraint_count, i);
        if (constraint.kind == TABLE_FOREIGN_KEY)
            TRY(alter_back_reference_remove(alter, constraint.referenced_table, constraint.id));
    }
out:
    return st;
}

static struct status drop_column(struct alter *alter)
{
    struct status st = STATUS_OK;
    struct statement_context *context = alter->context;
    struct table_desc *table = alter->table;
    struct column_desc *found = ddl_column(table, alter->command->name);

    if (found == NULL) {
        if (!alter->command->missing_ok) return no_column(alter, alter->command->name);
        ddl_notice(context, "column \"%s\" of relation \"%s\" does not exist, skipping",
            alter->command->name, table->name);
        goto out;
    }
    struct column_desc column = *found;
    bool dropped;
    TRY(ddl_drop_views_using(
        context, table, &column, alter->command->behavior, &dropped));
    if (dropped) TRY(alter_load(alter));
    TRY(generated_in_the_way(alter, &column));
    // Before its keys, which a foreign key of the table's own may need.
    TRY(drop_column_constraints(alter, &column));
    table = alter->table;
    if (alter_key_has(&table->indexes[0], column.id)) {
        if (column.hidden)
            return ddl_error(context, E_INVALID_TABLE_DEFINITION,
                "column \"%s\" is the hidden primary key", column.name);
        TRY(alter_drop_primary_key(alter, &column));
        TRY(alter_load(alter));
        table = alter->table;
    }
    TRY(ddl_drop_statistics_of_column(context, table, &column));
    for (uint32_t i = 1; i < table->index_count;) {
        if (!alter_index_mentions(context->arena, &table->indexes[i], &column)) {
            i++;
            continue;
        }
        TRY(alter_release_index(alter, &table->indexes[i], &column));
        TRY(alter_remove_index(alter, i));
    }
    for (uint32_t i = 0; i < table->column_count; i++) {
        if (table->columns[i].id != column.id) continue;
        DDL_REMOVE(table->columns, table->column_count, i);
        break;
    }
    TRY(alter_put(alter));
    if (column.owned_sequence != 0) {
        struct table_desc *sequence;
        TRY(catalog_edit_table(
            context->task, context->session, context->arena, column.owned_sequence, &sequence));
        TRY(ddl_drop_column_sequence(context, alter->table, column.name, sequence, alter->command->behavior));
    }
out:
    return st;
}

// --- ALTER COLUMN ----------------------------------------------------------------------------------

static struct status set_default(struct alter *alter)
{
    struct status st = STATUS_OK;
    struct column_desc *column;

    TRY(alter_find_column(alter, &column));
    if (column->generated_sql != NULL)
        return ddl_error(alter->context, E_SYNTAX_ERROR,
            "column \"%s\" of relation \"%s\" is a generated column", column->name,
            alter->table->name);
    if (column->identity != 0) {
        st = ddl_error(alter->context, E_SYNTAX_ERROR,
            "column \"%s\" of relation \"%s\" is an identity column", column->name,
            alter->table->name);
        if (alter->command->kind == ALTER_COLUMN_SET_DEFAULT) return st;
        return status_hint(alter->context->arena, st,
            "Use ALTER TABLE ... ALTER COLUMN ... DROP IDENTITY instead.");
    }
    if (alter->command->kind == ALTER_COLUMN_DROP_DEFAULT)
        column->default_sql = NULL;
    else
        TRY(ddl_column_default(alter->context, column, alter->command->expr));
    TRY(alter_put(alter));
    TRY(ddl_validate_expressions(alter->context, alter->table));
out:
    return st;
}

static struct status set_not_null(struct alter *alter)
{
    struct status st = STATUS_OK;
    struct column_desc *column;
    bool more = false;

    TRY(alter_find_column(alter, &column));
    if (alter->command->kind == ALTER_COLUMN_DROP_NOT_NULL) {
        for (uint32_t i = 0; i < alter->table->index_count; i++)
            if (index_is_key(&alter->table->indexes[i]) &&
                alter_key_has(&alter->table->indexes[i], column->id))
                return ddl_error(alter->context, E_INVALID_TABLE_DEFINITION,
                    "column \"%s\" is in a primary key", column->name);
        if (column->identity != 0)
            return ddl_error(alter->context, E_SYNTAX_ERROR,
                "column \"%s\" of relation \"%s\" is an identity column", column->name,
                alter->table->name);
        column->not_null = false;
    } else if (!column->not_null) {
        if (alter->context->session->txn_state == TXN_IMPLICIT && !type_is_composite(column->type.oid))
            TRY(ddl_has_more_rows(
                alter->context, alter->source, ddl_inline_rows(alter->context), &more));
        if (more) return alter_set_not_null_online(alter, column->name);
        TRY(ddl_validate_not_null(alter->context, alter->table, column));
        column->not_null = true;
    }
    TRY(alter_put(alter));
out:
    return st;
}

// Whether stored values of `from` are values of `to` as they are.
static bool type_is_wider(struct type from, struct type to)
{
    bool strings = (from.oid == TYPE_TEXT || from.oid == TYPE_VARCHAR) &&
                   (to.oid == TYPE_TEXT || to.oid == TYPE_VARCHAR);
    if (strings)
        return to.oid == TYPE_TEXT || to.typmod < 0 ||
               (from.oid == TYPE_VARCHAR && from.typmod >= 0 && from.typmod <= to.typmod);
    return from.oid == to.oid && (to.typmod < 0 || to.typmod == from.typmod) &&
           from.oid != TYPE_BPCHAR;
}

static struct status check_castable(
    struct alter *alter, const struct column_desc *column, struct type to)
{
    if (alter->command->expr != NULL || column->type.oid == to.oid ||
        cast_find(column->type.oid, to.oid, CAST_ASSIGNMENT) != NULL)
        return STATUS_OK;
    struct status st = ddl_error(alter->context, E_DATATYPE_MISMATCH,
        "column \"%s\" cannot be cast automatically to type %s", column->name,
        type_format(alter->context->arena, to));
    return status_hint(alter->context->arena, st, "You might need to specify \"USING %s::%s\".",
        column->name, type_format(alter->context->arena, to));
}

static struct status check_not_twice(struct alter *alter, const struct column_desc *column)
{
    const struct column_desc *before = table_column_by_id(alter->before, column->id);
    if (before == NULL || (before->type.oid == column->type.oid && before->domain == column->domain &&
                              before->type.typmod == column->type.typmod))
        return STATUS_OK;
    return ddl_error(alter->context, E_FEATURE_NOT_SUPPORTED, "cannot alter type of column \"%s\" twice",
        column->name);
}

// An identity column's sequence is of its type.
static struct status retype_identity(
    struct statement_context *context, const struct column_desc *column, type_oid type)
{
    struct status st = STATUS_OK;
    const struct option_list none = {0};
    struct table_desc *sequence;
    TRY(ddl_check_identity_type(context, type));
    TRY(catalog_edit_table(
        context->task, context->session, context->arena, column->owned_sequence, &sequence));
    ddl_retype_sequence(&sequence->sequence, type);
    TRY(ddl_change_sequence(context, sequence, &none, NULL));
out:
    return st;
}

static struct status set_type(struct alter *alter)
{
    struct status st = STATUS_OK;
    struct statement_context *context = alter->context;
    struct column_desc *column;
    struct type to;

    TRY(alter_find_column(alter, &column));
    if (column->generated_sql != NULL && alter->command->expr != NULL)
        return status_detail(context->arena,
            ddl_error(context, SQLSTATE('4', '2', '6', '1', '1'),
                "cannot specify USING when altering type of generated column"),
            "Column \"%s\" is a generated column.", column->name);
    type_oid domain = 0;
    TRY(ddl_column_type(context, alter->command->definition->type, &to, NULL, &domain));
    TRY(ddl_keep_type_for_views(context, alter->table, column));
    for (uint32_t i = 0; i < alter->table->column_count; i++) {
        if (alter_text_mentions(context->arena, alter->table->columns[i].generated_sql, column->name))
            return status_detail(context->arena,
                ddl_error(context, E_FEATURE_NOT_SUPPORTED,
                    "cannot alter type of a column used by a generated column"),
                "Column \"%s\" is used by generated column \"%s\".", column->name,
                alter->table->columns[i].name);
    }
    if (column->identity != 0) TRY(retype_identity(context, column, to.oid));
    TRY(check_castable(alter, column, to));
    TRY(check_not_twice(alter, column));
    if (column->default_sql != NULL && column->type.oid != to.oid &&
        cast_find(column->type.oid, to.oid, CAST_ASSIGNMENT) == NULL)
        return ddl_error(context, E_DATATYPE_MISMATCH,
            "default for column \"%s\" cannot be cast automatically to type %s", column->name,
            type_format(context->arena, to));
    const char **column_sql = ddl_copy_columns(context->arena, alter->source, alter->table);
    const char *former = column_sql[column - alter->table->columns];
    bool wider = alter->command->expr == NULL && type_is_wider(column->type, to);
    wider &= domain == 0 || domain == column->domain;
    const char *collation;
    TRY(ddl_collation(context, &alter->command->definition->collation, to, &collation));
    wider &= (collation == NULL) == (column->collation == NULL) &&
             (collation == NULL || strcmp(collation, column->collation) == 0);
    column->collation = collation;
    column->type = to;
    column->domain = domain;
    TRY(ddl_check_keys(context, alter->table));
    bool other_keys = false;
    TRY(ddl_retype_expressions(context, alter->table, column->name, &other_keys));
    if (wider && !other_keys) {
        TRY(alter_put(alter));
    } else {
        const char *value = former;
        if (alter->command->expr != NULL)
            TRY(ddl_check_text(context, alter->command->expr, "transform expression", alter->source,
                NULL, NULL, &value));
        TRY(ddl_column_cast(
            context, value, to, domain, &column_sql[column - alter->table->columns]));
        TRY(ddl_rewrite(context, alter->source, alter->table, column_sql));
    }
    TRY(ddl_validate_expressions(context, alter->table));
out:
    return st;
}

static struct status set_statistics(struct alter *alter)
{
    struct status st = STATUS_OK;
    struct column_desc *column;
    TRY(alter_find_column(alter, &column));
    TRY(ddl_set_statistics_target(
        alter->context, alter->command->expr->literal.integer, &column->statistics_target));
    TRY(alter_put(alter));
out:
    return st;
}

static struct status set_visible(struct alter *alter)
{
    struct status st = STATUS_OK;
    struct column_desc *column;
    TRY(alter_find_column(alter, &column));
    column->hidden = alter->command->kind == ALTER_COLUMN_SET_NOT_VISIBLE;
    TRY(alter_put(alter));
out:
    return st;
}

static struct status no_identity(struct alter *alter, const struct column_desc *column)
{
    return ddl_error(alter->context, E_NOT_IN_PREREQUISITE_STATE,
        "column \"%s\" of relation \"%s\" is not an identity column", column->name,
        alter->table->name);
}

static struct status add_identity(struct alter *alter)
{
    struct status st = STATUS_OK;
    struct column_desc *column;
    const char *what = NULL;

    TRY(alter_find_column(alter, &column));
    TRY(ddl_check_identity_type(alter->context, column->type.oid));
    if (!column->not_null)
        what = "must be declared NOT NULL before identity can be added";
    else if (column->identity != 0)
        what = "is already an identity column";
    else if (column->default_sql != NULL || column->generated_sql != NULL)
        what = "already has a default value";
    if (what != NULL)
        return ddl_error(alter->context, E_NOT_IN_PREREQUISITE_STATE,
            "column \"%s\" of relation \"%s\" %s", column->name, alter->table->name, what);
    TRY(ddl_add_identity(alter->context, alter->table, column, alter->command->constraint));
    TRY(alter_put(alter));
out:
    return st;
}

// SET GENERATED, and what is changed of the column's sequence.
static struct status set_identity(struct alter *alter)
{
    struct status st = STATUS_OK;
    struct statement_context *context = alter->context;
    const struct option_list *options = &alter->command->options;
    struct option_list others = {ARENA_ARRAY(context->arena, struct option, options->count + 1u), 0};
    struct column_desc *column;
    struct table_desc *sequence;

    TRY(alter_find_column(alter, &column));
    if (column->identity == 0) return no_identity(alter, column);
    for (uint32_t i = 0; i < options->count; i++) {
        const struct option *option = &options->items[i];
        if (strcmp(option->name, "generated") == 0 && option->value != NULL)
            column->identity = (char)option->value->literal.integer;
        else
            others.items[others.count++] = *option;
    }
    TRY(alter_put(alter));
    if (others.count == 0) goto out;
    TRY(catalog_edit_table(
        context->task, context->session, context->arena, column->owned_sequence, &sequence));
    TRY(ddl_change_sequence(context, sequence, &others, NULL));
out:
    return st;
}

static struct status drop_identity(struct alter *alter)
{
    struct status st = STATUS_OK;
    struct statement_context *context = alter->context;
    struct column_desc *column;

    TRY(alter_find_column(alter, &column));
    if (column->identity == 0) {
        if (!alter->command->missing_ok) return no_identity(alter, column);
        ddl_notice(context, "column \"%s\" of relation \"%s\" is not an identity column, skipping",
            column->name, alter->table->name);
        goto out;
    }
    uint32_t sequence_id = column->owned_sequence;
    column->identity = 0;
    column->owned_sequence = 0;
    column->default_sql = NULL;
    TRY(alter_put(alter));
    struct table_desc *sequence;
    TRY(catalog_edit_table(
        context->task, context->session, context->arena, sequence_id, &sequence));
    TRY(ddl_drop_relation(context, sequence, DROP_CASCADE));
out:
    return st;
}

static struct status drop_expression(struct alter *alter)
{
    struct status st = STATUS_OK;
    struct column_desc *column;
    TRY(alter_find_column(alter, &column));
    if (column->generated_sql == NULL) {
        if (!alter->command->missing_ok)
            return ddl_error(alter->context, E_NOT_IN_PREREQUISITE_STATE,
                "column \"%s\" of relation \"%s\" is not a stored generated column", column->name,
                alter->table->name);
        ddl_notice(alter->context,
            "column \"%s\" of relation \"%s\" is not a stored generated column, skipping",
            column->name, alter->table->name);
        goto out;
    }
    column->generated_sql = NULL;
    TRY(alter_put(alter));
out:
    return st;
}

// --- what is asked of a column ---------------------------------------------------------------------

struct status alter_column(struct alter *alter)
{
    switch (alter->command->kind) {
    case ALTER_ADD_COLUMN: return add_column(alter);
    case ALTER_DROP_COLUMN: return drop_column(alter);
    case ALTER_COLUMN_TYPE: return set_type(alter);
    case ALTER_COLUMN_SET_DEFAULT:
    case ALTER_COLUMN_DROP_DEFAULT: return set_default(alter);
    case ALTER_COLUMN_SET_NOT_NULL:
    case ALTER_COLUMN_DROP_NOT_NULL: return set_not_null(alter);
    case ALTER_COLUMN_SET_VISIBLE:
    case ALTER_COLUMN_SET_NOT_VISIBLE: return set_visible(alter);
    case ALTER_COLUMN_ADD_IDENTITY: return add_identity(alter);
    case ALTER_COLUMN_SET_IDENTITY: return set_identity(alter);
    case ALTER_COLUMN_DROP_IDENTITY: return drop_identity(alter);
    case ALTER_COLUMN_DROP_EXPRESSION: return drop_expression(alter);
    case ALTER_COLUMN_SET_STATISTICS: return set_statistics(alter);
    default: break;
    }
    return ddl_unsupported(alter->context, "this form of ALTER TABLE");
}
