// SPDX-License-Identifier: GPL-3.0-or-later
//
// CREATE, ALTER and DROP STATISTICS. A statistics object lies in its table's descriptor, and goes with it; its name is
// unique among those of its schema, which need not be the table's.
#include <string.h>

#include "sql/ddl/ddl_alter.h"
#include "sql/ddl/ddl_internal.h"
#include "sql/plan/plan.h"
#include "sql/plan/statistics.h"

#define TARGET_MAX 10000

// --- names -------------------------------------------------------------------------------------------

// Names of statistics objects are kept under their schema's id in place of a database's: apart from all others.
static struct status take_name(struct statement_context *context, uint32_t schema_id, const char *name,
    const struct name_value *value, bool *taken)
{
    struct name_value existing;
    struct status st = catalog_take_name(
        context->task, context->session, schema_id, 0, name, *value, &existing);
    *taken = !failed(st) && existing.id != 0;
    return st;
}

static struct status free_name(struct statement_context *context, const struct statistics_desc *statistics)
{
    return catalog_free_name(
        context->task, context->session, statistics->schema_id, 0, statistics->name);
}

static struct status find_in_schema(struct statement_context *context, const char *schema_name,
    const char *name, struct name_value *value)
{
    struct status st = STATUS_OK;
    const struct schema_desc *schema;
    *value = (struct name_value){0};
    TRY(catalog_schema(context->task, context->session, NULL, schema_name, true, &schema));
    if (schema != NULL && schema->database_id != 0)
        TRY(catalog_peek_name(context->task, context->session, schema->id, 0, name, value));
out:
    return st;
}

// Along the search path. value->id 0: there is none.
static struct status find_name(
    struct statement_context *context, const struct object_name *name, struct name_value *value)
{
    struct status st = STATUS_OK;
    TRY(catalog_check_usage(context->task, context->session, NULL, name->schema));
    if (name->schema != NULL) return find_in_schema(context, name->schema, name->name, value);
    *value = (struct name_value){0};
    for (uint32_t i = 0; context->session->search_path[i] != NULL && value->id == 0; i++)
        TRY(find_in_schema(context, context->session->search_path[i], name->name, value));
out:
    return st;
}

static struct statistics_desc *by_id(struct table_desc *table, uint32_t id)
{
    for (uint32_t i = 0; i < table->statistics_count; i++)
        if (table->statistics[i].id == id) return &table->statistics[i];
    return NULL;
}

static struct status missing(
    struct statement_context *context, const struct object_name *name, bool missing_ok)
{
    struct status st = STATUS_OK;
    if (!missing_ok) TRY(ddl_check_schema(context, name));
    const char *full = name->schema == NULL
                           ? name->name
                           : arena_printf(context->arena, "%s.%s", name->schema, name->name);
    if (!missing_ok)
        return ddl_error(
            context, E_UNDEFINED_OBJECT, "statistics object \"%s\" does not exist", full);
    ddl_notice(context, "statistics object \"%s\" does not exist, skipping", full);
out:
    return st;
}

// Its table decoded for update, the owner checked. *table NULL when it is missing and that is ok.
static struct status edit(struct statement_context *context, const struct object_name *name,
    bool missing_ok, struct table_desc **table, struct statistics_desc **statistics)
{
    struct status st = STATUS_OK;
    struct name_value value;
    *table = NULL;
    TRY(find_name(context, name, &value));
    if (value.id == 0) return missing(context, name, missing_ok);
    TRY(catalog_edit_table(context->task, context->session, context->arena, value.id, table));
    *statistics = by_id(*table, value.index_id);
    if (*statistics == NULL)
        return status_make(E_DATA_CORRUPTED, "a statistics object's name leads nowhere");
    TRY(privilege_check_owner(context->task, context->session, (*statistics)->owner,
        OBJECT_STATISTICS, (*statistics)->name));
out:
    return st;
}

struct status ddl_find_statistics(
    struct statement_context *context, const struct object_name *name, uint32_t *id)
{
    struct table_desc *table;
    struct statistics_desc *statistics;
    struct status st = edit(context, name, false, &table, &statistics);
    if (!failed(st)) *id = statistics->id;
    return st;
}

// --- CREATE ------------------------------------------------------------------------------------------

static struct status parse_kinds(
    struct statement_context *context, const struct name_list *names, uint32_t *kinds)
{
    *kinds = names->count == 0
                 ? STATISTICS_NDISTINCT | STATISTICS_DEPENDENCIES | STATISTICS_MCV
                 : 0;
    for (uint32_t i = 0; i < names->count; i++) {
        const char *name = names->items[i];
        if (strcmp(name, "ndistinct") == 0) *kinds |= STATISTICS_NDISTINCT;
        else if (strcmp(name, "dependencies") == 0) *kinds |= STATISTICS_DEPENDENCIES;
        else if (strcmp(name, "mcv") == 0) *kinds |= STATISTICS_MCV;
        else
            return ddl_error(
                context, E_SYNTAX_ERROR, "unrecognized statistics kind \"%s\"", name);
    }
    return STATUS_OK;
}

static bool is_system_column(const char *name)
{
    static const char *const names[] = {"tableoid", "ctid", "xmin", "xmax", "cmin", "cmax"};
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++)
        if (strcmp(names[i], name) == 0) return true;
    return false;
}

static struct status add_column(struct statement_context *context, const struct table_desc *table,
    const char *name, struct statistics_desc *statistics)
{
    const struct column_desc *column = table_column(table, name);
    if (column == NULL && is_system_column(name))
        return ddl_error(context, E_FEATURE_NOT_SUPPORTED,
            "statistics creation on system columns is not supported");
    if (column == NULL)
        return ddl_error(context, E_UNDEFINED_COLUMN, "column \"%s\" does not exist", name);
    if (!type_is_ordered(column->type.oid))
        return ddl_error(context, E_FEATURE_NOT_SUPPORTED,
            "column \"%s\" cannot be used in statistics because its type %s has no default btree "
            "operator class",
            name, type_format(context->arena, TYPE_OF(column->type.oid)));
    DDL_APPEND(context->arena, statistics->columns, statistics->column_count, column->id);
    return STATUS_OK;
}

static struct status add_expression(struct statement_context *context,
    const struct table_desc *table, struct expr *expr, bool alone, struct statistics_desc *statistics)
{
    struct status st = STATUS_OK;
    struct statistics_expression expression = {0};
    struct type type;
    TRY(ddl_check_text(
        context, expr, "statistics expression", table, NULL, NULL, &expression.sql));
    TRY(plan_expression_type(context->task, context->session, context->arena, table, expr, &type));
    if (!alone && !type_is_ordered(type.oid))
        return ddl_error(context, E_FEATURE_NOT_SUPPORTED,
            "expression cannot be used in multivariate statistics because its type %s has no "
            "default btree operator class",
            type_format(context->arena, TYPE_OF(type.oid)));
    if (!type_is_ordered(type.oid))
        return ddl_unsupported(context, "statistics on an expression of a type without an order");
    expression.type = type.oid;
    DDL_APPEND(
        context->arena, statistics->expressions, statistics->expression_count, expression);
out:
    return st;
}

static struct status add_members(struct statement_context *context, const struct table_desc *table,
    const struct expr_list *members, struct statistics_desc *statistics)
{
    struct status st = STATUS_OK;
    if (members->count > STATISTICS_MEMBERS_MAX)
        return ddl_error(context, E_TOO_MANY_COLUMNS, "cannot have more than %u columns in statistics",
            STATISTICS_MEMBERS_MAX);
    for (uint32_t i = 0; i < members->count; i++) {
        struct expr *member = members->items[i];
        if (member->kind == EXPR_COLUMN && member->column.count == 1)
            TRY(add_column(context, table, member->column.names[0], statistics));
        else
            TRY(add_expression(context, table, member, members->count == 1, statistics));
    }
out:
    return st;
}

static uint32_t place_of(const struct table_desc *table, uint32_t column_id)
{
    uint32_t place = 0;
    while (table->columns[place].id != column_id) place++;
    return place;
}

// In the table's order, each once.
static struct status settle_members(struct statement_context *context,
    const struct table_desc *table, struct statistics_desc *statistics)
{
    uint32_t *columns = statistics->columns;
    for (uint32_t i = 1; i < statistics->column_count; i++)
        for (uint32_t k = i; k > 0 && place_of(table, columns[k - 1]) > place_of(table, columns[k]); k--) {
            uint32_t kept = columns[k];
            columns[k] = columns[k - 1];
            columns[k - 1] = kept;
        }
    for (uint32_t i = 1; i < statistics->column_count; i++)
        if (columns[i] == columns[i - 1])
            return ddl_error(
                context, E_DUPLICATE_COLUMN, "duplicate column name in statistics definition");
    for (uint32_t i = 1; i < statistics->expression_count; i++)
        for (uint32_t k = 0; k < i; k++)
            if (strcmp(statistics->expressions[i].sql, statistics->expressions[k].sql) == 0)
                return ddl_error(
                    context, E_DUPLICATE_COLUMN, "duplicate expression in statistics definition");
    return STATUS_OK;
}

static struct status describe(struct statement_context *context,
    const struct create_statistics *create, const struct table_desc *table,
    struct statistics_desc *statistics)
{
    struct status st = STATUS_OK;
    TRY(add_members(context, table, &create->columns, statistics));
    bool one_expression = statistics->column_count == 0 && statistics->expression_count == 1;
    if (one_expression && create->kinds.count > 0)
        return ddl_error(context, E_FEATURE_NOT_SUPPORTED,
            "when building statistics on a single expression, statistics kinds may not be specified");
    TRY(parse_kinds(context, &create->kinds, &statistics->kinds));
    if (one_expression) statistics->kinds = 0;
    if (!one_expression && statistics_member_count(statistics) < 2)
        return ddl_error(context, E_INVALID_OBJECT_DEFINITION,
            "extended statistics require at least 2 columns");
    TRY(settle_members(context, table, statistics));
out:
    return st;
}

static struct status refuse_relation(
    struct statement_context *context, const struct table_desc *table)
{
    const char *kind = table->kind == RELATION_VIEW       ? "views"
                       : table->kind == RELATION_SEQUENCE ? "sequences"
                                                          : "this kind of relation";
    return status_detail(context->arena,
        ddl_error(context, E_WRONG_OBJECT_TYPE, "cannot define statistics for relation \"%s\"",
            table->name),
        "This operation is not supported for %s.", kind);
}

// The new object in its table, which is written. *taken: its name is in use.
static struct status add_to_table(struct statement_context *context, struct table_desc *table,
    struct statistics_desc *statistics, bool *taken)
{
    struct status st = STATUS_OK;
    TRY(catalog_new_id(context->task, context->session->tenant, &statistics->id));
    TRY(take_name(context, statistics->schema_id, statistics->name,
        &(struct name_value){
            .kind = NAME_STATISTICS, .id = table->id, .index_id = statistics->id},
        taken));
    if (*taken) goto out;
    DDL_APPEND(context->arena, table->statistics, table->statistics_count, *statistics);
out:
    return st;
}

struct status ddl_create_statistics(struct statement_context *context)
{
    struct status st = STATUS_OK;
    const struct create_statistics *create = context->statement->as.create_statistics;
    struct statistics_desc statistics = {
        .name = create->name.name, .owner = ddl_owner(context->session)};
    const struct schema_desc *schema;
    const struct table_desc *found;
    struct table_desc *table;
    struct name_value existing;
    bool taken = false;

    if (create->name.name == NULL) return ddl_unsupported(context, "CREATE STATISTICS without a name");
    if (create->other_than_names)
        return ddl_error(context, E_FEATURE_NOT_SUPPORTED,
            "CREATE STATISTICS only supports relation names in the FROM clause");
    if (create->tables.count != 1)
        return ddl_error(context, E_FEATURE_NOT_SUPPORTED,
            "only a single relation is allowed in CREATE STATISTICS");
    TRY(ddl_find(context, &create->tables.items[0], false, OBJECT_OTHER, &found));
    if (found->kind != RELATION_TABLE) return refuse_relation(context, found);
    TRY(privilege_check_owner(
        context->task, context->session, found->owner, OBJECT_TABLE, found->name));
    if (ddl_is_unfinished(found))
        return ddl_error(context, E_OBJECT_IN_USE,
            "relation \"%s\" is being changed by another schema change", found->name);
    uint32_t table_id = found->id;
    TRY(ddl_target_schema(context, &create->name, &schema));
    statistics.schema_id = schema->id;
    TRY(catalog_peek_name(
        context->task, context->session, statistics.schema_id, 0, create->name.name, &existing));
    TRY(catalog_edit_table(context->task, context->session, context->arena, table_id, &table));
    if (existing.id == 0) {
        TRY(describe(context, create, table, &statistics));
        TRY(add_to_table(context, table, &statistics, &taken));
    }
    if (existing.id == 0 && !taken) return catalog_put_table(context->task, context->session, table);
    if (!create->if_not_exists)
        return ddl_error(context, E_DUPLICATE_OBJECT, "statistics object \"%s\" already exists",
            create->name.name);
    ddl_notice_exists(context, E_DUPLICATE_OBJECT, "statistics object \"%s\" already exists, skipping",
        create->name.name);
out:
    return st;
}

// The names of its members joined, for a name of its own.
static const char *joined_members(
    struct arena *arena, const struct table_desc *table, const struct statistics_desc *statistics)
{
    struct buffer out;
    buffer_init(&out, arena);
    for (uint32_t i = 0; i < statistics->column_count; i++)
        buffer_printf(&out, "%s%s", i == 0 ? "" : "_",
            table_column_by_id(table, statistics->columns[i])->name);
    for (uint32_t i = 0; i < statistics->expression_count; i++)
        buffer_append_string(&out, out.size == 0 ? "expr" : "_expr");
    return buffer_string(&out);
}

struct status ddl_copy_statistics(
    struct statement_context *context, const struct table_desc *source, struct table_desc *table, bool comments)
{
    struct status st = STATUS_OK;
    for (uint32_t i = 0; i < source->statistics_count; i++) {
        const struct statistics_desc *from = &source->statistics[i];
        struct statistics_desc copy = *from;
        bool taken;
        copy.owner = ddl_owner(context->session);
        copy.schema_id = table->schema_id;
        copy.target = 0;
        copy.columns = ARENA_ARRAY(context->arena, uint32_t, from->column_count);
        for (uint32_t k = 0; k < from->column_count; k++)
            copy.columns[k] =
                table_column(table, table_column_by_id(source, from->columns[k])->name)->id;
        copy.expressions =
            ARENA_ARRAY(context->arena, struct statistics_expression, from->expression_count);
        for (uint32_t k = 0; k < from->expression_count; k++)
            copy.expressions[k] = (struct statistics_expression){
                arena_strdup(context->arena, from->expressions[k].sql), from->expressions[k].type};
        TRY(ddl_choose_name(context, copy.schema_id, 0, table->name,
            joined_members(context->arena, source, from), "stat", &copy.name));
        TRY(add_to_table(context, table, &copy, &taken));
        if (comments)
            TRY(ddl_copy_comment(context, COMMENT_ON_STATISTICS, from->id, 0,
                table->statistics[table->statistics_count - 1].id, 0));
    }
out:
    return st;
}

// --- ALTER -------------------------------------------------------------------------------------------

struct status ddl_set_statistics_target(
    struct statement_context *context, int64_t target, uint32_t *kept)
{
    if (target < -1)
        return ddl_error(context, E_INVALID_PARAMETER_VALUE, "statistics target %lld is too low",
            (long long)target);
    if (target > TARGET_MAX) {
        target = TARGET_MAX;
        session_notice(context->session, "WARNING",
            ddl_error(context, E_INVALID_PARAMETER_VALUE, "lowering statistics target to %lld",
                (long long)target));
    }
    *kept = (uint32_t)(target + 1);
    return STATUS_OK;
}

struct status ddl_alter_statistics(struct statement_context *context)
{
    struct status st = STATUS_OK;
    const struct alter_statistics *alter = context->statement->as.alter_statistics;
    struct table_desc *table;
    struct statistics_desc *statistics;
    uint32_t target;
    TRY(ddl_set_statistics_target(context, alter->target, &target));
    TRY(edit(context, &alter->name, alter->if_exists, &table, &statistics));
    if (table == NULL) goto out;
    statistics->target = target;
    TRY(catalog_put_table(context->task, context->session, table));
out:
    return st;
}

struct status ddl_change_statistics(struct statement_context *context,
    const struct object_name *name, const char *new_name, const char *owner, const char *new_schema)
{
    struct status st = STATUS_OK;
    struct table_desc *table;
    struct statistics_desc *statistics;
    const struct schema_desc *schema;
    bool taken = false;

    TRY(edit(context, name, false, &table, &statistics));
    struct statistics_desc changed = *statistics;
    if (owner != NULL) changed.owner = owner;
    if (new_name != NULL) changed.name = new_name;
    if (new_schema != NULL) {
        struct object_name target = {.schema = new_schema, .name = changed.name};
        TRY(ddl_target_schema(context, &target, &schema));
        changed.schema_id = schema->id;
    }
    bool same = changed.schema_id == statistics->schema_id &&
                strcmp(changed.name, statistics->name) == 0;
    if (owner == NULL && !(same && new_schema != NULL))
        TRY(take_name(context, changed.schema_id, changed.name,
            &(struct name_value){
                .kind = NAME_STATISTICS, .id = table->id, .index_id = changed.id},
            &taken));
    if (taken) {
        TRY(catalog_schema_by_id(context->task, context->session, changed.schema_id, &schema));
        return ddl_error(context, E_DUPLICATE_OBJECT,
            "statistics object \"%s\" already exists in schema \"%s\"", changed.name, schema->name);
    }
    if (!same) TRY(free_name(context, statistics));
    *statistics = changed;
    TRY(catalog_put_table(context->task, context->session, table));
out:
    return st;
}

// --- DROP --------------------------------------------------------------------------------------------

// All else than the entry in its table.
static struct status forget(struct statement_context *context, const struct statistics_desc *statistics)
{
    struct status st = free_name(context, statistics);
    return failed(st) ? st
                      : ddl_delete_comments(context, COMMENT_ON_STATISTICS, statistics->id);
}

struct status ddl_forget_statistics(struct statement_context *context, const struct table_desc *table)
{
    struct status st = STATUS_OK;
    for (uint32_t i = 0; i < table->statistics_count && !failed(st); i++)
        st = forget(context, &table->statistics[i]);
    return st;
}

struct status ddl_remove_statistics(
    struct statement_context *context, struct table_desc *table, uint32_t at)
{
    struct statistics_desc statistics = table->statistics[at];
    DDL_REMOVE(table->statistics, table->statistics_count, at);
    return forget(context, &statistics);
}

struct status ddl_drop_statistics_of_column(
    struct statement_context *context, struct table_desc *table, const struct column_desc *column)
{
    struct status st = STATUS_OK;
    for (uint32_t i = 0; i < table->statistics_count;) {
        const struct statistics_desc *statistics = &table->statistics[i];
        bool uses = false;
        for (uint32_t k = 0; k < statistics->column_count; k++)
            uses |= statistics->columns[k] == column->id;
        for (uint32_t k = 0; k < statistics->expression_count; k++)
            uses |= alter_text_mentions(
                context->arena, statistics->expressions[k].sql, column->name);
        if (uses) TRY(ddl_remove_statistics(context, table, i));
        else i++;
    }
out:
    return st;
}

struct status ddl_drop_statistics(struct statement_context *context)
{
    struct status st = STATUS_OK;
    const struct drop *drop = context->statement->as.drop;
    for (uint32_t i = 0; i < drop->names.count; i++) {
        struct table_desc *table;
        struct statistics_desc *statistics;
        TRY(edit(context, &drop->names.items[i], drop->if_exists, &table, &statistics));
        if (table == NULL) continue;
        TRY(ddl_remove_statistics(context, table, (uint32_t)(statistics - table->statistics)));
        TRY(catalog_put_table(context->task, context->session, table));
    }
out:
    return st;
}
