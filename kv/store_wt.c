// SPDX-License-Identifier: GPL-3.0-or-later
//
// The WiredTiger store: one connection, one home and one writing session a slice. WiredTiger's own log is off:
// the slice's log is the log, and a checkpoint is what is durable. Reads and writes run on the owner's
// thread; opening, checkpoints and closing run on helpers, a checkpoint in a session of its own.
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <wiredtiger.h>

#include "core/disk.h"
#include "core/invariant.h"
#include "core/log.h"
#include "core/pollers.h"
#include "kv/admin.h"
#include "kv/store.h"
#include "kv/store_gap.h"
#include "kv/store_wt_file.h"

// How far ahead of a scan its next rows are asked for: some rows, in the same page mostly.
#define PREFETCH_BYTES 640

#define CACHE_BYTES_DEFAULT (64u << 20)
#define CACHE_BYTES_MIN (4u << 20)
#define CACHE_BYTES_LEAST (1u << 20) // WiredTiger takes no less.

static const char *const table_uris[STORE_TABLE_COUNT] = {
    [STORE_CURRENT] = "file:current.wt",
    [STORE_HISTORY] = "file:history.wt",
    [STORE_TIME] = "file:time.wt",
    [STORE_META] = "file:meta.wt",
    [STORE_PIECES] = "file:pieces.wt",
};

// Of what fills a page in memory all is written at once, by whoever comes by: of pieces of long values that is little.
#define TABLE_CONFIG                                                                               \
    "key_format=u,value_format=u,allocation_size=4KB,leaf_page_max=32KB,"                          \
    "internal_page_max=16KB,leaf_key_max=3KB,memory_page_max="
static const char *const table_configs[STORE_TABLE_COUNT] = {
    [STORE_CURRENT] = TABLE_CONFIG "4MB",
    [STORE_HISTORY] = TABLE_CONFIG "4MB",
    [STORE_TIME] = TABLE_CONFIG "4MB",
    [STORE_META] = TABLE_CONFIG "4MB",
    [STORE_PIECES] = TABLE_CONFIG "1MB",
};

// The library finds it by its name; the linker by this.
__attribute__((used)) static int (*const file_system_load)(
    WT_CONNECTION *connection, WT_CONFIG_ARG *config) = store_wt_file_load;

struct wt_cursor {
    struct store_cursor base;
    WT_CURSOR *wt;
};

struct store_wt {
    struct store base;
    WT_EVENT_HANDLER events;
    struct pollers pollers; // Eviction looks once a second, sweeping every two: not while nobody uses the store.
    char *home;
    uint64_t cache_bytes;
    bool in_memory;
    WT_CONNECTION *connection;
    WT_SESSION *session;            // The owner's.
    WT_SESSION *checkpoint_session; // A helper's; one checkpoint at a time.
    bool checkpointing;
    bool shrinking; // The cache is smaller than cache_bytes for now.
    // Kept cursors for points and changes. One that the last get left standing on a record needs no second
    // search to change it.
    WT_CURSOR *points[STORE_TABLE_COUNT];
    WT_CURSOR *adder;                 // Of STORE_CURRENT: never overwrites.
    bool pinned[STORE_TABLE_COUNT];   // Holds pages: to be reset.
    bool standing[STORE_TABLE_COUNT]; // On a record, as get left it.
    struct store_gap gaps[STORE_TABLE_COUNT];
    struct store_cursor *cursors_free[STORE_TABLE_COUNT];
    uint32_t cursors_open;
    uint64_t file_bytes; // At the last checkpoint.
    int result;          // Of a helper's function.
};

static struct store_wt *wt_of(struct store *store)
{
    return container_of(store, struct store_wt, base);
}

static struct status status_from_wt(int ret, const char *what)
{
    switch (ret) {
    case 0: return STATUS_OK;
    case WT_ROLLBACK:
    case WT_CACHE_FULL: return status_make(STORE_BUSY, "store cache is full");
    case WT_PANIC: return status_make(E_IO_ERROR, "the store has failed");
    case WT_ERROR:
    case WT_NOTFOUND:
    case WT_DUPLICATE_KEY: return status_make(E_DATA_CORRUPTED, what);
    default: return ret > 0 ? status_from_errno(ret, what) : status_make(E_IO_ERROR, what);
    }
}

static WT_ITEM item_of(struct bytes bytes)
{
    return (WT_ITEM){.data = bytes.data, .size = bytes.size};
}

// --- points --------------------------------------------------------------------------------------------

static struct status gap_learn(struct store_wt *wt, enum store_table table, struct bytes key);

static struct status wt_get(
    struct store *store, enum store_table table, struct bytes key, struct bytes *value, bool *found)
{
    struct store_wt *wt = wt_of(store);
    WT_CURSOR *cursor = wt->points[table];
    pollers_worked(&wt->pollers);
    if (store_gap_has(&wt->gaps[table], key)) {
        *found = false;
        return STATUS_OK;
    }
    WT_ITEM item = item_of(key);
    cursor->set_key(cursor, &item);
    int ret = cursor->search(cursor);
    wt->standing[table] = false;
    if (LIKELY(ret == 0)) {
        wt->pinned[table] = true;
        ret = cursor->get_value(cursor, &item);
        if (ret == 0) {
            *value = bytes_of(item.data == NULL ? "" : item.data, item.size);
            *found = true;
            wt->standing[table] = true;
            store_gap_found(&wt->gaps[table]);
            return STATUS_OK;
        }
    }
    *found = false;
    if (UNLIKELY(ret != WT_NOTFOUND)) return status_from_wt(ret, "store: search");
    return store_gap_missed(&wt->gaps[table]) ? gap_learn(wt, table, key) : STATUS_OK;
}

static void wt_release(struct store *store)
{
    struct store_wt *wt = wt_of(store);
    for (uint32_t t = 0; t < STORE_TABLE_COUNT; t++) {
        if (!wt->pinned[t]) continue;
        wt->pinned[t] = wt->standing[t] = false;
        int ret = wt->points[t]->reset(wt->points[t]);
        (void)ret; // Eviction on the way out may fail; the cursor is reset nevertheless.
    }
}

static struct status wt_put(
    struct store *store, enum store_table table, struct bytes key, struct bytes value)
{
    struct store_wt *wt = wt_of(store);
    WT_CURSOR *cursor = wt->points[table];
    WT_ITEM key_item = item_of(key), value_item = item_of(value);
    int ret;
    WT_ITEM at;
    pollers_worked(&wt->pollers);
    if (wt->standing[table] && cursor->get_key(cursor, &at) == 0 && at.size == key.size &&
        memcmp(at.data, key.data, key.size) == 0) {
        cursor->set_value(cursor, &value_item);
        ret = cursor->update(cursor);
    } else {
        cursor->set_key(cursor, &key_item);
        cursor->set_value(cursor, &value_item);
        ret = cursor->insert(cursor);
        store_gap_put(&wt->gaps[table], key);
    }
    wt->standing[table] = false;
    return status_from_wt(ret, "store: insert");
}

static struct status wt_add(
    struct store *store, struct bytes key, struct bytes value, bool *added)
{
    struct store_wt *wt = wt_of(store);
    WT_CURSOR *cursor = wt->adder;
    pollers_worked(&wt->pollers);
    WT_ITEM key_item = item_of(key), value_item = item_of(value);
    cursor->set_key(cursor, &key_item);
    cursor->set_value(cursor, &value_item);
    int ret = cursor->insert(cursor);
    *added = ret == 0;
    if (*added) store_gap_put(&wt->gaps[STORE_CURRENT], key);
    wt->standing[STORE_CURRENT] = false;
    return ret == WT_DUPLICATE_KEY ? STATUS_OK : status_from_wt(ret, "store: insert");
}

static struct status wt_remove(struct store *store, enum store_table table, struct bytes key)
{
    struct store_wt *wt = wt_of(store);
    WT_CURSOR *cursor = wt->points[table];
    WT_ITEM item = item_of(key);
    pollers_worked(&wt->pollers);
    wt->standing[table] = false;
    cursor->set_key(cursor, &item);
    int ret = cursor->remove(cursor);
    return ret == WT_NOTFOUND ? STATUS_OK : status_from_wt(ret, "store: remove");
}

// --- cursors -------------------------------------------------------------------------------------------

static struct status wt_cursor_open(
    struct store *store, enum store_table table, struct store_cursor **cursor)
{
    struct store_wt *wt = wt_of(store);
    struct store_cursor *base = wt->cursors_free[table];
    if (base != NULL) {
        wt->cursors_free[table] = base->next;
    } else {
        WT_CURSOR *opened;
        int ret = wt->session->open_cursor(wt->session, table_uris[table], NULL, NULL, &opened);
        if (ret != 0) return status_from_wt(ret, "store: open cursor");
        struct wt_cursor *made = malloc(sizeof *made);
        invariant(made != NULL);
        made->wt = opened;
        base = &made->base;
    }
    *base = (struct store_cursor){.store = store, .table = table};
    wt->cursors_open++;
    *cursor = base;
    return STATUS_OK;
}

static void wt_cursor_close(struct store_cursor *cursor)
{
    struct store_wt *wt = wt_of(cursor->store);
    WT_CURSOR *inner = container_of(cursor, struct wt_cursor, base)->wt;
    int ret = inner->reset(inner);
    (void)ret;
    invariant(wt->cursors_open > 0);
    wt->cursors_open--;
    cursor->next = wt->cursors_free[cursor->table];
    wt->cursors_free[cursor->table] = cursor;
}

static inline struct status cursor_take(
    struct store_cursor *base, WT_CURSOR *cursor, int ret, bool *found)
{
    *found = false;
    if (ret == WT_NOTFOUND) return STATUS_OK;
    if (ret != 0) return status_from_wt(ret, "store: read");
    // What get_key and get_value would give for the format "u", without their variable arguments.
    base->key = bytes_of(cursor->key.data, cursor->key.size);
    base->value = bytes_of(cursor->value.data, cursor->value.size);
    *found = true;
    return STATUS_OK;
}

static struct status wt_seek(
    struct store_cursor *base, enum store_direction direction, struct bytes key, bool *found)
{
    WT_CURSOR *cursor = container_of(base, struct wt_cursor, base)->wt;
    WT_ITEM item = item_of(key);
    int order = 0;
    pollers_worked(&wt_of(base->store)->pollers);
    if (key.size == 0) { // WiredTiger has no empty key: below all that there is.
        int ret = cursor->reset(cursor);
        if (ret == 0) ret = direction == STORE_FORWARD ? cursor->next(cursor) : WT_NOTFOUND;
        return cursor_take(base, cursor, ret, found);
    }
    cursor->set_key(cursor, &item);
    int ret = cursor->search_near(cursor, &order);
    if (ret == 0 && direction == STORE_FORWARD && order < 0) ret = cursor->next(cursor);
    if (ret == 0 && direction == STORE_BACKWARD && order >= 0) ret = cursor->prev(cursor);
    return cursor_take(base, cursor, ret, found);
}

// The rows of a page that was read lie one after another; keys and values of one that was never written lie in two such
// rows: what comes next is on its way meanwhile. It may lie nowhere.
static inline void prefetch_near(const void *at, enum store_direction direction)
{
    const uintptr_t address = (uintptr_t)at;
    const uintptr_t ahead =
        direction == STORE_FORWARD ? address + PREFETCH_BYTES : address - PREFETCH_BYTES;
    for (uintptr_t line = 0; line < 192; line += 64) __builtin_prefetch((const void *)(ahead + line));
}

static struct status wt_step(struct store_cursor *base, enum store_direction direction, bool *found)
{
    WT_CURSOR *cursor = container_of(base, struct wt_cursor, base)->wt;
    pollers_worked(&wt_of(base->store)->pollers);
    int ret = direction == STORE_FORWARD ? cursor->next(cursor) : cursor->prev(cursor);
    if (LIKELY(ret == 0)) {
        prefetch_near(cursor->value.data, direction);
        prefetch_near(cursor->key.data, direction);
    }
    return cursor_take(base, cursor, ret, found);
}

static struct status gap_learn(struct store_wt *wt, enum store_table table, struct bytes key)
{
    struct store_cursor *cursor = NULL;
    bool found;
    struct status st = wt_cursor_open(&wt->base, table, &cursor);
    if (failed(st)) return st;
    st = wt_seek(cursor, STORE_FORWARD, key, &found);
    if (!failed(st))
        store_gap_learn(&wt->gaps[table], key, found ? cursor->key : bytes_of(NULL, 0));
    wt_cursor_close(cursor);
    return st;
}

// --- transactions --------------------------------------------------------------------------------------

static struct status wt_begin(struct store *store)
{
    struct store_wt *wt = wt_of(store);
    wt_release(store);
    return status_from_wt(
        wt->session->begin_transaction(wt->session, "isolation=snapshot"), "store: begin");
}

static void forget_positions(struct store_wt *wt)
{
    for (uint32_t t = 0; t < STORE_TABLE_COUNT; t++) {
        wt->pinned[t] = wt->standing[t] = false;
    }
}

static struct status wt_commit(struct store *store)
{
    struct store_wt *wt = wt_of(store);
    forget_positions(wt); // Commit and rollback reset all cursors of the session.
    return status_from_wt(wt->session->commit_transaction(wt->session, NULL), "store: commit");
}

static void wt_rollback(struct store *store)
{
    struct store_wt *wt = wt_of(store);
    forget_positions(wt);
    for (uint32_t t = 0; t < STORE_TABLE_COUNT; t++) store_gap_forget(&wt->gaps[t]);
    int ret = wt->session->rollback_transaction(wt->session, NULL);
    if (ret != 0 && ret != WT_ROLLBACK)
        log_error(0, "store %s: rollback: %s", wt->home, wiredtiger_strerror(ret));
}

static struct status wt_clear(struct store *store, enum store_table table, struct span span)
{
    struct store_wt *wt = wt_of(store);
    struct status st = STATUS_OK;
    struct store_cursor *first = NULL, *last = NULL;
    bool found;
    wt->standing[table] = false;
    TRY(wt_cursor_open(store, table, &first));
    TRY(wt_cursor_open(store, table, &last));
    TRY(wt_seek(first, STORE_FORWARD, span.start, &found));
    if (!found || bytes_compare(first->key, span.end) >= 0) goto out;
    TRY(wt_seek(last, STORE_BACKWARD, span.end, &found));
    invariant(found);
    int ret =
        wt->session->truncate(wt->session, NULL, container_of(first, struct wt_cursor, base)->wt,
            container_of(last, struct wt_cursor, base)->wt, NULL);
    TRY(status_from_wt(ret, "store: truncate"));
out:
    store_cursor_close(first);
    store_cursor_close(last);
    return st;
}

// --- the whole: functions that run on helper threads -----------------------------------------------------

static int handle_error(
    WT_EVENT_HANDLER *handler, WT_SESSION *session, int error, const char *message)
{
    (void)handler;
    (void)session;
    log_error(0, "store: %s (%d)", message, error);
    return 0;
}

static int handle_message(WT_EVENT_HANDLER *handler, WT_SESSION *session, const char *message)
{
    (void)handler;
    (void)session;
    log_info(0, "store: %s", message);
    return 0;
}

static int make_folders(char *path)
{
    for (char *slash = strchr(path + 1, '/'); slash != NULL; slash = strchr(slash + 1, '/')) {
        *slash = 0;
        int ret = mkdir(path, 0700);
        *slash = '/';
        if (ret != 0 && errno != EEXIST) return errno;
    }
    return mkdir(path, 0700) != 0 && errno != EEXIST ? errno : 0;
}

static void measure_files(struct store_wt *wt)
{
    uint64_t bytes = 0;
    for (uint32_t t = 0; t < STORE_TABLE_COUNT; t++) {
        char path[1024];
        struct stat info;
        snprintf(path, sizeof path, "%s/%s", wt->home, table_uris[t] + strlen("file:"));
        if (stat(path, &info) == 0) bytes += (uint64_t)info.st_size;
    }
    wt->file_bytes = bytes;
}

static void open_blocking(void *arg)
{
    struct store_wt *wt = arg;
    char config[512];
    snprintf(config, sizeof config,
        "create,cache_size=%lluB,eviction=(threads_min=1,threads_max=1),eviction_dirty_target=50,"
        "eviction_dirty_trigger=80,log=(enabled=false),checkpoint=(wait=0),statistics=(none),"
        "session_max=16,config_base=false%s",
        (unsigned long long)wt->cache_bytes,
        wt->in_memory ? ",in_memory=true" : "," STORE_WT_FILE_CONFIG);
    wt->result = make_folders(wt->home);
    if (wt->result != 0) return;
    pollers_hold(&wt->pollers); // Closed again when it fails.
    pollers_adopt(&wt->pollers);
    wt->result = wiredtiger_open(wt->home, &wt->events, config, &wt->connection);
    pollers_adopt_end();
    pollers_release(&wt->pollers);
    if (wt->result != 0) return;
    WT_CONNECTION *connection = wt->connection;
    // This session alone writes, so its reads outside of a transaction need no snapshot (10 % of a search).
    wt->result =
        connection->open_session(connection, NULL, "isolation=read-uncommitted", &wt->session);
    if (wt->result == 0)
        wt->result = connection->open_session(connection, NULL, NULL, &wt->checkpoint_session);
    for (uint32_t t = 0; t < STORE_TABLE_COUNT && wt->result == 0; t++)
        wt->result = wt->session->create(wt->session, table_uris[t], table_configs[t]);
    for (uint32_t t = 0; t < STORE_TABLE_COUNT && wt->result == 0; t++)
        wt->result = wt->session->open_cursor(
            wt->session, table_uris[t], NULL, "overwrite=true", &wt->points[t]);
    if (wt->result == 0)
        wt->result = wt->session->open_cursor(
            wt->session, table_uris[STORE_CURRENT], NULL, "overwrite=false", &wt->adder);
    // A home whose files are made but not in a checkpoint would have to be made again.
    if (wt->result == 0 && !wt->in_memory)
        wt->result = wt->checkpoint_session->checkpoint(wt->checkpoint_session, NULL);
    if (wt->result == 0) measure_files(wt);
}

static void checkpoint_blocking(void *arg)
{
    struct store_wt *wt = arg;
    pollers_hold(&wt->pollers); // It waits for eviction to write what is dirty.
    wt->result = wt->checkpoint_session->checkpoint(wt->checkpoint_session, NULL);
    pollers_release(&wt->pollers);
    measure_files(wt);
}

static void close_blocking(void *arg)
{
    struct store_wt *wt = arg;
    pollers_hold(&wt->pollers); // A signal to end may come just before somebody waits for it.
    // Closes the sessions and their cursors too.
    wt->result = wt->connection == NULL ? 0 : wt->connection->close(wt->connection, NULL);
    wt->connection = NULL;
    pollers_release(&wt->pollers);
}

static struct status run_blocking(struct task *task, void (*fn)(void *arg), void *arg)
{
    if (task != NULL) return helper_call(task, fn, arg);
    fn(arg);
    return STATUS_OK;
}

static struct status wt_checkpoint(struct task *task, struct store *store)
{
    struct store_wt *wt = wt_of(store);
    if (wt->in_memory) return STATUS_OK;
    invariant(!wt->checkpointing);
    wt->checkpointing = true;
    struct status st = run_blocking(task, checkpoint_blocking, wt);
    wt->checkpointing = false;
    return failed(st) ? st : status_from_wt(wt->result, "store: checkpoint");
}

// --- backup ----------------------------------------------------------------------------------------------

// WiredTiger keeps the blocks of the checkpoint that a backup cursor was opened on for as long as it is open.
struct wt_backup {
    struct store_backup base;
    WT_SESSION *session;
    WT_CURSOR *cursor;
    uint32_t capacity;
    uint32_t open_file; // Index of what `file` is open on.
    struct disk_file file;
    int result;
};

static int backup_file_add(struct wt_backup *backup, const struct store_wt *wt, const char *name)
{
    char path[1024];
    struct stat info;
    if (backup->base.count == backup->capacity) {
        backup->capacity = backup->capacity == 0 ? 16 : backup->capacity * 2;
        backup->base.files =
            realloc(backup->base.files, backup->capacity * sizeof *backup->base.files);
        invariant(backup->base.files != NULL);
    }
    snprintf(path, sizeof path, "%s/%s", wt->home, name);
    if (stat(path, &info) != 0) return errno;
    char *copy = strdup(name);
    invariant(copy != NULL);
    backup->base.files[backup->base.count++] =
        (struct store_backup_file){.name = copy, .bytes = (uint64_t)info.st_size};
    return 0;
}

static void backup_begin_blocking(void *arg)
{
    struct wt_backup *backup = arg;
    struct store_wt *wt = wt_of(backup->base.store);
    const char *name;
    WT_CONNECTION *connection = wt->connection;
    backup->result = connection->open_session(connection, NULL, NULL, &backup->session);
    if (backup->result != 0) return;
    backup->result =
        backup->session->open_cursor(backup->session, "backup:", NULL, NULL, &backup->cursor);
    while (backup->result == 0 && (backup->result = backup->cursor->next(backup->cursor)) == 0) {
        backup->result = backup->cursor->get_key(backup->cursor, &name);
        if (backup->result == 0) backup->result = backup_file_add(backup, wt, name);
    }
    if (backup->result == WT_NOTFOUND) backup->result = 0;
}

static void backup_end_blocking(void *arg)
{
    struct wt_backup *backup = arg;
    // Closes the cursor, too.
    if (backup->session != NULL) backup->session->close(backup->session, NULL);
}

static void wt_backup_end(struct task *task, struct store_backup *base)
{
    struct wt_backup *backup = container_of(base, struct wt_backup, base);
    if (task != NULL && failed(disk_close(task, &backup->file)))
        log_warning(0, "store: a file of a backup could not be closed");
    // A cancelled task must let go of the cursor as well: without it the store could not be closed.
    if (task == NULL || failed(helper_call(task, backup_end_blocking, backup)))
        backup_end_blocking(backup);
    for (uint32_t i = 0; i < base->count; i++)
        free((char *)base->files[i].name);
    free(base->files);
    free(backup);
}

static struct status wt_backup_begin(
    struct task *task, struct store *store, struct store_backup **opened)
{
    if (wt_of(store)->in_memory)
        return status_make(E_FEATURE_NOT_SUPPORTED, "a store in memory has no backup");
    struct wt_backup *backup = calloc(1, sizeof *backup);
    invariant(backup != NULL);
    backup->base.store = store;
    backup->file.handle = -1;
    struct status st = run_blocking(task, backup_begin_blocking, backup);
    if (!failed(st)) st = status_from_wt(backup->result, "store: backup");
    if (failed(st)) {
        wt_backup_end(task, &backup->base);
        return st;
    }
    *opened = &backup->base;
    return STATUS_OK;
}

static struct status wt_backup_read(struct task *task, struct store_backup *base, uint32_t file,
    uint64_t offset, void *buffer, size_t size, size_t *read)
{
    struct wt_backup *backup = container_of(base, struct wt_backup, base);
    struct status st = STATUS_OK;
    invariant(file < base->count && task != NULL);
    if (backup->file.handle >= 0 && backup->open_file != file)
        TRY(disk_close(task, &backup->file));
    if (backup->file.handle < 0) {
        const char *path = arena_printf(
            task->arena, "%s/%s", wt_of(base->store)->home, base->files[file].name);
        TRY(disk_open(task, path, DISK_READ_ONLY, &backup->file));
        backup->open_file = file;
    }
    // The file may have grown since: what is behind its size then is not part of the copy.
    uint64_t left = offset < base->files[file].bytes ? base->files[file].bytes - offset : 0;
    TRY(disk_read(task, &backup->file, offset, buffer, size < left ? size : (size_t)left, read));
out:
    return st;
}

static void wt_figures(struct store *store, struct store_figures *figures)
{
    struct store_wt *wt = wt_of(store);
    *figures = (struct store_figures){
        .bytes = wt->file_bytes, .cache_bytes = wt->cache_bytes, .resting = pollers_resting(&wt->pollers)};
}

static struct status cache_size(struct store_wt *wt, uint64_t cache_bytes)
{
    char config[64];
    snprintf(config, sizeof config, "cache_size=%lluB", (unsigned long long)cache_bytes);
    return status_from_wt(wt->connection->reconfigure(wt->connection, config), "store: cache size");
}

static uint64_t shrunk_bytes(const struct store_wt *wt)
{
    return wt->file_bytes > CACHE_BYTES_LEAST ? wt->file_bytes : CACHE_BYTES_LEAST;
}

static struct status wt_cache_set(struct store *store, uint64_t cache_bytes)
{
    struct store_wt *wt = wt_of(store);
    if (cache_bytes < CACHE_BYTES_MIN) cache_bytes = CACHE_BYTES_MIN;
    if (cache_bytes == wt->cache_bytes) return STATUS_OK;
    if (wt->shrinking && shrunk_bytes(wt) <= cache_bytes) {
        wt->cache_bytes = cache_bytes; // For when it has shrunk.
        return STATUS_OK;
    }
    struct status st = cache_size(wt, cache_bytes);
    if (failed(st)) return st;
    wt->cache_bytes = cache_bytes;
    if (wt->shrinking) pollers_release(&wt->pollers);
    wt->shrinking = false;
    pollers_wake(&wt->pollers); // It may be less than before.
    return STATUS_OK;
}

// Eviction begins with what was not used for longest, at four fifths of the size.
static struct status wt_cache_shrink(struct store *store, bool shrink)
{
    struct store_wt *wt = wt_of(store);
    uint64_t least = shrunk_bytes(wt);
    if (shrink == wt->shrinking || (shrink && (wt->in_memory || least >= wt->cache_bytes))) return STATUS_OK;
    struct status st = cache_size(wt, shrink ? least : wt->cache_bytes);
    if (failed(st)) return st;
    wt->shrinking = shrink;
    if (shrink) pollers_hold(&wt->pollers);
    else pollers_release(&wt->pollers);
    return st;
}

static void store_free(struct store_wt *wt)
{
    invariant(wt->cursors_open == 0);
    for (uint32_t t = 0; t < STORE_TABLE_COUNT; t++) {
        store_gap_fini(&wt->gaps[t]);
        while (wt->cursors_free[t] != NULL) {
            struct store_cursor *cursor = wt->cursors_free[t];
            wt->cursors_free[t] = cursor->next;
            free(container_of(cursor, struct wt_cursor, base));
        }
    }
    pollers_fini(&wt->pollers);
    free(wt->home);
    free(wt);
}

static struct status wt_close(struct task *task, struct store *store)
{
    struct store_wt *wt = wt_of(store);
    struct status st = run_blocking(task, close_blocking, wt);
    if (!failed(st)) st = status_from_wt(wt->result, "store: close");
    store_free(wt);
    return st;
}

static void wt_drop(struct store *store)
{
    // WiredTiger cannot be closed without a checkpoint: more than a crash would leave may be there.
    close_blocking(wt_of(store));
    store_free(wt_of(store));
}

static const struct store_ops wt_ops = {
    .name = "wiredtiger",
    .get = wt_get,
    .release = wt_release,
    .cursor_open = wt_cursor_open,
    .cursor_close = wt_cursor_close,
    .seek = wt_seek,
    .step = wt_step,
    .begin = wt_begin,
    .commit = wt_commit,
    .rollback = wt_rollback,
    .put = wt_put,
    .add = wt_add,
    .remove = wt_remove,
    .clear = wt_clear,
    .checkpoint = wt_checkpoint,
    .backup_begin = wt_backup_begin,
    .backup_read = wt_backup_read,
    .backup_end = wt_backup_end,
    .figures = wt_figures,
    .cache_set = wt_cache_set,
    .cache_shrink = wt_cache_shrink,
    .close = wt_close,
    .drop = wt_drop,
};

struct status store_wt_open(
    struct task *task, const struct store_options *options, struct store **store)
{
    struct store_wt *wt = calloc(1, sizeof *wt);
    invariant(wt != NULL);
    wt->base.ops = &wt_ops;
    pollers_init(&wt->pollers, "store");
    for (uint32_t t = 0; t < STORE_TABLE_COUNT; t++) store_gap_init(&wt->gaps[t]);
    wt->events = (WT_EVENT_HANDLER){.handle_error = handle_error, .handle_message = handle_message};
    wt->home = strdup(options->home);
    invariant(wt->home != NULL);
    wt->cache_bytes = options->cache_bytes == 0 ? CACHE_BYTES_DEFAULT : options->cache_bytes;
    if (wt->cache_bytes < CACHE_BYTES_MIN) wt->cache_bytes = CACHE_BYTES_MIN;
    wt->in_memory = options->in_memory;
    struct status st = run_blocking(task, open_blocking, wt);
    if (!failed(st)) st = status_from_wt(wt->result, "store: open");
    if (failed(st)) {
        (void)run_blocking(NULL, close_blocking, wt);
        store_free(wt);
        return st;
    }
    *store = &wt->base;
    return STATUS_OK;
}

const char *kv_store_version(void)
{
    int major, minor, patch;
    static char text[32];
    wiredtiger_version(&major, &minor, &patch);
    snprintf(text, sizeof text, "%d.%d.%d", major, minor, patch);
    return text;
}
