// SPDX-License-Identifier: GPL-3.0-or-later
//
// The model store: skip lists in memory, an undo list, and a checkpoint that is one file with everything
// in it, written through core/disk.h. Slow to checkpoint, easy to believe: WiredTiger is held against it.
#include <stdio.h>
#include <stdlib.h>

#include "core/disk.h"
#include "core/hash.h"
#include "core/invariant.h"
#include "kv/store.h"

#define LEVELS_MAX 20
#define CHECKPOINT_MAGIC "isopod-model-1\n"
#define CHECKPOINT_BYTES_MAX ((size_t)4 << 30)

struct node {
    struct bytes key;   // Behind the links, in the node's own memory.
    struct bytes value; // malloc'ed.
    struct node *previous;
    uint32_t levels;
    struct node *next[];
};

struct table {
    struct node *head;
    struct node *tail; // The last node, or the head when empty.
    uint64_t count;
    uint64_t generation; // Grows with each structural change: cursors from before it are void.
};

struct undo {
    enum store_table table;
    struct bytes key;
    struct bytes value; // data NULL: the key was absent.
    struct undo *next;
};

struct model_cursor {
    struct store_cursor base;
    struct node *node;
    uint64_t generation;
};

struct store_model {
    struct store base;
    char *path; // Of the checkpoint; NULL: none.
    struct table tables[STORE_TABLE_COUNT];
    uint64_t bytes;
    uint64_t random;
    bool in_transaction;
    struct undo *undo;
    struct store_cursor *cursors_free;
    uint32_t cursors_open;
};

static struct store_model *model_of(struct store *store)
{
    return container_of(store, struct store_model, base);
}

// --- skip list -----------------------------------------------------------------------------------------

static void *memory(size_t size)
{
    void *result = malloc(size == 0 ? 1 : size);
    invariant(result != NULL);
    return result;
}

static struct bytes bytes_own(struct bytes bytes)
{
    uint8_t *data = memory(bytes.size);
    if (bytes.size > 0) memcpy(data, bytes.data, bytes.size);
    return bytes_of(data, bytes.size);
}

static struct node *node_create(struct bytes key, uint32_t levels)
{
    struct node *node = memory(sizeof *node + levels * sizeof node->next[0] + key.size);
    *node = (struct node){.levels = levels};
    memset(node->next, 0, levels * sizeof node->next[0]);
    uint8_t *copy = (uint8_t *)&node->next[levels];
    if (key.size > 0) memcpy(copy, key.data, key.size);
    node->key = bytes_of(copy, key.size);
    return node;
}

static void node_destroy(struct node *node)
{
    free((void *)node->value.data);
    free(node);
}

static uint32_t random_levels(struct store_model *model)
{
    model->random += 0x9e3779b97f4a7c15u;
    uint64_t bits = hash_u64(model->random);
    uint32_t levels = 1 + (uint32_t)__builtin_ctzll(bits | UINT64_C(1) << 62) / 2;
    return levels < LEVELS_MAX ? levels : LEVELS_MAX;
}

// The last node below `key` (the head when there is none), with its links at each level.
static struct node *find_below(struct table *table, struct bytes key, struct node **below)
{
    struct node *node = table->head;
    for (uint32_t level = LEVELS_MAX; level-- > 0;) {
        while (node->next[level] != NULL && bytes_compare(node->next[level]->key, key) < 0)
            node = node->next[level];
        if (below != NULL) below[level] = node;
    }
    return node;
}

static struct node *find(struct table *table, struct bytes key)
{
    struct node *node = find_below(table, key, NULL)->next[0];
    return node != NULL && bytes_equal(node->key, key) ? node : NULL;
}

// Sets (or, with data NULL, removes) without noting it for undo.
static void table_set(
    struct store_model *model, struct table *table, struct bytes key, struct bytes value)
{
    struct node *below[LEVELS_MAX];
    find_below(table, key, below);
    struct node *node = below[0]->next[0];
    bool present = node != NULL && bytes_equal(node->key, key);
    if (value.data == NULL) {
        if (!present) return;
        for (uint32_t level = 0; level < node->levels; level++)
            below[level]->next[level] = node->next[level];
        if (node->next[0] != NULL)
            node->next[0]->previous = node->previous;
        else
            table->tail = node->previous;
        model->bytes -= node->key.size + node->value.size;
        table->count--;
        table->generation++;
        node_destroy(node);
        return;
    }
    struct bytes owned = bytes_own(value);
    if (present) {
        model->bytes += value.size - node->value.size;
        free((void *)node->value.data);
        node->value = owned;
        table->generation++;
        return;
    }
    node = node_create(key, random_levels(model));
    node->value = owned;
    node->previous = below[0];
    for (uint32_t level = 0; level < node->levels; level++) {
        node->next[level] = below[level]->next[level];
        below[level]->next[level] = node;
    }
    if (node->next[0] != NULL)
        node->next[0]->previous = node;
    else
        table->tail = node;
    model->bytes += key.size + value.size;
    table->count++;
    table->generation++;
}

// --- reading -------------------------------------------------------------------------------------------

static struct status model_get(
    struct store *store, enum store_table table, struct bytes key, struct bytes *value, bool *found)
{
    struct node *node = find(&model_of(store)->tables[table], key);
    *found = node != NULL;
    if (node != NULL) *value = node->value;
    return STATUS_OK;
}

static void model_release(struct store *store)
{
    (void)store;
}

static struct status model_cursor_open(
    struct store *store, enum store_table table, struct store_cursor **cursor)
{
    struct store_model *model = model_of(store);
    struct store_cursor *base = model->cursors_free;
    if (base != NULL) {
        model->cursors_free = base->next;
    } else {
        base = &((struct model_cursor *)memory(sizeof(struct model_cursor)))->base;
    }
    *base = (struct store_cursor){.store = store, .table = table};
    container_of(base, struct model_cursor, base)->node = NULL;
    model->cursors_open++;
    *cursor = base;
    return STATUS_OK;
}

static void model_cursor_close(struct store_cursor *cursor)
{
    struct store_model *model = model_of(cursor->store);
    invariant(model->cursors_open > 0);
    model->cursors_open--;
    cursor->next = model->cursors_free;
    model->cursors_free = cursor;
}

static struct status cursor_place(struct model_cursor *cursor, struct node *node, bool *found)
{
    struct table *table = &model_of(cursor->base.store)->tables[cursor->base.table];
    *found = node != NULL && node != table->head;
    cursor->node = *found ? node : NULL;
    cursor->generation = table->generation;
    if (*found) {
        cursor->base.key = node->key;
        cursor->base.value = node->value;
    }
    return STATUS_OK;
}

static struct status model_seek(
    struct store_cursor *base, enum store_direction direction, struct bytes key, bool *found)
{
    struct table *table = &model_of(base->store)->tables[base->table];
    struct node *below = find_below(table, key, NULL);
    return cursor_place(container_of(base, struct model_cursor, base),
        direction == STORE_FORWARD ? below->next[0] : below, found);
}

static struct status model_step(
    struct store_cursor *base, enum store_direction direction, bool *found)
{
    struct model_cursor *cursor = container_of(base, struct model_cursor, base);
    struct table *table = &model_of(base->store)->tables[base->table];
    invariant(cursor->node != NULL && cursor->generation == table->generation);
    struct node *node = direction == STORE_FORWARD ? cursor->node->next[0] : cursor->node->previous;
    return cursor_place(cursor, node, found);
}

// --- changing ------------------------------------------------------------------------------------------

static struct status model_begin(struct store *store)
{
    struct store_model *model = model_of(store);
    invariant(!model->in_transaction && model->undo == NULL);
    model->in_transaction = true;
    return STATUS_OK;
}

static void undo_free(struct store_model *model, bool restore)
{
    while (model->undo != NULL) {
        struct undo *undo = model->undo;
        model->undo = undo->next;
        if (restore) table_set(model, &model->tables[undo->table], undo->key, undo->value);
        free((void *)undo->key.data);
        free((void *)undo->value.data);
        free(undo);
    }
    model->in_transaction = false;
}

static struct status model_commit(struct store *store)
{
    invariant(model_of(store)->in_transaction);
    undo_free(model_of(store), false);
    return STATUS_OK;
}

static void model_rollback(struct store *store)
{
    invariant(model_of(store)->in_transaction);
    undo_free(model_of(store), true);
}

static void change(
    struct store_model *model, enum store_table table, struct bytes key, struct bytes value)
{
    invariant(model->in_transaction);
    struct node *node = find(&model->tables[table], key);
    if (node == NULL && value.data == NULL) return;
    struct undo *undo = memory(sizeof *undo);
    *undo = (struct undo){.table = table, .key = bytes_own(key), .next = model->undo};
    if (node != NULL) undo->value = bytes_own(node->value);
    model->undo = undo;
    table_set(model, &model->tables[table], undo->key, value);
}

static struct status model_put(
    struct store *store, enum store_table table, struct bytes key, struct bytes value)
{
    if (value.data == NULL) value = BYTES_LITERAL("");
    change(model_of(store), table, key, value);
    return STATUS_OK;
}

static struct status model_add(
    struct store *store, struct bytes key, struct bytes value, bool *added)
{
    *added = find(&model_of(store)->tables[STORE_CURRENT], key) == NULL;
    return *added ? model_put(store, STORE_CURRENT, key, value) : STATUS_OK;
}

static struct status model_remove(struct store *store, enum store_table table, struct bytes key)
{
    change(model_of(store), table, key, bytes_of(NULL, 0));
    return STATUS_OK;
}

static struct status model_clear(struct store *store, enum store_table table, struct span span)
{
    struct store_model *model = model_of(store);
    for (;;) {
        struct node *node = find_below(&model->tables[table], span.start, NULL)->next[0];
        if (node == NULL || bytes_compare(node->key, span.end) >= 0) return STATUS_OK;
        change(model, table, node->key, bytes_of(NULL, 0));
    }
}

// --- the whole -----------------------------------------------------------------------------------------

// magic | per table: count u64, (key size u32, value size u64, key, value)... | hash u64
static uint8_t *checkpoint_encode(struct store_model *model, size_t *size)
{
    size_t total = sizeof CHECKPOINT_MAGIC - 1 + 8;
    for (uint32_t t = 0; t < STORE_TABLE_COUNT; t++)
        total += 8 + model->tables[t].count * 12;
    total += model->bytes;
    uint8_t *out = memory(total), *at = out;
    memcpy(at, CHECKPOINT_MAGIC, sizeof CHECKPOINT_MAGIC - 1);
    at += sizeof CHECKPOINT_MAGIC - 1;
    for (uint32_t t = 0; t < STORE_TABLE_COUNT; t++) {
        memcpy(at, &model->tables[t].count, 8);
        at += 8;
        for (struct node *node = model->tables[t].head->next[0]; node != NULL;
             node = node->next[0]) {
            uint32_t key_size = (uint32_t)node->key.size;
            uint64_t value_size = node->value.size;
            memcpy(at, &key_size, 4);
            memcpy(at + 4, &value_size, 8);
            memcpy(at + 12, node->key.data, key_size);
            memcpy(at + 12 + key_size, node->value.data, value_size);
            at += 12 + key_size + value_size;
        }
    }
    uint64_t hash = hash_bytes(bytes_of(out, (size_t)(at - out)));
    memcpy(at, &hash, 8);
    at += 8;
    invariant((size_t)(at - out) == total);
    *size = total;
    return out;
}

static struct status checkpoint_decode(struct store_model *model, struct bytes in)
{
    const struct status malformed =
        status_make(E_DATA_CORRUPTED, "damaged checkpoint of a model store");
    struct bytes magic = BYTES_LITERAL(CHECKPOINT_MAGIC);
    if (in.size < magic.size + 8 || !bytes_has_prefix(in, magic)) return malformed;
    uint64_t hash;
    memcpy(&hash, in.data + in.size - 8, 8);
    in.size -= 8;
    if (hash_bytes(in) != hash) return malformed;
    in = bytes_skip(in, magic.size);
    for (uint32_t t = 0; t < STORE_TABLE_COUNT; t++) {
        uint64_t count;
        if (in.size < 8) return malformed;
        memcpy(&count, in.data, 8);
        in = bytes_skip(in, 8);
        for (uint64_t i = 0; i < count; i++) {
            uint32_t key_size;
            uint64_t value_size;
            if (in.size < 12) return malformed;
            memcpy(&key_size, in.data, 4);
            memcpy(&value_size, in.data + 4, 8);
            in = bytes_skip(in, 12);
            if (key_size > in.size || value_size > in.size - key_size) return malformed;
            table_set(model, &model->tables[t], bytes_of(in.data, key_size),
                bytes_of(in.data + key_size, value_size));
            in = bytes_skip(in, key_size + (size_t)value_size);
        }
    }
    return in.size == 0 ? STATUS_OK : malformed;
}

static struct status model_checkpoint(struct task *task, struct store *store)
{
    struct store_model *model = model_of(store);
    if (model->path == NULL) return STATUS_OK;
    size_t size;
    // The copy is taken at once, so what is applied while the file is written is not half in it.
    uint8_t *content = checkpoint_encode(model, &size);
    struct status st = disk_write_file(task, model->path, bytes_of(content, size));
    free(content);
    return st;
}

// --- backup --------------------------------------------------------------------------------------------

// The one file, read at once: the next checkpoint replaces it.
struct model_backup {
    struct store_backup base;
    struct store_backup_file file;
    struct bytes content;
};

static void model_backup_end(struct task *task, struct store_backup *base)
{
    struct model_backup *backup = container_of(base, struct model_backup, base);
    (void)task;
    free((void *)backup->content.data);
    free(backup);
}

static struct status model_backup_begin(
    struct task *task, struct store *store, struct store_backup **opened)
{
    struct store_model *model = model_of(store);
    struct bytes content;
    if (model->path == NULL)
        return status_make(E_FEATURE_NOT_SUPPORTED, "a store in memory has no backup");
    struct arena_mark mark = arena_mark(task->arena);
    struct status st = disk_read_file(task, model->path, CHECKPOINT_BYTES_MAX, &content);
    if (failed(st)) return st;
    struct model_backup *backup = memory(sizeof *backup);
    uint8_t *copy = memory(content.size + 1);
    memcpy(copy, content.data, content.size);
    backup->content = bytes_of(copy, content.size);
    arena_release(task->arena, mark);
    backup->file = (struct store_backup_file){.name = "checkpoint", .bytes = backup->content.size};
    backup->base =
        (struct store_backup){.store = store, .files = &backup->file, .count = 1};
    *opened = &backup->base;
    return STATUS_OK;
}

static struct status model_backup_read(struct task *task, struct store_backup *base, uint32_t file,
    uint64_t offset, void *buffer, size_t size, size_t *read)
{
    struct model_backup *backup = container_of(base, struct model_backup, base);
    (void)task;
    invariant(file == 0);
    struct bytes rest = offset < backup->content.size
                            ? bytes_skip(backup->content, (size_t)offset)
                            : bytes_of(NULL, 0);
    *read = size < rest.size ? size : rest.size;
    if (*read > 0) memcpy(buffer, rest.data, *read);
    return STATUS_OK;
}

static void model_figures(struct store *store, struct store_figures *figures)
{
    struct store_model *model = model_of(store);
    *figures = (struct store_figures){.bytes = model->bytes, .cache_bytes = model->bytes};
}

static struct status model_cache_set(struct store *store, uint64_t cache_bytes)
{
    (void)store;
    (void)cache_bytes;
    return STATUS_OK;
}

static struct status model_cache_shrink(struct store *store, bool shrink)
{
    (void)store;
    (void)shrink;
    return STATUS_OK;
}

static void model_drop(struct store *store)
{
    struct store_model *model = model_of(store);
    invariant(model->cursors_open == 0);
    undo_free(model, false);
    for (uint32_t t = 0; t < STORE_TABLE_COUNT; t++) {
        for (struct node *node = model->tables[t].head; node != NULL;) {
            struct node *next = node->next[0];
            node_destroy(node);
            node = next;
        }
    }
    while (model->cursors_free != NULL) {
        struct store_cursor *cursor = model->cursors_free;
        model->cursors_free = cursor->next;
        free(container_of(cursor, struct model_cursor, base));
    }
    free(model->path);
    free(model);
}

static struct status model_close(struct task *task, struct store *store)
{
    (void)task;
    model_drop(store);
    return STATUS_OK;
}

static const struct store_ops model_ops = {
    .name = "model",
    .get = model_get,
    .release = model_release,
    .cursor_open = model_cursor_open,
    .cursor_close = model_cursor_close,
    .seek = model_seek,
    .step = model_step,
    .begin = model_begin,
    .commit = model_commit,
    .rollback = model_rollback,
    .put = model_put,
    .add = model_add,
    .remove = model_remove,
    .clear = model_clear,
    .checkpoint = model_checkpoint,
    .backup_begin = model_backup_begin,
    .backup_read = model_backup_read,
    .backup_end = model_backup_end,
    .figures = model_figures,
    .cache_set = model_cache_set,
    .cache_shrink = model_cache_shrink,
    .close = model_close,
    .drop = model_drop,
};

struct status store_model_open(
    struct task *task, const struct store_options *options, struct store **store)
{
    struct status st = STATUS_OK;
    struct store_model *model = memory(sizeof *model);
    *model = (struct store_model){.base = {&model_ops}, .random = 1};
    for (uint32_t t = 0; t < STORE_TABLE_COUNT; t++) {
        model->tables[t].head = node_create(bytes_of(NULL, 0), LEVELS_MAX);
        model->tables[t].tail = model->tables[t].head;
    }
    if (options->home != NULL) {
        size_t size = strlen(options->home) + sizeof "/checkpoint";
        model->path = memory(size);
        snprintf(model->path, size, "%s/checkpoint", options->home);
        struct bytes content;
        struct arena_mark mark = arena_mark(task->arena);
        TRY(disk_mkdir(task, options->home));
        st = disk_read_file(task, model->path, CHECKPOINT_BYTES_MAX, &content);
        if (!failed(st)) {
            st = checkpoint_decode(model, content);
            arena_release(task->arena, mark);
        } else if (status_is(st, E_UNDEFINED_FILE)) {
            st = STATUS_OK; // A new store.
        }
        TRY(st);
    }
    *store = &model->base;
    return STATUS_OK;
out:
    model_drop(&model->base);
    return st;
}
