// SPDX-License-Identifier: GPL-3.0-or-later
//
// Types and expressions as DDL stores them. Trees can be deep: everything that walks one runs on the shard's
// big stack.
#include "core/task.h"
#include "sql/parse/ast_visit.h"
#include "sql/ddl/ddl_internal.h"
#include "sql/type/type_reference.h"
#include "sql/parse/deparse.h"
#include "sql/function/function.h"
#include "sql/parse/parse.h"
#include "sql/catalog/pg_catalog.h"
#include "sql/plan/plan.h"

// --- types ---------------------------------------------------------------------------------------

static bool modifier_of(const struct expr *expr, int32_t *value)
{
    int32_t sign = 1;
    if (expr->kind == EXPR_OPERATOR && expr->op.left == NULL && strcmp(expr->op.name, "-") == 0) {
        sign = -1;
        expr = expr->op.right;
    }
    if (expr->kind != EXPR_LITERAL || expr->literal.kind != LITERAL_INTEGER) return false;
    *value = sign * expr->literal.integer;
    return true;
}

static struct status user_type(struct statement_context *context, const struct type_name *name,
    struct type *type, type_oid *domain)
{
    struct status st = STATUS_OK;
    const struct table_desc *found;
    TRY(catalog_type(context->task, context->session, NULL, name->schema, name->name, &found));
    if (found == NULL && type_is_left_out(name->name) &&
        (name->schema == NULL || strcmp(name->schema, "pg_catalog") == 0))
        return ddl_unsupported(context, arena_printf(context->arena, "type %s", name->name));
    if (found == NULL) {
        const struct table_desc *table;
        TRY(catalog_table(context->task, context->session, NULL, name->schema, name->name, true, &table));
        if (table != NULL && relation_has_row_type(table->kind))
            return ddl_unsupported(context, "the row type of a table or view as a type of a column");
    }
    if (found == NULL)
        return status_position(context->arena,
            ddl_error(context, E_UNDEFINED_OBJECT, "type \"%s%s%s%s\" does not exist",
                name->schema == NULL ? "" : name->schema, name->schema == NULL ? "" : ".",
                name->name, name->array_dimensions > 0 ? "[]" : ""),
            name->position == POSITION_NONE ? 0 : name->position + 1);
    if (name->modifiers.count > 0)
        return ddl_error(context, E_SYNTAX_ERROR,
            "type modifier is not allowed for type \"%s\"", name->name);
    TRY(privilege_check_table(context->task, context->session, found, PRIVILEGE_USAGE));
    catalog_depend_read(context->session, found);
    catalog_type_install(context->session, found);
    if (found->kind == RELATION_DOMAIN) {
        if (domain == NULL) return ddl_unsupported(context, "a domain in this place");
        *domain = catalog_type_oid(found);
        *type = found->columns[0].type;
        if (name->array_dimensions == 0) return st;
        *domain = type_array_of(*domain);
        type->oid = type_array_of(type->oid);
        if (type->oid == 0) return ddl_unsupported(context, "an array of a domain over an array");
        return st;
    }
    *type = TYPE_OF(catalog_type_oid(found));
    if (name->array_dimensions > 0) type->oid = type_array_of(type->oid);
out:
    return st;
}

struct status ddl_type(struct statement_context *context, const struct type_name *name,
    struct type *type, enum ddl_serial *serial)
{
    return ddl_column_type(context, name, type, serial, NULL);
}

struct status ddl_column_type(struct statement_context *context, const struct type_name *name,
    struct type *type, enum ddl_serial *serial, type_oid *domain)
{
    static const struct {
        const char *name;
        enum ddl_serial serial;
        type_oid oid;
    } serials[] = {
        {"serial", SERIAL_INT4, TYPE_INT4},
        {"serial4", SERIAL_INT4, TYPE_INT4},
        {"bigserial", SERIAL_INT8, TYPE_INT8},
        {"serial8", SERIAL_INT8, TYPE_INT8},
        {"smallserial", SERIAL_INT2, TYPE_INT2},
        {"serial2", SERIAL_INT2, TYPE_INT2},
    };
    struct status st = STATUS_OK;
    int32_t modifiers[4];

    if (serial != NULL) *serial = SERIAL_NONE;
    if (name->setof)
        return ddl_error(context, E_INVALID_TABLE_DEFINITION, "column cannot be declared SETOF");
    if (name->percent_type) return ddl_unsupported(context, "%TYPE");
    for (size_t i = 0; serial != NULL && i < sizeof serials / sizeof serials[0]; i++) {
        if (strcmp(serials[i].name, name->name) != 0 || name->array_dimensions > 0) continue;
        *serial = serials[i].serial;
        *type = TYPE_OF(serials[i].oid);
        return STATUS_OK;
    }
    const struct type_info *info = NULL;
    if (name->schema == NULL || strcmp(name->schema, "pg_catalog") == 0)
        info = type_by_name(name->name);
    if (info == NULL) return user_type(context, name, type, domain);
    if (info->category == 'P' || info->oid == TYPE_UNKNOWN)
        return ddl_error(
            context, E_INVALID_TABLE_DEFINITION, "column has pseudo-type %s", name->name);
    *type = TYPE_OF(info->oid);
    if (name->modifiers.count > sizeof modifiers / sizeof modifiers[0])
        return ddl_error(context, E_INVALID_PARAMETER_VALUE, "invalid type modifier");
    for (uint32_t i = 0; i < name->modifiers.count; i++) {
        if (!modifier_of(name->modifiers.items[i], &modifiers[i]))
            return ddl_error(
                context, E_SYNTAX_ERROR, "type modifiers must be simple constants or identifiers");
    }
    if (name->modifiers.count > 0)
        TRY(type_make_typmod(
            context->arena, info->oid, modifiers, name->modifiers.count, &type->typmod));
    if (name->array_dimensions > 0) {
        type->oid = type_array_of(info->oid);
        if (type->oid == 0)
            return ddl_error(context, E_UNDEFINED_OBJECT,
                "could not find array type for data type %s", info->sql_name);
    }
out:
    return st;
}

// --- what an expression mentions -------------------------------------------------------------------

struct info_walk {
    struct arena *arena;
    struct expr *expr;
    struct ddl_expr_info *info;
};

static void note_column(struct info_walk *walk, const char *name, uint32_t position)
{
    struct ddl_expr_info *info = walk->info;
    for (uint32_t i = 0; i < info->column_count; i++) {
        if (strcmp(info->columns[i], name) == 0) return;
    }
    DDL_APPEND(walk->arena, info->columns, info->column_count, name);
    DDL_APPEND(walk->arena, info->positions, info->position_count, position);
}

static void note_function(struct ddl_expr_info *info, const struct function_expr *call)
{
    if (call->over != NULL) info->has_window = true;
    info->has_function = true;
    bool known = false;
    uint32_t id;
    const struct function *function;
    const bool users = function_is_reference(call->schema, &id);
    for (uint32_t i = 0; !users && (function = function_at(i)) != NULL; i++) {
        if (strcmp(function->name, call->name) != 0 || function->kind == FUNCTION_OPERATOR)
            continue;
        known = true;
        if (function->kind == FUNCTION_AGGREGATE && call->over == NULL)
            info->aggregate = function->name;
        if (function->kind == FUNCTION_WINDOW) info->has_window = true;
        if (function->kind == FUNCTION_SET) info->set_function = function->name;
        if (function->volatility == FUNCTION_VOLATILE) info->is_volatile = true;
    }
    if (!known) {
        info->is_volatile = true; // The careful answer.
        info->unknown = call->name;
    }
}

static void note(struct expr *expr, void *arg)
{
    struct info_walk *walk = arg;
    switch (expr->kind) {
    case EXPR_COLUMN:
        if (expr->column.star || expr->column.count == 0)
            walk->info->has_star = true;
        else
            note_column(walk, expr->column.names[expr->column.count - 1], expr->position);
        break;
    case EXPR_LITERAL:
        if (expr->literal.kind == LITERAL_STRING) walk->info->has_string = true;
        break;
    case EXPR_FIELD:
        if (expr->field.name == NULL)
            walk->info->has_field_star = true;
        else
            DDL_APPEND(walk->arena, walk->info->fields, walk->info->field_count, expr->field.name);
        break;
    case EXPR_ROW: walk->info->has_row = true; break;
    case EXPR_PARAMETER: walk->info->has_parameter = true; break;
    case EXPR_SUBLINK: walk->info->has_subquery = true; break;
    case EXPR_FUNCTION: note_function(walk->info, expr->function); break;
    default: break;
    }
}

static void info_on_stack(void *arg)
{
    struct info_walk *walk = arg;
    expr_visit(walk->expr, note, walk);
}

void ddl_expr_info(struct arena *arena, struct expr *expr, struct ddl_expr_info *info)
{
    *info = (struct ddl_expr_info){0};
    struct info_walk walk = {.arena = arena, .expr = expr, .info = info};
    stack_call(info_on_stack, &walk);
}

// --- types by their ids ---------------------------------------------------------------------

struct type_walk {
    struct arena *arena;
    struct expr *expr;
    struct type_name **items;
    uint32_t count;
    struct object_name **collations;
    uint32_t collation_count;
};

// Or named by its id already.
static bool is_built_in(const struct type_name *name)
{
    uint32_t id;
    if (name->schema == NULL) return type_by_name(name->name) != NULL;
    return strcmp(name->schema, "pg_catalog") == 0 || type_is_reference(name->schema, &id);
}

// The types that the node itself names, in turn; NULL past the last one.
static struct type_name *named_type(const struct expr *expr, uint32_t index)
{
    if (expr->kind == EXPR_CAST) return index == 0 ? expr->cast.type : NULL;
    if (expr->kind != EXPR_XML) return NULL;
    const struct xml_expr *xml = expr->xml;
    if (xml->type != NULL) return index == 0 ? xml->type : NULL;
    for (uint32_t i = 0; i < xml->column_count; i++)
        if (xml->columns[i].type != NULL && index-- == 0) return xml->columns[i].type;
    return NULL;
}

static void note_type(struct expr *expr, void *arg)
{
    struct type_walk *walk = arg;
    if (expr->kind == EXPR_COLLATE)
        DDL_APPEND(walk->arena, walk->collations, walk->collation_count, &expr->collate.name);
    struct type_name *type;
    for (uint32_t i = 0; (type = named_type(expr, i)) != NULL; i++)
        if (!is_built_in(type)) DDL_APPEND(walk->arena, walk->items, walk->count, type);
}

static void types_on_stack(void *arg)
{
    struct type_walk *walk = arg;
    expr_visit(walk->expr, note_type, walk);
}

static struct status qualify_types(
    struct statement_context *context, struct type_name **items, uint32_t count)
{
    struct status st = STATUS_OK;
    for (uint32_t i = 0; i < count; i++) {
        const struct table_desc *type;
        TRY(catalog_type(context->task, context->session, NULL, items[i]->schema, items[i]->name, &type));
        if (type == NULL) // Or a table's rows.
            TRY(catalog_table(context->task, context->session, NULL, items[i]->schema, items[i]->name, true, &type));
        if (type == NULL || type->kind == RELATION_VIRTUAL) continue; // Binding says so.
        items[i]->schema = type_reference(context->arena, type->id);
        catalog_depend_read(context->session, type);
    }
out:
    return st;
}

struct status ddl_qualify_types(struct statement_context *context, struct expr *expr)
{
    struct type_walk walk = {.arena = context->arena, .expr = expr};
    stack_call(types_on_stack, &walk);
    struct status st = ddl_qualify_collations(context, walk.collations, walk.collation_count);
    return failed(st) ? st : qualify_types(context, walk.items, walk.count);
}

struct status ddl_qualify_query_types(
    struct statement_context *context, const struct ddl_tables *tables)
{
    struct status st = ddl_qualify_collations(context, tables->collations, tables->collation_count);
    return failed(st) ? st : qualify_types(context, tables->types, tables->type_count);
}

// Whether it is a call whose first argument is a sequence.
static bool names_sequence(const struct expr *expr)
{
    static const char *const functions[] = {"nextval", "currval", "setval"};
    if (expr->kind != EXPR_FUNCTION || expr->function->args.count == 0) return false;
    for (size_t i = 0; i < sizeof functions / sizeof functions[0]; i++)
        if (strcmp(expr->function->name, functions[i]) == 0) return true;
    return false;
}

// --- tables of a query -----------------------------------------------------------------------------

struct table_walk {
    struct arena *arena;
    struct select *select;
    struct statement *statement; // NULL: `select`.
    struct ddl_tables *tables;
    const char **ctes; // Names in scope that are no tables.
    uint32_t cte_count;
};

static void walk_select(struct table_walk *walk, struct select *select);
static void walk_statement(struct table_walk *walk, struct statement *statement);

static void note_subquery(struct expr *expr, void *arg)
{
    struct table_walk *walk = arg;
    if (expr->kind == EXPR_PARAMETER) walk->tables->has_parameter = true;
    if (expr->kind == EXPR_COLLATE)
        DDL_APPEND(walk->arena, walk->tables->collations, walk->tables->collation_count,
            &expr->collate.name);
    struct type_name *type;
    for (uint32_t i = 0; (type = named_type(expr, i)) != NULL; i++)
        if (!is_built_in(type)) DDL_APPEND(walk->arena, walk->tables->types, walk->tables->type_count, type);
    if (names_sequence(expr))
        DDL_APPEND(walk->arena, walk->tables->sequences, walk->tables->sequence_count, expr);
    if (expr->kind != EXPR_SUBLINK) return;
    expr_visit(expr->sublink.test, note_subquery, walk);
    walk_select(walk, expr->sublink.query);
}

static void walk_from(struct table_walk *walk, struct from_item *item)
{
    switch (item->kind) {
    case FROM_TABLE:
        if (item->table.sample != NULL) {
            expr_visit_list(&item->table.sample->args, note_subquery, walk);
            expr_visit(item->table.sample->repeatable, note_subquery, walk);
        }
        for (uint32_t i = 0; item->table.name.schema == NULL && i < walk->cte_count; i++) {
            if (strcmp(walk->ctes[i], item->table.name.name) == 0) return;
        }
        DDL_APPEND(walk->arena, walk->tables->items, walk->tables->count, item);
        break;
    case FROM_SUBQUERY: walk_select(walk, item->query); break;
    case FROM_FUNCTION: expr_visit_list(&item->function.calls, note_subquery, walk); break;
    case FROM_JOIN:
        walk_from(walk, item->join.left);
        walk_from(walk, item->join.right);
        expr_visit(item->join.on, note_subquery, walk);
        break;
    case FROM_STATEMENT: break;
    }
}

static void walk_with(struct table_walk *walk, struct with_clause *with)
{
    const bool recursive = with != NULL && with->recursive; // One may name the next.
    for (uint32_t i = 0; recursive && i < with->count; i++)
        DDL_APPEND(walk->arena, walk->ctes, walk->cte_count, with->items[i].name);
    for (uint32_t i = 0; with != NULL && i < with->count; i++) {
        struct cte *cte = &with->items[i];
        walk_statement(walk, cte->statement);
        if (!recursive)
            DDL_APPEND(walk->arena, walk->ctes, walk->cte_count, cte->name);
    }
}

static void walk_targets(struct table_walk *walk, const struct target_list *targets)
{
    for (uint32_t i = 0; i < targets->count; i++)
        expr_visit(targets->items[i].expr, note_subquery, walk);
}

static void walk_select(struct table_walk *walk, struct select *select)
{
    if (select == NULL) return;
    uint32_t outer_count = walk->cte_count;
    walk_with(walk, select->with);
    walk_targets(walk, &select->targets);
    expr_visit_list(&select->distinct_on, note_subquery, walk);
    for (uint32_t i = 0; i < select->from.count; i++)
        walk_from(walk, select->from.items[i]);
    expr_visit(select->where, note_subquery, walk);
    expr_visit_list(&select->group_by, note_subquery, walk);
    expr_visit(select->having, note_subquery, walk);
    for (uint32_t i = 0; i < select->row_count; i++)
        expr_visit_list(&select->rows[i], note_subquery, walk);
    walk_select(walk, select->left);
    walk_select(walk, select->right);
    for (uint32_t i = 0; i < select->order_by.count; i++)
        expr_visit(select->order_by.items[i].expr, note_subquery, walk);
    expr_visit(select->limit, note_subquery, walk);
    expr_visit(select->offset, note_subquery, walk);
    walk->cte_count = outer_count;
}

static void walk_assignments(struct table_walk *walk, const struct assignment_list *list)
{
    for (uint32_t i = 0; i < list->count; i++)
        expr_visit(list->items[i].value, note_subquery, walk);
}

static void walk_insert(struct table_walk *walk, struct insert *insert)
{
    walk_select(walk, insert->source);
    for (uint32_t i = 0; i < insert->conflict_elements.count; i++)
        expr_visit(insert->conflict_elements.items[i].expr, note_subquery, walk);
    expr_visit(insert->conflict_elements_where, note_subquery, walk);
    walk_assignments(walk, &insert->conflict_assignments);
    expr_visit(insert->conflict_where, note_subquery, walk);
    walk_targets(walk, &insert->returning);
}

static void walk_statement(struct table_walk *walk, struct statement *statement)
{
    const uint32_t outer_count = walk->cte_count;
    if (statement->tag == STATEMENT_SELECT) {
        walk_select(walk, statement->as.select);
        return;
    }
    if (ddl_written_table(statement) == NULL) return;
    DDL_APPEND(walk->arena, walk->tables->writes, walk->tables->write_count, statement);
    if (statement->tag == STATEMENT_INSERT) {
        walk_with(walk, statement->as.insert->with);
        walk_insert(walk, statement->as.insert);
    } else if (statement->tag == STATEMENT_UPDATE) {
        struct update *update = statement->as.update;
        walk_with(walk, update->with);
        walk_assignments(walk, &update->assignments);
        for (uint32_t i = 0; i < update->from.count; i++) walk_from(walk, update->from.items[i]);
        expr_visit(update->where, note_subquery, walk);
        walk_targets(walk, &update->returning);
    } else {
        struct delete_ *delete = statement->as.delete_;
        walk_with(walk, delete->with);
        for (uint32_t i = 0; i < delete->from.count; i++) walk_from(walk, delete->from.items[i]);
        expr_visit(delete->where, note_subquery, walk);
        walk_targets(walk, &delete->returning);
    }
    walk->cte_count = outer_count;
}

struct table_target *ddl_written_table(struct statement *statement)
{
    switch (statement->tag) {
    case STATEMENT_INSERT: return &statement->as.insert->target;
    case STATEMENT_UPDATE: return &statement->as.update->target;
    case STATEMENT_DELETE: return &statement->as.delete_->target;
    default: return NULL;
    }
}

static void tables_on_stack(void *arg)
{
    struct table_walk *walk = arg;
    if (walk->statement != NULL)
        walk_statement(walk, walk->statement);
    else
        walk_select(walk, walk->select);
}

void ddl_collect_statement(struct arena *arena, struct statement *statement, struct ddl_tables *tables)
{
    *tables = (struct ddl_tables){0};
    struct table_walk walk = {.arena = arena, .statement = statement, .tables = tables};
    stack_call(tables_on_stack, &walk);
}

void ddl_collect_tables(struct arena *arena, struct select *select, struct ddl_tables *tables)
{
    *tables = (struct ddl_tables){0};
    struct table_walk walk = {.arena = arena, .select = select, .tables = tables};
    stack_call(tables_on_stack, &walk);
}

// --- text ----------------------------------------------------------------------------------------

struct deparse_call {
    struct buffer out;
    const struct expr *expr;
};

static void deparse_on_stack(void *arg)
{
    struct deparse_call *call = arg;
    deparse_expression(&call->out, call->expr, 0);
}

char *ddl_deparse(struct arena *arena, const struct expr *expr)
{
    struct deparse_call call = {.expr = expr};
    buffer_init(&call.out, arena);
    stack_call(deparse_on_stack, &call);
    return buffer_string(&call.out);
}

struct deparse_select_call {
    struct buffer out;
    const struct select *select;
};

static void deparse_select_on_stack(void *arg)
{
    struct deparse_select_call *call = arg;
    deparse_select(&call->out, call->select, 0);
}

char *ddl_deparse_select(struct arena *arena, const struct select *select)
{
    struct deparse_select_call call = {.select = select};
    buffer_init(&call.out, arena);
    stack_call(deparse_select_on_stack, &call);
    return buffer_string(&call.out);
}

struct rename_walk {
    struct expr *expr;
    const char *from, *to;
    bool found;
};

static void rename_one(struct expr *expr, void *arg)
{
    struct rename_walk *walk = arg;
    if (expr->kind != EXPR_COLUMN || expr->column.star || expr->column.count == 0) return;
    const char **last = &expr->column.names[expr->column.count - 1];
    if (strcmp(*last, walk->from) != 0) return;
    *last = walk->to;
    walk->found = true;
}

static void rename_on_stack(void *arg)
{
    struct rename_walk *walk = arg;
    expr_visit(walk->expr, rename_one, walk);
}

struct status ddl_rename_in_text(
    struct arena *arena, const char **text, const char *from, const char *to)
{
    struct rename_walk walk = {.from = from, .to = to};
    if (*text == NULL) return STATUS_OK;
    struct status st = parse_expression_on_stack(arena, bytes_of_string(*text), &walk.expr);
    if (failed(st)) return st;
    stack_call(rename_on_stack, &walk);
    if (walk.found) *text = ddl_deparse(arena, walk.expr);
    return STATUS_OK;
}

// --- defaults and checks ---------------------------------------------------------------------------

static struct status refuse_parts(
    struct statement_context *context, const struct ddl_expr_info *info, const char *what)
{
    if (info->has_subquery)
        return ddl_error(context, E_FEATURE_NOT_SUPPORTED, "cannot use subquery in %s", what);
    if (info->aggregate != NULL)
        return ddl_error(
            context, E_GROUPING_ERROR, "aggregate functions are not allowed in %ss", what);
    if (info->has_window)
        return ddl_error(
            context, E_WINDOWING_ERROR, "window functions are not allowed in %ss", what);
    if (info->set_function != NULL)
        return ddl_error(context, E_FEATURE_NOT_SUPPORTED,
            "set-returning functions are not allowed in %ss", what);
    if (info->has_parameter)
        return ddl_error(context, E_UNDEFINED_PARAMETER, "there is no parameter $1");
    return STATUS_OK;
}

// The name in nextval('name') or nextval('name'::regclass); NULL when it is something else.
static const struct expr *sequence_name(const struct expr *expr)
{
    while (expr->kind == EXPR_CAST && strcmp(expr->cast.type->name, "regclass") == 0)
        expr = expr->cast.arg;
    if (expr->kind != EXPR_LITERAL || expr->literal.kind != LITERAL_STRING) return NULL;
    return expr;
}

struct status ddl_name_sequence(
    struct statement_context *context, struct expr *expr, uint32_t *sequence_id)
{
    struct status st = STATUS_OK;
    char *parts[PG_NAME_PARTS_MAX];
    uint32_t count;
    const struct table_desc *sequence;

    const struct expr *name = sequence_name(expr->function->args.items[0]);
    if (name == NULL) return STATUS_OK;
    TRY(pg_split_name(context->arena, name->literal.text, parts, &count));
    TRY(catalog_table(context->task, context->session, count > 2 ? parts[0] : NULL,
        count > 1 ? parts[count - 2] : NULL, parts[count - 1], false, &sequence));
    if (sequence->kind != RELATION_SEQUENCE) goto out; // Running it says so.
    *sequence_id = sequence->id;
    TRY(parse_expression_on_stack(context->arena,
        bytes_of_string(arena_printf(context->arena, "%u::regclass", pg_oid(sequence->id))),
        &expr->function->args.items[0]));
out:
    return st;
}

struct sequence_walk {
    struct arena *arena;
    struct expr *expr;
    struct expr **items;
    uint32_t count;
};

static void note_sequence(struct expr *expr, void *arg)
{
    struct sequence_walk *walk = arg;
    if (names_sequence(expr)) DDL_APPEND(walk->arena, walk->items, walk->count, expr);
}

static void sequences_on_stack(void *arg)
{
    struct sequence_walk *walk = arg;
    expr_visit(walk->expr, note_sequence, walk);
}

// Writes the sequences' ids in place of their names, so that the default survives a rename.
static struct status name_sequences(
    struct statement_context *context, struct expr *expr, uint32_t *sequence_id)
{
    struct status st = STATUS_OK;
    struct sequence_walk walk = {.arena = context->arena, .expr = expr};
    stack_call(sequences_on_stack, &walk);
    for (uint32_t i = 0; i < walk.count; i++)
        TRY(ddl_name_sequence(context, walk.items[i], sequence_id));
out:
    return st;
}

struct status ddl_default_text(struct statement_context *context, struct expr *expr,
    struct type type, const char **text, uint32_t *sequence_id)
{
    struct status st = STATUS_OK;
    struct ddl_expr_info info;

    *sequence_id = 0;
    ddl_expr_info(context->arena, expr, &info);
    if (info.column_count > 0 || info.has_star)
        return ddl_at(context,
            ddl_error(context, E_FEATURE_NOT_SUPPORTED,
                "cannot use column reference in DEFAULT expression"),
            info.column_count > 0 ? info.positions[0] : POSITION_NONE);
    TRY(refuse_parts(context, &info, "DEFAULT expression"));
    TRY(name_sequences(context, expr, sequence_id));
    if (info.has_string || info.has_function)
        TRY(plan_settle_literals(
            context->task, context->session, context->arena, NULL, expr, type));
    TRY(ddl_qualify_types(context, expr));
    *text = ddl_deparse(context->arena, expr);
out:
    return st;
}

struct status ddl_lone_default_text(
    struct statement_context *context, struct expr *expr, struct type type, const char **text)
{
    struct status st = STATUS_OK;
    uint32_t sequence_id;
    struct datum value;
    TRY(ddl_default_text(context, expr, type, text, &sequence_id));
    if (expr->kind == EXPR_LITERAL)
        TRY(plan_evaluate_constant(
            context->task, context->session, context->arena, expr, NULL, NULL, 0, type, &value));
out:
    return st;
}

struct status ddl_check_text(struct statement_context *context, struct expr *expr, const char *what,
    const struct table_desc *table, uint32_t **columns, uint32_t *column_count, const char **text)
{
    struct status st = STATUS_OK;
    struct ddl_expr_info info;
    uint32_t *ids = NULL, count = 0;

    ddl_expr_info(context->arena, expr, &info);
    TRY(refuse_parts(context, &info, what));
    for (uint32_t i = 0; i < info.column_count; i++) {
        const struct column_desc *column = table_column(table, info.columns[i]);
        if (column == NULL)
            return ddl_at(context,
                ddl_error(
                    context, E_UNDEFINED_COLUMN, "column \"%s\" does not exist", info.columns[i]),
                info.positions[i]);
        DDL_APPEND(context->arena, ids, count, column->id);
    }
    if (info.has_string || info.has_function)
        TRY(plan_settle_literals(context->task, context->session, context->arena, table, expr,
            (struct type){.oid = 0}));
    if (columns != NULL) {
        *columns = ids;
        *column_count = count;
    }
    TRY(ddl_qualify_types(context, expr));
    *text = ddl_deparse(context->arena, expr);
out:
    return st;
}
