// SPDX-License-Identifier: GPL-3.0-or-later
//
// Table statistics: row counts, distinct values and histograms, collected by ANALYZE, and what
// statistics objects ask for besides (sql/plan/statistics_joint.h), kept as one value a table beside the descriptors and
// loaded with them for the planner.
//
// Shard    Any. Collection suspends and reads at a fixed timestamp, in a transaction of its own.
// Errors   XX001 for bytes that do not decode.
#pragma once
#include "core/arena.h"
#include "sql/catalog/catalog.h"

struct column_statistics {
    uint32_t column_id;
    uint64_t distinct_count, null_count, size_average;
    uint32_t bound_count; // Of the histogram; 0: none.
    uint64_t *bounds;     // Ranks, ascending. Of arrays and jsonb: sql/plan/statistics_parts.h.
};

// A histogram has as many shares, and a list of common parts as many, as the column's target says: SET STATISTICS,
// else default_statistics_target, which PostgreSQL has at 100, too. Those of one table share STATISTICS_BOUNDS_ALL_MAX.
#define STATISTICS_BOUNDS_MAX 10001u
#define STATISTICS_BOUNDS_ALL_MAX 131072u
#define STATISTICS_BOUNDS_LEAST 65u // Each column's, however many there are.

// A value's place among those of its type as a number: a < b implies rank(a) <= rank(b). False for types
// without one. Text and bytes go by their first eight bytes.
bool statistics_rank(type_oid type, struct datum value, uint64_t *rank);
// Whether ranks of the two types can be compared.
bool statistics_rank_comparable(type_oid a, type_oid b);

struct table_statistics {
    const char *name;
    int64_t created_us; // Since 2000-01-01.
    uint64_t row_count;
    struct column_statistics *columns;
    uint32_t column_count;
    struct statistics_estimate *joint; // Of the table's statistics objects.
    uint32_t joint_count;
};
void statistics_encode(struct buffer *out, const struct table_statistics *statistics);
CHECKED struct status statistics_decode(
    struct arena *arena, struct bytes bytes, struct table_statistics *statistics);
// In place: its arrays are copied into `arena`, without the texts of common combinations.
void statistics_estimate_copy(struct arena *arena, struct statistics_estimate *estimate);
// Fills in the estimates of a table that is being loaded. Arrays are made in `arena`.
void statistics_apply(
    struct arena *arena, const struct table_statistics *statistics, struct table_desc *table);

// *found false when there are none.
CHECKED struct status statistics_read(struct task *task, struct session *session,
    struct arena *arena, uint32_t table_id, struct table_statistics *statistics, bool *found);
CHECKED struct status statistics_collect(
    struct task *task, struct session *session, const struct table_desc *table, const char *name);
// In the background: rests for most of the time. `table` need not outlive the call's first suspension.
CHECKED struct status statistics_collect_slowly(
    struct task *task, struct session *session, const struct table_desc *table);

struct statement_context;
CHECKED struct status statistics_analyze_execute(struct statement_context *context);
CHECKED struct status statistics_show_execute(struct statement_context *context);
CHECKED struct status statistics_vacuum_execute(struct statement_context *context);
void statistics_statements_register(void);
