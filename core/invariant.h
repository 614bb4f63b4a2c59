// SPDX-License-Identifier: GPL-3.0-or-later
//
// Assertions on our own reasoning, on in every build. Never on bytes from outside: those are
// checked and give a struct status (core/status.h), because an assertion that a peer can trip is a
// denial of service.
#pragma once
#include <assert.h>
#include <stdbool.h>

#define LIKELY(x) __builtin_expect(!!(x), 1)
#define UNLIKELY(x) __builtin_expect(!!(x), 0)

_Noreturn void invariant_failed(const char *condition, const char *file, int line);

#define invariant(cond) \
    do { \
        if (UNLIKELY(!(cond))) invariant_failed(#cond, __FILE__, __LINE__); \
    } while (0)

// For checks of O(n) and up: on in debug, sim and fuzz builds.
#ifdef ISOPOD_EXPENSIVE_INVARIANTS
#define expensive_invariant(cond) invariant(cond)
#else
#define expensive_invariant(cond) \
    do { \
        (void)sizeof(cond); \
    } while (0)
#endif

// Intrusive containers.
#define container_of(ptr, type, member) ((type *)(void *)((char *)(ptr) - offsetof(type, member)))
