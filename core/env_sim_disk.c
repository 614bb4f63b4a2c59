// SPDX-License-Identifier: GPL-3.0-or-later
//
// The simulated disk. An operation takes effect at one moment, its completion; a crash finds the
// others in flight and lets chance say how far each had come.
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "core/env_sim_parts.h"
#include "core/reactor.h"

#define MS UINT64_C(1000000)
#define GRAIN 512u // Bytes that `dirty` keeps apart.
#define DIRECT_BYTES 4096u
#define PAGE_BYTES 4096u

struct sim_disk_flight {
    struct list_link link;
    struct disk_op *op;
    struct shard *shard;
};

// --- pages ---------------------------------------------------------------------------------------

// A file is made of pages; NULL is all zeros, and a page that is durable as it is read is kept once.
// Freed pages are used again: touching fresh memory is what a simulated disk costs most.
static union page_memory {
    union page_memory *next;
    uint8_t bytes[PAGE_BYTES];
} *page_pool;

static uint8_t *page_new(const uint8_t *content)
{
    union page_memory *page = page_pool;
    if (page != NULL)
        page_pool = page->next;
    else
        page = malloc(sizeof *page);
    invariant(page != NULL);
    if (content != NULL)
        memcpy(page->bytes, content, PAGE_BYTES);
    else
        memset(page->bytes, 0, PAGE_BYTES);
    return page->bytes;
}

static void page_drop(uint8_t *bytes)
{
    union page_memory *page = (union page_memory *)(void *)bytes;
    if (page == NULL) return;
    page->next = page_pool;
    page_pool = page;
}

static void page_settle(struct sim_page *page) // What is read is what is durable.
{
    if (page->current != page->durable) page_drop(page->durable);
    page->durable = page->current;
    page->dirty = 0;
}

static void page_revert(struct sim_page *page)
{
    if (page->current != page->durable) page_drop(page->current);
    page->current = page->durable;
    page->dirty = 0;
}

static uint8_t grains_of(uint64_t start, uint64_t end) // Within a page.
{
    uint32_t first = (uint32_t)(start / GRAIN), last = (uint32_t)((end - 1) / GRAIN);
    return (uint8_t)((0xffu << first) & (0xffu >> (7 - last)));
}

static bool all_zero(const uint8_t *data, uint64_t size)
{
    return size == 0 || (data[0] == 0 && memcmp(data, data + 1, size - 1) == 0);
}

// `data` NULL: zeros.
static void page_write(struct sim_page *page, uint64_t start, const uint8_t *data, uint64_t size)
{
    bool zero = data == NULL || (page->current == NULL && all_zero(data, size));
    if (zero && page->current == NULL && page->durable == NULL) return;
    if (page->current == page->durable) page->current = page_new(page->durable);
    if (page->current == NULL) page->current = page_new(NULL);
    if (zero)
        memset(page->current + start, 0, size);
    else
        memcpy(page->current + start, data, size);
    page->dirty |= grains_of(start, start + size);
}

static void page_sync(struct sim_page *page, uint8_t grains)
{
    if ((page->dirty & ~grains) == 0) {
        page_settle(page);
        return;
    }
    if (page->durable == NULL) page->durable = page_new(NULL);
    for (uint32_t i = 0; i < PAGE_BYTES / GRAIN; i++) {
        if ((page->dirty & grains & 1u << i) == 0) continue;
        memcpy(page->durable + i * GRAIN, page->current + i * GRAIN, GRAIN);
    }
    page->dirty &= (uint8_t)~grains;
}

// --- files ---------------------------------------------------------------------------------------

static struct sim_file *file_by_path(struct sim_disk *disk, const char *path)
{
    for (struct list_link *at = disk->files.next; at != &disk->files; at = at->next) {
        struct sim_file *file = container_of(at, struct sim_file, link);
        if (!file->unlinked && strcmp(file->path, path) == 0) return file;
    }
    return NULL;
}

static struct sim_file *file_add(struct sim_disk *disk, const char *path, bool folder)
{
    struct sim_file *file = calloc(1, sizeof *file);
    invariant(file != NULL);
    file->path = strdup(path);
    invariant(file->path != NULL);
    file->folder = folder;
    list_append(&disk->files, &file->link);
    return file;
}

static void file_free(struct sim_disk *disk, struct sim_file *file)
{
    disk->used_bytes -= file->size;
    list_remove(&file->link);
    for (uint64_t i = 0; i < file->page_count; i++) {
        page_revert(&file->pages[i]);
        page_drop(file->pages[i].current);
    }
    free(file->pages);
    free(file->path);
    free(file->peeked);
    free(file);
}

static void file_reserve(struct sim_file *file, uint64_t size)
{
    uint64_t count = (size + PAGE_BYTES - 1) / PAGE_BYTES;
    if (count <= file->page_count) return;
    if (count < 2 * file->page_count) count = 2 * file->page_count;
    file->pages = realloc(file->pages, count * sizeof *file->pages);
    invariant(file->pages != NULL);
    memset(file->pages + file->page_count, 0, (count - file->page_count) * sizeof *file->pages);
    file->page_count = count;
}

// `data` NULL: zeros. Within the size.
static void file_write(struct sim_file *file, uint64_t offset, const uint8_t *data, uint64_t size)
{
    while (size > 0) {
        uint64_t start = offset % PAGE_BYTES;
        uint64_t part = PAGE_BYTES - start < size ? PAGE_BYTES - start : size;
        page_write(&file->pages[offset / PAGE_BYTES], start, data, part);
        offset += part;
        size -= part;
        if (data != NULL) data += part;
    }
}

static void file_read(const struct sim_file *file, uint64_t offset, uint8_t *out, uint64_t size)
{
    while (size > 0) {
        uint64_t start = offset % PAGE_BYTES;
        uint64_t part = PAGE_BYTES - start < size ? PAGE_BYTES - start : size;
        const uint8_t *page = file->pages[offset / PAGE_BYTES].current;
        if (page != NULL)
            memcpy(out, page + start, part);
        else
            memset(out, 0, part);
        offset += part;
        size -= part;
        out += part;
    }
}

// False when the disk is full.
static bool file_size_set(struct sim_disk *disk, struct sim_file *file, uint64_t size)
{
    if (size > file->size) {
        uint64_t more = size - file->size;
        if (disk->quota_bytes != 0 && more > disk->quota_bytes - disk->used_bytes) return false;
        disk->used_bytes += more;
    } else {
        disk->used_bytes -= file->size - size;
    }
    file_reserve(file, size);
    if (size < file->size) file_write(file, size, NULL, file->size - size);
    file->size = size;
    return true;
}

static void file_sync(struct sim_file *file)
{
    for (uint64_t i = 0; i < file->page_count; i++) {
        if (file->pages[i].dirty != 0) page_settle(&file->pages[i]);
    }
    file->durable_size = file->size;
}

// A sync that failed: the system has given the dirty pages up and reads the old ones.
static void file_lose(struct sim_file *file)
{
    for (uint64_t i = 0; i < file->page_count; i++) {
        if (file->pages[i].dirty != 0) page_revert(&file->pages[i]);
    }
}

static void file_rot(struct sim_file *file, uint64_t offset)
{
    struct sim_page *page = &file->pages[offset / PAGE_BYTES];
    if (page->current == NULL && page->durable == NULL)
        page->current = page->durable = page_new(NULL);
    if (page->durable != NULL) page->durable[offset % PAGE_BYTES] ^= 0x55;
    if (page->current != NULL && page->current != page->durable)
        page->current[offset % PAGE_BYTES] ^= 0x55;
}

static void range_sync(struct sim_file *file, uint64_t offset, uint64_t size)
{
    while (size > 0) {
        uint64_t start = offset % PAGE_BYTES;
        uint64_t part = PAGE_BYTES - start < size ? PAGE_BYTES - start : size;
        struct sim_page *page = &file->pages[offset / PAGE_BYTES];
        if (page->dirty != 0) page_sync(page, grains_of(start, start + part));
        offset += part;
        size -= part;
    }
    if (file->durable_size < file->size) file->durable_size = file->size;
}

// --- operations ----------------------------------------------------------------------------------

static struct sim_file *file_of(struct sim_disk *disk, int64_t handle)
{
    if (handle < 0 || handle >= disk->handle_count) return NULL;
    return disk->handles[handle];
}

static int64_t handle_add(struct sim_disk *disk, struct sim_file *file)
{
    uint32_t handle = 0;
    while (handle < disk->handle_count && disk->handles[handle] != NULL)
        handle++;
    if (handle == disk->handle_count) {
        disk->handles = realloc(disk->handles, sizeof *disk->handles * ++disk->handle_count);
        invariant(disk->handles != NULL);
    }
    disk->handles[handle] = file;
    file->handles++;
    return handle;
}

static void handle_drop(struct sim_disk *disk, int64_t handle)
{
    struct sim_file *file = disk->handles[handle];
    disk->handles[handle] = NULL;
    if (--file->handles == 0 && file->unlinked) file_free(disk, file);
}

// Whether the folder that `path` lies in exists.
static bool parent_exists(struct sim_disk *disk, const char *path)
{
    const char *slash = strrchr(path, '/');
    if (slash == NULL || slash == path) return true;
    char *parent = strndup(path, (size_t)(slash - path));
    invariant(parent != NULL);
    struct sim_file *folder = file_by_path(disk, parent);
    free(parent);
    return folder != NULL && folder->folder;
}

static int64_t do_open(struct sim_disk *disk, const struct disk_op *op)
{
    struct sim_file *file = file_by_path(disk, op->path);
    if (file == NULL && (op->flags & DISK_CREATE) == 0) return -ENOENT;
    if (file == NULL && !parent_exists(disk, op->path)) return -ENOENT;
    if (file == NULL) file = file_add(disk, op->path, false);
    if (file->folder) return -EISDIR;
    return handle_add(disk, file);
}

static bool is_aligned(const struct disk_op *op)
{
    if ((op->flags & DISK_DIRECT) == 0) return true;
    return op->offset % DIRECT_BYTES == 0 && op->size % DIRECT_BYTES == 0 &&
           (uintptr_t)op->buffer % DIRECT_BYTES == 0;
}

static bool strikes(struct sim_disk *disk, uint32_t per_million)
{
    return per_million != 0 && sim_random_chance(&disk->random, per_million);
}

static int64_t do_read(struct sim_disk *disk, struct sim_file *file, struct disk_op *op)
{
    if (strikes(disk, disk->faults.read_fail_per_million)) return -EIO;
    if (op->offset >= file->size) return 0;
    uint64_t size = file->size - op->offset < op->size ? file->size - op->offset : op->size;
    file_read(file, op->offset, op->buffer, size);
    return (int64_t)size;
}

static int64_t do_write(struct sim_disk *disk, struct sim_file *file, const struct disk_op *op)
{
    if (op->offset + op->size > file->size && !file_size_set(disk, file, op->offset + op->size))
        return -ENOSPC;
    uint64_t offset = op->offset;
    if (strikes(disk, disk->faults.write_lost_per_million)) {
        disk->damages++;
        return (int64_t)op->size;
    }
    if (strikes(disk, disk->faults.write_misdirected_per_million) && op->size <= file->size) {
        disk->damages++;
        offset = sim_random_below(&disk->random, file->size - op->size + 1) / PAGE_BYTES * PAGE_BYTES;
    }
    file_write(file, offset, op->buffer, op->size);
    if (op->size > 0 && strikes(disk, disk->faults.write_rotten_per_million)) {
        disk->damages++;
        file_rot(file, offset + sim_random_below(&disk->random, op->size));
    }
    if ((op->flags & DISK_DSYNC) != 0) range_sync(file, offset, op->size);
    return (int64_t)op->size;
}

static int64_t do_rename(struct sim_disk *disk, const struct disk_op *op)
{
    struct sim_file *file = file_by_path(disk, op->path);
    struct sim_file *target = file_by_path(disk, op->path_to);
    if (file == NULL || !parent_exists(disk, op->path_to)) return -ENOENT;
    if (file == target) return 0;
    if (file->folder) return -EISDIR; // None of ours renames folders.
    if (target != NULL) {
        if (target->folder) return -EISDIR;
        target->unlinked = true;
        if (target->handles == 0) file_free(disk, target);
    }
    free(file->path);
    file->path = strdup(op->path_to);
    invariant(file->path != NULL);
    return 0;
}

static bool has_children(struct sim_disk *disk, const char *path)
{
    size_t size = strlen(path);
    for (struct list_link *at = disk->files.next; at != &disk->files; at = at->next) {
        struct sim_file *file = container_of(at, struct sim_file, link);
        if (!file->unlinked && strncmp(file->path, path, size) == 0 && file->path[size] == '/')
            return true;
    }
    return false;
}

static int64_t do_unlink(struct sim_disk *disk, const struct disk_op *op)
{
    struct sim_file *file = file_by_path(disk, op->path);
    if (file == NULL) return -ENOENT;
    if (file->folder && has_children(disk, op->path)) return -ENOTEMPTY;
    file->unlinked = true;
    if (file->handles == 0) file_free(disk, file);
    return 0;
}

static int64_t do_mkdir(struct sim_disk *disk, const struct disk_op *op)
{
    struct sim_file *file = file_by_path(disk, op->path);
    if (file != NULL) return file->folder ? 0 : -ENOTDIR;
    if (!parent_exists(disk, op->path)) return -ENOENT;
    file_add(disk, op->path, true);
    return 0;
}

static int64_t do_list(struct sim_disk *disk, struct disk_op *op)
{
    struct sim_file *folder = file_by_path(disk, op->path);
    if (folder == NULL || !folder->folder) return folder == NULL ? -ENOENT : -ENOTDIR;
    size_t prefix = strlen(op->path), size = 0;
    char *names = calloc(1, 2);
    int64_t count = 0;
    invariant(names != NULL);
    for (struct list_link *at = disk->files.next; at != &disk->files; at = at->next) {
        struct sim_file *file = container_of(at, struct sim_file, link);
        if (file->unlinked || strncmp(file->path, op->path, prefix) != 0) continue;
        if (file->path[prefix] != '/' || strchr(file->path + prefix + 1, '/') != NULL) continue;
        const char *name = file->path + prefix + 1;
        names = realloc(names, size + strlen(name) + 3);
        invariant(names != NULL);
        strcpy(names + size, name);
        size += strlen(name) + 1;
        names[size] = names[size + 1] = 0;
        count++;
    }
    op->names = names;
    return count;
}

static bool changes(enum disk_op_kind kind)
{
    return kind != DISK_READ && kind != DISK_SIZE && kind != DISK_LIST && kind != DISK_CLOSE;
}

static bool syncs(const struct disk_op *op)
{
    return op->kind == DISK_SYNC || (op->kind == DISK_WRITE && (op->flags & DISK_DSYNC) != 0);
}

static int64_t do_failure(struct sim_file *file, const struct disk_op *op, int error)
{
    if (file != NULL && syncs(op)) file_lose(file);
    return -error;
}

static int64_t execute(struct sim_node *sim_node, struct disk_op *op)
{
    struct sim_disk *disk = &sim_node->disk;
    struct sim_file *file = NULL;
    switch (op->kind) {
    case DISK_CLOSE:
    case DISK_READ:
    case DISK_WRITE:
    case DISK_SYNC:
    case DISK_ALLOCATE:
    case DISK_TRUNCATE:
    case DISK_SIZE:
        file = file_of(disk, op->handle);
        if (file == NULL) return -EBADF;
        break;
    default: break;
    }
    if (changes(op->kind) && ++disk->changing_ops == disk->fail_at)
        return do_failure(file, op, disk->fail_error);
    if (syncs(op) && strikes(disk, disk->faults.sync_fail_per_million))
        return do_failure(file, op, EIO);
    if (!is_aligned(op)) return -EINVAL;
    switch (op->kind) {
    case DISK_OPEN: return do_open(disk, op);
    case DISK_CLOSE: handle_drop(disk, op->handle); return 0;
    case DISK_READ: return do_read(disk, file, op);
    case DISK_WRITE: return do_write(disk, file, op);
    case DISK_SYNC: file_sync(file); return 0;
    case DISK_ALLOCATE:
        if (op->size <= file->size) return 0;
        return file_size_set(disk, file, op->size) ? 0 : -ENOSPC;
    case DISK_TRUNCATE: return file_size_set(disk, file, op->size) ? 0 : -ENOSPC;
    case DISK_SIZE: return (int64_t)file->size;
    case DISK_RENAME: return do_rename(disk, op);
    case DISK_UNLINK: return do_unlink(disk, op);
    case DISK_MKDIR: return do_mkdir(disk, op);
    case DISK_LIST: return do_list(disk, op);
    }
    invariant(false && "an unknown disk operation");
    return -ENOSYS;
}

static void disk_fired(struct sim_event *event)
{
    struct sim_node *sim_node = event->node;
    struct sim_disk *disk = &sim_node->disk;
    struct sim_disk_flight *flight = event->object;
    disk->ops++;
    if (disk->ops == disk->crash_at) {
        shard_self_set(NULL);
        sim_node_crash(sim_node);
        return;
    }
    struct disk_op *op = flight->op;
    list_remove(&flight->link);
    free(flight);
    sim_node->in_flight--;
    op->result = execute(sim_node, op);
    op->complete(op);
}

static const char *op_name(enum disk_op_kind kind)
{
    static const char *const names[] = {"open", "close", "read", "write", "sync", "allocate",
        "truncate", "size", "rename", "unlink", "mkdir", "list"};
    return names[kind];
}

void sim_disk_submit(struct env *env, struct shard *shard, struct disk_op *op)
{
    struct sim_node *sim_node = sim_node_of(env);
    struct sim *sim = sim_node->sim;
    struct sim_disk *disk = &sim_node->disk;
    struct sim_disk_flight *flight = calloc(1, sizeof *flight);
    invariant(flight != NULL);
    flight->op = op;
    flight->shard = shard;
    list_append(&disk->in_flight, &flight->link);
    sim_node->in_flight++;
    uint64_t delay = sim_random_between(
        &disk->random, sim->options.disk_latency_min_ns, sim->options.disk_latency_max_ns);
    if (sim_random_chance(&disk->random, sim->options.disk_slow_per_million))
        delay = sim_random_between(&disk->random, MS, 200 * MS);
    if (disk->faults.slow_factor > 1) delay *= disk->faults.slow_factor;
    if (disk->frozen_until_ns > sim->now_ns) delay += disk->frozen_until_ns - sim->now_ns;
    struct sim_event *event = sim_event_add(sim, sim_node, delay, op_name(op->kind), disk_fired);
    event->object = flight;
    event->shard = shard;
    event->number = (int64_t)op->offset;
}

// --- crashes -------------------------------------------------------------------------------------

// What the disk had done of an operation that nobody was told of.
static void flight_happens(struct sim_node *sim_node, struct disk_op *op)
{
    struct sim_disk *disk = &sim_node->disk;
    if (sim_random_below(&disk->random, 2) == 0) return;
    struct disk_op copy = *op;
    switch (op->kind) {
    case DISK_OPEN:
        if ((op->flags & DISK_CREATE) != 0) {
            int64_t handle = do_open(disk, op);
            if (handle >= 0) handle_drop(disk, handle);
        }
        break;
    case DISK_WRITE:
        copy.flags &= ~(uint32_t)DISK_DSYNC; // In the cache; the crash decides sector by sector.
        (void)execute(sim_node, &copy);
        break;
    case DISK_ALLOCATE:
    case DISK_TRUNCATE:
    case DISK_SYNC:
    case DISK_RENAME:
    case DISK_UNLINK:
    case DISK_MKDIR: (void)execute(sim_node, &copy); break;
    default: break;
    }
}

// Which of the page's unsynced sectors survive; returns the end of the last that does.
static uint64_t page_power_lost(struct sim_disk *disk, struct sim_page *page, bool *half_done)
{
    uint64_t sector = disk->sector_bytes, end = 0;
    for (uint64_t start = 0; start < PAGE_BYTES; start += sector) {
        bool is_dirty = (page->dirty & grains_of(start, start + sector)) != 0;
        if (!is_dirty || sim_random_below(&disk->random, 2) == 0) continue;
        uint64_t size = sector;
        if (!*half_done && sim_random_below(&disk->random, 8) == 0) {
            *half_done = true;
            size /= 2;
        }
        if (page->durable == NULL) page->durable = page_new(NULL);
        memcpy(page->durable + start, page->current + start, size);
        end = start + size;
    }
    page_revert(page);
    return end;
}

static void file_power_lost(struct sim_disk *disk, struct sim_file *file)
{
    uint64_t least = 0; // The size must cover what survives.
    bool half_done = false;
    for (uint64_t i = 0; i < file->page_count; i++) {
        if (file->pages[i].dirty == 0) continue;
        uint64_t end = page_power_lost(disk, &file->pages[i], &half_done);
        if (end != 0) least = i * PAGE_BYTES + end;
    }
    uint64_t size = sim_random_below(&disk->random, 2) == 0 ? file->durable_size : file->size;
    if (size < least) size = least < file->size ? least : file->size;
    disk->used_bytes = disk->used_bytes - file->size + size;
    uint64_t kept = file->page_count * PAGE_BYTES;
    if (size < kept) file_write(file, size, NULL, kept - size);
    file->size = size;
    file_sync(file);
}

void sim_disk_crashed(struct sim_node *sim_node, bool power_lost)
{
    struct sim_disk *disk = &sim_node->disk;
    struct list_link *link;
    disk->crash_at = disk->fail_at = 0;
    while ((link = list_pop(&disk->in_flight)) != NULL) {
        struct sim_disk_flight *flight = container_of(link, struct sim_disk_flight, link);
        flight_happens(sim_node, flight->op);
        free(flight);
    }
    for (uint32_t i = 0; i < disk->handle_count; i++) {
        if (disk->handles[i] != NULL) handle_drop(disk, i);
    }
    for (link = disk->files.next; link != &disk->files; link = link->next) {
        struct sim_file *file = container_of(link, struct sim_file, link);
        if (power_lost && !file->folder) file_power_lost(disk, file);
    }
}

// --- the driver's view ---------------------------------------------------------------------------

void sim_disk_init(struct sim_node *sim_node)
{
    struct sim_disk *disk = &sim_node->disk;
    char name[32];
    snprintf(name, sizeof name, "disk/%u", sim_node->id);
    disk->random = sim_random_named(sim_node->sim->seed, name);
    disk->sector_bytes = sim_node->sim->options.disk_sector_bytes;
    if (disk->sector_bytes == 0)
        disk->sector_bytes = sim_random_below(&disk->random, 2) == 0 ? GRAIN : DIRECT_BYTES;
    list_init(&disk->files);
    list_init(&disk->in_flight);
    file_add(disk, "/data", true);
}

void sim_disk_fini(struct sim_node *sim_node)
{
    struct sim_disk *disk = &sim_node->disk;
    while (!list_empty(&disk->files))
        file_free(disk, container_of(disk->files.next, struct sim_file, link));
    free(disk->handles);
}

uint64_t sim_disk_ops(const struct sim_node *sim_node)
{
    return sim_node->disk.ops;
}

void sim_disk_crash_at(struct sim_node *sim_node, uint64_t count)
{
    sim_node->disk.crash_at = count == 0 ? 0 : sim_node->disk.ops + count;
}

void sim_disk_fail_at(struct sim_node *sim_node, uint64_t count, int error)
{
    sim_node->disk.fail_at = count == 0 ? 0 : sim_node->disk.changing_ops + count;
    sim_node->disk.fail_error = error;
}

void sim_disk_faults_set(struct sim_node *sim_node, const struct sim_disk_faults *faults)
{
    sim_node->disk.faults = *faults;
}

void sim_disk_freeze(struct sim_node *sim_node, uint64_t for_ns)
{
    sim_node->disk.frozen_until_ns = sim_node->sim->now_ns + for_ns;
}

uint64_t sim_disk_damages(const struct sim_node *sim_node)
{
    return sim_node->disk.damages;
}

void sim_disk_quota_set(struct sim_node *sim_node, uint64_t bytes)
{
    struct sim_disk *disk = &sim_node->disk;
    // A quota below what is used leaves no room, and no negative room either.
    disk->quota_bytes = bytes == 0 || bytes > disk->used_bytes ? bytes : disk->used_bytes;
}

uint64_t sim_disk_used(const struct sim_node *sim_node)
{
    return sim_node->disk.used_bytes;
}

bool sim_disk_rot(struct sim_node *sim_node, const char *path, uint64_t offset)
{
    struct sim_file *file = file_by_path(&sim_node->disk, path);
    if (file == NULL || offset >= file->size) return false;
    file_rot(file, offset);
    return true;
}

const uint8_t *sim_disk_peek(struct sim_node *sim_node, const char *path, uint64_t *size)
{
    struct sim_file *file = file_by_path(&sim_node->disk, path);
    if (file == NULL) return NULL;
    *size = file->size;
    free(file->peeked);
    file->peeked = calloc(1, file->size + 1);
    invariant(file->peeked != NULL);
    file_read(file, 0, file->peeked, file->size);
    return file->peeked;
}

void sim_disk_copy(struct sim_node *from, struct sim_node *to)
{
    invariant(from != to && to->node == NULL);
    while (!list_empty(&to->disk.files))
        file_free(&to->disk, container_of(to->disk.files.next, struct sim_file, link));
    for (struct list_link *at = from->disk.files.next; at != &from->disk.files; at = at->next) {
        const struct sim_file *file = container_of(at, struct sim_file, link);
        if (file->unlinked) continue;
        struct sim_file *copy = file_add(&to->disk, file->path, file->folder);
        file_reserve(copy, file->durable_size);
        copy->size = copy->durable_size = file->durable_size;
        to->disk.used_bytes += copy->size;
        for (uint64_t i = 0; i * PAGE_BYTES < copy->size; i++) {
            if (file->pages[i].durable != NULL) copy->pages[i].durable = page_new(file->pages[i].durable);
            copy->pages[i].current = copy->pages[i].durable;
        }
    }
}
