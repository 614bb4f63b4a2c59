// SPDX-License-Identifier: GPL-3.0-or-later
//
// Rows that are there when a constraint is added, held against it part by part, in the order of the first column of their
// key. Whoever writes meanwhile holds rows against it already, so every part may be looked at as it is by then.
#include "core/shard.h"
#include "sql/ddl/ddl_internal.h"
#include "sql/parse/deparse.h"
#include "sql/ddl/schema_change_internal.h"

#define PART_ROWS_CHECK 5000u
#define PART_ROWS_MAX 50000u // A foreign key's question may read all of the other table.

struct part {
    const struct change *change;
    uint32_t table_id, constraint_id;
    struct bytes resume; // Where it begins: the column's encoded value; empty: the beginning.
    struct bytes next;   // Where the next one does, in the task's arena.
    uint32_t rows; // It has about so many.
    bool done;
};

struct status change_part_begin(const struct table_desc *table, struct bytes resume, struct datum *from,
    struct ddl_key_range *range)
{
    const struct column_desc *column =
        table_column_by_id(table, table->indexes[0].columns[0].column_id);
    *range = (struct ddl_key_range){.column = column->name, .type = column->type.oid};
    if (resume.size == 0) return STATUS_OK;
    range->from = from;
    return type_value_decode(&resume, range->type, from);
}

struct bytes change_part_next(struct arena *arena, const struct ddl_key_range *range, struct datum end)
{
    struct buffer next;
    buffer_init(&next, arena);
    type_value_encode(&next, range->type, end);
    return buffer_bytes(&next);
}

struct status change_part_end(struct statement_context *context, const struct table_desc *table,
    const struct ddl_key_range *range, uint32_t *rows, const struct datum **end)
{
    struct status st = STATUS_OK;
    struct internal_result result;
    const char *name;
    *end = NULL;
    TRY(ddl_qualified_name(context, table, &name));
    for (;;) {
        struct buffer sql;
        buffer_init(&sql, context->arena);
        buffer_append_string(&sql, "SELECT ");
        deparse_identifier(&sql, range->column);
        buffer_printf(&sql, " FROM %s", name);
        if (range->from != NULL) {
            buffer_append_string(&sql, " WHERE ");
            deparse_identifier(&sql, range->column);
            buffer_append_string(&sql, " >= $1");
        }
        buffer_append_string(&sql, " ORDER BY ");
        deparse_identifier(&sql, range->column);
        buffer_printf(&sql, " LIMIT 1 OFFSET %u", *rows);
        TRY(internal_query(context->task, context->session->tenant, context->session, context->arena,
            &result, buffer_string(&sql), range->from != NULL ? 1 : 0, range->from, &range->type));
        if (result.row_count == 0) goto out;
        struct datum *value = ARENA_NEW(context->arena, struct datum);
        *value = internal_value(&result, 0, 0);
        if (range->from == NULL || type_compare(range->type, *value, *range->from) != 0) {
            *end = value;
            goto out;
        }
        *rows *= 2; // So many rows have the same value.
    }
out:
    return st;
}

static struct status check_part(struct task *task, struct session *session, void *arg)
{
    struct status st = STATUS_OK;
    struct part *part = arg;
    struct statement_context context = change_context(task, session);
    const struct constraint_desc *constraint = NULL;
    const struct table_desc *table;
    struct datum from;
    const struct datum *end;

    part->done = false;
    TRY(change_use_session(session, task->arena, part->change));
    TRY(catalog_table_by_id(task, session, part->table_id, &table));
    for (uint32_t i = 0; i < table->constraint_count; i++)
        if (table->constraints[i].id == part->constraint_id) constraint = &table->constraints[i];
    if (constraint == NULL) return change_gone();
    struct ddl_key_range range;
    TRY(change_part_begin(table, part->resume, &from, &range));
    if (constraint->kind == TABLE_CHECK && part->rows > PART_ROWS_CHECK) part->rows = PART_ROWS_CHECK;
    TRY(change_part_end(&context, table, &range, &part->rows, &end));
    range.to = end;
    TRY(ddl_validate_constraint_in(&context, table, constraint, &range));
    part->done = end == NULL;
    if (end != NULL) part->next = change_part_next(task->arena, &range, *end);
out:
    return st;
}

// One constraint, from progress->resume on.
static struct status validate_one(struct task *task, struct job *job, const struct change *change,
    struct change_progress *progress, double from, double to)
{
    struct status st = STATUS_OK;
    struct arena resume_arena;
    struct change_pace pace = {.told_rows = progress->rows};
    struct part part = {.change = change,
        .table_id = change->table_id,
        .constraint_id = change->constraints[progress->finished - change->index_count],
        .resume = progress->resume};

    arena_init(&resume_arena, &task->shard->account);
    while (!part.done) {
        struct arena_mark mark = arena_mark(task->arena);
        TRY(job_check(job));
        part.rows = change_batch_rows(task, job, &pace, PART_ROWS_MAX);
        TRY(internal_transaction(task, job->tenant, check_part, &part));
        progress->rows += part.rows;
        if (!part.done) {
            arena_reset(&resume_arena);
            progress->resume = part.resume = arena_copy(&resume_arena, part.next);
        }
        arena_release(task->arena, mark);
        TRY(change_pace(task, job, &pace, progress, part.rows, from, to));
    }
out:
    if (failed(st)) st = status_copy(task->arena, st);
    progress->resume = (struct bytes){0};
    arena_fini(&resume_arena);
    return st;
}

struct status change_validate(struct task *task, struct job *job, const struct change *change,
    struct change_progress *progress)
{
    struct status st = STATUS_OK;
    uint32_t all = change->index_count + change->constraint_count;
    for (; progress->finished < all; progress->finished++) {
        if (progress->resume.size == 0) {
            progress->rows = 0;
            TRY(change_count_rows(task, job->tenant, change->table_id, &progress->total));
        }
        TRY(validate_one(task, job, change, progress, 0.9 * progress->finished / all,
            0.9 * (progress->finished + 1) / all));
        struct change_progress done = *progress;
        done.finished++;
        TRY(change_checkpoint(task, job, &done, 0.9 * done.finished / all));
    }
out:
    return st;
}
