// SPDX-License-Identifier: GPL-3.0-or-later
//
// CREATE and ALTER FUNCTION and PROCEDURE, and CREATE COLLATION, out of libpg_query's tree.
#include "sql/parse/parse_internal.h"

#define NODE(name) PG_QUERY__NODE__NODE_##name
#define NEW(member, type) (out->as.member = ARENA_NEW(convert->arena, type))

struct object_name convert_function_name(
    struct convert *convert, const PgQuery__ObjectWithArgs *node)
{
    struct object_name name =
        convert_object_name(convert, node->n_objname, node->objname, POSITION_NONE);
    if (node->args_unspecified) return name;
    struct signature *signature = ARENA_NEW(convert->arena, struct signature);
    signature->types.items = ARENA_ARRAY(convert->arena, struct type_name *, node->n_objargs);
    for (size_t i = 0; i < node->n_objargs; i++)
        if (node->objargs[i]->node_case == NODE(TYPE_NAME))
            signature->types.items[signature->types.count++] =
                convert_type(convert, node->objargs[i]->type_name);
    name.signature = signature;
    return name;
}

static char mode_of(PgQuery__FunctionParameterMode mode)
{
    switch (mode) {
    case PG_QUERY__FUNCTION_PARAMETER_MODE__FUNC_PARAM_OUT: return 'o';
    case PG_QUERY__FUNCTION_PARAMETER_MODE__FUNC_PARAM_INOUT: return 'b';
    case PG_QUERY__FUNCTION_PARAMETER_MODE__FUNC_PARAM_VARIADIC: return 'v';
    case PG_QUERY__FUNCTION_PARAMETER_MODE__FUNC_PARAM_TABLE: return 't';
    default: return 'i';
    }
}

static const char *text_of(struct convert *convert, const PgQuery__Node *node)
{
    if (node == NULL) return "";
    switch (node->node_case) {
    case NODE(STRING): return arena_strdup(convert->arena, node_text(node));
    case NODE(INTEGER): return arena_printf(convert->arena, "%d", node->integer->ival);
    case NODE(FLOAT): return arena_strdup(convert->arena, node->float_->fval);
    default: return "";
    }
}

static bool truth_of(const PgQuery__Node *node)
{
    return node != NULL && node->node_case == NODE(BOOLEAN) && node->boolean->boolval;
}

static void option(struct convert *convert, struct function_options *out, const char *name,
    const PgQuery__Node *arg)
{
    const char *text = text_of(convert, arg);
    if (strcmp(name, "volatility") == 0)
        out->volatility = *text;
    else if (strcmp(name, "parallel") == 0)
        out->parallel = *text;
    else if (strcmp(name, "strict") == 0)
        out->strict = truth_of(arg) ? 'y' : 'n';
    else if (strcmp(name, "leakproof") == 0)
        out->leakproof = truth_of(arg) ? 'y' : 'n';
    else if (strcmp(name, "security") == 0)
        out->security_definer = truth_of(arg) ? 'y' : 'n';
    else if (strcmp(name, "cost") == 0)
        out->cost = text;
    else if (strcmp(name, "rows") == 0)
        out->rows = text;
    else if (strcmp(name, "set") == 0 && arg != NULL && arg->node_case == NODE(VARIABLE_SET_STMT))
        out->settings[out->setting_count++] = pg_set_variable(convert, arg->variable_set_stmt);
    else
        out->unsupported = arena_strdup(convert->arena, name);
}

// RETURN expr is SELECT expr.
static struct statement *return_statement(
    struct convert *convert, const PgQuery__ReturnStmt *node)
{
    struct statement *statement = ARENA_NEW(convert->arena, struct statement);
    struct select *select = ARENA_NEW(convert->arena, struct select);
    statement->tag = STATEMENT_SELECT;
    statement->as.select = select;
    select->kind = SELECT_SIMPLE;
    select->targets.items = ARENA_ARRAY(convert->arena, struct target, 1);
    select->targets.count = 1;
    select->targets.items[0].expr = convert_expr(convert, node->returnval);
    return statement;
}

static void add_statement(
    struct convert *convert, struct create_function *function, const PgQuery__Node *node)
{
    struct statement **slot = &function->statements[function->statement_count++];
    *slot = node->node_case == NODE(RETURN_STMT) ? return_statement(convert, node->return_stmt)
                                                 : pg_statement(convert, node);
}

static void body(
    struct convert *convert, struct create_function *function, const PgQuery__Node *node)
{
    uint32_t parameters = convert->parse->parameter_count;
    if (node->node_case == NODE(RETURN_STMT)) {
        function->body_kind = 'r';
        function->statements = ARENA_ARRAY(convert->arena, struct statement *, 1);
        add_statement(convert, function, node);
    } else if (node->node_case == NODE(LIST)) {
        const PgQuery__List *list = node->list;
        if (list->n_items == 1 && list->items[0]->node_case == NODE(LIST))
            list = list->items[0]->list;
        function->body_kind = 'a';
        function->statements =
            ARENA_ARRAY(convert->arena, struct statement *, list->n_items + 1);
        for (size_t i = 0; i < list->n_items; i++)
            if (list->items[i]->node_case != PG_QUERY__NODE__NODE__NOT_SET)
                add_statement(convert, function, list->items[i]);
    }
    convert->parse->parameter_count = parameters; // $1 in there is the function's.
}

static void create_function(
    struct convert *convert, const PgQuery__CreateFunctionStmt *stmt, struct statement *out)
{
    struct create_function *function = NEW(create_function, struct create_function);
    out->tag = STATEMENT_CREATE_FUNCTION;
    function->name =
        convert_object_name(convert, stmt->n_funcname, stmt->funcname, POSITION_NONE);
    function->replace = stmt->replace;
    function->procedure = stmt->is_procedure;
    function->parameters =
        ARENA_ARRAY(convert->arena, struct function_parameter, stmt->n_parameters);
    for (size_t i = 0; i < stmt->n_parameters; i++) {
        if (stmt->parameters[i]->node_case != NODE(FUNCTION_PARAMETER)) continue;
        const PgQuery__FunctionParameter *node = stmt->parameters[i]->function_parameter;
        function->parameters[function->parameter_count++] =
            (struct function_parameter){.name = arena_strdup(convert->arena, node->name),
                .mode = mode_of(node->mode),
                .type = convert_type(convert, node->arg_type),
                .default_expr = convert_expr(convert, node->defexpr)};
    }
    if (stmt->return_type != NULL) function->returns = convert_type(convert, stmt->return_type);
    function->options.settings = ARENA_ARRAY(convert->arena, struct set_variable *, stmt->n_options + 1);
    for (size_t i = 0; i < stmt->n_options; i++) {
        if (stmt->options[i]->node_case != NODE(DEF_ELEM)) continue;
        const PgQuery__DefElem *element = stmt->options[i]->def_elem;
        const PgQuery__Node *arg = element->arg;
        if (strcmp(element->defname, "language") == 0) {
            function->language = text_of(convert, arg);
        } else if (strcmp(element->defname, "as") == 0) {
            function->body_kind = 'q';
            function->body = arg != NULL && arg->node_case == NODE(LIST) && arg->list->n_items > 0
                ? text_of(convert, arg->list->items[0])
                : text_of(convert, arg);
        } else {
            option(convert, &function->options, element->defname, arg);
        }
    }
    if (stmt->sql_body != NULL) body(convert, function, stmt->sql_body);
}

static void alter_function(
    struct convert *convert, const PgQuery__AlterFunctionStmt *stmt, struct statement *out)
{
    struct alter_function *alter = NEW(alter_function, struct alter_function);
    out->tag = STATEMENT_ALTER_FUNCTION;
    alter->object = stmt->objtype == PG_QUERY__OBJECT_TYPE__OBJECT_PROCEDURE ? OBJECT_PROCEDURE
                                                                             : OBJECT_FUNCTION;
    alter->name = convert_function_name(convert, stmt->func);
    alter->options.settings = ARENA_ARRAY(convert->arena, struct set_variable *, stmt->n_actions + 1);
    for (size_t i = 0; i < stmt->n_actions; i++)
        if (stmt->actions[i]->node_case == NODE(DEF_ELEM))
            option(convert, &alter->options, stmt->actions[i]->def_elem->defname,
                stmt->actions[i]->def_elem->arg);
}

static void create_collation(
    struct convert *convert, const PgQuery__DefineStmt *stmt, struct statement *out)
{
    struct create_collation *create = NEW(create_collation, struct create_collation);
    out->tag = STATEMENT_CREATE_COLLATION;
    create->name = convert_object_name(convert, stmt->n_defnames, stmt->defnames, POSITION_NONE);
    create->if_not_exists = stmt->if_not_exists;
    const PgQuery__Node *first = stmt->n_definition == 0 ? NULL : stmt->definition[0];
    const PgQuery__DefElem *from = first == NULL || first->node_case != NODE(DEF_ELEM) ||
            strcmp(first->def_elem->defname, "from") != 0
        ? NULL
        : first->def_elem;
    if (from != NULL && from->arg != NULL && from->arg->node_case == NODE(LIST))
        create->from = convert_object_name(
            convert, from->arg->list->n_items, from->arg->list->items, POSITION_NONE);
    else
        create->options = convert_options(convert, stmt->n_definition, stmt->definition);
}

bool pg_function_statement(
    struct convert *convert, const PgQuery__Node *node, struct statement *out)
{
    switch (node->node_case) {
    case NODE(CREATE_FUNCTION_STMT):
        create_function(convert, node->create_function_stmt, out);
        return true;
    case NODE(ALTER_FUNCTION_STMT):
        alter_function(convert, node->alter_function_stmt, out);
        return true;
    case NODE(DEFINE_STMT):
        if (node->define_stmt->kind != PG_QUERY__OBJECT_TYPE__OBJECT_COLLATION) return false;
        create_collation(convert, node->define_stmt, out);
        return true;
    default: return false;
    }
}
