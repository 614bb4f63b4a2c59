// SPDX-License-Identifier: GPL-3.0-or-later
//
// Rewriting a table: the job that copies its rows, and the transaction that makes the target the table.
//
// Online, writers write each row to both from the beginning (sql/exec/writer_rewrite.c); the job reads the rows batch by
// batch and adds to the target those that are not there yet, each batch one serializable transaction. Where the new
// primary key cannot be computed again, writers wait while all is copied at one snapshot.
#include "core/invariant.h"
#include "core/shard.h"
#include "kv/key.h"
#include "sql/catalog/descriptor.h"
#include "sql/parse/parse.h"
#include "sql/plan/plan.h"
#include "sql/exec/row.h"
#include "sql/ddl/schema_change_internal.h"
#include "sql/exec/writer_rewrite.h"

#define PROGRESS_BATCHES 20u

// --- while writers wait -----------------------------------------------------------------------------------

struct copied_entry {
    struct bytes key, value;
    const struct index_desc *index;
    bool unique;
    const struct datum *row;
};

struct rewrite {
    struct job *job;
    struct table_desc *target;
    struct arena pending_arena; // Of the entries that wait.
    struct arena batch_arena;
    struct copied_entry *pending;
    uint32_t pending_count, pending_capacity, pending_rows;
    uint32_t row_width;
    const struct datum *last_row, *last_copy;
    uint64_t flushes;
};

static struct status flush_batch(struct task *task, struct change_batch *batch)
{
    struct status st = STATUS_OK;
    struct rewrite *rewrite = batch->arg;
    for (uint32_t i = 0; i < rewrite->pending_count; i++) {
        const struct copied_entry *entry = &rewrite->pending[i];
        struct bytes existing = {0};
        if (!entry->unique) {
            TRY(kv_put(task, batch->txn, entry->key, entry->value));
            continue;
        }
        TRY(kv_insert(task, batch->txn, entry->key, entry->value, batch->arena, &existing));
        if (existing.data != NULL)
            return ddl_duplicate(NULL, task->arena, rewrite->target, entry->index, entry->row);
    }
out:
    return st;
}

static struct status flush(struct task *task, struct rewrite *rewrite)
{
    struct status st = STATUS_OK;
    if (rewrite->pending_count == 0) goto out;
    TRY(job_check(rewrite->job));
    struct change_batch batch = {
        .tenant = rewrite->job->tenant, .arena = &rewrite->batch_arena, .arg = rewrite};
    TRY(change_run_batch(task, &batch, flush_batch));
    arena_reset(&rewrite->pending_arena);
    rewrite->pending = NULL;
    rewrite->pending_count = rewrite->pending_capacity = rewrite->pending_rows = 0;
    rewrite->last_row = NULL;
    rewrite->flushes++;
out:
    return st;
}

static struct status copy_entry(
    struct task *task, struct ddl_feed *feed, const struct ddl_entry *entry)
{
    struct rewrite *rewrite = feed->arg;
    struct arena *arena = &rewrite->pending_arena;
    (void)task;
    if (rewrite->pending_count == rewrite->pending_capacity) {
        uint32_t capacity = rewrite->pending_capacity == 0 ? 1024 : rewrite->pending_capacity * 2;
        struct copied_entry *grown = ARENA_ARRAY(arena, struct copied_entry, capacity);
        if (rewrite->pending_count > 0)
            memcpy(grown, rewrite->pending, rewrite->pending_count * sizeof *grown);
        rewrite->pending = grown;
        rewrite->pending_capacity = capacity;
    }
    // The row is kept for the message about a duplicate.
    if (entry->unique && rewrite->last_row == NULL) {
        struct datum *copy = ARENA_ARRAY(arena, struct datum, rewrite->row_width);
        for (uint32_t i = 0; i < rewrite->row_width; i++) {
            copy[i] = DATUM_NULL;
            if (i < rewrite->target->column_count && !entry->row[i].null)
                copy[i] = type_copy(arena, rewrite->target->columns[i].type.oid, entry->row[i]);
        }
        rewrite->last_row = entry->row;
        rewrite->last_copy = copy;
    }
    rewrite->pending[rewrite->pending_count++] =
        (struct copied_entry){.key = arena_copy(arena, entry->key),
            .value = arena_copy(arena, entry->value),
            .index = entry->index,
            .unique = entry->unique,
            .row = rewrite->last_copy};
    return arena_check(arena);
}

static struct status row_copied(struct task *task, struct ddl_feed *feed)
{
    struct rewrite *rewrite = feed->arg;
    rewrite->last_row = NULL;
    if (++rewrite->pending_rows < CHANGE_BATCH_ROWS) return STATUS_OK;
    struct status st = flush(task, rewrite);
    if (failed(st) || rewrite->flushes % PROGRESS_BATCHES != 0) return st;
    struct arena_mark mark = arena_mark(task->arena);
    st = job_update(task, rewrite->job, (struct bytes){0}, -1,
        arena_printf(task->arena, "rewriting: %llu rows", (unsigned long long)feed->row_count));
    if (!failed(st)) arena_release(task->arena, mark);
    return st;
}

static struct status copy_rows(struct task *task, struct job *job, const struct change *change,
    struct table_desc *target, uint32_t *index_ids)
{
    struct status st = STATUS_OK;
    struct session *session = NULL;
    const struct table_desc *source;
    struct rewrite *rewrite = ARENA_NEW(task->arena, struct rewrite);

    rewrite->job = job;
    rewrite->target = target;
    rewrite->row_width = row_width(target);
    arena_init(&rewrite->pending_arena, &task->shard->account);
    arena_init(&rewrite->batch_arena, &task->shard->account);
    TRY(internal_session_open(task, job->tenant, "system", &session));
    TRY(change_use_session(session, task->arena, change));
    // A snapshot of now: the rows do not change while writes are refused.
    TRY(kv_now(task, job->tenant, &session->txn_as_of));
    TRY(session_txn_begin(task, session, true));
    TRY(catalog_table_by_id(task, session, change->table_id, &source));
    struct ddl_feed feed = {.source = source,
        .target = target,
        .column_sql = change->column_sql,
        .index_ids = index_ids,
        .index_count = target->index_count,
        .write = copy_entry,
        .row_done = row_copied,
        .arg = rewrite};
    TRY(ddl_feed_run(task, session, task->arena, &feed));
    TRY(flush(task, rewrite));
out:
    if (failed(st)) st = status_copy(task->arena, st);
    if (session != NULL) {
        if (session->txn_state != TXN_IDLE) session_txn_rollback(task, session);
        internal_session_close(task, session);
    }
    arena_fini(&rewrite->batch_arena);
    arena_fini(&rewrite->pending_arena);
    return st;
}

// --- online -----------------------------------------------------------------------------------------------

struct row_copy {
    struct job *job;
    const struct change *change;
    struct change_progress *progress;
    struct arena arena; // Of one attempt.
    uint32_t attempts;
    struct rewrite_copy rows;
};

// The writer of the table is that of a statement that deletes all of it, which is never run.
static struct status copy_batch(struct task *task, struct session *session, void *arg)
{
    struct status st = STATUS_OK;
    struct row_copy *copy = arg;
    struct arena *arena = &copy->arena;
    const struct table_desc *table;
    struct statement_context context = change_context(task, session);
    struct statement_list list;
    struct plan *plan;
    struct plan_run *run = NULL;
    const char *name;
    uint32_t param_count = 0, rows_max = copy->rows.rows_max;

    arena_reset(arena);
    TRY(catalog_table_by_id(task, session, copy->change->table_id, &table));
    if (table->rewrite == NULL) return change_gone();
    TRY(ddl_qualified_name(&context, table, &name));
    struct bytes text = bytes_of_string(arena_printf(arena, "DELETE FROM %s", name));
    TRY(parse_sql_on_stack(arena, text, &list));
    TRY(plan_build(task, session, arena, list.items[0], text, NULL,
        &param_count, &plan));
    TRY(plan_run_open(task, session, plan, NULL, 0, &run));
    // One that rows changed under begins anew with fewer, then keeps them.
    if (copy->attempts > 0 && rows_max > CHANGE_BATCH_ROWS)
        copy->rows.rows_max = rows_max / 4 < CHANGE_BATCH_ROWS ? CHANGE_BATCH_ROWS : rows_max / 4;
    copy->rows.lock = copy->attempts > 1;
    copy->attempts++;
    copy->rows.arena = arena;
    copy->rows.resume = copy->progress->resume;
    TRY(rewrite_copy_rows(task, session, plan_run_writer(run, table->id), &copy->rows));
out:
    if (failed(st)) st = status_copy(task->arena, st);
    if (run != NULL) plan_run_close(task, run);
    return st;
}

static struct status copy_online(struct task *task, struct row_copy *copy)
{
    struct status st = STATUS_OK;
    struct job *job = copy->job;
    struct change_progress *progress = copy->progress;
    struct change_pace pace = {.told_rows = progress->rows};
    struct arena resume_arena;
    uint32_t rows_max = CHANGE_BATCH_ROWS;

    arena_init(&copy->arena, &task->shard->account);
    arena_init(&resume_arena, &task->shard->account);
    while (!copy->rows.done) {
        struct arena_mark mark = arena_mark(task->arena);
        TRY(job_check(job));
        copy->attempts = 0;
        copy->rows.rows_max = change_batch_rows(task, job, &pace, rows_max);
        TRY(internal_transaction(task, job->tenant, copy_batch, copy));
        if (copy->attempts > 1)
            rows_max = CHANGE_BATCH_ROWS;
        else if (rows_max < CHANGE_BATCH_ROWS_MAX)
            rows_max *= 2;
        progress->rows += copy->rows.rows;
        if (copy->rows.rows > 0) {
            struct bytes next = key_next(&copy->arena, buffer_bytes(&copy->rows.last));
            arena_reset(&resume_arena);
            progress->resume = arena_copy(&resume_arena, next);
        }
        TRY(change_pace(task, job, &pace, progress, copy->rows.rows, 0, 0.9));
        arena_release(task->arena, mark);
    }
out:
    if (failed(st)) st = status_copy(task->arena, st);
    progress->resume = (struct bytes){0};
    arena_fini(&resume_arena);
    arena_fini(&copy->arena);
    return st;
}

static struct status count_entries(
    struct task *task, struct session *session, struct span span, uint64_t *count)
{
    struct status st = STATUS_OK;
    struct arena arena;
    struct kv_scan scan;
    struct kv_batch batch;
    *count = 0;
    arena_init(&arena, &task->shard->account);
    kv_scan_init(&scan, span);
    do {
        arena_reset(&arena);
        TRY(kv_scan_next(task, session->txn, &scan, &arena, &batch));
        *count += batch.count;
        TRY(task_yield_if_due(task));
    } while (batch.count > 0);
out:
    if (failed(st)) st = status_copy(task->arena, st);
    arena_fini(&arena);
    return st;
}

// Rows that are equal in all that the target keeps of them have become one: as many must be there as there were.
// Whoever writes one more after this snapshot fails.
static struct status check_count(struct task *task, struct job *job, const struct table_desc *target)
{
    struct status st = STATUS_OK;
    struct session *session = NULL;
    const struct table_desc *source;
    uint64_t before, after;

    TRY(internal_session_open(task, job->tenant, "system", &session));
    TRY(kv_now(task, job->tenant, &session->txn_as_of));
    TRY(session_txn_begin(task, session, true));
    TRY(catalog_table_by_id(task, session, target->id, &source));
    TRY(count_entries(task, session,
        row_index_span(task->arena, job->tenant, source->id, source->indexes[0].id), &before));
    TRY(count_entries(task, session,
        row_index_span(task->arena, job->tenant, target->id, target->indexes[0].id), &after));
    if (before != after)
        st = status_format(task->arena, E_UNIQUE_VIOLATION, "could not create unique index \"%s\"",
            target->indexes[0].name);
out:
    if (failed(st)) st = status_copy(task->arena, st);
    if (session != NULL) {
        if (session->txn_state != TXN_IDLE) session_txn_rollback(task, session);
        internal_session_close(task, session);
    }
    return st;
}

// Whether rows keep their primary key: the same columns, as they are.
static bool keeps_key(const struct table_desc *source, const struct table_desc *target)
{
    const struct index_desc *from = &source->indexes[0], *to = &target->indexes[0];
    if (from->column_count != to->column_count) return false;
    for (uint32_t i = 0; i < from->column_count; i++) {
        const struct column_desc *a = table_column_by_id(source, from->columns[i].column_id);
        const struct column_desc *b = table_column_by_id(target, to->columns[i].column_id);
        if (a->id != b->id || a->type.oid != b->type.oid || a->type.typmod != b->type.typmod)
            return false;
    }
    return true;
}

struct look {
    uint32_t table_id;
    bool online, same_key;
    const struct table_desc *target;
};

static struct status look_at(struct task *task, struct session *session, void *arg)
{
    struct status st = STATUS_OK;
    struct look *look = arg;
    const struct table_desc *table;
    TRY(catalog_table_by_id(task, session, look->table_id, &table));
    look->online = table->rewrite != NULL;
    look->same_key = keeps_key(table, look->target);
out:
    return st;
}

static struct status rewrite_online(struct task *task, struct job *job, const struct change *change,
    const struct table_desc *target, bool same_key)
{
    struct status st = STATUS_OK;
    struct change_progress progress;
    struct row_copy copy = {.job = job,
        .change = change,
        .progress = &progress,
        .rows = {.same_key = same_key, .write_bytes_max = CHANGE_BATCH_BYTES_MAX}};

    TRY(change_progress_read(task->arena, job->progress, &progress));
    if (progress.finished == 0) {
        if (progress.resume.size == 0)
            TRY(change_count_rows(task, job->tenant, change->table_id, &progress.total));
        TRY(copy_online(task, &copy));
        progress.finished = 1;
        TRY(change_checkpoint(task, job, &progress, 0.9));
    }
    if (!same_key) TRY(check_count(task, job, target));
out:
    return st;
}

// --- taking the old one's place ---------------------------------------------------------------------------

struct replace {
    const struct change *change;
    struct table_desc *target;
};

// What others may change meanwhile is theirs.
static void keep_what_others_changed(const struct table_desc *stored, struct table_desc *target)
{
    target->grants = stored->grants;
    target->grant_count = stored->grant_count;
    for (uint32_t i = 0; i < target->column_count; i++) {
        const struct column_desc *column = table_column_by_id(stored, target->columns[i].id);
        if (column == NULL) continue;
        target->columns[i].grants = column->grants;
        target->columns[i].grant_count = column->grant_count;
    }
    target->zone = stored->zone;
    for (uint32_t i = 0; i < target->index_count; i++) {
        for (uint32_t k = 0; k < stored->index_count; k++)
            if (strcmp(stored->indexes[k].name, target->indexes[i].name) == 0)
                target->indexes[i].zone = stored->indexes[k].zone;
    }
    target->referenced_by = stored->referenced_by;
    target->referenced_by_count = stored->referenced_by_count;
    target->depended_by = stored->depended_by;
    target->depended_by_count = stored->depended_by_count;
}

static struct status replace_table(struct task *task, struct session *session, void *arg)
{
    struct status st = STATUS_OK;
    struct replace *replace = arg;
    struct table_desc *stored, target = *replace->target;
    struct statement_context context = change_context(task, session);

    TRY(catalog_edit_table(task, session, task->arena, target.id, &stored));
    if (!stored->writes_blocked && stored->rewrite == NULL)
        goto out; // A former run of this job got this far.
    uint32_t *old = ARENA_ARRAY(task->arena, uint32_t, stored->index_count);
    for (uint32_t i = 0; i < stored->index_count; i++)
        old[i] = stored->indexes[i].id;
    keep_what_others_changed(stored, &target);
    target.writes_blocked = false;
    target.rewrite = NULL;
    for (uint32_t i = 0; i < target.index_count; i++)
        target.indexes[i].state = ELEMENT_PUBLIC;
    TRY(catalog_put_table(task, session, &target));
    for (uint32_t i = 0; i < target.index_count; i++)
        TRY(ddl_validate_deferrable(&context, &target, &target.indexes[i]));
    TRY(ddl_erase_later(&context, target.id, old, stored->index_count));
out:
    return st;
}

struct status change_rewrite_resume(
    struct task *task, struct job *job, const struct change *change)
{
    struct status st = STATUS_OK;
    struct table_desc *target = ARENA_NEW(task->arena, struct table_desc);

    TRY(descriptor_decode_table(task->arena, change->target, target));
    struct look look = {.table_id = change->table_id, .target = target};
    TRY(internal_transaction(task, job->tenant, look_at, &look));
    uint32_t *ids = ARENA_ARRAY(task->arena, uint32_t, target->index_count);
    if (look.online) TRY(rewrite_online(task, job, change, target, look.same_key));
    for (uint32_t i = 0; i < target->index_count && !look.online; i++) {
        ids[i] = target->indexes[i].id;
        // A run that was cut off left rows whose new values (of sequences, say) would not come again.
        TRY(change_erase_span(task, job, row_index_span(task->arena, job->tenant, target->id, ids[i])));
    }
    if (!look.online) TRY(copy_rows(task, job, change, target, ids));
    struct replace replace = {.change = change, .target = target};
    TRY(internal_transaction(task, job->tenant, replace_table, &replace));
out:
    return st;
}

struct status change_rewrite_undo(
    struct task *task, struct session *session, const struct change *change, bool *stands)
{
    struct status st = STATUS_OK;
    struct table_desc *target = ARENA_NEW(task->arena, struct table_desc), *stored;
    struct statement_context context = change_context(task, session);

    TRY(descriptor_decode_table(task->arena, change->target, target));
    st = catalog_edit_table(task, session, task->arena, target->id, &stored);
    if (status_is(st, E_UNDEFINED_TABLE)) return STATUS_OK;
    TRY(st);
    *stands = stored->indexes[0].id == target->indexes[0].id;
    if (!stored->writes_blocked && stored->rewrite == NULL) goto out;
    stored->writes_blocked = false;
    stored->rewrite = NULL;
    uint32_t *ids = ARENA_ARRAY(task->arena, uint32_t, target->index_count);
    for (uint32_t i = 0; i < target->index_count; i++) {
        ids[i] = target->indexes[i].id;
        TRY(catalog_free_name(
            task, session, target->database_id, target->schema_id, target->indexes[i].name));
    }
    TRY(ddl_renumber_names(task, session, stored));
    TRY(catalog_put_table(task, session, stored));
    TRY(ddl_erase_later(&context, target->id, ids, target->index_count));
    for (uint32_t i = 0; i < change->sequence_count; i++) {
        struct table_desc *sequence;
        TRY(catalog_edit_table(
            task, session, task->arena, change->sequences[i], &sequence));
        TRY(ddl_drop_relation(&context, sequence, DROP_CASCADE));
    }
out:
    return st;
}
