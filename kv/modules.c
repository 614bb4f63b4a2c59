// SPDX-License-Identifier: GPL-3.0-or-later
//
// The modules of storage's upper half, in starting order.
#include "kv/deadlock.h"
#include "kv/feed.h"
#include "kv/kv_node.h"
#include "kv/move.h"
#include "kv/move_side.h"
#include "kv/placement.h"
#include "kv/protected.h"
#include "kv/push.h"
#include "kv/range_admin.h"
#include "kv/txn.h"

const struct kv_module *const kv_modules[] = {
    &client_module,
    &deadlock_module,
    &commit_multi_module, // Resolves what a crash left prepared: before anything reads.
    &range_module,
    &move_side_module,
    &protected_module,
    &feed_module,
    &push_module,
    &placement_module,
    &move_module,
    NULL,
};
