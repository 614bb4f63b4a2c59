// SPDX-License-Identifier: GPL-3.0-or-later
//
// Statistics objects as tools look at them: pg_statistic_ext and pg_statistic_ext_data, pg_stats_ext and
// pg_stats_ext_exprs, and the functions that write their definitions out. Types pg_ndistinct and pg_dependencies are
// texts here, of the same form.
#include <string.h>

#include "sql/parse/deparse.h"
#include "sql/function/function_table.h"
#include "sql/catalog/pg_catalog.h"
#include "sql/plan/plan.h"
#include "sql/user/privilege_object.h"
#include "sql/plan/statistics.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))
#define ROWS(name_) \
    static struct status name_( \
        struct task *task, struct session *session, struct virtual_table_sink *sink)

static const struct {
    enum statistics_kind kind;
    char letter;
    const char *name;
} kinds[] = {{STATISTICS_NDISTINCT, 'd', "ndistinct"},
    {STATISTICS_DEPENDENCIES, 'f', "dependencies"}, {STATISTICS_MCV, 'm', "mcv"}};

// --- members -----------------------------------------------------------------------------------------

// A column's number; expressions count down from -1.
static int64_t member_number(
    const struct table_desc *table, const struct statistics_desc *statistics, uint32_t member)
{
    return member < statistics->column_count
               ? pg_attnum(table, statistics->columns[member])
               : (int64_t)statistics->column_count - member - 1;
}

static struct datum kind_letters(struct arena *arena, const struct statistics_desc *statistics)
{
    struct datum letters[COUNT(kinds) + 1], result;
    uint32_t count = 0;
    for (size_t i = 0; i < COUNT(kinds); i++)
        if ((statistics->kinds & kinds[i].kind) != 0) letters[count++] = datum_int(kinds[i].letter);
    if (statistics->expression_count > 0) letters[count++] = datum_int('e');
    return failed(array_make(arena, TYPE_CHAR_INTERNAL, letters, count, &result)) ? DATUM_NULL : result;
}

static struct status expression_array(struct task *task, struct session *session, struct arena *arena,
    const struct table_desc *table, const struct statistics_desc *statistics, struct datum *result)
{
    struct status st = STATUS_OK;
    const char *texts[STATISTICS_MEMBERS_MAX];
    *result = DATUM_NULL;
    for (uint32_t i = 0; i < statistics->expression_count; i++)
        TRY(plan_expression_text(task, session, arena, table, statistics->expressions[i].sql,
            (struct type){0}, false, &texts[i]));
    if (statistics->expression_count > 0)
        *result = pg_text_array(arena, TYPE_TEXT, texts, statistics->expression_count);
out:
    return st;
}

// "a, b, (a + b)"
static struct status print_members(struct task *task, struct session *session,
    const struct table_desc *table, const struct statistics_desc *statistics, struct buffer *out)
{
    struct status st = STATUS_OK;
    for (uint32_t i = 0; i < statistics_member_count(statistics); i++) {
        bool column = i < statistics->column_count;
        struct index_column part = {
            .column_id = column ? statistics->columns[i] : 0,
            .expression_sql =
                column ? NULL : statistics->expressions[i - statistics->column_count].sql};
        if (i > 0) buffer_append_string(out, ", ");
        TRY(pg_index_column(task, session, out, table, &part, true));
    }
out:
    return st;
}

static struct status print_definition(struct task *task, struct session *session,
    const struct table_desc *table, const struct statistics_desc *statistics, struct buffer *out)
{
    struct status st = STATUS_OK;
    const struct schema_desc *schema;
    struct pg_relation relation = {.table = table};
    bool visible, all = true, any = false;
    TRY(catalog_schema_by_id(task, session, statistics->schema_id, &schema));
    buffer_append_string(out, "CREATE STATISTICS ");
    pg_print_name(out, schema->name, statistics->name);
    for (size_t i = 0; i < COUNT(kinds); i++) all &= (statistics->kinds & kinds[i].kind) != 0;
    for (size_t i = 0; i < COUNT(kinds) && !all; i++) {
        if ((statistics->kinds & kinds[i].kind) == 0) continue;
        buffer_printf(out, "%s%s", any ? ", " : " (", kinds[i].name);
        any = true;
    }
    buffer_append_string(out, any ? ") ON " : " ON ");
    TRY(print_members(task, session, table, statistics, out));
    buffer_append_string(out, " FROM ");
    TRY(catalog_schema_by_id(task, session, table->schema_id, &schema));
    TRY(pg_relation_visible(task, session, &relation, &visible));
    pg_print_name(out, visible ? NULL : schema->name, table->name);
out:
    return st;
}

// --- functions ---------------------------------------------------------------------------------------

struct found {
    const struct table_desc *table; // NULL: there is none.
    const struct statistics_desc *statistics;
};

static struct status find(struct function_call *call, uint32_t oid, struct found *found)
{
    struct status st = STATUS_OK;
    const struct database_desc *database;
    const struct table_desc **tables;
    uint32_t count;
    *found = (struct found){0};
    if (call->session == NULL || call->task == NULL)
        return status_make(E_FEATURE_NOT_SUPPORTED, "this function needs a session");
    TRY(catalog_database(call->task, call->session, NULL, true, &database));
    if (database == NULL) goto out;
    TRY(catalog_list_tables(
        call->task, call->session, call->arena, database->id, &tables, &count));
    for (uint32_t i = 0; i < count; i++)
        for (uint32_t k = 0; k < tables[i]->statistics_count; k++)
            if (pg_oid(tables[i]->statistics[k].id) == oid)
                *found = (struct found){tables[i], &tables[i]->statistics[k]};
out:
    return st;
}

static struct status give_text(struct function_call *call, uint32_t oid,
    struct status (*print)(struct task *, struct session *, const struct table_desc *,
        const struct statistics_desc *, struct buffer *),
    struct datum *result)
{
    struct status st;
    struct found found;
    struct buffer out;
    *result = DATUM_NULL;
    TRY(find(call, oid, &found));
    if (found.table == NULL) goto out;
    buffer_init(&out, call->arena);
    TRY(print(call->task, call->session, found.table, found.statistics, &out));
    *result = datum_bytes(buffer_bytes(&out));
    st = arena_check(call->arena);
out:
    return st;
}

BODY(definition)
{
    return give_text(call, (uint32_t)args[0].integer, print_definition, result);
}

BODY(definition_columns)
{
    return give_text(call, (uint32_t)args[0].integer, print_members, result);
}

BODY(definition_expressions)
{
    struct status st;
    struct found found;
    *result = DATUM_NULL;
    TRY(find(call, (uint32_t)args[0].integer, &found));
    if (found.table != NULL)
        TRY(expression_array(
            call->task, call->session, call->arena, found.table, found.statistics, result));
out:
    return st;
}

// The first of its name along the search path.
BODY(is_visible)
{
    struct status st;
    struct found found;
    *result = DATUM_NULL;
    TRY(find(call, (uint32_t)args[0].integer, &found));
    if (found.table == NULL) goto out;
    *result = datum_bool(false);
    for (uint32_t i = 0; call->session->search_path[i] != NULL; i++) {
        const struct schema_desc *schema;
        struct name_value value = {0};
        TRY(catalog_schema(
            call->task, call->session, NULL, call->session->search_path[i], true, &schema));
        if (schema == NULL || schema->database_id == 0) continue;
        TRY(catalog_peek_name(
            call->task, call->session, schema->id, 0, found.statistics->name, &value));
        if (value.id == 0) continue;
        *result = datum_bool(value.index_id == found.statistics->id);
        break;
    }
out:
    return st;
}

static const struct function functions[] = {
    STABLE("pg_get_statisticsobjdef", 3415, TEXT, definition, TYPE_OID),
    STABLE("pg_get_statisticsobjdef_columns", 6174, TEXT, definition_columns, TYPE_OID),
    STABLE("pg_get_statisticsobjdef_expressions", 6173, TEXT_ARRAY, definition_expressions, TYPE_OID),
    STABLE("pg_statistics_obj_is_visible", 3403, BOOL, is_visible, TYPE_OID),
};

// --- pg_statistic_ext --------------------------------------------------------------------------------

static struct status object_row(struct pg_rows *rows, const struct table_desc *table,
    const struct statistics_desc *statistics)
{
    struct status st = STATUS_OK;
    struct pg_row row;
    uint32_t owner;
    struct buffer text;
    int64_t *keys = ARENA_ARRAY(&rows->arena, int64_t, statistics->column_count);
    for (uint32_t i = 0; i < statistics->column_count; i++)
        keys[i] = member_number(table, statistics, i);
    TRY(pg_role_oid(rows->task, rows->session, statistics->owner, &owner));
    pg_row_begin(&row, rows->sink);
    pg_put_int(&row, "oid", pg_oid(statistics->id));
    pg_put_int(&row, "stxrelid", pg_oid(table->id));
    pg_put_text(&row, "stxname", statistics->name);
    pg_put_int(&row, "stxnamespace", pg_namespace_oid(statistics->schema_id));
    pg_put_int(&row, "stxowner", owner);
    pg_put_int(&row, "stxstattarget", (int64_t)statistics->target - 1);
    pg_put(&row, "stxkeys", pg_vector(&rows->arena, TYPE_INT2, keys, statistics->column_count));
    pg_put(&row, "stxkind", kind_letters(&rows->arena, statistics));
    buffer_init(&text, &rows->arena);
    for (uint32_t i = 0; i < statistics->expression_count; i++) {
        const char *one;
        TRY(plan_expression_text(rows->task, rows->session, &rows->arena, table,
            statistics->expressions[i].sql, (struct type){0}, false, &one));
        buffer_printf(&text, "%s%s", i == 0 ? "" : ", ", one);
    }
    if (text.size > 0) pg_put(&row, "stxexprs", datum_bytes(buffer_bytes(&text)));
    TRY(pg_row_send(&row));
out:
    return st;
}

static struct status object_rows_of(struct pg_rows *rows, const struct table_desc *table)
{
    struct status st = STATUS_OK;
    for (uint32_t i = 0; i < table->statistics_count && !failed(st); i++)
        st = object_row(rows, table, &table->statistics[i]);
    return st;
}

ROWS(object_rows)
{
    return pg_each_table(task, session, sink, object_rows_of);
}

// --- what ANALYZE has learnt -------------------------------------------------------------------------

// "1, 2" of a set of members.
static void print_set(struct buffer *out, const struct table_desc *table,
    const struct statistics_desc *statistics, uint32_t members)
{
    bool any = false;
    for (uint32_t i = 0; i < STATISTICS_MEMBERS_MAX; i++) {
        if ((members >> i & 1) == 0) continue;
        buffer_printf(out, "%s%lld", any ? ", " : "", (long long)member_number(table, statistics, i));
        any = true;
    }
}

// pg_ndistinct: {"1, 2": 10}
static struct datum distinct_text(struct arena *arena, const struct table_desc *table,
    const struct statistics_desc *statistics, const struct statistics_estimate *estimate)
{
    struct buffer out;
    if (estimate->group_count == 0) return DATUM_NULL;
    buffer_init(&out, arena);
    for (uint32_t i = 0; i < estimate->group_count; i++) {
        buffer_append_string(&out, i == 0 ? "{\"" : ", \"");
        print_set(&out, table, statistics, estimate->groups[i].members);
        buffer_printf(&out, "\": %.0f", estimate->groups[i].distinct);
    }
    buffer_append_u8(&out, '}');
    return datum_bytes(buffer_bytes(&out));
}

// pg_dependencies: {"1 => 2": 1.000000}
static struct datum dependency_text(struct arena *arena, const struct table_desc *table,
    const struct statistics_desc *statistics, const struct statistics_estimate *estimate)
{
    struct buffer out;
    if (estimate->dependency_count == 0) return DATUM_NULL;
    buffer_init(&out, arena);
    for (uint32_t i = 0; i < estimate->dependency_count; i++) {
        const struct dependency_estimate *each = &estimate->dependencies[i];
        buffer_append_string(&out, i == 0 ? "{\"" : ", \"");
        print_set(&out, table, statistics, each->from);
        buffer_append_string(&out, " => ");
        print_set(&out, table, statistics, 1u << each->to);
        buffer_printf(&out, "\": %f", each->degree);
    }
    buffer_append_u8(&out, '}');
    return datum_bytes(buffer_bytes(&out));
}

struct common_arrays {
    struct datum values, nulls, frequencies, base_frequencies;
};

static struct status common_arrays(
    struct arena *arena, const struct statistics_estimate *estimate, struct common_arrays *arrays)
{
    struct status st = STATUS_OK;
    struct array_builder values, nulls;
    int32_t lengths[2] = {(int32_t)estimate->common_count, (int32_t)estimate->member_count};
    int32_t lowers[2] = {1, 1};
    struct datum *frequencies = ARENA_ARRAY(arena, struct datum, estimate->common_count);
    struct datum *bases = ARENA_ARRAY(arena, struct datum, estimate->common_count);
    *arrays = (struct common_arrays){DATUM_NULL, DATUM_NULL, DATUM_NULL, DATUM_NULL};
    if (estimate->common_count == 0) goto out;
    array_builder_init(&values, arena, TYPE_TEXT);
    array_builder_init(&nulls, arena, TYPE_BOOL);
    for (uint32_t i = 0; i < estimate->common_count; i++) {
        const struct common_estimate *common = &estimate->common[i];
        frequencies[i] = datum_real(common->frequency);
        bases[i] = datum_real(common->base_frequency);
        for (uint32_t k = 0; k < estimate->member_count; k++) {
            const char *text = common->texts[k];
            TRY(array_builder_add(&values, text == NULL ? DATUM_NULL : datum_text(text)));
            TRY(array_builder_add(&nulls, datum_bool(text == NULL)));
        }
    }
    TRY(array_builder_finish_dimensions(&values, 2, lengths, lowers, &arrays->values));
    TRY(array_builder_finish_dimensions(&nulls, 2, lengths, lowers, &arrays->nulls));
    TRY(array_make(arena, TYPE_FLOAT8, frequencies, estimate->common_count, &arrays->frequencies));
    TRY(array_make(arena, TYPE_FLOAT8, bases, estimate->common_count, &arrays->base_frequencies));
out:
    return st;
}

// Each object of the table that ANALYZE has seen, if the user may read the table.
static struct status each_estimate(struct pg_rows *rows, const struct table_desc *table,
    struct status (*row)(struct pg_rows *rows, const struct table_desc *table,
        const struct statistics_desc *statistics, const struct statistics_estimate *estimate))
{
    struct status st = STATUS_OK;
    struct table_statistics all;
    bool found, may_see;
    if (table->statistics_count == 0) goto out;
    TRY(pg_user_has_any_of_table(rows->task, rows->session, table, PRIVILEGE_SELECT, &may_see));
    if (!may_see) goto out;
    TRY(statistics_read(rows->task, rows->session, &rows->arena, table->id, &all, &found));
    for (uint32_t i = 0; i < table->statistics_count; i++) {
        const struct statistics_estimate *estimate = NULL;
        for (uint32_t k = 0; found && k < all.joint_count; k++)
            if (all.joint[k].id == table->statistics[i].id) estimate = &all.joint[k];
        if (estimate != NULL) TRY(row(rows, table, &table->statistics[i], estimate));
    }
out:
    return st;
}

static void put_names(struct pg_row *row, struct pg_rows *rows, const struct table_desc *table,
    const struct statistics_desc *statistics)
{
    pg_put_text(row, "schemaname", pg_schema_name(rows, table->schema_id));
    pg_put_text(row, "tablename", table->name);
    pg_put_text(row, "statistics_schemaname", pg_schema_name(rows, statistics->schema_id));
    pg_put_text(row, "statistics_name", statistics->name);
    pg_put_text(row, "statistics_owner", statistics->owner);
}

static struct status estimate_row(struct pg_rows *rows, const struct table_desc *table,
    const struct statistics_desc *statistics, const struct statistics_estimate *estimate)
{
    struct status st = STATUS_OK;
    struct pg_row row;
    struct common_arrays arrays;
    struct datum expressions;
    const char *names[STATISTICS_MEMBERS_MAX];
    for (uint32_t i = 0; i < statistics->column_count; i++)
        names[i] = table_column_by_id(table, statistics->columns[i])->name;
    TRY(expression_array(
        rows->task, rows->session, &rows->arena, table, statistics, &expressions));
    TRY(common_arrays(&rows->arena, estimate, &arrays));
    pg_row_begin(&row, rows->sink);
    put_names(&row, rows, table, statistics);
    if (statistics->column_count > 0)
        pg_put(&row, "attnames", pg_text_array(&rows->arena, TYPE_NAME, names, statistics->column_count));
    pg_put(&row, "exprs", expressions);
    pg_put(&row, "kinds", kind_letters(&rows->arena, statistics));
    pg_put_bool(&row, "inherited", false);
    pg_put(&row, "n_distinct", distinct_text(&rows->arena, table, statistics, estimate));
    pg_put(&row, "dependencies", dependency_text(&rows->arena, table, statistics, estimate));
    pg_put(&row, "most_common_vals", arrays.values);
    pg_put(&row, "most_common_val_nulls", arrays.nulls);
    pg_put(&row, "most_common_freqs", arrays.frequencies);
    pg_put(&row, "most_common_base_freqs", arrays.base_frequencies);
    TRY(pg_row_send(&row));
out:
    return st;
}

static struct status estimate_rows_of(struct pg_rows *rows, const struct table_desc *table)
{
    return each_estimate(rows, table, estimate_row);
}

ROWS(estimate_rows)
{
    return pg_each_table(task, session, sink, estimate_rows_of);
}

static struct status data_row(struct pg_rows *rows, const struct table_desc *table,
    const struct statistics_desc *statistics, const struct statistics_estimate *estimate)
{
    struct pg_row row;
    pg_row_begin(&row, rows->sink);
    pg_put_int(&row, "stxoid", pg_oid(statistics->id));
    pg_put_bool(&row, "stxdinherit", false);
    pg_put(&row, "stxdndistinct", distinct_text(&rows->arena, table, statistics, estimate));
    pg_put(&row, "stxddependencies", dependency_text(&rows->arena, table, statistics, estimate));
    return pg_row_send(&row);
}

static struct status data_rows_of(struct pg_rows *rows, const struct table_desc *table)
{
    return each_estimate(rows, table, data_row);
}

ROWS(data_rows)
{
    return pg_each_table(task, session, sink, data_rows_of);
}

static struct status expression_row(struct pg_rows *rows, const struct table_desc *table,
    const struct statistics_desc *statistics, const struct statistics_estimate *estimate)
{
    struct status st = STATUS_OK;
    for (uint32_t i = 0; i < statistics->expression_count && i < estimate->expression_count; i++) {
        const struct expression_estimate *each = &estimate->expressions[i];
        struct pg_row row;
        const char *text;
        TRY(plan_expression_text(rows->task, rows->session, &rows->arena, table,
            statistics->expressions[i].sql, (struct type){0}, false, &text));
        pg_row_begin(&row, rows->sink);
        put_names(&row, rows, table, statistics);
        pg_put_text(&row, "expr", text);
        pg_put_bool(&row, "inherited", false);
        pg_put(&row, "null_frac", datum_real(each->null_fraction));
        pg_put_int(&row, "avg_width", (int64_t)each->size_average);
        // Minus one: as many as there are rows, however many these become.
        bool all = table->row_estimate > 0 && each->distinct >= (double)table->row_estimate;
        pg_put(&row, "n_distinct", datum_real(all ? -1 : each->distinct));
        TRY(pg_row_send(&row));
    }
out:
    return st;
}

static struct status expression_rows_of(struct pg_rows *rows, const struct table_desc *table)
{
    return each_estimate(rows, table, expression_row);
}

ROWS(expression_rows)
{
    return pg_each_table(task, session, sink, expression_rows_of);
}

static const struct pg_table tables[] = {
    {"pg_statistic_ext",
        "oid oid, stxrelid oid, stxname name, stxnamespace oid, stxowner oid, "
        "stxstattarget int4, stxkeys int2vector, stxkind char[], stxexprs pg_node_tree",
        object_rows},
    {"pg_statistic_ext_data",
        "stxoid oid, stxdinherit bool, stxdndistinct text, stxddependencies text, "
        "stxdmcv bytea, stxdexpr bytea",
        data_rows},
    {"pg_stats_ext",
        "schemaname name, tablename name, statistics_schemaname name, "
        "statistics_name name, statistics_owner name, attnames name[], exprs text[], "
        "kinds char[], inherited bool, n_distinct text, dependencies text, "
        "most_common_vals text[], most_common_val_nulls bool[], "
        "most_common_freqs float8[], most_common_base_freqs float8[]",
        estimate_rows},
    {"pg_stats_ext_exprs",
        "schemaname name, tablename name, statistics_schemaname name, "
        "statistics_name name, statistics_owner name, expr text, inherited bool, "
        "null_frac float4, avg_width int4, n_distinct float4, most_common_vals anyarray, "
        "most_common_freqs float4[], histogram_bounds anyarray, correlation float4, "
        "most_common_elems anyarray, most_common_elem_freqs float4[], "
        "elem_count_histogram float4[]",
        expression_rows},
};

void pg_statistics_register(void)
{
    pg_tables_register("pg_catalog", tables, COUNT(tables));
    function_register(functions, TABLE_COUNT(functions));
}
