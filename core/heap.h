// SPDX-License-Identifier: GPL-3.0-or-later
//
// The program's heap as a whole.
//
// Shard    Any thread; blocks for as long as the system takes: through helper_call.
#pragma once

// From here on large blocks that were freed are kept for whoever takes some next, as small ones are, and a thread gives
// back what nobody takes for some seconds: for a shard's thread giving back 100 MB takes 5 ms, and taking as much of the
// system again 50. To be called before the shards start, in the process that they run in, by a program that defines
// jemalloc's malloc_conf as HEAP_OPTIONS.
#define HEAP_OPTIONS "oversize_threshold:0"
void heap_begin(void);

// Memory that was freed goes back to the system now, not with the next allocations: a process at rest makes none.
void heap_release(void);
