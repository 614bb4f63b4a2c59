// SPDX-License-Identifier: GPL-3.0-or-later
//
// What range_intersect_agg keeps, of ranges and of multiranges: the value that all so far have in common.
#pragma once
#include "sql/function/function.h"

// The state of the aggregate. The value lies in its arena; all zero at first.
struct range_common {
    bool any;
    uint32_t capacity; // Of value.data.
    struct datum value;
};

// Takes `value`, which lies in call->arena above `mark`: becomes the state's, or is copied over what was there, with
// its memory given back.
void range_common_keep(struct function_call *call, struct range_common *state, struct datum value,
    struct arena_mark mark);
// The aggregate's final function: NULL when there was none.
struct status range_common_value(struct function_call *call, void *state, struct datum *result);
