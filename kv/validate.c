// SPDX-License-Identifier: GPL-3.0-or-later
#include "kv/validate.h"

#include <stdlib.h>

#include "core/hash.h"
#include "core/invariant.h"
#include "core/mark.h"
#include "kv/slice.h"

#define BUCKET_COUNT 16384u
#define RING_COUNT 4096u
#define RING_KEY_BYTES 78u
#define BULK_COUNT 16u
#define ENTRIES_AT_ONCE 8u // From here on one pass over the ring is cheaper than one a span.
#define VALIDATE_ATTEMPTS_MAX 8u

struct recent_write {
    struct hlc_timestamp ts;
    struct hlc_timestamp order; // Highest ts noted up to this one: grows along the ring.
    uint64_t txn;
    uint16_t key_size;          // Of the part kept.
    bool cut;                   // The key is longer than what is kept.
    bool prepared;              // It may have been dropped since.
    uint8_t key[RING_KEY_BYTES];
};

// A large entry: somewhere in [first, last] something was written.
struct bulk_write {
    struct hlc_timestamp ts;
    uint64_t txn;
    uint64_t noted; // Place in the order of notes.
    uint8_t *keys;  // Both, malloc'ed; NULL: everything (no memory for the keys).
    size_t first_size, last_size;
};

struct validator {
    struct hlc_timestamp highest; // Of all notes.
    uint64_t noted;               // Notes so far; the next goes to ring[noted % RING_COUNT].
    struct bulk_write bulk[BULK_COUNT];
    uint64_t bulk_noted;
    struct hlc_timestamp bulk_lost; // Highest of the large entries that are forgotten.
    uint64_t bulk_lost_noted;
    struct hlc_timestamp buckets[BUCKET_COUNT];
    struct recent_write ring[RING_COUNT];
};

struct status validator_create(struct validator **validator)
{
    *validator = calloc(1, sizeof **validator);
    return *validator == NULL ? status_make(E_OUT_OF_MEMORY, "out of memory") : STATUS_OK;
}

void validator_destroy(struct validator *validator)
{
    if (validator == NULL) return;
    for (uint32_t i = 0; i < BULK_COUNT; i++) free(validator->bulk[i].keys);
    free(validator);
}

static struct recent_write *note(
    struct validator *validator, struct bytes key, struct hlc_timestamp ts, uint64_t txn)
{
    validator->highest = hlc_max(validator->highest, ts);
    struct hlc_timestamp *bucket = &validator->buckets[hash_bytes(key) & (BUCKET_COUNT - 1)];
    *bucket = hlc_max(*bucket, ts);

    struct recent_write *write = &validator->ring[validator->noted++ & (RING_COUNT - 1)];
    write->ts = ts;
    write->order = validator->highest;
    write->txn = txn;
    write->cut = key.size > RING_KEY_BYTES;
    write->prepared = false;
    write->key_size = (uint16_t)(write->cut ? RING_KEY_BYTES : key.size);
    memcpy(write->key, key.data, write->key_size);
    return write;
}

void validator_note(
    struct validator *validator, struct bytes key, struct hlc_timestamp ts, uint64_t txn)
{
    note(validator, key, ts, txn);
}

void validator_note_prepared(
    struct validator *validator, struct bytes key, struct hlc_timestamp ts, uint64_t txn)
{
    note(validator, key, ts, txn)->prepared = true;
}

void validator_note_bulk(struct validator *validator, struct bytes first, struct bytes last,
    struct hlc_timestamp ts, uint64_t txn)
{
    validator->highest = hlc_max(validator->highest, ts);
    struct bulk_write *bulk = &validator->bulk[validator->bulk_noted++ % BULK_COUNT];
    if (validator->bulk_noted > BULK_COUNT) {
        validator->bulk_lost = hlc_max(validator->bulk_lost, bulk->ts);
        if (bulk->noted > validator->bulk_lost_noted) validator->bulk_lost_noted = bulk->noted;
    }
    free(bulk->keys);
    *bulk = (struct bulk_write){.ts = ts, .txn = txn, .noted = ++validator->noted};
    bulk->keys = malloc(first.size + last.size + 1);
    // The place in the ring is taken, by a write of nothing.
    struct recent_write *write =
        &validator->ring[(validator->noted - 1) & (RING_COUNT - 1)];
    *write = (struct recent_write){.order = validator->highest};
    if (bulk->keys == NULL) return;
    bulk->first_size = first.size;
    bulk->last_size = last.size;
    if (first.size > 0) memcpy(bulk->keys, first.data, first.size);
    memcpy(bulk->keys + first.size, last.data, last.size);
}

void validator_reset(struct validator *validator, struct hlc_timestamp floor)
{
    // As if a large entry that wrote everything had been noted and forgotten.
    validator->highest = hlc_max(validator->highest, floor);
    validator->ring[validator->noted++ & (RING_COUNT - 1)] =
        (struct recent_write){.order = validator->highest};
    if (validator->bulk_noted == 0) validator->bulk_noted = 1;
    validator->bulk_lost = hlc_max(validator->bulk_lost, validator->highest);
    validator->bulk_lost_noted = validator->noted;
}

uint64_t validator_mark(const struct validator *validator)
{
    return validator->noted;
}

// Whether [start, end] (end included) may have been written to by this large entry.
static bool bulk_meets(const struct bulk_write *bulk, struct bytes start, struct bytes end)
{
    if (bulk->keys == NULL) return true;
    struct bytes first = bytes_of(bulk->keys, bulk->first_size);
    struct bytes last = bytes_of(bulk->keys + bulk->first_size, bulk->last_size);
    return bytes_compare(first, end) <= 0 && bytes_compare(start, last) <= 0;
}

static bool bulk_may_have_changed(const struct validator *validator, struct bytes start,
    struct bytes end, struct hlc_timestamp after)
{
    if (validator->bulk_noted == 0) return false;
    if (hlc_less(after, validator->bulk_lost)) return true;
    for (uint32_t i = 0; i < BULK_COUNT; i++) {
        const struct bulk_write *bulk = &validator->bulk[i];
        if (hlc_less(after, bulk->ts) && bulk_meets(bulk, start, end)) return true;
    }
    return false;
}

enum validator_answer validator_key(
    const struct validator *validator, struct bytes key, struct hlc_timestamp after)
{
    if (hlc_less_equal(validator->highest, after)) return VALIDATOR_SAME;
    struct hlc_timestamp bucket = validator->buckets[hash_bytes(key) & (BUCKET_COUNT - 1)];
    if (hlc_less(after, bucket)) return VALIDATOR_UNKNOWN;
    return bulk_may_have_changed(validator, key, key, after) ? VALIDATOR_UNKNOWN : VALIDATOR_SAME;
}

// Whether the written key lies in the span; unknown for keys of which only the start is kept.
static enum validator_answer write_in_span(const struct recent_write *write, struct span span)
{
    struct bytes key = bytes_of(write->key, write->key_size);
    if (!write->cut) return span_contains(span, key) ? VALIDATOR_CHANGED : VALIDATOR_SAME;
    if (bytes_compare(key, span.end) >= 0) return VALIDATOR_SAME;
    if (bytes_compare(key, span.start) >= 0) {
        return bytes_has_prefix(span.end, key) ? VALIDATOR_UNKNOWN : VALIDATOR_CHANGED;
    }
    return bytes_has_prefix(span.start, key) ? VALIDATOR_UNKNOWN : VALIDATOR_SAME;
}

// Whether the ring still has everything above `after`; a young one has all there ever was, and
// before the start there is nothing that a transaction of this start has not seen.
static bool ring_reaches(const struct validator *validator, struct hlc_timestamp after)
{
    if (validator->noted <= RING_COUNT) return true;
    const struct recent_write *oldest = &validator->ring[validator->noted & (RING_COUNT - 1)];
    return hlc_less_equal(oldest->order, after);
}

enum validator_answer validator_span(
    const struct validator *validator, struct span span, struct hlc_timestamp after)
{
    const struct read_entry entry = {span.start, span.end};
    return validator_entries(validator, &entry, 1, after);
}

static enum validator_answer write_in_entry(
    const struct recent_write *write, const struct read_entry *entry)
{
    if (!read_entry_is_key(entry)) {
        return write_in_span(write, (struct span){entry->start, entry->end});
    }
    struct bytes key = bytes_of(write->key, write->key_size);
    if (!write->cut) {
        return bytes_equal(entry->start, key) ? VALIDATOR_CHANGED : VALIDATOR_SAME;
    }
    return bytes_has_prefix(entry->start, key) ? VALIDATOR_UNKNOWN : VALIDATOR_SAME;
}

static enum validator_answer write_in_entries(
    const struct recent_write *write, const struct read_entry *entries, uint32_t count)
{
    // The last entry that starts at or below the key is the only one that can hold it...
    struct bytes key = bytes_of(write->key, write->key_size);
    uint32_t low = 0;
    uint32_t high = count;
    while (low < high) {
        uint32_t middle = low + (high - low) / 2;
        if (bytes_compare(entries[middle].start, key) <= 0) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    enum validator_answer answer =
        low == 0 ? VALIDATOR_SAME : write_in_entry(write, &entries[low - 1]);
    // ... or, of a key that was cut, the next.
    if (answer == VALIDATOR_SAME && write->cut && low < count) {
        answer = write_in_entry(write, &entries[low]);
    }
    return answer;
}

static struct bytes entries_end(const struct read_entry *entries, uint32_t count)
{
    const struct read_entry *last = &entries[count - 1];
    return read_entry_is_key(last) ? last->start : last->end;
}

enum validator_answer validator_entries(const struct validator *validator,
    const struct read_entry *entries, uint32_t count, struct hlc_timestamp after)
{
    if (count == 0 || hlc_less_equal(validator->highest, after)) return VALIDATOR_SAME;
    enum validator_answer answer = VALIDATOR_SAME;
    uint64_t oldest = validator->noted > RING_COUNT ? validator->noted - RING_COUNT : 0;
    for (uint64_t at = validator->noted; at-- > oldest;) {
        const struct recent_write *write = &validator->ring[at & (RING_COUNT - 1)];
        if (hlc_less_equal(write->order, after)) break;
        if (hlc_less_equal(write->ts, after)) continue;
        enum validator_answer one = write_in_entries(write, entries, count);
        if (one == VALIDATOR_CHANGED && !write->prepared) return one;
        if (one != VALIDATOR_SAME) answer = VALIDATOR_UNKNOWN;
    }
    if (!ring_reaches(validator, after)) answer = VALIDATOR_UNKNOWN;
    if (answer == VALIDATOR_SAME && bulk_may_have_changed(validator, entries[0].start,
            entries_end(entries, count), after)) {
        answer = VALIDATOR_UNKNOWN;
    }
    return answer;
}

// Large entries of others noted after the mark that meet [start, end].
static bool bulk_since(const struct validator *validator, struct bytes start, struct bytes end,
    uint64_t mark, uint64_t txn)
{
    if (validator->bulk_lost_noted > mark) return true;
    for (uint32_t i = 0; i < BULK_COUNT; i++) {
        const struct bulk_write *bulk = &validator->bulk[i];
        if (bulk->noted <= mark || (txn != 0 && bulk->txn == txn)) continue;
        if (bulk_meets(bulk, start, end)) return true;
    }
    return false;
}

enum validator_answer validator_since(const struct validator *validator,
    const struct read_entry *entries, uint32_t count, uint64_t mark, uint64_t txn)
{
    if (count == 0) return VALIDATOR_SAME;
    if (validator->noted - mark > RING_COUNT) return VALIDATOR_UNKNOWN;
    for (uint64_t at = mark; at < validator->noted; at++) {
        const struct recent_write *write = &validator->ring[at & (RING_COUNT - 1)];
        if (hlc_is_zero(write->ts) || (txn != 0 && write->txn == txn)) continue;
        enum validator_answer answer = write_in_entries(write, entries, count);
        if (answer != VALIDATOR_SAME) return answer;
    }
    return bulk_since(validator, entries[0].start, entries_end(entries, count), mark, txn)
        ? VALIDATOR_UNKNOWN : VALIDATOR_SAME;
}

enum validator_answer validator_keys_since(const struct validator *validator,
    const struct validator_keys *keys, uint64_t mark, uint64_t txn)
{
    if (validator->noted - mark > RING_COUNT) return VALIDATOR_UNKNOWN;
    for (uint64_t at = mark; at < validator->noted; at++) {
        const struct recent_write *write = &validator->ring[at & (RING_COUNT - 1)];
        if (hlc_is_zero(write->ts) || (txn != 0 && write->txn == txn)) continue;
        struct bytes key = bytes_of(write->key, write->key_size);
        if (bytes_compare(keys->last, key) < 0) continue;
        if (write->cut) return VALIDATOR_UNKNOWN;
        if (bytes_compare(key, keys->first) < 0) continue;
        if (keys->wanted(keys->arg, key)) return VALIDATOR_CHANGED;
    }
    return bulk_since(validator, keys->first, keys->last, mark, txn) ? VALIDATOR_UNKNOWN
                                                                    : VALIDATOR_SAME;
}

// --- against the slice ---------------------------------------------------------------------------

static struct status changed(void)
{
    return status_make_retry(E_SERIALIZATION_FAILURE, RETRY_TRANSACTION,
        "could not serialize access due to read/write dependencies among transactions");
}

static struct status validate_key(
    struct slice *slice, struct bytes key, struct hlc_timestamp after, uint64_t own)
{
    if (!SIM_MAYBE("validate.ask_the_store")) {
        switch (validator_key(slice->validator, key, after)) {
        case VALIDATOR_SAME: return STATUS_OK;
        case VALIDATOR_CHANGED: return changed();
        case VALIDATOR_UNKNOWN: break;
        }
    }
    covered("validate.key_from_the_store");
    struct hlc_timestamp newest;
    struct status st = slice_key_newest(slice, key, own, &newest);
    if (failed(st)) return st;
    return hlc_less(after, newest) ? changed() : STATUS_OK;
}

// One pass. Sets *suspended when what was validated before may be out of date.
static struct status validate_pass(struct task *task, struct slice *slice,
    const struct read_entry *entries, uint32_t count, struct hlc_timestamp after, uint64_t own,
    bool *suspended)
{
    struct status st = STATUS_OK;
    for (uint32_t i = 0; i < count; i++) {
        const struct read_entry *entry = &entries[i];
        if (read_entry_is_key(entry)) {
            TRY(validate_key(slice, entry->start, after, own));
            continue;
        }
        struct span span = {entry->start, entry->end};
        enum validator_answer answer = validator_span(slice->validator, span, after);
        if (answer == VALIDATOR_SAME) continue;
        if (answer == VALIDATOR_CHANGED) return changed();
        bool is_changed = false;
        covered("validate.span_from_the_store");
        TRY(slice_span_changed(task, slice, span, after, own, &is_changed));
        if (is_changed) return changed();
        *suspended = true;
    }
out:
    return st;
}

struct status validate_reads_but(struct task *task, struct slice *slice,
    const struct read_entry *entries, uint32_t count, struct hlc_timestamp after, uint64_t own)
{
    // Once a transaction, not for each of its writes.
    if (count > 1 && SIM_MAYBE("validate.refuse")) return changed();
    for (uint32_t attempt = 0; attempt < VALIDATE_ATTEMPTS_MAX; attempt++) {
        uint64_t mark = validator_mark(slice->validator);
        bool suspended = false;
        if (count >= ENTRIES_AT_ONCE) {
            switch (validator_entries(slice->validator, entries, count, after)) {
            case VALIDATOR_SAME: return STATUS_OK;
            case VALIDATOR_CHANGED: return changed();
            case VALIDATOR_UNKNOWN: break; // One by one, then.
            }
        }
        struct status st = validate_pass(task, slice, entries, count, after, own, &suspended);
        if (failed(st) || !suspended) return st;
        switch (validator_since(slice->validator, entries, count, mark, own)) {
        case VALIDATOR_SAME: return STATUS_OK;
        case VALIDATOR_CHANGED: return changed();
        case VALIDATOR_UNKNOWN: break;
        }
    }
    return changed();
}

struct status validate_reads(struct task *task, struct slice *slice,
    const struct read_entry *entries, uint32_t count, struct hlc_timestamp after)
{
    return validate_reads_but(task, slice, entries, count, after, 0);
}
