// SPDX-License-Identifier: GPL-3.0-or-later
#include "sql/parse/shape.h"

#include <xxhash.h>

#include "sql/parse/ast_query.h"
#include "sql/parse/lexer.h"

enum { SPACE = 1, WORD_START = 2, DIGIT = 4, OPERATOR = 8 };

static const uint8_t classes[256] = {
    [' '] = SPACE,
    ['\t'] = SPACE,
    ['\n'] = SPACE,
    ['\r'] = SPACE,
    ['\f'] = SPACE,
    ['a' ... 'z'] = WORD_START,
    ['A' ... 'Z'] = WORD_START,
    ['_'] = WORD_START,
    [0x80 ... 0xff] = WORD_START,
    ['0' ... '9'] = DIGIT,
    ['~'] = OPERATOR,
    ['!'] = OPERATOR,
    ['@'] = OPERATOR,
    ['#'] = OPERATOR,
    ['^'] = OPERATOR,
    ['&'] = OPERATOR,
    ['|'] = OPERATOR,
    ['`'] = OPERATOR,
    ['?'] = OPERATOR,
    ['+'] = OPERATOR,
    ['-'] = OPERATOR,
    ['*'] = OPERATOR,
    ['/'] = OPERATOR,
    ['%'] = OPERATOR,
    ['<'] = OPERATOR,
    ['>'] = OPERATOR,
    ['='] = OPERATOR,
};

// What came before the current token, as far as it decides what a literal may be.
enum before {
    BEFORE_NOTHING,
    BEFORE_OPEN,     // ( or , : a literal may stand here
    BEFORE_OPERATOR, // of any kind
    BEFORE_COMPARE,  // = < > <= >= <> : also a string
    BEFORE_KEYWORD,  // one that a literal may follow
    BEFORE_WORD,     // any other word, name or closing parenthesis
    BEFORE_LITERAL,
};

struct shaping {
    const uint8_t *text;
    uint32_t size;
    uint32_t at;
    struct shape *out;
    uint32_t out_size;
    enum before before;
    bool after_cast; // Between :: and the end of its type's name.
    bool ordering;   // In ORDER BY or GROUP BY, where literals mean other things.
    uint32_t order_depth;
    uint32_t depth;
};

// The first eight letters of a word, first letter lowest.
#define P1(a) ((uint64_t)(a))
#define P4(a, b, c, d) (P1(a) | P1(b) << 8 | P1(c) << 16 | P1(d) << 24)
#define P8(a, b, c, d, e, f, g, h) (P4(a, b, c, d) | P4(e, f, g, h) << 32)

enum word_effect {
    WORD_PLAIN,
    WORD_LITERAL_MAY_FOLLOW,
    WORD_REFUSED,
    WORD_BY,
    WORD_ENDS_ORDER, // and a literal may follow
    WORD_ENDS_ORDER_NO_LITERAL,
};

// `packed` are the first eight letters; words of more letters than eight are told by `size`.
static enum word_effect effect_of(uint64_t packed, uint32_t size)
{
    switch (packed) {
    case P4('a', 'n', 'd', 0):
    case P4('o', 'r', 0, 0):
    case P4('n', 'o', 't', 0):
    case P4('o', 'n', 0, 0):
    case P4('l', 'i', 'k', 'e'):
    case P4('w', 'h', 'e', 'n'):
    case P4('t', 'h', 'e', 'n'):
    case P4('e', 'l', 's', 'e'):
    case P8('i', 'l', 'i', 'k', 'e', 0, 0, 0):
    case P8('w', 'h', 'e', 'r', 'e', 0, 0, 0):
    case P8('s', 'e', 'l', 'e', 'c', 't', 0, 0):
    case P8('b', 'e', 't', 'w', 'e', 'e', 'n', 0): return WORD_LITERAL_MAY_FOLLOW;
    case P8('r', 'e', 't', 'u', 'r', 'n', 'i', 'n'):
        return size == 9 ? WORD_ENDS_ORDER : WORD_PLAIN;
    case P8('l', 'i', 'm', 'i', 't', 0, 0, 0):
    case P8('o', 'f', 'f', 's', 'e', 't', 0, 0):
    case P8('h', 'a', 'v', 'i', 'n', 'g', 0, 0): return WORD_ENDS_ORDER;
    case P4('f', 'o', 'r', 0): return WORD_ENDS_ORDER_NO_LITERAL;
    case P4('b', 'y', 0, 0): return WORD_BY;
    case P4('c', 'a', 's', 't'):
    case P4('w', 'i', 't', 'h'):
    case P4('i', 'n', 't', 'o'): // INSERT INTO is seen to by the caller; SELECT INTO is refused.
    case P4('t', 'r', 'i', 'm'):
    case P8('f', 'e', 't', 'c', 'h', 0, 0, 0):
    case P8('u', 'n', 'i', 'o', 'n', 0, 0, 0):
    case P8('e', 'x', 'c', 'e', 'p', 't', 0, 0):
    case P8('t', 'r', 'e', 'a', 't', 0, 0, 0):
    case P8('i', 'n', 't', 'e', 'r', 'v', 'a', 'l'):
    case P8('e', 'x', 't', 'r', 'a', 'c', 't', 0):
    case P8('o', 'v', 'e', 'r', 'l', 'a', 'y', 0):
    case P8('p', 'o', 's', 'i', 't', 'i', 'o', 'n'):
    case P8('d', 'i', 's', 't', 'i', 'n', 'c', 't'): return size <= 8 ? WORD_REFUSED : WORD_PLAIN;
    case P8('i', 'n', 't', 'e', 'r', 's', 'e', 'c'):
    case P8('s', 'u', 'b', 's', 't', 'r', 'i', 'n'):
    case P8('n', 'o', 'r', 'm', 'a', 'l', 'i', 'z'): return size == 9 ? WORD_REFUSED : WORD_PLAIN;
    default: return WORD_PLAIN;
    }
}

// Room for one more token: its bytes, a blank and a parameter's name.
static bool has_room(const struct shaping *s, uint32_t size)
{
    return s->out_size + size + 8 <= SHAPE_TEXT_BYTES_MAX;
}

// A blank where two tokens would run together.
static void separate(struct shaping *s, unsigned with)
{
    if (s->out_size == 0) return;
    uint8_t last = classes[s->out->text[s->out_size - 1]];
    bool words = (with & (WORD_START | DIGIT)) && (last & (WORD_START | DIGIT));
    bool operators = (with & OPERATOR) && (last & OPERATOR);
    if (words || operators || s->out->text[s->out_size - 1] == '"')
        s->out->text[s->out_size++] = ' ';
}

static bool skip_comment(struct shaping *s)
{
    if (s->text[s->at + 1] == '-') {
        while (s->at < s->size && s->text[s->at] != '\n' && s->text[s->at] != '\r')
            s->at++;
        return true;
    }
    uint32_t depth = 0;
    do {
        if (s->at + 1 >= s->size) return false;
        bool opens = s->text[s->at] == '/' && s->text[s->at + 1] == '*';
        bool closes = s->text[s->at] == '*' && s->text[s->at + 1] == '/';
        depth += opens ? 1u : 0u;
        depth -= closes ? 1u : 0u;
        s->at += opens || closes ? 2 : 1;
    } while (depth > 0);
    return true;
}

static bool shape_word(struct shaping *s, bool *inserts)
{
    uint32_t start = s->at;
    uint64_t packed = 0;
    uint8_t *to;
    separate(s, WORD_START);
    to = s->out->text + s->out_size;
    while (s->at < s->size) {
        uint8_t c = s->text[s->at];
        if (!(classes[c] & (WORD_START | DIGIT)) && c != '$') break;
        if (s->at - start >= SHAPE_TEXT_BYTES_MAX) return false;
        if (!has_room(s, s->at - start)) return false;
        if (c >= 'A' && c <= 'Z') c |= 0x20;
        if (s->at - start < 8) packed |= (uint64_t)c << 8 * (s->at - start);
        *to++ = c;
        s->at++;
    }
    uint32_t size = s->at - start;
    if (size > IDENTIFIER_BYTES_MAX) return false; // It is cut, and that is told.
    // Literals that begin with a letter: E'..', B'..', N'..', X'..', U&'..'.
    if (s->at < s->size &&
        (s->text[s->at] == '\'' || (size == 1 && packed == 'u' && s->text[s->at] == '&')))
        return false;
    bool name = s->out_size > 0 && s->out->text[s->out_size - 1] == '.';
    s->out_size += size;
    s->before = BEFORE_WORD;
    if (name) return true; // After a point every word is a name.
    enum word_effect effect = effect_of(packed, size);
    if (effect == WORD_REFUSED) {
        bool into = packed == P4('i', 'n', 't', 'o') && *inserts;
        *inserts = false;
        return into;
    }
    if (effect == WORD_BY) {
        if (!s->ordering) s->order_depth = s->depth;
        s->ordering = true;
    }
    bool ends = effect == WORD_ENDS_ORDER || effect == WORD_ENDS_ORDER_NO_LITERAL;
    if (ends && s->depth <= s->order_depth) s->ordering = false;
    if (effect == WORD_LITERAL_MAY_FOLLOW || effect == WORD_ENDS_ORDER) s->before = BEFORE_KEYWORD;
    return true;
}

// Writes $n for a literal whose other fields the caller fills in.
static struct shape_literal *add_literal(struct shaping *s, uint32_t start)
{
    if (s->out->literal_count == SHAPE_LITERALS_MAX || s->ordering || s->after_cast) return NULL;
    struct shape_literal *literal = &s->out->literals[s->out->literal_count++];
    uint32_t number = s->out->literal_count;
    separate(s, WORD_START);
    s->out->text[s->out_size++] = '$';
    if (number >= 10) s->out->text[s->out_size++] = (uint8_t)('0' + number / 10);
    s->out->text[s->out_size++] = (uint8_t)('0' + number % 10);
    s->before = BEFORE_LITERAL;
    literal->escaped = false;
    literal->position = start;
    literal->integer = 0;
    return literal;
}

static bool shape_number(struct shaping *s, bool negative)
{
    uint32_t start = s->at - (negative ? 1 : 0);
    uint64_t value = 0;
    bool fits = true, decimal = false;
    uint32_t at = s->at;
    for (; at < s->size && (classes[s->text[at]] & DIGIT); at++) {
        uint64_t digit = (uint64_t)(s->text[at] - '0');
        fits = fits && value <= ((uint64_t)INT64_MAX - digit) / 10;
        if (fits) value = value * 10 + digit;
    }
    if (at < s->size && s->text[at] == '.') {
        if (at + 1 < s->size && s->text[at + 1] == '.') return false;
        decimal = true;
        for (at++; at < s->size && (classes[s->text[at]] & DIGIT); at++) {
        }
    }
    if (at < s->size && (s->text[at] | 0x20) == 'e') {
        uint32_t digits = at + 1;
        if (digits < s->size && (s->text[digits] == '+' || s->text[digits] == '-')) digits++;
        if (digits >= s->size || !(classes[s->text[digits]] & DIGIT)) return false;
        decimal = true;
        for (at = digits; at < s->size && (classes[s->text[at]] & DIGIT); at++) {
        }
    }
    if (at < s->size && (classes[s->text[at]] & WORD_START)) return false; // Junk after a number.
    // The least integer and bigint: their type is another without the minus, which may stand apart.
    struct bytes digits = bytes_of(s->text + s->at, at - s->at);
    if (bytes_equal(digits, BYTES_LITERAL("2147483648")) ||
        bytes_equal(digits, BYTES_LITERAL("9223372036854775808")))
        return false;
    struct shape_literal *literal = add_literal(s, start);
    if (literal == NULL) return false;
    literal->text = bytes_of(s->text + start, at - start);
    s->at = at;
    if (decimal || !fits) {
        literal->kind = SHAPE_DECIMAL;
        return true;
    }
    literal->kind = value <= INT32_MAX ? SHAPE_INTEGER : SHAPE_BIGINT;
    literal->integer = negative ? -(int64_t)value : (int64_t)value;
    return true;
}

static bool shape_string(struct shaping *s)
{
    if (s->before != BEFORE_OPEN && s->before != BEFORE_COMPARE && s->before != BEFORE_KEYWORD)
        return false;
    uint32_t start = s->at, at = start + 1;
    bool escaped = false;
    uint8_t high = 0;
    for (;; at++) {
        if (at >= s->size) return false;
        uint8_t c = s->text[at];
        high |= c;
        if (c == 0) return false;
        if (c != '\'') continue;
        if (at + 1 >= s->size || s->text[at + 1] != '\'') break;
        escaped = true;
        at++;
    }
    struct bytes text = bytes_of(s->text + start + 1, at - start - 1);
    if ((high & 0x80) && utf8_check(text) != text.size) return false;
    // 'a' <newline> 'b' is one string: left to the grammar, as is 'a' 'b'.
    for (at++; at < s->size && (classes[s->text[at]] & SPACE); at++) {
    }
    if (at < s->size && s->text[at] == '\'') return false;
    struct shape_literal *literal = add_literal(s, start);
    if (literal == NULL) return false;
    literal->kind = SHAPE_STRING;
    literal->escaped = escaped;
    literal->text = text;
    s->at = at;
    return true;
}

static bool shape_quoted_name(struct shaping *s)
{
    uint32_t start = s->at, at = start + 1;
    for (;; at++) {
        if (at >= s->size || s->text[at] == 0) return false;
        if (s->text[at] != '"') continue;
        if (at + 1 >= s->size || s->text[at + 1] != '"') break;
        at++;
    }
    uint32_t size = at + 1 - start;
    if (size > IDENTIFIER_BYTES_MAX + 2 || !has_room(s, size)) return false;
    separate(s, WORD_START);
    memcpy(s->out->text + s->out_size, s->text + start, size);
    s->out_size += size;
    s->at = at + 1;
    s->before = BEFORE_WORD;
    return true;
}

static bool shape_operator(struct shaping *s)
{
    uint32_t start = s->at, at = start;
    uint8_t c = s->text[at], next = at + 1 < s->size ? s->text[at + 1] : 0;
    if ((c == '-' && next == '-') || (c == '/' && next == '*')) return skip_comment(s);
    // A minus that belongs to a number: nothing that could be subtracted from stands before it.
    bool number = (classes[next] & DIGIT) ||
                  (next == '.' && at + 2 < s->size && (classes[s->text[at + 2]] & DIGIT));
    if (c == '-' && number &&
        (s->before == BEFORE_OPEN || s->before == BEFORE_OPERATOR || s->before == BEFORE_COMPARE ||
            s->before == BEFORE_KEYWORD)) {
        s->at++;
        return shape_number(s, true);
    }
    bool special = false;
    while (at < s->size && (classes[s->text[at]] & OPERATOR)) {
        c = s->text[at];
        next = at + 1 < s->size ? s->text[at + 1] : 0;
        if (at > start && ((c == '-' && next == '-') || (c == '/' && next == '*'))) break;
        special |= strchr("~!@#^&|`?%", c) != NULL;
        at++;
    }
    while (at > start + 1 && !special && (s->text[at - 1] == '-' || s->text[at - 1] == '+'))
        at--;
    uint32_t size = at - start;
    if (!has_room(s, size)) return false;
    separate(s, OPERATOR);
    memcpy(s->out->text + s->out_size, s->text + start, size);
    s->out_size += size;
    s->at = at;
    c = s->text[start];
    bool compares = !special && (c == '=' || c == '<' || c == '>') && size <= 2 &&
                    (size == 1 || s->text[start + 1] == '=' || s->text[start + 1] == '>');
    // A star may be count(*) or t.*: what follows it is no operand then, but no literal either.
    s->before = compares ? BEFORE_COMPARE : BEFORE_OPERATOR;
    return true;
}

static bool shape_character(struct shaping *s)
{
    uint8_t c = s->text[s->at];
    bool cast = c == ':' && s->at + 1 < s->size && s->text[s->at + 1] == ':';
    switch (c) {
    case '(':
        if (s->after_cast) return false; // numeric(10,2)
        s->depth++;
        s->before = BEFORE_OPEN;
        break;
    case ',': s->before = BEFORE_OPEN; break;
    case ')':
        if (s->depth == 0) return false;
        s->depth--;
        if (s->ordering && s->depth < s->order_depth) s->ordering = false;
        s->before = BEFORE_WORD;
        break;
    case '.': s->before = BEFORE_WORD; break;
    case ':':
        if (!cast || s->before == BEFORE_LITERAL) return false;
        s->before = BEFORE_WORD;
        break;
    default: return false; // [ ] { } ; $ and the unknown
    }
    if (!has_room(s, 2)) return false;
    s->after_cast = cast || (s->after_cast && c == '.');
    s->out->text[s->out_size++] = c;
    if (cast) s->out->text[s->out_size++] = c;
    s->at += cast ? 2 : 1;
    return true;
}

// The first word: only statements whose literals are values. *inserts: INTO may follow.
static bool starts_well(struct shaping *s, bool *inserts)
{
    static const char *const words[] = {"select", "insert", "update", "delete", "upsert"};
    if (s->size - s->at < 7) return false;
    for (size_t i = 0; i < sizeof words / sizeof words[0]; i++) {
        bool same = true;
        for (uint32_t j = 0; j < 6 && same; j++)
            same = (s->text[s->at + j] | 0x20) == (uint8_t)words[i][j];
        if (!same || (classes[s->text[s->at + 6]] & (WORD_START | DIGIT))) continue;
        *inserts = i == 1 || i == 4;
        return true;
    }
    return false;
}

static bool shape_token(struct shaping *s, bool *inserts)
{
    uint8_t c = s->text[s->at];
    uint8_t class = classes[c];
    if (class & WORD_START) return shape_word(s, inserts);
    bool point = c == '.' && s->at + 1 < s->size && (classes[s->text[s->at + 1]] & DIGIT);
    if ((class & DIGIT) || point) {
        bool fits = s->before == BEFORE_OPEN || s->before == BEFORE_OPERATOR ||
                    s->before == BEFORE_COMPARE || s->before == BEFORE_KEYWORD;
        return fits && shape_number(s, false);
    }
    if (c != '.' && c != '(') s->after_cast = false;
    if (class & OPERATOR) return shape_operator(s);
    if (c == '\'') return shape_string(s);
    if (c == '"') return shape_quoted_name(s);
    return shape_character(s);
}

bool shape_of(struct bytes text, struct shape *out)
{
    if (text.size > SHAPE_TEXT_BYTES_MAX) return false;
    struct shaping s = {.text = text.data, .size = (uint32_t)text.size, .out = out};
    bool inserts = false, started = false;
    out->literal_count = 0;
    for (;;) {
        while (s.at < s.size && (classes[s.text[s.at]] & SPACE))
            s.at++;
        if (s.at >= s.size) break;
        if (s.text[s.at] == ';') {
            for (s.at++; s.at < s.size && (classes[s.text[s.at]] & SPACE); s.at++) {
            }
            if (s.at < s.size) return false;
            break;
        }
        if (!started && !starts_well(&s, &inserts)) return false;
        started = true;
        if (!has_room(&s, 0) || !shape_token(&s, &inserts)) return false;
    }
    if (!started || s.depth != 0) return false;
    out->size = s.out_size;
    uint64_t kinds = 0;
    for (uint32_t i = 0; i < out->literal_count; i++)
        kinds = kinds * 31 + (uint64_t)out->literals[i].kind + 1;
    out->hash = XXH3_64bits_withSeed(out->text, out->size, kinds);
    return true;
}

size_t shape_literal_unescape(const struct shape_literal *literal, uint8_t *out)
{
    size_t size = 0;
    for (size_t i = 0; i < literal->text.size; i++) {
        out[size++] = literal->text.data[i];
        if (literal->text.data[i] == '\'') i++;
    }
    return size;
}
