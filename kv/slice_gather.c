// SPDX-License-Identifier: GPL-3.0-or-later
//
// Writes of many entries, as they reach a follower's store: in the order of their keys. The way to a key shares most of
// its pages with the way to the one before it, so that a search costs a fraction of one that begins anywhere. Versions
// of one key stay in the order of the log, which is all that the store needs: whatever part of a run is in a checkpoint
// when the node goes down, replaying the run from its first entry on makes it whole.
#include <stdlib.h>

#include "core/invariant.h"
#include "core/mark.h"
#include "kv/slice_internal.h"

#define RUN_ITEMS_MAX 8192u // Sorting them is about a millisecond.
#define RUN_ITEMS_MIN 32u   // Fewer are not worth it.

struct gather_item {
    struct bytes key, value;
    struct hlc_timestamp ts;
    bool tombstone;
};

// By the first bytes that differ among all keys; then by the keys themselves; then as in the log.
struct gather_order {
    uint64_t head;
    const struct gather_item *item;
};

bool slice_entry_plain(struct bytes payload)
{
    struct entry_reader reader;
    struct entry_op op;
    if (payload.data == NULL) return true;
    entry_open_trusted(payload, &reader);
    while (entry_op_next(&reader, &op)) {
        if (op.kind != ENTRY_WRITES) return false;
    }
    return true;
}

uint32_t slice_gather_run(const struct slice_entry *first, uint32_t count, bool *gather)
{
    uint64_t items = 0;
    uint32_t run = 0;
    const struct slice_entry *entry = first;
    for (; run < count && entry != NULL && entry->plain; entry = entry->next, run++) {
        if (items + entry->item_count > RUN_ITEMS_MAX) break;
        items += entry->item_count;
    }
    *gather = items >= RUN_ITEMS_MIN || (items > 1 && SIM_MAYBE("slice.gather_few"));
    return run > 0 ? run : 1;
}

static uint32_t items_take(
    struct gather_item *items, const struct slice_entry *first, uint32_t entries)
{
    uint32_t count = 0;
    const struct slice_entry *entry = first;
    for (uint32_t i = 0; i < entries; i++, entry = entry->next) {
        struct entry_reader reader;
        struct entry_op op;
        if (entry->payload.data == NULL) continue;
        entry_open_trusted(entry->payload, &reader);
        while (entry_op_next(&reader, &op)) {
            struct entry_items in;
            struct entry_item item;
            entry_items_open(&op, &in);
            while (entry_item_next(&in, &item))
                items[count++] = (struct gather_item){item.key, item.value, op.ts, item.tombstone};
        }
    }
    return count;
}

static size_t shared_prefix(const struct gather_item *items, uint32_t count)
{
    struct bytes first = items[0].key;
    size_t size = first.size;
    for (uint32_t i = 1; i < count; i++) {
        struct bytes key = items[i].key;
        if (key.size < size) size = key.size;
        size_t at = 0;
        while (at < size && key.data[at] == first.data[at])
            at++;
        size = at;
    }
    return size;
}

static uint64_t head_of(struct bytes key, size_t skip)
{
    uint64_t head = 0;
    size_t size = key.size - skip < 8 ? key.size - skip : 8;
    for (size_t i = 0; i < size; i++)
        head |= (uint64_t)key.data[skip + i] << (56 - 8 * i);
    return head;
}

static int order_compare(const void *left, const void *right)
{
    const struct gather_order *a = left, *b = right;
    if (a->head != b->head) return a->head < b->head ? -1 : 1;
    int order = bytes_compare(a->item->key, b->item->key);
    if (order != 0) return order;
    return a->item < b->item ? -1 : 1;
}

static struct status put_all(
    struct slice_apply *apply, const struct gather_order *order, uint32_t count)
{
    struct status st = STATUS_OK;
    for (uint32_t i = 0; i < count; i++) {
        const struct gather_item *item = order[i].item;
        TRY(slice_apply_put(apply, item->key, item->ts, item->value, item->tombstone, false));
    }
out:
    return st;
}

struct status slice_gather_apply(
    struct slice_apply *apply, const struct slice_entry *first, uint32_t entries)
{
    uint64_t room = 0;
    const struct slice_entry *entry = first;
    for (uint32_t i = 0; i < entries; i++, entry = entry->next)
        room += entry->item_count;
    struct gather_item *items = malloc(room * sizeof *items);
    struct gather_order *order = malloc(room * sizeof *order);
    invariant(items != NULL && order != NULL);
    uint32_t count = items_take(items, first, entries);
    invariant(count == room);
    size_t skip = shared_prefix(items, count);
    for (uint32_t i = 0; i < count; i++)
        order[i] = (struct gather_order){head_of(items[i].key, skip), &items[i]};
    qsort(order, count, sizeof *order, order_compare);
    covered("slice.gathered");
    struct status st = put_all(apply, order, count);
    free(order);
    free(items);
    return st;
}
