// SPDX-License-Identifier: GPL-3.0-or-later
#include "sql/exec/memory.h"
#include "sql/plan/plan.h"
#include "sql/bind/resolution.h"

#include "core/deep.h"
#include "core/invariant.h"
#include "core/mark.h"
#include "core/task.h"
#include "sql/function/sample.h"
#include "sql/service/named_lock.h"
#include "sql/plan/plan_internal.h"
#include "sql/user/privilege.h"

#define CAPACITY_SMALL 64u

// The most values in a batch. (128 columns of 1,024 rows.)
#define BATCH_VALUES_MAX 131072u

struct plan_run {
    struct memory_account memory;
    struct run run;
    const struct plan *plan;
    struct session *session;
    struct arena arena;          // Operators' state.
    struct op *root;
    struct batch *batch;         // In hand, not all of it sent.
    uint32_t at;
    bool started, described, done;
    struct datum *row;
};

// --- building ----------------------------------------------------------------------------------------

struct build {
    struct binder *binder;
    struct planner planner;
    struct plan *plan;
    const struct statement *statement;
    struct status status;
    const struct datum *values; // Of the parameters, for a custom plan; or NULL.
};

static uint32_t capacity_of(const struct node *node)
{
    if (node == NULL) return 1;
    double rows = node->rows;
    uint32_t need = rows <= 1 ? 1 : rows <= CAPACITY_SMALL ? CAPACITY_SMALL : BATCH_ROWS_MAX;
    // What statistics do not know may be many.
    if (node->kind == NODE_SCAN && !node->scan.access.point && node->scan.limit_hint != 1)
        need = need < CAPACITY_SMALL ? CAPACITY_SMALL : need;
    if (node->kind == NODE_VALUES && need < node->values.chunk_rows) need = CAPACITY_SMALL;
    uint32_t left = capacity_of(node->left), right = capacity_of(node->right);
    if (need < left) need = left;
    if (need < right) need = right;
    if (node->kind == NODE_APPEND || node->kind == NODE_SET || node->kind == NODE_RECURSIVE)
        for (uint32_t i = 0; i < node->set.input_count; i++) {
            uint32_t input = capacity_of(node->set.inputs[i]);
            if (need < input) need = input;
        }
    if (node->kind == NODE_WITH || node->kind == NODE_FUNCTION) need = BATCH_ROWS_MAX;
    return need;
}

// Of all nodes, the most values that one makes of a row.
static uint32_t width_of(const struct node *node)
{
    if (node == NULL) return 0;
    uint32_t width = node->layout.count, left = width_of(node->left), right = width_of(node->right);
    if (node->kind == NODE_AGGREGATE && width < node->aggregate.call_count) width = node->aggregate.call_count;
    if (node->kind == NODE_APPEND || node->kind == NODE_SET || node->kind == NODE_RECURSIVE)
        for (uint32_t i = 0; i < node->set.input_count; i++) {
            const uint32_t input = width_of(node->set.inputs[i]);
            if (width < input) width = input;
        }
    if (width < left) width = left;
    return width < right ? right : width;
}

// Rows of very many columns come in small batches: else the least that an operator does at once, and the memory that it
// has for it, would be as many times more.
static uint32_t batch_rows(const struct build *build)
{
    const struct plan *plan = build->plan;
    const uint32_t least = build->planner.chunk_rows + 1, width = width_of(plan->root);
    uint32_t rows = plan->subquery_count > 0 ? BATCH_ROWS_MAX : capacity_of(plan->root);
    if (SIM_MAYBE("plan.small_batches")) return least;
    if ((uint64_t)rows * width > BATCH_VALUES_MAX) rows = BATCH_VALUES_MAX / width;
    return rows < least ? least : rows;
}

static struct status check_params(struct binder *binder)
{
    for (uint32_t i = 0; i < binder->param_count; i++) {
        if (binder->param_types[i].oid == 0)
            return status_format(binder->arena, E_INDETERMINATE_DATATYPE,
                "could not determine data type of parameter $%u", i + 1);
        binder->param_types[i].typmod = -1;
    }
    return STATUS_OK;
}

// $n in a place that asks for no type is text, as in PostgreSQL's SELECT $1.
static struct status describe_outputs(struct build *build, const struct query *query)
{
    struct plan *plan = build->plan;
    plan->column_count = query->column_count;
    plan->columns = ARENA_ARRAY(plan->arena, struct result_column, query->column_count + 1u);
    plan->output_columns = ARENA_ARRAY(plan->arena, uint32_t, query->column_count + 1u);
    for (uint32_t i = 0; i < query->column_count; i++) {
        const struct output *output = &query->columns[i];
        plan->columns[i] = (struct result_column){.name = output->name,
            .type = output->type,
            .table_oid = output->table_oid,
            .attribute = output->attribute};
        const struct layout *layout = &plan->root->layout;
        // Mostly as they stand: a search of each would take long where there are many.
        const bool same = i < layout->count && layout->vars[i] == output->var;
        plan->output_columns[i] = same ? i : layout_find(layout, output->var);
        if (plan->output_columns[i] == UINT32_MAX)
            return status_format(
                plan->arena, E_INTERNAL, "planner lost column \"%s\"", output->name);
    }
    return STATUS_OK;
}

static bool writes_data(const struct rel *rel)
{
    if (rel == NULL) return false;
    if (rel->kind == REL_INSERT || rel->kind == REL_UPDATE || rel->kind == REL_DELETE) return true;
    return writes_data(rel->left);
}

static void find_subquery(struct scalar **scalar, void *context)
{
    bool *found = context;
    *found |= scalar_has_subquery(*scalar);
}

// Whether subqueries are looked at when rows have been written already: in RETURNING, in ON CONFLICT DO UPDATE. (What
// UPDATE and DELETE read is gathered before.)
static bool reads_after_writing(struct rel *rel)
{
    bool found = false;
    for (; rel != NULL && !found; rel = rel->left) {
        if (rel->kind == REL_UPDATE || rel->kind == REL_DELETE) return false;
        rel_each_scalar(rel, find_subquery, &found);
        if (rel->kind == REL_INSERT) return found;
    }
    return found;
}

// All of a statement reads its tables as they were before it, whatever it writes itself, in WITH or not.
static struct rel *mark_statement(struct arena *arena, struct rel *rel)
{
    bool marked = writes_data(rel) && reads_after_writing(rel);
    if (rel->kind == REL_WITH) {
        for (uint32_t i = 0; i < rel->with.count; i++) marked |= rel->with.ctes[i]->modifies;
        rel->with.statement = marked;
        return rel;
    }
    if (!marked) return rel;
    struct rel *with = rel_new(arena, REL_WITH);
    with->with.statement = true;
    with->left = rel;
    return with;
}

static bool gives_rows_of_below(const struct rel *rel)
{
    return rel->kind == REL_JOIN || rel->kind == REL_FILTER || rel->kind == REL_PROJECT || rel->kind == REL_SORT ||
           rel->kind == REL_LIMIT || rel->kind == REL_LOCK;
}

// The clause that locks rows of a table below; NULL: none does.
static const char *locked_by(const struct rel *rel)
{
    if (rel == NULL) return NULL;
    if (rel->kind == REL_SCAN) return rel->scan.locked_by;
    if (!gives_rows_of_below(rel)) return NULL;
    const char *left = locked_by(rel->left);
    return left != NULL ? left : locked_by(rel->right);
}

// Where an outer join stays one, the rows that it may miss cannot be locked.
static struct status check_locks(const struct build *build, const struct rel *rel)
{
    struct status st = STATUS_OK;
    const char *clause = NULL;
    if (rel == NULL || !gives_rows_of_below(rel)) return st;
    if (rel->kind == REL_JOIN && (rel->join.kind == REL_LEFT || rel->join.kind == REL_FULL)) clause = locked_by(rel->right);
    if (rel->kind == REL_JOIN && rel->join.kind == REL_FULL && clause == NULL) clause = locked_by(rel->left);
    if (clause != NULL)
        return bind_error(build->binder, POSITION_NONE, E_FEATURE_NOT_SUPPORTED,
            "%s cannot be applied to the nullable side of an outer join", clause);
    TRY(check_locks(build, rel->left));
    TRY(check_locks(build, rel->right));

out:
    return st;
}

static struct status build_plan(struct build *build)
{
    struct status st = STATUS_OK;
    struct binder *binder = build->binder;
    struct planner *planner = &build->planner;
    struct plan *plan = build->plan;
    struct query query;
    TRY(bind_statement(binder, build->statement, &query));
    TRY(check_params(binder));
    plan->param_count = binder->param_count;
    planner->slot_count = binder->param_count;
    plan->seed_slot = PARAM_SEED;
    if (binder->sample_count > 0) {
        plan->seed_slot = planner->slot_count++;
        plan_put_seed(query.rel, plan->seed_slot);
    }
    bool writes = writes_data(query.rel);
    query.rel = mark_statement(plan->arena, query.rel);
    if (build->values != NULL)
        plan_put_values(plan->arena, query.rel, build->values, binder->param_count);
    struct rel *rel = plan_rewrite(binder, query.rel);
    TRY(check_locks(build, rel));
    planner->top = plan_frame_push(planner);
    struct var_set needed = var_set_new(plan->arena, binder->var_count);
    for (uint32_t i = 0; i < query.column_count; i++) var_set_add(&needed, query.columns[i].var);
    TRY(plan_node(planner, rel, &needed, NULL, &plan->root, NULL));
    // All of a writing statement is done, and its foreign keys are checked, before the first row leaves.
    if (writes && query.column_count > 0) plan->root = plan_materialize(planner, plan->root);
    TRY(describe_outputs(build, &query));
    plan->slot_count = planner->slot_count;
    plan->subquery_count = planner->subquery_count;
    plan->subplans = planner->shown;
    plan->subplan_count = planner->shown_count;
    plan->spool_count = binder->spool_count;
    plan->writer_count = binder->table_count;
    plan->capacity = batch_rows(build);
    plan->modifies = writes;
    plan->read_only = !binder->writes && !binder->has_volatile;

out:
    return st;
}

// Nothing waits here, but that the binder yields where it says so.
static void build_on_stack(void *arg)
{
    struct build *build = arg;
    struct task *task = build->binder->task;
    if (task != NULL) nosuspend_begin(task);
    build->status = build_plan(build);
    if (task != NULL) nosuspend_end(task);
}

static const char *const *copy_path(struct arena *arena, const char *const *path)
{
    uint32_t count = 0;
    while (path != NULL && path[count] != NULL) count++;
    const char **copy = ARENA_ARRAY(arena, const char *, count + 1);
    for (uint32_t i = 0; i < count; i++) copy[i] = arena_strdup(arena, path[i]);
    return copy;
}

static void note_tables(struct plan *plan, const struct bind_names *names)
{
    plan->tables = ARENA_ARRAY(plan->arena, struct plan_table,
        names->count + names->type_count + names->routine_count + names->collation_count);
    plan->table_count = names->count;
    for (uint32_t i = 0; i < names->count; i++) {
        const struct relation *relation = names->list[i];
        plan->tables[i] = (struct plan_table){.id = relation->table->id,
            .version = relation->table->version,
            .privileges = relation->privileges,
            .used = relation->used,
            .written = relation->written || (relation->privileges & PRIVILEGE_UPDATE) != 0,
            .read = relation->read,
            .table = relation->table};
        // An UPDATE may read columns without a condition.
        for (uint32_t c = 0; relation->privileges != 0 && c < relation->table->column_count; c++)
            plan->tables[i].privileges |= relation->used[c] & PRIVILEGE_SELECT;
    }
    for (uint32_t i = 0; i < names->routine_count; i++) {
        const struct table_desc *routine = names->routines[i].function.user;
        if (!names->routines[i].used) continue;
        plan->tables[plan->table_count++] = (struct plan_table){
            .id = routine->id,
            .version = routine->version,
            .privileges = PRIVILEGE_EXECUTE,
            .table = routine};
    }
    for (uint32_t i = 0; i < names->collation_count; i++) {
        const struct table_desc *made = names->collations[i].made;
        if (!names->collations[i].used) continue;
        plan->tables[plan->table_count++] =
            (struct plan_table){.id = made->id, .version = made->version, .table = made};
    }
    for (uint32_t i = 0; i < names->type_count; i++) {
        const struct table_desc *type = names->types[i].type;
        if (!names->types[i].used) continue;
        plan->tables[plan->table_count++] =
            (struct plan_table){.id = type->id, .version = type->version, .table = type};
    }
}

static struct status plan_make(struct task *task, struct session *session, struct arena *arena,
    const struct statement *statement, struct bytes text, struct type *param_types,
    uint32_t *param_count, const struct datum *values, struct resolutions *resolutions,
    struct plan **out)
{
    struct status st = STATUS_OK;
    struct bind_names *names = ARENA_NEW(arena, struct bind_names);
    struct build *build = ARENA_NEW(arena, struct build);
    struct binder *binder = ARENA_NEW(arena, struct binder);
    struct plan *plan = ARENA_NEW(arena, struct plan);
    TRY(bind_names_load(task, session, arena, statement, names));
    build->binder = binder;
    build->plan = plan;
    build->statement = statement;
    build->values = values;
    plan->verb = statement_tag_name(statement->tag);
    binder->task = task;
    binder->arena = arena;
    binder->session = session;
    binder->types = &session->types;
    binder->names = names;
    binder->text = text;
    binder->param_types = param_types;
    binder->param_count = *param_count;
    binder->resolutions = resolutions;
    // A function's body has the function's parameters and no others.
    if (param_types != NULL && session->frame == NULL && binder->param_count < statement->parameter_count) {
        for (uint32_t i = binder->param_count; i < statement->parameter_count; i++)
            param_types[i] = TYPE_OF(0);
        binder->param_count = statement->parameter_count;
    }
    hashmap_init(&binder->tables, arena);
    plan->arena = arena;
    plan->binder = binder;
    plan->search_path = copy_path(arena, session->search_path);
    plan->schemas = names->schemas;
    plan->schema_count = names->schema_count;
    plan->temp_generation = session->temp_generation;
    plan->user = arena_strdup(arena, session->user);
    plan->database = session->database == NULL ? NULL : arena_strdup(arena, session->database);
    build->planner = (struct planner){.arena = arena,
        .binder = binder,
        .session = session,
        .tenant = session->tenant};
    bind_names_install_types(session, names);
    deep_call(task, build_on_stack, build);
    if (task != NULL) TRY(task_check(task)); // First: what was broken off may have ended in any way.
    TRY(build->status);
    note_tables(plan, names);
    *param_count = binder->param_count;
    *out = plan;

out:
    return st;
}

struct status plan_build(struct task *task, struct session *session, struct arena *arena,
    const struct statement *statement, struct bytes text, struct type *param_types,
    uint32_t *param_count, struct plan **out)
{
    return plan_make(
        task, session, arena, statement, text, param_types, param_count, NULL, NULL, out);
}

struct status plan_build_custom(struct task *task, struct session *session, struct arena *arena,
    const struct statement *statement, struct bytes text, struct type *param_types,
    uint32_t *param_count, const struct datum *values, struct plan **out)
{
    return plan_make(
        task, session, arena, statement, text, param_types, param_count, values, NULL, out);
}

struct status plan_resolve(struct task *task, struct session *session, struct arena *arena,
    const struct statement *statement, struct bytes text, const struct type *param_types, uint32_t param_count,
    struct resolutions *resolutions, struct plan **out)
{
    struct type *types = ARENA_ARRAY(arena, struct type, param_count + 1u);
    for (uint32_t i = 0; i < param_count; i++) types[i] = param_types[i];
    *resolutions = (struct resolutions){.arena = arena};
    return plan_make(task, session, arena, statement, text, types, &param_count, NULL, resolutions, out);
}

double plan_cost(const struct plan *plan, bool with_planning)
{
    return plan->root->cost + (with_planning ? COST_PLANNING * (plan->table_count + 1) : 0);
}

static bool same_text(const char *a, const char *b)
{
    return a == b || (a != NULL && b != NULL && strcmp(a, b) == 0);
}

static bool same_path(const char *const *a, const char *const *b)
{
    if (a == b) return true;
    for (uint32_t i = 0;; i++) {
        const char *x = a == NULL ? NULL : a[i], *y = b == NULL ? NULL : b[i];
        if (!same_text(x, y)) return false;
        if (x == NULL) return true;
    }
}

// Whether the schemas that the statement says are there and may still be used: making it anew tells.
static struct status may_name_schemas(
    struct task *task, struct session *session, const struct plan *plan, bool *current)
{
    struct status st = STATUS_OK;
    const struct schema_desc *schema;
    for (uint32_t i = 0; i < plan->schema_count && *current; i++) {
        st = catalog_schema_by_id(task, session, plan->schemas[i], &schema);
        if (!failed(st)) st = privilege_check_schema(task, session, schema, PRIVILEGE_USAGE);
        *current = !failed(st);
        if (status_is(st, E_INVALID_SCHEMA_NAME) || status_is(st, E_INSUFFICIENT_PRIVILEGE)) st = STATUS_OK;
        TRY(st);
    }

out:
    return st;
}

struct status plan_is_current(
    struct task *task, struct session *session, const struct plan *plan, bool *current)
{
    struct status st = STATUS_OK;
    *current = plan->temp_generation == session->temp_generation &&
               same_text(plan->database, session->database) &&
               same_text(plan->user, session->user) &&
               same_path(plan->search_path, session->search_path);
    if (plan->schema_count > 0 && *current) TRY(may_name_schemas(task, session, plan, current));
    for (uint32_t i = 0; i < plan->table_count && *current; i++) {
        if (plan->tables[i].table->kind == RELATION_VIRTUAL) continue;
        TRY(catalog_table_current(
            task, session, plan->tables[i].id, plan->tables[i].version, current));
    }

out:
    return st;
}

const struct result_column *plan_columns(const struct plan *plan, uint32_t *count)
{
    *count = plan->column_count;
    return plan_returns_rows(plan) ? plan->columns : NULL;
}

bool plan_reads(const struct plan *plan, uint32_t relation_id)
{
    for (uint32_t i = 0; i < plan->table_count; i++)
        if (plan->tables[i].read && plan->tables[i].id == relation_id) return true;
    return false;
}

const uint32_t *plan_relations_read(const struct plan *plan, struct arena *arena, uint32_t *count)
{
    uint32_t *ids = ARENA_ARRAY(arena, uint32_t, plan->table_count + 1);
    *count = 0;
    for (uint32_t i = 0; i < plan->table_count; i++)
        if (plan->tables[i].read) ids[(*count)++] = plan->tables[i].id;
    return ids;
}

bool plan_writes(const struct plan *plan)
{
    return plan->binder->writes;
}

bool plan_modifies(const struct plan *plan)
{
    return plan->binder->modifies;
}

bool plan_is_read_only(const struct plan *plan)
{
    return plan->read_only;
}

bool plan_returns_rows(const struct plan *plan)
{
    return !plan->modifies || plan->column_count > 0;
}

// --- running -----------------------------------------------------------------------------------------

struct status plan_check_access(struct task *task, struct session *session, const struct plan *plan)
{
    struct status st = STATUS_OK;
    for (uint32_t i = 0; i < plan->table_count; i++) {
        const struct plan_table *table = &plan->tables[i];
        if (table->privileges != 0)
            TRY(privilege_check_columns(
                task, session, table->table, table->privileges, table->used));
        if (table->read && table->table->materialized && !table->table->populated)
            return status_hint(&session->statement_arena,
                status_format(&session->statement_arena, E_NOT_IN_PREREQUISITE_STATE,
                    "materialized view \"%s\" has not been populated", table->table->name),
                "Use the REFRESH MATERIALIZED VIEW command.");
    }

out:
    return st;
}

static struct status check_tables(
    struct task *task, struct session *session, const struct plan *plan)
{
    struct status st = plan_check_access(task, session, plan);
    if (failed(st)) return st;
    for (uint32_t i = 0; i < plan->table_count; i++) {
        const struct plan_table *table = &plan->tables[i];
        if (table->written && table->table->writes_blocked)
            TRY(catalog_wait_writable(task, session, table->table));
        if (table->written && named_lock_writes_restricted(session))
            TRY(named_lock_write_wait(task, session, table->table));
        if (table->written)
            TRY(catalog_depend(session, table->table));
        else
            catalog_depend_read(session, table->table);
    }

out:
    return st;
}

static void init_run(struct plan_run *run, struct session *session, const struct plan *plan,
    const struct datum *params, uint32_t param_count)
{
    run->plan = plan;
    run->session = session;
    run->run = (struct run){.session = session,
        .txn = session->txn,
        .arena = &run->arena,
        .capacity = plan->capacity,
        .plan = plan,
        .subquery_count = plan->subquery_count,
        .spool_count = plan->spool_count,
        .writer_count = plan->writer_count};
    struct run *state = &run->run;
    state->slots = ARENA_ARRAY(&run->arena, struct datum, plan->slot_count);
    memory_account_init(&run->memory, &session->account, "statement",
        session->administers ? 0 : session->memory->statement_max);
    state->account = &run->memory;
    spill_init(&state->spill, session->shard, &run->memory);
    for (uint32_t i = 0; i < param_count && i < plan->param_count; i++) state->slots[i] = params[i];
    if (plan->seed_slot != PARAM_SEED) state->slots[plan->seed_slot] = datum_real(sample_seed(session));
    state->subqueries = ARENA_ARRAY(&run->arena, struct subquery_state *, plan->subquery_count);
    state->spools = ARENA_ARRAY(&run->arena, struct spool *, plan->spool_count);
    state->writers = ARENA_ARRAY(&run->arena, struct writer *, plan->writer_count);
    run->row = ARENA_ARRAY(&run->arena, struct datum, plan->column_count);
}

static struct status open_run(struct task *task, struct session *session, const struct plan *plan,
    const struct datum *params, uint32_t param_count, bool measured, struct plan_run **out)
{
    struct status st = STATUS_OK;
    struct arena arena;
    *out = NULL;
    if (param_count < plan->param_count)
        return status_format(&session->statement_arena, E_PROTOCOL_VIOLATION,
            "statement needs %u parameters, but %u were given", plan->param_count, param_count);
    TRY(check_tables(task, session, plan));
    if (plan->binder->modifies && session->txn_read_only)
        return status_format(&session->statement_arena, E_READ_ONLY_TRANSACTION,
            "cannot execute %s in a read-only transaction", plan->verb);
    arena_init(&arena, &session->account);
    struct plan_run *run = ARENA_NEW(&arena, struct plan_run);
    run->arena = arena;
    init_run(run, session, plan, params, param_count);
    run->run.measured = measured;
    *out = run;
    st = op_create(task, &run->run, plan->root, &run->root);
    if (failed(st)) {
        plan_run_close(task, run);
        *out = NULL;
    }

out:
    return st;
}

struct status plan_run_open(struct task *task, struct session *session, const struct plan *plan,
    const struct datum *params, uint32_t param_count, struct plan_run **run)
{
    return open_run(task, session, plan, params, param_count, false, run);
}

struct status plan_run_open_measured(struct task *task, struct session *session,
    const struct plan *plan, const struct datum *params, uint32_t param_count, struct plan_run **run)
{
    return open_run(task, session, plan, params, param_count, true, run);
}

const struct run *plan_run_measured(const struct plan_run *run)
{
    return &run->run;
}

static struct status send_rows(
    struct task *task, struct plan_run *run, struct result_sink *sink, uint64_t *left)
{
    struct status st = STATUS_OK;
    const struct plan *plan = run->plan;
    for (; run->at < run->batch->selected && *left > 0; run->at++, (*left)--) {
        uint32_t row = batch_row(run->batch, run->at);
        for (uint32_t c = 0; c < plan->column_count; c++)
            run->row[c] = run->batch->columns[plan->output_columns[c]][row];
        TRY(sink->row(task, sink, run->row));
    }

out:
    return st;
}

struct status plan_run_next(struct task *task, struct plan_run *run, struct result_sink *sink,
    uint64_t rows_max, bool *done)
{
    struct status st = STATUS_OK;
    const struct plan *plan = run->plan;
    uint64_t left = rows_max == 0 ? UINT64_MAX : rows_max;
    bool rows = plan_returns_rows(plan);
    run->run.txn = run->session->txn;
    *done = run->done;
    if (run->done) return st;
    if (!run->started) {
        run->started = true;
        TRY(op_rewind(task, run->root));
    }
    while (left > 0) {
        if (run->batch == NULL || run->at == run->batch->selected) {
            TRY(op_next(task, run->root, &run->batch));
            run->at = 0;
            if (run->batch->selected == 0) {
                run->done = *done = true;
                return st;
            }
        }
        if (rows) TRY(send_rows(task, run, sink, &left));
        if (run->run.streaming && sink->flush != NULL) TRY(sink->flush(task, sink));
        if (!rows) run->at = run->batch->selected;
    }

out:
    // A message may lie in an operator's memory, which goes with the run.
    if (failed(st)) {
        st = memory_hint(&run->session->statement_arena, st);
        st = status_copy(&run->session->statement_arena, st);
    }
    return st;
}

struct writer *plan_run_writer(struct plan_run *run, uint32_t table_id)
{
    for (uint32_t i = 0; i < run->run.writer_count; i++) {
        struct writer *writer = run->run.writers[i];
        if (writer != NULL && writer->plan->table->table->id == table_id) return writer;
    }
    return NULL;
}

uint64_t plan_run_rows_affected(const struct plan_run *run)
{
    return run->run.rows_affected;
}

void plan_run_close(struct task *task, struct plan_run *run)
{
    op_close(run->root);
    subquery_close(&run->run);
    writers_close(&run->run);
    spill_fini(task, &run->run.spill);
    memory_account_fini(&run->memory);
    struct arena arena = run->arena;
    arena_fini(&arena);
}
