// SPDX-License-Identifier: GPL-3.0-or-later
//
// Filling an index on expressions, or a partial one: the planner reads the rows and computes what the index has of them, part by
// part in the order of the first column of their key. Each part is one serializable transaction, so that an entry never outlives
// its row.
#include "core/shard.h"
#include "sql/catalog/descriptor.h"
#include "sql/ddl/ddl_internal.h"
#include "sql/ddl/schema_change_internal.h"

struct fill_part {
    uint32_t table_id, index_id;
    struct bytes resume; // Where it begins: the column's encoded value; empty: the beginning.
    struct bytes next;   // Where the next one does, in the task's arena.
    struct arena arena;  // Of one attempt.
    struct session *session;
    const struct change *change;
    uint32_t rows; // It has about so many.
    uint32_t attempts;
    uint64_t row_count;
    bool done;
};

// An entry that a writer has put already is the same.
static struct status put_entry(
    struct task *task, struct ddl_feed *feed, const struct ddl_entry *entry)
{
    struct status st = STATUS_OK;
    struct fill_part *part = feed->arg;
    struct kv_txn *txn = part->session->txn;
    struct bytes existing = {0};
    if (!entry->unique) return kv_put(task, txn, entry->key, entry->value);
    TRY(kv_insert(task, txn, entry->key, entry->value, &part->arena, &existing));
    if (existing.data != NULL && !bytes_equal(existing, entry->value))
        st = ddl_duplicate(part->session, task->arena, feed->target, entry->index, entry->row);
out:
    return st;
}

static struct status fill_part(struct task *task, struct session *session, void *arg)
{
    struct status st = STATUS_OK;
    struct fill_part *part = arg;
    struct arena *arena = &part->arena;
    struct statement_context context = change_context(task, session);
    const struct table_desc *table;
    struct datum from;
    const struct datum *end;

    arena_reset(arena);
    context.arena = arena;
    part->session = session;
    TRY(change_use_session(session, task->arena, part->change));
    // One that rows changed under begins anew with fewer.
    if (part->attempts++ > 0 && part->rows > 1) part->rows = part->rows / 4 + 1;
    TRY(catalog_table_by_id(task, session, part->table_id, &table));
    if (table_index_by_id(table, part->index_id) == NULL) return change_gone();
    struct ddl_key_range range;
    TRY(change_part_begin(table, part->resume, &from, &range));
    TRY(change_part_end(&context, table, &range, &part->rows, &end));
    range.to = end;
    struct ddl_feed feed = {.source = table,
        .target = table,
        .column_sql = ddl_copy_columns(arena, table, table),
        .index_ids = &part->index_id,
        .index_count = 1,
        .write = put_entry,
        .arg = part};
    TRY(ddl_feed_run_part(task, session, arena, &feed, &range));
    part->row_count = feed.row_count;
    part->done = end == NULL;
    if (end != NULL) part->next = change_part_next(task->arena, &range, *end);
out:
    return st;
}

struct status change_fill_parts(struct task *task, struct job *job, const struct change *change,
    struct change_progress *progress)
{
    struct status st = STATUS_OK;
    struct arena resume_arena;
    struct change_pace pace = {.told_rows = progress->rows};
    const double share = 0.9 / (change->index_count + change->constraint_count),
                 from = share * progress->finished;
    struct fill_part part = {.table_id = change->table_id,
        .change = change,
        .index_id = change->indexes[progress->finished],
        .resume = progress->resume};

    arena_init(&resume_arena, &task->shard->account);
    arena_init(&part.arena, &task->shard->account);
    while (!part.done) {
        struct arena_mark mark = arena_mark(task->arena);
        TRY(job_check(job));
        part.rows = change_batch_rows(task, job, &pace, CHANGE_BATCH_ROWS);
        part.attempts = 0;
        TRY(internal_transaction(task, job->tenant, fill_part, &part));
        progress->rows += part.row_count;
        if (!part.done) {
            arena_reset(&resume_arena);
            progress->resume = part.resume = arena_copy(&resume_arena, part.next);
        }
        arena_release(task->arena, mark);
        TRY(change_pace(task, job, &pace, progress, part.row_count, from, from + share));
    }
out:
    if (failed(st)) st = status_copy(task->arena, st);
    progress->resume = (struct bytes){0};
    arena_fini(&part.arena);
    arena_fini(&resume_arena);
    return st;
}
