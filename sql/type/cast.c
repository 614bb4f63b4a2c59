// SPDX-License-Identifier: GPL-3.0-or-later
//
// The casts: PostgreSQL's pg_cast for the types that are here, and the rules for what has no row in it:
// text forms, arrays, untyped literals.
#include "sql/type/array.h"
#include "sql/function/cast_functions.h"
#include "sql/function/function_table.h"
#include "sql/type/json.h"
#include "sql/type/type_ops.h"
#include "sql/type/type_user.h"
#include "sql/type/xml.h"

#define I CAST_IMPLICIT
#define A CAST_ASSIGNMENT
#define E CAST_EXPLICIT
#define BY(from_, to_, context_, fn_) \
    {.from = TYPE_##from_, .to = TYPE_##to_, .context = context_, .fn = fn_}
#define SAME(from_, to_, context_) \
    {.from = TYPE_##from_, .to = TYPE_##to_, .context = context_, .binary = true}
#define TEXT(from_, to_, context_) \
    {.from = TYPE_##from_, .to = TYPE_##to_, .context = context_, .through_text = true}
// What an object id type takes from and gives to the integers.
#define OID_KIN(type) \
    BY(INT8, type, I, cast_int8_to_oid), BY(INT2, type, I, cast_int4_to_oid), BY(INT4, type, I, cast_int4_to_oid), \
    SAME(type, OID, I), SAME(OID, type, I), SAME(type, INT8, A), BY(type, INT4, A, cast_oid_to_int4)

#define NAMED(from_, to_, context_, fn_, oid) \
    {.from = TYPE_##from_, .to = TYPE_##to_, .context = context_, .fn = fn_, .function_oid = oid}
#define RANGES(name, oid) \
    {.from = TYPE_##name##RANGE, .to = TYPE_##name##MULTIRANGE, .context = E, \
        .fn = cast_range_to_multirange, .function_oid = oid}

// clang-format off
static const struct cast casts[] = {
    BY(INT8, INT2, A, cast_int_to_int), BY(INT8, INT4, A, cast_int_to_int),
    SAME(INT2, INT8, I), SAME(INT2, INT4, I), SAME(INT4, INT8, I),
    BY(INT4, INT2, A, cast_int_to_int),
    BY(INT8, FLOAT4, I, cast_int_to_float), BY(INT8, FLOAT8, I, cast_int_to_float),
    BY(INT4, FLOAT4, I, cast_int_to_float), BY(INT4, FLOAT8, I, cast_int_to_float),
    BY(INT2, FLOAT4, I, cast_int_to_float), BY(INT2, FLOAT8, I, cast_int_to_float),
    BY(FLOAT4, INT8, A, cast_float_to_int), BY(FLOAT4, INT4, A, cast_float_to_int),
    BY(FLOAT4, INT2, A, cast_float_to_int), BY(FLOAT8, INT8, A, cast_float_to_int),
    BY(FLOAT8, INT4, A, cast_float_to_int), BY(FLOAT8, INT2, A, cast_float_to_int),
    SAME(FLOAT4, FLOAT8, I), BY(FLOAT8, FLOAT4, A, cast_float8_to_float4),
    BY(INT4, BOOL, E, cast_int4_to_bool), BY(BOOL, INT4, E, cast_bool_to_int4),
    BY(BOOL, TEXT, A, cast_bool_to_text), BY(BOOL, VARCHAR, A, cast_bool_to_text),
    BY(BOOL, BPCHAR, A, cast_bool_to_text),
    BY(INT4, CHAR_INTERNAL, E, cast_int4_to_char), BY(CHAR_INTERNAL, INT4, E, cast_char_to_int4),

    BY(INT8, OID, I, cast_int8_to_oid), BY(INT2, OID, I, cast_int4_to_oid), BY(INT4, OID, I, cast_int4_to_oid),
    SAME(OID, INT8, A), BY(OID, INT4, A, cast_oid_to_int4),
    OID_KIN(REGPROC), OID_KIN(REGPROCEDURE), OID_KIN(REGCLASS), OID_KIN(REGTYPE),
    OID_KIN(REGNAMESPACE), OID_KIN(REGROLE), OID_KIN(REGOPER), OID_KIN(REGOPERATOR),
    OID_KIN(REGCOLLATION), SAME(REGOPER, REGOPERATOR, I), SAME(REGOPERATOR, REGOPER, I),
    SAME(REGPROC, REGPROCEDURE, I), SAME(REGPROCEDURE, REGPROC, I),
    BY(TEXT, REGCLASS, I, cast_text_to_regclass), BY(VARCHAR, REGCLASS, I, cast_text_to_regclass),

    SAME(TEXT, VARCHAR, I), SAME(TEXT, BPCHAR, I), SAME(VARCHAR, TEXT, I), SAME(VARCHAR, BPCHAR, I),
    BY(BPCHAR, TEXT, I, cast_bpchar_to_text), BY(BPCHAR, VARCHAR, I, cast_bpchar_to_text),
    BY(TEXT, NAME, I, cast_text_to_name), BY(VARCHAR, NAME, I, cast_text_to_name),
    BY(BPCHAR, NAME, I, cast_text_to_name),
    SAME(NAME, TEXT, I), SAME(NAME, VARCHAR, A), SAME(NAME, BPCHAR, A),
    BY(CHAR_INTERNAL, TEXT, I, cast_char_to_text), BY(CHAR_INTERNAL, VARCHAR, A, cast_char_to_text),
    BY(CHAR_INTERNAL, BPCHAR, A, cast_char_to_text),
    BY(TEXT, CHAR_INTERNAL, A, cast_text_to_char), BY(VARCHAR, CHAR_INTERNAL, A, cast_text_to_char),
    BY(BPCHAR, CHAR_INTERNAL, A, cast_text_to_char),
    SAME(PG_NODE_TREE, TEXT, I),

    BY(INT2, NUMERIC, I, cast_int_to_numeric), BY(INT4, NUMERIC, I, cast_int_to_numeric),
    BY(INT8, NUMERIC, I, cast_int_to_numeric), BY(FLOAT4, NUMERIC, A, cast_float_to_numeric),
    BY(FLOAT8, NUMERIC, A, cast_float_to_numeric), BY(NUMERIC, INT2, A, cast_numeric_to_int),
    BY(NUMERIC, INT4, A, cast_numeric_to_int), BY(NUMERIC, INT8, A, cast_numeric_to_int),
    BY(NUMERIC, FLOAT4, I, cast_numeric_to_float), BY(NUMERIC, FLOAT8, I, cast_numeric_to_float),

    BY(DATE, TIMESTAMP, I, cast_date_to_timestamp), BY(DATE, TIMESTAMPTZ, I, cast_date_to_timestamptz),
    BY(TIME, INTERVAL, I, cast_time_to_interval), BY(TIME, TIMETZ, I, cast_time_to_timetz),
    BY(TIMESTAMP, DATE, A, cast_timestamp_to_date), BY(TIMESTAMP, TIME, A, cast_timestamp_to_time),
    BY(TIMESTAMP, TIMESTAMPTZ, I, cast_timestamp_to_timestamptz),
    BY(TIMESTAMPTZ, DATE, A, cast_timestamp_to_date), BY(TIMESTAMPTZ, TIME, A, cast_timestamp_to_time),
    BY(TIMESTAMPTZ, TIMESTAMP, A, cast_timestamptz_to_timestamp),
    BY(TIMESTAMPTZ, TIMETZ, A, cast_timestamptz_to_timetz),
    BY(INTERVAL, TIME, A, cast_interval_to_time), BY(TIMETZ, TIME, A, cast_timetz_to_time),

    BY(INT4, BIT, E, cast_int_to_bit), BY(INT8, BIT, E, cast_int_to_bit),
    BY(BIT, INT4, E, cast_bit_to_int), BY(BIT, INT8, E, cast_bit_to_int),
    SAME(BIT, VARBIT, I), SAME(VARBIT, BIT, I), SAME(CIDR, INET, I),
    BY(INET, CIDR, A, cast_inet_to_cidr), BY(INET, TEXT, A, cast_inet_to_text),
    BY(INET, VARCHAR, A, cast_inet_to_text), BY(INET, BPCHAR, A, cast_inet_to_text),
    BY(CIDR, TEXT, A, cast_inet_to_text), BY(CIDR, VARCHAR, A, cast_inet_to_text),
    BY(CIDR, BPCHAR, A, cast_inet_to_text),
    BY(MACADDR, MACADDR8, I, cast_macaddr_to_macaddr8), BY(MACADDR8, MACADDR, I, cast_macaddr8_to_macaddr),

    RANGES(INT4, 4281), RANGES(NUM, 4284), RANGES(TS, 4287), RANGES(TSTZ, 4290), RANGES(DATE, 4293), RANGES(INT8, 4296),

    NAMED(XID8, XID, E, cast_xid8_to_xid, 5071),
    NAMED(MONEY, NUMERIC, A, cast_money_to_numeric, 3823), NAMED(NUMERIC, MONEY, A, cast_numeric_to_money, 3824),
    NAMED(INT4, MONEY, A, cast_int_to_money, 3811), NAMED(INT8, MONEY, A, cast_int_to_money, 3812),
    NAMED(POINT, BOX, A, cast_point_to_box, 4091), NAMED(LSEG, POINT, E, cast_lseg_to_point, 1532),
    NAMED(PATH, POLYGON, A, cast_path_to_polygon, 1449), NAMED(BOX, POINT, E, cast_box_to_point, 1534),
    NAMED(BOX, LSEG, E, cast_box_to_lseg, 1541), NAMED(BOX, POLYGON, A, cast_box_to_polygon, 1448),
    NAMED(BOX, CIRCLE, E, cast_box_to_circle, 1479), NAMED(POLYGON, POINT, E, cast_polygon_to_point, 1540),
    NAMED(POLYGON, PATH, A, cast_polygon_to_path, 1447), NAMED(POLYGON, BOX, E, cast_polygon_to_box, 1446),
    NAMED(POLYGON, CIRCLE, E, cast_polygon_to_circle, 1474), NAMED(CIRCLE, POINT, E, cast_circle_to_point, 1416),
    NAMED(CIRCLE, BOX, E, cast_circle_to_box, 1480), NAMED(CIRCLE, POLYGON, E, cast_circle_to_polygon, 1544),

    SAME(XML, TEXT, A), SAME(XML, VARCHAR, A), SAME(XML, BPCHAR, A), NAMED(TEXT, XML, E, cast_text_to_xml, 2896),
    BY(VARCHAR, XML, E, cast_text_to_xml), BY(BPCHAR, XML, E, cast_text_to_xml),

    TEXT(JSON, JSONB, A), TEXT(JSONB, JSON, A), BY(JSONB, BOOL, E, cast_jsonb_to_bool),
    BY(JSONB, NUMERIC, E, cast_jsonb_to_number), BY(JSONB, INT2, E, cast_jsonb_to_number),
    BY(JSONB, INT4, E, cast_jsonb_to_number), BY(JSONB, INT8, E, cast_jsonb_to_number),
    BY(JSONB, FLOAT4, E, cast_jsonb_to_number), BY(JSONB, FLOAT8, E, cast_jsonb_to_number),
};
// clang-format on
#define CAST_COUNT (sizeof casts / sizeof casts[0])

static const struct cast cast_same = {.context = I, .binary = true};
static const struct cast cast_of_unknown = {.from = TYPE_UNKNOWN, .context = I, .through_text = true};
static const struct cast cast_to_text = {.context = A, .through_text = true};
static const struct cast cast_from_text = {.context = E, .through_text = true};
static const struct cast cast_from_composite = {.context = I, .fn = cast_composite_to_record};
static const struct cast cast_to_composite = {.context = I, .fn = cast_record_to_composite};
static const struct cast cast_elements[] = {
    {.context = I, .elements = true},
    {.context = A, .elements = true},
    {.context = E, .elements = true},
};

const struct cast *cast_at(uint32_t index)
{
    return index < CAST_COUNT ? &casts[index] : NULL;
}

// Open addressing over (from, to); made once, before shards start.
#define SLOTS 1024
static uint16_t slots[SLOTS];
static_assert(CAST_COUNT * 3 < SLOTS, "room to probe");

static uint32_t slot_of(type_oid from, type_oid to)
{
    uint32_t hash = from * 0x9e3779b1u ^ to * 0x85ebca6bu;
    return (hash ^ hash >> 15) % SLOTS;
}

static const struct cast *find_row(type_oid from, type_oid to)
{
    for (uint32_t at = slot_of(from, to); slots[at] != 0; at = (at + 1) % SLOTS) {
        const struct cast *cast = &casts[slots[at] - 1];
        if (cast->from == from && cast->to == to) return cast;
    }
    return NULL;
}

const struct cast *cast_find(type_oid from, type_oid to, enum cast_context context)
{
    if (from == to) return &cast_same;
    if (from == TYPE_UNKNOWN) return &cast_of_unknown;
    const struct cast *cast = find_row(from, to);
    if (cast != NULL) return cast->context <= context ? cast : NULL;

    if (to == TYPE_RECORD && type_is_composite(from)) return &cast_from_composite;
    if (from == TYPE_RECORD && type_is_composite(to)) return &cast_to_composite;
    const struct type_info *source = type_info(from), *target = type_info(to);
    if (source == NULL || target == NULL) return NULL;
    if (source->element != 0 && target->element != 0 && to != TYPE_INT2VECTOR &&
        to != TYPE_OIDVECTOR) {
        const struct cast *element = cast_find(source->element, target->element, context);
        if (element == NULL) return NULL;
        return element->binary ? &cast_elements[CAST_IMPLICIT] : &cast_elements[element->context];
    }
    if (context >= CAST_ASSIGNMENT && target->category == 'S') return &cast_to_text;
    if (context >= CAST_EXPLICIT && source->category == 'S') return &cast_from_text;
    return NULL;
}

// --- volatility ----------------------------------------------------------------------------------------

// Texts of these depend on settings, or on names that may change.
static bool names_something(type_oid oid)
{
    const struct cast *alias = find_row(oid, TYPE_OID);
    return (oid != TYPE_INT2 && oid != TYPE_INT4 && oid != TYPE_INT8 && alias != NULL) || type_is_array(oid) ||
           type_info(oid)->category == 'R' || oid == TYPE_RECORD || type_is_user(oid);
}

static bool prints_alike(type_oid oid)
{
    return oid != TYPE_MONEY && oid != TYPE_DATE && oid != TYPE_TIMESTAMP && oid != TYPE_TIMESTAMPTZ && oid != TYPE_INTERVAL &&
           !names_something(oid);
}

static bool reads_alike(type_oid oid)
{
    return prints_alike(oid) && oid != TYPE_TIME && oid != TYPE_TIMETZ;
}

bool cast_is_immutable(const struct cast *cast, type_oid from, type_oid to)
{
    if (cast->binary || from == TYPE_UNKNOWN) return true;
    if (cast->elements) {
        type_oid in = type_info(from)->element, out = type_info(to)->element;
        const struct cast *element = cast_find(in, out, CAST_EXPLICIT);
        return element == NULL || cast_is_immutable(element, in, out);
    }
    if (cast->through_text) return prints_alike(from) && reads_alike(to);
    if (from == TYPE_MONEY || to == TYPE_MONEY) return false; // A setting says how many digits are behind the point.
    bool zoned = (from == TYPE_TIMESTAMPTZ) != (to == TYPE_TIMESTAMPTZ);
    return !zoned && to != TYPE_XML && !(to == TYPE_REGCLASS && type_info(from)->category == 'S');
}

// --- running -------------------------------------------------------------------------------------------

static struct status through_text(struct function_call *call, struct type from, struct type to,
    struct datum in, struct datum *out)
{
    struct status st = STATUS_OK;
    struct buffer text;
    // Only an interval's typmod says what its text means: '5' in interval '5' day.
    if (to.oid != TYPE_INTERVAL) to.typmod = -1;
    if (from.oid == TYPE_UNKNOWN || from.oid == TYPE_TEXT || from.oid == TYPE_VARCHAR)
        return type_input(call->arena, call->context, to, datum_as_bytes(in), out);
    buffer_init(&text, call->arena);
    if (from.oid == TYPE_JSONB)
        TRY(json_print_long(call->task, &text, datum_as_bytes(in), false));
    else
        type_output(&text, call->context, from.oid, in);
    if (to.oid == TYPE_TEXT || to.oid == TYPE_VARCHAR || to.oid == TYPE_BPCHAR)
        *out = datum_bytes(buffer_bytes(&text));
    else
        st = type_input(call->arena, call->context, to, buffer_bytes(&text), out);
out:
    return st;
}

static struct status each_element(struct function_call *call, struct type from, struct type to,
    bool is_explicit, struct datum in, struct datum *out)
{
    struct status st = STATUS_OK;
    struct array array;
    struct array_builder builder;
    struct datum item;
    TRY(array_open(in, &array));
    struct type from_element = TYPE_OF(array.element);
    struct type to_element = {.oid = type_info(to.oid)->element, .typmod = to.typmod};
    const struct cast *cast = cast_find(from_element.oid, to_element.oid, CAST_EXPLICIT);
    if (array.count > 0 && cast == NULL)
        return status_make(E_CANNOT_COERCE, "cannot cast the array's elements");
    (void)from;
    array_builder_init(&builder, call->arena, to_element.oid);
    builder.call = call;
    for (struct array_cursor cursor = array_first(&array); array_next(&cursor, &item);) {
        if (!item.null)
            TRY(cast_apply(call, cast, from_element, to_element, is_explicit, item, &item));
        TRY(array_builder_add(&builder, item));
    }
    TRY(array_builder_finish_like(&builder, &array, out));
out:
    return st;
}

struct status cast_apply(struct function_call *call, const struct cast *cast, struct type from,
    struct type to, bool is_explicit, struct datum in, struct datum *out)
{
    struct status st = STATUS_OK;
    if (in.null) {
        *out = DATUM_NULL;
        return st;
    }
    if (cast->binary) {
        *out = in;
    } else if (cast->elements) {
        return each_element(call, from, to, is_explicit, in, out);
    } else if (cast->through_text) {
        TRY(through_text(call, from, to, in, out));
    } else {
        struct function_call inner = *call;
        inner.arg_types = &from;
        inner.arg_count = 1;
        inner.result_type = to;
        *out = (struct datum){0};
        TRY(cast->fn(&inner, &in, out));
        call->state = inner.state;
    }
    if (to.typmod >= 0) st = cast_apply_typmod(call, to, is_explicit, *out, out);
out:
    return st;
}

struct status cast_apply_typmod(
    struct function_call *call, struct type to, bool is_explicit, struct datum in, struct datum *out)
{
    *out = in;
    if (in.null || to.typmod < 0) return STATUS_OK;
    if (type_is_array(to.oid)) {
        type_oid element = type_info(to.oid)->element;
        if (type_ops(element)->coerce == NULL) return STATUS_OK;
        return each_element(call, TYPE_OF(to.oid), to, is_explicit, in, out);
    }
    const struct type_ops *ops = type_ops(to.oid);
    if (ops->coerce == NULL) return STATUS_OK;
    return ops->coerce(call->arena, to, is_explicit, in, out);
}

// --- casts of text -----------------------------------------------------------------------------------------

struct status cast_text_to_name(
    struct function_call *call, const struct datum *args, struct datum *result)
{
    struct bytes text = datum_as_bytes(args[0]);
    if (call->arg_types[0].oid == TYPE_BPCHAR) {
        while (text.size > 0 && text.data[text.size - 1] == ' ')
            text.size--;
    }
    return type_input(call->arena, call->context, TYPE_OF(TYPE_NAME), text, result);
}

struct status cast_bpchar_to_text(
    struct function_call *call, const struct datum *args, struct datum *result)
{
    (void)call;
    *result = args[0];
    while (result->size > 0 && result->data[result->size - 1] == ' ')
        result->size--;
    return STATUS_OK;
}

struct status cast_char_to_text(
    struct function_call *call, const struct datum *args, struct datum *result)
{
    struct buffer text;
    buffer_init(&text, call->arena);
    type_output(&text, NULL, TYPE_CHAR_INTERNAL, args[0]);
    *result = datum_bytes(buffer_bytes(&text));
    return STATUS_OK;
}

struct status cast_text_to_char(
    struct function_call *call, const struct datum *args, struct datum *result)
{
    return type_input(call->arena, NULL, TYPE_OF(TYPE_CHAR_INTERNAL), datum_as_bytes(args[0]), result);
}

struct status cast_text_to_xml(
    struct function_call *call, const struct datum *args, struct datum *result)
{
    if (call->folding && args[0].size > XML_RUN_SHORT_BYTES) return status_make(E_PROGRAM_LIMIT_EXCEEDED, "too long for a constant");
    return type_input(call->arena, call->context, TYPE_OF(TYPE_XML), datum_as_bytes(args[0]), result);
}

struct status cast_text_to_regclass(
    struct function_call *call, const struct datum *args, struct datum *result)
{
    return type_input(
        call->arena, call->context, TYPE_OF(TYPE_REGCLASS), datum_as_bytes(args[0]), result);
}

// --- as functions: float8(x), date('2026-01-31') --------------------------------------------------------------

static struct status input_function(
    struct function_call *call, const struct datum *args, struct datum *result)
{
    return type_input(
        call->arena, call->context, call->result_type, datum_as_bytes(args[0]), result);
}

#define CAST_FUNCTIONS_MAX 384
#define FIRST_CAST_FUNCTION_OID 130000
static struct function functions[CAST_FUNCTIONS_MAX];

static bool is_source_of_value(const struct type_info *info)
{
    return info->category != 'P' && info->category != 'X' && info->element == 0;
}

void functions_cast_register(void)
{
    static const type_oid unknown = TYPE_UNKNOWN;
    uint32_t count = 0;
    const struct type_info *info;
    for (uint32_t i = 0; i < CAST_COUNT; i++) {
        uint32_t at = slot_of(casts[i].from, casts[i].to);
        while (slots[at] != 0)
            at = (at + 1) % SLOTS;
        slots[at] = (uint16_t)(i + 1);
        if (casts[i].fn == NULL) continue;
        invariant(count < CAST_FUNCTIONS_MAX);
        functions[count] = (struct function){.name = type_info(casts[i].to)->name,
            .kind = FUNCTION_SCALAR,
            .oid = casts[i].function_oid != 0 ? casts[i].function_oid : FIRST_CAST_FUNCTION_OID + count,
            .result = casts[i].to,
            .arg_count = 1,
            .strict = true,
            .volatility = casts[i].function_oid != 0 && cast_is_immutable(&casts[i], casts[i].from, casts[i].to)
                              ? FUNCTION_IMMUTABLE : FUNCTION_STABLE,
            .args = &casts[i].from,
            .fn = casts[i].fn};
        count++;
    }
    for (uint32_t i = 0; (info = type_info_at(i)) != NULL; i++) {
        if (!is_source_of_value(info)) continue;
        invariant(count < CAST_FUNCTIONS_MAX);
        functions[count] = (struct function){.name = info->name,
            .kind = FUNCTION_SCALAR,
            .oid = FIRST_CAST_FUNCTION_OID + count,
            .result = info->oid,
            .arg_count = 1,
            .strict = true,
            .volatility = FUNCTION_STABLE,
            .args = &unknown,
            .fn = input_function};
        count++;
    }
    function_register(functions, count);
}
