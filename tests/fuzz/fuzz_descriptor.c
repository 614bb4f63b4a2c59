// SPDX-License-Identifier: GPL-3.0-or-later
//
// Catalog descriptors and statistics from any bytes: refused, or sound; what was read encodes to the same bytes
// again once it has been encoded once.
#include <stdint.h>

#include "core/invariant.h"
#include "sql/catalog/descriptor.h"
#include "sql/plan/statistics.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void table(struct arena *arena, struct bytes in)
{
    struct table_desc first, second;
    struct buffer once, twice;
    if (failed(descriptor_decode_table(arena, in, &first))) return;
    buffer_init(&once, arena);
    buffer_init(&twice, arena);
    descriptor_encode_table(&once, &first);
    invariant(!failed(descriptor_decode_table(arena, buffer_bytes(&once), &second)));
    descriptor_encode_table(&twice, &second);
    invariant(bytes_equal(buffer_bytes(&once), buffer_bytes(&twice)));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct arena arena;
    struct bytes in = {data, size};
    struct database_desc database;
    struct schema_desc schema;
    struct name_value name;
    struct table_statistics statistics;
    arena_init(&arena, NULL);
    table(&arena, in);
    bool sound = !failed(descriptor_decode_database(&arena, in, &database));
    sound |= !failed(descriptor_decode_schema(&arena, in, &schema));
    sound |= !failed(name_value_decode(in, &name));
    sound |= !failed(statistics_decode(&arena, in, &statistics));
    (void)sound;
    arena_fini(&arena);
    return 0;
}
