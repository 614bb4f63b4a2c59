// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/log.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "core/hashmap.h"
#include "core/log_sink.h"
#include "core/shard.h"
#include "core/status.h"
#include "core/text.h"

#define LINE_BYTES_MAX 4096u
#define QUEUE_BYTES_MAX (1u << 20)
#define FILE_BYTES_MAX (100u << 20)
#define FILES_KEPT_MAX 10
#define PATH_BYTES_MAX 1024

// A program without a reactor (the shell, a unit test) logs too, and need not link one.
__attribute__((weak)) struct shard *shard_self(void);

// Producers append whole lines to `filling` under the lock, which is held for a copy only; the
// writer thread swaps the two buffers and writes without it.
static struct log_state {
    pthread_mutex_t lock;
    pthread_cond_t work;    // Lines are waiting, or stop.
    pthread_cond_t written; // What was waiting is in the file.
    pthread_t writer;
    bool open;
    bool stop;
    char *filling;
    char *writing;
    size_t filling_bytes;
    uint64_t queued, flushed; // Bytes so far.
    uint64_t dropped;         // Lines since the last that was taken.
    enum log_severity least;
    enum log_severity to_stderr;
    uint32_t node_id;
    struct hashmap tenant_names; // Tenant id -> malloc'ed name.

    // The writer's own, after log_open.
    char dir[PATH_BYTES_MAX - 64];
    int file;
    uint64_t file_bytes;
} state = {
    .lock = PTHREAD_MUTEX_INITIALIZER,
    .work = PTHREAD_COND_INITIALIZER,
    .written = PTHREAD_COND_INITIALIZER,
    .least = LOG_INFO,
    .to_stderr = LOG_DEBUG,
    .file = -1,
};

static void (*watcher)(uint64_t tenant, const char *message); // log_watch_set

void log_watch_set(void (*watch)(uint64_t tenant, const char *message))
{
    watcher = watch;
}

static void (*sink_now)(const struct log_sink_line *line);

void log_sink_set(void (*sink)(const struct log_sink_line *line))
{
    sink_now = sink;
}

// --- lines ---------------------------------------------------------------------------------------

static const char letters[] = "DIWEF";

// "core/log.c" of "/any/where/core/log.c".
static const char *short_file(const char *file)
{
    const char *last = strrchr(file, '/');
    if (last == NULL) return file;
    while (last > file && last[-1] != '/')
        last--;
    return last;
}

static size_t clamp(int size, size_t room)
{
    if (size < 0 || room == 0) return 0;
    return (size_t)size < room ? (size_t)size : room - 1;
}

static int64_t wall_now_ns(const struct shard *shard)
{
    if (shard != NULL) return shard->env->wall_ns(shard->env);
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    return now.tv_sec * 1000000000 + now.tv_nsec;
}

// Severity, time, shard and source position.
static size_t line_head(
    char *out, size_t room, enum log_severity severity, const char *file, int line)
{
    const struct shard *shard = shard_self == NULL ? NULL : shard_self();
    int64_t us = wall_now_ns(shard) / 1000;
    int64_t seconds = us / 1000000;
    struct civil_date date = civil_from_days(seconds / 86400);
    int64_t of_day = seconds % 86400;
    char index[12] = "-";
    if (shard != NULL) snprintf(index, sizeof index, "%u", shard->index);
    int size = snprintf(out, room, "%c%02d%02u%02u %02d:%02d:%02d.%06d %s %s:%d ",
        letters[severity], (int)(date.year % 100), date.month, date.day, (int)(of_day / 3600),
        (int)(of_day / 60 % 60), (int)(of_day % 60), (int)(us % 1000000), index, short_file(file),
        line);
    return clamp(size, room);
}

// "[T3,application,n1] ". Under the lock, for the names.
static size_t line_tags(char *out, size_t room, uint64_t tenant)
{
    int size;
    if (tenant == 0) {
        size = snprintf(out, room, "[n%u] ", state.node_id);
    } else {
        const char *name = hashmap_get_u64(&state.tenant_names, tenant);
        if (name == NULL) name = tenant == 1 ? "system" : "";
        size =
            snprintf(out, room, "[T%llu,%s,n%u] ", (unsigned long long)tenant, name, state.node_id);
    }
    return clamp(size, room);
}

// One record is one line: what a message quotes from outside cannot forge another.
static void line_clean(char *text, size_t size)
{
    for (size_t i = 0; i < size; i++) {
        if ((unsigned char)text[i] < 0x20 || text[i] == 0x7f) text[i] = text[i] == '\n' ? '|' : '?';
    }
}

static void write_all(int file, const char *data, size_t size)
{
    while (size > 0) {
        ssize_t written = write(file, data, size);
        if (written < 0 && errno == EINTR) continue;
        if (written <= 0) return; // A log that cannot be written must not stop the server.
        data += written;
        size -= (size_t)written;
    }
}

// Under the lock.
static void enqueue(const char *line, size_t size)
{
    if (state.filling_bytes + size > QUEUE_BYTES_MAX) {
        state.dropped++;
        return;
    }
    memcpy(state.filling + state.filling_bytes, line, size);
    state.filling_bytes += size;
    state.queued += size;
    pthread_cond_signal(&state.work);
}

void log_line(enum log_severity severity, const char *file, int line, uint64_t tenant,
    const char *format, ...)
{
    const bool written = severity >= __atomic_load_n(&state.least, __ATOMIC_RELAXED);
    if (!written && watcher == NULL) return;
    char text[LINE_BYTES_MAX / 2];
    size_t head = line_head(text, sizeof text, severity, file, line);
    char message[LINE_BYTES_MAX / 4];
    va_list args;
    va_start(args, format);
    size_t message_size = clamp(vsnprintf(message, sizeof message, format, args), sizeof message);
    va_end(args);
    line_clean(message, message_size);
    if (watcher != NULL) watcher(tenant, message);
    if (!written) return;
    if (sink_now != NULL) {
        sink_now(&(struct log_sink_line){severity, letters[severity], short_file(file), line, tenant, message});
        return;
    }

    pthread_mutex_lock(&state.lock);
    size_t size = head + line_tags(text + head, sizeof text - head - message_size - 1, tenant);
    memcpy(text + size, message, message_size);
    size += message_size;
    text[size++] = '\n';
    bool to_stderr = !state.open || severity >= state.to_stderr;
    if (state.open) enqueue(text, size);
    pthread_mutex_unlock(&state.lock);
    if (to_stderr) write_all(STDERR_FILENO, text, size);
}

void log_fatal(const char *file, int line, const char *format, ...)
{
    char text[1024];
    size_t size = line_head(text, sizeof text, LOG_FATAL, file, line);
    va_list args;
    va_start(args, format);
    size += clamp(vsnprintf(text + size, sizeof text - size - 1, format, args), sizeof text - size);
    va_end(args);
    text[size++] = '\n';
    write_all(STDERR_FILENO, text, size);
    int into = __atomic_load_n(&state.file, __ATOMIC_ACQUIRE);
    if (into >= 0) write_all(into, text, size);
}

void log_severity_set(enum log_severity least)
{
    __atomic_store_n(&state.least, least, __ATOMIC_RELAXED);
}

void log_tenant_name_set(uint64_t tenant, const char *name)
{
    char *copy = strdup(name);
    if (copy == NULL) return;
    line_clean(copy, strlen(copy));
    pthread_mutex_lock(&state.lock);
    free(hashmap_put_u64(&state.tenant_names, tenant, copy));
    pthread_mutex_unlock(&state.lock);
}

// --- files ---------------------------------------------------------------------------------------

static int by_name(const struct dirent **a, const struct dirent **b)
{
    return strcmp((*a)->d_name, (*b)->d_name);
}

static int is_old_file(const struct dirent *entry)
{
    static const char prefix[] = "isopod.log.";
    return strncmp(entry->d_name, prefix, sizeof prefix - 1) == 0;
}

// Removes all but the newest of the former files; their names sort by time.
static void prune(void)
{
    struct dirent **names = NULL;
    int count = scandir(state.dir, &names, is_old_file, by_name);
    for (int i = 0; i < count; i++) {
        char path[PATH_BYTES_MAX + 256];
        snprintf(path, sizeof path, "%s/%s", state.dir, names[i]->d_name);
        if (i < count - FILES_KEPT_MAX) unlink(path);
        free(names[i]);
    }
    free(names);
}

// Puts the present isopod.log aside, under the time, and starts a new one.
static int file_start(void)
{
    char path[PATH_BYTES_MAX], aside[PATH_BYTES_MAX];
    struct timespec now;
    struct tm utc;
    clock_gettime(CLOCK_REALTIME, &now);
    gmtime_r(&now.tv_sec, &utc);
    snprintf(path, sizeof path, "%s/isopod.log", state.dir);
    snprintf(aside, sizeof aside, "%s/isopod.log.%04d%02d%02dT%02d%02d%02d.%06ld", state.dir,
        utc.tm_year + 1900, utc.tm_mon + 1, utc.tm_mday, utc.tm_hour, utc.tm_min, utc.tm_sec,
        now.tv_nsec / 1000);
    if (rename(path, aside) != 0 && errno != ENOENT) return -1;
    prune();
    return open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0640);
}

static void rotate(void)
{
    int fresh = file_start();
    if (fresh < 0) return; // Keep writing to the old one.
    int old = state.file;
    __atomic_store_n(&state.file, fresh, __ATOMIC_RELEASE);
    close(old);
    state.file_bytes = 0;
}

static void *writer_main(void *arg)
{
    (void)arg;
    pthread_mutex_lock(&state.lock);
    for (;;) {
        while (state.filling_bytes == 0 && !state.stop)
            pthread_cond_wait(&state.work, &state.lock);
        size_t size = state.filling_bytes;
        if (size == 0) break; // Stopped, and nothing is left.
        char *batch = state.filling;
        state.filling = state.writing;
        state.writing = batch;
        state.filling_bytes = 0;
        uint64_t dropped = state.dropped;
        state.dropped = 0;
        pthread_mutex_unlock(&state.lock);

        write_all(state.file, batch, size);
        if (dropped > 0) {
            char note[80];
            int note_size = snprintf(note, sizeof note, "-- %llu lines dropped: log queue full\n",
                (unsigned long long)dropped);
            write_all(state.file, note, clamp(note_size, sizeof note));
        }
        state.file_bytes += size;
        if (state.file_bytes >= FILE_BYTES_MAX) rotate();

        pthread_mutex_lock(&state.lock);
        state.flushed += size;
        pthread_cond_broadcast(&state.written);
    }
    pthread_mutex_unlock(&state.lock);
    return NULL;
}

void log_node_set(uint32_t node_id)
{
    pthread_mutex_lock(&state.lock);
    state.node_id = node_id;
    pthread_mutex_unlock(&state.lock);
}

struct status log_open(const char *dir, uint32_t node_id, enum log_severity to_stderr)
{
    struct status st = STATUS_OK;
    pthread_mutex_lock(&state.lock);
    state.node_id = node_id;
    state.to_stderr = to_stderr;
    if (dir == NULL || state.open) goto out;
    if (strlen(dir) >= sizeof state.dir) {
        st = status_make(E_PROGRAM_LIMIT_EXCEEDED, "name of the log folder is too long");
        goto out;
    }
    strcpy(state.dir, dir);
    if (mkdir(dir, 0750) != 0 && errno != EEXIST) {
        st = status_from_errno(errno, "cannot make the log folder");
        goto out;
    }
    int file = file_start();
    if (file < 0) {
        st = status_from_errno(errno, "cannot make isopod.log in the log folder");
        goto out;
    }
    state.filling = malloc(QUEUE_BYTES_MAX);
    state.writing = malloc(QUEUE_BYTES_MAX);
    state.file_bytes = 0;
    state.stop = false;
    __atomic_store_n(&state.file, file, __ATOMIC_RELEASE);
    int error = state.filling == NULL || state.writing == NULL
                    ? ENOMEM
                    : pthread_create(&state.writer, NULL, writer_main, NULL);
    if (error != 0) {
        free(state.filling);
        free(state.writing);
        state.file = -1;
        close(file);
        st = status_from_errno(error, "cannot start the log's thread");
        goto out;
    }
    state.open = true;

out:
    pthread_mutex_unlock(&state.lock);
    return st;
}

void log_flush(void)
{
    pthread_mutex_lock(&state.lock);
    uint64_t target = state.queued;
    while (state.open && state.flushed < target)
        pthread_cond_wait(&state.written, &state.lock);
    pthread_mutex_unlock(&state.lock);
}

void log_close(void)
{
    pthread_mutex_lock(&state.lock);
    bool open = state.open;
    state.open = false; // Later lines go to standard error.
    state.stop = true;
    pthread_cond_signal(&state.work);
    pthread_mutex_unlock(&state.lock);
    if (!open) return;
    pthread_join(state.writer, NULL);

    pthread_mutex_lock(&state.lock);
    int file = state.file;
    __atomic_store_n(&state.file, -1, __ATOMIC_RELEASE);
    close(file);
    free(state.filling);
    free(state.writing);
    state.filling = state.writing = NULL;
    uint32_t cursor = 0;
    for (struct hashmap_entry *entry; (entry = hashmap_next(&state.tenant_names, &cursor));)
        free(entry->value);
    hashmap_fini(&state.tenant_names);
    pthread_cond_broadcast(&state.written);
    pthread_mutex_unlock(&state.lock);
}
