// SPDX-License-Identifier: GPL-3.0-or-later
//
// Threads that a library keeps for itself, which look from time to time whether there is something for them to do. Where
// the library cannot be told to leave that, they are let sleep on while what they serve is at rest.
//
// A thread that comes to such a look (a timed wait on a condition, of LEAST to MOST below) when next to nothing was
// done since its last one waits for POLLERS_REST_NS instead; the library wakes it by its condition as ever. It is woken, too, when
// there is work again, so that it looks as often as the library means it to. To a library it was woken for no
// reason, which any wait on a condition may be.
//
// This works on libraries that are linked into the program: the linker puts pollers.c in the place of pthread_create and
// pthread_cond_timedwait. Threads of others pass through.
//
// Shard    worked() is called by one thread, the owner; the rest by any. Nothing here suspends; locks are held for
//          moments.
// Memory   struct pollers is the caller's; it outlives the threads.
// Checked  tests/unit/core/test_pollers.c; of the store tests/unit/kv/test_store.c.
#pragma once
#include <pthread.h>
#include <stdatomic.h>
#include <stdint.h>

#include "core/invariant.h"

#define POLLERS_MAX 8u         // Threads.
#define POLLERS_WORK 1024u     // Less than so much since the last look is rest.
#define POLLERS_REST_NS UINT64_C(600000000000)
// Shorter waits are for something that is about to come; longer ones cost nothing.
#define POLLERS_LEAST_NS UINT64_C(400000000)
#define POLLERS_MOST_NS UINT64_C(10000000000)

struct poller;

struct pollers {
    const char *name; // Of the threads, for operators: at most 15 bytes.
    atomic_uint work; // Done by the owner; wraps around.
    atomic_uint resting;
    pthread_mutex_t lock; // Of what follows.
    uint32_t held;
    struct poller *first;
};

void pollers_init(struct pollers *pollers, const char *name);
// The threads have ended.
void pollers_fini(struct pollers *pollers);

// Threads that the calling thread creates up to pollers_adopt_end are of these.
void pollers_adopt(struct pollers *pollers);
void pollers_adopt_end(void);

// Until as many pollers_release all of them wait as the library wishes; whoever rests is woken. For as long as something
// counts on their looks.
void pollers_hold(struct pollers *pollers);
void pollers_release(struct pollers *pollers);

// How many rest at this moment.
static inline uint32_t pollers_resting(const struct pollers *pollers)
{
    return atomic_load_explicit(&pollers->resting, memory_order_relaxed);
}

void pollers_wake(struct pollers *pollers);

// The owner did something that may make work for them.
static inline void pollers_worked(struct pollers *pollers)
{
    uint32_t work = atomic_load_explicit(&pollers->work, memory_order_relaxed) + 1;
    atomic_store_explicit(&pollers->work, work, memory_order_relaxed);
    if (UNLIKELY(work % POLLERS_WORK == 0) && pollers_resting(pollers) > 0) pollers_wake(pollers);
}
