// SPDX-License-Identifier: GPL-3.0-or-later
#include "sql/service/row_locks.h"

#include <stdlib.h>

#include "core/hash.h"
#include "kv/key.h"
#include "kv/lock_list.h"
#include "sql/insight/activity.h"
#include "sql/catalog/catalog.h"

#define EPOCH_2000_US INT64_C(946684800000000)

// --- whose they are --------------------------------------------------------------------------------------

struct owner {
    uint64_t txn;
    uint32_t process, database;
};
struct owners {
    struct owner *items;
    uint32_t count;
};

static int owner_order(const void *left, const void *right)
{
    const struct owner *a = left, *b = right;
    return (a->txn > b->txn) - (a->txn < b->txn);
}

static struct status owners_get(
    struct task *task, struct session *session, struct arena *arena, struct owners *owners)
{
    struct activity_list list = {0};
    struct status st = activity_list(task, session->tenant, true, arena, &list);
    owners->items = ARENA_ARRAY(arena, struct owner, list.count + 1);
    owners->count = 0;
    for (uint32_t i = 0; i < list.count && !failed(st); i++) {
        if (list.items[i].txn == 0) continue;
        const struct database_desc *database = NULL;
        st = catalog_database(task, session, list.items[i].database, true, &database);
        owners->items[owners->count++] = (struct owner){list.items[i].txn, list.items[i].process,
            database == NULL ? 0 : pg_oid(database->id)};
    }
    qsort(owners->items, owners->count, sizeof *owners->items, owner_order);
    return st;
}

// NULL: no session's, or one that has ended meanwhile.
static const struct owner *owner_of(const struct owners *owners, uint64_t txn)
{
    const struct owner wanted = {.txn = txn};
    return bsearch(&wanted, owners->items, owners->count, sizeof wanted, owner_order);
}

// --- pg_locks --------------------------------------------------------------------------------------------

static int64_t xid_of(uint64_t txn)
{
    const uint32_t folded = (uint32_t)(txn ^ txn >> 32);
    return folded == 0 ? 1 : folded;
}

static bool table_of(struct bytes key, uint32_t *table)
{
    uint64_t tenant, id;
    if (failed(key_decode_tenant_prefix(&key, &tenant)) || failed(key_decode_uvarint(&key, &id))) return false;
    *table = (uint32_t)id;
    return id <= UINT32_MAX;
}

static void put_owner(struct pg_row *row, struct arena *arena, const struct owner *owner)
{
    if (owner == NULL) return;
    pg_put_text(row, "virtualtransaction", arena_printf(arena, "%u/0", owner->process));
    pg_put_int(row, "pid", owner->process);
}

static struct status send_tuple(struct virtual_table_sink *sink, struct arena *arena,
    const struct listed_lock *lock, const struct owner *owner)
{
    // As PostgreSQL shows its own of these strengths.
    static const char *const mode_names[] = {[KV_LOCK_KEY_SHARE] = "AccessShareLock",
        [KV_LOCK_SHARE] = "RowShareLock", [KV_LOCK_NO_KEY_UPDATE] = "ExclusiveLock",
        [KV_LOCK_UPDATE] = "AccessExclusiveLock"};
    struct pg_row row;
    uint32_t table;
    const uint64_t hash = hash_bytes(lock->key);
    pg_row_begin(&row, sink);
    pg_put_text(&row, "locktype", "tuple");
    if (owner != NULL) pg_put_int(&row, "database", owner->database);
    if (table_of(lock->key, &table)) pg_put_int(&row, "relation", pg_oid(table));
    pg_put_int(&row, "page", (int64_t)(hash >> 33));
    pg_put_int(&row, "tuple", (int64_t)(hash & 0x7fff));
    put_owner(&row, arena, owner);
    pg_put_text(&row, "mode", mode_names[lock->mode]);
    pg_put_bool(&row, "granted", lock->granted);
    pg_put_bool(&row, "fastpath", false);
    if (!lock->granted) pg_put_int(&row, "waitstart", lock->since_us - EPOCH_2000_US);
    return pg_row_send(&row);
}

// Its own, or (`wait`) what the owner waits for.
static struct status send_transaction(struct virtual_table_sink *sink, struct arena *arena,
    uint64_t txn, const struct owner *owner, const struct listed_lock *wait)
{
    struct pg_row row;
    pg_row_begin(&row, sink);
    pg_put_text(&row, "locktype", "transactionid");
    pg_put_int(&row, "transactionid", xid_of(txn));
    put_owner(&row, arena, owner);
    pg_put_text(&row, "mode", wait == NULL ? "ExclusiveLock" : "ShareLock");
    pg_put_bool(&row, "granted", wait == NULL);
    pg_put_bool(&row, "fastpath", false);
    if (wait != NULL) pg_put_int(&row, "waitstart", wait->since_us - EPOCH_2000_US);
    return pg_row_send(&row);
}

static int txn_order(const void *left, const void *right)
{
    const uint64_t *a = left, *b = right;
    return (*a > *b) - (*a < *b);
}

static struct status send_transactions(struct virtual_table_sink *sink, struct arena *arena,
    const struct lock_list *list, const struct owners *owners)
{
    struct status st = STATUS_OK;
    uint64_t *txns = ARENA_ARRAY(arena, uint64_t, list->count + 1);
    for (uint32_t i = 0; i < list->count; i++) txns[i] = list->locks[i].txn;
    qsort(txns, list->count, sizeof *txns, txn_order);
    for (uint32_t i = 0; i < list->count; i++) {
        if (i > 0 && txns[i] == txns[i - 1]) continue;
        TRY(send_transaction(sink, arena, txns[i], owner_of(owners, txns[i]), NULL));
    }
out:
    return st;
}

struct status row_locks_send(
    struct task *task, struct session *session, struct virtual_table_sink *sink)
{
    struct status st;
    struct arena arena;
    struct lock_list list;
    struct owners owners;
    arena_init(&arena, NULL); // Filled in on several shards.
    TRY(lock_list(task, session->tenant, &arena, &list));
    TRY(owners_get(task, session, &arena, &owners));
    for (uint32_t i = 0; i < list.count; i++) {
        const struct listed_lock *lock = &list.locks[i];
        const struct owner *owner = owner_of(&owners, lock->txn);
        TRY(send_tuple(sink, &arena, lock, owner));
        if (lock->granted || lock->blocker_count == 0) continue;
        TRY(send_transaction(sink, &arena, lock->blockers[0], owner, lock));
    }
    TRY(send_transactions(sink, &arena, &list, &owners));
out:
    st = status_copy(task->arena, st);
    arena_fini(&arena);
    return st;
}

// --- who is in the way -----------------------------------------------------------------------------------

struct status row_locks_blocking(struct task *task, struct session *session, uint32_t process,
    struct arena *arena, uint32_t **processes, uint32_t *count)
{
    struct status st;
    struct lock_list list;
    struct owners owners;
    *count = 0;
    TRY(lock_list(task, session->tenant, arena, &list));
    TRY(owners_get(task, session, arena, &owners));
    *processes = ARENA_ARRAY(arena, uint32_t, LOCK_LIST_BLOCKERS_MAX);
    for (uint32_t i = 0; i < list.count; i++) {
        const struct listed_lock *lock = &list.locks[i];
        const struct owner *waiting = lock->granted ? NULL : owner_of(&owners, lock->txn);
        if (waiting == NULL || waiting->process != process) continue;
        for (uint32_t k = 0; k < lock->blocker_count && *count < LOCK_LIST_BLOCKERS_MAX; k++) {
            const struct owner *blocker = owner_of(&owners, lock->blockers[k]);
            if (blocker == NULL) continue;
            bool known = false;
            for (uint32_t n = 0; n < *count; n++) known = known || (*processes)[n] == blocker->process;
            if (!known) (*processes)[(*count)++] = blocker->process;
        }
    }
out:
    return st;
}
