// SPDX-License-Identifier: GPL-3.0-or-later
#include "sql/type/array_literal.h"

#include "core/text.h"
#include "core/work.h"
#include "sql/type/array.h"
#include "sql/type/type_ops.h"

#define BYTES_PER_POLL 4096u

struct literal {
    struct arena *arena;
    const struct type_context *context;
    struct type element;
    struct bytes whole, rest;             // The rest begins at the first brace once bounds have been taken.
    uint32_t bound_count;                 // 0: none are given.
    int32_t lower[ARRAY_DIMENSIONS_MAX];
    int32_t bound_length[ARRAY_DIMENSIONS_MAX];
    uint32_t dimensions;                  // 0: no items.
    int32_t length[ARRAY_DIMENSIONS_MAX];
    bool scattered;                       // Items lie at several depths.
    char delimiter;                       // Between items.
};

static struct status take_bounds(struct literal *in);
static struct status measure(struct literal *in);
static struct status check_size(struct literal *in, uint32_t *count);
static struct status read_items(struct literal *in, uint32_t count, struct datum *value);

struct status array_literal_read(struct arena *arena, const struct type_context *context,
    struct type element, struct bytes text, struct datum *value)
{
    struct status st = STATUS_OK;
    struct literal in = {
        .arena = arena, .context = context, .element = element, .whole = text, .rest = text,
        .delimiter = type_delimiter(element.oid)};
    uint32_t count = 0;
    TRY(take_bounds(&in));
    TRY(measure(&in));
    TRY(check_size(&in, &count));
    TRY(read_items(&in, count, value));
out:
    return st;
}

static struct status malformed(struct literal *in, struct bytes text, const char *detail)
{
    struct status st = status_format(in->arena, E_INVALID_TEXT_REPRESENTATION,
        "malformed array literal: \"%.*s\"", bytes_shown(text), (const char *)text.data);
    return detail == NULL ? st : status_detail(in->arena, st, "%s", detail);
}

// --- bounds ------------------------------------------------------------------------------------------------------

static void skip_space(struct literal *in)
{
    while (in->rest.size > 0 && ascii_space((char)in->rest.data[0]))
        in->rest = bytes_skip(in->rest, 1);
}

static bool take(struct literal *in, char c)
{
    if (in->rest.size == 0 || in->rest.data[0] != (uint8_t)c) return false;
    in->rest = bytes_skip(in->rest, 1);
    return true;
}

// Digits and signs in any order, of which the number at their beginning counts, whose higher bits are dropped.
static bool take_bound(struct literal *in, int32_t *bound)
{
    size_t size = 0, at = 0;
    uint64_t number = 0;
    while (size < in->rest.size && (ascii_digit((char)in->rest.data[size]) ||
                                       in->rest.data[size] == '-' || in->rest.data[size] == '+'))
        size++;
    if (size == 0) return false;
    const bool negative = in->rest.data[0] == '-';
    if (!ascii_digit((char)in->rest.data[0])) at++;
    for (; at < size && ascii_digit((char)in->rest.data[at]); at++) {
        uint64_t digit = (uint64_t)(in->rest.data[at] - '0');
        bool over = number > ((uint64_t)INT64_MAX - digit) / 10;
        number = over ? (uint64_t)INT64_MAX + negative : number * 10 + digit;
        if (over) break;
    }
    *bound = (int32_t)(uint32_t)(negative ? 0 - number : number);
    in->rest = bytes_skip(in->rest, size);
    return true;
}

static struct status too_many_dimensions(struct literal *in)
{
    return status_format(in->arena, E_PROGRAM_LIMIT_EXCEEDED,
        "number of array dimensions (%d) exceeds the maximum allowed (%d)",
        ARRAY_DIMENSIONS_MAX + 1, ARRAY_DIMENSIONS_MAX);
}

static struct status take_bounds(struct literal *in)
{
    for (skip_space(in); take(in, '['); skip_space(in)) {
        uint32_t i = in->bound_count;
        int32_t upper;
        if (i == ARRAY_DIMENSIONS_MAX) return too_many_dimensions(in);
        in->lower[i] = 1;
        if (!take_bound(in, &upper))
            return malformed(
                in, in->whole, "\"[\" must introduce explicitly-specified array dimensions.");
        if (take(in, ':')) {
            in->lower[i] = upper;
            if (!take_bound(in, &upper))
                return malformed(in, in->whole, "Missing array dimension value.");
        }
        if (!take(in, ']'))
            return malformed(in, in->whole, "Missing \"]\" after array dimensions.");
        if (upper < in->lower[i])
            return status_make(
                E_ARRAY_SUBSCRIPT_ERROR, "upper bound cannot be less than lower bound");
        in->bound_length[i] = (int32_t)((uint32_t)upper - (uint32_t)in->lower[i] + 1);
        in->bound_count++;
    }
    if (in->bound_count > 0) {
        if (!take(in, '='))
            return malformed(in, in->whole, "Missing \"=\" after array dimensions.");
        skip_space(in);
    }
    if (in->rest.size > 0 && in->rest.data[0] == '{') return STATUS_OK;
    return malformed(in, in->whole,
        in->bound_count > 0 ? "Array contents must start with \"{\"."
                            : "Array value must start with \"{\" or dimension information.");
}

// --- form: whether it is an array's, and of how many items ----------------------------------------------------------

// What has been met last, but for spaces.
enum place {
    PLACE_START = 1,
    PLACE_OPENED = 2,
    PLACE_BARE = 4,          // An item without quotes, or what is escaped in one.
    PLACE_QUOTES = 8,        // Within quotes.
    PLACE_QUOTED = 16,       // After them.
    PLACE_CLOSED = 32,
    PLACE_AFTER_ITEM = 64,   // A comma.
    PLACE_AFTER_CLOSED = 128 // Likewise.
};

struct step {
    uint32_t after; // Places after which it may stand.
    const char *elsewhere;
};
static const struct step step_open = {
    PLACE_START | PLACE_OPENED | PLACE_AFTER_CLOSED, "Unexpected \"{\" character."};
static const struct step step_close = {
    PLACE_BARE | PLACE_QUOTED | PLACE_CLOSED, "Unexpected \"}\" character."};
static const struct step step_comma = {
    PLACE_BARE | PLACE_QUOTED | PLACE_CLOSED, "Unexpected \",\" character."};
static const struct step step_quote = {
    PLACE_OPENED | PLACE_AFTER_ITEM, "Unexpected array element."};
static const struct step step_escape = {
    PLACE_OPENED | PLACE_BARE | PLACE_AFTER_ITEM, "Unexpected \"\\\" character."};
static const struct step step_bare = {
    PLACE_OPENED | PLACE_BARE | PLACE_AFTER_ITEM, "Unexpected array element."};

struct form {
    struct literal *in;
    enum place place;
    uint32_t depth, deepest, item_depth;
    int32_t within[ARRAY_DIMENSIONS_MAX];   // Of the braces open at each level, how many things lie there so far.
    int32_t siblings[ARRAY_DIMENSIONS_MAX]; // How many lay in those that were closed there last; 0: none was.
    int32_t length[ARRAY_DIMENSIONS_MAX];
};

static struct status form_open(struct form *form)
{
    if (form->depth == ARRAY_DIMENSIONS_MAX) return too_many_dimensions(form->in);
    form->length[form->depth++] = 0;
    if (form->deepest < form->depth) form->deepest = form->depth;
    form->place = PLACE_OPENED;
    return STATUS_OK;
}

static struct status form_close(struct form *form)
{
    uint32_t level = --form->depth;
    form->place = PLACE_CLOSED;
    if (form->siblings[level] != 0 && form->siblings[level] != form->within[level])
        return malformed(form->in, form->in->rest,
            "Multidimensional arrays must have sub-arrays with matching dimensions.");
    form->siblings[level] = form->within[level];
    form->within[level] = 1;
    if (level > 0) form->length[level - 1]++;
    return STATUS_OK;
}

static void form_item(struct form *form, enum place place)
{
    form->place = place;
    if (form->item_depth != 0 && form->item_depth != form->depth) form->in->scattered = true;
    form->item_depth = form->depth;
}

// One character outside of quotes that is no space.
static struct status form_step(struct form *form, char c)
{
    const struct step *step = c == '{'    ? &step_open
                              : c == '}'  ? &step_close
                              : c == form->in->delimiter ? &step_comma
                              : c == '"'  ? &step_quote
                              : c == '\\' ? &step_escape
                                          : &step_bare;
    const bool empty = c == '}' && form->depth == 1 && form->place == PLACE_OPENED;
    if ((step->after & form->place) == 0 && !empty && step == &step_comma && c == ';')
        return malformed(form->in, form->in->rest, "Unexpected \";\" character.");
    if ((step->after & form->place) == 0 && !empty)
        return malformed(form->in, form->in->rest, step->elsewhere);
    if (c == '{') return form_open(form);
    if (c == '}') return form_close(form);
    if (c == form->in->delimiter) {
        form->place = form->place == PLACE_CLOSED ? PLACE_AFTER_CLOSED : PLACE_AFTER_ITEM;
        form->within[form->depth - 1]++;
        form->length[form->deepest - 1]++;
        return STATUS_OK;
    }
    form_item(form, c == '"' ? PLACE_QUOTES : PLACE_BARE);
    return STATUS_OK;
}

static struct status form_end(struct form *form, size_t at)
{
    struct literal *in = form->in;
    for (; at < in->rest.size; at++)
        if (!ascii_space((char)in->rest.data[at]))
            return malformed(in, in->rest, "Junk after closing right brace.");
    if (form->item_depth == 0) return STATUS_OK;
    form->length[form->deepest - 1]++;
    in->dimensions = form->deepest;
    memcpy(in->length, form->length, sizeof in->length);
    return STATUS_OK;
}

static struct status measure(struct literal *in)
{
    struct status st = STATUS_OK;
    struct form form = {.in = in, .place = PLACE_START};
    for (uint32_t i = 0; i < ARRAY_DIMENSIONS_MAX; i++)
        form.within[i] = 1;
    for (size_t at = 0; at < in->rest.size; at++) {
        const char c = (char)in->rest.data[at];
        if (at % BYTES_PER_POLL == BYTES_PER_POLL - 1)
            TRY(task_work(task_current(), BYTES_PER_POLL));
        if (form.place == PLACE_QUOTES) {
            if (c == '"') form.place = PLACE_QUOTED;
        } else if (!ascii_space(c)) {
            TRY(form_step(&form, c));
            if (form.depth == 0) return form_end(&form, at + 1);
        }
        if (c == '\\') at++;
    }
    return malformed(in, in->rest, "Unexpected end of input.");
out:
    return st;
}

static struct status check_size(struct literal *in, uint32_t *count)
{
    uint64_t all = in->dimensions == 0 ? 0 : 1;
    bool match = in->bound_count == 0 || in->bound_count == in->dimensions;
    for (uint32_t i = 0; i < in->dimensions; i++) {
        if (in->bound_count == 0) in->lower[i] = 1;
        else if (in->bound_length[i] != in->length[i]) match = false;
    }
    if (!match)
        return malformed(
            in, in->whole, "Specified array dimensions do not match array contents.");
    for (uint32_t i = 0; i < in->dimensions; i++) {
        all *= (uint32_t)in->length[i];
        if (all > ARRAY_COUNT_MAX)
            return status_format(in->arena, E_PROGRAM_LIMIT_EXCEEDED,
                "array size exceeds the maximum allowed (%d)", ARRAY_COUNT_MAX);
    }
    for (uint32_t i = 0; i < in->dimensions; i++)
        if ((int64_t)in->lower[i] + in->length[i] > INT32_MAX)
            return status_format(in->arena, E_PROGRAM_LIMIT_EXCEEDED,
                "array lower bound is too large: %d", in->lower[i]);
    *count = (uint32_t)all;
    return STATUS_OK;
}

// --- items, of what is known to be an array's text -------------------------------------------------------------------

struct items {
    struct literal *in;
    struct array_builder builder;
    struct datum *scattered;            // Where items are out of order: all of them, NULL until met.
    uint32_t count;
    uint32_t depth;
    int64_t at[ARRAY_DIMENSIONS_MAX];   // Where the next one lies, in each dimension.
    int64_t stride[ARRAY_DIMENSIONS_MAX];
    struct buffer text;                 // Of the one that is read, without its quotes and escapes.
    size_t keep;                        // Spaces behind this are no part of it.
    bool begun, plain;                  // Spaces count; nothing in it is quoted or escaped.
    int64_t place;                      // Among all; -1: not known yet.
};

static void item_begin(struct items *items)
{
    items->text.size = items->keep = 0;
    items->begun = false;
    items->plain = true;
    items->place = -1;
}

static void item_place(struct items *items)
{
    if (items->place >= 0) return;
    items->place = 0;
    for (uint32_t i = 0; i < items->in->dimensions; i++)
        items->place += items->at[i] * items->stride[i];
}

static struct status item_end(struct items *items)
{
    struct status st = STATUS_OK;
    struct literal *in = items->in;
    const struct bytes text = {items->text.data, items->keep};
    struct datum item = DATUM_NULL;
    if (items->place >= items->count) return malformed(in, in->whole, NULL);
    if (!items->plain || !type_word_is(text, "null"))
        TRY(type_input(in->arena, in->context, in->element, text, &item));
    if (items->scattered == NULL) {
        TRY(array_builder_add(&items->builder, item));
    } else {
        items->scattered[items->place] = item;
    }
    item_begin(items);
out:
    return st;
}

// One character outside of quotes.
static struct status item_step(struct items *items, char c)
{
    struct status st = STATUS_OK;
    if (c == '{') {
        items->at[items->depth++] = 0;
    } else if (c == '}') {
        item_place(items);
        items->at[--items->depth] = 0;
        if (items->depth == 0) return item_end(items);
        items->at[items->depth - 1]++;
    } else if (c == items->in->delimiter) {
        item_place(items);
        TRY(item_end(items));
        items->at[items->in->dimensions - 1]++;
    } else if (!ascii_space(c) || items->begun) {
        buffer_append_u8(&items->text, (uint8_t)c);
        items->begun = true;
        if (!ascii_space(c)) items->keep = items->text.size;
    }
out:
    return st;
}

static struct status each_item(struct items *items)
{
    struct status st = STATUS_OK;
    const struct bytes rest = items->in->rest;
    bool quotes = false;
    for (size_t at = 0; at == 0 || items->depth > 0; at++) {
        if (at % BYTES_PER_POLL == BYTES_PER_POLL - 1)
            TRY(task_work(task_current(), BYTES_PER_POLL));
        const char c = (char)rest.data[at];
        if (c == '"') {
            quotes = !quotes;
            items->plain = false;
            items->begun = true;
            items->keep = items->text.size;
        } else if (c == '\\') {
            buffer_append_u8(&items->text, rest.data[++at]);
            items->plain = false;
            items->begun = true;
            items->keep = items->text.size;
        } else if (quotes) {
            buffer_append_u8(&items->text, (uint8_t)c);
        } else {
            TRY(item_step(items, c));
        }
    }
out:
    return st;
}

static struct status read_items(struct literal *in, uint32_t count, struct datum *value)
{
    struct status st = STATUS_OK;
    struct items items = {.in = in, .count = count};
    array_builder_init(&items.builder, in->arena, in->element.oid);
    if (count == 0) return array_builder_finish(&items.builder, value);
    items.stride[in->dimensions - 1] = 1;
    for (uint32_t i = in->dimensions - 1; i-- > 0;)
        items.stride[i] = items.stride[i + 1] * in->length[i + 1];
    if (in->scattered) {
        items.scattered = arena_try_alloc(in->arena, count * sizeof *items.scattered);
        if (items.scattered == NULL) return status_make(E_OUT_OF_MEMORY, "out of memory");
        for (uint32_t i = 0; i < count; i++)
            items.scattered[i] = DATUM_NULL;
    }
    buffer_init(&items.text, in->arena);
    item_begin(&items);
    TRY(each_item(&items));
    for (uint32_t i = 0; items.scattered != NULL && i < count; i++) {
        if (i % BYTES_PER_POLL == BYTES_PER_POLL - 1)
            TRY(task_work(task_current(), BYTES_PER_POLL * sizeof *items.scattered));
        TRY(array_builder_add(&items.builder, items.scattered[i]));
    }
    TRY(array_builder_finish_dimensions(
        &items.builder, in->dimensions, in->length, in->lower, value));
out:
    return st;
}
