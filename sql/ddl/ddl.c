// SPDX-License-Identifier: GPL-3.0-or-later
#include "sql/ddl/ddl.h"

#include <stdio.h>
#include <stdlib.h>

#include "core/invariant.h"
#include "sql/ddl/ddl_internal.h"
#include "sql/parse/deparse.h"
#include "sql/parse/parse.h"
#include "sql/service/jobs.h"
#include "sql/user/role.h"
#include "sql/service/settings.h"
#include "sql/service/zone_object.h"

struct ddl_state *ddl_state(struct session *session)
{
    if (session->ddl == NULL) {
        session->ddl = calloc(1, sizeof *session->ddl);
        invariant(session->ddl != NULL);
    }
    return session->ddl;
}

struct status ddl_add_job(struct session *session, int64_t id)
{
    struct ddl_state *state = ddl_state(session);
    if (state->job_count == DDL_JOBS_MAX)
        return status_make(E_PROGRAM_LIMIT_EXCEEDED,
            "too many schema changes with background work in one transaction");
    state->jobs[state->job_count++] = id;
    return STATUS_OK;
}

// --- the end of the transaction ------------------------------------------------------------------

static struct status before_commit(struct task *task, struct session *session)
{
    if (!catalog_view_is_changed(session->catalog)) return STATUS_OK;
    struct catalog_change_bounds bounds;
    struct status st =
        catalog_announce_begin(task, session->tenant, &ddl_state(session)->announced_id, &bounds);
    if (failed(st)) return st;
    ddl_state(session)->announced = true;
    kv_txn_commit_within(session->txn, bounds.after, bounds.until);
    return STATUS_OK;
}

static void after_transaction(struct task *task, struct session *session, bool committed)
{
    struct ddl_state *state = session->ddl;
    if (state == NULL) return;
    session->ddl = NULL;
    // A commit whose outcome is unknown may come yet: it lets go of the caches when its time is over.
    const bool over = committed || !session->commit_unsure;
    if (state->announced && over) catalog_announce_end(task, session->tenant, state->announced_id);
    if (state->announced && committed) zone_objects_note(session->shard, session->tenant);
    if (state->roles_changed) {
        struct status st = role_announce(task, session->tenant);
        (void)st; // A shard that is going down needs no telling.
    }
    for (uint32_t i = 0; committed && i < state->job_count; i++) {
        // What does not start now is found by adoption.
        struct status st = job_start_committed(task, session->tenant, state->jobs[i]);
        (void)st;
    }
    free(state);
}

// --- messages ------------------------------------------------------------------------------------

void ddl_notice(struct statement_context *context, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    char *message = arena_vprintf(context->arena, format, args);
    va_end(args);
    session_notice(
        context->session, "NOTICE", status_make(SQLSTATE('0', '0', '0', '0', '0'), message));
}

void ddl_notice_exists(struct statement_context *context, uint32_t code, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    char *message = arena_vprintf(context->arena, format, args);
    va_end(args);
    session_notice(context->session, "NOTICE", status_make(code, message));
}

void ddl_cascades_to(struct statement_context *context, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    const char *what = arena_vprintf(context->arena, format, args);
    va_end(args);
    for (uint32_t i = 0; i < context->cascade_count; i++)
        if (strcmp(context->cascades[i], what) == 0) return; // Two ways lead there.
    DDL_APPEND(context->arena, context->cascades, context->cascade_count, what);
}

struct status ddl_error(struct statement_context *context, uint32_t code, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    char *message = arena_vprintf(context->arena, format, args);
    va_end(args);
    return status_make(code, message);
}

struct status ddl_at(struct statement_context *context, struct status st, uint32_t position)
{
    const enum statement_tag tag = context->statement->tag;
    if (!failed(st) || position == POSITION_NONE) return st;
    if (tag != STATEMENT_CREATE_TABLE && tag != STATEMENT_CREATE_INDEX) return st;
    return status_position(context->arena, st, parse_position(context->text, position));
}

struct status ddl_names(struct statement_context *context, struct status st,
    const struct table_desc *table, const char *column, const char *constraint)
{
    return catalog_status_names(
        context->task, context->session, context->arena, st, table, column, constraint);
}

const char *ddl_shown(struct statement_context *context, const struct table_desc *table)
{
    const struct schema_desc *schema, *other = NULL;
    const char *const *path = context->session->search_path;
    if (failed(catalog_schema_by_id(context->task, context->session, table->schema_id, &schema)))
        return table->name;
    const char *temp = context->session->temp_name; // First in every path.
    if (temp != NULL && strcmp(schema->name, temp) == 0) return table->name;
    // By its name alone: another that stands in front of it or, when it is gone already, behind it.
    const struct table_desc *found = NULL;
    struct status st = catalog_table(
        context->task, context->session, NULL, NULL, table->name, true, &found);
    if (!failed(st) && found != NULL && found->id != table->id &&
        failed(catalog_schema_by_id(context->task, context->session, found->schema_id, &other)))
        other = NULL;
    bool hidden = other != NULL && temp != NULL && strcmp(other->name, temp) == 0;
    for (; !hidden && path != NULL && *path != NULL; path++) {
        if (strcmp(*path, schema->name) == 0) return table->name;
        hidden = other != NULL && strcmp(*path, other->name) == 0;
    }
    return arena_printf(context->arena, "%s.%s", schema->name, table->name);
}

struct status ddl_unsupported(struct statement_context *context, const char *what)
{
    return ddl_error(context, E_FEATURE_NOT_SUPPORTED, "%s is not supported", what);
}

const char *ddl_owner(const struct session *session)
{
    return session->internal ? ROLE_ADMIN : session->user;
}

// --- names ---------------------------------------------------------------------------------------

struct status ddl_target_schema(struct statement_context *context, const struct object_name *name,
    const struct schema_desc **schema)
{
    struct status st = STATUS_OK;
    struct task *task = context->task;
    struct session *session = context->session;

    *schema = NULL;
    if (name->schema != NULL) {
        TRY(catalog_schema(task, session, name->catalog, name->schema, true, schema));
        if (*schema == NULL && name->catalog == NULL) {
            // db.t: as in lookups, the schema is public when the first part names a database.
            const struct database_desc *database;
            TRY(catalog_database(task, session, name->schema, true, &database));
            if (database != NULL)
                TRY(catalog_schema(task, session, name->schema, "public", true, schema));
        }
        if (*schema == NULL)
            TRY(catalog_schema(task, session, name->catalog, name->schema, false, schema));
    } else {
        for (uint32_t i = 0; session->search_path != NULL && session->search_path[i] != NULL; i++) {
            if (catalog_virtual_schema(session->search_path[i]) != NULL ||
                session->search_path[i] == session->temp_name)
                continue;
            TRY(catalog_schema(task, session, NULL, session->search_path[i], true, schema));
            if (*schema != NULL) break;
        }
        if (*schema == NULL) {
            const struct database_desc *database;
            TRY(catalog_database(task, session, NULL, false, &database));
            st = ddl_error(
                context, E_INVALID_SCHEMA_NAME, "no schema has been selected to create in");
            goto out;
        }
    }
    if ((*schema)->database_id == 0) {
        st = ddl_error(
            context, E_INSUFFICIENT_PRIVILEGE, "permission denied for schema %s", (*schema)->name);
        goto out;
    }
    TRY(privilege_check_schema(task, session, *schema, PRIVILEGE_CREATE));
    // Read through the transaction, so that a DROP SCHEMA meanwhile is a conflict.
    struct name_value value;
    TRY(catalog_peek_name(task, session, (*schema)->database_id, 0, (*schema)->name, &value));
    if (value.id != (*schema)->id)
        st = status_make_retry(E_SERIALIZATION_FAILURE, RETRY_TRANSACTION,
            "restart transaction: the schema was changed by another transaction");
out:
    return st;
}

static const char *kind_title(enum object_kind kind)
{
    switch (kind) {
    case OBJECT_VIEW: return "view";
    case OBJECT_MATERIALIZED_VIEW: return "materialized view";
    case OBJECT_SEQUENCE: return "sequence";
    case OBJECT_INDEX: return "index";
    case OBJECT_TABLE: return "table";
    default: return "relation";
    }
}

struct status ddl_check_kind(
    struct statement_context *context, const struct table_desc *table, enum object_kind kind)
{
    bool fits = true;
    if (kind == OBJECT_TABLE) fits = table->kind == RELATION_TABLE && !table->materialized;
    if (kind == OBJECT_MATERIALIZED_VIEW) fits = table->materialized;
    if (kind == OBJECT_VIEW) fits = table->kind == RELATION_VIEW;
    if (kind == OBJECT_SEQUENCE) fits = table->kind == RELATION_SEQUENCE;
    if (fits && table->kind != RELATION_VIRTUAL) return STATUS_OK;
    if (table->kind == RELATION_VIRTUAL)
        return ddl_error(context, E_INSUFFICIENT_PRIVILEGE,
            "permission denied: \"%s\" is a system catalog", table->name);
    return ddl_error(
        context, E_WRONG_OBJECT_TYPE, "\"%s\" is not a %s", table->name, kind_title(kind));
}

struct status ddl_check_schema(struct statement_context *context, const struct object_name *name)
{
    const struct schema_desc *schema;
    if (name->schema == NULL) return STATUS_OK;
    return catalog_schema(
        context->task, context->session, name->catalog, name->schema, false, &schema);
}

// A name that is an index's or a composite type's.
static struct status wrong_kind(struct statement_context *context, const struct object_name *name,
    enum object_kind kind, enum other_relation other)
{
    bool drop = context->statement->tag == STATEMENT_DROP, index = other == OTHER_INDEX;
    if (!drop && (!index || kind == OBJECT_OTHER)) {
        struct status st = ddl_error(context, E_WRONG_OBJECT_TYPE, "\"%s\" is %s", name->name,
            index ? "an index" : "a composite type");
        bool alter = context->statement->tag == STATEMENT_ALTER_TABLE ||
                     context->statement->tag == STATEMENT_RENAME;
        return alter && !index ? status_hint(context->arena, st, "Use ALTER TYPE instead.") : st;
    }
    struct status st = ddl_error(
        context, E_WRONG_OBJECT_TYPE, "\"%s\" is not a %s", name->name, kind_title(kind));
    if (!drop) return st;
    return status_hint(context->arena, st, "Use DROP %s to remove %s.", index ? "INDEX" : "TYPE",
        index ? "an index" : "a type");
}

struct status ddl_find(struct statement_context *context, const struct object_name *name,
    bool missing_ok, enum object_kind kind, const struct table_desc **table)
{
    struct status st = STATUS_OK;
    struct task *task = context->task;
    bool drop = context->statement->tag == STATEMENT_DROP;

    TRY(catalog_table(task, context->session, name->catalog, name->schema, name->name, true, table));
    if (*table == NULL) {
        enum other_relation other;
        TRY(catalog_other_relation(
            task, context->session, name->catalog, name->schema, name->name, &other));
        if (other != OTHER_NOTHING) return wrong_kind(context, name, kind, other);
        if (missing_ok) {
            ddl_notice(context, "%s \"%s\" does not exist, skipping",
                drop ? kind_title(kind) : "relation", name->name);
            goto out;
        }
        TRY(ddl_check_schema(context, name));
        if (drop) // The message names the kind.
            return ddl_error(context, E_UNDEFINED_TABLE, "%s \"%s\" does not exist",
                kind_title(kind), name->name);
        return catalog_table(
            task, context->session, name->catalog, name->schema, name->name, false, table);
    }
    TRY(ddl_check_kind(context, *table, kind));
out:
    return st;
}

struct status ddl_edit(struct statement_context *context, const struct object_name *name,
    bool missing_ok, enum object_kind kind, struct table_desc **table)
{
    struct status st = STATUS_OK;
    const struct table_desc *found;

    *table = NULL;
    TRY(ddl_find(context, name, missing_ok, kind, &found));
    if (found == NULL) goto out;
    TRY(catalog_edit_table(context->task, context->session, context->arena, found->id, table));
    TRY(privilege_check_owner(
        context->task, context->session, (*table)->owner, kind, (*table)->name));
    // Dropping is always possible: a job that finds its table gone ends.
    if (ddl_is_unfinished(*table) && context->statement->tag != STATEMENT_DROP)
        st = ddl_error(context, E_OBJECT_IN_USE,
            "relation \"%s\" is being changed by another schema change", (*table)->name);
out:
    return st;
}

bool ddl_has_id(const uint32_t *ids, uint32_t count, uint32_t id)
{
    for (uint32_t i = 0; i < count; i++) {
        if (ids[i] == id) return true;
    }
    return false;
}

void ddl_remove_id(uint32_t *ids, uint32_t *count, uint32_t id)
{
    for (uint32_t i = 0; i < *count; i++) {
        if (ids[i] != id) continue;
        DDL_REMOVE(ids, *count, i);
        return;
    }
}

bool ddl_is_unfinished(const struct table_desc *table)
{
    if (table->writes_blocked || table->rewrite != NULL) return true;
    for (uint32_t i = 0; i < table->index_count; i++) {
        if (table->indexes[i].state != ELEMENT_PUBLIC) return true;
    }
    for (uint32_t i = 0; i < table->constraint_count; i++) {
        if (table->constraints[i].state != ELEMENT_PUBLIC) return true;
    }
    return false;
}

uint64_t ddl_inline_rows(struct statement_context *context)
{
    // One that has lost against writers would lose again: a job wins, batch by batch.
    if (context->session->attempt > 0) return 0;
    return (uint64_t)settings_int(
        context->session->shard, context->session->tenant, "sql.schema_change.inline_rows");
}

struct status ddl_take_name(struct statement_context *context, uint32_t database_id,
    uint32_t schema_id, const char *name, struct name_value value, bool *taken)
{
    struct name_value existing;
    struct status st = catalog_take_name(
        context->task, context->session, database_id, schema_id, name, value, &existing);
    *taken = existing.id != 0;
    return st;
}

struct status ddl_name_taken(struct statement_context *context, const char *name)
{
    return ddl_error(context, E_DUPLICATE_TABLE, "relation \"%s\" already exists", name);
}

// PostgreSQL's way of making names: the longer of the two parts gives way until all fits into 63 bytes.
char *ddl_join_name(
    struct arena *arena, const char *name1, const char *name2, const char *label, uint32_t number)
{
    char suffix[80];
    size_t size1 = strlen(name1), size2 = name2 == NULL ? 0 : strlen(name2);
    if (number == 0)
        snprintf(
            suffix, sizeof suffix, "%s%s", label == NULL ? "" : "_", label == NULL ? "" : label);
    else
        snprintf(suffix, sizeof suffix, "_%s%u", label == NULL ? "" : label, number);
    size_t overhead = strlen(suffix) + (size2 > 0 ? 1 : 0);
    while (size1 + size2 + overhead > IDENTIFIER_BYTES_MAX) {
        if (size1 >= size2)
            size1--;
        else
            size2--;
    }
    // Never half a character.
    while (size1 > 0 && ((uint8_t)name1[size1] & 0xc0) == 0x80)
        size1--;
    while (size2 > 0 && ((uint8_t)name2[size2] & 0xc0) == 0x80)
        size2--;
    return arena_printf(arena, "%.*s%s%.*s%s", (int)size1, name1, size2 > 0 ? "_" : "", (int)size2,
        name2 == NULL ? "" : name2, suffix);
}

struct status ddl_choose_name(struct statement_context *context, uint32_t database_id,
    uint32_t schema_id, const char *name1, const char *name2, const char *label,
    const char **chosen)
{
    struct status st = STATUS_OK;
    struct name_value value;

    for (uint32_t number = 0;; number++) {
        *chosen = ddl_join_name(context->arena, name1, name2, label, number);
        TRY(catalog_peek_name(
            context->task, context->session, database_id, schema_id, *chosen, &value));
        if (value.id == 0) break;
    }
out:
    return st;
}

struct status ddl_qualified_name(
    struct statement_context *context, const struct table_desc *table, const char **text)
{
    struct status st = STATUS_OK;
    const struct database_desc *database;
    const struct schema_desc *schema;
    struct buffer out;

    TRY(catalog_database_by_id(context->task, context->session, table->database_id, &database));
    TRY(catalog_schema_by_id(context->task, context->session, table->schema_id, &schema));
    buffer_init(&out, context->arena);
    deparse_identifier(&out, database->name);
    buffer_append_u8(&out, '.');
    deparse_identifier(&out, schema->name);
    buffer_append_u8(&out, '.');
    deparse_identifier(&out, table->name);
    *text = buffer_string(&out);
out:
    return st;
}

// --- registration --------------------------------------------------------------------------------

static const struct statement_handler handlers[] = {
    {.tag = STATEMENT_CREATE_COLLATION, .flags = HANDLER_DDL, .execute = ddl_create_collation},
    {.tag = STATEMENT_CREATE_FUNCTION, .flags = HANDLER_DDL, .execute = ddl_create_function},
    {.tag = STATEMENT_CALL, .flags = HANDLER_READ_ONLY, .describe = ddl_describe_call, .execute = ddl_call},
    {.tag = STATEMENT_ALTER_FUNCTION, .flags = HANDLER_DDL, .execute = ddl_alter_function},
    {.tag = STATEMENT_CREATE_COMPOSITE, .flags = HANDLER_DDL, .execute = ddl_create_composite},
    {.tag = STATEMENT_CREATE_ENUM, .flags = HANDLER_DDL, .execute = ddl_create_enum},
    {.tag = STATEMENT_ALTER_ENUM, .flags = HANDLER_DDL, .execute = ddl_alter_enum},
    {.tag = STATEMENT_CREATE_DOMAIN, .flags = HANDLER_DDL, .execute = ddl_create_domain},
    {.tag = STATEMENT_ALTER_DOMAIN, .flags = HANDLER_DDL, .execute = ddl_alter_domain},
    {.tag = STATEMENT_CREATE_DATABASE, .flags = HANDLER_DDL, .execute = ddl_create_database},
    {.tag = STATEMENT_CREATE_EXTENSION, .flags = HANDLER_DDL, .execute = ddl_create_extension},
    {.tag = STATEMENT_ALTER_DATABASE, .flags = HANDLER_DDL, .execute = ddl_alter_database},
    {.tag = STATEMENT_CREATE_SCHEMA, .flags = HANDLER_DDL, .execute = ddl_create_schema},
    {.tag = STATEMENT_CREATE_TABLE, .flags = HANDLER_DDL, .execute = ddl_create_table},
    {.tag = STATEMENT_CREATE_TABLE_AS, .flags = HANDLER_DDL, .execute = ddl_create_table_as},
    {.tag = STATEMENT_CREATE_MATERIALIZED_VIEW,
        .flags = HANDLER_DDL,
        .execute = ddl_create_materialized_view},
    {.tag = STATEMENT_REFRESH_MATERIALIZED_VIEW,
        .flags = HANDLER_DDL,
        .execute = ddl_refresh_view},
    {.tag = STATEMENT_CREATE_VIEW, .flags = HANDLER_DDL, .execute = ddl_create_view},
    {.tag = STATEMENT_CREATE_INDEX, .flags = HANDLER_DDL, .execute = ddl_create_index},
    {.tag = STATEMENT_REINDEX, .flags = HANDLER_DDL | HANDLER_READ_ONLY, .execute = ddl_reindex},
    {.tag = STATEMENT_CREATE_SEQUENCE, .flags = HANDLER_DDL, .execute = ddl_create_sequence_statement},
    {.tag = STATEMENT_ALTER_SEQUENCE, .flags = HANDLER_DDL, .execute = ddl_alter_sequence},
    {.tag = STATEMENT_CREATE_STATISTICS, .flags = HANDLER_DDL, .execute = ddl_create_statistics},
    {.tag = STATEMENT_ALTER_STATISTICS, .flags = HANDLER_DDL, .execute = ddl_alter_statistics},
    {.tag = STATEMENT_ALTER_TABLE, .flags = HANDLER_DDL, .execute = ddl_alter_table},
    {.tag = STATEMENT_RENAME, .flags = HANDLER_DDL, .execute = ddl_rename},
    {.tag = STATEMENT_ALTER_OWNER, .flags = HANDLER_DDL, .execute = ddl_alter_owner},
    {.tag = STATEMENT_ALTER_OBJECT_SCHEMA, .flags = HANDLER_DDL, .execute = ddl_alter_schema},
    {.tag = STATEMENT_DROP, .flags = HANDLER_DDL, .execute = ddl_drop},
    {.tag = STATEMENT_DROP_DATABASE, .flags = HANDLER_DDL, .execute = ddl_drop_database},
    {.tag = STATEMENT_TRUNCATE, .flags = HANDLER_DDL, .execute = ddl_truncate},
    {.tag = STATEMENT_COMMENT, .flags = HANDLER_DDL, .execute = ddl_comment},
};

void ddl_statements_register(void)
{
    static const struct session_txn_hook hook = {
        .before_commit = before_commit, .after = after_transaction};
    session_txn_hook_register(&hook);
    statement_handler_register(handlers, sizeof handlers / sizeof handlers[0]);
}
