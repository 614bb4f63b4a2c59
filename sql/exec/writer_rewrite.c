// SPDX-License-Identifier: GPL-3.0-or-later
//
// Writing to a table that is being rewritten: every row is written as a row of what the table is to become, too, in
// the same transaction. What an old row has there is read, not computed again: a new value may be of chance.
#include "core/invariant.h"
#include "sql/ddl/ddl_internal.h"
#include "sql/type/timezone.h"
#include "sql/exec/writer.h"
#include "sql/exec/writer_rewrite.h"

void writer_rewrite_open(struct writer *writer)
{
    const struct writer_plan *plan = writer->plan;
    const struct table_rewrite *rewrite = plan->table->table->rewrite;
    struct run *run = writer->run;
    struct type_context *types = &writer->target_types;
    writer->target = writer_of(run, writer->plans, plan->table->target->index);
    writer->target_columns =
        expr_state_new(run->arena, run, plan->target_columns, run->capacity);
    *types = run->session->types;
    if (rewrite->zone != NULL) {
        const struct time_zone *zone = time_zone_find(bytes_of_string(rewrite->zone));
        if (zone != NULL) types->zone = zone;
    }
    types->date_style = (enum date_style)rewrite->date_style;
    types->date_order = (enum date_order)rewrite->date_order;
    types->interval_style = (enum interval_style)rewrite->interval_style;
    types->bytea_output = (enum bytea_output)rewrite->bytea_output;
    types->xml_binary = (enum xml_binary)rewrite->xml_binary;
    types->xml_option = (enum xml_option)rewrite->xml_option;
    types->extra_float_digits = (int32_t)rewrite->float_digits;
}

// The target's columns of rows 0..count, by the settings of whoever asked for the rewrite. They live in the
// writer's arena.
static struct status compute(struct task *task, struct writer *writer, struct datum *const *columns,
    uint32_t count, struct datum **out)
{
    struct status st;
    struct session *session = writer->run->session;
    struct batch batch = {.columns = (struct datum **)(uintptr_t)columns,
        .column_count = writer->plan->table->width,
        .count = count,
        .selected = count};
    struct type_context own = session->types;
    session->types = writer->target_types;
    session->types.now_us = own.now_us;
    session->types.statement_us = own.statement_us;
    st = expr_run(task, writer->target_columns, &batch, &writer->arena);
    session->types = own;
    if (failed(st)) return st;
    for (uint32_t i = 0; i < writer->target->plan->table->table->column_count; i++)
        memcpy(out[i], expr_column(writer->target_columns, i), count * sizeof(struct datum));
    return arena_check(&writer->arena);
}

static struct datum **new_columns(struct writer *writer, uint32_t count)
{
    uint32_t width = writer->target->plan->table->width;
    struct datum **columns = ARENA_ARRAY(&writer->arena, struct datum *, width);
    for (uint32_t i = 0; i < width; i++) {
        columns[i] = arena_alloc(&writer->arena, count * sizeof(struct datum));
        for (uint32_t r = 0; r < count; r++) columns[i][r] = DATUM_NULL;
    }
    return columns;
}

// Keys of rows in the target's primary index, and what is there.
static struct status read_stored(struct task *task, struct writer *writer,
    struct datum *const *columns, uint32_t count, struct bytes *keys, struct bytes *values)
{
    struct status st = STATUS_OK;
    struct writer *target = writer->target;
    const struct row_index *primary = &target->plan->indexes[0];
    bool *skipped = arena_alloc_zero(&writer->arena, count * sizeof(bool));
    for (uint32_t r = 0; r < count; r++) {
        struct buffer key;
        buffer_init(&key, &writer->arena);
        for (uint32_t i = 0; i < target->plan->table->table->column_count; i++)
            target->row[i] = columns[i][r];
        TRY(row_key(primary, target->row, &key, NULL));
        keys[r] = buffer_bytes(&key);
    }
    TRY(kv_get_many(
        task, writer->run->txn, NULL, keys, count, &writer->arena, values, skipped));

out:
    return st;
}

struct status writer_rewrite_insert(struct task *task, struct writer *writer, uint32_t count)
{
    struct status st = STATUS_OK;
    TRY(compute(task, writer, writer->columns, count, writer->target->columns));
    TRY(writer_check(task, writer->target, count, (struct writer_changes){0}));
    TRY(writer_insert(task, writer->target, 0, count));

out:
    return st;
}

struct status writer_rewrite_delete(
    struct task *task, struct writer *writer, struct datum *const *old, uint32_t count)
{
    struct status st = STATUS_OK;
    struct writer *target = writer->target;
    const struct table_desc *table = target->plan->table->table;
    struct datum **computed = new_columns(writer, count), **stored = new_columns(writer, count);
    struct datum **slots = ARENA_ARRAY(&writer->arena, struct datum *, table->column_count);
    struct bytes *keys = ARENA_ARRAY(&writer->arena, struct bytes, count);
    struct bytes *values = ARENA_ARRAY(&writer->arena, struct bytes, count);
    uint32_t slot = 0, found = 0;

    TRY(compute(task, writer, old, count, computed));
    TRY(read_stored(task, writer, computed, count, keys, values));
    for (uint32_t i = 0; i < table->column_count; i++)
        if (row_index_has(&target->plan->indexes[0], i)) slots[slot++] = stored[i];
    for (uint32_t r = 0; r < count; r++) {
        // One that is not there has not been copied yet, and will not be.
        if (values[r].data == NULL) continue;
        TRY(row_decode_copy(
            &target->plan->all, keys[r], values[r], &writer->arena, slots, found++));
    }
    TRY(arena_check(&writer->arena));
    if (found > 0) TRY(writer_delete(task, target, stored, NULL, found));

out:
    return st;
}

static struct status check_nulls(struct writer *writer, uint32_t count)
{
    struct writer *target = writer->target;
    const struct table_desc *table = target->plan->table->table;
    struct arena *arena = &writer->run->session->statement_arena;
    for (uint32_t i = 0; i < table->column_count; i++) {
        if (!table->columns[i].not_null) continue;
        for (uint32_t r = 0; r < count; r++) {
            if (!target->columns[i][r].null) continue;
            struct status st = status_format(arena, E_NOT_NULL_VIOLATION,
                "column \"%s\" of relation \"%s\" contains null values", table->columns[i].name,
                table->name);
            return writer_names(writer, st, table, table->columns[i].name, NULL);
        }
    }
    return STATUS_OK;
}

// Rows 0..count of the writer's columns. Where the key stays the same, one that is there has been written since.
static struct status copy_rows(
    struct task *task, struct writer *writer, uint32_t count, bool same_key)
{
    struct status st = STATUS_OK;
    struct writer *target = writer->target;
    const struct row_index *primary = &target->plan->indexes[0];
    uint32_t columns = target->plan->table->table->column_count, kept = 0;

    arena_reset(&writer->arena);
    struct bytes *keys = ARENA_ARRAY(&writer->arena, struct bytes, count);
    struct bytes *values = ARENA_ARRAY(&writer->arena, struct bytes, count);
    target->copying = true;
    TRY(compute(task, writer, writer->columns, count, target->columns));
    TRY(check_nulls(writer, count));
    TRY(read_stored(task, writer, target->columns, count, keys, values));
    for (uint32_t r = 0; r < count; r++) {
        if (values[r].data != NULL && !same_key) {
            struct buffer value;
            buffer_init(&value, &writer->arena);
            for (uint32_t i = 0; i < columns; i++) target->row[i] = target->columns[i][r];
            row_value(primary, target->row, &value);
            if (!bytes_equal(values[r], buffer_bytes(&value)))
                return writer_duplicate(target, 0, target->row);
        }
        if (values[r].data != NULL) continue;
        for (uint32_t i = 0; i < columns; i++) target->columns[i][kept] = target->columns[i][r];
        kept++;
    }
    if (kept == 0) return st;
    TRY(writer_check(task, target, kept, (struct writer_changes){0}));
    TRY(writer_insert(task, target, 0, kept));

out:
    return st;
}

struct status rewrite_copy_rows(struct task *task, struct session *session, struct writer *writer,
    struct rewrite_copy *copy)
{
    struct status st = STATUS_OK;
    const struct writer_plan *plan = writer->plan;
    const struct table_desc *table = plan->table->table;
    struct arena rows_arena;
    struct kv_scan scan;
    struct kv_batch rows;
    uint32_t slot = 0;
    struct datum **slots = ARENA_ARRAY(copy->arena, struct datum *, table->column_count);
    struct span span =
        row_index_span(copy->arena, session->tenant, table->id, table->indexes[0].id);

    invariant(writer->target != NULL);
    arena_init(&rows_arena, copy->arena->account);
    if (bytes_compare(copy->resume, span.start) > 0) span.start = copy->resume;
    kv_scan_init(&scan, span);
    scan.batch_rows = writer->run->capacity;
    if (copy->lock) scan.read.lock = KV_LOCK_UPDATE;
    copy->rows = 0;
    copy->done = false;
    buffer_init(&copy->last, copy->arena);
    for (uint32_t i = 0; i < table->column_count; i++) {
        for (uint32_t r = 0; r < writer->run->capacity; r++) writer->columns[i][r] = DATUM_NULL;
        if (row_index_has(&plan->indexes[0], i)) slots[slot++] = writer->columns[i];
    }
    while (copy->rows < copy->rows_max &&
           kv_txn_write_bytes(session->txn) < copy->write_bytes_max) {
        uint64_t left = copy->rows_max - copy->rows;
        arena_reset(&rows_arena);
        if (left < scan.batch_rows) scan.batch_rows = (uint32_t)left;
        TRY(kv_scan_next(task, session->txn, &scan, &rows_arena, &rows));
        copy->done = rows.count == 0;
        if (copy->done) break;
        invariant(rows.count <= writer->run->capacity);
        for (uint32_t r = 0; r < rows.count; r++)
            TRY(row_decode(
                &plan->all, rows.pairs[r].key, rows.pairs[r].value, &rows_arena, slots, r));
        TRY(copy_rows(task, writer, rows.count, copy->same_key));
        copy->rows += rows.count;
        copy->last.size = 0;
        buffer_append_bytes(&copy->last, rows.pairs[rows.count - 1].key);
        TRY(task_yield_if_due(task));
    }
out:
    if (failed(st)) st = status_copy(task->arena, st);
    arena_fini(&rows_arena);
    return st;
}
