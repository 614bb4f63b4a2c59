// SPDX-License-Identifier: GPL-3.0-or-later
//
// = <> < <= > >= of every type with an order. Types by value and plain bytes have functions of their
// own; the others go through the type's comparison.
#include <math.h>

#include "sql/function/function_table.h"
#include "sql/type/record.h"

#define COMPARISON(kind, name, condition) \
    BODY(kind##_##name) \
    { \
        (void)call; \
        *result = datum_bool(condition); \
        return STATUS_OK; \
    }

#define COMPARISONS(kind, compare) \
    COMPARISON(kind, equal, compare == 0) \
    COMPARISON(kind, not_equal, compare != 0) \
    COMPARISON(kind, less, compare < 0) \
    COMPARISON(kind, less_equal, compare <= 0) \
    COMPARISON(kind, greater, compare > 0) \
    COMPARISON(kind, greater_equal, compare >= 0)

COMPARISON(int, equal, args[0].integer == args[1].integer)
COMPARISON(int, not_equal, args[0].integer != args[1].integer)
COMPARISON(int, less, args[0].integer < args[1].integer)
COMPARISON(int, less_equal, args[0].integer <= args[1].integer)
COMPARISON(int, greater, args[0].integer > args[1].integer)
COMPARISON(int, greater_equal, args[0].integer >= args[1].integer)

static inline int compare_bool(const struct datum *args)
{
    return (int)args[0].boolean - (int)args[1].boolean;
}
COMPARISONS(boolean, compare_bool(args))

// NaN is the greatest and equals itself.
static inline int compare_float(const struct datum *args)
{
    double a = args[0].real, b = args[1].real;
    if (UNLIKELY(isnan(a))) return isnan(b) ? 0 : 1;
    if (UNLIKELY(isnan(b))) return -1;
    return (a > b) - (a < b);
}
COMPARISONS(float, compare_float(args))

static inline int compare_bytes(const struct datum *args)
{
    return bytes_compare(datum_as_bytes(args[0]), datum_as_bytes(args[1]));
}
COMPARISON(string, equal, bytes_equal(datum_as_bytes(args[0]), datum_as_bytes(args[1])))
COMPARISON(string, not_equal, !bytes_equal(datum_as_bytes(args[0]), datum_as_bytes(args[1])))
COMPARISON(string, less, compare_bytes(args) < 0)
COMPARISON(string, less_equal, compare_bytes(args) <= 0)
COMPARISON(string, greater, compare_bytes(args) > 0)
COMPARISON(string, greater_equal, compare_bytes(args) >= 0)

static inline int compare_any(const struct function_call *call, const struct datum *args)
{
    return type_compare(call->arg_types[0].oid, args[0], args[1]);
}
COMPARISONS(any, compare_any(call, args))

struct status function_check_ordered(
    struct function_call *call, type_oid type, const char *missing)
{
    if (type != TYPE_UNKNOWN && type_is_ordered(type)) return STATUS_OK;
    return status_format(call->arena, E_UNDEFINED_FUNCTION, "could not identify %s for type %s",
        missing, type_format(call->arena, TYPE_OF(type)));
}

// Items may have no order.
#define ARRAY_COMPARISON(name, missing, condition) \
    BODY(array_##name) \
    { \
        type_oid type = call->arg_types[0].oid; \
        struct status st = function_check_ordered(call, type_info(type)->element, missing); \
        if (failed(st)) return st; \
        int order = type_compare(type, args[0], args[1]); \
        *result = datum_bool(condition); \
        return st; \
    }
ARRAY_COMPARISON(equal, MISSING_EQUALITY, order == 0)
ARRAY_COMPARISON(not_equal, MISSING_EQUALITY, order != 0)
ARRAY_COMPARISON(less, MISSING_ORDER, order < 0)
ARRAY_COMPARISON(less_equal, MISSING_ORDER, order <= 0)
ARRAY_COMPARISON(greater, MISSING_ORDER, order > 0)
ARRAY_COMPARISON(greater_equal, MISSING_ORDER, order >= 0)

// Of unlike rows there is no order, unless what comes before settles it.
static struct status check_records(struct function_call *call, const struct datum *args, const char *missing)
{
    struct status st;
    struct record_cursor x, y;
    struct record_field f, g;
    TRY(record_open(args[0], &x));
    TRY(record_open(args[1], &y));
    for (uint32_t i = 1; x.count > 0 && y.count > 0; i++) {
        TRY(record_next(&x, &f));
        TRY(record_next(&y, &g));
        if (f.type != g.type)
            return status_format(call->arena, E_DATATYPE_MISMATCH,
                "cannot compare dissimilar column types %s and %s at record column %u",
                type_format(call->arena, TYPE_OF(f.type)),
                type_format(call->arena, TYPE_OF(g.type)), i);
        TRY(function_check_ordered(call, f.type, missing));
        if (f.value.null != g.value.null || (!f.value.null && type_compare(f.type, f.value, g.value) != 0)) return st;
    }
    if (x.count != y.count)
        return status_make(
            E_DATATYPE_MISMATCH, "cannot compare record types with different numbers of columns");

out:
    return st;
}

#define RECORD_COMPARISON(name, missing, condition) \
    BODY(record_##name) \
    { \
        struct status st = check_records(call, args, missing); \
        if (failed(st)) return st; \
        int order = type_compare(TYPE_RECORD, args[0], args[1]); \
        *result = datum_bool(condition); \
        return STATUS_OK; \
    }
RECORD_COMPARISON(equal, MISSING_EQUALITY, order == 0)
RECORD_COMPARISON(not_equal, MISSING_EQUALITY, order != 0)
RECORD_COMPARISON(less, MISSING_ORDER, order < 0)
RECORD_COMPARISON(less_equal, MISSING_ORDER, order <= 0)
RECORD_COMPARISON(greater, MISSING_ORDER, order > 0)
RECORD_COMPARISON(greater_equal, MISSING_ORDER, order >= 0)

// clang-format off
static const struct function table[] = {
    OPERATOR("=", 91, BOOL, boolean_equal, "=", "<>", TYPE_BOOL, TYPE_BOOL),
    OPERATOR("<>", 85, BOOL, boolean_not_equal, "<>", "=", TYPE_BOOL, TYPE_BOOL),
    OPERATOR("<", 58, BOOL, boolean_less, ">", ">=", TYPE_BOOL, TYPE_BOOL),
    OPERATOR("<=", 1694, BOOL, boolean_less_equal, ">=", ">", TYPE_BOOL, TYPE_BOOL),
    OPERATOR(">", 59, BOOL, boolean_greater, "<", "<=", TYPE_BOOL, TYPE_BOOL),
    OPERATOR(">=", 1695, BOOL, boolean_greater_equal, "<=", "<", TYPE_BOOL, TYPE_BOOL),
    OPERATOR("=", 1955, BOOL, string_equal, "=", "<>", TYPE_BYTEA, TYPE_BYTEA),
    OPERATOR("<>", 1956, BOOL, string_not_equal, "<>", "=", TYPE_BYTEA, TYPE_BYTEA),
    OPERATOR("<", 1957, BOOL, string_less, ">", ">=", TYPE_BYTEA, TYPE_BYTEA),
    OPERATOR("<=", 1958, BOOL, string_less_equal, ">=", ">", TYPE_BYTEA, TYPE_BYTEA),
    OPERATOR(">", 1959, BOOL, string_greater, "<", "<=", TYPE_BYTEA, TYPE_BYTEA),
    OPERATOR(">=", 1960, BOOL, string_greater_equal, "<=", "<", TYPE_BYTEA, TYPE_BYTEA),
    OPERATOR("=", 92, BOOL, int_equal, "=", "<>", TYPE_CHAR_INTERNAL, TYPE_CHAR_INTERNAL),
    OPERATOR("<>", 630, BOOL, int_not_equal, "<>", "=", TYPE_CHAR_INTERNAL, TYPE_CHAR_INTERNAL),
    OPERATOR("<", 631, BOOL, int_less, ">", ">=", TYPE_CHAR_INTERNAL, TYPE_CHAR_INTERNAL),
    OPERATOR("<=", 632, BOOL, int_less_equal, ">=", ">", TYPE_CHAR_INTERNAL, TYPE_CHAR_INTERNAL),
    OPERATOR(">", 633, BOOL, int_greater, "<", "<=", TYPE_CHAR_INTERNAL, TYPE_CHAR_INTERNAL),
    OPERATOR(">=", 634, BOOL, int_greater_equal, "<=", "<", TYPE_CHAR_INTERNAL, TYPE_CHAR_INTERNAL),
    OPERATOR("=", 93, BOOL, string_equal, "=", "<>", TYPE_NAME, TYPE_NAME),
    OPERATOR("<>", 643, BOOL, string_not_equal, "<>", "=", TYPE_NAME, TYPE_NAME),
    OPERATOR("<", 660, BOOL, string_less, ">", ">=", TYPE_NAME, TYPE_NAME),
    OPERATOR("<=", 661, BOOL, string_less_equal, ">=", ">", TYPE_NAME, TYPE_NAME),
    OPERATOR(">", 662, BOOL, string_greater, "<", "<=", TYPE_NAME, TYPE_NAME),
    OPERATOR(">=", 663, BOOL, string_greater_equal, "<=", "<", TYPE_NAME, TYPE_NAME),
    OPERATOR("=", 254, BOOL, string_equal, "=", "<>", TYPE_NAME, TYPE_TEXT),
    OPERATOR("<>", 259, BOOL, string_not_equal, "<>", "=", TYPE_NAME, TYPE_TEXT),
    OPERATOR("<", 255, BOOL, string_less, ">", ">=", TYPE_NAME, TYPE_TEXT),
    OPERATOR("<=", 256, BOOL, string_less_equal, ">=", ">", TYPE_NAME, TYPE_TEXT),
    OPERATOR(">", 258, BOOL, string_greater, "<", "<=", TYPE_NAME, TYPE_TEXT),
    OPERATOR(">=", 257, BOOL, string_greater_equal, "<=", "<", TYPE_NAME, TYPE_TEXT),
    OPERATOR("=", 410, BOOL, int_equal, "=", "<>", TYPE_INT8, TYPE_INT8),
    OPERATOR("<>", 411, BOOL, int_not_equal, "<>", "=", TYPE_INT8, TYPE_INT8),
    OPERATOR("<", 412, BOOL, int_less, ">", ">=", TYPE_INT8, TYPE_INT8),
    OPERATOR("<=", 414, BOOL, int_less_equal, ">=", ">", TYPE_INT8, TYPE_INT8),
    OPERATOR(">", 413, BOOL, int_greater, "<", "<=", TYPE_INT8, TYPE_INT8),
    OPERATOR(">=", 415, BOOL, int_greater_equal, "<=", "<", TYPE_INT8, TYPE_INT8),
    OPERATOR("=", 1868, BOOL, int_equal, "=", "<>", TYPE_INT8, TYPE_INT2),
    OPERATOR("<>", 1869, BOOL, int_not_equal, "<>", "=", TYPE_INT8, TYPE_INT2),
    OPERATOR("<", 1870, BOOL, int_less, ">", ">=", TYPE_INT8, TYPE_INT2),
    OPERATOR("<=", 1872, BOOL, int_less_equal, ">=", ">", TYPE_INT8, TYPE_INT2),
    OPERATOR(">", 1871, BOOL, int_greater, "<", "<=", TYPE_INT8, TYPE_INT2),
    OPERATOR(">=", 1873, BOOL, int_greater_equal, "<=", "<", TYPE_INT8, TYPE_INT2),
    OPERATOR("=", 416, BOOL, int_equal, "=", "<>", TYPE_INT8, TYPE_INT4),
    OPERATOR("<>", 417, BOOL, int_not_equal, "<>", "=", TYPE_INT8, TYPE_INT4),
    OPERATOR("<", 418, BOOL, int_less, ">", ">=", TYPE_INT8, TYPE_INT4),
    OPERATOR("<=", 420, BOOL, int_less_equal, ">=", ">", TYPE_INT8, TYPE_INT4),
    OPERATOR(">", 419, BOOL, int_greater, "<", "<=", TYPE_INT8, TYPE_INT4),
    OPERATOR(">=", 430, BOOL, int_greater_equal, "<=", "<", TYPE_INT8, TYPE_INT4),
    OPERATOR("=", 1862, BOOL, int_equal, "=", "<>", TYPE_INT2, TYPE_INT8),
    OPERATOR("<>", 1863, BOOL, int_not_equal, "<>", "=", TYPE_INT2, TYPE_INT8),
    OPERATOR("<", 1864, BOOL, int_less, ">", ">=", TYPE_INT2, TYPE_INT8),
    OPERATOR("<=", 1866, BOOL, int_less_equal, ">=", ">", TYPE_INT2, TYPE_INT8),
    OPERATOR(">", 1865, BOOL, int_greater, "<", "<=", TYPE_INT2, TYPE_INT8),
    OPERATOR(">=", 1867, BOOL, int_greater_equal, "<=", "<", TYPE_INT2, TYPE_INT8),
    OPERATOR("=", 94, BOOL, int_equal, "=", "<>", TYPE_INT2, TYPE_INT2),
    OPERATOR("<>", 519, BOOL, int_not_equal, "<>", "=", TYPE_INT2, TYPE_INT2),
    OPERATOR("<", 95, BOOL, int_less, ">", ">=", TYPE_INT2, TYPE_INT2),
    OPERATOR("<=", 522, BOOL, int_less_equal, ">=", ">", TYPE_INT2, TYPE_INT2),
    OPERATOR(">", 520, BOOL, int_greater, "<", "<=", TYPE_INT2, TYPE_INT2),
    OPERATOR(">=", 524, BOOL, int_greater_equal, "<=", "<", TYPE_INT2, TYPE_INT2),
    OPERATOR("=", 532, BOOL, int_equal, "=", "<>", TYPE_INT2, TYPE_INT4),
    OPERATOR("<>", 538, BOOL, int_not_equal, "<>", "=", TYPE_INT2, TYPE_INT4),
    OPERATOR("<", 534, BOOL, int_less, ">", ">=", TYPE_INT2, TYPE_INT4),
    OPERATOR("<=", 540, BOOL, int_less_equal, ">=", ">", TYPE_INT2, TYPE_INT4),
    OPERATOR(">", 536, BOOL, int_greater, "<", "<=", TYPE_INT2, TYPE_INT4),
    OPERATOR(">=", 542, BOOL, int_greater_equal, "<=", "<", TYPE_INT2, TYPE_INT4),
    OPERATOR("=", 15, BOOL, int_equal, "=", "<>", TYPE_INT4, TYPE_INT8),
    OPERATOR("<>", 36, BOOL, int_not_equal, "<>", "=", TYPE_INT4, TYPE_INT8),
    OPERATOR("<", 37, BOOL, int_less, ">", ">=", TYPE_INT4, TYPE_INT8),
    OPERATOR("<=", 80, BOOL, int_less_equal, ">=", ">", TYPE_INT4, TYPE_INT8),
    OPERATOR(">", 76, BOOL, int_greater, "<", "<=", TYPE_INT4, TYPE_INT8),
    OPERATOR(">=", 82, BOOL, int_greater_equal, "<=", "<", TYPE_INT4, TYPE_INT8),
    OPERATOR("=", 533, BOOL, int_equal, "=", "<>", TYPE_INT4, TYPE_INT2),
    OPERATOR("<>", 539, BOOL, int_not_equal, "<>", "=", TYPE_INT4, TYPE_INT2),
    OPERATOR("<", 535, BOOL, int_less, ">", ">=", TYPE_INT4, TYPE_INT2),
    OPERATOR("<=", 541, BOOL, int_less_equal, ">=", ">", TYPE_INT4, TYPE_INT2),
    OPERATOR(">", 537, BOOL, int_greater, "<", "<=", TYPE_INT4, TYPE_INT2),
    OPERATOR(">=", 543, BOOL, int_greater_equal, "<=", "<", TYPE_INT4, TYPE_INT2),
    OPERATOR("=", 96, BOOL, int_equal, "=", "<>", TYPE_INT4, TYPE_INT4),
    OPERATOR("<>", 518, BOOL, int_not_equal, "<>", "=", TYPE_INT4, TYPE_INT4),
    OPERATOR("<", 97, BOOL, int_less, ">", ">=", TYPE_INT4, TYPE_INT4),
    OPERATOR("<=", 523, BOOL, int_less_equal, ">=", ">", TYPE_INT4, TYPE_INT4),
    OPERATOR(">", 521, BOOL, int_greater, "<", "<=", TYPE_INT4, TYPE_INT4),
    OPERATOR(">=", 525, BOOL, int_greater_equal, "<=", "<", TYPE_INT4, TYPE_INT4),
    OPERATOR("=", 260, BOOL, string_equal, "=", "<>", TYPE_TEXT, TYPE_NAME),
    OPERATOR("<>", 265, BOOL, string_not_equal, "<>", "=", TYPE_TEXT, TYPE_NAME),
    OPERATOR("<", 261, BOOL, string_less, ">", ">=", TYPE_TEXT, TYPE_NAME),
    OPERATOR("<=", 262, BOOL, string_less_equal, ">=", ">", TYPE_TEXT, TYPE_NAME),
    OPERATOR(">", 264, BOOL, string_greater, "<", "<=", TYPE_TEXT, TYPE_NAME),
    OPERATOR(">=", 263, BOOL, string_greater_equal, "<=", "<", TYPE_TEXT, TYPE_NAME),
    OPERATOR("=", 98, BOOL, string_equal, "=", "<>", TYPE_TEXT, TYPE_TEXT),
    OPERATOR("<>", 531, BOOL, string_not_equal, "<>", "=", TYPE_TEXT, TYPE_TEXT),
    OPERATOR("<", 664, BOOL, string_less, ">", ">=", TYPE_TEXT, TYPE_TEXT),
    OPERATOR("<=", 665, BOOL, string_less_equal, ">=", ">", TYPE_TEXT, TYPE_TEXT),
    OPERATOR(">", 666, BOOL, string_greater, "<", "<=", TYPE_TEXT, TYPE_TEXT),
    OPERATOR(">=", 667, BOOL, string_greater_equal, "<=", "<", TYPE_TEXT, TYPE_TEXT),
    OPERATOR("=", 607, BOOL, int_equal, "=", "<>", TYPE_OID, TYPE_OID),
    OPERATOR("<>", 608, BOOL, int_not_equal, "<>", "=", TYPE_OID, TYPE_OID),
    OPERATOR("<", 609, BOOL, int_less, ">", ">=", TYPE_OID, TYPE_OID),
    OPERATOR("<=", 611, BOOL, int_less_equal, ">=", ">", TYPE_OID, TYPE_OID),
    OPERATOR(">", 610, BOOL, int_greater, "<", "<=", TYPE_OID, TYPE_OID),
    OPERATOR(">=", 612, BOOL, int_greater_equal, "<=", "<", TYPE_OID, TYPE_OID),
    OPERATOR("=", 387, BOOL, string_equal, "=", "<>", TYPE_TID, TYPE_TID),
    OPERATOR("<>", 402, BOOL, string_not_equal, "<>", "=", TYPE_TID, TYPE_TID),
    OPERATOR("<", 2799, BOOL, string_less, ">", ">=", TYPE_TID, TYPE_TID),
    OPERATOR("<=", 2801, BOOL, string_less_equal, ">=", ">", TYPE_TID, TYPE_TID),
    OPERATOR(">", 2800, BOOL, string_greater, "<", "<=", TYPE_TID, TYPE_TID),
    OPERATOR(">=", 2802, BOOL, string_greater_equal, "<=", "<", TYPE_TID, TYPE_TID),
    OPERATOR("=", 353, BOOL, int_equal, "=", "<>", TYPE_XID, TYPE_INT4),
    OPERATOR("<>", 3316, BOOL, int_not_equal, "<>", "=", TYPE_XID, TYPE_INT4),
    OPERATOR("=", 352, BOOL, int_equal, "=", "<>", TYPE_XID, TYPE_XID),
    OPERATOR("<>", 3315, BOOL, int_not_equal, "<>", "=", TYPE_XID, TYPE_XID),
    OPERATOR("=", 385, BOOL, int_equal, "=", "<>", TYPE_CID, TYPE_CID),
    OPERATOR("=", 649, BOOL, any_equal, "=", "<>", TYPE_OIDVECTOR, TYPE_OIDVECTOR),
    OPERATOR("<>", 644, BOOL, any_not_equal, "<>", "=", TYPE_OIDVECTOR, TYPE_OIDVECTOR),
    OPERATOR("<", 645, BOOL, any_less, ">", ">=", TYPE_OIDVECTOR, TYPE_OIDVECTOR),
    OPERATOR("<=", 647, BOOL, any_less_equal, ">=", ">", TYPE_OIDVECTOR, TYPE_OIDVECTOR),
    OPERATOR(">", 646, BOOL, any_greater, "<", "<=", TYPE_OIDVECTOR, TYPE_OIDVECTOR),
    OPERATOR(">=", 648, BOOL, any_greater_equal, "<=", "<", TYPE_OIDVECTOR, TYPE_OIDVECTOR),
    OPERATOR("=", 620, BOOL, float_equal, "=", "<>", TYPE_FLOAT4, TYPE_FLOAT4),
    OPERATOR("<>", 621, BOOL, float_not_equal, "<>", "=", TYPE_FLOAT4, TYPE_FLOAT4),
    OPERATOR("<", 622, BOOL, float_less, ">", ">=", TYPE_FLOAT4, TYPE_FLOAT4),
    OPERATOR("<=", 624, BOOL, float_less_equal, ">=", ">", TYPE_FLOAT4, TYPE_FLOAT4),
    OPERATOR(">", 623, BOOL, float_greater, "<", "<=", TYPE_FLOAT4, TYPE_FLOAT4),
    OPERATOR(">=", 625, BOOL, float_greater_equal, "<=", "<", TYPE_FLOAT4, TYPE_FLOAT4),
    OPERATOR("=", 1120, BOOL, float_equal, "=", "<>", TYPE_FLOAT4, TYPE_FLOAT8),
    OPERATOR("<>", 1121, BOOL, float_not_equal, "<>", "=", TYPE_FLOAT4, TYPE_FLOAT8),
    OPERATOR("<", 1122, BOOL, float_less, ">", ">=", TYPE_FLOAT4, TYPE_FLOAT8),
    OPERATOR("<=", 1124, BOOL, float_less_equal, ">=", ">", TYPE_FLOAT4, TYPE_FLOAT8),
    OPERATOR(">", 1123, BOOL, float_greater, "<", "<=", TYPE_FLOAT4, TYPE_FLOAT8),
    OPERATOR(">=", 1125, BOOL, float_greater_equal, "<=", "<", TYPE_FLOAT4, TYPE_FLOAT8),
    OPERATOR("=", 1130, BOOL, float_equal, "=", "<>", TYPE_FLOAT8, TYPE_FLOAT4),
    OPERATOR("<>", 1131, BOOL, float_not_equal, "<>", "=", TYPE_FLOAT8, TYPE_FLOAT4),
    OPERATOR("<", 1132, BOOL, float_less, ">", ">=", TYPE_FLOAT8, TYPE_FLOAT4),
    OPERATOR("<=", 1134, BOOL, float_less_equal, ">=", ">", TYPE_FLOAT8, TYPE_FLOAT4),
    OPERATOR(">", 1133, BOOL, float_greater, "<", "<=", TYPE_FLOAT8, TYPE_FLOAT4),
    OPERATOR(">=", 1135, BOOL, float_greater_equal, "<=", "<", TYPE_FLOAT8, TYPE_FLOAT4),
    OPERATOR("=", 670, BOOL, float_equal, "=", "<>", TYPE_FLOAT8, TYPE_FLOAT8),
    OPERATOR("<>", 671, BOOL, float_not_equal, "<>", "=", TYPE_FLOAT8, TYPE_FLOAT8),
    OPERATOR("<", 672, BOOL, float_less, ">", ">=", TYPE_FLOAT8, TYPE_FLOAT8),
    OPERATOR("<=", 673, BOOL, float_less_equal, ">=", ">", TYPE_FLOAT8, TYPE_FLOAT8),
    OPERATOR(">", 674, BOOL, float_greater, "<", "<=", TYPE_FLOAT8, TYPE_FLOAT8),
    OPERATOR(">=", 675, BOOL, float_greater_equal, "<=", "<", TYPE_FLOAT8, TYPE_FLOAT8),
    OPERATOR("=", 1201, BOOL, any_equal, "=", "<>", TYPE_INET, TYPE_INET),
    OPERATOR("<>", 1202, BOOL, any_not_equal, "<>", "=", TYPE_INET, TYPE_INET),
    OPERATOR("<", 1203, BOOL, any_less, ">", ">=", TYPE_INET, TYPE_INET),
    OPERATOR("<=", 1204, BOOL, any_less_equal, ">=", ">", TYPE_INET, TYPE_INET),
    OPERATOR(">", 1205, BOOL, any_greater, "<", "<=", TYPE_INET, TYPE_INET),
    OPERATOR(">=", 1206, BOOL, any_greater_equal, "<=", "<", TYPE_INET, TYPE_INET),
    OPERATOR("=", 974, BOOL, any_equal, "=", "<>", TYPE_ACLITEM, TYPE_ACLITEM),
    OPERATOR("=", 1054, BOOL, any_equal, "=", "<>", TYPE_BPCHAR, TYPE_BPCHAR),
    OPERATOR("<>", 1057, BOOL, any_not_equal, "<>", "=", TYPE_BPCHAR, TYPE_BPCHAR),
    OPERATOR("<", 1058, BOOL, any_less, ">", ">=", TYPE_BPCHAR, TYPE_BPCHAR),
    OPERATOR("<=", 1059, BOOL, any_less_equal, ">=", ">", TYPE_BPCHAR, TYPE_BPCHAR),
    OPERATOR(">", 1060, BOOL, any_greater, "<", "<=", TYPE_BPCHAR, TYPE_BPCHAR),
    OPERATOR(">=", 1061, BOOL, any_greater_equal, "<=", "<", TYPE_BPCHAR, TYPE_BPCHAR),
    OPERATOR("=", 1093, BOOL, int_equal, "=", "<>", TYPE_DATE, TYPE_DATE),
    OPERATOR("<>", 1094, BOOL, int_not_equal, "<>", "=", TYPE_DATE, TYPE_DATE),
    OPERATOR("<", 1095, BOOL, int_less, ">", ">=", TYPE_DATE, TYPE_DATE),
    OPERATOR("<=", 1096, BOOL, int_less_equal, ">=", ">", TYPE_DATE, TYPE_DATE),
    OPERATOR(">", 1097, BOOL, int_greater, "<", "<=", TYPE_DATE, TYPE_DATE),
    OPERATOR(">=", 1098, BOOL, int_greater_equal, "<=", "<", TYPE_DATE, TYPE_DATE),
    OPERATOR("=", 1108, BOOL, int_equal, "=", "<>", TYPE_TIME, TYPE_TIME),
    OPERATOR("<>", 1109, BOOL, int_not_equal, "<>", "=", TYPE_TIME, TYPE_TIME),
    OPERATOR("<", 1110, BOOL, int_less, ">", ">=", TYPE_TIME, TYPE_TIME),
    OPERATOR("<=", 1111, BOOL, int_less_equal, ">=", ">", TYPE_TIME, TYPE_TIME),
    OPERATOR(">", 1112, BOOL, int_greater, "<", "<=", TYPE_TIME, TYPE_TIME),
    OPERATOR(">=", 1113, BOOL, int_greater_equal, "<=", "<", TYPE_TIME, TYPE_TIME),
    OPERATOR("=", 2060, BOOL, int_equal, "=", "<>", TYPE_TIMESTAMP, TYPE_TIMESTAMP),
    OPERATOR("<>", 2061, BOOL, int_not_equal, "<>", "=", TYPE_TIMESTAMP, TYPE_TIMESTAMP),
    OPERATOR("<", 2062, BOOL, int_less, ">", ">=", TYPE_TIMESTAMP, TYPE_TIMESTAMP),
    OPERATOR("<=", 2063, BOOL, int_less_equal, ">=", ">", TYPE_TIMESTAMP, TYPE_TIMESTAMP),
    OPERATOR(">", 2064, BOOL, int_greater, "<", "<=", TYPE_TIMESTAMP, TYPE_TIMESTAMP),
    OPERATOR(">=", 2065, BOOL, int_greater_equal, "<=", "<", TYPE_TIMESTAMP, TYPE_TIMESTAMP),
    OPERATOR("=", 1320, BOOL, int_equal, "=", "<>", TYPE_TIMESTAMPTZ, TYPE_TIMESTAMPTZ),
    OPERATOR("<>", 1321, BOOL, int_not_equal, "<>", "=", TYPE_TIMESTAMPTZ, TYPE_TIMESTAMPTZ),
    OPERATOR("<", 1322, BOOL, int_less, ">", ">=", TYPE_TIMESTAMPTZ, TYPE_TIMESTAMPTZ),
    OPERATOR("<=", 1323, BOOL, int_less_equal, ">=", ">", TYPE_TIMESTAMPTZ, TYPE_TIMESTAMPTZ),
    OPERATOR(">", 1324, BOOL, int_greater, "<", "<=", TYPE_TIMESTAMPTZ, TYPE_TIMESTAMPTZ),
    OPERATOR(">=", 1325, BOOL, int_greater_equal, "<=", "<", TYPE_TIMESTAMPTZ, TYPE_TIMESTAMPTZ),
    OPERATOR("=", 1330, BOOL, any_equal, "=", "<>", TYPE_INTERVAL, TYPE_INTERVAL),
    OPERATOR("<>", 1331, BOOL, any_not_equal, "<>", "=", TYPE_INTERVAL, TYPE_INTERVAL),
    OPERATOR("<", 1332, BOOL, any_less, ">", ">=", TYPE_INTERVAL, TYPE_INTERVAL),
    OPERATOR("<=", 1333, BOOL, any_less_equal, ">=", ">", TYPE_INTERVAL, TYPE_INTERVAL),
    OPERATOR(">", 1334, BOOL, any_greater, "<", "<=", TYPE_INTERVAL, TYPE_INTERVAL),
    OPERATOR(">=", 1335, BOOL, any_greater_equal, "<=", "<", TYPE_INTERVAL, TYPE_INTERVAL),
    OPERATOR("=", 1550, BOOL, any_equal, "=", "<>", TYPE_TIMETZ, TYPE_TIMETZ),
    OPERATOR("<>", 1551, BOOL, any_not_equal, "<>", "=", TYPE_TIMETZ, TYPE_TIMETZ),
    OPERATOR("<", 1552, BOOL, any_less, ">", ">=", TYPE_TIMETZ, TYPE_TIMETZ),
    OPERATOR("<=", 1553, BOOL, any_less_equal, ">=", ">", TYPE_TIMETZ, TYPE_TIMETZ),
    OPERATOR(">", 1554, BOOL, any_greater, "<", "<=", TYPE_TIMETZ, TYPE_TIMETZ),
    OPERATOR(">=", 1555, BOOL, any_greater_equal, "<=", "<", TYPE_TIMETZ, TYPE_TIMETZ),
    OPERATOR("=", 1784, BOOL, any_equal, "=", "<>", TYPE_BIT, TYPE_BIT),
    OPERATOR("<>", 1785, BOOL, any_not_equal, "<>", "=", TYPE_BIT, TYPE_BIT),
    OPERATOR("<", 1786, BOOL, any_less, ">", ">=", TYPE_BIT, TYPE_BIT),
    OPERATOR("<=", 1788, BOOL, any_less_equal, ">=", ">", TYPE_BIT, TYPE_BIT),
    OPERATOR(">", 1787, BOOL, any_greater, "<", "<=", TYPE_BIT, TYPE_BIT),
    OPERATOR(">=", 1789, BOOL, any_greater_equal, "<=", "<", TYPE_BIT, TYPE_BIT),
    OPERATOR("=", 1804, BOOL, any_equal, "=", "<>", TYPE_VARBIT, TYPE_VARBIT),
    OPERATOR("<>", 1805, BOOL, any_not_equal, "<>", "=", TYPE_VARBIT, TYPE_VARBIT),
    OPERATOR("<", 1806, BOOL, any_less, ">", ">=", TYPE_VARBIT, TYPE_VARBIT),
    OPERATOR("<=", 1808, BOOL, any_less_equal, ">=", ">", TYPE_VARBIT, TYPE_VARBIT),
    OPERATOR(">", 1807, BOOL, any_greater, "<", "<=", TYPE_VARBIT, TYPE_VARBIT),
    OPERATOR(">=", 1809, BOOL, any_greater_equal, "<=", "<", TYPE_VARBIT, TYPE_VARBIT),
    OPERATOR("=", 1752, BOOL, any_equal, "=", "<>", TYPE_NUMERIC, TYPE_NUMERIC),
    OPERATOR("<>", 1753, BOOL, any_not_equal, "<>", "=", TYPE_NUMERIC, TYPE_NUMERIC),
    OPERATOR("<", 1754, BOOL, any_less, ">", ">=", TYPE_NUMERIC, TYPE_NUMERIC),
    OPERATOR("<=", 1755, BOOL, any_less_equal, ">=", ">", TYPE_NUMERIC, TYPE_NUMERIC),
    OPERATOR(">", 1756, BOOL, any_greater, "<", "<=", TYPE_NUMERIC, TYPE_NUMERIC),
    OPERATOR(">=", 1757, BOOL, any_greater_equal, "<=", "<", TYPE_NUMERIC, TYPE_NUMERIC),
    OPERATOR("=", 1070, BOOL, array_equal, "=", "<>", TYPE_ANYARRAY, TYPE_ANYARRAY),
    OPERATOR("<>", 1071, BOOL, array_not_equal, "<>", "=", TYPE_ANYARRAY, TYPE_ANYARRAY),
    OPERATOR("<", 1072, BOOL, array_less, ">", ">=", TYPE_ANYARRAY, TYPE_ANYARRAY),
    OPERATOR("<=", 1074, BOOL, array_less_equal, ">=", ">", TYPE_ANYARRAY, TYPE_ANYARRAY),
    OPERATOR(">", 1073, BOOL, array_greater, "<", "<=", TYPE_ANYARRAY, TYPE_ANYARRAY),
    OPERATOR(">=", 1075, BOOL, array_greater_equal, "<=", "<", TYPE_ANYARRAY, TYPE_ANYARRAY),
    OPERATOR("=", 3516, BOOL, int_equal, "=", "<>", TYPE_ANYENUM, TYPE_ANYENUM),
    OPERATOR("<>", 3517, BOOL, int_not_equal, "<>", "=", TYPE_ANYENUM, TYPE_ANYENUM),
    OPERATOR("<", 3518, BOOL, int_less, ">", ">=", TYPE_ANYENUM, TYPE_ANYENUM),
    OPERATOR(">", 3519, BOOL, int_greater, "<", "<=", TYPE_ANYENUM, TYPE_ANYENUM),
    OPERATOR("<=", 3520, BOOL, int_less_equal, ">=", ">", TYPE_ANYENUM, TYPE_ANYENUM),
    OPERATOR(">=", 3521, BOOL, int_greater_equal, "<=", "<", TYPE_ANYENUM, TYPE_ANYENUM),
    OPERATOR("=", 2972, BOOL, string_equal, "=", "<>", TYPE_UUID, TYPE_UUID),
    OPERATOR("<>", 2973, BOOL, string_not_equal, "<>", "=", TYPE_UUID, TYPE_UUID),
    OPERATOR("<", 2974, BOOL, string_less, ">", ">=", TYPE_UUID, TYPE_UUID),
    OPERATOR("<=", 2976, BOOL, string_less_equal, ">=", ">", TYPE_UUID, TYPE_UUID),
    OPERATOR(">", 2975, BOOL, string_greater, "<", "<=", TYPE_UUID, TYPE_UUID),
    OPERATOR(">=", 2977, BOOL, string_greater_equal, "<=", "<", TYPE_UUID, TYPE_UUID),
    OPERATOR("=", 1220, BOOL, string_equal, "=", "<>", TYPE_MACADDR, TYPE_MACADDR),
    OPERATOR("<>", 1221, BOOL, string_not_equal, "<>", "=", TYPE_MACADDR, TYPE_MACADDR),
    OPERATOR("<", 1222, BOOL, string_less, ">", ">=", TYPE_MACADDR, TYPE_MACADDR),
    OPERATOR("<=", 1223, BOOL, string_less_equal, ">=", ">", TYPE_MACADDR, TYPE_MACADDR),
    OPERATOR(">", 1224, BOOL, string_greater, "<", "<=", TYPE_MACADDR, TYPE_MACADDR),
    OPERATOR(">=", 1225, BOOL, string_greater_equal, "<=", "<", TYPE_MACADDR, TYPE_MACADDR),
    OPERATOR("=", 3362, BOOL, string_equal, "=", "<>", TYPE_MACADDR8, TYPE_MACADDR8),
    OPERATOR("<>", 3363, BOOL, string_not_equal, "<>", "=", TYPE_MACADDR8, TYPE_MACADDR8),
    OPERATOR("<", 3364, BOOL, string_less, ">", ">=", TYPE_MACADDR8, TYPE_MACADDR8),
    OPERATOR("<=", 3365, BOOL, string_less_equal, ">=", ">", TYPE_MACADDR8, TYPE_MACADDR8),
    OPERATOR(">", 3366, BOOL, string_greater, "<", "<=", TYPE_MACADDR8, TYPE_MACADDR8),
    OPERATOR(">=", 3367, BOOL, string_greater_equal, "<=", "<", TYPE_MACADDR8, TYPE_MACADDR8),
    OPERATOR("=", 3222, BOOL, any_equal, "=", "<>", TYPE_PG_LSN, TYPE_PG_LSN),
    OPERATOR("<>", 3223, BOOL, any_not_equal, "<>", "=", TYPE_PG_LSN, TYPE_PG_LSN),
    OPERATOR("<", 3224, BOOL, any_less, ">", ">=", TYPE_PG_LSN, TYPE_PG_LSN),
    OPERATOR("<=", 3226, BOOL, any_less_equal, ">=", ">", TYPE_PG_LSN, TYPE_PG_LSN),
    OPERATOR(">", 3225, BOOL, any_greater, "<", "<=", TYPE_PG_LSN, TYPE_PG_LSN),
    OPERATOR(">=", 3227, BOOL, any_greater_equal, "<=", "<", TYPE_PG_LSN, TYPE_PG_LSN),
    OPERATOR("=", 5068, BOOL, any_equal, "=", "<>", TYPE_XID8, TYPE_XID8),
    OPERATOR("<>", 5072, BOOL, any_not_equal, "<>", "=", TYPE_XID8, TYPE_XID8),
    OPERATOR("<", 5073, BOOL, any_less, ">", ">=", TYPE_XID8, TYPE_XID8),
    OPERATOR("<=", 5075, BOOL, any_less_equal, ">=", ">", TYPE_XID8, TYPE_XID8),
    OPERATOR(">", 5074, BOOL, any_greater, "<", "<=", TYPE_XID8, TYPE_XID8),
    OPERATOR(">=", 5076, BOOL, any_greater_equal, "<=", "<", TYPE_XID8, TYPE_XID8),
    OPERATOR("=", 2988, BOOL, record_equal, "=", "<>", TYPE_RECORD, TYPE_RECORD),
    OPERATOR("<>", 2989, BOOL, record_not_equal, "<>", "=", TYPE_RECORD, TYPE_RECORD),
    OPERATOR("<", 2990, BOOL, record_less, ">", ">=", TYPE_RECORD, TYPE_RECORD),
    OPERATOR(">", 2991, BOOL, record_greater, "<", "<=", TYPE_RECORD, TYPE_RECORD),
    OPERATOR("<=", 2992, BOOL, record_less_equal, ">=", ">", TYPE_RECORD, TYPE_RECORD),
    OPERATOR(">=", 2993, BOOL, record_greater_equal, "<=", "<", TYPE_RECORD, TYPE_RECORD),
    OPERATOR("=", 3240, BOOL, any_equal, "=", "<>", TYPE_JSONB, TYPE_JSONB),
    OPERATOR("<>", 3241, BOOL, any_not_equal, "<>", "=", TYPE_JSONB, TYPE_JSONB),
    OPERATOR("<", 3242, BOOL, any_less, ">", ">=", TYPE_JSONB, TYPE_JSONB),
    OPERATOR("<=", 3244, BOOL, any_less_equal, ">=", ">", TYPE_JSONB, TYPE_JSONB),
    OPERATOR(">", 3243, BOOL, any_greater, "<", "<=", TYPE_JSONB, TYPE_JSONB),
    OPERATOR(">=", 3245, BOOL, any_greater_equal, "<=", "<", TYPE_JSONB, TYPE_JSONB),
};
// clang-format on

void operators_compare_register(void)
{
    function_register(table, TABLE_COUNT(table));
}
