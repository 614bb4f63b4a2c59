// SPDX-License-Identifier: GPL-3.0-or-later
//
// A function of a row written as its column, and a column of a row written as a function: t.f is f(t) where t has no column f,
// f(t) is t.f where there is no such function. A query that is kept is written out as what it means.
#include "sql/bind/bind.h"
#include "sql/bind/resolution.h"

// Of expressions that a kept query may be written out with.
static struct arena *expr_arena(struct binder *binder)
{
    return binder->resolutions != NULL ? binder->resolutions->arena : binder->arena;
}

static struct expr *new_expr(struct binder *binder, enum expr_kind kind, uint32_t position)
{
    struct expr *expr = ARENA_NEW(expr_arena(binder), struct expr);
    expr->kind = kind;
    expr->position = position;
    return expr;
}

static struct expr *column_expr(struct binder *binder, const struct expr *table, const char *name, uint32_t position)
{
    struct expr *column = new_expr(binder, EXPR_COLUMN, position);
    uint32_t count = table->column.count;
    const char **names = ARENA_ARRAY(expr_arena(binder), const char *, count + 1u);
    memcpy(names, table->column.names, count * sizeof *names);
    if (name != NULL) names[count++] = name;
    column->column.names = names;
    column->column.count = count;
    return column;
}

static void spell(struct binder *binder, const struct expr *expr, const struct expr *as)
{
    if (binder->resolutions != NULL) resolution_add_spelling(binder->resolutions, expr, as);
}

struct status bind_field_as_call(struct binder *binder, struct scope *scope, const struct expr *expr,
    struct expr *row, const char *name, struct scalar *value, struct scalar **out)
{
    struct status st;
    struct expr *call = new_expr(binder, EXPR_FUNCTION, expr->position);
    struct function_expr *function = ARENA_NEW(expr_arena(binder), struct function_expr);
    function->name = name;
    function->args.items = ARENA_ARRAY(expr_arena(binder), struct expr *, 1);
    function->args.items[0] = row;
    function->args.count = 1;
    call->function = function;
    *out = NULL;
    TRY(bind_row_value(binder, &value));
    TRY(bind_function_of(binder, scope, call, value, out));
    if (*out != NULL) spell(binder, expr, call);

out:
    return st;
}

struct status bind_column_as_call(struct binder *binder, struct scope *scope, const struct expr *expr,
    struct range *range, struct scalar **out)
{
    struct expr table = *expr;
    table.column.count--;
    table.column.names += table.column.count - 1; // Without a schema.
    table.column.count = 1;
    const char *name = expr->column.names[expr->column.count - 1];
    struct expr *row = column_expr(binder, &table, NULL, expr->position);
    bind_note_row(binder, range, row);
    const struct scope *found = scope;
    for (const struct scope *s = scope; s != NULL; s = s->parent)
        for (const struct range *each = s->names.ranges; each != NULL; each = each->next)
            if (each == range) found = s;
    struct scalar *value = bind_whole_row(binder, found, range, expr->position);
    return bind_field_as_call(binder, scope, expr, row, name, value, out);
}

struct status bind_call_as_field(
    struct binder *binder, struct scope *scope, const struct expr *expr, struct scalar *value, struct scalar **out)
{
    struct status st = STATUS_OK;
    const struct function_expr *call = expr->function;
    *out = NULL;
    if (call->args.count != 1 || call->schema != NULL || call->distinct || call->variadic || call->star ||
        call->within_group || call->order_by.count > 0 || call->filter != NULL || call->over != NULL ||
        (value->type.oid != TYPE_RECORD && !type_is_composite(value->type.oid)))
        return st;
    struct expr *row = call->args.items[0];
    if (row->kind == EXPR_COLUMN) { // Bound once more: a whole row has the names that its columns have here.
        struct scalar *whole;
        TRY(bind_expr(binder, scope, row, &whole));
        if (whole->kind == SCALAR_ROW) {
            struct expr *column = column_expr(binder, row, call->name, expr->position);
            if (bind_field_named(binder, whole, call->name, NULL) == NULL) return st;
            TRY(bind_expr(binder, scope, column, out));
            spell(binder, expr, column);
            return st;
        }
    }
    struct expr *field = new_expr(binder, EXPR_FIELD, expr->position);
    field->field.arg = row;
    field->field.name = call->name;
    *out = bind_field_named(binder, value, call->name, field);
    if (*out != NULL) spell(binder, expr, field);

out:
    return st;
}
