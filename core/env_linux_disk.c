// SPDX-License-Identifier: GPL-3.0-or-later
//
// Disk operations: data through the ring, names through the helpers (io_uring would hand those to
// threads of the kernel's, and a rename needs its folder synced).
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "core/env_linux.h"

static int64_t result_of(int64_t result)
{
    return result < 0 ? -errno : result;
}

// Makes a change of names durable.
static int64_t sync_folder(const char *path)
{
    char copy[PATH_MAX];
    int length = snprintf(copy, sizeof copy, "%s", path);
    if (length < 0 || length >= (int)sizeof copy) return -ENAMETOOLONG;
    int folder = open(dirname(copy), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (folder < 0) return -errno;
    int64_t result = result_of(fsync(folder));
    close(folder);
    return result;
}

static int64_t op_open(const struct disk_op *op)
{
    int flags = O_CLOEXEC | ((op->flags & DISK_READ_ONLY) != 0 ? O_RDONLY : O_RDWR);
    if ((op->flags & DISK_DIRECT) != 0) flags |= O_DIRECT;
    int fd = -1;
    bool created = false;
    if ((op->flags & DISK_CREATE) != 0) {
        fd = open(op->path, flags | O_CREAT | O_EXCL, 0640);
        created = fd >= 0;
        if (fd < 0 && errno != EEXIST) return -errno;
    }
    if (fd < 0) fd = open(op->path, flags);
    if (fd < 0) return -errno;
    if (created) {
        int64_t synced = sync_folder(op->path);
        if (synced < 0) {
            close(fd);
            return synced;
        }
    }
    return fd;
}

static int64_t op_rename(const struct disk_op *op)
{
    if (rename(op->path, op->path_to) != 0) return -errno;
    return sync_folder(op->path_to);
}

static int64_t op_unlink(const struct disk_op *op)
{
    if (unlink(op->path) != 0) {
        if (errno != EISDIR && errno != EPERM) return -errno;
        if (rmdir(op->path) != 0) return -errno;
    }
    return sync_folder(op->path);
}

static int64_t op_mkdir(const struct disk_op *op)
{
    if (mkdir(op->path, 0750) == 0) return sync_folder(op->path);
    if (errno != EEXIST) return -errno;
    struct stat found;
    if (stat(op->path, &found) != 0) return -errno;
    return S_ISDIR(found.st_mode) ? 0 : -ENOTDIR;
}

static int64_t op_size(const struct disk_op *op)
{
    struct stat found;
    if (fstat((int)op->handle, &found) != 0) return -errno;
    return found.st_size;
}

static int64_t op_list(struct disk_op *op)
{
    DIR *folder = opendir(op->path);
    if (folder == NULL) return -errno;
    size_t size = 0, capacity = 1024;
    char *names = malloc(capacity);
    invariant(names != NULL);
    int64_t count = 0;
    struct dirent *entry;
    while ((entry = readdir(folder)) != NULL) {
        if (strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0) continue;
        size_t length = strlen(entry->d_name) + 1;
        if (size + length + 1 > capacity) {
            capacity = (size + length + 1) * 2;
            names = realloc(names, capacity);
            invariant(names != NULL);
        }
        memcpy(names + size, entry->d_name, length);
        size += length;
        count++;
    }
    names[size] = 0;
    closedir(folder);
    op->names = names;
    return count;
}

static void helper_fn(void *arg)
{
    struct disk_op *op = arg;
    switch (op->kind) {
    case DISK_OPEN: op->result = op_open(op); break;
    case DISK_CLOSE: op->result = result_of(close((int)op->handle)); break;
    case DISK_TRUNCATE: op->result = result_of(ftruncate((int)op->handle, (off_t)op->size)); break;
    case DISK_ALLOCATE: op->result = -posix_fallocate((int)op->handle, 0, (off_t)op->size); break;
    case DISK_SIZE: op->result = op_size(op); break;
    case DISK_RENAME: op->result = op_rename(op); break;
    case DISK_UNLINK: op->result = op_unlink(op); break;
    case DISK_MKDIR: op->result = op_mkdir(op); break;
    case DISK_LIST: op->result = op_list(op); break;
    case DISK_READ:
    case DISK_WRITE:
    case DISK_SYNC: invariant(false && "a data operation on a helper");
    }
}

static void helper_done(void *arg)
{
    struct disk_op *op = arg;
    op->complete(op);
}

void linux_disk_submit(struct env *env, struct shard *shard, struct disk_op *op)
{
    (void)env;
    struct linux_shard *linux_shard = linux_shard_of(shard);
    struct io_uring_sqe *sqe;
    // One operation moves at most this much (the kernel's bound); the caller sees a short result.
    unsigned size = op->size > (1u << 30) ? 1u << 30 : (unsigned)op->size;
    switch (op->kind) {
    case DISK_READ:
        sqe = ring_entry(linux_shard);
        io_uring_prep_read(sqe, (int)op->handle, op->buffer, size, op->offset);
        break;
    case DISK_WRITE:
        sqe = ring_entry(linux_shard);
        io_uring_prep_write(sqe, (int)op->handle, op->buffer, size, op->offset);
        if ((op->flags & DISK_DSYNC) != 0) sqe->rw_flags = RWF_DSYNC;
        break;
    case DISK_SYNC:
        sqe = ring_entry(linux_shard);
        io_uring_prep_fsync(sqe, (int)op->handle, IORING_FSYNC_DATASYNC);
        break;
    default:
        linux_pool_submit(
            linux_shard->owner->disk_helpers, shard, helper_fn, helper_done, op);
        return;
    }
    ring_tag(linux_shard, sqe, op, RING_DISK);
}

void linux_disk_complete(struct disk_op *op, int32_t result)
{
    op->result = result;
    op->complete(op);
}
