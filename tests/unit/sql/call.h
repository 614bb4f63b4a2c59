// SPDX-License-Identifier: GPL-3.0-or-later
//
// Calls of functions and operators for table-driven tests: arguments are written "type:text", results
// come back as text, errors as "SQLSTATE message". Resolution, casts and strictness work as in a query.
#pragma once
#include <criterion/criterion.h>

#include "sql/function/function.h"
#include "sql/type/timezone.h"

struct call_row {
    const char *name;    // A function's, or an operator's.
    const char *args[6]; // "int4:5", "unknown:5" for an untyped literal, "text:\\N" for NULL.
    const char *expect;
};

static inline const char *call_error(struct arena *arena, struct status st)
{
    char state[6];
    status_sqlstate(st, state);
    return arena_printf(arena, "%s %s", state, st.message);
}

static inline struct type_context call_context(void)
{
    struct type_context context = type_context_default;
    cr_assert(!failed(time_zone_load(TIME_ZONE_FOLDER)));
    context.now_us = INT64_C(852120000000000); // 2027-01-01 13:20:00 UTC
    return context;
}

static inline bool call_is_operator(const char *name)
{
    return strchr("+-*/<>=~!@#%^&|?`", name[0]) != NULL;
}

static inline struct status call_args(struct arena *arena, const struct type_context *context,
    const char *const *texts, struct type *types, struct datum *values, uint32_t *count)
{
    for (*count = 0; *count < 6 && texts[*count] != NULL; (*count)++) {
        const char *text = texts[*count], *colon = strchr(text, ':');
        char *name = arena_string(arena, bytes_of(text, (size_t)(colon - text)));
        const struct type_info *info = type_by_name(name);
        cr_assert_not_null(info, "type %s", name);
        types[*count] = TYPE_OF(info->oid);
        if (strcmp(colon + 1, "\\N") == 0) {
            values[*count] = DATUM_NULL;
            continue;
        }
        struct status st = type_input(
            arena, context, types[*count], bytes_of_string(colon + 1), &values[*count]);
        if (failed(st)) return st;
    }
    return STATUS_OK;
}

static inline struct status call_run(struct arena *arena, const struct call_row *row, char **text)
{
    struct status st = STATUS_OK;
    struct type_context context = call_context();
    struct type types[6], wanted[6];
    struct datum values[6], result = {0};
    uint32_t count;
    bool null = false;
    struct function_match match;
    *text = NULL;
    TRY(call_args(arena, &context, row->args, types, values, &count));
    TRY(call_is_operator(row->name)
            ? function_resolve(arena, FUNCTION_OPERATOR, NULL, row->name, types, count, &match)
            : function_resolve_any(arena, NULL, row->name, NULL, 0, types, count, &match));
    struct function_call call = {.arena = arena, .state_arena = arena, .context = &context};
    for (uint32_t i = 0; i < count; i++) {
        wanted[i] = TYPE_OF(match.args[i]);
        const struct cast *cast = cast_find(types[i].oid, match.args[i], CAST_IMPLICIT);
        cr_assert_not_null(cast, "%s: argument %u", row->name, i);
        TRY(cast_apply(&call, cast, types[i], wanted[i], false, values[i], &values[i]));
        null = null || values[i].null;
    }
    call.arg_types = wanted;
    call.arg_count = count;
    call.result_type = match.result;
    if (match.function->strict && null) {
        *text = "\\N";
        return STATUS_OK;
    }
    TRY(match.function->fn(&call, values, &result));
    if (result.null) {
        *text = "\\N";
        return STATUS_OK;
    }
    struct buffer out;
    buffer_init(&out, arena);
    type_output(&out, &context, match.result.oid, result);
    *text = buffer_string(&out);
out:
    return st;
}

static inline void call_check(const struct call_row *rows, size_t count)
{
    struct arena arena;
    arena_init(&arena, NULL);
    function_register_builtin();
    for (size_t i = 0; i < count; i++) {
        char *text;
        struct status st = call_run(&arena, &rows[i], &text);
        const char *got = failed(st) ? call_error(&arena, st) : text;
        cr_expect_str_eq(got, rows[i].expect, "%s(%s, %s, %s): got <%s>, not <%s>", rows[i].name,
            rows[i].args[0] == NULL ? "" : rows[i].args[0],
            rows[i].args[1] == NULL ? "" : rows[i].args[1],
            rows[i].args[2] == NULL ? "" : rows[i].args[2], got, rows[i].expect);
        arena_reset(&arena);
    }
    arena_fini(&arena);
}
