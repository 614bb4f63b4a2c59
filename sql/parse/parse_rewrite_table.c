// SPDX-License-Identifier: GPL-3.0-or-later
//
// What PostgreSQL's grammar lacks in column and table definitions: INDEX and FAMILY elements, NOT
// VISIBLE, FAMILY f, AS (expr) STORED | VIRTUAL, ON UPDATE expr, STORING.
#include "sql/parse/parse_internal.h"

static struct token next(struct walk *walk)
{
    return lexer_next(&walk->lexer);
}

static struct token peek(const struct walk *walk)
{
    struct lexer lexer = walk->lexer;
    return lexer_next(&lexer);
}

static bool is_word(const struct walk *walk, struct token token, const char *word)
{
    return token_is_word(&walk->lexer, token, word);
}

static bool is_char(const struct walk *walk, struct token token, char c)
{
    return token_is_char(&walk->lexer, token, c);
}

static bool take(struct walk *walk, const char *word)
{
    if (!is_word(walk, peek(walk), word)) return false;
    (void)next(walk);
    return true;
}

static const char *take_name(struct walk *walk)
{
    struct token token = peek(walk);
    if (token.kind != LEX_WORD && token.kind != LEX_QUOTED) {
        parse_fail_near(walk->rewrite->parse, &walk->lexer, token);
        return "";
    }
    (void)next(walk);
    const char *name = token_identifier(walk->rewrite->parse->arena, &walk->lexer, token);
    return name == NULL ? "" : name;
}

// The offset before the comma or closing parenthesis that ends the element at the lexer.
static uint32_t element_end(const struct walk *walk)
{
    struct lexer lexer = walk->lexer;
    uint32_t depth = 0, end = lexer.at;
    for (;;) {
        struct token token = lexer_next(&lexer);
        if (token.kind == LEX_END || token.kind == LEX_ERROR) return end;
        if (token_is_char(&lexer, token, '(') || token_is_char(&lexer, token, '[')) depth++;
        bool closes = token_is_char(&lexer, token, ')') || token_is_char(&lexer, token, ']');
        if (depth == 0 && (closes || token_is_char(&lexer, token, ','))) return end;
        if (closes) depth--;
        end = token.position + token.size;
    }
}

// Puts a constraint that changes nothing in the element's place; the tree's reader drops it.
static void remove_element(struct walk *walk, uint32_t start, uint32_t end)
{
    rewrite_add(walk->rewrite, EXTRA_REMOVED, start);
    walk_replace(walk, start, end, "CHECK (true)");
}

// [name] ( with something other than a number after it: a column could be of a type "name(10)".
static bool looks_like_list(const struct walk *walk)
{
    struct lexer lexer = walk->lexer;
    struct token token = lexer_next(&lexer);
    if (token.kind == LEX_WORD || token.kind == LEX_QUOTED) token = lexer_next(&lexer);
    if (!token_is_char(&lexer, token, '(')) return false;
    return lexer_next(&lexer).kind != LEX_INTEGER;
}

// INDEX [name] (...) ...: read as CREATE INDEX. The lexer stands after INDEX.
static void take_index(struct walk *walk, uint32_t start, bool unique, bool inverted)
{
    struct rewrite *rewrite = walk->rewrite;
    struct parse *parse = rewrite->parse;
    uint32_t end = element_end(walk);
    uint32_t from = peek(walk).position;
    struct rewrite inner;
    rewrite_init(&inner, parse);
    rewrite_insert(&inner, unique ? "CREATE UNIQUE INDEX " : "CREATE INDEX ", start);
    if (!is_char(walk, peek(walk), '(')) {
        struct token name = next(walk);
        rewrite_keep(&inner, name.position, name.position + name.size);
        from = name.position + name.size;
    }
    rewrite_insert(&inner, " ON _ ", start);
    // The rest once more through the walk, for STORING and NOT VISIBLE.
    struct walk rest = {.rewrite = &inner, .lexer = walk->lexer, .copied = from, .end = end};
    rest.lexer.size = end;
    struct token previous = {.kind = LEX_END};
    for (;;) {
        struct token token = next(&rest);
        if (token.kind == LEX_END || token.kind == LEX_ERROR) break;
        if (is_char(&rest, previous, ')') &&
            (is_word(&rest, token, "storing") || is_word(&rest, token, "covering")))
            walk_replace(&rest, token.position, token.position + token.size, "INCLUDE");
        if (is_word(&rest, token, "not") && take(&rest, "visible")) {
            inner.not_visible = true;
            walk_replace(&rest, token.position, rest.lexer.at, " ");
        }
        previous = token;
    }
    rewrite_keep(&inner, rest.copied, end);

    PgQuery__ParseResult *result = failed(parse->st) ? NULL : pg_parse(parse, &inner);
    if (result != NULL && result->n_stmts == 1) {
        struct convert convert;
        convert_init(&convert, parse, &inner);
        struct statement *made = pg_statement(&convert, result->stmts[0]->stmt);
        if (made->tag == STATEMENT_CREATE_INDEX) {
            struct create_index *index = made->as.create_index;
            index->position = start;
            index->inverted = inverted;
            rewrite->indexes = arena_grow(parse->arena, rewrite->indexes,
                sizeof *index * rewrite->index_count, sizeof *index * (rewrite->index_count + 1));
            rewrite->indexes[rewrite->index_count++] = *index;
        }
    }
    remove_element(walk, start, end);
}

// FAMILY [name] (a, b): the lexer stands after FAMILY.
static void take_family(struct walk *walk, uint32_t start)
{
    struct rewrite *rewrite = walk->rewrite;
    struct arena *arena = rewrite->parse->arena;
    uint32_t end = element_end(walk);
    struct family family = {0};
    if (!is_char(walk, peek(walk), '(')) family.name = take_name(walk);
    (void)next(walk); // (
    struct token token;
    do {
        family.columns.items = arena_grow(arena, family.columns.items,
            sizeof(char *) * family.columns.count, sizeof(char *) * (family.columns.count + 1));
        family.columns.items[family.columns.count++] = take_name(walk);
        token = next(walk);
    } while (is_char(walk, token, ',') && !failed(rewrite->parse->st));
    if (is_char(walk, token, ')') && walk->lexer.at != end) token = next(walk);
    if (walk->lexer.at != end || !is_char(walk, token, ')'))
        parse_fail_near(rewrite->parse, &walk->lexer, token);
    rewrite->families = arena_grow(arena, rewrite->families, sizeof family * rewrite->family_count,
        sizeof family * (rewrite->family_count + 1));
    rewrite->families[rewrite->family_count++] = family;
    remove_element(walk, start, end);
}

// ON UPDATE expr: the lexer stands after UPDATE.
static void take_on_update(struct walk *walk, uint32_t column, uint32_t on)
{
    static const char *const stops[] = {"not", "null", "default", "check", "primary", "unique",
        "references", "constraint", "family", "create", "collate", "generated", "as", "on", NULL};
    struct lexer lexer = walk->lexer;
    uint32_t start = peek(walk).position, end = lexer.at, limit = element_end(walk), depth = 0;
    for (;;) {
        struct token token = lexer_next(&lexer);
        if (token.kind == LEX_END || token.kind == LEX_ERROR || token.position >= limit) break;
        bool stop = false;
        for (const char *const *word = stops; *word != NULL; word++)
            stop |= depth == 0 && token_is_word(&lexer, token, *word);
        if (stop && token.position > start) break;
        if (token_is_char(&lexer, token, '(')) depth++;
        if (token_is_char(&lexer, token, ')')) depth--;
        end = token.position + token.size;
    }
    struct extra *extra = rewrite_add(walk->rewrite, EXTRA_ON_UPDATE, column);
    extra->expr = parse_expression_in(walk->rewrite->parse, start, end);
    walk_replace(walk, on, end, " ");
}

struct column_walk {
    struct walk *walk;
    uint32_t start;     // Of the column's name.
    uint32_t generated; // Of its GENERATED or AS.
    uint32_t index;     // Of the token in the element.
    struct token previous;
};

static void column_word(struct column_walk *at, struct token token)
{
    struct walk *walk = at->walk;
    if (is_word(walk, token, "not") && is_word(walk, peek(walk), "visible")) {
        (void)next(walk);
        rewrite_add(walk->rewrite, EXTRA_NOT_VISIBLE, at->start);
        walk_replace(walk, token.position, walk->lexer.at, " ");
    } else if (is_word(walk, token, "generated")) {
        at->generated = token.position;
    } else if (is_word(walk, token, "as") && is_char(walk, peek(walk), '(') &&
               at->generated == POSITION_NONE) {
        at->generated = token.position;
        walk_replace(walk, token.position, walk->lexer.at, "GENERATED ALWAYS AS");
    } else if (is_word(walk, token, "virtual") && is_char(walk, at->previous, ')') &&
               at->generated != POSITION_NONE) {
        rewrite_add(walk->rewrite, EXTRA_VIRTUAL, at->generated);
        walk_replace(walk, token.position, token.position + token.size, "STORED");
    } else if (is_word(walk, token, "family") && at->index > 1) {
        struct extra *extra = rewrite_add(walk->rewrite, EXTRA_FAMILY, at->start);
        extra->name = take_name(walk);
        walk_replace(walk, token.position, walk->lexer.at, " ");
    } else if (is_word(walk, token, "on") && is_word(walk, peek(walk), "update")) {
        struct lexer back = walk->lexer;
        (void)next(walk);
        struct token what = peek(walk);
        if (is_word(walk, what, "cascade") || is_word(walk, what, "restrict") ||
            is_word(walk, what, "set") || is_word(walk, what, "no")) {
            walk->lexer = back;
        } else {
            take_on_update(walk, at->start, token.position);
        }
    } else if (is_char(walk, at->previous, ')') &&
               (is_word(walk, token, "storing") || is_word(walk, token, "covering"))) {
        walk_replace(walk, token.position, token.position + token.size, "INCLUDE");
    }
}

// A column or constraint, up to the comma or parenthesis that ends it.
static void take_column(struct walk *walk)
{
    struct column_walk at = {.walk = walk, .generated = POSITION_NONE};
    uint32_t depth = 0;
    for (;; at.index++) {
        struct token token = peek(walk);
        if (token.kind == LEX_END || token.kind == LEX_ERROR || failed(walk->rewrite->parse->st))
            return;
        if (depth == 0 && (is_char(walk, token, ',') || is_char(walk, token, ')'))) return;
        (void)next(walk);
        if (at.index == 0) at.start = token.position;
        if (is_char(walk, token, '(')) depth++;
        if (is_char(walk, token, ')')) depth--;
        if (depth == 0 && token.kind == LEX_WORD && at.index > 0) column_word(&at, token);
        at.previous = token;
    }
}

static void take_element(struct walk *walk)
{
    struct token first = peek(walk);
    struct lexer back = walk->lexer;
    bool unique = take(walk, "unique"), inverted = !unique && take(walk, "inverted");
    if (take(walk, "index") && (unique || looks_like_list(walk))) {
        take_index(walk, first.position, unique, inverted);
        return;
    }
    walk->lexer = back;
    if (take(walk, "family") && looks_like_list(walk)) {
        take_family(walk, first.position);
        return;
    }
    walk->lexer = back;
    take_column(walk);
}

// [IF NOT EXISTS | IF EXISTS] [ONLY] a.b.c
static bool skip_table_name(struct walk *walk)
{
    if (take(walk, "if")) {
        (void)take(walk, "not");
        (void)take(walk, "exists");
    }
    (void)take(walk, "only");
    for (;;) {
        struct token token = peek(walk);
        if (token.kind != LEX_WORD && token.kind != LEX_QUOTED) return false;
        (void)next(walk);
        if (!is_char(walk, peek(walk), '.')) return true;
        (void)next(walk);
    }
}

void rewrite_table(struct walk *walk, uint32_t start)
{
    walk->lexer.at = start;
    if (!skip_table_name(walk) || !is_char(walk, peek(walk), '(')) return;
    do {
        (void)next(walk); // The opening parenthesis, or a comma.
        take_element(walk);
    } while (is_char(walk, peek(walk), ',') && !failed(walk->rewrite->parse->st));
    rewrite_keep(walk->rewrite, walk->copied, walk->lexer.at);
    walk->copied = walk->lexer.at;
}

void rewrite_alter_table(struct walk *walk, uint32_t start)
{
    walk->lexer.at = start;
    if (!skip_table_name(walk)) return;
    for (;;) {
        if (take(walk, "add")) {
            (void)take(walk, "column");
            if (take(walk, "if")) {
                (void)take(walk, "not");
                (void)take(walk, "exists");
            }
        }
        take_column(walk);
        if (!is_char(walk, peek(walk), ',') || failed(walk->rewrite->parse->st)) break;
        (void)next(walk);
    }
    rewrite_keep(walk->rewrite, walk->copied, walk->lexer.at);
    walk->copied = walk->lexer.at;
}
