// SPDX-License-Identifier: GPL-3.0-or-later
//
// Operators and calls: which function a name and its arguments mean; rows compared item by item.
#include "sql/bind/bind.h"

struct scalar *bind_logic_node(
    struct binder *binder, enum scalar_kind kind, struct scalar *a, struct scalar *b)
{
    if (a == NULL) return b;
    struct scalar *scalar =
        scalar_with_args(binder->arena, kind, TYPE_OF(TYPE_BOOL), a->position, 2);
    scalar->args[0] = a;
    scalar->args[1] = b;
    return scalar;
}

struct status bind_same_items(
    struct binder *binder, struct scalar *left, struct scalar *right, uint32_t position)
{
    if (left->kind != SCALAR_ROW || right->kind != SCALAR_ROW ||
        left->arg_count != right->arg_count)
        return bind_error(
            binder, position, E_SYNTAX_ERROR, "unequal number of entries in row expressions");
    if (left->arg_count == 0)
        return bind_unsupported(binder, position, "comparing rows of zero length");
    return STATUS_OK;
}

// (a, b) < (c, d) is a < c OR (a = c AND b < d), from the last item outwards.
static struct status bind_row_order(struct binder *binder, const char *name, struct scalar *left,
    struct scalar *right, uint32_t position, struct scalar **out)
{
    struct status st = STATUS_OK;
    const char strict[2] = {name[0], 0};
    uint32_t last = left->arg_count - 1;
    TRY(bind_operator(binder, name, left->args[last], right->args[last], position, out));
    const char *strict_name = strict[0] == '<' ? "<" : ">";
    for (uint32_t i = last; i-- > 0;) {
        struct scalar *before, *equal;
        TRY(bind_operator(binder, strict_name, left->args[i], right->args[i], position, &before));
        TRY(bind_operator(binder, "=", left->args[i], right->args[i], position, &equal));
        *out = bind_logic_node(
            binder, SCALAR_OR, before, bind_logic_node(binder, SCALAR_AND, equal, *out));
    }

out:
    return st;
}

// Of whole rows NULLs are equal, as values of one type are.
static struct status bind_whole_equal(struct binder *binder, struct scalar *left,
    struct scalar *right, bool equal, struct scalar **out)
{
    struct status st = STATUS_OK;
    *out = NULL;
    for (uint32_t i = 0; i < left->arg_count; i++) {
        struct scalar *pair[2] = {left->args[i], right->args[i]};
        struct type type;
        TRY(bind_common_type(binder, "row comparison", pair, 2, &type));
        struct scalar *item = scalar_with_args(
            binder->arena, SCALAR_DISTINCT, TYPE_OF(TYPE_BOOL), left->position, 2);
        memcpy(item->args, pair, sizeof pair);
        item->negated = equal;
        *out = bind_logic_node(binder, equal ? SCALAR_AND : SCALAR_OR, *out, item);
    }

out:
    return st;
}

static struct status bind_row_operator(struct binder *binder, const char *name, struct scalar *left,
    struct scalar *right, uint32_t position, struct scalar **out)
{
    struct status st = STATUS_OK;
    TRY(bind_same_items(binder, left, right, position));
    bool equal = strcmp(name, "=") == 0;
    if (left->row.names != NULL) return bind_whole_equal(binder, left, right, equal, out);
    if (equal || strcmp(name, "<>") == 0) {
        *out = NULL;
        for (uint32_t i = 0; i < left->arg_count; i++) {
            struct scalar *item;
            TRY(bind_operator(binder, name, left->args[i], right->args[i], position, &item));
            *out = bind_logic_node(binder, equal ? SCALAR_AND : SCALAR_OR, *out, item);
        }
        return st;
    }
    if (strcmp(name, "<") == 0 || strcmp(name, "<=") == 0 || strcmp(name, ">") == 0 ||
        strcmp(name, ">=") == 0)
        return bind_row_order(binder, name, left, right, position, out);
    for (uint32_t i = 0; i < left->arg_count; i++) {
        TRY(bind_operator(binder, name, left->args[i], right->args[i], position, out));
        if ((*out)->type.oid != TYPE_BOOL)
            return bind_error(binder, position, E_DATATYPE_MISMATCH,
                "row comparison operator must yield type boolean, not type %s", bind_type_text(binder, (*out)->type));
    }
    if (left->arg_count == 1) return st;
    return status_hint(binder->arena,
        bind_error(binder, position, E_FEATURE_NOT_SUPPORTED,
            "could not determine interpretation of row comparison operator %s", name),
        "Row comparison operators must be associated with btree operator families.");

out:
    return st;
}

struct status bind_coerce_args(struct binder *binder, struct scalar **args, uint32_t count,
    const struct function_match *match)
{
    struct status st = STATUS_OK;
    for (uint32_t i = 0; i < count; i++) {
        bool done;
        type_oid oid = match->args[i];
        if (oid == TYPE_ANY || oid == 0) continue;
        if (args[i]->type.oid == oid) continue;
        TRY(bind_coerce(binder, &args[i], TYPE_OF(oid), CAST_IMPLICIT, &done));
        if (!done) TRY(bind_coerce(binder, &args[i], TYPE_OF(oid), CAST_EXPLICIT, NULL));
    }

out:
    return st;
}

bool bind_rows_by_item(const struct scalar *left, const struct scalar *right)
{
    if (left->kind != SCALAR_ROW || right->kind != SCALAR_ROW) return false;
    if (left->row.names == NULL && right->row.names == NULL) return true;
    if (left->row.names == NULL || right->row.names == NULL || left->row.present != NULL || right->row.present != NULL ||
        left->type.oid != right->type.oid || left->arg_count != right->arg_count)
        return false;
    for (uint32_t i = 0; i < left->arg_count; i++)
        if (left->args[i]->type.oid != right->args[i]->type.oid || !type_is_ordered(left->args[i]->type.oid)) return false;
    return true;
}

struct status bind_operator(struct binder *binder, const char *name, struct scalar *left,
    struct scalar *right, uint32_t position, struct scalar **out)
{
    struct status st = STATUS_OK;
    struct scalar *args[2];
    struct type types[2];
    uint32_t count = left == NULL ? 1 : 2;
    bool equality = strcmp(name, "=") == 0 || strcmp(name, "<>") == 0;
    bool written = left != NULL && left->kind == SCALAR_ROW && left->row.names == NULL;
    if (left != NULL && (equality || written) && bind_rows_by_item(left, right))
        return bind_row_operator(binder, name, left, right, position, out);
    // Otherwise a row is a value.
    if (left != NULL) TRY(bind_row_value(binder, &left));
    TRY(bind_row_value(binder, &right));
    args[0] = left == NULL ? right : left;
    args[1] = right;
    if (count == 2) TRY(bind_domain_operands(binder, name, &args[0], &args[1], position));
    for (uint32_t i = 0; i < count; i++) types[i] = args[i]->type;
    struct function_match match;
    TRY(bind_at(binder,
        function_resolve(binder->arena, FUNCTION_OPERATOR, NULL, name, types, count, &match),
        position));
    TRY(bind_coerce_args(binder, args, count, &match));
    TRY(bind_call_node(binder, &match, args, count, position, out));

out:
    return st;
}

struct status bind_call(struct binder *binder, const char *name, struct scalar **args,
    uint32_t count, uint32_t position, struct scalar **out)
{
    struct status st = STATUS_OK;
    struct function_match match;
    struct type *types = ARENA_ARRAY(binder->arena, struct type, count);
    for (uint32_t i = 0; i < count; i++) types[i] = args[i]->type;
    TRY(bind_at(binder,
        function_resolve(binder->arena, FUNCTION_SCALAR, NULL, name, types, count, &match),
        position));
    TRY(bind_coerce_args(binder, args, count, &match));
    TRY(bind_call_node(binder, &match, args, count, position, out));

out:
    return st;
}
