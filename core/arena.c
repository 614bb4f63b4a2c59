// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/arena_adopt.h"

#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>

#include "core/invariant.h"
#include "core/mark.h"

#ifdef ISOPOD_ASAN
#include <sanitizer/asan_interface.h>
#define RED_ZONE_BYTES 8u
#define POOLED false // malloc and free see every block, so that its reuse is caught.
#else
#define ASAN_POISON_MEMORY_REGION(data, size) ((void)(data), (void)(size))
#define ASAN_UNPOISON_MEMORY_REGION(data, size) ((void)(data), (void)(size))
#define RED_ZONE_BYTES 0u
#define POOLED true
#endif

// Blocks of an arena form a stack; the newest is arena->block. Three sizes are pooled, anything
// larger is made to measure.
struct arena_block {
    struct arena_block *previous;
    size_t size; // With this header; the lowest bit: a struct roomy_block.
};
#define BLOCK_HEADER_BYTES sizeof(struct arena_block)
static_assert(BLOCK_HEADER_BYTES % 16 == 0, "the first allocation of a block is aligned to 16");

// Something that has grown large, alone, at the start of far more addresses than it needs: it grows on where it is, instead
// of by copies, which take milliseconds each. Its size is exact, so nothing else comes to lie behind it.
struct roomy_block {
    struct arena_block block;
    size_t reserved; // Addresses, with this header.
    size_t unused;
};
#define ROOMY_BIT ((size_t)1)
#define ROOMY_BYTES ((size_t)8 << 20)         // From here on.
#define ROOMY_RESERVED_BYTES ((size_t)256 << 20)

static size_t block_bytes(const struct arena_block *block)
{
    return block->size & ~ROOMY_BIT;
}

enum { POOL_CLASS_COUNT = 3 };
static const size_t pool_block_bytes[POOL_CLASS_COUNT] = {4u << 10, 16u << 10, 64u << 10};
static const uint32_t pool_count_max[POOL_CLASS_COUNT] = {256, 64, 32}; // At most 4 MiB a thread.

struct block_pool {
    struct arena_block *free;
    uint32_t count;
};
static _Thread_local struct block_pool pools[POOL_CLASS_COUNT];

// --- accounts ------------------------------------------------------------------------------------

void memory_account_init(struct memory_account *account, struct memory_account *parent,
    const char *name, uint64_t limit_bytes)
{
    *account = (struct memory_account){.parent = parent, .name = name, .limit_bytes = limit_bytes};
}

void memory_account_fini(struct memory_account *account)
{
    invariant(account->arena_count == 0);
    memory_account_shrink(account, account->used_bytes);
}

void memory_account_grow(struct memory_account *account, uint64_t bytes)
{
    for (; account != NULL; account = account->parent) {
        account->used_bytes += bytes;
        if (account->used_bytes > account->peak_bytes) account->peak_bytes = account->used_bytes;
    }
}

void memory_account_shrink(struct memory_account *account, uint64_t bytes)
{
    for (; account != NULL; account = account->parent) {
        invariant(account->used_bytes >= bytes);
        account->used_bytes -= bytes;
    }
}

bool memory_account_fits(const struct memory_account *account, uint64_t bytes)
{
    for (; account != NULL; account = account->parent) {
        if (account->limit_bytes == 0) continue;
        if (account->used_bytes > account->limit_bytes) return false;
        if (bytes > account->limit_bytes - account->used_bytes) return false;
    }
    return true;
}

// --- blocks --------------------------------------------------------------------------------------

static struct arena_block *block_take(size_t size)
{
    for (uint32_t class = 0; POOLED && class < POOL_CLASS_COUNT; class ++) {
        struct block_pool *pool = &pools[class];
        if (size != pool_block_bytes[class] || pool->free == NULL) continue;
        struct arena_block *block = pool->free;
        pool->free = block->previous;
        pool->count--;
        return block;
    }
    struct arena_block *block = malloc(size);
    if (block != NULL) block->size = size;
    return block;
}

static void block_give(struct arena_block *block)
{
    ASAN_UNPOISON_MEMORY_REGION(block, block_bytes(block));
    if (block->size & ROOMY_BIT) {
        invariant(munmap(block, ((struct roomy_block *)block)->reserved) == 0);
        return;
    }
    for (uint32_t class = 0; POOLED && class < POOL_CLASS_COUNT; class ++) {
        struct block_pool *pool = &pools[class];
        if (block->size != pool_block_bytes[class]) continue;
        if (pool->count >= pool_count_max[class]) break;
        block->previous = pool->free;
        pool->free = block;
        pool->count++;
        return;
    }
    free(block);
}

void arena_thread_fini(void)
{
    for (uint32_t class = 0; class < POOL_CLASS_COUNT; class ++) {
        struct block_pool *pool = &pools[class];
        while (pool->free != NULL) {
            struct arena_block *block = pool->free;
            pool->free = block->previous;
            free(block);
        }
        pool->count = 0;
    }
}

// The size of the block to take for an allocation of `need` bytes: the next pooled class above the
// current block's, so that a growing arena takes few blocks; made to measure above the largest.
static size_t block_size_for(const struct arena *arena, size_t need)
{
    size_t least = need + BLOCK_HEADER_BYTES;
    size_t current = arena->block == NULL ? 0 : block_bytes(arena->block);
    for (uint32_t class = 0; class < POOL_CLASS_COUNT; class ++) {
        bool last = class + 1 == POOL_CLASS_COUNT;
        if (pool_block_bytes[class] < least) continue;
        if (pool_block_bytes[class] > current || last) return pool_block_bytes[class];
    }
    return (least + 4095u) & ~(size_t)4095u;
}

static bool block_push(struct arena *arena, size_t need)
{
    if (need > SIZE_MAX / 2) return false;
    memory_is_taken();
    struct arena_block *block = block_take(block_size_for(arena, need));
    if (block == NULL) return false;
    if (arena->account != NULL) {
        if (arena->block == NULL) arena->account->arena_count++;
        memory_account_grow(arena->account, block->size);
    }
    block->previous = arena->block;
    arena->block = block;
    arena->next = (uint8_t *)block + BLOCK_HEADER_BYTES;
    arena->end = (uint8_t *)block + block->size;
    ASAN_POISON_MEMORY_REGION(arena->next, block->size - BLOCK_HEADER_BYTES);
    return true;
}

static void block_pop(struct arena *arena)
{
    struct arena_block *block = arena->block;
    arena->block = block->previous;
    if (arena->account != NULL) {
        memory_account_shrink(arena->account, block_bytes(block));
        if (arena->block == NULL) {
            invariant(arena->account->arena_count > 0);
            arena->account->arena_count--;
        }
    }
    block_give(block);
}

// --- arenas --------------------------------------------------------------------------------------

void arena_init(struct arena *arena, struct memory_account *account)
{
    *arena = (struct arena){.account = account};
}

void arena_reset(struct arena *arena)
{
    while (arena->block != NULL)
        block_pop(arena);
    arena->next = NULL;
    arena->end = NULL;
}

void arena_fini(struct arena *arena)
{
    arena_reset(arena);
    arena->account = NULL;
}

struct arena_mark arena_mark(struct arena *arena)
{
    return (struct arena_mark){.block = arena->block, .next = arena->next};
}

void arena_release(struct arena *arena, struct arena_mark mark)
{
    while (arena->block != mark.block) {
        invariant(arena->block != NULL); // A mark of this arena, not older than a reset.
        block_pop(arena);
    }
    arena->next = mark.next;
    arena->end = arena->block == NULL ? NULL : (uint8_t *)arena->block + block_bytes(arena->block);
    ASAN_POISON_MEMORY_REGION(arena->next, (size_t)(arena->end - arena->next));
}

void arena_adopt(struct arena *into, struct arena *from)
{
    struct arena_block *last = from->block;
    size_t bytes = 0;
    if (last == NULL) return;
    for (bytes = block_bytes(last); last->previous != NULL; bytes += block_bytes(last)) last = last->previous;
    if (from->account != NULL) {
        memory_account_shrink(from->account, bytes);
        from->account->arena_count--;
    }
    if (into->account != NULL) {
        if (into->block == NULL) into->account->arena_count++;
        memory_account_grow(into->account, bytes);
    }
    if (into->block == NULL) {
        into->block = from->block;
        into->next = from->next;
        into->end = from->end;
    } else { // Below the newest one, in which `into` goes on.
        last->previous = into->block->previous;
        into->block->previous = from->block;
    }
    *from = (struct arena){.account = from->account};
}

// Bumps within the current block; NULL when it does not fit.
static void *bump(struct arena *arena, size_t size, size_t alignment)
{
    uintptr_t at = ((uintptr_t)arena->next + alignment - 1) & ~(uintptr_t)(alignment - 1);
    uintptr_t end = (uintptr_t)arena->end;
    if (arena->block == NULL || at > end || size > end - at) return NULL;
    uintptr_t after = at + size;
    after = end - after <= RED_ZONE_BYTES ? end : after + RED_ZONE_BYTES;
    arena->next = (uint8_t *)after;
    ASAN_UNPOISON_MEMORY_REGION((void *)at, size);
    return (void *)at;
}

static void *alloc_or_null(struct arena *arena, size_t size, size_t alignment)
{
    invariant(alignment != 0 && (alignment & (alignment - 1)) == 0);
    if (size > SIZE_MAX / 4) return NULL;
    void *found = bump(arena, size, alignment);
    if (found != NULL) return found;
    if (!block_push(arena, size + alignment + RED_ZONE_BYTES)) return NULL;
    return bump(arena, size, alignment);
}

void *arena_alloc_slow(struct arena *arena, size_t size, size_t alignment)
{
    void *found = alloc_or_null(arena, size, alignment);
    // The machine itself is out of memory, or a size from outside was not checked.
    invariant(found != NULL);
    return found;
}

void *arena_alloc_zero(struct arena *arena, size_t size)
{
    void *found = arena_alloc(arena, size);
    memset(found, 0, size);
    return found;
}

void *arena_alloc_aligned(struct arena *arena, size_t size, size_t alignment)
{
    return arena_alloc_slow(arena, size, alignment < 8 ? 8 : alignment);
}

void *arena_array_zero(struct arena *arena, size_t item_size, size_t count)
{
    size_t size;
    invariant(!__builtin_mul_overflow(item_size, count, &size));
    return arena_alloc_zero(arena, size);
}

// Of statements and sessions, which answer with 53200. What hangs on a shard's own account is the engine's.
static bool is_refused(const struct arena *arena)
{
    if (arena->account == NULL || arena->account->parent == NULL || !memory_is_refused()) return false;
    covered("memory.refused");
    return true;
}

void *arena_try_alloc(struct arena *arena, size_t size)
{
    if (size > SIZE_MAX / 4 || is_refused(arena)) return NULL;
    bool here = arena->block != NULL && size + 8 <= (size_t)(arena->end - arena->next);
    if (!here && !memory_account_fits(arena->account, size + BLOCK_HEADER_BYTES)) return NULL;
    return alloc_or_null(arena, size, 8);
}

// NULL: there are no addresses for it, or too many are wanted.
static void *roomy_alloc(struct arena *arena, size_t size)
{
    if (size > ROOMY_RESERVED_BYTES / 2) return NULL;
    memory_is_taken();
    struct roomy_block *roomy = mmap(NULL, ROOMY_RESERVED_BYTES, PROT_READ | PROT_WRITE,
        MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (roomy == MAP_FAILED) return NULL;
    const size_t whole = sizeof *roomy + size;
    roomy->reserved = ROOMY_RESERVED_BYTES;
    roomy->block = (struct arena_block){.previous = arena->block, .size = whole | ROOMY_BIT};
    if (arena->account != NULL) {
        if (arena->block == NULL) arena->account->arena_count++;
        memory_account_grow(arena->account, whole);
    }
    arena->block = &roomy->block;
    arena->next = arena->end = (uint8_t *)roomy + whole;
    return roomy + 1;
}

// Whether what begins at `old` has a roomy block, which then has `size` bytes for it. Others may have been taken since.
static bool roomy_grow(struct arena *arena, const void *old, size_t size)
{
    struct arena_block *block = arena->block;
    while (block != NULL && (uint8_t *)block + sizeof(struct roomy_block) != old) block = block->previous;
    if (block == NULL || (block->size & ROOMY_BIT) == 0) return false;
    struct roomy_block *roomy = (struct roomy_block *)block;
    const size_t whole = (sizeof *roomy + size + ROOMY_BIT) & ~ROOMY_BIT, before = block_bytes(block);
    if (whole > roomy->reserved) return false;
    if (whole > before) {
        if (arena->account != NULL) memory_account_grow(arena->account, whole - before);
        block->size = whole | ROOMY_BIT;
    }
    if (block == arena->block) arena->next = arena->end = (uint8_t *)block + block_bytes(block);
    return true;
}

void *arena_grow(struct arena *arena, void *old, size_t old_size, size_t new_size)
{
    invariant(new_size >= old_size);
    if (old == NULL) return arena_alloc(arena, new_size);
    if (old_size >= ROOMY_BYTES && roomy_grow(arena, old, new_size)) return old;
    uint8_t *old_end = (uint8_t *)old + old_size;
    uint8_t *newest_end = arena->next;
#ifdef ISOPOD_ASAN
    old_end += RED_ZONE_BYTES;
#endif
    // The newest allocation, and room behind it: grow in place.
    if (old_end == newest_end &&
        (size_t)(arena->end - (uint8_t *)old) >= new_size + RED_ZONE_BYTES) {
        arena->next = (uint8_t *)old + new_size + RED_ZONE_BYTES;
        ASAN_UNPOISON_MEMORY_REGION(old, new_size);
        return old;
    }
    void *fresh = new_size >= ROOMY_BYTES ? roomy_alloc(arena, (new_size + ROOMY_BIT) & ~ROOMY_BIT) : NULL;
    if (fresh == NULL) fresh = arena_alloc(arena, new_size);
    if (old_size > 0) memcpy(fresh, old, old_size);
    return fresh;
}

bool arena_over_limit(const struct arena *arena)
{
    return arena->account != NULL && !memory_account_fits(arena->account, 0);
}

struct status arena_check(struct arena *arena)
{
    if (is_refused(arena)) return status_make(E_OUT_OF_MEMORY, "memory budget exceeded: a simulation says so");
    if (LIKELY(!arena_over_limit(arena))) return STATUS_OK;
    const struct memory_account *account = arena->account;
    while (account->limit_bytes == 0 || account->used_bytes <= account->limit_bytes)
        account = account->parent;
    struct status st = status_format(arena, E_OUT_OF_MEMORY,
        "memory budget exceeded: %llu bytes used of %llu in budget \"%s\"",
        (unsigned long long)account->used_bytes, (unsigned long long)account->limit_bytes,
        account->name == NULL ? "unnamed" : account->name);
    return st;
}

// --- copies --------------------------------------------------------------------------------------

struct bytes arena_copy(struct arena *arena, struct bytes bytes)
{
    uint8_t *copy = arena_alloc(arena, bytes.size);
    if (bytes.size > 0) memcpy(copy, bytes.data, bytes.size);
    return (struct bytes){copy, bytes.size};
}

char *arena_string(struct arena *arena, struct bytes bytes)
{
    char *copy = arena_alloc(arena, bytes.size + 1);
    if (bytes.size > 0) memcpy(copy, bytes.data, bytes.size);
    copy[bytes.size] = 0;
    return copy;
}

char *arena_strdup(struct arena *arena, const char *text)
{
    return arena_string(arena, bytes_of_string(text));
}

char *arena_printf(struct arena *arena, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    char *text = arena_vprintf(arena, format, args);
    va_end(args);
    return text;
}

char *arena_vprintf(struct arena *arena, const char *format, va_list args)
{
    char small[256];
    va_list again;
    va_copy(again, args);
    int size = vsnprintf(small, sizeof small, format, args);
    invariant(size >= 0);
    char *text = arena_alloc(arena, (size_t)size + 1);
    if ((size_t)size < sizeof small) {
        memcpy(text, small, (size_t)size + 1);
    } else {
        vsnprintf(text, (size_t)size + 1, format, again);
    }
    va_end(again);
    return text;
}

// --- buffers -------------------------------------------------------------------------------------

void buffer_reserve_slow(struct buffer *buffer, size_t more)
{
    invariant(more <= SIZE_MAX / 4 && buffer->size <= SIZE_MAX / 4);
    size_t capacity = buffer->capacity < 64 ? 64 : buffer->capacity;
    while (capacity - buffer->size < more)
        capacity *= 2;
    if (buffer->data == NULL) {
        buffer->data = arena_alloc(buffer->arena, capacity);
    } else {
        buffer->data = arena_grow(buffer->arena, buffer->data, buffer->capacity, capacity);
    }
    buffer->capacity = capacity;
}

void buffer_printf(struct buffer *buffer, const char *format, ...)
{
    va_list args, again;
    va_start(args, format);
    va_copy(again, args);
    uint8_t *at = buffer_reserve(buffer, 64);
    int size = vsnprintf((char *)at, 64, format, args);
    invariant(size >= 0);
    if (size >= 64) {
        at = buffer_reserve(buffer, (size_t)size + 1);
        vsnprintf((char *)at, (size_t)size + 1, format, again);
    }
    buffer->size += (size_t)size;
    va_end(again);
    va_end(args);
}

char *buffer_string(struct buffer *buffer)
{
    *buffer_reserve(buffer, 1) = 0;
    return (char *)buffer->data;
}
