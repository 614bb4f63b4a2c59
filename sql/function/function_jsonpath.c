// SPDX-License-Identifier: GPL-3.0-or-later
//
// jsonb_path_* and the operators @? and @@.
#include "sql/function/function_table.h"
#include "sql/type/jsonpath.h"

// The parsed path, kept with the call while its text stays the same.
struct kept {
    struct bytes text;
    struct jsonpath path;
};

static struct status path_of(
    struct function_call *call, struct datum value, const struct jsonpath **path)
{
    struct status st = STATUS_OK;
    struct bytes text = datum_as_bytes(value);
    struct kept *kept = call->state;
    if (kept == NULL || !bytes_equal(kept->text, text)) {
        struct arena *arena = call->state_arena != NULL ? call->state_arena : call->arena;
        kept = ARENA_NEW(arena, struct kept);
        kept->text = arena_copy(arena, text);
        TRY(jsonpath_parse(arena, kept->text, &kept->path));
        call->state = kept;
    }
    *path = &kept->path;

out:
    return st;
}

// Of class 22: what a path meets in the data.
static bool is_suppressed(struct status st)
{
    static const uint32_t codes[] = {E_DIVISION_BY_ZERO, E_NUMERIC_OUT_OF_RANGE,
        SQLSTATE('2', '2', '0', '3', '3'), SQLSTATE('2', '2', '0', '3', '6'),
        SQLSTATE('2', '2', '0', '3', '8'), SQLSTATE('2', '2', '0', '3', '9'),
        SQLSTATE('2', '2', '0', '3', 'A'), SQLSTATE('2', '2', '0', '3', 'B'),
        SQLSTATE('2', '2', '0', '3', 'C')};
    for (size_t i = 0; i < sizeof codes / sizeof codes[0]; i++)
        if (st.code == codes[i]) return true;
    return false;
}

// args: target, path[, vars[, silent]]. `any`: only whether there is an item is asked. *suppressed: there was an error
// that is not told.
static struct status run(struct function_call *call, const struct datum *args, bool silent, bool any,
    struct jsonpath_items *items, bool *suppressed)
{
    struct status st;
    const struct jsonpath *path;
    struct bytes vars = {0};
    if (call->arg_count == 2 && !silent) vars = bytes_of_string(""); // Not so of the operators: variables are null there.
    *suppressed = false;
    if (call->arg_count > 2) {
        vars = datum_as_bytes(args[2]);
        if (json_open(vars).kind != JSON_OBJECT) {
            st = status_make(E_INVALID_PARAMETER_VALUE, "\"vars\" argument is not an object");
            return status_detail(call->arena, st,
                "Jsonpath parameters should be encoded as key-value pairs of \"vars\" object.");
        }
    }
    if (call->arg_count > 3) silent = args[3].boolean;
    TRY(path_of(call, args[1], &path));
    st = jsonpath_run(call, path, datum_as_bytes(args[0]), vars, any, items);
    if (failed(st) && silent && is_suppressed(st)) {
        *suppressed = true;
        return STATUS_OK;
    }

out:
    return st;
}

static struct status exists(
    struct function_call *call, const struct datum *args, bool silent, struct datum *result)
{
    struct jsonpath_items items = {0};
    bool suppressed;
    struct status st = run(call, args, silent, true, &items, &suppressed);
    *result = suppressed ? DATUM_NULL : datum_bool(items.count > 0);
    return st;
}

static struct status match(
    struct function_call *call, const struct datum *args, bool silent, struct datum *result)
{
    struct status st;
    struct jsonpath_items items;
    bool suppressed;
    TRY(run(call, args, silent, false, &items, &suppressed));
    *result = DATUM_NULL;
    if (items.count == 1) {
        enum json_kind kind = json_open(items.items[0]).kind;
        if (kind == JSON_TRUE || kind == JSON_FALSE) {
            *result = datum_bool(kind == JSON_TRUE);
            return st;
        }
        if (kind == JSON_NULL) return st;
    }
    bool quiet = silent || (call->arg_count > 3 && args[3].boolean);
    if (!quiet)
        st = status_make(
            SQLSTATE('2', '2', '0', '3', '8'), "single boolean result is expected");

out:
    return st;
}

BODY(path_exists)
{
    return exists(call, args, false, result);
}
BODY(path_exists_quiet)
{
    return exists(call, args, true, result);
}
BODY(path_match)
{
    return match(call, args, false, result);
}
BODY(path_match_quiet)
{
    return match(call, args, true, result);
}

BODY(query_array)
{
    struct status st;
    struct jsonpath_items items;
    bool suppressed;
    struct json_builder builder;
    struct buffer out;
    TRY(run(call, args, false, false, &items, &suppressed));
    json_builder_init(&builder, call->arena, false);
    builder.task = call->task;
    for (uint32_t i = 0; i < items.count; i++)
        json_builder_add(&builder, (struct bytes){0}, items.items[i]);
    buffer_init(&out, call->arena);
    TRY(json_builder_finish(&builder, &out));
    *result = datum_bytes(buffer_bytes(&out));
    st = arena_check(call->arena);

out:
    return st;
}

BODY(query_first)
{
    struct status st;
    struct jsonpath_items items;
    bool suppressed;
    TRY(run(call, args, false, false, &items, &suppressed));
    *result = items.count == 0 ? DATUM_NULL : datum_bytes(items.items[0]);

out:
    return st;
}

struct query_state {
    struct jsonpath_items items;
    uint32_t at;
};

static struct status query_start(
    struct function_call *call, void *state, const struct datum *args)
{
    struct query_state *query = state;
    bool suppressed;
    return run(call, args, false, false, &query->items, &suppressed);
}

static struct status query_next(
    struct function_call *call, void *state, struct datum *row, bool *done)
{
    struct query_state *query = state;
    (void)call;
    *done = query->at == query->items.count;
    if (!*done) row[0] = datum_bytes(query->items.items[query->at++]);
    return STATUS_OK;
}

static const type_oid query_types[] = {TYPE_JSONB};
static const char *const query_names[] = {"jsonb_path_query"};
static const char *const query_tz_names[] = {"jsonb_path_query_tz"};
static const struct set_ops query_ops = {.column_count = 1,
    .column_names = query_names,
    .column_types = query_types,
    .state_bytes = sizeof(struct query_state),
    .start = query_start,
    .next = query_next};
static const struct set_ops query_tz_ops = {.column_count = 1,
    .column_names = query_tz_names,
    .column_types = query_types,
    .state_bytes = sizeof(struct query_state),
    .start = query_start,
    .next = query_next};

// target, path[, vars[, silent]]: PostgreSQL has one function with defaults, and its oid goes to the longest.
#define PATH_ARGS_2 TYPE_JSONB, TYPE_JSONPATH
#define PATH_ARGS_3 TYPE_JSONB, TYPE_JSONPATH, TYPE_JSONB
#define PATH_ARGS_4 TYPE_JSONB, TYPE_JSONPATH, TYPE_JSONB, TYPE_BOOL
#define FORMS(MACRO, name, short_oid, oid, result, fn) \
    MACRO(name, short_oid, result, fn, PATH_ARGS_2), \
    MACRO(name, short_oid + 1, result, fn, PATH_ARGS_3), MACRO(name, oid, result, fn, PATH_ARGS_4)

static const struct function table[] = {
    FORMS(SCALAR, "jsonb_path_exists", 100940, 4005, BOOL, path_exists),
    FORMS(SCALAR, "jsonb_path_exists_tz", 100942, 1177, BOOL, path_exists),
    FORMS(SCALAR, "jsonb_path_match", 100944, 4009, BOOL, path_match),
    FORMS(SCALAR, "jsonb_path_match_tz", 100946, 2030, BOOL, path_match),
    FORMS(SCALAR, "jsonb_path_query_array", 100948, 4007, JSONB, query_array),
    FORMS(SCALAR, "jsonb_path_query_array_tz", 100950, 1180, JSONB, query_array),
    FORMS(SCALAR, "jsonb_path_query_first", 100952, 4008, JSONB, query_first),
    FORMS(SCALAR, "jsonb_path_query_first_tz", 100954, 2023, JSONB, query_first),
    FORMS(SET_RETURNING, "jsonb_path_query", 100956, 4006, JSONB, &query_ops),
    FORMS(SET_RETURNING, "jsonb_path_query_tz", 100958, 1179, JSONB, &query_tz_ops),
    OPERATOR("@?", 4012, BOOL, path_exists_quiet, NULL, NULL, TYPE_JSONB, TYPE_JSONPATH),
    OPERATOR("@@", 4013, BOOL, path_match_quiet, NULL, NULL, TYPE_JSONB, TYPE_JSONPATH),
};

void functions_jsonpath_register(void)
{
    function_register(table, TABLE_COUNT(table));
}
