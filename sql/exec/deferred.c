// SPDX-License-Identifier: GPL-3.0-or-later
#include "sql/exec/deferred.h"

#include <stdlib.h>

#include "core/hashmap.h"
#include "core/invariant.h"
#include "kv/key.h"
#include "sql/catalog/catalog_store.h"
#include "sql/parse/deparse.h"
#include "sql/session/execute.h"
#include "sql/session/internal.h"
#include "sql/exec/row.h"

#define KEYS_MAX 1000000u
#define COLUMNS_MAX 32u

struct note {
    struct note *next;
    const struct rule *rule;
    uint64_t made, settled; // By the state's clock. 0: not settled. Those that are wait for their savepoint to be left.
    bool parent_changed;
    struct datum *values;
};

// One constraint, as text for the question and for the answer. Of a key all is the child's.
struct rule {
    struct rule *next;
    uint32_t oid; // catalog_constraint_oid, or catalog_index_oid
    bool is_key, initially_deferred, nulls_not_distinct;
    uint32_t child_id, parent_id, count;
    const uint32_t *child_ids, *parent_ids; // Of the columns.
    // As they are called at the question: all of it may have been renamed since.
    const char *name, *child, *parent;
    const char **child_columns, **parent_columns;
    type_oid *child_types, *parent_types;
    const char *sql; // Made at the first question.
};

// Rows of the relation have changed so that the constraint is to be looked at: PostgreSQL's pending event.
struct event {
    struct event *next;
    uint32_t relation_id, oid;
    uint64_t made, settled; // As a note's.
};

struct mode {
    struct mode *next;
    uint32_t oid; // 0: all.
    bool deferred;
};

// What was known when a savepoint was made.
struct saved {
    struct saved *next;
    const struct savepoint *savepoint;
    uint64_t at;
    struct mode *modes;
};

struct deferred_state {
    struct arena arena;
    struct hashmap known; // Of what was noted, so that nothing is noted twice.
    struct rule *rules;
    struct note *notes, **end; // In the order of what happened.
    struct event *events;      // Newest first.
    uint32_t count;
    struct mode *modes; // Newest first.
    struct saved *saved; // Newest first; of savepoints from before the first key there is none.
    uint64_t clock;      // Ticks with each key, each one settled, and each savepoint.
};

static struct deferred_state *state_of(struct session *session)
{
    if (session->deferred != NULL) return session->deferred;
    struct deferred_state *state = calloc(1, sizeof *state);
    invariant(state != NULL);
    arena_init(&state->arena, &session->account);
    hashmap_init(&state->known, &state->arena);
    state->end = &state->notes;
    session->deferred = state;
    return state;
}

static bool is_deferred(const struct session *session, uint32_t oid, bool initially)
{
    const struct deferred_state *state = session->deferred;
    for (const struct mode *mode = state == NULL ? NULL : state->modes; mode != NULL;
         mode = mode->next)
        if (mode->oid == 0 || mode->oid == oid) return mode->deferred;
    return initially;
}

bool deferred_is(
    const struct session *session, uint32_t table_id, const struct constraint_desc *constraint)
{
    return constraint->deferrable && is_deferred(session,
        catalog_constraint_oid(table_id, constraint->id), constraint->initially_deferred);
}

static const uint32_t *column_ids(struct arena *arena, const struct table_desc *table,
    const uint32_t *ordinals, uint32_t count)
{
    uint32_t *ids = ARENA_ARRAY(arena, uint32_t, count);
    for (uint32_t i = 0; i < count; i++) ids[i] = table->columns[ordinals[i]].id;
    return ids;
}

static const struct rule *rule_of(struct deferred_state *state, const struct deferred_key *key)
{
    uint32_t oid = catalog_constraint_oid(key->child->id, key->constraint->id);
    struct arena *arena = &state->arena;
    for (const struct rule *rule = state->rules; rule != NULL; rule = rule->next)
        if (rule->oid == oid && rule->child_id == key->child->id) return rule;
    struct rule *rule = ARENA_NEW(arena, struct rule);
    *rule = (struct rule){.next = state->rules,
        .oid = oid,
        .child_id = key->child->id,
        .parent_id = key->parent->id,
        .count = key->count,
        .child_ids = column_ids(arena, key->child, key->child_columns, key->count),
        .parent_ids = column_ids(arena, key->parent, key->parent_columns, key->count),
        .child_types = ARENA_ARRAY(arena, type_oid, key->count),
        .parent_types = ARENA_ARRAY(arena, type_oid, key->count)};
    for (uint32_t i = 0; i < key->count; i++) {
        rule->child_types[i] = key->child->columns[key->child_columns[i]].type.oid;
        rule->parent_types[i] = key->parent->columns[key->parent_columns[i]].type.oid;
    }
    state->rules = rule;
    return rule;
}

static struct status add_note(struct deferred_state *state, const struct rule *rule,
    bool parent_changed, const struct datum *values)
{
    const type_oid *types = parent_changed ? rule->parent_types : rule->child_types;
    struct arena_mark mark = arena_mark(&state->arena);
    struct buffer id;
    buffer_init(&id, &state->arena);
    key_append_uvarint(&id, rule->oid);
    buffer_append_u8(&id, parent_changed);
    for (uint32_t i = 0; i < rule->count; i++) {
        buffer_append_u8(&id, values[i].null);
        if (!values[i].null) type_value_encode(&id, types[i], values[i]);
    }
    if (hashmap_get(&state->known, buffer_bytes(&id)) != NULL) {
        arena_release(&state->arena, mark);
        return STATUS_OK;
    }
    if (state->count == KEYS_MAX)
        return status_make(E_PROGRAM_LIMIT_EXCEEDED,
            "too many violations of deferred constraints in one transaction");
    struct note *note = ARENA_NEW(&state->arena, struct note);
    *note = (struct note){.rule = rule, .parent_changed = parent_changed, .made = ++state->clock};
    note->values = ARENA_ARRAY(&state->arena, struct datum, rule->count);
    for (uint32_t i = 0; i < rule->count; i++)
        note->values[i] = values[i].null ? DATUM_NULL : type_copy(&state->arena, types[i], values[i]);
    hashmap_put(&state->known, buffer_bytes(&id), note);
    *state->end = note;
    state->end = &note->next;
    state->count++;
    return arena_check(&state->arena);
}

struct status deferred_note(struct session *session, const struct deferred_key *key)
{
    struct deferred_state *state = state_of(session);
    if (key->count > COLUMNS_MAX)
        return status_make(E_TOO_MANY_COLUMNS, "a foreign key has at most 32 columns");
    return add_note(state, rule_of(state, key), key->parent_changed, key->values);
}

// Few: one for each constraint and relation, and one more after each savepoint.
static struct status add_event(struct session *session, uint32_t relation_id, uint32_t oid)
{
    struct deferred_state *state = state_of(session);
    for (const struct event *event = state->events; event != NULL; event = event->next)
        if (event->oid == oid && event->relation_id == relation_id && event->settled == 0) return STATUS_OK;
    struct event *event = ARENA_NEW(&state->arena, struct event);
    *event = (struct event){
        .next = state->events, .relation_id = relation_id, .oid = oid, .made = ++state->clock};
    state->events = event;
    return arena_check(&state->arena);
}

struct status deferred_touch(
    struct session *session, uint32_t relation_id, uint32_t child_id, const struct constraint_desc *constraint)
{
    if (!deferred_is(session, child_id, constraint)) return STATUS_OK;
    return add_event(session, relation_id, catalog_constraint_oid(child_id, constraint->id));
}

bool deferred_waits_for(const struct session *session, uint32_t relation_id)
{
    if (session->deferred == NULL) return false;
    for (const struct event *event = session->deferred->events; event != NULL; event = event->next)
        if (event->relation_id == relation_id && event->settled == 0) return true;
    return false;
}

static const struct rule *key_rule(
    struct deferred_state *state, const struct table_desc *table, const struct index_desc *index)
{
    uint32_t oid = catalog_index_oid(table->id, index->id);
    struct arena *arena = &state->arena;
    for (const struct rule *rule = state->rules; rule != NULL; rule = rule->next)
        if (rule->oid == oid) return rule;
    uint32_t *ordinals = ARENA_ARRAY(arena, uint32_t, index->column_count);
    type_oid *types = ARENA_ARRAY(arena, type_oid, index->column_count);
    for (uint32_t i = 0; i < index->column_count; i++) {
        ordinals[i] = row_ordinal(table, index, i);
        types[i] = table->columns[ordinals[i]].type.oid;
    }
    struct rule *rule = ARENA_NEW(arena, struct rule);
    *rule = (struct rule){.next = state->rules,
        .oid = oid,
        .is_key = true,
        .initially_deferred = index->initially_deferred,
        .nulls_not_distinct = index->nulls_not_distinct,
        .child_id = table->id,
        .count = index->column_count,
        .child_ids = column_ids(arena, table, ordinals, index->column_count),
        .child_types = types};
    state->rules = rule;
    return rule;
}

struct status deferred_note_duplicate(struct session *session, const struct table_desc *table,
    const struct index_desc *index, const struct datum *values)
{
    struct deferred_state *state = state_of(session);
    const struct rule *rule = key_rule(state, table, index);
    struct status st = STATUS_OK;
    if (is_deferred(session, rule->oid, rule->initially_deferred)) st = add_event(session, table->id, rule->oid);
    return failed(st) ? st : add_note(state, rule, false, values);
}

// --- savepoints ------------------------------------------------------------------------------------------

// When the newest savepoint was made, by the clock.
static uint64_t saved_at(const struct deferred_state *state, const struct savepoint *savepoint)
{
    for (const struct saved *saved = state->saved; saved != NULL; saved = saved->next)
        if (saved->savepoint == savepoint) return saved->at;
    return 0;
}

void deferred_save(struct session *session, const struct savepoint *savepoint)
{
    struct deferred_state *state = session->deferred;
    if (state == NULL) return;
    struct saved *saved = ARENA_NEW(&state->arena, struct saved);
    *saved = (struct saved){.next = state->saved,
        .savepoint = savepoint,
        .at = ++state->clock,
        .modes = state->modes};
    state->saved = saved;
}

void deferred_rolled_back_to(struct session *session, const struct savepoint *savepoint)
{
    struct deferred_state *state = session->deferred;
    if (state == NULL) return;
    while (state->saved != NULL && state->saved->savepoint != savepoint)
        state->saved = state->saved->next;
    const uint64_t at = state->saved == NULL ? 0 : state->saved->at;
    state->modes = state->saved == NULL ? NULL : state->saved->modes;
    for (struct note *note = state->notes; note != NULL; note = note->next)
        if (note->settled > at) note->settled = 0;
    while (state->events != NULL && state->events->made > at) state->events = state->events->next;
    for (struct event *event = state->events; event != NULL; event = event->next)
        if (event->settled > at) event->settled = 0;
}

// --- the question ----------------------------------------------------------------------------------------

// The constraint's name, or NULL: it is gone.
static const char *rule_name(const struct table_desc *child, const struct rule *rule)
{
    for (uint32_t i = 0; i < child->constraint_count; i++)
        if (catalog_constraint_oid(child->id, child->constraints[i].id) == rule->oid)
            return child->constraints[i].name;
    for (uint32_t i = 0; i < child->index_count && rule->is_key; i++)
        if (catalog_index_oid(child->id, child->indexes[i].id) == rule->oid)
            return child->indexes[i].name;
    return NULL;
}

// NULL: a column is gone.
static const char **column_names(
    struct arena *arena, const struct table_desc *table, const uint32_t *ids, uint32_t count)
{
    const char **names = ARENA_ARRAY(arena, const char *, count);
    for (uint32_t i = 0; i < count; i++) {
        uint32_t at = 0;
        while (at < table->column_count && table->columns[at].id != ids[i]) at++;
        if (at == table->column_count) return NULL;
        names[i] = arena_strdup(arena, table->columns[at].name);
    }
    return names;
}

// What the rule's tables and columns are called now.
static struct status learn_names(struct task *task, struct session *session, struct arena *arena,
    struct rule *rule, bool *exists)
{
    struct status st;
    const struct table_desc *table;
    *exists = false;
    st = catalog_table_by_id(task, session, rule->child_id, &table);
    if (status_is(st, E_UNDEFINED_TABLE)) return STATUS_OK; // Dropped since.
    TRY(st);
    const char *name = rule_name(table, rule);
    if (name == NULL) goto out;
    rule->name = arena_strdup(arena, name);
    rule->child = arena_strdup(arena, table->name);
    rule->child_columns = column_names(arena, table, rule->child_ids, rule->count);
    if (!rule->is_key) {
        st = catalog_table_by_id(task, session, rule->parent_id, &table);
        if (status_is(st, E_UNDEFINED_TABLE)) return STATUS_OK;
        TRY(st);
        rule->parent = arena_strdup(arena, table->name);
        rule->parent_columns = column_names(arena, table, rule->parent_ids, rule->count);
    }
    *exists = rule->child_columns != NULL && (rule->is_key || rule->parent_columns != NULL);
out:
    return st;
}

static struct status qualified(struct task *task, struct session *session, uint32_t id,
    struct buffer *out, bool *exists)
{
    struct status st = STATUS_OK;
    const struct table_desc *table;
    const struct schema_desc *schema;
    const struct database_desc *database;
    st = catalog_table_by_id(task, session, id, &table);
    *exists = !failed(st);
    if (status_is(st, E_UNDEFINED_TABLE)) return STATUS_OK; // Dropped since.
    TRY(st);
    TRY(catalog_schema_by_id(task, session, table->schema_id, &schema));
    TRY(catalog_database_by_id(task, session, table->database_id, &database));
    deparse_identifier(out, database->name);
    buffer_append_u8(out, '.');
    deparse_identifier(out, schema->name);
    buffer_append_u8(out, '.');
    deparse_identifier(out, table->name);
out:
    return st;
}

static void append_match(struct buffer *sql, const char **columns, uint32_t count, const char *equal)
{
    for (uint32_t i = 0; i < count; i++) {
        buffer_append_string(sql, i == 0 ? "" : " AND ");
        deparse_identifier(sql, columns[i]);
        buffer_printf(sql, " %s $%u", equal, i + 1);
    }
}

// SELECT 1 FROM child WHERE it refers to the key AND NOT EXISTS (the key). Empty: a table is gone.
static struct status make_sql(
    struct task *task, struct session *session, struct arena *arena, const struct rule *rule,
    const char **text)
{
    struct status st = STATUS_OK;
    struct buffer sql;
    bool child, parent;
    buffer_init(&sql, arena);
    buffer_append_string(&sql, "SELECT 1 FROM ");
    TRY(qualified(task, session, rule->child_id, &sql, &child));
    buffer_append_string(&sql, " WHERE ");
    append_match(&sql, rule->child_columns, rule->count,
        rule->nulls_not_distinct ? "IS NOT DISTINCT FROM" : "=");
    if (rule->is_key) {
        buffer_append_string(&sql, " OFFSET 1 LIMIT 1");
        *text = child ? buffer_string(&sql) : "";
        goto out;
    }
    buffer_append_string(&sql, " AND NOT EXISTS (SELECT 1 FROM ");
    TRY(qualified(task, session, rule->parent_id, &sql, &parent));
    buffer_append_string(&sql, " WHERE ");
    append_match(&sql, rule->parent_columns, rule->count, "=");
    buffer_append_string(&sql, ") LIMIT 1");
    *text = child && parent ? buffer_string(&sql) : "";
out:
    return st;
}

static struct status violation(
    struct task *task, struct session *session, const struct note *note)
{
    const struct table_desc *child;
    struct arena *arena = &session->statement_arena;
    const struct rule *rule = note->rule;
    const type_oid *types = note->parent_changed ? rule->parent_types : rule->child_types;
    struct buffer names, values;
    struct status st;
    buffer_init(&names, arena);
    buffer_init(&values, arena);
    const char **columns = note->parent_changed ? rule->parent_columns : rule->child_columns;
    for (uint32_t i = 0; i < rule->count; i++) {
        buffer_printf(&names, "%s%s", i == 0 ? "" : ", ", columns[i]);
        if (i > 0) buffer_append_string(&values, ", ");
        if (note->values[i].null)
            buffer_append_string(&values, "null");
        else
            type_output(&values, &session->types, types[i], note->values[i]);
    }
    if (rule->is_key) {
        st = status_format(arena, E_UNIQUE_VIOLATION,
            "duplicate key value violates unique constraint \"%s\"", rule->name);
        st = status_detail(arena, st, "Key (%s)=(%s) already exists.", buffer_string(&names),
            buffer_string(&values));
    } else if (note->parent_changed) {
        st = status_format(arena, E_FOREIGN_KEY_VIOLATION,
            "update or delete on table \"%s\" violates foreign key constraint \"%s\" on table "
            "\"%s\"",
            rule->parent, rule->name, rule->child);
        st = status_detail(arena, st, "Key (%s)=(%s) is still referenced from table \"%s\".",
            buffer_string(&names), buffer_string(&values), rule->child);
    } else {
        st = status_format(arena, E_FOREIGN_KEY_VIOLATION,
            "insert or update on table \"%s\" violates foreign key constraint \"%s\"", rule->child,
            rule->name);
        st = status_detail(arena, st, "Key (%s)=(%s) is not present in table \"%s\".",
            buffer_string(&names), buffer_string(&values), rule->parent);
    }
    if (failed(catalog_table_by_id(task, session, rule->child_id, &child))) return st;
    return catalog_status_names(
        task, session, arena, st, child, NULL, arena_strdup(arena, rule->name));
}

static struct status check_note(
    struct task *task, struct session *session, struct deferred_state *state, const struct note *note)
{
    struct status st = STATUS_OK;
    struct rule *rule = (struct rule *)(uintptr_t)note->rule;
    struct internal_result result = {0};
    struct arena arena;
    if (rule->sql == NULL) {
        bool exists;
        TRY(learn_names(task, session, &state->arena, rule, &exists));
        rule->sql = "";
        if (exists) TRY(make_sql(task, session, &state->arena, rule, &rule->sql));
    }
    if (rule->sql[0] == 0) return st;
    arena_init(&arena, &session->account);
    st = internal_query(task, session->tenant, session, &arena, &result, rule->sql, rule->count,
        note->values, note->parent_changed ? rule->parent_types : rule->child_types);
    if (failed(st))
        st = status_copy(&session->statement_arena, st);
    else if (result.row_count > 0)
        st = violation(task, session, note);
    arena_fini(&arena);
out:
    return st;
}

// What is to be looked at now: all, or what is immediate by now.
static bool is_due(const struct session *session, const struct rule *rule)
{
    // Foreign keys that were immediate when their statement ended were looked at there.
    return !is_deferred(session, rule->oid, rule->is_key ? rule->initially_deferred : true);
}

// Those from before the savepoint wait for it to be left, as notes do.
static void settle_events(struct session *session, struct deferred_state *state, uint64_t saved, bool all)
{
    struct event **at = &state->events;
    while (*at != NULL) {
        struct event *event = *at;
        const bool due = event->settled == 0 && (all || !is_deferred(session, event->oid, true));
        if (due && event->made <= saved) event->settled = ++state->clock;
        if (due && event->made > saved)
            *at = event->next;
        else
            at = &event->next;
    }
}

static struct status settle(struct task *task, struct session *session, bool all)
{
    struct status st = STATUS_OK;
    struct deferred_state *state = session->deferred;
    if (state == NULL) return st;
    const bool reads_weak = session->reads_weak;
    const bool weak = session->txn != NULL && kv_txn_is_weak(session->txn);
    for (struct rule *rule = state->rules; rule != NULL; rule = rule->next)
        rule->sql = NULL;
    struct note **at = &state->notes;
    const uint64_t saved = session->savepoints == NULL ? 0 : saved_at(state, session->savepoints);
    while (*at != NULL) {
        struct note *note = *at;
        bool due = note->settled == 0 && (all || is_due(session, note->rule));
        if (due) {
            TRY(check_note(task, session, state, note));
            TRY(task_yield_if_due(task));
        }
        // What repaired it may be undone by going back to the savepoint, before which it was made.
        if (due && note->made <= saved) note->settled = ++state->clock;
        if (!due || note->settled != 0) {
            at = &note->next;
            continue;
        }
        *at = note->next;
        if (note->next == NULL) state->end = at;
    }
    settle_events(session, state, saved, all);
    // What was found good may be broken, and noted, once more.
    hashmap_clear(&state->known);
out:
    session->reads_weak = reads_weak;
    if (session->txn != NULL) kv_txn_weaken(session->txn, weak);
    return st;
}

struct status deferred_settle_statement(struct task *task, struct session *session)
{
    bool any = false;
    if (session->deferred == NULL) return STATUS_OK;
    for (const struct note *note = session->deferred->notes; note != NULL && !any; note = note->next)
        any = note->settled == 0 && note->rule->is_key && is_due(session, note->rule);
    return any ? settle(task, session, false) : STATUS_OK;
}

static struct status before_commit(struct task *task, struct session *session)
{
    if (session->deferred == NULL || session->deferred->notes == NULL) return STATUS_OK;
    return settle(task, session, true);
}

static void after(struct task *task, struct session *session, bool committed)
{
    (void)task;
    (void)committed;
    struct deferred_state *state = session->deferred;
    if (state == NULL) return;
    session->deferred = NULL;
    arena_fini(&state->arena);
    free(state);
}

// --- SET CONSTRAINTS -------------------------------------------------------------------------------------

static void add_mode(struct session *session, uint32_t oid, bool deferred)
{
    struct deferred_state *state = state_of(session);
    struct mode *mode = ARENA_NEW(&state->arena, struct mode);
    *mode = (struct mode){.next = state->modes, .oid = oid, .deferred = deferred};
    state->modes = mode;
}

// Whether none of the table's constraints of the name would have to wait and cannot.
static bool add_of_table(struct session *session, const struct table_desc *table, const char *name,
    bool deferred, bool *found)
{
    for (uint32_t i = 0; i < table->index_count; i++) {
        const struct index_desc *index = &table->indexes[i];
        if (!index->from_constraint || strcmp(index->name, name) != 0) continue;
        *found = true;
        if (index->deferrable) add_mode(session, catalog_index_oid(table->id, index->id), deferred);
        else if (deferred) return false;
    }
    for (uint32_t i = 0; i < table->constraint_count; i++) {
        const struct constraint_desc *constraint = &table->constraints[i];
        if (strcmp(constraint->name, name) != 0) continue;
        *found = true;
        if (constraint->deferrable)
            add_mode(session, catalog_constraint_oid(table->id, constraint->id), deferred);
        else if (deferred) return false;
    }
    return true;
}

// All constraints of the name in the first schema of the path that has any.
static struct status add_named(struct statement_context *context, const struct object_name *name,
    const struct table_desc **tables, uint32_t count, bool deferred)
{
    struct status st = STATUS_OK;
    struct session *session = context->session;
    const char *const named[] = {name->schema, NULL};
    bool found = false;
    TRY(catalog_check_usage(context->task, session, NULL, name->schema));
    for (const char *const *path = name->schema != NULL ? named : session->search_path;
         *path != NULL && !found; path++) {
        const struct schema_desc *schema;
        TRY(catalog_schema(
            context->task, session, session->database, *path, name->schema == NULL, &schema));
        if (schema == NULL) continue;
        const uint32_t schema_id = schema->id;
        for (uint32_t i = 0; i < count; i++) {
            if (tables[i]->schema_id != schema_id) continue;
            if (!add_of_table(session, tables[i], name->name, deferred, &found))
                return status_format(context->arena, E_WRONG_OBJECT_TYPE,
                    "constraint \"%s\" is not deferrable", name->name);
        }
    }
    if (!found)
        st = status_format(context->arena, E_UNDEFINED_OBJECT, "constraint \"%s\" does not exist",
            name->name);
out:
    return st;
}

struct status deferred_set_execute(struct statement_context *context)
{
    struct status st = STATUS_OK;
    struct session *session = context->session;
    const struct set_constraints *set = context->statement->as.set_constraints;
    const struct database_desc *database;
    const struct table_desc **tables;
    uint32_t count;

    // Names are looked at in any case.
    if (!statement_in_block(session))
        session_notice(session, "WARNING",
            status_make(E_NO_ACTIVE_TRANSACTION,
                "SET CONSTRAINTS can only be used in transaction blocks"));
    if (set->names.count == 0) {
        // Earlier words on single constraints no longer count.
        state_of(session)->modes = NULL;
        add_mode(session, 0, set->deferred);
    } else {
        TRY(catalog_database(context->task, session, session->database, false, &database));
        TRY(catalog_list_tables(
            context->task, session, context->arena, database->id, &tables, &count));
        for (uint32_t i = 0; i < set->names.count; i++)
            TRY(add_named(context, &set->names.items[i], tables, count, set->deferred));
    }
    if (!set->deferred) TRY(settle(context->task, session, false));
out:
    return st;
}

void deferred_register(void)
{
    static const struct session_txn_hook hook = {.before_commit = before_commit, .after = after};
    static const struct statement_handler handler = {.tag = STATEMENT_SET_CONSTRAINTS,
        .flags = HANDLER_READ_ONLY,
        .execute = deferred_set_execute};
    session_txn_hook_register(&hook);
    statement_handler_register(&handler, 1);
}
