// SPDX-License-Identifier: GPL-3.0-or-later
//
// What leaders do for the administration of ranges: take ranges over and give them away, and, at the
// leader of slice 1, change them, one change at a time (kv/range_admin.c); tell of them
// (kv/range_figures.c). As kv/leader.h, whose transport it uses.
//
// A change that is asked for again, because its leader went away meanwhile, finds what was done and
// does the rest.
#pragma once
#include "kv/admin.h"
#include "kv/leader.h"
#include "kv/range.h"

enum leader_range_kind {
    LEADER_RANGE_ADD,   // Serves it from now on, cut or joined as it is now.
    LEADER_RANGE_ERASE, // Serves it no more; then all of its data is erased.
    LEADER_RANGE_KIND_END
};
struct leader_range {
    struct leader_call call;
    enum leader_range_kind what;
    struct range range;
};
struct status leader_range(struct task *task, void *arg);

enum leader_change_kind {
    LEADER_CHANGE_SPLIT,  // key, to (until when it is sticky)
    LEADER_CHANGE_CREATE, // call.tenant, to (0: any)
    LEADER_CHANGE_ERASE,  // call.tenant
    LEADER_CHANGE_MOVE,   // span, to
    LEADER_CHANGE_UNSPLIT, // key: sticky no more
    LEADER_CHANGE_MERGE,  // key: that range with the one before it
    LEADER_CHANGE_GATHER, // key: that range and the one before it are brought into one slice
    LEADER_CHANGE_KIND_END
};
struct leader_change {
    struct leader_call call; // Of slice 1.
    enum leader_change_kind what;
    uint64_t to;
    struct span span;
    struct bytes key;
};
struct status leader_change(struct task *task, void *arg);

struct leader_size {
    struct bytes start;
    uint64_t bytes, keys, rate;
    uint32_t looks; // At its figures, since it came to be as it is.
};
struct leader_look {
    struct leader_call call;
    bool sizes_wanted;
    // Answers.
    uint32_t node, shard;
    uint64_t applied_index, bytes;
    struct hlc_timestamp closed;
    uint32_t ranges;
    struct leader_size *sizes; // Of all its ranges, by start; estimates.
    uint32_t size_count;
};
struct status leader_look(struct task *task, void *arg);
// The client's: what the range's leader knows of it, but for `start`, which is gone on return. 55000 when that is nothing to
// go by: the range has changed of late.
CHECKED struct status range_figures(
    struct task *task, const struct range *range, struct leader_size *figures);
