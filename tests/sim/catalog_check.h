// SPDX-License-Identifier: GPL-3.0-or-later
//
// At any instant every shard of every node that may use what it has cached of a table has the same version of it:
// a schema change is known to all before anybody can use it.
#pragma once
#include "tests/sim/world.h"

// Between two steps.
void catalog_check_look(struct world *world);
