// SPDX-License-Identifier: GPL-3.0-or-later
//
// Window functions: OVER, the WINDOW clause, frames.
#include "core/invariant.h"
#include "sql/bind/bind.h"

static const char nested[] = "window function calls cannot be nested";
static const char in_definition[] = "window functions are not allowed in window definitions";

// --- the WINDOW clause -------------------------------------------------------------------------------

static const struct window *find_name(const struct select_level *level, const char *name)
{
    for (uint32_t i = 0; i < level->window_name_count; i++)
        if (strcmp(level->window_names[i].name, name) == 0) return &level->window_names[i];
    return NULL;
}

static struct status no_such_window(struct binder *binder, const char *name, uint32_t position)
{
    return bind_error(binder, position, E_UNDEFINED_OBJECT, "window \"%s\" does not exist", name);
}

// What `window` means once it has taken over what it does not say from the one it is based on.
static struct status complete(struct binder *binder, const struct select_level *level,
    const struct window *window, struct window *out)
{
    *out = *window;
    if (window->reference == NULL) return STATUS_OK;
    const struct window *base = find_name(level, window->reference);
    if (base == NULL) return no_such_window(binder, window->reference, window->position);
    if (window->partition_by.count > 0)
        return bind_error(binder, window->position, E_WINDOWING_ERROR,
            "cannot override PARTITION BY clause of window \"%s\"", window->reference);
    if (window->order_by.count > 0 && base->order_by.count > 0)
        return bind_error(binder, window->position, E_WINDOWING_ERROR,
            "cannot override ORDER BY clause of window \"%s\"", window->reference);
    if (base->mode != FRAME_NONE) {
        struct status st = bind_error(binder, window->position, E_WINDOWING_ERROR,
            "cannot copy window \"%s\" because it has a frame clause", window->reference);
        bool bare = window->name == NULL && window->order_by.count == 0 && window->mode == FRAME_NONE;
        return bare ? status_hint(
                          binder->arena, st, "Omit the parentheses in this OVER clause.")
                    : st;
    }
    out->partition_by = base->partition_by;
    if (window->order_by.count == 0) out->order_by = base->order_by;
    return STATUS_OK;
}

struct status bind_window_names(struct binder *binder, struct select_level *level)
{
    struct status st = STATUS_OK;
    const struct select *select = level->select;
    if (select->window_count == 0) return st;
    level->window_names = ARENA_ARRAY(binder->arena, struct window, select->window_count);
    for (uint32_t i = 0; i < select->window_count; i++) {
        const struct window *window = &select->windows[i];
        if (find_name(level, window->name) != NULL)
            return bind_error(binder, window->position, E_WINDOWING_ERROR,
                "window \"%s\" is already defined", window->name);
        TRY(complete(binder, level, window, &level->window_names[i]));
        level->window_name_count++;
    }

out:
    return st;
}

struct status bind_window_allowed(
    struct binder *binder, const struct scope *scope, const struct expr *expr)
{
    if (scope->level != NULL && scope->level->in_aggregate)
        return bind_error(binder, expr->position, E_GROUPING_ERROR,
            "aggregate function calls cannot contain window function calls");
    const char *clause = scope->clause;
    if (clause != NULL && strcmp(clause, "JOIN/ON") == 0) clause = "JOIN conditions";
    if (clause == NULL && scope->level == NULL) clause = "this context";
    if (clause == NULL) clause = scope->level->no_windows;
    if (clause == nested || clause == in_definition)
        return bind_error(binder, expr->position, E_WINDOWING_ERROR, "%s", clause);
    if (clause != NULL)
        return bind_error(binder, expr->position, E_WINDOWING_ERROR,
            "window functions are not allowed in %s", clause);
    return STATUS_OK;
}

const char *bind_window_nested(void)
{
    return nested;
}

// --- frames ------------------------------------------------------------------------------------------

static struct status bind_offset(struct binder *binder, const struct expr *expr, const char *mode,
    struct scalar **out)
{
    struct scope scope = {.clause = mode};
    struct status st = bind_expr(binder, &scope, expr, out);
    if (status_is(st, E_UNDEFINED_COLUMN))
        return bind_error(binder, expr->position, E_INVALID_COLUMN_REFERENCE,
            "argument of %s must not contain variables", mode);
    return st;
}

// ROWS and GROUPS count in bigint.
static struct status bind_count_offset(struct binder *binder, const struct expr *expr,
    const char *mode, struct scalar **out)
{
    struct status st = STATUS_OK;
    bool done;
    *out = NULL;
    if (expr == NULL) return st;
    TRY(bind_offset(binder, expr, mode, out));
    struct type type = (*out)->type;
    TRY(bind_coerce(binder, out, TYPE_OF(TYPE_INT8), CAST_IMPLICIT, &done));
    if (!done)
        return bind_error(binder, expr->position, E_DATATYPE_MISMATCH,
            "argument of %s must be type bigint, not type %s", mode,
            bind_type_text(binder, type));

out:
    return st;
}

// The types that RANGE with an offset computes in: of the key and of the offset; 0: it cannot.
struct range_types {
    type_oid key, offset, declared;
};

static struct range_types range_types_of(type_oid key, type_oid offset)
{
    switch (key) {
    case TYPE_INT2:
    case TYPE_INT4:
    case TYPE_INT8: {
        bool small = key != TYPE_INT8 && (offset == TYPE_INT2 || offset == TYPE_INT4 ||
                                             offset == TYPE_UNKNOWN);
        type_oid type = small ? TYPE_INT8 : TYPE_NUMERIC;
        return (struct range_types){type, type, TYPE_INT8};
    }
    case TYPE_FLOAT4:
    case TYPE_FLOAT8: return (struct range_types){TYPE_FLOAT8, TYPE_FLOAT8, TYPE_FLOAT8};
    case TYPE_NUMERIC: return (struct range_types){TYPE_NUMERIC, TYPE_NUMERIC, TYPE_NUMERIC};
    case TYPE_DATE:
    case TYPE_TIMESTAMP:
        return (struct range_types){TYPE_TIMESTAMP, TYPE_INTERVAL, TYPE_INTERVAL};
    case TYPE_TIMESTAMPTZ:
        return (struct range_types){TYPE_TIMESTAMPTZ, TYPE_INTERVAL, TYPE_INTERVAL};
    case TYPE_TIME:
    case TYPE_INTERVAL:
        return (struct range_types){TYPE_INTERVAL, TYPE_INTERVAL, TYPE_INTERVAL};
    default: return (struct range_types){0};
    }
}

// Of one side of a frame: the key and the value that it is compared with, key - offset or key + offset.
static struct status bind_range_offset(struct binder *binder, const struct rel_order *order,
    const struct expr *expr, bool preceding, struct scalar **key, struct scalar **value,
    struct scalar **negative)
{
    struct status st = STATUS_OK;
    struct scalar *offset, *check;
    bool done;
    type_oid key_type = order->scalar->type.oid;
    TRY(bind_offset(binder, expr, "RANGE", &offset));
    struct range_types types = range_types_of(key_type, offset->type.oid);
    if (types.key == 0)
        return bind_error(binder, expr->position, E_FEATURE_NOT_SUPPORTED,
            "RANGE with offset PRECEDING/FOLLOWING is not supported for column type %s",
            bind_type_text(binder, order->scalar->type));
    struct type given = offset->type;
    TRY(bind_coerce(binder, &offset, TYPE_OF(types.declared), CAST_IMPLICIT, &done));
    if (!done)
        return status_hint(binder->arena,
            bind_error(binder, expr->position, E_FEATURE_NOT_SUPPORTED,
                "RANGE with offset PRECEDING/FOLLOWING is not supported for column type %s and "
                "offset type %s",
                bind_type_text(binder, order->scalar->type), bind_type_text(binder, given)),
            "Cast the offset value to an appropriate type.");
    struct type text = TYPE_OF(TYPE_UNKNOWN);
    check = scalar_const(
        binder->arena, text, datum_bytes(bytes_of("0", 1)), expr->position);
    TRY(bind_operator(binder, "<", offset, check, expr->position, negative));
    TRY(bind_coerce(binder, &offset, TYPE_OF(types.offset), CAST_EXPLICIT, NULL));
    *key = ARENA_NEW(binder->arena, struct scalar);
    **key = *order->scalar;
    TRY(bind_coerce(binder, key, TYPE_OF(types.key), CAST_EXPLICIT, NULL));
    bool minus = preceding != order->descending;
    TRY(bind_operator(binder, minus ? "-" : "+", *key, offset, expr->position, value));

out:
    return st;
}

static struct status bind_range_frame(struct binder *binder, const struct window *window,
    const struct rel_order *orders, uint32_t order_count, struct rel_frame *frame)
{
    struct status st = STATUS_OK;
    if (window->start_offset == NULL && window->end_offset == NULL) return st;
    if (order_count != 1)
        return bind_error(binder, window->position, E_WINDOWING_ERROR,
            "RANGE with offset PRECEDING/FOLLOWING requires exactly one ORDER BY column");
    if (window->start_offset != NULL)
        TRY(bind_range_offset(binder, orders, window->start_offset,
            window->start == FRAME_OFFSET_PRECEDING, &frame->start_key, &frame->start_value,
            &frame->start_negative));
    if (window->end_offset != NULL)
        TRY(bind_range_offset(binder, orders, window->end_offset,
            window->end == FRAME_OFFSET_PRECEDING, &frame->end_key, &frame->end_value,
            &frame->end_negative));

out:
    return st;
}

static struct status bind_frame(struct binder *binder, const struct window *window,
    const struct rel_order *orders, uint32_t order_count, struct rel_frame *frame)
{
    struct status st = STATUS_OK;
    *frame = (struct rel_frame){.mode = window->mode,
        .start = window->start,
        .end = window->end,
        .exclusion = window->exclusion};
    if (window->mode == FRAME_NONE) {
        frame->mode = FRAME_RANGE;
        frame->start = FRAME_UNBOUNDED_PRECEDING;
        frame->end = FRAME_CURRENT_ROW;
        return st;
    }
    if (window->mode == FRAME_RANGE)
        return bind_range_frame(binder, window, orders, order_count, frame);
    const char *mode = window->mode == FRAME_ROWS ? "ROWS" : "GROUPS";
    if (window->mode == FRAME_GROUPS && order_count == 0)
        return bind_error(binder, window->position, E_WINDOWING_ERROR,
            "GROUPS mode requires an ORDER BY clause");
    TRY(bind_count_offset(binder, window->start_offset, mode, &frame->start_offset));
    TRY(bind_count_offset(binder, window->end_offset, mode, &frame->end_offset));

out:
    return st;
}

// --- windows -----------------------------------------------------------------------------------------

static struct status bind_keys(struct binder *binder, struct scope *scope,
    const struct window *window, struct rel_window *out)
{
    struct status st = STATUS_OK;
    uint32_t count = window->partition_by.count + window->order_by.count;
    *out = (struct rel_window){.partition_count = window->partition_by.count};
    out->keys = ARENA_ARRAY(binder->arena, struct rel_order, count);
    for (uint32_t i = 0; i < window->partition_by.count; i++) {
        struct rel_order *key = &out->keys[out->key_count++];
        const struct expr *expr = window->partition_by.items[i];
        TRY(bind_expr(binder, scope, expr, &key->scalar));
        TRY(bind_resolve_unknown(binder, &key->scalar));
        if (!type_is_ordered(key->scalar->type.oid))
            return bind_error(binder, expr->position, E_UNDEFINED_FUNCTION,
                "could not identify an equality operator for type %s",
                bind_type_text(binder, key->scalar->type));
    }
    for (uint32_t i = 0; i < window->order_by.count; i++) {
        struct rel_order *key = &out->keys[out->key_count++];
        TRY(bind_expr(binder, scope, window->order_by.items[i].expr, &key->scalar));
        TRY(bind_resolve_unknown(binder, &key->scalar));
        TRY(bind_order_flags(binder, &window->order_by.items[i], key));
    }

out:
    return st;
}

static bool same_keys(const struct rel_window *a, const struct rel_window *b)
{
    if (a->key_count != b->key_count || a->partition_count != b->partition_count) return false;
    for (uint32_t i = 0; i < a->key_count; i++)
        if (a->keys[i].descending != b->keys[i].descending ||
            a->keys[i].nulls_first != b->keys[i].nulls_first ||
            !bind_equal(a->keys[i].scalar, b->keys[i].scalar))
            return false;
    return true;
}

static struct rel_window *find_or_add(
    struct binder *binder, struct select_level *level, const struct rel_window *window)
{
    for (uint32_t i = 0; i < level->window_count; i++)
        if (same_keys(&level->windows[i], window)) return &level->windows[i];
    if (level->window_count == level->window_capacity) {
        uint32_t capacity = level->window_capacity == 0 ? 2 : level->window_capacity * 2;
        level->windows = arena_grow(binder->arena, level->windows,
            level->window_capacity * sizeof *window, capacity * sizeof *window);
        level->window_capacity = capacity;
    }
    level->windows[level->window_count] = *window;
    return &level->windows[level->window_count++];
}

static struct status bind_definition(struct binder *binder, struct scope *scope,
    const struct window *window, struct rel_window *keys, struct rel_frame *frame)
{
    struct status st = STATUS_OK;
    scope->level->no_windows = in_definition;
    TRY(bind_keys(binder, scope, window, keys));
    TRY(bind_frame(binder, window, keys->keys + keys->partition_count,
        keys->key_count - keys->partition_count, frame));
    scope->level->no_windows = NULL;

out:
    return st;
}

struct status bind_windows(struct binder *binder, struct scope *scope)
{
    struct status st = STATUS_OK;
    const struct select_level *level = scope->level;
    for (uint32_t i = 0; i < level->window_name_count; i++) {
        struct rel_window keys;
        struct rel_frame frame;
        TRY(bind_definition(binder, scope, &level->window_names[i], &keys, &frame));
    }

out:
    return st;
}

// --- calls -------------------------------------------------------------------------------------------

static bool same_scalar(const struct scalar *a, const struct scalar *b)
{
    if (a == NULL || b == NULL) return a == b;
    return bind_equal(a, b);
}

static bool same_call(const struct rel_window_call *a, const struct rel_window_call *b)
{
    const struct rel_frame *f = &a->frame, *g = &b->frame;
    if (a->function != b->function || a->arg_count != b->arg_count || f->mode != g->mode ||
        f->start != g->start || f->end != g->end || f->exclusion != g->exclusion ||
        !same_scalar(a->filter, b->filter) || !same_scalar(f->start_offset, g->start_offset) ||
        !same_scalar(f->end_offset, g->end_offset) ||
        !same_scalar(f->start_value, g->start_value) || !same_scalar(f->end_value, g->end_value))
        return false;
    for (uint32_t i = 0; i < a->arg_count; i++)
        if (!bind_equal(a->args[i], b->args[i])) return false;
    return true;
}

static var_id add_call(
    struct binder *binder, struct rel_window *window, const struct rel_window_call *call)
{
    for (uint32_t i = 0; i < window->call_count; i++)
        if (same_call(&window->calls[i], call)) return window->calls[i].var;
    window->calls = arena_grow(binder->arena, window->calls, window->call_count * sizeof *call,
        (window->call_count + 1) * sizeof *call);
    struct rel_window_call *added = &window->calls[window->call_count++];
    *added = *call;
    added->var = bind_new_var(binder, call->function->name, NULL, call->type);
    return added->var;
}

static struct status check_call(
    struct binder *binder, const struct expr *expr, const struct function_match *match)
{
    const struct function_expr *call = expr->function;
    bool aggregate = match->function->kind == FUNCTION_AGGREGATE;
    if (!aggregate && match->function->kind != FUNCTION_WINDOW)
        return bind_error(binder, expr->position, E_WRONG_OBJECT_TYPE,
            "OVER specified, but %s is not a window function nor an aggregate function",
            call->name);
    if (call->distinct)
        return bind_error(binder, expr->position, E_FEATURE_NOT_SUPPORTED,
            "DISTINCT is not implemented for window functions");
    if (call->within_group || (aggregate && match->function->aggregate->ordered_set))
        return bind_error(binder, expr->position,
            aggregate ? E_FEATURE_NOT_SUPPORTED : E_WRONG_OBJECT_TYPE,
            aggregate ? "OVER is not supported for ordered-set aggregate %s"
                      : "window function %s cannot have WITHIN GROUP",
            call->name);
    if (call->order_by.count > 0)
        return bind_error(binder, expr->position, E_FEATURE_NOT_SUPPORTED,
            "aggregate ORDER BY is not implemented for window functions");
    if (call->filter != NULL && !aggregate)
        return bind_error(binder, expr->position, E_FEATURE_NOT_SUPPORTED,
            "FILTER is not implemented for non-aggregate window functions");
    return STATUS_OK;
}

struct status bind_window_call(struct binder *binder, struct scope *scope, const struct expr *expr,
    struct scalar **args, const struct function_match *match, struct scalar **out)
{
    struct status st = STATUS_OK;
    const struct function_expr *written = expr->function;
    struct select_level *level = scope->level;
    struct rel_window keys;
    struct window window;
    TRY(check_call(binder, expr, match));
    struct rel_window_call call = {.function = match->function,
        .args = args,
        .arg_count = written->args.count,
        .type = match->result};
    TRY(bind_coerce_args(binder, args, call.arg_count, match));
    bind_note_call(binder, expr, match->function, args, call.arg_count);
    if (written->filter != NULL) {
        level->no_windows = "FILTER";
        TRY(bind_expr(binder, scope, written->filter, &call.filter));
        TRY(bind_coerce_bool(binder, &call.filter, "FILTER"));
        level->no_windows = NULL;
    }
    if (written->over->name != NULL) {
        const struct window *named = find_name(level, written->over->name);
        if (named == NULL)
            return no_such_window(binder, written->over->name, written->over->position);
        window = *named;
    } else {
        TRY(complete(binder, level, written->over, &window));
    }
    TRY(bind_definition(binder, scope, &window, &keys, &call.frame));
    var_id var = add_call(binder, find_or_add(binder, level, &keys), &call);
    *out = scalar_var(binder->arena, var, call.type, expr->position);

out:
    return st;
}

// --- the operators -----------------------------------------------------------------------------------

// Those of more keys first: the order that they need often serves the others too.
static void sort_windows(struct select_level *level)
{
    for (uint32_t i = 1; i < level->window_count; i++) {
        struct rel_window window = level->windows[i];
        uint32_t at = i;
        for (; at > 0 && level->windows[at - 1].key_count < window.key_count; at--)
            level->windows[at] = level->windows[at - 1];
        level->windows[at] = window;
    }
}

void bind_window_build(struct binder *binder, struct select_level *level, struct rel **rel)
{
    sort_windows(level);
    for (uint32_t i = 0; i < level->window_count; i++) {
        struct rel_window *window = &level->windows[i];
        if (window->call_count == 0) continue;
        struct rel *project = rel_new(binder->arena, REL_PROJECT);
        project->left = *rel;
        for (uint32_t k = 0; k < window->key_count; k++) {
            struct rel_order *key = &window->keys[k];
            var_id var = bind_project_var(binder, project, "window", key->scalar);
            key->scalar = bind_var(binder, var, POSITION_NONE);
        }
        if (project->project.count > 0) *rel = project;
        bind_add_sort(binder, window->keys, window->key_count, rel);
        struct rel *node = rel_new(binder->arena, REL_WINDOW);
        node->left = *rel;
        node->window = *window;
        *rel = node;
    }
}
