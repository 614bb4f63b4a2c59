// SPDX-License-Identifier: GPL-3.0-or-later
//
// Regular expressions: text to nodes.
#include "sql/type/regex_tree.h"

#define NESTING_MAX 1000u
#define CODE_MAX 0x7ffffffeu // Beyond all characters: what is said by number is not looked at closely.

enum token {
    TOKEN_END,
    TOKEN_CHARACTER, // `value`
    TOKEN_CLASS,     // \d: `value`
    TOKEN_NOT_CLASS, // \D
    TOKEN_ANY,       // .
    TOKEN_BRACKET,   // [ or [^: `value` is whether it is negated. What follows is not lexed yet.
    TOKEN_ASSERTION, // `value`
    TOKEN_REFERENCE, // `value`
    TOKEN_OPEN,      // ( or (?: `value` is whether it has a number.
    TOKEN_LOOK,      // `value`: bit 0 behind, bit 1 negated.
    TOKEN_CLOSE,     // )
    TOKEN_OR,        // |
    TOKEN_REPEAT,    // * + ? { : `value` is the character, `lazy`.
};

struct parser {
    struct regex *regex;
    struct bytes text;
    size_t at;
    bool extended, expanded, literal, lines, no_newline, ignore_case;
    enum token token;
    uint32_t value;
    bool lazy;
    uint32_t depth;
    uint32_t looks; // How many looks it is in.
};

void regex_fail(struct regex *regex, uint32_t code, const char *message)
{
    if (regex->error != NULL) return;
    regex->error_code = code;
    regex->error = message;
}

static void fail(struct parser *parser, const char *message)
{
    regex_fail(parser->regex, E_INVALID_REGULAR_EXPRESSION, message);
    parser->token = TOKEN_END;
    parser->at = parser->text.size;
}

static const char bad_escape[] = "invalid escape \\ sequence";
static const char bad_count[] = "invalid repetition count(s)";
static const char bad_operand[] = "quantifier operand invalid";
static const char bad_brackets[] = "brackets [] not balanced";
static const char bad_range[] = "invalid character range";

static bool at_end(const struct parser *parser)
{
    return parser->at >= parser->text.size;
}

static bool next_is(const struct parser *parser, char c)
{
    return !at_end(parser) && parser->text.data[parser->at] == (uint8_t)c;
}

static bool next_is_digit(const struct parser *parser)
{
    return !at_end(parser) && ascii_digit((char)parser->text.data[parser->at]);
}

static bool take_if(struct parser *parser, char c)
{
    if (!next_is(parser, c)) return false;
    parser->at++;
    return true;
}

static uint32_t take_character(struct parser *parser)
{
    const uint32_t code = utf8_decode(parser->text.data + parser->at);
    parser->at += utf8_size_of(parser->text.data[parser->at]);
    return code;
}

// --- escapes -------------------------------------------------------------------------------------------------

static int digit_of(uint8_t c)
{
    if (ascii_digit((char)c)) return c - '0';
    const char lower = ascii_lower((char)c);
    return lower >= 'a' && lower <= 'f' ? lower - 'a' + 10 : 99;
}

// At least `least` digits, at most `most`. False: there are fewer, or it is beyond all characters.
static bool take_digits(
    struct parser *parser, uint32_t base, uint32_t least, uint32_t most, uint32_t *value)
{
    uint32_t count = 0;
    *value = 0;
    while (count < most && !at_end(parser)) {
        const uint32_t digit = (uint32_t)digit_of(parser->text.data[parser->at]);
        if (digit >= base) break;
        if (*value > CODE_MAX / 16) return false;
        *value = *value * base + digit;
        parser->at++;
        count++;
    }
    return count >= least && *value <= CODE_MAX;
}

static void set_token(struct parser *parser, enum token token, uint32_t value)
{
    parser->token = token;
    parser->value = value;
}

static void lex_number(struct parser *parser, uint32_t base, uint32_t least, uint32_t most)
{
    uint32_t code;
    if (take_digits(parser, base, least, most, &code))
        set_token(parser, TOKEN_CHARACTER, code);
    else
        fail(parser, bad_escape);
}

// \1 is a reference; so is \12 when there are so many groups; otherwise digits are octal ones.
static void lex_digit(struct parser *parser, uint8_t c)
{
    const size_t start = --parser->at;
    uint32_t value;
    if (c != '0') {
        if (!take_digits(parser, 10, 1, 255, &value)) value = UINT32_MAX;
        if (parser->at == start + 1 || value <= parser->regex->group_count) {
            set_token(parser, TOKEN_REFERENCE, value);
            return;
        }
        parser->at = start;
    }
    if (!take_digits(parser, 8, 1, 3, &value)) {
        fail(parser, bad_escape);
        return;
    }
    if (value > 0xff) {
        parser->at--;
        value >>= 3;
    }
    set_token(parser, TOKEN_CHARACTER, value);
}

static void lex_escape(struct parser *parser)
{
    static const struct {
        char letter;
        enum token token;
        uint32_t value;
    } escapes[] = {
        {'a', TOKEN_CHARACTER, 7}, {'b', TOKEN_CHARACTER, 8}, {'B', TOKEN_CHARACTER, '\\'},
        {'e', TOKEN_CHARACTER, 27}, {'f', TOKEN_CHARACTER, 12}, {'n', TOKEN_CHARACTER, 10},
        {'r', TOKEN_CHARACTER, 13}, {'t', TOKEN_CHARACTER, 9}, {'v', TOKEN_CHARACTER, 11},
        {'d', TOKEN_CLASS, CLASS_DIGIT}, {'D', TOKEN_NOT_CLASS, CLASS_DIGIT},
        {'s', TOKEN_CLASS, CLASS_SPACE}, {'S', TOKEN_NOT_CLASS, CLASS_SPACE},
        {'w', TOKEN_CLASS, CLASS_WORD}, {'W', TOKEN_NOT_CLASS, CLASS_WORD},
        {'A', TOKEN_ASSERTION, ASSERT_TEXT_START}, {'Z', TOKEN_ASSERTION, ASSERT_TEXT_END},
        {'m', TOKEN_ASSERTION, ASSERT_WORD_START}, {'M', TOKEN_ASSERTION, ASSERT_WORD_END},
        {'y', TOKEN_ASSERTION, ASSERT_WORD_EDGE}, {'Y', TOKEN_ASSERTION, ASSERT_NO_WORD_EDGE}};
    if (at_end(parser)) {
        fail(parser, bad_escape);
        return;
    }
    const uint32_t c = take_character(parser);
    if (parser->extended || c >= 0x80 || (regex_classes_of(c) & CLASS_ALNUM) == 0) {
        set_token(parser, TOKEN_CHARACTER, c);
        return;
    }
    for (size_t i = 0; i < sizeof escapes / sizeof escapes[0]; i++) {
        if ((uint8_t)escapes[i].letter != c) continue;
        set_token(parser, escapes[i].token, escapes[i].value);
        return;
    }
    if (ascii_digit((char)c)) {
        lex_digit(parser, (uint8_t)c);
    } else if (c == 'u') {
        lex_number(parser, 16, 4, 4);
    } else if (c == 'U') {
        lex_number(parser, 16, 8, 8);
    } else if (c == 'x') {
        lex_number(parser, 16, 1, 255);
    } else if (c == 'c' && !at_end(parser)) {
        set_token(parser, TOKEN_CHARACTER, take_character(parser) & 037);
    } else {
        fail(parser, bad_escape);
    }
}

// --- tokens ------------------------------------------------------------------------------------------------------

static void skip_comment(struct parser *parser, char last)
{
    while (!at_end(parser) && !next_is(parser, last))
        parser->at++;
}

// Blanks and comments, in expanded syntax.
static void skip_blanks(struct parser *parser)
{
    while (parser->expanded && !at_end(parser)) {
        const struct bytes rest = bytes_skip(parser->text, parser->at);
        if (ascii_space((char)rest.data[0])) {
            parser->at++;
        } else if (rest.data[0] == '#') {
            skip_comment(parser, '\n');
        } else if (!parser->extended && bytes_has_prefix(rest, BYTES_LITERAL("(?#"))) {
            skip_comment(parser, ')');
            take_if(parser, ')');
        } else {
            return;
        }
    }
}

static void lex(struct parser *parser);

static void lex_special_group(struct parser *parser)
{
    const uint8_t c = at_end(parser) ? 0 : parser->text.data[parser->at++];
    bool behind = c == '<';
    const uint8_t kind = !behind ? c : at_end(parser) ? 0 : parser->text.data[parser->at++];
    if (c == ':') {
        set_token(parser, TOKEN_OPEN, 0);
    } else if (c == '#') {
        skip_comment(parser, ')');
        take_if(parser, ')');
        lex(parser);
    } else if (kind == '=' || kind == '!') {
        set_token(parser, TOKEN_LOOK, (behind ? 1u : 0u) | (kind == '!' ? 2u : 0u));
    } else {
        fail(parser, bad_operand);
    }
}

static void lex_bracket(struct parser *parser)
{
    const struct bytes rest = bytes_skip(parser->text, parser->at);
    if (bytes_has_prefix(rest, BYTES_LITERAL("[:<:]]"))) {
        parser->at += 6;
        set_token(parser, TOKEN_ASSERTION, ASSERT_WORD_START);
    } else if (bytes_has_prefix(rest, BYTES_LITERAL("[:>:]]"))) {
        parser->at += 6;
        set_token(parser, TOKEN_ASSERTION, ASSERT_WORD_END);
    } else {
        set_token(parser, TOKEN_BRACKET, take_if(parser, '^'));
    }
}

static void lex(struct parser *parser)
{
    if (parser->regex->error != NULL) return;
    if (!parser->literal) skip_blanks(parser);
    if (at_end(parser)) {
        parser->token = TOKEN_END;
        return;
    }
    const uint32_t c = take_character(parser);
    set_token(parser, TOKEN_CHARACTER, c);
    if (parser->literal) return;
    switch (c) {
    case '|': parser->token = TOKEN_OR; break;
    case '*':
    case '+':
    case '?':
        parser->token = TOKEN_REPEAT;
        parser->lazy = !parser->extended && take_if(parser, '?');
        break;
    case '{':
        skip_blanks(parser);
        if (next_is_digit(parser)) parser->token = TOKEN_REPEAT;
        break;
    case '(':
        if (!parser->extended && take_if(parser, '?'))
            lex_special_group(parser);
        else
            set_token(parser, TOKEN_OPEN, 1);
        break;
    case ')': parser->token = TOKEN_CLOSE; break;
    case '[': lex_bracket(parser); break;
    case '.': parser->token = TOKEN_ANY; break;
    case '^': set_token(parser, TOKEN_ASSERTION, ASSERT_LINE_START); break;
    case '$': set_token(parser, TOKEN_ASSERTION, ASSERT_LINE_END); break;
    case '\\': lex_escape(parser); break;
    default: break;
    }
}

// --- brackets -----------------------------------------------------------------------------------------------------

// Up to `kind` and a bracket, which are taken.
static bool take_name(struct parser *parser, char kind, struct bytes *name)
{
    const size_t start = parser->at;
    for (; parser->at + 1 < parser->text.size; parser->at++) {
        if (!next_is(parser, kind) || parser->text.data[parser->at + 1] != ']') continue;
        *name = bytes_of(parser->text.data + start, parser->at - start);
        parser->at += 2;
        return true;
    }
    fail(parser, bad_brackets);
    return false;
}

static bool character_of_name(struct parser *parser, struct bytes name, uint32_t *code)
{
    if (name.size > 0 && utf8_size_of(name.data[0]) == name.size) {
        *code = utf8_decode(name.data);
        return true;
    }
    if (name.size > 0 && regex_character_named(name, code)) return true;
    fail(parser, "invalid collating element");
    return false;
}

enum member { MEMBER_CHARACTER, MEMBER_CLASS, MEMBER_DASH, MEMBER_FAILED };

// One of a bracket's: what can be an end of a range (MEMBER_CHARACTER), or whole classes, which are in the set now.
static enum member take_member(
    struct parser *parser, struct char_set *set, bool first, uint32_t *code)
{
    struct bytes name;
    uint32_t class;
    *code = take_character(parser);
    if (*code == '-' && !first && !next_is(parser, ']')) return MEMBER_DASH;
    if (*code == '\\' && !parser->extended) {
        lex_escape(parser);
        if (parser->regex->error != NULL) return MEMBER_FAILED;
        *code = parser->value;
        if (parser->token == TOKEN_CHARACTER) return MEMBER_CHARACTER;
        if (parser->token == TOKEN_CLASS) set->classes |= parser->value;
        if (parser->token == TOKEN_NOT_CLASS) set->not_classes |= parser->value;
        if (parser->token == TOKEN_CLASS || parser->token == TOKEN_NOT_CLASS) return MEMBER_CLASS;
        fail(parser, bad_escape);
        return MEMBER_FAILED;
    }
    if (*code != '[') return MEMBER_CHARACTER;
    if (take_if(parser, ':')) {
        if (!take_name(parser, ':', &name)) return MEMBER_FAILED;
        class = regex_class_named(name);
        if (class == 0) {
            fail(parser, "invalid character class");
            return MEMBER_FAILED;
        }
        set->classes |= class;
        return MEMBER_CLASS;
    }
    if (take_if(parser, '.')) {
        if (!take_name(parser, '.', &name) || !character_of_name(parser, name, code))
            return MEMBER_FAILED;
        return MEMBER_CHARACTER;
    }
    if (!take_if(parser, '=')) return MEMBER_CHARACTER;
    if (!take_name(parser, '=', &name) || !character_of_name(parser, name, code))
        return MEMBER_FAILED;
    struct char_range *range = regex_take(parser->regex, sizeof *range);
    if (range == NULL) return MEMBER_FAILED;
    *range = (struct char_range){*code, *code, set->ranges};
    set->ranges = range;
    return MEMBER_CLASS;
}

static bool add_range(struct parser *parser, struct char_set *set, uint32_t from, uint32_t to)
{
    if (from > to) {
        fail(parser, bad_range);
        return false;
    }
    struct char_range *range = regex_take(parser->regex, sizeof *range);
    if (range == NULL) return false;
    *range = (struct char_range){from, to, set->ranges};
    set->ranges = range;
    return true;
}

// What follows a character that may be the start of a range.
static bool take_range(struct parser *parser, struct char_set *set, uint32_t from)
{
    uint32_t to = from;
    struct char_set other = {0};
    if (!next_is(parser, '-') || parser->at + 1 >= parser->text.size ||
        parser->text.data[parser->at + 1] == ']')
        return add_range(parser, set, from, to);
    parser->at++;
    switch (take_member(parser, &other, false, &to)) {
    case MEMBER_DASH: // A dash itself.
    case MEMBER_CHARACTER: return add_range(parser, set, from, to);
    case MEMBER_CLASS: fail(parser, bad_range); return false;
    case MEMBER_FAILED: return false;
    }
    return false;
}

static uint32_t parse_bracket(struct parser *parser, bool negated)
{
    struct char_set set = {.negated = negated,
        .no_newline = negated && parser->no_newline,
        .ignore_case = parser->ignore_case};
    for (bool first = true;; first = false) {
        uint32_t code;
        if (at_end(parser)) {
            fail(parser, bad_brackets);
            return 0;
        }
        if (!first && take_if(parser, ']')) return regex_set_add(parser->regex, set);
        switch (take_member(parser, &set, first, &code)) {
        case MEMBER_CHARACTER:
            if (!take_range(parser, &set, code)) return 0;
            break;
        case MEMBER_CLASS: break;
        case MEMBER_DASH: fail(parser, bad_range); return 0;
        case MEMBER_FAILED: return 0;
        }
    }
}

// --- pieces ---------------------------------------------------------------------------------------------------------

static struct node *new_node(struct parser *parser, enum node_kind kind, uint32_t value)
{
    struct node *node = regex_take(parser->regex, sizeof *node);
    if (node == NULL) return NULL;
    *node = (struct node){.kind = kind, .value = value, .min = 1, .max = 1};
    return node;
}

static struct node *parse_group(struct parser *parser, uint32_t number);

static uint32_t add_group(struct parser *parser)
{
    struct regex *regex = parser->regex;
    const uint32_t number = regex->group_count + 1;
    if (number >= regex->group_capacity) {
        const uint32_t capacity = number * 2 + 14;
        struct node **groups = regex_take(regex, capacity * sizeof *groups);
        if (groups == NULL) return 0;
        if (regex->group_capacity > 0)
            memcpy(groups, regex->groups, regex->group_capacity * sizeof *groups);
        regex->groups = groups;
        regex->group_capacity = capacity;
    }
    regex->group_count = number;
    return number;
}

static struct node *parse_look(struct parser *parser, uint32_t kind)
{
    struct regex *regex = parser->regex;
    parser->looks++;
    struct node *group = parse_group(parser, 0);
    parser->looks--;
    if (regex->look_count == regex->look_capacity) {
        const uint32_t capacity = regex->look_capacity * 2 + 4;
        struct look *looks = regex_take(regex, capacity * sizeof *looks);
        if (looks == NULL) return NULL;
        if (regex->look_count > 0) memcpy(looks, regex->looks, regex->look_count * sizeof *looks);
        regex->looks = looks;
        regex->look_capacity = capacity;
    }
    regex->looks[regex->look_count] =
        (struct look){.group = group, .behind = (kind & 1) != 0, .negated = (kind & 2) != 0};
    return new_node(parser, NODE_LOOK, regex->look_count++);
}

static struct node *parse_assertion(struct parser *parser)
{
    uint32_t kind = parser->value;
    if (kind == ASSERT_LINE_START && !parser->lines) kind = ASSERT_TEXT_START;
    if (kind == ASSERT_LINE_END && !parser->lines) kind = ASSERT_TEXT_END;
    struct regex *regex = parser->regex;
    uint8_t before = 0;
    if (kind == ASSERT_TEXT_START || kind == ASSERT_LINE_START) before |= BEFORE_START;
    if (kind == ASSERT_LINE_START || kind == ASSERT_LINE_END) {
        before |= BEFORE_NEWLINE;
        regex_set_of_one(regex, '\n', false);
    }
    if (kind >= ASSERT_WORD_START) {
        if ((regex->before_mask & BEFORE_WORD) == 0)
            regex_set_add(regex, (struct char_set){.classes = CLASS_WORD});
        before |= BEFORE_WORD;
    }
    regex->before_mask |= before;
    lex(parser);
    return new_node(parser, NODE_ASSERTION, kind);
}

static struct node *parse_reference(struct parser *parser)
{
    const uint32_t number = parser->value;
    const struct regex *regex = parser->regex;
    if (parser->looks > 0 || number == 0 || number > regex->group_count ||
        regex->groups[number] == NULL) {
        fail(parser, "invalid backreference number");
        return NULL;
    }
    lex(parser);
    return new_node(parser, NODE_REFERENCE, number);
}

static struct node *parse_set(struct parser *parser)
{
    struct regex *regex = parser->regex;
    struct char_set set = {.ignore_case = parser->ignore_case};
    uint32_t index;
    switch (parser->token) {
    case TOKEN_CLASS: set.classes = parser->value; break;
    case TOKEN_NOT_CLASS: set.not_classes = parser->value; break;
    case TOKEN_ANY:
        set.negated = true;
        set.no_newline = parser->no_newline;
        break;
    default: break;
    }
    if (parser->token == TOKEN_CHARACTER)
        index = regex_set_of_one(regex, parser->value, parser->ignore_case);
    else if (parser->token == TOKEN_BRACKET)
        index = parse_bracket(parser, parser->value != 0);
    else
        index = regex_set_add(regex, set);
    lex(parser);
    return new_node(parser, NODE_SET, index);
}

static struct node *parse_atom(struct parser *parser)
{
    uint32_t kind = parser->value, number = 0;
    switch (parser->token) {
    case TOKEN_ASSERTION: return parse_assertion(parser);
    case TOKEN_REFERENCE: return parse_reference(parser);
    case TOKEN_LOOK: return parse_look(parser, kind);
    case TOKEN_OPEN:
        if (kind != 0 && parser->looks == 0) number = add_group(parser);
        return parse_group(parser, number);
    case TOKEN_REPEAT: fail(parser, bad_operand); return NULL;
    case TOKEN_CLOSE:
        if (!parser->extended || parser->depth > 0) {
            fail(parser, "parentheses () not balanced");
            return NULL;
        }
        set_token(parser, TOKEN_CHARACTER, ')');
        return parse_set(parser);
    default: return parse_set(parser);
    }
}

static bool take_count(struct parser *parser, uint16_t *count)
{
    uint32_t value = 0;
    while (next_is_digit(parser) && value <= REPEAT_MAX) {
        value = value * 10 + (uint32_t)(parser->text.data[parser->at++] - '0');
        skip_blanks(parser);
    }
    *count = (uint16_t)value;
    if (value <= REPEAT_MAX && !at_end(parser)) return true;
    fail(parser, value > REPEAT_MAX ? bad_count : "braces {} not balanced");
    return false;
}

// From behind the brace on. {m} prefers what the operand does, {m,n} says itself, even {m,m}.
static void parse_braces(struct parser *parser, struct node *node)
{
    if (!take_count(parser, &node->min)) return;
    node->max = node->min;
    const bool two = take_if(parser, ',');
    if (two) {
        skip_blanks(parser);
        node->max = REPEAT_ANY;
        if (next_is_digit(parser) && !take_count(parser, &node->max)) return;
    }
    if (at_end(parser)) {
        fail(parser, "braces {} not balanced");
        return;
    }
    if (!take_if(parser, '}') || node->min > node->max) {
        fail(parser, bad_count);
        return;
    }
    const bool lazy = !parser->extended && take_if(parser, '?');
    if (two) node->prefers = lazy ? PREFER_SHORT : PREFER_LONG;
}

static void parse_quantifier(struct parser *parser, struct node *node)
{
    if (parser->token != TOKEN_REPEAT) return;
    if (node->kind == NODE_ASSERTION || node->kind == NODE_LOOK) {
        fail(parser, bad_operand);
        return;
    }
    if (parser->value == '{') {
        parse_braces(parser, node);
    } else {
        node->min = parser->value == '+' ? 1 : 0;
        node->max = parser->value == '?' ? 1 : REPEAT_ANY;
        node->prefers = parser->lazy ? PREFER_SHORT : PREFER_LONG;
    }
    lex(parser);
}

static struct node *parse_branch(struct parser *parser)
{
    struct node *branch = new_node(parser, NODE_BRANCH, 0);
    struct node **last = branch == NULL ? NULL : &branch->children;
    while (branch != NULL && parser->token != TOKEN_END && parser->token != TOKEN_OR &&
           !(parser->token == TOKEN_CLOSE && parser->depth > 0)) {
        struct node *atom = parse_atom(parser);
        if (atom == NULL || parser->regex->error != NULL) return branch;
        parse_quantifier(parser, atom);
        *last = atom;
        last = &atom->next;
    }
    return branch;
}

static struct node *parse_branches(struct parser *parser, uint32_t number)
{
    struct node *group = new_node(parser, NODE_GROUP, number);
    struct node **last = group == NULL ? NULL : &group->children;
    for (bool more = group != NULL; more;) {
        struct node *branch = parse_branch(parser);
        if (branch == NULL || parser->regex->error != NULL) return group;
        *last = branch;
        last = &branch->next;
        more = parser->token == TOKEN_OR;
        if (more) lex(parser);
    }
    return group;
}

// From the parenthesis, which is the token, to behind the one that closes.
static struct node *parse_group(struct parser *parser, uint32_t number)
{
    if (++parser->depth > NESTING_MAX) {
        regex_fail(parser->regex, E_STATEMENT_TOO_COMPLEX, "nested too deeply");
        return NULL;
    }
    lex(parser);
    struct node *group = parse_branches(parser, number);
    if (parser->regex->error == NULL && parser->token != TOKEN_CLOSE)
        fail(parser, "parentheses () not balanced");
    parser->depth--;
    lex(parser);
    // References are to groups that are complete.
    if (number != 0 && parser->regex->error == NULL) parser->regex->groups[number] = group;
    return group;
}

void regex_parse(struct regex *regex, struct bytes pattern, struct regex_options options)
{
    struct parser parser = {.regex = regex,
        .text = pattern,
        .extended = options.extended,
        .expanded = options.expanded,
        .literal = options.literal,
        .lines = options.lines,
        .no_newline = options.no_newline,
        .ignore_case = options.ignore_case};
    lex(&parser);
    regex->root = parse_branches(&parser, 0);
}
