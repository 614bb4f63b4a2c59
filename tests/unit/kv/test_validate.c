// SPDX-License-Identifier: GPL-3.0-or-later
//
// The validator's answers against a list of all writes: "same" is never wrong, "changed" neither,
// and "unknown" is given only for what is too old, too long or too many.
#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>

#include "kv/validate.h"

#define WRITES 9000

static struct {
    char key[100];
    uint64_t ts;
} written[WRITES];
static uint32_t written_count;
static uint64_t random_state = 42;

static uint32_t draw(uint32_t below)
{
    random_state = random_state * 6364136223846793005u + 1442695040888963407u;
    return (uint32_t)(random_state >> 33) % below;
}

static struct hlc_timestamp at(uint64_t ts)
{
    return (struct hlc_timestamp){ts, 0};
}

static void key_make(char *text, uint32_t number)
{
    // Some keys are longer than what the ring keeps of them.
    if (number % 7 == 0) {
        snprintf(text, 100, "%04u-%085u", number / 20, number);
    } else {
        snprintf(text, 100, "%04u", number);
    }
}

static bool really(const struct read_entry *entry, uint64_t after)
{
    for (uint32_t i = 0; i < written_count; i++) {
        if (written[i].ts <= after) continue;
        struct bytes key = bytes_of_string(written[i].key);
        if (read_entry_is_key(entry) ? bytes_equal(entry->start, key)
                                     : span_contains((struct span){entry->start, entry->end}, key))
            return true;
    }
    return false;
}

Test(validate, answers_are_never_wrong)
{
    struct validator *validator;
    cr_assert_not(failed(validator_create(&validator)));
    uint32_t unknown = 0;
    uint32_t asked = 0;
    for (uint64_t ts = 10; written_count < WRITES; ts++) {
        key_make(written[written_count].key, draw(2000));
        written[written_count].ts = ts;
        validator_note(validator, bytes_of_string(written[written_count].key), at(ts), 0);
        written_count++;
        if (written_count % 100 != 0) continue;
        for (int i = 0; i < 20; i++, asked++) {
            char start[100];
            char end[100];
            uint32_t number = draw(2000);
            key_make(start, number);
            key_make(end, number + 1 + draw(30));
            uint64_t after = ts - draw(6000);
            if (after > ts) after = 0;
            struct read_entry entry = {.start = bytes_of_string(start)};
            enum validator_answer answer;
            if (i % 2 == 0) {
                answer = validator_key(validator, entry.start, at(after));
            } else {
                entry.end = bytes_of_string(end);
                if (bytes_compare(entry.start, entry.end) >= 0) continue;
                answer =
                    validator_span(validator, (struct span){entry.start, entry.end}, at(after));
            }
            bool truth = really(&entry, after);
            cr_assert(answer != VALIDATOR_SAME || !truth);
            cr_assert(answer != VALIDATOR_CHANGED || truth);
            unknown += answer == VALIDATOR_UNKNOWN && !truth;
        }
    }
    cr_assert_lt(unknown, asked / 2);
    validator_destroy(validator);
}

Test(validate, since_a_mark_only_others_count)
{
    struct validator *validator;
    cr_assert_not(failed(validator_create(&validator)));
    const struct read_entry entries[] = {
        {.start = BYTES_LITERAL("a")}, {BYTES_LITERAL("c"), BYTES_LITERAL("f")}};
    validator_note(validator, BYTES_LITERAL("a"), at(1), 0);
    uint64_t mark = validator_mark(validator);
    validator_note(validator, BYTES_LITERAL("b"), at(2), 0);
    validator_note(validator, BYTES_LITERAL("f"), at(3), 0);
    validator_note(validator, BYTES_LITERAL("d"), at(4), 7);
    cr_assert_eq(validator_since(validator, entries, 2, mark, 7), VALIDATOR_SAME);
    cr_assert_eq(validator_since(validator, entries, 2, mark, 8), VALIDATOR_CHANGED);
    validator_note(validator, BYTES_LITERAL("a"), at(5), 0);
    cr_assert_eq(validator_since(validator, entries, 2, mark, 7), VALIDATOR_CHANGED);
    validator_destroy(validator);
}

Test(validate, large_entries_count_by_their_bounds)
{
    struct validator *validator;
    cr_assert_not(failed(validator_create(&validator)));
    validator_note_bulk(validator, BYTES_LITERAL("g"), BYTES_LITERAL("k"), at(10), 3);
    const struct read_entry inside = {BYTES_LITERAL("h"), BYTES_LITERAL("i")};
    const struct read_entry outside = {BYTES_LITERAL("l"), BYTES_LITERAL("m")};
    cr_assert_eq(validator_key(validator, BYTES_LITERAL("h"), at(5)), VALIDATOR_UNKNOWN);
    cr_assert_eq(validator_key(validator, BYTES_LITERAL("h"), at(10)), VALIDATOR_SAME);
    cr_assert_eq(validator_key(validator, BYTES_LITERAL("l"), at(5)), VALIDATOR_SAME);
    cr_assert_eq(validator_entries(validator, &inside, 1, at(5)), VALIDATOR_UNKNOWN);
    cr_assert_eq(validator_entries(validator, &outside, 1, at(5)), VALIDATOR_SAME);
    cr_assert_eq(validator_since(validator, &inside, 1, 0, 0), VALIDATOR_UNKNOWN);
    cr_assert_eq(validator_since(validator, &inside, 1, 0, 3), VALIDATOR_SAME);
    // Many more of them: the first is forgotten, and that is remembered.
    for (uint64_t ts = 11; ts < 40; ts++) {
        validator_note_bulk(validator, BYTES_LITERAL("x"), BYTES_LITERAL("y"), at(ts), 0);
    }
    cr_assert_eq(validator_key(validator, BYTES_LITERAL("h"), at(5)), VALIDATOR_UNKNOWN);
    cr_assert_eq(validator_key(validator, BYTES_LITERAL("h"), at(39)), VALIDATOR_SAME);
    validator_destroy(validator);
}

// What was prepared may have been dropped: whoever read the key asks the store, and is not refused for nothing.
Test(validate, a_prepared_write_is_asked_for)
{
    struct validator *validator;
    cr_assert_not(failed(validator_create(&validator)));
    const struct read_entry inside = {BYTES_LITERAL("h"), BYTES_LITERAL("i")};
    validator_note_prepared(validator, BYTES_LITERAL("h"), at(10), 3);
    cr_assert_eq(validator_entries(validator, &inside, 1, at(5)), VALIDATOR_UNKNOWN);
    cr_assert_eq(validator_entries(validator, &inside, 1, at(10)), VALIDATOR_SAME);
    cr_assert_eq(validator_since(validator, &inside, 1, 0, 3), VALIDATOR_SAME);
    cr_assert_eq(validator_since(validator, &inside, 1, 0, 4), VALIDATOR_CHANGED);
    validator_note(validator, BYTES_LITERAL("h"), at(11), 3);
    cr_assert_eq(validator_entries(validator, &inside, 1, at(5)), VALIDATOR_CHANGED);
    validator_destroy(validator);
}
