// SPDX-License-Identifier: GPL-3.0-or-later
//
// Both stores give the same answers: the same random operations on each, everything compared.
#include <criterion/criterion.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include "kv/mvcc.h"
#include "kv/store.h"

static struct arena arena;
static uint64_t seed;
static char home[64];
static struct store *stores[2];

static uint64_t next_random(void)
{
    seed += 0x9e3779b97f4a7c15u;
    uint64_t x = seed;
    x = (x ^ x >> 30) * 0xbf58476d1ce4e5b9u;
    x = (x ^ x >> 27) * 0x94d049bb133111ebu;
    return x ^ x >> 31;
}
static uint64_t below(uint64_t bound)
{
    return next_random() % bound;
}
#define OK(expr)                                                                                   \
    do {                                                                                           \
        struct status ok_st = (expr);                                                              \
        cr_assert(!failed(ok_st), "%s: %s", #expr, ok_st.message);                                 \
    } while (0)

static void make_home(void)
{
    snprintf(home, sizeof home, "/tmp/isopod_store_XXXXXX");
    cr_assert(mkdtemp(home) != NULL);
}
static void remove_home(void)
{
    char command[128];
    snprintf(command, sizeof command, "rm -rf %s", home);
    cr_assert_eq(system(command), 0);
}
static void setup(void)
{
    arena_init(&arena, NULL);
    seed = 1;
    make_home();
    OK(store_model_open(NULL, &(struct store_options){0}, &stores[0]));
    OK(store_wt_open(
        NULL, &(struct store_options){.home = home, .cache_bytes = 16 << 20}, &stores[1]));
}
static void teardown(void)
{
    for (int i = 0; i < 2; i++) {
        if (stores[i] != NULL) OK(store_close(NULL, stores[i]));
    }
    remove_home();
    arena_fini(&arena);
}
TestSuite(store, .init = setup, .fini = teardown);

static struct bytes random_key(void)
{
    static const uint8_t alphabet[] = {0x00, 0x01, 'a', 'b', 0xff};
    size_t size = 1 + below(4);
    uint8_t *data = arena_alloc(&arena, size);
    for (size_t i = 0; i < size; i++)
        data[i] = alphabet[below(sizeof alphabet)];
    return bytes_of(data, size);
}
static struct bytes random_value(void)
{
    size_t size = below(40) == 0 ? below(100000) : below(50);
    uint8_t *data = arena_alloc(&arena, size);
    memset(data, (int)below(256), size);
    return bytes_of(data, size);
}

static void compare_tables(void)
{
    for (enum store_table table = 0; table < STORE_TABLE_COUNT; table++) {
        for (enum store_direction direction = STORE_FORWARD; direction <= STORE_BACKWARD;
             direction++) {
            struct store_cursor *a, *b;
            bool found_a, found_b;
            struct bytes from = direction == STORE_FORWARD ? BYTES_LITERAL("")
                                                           : BYTES_LITERAL("\xff\xff\xff\xff\xff");
            OK(store_cursor_open(stores[0], table, &a));
            OK(store_cursor_open(stores[1], table, &b));
            OK(store_seek(a, direction, from, &found_a));
            OK(store_seek(b, direction, from, &found_b));
            while (found_a && found_b) {
                cr_assert(bytes_equal(a->key, b->key) && bytes_equal(a->value, b->value));
                OK(store_step(a, direction, &found_a));
                OK(store_step(b, direction, &found_b));
            }
            cr_assert_eq(found_a, found_b);
            store_cursor_close(a);
            store_cursor_close(b);
        }
    }
}

static void compare_points(void)
{
    for (int i = 0; i < 20; i++) {
        struct bytes key = random_key(), values[2];
        enum store_table table = below(2);
        enum store_direction direction = below(2);
        bool found[2];
        for (int s = 0; s < 2; s++)
            OK(store_get(stores[s], table, key, &values[s], &found[s]));
        cr_assert_eq(found[0], found[1]);
        if (found[0]) cr_assert(bytes_equal(values[0], values[1]));
        struct store_cursor *cursors[2];
        for (int s = 0; s < 2; s++) {
            store_release(stores[s]);
            OK(store_cursor_open(stores[s], table, &cursors[s]));
            OK(store_seek(cursors[s], direction, key, &found[s]));
        }
        cr_assert_eq(found[0], found[1]);
        if (found[0]) cr_assert(bytes_equal(cursors[0]->key, cursors[1]->key));
        for (int s = 0; s < 2; s++)
            store_cursor_close(cursors[s]);
    }
}

// Puts, removes, clears, get-then-put, commits and rollbacks, in any order: equal content after each.
Test(store, model_and_wiredtiger_agree)
{
    for (int round = 0; round < 300; round++) {
        for (int s = 0; s < 2; s++)
            OK(store_begin(stores[s]));
        for (uint64_t op = below(30); op > 0; op--) {
            enum store_table table = below(2);
            struct bytes key = random_key(), value = random_value(), other = random_key(), got;
            uint64_t kind = below(20);
            bool found;
            for (int s = 0; s < 2; s++) {
                if (kind < 10) {
                    OK(store_put(stores[s], table, key, value));
                } else if (kind < 14) {
                    OK(store_remove(stores[s], table, key));
                } else if (kind < 19) {
                    OK(store_get(stores[s], table, key, &got, &found));
                    OK(store_put(stores[s], table, kind < 17 ? key : other, value));
                    store_release(stores[s]);
                } else if (bytes_compare(key, other) < 0) {
                    OK(store_clear(stores[s], table, (struct span){key, other}));
                }
            }
        }
        bool commit = below(4) != 0;
        if (below(2)) compare_points();
        for (int s = 0; s < 2; s++) {
            if (commit)
                OK(store_commit(stores[s]));
            else
                store_rollback(stores[s]);
        }
        compare_points();
        if (round % 10 == 0) compare_tables();
        if (round % 50 == 0) OK(store_checkpoint(NULL, stores[1]));
        arena_reset(&arena);
    }
    compare_tables();
}

// Random versions put, reverted and collected in both stores; reads at any time agree with a plain list.
struct plain {
    uint32_t key;
    uint64_t ts;
    bool tombstone;
    uint32_t value;
};
#define PLAIN_MAX 4000
static struct plain plain[PLAIN_MAX];
static uint32_t plain_count;

static struct bytes plain_key(uint32_t key, uint8_t *out)
{
    // Some keys are prefixes of others, and have zeroes in them: the hard case for keys of older versions.
    memset(out, 0, 8);
    out[0] = (uint8_t)('a' + key % 3);
    return bytes_of(out, 1 + key / 3);
}
static const struct plain *plain_read(uint32_t key, uint64_t ts)
{
    const struct plain *best = NULL;
    for (uint32_t i = 0; i < plain_count; i++) {
        if (plain[i].key == key && plain[i].ts <= ts && (best == NULL || plain[i].ts > best->ts))
            best = &plain[i];
    }
    return best;
}

static void counted_get(struct bytes key)
{
    struct bytes values[2];
    bool found[2];
    for (int s = 0; s < 2; s++)
        OK(store_get(stores[s], STORE_CURRENT, key, &values[s], &found[s]));
    cr_assert_eq(found[0], found[1]);
    if (found[0]) cr_assert(bytes_equal(values[0], values[1]));
    for (int s = 0; s < 2; s++) store_release(stores[s]);
}

// What was found missing is found when it has been put, and when its removal is taken back.
Test(store, missing_keys_next_to_each_other)
{
    for (int round = 0; round < 200; round++) {
        uint8_t data[2] = {(uint8_t)below(4), 0};
        const bool ascending = below(4) != 0, ends = below(3) != 0;
        for (int s = 0; s < 2; s++) OK(store_begin(stores[s]));
        for (uint64_t i = 0, count = below(60); i < count; i++) {
            data[1] = (uint8_t)(ascending ? i * 4 + below(4) : below(256));
            struct bytes key = bytes_of(data, 2);
            counted_get(key);
            uint64_t kind = below(8);
            for (int s = 0; s < 2; s++) {
                if (kind < 4) OK(store_put(stores[s], STORE_CURRENT, key, key));
                if (kind == 4) OK(store_remove(stores[s], STORE_CURRENT, key));
            }
            data[1] = (uint8_t)below(256);
            if (kind % 2 == 0) counted_get(key);
        }
        for (int s = 0; s < 2; s++) {
            if (ends) OK(store_commit(stores[s]));
            else store_rollback(stores[s]);
        }
        for (int i = 0; i < 256; i++) {
            data[1] = (uint8_t)i;
            counted_get(bytes_of(data, 2));
        }
    }
    compare_tables();
    // Removed, looked for in vain, and there again.
    for (int again = 0; again < 2; again++) {
        for (int s = 0; s < 2; s++) OK(store_begin(stores[s]));
        for (uint8_t i = 0; i < 40; i++) {
            uint8_t data[2] = {9, (uint8_t)(40 - i)};
            for (int s = 0; s < 2 && again == 0; s++)
                OK(store_put(stores[s], STORE_CURRENT, bytes_of(data, 2), bytes_of(data, 2)));
            for (int s = 0; s < 2 && again == 1; s++)
                OK(store_remove(stores[s], STORE_CURRENT, bytes_of(data, 2)));
            counted_get(bytes_of(data, 2));
        }
        for (int s = 0; s < 2 && again == 0; s++) OK(store_commit(stores[s]));
    }
    for (int s = 0; s < 2; s++) store_rollback(stores[s]);
    for (uint8_t i = 0; i < 40; i++) {
        uint8_t data[2] = {9, (uint8_t)(40 - i)};
        counted_get(bytes_of(data, 2));
    }
}

// Of one version always the same: long in a third of them, where what is long is little.
#define LONG_VALUE 20u
static struct bytes plain_value(const struct plain *version, uint8_t out[64])
{
    const size_t size = version->value % 3 == 0 ? 4 + version->value / 3 % 60 : 4;
    memset(out, (int)(version->value & 255u), size);
    memcpy(out, &version->value, 4);
    for (uint8_t i = 4; i < size; i++) out[i] ^= i;
    return bytes_of(out, size);
}

// Pieces are those of the versions that there are, no more and no less.
static void pieces_have_records(struct store *store)
{
    uint64_t wanted = 0, there = 0;
    for (enum store_table table = 0; table < STORE_TABLE_COUNT; table++) {
        struct store_cursor *cursor;
        bool found;
        OK(store_cursor_open(store, table, &cursor));
        OK(store_seek(cursor, STORE_FORWARD, BYTES_LITERAL(""), &found));
        while (found) {
            struct mvcc_version version = {0};
            if (table == STORE_CURRENT) OK(mvcc_current_decode(cursor->value, &version));
            if (table == STORE_HISTORY) OK(mvcc_history_decode(cursor->value, &version));
            if (version.pieces) wanted += mvcc_piece_count(version.value.size);
            there += table == STORE_PIECES;
            OK(store_step(cursor, STORE_FORWARD, &found));
        }
        store_cursor_close(cursor);
    }
    cr_assert_eq(there, wanted);
}

static void versions_are_what_a_plain_list_says(void)
{
    struct mvcc mvcc[2];
    enum { KEYS = 18, TIMES = 60 };
    uint64_t collected = 0;
    for (int s = 0; s < 2; s++)
        mvcc_init(&mvcc[s], stores[s]);
    for (int round = 0; round < 600; round++) {
        uint8_t buffer[8], content[64];
        uint32_t key = (uint32_t)below(KEYS);
        struct bytes name = plain_key(key, buffer);
        struct plain version = {.key = key, .ts = 1 + collected + below(TIMES)};
        version.value = (uint32_t)(version.ts * 2654435761u) ^ (key * 40503u);
        version.tombstone = version.value % 4 == 0;
        uint64_t kind = below(30), removed;
        for (int s = 0; s < 2; s++) {
            OK(store_begin(stores[s]));
            if (kind < 28)
                OK(mvcc_put(&mvcc[s], name, (struct hlc_timestamp){version.ts, 3},
                    plain_value(&version, content), version.tombstone, true));
            else if (kind == 28)
                OK(mvcc_revert_key(
                    &mvcc[s], name, (struct hlc_timestamp){version.ts, 3}, &removed));
            else
                for (uint32_t k = 0; k < KEYS; k++)
                    OK(mvcc_collect_key(&mvcc[s], plain_key(k, buffer),
                        (struct hlc_timestamp){collected + 5, 3}, &removed));
            OK(store_commit(stores[s]));
        }
        if (kind < 28) {
            bool again = false;
            for (uint32_t i = 0; i < plain_count; i++) {
                if (plain[i].key != key || plain[i].ts != version.ts) continue;
                again = true;
                plain[i] = version;
            }
            if (!again) plain[plain_count++] = version;
        } else if (kind == 28) {
            uint32_t kept = 0;
            for (uint32_t i = 0; i < plain_count; i++) {
                if (plain[i].key != key || plain[i].ts <= version.ts) plain[kept++] = plain[i];
            }
            plain_count = kept;
        } else {
            collected += 5;
        }
        for (int check = 0; check < 30; check++) {
            uint32_t k = (uint32_t)below(KEYS);
            uint64_t at = collected + below(TIMES + 3);
            const struct plain *want = plain_read(k, at);
            for (int s = 0; s < 2; s++) {
                struct mvcc_version got;
                bool found;
                OK(mvcc_get(&mvcc[s], plain_key(k, buffer), (struct hlc_timestamp){at, 3}, &arena,
                    &got, &found));
                bool visible = found && !got.tombstone;
                cr_assert_eq(visible, want != NULL && !want->tombstone, "round %d key %u at %lu",
                    round, k, (unsigned long)at);
                if (!visible) continue;
                cr_assert_eq(got.pieces, mvcc_piece_count(plain_value(want, content).size) > 0);
                OK(mvcc_fetch(&mvcc[s], plain_key(k, buffer), &arena, &got));
                cr_assert(bytes_equal(got.value, plain_value(want, content)) && got.ts.wall_ns == want->ts);
            }
        }
        // A scan sees each key once, in order, as the point reads do.
        uint64_t at = collected + below(TIMES);
        uint32_t visible = 0, seen = 0;
        for (uint32_t k = 0; k < KEYS; k++) {
            const struct plain *want = plain_read(k, at);
            visible += want != NULL && !want->tombstone;
        }
        struct mvcc_cursor cursor;
        bool found, there;
        OK(mvcc_cursor_open(&mvcc[1], &cursor));
        OK(mvcc_cursor_seek(&cursor, STORE_FORWARD, BYTES_LITERAL(""), &found));
        while (found) {
            struct mvcc_version got;
            OK(mvcc_cursor_at(&cursor, (struct hlc_timestamp){at, 3}, &got, &there));
            seen += there && !got.tombstone;
            OK(mvcc_cursor_step(&cursor, STORE_FORWARD, &found));
        }
        mvcc_cursor_close(&cursor);
        cr_assert_eq(seen, visible);
        arena_reset(&arena);
        pieces_have_records(stores[1]);
    }
    compare_tables();
    for (int s = 0; s < 2; s++) {
        OK(store_begin(stores[s]));
        OK(mvcc_clear(&mvcc[s], (struct span){BYTES_LITERAL("a"), BYTES_LITERAL("c")}));
        OK(store_commit(stores[s]));
    }
    compare_tables();
    pieces_have_records(stores[0]);
    for (int s = 0; s < 2; s++)
        mvcc_fini(&mvcc[s]);
}

Test(store, versions_are_what_a_plain_list_says)
{
    versions_are_what_a_plain_list_says();
}

Test(store, versions_in_pieces_are_what_a_plain_list_says)
{
    mvcc_pieces_set(LONG_VALUE, 7);
    versions_are_what_a_plain_list_says();
    mvcc_pieces_set(0, 0);
}

// Whoever pauses between two pieces gets all of the version or is told that it is gone, never a part of another one; and
// what a store of before has in one record is read as it is, and moved on.
Test(store, a_value_is_fetched_whole_or_not_at_all)
{
    struct mvcc mvcc;
    const struct bytes key = BYTES_LITERAL("key"), text = BYTES_LITERAL("a value of several pieces, none like another");
    mvcc_pieces_set(text.size, 7);
    mvcc_init(&mvcc, stores[1]);
    for (uint64_t ts = 1; ts <= 4; ts++) {
        OK(store_begin(stores[1]));
        OK(mvcc_put(&mvcc, key, (struct hlc_timestamp){ts, 0}, text, false, false));
        OK(store_commit(stores[1]));
        mvcc_pieces_set(LONG_VALUE, 7); // The first one is of before.
    }
    for (uint64_t ts = 1; ts <= 4; ts++) {
        struct mvcc_version version;
        struct mvcc_fetch fetch;
        bool found, lost = false;
        OK(mvcc_get(&mvcc, key, (struct hlc_timestamp){ts, 0}, &arena, &version, &found));
        cr_assert(found && version.pieces == (ts > 1) && version.value.size == text.size);
        if (!version.pieces) {
            cr_assert(bytes_equal(version.value, text));
            continue;
        }
        OK(mvcc_fetch_begin(&arena, key, &version, &fetch));
        while (fetch.fetched < fetch.size && !lost) {
            OK(mvcc_fetch_next(&mvcc, &fetch, &lost));
            if (lost || fetch.next != 3 || ts == 4) continue;
            uint64_t removed = 0;
            OK(store_begin(stores[1]));
            if (ts == 2) OK(mvcc_collect_key(&mvcc, key, (struct hlc_timestamp){3, 0}, &removed));
            else OK(mvcc_put(&mvcc, key, (struct hlc_timestamp){3, 0}, text, false, false)); // The log is replayed.
            OK(store_commit(stores[1]));
            if (ts == 2) cr_assert_eq(removed, 2);
        }
        cr_assert_eq(lost, ts == 2);
        if (!lost) cr_assert(bytes_equal(bytes_of(fetch.data, fetch.size), text));
    }
    // Pieces that are not all there are damage, not a version that is gone.
    OK(store_begin(stores[1]));
    OK(store_clear(stores[1], STORE_PIECES, (struct span){BYTES_LITERAL("a"), BYTES_LITERAL("z")}));
    OK(store_commit(stores[1]));
    struct mvcc_version version;
    bool found;
    OK(mvcc_get(&mvcc, key, HLC_MAX, &arena, &version, &found));
    cr_assert(status_is(mvcc_fetch(&mvcc, key, &arena, &version), E_DATA_CORRUPTED));
    mvcc_fini(&mvcc);
    mvcc_pieces_set(0, 0);
}

// What a checkpoint holds survives a process that dies without closing; nothing of a later transaction does
// by halves.
// After many new keys the next one is put without looking: rewritten, deleted and made again it is the same as ever, and
// found missing before it is there.
Test(store, new_keys_are_put_without_looking)
{
    struct mvcc mvcc[2];
    for (int s = 0; s < 2; s++) mvcc_init(&mvcc[s], stores[s]);
    for (uint64_t round = 1; round <= 4; round++) {
        for (int s = 0; s < 2; s++) OK(store_begin(stores[s]));
        for (uint8_t i = 0; i < 200; i++) {
            uint8_t data[2] = {(uint8_t)(i % 2), i};
            struct bytes key = bytes_of(data, 2);
            bool again = round > 1 && i >= 50, gone = round == 2 && i % 3 == 0;
            if (round > 1 && !again && i % 5 != 0) continue;
            if (round == 1) counted_get(key);
            for (int s = 0; s < 2; s++)
                OK(mvcc_put(&mvcc[s], key, (struct hlc_timestamp){round * 10, 0}, bytes_of(data, 1 + round % 2), gone,
                    false));
            if (round % 2 == 1) counted_get(key);
        }
        for (int s = 0; s < 2; s++) {
            if (round == 3)
                store_rollback(stores[s]);
            else
                OK(store_commit(stores[s]));
        }
        compare_tables();
        for (uint8_t i = 0; i < 200; i++) {
            uint8_t data[2] = {(uint8_t)(i % 2), i};
            struct mvcc_version version;
            bool found;
            counted_get(bytes_of(data, 2));
            OK(mvcc_get(&mvcc[1], bytes_of(data, 2), (struct hlc_timestamp){15, 0}, &arena, &version, &found));
            cr_assert(found && version.ts.wall_ns == 10, "its first version stays");
        }
    }
    for (int s = 0; s < 2; s++) mvcc_fini(&mvcc[s]);
}

Test(store, a_dead_process_leaves_its_last_checkpoint)
{
    OK(store_close(NULL, stores[1]));
    stores[1] = NULL;
    remove_home();
    pid_t child = fork();
    if (child == 0) {
        struct store *store;
        struct status st = store_wt_open(NULL, &(struct store_options){.home = home}, &store);
        for (uint32_t i = 0; i < 2000 && !failed(st); i++) {
            st = store_begin(store);
            if (!failed(st))
                st = store_put(store, STORE_CURRENT, bytes_of(&i, 4), BYTES_LITERAL("value"));
            if (!failed(st))
                st = store_put(store, STORE_META, BYTES_LITERAL("applied"), bytes_of(&i, 4));
            if (!failed(st)) st = store_commit(store);
            if (!failed(st) && i == 1200) st = store_checkpoint(NULL, store);
        }
        _exit(failed(st));
    }
    int ended;
    cr_assert_eq(waitpid(child, &ended, 0), child);
    cr_assert_eq(ended, 0);
    OK(store_wt_open(NULL, &(struct store_options){.home = home}, &stores[1]));
    struct bytes value;
    bool found;
    uint32_t applied;
    OK(store_get(stores[1], STORE_META, BYTES_LITERAL("applied"), &value, &found));
    cr_assert(found && value.size == 4);
    memcpy(&applied, value.data, 4);
    cr_assert_eq(applied, 1200);
    store_release(stores[1]);
    for (uint32_t i = 0; i < 2000; i++) {
        OK(store_get(stores[1], STORE_CURRENT, bytes_of(&i, 4), &value, &found));
        cr_assert_eq(found, i <= applied);
        store_release(stores[1]);
    }
}

// A value as large as may be is taken, and comes back.
Test(store, large_values)
{
    size_t size = 64u << 20;
    uint8_t *large = malloc(size);
    memset(large, 7, size);
    OK(store_begin(stores[1]));
    OK(store_put(stores[1], STORE_CURRENT, BYTES_LITERAL("large"), bytes_of(large, size)));
    OK(store_commit(stores[1]));
    OK(store_checkpoint(NULL, stores[1]));
    struct bytes value;
    bool found;
    OK(store_get(stores[1], STORE_CURRENT, BYTES_LITERAL("large"), &value, &found));
    cr_assert(found && bytes_equal(value, bytes_of(large, size)));
    store_release(stores[1]);
    OK(store_begin(stores[1]));
    OK(store_remove(stores[1], STORE_CURRENT, BYTES_LITERAL("large")));
    OK(store_commit(stores[1]));
    free(large);
}

// Its threads look for work, in vain, only while it is used.
Test(store, nobody_is_awake_in_a_store_at_rest)
{
    struct store_figures figures;
    do {
        sched_yield();
        store_figures(stores[1], &figures);
    } while (figures.resting < 2);
}
