// SPDX-License-Identifier: GPL-3.0-or-later
//
// Functions of enums: enum_first, enum_last, enum_range, enum_cmp. Their arguments' values do not matter to
// the first three, only their type.
#include "sql/type/array.h"
#include "sql/function/function_table.h"
#include "sql/type/type_user.h"

static const struct user_type *type_of(const struct function_call *call)
{
    return type_user(call->arg_types[0].oid);
}

static struct status empty(struct function_call *call)
{
    return status_format(call->arena, E_NOT_IN_PREREQUISITE_STATE, "enum %s contains no values",
        type_of(call)->info.sql_name);
}

BODY(enum_first)
{
    (void)args;
    const struct user_type *type = type_of(call);
    if (type->count == 0) return empty(call);
    *result = datum_int(type->by_order[0].order);
    return STATUS_OK;
}

BODY(enum_last)
{
    (void)args;
    const struct user_type *type = type_of(call);
    if (type->count == 0) return empty(call);
    *result = datum_int(type->by_order[type->count - 1].order);
    return STATUS_OK;
}

// NULL bounds: the first and the last.
static struct status range(
    struct function_call *call, struct datum low, struct datum high, struct datum *result)
{
    struct status st = STATUS_OK;
    const struct user_type *type = type_of(call);
    struct array_builder builder;
    array_builder_init(&builder, call->arena, type->info.oid);
    for (uint32_t i = 0; i < type->count; i++) {
        int64_t order = type->by_order[i].order;
        if ((!low.null && order < low.integer) || (!high.null && order > high.integer)) continue;
        TRY(array_builder_add(&builder, datum_int(order)));
    }
    TRY(array_builder_finish(&builder, result));
out:
    return st;
}

BODY(enum_range_all)
{
    (void)args;
    return range(call, DATUM_NULL, DATUM_NULL, result);
}

BODY(enum_range_between)
{
    return range(call, args[0], args[1], result);
}

BODY(enum_cmp)
{
    (void)call;
    *result = datum_int((args[0].integer > args[1].integer) - (args[0].integer < args[1].integer));
    return STATUS_OK;
}

// clang-format off
static const struct function table[] = {
    LAX_STABLE("enum_first", 3528, ANYENUM, enum_first, TYPE_ANYENUM),
    LAX_STABLE("enum_last", 3529, ANYENUM, enum_last, TYPE_ANYENUM),
    LAX_STABLE("enum_range", 3530, ANYARRAY, enum_range_between, TYPE_ANYENUM, TYPE_ANYENUM),
    LAX_STABLE("enum_range", 3531, ANYARRAY, enum_range_all, TYPE_ANYENUM),
    SCALAR("enum_cmp", 3514, INT4, enum_cmp, TYPE_ANYENUM, TYPE_ANYENUM),
};
// clang-format on

void functions_enum_register(void)
{
    function_register(table, TABLE_COUNT(table));
}
