// SPDX-License-Identifier: GPL-3.0-or-later
//
// Fibers: stacks that code can be switched to and away from in nanoseconds. A fiber knows nothing of
// tasks; core/task.h gives it work.
//
// A pool reserves address space for all of its stacks at once and makes them usable a few at a time;
// below each lies a page that may not be touched, so that an overflow is a crash at once and never
// another stack's damage. Free stacks are reused last in, first out: a shard that runs few tasks
// touches few.
//
// Shard    A pool belongs to one shard; a fiber runs only on that shard's thread.
// Memory   Address space: count_max x (stack + guard page). Memory: what the stacks have touched.
//          With expensive invariants on, stacks are painted and fiber_high_water says how deep one was.
// Source   The switch is Boost.Context's assembly (jump_fcontext, make_fcontext).
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "core/status.h"

struct fiber {
    void *context;     // Where to jump: its own when suspended, its resumer's while it runs.
    uint8_t *stack;    // Lowest usable byte.
    size_t stack_bytes;
    void (*main)(struct fiber *fiber); // Never returns: it suspends for the last time.
    void *arg;
    struct fiber *next; // In the pool's free list.
    bool running;
    // For the sanitizers.
    void *fake_stack;
    const void *resumer_stack;
    size_t resumer_stack_bytes;
    void *tsan_fiber, *tsan_resumer;
};

struct fiber_pool {
    uint8_t *region;
    size_t slot_bytes;  // A stack and its guard page.
    size_t stack_bytes;
    uint32_t count_max, created, in_use, peak;
    uint32_t usable;    // Slots made readable and writable so far.
    struct fiber *free;
    struct fiber **blocks; // FIBERS_PER_BLOCK each.
    void (*main)(struct fiber *fiber);
};

// Errors: 53200 no address space.
CHECKED struct status fiber_pool_init(struct fiber_pool *pool, uint32_t count_max,
    size_t stack_bytes, void (*main)(struct fiber *fiber));
// Gives all stacks back, also those of fibers that are suspended in the middle (a simulated crash).
void fiber_pool_fini(struct fiber_pool *pool);
// NULL when count_max are in use or the system gives no more.
struct fiber *fiber_acquire(struct fiber_pool *pool);
void fiber_release(struct fiber_pool *pool, struct fiber *fiber);

// One fiber outside any pool (the big stack). Errors: 53200.
CHECKED struct status fiber_init(
    struct fiber *fiber, size_t stack_bytes, void (*main)(struct fiber *fiber));
void fiber_fini(struct fiber *fiber);
// Gives the memory of the part that is at least `keep_bytes` deep back to the system.
void fiber_trim(struct fiber *fiber, size_t keep_bytes);

// Runs `fiber` until it suspends. Not from inside itself.
void fiber_resume(struct fiber *fiber);
// Back to whoever resumed it. Called on the fiber itself.
void fiber_suspend(struct fiber *fiber);

// Bytes of stack used since the last call; 0 when stacks are not painted.
size_t fiber_high_water(struct fiber *fiber);
