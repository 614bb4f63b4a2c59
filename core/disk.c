// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/disk.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "core/invariant.h"
#include "core/reactor.h"
#include "core/shard.h"

// A task's wait for one operation. The buffers are lent to the kernel, so that nothing cuts it short.
struct disk_wait {
    struct disk_op op;
    struct task *task;
    bool done;
};

static void wait_complete(struct disk_op *op)
{
    struct disk_wait *wait = container_of(op, struct disk_wait, op);
    wait->done = true;
    task_unpark(wait->task);
}

static struct status disk_error(
    struct task *task, int64_t result, const char *what, const char *path)
{
    struct status st = status_from_errno((int)-result, what);
    char text[128];
    const char *reason = strerror_r((int)-result, text, sizeof text);
    return status_format(task->arena, st.code, "%s \"%s\": %s", what, path, reason);
}

static int64_t disk_run(struct task *task, struct disk_wait *wait)
{
    struct env *env = task->shard->env;
    wait->task = task;
    wait->op.complete = wait_complete;
    env->disk_submit(env, task->shard, &wait->op);
    while (!wait->done)
        task_park(task, wait);
    return wait->op.result;
}

struct status disk_open(
    struct task *task, const char *path, uint32_t flags, struct disk_file *file)
{
    struct status st;
    file->handle = -1;
    if (task_interrupted(task, &st)) return st;
    struct disk_wait wait = {.op = {.kind = DISK_OPEN, .path = path, .flags = flags}};
    int64_t result = disk_run(task, &wait);
    if (result < 0) return disk_error(task, result, "cannot open", path);
    file->handle = result;
    return STATUS_OK;
}

// Also for a cancelled task: closing is cleaning up.
struct status disk_close(struct task *task, struct disk_file *file)
{
    if (file->handle < 0) return STATUS_OK;
    struct disk_wait wait = {.op = {.kind = DISK_CLOSE, .handle = file->handle}};
    file->handle = -1;
    int64_t result = disk_run(task, &wait);
    if (result < 0) return disk_error(task, result, "cannot close", "file");
    return STATUS_OK;
}

struct status disk_read(struct task *task, struct disk_file *file, uint64_t offset, void *buffer,
    size_t size, size_t *read)
{
    struct status st;
    *read = 0;
    while (*read < size) {
        if (task_interrupted(task, &st)) return st;
        struct disk_wait wait = {.op = {.kind = DISK_READ,
                                     .handle = file->handle,
                                     .offset = offset + *read,
                                     .buffer = (uint8_t *)buffer + *read,
                                     .size = size - *read}};
        int64_t result = disk_run(task, &wait);
        if (result < 0) return disk_error(task, result, "cannot read", "file");
        if (result == 0) break;
        *read += (size_t)result;
    }
    return STATUS_OK;
}

struct status disk_write(struct task *task, struct disk_file *file, uint64_t offset,
    const void *buffer, size_t size, uint32_t flags)
{
    struct status st;
    size_t written = 0;
    while (written < size) {
        if (task_interrupted(task, &st)) return st;
        struct disk_wait wait = {.op = {.kind = DISK_WRITE,
                                     .flags = flags,
                                     .handle = file->handle,
                                     .offset = offset + written,
                                     .buffer = (uint8_t *)(uintptr_t)buffer + written,
                                     .size = size - written}};
        int64_t result = disk_run(task, &wait);
        if (result == 0) result = -ENOSPC; // Nothing taken, and no reason given.
        if (result < 0) return disk_error(task, result, "cannot write", "file");
        written += (size_t)result;
    }
    return STATUS_OK;
}

static struct status disk_simple(
    struct task *task, struct disk_op op, const char *what, const char *name, int64_t *result)
{
    struct status st;
    if (task_interrupted(task, &st)) return st;
    struct disk_wait wait = {.op = op};
    int64_t got = disk_run(task, &wait);
    if (got < 0) return disk_error(task, got, what, name);
    if (result != NULL) *result = got;
    return STATUS_OK;
}

struct status disk_sync(struct task *task, struct disk_file *file)
{
    return disk_simple(task, (struct disk_op){.kind = DISK_SYNC, .handle = file->handle},
        "cannot sync", "file", NULL);
}

struct status disk_allocate(struct task *task, struct disk_file *file, uint64_t size)
{
    return disk_simple(task,
        (struct disk_op){.kind = DISK_ALLOCATE, .handle = file->handle, .size = size},
        "cannot reserve room for", "file", NULL);
}

struct status disk_truncate(struct task *task, struct disk_file *file, uint64_t size)
{
    return disk_simple(task,
        (struct disk_op){.kind = DISK_TRUNCATE, .handle = file->handle, .size = size},
        "cannot truncate", "file", NULL);
}

struct status disk_size(struct task *task, struct disk_file *file, uint64_t *size)
{
    int64_t result = 0;
    struct status st = disk_simple(task,
        (struct disk_op){.kind = DISK_SIZE, .handle = file->handle}, "cannot examine", "file",
        &result);
    *size = (uint64_t)result;
    return st;
}

struct status disk_rename(struct task *task, const char *from, const char *to)
{
    return disk_simple(task, (struct disk_op){.kind = DISK_RENAME, .path = from, .path_to = to},
        "cannot rename", from, NULL);
}

struct status disk_unlink(struct task *task, const char *path)
{
    return disk_simple(
        task, (struct disk_op){.kind = DISK_UNLINK, .path = path}, "cannot remove", path, NULL);
}

struct status disk_mkdir(struct task *task, const char *path)
{
    return disk_simple(
        task, (struct disk_op){.kind = DISK_MKDIR, .path = path}, "cannot make folder", path, NULL);
}

static int name_compare(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

struct status disk_list(struct task *task, const char *path, char ***names)
{
    struct status st;
    if (task_interrupted(task, &st)) return st;
    struct disk_wait wait = {.op = {.kind = DISK_LIST, .path = path}};
    int64_t result = disk_run(task, &wait);
    if (result < 0) return disk_error(task, result, "cannot list folder", path);
    size_t count = 0;
    for (const char *at = wait.op.names; *at != 0; at += strlen(at) + 1)
        count++;
    char **list = ARENA_ARRAY(task->arena, char *, count + 1);
    size_t index = 0;
    for (const char *at = wait.op.names; *at != 0; at += strlen(at) + 1)
        list[index++] = arena_strdup(task->arena, at);
    free(wait.op.names);
    qsort(list, count, sizeof *list, name_compare);
    *names = list;
    return STATUS_OK;
}

struct status disk_read_file(
    struct task *task, const char *path, size_t size_max, struct bytes *content)
{
    struct status st = STATUS_OK;
    struct disk_file file = {.handle = -1};
    uint64_t size = 0;
    TRY(disk_open(task, path, DISK_READ_ONLY, &file));
    TRY(disk_size(task, &file, &size));
    if (size > size_max) {
        st = status_format(task->arena, E_PROGRAM_LIMIT_EXCEEDED,
            "file \"%s\" is larger than %zu bytes", path, size_max);
        goto out;
    }
    uint8_t *data = arena_alloc(task->arena, (size_t)size + 1);
    size_t got = 0;
    TRY(disk_read(task, &file, 0, data, (size_t)size, &got));
    data[got] = 0; // Text can be used as a string.
    *content = bytes_of(data, got);
out:;
    struct status closed = disk_close(task, &file);
    return failed(st) ? st : closed;
}

struct status disk_write_file(struct task *task, const char *path, struct bytes content)
{
    struct status st = STATUS_OK;
    struct disk_file file = {.handle = -1};
    char *temporary = arena_printf(task->arena, "%s.tmp", path);
    TRY(disk_open(task, temporary, DISK_CREATE, &file));
    TRY(disk_truncate(task, &file, 0)); // What a crash may have left.
    TRY(disk_write(task, &file, 0, content.data, content.size, 0));
    TRY(disk_sync(task, &file));
    TRY(disk_close(task, &file));
    TRY(disk_rename(task, temporary, path));
out:;
    struct status closed = disk_close(task, &file);
    return failed(st) ? st : closed;
}
