// SPDX-License-Identifier: GPL-3.0-or-later
//
// Changing ranges: bootstrap, split, merge, create and erase a tenant's, have them moved (kv/move.h); and walking
// them. The public side is in kv/admin.h; this is what storage's other files need.
//
// All changes run at the leader of slice 1, one at a time, so that what leaders hold follows what the
// descriptors say in the same order. A change that adds keys to a slice tells its leader after the descriptors
// are committed; one that takes keys away tells it before. A crash in between leaves the
// descriptors right, and the start tells every leader anew.
//
// Shard    Any, unless said otherwise; requests go to leaders.
// Checked  tests/unit/kv/test_ranges.c.
#pragma once
#include "kv/kv_node.h"
#include "kv/range.h"

// A range is split above this, unless kv_options or a zone (kv/zone.h) says otherwise.
#define RANGE_BYTES_MAX_DEFAULT (UINT64_C(512) << 20)

// Gives each slice its lock table, validator and range set; loads or makes the ranges at start;
// splits ranges that have grown too large.
extern const struct kv_module range_module;

// Calls `visit` with the parts of the span, range by range, in order: where each lies now. A
// `visit` that returns K_WRONG_RANGE is called again with what a new look-up says.
typedef struct status (*range_visit)(
    struct task *task, void *arg, const struct range *range, struct span part);
CHECKED struct status range_walk(
    struct task *task, struct span span, range_visit visit, void *arg);

// At the leader of slice 1: changes of ranges, one at a time.
CHECKED struct status range_change_lock(struct task *task);
void range_change_unlock(struct shard *shard);
CHECKED struct status range_id_next(struct task *task, uint64_t *id);

// Of whoever leads slice 1: cuts the span off its neighbours and wants what is in it to be in slice `to`, and does not wait.
CHECKED struct status range_want(struct task *task, struct span span, uint64_t to);
// Small and cold, in another slice than the range before it: if that is so, too, one of the two is wanted where the other
// is (kv/move.h). 55000 when that cannot be now.
CHECKED struct status range_gather(struct task *task, struct bytes key);

// Descriptors of ranges that overlap the span, read from the meta range, in `arena`.
CHECKED struct status range_list(struct task *task, struct span span, struct arena *arena,
    struct range **ranges, uint32_t *count);
