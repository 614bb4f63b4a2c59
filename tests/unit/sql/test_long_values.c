// SPDX-License-Identifier: GPL-3.0-or-later
//
// Functions and casts over values of any length ask, as they go, whether others wait and whether their statement is
// cancelled: each of these, called for a task that is cancelled and has run for long, ends with 57014 and not with a result.
#include "tests/unit/harness.h"

#include <string.h>

#include "core/reactor.h"
#include "sql/type/encoding.h"
#include "sql/function/function.h"
#include "sql/type/json.h"

#define LONG_BYTES (256u << 10)
#define ARGS_MAX 4

enum made { NOTHING, PLAIN, ACCENTS, DIGITS, JSON_ARRAY_TEXT, JSON_OBJECT_TEXT, JSON_STRING_TEXT, JSON_SPACES, ARRAY_TEXT, QUOTES, DOTS, ESCAPES };

// What is repeated, between what begins and ends it.
static struct bytes make(struct arena *arena, enum made made)
{
    static const struct {
        const char *begin, *part, *end;
    } forms[] = {[PLAIN] = {"", "abc", ""},
        [ACCENTS] = {"", "\xc3\xa9", ""},
        [DIGITS] = {"", "61", ""},
        [JSON_ARRAY_TEXT] = {"[1", ",{\"a\": [2, null]}", "]"},
        [JSON_OBJECT_TEXT] = {"{\"b\": 1", ",\"a\": \"text\"", "}"},
        [JSON_STRING_TEXT] = {"\"", "\\u0041b", "\""},
        [JSON_SPACES] = {"", " ", "1"},
        [ARRAY_TEXT] = {"{1", ",23", "}"},
        [QUOTES] = {"", "'", ""},
        [DOTS] = {"", "a.", "a"},
        [ESCAPES] = {"", "\\0041", ""}};
    struct buffer out;
    buffer_init(&out, arena);
    buffer_append_string(&out, forms[made].begin);
    while (out.size < LONG_BYTES) buffer_append_string(&out, forms[made].part);
    buffer_append_string(&out, forms[made].end);
    return buffer_bytes(&out);
}

struct row {
    const char *name;
    type_oid types[ARGS_MAX];
    enum made made[ARGS_MAX]; // NOTHING: the text or number beside it.
    const char *texts[ARGS_MAX];
    int64_t numbers[ARGS_MAX];
    type_oid actual; // Of the first argument, where the function takes any.
};

static const struct function *find(const struct row *row, uint32_t *count)
{
    for (*count = 0; *count < ARGS_MAX && row->types[*count] != 0;) ++*count;
    for (const struct function *at = NULL; (at = function_next_named(row->name, at)) != NULL;) {
        bool same = at->arg_count == *count;
        for (uint32_t i = 0; same && i < *count; i++) same = at->args[i] == row->types[i];
        if (same && at->fn != NULL) return at;
    }
    return NULL;
}

static struct status call_long(struct task *task, const struct row *row)
{
    struct status st = STATUS_OK;
    struct datum args[ARGS_MAX], result = {0};
    struct type types[ARGS_MAX];
    uint32_t count;
    const struct function *function = find(row, &count);
    if (function == NULL) return status_format(task->arena, E_INTERNAL, "no function %s", row->name);
    for (uint32_t i = 0; i < count; i++) {
        types[i] = TYPE_OF(row->actual != 0 ? row->actual : row->types[i]);
        args[i] = row->made[i] != NOTHING  ? datum_bytes(make(task->arena, row->made[i]))
                  : row->texts[i] != NULL ? datum_text(row->texts[i])
                                          : datum_int(row->numbers[i]);
        if (row->actual == TYPE_INT4_ARRAY)
            TRY(type_input(task->arena, NULL, types[i], datum_as_bytes(args[i]), &args[i]));
        if (row->types[i] != TYPE_JSONB) continue;
        struct buffer jsonb;
        buffer_init(&jsonb, task->arena);
        TRY(json_parse(NULL, task->arena, datum_as_bytes(args[i]), &jsonb));
        args[i] = datum_bytes(buffer_bytes(&jsonb));
    }
    struct function_call call = {.task = task,
        .function = function,
        .arena = task->arena,
        .arg_types = types,
        .arg_count = count,
        .result_type = TYPE_OF(function->result),
        .state_arena = task->arena};
    task_cancel(task, status_make(E_QUERY_CANCELED, "canceled"));
    task->run_started_ns -= TASK_QUOTA_NS; // It has run for long: the next look is due.
    st = function->fn(&call, args, &result);
    task_cancel_clear(task);
out:
    return st;
}

NODE_TEST(long_values, functions_can_be_cancelled, 1)
{
    static const struct row rows[] = {
        {"length", {TYPE_TEXT}, .made = {ACCENTS}},
        {"substring", {TYPE_TEXT, TYPE_INT4, TYPE_INT4}, .made = {ACCENTS}, .numbers = {0, 100000, 3}},
        {"left", {TYPE_TEXT, TYPE_INT4}, .made = {ACCENTS}, .numbers = {0, -3}},
        {"right", {TYPE_TEXT, TYPE_INT4}, .made = {ACCENTS}, .numbers = {0, 3}},
        {"strpos", {TYPE_TEXT, TYPE_TEXT}, .made = {PLAIN}, .texts = {NULL, "x"}},
        {"split_part", {TYPE_TEXT, TYPE_TEXT, TYPE_INT4}, .made = {PLAIN}, .texts = {NULL, "c"}, .numbers = {0, 0, 80000}},
        {"split_part", {TYPE_TEXT, TYPE_TEXT, TYPE_INT4}, .made = {PLAIN}, .texts = {NULL, "c"}, .numbers = {0, 0, -80000}},
        {"btrim", {TYPE_TEXT, TYPE_TEXT}, .made = {PLAIN}, .texts = {NULL, "bac"}},
        {"rtrim", {TYPE_TEXT, TYPE_TEXT}, .made = {PLAIN}, .texts = {NULL, "bac"}},
        {"repeat", {TYPE_TEXT, TYPE_INT4}, .texts = {"abc"}, .numbers = {0, 1000000}},
        {"reverse", {TYPE_TEXT}, .made = {PLAIN}},
        {"lpad", {TYPE_TEXT, TYPE_INT4, TYPE_TEXT}, .texts = {"x", NULL, "abc"}, .numbers = {0, 1000000}},
        {"replace", {TYPE_TEXT, TYPE_TEXT, TYPE_TEXT}, .made = {PLAIN}, .texts = {NULL, "b", "xyz"}},
        {"translate", {TYPE_TEXT, TYPE_TEXT, TYPE_TEXT}, .made = {PLAIN}, .texts = {NULL, "abc", "xyz"}},
        {"overlay", {TYPE_TEXT, TYPE_TEXT, TYPE_INT4}, .made = {PLAIN}, .texts = {NULL, "x"}, .numbers = {0, 0, 3}},
        {"upper", {TYPE_TEXT}, .made = {PLAIN}},
        {"initcap", {TYPE_TEXT}, .made = {ACCENTS}},
        {"normalize", {TYPE_TEXT, TYPE_TEXT}, .made = {ACCENTS}, .texts = {NULL, "NFD"}},
        {"quote_literal", {TYPE_TEXT}, .made = {QUOTES}},
        {"md5", {TYPE_TEXT}, .made = {PLAIN}},
        {"sha256", {TYPE_BYTEA}, .made = {PLAIN}},
        {"sha512", {TYPE_BYTEA}, .made = {PLAIN}},
        {"encode", {TYPE_BYTEA, TYPE_TEXT}, .made = {PLAIN}, .texts = {NULL, "hex"}},
        {"encode", {TYPE_BYTEA, TYPE_TEXT}, .made = {PLAIN}, .texts = {NULL, "base64"}},
        {"encode", {TYPE_BYTEA, TYPE_TEXT}, .made = {PLAIN}, .texts = {NULL, "escape"}},
        {"decode", {TYPE_TEXT, TYPE_TEXT}, .made = {DIGITS}, .texts = {NULL, "hex"}},
        {"decode", {TYPE_TEXT, TYPE_TEXT}, .made = {DIGITS}, .texts = {NULL, "base64"}},
        {"decode", {TYPE_TEXT, TYPE_TEXT}, .made = {DIGITS}, .texts = {NULL, "escape"}},
        {"bit_count", {TYPE_BYTEA}, .made = {PLAIN}},
        {"convert_to", {TYPE_TEXT, TYPE_NAME}, .made = {ACCENTS}, .texts = {NULL, "LATIN1"}},
        {"convert_from", {TYPE_BYTEA, TYPE_NAME}, .made = {PLAIN}, .texts = {NULL, "LATIN2"}},
        {"parse_ident", {TYPE_TEXT}, .made = {DOTS}},
        {"unistr", {TYPE_TEXT}, .made = {ESCAPES}},
        {"jsonb_pretty", {TYPE_JSONB}, .made = {JSON_ARRAY_TEXT}},
        {"||", {TYPE_JSONB, TYPE_JSONB}, .made = {JSON_ARRAY_TEXT, JSON_ARRAY_TEXT}},
        {"-", {TYPE_JSONB, TYPE_INT4}, .made = {JSON_ARRAY_TEXT}, .numbers = {0, 3}},
        {"jsonb_strip_nulls", {TYPE_JSONB}, .made = {JSON_ARRAY_TEXT}},
        {"json_strip_nulls", {TYPE_JSON}, .made = {JSON_ARRAY_TEXT}},
        {"to_json", {TYPE_ANYELEMENT}, .made = {QUOTES}, .actual = TYPE_TEXT},
        {"to_jsonb", {TYPE_ANYELEMENT}, .made = {ARRAY_TEXT}, .actual = TYPE_INT4_ARRAY},
        {"@>", {TYPE_JSONB, TYPE_JSONB}, .made = {JSON_ARRAY_TEXT, JSON_ARRAY_TEXT}},
        {"||", {TYPE_TEXT, TYPE_TEXT}, .made = {PLAIN, PLAIN}},
    };
    struct status st = STATUS_OK;
    function_register_builtin();
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct arena_mark mark = arena_mark(task->arena);
        st = call_long(task, &rows[i]);
        if (st.code != E_QUERY_CANCELED)
            return status_format(task->arena, E_INTERNAL, "%s (row %zu): %s", rows[i].name, i,
                failed(st) ? st.message : "it ended with a result");
        st = STATUS_OK;
        arena_release(task->arena, mark);
    }
    return st;
}

NODE_TEST(long_values, texts_of_types_can_be_cancelled, 1)
{
    static const struct {
        type_oid type;
        enum made made;
    } rows[] = {{TYPE_JSON, JSON_ARRAY_TEXT}, {TYPE_JSON, JSON_SPACES}, {TYPE_JSON, JSON_STRING_TEXT},
        {TYPE_JSONB, JSON_ARRAY_TEXT}, {TYPE_JSONB, JSON_OBJECT_TEXT}, {TYPE_JSONB, JSON_SPACES},
        {TYPE_JSONB, JSON_STRING_TEXT}, {TYPE_INT4_ARRAY, ARRAY_TEXT}, {TYPE_BYTEA, PLAIN}};
    struct status st = STATUS_OK;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct datum value;
        struct bytes text = make(task->arena, rows[i].made);
        task_cancel(task, status_make(E_QUERY_CANCELED, "canceled"));
        task->run_started_ns -= TASK_QUOTA_NS;
        struct status ended = type_input(task->arena, NULL, TYPE_OF(rows[i].type), text, &value);
        task_cancel_clear(task);
        CHECK_FAILS(ended, E_QUERY_CANCELED);
        // The same text is read whole by a task that is not cancelled.
        TRY(type_input(task->arena, NULL, TYPE_OF(rows[i].type), text, &value));
    }
out:
    return st;
}

struct neighbour {
    struct task *cancels;
    bool ran;
};

static struct status cancel_it(struct task *task, void *arg)
{
    struct neighbour *neighbour = arg;
    (void)task;
    neighbour->ran = true;
    if (neighbour->cancels != NULL)
        task_cancel(neighbour->cancels, status_make(E_QUERY_CANCELED, "canceled"));
    return STATUS_OK;
}

// While one task reads a long document another one is served; what it does, cancelling the first, is seen at once.
NODE_TEST(long_values, others_run_meanwhile, 1)
{
    struct status st = STATUS_OK;
    struct bytes text = make(task->arena, JSON_ARRAY_TEXT);
    struct buffer out;
    for (int cancels = 0; cancels < 2; cancels++) {
        struct neighbour neighbour = {.cancels = cancels ? task : NULL};
        struct task_options options = {.fn = cancel_it, .arg = &neighbour, .kind = "neighbour"};
        buffer_init(&out, task->arena);
        TRY(task_start(task->shard, &options));
        task->run_started_ns -= TASK_QUOTA_NS;
        struct status ended = json_parse(task, task->arena, text, &out);
        task_cancel_clear(task);
        CHECK(neighbour.ran);
        if (cancels)
            CHECK_FAILS(ended, E_QUERY_CANCELED);
        else
            TRY(ended);
    }
out:
    return st;
}
