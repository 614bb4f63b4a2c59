// SPDX-License-Identifier: GPL-3.0-or-later
//
// Instructions of compiled expressions. Private to sql/exec/expr_*.c.
#pragma once
#include "sql/exec/expr.h"

// An operand: kind in the two highest bits, number in the rest.
enum operand_kind { OPERAND_INPUT, OPERAND_REGISTER, OPERAND_CONSTANT, OPERAND_SLOT };
typedef uint32_t operand;
#define OPERAND_NONE UINT32_MAX
static inline operand operand_make(enum operand_kind kind, uint32_t number)
{
    return (uint32_t)kind << 30 | number;
}
static inline enum operand_kind operand_kind(operand op)
{
    return (enum operand_kind)(op >> 30);
}
static inline uint32_t operand_number(operand op)
{
    return op & 0x3fffffffu;
}

enum expr_code {
    X_MOVE,         // dest = a
    X_CALL,         // dest = function(args)
    X_CAST,
    X_TYPMOD,
    X_ADD, X_SUBTRACT, X_MULTIPLY, // Integers; `type` says of which width.
    X_COMPARE_INT,  // dest = a compare b, as integers
    X_COMPARE_BYTES, // = and <> of texts
    X_COMPARE_TYPE, // by type_compare
    X_NOT,
    X_IS,
    X_DISTINCT,     // flag: NOT DISTINCT
    X_EXTREME,      // flag: greatest
    X_NULLIF,       // dest = b is true ? NULL : a
    X_IN,           // flag: NOT IN
    X_ARRAY,
    X_SUBSCRIPT,
    X_ANY_ARRAY,
    X_SUBQUERY,
    X_SQL_VALUE,
    X_AND, X_OR,    // dest = dest AND/OR a, where dest decides not yet
    // The selection: FILTER narrows the input's for good; PUSH opens a narrower one until POP; NARROW
    // narrows the open one.
    X_FILTER,
    X_PUSH_ALL, X_PUSH_TRUE, X_PUSH_NOT_FALSE, X_PUSH_NOT_TRUE, X_PUSH_NULL,
    X_NARROW_NOT_TRUE, X_NARROW_NOT_FALSE, X_NARROW_NULL,
    X_POP,
};

struct expr_op {
    uint8_t code;
    uint8_t compare;    // enum scalar_compare
    bool flag;
    bool constant;      // All operands are constants or slots, and it is not volatile.
    uint32_t arg_count;
    uint32_t dest;      // Register.
    operand a, b;
    uint32_t args;      // First of arg_count operands in program->args.
    uint32_t aux;       // Call site, IN set, subquery, sub-program.
    type_oid type;
    const void *object; // struct function, struct cast, struct expr_subquery.
};

struct expr_call_site {
    const struct type *arg_types;
    uint32_t arg_count;
    struct type result;
};

struct expr_element { // a op ANY (array)
    struct expr_program *compare;
    uint32_t element_slot, left_slot;
    type_oid element_type;
    bool all;
};

struct expr_program {
    struct expr_op *ops;
    uint32_t op_count;
    operand *args;
    uint32_t arg_count;
    struct datum *constants;
    uint32_t constant_count;
    struct expr_call_site *calls;
    uint32_t call_count;
    struct expr_element *elements;
    uint32_t element_count;
    uint32_t set_count;       // IN lists.
    uint32_t register_count;
    uint32_t selection_depth; // Of nested PUSHes.
    uint32_t args_max;        // Of one call.
    operand *outputs;
    uint32_t output_count;
    bool has_subquery;
};

struct in_set { // Hash of an IN list's constants and slots; made at first use.
    bool built;
    bool has_null;
    uint32_t mask;
    uint32_t *buckets; // Position + 1 in values.
    struct datum *values;
};

struct expr_selection {
    uint16_t *rows;
    uint32_t count;
};

struct expr_state {
    const struct expr_program *program;
    struct run *run;
    uint32_t capacity;
    struct arena *state_arena;
    struct datum **registers;
    struct datum *const *input;
    const struct datum *slots;
    struct expr_selection *selections; // [0] is the narrowed input's.
    const uint16_t *rows;              // The selection in force.
    uint32_t count;
    struct function_call *calls;
    struct datum *args;
    struct in_set *sets;
    struct expr_state **elements;
    struct datum **fills;              // Of outputs that are constants or slots.
    struct arena *arena;
};
