// SPDX-License-Identifier: GPL-3.0-or-later
//
// Expected values are PostgreSQL 15's.
#include "tests/unit/sql/call.h"

#include "sql/type/json.h"

Test(json, json)
{
    static const struct call_row rows[] = {
        {"->", {"jsonb:{\"a\":{\"b\":1},\"c\":\"x\"}", "text:a"}, "{\"b\": 1}"},
        {"->", {"jsonb:{\"a\":{\"b\":1},\"c\":\"x\"}", "unknown:c"}, "\"x\""},
        {"->>", {"jsonb:{\"a\":{\"b\":1},\"c\":\"x\"}", "text:a"}, "{\"b\": 1}"},
        {"->>", {"jsonb:{\"a\":{\"b\":1},\"c\":\"x\"}", "text:c"}, "x"},
        {"->>", {"jsonb:{\"a\":null}", "text:a"}, "\\N"},
        {"->", {"jsonb:{\"a\":null}", "text:a"}, "null"},
        {"->", {"jsonb:{\"a\":1}", "text:z"}, "\\N"},
        {"->", {"jsonb:[1,\"a\",null]", "int4:1"}, "\"a\""},
        {"->>", {"jsonb:[1,\"a\",null]", "int4:1"}, "a"},
        {"->>", {"jsonb:[1,\"a\",null]", "int4:-1"}, "\\N"},
        {"->", {"jsonb:[1,\"a\",null]", "int4:-3"}, "1"},
        {"->", {"jsonb:[1,\"a\",null]", "int4:3"}, "\\N"},
        {"->", {"jsonb:{\"a\":1}", "int4:0"}, "\\N"},
        {"->", {"jsonb:5", "text:a"}, "\\N"},
        {"->", {"json:{\"a\": {\"b\" : 1},\"a\" : 2}", "text:a"}, "2"},
        {"->>", {"json:{\"a\": \"x\\u00e9\\n\"}", "text:a"}, "xé\n"},
        {"->", {"json:[1 , [2,3] ]", "int4:1"}, "[2,3]"},
        {"->", {"json:[1 , [2,3] ]", "int4:-1"}, "[2,3]"},
        {"->>", {"json:[1,null]", "int4:1"}, "\\N"},
        {"#>", {"jsonb:{\"a\":[1,{\"b\":2}]}", "text[]:{a,1,b}"}, "2"},
        {"#>>", {"jsonb:{\"a\":[1,{\"b\":\"x\"}]}", "text[]:{a,1,b}"}, "x"},
        {"#>", {"jsonb:{\"a\":[1,{\"b\":2}]}", "text[]:{a,x}"}, "\\N"},
        {"#>", {"jsonb:{\"a\":1}", "text[]:{}"}, "{\"a\": 1}"},
        {"#>>", {"json:{\"a\":[1,{\"b\":\"x\"}]}", "text[]:{a,-1,b}"}, "x"},
        {"@>", {"jsonb:{\"a\":1,\"b\":2}", "jsonb:{\"b\":2}"}, "t"},
        {"@>", {"jsonb:{\"a\":1,\"b\":2}", "jsonb:{\"b\":3}"}, "f"},
        {"@>", {"jsonb:[1,2,[1,3]]", "jsonb:[1,[1,3]]"}, "t"},
        {"@>", {"jsonb:[1,2]", "jsonb:2"}, "t"},
        {"@>", {"jsonb:2", "jsonb:[2]"}, "f"},
        {"@>", {"jsonb:{\"a\":{\"b\":[1,2]}}", "jsonb:{\"a\":{\"b\":[2]}}"}, "t"},
        {"@>", {"jsonb:[]", "jsonb:[]"}, "t"},
        {"@>", {"jsonb:{\"a\":1}", "jsonb:{}"}, "t"},
        {"<@", {"jsonb:{\"b\":2}", "jsonb:{\"a\":1,\"b\":2}"}, "t"},
        {"?", {"jsonb:{\"a\":1}", "text:a"}, "t"},
        {"?", {"jsonb:[\"a\",\"b\"]", "text:b"}, "t"},
        {"?", {"jsonb:\"a\"", "text:a"}, "t"},
        {"?", {"jsonb:[1]", "text:1"}, "f"},
        {"?|", {"jsonb:{\"a\":1}", "text[]:{b,a}"}, "t"},
        {"?&", {"jsonb:{\"a\":1}", "text[]:{b,a}"}, "f"},
        {"||", {"jsonb:{\"a\":1,\"b\":2}", "jsonb:{\"b\":3,\"c\":4}"}, "{\"a\": 1, \"b\": 3, \"c\": 4}"},
        {"||", {"jsonb:[1,2]", "jsonb:[3]"}, "[1, 2, 3]"},
        {"||", {"jsonb:[1,2]", "jsonb:3"}, "[1, 2, 3]"},
        {"||", {"jsonb:1", "jsonb:2"}, "[1, 2]"},
        {"||", {"jsonb:{\"a\":1}", "jsonb:[2]"}, "[{\"a\": 1}, 2]"},
        {"-", {"jsonb:{\"a\":1,\"b\":2}", "text:a"}, "{\"b\": 2}"},
        {"-", {"jsonb:[\"a\",\"b\",\"a\"]", "text:a"}, "[\"b\"]"},
        {"-", {"jsonb:[1,2,3]", "int4:1"}, "[1, 3]"},
        {"-", {"jsonb:[1,2,3]", "int4:-1"}, "[1, 2]"},
        {"-", {"jsonb:{\"a\":1}", "int4:0"}, "22023 cannot delete from object using integer index"},
        {"-", {"jsonb:1", "text:a"}, "22023 cannot delete from scalar"},
        {"-", {"jsonb:{\"a\":1,\"b\":2,\"c\":3}", "text[]:{a,c}"}, "{\"b\": 2}"},
        {"#-", {"jsonb:{\"a\":[1,{\"b\":2}]}", "text[]:{a,1,b}"}, "{\"a\": [1, {}]}"},
        {"#-", {"jsonb:[1,2]", "text[]:{5}"}, "[1, 2]"},
        {"=", {"jsonb:{\"a\":1.0,\"b\":2}", "jsonb:{\"b\":2,\"a\":1}"}, "t"},
        {"<", {"jsonb:1", "jsonb:\"a\""}, "f"},
        {"<", {"jsonb:null", "jsonb:\"a\""}, "t"},
        {">", {"jsonb:true", "jsonb:false"}, "t"},
        {">", {"jsonb:[1]", "jsonb:true"}, "t"},
        {">", {"jsonb:{}", "jsonb:[1]"}, "t"},
        {"<", {"jsonb:[]", "jsonb:null"}, "t"},
        {"<", {"jsonb:[1]", "jsonb:[1,0]"}, "t"},
        {"<", {"jsonb:{\"a\":1}", "jsonb:{\"b\":0}"}, "t"},
        {"jsonb_typeof", {"jsonb:[1]"}, "array"},
        {"jsonb_typeof", {"jsonb:1"}, "number"},
        {"json_typeof", {"json: \"x\""}, "string"},
        {"json_typeof", {"json:null"}, "null"},
        {"jsonb_array_length", {"jsonb:[1,2,[3]]"}, "3"},
        {"jsonb_array_length", {"jsonb:{\"a\":1}"}, "22023 cannot get array length of a non-array"},
        {"jsonb_array_length", {"jsonb:5"}, "22023 cannot get array length of a scalar"},
        {"json_array_length", {"json:[1,[2,3],\"a,b\"]"}, "3"},
        {"jsonb_pretty", {"jsonb:{\"a\":[1,2,{}],\"b\":{\"c\":[]}}"}, "{\n    \"a\": [\n        1,\n        2,\n        {\n        }\n    ],\n    \"b\": {\n        \"c\": [\n        ]\n    }\n}"},
        {"jsonb_set", {"jsonb:{\"a\":[1,2]}", "text[]:{a,0}", "jsonb:9"}, "{\"a\": [9, 2]}"},
        {"jsonb_set", {"jsonb:{\"a\":[1,2]}", "text[]:{a,5}", "jsonb:9"}, "{\"a\": [1, 2, 9]}"},
        {"jsonb_set", {"jsonb:{\"a\":[1,2]}", "text[]:{b}", "jsonb:9"}, "{\"a\": [1, 2], \"b\": 9}"},
        {"jsonb_set", {"jsonb:{\"a\":[1,2]}", "text[]:{b}", "jsonb:9", "bool:f"}, "{\"a\": [1, 2]}"},
        {"jsonb_set", {"jsonb:{\"a\":[1,2]}", "text[]:{b,c}", "jsonb:9"}, "{\"a\": [1, 2]}"},
        {"jsonb_set", {"jsonb:{\"a\":{\"b\":1}}", "text[]:{a,b}", "jsonb:[true]"}, "{\"a\": {\"b\": [true]}}"},
        {"jsonb_set", {"jsonb:[1]", "text[]:{x}", "jsonb:9"}, "22P02 path element at position 1 is not an integer: \"x\""},
        {"jsonb_set", {"jsonb:5", "text[]:{x}", "jsonb:9"}, "22023 cannot set path in scalar"},
        {"jsonb_insert", {"jsonb:{\"a\":[0,1,2]}", "text[]:{a,1}", "jsonb:\"new\""}, "{\"a\": [0, \"new\", 1, 2]}"},
        {"jsonb_insert", {"jsonb:{\"a\":[0,1,2]}", "text[]:{a,1}", "jsonb:\"new\"", "bool:t"}, "{\"a\": [0, 1, \"new\", 2]}"},
        {"jsonb_insert", {"jsonb:{\"a\":1}", "text[]:{a}", "jsonb:2"}, "22023 cannot replace existing key"},
        {"jsonb_insert", {"jsonb:{\"a\":1}", "text[]:{b}", "jsonb:2"}, "{\"a\": 1, \"b\": 2}"},
        {"jsonb_strip_nulls", {"jsonb:{\"a\":null,\"b\":[null,{\"c\":null}]}"}, "{\"b\": [null, {}]}"},
        {"jsonb_extract_path", {"jsonb:{\"a\":[1,{\"b\":2}]}", "text:a", "text:1"}, "{\"b\": 2}"},
        {"jsonb_extract_path_text", {"jsonb:{\"a\":[1,{\"b\":\"x\"}]}", "text:a", "text:1", "text:b"}, "x"},
        {"to_json", {"int4:5"}, "5"},
        {"to_json", {"text:a\"b"}, "\"a\\\"b\""},
        {"to_json", {"bool:t"}, "true"},
        {"to_json", {"float8:NaN"}, "\"NaN\""},
        {"to_json", {"numeric:1.50"}, "1.50"},
        {"to_json", {"int4[]:{{1,2},{3,NULL}}"}, "[[1,2],[3,null]]"},
        {"to_json", {"text[]:{a,\"b c\"}"}, "[\"a\",\"b c\"]"},
        {"to_json", {"timestamp:2026-01-31 12:34:56.5"}, "\"2026-01-31T12:34:56.5\""},
        {"to_json", {"timestamptz:2026-01-31 12:34:56+02"}, "\"2026-01-31T10:34:56+00:00\""},
        {"to_json", {"date:2026-01-31"}, "\"2026-01-31\""},
        {"to_json", {"jsonb:{\"a\":1}"}, "{\"a\": 1}"},
        {"to_jsonb", {"int4:5"}, "5"},
        {"to_jsonb", {"text:a\"b"}, "\"a\\\"b\""},
        {"to_jsonb", {"float8:1.5"}, "1.5"},
        {"to_jsonb", {"int4[]:{1,2}"}, "[1, 2]"},
        {"to_jsonb", {"json:{\"b\":1,\"a\":[true]}"}, "{\"a\": [true], \"b\": 1}"},
        {"to_jsonb", {"timestamp:2026-01-31 12:34:56.5"}, "\"2026-01-31T12:34:56.5\""},
        {"to_jsonb", {"interval:1 day"}, "\"1 day\""},
        {"json_build_array", {"int4:1", "text:a", "text:\\N", "bool:t"}, "[1, \"a\", null, true]"},
        {"json_build_object", {"text:a", "int4:1", "int4:2", "text:x"}, "{\"a\" : 1, \"2\" : \"x\"}"},
        {"json_build_object", {"text:a"}, "22023 argument list must have even number of elements"},
        {"json_build_object", {"text:\\N", "int4:1"}, "22023 argument 1 cannot be null"},
        {"jsonb_build_array", {"int4:1", "text:a", "text:\\N", "jsonb:{\"x\":1}"}, "[1, \"a\", null, {\"x\": 1}]"},
        {"jsonb_build_object", {"text:b", "int4:1", "text:a", "text:x"}, "{\"a\": \"x\", \"b\": 1}"},
        {"jsonb_build_object", {"text:b", "int4:1", "text:b", "text:x"}, "{\"b\": \"x\"}"},
        {"jsonb_build_object", {"text:\\N", "int4:1"}, "22023 argument 1: key must not be null"},
        {"array_to_json", {"int4[]:{1,2}"}, "[1,2]"},
    };
    call_check(rows, sizeof rows / sizeof rows[0]);
}

// Memory is asked for while a text is read: an array takes many times what its text does.
Test(json, a_text_that_takes_too_much_memory_ends_in_the_middle)
{
    struct memory_account account;
    struct arena arena, texts;
    struct buffer text, out;
    const uint64_t limit = 4 << 20;
    arena_init(&texts, NULL);
    buffer_init(&text, &texts);
    buffer_append_string(&text, "[0");
    for (uint32_t i = 0; i < 4000000; i++) buffer_append_string(&text, ",1");
    buffer_append_string(&text, "]");
    memory_account_init(&account, NULL, "test", limit);
    arena_init(&arena, &account);
    buffer_init(&out, &arena);
    struct status st = json_parse(NULL, &arena, buffer_bytes(&text), &out);
    cr_expect(status_is(st, E_OUT_OF_MEMORY), "%s", failed(st) ? st.message : "parsed");
    cr_expect_lt(account.peak_bytes, 4 * limit);
    arena_fini(&arena);
    arena_fini(&texts);
    memory_account_fini(&account);
}
