// SPDX-License-Identifier: GPL-3.0-or-later
//
// Bound expressions as PostgreSQL writes them in its catalogs: literals with their types, casts that nobody wrote
// where an operator or a function asked for them, operators in parentheses.
//
// Source   The output of PostgreSQL 15's pg_get_expr and pg_get_constraintdef.
#include "core/task.h"
#include "sql/bind.h"
#include "sql/catalog_text.h"
#include "sql/deparse.h"
#include "sql/parse.h"
#include "sql/plan.h"

struct text_run {
    struct binder binder;
    struct buffer out;
    const struct table_desc *table;
    struct scope scope;
    struct type assigned; // What it is assigned to; oid 0: nothing.
    const char *sql;
    bool pretty;
    unsigned indent; // Columns of CASE's lines.
    struct status status;
};

static void put_text(struct text_run *run, const struct scalar *scalar, bool show_casts);

// --- types and constants -----------------------------------------------------------------------------------

static void put_type(struct text_run *run, struct type type)
{
    struct buffer *out = &run->out;
    if (type.oid == TYPE_BPCHAR && type.typmod == -1) {
        buffer_append_string(out, "bpchar");
    } else if (type.oid == TYPE_BIT && type.typmod == -1) {
        buffer_append_string(out, "\"bit\"");
    } else if (type_is_user(type.oid) && run->binder.names != NULL) {
        const struct bind_type *found =
            bind_names_type_by_id(run->binder.names, type_user_id(type.oid));
        if (found == NULL) return;
        const struct bind_type *visible = bind_names_type(
            run->binder.names, run->binder.session, NULL, found->type->name);
        if (visible != found) {
            deparse_identifier(out, found->schema);
            buffer_append_u8(out, '.');
        }
        deparse_identifier(out, found->type->name);
        if (type_is_array(type.oid)) buffer_append_string(out, "[]");
    } else {
        buffer_append_string(out, type_format(out->arena, type));
    }
}

// `type_shown` false: a cast around it tells the type.
static void put_const(struct text_run *run, const struct scalar *scalar, bool type_shown)
{
    struct buffer *out = &run->out, value;
    type_oid oid = scalar->type.oid;
    bool label = oid != TYPE_BOOL && oid != TYPE_UNKNOWN;
    if (scalar->value.null) {
        buffer_append_string(out, "NULL");
    } else {
        buffer_init(&value, out->arena);
        type_output(&value, run->binder.types, oid, scalar->value);
        struct bytes text = buffer_bytes(&value);
        const char *digits = buffer_string(&value);
        bool plain = text.size > 0 && text.data[0] >= '0' && text.data[0] <= '9';
        if (oid == TYPE_BOOL) {
            buffer_append_string(out, scalar->value.boolean ? "true" : "false");
        } else if ((oid == TYPE_INT4 && plain) ||
                   (oid == TYPE_NUMERIC && plain && strpbrk(digits, "eE.") != NULL)) {
            buffer_append_bytes(out, text);
            label = oid == TYPE_NUMERIC && scalar->type.typmod >= 0;
        } else {
            deparse_string(out, text);
        }
    }
    if (!label || !type_shown) return;
    buffer_append_string(out, "::");
    put_type(run, scalar->type);
}

// --- casts ---------------------------------------------------------------------------------------------------

static bool is_moment(type_oid oid)
{
    return oid == TYPE_TIMESTAMPTZ || oid == TYPE_TIMETZ || oid == TYPE_TIMESTAMP ||
           oid == TYPE_DATE || oid == TYPE_TIME;
}

// A literal that is read when the expression runs ('now', a name) stays the text it is.
static bool is_unread_literal(const struct scalar *scalar)
{
    return scalar->kind == SCALAR_CAST && scalar->args[0]->kind == SCALAR_CONST &&
           scalar->args[0]->type.oid == TYPE_TEXT && scalar->unread;
}

static bool is_simple(const struct scalar *scalar)
{
    switch (scalar->kind) {
    case SCALAR_CONST:
    case SCALAR_PARAM:
    case SCALAR_VAR:
    case SCALAR_COALESCE:
    case SCALAR_EXTREME:
    case SCALAR_NULLIF:
    case SCALAR_ARRAY:
    case SCALAR_SUBSCRIPT:
    case SCALAR_CASE:
    case SCALAR_SQL_VALUE: return true;
    case SCALAR_CALL: return scalar->function->kind != FUNCTION_OPERATOR;
    case SCALAR_CAST:
    case SCALAR_TYPMOD: return true;
    default: return false;
    }
}

static void open(struct text_run *run, bool wanted)
{
    if (wanted) buffer_append_u8(&run->out, '(');
}
static void close(struct text_run *run, bool wanted)
{
    if (wanted) buffer_append_u8(&run->out, ')');
}

// An operand: in the pretty form only what would be read otherwise is in parentheses.
static void put_operand(struct text_run *run, const struct scalar *scalar, bool show_casts)
{
    bool wanted = run->pretty && !is_simple(scalar);
    open(run, wanted);
    put_text(run, scalar, show_casts);
    close(run, wanted);
}

static void put_as(struct text_run *run, const struct scalar *arg, struct type type)
{
    if (arg->kind == SCALAR_CONST && arg->type.oid == type.oid && arg->type.typmod == -1) {
        put_const(run, arg, false);
    } else {
        bool wanted = !run->pretty || !is_simple(arg);
        open(run, wanted);
        put_text(run, arg, false);
        close(run, wanted);
    }
    buffer_append_string(&run->out, "::");
    put_type(run, type);
}

static void put_cast(struct text_run *run, const struct scalar *scalar, bool show_casts)
{
    const struct scalar *arg = scalar->args[0];
    struct datum value;
    if (is_unread_literal(scalar) && is_moment(scalar->type.oid)) {
        struct status st = type_input(run->binder.arena, run->binder.types, TYPE_OF(scalar->type.oid),
            datum_as_bytes(arg->value), &value);
        if (failed(st))
            run->status = st;
        else
            put_const(run, scalar_const(run->binder.arena, scalar->type, value, 0), true);
    } else if (is_unread_literal(scalar)) {
        deparse_string(&run->out, datum_as_bytes(arg->value));
        buffer_append_string(&run->out, "::");
        put_type(run, scalar->type);
    } else if (!scalar->cast.is_explicit && !show_casts) {
        put_operand(run, arg, false);
    } else {
        // A length on top of a cast to the same type is one cast.
        if (scalar->kind == SCALAR_TYPMOD && arg->kind == SCALAR_CAST &&
            arg->type.oid == scalar->type.oid && arg->cast.is_explicit && !is_unread_literal(arg))
            arg = arg->args[0];
        put_as(run, arg, scalar->type);
    }
}

// --- names ---------------------------------------------------------------------------------------------------

static const struct column_desc *column_of(const struct text_run *run, const struct scalar *var)
{
    if (run->table == NULL || run->scope.names.ranges == NULL) return NULL;
    var_id base = run->scope.names.ranges->base;
    if (var->var < base || var->var >= base + run->table->column_count) return NULL;
    return &run->table->columns[var->var - base];
}

static void put_collate(struct text_run *run, const struct scalar *scalar)
{
    struct scalar *plain = ARENA_NEW(run->out.arena, struct scalar);
    *plain = *scalar;
    plain->collate = NULL;
    open(run, !run->pretty);
    put_operand(run, plain, true);
    buffer_append_string(&run->out, " COLLATE ");
    buffer_append_string(&run->out, scalar->collate);
    close(run, !run->pretty);
}

static void put_var(struct text_run *run, const struct scalar *scalar, bool show_casts)
{
    const struct column_desc *column = column_of(run, scalar);
    bool as_base = column != NULL && column->domain != 0 && show_casts;
    open(run, as_base && !run->pretty);
    if (run->table != NULL && run->table->kind == RELATION_DOMAIN)
        buffer_append_string(&run->out, "VALUE");
    else
        deparse_identifier(&run->out,
            column != NULL ? column->name : run->binder.vars[scalar->var].name);
    close(run, as_base && !run->pretty);
    if (!as_base) return;
    buffer_append_string(&run->out, "::");
    put_type(run, TYPE_OF(scalar->type.oid));
}

static void put_args(struct text_run *run, const struct scalar *scalar, uint32_t from, bool show_casts)
{
    for (uint32_t i = from; i < scalar->arg_count; i++) {
        if (i > from) buffer_append_string(&run->out, ", ");
        put_text(run, scalar->args[i], show_casts);
    }
}

static void put_list(struct text_run *run, const char *before, const struct scalar *scalar,
    uint32_t from, const char *after)
{
    buffer_append_string(&run->out, before);
    put_args(run, scalar, from, true);
    buffer_append_string(&run->out, after);
}

// --- operators and calls ---------------------------------------------------------------------------------------

static void put_operator(struct text_run *run, const struct scalar *scalar)
{
    struct buffer *out = &run->out;
    open(run, !run->pretty);
    if (scalar->arg_count == 2) {
        put_operand(run, scalar->args[0], true);
        buffer_printf(out, " %s ", scalar->function->name);
        put_operand(run, scalar->args[1], true);
    } else {
        buffer_printf(out, "%s ", scalar->function->name);
        put_operand(run, scalar->args[0], true);
    }
    close(run, !run->pretty);
}

static void put_call(struct text_run *run, const struct scalar *scalar)
{
    const struct function *function = scalar->function;
    struct buffer *out = &run->out;
    if (function->kind == FUNCTION_OPERATOR) {
        put_operator(run, scalar);
    } else if (strcmp(function->name, "array_stack") == 0) {
        put_list(run, "ARRAY[", scalar, 0, "]");
    } else if (strcmp(function->name, "row") == 0 && scalar->arg_count > 1) {
        put_list(run, "ROW(", scalar, 1, ")");
    } else if (strcmp(function->name, "domain_check") == 0) {
        while (scalar->kind == SCALAR_CALL && scalar->function == function) {
            const struct scalar *inner = scalar->args[0];
            if (inner->kind != SCALAR_CALL || inner->function != function) break;
            scalar = inner;
        }
        open(run, true);
        put_text(run, scalar->args[0], false);
        close(run, true);
        buffer_append_string(out, "::");
        deparse_identifier(out, arena_string(out->arena, datum_as_bytes(scalar->args[2]->value)));
    } else if (strcmp(function->name, "extract") == 0 && scalar->arg_count == 2 &&
               scalar->args[0]->kind == SCALAR_CONST && !scalar->args[0]->value.null) {
        struct bytes field = datum_as_bytes(scalar->args[0]->value);
        buffer_printf(out, "EXTRACT(%.*s FROM ", (int)field.size, (const char *)field.data);
        put_text(run, scalar->args[1], true);
        buffer_append_u8(out, ')');
    } else {
        if (function->schema != NULL && strcmp(function->schema, "pg_catalog") != 0 &&
            strcmp(function->schema, "public") != 0)
            buffer_printf(out, "%s.", function->schema);
        deparse_identifier(out, function->name);
        put_list(run, "(", scalar, 0, ")");
    }
}

static void put_logic(struct text_run *run, const struct scalar *scalar, const char *word)
{
    open(run, !run->pretty);
    for (uint32_t i = 0; i < scalar->arg_count; i++) {
        const struct scalar *arg = scalar->args[i];
        bool array = (arg->kind == SCALAR_IN && arg->arg_count > 2) || arg->kind == SCALAR_ANY_ARRAY;
        bool wanted = run->pretty &&
                      (array || (scalar->kind == SCALAR_AND && arg->kind == SCALAR_OR));
        if (i > 0) buffer_append_string(&run->out, word);
        open(run, wanted);
        put_text(run, arg, false);
        close(run, wanted);
    }
    close(run, !run->pretty);
}

static void put_is(struct text_run *run, const struct scalar *scalar)
{
    static const char *const tests[] = {[IS_NULL] = " IS NULL", [IS_NOT_NULL] = " IS NOT NULL",
        [IS_TRUE] = " IS TRUE", [IS_NOT_TRUE] = " IS NOT TRUE", [IS_FALSE] = " IS FALSE",
        [IS_NOT_FALSE] = " IS NOT FALSE", [IS_UNKNOWN] = " IS UNKNOWN",
        [IS_NOT_UNKNOWN] = " IS NOT UNKNOWN"};
    open(run, !run->pretty);
    // A test of NULL asks for no type: a domain's column is itself.
    if (scalar->args[0]->kind == SCALAR_VAR)
        put_text(run, scalar->args[0], false);
    else
        put_operand(run, scalar->args[0], true);
    buffer_append_string(&run->out, tests[scalar->test]);
    close(run, !run->pretty);
}

static void put_distinct(struct text_run *run, const struct scalar *scalar)
{
    if (scalar->negated) buffer_append_string(&run->out, run->pretty ? "NOT " : "(NOT ");
    open(run, !run->pretty || scalar->negated);
    put_operand(run, scalar->args[0], true);
    buffer_append_string(&run->out, " IS DISTINCT FROM ");
    put_operand(run, scalar->args[1], true);
    close(run, !run->pretty || scalar->negated);
    if (scalar->negated) close(run, !run->pretty);
}

// x IN (...): a comparison with an array. Strings of a limited length are compared as text.
static void put_in(struct text_run *run, const struct scalar *scalar)
{
    struct buffer *out = &run->out;
    bool varchar = scalar->args[0]->type.oid == TYPE_VARCHAR;
    open(run, !run->pretty);
    if (varchar && scalar->args[0]->kind == SCALAR_VAR) {
        open(run, !run->pretty);
        put_text(run, scalar->args[0], false);
        close(run, !run->pretty);
        buffer_append_string(out, "::text");
    } else {
        put_operand(run, scalar->args[0], true);
    }
    if (scalar->arg_count == 2) {
        buffer_append_string(out, scalar->negated ? " <> " : " = ");
        put_operand(run, scalar->args[1], true);
        if (varchar) buffer_append_string(out, "::text");
    } else {
        buffer_append_string(out, scalar->negated ? " <> ALL (" : " = ANY (");
        put_list(run, varchar ? (run->pretty ? "ARRAY[" : "(ARRAY[") : "ARRAY[", scalar, 1, "]");
        if (varchar) buffer_append_string(out, run->pretty ? "::text[]" : ")::text[]");
        buffer_append_u8(out, ')');
    }
    close(run, !run->pretty);
}

static void put_any_array(struct text_run *run, const struct scalar *scalar)
{
    const struct scalar *compare = scalar->any_array.compare;
    bool operator = compare->kind == SCALAR_CALL && compare->arg_count == 2;
    open(run, !run->pretty);
    put_operand(run, operator? compare->args[0] : scalar->args[0], true);
    buffer_printf(&run->out, " %s %s (", operator? compare->function->name : "=",
        scalar->any_array.all ? "ALL" : "ANY");
    put_text(run, scalar->args[1], true);
    buffer_append_u8(&run->out, ')');
    close(run, !run->pretty);
}

static void put_line(struct text_run *run, const char *word)
{
    buffer_append_u8(&run->out, '\n');
    for (unsigned i = 0; i < run->indent; i++) buffer_append_u8(&run->out, ' ');
    buffer_append_string(&run->out, word);
}

static void put_case(struct text_run *run, const struct scalar *scalar)
{
    put_line(run, "CASE");
    run->indent += 4;
    if (scalar->simple_case) {
        buffer_append_u8(&run->out, ' ');
        put_text(run, scalar->args[0]->args[0], true);
    }
    for (uint32_t i = 0; i + 1 < scalar->arg_count; i += 2) {
        put_line(run, "WHEN ");
        put_text(run, scalar->simple_case ? scalar->args[i]->args[1] : scalar->args[i], false);
        buffer_append_string(&run->out, " THEN ");
        put_text(run, scalar->args[i + 1], true);
    }
    put_line(run, "ELSE ");
    put_text(run, scalar->args[scalar->arg_count - 1], true);
    run->indent -= 4;
    put_line(run, "END");
}

static void put_subscript(struct text_run *run, const struct scalar *scalar)
{
    bool wanted = scalar->args[0]->kind != SCALAR_VAR;
    open(run, wanted);
    put_text(run, scalar->args[0], true);
    close(run, wanted);
    buffer_append_u8(&run->out, '[');
    put_args(run, scalar, 1, false);
    buffer_append_u8(&run->out, ']');
}

static void put_sql_value(struct text_run *run, const struct scalar *scalar)
{
    static const char *const names[] = {[SQL_CURRENT_DATE] = "CURRENT_DATE",
        [SQL_CURRENT_TIME] = "CURRENT_TIME", [SQL_CURRENT_TIMESTAMP] = "CURRENT_TIMESTAMP",
        [SQL_LOCALTIME] = "LOCALTIME", [SQL_LOCALTIMESTAMP] = "LOCALTIMESTAMP",
        [SQL_CURRENT_ROLE] = "CURRENT_ROLE", [SQL_CURRENT_USER] = "CURRENT_USER",
        [SQL_USER] = "USER", [SQL_SESSION_USER] = "SESSION_USER",
        [SQL_CURRENT_CATALOG] = "CURRENT_CATALOG", [SQL_CURRENT_SCHEMA] = "CURRENT_SCHEMA"};
    buffer_append_string(&run->out, names[scalar->sql_value]);
    if (scalar->type.typmod >= 0) buffer_printf(&run->out, "(%d)", scalar->type.typmod);
}

static void put_text(struct text_run *run, const struct scalar *scalar, bool show_casts)
{
    if (scalar->collate != NULL) {
        put_collate(run, scalar);
        return;
    }
    switch (scalar->kind) {
    case SCALAR_CONST: put_const(run, scalar, true); break;
    case SCALAR_VAR: put_var(run, scalar, show_casts); break;
    case SCALAR_CALL: put_call(run, scalar); break;
    case SCALAR_CAST:
    case SCALAR_TYPMOD: put_cast(run, scalar, show_casts); break;
    case SCALAR_AND: put_logic(run, scalar, " AND "); break;
    case SCALAR_OR: put_logic(run, scalar, " OR "); break;
    case SCALAR_NOT:
        open(run, !run->pretty);
        buffer_append_string(&run->out, "NOT ");
        put_operand(run, scalar->args[0], false);
        close(run, !run->pretty);
        break;
    case SCALAR_IS: put_is(run, scalar); break;
    case SCALAR_DISTINCT: put_distinct(run, scalar); break;
    case SCALAR_CASE: put_case(run, scalar); break;
    case SCALAR_COALESCE: put_list(run, "COALESCE(", scalar, 0, ")"); break;
    case SCALAR_EXTREME:
        put_list(run, scalar->greatest ? "GREATEST(" : "LEAST(", scalar, 0, ")");
        break;
    case SCALAR_NULLIF: put_list(run, "NULLIF(", scalar->args[1], 0, ")"); break;
    case SCALAR_IN: put_in(run, scalar); break;
    case SCALAR_ANY_ARRAY: put_any_array(run, scalar); break;
    case SCALAR_ARRAY:
        put_list(run, "ARRAY[", scalar, 0, "]");
        if (scalar->arg_count > 0) break;
        buffer_append_string(&run->out, "::");
        put_type(run, scalar->type);
        break;
    case SCALAR_SUBSCRIPT: put_subscript(run, scalar); break;
    case SCALAR_SQL_VALUE: put_sql_value(run, scalar); break;
    case SCALAR_PARAM:
    case SCALAR_SUBQUERY:
    case SCALAR_ROW:
        run->status = status_make(E_FEATURE_NOT_SUPPORTED, "no text for this expression");
        break;
    }
}

// --- the run -------------------------------------------------------------------------------------------------

static struct status write_text(struct text_run *run)
{
    struct status st = STATUS_OK;
    struct binder *binder = &run->binder;
    struct expr *expr;
    struct scalar *scalar;
    bool done;
    TRY(parse_expression(binder->arena, bytes_of_string(run->sql), &expr));
    run->scope.clause = "this context";
    if (run->table != NULL) bind_table_scope(binder, run->table, &run->scope);
    TRY(bind_expr(binder, &run->scope, expr, &scalar));
    if (run->assigned.oid != 0) {
        bool literal = scalar_is_unknown(scalar) && scalar->kind == SCALAR_CONST;
        struct type to = literal ? TYPE_OF(run->assigned.oid) : run->assigned;
        TRY(bind_coerce(binder, &scalar, to, CAST_ASSIGNMENT, &done));
    } else {
        TRY(bind_resolve_unknown(binder, &scalar));
    }
    put_text(run, scalar, false);
    st = run->status;
out:
    return st;
}

static void write_on_stack(void *arg)
{
    struct text_run *run = arg;
    struct status st = write_text(run);
    if (failed(st)) run->status = st;
}

struct status plan_expression_text(struct task *task, struct session *session, struct arena *arena,
    const struct table_desc *table, const char *sql, struct type assigned, bool pretty,
    const char **text)
{
    struct status st;
    struct text_run *run = ARENA_NEW(arena, struct text_run);
    struct bind_names *names = ARENA_NEW(arena, struct bind_names);
    TRY(catalog_expression_text(task, session, arena, sql, &sql));
    *text = sql;
    TRY(bind_names_load(task, session, arena, NULL, names));
    bind_names_install_types(session, names);
    *run = (struct text_run){.table = table, .sql = sql, .assigned = assigned, .pretty = pretty};
    run->binder.names = names;
    run->binder.arena = arena;
    run->binder.session = session;
    run->binder.types = &session->types;
    run->binder.verbatim = true;
    hashmap_init(&run->binder.tables, arena);
    buffer_init(&run->out, arena);
    stack_call(write_on_stack, run);
    // What has no form here is shown as it was stored.
    if (!failed(run->status)) *text = buffer_string(&run->out);
out:
    return st;
}
