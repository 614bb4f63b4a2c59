// SPDX-License-Identifier: GPL-3.0-or-later
//
// Values of xid8, an unsigned number, and of pg_snapshot (txid_snapshot is the same): xmin, xmax, and the numbers in progress
// between them, ascending, in eight bytes each, the highest first.
#pragma once
#include "sql/type/type.h"

void xid_store(struct buffer *out, uint64_t id);
uint64_t xid_load(struct bytes snapshot, size_t at); // The at-th number of it.
static inline size_t xid_snapshot_count(struct bytes snapshot) // In progress.
{
    return snapshot.size / 8 - 2;
}
bool xid_is_visible(struct bytes snapshot, uint64_t id);
