// SPDX-License-Identifier: GPL-3.0-or-later
#include "sql/ddl/temp.h"

#include <stdio.h>
#include <stdlib.h>

#include "core/invariant.h"
#include "core/shard.h"
#include "sql/parse/deparse.h"
#include "sql/session/internal.h"
#include "sql/session/shard_state.h"
#include "sql/session/vars.h"

#define ATTEMPTS_MAX 5

struct temp_table {
    struct temp_table *next;
    uint32_t id;
    enum on_commit on_commit;
};

struct temp_state {
    char name[32];
    struct temp_table *tables; // Those that something happens to at COMMIT.
};

bool temp_is_schema_name(const char *name)
{
    return strncmp(name, "pg_temp_", 8) == 0;
}

// --- the schema ------------------------------------------------------------------------------------------

static struct status create_schema(struct statement_context *context, uint32_t database_id)
{
    struct status st = STATUS_OK;
    struct session *session = context->session;
    struct name_value existing;
    uint32_t id;
    TRY(catalog_new_id(context->task, session->tenant, &id));
    if (session->temp == NULL) {
        session->temp = calloc(1, sizeof *session->temp);
        invariant(session->temp != NULL);
    }
    // Its number stays, should this transaction be rolled back.
    if (session->temp->name[0] == 0)
        snprintf(session->temp->name, sizeof session->temp->name, "pg_temp_%u", id);
    TRY(catalog_take_name(context->task, session, database_id, 0, session->temp->name,
        (struct name_value){.kind = NAME_SCHEMA, .id = id}, &existing));
    if (existing.id != 0)
        return ddl_error(context, E_DUPLICATE_SCHEMA, "schema \"%s\" already exists",
            session->temp->name);
    struct schema_desc schema = {.id = id,
        .database_id = database_id,
        .name = session->temp->name,
        .owner = ddl_owner(session),
        .temp_node = session->shard->node->id + 1u,
        .temp_created_us = session->start_us};
    TRY(catalog_put_schema(context->task, session, &schema));
    session->temp_name = session->temp->name;
    vars_refresh_search_path(session);
out:
    return st;
}

struct status temp_schema(struct statement_context *context, const struct schema_desc **schema)
{
    struct status st = STATUS_OK;
    const struct database_desc *database;
    *schema = NULL;
    if (context->session->temp_name != NULL)
        TRY(catalog_schema(context->task, context->session, NULL, context->session->temp_name, true,
            schema));
    if (*schema != NULL) goto out;
    TRY(catalog_database(context->task, context->session, NULL, false, &database));
    TRY(create_schema(context, database->id));
    TRY(catalog_schema(
        context->task, context->session, NULL, context->session->temp_name, false, schema));
out:
    return st;
}

struct status temp_target_schema(struct statement_context *context, const struct object_name *name,
    enum persistence persistence, const struct schema_desc **schema, bool *is_temp)
{
    bool named_temp = name->schema != NULL && (strcmp(name->schema, "pg_temp") == 0 ||
                                                  temp_is_schema_name(name->schema));
    *is_temp = persistence == PERSISTENCE_TEMPORARY || named_temp;
    if (!*is_temp) return ddl_target_schema(context, name, schema);
    if (name->schema != NULL && !named_temp)
        return ddl_error(context, E_INVALID_TABLE_DEFINITION,
            "cannot create temporary relation in non-temporary schema");
    if (named_temp && strcmp(name->schema, "pg_temp") != 0 &&
        (context->session->temp_name == NULL ||
            strcmp(name->schema, context->session->temp_name) != 0))
        return ddl_error(context, E_INVALID_TABLE_DEFINITION,
            "cannot create relations in temporary schemas of other sessions");
    return temp_schema(context, schema);
}

void temp_note(struct session *session, uint32_t table_id, enum on_commit on_commit)
{
    session->temp_generation++;
    if (on_commit == ON_COMMIT_NONE || on_commit == ON_COMMIT_PRESERVE) return;
    struct temp_table *table = calloc(1, sizeof *table);
    invariant(table != NULL);
    *table =
        (struct temp_table){.next = session->temp->tables, .id = table_id, .on_commit = on_commit};
    session->temp->tables = table;
}

bool temp_is_emptied(const struct session *session, uint32_t table_id)
{
    const struct temp_table *table = session->temp == NULL ? NULL : session->temp->tables;
    while (table != NULL && table->id != table_id) table = table->next;
    return table != NULL && table->on_commit == ON_COMMIT_DELETE;
}

// --- COMMIT ------------------------------------------------------------------------------------------------

static struct status at_commit(
    struct task *task, struct session *session, struct arena *arena, const struct temp_table *at)
{
    struct status st = STATUS_OK;
    const struct table_desc *table;
    struct internal_result result = {0};
    struct buffer name;
    // Gone meanwhile, or never made because its transaction was rolled back.
    st = catalog_table_by_id(task, session, at->id, &table);
    if (failed(st)) return status_is(st, E_UNDEFINED_TABLE) ? STATUS_OK : st;
    buffer_init(&name, arena);
    buffer_printf(&name, "%s.", session->temp->name);
    deparse_identifier(&name, table->name);
    const char *text = buffer_string(&name);
    if (at->on_commit == ON_COMMIT_DROP)
        return internal_query(task, session->tenant, session, arena, NULL,
            arena_printf(arena, "DROP TABLE IF EXISTS %s CASCADE", text), 0, NULL, NULL);
    TRY(internal_query(task, session->tenant, session, arena, &result,
        arena_printf(arena, "SELECT 1 FROM %s LIMIT 1", text), 0, NULL, NULL));
    if (result.row_count > 0)
        TRY(internal_query(task, session->tenant, session, arena, NULL,
            arena_printf(arena, "DELETE FROM %s", text), 0, NULL, NULL));
out:
    return st;
}

static struct status before_commit(struct task *task, struct session *session)
{
    struct status st = STATUS_OK;
    if (session->temp == NULL || session->temp->tables == NULL) return st;
    struct arena arena;
    arena_init(&arena, &session->account);
    for (const struct temp_table *at = session->temp->tables; at != NULL && !failed(st);
         at = at->next)
        st = at_commit(task, session, &arena, at);
    if (failed(st)) st = status_copy(&session->statement_arena, st);
    arena_fini(&arena);
    return st;
}

// --- the end -----------------------------------------------------------------------------------------------

struct drop_call {
    uint64_t tenant;
    const char *database, *name;
};

static struct status drop_once(struct task *task, struct session *own, const struct drop_call *call)
{
    struct status st = session_txn_begin(task, own, false);
    if (failed(st)) return st;
    struct arena arena;
    arena_init(&arena, &own->account);
    st = internal_query(task, call->tenant, own, &arena, NULL,
        arena_printf(&arena, "DROP SCHEMA IF EXISTS %s CASCADE", call->name), 0, NULL, NULL);
    if (failed(st)) {
        st = status_copy(task->arena, st);
        session_txn_rollback(task, own);
    } else {
        st = session_txn_commit(task, own);
        if (failed(st)) st = status_copy(task->arena, st);
    }
    arena_fini(&arena);
    return st;
}

static struct status drop_schema(struct task *task, void *arg)
{
    const struct drop_call *call = arg;
    struct session *own;
    struct status st = internal_session_open(task, call->tenant, call->database, &own);
    if (failed(st)) return st;
    for (uint32_t attempt = 0; attempt < ATTEMPTS_MAX; attempt++) {
        st = drop_once(task, own, call);
        if (!failed(st) || st.retry != RETRY_TRANSACTION) break;
    }
    internal_session_close(task, own);
    return st;
}

void temp_drop_all(struct task *task, struct session *session)
{
    if (session->temp == NULL) return;
    struct drop_call call = {
        .tenant = session->tenant, .database = session->database, .name = session->temp->name};
    // What cannot be dropped now is found by the next start.
    struct status st = task_uncancelled(task, drop_schema, &call);
    (void)st;
    while (session->temp->tables != NULL) {
        struct temp_table *next = session->temp->tables->next;
        free(session->temp->tables);
        session->temp->tables = next;
    }
    session->temp_generation++;
}

struct status temp_drop_in_transaction(struct task *task, struct session *session)
{
    struct status st;
    struct arena arena;
    void (*const notice)(struct session *, const char *, struct status) = session->notice;
    if (session->temp == NULL || session->temp_name == NULL) return STATUS_OK;
    arena_init(&arena, &session->account);
    session->notice = NULL; // Nobody has asked what goes with it.
    st = internal_query(task, session->tenant, session, &arena, NULL,
        arena_printf(&arena, "DROP SCHEMA IF EXISTS %s CASCADE", session->temp_name), 0, NULL, NULL);
    session->notice = notice;
    if (failed(st)) st = status_copy(&session->statement_arena, st);
    arena_fini(&arena);
    // What is to be done at COMMIT stays noted: of tables that are gone nothing is.
    session->temp_generation++;
    return st;
}

void temp_session_end(struct task *task, struct session *session)
{
    if (session->temp == NULL) return;
    temp_drop_all(task, session);
    free(session->temp);
    session->temp = NULL;
    session->temp_name = NULL;
}

// --- what a crash left behind ------------------------------------------------------------------------------

struct sweep {
    uint64_t tenant;
};

static struct status sweep_tenant(struct task *task, struct session *session, void *arg)
{
    struct status st = STATUS_OK;
    struct drop_call *calls = NULL, *each;
    uint32_t count = 0, call_count = 0;
    const struct database_desc **databases;
    const struct schema_desc **schemas;
    uint32_t database_count;
    struct sweep *sweep = arg;
    TRY(catalog_list_databases(task, session, task->arena, &databases, &database_count));
    TRY(catalog_list_schemas(task, session, task->arena, 0, &schemas, &count));
    calls = ARENA_ARRAY(task->arena, struct drop_call, count + 1);
    for (uint32_t i = 0; i < count; i++) {
        const struct schema_desc *schema = schemas[i];
        if (schema->temp_node != task->shard->node->id + 1u ||
            schema->temp_created_us >= sql_shard(task->shard)->started_us)
            continue;
        for (uint32_t k = 0; k < database_count; k++)
            if (databases[k]->id == schema->database_id)
                calls[call_count++] = (struct drop_call){.tenant = sweep->tenant,
                    .database = arena_strdup(task->arena, databases[k]->name),
                    .name = arena_strdup(task->arena, schema->name)};
    }
    // In transactions of their own: this one only looks.
    for (each = calls; each < calls + call_count; each++) TRY(drop_schema(task, each));
out:
    return st;
}

static struct status sweep_task(struct task *task, void *arg)
{
    struct sweep *sweep = arg;
    struct status st = internal_transaction(task, sweep->tenant, sweep_tenant, sweep);
    return st;
}

static void sweep_ended(struct task *task, struct status st, void *arg)
{
    (void)task;
    (void)st;
    free(arg);
}

void temp_sweep(struct task *task, struct session *session)
{
    struct hashmap *swept = &sql_shard(task->shard)->temp_swept;
    static char mark;
    if (hashmap_get_u64(swept, session->tenant) != NULL) return;
    hashmap_put_u64(swept, session->tenant, &mark);
    struct sweep *sweep = calloc(1, sizeof *sweep);
    invariant(sweep != NULL);
    sweep->tenant = session->tenant;
    const struct task_options options = {.fn = sweep_task,
        .arg = sweep,
        .kind = "temporary schemas",
        .tenant = session->tenant,
        .class = TASK_BULK,
        .ended = sweep_ended,
        .ended_arg = sweep};
    if (failed(task_start(task->shard, &options))) {
        hashmap_remove_u64(swept, session->tenant);
        free(sweep);
    }
}

void temp_register(void)
{
    static const struct session_txn_hook hook = {.before_commit = before_commit};
    session_txn_hook_register(&hook);
}
