// SPDX-License-Identifier: GPL-3.0-or-later
#include "sql/parse/lexer.h"

#include "core/text.h"
#include "sql/parse/ast.h"

enum { CLASS_SPACE = 1, CLASS_START = 2, CLASS_DIGIT = 4, CLASS_OPERATOR = 8 };

static uint8_t class_of(uint8_t c)
{
    static const uint8_t classes[256] = {
        [' '] = CLASS_SPACE,
        ['\t'] = CLASS_SPACE,
        ['\n'] = CLASS_SPACE,
        ['\r'] = CLASS_SPACE,
        ['\f'] = CLASS_SPACE,
        ['\v'] = CLASS_SPACE,
        ['a' ... 'z'] = CLASS_START,
        ['A' ... 'Z'] = CLASS_START,
        ['_'] = CLASS_START,
        [0x80 ... 0xff] = CLASS_START,
        ['0' ... '9'] = CLASS_DIGIT,
        ['~'] = CLASS_OPERATOR,
        ['!'] = CLASS_OPERATOR,
        ['@'] = CLASS_OPERATOR,
        ['#'] = CLASS_OPERATOR,
        ['^'] = CLASS_OPERATOR,
        ['&'] = CLASS_OPERATOR,
        ['|'] = CLASS_OPERATOR,
        ['`'] = CLASS_OPERATOR,
        ['?'] = CLASS_OPERATOR,
        ['+'] = CLASS_OPERATOR,
        ['-'] = CLASS_OPERATOR,
        ['*'] = CLASS_OPERATOR,
        ['/'] = CLASS_OPERATOR,
        ['%'] = CLASS_OPERATOR,
        ['<'] = CLASS_OPERATOR,
        ['>'] = CLASS_OPERATOR,
        ['='] = CLASS_OPERATOR,
    };
    return classes[c];
}

static uint8_t peek(const struct lexer *lexer, uint32_t at)
{
    return at < lexer->size ? lexer->text[at] : 0;
}

static bool is_class(const struct lexer *lexer, uint32_t at, unsigned classes)
{
    return at < lexer->size && (class_of(lexer->text[at]) & classes) != 0;
}

void lexer_init(struct lexer *lexer, struct bytes text)
{
    *lexer = (struct lexer){.text = text.data, .size = (uint32_t)text.size};
}

static struct token fail(struct lexer *lexer, uint32_t start, const char *error)
{
    lexer->error = error;
    lexer->at = lexer->size;
    return (struct token){.kind = LEX_ERROR, .position = start, .size = lexer->size - start};
}

static struct token take(struct lexer *lexer, enum token_kind kind, uint32_t start, uint32_t end)
{
    lexer->at = end;
    return (struct token){.kind = kind, .position = start, .size = end - start};
}

// Skips blanks and comments. False at a comment without end, whose start is left in *start.
static bool skip_blanks(struct lexer *lexer, uint32_t *start)
{
    uint32_t at = lexer->at;
    for (;;) {
        while (is_class(lexer, at, CLASS_SPACE))
            at++;
        if (peek(lexer, at) == '-' && peek(lexer, at + 1) == '-') {
            while (at < lexer->size && lexer->text[at] != '\n' && lexer->text[at] != '\r')
                at++;
            continue;
        }
        if (peek(lexer, at) != '/' || peek(lexer, at + 1) != '*') break;
        *start = at;
        uint32_t depth = 0;
        do {
            if (at >= lexer->size) return false;
            uint8_t c = peek(lexer, at), d = peek(lexer, at + 1);
            bool opens = c == '/' && d == '*', closes = c == '*' && d == '/';
            depth += opens ? 1u : 0u;
            depth -= closes ? 1u : 0u;
            at += opens || closes ? 2 : 1;
        } while (depth > 0);
    }
    lexer->at = at;
    return true;
}

// From the opening quote at `open`: the offset after the closing one, or 0 when there is none.
static uint32_t quoted_end(const struct lexer *lexer, uint32_t open, bool backslashes)
{
    uint8_t quote = lexer->text[open];
    for (uint32_t at = open + 1; at < lexer->size; at++) {
        // Literals may be as long as a message: without escapes there is nothing to look at before a quote.
        if (!backslashes) {
            const uint8_t *next = memchr(lexer->text + at, quote, lexer->size - at);
            if (next == NULL) return 0;
            at = (uint32_t)(next - lexer->text);
        }
        uint8_t c = lexer->text[at];
        if (c == '\\' && backslashes) {
            at++;
        } else if (c == quote) {
            if (peek(lexer, at + 1) != quote) return at + 1;
            at++;
        }
    }
    return 0;
}

// A string goes on after its closing quote at `at` - 1, if only blanks with a newline among them
// and `--` comments part it from another quote: the offset of that quote, else 0.
static uint32_t continuation(const struct lexer *lexer, uint32_t at)
{
    bool newline = false;
    for (;;) {
        uint8_t c = peek(lexer, at);
        if (c == '\n' || c == '\r') {
            newline = true;
            at++;
        } else if (c == ' ' || c == '\t' || c == '\f') {
            at++;
        } else if (c == '-' && peek(lexer, at + 1) == '-') {
            while (at < lexer->size && lexer->text[at] != '\n' && lexer->text[at] != '\r')
                at++;
        } else {
            return c == '\'' && newline ? at : 0;
        }
    }
}

static struct token quoted(
    struct lexer *lexer, uint32_t start, uint32_t open, enum token_kind kind, bool backslashes)
{
    uint32_t end = quoted_end(lexer, open, backslashes);
    while (end != 0 && kind != LEX_QUOTED) {
        uint32_t next = continuation(lexer, end);
        if (next == 0) break;
        end = quoted_end(lexer, next, backslashes);
    }
    if (end == 0) {
        return fail(lexer, start,
            kind == LEX_QUOTED ? "unterminated quoted identifier"
            : kind == LEX_BITS ? "unterminated bit string literal"
                               : "unterminated quoted string");
    }
    return take(lexer, kind, start, end);
}

static struct token dollar(struct lexer *lexer, uint32_t start)
{
    uint32_t at = start + 1;
    if (is_class(lexer, at, CLASS_DIGIT)) {
        while (is_class(lexer, at, CLASS_DIGIT))
            at++;
        return take(lexer, LEX_PARAMETER, start, at);
    }
    if (is_class(lexer, at, CLASS_START)) {
        while (is_class(lexer, at, CLASS_START | CLASS_DIGIT))
            at++;
    }
    if (peek(lexer, at) != '$') return take(lexer, LEX_CHAR, start, start + 1);
    uint32_t tag_size = at + 1 - start;
    const uint8_t *body = lexer->text + start + tag_size;
    const uint8_t *found =
        memmem(body, lexer->size - start - tag_size, lexer->text + start, tag_size);
    if (found == NULL) return fail(lexer, start, "unterminated dollar-quoted string");
    struct token token = take(lexer, LEX_STRING, start, (uint32_t)(found - lexer->text) + tag_size);
    token.dollar_quoted = true;
    return token;
}

static struct token number(struct lexer *lexer, uint32_t start)
{
    uint32_t at = start;
    bool decimal = false;
    while (is_class(lexer, at, CLASS_DIGIT))
        at++;
    if (peek(lexer, at) == '.' && peek(lexer, at + 1) != '.') {
        decimal = true;
        at++;
        while (is_class(lexer, at, CLASS_DIGIT))
            at++;
    }
    if ((peek(lexer, at) | 0x20) == 'e') {
        uint32_t digits = at + 1;
        if (peek(lexer, digits) == '+' || peek(lexer, digits) == '-') digits++;
        if (is_class(lexer, digits, CLASS_DIGIT)) {
            decimal = true;
            at = digits;
            while (is_class(lexer, at, CLASS_DIGIT))
                at++;
        }
    }
    return take(lexer, decimal ? LEX_DECIMAL : LEX_INTEGER, start, at);
}

static struct token operator(struct lexer *lexer, uint32_t start)
{
    uint32_t at = start;
    bool special = false; // One of these lets an operator end in + or -.
    while (is_class(lexer, at, CLASS_OPERATOR)) {
        uint8_t c = lexer->text[at], d = peek(lexer, at + 1);
        if (at > start && ((c == '-' && d == '-') || (c == '/' && d == '*'))) break;
        special |= strchr("~!@#%^&|`?", c) != NULL;
        at++;
    }
    while (at > start + 1 && !special && (lexer->text[at - 1] == '+' || lexer->text[at - 1] == '-'))
        at--;
    return take(lexer, LEX_OPERATOR, start, at);
}

// Words, and the literals that begin with a letter: E'', N'', B'', X'', U&'', U&"".
static struct token word(struct lexer *lexer, uint32_t start)
{
    uint8_t c = lexer->text[start] | 0x20, next = peek(lexer, start + 1);
    if (next == '\'') {
        if (c == 'e') return quoted(lexer, start, start + 1, LEX_STRING, true);
        if (c == 'n') return quoted(lexer, start, start + 1, LEX_STRING, false);
        if (c == 'b' || c == 'x') return quoted(lexer, start, start + 1, LEX_BITS, false);
    }
    if (c == 'u' && next == '&') {
        uint8_t quote = peek(lexer, start + 2);
        if (quote == '\'') return quoted(lexer, start, start + 2, LEX_STRING, false);
        if (quote == '"') return quoted(lexer, start, start + 2, LEX_QUOTED, false);
    }
    uint32_t at = start + 1;
    while (at < lexer->size &&
           ((class_of(lexer->text[at]) & (CLASS_START | CLASS_DIGIT)) || lexer->text[at] == '$'))
        at++;
    return take(lexer, LEX_WORD, start, at);
}

struct token lexer_next(struct lexer *lexer)
{
    uint32_t start = lexer->at;
    if (!skip_blanks(lexer, &start)) return fail(lexer, start, "unterminated /* comment");
    start = lexer->at;
    if (start >= lexer->size) return (struct token){.kind = LEX_END, .position = lexer->size};

    uint8_t c = lexer->text[start], next = peek(lexer, start + 1);
    uint8_t class = class_of(c);
    if (class & CLASS_START) return word(lexer, start);
    if (class & CLASS_DIGIT) return number(lexer, start);
    if (class & CLASS_OPERATOR) return operator(lexer, start);
    if (c == '\'') return quoted(lexer, start, start, LEX_STRING, false);
    if (c == '"') return quoted(lexer, start, start, LEX_QUOTED, false);
    if (c == '$') return dollar(lexer, start);
    if (c == '.' && is_class(lexer, start + 1, CLASS_DIGIT)) return number(lexer, start);
    if ((c == ':' && (next == ':' || next == '=')) || (c == '.' && next == '.'))
        return take(lexer, LEX_OPERATOR, start, start + 2);
    return take(lexer, LEX_CHAR, start, start + 1);
}

bool token_is_word(const struct lexer *lexer, struct token token, const char *word_text)
{
    if (token.kind != LEX_WORD) return false;
    const uint8_t *at = lexer->text + token.position;
    for (uint32_t i = 0; i < token.size; i++) {
        uint8_t c = at[i];
        if (c >= 'A' && c <= 'Z') c |= 0x20;
        if (word_text[i] == 0 || c != (uint8_t)word_text[i]) return false;
    }
    return word_text[token.size] == 0;
}

static int hex_value(uint8_t c)
{
    if (c >= '0' && c <= '9') return c - '0';
    if (c >= 'a' && c <= 'f') return c - 'a' + 10;
    if (c >= 'A' && c <= 'F') return c - 'A' + 10;
    return -1;
}

// Reads `digits` hexadecimal digits at *at as one character. Surrogates are refused.
static bool hex_character(struct bytes text, size_t *at, uint32_t digits, struct buffer *out)
{
    uint32_t c = 0;
    for (uint32_t i = 0; i < digits; i++, (*at)++) {
        int value = *at < text.size ? hex_value(text.data[*at]) : -1;
        if (value < 0) return false;
        c = c << 4 | (uint32_t)value;
    }
    if (c == 0 || c > 0x10ffff || (c >= 0xd800 && c < 0xe000)) return false;
    utf8_append(out, c);
    return true;
}

// The escape after a backslash at text[*at - 1], in E'...'.
static bool unescape_c(struct bytes text, size_t *at, struct buffer *out)
{
    if (*at >= text.size) return false;
    uint8_t c = text.data[(*at)++];
    switch (c) {
    case 'b': buffer_append_u8(out, '\b'); return true;
    case 'f': buffer_append_u8(out, '\f'); return true;
    case 'n': buffer_append_u8(out, '\n'); return true;
    case 'r': buffer_append_u8(out, '\r'); return true;
    case 't': buffer_append_u8(out, '\t'); return true;
    case 'u': return hex_character(text, at, 4, out);
    case 'U': return hex_character(text, at, 8, out);
    case 'x': {
        uint32_t value = 0, digits = 0;
        for (; digits < 2 && *at < text.size && hex_value(text.data[*at]) >= 0; digits++)
            value = value << 4 | (uint32_t)hex_value(text.data[(*at)++]);
        if (digits == 0) value = 'x';
        if (value == 0) return false;
        buffer_append_u8(out, (uint8_t)value);
        return true;
    }
    case '0' ... '7': {
        uint32_t value = (uint32_t)(c - '0'), digits = 1;
        for (; digits < 3 && *at < text.size && text.data[*at] >= '0' && text.data[*at] <= '7';
             digits++)
            value = value << 3 | (uint32_t)(text.data[(*at)++] - '0');
        if ((value & 0xff) == 0) return false;
        buffer_append_u8(out, (uint8_t)value);
        return true;
    }
    default: buffer_append_u8(out, c); return true;
    }
}

// Over the blanks and comments (which may hold quotes) inside a continued string.
static size_t skip_to_quote(struct bytes text, size_t at)
{
    while (at < text.size && text.data[at] != '\'') {
        if (text.data[at] == '-') {
            while (at < text.size && text.data[at] != '\n' && text.data[at] != '\r')
                at++;
        } else {
            at++;
        }
    }
    return at + 1;
}

enum escapes { ESCAPES_NONE, ESCAPES_C, ESCAPES_UNICODE };

static bool unquote(struct bytes text, uint8_t quote, enum escapes escapes, struct buffer *out)
{
    for (size_t at = 0; at < text.size;) {
        uint8_t c = text.data[at++];
        if (c == quote) {
            // Doubled; or the string goes on after blanks: the lexer saw to it.
            if (at < text.size && text.data[at] == quote) {
                at++;
            } else {
                at = skip_to_quote(text, at);
                continue;
            }
        } else if (c == '\\' && escapes == ESCAPES_C) {
            if (!unescape_c(text, &at, out)) return false;
            continue;
        } else if (c == '\\' && escapes == ESCAPES_UNICODE) {
            bool plus = at < text.size && text.data[at] == '+';
            if (at < text.size && text.data[at] == '\\') {
                at++;
            } else {
                if (plus) at++;
                if (!hex_character(text, &at, plus ? 6 : 4, out)) return false;
                continue;
            }
        }
        buffer_append_u8(out, c);
    }
    return true;
}

bool token_string(
    struct arena *arena, const struct lexer *lexer, struct token token, struct bytes *out)
{
    struct bytes text = token_bytes(lexer, token);
    if (token.dollar_quoted) {
        size_t tag =
            (size_t)((const uint8_t *)memchr(text.data + 1, '$', text.size - 1) - text.data) + 1;
        *out = arena_copy(arena, bytes_of(text.data + tag, text.size - 2 * tag));
        return true;
    }
    size_t open = 0;
    while (text.data[open] != '\'')
        open++;
    enum escapes escapes = open == 2                                   ? ESCAPES_UNICODE
                           : open == 1 && (text.data[0] | 0x20) == 'e' ? ESCAPES_C
                                                                       : ESCAPES_NONE;
    struct buffer buffer;
    buffer_init(&buffer, arena);
    buffer_reserve(&buffer, text.size);
    if (!unquote(bytes_of(text.data + open + 1, text.size - open - 2), '\'', escapes, &buffer))
        return false;
    *out = buffer_bytes(&buffer);
    return utf8_check(*out) == out->size;
}

char *token_identifier_whole(struct arena *arena, const struct lexer *lexer, struct token token)
{
    struct bytes text = token_bytes(lexer, token);
    struct buffer buffer;
    buffer_init(&buffer, arena);
    buffer_reserve(&buffer, text.size + 1);
    if (token.kind == LEX_QUOTED) {
        size_t open = text.data[0] == '"' ? 0 : 2;
        if (!unquote(bytes_of(text.data + open + 1, text.size - open - 2), '"',
                open == 2 ? ESCAPES_UNICODE : ESCAPES_NONE, &buffer))
            return NULL;
        if (buffer.size == 0) return NULL;
    } else {
        for (size_t i = 0; i < text.size; i++) {
            uint8_t c = text.data[i];
            buffer_append_u8(&buffer, c >= 'A' && c <= 'Z' ? c | 0x20 : c);
        }
    }
    return buffer_string(&buffer);
}

char *token_identifier(struct arena *arena, const struct lexer *lexer, struct token token)
{
    char *name = token_identifier_whole(arena, lexer, token);
    size_t size = name == NULL ? 0 : strlen(name);
    if (size <= IDENTIFIER_BYTES_MAX) return name;
    size = IDENTIFIER_BYTES_MAX;
    while (size > 0 && ((uint8_t)name[size] & 0xc0) == 0x80) size--;
    name[size] = '\0';
    return name;
}

bool keyword_is_reserved(struct bytes word_text)
{
    // PostgreSQL 15, appendix C: reserved, reserved (can be function or type), and non-reserved
    // (cannot be function or type), which are quoted by its own deparser too. Sorted.
    static const char *const words[] = {"all", "analyse", "analyze", "and", "any", "array", "as",
        "asc", "asymmetric", "authorization", "between", "bigint", "binary", "bit", "boolean",
        "both", "case", "cast", "char", "character", "check", "coalesce", "collate", "collation",
        "column", "concurrently", "constraint", "create", "cross", "current_catalog",
        "current_date", "current_role", "current_schema", "current_time", "current_timestamp",
        "current_user", "dec", "decimal", "default", "deferrable", "desc", "distinct", "do", "else",
        "end", "except", "exists", "extract", "false", "fetch", "float", "for", "foreign", "freeze",
        "from", "full", "grant", "greatest", "group", "grouping", "having", "ilike", "in",
        "initially", "inner", "inout", "int", "integer", "intersect", "interval", "into", "is",
        "isnull", "join", "lateral", "leading", "least", "left", "like", "limit", "localtime",
        "localtimestamp", "national", "natural", "nchar", "none", "normalize", "not", "notnull",
        "null", "nullif", "numeric", "offset", "on", "only", "or", "order", "out", "outer",
        "overlaps", "overlay", "placing", "position", "precision", "primary", "real", "references",
        "returning", "right", "row", "select", "session_user", "setof", "similar", "smallint",
        "some", "substring", "symmetric", "table", "tablesample", "then", "time", "timestamp", "to",
        "trailing", "treat", "trim", "true", "union", "unique", "user", "using", "values",
        "varchar", "variadic", "verbose", "when", "where", "window", "with", "xmlattributes",
        "xmlconcat", "xmlelement", "xmlexists", "xmlforest", "xmlnamespaces", "xmlparse", "xmlpi",
        "xmlroot", "xmlserialize", "xmltable"};
    size_t low = 0, high = sizeof words / sizeof words[0];
    while (low < high) {
        size_t middle = (low + high) / 2;
        int order = bytes_compare(bytes_of_string(words[middle]), word_text);
        if (order == 0) return true;
        if (order < 0) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    return false;
}

size_t utf8_check(struct bytes text)
{
    size_t at = 0;
    while (at < text.size) {
        uint8_t c = text.data[at];
        if (c < 0x80) {
            if (c == 0) return at;
            at++;
            continue;
        }
        uint32_t more = c >= 0xf0 ? 3 : c >= 0xe0 ? 2 : 1;
        if (c < 0xc2 || c > 0xf4 || text.size - at <= more) return at;
        for (uint32_t i = 1; i <= more; i++) {
            if ((text.data[at + i] & 0xc0) != 0x80) return at;
        }
        uint8_t d = text.data[at + 1];
        // Overlong forms, surrogates and what lies above U+10FFFF.
        if ((c == 0xe0 && d < 0xa0) || (c == 0xed && d > 0x9f) || (c == 0xf0 && d < 0x90) ||
            (c == 0xf4 && d > 0x8f))
            return at;
        at += more + 1;
    }
    return at;
}
