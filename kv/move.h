// SPDX-License-Identifier: GPL-3.0-or-later
//
// Moves of ranges from slice to slice, with the data that they hold, under clients that go on.
//
// The leader of slice 1 coordinates, one range at a time. All versions are copied at their own timestamps while the
// source serves; what is written meanwhile follows, until little is left. Then the source is fenced (kv/move_side.h), the
// rest is copied, the descriptor says that the target has the range, and the target serves it, above everything that the
// source gave out. Clients that come to the source meanwhile look their routes up again; they see no error.
//
//   wanted --> copying --> switched --> (no record)
//      ^          |
//      +-- giving up
//
// A record of the meta range says how far a move is. The descriptor changes in the same transaction as the record, and
// both are checked there: of two that believe to be coordinators, one does it. Whoever comes to lead slice 1 ends what
// it finds: what is copied or given up goes back, what is switched is cleaned up. The attempts' numbers keep what is
// late of former coordinators from doing anything.
//
// On disk  0x01 'm' <start key> -> record;  0x01 'M' -> switches so far u64
//
// Shard    The owner of slice 1 on the node that leads it.
// Errors   55000 when a range cannot be moved: attempts are bounded by MOVE_ATTEMPTS_MAX.
// Safety   At every moment at most one slice serves a key to those that go by its descriptor. Checked by
//          tests/unit/kv/test_move.c, tests/sim/scenario_kv_txn.c, tests/integration/test_moves.py.
#pragma once
#include "kv/kv_node.h"
#include "kv/range.h"

#define MOVE_ATTEMPTS_MAX 40u

// Wants the ranges to be in slice `to`; those that are there already are left out. With the lock of range_admin.h.
CHECKED struct status move_want(
    struct task *task, const struct range *ranges, uint32_t count, uint64_t to);
// Until none of the span is on its way any more; 55000 when a part of it could not be moved; K_END when it went
// elsewhere, as somebody wished before.
CHECKED struct status move_await(struct task *task, struct span span, uint64_t to);
// 55000 while a former coordinator's move of the range has not been ended yet.
CHECKED struct status move_allows_change(struct task *task, struct bytes start);
// How often descriptors were switched, ever. Any node.
CHECKED struct status move_switches(struct task *task, uint64_t *count);
// How many moves are wanted or under way, by the coordinator's own count.
uint32_t move_count(const struct kv_shard *kv);
// Lets the coordinator begin: leaders know their ranges.
void move_settled(struct kv_shard *kv);

extern const struct kv_module move_module;
