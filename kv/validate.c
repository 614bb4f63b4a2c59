// SPDX-License-Identifier: GPL-3.0-or-later
#include "kv/validate.h"

#include <stdlib.h>

#include "core/hash.h"
#include "core/invariant.h"
#include "kv/slice.h"

#define BUCKET_COUNT 16384u
#define RING_COUNT 4096u
#define RING_KEY_BYTES 78u
#define VALIDATE_ATTEMPTS_MAX 8u

struct recent_write {
    struct hlc_timestamp ts;
    struct hlc_timestamp order; // Highest ts noted up to this one: grows along the ring.
    uint64_t txn;
    uint16_t key_size;          // Of the part kept.
    bool cut;                   // The key is longer than what is kept.
    uint8_t key[RING_KEY_BYTES];
};

struct validator {
    struct hlc_timestamp highest; // Of all notes.
    uint64_t noted;               // Notes so far; the next goes to ring[noted % RING_COUNT].
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
    free(validator);
}

void validator_note(
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
    write->key_size = (uint16_t)(write->cut ? RING_KEY_BYTES : key.size);
    memcpy(write->key, key.data, write->key_size);
}

uint64_t validator_mark(const struct validator *validator)
{
    return validator->noted;
}

enum validator_answer validator_key(
    const struct validator *validator, struct bytes key, struct hlc_timestamp after)
{
    if (hlc_less_equal(validator->highest, after)) return VALIDATOR_SAME;
    struct hlc_timestamp bucket = validator->buckets[hash_bytes(key) & (BUCKET_COUNT - 1)];
    return hlc_less_equal(bucket, after) ? VALIDATOR_SAME : VALIDATOR_UNKNOWN;
}

// Whether the written key lies in the span; `maybe` for keys of which only the start is known.
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

enum validator_answer validator_span(
    const struct validator *validator, struct span span, struct hlc_timestamp after)
{
    if (hlc_less_equal(validator->highest, after)) return VALIDATOR_SAME;
    uint64_t oldest = validator->noted > RING_COUNT ? validator->noted - RING_COUNT : 0;
    for (uint64_t at = validator->noted; at-- > oldest;) {
        const struct recent_write *write = &validator->ring[at & (RING_COUNT - 1)];
        if (hlc_less_equal(write->order, after)) return VALIDATOR_SAME;
        if (hlc_less_equal(write->ts, after)) continue;
        enum validator_answer answer = write_in_span(write, span);
        if (answer != VALIDATOR_SAME) return answer;
    }
    // All that was noted is in the ring until it has turned once; before the start there is nothing that a
    // transaction of this start has not seen.
    return validator->noted > RING_COUNT ? VALIDATOR_UNKNOWN : VALIDATOR_SAME;
}

static enum validator_answer write_in_entries(
    const struct recent_write *write, const struct read_entry *entries, uint32_t count)
{
    struct bytes key = bytes_of(write->key, write->key_size);
    for (uint32_t i = 0; i < count; i++) {
        const struct read_entry *entry = &entries[i];
        enum validator_answer answer = VALIDATOR_SAME;
        if (!read_entry_is_key(entry)) {
            answer = write_in_span(write, (struct span){entry->start, entry->end});
        } else if (write->cut ? bytes_has_prefix(entry->start, key)
                              : bytes_equal(entry->start, key)) {
            answer = VALIDATOR_CHANGED;
        }
        if (answer != VALIDATOR_SAME) return answer;
    }
    return VALIDATOR_SAME;
}

enum validator_answer validator_since(const struct validator *validator,
    const struct read_entry *entries, uint32_t count, uint64_t mark, uint64_t txn)
{
    if (validator->noted - mark > RING_COUNT) return VALIDATOR_UNKNOWN;
    for (uint64_t at = mark; at < validator->noted; at++) {
        const struct recent_write *write = &validator->ring[at & (RING_COUNT - 1)];
        if (txn != 0 && write->txn == txn) continue;
        enum validator_answer answer = write_in_entries(write, entries, count);
        if (answer != VALIDATOR_SAME) return answer;
    }
    return VALIDATOR_SAME;
}

// --- against the slice -----------------------------------------------------------------------------

static struct status changed(void)
{
    return status_make_retry(E_SERIALIZATION_FAILURE, RETRY_TRANSACTION,
        "could not serialize access due to read/write dependencies among transactions");
}

static struct status validate_key(
    struct slice *slice, struct bytes key, struct hlc_timestamp after)
{
    switch (validator_key(slice->validator, key, after)) {
    case VALIDATOR_SAME: return STATUS_OK;
    case VALIDATOR_CHANGED: return changed();
    case VALIDATOR_UNKNOWN: break;
    }
    struct hlc_timestamp newest;
    struct status st = slice_key_newest(slice, key, &newest);
    if (failed(st)) return st;
    return hlc_less(after, newest) ? changed() : STATUS_OK;
}

// One pass. Sets *suspended when what was validated before may be out of date.
static struct status validate_pass(struct task *task, struct slice *slice,
    const struct read_entry *entries, uint32_t count, struct hlc_timestamp after, bool *suspended)
{
    struct status st = STATUS_OK;
    for (uint32_t i = 0; i < count; i++) {
        const struct read_entry *entry = &entries[i];
        if (read_entry_is_key(entry)) {
            TRY(validate_key(slice, entry->start, after));
            continue;
        }
        struct span span = {entry->start, entry->end};
        enum validator_answer answer = validator_span(slice->validator, span, after);
        if (answer == VALIDATOR_SAME) continue;
        if (answer == VALIDATOR_CHANGED) return changed();
        bool is_changed = false;
        TRY(slice_span_changed(task, slice, span, after, &is_changed));
        if (is_changed) return changed();
        *suspended = true;
    }
out:
    return st;
}

struct status validate_reads(struct task *task, struct slice *slice,
    const struct read_entry *entries, uint32_t count, struct hlc_timestamp after)
{
    for (uint32_t attempt = 0; attempt < VALIDATE_ATTEMPTS_MAX; attempt++) {
        uint64_t mark = validator_mark(slice->validator);
        bool suspended = false;
        struct status st = validate_pass(task, slice, entries, count, after, &suspended);
        if (failed(st) || !suspended) return st;
        switch (validator_since(slice->validator, entries, count, mark, 0)) {
        case VALIDATOR_SAME: return STATUS_OK;
        case VALIDATOR_CHANGED: return changed();
        case VALIDATOR_UNKNOWN: break;
        }
    }
    return changed();
}
