// SPDX-License-Identifier: GPL-3.0-or-later
//
// Files for tasks: straight-line wrappers over struct env's disk operations. All of them suspend.
// What wants completions instead of tasks (the log writer) submits struct disk_op itself.
//
// A task that is cancelled while an operation runs waits for its end, since the buffer is lent; what
// it begins after that fails, but for disk_close.
//
// Errors   53100 disk full, 58P01 no such file, 58030 the rest; each names the path.
#pragma once
#include "core/env.h"
#include "core/task.h"

struct disk_file {
    int64_t handle; // -1: not open (closing it again does nothing).
};

CHECKED struct status disk_open(
    struct task *task, const char *path, uint32_t flags, struct disk_file *file);
CHECKED struct status disk_close(struct task *task, struct disk_file *file);
// Reads `size` bytes; *read is less only at the end of the file.
CHECKED struct status disk_read(struct task *task, struct disk_file *file, uint64_t offset,
    void *buffer, size_t size, size_t *read);
// Writes all of it; with DISK_DSYNC in `flags` it is durable on return.
CHECKED struct status disk_write(struct task *task, struct disk_file *file, uint64_t offset,
    const void *buffer, size_t size, uint32_t flags);
CHECKED struct status disk_sync(struct task *task, struct disk_file *file);
CHECKED struct status disk_allocate(struct task *task, struct disk_file *file, uint64_t size);
CHECKED struct status disk_truncate(struct task *task, struct disk_file *file, uint64_t size);
CHECKED struct status disk_size(struct task *task, struct disk_file *file, uint64_t *size);
CHECKED struct status disk_rename(struct task *task, const char *from, const char *to);
CHECKED struct status disk_unlink(struct task *task, const char *path);
CHECKED struct status disk_mkdir(struct task *task, const char *path);
// Names in a folder, sorted, in task->arena. *names is NULL-terminated.
CHECKED struct status disk_list(struct task *task, const char *path, char ***names);
// Whole small files (at most `size_max` bytes; 54000 beyond). Writing goes through a temporary name,
// a sync and a rename, so that a crash leaves the old or the new content.
CHECKED struct status disk_read_file(
    struct task *task, const char *path, size_t size_max, struct bytes *content);
CHECKED struct status disk_write_file(struct task *task, const char *path, struct bytes content);
