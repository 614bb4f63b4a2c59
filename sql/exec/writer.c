// SPDX-License-Identifier: GPL-3.0-or-later
#include "sql/type/collation.h"
#include "sql/ddl/ddl_internal.h"
#include "sql/exec/writer.h"
#include "sql/catalog/catalog_text.h"
#include "sql/plan/statistics_auto.h"

#include "core/hash.h"
#include "core/invariant.h"
#include "core/work.h"

// What an entry of a row counts for in task_work, besides its value.
#define ROW_WORK 512u

// --- compiling ---------------------------------------------------------------------------------------

static bool index_is_written(const struct index_desc *index)
{
    return index->state != ELEMENT_DELETE_ONLY;
}

static struct status compile_computed(
    struct arena *arena, struct expr_outer *outer, struct writer_plan *plan)
{
    struct status st = STATUS_OK;
    const struct table_plan *table = plan->table;
    uint32_t count = table->computed.count;
    struct scalar **scalars = ARENA_ARRAY(arena, struct scalar *, count);
    plan->generated_ordinals = ARENA_ARRAY(arena, uint32_t, count);
    plan->expression_ordinals = ARENA_ARRAY(arena, uint32_t, count);
    for (uint32_t i = 0; i < count; i++) {
        uint32_t ordinal = table->computed.items[i].var - table->row_base;
        if (ordinal >= table->table->column_count) continue;
        scalars[plan->generated_count] = table->computed.items[i].scalar;
        plan->generated_ordinals[plan->generated_count++] = ordinal;
    }
    if (plan->generated_count > 0)
        TRY(expr_compile(
            arena, outer, &plan->row, scalars, plan->generated_count, &plan->generated));
    struct scalar **expressions = ARENA_ARRAY(arena, struct scalar *, count);
    for (uint32_t i = 0; i < count; i++) {
        uint32_t ordinal = table->computed.items[i].var - table->row_base;
        if (ordinal < table->table->column_count) continue;
        expressions[plan->expression_count] = table->computed.items[i].scalar;
        plan->expression_ordinals[plan->expression_count++] = ordinal;
    }
    if (plan->expression_count > 0)
        TRY(expr_compile(
            arena, outer, &plan->row, expressions, plan->expression_count, &plan->expressions));

out:
    return st;
}

static int kind_of(const struct table_plan_check *check)
{
    if (check->view) return WRITER_CHECK_VIEW;
    return check->domain != NULL ? WRITER_CHECK_DOMAIN : WRITER_CHECK_TABLE;
}

static struct status compile_conditions(
    struct arena *arena, struct expr_outer *outer, struct writer_plan *plan)
{
    struct status st = STATUS_OK;
    const struct table_plan *table = plan->table;
    uint32_t count = table->check_count + table->table->index_count;
    struct scalar **scalars = ARENA_ARRAY(arena, struct scalar *, count);
    for (int kind = 0; kind < WRITER_CHECK_KINDS; kind++) {
        struct writer_checks *checks = &plan->checks[kind];
        checks->which = ARENA_ARRAY(arena, uint32_t, table->check_count);
        for (uint32_t i = 0; i < table->check_count; i++) {
            if (kind_of(&table->checks[i]) != kind) continue;
            scalars[checks->count] = table->checks[i].condition;
            checks->which[checks->count++] = i;
        }
        if (checks->count > 0)
            TRY(expr_compile(arena, outer, &plan->row, scalars, checks->count, &checks->program));
    }
    uint32_t predicates = 0;
    plan->predicate_outputs = ARENA_ARRAY(arena, uint32_t, table->table->index_count);
    struct scalar **conditions = ARENA_ARRAY(arena, struct scalar *, count);
    for (uint32_t i = 0; i < table->table->index_count; i++) {
        plan->predicate_outputs[i] = UINT32_MAX;
        if (table->predicates[i] == NULL) continue;
        conditions[predicates] = table->predicates[i];
        plan->predicate_outputs[i] = predicates++;
    }
    if (predicates > 0)
        TRY(expr_compile(arena, outer, &plan->row, conditions, predicates, &plan->predicates));
    struct scalar **defaults = ARENA_ARRAY(arena, struct scalar *, table->table->column_count);
    for (uint32_t i = 0; i < table->table->column_count; i++)
        defaults[i] = table->defaults[i] != NULL
            ? table->defaults[i]
            : scalar_null(arena, table->table->columns[i].type, POSITION_NONE);
    TRY(expr_compile(
        arena, outer, &plan->row, defaults, table->table->column_count, &plan->defaults));

out:
    return st;
}

// A parent's key is what its own collation says.
static type_oid key_type(const struct column_desc *column)
{
    return column->collation == NULL
        ? column->type.oid
        : collation_type((struct type){column->type.oid, -1, collation_number(column->collation)});
}

static struct status compile_foreign(
    struct arena *arena, uint64_t tenant, struct writer_plan *plan)
{
    struct status st = STATUS_OK;
    const struct table_plan *table = plan->table;
    plan->parents = ARENA_ARRAY(arena, struct row_index, table->reference_count);
    plan->reference_types = ARENA_ARRAY(arena, type_oid *, table->reference_count);
    for (uint32_t i = 0; i < table->reference_count; i++) {
        const struct table_plan_reference *reference = &table->references[i];
        TRY(row_index_init(
            arena, tenant, reference->parent, reference->parent_index, &plan->parents[i]));
        plan->reference_types[i] = ARENA_ARRAY(arena, type_oid, reference->count);
        for (uint32_t c = 0; c < reference->count; c++)
            plan->reference_types[i][c] = table->table->columns[reference->ordinals[c]].type.oid;
    }
    uint32_t count = table->back_reference_count;
    plan->children = ARENA_ARRAY(arena, struct row_index, count);
    plan->child_keys = ARENA_ARRAY(arena, struct row_decoder, count);
    plan->child_key_ordinals = ARENA_ARRAY(arena, uint32_t *, count);
    plan->child_key_counts = ARENA_ARRAY(arena, uint32_t, count);
    plan->key_types = ARENA_ARRAY(arena, type_oid *, count);
    for (uint32_t i = 0; i < count; i++) {
        const struct table_plan_back_reference *back = &table->back_references[i];
        const struct table_desc *child = back->child->table;
        const struct index_desc *index =
            back->child_index != NULL ? back->child_index : &child->indexes[0];
        TRY(row_index_init(arena, tenant, child, index, &plan->children[i]));
        uint32_t keys = child->indexes[0].column_count;
        plan->child_key_ordinals[i] = ARENA_ARRAY(arena, uint32_t, keys);
        plan->child_key_counts[i] = keys;
        for (uint32_t k = 0; k < keys; k++)
            plan->child_key_ordinals[i][k] = row_ordinal(child, &child->indexes[0], k);
        TRY(row_decoder_init(
            arena, &plan->children[i], plan->child_key_ordinals[i], keys, &plan->child_keys[i]));
        plan->key_types[i] = ARENA_ARRAY(arena, type_oid, back->count * 2 + 1);
        for (uint32_t c = 0; c < back->count; c++)
            plan->key_types[i][c] = plan->key_types[i][back->count + c] =
                key_type(&table->table->columns[back->ordinals[c]]);
        plan->key_types[i][back->count * 2] = TYPE_BOOL;
    }

out:
    return st;
}

struct status writer_compile(struct arena *arena, uint64_t tenant, struct expr_outer *outer,
    struct table_plan *table, struct writer_plan *plan)
{
    struct status st = STATUS_OK;
    *plan = (struct writer_plan){.table = table};
    uint32_t width = table->width;
    var_id *vars = ARENA_ARRAY(arena, var_id, width);
    for (uint32_t i = 0; i < width; i++) vars[i] = table->row_base + i;
    plan->row = (struct layout){vars, width};
    plan->types = ARENA_ARRAY(arena, type_oid, width);
    for (uint32_t i = 0; i < table->table->column_count; i++)
        plan->types[i] = table->table->columns[i].type.oid;
    for (uint32_t i = 0; i < table->table->index_count; i++)
        for (uint32_t c = 0; c < table->table->indexes[i].column_count; c++)
            if (table->table->indexes[i].columns[c].expression_sql != NULL)
                plan->types[row_ordinal(table->table, &table->table->indexes[i], c)] =
                    table->table->indexes[i].columns[c].column_id;
    plan->indexes = ARENA_ARRAY(arena, struct row_index, table->table->index_count);
    for (uint32_t i = 0; i < table->table->index_count; i++) {
        const struct index_desc *index = &table->table->indexes[i];
        TRY(row_index_init(arena, tenant, table->table, index, &plan->indexes[i]));
        plan->has_unique_secondary |= index->unique && i > 0;
    }
    plan->uncertain = ARENA_ARRAY(arena, bool, table->table->index_count);
    for (uint32_t i = 0; i < table->table->index_count; i++)
        plan->uncertain[i] = row_index_is_uncertain(&table->table->indexes[i]);
    uint32_t stored = 0;
    uint32_t *ordinals = ARENA_ARRAY(arena, uint32_t, table->table->column_count);
    for (uint32_t i = 0; i < table->table->column_count; i++)
        if (row_index_has(&plan->indexes[0], i)) ordinals[stored++] = i;
    TRY(row_decoder_init(arena, &plan->indexes[0], ordinals, stored, &plan->all));
    TRY(compile_computed(arena, outer, plan));
    TRY(compile_conditions(arena, outer, plan));
    TRY(compile_foreign(arena, tenant, plan));
    if (table->target != NULL)
        TRY(expr_compile(arena, outer, &plan->row, table->target_columns,
            table->target->table->column_count, &plan->target_columns));

out:
    return st;
}

// --- state -------------------------------------------------------------------------------------------

static struct expr_state *state_of(struct writer *writer, const struct expr_program *program)
{
    if (program == NULL) return NULL;
    return expr_state_new(writer->run->arena, writer->run, program, writer->run->capacity);
}

static const type_oid primary_key_type[1] = {TYPE_BYTEA};

struct writer *writer_of(struct run *run, struct writer_plan *const *plans, uint32_t index)
{
    struct writer *writer = run->writers[index];
    if (writer != NULL) return writer;
    const struct writer_plan *plan = plans[index];
    const struct table_plan *table = plan->table;
    writer = run->writers[index] = ARENA_NEW(run->arena, struct writer);
    writer->run = run;
    writer->plans = plans;
    writer->plan = plan;
    arena_init(&writer->arena, run->account);
    arena_init(&writer->check_arena, run->account);
    row_hash_init(&writer->touched, run->account, primary_key_type, 1);
    writer->columns = ARENA_ARRAY(run->arena, struct datum *, table->width);
    writer->old_columns = ARENA_ARRAY(run->arena, struct datum *, table->width);
    for (uint32_t i = 0; i < table->width; i++)
        writer->columns[i] = arena_alloc(run->arena, run->capacity * sizeof(struct datum));
    writer->row = ARENA_ARRAY(run->arena, struct datum, table->width);
    writer->old_row = ARENA_ARRAY(run->arena, struct datum, table->width);
    writer->generated = state_of(writer, plan->generated);
    writer->expressions = state_of(writer, plan->expressions);
    writer->old_expressions = state_of(writer, plan->expressions);
    for (int kind = 0; kind < WRITER_CHECK_KINDS; kind++)
        writer->checks[kind] = state_of(writer, plan->checks[kind].program);
    writer->predicates = state_of(writer, plan->predicates);
    writer->old_predicates = state_of(writer, plan->predicates);
    writer->references =
        ARENA_ARRAY(run->arena, struct reference_queue, table->reference_count);
    for (uint32_t i = 0; i < table->reference_count; i++)
        row_hash_init(&writer->references[i].keys, run->account, plan->reference_types[i],
            table->references[i].count);
    writer->back_references =
        ARENA_ARRAY(run->arena, struct back_queue, table->back_reference_count);
    for (uint32_t i = 0; i < table->back_reference_count; i++)
        row_store_init(&writer->back_references[i].rows, run->account, plan->key_types[i],
            table->back_references[i].count * 2 + 1);
    if (table->target != NULL) writer_rewrite_open(writer);
    return writer;
}

struct datum **writer_columns(struct writer *writer)
{
    return writer->columns;
}

void writers_close(struct run *run)
{
    for (uint32_t w = 0; w < run->writer_count; w++) {
        struct writer *writer = run->writers[w];
        if (writer == NULL) continue;
        statistics_auto_note(run->session, writer->plan->table->table, writer->written);
        if (writer->target != NULL) writer->target->written = 0;
        for (uint32_t i = 0; i < writer->plan->table->reference_count; i++)
            row_hash_fini(&writer->references[i].keys);
        for (uint32_t i = 0; i < writer->plan->table->back_reference_count; i++)
            row_store_fini(&writer->back_references[i].rows);
        arena_fini(&writer->arena);
        arena_fini(&writer->check_arena);
        row_hash_fini(&writer->touched);
    }
}

// --- messages ----------------------------------------------------------------------------------------

static void append_value(
    struct writer *writer, struct buffer *out, type_oid type, struct datum value, size_t bytes_max)
{
    if (value.null) {
        buffer_append_string(out, "null");
        return;
    }
    size_t before = out->size;
    type_output(out, &writer->run->session->types, type, value);
    if (out->size - before <= bytes_max) return;
    out->size = before + bytes_max;
    while (out->size > before && (out->data[out->size] & 0xc0) == 0x80) out->size--;
    buffer_append_string(out, "...");
}

// Errors outlive the statement's operators: their text is the session's.
static struct arena *error_arena(struct writer *writer)
{
    return &writer->run->session->statement_arena;
}

struct status writer_names(struct writer *writer, struct status st, const struct table_desc *table,
    const char *column, const char *constraint)
{
    struct session *session = writer->run->session;
    return catalog_status_names(
        session->task, session, error_arena(writer), st, table, column, constraint);
}

static struct status failing_row(struct writer *writer, struct status st, uint32_t at)
{
    const struct table_desc *table = writer->plan->table->table;
    struct buffer out;
    buffer_init(&out, error_arena(writer));
    for (uint32_t i = 0; i < table->column_count; i++) {
        if (table->columns[i].state != ELEMENT_PUBLIC || table->columns[i].hidden) continue;
        if (out.size > 0) buffer_append_string(&out, ", ");
        append_value(writer, &out, table->columns[i].type.oid, writer->columns[i][at], 64);
    }
    return status_detail(
        error_arena(writer), st, "Failing row contains (%s).", buffer_string(&out));
}

struct status writer_duplicate(struct writer *writer, uint32_t index, const struct datum *row)
{
    struct arena *arena = error_arena(writer);
    const struct row_index *keys = &writer->plan->indexes[index];
    const struct table_desc *table = keys->table;
    struct buffer names, values;
    if (writer->copying)
        return writer_names(writer,
            ddl_duplicate(writer->run->session, arena, table, keys->index, row), table, NULL,
            keys->index->name);
    buffer_init(&names, arena);
    buffer_init(&values, arena);
    for (uint32_t i = 0; i < keys->column_count; i++) {
        uint32_t ordinal = keys->keys[i].ordinal;
        if (i > 0) {
            buffer_append_string(&names, ", ");
            buffer_append_string(&values, ", ");
        }
        const char *name = keys->index->columns[i].expression_sql;
        struct session *session = writer->run->session;
        if (name == NULL)
            name = table->columns[ordinal].name;
        else
            (void)!failed(catalog_expression_text(session->task, session, arena, name, &name));
        buffer_append_string(&names, name);
        append_value(writer, &values, keys->keys[i].type, row[ordinal], SIZE_MAX / 2);
    }
    struct status st = status_format(arena, E_UNIQUE_VIOLATION,
        "duplicate key value violates unique constraint \"%s\"", keys->index->name);
    st = status_detail(arena, st, "Key (%s)=(%s) already exists.", buffer_string(&names),
        buffer_string(&values));
    return writer_names(writer, st, table, NULL, keys->index->name);
}

// --- checks ------------------------------------------------------------------------------------------

static bool is_column_checked(const struct column_desc *column, const bool *changed, uint32_t ordinal)
{
    return column->not_null && column->state != ELEMENT_DELETE_ONLY && (changed == NULL || changed[ordinal]);
}

// What the first of the rows to have a fault does not keep. Each kind of checks looks at the rows before that one only, so
// that a row's faults are told before those of the next, and of one row's those of its values before the row's own.
struct fault {
    uint32_t row; // Rows from here on are not looked at.
    const struct table_plan_check *check; // NULL: NOT NULL of `column`.
    const struct column_desc *column;     // NULL: there is no fault, or it is the check's.
};

static void check_not_null(struct writer *writer, const bool *changed, struct fault *fault)
{
    const struct table_desc *table = writer->plan->table->table;
    for (uint32_t i = 0; i < table->column_count; i++) {
        const struct column_desc *column = &table->columns[i];
        if (!is_column_checked(column, changed, i)) continue;
        for (uint32_t r = 0; r < fault->row; r++)
            if (writer->columns[i][r].null) *fault = (struct fault){.row = r, .column = column};
    }
}

static struct status null_value(struct writer *writer, const struct fault *fault)
{
    const struct table_desc *table = writer->plan->table->table;
    struct status st = status_format(error_arena(writer), E_NOT_NULL_VIOLATION,
        "null value in column \"%s\" of relation \"%s\" violates not-null constraint",
        fault->column->name, table->name);
    st = failing_row(writer, st, fault->row);
    return writer_names(writer, st, table, fault->column->name, NULL);
}

static struct status compute(struct task *task, struct writer *writer, struct expr_state *state,
    const uint32_t *ordinals, uint32_t ordinal_count, struct batch *batch)
{
    struct status st = STATUS_OK;
    if (state == NULL) return st;
    TRY(expr_run(task, state, batch, &writer->check_arena));
    for (uint32_t i = 0; i < ordinal_count; i++) {
        const struct datum *values = expr_column(state, i);
        memcpy(batch->columns[ordinals[i]], values, batch->count * sizeof(struct datum));
    }

out:
    return st;
}

static struct status failed_check(struct writer *writer, const struct table_plan_check *check, uint32_t at)
{
    const struct table_desc *table = writer->plan->table->table;
    struct arena *arena = error_arena(writer);
    struct status st;
    if (check->view) {
        st = status_format(arena, SQLSTATE('4', '4', '0', '0', '0'),
            "new row violates check option for view \"%s\"", check->name);
        return failing_row(writer, st, at);
    }
    if (check->domain != NULL)
        return domain_violation(arena, writer->run->session, check->domain_schema, check->domain,
            check->not_null ? NULL : check->name);
    st = status_format(arena, E_CHECK_VIOLATION,
        "new row for relation \"%s\" violates check constraint \"%s\"", table->name, check->name);
    return writer_names(writer, failing_row(writer, st, at), table, NULL, check->name);
}

static struct batch rows_of(struct writer *writer, uint32_t count)
{
    return (struct batch){.columns = writer->columns,
        .column_count = writer->plan->table->width,
        .count = count,
        .selected = count};
}

static struct status run_checks(struct task *task, struct writer *writer, enum writer_check_kind kind,
    const bool *checked, struct fault *fault)
{
    struct status st = STATUS_OK;
    const struct writer_checks *checks = &writer->plan->checks[kind];
    struct expr_state *state = writer->checks[kind];
    struct batch batch = rows_of(writer, fault->row);
    if (state == NULL || fault->row == 0) return st;
    TRY(expr_run(task, state, &batch, &writer->check_arena));
    for (uint32_t c = 0; c < checks->count; c++) {
        const struct table_plan_check *check = &writer->plan->table->checks[checks->which[c]];
        const struct datum *passed = expr_column(state, c);
        if (check->domain != NULL && checked != NULL && !checked[check->ordinal]) continue;
        for (uint32_t r = 0; r < fault->row; r++)
            if (!passed[r].null && !passed[r].boolean) *fault = (struct fault){.row = r, .check = check};
    }

out:
    return st;
}

static struct status told(struct writer *writer, const struct fault *fault)
{
    if (fault->check != NULL) return failed_check(writer, fault->check, fault->row);
    return fault->column != NULL ? null_value(writer, fault) : STATUS_OK;
}

struct status writer_check(
    struct task *task, struct writer *writer, uint32_t count, struct writer_changes changes)
{
    struct status st = STATUS_OK;
    const struct writer_plan *plan = writer->plan;
    struct batch batch = rows_of(writer, count);
    struct fault fault = {.row = count};
    arena_reset(&writer->check_arena);
    TRY(compute(task, writer, writer->generated, plan->generated_ordinals, plan->generated_count,
        &batch));
    TRY(run_checks(task, writer, WRITER_CHECK_DOMAIN, changes.checked, &fault));
    check_not_null(writer, changes.changed, &fault);
    TRY(run_checks(task, writer, WRITER_CHECK_TABLE, NULL, &fault));
    TRY(told(writer, &fault));
    TRY(compute(task, writer, writer->expressions, plan->expression_ordinals,
        plan->expression_count, &batch));
    if (writer->predicates != NULL)
        TRY(expr_run(task, writer->predicates, &batch, &writer->check_arena));

out:
    return st;
}

struct status writer_check_views(struct task *task, struct writer *writer, uint32_t count)
{
    struct status st = STATUS_OK;
    struct fault fault = {.row = count};
    TRY(run_checks(task, writer, WRITER_CHECK_VIEW, NULL, &fault));
    TRY(told(writer, &fault));

out:
    return st;
}

static bool in_index(
    const struct writer *writer, struct expr_state *predicates, uint32_t index, uint32_t at)
{
    uint32_t output = writer->plan->predicate_outputs[index];
    if (output == UINT32_MAX) return true;
    struct datum holds = expr_column(predicates, output)[at];
    return !holds.null && holds.boolean;
}

static void gather(struct datum *row, struct datum *const *columns, uint32_t width, uint32_t at)
{
    for (uint32_t i = 0; i < width; i++) row[i] = columns[i][at];
}

// --- INSERT ------------------------------------------------------------------------------------------

struct key_set { // Finds equal keys within one batch.
    uint32_t *buckets;
    uint32_t mask;
};

static bool key_set_add(struct key_set *set, const struct kv_pair *pairs, uint32_t at)
{
    uint32_t place = (uint32_t)hash_bytes(pairs[at].key) & set->mask;
    for (; set->buckets[place] != 0; place = (place + 1) & set->mask)
        if (bytes_equal(pairs[set->buckets[place] - 1].key, pairs[at].key)) return false;
    set->buckets[place] = at + 1;
    return true;
}

// Inserts entries that must be new. rows[i]: the row of pair i, for the message.
static struct status insert_unique(struct task *task, struct writer *writer, uint32_t index,
    const struct kv_pair *pairs, const uint32_t *rows, uint32_t count)
{
    struct status st = STATUS_OK;
    struct arena *arena = &writer->arena;
    struct kv_txn *txn = writer->run->txn;
    uint32_t width = writer->plan->table->width;
    if (count == 0) return st;
    if (count == 1) {
        struct bytes existing = {0};
        TRY(kv_insert(task, txn, pairs[0].key, pairs[0].value, arena, &existing));
        if (existing.data == NULL) return st;
        gather(writer->row, writer->columns, width, rows[0]);
        return writer_duplicate(writer, index, writer->row);
    }
    uint32_t ascending = 1; // A load's keys mostly are, all of them: then no two are equal.
    while (ascending < count && bytes_compare(pairs[ascending - 1].key, pairs[ascending].key) < 0) ascending++;
    struct key_set set = {.mask = 15};
    if (ascending < count) {
        while (set.mask + 1 < count * 2) set.mask = set.mask * 2 + 1;
        set.buckets = ARENA_ARRAY(arena, uint32_t, set.mask + 1);
    }
    for (uint32_t i = 0; i < count && ascending < count; i++) {
        if (key_set_add(&set, pairs, i)) continue;
        gather(writer->row, writer->columns, width, rows[i]);
        return writer_duplicate(writer, index, writer->row);
    }
    struct bytes *existing = ARENA_ARRAY(arena, struct bytes, count);
    TRY(kv_insert_many(task, txn, pairs, count, arena, existing));
    for (uint32_t i = 0; i < count; i++) {
        if (existing[i].data == NULL) continue;
        gather(writer->row, writer->columns, width, rows[i]);
        return writer_duplicate(writer, index, writer->row);
    }

out:
    return st;
}

// An inverted index: every part of every row has an entry of its own, which nobody else's can equal.
static struct status insert_inverted(struct task *task, struct writer *writer, uint32_t index,
    uint32_t first, uint32_t count)
{
    struct status st = STATUS_OK;
    const struct row_index *entries = &writer->plan->indexes[index];
    for (uint32_t r = first; r < first + count; r++) {
        struct buffer value;
        struct bytes *keys;
        uint32_t key_count;
        if (!in_index(writer, writer->predicates, index, r)) continue;
        gather(writer->row, writer->columns, writer->plan->table->width, r);
        TRY(row_inverted_keys(entries, writer->row, &writer->arena, &keys, &key_count));
        buffer_init(&value, &writer->arena);
        row_value(entries, writer->row, &value);
        TRY(task_work(task, ROW_WORK * (key_count + 1u)));
        for (uint32_t i = 0; i < key_count; i++)
            TRY(kv_put(task, writer->run->txn, keys[i], buffer_bytes(&value)));
        TRY(arena_check(&writer->arena));
    }

out:
    return st;
}

// Puts entries of rows into one index: by kv_insert where they must be new (and not take another's place).
static struct status insert_entries(struct task *task, struct writer *writer, uint32_t index,
    uint32_t first, uint32_t count)
{
    struct status st = STATUS_OK;
    const struct row_index *entries = &writer->plan->indexes[index];
    struct arena *arena = &writer->arena;
    struct kv_pair *pairs = arena_alloc(arena, count * sizeof *pairs);
    uint32_t *rows = arena_alloc(arena, count * sizeof *rows);
    uint32_t unique = 0;
    for (uint32_t r = first; r < first + count; r++) {
        if (!in_index(writer, writer->predicates, index, r)) continue;
        struct buffer key, value;
        bool has_null;
        buffer_init(&key, arena);
        buffer_init(&value, arena);
        gather(writer->row, writer->columns, writer->plan->table->width, r);
        TRY(row_key(entries, writer->row, &key, &has_null));
        row_value(entries, writer->row, &value);
        TRY(task_work(task, ROW_WORK + value.size));
        if (!writer->replaces && (index == 0 || (entries->unique && !has_null))) {
            pairs[unique] = (struct kv_pair){buffer_bytes(&key), buffer_bytes(&value)};
            rows[unique++] = r;
        } else {
            TRY(kv_put(task, writer->run->txn, buffer_bytes(&key), buffer_bytes(&value)));
            if (entries->index->deferrable && !has_null)
                TRY(writer_note_duplicate(task, writer, index, writer->row));
        }
    }
    TRY(insert_unique(task, writer, index, pairs, rows, unique));

out:
    return st;
}

struct status writer_insert(struct task *task, struct writer *writer, uint32_t first, uint32_t count)
{
    struct status st = STATUS_OK;
    const struct table_desc *table = writer->plan->table->table;
    writer->written += count;
    arena_reset(&writer->arena);
    for (uint32_t i = 0; i < table->index_count; i++) {
        if (!index_is_written(&table->indexes[i])) continue;
        if (table->indexes[i].inverted) TRY(insert_inverted(task, writer, i, first, count));
        else TRY(insert_entries(task, writer, i, first, count));
    }
    if (writer->plan->table->reference_count > 0)
        for (uint32_t r = first; r < first + count; r++) {
            gather(writer->row, writer->columns, writer->plan->table->width, r);
            TRY(writer_note_parents(task, writer, writer->row, NULL));
        }
    if (writer->target != NULL) TRY(writer_rewrite_insert(task, writer, first + count));
    TRY(arena_check(&writer->arena));
    TRY(task_yield_if_due(task));

out:
    return st;
}

// --- UPDATE and DELETE -------------------------------------------------------------------------------

// Old rows with the values that indexes on expressions and partial indexes have of them.
static struct status prepare_old(struct task *task, struct writer *writer,
    struct datum *const *old, const uint16_t *old_rows, uint32_t count)
{
    struct status st = STATUS_OK;
    const struct writer_plan *plan = writer->plan;
    const struct table_desc *table = plan->table->table;
    for (uint32_t i = 0; i < plan->table->width; i++)
        writer->old_columns[i] = arena_alloc(&writer->arena, count * sizeof(struct datum));
    for (uint32_t i = 0; i < table->column_count; i++)
        for (uint32_t r = 0; r < count; r++)
            writer->old_columns[i][r] = old[i][old_rows == NULL ? r : old_rows[r]];
    struct batch batch = {.columns = writer->old_columns,
        .column_count = plan->table->width,
        .count = count,
        .selected = count};
    TRY(compute(task, writer, writer->old_expressions, plan->expression_ordinals,
        plan->expression_count, &batch));
    if (writer->old_predicates != NULL)
        TRY(expr_run(task, writer->old_predicates, &batch, &writer->arena));

out:
    return st;
}

static struct status delete_inverted(struct task *task, struct writer *writer, uint32_t index)
{
    struct status st = STATUS_OK;
    struct bytes *keys;
    uint32_t count;
    TRY(row_inverted_keys(
        &writer->plan->indexes[index], writer->old_row, &writer->arena, &keys, &count));
    for (uint32_t i = 0; i < count; i++) TRY(kv_delete(task, writer->run->txn, keys[i]));

out:
    return st;
}

// Of an index with functions of users' own: that it has what these say of old row `row`, and only if they say so.
static struct status check_old_entry(struct task *task, struct writer *writer, uint32_t index, uint32_t row)
{
    struct status st = STATUS_OK;
    const struct row_index *entries = &writer->plan->indexes[index];
    const struct kv_read read = {.lock = KV_LOCK_UPDATE, .no_validate = true}; // As the row is, which is locked.
    struct buffer key, value;
    struct bytes found;
    if (!writer->plan->uncertain[index] || entries->index->state != ELEMENT_PUBLIC) return st;
    buffer_init(&key, &writer->arena);
    buffer_init(&value, &writer->arena);
    TRY(row_key(entries, writer->old_row, &key, NULL));
    row_value(entries, writer->old_row, &value);
    TRY(kv_get(task, writer->run->txn, &read, buffer_bytes(&key), &writer->arena, &found));
    // Another row may have the key of a unique one.
    bool own = found.data != NULL && (!entries->unique || bytes_equal(found, buffer_bytes(&value)));
    if (own == in_index(writer, writer->old_predicates, index, row)) return st;
    struct arena *arena = error_arena(writer);
    st = status_format(arena, E_NOT_IN_PREREQUISITE_STATE,
        "index \"%s\" has another entry for a row of table \"%s\" than its functions give now",
        entries->index->name, entries->table->name);
    st = status_detail(arena, st, "A function that the index uses gave something else when the row was written.");
    return status_hint(arena, st, "REINDEX TABLE makes the indexes anew.");

out:
    return st;
}

struct status writer_delete(struct task *task, struct writer *writer, struct datum *const *old,
    const uint16_t *old_rows, uint32_t count)
{
    struct status st = STATUS_OK;
    const struct table_desc *table = writer->plan->table->table;
    writer->written += count;
    arena_reset(&writer->arena);
    arena_reset(&writer->check_arena);
    TRY(prepare_old(task, writer, old, old_rows, count));
    for (uint32_t r = 0; r < count; r++) {
        gather(writer->old_row, writer->old_columns, writer->plan->table->width, r);
        TRY(task_work(task, ROW_WORK * table->index_count));
        for (uint32_t i = 0; i < table->index_count; i++) {
            TRY(check_old_entry(task, writer, i, r));
            if (!in_index(writer, writer->old_predicates, i, r)) continue;
            if (table->indexes[i].inverted) {
                TRY(delete_inverted(task, writer, i));
                continue;
            }
            struct buffer key;
            buffer_init(&key, &writer->arena);
            TRY(row_key(&writer->plan->indexes[i], writer->old_row, &key, NULL));
            TRY(writer_lock_gone(task, writer, i, buffer_bytes(&key)));
            TRY(kv_delete(task, writer->run->txn, buffer_bytes(&key)));
        }
        if (writer->plan->table->back_reference_count > 0)
            TRY(writer_note_gone(task, writer, writer->old_row, NULL));
    }
    if (writer->target != NULL)
        TRY(writer_rewrite_delete(task, writer, writer->old_columns, count));
    TRY(arena_check(&writer->arena));
    TRY(task_yield_if_due(task));

out:
    return st;
}

struct update_entry {
    bool had, has;            // The row belonged, and belongs, to the index.
    bool same_key;
    struct bytes old_key, key, value;
    bool unique;              // The new key must be new.
    bool deferrable;          // Whether it is is found out later.
};

static bool index_touched(
    const struct writer_plan *plan, uint32_t index, const bool *changed)
{
    const struct row_index *entries = &plan->indexes[index];
    if (changed == NULL || plan->predicate_outputs[index] != UINT32_MAX) return true;
    for (uint32_t i = 0; i < entries->key_count; i++)
        if (changed[entries->keys[i].ordinal]) return true;
    for (uint32_t i = 0; i < entries->value_count; i++)
        if (changed[entries->values[i].ordinal]) return true;
    for (uint32_t i = 0; i < entries->inverted_count; i++)
        if (changed[entries->inverted[i].ordinal]) return true;
    return false;
}

// Parts that the row has no more are taken out, those that it has now put in.
static struct status update_inverted(
    struct task *task, struct writer *writer, uint32_t index, uint32_t count)
{
    struct status st = STATUS_OK;
    const struct row_index *entries = &writer->plan->indexes[index];
    struct kv_txn *txn = writer->run->txn;
    bool complete = entries->index->state == ELEMENT_PUBLIC;
    for (uint32_t r = 0; r < count; r++) {
        struct bytes *old_keys = NULL, *keys = NULL;
        uint32_t old_count = 0, key_count = 0, at = 0;
        struct buffer value, old_value;
        gather(writer->old_row, writer->old_columns, writer->plan->table->width, r);
        gather(writer->row, writer->columns, writer->plan->table->width, r);
        if (in_index(writer, writer->old_predicates, index, r))
            TRY(row_inverted_keys(entries, writer->old_row, &writer->arena, &old_keys, &old_count));
        if (in_index(writer, writer->predicates, index, r) && index_is_written(entries->index))
            TRY(row_inverted_keys(entries, writer->row, &writer->arena, &keys, &key_count));
        buffer_init(&value, &writer->arena);
        buffer_init(&old_value, &writer->arena);
        row_value(entries, writer->row, &value);
        row_value(entries, writer->old_row, &old_value);
        bool same = complete && bytes_equal(buffer_bytes(&value), buffer_bytes(&old_value));
        for (uint32_t i = 0; i < key_count || at < old_count;) {
            int order = i == key_count ? 1 : at == old_count ? -1 : bytes_compare(keys[i], old_keys[at]);
            if (order > 0) {
                TRY(kv_delete(task, txn, old_keys[at++]));
                continue;
            }
            if (order < 0 || !same) TRY(kv_put(task, txn, keys[i], buffer_bytes(&value)));
            i++;
            if (order == 0) at++;
        }
        TRY(arena_check(&writer->arena));
    }

out:
    return st;
}

static struct status make_entry(
    struct writer *writer, uint32_t index, uint32_t row, struct update_entry *entry)
{
    struct status st = STATUS_OK;
    const struct row_index *entries = &writer->plan->indexes[index];
    struct buffer old_key, key, old_value, value;
    bool has_null;
    *entry = (struct update_entry){
        .had = in_index(writer, writer->old_predicates, index, row),
        .has = in_index(writer, writer->predicates, index, row) &&
               index_is_written(entries->index)};
    buffer_init(&old_key, &writer->arena);
    buffer_init(&key, &writer->arena);
    buffer_init(&value, &writer->arena);
    if (entry->had) TRY(row_key(entries, writer->old_row, &old_key, NULL));
    entry->old_key = buffer_bytes(&old_key);
    if (!entry->has) return st;
    TRY(row_key(entries, writer->row, &key, &has_null));
    row_value(entries, writer->row, &value);
    entry->key = buffer_bytes(&key);
    entry->value = buffer_bytes(&value);
    entry->unique = index == 0 || (entries->unique && !has_null);
    entry->deferrable = entries->index->deferrable && !has_null;
    entry->same_key = entry->had && bytes_equal(entry->old_key, entry->key);
    if (entry->same_key && index > 0) {
        buffer_init(&old_value, &writer->arena);
        row_value(entries, writer->old_row, &old_value);
        // Nothing to write when the entry stays as it is, unless it is not there yet.
        if (entries->index->state == ELEMENT_PUBLIC &&
            bytes_equal(buffer_bytes(&old_value), entry->value))
            entry->has = entry->had = false;
    }

out:
    return st;
}

static struct status update_index(
    struct task *task, struct writer *writer, uint32_t index, uint32_t count)
{
    struct status st = STATUS_OK;
    struct kv_txn *txn = writer->run->txn;
    uint32_t width = writer->plan->table->width;
    // Row by row: a key that another row still has is a violation, even when that row is about to go.
    for (uint32_t r = 0; r < count; r++) {
        struct update_entry entry;
        struct bytes existing = {0};
        gather(writer->old_row, writer->old_columns, width, r);
        gather(writer->row, writer->columns, width, r);
        TRY(make_entry(writer, index, r, &entry));
        TRY(task_work(task, ROW_WORK + entry.value.size));
        if (entry.had || entry.has) TRY(check_old_entry(task, writer, index, r));
        if (entry.had && !entry.same_key) {
            TRY(writer_lock_gone(task, writer, index, entry.old_key));
            TRY(kv_delete(task, txn, entry.old_key));
        }
        if (!entry.has) continue;
        if (entry.same_key || !entry.unique) {
            TRY(kv_put(task, txn, entry.key, entry.value));
            if (entry.deferrable && !entry.same_key)
                TRY(writer_note_duplicate(task, writer, index, writer->row));
            continue;
        }
        TRY(kv_insert(task, txn, entry.key, entry.value, &writer->arena, &existing));
        if (existing.data != NULL) return writer_duplicate(writer, index, writer->row);
    }

out:
    return st;
}

struct status writer_update(struct task *task, struct writer *writer, struct datum *const *old,
    const uint16_t *old_rows, uint32_t count, const bool *changed)
{
    struct status st = STATUS_OK;
    const struct table_plan *plan = writer->plan->table;
    writer->written += count;
    arena_reset(&writer->arena);
    TRY(prepare_old(task, writer, old, old_rows, count));
    for (uint32_t i = 0; i < plan->table->index_count; i++)
        if (index_touched(writer->plan, i, changed)) {
            if (plan->table->indexes[i].inverted) TRY(update_inverted(task, writer, i, count));
            else TRY(update_index(task, writer, i, count));
        }
    if (plan->reference_count > 0 || plan->back_reference_count > 0)
        for (uint32_t r = 0; r < count; r++) {
            gather(writer->old_row, writer->old_columns, plan->width, r);
            gather(writer->row, writer->columns, plan->width, r);
            TRY(writer_note_parents(task, writer, writer->row, changed));
            TRY(writer_note_gone(task, writer, writer->old_row, writer->row));
        }
    if (writer->target != NULL) {
        TRY(writer_rewrite_delete(task, writer, writer->old_columns, count));
        TRY(writer_rewrite_insert(task, writer, count));
    }
    TRY(arena_check(&writer->arena));
    TRY(task_yield_if_due(task));

out:
    return st;
}
