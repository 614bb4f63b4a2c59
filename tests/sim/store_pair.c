// SPDX-License-Identifier: GPL-3.0-or-later
#include "tests/sim/store_pair.h"

#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "core/hash.h"
#include "core/invariant.h"
#include "core/list.h"
#include "core/reactor.h"
#include "kv/mvcc.h"

#define CACHE_BYTES (UINT64_C(256) << 20) // Never full: simulated slices hold some megabytes.
#define ROOT "/tmp/isopod-sim-stores."

struct store_pair {
    struct store base;
    struct list_link link;
    struct store *model, *wt;
    const struct env *machine;
    char home[64];        // Of WiredTiger, on the disk of the machine that all this runs on.
    char model_home[128]; // On the simulated one.
    struct store_cursor *cursors_free;
    struct list_link cursors_open;
};

struct pair_cursor {
    struct store_cursor base;
    struct store_cursor *model, *wt; // NULL while it is free.
    struct list_link link;           // Of those that are open.
};

static struct sim_run *watched; // The run that has pairs now.
static struct list_link pairs;
static uint64_t homes; // Made by this process.
static bool spoil;

static struct store_pair *pair_of(struct store *store)
{
    return container_of(store, struct store_pair, base);
}

static struct pair_cursor *cursor_of(struct store_cursor *cursor)
{
    return container_of(cursor, struct pair_cursor, base);
}

static void differ(const char *what)
{
    if (watched != NULL) sim_violation(watched, "WiredTiger and the model differ: %s", what);
}

// WiredTiger's outcome, once it is the model's too.
static struct status agreed(const char *what, struct status model, struct status wt)
{
    if (model.code != wt.code) {
        differ(what);
        return failed(wt) ? wt : model;
    }
    return wt;
}

static void agree_bytes(const char *what, struct bytes model, struct bytes wt)
{
    if (!bytes_equal(model, wt)) differ(what);
}

static void agree_found(const char *what, struct status st, bool model, bool wt)
{
    if (!failed(st) && model != wt) differ(what);
}

// --- reading -------------------------------------------------------------------------------------

static struct status pair_get(
    struct store *store, enum store_table table, struct bytes key, struct bytes *value, bool *found)
{
    struct store_pair *pair = pair_of(store);
    struct bytes expected = {0};
    bool there = false;
    struct status model = store_get(pair->model, table, key, &expected, &there);
    struct status st = agreed("get", model, store_get(pair->wt, table, key, value, found));
    agree_found("get finds", st, there, *found);
    if (!failed(st) && there && *found) agree_bytes("the value of get", expected, *value);
    store_release(pair->model);
    return st;
}

static void pair_release(struct store *store)
{
    store_release(pair_of(store)->wt);
}

static struct status pair_cursor_open(
    struct store *store, enum store_table table, struct store_cursor **opened)
{
    struct store_pair *pair = pair_of(store);
    struct pair_cursor *cursor;
    if (pair->cursors_free != NULL) {
        cursor = cursor_of(pair->cursors_free);
        pair->cursors_free = cursor->base.next;
    } else {
        cursor = malloc(sizeof *cursor);
        invariant(cursor != NULL);
    }
    *cursor = (struct pair_cursor){.base = {.store = store, .table = table}};
    struct status model = store_cursor_open(pair->model, table, &cursor->model);
    struct status st = agreed("open a cursor", model, store_cursor_open(pair->wt, table, &cursor->wt));
    if (!failed(st)) list_append(&pair->cursors_open, &cursor->link);
    *opened = &cursor->base;
    return st;
}

static void pair_cursor_close(struct store_cursor *base)
{
    struct pair_cursor *cursor = cursor_of(base);
    struct store_pair *pair = pair_of(base->store);
    store_cursor_close(cursor->model);
    store_cursor_close(cursor->wt);
    list_remove(&cursor->link);
    base->next = pair->cursors_free;
    pair->cursors_free = base;
}

static struct status cursor_agree(
    const char *what, struct pair_cursor *cursor, struct status model, struct status wt, bool there, bool found)
{
    struct status st = agreed(what, model, wt);
    agree_found(what, st, there, found);
    if (failed(st) || !there || !found) return st;
    agree_bytes("a cursor's key", cursor->model->key, cursor->wt->key);
    agree_bytes("a cursor's value", cursor->model->value, cursor->wt->value);
    cursor->base.key = cursor->wt->key;
    cursor->base.value = cursor->wt->value;
    return st;
}

static struct status pair_seek(
    struct store_cursor *base, enum store_direction direction, struct bytes key, bool *found)
{
    struct pair_cursor *cursor = cursor_of(base);
    bool there = false;
    struct status model = store_seek(cursor->model, direction, key, &there);
    struct status wt = store_seek(cursor->wt, direction, key, found);
    return cursor_agree("seek", cursor, model, wt, there, *found);
}

static struct status pair_step(struct store_cursor *base, enum store_direction direction, bool *found)
{
    struct pair_cursor *cursor = cursor_of(base);
    bool there = false;
    struct status model = store_step(cursor->model, direction, &there);
    struct status wt = store_step(cursor->wt, direction, found);
    return cursor_agree("step", cursor, model, wt, there, *found);
}

// --- changing ------------------------------------------------------------------------------------

static struct status pair_begin(struct store *store)
{
    struct store_pair *pair = pair_of(store);
    struct status model = store_begin(pair->model);
    return agreed("begin", model, store_begin(pair->wt));
}

static struct status pair_commit(struct store *store)
{
    struct store_pair *pair = pair_of(store);
    struct status model = store_commit(pair->model);
    return agreed("commit", model, store_commit(pair->wt));
}

static void pair_rollback(struct store *store)
{
    store_rollback(pair_of(store)->model);
    store_rollback(pair_of(store)->wt);
}

static struct status pair_put(
    struct store *store, enum store_table table, struct bytes key, struct bytes value)
{
    struct store_pair *pair = pair_of(store);
    struct status model = store_put(pair->model, table, key, value);
    if (spoil && value.size > 0) {
        spoil = false;
        value.size--;
    }
    return agreed("put", model, store_put(pair->wt, table, key, value));
}

static struct status pair_add(struct store *store, struct bytes key, struct bytes value, bool *added)
{
    struct store_pair *pair = pair_of(store);
    bool was_added = false;
    struct status model = store_add(pair->model, key, value, &was_added);
    struct status st = agreed("add", model, store_add(pair->wt, key, value, added));
    agree_found("add", st, was_added, *added);
    return st;
}

static struct status pair_remove(struct store *store, enum store_table table, struct bytes key)
{
    struct store_pair *pair = pair_of(store);
    struct status model = store_remove(pair->model, table, key);
    return agreed("remove", model, store_remove(pair->wt, table, key));
}

static struct status pair_clear(struct store *store, enum store_table table, struct span span)
{
    struct store_pair *pair = pair_of(store);
    struct status model = store_clear(pair->model, table, span);
    return agreed("clear", model, store_clear(pair->wt, table, span));
}

// --- the whole: the model's, WiredTiger has no files ---------------------------------------------

static struct status pair_checkpoint(struct task *task, struct store *store)
{
    return store_checkpoint(task, pair_of(store)->model);
}

static struct status pair_backup_begin(struct task *task, struct store *store, struct store_backup **backup)
{
    return store_backup_begin(task, pair_of(store)->model, backup); // Which is the backup's store from then on.
}

static void pair_figures(struct store *store, struct store_figures *figures)
{
    store_figures(pair_of(store)->model, figures);
}

static struct status pair_cache_set(struct store *store, uint64_t cache_bytes)
{
    return store_cache_set(pair_of(store)->model, cache_bytes);
}

static struct status pair_cache_shrink(struct store *store, bool shrink)
{
    return store_cache_shrink(pair_of(store)->model, shrink);
}

static void folder_remove(const char *path)
{
    DIR *folder = opendir(path);
    if (folder == NULL) return;
    for (struct dirent *entry; (entry = readdir(folder)) != NULL;) {
        char inner[512];
        if (strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0) continue;
        snprintf(inner, sizeof inner, "%s/%s", path, entry->d_name);
        if (unlink(inner) != 0) folder_remove(inner);
    }
    closedir(folder);
    rmdir(path);
}

static void wt_end(void *arg)
{
    struct store_pair *pair = arg;
    // A node that ends in the middle of a task leaves some open.
    while (!list_empty(&pair->cursors_open)) {
        struct pair_cursor *cursor = container_of(pair->cursors_open.next, struct pair_cursor, link);
        store_cursor_close(cursor->wt);
        list_remove(&cursor->link);
        free(cursor);
    }
    store_drop(pair->wt);
    pair->wt = NULL;
    folder_remove(pair->home);
}

static void pair_free(struct store_pair *pair)
{
    stack_call(wt_end, pair);
    list_remove(&pair->link);
    while (pair->cursors_free != NULL) {
        struct pair_cursor *cursor = cursor_of(pair->cursors_free);
        pair->cursors_free = cursor->base.next;
        free(cursor);
    }
    free(pair);
}

static struct status pair_close(struct task *task, struct store *store)
{
    struct store_pair *pair = pair_of(store);
    struct status st = store_close(task, pair->model);
    pair_free(pair);
    return st;
}

static void pair_drop(struct store *store)
{
    struct store_pair *pair = pair_of(store);
    store_drop(pair->model);
    pair_free(pair);
}

static const struct store_ops pair_ops = {
    .name = "pair",
    .get = pair_get,
    .release = pair_release,
    .cursor_open = pair_cursor_open,
    .cursor_close = pair_cursor_close,
    .seek = pair_seek,
    .step = pair_step,
    .begin = pair_begin,
    .commit = pair_commit,
    .rollback = pair_rollback,
    .put = pair_put,
    .add = pair_add,
    .remove = pair_remove,
    .clear = pair_clear,
    .checkpoint = pair_checkpoint,
    .backup_begin = pair_backup_begin,
    .figures = pair_figures,
    .cache_set = pair_cache_set,
    .cache_shrink = pair_cache_shrink,
    .close = pair_close,
    .drop = pair_drop,
};

struct filling {
    struct store_pair *pair;
    struct status st;
};

static struct status fill_table(struct store_pair *pair, enum store_table table)
{
    struct store_cursor *cursor = NULL;
    bool found;
    struct status st;
    TRY(store_cursor_open(pair->model, table, &cursor));
    TRY(store_seek(cursor, STORE_FORWARD, bytes_of("", 0), &found));
    while (found) {
        TRY(store_put(pair->wt, table, cursor->key, cursor->value));
        TRY(store_step(cursor, STORE_FORWARD, &found));
    }
out:
    store_cursor_close(cursor);
    return st;
}

// On the shard's big stack: opening a connection takes more than a fiber has.
static void wt_begin(void *arg)
{
    struct filling *filling = arg;
    struct store_pair *pair = filling->pair;
    struct status st;
    const struct store_options options = {.home = pair->home, .cache_bytes = CACHE_BYTES, .in_memory = true};
    TRY(store_wt_open(NULL, &options, &pair->wt));
    TRY(store_begin(pair->wt));
    for (enum store_table table = 0; table < STORE_TABLE_COUNT; table++) TRY(fill_table(pair, table));
    TRY(store_commit(pair->wt));
out:
    filling->st = st;
}

// Of the store that a crash has taken from its owner: its threads and its folder are not to stay.
static void pair_abandon(struct store_pair *pair)
{
    list_remove(&pair->link);
    stack_call(wt_end, pair);
}

static void abandon_former(const struct store_pair *opened)
{
    for (struct list_link *at = pairs.next; at != &pairs && at != NULL; at = at->next) {
        struct store_pair *pair = container_of(at, struct store_pair, link);
        if (pair->machine != opened->machine || strcmp(pair->model_home, opened->model_home) != 0) continue;
        pair_abandon(pair);
        return;
    }
}

static struct status pair_open(
    struct task *task, const struct store_options *options, struct store **opened)
{
    struct store_pair *pair = calloc(1, sizeof *pair);
    struct filling filling = {.pair = pair};
    invariant(pair != NULL);
    list_init(&pair->cursors_open);
    pair->base.ops = &pair_ops;
    pair->machine = task->shard->env; // A node's, over all of its starts.
    struct status st = store_model_open(task, options, &pair->model);
    if (failed(st)) {
        free(pair);
        return st;
    }
    snprintf(pair->home, sizeof pair->home, ROOT "%d/%llu", (int)getpid(), (unsigned long long)++homes);
    snprintf(pair->model_home, sizeof pair->model_home, "%s", options->home);
    abandon_former(pair);
    list_append(&pairs, &pair->link);
    stack_call(wt_begin, &filling);
    if (failed(filling.st)) { // Simulation has no errors here; something is wrong with the machine that runs it.
        sim_violation(watched, "WiredTiger in memory cannot be opened: %s", filling.st.message);
        invariant(pair->wt != NULL);
    }
    *opened = &pair->base;
    return STATUS_OK;
}

#define PIECES_MOST 64u // Of a value, about.

store_open_fn store_pair_of(struct sim_run *run, uint32_t longest)
{
    // In half of the runs what is a long value elsewhere is one of some bytes.
    const uint64_t draw = hash_bytes_seed(BYTES_LITERAL("long values"), run->seed);
    const bool small = draw % 2 == 1;
    const uint32_t drawn = 8u << (draw >> 16) % 7, least = longest / PIECES_MOST;
    mvcc_pieces_set(small ? 1 + (uint32_t)(draw >> 8) % 24 : 0, small ? (drawn > least ? drawn : least) : 0);
    if (run->again || run->seed % STORE_PAIR_EVERY != 1) return NULL;
    watched = run;
    return pair_open;
}

// --- comparing -----------------------------------------------------------------------------------

void store_pair_compare(struct store *store)
{
    if (store->ops != &pair_ops) return;
    for (enum store_table table = 0; table < STORE_TABLE_COUNT; table++) {
        for (int way = STORE_FORWARD; way <= STORE_BACKWARD; way++) {
            struct store_cursor *cursor = NULL;
            struct bytes from = way == STORE_FORWARD ? BYTES_LITERAL("") : BYTES_LITERAL("\xff\xff\xff\xff\xff\xff\xff\xff");
            bool found = false;
            struct status st = store_cursor_open(store, table, &cursor); // Each step compares.
            if (!failed(st)) st = store_seek(cursor, (enum store_direction)way, from, &found);
            while (!failed(st) && found) st = store_step(cursor, (enum store_direction)way, &found);
            if (failed(st)) differ(st.message);
            store_cursor_close(cursor);
        }
    }
}

void store_pair_spoil_next(void)
{
    spoil = true;
}

void store_pair_end(void)
{
    struct list_link *link;
    watched = NULL;
    spoil = false;
    while ((link = list_pop(&pairs)) != NULL) pair_abandon(container_of(link, struct store_pair, link));
    if (homes > 0) store_pair_sweep((int)getpid());
}

void store_pair_prepare(void)
{
    static bool done;
    struct store *store;
    char home[64];
    if (done) return;
    done = true;
    snprintf(home, sizeof home, ROOT "%d/first", (int)getpid());
    const struct store_options options = {.home = home, .in_memory = true};
    if (!failed(store_wt_open(NULL, &options, &store))) store_drop(store);
    store_pair_sweep((int)getpid());
}

void store_pair_sweep(int pid)
{
    char root[64];
    snprintf(root, sizeof root, ROOT "%d", pid);
    folder_remove(root);
}
