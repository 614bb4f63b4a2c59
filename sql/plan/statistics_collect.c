// SPDX-License-Identifier: GPL-3.0-or-later
//
// ANALYZE, VACUUM, SHOW STATISTICS.
#include <stdlib.h>

#include "core/hash.h"
#include "core/invariant.h"
#include "core/work.h"
#include "sql/ddl/ddl_internal.h"
#include "sql/parse/deparse.h"
#include "sql/plan/distinct_sketch.h"
#include "sql/session/internal.h"
#include "sql/session/vars.h"
#include "sql/parse/parse.h"
#include "sql/plan/plan.h"
#include "sql/plan/statistics.h"
#include "sql/plan/statistics_joint.h"
#include "sql/plan/statistics_parts.h"
#include "sql/session/execute.h"

// Histograms come from a uniform sample of the ranks: enough of them for each bound.
#define SAMPLE_LEAST 2048u
#define SAMPLE_PER_BOUND 20u

struct column_sketch {
    struct distinct_sketch distinct;
    uint64_t nulls, bytes;
    type_oid type;
    uint32_t bounds; // What the statistics may keep: the target, plus one.
    uint64_t *sample; // sample_size ranks; the first min(sample_size, ranked) are filled in.
    uint32_t sample_size;
    uint64_t ranked;
    uint64_t random;
    struct part_counter *parts; // Of arrays and jsonb; or NULL.
};

struct collect {
    struct result_sink sink;
    struct column_sketch *sketches; // Of the columns, then of the expressions of statistics objects.
    uint64_t *hashes;
    uint32_t column_count;
    struct joint_collector *joint; // NULL: there are no such objects.
    uint64_t rows;
    bool slowly;         // Rests four times as long as it works.
    uint64_t working_ns; // Since when.
};
#define REST_ROWS 1024u

static void sample_add(struct column_sketch *sketch, struct datum value)
{
    uint64_t rank;
    if (!statistics_rank(sketch->type, value, &rank)) return;
    uint64_t place = sketch->ranked++;
    if (place >= sketch->sample_size) {
        sketch->random = hash_u64(sketch->random + 1);
        place = sketch->random % sketch->ranked;
        if (place >= sketch->sample_size) return;
    }
    sketch->sample[place] = rank;
}

#define COMPARE_WORK 16u // What a comparison counts for with task_goes_on.
static int compare_ranks(const void *a, const void *b)
{
    uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;
    (void)task_goes_on(COMPARE_WORK);
    return (x > y) - (x < y);
}

static void histogram(
    struct arena *arena, struct column_sketch *sketch, struct column_statistics *column)
{
    uint32_t count =
        sketch->ranked < sketch->sample_size ? (uint32_t)sketch->ranked : sketch->sample_size;
    if (count < 2 || sketch->bounds < 2) return;
    qsort(sketch->sample, count, sizeof sketch->sample[0], compare_ranks);
    column->bound_count = count < sketch->bounds ? count : sketch->bounds;
    column->bounds = ARENA_ARRAY(arena, uint64_t, column->bound_count);
    for (uint32_t i = 0; i < column->bound_count; i++)
        column->bounds[i] = sketch->sample[(uint64_t)i * (count - 1) / (column->bound_count - 1)];
}

static struct status collect_columns(struct task *task, struct result_sink *sink,
    const struct result_column *columns, uint32_t count)
{
    (void)task;
    (void)sink;
    (void)columns;
    (void)count;
    return STATUS_OK;
}

static struct status collect_row(
    struct task *task, struct result_sink *sink, const struct datum *values)
{
    struct collect *collect = container_of(sink, struct collect, sink);
    for (uint32_t i = 0; i < collect->column_count; i++) {
        struct column_sketch *sketch = &collect->sketches[i];
        if (values[i].null) {
            sketch->nulls++;
            continue;
        }
        sketch->bytes += type_is_by_value(sketch->type) ? 8 : values[i].size;
        collect->hashes[i] = type_hash(sketch->type, values[i]);
        distinct_sketch_add(&sketch->distinct, collect->hashes[i]);
        sample_add(sketch, values[i]);
        struct status st =
            sketch->parts == NULL ? STATUS_OK : part_counter_add(sketch->parts, values[i]);
        if (failed(st)) return st;
    }
    if (collect->joint != NULL) joint_collector_add(collect->joint, values, collect->hashes);
    collect->rows++;
    if (collect->slowly && collect->rows % REST_ROWS == 0) {
        struct status st = task_sleep(task, 4 * (task_now_ns(task) - collect->working_ns));
        collect->working_ns = task_now_ns(task);
        if (failed(st)) return st;
    }
    return task_yield_if_due(task);
}

static void put_expressions(
    struct buffer *sql, const struct table_desc *table, struct column_sketch *sketches)
{
    for (uint32_t i = 0; i < table->statistics_count; i++) {
        const struct statistics_desc *statistics = &table->statistics[i];
        for (uint32_t k = 0; k < statistics->expression_count; k++, sketches++) {
            buffer_printf(sql, ", (%s)", statistics->expressions[k].sql);
            sketches->type = statistics->expressions[k].type;
        }
    }
}

static struct status scan_table(struct task *task, struct session *session, struct arena *arena,
    const struct table_desc *table, struct collect *collect)
{
    struct status st = STATUS_OK;
    struct statement_context context = {.task = task, .session = session, .arena = arena};
    struct statement_list list;
    struct plan *plan;
    struct plan_run *run = NULL;
    struct buffer sql;
    uint32_t param_count = 0;
    const char *name;
    bool done = false;

    TRY(ddl_qualified_name(&context, table, &name));
    buffer_init(&sql, arena);
    buffer_append_string(&sql, "SELECT ");
    for (uint32_t i = 0; i < table->column_count; i++) {
        if (i > 0) buffer_append_string(&sql, ", ");
        deparse_identifier(&sql, table->columns[i].name);
        collect->sketches[i].type = table->columns[i].type.oid;
        collect->sketches[i].parts = part_counter_new(arena, table->columns[i].type.oid);
    }
    put_expressions(&sql, table, &collect->sketches[table->column_count]);
    buffer_printf(&sql, " FROM %s", name);
    TRY(parse_sql_on_stack(arena, buffer_bytes(&sql), &list));
    const bool kept = session->path.kept;
    session->path.kept = true;
    st = plan_build(task, session, arena, list.items[0], buffer_bytes(&sql),
        ARENA_NEW(arena, struct type), &param_count, &plan);
    session->path.kept = kept;
    TRY(st);
    TRY(plan_run_open(task, session, plan, NULL, 0, &run));
    while (!done)
        TRY(plan_run_next(task, run, &collect->sink, 0, &done));
out:
    if (failed(st)) st = status_copy(arena, st);
    if (run != NULL) plan_run_close(task, run);
    return st;
}

static void column_counts(struct arena *arena, struct column_sketch *sketch, uint64_t rows,
    struct column_statistics *column)
{
    histogram(arena, sketch, column);
    if (sketch->parts != NULL && sketch->bounds > 1)
        part_counter_finish(
            arena, sketch->parts, rows, sketch->bounds - 1, &column->bound_count, &column->bounds);
}

static struct status joint_counts(struct task *task, struct arena *arena, const struct table_desc *table,
    const struct collect *collect, struct table_statistics *statistics)
{
    if (collect->joint == NULL) return STATUS_OK;
    struct status st = joint_collector_finish(task, collect->joint, &statistics->joint);
    if (failed(st)) return st;
    const struct column_sketch *sketch = &collect->sketches[table->column_count];
    statistics->joint_count = table->statistics_count;
    for (uint32_t i = 0; i < table->statistics_count; i++) {
        struct statistics_estimate *estimate = &statistics->joint[i];
        estimate->expression_count = table->statistics[i].expression_count;
        estimate->expressions =
            ARENA_ARRAY(arena, struct expression_estimate, estimate->expression_count);
        for (uint32_t k = 0; k < estimate->expression_count; k++, sketch++) {
            uint64_t present = collect->rows - sketch->nulls;
            double rows = collect->rows == 0 ? 1 : (double)collect->rows;
            estimate->expressions[k] = (struct expression_estimate){
                .distinct = (double)distinct_sketch_estimate(&sketch->distinct, present),
                .null_fraction = (double)sketch->nulls / rows,
                .size_average = present == 0 ? 0 : (double)(sketch->bytes / present)};
        }
    }
    return st;
}

// How many bounds column `i`, or an expression behind the columns, may have.
static uint32_t bounds_of(const struct table_desc *table, uint32_t i, uint32_t count, uint32_t target)
{
    uint32_t own = i < table->column_count ? table->columns[i].statistics_target : 0;
    uint32_t bounds = own == 0 ? target + 1 : own, share = STATISTICS_BOUNDS_ALL_MAX / count;
    if (share < STATISTICS_BOUNDS_LEAST) share = STATISTICS_BOUNDS_LEAST;
    if (bounds > STATISTICS_BOUNDS_MAX) bounds = STATISTICS_BOUNDS_MAX;
    return bounds < share ? bounds : share;
}

static struct collect *collect_new(struct task *task, struct arena *arena,
    const struct table_desc *table, uint32_t target, bool slowly)
{
    struct collect *collect = ARENA_NEW(arena, struct collect);
    collect->sink = (struct result_sink){.columns = collect_columns, .row = collect_row};
    collect->column_count = table->column_count;
    for (uint32_t i = 0; i < table->statistics_count; i++)
        collect->column_count += table->statistics[i].expression_count;
    collect->slowly = slowly;
    collect->working_ns = task_now_ns(task);
    collect->hashes = ARENA_ARRAY(arena, uint64_t, collect->column_count);
    collect->sketches = ARENA_ARRAY(arena, struct column_sketch, collect->column_count);
    for (uint32_t i = 0; i < collect->column_count; i++) {
        struct column_sketch *sketch = &collect->sketches[i];
        sketch->bounds = bounds_of(table, i, collect->column_count, target);
        sketch->sample_size = sketch->bounds * SAMPLE_PER_BOUND;
        if (sketch->sample_size < SAMPLE_LEAST) sketch->sample_size = SAMPLE_LEAST;
        (void)task_goes_on(sketch->sample_size * sizeof(uint64_t));
        sketch->sample = ARENA_ARRAY(arena, uint64_t, sketch->sample_size);
    }
    collect->joint = joint_collector_new(arena, table, target);
    return collect;
}

// The counts, of the table as it was at one instant: nobody is disturbed.
static struct status gather(struct task *task, uint64_t tenant, struct arena *arena,
    uint32_t table_id, const char *name, uint32_t target, bool slowly, struct table_statistics *statistics)
{
    struct status st = STATUS_OK;
    struct session *session = NULL;
    struct collect *collect = NULL;
    const struct table_desc *table;

    TRY(internal_session_open(task, tenant, "system", &session));
    TRY(kv_now(task, tenant, &session->txn_as_of));
    TRY(session_txn_begin(task, session, true));
    TRY(catalog_table_by_id(task, session, table_id, &table));
    collect = collect_new(task, arena, table, target, slowly);
    TRY(scan_table(task, session, arena, table, collect));
    *statistics = (struct table_statistics){.name = arena_strdup(arena, name),
        .created_us = session->txn_start_us,
        .row_count = collect->rows,
        .columns = ARENA_ARRAY(arena, struct column_statistics, table->column_count),
        .column_count = table->column_count};
    for (uint32_t i = 0; i < table->column_count; i++) {
        struct column_sketch *sketch = &collect->sketches[i];
        uint64_t present = collect->rows - sketch->nulls;
        statistics->columns[i] = (struct column_statistics){.column_id = table->columns[i].id,
            .distinct_count = distinct_sketch_estimate(&sketch->distinct, present),
            .null_count = sketch->nulls,
            .size_average = present == 0 ? 0 : sketch->bytes / present};
        column_counts(arena, sketch, collect->rows, &statistics->columns[i]);
    }
    TRY(joint_counts(task, arena, table, collect, statistics));
out:
    for (uint32_t i = 0; collect != NULL && i < collect->column_count; i++)
        part_counter_fini(collect->sketches[i].parts);
    if (failed(st)) st = status_copy(task->arena, st);
    if (session != NULL) {
        if (session->txn_state != TXN_IDLE) session_txn_rollback(task, session);
        internal_session_close(task, session);
    }
    return st;
}

static struct status collect_and_keep(struct task *task, struct session *session,
    const struct table_desc *table, const char *name, bool slowly)
{
    struct status st = STATUS_OK;
    struct arena arena;
    struct table_statistics statistics;
    struct buffer encoded;
    struct kv_txn_options options = {.tenant = session->tenant};

    if (table->kind != RELATION_TABLE) return STATUS_OK;
    if (session->reader != 0)
        return status_make(E_READ_ONLY_TRANSACTION, "cannot execute ANALYZE in a read-only transaction");
    arena_init(&arena, &session->account);
    const uint32_t target =
        (uint32_t)strtoul(vars_get(session, "default_statistics_target"), NULL, 10);
    TRY(gather(task, session->tenant, &arena, table->id, name, target, slowly, &statistics));
    buffer_init(&encoded, &arena);
    statistics_encode(&encoded, &statistics);
    // Estimates are not part of anybody's transaction: written in one of their own, and the caches told.
    struct kv_txn *txn;
    TRY(kv_txn_begin(task, &options, &txn));
    st = kv_put(task, txn, catalog_statistics_key(&arena, session->tenant, table->id),
        buffer_bytes(&encoded));
    if (failed(st)) {
        kv_txn_rollback(task, txn);
        goto out;
    }
    TRY(kv_txn_commit(task, txn, NULL));
    uint64_t change;
    struct catalog_change_bounds unused; // It changes nothing that anybody relies on.
    TRY(catalog_announce_begin(task, session->tenant, &change, &unused));
    catalog_announce_end(task, session->tenant, change);
out:
    if (failed(st)) st = status_copy(task->arena, st);
    arena_fini(&arena);
    return st;
}

struct status statistics_collect(
    struct task *task, struct session *session, const struct table_desc *table, const char *name)
{
    return collect_and_keep(task, session, table, name, false);
}

struct status statistics_collect_slowly(
    struct task *task, struct session *session, const struct table_desc *table)
{
    return collect_and_keep(task, session, table, "__auto__", true);
}

#define E_WARNING SQLSTATE('0', '1', '0', '0', '0')

// --- statements ------------------------------------------------------------------------------------------

// Whether the user owns the table, or the database.
static struct status may_maintain(
    struct statement_context *context, const struct table_desc *table, bool *may)
{
    struct status st = STATUS_OK;
    const struct database_desc *database;
    *may = false;
    st = privilege_check_owner(
        context->task, context->session, table->owner, OBJECT_TABLE, table->name);
    if (status_is(st, E_INSUFFICIENT_PRIVILEGE)) {
        TRY(catalog_database(context->task, context->session, NULL, false, &database));
        st = privilege_check_owner(
            context->task, context->session, database->owner, OBJECT_OTHER, database->name);
    }
    *may = !failed(st);
    if (status_is(st, E_INSUFFICIENT_PRIVILEGE)) st = STATUS_OK;
out:
    return st;
}

static struct status analyze_all(struct statement_context *context)
{
    struct status st = STATUS_OK;
    const struct database_desc *database;
    const struct table_desc **tables;
    uint32_t count;

    TRY(catalog_database(context->task, context->session, NULL, false, &database));
    TRY(catalog_list_tables(
        context->task, context->session, context->arena, database->id, &tables, &count));
    for (uint32_t i = 0; i < count; i++) {
        bool may;
        TRY(may_maintain(context, tables[i], &may));
        if (!may) continue; // As PostgreSQL: others' tables are passed over.
        st = statistics_collect(context->task, context->session, tables[i], "__auto__");
        // Dropped while we were at others, or only in this very transaction.
        if (status_is(st, E_UNDEFINED_TABLE)) st = STATUS_OK;
        TRY(st);
    }
out:
    return st;
}

// ANALYZE t (a, b) looks at all columns all the same: the whole row is read for one of them.
static struct status check_columns(
    struct statement_context *context, const struct table_desc *table, const struct name_list *columns)
{
    for (uint32_t i = 0; i < columns->count; i++) {
        if (table_column(table, columns->items[i]) == NULL)
            return ddl_error(context, E_UNDEFINED_COLUMN,
                "column \"%s\" of relation \"%s\" does not exist", columns->items[i], table->name);
        for (uint32_t k = 0; k < i; k++)
            if (strcmp(columns->items[i], columns->items[k]) == 0)
                return ddl_error(context, E_DUPLICATE_COLUMN,
                    "column \"%s\" of relation \"%s\" appears more than once", columns->items[i],
                    table->name);
    }
    return STATUS_OK;
}

// The table that VACUUM or ANALYZE (`verb`) names. NULL, with a warning, when there is nothing to do for it or not
// by this user: tools that go through all relations of a database go on, as they do in PostgreSQL.
static struct status find_maintained(struct statement_context *context,
    const struct object_name *name, const char *verb, const struct table_desc **table)
{
    struct status st = STATUS_OK;
    enum other_relation other = OTHER_NOTHING;
    bool may = false;
    TRY(catalog_table(
        context->task, context->session, name->catalog, name->schema, name->name, true, table));
    if (*table == NULL)
        TRY(catalog_other_relation(context->task, context->session, name->catalog, name->schema,
            name->name, &other));
    if (*table == NULL && other == OTHER_NOTHING)
        return ddl_find(context, name, false, OBJECT_TABLE, table);
    bool made_when_read = *table != NULL && (*table)->kind == RELATION_VIRTUAL;
    if (*table == NULL || ((*table)->kind != RELATION_TABLE && !made_when_read)) {
        session_notice(context->session, "WARNING",
            status_format(context->arena, E_WARNING,
                "skipping \"%s\" --- cannot %s non-tables or special system tables", name->name,
                verb));
        *table = NULL;
        goto out;
    }
    TRY(may_maintain(context, *table, &may));
    if (!may)
        session_notice(context->session, "WARNING",
            status_format(context->arena, E_WARNING,
                "skipping \"%s\" --- only %s or database owner can %s it", name->name,
                made_when_read ? "superuser" : "table", verb));
    // Tables of the catalog are made when they are read: there is nothing to remove or to count.
    if (!may || made_when_read) *table = NULL;
out:
    return st;
}

static struct status analyze_table(struct statement_context *context,
    const struct table_desc *table, const struct name_list *columns)
{
    struct status st = STATUS_OK;
    TRY(check_columns(context, table, columns));
    st = statistics_collect(context->task, context->session, table, "__auto__");
    if (status_is(st, E_UNDEFINED_TABLE))
        st = ddl_error(context, E_FEATURE_NOT_SUPPORTED,
            "ANALYZE of a table that this transaction made is not supported");
out:
    return st;
}

static struct status analyze_tables(struct statement_context *context, const struct vacuum *vacuum)
{
    struct status st = STATUS_OK;
    if (vacuum->tables.count == 0) return analyze_all(context);
    for (uint32_t i = 0; i < vacuum->tables.count; i++) {
        const struct table_desc *table;
        TRY(find_maintained(context, &vacuum->tables.items[i], "analyze", &table));
        if (table != NULL) TRY(analyze_table(context, table, &vacuum->columns[i]));
    }
out:
    return st;
}

struct status statistics_analyze_execute(struct statement_context *context)
{
    return analyze_tables(context, context->statement->as.vacuum);
}

static bool option_is_on(const struct option_list *options, const char *name)
{
    for (uint32_t i = 0; i < options->count; i++) {
        if (strcmp(options->items[i].name, name) != 0) continue;
        const struct expr *value = options->items[i].value;
        return value == NULL || value->kind != EXPR_LITERAL ||
               value->literal.kind != LITERAL_BOOL || value->literal.boolean;
    }
    return false;
}

#define VACUUM_NOT_NEEDED "VACUUM is not needed: old versions are removed in the background"

struct status statistics_vacuum_execute(struct statement_context *context)
{
    struct status st = STATUS_OK;
    const struct vacuum *vacuum = context->statement->as.vacuum;
    TRY(statement_alone(context->session, context->arena, "VACUUM"));
    bool analyze = option_is_on(&vacuum->options, "analyze");
    for (uint32_t i = 0; i < vacuum->tables.count; i++)
        if (vacuum->columns[i].count > 0 && !analyze)
            return status_make(E_FEATURE_NOT_SUPPORTED,
                "ANALYZE option must be specified when a column list is provided");
    bool told = false;
    for (uint32_t i = 0; i < vacuum->tables.count; i++) {
        const struct table_desc *table;
        TRY(find_maintained(context, &vacuum->tables.items[i], "vacuum", &table));
        if (table == NULL) continue;
        if (!told) ddl_notice(context, VACUUM_NOT_NEEDED);
        told = true;
        if (analyze) TRY(analyze_table(context, table, &vacuum->columns[i]));
    }
    if (vacuum->tables.count > 0) goto out;
    ddl_notice(context, VACUUM_NOT_NEEDED);
    if (analyze) TRY(analyze_all(context));
out:
    return st;
}

static const struct result_column show_columns[] = {
    {.name = "statistics_name", .type = {.oid = TYPE_TEXT, .typmod = -1}},
    {.name = "column_names", .type = {.oid = TYPE_TEXT, .typmod = -1}},
    {.name = "created", .type = {.oid = TYPE_TIMESTAMPTZ, .typmod = -1}},
    {.name = "row_count", .type = {.oid = TYPE_INT8, .typmod = -1}},
    {.name = "distinct_count", .type = {.oid = TYPE_INT8, .typmod = -1}},
    {.name = "null_count", .type = {.oid = TYPE_INT8, .typmod = -1}},
    {.name = "avg_size", .type = {.oid = TYPE_INT8, .typmod = -1}},
    {.name = "partial_predicate", .type = {.oid = TYPE_TEXT, .typmod = -1}},
    {.name = "histogram_id", .type = {.oid = TYPE_INT8, .typmod = -1}},
    {.name = "full_histogram_id", .type = {.oid = TYPE_INT8, .typmod = -1}},
};
#define SHOW_COLUMN_COUNT ((uint32_t)(sizeof show_columns / sizeof show_columns[0]))

static struct status show_describe(
    struct statement_context *context, const struct result_column **columns, uint32_t *count)
{
    (void)context;
    *columns = show_columns;
    *count = SHOW_COLUMN_COUNT;
    return STATUS_OK;
}

struct status statistics_show_execute(struct statement_context *context)
{
    struct status st = STATUS_OK;
    const struct show *show = context->statement->as.show;
    const struct table_desc *table;
    struct table_statistics statistics;
    bool found;

    if (show->flags & SHOW_USING_JSON)
        return ddl_unsupported(context, "SHOW STATISTICS USING JSON");
    TRY(ddl_find(context, &show->target, false, OBJECT_TABLE, &table));
    TRY(context->sink->columns(context->task, context->sink, show_columns, SHOW_COLUMN_COUNT));
    TRY(statistics_read(
        context->task, context->session, context->arena, table->id, &statistics, &found));
    if (!found) goto out;
    for (uint32_t i = 0; i < statistics.column_count; i++) {
        const struct column_statistics *each = &statistics.columns[i];
        const struct column_desc *column = table_column_by_id(table, each->column_id);
        if (column == NULL) continue;
        struct datum row[] = {datum_text(statistics.name),
            datum_text(arena_printf(context->arena, "{%s}", column->name)),
            datum_int(statistics.created_us), datum_int((int64_t)statistics.row_count),
            datum_int((int64_t)each->distinct_count), datum_int((int64_t)each->null_count),
            datum_int((int64_t)each->size_average), DATUM_NULL, datum_int(0), datum_int(0)};
        TRY(context->sink->row(context->task, context->sink, row));
    }
out:
    return st;
}

static const struct statement_handler handlers[] = {
    {STATEMENT_ANALYZE, HANDLER_READ_ONLY, NULL, statistics_analyze_execute},
    {STATEMENT_VACUUM, HANDLER_READ_ONLY, NULL, statistics_vacuum_execute},
    {STATEMENT_SHOW_STATISTICS, HANDLER_READ_ONLY, show_describe, statistics_show_execute},
};

void statistics_statements_register(void)
{
    statement_handler_register(handlers, sizeof handlers / sizeof handlers[0]);
}
