// SPDX-License-Identifier: GPL-3.0-or-later
//
// Random histories over few keys from many workers, checked afterwards: in the order of their
// timestamps the transactions form a serial history (each read what the ones before it wrote), and
// that order does not contradict real time: who began after another was acknowledged comes after
// it.
#include "tests/unit/kv/kv_harness.h"

#define KEYS 6u
#define WORKERS 12u
#define TXNS 12u
#define OPS_MAX 6u

struct seen {
    uint32_t key;
    uint32_t value; // 0: absent.
};

struct done {
    struct hlc_timestamp ts;
    uint64_t began, acknowledged; // In the order of a common counter.
    bool wrote;
    struct seen reads[OPS_MAX * KEYS];
    uint32_t read_count;
    struct seen writes[OPS_MAX];
    uint32_t write_count;
};

struct history {
    struct done list[WORKERS][TXNS];
    uint32_t counts[WORKERS];
    uint64_t clock;
    uint32_t values;
    uint32_t aborted;
};

static struct bytes register_key(struct task *task, uint32_t number)
{
    return key_number(task, number % 2 == 0 ? "b" : "t", number);
}

static uint32_t value_of(struct bytes value)
{
    uint32_t number = 0;
    if (value.data != NULL && value.size == sizeof number) {
        memcpy(&number, value.data, sizeof number);
    }
    return number;
}

static uint32_t draw(uint32_t *state, uint32_t below)
{
    *state = *state * 1664525u + 1013904223u;
    return (*state >> 9) % below;
}

// A read of something that this transaction wrote says nothing about others.
static void note_read(struct done *done, uint32_t number, struct bytes value)
{
    for (uint32_t i = 0; i < done->write_count; i++) {
        if (done->writes[i].key == number) return;
    }
    done->reads[done->read_count++] = (struct seen){number, value_of(value)};
}

static struct status scan_some(struct task *task, struct kv_txn *txn, struct done *done)
{
    struct status st = STATUS_OK;
    struct kv_scan scan;
    struct kv_batch batch;
    struct bytes found[KEYS] = {0};
    kv_scan_init(&scan, key_span(task, "a", "z"));
    scan.batch_rows = 2;
    do {
        TRY(kv_scan_next(task, txn, &scan, task->arena, &batch));
        for (uint32_t i = 0; i < batch.count; i++) {
            for (uint32_t k = 0; k < KEYS; k++) {
                if (bytes_equal(batch.pairs[i].key, register_key(task, k))) {
                    found[k] = batch.pairs[i].value;
                }
            }
        }
    } while (batch.count > 0);
    for (uint32_t k = 0; k < KEYS; k++) note_read(done, k, found[k]);
out:
    return st;
}

static struct status run_ops(struct task *task, struct history *history, struct kv_txn *txn,
    struct done *done, uint32_t *state)
{
    struct status st = STATUS_OK;
    uint32_t ops = 1 + draw(state, OPS_MAX);
    for (uint32_t i = 0; i < ops; i++) {
        uint32_t number = draw(state, KEYS);
        uint32_t kind = draw(state, 10);
        struct bytes at = register_key(task, number);
        struct bytes value;
        if (kind == 0) {
            TRY(scan_some(task, txn, done));
        } else if (kind < 5) {
            const struct kv_read read = {.lock = kind == 4 ? KV_LOCK_UPDATE : KV_LOCK_NONE};
            TRY(kv_get(task, txn, &read, at, task->arena, &value));
            note_read(done, number, value);
        } else if (kind == 5) {
            TRY(kv_delete(task, txn, at));
            done->writes[done->write_count++] = (struct seen){number, 0};
        } else {
            uint32_t fresh = __atomic_add_fetch(&history->values, 1, __ATOMIC_RELAXED);
            TRY(kv_put(task, txn, at, bytes_of(&fresh, sizeof fresh)));
            done->writes[done->write_count++] = (struct seen){number, fresh};
        }
        if (draw(state, 3) == 0) TRY(task_yield(task));
    }
out:
    return st;
}

static struct status player(struct task *task, void *arg)
{
    struct status st = STATUS_OK;
    struct worker *worker = arg;
    struct history *history = worker->context;
    uint32_t state = worker->number * 2654435761u + 12345u;
    while (history->counts[worker->number] < TXNS) {
        struct done *done = &history->list[worker->number][history->counts[worker->number]];
        struct kv_txn *txn;
        memset(done, 0, sizeof *done);
        done->began = __atomic_add_fetch(&history->clock, 1, __ATOMIC_SEQ_CST);
        TRY(begin(task, &txn));
        st = run_ops(task, history, txn, done, &state);
        struct hlc_timestamp read_ts = kv_txn_read_ts(txn);
        done->wrote = kv_txn_has_writes(txn);
        if (failed(st)) {
            kv_txn_rollback(task, txn);
        } else {
            st = kv_txn_commit(task, txn, &done->ts);
        }
        if (status_is(st, E_SERIALIZATION_FAILURE)) {
            __atomic_fetch_add(&history->aborted, 1, __ATOMIC_RELAXED);
            st = STATUS_OK;
            continue;
        }
        TRY(st);
        if (!done->wrote) done->ts = read_ts;
        done->acknowledged = __atomic_add_fetch(&history->clock, 1, __ATOMIC_SEQ_CST);
        history->counts[worker->number]++;
    }
out:
    return st;
}

static int done_order(const void *left, const void *right)
{
    const struct done *a = *(const struct done *const *)left;
    const struct done *b = *(const struct done *const *)right;
    int order = hlc_compare(a->ts, b->ts);
    // A reader at the very timestamp of a commit sees it.
    return order != 0 ? order : (int)b->wrote - (int)a->wrote;
}

static struct status check_history(struct task *task, struct history *history)
{
    struct status st = STATUS_OK;
    const struct done **order =
        arena_alloc(task->arena, WORKERS * TXNS * sizeof(struct done *));
    uint32_t count = 0;
    uint32_t present[KEYS] = {0};
    uint64_t latest_begin = 0;
    for (uint32_t w = 0; w < WORKERS; w++) {
        for (uint32_t i = 0; i < history->counts[w]; i++) order[count++] = &history->list[w][i];
    }
    qsort(order, count, sizeof *order, done_order);
    for (uint32_t i = 0; i < count; i++) {
        const struct done *done = order[i];
        for (uint32_t k = 0; k < done->read_count; k++) {
            CHECK(done->reads[k].value == present[done->reads[k].key]);
        }
        for (uint32_t k = 0; k < done->write_count; k++) {
            present[done->writes[k].key] = done->writes[k].value;
        }
        // Nobody earlier in the order may have begun after this one was acknowledged.
        CHECK(latest_begin < done->acknowledged);
        if (done->began > latest_begin) latest_begin = done->began;
        CHECK(i == 0 || !order[i - 1]->wrote || !done->wrote ||
              hlc_less_equal(order[i - 1]->ts, done->ts));
    }
out:
    return st;
}

static struct status play(struct task *task)
{
    struct status st = STATUS_OK;
    struct history *history = calloc(1, sizeof *history);
    TRY(run_workers(task, WORKERS, player, history));
    TRY(check_history(task, history));
out:
    free(history);
    return st;
}

KV_TEST(kv_history, is_serial_in_one_slice)
{
    return play(task);
}

KV_TEST(kv_history, is_serial_over_two_slices)
{
    struct status st = STATUS_OK;
    TRY(kv_test_spread(task));
    TRY(play(task));
out:
    return st;
}
