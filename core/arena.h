// SPDX-License-Identifier: GPL-3.0-or-later
//
// Bump allocation: statement, portal, transaction and session memory. Freed whole, never piecewise.
//
// Every arena draws on a memory account, and accounts form a tree (statement -> session -> tenant
// -> node), so that a tenant's memory is bounded whatever its statements do.
//
// The limit is checked where data decides the size, not at each small allocation:
//   * arena_alloc never returns NULL. Over the account's limit it still succeeds (a bounded
//     overdraft) and arena_over_limit() becomes true.
//   * Loops over data call TRY(arena_check(arena)) once a batch, which turns that into 53200.
//   * A size that comes from data and may exceed ARENA_UNCHECKED_BYTES is asked for with
//     arena_try_alloc, which returns NULL at the limit.
//
// Shard    Used by one shard at a time. An account tree belongs to one shard; its root may carry a
//          limit that is a share of the node's.
// Memory   Blocks come from malloc (jemalloc) and are kept by a small free list per thread.
//          Under ASan a reset arena is freed and poisoned, so that reuse is caught.
#pragma once
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include "core/bytes.h"
#include "core/status.h"

#define ARENA_UNCHECKED_BYTES (64u << 10)

struct memory_account {
    struct memory_account *parent; // NULL at the root.
    const char *name;              // For the message of 53200; static or outlives the account.
    uint64_t used_bytes;
    uint64_t peak_bytes;
    uint64_t limit_bytes; // 0: no limit of its own.
    uint32_t arena_count; // Arenas that hold blocks charged here.
};

void memory_account_init(struct memory_account *account, struct memory_account *parent,
    const char *name, uint64_t limit_bytes);
// Returns what is still charged here to the parents. An invariant: every arena on it is destroyed.
void memory_account_fini(struct memory_account *account);
void memory_account_grow(struct memory_account *account, uint64_t bytes);
void memory_account_shrink(struct memory_account *account, uint64_t bytes);
// Whether `bytes` more would still be within the limits of the account and all its parents.
bool memory_account_fits(const struct memory_account *account, uint64_t bytes);

struct arena_block;

struct arena {
    uint8_t *next; // Where the next allocation starts.
    uint8_t *end;  // End of the current block.
    struct arena_block *block;
    struct memory_account *account; // NULL: unaccounted (tests, start-up).
};

// `account` may be NULL. Nothing is allocated until the first arena_alloc.
void arena_init(struct arena *arena, struct memory_account *account);
// Frees everything. The arena can be used again.
void arena_reset(struct arena *arena);
// A point to go back to: what was allocated after it is freed by arena_release.
struct arena_mark {
    struct arena_block *block;
    uint8_t *next;
};
struct arena_mark arena_mark(struct arena *arena);
void arena_release(struct arena *arena, struct arena_mark mark);
void arena_fini(struct arena *arena);
// Frees the calling thread's list of blocks; a shard's thread calls it last.
void arena_thread_fini(void);

// `size` zero gives a valid pointer. Aligned to 8 (arena_alloc) or to `alignment`, a power of two.
void *arena_alloc_slow(struct arena *arena, size_t size, size_t alignment);
static inline void *arena_alloc(struct arena *arena, size_t size)
{
#ifndef ISOPOD_ASAN // There each allocation is unpoisoned by itself, with a red zone after it.
    uintptr_t at = ((uintptr_t)arena->next + 7u) & ~(uintptr_t)7u;
    uintptr_t end = (uintptr_t)arena->end;
    if (__builtin_expect(at < end && size <= end - at, 1)) {
        arena->next = (uint8_t *)(at + size);
        return (void *)at;
    }
#endif
    return arena_alloc_slow(arena, size, 8);
}
void *arena_alloc_zero(struct arena *arena, size_t size);
void *arena_array_zero(struct arena *arena, size_t item_size, size_t count);
void *arena_alloc_aligned(struct arena *arena, size_t size, size_t alignment);
// NULL when the account would go over its limit.
void *arena_try_alloc(struct arena *arena, size_t size);
#define ARENA_NEW(arena, type) ((type *)arena_alloc_zero((arena), sizeof(type)))
#define ARENA_ARRAY(arena, type, count) \
    ((type *)arena_array_zero((arena), sizeof(type), (size_t)(count)))
// Grows an array that is the arena's newest allocation in place, else copies. `old_size` in bytes.
void *arena_grow(struct arena *arena, void *old, size_t old_size, size_t new_size);

bool arena_over_limit(const struct arena *arena);
// 53200 "memory budget exceeded: ..." when over the limit.
CHECKED struct status arena_check(struct arena *arena);

// Copies. The string forms are NUL-terminated.
struct bytes arena_copy(struct arena *arena, struct bytes bytes);
char *arena_string(struct arena *arena, struct bytes bytes);
char *arena_strdup(struct arena *arena, const char *text);
char *arena_printf(struct arena *arena, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
char *arena_vprintf(struct arena *arena, const char *format, va_list args);

// A growing byte buffer in an arena, for encoders and text.
struct buffer {
    struct arena *arena;
    uint8_t *data;
    size_t size;
    size_t capacity;
};

static inline void buffer_init(struct buffer *buffer, struct arena *arena)
{
    *buffer = (struct buffer){.arena = arena};
}
void buffer_reserve_slow(struct buffer *buffer, size_t more);
static inline uint8_t *buffer_reserve(struct buffer *buffer, size_t more)
{
    if (__builtin_expect(buffer->capacity - buffer->size < more, 0))
        buffer_reserve_slow(buffer, more);
    return buffer->data + buffer->size;
}
static inline void buffer_append(struct buffer *buffer, const void *data, size_t size)
{
    if (size == 0) return;
    memcpy(buffer_reserve(buffer, size), data, size);
    buffer->size += size;
}
static inline void buffer_append_bytes(struct buffer *buffer, struct bytes bytes)
{
    buffer_append(buffer, bytes.data, bytes.size);
}
static inline void buffer_append_u8(struct buffer *buffer, uint8_t value)
{
    *buffer_reserve(buffer, 1) = value;
    buffer->size++;
}
static inline void buffer_append_string(struct buffer *buffer, const char *text)
{
    buffer_append(buffer, text, strlen(text));
}
void buffer_printf(struct buffer *buffer, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
static inline struct bytes buffer_bytes(const struct buffer *buffer)
{
    return (struct bytes){buffer->data, buffer->size};
}
// NUL-terminates (outside of size) and returns the text.
char *buffer_string(struct buffer *buffer);
