// SPDX-License-Identifier: GPL-3.0-or-later
//
// Memory that was filled elsewhere becomes part of an arena, without a copy: what a helper thread made, under an
// account of its own, for the shard that waits for it.
#pragma once
#include "core/arena.h"

// All that lies in `from` lies in `into` from now on, charged to its account, and `from` is empty. It is freed with
// what was allocated there before this. The thread must be that of `into`, and nobody else uses either.
void arena_adopt(struct arena *into, struct arena *from);
