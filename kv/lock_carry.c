// SPDX-License-Identifier: GPL-3.0-or-later
#include "kv/lock_carry.h"

#include <stdlib.h>

#include "core/mark.h"
#include "kv/entry.h"
#include "kv/push.h"
#include "kv/slice_internal.h"

#define ADOPTED_MAX 64u
#define ADOPTED_ROUNDS 100u
#define ADOPTED_POLL_NS UINT64_C(100000000)

struct lock_carry {
    struct hlc_timestamp ceiling;
    size_t size;
    uint8_t locks[];
};

// --- bytes -----------------------------------------------------------------------------------------------

void lock_wire_put(struct buffer *out, const struct lock_taken *lock)
{
    wire_put_bytes(out, lock->key);
    wire_put_u64(out, lock->owner.txn);
    wire_put_u64(out, lock->owner.age_ns);
    wire_put_u64(out, lock->mode);
    for (uint32_t i = 0; i < (uint32_t)lock->mode; i++) {
        wire_put_u64(out, lock->levels[i]);
        wire_put_u64(out, lock->since[i]);
    }
}

struct lock_taken lock_wire_take(struct wire_in *in)
{
    struct lock_taken lock = {.key = wire_take_key(in)};
    lock.owner.txn = wire_take_u64(in);
    lock.owner.age_ns = wire_take_u64(in);
    lock.mode = (enum kv_lock)wire_take_enum(in, KV_LOCK_UPDATE);
    if (lock.mode == KV_LOCK_NONE) in->bad = true;
    for (uint32_t i = 0; i < (uint32_t)lock.mode && !in->bad; i++) {
        lock.levels[i] = wire_take_u32(in);
        lock.since[i] = wire_take_u64(in);
        if (lock.since[i] == 0) in->bad = true;
    }
    return lock;
}

// --- handing over ----------------------------------------------------------------------------------------

static struct bytes locks_encode(const struct lock_table *table, struct arena *arena)
{
    struct buffer out;
    struct lock_taken lock;
    uint64_t place = 0;
    buffer_init(&out, arena);
    while (lock_next_held(table, &place, &lock)) {
        if (out.size + lock.key.size + 128 > LOCK_CARRY_BYTES) break;
        lock_wire_put(&out, &lock);
    }
    return out.size == 0 ? BYTES_LITERAL("") : buffer_bytes(&out);
}

struct status lock_carry_propose(
    struct task *task, struct slice *slice, struct hlc_timestamp ceiling)
{
    struct arena_mark mark = arena_mark(task->arena);
    struct entry_builder builder;
    entry_begin(&builder, task->arena);
    if (slice->locks != NULL) {
        const struct entry_op op = {.kind = ENTRY_LOCKS,
            .ts = ceiling,
            .value = locks_encode(slice->locks, task->arena)};
        entry_op_append(&builder, &op);
    }
    struct status st = slice_propose_ceiling(task, slice, entry_end(&builder), ceiling);
    // A failure's message may be there.
    if (!failed(st)) arena_release(task->arena, mark);
    return st;
}

void lock_carry_note(struct slice *slice, const struct entry_op *op)
{
    lock_carry_drop(slice);
    if (op->value.size == 0) return;
    struct lock_carry *carried = malloc(sizeof *carried + op->value.size);
    if (carried == NULL) return;
    carried->ceiling = op->ts;
    carried->size = op->value.size;
    memcpy(carried->locks, op->value.data, op->value.size);
    slice->carried = carried;
}

void lock_carry_drop(struct slice *slice)
{
    free(slice->carried);
    slice->carried = NULL;
}

// --- taking over -----------------------------------------------------------------------------------------

struct adopted {
    struct slice *slice;
    uint32_t count;
    uint64_t txns[ADOPTED_MAX];
};

static struct status adopted_task(struct task *task, void *arg)
{
    struct status st = STATUS_OK;
    struct adopted *adopted = arg;
    struct slice *slice = adopted->slice;
    for (uint32_t round = 0; round < ADOPTED_ROUNDS; round++) {
        bool any = false;
        for (uint32_t i = 0; i < adopted->count; i++) {
            bool alive = false;
            if (!slice->running || slice->role == SLICE_FOLLOWER) goto out;
            if (lock_held_count(slice->locks, adopted->txns[i]) == 0) continue;
            any = true;
            TRY(push_alive(task, adopted->txns[i], &alive));
            if (!alive && slice->role == SLICE_SERVING) push_release(slice, adopted->txns[i]);
        }
        if (!any) break;
        TRY(task_sleep(task, ADOPTED_POLL_NS));
    }
out:
    free(adopted);
    return st;
}

static void adopted_add(struct adopted *adopted, uint64_t txn)
{
    for (uint32_t i = 0; i < adopted->count; i++) {
        if (adopted->txns[i] == txn) return;
    }
    if (adopted->count < ADOPTED_MAX) adopted->txns[adopted->count++] = txn;
}

void lock_carry_adopt(struct slice *slice, const struct lock_taken *locks, uint32_t count)
{
    struct adopted *adopted = count == 0 ? NULL : calloc(1, sizeof *adopted);
    for (uint32_t i = 0; i < count; i++) {
        if (lock_give(slice->locks, &locks[i]) && adopted != NULL)
            adopted_add(adopted, locks[i].owner.txn);
    }
    if (adopted == NULL) return;
    adopted->slice = slice;
    if (adopted->count > 0) {
        covered("lock.taken_along");
        struct status st =
            slice_task_start_with(slice, adopted_task, adopted, "slice locks", TASK_SYSTEM);
        if (!failed(st)) return; // Who waits for such a lock looks after its owner, too.
    }
    free(adopted);
}

static void carried_adopt(struct slice *slice)
{
    struct arena arena;
    struct lock_carry *carried = slice->carried;
    arena_init(&arena, NULL);
    struct wire_in in = {.rest = bytes_of(carried->locks, carried->size), .arena = &arena};
    const size_t most = carried->size / LOCK_WIRE_LEAST;
    struct lock_taken *locks = ARENA_ARRAY(&arena, struct lock_taken, most);
    uint32_t count = 0;
    while (count < most && in.rest.size > 0 && !in.bad) locks[count++] = lock_wire_take(&in);
    if (!in.bad) lock_carry_adopt(slice, locks, count);
    arena_fini(&arena);
}

void lock_carry_lead(struct slice *slice)
{
    slice->locks->since = lock_since(slice->id, raft_log_term(&slice->log));
    if (slice->carried == NULL) return;
    if (hlc_equal(slice->ceiling, slice->carried->ceiling)) {
        covered("lock.led_on");
        carried_adopt(slice);
    }
    lock_carry_drop(slice);
}
