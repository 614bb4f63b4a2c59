// SPDX-License-Identifier: GPL-3.0-or-later
#include "kv/store_wt_file.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "core/invariant.h"
#include "core/log.h"
#include "core/shard.h"

#define WAIT_NS 50000000L
#define WARN_EVERY 200u // Waits.
#define IO_BYTES_MAX ((size_t)1 << 30)

struct wt_file {
    WT_FILE_HANDLE base;
    int fd;
};

static struct wt_file *file_of(WT_FILE_HANDLE *handle)
{
    return container_of(handle, struct wt_file, base);
}

// Room kept for this moment (kv/maintenance.c): a checkpoint under way can then come to its end.
static void give_reserve(const char *name)
{
    char path[1024];
    if (strlen(name) + sizeof "/" STORE_RESERVE_NAME > sizeof path) return;
    strcpy(path, name);
    for (uint32_t level = 0; level < 2; level++) { // <dir>/slice-<id>/<file>
        char *slash = strrchr(path, '/');
        if (slash == NULL) return;
        *slash = 0;
    }
    strcat(path, "/" STORE_RESERVE_NAME);
    if (unlink(path) == 0) log_warning(0, "no room on the disk: %s is given up", path);
}

// Whether to try a call again that failed for lack of room.
static bool wait_for_room(int error, const char *name, uint32_t *waits)
{
    if ((error != ENOSPC && error != EDQUOT) || shard_self() != NULL) return false;
    if (*waits == 0) give_reserve(name);
    if (++*waits % WARN_EVERY == 2) log_warning(0, "no room on the disk for %s: waiting", name);
    if (*waits > 1) nanosleep(&(struct timespec){0, WAIT_NS}, NULL);
    return true;
}

static int error_of(int error)
{
    bool full = error == ENOSPC || error == EDQUOT;
    return full && shard_self() != NULL ? EBUSY : error;
}

// --- an open file --------------------------------------------------------------------------------------

static int file_close(WT_FILE_HANDLE *handle, WT_SESSION *session)
{
    (void)session;
    struct wt_file *file = file_of(handle);
    int ret = close(file->fd) == 0 ? 0 : errno;
    free(file->base.name);
    free(file);
    return ret;
}

static int file_lock(WT_FILE_HANDLE *handle, WT_SESSION *session, bool lock)
{
    (void)session;
    struct flock region = {
        .l_type = lock ? F_WRLCK : F_UNLCK, .l_whence = SEEK_SET, .l_start = 0, .l_len = 1};
    return fcntl(file_of(handle)->fd, F_SETLK, &region) == 0 ? 0 : errno;
}

static int file_read(
    WT_FILE_HANDLE *handle, WT_SESSION *session, wt_off_t offset, size_t size, void *out)
{
    (void)session;
    for (size_t at = 0; at < size;) {
        size_t part = size - at < IO_BYTES_MAX ? size - at : IO_BYTES_MAX;
        ssize_t got = pread(file_of(handle)->fd, (uint8_t *)out + at, part, offset + (wt_off_t)at);
        if (got < 0 && errno == EINTR) continue;
        if (got <= 0) return got == 0 ? WT_ERROR : errno;
        at += (size_t)got;
    }
    return 0;
}

static int file_write(
    WT_FILE_HANDLE *handle, WT_SESSION *session, wt_off_t offset, size_t size, const void *in)
{
    (void)session;
    uint32_t waits = 0;
    for (size_t at = 0; at < size;) {
        size_t part = size - at < IO_BYTES_MAX ? size - at : IO_BYTES_MAX;
        ssize_t put =
            pwrite(file_of(handle)->fd, (const uint8_t *)in + at, part, offset + (wt_off_t)at);
        if (put < 0 && (errno == EINTR || wait_for_room(errno, handle->name, &waits))) continue;
        if (put < 0) return error_of(errno);
        at += (size_t)put;
    }
    return 0;
}

static int file_size(WT_FILE_HANDLE *handle, WT_SESSION *session, wt_off_t *size)
{
    (void)session;
    struct stat info;
    if (fstat(file_of(handle)->fd, &info) != 0) return errno;
    *size = info.st_size;
    return 0;
}

static int file_sync(WT_FILE_HANDLE *handle, WT_SESSION *session)
{
    (void)session;
    // Never tried again: a failed one may have dropped what it was to write.
    return fdatasync(file_of(handle)->fd) == 0 ? 0 : errno;
}

static int file_truncate(WT_FILE_HANDLE *handle, WT_SESSION *session, wt_off_t size)
{
    (void)session;
    uint32_t waits = 0;
    while (ftruncate(file_of(handle)->fd, size) != 0) {
        if (errno != EINTR && !wait_for_room(errno, handle->name, &waits)) return error_of(errno);
    }
    return 0;
}

// --- the file system -------------------------------------------------------------------------------------

static int folder_sync(const char *path)
{
    char *folder = strdup(path);
    if (folder == NULL) return ENOMEM;
    char *slash = strrchr(folder, '/');
    if (slash != NULL) slash[slash == folder] = 0;
    int fd = open(slash != NULL ? folder : ".", O_RDONLY | O_CLOEXEC | O_DIRECTORY);
    int ret = fd < 0 || fsync(fd) != 0 ? errno : 0;
    if (fd >= 0) close(fd);
    free(folder);
    return ret;
}

static int system_open(WT_FILE_SYSTEM *system, WT_SESSION *session, const char *name,
    WT_FS_OPEN_FILE_TYPE type, uint32_t flags, WT_FILE_HANDLE **handle)
{
    (void)session;
    uint32_t waits = 0;
    bool folder = type == WT_FS_OPEN_FILE_TYPE_DIRECTORY;
    int mode = O_CLOEXEC | ((flags & WT_FS_OPEN_READONLY) || folder ? O_RDONLY : O_RDWR) |
               (folder ? O_DIRECTORY : 0);
    if (!folder && (flags & WT_FS_OPEN_CREATE)) mode |= O_CREAT;
    if (!folder && (flags & WT_FS_OPEN_EXCLUSIVE)) mode |= O_EXCL;
    int fd;
    while ((fd = open(name, mode, 0600)) < 0) {
        if (errno != EINTR && !wait_for_room(errno, name, &waits)) return error_of(errno);
    }
    if ((flags & WT_FS_OPEN_CREATE) && (flags & WT_FS_OPEN_DURABLE)) {
        int ret = folder_sync(name);
        if (ret != 0) {
            close(fd);
            return ret;
        }
    }
    struct wt_file *file = calloc(1, sizeof *file);
    char *copy = strdup(name);
    if (file == NULL || copy == NULL) {
        free(file);
        free(copy);
        close(fd);
        return ENOMEM;
    }
    file->fd = fd;
    file->base = (WT_FILE_HANDLE){.file_system = system,
        .name = copy,
        .close = file_close,
        .fh_lock = file_lock,
        .fh_read = file_read,
        .fh_size = file_size,
        .fh_sync = file_sync,
        .fh_truncate = file_truncate,
        .fh_write = file_write};
    *handle = &file->base;
    return 0;
}

static int system_exist(WT_FILE_SYSTEM *system, WT_SESSION *session, const char *name, bool *exists)
{
    (void)system;
    (void)session;
    struct stat info;
    *exists = stat(name, &info) == 0;
    return *exists || errno == ENOENT ? 0 : errno;
}

static int system_remove(
    WT_FILE_SYSTEM *system, WT_SESSION *session, const char *name, uint32_t flags)
{
    (void)system;
    (void)session;
    if (unlink(name) != 0) return errno;
    return flags & WT_FS_DURABLE ? folder_sync(name) : 0;
}

static int system_rename(
    WT_FILE_SYSTEM *system, WT_SESSION *session, const char *from, const char *to, uint32_t flags)
{
    (void)system;
    (void)session;
    uint32_t waits = 0;
    while (rename(from, to) != 0) {
        if (errno != EINTR && !wait_for_room(errno, to, &waits)) return error_of(errno);
    }
    return flags & WT_FS_DURABLE ? folder_sync(to) : 0;
}

static int system_size(
    WT_FILE_SYSTEM *system, WT_SESSION *session, const char *name, wt_off_t *size)
{
    (void)system;
    (void)session;
    struct stat info;
    if (stat(name, &info) != 0) return errno;
    *size = info.st_size;
    return 0;
}

static int system_list_free(
    WT_FILE_SYSTEM *system, WT_SESSION *session, char **names, uint32_t count)
{
    (void)system;
    (void)session;
    for (uint32_t i = 0; i < count; i++)
        free(names[i]);
    free(names);
    return 0;
}

static int list_some(
    const char *folder, const char *prefix, bool single, char ***names, uint32_t *count)
{
    DIR *dir = opendir(folder);
    struct dirent *entry;
    uint32_t capacity = 0;
    int ret = 0;
    *names = NULL;
    *count = 0;
    if (dir == NULL) return errno;
    while (ret == 0 && (entry = readdir(dir)) != NULL && !(single && *count == 1)) {
        if (strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0) continue;
        if (prefix != NULL && strncmp(entry->d_name, prefix, strlen(prefix)) != 0) continue;
        if (*count == capacity) {
            capacity = capacity == 0 ? 16 : 2 * capacity;
            char **grown = realloc(*names, capacity * sizeof(char *));
            if (grown == NULL) {
                ret = ENOMEM;
                break;
            }
            *names = grown;
        }
        (*names)[*count] = strdup(entry->d_name);
        if ((*names)[*count] == NULL)
            ret = ENOMEM;
        else
            (*count)++;
    }
    closedir(dir);
    if (ret != 0) {
        (void)system_list_free(NULL, NULL, *names, *count);
        *names = NULL;
        *count = 0;
    }
    return ret;
}

static int system_list(WT_FILE_SYSTEM *system, WT_SESSION *session, const char *folder,
    const char *prefix, char ***names, uint32_t *count)
{
    (void)system;
    (void)session;
    return list_some(folder, prefix, false, names, count);
}

static int system_list_single(WT_FILE_SYSTEM *system, WT_SESSION *session, const char *folder,
    const char *prefix, char ***names, uint32_t *count)
{
    (void)system;
    (void)session;
    return list_some(folder, prefix, true, names, count);
}

static int system_terminate(WT_FILE_SYSTEM *system, WT_SESSION *session)
{
    (void)session;
    free(system);
    return 0;
}

int store_wt_file_load(WT_CONNECTION *connection, WT_CONFIG_ARG *config)
{
    (void)config;
    WT_FILE_SYSTEM *system = calloc(1, sizeof *system);
    if (system == NULL) return ENOMEM;
    *system = (WT_FILE_SYSTEM){.fs_directory_list = system_list,
        .fs_directory_list_single = system_list_single,
        .fs_directory_list_free = system_list_free,
        .fs_exist = system_exist,
        .fs_open_file = system_open,
        .fs_remove = system_remove,
        .fs_rename = system_rename,
        .fs_size = system_size,
        .terminate = system_terminate};
    int ret = connection->set_file_system(connection, system, NULL);
    if (ret != 0) free(system);
    return ret;
}
