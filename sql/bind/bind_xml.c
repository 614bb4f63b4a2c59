// SPDX-License-Identifier: GPL-3.0-or-later
//
// XMLELEMENT and its kin, IS DOCUMENT and XMLTABLE.
#include "sql/bind/bind.h"
#include "sql/bind/resolution.h"
#include "sql/catalog/pg_catalog.h"
#include "sql/function/function_xml.h"
#include "sql/type/type_user.h"
#include "sql/type/xml.h"

static struct status specific(struct binder *binder, struct scalar **scalar, type_oid type, const char *what)
{
    struct status st;
    bool done;
    TRY(bind_coerce(binder, scalar, TYPE_OF(type), CAST_ASSIGNMENT, &done));
    if (!done)
        return bind_error(binder, (*scalar)->position, E_DATATYPE_MISMATCH, "argument of %s must be type %s, not type %s", what,
            bind_type_text(binder, TYPE_OF(type)), bind_type_text(binder, (*scalar)->type));
out:
    return st;
}

static struct status specific_expr(struct binder *binder, struct scope *scope, const struct expr *expr, type_oid type,
    const char *what, struct scalar **out)
{
    const struct status st = bind_expr(binder, scope, expr, out);
    return failed(st) ? st : specific(binder, out, type, what);
}

static struct scalar *text_const(struct binder *binder, const char *text)
{
    return scalar_const(binder->arena, TYPE_OF(TYPE_TEXT), datum_text(text), POSITION_NONE);
}

static struct scalar *int_const(struct binder *binder, int64_t value)
{
    return scalar_const(binder->arena, TYPE_OF(TYPE_INT4), datum_int(value), POSITION_NONE);
}

static struct scalar *new_call(
    struct binder *binder, const struct function *function, type_oid type, uint32_t position, uint32_t count)
{
    struct scalar *call = scalar_with_args(binder->arena, SCALAR_CALL, TYPE_OF(type), position, count);
    call->function = function;
    return call;
}

// A value of any type. Untyped literals stay that where expressions are shown.
static struct status any_value(struct binder *binder, struct scope *scope, const struct expr *expr, struct scalar **out)
{
    struct status st;
    TRY(bind_expr(binder, scope, expr, out));
    TRY(bind_row_value(binder, out));
    if (!binder->verbatim || (*out)->kind == SCALAR_PARAM) TRY(bind_resolve_unknown(binder, out));
out:
    return st;
}

// Whether settings say nothing of what it is in XML.
static bool is_printed_alike(type_oid type)
{
    if (type == TYPE_UNKNOWN || type == TYPE_XML || type == TYPE_BOOL || type == TYPE_DATE || type == TYPE_TIMESTAMP) return true;
    const struct cast *cast = type == TYPE_BYTEA ? NULL : cast_find(type, TYPE_TEXT, CAST_EXPLICIT);
    return cast != NULL && cast_is_immutable(cast, type, TYPE_TEXT);
}

// --- elements ----------------------------------------------------------------------------------------------------

static struct status name_of(struct binder *binder, const struct xml_named *named, const char *what, const char **name)
{
    const struct expr *value = named->value;
    if (named->name != NULL) {
        *name = xml_name(binder->arena, named->name, false, false);
    } else if (value->kind == EXPR_COLUMN && !value->column.star && value->column.count > 0) {
        const char *column = value->column.names[value->column.count - 1];
        *name = xml_name(binder->arena, column, true, false);
        // Where it is kept, it keeps its name, whatever the column is called one day.
        if (binder->resolutions != NULL && strcmp(*name, xml_name(binder->arena, column, false, false)) == 0)
            ((struct xml_named *)(uintptr_t)named)->name = arena_strdup(binder->resolutions->arena, column);
    } else {
        return bind_error(binder, named->position, E_SYNTAX_ERROR, "unnamed XML %s value must be a column reference", what);
    }
    return STATUS_OK;
}

static struct status named_values(struct binder *binder, struct scope *scope, const struct xml_expr *xml, const char *what,
    struct scalar **args, bool *alike)
{
    struct status st = STATUS_OK;
    const bool unique = xml->form == XML_FORM_ELEMENT;
    for (uint32_t i = 0; i < xml->named_count; i++) {
        const char *name = NULL;
        TRY(any_value(binder, scope, xml->named[i].value, &args[2 * i + 1]));
        TRY(name_of(binder, &xml->named[i], what, &name));
        args[2 * i] = text_const(binder, name);
        for (uint32_t k = 0; unique && k < i; k++)
            if (bytes_equal(datum_as_bytes(args[2 * k]->value), datum_as_bytes(args[2 * i]->value)))
                return bind_error(binder, xml->named[i].position, E_SYNTAX_ERROR, "XML attribute name \"%s\" appears more than once", name);
        *alike &= is_printed_alike(args[2 * i + 1]->type.oid);
    }
out:
    return st;
}

static struct status bind_element(struct binder *binder, struct scope *scope, const struct expr *expr, struct scalar **out)
{
    struct status st;
    const struct xml_expr *xml = expr->xml;
    const uint32_t content = 2 + 2 * xml->named_count;
    struct scalar *call = new_call(binder, NULL, TYPE_XML, expr->position, content + xml->args.count);
    bool alike = true;
    call->args[0] = text_const(binder, xml_name(binder->arena, xml->name, false, false));
    call->args[1] = int_const(binder, xml->named_count);
    TRY(named_values(binder, scope, xml, "attribute", call->args + 2, &alike));
    for (uint32_t i = 0; i < xml->args.count; i++) {
        TRY(any_value(binder, scope, xml->args.items[i], &call->args[content + i]));
        alike &= is_printed_alike(call->args[content + i]->type.oid);
    }
    call->function = alike ? &xml_make_element : &xml_make_element_stable;
    *out = call;
out:
    return st;
}

static struct status bind_forest(struct binder *binder, struct scope *scope, const struct expr *expr, struct scalar **out)
{
    struct status st;
    bool alike = true;
    struct scalar *call = new_call(binder, NULL, TYPE_XML, expr->position, 2 * expr->xml->named_count);
    TRY(named_values(binder, scope, expr->xml, "element", call->args, &alike));
    call->function = alike ? &xml_make_forest : &xml_make_forest_stable;
    *out = call;
out:
    return st;
}

// --- the other forms -----------------------------------------------------------------------------------------------

static struct status bind_concat(struct binder *binder, struct scope *scope, const struct expr *expr, struct scalar **out)
{
    struct status st = STATUS_OK;
    const struct expr_list *args = &expr->xml->args;
    struct scalar *call = new_call(binder, &xml_make_concat, TYPE_XML, expr->position, args->count);
    for (uint32_t i = 0; i < args->count; i++)
        TRY(specific_expr(binder, scope, args->items[i], TYPE_XML, "XMLCONCAT", &call->args[i]));
    *out = call;
out:
    return st;
}

static struct status bind_root(struct binder *binder, struct scope *scope, const struct expr *expr, struct scalar **out)
{
    struct status st;
    const struct xml_expr *xml = expr->xml;
    struct scalar *call = new_call(binder, &xml_make_root, TYPE_XML, expr->position, 3);
    TRY(specific_expr(binder, scope, xml->args.items[0], TYPE_XML, "XMLROOT", &call->args[0]));
    call->args[1] = scalar_null(binder->arena, TYPE_OF(TYPE_TEXT), POSITION_NONE);
    if (xml->args.items[1] != NULL) TRY(specific_expr(binder, scope, xml->args.items[1], TYPE_TEXT, "XMLROOT", &call->args[1]));
    call->args[2] = int_const(binder, xml->standalone);
    *out = call;
out:
    return st;
}

static struct status bind_instruction(struct binder *binder, struct scope *scope, const struct expr *expr, struct scalar **out)
{
    struct status st = STATUS_OK;
    const struct xml_expr *xml = expr->xml;
    struct scalar *call = new_call(binder, &xml_make_instruction, TYPE_XML, expr->position, 1 + xml->args.count);
    call->args[0] = text_const(binder, xml_name(binder->arena, xml->name, false, false));
    for (uint32_t i = 0; i < xml->args.count; i++)
        TRY(specific_expr(binder, scope, xml->args.items[i], TYPE_TEXT, "XMLPI", &call->args[1 + i]));
    *out = call;
out:
    return st;
}

static struct status bind_of_one(struct binder *binder, struct scope *scope, const struct expr *expr,
    const struct function *function, type_oid from, const char *what, struct scalar **out)
{
    struct status st;
    struct scalar *call = new_call(binder, function, function->result, expr->position, 1);
    TRY(specific_expr(binder, scope, expr->xml->args.items[0], from, what, &call->args[0]));
    *out = call;
out:
    return st;
}

static struct status bind_serialize(struct binder *binder, struct scope *scope, const struct expr *expr, struct scalar **out)
{
    struct status st;
    struct type type;
    bool done;
    const struct function *function = expr->xml->document ? &xml_text_of_document : &xml_text_of_content;
    TRY(bind_type_name(binder, expr->xml->type, &type));
    TRY(bind_of_one(binder, scope, expr, function, TYPE_XML, "XMLSERIALIZE", out));
    TRY(bind_coerce(binder, out, type, CAST_IMPLICIT, &done));
    if (!done)
        return bind_error(binder, expr->position, E_CANNOT_COERCE, "cannot cast XMLSERIALIZE result to %s", bind_type_text(binder, type));
out:
    return st;
}

struct status bind_xml(struct binder *binder, struct scope *scope, const struct expr *expr, struct scalar **out)
{
    switch (expr->xml->form) {
    case XML_FORM_CONCAT: return bind_concat(binder, scope, expr, out);
    case XML_FORM_ELEMENT: return bind_element(binder, scope, expr, out);
    case XML_FORM_FOREST: return bind_forest(binder, scope, expr, out);
    case XML_FORM_PARSE:
        return bind_of_one(binder, scope, expr, expr->xml->document ? &xml_make_document : &xml_make_content, TYPE_TEXT,
            "XMLPARSE", out);
    case XML_FORM_PI: return bind_instruction(binder, scope, expr, out);
    case XML_FORM_ROOT: return bind_root(binder, scope, expr, out);
    case XML_FORM_SERIALIZE: return bind_serialize(binder, scope, expr, out);
    case XML_FORM_IS_DOCUMENT: return bind_of_one(binder, scope, expr, &xml_is_document, TYPE_XML, "IS DOCUMENT", out);
    case XML_FORM_TABLE: break;
    }
    return bind_unsupported(binder, expr->position, "XMLTABLE in this place");
}

// --- XMLTABLE ------------------------------------------------------------------------------------------------------

static struct status check_columns(struct binder *binder, const struct xml_expr *xml)
{
    bool ordinality = false;
    for (uint32_t i = 0; i < xml->column_count; i++) {
        const struct xml_column *column = &xml->columns[i];
        if (column->type == NULL && ordinality)
            return bind_error(binder, column->position, E_SYNTAX_ERROR, "only one FOR ORDINALITY column is allowed");
        ordinality |= column->type == NULL;
        for (uint32_t k = 0; k < i; k++)
            if (strcmp(column->name, xml->columns[k].name) == 0)
                return bind_error(binder, column->position, E_SYNTAX_ERROR, "column name \"%s\" is not unique", column->name);
    }
    for (uint32_t i = 0; i < xml->named_count; i++)
        for (uint32_t k = 0; k < i; k++) {
            const char *a = xml->named[i].name, *b = xml->named[k].name;
            if (a == NULL && b == NULL)
                return bind_error(binder, xml->named[i].position, E_SYNTAX_ERROR, "only one default namespace is allowed");
            if (a != NULL && b != NULL && strcmp(a, b) == 0)
                return bind_error(binder, xml->named[i].position, E_SYNTAX_ERROR, "namespace name \"%s\" is not unique", a);
        }
    return STATUS_OK;
}

static struct status column_type(struct binder *binder, const struct xml_column *column, struct xml_table_column *out)
{
    struct status st = STATUS_OK;
    *out = (struct xml_table_column){.name = column->name, .type = TYPE_OF(TYPE_INT4), .ordinality = column->type == NULL};
    if (column->type == NULL) return st;
    if (column->type->setof)
        return bind_error(binder, column->position, E_INVALID_TABLE_DEFINITION, "column \"%s\" cannot be declared SETOF", column->name);
    TRY(bind_type_name(binder, column->type, &out->type));
    if (type_is_domain(out->type.oid) || type_is_domain_array(out->type.oid))
        return bind_unsupported(binder, column->type->position, "a domain in XMLTABLE");
    out->by_path = column->path != NULL;
    out->not_null = column->not_null && column->otherwise == NULL;
out:
    return st;
}

// Where it is shown, it is shown as what it has been made.
static void note_coerced(struct binder *binder, const struct expr *expr, struct scalar *scalar)
{
    if (binder->notes != NULL) hashmap_put_u64(&binder->notes->scalars, bind_note_key(expr), scalar);
}

static struct status table_arg(
    struct binder *binder, struct scope *scope, const struct expr *expr, type_oid type, struct scalar **out)
{
    const struct status st = specific_expr(binder, scope, expr, type, "XMLTABLE", out);
    if (!failed(st)) note_coerced(binder, expr, *out);
    return st;
}

static struct status table_args(struct binder *binder, struct scope *scope, const struct xml_expr *xml, struct rel_call *call)
{
    struct status st;
    call->args = ARENA_ARRAY(binder->arena, struct scalar *, 3 + 2 * xml->named_count + xml->column_count);
    TRY(table_arg(binder, scope, xml->args.items[0], TYPE_TEXT, &call->args[1]));
    TRY(table_arg(binder, scope, xml->args.items[1], TYPE_XML, &call->args[0]));
    call->args[2] = int_const(binder, xml->named_count);
    call->arg_count = 3;
    for (uint32_t i = 0; i < xml->column_count; i++)
        if (xml->columns[i].path != NULL) call->arg_count++;
    uint32_t at = 3 + 2 * xml->named_count;
    for (uint32_t i = 0; i < xml->column_count; i++) {
        if (xml->columns[i].path == NULL) continue;
        TRY(table_arg(binder, scope, xml->columns[i].path, TYPE_TEXT, &call->args[at]));
        at++;
    }
    for (uint32_t i = 0; i < xml->named_count; i++) {
        const char *name = xml->named[i].name;
        call->args[3 + 2 * i] = name != NULL ? text_const(binder, name) : scalar_null(binder->arena, TYPE_OF(TYPE_TEXT), POSITION_NONE);
        TRY(table_arg(binder, scope, xml->named[i].value, TYPE_TEXT, &call->args[4 + 2 * i]));
    }
    call->arg_count = at;
out:
    return st;
}

// What DEFAULT says is computed for the rows that want it.
static struct status with_default(struct binder *binder, struct scope *scope, const struct xml_column *column, struct type type,
    struct scalar *value, struct scalar **out)
{
    struct status st;
    bool done;
    struct scalar *otherwise;
    TRY(bind_expr(binder, scope, column->otherwise, &otherwise));
    TRY(bind_coerce(binder, &otherwise, type, CAST_ASSIGNMENT, &done));
    if (!done)
        return bind_error(binder, otherwise->position, E_DATATYPE_MISMATCH, "argument of XMLTABLE must be type %s, not type %s",
            bind_type_text(binder, type), bind_type_text(binder, otherwise->type));
    note_coerced(binder, column->otherwise, otherwise);
    struct scalar *either = scalar_with_args(binder->arena, SCALAR_COALESCE, type, POSITION_NONE, 2);
    either->args[0] = value;
    either->args[1] = otherwise;
    *out = either;
    if (column->not_null) {
        *out = new_call(binder, &xml_not_null, type.oid, POSITION_NONE, 2);
        (*out)->type = type;
        (*out)->args[0] = either;
        (*out)->args[1] = text_const(binder, column->name);
    }
out:
    return st;
}

struct status bind_xml_table(struct binder *binder, struct scope *scope, const struct xml_expr *xml, struct range *range,
    struct rel **rel)
{
    struct status st;
    const uint32_t count = xml->column_count;
    struct rel *function = rel_new(binder->arena, REL_FUNCTION), *project = rel_new(binder->arena, REL_PROJECT);
    struct rel_call *call = ARENA_NEW(binder->arena, struct rel_call);
    struct xml_table_column *columns = ARENA_ARRAY(binder->arena, struct xml_table_column, count);
    TRY(check_columns(binder, xml));
    TRY(table_args(binder, scope, xml, call));
    call->vars = ARENA_ARRAY(binder->arena, var_id, count);
    call->types = ARENA_ARRAY(binder->arena, struct type, count);
    call->var_count = count;
    project->left = function;
    for (uint32_t i = 0; i < count; i++) {
        TRY(column_type(binder, &xml->columns[i], &columns[i]));
        call->types[i] = columns[i].type;
        call->vars[i] = bind_new_var(binder, columns[i].name, range->name, columns[i].type);
        struct scalar *value = bind_var(binder, call->vars[i], POSITION_NONE);
        var_id var = call->vars[i];
        if (xml->columns[i].otherwise != NULL) {
            TRY(with_default(binder, scope, &xml->columns[i], columns[i].type, value, &value));
            var = bind_new_var(binder, columns[i].name, range->name, columns[i].type);
        }
        rel_item_add(binder->arena, &project->project, var, value);
        range->columns[i].name = columns[i].name;
        range->columns[i].scalar = bind_var(binder, var, POSITION_NONE);
    }
    call->function = xml_table_function(binder->arena, columns, count);
    function->function.calls = call;
    function->function.call_count = 1;
    function->function.ordinality = VAR_NONE;
    function->function.alias = range->name;
    *rel = project;
out:
    return st;
}
