// SPDX-License-Identifier: GPL-3.0-or-later
//
// pg_catalog tables of types, functions, operators, aggregates and casts: the server's own registries as PostgreSQL
// shows its catalogs.
#include <stdio.h>
#include <string.h>

#include "sql/function/function.h"
#include "sql/catalog/pg_catalog.h"
#include "sql/type/range.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))
#define ROWS(name_) \
    static struct status name_( \
        struct task *task, struct session *session, struct virtual_table_sink *sink)

#define LANGUAGE_INTERNAL 12
#define COLLATION_DEFAULT 100
#define COLLATION_C 950
#define CAST_OID_FIRST 12000u

// clang-format off
// Ids and names as in PostgreSQL's pg_proc: clients ask for array_in and its kin.
static const struct pg_type_functions type_functions[] = {
    {16, {1242, 1243, 2436, 2437}, {"boolin", "boolout", "boolrecv", "boolsend"}, 'c', 'p', 0,
        0},
    {17, {1244, 31, 2412, 2413}, {"byteain", "byteaout", "bytearecv", "byteasend"}, 'i', 'x', 0,
        0},
    {18, {1245, 33, 2434, 2435}, {"charin", "charout", "charrecv", "charsend"}, 'c', 'p', 0, 0},
    {19, {34, 35, 2422, 2423}, {"namein", "nameout", "namerecv", "namesend"}, 'c', 'p', 0, 0},
    {20, {460, 461, 2408, 2409}, {"int8in", "int8out", "int8recv", "int8send"}, 'd', 'p', 0, 0},
    {21, {38, 39, 2404, 2405}, {"int2in", "int2out", "int2recv", "int2send"}, 's', 'p', 0, 0},
    {22, {40, 41, 2410, 2411}, {"int2vectorin", "int2vectorout", "int2vectorrecv",
        "int2vectorsend"}, 'i', 'p', 0, 0},
    {23, {42, 43, 2406, 2407}, {"int4in", "int4out", "int4recv", "int4send"}, 'i', 'p', 0, 0},
    {24, {44, 45, 2444, 2445}, {"regprocin", "regprocout", "regprocrecv", "regprocsend"}, 'i',
        'p', 0, 0},
    {25, {46, 47, 2414, 2415}, {"textin", "textout", "textrecv", "textsend"}, 'i', 'x', 0, 0},
    {26, {1798, 1799, 2418, 2419}, {"oidin", "oidout", "oidrecv", "oidsend"}, 'i', 'p', 0, 0},
    {27, {48, 49, 2438, 2439}, {"tidin", "tidout", "tidrecv", "tidsend"}, 's', 'p', 0, 0},
    {28, {50, 51, 2440, 2441}, {"xidin", "xidout", "xidrecv", "xidsend"}, 'i', 'p', 0, 0},
    {29, {52, 53, 2442, 2443}, {"cidin", "cidout", "cidrecv", "cidsend"}, 'i', 'p', 0, 0},
    {30, {54, 55, 2420, 2421}, {"oidvectorin", "oidvectorout", "oidvectorrecv", "oidvectorsend"},
        'i', 'p', 0, 0},
    {114, {321, 322, 323, 324}, {"json_in", "json_out", "json_recv", "json_send"}, 'i', 'x', 0,
        0},
    {142, {2893, 2894, 2898, 2899}, {"xml_in", "xml_out", "xml_recv", "xml_send"}, 'i', 'x', 0, 0},
    {194, {195, 196, 197, 198}, {"pg_node_tree_in", "pg_node_tree_out", "pg_node_tree_recv",
        "pg_node_tree_send"}, 'i', 'x', 0, 0},
    {600, {117, 118, 2428, 2429}, {"point_in", "point_out", "point_recv", "point_send"}, 'd', 'p', 0, 0},
    {601, {119, 120, 2480, 2481}, {"lseg_in", "lseg_out", "lseg_recv", "lseg_send"}, 'd', 'p', 0, 0},
    {602, {121, 122, 2482, 2483}, {"path_in", "path_out", "path_recv", "path_send"}, 'd', 'x', 0, 0},
    {603, {123, 124, 2484, 2485}, {"box_in", "box_out", "box_recv", "box_send"}, 'd', 'p', 0, 0},
    {604, {347, 348, 2486, 2487}, {"poly_in", "poly_out", "poly_recv", "poly_send"}, 'd', 'x', 0, 0},
    {628, {1490, 1491, 2488, 2489}, {"line_in", "line_out", "line_recv", "line_send"}, 'd', 'p', 0, 0},
    {718, {1450, 1451, 2490, 2491}, {"circle_in", "circle_out", "circle_recv", "circle_send"}, 'd', 'p', 0, 0},
    {790, {886, 887, 2492, 2493}, {"cash_in", "cash_out", "cash_recv", "cash_send"}, 'd', 'p', 0, 0},
    {650, {1267, 1427, 2498, 2499}, {"cidr_in", "cidr_out", "cidr_recv", "cidr_send"}, 'i', 'm',
        0, 0},
    {700, {200, 201, 2424, 2425}, {"float4in", "float4out", "float4recv", "float4send"}, 'i',
        'p', 0, 0},
    {701, {214, 215, 2426, 2427}, {"float8in", "float8out", "float8recv", "float8send"}, 'd',
        'p', 0, 0},
    {705, {109, 110, 2416, 2417}, {"unknownin", "unknownout", "unknownrecv", "unknownsend"}, 'c',
        'p', 0, 0},
    {774, {4110, 4111, 3446, 3447}, {"macaddr8_in", "macaddr8_out", "macaddr8_recv",
        "macaddr8_send"}, 'i', 'p', 0, 0},
    {829, {436, 437, 2494, 2495}, {"macaddr_in", "macaddr_out", "macaddr_recv", "macaddr_send"},
        'i', 'p', 0, 0},
    {869, {910, 911, 2496, 2497}, {"inet_in", "inet_out", "inet_recv", "inet_send"}, 'i', 'm', 0,
        0},
    {1033, {1031, 1032, 0, 0}, {"aclitemin", "aclitemout", NULL, NULL}, 'i', 'p', 0, 0},
    {1042, {1044, 1045, 2430, 2431}, {"bpcharin", "bpcharout", "bpcharrecv", "bpcharsend"}, 'i',
        'x', 2913, 2914},
    {1043, {1046, 1047, 2432, 2433}, {"varcharin", "varcharout", "varcharrecv", "varcharsend"},
        'i', 'x', 2915, 2916},
    {1082, {1084, 1085, 2468, 2469}, {"date_in", "date_out", "date_recv", "date_send"}, 'i', 'p',
        0, 0},
    {1083, {1143, 1144, 2470, 2471}, {"time_in", "time_out", "time_recv", "time_send"}, 'd', 'p',
        2909, 2910},
    {1114, {1312, 1313, 2474, 2475}, {"timestamp_in", "timestamp_out", "timestamp_recv",
        "timestamp_send"}, 'd', 'p', 2905, 2906},
    {1184, {1150, 1151, 2476, 2477}, {"timestamptz_in", "timestamptz_out", "timestamptz_recv",
        "timestamptz_send"}, 'd', 'p', 2907, 2908},
    {1186, {1160, 1161, 2478, 2479}, {"interval_in", "interval_out", "interval_recv",
        "interval_send"}, 'd', 'p', 2903, 2904},
    {1266, {1350, 1351, 2472, 2473}, {"timetz_in", "timetz_out", "timetz_recv", "timetz_send"},
        'd', 'p', 2911, 2912},
    {1560, {1564, 1565, 2456, 2457}, {"bit_in", "bit_out", "bit_recv", "bit_send"}, 'i', 'x',
        2919, 2920},
    {1562, {1579, 1580, 2458, 2459}, {"varbit_in", "varbit_out", "varbit_recv", "varbit_send"},
        'i', 'x', 2902, 2921},
    {1700, {1701, 1702, 2460, 2461}, {"numeric_in", "numeric_out", "numeric_recv",
        "numeric_send"}, 'i', 'm', 2917, 2918},
    {2202, {2212, 2213, 2446, 2447}, {"regprocedurein", "regprocedureout", "regprocedurerecv",
        "regproceduresend"}, 'i', 'p', 0, 0},
    {2205, {2218, 2219, 2452, 2453}, {"regclassin", "regclassout", "regclassrecv",
        "regclasssend"}, 'i', 'p', 0, 0},
    {2206, {2220, 2221, 2454, 2455}, {"regtypein", "regtypeout", "regtyperecv", "regtypesend"},
        'i', 'p', 0, 0},
    {2249, {2290, 2291, 2402, 2403}, {"record_in", "record_out", "record_recv", "record_send"},
        'd', 'x', 0, 0},
    {2275, {2292, 2293, 2500, 2501}, {"cstring_in", "cstring_out", "cstring_recv",
        "cstring_send"}, 'c', 'p', 0, 0},
    {2276, {2294, 2295, 0, 0}, {"any_in", "any_out", NULL, NULL}, 'i', 'p', 0, 0},
    {2277, {2296, 2297, 2502, 2503}, {"anyarray_in", "anyarray_out", "anyarray_recv",
        "anyarray_send"}, 'd', 'x', 0, 0},
    {2278, {2298, 2299, 3120, 3121}, {"void_in", "void_out", "void_recv", "void_send"}, 'i', 'p',
        0, 0},
    {2203, {2214, 2215, 2448, 2449}, {"regoperin", "regoperout", "regoperrecv", "regopersend"},
        'i', 'p', 0, 0},
    {2204, {2216, 2217, 2450, 2451}, {"regoperatorin", "regoperatorout", "regoperatorrecv",
        "regoperatorsend"}, 'i', 'p', 0, 0},
    {2279, {2300, 2301, 0, 0}, {"trigger_in", "trigger_out", NULL, NULL}, 'i', 'p', 0, 0},
    {2281, {2304, 2305, 0, 0}, {"internal_in", "internal_out", NULL, NULL}, 'd', 'p', 0, 0},
    {2283, {2312, 2313, 0, 0}, {"anyelement_in", "anyelement_out", NULL, NULL}, 'i', 'p', 0, 0},
    {2776, {2777, 2778, 0, 0}, {"anynonarray_in", "anynonarray_out", NULL, NULL}, 'i', 'p', 0,
        0},
    {2950, {2952, 2953, 2961, 2962}, {"uuid_in", "uuid_out", "uuid_recv", "uuid_send"}, 'c', 'p',
        0, 0},
    {3831, {3832, 3833, 0, 0}, {"anyrange_in", "anyrange_out", NULL, NULL}, 'd', 'x', 0, 0},
    {4537, {4229, 4230, 0, 0}, {"anymultirange_in", "anymultirange_out", NULL, NULL}, 'd', 'x', 0, 0},
    {4538, {4226, 4227, 0, 0}, {"anycompatiblemultirange_in", "anycompatiblemultirange_out", NULL, NULL},
        'd', 'x', 0, 0},
    {3220, {3229, 3230, 3238, 3239}, {"pg_lsn_in", "pg_lsn_out", "pg_lsn_recv", "pg_lsn_send"},
        'd', 'p', 0, 0},
    {5069, {5070, 5081, 5082, 5083}, {"xid8in", "xid8out", "xid8recv", "xid8send"}, 'd', 'p', 0, 0},
    {5038, {5055, 5056, 5057, 5058}, {"pg_snapshot_in", "pg_snapshot_out", "pg_snapshot_recv", "pg_snapshot_send"},
        'd', 'x', 0, 0},
    {2970, {2939, 2940, 2941, 2942}, {"txid_snapshot_in", "txid_snapshot_out", "txid_snapshot_recv",
        "txid_snapshot_send"}, 'd', 'x', 0, 0},
    {3500, {3504, 3505, 0, 0}, {"anyenum_in", "anyenum_out", NULL, NULL}, 'i', 'p', 0, 0},
    {3802, {3806, 3804, 3805, 3803}, {"jsonb_in", "jsonb_out", "jsonb_recv", "jsonb_send"}, 'i',
        'x', 0, 0},
    {4089, {4084, 4085, 4087, 4088}, {"regnamespacein", "regnamespaceout", "regnamespacerecv",
        "regnamespacesend"}, 'i', 'p', 0, 0},
    {4191, {4193, 4194, 4196, 4197}, {"regcollationin", "regcollationout", "regcollationrecv",
        "regcollationsend"}, 'i', 'p', 0, 0},
    {4096, {4098, 4092, 4094, 4095}, {"regrolein", "regroleout", "regrolerecv", "regrolesend"},
        'i', 'p', 0, 0},
    {5077, {5086, 5087, 0, 0}, {"anycompatible_in", "anycompatible_out", NULL, NULL}, 'i', 'p',
        0, 0},
    {5078, {5088, 5089, 5090, 5091}, {"anycompatiblearray_in", "anycompatiblearray_out",
        "anycompatiblearray_recv", "anycompatiblearray_send"}, 'd', 'x', 0, 0},
    {5079, {5092, 5093, 0, 0}, {"anycompatiblenonarray_in", "anycompatiblenonarray_out", NULL,
        NULL}, 'i', 'p', 0, 0},
    {5080, {5094, 5095, 0, 0}, {"anycompatiblerange_in", "anycompatiblerange_out", NULL, NULL}, 'd',
        'x', 0, 0},
};
static const struct pg_type_functions array_functions = {TYPE_ANYARRAY, {750, 751, 2400, 2401},
    {"array_in", "array_out", "array_recv", "array_send"}, 'i', 'x', 0, 0};
#define RANGE_FUNCTIONS(align) \
    {TYPE_ANYRANGE, {3834, 3835, 3836, 3837}, {"range_in", "range_out", "range_recv", "range_send"}, align, \
        'x', 0, 0}
static const struct pg_type_functions range_functions = RANGE_FUNCTIONS('i'),
                                      wide_range_functions = RANGE_FUNCTIONS('d');
#define MULTIRANGE_FUNCTIONS(align) \
    {TYPE_ANYMULTIRANGE, {4231, 4232, 4233, 4234}, \
        {"multirange_in", "multirange_out", "multirange_recv", "multirange_send"}, align, 'x', 0, 0}
static const struct pg_type_functions multirange_functions = MULTIRANGE_FUNCTIONS('i'),
                                      wide_multirange_functions = MULTIRANGE_FUNCTIONS('d');
// Those that types share.
static const struct pg_type_functions *const families[] = {
    &array_functions, &range_functions, &multirange_functions};

static bool is_family(const struct pg_type_functions *functions)
{
    for (unsigned i = 0; i < COUNT(families); i++)
        if (families[i]->oid[0] == functions->oid[0]) return true;
    return false;
}
// clang-format on

const struct pg_type_functions *pg_type_functions(type_oid type)
{
    for (unsigned i = 0; i < COUNT(type_functions); i++)
        if (type_functions[i].type == type) return &type_functions[i];
    const struct type_info *info = type_info(type);
    const struct range_type *range = range_type_of(type), *multirange = multirange_type_of(type);
    if (range != NULL)
        return type_info(range->subtype)->length == 8 ? &wide_range_functions : &range_functions;
    if (multirange != NULL)
        return type_info(multirange->subtype)->length == 8 ? &wide_multirange_functions
                                                           : &multirange_functions;
    return info != NULL && info->element != 0 ? &array_functions : NULL;
}

uint32_t pg_type_function_args(
    const struct pg_type_functions *functions, unsigned which, type_oid args[3])
{
    bool long_form = is_family(functions) || functions->typmod_in != 0;
    if (which == 1 || which == 3) {
        args[0] = functions->type;
        return 1;
    }
    args[0] = which == 0 ? TYPE_CSTRING : TYPE_INTERNAL;
    args[1] = TYPE_OID;
    args[2] = TYPE_INT4;
    return long_form ? 3 : 1;
}

// --- pg_type ---------------------------------------------------------------------------------------------

static bool is_vector(type_oid oid)
{
    return oid == TYPE_INT2VECTOR || oid == TYPE_OIDVECTOR;
}

uint32_t pg_type_collation(type_oid oid)
{
    const struct type_info *info = type_info(oid);
    if (info == NULL) return 0;
    if (info->oid == TYPE_NAME || info->element == TYPE_NAME) return COLLATION_C;
    type_oid base = info->element != 0 ? info->element : info->oid;
    bool text = base == TYPE_TEXT || base == TYPE_VARCHAR || base == TYPE_BPCHAR;
    return text ? COLLATION_DEFAULT : 0;
}

static void put_functions(struct pg_row *row, const struct type_info *info)
{
    const struct pg_type_functions *functions = pg_type_functions(info->oid);
    static const struct pg_type_functions none = {.align = 'i', .storage = 'p'};
    if (functions == NULL) functions = &none;
    pg_put_int(row, "typinput", functions->oid[0]);
    pg_put_int(row, "typoutput", functions->oid[1]);
    pg_put_int(row, "typreceive", functions->oid[2]);
    pg_put_int(row, "typsend", functions->oid[3]);
    pg_put_int(row, "typmodin", functions->typmod_in);
    pg_put_int(row, "typmodout", functions->typmod_out);
    pg_put_int(row, "typanalyze", 0);
    pg_put_int(row, "typalign", functions->align);
    pg_put_int(row, "typstorage", functions->storage);
}

static struct status type_row(struct virtual_table_sink *sink, const struct type_info *info)
{
    struct pg_row row;
    bool array = info->element != 0 && !is_vector(info->oid);
    pg_row_begin(&row, sink);
    pg_put_int(&row, "oid", info->oid);
    pg_put_text(&row, "typname", info->name);
    pg_put_int(&row, "typnamespace", PG_NAMESPACE_CATALOG);
    pg_put_int(&row, "typowner", PG_ADMIN_OID);
    pg_put_int(&row, "typlen", info->length);
    pg_put_bool(&row, "typbyval", info->length > 0 && info->length <= 8 && info->oid != TYPE_TID);
    pg_put_int(&row, "typtype", info->category == 'P' ? 'p' : type_is_range(info->oid) ? 'r'
                                      : multirange_type_of(info->oid) != NULL ? 'm' : 'b');
    pg_put_int(&row, "typcategory", info->category);
    pg_put_bool(&row, "typispreferred", info->preferred);
    pg_put_bool(&row, "typisdefined", true);
    pg_put_int(&row, "typdelim", type_delimiter(info->element != 0 ? info->element : info->oid));
    pg_put_int(&row, "typrelid", 0);
    pg_put_int(&row, "typsubscript", 0);
    pg_put_int(&row, "typelem", info->oid == TYPE_NAME ? TYPE_CHAR_INTERNAL
                                     : info->element != 0 ? info->element : type_part(info->oid));
    pg_put_int(&row, "typarray", info->array);
    put_functions(&row, info);
    if (array) {
        const struct pg_type_functions *element = pg_type_functions(info->element);
        pg_put_int(&row, "typstorage", 'x');
        pg_put_int(&row, "typalign", element != NULL && element->align == 'd' ? 'd' : 'i');
    }
    pg_put_bool(&row, "typnotnull", false);
    pg_put_int(&row, "typbasetype", 0);
    pg_put_int(&row, "typtypmod", -1);
    pg_put_int(&row, "typndims", 0);
    pg_put_int(&row, "typcollation", pg_type_collation(info->oid));
    return pg_row_send(&row);
}

ROWS(type_rows)
{
    struct status st = STATUS_OK;
    const struct type_info *info;
    struct pg_rows rows;
    for (uint32_t i = 0; (info = type_info_at(i)) != NULL; i++) TRY(type_row(sink, info));
    TRY(pg_rows_open(&rows, task, session, sink));
    st = pg_user_type_rows(&rows);
    st = status_copy(task->arena, st);
    pg_rows_close(&rows);
out:
    return st;
}

// --- pg_range ------------------------------------------------------------------------------------------

static uint32_t function_oid(const char *subject, const char *verb)
{
    char name[64];
    snprintf(name, sizeof name, "%s_%s", subject, verb);
    const struct function *function = function_next_named(name, NULL);
    return function == NULL ? 0 : function->oid;
}

ROWS(range_rows)
{
    struct status st = STATUS_OK;
    const struct range_type *type;
    struct pg_row row;
    (void)task, (void)session;
    for (uint32_t i = 0; (type = range_type_at(i)) != NULL; i++) {
        const char *name = type_info(type->range)->name;
        pg_row_begin(&row, sink);
        pg_put_int(&row, "rngtypid", type->range);
        pg_put_int(&row, "rngsubtype", type->subtype);
        pg_put_int(&row, "rngmultitypid", type->multirange);
        pg_put_int(&row, "rngcollation", 0);
        pg_put_int(&row, "rngsubopc", pg_operator_class(type->subtype));
        pg_put_int(&row, "rngcanonical", type->discrete ? function_oid(name, "canonical") : 0);
        pg_put_int(&row, "rngsubdiff", function_oid(name, "subdiff"));
        TRY(pg_row_send(&row));
    }
out:
    return st;
}

// --- pg_proc, pg_aggregate -------------------------------------------------------------------------------

// An oidvector: the array form with lower bound 0.
static struct datum type_vector(struct arena *arena, const type_oid *types, uint32_t count)
{
    struct array_builder builder;
    struct datum vector;
    struct status st = STATUS_OK;
    int32_t length = (int32_t)count, lower = 0;
    array_builder_init(&builder, arena, TYPE_OID);
    for (uint32_t i = 0; i < count && !failed(st); i++)
        st = array_builder_add(&builder, datum_int(types[i]));
    if (!failed(st))
        st = array_builder_finish_dimensions(&builder, count == 0 ? 0 : 1, &length, &lower, &vector);
    return failed(st) ? DATUM_NULL : vector;
}

static uint32_t function_namespace(const struct function *function)
{
    return function->schema != NULL && strcmp(function->schema, "crdb_internal") == 0
               ? PG_NAMESPACE_INTERNAL
               : PG_NAMESPACE_CATALOG;
}

static struct status function_row(
    struct virtual_table_sink *sink, struct arena *arena, const struct function *function)
{
    static const char kinds[] = {[FUNCTION_SCALAR] = 'f', [FUNCTION_AGGREGATE] = 'a',
        [FUNCTION_SET] = 'f', [FUNCTION_WINDOW] = 'w', [FUNCTION_OPERATOR] = 'f'};
    static const char volatilities[] = {'i', 's', 'v'};
    struct pg_row row;
    bool set = function->kind == FUNCTION_SET;
    pg_row_begin(&row, sink);
    pg_put_int(&row, "oid", function->oid);
    pg_put_text(&row, "proname", function->name);
    pg_put_int(&row, "pronamespace", function_namespace(function));
    pg_put_int(&row, "proowner", PG_ADMIN_OID);
    pg_put_int(&row, "prolang", LANGUAGE_INTERNAL);
    pg_put(&row, "procost", datum_real(1));
    pg_put(&row, "prorows", datum_real(set ? 1000 : 0));
    pg_put_int(&row, "provariadic", function->variadic ? function->args[function->arg_count - 1] : 0);
    pg_put_int(&row, "prosupport", 0);
    pg_put_int(&row, "prokind", kinds[function->kind]);
    pg_put_bool(&row, "prosecdef", false);
    pg_put_bool(&row, "proleakproof", false);
    pg_put_bool(&row, "proisstrict", function->strict);
    pg_put_bool(&row, "proretset", set);
    pg_put_int(&row, "provolatile", volatilities[function->volatility]);
    pg_put_int(&row, "proparallel", 's');
    pg_put_int(&row, "pronargs", function->arg_count);
    pg_put_int(&row, "pronargdefaults", 0);
    pg_put_int(&row, "prorettype", function->result);
    pg_put(&row, "proargtypes", type_vector(arena, function->args, function->arg_count));
    pg_put_text(&row, "prosrc", function->name);
    return pg_row_send(&row);
}

// Behind a type's text and binary forms: input, output, receive, send. They cannot be called, but tools join them.
static struct status type_function_row(struct virtual_table_sink *sink, struct arena *arena,
    const struct pg_type_functions *functions, unsigned which)
{
    type_oid args[3];
    struct pg_row row;
    uint32_t count = pg_type_function_args(functions, which, args);
    bool family = is_family(functions);
    type_oid own = functions->type;
    pg_row_begin(&row, sink);
    pg_put_int(&row, "oid", functions->oid[which]);
    pg_put_text(&row, "proname", functions->name[which]);
    pg_put_int(&row, "pronamespace", PG_NAMESPACE_CATALOG);
    pg_put_int(&row, "proowner", PG_ADMIN_OID);
    pg_put_int(&row, "prolang", LANGUAGE_INTERNAL);
    pg_put(&row, "procost", datum_real(1));
    pg_put(&row, "prorows", datum_real(0));
    pg_put_int(&row, "provariadic", 0);
    pg_put_int(&row, "prosupport", 0);
    pg_put_int(&row, "prokind", 'f');
    pg_put_bool(&row, "prosecdef", false);
    pg_put_bool(&row, "proleakproof", false);
    pg_put_bool(&row, "proisstrict", true);
    pg_put_bool(&row, "proretset", false);
    pg_put_int(&row, "provolatile", family ? 's' : 'i');
    pg_put_int(&row, "proparallel", 's');
    pg_put_int(&row, "pronargs", count);
    pg_put_int(&row, "pronargdefaults", 0);
    pg_put_int(&row, "prorettype", which == 1 ? TYPE_CSTRING : which == 3 ? TYPE_BYTEA : own);
    pg_put(&row, "proargtypes", type_vector(arena, args, count));
    pg_put_text(&row, "prosrc", functions->name[which]);
    return pg_row_send(&row);
}

static struct status type_function_rows(struct task *task, struct session *session, struct virtual_table_sink *sink)
{
    struct status st = STATUS_OK;
    struct arena arena;
    arena_init(&arena, &session->account);
    for (unsigned i = 0; i < COUNT(type_functions) + COUNT(families); i++) {
        const struct pg_type_functions *functions = i < COUNT(type_functions)
                                                        ? &type_functions[i]
                                                        : families[i - COUNT(type_functions)];
        for (unsigned j = 0; j < 4; j++)
            if (functions->name[j] != NULL && function_by_oid(FUNCTION_SCALAR, functions->oid[j]) == NULL)
                TRY(type_function_row(sink, &arena, functions, j));
    }
    st = task_yield_if_due(task);
out:
    arena_fini(&arena);
    return st;
}

static struct status each_function(struct task *task, struct session *session,
    struct virtual_table_sink *sink, bool operators,
    struct status (*send)(
        struct virtual_table_sink *sink, struct arena *arena, const struct function *function))
{
    struct status st = STATUS_OK;
    const struct function *function;
    struct arena arena;
    arena_init(&arena, &session->account);
    for (uint32_t i = 0; !failed(st) && (function = function_at(i)) != NULL; i++) {
        if ((function->kind == FUNCTION_OPERATOR) != operators) continue;
        st = send(sink, &arena, function);
        if (!failed(st)) st = task_yield_if_due(task);
    }
    arena_fini(&arena);
    return st;
}

ROWS(proc_rows)
{
    struct status st = type_function_rows(task, session, sink);
    if (!failed(st)) st = pg_routine_rows(task, session, sink);
    return failed(st) ? st : each_function(task, session, sink, false, function_row);
}

static struct status aggregate_row(
    struct virtual_table_sink *sink, struct arena *arena, const struct function *function)
{
    static const char *const zeros[] = {"aggtransfn", "aggfinalfn", "aggcombinefn", "aggserialfn",
        "aggdeserialfn", "aggmtransfn", "aggminvtransfn", "aggmfinalfn", "aggsortop",
        "aggtransspace", "aggmtranstype", "aggmtransspace"};
    struct pg_row row;
    (void)arena;
    if (function->kind != FUNCTION_AGGREGATE) return STATUS_OK;
    pg_row_begin(&row, sink);
    pg_put_int(&row, "aggfnoid", function->oid);
    pg_put_int(&row, "aggkind", 'n');
    pg_put_int(&row, "aggnumdirectargs", 0);
    for (unsigned i = 0; i < COUNT(zeros); i++) pg_put_int(&row, zeros[i], 0);
    pg_put_bool(&row, "aggfinalextra", false);
    pg_put_bool(&row, "aggmfinalextra", false);
    pg_put_int(&row, "aggfinalmodify", 'r');
    pg_put_int(&row, "aggmfinalmodify", 'r');
    pg_put_int(&row, "aggtranstype", TYPE_INTERNAL);
    return pg_row_send(&row);
}

ROWS(aggregate_rows)
{
    return each_function(task, session, sink, false, aggregate_row);
}

// --- pg_operator, pg_cast --------------------------------------------------------------------------------

// The operator of `name` over these types; 0: none.
static uint32_t operator_oid(const char *name, type_oid left, type_oid right)
{
    if (name == NULL) return 0;
    for (const struct function *at = NULL; (at = function_next_named(name, at)) != NULL;)
        if (at->kind == FUNCTION_OPERATOR && at->arg_count == 2 && at->args[0] == left &&
            at->args[1] == right)
            return at->oid;
    return 0;
}

static struct status operator_row(
    struct virtual_table_sink *sink, struct arena *arena, const struct function *function)
{
    struct pg_row row;
    (void)arena;
    bool prefix = function->arg_count == 1;
    type_oid left = prefix ? 0 : function->args[0];
    type_oid right = function->args[prefix ? 0 : 1];
    bool equality = strcmp(function->name, "=") == 0;
    pg_row_begin(&row, sink);
    pg_put_int(&row, "oid", function->oid);
    pg_put_text(&row, "oprname", function->name);
    pg_put_int(&row, "oprnamespace", PG_NAMESPACE_CATALOG);
    pg_put_int(&row, "oprowner", PG_ADMIN_OID);
    pg_put_int(&row, "oprkind", prefix ? 'l' : 'b');
    pg_put_bool(&row, "oprcanmerge", equality);
    pg_put_bool(&row, "oprcanhash", equality);
    pg_put_int(&row, "oprleft", left);
    pg_put_int(&row, "oprright", right);
    pg_put_int(&row, "oprresult", function->result);
    pg_put_int(&row, "oprcom", operator_oid(function->commutator, right, left));
    pg_put_int(&row, "oprnegate", operator_oid(function->negator, left, right));
    pg_put_int(&row, "oprcode", 0);
    pg_put_int(&row, "oprrest", 0);
    pg_put_int(&row, "oprjoin", 0);
    return pg_row_send(&row);
}

ROWS(operator_rows)
{
    return each_function(task, session, sink, true, operator_row);
}

ROWS(cast_rows)
{
    static const char contexts[] = {[CAST_IMPLICIT] = 'i', [CAST_ASSIGNMENT] = 'a', [CAST_EXPLICIT] = 'e'};
    struct status st = STATUS_OK;
    const struct cast *cast;
    struct pg_row row;
    (void)task;
    (void)session;
    for (uint32_t i = 0; (cast = cast_at(i)) != NULL; i++) {
        pg_row_begin(&row, sink);
        pg_put_int(&row, "oid", CAST_OID_FIRST + i);
        pg_put_int(&row, "castsource", cast->from);
        pg_put_int(&row, "casttarget", cast->to);
        pg_put_int(&row, "castfunc", cast->function_oid);
        pg_put_int(&row, "castcontext", contexts[cast->context]);
        pg_put_int(&row, "castmethod", cast->binary ? 'b' : cast->through_text ? 'i' : 'f');
        TRY(pg_row_send(&row));
    }
out:
    return st;
}

static const struct pg_table tables[] = {
    {"pg_type",
        "oid oid, typname name, typnamespace oid, typowner oid, typlen int2, "
        "typbyval bool, typtype char, typcategory char, typispreferred bool, "
        "typisdefined bool, typdelim char, typrelid oid, typsubscript regproc, "
        "typelem oid, typarray oid, typinput regproc, typoutput regproc, "
        "typreceive regproc, typsend regproc, typmodin regproc, typmodout regproc, "
        "typanalyze regproc, typalign char, typstorage char, typnotnull bool, "
        "typbasetype oid, typtypmod int4, typndims int4, typcollation oid, "
        "typdefaultbin pg_node_tree, typdefault text, typacl aclitem[]",
        type_rows},
    {"pg_proc",
        "oid oid, proname name, pronamespace oid, proowner oid, prolang oid, "
        "procost float4, prorows float4, provariadic oid, prosupport regproc, "
        "prokind char, prosecdef bool, proleakproof bool, proisstrict bool, "
        "proretset bool, provolatile char, proparallel char, pronargs int2, "
        "pronargdefaults int2, prorettype oid, proargtypes oidvector, "
        "proallargtypes oid[], proargmodes char[], proargnames text[], "
        "proargdefaults pg_node_tree, protrftypes oid[], prosrc text, probin text, "
        "prosqlbody pg_node_tree, proconfig text[], proacl aclitem[]",
        proc_rows},
    {"pg_aggregate",
        "aggfnoid regproc, aggkind char, aggnumdirectargs int2, aggtransfn regproc, "
        "aggfinalfn regproc, aggcombinefn regproc, aggserialfn regproc, "
        "aggdeserialfn regproc, aggmtransfn regproc, aggminvtransfn regproc, "
        "aggmfinalfn regproc, aggfinalextra bool, aggmfinalextra bool, "
        "aggfinalmodify char, aggmfinalmodify char, aggsortop oid, aggtranstype oid, "
        "aggtransspace int4, aggmtranstype oid, aggmtransspace int4, agginitval text, "
        "aggminitval text",
        aggregate_rows},
    {"pg_operator",
        "oid oid, oprname name, oprnamespace oid, oprowner oid, oprkind char, "
        "oprcanmerge bool, oprcanhash bool, oprleft oid, oprright oid, oprresult oid, "
        "oprcom oid, oprnegate oid, oprcode regproc, oprrest regproc, oprjoin regproc",
        operator_rows},
    {"pg_range",
        "rngtypid oid, rngsubtype oid, rngmultitypid oid, rngcollation oid, "
        "rngsubopc oid, rngcanonical regproc, rngsubdiff regproc",
        range_rows},
    {"pg_cast",
        "oid oid, castsource oid, casttarget oid, castfunc oid, castcontext char, "
        "castmethod char",
        cast_rows},
};

void pg_catalog_types_register(void)
{
    pg_tables_register("pg_catalog", tables, COUNT(tables));
}
