// SPDX-License-Identifier: GPL-3.0-or-later
#include "sql/parse/parse.h"

#include <stdio.h>

#include "core/task.h"
#include "sql/parse/parse_internal.h"

// What libpg_query and this parser need of memory, for each byte of a large text: it is looked up
// before starting, since libpg_query's own allocations are not accounted.
#define MEMORY_FACTOR 48u
// From this size on of the text, literals of at least that size are kept from libpg_query.
#define ASIDE_TEXT_BYTES (1u << 20)
#define ASIDE_BYTES (64u << 10)

void parse_fail(struct parse *parse, struct status st)
{
    if (!failed(parse->st)) parse->st = st;
}

void parse_fail_at(struct parse *parse, uint32_t code, uint32_t position, const char *message)
{
    if (failed(parse->st)) return;
    struct status st = status_make(code, arena_strdup(parse->arena, message));
    parse->st = parse_error_at(parse->arena, st, parse->text, position);
}

void parse_fail_near(struct parse *parse, struct lexer *lexer, struct token token)
{
    if (failed(parse->st)) return;
    struct status st;
    if (token.kind == LEX_END) {
        st = status_make(E_SYNTAX_ERROR, "syntax error at end of input");
    } else {
        const char *what = token.kind == LEX_ERROR ? lexer->error : "syntax error";
        st = status_format(parse->arena, E_SYNTAX_ERROR, "%s at or near \"%s\"", what,
            arena_string(parse->arena, token_bytes(lexer, token)));
    }
    parse->st = parse_error_at(parse->arena, st, parse->text, token.position);
}

uint32_t parse_position(struct bytes text, uint32_t offset)
{
    if (offset == POSITION_NONE) return 0;
    uint32_t characters = 0;
    for (uint32_t i = 0; i < offset && i < text.size; i++)
        characters += (text.data[i] & 0xc0) != 0x80;
    return characters + 1;
}

struct status parse_error_at(
    struct arena *arena, struct status st, struct bytes text, uint32_t offset)
{
    if (!failed(st) || offset == POSITION_NONE) return st;
    return status_position(arena, st, parse_position(text, offset));
}

// --- the first pass: ends of statements, and nesting ---------------------------------------------

enum word_class {
    WORD_OTHER,
    WORD_OPERATOR, // Makes a deeper expression, as an operator does.
    WORD_RESTART,  // What follows lies beside what came before, not above it.
    WORD_BOOLEAN,  // The same, for AND and OR.
    WORD_JOIN,
    WORD_SET_OPERATION,
    WORD_CASE,
    WORD_END,
    WORD_SYSTEM,
    WORD_BEYOND, // Of clauses that PostgreSQL lacks.
};

static enum word_class classify(const struct lexer *lexer, struct token token)
{
    static const struct {
        const char *word;
        enum word_class class;
    } words[] = {
        {"not", WORD_OPERATOR},
        {"is", WORD_OPERATOR},
        {"isnull", WORD_OPERATOR},
        {"notnull", WORD_OPERATOR},
        {"like", WORD_OPERATOR},
        {"ilike", WORD_OPERATOR},
        {"similar", WORD_OPERATOR},
        {"between", WORD_OPERATOR},
        {"in", WORD_OPERATOR},
        {"collate", WORD_OPERATOR},
        {"at", WORD_OPERATOR},
        {"overlaps", WORD_OPERATOR},
        {"escape", WORD_OPERATOR},
        {"operator", WORD_OPERATOR},
        {"and", WORD_BOOLEAN},
        {"or", WORD_BOOLEAN},
        {"when", WORD_RESTART},
        {"then", WORD_RESTART},
        {"else", WORD_RESTART},
        {"where", WORD_RESTART},
        {"on", WORD_RESTART},
        {"having", WORD_RESTART},
        {"select", WORD_RESTART},
        {"join", WORD_JOIN},
        {"union", WORD_SET_OPERATION},
        {"intersect", WORD_SET_OPERATION},
        {"except", WORD_SET_OPERATION},
        {"case", WORD_CASE},
        {"end", WORD_END},
        {"system", WORD_SYSTEM},
        {"storing", WORD_BEYOND},
        {"covering", WORD_BEYOND},
        {"inverted", WORD_BEYOND},
        {"visible", WORD_BEYOND},
        {"index", WORD_BEYOND},
        {"family", WORD_BEYOND},
        {"virtual", WORD_BEYOND},
        {"stored", WORD_BEYOND},
        {"update", WORD_BEYOND},
        {"upsert", WORD_BEYOND},
    };
    if (token.size > 9 || token.size < 2) return WORD_OTHER;
    uint8_t first = lexer->text[token.position] | 0x20;
    for (size_t i = 0; i < sizeof words / sizeof words[0]; i++) {
        if ((uint8_t)words[i].word[0] == first && token_is_word(lexer, token, words[i].word))
            return words[i].class;
    }
    return WORD_OTHER;
}

// Bounds the height of the tree that a run of tokens can make, without knowing the grammar.
// Operators of a chain (1+1+1) stack up; a group in parentheses is an operand of its own height;
// AND, OR and commas begin operands that lie beside each other, not above.
struct level {
    char opener;       // ( [ { or c for CASE
    bool booleans;     // AND or OR was seen.
    uint32_t chain;    // Operators of the current operand.
    uint32_t inner;    // Height of the highest group in it.
    uint32_t done;     // Of the highest operand finished since the last comma.
    uint32_t joins;    // Since the last comma.
    uint32_t finished; // Of the highest item before a comma.
    uint32_t sets;     // UNION, INTERSECT, EXCEPT.
};

struct scan {
    struct parse *parse;
    struct lexer *lexer;
    struct level *levels;
    uint32_t top; // Index of the innermost level.
    uint32_t flags;
    bool after_label; // The last token was AS or a point: a word after it is a name.
};

static uint32_t bigger_of(uint32_t a, uint32_t b)
{
    return a > b ? a : b;
}

static uint32_t level_height(const struct level *level)
{
    uint32_t item = bigger_of(level->done, level->chain + level->inner) + level->joins;
    return bigger_of(level->finished, item) + level->sets + (level->booleans ? 2 : 0) + 1;
}

static void scan_open(struct scan *scan, char opener)
{
    if (scan->top < AST_DEPTH_MAX) scan->levels[++scan->top] = (struct level){.opener = opener};
}

static void scan_close(struct scan *scan, char opener)
{
    if (scan->top == 0 || scan->levels[scan->top].opener != opener) return; // A syntax error.
    uint32_t height = level_height(&scan->levels[scan->top--]);
    struct level *level = &scan->levels[scan->top];
    level->inner = bigger_of(level->inner, height);
}

static void scan_restart(struct level *level, bool comma)
{
    level->done = bigger_of(level->done, level->chain + level->inner);
    level->chain = level->inner = 0;
    if (!comma) return;
    level->finished = bigger_of(level->finished, level->done + level->joins);
    level->done = level->joins = 0;
}

static void scan_word(struct scan *scan, struct token token)
{
    struct level *level = &scan->levels[scan->top];
    switch (scan->after_label ? WORD_OTHER : classify(scan->lexer, token)) {
    case WORD_OPERATOR: level->chain++; break;
    case WORD_BOOLEAN:
        level->booleans = true;
        scan_restart(level, false);
        break;
    case WORD_RESTART: scan_restart(level, false); break;
    case WORD_JOIN:
        scan_restart(level, false);
        level->joins++;
        break;
    case WORD_SET_OPERATION:
        scan_restart(level, true);
        level->sets++;
        break;
    case WORD_CASE: scan_open(scan, 'c'); break;
    case WORD_END: scan_close(scan, 'c'); break;
    case WORD_SYSTEM: scan->flags |= SCAN_AS_OF; break;
    case WORD_BEYOND: scan->flags |= SCAN_WORDS; break;
    default: break;
    }
}

static void scan_punctuation(struct scan *scan, struct token token)
{
    switch (scan->lexer->text[token.position]) {
    case '(': scan_open(scan, '('); break;
    case '{': scan_open(scan, '{'); break;
    case '[':
        scan->flags |= SCAN_BRACKET;
        scan->levels[scan->top].chain++; // a[1][1]... is a chain.
        scan_open(scan, '[');
        break;
    case ')': scan_close(scan, '('); break;
    case ']': scan_close(scan, '['); break;
    case '}': scan_close(scan, '{'); break;
    case ',': scan_restart(&scan->levels[scan->top], true); break;
    case '.': scan->levels[scan->top].chain++; break;
    default: break;
    }
}

static void scan_token(struct scan *scan, struct token token)
{
    if (token.kind == LEX_WORD) {
        scan_word(scan, token);
    } else if (token.kind == LEX_CHAR) {
        scan_punctuation(scan, token);
    } else if (token.kind == LEX_OPERATOR) {
        if (scan->lexer->text[token.position] == '@') scan->flags |= SCAN_AT;
        scan->levels[scan->top].chain++;
    }
    scan->after_label =
        token_is_word(scan->lexer, token, "as") || token_is_char(scan->lexer, token, '.');
}

// CREATE FUNCTION ... BEGIN ATOMIC ...; ...; END: semicolons in there do not end it.
struct atomic {
    bool create, begin; // CREATE came first; BEGIN came just now.
    bool started;
    uint32_t depth;     // Of BEGIN ATOMIC and CASE that wait for their END.
};

static void atomic_token(struct atomic *atomic, const struct lexer *lexer, struct token token)
{
    bool first = !atomic->started, begin = atomic->begin;
    atomic->started = true;
    atomic->begin = false;
    if (token.kind != LEX_WORD) return;
    if (first) atomic->create = token_is_word(lexer, token, "create");
    if (!atomic->create) return;
    if (token_is_word(lexer, token, "begin")) atomic->begin = true;
    if (begin && token_is_word(lexer, token, "atomic") && atomic->depth == 0) atomic->depth = 1;
    if (atomic->depth == 0) return;
    if (token_is_word(lexer, token, "case")) atomic->depth++;
    if (token_is_word(lexer, token, "end")) atomic->depth--;
}

uint32_t parse_scan_statement(
    struct parse *parse, struct lexer *lexer, uint32_t *start, uint32_t *flags, bool *empty)
{
    struct scan scan = {.parse = parse, .lexer = lexer};
    scan.levels = arena_alloc(parse->scratch, sizeof *scan.levels * (AST_DEPTH_MAX + 1u));
    scan.levels[0] = (struct level){.opener = 0};
    uint32_t end = lexer->at;
    struct atomic atomic = {0};
    *empty = true;
    for (;;) {
        struct token token = lexer_next(lexer);
        if (token.kind == LEX_ERROR) {
            parse_fail_near(parse, lexer, token);
            break;
        }
        if (token.kind == LEX_END) break;
        atomic_token(&atomic, lexer, token);
        if (token_is_char(lexer, token, ';') && scan.top == 0 && atomic.depth == 0) break;
        if (*empty) *start = token.position;
        *empty = false;
        end = token.position + token.size;
        scan_token(&scan, token);
        if (scan.top + level_height(&scan.levels[scan.top]) > AST_DEPTH_MAX) {
            parse_fail_at(
                parse, E_STATEMENT_TOO_COMPLEX, token.position, "stack depth limit exceeded");
            if (failed(parse->st))
                parse->st = status_hint(parse->arena, parse->st,
                    "The statement nests expressions or queries deeper than %u levels.",
                    AST_DEPTH_MAX);
            break;
        }
    }
    *flags = scan.flags;
    return end;
}

// --- expressions and types -----------------------------------------------------------------------

// Parses rewrite->text as SELECT and returns its only item, or NULL when it is anything else.
static struct expr *only_target(struct parse *parse, const struct rewrite *rewrite, uint32_t start)
{
    PgQuery__ParseResult *result = failed(parse->st) ? NULL : pg_parse(parse, rewrite);
    if (result == NULL) return NULL;
    struct convert convert;
    convert_init(&convert, parse, rewrite);
    struct statement *statement =
        result->n_stmts == 1 ? pg_statement(&convert, result->stmts[0]->stmt) : NULL;
    struct select *select =
        statement != NULL && statement->tag == STATEMENT_SELECT ? statement->as.select : NULL;
    rewrite_check_extras(rewrite);
    bool plain = select != NULL && select->kind == SELECT_SIMPLE && select->targets.count == 1 &&
                 select->targets.items[0].alias == NULL && select->from.count == 0 &&
                 select->where == NULL && select->group_by.count == 0 && select->having == NULL &&
                 select->window_count == 0 && select->order_by.count == 0 &&
                 select->limit == NULL && select->offset == NULL && select->locking_count == 0;
    if (plain) return select->targets.items[0].expr;
    parse_fail_at(parse, E_SYNTAX_ERROR, start, "syntax error: an expression was expected");
    return NULL;
}

static struct expr *null_literal(struct parse *parse, uint32_t position)
{
    struct expr *expr = ARENA_NEW(parse->arena, struct expr);
    expr->kind = EXPR_LITERAL;
    expr->position = position;
    return expr;
}

// The parentheses that are put around it would make a row of a list, and a subquery of a SELECT.
static void check_one_expression(struct parse *parse, uint32_t start, uint32_t end)
{
    struct lexer lexer;
    lexer_init(&lexer, bytes_of(parse->text.data, end));
    lexer.at = start;
    struct token token = lexer_next(&lexer);
    bool refused = token.kind == LEX_END || token_is_word(&lexer, token, "select") ||
                   token_is_word(&lexer, token, "values") || token_is_word(&lexer, token, "with");
    for (int32_t depth = 0; !refused && token.kind != LEX_END;) {
        bool opens = token_is_char(&lexer, token, '(') || token_is_char(&lexer, token, '[');
        bool closes = token_is_char(&lexer, token, ')') || token_is_char(&lexer, token, ']');
        refused = token.kind == LEX_ERROR ||
                  (depth == 0 && (closes || token_is_char(&lexer, token, ',')));
        depth += opens ? 1 : closes ? -1 : 0;
        if (!refused) token = lexer_next(&lexer);
    }
    if (refused) parse_fail_near(parse, &lexer, token);
}

struct expr *parse_expression_in(struct parse *parse, uint32_t start, uint32_t end)
{
    check_one_expression(parse, start, end);
    struct rewrite rewrite;
    rewrite_init(&rewrite, parse);
    rewrite_insert(&rewrite, "SELECT (", start);
    rewrite_statement(&rewrite, start, end, SCAN_BRACKET);
    rewrite_insert(&rewrite, "\n)", end);
    struct expr *expr = only_target(parse, &rewrite, start);
    return expr == NULL ? null_literal(parse, start) : expr;
}

struct type_name *parse_type_in(struct parse *parse, uint32_t start, uint32_t end)
{
    struct rewrite rewrite;
    rewrite_init(&rewrite, parse);
    rewrite_insert(&rewrite, "SELECT CAST(NULL AS ", start);
    rewrite_keep(&rewrite, start, end);
    rewrite_insert(&rewrite, "\n)", end);
    struct expr *expr = only_target(parse, &rewrite, start);
    if (expr != NULL && expr->kind == EXPR_CAST) return expr->cast.type;
    parse_fail_at(parse, E_SYNTAX_ERROR, start, "syntax error: a type name was expected");
    struct type_name *type = ARENA_NEW(parse->arena, struct type_name);
    type->name = "";
    return type;
}

// --- statements ----------------------------------------------------------------------------------

struct statement *parse_statement(struct parse *parse, uint32_t start, uint32_t end)
{
    struct statement *statement = ARENA_NEW(parse->arena, struct statement);
    statement->position = start;
    statement->length = end - start;
    if (failed(parse->st)) return statement;
    if (parse->nested >= PARSE_STATEMENTS_NESTED_MAX) {
        parse_fail_at(parse, E_STATEMENT_TOO_COMPLEX, start, "stack depth limit exceeded");
        return statement;
    }
    parse->nested++;
    if (own_statement(parse, start, end, statement)) {
        parse->nested--;
        statement->parameter_count = parse->parameter_count;
        statement->depth = parse->depth_max;
        return statement;
    }

    // A second scan finds what must be rewritten: this text may be part of a larger statement.
    struct lexer lexer;
    lexer_init(&lexer, bytes_of(parse->text.data, end));
    lexer.at = start;
    uint32_t flags, first;
    bool empty;
    (void)parse_scan_statement(parse, &lexer, &first, &flags, &empty);
    if (!failed(parse->st) && empty) {
        parse_fail_near(parse, &lexer, (struct token){.kind = LEX_END, .position = end});
    }
    struct rewrite rewrite;
    rewrite_init(&rewrite, parse);
    rewrite_statement(&rewrite, start, end, flags);
    PgQuery__ParseResult *result = failed(parse->st) ? NULL : pg_parse(parse, &rewrite);
    if (result != NULL && result->n_stmts == 1) {
        struct convert convert;
        convert_init(&convert, parse, &rewrite);
        struct statement *made = pg_statement(&convert, result->stmts[0]->stmt);
        rewrite_check_extras(&rewrite);
        made->position = start;
        made->length = end - start;
        statement = made;
    } else if (result != NULL) {
        parse_fail_at(parse, E_SYNTAX_ERROR, start, "syntax error at end of input");
    }
    parse->nested--;
    statement->parameter_count = parse->parameter_count;
    statement->depth = parse->depth_max;
    return statement;
}

static struct status parse_all(struct parse *parse, struct statement_list *out)
{
    struct lexer lexer;
    uint32_t capacity = 0;
    lexer_init(&lexer, parse->text);
    while (lexer.at < lexer.size && !failed(parse->st)) {
        uint32_t start = 0, flags = 0;
        bool empty = true;
        uint32_t end = parse_scan_statement(parse, &lexer, &start, &flags, &empty);
        if (failed(parse->st)) break;
        if (empty) continue;
        if (out->count == capacity) {
            uint32_t bigger = capacity == 0 ? 4 : capacity * 2;
            out->items = arena_grow(
                parse->arena, out->items, sizeof(void *) * capacity, sizeof(void *) * bigger);
            capacity = bigger;
        }
        parse->parameter_count = parse->depth_max = 0;
        out->items[out->count++] = parse_statement(parse, start, end);
        if (arena_over_limit(parse->arena)) parse_fail(parse, arena_check(parse->arena));
        arena_reset(parse->scratch);
    }
    return parse->st;
}

uint32_t parse_aside_from(const struct parse *parse, uint32_t position)
{
    uint32_t low = 0, high = parse->aside_count;
    while (low < high) {
        uint32_t middle = (low + high) / 2;
        if (parse->asides[middle].token.position < position)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

// Lists the long literals of a long text; returns their bytes.
static size_t put_literals_aside(struct parse *parse)
{
    struct lexer lexer;
    size_t total = 0;
    uint32_t capacity = 0;
    lexer_init(&lexer, parse->text);
    for (;;) {
        struct token token = lexer_next(&lexer);
        if (token.kind == LEX_END || token.kind == LEX_ERROR) return total;
        bool plain = token.dollar_quoted || lexer.text[token.position] == '\'';
        if (token.kind != LEX_STRING || token.size < ASIDE_BYTES || !plain) continue;
        if (parse->aside_count == capacity) {
            uint32_t bigger = capacity == 0 ? 8 : capacity * 2;
            parse->asides = arena_grow(parse->arena, parse->asides, sizeof(struct aside) * capacity,
                sizeof(struct aside) * bigger);
            capacity = bigger;
        }
        parse->asides[parse->aside_count++] = (struct aside){.token = token};
        total += token.size;
    }
}

// As many bytes as a character has that begins so.
static struct status not_utf8(struct arena *arena, struct bytes rest)
{
    const uint8_t first = rest.data[0];
    const size_t size = first >= 0xf8 || first < 0xc0 ? 1 : first >= 0xf0 ? 4 : first >= 0xe0 ? 3 : 2;
    struct buffer bad;
    buffer_init(&bad, arena);
    for (size_t i = 0; i < size && i < rest.size; i++) buffer_printf(&bad, " 0x%02x", rest.data[i]);
    return status_format(arena, E_CHARACTER_NOT_IN_REPERTOIRE, "invalid byte sequence for encoding \"UTF8\":%s",
        buffer_string(&bad));
}

static struct status check_text(struct parse *parse)
{
    struct arena *arena = parse->arena;
    struct bytes text = parse->text;
    size_t aside = 0;
    if (text.size > ASIDE_TEXT_BYTES && text.size <= PARSE_VALUES_BYTES_MAX)
        aside = put_literals_aside(parse);
    size_t rest = text.size - aside;
    if (rest > PARSE_TEXT_BYTES_MAX) {
        return status_format(arena, E_PROGRAM_LIMIT_EXCEEDED,
            "statement of %zu bytes is longer than the limit of %u bytes", text.size,
            aside == 0 ? PARSE_TEXT_BYTES_MAX : PARSE_VALUES_BYTES_MAX);
    }
    size_t valid = utf8_check(text);
    if (valid < text.size) return not_utf8(arena, bytes_skip(text, valid));
    if (text.size > ARENA_UNCHECKED_BYTES && arena->account != NULL &&
        !memory_account_fits(arena->account, (uint64_t)rest * MEMORY_FACTOR + aside)) {
        return status_format(arena, E_OUT_OF_MEMORY,
            "memory budget exceeded: parsing a statement of %zu bytes", text.size);
    }
    return STATUS_OK;
}

// Runs `what` with the contexts that every entry point needs.
enum parse_what { PARSE_STATEMENTS, PARSE_EXPRESSION, PARSE_TYPE };
struct parse_call {
    enum parse_what what;
    struct arena *arena;
    struct bytes text;
    void *out;
    struct status st;
};

static void parse_one(struct parse_call *call, struct parse *parse)
{
    uint32_t size = (uint32_t)call->text.size;
    if (call->what == PARSE_STATEMENTS) {
        struct statement_list *list = call->out;
        *list = (struct statement_list){0};
        call->st = parse_all(parse, list);
        return;
    }
    struct lexer lexer;
    uint32_t start = 0, flags;
    bool empty;
    lexer_init(&lexer, call->text);
    uint32_t end = parse_scan_statement(parse, &lexer, &start, &flags, &empty);
    // Anything after a semicolon makes it more than one expression or type.
    if (!failed(parse->st) && (empty || lexer.at < size || end != size)) {
        struct lexer rest = lexer;
        rest.at = empty ? 0 : end;
        struct token token = lexer_next(&rest);
        if (empty || token.kind != LEX_END) parse_fail_near(parse, &rest, token);
    }
    if (call->what == PARSE_EXPRESSION) {
        *(struct expr **)call->out = parse_expression_in(parse, start, end);
    } else {
        *(struct type_name **)call->out = parse_type_in(parse, start, end);
    }
    call->st = parse->st;
}

static void parse_run(void *arg)
{
    struct parse_call *call = arg;
    struct arena scratch;
    arena_init(&scratch, call->arena->account);
    struct parse parse = {.arena = call->arena, .scratch = &scratch, .text = call->text};
    call->st = check_text(&parse);
    if (!failed(call->st)) parse_one(call, &parse);
    uint32_t unused = 0;
    while (unused < parse.aside_count && parse.asides[unused].used)
        unused++;
    if (!failed(call->st) && unused < parse.aside_count) {
        // It is no value but a body, a comment, a name: the grammar must see it.
        struct token token = parse.asides[unused].token;
        parse = (struct parse){.arena = call->arena, .scratch = &scratch, .text = call->text};
        arena_reset(&scratch);
        if (call->text.size <= PARSE_TEXT_BYTES_MAX)
            parse_one(call, &parse);
        else
            call->st = parse_error_at(call->arena,
                status_format(call->arena, E_PROGRAM_LIMIT_EXCEEDED,
                    "a literal of %u bytes that is not a value is too long", token.size),
                call->text, token.position);
    }
    arena_fini(&scratch);
}

struct status parse_sql(struct arena *arena, struct bytes text, struct statement_list *out)
{
    struct parse_call call = {PARSE_STATEMENTS, arena, text, out, STATUS_OK};
    parse_run(&call);
    return call.st;
}

struct status parse_expression(struct arena *arena, struct bytes text, struct expr **out)
{
    struct parse_call call = {PARSE_EXPRESSION, arena, text, out, STATUS_OK};
    parse_run(&call);
    return call.st;
}

struct status parse_type_name(struct arena *arena, struct bytes text, struct type_name **out)
{
    struct parse_call call = {PARSE_TYPE, arena, text, out, STATUS_OK};
    parse_run(&call);
    return call.st;
}

struct status parse_sql_on_stack(struct arena *arena, struct bytes text, struct statement_list *out)
{
    struct parse_call call = {PARSE_STATEMENTS, arena, text, out, STATUS_OK};
    stack_call(parse_run, &call);
    return call.st;
}

struct status parse_expression_on_stack(struct arena *arena, struct bytes text, struct expr **out)
{
    struct parse_call call = {PARSE_EXPRESSION, arena, text, out, STATUS_OK};
    stack_call(parse_run, &call);
    return call.st;
}

struct status parse_type_name_on_stack(
    struct arena *arena, struct bytes text, struct type_name **out)
{
    struct parse_call call = {PARSE_TYPE, arena, text, out, STATUS_OK};
    stack_call(parse_run, &call);
    return call.st;
}
