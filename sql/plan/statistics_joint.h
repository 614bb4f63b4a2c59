// SPDX-License-Identifier: GPL-3.0-or-later
//
// Statistics of several columns and expressions together (CREATE STATISTICS), learnt from the rows that ANALYZE reads:
// how many distinct combinations of each subset of the members there are, how far some members tell another, and the
// most common combinations with how often they come. Distinct counts are of all rows, the others of a sample of
// them; of tables with fewer rows than that both are exact.
//
// Shard    One. Finishing suspends between its steps.
// Memory   In the arena given, bounded whatever the table holds.
// Source   PostgreSQL 15 manual, section 70.2 (what the numbers mean).
#pragma once
#include "core/arena.h"
#include "sql/catalog/catalog.h"

struct task;

#define JOINT_SAMPLE_ROWS 8192u
#define JOINT_TEXT_BYTES_MAX 1024u // Rows with a longer text are in no list of common values.

struct joint_collector;
// `values` of a row are the table's columns, and after them the expressions of its statistics objects in their order.
// NULL when the table has no such objects. `target`: common combinations of those without a target of their own.
struct joint_collector *joint_collector_new(
    struct arena *arena, const struct table_desc *table, uint32_t target);
// `hashes`: type_hash of each value, anything for NULLs.
void joint_collector_add(
    struct joint_collector *collector, const struct datum *values, const uint64_t *hashes);
// One estimate an object, in their order, but for those of expressions.
CHECKED struct status joint_collector_finish(
    struct task *task, struct joint_collector *collector, struct statistics_estimate **estimates);
