// SPDX-License-Identifier: GPL-3.0-or-later
//
// Between the replication layer's own files. Not for others.
#pragma once
#include "core/shard.h"
#include "sql/datum.h"

// A timestamp in a system table: text, as hlc_format writes it. NULL and "" are no time (HLC_ZERO).
bool repl_hlc_parse(struct datum datum, struct hlc_timestamp *ts);
// This cluster's id as a uuid.
const char *repl_cluster_id(struct arena *arena, struct node *node);
void consumer_record_register(void);
