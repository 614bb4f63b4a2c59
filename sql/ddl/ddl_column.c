// SPDX-License-Identifier: GPL-3.0-or-later
//
// Columns, keys, checks and foreign keys of a table descriptor that is being made or edited.
#include <strings.h>

#include "sql/type/collation.h"
#include "sql/ddl/ddl_alter.h"
#include "sql/ddl/ddl_internal.h"
#include "sql/parse/parse.h"
#include "sql/exec/foreign_key.h"
#include "sql/plan/plan.h"
#include "sql/ddl/temp.h"

#include "sql/catalog/catalog_text.h"
#include "sql/type/inverted.h"
#include "sql/catalog/pg_catalog.h"

struct column_desc *ddl_column(struct table_desc *table, const char *name)
{
    for (uint32_t i = 0; i < table->column_count; i++) {
        if (strcmp(table->columns[i].name, name) == 0) return &table->columns[i];
    }
    return NULL;
}

struct index_desc *ddl_index_by_name(struct table_desc *table, const char *name)
{
    for (uint32_t i = 0; i < table->index_count; i++) {
        if (strcmp(table->indexes[i].name, name) == 0) return &table->indexes[i];
    }
    return NULL;
}

bool ddl_constraint_name_in_use(const struct table_desc *table, const char *name)
{
    for (uint32_t i = 0; i < table->constraint_count; i++) {
        if (strcmp(table->constraints[i].name, name) == 0) return true;
    }
    for (uint32_t i = 0; i < table->index_count; i++) {
        if (table->indexes[i].from_constraint && strcmp(table->indexes[i].name, name) == 0)
            return true;
    }
    return false;
}

static struct status no_column(struct statement_context *context, const char *name)
{
    return ddl_error(
        context, E_UNDEFINED_COLUMN, "column \"%s\" named in key does not exist", name);
}

// --- columns -------------------------------------------------------------------------------------

static struct status add_sequence(struct statement_context *context, struct table_desc *table,
    struct column_desc *column, const char *name, struct sequence_options *options)
{
    struct status st = STATUS_OK;

    options->owner_table = table->id;
    options->owner_column = column->id;
    if (name == NULL)
        TRY(ddl_choose_name(context, table->database_id, table->schema_id, table->name,
            column->name, "seq", &name));
    TRY(ddl_create_sequence(
        context, table->database_id, table->schema_id, name, options, &column->owned_sequence));
    column->default_sql = catalog_nextval_text(context->arena, column->owned_sequence);
    column->not_null = true;
out:
    return st;
}

static struct status column_serial(struct statement_context *context, struct table_desc *table,
    struct column_desc *column, enum ddl_serial serial)
{
    if (serial == SERIAL_NONE) return STATUS_OK;
    type_oid type = serial == SERIAL_INT2   ? TYPE_INT2
                    : serial == SERIAL_INT4 ? TYPE_INT4
                                            : TYPE_INT8;
    struct sequence_options options = ddl_sequence_defaults(type);
    return add_sequence(context, table, column, NULL, &options);
}

// Takes SEQUENCE NAME out of the options. *name NULL: it is not there.
static struct status identity_name(struct statement_context *context, const struct table_desc *table,
    struct option_list *options, const char **name)
{
    struct status st = STATUS_OK;
    struct option_list others = {ARENA_ARRAY(context->arena, struct option, options->count + 1u), 0};
    *name = NULL;
    for (uint32_t i = 0; i < options->count; i++) {
        const struct option *option = &options->items[i];
        if (strcmp(option->name, "sequence_name") != 0 || option->value == NULL ||
            option->value->kind != EXPR_COLUMN) {
            others.items[others.count++] = *option;
            continue;
        }
        uint32_t count = option->value->column.count;
        const char **names = option->value->column.names;
        const struct schema_desc *schema;
        *name = names[count - 1];
        if (count < 2) continue;
        TRY(catalog_schema(context->task, context->session, count > 2 ? names[count - 3] : NULL,
            names[count - 2], false, &schema));
        if (schema->id != table->schema_id)
            return ddl_unsupported(context, "an identity's sequence in another schema than its table");
    }
    *options = others;
out:
    return st;
}

struct status ddl_check_identity_type(struct statement_context *context, type_oid type)
{
    if (type == TYPE_INT2 || type == TYPE_INT4 || type == TYPE_INT8) return STATUS_OK;
    return ddl_error(context, E_INVALID_PARAMETER_VALUE,
        "identity column type must be smallint, integer, or bigint");
}

struct status ddl_add_identity(struct statement_context *context, struct table_desc *table,
    struct column_desc *column, const struct constraint *constraint)
{
    struct status st = STATUS_OK;
    struct sequence_options options;
    struct option_list written = constraint->options;
    const char *name;

    TRY(ddl_check_identity_type(context, column->type.oid));
    if (column->default_sql != NULL)
        return ddl_error(context, E_SYNTAX_ERROR,
            "both default and identity specified for column \"%s\" of table \"%s\"", column->name,
            table->name);
    options = ddl_sequence_defaults(column->type.oid);
    TRY(identity_name(context, table, &written, &name));
    TRY(ddl_sequence_options(context, &written, &options, NULL, NULL, NULL));
    column->identity = constraint->by_default ? 'd' : 'a';
    TRY(add_sequence(context, table, column, name, &options));
out:
    return st;
}

struct status ddl_column_default(struct statement_context *context, struct column_desc *column,
    struct expr *expr)
{
    struct status st = STATUS_OK;
    struct type cast = column->type;
    bool is_cast = expr->kind == EXPR_CAST;
    uint32_t sequence_id;
    TRY(ddl_default_text(context, expr, column->type, &column->default_sql, &sequence_id));
    const struct expr *value = is_cast ? expr->cast.arg : expr;
    // A domain's own default gives way to it.
    if (column->domain != 0 || value->kind != EXPR_LITERAL || value->literal.kind != LITERAL_NULL)
        goto out;
    type_oid domain = 0;
    if (is_cast) TRY(ddl_column_type(context, expr->cast.type, &cast, NULL, &domain));
    // A length or scale is forced upon it, which makes it an expression; intervals have theirs at once.
    bool forced = column->type.typmod != -1 && (is_cast || column->type.oid != TYPE_INTERVAL);
    if (!forced && domain == 0 && cast.oid == column->type.oid && cast.typmod == column->type.typmod)
        column->default_sql = NULL;
out:
    return st;
}

static struct status column_constraint(struct statement_context *context, struct table_desc *table,
    struct column_desc *column, const struct constraint *constraint, bool *null_written)
{
    struct status st = STATUS_OK;

    switch (constraint->kind) {
    case CONSTRAINT_NULL: *null_written = true; break;
    case CONSTRAINT_NOT_NULL: column->not_null = true; break;
    case CONSTRAINT_DEFAULT:
        if (column->default_sql != NULL)
            return ddl_at(context,
                ddl_error(context, E_SYNTAX_ERROR,
                    "multiple default values specified for column \"%s\" of table \"%s\"",
                    column->name, table->name),
                constraint->position);
        TRY(ddl_column_default(context, column, constraint->expr));
        break;
    case CONSTRAINT_IDENTITY: TRY(ddl_add_identity(context, table, column, constraint)); break;
    case CONSTRAINT_GENERATED:
        if (constraint->is_virtual) return ddl_unsupported(context, "a virtual computed column");
        if (column->default_sql != NULL)
            return ddl_error(context, E_SYNTAX_ERROR,
                "both default and generation expression specified for column \"%s\" of table "
                "\"%s\"",
                column->name, table->name);
        column->generated_sql = ""; // Its text follows when all columns are known.
        break;
    case CONSTRAINT_EXCLUSION: return ddl_unsupported(context, "an exclusion constraint");
    case CONSTRAINT_ON_UPDATE: return ddl_unsupported(context, "ON UPDATE of a column");
    case CONSTRAINT_CHECK:
    case CONSTRAINT_PRIMARY_KEY:
    case CONSTRAINT_UNIQUE:
    case CONSTRAINT_FOREIGN_KEY: break; // The caller's.
    }
out:
    return st;
}

struct status ddl_check_immutable(
    struct statement_context *context, const struct ddl_expr_info *info, const char *message)
{
    // Which of the functions that users have made a name means is known when the expression is bound.
    if (!info->is_volatile || info->unknown != NULL) return STATUS_OK;
    return ddl_error(context, E_INVALID_OBJECT_DEFINITION, "%s", message);
}

struct status ddl_settle_generated(struct statement_context *context, struct table_desc *table)
{
    struct status st = STATUS_OK;
    for (uint32_t i = 0; i < table->column_count; i++) {
        struct column_desc *column = &table->columns[i];
        struct ddl_expr_info info;
        struct expr *expr;
        if (column->generated_sql == NULL) continue;
        TRY(parse_expression_on_stack(context->arena, bytes_of_string(column->generated_sql), &expr));
        ddl_expr_info(context->arena, expr, &info);
        if (info.set_function != NULL || !info.has_function) continue;
        TRY(plan_settle_literals(context->task, context->session, context->arena, table, expr, column->type));
        column->generated_sql = ddl_deparse(context->arena, expr);
    }
out:
    return st;
}

struct status ddl_check_column_name(struct statement_context *context, const char *name)
{
    static const char *const system[] = {"tableoid", "ctid", "xmin", "cmin", "xmax", "cmax"};
    for (size_t i = 0; i < sizeof system / sizeof system[0]; i++)
        if (strcmp(system[i], name) == 0)
            return ddl_error(context, E_DUPLICATE_COLUMN,
                "column name \"%s\" conflicts with a system column name", name);
    return STATUS_OK;
}

// Copies of a table's columns are as large as what they hold: who adds many knows for how many there is room.
static void append_column(
    struct arena *arena, struct table_desc *table, const struct column_desc *column, uint32_t *room)
{
    if (table->column_count >= *room) {
        *room = table->column_count * 2 + 4;
        struct column_desc *grown = ARENA_ARRAY(arena, struct column_desc, *room);
        if (table->column_count > 0) memcpy(grown, table->columns, table->column_count * sizeof *grown);
        table->columns = grown;
    }
    table->columns[table->column_count++] = *column;
}

struct status ddl_add_column(struct statement_context *context, struct table_desc *table,
    const struct column_definition *definition, struct column_desc **out)
{
    uint32_t room = 0;
    return ddl_add_column_to(context, table, definition, &room, out);
}

struct status ddl_add_column_to(struct statement_context *context, struct table_desc *table,
    const struct column_definition *definition, uint32_t *room, struct column_desc **out)
{
    struct status st = STATUS_OK;
    struct column_desc column = {0};
    enum ddl_serial serial;
    bool null_written = false;

    if (ddl_column(table, definition->name) != NULL)
        return ddl_error(context, E_DUPLICATE_COLUMN, "column \"%s\" specified more than once",
            definition->name);
    TRY(ddl_check_column_name(context, definition->name));
    if (table->column_count >= TABLE_COLUMNS_MAX)
        return ddl_error(
            context, E_TOO_MANY_COLUMNS, "tables can have at most %u columns", TABLE_COLUMNS_MAX);
    column.id = table->next_column_id++;
    column.name = definition->name;
    column.hidden = definition->not_visible;
    TRY(ddl_column_type(context, definition->type, &column.type, &serial, &column.domain));
    TRY(ddl_collation(context, &definition->collation, column.type, &column.collation));
    if (column.domain != 0 && definition->collation.name == NULL) {
        const struct table_desc *domain;
        TRY(catalog_table_by_id(
            context->task, context->session, type_user_id(column.domain), &domain));
        if (domain->columns[0].collation != NULL)
            column.collation = arena_strdup(context->arena, domain->columns[0].collation);
    }
    TRY(column_serial(context, table, &column, serial));
    for (uint32_t i = 0; i < definition->constraint_count; i++) {
        TRY(column_constraint(context, table, &column, &definition->constraints[i], &null_written));
        if (null_written && column.not_null)
            return ddl_at(context,
                ddl_error(context, E_SYNTAX_ERROR,
                    "conflicting NULL/NOT NULL declarations for column \"%s\" of table \"%s\"",
                    column.name, table->name),
                definition->constraints[i].position);
    }
    append_column(context->arena, table, &column, room);
    *out = &table->columns[table->column_count - 1];
    for (uint32_t i = 0; i < definition->constraint_count; i++) {
        if (definition->constraints[i].kind != CONSTRAINT_GENERATED) continue;
        // Stored expressions may name any column of the table; CREATE TABLE calls again when all are there.
        struct ddl_expr_info info;
        ddl_expr_info(context->arena, definition->constraints[i].expr, &info);
        TRY(ddl_check_immutable(context, &info, "generation expression is not immutable"));
        TRY(ddl_qualify_types(context, definition->constraints[i].expr));
        (*out)->generated_sql = ddl_deparse(context->arena, definition->constraints[i].expr);
    }
out:
    return st;
}

struct status ddl_add_rowid(struct statement_context *context, struct table_desc *table)
{
    struct status st = STATUS_OK;
    const char *name = "rowid", *index_name;
    struct name_value value = {.kind = NAME_INDEX, .id = table->id};
    bool taken;

    for (uint32_t i = 1; ddl_column(table, name) != NULL; i++)
        name = arena_printf(context->arena, "rowid_%u", i);
    struct column_desc column = {.id = table->next_column_id++,
        .name = name,
        .type = TYPE_OF(TYPE_INT8),
        .not_null = true,
        .hidden = true,
        .default_sql = "unique_rowid()"};
    DDL_APPEND(context->arena, table->columns, table->column_count, column);
    // Not a name that a key or an index gets: users know of none here.
    TRY(ddl_choose_name(
        context, table->database_id, table->schema_id, table->name, NULL, "_rowid", &index_name));
    struct index_column *key = ARENA_NEW(context->arena, struct index_column);
    key->column_id = column.id;
    struct index_desc index = {.id = table->next_index_id++,
        .name = index_name,
        .unique = true,
        .primary = true,
        .from_constraint = true,
        .columns = key,
        .column_count = 1};
    DDL_APPEND(context->arena, table->indexes, table->index_count, index);
    value.index_id = index.id;
    TRY(ddl_take_name(context, table->database_id, table->schema_id, index_name, value, &taken));
    if (taken) st = ddl_name_taken(context, index_name);
out:
    return st;
}

// --- indexes -------------------------------------------------------------------------------------

// The operator class of a column, by name or that of its type.
static struct status index_class(struct statement_context *context, const struct index_desc *index,
    const struct index_element *element, struct type type, struct index_column *column)
{
    const char *name = element->operator_class.name, *method = index->inverted ? "gin" : "btree";
    bool known = false, takes = false;

    if (name == NULL && index->inverted) {
        column->operator_class = inverted_class_default(type.oid);
    } else if (name != NULL && index->inverted) {
        if (strcmp(name, "gin_trgm_ops") == 0 || strcmp(name, "tsvector_ops") == 0)
            return ddl_error(context, E_FEATURE_NOT_SUPPORTED,
                "operator class \"%s\" is not supported", name);
        enum inverted_class class = inverted_class_by_name(name);
        known = class != INVERTED_NONE;
        takes = inverted_class_takes(class, type.oid);
        column->operator_class = class;
    } else if (name != NULL) {
        column->operator_class = pg_operator_class_named(name, type.oid, &known);
        takes = column->operator_class != 0;
        if (column->operator_class == pg_operator_class(type.oid)) column->operator_class = 0;
    }
    if (name != NULL && !known)
        return ddl_error(context, E_UNDEFINED_OBJECT,
            "operator class \"%s\" does not exist for access method \"%s\"", name, method);
    if (name != NULL && !takes)
        return ddl_error(context, E_DATATYPE_MISMATCH,
            "operator class \"%s\" does not accept data type %s", name,
            type_format(context->arena, type));
    if (name == NULL && !(index->inverted ? column->operator_class != 0 : type_is_ordered(type.oid)))
        return status_hint(context->arena,
            ddl_error(context, E_UNDEFINED_OBJECT,
                "data type %s has no default operator class for access method \"%s\"",
                type_format(context->arena, type), method),
            "You must specify an operator class for the index or define a default operator class "
            "for the data type.");
    if (!index->inverted && !type_has_key(type.oid))
        return ddl_error(context, E_FEATURE_NOT_SUPPORTED, "index over a column of type %s is not supported",
            type_format(context->arena, type));
    return STATUS_OK;
}

static struct status index_element(struct statement_context *context, struct table_desc *table,
    const struct index_desc *index, const struct index_element *element, struct index_column *column)
{
    struct status st = STATUS_OK;

    *column = (struct index_column){.descending = element->direction == SORT_DESC};
    column->nulls_reversed =
        element->nulls == (column->descending ? SORT_NULLS_LAST : SORT_NULLS_FIRST);
    if (element->column != NULL) {
        const struct column_desc *found = table_column(table, element->column);
        if (found == NULL)
            return ddl_error(
                context, E_UNDEFINED_COLUMN, "column \"%s\" does not exist", element->column);
        column->column_id = found->id;
        TRY(ddl_collation(context, &element->collation, found->type, &column->collation));
        // "default" of a column that has another one.
        if (element->collation.name != NULL && column->collation == NULL && found->collation != NULL)
            column->collation = "100 d d  default";
        return index_class(context, index, element, found->type, column);
    }
    struct ddl_expr_info info;
    ddl_expr_info(context->arena, element->expr, &info);
    TRY(ddl_check_immutable(
        context, &info, "functions in index expression must be marked IMMUTABLE"));
    TRY(ddl_check_text(
        context, element->expr, "index expression", table, NULL, NULL, &column->expression_sql));
    struct plan_expression look = {.table = table, .expr = element->expr, .clause = "index expressions"};
    if (context->statement->tag == STATEMENT_CREATE_INDEX) look.text = context->text;
    TRY(plan_expression_look(context->task, context->session, context->arena, &look));
    if (!look.immutable)
        return ddl_error(context, E_INVALID_OBJECT_DEFINITION, "functions in index expression must be marked IMMUTABLE");
    const struct type type = look.type;
    if (index->inverted && function_in_text(column->expression_sql))
        return ddl_unsupported(context, "an inverted index on a function that users have made");
    TRY(index_class(context, index, element, type, column));
    TRY(ddl_collation(context, &element->collation, type, &column->collation));
    if (column->collation == NULL && element->collation.name == NULL && collation_is_set(type.collation))
        column->collation = arena_strdup(context->arena, collation_definition_of(type.collation));
    column->column_id = type.oid; // Of an expression (sql/catalog/catalog.h).
out:
    return st;
}

struct status ddl_retype_expressions(
    struct statement_context *context, struct table_desc *table, const char *column, bool *changed)
{
    struct status st = STATUS_OK;
    struct expr *expr;
    struct type type;

    for (uint32_t i = 0; i < table->index_count; i++) {
        struct index_desc *index = &table->indexes[i];
        for (uint32_t k = 0; k < index->column_count; k++) {
            struct index_column *part = &index->columns[k];
            if (!alter_text_mentions(context->arena, part->expression_sql, column)) continue;
            TRY(parse_expression_on_stack(context->arena, bytes_of_string(part->expression_sql), &expr));
            struct plan_expression look = {.table = table, .expr = expr, .clause = "index expressions"};
            TRY(plan_expression_look(context->task, context->session, context->arena, &look));
            type = look.type;
            if (!look.immutable)
                return ddl_error(context, E_INVALID_OBJECT_DEFINITION,
                    "functions in index expression must be marked IMMUTABLE");
            if (type.oid == part->column_id) continue;
            struct index_element element = {0};
            TRY(index_class(context, index, &element, type, part));
            part->collation = collation_is_set(type.collation)
                                  ? arena_strdup(context->arena, collation_definition_of(type.collation))
                                  : NULL;
            part->column_id = type.oid;
            *changed = true;
        }
    }
    for (uint32_t i = 0; i < table->statistics_count; i++) {
        const struct statistics_desc *statistics = &table->statistics[i];
        for (uint32_t k = 0; k < statistics->expression_count; k++) {
            if (!alter_text_mentions(context->arena, statistics->expressions[k].sql, column)) continue;
            TRY(parse_expression_on_stack(
                context->arena, bytes_of_string(statistics->expressions[k].sql), &expr));
            TRY(plan_expression_type(
                context->task, context->session, context->arena, table, expr, &type));
            statistics->expressions[k].type = type.oid;
        }
    }
out:
    return st;
}

static struct status index_storing(struct statement_context *context, struct table_desc *table,
    const struct name_list *storing, struct index_desc *index)
{
    for (uint32_t i = 0; i < storing->count; i++) {
        const struct column_desc *column = table_column(table, storing->items[i]);
        if (column == NULL)
            return ddl_error(
                context, E_UNDEFINED_COLUMN, "column \"%s\" does not exist", storing->items[i]);
        bool there = false;
        for (uint32_t k = 0; k < index->column_count; k++)
            there |= index->columns[k].column_id == column->id;
        for (uint32_t k = 0; k < index->stored_count; k++)
            there |= index->stored[k] == column->id;
        if (there)
            return ddl_error(context, E_DUPLICATE_COLUMN,
                "index \"%s\" already contains column \"%s\"", index->name, column->name);
        DDL_APPEND(context->arena, index->stored, index->stored_count, column->id);
    }
    return STATUS_OK;
}

struct status ddl_add_index(struct statement_context *context, struct table_desc *table,
    const char *name, const struct index_element_list *elements, const struct name_list *storing,
    enum index_kind kind, bool from_constraint, struct index_desc **out)
{
    struct status st = STATUS_OK;
    struct index_desc index = {.name = name,
        .unique = kind == INDEX_UNIQUE || kind == INDEX_PRIMARY,
        .primary = kind == INDEX_PRIMARY,
        .inverted = kind == INDEX_INVERTED,
        .from_constraint = from_constraint};
    bool taken;

    if (elements->count > INDEX_COLUMNS_MAX)
        return ddl_error(context, E_TOO_MANY_COLUMNS, "cannot use more than %u columns in an index",
            INDEX_COLUMNS_MAX);
    if (table->index_count >= TABLE_INDEXES_MAX)
        return ddl_error(context, E_PROGRAM_LIMIT_EXCEEDED, "a table can have at most %u indexes",
            TABLE_INDEXES_MAX);
    index.columns = ARENA_ARRAY(context->arena, struct index_column, elements->count);
    for (uint32_t i = 0; i < elements->count; i++) {
        TRY(index_element(context, table, &index, &elements->items[i], &index.columns[i]));
        index.column_count++;
    }
    if (storing != NULL && kind != INDEX_PRIMARY) TRY(index_storing(context, table, storing, &index));
    index.id = table->next_index_id++;
    struct name_value value = {.kind = NAME_INDEX, .id = table->id, .index_id = index.id};
    TRY(ddl_take_name(context, table->database_id, table->schema_id, name, value, &taken));
    if (taken) return ddl_name_taken(context, name);
    DDL_APPEND(context->arena, table->indexes, table->index_count, index);
    *out = &table->indexes[table->index_count - 1];
out:
    return st;
}

// "a_b" of a key's columns, as PostgreSQL names unique constraints and foreign keys.
static const char *joined_columns(
    struct arena *arena, const struct name_list *columns, const struct name_list *storing)
{
    struct buffer out;
    buffer_init(&out, arena);
    for (uint32_t i = 0; i < columns->count && out.size < 200; i++) {
        if (i > 0) buffer_append_u8(&out, '_');
        buffer_append_string(&out, columns->items[i]);
    }
    for (uint32_t i = 0; storing != NULL && i < storing->count && out.size < 200; i++)
        buffer_printf(&out, "_%s", storing->items[i]);
    return buffer_string(&out);
}

struct status ddl_add_key(struct statement_context *context, struct table_desc *table,
    const struct constraint *constraint, const char *column, struct index_desc **index)
{
    struct status st = STATUS_OK;
    bool primary = constraint->kind == CONSTRAINT_PRIMARY_KEY;
    bool deferrable = constraint->deferrable || constraint->initially_deferred;
    struct name_list columns = constraint->columns;
    const char *name = constraint->name;

    if (constraint->using_index != NULL) return ddl_unsupported(context, "USING INDEX");
    if (column != NULL && columns.count == 0)
        columns = (struct name_list){.items = &column, .count = 1};
    struct index_element_list elements = {
        .items = ARENA_ARRAY(context->arena, struct index_element, columns.count),
        .count = columns.count};
    for (uint32_t i = 0; i < columns.count; i++) {
        struct column_desc *found = ddl_column(table, columns.items[i]);
        if (found == NULL)
            return ddl_at(context, no_column(context, columns.items[i]), constraint->position);
        for (uint32_t k = 0; k < i; k++) {
            if (strcmp(columns.items[k], columns.items[i]) == 0)
                return ddl_error(context, E_DUPLICATE_COLUMN,
                    "column \"%s\" appears twice in %s constraint", columns.items[i],
                    primary ? "primary key" : "unique");
        }
        if (primary) found->not_null = true;
        elements.items[i].column = columns.items[i];
    }
    if (name == NULL)
        TRY(ddl_choose_name(context, table->database_id, table->schema_id, table->name,
            primary ? NULL : joined_columns(context->arena, &columns, &constraint->storing),
            primary ? "pkey" : "key",
            &name));
    else if (ddl_constraint_name_in_use(table, name))
        return ddl_error(context, E_DUPLICATE_OBJECT,
            "constraint \"%s\" for relation \"%s\" already exists", name, table->name);
    TRY(ddl_add_index(
        context, table, name, &elements, &constraint->storing,
        primary && !deferrable ? INDEX_PRIMARY : INDEX_UNIQUE, true, index));
    (*index)->nulls_not_distinct = constraint->nulls_not_distinct;
    (*index)->deferrable = deferrable;
    (*index)->initially_deferred = constraint->initially_deferred;
    (*index)->primary_key = deferrable && primary;
out:
    return st;
}

// --- checks --------------------------------------------------------------------------------------

static const char *choose_constraint_name(struct statement_context *context,
    const struct table_desc *table, const char *name2, const char *label)
{
    for (uint32_t number = 0;; number++) {
        char *name = ddl_join_name(context->arena, table->name, name2, label, number);
        if (!ddl_constraint_name_in_use(table, name)) return name;
    }
}

static struct status check_constraint_name(
    struct statement_context *context, const struct table_desc *table, const char *name)
{
    if (name == NULL || !ddl_constraint_name_in_use(table, name)) return STATUS_OK;
    return ddl_error(context, E_DUPLICATE_OBJECT,
        "constraint \"%s\" for relation \"%s\" already exists", name, table->name);
}

struct status ddl_add_check(struct statement_context *context, struct table_desc *table,
    const struct constraint *constraint, const char *column, struct constraint_desc **out)
{
    struct status st = STATUS_OK;
    struct constraint_desc check = {.kind = TABLE_CHECK,
        .not_valid = constraint->not_valid,
        .no_inherit = constraint->no_inherit};

    TRY(check_constraint_name(context, table, constraint->name));
    TRY(ddl_check_text(context, constraint->expr, "check constraint", table, &check.columns,
        &check.column_count, &check.check_sql));
    // PostgreSQL names a check after its column when it mentions just one.
    if (column == NULL && check.column_count == 1)
        column = table_column_by_id(table, check.columns[0])->name;
    check.name = constraint->name != NULL ? constraint->name
                                          : choose_constraint_name(context, table, column, "check");
    check.id = table->next_constraint_id++;
    DDL_APPEND(context->arena, table->constraints, table->constraint_count, check);
    *out = &table->constraints[table->constraint_count - 1];
out:
    return st;
}

// --- foreign keys ----------------------------------------------------------------------------------

// The unique index of the referenced table over exactly these columns, in any order.
static bool has_unique_over(const struct table_desc *table, const uint32_t *columns, uint32_t count,
    bool *deferrable)
{
    *deferrable = false;
    for (uint32_t i = 0; i < table->index_count; i++) {
        const struct index_desc *index = &table->indexes[i];
        if (!index->unique || index->column_count != count || index->predicate_sql != NULL ||
            index->state != ELEMENT_PUBLIC)
            continue;
        uint32_t matched = 0;
        for (uint32_t k = 0; k < count; k++) {
            for (uint32_t m = 0; m < count; m++)
                matched += index->columns[k].expression_sql == NULL &&
                           index->columns[k].column_id == columns[m];
        }
        if (matched == count && !index->deferrable) return true;
        *deferrable |= matched == count;
    }
    return false;
}

static struct status referenced_columns(struct statement_context *context,
    const struct table_desc *parent, const struct constraint *constraint,
    struct constraint_desc *key)
{
    uint32_t count = constraint->referenced_columns.count;
    if (count == 0) {
        const struct index_desc *primary = &parent->indexes[0];
        const struct column_desc *first = table_column_by_id(parent, primary->columns[0].column_id);
        for (uint32_t i = 0; i < parent->index_count; i++)
            if (parent->indexes[i].primary_key)
                return ddl_error(context, E_NOT_IN_PREREQUISITE_STATE,
                    "cannot use a deferrable primary key for referenced table \"%s\"", parent->name);
        if (first->hidden)
            return ddl_error(context, E_UNDEFINED_OBJECT,
                "there is no primary key for referenced table \"%s\"", parent->name);
        count = primary->column_count;
        key->referenced_columns = ARENA_ARRAY(context->arena, uint32_t, count);
        for (uint32_t i = 0; i < count; i++)
            key->referenced_columns[i] = primary->columns[i].column_id;
    } else {
        key->referenced_columns = ARENA_ARRAY(context->arena, uint32_t, count);
        for (uint32_t i = 0; i < count; i++) {
            const char *name = constraint->referenced_columns.items[i];
            const struct column_desc *column = table_column(parent, name);
            if (column == NULL)
                return ddl_error(context, E_UNDEFINED_COLUMN,
                    "column \"%s\" referenced in foreign key constraint does not exist", name);
            key->referenced_columns[i] = column->id;
        }
    }
    if (count != key->column_count)
        return ddl_error(context, E_INVALID_FOREIGN_KEY,
            "number of referencing and referenced columns for foreign key disagree");
    bool deferrable;
    if (!has_unique_over(parent, key->referenced_columns, count, &deferrable) && deferrable)
        return ddl_error(context, E_NOT_IN_PREREQUISITE_STATE,
            "cannot use a deferrable unique constraint for referenced table \"%s\"", parent->name);
    if (!has_unique_over(parent, key->referenced_columns, count, &deferrable))
        return ddl_error(context, E_INVALID_FOREIGN_KEY,
            "there is no unique constraint matching given keys for referenced table \"%s\"",
            parent->name);
    return STATUS_OK;
}

static struct status check_key_types(struct statement_context *context,
    const struct table_desc *table, const struct table_desc *parent,
    const struct constraint_desc *key)
{
    for (uint32_t i = 0; i < key->column_count; i++) {
        const struct column_desc *child = table_column_by_id(table, key->columns[i]);
        const struct column_desc *other = table_column_by_id(parent, key->referenced_columns[i]);
        if (foreign_key_comparable(child->type.oid, other->type.oid)) continue;
        struct status st = ddl_error(context, E_DATATYPE_MISMATCH,
            "foreign key constraint \"%s\" cannot be implemented", key->name);
        return status_detail(context->arena, st,
            "Key columns \"%s\" and \"%s\" are of incompatible types: %s and %s.", child->name,
            other->name, type_info(child->type.oid)->sql_name, type_info(other->type.oid)->sql_name);
    }
    return STATUS_OK;
}

struct status ddl_check_keys(struct statement_context *context, const struct table_desc *table)
{
    struct status st = STATUS_OK;
    struct table_desc *other;
    for (uint32_t i = 0; i < table->constraint_count; i++) {
        const struct constraint_desc *key = &table->constraints[i];
        if (key->kind != TABLE_FOREIGN_KEY) continue;
        const struct table_desc *parent = table;
        if (key->referenced_table != table->id) {
            TRY(catalog_edit_table(
                context->task, context->session, context->arena, key->referenced_table, &other));
            parent = other;
        }
        TRY(check_key_types(context, table, parent, key));
    }
    for (uint32_t i = 0; i < table->referenced_by_count; i++) {
        const struct fk_back_reference *reference = &table->referenced_by[i];
        if (reference->table_id == table->id) continue; // Seen above.
        TRY(catalog_edit_table(
            context->task, context->session, context->arena, reference->table_id, &other));
        for (uint32_t k = 0; k < other->constraint_count; k++)
            if (other->constraints[k].id == reference->constraint_id)
                TRY(check_key_types(context, other, table, &other->constraints[k]));
    }
out:
    return st;
}

static struct status key_columns(struct statement_context *context, struct table_desc *table,
    const struct constraint *constraint, const char *column, struct constraint_desc *key)
{
    struct name_list columns = constraint->columns;
    if (column != NULL && columns.count == 0)
        columns = (struct name_list){.items = &column, .count = 1};
    for (uint32_t i = 0; i < columns.count; i++) {
        const struct column_desc *found = table_column(table, columns.items[i]);
        if (found == NULL)
            return ddl_error(context, E_UNDEFINED_COLUMN,
                "column \"%s\" referenced in foreign key constraint does not exist",
                columns.items[i]);
        DDL_APPEND(context->arena, key->columns, key->column_count, found->id);
    }
    return check_constraint_name(context, table, constraint->name);
}

static const char *key_names(
    struct arena *arena, const struct table_desc *table, const struct constraint_desc *key)
{
    const char **names = ARENA_ARRAY(arena, const char *, key->column_count);
    for (uint32_t i = 0; i < key->column_count; i++)
        names[i] = table_column_by_id(table, key->columns[i])->name;
    struct name_list list = {.items = names, .count = key->column_count};
    return joined_columns(arena, &list, NULL);
}

static struct status same_persistence(struct statement_context *context,
    const struct table_desc *child, const struct table_desc *parent)
{
    struct status st = STATUS_OK;
    const struct schema_desc *schema;
    TRY(catalog_schema_by_id(context->task, context->session, child->schema_id, &schema));
    bool child_temp = schema->temp_node != 0;
    TRY(catalog_schema_by_id(context->task, context->session, parent->schema_id, &schema));
    bool parent_temp = schema->temp_node != 0;
    bool lasts = child_temp || child->unlogged || !parent->unlogged;
    if (temp_is_emptied(context->session, parent->id) && !temp_is_emptied(context->session, child->id) && child_temp)
        return status_detail(context->arena,
            ddl_error(context, E_FEATURE_NOT_SUPPORTED, "unsupported ON COMMIT and foreign key combination"),
            "Table \"%s\" references \"%s\", but they do not have the same ON COMMIT setting.", child->name,
            parent->name);
    if (child_temp == parent_temp && lasts) return st;
    st = ddl_error(context, E_INVALID_TABLE_DEFINITION,
        child_temp ? "constraints on temporary tables may reference only temporary tables"
        : child->unlogged
            ? "constraints on unlogged tables may reference only permanent or unlogged tables"
            : "constraints on permanent tables may reference only permanent tables");
out:
    return st;
}

static struct status check_references(struct statement_context *context,
    const struct table_desc *parent, const struct constraint *constraint)
{
    uint32_t *used = ARENA_ARRAY(context->arena, uint32_t, parent->column_count + 1u);
    for (uint32_t i = 0; i < constraint->referenced_columns.count; i++)
        for (uint32_t c = 0; c < parent->column_count; c++)
            if (strcmp(parent->columns[c].name, constraint->referenced_columns.items[i]) == 0)
                used[c] = PRIVILEGE_REFERENCES;
    for (uint32_t i = 0; i < parent->indexes[0].column_count && constraint->referenced_columns.count == 0; i++)
        for (uint32_t c = 0; c < parent->column_count; c++)
            if (parent->columns[c].id == parent->indexes[0].columns[i].column_id)
                used[c] = PRIVILEGE_REFERENCES;
    return privilege_check_columns(
        context->task, context->session, parent, PRIVILEGE_REFERENCES, used);
}

struct status ddl_add_foreign_key(struct statement_context *context, struct table_desc *table,
    const struct constraint *constraint, const char *column, struct constraint_desc **out)
{
    struct status st = STATUS_OK;
    struct constraint_desc key = {.kind = TABLE_FOREIGN_KEY,
        .not_valid = constraint->not_valid,
        .on_delete = constraint->on_delete,
        .on_update = constraint->on_update,
        .deferrable = constraint->deferrable || constraint->initially_deferred,
        .initially_deferred = constraint->initially_deferred,
        .match_full = constraint->match == MATCH_FULL};
    const struct table_desc *found = table;
    struct table_desc *parent = table;

    if (constraint->match == MATCH_PARTIAL)
        return ddl_error(context, E_FEATURE_NOT_SUPPORTED, "MATCH PARTIAL not yet implemented");
    if (constraint->set_columns.count > 0)
        return ddl_unsupported(context, "a column list of ON DELETE SET");
    TRY(key_columns(context, table, constraint, column, &key));
    const struct object_name *to = &constraint->referenced;
    // A table that is being created has a name already, but no descriptor yet.
    struct status lookup = catalog_table(
        context->task, context->session, to->catalog, to->schema, to->name, false, &found);
    bool itself =
        strcmp(to->name, table->name) == 0 &&
        (status_is(lookup, E_DATA_CORRUPTED) || (!failed(lookup) && found->id == table->id));
    if (!itself) {
        TRY(lookup);
        TRY(ddl_check_kind(context, found, OBJECT_TABLE));
        TRY(check_references(context, found, constraint));
        TRY(catalog_edit_table(
            context->task, context->session, context->arena, found->id, &parent));
        if (parent->database_id != table->database_id)
            return ddl_unsupported(context, "a foreign key between databases");
        TRY(same_persistence(context, table, parent));
    }
    TRY(referenced_columns(context, parent, constraint, &key));
    key.referenced_table = parent->id;
    key.name = constraint->name != NULL ? constraint->name
                                        : choose_constraint_name(context, table,
                                              key_names(context->arena, table, &key), "fkey");
    TRY(check_key_types(context, table, parent, &key));
    key.id = table->next_constraint_id++;
    DDL_APPEND(context->arena, table->constraints, table->constraint_count, key);
    *out = &table->constraints[table->constraint_count - 1];
    struct fk_back_reference reference = {.table_id = table->id, .constraint_id = key.id};
    DDL_APPEND(context->arena, parent->referenced_by, parent->referenced_by_count, reference);
    if (!itself) TRY(catalog_put_table(context->task, context->session, parent));
out:
    return st;
}
