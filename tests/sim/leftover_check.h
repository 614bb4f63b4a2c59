// SPDX-License-Identifier: GPL-3.0-or-later
//
// Once no client works any more, nothing of a transaction is left: no lock, no prepared or staged write, no record of
// a commit. Whoever meets what a client that is gone has left cleans it up; nobody has to.
#pragma once
#include "tests/sim/kv_world.h"

// Waits for it; whatever is still there then is a violation.
void leftover_check(struct kv_world *kv);
