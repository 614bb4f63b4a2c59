// SPDX-License-Identifier: GPL-3.0-or-later
//
// Domains: a value of one is a value of its base type; what the domain asks of it is checked where a value
// becomes one, by a cast or by being written to a column.
#include "sql/catalog/pg_catalog.h"
#include "sql/type/collation.h"
#include "sql/parse/ast_visit.h"
#include "sql/bind/bind.h"
#include "sql/function/function_table.h"
#include "sql/parse/parse.h"
#include "sql/session/session.h"

// --- in rows -------------------------------------------------------------------------------------------

static const struct bind_type *domain_of(
    const struct binder *binder, const struct column_desc *column)
{
    if (column->domain == 0 || binder->names == NULL) return NULL;
    return bind_names_type_by_id(binder->names, type_user_id(column->domain));
}

uint32_t bind_domain_check_count(const struct binder *binder, const struct table_desc *table)
{
    uint32_t count = 0;
    for (uint32_t i = 0; i < table->column_count; i++) {
        const struct bind_type *domain = domain_of(binder, &table->columns[i]);
        if (domain != NULL) count += 1 + domain->type->constraint_count;
    }
    return count;
}

// A condition of the domain (NULL: its NOT NULL) on `value`; with `elements`, on each element of the array `value`.
static struct status bind_condition_of(struct binder *binder, const struct expr *check, struct scalar *value,
    bool elements, struct scalar **condition)
{
    struct status st = STATUS_OK;
    var_id element = VAR_NONE;
    struct range_column column = {.name = "value", .scalar = value};
    struct range range = {.name = "value", .columns = &column, .column_count = 1};
    struct scope scope = {.clause = "check constraints",
        .names = {.ranges = &range, .columns = &column, .column_count = 1}};
    if (elements) {
        struct type type = TYPE_OF(type_info(value->type.oid)->element);
        type.collation = value->type.collation;
        element = bind_new_var(binder, "value", NULL, type);
        column.scalar = bind_var(binder, element, POSITION_NONE);
    }
    if (check == NULL) {
        struct expr *is;
        TRY(parse_expression(binder->arena, BYTES_LITERAL("value IS NOT NULL"), &is));
        check = is;
    }
    TRY(bind_expr(binder, &scope, check, condition));
    TRY(bind_coerce_bool(binder, condition, "CHECK"));
    if (!elements) goto out;
    // true AND condition, of each element: the left operand is always the first of what is asked of one.
    struct scalar *all = scalar_with_args(binder->arena, SCALAR_ANY_ARRAY, TYPE_OF(TYPE_BOOL), POSITION_NONE, 2);
    all->args[0] = scalar_bool(binder->arena, true);
    all->args[1] = value;
    all->any_array.compare = scalar_with_args(binder->arena, SCALAR_AND, TYPE_OF(TYPE_BOOL), POSITION_NONE, 2);
    all->any_array.compare->args[0] = all->args[0];
    all->any_array.compare->args[1] = *condition;
    all->any_array.element_var = element;
    all->any_array.all = true;
    *condition = all;

out:
    return st;
}

static struct status bind_column_checks(
    struct binder *binder, struct table_plan *plan, const struct bind_type *domain, uint32_t ordinal)
{
    struct status st = STATUS_OK;
    const struct table_desc *type = domain->type;
    const struct column_desc *column = &plan->table->columns[ordinal];
    const bool elements = type_is_domain_array(column->domain);
    struct scalar *value = scalar_var(binder->arena, plan->row_base + ordinal, column->type, POSITION_NONE);
    if (type->columns[0].not_null) {
        struct table_plan_check *check = &plan->checks[plan->check_count++];
        *check = (struct table_plan_check){
            .domain = type->name, .domain_schema = domain->schema, .ordinal = ordinal, .not_null = true};
        TRY(bind_condition_of(binder, NULL, value, elements, &check->condition));
    }
    for (uint32_t i = 0; i < type->constraint_count; i++) {
        struct table_plan_check *check = &plan->checks[plan->check_count++];
        *check = (struct table_plan_check){.name = type->constraints[i].name,
            .domain = type->name,
            .domain_schema = domain->schema,
            .ordinal = ordinal};
        TRY(bind_condition_of(binder, domain->checks[i], value, elements, &check->condition));
    }

out:
    return st;
}

struct status bind_domain_checks(struct binder *binder, struct table_plan *plan)
{
    struct status st = STATUS_OK;
    struct bytes text = binder->text;
    binder->text = (struct bytes){0};
    for (uint32_t i = 0; i < plan->table->column_count; i++) {
        const struct bind_type *domain = domain_of(binder, &plan->table->columns[i]);
        if (domain != NULL) TRY(bind_column_checks(binder, plan, domain, i));
    }

out:
    binder->text = text;
    return st;
}

// The name as messages have it: with its schema unless that is on the search path.
static const char *shown(
    struct arena *arena, const struct session *session, const char *schema, const char *domain)
{
    const char *const *path = session == NULL ? NULL : session->search_path;
    for (; path != NULL && *path != NULL; path++)
        if (strcmp(*path, schema) == 0) return domain;
    return session == NULL ? domain : arena_printf(arena, "%s.%s", schema, domain);
}

// --- in casts --------------------------------------------------------------------------------------------

struct status domain_violation(
    struct arena *arena, const struct session *session, const char *schema, const char *domain,
    const char *check)
{
    const char *name = shown(arena, session, schema, domain);
    struct status st = check == NULL
        ? status_format(
              arena, E_NOT_NULL_VIOLATION, "domain %s does not allow null values", name)
        : status_format(arena, E_CHECK_VIOLATION,
              "value for domain %s violates check constraint \"%s\"", name, check);
    st = status_datatype(arena, st, schema, domain);
    return status_names(arena, st, NULL, NULL, NULL, check);
}

// domain_check(value, condition, schema, domain, constraint): the value, unless the condition is false.
BODY(check_domain)
{
    if (args[1].null || args[1].boolean) {
        *result = args[0];
        return STATUS_OK;
    }
    const char *schema = arena_string(call->arena, datum_as_bytes(args[2])),
               *domain = arena_string(call->arena, datum_as_bytes(args[3])),
               *check = arena_string(call->arena, datum_as_bytes(args[4]));
    return domain_violation(call->arena, call->session, schema, domain, *check == '\0' ? NULL : check);
}

static const struct function domain_check = {.name = "domain_check",
    .kind = FUNCTION_SCALAR,
    .oid = 131999,
    .result = TYPE_ANYELEMENT,
    .volatility = FUNCTION_STABLE,
    .fn = check_domain,
    FN_ARGS(TYPE_ANYELEMENT, TYPE_BOOL, TYPE_TEXT, TYPE_TEXT, TYPE_TEXT)};
// The same of an array whose elements are of the domain.
static const struct function domain_elements_check = {.name = "domain_elements_check",
    .kind = FUNCTION_SCALAR,
    .oid = 131998,
    .result = TYPE_ANYELEMENT,
    .volatility = FUNCTION_STABLE,
    .fn = check_domain,
    FN_ARGS(TYPE_ANYELEMENT, TYPE_BOOL, TYPE_TEXT, TYPE_TEXT, TYPE_TEXT)};
// Of a literal, which is an array of the domain from the first: whoever keeps the expression keeps it as one.
static const struct function domain_literal_check = {.name = "domain_elements_check",
    .kind = FUNCTION_SCALAR,
    .oid = 131997,
    .result = TYPE_ANYELEMENT,
    .volatility = FUNCTION_IMMUTABLE,
    .fn = check_domain,
    FN_ARGS(TYPE_ANYELEMENT, TYPE_BOOL, TYPE_TEXT, TYPE_TEXT, TYPE_TEXT)};

static bool is_literal(const struct scalar *scalar)
{
    return scalar->kind == SCALAR_CONST || scalar->kind == SCALAR_PARAM;
}

static void wrap_check(struct binder *binder, const struct function *function, struct scalar *condition,
    const struct bind_type *domain, const char *name, struct scalar **out)
{
    struct scalar *call =
        scalar_with_args(binder->arena, SCALAR_CALL, (*out)->type, (*out)->position, 5);
    const char *const names[] = {domain->schema, domain->type->name, name};
    call->function = function;
    call->args[0] = *out;
    call->args[1] = condition;
    for (unsigned i = 0; i < 3; i++)
        call->args[2 + i] =
            scalar_const(binder->arena, TYPE_OF(TYPE_TEXT), datum_text(names[i]), POSITION_NONE);
    *out = call;
}

// VALUE stands for the expression that is cast.
static void replace_value(struct expr *expr, void *arg)
{
    if (expr->kind == EXPR_COLUMN && !expr->column.star && expr->column.count == 1 &&
        strcmp(expr->column.names[0], "value") == 0)
        *expr = *(const struct expr *)arg;
}

static struct status add_check(struct binder *binder, struct scope *scope, const char *sql,
    struct expr *value, const struct bind_type *domain, const char *name, struct scalar **out)
{
    struct status st = STATUS_OK;
    struct expr *condition;
    struct scalar *bound;
    TRY(parse_expression(binder->arena, bytes_of_string(sql), &condition));
    expr_visit(condition, replace_value, value);
    TRY(bind_expr(binder, scope, condition, &bound));
    TRY(bind_coerce_bool(binder, &bound, "CHECK"));
    wrap_check(binder, &domain_check, bound, domain, name, out);

out:
    return st;
}

static struct scalar *declared(struct binder *binder, const struct scalar *scalar, type_oid domain)
{
    struct scalar *copy = bind_again(binder, scalar);
    copy->domain = domain;
    return copy;
}

struct status bind_domain_cast(struct binder *binder, struct scope *scope, const struct expr *expr,
    type_oid domain, struct scalar **out)
{
    struct status st = STATUS_OK;
    const struct bind_type *found = bind_names_type_by_id(binder->names, type_user_id(domain));
    const struct table_desc *type = found->type;
    struct type base = type->columns[0].type;
    bool was_volatile = binder->has_volatile, done;
    struct expr *value;

    binder->has_volatile = false;
    TRY(bind_expr(binder, scope, expr->cast.arg, out));
    if (binder->has_volatile && type->constraint_count > 0)
        return bind_unsupported(
            binder, expr->position, "a cast of a volatile expression to a domain with CHECK");
    binder->has_volatile |= was_volatile;
    bool literal = scalar_is_unknown(*out);
    TRY(bind_coerce(binder, out, literal ? TYPE_OF(base.oid) : base, CAST_EXPLICIT, &done));
    if (!done)
        TRY(bind_error(binder, expr->position, E_CANNOT_COERCE, "cannot cast type %s to %s",
            bind_type_text(binder, (*out)->type), type->name));
    if (literal) TRY(bind_coerce(binder, out, base, CAST_EXPLICIT, NULL));
    value = ARENA_NEW(binder->arena, struct expr);
    *value = *expr;
    value->cast.type = ARENA_NEW(binder->arena, struct type_name);
    *value->cast.type = (struct type_name){.schema = "pg_catalog",
        .name = type_info(base.oid)->name,
        .position = expr->position};
    if (type_is_user(base.oid)) {
        const struct bind_type *inner =
            bind_names_type_by_id(binder->names, type_user_id(base.oid));
        value->cast.type->schema = inner->schema;
        value->cast.type->name = inner->type->name;
        value->cast.type->array_dimensions = type_is_array(base.oid) ? 1 : 0;
    }
    if (type->columns[0].not_null)
        TRY(add_check(binder, scope, "value IS NOT NULL", value, found, "", out));
    for (uint32_t i = 0; i < type->constraint_count; i++)
        TRY(add_check(binder, scope, type->constraints[i].check_sql, value, found,
            type->constraints[i].name, out));
    struct scalar *result = declared(binder, *out, domain);
    if (type->columns[0].collation != NULL)
        result->type.collation = collation_number(type->columns[0].collation);
    *out = result;

out:
    return st;
}

// The value, or the array of `elements`, unless it is nothing for the domain.
static struct status check_value(
    struct binder *binder, const struct bind_type *found, bool elements, struct scalar **out)
{
    struct status st = STATUS_OK;
    const struct table_desc *type = found->type;
    const struct function *function = !elements          ? &domain_check
                                      : is_literal(*out) ? &domain_literal_check
                                                         : &domain_elements_check;
    struct scalar *value = *out, *condition;
    struct bytes text = binder->text;
    binder->text = (struct bytes){0};
    if (type->columns[0].not_null) {
        TRY(bind_condition_of(binder, NULL, value, elements, &condition));
        wrap_check(binder, function, condition, found, "", out);
    }
    for (uint32_t i = 0; i < type->constraint_count; i++) {
        TRY(bind_condition_of(binder, found->checks[i], value, elements, &condition));
        wrap_check(binder, function, condition, found, type->constraints[i].name, out);
    }

out:
    binder->text = text;
    return st;
}

struct status bind_domain_array_cast(struct binder *binder, struct scope *scope, const struct expr *expr,
    type_oid domain, struct scalar **out)
{
    struct status st = STATUS_OK;
    const struct bind_type *found = bind_names_type_by_id(binder->names, type_user_id(domain));
    const struct table_desc *type = found->type;
    struct type array = type->columns[0].type;
    bool was_volatile = binder->has_volatile, done;

    array.oid = type_array_of(array.oid);
    if (array.oid == 0) return bind_unsupported(binder, expr->position, "an array of a domain over an array");
    if (expr->cast.arg->kind == EXPR_ARRAY && expr->cast.arg->list.count == 0) {
        *out = scalar_with_args(binder->arena, SCALAR_ARRAY, array, expr->position, 0);
        (*out)->domain = domain;
        return st;
    }
    binder->has_volatile = false;
    TRY(bind_expr(binder, scope, expr->cast.arg, out));
    if (binder->has_volatile && (type->constraint_count > 0 || type->columns[0].not_null))
        return bind_unsupported(
            binder, expr->position, "a cast of a volatile expression to an array of a domain with conditions");
    binder->has_volatile |= was_volatile;
    bool literal = scalar_is_unknown(*out);
    TRY(bind_coerce(binder, out, literal ? TYPE_OF(array.oid) : array, CAST_EXPLICIT, &done));
    if (!done)
        TRY(bind_error(binder, expr->position, E_CANNOT_COERCE, "cannot cast type %s to %s[]",
            bind_type_text(binder, (*out)->type), type->name));
    if (literal) TRY(bind_coerce(binder, out, array, CAST_ASSIGNMENT, NULL)); // Elements too long are not cut.
    TRY(check_value(binder, found, true, out));
    *out = declared(binder, *out, domain);

out:
    return st;
}

// --- in parts of arrays --------------------------------------------------------------------------------------

struct status bind_domain_part(
    struct binder *binder, type_oid domain, bool slice, struct scalar **value, bool *checked)
{
    const struct bind_type *found = bind_names_type_by_id(binder->names, type_user_id(domain));
    const type_oid wanted = slice ? domain : type_info(domain)->element;
    *checked = true;
    if ((*value)->domain == wanted) return STATUS_OK;
    *checked = !scalar_is_volatile(*value) && !scalar_has_subquery(*value);
    return *checked ? check_value(binder, found, slice, value) : STATUS_OK;
}

// --- in calls ---------------------------------------------------------------------------------------------

static bool is_any_array(type_oid oid)
{
    return oid == TYPE_ANYARRAY || oid == TYPE_ANYCOMPATIBLEARRAY;
}

type_oid bind_domain_args(const struct function *function, struct scalar *const *args, uint32_t count)
{
    type_oid domain = 0;
    if (function->user != NULL || count != function->arg_count) return 0;
    for (uint32_t i = 0; i < count; i++)
        if (is_any_array(function->args[i]) && type_is_domain_array(args[i]->domain)) domain = args[i]->domain;
    for (uint32_t i = 0; i < count && domain != 0; i++) {
        const type_oid asked = function->args[i];
        const bool element = asked == TYPE_ANYELEMENT || asked == TYPE_ANYCOMPATIBLE;
        if ((!element && !is_any_array(asked)) || scalar_is_null_const(args[i])) continue;
        if (args[i]->domain != (element ? type_info(domain)->element : domain)) return 0;
    }
    return domain;
}

type_oid bind_domain_result(const struct function *function, struct scalar *const *args, uint32_t count)
{
    return is_any_array(function->result) ? bind_domain_args(function, args, count) : 0;
}

// --- in operators ------------------------------------------------------------------------------------------

// Operators that ask for two arrays of one type; others take arrays of what is beneath a domain, too.
static bool wants_same_arrays(const char *name)
{
    static const char *const names[] = {"=", "<>", "<", "<=", ">", ">=", "@>", "<@", "&&"};
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++)
        if (strcmp(name, names[i]) == 0) return true;
    return false;
}

// Of no domain for certain: what calls and queries give is not told by `domain`.
static bool is_plain_array(const struct binder *binder, const struct scalar *scalar)
{
    if (!type_is_array(scalar->type.oid) || scalar->domain != 0) return false;
    if (scalar->kind == SCALAR_CONST) return true;
    if (scalar->kind == SCALAR_VAR) return binder->vars[scalar->var].column;
    if (scalar->kind != SCALAR_ARRAY) return false;
    for (uint32_t i = 0; i < scalar->arg_count; i++)
        if (!is_literal(scalar->args[i]) || scalar->args[i]->domain != 0) return false;
    return true;
}

struct status bind_domain_operands(struct binder *binder, const char *name, struct scalar **left,
    struct scalar **right, uint32_t position)
{
    struct status st = STATUS_OK;
    const bool from_left = type_is_domain_array((*left)->domain);
    struct scalar **other = from_left ? right : left;
    const type_oid domain = from_left ? (*left)->domain : (*right)->domain;
    if (!type_is_domain_array(domain) || (*other)->domain == domain || !wants_same_arrays(name)) return st;
    const struct type array = (from_left ? *left : *right)->type;
    // A parameter's type may be what was found here before.
    if ((scalar_is_unknown(*other) && is_literal(*other)) ||
        ((*other)->kind == SCALAR_PARAM && (*other)->type.oid == array.oid)) {
        const struct bind_type *found = bind_names_type_by_id(binder->names, type_user_id(domain));
        TRY(bind_coerce(binder, other, array, CAST_IMPLICIT, NULL));
        TRY(check_value(binder, found, true, other));
        *other = declared(binder, *other, domain);
        return st;
    }
    if (!type_is_domain_array((*other)->domain) && !is_plain_array(binder, *other)) return st;
    const struct type beneath = TYPE_OF((*other)->domain != 0 ? (*other)->domain : (*other)->type.oid);
    return status_hint(binder->arena,
        bind_error(binder, position, E_UNDEFINED_FUNCTION, "operator does not exist: %s %s %s",
            bind_type_text(binder, from_left ? TYPE_OF(domain) : beneath), name,
            bind_type_text(binder, from_left ? beneath : TYPE_OF(domain))),
        "No operator matches the given name and argument types. You might need to add explicit type casts.");

out:
    return st;
}
