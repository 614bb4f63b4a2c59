// SPDX-License-Identifier: GPL-3.0-or-later
//
// a[1], a[1:2], j['key'], p[0]: items and slices of arrays, members of jsonb, parts of points and boxes, characters of names.
#include "sql/bind/bind.h"

#define SUBSCRIPTS_MAX 6 // As many as an array has dimensions.

// One bound of each subscript, as an int4[]. A lone subscript among slices stands for 1 to itself.
struct status bind_subscript_bounds(struct binder *binder, struct scope *scope,
    const struct expr *const *steps, uint32_t count, bool upper, struct scalar **out)
{
    struct status st = STATUS_OK;
    struct scalar *bounds = scalar_with_args(
        binder->arena, SCALAR_ARRAY, TYPE_OF(TYPE_INT4_ARRAY), steps[0]->position, count);
    for (uint32_t i = 0; i < count; i++) {
        const struct expr *step = steps[i];
        bool second = upper && step->subscript.slice;
        const struct expr *bound = second ? step->subscript.upper : step->subscript.lower;
        int64_t open = second ? INT32_MAX : INT32_MIN;
        if (!upper && !step->subscript.slice) {
            bound = NULL;
            open = 1;
        }
        if (bound == NULL) {
            bounds->args[i] = scalar_const(
                binder->arena, TYPE_OF(TYPE_INT4), datum_int(open), step->position);
            continue;
        }
        TRY(bind_expr(binder, scope, bound, &bounds->args[i]));
        TRY(bind_coerce(
            binder, &bounds->args[i], TYPE_OF(TYPE_INT4), CAST_ASSIGNMENT, NULL));
    }
    *out = bounds;

out:
    return st;
}

static struct status bind_array_subscripts(struct binder *binder, struct scope *scope,
    struct scalar *array, const struct expr *const *steps, uint32_t count, struct scalar **out)
{
    struct status st = STATUS_OK;
    struct scalar *args[3] = {array};
    const struct type_info *info = type_info(array->type.oid);
    bool slice = false;
    for (uint32_t i = 0; i < count; i++) slice |= steps[i]->subscript.slice;
    if (slice) {
        TRY(bind_subscript_bounds(binder, scope, steps, count, false, &args[1]));
        TRY(bind_subscript_bounds(binder, scope, steps, count, true, &args[2]));
        return bind_call(binder, "array_slice", args, 3, steps[0]->position, out);
    }
    if (count > 1) {
        TRY(bind_subscript_bounds(binder, scope, steps, count, true, &args[1]));
        return bind_call(binder, "array_item", args, 2, steps[0]->position, out);
    }
    TRY(bind_expr(binder, scope, steps[0]->subscript.lower, &args[1]));
    TRY(bind_coerce(binder, &args[1], TYPE_OF(TYPE_INT4), CAST_ASSIGNMENT, NULL));
    struct scalar *scalar = scalar_with_args(
        binder->arena, SCALAR_SUBSCRIPT, TYPE_OF(info->element), steps[0]->position, 2);
    scalar->args[0] = array;
    scalar->args[1] = args[1];
    *out = scalar;

out:
    return st;
}

// p[0]: a part of a point, line, segment or box.
static struct status bind_part(struct binder *binder, struct scope *scope, struct scalar *value,
    const struct expr *const *steps, uint32_t count, struct scalar **out)
{
    struct status st = STATUS_OK;
    struct type part = TYPE_OF(type_part(value->type.oid));
    struct scalar *at = NULL;
    for (uint32_t i = 0; i < count; i++) {
        if (steps[i]->subscript.slice)
            return bind_error(binder, steps[i]->position, E_FEATURE_NOT_SUPPORTED,
                "slices of fixed-length arrays not implemented");
        TRY(bind_expr(binder, scope, steps[i]->subscript.lower, &at));
        TRY(bind_coerce(binder, &at, TYPE_OF(TYPE_INT4), CAST_ASSIGNMENT, NULL));
    }
    if (count > 1) { // They have one dimension.
        *out = scalar_null(binder->arena, part, steps[0]->position);
        return st;
    }
    *out = scalar_with_args(binder->arena, SCALAR_SUBSCRIPT, part, steps[0]->position, 2);
    (*out)->args[0] = value;
    (*out)->args[1] = at;

out:
    return st;
}

// name[n]: its n-th character, from 0, as "char". Catalog queries of tools use it.
static struct status bind_name_subscript(struct binder *binder, struct scope *scope, struct scalar *value,
    const struct expr *expr, struct scalar **out)
{
    struct status st;
    bool done;
    struct scalar *args[3] = {value};
    struct scalar *one = scalar_const(binder->arena, TYPE_OF(TYPE_INT4), datum_int(1), expr->position);
    TRY(bind_expr(binder, scope, expr->subscript.lower, &args[1]));
    TRY(bind_operator(binder, "+", args[1], one, expr->position, &args[1]));
    TRY(bind_coerce(binder, &args[0], TYPE_OF(TYPE_TEXT), CAST_EXPLICIT, &done));
    args[2] = one;
    TRY(bind_call(binder, "substr", args, 3, expr->position, out));
    TRY(bind_coerce(binder, out, TYPE_OF(TYPE_CHAR_INTERNAL), CAST_EXPLICIT, &done));
out:
    return st;
}

// jsonb[...]...: what lies at the path of its subscripts.
static struct status bind_path(struct binder *binder, struct scope *scope, struct scalar *value,
    const struct expr *const *steps, uint32_t count, struct scalar **out)
{
    struct status st = STATUS_OK;
    struct scalar *path = scalar_with_args(
        binder->arena, SCALAR_ARRAY, TYPE_OF(TYPE_TEXT_ARRAY), steps[0]->position, count);
    for (uint32_t i = 0; i < count; i++) {
        struct scalar **key = &path->args[i];
        if (steps[i]->subscript.slice)
            return bind_error(binder, steps[i]->position, E_DATATYPE_MISMATCH,
                "jsonb subscript does not support slices");
        TRY(bind_expr(binder, scope, steps[i]->subscript.lower, key));
        bool number = (*key)->type.oid == TYPE_INT2 || (*key)->type.oid == TYPE_INT4, done = true;
        TRY(bind_coerce(
            binder, key, TYPE_OF(TYPE_TEXT), number ? CAST_EXPLICIT : CAST_IMPLICIT, &done));
        if (!done)
            return status_hint(binder->arena,
                bind_error(binder, steps[i]->position, E_DATATYPE_MISMATCH,
                    "subscript type %s is not supported", bind_type_text(binder, (*key)->type)),
                "jsonb subscript must be coercible to either integer or text.");
    }
    st = bind_operator(binder, "#>", value, path, steps[0]->position, out);
out:
    return st;
}

struct status bind_subscript(
    struct binder *binder, struct scope *scope, const struct expr *expr, struct scalar **out)
{
    struct status st = STATUS_OK;
    const struct expr *steps[SUBSCRIPTS_MAX], *base = expr;
    uint32_t count = 0, at = SUBSCRIPTS_MAX;
    struct scalar *value;
    // a[1][2] is one expression in another: the outermost holds the last subscript.
    for (bool apart = false; base->kind == EXPR_SUBSCRIPT && !apart;
         apart = base->subscript.apart, base = base->subscript.arg, count++) {
        if (count == SUBSCRIPTS_MAX)
            return bind_error(binder, expr->position, E_PROGRAM_LIMIT_EXCEEDED,
                "number of array dimensions (%u) exceeds the maximum allowed (%d)", count + 1,
                SUBSCRIPTS_MAX);
        steps[--at] = base;
    }
    TRY(bind_expr(binder, scope, base, &value));
    const struct type_info *info = type_info(value->type.oid);
    if (value->type.oid == TYPE_NAME && count == 1 && !expr->subscript.slice) {
        TRY(bind_name_subscript(binder, scope, value, expr, out));
        goto out;
    }
    if (type_part(value->type.oid) != 0)
        return bind_part(binder, scope, value, steps + at, count, out);
    if (value->type.oid != TYPE_JSONB) {
        if (info == NULL || info->element == 0)
            return bind_error(binder, expr->position, E_DATATYPE_MISMATCH,
                "cannot subscript type %s because it does not support subscripting",
                bind_type_text(binder, value->type));
        return bind_array_subscripts(binder, scope, value, steps + at, count, out);
    }
    st = bind_path(binder, scope, value, steps + at, count, out);

out:
    return st;
}
