// SPDX-License-Identifier: GPL-3.0-or-later
#include "sql/type/type.h"

#include <xxhash.h>

#include "core/invariant.h"
#include "core/work.h"
#include "sql/type/collation.h"
#include "sql/type/range.h"
#include "sql/type/type_ops.h"
#include "sql/type/type_user.h"

#define SHORT_TEXT_BYTES_MAX (64u << 10)  // Of values of a fixed size;
#define RANGE_TEXT_BYTES_MAX (512u << 10) // of ranges (two numerics of all digits fit) and of paths.

// X(id, typname, SQL name, typlen, category, preferred, array type, operations). The array types follow
// from the base types; what has no operations cannot be the type of a value.
// clang-format off
#define BASE_TYPES(X) \
    X(BOOL, "bool", "boolean", 1, 'B', true, 1000, &type_ops_bool) \
    X(BYTEA, "bytea", "bytea", -1, 'U', false, 1001, &type_ops_bytea) \
    X(CHAR_INTERNAL, "char", "\"char\"", 1, 'Z', false, 1002, &type_ops_char) \
    X(NAME, "name", "name", 64, 'S', false, 1003, &type_ops_name) \
    X(INT8, "int8", "bigint", 8, 'N', false, 1016, &type_ops_int8) \
    X(INT2, "int2", "smallint", 2, 'N', false, 1005, &type_ops_int2) \
    X(INT4, "int4", "integer", 4, 'N', false, 1007, &type_ops_int4) \
    X(REGPROC, "regproc", "regproc", 4, 'N', false, 1008, &type_ops_reg) \
    X(TEXT, "text", "text", -1, 'S', true, 1009, &type_ops_text) \
    X(OID, "oid", "oid", 4, 'N', true, 1028, &type_ops_oid) \
    X(TID, "tid", "tid", 6, 'U', false, 1010, &type_ops_tid) \
    X(XID, "xid", "xid", 4, 'U', false, 1011, &type_ops_oid) \
    X(CID, "cid", "cid", 4, 'U', false, 1012, &type_ops_oid) \
    X(JSON, "json", "json", -1, 'U', false, 199, &type_ops_json) \
    X(XML, "xml", "xml", -1, 'U', false, 143, &type_ops_xml) \
    X(CIDR, "cidr", "cidr", -1, 'I', false, 651, &type_ops_inet) \
    X(FLOAT4, "float4", "real", 4, 'N', false, 1021, &type_ops_float4) \
    X(FLOAT8, "float8", "double precision", 8, 'N', true, 1022, &type_ops_float8) \
    X(INET, "inet", "inet", -1, 'I', true, 1041, &type_ops_inet) \
    X(MACADDR, "macaddr", "macaddr", 6, 'U', false, 1040, &type_ops_macaddr) \
    X(MACADDR8, "macaddr8", "macaddr8", 8, 'U', false, 775, &type_ops_macaddr) \
    X(ACLITEM, "aclitem", "aclitem", 12, 'U', false, 1034, &type_ops_text) \
    X(BPCHAR, "bpchar", "character", -1, 'S', false, 1014, &type_ops_bpchar) \
    X(VARCHAR, "varchar", "character varying", -1, 'S', false, 1015, &type_ops_text) \
    X(DATE, "date", "date", 4, 'D', false, 1182, &type_ops_date) \
    X(TIME, "time", "time without time zone", 8, 'D', false, 1183, &type_ops_time) \
    X(TIMESTAMP, "timestamp", "timestamp without time zone", 8, 'D', false, 1115, \
        &type_ops_timestamp) \
    X(TIMESTAMPTZ, "timestamptz", "timestamp with time zone", 8, 'D', true, 1185, \
        &type_ops_timestamptz) \
    X(INTERVAL, "interval", "interval", 16, 'T', true, 1187, &type_ops_interval) \
    X(TIMETZ, "timetz", "time with time zone", 12, 'D', false, 1270, &type_ops_timetz) \
    X(BIT, "bit", "bit", -1, 'V', false, 1561, &type_ops_bit) \
    X(VARBIT, "varbit", "bit varying", -1, 'V', true, 1563, &type_ops_bit) \
    X(NUMERIC, "numeric", "numeric", -1, 'N', false, 1231, &type_ops_numeric) \
    X(REGPROCEDURE, "regprocedure", "regprocedure", 4, 'N', false, 2207, &type_ops_reg) \
    X(REGCLASS, "regclass", "regclass", 4, 'N', false, 2210, &type_ops_reg) \
    X(REGTYPE, "regtype", "regtype", 4, 'N', false, 2211, &type_ops_reg) \
    X(RECORD, "record", "record", -1, 'P', false, 2287, &type_ops_record) \
    X(CSTRING, "cstring", "cstring", -2, 'P', false, 1263, &type_ops_text) \
    X(UUID, "uuid", "uuid", 16, 'U', false, 2951, &type_ops_uuid) \
    X(PG_LSN, "pg_lsn", "pg_lsn", 8, 'U', false, 3221, &type_ops_lsn) \
    X(TXID_SNAPSHOT, "txid_snapshot", "txid_snapshot", -1, 'U', false, 2949, &type_ops_snapshot) \
    X(PG_SNAPSHOT, "pg_snapshot", "pg_snapshot", -1, 'U', false, 5039, &type_ops_snapshot) \
    X(XID8, "xid8", "xid8", 8, 'U', false, 271, &type_ops_xid8) \
    X(JSONB, "jsonb", "jsonb", -1, 'U', false, 3807, &type_ops_jsonb) \
    X(JSONPATH, "jsonpath", "jsonpath", -1, 'U', false, 4073, &type_ops_jsonpath) \
    X(REGOPER, "regoper", "regoper", 4, 'N', false, 2208, &type_ops_reg) \
    X(REGOPERATOR, "regoperator", "regoperator", 4, 'N', false, 2209, &type_ops_reg) \
    X(REGCOLLATION, "regcollation", "regcollation", 4, 'N', false, 4192, &type_ops_reg) \
    X(REGNAMESPACE, "regnamespace", "regnamespace", 4, 'N', false, 4090, &type_ops_reg) \
    X(REGROLE, "regrole", "regrole", 4, 'N', false, 4097, &type_ops_reg) \
    X(POINT, "point", "point", 16, 'G', false, 1017, &type_ops_geometry) \
    X(LSEG, "lseg", "lseg", 32, 'G', false, 1018, &type_ops_geometry) \
    X(PATH, "path", "path", -1, 'G', false, 1019, &type_ops_geometry) \
    X(BOX, "box", "box", 32, 'G', false, 1020, &type_ops_geometry) \
    X(POLYGON, "polygon", "polygon", -1, 'G', false, 1027, &type_ops_geometry) \
    X(LINE, "line", "line", 24, 'G', false, 629, &type_ops_geometry) \
    X(CIRCLE, "circle", "circle", 24, 'G', false, 719, &type_ops_geometry) \
    X(MONEY, "money", "money", 8, 'N', false, 791, &type_ops_money) \
    X(INT4RANGE, "int4range", "int4range", -1, 'R', false, 3905, &type_ops_range) \
    X(NUMRANGE, "numrange", "numrange", -1, 'R', false, 3907, &type_ops_range_inexact) \
    X(TSRANGE, "tsrange", "tsrange", -1, 'R', false, 3909, &type_ops_range) \
    X(TSTZRANGE, "tstzrange", "tstzrange", -1, 'R', false, 3911, &type_ops_range) \
    X(DATERANGE, "daterange", "daterange", -1, 'R', false, 3913, &type_ops_range) \
    X(INT8RANGE, "int8range", "int8range", -1, 'R', false, 3927, &type_ops_range) \
    X(INT4MULTIRANGE, "int4multirange", "int4multirange", -1, 'R', false, 6150, &type_ops_multirange) \
    X(NUMMULTIRANGE, "nummultirange", "nummultirange", -1, 'R', false, 6151, \
        &type_ops_multirange_inexact) \
    X(TSMULTIRANGE, "tsmultirange", "tsmultirange", -1, 'R', false, 6152, &type_ops_multirange) \
    X(TSTZMULTIRANGE, "tstzmultirange", "tstzmultirange", -1, 'R', false, 6153, &type_ops_multirange) \
    X(DATEMULTIRANGE, "datemultirange", "datemultirange", -1, 'R', false, 6155, &type_ops_multirange) \
    X(INT8MULTIRANGE, "int8multirange", "int8multirange", -1, 'R', false, 6157, &type_ops_multirange)

// X(id, name, length, category, element type, operations): types without an array type.
#define LONE_TYPES(X) \
    X(UNKNOWN, "unknown", -2, 'X', 0, &type_ops_text) \
    X(PG_NODE_TREE, "pg_node_tree", -1, 'Z', 0, &type_ops_text) \
    X(ANY, "any", 4, 'P', 0, &type_ops_void) \
    X(ANYARRAY, "anyarray", -1, 'P', 0, &type_ops_void) \
    X(VOID, "void", 4, 'P', 0, &type_ops_void) \
    X(TRIGGER, "trigger", 4, 'P', 0, &type_ops_void) \
    X(INTERNAL, "internal", 8, 'P', 0, &type_ops_void) \
    X(ANYELEMENT, "anyelement", 4, 'P', 0, &type_ops_void) \
    X(ANYNONARRAY, "anynonarray", 4, 'P', 0, &type_ops_void) \
    X(ANYENUM, "anyenum", 4, 'P', 0, &type_ops_void) \
    X(ANYRANGE, "anyrange", -1, 'P', 0, &type_ops_void) \
    X(ANYMULTIRANGE, "anymultirange", -1, 'P', 0, &type_ops_void) \
    X(ANYCOMPATIBLEMULTIRANGE, "anycompatiblemultirange", -1, 'P', 0, &type_ops_void) \
    X(ANYCOMPATIBLERANGE, "anycompatiblerange", -1, 'P', 0, &type_ops_void) \
    X(ANYCOMPATIBLE, "anycompatible", 4, 'P', 0, &type_ops_void) \
    X(ANYCOMPATIBLEARRAY, "anycompatiblearray", -1, 'P', 0, &type_ops_void) \
    X(ANYCOMPATIBLENONARRAY, "anycompatiblenonarray", 4, 'P', 0, &type_ops_void)
// clang-format on

enum type_index {
    INDEX_NONE, // So that a zero in index_of means unknown.
#define X(id, name, sql_name, length, category, preferred, array, ops) INDEX_##id, INDEX_ARRAY_##id,
    BASE_TYPES(X)
#undef X
#define X(id, name, length, category, element, ops) INDEX_##id,
    LONE_TYPES(X)
#undef X
    INDEX_INT2VECTOR, INDEX_OIDVECTOR, INDEX_ARRAY_INT2VECTOR, INDEX_ARRAY_OIDVECTOR, INDEX_COUNT
};
static_assert(INDEX_COUNT <= UINT8_MAX, "index_of holds bytes");

#define OID_INT2VECTOR_ARRAY 1006
#define OID_OIDVECTOR_ARRAY 1013

static const struct type_info infos[INDEX_COUNT] = {
#define X(id, name_, sql_name_, length_, category_, preferred_, array_, ops) \
    [INDEX_##id] = {TYPE_##id, name_, sql_name_, length_, category_, preferred_, 0, array_}, \
    [INDEX_ARRAY_##id] = {array_, "_" name_, sql_name_ "[]", -1, 'A', false, TYPE_##id, 0},
    BASE_TYPES(X)
#undef X
#define X(id, name_, length_, category_, element_, ops) \
    [INDEX_##id] = {TYPE_##id, name_, name_, length_, category_, false, element_, 0},
    LONE_TYPES(X)
#undef X
    [INDEX_INT2VECTOR] = {TYPE_INT2VECTOR, "int2vector", "int2vector", -1, 'A', false, TYPE_INT2,
        OID_INT2VECTOR_ARRAY},
    [INDEX_OIDVECTOR] = {TYPE_OIDVECTOR, "oidvector", "oidvector", -1, 'A', false, TYPE_OID,
        OID_OIDVECTOR_ARRAY},
    [INDEX_ARRAY_INT2VECTOR] = {OID_INT2VECTOR_ARRAY, "_int2vector", "int2vector[]", -1, 'A', false,
        TYPE_INT2VECTOR, 0},
    [INDEX_ARRAY_OIDVECTOR] = {OID_OIDVECTOR_ARRAY, "_oidvector", "oidvector[]", -1, 'A', false,
        TYPE_OIDVECTOR, 0},
};

static const struct type_ops *const ops_of[INDEX_COUNT] = {
    [INDEX_NONE] = &type_ops_void,
#define X(id, name, sql_name, length, category, preferred, array, ops) \
    [INDEX_##id] = ops, [INDEX_ARRAY_##id] = &type_ops_array,
    BASE_TYPES(X)
#undef X
#define X(id, name, length, category, element, ops) [INDEX_##id] = ops,
    LONE_TYPES(X)
#undef X
    [INDEX_INT2VECTOR] = &type_ops_vector,
    [INDEX_OIDVECTOR] = &type_ops_vector,
    [INDEX_ARRAY_INT2VECTOR] = &type_ops_array,
    [INDEX_ARRAY_OIDVECTOR] = &type_ops_array,
};

#define OID_TABLE_SIZE 6400
static const uint8_t index_of[OID_TABLE_SIZE] = {
#define X(id, name, sql_name, length, category, preferred, array, ops) \
    [TYPE_##id] = INDEX_##id, [array] = INDEX_ARRAY_##id,
    BASE_TYPES(X)
#undef X
#define X(id, name, length, category, element, ops) [TYPE_##id] = INDEX_##id,
    LONE_TYPES(X)
#undef X
    [TYPE_INT2VECTOR] = INDEX_INT2VECTOR,
    [TYPE_OIDVECTOR] = INDEX_OIDVECTOR,
    [OID_INT2VECTOR_ARRAY] = INDEX_ARRAY_INT2VECTOR,
    [OID_OIDVECTOR_ARRAY] = INDEX_ARRAY_OIDVECTOR,
};

static inline uint8_t index_for(type_oid oid)
{
    return oid < OID_TABLE_SIZE ? index_of[oid] : INDEX_NONE;
}

const struct type_info *type_info(type_oid oid)
{
    oid = collation_type_plain(oid);
    if (UNLIKELY(type_is_user(oid)))
        return (oid & TYPE_USER_ARRAY_BIT) != 0 ? &type_user(oid)->array : &type_user(oid)->info;
    uint8_t index = index_for(oid);
    return index == INDEX_NONE ? NULL : &infos[index];
}

const struct type_info *type_info_at(uint32_t index)
{
    return index + 1 < INDEX_COUNT ? &infos[index + 1] : NULL;
}

const struct type_ops *type_ops(type_oid oid)
{
    if (UNLIKELY(type_is_user(oid)))
        return (oid & TYPE_USER_ARRAY_BIT) != 0         ? &type_ops_array
               : type_user_kind(oid) == TYPE_USER_ENUM      ? &type_ops_enum
               : type_user_kind(oid) == TYPE_USER_COMPOSITE ? &type_ops_composite
                                                            : &type_ops_void;
    if (UNLIKELY(collation_is_type(oid))) return &type_ops_collated;
    return ops_of[index_for(oid)];
}

bool type_is_array(type_oid oid)
{
    const struct type_info *info = type_info(oid);
    return info != NULL && info->element != 0;
}

type_oid type_array_of(type_oid element)
{
    const struct type_info *info = type_info(element);
    return info == NULL ? 0 : info->array;
}

type_oid type_part(type_oid oid)
{
    if (oid == TYPE_POINT || oid == TYPE_LINE) return TYPE_FLOAT8;
    return oid == TYPE_LSEG || oid == TYPE_BOX ? TYPE_POINT : 0;
}

char type_delimiter(type_oid element)
{
    return element == TYPE_BOX ? ';' : ',';
}

// --- text and binary -----------------------------------------------------------------------------

static struct status error_unsupported(struct arena *arena, type_oid oid)
{
    const struct type_info *info = type_info(oid);
    return status_format(arena, E_FEATURE_NOT_SUPPORTED, "cannot accept a value of type %s",
        info == NULL ? "unknown" : info->sql_name);
}

// What takes more text than any sensible value has would be read in one step.
static size_t text_bytes_max(type_oid oid)
{
    const struct type_info *info = type_info(oid);
    if (info == NULL || oid == TYPE_NAME || oid == TYPE_CHAR_INTERNAL) return SIZE_MAX; // Which take a part of it.
    if (info->length > 0 || oid == TYPE_INET || oid == TYPE_CIDR) return SHORT_TEXT_BYTES_MAX;
    return type_is_range(oid) || oid == TYPE_JSONPATH ? RANGE_TEXT_BYTES_MAX : SIZE_MAX;
}

struct status type_input(struct arena *arena, const struct type_context *context,
    struct type type, struct bytes text, struct datum *value)
{
    const struct type_ops *ops = type_ops(type.oid);
    if (context == NULL) context = &type_context_default;
    if (ops->input == NULL) return error_unsupported(arena, type.oid);
    if (UNLIKELY(text.size > SHORT_TEXT_BYTES_MAX) && text.size > text_bytes_max(type.oid))
        return status_format(arena, E_PROGRAM_LIMIT_EXCEEDED, "text of %zu bytes is too long for a value of type %s",
            text.size, type_info(type.oid)->sql_name);
    *value = (struct datum){0};
    struct status st = ops->input(arena, context, type, text, value);
    // What was broken off is no error of the text's.
    if (UNLIKELY(failed(st)) && text.size > SHORT_TEXT_BYTES_MAX && task_current() != NULL && failed(task_check(task_current())))
        st = task_check(task_current());
    if (!failed(st) && type.typmod >= 0 && ops->coerce != NULL && !type_is_array(type.oid))
        st = ops->coerce(arena, type, false, *value, value);
    return st;
}

void type_output(
    struct buffer *out, const struct type_context *context, type_oid oid, struct datum value)
{
    const struct type_ops *ops = type_ops(oid);
    invariant(!value.null);
    if (context == NULL) context = &type_context_default;
    if (ops->output != NULL) ops->output(out, context, oid, value);
}

struct status type_receive(
    struct arena *arena, struct type type, struct bytes binary, struct datum *value)
{
    const struct type_ops *ops = type_ops(type.oid);
    if (ops->receive == NULL) return error_unsupported(arena, type.oid);
    *value = (struct datum){0};
    struct status st = ops->receive(arena, type, binary, value);
    if (!failed(st) && type.typmod >= 0 && ops->coerce != NULL && !type_is_array(type.oid))
        st = ops->coerce(arena, type, false, *value, value);
    return st;
}

void type_send(struct buffer *out, type_oid oid, struct datum value)
{
    const struct type_ops *ops = type_ops(oid);
    invariant(!value.null);
    if (ops->send != NULL) ops->send(out, oid, value);
}

void type_send_part(struct buffer *out, type_oid type, struct datum value)
{
    const size_t start = out->size;
    type_store_int(out, UINT32_MAX, 4);
    if (value.null) return;
    type_send(out, type, value);
    const uint32_t size = (uint32_t)(out->size - start - 4);
    for (uint32_t i = 0; i < 4; i++) out->data[start + i] = (uint8_t)(size >> (24 - 8 * i));
}

bool type_take_part(struct bytes *in, struct bytes *part, bool *null)
{
    if (in->size < 4) return false;
    const int64_t size = type_load_int(in->data, 4);
    *in = bytes_skip(*in, 4);
    *null = size == -1;
    if (*null) return true;
    if (size < 0 || (uint64_t)size > in->size) return false;
    *part = bytes_of(in->data, (size_t)size);
    *in = bytes_skip(*in, (size_t)size);
    return true;
}

// --- order, hash, copy -----------------------------------------------------------------------------

int type_compare(type_oid oid, struct datum a, struct datum b)
{
    const struct type_ops *ops = type_ops(oid);
    invariant(ops->compare != NULL);
    return ops->compare(oid, a, b);
}

bool type_is_ordered(type_oid oid)
{
    const struct type_info *info = type_info(oid);
    if (info != NULL && info->element != 0) return type_is_ordered(info->element);
    return type_ops(oid)->compare != NULL;
}

uint64_t type_hash(type_oid oid, struct datum value)
{
    const struct type_ops *ops = type_ops(oid);
    if (ops->hash != NULL) return ops->hash(oid, value);
    uint64_t bits = 0;
    double real;
    switch (ops->storage) {
    case TYPE_STORE_BOOL: bits = value.boolean; break;
    case TYPE_STORE_INT: bits = (uint64_t)value.integer; break;
    case TYPE_STORE_FLOAT4:
    case TYPE_STORE_FLOAT8:
        real = value.real == 0 ? 0 : value.real; // -0 equals 0, and all NaNs are one.
        if (real != real) real = __builtin_nan("");
        memcpy(&bits, &real, sizeof bits);
        break;
    case TYPE_STORE_BYTES: return XXH3_64bits(value.data, value.size);
    }
    bits ^= bits >> 32;
    bits *= 0x9e3779b97f4a7c15u;
    bits ^= bits >> 29;
    bits *= 0xbf58476d1ce4e5b9u;
    return bits ^ bits >> 32;
}

struct datum type_copy(struct arena *arena, type_oid oid, struct datum value)
{
    if (value.null || type_ops(oid)->storage != TYPE_STORE_BYTES) return value;
    struct bytes copy = arena_copy(arena, datum_as_bytes(value));
    value.data = copy.data;
    return value;
}

// --- keys --------------------------------------------------------------------------------------------

bool type_has_key(type_oid oid)
{
    const struct type_ops *ops = type_ops(oid);
    if (ops->element_has_key != NULL) return ops->element_has_key(type_info(oid)->element);
    return !ops->no_key;
}

struct status type_key_encode(
    struct buffer *key, type_oid oid, struct datum value, enum key_order order)
{
    const struct type_ops *ops = type_ops(oid);
    if (value.null) {
        key_append_null(key, order);
        return STATUS_OK;
    }
    if (!type_has_key(oid)) {
        const struct type_info *info = type_info(oid);
        return status_format(key->arena, E_FEATURE_NOT_SUPPORTED,
            "index over a column of type %s is not supported",
            info == NULL ? "unknown" : info->sql_name);
    }
    if (UNLIKELY(collation_is_type(oid))) {
        collation_key_encode(key, oid, value, order);
        return STATUS_OK;
    }
    if (ops->key_encode != NULL) {
        ops->key_encode(key, oid, value, order);
        return STATUS_OK;
    }
    switch (ops->storage) {
    case TYPE_STORE_BOOL: key_append_int(key, value.boolean, order); break;
    case TYPE_STORE_INT: key_append_int(key, value.integer, order); break;
    case TYPE_STORE_FLOAT4:
    case TYPE_STORE_FLOAT8: key_append_double(key, value.real, order); break;
    case TYPE_STORE_BYTES: key_append_bytes(key, datum_as_bytes(value), order); break;
    }
    return STATUS_OK;
}

struct status type_key_decode(struct bytes *key, type_oid oid, enum key_order order,
    struct arena *arena, struct datum *value)
{
    struct status st = STATUS_OK;
    const struct type_ops *ops = type_ops(oid);
    struct bytes bytes;
    int64_t integer;

    *value = (struct datum){0};
    if (key_decode_null(key, order)) {
        *value = DATUM_NULL;
        return STATUS_OK;
    }
    if (UNLIKELY(collation_is_type(oid))) return collation_key_decode(key, oid, order, arena);
    if (ops->no_key) return status_make(E_DATA_CORRUPTED, "key column of a type without keys");
    if (ops->key_decode != NULL) return ops->key_decode(key, oid, order, arena, value);
    switch (ops->storage) {
    case TYPE_STORE_BOOL:
        TRY(key_decode_int(key, order, &integer));
        value->boolean = integer != 0;
        break;
    case TYPE_STORE_INT: TRY(key_decode_int(key, order, &value->integer)); break;
    case TYPE_STORE_FLOAT4:
    case TYPE_STORE_FLOAT8: TRY(key_decode_double(key, order, &value->real)); break;
    case TYPE_STORE_BYTES:
        TRY(key_decode_bytes(key, order, arena, &bytes));
        *value = datum_bytes(bytes);
        break;
    }
out:
    return st;
}

bool type_key_is_exact(type_oid oid)
{
    return !type_ops(oid)->key_inexact;
}

// --- stored values -------------------------------------------------------------------------------------

void type_append_uvarint(struct buffer *out, uint64_t value)
{
    uint8_t *at = buffer_reserve(out, 10);
    uint32_t size = 0;
    while (value >= 0x80) {
        at[size++] = (uint8_t)(value | 0x80);
        value >>= 7;
    }
    at[size++] = (uint8_t)value;
    out->size += size;
}

struct status type_take_uvarint(struct bytes *in, uint64_t *value)
{
    uint64_t result = 0;
    for (uint32_t i = 0; i < 10 && i < in->size; i++) {
        uint8_t byte = in->data[i];
        result |= (uint64_t)(byte & 0x7f) << (7 * i);
        if ((byte & 0x80) == 0) {
            *in = bytes_skip(*in, i + 1);
            *value = result;
            return STATUS_OK;
        }
    }
    return status_make(E_DATA_CORRUPTED, "stored value is cut short");
}

void type_value_encode(struct buffer *out, type_oid oid, struct datum value)
{
    invariant(!value.null);
    float real4;
    switch (type_ops(oid)->storage) {
    case TYPE_STORE_BOOL: buffer_append_u8(out, value.boolean); break;
    case TYPE_STORE_INT: {
        uint64_t bits = (uint64_t)value.integer;
        type_append_uvarint(out, bits << 1 ^ (uint64_t)(value.integer >> 63));
        break;
    }
    case TYPE_STORE_FLOAT4:
        real4 = (float)value.real;
        buffer_append(out, &real4, sizeof real4);
        break;
    case TYPE_STORE_FLOAT8: buffer_append(out, &value.real, sizeof value.real); break;
    case TYPE_STORE_BYTES:
        type_append_uvarint(out, value.size);
        if (UNLIKELY(value.size > 2 * WORK_BYTES)) task_append(out, datum_as_bytes(value));
        else buffer_append(out, value.data, value.size);
        break;
    }
}

struct status type_value_decode(struct bytes *in, type_oid oid, struct datum *value)
{
    struct status st = STATUS_OK;
    uint64_t bits;
    float real4;

    *value = (struct datum){0};
    switch (type_ops(oid)->storage) {
    case TYPE_STORE_BOOL:
        if (in->size < 1) goto cut;
        value->boolean = in->data[0] != 0;
        *in = bytes_skip(*in, 1);
        break;
    case TYPE_STORE_INT:
        TRY(type_take_uvarint(in, &bits));
        value->integer = (int64_t)(bits >> 1 ^ (~(bits & 1) + 1));
        break;
    case TYPE_STORE_FLOAT4:
        if (in->size < sizeof real4) goto cut;
        memcpy(&real4, in->data, sizeof real4);
        value->real = (double)real4;
        *in = bytes_skip(*in, sizeof real4);
        break;
    case TYPE_STORE_FLOAT8:
        if (in->size < sizeof value->real) goto cut;
        memcpy(&value->real, in->data, sizeof value->real);
        *in = bytes_skip(*in, sizeof value->real);
        break;
    case TYPE_STORE_BYTES:
        TRY(type_take_uvarint(in, &bits));
        if (bits > in->size || bits > VALUE_BYTES_MAX) goto cut;
        *value = datum_bytes(bytes_of(in->data, bits));
        *in = bytes_skip(*in, bits);
        break;
    }
out:
    return st;
cut:
    return status_make(E_DATA_CORRUPTED, "stored value is cut short");
}
