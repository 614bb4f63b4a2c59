// SPDX-License-Identifier: GPL-3.0-or-later
//
// Schema changes and the rows that are there already: reading them through the planner, as the stored
// descriptor says, and writing entries of indexes as the new one says.
#include "sql/ddl/ddl_internal.h"
#include "sql/catalog/catalog_text.h"
#include "sql/function/function.h"

#include "core/invariant.h"
#include "kv/key.h"
#include "sql/parse/deparse.h"
#include "sql/session/internal.h"
#include "sql/parse/parse.h"
#include "sql/plan/plan.h"
#include "sql/exec/row.h"
#include "sql/ddl/schema_change.h"
#include "sql/ddl/schema_change_internal.h"

static struct status count_rows(struct statement_context *context, const struct table_desc *table,
    uint64_t limit, bool validate, uint64_t *count)
{
    struct status st = STATUS_OK;
    struct arena_mark mark = arena_mark(context->arena);
    struct kv_scan scan;
    struct kv_batch batch;

    *count = 0;
    kv_scan_init(&scan,
        row_index_span(context->arena, context->session->tenant, table->id, table->indexes[0].id));
    scan.limit = limit;
    scan.read.no_validate = !validate;
    do {
        TRY(kv_scan_next(context->task, context->session->txn, &scan, context->arena, &batch));
        *count += batch.count;
    } while (batch.count > 0 && *count < limit);
out:
    arena_release(context->arena, mark);
    return st;
}

struct status ddl_has_rows(
    struct statement_context *context, const struct table_desc *table, bool *has_rows)
{
    uint64_t count = 0;
    // Whoever takes it for empty relies on that; that it has rows hangs on none of them, which writers may change.
    struct status st = count_rows(context, table, 1, false, &count);
    if (!failed(st) && count == 0) st = count_rows(context, table, 1, true, &count);
    *has_rows = count > 0;
    return st;
}

struct status ddl_has_more_rows(
    struct statement_context *context, const struct table_desc *table, uint64_t limit, bool *more)
{
    uint64_t count = 0;
    // Whoever has not more reads them all, and is bound to what it reads; a job is bound to nothing that was counted here.
    struct status st = count_rows(context, table, limit + 1, false, &count);
    *more = count > limit;
    return st;
}

// The question in the making, and its parameters.
struct question {
    struct buffer sql;
    struct datum params[2];
    type_oid types[2];
    uint32_t param_count;
};

static void append_range(
    struct question *question, const char *prefix, const struct ddl_key_range *range)
{
    for (uint32_t i = 0; range != NULL && i < 2; i++) {
        const struct datum *end = i == 0 ? range->from : range->to;
        if (end == NULL) continue;
        question->params[question->param_count] = *end;
        question->types[question->param_count++] = range->type;
        buffer_append_string(&question->sql, prefix);
        deparse_identifier(&question->sql, range->column);
        buffer_printf(
            &question->sql, " %s $%u AND ", i == 0 ? ">=" : "<", question->param_count);
    }
}

// --- feeding -------------------------------------------------------------------------------------

struct feed_index {
    struct row_index row_index;
    const struct index_desc *index;
    uint32_t predicate; // Position in the SELECT list; UINT32_MAX: none.
};

struct feed_run {
    struct result_sink sink;
    struct ddl_feed *feed;
    const struct ddl_key_range *range; // NULL: all rows.
    struct session *session;
    struct arena *arena; // Of the whole run.
    struct arena row_arena;
    struct feed_index *indexes;
    uint32_t
        *positions; // Of each datum of a row of the target in the SELECT list; UINT32_MAX: NULL.
    struct datum *row;
    bool *assigned; // Per column of the target: a value that is computed, and must fit the column's length.
    uint32_t width;
};

static struct status feed_columns(struct task *task, struct result_sink *sink,
    const struct result_column *columns, uint32_t count)
{
    (void)task;
    (void)sink;
    (void)columns;
    (void)count;
    return STATUS_OK;
}

static struct status check_not_null(struct task *task, struct feed_run *run)
{
    const struct table_desc *target = run->feed->target;
    for (uint32_t i = 0; i < target->column_count; i++) {
        if (!target->columns[i].not_null || !run->row[i].null) continue;
        struct status st = status_format(run->arena, E_NOT_NULL_VIOLATION,
            "column \"%s\" of relation \"%s\" contains null values", target->columns[i].name,
            target->name);
        return catalog_status_names(
            task, run->session, run->arena, st, target, target->columns[i].name, NULL);
    }
    return STATUS_OK;
}

static struct status feed_inverted(
    struct task *task, struct feed_run *run, const struct feed_index *index)
{
    struct status st = STATUS_OK;
    struct ddl_entry entry = {.index = index->index, .row = run->row};
    struct buffer value;
    struct bytes *keys;
    uint32_t count;

    TRY(row_inverted_keys(&index->row_index, run->row, &run->row_arena, &keys, &count));
    buffer_init(&value, &run->row_arena);
    row_value(&index->row_index, run->row, &value);
    entry.value = buffer_bytes(&value);
    for (uint32_t i = 0; i < count; i++) {
        entry.key = keys[i];
        TRY(run->feed->write(task, run->feed, &entry));
    }
out:
    return st;
}

static struct status feed_row(
    struct task *task, struct result_sink *sink, const struct datum *values)
{
    struct status st = STATUS_OK;
    struct feed_run *run = container_of(sink, struct feed_run, sink);
    struct ddl_feed *feed = run->feed;

    arena_reset(&run->row_arena);
    for (uint32_t i = 0; i < run->width; i++)
        run->row[i] = run->positions[i] == UINT32_MAX ? DATUM_NULL : values[run->positions[i]];
    for (uint32_t i = 0; i < feed->target->column_count; i++) {
        struct type type = feed->target->columns[i].type;
        struct function_call call = {.task = task,
            .session = run->session,
            .arena = &run->row_arena,
            .context = &run->session->types,
            .result_type = type,
            .state_arena = run->arena};
        if (run->assigned[i]) TRY(cast_apply_typmod(&call, type, false, run->row[i], &run->row[i]));
    }
    TRY(check_not_null(task, run));
    for (uint32_t i = 0; i < feed->index_count; i++) {
        const struct feed_index *index = &run->indexes[i];
        if (index->predicate != UINT32_MAX) {
            struct datum holds = values[index->predicate];
            if (holds.null || !holds.boolean) continue;
        }
        struct ddl_entry entry = {.index = index->index, .row = run->row};
        if (index->index->inverted) {
            TRY(feed_inverted(task, run, index));
            continue;
        }
        struct buffer key, value;
        bool has_null = false;
        buffer_init(&key, &run->row_arena);
        buffer_init(&value, &run->row_arena);
        TRY(row_key(&index->row_index, run->row, &key, &has_null));
        row_value(&index->row_index, run->row, &value);
        entry.key = buffer_bytes(&key);
        entry.value = buffer_bytes(&value);
        entry.unique = index->index->primary || (index_is_unique(index->index) && !has_null);
        TRY(feed->write(task, feed, &entry));
    }
    feed->row_count++;
    if (feed->row_done != NULL) TRY(feed->row_done(task, feed));
    TRY(task_yield_if_due(task));
out:
    return st;
}

// The SELECT that gives columns of the target, then index expressions and predicates, which are over those columns:
// SELECT "t".*, (lower(a)), (b > 5) FROM (SELECT a AS "a", CAST(b AS bigint) AS "b" FROM source) AS "t".
static struct status build_select(struct task *task, struct feed_run *run, struct question *question)
{
    struct status st = STATUS_OK;
    struct ddl_feed *feed = run->feed;
    const struct table_desc *target = feed->target;
    struct statement_context context = {.task = task, .session = run->session, .arena = run->arena};
    struct buffer rows, out;
    const char *name;
    uint32_t position = 0;

    buffer_init(&rows, run->arena);
    buffer_init(&out, run->arena);
    buffer_append_string(&out, "SELECT ");
    deparse_identifier(&out, target->name);
    buffer_append_string(&out, ".*");
    for (uint32_t i = 0; i < target->column_count; i++) {
        if (feed->column_sql[i] == NULL) continue;
        struct type type = target->columns[i].type;
        run->assigned[i] = type.typmod >= 0 && strncmp(feed->column_sql[i], "CAST(", 5) == 0;
        buffer_append_string(&rows, position == 0 ? "" : ", ");
        if (run->assigned[i])
            buffer_printf(&rows, "CAST(%s AS %s) AS ", feed->column_sql[i], type_format(run->arena, type));
        else
            buffer_printf(&rows, "%s AS ", feed->column_sql[i]);
        deparse_identifier(&rows, target->columns[i].name);
        run->positions[i] = position++;
    }
    // What was cut to fit is what expressions see; whether it had to be cut is seen by assigning the value itself.
    for (uint32_t i = 0; i < target->column_count; i++) {
        if (!run->assigned[i]) continue;
        buffer_printf(&rows, ", %s AS ", feed->column_sql[i]);
        deparse_identifier(&rows, arena_printf(run->arena, "uncut %s", target->columns[i].name));
        run->positions[i] = position++;
    }
    for (uint32_t i = 0; i < feed->index_count; i++) {
        const struct index_desc *index = run->indexes[i].index;
        for (uint32_t k = 0; k < index->column_count; k++) {
            if (index->columns[k].expression_sql == NULL) continue;
            buffer_printf(&out, ", (%s)", index->columns[k].expression_sql);
            run->positions[row_ordinal(target, index, k)] = position++;
        }
        run->indexes[i].predicate = UINT32_MAX;
        if (index->predicate_sql == NULL) continue;
        buffer_printf(&out, ", (%s)", index->predicate_sql);
        run->indexes[i].predicate = position++;
    }
    TRY(ddl_qualified_name(&context, feed->source, &name));
    buffer_append_string(&out, " FROM (SELECT ");
    buffer_append_bytes(&out, buffer_bytes(&rows));
    // The planner may know the index already that is to be filled.
    buffer_printf(&out, " FROM %s@", name);
    deparse_identifier(&out, feed->source->indexes[0].name);
    if (run->range != NULL && (run->range->from != NULL || run->range->to != NULL)) {
        question->sql = out;
        buffer_append_string(&question->sql, " WHERE ");
        append_range(question, "", run->range);
        buffer_append_string(&question->sql, "true");
        out = question->sql;
    }
    buffer_append_string(&out, ") AS ");
    deparse_identifier(&out, target->name);
    question->sql = out;
out:
    return st;
}

struct status ddl_feed_run(
    struct task *task, struct session *session, struct arena *arena, struct ddl_feed *feed)
{
    return ddl_feed_run_part(task, session, arena, feed, NULL);
}

struct status ddl_feed_run_part(struct task *task, struct session *session, struct arena *arena,
    struct ddl_feed *feed, const struct ddl_key_range *range)
{
    struct status st = STATUS_OK;
    struct statement_list list;
    struct plan *plan;
    struct plan_run *plan_run = NULL;
    struct question question = {.param_count = 0};
    bool done = false;

    // One without data has no rows, and may not be read.
    if (feed->source->materialized && !feed->source->populated) return st;
    struct feed_run *run = ARENA_NEW(arena, struct feed_run);
    run->sink = (struct result_sink){.columns = feed_columns, .row = feed_row};
    run->feed = feed;
    run->range = range;
    run->session = session;
    run->arena = arena;
    arena_init(&run->row_arena, arena->account);
    run->width = row_width(feed->target);
    run->row = ARENA_ARRAY(arena, struct datum, run->width);
    run->positions = ARENA_ARRAY(arena, uint32_t, run->width);
    run->assigned = ARENA_ARRAY(arena, bool, run->width);
    for (uint32_t i = 0; i < run->width; i++)
        run->positions[i] = UINT32_MAX;
    run->indexes = ARENA_ARRAY(arena, struct feed_index, feed->index_count);
    for (uint32_t i = 0; i < feed->index_count; i++) {
        run->indexes[i].index = table_index_by_id(feed->target, feed->index_ids[i]);
        invariant(run->indexes[i].index != NULL);
        TRY(row_index_init(arena, session->tenant, feed->target, run->indexes[i].index,
            &run->indexes[i].row_index));
    }
    TRY(build_select(task, run, &question));
    const struct bytes text = buffer_bytes(&question.sql);
    struct type types[2];
    for (uint32_t i = 0; i < question.param_count; i++)
        types[i] = TYPE_OF(question.types[i]);
    TRY(parse_sql_on_stack(arena, text, &list));
    const bool kept = session->path.kept;
    session->path.kept = true;
    st = plan_build(
        task, session, arena, list.items[0], text, types, &question.param_count, &plan);
    session->path.kept = kept;
    TRY(st);
    TRY(plan_run_open(task, session, plan, question.params, question.param_count, &plan_run));
    while (!done)
        TRY(plan_run_next(task, plan_run, &run->sink, 0, &done));
out:
    // A failure's message may lie in the memory of the run or of the row.
    if (failed(st)) st = status_copy(arena, status_position(arena, st, 0));
    if (plan_run != NULL) plan_run_close(task, plan_run);
    arena_fini(&run->row_arena);
    return st;
}

struct status ddl_duplicate(struct session *session, struct arena *arena,
    const struct table_desc *table, const struct index_desc *index, const struct datum *row)
{
    const struct type_context *types = session == NULL ? &type_context_default : &session->types;
    struct buffer names, values;
    buffer_init(&names, arena);
    buffer_init(&values, arena);
    for (uint32_t i = 0; i < index->column_count; i++) {
        uint32_t ordinal = row_ordinal(table, index, i);
        const char *comma = i == 0 ? "" : ", ";
        buffer_append_string(&names, comma);
        buffer_append_string(&values, comma);
        const char *name = index->columns[i].expression_sql;
        type_oid type = index->columns[i].column_id;
        if (name == NULL) {
            name = table->columns[ordinal].name;
            type = table->columns[ordinal].type.oid;
        } else if (session != NULL) {
            (void)!failed(catalog_expression_text(session->task, session, arena, name, &name));
        }
        buffer_append_string(&names, name);
        if (row[ordinal].null)
            buffer_append_string(&values, "null");
        else
            type_output(&values, types, type, row[ordinal]);
    }
    struct status st = status_format(
        arena, E_UNIQUE_VIOLATION, "could not create unique index \"%s\"", index->name);
    return status_detail(
        arena, st, "Key (%s)=(%s) is duplicated.", buffer_string(&names), buffer_string(&values));
}

struct status ddl_validate_deferrable(struct statement_context *context,
    const struct table_desc *table, const struct index_desc *index)
{
    struct status st = STATUS_OK;
    struct buffer columns, there, sql;
    struct internal_result result;
    const char *name;

    if (!index->deferrable) return st;
    buffer_init(&columns, context->arena);
    buffer_init(&there, context->arena);
    buffer_init(&sql, context->arena);
    for (uint32_t i = 0; i < index->column_count; i++) {
        const char *column = table_column_by_id(table, index->columns[i].column_id)->name;
        buffer_append_string(&columns, i == 0 ? "" : ", ");
        deparse_identifier(&columns, column);
        if (index->nulls_not_distinct) continue;
        buffer_append_string(&there, i == 0 ? "" : " AND ");
        deparse_identifier(&there, column);
        buffer_append_string(&there, " IS NOT NULL");
    }
    TRY(ddl_qualified_name(context, table, &name));
    buffer_printf(&sql, "SELECT %s FROM %s%s%s GROUP BY %s HAVING count(*) > 1 LIMIT 1",
        buffer_string(&columns), name, there.size > 0 ? " WHERE " : "", buffer_string(&there),
        buffer_string(&columns));
    TRY(internal_query(context->task, context->session->tenant, context->session, context->arena,
        &result, buffer_string(&sql), 0, NULL, NULL));
    if (result.row_count == 0) goto out;
    struct datum *row = ARENA_ARRAY(context->arena, struct datum, row_width(table));
    for (uint32_t i = 0; i < index->column_count; i++)
        row[row_ordinal(table, index, i)] = internal_value(&result, 0, i);
    st = ddl_duplicate(context->session, context->arena, table, index, row);
    st = ddl_names(context, st, table, NULL, index->name);
out:
    return st;
}

// --- in the transaction ----------------------------------------------------------------------------

static struct status write_in_txn(
    struct task *task, struct ddl_feed *feed, const struct ddl_entry *entry)
{
    struct status st = STATUS_OK;
    struct statement_context *context = feed->arg;
    struct arena_mark mark = arena_mark(task->arena);
    struct bytes existing = {0};

    if (!entry->unique) return kv_put(task, context->session->txn, entry->key, entry->value);
    TRY(kv_insert(task, context->session->txn, entry->key, entry->value, task->arena, &existing));
    arena_release(task->arena, mark);
    if (existing.data == NULL) goto out;
    st = ddl_duplicate(context->session, context->arena, feed->target, entry->index, entry->row);
    st = ddl_names(context, st, feed->target, NULL, entry->index->name);
out:
    return st;
}

const char **ddl_copy_columns(
    struct arena *arena, const struct table_desc *source, const struct table_desc *target)
{
    const char **column_sql = ARENA_ARRAY(arena, const char *, target->column_count);
    for (uint32_t i = 0; i < target->column_count; i++) {
        const struct column_desc *column = table_column_by_id(source, target->columns[i].id);
        if (column == NULL || column->state != ELEMENT_PUBLIC) continue;
        struct buffer out;
        buffer_init(&out, arena);
        deparse_identifier(&out, column->name);
        column_sql[i] = buffer_string(&out);
    }
    return column_sql;
}

struct status ddl_fill_indexes(struct statement_context *context, const struct table_desc *source,
    const struct table_desc *target, const uint32_t *index_ids, uint32_t index_count)
{
    struct ddl_feed feed = {.source = source,
        .target = target,
        .column_sql = ddl_copy_columns(context->arena, source, target),
        .index_ids = index_ids,
        .index_count = index_count,
        .write = write_in_txn,
        .arg = context};
    return ddl_feed_run(context->task, context->session, context->arena, &feed);
}

struct status ddl_renumber_names(
    struct task *task, struct session *session, const struct table_desc *target)
{
    struct status st = STATUS_OK;
    struct name_value existing;
    for (uint32_t i = 0; i < target->index_count; i++) {
        const struct index_desc *index = &target->indexes[i];
        struct name_value value = {.kind = NAME_INDEX, .id = target->id, .index_id = index->id};
        TRY(catalog_free_name(task, session, target->database_id, target->schema_id, index->name));
        TRY(catalog_take_name(
            task, session, target->database_id, target->schema_id, index->name, value, &existing));
    }
out:
    return st;
}

struct status ddl_rewrite(struct statement_context *context, const struct table_desc *source,
    struct table_desc *target, const char **column_sql)
{
    struct status st = STATUS_OK;
    struct arena *arena = context->arena;
    uint32_t *ids = ARENA_ARRAY(arena, uint32_t, target->index_count);
    uint32_t *old = ARENA_ARRAY(arena, uint32_t, source->index_count);
    bool more = false;

    for (uint32_t i = 0; i < target->index_count; i++)
        ids[i] = target->indexes[i].id = target->next_index_id++;
    for (uint32_t i = 0; i < source->index_count; i++)
        old[i] = source->indexes[i].id;
    // Values that rows lack are written out now.
    for (uint32_t i = 0; i < target->column_count; i++)
        target->columns[i].missing = (struct bytes){0};
    if (context->session->txn_state == TXN_IMPLICIT)
        TRY(ddl_has_more_rows(context, source, ddl_inline_rows(context), &more));
    if (more) {
        TRY(schema_change_rewrite(context, source, target, column_sql));
        goto out;
    }
    struct ddl_feed feed = {.source = source,
        .target = target,
        .column_sql = column_sql,
        .index_ids = ids,
        .index_count = target->index_count,
        .write = write_in_txn,
        .arg = context};
    TRY(ddl_feed_run(context->task, context->session, arena, &feed));
    TRY(ddl_renumber_names(context->task, context->session, target));
    TRY(catalog_put_table(context->task, context->session, target));
    for (uint32_t i = 0; i < target->index_count; i++)
        TRY(ddl_validate_deferrable(context, target, &target->indexes[i]));
    TRY(ddl_erase_later(context, source->id, old, source->index_count));
out:
    return st;
}

// --- checking --------------------------------------------------------------------------------------

static struct status ask(struct statement_context *context, struct question *question,
    struct internal_result *result)
{
    struct status st = internal_query(context->task, context->session->tenant, context->session,
        context->arena, result, buffer_string(&question->sql), question->param_count,
        question->params, question->types);
    return failed(st) ? status_position(context->arena, st, 0) : st;
}

static struct status first_row(
    struct statement_context *context, const char *sql, struct internal_result *result)
{
    struct status st = internal_query(context->task, context->session->tenant, context->session,
        context->arena, result, sql, 0, NULL, NULL);
    return failed(st) ? status_position(context->arena, st, 0) : st;
}

struct status ddl_validate_not_null(struct statement_context *context,
    const struct table_desc *table, const struct column_desc *column)
{
    struct status st = STATUS_OK;
    struct internal_result result;
    struct buffer sql;
    const char *name;

    TRY(ddl_qualified_name(context, table, &name));
    buffer_init(&sql, context->arena);
    buffer_printf(&sql, "SELECT 1 FROM %s WHERE ", name);
    deparse_identifier(&sql, column->name);
    buffer_append_string(&sql, " IS NULL LIMIT 1");
    TRY(first_row(context, buffer_string(&sql), &result));
    if (result.row_count > 0) {
        st = ddl_error(context, E_NOT_NULL_VIOLATION,
            "column \"%s\" of relation \"%s\" contains null values", column->name, table->name);
        st = ddl_names(context, st, table, column->name, NULL);
    }
out:
    return st;
}

static struct status validate_check(struct statement_context *context,
    const struct table_desc *table, const struct constraint_desc *constraint,
    const struct ddl_key_range *range)
{
    struct status st = STATUS_OK;
    struct question question = {.param_count = 0};
    struct internal_result result;
    const char *name;

    TRY(ddl_qualified_name(context, table, &name));
    buffer_init(&question.sql, context->arena);
    buffer_printf(&question.sql, "SELECT 1 FROM %s WHERE ", name);
    append_range(&question, "", range);
    buffer_printf(&question.sql, "NOT (%s) LIMIT 1", constraint->check_sql);
    TRY(ask(context, &question, &result));
    if (result.row_count > 0) {
        st = ddl_error(context, E_CHECK_VIOLATION,
            "check constraint \"%s\" of relation \"%s\" is violated by some row", constraint->name,
            table->name);
        st = ddl_names(context, st, table, NULL, constraint->name);
    }
out:
    return st;
}

static struct status key_violated(struct statement_context *context, const struct table_desc *table,
    const struct table_desc *parent, const struct constraint_desc *key,
    const struct internal_result *result)
{
    struct buffer names, values;
    buffer_init(&names, context->arena);
    buffer_init(&values, context->arena);
    for (uint32_t i = 0; i < key->column_count; i++) {
        const struct column_desc *column = table_column_by_id(table, key->columns[i]);
        buffer_printf(&names, "%s%s", i == 0 ? "" : ", ", column->name);
        buffer_append_string(&values, i == 0 ? "" : ", ");
        type_output(
            &values, &context->session->types, column->type.oid, internal_value(result, 0, i));
    }
    struct status st = ddl_error(context, E_FOREIGN_KEY_VIOLATION,
        "insert or update on table \"%s\" violates foreign key constraint \"%s\"", table->name,
        key->name);
    st = status_detail(context->arena, st, "Key (%s)=(%s) is not present in table \"%s\".",
        buffer_string(&names), buffer_string(&values), parent->name);
    return ddl_names(context, st, table, NULL, key->name);
}

static struct status validate_foreign_key(struct statement_context *context,
    const struct table_desc *table, const struct constraint_desc *key,
    const struct ddl_key_range *range)
{
    struct status st = STATUS_OK;
    struct internal_result result;
    const struct table_desc *parent;
    const char *child_name, *parent_name;
    struct question question = {.param_count = 0};
    struct buffer *sql = &question.sql;

    TRY(catalog_table_by_id(context->task, context->session, key->referenced_table, &parent));
    TRY(ddl_qualified_name(context, table, &child_name));
    TRY(ddl_qualified_name(context, parent, &parent_name));
    buffer_init(sql, context->arena);
    buffer_append_string(sql, "SELECT ");
    for (uint32_t i = 0; i < key->column_count; i++) {
        buffer_append_string(sql, i == 0 ? "c." : ", c.");
        deparse_identifier(sql, table_column_by_id(table, key->columns[i])->name);
    }
    buffer_printf(sql, " FROM %s c WHERE ", child_name);
    append_range(&question, "c.", range);
    for (uint32_t i = 0; i < key->column_count; i++) {
        buffer_append_string(sql, "c.");
        deparse_identifier(sql, table_column_by_id(table, key->columns[i])->name);
        buffer_append_string(sql, " IS NOT NULL AND ");
    }
    buffer_printf(sql, "NOT EXISTS (SELECT 1 FROM %s p WHERE ", parent_name);
    for (uint32_t i = 0; i < key->column_count; i++) {
        buffer_append_string(sql, i == 0 ? "p." : " AND p.");
        deparse_identifier(sql, table_column_by_id(parent, key->referenced_columns[i])->name);
        buffer_append_string(sql, " = c.");
        deparse_identifier(sql, table_column_by_id(table, key->columns[i])->name);
    }
    buffer_append_string(sql, ") LIMIT 1");
    TRY(ask(context, &question, &result));
    if (result.row_count > 0) st = key_violated(context, table, parent, key, &result);
out:
    return st;
}

struct status ddl_validate_constraint_in(struct statement_context *context,
    const struct table_desc *table, const struct constraint_desc *constraint,
    const struct ddl_key_range *range)
{
    return constraint->kind == TABLE_CHECK
        ? validate_check(context, table, constraint, range)
        : validate_foreign_key(context, table, constraint, range);
}

struct status ddl_validate_constraint(struct statement_context *context,
    const struct table_desc *table, const struct constraint_desc *constraint)
{
    return ddl_validate_constraint_in(context, table, constraint, NULL);
}
