// SPDX-License-Identifier: GPL-3.0-or-later
//
// Pending writes: those with the log and not applied yet, and those of prepared transactions. An index from
// key to writes; entries with very many keys are indexed by their bounds alone.
#include <stdlib.h>

#include "core/hash.h"
#include "core/invariant.h"
#include "kv/slice_internal.h"
#include "kv/staged.h"

#define BUCKETS_INITIAL 256u

void pending_init(struct slice *slice)
{
    slice->pending_bucket_count = BUCKETS_INITIAL;
    slice->pending_buckets = calloc(BUCKETS_INITIAL, sizeof slice->pending_buckets[0]);
    invariant(slice->pending_buckets != NULL);
}

void pending_fini(struct slice *slice)
{
    free(slice->pending_buckets);
    slice->pending_buckets = NULL;
}

// --- the index -----------------------------------------------------------------------------------------

static void *allocate(struct arena *arena, size_t size)
{
    if (arena != NULL) return arena_alloc(arena, size);
    void *memory = malloc(size == 0 ? 1 : size);
    invariant(memory != NULL);
    return memory;
}

static void bounds_widen(struct pending *pending, struct bytes key)
{
    if (pending->key_count++ == 0) {
        pending->bounds = (struct span){key, key};
    } else if (bytes_compare(key, pending->bounds.start) < 0) {
        pending->bounds.start = key;
    } else if (bytes_compare(key, pending->bounds.end) > 0) {
        pending->bounds.end = key;
    }
}

void pending_gather(struct pending *pending, const struct entry_op *op, struct arena *arena)
{
    struct entry_items items;
    struct entry_item item;
    if (op->item_count == 0) return;
    uint32_t before = pending->key_count;
    struct pending_key *keys = NULL;
    if (!pending->coarse && before + op->item_count <= PENDING_KEYS_MAX) {
        keys = allocate(arena, (before + op->item_count) * sizeof *keys);
        if (before > 0) memcpy(keys, pending->keys, before * sizeof *keys);
        if (arena == NULL) free(pending->keys);
    } else {
        pending->coarse = true;
    }
    pending->keys = keys;
    entry_items_open(op, &items);
    while (entry_item_next(&items, &item)) {
        if (keys != NULL) {
            keys[pending->key_count] = (struct pending_key){
                .hash = hash_bytes(item.key), .key = item.key, .pending = pending};
        }
        bounds_widen(pending, item.key);
    }
}

static void buckets_grow(struct slice *slice)
{
    uint32_t count = slice->pending_bucket_count * 2;
    struct pending_key **buckets = calloc(count, sizeof buckets[0]);
    invariant(buckets != NULL);
    for (uint32_t i = 0; i < slice->pending_bucket_count; i++) {
        while (slice->pending_buckets[i] != NULL) {
            struct pending_key *key = slice->pending_buckets[i];
            slice->pending_buckets[i] = key->next;
            key->next = buckets[key->hash & (count - 1)];
            buckets[key->hash & (count - 1)] = key;
        }
    }
    free(slice->pending_buckets);
    slice->pending_buckets = buckets;
    slice->pending_bucket_count = count;
}

void pending_add(struct slice *slice, struct pending *pending, struct list_link *list)
{
    pending->slice = slice;
    wait_queue_init(&pending->readers);
    list_append(list, &pending->link);
    if (pending->coarse) {
        slice->pending_coarse_count++;
        return;
    }
    slice->pending_key_count += pending->key_count;
    while (slice->pending_key_count > 2 * slice->pending_bucket_count)
        buckets_grow(slice);
    for (uint32_t i = 0; i < pending->key_count; i++) {
        struct pending_key *key = &pending->keys[i];
        struct pending_key **bucket =
            &slice->pending_buckets[key->hash & (slice->pending_bucket_count - 1)];
        key->next = *bucket;
        *bucket = key;
    }
}

void pending_remove(struct slice *slice, struct pending *pending, struct status st)
{
    list_remove(&pending->link);
    if (pending->coarse) {
        slice->pending_coarse_count--;
    } else {
        slice->pending_key_count -= pending->key_count;
        for (uint32_t i = 0; i < pending->key_count; i++) {
            struct pending_key *key = &pending->keys[i];
            struct pending_key **at =
                &slice->pending_buckets[key->hash & (slice->pending_bucket_count - 1)];
            while (*at != key)
                at = &(*at)->next;
            *at = key->next;
        }
    }
    wait_queue_wake_all(&pending->readers, st);
}

// --- looking up ------------------------------------------------------------------------------------------

static inline bool bounds_have(const struct pending *pending, struct bytes key)
{
    return bytes_compare(pending->bounds.start, key) <= 0 &&
           bytes_compare(key, pending->bounds.end) <= 0 &&
           (pending->staged == NULL || staged_holds(pending->staged, key));
}

static bool has_key_in(const struct pending *pending, struct span span)
{
    if (pending->key_count == 0 || bytes_compare(pending->bounds.end, span.start) < 0 ||
        bytes_compare(span.end, pending->bounds.start) <= 0)
        return false;
    if (pending->staged != NULL) return staged_holds_any(pending->staged, span);
    if (pending->coarse) return true;
    for (uint32_t i = 0; i < pending->key_count; i++) {
        if (span_contains(span, pending->keys[i].key)) return true;
    }
    return false;
}

static struct pending *coarse_find(
    const struct list_link *list, struct bytes key, struct hlc_timestamp ts)
{
    if (list_empty(list)) return NULL;
    for (struct list_link *link = list->next; link != list; link = link->next) {
        struct pending *pending = container_of(link, struct pending, link);
        if (pending->coarse && hlc_less_equal(pending->ts, ts) && bounds_have(pending, key))
            return pending;
    }
    return NULL;
}

struct pending *slice_pending_find(
    const struct slice *slice, struct bytes key, struct hlc_timestamp ts)
{
    if (slice->pending_key_count > 0) {
        uint64_t hash = hash_bytes(key);
        struct pending_key *at = slice->pending_buckets[hash & (slice->pending_bucket_count - 1)];
        for (; at != NULL; at = at->next) {
            if (at->hash == hash && hlc_less_equal(at->pending->ts, ts) &&
                bytes_equal(at->key, key))
                return at->pending;
        }
    }
    if (LIKELY(slice->pending_coarse_count == 0)) return NULL;
    struct pending *found = coarse_find(&slice->pending, key, ts);
    return found != NULL ? found : coarse_find(&slice->prepared, key, ts);
}

static struct pending *list_find_span(
    const struct list_link *list, struct span span, struct hlc_timestamp ts)
{
    if (list_empty(list)) return NULL;
    for (struct list_link *link = list->next; link != list; link = link->next) {
        struct pending *pending = container_of(link, struct pending, link);
        if (hlc_less_equal(pending->ts, ts) && has_key_in(pending, span)) return pending;
    }
    return NULL;
}

struct pending *slice_pending_find_span(
    const struct slice *slice, struct span span, struct hlc_timestamp ts)
{
    struct pending *found = list_find_span(&slice->pending, span, ts);
    return found != NULL ? found : list_find_span(&slice->prepared, span, ts);
}

bool pending_newest(
    const struct slice *slice, struct bytes key, uint64_t own, struct hlc_timestamp *ts)
{
    bool found = false;
    *ts = HLC_ZERO;
    if (slice->pending_key_count > 0) {
        uint64_t hash = hash_bytes(key);
        struct pending_key *at = slice->pending_buckets[hash & (slice->pending_bucket_count - 1)];
        for (; at != NULL; at = at->next) {
            if (at->hash != hash || !bytes_equal(at->key, key)) continue;
            if (own != 0 && at->pending->txn == own) continue;
            *ts = hlc_max(*ts, at->pending->ts);
            found = true;
        }
    }
    if (LIKELY(slice->pending_coarse_count == 0)) return found;
    const struct list_link *lists[] = {&slice->pending, &slice->prepared};
    for (uint32_t i = 0; i < 2; i++) {
        if (list_empty(lists[i])) continue;
        for (struct list_link *link = lists[i]->next; link != lists[i]; link = link->next) {
            struct pending *pending = container_of(link, struct pending, link);
            if (!pending->coarse || !bounds_have(pending, key)) continue;
            if (own != 0 && pending->txn == own) continue;
            *ts = hlc_max(*ts, pending->ts);
            found = true;
        }
    }
    return found;
}

bool pending_in_span(
    const struct slice *slice, struct span span, struct hlc_timestamp after, uint64_t own)
{
    const struct list_link *lists[] = {&slice->pending, &slice->prepared};
    for (uint32_t i = 0; i < 2; i++) {
        if (list_empty(lists[i])) continue;
        for (struct list_link *link = lists[i]->next; link != lists[i]; link = link->next) {
            struct pending *pending = container_of(link, struct pending, link);
            if (own != 0 && pending->txn == own) continue;
            if (hlc_less(after, pending->ts) && has_key_in(pending, span)) return true;
        }
    }
    return false;
}

// --- prepared transactions ---------------------------------------------------------------------------------

struct pending *prepared_create(
    struct slice *slice, const struct entry_op *op, struct bytes payload)
{
    struct pending *prepared = calloc(1, sizeof *prepared);
    uint8_t *copy = malloc(payload.size);
    invariant(prepared != NULL && copy != NULL);
    memcpy(copy, payload.data, payload.size);
    prepared->payload = bytes_of(copy, payload.size);
    prepared->ts = op->ts;
    prepared->txn = op->txn;
    prepared->record_slice = op->record_slice;
    prepared->tenant = op->tenant;
    // The keys point into the copy.
    struct entry_reader reader;
    struct entry_op own;
    entry_open_trusted(prepared->payload, &reader);
    while (entry_op_next(&reader, &own))
        pending_gather(prepared, &own, NULL);
    pending_add(slice, prepared, &slice->prepared);
    return prepared;
}

void prepared_destroy(struct slice *slice, struct pending *prepared)
{
    pending_remove(slice, prepared, STATUS_OK);
    free(prepared->keys);
    free((void *)prepared->payload.data);
    free(prepared);
}

struct pending *slice_prepared_find(const struct slice *slice, uint64_t txn)
{
    if (list_empty(&slice->prepared)) return NULL;
    const struct list_link *head = &slice->prepared;
    for (struct list_link *link = head->next; link != head; link = link->next) {
        struct pending *pending = container_of(link, struct pending, link);
        if (pending->txn == txn) return pending;
    }
    return NULL;
}
