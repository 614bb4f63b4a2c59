// SPDX-License-Identifier: GPL-3.0-or-later
//
// Log entries from any bytes: refused, or read to the end within bounds; and what was read and built again
// reads the same.
#include <stdint.h>

#include "core/invariant.h"
#include "kv/entry.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static struct bytes rebuild(struct arena *arena, struct entry_reader reader)
{
    struct entry_builder builder;
    struct entry_op op;
    entry_begin(&builder, arena);
    while (entry_op_next(&reader, &op)) {
        struct entry_items items;
        struct entry_item item;
        entry_op_append(&builder, &op);
        entry_items_open(&op, &items);
        while (entry_item_next(&items, &item))
            entry_item_append(&builder, &item);
    }
    return entry_end(&builder);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct entry_reader reader, again;
    if (failed(entry_open(bytes_of(data, size), &reader))) return 0;
    struct arena arena;
    arena_init(&arena, NULL);
    struct bytes once = rebuild(&arena, reader);
    invariant(!failed(entry_open(once, &again)));
    invariant(bytes_equal(rebuild(&arena, again), once));
    arena_fini(&arena);
    return 0;
}
