// SPDX-License-Identifier: GPL-3.0-or-later
//
// Our own grammar: its tools, and the choice between it and PostgreSQL's by a statement's first
// words.
#include "core/invariant.h"
#include "sql/parse/parse_internal.h"

void own_init(struct own *own, struct parse *parse, uint32_t start, uint32_t end)
{
    *own = (struct own){.parse = parse, .arena = parse->arena, .last_end = start};
    lexer_init(&own->lexer, bytes_of(parse->text.data, end));
    own->lexer.at = start;
    own->token = lexer_next(&own->lexer);
}

void own_advance(struct own *own)
{
    own->last_end = own->token.position + own->token.size;
    own->token = lexer_next(&own->lexer);
}

void own_fail(struct own *own)
{
    parse_fail_near(own->parse, &own->lexer, own->token);
    own->token = (struct token){.kind = LEX_END, .position = own->lexer.size};
    own->lexer.at = own->lexer.size;
}

bool own_at_end(const struct own *own)
{
    return own->token.kind == LEX_END;
}

void own_expect_end(struct own *own)
{
    if (!own_at_end(own)) own_fail(own);
}

// Whether the words of `words` follow; *end is the state after them.
static bool words_follow(const struct own *own, const char *words, struct own *end)
{
    *end = *own;
    while (*words != 0) {
        char word[32];
        size_t size = strcspn(words, " ");
        invariant(size < sizeof word);
        memcpy(word, words, size);
        word[size] = 0;
        if (!token_is_word(&end->lexer, end->token, word)) return false;
        own_advance(end);
        words += size;
        while (*words == ' ')
            words++;
    }
    return true;
}

bool own_is(const struct own *own, const char *words)
{
    struct own end;
    return words_follow(own, words, &end);
}

bool own_take(struct own *own, const char *words)
{
    struct own end;
    if (!words_follow(own, words, &end)) return false;
    own_back(own, own_mark(&end));
    return true;
}

void own_expect(struct own *own, const char *words)
{
    while (*words != 0) {
        char word[32];
        size_t size = strcspn(words, " ");
        invariant(size < sizeof word);
        memcpy(word, words, size);
        word[size] = 0;
        if (!own_take(own, word)) {
            own_fail(own);
            return;
        }
        words += size;
        while (*words == ' ')
            words++;
    }
}

bool own_is_char(const struct own *own, char c)
{
    return token_is_char(&own->lexer, own->token, c);
}

bool own_take_char(struct own *own, char c)
{
    if (!own_is_char(own, c)) return false;
    own_advance(own);
    return true;
}

void own_expect_char(struct own *own, char c)
{
    if (!own_take_char(own, c)) own_fail(own);
}

const char *own_identifier(struct own *own)
{
    const char *name = NULL;
    if (own->token.kind == LEX_WORD || own->token.kind == LEX_QUOTED)
        name = token_identifier(own->arena, &own->lexer, own->token);
    if (name == NULL) {
        own_fail(own);
        return "";
    }
    own_advance(own);
    return name;
}

struct object_name own_object_name(struct own *own)
{
    struct object_name name = {.position = own->token.position};
    name.name = own_identifier(own);
    for (uint32_t parts = 1; own_take_char(own, '.'); parts++) {
        if (parts == 3) own_fail(own);
        name.catalog = name.schema;
        name.schema = name.name;
        name.name = own_identifier(own);
    }
    if (own_take_char(own, '@')) {
        name.table = name.name;
        name.name = own_identifier(own);
    }
    return name;
}

struct role_name own_role(struct own *own)
{
    struct role_name role = {.kind = ROLE_NAMED, .position = own->token.position};
    if (own_take(own, "current_user") || own_take(own, "current_role")) {
        role.kind = ROLE_CURRENT;
    } else if (own_take(own, "session_user")) {
        role.kind = ROLE_SESSION;
    } else if (own_take(own, "public")) {
        role.kind = ROLE_PUBLIC;
    } else if (own->token.kind == LEX_STRING) { // Also as a string, beyond PostgreSQL.
        struct bytes text;
        if (!token_string(own->arena, &own->lexer, own->token, &text) || text.size == 0) {
            own_fail(own);
            text = BYTES_LITERAL("");
        }
        role.name = arena_string(own->arena, text);
        own_advance(own);
    } else {
        role.name = own_identifier(own);
    }
    return role;
}

struct role_list own_roles(struct own *own)
{
    struct role_list list = {0};
    do {
        list.items = arena_grow(own->arena, list.items, sizeof *list.items * list.count,
            sizeof *list.items * (list.count + 1));
        list.items[list.count++] = own_role(own);
    } while (own_take_char(own, ','));
    return list;
}

// --- expressions inside our statements -----------------------------------------------------------

struct expr *own_string_expr(struct own *own, const char *text, uint32_t position)
{
    struct expr *expr = ARENA_NEW(own->arena, struct expr);
    expr->kind = EXPR_LITERAL;
    expr->position = position;
    expr->literal.kind = LITERAL_STRING;
    expr->literal.text = bytes_of_string(text);
    return expr;
}

static bool is_stop(const struct own *own, const char *const *stops)
{
    for (; stops != NULL && *stops != NULL; stops++) {
        if (own_is(own, *stops)) return true;
    }
    return false;
}

struct expr *own_expr(struct own *own, const char *const *stops)
{
    uint32_t start = own->token.position, depth = 0;
    bool first = true;
    while (own->token.kind != LEX_END && own->token.kind != LEX_ERROR) {
        bool opens = own_is_char(own, '(') || own_is_char(own, '[');
        bool closes = own_is_char(own, ')') || own_is_char(own, ']');
        if (depth == 0 && !first && is_stop(own, stops)) break;
        if (depth == 0 && (closes || own_is_char(own, ','))) break;
        depth += opens ? 1u : 0u;
        depth -= closes ? 1u : 0u;
        first = false;
        own_advance(own);
    }
    if (first) {
        own_fail(own);
        return own_string_expr(own, "", start);
    }
    return parse_expression_in(own->parse, start, own->last_end);
}

struct expr *own_setting_value(struct own *own, const char *const *stops)
{
    struct own_mark mark = own_mark(own);
    if (own->token.kind == LEX_WORD || own->token.kind == LEX_QUOTED) {
        bool keyword = own_is(own, "true") || own_is(own, "false") || own_is(own, "null") ||
                       own_is(own, "interval");
        uint32_t position = own->token.position;
        if (!keyword) {
            const char *name = own_identifier(own);
            // A lone word; a dotted one or a call is an expression.
            if (own_at_end(own) || own_is_char(own, ',') || own_is_char(own, ')') ||
                is_stop(own, stops))
                return own_string_expr(own, name, position);
            own_back(own, mark);
        }
    }
    return own_expr(own, stops);
}

struct select *own_select(struct own *own)
{
    uint32_t start = own->token.position;
    if (own_at_end(own)) own_fail(own);
    struct statement *statement = parse_statement(own->parse, start, own->lexer.size);
    own->lexer.at = own->lexer.size;
    own_advance(own);
    if (!failed(own->parse->st) && statement->tag != STATEMENT_SELECT)
        parse_fail_at(own->parse, E_SYNTAX_ERROR, start, "syntax error: a query was expected");
    return failed(own->parse->st) ? NULL : statement->as.select;
}

struct select *own_parenthesized_select(struct own *own)
{
    uint32_t depth = 1;
    own_expect_char(own, '(');
    uint32_t start = own->token.position;
    while (own->token.kind != LEX_END && own->token.kind != LEX_ERROR) {
        if (own_is_char(own, '(')) depth++;
        if (own_is_char(own, ')') && --depth == 0) break;
        own_advance(own);
    }
    uint32_t end = own->last_end;
    own_expect_char(own, ')');
    if (failed(own->parse->st)) return NULL;
    struct statement *statement = parse_statement(own->parse, start, end);
    if (!failed(own->parse->st) && statement->tag != STATEMENT_SELECT)
        parse_fail_at(own->parse, E_SYNTAX_ERROR, start, "syntax error: a query was expected");
    return failed(own->parse->st) ? NULL : statement->as.select;
}

// name [= value] [, ...]; a name may be of several words, which an underscore joins.
struct option_list own_options(struct own *own)
{
    static const char *const stops[] = {NULL};
    struct option_list list = {0};
    do {
        struct option option = {.position = own->token.position};
        const char *name = own_identifier(own);
        while (own_take_char(own, '.') || own->token.kind == LEX_WORD) {
            bool dotted = own->lexer.text[own->last_end - 1] == '.';
            const char *more = own_identifier(own);
            name = arena_printf(own->arena, dotted ? "%s.%s" : "%s_%s", name, more);
        }
        option.name = name;
        if (own_take_char(own, '=')) option.value = own_setting_value(own, stops);
        list.items = arena_grow(
            own->arena, list.items, sizeof option * list.count, sizeof option * (list.count + 1));
        list.items[list.count++] = option;
    } while (own_take_char(own, ','));
    return list;
}

void own_unsupported(struct own *own, const char *feature)
{
    own->out->tag = STATEMENT_UNSUPPORTED;
    OWN_NEW(own, unsupported, struct unsupported)->feature = feature;
    own->lexer.at = own->lexer.size;
    own_advance(own);
}

// --- the choice ----------------------------------------------------------------------------------

static bool own_refused(struct own *own)
{
    static const struct {
        const char *words;
        const char *feature;
    } rows[] = {
        {"import into", "IMPORT INTO"},
        {"import table", "IMPORT"},
        {"export into", "EXPORT"},
        {"create changefeed", "CREATE CHANGEFEED"},
        {"create schedule", "CREATE SCHEDULE"},
        {"alter changefeed", "ALTER CHANGEFEED"},
        {"alter backup", "ALTER BACKUP"},
        {"drop schedule", "DROP SCHEDULE"},
        {"drop schedules", "DROP SCHEDULES"},
        {"pause schedule", "PAUSE SCHEDULE"},
        {"pause schedules", "PAUSE SCHEDULES"},
        {"resume schedule", "RESUME SCHEDULE"},
        {"resume schedules", "RESUME SCHEDULES"},
        {"inspect table", "INSPECT"},
        {"inspect database", "INSPECT"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        if (!own_is(own, rows[i].words)) continue;
        own_unsupported(own, rows[i].feature);
        return true;
    }
    return false;
}

static bool dispatch(struct own *own)
{
    // Only what is ours or can be: most statements leave at the first letter.
    switch (own->lexer.text[own->token.position] | 0x20) {
    case 'a':
        if (own_is(own, "abort")) return own_transaction(own);
        if (own_is(own, "alter")) return own_refused(own) || own_alter(own);
        return false;
    case 'b':
        if (own_is(own, "begin")) return own_transaction(own);
        if (own_take(own, "backup")) return own_backup(own, false);
        return false;
    case 'c':
        if (own_is(own, "commit")) return own_transaction(own);
        if (own_is(own, "create")) return own_refused(own) || own_create(own);
        if (own_take(own, "cancel")) return own_jobs(own, JOB_CANCEL);
        if (own_is(own, "check external connection")) {
            own_advance(own);
            own_external_connection(own, STATEMENT_CHECK_EXTERNAL_CONNECTION);
            return true;
        }
        return own_refused(own);
    case 'd': return own_is(own, "drop") && (own_refused(own) || own_drop(own));
    case 'e':
        if (own_is(own, "end")) return own_transaction(own);
        if (own_is(own, "explain")) return own_explain(own);
        return own_refused(own);
    case 'g': return own_is(own, "grant") && own_grant(own, false);
    case 'i': return own_refused(own);
    case 'p':
        if (own_is(own, "pause")) {
            if (own_refused(own)) return true;
            own_advance(own);
            return own_jobs(own, JOB_PAUSE);
        }
        return own_is(own, "prepare") && own_prepare(own);
    case 'r':
        if (own_is(own, "rollback") || own_is(own, "release")) return own_transaction(own);
        if (own_is(own, "revoke")) return own_grant(own, true);
        if (own_is(own, "reset")) return own_reset(own);
        if (own_take(own, "restore")) return own_backup(own, true);
        if (own_is(own, "resume")) {
            if (own_refused(own)) return true;
            own_advance(own);
            return own_jobs(own, JOB_RESUME);
        }
        return false;
    case 's':
        if (own_is(own, "set")) return own_set(own);
        if (own_is(own, "show")) return own_show(own);
        if (own_is(own, "start") || own_is(own, "savepoint")) return own_transaction(own);
        return false;
    case 'u': return own_is(own, "use") && own_set(own);
    default: return false;
    }
}

bool own_statement(struct parse *parse, uint32_t start, uint32_t end, struct statement *out)
{
    struct own own;
    own_init(&own, parse, start, end);
    own.out = out;
    if (own.token.kind != LEX_WORD) return false;
    if (!dispatch(&own)) return false;
    own_expect_end(&own);
    return true;
}
