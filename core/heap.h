// SPDX-License-Identifier: GPL-3.0-or-later
//
// The program's heap as a whole.
//
// Shard    Any thread; blocks for as long as the system takes: through helper_call.
#pragma once

// Memory that was freed goes back to the system now, not with the next allocations: a process at rest makes none.
void heap_release(void);
