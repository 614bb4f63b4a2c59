// SPDX-License-Identifier: GPL-3.0-or-later
//
// Every function, operator and aggregate of the type layer over arbitrary arguments: it fails with a
// status or gives a value that prints. Two bytes choose the function, one its variations; the arguments'
// texts follow, divided by zero bytes.
#include <stddef.h>

#include "core/invariant.h"
#include "sql/function/function.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define ARGS_MAX 12
#define ROWS_MAX 40

static type_oid concrete(type_oid oid, bool numbers)
{
    switch (oid) {
    case TYPE_ANY:
    case TYPE_ANYELEMENT:
    case TYPE_ANYNONARRAY:
    case TYPE_ANYCOMPATIBLE:
    case TYPE_ANYCOMPATIBLENONARRAY: return numbers ? TYPE_INT4 : TYPE_TEXT;
    case TYPE_ANYARRAY:
    case TYPE_ANYCOMPATIBLEARRAY: return numbers ? TYPE_INT4_ARRAY : TYPE_TEXT_ARRAY;
    default: return oid;
    }
}

// A text that is no value of the type gives way to one of these that is.
static const char *const samples[] = {"0", "1", "-1", "7", "2147483647", "-2147483648", "32767",
    "9223372036854775807", "-9223372036854775808", "1.5", "-0.001", "1e300", "1e-300", "NaN", "Infinity",
    "-Infinity", "123456789012345678901234567890.5", "t", "2026-01-31", "infinity", "4714-11-24 BC",
    "294276-12-31 23:59:59", "12:34:56.5", "24:00", "12:00+15:59", "1 day", "-178000000 years",
    "1 mon -1 day 00:00:01", "{1,NULL,3}", "{}", "{{1,2},{3,4}}", "[0:1]={5,6}", "{\"a\": [1, {\"b\": null}]}",
    "[1, [2]]", "\"x\"", "null", "101", "1.2.3.4/8", "::1", "a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11",
    "\\x00ff", "(1,2)", "16/B374D848", "<a b=\"1\"><c>x</c></a>", "//c", "x"};
#define SAMPLE_COUNT (sizeof samples / sizeof samples[0])

static bool read_argument(struct arena *arena, const struct type_context *context, type_oid oid,
    struct bytes text, struct datum *value)
{
    if (!failed(type_input(arena, context, TYPE_OF(oid), text, value))) return true;
    uint32_t start = 0;
    for (size_t i = 0; i < text.size; i++)
        start = start * 31 + text.data[i];
    for (uint32_t i = 0; i < SAMPLE_COUNT; i++) {
        const char *sample = samples[(start + i) % SAMPLE_COUNT];
        if (!failed(type_input(arena, context, TYPE_OF(oid), bytes_of_string(sample), value)))
            return true;
    }
    return false;
}

static void print(struct arena *arena, type_oid oid, struct datum value)
{
    struct buffer out;
    buffer_init(&out, arena);
    if (!value.null && type_info(oid)->category != 'P') type_output(&out, NULL, oid, value);
}

static void run_set(struct function_call *call, const struct function *function, const struct datum *args)
{
    struct datum row[8] = {0};
    bool done = false;
    void *state = arena_alloc_zero(call->arena, function->set->state_bytes + 16);
    struct status st = function->set->start(call, state, args);
    for (int i = 0; i < ROWS_MAX && !failed(st); i++) {
        st = function->set->next(call, state, row, &done);
        if (failed(st) || done) return;
        for (uint32_t c = 0; c < function->set->column_count; c++)
            print(call->arena,
                function->set->column_count == 1 ? call->result_type.oid : function->set->column_types[c],
                row[c]);
    }
}

static void run_aggregate(
    struct function_call *call, const struct function *function, const struct datum *args, bool null)
{
    const struct aggregate_ops *ops = function->aggregate;
    struct datum result = {0};
    void *state = arena_alloc_aligned(call->arena, ops->state_bytes, 16);
    void *second = arena_alloc_aligned(call->arena, ops->state_bytes, 16);
    memset(state, 0, ops->state_bytes);
    memset(second, 0, ops->state_bytes);
    if (ops->init != NULL) {
        ops->init(state);
        ops->init(second);
    }
    if (null && !ops->takes_null) return;
    for (int i = 0; i < 3; i++) {
        if (failed(ops->step(call, state, args)) || failed(ops->step(call, second, args))) return;
    }
    if (ops->merge != NULL && failed(ops->merge(call, state, second))) return;
    if (!failed(ops->final(call, state, &result))) print(call->arena, call->result_type.oid, result);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static uint32_t count;
    struct arena arena;
    struct memory_account account;
    struct type types[ARGS_MAX];
    struct datum args[ARGS_MAX], result = {0};
    if (size < 4 || size > 4096) return 0;
    if (count == 0) {
        function_register_builtin();
        while (function_at(count) != NULL)
            count++;
    }
    const struct function *function = function_at((data[0] | (uint32_t)data[1] << 8) % count);
    bool numbers = (data[2] & 1) != 0, null = false;
    uint32_t arg_count = function->arg_count + (function->variadic ? data[2] >> 1 & 3u : 0u);
    if (arg_count > ARGS_MAX) return 0;
    struct bytes rest = bytes_of(data + 3, size - 3);
    memory_account_init(&account, NULL, "fuzz", 64u << 20);
    arena_init(&arena, &account);
    struct type_context context = type_context_default;
    for (uint32_t i = 0; i < arg_count; i++) {
        uint32_t at = i < function->arg_count ? i : (uint32_t)function->arg_count - 1;
        types[i] = TYPE_OF(concrete(function->args[at], numbers));
        const uint8_t *end = rest.size == 0 ? NULL : memchr(rest.data, 0, rest.size);
        struct bytes text = bytes_of(rest.data, end == NULL ? rest.size : (size_t)(end - rest.data));
        rest = bytes_skip(rest, end == NULL ? rest.size : text.size + 1);
        args[i] = DATUM_NULL;
        bool is_null = text.size == 1 && text.data[0] == '~';
        if (!is_null && !read_argument(&arena, &context, types[i].oid, text, &args[i])) goto out;
        null = null || args[i].null;
    }
    struct function_call call = {.arena = &arena,
        .state_arena = &arena,
        .context = &context,
        .arg_types = types,
        .arg_count = arg_count,
        .result_type = TYPE_OF(concrete(function->result, numbers))};
    if (function->kind == FUNCTION_AGGREGATE) {
        run_aggregate(&call, function, args, null);
    } else if (!(null && function->strict)) {
        if (function->set != NULL)
            run_set(&call, function, args);
        else if (function->fn != NULL && function->volatility != FUNCTION_VOLATILE &&
                 !failed(function->fn(&call, args, &result)))
            print(&arena, call.result_type.oid, result);
    }
out:
    arena_fini(&arena);
    memory_account_fini(&account);
    return 0;
}
