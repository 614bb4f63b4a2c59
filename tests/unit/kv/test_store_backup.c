// SPDX-License-Identifier: GPL-3.0-or-later
//
// Backups of a store: a folder with their files is a store with the last checkpoint's content, however much
// was changed and checkpointed while they were read.
#include "tests/unit/harness.h"

#include "core/disk.h"
#include "kv/store.h"

#define PIECE 10000u

static struct status open_kind(
    struct task *task, bool model, const char *home, struct store **store)
{
    const struct store_options options = {.home = home};
    return model ? store_model_open(task, &options, store) : store_wt_open(task, &options, store);
}

static struct status put_numbers(struct store *store, uint32_t from, uint32_t to, const char *text)
{
    struct status st = store_begin(store);
    if (failed(st)) return st;
    for (uint32_t i = from; i < to; i++)
        TRY(store_put(store, STORE_CURRENT, bytes_of(&i, 4), bytes_of_string(text)));
    return store_commit(store);
out:
    store_rollback(store);
    return st;
}

static struct status copy_file(
    struct task *task, struct store_backup *backup, uint32_t file, const char *home)
{
    uint8_t piece[1000];
    struct disk_file out = {.handle = -1};
    const char *path = arena_printf(task->arena, "%s/%s", home, backup->files[file].name);
    struct status st;
    uint64_t offset = 0;
    size_t read = 0;
    TRY(disk_open(task, path, DISK_CREATE, &out));
    do {
        TRY(store_backup_read(task, backup, file, offset, piece, sizeof piece, &read));
        if (read > 0) TRY(disk_write(task, &out, offset, piece, read, 0));
        offset += read;
    } while (read == sizeof piece);
    CHECK(offset == backup->files[file].bytes);
    TRY(disk_close(task, &out));
out:
    return st;
}

static struct status backup_is_a_store(struct task *task, bool model)
{
    char dir[256];
    struct store *store = NULL, *copy = NULL;
    struct store_backup *backup = NULL;
    struct bytes value;
    bool found;
    struct status st;
    test_dir(dir);
    const char *home = arena_printf(task->arena, "%s/home", dir);
    const char *other = arena_printf(task->arena, "%s/other", dir);
    TRY(open_kind(task, model, home, &store));
    TRY(put_numbers(store, 0, PIECE, "before"));
    TRY(store_checkpoint(task, store));
    TRY(put_numbers(store, PIECE / 2, 2 * PIECE, "after"));
    TRY(store_backup_begin(task, store, &backup));
    TRY(disk_mkdir(task, other));
    for (uint32_t i = 0; i < backup->count; i++) {
        TRY(copy_file(task, backup, i, other));
        TRY(put_numbers(store, 0, 2 * PIECE, "much later"));
        TRY(store_checkpoint(task, store));
    }
    store_backup_end(task, backup);
    TRY(open_kind(task, model, other, &copy));
    for (uint32_t i = 0; i < 2 * PIECE; i++) {
        TRY(store_get(copy, STORE_CURRENT, bytes_of(&i, 4), &value, &found));
        CHECK(found == (i < PIECE));
        CHECK(!found || bytes_equal(value, BYTES_LITERAL("before")));
        store_release(copy);
    }
    TRY(put_numbers(copy, 0, 10, "it goes on"));
    TRY(store_checkpoint(task, copy));
    TRY(store_close(task, copy));
    TRY(store_close(task, store));
out:
    return st;
}

NODE_TEST(store_backup, of_the_model_is_a_store, 1)
{
    return backup_is_a_store(task, true);
}
NODE_TEST(store_backup, of_wiredtiger_is_a_store, 1)
{
    return backup_is_a_store(task, false);
}
