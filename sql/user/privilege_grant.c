// SPDX-License-Identifier: GPL-3.0-or-later
//
// GRANT and REVOKE on objects and on columns of tables. Each grant knows who made it; it lasts as long as that role may
// make it.
#include "sql/catalog/pg_catalog.h"
#include "sql/ddl/ddl_large_object.h"
#include "sql/user/role.h"

#define E_INVALID_GRANT SQLSTATE('0', 'L', 'P', '0', '1')

// What has grants: an object, or a column of a table.
struct grant_list {
    struct privilege_grant **items;
    uint32_t *count;
};
struct grant_object {
    enum object_kind kind; // TABLE, SEQUENCE, SCHEMA, DATABASE, FUNCTION, TYPE.
    const char *name, *owner;
    struct grant_list grants;
    uint32_t *public_revoked; // NULL: everybody has nothing from the start that could be taken away.
    struct table_desc *table;
    struct schema_desc *schema;
    struct database_desc *database;
};

// --- which privileges ------------------------------------------------------------------------------------

static struct status wanted_bit(struct statement_context *context, const struct privilege *privilege,
    uint32_t possible, const char *kind, uint32_t all, uint32_t *bits)
{
    if (privilege->name == NULL) {
        *bits |= all;
        return STATUS_OK;
    }
    uint32_t bit = privilege_by_name(privilege->name);
    if (bit == 0)
        return ddl_error(
            context, E_SYNTAX_ERROR, "unrecognized privilege type \"%s\"", privilege->name);
    if ((bit & possible) == 0)
        return ddl_error(context, E_INVALID_GRANT, "invalid privilege type %s for %s",
            privilege_name(bit), kind);
    *bits |= bit;
    return STATUS_OK;
}

// ON t may mean a sequence, so that USAGE is looked at once it is known what t is.
static const char *bad_kind(enum object_kind kind, const char *privilege)
{
    bool late = privilege != NULL && privilege_by_name(privilege) == PRIVILEGE_USAGE;
    return kind == OBJECT_TABLE && !late ? "relation" : object_kind_name(kind);
}

static struct status wanted_bits(struct statement_context *context, const struct grant *grant,
    const struct grant_object *object, uint32_t *bits)
{
    struct status st = STATUS_OK;
    uint32_t all = privilege_all(object->kind), possible = all;
    // GRANT ... ON TABLE takes sequences too.
    if (object->kind == OBJECT_SEQUENCE && grant->object == OBJECT_TABLE)
        possible |= privilege_all(OBJECT_TABLE);
    *bits = grant->privilege_count == 0 ? all : 0;
    for (uint32_t i = 0; i < grant->privilege_count; i++) {
        const struct privilege *privilege = &grant->privileges[i];
        if (privilege->columns.count > 0) continue;
        TRY(wanted_bit(context, privilege, possible,
            bad_kind(object->kind, privilege->name), all, bits));
    }
out:
    return st;
}

// --- who grants ------------------------------------------------------------------------------------------

static bool same_role(const char *a, const char *b)
{
    return a == NULL || b == NULL ? a == b : strcmp(a, b) == 0;
}

struct grantor {
    const char *name;   // NULL: the owner.
    uint32_t may;       // Of the bits that are asked for.
    bool has_any;       // It holds some privilege of the object.
};

// The owner and admins grant as the owner; others as the role of theirs that has most of the grant options.
static struct status find_grantor(struct statement_context *context, const struct grant_object *object,
    const struct grant_list *column, uint32_t bits, struct grantor *grantor)
{
    struct status st = STATUS_OK;
    struct session *session = context->session;
    const struct grant_list *lists[2] = {&object->grants, column};
    bool member;

    *grantor = (struct grantor){.may = bits, .has_any = true};
    if (session->internal || session->superuser) return STATUS_OK;
    TRY(role_is_member(context->task, session, session->user, object->owner, &member));
    if (member) goto out;
    *grantor = (struct grantor){0};
    for (uint32_t l = 0; l < 2 && lists[l] != NULL; l++) {
        for (uint32_t i = 0; i < *lists[l]->count; i++) {
            const struct privilege_grant *held = &(*lists[l]->items)[i];
            member = strcmp(held->role, ROLE_PUBLIC_NAME) == 0;
            if (!member) TRY(role_is_member(context->task, session, session->user, held->role, &member));
            if (!member) continue;
            grantor->has_any = true;
            uint32_t may = held->grantable & bits;
            if (__builtin_popcount(may) <= __builtin_popcount(grantor->may)) continue;
            grantor->may = may;
            grantor->name = held->role;
        }
    }
out:
    return st;
}

// What may not be done is told: as an error when the role has nothing to do with the object, else as a warning.
static struct status check_grantor(struct statement_context *context, const struct grant *grant,
    const struct grant_object *object, const char *column, const struct grantor *grantor,
    uint32_t bits)
{
    if (!grantor->has_any)
        return ddl_error(context, E_INSUFFICIENT_PRIVILEGE, "permission denied for %s %s",
            object->kind == OBJECT_TABLE && object->table->kind == RELATION_VIEW
                ? "view"
                : object_kind_name(object->kind),
            object->name);
    if (grantor->may == bits) return STATUS_OK;
    const char *what = grantor->may != 0 ? grant->revoke ? "not all privileges could be revoked for"
                                                         : "not all privileges were granted for"
                       : grant->revoke   ? "no privileges could be revoked for"
                                         : "no privileges were granted for";
    struct status warning = column == NULL
        ? ddl_error(context, SQLSTATE('0', '1', '0', '0', '7'), "%s \"%s\"", what, object->name)
        : ddl_error(context, SQLSTATE('0', '1', '0', '0', '7'), "%s column \"%s\" of relation \"%s\"",
              what, column, object->name);
    if (grant->revoke) warning.code = SQLSTATE('0', '1', '0', '0', '6');
    session_notice(context->session, "WARNING", warning);
    return STATUS_OK;
}

// --- the lists -------------------------------------------------------------------------------------------

static void change_list(struct statement_context *context, const struct grant *grant,
    const struct grant_list *list, const char *role, const char *grantor, uint32_t bits)
{
    struct privilege_grant *found = NULL;
    uint32_t at = 0;
    if (bits == 0) return;
    for (uint32_t i = 0; i < *list->count; i++) {
        struct privilege_grant *each = &(*list->items)[i];
        if (strcmp(each->role, role) == 0 && same_role(each->grantor, grantor))
            found = &(*list->items)[at = i];
    }
    if (!grant->revoke) {
        if (found == NULL) {
            struct privilege_grant fresh = {.role = role, .grantor = grantor};
            DDL_APPEND(context->arena, *list->items, *list->count, fresh);
            found = &(*list->items)[*list->count - 1];
        }
        found->privileges |= bits;
        if (grant->grant_option) found->grantable |= bits;
        return;
    }
    if (found == NULL) return;
    found->grantable &= ~bits;
    if (!grant->grant_option) found->privileges &= ~bits;
    if (found->privileges == 0) DDL_REMOVE(*list->items, *list->count, at);
}

static uint32_t grantable_by(
    const struct grant_list *list, const uint32_t *valid, const char *role)
{
    uint32_t bits = 0;
    for (uint32_t i = 0; i < *list->count; i++)
        if (strcmp((*list->items)[i].role, role) == 0) bits |= (*list->items)[i].grantable & valid[i];
    return bits;
}

// Who grants a column's privileges without an option there does so with the table's, which is not looked at here, as
// PostgreSQL does not.
static bool grants_from_above(
    const struct grant_list *list, const char *role, const char *const *grantees, uint32_t count)
{
    for (uint32_t i = 0; i < *list->count; i++)
        if (strcmp((*list->items)[i].role, role) == 0) return false;
    for (uint32_t i = 0; i < count; i++)
        if (strcmp(grantees[i], role) == 0) return false;
    return true;
}

// Which bits of each grant go back to the owner, through grant options that their makers have.
static uint32_t *valid_grants(struct arena *arena, const struct grant_list *list, bool of_column,
    const char *const *grantees, uint32_t grantee_count)
{
    uint32_t *valid = ARENA_ARRAY(arena, uint32_t, *list->count + 1u);
    for (bool changed = true; changed;) {
        changed = false;
        for (uint32_t i = 0; i < *list->count; i++) {
            const struct privilege_grant *grant = &(*list->items)[i];
            uint32_t bits = grant->privileges;
            if (grant->grantor != NULL &&
                !(of_column && grants_from_above(list, grant->grantor, grantees, grantee_count)))
                bits &= grantable_by(list, valid, grant->grantor);
            changed |= bits != valid[i];
            valid[i] = bits;
        }
    }
    return valid;
}

static struct status drop_orphans(struct statement_context *context, const struct grant *grant,
    const struct grant_list *list, uint32_t *valid)
{
    for (uint32_t i = 0; i < *list->count;) {
        struct privilege_grant *each = &(*list->items)[i];
        if ((each->privileges & ~valid[i]) != 0 && grant->behavior != DROP_CASCADE)
            return status_hint(context->arena,
                ddl_error(context, E_DEPENDENT_OBJECTS_EXIST, "dependent privileges exist"),
                "Use CASCADE to revoke them too.");
        each->privileges &= valid[i];
        each->grantable &= valid[i];
        if (each->privileges != 0) {
            i++;
            continue;
        }
        memmove(&valid[i], &valid[i + 1], (*list->count - i - 1) * sizeof *valid);
        DDL_REMOVE(*list->items, *list->count, i);
    }
    return STATUS_OK;
}

static struct status settle(
    struct statement_context *context, const struct grant *grant, struct grant_object *object)
{
    struct status st = STATUS_OK;
    uint32_t count = grant->grantees.count;
    const char **grantees = ARENA_ARRAY(context->arena, const char *, count + 1u);
    for (uint32_t i = 0; i < count; i++)
        TRY(role_resolve(
            context->task, context->session, &grant->grantees.items[i], true, &grantees[i]));
    TRY(drop_orphans(context, grant, &object->grants,
        valid_grants(context->arena, &object->grants, false, grantees, count)));
    bool of_columns = false;
    for (uint32_t i = 0; i < grant->privilege_count; i++)
        of_columns |= grant->privileges[i].columns.count > 0;
    if (!of_columns) count = 0;
    for (uint32_t i = 0; object->table != NULL && i < object->table->column_count; i++) {
        struct column_desc *column = &object->table->columns[i];
        struct grant_list list = {&column->grants, &column->grant_count};
        TRY(drop_orphans(context, grant, &list,
            valid_grants(context->arena, &list, true, grantees, count)));
    }
out:
    return st;
}

// --- applying --------------------------------------------------------------------------------------------

static struct status apply_to_list(struct statement_context *context, const struct grant *grant,
    struct grant_object *object, const char *column, const struct grant_list *list, uint32_t bits)
{
    struct status st = STATUS_OK;
    struct grantor grantor;
    TRY(find_grantor(context, object, column == NULL ? NULL : list, bits, &grantor));
    TRY(check_grantor(context, grant, object, column, &grantor, bits));
    for (uint32_t i = 0; i < grant->grantees.count; i++) {
        const char *role;
        TRY(role_resolve(context->task, context->session, &grant->grantees.items[i], true, &role));
        bool everybody = strcmp(role, ROLE_PUBLIC_NAME) == 0;
        if (everybody && grant->grant_option && !grant->revoke)
            return ddl_error(
                context, E_INVALID_GRANT, "grant options can only be granted to roles");
        uint32_t left = grantor.may;
        if (everybody && object->public_revoked != NULL && grantor.name == NULL &&
            !grant->grant_option) {
            uint32_t own = left & privilege_of_everybody(object->kind);
            if (grant->revoke) *object->public_revoked |= own;
            else *object->public_revoked &= ~own;
            left &= ~own;
        }
        change_list(context, grant, list, role, grantor.name, left);
    }
out:
    return st;
}

static struct status apply_to_columns(struct statement_context *context, const struct grant *grant,
    struct grant_object *object, const struct privilege *privilege)
{
    struct status st = STATUS_OK;
    if (object->kind != OBJECT_TABLE)
        return ddl_error(
            context, E_INVALID_GRANT, "column privileges are only valid for relations");
    for (uint32_t i = 0; i < privilege->columns.count; i++) {
        struct column_desc *column = ddl_column(object->table, privilege->columns.items[i]);
        uint32_t bits = 0;
        if (column == NULL)
            return ddl_error(context, E_UNDEFINED_COLUMN,
                "column \"%s\" of relation \"%s\" does not exist", privilege->columns.items[i],
                object->name);
        TRY(wanted_bit(
            context, privilege, PRIVILEGES_OF_COLUMNS, "column", PRIVILEGES_OF_COLUMNS, &bits));
        struct grant_list list = {&column->grants, &column->grant_count};
        TRY(apply_to_list(context, grant, object, column->name, &list, bits));
    }
out:
    return st;
}

static struct status apply(
    struct statement_context *context, const struct grant *grant, struct grant_object *object)
{
    struct status st = STATUS_OK;
    uint32_t bits;
    TRY(wanted_bits(context, grant, object, &bits));
    for (uint32_t i = 0; i < grant->privilege_count; i++)
        if (grant->privileges[i].columns.count > 0)
            TRY(apply_to_columns(context, grant, object, &grant->privileges[i]));
    if (bits != 0) TRY(apply_to_list(context, grant, object, NULL, &object->grants, bits));
    // What is revoked of the table is revoked of its columns, too.
    for (uint32_t c = 0; grant->revoke && object->kind == OBJECT_TABLE && c < object->table->column_count;
         c++) {
        struct column_desc *column = &object->table->columns[c];
        struct grant_list list = {&column->grants, &column->grant_count};
        if (column->grant_count > 0 && (bits & PRIVILEGES_OF_COLUMNS) != 0)
            TRY(apply_to_list(
                context, grant, object, column->name, &list, bits & PRIVILEGES_OF_COLUMNS));
    }
    if (grant->revoke) TRY(settle(context, grant, object));
out:
    return st;
}

// --- objects ---------------------------------------------------------------------------------------------

static struct status apply_to_table(
    struct statement_context *context, const struct grant *grant, uint32_t id)
{
    struct status st = STATUS_OK;
    struct table_desc *table;
    TRY(catalog_edit_table(context->task, context->session, context->arena, id, &table));
    enum object_kind kind = table->kind == RELATION_SEQUENCE   ? OBJECT_SEQUENCE
                            : table->kind == RELATION_FUNCTION ? OBJECT_FUNCTION
                            : relation_is_type(table->kind)    ? OBJECT_TYPE
                                                               : OBJECT_TABLE;
    bool everybody = kind == OBJECT_FUNCTION || kind == OBJECT_TYPE;
    struct grant_object object = {.kind = kind,
        .name = table->name,
        .owner = table->owner,
        .grants = {&table->grants, &table->grant_count},
        .public_revoked = everybody ? &table->public_revoked : NULL,
        .table = table};
    TRY(apply(context, grant, &object));
    TRY(catalog_put_table(context->task, context->session, table));
out:
    return st;
}

static struct status grant_on_schema(
    struct statement_context *context, const struct grant *grant, const struct object_name *name)
{
    struct status st = STATUS_OK;
    const struct schema_desc *found;
    struct schema_desc *schema;
    TRY(catalog_schema(context->task, context->session, name->catalog, name->name, false, &found));
    if (found->database_id == 0)
        return ddl_error(
            context, E_INSUFFICIENT_PRIVILEGE, "permission denied for schema %s", found->name);
    TRY(catalog_edit_schema(context->task, context->session, context->arena, found->id, &schema));
    struct grant_object object = {.kind = OBJECT_SCHEMA,
        .name = schema->name,
        .owner = schema->owner,
        .grants = {&schema->grants, &schema->grant_count}};
    TRY(apply(context, grant, &object));
    TRY(catalog_put_schema(context->task, context->session, schema));
out:
    return st;
}

static struct status grant_on_database(
    struct statement_context *context, const struct grant *grant, const struct object_name *name)
{
    struct status st = STATUS_OK;
    const struct database_desc *found;
    struct database_desc *database;
    TRY(catalog_database(context->task, context->session, name->name, false, &found));
    TRY(catalog_edit_database(context->task, context->session, context->arena, found->id, &database));
    struct grant_object object = {.kind = OBJECT_DATABASE,
        .name = database->name,
        .owner = database->owner,
        .grants = {&database->grants, &database->grant_count}};
    TRY(apply(context, grant, &object));
    TRY(catalog_put_database(context->task, context->session, database));
out:
    return st;
}

static struct status grant_on_type(
    struct statement_context *context, const struct grant *grant, const struct object_name *name)
{
    struct status st = STATUS_OK;
    const struct table_desc *type;
    TRY(catalog_type(context->task, context->session, name->catalog, name->schema, name->name, &type));
    if (type == NULL && type_by_name(name->name) != NULL)
        return ddl_unsupported(context, "privileges of a type of the system");
    if (type == NULL) {
        TRY(catalog_table(context->task, context->session, name->catalog, name->schema, name->name, true, &type));
        if (type != NULL && relation_has_row_type(type->kind))
            return ddl_unsupported(context, "privileges of the row type of a table or view");
        type = NULL;
    }
    if (type == NULL)
        return ddl_error(
            context, E_UNDEFINED_OBJECT, "type \"%s\" does not exist", name->name);
    if (grant->object == OBJECT_DOMAIN && type->kind != RELATION_DOMAIN)
        return ddl_error(context, E_WRONG_OBJECT_TYPE, "\"%s\" is not a domain", name->name);
    TRY(apply_to_table(context, grant, type->id));
out:
    return st;
}

static struct status grant_on_large_object(
    struct statement_context *context, const struct grant *grant, const struct object_name *name)
{
    struct status st = STATUS_OK;
    struct large_object large;
    TRY(ddl_find_large_object(context, name, &large));
    struct grant_object object = {.kind = OBJECT_LARGE_OBJECT,
        .name = arena_printf(context->arena, "large object %u", large.oid),
        .owner = large.owner,
        .grants = {&large.grants, &large.grant_count}};
    TRY(apply(context, grant, &object));
    TRY(large_object_put(context->task, context->session, &large));
out:
    return st;
}

static bool is_routine(enum object_kind kind)
{
    return kind == OBJECT_FUNCTION || kind == OBJECT_PROCEDURE || kind == OBJECT_ROUTINE;
}

static struct status grant_on_one(
    struct statement_context *context, const struct grant *grant, const struct object_name *name)
{
    struct status st = STATUS_OK;
    const struct table_desc *table;
    uint32_t id;
    if (grant->object == OBJECT_SCHEMA) return grant_on_schema(context, grant, name);
    if (grant->object == OBJECT_DATABASE) return grant_on_database(context, grant, name);
    if (grant->object == OBJECT_LARGE_OBJECT) return grant_on_large_object(context, grant, name);
    if (grant->object == OBJECT_TYPE || grant->object == OBJECT_DOMAIN)
        return grant_on_type(context, grant, name);
    if (is_routine(grant->object)) {
        TRY(ddl_any_function_id(context, name, grant->object, &id));
    } else {
        TRY(ddl_find(context, name, false,
            grant->object == OBJECT_SEQUENCE ? OBJECT_SEQUENCE : OBJECT_OTHER, &table));
        id = table->id;
    }
    TRY(apply_to_table(context, grant, id));
out:
    return st;
}

static bool is_asked_for(const struct grant *grant, const struct table_desc *table)
{
    if (table->kind == RELATION_FUNCTION)
        return grant->object == OBJECT_ROUTINE ||
               (table->function.kind == 'p') == (grant->object == OBJECT_PROCEDURE);
    return (table->kind == RELATION_SEQUENCE) == (grant->object == OBJECT_SEQUENCE);
}

static struct status grant_in_schema(
    struct statement_context *context, const struct grant *grant, const struct object_name *name)
{
    struct status st = STATUS_OK;
    const struct schema_desc *schema;
    const struct table_desc **found;
    uint32_t count;
    TRY(catalog_schema(context->task, context->session, name->catalog, name->name, false, &schema));
    TRY(catalog_check_usage(context->task, context->session, name->catalog, name->name));
    TRY(catalog_schema(context->task, context->session, name->catalog, name->name, false, &schema));
    uint32_t schema_id = schema->id, database_id = schema->database_id;
    if (is_routine(grant->object))
        TRY(catalog_list_functions(
            context->task, context->session, context->arena, database_id, &found, &count));
    else
        TRY(catalog_list_tables(
            context->task, context->session, context->arena, database_id, &found, &count));
    for (uint32_t i = 0; i < count; i++)
        if (found[i]->schema_id == schema_id && is_asked_for(grant, found[i]))
            TRY(apply_to_table(context, grant, found[i]->id));
out:
    return st;
}

struct status privilege_grant_execute(struct statement_context *context)
{
    struct status st = STATUS_OK;
    const struct grant *grant = context->statement->as.grant;
    if (grant->target == GRANT_DEFAULTS)
        return ddl_unsupported(context, "ALTER DEFAULT PRIVILEGES");
    if (grant->object == OBJECT_LANGUAGE)
        return ddl_error(context, E_FEATURE_NOT_SUPPORTED, "GRANT ON %s is not supported",
            object_kind_name(grant->object));
    if (grant->granted_by) {
        const char *grantor;
        TRY(role_resolve(context->task, context->session, &grant->grantor, false, &grantor));
        if (strcmp(grantor, context->session->user) != 0)
            return ddl_error(context, E_FEATURE_NOT_SUPPORTED, "grantor must be current user");
    }
    for (uint32_t i = 0; i < grant->names.count; i++) {
        const struct object_name *name = &grant->names.items[i];
        TRY(grant->target == GRANT_ON_ALL_IN_SCHEMA ? grant_in_schema(context, grant, name)
                                                    : grant_on_one(context, grant, name));
    }
out:
    return st;
}
