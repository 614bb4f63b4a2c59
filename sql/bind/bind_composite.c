// SPDX-License-Identifier: GPL-3.0-or-later
//
// Composite types in expressions: fields taken and set, rows that become values of a type.
#include "sql/bind/bind.h"
#include "sql/catalog/pg_catalog.h"
#include "sql/type/composite.h"
#include "sql/type/geometry.h"

static struct scalar *int_const(struct binder *binder, uint32_t value)
{
    return scalar_const(binder->arena, TYPE_OF(TYPE_INT4), datum_int(value), POSITION_NONE);
}

struct scalar *bind_composite_item(struct binder *binder, struct scalar *value, uint32_t slot,
    struct type type, uint32_t position)
{
    struct scalar *get = scalar_with_args(binder->arena, SCALAR_CALL, type, position, 2);
    get->function = &composite_get;
    get->args[0] = value;
    get->args[1] = int_const(binder, slot);
    return get;
}

struct scalar *bind_composite_row(struct binder *binder, struct scalar *value)
{
    const struct user_type *user = type_user(value->type.oid);
    struct scalar *row = scalar_with_args(
        binder->arena, SCALAR_ROW, TYPE_OF(TYPE_RECORD), value->position, user->field_count);
    const char **names = ARENA_ARRAY(binder->arena, const char *, user->field_count + 1);
    for (uint32_t i = 0; i < user->field_count; i++) {
        names[i] = arena_strdup(binder->arena, user->fields[i].name);
        row->args[i] = bind_composite_item(
            binder, value, user->fields[i].slot, user->fields[i].type, value->position);
    }
    row->row.names = names;
    return row;
}

bool bind_composite_find(type_oid oid, const char *name, uint32_t *slot, struct type *type)
{
    const struct user_type *user = type_user(oid);
    for (uint32_t i = 0; i < user->field_count; i++) {
        if (strcmp(user->fields[i].name, name) != 0) continue;
        *slot = user->fields[i].slot;
        *type = user->fields[i].type;
        return true;
    }
    return false;
}

static struct status cannot_cast_row(
    struct binder *binder, const struct scalar *row, type_oid oid, const char *detail)
{
    struct status st = bind_error(binder, row->position, E_CANNOT_COERCE,
        "cannot cast type record to %s", bind_type_text(binder, TYPE_OF(oid)));
    return status_detail(binder->arena, st, "%s", detail);
}

struct status bind_row_as_composite(
    struct binder *binder, struct scalar **scalar, type_oid oid, enum cast_context context)
{
    struct status st = STATUS_OK;
    struct scalar *row = *scalar;
    const struct user_type *user = type_user(oid);
    if (row->arg_count != user->field_count)
        return cannot_cast_row(binder, row, oid,
            row->arg_count < user->field_count ? "Input has too few columns."
                                               : "Input has too many columns.");
    const uint32_t slot_count = row->arg_count == 0 ? 0 : user->fields[row->arg_count - 1].slot + 1;
    struct scalar *make =
        scalar_with_args(binder->arena, SCALAR_CALL, TYPE_OF(oid), row->position, slot_count);
    make->function = &composite_make;
    for (uint32_t i = 0; i < slot_count; i++)
        make->args[i] = scalar_null(binder->arena, TYPE_OF(TYPE_TEXT), POSITION_NONE);
    for (uint32_t i = 0; i < row->arg_count; i++) {
        bool done;
        struct scalar **slot = &make->args[user->fields[i].slot];
        *slot = row->args[i];
        struct type from = row->args[i]->type;
        TRY(bind_coerce(binder, slot, user->fields[i].type, context, &done));
        if (!done)
            return cannot_cast_row(binder, row, oid,
                arena_printf(binder->arena, "Cannot cast type %s to %s in column %u.",
                    bind_type_text(binder, from), bind_type_text(binder, user->fields[i].type),
                    i + 1));
    }
    *scalar = make;
    if (row->row.present == NULL) return st;
    // The row that an outer join did not find is NULL, not a row of NULLs.
    struct scalar *missing = scalar_with_args(
        binder->arena, SCALAR_IS, TYPE_OF(TYPE_BOOL), row->position, 1);
    missing->args[0] = row->row.present;
    missing->test = IS_NULL;
    *scalar = scalar_with_args(binder->arena, SCALAR_CASE, TYPE_OF(oid), row->position, 3);
    (*scalar)->args[0] = missing;
    (*scalar)->args[1] = scalar_null(binder->arena, TYPE_OF(oid), row->position);
    (*scalar)->args[2] = make;

out:
    return st;
}

struct scalar *bind_composite_is_null(struct binder *binder, struct scalar *value, bool null)
{
    struct scalar *call = scalar_with_args(
        binder->arena, SCALAR_CALL, TYPE_OF(TYPE_BOOL), value->position, 2);
    call->function = &composite_is_null;
    call->args[0] = value;
    call->args[1] = scalar_bool(binder->arena, null);
    return call;
}

// --- parts that are assigned to ------------------------------------------------------------------------

static struct status assign_field(struct binder *binder, struct scope *scope, struct scalar *base,
    const struct expr *const *steps, uint32_t count, struct scalar *value, struct scalar **out)
{
    struct status st = STATUS_OK;
    struct type type;
    uint32_t slot;
    const char *name = steps[0]->field.name;
    const struct user_type *user = type_user(base->type.oid);
    if (!type_is_composite(base->type.oid))
        return bind_error(binder, steps[0]->position, E_DATATYPE_MISMATCH,
            "cannot assign to field \"%s\" of column because its type %s is not a composite type",
            name, bind_type_text(binder, base->type));
    if (!bind_composite_find(base->type.oid, name, &slot, &type))
        return bind_error(binder, steps[0]->position, E_UNDEFINED_COLUMN,
            "cannot assign to field \"%s\" of column because there is no such column in data type %s",
            name, bind_type_text(binder, base->type));
    struct scalar *item = bind_composite_item(binder, base, slot, type, base->position);
    TRY(bind_assign_part(binder, scope, item, type, steps + 1, count - 1, value, &item));
    struct scalar *set =
        scalar_with_args(binder->arena, SCALAR_CALL, base->type, base->position, 4);
    set->function = &composite_set;
    set->args[0] = base;
    set->args[1] = int_const(binder, slot);
    set->args[2] = int_const(binder, user->fields[user->field_count - 1].slot + 1);
    set->args[3] = item;
    *out = set;

out:
    return st;
}

// p[0] = 1.
static struct status assign_part(struct binder *binder, struct scope *scope, struct scalar *base,
    const struct expr *const *steps, uint32_t count, struct scalar *value, struct scalar **out)
{
    struct status st = STATUS_OK;
    struct scalar *at, *part;
    for (uint32_t i = 0; i < count; i++)
        if (steps[i]->kind == EXPR_SUBSCRIPT && steps[i]->subscript.slice)
            return bind_error(binder, steps[i]->position, E_FEATURE_NOT_SUPPORTED,
                "updates on slices of fixed-length arrays not implemented");
    if (count > 1)
        return bind_error(
            binder, steps[1]->position, E_ARRAY_SUBSCRIPT_ERROR, "wrong number of array subscripts");
    TRY(bind_assign_part(
        binder, scope, NULL, TYPE_OF(type_part(base->type.oid)), NULL, 0, value, &part));
    TRY(bind_expr(binder, scope, steps[0]->subscript.lower, &at));
    TRY(bind_coerce(binder, &at, TYPE_OF(TYPE_INT4), CAST_ASSIGNMENT, NULL));
    *out = scalar_with_args(binder->arena, SCALAR_CALL, base->type, base->position, 3);
    (*out)->function = &geometry_assign_part;
    (*out)->args[0] = base;
    (*out)->args[1] = at;
    (*out)->args[2] = part;

out:
    return st;
}

static struct status assign_item(struct binder *binder, struct scope *scope, struct scalar *base,
    const struct expr *const *steps, uint32_t count, struct scalar *value, struct scalar **out)
{
    struct status st = STATUS_OK;
    struct scalar *args[4] = {base};
    const struct type_info *info = type_info(base->type.oid);
    uint32_t subscripts = 0;
    bool slice = false, checked = false;
    while (subscripts < count && steps[subscripts]->kind == EXPR_SUBSCRIPT) {
        slice |= steps[subscripts]->subscript.slice;
        subscripts++;
    }
    if (type_part(base->type.oid) != 0)
        return assign_part(binder, scope, base, steps, count, value, out);
    if (base->type.oid == TYPE_JSONB)
        return bind_unsupported(
            binder, steps[0]->position, "assigning to a part of a jsonb value");
    if (info == NULL || info->element == 0)
        return bind_error(binder, steps[0]->position, E_DATATYPE_MISMATCH,
            "cannot subscript type %s because it does not support subscripting",
            bind_type_text(binder, base->type));
    if (subscripts < count) // a[1].f
        return bind_unsupported(
            binder, steps[subscripts]->position, "assigning to a field of an array's item");
    // An element is as long as the array's type says, too.
    struct type part = TYPE_OF(slice ? base->type.oid : info->element);
    part.typmod = base->type.typmod;
    TRY(bind_assign_part(binder, scope, NULL, part, NULL, 0, value, &args[3]));
    // Of an array of a domain's the rest stays as it is, and is not looked at again.
    if (type_is_domain_array(base->domain))
        TRY(bind_domain_part(binder, base->domain, slice, &args[3], &checked));
    TRY(bind_subscript_bounds(binder, scope, steps, subscripts, false, &args[1]));
    TRY(bind_subscript_bounds(binder, scope, steps, subscripts, true, &args[2]));
    if (!slice) args[1] = args[2];
    st = bind_call(binder, slice ? "array_assign_slice" : "array_assign", args, 4, base->position,
        out);
    TRY(st);
    if (checked) {
        *out = bind_again(binder, *out);
        (*out)->domain = base->domain;
    }

out:
    return st;
}

struct status bind_assign_part(struct binder *binder, struct scope *scope, struct scalar *base,
    struct type type, const struct expr *const *steps, uint32_t count, struct scalar *value,
    struct scalar **out)
{
    struct status st = STATUS_OK;
    bool done;
    if (count > 0 && steps[0]->kind == EXPR_FIELD)
        return assign_field(binder, scope, base, steps, count, value, out);
    if (count > 0) return assign_item(binder, scope, base, steps, count, value, out);
    struct type from = value->type;
    *out = value;
    bool literal = scalar_is_unknown(value) && value->kind == SCALAR_CONST;
    TRY(bind_coerce(binder, out, literal ? TYPE_OF(type.oid) : type, CAST_ASSIGNMENT, &done));
    if (done) TRY(bind_coerce(binder, out, type, CAST_ASSIGNMENT, NULL));
    if (!done)
        return bind_error(binder, value->position, E_DATATYPE_MISMATCH,
            "subfield is of type %s but expression is of type %s", bind_type_text(binder, type),
            bind_type_text(binder, from));

out:
    return st;
}
