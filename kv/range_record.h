// SPDX-License-Identifier: GPL-3.0-or-later
//
// What a slice serves, written down in the slice's own log: whoever comes to lead it knows its ranges without asking
// anybody. The descriptors in the meta range stay the directory (kv/range.h).
//
// Each range is a record "R" <start key> -> descriptor (ENTRY_META); every replica holds slice->ranges as the records
// say, by range_record_applied.
//
// Shard    The slice's owner.
// Errors   As slice_propose.
#pragma once
#include "kv/range.h"
#include "kv/slice.h"

// Makes slice->ranges what the store says, and the cluster's own span, which has no record.
CHECKED struct status range_record_load(struct slice *slice);
// From its return on the slice serves the range; ranges that overlap it are cut. Suspends, unless it does already.
CHECKED struct status range_record_add(
    struct task *task, struct slice *slice, const struct range *range);
// It serves no range that starts there. Suspends.
CHECKED struct status range_record_remove(
    struct task *task, struct slice *slice, struct bytes start);
// The operations alone, for entries that say more.
struct entry_builder;
void range_record_put_op(
    struct entry_builder *builder, struct arena *arena, const struct range *range);
void range_record_erase_op(
    struct entry_builder *builder, struct arena *arena, struct bytes start);
// Told of every applied operation.
void range_record_applied(struct slice *slice, const struct entry_op *op);
