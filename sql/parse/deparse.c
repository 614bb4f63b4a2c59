// SPDX-License-Identifier: GPL-3.0-or-later
//
// Names, literals, types and expressions as text.
#include "sql/parse/deparse.h"

#include "core/task.h"
#include "core/text.h"
#include "sql/parse/deparse_internal.h"
#include "sql/parse/lexer.h"

// --- names and literals --------------------------------------------------------------------------

static bool needs_quotes(const char *name)
{
    if (*name == 0) return true;
    for (const char *at = name; *at != 0; at++) {
        char c = *at;
        bool plain = (c >= 'a' && c <= 'z') || c == '_' || (c & 0x80) != 0 ||
                     (at > name && ((c >= '0' && c <= '9') || c == '$'));
        if (!plain) return true;
    }
    return keyword_is_reserved(bytes_of_string(name));
}

void deparse_identifier(struct buffer *out, const char *name)
{
    if (!needs_quotes(name)) {
        buffer_append_string(out, name);
        return;
    }
    buffer_append_u8(out, '"');
    for (; *name != 0; name++) {
        if (*name == '"') buffer_append_u8(out, '"');
        buffer_append_u8(out, (uint8_t)*name);
    }
    buffer_append_u8(out, '"');
}

void deparse_string(struct buffer *out, struct bytes text)
{
    buffer_append_u8(out, '\'');
    for (size_t i = 0; i < text.size; i++) {
        if (text.data[i] == '\'') buffer_append_u8(out, '\'');
        buffer_append_u8(out, text.data[i]);
    }
    buffer_append_u8(out, '\'');
}

// Parameters of a URI that are no secret and help to recognise it.
static bool is_public_parameter(struct bytes name)
{
    static const char *const names[] = {
        "sslmode", "options", "application_name", "crdb_route", "sslinline", "cluster", NULL};
    for (const char *const *at = names; *at != NULL; at++) {
        if (bytes_equal(name, bytes_of_string(*at))) return true;
    }
    return false;
}

void deparse_redact_uri(struct buffer *out, struct bytes uri)
{
    const uint8_t *scheme = memmem(uri.data, uri.size, "://", 3);
    if (uri.size == 0 || scheme == NULL) {
        buffer_append_bytes(out, uri);
        return;
    }
    size_t at = (size_t)(scheme - uri.data) + 3;
    buffer_append(out, uri.data, at);
    size_t end = at; // Of the authority.
    while (end < uri.size && uri.data[end] != '/' && uri.data[end] != '?')
        end++;
    // The user's part ends at the last @ before the path; a password may hold one unescaped.
    size_t host = at;
    for (size_t i = at; i < end; i++) {
        if (uri.data[i] == '@') host = i + 1;
    }
    if (host > at) {
        const uint8_t *colon = memchr(uri.data + at, ':', host - at);
        size_t user_end = colon == NULL ? host - 1 : (size_t)(colon - uri.data);
        buffer_append(out, uri.data + at, user_end - at);
        buffer_append_string(out, colon == NULL ? "@" : ":redacted@");
    }
    const uint8_t *query = memchr(uri.data + host, '?', uri.size - host);
    size_t path_end = query == NULL ? uri.size : (size_t)(query - uri.data);
    buffer_append(out, uri.data + host, path_end - host);
    for (at = path_end; at < uri.size;) {
        buffer_append_u8(out, uri.data[at++]); // ? or &
        size_t stop = at;
        while (stop < uri.size && uri.data[stop] != '&')
            stop++;
        const uint8_t *equals = memchr(uri.data + at, '=', stop - at);
        size_t name_end = equals == NULL ? stop : (size_t)(equals - uri.data);
        struct bytes name = bytes_of(uri.data + at, name_end - at);
        if (equals == NULL || is_public_parameter(name)) {
            buffer_append(out, uri.data + at, stop - at);
        } else {
            buffer_append_bytes(out, name);
            buffer_append_string(out, "=redacted");
        }
        at = stop;
    }
}

void put_upper(struct deparse *deparse, const char *text)
{
    for (; *text != 0; text++)
        buffer_append_u8(deparse->out, (uint8_t)ascii_upper(*text));
}

void put_name(struct deparse *deparse, const char *name)
{
    deparse_identifier(deparse->out, name);
}

void put_names(struct deparse *deparse, struct name_list names)
{
    for (uint32_t i = 0; i < names.count; i++) {
        if (i > 0) put(deparse, ", ");
        put_name(deparse, names.items[i]);
    }
}

void put_name_list(struct deparse *deparse, struct name_list names)
{
    if (names.count == 0) return;
    put(deparse, "(");
    put_names(deparse, names);
    put(deparse, ")");
}

void put_object_name(struct deparse *deparse, struct object_name name)
{
    if (name.catalog != NULL) {
        put_name(deparse, name.catalog);
        put(deparse, ".");
    }
    if (name.schema != NULL) {
        put_name(deparse, name.schema);
        put(deparse, ".");
    }
    if (name.table != NULL) {
        put_name(deparse, name.table);
        put(deparse, "@");
    }
    put_name(deparse, name.name);
    if (name.signature == NULL) return;
    put(deparse, "(");
    for (uint32_t i = 0; i < name.signature->types.count; i++) {
        if (i > 0) put(deparse, ", ");
        put_type(deparse, name.signature->types.items[i]);
    }
    put(deparse, ")");
}

void put_object_names(struct deparse *deparse, struct object_name_list names)
{
    for (uint32_t i = 0; i < names.count; i++) {
        if (i > 0) put(deparse, ", ");
        put_object_name(deparse, names.items[i]);
    }
}

void put_role(struct deparse *deparse, struct role_name role)
{
    switch (role.kind) {
    case ROLE_CURRENT: put(deparse, "CURRENT_USER"); break;
    case ROLE_SESSION: put(deparse, "SESSION_USER"); break;
    case ROLE_PUBLIC: put(deparse, "PUBLIC"); break;
    default: put_name(deparse, role.name);
    }
}

void put_roles(struct deparse *deparse, struct role_list roles)
{
    for (uint32_t i = 0; i < roles.count; i++) {
        if (i > 0) put(deparse, ", ");
        put_role(deparse, roles.items[i]);
    }
}

void put_string(struct deparse *deparse, struct bytes text)
{
    deparse_string(deparse->out, text);
}

static void put_literal(struct deparse *deparse, const struct expr *expr)
{
    if ((deparse->flags & DEPARSE_HIDE_LITERALS) && expr->literal.kind != LITERAL_NULL) {
        put(deparse, "_");
        return;
    }
    struct bytes text = expr->literal.text;
    switch (expr->literal.kind) {
    case LITERAL_NULL: put(deparse, "NULL"); break;
    case LITERAL_BOOL: put(deparse, expr->literal.boolean ? "true" : "false"); break;
    case LITERAL_STRING: put_string(deparse, text); break;
    case LITERAL_BITS: // b0101: the letter stands before the quotes.
        if (text.size == 0) break;
        buffer_append_u8(deparse->out, text.data[0]);
        put_string(deparse, bytes_skip(text, 1));
        break;
    default: buffer_append_bytes(deparse->out, text);
    }
}

// --- types ---------------------------------------------------------------------------------------

// PostgreSQL's internal names as they are written.
static const char *spelled(const struct type_name *type)
{
    static const char *const pairs[][2] = {{"int2", "smallint"}, {"int4", "integer"},
        {"int8", "bigint"}, {"float4", "real"}, {"float8", "double precision"}, {"bool", "boolean"},
        {"varchar", "character varying"}, {"bpchar", "character"}, {"numeric", "numeric"},
        {"bit", "bit"}, {"varbit", "bit varying"}, {"interval", "interval"}};
    if (type->schema == NULL || strcmp(type->schema, "pg_catalog") != 0) return NULL;
    for (size_t i = 0; i < sizeof pairs / sizeof pairs[0]; i++) {
        if (strcmp(type->name, pairs[i][0]) == 0) return pairs[i][1];
    }
    return NULL;
}

static void put_modifiers(struct deparse *deparse, struct expr_list modifiers)
{
    if (modifiers.count == 0) return;
    struct deparse plain = {deparse->out, 0};
    for (uint32_t i = 0; i < modifiers.count; i++) {
        put(deparse, i == 0 ? "(" : ",");
        put_expr(&plain, modifiers.items[i]);
    }
    put(deparse, ")");
}

// interval: the first modifier is a mask of fields, the second the precision.
static void put_interval(struct deparse *deparse, struct expr_list modifiers)
{
    static const struct {
        int32_t mask;
        const char *fields;
    } rows[] = {
        {1 << 2, " YEAR"},
        {1 << 1, " MONTH"},
        {1 << 3, " DAY"},
        {1 << 10, " HOUR"},
        {1 << 11, " MINUTE"},
        {1 << 12, " SECOND"},
        {1 << 2 | 1 << 1, " YEAR TO MONTH"},
        {1 << 3 | 1 << 10, " DAY TO HOUR"},
        {1 << 3 | 1 << 10 | 1 << 11, " DAY TO MINUTE"},
        {1 << 3 | 1 << 10 | 1 << 11 | 1 << 12, " DAY TO SECOND"},
        {1 << 10 | 1 << 11, " HOUR TO MINUTE"},
        {1 << 10 | 1 << 11 | 1 << 12, " HOUR TO SECOND"},
        {1 << 11 | 1 << 12, " MINUTE TO SECOND"},
    };
    put(deparse, "interval");
    if (modifiers.count == 0) return;
    int32_t mask = modifiers.items[0]->literal.integer;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        if (rows[i].mask == mask) put(deparse, rows[i].fields);
    }
    if (modifiers.count > 1)
        buffer_printf(deparse->out, "(%d)", modifiers.items[1]->literal.integer);
}

// timestamptz(3) is written timestamp(3) with time zone: the short name takes no modifier.
static bool put_zoned(struct deparse *deparse, const struct type_name *type)
{
    static const struct {
        const char *name, *before, *after;
    } rows[] = {{"timestamptz", "timestamp", " with time zone"},
        {"timestamp", "timestamp", " without time zone"}, {"timetz", "time", " with time zone"},
        {"time", "time", " without time zone"}};
    if (type->schema == NULL || strcmp(type->schema, "pg_catalog") != 0) return false;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        if (strcmp(type->name, rows[i].name) != 0) continue;
        put(deparse, rows[i].before);
        put_modifiers(deparse, type->modifiers);
        put(deparse, rows[i].after);
        return true;
    }
    return false;
}

void put_type(struct deparse *deparse, const struct type_name *type)
{
    const char *name = spelled(type);
    if (type->setof) put(deparse, "SETOF ");
    if (name != NULL && strcmp(name, "interval") == 0) {
        put_interval(deparse, type->modifiers);
    } else if (!put_zoned(deparse, type)) {
        if (name != NULL) {
            put(deparse, name);
        } else {
            if (type->schema != NULL) {
                put_name(deparse, type->schema);
                put(deparse, ".");
            }
            put_name(deparse, type->name);
        }
        put_modifiers(deparse, type->modifiers);
    }
    if (type->percent_type) put(deparse, "%TYPE");
    for (uint32_t i = 0; i < type->array_dimensions; i++)
        put(deparse, "[]");
}

static void type_name_on_stack(void *arg)
{
    struct deparse_call *call = arg;
    put_type(&call->deparse, call->tree);
}

void deparse_type_name(struct buffer *out, const struct type_name *type)
{
    struct deparse_call call = {{out, 0}, type};
    stack_call(type_name_on_stack, &call);
}

// --- expressions ---------------------------------------------------------------------------------

void put_exprs(struct deparse *deparse, struct expr_list list)
{
    for (uint32_t i = 0; i < list.count; i++) {
        if (i > 0) put(deparse, ", ");
        put_expr(deparse, list.items[i]);
    }
}

static bool is_atom(const struct expr *expr)
{
    switch (expr->kind) {
    case EXPR_LITERAL: {
        // -1 is an operator to the grammar, but a literal when a tree is built by hand.
        struct bytes text = expr->literal.text;
        return text.size == 0 || text.data[0] != '-' || expr->literal.kind == LITERAL_STRING;
    }
    case EXPR_PARAMETER:
    case EXPR_COLUMN:
    case EXPR_CASE:
    case EXPR_COALESCE:
    case EXPR_GREATEST:
    case EXPR_LEAST:
    case EXPR_NULLIF:
    case EXPR_ARRAY:
    case EXPR_SUBSCRIPT:
    case EXPR_FIELD:
    case EXPR_ROW:
    case EXPR_SQL_VALUE:
    case EXPR_GROUPING:
    case EXPR_XML:
    case EXPR_DEFAULT: return true;
    case EXPR_FUNCTION: return !expr->function->sql_syntax;
    case EXPR_SUBLINK:
        return expr->sublink.kind == SUBLINK_SCALAR || expr->sublink.kind == SUBLINK_EXISTS ||
               expr->sublink.kind == SUBLINK_ARRAY;
    default: return false;
    }
}

void put_operand(struct deparse *deparse, const struct expr *expr)
{
    bool atom = is_atom(expr);
    if (!atom) put(deparse, "(");
    put_expr(deparse, expr);
    if (!atom) put(deparse, ")");
}

static void put_column_reference(struct deparse *deparse, const struct expr *expr)
{
    for (uint32_t i = 0; i < expr->column.count; i++) {
        if (i > 0) put(deparse, ".");
        put_name(deparse, expr->column.names[i]);
    }
    if (expr->column.star) put(deparse, expr->column.count > 0 ? ".*" : "*");
}

// a + b + c: the same left-associative operator again needs no parentheses on its left.
static bool is_chain(const struct expr *expr)
{
    const struct expr *left = expr->op.left;
    return expr->op.schema == NULL && left->kind == EXPR_OPERATOR && left->op.schema == NULL &&
           left->op.left != NULL && strcmp(left->op.name, expr->op.name) == 0 &&
           strpbrk(expr->op.name, "<>=!") == NULL;
}

static void put_operation(struct deparse *deparse, const struct expr *expr)
{
    if (expr->op.left != NULL) {
        if (is_chain(expr)) {
            put_expr(deparse, expr->op.left);
        } else {
            put_operand(deparse, expr->op.left);
        }
        put(deparse, " ");
    }
    if (expr->op.schema != NULL) {
        put(deparse, "OPERATOR(");
        put_name(deparse, expr->op.schema);
        put(deparse, ".");
        put(deparse, expr->op.name);
        put(deparse, ")");
    } else {
        put(deparse, expr->op.name);
    }
    // A prefix sign hugs its number; any other keeps its distance, lest - - become a comment.
    bool sign =
        expr->op.left == NULL && expr->op.right->kind == EXPR_LITERAL && expr->op.schema == NULL;
    if (!sign) put(deparse, " ");
    put_operand(deparse, expr->op.right);
}

static void put_joined(struct deparse *deparse, struct expr_list list, const char *between)
{
    for (uint32_t i = 0; i < list.count; i++) {
        if (i > 0) put(deparse, between);
        put_operand(deparse, list.items[i]);
    }
}

static void put_call_list(struct deparse *deparse, const char *name, struct expr_list list)
{
    put(deparse, name);
    put(deparse, "(");
    put_exprs(deparse, list);
    put(deparse, ")");
}

static void put_like(struct deparse *deparse, const struct expr *expr)
{
    static const char *const words[] = {"LIKE ", "ILIKE ", "SIMILAR TO "};
    put_operand(deparse, expr->like.arg);
    put(deparse, expr->like.negated ? " NOT " : " ");
    put(deparse, words[expr->like.kind]);
    put_operand(deparse, expr->like.pattern);
    if (expr->like.escape == NULL) return;
    put(deparse, " ESCAPE ");
    put_operand(deparse, expr->like.escape);
}

static void put_between(struct deparse *deparse, const struct expr *expr)
{
    put_operand(deparse, expr->between.arg);
    put(deparse, expr->between.negated ? " NOT BETWEEN " : " BETWEEN ");
    if (expr->between.symmetric) put(deparse, "SYMMETRIC ");
    put_operand(deparse, expr->between.low);
    put(deparse, " AND ");
    put_operand(deparse, expr->between.high);
}

static void put_case(struct deparse *deparse, const struct expr *expr)
{
    put(deparse, "CASE");
    if (expr->casing.arg != NULL) {
        put(deparse, " ");
        put_operand(deparse, expr->casing.arg);
    }
    for (uint32_t i = 0; i < expr->casing.count; i++) {
        put(deparse, " WHEN ");
        put_expr(deparse, expr->casing.whens[i].condition);
        put(deparse, " THEN ");
        put_expr(deparse, expr->casing.whens[i].result);
    }
    if (expr->casing.otherwise != NULL) {
        put(deparse, " ELSE ");
        put_expr(deparse, expr->casing.otherwise);
    }
    put(deparse, " END");
}

// The SQL-syntax calls whose plain form would not be read back as the same.
static bool put_sql_syntax(struct deparse *deparse, const struct function_expr *call)
{
    if (!call->sql_syntax) return false;
    const struct expr_list args = call->args;
    if (strcmp(call->name, "timezone") == 0 && args.count == 2) {
        put_operand(deparse, args.items[1]);
        put(deparse, " AT TIME ZONE ");
        put_operand(deparse, args.items[0]);
        return true;
    }
    if (strcmp(call->name, "extract") == 0 && args.count == 2) {
        // The field is a word, never a value to hide.
        put(deparse, "EXTRACT(");
        struct deparse plain = {deparse->out, 0};
        put_expr(&plain, args.items[0]);
        put(deparse, " FROM ");
        put_expr(deparse, args.items[1]);
        put(deparse, ")");
        return true;
    }
    if (strcmp(call->name, "xmlexists") == 0 && args.count == 2) {
        put(deparse, "XMLEXISTS((");
        put_expr(deparse, args.items[0]);
        put(deparse, ") PASSING (");
        put_expr(deparse, args.items[1]);
        put(deparse, "))");
        return true;
    }
    if (strcmp(call->name, "overlaps") == 0 && args.count == 4) {
        put(deparse, "(");
        put_exprs(deparse, (struct expr_list){args.items, 2});
        put(deparse, ") OVERLAPS (");
        put_exprs(deparse, (struct expr_list){args.items + 2, 2});
        put(deparse, ")");
        return true;
    }
    return false;
}

static void put_function(struct deparse *deparse, const struct function_expr *call)
{
    if (put_sql_syntax(deparse, call)) return;
    if (call->schema != NULL) {
        put_name(deparse, call->schema);
        put(deparse, ".");
    }
    put_name(deparse, call->name);
    put(deparse, "(");
    if (call->distinct) put(deparse, "DISTINCT ");
    if (call->star) put(deparse, "*");
    for (uint32_t i = 0; i < call->args.count; i++) {
        if (i > 0) put(deparse, ", ");
        if (call->variadic && i + 1 == call->args.count) put(deparse, "VARIADIC ");
        put_expr(deparse, call->args.items[i]);
    }
    if (call->order_by.count > 0 && !call->within_group) {
        put(deparse, " ORDER BY ");
        put_sorts(deparse, call->order_by);
    }
    put(deparse, ")");
    if (call->within_group) {
        put(deparse, " WITHIN GROUP (ORDER BY ");
        put_sorts(deparse, call->order_by);
        put(deparse, ")");
    }
    if (call->filter != NULL) {
        put(deparse, " FILTER (WHERE ");
        put_expr(deparse, call->filter);
        put(deparse, ")");
    }
    if (call->over == NULL) return;
    put(deparse, " OVER ");
    if (call->over->name != NULL) {
        put_name(deparse, call->over->name); // OVER w
    } else {
        put_window(deparse, call->over);
    }
}

static void put_sublink(struct deparse *deparse, const struct expr *expr)
{
    static const char *const words[] = {"EXISTS (", "ANY (", "ALL (", "(", "ARRAY(", "("};
    enum sublink_kind kind = expr->sublink.kind;
    if (kind == SUBLINK_ANY || kind == SUBLINK_ALL || kind == SUBLINK_ROW) {
        put_operand(deparse, expr->sublink.test);
        put(deparse, " ");
        if (kind == SUBLINK_ANY && strcmp(expr->sublink.op, "=") == 0) {
            put(deparse, "IN (");
        } else {
            put(deparse, expr->sublink.op);
            put(deparse, " ");
            put(deparse, words[kind]);
        }
    } else {
        put(deparse, words[kind]);
    }
    put_select(deparse, expr->sublink.query);
    put(deparse, ")");
}

static void put_subscript(struct deparse *deparse, const struct expr *expr)
{
    const struct expr *arg = expr->subscript.arg;
    // A column, parameter or subscript may stand bare before [; all else needs parentheses.
    bool bare = arg->kind == EXPR_COLUMN || arg->kind == EXPR_PARAMETER ||
                (arg->kind == EXPR_SUBSCRIPT && !expr->subscript.apart) || arg->kind == EXPR_FIELD;
    if (!bare) put(deparse, "(");
    put_expr(deparse, arg);
    put(deparse, bare ? "[" : ")[");
    if (expr->subscript.lower != NULL) put_expr(deparse, expr->subscript.lower);
    if (expr->subscript.slice) put(deparse, ":");
    if (expr->subscript.upper != NULL) put_expr(deparse, expr->subscript.upper);
    put(deparse, "]");
}

static void put_field(struct deparse *deparse, const struct expr *expr)
{
    bool chain = expr->field.arg->kind == EXPR_FIELD || expr->field.arg->kind == EXPR_SUBSCRIPT;
    if (!chain) put(deparse, "(");
    put_expr(deparse, expr->field.arg);
    put(deparse, chain ? "." : ").");
    if (expr->field.name == NULL) {
        put(deparse, "*");
    } else {
        put_name(deparse, expr->field.name);
    }
}

static void put_grouping_set(struct deparse *deparse, const struct expr *expr)
{
    static const char *const words[] = {"(", "ROLLUP (", "CUBE (", "GROUPING SETS ("};
    put(deparse, words[expr->grouping_set.kind]);
    put_exprs(deparse, expr->grouping_set.items);
    put(deparse, ")");
}

static void put_sql_value(struct deparse *deparse, const struct expr *expr)
{
    const char *name = sql_value_name(expr->sql_value.value);
    put_upper(deparse, name);
    if (expr->sql_value.precision >= 0)
        buffer_printf(deparse->out, "(%d)", expr->sql_value.precision);
}

static void put_cast(struct deparse *deparse, const struct expr *expr)
{
    put_operand(deparse, expr->cast.arg);
    put(deparse, "::");
    put_type(deparse, expr->cast.type);
}

static void put_row(struct deparse *deparse, const struct expr *expr)
{
    put(deparse, expr->row.spelled || expr->row.items.count < 2 ? "ROW(" : "(");
    put_exprs(deparse, expr->row.items);
    put(deparse, ")");
}

static void put_any_all(struct deparse *deparse, const struct expr *expr)
{
    put_operand(deparse, expr->any_all.left);
    put(deparse, " ");
    put(deparse, expr->any_all.op);
    put(deparse, expr->any_all.all ? " ALL (" : " ANY (");
    put_expr(deparse, expr->any_all.array);
    put(deparse, ")");
}

static void put_is(struct deparse *deparse, const struct expr *expr)
{
    static const char *const words[] = {" IS NULL", " IS NOT NULL", " IS TRUE", " IS NOT TRUE",
        " IS FALSE", " IS NOT FALSE", " IS UNKNOWN", " IS NOT UNKNOWN"};
    put_operand(deparse, expr->is.arg);
    put(deparse, words[expr->is.test]);
}

static void put_in(struct deparse *deparse, const struct expr *expr)
{
    put_operand(deparse, expr->in.arg);
    put(deparse, expr->in.negated ? " NOT IN (" : " IN (");
    put_exprs(deparse, expr->in.items);
    put(deparse, ")");
}

void put_expr(struct deparse *deparse, const struct expr *expr)
{
    switch (expr->kind) {
    case EXPR_LITERAL: put_literal(deparse, expr); break;
    case EXPR_PARAMETER: buffer_printf(deparse->out, "$%u", expr->parameter.number); break;
    case EXPR_COLUMN: put_column_reference(deparse, expr); break;
    case EXPR_OPERATOR: put_operation(deparse, expr); break;
    case EXPR_AND: put_joined(deparse, expr->list, " AND "); break;
    case EXPR_OR: put_joined(deparse, expr->list, " OR "); break;
    case EXPR_NOT:
        put(deparse, "NOT ");
        put_operand(deparse, expr->unary.arg);
        break;
    case EXPR_IS: put_is(deparse, expr); break;
    case EXPR_DISTINCT:
        put_operand(deparse, expr->distinct.left);
        put(deparse, expr->distinct.negated ? " IS NOT DISTINCT FROM " : " IS DISTINCT FROM ");
        put_operand(deparse, expr->distinct.right);
        break;
    case EXPR_BETWEEN: put_between(deparse, expr); break;
    case EXPR_IN: put_in(deparse, expr); break;
    case EXPR_LIKE: put_like(deparse, expr); break;
    case EXPR_ANY_ALL: put_any_all(deparse, expr); break;
    case EXPR_FUNCTION: put_function(deparse, expr->function); break;
    case EXPR_CAST: put_cast(deparse, expr); break;
    case EXPR_CASE: put_case(deparse, expr); break;
    case EXPR_COALESCE: put_call_list(deparse, "COALESCE", expr->list); break;
    case EXPR_GREATEST: put_call_list(deparse, "GREATEST", expr->list); break;
    case EXPR_LEAST: put_call_list(deparse, "LEAST", expr->list); break;
    case EXPR_GROUPING: put_call_list(deparse, "GROUPING", expr->list); break;
    case EXPR_NULLIF:
        put(deparse, "NULLIF(");
        put_expr(deparse, expr->nullif.left);
        put(deparse, ", ");
        put_expr(deparse, expr->nullif.right);
        put(deparse, ")");
        break;
    case EXPR_SUBLINK: put_sublink(deparse, expr); break;
    case EXPR_ARRAY:
        put(deparse, "ARRAY[");
        put_exprs(deparse, expr->list);
        put(deparse, "]");
        break;
    case EXPR_SUBSCRIPT: put_subscript(deparse, expr); break;
    case EXPR_FIELD: put_field(deparse, expr); break;
    case EXPR_ROW: put_row(deparse, expr); break;
    case EXPR_COLLATE:
        put_operand(deparse, expr->collate.arg);
        put(deparse, " COLLATE ");
        put_object_name(deparse, expr->collate.name);
        break;
    case EXPR_SQL_VALUE: put_sql_value(deparse, expr); break;
    case EXPR_DEFAULT: put(deparse, "DEFAULT"); break;
    case EXPR_GROUPING_SET: put_grouping_set(deparse, expr); break;
    case EXPR_NAMED_ARGUMENT:
        put_name(deparse, expr->named_argument.name);
        put(deparse, " => ");
        put_expr(deparse, expr->named_argument.arg);
        break;
    case EXPR_XML: put_xml(deparse, expr->xml); break;
    case EXPR_CURRENT_OF:
        put(deparse, "CURRENT OF ");
        put_name(deparse, expr->current_of.cursor);
        break;
    }
}

static void expression_on_stack(void *arg)
{
    struct deparse_call *call = arg;
    put_expr(&call->deparse, call->tree);
}

void deparse_expression(struct buffer *out, const struct expr *expr, uint32_t flags)
{
    struct deparse_call call = {{out, flags}, expr};
    stack_call(expression_on_stack, &call);
}
