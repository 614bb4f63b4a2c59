// SPDX-License-Identifier: GPL-3.0-or-later
//
// What expressions do with values of composite types.
#include "sql/function/cast_functions.h"
#include "sql/type/composite.h"
#include "sql/function/function_table.h"
#include "sql/type/record.h"

BODY(make)
{
    struct buffer out;
    buffer_init(&out, call->arena);
    record_begin(&out, call->arg_count);
    for (uint32_t i = 0; i < call->arg_count; i++)
        record_add(&out, (struct bytes){0}, call->arg_types[i].oid, args[i]);
    *result = datum_bytes(buffer_bytes(&out));
    return out.size > ARENA_UNCHECKED_BYTES ? arena_check(call->arena) : STATUS_OK;
}

const struct function composite_make = {
    .name = "row", .kind = FUNCTION_SCALAR, .result = TYPE_RECORD, .fn = make};

static struct status wrong_row(struct function_call *call, uint32_t index, type_oid oid)
{
    struct status st = status_format(call->arena, E_DATATYPE_MISMATCH,
        "function return row and query-specified return row do not match");
    return status_detail(call->arena, st,
        "Returned type %s at ordinal position %u, but query expects %s.",
        type_format(call->arena, TYPE_OF(oid)), index + 1,
        type_format(call->arena, TYPE_OF(call->result_type.oid)));
}

BODY(get)
{
    struct status st;
    type_oid oid;
    uint32_t index = (uint32_t)args[1].integer;
    TRY(composite_field(args[0], index, &oid, result));
    if (oid != 0 && oid != call->result_type.oid && oid != TYPE_UNKNOWN)
        return wrong_row(call, index, oid);

out:
    return st;
}

const struct function composite_get = {.name = "field",
    .kind = FUNCTION_SCALAR,
    .result = TYPE_ANY,
    .strict = true,
    .fn = get};

BODY(set)
{
    struct status st = STATUS_OK;
    struct record_cursor cursor = {0};
    struct record_field field;
    struct buffer out;
    uint32_t index = (uint32_t)args[1].integer, count = (uint32_t)args[2].integer;
    if (!args[0].null) TRY(record_open(args[0], &cursor));
    if (cursor.count > count) count = cursor.count; // Made by a newer version of the type.
    buffer_init(&out, call->arena);
    record_begin(&out, count);
    for (uint32_t i = 0; i < count; i++) {
        field = (struct record_field){.value = DATUM_NULL};
        if (cursor.count > 0) TRY(record_next(&cursor, &field));
        if (i == index)
            field = (struct record_field){.type = call->arg_types[3].oid, .value = args[3]};
        record_add(&out, (struct bytes){0}, field.type, field.value);
    }
    *result = datum_bytes(buffer_bytes(&out));

out:
    return st;
}

const struct function composite_set = {
    .name = "set_field", .kind = FUNCTION_SCALAR, .result = TYPE_ANY, .fn = set};

BODY(is_null)
{
    struct status st = STATUS_OK;
    struct record_cursor cursor;
    struct record_field field;
    bool null = args[1].boolean;
    *result = datum_bool(args[0].null == null);
    if (args[0].null) return st;
    *result = datum_bool(true);
    TRY(record_open_as(call->arg_types[0].oid, args[0], &cursor));
    while (cursor.count > 0) {
        TRY(record_next(&cursor, &field));
        if (field.value.null != null) *result = datum_bool(false);
    }

out:
    return st;
}

const struct function composite_is_null = {
    .name = "is_null", .kind = FUNCTION_SCALAR, .result = TYPE_BOOL, .fn = is_null};

struct status cast_composite_to_record(
    struct function_call *call, const struct datum *args, struct datum *result)
{
    *result = args[0];
    return composite_to_record(call->arena, call->arg_types[0].oid, result);
}

// A record's fields become the type's, one by one.
struct status cast_record_to_composite(
    struct function_call *call, const struct datum *args, struct datum *result)
{
    struct status st;
    const struct user_type *user = type_user(call->result_type.oid);
    struct record_cursor cursor;
    struct record_field field;
    struct record_writer writer;
    struct buffer out;
    TRY(record_open(args[0], &cursor));
    if (cursor.count != user->field_count) {
        st = status_format(call->arena, E_CANNOT_COERCE, "cannot cast type record to %s",
            user->info.sql_name);
        return status_detail(call->arena, st, "Input has too %s columns.",
            cursor.count < user->field_count ? "few" : "many");
    }
    buffer_init(&out, call->arena);
    record_write_begin(&writer, &out, call->result_type.oid, cursor.count);
    for (uint32_t i = 0; cursor.count > 0; i++) {
        TRY(record_next(&cursor, &field));
        struct type to = user->fields[i].type;
        const struct cast *cast = cast_find(field.type, to.oid, CAST_EXPLICIT);
        if (cast == NULL)
            return status_format(call->arena, E_CANNOT_COERCE, "cannot cast type record to %s",
                user->info.sql_name);
        if (!field.value.null)
            TRY(cast_apply(
                call, cast, TYPE_OF(field.type), to, true, field.value, &field.value));
        record_write(&writer, to.oid, field.value);
    }
    *result = datum_bytes(buffer_bytes(&out));

out:
    return st;
}
