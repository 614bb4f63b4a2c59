// SPDX-License-Identifier: GPL-3.0-or-later
//
// RENAME, SET SCHEMA, OWNER TO; and what CREATE and ALTER DATABASE and CREATE SCHEMA do.
#include "sql/ddl/ddl_internal.h"
#include "sql/ddl/ddl_large_object.h"
#include "sql/catalog/pg_catalog.h"

#include <strings.h>

#include "sql/user/role.h"
#include "sql/session/execute.h"
#include "sql/user/role_predefined.h"

// --- databases and schemas -----------------------------------------------------------------------------

static struct status check_may_create_database(struct statement_context *context)
{
    struct status st = STATUS_OK;
    struct session *session = context->session;
    struct role *role;
    bool allowed;

    if (session->internal || session->superuser) return STATUS_OK;
    TRY(role_find(context->task, session->tenant, context->arena, session->user, NULL, &role));
    allowed = role != NULL && role->create_db;
    if (!allowed)
        TRY(privilege_has_system(context->task, session, session->user, "CREATEDB", &allowed));
    if (!allowed)
        st = ddl_error(context, E_INSUFFICIENT_PRIVILEGE, "permission denied to create database");
out:
    return st;
}

// What is true of every database here may be said; nothing else.
static struct status database_option(
    struct statement_context *context, const struct option *option, struct database_desc *database)
{
    struct status st = STATUS_OK;
    struct bytes text = {0};
    bool exists;

    if (option->value != NULL && option->value->kind == EXPR_LITERAL)
        text = option->value->literal.text;
    const char *value = arena_string(context->arena, text);
    if (strcmp(option->name, "owner") == 0) {
        TRY(role_exists(context->task, context->session, value, &exists));
        if (!exists)
            return ddl_error(context, E_UNDEFINED_OBJECT, "role \"%s\" does not exist", value);
        database->owner = value;
    } else if (strcmp(option->name, "encoding") == 0) {
        if (strcasecmp(value, "UTF8") != 0 && strcasecmp(value, "UTF-8") != 0 &&
            strcasecmp(value, "unicode") != 0)
            return ddl_unsupported(context, "an encoding other than UTF8");
    } else if (strcmp(option->name, "template") == 0) {
        if (strcmp(value, "template0") != 0 && strcmp(value, "template1") != 0)
            return ddl_unsupported(context, "a template database");
    } else if ((strcmp(option->name, "lc_collate") != 0 && strcmp(option->name, "lc_ctype") != 0 &&
                   strcmp(option->name, "locale") != 0) ||
               (strcmp(value, "C") != 0 && strcmp(value, "POSIX") != 0 &&
                   strcmp(value, "C.UTF-8") != 0)) {
        return ddl_error(context, E_FEATURE_NOT_SUPPORTED,
            "option \"%s\" of CREATE DATABASE is not supported", option->name);
    } else if (strcmp(option->name, "lc_ctype") != 0) {
        database->collate = value;
    }
out:
    return st;
}

static struct status put_public_schema(struct statement_context *context, uint32_t database_id)
{
    struct status st = STATUS_OK;
    struct name_value existing;
    uint32_t id;
    // Who owns the database may create in its schema public, others once they are told that they may. Databases that were
    // made when everybody might keep what they were made with.
    struct privilege_grant grant = {.role = ROLE_PUBLIC_NAME, .privileges = PRIVILEGE_USAGE};

    TRY(catalog_new_id(context->task, context->session->tenant, &id));
    TRY(catalog_take_name(context->task, context->session, database_id, 0, "public",
        (struct name_value){.kind = NAME_SCHEMA, .id = id}, &existing));
    struct schema_desc schema = {.id = id,
        .database_id = database_id,
        .name = "public",
        .owner = ROLE_DATABASE_OWNER,
        .grants = &grant,
        .grant_count = 1};
    TRY(catalog_put_schema(context->task, context->session, &schema));
out:
    return st;
}

struct status ddl_create_extension(struct statement_context *context)
{
    const struct create_extension *create = context->statement->as.create_extension;
    // Dumps of PostgreSQL name it whether they need it or not.
    if (strcmp(create->name, "plpgsql") == 0 && create->if_not_exists) {
        session_notice(context->session, "WARNING",
            ddl_error(context, E_FEATURE_NOT_SUPPORTED,
                "PL/pgSQL is not supported: functions written in it are refused"));
        return STATUS_OK;
    }
    if (pg_extension_oid(create->name) == 0)
        return ddl_error(context, E_FEATURE_NOT_SUPPORTED, "extension \"%s\" is not available",
            create->name);
    if (!create->if_not_exists)
        return ddl_error(
            context, E_DUPLICATE_OBJECT, "extension \"%s\" already exists", create->name);
    ddl_notice_exists(context, E_DUPLICATE_OBJECT, "extension \"%s\" already exists, skipping", create->name);
    return STATUS_OK;
}

struct status ddl_create_database(struct statement_context *context)
{
    struct status st = STATUS_OK;
    const struct create_database *create = context->statement->as.create_database;
    struct task *task = context->task;
    struct session *session = context->session;
    struct name_value existing;
    struct privilege_grant grant = {
        .role = ROLE_PUBLIC_NAME, .privileges = PRIVILEGE_CONNECT | PRIVILEGE_TEMPORARY};
    struct database_desc database = {
        .name = create->name, .owner = ddl_owner(session), .grants = &grant, .grant_count = 1};
    uint32_t id;
    TRY(statement_alone(session, context->arena, "CREATE DATABASE"));

    TRY(check_may_create_database(context));
    for (uint32_t i = 0; i < create->options.count; i++)
        TRY(database_option(context, &create->options.items[i], &database));
    TRY(catalog_new_id(task, session->tenant, &id));
    TRY(catalog_take_name(task, session, 0, 0, create->name,
        (struct name_value){.kind = NAME_DATABASE, .id = id}, &existing));
    if (existing.id != 0) {
        if (!create->if_not_exists)
            return ddl_error(
                context, E_DUPLICATE_DATABASE, "database \"%s\" already exists", create->name);
        ddl_notice(context, "database \"%s\" already exists, skipping", create->name);
        goto out;
    }
    database.id = id;
    TRY(catalog_put_database(task, session, &database));
    TRY(put_public_schema(context, id));
out:
    return st;
}

struct status ddl_alter_database(struct statement_context *context)
{
    const struct alter_database *alter = context->statement->as.alter_database;
    const char *option = alter->options.count > 0 ? alter->options.items[0].name : "WITH";
    return ddl_error(context, E_FEATURE_NOT_SUPPORTED,
        "option \"%s\" of ALTER DATABASE is not supported", option);
}

static struct status schema_owner(
    struct statement_context *context, const struct create_schema *create, const char **owner)
{
    *owner = ddl_owner(context->session);
    if (!create->has_owner) return STATUS_OK;
    return role_resolve(context->task, context->session, &create->owner, false, owner);
}

// The name of what the element makes (of an index: of its table); NULL of one that makes nothing.
static struct object_name *element_name(struct statement *element)
{
    switch (element->tag) {
    case STATEMENT_CREATE_TABLE: return &element->as.create_table->name;
    case STATEMENT_CREATE_VIEW: return &element->as.create_view->name;
    case STATEMENT_CREATE_SEQUENCE: return &element->as.sequence->name;
    case STATEMENT_CREATE_INDEX: return &element->as.create_index->table;
    default: return NULL;
    }
}

static struct status create_element(
    struct statement_context *context, struct statement *element, const char *schema)
{
    struct statement_context inner = *context;
    struct object_name *name = element_name(element);
    inner.statement = element;
    if (name != NULL && name->schema != NULL && strcmp(name->schema, schema) != 0)
        return ddl_error(context, SQLSTATE('4', '2', 'P', '1', '5'),
            "CREATE specifies a schema (%s) different from the one being created (%s)",
            name->schema, schema);
    if (name != NULL) name->schema = schema;
    switch (element->tag) {
    case STATEMENT_CREATE_TABLE: return ddl_create_table(&inner);
    case STATEMENT_CREATE_VIEW: return ddl_create_view(&inner);
    case STATEMENT_CREATE_SEQUENCE: return ddl_create_sequence_statement(&inner);
    case STATEMENT_CREATE_INDEX: return ddl_create_index(&inner);
    case STATEMENT_GRANT: return privilege_grant_execute(&inner);
    default: return ddl_unsupported(context, statement_name(element));
    }
}

// As the schema's owner, with the schema searched first; sequences before tables, tables before views, and so on,
// whatever their order in the statement.
static struct status create_elements(struct statement_context *context,
    const struct create_schema *create, const char *schema, const char *owner)
{
    static const enum statement_tag order[] = {STATEMENT_CREATE_SEQUENCE, STATEMENT_CREATE_TABLE,
        STATEMENT_CREATE_VIEW, STATEMENT_CREATE_INDEX, STATEMENT_GRANT};
    enum { KINDS = sizeof order / sizeof order[0] };
    struct status st = STATUS_OK;
    struct session *session = context->session;
    const char *const *path = session->search_path;
    const char *user = session->user;
    uint32_t length = 0;
    if (create->element_count == 0) return st;
    while (path[length] != NULL) length++;
    const char **searched = ARENA_ARRAY(context->arena, const char *, length + 2);
    searched[0] = schema;
    memcpy(searched + 1, path, length * sizeof *searched);
    session->search_path = searched;
    session->path.fixed = true;
    session->user = owner;
    for (uint32_t kind = 0; kind <= KINDS && !failed(st); kind++) {
        for (uint32_t i = 0; i < create->element_count && !failed(st); i++) {
            uint32_t at = 0;
            while (at < KINDS && order[at] != create->elements[i]->tag) at++;
            if (at == kind) st = create_element(context, create->elements[i], schema);
        }
    }
    session->path.fixed = false;
    session->search_path = path;
    session->user = user;
    return st;
}

struct status ddl_create_schema(struct statement_context *context)
{
    struct status st = STATUS_OK;
    const struct create_schema *create = context->statement->as.create_schema;
    struct task *task = context->task;
    struct session *session = context->session;
    const struct database_desc *database;
    struct name_value existing;
    const char *owner, *name = create->name;
    uint32_t id;

    TRY(schema_owner(context, create, &owner));
    if (name == NULL) name = owner;
    if (strncmp(name, "pg_", 3) == 0 || catalog_virtual_schema(name) != NULL) {
        st = ddl_error(context, E_RESERVED_NAME, "unacceptable schema name \"%s\"", name);
        return status_detail(
            context->arena, st, "The prefix \"pg_\" is reserved for system schemas.");
    }
    TRY(catalog_database(task, session, NULL, false, &database));
    TRY(privilege_check_database(task, session, database, PRIVILEGE_CREATE));
    // Read through the transaction: a DROP DATABASE meanwhile is a conflict.
    TRY(catalog_peek_name(task, session, 0, 0, database->name, &existing));
    TRY(catalog_new_id(task, session->tenant, &id));
    uint32_t database_id = database->id;
    TRY(catalog_take_name(task, session, database_id, 0, name,
        (struct name_value){.kind = NAME_SCHEMA, .id = id}, &existing));
    if (existing.id != 0) {
        if (!create->if_not_exists)
            return ddl_error(context, E_DUPLICATE_SCHEMA, "schema \"%s\" already exists", name);
        ddl_notice_exists(context, E_DUPLICATE_SCHEMA, "schema \"%s\" already exists, skipping", name);
        goto out;
    }
    struct schema_desc schema = {
        .id = id, .database_id = database_id, .name = name, .owner = owner};
    TRY(privilege_default_grants(
        context, OBJECT_SCHEMA, database_id, 0, owner, &schema.grants, &schema.grant_count));
    TRY(catalog_put_schema(task, session, &schema));
    TRY(create_elements(context, create, name, owner));
out:
    return st;
}

// --- RENAME --------------------------------------------------------------------------------------------

// DROP INDEX alone says that an index does not exist; elsewhere it is a relation.
struct status ddl_find_index(struct statement_context *context, const struct object_name *name,
    bool missing_ok, const struct table_desc **table, const struct index_desc **index)
{
    struct status st = catalog_index(context->task, context->session, name->catalog, name->schema,
        name->name, missing_ok, table, index);
    if (status_is(st, E_UNDEFINED_OBJECT))
        return ddl_error(
            context, E_UNDEFINED_TABLE, "relation \"%s\" does not exist", name->name);
    return st;
}

struct status ddl_may_create_in(struct statement_context *context, uint32_t schema_id)
{
    const struct schema_desc *schema;
    struct status st = catalog_schema_by_id(context->task, context->session, schema_id, &schema);
    return failed(st) ? st : privilege_check_schema(context->task, context->session, schema, PRIVILEGE_CREATE);
}

static struct status rename_index_statement(
    struct statement_context *context, const struct rename *rename);

static struct status rename_relation(
    struct statement_context *context, const struct rename *rename, enum object_kind kind)
{
    struct status st = STATUS_OK;
    struct table_desc *table;
    bool taken;

    st = ddl_edit(context, &rename->name, rename->if_exists, kind, &table);
    // Of an index, too, ALTER TABLE changes the name.
    if (status_is(st, E_WRONG_OBJECT_TYPE) && kind == OBJECT_OTHER) {
        const struct table_desc *indexed;
        const struct index_desc *index;
        struct status found = ddl_find_index(context, &rename->name, true, &indexed, &index);
        if (!failed(found) && index != NULL) return rename_index_statement(context, rename);
    }
    TRY(st);
    if (table == NULL) goto out;
    TRY(ddl_may_create_in(context, table->schema_id));
    TRY(ddl_take_name(context, table->database_id, table->schema_id, rename->new_name,
        (struct name_value){.kind = NAME_RELATION, .id = table->id}, &taken));
    if (taken) return ddl_name_taken(context, rename->new_name);
    TRY(ddl_rename_in_views(context,
        &(struct ddl_rename_in_views){.table_id = table->id, .new_table = rename->new_name}));
    TRY(catalog_free_name(
        context->task, context->session, table->database_id, table->schema_id, table->name));
    table->name = rename->new_name;
    TRY(catalog_put_table(context->task, context->session, table));
out:
    return st;
}

static struct status rename_column(struct statement_context *context, const struct rename *rename)
{
    struct status st = STATUS_OK;
    struct table_desc *table;
    struct arena *arena = context->arena;
    const char *from = rename->part, *to = rename->new_name;

    TRY(ddl_edit(context, &rename->name, rename->if_exists, OBJECT_OTHER, &table));
    if (table == NULL) goto out;
    if (table->kind == RELATION_SEQUENCE)
        return status_detail(arena,
            ddl_error(context, E_WRONG_OBJECT_TYPE, "cannot rename columns of relation \"%s\"",
                table->name),
            "This operation is not supported for sequences.");
    struct column_desc *column = ddl_column(table, from);
    if (column == NULL)
        return ddl_error(context, E_UNDEFINED_COLUMN, "column \"%s\" does not exist", from);
    if (ddl_column(table, to) != NULL)
        return ddl_error(context, E_DUPLICATE_COLUMN,
            "column \"%s\" of relation \"%s\" already exists", to, table->name);
    if (table->kind == RELATION_TABLE) TRY(ddl_check_column_name(context, to));
    if (table->view_sql != NULL) return ddl_rename_view_column(context, table->id, from, to);
    TRY(ddl_rename_in_views(context,
        &(struct ddl_rename_in_views){
            .table_id = table->id, .column = from, .new_column = to}));
    column->name = to;
    for (uint32_t i = 0; i < table->column_count; i++)
        TRY(ddl_rename_in_text(arena, &table->columns[i].generated_sql, from, to));
    for (uint32_t i = 0; i < table->constraint_count; i++)
        TRY(ddl_rename_in_text(arena, &table->constraints[i].check_sql, from, to));
    for (uint32_t i = 0; i < table->index_count; i++) {
        struct index_desc *index = &table->indexes[i];
        TRY(ddl_rename_in_text(arena, &index->predicate_sql, from, to));
        for (uint32_t k = 0; k < index->column_count; k++)
            TRY(ddl_rename_in_text(arena, &index->columns[k].expression_sql, from, to));
    }
    for (uint32_t i = 0; i < table->statistics_count; i++)
        for (uint32_t k = 0; k < table->statistics[i].expression_count; k++)
            TRY(ddl_rename_in_text(arena, &table->statistics[i].expressions[k].sql, from, to));
    TRY(catalog_put_table(context->task, context->session, table));
out:
    return st;
}

static struct status rename_index(struct statement_context *context, struct table_desc *table,
    struct index_desc *index, const char *to)
{
    struct status st = STATUS_OK;
    bool taken;
    TRY(ddl_take_name(context, table->database_id, table->schema_id, to,
        (struct name_value){.kind = NAME_INDEX, .id = table->id, .index_id = index->id}, &taken));
    if (taken) return ddl_name_taken(context, to);
    TRY(catalog_free_name(
        context->task, context->session, table->database_id, table->schema_id, index->name));
    index->name = to;
    TRY(catalog_put_table(context->task, context->session, table));
out:
    return st;
}

static struct status rename_index_statement(
    struct statement_context *context, const struct rename *rename)
{
    struct status st = STATUS_OK;
    const struct table_desc *found;
    const struct index_desc *index;
    struct table_desc *table;

    TRY(ddl_find_index(context, &rename->name, rename->if_exists, &found, &index));
    if (index == NULL) {
        ddl_notice(context, "relation \"%s\" does not exist, skipping", rename->name.name);
        goto out;
    }
    TRY(catalog_edit_table(context->task, context->session, context->arena, found->id, &table));
    TRY(privilege_check_owner(
        context->task, context->session, table->owner, OBJECT_INDEX, rename->name.name));
    TRY(ddl_may_create_in(context, table->schema_id));
    TRY(rename_index(
        context, table, ddl_index_by_name(table, rename->name.name), rename->new_name));
out:
    return st;
}

static struct status rename_constraint(
    struct statement_context *context, const struct rename *rename)
{
    struct status st = STATUS_OK;
    struct table_desc *table;

    TRY(ddl_edit(context, &rename->name, rename->if_exists, OBJECT_TABLE, &table));
    if (table == NULL) goto out;
    if (ddl_constraint_name_in_use(table, rename->new_name))
        return ddl_error(context, E_DUPLICATE_OBJECT,
            "constraint \"%s\" for relation \"%s\" already exists", rename->new_name, table->name);
    for (uint32_t i = 0; i < table->constraint_count; i++) {
        if (strcmp(table->constraints[i].name, rename->part) != 0) continue;
        table->constraints[i].name = rename->new_name;
        return catalog_put_table(context->task, context->session, table);
    }
    struct index_desc *index = ddl_index_by_name(table, rename->part);
    if (index != NULL && index->from_constraint)
        return rename_index(context, table, index, rename->new_name);
    st = ddl_error(context, E_UNDEFINED_OBJECT, "constraint \"%s\" for table \"%s\" does not exist",
        rename->part, table->name);
out:
    return st;
}

static struct status rename_schema(struct statement_context *context, const struct rename *rename)
{
    struct status st = STATUS_OK;
    const struct schema_desc *found;
    struct schema_desc *schema;
    struct name_value existing;

    TRY(catalog_schema(context->task, context->session, NULL, rename->name.name, false, &found));
    if (found->database_id == 0 || found->id < CATALOG_FIRST_ID)
        return ddl_error(context, E_INSUFFICIENT_PRIVILEGE, "cannot rename schema %s", found->name);
    TRY(privilege_check_owner(
        context->task, context->session, found->owner, OBJECT_SCHEMA, found->name));
    if (strncmp(rename->new_name, "pg_", 3) == 0)
        return ddl_error(
            context, E_RESERVED_NAME, "unacceptable schema name \"%s\"", rename->new_name);
    TRY(catalog_edit_schema(context->task, context->session, context->arena, found->id, &schema));
    TRY(catalog_take_name(context->task, context->session, schema->database_id, 0, rename->new_name,
        (struct name_value){.kind = NAME_SCHEMA, .id = schema->id}, &existing));
    if (existing.id != 0)
        return ddl_error(
            context, E_DUPLICATE_SCHEMA, "schema \"%s\" already exists", rename->new_name);
    TRY(ddl_rename_in_views(context,
        &(struct ddl_rename_in_views){
            .schema_id = schema->id, .new_schema = rename->new_name}));
    TRY(catalog_free_name(context->task, context->session, schema->database_id, 0, schema->name));
    schema->name = rename->new_name;
    TRY(catalog_put_schema(context->task, context->session, schema));
out:
    return st;
}

static struct status rename_database(struct statement_context *context, const struct rename *rename)
{
    struct status st = STATUS_OK;
    const struct database_desc *found;
    struct database_desc *database;
    struct name_value existing;

    TRY(catalog_database(context->task, context->session, rename->name.name, false, &found));
    if (found->id == CATALOG_SYSTEM_DATABASE)
        return ddl_error(context, E_INSUFFICIENT_PRIVILEGE, "cannot rename a system database");
    TRY(privilege_check_owner(
        context->task, context->session, found->owner, OBJECT_DATABASE, found->name));
    if (strcmp(context->session->database, found->name) == 0)
        return ddl_error(context, E_FEATURE_NOT_SUPPORTED, "current database cannot be renamed");
    TRY(catalog_edit_database(
        context->task, context->session, context->arena, found->id, &database));
    TRY(catalog_take_name(context->task, context->session, 0, 0, rename->new_name,
        (struct name_value){.kind = NAME_DATABASE, .id = database->id}, &existing));
    if (existing.id != 0)
        return ddl_error(
            context, E_DUPLICATE_DATABASE, "database \"%s\" already exists", rename->new_name);
    TRY(catalog_free_name(context->task, context->session, 0, 0, database->name));
    database->name = rename->new_name;
    TRY(catalog_put_database(context->task, context->session, database));
out:
    return st;
}

// ALTER INDEX changes a relation's name just as well.
static struct status rename_relation_or_index(
    struct statement_context *context, const struct rename *rename)
{
    const struct object_name *name = &rename->name;
    const struct table_desc *relation = NULL;
    struct status st = name->table != NULL
        ? STATUS_OK
        : catalog_table(context->task, context->session, name->catalog, name->schema, name->name,
              true, &relation);
    if (!failed(st) && relation != NULL) return rename_relation(context, rename, OBJECT_OTHER);
    return rename_index_statement(context, rename);
}

struct status ddl_rename(struct statement_context *context)
{
    const struct rename *rename = context->statement->as.rename;
    switch (rename->object) {
    case OBJECT_TABLE: return rename_relation(context, rename, OBJECT_OTHER); // Any relation, as in PostgreSQL.
    case OBJECT_VIEW:
    case OBJECT_MATERIALIZED_VIEW:
    case OBJECT_SEQUENCE: return rename_relation(context, rename, rename->object);
    case OBJECT_TYPE:
    case OBJECT_DOMAIN: return ddl_rename_type(context, rename);
    case OBJECT_FUNCTION:
    case OBJECT_PROCEDURE:
    case OBJECT_ROUTINE: return ddl_rename_function(context, rename);
    case OBJECT_COLLATION:
        return ddl_alter_collation(context, &rename->name, rename->new_name, NULL, NULL);
    case OBJECT_STATISTICS:
        return ddl_change_statistics(context, &rename->name, rename->new_name, NULL, NULL);
    case OBJECT_ATTRIBUTE: return ddl_rename_attribute(context, rename);
    case OBJECT_COLUMN: return rename_column(context, rename);
    case OBJECT_INDEX: return rename_relation_or_index(context, rename);
    case OBJECT_CONSTRAINT: return rename_constraint(context, rename);
    case OBJECT_DOMAIN_CONSTRAINT: return ddl_rename_domain_constraint(context, rename);
    case OBJECT_ROLE: return role_rename(context, rename);
    case OBJECT_SCHEMA: return rename_schema(context, rename);
    case OBJECT_DATABASE: return rename_database(context, rename);
    default:
        return ddl_error(context, E_FEATURE_NOT_SUPPORTED, "renaming a %s is not supported",
            object_kind_name(rename->object));
    }
}

// --- SET SCHEMA, OWNER TO --------------------------------------------------------------------------------

struct status ddl_check_move(struct statement_context *context, uint32_t from_id, const struct schema_desc *to)
{
    struct status st = STATUS_OK;
    const bool into = to->temp_node != 0;
    const struct schema_desc *from;
    TRY(catalog_schema_by_id(context->task, context->session, from_id, &from));
    if (into || from->temp_node != 0)
        st = ddl_error(context, E_FEATURE_NOT_SUPPORTED, "cannot move objects into or out of temporary schemas");
out:
    return st;
}

static struct status move_relation(
    struct statement_context *context, struct table_desc *table, const struct schema_desc *schema)
{
    struct status st = STATUS_OK;
    bool taken;

    TRY(ddl_take_name(context, schema->database_id, schema->id, table->name,
        (struct name_value){.kind = NAME_RELATION, .id = table->id}, &taken));
    if (taken)
        return ddl_error(context, E_DUPLICATE_TABLE,
            "relation \"%s\" already exists in schema \"%s\"", table->name, schema->name);
    TRY(catalog_free_name(
        context->task, context->session, table->database_id, table->schema_id, table->name));
    for (uint32_t i = 0; i < table->index_count; i++) {
        TRY(catalog_free_name(context->task, context->session, table->database_id, table->schema_id,
            table->indexes[i].name));
        TRY(ddl_take_name(context, schema->database_id, schema->id, table->indexes[i].name,
            (struct name_value){
                .kind = NAME_INDEX, .id = table->id, .index_id = table->indexes[i].id},
            &taken));
        if (taken) return ddl_name_taken(context, table->indexes[i].name);
    }
    table->schema_id = schema->id;
    TRY(catalog_put_table(context->task, context->session, table));
out:
    return st;
}

struct status ddl_alter_schema(struct statement_context *context)
{
    struct status st = STATUS_OK;
    const struct alter_object_schema *alter = context->statement->as.alter_object_schema;
    const struct schema_desc *schema;
    struct table_desc *table;

    if (alter->object == OBJECT_TYPE || alter->object == OBJECT_DOMAIN)
        return ddl_move_type(context, alter);
    if (alter->object == OBJECT_COLLATION)
        return ddl_alter_collation(context, &alter->name, NULL, NULL, alter->new_schema);
    if (alter->object == OBJECT_STATISTICS)
        return ddl_change_statistics(context, &alter->name, NULL, NULL, alter->new_schema);
    if (alter->object == OBJECT_FUNCTION || alter->object == OBJECT_PROCEDURE ||
        alter->object == OBJECT_ROUTINE)
        return ddl_move_function(context, alter);
    if (alter->object != OBJECT_TABLE && alter->object != OBJECT_VIEW &&
        alter->object != OBJECT_MATERIALIZED_VIEW &&
        alter->object != OBJECT_SEQUENCE)
        return ddl_unsupported(context, "SET SCHEMA of this kind of object");
    TRY(ddl_edit(context, &alter->name, alter->if_exists, alter->object, &table));
    if (table == NULL) goto out;
    if (table->kind == RELATION_SEQUENCE && table->sequence.owner_table != 0) {
        const struct table_desc *owner;
        TRY(catalog_table_by_id(
            context->task, context->session, table->sequence.owner_table, &owner));
        return status_detail(context->arena,
            ddl_error(context, E_FEATURE_NOT_SUPPORTED,
                "cannot move an owned sequence into another schema"),
            "Sequence \"%s\" is linked to table \"%s\".", table->name, owner->name);
    }
    struct object_name target = {.schema = alter->new_schema, .name = table->name};
    TRY(ddl_target_schema(context, &target, &schema));
    TRY(ddl_check_move(context, table->schema_id, schema));
    TRY(ddl_target_schema(context, &target, &schema)); // Looking at the other may have let go of it.
    if (schema->id == table->schema_id) goto out;
    if (schema->database_id != table->database_id)
        return ddl_unsupported(context, "moving a relation to another database");
    struct schema_desc to = *schema; // The view may drop the original when names change.
    TRY(ddl_rename_in_views(context,
        &(struct ddl_rename_in_views){.table_id = table->id,
            .new_schema = arena_strdup(context->arena, schema->name)}));
    TRY(move_relation(context, table, &to));
    for (uint32_t i = 0; i < table->column_count; i++) {
        struct table_desc *sequence;
        if (table->columns[i].owned_sequence == 0) continue;
        TRY(catalog_edit_table(context->task, context->session, context->arena,
            table->columns[i].owned_sequence, &sequence));
        TRY(move_relation(context, sequence, &to));
    }
out:
    return st;
}

// Nobody gets what they could not have made, but from a superuser.
static struct status owner_may_create(struct statement_context *context, const char *owner, uint32_t schema_id)
{
    struct status st = STATUS_OK;
    const struct schema_desc *schema;
    bool may;
    if (context->session->superuser || context->session->internal) return st;
    TRY(catalog_schema_by_id(context->task, context->session, schema_id, &schema));
    TRY(privilege_role_has(context->task, context->session, owner, schema->owner, schema->grants, schema->grant_count,
        PRIVILEGE_CREATE, &may));
    if (!may) st = ddl_error(context, E_INSUFFICIENT_PRIVILEGE, "permission denied for schema %s", schema->name);
out:
    return st;
}

struct status ddl_alter_owner(struct statement_context *context)
{
    struct status st = STATUS_OK;
    const struct alter_owner *alter = context->statement->as.alter_owner;
    struct task *task = context->task;
    struct session *session = context->session;
    const char *owner;
    bool member;

    TRY(role_resolve(task, session, &alter->owner, false, &owner));
    TRY(role_is_member(task, session, session->user, owner, &member));
    if (!member && !session->superuser && !session->internal)
        return ddl_error(context, E_INSUFFICIENT_PRIVILEGE, "must be member of role \"%s\"", owner);
    if (alter->object == OBJECT_TYPE || alter->object == OBJECT_DOMAIN)
        return ddl_own_type(context, &alter->name, owner);
    if (alter->object == OBJECT_LARGE_OBJECT)
        return ddl_own_large_object(context, &alter->name, owner);
    if (alter->object == OBJECT_COLLATION)
        return ddl_alter_collation(context, &alter->name, NULL, owner, NULL);
    if (alter->object == OBJECT_STATISTICS)
        return ddl_change_statistics(context, &alter->name, NULL, owner, NULL);
    if (alter->object == OBJECT_FUNCTION || alter->object == OBJECT_PROCEDURE ||
        alter->object == OBJECT_ROUTINE)
        return ddl_own_function(context, &alter->name, alter->object, owner);
    if (alter->object == OBJECT_DATABASE) {
        const struct database_desc *found;
        struct database_desc *database;
        TRY(catalog_database(task, session, alter->name.name, false, &found));
        TRY(privilege_check_owner(task, session, found->owner, OBJECT_DATABASE, found->name));
        TRY(catalog_edit_database(task, session, context->arena, found->id, &database));
        database->owner = owner;
        return catalog_put_database(task, session, database);
    }
    if (alter->object == OBJECT_SCHEMA) {
        const struct schema_desc *found;
        struct schema_desc *schema;
        TRY(catalog_schema(task, session, NULL, alter->name.name, false, &found));
        TRY(privilege_check_owner(task, session, found->owner, OBJECT_SCHEMA, found->name));
        if (found->database_id == 0)
            return ddl_error(
                context, E_INSUFFICIENT_PRIVILEGE, "permission denied for schema %s", found->name);
        TRY(catalog_edit_schema(task, session, context->arena, found->id, &schema));
        schema->owner = owner;
        return catalog_put_schema(task, session, schema);
    }
    if (alter->object == OBJECT_TABLE || alter->object == OBJECT_VIEW ||
        alter->object == OBJECT_MATERIALIZED_VIEW ||
        alter->object == OBJECT_SEQUENCE) {
        struct table_desc *table;
        TRY(ddl_edit(context, &alter->name, false, alter->object, &table));
        TRY(owner_may_create(context, owner, table->schema_id));
        table->owner = owner;
        return catalog_put_table(task, session, table);
    }
    st = ddl_unsupported(context, "OWNER TO for this kind of object");
out:
    return st;
}
