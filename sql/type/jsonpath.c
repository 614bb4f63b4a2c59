// SPDX-License-Identifier: GPL-3.0-or-later
#include "sql/type/jsonpath.h"

#include "core/text.h"
#include "core/work.h"
#include "sql/type/numeric.h"
#include "sql/type/type_ops.h"

static const char *const method_names[METHOD_COUNT] = {
    "type", "size", "double", "ceiling", "floor", "abs", "keyvalue"};

const char *jsonpath_method_name(enum jsonpath_method method)
{
    return method_names[method];
}

bool jsonpath_is_predicate(enum jsonpath_kind kind)
{
    return kind >= PATH_EQUAL;
}

#define E_UNTRANSLATABLE_CHARACTER SQLSTATE('2', '2', 'P', '0', '5')

// --- reading -----------------------------------------------------------------------------------------------

struct parser {
    struct arena *arena;
    struct bytes text;
    size_t at;
    uint32_t depth;
    struct status status; // The first error.
};

static struct jsonpath_node *fail(struct parser *parser)
{
    if (!failed(parser->status)) {
        bool end = parser->at >= parser->text.size;
        parser->status = end
            ? status_format(parser->arena, E_SYNTAX_ERROR, "syntax error at end of jsonpath input")
            : status_format(parser->arena, E_SYNTAX_ERROR,
                  "syntax error at or near \"%.*s\" of jsonpath input", 1,
                  (const char *)parser->text.data + parser->at);
    }
    parser->at = parser->text.size;
    return NULL;
}

// An escape that stands for no character.
static bool refuse_escape(struct parser *parser, bool zero, const char *detail)
{
    if (!failed(parser->status))
        parser->status = status_detail(parser->arena,
            zero ? status_make(E_UNTRANSLATABLE_CHARACTER, "unsupported Unicode escape sequence")
                 : status_make(E_INVALID_TEXT_REPRESENTATION, "invalid input syntax for type jsonpath"),
            "%s", detail);
    parser->at = parser->text.size;
    return false;
}

static uint8_t peek_at(const struct parser *parser, size_t offset)
{
    size_t at = parser->at + offset;
    return at < parser->text.size ? parser->text.data[at] : 0;
}

static void skip(struct parser *parser)
{
    for (;;) {
        while (ascii_space((char)peek_at(parser, 0))) parser->at++;
        if (peek_at(parser, 0) != '/' || peek_at(parser, 1) != '*') return;
        parser->at += 2;
        while (parser->at < parser->text.size &&
               !(peek_at(parser, 0) == '*' && peek_at(parser, 1) == '/'))
            parser->at++;
        if (parser->at >= parser->text.size) (void)fail(parser); // A comment without end.
        parser->at += 2;
    }
}

static bool is_name_byte(uint8_t c)
{
    return c >= 0x80 || (c > ' ' && strchr("?%$.[]{}()|&!=<>@#,*:-+/\\\"", c) == NULL);
}

static bool take(struct parser *parser, const char *text)
{
    skip(parser);
    size_t size = strlen(text);
    for (size_t i = 0; i < size; i++)
        if (peek_at(parser, i) != (uint8_t)text[i]) return false;
    parser->at += size;
    return true;
}

static bool take_word(struct parser *parser, const char *word)
{
    skip(parser);
    size_t size = strlen(word);
    for (size_t i = 0; i < size; i++)
        if (ascii_lower((char)peek_at(parser, i)) != word[i]) return false;
    if (is_name_byte(peek_at(parser, size))) return false;
    parser->at += size;
    return true;
}

#define NODE_WORK 128u // What a node counts for with task_goes_on.
static struct jsonpath_node *node(struct parser *parser, enum jsonpath_kind kind)
{
    struct jsonpath_node *made = ARENA_NEW(parser->arena, struct jsonpath_node);
    if (!task_goes_on(NODE_WORK)) (void)fail(parser);
    made->kind = kind;
    made->flags = "";
    return made;
}

static int hex_value(uint8_t c)
{
    if (c >= '0' && c <= '9') return c - '0';
    c |= 32;
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

static bool take_hex(struct parser *parser, uint32_t least, uint32_t most, uint32_t *code)
{
    uint32_t count = 0;
    *code = 0;
    while (count < most && hex_value(peek_at(parser, 0)) >= 0) {
        *code = *code << 4 | (uint32_t)hex_value(peek_at(parser, 0));
        parser->at++;
        count++;
    }
    return count >= least;
}

// After the backslash.
static bool take_escape(struct parser *parser, struct buffer *out)
{
    static const char needs_high[] = "Unicode low surrogate must follow a high surrogate.";
    uint8_t c = peek_at(parser, 0);
    uint32_t code, low;
    parser->at++;
    switch (c) {
    case 'b': buffer_append_u8(out, '\b'); return true;
    case 'f': buffer_append_u8(out, '\f'); return true;
    case 'n': buffer_append_u8(out, '\n'); return true;
    case 'r': buffer_append_u8(out, '\r'); return true;
    case 't': buffer_append_u8(out, '\t'); return true;
    case 'v': buffer_append_u8(out, '\v'); return true;
    case 'x':
        if (!take_hex(parser, 2, 2, &code)) return false;
        break;
    case 'u':
        if (peek_at(parser, 0) == '{') {
            parser->at++;
            if (!take_hex(parser, 1, 6, &code) || peek_at(parser, 0) != '}') return false;
            parser->at++;
        } else if (!take_hex(parser, 4, 4, &code)) {
            return false;
        }
        if (code >= 0xd800 && code < 0xdc00 && peek_at(parser, 0) == '\\' &&
            peek_at(parser, 1) == 'u') {
            parser->at += 2;
            if (!take_hex(parser, 4, 4, &low)) return false;
            if (low >= 0xd800 && low < 0xdc00)
                return refuse_escape(parser, false, "Unicode high surrogate must not follow a high surrogate.");
            if (low < 0xdc00 || low > 0xdfff) return refuse_escape(parser, false, needs_high);
            code = 0x10000 + ((code - 0xd800) << 10) + (low - 0xdc00);
        } else if (code >= 0xd800 && code <= 0xdfff) {
            return refuse_escape(parser, false, needs_high);
        }
        break;
    case 0: return false;
    default: buffer_append_u8(out, c); return true;
    }
    if (code == 0) return refuse_escape(parser, true, "\\u0000 cannot be converted to text.");
    if (code > 0x10ffff) return false;
    utf8_append(out, code);
    return true;
}

static bool take_string(struct parser *parser, struct bytes *text)
{
    struct buffer out;
    buffer_init(&out, parser->arena);
    if (!take(parser, "\"")) return false;
    while (parser->at < parser->text.size && peek_at(parser, 0) != '"') {
        uint8_t c = peek_at(parser, 0);
        parser->at++;
        if (c != '\\')
            buffer_append_u8(&out, c);
        else if (!take_escape(parser, &out)) {
            (void)fail(parser);
            return true;
        }
    }
    if (!take(parser, "\"")) (void)fail(parser);
    *text = buffer_bytes(&out);
    return true;
}

static struct bytes take_name(struct parser *parser)
{
    struct buffer out;
    buffer_init(&out, parser->arena);
    while (is_name_byte(peek_at(parser, 0)) || peek_at(parser, 0) == '\\') {
        uint8_t c = peek_at(parser, 0);
        parser->at++;
        if (c != '\\')
            buffer_append_u8(&out, c);
        else if (!take_escape(parser, &out))
            (void)fail(parser);
    }
    if (out.size == 0) (void)fail(parser);
    return buffer_bytes(&out);
}

static struct jsonpath_node *number_node(struct parser *parser, struct datum value)
{
    struct buffer out;
    struct jsonpath_node *literal = node(parser, PATH_LITERAL);
    buffer_init(&out, parser->arena);
    json_append_number(&out, value);
    literal->text = buffer_bytes(&out);
    literal->is_number = true;
    literal->number = value;
    return literal;
}

// No zeros before other digits, and nothing right behind that could belong to a name: 01, 1a and 1.a are none.
static struct jsonpath_node *take_number(struct parser *parser)
{
    size_t start = parser->at;
    struct datum value;
    while (ascii_digit((char)peek_at(parser, 0))) parser->at++;
    if (parser->at > start + 1 && parser->text.data[start] == '0') return fail(parser);
    if (peek_at(parser, 0) == '.') {
        parser->at++;
        while (ascii_digit((char)peek_at(parser, 0))) parser->at++;
    }
    if ((peek_at(parser, 0) | 32) == 'e') {
        size_t digits = peek_at(parser, 1) == '+' || peek_at(parser, 1) == '-' ? 2 : 1;
        if (!ascii_digit((char)peek_at(parser, digits))) return fail(parser);
        while (ascii_digit((char)peek_at(parser, digits))) digits++;
        parser->at += digits;
    }
    if (is_name_byte(peek_at(parser, 0))) return fail(parser);
    struct status st = numeric_parse(parser->arena,
        bytes_of(parser->text.data + start, parser->at - start), &value);
    if (failed(st) && !failed(parser->status)) parser->status = st; // Its digits are in order, but there are too many.
    return failed(st) ? fail(parser) : number_node(parser, value);
}

static struct jsonpath_node *parse_or(struct parser *parser);

static bool enter(struct parser *parser)
{
    if (++parser->depth <= JSONPATH_DEPTH_MAX) return true;
    if (!failed(parser->status))
        parser->status = status_make(E_STATEMENT_TOO_COMPLEX, "jsonpath is nested too deeply");
    parser->at = parser->text.size;
    return false;
}

static struct jsonpath_node *parse_parenthesized(struct parser *parser)
{
    struct jsonpath_node *inner = NULL;
    if (enter(parser)) inner = parse_or(parser);
    parser->depth--;
    if (inner == NULL || !take(parser, ")")) return fail(parser);
    return inner;
}

static bool take_level(struct parser *parser, uint32_t *level)
{
    if (take_word(parser, "last")) {
        *level = UINT32_MAX;
        return true;
    }
    skip(parser);
    uint64_t value = 0;
    size_t digits = 0;
    while (ascii_digit((char)peek_at(parser, 0)) && value < UINT32_MAX) {
        value = value * 10 + (uint64_t)(peek_at(parser, 0) - '0');
        parser->at++;
        digits++;
    }
    *level = (uint32_t)value;
    return digits > 0 && value < UINT32_MAX;
}

static struct jsonpath_node *parse_any(struct parser *parser)
{
    struct jsonpath_node *any = node(parser, PATH_ANY);
    any->last = UINT32_MAX;
    if (!take(parser, "{")) return any;
    if (!take_level(parser, &any->first)) return fail(parser);
    any->last = any->first;
    if (take_word(parser, "to") && !take_level(parser, &any->last)) return fail(parser);
    if (!take(parser, "}")) return fail(parser);
    return any;
}

static struct jsonpath_node *parse_dot(struct parser *parser)
{
    struct jsonpath_node *key;
    skip(parser);
    if (peek_at(parser, 0) == '*' && peek_at(parser, 1) == '*') {
        parser->at += 2;
        return parse_any(parser);
    }
    if (take(parser, "*")) return node(parser, PATH_ANY_KEY);
    if (peek_at(parser, 0) == '"') {
        key = node(parser, PATH_KEY);
        (void)take_string(parser, &key->text);
        return key;
    }
    if (ascii_digit((char)peek_at(parser, 0))) return fail(parser); // With the point it is a number.
    struct bytes name = take_name(parser);
    if (!take(parser, "(")) {
        key = node(parser, PATH_KEY);
        key->text = name;
        return key;
    }
    for (uint32_t i = 0; i < METHOD_COUNT; i++) {
        if (!bytes_equal(name, bytes_of_string(method_names[i]))) continue;
        if (!take(parser, ")")) return fail(parser);
        key = node(parser, PATH_METHOD);
        key->method = (enum jsonpath_method)i;
        return key;
    }
    if (bytes_equal(name, BYTES_LITERAL("datetime")) && !failed(parser->status))
        parser->status = status_make(
            E_FEATURE_NOT_SUPPORTED, "jsonpath item method .datetime() is not supported");
    return fail(parser);
}

static struct jsonpath_node *parse_subscripts(struct parser *parser)
{
    struct jsonpath_node *index = node(parser, PATH_INDEX);
    if (take(parser, "*")) {
        if (!take(parser, "]")) return fail(parser);
        return node(parser, PATH_ANY_INDEX);
    }
    do {
        struct jsonpath_subscript item = {0};
        if (!enter(parser)) return fail(parser);
        item.from = parse_or(parser);
        if (take_word(parser, "to")) item.to = parse_or(parser);
        parser->depth--;
        if (item.from == NULL || failed(parser->status)) return fail(parser);
        index->subscripts = arena_grow(parser->arena, index->subscripts,
            index->subscript_count * sizeof item, (index->subscript_count + 1) * sizeof item);
        index->subscripts[index->subscript_count++] = item;
    } while (take(parser, ","));
    if (!take(parser, "]")) return fail(parser);
    return index;
}

static struct jsonpath_node *parse_primary(struct parser *parser)
{
    struct jsonpath_node *made;
    struct buffer out;
    skip(parser);
    uint8_t c = peek_at(parser, 0);
    buffer_init(&out, parser->arena);
    if (take(parser, "(")) {
        made = parse_parenthesized(parser);
        if (made == NULL || !jsonpath_is_predicate(made->kind)) return made;
        if (!take_word(parser, "is")) return made;
        if (!take_word(parser, "unknown")) return fail(parser);
        struct jsonpath_node *is = node(parser, PATH_IS_UNKNOWN);
        is->left = made;
        return is;
    }
    if (take(parser, "$")) {
        if (peek_at(parser, 0) != '"' && !is_name_byte(peek_at(parser, 0)))
            return node(parser, PATH_ROOT);
        made = node(parser, PATH_VARIABLE);
        if (!take_string(parser, &made->text)) made->text = take_name(parser);
        return made;
    }
    if (take(parser, "@")) return node(parser, PATH_CURRENT);
    if (c == '"') {
        struct bytes text = {0};
        made = node(parser, PATH_LITERAL);
        (void)take_string(parser, &text);
        json_append_string(&out, text);
        made->text = buffer_bytes(&out);
        return made;
    }
    if (ascii_digit((char)c) || (c == '.' && ascii_digit((char)peek_at(parser, 1))))
        return take_number(parser);
    if (take_word(parser, "last")) return node(parser, PATH_LAST);
    made = node(parser, PATH_LITERAL);
    if (take_word(parser, "true"))
        json_append_bool(&out, true);
    else if (take_word(parser, "false"))
        json_append_bool(&out, false);
    else if (take_word(parser, "null"))
        json_append_null(&out);
    else {
        if (c == '\\') (void)take_name(parser); // What is wrong in it is told first.
        return fail(parser);
    }
    made->text = buffer_bytes(&out);
    return made;
}

static struct jsonpath_node *parse_path(struct parser *parser)
{
    struct jsonpath_node *first = parse_primary(parser), *last = first;
    for (; first != NULL && !failed(parser->status);) {
        struct jsonpath_node *step;
        while (last->next != NULL) last = last->next;
        if (take(parser, ".")) {
            step = parse_dot(parser);
        } else if (take(parser, "[")) {
            step = parse_subscripts(parser);
        } else if (take(parser, "?")) {
            step = node(parser, PATH_FILTER);
            if (!take(parser, "(")) return fail(parser);
            step->left = parse_parenthesized(parser);
            if (step->left == NULL || !jsonpath_is_predicate(step->left->kind)) return fail(parser);
        } else {
            return first;
        }
        if (step == NULL) return NULL;
        // (a + b).c: the steps follow the whole.
        last->next = step;
        last = step;
    }
    return failed(parser->status) ? NULL : first;
}

static struct jsonpath_node *parse_unary(struct parser *parser)
{
    skip(parser);
    bool plus = peek_at(parser, 0) == '+', minus = peek_at(parser, 0) == '-';
    if (!plus && !minus) return parse_path(parser);
    parser->at++;
    struct jsonpath_node *unary = node(parser, plus ? PATH_PLUS : PATH_MINUS);
    if (!enter(parser)) return NULL;
    unary->left = parse_unary(parser);
    parser->depth--;
    if (unary->left == NULL) return NULL;
    // A sign before a number is the number's.
    if (unary->left->kind != PATH_LITERAL || !unary->left->is_number || unary->left->next != NULL) return unary;
    return plus ? unary->left : number_node(parser, numeric_negate(parser->arena, unary->left->number));
}

static struct jsonpath_node *binary(struct parser *parser, enum jsonpath_kind kind,
    struct jsonpath_node *left, struct jsonpath_node *right)
{
    if (left == NULL || right == NULL) return fail(parser);
    struct jsonpath_node *made = node(parser, kind);
    made->left = left;
    made->right = right;
    return made;
}

static struct jsonpath_node *parse_product(struct parser *parser)
{
    struct jsonpath_node *left = parse_unary(parser);
    while (left != NULL) {
        enum jsonpath_kind kind = take(parser, "*")   ? PATH_MULTIPLY
                                  : take(parser, "/") ? PATH_DIVIDE
                                  : take(parser, "%") ? PATH_MODULO
                                                      : PATH_ROOT;
        if (kind == PATH_ROOT) break;
        left = binary(parser, kind, left, parse_unary(parser));
    }
    return left;
}

static struct jsonpath_node *parse_sum(struct parser *parser)
{
    struct jsonpath_node *left = parse_product(parser);
    while (left != NULL) {
        enum jsonpath_kind kind = take(parser, "+")   ? PATH_ADD
                                  : take(parser, "-") ? PATH_SUBTRACT
                                                      : PATH_ROOT;
        if (kind == PATH_ROOT) break;
        left = binary(parser, kind, left, parse_product(parser));
    }
    return left;
}

static struct jsonpath_node *parse_regex(struct parser *parser, struct jsonpath_node *left)
{
    struct jsonpath_node *like = node(parser, PATH_LIKE_REGEX);
    struct bytes flags = {0};
    like->left = left;
    skip(parser);
    if (!take_string(parser, &like->text)) return fail(parser);
    if (take_word(parser, "flag")) {
        if (!take_string(parser, &flags)) return fail(parser);
        for (size_t i = 0; i < flags.size; i++) {
            if (strchr("ismq", flags.data[i]) != NULL && flags.data[i] != 0) continue;
            if (!failed(parser->status))
                parser->status = flags.data[i] == 'x'
                    ? status_make(E_FEATURE_NOT_SUPPORTED,
                          "XQuery \"x\" flag (expanded regular expressions) is not implemented")
                    : status_format(parser->arena, E_SYNTAX_ERROR, "invalid input syntax for type jsonpath");
            return fail(parser);
        }
        like->flags = arena_string(parser->arena, flags);
    }
    return like;
}

static struct jsonpath_node *parse_comparison(struct parser *parser)
{
    static const struct {
        const char *text;
        enum jsonpath_kind kind;
    } operators[] = {{"==", PATH_EQUAL}, {"!=", PATH_NOT_EQUAL}, {"<>", PATH_NOT_EQUAL},
        {"<=", PATH_LESS_EQUAL}, {">=", PATH_GREATER_EQUAL}, {"<", PATH_LESS},
        {">", PATH_GREATER}};
    if (take_word(parser, "exists")) {
        struct jsonpath_node *exists = node(parser, PATH_EXISTS);
        if (!take(parser, "(")) return fail(parser);
        exists->left = parse_parenthesized(parser);
        return exists->left == NULL ? NULL : exists;
    }
    struct jsonpath_node *left = parse_sum(parser);
    if (left == NULL) return NULL;
    if (take_word(parser, "like_regex")) return parse_regex(parser, left);
    if (take_word(parser, "starts")) {
        if (!take_word(parser, "with")) return fail(parser);
        return binary(parser, PATH_STARTS_WITH, left, parse_primary(parser));
    }
    for (size_t i = 0; i < sizeof operators / sizeof operators[0]; i++)
        if (take(parser, operators[i].text))
            return binary(parser, operators[i].kind, left, parse_sum(parser));
    return left;
}

static struct jsonpath_node *parse_not(struct parser *parser)
{
    skip(parser);
    if (peek_at(parser, 0) != '!' || peek_at(parser, 1) == '=') return parse_comparison(parser);
    parser->at++;
    struct jsonpath_node *not = node(parser, PATH_NOT);
    if (!enter(parser)) return NULL;
    not->left = parse_not(parser);
    parser->depth--;
    if (not->left == NULL || !jsonpath_is_predicate(not->left->kind)) return fail(parser);
    return not;
}

static struct jsonpath_node *parse_and(struct parser *parser)
{
    struct jsonpath_node *left = parse_not(parser);
    while (left != NULL && take(parser, "&&"))
        left = binary(parser, PATH_AND, left, parse_not(parser));
    return left;
}

static struct jsonpath_node *parse_or(struct parser *parser)
{
    struct jsonpath_node *left = parse_and(parser);
    while (left != NULL && take(parser, "||"))
        left = binary(parser, PATH_OR, left, parse_and(parser));
    return left;
}

struct status jsonpath_parse(struct arena *arena, struct bytes text, struct jsonpath *path)
{
    struct parser parser = {.arena = arena, .text = text};
    if (text.size == 0 || type_trim(text).size == 0)
        return status_format(arena, E_INVALID_TEXT_REPRESENTATION,
            "invalid input syntax for type jsonpath: \"%.*s\"", bytes_shown(text),
            (const char *)text.data);
    path->strict = take_word(&parser, "strict");
    if (!path->strict) (void)take_word(&parser, "lax");
    path->root = parse_or(&parser);
    skip(&parser);
    if (!failed(parser.status) && (path->root == NULL || parser.at < text.size))
        (void)fail(&parser);
    return failed(parser.status) ? parser.status : arena_check(arena);
}

// --- printing ------------------------------------------------------------------------------------------------

static int priority_of(enum jsonpath_kind kind)
{
    switch (kind) {
    case PATH_OR: return 0;
    case PATH_AND: return 1;
    case PATH_EQUAL:
    case PATH_NOT_EQUAL:
    case PATH_LESS:
    case PATH_LESS_EQUAL:
    case PATH_GREATER:
    case PATH_GREATER_EQUAL:
    case PATH_STARTS_WITH: return 2;
    case PATH_ADD:
    case PATH_SUBTRACT: return 3;
    case PATH_MULTIPLY:
    case PATH_DIVIDE:
    case PATH_MODULO: return 4;
    case PATH_PLUS:
    case PATH_MINUS: return 5;
    default: return 6;
    }
}

static const char *operator_text(enum jsonpath_kind kind)
{
    switch (kind) {
    case PATH_OR: return " || ";
    case PATH_AND: return " && ";
    case PATH_EQUAL: return " == ";
    case PATH_NOT_EQUAL: return " != ";
    case PATH_LESS: return " < ";
    case PATH_LESS_EQUAL: return " <= ";
    case PATH_GREATER: return " > ";
    case PATH_GREATER_EQUAL: return " >= ";
    case PATH_STARTS_WITH: return " starts with ";
    case PATH_ADD: return " + ";
    case PATH_SUBTRACT: return " - ";
    case PATH_MULTIPLY: return " * ";
    case PATH_DIVIDE: return " / ";
    default: return " % ";
    }
}

static void print_node(struct buffer *out, const struct jsonpath_node *at, bool brackets);

static void print_operand(
    struct buffer *out, const struct jsonpath_node *parent, const struct jsonpath_node *operand)
{
    print_node(out, operand, priority_of(operand->kind) <= priority_of(parent->kind));
}

static void print_level(struct buffer *out, uint32_t level)
{
    if (level == UINT32_MAX)
        buffer_append_string(out, "last");
    else
        buffer_printf(out, "%u", level);
}

static void print_step(struct buffer *out, const struct jsonpath_node *at)
{
    switch (at->kind) {
    case PATH_KEY:
        buffer_append_u8(out, '.');
        json_print_string(out, at->text);
        break;
    case PATH_ANY_KEY: buffer_append_string(out, ".*"); break;
    case PATH_ANY_INDEX: buffer_append_string(out, "[*]"); break;
    case PATH_INDEX:
        buffer_append_u8(out, '[');
        for (uint32_t i = 0; i < at->subscript_count; i++) {
            if (i > 0) buffer_append_u8(out, ',');
            print_node(out, at->subscripts[i].from, false);
            if (at->subscripts[i].to == NULL) continue;
            buffer_append_string(out, " to ");
            print_node(out, at->subscripts[i].to, false);
        }
        buffer_append_u8(out, ']');
        break;
    case PATH_ANY:
        buffer_append_string(out, ".**");
        if (at->first == 0 && at->last == UINT32_MAX) break;
        buffer_append_u8(out, '{');
        print_level(out, at->first);
        if (at->first != at->last) {
            buffer_append_string(out, " to ");
            print_level(out, at->last);
        }
        buffer_append_u8(out, '}');
        break;
    case PATH_FILTER:
        buffer_append_string(out, "?(");
        print_node(out, at->left, false);
        buffer_append_u8(out, ')');
        break;
    default: buffer_printf(out, ".%s()", method_names[at->method]); break;
    }
}

static void print_first(struct buffer *out, const struct jsonpath_node *at, bool brackets)
{
    switch (at->kind) {
    case PATH_ROOT: buffer_append_u8(out, '$'); break;
    case PATH_CURRENT: buffer_append_u8(out, '@'); break;
    case PATH_LAST: buffer_append_string(out, "last"); break;
    case PATH_VARIABLE:
        buffer_append_u8(out, '$');
        json_print_string(out, at->text);
        break;
    case PATH_LITERAL: {
        bool apart = at->is_number && at->next != NULL;
        if (apart) buffer_append_u8(out, '(');
        json_print(out, at->text);
        if (apart) buffer_append_u8(out, ')');
        break;
    }
    case PATH_PLUS:
    case PATH_MINUS:
        if (brackets) buffer_append_u8(out, '(');
        buffer_append_u8(out, at->kind == PATH_PLUS ? '+' : '-');
        print_operand(out, at, at->left);
        if (brackets) buffer_append_u8(out, ')');
        break;
    case PATH_NOT:
        buffer_append_string(out, "!(");
        print_node(out, at->left, false);
        buffer_append_u8(out, ')');
        break;
    case PATH_IS_UNKNOWN:
        buffer_append_u8(out, '(');
        print_node(out, at->left, false);
        buffer_append_string(out, ") is unknown");
        break;
    case PATH_EXISTS:
        buffer_append_string(out, "exists (");
        print_node(out, at->left, false);
        buffer_append_u8(out, ')');
        break;
    case PATH_LIKE_REGEX:
        if (brackets) buffer_append_u8(out, '(');
        print_operand(out, at, at->left);
        buffer_append_string(out, " like_regex ");
        json_print_string(out, at->text);
        if (*at->flags != 0) buffer_printf(out, " flag \"%s\"", at->flags);
        if (brackets) buffer_append_u8(out, ')');
        break;
    default:
        if (brackets) buffer_append_u8(out, '(');
        print_operand(out, at, at->left);
        buffer_append_string(out, operator_text(at->kind));
        print_operand(out, at, at->right);
        if (brackets) buffer_append_u8(out, ')');
        break;
    }
}

static void print_node(struct buffer *out, const struct jsonpath_node *at, bool brackets)
{
    print_first(out, at, brackets || at->next != NULL);
    for (at = at->next; at != NULL; at = at->next) print_step(out, at);
}

void jsonpath_print(struct buffer *out, const struct jsonpath *path)
{
    if (path->strict) buffer_append_string(out, "strict ");
    print_node(out, path->root, true);
}

// --- the type --------------------------------------------------------------------------------------------------

static struct status path_input(struct arena *arena, const struct type_context *context,
    struct type type, struct bytes text, struct datum *value)
{
    struct status st;
    struct jsonpath path;
    struct buffer out;
    (void)context, (void)type;
    TRY(jsonpath_parse(arena, text, &path));
    buffer_init(&out, arena);
    jsonpath_print(&out, &path);
    *value = datum_bytes(buffer_bytes(&out));

out:
    return st;
}

static void path_output(
    struct buffer *out, const struct type_context *context, type_oid oid, struct datum value)
{
    (void)context, (void)oid;
    buffer_append_bytes(out, datum_as_bytes(value));
}

// A byte for the version stands before the text.
static struct status path_receive(
    struct arena *arena, struct type type, struct bytes binary, struct datum *value)
{
    if (binary.size < 1 || binary.data[0] != 1)
        return status_format(arena, E_INTERNAL, "unsupported jsonpath version number: %d",
            binary.size < 1 ? 0 : binary.data[0]);
    struct status st = type_check_utf8(arena, bytes_of(binary.data + 1, binary.size - 1));
    if (failed(st)) return st;
    return path_input(arena, NULL, type, bytes_of(binary.data + 1, binary.size - 1), value);
}

static void path_send(struct buffer *out, type_oid oid, struct datum value)
{
    (void)oid;
    buffer_append_u8(out, 1);
    buffer_append_bytes(out, datum_as_bytes(value));
}

const struct type_ops type_ops_jsonpath = {.storage = TYPE_STORE_BYTES,
    .no_key = true,
    .input = path_input,
    .output = path_output,
    .receive = path_receive,
    .send = path_send};
