// SPDX-License-Identifier: GPL-3.0-or-later
//
// SQL/JSON paths at work: each step makes a list of items from a list of items.
#include "core/invariant.h"
#include "core/text.h"
#include "sql/type/jsonpath.h"
#include "sql/type/numeric.h"
#include "sql/type/regex.h"
#include "sql/type/type_ops.h"

#define E_SUBSCRIPT SQLSTATE('2', '2', '0', '3', '3')
#define E_NON_NUMERIC SQLSTATE('2', '2', '0', '3', '6')
#define E_SINGLETON SQLSTATE('2', '2', '0', '3', '8')
#define E_ARRAY_MISSING SQLSTATE('2', '2', '0', '3', '9')
#define E_MEMBER_MISSING SQLSTATE('2', '2', '0', '3', 'A')
#define E_NUMBER_MISSING SQLSTATE('2', '2', '0', '3', 'B')
#define E_OBJECT_MISSING SQLSTATE('2', '2', '0', '3', 'C')

enum truth { FALSE_, TRUE_, UNKNOWN_ };

#define ITEM_WORK 64u // What an item counts for in function_work.

struct run {
    struct function_call *call;
    struct arena *arena;
    bool strict;
    struct bytes root, vars, current;
    int64_t last; // Of the innermost array subscripted; -1: none.
    uint32_t serial; // Of .keyvalue() ids.
};

static struct status eval(struct run *run, struct jsonpath_node *node, bool unwrap, struct jsonpath_items *out);
static struct status eval_any(struct run *run, struct jsonpath_node *node, struct jsonpath_items *out);

static struct status add(struct run *run, struct jsonpath_items *items, struct bytes item)
{
    struct status work = function_work(run->call, ITEM_WORK);
    if (failed(work)) return work;
    if (items->count == items->capacity) {
        uint32_t capacity = items->capacity == 0 ? 4 : items->capacity * 2;
        items->items = arena_grow(run->arena, items->items, items->capacity * sizeof item,
            capacity * sizeof item);
        items->capacity = capacity;
        struct status st = arena_check(run->arena);
        if (failed(st)) return st;
    }
    items->items[items->count++] = item;
    return STATUS_OK;
}

static enum json_kind kind_of(struct bytes item)
{
    return json_open(item).kind;
}

static struct datum number_of(struct bytes item)
{
    return datum_bytes(json_open(item).scalar);
}

static struct bytes number_item(struct run *run, struct datum value)
{
    struct buffer out;
    buffer_init(&out, run->arena);
    json_append_number(&out, value);
    return buffer_bytes(&out);
}

static struct bytes string_item(struct run *run, struct bytes text)
{
    struct buffer out;
    buffer_init(&out, run->arena);
    json_append_string(&out, text);
    return buffer_bytes(&out);
}

// In lax mode arrays stand for their elements.
static struct status add_unwrapped(
    struct run *run, bool unwrap, struct bytes item, struct jsonpath_items *out)
{
    struct status st = STATUS_OK;
    struct json view = json_open(item);
    if (!unwrap || run->strict || view.kind != JSON_ARRAY) return add(run, out, item);
    for (uint32_t i = 0; i < view.count; i++) TRY(add(run, out, json_element(&view, i).raw));

out:
    return st;
}

// --- predicates ----------------------------------------------------------------------------------------------

static enum truth truth_of(bool value)
{
    return value ? TRUE_ : FALSE_;
}

static enum truth compare(enum jsonpath_kind kind, struct bytes a, struct bytes b)
{
    struct json x = json_open(a), y = json_open(b);
    bool x_bool = x.kind == JSON_TRUE || x.kind == JSON_FALSE;
    bool y_bool = y.kind == JSON_TRUE || y.kind == JSON_FALSE;
    int order = 0;
    if (x.kind != y.kind && !(x_bool && y_bool)) {
        if (x.kind != JSON_NULL && y.kind != JSON_NULL) return UNKNOWN_;
        return truth_of(kind == PATH_NOT_EQUAL);
    }
    if (x_bool)
        order = (x.kind == JSON_TRUE) - (y.kind == JSON_TRUE);
    else if (x.kind == JSON_NUMBER)
        order = numeric_compare(datum_bytes(x.scalar), datum_bytes(y.scalar));
    else if (x.kind == JSON_STRING)
        order = bytes_compare(x.scalar, y.scalar);
    else if (x.kind != JSON_NULL)
        return UNKNOWN_;
    switch (kind) {
    case PATH_EQUAL: return truth_of(order == 0);
    case PATH_NOT_EQUAL: return truth_of(order != 0);
    case PATH_LESS: return truth_of(order < 0);
    case PATH_LESS_EQUAL: return truth_of(order <= 0);
    case PATH_GREATER: return truth_of(order > 0);
    default: return truth_of(order >= 0);
    }
}

static enum truth starts_with(struct bytes a, struct bytes b)
{
    struct json x = json_open(a), y = json_open(b);
    if (x.kind != JSON_STRING || y.kind != JSON_STRING) return UNKNOWN_;
    return truth_of(x.scalar.size >= y.scalar.size &&
                    memcmp(x.scalar.data, y.scalar.data, y.scalar.size) == 0);
}

static struct status like_regex(
    struct run *run, struct jsonpath_node *node, struct bytes item, enum truth *truth)
{
    struct status st = STATUS_OK;
    struct json view = json_open(item);
    struct function_call inner = *run->call;
    // Without "s" a dot does not match the end of a line; with "m" ^ and $ match at each line.
    struct regex_options options = {.ignore_case = strchr(node->flags, 'i') != NULL,
        .literal = strchr(node->flags, 'q') != NULL};
    struct regex *regex;
    bool found;
    *truth = UNKNOWN_;
    if (view.kind != JSON_STRING) return st;
    if (!options.literal) {
        options.no_newline = strchr(node->flags, 's') == NULL;
        options.lines = strchr(node->flags, 'm') != NULL;
    }
    inner.state = node->state;
    st = regex_compile(&inner, node->text, options, &regex);
    node->state = inner.state;
    TRY(st);
    TRY(regex_search(regex, view.scalar, 0, REGEX_WHETHER, &found, NULL));
    *truth = truth_of(found);

out:
    return st;
}

static struct status one_truth(struct run *run, struct jsonpath_node *node, struct bytes left,
    struct bytes right, enum truth *truth)
{
    if (node->kind == PATH_LIKE_REGEX) return like_regex(run, node, left, truth);
    *truth = node->kind == PATH_STARTS_WITH ? starts_with(left, right)
                                            : compare(node->kind, left, right);
    return STATUS_OK;
}

// What a condition does not turn into "unknown".
static bool is_hard(struct status st)
{
    return status_is(st, E_OUT_OF_MEMORY) || status_is(st, E_UNDEFINED_OBJECT) ||
           status_is(st, E_SYNTAX_ERROR) || status_is(st, E_QUERY_CANCELED) ||
           status_is(st, E_ADMIN_SHUTDOWN) || status_is(st, E_CONNECTION_FAILURE);
}

// Whether the comparison holds for any pair of items; in strict mode none may be unknown.
static struct status any_pair(struct run *run, struct jsonpath_node *node, enum truth *truth)
{
    struct status st;
    struct jsonpath_items left = {0}, right = {0};
    bool error = false, found = false;
    *truth = UNKNOWN_;
    st = eval(run, node->left, true, &left);
    if (!failed(st) && node->right != NULL)
        st = eval(run, node->right, node->kind != PATH_STARTS_WITH, &right);
    if (failed(st)) return is_hard(st) ? st : STATUS_OK;
    if (node->right == NULL) TRY(add(run, &right, (struct bytes){0}));
    for (uint32_t i = 0; i < left.count; i++)
        for (uint32_t k = 0; k < right.count; k++) {
            enum truth one;
            TRY(one_truth(run, node, left.items[i], right.items[k], &one));
            if (one == UNKNOWN_ && run->strict) return st;
            error |= one == UNKNOWN_;
            found |= one == TRUE_;
            if (found && !run->strict) {
                *truth = TRUE_;
                return st;
            }
        }
    *truth = found ? TRUE_ : error ? UNKNOWN_ : FALSE_;

out:
    return st;
}

static struct status predicate(struct run *run, struct jsonpath_node *node, enum truth *truth)
{
    struct status st = STATUS_OK;
    enum truth other;
    struct jsonpath_items items = {0};
    switch (node->kind) {
    case PATH_AND:
        TRY(predicate(run, node->left, truth));
        if (*truth == FALSE_) break;
        TRY(predicate(run, node->right, &other));
        if (other != TRUE_) *truth = other;
        break;
    case PATH_OR:
        TRY(predicate(run, node->left, truth));
        if (*truth == TRUE_) break;
        TRY(predicate(run, node->right, &other));
        if (other != FALSE_) *truth = other;
        break;
    case PATH_NOT:
        TRY(predicate(run, node->left, truth));
        if (*truth != UNKNOWN_) *truth = truth_of(*truth == FALSE_);
        break;
    case PATH_IS_UNKNOWN:
        TRY(predicate(run, node->left, truth));
        *truth = truth_of(*truth == UNKNOWN_);
        break;
    case PATH_EXISTS:
        st = eval_any(run, node->left, &items);
        if (failed(st)) {
            *truth = UNKNOWN_;
            return is_hard(st) ? st : STATUS_OK;
        }
        *truth = truth_of(items.count > 0);
        break;
    default: return any_pair(run, node, truth);
    }

out:
    return st;
}

// --- steps -----------------------------------------------------------------------------------------------------

static struct status step_key(struct run *run, const struct jsonpath_node *step,
    struct bytes item, bool unwrapped, struct jsonpath_items *out)
{
    struct status st = STATUS_OK;
    struct json view = json_open(item), member;
    if (view.kind == JSON_OBJECT) {
        if (json_find(&view, step->text, &member)) return add(run, out, member.raw);
        if (!run->strict) return st;
        return status_format(run->arena, E_MEMBER_MISSING,
            "JSON object does not contain key \"%.*s\"", bytes_shown(step->text),
            (const char *)step->text.data);
    }
    if (view.kind == JSON_ARRAY && !run->strict && !unwrapped) {
        for (uint32_t i = 0; i < view.count; i++)
            TRY(step_key(run, step, json_element(&view, i).raw, true, out));
        return st;
    }
    if (run->strict)
        return status_make(
            E_MEMBER_MISSING, "jsonpath member accessor can only be applied to an object");

out:
    return st;
}

static struct status step_any_key(
    struct run *run, struct bytes item, bool unwrapped, struct jsonpath_items *out)
{
    struct status st = STATUS_OK;
    struct json view = json_open(item);
    if (view.kind == JSON_OBJECT) {
        for (uint32_t i = 0; i < view.count; i++) TRY(add(run, out, json_member(&view, i).raw));
        return st;
    }
    if (view.kind == JSON_ARRAY && !run->strict && !unwrapped) {
        for (uint32_t i = 0; i < view.count; i++)
            TRY(step_any_key(run, json_element(&view, i).raw, true, out));
        return st;
    }
    if (run->strict)
        return status_make(E_OBJECT_MISSING,
            "jsonpath wildcard member accessor can only be applied to an object");

out:
    return st;
}

static struct status subscript(
    struct run *run, struct jsonpath_node *node, int64_t *value)
{
    struct status st;
    struct jsonpath_items items = {0};
    struct datum whole;
    TRY(eval(run, node, false, &items));
    if (items.count != 1 || kind_of(items.items[0]) != JSON_NUMBER)
        return status_make(
            E_SUBSCRIPT, "jsonpath array subscript is not a single numeric value");
    TRY(numeric_round(
        run->arena, number_of(items.items[0]), 0, NUMERIC_TRUNCATE, &whole));
    if (!numeric_to_int(whole, value) || *value > INT32_MAX || *value < INT32_MIN)
        return status_make(E_SUBSCRIPT, "jsonpath array subscript is out of integer range");

out:
    return st;
}

static struct status step_index(struct run *run, const struct jsonpath_node *step,
    struct bytes item, struct jsonpath_items *out)
{
    struct status st = STATUS_OK;
    struct json view = json_open(item);
    bool array = view.kind == JSON_ARRAY;
    int64_t size = array ? view.count : 1, outer = run->last;
    if (!array && run->strict)
        return status_make(
            E_ARRAY_MISSING, "jsonpath array accessor can only be applied to an array");
    run->last = size;
    for (uint32_t i = 0; i < step->subscript_count; i++) {
        int64_t from, to;
        TRY(subscript(run, step->subscripts[i].from, &from));
        to = from;
        if (step->subscripts[i].to != NULL) TRY(subscript(run, step->subscripts[i].to, &to));
        if (run->strict && (from < 0 || from > to || to >= size)) {
            st = status_make(E_SUBSCRIPT, "jsonpath array subscript is out of bounds");
            goto out;
        }
        if (from < 0) from = 0;
        if (to >= size) to = size - 1;
        for (int64_t k = from; k <= to; k++)
            TRY(add(run, out, array ? json_element(&view, (uint32_t)k).raw : item));
    }

out:
    run->last = outer;
    return st;
}

// The item and what is in it, level by level below, in the order of the text.
static struct status step_any(struct run *run, const struct jsonpath_node *step,
    struct bytes item, struct jsonpath_items *out)
{
    struct status st = STATUS_OK;
    struct walk {
        struct json view;
        uint32_t at;
    } *stack = NULL;
    uint32_t depth = 0, capacity = 0;
    bool leaves = step->first == UINT32_MAX; // .**{last}: what has nothing in it.
    struct json view = json_open(item);
    bool container = view.kind == JSON_ARRAY || view.kind == JSON_OBJECT;
    if (leaves ? !container : step->first == 0) TRY(add(run, out, item));
    for (;;) {
        container = view.kind == JSON_ARRAY || view.kind == JSON_OBJECT;
        if (container && view.count > 0 && (leaves || depth < step->last)) {
            if (depth == capacity) {
                uint32_t grown = capacity == 0 ? 8 : capacity * 2;
                stack = arena_grow(
                    run->arena, stack, capacity * sizeof *stack, grown * sizeof *stack);
                capacity = grown;
            }
            stack[depth++] = (struct walk){view, 0};
        }
        while (depth > 0 && stack[depth - 1].at == stack[depth - 1].view.count) depth--;
        if (depth == 0) return st;
        struct walk *top = &stack[depth - 1];
        view = top->view.kind == JSON_ARRAY ? json_element(&top->view, top->at)
                                            : json_member(&top->view, top->at);
        top->at++;
        container = view.kind == JSON_ARRAY || view.kind == JSON_OBJECT;
        bool wanted = leaves ? !container : depth >= step->first && depth <= step->last;
        if (wanted) TRY(add(run, out, view.raw));
    }

out:
    return st;
}

static const char *type_name(enum json_kind kind)
{
    switch (kind) {
    case JSON_NULL: return "null";
    case JSON_STRING: return "string";
    case JSON_NUMBER: return "number";
    case JSON_ARRAY: return "array";
    case JSON_OBJECT: return "object";
    default: return "boolean";
    }
}

static struct status wrong_operand(struct run *run, enum jsonpath_method method, const char *what)
{
    return status_format(run->arena, E_NON_NUMERIC,
        "jsonpath item method .%s() can only be applied to a %s value",
        jsonpath_method_name(method), what);
}

static struct status method_number(struct run *run, enum jsonpath_method method,
    struct bytes item, struct jsonpath_items *out)
{
    struct status st;
    struct datum value;
    struct json view = json_open(item);
    bool to_double = method == METHOD_DOUBLE;
    if (view.kind != JSON_NUMBER && !(to_double && view.kind == JSON_STRING))
        return wrong_operand(run, method, to_double ? "string or numeric" : "numeric");
    if (to_double) {
        double real = 0;
        if (view.kind == JSON_NUMBER) {
            real = numeric_to_double(datum_bytes(view.scalar));
        } else {
            st = type_parse_float8(run->arena, view.scalar, &real);
            if (failed(st))
                return status_format(run->arena, E_NON_NUMERIC,
                    "string argument of jsonpath item method .double() is not a valid "
                    "representation of a double precision number");
        }
        if (real != real || real - real != 0)
            return status_format(run->arena, E_NON_NUMERIC,
                "NaN or Infinity is not allowed for jsonpath item method .double()");
        if (view.kind == JSON_NUMBER) return add(run, out, item);
        TRY(numeric_parse(run->arena, view.scalar, &value));
        return add(run, out, number_item(run, value));
    }
    if (method == METHOD_ABS)
        return add(run, out, number_item(run, numeric_abs(run->arena, number_of(item))));
    TRY(numeric_round(run->arena, number_of(item), 0,
        method == METHOD_CEILING ? NUMERIC_CEILING : NUMERIC_FLOOR, &value));
    return add(run, out, number_item(run, value));

out:
    return st;
}

static struct status method_keyvalue(
    struct run *run, struct bytes item, struct jsonpath_items *out)
{
    struct status st = STATUS_OK;
    struct json view = json_open(item);
    if (view.kind != JSON_OBJECT)
        return status_make(E_OBJECT_MISSING,
            "jsonpath item method .keyvalue() can only be applied to an object");
    // Objects are told apart by where they are in the document.
    int64_t id = item.data >= run->root.data && item.data <= run->root.data + run->root.size
                     ? (int64_t)(item.data - run->root.data)
                     : INT64_C(10000000000) * ++run->serial;
    for (uint32_t i = 0; i < view.count; i++) {
        struct json_builder builder;
        struct buffer made;
        json_builder_init(&builder, run->arena, true);
        json_builder_add(
            &builder, BYTES_LITERAL("key"), string_item(run, json_key(&view, i)));
        json_builder_add(&builder, BYTES_LITERAL("value"), json_member(&view, i).raw);
        json_builder_add(&builder, BYTES_LITERAL("id"),
            number_item(run, numeric_from_int(run->arena, id)));
        buffer_init(&made, run->arena);
        TRY(json_builder_finish(&builder, &made));
        TRY(add(run, out, buffer_bytes(&made)));
    }

out:
    return st;
}

static struct status step_method(struct run *run, const struct jsonpath_node *step,
    struct bytes item, bool unwrapped, struct jsonpath_items *out)
{
    struct status st = STATUS_OK;
    struct json view = json_open(item);
    if (step->method == METHOD_TYPE)
        return add(run, out, string_item(run, bytes_of_string(type_name(view.kind))));
    if (step->method == METHOD_SIZE) {
        if (view.kind != JSON_ARRAY && run->strict)
            return status_make(E_ARRAY_MISSING,
                "jsonpath item method .size() can only be applied to an array");
        int64_t size = view.kind == JSON_ARRAY ? view.count : 1;
        return add(run, out, number_item(run, numeric_from_int(run->arena, size)));
    }
    if (view.kind == JSON_ARRAY && !run->strict && !unwrapped) {
        for (uint32_t i = 0; i < view.count; i++)
            TRY(step_method(run, step, json_element(&view, i).raw, true, out));
        return st;
    }
    if (step->method == METHOD_KEYVALUE) return method_keyvalue(run, item, out);
    return method_number(run, step->method, item, out);

out:
    return st;
}

static struct status step_filter(struct run *run, const struct jsonpath_node *step,
    struct bytes item, bool unwrapped, struct jsonpath_items *out)
{
    struct status st = STATUS_OK;
    struct json view = json_open(item);
    enum truth truth;
    if (view.kind == JSON_ARRAY && !run->strict && !unwrapped) {
        for (uint32_t i = 0; i < view.count; i++)
            TRY(step_filter(run, step, json_element(&view, i).raw, true, out));
        return st;
    }
    struct bytes outer = run->current;
    run->current = item;
    st = predicate(run, step->left, &truth);
    run->current = outer;
    TRY(st);
    if (truth == TRUE_) TRY(add(run, out, item));

out:
    return st;
}

static struct status take_step(struct run *run, const struct jsonpath_node *step,
    struct bytes item, struct jsonpath_items *out)
{
    switch (step->kind) {
    case PATH_KEY: return step_key(run, step, item, false, out);
    case PATH_ANY_KEY: return step_any_key(run, item, false, out);
    case PATH_INDEX: return step_index(run, step, item, out);
    case PATH_ANY_INDEX:
        if (kind_of(item) == JSON_ARRAY) {
            bool strict = run->strict;
            run->strict = false;
            struct status st = add_unwrapped(run, true, item, out);
            run->strict = strict;
            return st;
        }
        if (!run->strict) return add(run, out, item);
        return status_make(E_ARRAY_MISSING,
            "jsonpath wildcard array accessor can only be applied to an array");
    case PATH_ANY: return step_any(run, step, item, out);
    case PATH_FILTER: return step_filter(run, step, item, false, out);
    default: return step_method(run, step, item, false, out);
    }
}

// --- expressions -------------------------------------------------------------------------------------------------

static const char *operator_sign(enum jsonpath_kind kind)
{
    return kind == PATH_ADD         ? "+"
           : kind == PATH_SUBTRACT ? "-"
           : kind == PATH_MULTIPLY ? "*"
           : kind == PATH_DIVIDE   ? "/"
                                   : "%";
}

static struct status operand(struct run *run, struct jsonpath_node *node, const char *side,
    enum jsonpath_kind kind, struct datum *value)
{
    struct status st;
    struct jsonpath_items items = {0};
    TRY(eval(run, node, true, &items));
    if (items.count != 1 || kind_of(items.items[0]) != JSON_NUMBER)
        return status_format(run->arena, E_SINGLETON,
            "%s operand of jsonpath operator %s is not a single numeric value", side,
            operator_sign(kind));
    *value = number_of(items.items[0]);

out:
    return st;
}

static struct status arithmetic(
    struct run *run, struct jsonpath_node *node, struct jsonpath_items *out)
{
    struct status st;
    struct datum left, right, value;
    TRY(operand(run, node->left, "left", node->kind, &left));
    TRY(operand(run, node->right, "right", node->kind, &right));
    switch (node->kind) {
    case PATH_ADD: st = numeric_add(run->arena, left, right, &value); break;
    case PATH_SUBTRACT: st = numeric_subtract(run->arena, left, right, &value); break;
    case PATH_MULTIPLY: st = numeric_multiply(run->arena, left, right, &value); break;
    case PATH_DIVIDE: st = numeric_divide(run->arena, left, right, &value); break;
    default: st = numeric_modulo(run->arena, left, right, &value); break;
    }
    TRY(st);
    st = add(run, out, number_item(run, value));

out:
    return st;
}

// `any`: what is no number is passed over. On failure `out` has what was before it.
static struct status sign(struct run *run, struct jsonpath_node *node, bool any, struct jsonpath_items *out)
{
    struct status st;
    struct jsonpath_items items = {0};
    TRY(eval(run, node->left, true, &items));
    for (uint32_t i = 0; i < items.count; i++) {
        struct bytes item = items.items[i];
        if (kind_of(item) != JSON_NUMBER && any) continue;
        if (kind_of(item) != JSON_NUMBER)
            return status_format(run->arena, E_NUMBER_MISSING,
                "operand of unary jsonpath operator %s is not a numeric value",
                node->kind == PATH_MINUS ? "-" : "+");
        if (node->kind == PATH_MINUS)
            item = number_item(run, numeric_negate(run->arena, number_of(item)));
        TRY(add(run, out, item));
    }

out:
    return st;
}

static struct status variable(
    struct run *run, const struct jsonpath_node *node, struct jsonpath_items *out)
{
    struct json vars, value;
    if (run->vars.data == NULL) {
        struct buffer null;
        buffer_init(&null, run->arena);
        json_append_null(&null);
        return add(run, out, buffer_bytes(&null));
    }
    if (run->vars.size > 0) {
        vars = json_open(run->vars);
        if (json_find(&vars, node->text, &value)) return add(run, out, value.raw);
    }
    return status_format(run->arena, E_UNDEFINED_OBJECT,
        "could not find jsonpath variable \"%.*s\"", bytes_shown(node->text),
        (const char *)node->text.data);
}

static struct status first_items(
    struct run *run, struct jsonpath_node *node, bool any, struct jsonpath_items *out)
{
    struct status st;
    enum truth truth;
    struct buffer made;
    if (jsonpath_is_predicate(node->kind)) {
        TRY(predicate(run, node, &truth));
        buffer_init(&made, run->arena);
        if (truth == UNKNOWN_)
            json_append_null(&made);
        else
            json_append_bool(&made, truth == TRUE_);
        return add(run, out, buffer_bytes(&made));
    }
    switch (node->kind) {
    case PATH_ROOT: return add(run, out, run->root);
    case PATH_CURRENT: return add(run, out, run->current);
    case PATH_LITERAL: return add(run, out, node->text);
    case PATH_VARIABLE: return variable(run, node, out);
    case PATH_LAST:
        if (run->last < 0)
            return status_make(E_SYNTAX_ERROR, "LAST is allowed only in array subscripts");
        return add(run, out, number_item(run, numeric_from_int(run->arena, run->last - 1)));
    case PATH_PLUS:
    case PATH_MINUS: return sign(run, node, any, out);
    default: return arithmetic(run, node, out);
    }

out:
    return st;
}

// On failure `out` has what was found before, as if the items had been followed one by one. `any`: whether there is one.
static struct status follow(
    struct run *run, struct jsonpath_node *node, bool unwrap, bool any, struct jsonpath_items *out)
{
    struct status st, first;
    struct jsonpath_items now = {0};
    TRY(function_work(run->call, ITEM_WORK));
    first = first_items(run, node, any && node->next == NULL, &now);
    for (const struct jsonpath_node *step = node->next; step != NULL; step = step->next) {
        struct jsonpath_items next = {0};
        for (uint32_t i = 0; i < now.count; i++) {
            st = take_step(run, step, now.items[i], &next);
            if (!failed(st)) continue;
            if (!failed(first) || !is_hard(first)) first = st;
            break;
        }
        now = next;
    }
    for (uint32_t i = 0; i < now.count; i++) TRY(add_unwrapped(run, unwrap, now.items[i], out));
    st = first;

out:
    return st;
}

static struct status eval(
    struct run *run, struct jsonpath_node *node, bool unwrap, struct jsonpath_items *out)
{
    return follow(run, node, unwrap, false, out);
}

// Whether there is an item. A lax path is followed to the first one only, a strict one to its end.
static struct status eval_any(struct run *run, struct jsonpath_node *node, struct jsonpath_items *out)
{
    struct status st = follow(run, node, false, !run->strict, out);
    return failed(st) && !is_hard(st) && !run->strict && out->count > 0 ? STATUS_OK : st;
}

struct status jsonpath_run(struct function_call *call, const struct jsonpath *path,
    struct bytes root, struct bytes vars, bool any, struct jsonpath_items *items)
{
    struct run run = {.call = call,
        .arena = call->arena,
        .strict = path->strict,
        .root = root,
        .current = root,
        .vars = vars,
        .last = -1};
    *items = (struct jsonpath_items){0};
    return any ? eval_any(&run, path->root, items) : eval(&run, path->root, false, items);
}
