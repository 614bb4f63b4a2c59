// SPDX-License-Identifier: GPL-3.0-or-later
//
// Large transactions: what outgrows the write buffer is staged at its leaders, and nobody can tell. The rules are those of
// test_txn.c, with a buffer of a few bytes.
#include "tests/unit/kv/kv_harness.h"

#include "kv/slice.h"
#include "kv/txn.h"

static struct status begin_small(struct task *task, uint64_t buffer_bytes, struct kv_txn **txn)
{
    struct status st = begin(task, txn);
    if (!failed(st)) (*txn)->buffer_bytes_max = buffer_bytes;
    return st;
}

KV_TEST(staged, is_seen_by_its_transaction_alone)
{
    struct status st = STATUS_OK;
    struct kv_txn *txn;
    struct kv_txn *other;
    struct bytes value;
    char *text;
    TRY(kv_test_spread(task));
    TRY(put_now(task, "a", "1"));
    TRY(put_now(task, "b", "2"));
    TRY(put_now(task, "n", "3"));
    TRY(begin_small(task, 0, &txn));
    TRY(put(task, txn, "b", "mine"));
    TRY(put(task, txn, "c", ""));
    TRY(erase(task, txn, "a"));
    TRY(put(task, txn, "o", "own"));
    TRY(erase(task, txn, "n"));
    TRY(put(task, txn, "p", "last"));
    CHECK(txn->stage_count == 2);
    CHECK(kv_txn_has_writes(txn));
    TRY(get(task, txn, "a", &value));
    CHECK(is_text(value, NULL));
    TRY(get(task, txn, "b", &value));
    CHECK(is_text(value, "mine"));
    TRY(get(task, txn, "c", &value));
    CHECK(is_text(value, ""));
    TRY(get_locked(task, txn, "o", &value));
    CHECK(is_text(value, "own"));
    TRY(scan_all(task, txn, "a", "zz", false, &text));
    CHECK(strcmp(text, "b=mine c= o=own p=last ") == 0);
    TRY(scan_all(task, txn, "a", "zz", true, &text));
    CHECK(strcmp(text, "p=last o=own c= b=mine ") == 0);
    // Nobody else sees it, and nobody waits.
    TRY(begin(task, &other));
    TRY(scan_all(task, other, "a", "zz", false, &text));
    CHECK(strcmp(text, "a=1 b=2 n=3 ") == 0);
    kv_txn_rollback(task, other);
    TRY(read_now(task, "b", &value));
    CHECK(is_text(value, "2"));
    TRY(commit(task, txn));
    TRY(begin(task, &other));
    TRY(scan_all(task, other, "a", "zz", false, &text));
    CHECK(strcmp(text, "b=mine c= o=own p=last ") == 0);
    kv_txn_rollback(task, other);
    TRY(read_now(task, "n", &value));
    CHECK(is_text(value, NULL));
out:
    return st;
}

KV_TEST(staged, goes_with_a_rollback_and_comes_back_in_a_restart)
{
    struct status st = STATUS_OK;
    struct kv_txn *txn;
    struct bytes value;
    TRY(put_now(task, "a", "1"));
    TRY(begin_small(task, 0, &txn));
    TRY(put(task, txn, "a", "2"));
    TRY(put(task, txn, "b", "2"));
    kv_txn_rollback(task, txn);
    TRY(read_now(task, "a", &value));
    CHECK(is_text(value, "1"));
    // What it had staged is no lock for long.
    TRY(put_now(task, "a", "3"));
    TRY(put_now(task, "b", "3"));
    TRY(begin_small(task, 0, &txn));
    TRY(put(task, txn, "a", "4"));
    TRY(put(task, txn, "b", "4"));
    TRY(kv_txn_restart(task, txn));
    TRY(get(task, txn, "a", &value));
    CHECK(is_text(value, "3"));
    TRY(put(task, txn, "a", "5"));
    TRY(commit(task, txn));
    TRY(read_now(task, "a", &value));
    CHECK(is_text(value, "5"));
    TRY(read_now(task, "b", &value));
    CHECK(is_text(value, "3"));
out:
    return st;
}

struct writer {
    const char *value;
    bool locked;
};

static struct status write_a(struct task *task, void *arg)
{
    struct status st = STATUS_OK;
    struct writer *writer = ((struct worker *)arg)->context;
    struct kv_txn *txn;
    struct bytes value;
    TRY(begin(task, &txn));
    if (writer->locked) TRY(get_locked(task, txn, "a", &value));
    TRY(put(task, txn, "a", writer->value));
    TRY(commit(task, txn));
out:
    return st;
}

struct under_way {
    struct kv_txn *txn;
    bool staged;    // stage_a's entry is applied.
    bool was_first; // meet_a came before there was an entry.
    bool met;       // meet_a came while the entry was under way.
};

static struct status stage_a(struct task *task, void *arg)
{
    struct status st = STATUS_OK;
    struct under_way *test = ((struct worker *)arg)->context;
    TRY(put(task, test->txn, "b", "mine")); // Stages "a", which takes a write of the log.
    test->staged = true;
    TRY(commit(task, test->txn));
out:
    return st;
}

static struct status meet_a(struct task *task, void *arg)
{
    struct status st = STATUS_OK;
    struct under_way *test = ((struct worker *)arg)->context;
    struct kv_txn *txn;
    struct bytes value;
    bool under_way = !test->staged;
    TRY(begin(task, &txn));
    TRY(get_locked(task, txn, "a", &value));
    test->was_first = is_text(value, "1");
    CHECK(test->was_first || is_text(value, "mine"));
    test->met = under_way && !test->was_first;
    TRY(put(task, txn, "a", "theirs"));
    TRY(commit(task, txn));
out:
    return st;
}

// And so it is from the moment at which its entry goes to the log: who comes before that is applied waits as well.
KV_TEST(staged, is_a_lock_while_its_entry_is_under_way)
{
    struct status st = STATUS_OK;
    struct under_way test = {0};
    struct workers workers = {0};
    struct bytes value;
    wait_queue_init(&workers.ended);
    // Which of the two comes first is up to the machine: rounds go on until the entry was met under way.
    for (uint32_t round = 0; round < 1000 && !test.met; round++) {
        test.staged = false;
        TRY(put_now(task, "a", "1"));
        TRY(begin_small(task, 0, &test.txn));
        TRY(put(task, test.txn, "a", "mine"));
        TRY(worker_start(task, &workers, 0, stage_a, &test));
        TRY(worker_start(task, &workers, 1, meet_a, &test));
        TRY(workers_wait(task, &workers, 2));
        TRY(read_now(task, "a", &value));
        CHECK(is_text(value, test.was_first ? "mine" : "theirs"));
    }
    CHECK(test.met);
out:
    return st;
}

// To writers a staged row is a lock, whether they look first or not.
KV_TEST(staged, is_a_lock_to_writers)
{
    struct status st = STATUS_OK;
    struct kv_txn *txn;
    struct bytes value;
    for (uint32_t round = 0; round < 4; round++) {
        struct writer writer = {.value = "theirs", .locked = round % 2 == 1};
        struct workers workers = {0};
        TRY(put_now(task, "a", "1"));
        wait_queue_init(&workers.ended);
        TRY(begin_small(task, 0, &txn));
        TRY(put(task, txn, "a", "mine"));
        TRY(put(task, txn, "b", "mine")); // Stages "a".
        TRY(worker_start(task, &workers, 0, write_a, &writer));
        TRY(task_sleep(task, 10 * MS));
        CHECK(workers.running == 1);
        if (round / 2 == 0) {
            TRY(commit(task, txn));
        } else {
            kv_txn_rollback(task, txn);
        }
        TRY(workers_wait(task, &workers, 1));
        TRY(read_now(task, "a", &value));
        CHECK(is_text(value, "theirs"));
        TRY(read_now(task, "b", &value));
        CHECK(is_text(value, "mine")); // Of the first rounds.
    }
out:
    return st;
}

static struct status is_free(struct task *task, const char *name, enum kv_lock lock, bool *is)
{
    struct status st = STATUS_OK;
    struct kv_txn *txn;
    struct bytes value;
    const struct kv_read read = {.lock = lock, .wait = KV_WAIT_FAIL};
    TRY(begin(task, &txn));
    st = kv_get(task, txn, &read, key(task, name), task->arena, &value);
    kv_txn_rollback(task, txn);
    *is = !failed(st);
    if (status_is(st, E_LOCK_NOT_AVAILABLE)) st = STATUS_OK;
out:
    return st;
}

// Who held the row in a mode that lets it be changed goes on to, and others may come to; to a deletion that is a hindrance.
// Nobody gets what the write excludes, and a row that is staged for deletion nobody gets at all.
KV_TEST(staged, lets_others_have_what_its_write_leaves_to_them)
{
    struct status st = STATUS_OK;
    struct kv_txn *txn, *other;
    struct bytes value;
    const struct kv_read share = {.lock = KV_LOCK_KEY_SHARE};
    for (uint32_t round = 0; round < 4; round++) {
        const bool shared = round % 2 == 1, erases = round / 2 == 1;
        TRY(put_now(task, "a", "1"));
        TRY(begin(task, &other));
        if (shared) TRY(kv_get(task, other, &share, key(task, "a"), task->arena, &value));
        TRY(begin_small(task, 0, &txn));
        if (erases) {
            TRY(erase(task, txn, "a"));
        } else {
            TRY(put(task, txn, "a", "2"));
        }
        if (shared && erases) {
            kv_txn_lock_timeout_set(txn, 10 * MS);
            CHECK_FAILS(put(task, txn, "b", "2"), E_LOCK_NOT_AVAILABLE);
            kv_txn_rollback(task, txn);
        } else {
            TRY(put(task, txn, "b", "2")); // Stages "a".
            CHECK(txn->stage_count == 1);
            for (enum kv_lock mode = KV_LOCK_KEY_SHARE; mode <= KV_LOCK_UPDATE; mode++) {
                bool is;
                TRY(is_free(task, "a", mode, &is));
                CHECK(is == (shared && mode == KV_LOCK_KEY_SHARE));
            }
            TRY(commit(task, txn));
        }
        kv_txn_rollback(task, other);
        TRY(read_now(task, "a", &value));
        CHECK(is_text(value, !erases ? "2" : shared ? "1" : NULL));
    }
out:
    return st;
}

// What was read is validated, however early something was written.
KV_TEST(staged, conflicts_as_any_other)
{
    struct status st = STATUS_OK;
    struct kv_txn *txn;
    struct bytes value;
    struct bytes existing;
    TRY(kv_test_spread(task));
    TRY(put_now(task, "n", "1"));
    TRY(begin_small(task, 0, &txn));
    TRY(get(task, txn, "n", &value));
    TRY(put(task, txn, "a", "1"));
    TRY(put(task, txn, "b", "1"));
    TRY(put_now(task, "n", "2"));
    st = commit(task, txn);
    CHECK(status_is(st, E_SERIALIZATION_FAILURE));
    TRY(read_now(task, "a", &value));
    CHECK(is_text(value, NULL));
    // An insert finds its own row.
    TRY(begin_small(task, 0, &txn));
    TRY(kv_insert(task, txn, key(task, "c"), BYTES_LITERAL("1"), task->arena, &existing));
    CHECK(existing.data == NULL);
    TRY(put(task, txn, "o", "1"));
    TRY(kv_insert(task, txn, key(task, "c"), BYTES_LITERAL("2"), task->arena, &existing));
    CHECK(is_text(existing, "1"));
    TRY(commit(task, txn));
    TRY(read_now(task, "c", &value));
    CHECK(is_text(value, "1"));
out:
    return st;
}

// As kv/push.h drops what a client that is gone has staged: its record says so first.
static struct status put_rows(struct task *task, struct kv_txn *txn, uint32_t count)
{
    struct status st = STATUS_OK;
    for (uint32_t i = 0; i < count; i++) TRY(put(task, txn, arena_printf(task->arena, "b%06u", (unsigned)i), "1"));
out:
    return st;
}

// Each row of a request is looked for among what others have staged, in one step: then requests are small. Otherwise they are
// large, because each is waited for until it is durable.
KV_TEST(staged, goes_in_smaller_requests_while_others_stage)
{
    struct status st = STATUS_OK;
    const uint32_t rows = STAGED_CROWDED_ROWS + 100;
    struct kv_txn *alone;
    struct kv_txn *other;
    struct kv_txn *txn;
    struct bytes value;
    TRY(begin_small(task, TXN_BUFFER_BYTES, &alone));
    TRY(put_rows(task, alone, rows));
    TRY(txn_stage(task, alone));
    CHECK(alone->stage_count == 1 && alone->stages[0].sequence == 1);
    TRY(commit(task, alone));
    TRY(begin_small(task, TXN_BUFFER_BYTES, &other));
    TRY(put(task, other, "a", "other"));
    TRY(txn_stage(task, other));
    TRY(begin_small(task, TXN_BUFFER_BYTES, &txn));
    TRY(put_rows(task, txn, rows));
    TRY(txn_stage(task, txn));
    CHECK(txn->stage_count == 1 && txn->stages[0].sequence == 2);
    TRY(commit(task, txn));
    TRY(commit(task, other));
    TRY(read_now(task, "b000000", &value));
    CHECK(is_text(value, "1"));
    TRY(read_now(task, arena_printf(task->arena, "b%06u", rows - 1), &value));
    CHECK(is_text(value, "1"));
out:
    return st;
}

static struct status drop_stage(struct task *task, const struct kv_txn *txn, uint64_t slice)
{
    struct status st = STATUS_OK;
    struct leader_record_put put = {.call = {.slice = txn->stages[0].slice, .owner.txn = txn->id}};
    struct leader_resolve resolve = {.call = {.slice = slice, .owner.txn = txn->id}};
    put.call.read_ts = resolve.call.read_ts = txn->read_ts;
    st = leader_call(task, &put.call, task->arena, LEADER_RECORD_PUT);
    leader_reply_end(&put.call);
    TRY(st);
    st = leader_call(task, &resolve.call, task->arena, LEADER_RESOLVE);
    leader_reply_end(&resolve.call);
out:
    return st;
}

enum dropped_step { GET, GET_MANY, GET_LOCKED, SCAN, INSERT, STAGE, COMMIT, DROPPED_STEPS };

static struct status dropped_step(struct task *task, struct kv_txn *txn, enum dropped_step step)
{
    const struct bytes keys[2] = {key(task, "a"), key(task, "z")};
    struct bytes values[2];
    char *text;
    switch (step) {
    case GET: return get(task, txn, "a", &values[0]);
    case GET_MANY: return kv_get_many(task, txn, NULL, keys, 2, task->arena, values, NULL);
    case GET_LOCKED: return get_locked(task, txn, "c", &values[0]);
    case SCAN: return scan_all(task, txn, "a", "f", false, &text);
    case INSERT: return kv_insert(task, txn, keys[0], BYTES_LITERAL("2"), task->arena, values);
    case STAGE: return txn_stage(task, txn);
    case COMMIT: return commit(task, txn);
    default: return STATUS_OK;
    }
}

// A client that was taken for gone lives: it must not go on without what it wrote, and may begin anew.
KV_TEST(staged, dropped_while_its_client_lives_ends_the_transaction)
{
    struct status st = STATUS_OK;
    struct kv_txn *txn;
    struct bytes value;
    TRY(kv_test_spread(task));
    TRY(put_now(task, "c", "before"));
    for (uint32_t step = 0; step < DROPPED_STEPS; step++) {
        TRY(begin_small(task, 0, &txn));
        TRY(put(task, txn, "z", "1")); // In the other slice: the record is there.
        TRY(put(task, txn, "a", "1"));
        TRY(put(task, txn, "b", "1")); // "a" is staged, "b" is not.
        CHECK(txn->stage_count == 2);
        TRY(drop_stage(task, txn, txn->stages[1].slice));
        TRY(get(task, txn, "z", &value)); // What is staged elsewhere is still there.
        CHECK(is_text(value, "1"));
        st = dropped_step(task, txn, step);
        CHECK(status_is(st, E_SERIALIZATION_FAILURE));
        st = STATUS_OK;
        if (step == COMMIT) continue;
        CHECK(status_is(get(task, txn, "c", &value), E_SERIALIZATION_FAILURE));
        TRY(kv_txn_restart(task, txn));
        TRY(get(task, txn, "c", &value));
        CHECK(is_text(value, "before"));
        kv_txn_rollback(task, txn);
    }
    TRY(read_now(task, "a", &value));
    CHECK(is_text(value, NULL));
    TRY(read_now(task, "z", &value));
    CHECK(is_text(value, NULL));
out:
    return st;
}

// --- at random, against a plain map ---------------------------------------------------------------

#define KEYS 48u
#define SAVEPOINTS 4u

struct map {
    uint32_t values[KEYS]; // 0: absent.
};

static uint32_t draw(uint32_t *random, uint32_t below)
{
    *random = *random * 1664525u + 1013904223u;
    return (*random >> 8) % below;
}

static struct bytes map_key(struct task *task, uint32_t i)
{
    return key_number(task, i < KEYS / 2 ? "b" : "t", i);
}

static struct bytes map_value(struct task *task, uint32_t value)
{
    return bytes_of_string(arena_printf(task->arena, "%u", value));
}

static struct status map_check(
    struct task *task, struct kv_txn *txn, const struct map *map, uint32_t *random)
{
    struct status st = STATUS_OK;
    struct kv_scan scan;
    struct kv_batch batch;
    kv_scan_init(&scan, key_span(task, "a", "z"));
    scan.reverse = draw(random, 2) == 1;
    scan.batch_rows = 1 + draw(random, 60);
    uint32_t seen = 0;
    uint32_t at = scan.reverse ? KEYS - 1 : 0;
    do {
        TRY(kv_scan_next(task, txn, &scan, task->arena, &batch));
        for (uint32_t i = 0; i < batch.count; i++, seen++) {
            while (at < KEYS && map->values[at] == 0) at += scan.reverse ? UINT32_MAX : 1;
            CHECK(at < KEYS);
            CHECK(bytes_equal(batch.pairs[i].key, map_key(task, at)));
            CHECK(bytes_equal(batch.pairs[i].value, map_value(task, map->values[at])));
            at += scan.reverse ? UINT32_MAX : 1;
        }
    } while (batch.count > 0);
    for (uint32_t i = 0; i < KEYS; i++) seen -= map->values[i] != 0;
    CHECK(seen == 0);
out:
    return st;
}

static struct status map_write(
    struct task *task, struct kv_txn *txn, struct map *map, uint32_t *random, uint32_t value)
{
    struct status st = STATUS_OK;
    struct bytes existing;
    uint32_t i = draw(random, KEYS);
    switch (draw(random, 4)) {
    case 0:
        TRY(kv_delete(task, txn, map_key(task, i)));
        map->values[i] = 0;
        break;
    case 1:
        TRY(kv_insert(task, txn, map_key(task, i), map_value(task, value), task->arena, &existing));
        CHECK((existing.data == NULL) == (map->values[i] == 0));
        if (map->values[i] == 0) map->values[i] = value;
        break;
    default:
        TRY(kv_put(task, txn, map_key(task, i), map_value(task, value)));
        map->values[i] = value;
        break;
    }
    i = draw(random, KEYS);
    struct bytes found;
    TRY(kv_get(task, txn, NULL, map_key(task, i), task->arena, &found));
    CHECK((found.data == NULL) == (map->values[i] == 0));
    if (found.data != NULL) CHECK(bytes_equal(found, map_value(task, map->values[i])));
out:
    return st;
}

static struct status map_transaction(struct task *task, struct map *committed, uint32_t *random)
{
    struct status st = STATUS_OK;
    struct map map = *committed;
    struct map *saved = ARENA_ARRAY(task->arena, struct map, SAVEPOINTS);
    uint64_t savepoints[SAVEPOINTS];
    uint32_t count = 0;
    struct kv_txn *txn;
    TRY(begin_small(task, draw(random, 4) * 800, &txn));
    for (uint32_t step = 0, steps = 5 + draw(random, 60); step < steps; step++) {
        TRY(map_write(task, txn, &map, random, 1 + draw(random, 100000)));
        if (draw(random, 8) == 0) {
            if (count == SAVEPOINTS) count--;
            saved[count] = map;
            savepoints[count++] = kv_txn_savepoint(txn);
        }
        if (count > 0 && draw(random, 10) == 0) {
            count = draw(random, count) + 1;
            kv_txn_rollback_to(txn, savepoints[count - 1]);
            map = saved[count - 1];
        }
        if (draw(random, 6) == 0) TRY(map_check(task, txn, &map, random));
    }
    TRY(map_check(task, txn, &map, random));
    if (draw(random, 4) == 0) {
        kv_txn_rollback(task, txn);
    } else {
        TRY(commit(task, txn));
        *committed = map;
    }
    TRY(begin(task, &txn));
    TRY(map_check(task, txn, committed, random));
    kv_txn_rollback(task, txn);
out:
    return st;
}

KV_TEST(staged, does_what_a_plain_map_does)
{
    struct status st = STATUS_OK;
    struct map committed = {0};
    uint32_t random = 7;
    TRY(kv_test_spread(task));
    for (uint32_t i = 0; i < 40; i++) {
        struct arena_mark mark = arena_mark(task->arena);
        TRY(map_transaction(task, &committed, &random));
        arena_release(task->arena, mark);
    }
out:
    return st;
}

// --- cancelled -------------------------------------------------------------------------------------

#define LARGE_BYTES (6u << 20)

static struct status stage_large(struct task *task, void *arg)
{
    struct status st = STATUS_OK;
    struct kv_txn *txn = ((struct worker *)arg)->context;
    uint8_t *value = arena_alloc(task->arena, LARGE_BYTES);
    memset(value, 'x', LARGE_BYTES);
    TRY(kv_put(task, txn, key(task, "a"), bytes_of(value, LARGE_BYTES)));
    TRY(put(task, txn, "b", "mine")); // Stages "a", in many parts.
out:
    return st;
}

// Wherever in its parts a large entry was when its task was cancelled: it counts for nothing, and the log goes on.
KV_TEST(staged, is_void_when_it_was_cancelled_between_its_parts)
{
    struct status st = STATUS_OK;
    struct workers workers = {0};
    struct kv_txn *txn;
    struct bytes value;
    uint32_t cancelled = 0;
    wait_queue_init(&workers.ended);
    TRY(put_now(task, "a", "1"));
    for (uint32_t round = 0; round < 12; round++) {
        struct arena_mark mark = arena_mark(task->arena);
        TRY(begin_small(task, 0, &txn));
        TRY(worker_start(task, &workers, 0, stage_large, txn));
        for (uint32_t i = 0; i < 8u << round && workers.running > 0; i++) TRY(task_yield(task));
        if (workers.list[0].task != NULL)
            task_cancel(workers.list[0].task, status_make(E_QUERY_CANCELED, "cancelled"));
        while (workers.running > 0) TRY(task_wait(task, &workers.ended));
        st = workers.list[0].st;
        CHECK(!failed(st) || status_is(st, E_QUERY_CANCELED));
        cancelled += failed(st);
        st = STATUS_OK;
        kv_txn_rollback(task, txn);
        TRY(put_now(task, "a", "2"));
        TRY(read_now(task, "b", &value));
        CHECK(is_text(value, NULL));
        arena_release(task->arena, mark);
    }
    CHECK(cancelled > 0);
    TRY(begin_small(task, 0, &txn));
    TRY(worker_start(task, &workers, 0, stage_large, txn));
    TRY(workers_wait(task, &workers, 1));
    TRY(commit(task, txn));
    TRY(read_now(task, "a", &value));
    CHECK(value.size == LARGE_BYTES && value.data[0] == 'x' && value.data[LARGE_BYTES - 1] == 'x');
out:
    return st;
}

// --- bounds ---------------------------------------------------------------------------------------

// However many rows it writes, its memory is the buffer's.
KV_TEST(staged, keeps_memory_bounded)
{
    struct status st = STATUS_OK;
    struct memory_account account;
    struct kv_txn *txn;
    struct bytes value;
    memory_account_init(&account, NULL, "test", 0);
    const struct kv_txn_options options = {.tenant = TENANT, .account = &account};
    TRY(kv_txn_begin(task, &options, &txn));
    txn->buffer_bytes_max = 64 << 10;
    for (uint32_t i = 0; i < 6000; i++) {
        struct arena_mark mark = arena_mark(task->arena);
        TRY(kv_put(task, txn, key_number(task, "r", i), BYTES_LITERAL("a value of some bytes")));
        arena_release(task->arena, mark);
    }
    CHECK(account.peak_bytes < 1 << 20);
    CHECK(kv_txn_write_bytes(txn) > 6000 * 21);
    TRY(commit(task, txn));
    CHECK(account.used_bytes == 0);
    TRY(read_now(task, "r005999", &value));
    CHECK(is_text(value, "a value of some bytes"));
    TRY(read_now(task, "r000000", &value));
    CHECK(is_text(value, "a value of some bytes"));
out:
    return st;
}
