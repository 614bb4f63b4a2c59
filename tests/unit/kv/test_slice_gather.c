// SPDX-License-Identifier: GPL-3.0-or-later
//
// Writes applied in the order of their keys leave what the log's order leaves: versions, tombstones, history.
#include "tests/unit/harness.h"

#include <stdlib.h>

#include "kv/key.h"
#include "kv/slice_internal.h"

#define ENTRIES 300u
#define KEYS 40u // Few: each has many versions.

static uint64_t seed;

static void test_must(struct status st)
{
    cr_assert(!failed(st), "%s", st.message);
}

static uint32_t draw(uint32_t bound)
{
    seed = seed * 6364136223846793005u + 1442695040888963407u;
    return (uint32_t)(seed >> 33) % bound;
}

// Keys of different lengths, one the beginning of another, with and without a common beginning.
static struct bytes random_key(struct arena *arena, bool prefix)
{
    struct buffer key;
    uint32_t number = draw(KEYS);
    buffer_init(&key, arena);
    if (prefix) key_append_tenant_prefix(&key, 12);
    for (uint32_t i = 0; i <= number % 12; i++)
        buffer_append_u8(&key, (uint8_t)(i == number % 12 ? number : 7));
    return buffer_bytes(&key);
}

static struct slice_entry *entries_make(struct arena *arena, bool prefix)
{
    struct slice_entry *entries = ARENA_ARRAY(arena, struct slice_entry, ENTRIES);
    for (uint32_t i = 0; i < ENTRIES; i++) {
        struct entry_builder builder;
        uint32_t items = draw(4);
        entry_begin(&builder, arena);
        entry_op_append(&builder,
            &(struct entry_op){.kind = ENTRY_WRITES, .tenant = 12, .ts = {1000 + i, i % 3}});
        for (uint32_t k = 0; k < items; k++) {
            bool tombstone = draw(3) == 0;
            uint8_t *value = arena_alloc(arena, 8);
            memset(value, (int)draw(256), 8);
            struct entry_item item = {.key = random_key(arena, prefix),
                .value = tombstone ? bytes_of(NULL, 0) : bytes_of(value, 8),
                .tombstone = tombstone};
            entry_item_append(&builder, &item);
        }
        entries[i] = (struct slice_entry){.plain = true,
            .payload = i % 50 == 7 ? bytes_of(NULL, 0) : entry_end(&builder),
            .next = i + 1 < ENTRIES ? &entries[i + 1] : NULL};
        if (entries[i].payload.data == NULL) continue;
        cr_assert(slice_entry_plain(entries[i].payload));
        entries[i].item_count = items;
    }
    return entries;
}

static bool same_tables(struct store *left, struct store *right, enum store_table table)
{
    struct store_cursor *a, *b;
    bool found_a, found_b, same = true;
    test_must(store_cursor_open(left, table, &a));
    test_must(store_cursor_open(right, table, &b));
    test_must(store_seek(a, STORE_FORWARD, bytes_of("", 0), &found_a));
    test_must(store_seek(b, STORE_FORWARD, bytes_of("", 0), &found_b));
    while (same && found_a && found_b) {
        same = bytes_equal(a->key, b->key) && bytes_equal(a->value, b->value);
        test_must(store_step(a, STORE_FORWARD, &found_a));
        test_must(store_step(b, STORE_FORWARD, &found_b));
    }
    same = same && found_a == found_b;
    store_cursor_close(a);
    store_cursor_close(b);
    return same;
}

// Of every key, at every time. (Replaying may leave deletions of what was not there.)
static bool same_reads(struct slice *left, struct slice *right)
{
    struct store_cursor *cursor;
    struct arena arena;
    bool more, same = true;
    arena_init(&arena, NULL);
    test_must(store_cursor_open(left->store, STORE_CURRENT, &cursor));
    test_must(store_seek(cursor, STORE_FORWARD, bytes_of("", 0), &more));
    while (more && same) {
        struct bytes key = arena_copy(&arena, cursor->key);
        for (uint32_t i = 0; i < ENTRIES && same; i++) {
            struct mvcc_version a = {0}, b = {0};
            bool found_a, found_b;
            const struct hlc_timestamp ts = {1000 + i, 5};
            test_must(mvcc_get(&left->mvcc, key, ts, &arena, &a, &found_a));
            test_must(mvcc_get(&right->mvcc, key, ts, &arena, &b, &found_b));
            bool is_a = found_a && !a.tombstone, is_b = found_b && !b.tombstone;
            same = is_a == is_b && (!is_a || bytes_equal(a.value, b.value));
        }
        test_must(store_step(cursor, STORE_FORWARD, &more));
    }
    store_cursor_close(cursor);
    arena_fini(&arena);
    return same;
}

static struct slice *slice_make(void)
{
    struct slice *slice = calloc(1, sizeof *slice);
    test_must(store_model_open(NULL, &(struct store_options){0}, &slice->store));
    mvcc_init(&slice->mvcc, slice->store);
    return slice;
}

static void slice_free(struct slice *slice)
{
    mvcc_fini(&slice->mvcc);
    test_must(store_close(NULL, slice->store));
    free(slice);
}

static void apply_in_order(struct slice_apply *apply, const struct slice_entry *entries)
{
    for (uint32_t i = 0; i < ENTRIES; i++) {
        if (entries[i].payload.data == NULL) continue;
        test_must(slice_apply_entry(apply, entries[i].payload));
    }
}

static void one_round(uint64_t number)
{
    struct arena arena;
    seed = number;
    arena_init(&arena, NULL);
    struct slice *plain = slice_make(), *gathered = slice_make();
    struct slice_entry *entries = entries_make(&arena, number % 2 == 0);
    struct slice_apply apply = {.slice = plain};
    test_must(store_begin(plain->store));
    apply_in_order(&apply, entries);
    test_must(store_commit(plain->store));

    apply.slice = gathered;
    test_must(store_begin(gathered->store));
    bool gather;
    uint32_t run = slice_gather_run(entries, ENTRIES, &gather);
    cr_assert(gather && run == ENTRIES);
    test_must(slice_gather_apply(&apply, entries, run));
    test_must(store_commit(gathered->store));
    cr_assert(same_tables(plain->store, gathered->store, STORE_CURRENT), "round %lu", number);
    cr_assert(same_tables(plain->store, gathered->store, STORE_HISTORY), "round %lu", number);

    // Replayed from the first entry on, in the log's order, it stays what it is.
    test_must(store_begin(gathered->store));
    apply_in_order(&apply, entries);
    test_must(store_commit(gathered->store));
    cr_assert(same_tables(plain->store, gathered->store, STORE_CURRENT), "round %lu", number);
    cr_assert(same_reads(plain, gathered), "round %lu", number);
    slice_free(plain);
    slice_free(gathered);
    arena_fini(&arena);
}

Test(slice_gather, order_of_keys_leaves_what_the_order_of_the_log_leaves)
{
    for (uint64_t number = 1; number <= 20; number++) one_round(number);
}

Test(slice_gather, a_run_ends_before_what_is_more_than_writes)
{
    struct arena arena;
    bool gather;
    seed = 5;
    arena_init(&arena, NULL);
    struct slice_entry *entries = entries_make(&arena, true);
    entries[100].plain = false;
    cr_assert_eq(slice_gather_run(entries, ENTRIES, &gather), 100);
    cr_assert(gather);
    cr_assert_eq(slice_gather_run(entries, 40, &gather), 40);
    cr_assert_eq(slice_gather_run(&entries[100], 200, &gather), 1);
    cr_assert(!gather);
    struct entry_builder builder;
    entry_begin(&builder, &arena);
    entry_op_append(&builder, &(struct entry_op){.kind = ENTRY_RESOLVE, .txn = 7, .commit = true});
    cr_assert(!slice_entry_plain(entry_end(&builder)));
    arena_fini(&arena);
}
