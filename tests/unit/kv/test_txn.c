// SPDX-License-Identifier: GPL-3.0-or-later
//
// Transactions one at a time or interleaved by hand: snapshots, own writes, conflicts, savepoints,
// the past.
#include "kv/txn.h"
#include "tests/unit/kv/kv_harness.h"

KV_TEST(txn, reads_what_was_committed)
{
    struct status st = STATUS_OK;
    struct kv_txn *txn;
    struct bytes value;
    TRY(put_now(task, "a", "1"));
    TRY(put_now(task, "b", ""));
    TRY(begin(task, &txn));
    TRY(get(task, txn, "a", &value));
    CHECK(is_text(value, "1"));
    TRY(get(task, txn, "b", &value));
    CHECK(is_text(value, "")); // An empty value is a value.
    TRY(get(task, txn, "c", &value));
    CHECK(is_text(value, NULL));
    TRY(commit(task, txn));
    TRY(read_now(task, "a", &value));
    CHECK(is_text(value, "1"));
    TRY(read_now(task, "c", &value));
    CHECK(is_text(value, NULL));
    TRY(put_now(task, "a", NULL));
    TRY(read_now(task, "a", &value));
    CHECK(is_text(value, NULL));
out:
    return st;
}

// What there is no room for is refused: it is not passed over, nor told as if it were not there.
KV_TEST(txn, refuses_a_value_that_the_reader_has_no_room_for)
{
    struct status st = STATUS_OK;
    const uint32_t size = 200u << 10;
    struct kv_txn *txn = NULL;
    struct memory_account account;
    struct arena arena;
    struct kv_batch batch;
    struct bytes value;
    char *text = arena_alloc(task->arena, size + 1);
    memset(text, 'x', size);
    text[size] = 0;
    memory_account_init(&account, NULL, "reader", 100u << 10);
    arena_init(&arena, &account);
    TRY(put_now(task, "a", "1"));
    TRY(put_now(task, "b", text));
    TRY(put_now(task, "c", "3"));
    TRY(begin(task, &txn));
    // What came from another shard, or as if from another node, is here already, beyond the limit by one value.
    const bool here = task->shard->node->shard_count == 1 && getenv("KV_TEST_WIRE") == NULL;
    st = kv_get(task, txn, NULL, key(task, "b"), &arena, &value);
    CHECK(status_is(st, E_OUT_OF_MEMORY) || (!here && !failed(st) && value.size == size));
    struct bytes keys[] = {key(task, "a"), key(task, "b"), key(task, "c")}, values[3];
    arena_reset(&arena);
    st = kv_get_many(task, txn, NULL, keys, 3, &arena, values, NULL);
    CHECK(status_is(st, E_OUT_OF_MEMORY) || (!here && !failed(st) && values[1].size == size));
    uint64_t count = 0;
    struct kv_scan scan;
    kv_scan_init(&scan, key_span(task, "a", "z"));
    arena_reset(&arena);
    do {
        st = kv_scan_next(task, txn, &scan, &arena, &batch);
        if (!failed(st)) count += batch.count;
    } while (!failed(st) && batch.count > 0);
    CHECK(status_is(st, E_OUT_OF_MEMORY) ? count < 2 : !here && !failed(st) && count == 3);
    st = STATUS_OK;
    TRY(read_now(task, "b", &value));
    CHECK(value.size == size);
out:
    if (txn != NULL) kv_txn_rollback(task, txn);
    arena_fini(&arena);
    memory_account_fini(&account);
    return st;
}

KV_TEST(txn, sees_its_snapshot_and_its_own_writes)
{
    struct status st = STATUS_OK;
    struct kv_txn *txn;
    struct bytes value;
    char *text;
    TRY(put_now(task, "a", "1"));
    TRY(put_now(task, "b", "2"));
    TRY(put_now(task, "c", "3"));
    TRY(begin(task, &txn));
    TRY(put_now(task, "a", "9"));
    TRY(put_now(task, "bb", "9"));
    TRY(get(task, txn, "a", &value));
    CHECK(is_text(value, "1"));
    TRY(put(task, txn, "aa", "own"));
    TRY(put(task, txn, "b", "mine"));
    TRY(erase(task, txn, "c"));
    TRY(put(task, txn, "z", "last"));
    TRY(get(task, txn, "c", &value));
    CHECK(is_text(value, NULL));
    TRY(get(task, txn, "aa", &value));
    CHECK(is_text(value, "own"));
    TRY(scan_all(task, txn, "a", "zz", false, &text));
    CHECK(strcmp(text, "a=1 aa=own b=mine z=last ") == 0);
    TRY(scan_all(task, txn, "a", "zz", true, &text));
    CHECK(strcmp(text, "z=last b=mine aa=own a=1 ") == 0);
    TRY(scan_all(task, txn, "aa", "b", true, &text));
    CHECK(strcmp(text, "aa=own ") == 0);
    kv_txn_rollback(task, txn);
    TRY(read_now(task, "b", &value));
    CHECK(is_text(value, "2"));
out:
    return st;
}

// Batches, limits and ranges are invisible in the result, with own writes laid over them.
KV_TEST(txn, scans_in_batches_over_ranges)
{
    struct status st = STATUS_OK;
    struct kv_txn *txn;
    struct kv_scan scan;
    struct kv_batch batch;
    TRY(kv_test_spread(task));
    TRY(begin(task, &txn));
    for (uint32_t i = 0; i < 300; i += 2) {
        TRY(kv_put(task, txn, key_number(task, i < 150 ? "b" : "t", i), BYTES_LITERAL("old")));
    }
    TRY(commit(task, txn));
    TRY(kv_split(task, key_number(task, "b", 40)));
    TRY(kv_split(task, key_number(task, "t", 200)));
    TRY(begin(task, &txn));
    // Every third: new, or written again, or (by nine) gone.
    for (uint32_t i = 0; i < 300; i += 3) {
        struct bytes at = key_number(task, i < 150 ? "b" : "t", i);
        if (i % 9 == 0) {
            TRY(kv_delete(task, txn, at));
        } else {
            TRY(kv_put(task, txn, at, BYTES_LITERAL("new")));
        }
    }
    for (uint32_t batch_rows = 1; batch_rows < 400; batch_rows *= 7) {
        for (int reverse = 0; reverse < 2; reverse++) {
            kv_scan_init(&scan, key_span(task, "a", "z"));
            scan.batch_rows = batch_rows;
            scan.reverse = reverse;
            uint32_t seen = 0;
            uint32_t at = reverse ? 299 : 0;
            do {
                TRY(kv_scan_next(task, txn, &scan, task->arena, &batch));
                CHECK(batch.count <= batch_rows);
                for (uint32_t i = 0; i < batch.count; i++, seen++) {
                    while (!((at % 2 == 0 || at % 3 == 0) && at % 9 != 0)) at += reverse ? -1 : 1;
                    CHECK(bytes_equal(
                        batch.pairs[i].key, key_number(task, at < 150 ? "b" : "t", at)));
                    CHECK(is_text(batch.pairs[i].value, at % 3 == 0 ? "new" : "old"));
                    at += reverse ? -1 : 1;
                }
            } while (batch.count > 0);
            CHECK(seen == 166);
        }
    }
    kv_scan_init(&scan, key_span(task, "a", "z"));
    scan.limit = 70;
    scan.batch_rows = 64;
    uint32_t limited = 0;
    do {
        TRY(kv_scan_next(task, txn, &scan, task->arena, &batch));
        CHECK(batch.count <= 64);
        limited += batch.count;
    } while (batch.count > 0);
    CHECK(limited == 70);
    kv_txn_rollback(task, txn);
out:
    return st;
}

KV_TEST(txn, refuses_write_skew)
{
    struct status st = STATUS_OK;
    struct kv_txn *one;
    struct kv_txn *two;
    struct bytes value;
    TRY(put_now(task, "x", "1"));
    TRY(put_now(task, "y", "1"));
    TRY(begin(task, &one));
    TRY(begin(task, &two));
    TRY(get(task, one, "x", &value));
    TRY(get(task, two, "y", &value));
    TRY(put(task, one, "y", "0"));
    TRY(put(task, two, "x", "0"));
    TRY(commit(task, one));
    CHECK_FAILS(commit(task, two), E_SERIALIZATION_FAILURE);
out:
    return st;
}

KV_TEST(txn, loses_no_update)
{
    struct status st = STATUS_OK;
    struct kv_txn *one;
    struct kv_txn *two;
    struct bytes value;
    TRY(put_now(task, "x", "1"));
    TRY(begin(task, &one));
    TRY(begin(task, &two));
    TRY(get(task, one, "x", &value));
    TRY(get(task, two, "x", &value));
    TRY(put(task, one, "x", "one"));
    TRY(put(task, two, "x", "two"));
    TRY(commit(task, two));
    CHECK_FAILS(commit(task, one), E_SERIALIZATION_FAILURE);
    TRY(read_now(task, "x", &value));
    CHECK(is_text(value, "two"));
out:
    return st;
}

KV_TEST(txn, refuses_phantoms)
{
    struct status st = STATUS_OK;
    struct kv_txn *txn;
    char *text;
    TRY(kv_test_spread(task));
    TRY(put_now(task, "b", "1"));
    TRY(begin(task, &txn));
    TRY(scan_all(task, txn, "a", "e", false, &text));
    TRY(put(task, txn, "q", "1"));
    TRY(put_now(task, "f", "outside of what was read"));
    TRY(commit(task, txn));
    TRY(begin(task, &txn));
    TRY(scan_all(task, txn, "a", "e", true, &text));
    TRY(put(task, txn, "q", "2"));
    TRY(put_now(task, "c", "a phantom"));
    CHECK_FAILS(commit(task, txn), E_SERIALIZATION_FAILURE);
    // Only the rows returned so far enter the read set, plus the gap before them.
    struct kv_scan scan;
    struct kv_batch batch;
    TRY(begin(task, &txn));
    kv_scan_init(&scan, key_span(task, "a", "e"));
    scan.batch_rows = 1;
    TRY(kv_scan_next(task, txn, &scan, task->arena, &batch));
    CHECK(batch.count == 1);
    TRY(put(task, txn, "q", "3"));
    TRY(put_now(task, "d", "behind the first row"));
    TRY(commit(task, txn));
out:
    return st;
}

KV_TEST(txn, reads_only_need_no_validation)
{
    struct status st = STATUS_OK;
    struct kv_txn *txn;
    struct bytes value;
    TRY(put_now(task, "x", "1"));
    TRY(begin(task, &txn));
    TRY(get(task, txn, "x", &value));
    TRY(put_now(task, "x", "2"));
    TRY(get(task, txn, "x", &value));
    CHECK(is_text(value, "1"));
    TRY(commit(task, txn));
out:
    return st;
}

KV_TEST(txn, depends_on_what_it_says)
{
    struct status st = STATUS_OK;
    struct kv_txn *txn;
    TRY(begin(task, &txn));
    kv_txn_depend(txn, key(task, "descriptor"));
    TRY(put(task, txn, "row", "1"));
    TRY(put_now(task, "descriptor", "changed"));
    CHECK_FAILS(commit(task, txn), E_SERIALIZATION_FAILURE);
out:
    return st;
}

KV_TEST(txn, reads_the_past)
{
    struct status st = STATUS_OK;
    struct kv_txn *txn;
    struct bytes value;
    struct hlc_timestamp between;
    char *text;
    TRY(put_now(task, "a", "1"));
    TRY(put_now(task, "b", "1"));
    TRY(kv_now(task, TENANT, &between));
    TRY(put_now(task, "a", "2"));
    TRY(put_now(task, "b", NULL));
    TRY(put_now(task, "c", "2"));
    TRY(begin_at(task, between, &txn));
    TRY(get(task, txn, "a", &value));
    CHECK(is_text(value, "1"));
    TRY(scan_all(task, txn, "a", "z", false, &text));
    CHECK(strcmp(text, "a=1 b=1 ") == 0);
    CHECK_FAILS(put(task, txn, "a", "3"), E_READ_ONLY_TRANSACTION);
    CHECK_FAILS(get_locked(task, txn, "a", &value), E_READ_ONLY_TRANSACTION);
    TRY(commit(task, txn));
    between.wall_ns += 3600 * 1000 * MS;
    CHECK_FAILS(begin_at(task, between, &txn), E_INVALID_PARAMETER_VALUE);
out:
    return st;
}

KV_TEST(txn, rolls_back_to_savepoints)
{
    struct status st = STATUS_OK;
    struct kv_txn *txn;
    struct bytes value;
    char *text;
    TRY(put_now(task, "a", "0"));
    TRY(begin(task, &txn));
    TRY(put(task, txn, "a", "1"));
    uint64_t first = kv_txn_savepoint(txn);
    TRY(put(task, txn, "a", "2"));
    TRY(put(task, txn, "b", "2"));
    uint64_t second = kv_txn_savepoint(txn);
    TRY(erase(task, txn, "a"));
    kv_txn_rollback_to(txn, second);
    TRY(get(task, txn, "a", &value));
    CHECK(is_text(value, "2"));
    kv_txn_rollback_to(txn, first);
    TRY(scan_all(task, txn, "a", "z", false, &text));
    CHECK(strcmp(text, "a=1 ") == 0);
    TRY(put(task, txn, "c", "3"));
    TRY(commit(task, txn));
    TRY(begin(task, &txn));
    TRY(scan_all(task, txn, "a", "z", false, &text));
    CHECK(strcmp(text, "a=1 c=3 ") == 0);
    kv_txn_rollback(task, txn);
out:
    return st;
}

// A read as of a mark sees the transaction as it was then, whatever was put, deleted or rolled back since, in the
// buffer or staged.
static struct status check_mark(struct task *task, uint64_t staged_after)
{
    struct status st = STATUS_OK;
    struct kv_txn *txn;
    struct kv_scan scan;
    struct bytes value;
    char *text;
    TRY(begin(task, &txn));
    TRY(put(task, txn, "b", "1"));
    TRY(put(task, txn, "c", "1"));
    if (staged_after == 1) txn->buffer_bytes_max = 1;
    uint64_t saved = kv_txn_savepoint(txn);
    TRY(put(task, txn, "d", "1"));
    kv_txn_rollback_to(txn, saved);
    TRY(put(task, txn, "e", "1"));
    const uint64_t mark = kv_txn_mark(txn);
    if (staged_after == 2) txn->buffer_bytes_max = 1;
    TRY(put(task, txn, "a", "2"));
    TRY(put(task, txn, "b", "2"));
    TRY(erase(task, txn, "c"));
    TRY(put(task, txn, "c", "3"));
    TRY(put(task, txn, "f", "2"));
    TRY(erase(task, txn, "e"));
    const struct kv_read read = {.mark = mark};
    TRY(kv_get(task, txn, &read, key(task, "c"), task->arena, &value));
    CHECK(is_text(value, "1"));
    TRY(kv_get(task, txn, &read, key(task, "f"), task->arena, &value));
    CHECK(is_text(value, NULL));
    for (uint32_t reverse = 0; reverse < 2; reverse++) {
        kv_scan_init(&scan, key_span(task, "a", "z"));
        scan.read = read;
        scan.reverse = reverse != 0;
        TRY(scan_text(task, txn, &scan, &text));
        CHECK(strcmp(text, reverse ? "e=1 c=1 b=1 a=0 " : "a=0 b=1 c=1 e=1 ") == 0);
    }
    TRY(scan_all(task, txn, "a", "z", false, &text));
    CHECK(strcmp(text, "a=2 b=2 c=3 f=2 ") == 0);
    kv_txn_rollback(task, txn);
out:
    return st;
}

KV_TEST(txn, reads_as_of_a_mark)
{
    struct status st = STATUS_OK;
    TRY(put_now(task, "a", "0"));
    for (uint32_t i = 0; i < 3; i++) TRY(check_mark(task, i));
out:
    return st;
}

KV_TEST(txn, restart_and_step_take_new_snapshots)
{
    struct status st = STATUS_OK;
    struct kv_txn *txn;
    struct bytes value;
    TRY(put_now(task, "a", "1"));
    TRY(begin(task, &txn));
    kv_txn_weaken(txn, true);
    TRY(get(task, txn, "a", &value));
    TRY(put_now(task, "a", "2"));
    TRY(put(task, txn, "b", "1"));
    TRY(get(task, txn, "a", &value));
    CHECK(is_text(value, "1"));
    TRY(kv_txn_step(task, txn));
    TRY(get(task, txn, "a", &value));
    CHECK(is_text(value, "2"));
    TRY(put_now(task, "a", "2"));
    TRY(commit(task, txn)); // No read of "a" counts.
    // What does count counts for all snapshots.
    TRY(begin(task, &txn));
    kv_txn_depend(txn, key(task, "a"));
    kv_txn_weaken(txn, true);
    TRY(kv_txn_step(task, txn));
    TRY(put(task, txn, "b", "1"));
    TRY(put_now(task, "a", "2"));
    CHECK_FAILS(kv_txn_step(task, txn), E_SERIALIZATION_FAILURE);
    kv_txn_rollback(task, txn);
    TRY(begin(task, &txn));
    TRY(get(task, txn, "a", &value));
    TRY(put_now(task, "a", "3"));
    TRY(put(task, txn, "b", "2"));
    TRY(kv_txn_restart(task, txn));
    CHECK(!kv_txn_has_writes(txn));
    TRY(get(task, txn, "a", &value));
    CHECK(is_text(value, "3"));
    TRY(put(task, txn, "b", "3"));
    TRY(commit(task, txn));
    TRY(read_now(task, "b", &value));
    CHECK(is_text(value, "3"));
out:
    return st;
}

KV_TEST(txn, gets_many_over_slices)
{
    struct status st = STATUS_OK;
    struct kv_txn *txn;
    static const char *const names[] = {"t", "a", "nothing", "q", "b", "own"};
    struct bytes keys[6];
    struct bytes values[6];
    bool skipped[6];
    TRY(kv_test_spread(task));
    for (int i = 0; i < 5; i++) {
        if (i != 2) TRY(put_now(task, names[i], names[i]));
    }
    for (int i = 0; i < 6; i++) keys[i] = key(task, names[i]);
    for (int lock = 0; lock < 2; lock++) {
        const struct kv_read read = {.lock = lock ? KV_LOCK_UPDATE : KV_LOCK_NONE};
        TRY(begin(task, &txn));
        TRY(put(task, txn, "own", "own"));
        TRY(kv_get_many(task, txn, &read, keys, 6, task->arena, values, skipped));
        for (int i = 0; i < 6; i++) {
            CHECK(is_text(values[i], i == 2 ? NULL : names[i]));
            CHECK(!skipped[i]);
        }
        TRY(commit(task, txn));
    }
out:
    return st;
}

KV_TEST(txn, counts)
{
    struct status st = STATUS_OK;
    int64_t value;
    TRY(kv_increment(task, TENANT, key(task, "sequence"), 7, 3, &value));
    CHECK(value == 7);
    TRY(kv_increment(task, TENANT, key(task, "sequence"), 7, 3, &value));
    CHECK(value == 10);
    TRY(kv_increment(task, TENANT, key(task, "sequence"), 7, -20, &value));
    CHECK(value == -10);
    TRY(put_now(task, "text", "no counter"));
    CHECK_FAILS(
        kv_increment(task, TENANT, key(task, "text"), 0, 1, &value), E_DATA_CORRUPTED);
out:
    return st;
}

KV_TEST(txn, bounds_keys_values_and_memory)
{
    struct status st = STATUS_OK;
    struct kv_txn *txn;
    struct memory_account account;
    memory_account_init(&account, NULL, "test", 4 << 20);
    const struct kv_txn_options options = {.tenant = TENANT, .account = &account};
    TRY(kv_txn_begin(task, &options, &txn));
    uint8_t *bytes = arena_alloc_zero(task->arena, 2 << 20);
    struct buffer long_key;
    buffer_init(&long_key, task->arena);
    key_append_tenant_prefix(&long_key, TENANT);
    buffer_append(&long_key, bytes, KEY_BYTES_MAX);
    CHECK_FAILS(kv_put(task, txn, buffer_bytes(&long_key), BYTES_LITERAL("")),
        E_PROGRAM_LIMIT_EXCEEDED);
    CHECK_FAILS(kv_put(task, txn, key(task, "v"), bytes_of(bytes, VALUE_BYTES_MAX + 1ull)),
        E_PROGRAM_LIMIT_EXCEEDED);
    TRY(put(task, txn, "a", "1"));
    struct status full = STATUS_OK;
    for (int i = 0; i < 10 && !failed(full); i++) {
        full = kv_put(task, txn, key_number(task, "v", (uint32_t)i), bytes_of(bytes, 1 << 20));
    }
    CHECK(status_is(full, E_OUT_OF_MEMORY));
    kv_txn_rollback(task, txn);
    memory_account_fini(&account);
out:
    return st;
}

// A transaction larger than one log record or one store transaction is still one.
KV_TEST(txn, commits_many_rows_at_once)
{
    struct status st = STATUS_OK;
    struct kv_txn *txn;
    struct kv_scan scan;
    struct kv_batch batch;
    uint8_t *value = arena_alloc_zero(task->arena, 200);
    uint64_t count = 0;
    TRY(begin(task, &txn));
    for (uint32_t i = 0; i < 20000; i++) {
        TRY(kv_put(task, txn, key_number(task, "row", i), bytes_of(value, 200)));
    }
    TRY(commit(task, txn));
    TRY(begin(task, &txn));
    kv_scan_init(&scan, key_span(task, "row", "rox"));
    do {
        TRY(kv_scan_next(task, txn, &scan, task->arena, &batch));
        count += batch.count;
    } while (batch.count > 0);
    CHECK(count == 20000);
    kv_txn_rollback(task, txn);
out:
    return st;
}

// Large entries are remembered by their bounds only: what they wrote conflicts, what lies between
// does not.
KV_TEST(txn, large_transactions_conflict_with_what_they_wrote)
{
    struct status st = STATUS_OK;
    struct kv_txn *hit;
    struct kv_txn *missed;
    struct kv_txn *bulk;
    struct bytes value;
    TRY(begin(task, &hit));
    TRY(begin(task, &missed));
    TRY(get(task, hit, "row000500", &value));
    TRY(get(task, missed, "row000501", &value));
    TRY(put(task, hit, "hit", "1"));
    TRY(put(task, missed, "missed", "1"));
    TRY(begin(task, &bulk));
    struct kv_pair pairs[100];
    struct bytes existing[100];
    for (uint32_t i = 0; i < 4000; i += 200) {
        for (uint32_t k = 0; k < 100; k++) {
            pairs[k] = (struct kv_pair){
                key_number(task, "row", i + k * 2), BYTES_LITERAL("bulk")};
        }
        TRY(kv_insert_many(task, bulk, pairs, 100, task->arena, existing));
    }
    TRY(commit(task, bulk));
    CHECK_FAILS(commit(task, hit), E_SERIALIZATION_FAILURE);
    TRY(commit(task, missed));
    // The other way round: a row of the large one was written meanwhile.
    TRY(begin(task, &bulk));
    for (uint32_t i = 1; i < 4000; i += 2) {
        TRY(get(task, bulk, "row000777", &value));
        TRY(kv_put(task, bulk, key_number(task, "row", i), BYTES_LITERAL("bulk")));
    }
    TRY(kv_txn_step(task, bulk));
    TRY(get(task, bulk, "row000602", &value));
    TRY(put_now(task, "row000602", "changed"));
    CHECK_FAILS(commit(task, bulk), E_SERIALIZATION_FAILURE);
out:
    return st;
}
