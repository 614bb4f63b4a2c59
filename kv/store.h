// SPDX-License-Identifier: GPL-3.0-or-later
//
// Stores: the ordered tables below one slice. A store knows bytes, not versions (kv/mvcc.h), and not the log.
//
// Two implementations: WiredTiger (kv/store_wt.c; a home folder of its own) and an in-memory model
// (kv/store_model.c; for simulation and differential tests). Both give the same answers, byte for byte.
//
// Durability is the last checkpoint, nothing less and nothing more: what was committed after it is gone
// when the process dies, and comes back from the slice's log. A checkpoint is consistent over all tables.
//
// Shard    The slice's owner. Only the functions that take a task suspend; with task NULL (tests, helpers)
//          they run in place.
// Bounds   A key has at least one byte. (To seek from the empty key is to seek from the start.)
// Memory   Keys and values handed out point into the store: valid until the next call on the same cursor
//          (or, for store_get, on the same table), until a change of the store, and never across a suspension.
// Errors   STORE_BUSY: the cache is full, roll back and try again with less. 53100, 58030, XX001.
// Checked  tests/unit/kv/test_store.c: both stores under the same random operations.
#pragma once
#include <stdbool.h>
#include <stdint.h>

#include "core/arena.h"
#include "core/bytes.h"
#include "core/status.h"
#include "core/task.h"

#define STORE_BUSY SQLSTATE('K', '0', '0', '1', '0')

enum store_table {
    STORE_CURRENT, // key -> newest version
    STORE_HISTORY, // (key, ts descending) -> older version
    STORE_TIME,    // (tenant, ts, key) -> nothing; only of ingesting tenants
    STORE_META,    // applied index, thresholds, prepared transactions, the upper half's records
    STORE_PIECES,  // (key, ts descending, number) -> a part of a long value (kv/mvcc.h)
    STORE_TABLE_COUNT,
};

enum store_direction { STORE_FORWARD, STORE_BACKWARD };

struct store;

struct store_cursor {
    struct store *store;
    enum store_table table;
    struct bytes key, value;   // Of the position; undefined when seek or step said "not found".
    struct store_cursor *next; // Free list.
};

struct store_figures {
    uint64_t bytes;       // On disk (or of the model's content).
    uint64_t cache_bytes; // In use.
    uint64_t dirty_bytes;
    uint32_t resting; // Threads of its own that wait to be woken, since nobody uses it.
};

// A consistent copy in the making: the files of the last checkpoint, kept as they are until backup_end.
// A folder with exactly these files is a store's home.
struct store_backup_file {
    const char *name; // In the home; no slash.
    uint64_t bytes;
};
struct store_backup {
    struct store *store;
    struct store_backup_file *files;
    uint32_t count;
};

struct store_ops {
    const char *name;
    // --- reading
    struct status (*get)(struct store *store, enum store_table table, struct bytes key,
        struct bytes *value, bool *found);
    void (*release)(struct store *store);
    struct status (*cursor_open)(
        struct store *store, enum store_table table, struct store_cursor **cursor);
    void (*cursor_close)(struct store_cursor *cursor);
    struct status (*seek)(
        struct store_cursor *cursor, enum store_direction direction, struct bytes key, bool *found);
    struct status (*step)(struct store_cursor *cursor, enum store_direction direction, bool *found);
    // --- changing
    struct status (*begin)(struct store *store);
    struct status (*commit)(struct store *store);
    void (*rollback)(struct store *store);
    struct status (*put)(
        struct store *store, enum store_table table, struct bytes key, struct bytes value);
    struct status (*add)(
        struct store *store, struct bytes key, struct bytes value, bool *added);
    struct status (*remove)(struct store *store, enum store_table table, struct bytes key);
    struct status (*clear)(struct store *store, enum store_table table, struct span span);
    // --- the whole
    struct status (*checkpoint)(struct task *task, struct store *store);
    struct status (*backup_begin)(
        struct task *task, struct store *store, struct store_backup **backup);
    struct status (*backup_read)(struct task *task, struct store_backup *backup, uint32_t file,
        uint64_t offset, void *buffer, size_t size, size_t *read);
    void (*backup_end)(struct task *task, struct store_backup *backup);
    void (*figures)(struct store *store, struct store_figures *figures);
    struct status (*cache_set)(struct store *store, uint64_t cache_bytes);
    struct status (*cache_shrink)(struct store *store, bool shrink);
    struct status (*close)(struct task *task, struct store *store);
    void (*drop)(struct store *store);
};

struct store {
    const struct store_ops *ops;
};

struct store_options {
    const char *home;     // Folder of this store alone; made when absent.
    uint64_t cache_bytes; // 0: 64 MiB.
    bool in_memory;       // WiredTiger without files: nothing survives.
};

// Opens or creates; the content is that of the last checkpoint. Suspends.
CHECKED struct status store_wt_open(
    struct task *task, const struct store_options *options, struct store **store);
// `home` NULL: a model that is never written down (and may be used without a task).
CHECKED struct status store_model_open(
    struct task *task, const struct store_options *options, struct store **store);

// How stores are opened, where something else than the two is wanted (kv_options.store_open): simulation has both at once.
typedef struct status (*store_open_fn)(
    struct task *task, const struct store_options *options, struct store **store);

// One search. *found false when absent.
static inline CHECKED struct status store_get(
    struct store *store, enum store_table table, struct bytes key, struct bytes *value, bool *found)
{
    return store->ops->get(store, table, key, value, found);
}
// Ends the validity of what store_get gave and lets go of the pages it came from. Call it after each use.
static inline void store_release(struct store *store)
{
    store->ops->release(store);
}

// Cursors are kept and cheap to open; close them before suspending.
static inline CHECKED struct status store_cursor_open(
    struct store *store, enum store_table table, struct store_cursor **cursor)
{
    return store->ops->cursor_open(store, table, cursor);
}
static inline void store_cursor_close(struct store_cursor *cursor)
{
    if (cursor != NULL) cursor->store->ops->cursor_close(cursor);
}
// Forward: the first key at or above `key`. Backward: the last key below `key`.
static inline CHECKED struct status store_seek(
    struct store_cursor *cursor, enum store_direction direction, struct bytes key, bool *found)
{
    return cursor->store->ops->seek(cursor, direction, key, found);
}
// From a found position to its neighbour.
static inline CHECKED struct status store_step(
    struct store_cursor *cursor, enum store_direction direction, bool *found)
{
    return cursor->store->ops->step(cursor, direction, found);
}

// One transaction at a time; reads see its changes. On a failure the caller rolls back.
static inline CHECKED struct status store_begin(struct store *store)
{
    return store->ops->begin(store);
}
static inline CHECKED struct status store_commit(struct store *store)
{
    return store->ops->commit(store);
}
static inline void store_rollback(struct store *store)
{
    store->ops->rollback(store);
}
static inline CHECKED struct status store_put(
    struct store *store, enum store_table table, struct bytes key, struct bytes value)
{
    return store->ops->put(store, table, key, value);
}
// Puts into STORE_CURRENT what is not there yet; *added false, and nothing changes, when the key is. One search.
static inline CHECKED struct status store_add(
    struct store *store, struct bytes key, struct bytes value, bool *added)
{
    return store->ops->add(store, key, value, added);
}
// Absent is success.
static inline CHECKED struct status store_remove(
    struct store *store, enum store_table table, struct bytes key)
{
    return store->ops->remove(store, table, key);
}
// Everything in the span, in the running transaction.
static inline CHECKED struct status store_clear(
    struct store *store, enum store_table table, struct span span)
{
    return store->ops->clear(store, table, span);
}

// Makes what was committed before the call durable. Changes may go on meanwhile; they may or may not be in
// it, transaction by transaction.
static inline CHECKED struct status store_checkpoint(struct task *task, struct store *store)
{
    return store->ops->checkpoint(task, store);
}
// Of what store_checkpoint made durable last; there must have been one. At most one at a time. Suspends.
static inline CHECKED struct status store_backup_begin(
    struct task *task, struct store *store, struct store_backup **backup)
{
    return store->ops->backup_begin(task, store, backup);
}
// *read is less than `size` only at the end of the file. Suspends.
static inline CHECKED struct status store_backup_read(struct task *task,
    struct store_backup *backup, uint32_t file, uint64_t offset, void *buffer, size_t size,
    size_t *read)
{
    return backup->store->ops->backup_read(task, backup, file, offset, buffer, size, read);
}
static inline void store_backup_end(struct task *task, struct store_backup *backup)
{
    if (backup != NULL) backup->store->ops->backup_end(task, backup);
}
static inline void store_figures(struct store *store, struct store_figures *figures)
{
    store->ops->figures(store, figures);
}
static inline CHECKED struct status store_cache_set(struct store *store, uint64_t cache_bytes)
{
    return store->ops->cache_set(store, cache_bytes);
}
// While it shrinks, the cache lets go, in the background, of what is more than the files had at the last checkpoint:
// what was written since the store was opened takes several times that. Only while nobody uses the store much.
static inline CHECKED struct status store_cache_shrink(struct store *store, bool shrink)
{
    return store->ops->cache_shrink(store, shrink);
}
// Without a checkpoint: call that first. The store is freed whatever the outcome.
static inline CHECKED struct status store_close(struct task *task, struct store *store)
{
    return store->ops->close(task, store);
}
// For tests and failed slices: lets go of everything in place. The model writes nothing, as a crash would;
// WiredTiger cannot be closed without a checkpoint of its own.
static inline void store_drop(struct store *store)
{
    store->ops->drop(store);
}
