// SPDX-License-Identifier: GPL-3.0-or-later
//
// Bound expressions as PostgreSQL writes them in its catalogs: literals with their types, casts that nobody wrote
// where an operator or a function asked for them, operators in parentheses.
//
// Source   The output of PostgreSQL 15's pg_get_expr and pg_get_constraintdef.
#include "core/deep.h"
#include "core/task.h"
#include "core/work.h"
#include "sql/catalog/pg_catalog.h"
#include "sql/catalog/catalog_text.h"
#include "sql/parse/deparse.h"
#include "sql/catalog/expression_text.h"
#include "sql/parse/parse.h"
#include "sql/plan/plan.h"
#include "sql/session/long_parse.h"
#include "sql/type/composite.h"

// --- lines ---------------------------------------------------------------------------------------------------

#define INDENT_MAX 40u // Beyond it lines start further to the left again.

void put_text_line(struct text_run *run, unsigned plus, const char *words)
{
    struct buffer *out = &run->out;
    unsigned indent = run->indent;
    if (indent >= INDENT_MAX) indent = (INDENT_MAX + (indent - INDENT_MAX) / 4) % INDENT_MAX;
    while (out->size > 0 && out->data[out->size - 1] == ' ') out->size--;
    buffer_append_u8(out, '\n');
    for (unsigned i = 0; i < indent + plus; i++) buffer_append_u8(out, ' ');
    buffer_append_string(out, words);
}

// --- types and constants -----------------------------------------------------------------------------------

void put_type_text(struct text_run *run, struct type type)
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
    put_type_text(run, scalar->type);
}

void put_typed_const(struct text_run *run, const struct scalar *scalar)
{
    put_const(run, scalar, true);
    const type_oid oid = scalar->type.oid;
    bool plain = !scalar->value.null && (oid == TYPE_BOOL || oid == TYPE_INT4 || oid == TYPE_NUMERIC);
    if (!plain || run->out.data[run->out.size - 1] == '\'') return;
    buffer_append_string(&run->out, "::");
    put_type_text(run, scalar->type);
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
           (scalar->args[0]->type.oid == TYPE_TEXT || scalar->args[0]->type.oid == TYPE_TEXT_ARRAY) &&
           scalar->unread;
}

static const char *arithmetic(const struct scalar *scalar)
{
    if (scalar->kind != SCALAR_CALL || scalar->function->kind != FUNCTION_OPERATOR ||
        scalar->arg_count != 2)
        return NULL;
    const char *name = scalar->function->name;
    return strlen(name) == 1 && strchr("+-*/%", *name) != NULL ? name : NULL;
}

// Operators within operators: only of the five of arithmetic it is known which one binds tighter.
static bool binds_tighter(const struct scalar *parent, const struct scalar *scalar)
{
    const char *outer = arithmetic(parent), *inner = arithmetic(scalar);
    if (outer == NULL || inner == NULL) return false;
    const bool outer_low = *outer == '+' || *outer == '-', inner_low = *inner == '+' || *inner == '-';
    if (outer_low != inner_low) return outer_low;
    return parent->args[0] == scalar;
}

// Whether an operand of `parent` (NULL: of a cast) needs no parentheses to be read as it is.
static bool is_simple(const struct scalar *parent, const struct scalar *scalar)
{
    const bool logic = parent != NULL && (parent->kind == SCALAR_NOT || parent->kind == SCALAR_AND ||
                                             parent->kind == SCALAR_OR);
    if (scalar->collate != NULL) return false;
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
    case SCALAR_ROW:
    case SCALAR_SQL_VALUE: return true;
    case SCALAR_CALL:
        if (scalar->function->kind != FUNCTION_OPERATOR) return true;
        return logic || (parent != NULL && binds_tighter(parent, scalar));
    case SCALAR_CAST:
    case SCALAR_TYPMOD: return true;
    case SCALAR_IS:
    case SCALAR_SUBQUERY: return logic;
    case SCALAR_DISTINCT: return logic && !scalar->negated;
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
static void put_operand(struct text_run *run, const struct scalar *parent,
    const struct scalar *scalar, bool show_casts)
{
    bool wanted = run->pretty && !is_simple(parent, scalar);
    open(run, wanted);
    put_scalar_text(run, scalar, show_casts);
    close(run, wanted);
}

static void put_as(struct text_run *run, const struct scalar *arg, struct type type)
{
    if (arg->kind == SCALAR_CONST && arg->type.oid == type.oid && arg->type.typmod == -1) {
        put_const(run, arg, false);
    } else {
        bool wanted = !run->pretty || !is_simple(NULL, arg);
        open(run, wanted);
        put_scalar_text(run, arg, false);
        close(run, wanted);
    }
    buffer_append_string(&run->out, "::");
    put_type_text(run, type);
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
        struct buffer text;
        buffer_init(&text, run->binder.arena);
        type_output(&text, &type_context_default, arg->type.oid, arg->value);
        deparse_string(&run->out, buffer_bytes(&text));
        buffer_append_string(&run->out, "::");
        put_type_text(run, scalar->type);
    } else if (!scalar->cast.is_explicit && (!show_casts || scalar->type.oid == TYPE_RECORD)) {
        put_operand(run, NULL, arg, false);
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
    put_operand(run, NULL, plain, true);
    buffer_append_string(&run->out, " COLLATE ");
    buffer_append_string(&run->out, scalar->collate);
    close(run, !run->pretty);
}

static void put_var(struct text_run *run, const struct scalar *scalar, bool show_casts)
{
    const struct column_desc *column = column_of(run, scalar);
    bool as_base = column != NULL && type_is_domain(column->domain) && show_casts;
    open(run, as_base && !run->pretty);
    if (run->table != NULL && run->table->kind == RELATION_DOMAIN)
        buffer_append_string(&run->out, "VALUE");
    else
        deparse_identifier(&run->out,
            column != NULL ? column->name : run->binder.vars[scalar->var].name);
    close(run, as_base && !run->pretty);
    if (!as_base) return;
    buffer_append_string(&run->out, "::");
    put_type_text(run, TYPE_OF(scalar->type.oid));
}

static void put_args(struct text_run *run, const struct scalar *scalar, uint32_t from, bool show_casts)
{
    for (uint32_t i = from; i < scalar->arg_count; i++) {
        if (i > from) buffer_append_string(&run->out, ", ");
        put_scalar_text(run, scalar->args[i], show_casts);
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
    const char *name = scalar->function->name;
    const bool made = bind_domain_args(scalar->function, scalar->args, scalar->arg_count) != 0;
    open(run, !run->pretty);
    if (scalar->arg_count == 2) {
        put_operand(run, scalar, scalar->args[0], !made);
        buffer_printf(out, " %s ", name);
        put_operand(run, scalar, scalar->args[1], !made);
    } else {
        buffer_printf(out, "%s ", name);
        put_operand(run, scalar, scalar->args[0], true);
    }
    close(run, !run->pretty);
}

void put_function_name(struct text_run *run, const struct function *function)
{
    const struct session *session = run->binder.session;
    bool visible = function->schema == NULL || strcmp(function->schema, "pg_catalog") == 0;
    for (uint32_t i = 0; !visible && session->search_path[i] != NULL; i++)
        visible = strcmp(session->search_path[i], function->schema) == 0;
    if (!visible) {
        deparse_identifier(&run->out, function->schema);
        buffer_append_u8(&run->out, '.');
    }
    deparse_identifier(&run->out, function->name);
}

// A value of a composite type that is made of its fields: slots of fields that are gone are not there. Rows within are
// what their places say.
static void put_composite(struct text_run *run, const struct scalar *scalar, bool outermost)
{
    const struct user_type *type = type_user(scalar->type.oid);
    buffer_append_string(&run->out, "ROW(");
    for (uint32_t i = 0; i < type->field_count; i++) {
        if (type->fields[i].slot >= scalar->arg_count) break;
        const struct scalar *field = scalar->args[type->fields[i].slot];
        if (i > 0) buffer_append_string(&run->out, ", ");
        if (field->kind == SCALAR_CALL && field->function == &composite_make)
            put_composite(run, field, false);
        else
            put_scalar_text(run, field, true);
    }
    buffer_append_u8(&run->out, ')');
    if (!outermost) return;
    buffer_append_string(&run->out, "::");
    put_type_text(run, scalar->type);
}

static void put_field(struct text_run *run, const struct scalar *scalar)
{
    const struct scalar *value = scalar->args[0];
    const struct user_type *type = type_user(value->type.oid);
    const bool bare = value->kind == SCALAR_SUBSCRIPT ||
                      (value->kind == SCALAR_CALL && value->function == &composite_get);
    open(run, !bare);
    put_scalar_text(run, value, true);
    close(run, !bare);
    buffer_append_u8(&run->out, '.');
    for (uint32_t i = 0; i < type->field_count; i++)
        if (type->fields[i].slot == (uint32_t)scalar->args[1]->value.integer)
            deparse_identifier(&run->out, type->fields[i].name);
}

// What is computed with is of the type beneath: `as_base`, if that is said.
static void put_domain_cast(struct text_run *run, const struct scalar *scalar, bool as_base)
{
    struct buffer *out = &run->out;
    const bool elements = strcmp(scalar->function->name, "domain_elements_check") == 0;
    const bool literal = elements && scalar->args[0]->kind == SCALAR_CONST; // It is read as one of this type at once.
    const char *schema = arena_string(out->arena, datum_as_bytes(scalar->args[2]->value));
    const char *name = arena_string(out->arena, datum_as_bytes(scalar->args[3]->value));
    const struct bind_type *visible = bind_names_type(run->binder.names, run->binder.session, NULL, name);
    as_base &= !elements;
    open(run, as_base && !run->pretty);
    open(run, !literal);
    if (literal)
        put_const(run, scalar->args[0], false);
    else
        put_scalar_text(run, scalar->args[0], false);
    close(run, !literal);
    buffer_append_string(out, "::");
    if (visible == NULL || strcmp(visible->schema, schema) != 0) {
        deparse_identifier(out, schema);
        buffer_append_u8(out, '.');
    }
    deparse_identifier(out, name);
    if (elements) buffer_append_string(out, "[]");
    close(run, as_base && !run->pretty);
    if (!as_base) return;
    buffer_append_string(out, "::");
    put_type_text(run, TYPE_OF(scalar->type.oid));
}

static void put_call(struct text_run *run, const struct scalar *scalar, bool show_casts)
{
    const struct function *function = scalar->function;
    if (function->kind == FUNCTION_OPERATOR) {
        put_operator(run, scalar);
    } else if (strcmp(function->name, "array_stack") == 0) {
        put_list(run, "ARRAY[", scalar, 0, "]");
    } else if (function == &composite_make) {
        put_composite(run, scalar, true);
    } else if (function == &composite_get) {
        put_field(run, scalar);
    } else if (strcmp(function->name, "row") == 0 && scalar->arg_count > 1) {
        put_list(run, "ROW(", scalar, 1, ")");
    } else if (strcmp(function->name, "domain_check") == 0 || strcmp(function->name, "domain_elements_check") == 0) {
        while (scalar->kind == SCALAR_CALL && scalar->function == function) {
            const struct scalar *inner = scalar->args[0];
            if (inner->kind != SCALAR_CALL || inner->function != function) break;
            scalar = inner;
        }
        put_domain_cast(run, scalar, show_casts);
    } else {
        put_function_name(run, function);
        open(run, true);
        put_args(run, scalar, 0, bind_domain_args(function, scalar->args, scalar->arg_count) == 0);
        close(run, true);
    }
}

// Functions that SQL has a syntax for: what is between their arguments. A digit is the argument's number, ^ one that is an
// operand, ! a word. Without its last arguments the text ends before them.
static const struct syntax {
    const char *name;
    uint32_t args;
    const char *form;
} syntaxes[] = {{"timezone", 2, "(^1 AT TIME ZONE ^0)"}, {"overlaps", 4, "((0, 1) OVERLAPS (2, 3))"},
    {"extract", 2, "EXTRACT(!0 FROM 1)"}, {"is_normalized", 1, "(^0 IS NORMALIZED)"},
    {"is_normalized", 2, "(^0 IS !1 NORMALIZED)"}, {"pg_collation_for", 1, "COLLATION FOR (0)"},
    {"normalize", 1, "NORMALIZE(0)"}, {"normalize", 2, "NORMALIZE(0, !1)"},
    {"overlay", 3, "OVERLAY(0 PLACING 1 FROM 2)"}, {"overlay", 4, "OVERLAY(0 PLACING 1 FROM 2 FOR 3)"},
    {"position", 2, "POSITION((1) IN (0))"}, {"substring", 2, "SUBSTRING(0 FROM 1)"},
    {"substring", 3, "SUBSTRING(0 FROM 1 FOR 2)"}, {"xmlexists", 2, "XMLEXISTS((0) PASSING (1))"}, {"btrim", 1, "TRIM(BOTH FROM 0)"},
    {"btrim", 2, "TRIM(BOTH 1 FROM 0)"}, {"ltrim", 1, "TRIM(LEADING FROM 0)"},
    {"ltrim", 2, "TRIM(LEADING 1 FROM 0)"}, {"rtrim", 1, "TRIM(TRAILING FROM 0)"},
    {"rtrim", 2, "TRIM(TRAILING 1 FROM 0)"}};

bool put_syntax_text(struct text_run *run, const struct scalar *scalar)
{
    const struct syntax *syntax = NULL;
    for (size_t i = 0; i < sizeof syntaxes / sizeof syntaxes[0]; i++)
        if (syntaxes[i].args == scalar->arg_count &&
            strcmp(syntaxes[i].name, scalar->function->name) == 0)
            syntax = &syntaxes[i];
    if (syntax == NULL) return false;
    for (const char *at = syntax->form; *at != 0; at++) {
        const bool operand = *at == '^', word = *at == '!';
        if (operand || word) at++;
        if (*at < '0' || *at > '9') {
            buffer_append_u8(&run->out, (uint8_t)*at);
            continue;
        }
        const struct scalar *arg = scalar->args[*at - '0'];
        if (word && arg->kind == SCALAR_CONST && !arg->value.null)
            buffer_append_bytes(&run->out, datum_as_bytes(arg->value));
        else if (operand)
            put_operand(run, NULL, arg, false);
        else
            put_scalar_text(run, arg, false);
    }
    return true;
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
        put_scalar_text(run, arg, false);
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
        put_scalar_text(run, scalar->args[0], false);
    else
        put_operand(run, scalar, scalar->args[0], true);
    buffer_append_string(&run->out, tests[scalar->test]);
    close(run, !run->pretty);
}

static void put_distinct(struct text_run *run, const struct scalar *scalar)
{
    if (scalar->negated) buffer_append_string(&run->out, run->pretty ? "NOT " : "(NOT ");
    open(run, !run->pretty);
    put_operand(run, scalar, scalar->args[0], !type_is_domain_array(scalar->args[0]->domain));
    buffer_append_string(&run->out, " IS DISTINCT FROM ");
    put_operand(run, scalar, scalar->args[1], !type_is_domain_array(scalar->args[1]->domain));
    close(run, !run->pretty);
    if (scalar->negated) close(run, !run->pretty);
}

static void put_nullif(struct text_run *run, const struct scalar *equal)
{
    buffer_append_string(&run->out, "NULLIF(");
    put_scalar_text(run, equal->args[0], !type_is_domain_array(equal->args[0]->domain));
    buffer_append_string(&run->out, ", ");
    put_scalar_text(run, equal->args[1], !type_is_domain_array(equal->args[1]->domain));
    close(run, true);
}

// x IN (...): a comparison with an array. Strings of a limited length are compared as text.
static void put_in(struct text_run *run, const struct scalar *scalar)
{
    struct buffer *out = &run->out;
    bool varchar = scalar->args[0]->type.oid == TYPE_VARCHAR;
    open(run, !run->pretty);
    if (varchar && scalar->args[0]->kind == SCALAR_VAR) {
        open(run, !run->pretty);
        put_scalar_text(run, scalar->args[0], false);
        close(run, !run->pretty);
        buffer_append_string(out, "::text");
    } else {
        put_operand(run, scalar, scalar->args[0], true);
    }
    if (scalar->arg_count == 2) {
        buffer_append_string(out, scalar->negated ? " <> " : " = ");
        put_operand(run, scalar, scalar->args[1], true);
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
    put_operand(run, scalar, operator? compare->args[0] : scalar->args[0], true);
    buffer_printf(&run->out, " %s %s (", operator? compare->function->name : "=",
        scalar->any_array.all ? "ALL" : "ANY");
    put_scalar_text(run, scalar->args[1], true);
    buffer_append_u8(&run->out, ')');
    close(run, !run->pretty);
}

static void put_case(struct text_run *run, const struct scalar *scalar)
{
    put_text_line(run, 0, "CASE");
    run->indent += 4;
    if (scalar->simple_case) {
        buffer_append_u8(&run->out, ' ');
        put_scalar_text(run, scalar->args[0]->args[0], true);
    }
    for (uint32_t i = 0; i + 1 < scalar->arg_count; i += 2) {
        put_text_line(run, 0, "WHEN ");
        put_scalar_text(run, scalar->simple_case ? scalar->args[i]->args[1] : scalar->args[i], false);
        buffer_append_string(&run->out, " THEN ");
        put_scalar_text(run, scalar->args[i + 1], true);
    }
    put_text_line(run, 0, "ELSE ");
    put_scalar_text(run, scalar->args[scalar->arg_count - 1], true);
    run->indent -= 4;
    put_text_line(run, 0, "END");
}

static void put_subscript(struct text_run *run, const struct scalar *scalar)
{
    bool wanted = scalar->args[0]->kind != SCALAR_VAR;
    open(run, wanted);
    put_scalar_text(run, scalar->args[0], wanted); // Of a domain over arrays, too, elements are taken as it is.
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

void put_scalar_text(struct text_run *run, const struct scalar *scalar, bool show_casts)
{
    if (!deep_goes_on(1)) return;
    if (scalar->collate != NULL) {
        put_collate(run, scalar);
        return;
    }
    if (scalar->source != NULL && (run->level != NULL || scalar->kind != SCALAR_VAR)) {
        put_source_text(run, scalar, show_casts, false);
        return;
    }
    switch (scalar->kind) {
    case SCALAR_CONST: put_const(run, scalar, true); break;
    case SCALAR_VAR: put_var(run, scalar, show_casts); break;
    case SCALAR_CALL: put_call(run, scalar, show_casts); break;
    case SCALAR_CAST:
    case SCALAR_TYPMOD: put_cast(run, scalar, show_casts); break;
    case SCALAR_AND: put_logic(run, scalar, " AND "); break;
    case SCALAR_OR: put_logic(run, scalar, " OR "); break;
    case SCALAR_NOT:
        open(run, !run->pretty);
        buffer_append_string(&run->out, "NOT ");
        put_operand(run, scalar, scalar->args[0], false);
        close(run, !run->pretty);
        break;
    case SCALAR_IS: put_is(run, scalar); break;
    case SCALAR_DISTINCT: put_distinct(run, scalar); break;
    case SCALAR_CASE: put_case(run, scalar); break;
    case SCALAR_COALESCE: put_list(run, "COALESCE(", scalar, 0, ")"); break;
    case SCALAR_EXTREME:
        put_list(run, scalar->greatest ? "GREATEST(" : "LEAST(", scalar, 0, ")");
        break;
    case SCALAR_NULLIF: put_nullif(run, scalar->args[1]); break;
    case SCALAR_IN: put_in(run, scalar); break;
    case SCALAR_ANY_ARRAY: put_any_array(run, scalar); break;
    case SCALAR_ARRAY:
        put_list(run, "ARRAY[", scalar, 0, "]");
        if (scalar->arg_count > 0) break;
        buffer_append_string(&run->out, "::");
        put_type_text(run, scalar->type);
        break;
    case SCALAR_SUBSCRIPT: put_subscript(run, scalar); break;
    case SCALAR_SQL_VALUE: put_sql_value(run, scalar); break;
    case SCALAR_ROW: put_list(run, "ROW(", scalar, 0, ")"); break;
    case SCALAR_PARAM:
    case SCALAR_SUBQUERY:
        run->status = status_make(E_FEATURE_NOT_SUPPORTED, "no text for this expression");
        break;
    }
}

// --- the run -------------------------------------------------------------------------------------------------

static struct status write_expression(struct text_run *run)
{
    struct status st = STATUS_OK;
    struct binder *binder = &run->binder;
    struct expr *expr = run->expr;
    struct scalar *scalar;
    bool done;
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
    put_scalar_text(run, scalar, false);
    st = run->status;
out:
    return st;
}

static struct status write_query(struct text_run *run)
{
    struct binder *binder = &run->binder;
    struct query query = {0};
    struct status st = bind_statement(binder, run->statement, &query);
    if (failed(st)) return st;
    put_query_text(run, run->statement->as.select, false);
    return run->status;
}

// Nothing waits here, but that the binder and put_scalar_text yield.
static void write_on_stack(void *arg)
{
    struct text_run *run = arg;
    struct task *task = run->binder.task;
    if (task != NULL) nosuspend_begin(task);
    struct status st = run->statement != NULL ? write_query(run) : write_expression(run);
    if (failed(st)) run->status = st;
    if (task != NULL) nosuspend_end(task);
}

// What has no form here is shown as it was stored: *text stays as it is.
static struct status write_text(
    struct task *task, struct session *session, struct text_run *run, const char **text)
{
    struct status st;
    struct arena *arena = run->binder.arena;
    struct bind_names *names = ARENA_NEW(arena, struct bind_names);
    const bool kept = session->path.kept;
    session->path.kept = true;
    st = bind_names_load(task, session, arena, run->statement, names);
    session->path.kept = kept;
    TRY(st);
    if (run->statement == NULL) {
        run->status = long_parse_expression(task, session, arena, bytes_of_string(run->sql), &run->expr);
        TRY(task_check(task));
        if (failed(run->status)) goto out;
    }
    bind_names_install_types(session, names);
    run->binder.names = names;
    run->binder.session = session;
    run->binder.task = task;
    run->binder.types = &session->types;
    run->binder.verbatim = true;
    run->binder.notes = ARENA_NEW(arena, struct bind_notes);
    hashmap_init(&run->binder.notes->scalars, arena);
    hashmap_init(&run->binder.notes->calls, arena);
    hashmap_init(&run->binder.notes->ranges, arena);
    hashmap_init(&run->binder.notes->joins, arena);
    hashmap_init(&run->binder.tables, arena);
    buffer_init(&run->out, arena);
    deep_call(task, write_on_stack, run);
    TRY(task_check(task));
    if (!failed(run->status)) *text = buffer_string(&run->out);
out:
    return st;
}

struct status plan_expression_text(struct task *task, struct session *session, struct arena *arena,
    const struct table_desc *table, const char *sql, struct type assigned, bool pretty,
    const char **text)
{
    struct status st;
    struct text_run *run = ARENA_NEW(arena, struct text_run);
    TRY(catalog_expression_text(task, session, arena, sql, &sql));
    *text = sql;
    *run = (struct text_run){.table = table, .sql = sql, .assigned = assigned, .pretty = pretty};
    run->binder.arena = arena;
    TRY(write_text(task, session, run, text));
out:
    return st;
}

struct status plan_query_text(struct task *task, struct session *session, struct arena *arena,
    const struct statement *statement, const struct table_desc *view, bool pretty, uint32_t width, const char **text)
{
    struct text_run *run = ARENA_NEW(arena, struct text_run);
    *run = (struct text_run){.statement = statement, .view = view, .pretty = pretty, .width = width};
    run->binder.arena = arena;
    return write_text(task, session, run, text);
}
