// SPDX-License-Identifier: GPL-3.0-or-later
//
// json objects as rows: json_populate_record, json_to_record and their kin. The binder tells which fields there
// are (sql/bind/bind_record.c): the arguments are the json, the fields' names, and the fields' values of the base row.
#include "sql/type/array.h"
#include "sql/function/function_record.h"
#include "sql/function/function_table.h"
#include "sql/type/json.h"
#include "sql/type/record.h"
#include "sql/type/type_user.h"

#define DEPTH_MAX 32 // Of rows in rows and arrays in arrays.

// A piece of json: as text, or as a jsonb value.
struct piece {
    bool text;
    struct bytes bytes;
};

static enum json_kind kind_of(struct piece piece)
{
    return piece.text ? json_text_kind(piece.bytes) : json_open(piece.bytes).kind;
}

static bool find_member(
    struct arena *arena, struct piece object, struct bytes name, struct piece *found)
{
    struct bytes key, value;
    struct json view, member;
    bool any = false;
    if (!object.text) {
        view = json_open(object.bytes);
        if (!json_find(&view, name, &member)) return false;
        *found = (struct piece){false, member.raw};
        return true;
    }
    struct json_scan scan = json_scan_container(object.bytes);
    while (json_scan_next(&scan, arena, &key, &value))
        if (bytes_equal(key, name)) { // Of several the last one counts.
            *found = (struct piece){true, value};
            any = true;
        }
    return any;
}

struct elements {
    struct piece array;
    struct json_scan scan;
    struct json view;
    uint32_t at;
};

static void elements_open(struct elements *elements, struct piece array)
{
    elements->array = array;
    elements->at = 0;
    if (array.text)
        elements->scan = json_scan_container(array.bytes);
    else
        elements->view = json_open(array.bytes);
}

static bool elements_next(struct elements *elements, struct arena *arena, struct piece *piece)
{
    piece->text = elements->array.text;
    if (piece->text) return json_scan_next(&elements->scan, arena, NULL, &piece->bytes);
    if (elements->at == elements->view.count) return false;
    piece->bytes = json_element(&elements->view, elements->at++).raw;
    return true;
}

// The text that an input function reads.
static struct bytes plain_text(struct arena *arena, struct piece piece)
{
    struct buffer out;
    if (piece.text)
        return kind_of(piece) == JSON_STRING ? json_text_unquote(arena, piece.bytes) : piece.bytes;
    struct json view = json_open(piece.bytes);
    if (view.kind == JSON_STRING) return view.scalar;
    buffer_init(&out, arena);
    json_print(&out, piece.bytes);
    return buffer_bytes(&out);
}

static struct status read_field(struct function_call *call, struct piece piece, struct type type,
    uint32_t depth, struct datum *value);

static struct status expected(struct function_call *call, const char *what)
{
    return status_format(call->arena, E_INVALID_TEXT_REPRESENTATION, "expected JSON %s", what);
}

struct filling {
    struct array_builder builder;
    struct type element;
    int32_t lengths[ARRAY_DIMENSIONS_MAX];
    uint32_t dimensions; // 0: not known before the first item that is none.
};

static struct status fill_array(struct function_call *call, struct filling *filling,
    struct piece piece, uint32_t level, uint32_t depth)
{
    struct status st = STATUS_OK;
    struct elements elements;
    struct piece item;
    int32_t count = 0;
    if (level == ARRAY_DIMENSIONS_MAX)
        return status_format(call->arena, E_PROGRAM_LIMIT_EXCEEDED,
            "number of array dimensions exceeds the maximum allowed (%d)", ARRAY_DIMENSIONS_MAX);
    elements_open(&elements, piece);
    for (; elements_next(&elements, call->arena, &item); count++) {
        bool nested = kind_of(item) == JSON_ARRAY && filling->element.oid != TYPE_JSON &&
                      filling->element.oid != TYPE_JSONB;
        if (filling->dimensions == 0 && !nested) filling->dimensions = level + 1;
        if (nested != (filling->dimensions == 0 || level + 1 < filling->dimensions))
            return expected(call, "array");
        if (nested) {
            TRY(fill_array(call, filling, item, level + 1, depth));
            continue;
        }
        struct datum value;
        TRY(read_field(call, item, filling->element, depth + 1, &value));
        TRY(array_builder_add(&filling->builder, value));
    }
    if (filling->dimensions == 0 && count == 0) filling->dimensions = level + 1;
    if (filling->lengths[level] < 0) filling->lengths[level] = count;
    if (filling->lengths[level] != count) {
        st = status_make(E_INVALID_TEXT_REPRESENTATION, "malformed JSON array");
        return status_detail(call->arena, st,
            "Multidimensional arrays must have sub-arrays with matching dimensions.");
    }

out:
    return st;
}

static struct status read_array(struct function_call *call, struct piece piece, struct type type,
    uint32_t depth, struct datum *value)
{
    struct status st;
    struct filling filling = {.element = {type_info(type.oid)->element, type.typmod},
        .lengths = {-1, -1, -1, -1, -1, -1}};
    static const int32_t ones[ARRAY_DIMENSIONS_MAX] = {1, 1, 1, 1, 1, 1};
    array_builder_init(&filling.builder, call->arena, filling.element.oid);
    TRY(fill_array(call, &filling, piece, 0, depth));
    if (filling.builder.count == 0) return array_builder_finish(&filling.builder, value);
    st = array_builder_finish_dimensions(
        &filling.builder, filling.dimensions, filling.lengths, ones, value);

out:
    return st;
}

static struct status read_row(struct function_call *call, struct piece piece, type_oid oid,
    uint32_t depth, struct datum *value)
{
    struct status st = STATUS_OK;
    const struct user_type *user = type_user(oid);
    struct record_writer writer;
    struct buffer out;
    buffer_init(&out, call->arena);
    record_write_begin(&writer, &out, oid, user->field_count);
    for (uint32_t i = 0; i < user->field_count; i++) {
        struct piece member;
        struct datum field = DATUM_NULL;
        if (find_member(call->arena, piece, bytes_of_string(user->fields[i].name), &member))
            TRY(read_field(call, member, user->fields[i].type, depth + 1, &field));
        record_write(&writer, user->fields[i].type.oid, field);
    }
    *value = datum_bytes(buffer_bytes(&out));

out:
    return st;
}

static struct status read_field(struct function_call *call, struct piece piece, struct type type,
    uint32_t depth, struct datum *value)
{
    struct buffer out;
    enum json_kind kind = kind_of(piece);
    *value = DATUM_NULL;
    if (kind == JSON_NULL) return STATUS_OK;
    if (depth > DEPTH_MAX)
        return status_make(E_STATEMENT_TOO_COMPLEX, "rows in json are nested too deeply");
    *value = (struct datum){0};
    if (type_is_composite(type.oid) && kind != JSON_STRING) {
        if (kind != JSON_OBJECT)
            return status_make(E_INVALID_PARAMETER_VALUE, "cannot call populate_composite on a scalar");
        return read_row(call, piece, type.oid, depth, value);
    }
    if (type_is_array(type.oid) && kind != JSON_STRING) {
        if (kind != JSON_ARRAY) return expected(call, "array");
        return read_array(call, piece, type, depth, value);
    }
    if ((type.oid == TYPE_JSON && piece.text) || (type.oid == TYPE_JSONB && !piece.text)) {
        *value = datum_bytes(piece.bytes);
        return STATUS_OK;
    }
    struct bytes text = plain_text(call->arena, piece);
    if ((type.oid == TYPE_JSON || type.oid == TYPE_JSONB) && kind == JSON_STRING) {
        buffer_init(&out, call->arena);
        json_print_string(&out, text);
        text = buffer_bytes(&out);
    }
    return type_input(call->arena, call->context, type, text, value);
}

// --- the functions -----------------------------------------------------------------------------------------

// args: the json, the names (each with a zero behind it), the fields of the base row.
static struct status make_row(struct function_call *call, struct piece object,
    const struct datum *args, const struct type *types, uint32_t count, struct datum *result)
{
    struct status st = STATUS_OK;
    struct bytes names = datum_as_bytes(args[1]);
    struct record_writer writer;
    struct buffer out;
    if (kind_of(object) != JSON_OBJECT)
        return status_format(call->arena, E_INVALID_PARAMETER_VALUE, "cannot call %s on %s",
            "populate_composite", kind_of(object) == JSON_ARRAY ? "an array" : "a scalar");
    buffer_init(&out, call->arena);
    record_write_begin(&writer, &out, call->result_type.oid, count);
    for (uint32_t i = 0; i < count; i++) {
        size_t size = strnlen((const char *)names.data, names.size);
        struct piece member;
        struct datum value = args[2 + i];
        if (find_member(call->arena, object, bytes_of(names.data, size), &member))
            TRY(read_field(call, member, types[2 + i], 0, &value));
        record_write(&writer, types[2 + i].oid, value);
        size_t used = size < names.size ? size + 1 : size;
        names = bytes_of(names.data + used, names.size - used);
    }
    *result = datum_bytes(buffer_bytes(&out));
    TRY(arena_check(call->arena));

out:
    return st;
}

static struct piece piece_of(const struct function_call *call, struct datum json)
{
    return (struct piece){call->arg_types[0].oid == TYPE_JSON, datum_as_bytes(json)};
}

BODY(one_record)
{
    struct status st;
    struct record_writer writer;
    struct buffer out;
    uint32_t count = call->arg_count - 2;
    if (!args[0].null)
        return make_row(call, piece_of(call, args[0]), args, call->arg_types, count, result);
    bool any = false;
    for (uint32_t i = 0; i < count; i++) any |= !args[2 + i].null;
    *result = DATUM_NULL;
    if (!any) return STATUS_OK;
    buffer_init(&out, call->arena);
    record_write_begin(&writer, &out, call->result_type.oid, count);
    for (uint32_t i = 0; i < count; i++)
        record_write(&writer, call->arg_types[2 + i].oid, args[2 + i]);
    *result = datum_bytes(buffer_bytes(&out));
    st = arena_check(call->arena);
    return st;
}

const struct function json_one_record = {.name = "json_to_record",
    .kind = FUNCTION_SCALAR,
    .result = TYPE_RECORD,
    .volatility = FUNCTION_STABLE,
    .fn = one_record};

struct recordset {
    struct elements elements;
    struct datum *args;
    bool empty;
};

static struct status recordset_start(
    struct function_call *call, void *state, const struct datum *args)
{
    struct recordset *set = state;
    struct piece json = piece_of(call, args[0]);
    set->empty = args[0].null;
    if (set->empty) return STATUS_OK;
    if (kind_of(json) != JSON_ARRAY)
        return status_format(call->arena, E_INVALID_PARAMETER_VALUE, "cannot call %s on %s",
            json.text ? "json_to_recordset" : "jsonb_to_recordset",
            kind_of(json) == JSON_OBJECT ? "an object" : "a scalar");
    set->args = ARENA_ARRAY(call->state_arena, struct datum, call->arg_count);
    memcpy(set->args, args, call->arg_count * sizeof *args);
    elements_open(&set->elements, json);
    return STATUS_OK;
}

static struct status recordset_next(
    struct function_call *call, void *state, struct datum *row, bool *done)
{
    struct recordset *set = state;
    struct piece item;
    *done = set->empty || !elements_next(&set->elements, call->arena, &item);
    if (*done) return STATUS_OK;
    if (kind_of(item) != JSON_OBJECT)
        return status_format(call->arena, E_INVALID_PARAMETER_VALUE,
            "argument of %s must be an array of objects",
            item.text ? "json_populate_recordset" : "jsonb_populate_recordset");
    return make_row(call, item, set->args, call->arg_types, call->arg_count - 2, row);
}

static const type_oid recordset_types[] = {TYPE_RECORD};
static const char *const recordset_names[] = {"json_to_recordset"};
static const struct set_ops recordset_ops = {.column_count = 1,
    .column_names = recordset_names,
    .column_types = recordset_types,
    .state_bytes = sizeof(struct recordset),
    .start = recordset_start,
    .next = recordset_next};

const struct function json_recordset = {.name = "json_to_recordset",
    .kind = FUNCTION_SET,
    .result = TYPE_RECORD,
    .volatility = FUNCTION_STABLE,
    .set = &recordset_ops};

// What calls name; the binder puts one of the two above in their place.
BODY(not_bound)
{
    (void)args, (void)result;
    return status_format(call->arena, E_FEATURE_NOT_SUPPORTED,
        "function returning record called in context that cannot accept type record");
}

#define RECORD_FUNCTION(name_, oid_, result_, ...) \
    {.name = name_, .kind = FUNCTION_SCALAR, .oid = oid_, .result = TYPE_##result_, \
        .volatility = FUNCTION_STABLE, .fn = not_bound, FN_ARGS(__VA_ARGS__)}
#define RECORDSET_FUNCTION(name_, oid_, result_, ...) \
    {.name = name_, .kind = FUNCTION_SET, .oid = oid_, .result = TYPE_##result_, \
        .volatility = FUNCTION_STABLE, .set = &recordset_ops, FN_ARGS(__VA_ARGS__)}

// clang-format off
static const struct function table[] = {
    RECORD_FUNCTION("json_populate_record", 3960, ANYELEMENT, TYPE_ANYELEMENT, TYPE_JSON),
    RECORDSET_FUNCTION("json_populate_recordset", 3961, ANYELEMENT, TYPE_ANYELEMENT, TYPE_JSON),
    RECORD_FUNCTION("jsonb_populate_record", 3209, ANYELEMENT, TYPE_ANYELEMENT, TYPE_JSONB),
    RECORDSET_FUNCTION("jsonb_populate_recordset", 3475, ANYELEMENT, TYPE_ANYELEMENT, TYPE_JSONB),
    RECORD_FUNCTION("json_to_record", 3204, RECORD, TYPE_JSON),
    RECORDSET_FUNCTION("json_to_recordset", 3205, RECORD, TYPE_JSON),
    RECORD_FUNCTION("jsonb_to_record", 3490, RECORD, TYPE_JSONB),
    RECORDSET_FUNCTION("jsonb_to_recordset", 3491, RECORD, TYPE_JSONB),
};
// clang-format on

bool function_makes_json_records(const struct function *function)
{
    return function >= table && function < table + TABLE_COUNT(table);
}

void functions_json_record_register(void)
{
    function_register(table, TABLE_COUNT(table));
}
