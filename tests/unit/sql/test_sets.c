// SPDX-License-Identifier: GPL-3.0-or-later
//
// Set-returning functions: their rows, joined by spaces, as PostgreSQL 15 gives them.
#include "tests/unit/sql/call.h"

static const char *rows_of(struct arena *arena, const struct call_row *row)
{
    struct status st = STATUS_OK;
    struct type_context context = call_context();
    struct type types[6], wanted[6];
    struct datum values[6], columns[4];
    uint32_t count;
    struct function_match match;
    struct buffer out;
    TRY(call_args(arena, &context, row->args, types, values, &count));
    TRY(function_resolve_any(arena, NULL, row->name, NULL, 0, types, count, &match));
    cr_assert_not_null(match.function->set);
    struct function_call call = {.arena = arena, .state_arena = arena, .context = &context};
    for (uint32_t i = 0; i < count; i++) {
        wanted[i] = TYPE_OF(match.args[i]);
        const struct cast *cast = cast_find(types[i].oid, match.args[i], CAST_IMPLICIT);
        TRY(cast_apply(&call, cast, types[i], wanted[i], false, values[i], &values[i]));
    }
    call.arg_types = wanted;
    call.arg_count = count;
    call.result_type = match.result;
    const struct set_ops *set = match.function->set;
    void *state = arena_alloc_zero(arena, set->state_bytes);
    TRY(set->start(&call, state, values));
    buffer_init(&out, arena);
    for (bool done = false;;) {
        TRY(set->next(&call, state, columns, &done));
        if (done) break;
        for (uint32_t i = 0; i < set->column_count; i++) {
            if (out.size > 0) buffer_append_u8(&out, i == 0 ? ' ' : '/');
            type_oid type = set->column_count == 1 ? match.result.oid : set->column_types[i];
            if (columns[i].null)
                buffer_append_string(&out, "\\N");
            else
                type_output(&out, &context, type, columns[i]);
        }
    }
    return buffer_string(&out);
out:
    return call_error(arena, st);
}

Test(sets, give_postgresqls_rows)
{
    static const struct call_row rows[] = {
        {"generate_series", {"int4:1", "int4:5"}, "1 2 3 4 5"},
        {"generate_series", {"int4:5", "int4:1", "int4:-2"}, "5 3 1"},
        {"generate_series", {"int4:5", "int4:1"}, ""},
        {"generate_series", {"int4:1", "int4:2", "int4:0"}, "22023 step size cannot equal zero"},
        {"generate_series", {"int4:2147483646", "int4:2147483647"}, "2147483646 2147483647"},
        {"generate_series", {"int8:9223372036854775806", "int8:9223372036854775807"},
            "9223372036854775806 9223372036854775807"},
        {"generate_series", {"numeric:1.1", "numeric:2", "numeric:0.3"}, "1.1 1.4 1.7 2.0"},
        {"generate_series", {"numeric:NaN", "numeric:2"}, "22023 start value cannot be NaN"},
        {"generate_series", {"timestamp:2026-01-30", "timestamp:2026-03-31", "interval:1 month"},
            "2026-01-30 00:00:00 2026-02-28 00:00:00 2026-03-28 00:00:00"},
        {"generate_series",
            {"timestamptz:2026-01-01 00:00+00", "timestamptz:2026-01-01 12:00+00", "interval:6 h"},
            "2026-01-01 00:00:00+00 2026-01-01 06:00:00+00 2026-01-01 12:00:00+00"},
        {"generate_series", {"date:2026-01-01", "date:2026-01-02", "unknown:1 day"},
            "2026-01-01 00:00:00+00 2026-01-02 00:00:00+00"},
        {"unnest", {"int4[]:{1,NULL,3}"}, "1 \\N 3"},
        {"unnest", {"text[]:{{a,b},{c,d}}"}, "a b c d"},
        {"unnest", {"int2vector:4 5"}, "4 5"},
        {"generate_subscripts", {"int4[]:[2:4]={7,8,9}", "int4:1"}, "2 3 4"},
        {"generate_subscripts", {"int4[]:{7,8,9}", "int4:1", "bool:t"}, "3 2 1"},
        {"generate_subscripts", {"int4[]:{7}", "int4:2"}, ""},
        {"string_to_table", {"text:a,b,c", "text:,"}, "a b c"},
        {"regexp_split_to_table", {"text:a1b22c", "text:\\d+"}, "a b c"},
        {"regexp_matches", {"text:a1b22", "text:([a-z])(\\d+)", "text:g"}, "{a,1} {b,22}"},
        {"regexp_matches", {"text:a1b22", "text:\\d+"}, "{1}"},
        {"jsonb_array_elements", {"jsonb:[1,\"a\",null]"}, "1 \"a\" null"},
        {"jsonb_array_elements_text", {"jsonb:[1,\"a\",null]"}, "1 a \\N"},
        {"json_array_elements", {"json:[1, {\"a\" : 2} ]"}, "1 {\"a\" : 2}"},
        {"json_array_elements_text", {"json:[1,\"a\\n\"]"}, "1 a\n"},
        {"jsonb_array_elements", {"jsonb:{}"}, "22023 cannot extract elements from an object"},
        {"jsonb_each", {"jsonb:{\"b\":1,\"a\":{\"c\":2}}"}, "a/{\"c\": 2} b/1"},
        {"jsonb_each_text", {"jsonb:{\"b\":\"x\",\"a\":null}"}, "a/\\N b/x"},
        {"json_each", {"json:{\"b\": 1,\"a\" :[ 2]}"}, "b/1 a/[ 2]"},
        {"json_each", {"json:[1]"}, "22023 cannot deconstruct an array as an object"},
        {"jsonb_object_keys", {"jsonb:{\"bb\":1,\"a\":2}"}, "a bb"},
        {"json_object_keys", {"json:{\"bb\":1,\"a\":2}"}, "bb a"},
    };
    struct arena arena;
    arena_init(&arena, NULL);
    function_register_builtin();
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        const char *got = rows_of(&arena, &rows[i]);
        cr_expect_str_eq(got, rows[i].expect, "%s(%s): got <%s>, not <%s>", rows[i].name,
            rows[i].args[0], got, rows[i].expect);
        arena_reset(&arena);
    }
    arena_fini(&arena);
}
