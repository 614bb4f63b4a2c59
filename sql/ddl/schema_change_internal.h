// SPDX-License-Identifier: GPL-3.0-or-later
//
// What the jobs of schema changes share: their records, their own transactions, and how fast they go.
//
// Shard    That of the job. Everything with a task suspends.
// Memory   Decoded records live in the arena given.
// Errors   XX001 for records that do not decode; 57014 when the job was asked to stop.
#pragma once
#include "sql/session/internal.h"
#include "sql/service/jobs.h"
#include "sql/ddl/schema_change.h"

// A transaction that fills an index puts entries in their order, so the more the better; one that rows changed under
// begins anew with fewer.
#define CHANGE_BATCH_ROWS 500u
#define CHANGE_BATCH_ROWS_MAX 32000u
#define CHANGE_BATCH_BYTES_MAX (8u << 20)

enum change_kind { CHANGE_PUBLISH = 'P', CHANGE_REWRITE = 'R', CHANGE_ERASE = 'E' };

// What to do: written once, with the job.
struct change {
    enum change_kind kind;
    uint32_t table_id;
    uint32_t *indexes,
        *constraints; // To be published; or indexes to be erased (none: the whole relation).
    uint32_t index_count, constraint_count;
    struct bytes target; // CHANGE_REWRITE: the encoded descriptor.
    const char **column_sql;
    uint32_t column_count;
    uint32_t *sequences; // Made for the change: dropped when it fails.
    uint32_t sequence_count;
    // What the statement's session called things by: functions that the change's expressions call see the same.
    const char *database;
    const char **settings; // Names and values in turn.
    uint32_t setting_count; // Pairs.
};
struct bytes change_encode(struct arena *arena, const struct change *change);
CHECKED struct status change_decode(struct arena *arena, struct bytes in, struct change *change);
// What `session` has of that goes into the change, and from the change into a session of the job's.
void change_note_session(struct arena *arena, const struct session *session, struct change *change);
CHECKED struct status change_use_session(
    struct session *session, struct arena *arena, const struct change *change);

// How far it is: a checkpoint, from which another run goes on.
struct change_progress {
    uint32_t finished; // Indexes that are full.
    uint64_t rows, total; // Done so far of the one under way, and expected.
    struct bytes resume; // First key of the rows that are left; empty: all.
};
CHECKED struct status change_progress_read(
    struct arena *arena, struct bytes in, struct change_progress *progress);

// Runs fn in a key-value transaction, again when it conflicts. After some attempts fn reads with locks.
struct change_batch {
    uint64_t tenant;
    struct arena *arena; // Of one attempt: reset before each.
    struct kv_txn *txn;
    uint32_t attempt;
    bool lock;
    void *arg;
};
CHECKED struct status change_run_batch(struct task *task, struct change_batch *batch,
    struct status (*fn)(struct task *task, struct change_batch *batch));

// Batches with rests between them, when a setting says how fast rows are to be done, and now and then a checkpoint.
struct change_pace {
    uint64_t told_rows, told_ns;
    uint64_t rows_per_second; // Of the batch under way; 0: as many as it can.
};
// Before each batch: how many of so many rows it may have by what the setting says now.
uint32_t change_batch_rows(
    struct task *task, const struct job *job, struct change_pace *pace, uint32_t rows);
// After it. The rest follows from what the setting said then, and ends early once it says something else.
CHECKED struct status change_pace(struct task *task, struct job *job, struct change_pace *pace,
    const struct change_progress *progress, uint64_t batch_rows, double from, double to);
CHECKED struct status change_checkpoint(
    struct task *task, struct job *job, const struct change_progress *progress, double fraction);
// Rows of the table now, for the fraction that SHOW JOBS shows.
CHECKED struct status change_count_rows(
    struct task *task, uint64_t tenant, uint32_t table_id, uint64_t *rows);

struct statement_context change_context(struct task *task, struct session *session);
struct status change_gone(void); // 42P01

// Ordinary deletes: they replicate, and reads in the past still find the rows until they are collected.
CHECKED struct status change_erase_span(struct task *task, struct job *job, struct span span);
void change_erase_register(void);

// ddl_feed_run of some of the rows.
CHECKED struct status ddl_feed_run_part(struct task *task, struct session *session, struct arena *arena,
    struct ddl_feed *feed, const struct ddl_key_range *range);
// A part of a table's rows, by the first column of its key: from where change_part_next said (empty: from the first row).
// `from` is memory that the range points to.
CHECKED struct status change_part_begin(const struct table_desc *table, struct bytes resume, struct datum *from,
    struct ddl_key_range *range);
struct bytes change_part_next(struct arena *arena, const struct ddl_key_range *range, struct datum end);
// The value of the first column of the key, `range->column`, that follows `rows` others from range->from on, and more of them
// where many rows have the same; NULL: there are not so many.
CHECKED struct status change_part_end(struct statement_context *context, const struct table_desc *table,
    const struct ddl_key_range *range, uint32_t *rows, const struct datum **end);
// Fills an index whose entries hang on expressions: by the planner, part by part.
CHECKED struct status change_fill_parts(struct task *task, struct job *job, const struct change *change,
    struct change_progress *progress);

// Holds the rows against the change's constraints, with checkpoints; progress->finished counts them behind the indexes.
CHECKED struct status change_validate(struct task *task, struct job *job,
    const struct change *change, struct change_progress *progress);
CHECKED struct status change_rewrite_resume(
    struct task *task, struct job *job, const struct change *change);
// In the session's transaction. *stands: the target is the table already.
CHECKED struct status change_rewrite_undo(
    struct task *task, struct session *session, const struct change *change, bool *stands);
