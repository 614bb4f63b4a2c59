// SPDX-License-Identifier: GPL-3.0-or-later
//
// SQL/JSON paths: '$.a[*] ? (@.b > 1)'. A value of type jsonpath is its text in one form, which is parsed where it
// is used.
//
// Memory   Trees and results live in the arena given.
// Errors   42601 for a text that is no path; of evaluation class 22 codes, as PostgreSQL's.
// Bounds   JSONPATH_DEPTH_MAX parentheses and filters within each other.
// Source   PostgreSQL 15 manual, 9.16.2; ISO/IEC 19075-6.
#pragma once
#include "sql/function/function.h"
#include "sql/type/json.h"

#define JSONPATH_DEPTH_MAX 24u

enum jsonpath_kind {
    PATH_ROOT, PATH_CURRENT, PATH_LAST, PATH_VARIABLE, PATH_LITERAL, // Where a path begins.
    PATH_KEY, PATH_ANY_KEY, PATH_INDEX, PATH_ANY_INDEX, PATH_ANY, PATH_FILTER, PATH_METHOD, // Its steps.
    PATH_PLUS, PATH_MINUS, PATH_ADD, PATH_SUBTRACT, PATH_MULTIPLY, PATH_DIVIDE, PATH_MODULO,
    PATH_EQUAL, PATH_NOT_EQUAL, PATH_LESS, PATH_LESS_EQUAL, PATH_GREATER, PATH_GREATER_EQUAL,
    PATH_STARTS_WITH, PATH_LIKE_REGEX, PATH_AND, PATH_OR, PATH_NOT, PATH_IS_UNKNOWN, PATH_EXISTS,
};
enum jsonpath_method {
    METHOD_TYPE, METHOD_SIZE, METHOD_DOUBLE, METHOD_CEILING, METHOD_FLOOR, METHOD_ABS,
    METHOD_KEYVALUE, METHOD_COUNT
};

struct jsonpath_node {
    enum jsonpath_kind kind;
    struct jsonpath_node *next; // The step that follows.
    struct jsonpath_node *left, *right; // Operands; of a filter, EXISTS and unary ones `left`.
    struct bytes text;          // Key, variable, pattern; of a literal its jsonb value.
    bool is_number;             // A literal that is `number`.
    struct datum number;
    const char *flags;          // Of like_regex; "": none.
    enum jsonpath_method method;
    uint32_t first, last;       // Of .**{first to last}; UINT32_MAX: last.
    struct jsonpath_subscript {
        struct jsonpath_node *from, *to; // `to` NULL: one item.
    } *subscripts;
    uint32_t subscript_count;
    void *state;                // Of like_regex: the compiled pattern.
};
struct jsonpath {
    bool strict;
    struct jsonpath_node *root;
};
CHECKED struct status jsonpath_parse(struct arena *arena, struct bytes text, struct jsonpath *path);
void jsonpath_print(struct buffer *out, const struct jsonpath *path);
const char *jsonpath_method_name(enum jsonpath_method method);
bool jsonpath_is_predicate(enum jsonpath_kind kind);

struct jsonpath_items {
    struct bytes *items; // jsonb values.
    uint32_t count, capacity;
};
// What the path gives for `root`. Without `vars` all variables are null, in empty ones there is
// none. `any`: only whether there is an item is asked, which the first
// one of a lax path settles; signs before what is no number then give none.
CHECKED struct status jsonpath_run(struct function_call *call, const struct jsonpath *path,
    struct bytes root, struct bytes vars, bool any, struct jsonpath_items *items);
