// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/fiber.h"

#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "core/invariant.h"

#ifdef ISOPOD_ASAN
#include <sanitizer/asan_interface.h>
#include <sanitizer/common_interface_defs.h>
#endif
#ifdef ISOPOD_TSAN
#include <sanitizer/tsan_interface.h>
#endif

#define FIBERS_PER_BLOCK 64u
#define GUARD_BYTES 4096u
#define PAINT 0x5afe57acc0ffee11ull

// Linux 6.13. Guards by page-table marks: no mapping is split, so that their number stays small.
#ifndef MADV_GUARD_INSTALL
#define MADV_GUARD_INSTALL 102
#endif

// Boost.Context's assembly; C linkage, declared here because its header is C++.
struct fcontext_transfer {
    void *context;
    void *data;
};
struct fcontext_transfer jump_fcontext(void *to, void *data);
void *make_fcontext(void *stack_top, size_t size, void (*entry)(struct fcontext_transfer));

static void resumer_learned(struct fiber *fiber)
{
#ifdef ISOPOD_ASAN
    __sanitizer_finish_switch_fiber(
        fiber->fake_stack, &fiber->resumer_stack, &fiber->resumer_stack_bytes);
#else
    (void)fiber;
#endif
}

static void fiber_entry(struct fcontext_transfer transfer)
{
    struct fiber *fiber = transfer.data;
    fiber->context = transfer.context;
    resumer_learned(fiber);
    fiber->main(fiber);
    invariant(false && "a fiber's main function returned");
}

void fiber_resume(struct fiber *fiber)
{
    invariant(!fiber->running);
    fiber->running = true;
#ifdef ISOPOD_TSAN
    fiber->tsan_resumer = __tsan_get_current_fiber();
    __tsan_switch_to_fiber(fiber->tsan_fiber, 0);
#endif
#ifdef ISOPOD_ASAN
    void *own_fake_stack = NULL;
    __sanitizer_start_switch_fiber(&own_fake_stack, fiber->stack, fiber->stack_bytes);
#endif
    struct fcontext_transfer back = jump_fcontext(fiber->context, fiber);
#ifdef ISOPOD_ASAN
    __sanitizer_finish_switch_fiber(own_fake_stack, NULL, NULL);
#endif
    fiber->context = back.context;
    fiber->running = false;
}

void fiber_suspend(struct fiber *fiber)
{
#ifdef ISOPOD_TSAN
    __tsan_switch_to_fiber(fiber->tsan_resumer, 0);
#endif
#ifdef ISOPOD_ASAN
    __sanitizer_start_switch_fiber(
        &fiber->fake_stack, fiber->resumer_stack, fiber->resumer_stack_bytes);
#endif
    struct fcontext_transfer again = jump_fcontext(fiber->context, fiber);
    fiber->context = again.context;
    resumer_learned(fiber);
}

#ifdef ISOPOD_EXPENSIVE_INVARIANTS
__attribute__((no_sanitize("address"))) static void paint(struct fiber *fiber, size_t bytes)
{
    // From the low end: the deep part of the stack, volatile so that it stays a plain loop.
    volatile uint64_t *word = (volatile uint64_t *)(void *)fiber->stack;
    for (size_t i = 0; i < bytes / sizeof(uint64_t); i++)
        word[i] = PAINT;
}

__attribute__((no_sanitize("address"))) size_t fiber_high_water(struct fiber *fiber)
{
    volatile uint64_t *word = (volatile uint64_t *)(void *)fiber->stack;
    size_t count = fiber->stack_bytes / sizeof(uint64_t);
    size_t clean = 0;
    while (clean < count && word[clean] == PAINT)
        clean++;
    size_t used = fiber->stack_bytes - clean * sizeof(uint64_t);
    // Repaint what was used, but for the top, where the suspended fiber's own frames are.
    size_t keep = 4096;
    if (used > keep) {
        for (size_t i = clean; i < count - keep / sizeof(uint64_t); i++)
            word[i] = PAINT;
    }
    return used;
}
#else
size_t fiber_high_water(struct fiber *fiber)
{
    (void)fiber;
    return 0;
}
#endif

static void fiber_prepare(struct fiber *fiber)
{
#ifdef ISOPOD_EXPENSIVE_INVARIANTS
    if (fiber->stack_bytes <= (1u << 20)) paint(fiber, fiber->stack_bytes);
#endif
    fiber->context = make_fcontext(fiber->stack + fiber->stack_bytes, fiber->stack_bytes, fiber_entry);
#ifdef ISOPOD_TSAN
    fiber->tsan_fiber = __tsan_create_fiber(0);
#endif
}

static void stack_forget(void *stack, size_t bytes)
{
#ifdef ISOPOD_ASAN
    __asan_unpoison_memory_region(stack, bytes);
#else
    (void)stack;
    (void)bytes;
#endif
}

struct status fiber_init(
    struct fiber *fiber, size_t stack_bytes, void (*main)(struct fiber *fiber))
{
    *fiber = (struct fiber){.stack_bytes = stack_bytes, .main = main};
    uint8_t *base = mmap(NULL, stack_bytes + GUARD_BYTES, PROT_READ | PROT_WRITE,
        MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | MAP_STACK, -1, 0);
    if (base == MAP_FAILED || mprotect(base, GUARD_BYTES, PROT_NONE) != 0)
        return status_make(E_OUT_OF_MEMORY, "no address space for a stack");
    (void)madvise(base, stack_bytes + GUARD_BYTES, MADV_NOHUGEPAGE);
    fiber->stack = base + GUARD_BYTES;
    fiber_prepare(fiber);
    return STATUS_OK;
}

void fiber_fini(struct fiber *fiber)
{
    if (fiber->stack == NULL) return;
#ifdef ISOPOD_TSAN
    __tsan_destroy_fiber(fiber->tsan_fiber);
#endif
    stack_forget(fiber->stack, fiber->stack_bytes);
    munmap(fiber->stack - GUARD_BYTES, fiber->stack_bytes + GUARD_BYTES);
    fiber->stack = NULL;
}

void fiber_trim(struct fiber *fiber, size_t keep_bytes)
{
    invariant(!fiber->running);
    if (fiber->stack_bytes <= keep_bytes) return;
    (void)madvise(fiber->stack, fiber->stack_bytes - keep_bytes, MADV_DONTNEED);
}

struct status fiber_pool_init(struct fiber_pool *pool, uint32_t count_max, size_t stack_bytes,
    void (*main)(struct fiber *fiber))
{
    invariant(stack_bytes % 4096 == 0);
    *pool = (struct fiber_pool){.count_max = count_max,
        .stack_bytes = stack_bytes,
        .slot_bytes = stack_bytes + GUARD_BYTES,
        .main = main};
    // Without access rights the reservation counts against no limit of the system's.
    pool->region = mmap(NULL, (size_t)count_max * pool->slot_bytes, PROT_NONE,
        MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (pool->region == MAP_FAILED) {
        pool->region = NULL;
        return status_make(E_OUT_OF_MEMORY, "no address space for the fibers' stacks");
    }
    pool->blocks = calloc((count_max + FIBERS_PER_BLOCK - 1) / FIBERS_PER_BLOCK, sizeof *pool->blocks);
    invariant(pool->blocks != NULL);
    return STATUS_OK;
}

void fiber_pool_fini(struct fiber_pool *pool)
{
    if (pool->region == NULL) return;
    stack_forget(pool->region, (size_t)pool->usable * pool->slot_bytes);
    for (uint32_t i = 0; i * FIBERS_PER_BLOCK < pool->created; i++) {
#ifdef ISOPOD_TSAN
        for (uint32_t j = 0; j < FIBERS_PER_BLOCK; j++) {
            if (pool->blocks[i][j].tsan_fiber != NULL)
                __tsan_destroy_fiber(pool->blocks[i][j].tsan_fiber);
        }
#endif
        free(pool->blocks[i]);
    }
    free(pool->blocks);
    munmap(pool->region, (size_t)pool->count_max * pool->slot_bytes);
    *pool = (struct fiber_pool){0};
}

// Makes the next stacks usable, in steps, so that neighbours share one mapping.
static bool pool_extend(struct fiber_pool *pool)
{
    uint32_t step = pool->count_max - pool->usable;
    if (step > 16) step = 16;
    uint8_t *start = pool->region + (size_t)pool->usable * pool->slot_bytes;
    size_t bytes = (size_t)step * pool->slot_bytes;
    if (mprotect(start, bytes, PROT_READ | PROT_WRITE) != 0) return false;
    (void)madvise(start, bytes, MADV_NOHUGEPAGE);
    for (uint32_t i = 0; i < step; i++) {
        uint8_t *guard = start + (size_t)i * pool->slot_bytes;
        if (madvise(guard, GUARD_BYTES, MADV_GUARD_INSTALL) == 0) continue;
        if (mprotect(guard, GUARD_BYTES, PROT_NONE) != 0) return false;
    }
    pool->usable += step;
    return true;
}

static struct fiber *pool_create(struct fiber_pool *pool)
{
    if (pool->created == pool->count_max) return NULL;
    if (pool->created == pool->usable && !pool_extend(pool)) return NULL;
    uint32_t block = pool->created / FIBERS_PER_BLOCK;
    if (pool->blocks[block] == NULL) {
        pool->blocks[block] = calloc(FIBERS_PER_BLOCK, sizeof(struct fiber));
        if (pool->blocks[block] == NULL) return NULL;
    }
    struct fiber *fiber = &pool->blocks[block][pool->created % FIBERS_PER_BLOCK];
    fiber->stack = pool->region + (size_t)pool->created * pool->slot_bytes + GUARD_BYTES;
    fiber->stack_bytes = pool->stack_bytes;
    fiber->main = pool->main;
    fiber_prepare(fiber);
    pool->created++;
    return fiber;
}

struct fiber *fiber_acquire(struct fiber_pool *pool)
{
    struct fiber *fiber = pool->free;
    if (fiber != NULL) {
        pool->free = fiber->next;
        fiber->next = NULL;
    } else {
        fiber = pool_create(pool);
        if (fiber == NULL) return NULL;
    }
    pool->in_use++;
    if (pool->in_use > pool->peak) pool->peak = pool->in_use;
    return fiber;
}

void fiber_release(struct fiber_pool *pool, struct fiber *fiber)
{
    invariant(!fiber->running && pool->in_use > 0);
    fiber->next = pool->free;
    pool->free = fiber;
    pool->in_use--;
}
