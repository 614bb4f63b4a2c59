// SPDX-License-Identifier: GPL-3.0-or-later
//
// Which aggregates can be computed in parts, on the shards that lead the rows (sql/exec/op_partial.c). What runs there has no
// session and shares this plan with others: so only what needs nothing but its arguments.
#include "core/deep.h"
#include "sql/type/collation.h"
#include "sql/plan/plan_internal.h"

static bool type_is_plain(type_oid type)
{
    switch (type) {
    case TYPE_BOOL:
    case TYPE_BYTEA:
    case TYPE_INT2:
    case TYPE_INT4:
    case TYPE_INT8:
    case TYPE_OID:
    case TYPE_FLOAT4:
    case TYPE_FLOAT8:
    case TYPE_NUMERIC:
    case TYPE_TEXT:
    case TYPE_VARCHAR:
    case TYPE_BPCHAR:
    case TYPE_DATE:
    case TYPE_TIMESTAMP:
    case TYPE_UUID: return true;
    default: return false;
    }
}

static bool is_number(type_oid type)
{
    return type == TYPE_INT2 || type == TYPE_INT4 || type == TYPE_INT8 || type == TYPE_FLOAT4 ||
           type == TYPE_FLOAT8 || type == TYPE_NUMERIC;
}

static bool cast_is_plain(const struct scalar *scalar)
{
    const struct cast *cast = scalar->cast.cast;
    if (cast == NULL || scalar->unread) return false;
    return cast->binary || (is_number(cast->from) && is_number(cast->to)) ||
           (cast->from == TYPE_DATE && cast->to == TYPE_TIMESTAMP);
}

static bool scalar_is_plain(const struct scalar *scalar)
{
    // Numbers of collations are the shard's own.
    if (!type_is_plain(collation_type(scalar->type)) || !deep_goes_on(1)) return false;
    for (uint32_t i = 0; i < scalar->arg_count; i++)
        if (!scalar_is_plain(scalar->args[i])) return false;
    switch (scalar->kind) {
    case SCALAR_CONST:
    case SCALAR_PARAM:
    case SCALAR_VAR:
    case SCALAR_TYPMOD:
    case SCALAR_AND:
    case SCALAR_OR:
    case SCALAR_NOT:
    case SCALAR_IS:
    case SCALAR_DISTINCT:
    case SCALAR_CASE:
    case SCALAR_COALESCE:
    case SCALAR_EXTREME:
    case SCALAR_NULLIF:
    case SCALAR_IN: return true;
    case SCALAR_CALL:
        return scalar->function->volatility == FUNCTION_IMMUTABLE && scalar->function->user == NULL;
    case SCALAR_CAST: return cast_is_plain(scalar);
    default: return false;
    }
}

static bool call_is_plain(const struct rel_aggregate *call)
{
    const struct aggregate_ops *ops = call->function->aggregate;
    // The order of arrays' and texts' parts is that of the rows.
    bool ordered = type_is_plain(call->type.oid) == false || call->type.oid == TYPE_TEXT ||
                   call->type.oid == TYPE_BYTEA;
    bool extreme = call->arg_count == 1 && (strcmp(call->function->name, "min") == 0 ||
                                               strcmp(call->function->name, "max") == 0);
    if (ops == NULL || ops->merge == NULL || ops->ordered_set || call->distinct ||
        call->order_count > 0 || (ordered && !extreme))
        return false;
    for (uint32_t i = 0; i < call->arg_count; i++)
        if (!scalar_is_plain(call->args[i])) return false;
    return call->filter == NULL || scalar_is_plain(call->filter);
}

bool plan_aggregate_is_partial(const struct rel *rel, const struct node *node)
{
    const struct node *scan = node->left;
    if (rel->left->kind != REL_SCAN || scan->kind != NODE_SCAN || node->aggregate.ordered ||
        node->aggregate.set_count > 0 || node->aggregate.grouping_count > 0)
        return false;
    if (scan->scan.primary != NULL || scan->scan.lock != REL_LOCK_NONE || scan->scan.access.point ||
        scan->scan.inverted_count > 0 || scan->scan.reverse)
        return false;
    for (uint32_t i = 0; i < scan->layout.count; i++)
        if (!type_is_plain(scan->types[i])) return false;
    for (uint32_t i = 0; i < scan->scan.index->key_count; i++)
        if (collation_is_type(scan->scan.index->keys[i].type)) return false;
    for (uint32_t i = 0; scan->scan.conjuncts != NULL && i < scan->scan.conjuncts->count; i++)
        if (!scalar_is_plain(scan->scan.conjuncts->items[i])) return false;
    for (uint32_t i = 0; i < rel->aggregate.groups.count; i++)
        if (!scalar_is_plain(rel->aggregate.groups.items[i].scalar)) return false;
    for (uint32_t i = 0; i < rel->aggregate.aggregate_count; i++)
        if (!call_is_plain(&rel->aggregate.aggregates[i])) return false;
    return true;
}
