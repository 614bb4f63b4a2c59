// SPDX-License-Identifier: GPL-3.0-or-later
//
// Files for tasks: what is written is read back, names change atomically, errors have their codes.
#include "tests/unit/harness.h"

#include <string.h>
#include <sys/stat.h>

#include "core/disk.h"

NODE_TEST(disk, write_and_read_back, 1)
{
    struct status st = STATUS_OK;
    char dir[256];
    struct disk_file file = {.handle = -1};
    const char *path = arena_printf(task->arena, "%s/file", test_dir(dir));
    CHECK_FAILS(disk_open(task, path, 0, &file), E_UNDEFINED_FILE);
    TRY(disk_open(task, path, DISK_CREATE, &file));
    TRY(disk_write(task, &file, 0, "hello, disk", 11, DISK_DSYNC));
    TRY(disk_write(task, &file, 5000, "far", 3, 0));
    TRY(disk_sync(task, &file));
    uint64_t size = 0;
    TRY(disk_size(task, &file, &size));
    CHECK(size == 5003);
    char text[16] = "";
    size_t got = 0;
    TRY(disk_read(task, &file, 0, text, 11, &got));
    CHECK(got == 11 && memcmp(text, "hello, disk", 11) == 0);
    TRY(disk_read(task, &file, 5000, text, 16, &got));
    CHECK(got == 3); // The end of the file.
    TRY(disk_truncate(task, &file, 4));
    TRY(disk_allocate(task, &file, 10000));
    TRY(disk_size(task, &file, &size));
    CHECK(size == 10000);
    TRY(disk_close(task, &file));
    TRY(disk_close(task, &file)); // Again does nothing.
    TRY(disk_unlink(task, path));
    CHECK_FAILS(disk_unlink(task, path), E_UNDEFINED_FILE);
out:
    return st;
}

NODE_TEST(disk, direct_writes_are_aligned, 1)
{
    struct status st = STATUS_OK;
    char dir[256];
    struct disk_file file = {.handle = -1};
    const char *path = arena_printf(task->arena, "%s/direct", test_dir(dir));
    void *block = arena_alloc_aligned(task->arena, 8192, 4096);
    memset(block, 'x', 8192);
    TRY(disk_open(task, path, DISK_CREATE | DISK_DIRECT, &file));
    TRY(disk_write(task, &file, 4096, block, 8192, DISK_DSYNC));
    size_t got = 0;
    TRY(disk_read(task, &file, 8192, block, 4096, &got));
    CHECK(got == 4096);
    TRY(disk_close(task, &file));
out:
    return st;
}

NODE_TEST(disk, folders_and_names, 1)
{
    struct status st = STATUS_OK;
    char dir[256];
    test_dir(dir);
    const char *sub = arena_printf(task->arena, "%s/sub", dir);
    TRY(disk_mkdir(task, sub));
    TRY(disk_mkdir(task, sub)); // An existing one is success.
    static const char *const made[] = {"b", "a", "c"};
    for (int i = 0; i < 3; i++)
        TRY(disk_write_file(task, arena_printf(task->arena, "%s/%s", sub, made[i]),
            bytes_of_string(made[i])));
    char **names;
    TRY(disk_list(task, sub, &names));
    CHECK(strcmp(names[0], "a") == 0 && strcmp(names[2], "c") == 0 && names[3] == NULL);
    TRY(disk_rename(task, arena_printf(task->arena, "%s/a", sub),
        arena_printf(task->arena, "%s/b", sub)));
    struct bytes content;
    TRY(disk_read_file(task, arena_printf(task->arena, "%s/b", sub), 100, &content));
    CHECK(content.size == 1 && content.data[0] == 'a');
    CHECK_FAILS(disk_read_file(task, arena_printf(task->arena, "%s/b", sub), 0, &content),
        E_PROGRAM_LIMIT_EXCEEDED);
    // A file where a folder should be.
    CHECK_FAILS(disk_mkdir(task, arena_printf(task->arena, "%s/b", sub)), E_IO_ERROR);
    CHECK_FAILS(disk_list(task, arena_printf(task->arena, "%s/none", sub), &names),
        E_UNDEFINED_FILE);
out:
    return st;
}
