// SPDX-License-Identifier: GPL-3.0-or-later
//
// What a regular expression is made into: sets of characters, what was written (nodes), the parts that share a match out, and
// the automaton. regex_parse.c makes nodes of text, regex_tree.c parts and states of nodes, regex_set.c says which characters
// are alike, regex_run.c matches. Of use to these alone.
//
// Memory   All is taken from the regex's chunks, and is gone with the pattern. Lists are linked.
// Source   PostgreSQL 15 manual, 9.7.3.5 "Regular Expression Matching Rules".
#pragma once
#include "core/text.h"
#include "sql/type/regex.h"

// --- characters ----------------------------------------------------------------------------------------------

enum {
    CLASS_ALPHA = 1 << 0,
    CLASS_UPPER = 1 << 1,
    CLASS_LOWER = 1 << 2,
    CLASS_DIGIT = 1 << 3,
    CLASS_SPACE = 1 << 4,
    CLASS_PUNCT = 1 << 5,
    CLASS_PRINT = 1 << 6,
    CLASS_GRAPH = 1 << 7,
    CLASS_CNTRL = 1 << 8,
    CLASS_XDIGIT = 1 << 9,
    CLASS_BLANK = 1 << 10,
    CLASS_ASCII = 1 << 11,
    CLASS_ALNUM = 1 << 12,
    CLASS_WORD = 1 << 13,
};
// Those that the character is of.
uint32_t regex_classes_of(uint32_t code);
uint32_t regex_lower(uint32_t code);
// 0: there is no such class.
uint32_t regex_class_named(struct bytes name);
// [.hyphen.]
bool regex_character_named(struct bytes name, uint32_t *code);

struct char_range {
    uint32_t first, last;
    struct char_range *next;
};
struct char_set {
    struct char_range *ranges;
    uint32_t classes;     // Characters of any of these,
    uint32_t not_classes; // and those that are not of any one of these.
    bool negated;
    bool no_newline; // Whatever else holds.
    bool ignore_case;
    uint32_t chain; // Of one character: the next such set of its chain, + 1.
};

// Characters that every set of the pattern treats alike have one color; 0 is the end of the text.
#define COLOR_END 0u
struct color {
    uint64_t *sets; // A bit for each set that they are in.
    uint32_t hash;
    bool word, newline;
};

// --- what was written -------------------------------------------------------------------------------------------

enum assertion {
    ASSERT_LINE_START,
    ASSERT_LINE_END,
    ASSERT_TEXT_START,
    ASSERT_TEXT_END,
    ASSERT_WORD_START,
    ASSERT_WORD_END,
    ASSERT_WORD_EDGE,
    ASSERT_NO_WORD_EDGE,
};

enum node_kind {
    NODE_SET,          // Any character of `value`, a set.
    NODE_ASSERTION,    // `value`
    NODE_LOOK,         // `value`, one of the regex's looks.
    NODE_REFERENCE,    // To group `value`.
    NODE_GROUP,        // Of branches; `value` is its number, 0: none.
    NODE_BRANCH,       // Of pieces.
};
#define REPEAT_MAX 255
#define REPEAT_ANY (REPEAT_MAX + 1)
struct node {
    enum node_kind kind;
    uint32_t value;
    uint16_t min, max; // REPEAT_ANY: without end.
    uint8_t prefers;   // Of its quantifier: 0, PREFER_LONG or PREFER_SHORT.
    struct node *children, *next;
};

struct look {
    struct node *group;
    bool behind, negated;
    uint32_t machine;
    // Behind: how far the text has been read, and in which state; good in `epoch`.
    size_t at;
    uint32_t state, epoch;
};

// --- how a match is shared out ------------------------------------------------------------------------------------

enum {
    PREFER_LONG = 1,
    PREFER_SHORT = 2,
    PREFER_BOTH = 4, // Parts of it prefer the one and the other.
    HAS_GROUP = 8,
    HAS_REFERENCE = 16,
};

enum part_kind {
    PART_PLAIN,       // Nobody asks how it is shared out.
    PART_PAIR,        // Two children, one after the other.
    PART_ALTERNATIVES,
    PART_REPEATED,    // `min` to `max` times the child, in which there is a reference, or perhaps none.
    PART_REFERENCE,   // `value`, a group, `min` to `max` times.
    PART_GROUP,       // Its child, for a group that is all of another.
};
struct part {
    enum part_kind kind;
    uint8_t flags;
    uint16_t min, max;
    uint32_t value;
    uint32_t group;                   // The group that it is; 0: none.
    uint32_t first_group, last_group; // Groups in it, itself included; none: first > last.
    struct node *from, *until;        // PART_PLAIN: these pieces, `until` not included.
    struct node *repeated;            // PART_PLAIN without pieces: this `min` to `max` times.
    struct part *children, *next;
    uint32_t machine;
    uint32_t start, end;
};

// --- the automaton ----------------------------------------------------------------------------------------------------

enum state_kind { STATE_OPEN, STATE_SET, STATE_EMPTY, STATE_FORK, STATE_ASSERTION, STATE_LOOK };
struct nfa_state {
    uint8_t kind;
    uint32_t value;     // Set, assertion, look.
    uint32_t out, more; // FORK: both.
};
#define STATES_MAX 65536u

// From one state of the automaton to another, as a deterministic one.
struct machine {
    uint32_t start, accept;
    bool search;         // A match may start at any character.
    uint32_t initial[8]; // By what stands before; 0: not made yet.
};

// A state of a machine: where the automaton may be once a character has been read.
struct dfa_state {
    uint32_t machine, hash, chain, count;
    uint8_t before;   // BEFORE_ bits of the character that was read.
    bool fresh;       // Of a search: nothing that started earlier can become a match.
    uint32_t *states;
    uint32_t *next;   // By color: 0 not known, else (state + 1) * 2, and 1 when the match may end before that character.
};
enum { BEFORE_START = 1, BEFORE_NEWLINE = 2, BEFORE_WORD = 4 };
#define DFA_DEAD 0u

struct regex_chunk;

struct regex {
    struct arena *arena;
    struct regex_chunk *chunks;

    // What it was made from.
    bool ready;
    uint8_t *pattern;
    size_t pattern_size, pattern_capacity;
    struct regex_options asked, options; // `options` with those that stand in front of the pattern.

    struct char_set *sets;
    uint32_t set_count, set_capacity;
    uint32_t single[64]; // Sets of one character, in chains by its lowest bits; +1.
    struct node *root;
    struct node **groups; // By number; the nodes.
    uint32_t group_count, group_capacity;
    struct look *looks;
    uint32_t look_count, look_capacity;
    struct part *tree;
    uint32_t depth; // Of the tree, as deep as sharing out recurses.
    bool anchored;  // Matches start where the text does.

    struct nfa_state *states;
    uint32_t state_count, state_capacity;
    struct machine *machines;
    uint32_t machine_count, machine_capacity;
    const char *error; // Of compiling; NULL: none.
    uint32_t error_code;

    // Colors.
    struct color *colors;
    uint32_t color_count, color_capacity, set_words;
    uint16_t ascii[128]; // 0: not known.
    struct {
        uint32_t code, color;
    } *seen; // Of other characters.
    uint8_t before_mask;

    // Deterministic states.
    struct dfa_state *dfa;
    uint32_t dfa_count, dfa_capacity;
    uint32_t *buckets; // DFA_BUCKETS
    uint32_t row;      // Colors that `next` has room for.
    uint32_t epoch;
    uint8_t *pool;
    size_t pool_size, pool_used;
    struct scratch *scratch;

    // Of the search that goes on.
    struct bytes text;
    struct regex_span *spans;
    size_t *ends; // Of repetitions that are being shared out.
    size_t ends_used, ends_capacity;
    struct task *task; // NULL when it may not suspend.
    uint64_t steps, steps_max;
    uint32_t searches;
};

// Zeroed. NULL when there is no memory, which is for sizes above 32 KiB only.
void *regex_take(struct regex *regex, size_t size);
void regex_fail(struct regex *regex, uint32_t code, const char *message);

// Text to nodes; runs on a big stack. Errors in regex->error.
void regex_parse(struct regex *regex, struct bytes pattern, struct regex_options options);
// Nodes to parts, states and machines; on a big stack too.
void regex_build(struct regex *regex);
uint32_t regex_machine_add(struct regex *regex, uint32_t start, uint32_t accept, bool search);

uint32_t regex_set_add(struct regex *regex, struct char_set set);
uint32_t regex_set_of_one(struct regex *regex, uint32_t code, bool ignore_case);
// Once all sets are there. False: no memory.
CHECKED bool regex_colors_start(struct regex *regex);
uint32_t regex_color_of(struct regex *regex, uint32_t code);

CHECKED bool regex_run_start(struct regex *regex);
CHECKED struct status regex_error(const struct regex *regex);
// So many steps were taken: lets others run when that is due.
CHECKED struct status regex_spend(struct regex *regex, uint64_t steps);

#define NOWHERE SIZE_MAX
struct walk {
    uint32_t machine;
    size_t from, least, limit; // Ends from `least` to `limit` count.
    bool shortest;
    size_t end;   // NOWHERE: none.
    size_t fresh; // Of a search: what ends there starts here or later.
};
// Reads regex->text.
CHECKED struct status regex_walk(struct regex *regex, struct walk *walk);
// Sets the groups' spans of a match, or finds that it is none, for references. Recurses by regex->depth.
CHECKED struct status regex_share(struct regex *regex, size_t begin, size_t end, bool *matches);

// *size: bytes of the character at `at`.
static inline uint32_t regex_color_at(struct regex *regex, size_t at, size_t *size)
{
    *size = 1;
    if (at >= regex->text.size) return COLOR_END;
    const uint8_t first = regex->text.data[at];
    if (first < 0x80) {
        const uint32_t color = regex->ascii[first];
        return color != 0 ? color : regex_color_of(regex, first);
    }
    *size = utf8_size_of(first);
    return regex_color_of(regex, utf8_decode(regex->text.data + at));
}
