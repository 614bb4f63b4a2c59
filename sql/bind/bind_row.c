// SPDX-License-Identifier: GPL-3.0-or-later
//
// Rows in expressions: ROW(...), t as the whole of a row, their fields. While items are compared one by one they
// stay a SCALAR_ROW; where one value is wanted they become a record.
#include "core/invariant.h"
#include "sql/bind/bind.h"
#include "sql/type/record.h"

// args[0]: the names, each with a zero behind it. The others: the fields.
static struct status make_record(
    struct function_call *call, const struct datum *args, struct datum *result)
{
    struct buffer out;
    struct bytes names = datum_as_bytes(args[0]);
    buffer_init(&out, call->arena);
    record_begin(&out, call->arg_count - 1);
    for (uint32_t i = 1; i < call->arg_count; i++) {
        size_t size = 0;
        while (size < names.size && names.data[size] != 0) size++;
        record_add(&out, bytes_of(names.data, size), call->arg_types[i].oid, args[i]);
        size_t used = size < names.size ? size + 1 : size;
        names = bytes_of(names.data + used, names.size - used);
    }
    *result = datum_bytes(buffer_bytes(&out));
    return out.size > ARENA_UNCHECKED_BYTES ? arena_check(call->arena) : STATUS_OK;
}

static const struct function row_function = {
    .name = "row", .kind = FUNCTION_SCALAR, .result = TYPE_RECORD, .fn = make_record};

// args[0]: a record, args[1]: the number of the field wanted.
static struct status take_field(
    struct function_call *call, const struct datum *args, struct datum *result)
{
    struct record_cursor cursor;
    struct record_field field = {.value = DATUM_NULL};
    (void)call;
    struct status st = record_open(args[0], &cursor);
    for (int64_t i = 0; i <= args[1].integer && !failed(st); i++) st = record_next(&cursor, &field);
    *result = field.value;
    return st;
}

static const struct function field_function = {
    .name = "field", .kind = FUNCTION_SCALAR, .strict = true, .fn = take_field};

const struct scalar *bind_row_maker(const struct binder *binder, const struct scalar *record)
{
    if (record->type.oid != TYPE_RECORD) return NULL;
    if (record->kind == SCALAR_VAR) return binder->vars[record->var].row;
    if (record->kind == SCALAR_CASE) record = record->args[record->arg_count - 1];
    return record->kind == SCALAR_CALL && record->function == &row_function ? record : NULL;
}

// The fields of a record as the row that `maker` made of it.
static struct scalar *row_of_record(
    struct binder *binder, struct scalar *record, const struct scalar *maker)
{
    uint32_t count = maker->arg_count - 1;
    struct scalar *row = scalar_with_args(
        binder->arena, SCALAR_ROW, TYPE_OF(TYPE_RECORD), record->position, count);
    const char **names = ARENA_ARRAY(binder->arena, const char *, count);
    const char *name = (const char *)maker->args[0]->value.data;
    for (uint32_t i = 0; i < count; i++) {
        struct scalar *field = scalar_with_args(
            binder->arena, SCALAR_CALL, maker->args[i + 1]->type, record->position, 2);
        field->function = &field_function;
        field->args[0] = record;
        field->args[1] =
            scalar_const(binder->arena, TYPE_OF(TYPE_INT4), datum_int(i), POSITION_NONE);
        row->args[i] = field;
        names[i] = name;
        name += strlen(name) + 1;
    }
    row->row.names = names;
    return row;
}

static void open_record(struct binder *binder, struct scalar **scalar)
{
    if ((*scalar)->kind == SCALAR_ROW) return;
    const struct scalar *maker = bind_row_maker(binder, *scalar);
    if (maker != NULL) *scalar = row_of_record(binder, *scalar, maker);
}

static const char *field_name(struct binder *binder, const struct scalar *row, uint32_t i)
{
    if (row->row.names != NULL) return row->row.names[i];
    return arena_printf(binder->arena, "f%u", i + 1);
}

struct status bind_row_value(struct binder *binder, struct scalar **scalar)
{
    struct status st = STATUS_OK;
    struct scalar *row = *scalar;
    struct buffer names;
    if (row->kind != SCALAR_ROW) return st;
    if (row->type.oid != TYPE_RECORD) {
        TRY(bind_row_as_composite(binder, scalar, row->type.oid, CAST_IMPLICIT));
        (*scalar)->source = row->source;
        return st;
    }
    struct scalar *call = scalar_with_args(binder->arena, SCALAR_CALL, TYPE_OF(TYPE_RECORD),
        row->position, row->arg_count + 1);
    call->function = &row_function;
    call->source = row->source;
    buffer_init(&names, binder->arena);
    for (uint32_t i = 0; i < row->arg_count; i++) {
        buffer_append_string(&names, field_name(binder, row, i));
        buffer_append_u8(&names, 0);
        call->args[i + 1] = row->args[i];
        // A literal stays what it is, and a parameter open, until somebody says of what type the row is to be.
        if (row->args[i]->kind != SCALAR_CONST && row->args[i]->kind != SCALAR_PARAM) TRY(bind_resolve_unknown(binder, &call->args[i + 1]));
    }
    call->args[0] = scalar_const(binder->arena, TYPE_OF(TYPE_BYTEA),
        datum_bytes(buffer_bytes(&names)), POSITION_NONE);
    *scalar = call;
    if (row->row.present == NULL) return st;
    // The row that an outer join did not find is NULL, not a row of NULLs.
    *scalar = bind_if_present(binder, row->row.present, call);
    (*scalar)->source = row->source;

out:
    return st;
}

struct scalar *bind_if_present(struct binder *binder, struct scalar *present, struct scalar *scalar)
{
    struct scalar *missing = scalar_with_args(
        binder->arena, SCALAR_IS, TYPE_OF(TYPE_BOOL), scalar->position, 1);
    struct scalar *either = scalar_with_args(
        binder->arena, SCALAR_CASE, scalar->type, scalar->position, 3);
    missing->args[0] = present;
    missing->test = IS_NULL;
    either->args[0] = missing;
    either->args[1] = scalar_null(binder->arena, scalar->type, scalar->position);
    either->args[2] = scalar;
    return either;
}

// A constant beside the rows that an outer join may find or not. It goes where they are made, below all joins.
static struct scalar *found_column(struct binder *binder, struct range *range)
{
    if (!range->outer || range->source == NULL) return NULL;
    if (range->found == VAR_NONE) {
        struct rel *rows = ARENA_NEW(binder->arena, struct rel);
        struct rel *project = range->source;
        struct scalar *found = scalar_bool(binder->arena, true);
        *rows = *project;
        if (range->rel == project) range->rel = rows;
        *project = *rel_new(binder->arena, REL_PROJECT);
        project->left = rows;
        range->found = bind_new_var(binder, "found", range->name, found->type);
        rel_item_add(binder->arena, &project->project, range->found, found);
    }
    return bind_var(binder, range->found, POSITION_NONE);
}

struct scalar *bind_present_column(struct binder *binder, struct range *range)
{
    const struct table_desc *table = range->table;
    if (table == NULL || table->kind != RELATION_TABLE) return found_column(binder, range);
    for (uint32_t c = 0; c < table->column_count; c++)
        if (table->columns[c].id == table->indexes[0].columns[0].column_id)
            return bind_var(binder, range->base + c, POSITION_NONE);
    return NULL;
}

// Of rows of a table or view its type, as far as the shard knows it as the columns are now; else record.
static type_oid type_of_rows(struct binder *binder, const struct range *range, const struct scalar *row)
{
    type_oid oid = range->row_type;
    if (oid == 0) {
        const struct bind_type *type = range->relation_id == 0 || binder->names == NULL
            ? NULL
            : bind_names_type_by_id(binder->names, range->relation_id);
        if (type == NULL || (type->type->kind != RELATION_TABLE && type->type->kind != RELATION_VIEW)) return TYPE_RECORD;
        oid = catalog_type_oid(type->type);
    }
    const struct user_type *user = type_is_composite(oid) ? type_user(oid) : NULL;
    if (user == NULL || user->field_count != row->arg_count) return TYPE_RECORD;
    for (uint32_t i = 0; i < row->arg_count; i++)
        if (user->fields[i].type.oid != row->args[i]->type.oid ||
            (!range->aliased && strcmp(user->fields[i].name, row->row.names[i]) != 0))
            return TYPE_RECORD;
    bind_names_use_type(binder->names, type_user_id(oid));
    return oid;
}

struct scalar *bind_whole_row(
    struct binder *binder, const struct scope *scope, struct range *range, uint32_t position)
{
    if (range->scalar) return range->columns[0].scalar;
    struct scalar *row = scalar_with_args(
        binder->arena, SCALAR_ROW, TYPE_OF(TYPE_RECORD), position, range->column_count);
    const char **names = ARENA_ARRAY(binder->arena, const char *, range->column_count);
    uint32_t count = 0;
    for (uint32_t i = 0; i < range->column_count; i++) {
        if (range->columns[i].hidden) continue;
        range_column_read(&range->columns[i]);
        names[count] = range->columns[i].name;
        row->args[count++] = range->columns[i].scalar;
    }
    row->arg_count = count;
    row->row.names = names;
    row->type = TYPE_OF(type_of_rows(binder, range, row));
    bool joined = scope->names.ranges == NULL || scope->names.ranges->next != NULL;
    row->row.present = joined ? bind_present_column(binder, range) : NULL;
    return row;
}

static struct status not_composite(
    struct binder *binder, const struct expr *expr, const struct scalar *arg)
{
    const char *name = expr->field.name == NULL ? "*" : expr->field.name;
    const struct expr *from = expr->field.arg;
    if (arg->kind == SCALAR_ROW && arg->row.names != NULL && from->kind == EXPR_COLUMN)
        return bind_error(binder, expr->position, E_UNDEFINED_COLUMN, "column %s.%s does not exist",
            from->column.names[from->column.count - 1], name);
    if (arg->kind != SCALAR_ROW && type_is_composite(arg->type.oid))
        return bind_error(binder, expr->position, E_UNDEFINED_COLUMN, "column \"%s\" not found in data type %s", name,
            bind_type_text(binder, arg->type));
    if (arg->type.oid == TYPE_RECORD)
        return bind_error(binder, expr->position, E_UNDEFINED_COLUMN,
            "could not identify column \"%s\" in record data type", name);
    return bind_error(binder, expr->position, E_WRONG_OBJECT_TYPE,
        "column notation .%s applied to type %s, which is not a composite type", name,
        bind_type_text(binder, arg->type));
}

struct scalar *bind_field_named(
    struct binder *binder, struct scalar *row, const char *name, const struct expr *expr)
{
    open_record(binder, &row);
    if (row->kind != SCALAR_ROW && type_is_composite(row->type.oid)) {
        uint32_t index;
        struct type type;
        if (!bind_composite_find(row->type.oid, name, &index, &type)) return NULL;
        if (expr != NULL) bind_note_field(binder, row->type.oid, name, expr);
        return bind_composite_item(binder, row, index, type, expr == NULL ? row->position : expr->position);
    }
    for (uint32_t i = 0; row->kind == SCALAR_ROW && i < row->arg_count; i++)
        if (strcmp(field_name(binder, row, i), name) == 0) return row->args[i];
    return NULL;
}

// (row).field
struct status bind_field(
    struct binder *binder, struct scope *scope, const struct expr *expr, struct scalar **out)
{
    struct status st;
    struct scalar *row;
    TRY(bind_expr(binder, scope, expr->field.arg, &row));
    if (expr->field.name == NULL) return not_composite(binder, expr, row);
    *out = bind_field_named(binder, row, expr->field.name, expr);
    if (*out != NULL) return st;
    TRY(bind_field_as_call(binder, scope, expr, expr->field.arg, expr->field.name, row, out));
    if (*out == NULL) st = not_composite(binder, expr, row);

out:
    return st;
}

// (row).* in a SELECT list.
struct status bind_field_star(struct binder *binder, struct scope *scope, const struct expr *expr,
    struct range_column **columns, uint32_t *count, type_oid *oid)
{
    struct status st;
    struct scalar *row;
    TRY(bind_expr(binder, scope, expr->field.arg, &row));
    open_record(binder, &row);
    *oid = row->type.oid;
    if (row->kind != SCALAR_ROW && type_is_composite(row->type.oid)) row = bind_composite_row(binder, row);
    if (row->kind != SCALAR_ROW)
        return bind_error(binder, expr->position, E_WRONG_OBJECT_TYPE, "type %s is not composite",
            bind_type_text(binder, row->type));
    *columns = ARENA_ARRAY(binder->arena, struct range_column, row->arg_count);
    *count = row->arg_count;
    for (uint32_t i = 0; i < row->arg_count; i++)
        (*columns)[i] = (struct range_column){
            .name = field_name(binder, row, i), .scalar = row->args[i]};

out:
    return st;
}
