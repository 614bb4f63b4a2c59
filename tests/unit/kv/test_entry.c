// SPDX-License-Identifier: GPL-3.0-or-later
#include <criterion/criterion.h>

#include "kv/entry.h"

static struct arena arena;
static void setup(void)
{
    arena_init(&arena, NULL);
}
static void teardown(void)
{
    arena_fini(&arena);
}
TestSuite(entry, .init = setup, .fini = teardown);

static struct bytes build(void)
{
    struct entry_builder builder;
    entry_begin(&builder, &arena);
    entry_op_append(
        &builder, &(struct entry_op){.kind = ENTRY_WRITES, .tenant = 300, .ts = {5, 6}});
    entry_item_append(
        &builder, &(struct entry_item){.key = BYTES_LITERAL("k1"), .value = BYTES_LITERAL("v1")});
    entry_item_append(
        &builder, &(struct entry_item){.key = BYTES_LITERAL("k2"), .tombstone = true});
    entry_item_append(
        &builder, &(struct entry_item){.key = BYTES_LITERAL("k3"), .value = BYTES_LITERAL("")});
    entry_op_append(&builder, &(struct entry_op){.kind = ENTRY_RECORD,
                                  .txn = UINT64_MAX,
                                  .commit = true,
                                  .ts = {7, 8},
                                  .value = BYTES_LITERAL("slices")});
    entry_op_append(&builder, &(struct entry_op){.kind = ENTRY_INGEST, .tenant = 2});
    entry_item_append(
        &builder, &(struct entry_item){
                      .key = BYTES_LITERAL("old"), .value = BYTES_LITERAL("x"), .ts = {1, 2}});
    entry_op_append(&builder,
        &(struct entry_op){
            .kind = ENTRY_CLEAR, .tenant = 2, .span = {BYTES_LITERAL("a"), BYTES_LITERAL("b")}});
    entry_op_append(&builder, &(struct entry_op){.kind = ENTRY_META, .key = BYTES_LITERAL("name")});
    return entry_end(&builder);
}

// What was built is read back, operation by operation.
Test(entry, round_trip)
{
    struct bytes payload = build();
    entry_ceiling_set(payload, (struct hlc_timestamp){99, 1});
    entry_ts_set(payload, (struct hlc_timestamp){50, 60});
    struct entry_reader reader;
    cr_assert(!failed(entry_open(payload, &reader)));
    cr_assert_eq(reader.ceiling.wall_ns, 99);
    struct entry_op op;
    struct entry_items items;
    struct entry_item item;
    cr_assert(entry_op_next(&reader, &op));
    cr_assert(op.kind == ENTRY_WRITES && op.tenant == 300 && op.item_count == 3);
    cr_assert(op.ts.wall_ns == 50 && op.ts.logical == 60, "set afterwards");
    entry_items_open(&op, &items);
    cr_assert(entry_item_next(&items, &item) && bytes_equal(item.value, BYTES_LITERAL("v1")));
    cr_assert(entry_item_next(&items, &item) && item.tombstone && item.value.data == NULL);
    cr_assert(entry_item_next(&items, &item) && !item.tombstone && item.value.data != NULL &&
              item.value.size == 0);
    cr_assert(!entry_item_next(&items, &item) && items.rest.size == 0);
    cr_assert(entry_op_next(&reader, &op));
    cr_assert(op.kind == ENTRY_RECORD && op.txn == UINT64_MAX && op.commit && op.ts.wall_ns == 7);
    cr_assert(bytes_equal(op.value, BYTES_LITERAL("slices")));
    cr_assert(entry_op_next(&reader, &op) && op.kind == ENTRY_INGEST);
    entry_items_open(&op, &items);
    cr_assert(entry_item_next(&items, &item) && item.ts.wall_ns == 1 && item.ts.logical == 2);
    cr_assert(entry_op_next(&reader, &op) && op.kind == ENTRY_CLEAR &&
              bytes_equal(op.span.end, BYTES_LITERAL("b")));
    cr_assert(entry_op_next(&reader, &op) && op.kind == ENTRY_META && op.value.data == NULL);
    cr_assert(!entry_op_next(&reader, &op) && reader.rest.size == 0);
}

// A cut entry is never taken for a whole one, except where it ends between two operations.
Test(entry, every_cut_is_found)
{
    struct bytes payload = build();
    int whole = 0;
    for (size_t size = 0; size < payload.size; size++) {
        uint8_t *copy = malloc(size + 1); // Exact size, so that reading past the end is seen.
        memcpy(copy, payload.data, size);
        struct entry_reader reader;
        if (!failed(entry_open(bytes_of(copy, size), &reader))) whole++;
        free(copy);
    }
    cr_assert_eq(whole, 5, "the header alone, and after each of the first four operations");
}

// No bytes make the decoder read out of bounds.
Test(entry, survives_damage)
{
    struct bytes payload = build();
    uint64_t seed = 7;
    for (int round = 0; round < 50000; round++) {
        uint8_t *copy = malloc(payload.size);
        memcpy(copy, payload.data, payload.size);
        for (int i = 0; i < 3; i++) {
            seed = seed * 6364136223846793005u + 1442695040888963407u;
            copy[(seed >> 33) % payload.size] = (uint8_t)(seed >> 56);
        }
        struct entry_reader reader;
        struct status st = entry_open(bytes_of(copy, payload.size), &reader);
        cr_assert(!failed(st) || st.code == E_DATA_CORRUPTED);
        free(copy);
    }
}
