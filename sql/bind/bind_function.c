// SPDX-License-Identifier: GPL-3.0-or-later
//
// Function calls: scalar functions, aggregates, set-returning functions.
#include "core/invariant.h"
#include "sql/bind/recursion.h"
#include "sql/type/collation.h"
#include "sql/function/function_record.h"

// Functions that are called by their arguments' names; those left out are zero.
static const struct named_function {
    const char *name;
    const char *args[8];
    bool zero; // What is left out is zero; else only the last ones may be left out.
} named_functions[] = {
    {"make_interval", {"years", "months", "weeks", "days", "hours", "mins", "secs"}, true},
    {"make_date", {"year", "month", "day"}, false},
    {"make_time", {"hour", "min", "sec"}, false},
    {"make_timestamp", {"year", "month", "mday", "hour", "min", "sec"}, false},
    {"make_timestamptz", {"year", "month", "mday", "hour", "min", "sec", "timezone"}, false},
    {"jsonb_set", {"jsonb_in", "path", "replacement", "create_if_missing"}, false},
    {"jsonb_set_lax",
        {"jsonb_in", "path", "replacement", "create_if_missing", "null_value_treatment"}, false},
    {"jsonb_insert", {"jsonb_in", "path", "replacement", "insert_after"}, false},
    {"json_populate_record", {"base", "from_json"}, false},
    {"jsonb_populate_record", {"base", "from_json"}, false},
    {"json_populate_recordset", {"base", "from_json"}, false},
    {"jsonb_populate_recordset", {"base", "from_json"}, false},
    {"jsonb_path_exists", {"target", "path", "vars", "silent"}, false},
    {"jsonb_path_match", {"target", "path", "vars", "silent"}, false},
    {"jsonb_path_query", {"target", "path", "vars", "silent"}, false},
    {"jsonb_path_query_array", {"target", "path", "vars", "silent"}, false},
    {"jsonb_path_query_first", {"target", "path", "vars", "silent"}, false},
    {"parse_ident", {"str", "strict"}, false},
};

static struct status undefined_name(
    struct binder *binder, const struct function_expr *call, const struct expr *argument)
{
    return bind_error(binder, argument->position, E_UNDEFINED_FUNCTION,
        "function %s has no argument named \"%s\"", call->name, argument->named_argument.name);
}

static struct status place_named(struct binder *binder, const struct function_expr *call,
    const struct named_function *named, uint32_t at, struct expr **places, uint32_t count)
{
    struct expr *argument = call->args.items[at];
    uint32_t place = at;
    if (argument->kind == EXPR_NAMED_ARGUMENT) {
        place = 0;
        while (place < count && strcmp(named->args[place], argument->named_argument.name) != 0)
            place++;
        if (place == count) return undefined_name(binder, call, argument);
        argument = argument->named_argument.arg;
    } else if (at > 0 && call->args.items[at - 1]->kind == EXPR_NAMED_ARGUMENT) {
        return bind_error(binder, argument->position, E_SYNTAX_ERROR,
            "positional argument cannot follow named argument");
    }
    if (place >= count || places[place] != NULL)
        return bind_error(binder, argument->position, E_SYNTAX_ERROR,
            "argument name \"%s\" used more than once", named->args[place < count ? place : 0]);
    places[place] = argument;
    return STATUS_OK;
}

// The same call with all arguments in their places.
static struct status name_args(struct binder *binder, const struct expr *expr, struct expr **out)
{
    struct status st = STATUS_OK;
    const struct function_expr *call = expr->function;
    const struct named_function *named = NULL;
    bool any = false;
    uint32_t count = 0;
    *out = NULL;
    for (uint32_t i = 0; i < call->args.count; i++)
        any |= call->args.items[i]->kind == EXPR_NAMED_ARGUMENT;
    if (!any) return st;
    TRY(bind_routine_names(binder, expr, out));
    if (*out != NULL) return st;
    for (size_t i = 0; i < sizeof named_functions / sizeof named_functions[0]; i++)
        if (strcmp(named_functions[i].name, call->name) == 0) named = &named_functions[i];
    if (named == NULL)
        return bind_error(binder, expr->position, E_UNDEFINED_FUNCTION,
            "function %s does not exist", call->name);
    while (named->args[count] != NULL) count++;
    struct expr **places = ARENA_ARRAY(binder->arena, struct expr *, count);
    for (uint32_t i = 0; i < call->args.count; i++)
        TRY(place_named(binder, call, named, i, places, count));
    while (!named->zero && count > 0 && places[count - 1] == NULL) count--;
    for (uint32_t i = 0; i < count; i++) {
        if (places[i] != NULL) continue;
        bool vars = strcmp(named->args[i], "vars") == 0; // DEFAULT '{}'
        if (vars) {
            places[i] = ARENA_NEW(binder->arena, struct expr);
            places[i]->kind = EXPR_LITERAL;
            places[i]->position = expr->position;
            places[i]->literal.kind = LITERAL_STRING;
            places[i]->literal.text = BYTES_LITERAL("{}");
            continue;
        }
        if (!named->zero)
            return bind_error(binder, expr->position, E_UNDEFINED_FUNCTION,
                "function %s needs its argument \"%s\"", call->name, named->args[i]);
        places[i] = ARENA_NEW(binder->arena, struct expr);
        places[i]->kind = EXPR_LITERAL;
        places[i]->position = expr->position;
        places[i]->literal.kind = LITERAL_INTEGER;
        places[i]->literal.text = BYTES_LITERAL("0");
    }
    struct function_expr *full = ARENA_NEW(binder->arena, struct function_expr);
    *full = *call;
    full->args = (struct expr_list){places, count};
    *out = ARENA_NEW(binder->arena, struct expr);
    **out = *expr;
    (*out)->function = full;

out:
    return st;
}

static struct status bind_args(struct binder *binder, struct scope *scope,
    const struct function_expr *call, struct scalar ***args, struct type **types)
{
    struct status st = STATUS_OK;
    *args = ARENA_ARRAY(binder->arena, struct scalar *, call->args.count);
    *types = ARENA_ARRAY(binder->arena, struct type, call->args.count);
    for (uint32_t i = 0; i < call->args.count; i++) {
        struct scalar *arg;
        TRY(bind_expr(binder, scope, call->args.items[i], &arg));
        TRY(bind_row_value(binder, &arg));
        (*args)[i] = arg;
        (*types)[i] = arg->type;
    }

out:
    return st;
}

// A function that is called, or a procedure that is not: 42809. Else as undefined as `st` says.
static struct status check_kind(struct binder *binder, const struct function_expr *call,
    const struct type *types, uint32_t count, struct function_match *match, struct status st)
{
    bool calling = bind_is_called(binder, call->name);
    struct function_match other = {0};
    const struct function **routines;
    if (failed(st) && !status_is(st, E_UNDEFINED_FUNCTION)) return st;
    if (calling && !failed(st) && match->function->user != NULL) return st;
    if (!calling && !failed(st)) return st;
    bool found = !failed(st);
    if (!found) {
        uint32_t routine_count =
            bind_routines_named(binder, call->schema, call->name, !calling, &routines);
        found = routine_count > 0 &&
                !failed(function_resolve_any(binder->arena, call->schema, call->name, routines,
                    routine_count, types, count, &other)) &&
                other.function != NULL;
    }
    if (found) return function_of_other_kind(binder->arena, call->name, types, count, calling);
    return calling ? function_no_procedure(binder->arena, call->name, types, count) : st;
}

static struct status resolve(struct binder *binder, const struct expr *expr,
    const struct type *types, uint32_t count, struct function_match *match)
{
    const struct function_expr *call = expr->function;
    *match = (struct function_match){0};
    const struct function **routines;
    struct status st = bind_check_schema(binder, call->schema);
    if (failed(st)) return st;
    uint32_t routine_count = bind_routines_named(
        binder, call->schema, call->name, bind_is_called(binder, call->name), &routines);
    st = function_resolve_any(binder->arena, call->schema, call->name, routines,
        routine_count, types, count, match);
    if (failed(st) && !status_is(st, E_UNDEFINED_FUNCTION))
        return bind_at(binder, st, expr->position);
    if (match->function == NULL && !failed(st))
        st = function_resolve(binder->arena, FUNCTION_SCALAR, call->schema, call->name, types,
            count, match);
    st = check_kind(binder, call, types, count, match, st);
    if (!failed(st)) bind_note_routine(binder, call, match->function);
    return bind_at(binder, st, expr->position);
}

// --- aggregates --------------------------------------------------------------------------------------

static struct status bind_aggregate_order(struct binder *binder, struct scope *scope,
    const struct function_expr *call, struct rel_aggregate *aggregate)
{
    struct status st = STATUS_OK;
    aggregate->order = ARENA_ARRAY(binder->arena, struct rel_order, call->order_by.count);
    aggregate->order_count = call->order_by.count;
    for (uint32_t i = 0; i < call->order_by.count; i++) {
        const struct sort_item *item = &call->order_by.items[i];
        struct rel_order *order = &aggregate->order[i];
        TRY(bind_expr(binder, scope, item->expr, &order->scalar));
        TRY(bind_resolve_unknown(binder, &order->scalar));
        TRY(bind_order_flags(binder, item, order));
    }

out:
    return st;
}

static bool same_aggregate(const struct rel_aggregate *a, const struct rel_aggregate *b)
{
    if (a->function != b->function || a->arg_count != b->arg_count || a->distinct != b->distinct ||
        a->order_count > 0 || b->order_count > 0 || (a->filter == NULL) != (b->filter == NULL))
        return false;
    if (a->filter != NULL && !bind_equal(a->filter, b->filter)) return false;
    for (uint32_t i = 0; i < a->arg_count; i++)
        if (!bind_equal(a->args[i], b->args[i])) return false;
    return true;
}

struct rel_aggregate *bind_add_aggregate(
    struct binder *binder, struct select_level *level, const struct rel_aggregate *aggregate)
{
    for (uint32_t i = 0; i < level->aggregate_count; i++)
        if (same_aggregate(&level->aggregates[i], aggregate)) return &level->aggregates[i];
    if (level->aggregate_count == level->aggregate_capacity) {
        uint32_t capacity = level->aggregate_capacity == 0 ? 4 : level->aggregate_capacity * 2;
        level->aggregates = arena_grow(binder->arena, level->aggregates,
            level->aggregate_capacity * sizeof *aggregate, capacity * sizeof *aggregate);
        level->aggregate_capacity = capacity;
    }
    struct rel_aggregate *added = &level->aggregates[level->aggregate_count++];
    *added = *aggregate;
    if (collation_takes(added->type.oid) && added->arg_count > added->direct_count)
        added->type.collation = added->args[added->direct_count]->type.collation;
    added->var = bind_new_var(binder, aggregate->function->name, NULL, aggregate->type);
    return added;
}

static struct status aggregate_allowed(
    struct binder *binder, const struct scope *scope, const struct expr *expr)
{
    if (scope->clause != NULL || scope->level == NULL) {
        const char *clause = scope->clause == NULL ? "this context" : scope->clause;
        if (strcmp(clause, "JOIN/ON") == 0) clause = "JOIN conditions";
        return bind_error(binder, expr->position, E_GROUPING_ERROR,
            "aggregate functions are not allowed in %s", clause);
    }
    if (scope->level->in_aggregate)
        return bind_error(binder, expr->position, E_GROUPING_ERROR,
            "aggregate function calls cannot be nested");
    return STATUS_OK;
}

static bool scope_has_one_of(const struct scope *scope, const struct var_set *vars)
{
    for (const struct range *range = scope->names.ranges; range != NULL; range = range->next)
        for (uint32_t i = 0; i < range->column_count; i++)
            if (range->columns[i].scalar->kind == SCALAR_VAR &&
                var_set_has(vars, range->columns[i].scalar->var))
                return true;
    return false;
}

// An aggregate belongs to the innermost SELECT that it takes a column from, be it around its own; without
// columns to its own.
static struct scope *aggregate_scope(
    const struct binder *binder, struct scope *scope, const struct rel_aggregate *aggregate)
{
    if (scope->parent == NULL) return scope;
    struct var_set vars = var_set_new(binder->arena, binder->var_count);
    for (uint32_t i = 0; i < aggregate->arg_count; i++)
        scalar_collect_vars(aggregate->args[i], &vars);
    for (uint32_t i = 0; i < aggregate->order_count; i++)
        scalar_collect_vars(aggregate->order[i].scalar, &vars);
    if (aggregate->filter != NULL) scalar_collect_vars(aggregate->filter, &vars);
    for (struct scope *s = scope; s != NULL && !var_set_empty(&vars); s = s->parent) {
        if (!scope_has_one_of(s, &vars)) continue;
        while (s->nested_from) s = s->parent;
        return s;
    }
    return scope;
}

static struct status bind_aggregate(struct binder *binder, struct scope *scope,
    const struct expr *expr, struct scalar **args, const struct function_match *match,
    struct scalar **out)
{
    struct status st = STATUS_OK;
    const struct function_expr *call = expr->function;
    if (scope->parent == NULL || scope->level == NULL)
        TRY(aggregate_allowed(binder, scope, expr));
    for (const struct range *range = scope->names.ranges; range != NULL; range = range->next)
        if (range->itself)
            return bind_error(binder, expr->position, E_INVALID_RECURSION,
                "aggregate functions are not allowed in a recursive query's recursive term");
    bool ordered = match->function->aggregate->ordered_set;
    uint32_t count = call->args.count + (call->within_group ? call->order_by.count : 0);
    if (ordered != call->within_group)
        return bind_error(binder, expr->position, E_WRONG_OBJECT_TYPE,
            ordered ? "WITHIN GROUP is required for ordered-set aggregate %s"
                    : "%s is not an ordered-set aggregate, so it cannot have WITHIN GROUP",
            call->name);
    struct rel_aggregate aggregate = {.function = match->function,
        .args = args,
        .arg_count = count,
        .direct_count = ordered ? call->args.count : 0,
        .distinct = call->distinct,
        .type = match->result};
    TRY(bind_coerce_args(binder, args, count, match));
    bool nested = scope->level->in_aggregate;
    scope->level->in_aggregate = true;
    st = bind_aggregate_order(binder, scope, call, &aggregate);
    if (!failed(st) && call->filter != NULL)
        st = bind_condition(binder, scope, call->filter, "FILTER", &aggregate.filter);
    scope->level->in_aggregate = nested;
    TRY(st);
    // It computes with the values that are sorted.
    for (uint32_t i = 0; ordered && i < aggregate.order_count; i++)
        aggregate.order[i].scalar = args[call->args.count + i];
    if (aggregate.distinct)
        for (uint32_t i = 0; i < aggregate.arg_count; i++)
            if (!type_is_ordered(args[i]->type.oid))
                return bind_error(binder, call->args.items[i]->position, E_UNDEFINED_FUNCTION,
                    "could not identify an equality operator for type %s",
                    bind_type_text(binder, args[i]->type));
    scope = aggregate_scope(binder, scope, &aggregate);
    TRY(aggregate_allowed(binder, scope, expr));
    struct rel_aggregate *added = bind_add_aggregate(binder, scope->level, &aggregate);
    *out = scalar_var(binder->arena, added->var, added->type, expr->position);
    bind_note_call(binder, expr, match->function, args, count);

out:
    return st;
}

// --- set-returning functions -------------------------------------------------------------------------

static void describe_set(struct binder *binder, const char *name,
    const struct function_match *match, struct rel_call *call)
{
    const struct set_ops *set = match->function->set;
    uint32_t count = set == NULL ? 1 : set->column_count;
    call->vars = ARENA_ARRAY(binder->arena, var_id, count);
    call->types = ARENA_ARRAY(binder->arena, struct type, count);
    call->var_count = count;
    for (uint32_t i = 0; i < count; i++) {
        struct type type = count == 1 ? match->result : TYPE_OF(set->column_types[i]);
        if (type.oid == TYPE_ANYELEMENT) type = TYPE_OF(type_info(match->args[0])->element);
        const char *column =
            set != NULL && set->column_names != NULL ? set->column_names[i] : name;
        call->types[i] = type;
        call->vars[i] = bind_new_var(binder, column, NULL, type);
    }
}

// What a call in a SELECT list stands for: its column, or all of them as a row.
static struct scalar *set_value(
    struct binder *binder, const struct set_ops *set, const struct rel_call *call, uint32_t position)
{
    if (call->var_count == 1)
        return scalar_var(binder->arena, call->vars[0], call->types[0], position);
    struct scalar *row = scalar_with_args(
        binder->arena, SCALAR_ROW, TYPE_OF(TYPE_RECORD), position, call->var_count);
    const char **names = ARENA_ARRAY(binder->arena, const char *, call->var_count);
    for (uint32_t i = 0; i < call->var_count; i++) {
        names[i] = set->column_names[i];
        row->args[i] = scalar_var(binder->arena, call->vars[i], call->types[i], position);
    }
    row->row.names = names;
    return row;
}

// Outside of FROM nothing says what columns a JSON object's record has.
static struct status check_row_type(
    struct binder *binder, const struct expr *expr, const struct function_match *match)
{
    if (!function_makes_json_records(match->function)) return STATUS_OK;
    return bind_error(binder, expr->position, E_FEATURE_NOT_SUPPORTED,
        "could not determine row type for result of %s", match->function->name);
}

static struct status bind_set(struct binder *binder, struct scope *scope, const struct expr *expr,
    struct scalar **args, const struct function_match *match, struct scalar **out)
{
    struct status st = STATUS_OK;
    struct select_level *level = scope->level;
    if (!scope->sets_allowed || level == NULL || level->in_aggregate)
        return bind_error(binder, expr->position, E_FEATURE_NOT_SUPPORTED,
            "set-returning functions are not allowed in %s",
            scope->clause == NULL ? "this context" : scope->clause);
    uint32_t count = expr->function->args.count;
    struct function_match chosen = *match;
    TRY(bind_coerce_args(binder, args, count, match));
    bind_note_call(binder, expr, match->function, args, count);
    TRY(bind_routine_args(binder, match, true, &args, &count));
    TRY(bind_json_record(binder, expr, NULL, &chosen, &args, &count));
    TRY(check_row_type(binder, expr, &chosen));
    if (level->set_count == level->set_capacity) {
        uint32_t capacity = level->set_capacity == 0 ? 2 : level->set_capacity * 2;
        level->sets = arena_grow(binder->arena, level->sets,
            level->set_capacity * sizeof(struct rel_call), capacity * sizeof(struct rel_call));
        level->set_capacity = capacity;
    }
    struct rel_call *call = &level->sets[level->set_count++];
    *call = (struct rel_call){.function = chosen.function, .args = args, .arg_count = count};
    describe_set(binder, expr->function->name, &chosen, call);
    *out = set_value(binder, chosen.function->set, call, expr->position);

out:
    return st;
}

struct status bind_from_call(struct binder *binder, struct scope *scope, const struct expr *expr,
    const struct record_fields *defined, struct rel_call *call)
{
    struct status st = STATUS_OK;
    struct scalar **args;
    struct type *types;
    struct function_match match;
    struct expr *full = NULL;
    if (expr->kind == EXPR_FUNCTION) TRY(name_args(binder, expr, &full));
    if (full != NULL) expr = full;
    uint32_t count = expr->kind == EXPR_FUNCTION ? expr->function->args.count : 0;
    if (expr->kind != EXPR_FUNCTION) { // CURRENT_DATE and its family, casts.
        call->args = ARENA_ARRAY(binder->arena, struct scalar *, 1);
        call->arg_count = 1;
        TRY(bind_expr(binder, scope, expr, &call->args[0]));
        return bind_unsupported(binder, expr->position, "an expression in FROM");
    }
    TRY(bind_args(binder, scope, expr->function, &args, &types));
    TRY(resolve(binder, expr, types, count, &match));
    if (match.function->kind == FUNCTION_AGGREGATE)
        return bind_error(binder, expr->position, E_GROUPING_ERROR,
            "aggregate functions are not allowed in functions in FROM");
    if (match.function->kind == FUNCTION_WINDOW)
        return bind_unsupported(binder, expr->position, "a window function");
    TRY(bind_coerce_args(binder, args, count, &match));
    bind_note_call(binder, expr, match.function, args, count);
    TRY(bind_routine_args(binder, &match, true, &args, &count));
    TRY(bind_json_record(binder, expr, defined, &match, &args, &count));
    *call = (struct rel_call){.function = match.function, .args = args, .arg_count = count};
    binder->has_volatile |= match.function->volatility == FUNCTION_VOLATILE || match.function->writes;
    describe_set(binder, expr->function->name, &match, call);

out:
    return st;
}

// --- calls -------------------------------------------------------------------------------------------

// int4('7'), text(x): a type's name as a function is a cast.
static struct status bind_type_call(struct binder *binder, const struct expr *expr,
    struct scalar **args, struct scalar **out, bool *done)
{
    struct status st = STATUS_OK;
    const struct function_expr *call = expr->function;
    *done = false;
    if (call->args.count != 1) return st;
    const struct type_info *info = type_by_name(call->name);
    if (info == NULL) return st;
    *out = args[0];
    TRY(bind_coerce(binder, out, TYPE_OF(info->oid), CAST_EXPLICIT, done));

out:
    return st;
}

static struct status refuse_scalar_extras(struct binder *binder, const struct expr *expr)
{
    const struct function_expr *call = expr->function;
    const char *what = call->distinct ? "DISTINCT"
        : call->order_by.count > 0    ? "ORDER BY"
        : call->filter != NULL        ? "FILTER"
        : call->star                  ? "(*)"
                                      : NULL;
    if (what == NULL) return STATUS_OK;
    return bind_error(binder, expr->position, E_WRONG_OBJECT_TYPE,
        "%s specified, but %s is not an aggregate function", what, call->name);
}

struct status bind_call_node(struct binder *binder, const struct function_match *match,
    struct scalar **args, uint32_t count, uint32_t position, struct scalar **out)
{
    struct status st;
    struct scalar *call =
        scalar_with_args(binder->arena, SCALAR_CALL, match->result, position, count);
    if (count > 0) memcpy(call->args, args, count * sizeof(struct scalar *));
    call->function = match->function;
    if (match->function->typmod != NULL) {
        struct type *types = ARENA_ARRAY(binder->arena, struct type, count);
        for (uint32_t i = 0; i < count; i++) types[i] = args[i]->type;
        call->type.typmod = match->function->typmod(types, count);
    }
    binder->has_volatile |= match->function->volatility == FUNCTION_VOLATILE || match->function->writes;
    TRY(bind_collation_call(binder, call));
    *out = bind_fold(binder, call);
    if (*out != call && (call->type.collation != 0 || call->collation_explicit)) {
        (*out)->type.collation = call->type.collation;
        (*out)->collation_explicit = call->collation_explicit;
    }
    (*out)->domain = bind_domain_result(match->function, args, count);

out:
    return st;
}

static struct status bind_scalar_call(struct binder *binder, const struct expr *expr,
    struct scalar **args, const struct function_match *match, struct scalar **out)
{
    struct status st = STATUS_OK;
    uint32_t count = expr->function->args.count;
    struct function_match chosen = *match;
    TRY(refuse_scalar_extras(binder, expr));
    TRY(bind_coerce_args(binder, args, count, match));
    TRY(bind_routine_args(binder, match, true, &args, &count));
    TRY(bind_json_record(binder, expr, NULL, &chosen, &args, &count));
    TRY(check_row_type(binder, expr, &chosen));
    TRY(bind_call_node(binder, &chosen, args, count, expr->position, out));

out:
    return st;
}

// Aggregates see their arguments with nesting forbidden, which is known only after resolution; so
// arguments are bound with it forbidden for names that can only be aggregates.
static bool may_be_aggregate(const struct function_expr *call)
{
    const struct function *function = NULL;
    bool any = false;
    while ((function = function_next_named(call->name, function)) != NULL) {
        if (function->kind == FUNCTION_OPERATOR || function->kind == FUNCTION_WINDOW) continue;
        if (function->kind != FUNCTION_AGGREGATE) return false;
        any = true;
    }
    return any;
}

static struct status bind_one_arg(
    struct binder *binder, struct scalar *arg, struct scalar ***args, struct type **types)
{
    *args = ARENA_ARRAY(binder->arena, struct scalar *, 1);
    *types = ARENA_ARRAY(binder->arena, struct type, 1);
    (*args)[0] = arg;
    (*types)[0] = arg->type;
    return STATUS_OK;
}

// `arg` NULL: the arguments are bound here.
static struct status bind_any_function(
    struct binder *binder, struct scope *scope, const struct expr *expr, struct scalar *arg, struct scalar **out)
{
    struct status st = STATUS_OK;
    const struct function_expr *call = expr->function;
    struct scalar **args;
    struct type *types;
    struct function_match match;
    struct expr *full;
    *out = NULL;
    TRY(name_args(binder, expr, &full));
    if (full != NULL) return bind_function(binder, scope, full, out);
    bool aggregate = scope->level != NULL && !scope->level->in_aggregate && call->over == NULL &&
                     (call->within_group || may_be_aggregate(call));
    bool sets_allowed = scope->sets_allowed;
    uint32_t count = call->args.count;
    if (call->within_group && call->over == NULL &&
        (scope->parent == NULL || scope->level == NULL || bind_is_hypothetical(call)))
        TRY(aggregate_allowed(binder, scope, expr));
    if (call->over != NULL) {
        TRY(bind_window_allowed(binder, scope, expr));
        scope->level->no_windows = bind_window_nested();
        scope->sets_allowed = false;
    }
    if (aggregate) scope->level->in_aggregate = true;
    st = arg != NULL ? bind_one_arg(binder, arg, &args, &types) : bind_args(binder, scope, call, &args, &types);
    if (!failed(st) && call->within_group && !bind_is_hypothetical(call))
        st = bind_ordered_args(binder, scope, call, &args, &types, &count);
    if (aggregate) scope->level->in_aggregate = false;
    if (call->over != NULL) {
        scope->level->no_windows = NULL;
        scope->sets_allowed = sets_allowed;
    }
    TRY(st);
    if (bind_is_hypothetical(call)) {
        if (call->over != NULL)
            return bind_error(binder, expr->position, E_FEATURE_NOT_SUPPORTED,
                "OVER is not supported for ordered-set aggregate %s", call->name);
        return bind_hypothetical(binder, scope, expr, args, out);
    }
    if (call->variadic) return bind_variadic(binder, expr, args, types, count, out);
    st = resolve(binder, expr, types, count, &match);
    if (failed(st) && arg != NULL) // Told as a column that is not there.
        return status_is(st, E_UNDEFINED_FUNCTION) || status_is(st, E_AMBIGUOUS_FUNCTION) ? STATUS_OK : st;
    if (status_is(st, E_UNDEFINED_FUNCTION) && count == 1) {
        struct status undefined = st;
        TRY(bind_call_as_field(binder, scope, expr, args[0], out));
        if (*out != NULL) return st;
        st = undefined;
    }
    if (failed(st)) {
        bool done = false;
        struct status cast_status = bind_type_call(binder, expr, args, out, &done);
        if (done ? status_is(st, E_UNDEFINED_FUNCTION) || status_is(st, E_AMBIGUOUS_FUNCTION)
                 : status_is(st, E_UNDEFINED_FUNCTION) && failed(cast_status))
            st = cast_status;
        goto out;
    }
    if (call->over != NULL)
        return bind_window_call(binder, scope, expr, args, &match, out);
    switch (match.function->kind) {
    case FUNCTION_AGGREGATE: st = bind_aggregate(binder, scope, expr, args, &match, out); break;
    case FUNCTION_SET: st = bind_set(binder, scope, expr, args, &match, out); break;
    case FUNCTION_WINDOW:
        st = bind_error(binder, expr->position, E_WRONG_OBJECT_TYPE,
            "window function %s requires an OVER clause", call->name);
        break;
    default: st = bind_scalar_call(binder, expr, args, &match, out); break;
    }

out:
    return st;
}

struct status bind_function(
    struct binder *binder, struct scope *scope, const struct expr *expr, struct scalar **out)
{
    return bind_any_function(binder, scope, expr, NULL, out);
}

struct status bind_function_of(
    struct binder *binder, struct scope *scope, const struct expr *expr, struct scalar *arg, struct scalar **out)
{
    return bind_any_function(binder, scope, expr, arg, out);
}
