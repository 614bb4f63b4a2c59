// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/heap.h"

#include <stdbool.h>
#include <stddef.h>

// jemalloc's; programs with sanitizers have another allocator.
extern int mallctl(const char *name, void *old, size_t *old_size, void *new, size_t new_size)
    __attribute__((weak));

void heap_begin(void)
{
    if (mallctl == NULL) return;
    // The first arena was made before the options were read.
    size_t never = (size_t)1 << 46;
    int ret = mallctl("arena.0.oversize_threshold", NULL, NULL, &never, sizeof never);
    bool on = true;
    if (ret == 0) ret = mallctl("background_thread", NULL, NULL, &on, sizeof on);
    (void)ret; // Another version may have neither: then it takes longer.
}

void heap_release(void)
{
    if (mallctl == NULL) return;
    int ret = mallctl("arena.4096.purge", NULL, NULL, NULL, 0); // 4096: every arena.
    (void)ret; // There is nothing to do about it.
}
