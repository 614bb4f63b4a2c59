// SPDX-License-Identifier: GPL-3.0-or-later
#include "sql/plan/scalar.h"

#include <stdio.h>

#include "core/deep.h"
#include "core/invariant.h"
#include "sql/plan/rel.h"

struct scalar *scalar_new(
    struct arena *arena, enum scalar_kind kind, struct type type, uint32_t position)
{
    struct scalar *scalar = ARENA_NEW(arena, struct scalar);
    (void)deep_goes_on(1);
    scalar->kind = kind;
    scalar->type = type;
    scalar->position = position;
    return scalar;
}

struct scalar *scalar_const(
    struct arena *arena, struct type type, struct datum value, uint32_t position)
{
    struct scalar *scalar = scalar_new(arena, SCALAR_CONST, type, position);
    scalar->value = value;
    return scalar;
}

struct scalar *scalar_bool(struct arena *arena, bool value)
{
    return scalar_const(arena, TYPE_OF(TYPE_BOOL), datum_bool(value), POSITION_NONE);
}

struct scalar *scalar_null(struct arena *arena, struct type type, uint32_t position)
{
    return scalar_const(arena, type, DATUM_NULL, position);
}

struct scalar *scalar_var(struct arena *arena, var_id var, struct type type, uint32_t position)
{
    struct scalar *scalar = scalar_new(arena, SCALAR_VAR, type, position);
    scalar->var = var;
    return scalar;
}

struct scalar *scalar_with_args(struct arena *arena, enum scalar_kind kind, struct type type,
    uint32_t position, uint32_t count)
{
    struct scalar *scalar = scalar_new(arena, kind, type, position);
    scalar->args = ARENA_ARRAY(arena, struct scalar *, count);
    scalar->arg_count = count;
    return scalar;
}

struct scalar *scalar_and(struct arena *arena, struct scalar *a, struct scalar *b)
{
    if (a == NULL) return b;
    if (b == NULL) return a;
    struct scalar *both =
        scalar_with_args(arena, SCALAR_AND, TYPE_OF(TYPE_BOOL), a->position, 2);
    both->args[0] = a;
    both->args[1] = b;
    return both;
}

// --- properties --------------------------------------------------------------------------------------

static bool rel_has_volatile(struct rel *rel);

bool scalar_is_volatile(const struct scalar *scalar)
{
    if (scalar->kind == SCALAR_CALL && scalar->function->volatility == FUNCTION_VOLATILE) return true;
    if (scalar->kind == SCALAR_SUBQUERY && rel_has_volatile(scalar->subquery.rel)) return true;
    for (uint32_t i = 0; i < scalar->arg_count; i++)
        if (scalar_is_volatile(scalar->args[i])) return true;
    return false;
}

static void note_volatile(struct scalar **scalar, void *context)
{
    bool *found = context;
    *found |= scalar_is_volatile(*scalar);
}

static bool rel_has_volatile(struct rel *rel)
{
    bool found = false;
    if (rel == NULL) return false;
    rel_each_scalar(rel, note_volatile, &found);
    if (found || rel_has_volatile(rel->left) || rel_has_volatile(rel->right)) return true;
    if (rel->kind == REL_UNION_ALL || rel->kind == REL_SET)
        for (uint32_t i = 0; i < rel->set.input_count; i++)
            if (rel_has_volatile(rel->set.inputs[i])) return true;
    return false;
}

// What is set beside a text (anynonarray || text) is as stable as its own text is.
static bool joins_texts(const struct scalar *call)
{
    if (call->function->kind != FUNCTION_OPERATOR || strcmp(call->function->name, "||") != 0) return false;
    for (uint32_t i = 0; i < call->arg_count; i++) {
        type_oid of = call->args[i]->type.oid;
        const struct cast *cast = cast_find(of, TYPE_TEXT, CAST_EXPLICIT);
        if (cast == NULL || !cast_is_immutable(cast, of, TYPE_TEXT)) return false;
    }
    return true;
}

bool scalar_is_immutable_itself(const struct scalar *scalar)
{
    if (scalar->kind == SCALAR_CALL && scalar->function->volatility != FUNCTION_IMMUTABLE && !joins_texts(scalar))
        return false;
    if (scalar->kind == SCALAR_SQL_VALUE) return false;
    if (scalar->kind == SCALAR_CAST && !scalar->unread &&
        !cast_is_immutable(scalar->cast.cast, scalar->args[0]->type.oid, scalar->type.oid))
        return false;
    return scalar->kind != SCALAR_ANY_ARRAY || scalar_is_immutable(scalar->any_array.compare);
}

bool scalar_is_immutable(const struct scalar *scalar)
{
    if (!scalar_is_immutable_itself(scalar)) return false;
    for (uint32_t i = 0; i < scalar->arg_count; i++)
        if (!scalar_is_immutable(scalar->args[i])) return false;
    return true;
}

bool scalar_has_subquery(const struct scalar *scalar)
{
    if (scalar->kind == SCALAR_SUBQUERY) return true;
    for (uint32_t i = 0; i < scalar->arg_count; i++)
        if (scalar_has_subquery(scalar->args[i])) return true;
    return false;
}

bool scalar_is_row_free(const struct scalar *scalar)
{
    if (scalar->kind == SCALAR_VAR || scalar->kind == SCALAR_SUBQUERY) return false;
    for (uint32_t i = 0; i < scalar->arg_count; i++)
        if (!scalar_is_row_free(scalar->args[i])) return false;
    return true;
}

// --- sets of variables -------------------------------------------------------------------------------

struct var_set var_set_new(struct arena *arena, uint32_t var_count)
{
    uint32_t words = var_count / 64 + 1;
    return (struct var_set){ARENA_ARRAY(arena, uint64_t, words), words};
}

void var_set_add_all(struct var_set *set, const struct var_set *other)
{
    for (uint32_t i = 0; i < other->word_count && i < set->word_count; i++)
        set->words[i] |= other->words[i];
}

bool var_set_contains(const struct var_set *set, const struct var_set *other)
{
    for (uint32_t i = 0; i < other->word_count; i++) {
        uint64_t have = i < set->word_count ? set->words[i] : 0;
        if ((other->words[i] & ~have) != 0) return false;
    }
    return true;
}

bool var_set_overlaps(const struct var_set *set, const struct var_set *other)
{
    for (uint32_t i = 0; i < set->word_count && i < other->word_count; i++)
        if ((set->words[i] & other->words[i]) != 0) return true;
    return false;
}

bool var_set_empty(const struct var_set *set)
{
    for (uint32_t i = 0; i < set->word_count; i++)
        if (set->words[i] != 0) return false;
    return true;
}

void scalar_collect_vars(const struct scalar *scalar, struct var_set *set)
{
    (void)deep_goes_on(1);
    if (scalar->kind == SCALAR_VAR) var_set_add(set, scalar->var);
    if (scalar->kind == SCALAR_SUBQUERY) {
        rel_collect_vars(scalar->subquery.rel, set);
        if (scalar->subquery.compare != NULL) scalar_collect_vars(scalar->subquery.compare, set);
    }
    for (uint32_t i = 0; i < scalar->arg_count; i++) scalar_collect_vars(scalar->args[i], set);
}

void scalar_collect_bare_vars(const struct scalar *scalar, struct var_set *set)
{
    if (scalar->kind == SCALAR_SUBQUERY) {
        for (uint32_t i = 0; i < scalar->subquery.output_count; i++)
            var_set_add(set, scalar->subquery.outputs[i]);
        rel_collect_bare_vars(scalar->subquery.rel, set);
    }
    for (uint32_t i = 0; i < scalar->arg_count; i++) scalar_collect_bare_vars(scalar->args[i], set);
}

// --- conjuncts ---------------------------------------------------------------------------------------

void scalar_list_add(struct arena *arena, struct scalar_list *list, struct scalar *scalar)
{
    if (list->count == list->capacity) {
        uint32_t capacity = list->capacity == 0 ? 4 : list->capacity * 2;
        list->items = arena_grow(arena, list->items, list->capacity * sizeof(struct scalar *),
            capacity * sizeof(struct scalar *));
        list->capacity = capacity;
    }
    list->items[list->count++] = scalar;
}

void scalar_list_add_conjuncts(struct arena *arena, struct scalar_list *list, struct scalar *scalar)
{
    if (scalar->kind == SCALAR_AND) {
        for (uint32_t i = 0; i < scalar->arg_count; i++)
            scalar_list_add_conjuncts(arena, list, scalar->args[i]);
        return;
    }
    if (scalar->kind == SCALAR_CONST && !scalar->value.null && scalar->value.boolean) return;
    scalar_list_add(arena, list, scalar);
}

void scalar_list_add_list(
    struct arena *arena, struct scalar_list *list, const struct scalar_list *other)
{
    for (uint32_t i = 0; i < other->count; i++) scalar_list_add(arena, list, other->items[i]);
}

struct substitute_context {
    struct arena *arena;
    const struct scalar_substitution *map;
};

static void substitute_in_rel(struct rel *rel, struct substitute_context *context);

static void substitute_item(struct scalar **scalar, void *context)
{
    struct substitute_context *substitute = context;
    *scalar = scalar_substitute(substitute->arena, *scalar, substitute->map);
}

static void substitute_in_rel(struct rel *rel, struct substitute_context *context)
{
    if (rel == NULL) return;
    rel_each_scalar(rel, substitute_item, context);
    substitute_in_rel(rel->left, context);
    substitute_in_rel(rel->right, context);
    if (rel->kind == REL_UNION_ALL || rel->kind == REL_SET || rel->kind == REL_RECURSIVE)
        for (uint32_t i = 0; i < rel->set.input_count; i++)
            substitute_in_rel(rel->set.inputs[i], context);
    if (rel->kind == REL_WITH)
        for (uint32_t i = 0; i < rel->with.count; i++)
            substitute_in_rel(rel->with.ctes[i]->rel, context);
}

// What stands for a variable is compared as the variable was.
static struct scalar *with_collation_of(
    struct arena *arena, struct scalar *scalar, const struct scalar *like)
{
    if (scalar->type.collation == like->type.collation) return scalar;
    struct scalar *copy = ARENA_NEW(arena, struct scalar);
    *copy = *scalar;
    copy->type.collation = like->type.collation;
    return copy;
}

struct scalar *scalar_substitute(
    struct arena *arena, struct scalar *scalar, const struct scalar_substitution *map)
{
    if (scalar->kind == SCALAR_VAR) {
        for (uint32_t i = 0; i < map->count; i++)
            if (map->from[i] == scalar->var) return with_collation_of(arena, map->to[i], scalar);
        return scalar;
    }
    struct scalar *copy = scalar;
    if (scalar->kind == SCALAR_SUBQUERY) {
        // Correlated references inside are changed in place: a subquery has one place in the tree.
        struct substitute_context context = {arena, map};
        substitute_in_rel(scalar->subquery.rel, &context);
    }
    for (uint32_t i = 0; i < scalar->arg_count; i++) {
        struct scalar *arg = scalar_substitute(arena, scalar->args[i], map);
        if (arg == scalar->args[i]) continue;
        if (copy == scalar) {
            copy = ARENA_NEW(arena, struct scalar);
            *copy = *scalar;
            copy->args = ARENA_ARRAY(arena, struct scalar *, scalar->arg_count);
            memcpy(copy->args, scalar->args, scalar->arg_count * sizeof(struct scalar *));
        }
        copy->args[i] = arg;
    }
    if (scalar->kind == SCALAR_ANY_ARRAY) {
        // What is asked of each element: the left operand is part of it, the array is not.
        struct scalar *compare = scalar_substitute(arena, scalar->any_array.compare, map);
        if (copy == scalar && compare != scalar->any_array.compare) {
            copy = ARENA_NEW(arena, struct scalar);
            *copy = *scalar;
        }
        copy->any_array.compare = compare;
        if (compare != scalar->any_array.compare && scalar->any_array.compare->args[0] == scalar->args[0])
            compare->args[0] = copy->args[0];
    }
    return copy;
}

// --- comparisons -------------------------------------------------------------------------------------

enum scalar_compare scalar_compare_of(const struct scalar *call)
{
    if (call->kind != SCALAR_CALL || call->arg_count != 2 ||
        call->function->kind != FUNCTION_OPERATOR)
        return COMPARE_NONE;
    const char *name = call->function->name;
    if (!type_is_ordered(call->args[0]->type.oid)) return COMPARE_NONE; // Areas and lengths are: of boxes, of segments.
    if (strcmp(name, "=") == 0) return COMPARE_EQ;
    if (strcmp(name, "<>") == 0) return COMPARE_NE;
    if (strcmp(name, "<") == 0) return COMPARE_LT;
    if (strcmp(name, "<=") == 0) return COMPARE_LE;
    if (strcmp(name, ">") == 0) return COMPARE_GT;
    if (strcmp(name, ">=") == 0) return COMPARE_GE;
    return COMPARE_NONE;
}

enum scalar_compare scalar_compare_swap(enum scalar_compare compare)
{
    switch (compare) {
    case COMPARE_LT: return COMPARE_GT;
    case COMPARE_LE: return COMPARE_GE;
    case COMPARE_GT: return COMPARE_LT;
    case COMPARE_GE: return COMPARE_LE;
    default: return compare;
    }
}

static bool is_text_like(type_oid oid)
{
    return oid == TYPE_TEXT || oid == TYPE_VARCHAR;
}

static bool is_integer(type_oid oid)
{
    return oid == TYPE_INT2 || oid == TYPE_INT4 || oid == TYPE_INT8;
}

static int integer_width(type_oid oid)
{
    return oid == TYPE_INT2 ? 2 : oid == TYPE_INT4 ? 4 : oid == TYPE_INT8 ? 8 : 0;
}

static bool is_oid_like(type_oid oid)
{
    return oid == TYPE_OID || oid == TYPE_REGCLASS || oid == TYPE_REGTYPE || oid == TYPE_REGPROC ||
           oid == TYPE_REGNAMESPACE || oid == TYPE_REGROLE || oid == TYPE_REGOPER ||
           oid == TYPE_REGOPERATOR || oid == TYPE_REGCOLLATION;
}

const struct scalar *scalar_strip(const struct scalar *scalar)
{
    while (scalar->kind == SCALAR_CAST &&
           scalar_key_compatible(scalar->type.oid, scalar->args[0]->type.oid) &&
           (scalar->cast.cast->binary ||
               integer_width(scalar->type.oid) > integer_width(scalar->args[0]->type.oid)))
        scalar = scalar->args[0];
    return scalar;
}

bool scalar_key_compatible(type_oid column, type_oid value)
{
    return column == value || (is_text_like(column) && is_text_like(value)) ||
           (is_integer(column) && is_integer(value)) || (is_oid_like(column) && is_oid_like(value));
}

// --- text --------------------------------------------------------------------------------------------

static void format_const(struct buffer *out, const struct scalar *scalar)
{
    if (scalar->value.null) {
        buffer_append_string(out, "NULL");
        return;
    }
    static const struct type_context context = {.extra_float_digits = 1};
    bool quoted = !type_is_by_value(scalar->type.oid) && scalar->type.oid != TYPE_NUMERIC;
    if (quoted) buffer_append_u8(out, '\'');
    type_output(out, &context, scalar->type.oid == TYPE_UNKNOWN ? TYPE_TEXT : scalar->type.oid,
        scalar->value);
    if (quoted) buffer_append_u8(out, '\'');
}

static void format_args(struct buffer *out, const struct scalar *scalar, uint32_t from,
    const char *separator, const struct scalar_namer *namer)
{
    for (uint32_t i = from; i < scalar->arg_count; i++) {
        if (i > from) buffer_append_string(out, separator);
        scalar_format(out, scalar->args[i], namer);
    }
}

static void format_wrapped(struct buffer *out, const char *before, const struct scalar *scalar,
    const char *separator, const char *after, const struct scalar_namer *namer)
{
    buffer_append_string(out, before);
    format_args(out, scalar, 0, separator, namer);
    buffer_append_string(out, after);
}

static void format_call(
    struct buffer *out, const struct scalar *scalar, const struct scalar_namer *namer)
{
    const char *name = scalar->function->name;
    if (scalar->function->kind != FUNCTION_OPERATOR) {
        buffer_append_string(out, name);
        format_wrapped(out, "(", scalar, ", ", ")", namer);
        return;
    }
    buffer_append_u8(out, '(');
    if (scalar->arg_count == 2) {
        scalar_format(out, scalar->args[0], namer);
        buffer_append_u8(out, ' ');
    }
    buffer_append_string(out, name);
    buffer_append_u8(out, ' ');
    scalar_format(out, scalar->args[scalar->arg_count - 1], namer);
    buffer_append_u8(out, ')');
}

static void format_case(
    struct buffer *out, const struct scalar *scalar, const struct scalar_namer *namer)
{
    buffer_append_string(out, "CASE");
    for (uint32_t i = 0; i + 1 < scalar->arg_count; i += 2) {
        buffer_append_string(out, " WHEN ");
        scalar_format(out, scalar->args[i], namer);
        buffer_append_string(out, " THEN ");
        scalar_format(out, scalar->args[i + 1], namer);
    }
    buffer_append_string(out, " ELSE ");
    scalar_format(out, scalar->args[scalar->arg_count - 1], namer);
    buffer_append_string(out, " END");
}

void scalar_format(struct buffer *out, const struct scalar *scalar, const struct scalar_namer *namer)
{
    static const char *const tests[] = {[IS_NULL] = " IS NULL", [IS_NOT_NULL] = " IS NOT NULL",
        [IS_TRUE] = " IS TRUE", [IS_NOT_TRUE] = " IS NOT TRUE", [IS_FALSE] = " IS FALSE",
        [IS_NOT_FALSE] = " IS NOT FALSE", [IS_UNKNOWN] = " IS UNKNOWN",
        [IS_NOT_UNKNOWN] = " IS NOT UNKNOWN"};
    switch (scalar->kind) {
    case SCALAR_CONST: format_const(out, scalar); break;
    case SCALAR_PARAM: buffer_printf(out, "$%u", scalar->param + 1); break;
    case SCALAR_VAR: buffer_append_string(out, namer->name(namer, scalar->var)); break;
    case SCALAR_CALL: format_call(out, scalar, namer); break;
    case SCALAR_TYPMOD: scalar_format(out, scalar->args[0], namer); break;
    case SCALAR_CAST:
        scalar_format(out, scalar->args[0], namer);
        buffer_printf(out, "::%s", type_format(out->arena, scalar->type));
        break;
    case SCALAR_AND: format_wrapped(out, "(", scalar, " AND ", ")", namer); break;
    case SCALAR_OR: format_wrapped(out, "(", scalar, " OR ", ")", namer); break;
    case SCALAR_NOT: format_wrapped(out, "(NOT ", scalar, "", ")", namer); break;
    case SCALAR_IS: format_wrapped(out, "(", scalar, "", tests[scalar->test], namer);
        buffer_append_u8(out, ')');
        break;
    case SCALAR_DISTINCT:
        format_wrapped(out, "(", scalar,
            scalar->negated ? " IS NOT DISTINCT FROM " : " IS DISTINCT FROM ", ")", namer);
        break;
    case SCALAR_CASE: format_case(out, scalar, namer); break;
    case SCALAR_COALESCE: format_wrapped(out, "COALESCE(", scalar, ", ", ")", namer); break;
    case SCALAR_EXTREME:
        format_wrapped(out, scalar->greatest ? "GREATEST(" : "LEAST(", scalar, ", ", ")", namer);
        break;
    case SCALAR_NULLIF: format_wrapped(out, "NULLIF(", scalar, ", ", ")", namer); break;
    case SCALAR_IN:
        buffer_append_u8(out, '(');
        scalar_format(out, scalar->args[0], namer);
        buffer_append_string(out, scalar->negated ? " NOT IN (" : " IN (");
        format_args(out, scalar, 1, ", ", namer);
        buffer_append_string(out, "))");
        break;
    case SCALAR_ANY_ARRAY:
        buffer_append_u8(out, '(');
        scalar_format(out, scalar->args[0], namer);
        buffer_append_string(out, scalar->any_array.all ? " op ALL (" : " op ANY (");
        scalar_format(out, scalar->args[1], namer);
        buffer_append_string(out, "))");
        break;
    case SCALAR_ARRAY: format_wrapped(out, "ARRAY[", scalar, ", ", "]", namer); break;
    case SCALAR_SUBSCRIPT: format_wrapped(out, "(", scalar, ")[", "]", namer); break;
    case SCALAR_SUBQUERY: buffer_append_string(out, "(SubPlan)"); break;
    case SCALAR_ROW: format_wrapped(out, "ROW(", scalar, ", ", ")", namer); break;
    case SCALAR_SQL_VALUE: buffer_append_string(out, "CURRENT_USER"); break;
    }
}
