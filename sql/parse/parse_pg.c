// SPDX-License-Identifier: GPL-3.0-or-later
//
// The call of libpg_query, and what the readers of its tree share.
#include <pg_query.h>
#include <stdlib.h>

#include "core/invariant.h"
#include "sql/parse/parse_internal.h"

// protobuf-c allocates from the scratch arena and frees nothing: the arena goes as a whole.
static void *unpack_alloc(void *data, size_t size)
{
    return arena_alloc(data, size);
}

static void unpack_free(void *data, void *pointer)
{
    (void)data;
    (void)pointer;
}

// PostgreSQL's parser says only the message; these are the few that are not syntax errors.
static uint32_t error_code(const char *message)
{
    if (strstr(message, "not yet implemented") != NULL ||
        strstr(message, "not supported") != NULL || strstr(message, "not implemented") != NULL)
        return E_FEATURE_NOT_SUPPORTED;
    if (strstr(message, "cannot include schema elements") != NULL) return E_FEATURE_NOT_SUPPORTED;
    if (strcmp(message, "memory exhausted") == 0) return E_STATEMENT_TOO_COMPLEX;
    if (strcmp(message, "out of memory") == 0) return E_OUT_OF_MEMORY;
    if (strncmp(message, "invalid byte sequence", 21) == 0) return E_CHARACTER_NOT_IN_REPERTOIRE;
    if (strncmp(message, "frame start", 11) == 0 || strncmp(message, "frame end ", 10) == 0)
        return E_WINDOWING_ERROR;
    return E_SYNTAX_ERROR;
}

// The grammar's errors come without the hints that PostgreSQL has for them.
static struct status with_hint(struct parse *parse, struct status st, const char *message)
{
    static const char *const hints[][2] = {
        {"subquery in FROM must have an alias", "For example, FROM (SELECT ...) [AS] foo."},
        {"VALUES in FROM must have an alias", "For example, FROM (VALUES ...) [AS] foo."},
    };
    for (size_t i = 0; i < sizeof hints / sizeof hints[0]; i++)
        if (strcmp(message, hints[i][0]) == 0)
            st = status_hint(parse->arena, st, "%s", hints[i][1]);
    return st;
}

// `character` counts from 1 in the rewritten text.
static void report(struct parse *parse, const struct rewrite *rewrite, const PgQueryError *error)
{
    const struct bytes text = buffer_bytes(&rewrite->text);
    uint32_t offset = 0;
    for (int character = 1; character < error->cursorpos && offset < text.size; character++) {
        offset++;
        while (offset < text.size && (text.data[offset] & 0xc0) == 0x80)
            offset++;
    }
    const char *message = error->message;
    // An error at what we put after the text is one at its end.
    const struct segment *last = &rewrite->segments[rewrite->segment_count - 1];
    if (last->inserted && offset >= last->out && rewrite->segment_count > 1 &&
        strncmp(message, "syntax error at or near", 23) == 0)
        message = "syntax error at end of input";

    uint32_t position = rewrite_position(rewrite, (int32_t)offset);
    if (strstr(message, "at end of input") != NULL) {
        // Where the statement ends: a semicolon was not part of what was parsed.
        struct lexer lexer;
        lexer_init(&lexer, parse->text);
        lexer.at = position = rewrite->end;
        struct token token = lexer_next(&lexer);
        if (token_is_char(&lexer, token, ';')) {
            position = token.position;
            message = "syntax error at or near \";\"";
        }
    }
    struct status st = status_format(parse->arena, error_code(message), "%s", message);
    if (error->cursorpos > 0) st = parse_error_at(parse->arena, st, parse->text, position);
    parse_fail(parse, with_hint(parse, st, message));
}

PgQuery__ParseResult *pg_parse(struct parse *parse, const struct rewrite *rewrite)
{
    PgQueryProtobufParseResult raw = pg_query_parse_protobuf((const char *)rewrite->text.data);
    PgQuery__ParseResult *result = NULL;
    if (raw.error != NULL) {
        report(parse, rewrite, raw.error);
    } else {
        ProtobufCAllocator allocator = {unpack_alloc, unpack_free, parse->scratch};
        result = pg_query__parse_result__unpack(
            &allocator, raw.parse_tree.len, (const uint8_t *)raw.parse_tree.data);
        if (result == NULL)
            parse_fail(parse, status_make(E_INTERNAL, "the parser's tree could not be read"));
    }
    pg_query_free_protobuf_parse_result(raw);
    return result;
}

void convert_init(struct convert *convert, struct parse *parse, const struct rewrite *rewrite)
{
    *convert = (struct convert){.parse = parse, .arena = parse->arena, .rewrite = rewrite};
}

bool convert_enter(struct convert *convert)
{
    convert->depth++;
    if (convert->depth > convert->parse->depth_max) convert->parse->depth_max = convert->depth;
    if ((++convert->item_count & 1023) == 0 && arena_over_limit(convert->arena))
        parse_fail(convert->parse, arena_check(convert->arena));
    // The first pass bounds what libpg_query recurses over; this bounds our own tree.
    if (convert->depth > AST_DEPTH_MAX)
        parse_fail_at(
            convert->parse, E_STATEMENT_TOO_COMPLEX, POSITION_NONE, "stack depth limit exceeded");
    return !failed(convert->parse->st);
}

uint32_t convert_position(const struct convert *convert, int32_t location)
{
    return rewrite_position(convert->rewrite, location);
}

void convert_unsupported(struct convert *convert, int32_t location, const char *what)
{
    if (failed(convert->parse->st)) return;
    struct status st =
        status_format(convert->arena, E_FEATURE_NOT_SUPPORTED, "%s is not supported", what);
    parse_fail(convert->parse, parse_error_at(convert->arena, st, convert->parse->text,
                                   convert_position(convert, location)));
}

const char *convert_string(struct convert *convert, const char *text)
{
    return text == NULL || *text == 0 ? NULL : arena_strdup(convert->arena, text);
}

const char *node_text(const PgQuery__Node *node)
{
    if (node == NULL) return "";
    if (node->node_case == PG_QUERY__NODE__NODE_STRING) return node->string->sval;
    if (node->node_case == PG_QUERY__NODE__NODE_A_CONST &&
        node->a_const->val_case == PG_QUERY__A__CONST__VAL_SVAL)
        return node->a_const->sval->sval;
    return "";
}

struct name_list convert_names(struct convert *convert, size_t count, PgQuery__Node **nodes)
{
    struct name_list list = {ARENA_ARRAY(convert->arena, const char *, count), (uint32_t)count};
    for (size_t i = 0; i < count; i++)
        list.items[i] = arena_strdup(convert->arena, node_text(nodes[i]));
    return list;
}

struct object_name convert_object_name(
    struct convert *convert, size_t count, PgQuery__Node **nodes, uint32_t position)
{
    struct object_name name = {.position = position};
    if (count == 0 || count > 3) {
        parse_fail_at(convert->parse, E_SYNTAX_ERROR, position,
            "improper qualified name (too many dotted names)");
        name.name = "";
        return name;
    }
    name.name = arena_strdup(convert->arena, node_text(nodes[count - 1]));
    if (count > 1) name.schema = convert_string(convert, node_text(nodes[count - 2]));
    if (count > 2) name.catalog = convert_string(convert, node_text(nodes[0]));
    return name;
}

struct object_name convert_range_var(struct convert *convert, const PgQuery__RangeVar *var)
{
    if (var == NULL) return (struct object_name){.position = POSITION_NONE};
    return (struct object_name){
        .catalog = convert_string(convert, var->catalogname),
        .schema = convert_string(convert, var->schemaname),
        .name = arena_strdup(convert->arena, var->relname),
        .position = convert_position(convert, var->location),
    };
}

struct object_name_list convert_range_vars(
    struct convert *convert, size_t count, PgQuery__Node **nodes)
{
    struct object_name_list list = {ARENA_ARRAY(convert->arena, struct object_name, count), 0};
    for (size_t i = 0; i < count; i++) {
        const PgQuery__Node *node = nodes[i];
        const PgQuery__RangeVar *var = NULL;
        if (node->node_case == PG_QUERY__NODE__NODE_RANGE_VAR) var = node->range_var;
        if (node->node_case == PG_QUERY__NODE__NODE_VACUUM_RELATION)
            var = node->vacuum_relation->relation;
        if (var != NULL) list.items[list.count++] = convert_range_var(convert, var);
    }
    return list;
}

struct role_name convert_role(struct convert *convert, const PgQuery__RoleSpec *role)
{
    struct role_name name = {.kind = ROLE_CURRENT, .position = POSITION_NONE};
    if (role == NULL) return name;
    name.position = convert_position(convert, role->location);
    switch (role->roletype) {
    case PG_QUERY__ROLE_SPEC_TYPE__ROLESPEC_SESSION_USER: name.kind = ROLE_SESSION; break;
    case PG_QUERY__ROLE_SPEC_TYPE__ROLESPEC_PUBLIC: name.kind = ROLE_PUBLIC; break;
    case PG_QUERY__ROLE_SPEC_TYPE__ROLESPEC_CSTRING:
        name.kind = ROLE_NAMED;
        name.name = arena_strdup(convert->arena, role->rolename);
        break;
    default: break;
    }
    return name;
}

struct role_list convert_roles(struct convert *convert, size_t count, PgQuery__Node **nodes)
{
    struct role_list list = {ARENA_ARRAY(convert->arena, struct role_name, count), (uint32_t)count};
    for (size_t i = 0; i < count; i++) {
        const PgQuery__Node *node = nodes[i];
        list.items[i] = convert_role(
            convert, node->node_case == PG_QUERY__NODE__NODE_ROLE_SPEC ? node->role_spec : NULL);
    }
    return list;
}

enum drop_behavior convert_behavior(PgQuery__DropBehavior behavior)
{
    return behavior == PG_QUERY__DROP_BEHAVIOR__DROP_CASCADE ? DROP_CASCADE : DROP_DEFAULT;
}

enum persistence convert_persistence(const PgQuery__RangeVar *var)
{
    if (var == NULL || var->relpersistence == NULL) return PERSISTENCE_PERMANENT;
    switch (*var->relpersistence) {
    case 't': return PERSISTENCE_TEMPORARY;
    case 'u': return PERSISTENCE_UNLOGGED;
    default: return PERSISTENCE_PERMANENT;
    }
}

struct expr *convert_string_literal(struct convert *convert, const char *text, int32_t location)
{
    struct expr *expr = convert_new(convert, EXPR_LITERAL, location);
    expr->literal.kind = LITERAL_STRING;
    expr->literal.text = arena_copy(convert->arena, bytes_of_string(text));
    return expr;
}

static struct expr *number_literal(
    struct convert *convert, const PgQuery__Node *node, int32_t location)
{
    struct expr *expr = convert_new(convert, EXPR_LITERAL, location);
    if (node->node_case == PG_QUERY__NODE__NODE_INTEGER) {
        expr->literal.kind = LITERAL_INTEGER;
        expr->literal.integer = node->integer->ival;
        expr->literal.text =
            bytes_of_string(arena_printf(convert->arena, "%d", node->integer->ival));
    } else {
        expr->literal.kind = LITERAL_DECIMAL;
        expr->literal.text = arena_copy(convert->arena, bytes_of_string(node->float_->fval));
    }
    return expr;
}

// A value of an option: what PostgreSQL calls def_arg and its kin.
static struct expr *option_value(
    struct convert *convert, const PgQuery__Node *node, int32_t location)
{
    if (node == NULL) return NULL;
    switch (node->node_case) {
    case PG_QUERY__NODE__NODE_STRING:
        return convert_string_literal(convert, node->string->sval, location);
    case PG_QUERY__NODE__NODE_INTEGER:
    case PG_QUERY__NODE__NODE_FLOAT: return number_literal(convert, node, location);
    case PG_QUERY__NODE__NODE_BOOLEAN: {
        struct expr *expr = convert_new(convert, EXPR_LITERAL, location);
        expr->literal.kind = LITERAL_BOOL;
        expr->literal.boolean = node->boolean->boolval;
        return expr;
    }
    case PG_QUERY__NODE__NODE_TYPE_NAME: {
        const PgQuery__TypeName *type = node->type_name;
        const char *name = type->n_names > 0 ? node_text(type->names[type->n_names - 1]) : "";
        return convert_string_literal(convert, name, type->location);
    }
    case PG_QUERY__NODE__NODE_ROLE_SPEC:
        return convert_string_literal(convert, node->role_spec->rolename, location);
    case PG_QUERY__NODE__NODE_A_STAR: {
        struct expr *expr = convert_new(convert, EXPR_COLUMN, location);
        expr->column.star = true;
        return expr;
    }
    case PG_QUERY__NODE__NODE_LIST: {
        struct expr *expr = convert_new(convert, EXPR_ROW, location);
        const PgQuery__List *list = node->list;
        expr->row.items.items = ARENA_ARRAY(convert->arena, struct expr *, list->n_items);
        expr->row.items.count = (uint32_t)list->n_items;
        for (size_t i = 0; i < list->n_items; i++)
            expr->row.items.items[i] = option_value(convert, list->items[i], location);
        return expr;
    }
    default: return convert_expr(convert, node);
    }
}

// OWNED BY t.c, SEQUENCE NAME s.
static bool names_a_sequence_or_column(const PgQuery__DefElem *element)
{
    return (strcmp(element->defname, "owned_by") == 0 ||
               strcmp(element->defname, "sequence_name") == 0) &&
           element->arg != NULL && element->arg->node_case == PG_QUERY__NODE__NODE_LIST;
}

static struct expr *name_value(struct convert *convert, const PgQuery__DefElem *element)
{
    struct expr *column = convert_new(convert, EXPR_COLUMN, element->location);
    struct name_list names =
        convert_names(convert, element->arg->list->n_items, element->arg->list->items);
    column->column.names = names.items;
    column->column.count = names.count;
    return column;
}

struct option_list convert_options(struct convert *convert, size_t count, PgQuery__Node **nodes)
{
    struct option_list list = {ARENA_ARRAY(convert->arena, struct option, count), 0};
    for (size_t i = 0; i < count; i++) {
        if (nodes[i]->node_case != PG_QUERY__NODE__NODE_DEF_ELEM) continue;
        const PgQuery__DefElem *element = nodes[i]->def_elem;
        struct option *option = &list.items[list.count++];
        option->name = *element->defnamespace == 0 ? arena_strdup(convert->arena, element->defname)
                                                   : arena_printf(convert->arena, "%s.%s",
                                                         element->defnamespace, element->defname);
        option->position = convert_position(convert, element->location);
        option->value = names_a_sequence_or_column(element)
                            ? name_value(convert, element)
                            : option_value(convert, element->arg, element->location);
    }
    return list;
}

// --- the statement -------------------------------------------------------------------------------

static const PgQuery__SelectStmt *leftmost(const PgQuery__SelectStmt *stmt)
{
    while (stmt->larg != NULL)
        stmt = stmt->larg;
    return stmt;
}

static void query_statement(
    struct convert *convert, const PgQuery__SelectStmt *stmt, struct statement *out)
{
    const PgQuery__IntoClause *into = leftmost(stmt)->into_clause;
    out->tag = STATEMENT_SELECT;
    out->as.select = convert_select(convert, stmt);
    if (into == NULL) return;
    struct statement *query = ARENA_NEW(convert->arena, struct statement);
    *query = *out;
    out->tag = STATEMENT_CREATE_TABLE_AS;
    out->as.create_table_as = convert_into(convert, into, query);
    out->as.create_table_as->select_into = true;
}

struct statement *pg_statement(struct convert *convert, const PgQuery__Node *node)
{
    struct statement *out = ARENA_NEW(convert->arena, struct statement);
    const struct rewrite *rewrite = convert->rewrite;
    out->position = rewrite_position(rewrite, 0);
    bool known = true;
    switch (node->node_case) {
    case PG_QUERY__NODE__NODE_SELECT_STMT: query_statement(convert, node->select_stmt, out); break;
    case PG_QUERY__NODE__NODE_INSERT_STMT:
        out->tag = STATEMENT_INSERT;
        out->as.insert = convert_insert(convert, node->insert_stmt);
        break;
    case PG_QUERY__NODE__NODE_UPDATE_STMT:
        out->tag = STATEMENT_UPDATE;
        out->as.update = convert_update(convert, node->update_stmt);
        break;
    case PG_QUERY__NODE__NODE_DELETE_STMT:
        out->tag = STATEMENT_DELETE;
        out->as.delete_ = convert_delete(convert, node->delete_stmt);
        break;
    default:
        known = pg_ddl_statement(convert, node, out) ||
                pg_function_statement(convert, node, out) || pg_alter_statement(convert, node, out) ||
                pg_utility_statement(convert, node, out) ||
                pg_privilege_statement(convert, node, out);
    }
    if (!known) {
        out->tag = STATEMENT_UNSUPPORTED;
        out->as.unsupported = ARENA_NEW(convert->arena, struct unsupported);
        out->as.unsupported->feature = pg_feature_name(node);
        if (node->node_case == PG_QUERY__NODE__NODE_DO_STMT)
            out->as.unsupported->hint = "There is no PL/pgSQL: send the block's statements by themselves, with IF NOT EXISTS where they have it.";
    }
    out->as_of = rewrite->as_of;
    return out;
}

const char *parse_grammar_version(void)
{
    return PG_VERSION " (libpg_query)";
}
