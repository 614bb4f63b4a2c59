// SPDX-License-Identifier: GPL-3.0-or-later
//
// Sets of characters, and which characters all sets of a pattern treat alike.
#include <unicode/uchar.h>

#include "sql/type/regex_tree.h"

#define SETS_MAX 8192u
#define SEEN_SLOTS 1024u

// --- classes ------------------------------------------------------------------------------------------------

static const struct {
    const char *name;
    uint32_t class;
} class_names[] = {
    {"alpha", CLASS_ALPHA}, {"upper", CLASS_UPPER}, {"lower", CLASS_LOWER}, {"digit", CLASS_DIGIT},
    {"space", CLASS_SPACE}, {"punct", CLASS_PUNCT}, {"print", CLASS_PRINT}, {"graph", CLASS_GRAPH},
    {"cntrl", CLASS_CNTRL}, {"xdigit", CLASS_XDIGIT}, {"blank", CLASS_BLANK},
    {"ascii", CLASS_ASCII}, {"alnum", CLASS_ALNUM}, {"word", CLASS_WORD}};

uint32_t regex_class_named(struct bytes name)
{
    for (size_t i = 0; i < sizeof class_names / sizeof class_names[0]; i++)
        if (bytes_equal(name, bytes_of_string(class_names[i].name))) return class_names[i].class;
    return 0;
}

static uint32_t classes_of_ascii(uint32_t code)
{
    uint32_t classes = CLASS_ASCII;
    const bool upper = code >= 'A' && code <= 'Z', lower = code >= 'a' && code <= 'z';
    const bool digit = code >= '0' && code <= '9';
    if (code < 0x20 || code == 0x7f) classes |= CLASS_CNTRL;
    if (ascii_space((char)code)) classes |= CLASS_SPACE;
    if (code == ' ' || code == '\t') classes |= CLASS_BLANK;
    if (code >= 0x20 && code < 0x7f) classes |= CLASS_PRINT;
    if (code > 0x20 && code < 0x7f) classes |= CLASS_GRAPH;
    if (upper) classes |= CLASS_UPPER | CLASS_ALPHA;
    if (lower) classes |= CLASS_LOWER | CLASS_ALPHA;
    if (digit) classes |= CLASS_DIGIT;
    if (upper || lower || digit) classes |= CLASS_ALNUM | CLASS_WORD;
    if (code == '_') classes |= CLASS_WORD;
    if (digit || ((code | 0x20) >= 'a' && (code | 0x20) <= 'f')) classes |= CLASS_XDIGIT;
    if ((classes & CLASS_GRAPH) != 0 && (classes & CLASS_ALNUM) == 0) classes |= CLASS_PUNCT;
    return classes;
}

// As the C library's C.UTF-8 has them, in which digits are ASCII's, and blanks that do not break are none.
uint32_t regex_classes_of(uint32_t code)
{
    if (code < 0x80) return classes_of_ascii(code);
    const UChar32 c = (UChar32)code;
    const int8_t type = u_charType(c);
    uint32_t classes = 0;
    if (code < 0xa0) return CLASS_CNTRL;
    if (type == U_UNASSIGNED || type == U_SURROGATE) return 0;
    const bool separates = type == U_LINE_SEPARATOR || type == U_PARAGRAPH_SEPARATOR;
    if (separates || (type == U_SPACE_SEPARATOR && code != 0xa0 && code != 0x2007 && code != 0x202f))
        classes |= CLASS_SPACE;
    if (!separates) classes |= CLASS_PRINT;
    if (!separates && (classes & CLASS_SPACE) == 0) classes |= CLASS_GRAPH;
    if (u_isUUppercase(c) || type == U_TITLECASE_LETTER) classes |= CLASS_UPPER;
    if (u_isULowercase(c) || u_toupper(c) != c) classes |= CLASS_LOWER;
    if (u_isUAlphabetic(c) || type == U_DECIMAL_DIGIT_NUMBER)
        classes |= CLASS_ALPHA | CLASS_ALNUM | CLASS_WORD;
    else if ((classes & CLASS_GRAPH) != 0)
        classes |= CLASS_PUNCT;
    return classes;
}

uint32_t regex_lower(uint32_t code)
{
    if (code < 0x80) return (uint8_t)ascii_lower((char)code);
    return (uint32_t)u_tolower((UChar32)code);
}

static uint32_t upper_of(uint32_t code)
{
    if (code < 0x80) return (uint8_t)ascii_upper((char)code);
    return (uint32_t)u_toupper((UChar32)code);
}

// --- names of characters, of POSIX's portable set ----------------------------------------------------------------

static const struct {
    const char *name;
    uint8_t code;
} character_names[] = {
    {"NUL", 0}, {"SOH", 1}, {"STX", 2}, {"ETX", 3}, {"EOT", 4}, {"ENQ", 5}, {"ACK", 6}, {"BEL", 7},
    {"alert", 7}, {"BS", 8}, {"backspace", 8}, {"HT", 9}, {"tab", 9}, {"LF", 10}, {"newline", 10},
    {"VT", 11}, {"vertical-tab", 11}, {"FF", 12}, {"form-feed", 12}, {"CR", 13},
    {"carriage-return", 13}, {"SO", 14}, {"SI", 15}, {"DLE", 16}, {"DC1", 17}, {"DC2", 18},
    {"DC3", 19}, {"DC4", 20}, {"NAK", 21}, {"SYN", 22}, {"ETB", 23}, {"CAN", 24}, {"EM", 25},
    {"SUB", 26}, {"ESC", 27}, {"IS4", 28}, {"FS", 28}, {"IS3", 29}, {"GS", 29}, {"IS2", 30},
    {"RS", 30}, {"IS1", 31}, {"US", 31}, {"space", ' '}, {"exclamation-mark", '!'},
    {"quotation-mark", '"'}, {"number-sign", '#'}, {"dollar-sign", '$'}, {"percent-sign", '%'},
    {"ampersand", '&'}, {"apostrophe", '\''}, {"left-parenthesis", '('},
    {"right-parenthesis", ')'}, {"asterisk", '*'}, {"plus-sign", '+'}, {"comma", ','},
    {"hyphen", '-'}, {"hyphen-minus", '-'}, {"period", '.'}, {"full-stop", '.'}, {"slash", '/'},
    {"solidus", '/'}, {"zero", '0'}, {"one", '1'}, {"two", '2'}, {"three", '3'}, {"four", '4'},
    {"five", '5'}, {"six", '6'}, {"seven", '7'}, {"eight", '8'}, {"nine", '9'}, {"colon", ':'},
    {"semicolon", ';'}, {"less-than-sign", '<'}, {"equals-sign", '='}, {"greater-than-sign", '>'},
    {"question-mark", '?'}, {"commercial-at", '@'}, {"left-square-bracket", '['},
    {"backslash", '\\'}, {"reverse-solidus", '\\'}, {"right-square-bracket", ']'},
    {"circumflex", '^'}, {"circumflex-accent", '^'}, {"underscore", '_'}, {"low-line", '_'},
    {"grave-accent", '`'}, {"left-brace", '{'}, {"left-curly-bracket", '{'}, {"vertical-line", '|'},
    {"right-brace", '}'}, {"right-curly-bracket", '}'}, {"tilde", '~'}, {"DEL", 127}};

bool regex_character_named(struct bytes name, uint32_t *code)
{
    for (size_t i = 0; i < sizeof character_names / sizeof character_names[0]; i++) {
        if (!bytes_equal(name, bytes_of_string(character_names[i].name))) continue;
        *code = character_names[i].code;
        return true;
    }
    return false;
}

// --- sets ---------------------------------------------------------------------------------------------------------

uint32_t regex_set_add(struct regex *regex, struct char_set set)
{
    if (regex->set_count == regex->set_capacity) {
        uint32_t capacity = regex->set_capacity == 0 ? 16 : regex->set_capacity * 2;
        struct char_set *sets =
            capacity > SETS_MAX ? NULL : regex_take(regex, capacity * sizeof *sets);
        if (sets == NULL) {
            regex_fail(regex, E_INVALID_REGULAR_EXPRESSION, "too many colors");
            return 0;
        }
        if (regex->set_count > 0) memcpy(sets, regex->sets, regex->set_count * sizeof *sets);
        regex->sets = sets;
        regex->set_capacity = capacity;
    }
    regex->sets[regex->set_count] = set;
    return regex->set_count++;
}

uint32_t regex_set_of_one(struct regex *regex, uint32_t code, bool ignore_case)
{
    uint32_t *chain = &regex->single[code % 64];
    for (uint32_t at = *chain; at != 0; at = regex->sets[at - 1].chain) {
        const struct char_set *set = &regex->sets[at - 1];
        if (set->ranges->first == code && set->ignore_case == ignore_case) return at - 1;
    }
    struct char_range *range = regex_take(regex, sizeof *range);
    if (range == NULL) return 0;
    range->first = range->last = code;
    const uint32_t index = regex_set_add(
        regex, (struct char_set){.ranges = range, .ignore_case = ignore_case, .chain = *chain});
    if (regex->error == NULL) *chain = index + 1;
    return index;
}

static bool in_ranges(const struct char_range *range, uint32_t code)
{
    for (; range != NULL; range = range->next)
        if (code >= range->first && code <= range->last) return true;
    return false;
}

static bool is_in(const struct char_set *set, uint32_t code, uint32_t classes)
{
    uint32_t wanted = set->classes;
    if (set->no_newline && code == '\n') return false;
    // Without regard to case either of the two is any letter that has case.
    if (set->ignore_case && (wanted & (CLASS_UPPER | CLASS_LOWER)) != 0) wanted |= CLASS_ALPHA;
    bool in = (classes & wanted) != 0 || (set->not_classes & ~classes) != 0 ||
              in_ranges(set->ranges, code);
    if (!in && set->ignore_case && set->ranges != NULL)
        in = in_ranges(set->ranges, regex_lower(code)) || in_ranges(set->ranges, upper_of(code));
    return in != set->negated;
}

// --- colors --------------------------------------------------------------------------------------------------------

static bool more_colors(struct regex *regex)
{
    const uint32_t capacity = regex->color_capacity == 0 ? 16 : regex->color_capacity * 2;
    struct color *colors = regex_take(regex, capacity * sizeof *colors);
    if (colors == NULL) return false;
    if (regex->color_count > 0) memcpy(colors, regex->colors, regex->color_count * sizeof *colors);
    regex->colors = colors;
    regex->color_capacity = capacity;
    return true;
}

bool regex_colors_start(struct regex *regex)
{
    regex->set_words = (regex->set_count + 63) / 64;
    regex->color_count = 0;
    if (!more_colors(regex)) return false;
    regex->color_count = 1; // COLOR_END, in no set.
    regex->colors[COLOR_END].sets = regex_take(regex, (regex->set_words + 1) * sizeof(uint64_t));
    return regex->colors[COLOR_END].sets != NULL;
}

static uint32_t find_color(struct regex *regex, const uint64_t *sets, uint32_t hash)
{
    for (uint32_t i = 1; i < regex->color_count; i++)
        if (regex->colors[i].hash == hash &&
            memcmp(regex->colors[i].sets, sets, regex->set_words * sizeof *sets) == 0)
            return i;
    return 0;
}

static uint32_t no_color(struct regex *regex)
{
    regex_fail(regex, E_OUT_OF_MEMORY, "out of memory");
    return COLOR_END;
}

static uint32_t make_color(struct regex *regex, uint32_t code)
{
    if (regex->color_count == regex->color_capacity && !more_colors(regex)) return no_color(regex);
    // What was taken for a color that is there already serves the next one.
    struct color *color = &regex->colors[regex->color_count];
    if (color->sets == NULL)
        color->sets = regex_take(regex, (regex->set_words + 1) * sizeof *color->sets);
    if (color->sets == NULL) return no_color(regex);
    memset(color->sets, 0, regex->set_words * sizeof *color->sets);
    const uint32_t classes = regex_classes_of(code);
    uint32_t hash = 2166136261u;
    for (uint32_t i = 0; i < regex->set_count; i++) {
        if (!is_in(&regex->sets[i], code, classes)) continue;
        color->sets[i / 64] |= (uint64_t)1 << i % 64;
        hash = (hash ^ i) * 16777619u;
    }
    const uint32_t known = find_color(regex, color->sets, hash);
    if (known != 0) return known;
    color->hash = hash;
    color->word = (classes & CLASS_WORD) != 0;
    color->newline = code == '\n';
    return regex->color_count++;
}

// Where assertions look at words and lines these are sets of the pattern, so that colors tell them apart.
uint32_t regex_color_of(struct regex *regex, uint32_t code)
{
    if (code < 128) {
        if (regex->ascii[code] == 0) regex->ascii[code] = (uint16_t)make_color(regex, code);
        return regex->ascii[code];
    }
    if (regex->seen == NULL)
        regex->seen = regex_take(regex, SEEN_SLOTS * sizeof *regex->seen);
    if (regex->seen == NULL) return make_color(regex, code);
    const uint32_t slot = code % SEEN_SLOTS;
    if (regex->seen[slot].code != code) {
        regex->seen[slot].color = make_color(regex, code);
        regex->seen[slot].code = code;
    }
    return regex->seen[slot].color;
}
