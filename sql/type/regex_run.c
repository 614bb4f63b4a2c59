// SPDX-License-Identifier: GPL-3.0-or-later
//
// Regular expressions: machines over text, and how a match is shared out.
#include "core/deep.h"
#include "sql/type/regex_tree.h"

// Deterministic states take so much memory, or what the largest few of them need; then they are made anew.
#define POOL_BYTES (1u << 20)
#define POOL_BYTES_FIRST (32u << 10)
#define LARGEST_STATES 8u
#define DFA_MAX 8192u
#define DFA_BUCKETS 256u
#define STEPS_PER_LOOK 4096u

// --- time --------------------------------------------------------------------------------------------------

struct status regex_spend(struct regex *regex, uint64_t steps)
{
    const uint64_t before = regex->steps / STEPS_PER_LOOK;
    regex->steps += steps;
    if (regex->steps / STEPS_PER_LOOK == before) return STATUS_OK;
    if (regex->steps > regex->steps_max)
        return status_make(E_STATEMENT_TOO_COMPLEX, "regular expression is too complex");
    return task_poll(regex->task);
}

struct status regex_error(const struct regex *regex)
{
    if (regex->error == NULL) return STATUS_OK;
    return status_make(regex->error_code, regex->error);
}

// --- deterministic states ------------------------------------------------------------------------------------

// Where the automaton may be, while it is looked at. Looks within looks have one each.
struct scratch {
    struct scratch *inner;
    uint32_t *stack, *kernel, *reached;
    uint32_t *closed, *stepped; // By state: `mark` when it is in.
    uint32_t mark;
    uint32_t kernel_count, reached_count;
};

static struct scratch *new_scratch(struct regex *regex)
{
    const size_t list = regex->state_count * sizeof(uint32_t);
    struct scratch *scratch = regex_take(regex, sizeof *scratch);
    if (scratch == NULL) return NULL;
    uint32_t **const lists[] = {&scratch->stack, &scratch->kernel, &scratch->reached,
        &scratch->closed, &scratch->stepped};
    for (size_t i = 0; i < sizeof lists / sizeof lists[0]; i++)
        if ((*lists[i] = regex_take(regex, list * (i == 0 ? 2 : 1))) == NULL) return NULL;
    return scratch;
}

static void forget_states(struct regex *regex)
{
    memset(regex->buckets, 0, DFA_BUCKETS * sizeof *regex->buckets);
    regex->dfa_count = 1;
    regex->pool_used = 0;
    regex->epoch++;
    for (uint32_t i = 0; i < regex->machine_count; i++)
        memset(regex->machines[i].initial, 0, sizeof regex->machines[i].initial);
}

static bool more_pool(struct regex *regex, size_t wanted)
{
    const size_t largest = (size_t)regex->state_count * sizeof(uint32_t) + regex->row * sizeof(uint32_t);
    const size_t most = POOL_BYTES > LARGEST_STATES * largest ? POOL_BYTES : LARGEST_STATES * largest;
    size_t size = regex->pool_size == 0 ? POOL_BYTES_FIRST : regex->pool_size * 4;
    while (size < wanted + largest)
        size *= 2;
    if (size > most) size = most;
    if (size <= regex->pool_size) return true;
    uint8_t *pool = regex_take(regex, size);
    if (pool == NULL) return false;
    regex->pool = pool;
    regex->pool_size = size;
    return true;
}

bool regex_run_start(struct regex *regex)
{
    regex->buckets = regex_take(regex, DFA_BUCKETS * sizeof *regex->buckets);
    regex->dfa_capacity = 32;
    regex->dfa = regex_take(regex, regex->dfa_capacity * sizeof *regex->dfa);
    regex->row = 16;
    regex->scratch = new_scratch(regex);
    regex->spans = regex_take(regex, (regex->group_count + 1) * sizeof *regex->spans);
    if (regex->buckets == NULL || regex->dfa == NULL || regex->scratch == NULL ||
        regex->spans == NULL || !more_pool(regex, 0))
        return false;
    forget_states(regex);
    return true;
}

// Room for one more state of so many places. Others may be forgotten; false: there is no memory.
static bool make_room(struct regex *regex, uint32_t count)
{
    const size_t bytes = (count + (size_t)regex->row) * sizeof(uint32_t);
    bool forget = false;
    if (regex->color_capacity > regex->row) {
        regex->row = regex->color_capacity;
        forget = true;
    }
    if (regex->pool_used + bytes > regex->pool_size) {
        if (!more_pool(regex, bytes)) return false;
        forget = true;
    }
    if (regex->dfa_count == regex->dfa_capacity) {
        if (regex->dfa_capacity == DFA_MAX) {
            forget = true;
        } else {
            struct dfa_state *dfa = regex_take(regex, 4 * regex->dfa_capacity * sizeof *dfa);
            if (dfa == NULL) return false;
            memcpy(dfa, regex->dfa, regex->dfa_count * sizeof *dfa);
            regex->dfa = dfa;
            regex->dfa_capacity *= 4;
        }
    }
    if (forget) forget_states(regex);
    return true;
}

// The state of these places; makes it when there is none.
static uint32_t intern(struct regex *regex, uint32_t machine, uint8_t before, bool fresh,
    const uint32_t *states, uint32_t count)
{
    if (count == 0) return DFA_DEAD;
    uint32_t hash = (machine * 8 + before) * 2 + fresh + 2166136261u;
    for (uint32_t i = 0; i < count; i++)
        hash = (hash ^ states[i]) * 16777619u;
    hash ^= hash >> 15;
    for (uint32_t at = regex->buckets[hash % DFA_BUCKETS]; at != 0; at = regex->dfa[at].chain) {
        const struct dfa_state *known = &regex->dfa[at];
        if (known->hash == hash && known->machine == machine && known->before == before &&
            known->fresh == fresh && known->count == count &&
            memcmp(known->states, states, count * sizeof *states) == 0)
            return at;
    }
    if (!make_room(regex, count)) {
        regex_fail(regex, E_OUT_OF_MEMORY, "out of memory");
        return DFA_DEAD;
    }
    struct dfa_state *state = &regex->dfa[regex->dfa_count];
    uint32_t *memory = (uint32_t *)(void *)(regex->pool + regex->pool_used);
    regex->pool_used += (count + (size_t)regex->row) * sizeof *memory;
    memcpy(memory + regex->row, states, count * sizeof *states);
    memset(memory, 0, regex->row * sizeof *memory);
    *state = (struct dfa_state){machine, hash, regex->buckets[hash % DFA_BUCKETS], count, before,
        fresh, memory + regex->row, memory};
    regex->buckets[hash % DFA_BUCKETS] = regex->dfa_count;
    return regex->dfa_count++;
}

// --- one step ----------------------------------------------------------------------------------------------------

static bool holds(enum assertion kind, uint8_t before, const struct color *next, bool at_end)
{
    const bool word_before = (before & BEFORE_WORD) != 0, word_next = !at_end && next->word;
    switch (kind) {
    case ASSERT_LINE_START: return (before & (BEFORE_START | BEFORE_NEWLINE)) != 0;
    case ASSERT_LINE_END: return at_end || next->newline;
    case ASSERT_TEXT_START: return (before & BEFORE_START) != 0;
    case ASSERT_TEXT_END: return at_end;
    case ASSERT_WORD_START: return !word_before && word_next;
    case ASSERT_WORD_END: return word_before && !word_next;
    case ASSERT_WORD_EDGE: return word_before != word_next;
    case ASSERT_NO_WORD_EDGE: return word_before == word_next;
    }
    return false;
}

static struct status look_holds(struct regex *regex, struct look *look, size_t at, bool *yes);

struct step {
    struct scratch *scratch;
    uint32_t machine, color;
    uint8_t before;
    size_t at;
    bool accepts, looked;
};

// All places that are reached from the kernel before the next character is read.
static struct status close_over(struct regex *regex, struct step *step)
{
    struct status st = STATUS_OK;
    struct scratch *scratch = step->scratch;
    const uint32_t accept = regex->machines[step->machine].accept;
    uint32_t depth = 0;
    scratch->reached_count = 0;
    for (uint32_t i = scratch->kernel_count; i-- > 0;)
        scratch->stack[depth++] = scratch->kernel[i];
    while (depth > 0) {
        const uint32_t at = scratch->stack[--depth];
        if (scratch->closed[at] == scratch->mark) continue;
        scratch->closed[at] = scratch->mark;
        if (at == accept) {
            step->accepts = true;
            continue;
        }
        const struct nfa_state *state = &regex->states[at];
        bool go = state->kind == STATE_EMPTY || state->kind == STATE_FORK;
        if (state->kind == STATE_SET) scratch->reached[scratch->reached_count++] = at;
        if (state->kind == STATE_FORK) scratch->stack[depth++] = state->more;
        if (state->kind == STATE_ASSERTION)
            go = holds((enum assertion)state->value, step->before, &regex->colors[step->color],
                step->color == COLOR_END);
        if (state->kind == STATE_LOOK) {
            step->looked = true;
            TRY(look_holds(regex, &regex->looks[state->value], step->at, &go));
        }
        if (go) scratch->stack[depth++] = state->out;
    }

out:
    return st;
}

static uint8_t before_of(const struct regex *regex, uint32_t color)
{
    const struct color *c = &regex->colors[color];
    return (uint8_t)(((c->newline ? BEFORE_NEWLINE : 0) | (c->word ? BEFORE_WORD : 0)) & regex->before_mask);
}

// What stands before `at`.
static uint8_t before_at(struct regex *regex, size_t at)
{
    size_t size;
    if (at == 0) return BEFORE_START & regex->before_mask;
    if (regex->before_mask == 0) return 0;
    do
        at--;
    while ((regex->text.data[at] & 0xc0) == 0x80);
    return before_of(regex, regex_color_at(regex, at, &size));
}

// The places after the character, in scratch->kernel.
static void read_character(struct regex *regex, struct step *step)
{
    struct scratch *scratch = step->scratch;
    const uint64_t *sets = regex->colors[step->color].sets;
    scratch->kernel_count = 0;
    for (uint32_t i = 0; i < scratch->reached_count; i++) {
        const struct nfa_state *state = &regex->states[scratch->reached[i]];
        if ((sets[state->value / 64] >> state->value % 64 & 1) == 0) continue;
        if (scratch->stepped[state->out] == scratch->mark) continue;
        scratch->stepped[state->out] = scratch->mark;
        scratch->kernel[scratch->kernel_count++] = state->out;
    }
}

static void next_mark(struct regex *regex, struct scratch *scratch)
{
    if (++scratch->mark != 0) return;
    memset(scratch->closed, 0, regex->state_count * sizeof *scratch->closed);
    memset(scratch->stepped, 0, regex->state_count * sizeof *scratch->stepped);
    scratch->mark = 1;
}

static struct status take_step(
    struct regex *regex, uint32_t from, uint32_t color, size_t at, uint32_t *transition)
{
    struct status st = STATUS_OK;
    struct scratch *scratch = regex->scratch;
    const struct dfa_state *state = &regex->dfa[from];
    struct step step = {.scratch = scratch,
        .machine = state->machine,
        .color = color,
        .before = state->before,
        .at = at};
    const uint32_t epoch = regex->epoch;
    next_mark(regex, scratch);
    scratch->kernel_count = state->count;
    memcpy(scratch->kernel, state->states, state->count * sizeof *scratch->kernel);
    TRY(close_over(regex, &step));
    uint32_t next = DFA_DEAD;
    if (color != COLOR_END) {
        read_character(regex, &step);
        const struct machine *machine = &regex->machines[step.machine];
        const bool fresh = machine->search && scratch->kernel_count == 0;
        if (machine->search) scratch->kernel[scratch->kernel_count++] = machine->start;
        next = intern(regex, step.machine, before_of(regex, color), fresh, scratch->kernel,
            scratch->kernel_count);
    }
    *transition = (next + 1) << 1 | (step.accepts ? 1 : 0);
    if (!step.looked && epoch == regex->epoch) regex->dfa[from].next[color] = *transition;
    TRY(regex_error(regex));
    TRY(regex_spend(regex, 1 + scratch->reached_count));

out:
    return st;
}

// --- walking -----------------------------------------------------------------------------------------------------

static uint32_t initial_state(struct regex *regex, uint32_t number, size_t at)
{
    struct machine *machine = &regex->machines[number];
    const uint8_t before = before_at(regex, at);
    if (machine->initial[before] == 0) {
        const uint32_t state = intern(regex, number, before, machine->search, &machine->start, 1);
        machine->initial[before] = state;
    }
    return machine->initial[before];
}

// Once a color is new that rows have no room for: the same state, with longer ones.
static uint32_t widen(struct regex *regex, uint32_t number)
{
    const struct dfa_state old = regex->dfa[number];
    uint32_t *states = regex->scratch->kernel;
    memcpy(states, old.states, old.count * sizeof *states);
    if (make_room(regex, old.count))
        return intern(regex, old.machine, old.before, old.fresh, states, old.count);
    regex_fail(regex, E_OUT_OF_MEMORY, "out of memory");
    return DFA_DEAD;
}

struct status regex_walk(struct regex *regex, struct walk *walk)
{
    struct status st = STATUS_OK;
    uint32_t state = initial_state(regex, walk->machine, walk->from);
    uint32_t steps = 0;
    walk->end = NOWHERE;
    walk->fresh = walk->from;
    TRY(regex_error(regex));
    for (size_t at = walk->from;;) {
        size_t size;
        const uint32_t color = regex_color_at(regex, at, &size);
        if (__builtin_expect(color >= regex->row, 0)) {
            state = widen(regex, state);
            TRY(regex_error(regex));
        }
        uint32_t transition = regex->dfa[state].next[color];
        if (__builtin_expect(transition == 0, 0))
            TRY(take_step(regex, state, color, at, &transition));
        if ((transition & 1) != 0 && at >= walk->least) {
            walk->end = at;
            if (walk->shortest) break;
        }
        state = (transition >> 1) - 1;
        if (at >= walk->limit || state == DFA_DEAD) break;
        at += size;
        if (regex->dfa[state].fresh) walk->fresh = at;
        if (++steps % STEPS_PER_LOOK == 0) TRY(regex_spend(regex, STEPS_PER_LOOK));
    }

out:
    return st;
}

// --- looking around ---------------------------------------------------------------------------------------------

static struct status look_ahead(struct regex *regex, const struct look *look, size_t at, bool *found)
{
    struct walk ahead = {look->machine, at, at, regex->text.size, true, 0, 0};
    const struct status st = regex_walk(regex, &ahead);
    *found = ahead.end != NOWHERE;
    return st;
}

// Whether something that ends here matches: as far as it has been read before, it is not again.
static struct status look_back(struct regex *regex, struct look *look, size_t at, bool *found)
{
    struct status st = STATUS_OK;
    uint32_t transition = 0;
    if (look->epoch != regex->epoch || look->at > at || look->state == DFA_DEAD) {
        look->at = 0;
        look->state = initial_state(regex, look->machine, 0);
    }
    for (;;) {
        size_t size;
        const uint32_t color = regex_color_at(regex, look->at, &size);
        if (color >= regex->row) look->state = widen(regex, look->state);
        TRY(regex_error(regex));
        look->epoch = regex->epoch;
        transition = regex->dfa[look->state].next[color];
        if (transition == 0) TRY(take_step(regex, look->state, color, look->at, &transition));
        if (look->at == at) break;
        look->at += size;
        look->state = (transition >> 1) - 1;
        TRY(regex_spend(regex, 1));
    }
    *found = (transition & 1) != 0;

out:
    if (failed(st)) look->state = DFA_DEAD;
    return st;
}

static struct status look_holds(struct regex *regex, struct look *look, size_t at, bool *yes)
{
    struct scratch *const outer = regex->scratch;
    if (outer->inner == NULL) outer->inner = new_scratch(regex);
    if (outer->inner == NULL) return status_make(E_OUT_OF_MEMORY, "out of memory");
    regex->scratch = outer->inner;
    const struct status st =
        look->behind ? look_back(regex, look, at, yes) : look_ahead(regex, look, at, yes);
    regex->scratch = outer;
    *yes = *yes != look->negated;
    return st;
}
