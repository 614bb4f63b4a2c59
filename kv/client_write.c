// SPDX-License-Identifier: GPL-3.0-or-later
//
// Buffered writes, and counters.
#include "core/invariant.h"
#include "core/work.h"
#include "kv/key.h"
#include "kv/txn.h"

#define INCREMENT_ATTEMPTS_MAX 100u
#define COUNTER_BYTES 8u

// What is found here early is checked again, for all writes, by the leader.
static struct status check_write(
    struct task *task, struct kv_txn *txn, struct bytes key, struct bytes value)
{
    struct status st = txn_check(txn, true);
    if (failed(st)) return st;
    if (UNLIKELY(key.size > KEY_BYTES_MAX)) {
        return status_make(E_PROGRAM_LIMIT_EXCEEDED, "key is longer than 16 KiB");
    }
    if (UNLIKELY(value.size > VALUE_BYTES_MAX)) {
        return status_make(E_PROGRAM_LIMIT_EXCEEDED, "value is larger than 64 MiB");
    }
    st = leader_check_key(txn->tenant, key);
    if (failed(st)) return st;
    if (UNLIKELY(txn_buffer_full(txn, key.size + value.size))) TRY(txn_stage(task, txn));
    // Sizes come from data: the account is asked before a large one, and once in a while.
    bool due = value.size > ARENA_UNCHECKED_BYTES || (txn->writes.count & 255u) == 0;
    st = UNLIKELY(due) ? arena_check(&txn->write_arena) : STATUS_OK;
out:
    return st;
}

#define COPIED_BY_PARTS_BYTES (256u << 10)

struct status txn_put(struct task *task, struct kv_txn *txn, struct bytes key, struct bytes value,
    bool checked)
{
    struct status st = check_write(task, txn, key, value);
    if (failed(st)) return st;
    if (LIKELY(value.size < COPIED_BY_PARTS_BYTES)) {
        write_buffer_put(&txn->writes, key, value, checked);
    } else {
        value = task_copy(txn->writes.arena, value);
        TRY(task_check(task)); // Or it is cut short.
        write_buffer_put_own(&txn->writes, key, value, checked);
    }
    txn->stats.rows_written++;
out:
    return st;
}

struct status kv_put(
    struct task *task, struct kv_txn *txn, struct bytes key, struct bytes value)
{
    return txn_put(task, txn, key, value, false);
}

struct status kv_delete(struct task *task, struct kv_txn *txn, struct bytes key)
{
    struct status st = check_write(task, txn, key, (struct bytes){0});
    if (failed(st)) return st;
    write_buffer_delete(&txn->writes, key);
    txn->stats.rows_written++;
    return STATUS_OK;
}

// --- counters ------------------------------------------------------------------------------------

static int64_t counter_decode(struct bytes value)
{
    uint64_t bits = 0;
    for (uint32_t i = 0; i < COUNTER_BYTES; i++) bits = bits << 8 | value.data[i];
    return (int64_t)bits;
}

static void counter_encode(int64_t value, uint8_t out[COUNTER_BYTES])
{
    for (uint32_t i = 0; i < COUNTER_BYTES; i++) {
        out[i] = (uint8_t)((uint64_t)value >> (8 * (COUNTER_BYTES - 1 - i)));
    }
}

static struct status increment_in(struct task *task, struct kv_txn *txn, struct bytes key,
    int64_t initial, int64_t delta, int64_t *value)
{
    struct status st = STATUS_OK;
    const struct kv_read read = {.lock = KV_LOCK_UPDATE};
    struct bytes found;
    TRY(kv_get(task, txn, &read, key, &txn->arena, &found));
    int64_t next = initial;
    if (found.data != NULL) {
        if (found.size != COUNTER_BYTES) {
            return status_make(E_DATA_CORRUPTED, "key does not hold a counter");
        }
        if (__builtin_add_overflow(counter_decode(found), delta, &next)) {
            return status_make(E_NUMERIC_OUT_OF_RANGE, "counter is out of range");
        }
    }
    uint8_t encoded[COUNTER_BYTES];
    counter_encode(next, encoded);
    TRY(kv_put(task, txn, key, bytes_of(encoded, sizeof encoded)));
    *value = next;
out:
    return st;
}

struct status kv_increment(struct task *task, uint64_t tenant, struct bytes key, int64_t initial,
    int64_t delta, int64_t *value)
{
    struct status st = STATUS_OK;
    for (uint32_t attempt = 0; attempt < INCREMENT_ATTEMPTS_MAX; attempt++) {
        const struct kv_txn_options options = {.tenant = tenant};
        struct kv_txn *txn;
        st = kv_txn_begin(task, &options, &txn);
        if (failed(st)) return st;
        st = increment_in(task, txn, key, initial, delta, value);
        if (failed(st)) {
            st = status_copy(task->arena, st);
            kv_txn_rollback(task, txn);
        } else {
            st = kv_txn_commit(task, txn, NULL);
        }
        if (!status_is(st, E_SERIALIZATION_FAILURE)) return st;
    }
    return st;
}

// Acknowledged commits lie below the node's wall clock (leader_commit waits for that), and every
// shard's clock is at or above it.
struct status kv_now(struct task *task, uint64_t tenant, struct hlc_timestamp *now)
{
    (void)tenant;
    *now = hlc_now(&task->shard->hlc);
    return STATUS_OK;
}
