// SPDX-License-Identifier: GPL-3.0-or-later
//
// CREATE SEQUENCE, ALTER SEQUENCE.
#include "sql/ddl/ddl_internal.h"
#include "sql/ddl/temp.h"

#include <stdlib.h>

#include "core/invariant.h"
#include "sql/service/sequence.h"

struct sequence_options ddl_sequence_defaults(type_oid type)
{
    int64_t maximum = type == TYPE_INT2 ? INT16_MAX : type == TYPE_INT4 ? INT32_MAX : INT64_MAX;
    return (struct sequence_options){
        .type = type, .start = 1, .increment = 1, .minimum = 1, .maximum = maximum, .cache = 1};
}

// An integer literal, maybe with a sign. False when it is something else or too large.
static bool integer_value(const struct expr *expr, int64_t *value)
{
    bool negative = false;
    if (expr == NULL) return false;
    if (expr->kind == EXPR_OPERATOR && expr->op.left == NULL && expr->op.name[1] == 0 &&
        (expr->op.name[0] == '-' || expr->op.name[0] == '+')) {
        negative = expr->op.name[0] == '-';
        expr = expr->op.right;
    }
    if (expr->kind != EXPR_LITERAL ||
        (expr->literal.kind != LITERAL_INTEGER && expr->literal.kind != LITERAL_DECIMAL))
        return false;
    *value = 0;
    struct bytes text = expr->literal.text;
    // PostgreSQL's grammar folds the sign of numbers in option lists into them.
    if (text.size > 0 && text.data[0] == '-') {
        negative = !negative;
        text = bytes_skip(text, 1);
    }
    for (size_t i = 0; i < text.size; i++) {
        if (text.data[i] < '0' || text.data[i] > '9') return false;
        int64_t digit = text.data[i] - '0';
        if (__builtin_mul_overflow(*value, (int64_t)10, value)) return false;
        if (negative ? __builtin_sub_overflow(*value, digit, value)
                     : __builtin_add_overflow(*value, digit, value))
            return false;
    }
    return text.size > 0;
}

static bool flag_value(const struct option *option)
{
    return option->value == NULL || option->value->kind != EXPR_LITERAL ||
           option->value->literal.kind != LITERAL_BOOL || option->value->literal.boolean;
}

static struct status number_option(
    struct statement_context *context, const struct option *option, int64_t *value)
{
    if (integer_value(option->value, value)) return STATUS_OK;
    return ddl_error(context, E_INVALID_PARAMETER_VALUE, "invalid value for sequence option \"%s\"",
        option->name);
}

static struct status bad_owner(struct statement_context *context)
{
    return status_hint(context->arena,
        ddl_error(context, E_SYNTAX_ERROR, "invalid OWNED BY option"),
        "Specify OWNED BY table.column or OWNED BY NONE.");
}

static struct status owned_by_option(struct statement_context *context, const struct option *option,
    const struct object_name **owned_by)
{
    if (option->value == NULL || option->value->kind != EXPR_COLUMN || owned_by == NULL)
        return bad_owner(context);
    // [schema.]table.column, or NONE, as an object name: `table` is the table, `name` the column.
    struct object_name *name = ARENA_NEW(context->arena, struct object_name);
    uint32_t count = option->value->column.count;
    const char **names = option->value->column.names;
    name->name = names[count - 1];
    if (count > 1) name->table = names[count - 2];
    if (count > 2) name->schema = names[count - 3];
    if (count > 3) name->catalog = names[count - 4];
    *owned_by = name;
    return STATUS_OK;
}

static struct status check_options(
    struct statement_context *context, const struct sequence_options *options)
{
    int64_t type_max = options->type == TYPE_INT2   ? INT16_MAX
                       : options->type == TYPE_INT4 ? INT32_MAX
                                                    : INT64_MAX;
    int64_t type_min = options->type == TYPE_INT2   ? INT16_MIN
                       : options->type == TYPE_INT4 ? INT32_MIN
                                                    : INT64_MIN;
    const char *type = type_info(options->type)->sql_name;
    if (options->increment == 0)
        return ddl_error(context, E_INVALID_PARAMETER_VALUE, "INCREMENT must not be zero");
    if (options->maximum > type_max || options->maximum < type_min)
        return ddl_error(context, E_INVALID_PARAMETER_VALUE,
            "MAXVALUE (%lld) is out of range for sequence data type %s",
            (long long)options->maximum, type);
    if (options->minimum > type_max || options->minimum < type_min)
        return ddl_error(context, E_INVALID_PARAMETER_VALUE,
            "MINVALUE (%lld) is out of range for sequence data type %s",
            (long long)options->minimum, type);
    if (options->minimum >= options->maximum)
        return ddl_error(context, E_INVALID_PARAMETER_VALUE,
            "MINVALUE (%lld) must be less than MAXVALUE (%lld)", (long long)options->minimum,
            (long long)options->maximum);
    if (options->start < options->minimum)
        return ddl_error(context, E_INVALID_PARAMETER_VALUE,
            "START value (%lld) cannot be less than MINVALUE (%lld)", (long long)options->start,
            (long long)options->minimum);
    if (options->start > options->maximum)
        return ddl_error(context, E_INVALID_PARAMETER_VALUE,
            "START value (%lld) cannot be greater than MAXVALUE (%lld)", (long long)options->start,
            (long long)options->maximum);
    if (options->cache < 1)
        return ddl_error(context, E_INVALID_PARAMETER_VALUE,
            "CACHE (%lld) must be greater than zero", (long long)options->cache);
    return STATUS_OK;
}

static int64_t least_of(type_oid type)
{
    return type == TYPE_INT2 ? INT16_MIN : type == TYPE_INT4 ? INT32_MIN : INT64_MIN;
}

struct status ddl_sequence_options(struct statement_context *context,
    const struct option_list *list, struct sequence_options *options,
    const struct object_name **owned_by, bool *restart, int64_t *restart_value)
{
    struct status st = STATUS_OK;
    bool has_min = false, has_max = false, no_min = false, no_max = false, has_start = false;
    bool fresh = restart == NULL;
    struct sequence_options limits = ddl_sequence_defaults(options->type);

    for (uint32_t i = 0; i < list->count; i++) {
        const struct option *option = &list->items[i];
        for (uint32_t k = 0; k < i; k++)
            if (strcmp(list->items[k].name, option->name) == 0)
                return ddl_error(context, E_SYNTAX_ERROR, "conflicting or redundant options");
        if (strcmp(option->name, "increment") == 0) {
            TRY(number_option(context, option, &options->increment));
        } else if (strcmp(option->name, "start") == 0) {
            TRY(number_option(context, option, &options->start));
            has_start = true;
        } else if (strcmp(option->name, "minvalue") == 0) {
            has_min = option->value != NULL;
            no_min = !has_min;
            if (has_min) TRY(number_option(context, option, &options->minimum));
        } else if (strcmp(option->name, "maxvalue") == 0) {
            has_max = option->value != NULL;
            no_max = !has_max;
            if (has_max) TRY(number_option(context, option, &options->maximum));
        } else if (strcmp(option->name, "cache") == 0) {
            TRY(number_option(context, option, &options->cache));
        } else if (strcmp(option->name, "cycle") == 0) {
            options->cycle = flag_value(option);
        } else if (strcmp(option->name, "owned_by") == 0) {
            TRY(owned_by_option(context, option, owned_by));
        } else if (strcmp(option->name, "restart") == 0 && restart != NULL) {
            *restart = true;
            *restart_value = options->start;
            if (option->value != NULL) TRY(number_option(context, option, restart_value));
        } else if (strcmp(option->name, "as") != 0) {
            return ddl_error(context, E_FEATURE_NOT_SUPPORTED,
                "sequence option \"%s\" is not supported", option->name);
        }
    }
    if ((fresh && !has_max) || no_max)
        options->maximum = options->increment < 0 ? -1 : limits.maximum;
    if ((fresh && !has_min) || no_min)
        options->minimum = options->increment >= 0 ? 1 : least_of(options->type);
    if (fresh && !has_start)
        options->start = options->increment < 0 ? options->maximum : options->minimum;
    TRY(check_options(context, options));
out:
    return st;
}

struct status ddl_create_sequence(struct statement_context *context, uint32_t database_id,
    uint32_t schema_id, const char *name, const struct sequence_options *options, uint32_t *id)
{
    struct status st = STATUS_OK;
    bool taken;

    TRY(catalog_new_id(context->task, context->session->tenant, id));
    TRY(ddl_take_name(context, database_id, schema_id, name,
        (struct name_value){.kind = NAME_RELATION, .id = *id}, &taken));
    if (taken) return ddl_name_taken(context, name);
    struct table_desc sequence = {.id = *id,
        .database_id = database_id,
        .schema_id = schema_id,
        .name = name,
        .kind = RELATION_SEQUENCE,
        .owner = ddl_owner(context->session),
        .next_column_id = 4,
        .next_index_id = 1,
        .next_constraint_id = 1,
        .sequence = *options};
    struct column_desc columns[3] = {
        {.id = 1, .name = "last_value", .type = TYPE_OF(TYPE_INT8), .not_null = true},
        {.id = 2, .name = "log_cnt", .type = TYPE_OF(TYPE_INT8), .not_null = true},
        {.id = 3, .name = "is_called", .type = TYPE_OF(TYPE_BOOL), .not_null = true}};
    sequence.columns = columns;
    sequence.column_count = 3;
    TRY(privilege_default_grants(context, OBJECT_SEQUENCE, database_id, schema_id, sequence.owner,
        &sequence.grants, &sequence.grant_count));
    TRY(catalog_put_table(context->task, context->session, &sequence));
out:
    return st;
}

static struct status sequence_type(
    struct statement_context *context, const struct type_name *name, type_oid *oid)
{
    struct type type;
    *oid = TYPE_INT8;
    if (name == NULL) return STATUS_OK;
    struct status st = ddl_type(context, name, &type, NULL);
    if (failed(st)) return st;
    if (type.oid != TYPE_INT2 && type.oid != TYPE_INT4 && type.oid != TYPE_INT8)
        return ddl_error(context, E_INVALID_PARAMETER_VALUE,
            "sequence type must be smallint, integer, or bigint");
    *oid = type.oid;
    return STATUS_OK;
}

// OWNED BY: the sequence goes with the column from now on.
static struct status set_owned_by(struct statement_context *context, struct table_desc *sequence,
    const struct object_name *owned_by)
{
    struct status st = STATUS_OK;
    struct table_desc *table;

    if (sequence->sequence.owner_table != 0) {
        TRY(catalog_edit_table(context->task, context->session, context->arena,
            sequence->sequence.owner_table, &table));
        for (uint32_t i = 0; i < table->column_count; i++) {
            if (table->columns[i].owned_sequence == sequence->id && table->columns[i].identity != 0)
                return status_detail(context->arena,
                    ddl_error(context, E_FEATURE_NOT_SUPPORTED,
                        "cannot change ownership of identity sequence"),
                    "Sequence \"%s\" is linked to table \"%s\".", sequence->name, table->name);
            if (table->columns[i].owned_sequence == sequence->id)
                table->columns[i].owned_sequence = 0;
        }
        TRY(catalog_put_table(context->task, context->session, table));
        sequence->sequence.owner_table = sequence->sequence.owner_column = 0;
    }
    if (owned_by->table == NULL) {
        if (strcmp(owned_by->name, "none") != 0)
            return bad_owner(context);
        goto out;
    }
    struct object_name name = {
        .catalog = owned_by->catalog, .schema = owned_by->schema, .name = owned_by->table};
    TRY(ddl_edit(context, &name, false, OBJECT_TABLE, &table));
    struct column_desc *column = ddl_column(table, owned_by->name);
    if (column == NULL)
        return ddl_error(context, E_UNDEFINED_COLUMN,
            "column \"%s\" of relation \"%s\" does not exist", owned_by->name, table->name);
    if (table->schema_id != sequence->schema_id)
        return ddl_error(context, E_NOT_IN_PREREQUISITE_STATE,
            "sequence must be in same schema as table it is linked to");
    if (column->owned_sequence != 0 && column->owned_sequence != sequence->id)
        return ddl_unsupported(context, "a second sequence owned by one column");
    column->owned_sequence = sequence->id;
    sequence->sequence.owner_table = table->id;
    sequence->sequence.owner_column = column->id;
    TRY(catalog_put_table(context->task, context->session, table));
out:
    return st;
}

struct status ddl_create_sequence_statement(struct statement_context *context)
{
    struct status st = STATUS_OK;
    const struct sequence *create = context->statement->as.sequence;
    const struct schema_desc *schema;
    const struct object_name *owned_by = NULL;
    struct name_value existing;
    type_oid type;
    uint32_t id;

    bool is_temp;
    TRY(temp_target_schema(context, &create->name, create->persistence, &schema, &is_temp));
    if (is_temp) context->session->temp_generation++;
    uint32_t database_id = schema->database_id, schema_id = schema->id;
    TRY(catalog_peek_name(
        context->task, context->session, database_id, schema_id, create->name.name, &existing));
    if (existing.id != 0) {
        if (!create->if_not_exists) return ddl_name_taken(context, create->name.name);
        ddl_notice_exists(context, E_DUPLICATE_TABLE, "relation \"%s\" already exists, skipping", create->name.name);
        goto out;
    }
    TRY(sequence_type(context, create->type, &type));
    struct sequence_options options = ddl_sequence_defaults(type);
    TRY(ddl_sequence_options(context, &create->options, &options, &owned_by, NULL, NULL));
    TRY(ddl_create_sequence(context, database_id, schema_id, create->name.name, &options, &id));
    if (owned_by != NULL) {
        struct table_desc *sequence;
        TRY(catalog_edit_table(context->task, context->session, context->arena, id, &sequence));
        TRY(set_owned_by(context, sequence, owned_by));
        TRY(catalog_put_table(context->task, context->session, sequence));
    }
out:
    return st;
}

void ddl_retype_sequence(struct sequence_options *options, type_oid type)
{
    if (options->maximum == ddl_sequence_defaults(options->type).maximum)
        options->maximum = ddl_sequence_defaults(type).maximum;
    if (options->minimum == least_of(options->type)) options->minimum = least_of(type);
    options->type = type;
}

struct status ddl_alter_sequence(struct statement_context *context)
{
    struct status st = STATUS_OK;
    const struct sequence *alter = context->statement->as.sequence;
    const struct object_name *owned_by = NULL;
    struct table_desc *sequence;

    TRY(ddl_edit(context, &alter->name, alter->if_not_exists, OBJECT_SEQUENCE, &sequence));
    if (sequence == NULL) goto out;
    if (alter->type != NULL) {
        type_oid type;
        TRY(sequence_type(context, alter->type, &type));
        ddl_retype_sequence(&sequence->sequence, type);
    }
    TRY(ddl_change_sequence(context, sequence, &alter->options, &owned_by));
    if (owned_by != NULL) {
        TRY(set_owned_by(context, sequence, owned_by));
        TRY(catalog_put_table(context->task, context->session, sequence));
    }
out:
    return st;
}

struct status ddl_change_sequence(struct statement_context *context, struct table_desc *sequence,
    const struct option_list *options, const struct object_name **owned_by)
{
    struct status st = STATUS_OK;
    bool restart = false, called;
    int64_t restart_value = 0, last;
    TRY(sequence_peek(context->task, context->session, sequence, &last, &called));
    // One that has come to its end has counted beyond it.
    if (last > sequence->sequence.maximum) last = sequence->sequence.maximum;
    if (last < sequence->sequence.minimum) last = sequence->sequence.minimum;
    TRY(ddl_sequence_options(
        context, options, &sequence->sequence, owned_by, &restart, &restart_value));
    TRY(catalog_put_table(context->task, context->session, sequence));
    if (restart) last = restart_value;
    if (last < sequence->sequence.minimum)
        return ddl_error(context, E_INVALID_PARAMETER_VALUE,
            "RESTART value (%lld) cannot be less than MINVALUE (%lld)", (long long)last,
            (long long)sequence->sequence.minimum);
    if (last > sequence->sequence.maximum)
        return ddl_error(context, E_INVALID_PARAMETER_VALUE,
            "RESTART value (%lld) cannot be greater than MAXVALUE (%lld)", (long long)last,
            (long long)sequence->sequence.maximum);
    if (restart) TRY(sequence_set(context->task, context->session, sequence, restart_value, false));
out:
    return st;
}
