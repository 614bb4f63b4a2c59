// SPDX-License-Identifier: GPL-3.0-or-later
//
// How a match is shared out among the parts of a regular expression. Each call is given a stretch of text that the part's
// machine fits; without references in it there is a way to share it out.
#include "sql/type/regex_tree.h"

static struct status share(
    struct regex *regex, const struct part *part, size_t begin, size_t end, bool *matches);

static size_t one_back(const struct regex *regex, size_t at)
{
    do
        at--;
    while ((regex->text.data[at] & 0xc0) == 0x80);
    return at;
}

static size_t one_on(const struct regex *regex, size_t at)
{
    return at + utf8_size_of(regex->text.data[at]);
}

static void forget_groups(struct regex *regex, const struct part *part)
{
    for (uint32_t i = part->first_group; i <= part->last_group; i++)
        regex->spans[i] = (struct regex_span){SIZE_MAX, SIZE_MAX};
}

static bool prefers_short(const struct part *part)
{
    return (part->flags & PREFER_SHORT) != 0;
}

// Where the part ends that starts at `begin`: the last place up to `to`, or the first one from it on.
static struct status end_of(struct regex *regex, const struct part *part, size_t begin, size_t to,
    size_t limit, size_t *end)
{
    const bool shortest = prefers_short(part);
    struct walk walk = {.machine = part->machine,
        .from = begin,
        .least = shortest ? to : begin,
        .limit = shortest ? limit : to,
        .shortest = shortest};
    const struct status st = regex_walk(regex, &walk);
    *end = walk.end;
    return st;
}

static struct status fits(
    struct regex *regex, const struct part *part, size_t begin, size_t end, bool *yes)
{
    struct walk walk = {.machine = part->machine, .from = begin, .least = end, .limit = end};
    const struct status st = regex_walk(regex, &walk);
    *yes = walk.end == end;
    return st;
}

// The border between the two of a pair: *mid NOWHERE when there is none (left).
static struct status next_border(struct regex *regex, const struct part *pair, size_t begin,
    size_t end, bool first, size_t *mid)
{
    struct status st = STATUS_OK;
    const struct part *left = pair->children, *right = left->next;
    const bool shortest = prefers_short(left);
    for (bool yes = false; !yes;) {
        size_t to = shortest ? begin : end;
        if (!first) {
            if (*mid == (shortest ? end : begin)) *mid = NOWHERE;
            if (*mid == NOWHERE) break;
            to = shortest ? one_on(regex, *mid) : one_back(regex, *mid);
        }
        first = false;
        TRY(end_of(regex, left, begin, to, end, mid));
        if (*mid == NOWHERE) break;
        TRY(fits(regex, right, *mid, end, &yes));
    }

out:
    return st;
}

// With references: borders are tried until both are content.
static struct status share_pair(
    struct regex *regex, const struct part *part, size_t begin, size_t end, bool *matches)
{
    struct status st = STATUS_OK;
    const struct part *left = part->children, *right = left->next;
    size_t mid = NOWHERE;
    *matches = false;
    for (bool first = true;; first = false) {
        TRY(next_border(regex, part, begin, end, first, &mid));
        if (mid == NOWHERE) break;
        TRY(share(regex, left, begin, mid, matches));
        if (*matches) TRY(share(regex, right, mid, end, matches));
        if (*matches) break;
        forget_groups(regex, left);
        forget_groups(regex, right);
    }

out:
    return st;
}

static bool same_text(const struct regex *regex, size_t a, size_t b, size_t size)
{
    const uint8_t *text = regex->text.data;
    if (memcmp(text + a, text + b, size) == 0) return true;
    if (!regex->options.ignore_case) return false;
    for (size_t i = 0; i < size; i += utf8_size_of(text[a + i])) {
        if (utf8_size_of(text[a + i]) != utf8_size_of(text[b + i])) return false;
        if (regex_lower(utf8_decode(text + a + i)) != regex_lower(utf8_decode(text + b + i)))
            return false;
    }
    return true;
}

static struct status share_reference(
    struct regex *regex, const struct part *part, size_t begin, size_t end, bool *matches)
{
    const struct regex_span span = regex->spans[part->value];
    *matches = false;
    if (span.start == SIZE_MAX) return STATUS_OK;
    const size_t size = span.end - span.start, whole = end - begin;
    if (size == 0 || whole == 0) {
        *matches = whole == 0 && (size == 0 || part->min == 0);
        return STATUS_OK;
    }
    const size_t times = whole / size;
    if (whole % size != 0 || times < part->min || (part->max != REPEAT_ANY && times > part->max))
        return STATUS_OK;
    for (size_t i = 0; i < times; i++)
        if (!same_text(regex, span.start, begin + i * size, size)) return STATUS_OK;
    *matches = true;
    return regex_spend(regex, whole / 16 + 1);
}

static struct status share_alternatives(
    struct regex *regex, const struct part *part, size_t begin, size_t end, bool *matches)
{
    struct status st = STATUS_OK;
    *matches = false;
    for (const struct part *child = part->children; child != NULL && !*matches; child = child->next) {
        TRY(fits(regex, child, begin, end, matches));
        if (*matches) TRY(share(regex, child, begin, end, matches));
    }

out:
    return st;
}

// --- repetitions ------------------------------------------------------------------------------------------------

// Where each time ends is in regex->ends, from `base` on; first the beginning. `good` of them have been shared out and
// found good. Repetitions within each other take more of it, as of a stack.
struct times {
    const struct part *child;
    size_t base;
    size_t least, most; // So many times.
    size_t end;
    size_t count, good;
};

static size_t *end_at(const struct regex *regex, const struct times *times, size_t number)
{
    return &regex->ends[times->base + number];
}

static bool room_for(struct regex *regex, const struct times *times)
{
    if (times->base + times->count < regex->ends_capacity) return true;
    const size_t capacity = regex->ends_capacity * 2 + 32;
    size_t *ends = regex_take(regex, capacity * sizeof *ends);
    if (ends == NULL) return false;
    if (regex->ends_capacity > 0) memcpy(ends, regex->ends, regex->ends_capacity * sizeof *ends);
    regex->ends = ends;
    regex->ends_capacity = capacity;
    return true;
}

// Empty times are only for as many as there have to be.
static bool empty_is_needed(
    const struct regex *regex, const struct times *times, size_t number, size_t at)
{
    return number < times->least &&
           times->least - number >= utf8_length(bytes_of(regex->text.data + at, times->end - at));
}

static struct status share_times(struct regex *regex, struct times *times, bool *matches)
{
    struct status st = STATUS_OK;
    *matches = true;
    regex->ends_used = times->base + times->count + 1;
    for (size_t i = times->good + 1; i <= times->count && *matches; i++) {
        forget_groups(regex, times->child);
        TRY(share(regex, times->child, *end_at(regex, times, i - 1), *end_at(regex, times, i), matches));
        if (*matches) times->good = i;
    }

out:
    return st;
}

// Another end for the last time, or for one before it. False: all has been tried. *to is where it may be.
static bool go_back(const struct regex *regex, struct times *times, size_t *to)
{
    const bool shortest = prefers_short(times->child);
    for (; times->count > 0; times->count--) {
        const size_t start = *end_at(regex, times, times->count - 1), end = *end_at(regex, times, times->count);
        if (shortest) {
            if (end == times->end) continue;
            *to = one_on(regex, end);
            return true;
        }
        if (end == start) continue;
        *to = one_back(regex, end);
        if (*to > start || empty_is_needed(regex, times, times->count, start)) return true;
    }
    return false;
}

static struct status try_times(struct regex *regex, struct times *times, bool *matches)
{
    struct status st = STATUS_OK;
    const bool shortest = prefers_short(times->child);
    size_t to = shortest ? *end_at(regex, times, 0) : times->end;
    times->count = 1;
    for (*matches = false; !*matches;) {
        if (!room_for(regex, times)) return status_make(E_OUT_OF_MEMORY, "out of memory");
        const size_t start = *end_at(regex, times, times->count - 1);
        if (shortest && to == start && to != times->end &&
            !empty_is_needed(regex, times, times->count, to))
            to = one_on(regex, to);
        if (shortest && times->count >= times->most) to = times->end; // The last one reaches the end.
        size_t end;
        TRY(end_of(regex, times->child, start, to, times->end, &end));
        *end_at(regex, times, times->count) = end;
        if (times->good >= times->count) times->good = times->count - 1;
        if (end == NOWHERE || (end != times->end && times->count >= times->most)) {
            times->count--;
        } else if (end != times->end) {
            const bool useless = end == start && !empty_is_needed(regex, times, times->count, end);
            if (!useless || shortest) {
                times->count++;
                to = shortest ? end : times->end;
                continue;
            }
        } else if (times->count >= times->least) {
            TRY(share_times(regex, times, matches));
            if (*matches) break;
        }
        if (!go_back(regex, times, &to)) break;
    }

out:
    return st;
}

static struct status share_repeated(
    struct regex *regex, const struct part *part, size_t begin, size_t end, bool *matches)
{
    struct status st = STATUS_OK;
    // Nothing at all is one time of nothing, so that groups are set, if that can be and no less is preferred.
    if (part->min == 0 && begin == end) {
        *matches = false;
        if (!prefers_short(part->children)) TRY(fits(regex, part->children, begin, end, matches));
        if (*matches) TRY(share(regex, part->children, begin, end, matches));
        if (!*matches) forget_groups(regex, part->children);
        *matches = true;
        return st;
    }
    struct times times = {.child = part->children, .base = regex->ends_used, .end = end};
    times.least = part->min == 0 ? 1 : part->min;
    times.most = utf8_length(bytes_of(regex->text.data + begin, end - begin));
    if (part->max != REPEAT_ANY && times.most > part->max) times.most = part->max;
    if (times.most < times.least) times.most = times.least;
    if (!room_for(regex, &times)) return status_make(E_OUT_OF_MEMORY, "out of memory");
    *end_at(regex, &times, 0) = begin;
    st = try_times(regex, &times, matches);
    regex->ends_used = times.base;

out:
    return st;
}

// --- all of them -----------------------------------------------------------------------------------------------------

static struct status share(
    struct regex *regex, const struct part *part, size_t begin, size_t end, bool *matches)
{
    struct status st = STATUS_OK;
    // What follows in a pair is gone on with, where it cannot fail.
    while (part->kind == PART_PAIR && (part->flags & HAS_REFERENCE) == 0) {
        size_t mid = NOWHERE;
        bool yes;
        TRY(next_border(regex, part, begin, end, true, &mid));
        if (mid == NOWHERE) return status_make(E_INTERNAL, "regular expression failed");
        if (part->group != 0) regex->spans[part->group] = (struct regex_span){begin, end};
        TRY(share(regex, part->children, begin, mid, &yes));
        part = part->children->next;
        begin = mid;
    }
    *matches = true;
    switch (part->kind) {
    case PART_PLAIN: break;
    case PART_GROUP: TRY(share(regex, part->children, begin, end, matches)); break;
    case PART_PAIR: TRY(share_pair(regex, part, begin, end, matches)); break;
    case PART_ALTERNATIVES: TRY(share_alternatives(regex, part, begin, end, matches)); break;
    case PART_REPEATED: TRY(share_repeated(regex, part, begin, end, matches)); break;
    case PART_REFERENCE: TRY(share_reference(regex, part, begin, end, matches)); break;
    }
    if (*matches && part->group != 0) regex->spans[part->group] = (struct regex_span){begin, end};

out:
    return st;
}

struct status regex_share(struct regex *regex, size_t begin, size_t end, bool *matches)
{
    for (uint32_t i = 1; i <= regex->group_count; i++)
        regex->spans[i] = (struct regex_span){SIZE_MAX, SIZE_MAX};
    regex->ends_used = 0;
    return share(regex, regex->tree, begin, end, matches);
}
