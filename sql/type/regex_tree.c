// SPDX-License-Identifier: GPL-3.0-or-later
//
// Nodes to parts, and parts to states.
#include "core/invariant.h"
#include "sql/type/regex_tree.h"

// --- preferences ---------------------------------------------------------------------------------------------

#define PREFERENCE (PREFER_LONG | PREFER_SHORT)

// What of it matters to whatever holds it: both preferences at once have become one matter.
static uint8_t seen_from_outside(uint8_t flags)
{
    const bool both = (flags & PREFERENCE) == PREFERENCE;
    return (uint8_t)((flags & ~PREFERENCE) | (both ? PREFER_BOTH : 0));
}

// Whether it has to be shared out part by part.
static bool is_intricate(uint8_t flags)
{
    return (flags & (PREFER_BOTH | HAS_GROUP | HAS_REFERENCE)) != 0;
}

// Of one after the other: the first preference counts.
static uint8_t combine(uint8_t first, uint8_t second)
{
    const uint8_t prefers = (first & PREFERENCE) != 0 ? first : second;
    return (uint8_t)(seen_from_outside(first | second) | (prefers & PREFERENCE));
}

// --- parts -----------------------------------------------------------------------------------------------------

static struct part *new_part(struct regex *regex, enum part_kind kind, uint8_t flags)
{
    static struct part none; // Once memory is out: nothing is made of it.
    struct part *part = regex_take(regex, sizeof *part);
    if (part == NULL) return &none;
    *part = (struct part){.kind = kind, .flags = flags, .first_group = UINT32_MAX};
    return part;
}

static void cover_groups(struct part *part, const struct part *inner)
{
    if (inner->first_group > inner->last_group) return;
    if (inner->first_group < part->first_group) part->first_group = inner->first_group;
    if (inner->last_group > part->last_group) part->last_group = inner->last_group;
}

static void add_child(struct part *part, struct part *child)
{
    struct part **last = &part->children;
    while (*last != NULL)
        last = &(*last)->next;
    *last = child;
    cover_groups(part, child);
}

static struct part *pair(struct regex *regex, uint8_t flags, struct part *first, struct part *second)
{
    struct part *part = new_part(regex, PART_PAIR, flags);
    first->next = second;
    part->children = first;
    cover_groups(part, first);
    cover_groups(part, second);
    return part;
}

static struct part *plain(struct regex *regex, uint8_t flags, struct node *from, struct node *until)
{
    struct part *part = new_part(regex, PART_PLAIN, flags);
    part->from = from;
    part->until = until;
    return part;
}

static struct part *plain_repeated(
    struct regex *regex, uint8_t flags, struct node *node, uint16_t min, uint16_t max)
{
    struct part *part = new_part(regex, PART_PLAIN, flags);
    part->repeated = node;
    part->min = min;
    part->max = max;
    return part;
}

static struct part *parts_of_group(struct regex *regex, const struct node *group);

// What is repeated, or stands by itself: without its quantifier.
static struct part *part_of_atom(struct regex *regex, struct node *node)
{
    struct part *part;
    if (node->kind == NODE_REFERENCE) {
        part = new_part(regex, PART_REFERENCE, HAS_REFERENCE);
        part->value = node->value;
        part->min = part->max = 1;
        return part;
    }
    if (node->kind != NODE_GROUP) return plain_repeated(regex, 0, node, 1, 1);
    part = parts_of_group(regex, node);
    if (node->value == 0) return part;
    if (part->group != 0) { // ((x))
        struct part *outer = new_part(regex, PART_GROUP, part->flags);
        add_child(outer, part);
        part = outer;
    }
    part->group = node->value;
    part->flags |= HAS_GROUP;
    if (node->value < part->first_group) part->first_group = node->value;
    if (node->value > part->last_group) part->last_group = node->value;
    return part;
}

static uint16_t one_less(uint16_t count)
{
    return count == REPEAT_ANY ? count : (uint16_t)(count - 1);
}

// With its quantifier.
static struct part *part_of_piece(struct regex *regex, struct node *node, struct part *atom)
{
    const uint8_t flags = combine(node->prefers, atom->flags);
    const uint8_t own = atom->flags & (PREFERENCE | PREFER_BOTH);
    if (atom->kind == PART_REFERENCE && node->kind == NODE_REFERENCE) {
        atom->min = node->min;
        atom->max = node->max;
        atom->flags |= flags;
        return atom;
    }
    if (node->min == 1 && node->max == 1 &&
        (node->prefers == 0 || own == 0 || node->prefers == own))
        return atom;
    // Nobody asks where each time was.
    if ((atom->flags & (HAS_GROUP | HAS_REFERENCE)) == 0)
        return plain_repeated(regex, flags, node, node->min, node->max);
    // Of groups only the last time counts.
    if (node->min > 0 && (atom->flags & HAS_REFERENCE) == 0)
        return pair(regex, flags,
            plain_repeated(
                regex, flags & PREFERENCE, node, one_less(node->min), one_less(node->max)),
            atom);
    struct part *part = new_part(regex, PART_REPEATED, flags);
    part->repeated = node;
    part->min = node->min;
    part->max = node->max;
    add_child(part, atom);
    return part;
}

static struct part *parts_of_pieces(struct regex *regex, struct node *first);

// From an intricate piece on: `first` to it, which are plain, it, and what follows.
static struct part *parts_around(struct regex *regex, struct node *first, uint8_t flags,
    struct node *node, struct part *atom)
{
    struct part *piece = part_of_piece(regex, node, atom);
    uint8_t rest_flags = combine(node->prefers, atom->flags);
    struct part *rest = NULL;
    if (node->next == NULL) {
        if (first == node) return piece;
        flags |= combine(flags, piece->flags);
        return pair(regex, flags, plain(regex, flags & PREFERENCE, first, node), piece);
    }
    const uint8_t before = flags;
    rest = parts_of_pieces(regex, node->next);
    rest_flags |= combine(rest_flags, rest->flags);
    flags |= combine(flags, rest_flags);
    if (first == node) return pair(regex, flags, piece, rest);
    struct part *both;
    if (piece->kind == PART_PLAIN && rest->kind == PART_PLAIN &&
        !is_intricate(seen_from_outside(piece->flags | rest->flags)))
        both = plain(regex, combine(piece->flags, rest->flags), node, NULL);
    else
        both = pair(regex, rest_flags, piece, rest);
    return pair(regex, flags, plain(regex, before, first, node), both);
}

static struct part *parts_of_pieces(struct regex *regex, struct node *first)
{
    uint8_t flags = 0;
    for (struct node *node = first; node != NULL; node = node->next) {
        if (node->kind == NODE_ASSERTION || node->kind == NODE_LOOK) continue;
        if (node->max == 0) continue; // {0} is nothing, whatever it is of.
        struct part *atom = part_of_atom(regex, node);
        const uint8_t all = flags | node->prefers | (node->kind == NODE_SET ? 0 : atom->flags);
        const bool marked = node->kind == NODE_REFERENCE || (node->kind == NODE_GROUP && node->value != 0);
        if (marked || is_intricate(seen_from_outside(all)))
            return parts_around(regex, first, flags, node, atom);
        flags = all;
    }
    return plain(regex, flags, first, NULL);
}

// Alternatives prefer the longest, unless there is one alone.
static struct part *parts_of_group(struct regex *regex, const struct node *group)
{
    if (group->children->next == NULL) return parts_of_pieces(regex, group->children->children);
    struct part *part = new_part(regex, PART_ALTERNATIVES, PREFER_LONG);
    struct part **last = &part->children;
    for (struct node *branch = group->children; branch != NULL; branch = branch->next) {
        struct part *child = parts_of_pieces(regex, branch->children);
        part->flags |= seen_from_outside(part->flags | child->flags);
        *last = child;
        last = &child->next;
        cover_groups(part, child);
    }
    if (is_intricate(part->flags)) return part;
    struct node *all = regex_take(regex, sizeof *all);
    if (all != NULL) *all = (struct node){.kind = NODE_GROUP, .children = group->children};
    return plain_repeated(regex, part->flags, all, 1, 1);
}

// How deep sharing out recurses: what follows in a pair without references is gone on with.
static uint32_t depth_of(const struct part *part)
{
    uint32_t most = 0;
    for (const struct part *child = part->children; child != NULL; child = child->next) {
        const bool last = part->kind == PART_PAIR && child->next == NULL;
        const uint32_t depth = depth_of(child) + (last && (part->flags & HAS_REFERENCE) == 0 ? 0 : 1);
        if (depth > most) most = depth;
    }
    return most;
}

// --- states -----------------------------------------------------------------------------------------------------------

static const char too_complex[] = "regular expression is too complex";

static uint32_t new_state(struct regex *regex)
{
    if (regex->state_count == regex->state_capacity) {
        const uint32_t capacity = regex->state_capacity == 0 ? 32 : regex->state_capacity * 2;
        struct nfa_state *states =
            capacity > STATES_MAX ? NULL : regex_take(regex, capacity * sizeof *states);
        if (states == NULL) {
            regex_fail(regex, E_INVALID_REGULAR_EXPRESSION, too_complex);
            return 0;
        }
        if (regex->state_count > 0)
            memcpy(states, regex->states, regex->state_count * sizeof *states);
        regex->states = states;
        regex->state_capacity = capacity;
    }
    regex->states[regex->state_count] = (struct nfa_state){0};
    return regex->state_count++;
}

static void link_states(struct regex *regex, uint32_t from, enum state_kind kind, uint32_t value,
    uint32_t out, uint32_t more)
{
    if (regex->error != NULL) return;
    invariant(regex->states[from].kind == STATE_OPEN);
    regex->states[from] = (struct nfa_state){(uint8_t)kind, value, out, more};
}

// Each makes states from an open one to a new one that is open, which it returns. `loose`: assertions always hold,
// as in what a reference may be.
static uint32_t emit_pieces(
    struct regex *regex, uint32_t from, const struct node *first, const struct node *until, bool loose);

static uint32_t emit_atom(struct regex *regex, uint32_t from, const struct node *node, bool loose)
{
    if (regex->error != NULL) return 0;
    if (node->kind == NODE_REFERENCE) return emit_atom(regex, from, regex->groups[node->value], true);
    const uint32_t to = new_state(regex);
    if (node->kind != NODE_GROUP) {
        const bool always = loose && node->kind != NODE_SET;
        const enum state_kind kind = always                        ? STATE_EMPTY
                                     : node->kind == NODE_SET       ? STATE_SET
                                     : node->kind == NODE_ASSERTION ? STATE_ASSERTION
                                                                    : STATE_LOOK;
        link_states(regex, from, kind, node->value, to, 0);
        return to;
    }
    for (const struct node *branch = node->children; branch != NULL; branch = branch->next) {
        uint32_t start = from;
        if (branch->next != NULL) {
            start = new_state(regex);
            const uint32_t others = new_state(regex);
            link_states(regex, from, STATE_FORK, 0, start, others);
            from = others;
        }
        const uint32_t end = emit_pieces(regex, start, branch->children, NULL, loose);
        link_states(regex, end, STATE_EMPTY, 0, to, 0);
    }
    return to;
}

// States between which it can go round belong to nothing else.
static uint32_t emit_repeated(struct regex *regex, uint32_t from, const struct node *node,
    uint16_t min, uint16_t max, bool loose)
{
    for (uint16_t i = 0; i < min && regex->error == NULL; i++)
        from = emit_atom(regex, from, node, loose);
    const uint32_t end = new_state(regex);
    if (max == REPEAT_ANY) {
        const uint32_t round = new_state(regex), inner = new_state(regex);
        link_states(regex, from, STATE_EMPTY, 0, round, 0);
        link_states(regex, round, STATE_FORK, 0, inner, end);
        link_states(regex, emit_atom(regex, inner, node, loose), STATE_EMPTY, 0, round, 0);
        return end;
    }
    for (uint16_t i = min; i < max && regex->error == NULL; i++) {
        const uint32_t inner = new_state(regex);
        link_states(regex, from, STATE_FORK, 0, inner, end);
        from = emit_atom(regex, inner, node, loose);
    }
    link_states(regex, from, STATE_EMPTY, 0, end, 0);
    return end;
}

static uint32_t emit_pieces(
    struct regex *regex, uint32_t from, const struct node *first, const struct node *until, bool loose)
{
    for (const struct node *node = first; node != until && regex->error == NULL; node = node->next) {
        if (node->max == 0) continue;
        from = node->min == 1 && node->max == 1
            ? emit_atom(regex, from, node, loose)
            : emit_repeated(regex, from, node, node->min, node->max, loose);
    }
    const uint32_t end = new_state(regex);
    link_states(regex, from, STATE_EMPTY, 0, end, 0);
    return end;
}

uint32_t regex_machine_add(struct regex *regex, uint32_t start, uint32_t accept, bool search)
{
    if (regex->machine_count == regex->machine_capacity) {
        const uint32_t capacity = regex->machine_capacity * 2 + 8;
        struct machine *machines = regex_take(regex, capacity * sizeof *machines);
        if (machines == NULL) return 0;
        if (regex->machine_count > 0)
            memcpy(machines, regex->machines, regex->machine_count * sizeof *machines);
        regex->machines = machines;
        regex->machine_capacity = capacity;
    }
    regex->machines[regex->machine_count] =
        (struct machine){.start = start, .accept = accept, .search = search};
    return regex->machine_count++;
}

// The states of parts lie within those of what holds them, so that each can be walked by itself.
static uint32_t emit_part(struct regex *regex, uint32_t from, struct part *part)
{
    uint32_t to = from;
    if (regex->error != NULL) return 0;
    part->start = from;
    switch (part->kind) {
    case PART_PLAIN:
        to = part->repeated != NULL
            ? emit_repeated(regex, from, part->repeated, part->min, part->max, false)
            : emit_pieces(regex, from, part->from, part->until, false);
        break;
    case PART_REFERENCE:
        to = emit_repeated(regex, from, regex->groups[part->value], part->min, part->max, true);
        break;
    case PART_GROUP:
    case PART_PAIR:
        for (struct part *child = part->children; child != NULL; child = child->next)
            to = emit_part(regex, to, child);
        break;
    case PART_ALTERNATIVES:
        to = new_state(regex);
        for (struct part *child = part->children; child != NULL; child = child->next) {
            const uint32_t start = new_state(regex), others = new_state(regex);
            link_states(regex, from, STATE_FORK, 0, start, others);
            link_states(regex, emit_part(regex, start, child), STATE_EMPTY, 0, to, 0);
            from = others;
        }
        break;
    case PART_REPEATED:
        to = emit_repeated(regex, from, part->repeated, part->min, part->max, false);
        emit_part(regex, new_state(regex), part->children);
        break;
    }
    part->end = to;
    return to;
}

static void add_machines(struct regex *regex, struct part *part)
{
    part->machine = regex_machine_add(regex, part->start, part->end, false);
    for (struct part *child = part->children; child != NULL; child = child->next)
        add_machines(regex, child);
}

// Whether every match starts where the text does.
static bool starts_with_text(const struct node *group)
{
    for (const struct node *branch = group->children; branch != NULL; branch = branch->next) {
        const struct node *first = branch->children;
        if (first == NULL) return false;
        const bool anchor = first->kind == NODE_ASSERTION && first->value == ASSERT_TEXT_START;
        if (!anchor && !(first->kind == NODE_GROUP && first->min > 0 && starts_with_text(first)))
            return false;
    }
    return true;
}

static void build_looks(struct regex *regex)
{
    for (uint32_t i = 0; i < regex->look_count && regex->error == NULL; i++) {
        struct look *look = &regex->looks[i];
        const uint32_t start = new_state(regex), end = emit_atom(regex, start, look->group, false);
        look->machine = regex_machine_add(regex, start, end, look->behind);
    }
}

void regex_build(struct regex *regex)
{
    regex->anchored = starts_with_text(regex->root);
    regex->tree = parts_of_group(regex, regex->root);
    regex->depth = depth_of(regex->tree);
    if (regex->error != NULL) return;
    const uint32_t start = new_state(regex), end = emit_part(regex, start, regex->tree);
    if (regex->error != NULL) return;
    regex_machine_add(regex, start, end, true); // Number 0 finds where a match can be.
    add_machines(regex, regex->tree);
    build_looks(regex);
}
