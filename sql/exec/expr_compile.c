// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/deep.h"
#include "core/invariant.h"
#include "core/work.h"
#include "sql/type/collation.h"
#include "sql/type/geometry.h"
#include "sql/exec/expr_internal.h"

#define MEMO_MAX 64u

struct memo {
    const struct scalar *scalar;
    operand operand;
};

struct compiler {
    struct arena *arena;
    struct expr_outer *outer;
    const struct layout *layout;
    struct expr_program *program;
    uint32_t op_capacity, arg_capacity, constant_capacity, call_capacity, element_capacity;
    uint32_t depth; // Of open PUSHes.
    struct memo memo[MEMO_MAX];
    uint32_t memo_count;
};

static struct status compile(struct compiler *c, struct scalar *scalar, operand *out);

static void *grow(struct compiler *c, void *array, uint32_t count, uint32_t *capacity, size_t size)
{
    if (count < *capacity) return array;
    uint32_t bigger = *capacity == 0 ? 4 : *capacity * 2;
    array = arena_grow(c->arena, array, *capacity * size, bigger * size);
    *capacity = bigger;
    return array;
}

static struct expr_op *emit(struct compiler *c, enum expr_code code)
{
    struct expr_program *program = c->program;
    program->ops = grow(c, program->ops, program->op_count, &c->op_capacity, sizeof(struct expr_op));
    struct expr_op *op = &program->ops[program->op_count++];
    *op = (struct expr_op){.code = (uint8_t)code,
        .dest = UINT32_MAX,
        .a = OPERAND_NONE,
        .b = OPERAND_NONE};
    return op;
}

static uint32_t new_register(struct compiler *c)
{
    return c->program->register_count++;
}

static operand constant(struct compiler *c, struct datum value)
{
    struct expr_program *program = c->program;
    program->constants = grow(c, program->constants, program->constant_count,
        &c->constant_capacity, sizeof(struct datum));
    program->constants[program->constant_count] = value;
    return operand_make(OPERAND_CONSTANT, program->constant_count++);
}

static bool is_constant(operand op)
{
    return op == OPERAND_NONE || operand_kind(op) == OPERAND_CONSTANT ||
           operand_kind(op) == OPERAND_SLOT;
}

static uint32_t add_args(struct compiler *c, const operand *args, uint32_t count)
{
    struct expr_program *program = c->program;
    uint32_t first = program->arg_count;
    for (uint32_t i = 0; i < count; i++) {
        program->args =
            grow(c, program->args, program->arg_count, &c->arg_capacity, sizeof(operand));
        program->args[program->arg_count++] = args[i];
    }
    if (program->args_max < count) program->args_max = count;
    return first;
}

// Ops with operands `args`; `constant` when all of them are.
static struct expr_op *emit_args(struct compiler *c, enum expr_code code, const operand *args,
    uint32_t count, bool is_volatile, operand *out)
{
    uint32_t first = add_args(c, args, count);
    struct expr_op *op = emit(c, code);
    op->args = first;
    op->arg_count = count;
    op->constant = !is_volatile;
    for (uint32_t i = 0; i < count; i++) op->constant &= is_constant(args[i]);
    op->dest = new_register(c);
    *out = operand_make(OPERAND_REGISTER, op->dest);
    return op;
}

static uint32_t add_call(struct compiler *c, const struct scalar *scalar)
{
    struct expr_program *program = c->program;
    struct type *types = ARENA_ARRAY(c->arena, struct type, scalar->arg_count);
    for (uint32_t i = 0; i < scalar->arg_count; i++) types[i] = scalar->args[i]->type;
    program->calls = grow(c, program->calls, program->call_count, &c->call_capacity,
        sizeof(struct expr_call_site));
    program->calls[program->call_count] = (struct expr_call_site){
        .arg_types = types, .arg_count = scalar->arg_count, .result = scalar->type};
    return program->call_count++;
}

static struct expr_op *emit_binary(
    struct compiler *c, enum expr_code code, operand a, operand b, operand *out)
{
    struct expr_op *op = emit(c, code);
    op->a = a;
    op->b = b;
    op->constant = is_constant(a) && is_constant(b);
    op->dest = new_register(c);
    *out = operand_make(OPERAND_REGISTER, op->dest);
    return op;
}

static void push(struct compiler *c, enum expr_code code, operand a)
{
    struct expr_op *op = emit(c, code);
    op->a = a;
    c->depth++;
    if (c->program->selection_depth < c->depth) c->program->selection_depth = c->depth;
}

static void pop(struct compiler *c, uint32_t memo_count)
{
    emit(c, X_POP);
    c->depth--;
    c->memo_count = memo_count; // What was computed for fewer rows is not there for the others.
}

// --- calls with kernels ------------------------------------------------------------------------------

static bool is_int(type_oid oid)
{
    return oid == TYPE_INT2 || oid == TYPE_INT4 || oid == TYPE_INT8;
}

static bool is_int_like(type_oid oid)
{
    return is_int(oid) || oid == TYPE_DATE || oid == TYPE_TIMESTAMP || oid == TYPE_TIMESTAMPTZ ||
           oid == TYPE_TIME || oid == TYPE_OID;
}

static bool is_byte_text(type_oid oid)
{
    return oid == TYPE_TEXT || oid == TYPE_VARCHAR || oid == TYPE_BYTEA || oid == TYPE_UUID ||
           oid == TYPE_NAME;
}

// The instruction for a comparison or an integer operation, X_CALL when there is none.
static enum expr_code kernel_of(const struct scalar *scalar)
{
    const struct function *function = scalar->function;
    if (function->kind != FUNCTION_OPERATOR || scalar->arg_count != 2) return X_CALL;
    type_oid left = collation_type(scalar->args[0]->type);
    // Both sides are compared by one collation: the left one's.
    type_oid right = collation_type((struct type){
        scalar->args[1]->type.oid, -1, scalar->args[0]->type.collation});
    enum scalar_compare compare = scalar_compare_of(scalar);
    if (compare != COMPARE_NONE && scalar->type.oid == TYPE_BOOL) {
        if (is_int(left) && is_int(right)) return X_COMPARE_INT;
        if (left != right) return X_CALL;
        if (is_int_like(left)) return X_COMPARE_INT;
        if (is_byte_text(left) && (compare == COMPARE_EQ || compare == COMPARE_NE))
            return X_COMPARE_BYTES;
        // Records may have nothing in common.
        return type_is_ordered(left) && left != TYPE_RECORD ? X_COMPARE_TYPE : X_CALL;
    }
    if (left != right || !is_int(left) || scalar->type.oid != left || function->name[1] != 0)
        return X_CALL;
    if (function->name[0] == '+') return X_ADD;
    if (function->name[0] == '-') return X_SUBTRACT;
    if (function->name[0] == '*') return X_MULTIPLY;
    return X_CALL;
}

static struct status compile_args(struct compiler *c, struct scalar *const *args, uint32_t count,
    operand **out)
{
    struct status st = STATUS_OK;
    *out = ARENA_ARRAY(c->arena, operand, count);
    for (uint32_t i = 0; i < count; i++) TRY(compile(c, args[i], &(*out)[i]));

out:
    return st;
}

struct constancy {
    bool null;     // Whatever the rows.
    bool row_free; // As scalar_is_row_free.
};

// NULL whatever the rows: a strict call with an argument that is. What stands beside it is not evaluated, but for what has
// no columns: PostgreSQL evaluates that, and tells its errors, while it plans. Both in one walk: calls may be nested deep.
static struct constancy constancy_of(const struct scalar *scalar)
{
    (void)deep_goes_on(1);
    struct constancy is = {.row_free = scalar->kind != SCALAR_VAR && scalar->kind != SCALAR_SUBQUERY};
    bool null = false, evaluated = false;
    if (scalar->kind == SCALAR_CONST) return (struct constancy){scalar->value.null, true};
    for (uint32_t i = 0; i < scalar->arg_count; i++) {
        const struct constancy arg = constancy_of(scalar->args[i]);
        null |= arg.null;
        evaluated |= !arg.null && scalar->args[i]->kind != SCALAR_CONST && arg.row_free;
        is.row_free &= arg.row_free;
    }
    if (scalar->kind == SCALAR_CAST || scalar->kind == SCALAR_TYPMOD) is.null = null;
    else is.null = scalar->kind == SCALAR_CALL && scalar->function->strict && null && !evaluated;
    return is;
}

static struct status compile_call(struct compiler *c, struct scalar *scalar, operand *out)
{
    struct status st = STATUS_OK;
    if (constancy_of(scalar).null) {
        *out = constant(c, DATUM_NULL);
        return st;
    }
    operand *args;
    enum expr_code code = kernel_of(scalar);
    TRY(compile_args(c, scalar->args, scalar->arg_count, &args));
    if (code == X_CALL) {
        bool is_volatile = scalar->function->volatility == FUNCTION_VOLATILE;
        struct expr_op *op = emit_args(c, X_CALL, args, scalar->arg_count, is_volatile, out);
        op->object = scalar->function;
        op->aux = add_call(c, scalar);
        return st;
    }
    struct expr_op *op = emit_binary(c, code, args[0], args[1], out);
    op->type = collation_type(scalar->args[0]->type);
    op->compare = (uint8_t)scalar_compare_of(scalar);

out:
    return st;
}

// p[0]
static struct status compile_part(struct compiler *c, struct scalar *scalar, operand *out)
{
    struct scalar *call = ARENA_NEW(c->arena, struct scalar);
    *call = *scalar;
    call->kind = SCALAR_CALL;
    call->function = &geometry_part;
    return compile_call(c, call, out);
}

static struct status compile_cast(struct compiler *c, struct scalar *scalar, operand *out)
{
    struct status st = STATUS_OK;
    operand arg;
    TRY(compile(c, scalar->args[0], &arg));
    bool cast = scalar->kind == SCALAR_CAST;
    if (cast && scalar->cast.cast->binary && scalar->type.typmod == -1) {
        *out = arg;
        return st;
    }
    struct expr_op *op = emit_args(c, cast ? X_CAST : X_TYPMOD, &arg, 1, false, out);
    op->object = scalar->cast.cast;
    op->flag = scalar->cast.is_explicit;
    op->aux = add_call(c, scalar);

out:
    return st;
}

// --- conditions --------------------------------------------------------------------------------------

static struct status compile_logic(struct compiler *c, struct scalar *scalar, operand *out)
{
    struct status st = STATUS_OK;
    bool and = scalar->kind == SCALAR_AND;
    operand arg;
    uint32_t dest = new_register(c);
    operand result = operand_make(OPERAND_REGISTER, dest);
    TRY(compile(c, scalar->args[0], &arg));
    struct expr_op *op = emit(c, X_MOVE);
    op->a = arg;
    op->dest = dest;
    uint32_t memo_count = c->memo_count;
    for (uint32_t i = 1; i < scalar->arg_count; i++) {
        if (i == 1) {
            push(c, and ? X_PUSH_NOT_FALSE : X_PUSH_NOT_TRUE, result);
        } else {
            op = emit(c, and ? X_NARROW_NOT_FALSE : X_NARROW_NOT_TRUE);
            op->a = result;
        }
        TRY(compile(c, scalar->args[i], &arg));
        op = emit(c, and ? X_AND : X_OR);
        op->a = arg;
        op->dest = dest;
    }
    if (scalar->arg_count > 1) pop(c, memo_count);
    *out = result;

out:
    return st;
}

static struct status compile_case(struct compiler *c, struct scalar *scalar, operand *out)
{
    struct status st = STATUS_OK;
    uint32_t dest = new_register(c);
    uint32_t memo_count = c->memo_count;
    operand value;
    push(c, X_PUSH_ALL, OPERAND_NONE);
    for (uint32_t i = 0; i + 1 < scalar->arg_count; i += 2) {
        operand condition;
        TRY(compile(c, scalar->args[i], &condition));
        uint32_t inner = c->memo_count;
        push(c, X_PUSH_TRUE, condition);
        TRY(compile(c, scalar->args[i + 1], &value));
        struct expr_op *op = emit(c, X_MOVE);
        op->a = value;
        op->dest = dest;
        pop(c, inner);
        op = emit(c, X_NARROW_NOT_TRUE);
        op->a = condition;
    }
    TRY(compile(c, scalar->args[scalar->arg_count - 1], &value));
    struct expr_op *op = emit(c, X_MOVE);
    op->a = value;
    op->dest = dest;
    pop(c, memo_count);
    *out = operand_make(OPERAND_REGISTER, dest);

out:
    return st;
}

static struct status compile_coalesce(struct compiler *c, struct scalar *scalar, operand *out)
{
    struct status st = STATUS_OK;
    uint32_t dest = new_register(c);
    uint32_t memo_count = 0;
    operand value;
    *out = operand_make(OPERAND_REGISTER, dest);
    for (uint32_t i = 0; i < scalar->arg_count; i++) {
        TRY(compile(c, scalar->args[i], &value));
        struct expr_op *op = emit(c, X_MOVE);
        op->a = value;
        op->dest = dest;
        if (i == 0) memo_count = c->memo_count;
        if (i + 1 == scalar->arg_count) break;
        if (i == 0) {
            push(c, X_PUSH_NULL, *out);
        } else {
            op = emit(c, X_NARROW_NULL);
            op->a = *out;
        }
    }
    if (scalar->arg_count > 1) pop(c, memo_count);

out:
    return st;
}

static struct status compile_list(
    struct compiler *c, struct scalar *scalar, enum expr_code code, operand *out)
{
    struct status st = STATUS_OK;
    operand *args;
    TRY(compile_args(c, scalar->args, scalar->arg_count, &args));
    struct expr_op *op = emit_args(c, code, args, scalar->arg_count, false, out);
    if (scalar->arg_count > 0) op->type = collation_type(scalar->args[0]->type);
    if (code == X_ARRAY) op->type = type_info(scalar->type.oid)->element;
    op->flag = code == X_EXTREME ? scalar->greatest : code == X_IN && scalar->negated;
    if (code != X_IN) return st;
    bool fixed = true;
    for (uint32_t i = 1; i < scalar->arg_count; i++) fixed &= is_constant(args[i]);
    // By hash when the list is long and the same for every row.
    op->aux = fixed && scalar->arg_count > 8 ? c->program->set_count++ : UINT32_MAX;

out:
    return st;
}

static struct status compile_any_array(struct compiler *c, struct scalar *scalar, operand *out)
{
    struct status st = STATUS_OK;
    struct expr_program *program = c->program;
    operand args[2];
    TRY(compile(c, scalar->args[0], &args[0]));
    TRY(compile(c, scalar->args[1], &args[1]));
    if (c->outer == NULL)
        return status_make(E_FEATURE_NOT_SUPPORTED, "ANY (array) is not supported in this place");
    // The comparison runs with element and left operand in slots.
    struct expr_element element = {.all = scalar->any_array.all,
        .element_type = type_info(scalar->args[1]->type.oid)->element,
        .element_slot = c->outer->new_slot(c->outer),
        .left_slot = c->outer->new_slot(c->outer)};
    struct scalar *left = scalar_new(c->arena, SCALAR_PARAM, scalar->args[0]->type, POSITION_NONE);
    struct scalar *item =
        scalar_new(c->arena, SCALAR_PARAM, TYPE_OF(element.element_type), POSITION_NONE);
    left->param = element.left_slot;
    item->param = element.element_slot;
    struct scalar *compare = scalar->any_array.compare;
    struct scalar_substitution map = {&scalar->any_array.element_var, &item, 1};
    compare = scalar_substitute(c->arena, compare, &map);
    // The operator's left argument is the left operand, maybe beneath a cast.
    struct scalar *call = ARENA_NEW(c->arena, struct scalar);
    *call = *compare;
    call->args = ARENA_ARRAY(c->arena, struct scalar *, compare->arg_count);
    memcpy(call->args, compare->args, compare->arg_count * sizeof(struct scalar *));
    operand value = args[0];
    if (call->args[0] != scalar->args[0]) TRY(compile(c, call->args[0], &value));
    left->type = call->args[0]->type;
    call->args[0] = left;
    args[0] = value;
    struct layout none = {0};
    TRY(expr_compile(c->arena, c->outer, &none, &call, 1, &element.compare));
    program->elements = grow(c, program->elements, program->element_count, &c->element_capacity,
        sizeof(struct expr_element));
    program->elements[program->element_count] = element;
    struct expr_op *op = emit_args(c, X_ANY_ARRAY, args, 2, false, out);
    op->aux = program->element_count++;

out:
    return st;
}

static struct status compile_subquery(struct compiler *c, struct scalar *scalar, operand *out)
{
    struct status st = STATUS_OK;
    struct expr_subquery *subquery;
    if (c->outer == NULL)
        return status_make(E_FEATURE_NOT_SUPPORTED, "cannot use subquery in this place");
    TRY(c->outer->subquery(c->outer, c->layout, scalar, &subquery));
    uint32_t count = subquery->binding_count + subquery->test_count;
    operand *args = ARENA_ARRAY(c->arena, operand, count);
    for (uint32_t i = 0; i < subquery->binding_count; i++)
        TRY(compile(c, subquery->bindings[i].scalar, &args[i]));
    for (uint32_t i = 0; i < subquery->test_count; i++)
        TRY(compile(c, subquery->tests[i].scalar, &args[subquery->binding_count + i]));
    struct expr_op *op = emit_args(c, X_SUBQUERY, args, count, true, out);
    op->object = subquery;
    op->constant = count == 0;
    c->program->has_subquery = true;

out:
    return st;
}

static struct status compile_unary(
    struct compiler *c, struct scalar *scalar, enum expr_code code, operand *out)
{
    struct status st = STATUS_OK;
    operand arg;
    TRY(compile(c, scalar->args[0], &arg));
    struct expr_op *op = emit_binary(c, code, arg, OPERAND_NONE, out);
    op->aux = scalar->test;

out:
    return st;
}

static struct status compile_pair(
    struct compiler *c, struct scalar *scalar, enum expr_code code, operand *out)
{
    struct status st = STATUS_OK;
    operand a, b;
    TRY(compile(c, scalar->args[0], &a));
    TRY(compile(c, scalar->args[1], &b));
    struct expr_op *op = emit_binary(c, code, a, b, out);
    op->type = collation_type(scalar->args[0]->type);
    op->flag = scalar->kind == SCALAR_DISTINCT && scalar->negated;

out:
    return st;
}

static struct status compile_var(struct compiler *c, const struct scalar *scalar, operand *out)
{
    struct status st = STATUS_OK;
    uint32_t slot;
    uint32_t column = layout_find(c->layout, scalar->var);
    if (column != UINT32_MAX) {
        *out = operand_make(OPERAND_INPUT, column);
        return st;
    }
    if (c->outer == NULL)
        return status_make(E_INTERNAL, "expression refers to a column that is not there");
    TRY(c->outer->slot(c->outer, scalar->var, &slot));
    *out = operand_make(OPERAND_SLOT, slot);

out:
    return st;
}

static struct status compile_node(struct compiler *c, struct scalar *scalar, operand *out)
{
    switch (scalar->kind) {
    case SCALAR_CALL: return compile_call(c, scalar, out);
    case SCALAR_CAST:
    case SCALAR_TYPMOD: return compile_cast(c, scalar, out);
    case SCALAR_AND:
    case SCALAR_OR: return compile_logic(c, scalar, out);
    case SCALAR_NOT: return compile_unary(c, scalar, X_NOT, out);
    case SCALAR_IS: return compile_unary(c, scalar, X_IS, out);
    case SCALAR_DISTINCT: return compile_pair(c, scalar, X_DISTINCT, out);
    case SCALAR_CASE: return compile_case(c, scalar, out);
    case SCALAR_COALESCE: return compile_coalesce(c, scalar, out);
    case SCALAR_EXTREME: return compile_list(c, scalar, X_EXTREME, out);
    case SCALAR_NULLIF: return compile_pair(c, scalar, X_NULLIF, out);
    case SCALAR_IN: return compile_list(c, scalar, X_IN, out);
    case SCALAR_ANY_ARRAY: return compile_any_array(c, scalar, out);
    case SCALAR_ARRAY: return compile_list(c, scalar, X_ARRAY, out);
    case SCALAR_SUBSCRIPT:
        if (type_part(scalar->args[0]->type.oid) != 0) return compile_part(c, scalar, out);
        return compile_pair(c, scalar, X_SUBSCRIPT, out);
    case SCALAR_SUBQUERY: return compile_subquery(c, scalar, out);
    case SCALAR_SQL_VALUE: {
        struct expr_op *op = emit_args(c, X_SQL_VALUE, NULL, 0, false, out);
        op->aux = scalar->sql_value;
        return STATUS_OK;
    }
    case SCALAR_ROW: return status_make(E_FEATURE_NOT_SUPPORTED, "a row value in this place is not supported");
    default: return status_make(E_INTERNAL, "expression cannot be compiled");
    }
}

// Most of what is compared does so in its first argument.
static bool surely_differ(const struct scalar *a, const struct scalar *b)
{
    if (a->kind != b->kind) return true;
    return (a->kind == SCALAR_PARAM && a->param != b->param) || (a->kind == SCALAR_VAR && a->var != b->var);
}

static bool same_value(const struct scalar *a, const struct scalar *b)
{
    if (a->kind != b->kind || a->arg_count != b->arg_count || a->type.oid != b->type.oid) return false;
    if (a->arg_count > 0 && surely_differ(a->args[0], b->args[0])) return false;
    if (a->kind == SCALAR_SUBQUERY && b->kind == SCALAR_SUBQUERY && a->subquery.once && a->subquery.rel == b->subquery.rel)
        return true;
    return scalar_equal(a, b);
}

static struct status compile(struct compiler *c, struct scalar *scalar, operand *out)
{
    struct status st = STATUS_OK;
    if (!deep_goes_on(1)) return task_check(task_current());
    switch (scalar->kind) {
    case SCALAR_CONST: *out = constant(c, scalar->value); return st;
    case SCALAR_PARAM: *out = operand_make(OPERAND_SLOT, scalar->param); return st;
    case SCALAR_VAR: return compile_var(c, scalar, out);
    default: break;
    }
    for (uint32_t i = 0; i < c->memo_count; i++)
        if (same_value(c->memo[i].scalar, scalar)) {
            *out = c->memo[i].operand;
            return st;
        }
    TRY(compile_node(c, scalar, out));
    if (c->memo_count < MEMO_MAX) c->memo[c->memo_count++] = (struct memo){scalar, *out};
    else if (scalar->kind == SCALAR_SUBQUERY && scalar->subquery.once) // In no branch: it is there for all rows.
        c->memo[MEMO_MAX - 1] = (struct memo){scalar, *out};

out:
    return st;
}

// --- programs ----------------------------------------------------------------------------------------

static struct compiler *compiler_new(
    struct arena *arena, struct expr_outer *outer, const struct layout *layout)
{
    struct compiler *c = ARENA_NEW(arena, struct compiler);
    c->arena = arena;
    c->outer = outer;
    c->layout = layout;
    c->program = ARENA_NEW(arena, struct expr_program);
    return c;
}

struct status expr_compile(struct arena *arena, struct expr_outer *outer,
    const struct layout *layout, struct scalar *const *scalars, uint32_t count,
    struct expr_program **program)
{
    struct status st = STATUS_OK;
    struct compiler *c = compiler_new(arena, outer, layout);
    c->program->outputs = ARENA_ARRAY(arena, operand, count);
    c->program->output_count = count;
    for (uint32_t i = 0; i < count; i++)
        TRY(compile(c, scalars[i], &c->program->outputs[i]));
    *program = c->program;

out:
    return st;
}

struct status expr_compile_filter(struct arena *arena, struct expr_outer *outer,
    const struct layout *layout, const struct scalar_list *conjuncts, struct expr_program **program)
{
    struct status st = STATUS_OK;
    struct compiler *c = compiler_new(arena, outer, layout);
    for (uint32_t i = 0; i < conjuncts->count; i++) {
        operand condition;
        TRY(compile(c, conjuncts->items[i], &condition));
        struct expr_op *op = emit(c, X_FILTER);
        op->a = condition;
    }
    *program = c->program;

out:
    return st;
}

static bool fixed_value(const struct expr_program *program, const struct datum *slots, operand op,
    struct datum *value)
{
    if (operand_kind(op) == OPERAND_CONSTANT) *value = program->constants[operand_number(op)];
    else if (operand_kind(op) == OPERAND_SLOT) *value = slots[operand_number(op)];
    else return false;
    return true;
}

// `column compare limit` as a range of integers.
static void condition_range(
    enum scalar_compare compare, int64_t limit, struct expr_condition *condition)
{
    const bool lower = compare == COMPARE_GT || compare == COMPARE_GE || compare == COMPARE_EQ;
    const bool upper = compare == COMPARE_LT || compare == COMPARE_LE || compare == COMPARE_EQ;
    condition->low = lower ? limit : INT64_MIN;
    condition->high = upper ? limit : INT64_MAX;
    const bool none = (compare == COMPARE_GT && limit == INT64_MAX) ||
        (compare == COMPARE_LT && limit == INT64_MIN);
    if (none) {
        condition->low = 1;
        condition->high = 0;
    } else if (compare == COMPARE_GT) {
        condition->low = limit + 1;
    } else if (compare == COMPARE_LT) {
        condition->high = limit - 1;
    }
}

static enum scalar_compare turned(enum scalar_compare compare)
{
    switch (compare) {
    case COMPARE_LT: return COMPARE_GT;
    case COMPARE_LE: return COMPARE_GE;
    case COMPARE_GT: return COMPARE_LT;
    case COMPARE_GE: return COMPARE_LE;
    default: return compare;
    }
}

static bool condition_of(const struct expr_program *program, const struct datum *slots,
    const struct expr_op *op, struct expr_condition *condition)
{
    enum scalar_compare compare = (enum scalar_compare)op->compare;
    struct datum limit;
    operand column = op->a, other = op->b;
    if (operand_kind(column) != OPERAND_INPUT) {
        column = op->b;
        other = op->a;
        compare = turned(compare);
    }
    if (op->code != X_COMPARE_INT && op->code != X_COMPARE_BYTES) return false;
    if (compare == COMPARE_NE || operand_kind(column) != OPERAND_INPUT) return false;
    if (!fixed_value(program, slots, other, &limit)) return false;
    *condition = (struct expr_condition){
        .column = operand_number(column), .bytes = op->code == X_COMPARE_BYTES};
    if (limit.null) {
        condition->bytes = false;
        condition->low = 1;
    } else if (condition->bytes) {
        condition->value = datum_as_bytes(limit);
    } else {
        condition_range(compare, limit.integer, condition);
    }
    return true;
}

uint32_t expr_conditions(const struct expr_program *program, const struct datum *slots,
    struct expr_condition out[EXPR_CONDITIONS_MAX])
{
    uint32_t count = 0;
    for (uint32_t i = 1; i < program->op_count && count < EXPR_CONDITIONS_MAX; i++) {
        const struct expr_op *op = &program->ops[i - 1];
        if (program->ops[i].code == X_FILTER &&
            program->ops[i].a == operand_make(OPERAND_REGISTER, op->dest) &&
            condition_of(program, slots, op, &out[count]))
            count++;
    }
    return count;
}

uint32_t expr_output_count(const struct expr_program *program)
{
    return program->output_count;
}

bool expr_direct(const struct expr_program *program, uint32_t output, const struct datum *slots,
    struct datum *value)
{
    operand op = program->outputs[output];
    if (operand_kind(op) == OPERAND_CONSTANT) {
        *value = program->constants[operand_number(op)];
        return true;
    }
    if (operand_kind(op) != OPERAND_SLOT) return false;
    *value = slots[operand_number(op)];
    return true;
}
