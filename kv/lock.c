// SPDX-License-Identifier: GPL-3.0-or-later
#include "kv/lock.h"

#include <stddef.h>
#include <stdlib.h>

#include "core/hash.h"
#include "core/invariant.h"
#include "core/linger.h"
#include "core/mark.h"
#include "kv/kv_node.h"

#define POOL_CHUNK_ITEMS 256u
#define BUCKETS_FIRST 1024u

struct lock {
    struct lock *bucket_next;
    uint64_t hash;
    struct lock_hold *holds;
    struct lock_waiter *first, *last; // The line.
    uint32_t key_size;
    uint8_t *key; // key_inline, or malloc'ed when longer.
    uint8_t key_inline[LOCK_KEY_INLINE];
};

struct lock_hold {
    struct lock *lock;
    struct lock_owner *owner;
    enum kv_lock mode;
    uint32_t asked_level; // At which it was asked for last.
    // Of `mode` and those that it contains, by the mode's place: since when it is held in that mode or a stronger one.
    uint32_t levels[KV_LOCK_MODES];
    uint64_t since[KV_LOCK_MODES], here_since[KV_LOCK_MODES]; // The former of where it was taken.
    struct lock_hold *lock_next;
    struct lock_hold *owner_previous, *owner_next;
};

struct lock_owner {
    struct lock_owner *bucket_next;
    struct lock_owner_id id;
    struct lock_hold *holds;
    uint64_t hold_count;
};

// --- pools ---------------------------------------------------------------------------------------

static void *pool_take(struct lock_pool *pool)
{
    if (pool->free == NULL) {
        size_t item = (pool->item_size + 15u) & ~(size_t)15u;
        uint8_t *chunk = malloc(16 + item * POOL_CHUNK_ITEMS);
        if (chunk == NULL) return NULL;
        *(void **)(void *)chunk = pool->chunks;
        pool->chunks = chunk;
        for (uint32_t i = POOL_CHUNK_ITEMS; i-- > 0;) {
            void **slot = (void **)(void *)(chunk + 16 + item * i);
            *slot = pool->free;
            pool->free = slot;
        }
    }
    void **taken = pool->free;
    pool->free = *taken;
    memset(taken, 0, pool->item_size);
    return taken;
}

static void pool_give(struct lock_pool *pool, void *item)
{
    *(void **)item = pool->free;
    pool->free = item;
}

static void pool_fini(struct lock_pool *pool)
{
    while (pool->chunks != NULL) {
        void *chunk = pool->chunks;
        pool->chunks = *(void **)chunk;
        free(chunk);
    }
}

// --- the two hash tables -------------------------------------------------------------------------

struct status lock_table_init(struct lock_table *table, struct shard *shard)
{
    *table = (struct lock_table){
        .shard = shard,
        .since = 1,
        .lock_buckets = BUCKETS_FIRST,
        .owner_buckets = BUCKETS_FIRST,
        .lock_pool.item_size = sizeof(struct lock),
        .hold_pool.item_size = sizeof(struct lock_hold),
        .owner_pool.item_size = sizeof(struct lock_owner),
    };
    table->locks = calloc(table->lock_buckets, sizeof *table->locks);
    table->owners = calloc(table->owner_buckets, sizeof *table->owners);
    if (table->locks == NULL || table->owners == NULL) {
        free(table->locks);
        free(table->owners);
        return status_make(E_OUT_OF_MEMORY, "out of memory");
    }
    return STATUS_OK;
}

void lock_table_fini(struct lock_table *table)
{
    invariant(table->waiters == NULL);
    for (uint64_t i = 0; i < table->lock_buckets; i++) {
        for (struct lock *lock = table->locks[i]; lock != NULL; lock = lock->bucket_next) {
            if (lock->key != lock->key_inline) free(lock->key);
        }
    }
    pool_fini(&table->lock_pool);
    pool_fini(&table->hold_pool);
    pool_fini(&table->owner_pool);
    free(table->locks);
    free(table->owners);
    *table = (struct lock_table){0};
}

static uint64_t txn_hash(uint64_t txn)
{
    return hash_u64(txn);
}

static struct lock *lock_find(const struct lock_table *table, struct bytes key, uint64_t hash)
{
    struct lock *lock = table->locks[hash & (table->lock_buckets - 1)];
    while (lock != NULL &&
           (lock->hash != hash || !bytes_equal(bytes_of(lock->key, lock->key_size), key)))
        lock = lock->bucket_next;
    return lock;
}

static struct lock_owner *owner_find(const struct lock_table *table, uint64_t txn)
{
    struct lock_owner *owner = table->owners[txn_hash(txn) & (table->owner_buckets - 1)];
    while (owner != NULL && owner->id.txn != txn) owner = owner->bucket_next;
    return owner;
}

// Fails silently: a table with long chains is slow, not wrong.
static void locks_grow(struct lock_table *table)
{
    uint64_t buckets = table->lock_buckets * 4;
    struct lock **grown = calloc(buckets, sizeof(struct lock *));
    if (grown == NULL) return;
    for (uint64_t i = 0; i < table->lock_buckets; i++) {
        struct lock *next;
        for (struct lock *lock = table->locks[i]; lock != NULL; lock = next) {
            next = lock->bucket_next;
            lock->bucket_next = grown[lock->hash & (buckets - 1)];
            grown[lock->hash & (buckets - 1)] = lock;
        }
    }
    free(table->locks);
    table->locks = grown;
    table->lock_buckets = buckets;
}

static struct lock *lock_make(struct lock_table *table, struct bytes key, uint64_t hash)
{
    if (table->lock_count >= LOCK_COUNT_MAX) return NULL;
    if (table->lock_count >= table->lock_buckets * 2) locks_grow(table);
    struct lock *lock = pool_take(&table->lock_pool);
    if (lock == NULL) return NULL;
    lock->key = key.size <= LOCK_KEY_INLINE ? lock->key_inline : malloc(key.size);
    if (lock->key == NULL) {
        pool_give(&table->lock_pool, lock);
        return NULL;
    }
    if (key.size > 0) memcpy(lock->key, key.data, key.size);
    lock->key_size = (uint32_t)key.size;
    lock->hash = hash;
    struct lock **bucket = &table->locks[hash & (table->lock_buckets - 1)];
    lock->bucket_next = *bucket;
    *bucket = lock;
    table->lock_count++;
    return lock;
}

static void lock_drop_if_unused(struct lock_table *table, struct lock *lock)
{
    if (lock->holds != NULL || lock->first != NULL) return;
    struct lock **link = &table->locks[lock->hash & (table->lock_buckets - 1)];
    while (*link != lock) link = &(*link)->bucket_next;
    *link = lock->bucket_next;
    if (lock->key != lock->key_inline) free(lock->key);
    pool_give(&table->lock_pool, lock);
    table->lock_count--;
}

static struct lock_owner *owner_get(struct lock_table *table, struct lock_owner_id id)
{
    struct lock_owner *owner = owner_find(table, id.txn);
    if (owner != NULL) return owner;
    owner = pool_take(&table->owner_pool);
    if (owner == NULL) return NULL;
    owner->id = id;
    struct lock_owner **bucket = &table->owners[txn_hash(id.txn) & (table->owner_buckets - 1)];
    owner->bucket_next = *bucket;
    *bucket = owner;
    table->owner_count++;
    return owner;
}

static void owner_drop_if_unused(struct lock_table *table, struct lock_owner *owner)
{
    if (owner->holds != NULL) return;
    struct lock_owner **link =
        &table->owners[txn_hash(owner->id.txn) & (table->owner_buckets - 1)];
    while (*link != owner) link = &(*link)->bucket_next;
    *link = owner->bucket_next;
    pool_give(&table->owner_pool, owner);
    table->owner_count--;
}

// --- granting ------------------------------------------------------------------------------------

// Where a hold notes what it says of a mode.
static uint32_t place_of(enum kv_lock mode)
{
    return (uint32_t)mode - KV_LOCK_KEY_SHARE;
}

bool lock_modes_conflict(enum kv_lock one, enum kv_lock other)
{
#define WITH(mode) (1u << KV_LOCK_##mode)
    static const uint8_t excluded[] = {
        [KV_LOCK_NONE] = 0,
        [KV_LOCK_KEY_SHARE] = WITH(UPDATE),
        [KV_LOCK_SHARE] = WITH(UPDATE) | WITH(NO_KEY_UPDATE),
        [KV_LOCK_NO_KEY_UPDATE] = WITH(UPDATE) | WITH(NO_KEY_UPDATE) | WITH(SHARE),
        [KV_LOCK_UPDATE] = WITH(UPDATE) | WITH(NO_KEY_UPDATE) | WITH(SHARE) | WITH(KEY_SHARE),
    };
#undef WITH
    return (excluded[one] >> other & 1u) != 0;
}

static struct lock_hold *hold_find(const struct lock *lock, uint64_t txn)
{
    struct lock_hold *hold = lock->holds;
    while (hold != NULL && hold->owner->id.txn != txn) hold = hold->lock_next;
    return hold;
}

// Whether nothing that others hold forbids `mode` to `txn`.
static bool holds_allow(const struct lock *lock, uint64_t txn, enum kv_lock mode)
{
    for (const struct lock_hold *hold = lock->holds; hold != NULL; hold = hold->lock_next) {
        if (hold->owner->id.txn == txn) continue;
        if (lock_modes_conflict(mode, hold->mode)) return false;
    }
    return true;
}

// From now on it is in that mode, and so in those between that and the one that it was in.
static void hold_strengthen(
    const struct lock_table *table, struct lock_hold *hold, enum kv_lock mode, uint32_t level)
{
    for (enum kv_lock next = hold->mode + 1; next <= mode; next++) {
        const uint32_t place = place_of(next);
        hold->levels[place] = level;
        hold->since[place] = hold->here_since[place] = table->since;
    }
    if (hold->mode < mode) hold->mode = mode;
    hold->asked_level = level;
}

static struct lock_hold *hold_add(struct lock_table *table, struct lock *lock,
    struct lock_owner_id id, enum kv_lock mode, uint32_t level)
{
    struct lock_hold *hold = hold_find(lock, id.txn);
    if (hold != NULL) {
        hold_strengthen(table, hold, mode, level);
        return hold;
    }
    struct lock_owner *owner = owner_get(table, id);
    if (owner == NULL) return NULL;
    hold = pool_take(&table->hold_pool);
    if (hold == NULL) {
        owner_drop_if_unused(table, owner);
        return NULL;
    }
    hold->lock = lock;
    hold->owner = owner;
    hold->mode = KV_LOCK_NONE;
    hold_strengthen(table, hold, mode, level);
    hold->lock_next = lock->holds;
    lock->holds = hold;
    hold->owner_previous = NULL;
    hold->owner_next = owner->holds;
    if (owner->holds != NULL) owner->holds->owner_previous = hold;
    owner->holds = hold;
    owner->hold_count++;
    table->hold_count++;
    return hold;
}

static void line_remove(struct lock_waiter *waiter)
{
    struct lock *lock = waiter->lock;
    *(waiter->previous == NULL ? &lock->first : &waiter->previous->next) = waiter->next;
    *(waiter->next == NULL ? &lock->last : &waiter->next->previous) = waiter->previous;
    waiter->previous = waiter->next = NULL;
}

// Gives the lock to those at the head of the line, as far as it goes.
static void line_advance(struct lock_table *table, struct lock *lock)
{
    while (lock->first != NULL) {
        struct lock_waiter *waiter = lock->first;
        if (!holds_allow(lock, waiter->owner.txn, waiter->mode)) return;
        line_remove(waiter);
        const struct lock_hold *hold =
            hold_add(table, lock, waiter->owner, waiter->mode, waiter->level);
        waiter->granted = hold != NULL;
        waiter->since = table->since;
        wait_queue_wake_all(&waiter->queue, waiter->granted
                ? STATUS_OK : status_make(E_OUT_OF_MEMORY, "out of memory for locks"));
    }
}

// --- asking --------------------------------------------------------------------------------------

// The lock for `key` (made when absent) and, if the request was granted at once, what is held then.
static struct status try_or_find(struct lock_table *table, const struct lock_request *request,
    struct bytes key, struct lock **found, struct lock_hold **granted)
{
    uint64_t hash = hash_bytes(key);
    struct lock *lock = lock_find(table, key, hash);
    *granted = NULL;
    if (lock == NULL) {
        lock = lock_make(table, key, hash);
        if (lock == NULL) return status_make(E_OUT_OF_MEMORY, "too many locks in one slice");
    }
    *found = lock;
    struct lock_hold *own = hold_find(lock, request->owner.txn);
    if (own != NULL && own->mode >= request->mode) {
        own->asked_level = request->level;
        *granted = own;
        return STATUS_OK;
    }
    // An upgrade passes the line: those in it wait for this transaction anyway.
    bool may_pass = lock->first == NULL || own != NULL;
    if (!may_pass || !holds_allow(lock, request->owner.txn, request->mode)) return STATUS_OK;
    *granted = hold_add(table, lock, request->owner, request->mode, request->level);
    if (*granted != NULL) return STATUS_OK;
    lock_drop_if_unused(table, lock);
    return status_make(E_OUT_OF_MEMORY, "out of memory for locks");
}

struct status lock_try(struct lock_table *table, const struct lock_request *request,
    struct bytes key, bool *granted)
{
    struct lock *lock;
    struct lock_hold *hold;
    struct status st = try_or_find(table, request, key, &lock, &hold);
    *granted = !failed(st) && hold != NULL;
    return st;
}

bool lock_give(struct lock_table *table, const struct lock_taken *taken)
{
    struct lock *lock;
    struct lock_hold *hold;
    const struct lock_request request = {
        .owner = taken->owner, .mode = taken->mode, .level = taken->levels[0]};
    struct status st = try_or_find(table, &request, taken->key, &lock, &hold);
    if (failed(st)) return false;
    if (hold == NULL) {
        lock_drop_if_unused(table, lock);
        return false;
    }
    for (uint32_t i = 0; i <= place_of(taken->mode); i++) {
        hold->levels[i] = taken->levels[i];
        hold->here_since[i] = table->since;
        hold->since[i] = taken->since[i];
    }
    hold->asked_level = UINT32_MAX; // Not known.
    return true;
}

static uint64_t report_again_ns(const struct lock_table *table)
{
    const uint64_t pause_ns = LOCK_REPORT_AGAIN_NS * (1 + (uint64_t)table->waiter_count / LOCK_REPORT_TOGETHER);
    return pause_ns < LOCK_REPORT_AGAIN_MAX_NS ? pause_ns : LOCK_REPORT_AGAIN_MAX_NS;
}

static void waiter_timer_fire(struct timer *timer)
{
    struct lock_waiter *waiter = timer->arg;
    struct lock_table *table = waiter->table;
    if (table->blocked != NULL) {
        waiter->reported = true;
        table->blocked(waiter);
    }
    timer_arm(table->shard, timer, shard_now_ns(table->shard) + report_again_ns(table));
}

static void line_add(struct lock *lock, struct lock_waiter *waiter)
{
    if (hold_find(lock, waiter->owner.txn) != NULL) { // An upgrade: first in line.
        waiter->next = lock->first;
        *(lock->first == NULL ? &lock->last : &lock->first->previous) = waiter;
        lock->first = waiter;
        return;
    }
    waiter->previous = lock->last;
    *(lock->last == NULL ? &lock->first : &lock->last->next) = waiter;
    lock->last = waiter;
}

static void waiter_enlist(struct lock_table *table, struct lock_waiter *waiter)
{
    waiter->wait_id = ++table->wait_id_last;
    waiter->table_next = table->waiters;
    if (table->waiters != NULL) table->waiters->table_previous = waiter;
    table->waiters = waiter;
    table->waiter_count++;
}

static void waiter_delist(struct lock_table *table, struct lock_waiter *waiter)
{
    *(waiter->table_previous == NULL ? &table->waiters : &waiter->table_previous->table_next) =
        waiter->table_next;
    if (waiter->table_next != NULL) waiter->table_next->table_previous = waiter->table_previous;
    table->waiter_count--;
}

static struct status wait_in_line(struct task *task, struct lock_table *table,
    const struct lock_request *request, struct lock *lock, uint64_t *since)
{
    struct lock_waiter waiter = {.table = table, .lock = lock, .owner = request->owner,
        .mode = request->mode, .level = request->level, .started_ns = task_now_ns(task)};
    wait_queue_init(&waiter.queue);
    line_add(lock, &waiter);
    waiter_enlist(table, &waiter);
    waiter.timer = (struct timer){.fire = waiter_timer_fire, .arg = &waiter};
    timer_arm(table->shard, &waiter.timer, shard_now_ns(table->shard) + LOCK_REPORT_NS);

    struct status st = request->deadline_ns == 0
        ? task_wait(task, &waiter.queue)
        : task_wait_until(task, &waiter.queue, request->deadline_ns,
              status_make(E_LOCK_NOT_AVAILABLE, "canceling statement due to lock timeout"));

    timer_disarm(table->shard, &waiter.timer);
    waiter_delist(table, &waiter);
    if (waiter.reported && table->unblocked != NULL) table->unblocked(&waiter);
    // Granted and cancelled at the same time: the lock is held, the task's next wait says that it
    // must end.
    *since = waiter.since;
    if (waiter.granted) return STATUS_OK;
    covered("lock.wait_in_vain");
    if (waiter.lock == NULL) { // The table was dropped.
        covered("lock.table_dropped");
        invariant(failed(st));
        return st;
    }
    bool in_line = waiter.previous != NULL || lock->first == &waiter;
    if (in_line) {
        line_remove(&waiter);
        line_advance(table, lock); // Those behind may have waited for this one only.
    }
    lock_drop_if_unused(table, lock);
    invariant(failed(st));
    return st;
}

struct status lock_acquire(struct task *task, struct lock_table *table,
    const struct lock_request *request, struct bytes key, struct lock_answer *answer)
{
    struct lock *lock;
    struct lock_hold *hold;
    *answer = (struct lock_answer){0};
    struct status st = try_or_find(table, request, key, &lock, &hold);
    if (failed(st)) return st;
    if (hold != NULL) {
        answer->since = table->since;
        return STATUS_OK;
    }
    if (request->wait != KV_WAIT_BLOCK) {
        lock_drop_if_unused(table, lock);
        if (request->wait == KV_WAIT_FAIL) {
            return status_make(E_LOCK_NOT_AVAILABLE, "could not obtain lock on row");
        }
        answer->skipped = true;
        return STATUS_OK;
    }
    // Whoever holds it needs a stack to go on.
    if (!linger_begin(task)) {
        covered("lock.crowded");
        lock_drop_if_unused(table, lock);
        return linger_refused();
    }
    uint64_t started_ns = task_now_ns(task);
    st = wait_in_line(task, table, request, lock, &answer->since);
    linger_end(task);
    answer->suspended = true;
    answer->waited_ns = task_now_ns(task) - started_ns;
    return st;
}

static bool forbids(const struct lock *lock, uint64_t txn, enum kv_lock mode)
{
    const struct lock_hold *own = hold_find(lock, txn);
    if (own != NULL && own->mode >= mode) return false;
    return lock->first != NULL || !holds_allow(lock, txn, mode);
}

bool lock_taken_by_other(
    const struct lock_table *table, uint64_t txn, struct bytes key, enum kv_lock mode)
{
    if (table->lock_count == 0) return false;
    const struct lock *lock = lock_find(table, key, hash_bytes(key));
    return lock != NULL && forbids(lock, txn, mode);
}

uint64_t lock_count_of_others(const struct lock_table *table, uint64_t txn)
{
    const struct lock_owner *own = owner_find(table, txn);
    return table->hold_count - (own == NULL ? 0 : own->hold_count) + table->waiter_count;
}

static bool forbids_wanted(const struct lock *lock, uint64_t txn,
    enum kv_lock (*wanted)(const void *arg, struct bytes key), const void *arg)
{
    const enum kv_lock mode = wanted(arg, bytes_of(lock->key, lock->key_size));
    return mode != KV_LOCK_NONE && forbids(lock, txn, mode);
}

bool lock_taken_by_other_any(const struct lock_table *table, uint64_t txn,
    enum kv_lock (*wanted)(const void *arg, struct bytes key), const void *arg)
{
    for (const struct lock_waiter *waiter = table->waiters; waiter != NULL; waiter = waiter->table_next) {
        const bool waits = !waiter->granted && waiter->lock != NULL;
        if (waits && waiter->owner.txn != txn && forbids_wanted(waiter->lock, txn, wanted, arg)) return true;
    }
    for (uint64_t i = 0; i < table->owner_buckets && table->hold_count > 0; i++) {
        for (const struct lock_owner *owner = table->owners[i]; owner != NULL; owner = owner->bucket_next) {
            if (owner->id.txn == txn) continue;
            for (const struct lock_hold *hold = owner->holds; hold != NULL; hold = hold->owner_next)
                if (forbids_wanted(hold->lock, txn, wanted, arg)) return true;
        }
    }
    return false;
}

bool lock_holds(const struct lock_table *table, uint64_t txn, struct bytes key, enum kv_lock mode)
{
    const struct lock *lock = lock_find(table, key, hash_bytes(key));
    const struct lock_hold *own = lock == NULL ? NULL : hold_find(lock, txn);
    return own != NULL && own->mode >= mode;
}

// Bits of a `since`: slice, term, and how often since then locks may have been lost.
#define SINCE_TERM_BITS 27u
#define SINCE_LOST_BITS 24u
#define SINCE_SLICE_SHIFT (SINCE_TERM_BITS + SINCE_LOST_BITS)
static_assert(KV_SLICES_MAX < 1u << (64 - SINCE_SLICE_SHIFT), "a slice's id has room");

uint64_t lock_since(uint64_t slice, uint64_t term)
{
    const uint64_t term_mask = (UINT64_C(1) << SINCE_TERM_BITS) - 1;
    return slice << SINCE_SLICE_SHIFT | (term & term_mask) << SINCE_LOST_BITS | 1;
}

// Taken no later than when the other was told.
static bool since_reaches(uint64_t taken, uint64_t told)
{
    return taken >> SINCE_SLICE_SHIFT == told >> SINCE_SLICE_SHIFT && taken <= told;
}

bool lock_held_since(const struct lock_table *table, uint64_t txn, struct bytes key,
    enum kv_lock mode, uint64_t since)
{
    const struct lock *lock = lock_find(table, key, hash_bytes(key));
    const struct lock_hold *own = lock == NULL ? NULL : hold_find(lock, txn);
    if (own == NULL || own->mode < mode) return false;
    const uint32_t place = place_of(mode);
    return since == 0 || since_reaches(own->since[place], since) ||
        since_reaches(own->here_since[place], since);
}

uint64_t lock_held_count(const struct lock_table *table, uint64_t txn)
{
    const struct lock_owner *owner = owner_find(table, txn);
    return owner == NULL ? 0 : owner->hold_count;
}

uint32_t lock_owners(const struct lock_table *table, uint64_t turn, uint64_t *txns, uint32_t max)
{
    uint32_t count = 0;
    for (uint64_t i = 0; i < table->owner_buckets && count < max; i++) {
        const struct lock_owner *owner = table->owners[(turn * max + i) % table->owner_buckets];
        for (; owner != NULL && count < max; owner = owner->bucket_next) txns[count++] = owner->id.txn;
    }
    return count;
}

static void hold_release(struct lock_table *table, struct lock_hold *hold)
{
    struct lock *lock = hold->lock;
    struct lock_hold **link = &lock->holds;
    while (*link != hold) link = &(*link)->lock_next;
    *link = hold->lock_next;
    table->hold_count--;
    pool_give(&table->hold_pool, hold);
    line_advance(table, lock);
    lock_drop_if_unused(table, lock);
}

void lock_release_all(struct lock_table *table, uint64_t txn)
{
    if (table->owner_count == 0) return;
    struct lock_owner *owner = owner_find(table, txn);
    if (owner == NULL) return;
    struct lock_hold *next;
    for (struct lock_hold *hold = owner->holds; hold != NULL; hold = next) {
        next = hold->owner_next;
        hold_release(table, hold);
    }
    owner->holds = NULL;
    owner_drop_if_unused(table, owner);
}

static void hold_drop(struct lock_table *table, struct lock_hold *hold)
{
    struct lock_owner *owner = hold->owner;
    *(hold->owner_previous == NULL ? &owner->holds : &hold->owner_previous->owner_next) =
        hold->owner_next;
    if (hold->owner_next != NULL) hold->owner_next->owner_previous = hold->owner_previous;
    owner->hold_count--;
    hold_release(table, hold);
    owner_drop_if_unused(table, owner);
}

// The strongest that it was in without what was taken at those levels. Levels grow with modes.
static enum kv_lock mode_before(const struct lock_hold *hold, uint32_t from, uint32_t to)
{
    enum kv_lock mode = KV_LOCK_NONE;
    while (mode < hold->mode) {
        const uint32_t level = hold->levels[place_of(mode + 1)];
        if (level >= from && level <= to) break;
        mode++;
    }
    return mode;
}

void lock_release_levels(struct lock_table *table, uint64_t txn, uint32_t from, uint32_t to)
{
    struct lock_owner *owner = owner_find(table, txn);
    if (owner == NULL) return;
    struct lock_hold *next;
    for (struct lock_hold *hold = owner->holds; hold != NULL; hold = next) {
        next = hold->owner_next; // The owner goes with its last hold, and that has no next one.
        const enum kv_lock kept = mode_before(hold, from, to);
        if (kept == hold->mode) continue;
        if (hold->asked_level > to) table->since++; // Before another is given it.
        if (kept == KV_LOCK_NONE) {
            hold_drop(table, hold);
        } else {
            hold->mode = kept;
            line_advance(table, hold->lock);
        }
    }
}

void lock_release_lost(struct lock_table *table, uint64_t txn)
{
    if (owner_find(table, txn) == NULL) return;
    table->since++; // Before others are given what it held.
    lock_release_all(table, txn);
}

bool lock_release_unawaited(struct lock_table *table, uint64_t txn, struct bytes key)
{
    struct lock *lock = lock_find(table, key, hash_bytes(key));
    if (lock == NULL || lock->first != NULL) return false;
    struct lock_hold *hold = hold_find(lock, txn);
    if (hold == NULL) return false;
    hold_drop(table, hold);
    return true;
}

static void line_drop(struct lock *lock, struct status st)
{
    while (lock->first != NULL) {
        struct lock_waiter *waiter = lock->first;
        line_remove(waiter);
        waiter->lock = NULL;
        wait_queue_wake_all(&waiter->queue, st);
    }
}

uint64_t lock_count_in(const struct lock_table *table, struct span span, uint64_t *who)
{
    uint64_t count = 0;
    *who = 0;
    if (table->lock_count == 0) return 0;
    for (uint64_t i = 0; i < table->lock_buckets; i++) {
        for (const struct lock *lock = table->locks[i]; lock != NULL; lock = lock->bucket_next) {
            if (!span_contains(span, bytes_of(lock->key, lock->key_size))) continue;
            for (const struct lock_hold *hold = lock->holds; hold != NULL; hold = hold->lock_next) {
                *who += hash_u64(hold->owner->id.txn ^ lock->hash);
                count++;
            }
        }
    }
    return count;
}

// The key is the table's.
static struct lock_taken taken_of(const struct lock_hold *hold)
{
    struct lock_taken taken = {.key = bytes_of(hold->lock->key, hold->lock->key_size),
        .owner = hold->owner->id, .mode = hold->mode};
    for (uint32_t i = 0; i <= place_of(hold->mode); i++) {
        taken.levels[i] = hold->levels[i];
        taken.since[i] = hold->since[i];
    }
    return taken;
}

// The lock goes with its last hold.
static void lock_take(struct lock_table *table, struct lock *lock, struct arena *arena,
    uint32_t max, struct lock_taken *taken, uint32_t *count)
{
    const struct bytes key = bytes_of(lock->key, lock->key_size);
    struct lock_hold *next;
    for (struct lock_hold *hold = lock->holds; hold != NULL; hold = next) {
        next = hold->lock_next;
        if (*count < max) {
            taken[*count] = taken_of(hold);
            taken[(*count)++].key = arena_copy(arena, key);
        }
        hold_drop(table, hold);
    }
}

void lock_span_take(struct lock_table *table, struct span span, struct status st,
    struct arena *arena, uint32_t max, struct lock_taken **taken, uint32_t *count)
{
    *count = 0;
    if (table->lock_count < max) max = (uint32_t)table->lock_count * 4; // Shared ones have several holders.
    *taken = ARENA_ARRAY(arena, struct lock_taken, max + 1);
    // The span may be served here again, without them: whoever then takes one anew has not held it all along.
    table->since++;
    for (uint64_t i = 0; i < table->lock_buckets; i++) {
        struct lock *next;
        for (struct lock *lock = table->locks[i]; lock != NULL; lock = next) {
            next = lock->bucket_next;
            if (!span_contains(span, bytes_of(lock->key, lock->key_size))) continue;
            const bool held = lock->holds != NULL;
            line_drop(lock, st);
            lock_take(table, lock, arena, max, *taken, count);
            if (!held) lock_drop_if_unused(table, lock);
        }
    }
}

bool lock_next_held(const struct lock_table *table, uint64_t *place, struct lock_taken *held)
{
    // High half: the bucket; low half: how many of its holds have been shown.
    uint64_t bucket = *place >> 32;
    for (uint32_t skip = (uint32_t)*place; bucket < table->lock_buckets; bucket++, skip = 0) {
        uint32_t at = 0;
        for (const struct lock *lock = table->locks[bucket]; lock != NULL; lock = lock->bucket_next) {
            for (const struct lock_hold *hold = lock->holds; hold != NULL; hold = hold->lock_next) {
                if (at++ < skip) continue;
                *held = taken_of(hold);
                *place = bucket << 32 | at;
                return true;
            }
        }
    }
    return false;
}

void lock_table_drop(struct lock_table *table, struct status st)
{
    for (uint64_t i = 0; i < table->lock_buckets; i++) {
        for (struct lock *lock = table->locks[i]; lock != NULL; lock = lock->bucket_next)
            line_drop(lock, st);
    }
    // Nobody is in line any more, so a release passes nothing on. Who was granted a lock and has not run since
    // finds out when it asks the slice.
    for (uint64_t i = 0; i < table->owner_buckets; i++) {
        while (table->owners[i] != NULL)
            lock_release_all(table, table->owners[i]->id.txn);
    }
}

// --- for the deadlock detector -------------------------------------------------------------------

void lock_wait_fail(struct lock_table *table, uint64_t wait_id, struct status st)
{
    struct lock_waiter *waiter = table->waiters;
    while (waiter != NULL && waiter->wait_id != wait_id) waiter = waiter->table_next;
    if (waiter != NULL && !waiter->granted) wait_queue_wake_all(&waiter->queue, st);
}

struct bytes lock_waiter_key(const struct lock_waiter *waiter)
{
    if (waiter->lock == NULL) return (struct bytes){0};
    return bytes_of(waiter->lock->key, waiter->lock->key_size);
}

uint32_t lock_waits_for(
    const struct lock_waiter *waiter, struct lock_owner_id *owners, uint32_t max)
{
    uint32_t count = 0;
    if (waiter->lock == NULL) return 0;
    const struct lock_hold *hold = waiter->lock->holds;
    for (; hold != NULL && count < max; hold = hold->lock_next) {
        if (hold->owner->id.txn == waiter->owner.txn) continue;
        if (lock_modes_conflict(waiter->mode, hold->mode)) owners[count++] = hold->owner->id;
    }
    const struct lock_waiter *ahead = waiter->previous;
    if (ahead != NULL && count < max) owners[count++] = ahead->owner;
    return count;
}
