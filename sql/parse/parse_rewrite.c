// SPDX-License-Identifier: GPL-3.0-or-later
//
// Takes out of a statement what PostgreSQL's grammar lacks (AS OF SYSTEM TIME, UPSERT, [statement]
// as a table, t@index, STORING, ...), so that libpg_query can read the rest; and keeps the way back
// from its positions to the original's.
#include "sql/parse/parse_internal.h"

void rewrite_init(struct rewrite *rewrite, struct parse *parse)
{
    *rewrite = (struct rewrite){.parse = parse};
    buffer_init(&rewrite->text, parse->scratch);
    (void)buffer_string(&rewrite->text);
}

static void add_segment(struct rewrite *rewrite, uint32_t in, bool inserted)
{
    if (rewrite->segment_count == rewrite->segment_capacity) {
        uint32_t bigger = rewrite->segment_capacity == 0 ? 8 : rewrite->segment_capacity * 2;
        rewrite->segments = arena_grow(rewrite->parse->scratch, rewrite->segments,
            sizeof(struct segment) * rewrite->segment_capacity, sizeof(struct segment) * bigger);
        rewrite->segment_capacity = bigger;
    }
    rewrite->segments[rewrite->segment_count++] =
        (struct segment){.out = (uint32_t)rewrite->text.size, .in = in, .inserted = inserted};
}

static void copy_text(struct rewrite *rewrite, uint32_t start, uint32_t end)
{
    if (end <= start) return;
    add_segment(rewrite, start, false);
    buffer_append(&rewrite->text, rewrite->parse->text.data + start, end - start);
    (void)buffer_string(&rewrite->text);
}

void rewrite_keep(struct rewrite *rewrite, uint32_t start, uint32_t end)
{
    const struct parse *parse = rewrite->parse;
    rewrite->end = end;
    for (uint32_t i = parse_aside_from(parse, start); i < parse->aside_count; i++) {
        struct token token = parse->asides[i].token;
        if (token.position + token.size > end) break;
        copy_text(rewrite, start, token.position);
        rewrite_insert(rewrite, "''", token.position);
        start = token.position + token.size;
    }
    copy_text(rewrite, start, end);
}

void rewrite_insert(struct rewrite *rewrite, const char *text, uint32_t at)
{
    add_segment(rewrite, at, true);
    buffer_append_string(&rewrite->text, text);
    (void)buffer_string(&rewrite->text);
}

uint32_t rewrite_position(const struct rewrite *rewrite, int32_t location)
{
    if (location < 0 || rewrite->segment_count == 0) return POSITION_NONE;
    uint32_t low = 0, high = rewrite->segment_count; // The last segment at or before it.
    while (high - low > 1) {
        uint32_t middle = (low + high) / 2;
        if (rewrite->segments[middle].out <= (uint32_t)location) {
            low = middle;
        } else {
            high = middle;
        }
    }
    const struct segment *segment = &rewrite->segments[low];
    return segment->inserted ? segment->in : segment->in + (uint32_t)location - segment->out;
}

struct extra *rewrite_add(struct rewrite *rewrite, enum extra_kind kind, uint32_t position)
{
    struct extra *extra = ARENA_NEW(rewrite->parse->scratch, struct extra);
    extra->kind = kind;
    extra->position = position;
    extra->next = rewrite->extras;
    rewrite->extras = extra;
    return extra;
}

const struct extra *rewrite_extra(
    const struct rewrite *rewrite, enum extra_kind kind, uint32_t position)
{
    for (struct extra *extra = rewrite->extras; extra != NULL; extra = extra->next) {
        if (extra->kind != kind || extra->position != position) continue;
        extra->used = true;
        return extra;
    }
    return NULL;
}

void rewrite_check_extras(const struct rewrite *rewrite)
{
    for (const struct extra *extra = rewrite->extras; extra != NULL; extra = extra->next) {
        if (extra->used) continue;
        struct lexer lexer;
        lexer_init(&lexer, rewrite->parse->text);
        lexer.at = extra->position;
        parse_fail_near(rewrite->parse, &lexer, lexer_next(&lexer));
    }
}

void walk_replace(struct walk *walk, uint32_t from, uint32_t to, const char *text)
{
    rewrite_keep(walk->rewrite, walk->copied, from);
    rewrite_insert(walk->rewrite, text, from);
    walk->rewrite->end = to;
    walk->copied = to;
    walk->lexer.at = to;
}

static void fail_near(struct walk *walk, struct token token)
{
    parse_fail_near(walk->rewrite->parse, &walk->lexer, token);
}

// Takes one of `words` as the next token without moving on: the token, or LEX_END.
static struct token peek_token(const struct walk *walk)
{
    struct lexer lexer = walk->lexer;
    return lexer_next(&lexer);
}

static bool take_word(struct walk *walk, const char *word)
{
    struct lexer lexer = walk->lexer;
    struct token token = lexer_next(&lexer);
    if (!token_is_word(&lexer, token, word)) return false;
    walk->lexer = lexer;
    return true;
}

static bool is_any_word(const struct walk *walk, struct token token, const char *const *words)
{
    for (; *words != NULL; words++) {
        if (token_is_word(&walk->lexer, token, *words)) return true;
    }
    return false;
}

// The offset before the first token, outside parentheses, that ends an operand: one of `stops`, a
// comma, a closing parenthesis, or the end.
static uint32_t operand_end(const struct walk *walk, const char *const *stops)
{
    struct lexer lexer = walk->lexer;
    uint32_t depth = 0, end = lexer.at;
    for (;;) {
        struct token token = lexer_next(&lexer);
        if (token.kind == LEX_END || token.kind == LEX_ERROR) return end;
        bool opens = token_is_char(&lexer, token, '(') || token_is_char(&lexer, token, '[');
        bool closes = token_is_char(&lexer, token, ')') || token_is_char(&lexer, token, ']');
        if (depth == 0 &&
            (closes || token_is_char(&lexer, token, ',') || is_any_word(walk, token, stops)))
            return end;
        depth += opens ? 1u : 0u;
        depth -= closes ? 1u : 0u;
        end = token.position + token.size;
    }
}

// After AS: OF SYSTEM TIME expr.
static void take_as_of(struct walk *walk, struct token as)
{
    static const char *const stops[] = {"where", "group", "having", "window", "order", "limit",
        "offset", "fetch", "for", "union", "intersect", "except", "with", "returning", "join",
        "inner", "left", "right", "full", "cross", "natural", "on", "using", NULL};
    struct rewrite *rewrite = walk->rewrite;
    struct lexer back = walk->lexer;
    if (!take_word(walk, "of") || !take_word(walk, "system") || !take_word(walk, "time")) {
        walk->lexer = back;
        return;
    }
    uint32_t start = peek_token(walk).position, end = operand_end(walk, stops);
    if (end <= start) {
        fail_near(walk, peek_token(walk));
        return;
    }
    struct bytes text = bytes_of(rewrite->parse->text.data + start, end - start);
    if (rewrite->as_of == NULL) {
        rewrite->as_of = parse_expression_in(rewrite->parse, start, end);
        rewrite->as_of_text = text;
    } else if (!bytes_equal(rewrite->as_of_text, text)) {
        parse_fail_at(rewrite->parse, E_FEATURE_NOT_SUPPORTED, as.position,
            "AS OF SYSTEM TIME with different times in one statement is not supported");
    }
    walk_replace(walk, as.position, end, " ");
}

// At `[` in FROM: a statement in brackets. The lexer stands after the bracket.
static void take_bracket(struct walk *walk, struct token bracket)
{
    static const char *const starts[] = {"show", "explain", "insert", "upsert", "update", "delete",
        "select", "with", "values", "alter", "create", "drop", "pause", "resume", "cancel",
        "backup", "restore", "execute", NULL};
    struct token first = peek_token(walk);
    if (!is_any_word(walk, first, starts)) return;
    struct lexer lexer = walk->lexer;
    uint32_t depth = 1;
    struct token token;
    do {
        token = lexer_next(&lexer);
        if (token.kind == LEX_END || token.kind == LEX_ERROR) return; // PostgreSQL complains.
        if (token_is_char(&lexer, token, '[')) depth++;
        if (token_is_char(&lexer, token, ']')) depth--;
    } while (depth > 0);
    struct extra *extra = rewrite_add(walk->rewrite, EXTRA_STATEMENT, bracket.position);
    extra->statement = parse_statement(walk->rewrite->parse, first.position, token.position);
    walk_replace(walk, bracket.position, token.position + token.size, "_");
}

// t@{FORCE_INDEX=i}, t@{NO_FULL_SCAN}: the lexer stands after the brace.
static uint32_t hint_options(struct walk *walk, struct extra *extra)
{
    for (;;) {
        struct token token = lexer_next(&walk->lexer);
        if (token_is_word(&walk->lexer, token, "no_full_scan")) {
            extra->flag = true;
        } else if (token_is_word(&walk->lexer, token, "force_index")) {
            struct token equals = lexer_next(&walk->lexer);
            struct token name = lexer_next(&walk->lexer);
            if (!token_is_char(&walk->lexer, equals, '=') ||
                (name.kind != LEX_WORD && name.kind != LEX_QUOTED)) {
                fail_near(walk, equals);
                return walk->end;
            }
            extra->name = token_identifier(walk->rewrite->parse->arena, &walk->lexer, name);
        } else {
            fail_near(walk, token);
            return walk->end;
        }
        token = lexer_next(&walk->lexer);
        if (token_is_char(&walk->lexer, token, '}')) return token.position + 1;
        if (!token_is_char(&walk->lexer, token, ',')) {
            fail_near(walk, token);
            return walk->end;
        }
    }
}

struct names {
    struct token last; // The last name of a dotted one.
    uint32_t start;    // Where the dotted name starts.
    uint32_t ordinal;  // Commas before it, outside parentheses.
    bool of_index;     // The statement names indexes: t@i is a name, not a hint.
    bool drops;
};

// At `@` right after a name: an index hint, or the name of an index with its table.
static void take_at(struct walk *walk, const struct names *names, struct token at)
{
    if (names->last.size == 0 || names->last.position + names->last.size != at.position) return;
    struct rewrite *rewrite = walk->rewrite;
    struct token next = peek_token(walk);
    if (next.position != at.position + 1) return;
    if (token_is_char(&walk->lexer, next, '{')) {
        (void)lexer_next(&walk->lexer);
        struct extra *extra = rewrite_add(rewrite, EXTRA_INDEX_HINT, names->start);
        walk_replace(walk, at.position, hint_options(walk, extra), " ");
        return;
    }
    if (next.kind != LEX_WORD && next.kind != LEX_QUOTED) return;
    struct arena *arena = rewrite->parse->arena;
    if (names->of_index) {
        // schema.t@i becomes schema.i.
        struct extra *extra =
            rewrite_add(rewrite, EXTRA_INDEX_TABLE, names->drops ? names->ordinal : names->start);
        extra->name = token_identifier(arena, &walk->lexer, names->last);
        rewrite_keep(rewrite, walk->copied, names->last.position);
        walk->copied = walk->lexer.at = next.position;
        // The name begins with the index if nothing stands before the table.
        if (!names->drops && names->start == names->last.position) extra->position = next.position;
        return;
    }
    struct extra *extra = rewrite_add(rewrite, EXTRA_INDEX_HINT, names->start);
    extra->name = token_identifier(arena, &walk->lexer, next);
    walk_replace(walk, at.position, next.position + next.size, " ");
}

// UPDATE and DELETE: ORDER BY ... LIMIT ... up to RETURNING is read as that of a SELECT.
static void take_order_limit(struct walk *walk, struct token token)
{
    static const char *const stops[] = {"returning", NULL};
    struct parse *parse = walk->rewrite->parse;
    uint32_t end = token.position;
    do { // Commas of ORDER BY do not end it.
        walk->lexer.at = end;
        if (end != token.position) (void)lexer_next(&walk->lexer);
        end = operand_end(walk, stops);
    } while (token_is_char(&walk->lexer,
        peek_token(&(struct walk){
            .lexer = {.text = walk->lexer.text, .size = walk->lexer.size, .at = end}}),
        ','));
    struct rewrite select;
    rewrite_init(&select, parse);
    rewrite_insert(&select, "SELECT 1 ", token.position);
    rewrite_keep(&select, token.position, end);
    PgQuery__ParseResult *result = failed(parse->st) ? NULL : pg_parse(parse, &select);
    if (result != NULL && result->n_stmts == 1) {
        struct convert convert;
        convert_init(&convert, parse, &select);
        struct statement *made = pg_statement(&convert, result->stmts[0]->stmt);
        const struct select *query = made->tag == STATEMENT_SELECT ? made->as.select : NULL;
        if (query == NULL || query->kind != SELECT_SIMPLE || query->offset != NULL ||
            query->locking_count > 0 || query->with_ties) {
            fail_near(walk, token);
        } else {
            walk->rewrite->order_by = query->order_by;
            walk->rewrite->limit = query->limit;
        }
    }
    walk_replace(walk, token.position, end, " ");
}

struct rewriting {
    struct walk walk;
    struct names names;
    struct token previous;
    uint32_t depth;    // Of parentheses.
    uint32_t brackets; // Of brackets.
    bool modifies;     // UPDATE, DELETE
    bool creates;      // CREATE INDEX, CREATE TABLE, ALTER TABLE
    bool creates_index;
};

static void visit_word(struct rewriting *at, struct token token)
{
    struct walk *walk = &at->walk;
    const struct lexer *lexer = &walk->lexer;
    bool after_label = token_is_char(lexer, at->previous, '.');
    if (after_label) return;
    if (token_is_word(lexer, token, "as")) {
        take_as_of(walk, token);
    } else if (token_is_word(lexer, token, "upsert")) {
        bool starts = at->previous.kind == LEX_END || token_is_char(lexer, at->previous, '(') ||
                      token_is_char(lexer, at->previous, ')');
        if (!starts || !take_word(walk, "into")) return;
        rewrite_add(walk->rewrite, EXTRA_UPSERT, peek_token(walk).position);
        walk_replace(walk, token.position, token.position + token.size, "INSERT");
    } else if (at->modifies && at->depth == 0 &&
               (token_is_word(lexer, token, "order") || token_is_word(lexer, token, "limit"))) {
        take_order_limit(walk, token);
    } else if (at->creates && token_is_char(lexer, at->previous, ')') &&
               (token_is_word(lexer, token, "storing") ||
                   token_is_word(lexer, token, "covering"))) {
        walk_replace(walk, token.position, token.position + token.size, "INCLUDE");
    } else if (at->creates_index && at->depth == 0 && token_is_word(lexer, token, "inverted")) {
        walk->rewrite->inverted = true;
        walk_replace(walk, token.position, token.position + token.size, " ");
    } else if (at->creates_index && at->depth == 0 && token_is_word(lexer, token, "not") &&
               take_word(walk, "visible")) {
        walk->rewrite->not_visible = true;
        walk_replace(walk, token.position, walk->lexer.at, " ");
    }
}

static void visit_other(struct rewriting *at, struct token token)
{
    struct walk *walk = &at->walk;
    const struct lexer *lexer = &walk->lexer;
    if (token_is_char(lexer, token, '(')) at->depth++;
    if (token_is_char(lexer, token, ')') && at->depth > 0) at->depth--;
    if (token_is_char(lexer, token, ']') && at->brackets > 0) at->brackets--;
    if (token_is_char(lexer, token, ',') && at->depth == 0) at->names.ordinal++;
    if (token_is_char(lexer, token, '@')) take_at(walk, &at->names, token);
    if (token_is_char(lexer, token, '[')) {
        uint32_t before = walk->copied;
        bool in_from = token_is_word(lexer, at->previous, "from") ||
                       token_is_word(lexer, at->previous, "join") ||
                       token_is_char(lexer, at->previous, ',') ||
                       token_is_char(lexer, at->previous, '(');
        if (in_from && at->brackets == 0) take_bracket(walk, token);
        if (walk->copied == before) at->brackets++;
    }
}

static void rewrite_tokens(struct rewriting *at)
{
    struct walk *walk = &at->walk;
    for (;;) {
        struct token token = lexer_next(&walk->lexer);
        if (token.kind == LEX_END || token.kind == LEX_ERROR) break;
        if (failed(walk->rewrite->parse->st)) break;
        if (token.kind == LEX_WORD) visit_word(at, token);
        if (token.kind == LEX_WORD || token.kind == LEX_QUOTED) {
            if (!token_is_char(&walk->lexer, at->previous, '.')) at->names.start = token.position;
            at->names.last = token;
        } else {
            visit_other(at, token);
            if (!token_is_char(&walk->lexer, token, '.')) at->names.last.size = 0;
        }
        at->previous = token;
    }
    rewrite_keep(walk->rewrite, walk->copied, walk->end);
}

// Looks at the first words for what only certain statements have.
static void look_at_start(struct rewriting *at, uint32_t start)
{
    struct walk *walk = &at->walk;
    at->modifies = take_word(walk, "update") || take_word(walk, "delete");
    bool create = take_word(walk, "create"), alter = !create && take_word(walk, "alter");
    bool drop = !create && !alter && take_word(walk, "drop");
    if (create) {
        (void)take_word(walk, "unique");
        struct lexer before = walk->lexer;
        if (take_word(walk, "database") && take_word(walk, "if")) {
            uint32_t from = peek_token(&(struct walk){.lexer = before}).position;
            if (take_word(walk, "not") && take_word(walk, "exists")) {
                walk->rewrite->if_not_exists = true;
                walk_replace(walk, from, walk->lexer.at, "database");
            }
        }
        walk->lexer = before;
        if (walk->lexer.at < walk->copied) walk->lexer.at = walk->copied;
        (void)take_word(walk, "inverted");
        at->creates_index = take_word(walk, "index");
        if (!at->creates_index) {
            (void)(take_word(walk, "temp") || take_word(walk, "temporary") ||
                   take_word(walk, "unlogged"));
            if (take_word(walk, "table")) {
                at->creates = true;
                rewrite_table(walk, walk->lexer.at);
            }
        }
        at->creates |= at->creates_index;
    } else if (alter && take_word(walk, "table")) {
        at->creates = true;
        rewrite_alter_table(walk, walk->lexer.at);
    } else if ((alter || drop) && take_word(walk, "index")) {
        at->names.of_index = true;
        at->names.drops = drop;
    }
    walk->lexer.at = walk->copied > start ? walk->copied : start;
}

void rewrite_statement(struct rewrite *rewrite, uint32_t start, uint32_t end, uint32_t flags)
{
    struct rewriting at = {
        .walk = {.rewrite = rewrite, .copied = start, .end = end},
        .previous = {.kind = LEX_END},
    };
    lexer_init(&at.walk.lexer, bytes_of(rewrite->parse->text.data, end));
    at.walk.lexer.at = start;
    struct token first = peek_token(&at.walk);
    static const char *const starts[] = {"update", "delete", "create", NULL};
    if (flags == 0 && !is_any_word(&at.walk, first, starts)) {
        rewrite_keep(rewrite, start, end);
        return;
    }
    look_at_start(&at, start);
    rewrite_tokens(&at);
}
