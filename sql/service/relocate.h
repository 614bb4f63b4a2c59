// SPDX-License-Identifier: GPL-3.0-or-later
//
// ALTER RANGE ... RELOCATE: ranges go where an operator wants them. Copies are held, and led, by slice (kv/placement.h), so
// a range goes to a slice of its zone that the node leads (LEASE), or that has a copy on the one node and none on the
// other (VOTERS; of several the one with most of the range's other nodes). Each range has a row that says that it is
// there, or why it stays: the zone says where copies may be. Load may send ranges elsewhere, but not within an hour
// (kv/balance.h).
//
// Shard    Any. Suspends until the ranges are there.
// Errors   42501 without REPAIRCLUSTER; 22023 for nodes and ranges that are not there.
// Checked  tests/integration/test_zones.py
#pragma once
#include "sql/ddl/ddl_internal.h"

CHECKED struct status relocate_describe(
    struct statement_context *context, const struct result_column **columns, uint32_t *count);
CHECKED struct status relocate_execute(struct statement_context *context);
