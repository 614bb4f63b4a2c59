// SPDX-License-Identifier: GPL-3.0-or-later
//
// Transactions, settings, utilities, roles and privileges as text; and the entry for any statement.
#include "core/task.h"
#include "sql/parse/deparse_internal.h"

// --- transactions --------------------------------------------------------------------------------

static void put_modes(struct deparse *deparse, const struct transaction *transaction)
{
    static const char *const levels[] = {
        NULL, "READ UNCOMMITTED", "READ COMMITTED", "REPEATABLE READ", "SERIALIZABLE"};
    static const char *const priorities[] = {NULL, "LOW", "NORMAL", "HIGH"};
    const char *comma = " ";
    if (levels[transaction->isolation] != NULL) {
        put(deparse, " ISOLATION LEVEL ");
        put(deparse, levels[transaction->isolation]);
        comma = ", ";
    }
    if (transaction->read_only != TRI_NONE) {
        put(deparse, comma);
        put(deparse, transaction->read_only == TRI_YES ? "READ ONLY" : "READ WRITE");
        comma = ", ";
    }
    if (transaction->deferrable != TRI_NONE) {
        put(deparse, comma);
        put(deparse, transaction->deferrable == TRI_YES ? "DEFERRABLE" : "NOT DEFERRABLE");
        comma = ", ";
    }
    if (priorities[transaction->priority] != NULL) {
        put(deparse, comma);
        put(deparse, "PRIORITY ");
        put(deparse, priorities[transaction->priority]);
    }
}

static void put_named(struct deparse *deparse, const char *words, const char *name)
{
    put(deparse, words);
    put_name(deparse, name);
}

static void put_global_id(struct deparse *deparse, const char *words, const char *id)
{
    put(deparse, words);
    put_string(deparse, bytes_of_string(id));
}

static void put_set_transaction(struct deparse *deparse, const struct transaction *transaction)
{
    if (transaction->snapshot != NULL) {
        put_global_id(deparse, "SET TRANSACTION SNAPSHOT ", transaction->snapshot);
        return;
    }
    put(deparse, transaction->scope == SCOPE_SESSION ? "SET SESSION CHARACTERISTICS AS TRANSACTION"
                                                     : "SET TRANSACTION");
    put_modes(deparse, transaction);
}

static bool put_transaction(struct deparse *deparse, const struct statement *statement)
{
    const struct transaction *transaction = statement->as.transaction;
    switch (statement->tag) {
    case STATEMENT_BEGIN:
        put(deparse, "BEGIN");
        put_modes(deparse, transaction);
        break;
    case STATEMENT_START_TRANSACTION:
        put(deparse, "START TRANSACTION");
        put_modes(deparse, transaction);
        break;
    case STATEMENT_COMMIT: put(deparse, transaction->chain ? "COMMIT AND CHAIN" : "COMMIT"); break;
    case STATEMENT_ROLLBACK:
        put(deparse, transaction->chain ? "ROLLBACK AND CHAIN" : "ROLLBACK");
        break;
    case STATEMENT_SAVEPOINT: put_named(deparse, "SAVEPOINT ", transaction->name); break;
    case STATEMENT_RELEASE_SAVEPOINT:
        put_named(deparse, "RELEASE SAVEPOINT ", transaction->name);
        break;
    case STATEMENT_ROLLBACK_TO_SAVEPOINT:
        put_named(deparse, "ROLLBACK TO SAVEPOINT ", transaction->name);
        break;
    case STATEMENT_SET_TRANSACTION: put_set_transaction(deparse, transaction); break;
    case STATEMENT_PREPARE_TRANSACTION:
        put_global_id(deparse, "PREPARE TRANSACTION ", transaction->name);
        break;
    case STATEMENT_COMMIT_PREPARED:
        put_global_id(deparse, "COMMIT PREPARED ", transaction->name);
        break;
    case STATEMENT_ROLLBACK_PREPARED:
        put_global_id(deparse, "ROLLBACK PREPARED ", transaction->name);
        break;
    default: return false;
    }
    return true;
}

// --- settings ------------------------------------------------------------------------------------

// A setting's name keeps its dots.
static void put_setting_name(struct deparse *deparse, const char *name)
{
    char part[IDENTIFIER_BYTES_MAX + 1];
    for (;;) {
        size_t size = strcspn(name, ".");
        size_t cut = size < sizeof part ? size : sizeof part - 1;
        memcpy(part, name, cut);
        part[cut] = 0;
        put_name(deparse, part);
        if (name[size] == 0) break;
        put(deparse, ".");
        name += size + 1;
    }
}

void put_set_variable(struct deparse *deparse, const struct set_variable *set)
{
    switch (set->kind) {
    case SET_RESET_ALL: put(deparse, "RESET ALL"); return;
    case SET_RESET:
        put(deparse, "RESET ");
        put_setting_name(deparse, set->name);
        return;
    default: break;
    }
    put(deparse, set->local ? "SET LOCAL " : "SET ");
    // An interval is written before its string here, and only for the time zone.
    if (set->values.count == 1 && set->values.items[0]->kind == EXPR_CAST) {
        const struct type_name *type = set->values.items[0]->cast.type;
        struct type_name bare = {
            .schema = "pg_catalog", .name = "interval", .modifiers = {NULL, 0}};
        put(deparse, "TIME ZONE ");
        put_type(deparse, &bare);
        put(deparse, " ");
        put_expr(deparse, set->values.items[0]->cast.arg);
        struct buffer fields;
        buffer_init(&fields, deparse->out->arena);
        deparse_type_name(&fields, type);
        put(deparse, buffer_string(&fields) + strlen("interval"));
        return;
    }
    put_setting_name(deparse, set->name);
    if (set->kind == SET_CURRENT) {
        put(deparse, " FROM CURRENT");
    } else if (set->kind == SET_DEFAULT) {
        put(deparse, " TO DEFAULT");
    } else {
        put(deparse, " TO ");
        put_exprs(deparse, set->values);
    }
}

static void put_alter_settings(
    struct deparse *deparse, const struct alter_settings *alter, bool of_role)
{
    put(deparse, of_role ? "ALTER ROLE " : "ALTER DATABASE ");
    if (alter->all_roles) put(deparse, "ALL");
    if (alter->has_role) put_role(deparse, alter->role);
    if (of_role && alter->database != NULL) put(deparse, " IN DATABASE ");
    if (alter->database != NULL) put_name(deparse, alter->database);
    put(deparse, " ");
    if (alter->set != NULL) put_set_variable(deparse, alter->set);
}

// Options whose names are words of the language: FORMAT 'csv', NULL ''.
static void put_words(struct deparse *deparse, struct option_list options)
{
    for (uint32_t i = 0; i < options.count; i++) {
        if (i > 0) put(deparse, ", ");
        put_upper(deparse, options.items[i].name);
        if (options.items[i].value == NULL) continue;
        put(deparse, " ");
        put_expr(deparse, options.items[i].value);
    }
}

// --- utilities -----------------------------------------------------------------------------------

static void put_explain(struct deparse *deparse, const struct explain *explain)
{
    put(deparse, explain->analyze ? "EXPLAIN ANALYZE " : "EXPLAIN ");
    bool first = true;
    for (uint32_t i = 0; i < explain->options.count; i++) {
        const struct option *option = &explain->options.items[i];
        if (strcmp(option->name, "analyze") == 0) continue;
        put(deparse, first ? "(" : ", ");
        put_upper(deparse, option->name);
        if (option->value != NULL) {
            put(deparse, " ");
            put_expr(deparse, option->value);
        }
        first = false;
    }
    if (!first) put(deparse, ") ");
    put_statement(deparse, explain->statement);
}

static void put_copy(struct deparse *deparse, const struct copy *copy)
{
    put(deparse, "COPY ");
    if (copy->query != NULL) {
        put(deparse, "(");
        put_statement(deparse, copy->query);
        put(deparse, ")");
    } else {
        put_object_name(deparse, copy->table);
        if (copy->columns.count > 0) put(deparse, " ");
        put_name_list(deparse, copy->columns);
    }
    put(deparse, copy->from ? " FROM " : " TO ");
    if (copy->program) put(deparse, "PROGRAM ");
    if (copy->stdio) {
        put(deparse, copy->from ? "STDIN" : "STDOUT");
    } else {
        put_string(deparse, bytes_of_string(copy->filename));
    }
    if (copy->options.count > 0) {
        put(deparse, " WITH (");
        put_words(deparse, copy->options);
        put(deparse, ")");
    }
    if (copy->where != NULL) {
        put(deparse, " WHERE ");
        put_expr(deparse, copy->where);
    }
}

static void put_prepare(struct deparse *deparse, const struct prepare *prepare)
{
    put_named(deparse, "PREPARE ", prepare->name);
    for (uint32_t i = 0; i < prepare->types.count; i++) {
        put(deparse, i == 0 ? " (" : ", ");
        put_type(deparse, prepare->types.items[i]);
    }
    put(deparse, prepare->types.count > 0 ? ") AS " : " AS ");
    put_statement(deparse, prepare->statement);
}

static void put_vacuum(struct deparse *deparse, const struct vacuum *vacuum, const char *word)
{
    put(deparse, word);
    if (vacuum->options.count > 0) {
        put(deparse, " (");
        put_words(deparse, vacuum->options);
        put(deparse, ")");
    }
    for (uint32_t i = 0; i < vacuum->tables.count; i++) {
        put(deparse, i == 0 ? " " : ", ");
        put_object_name(deparse, vacuum->tables.items[i]);
        put_name_list(deparse, vacuum->columns[i]);
    }
}

static void put_declare(struct deparse *deparse, const struct declare_cursor *cursor)
{
    put_named(deparse, "DECLARE ", cursor->name);
    if (cursor->binary) put(deparse, " BINARY");
    if (cursor->insensitive == TRI_YES) put(deparse, " INSENSITIVE");
    if (cursor->insensitive == TRI_NO) put(deparse, " ASENSITIVE");
    if (cursor->scroll == TRI_YES) put(deparse, " SCROLL");
    if (cursor->scroll == TRI_NO) put(deparse, " NO SCROLL");
    put(deparse, cursor->hold ? " CURSOR WITH HOLD FOR " : " CURSOR FOR ");
    put_select(deparse, cursor->query);
}

static void put_fetch(struct deparse *deparse, const struct fetch *fetch)
{
    static const char *const words[] = {"FORWARD", "BACKWARD", "ABSOLUTE", "RELATIVE"};
    put(deparse, fetch->move ? "MOVE " : "FETCH ");
    put(deparse, words[fetch->direction]);
    if (fetch->count == INT64_MAX) {
        put(deparse, " ALL");
    } else {
        buffer_printf(deparse->out, " %lld", (long long)fetch->count);
    }
    put_named(deparse, " FROM ", fetch->cursor);
}

static void put_optional(struct deparse *deparse, const char *words, const char *name)
{
    put(deparse, words);
    if (name == NULL) {
        put(deparse, "ALL");
    } else {
        put_name(deparse, name);
    }
}

static void put_execute(struct deparse *deparse, const struct execute *execute)
{
    put_named(deparse, "EXECUTE ", execute->name);
    if (execute->args.count == 0) return;
    put(deparse, " (");
    put_exprs(deparse, execute->args);
    put(deparse, ")");
}

static void put_lock(struct deparse *deparse, const struct lock_table *lock)
{
    put(deparse, "LOCK TABLE ");
    put_object_names(deparse, lock->tables);
    put(deparse, " IN ");
    put(deparse, lock->mode);
    put(deparse, lock->nowait ? " MODE NOWAIT" : " MODE");
}

static void put_set_constraints(struct deparse *deparse, const struct set_constraints *set)
{
    put(deparse, "SET CONSTRAINTS ");
    if (set->names.count == 0) {
        put(deparse, "ALL");
    } else {
        put_object_names(deparse, set->names);
    }
    put(deparse, set->deferred ? " DEFERRED" : " IMMEDIATE");
}

static bool put_utility(struct deparse *deparse, const struct statement *statement)
{
    switch (statement->tag) {
    case STATEMENT_SET:
    case STATEMENT_RESET: put_set_variable(deparse, statement->as.set_variable); break;
    case STATEMENT_SHOW_ALL_VARIABLES: put(deparse, "SHOW ALL"); break;
    case STATEMENT_SHOW:
        put(deparse, "SHOW ");
        put_setting_name(deparse, statement->as.set_variable->name);
        break;
    case STATEMENT_ALTER_DATABASE_SET:
        put_alter_settings(deparse, statement->as.alter_settings, false);
        break;
    case STATEMENT_ALTER_ROLE_SET:
        put_alter_settings(deparse, statement->as.alter_settings, true);
        break;
    case STATEMENT_SET_CONSTRAINTS:
        put_set_constraints(deparse, statement->as.set_constraints);
        break;
    case STATEMENT_EXPLAIN: put_explain(deparse, statement->as.explain); break;
    case STATEMENT_COPY: put_copy(deparse, statement->as.copy); break;
    case STATEMENT_PREPARE: put_prepare(deparse, statement->as.prepare); break;
    case STATEMENT_EXECUTE: put_execute(deparse, statement->as.execute); break;
    case STATEMENT_DEALLOCATE:
        put_optional(deparse, "DEALLOCATE ", statement->as.deallocate->name);
        break;
    case STATEMENT_DISCARD: put(deparse, statement_name(statement)); break;
    case STATEMENT_ANALYZE: put_vacuum(deparse, statement->as.vacuum, "ANALYZE"); break;
    case STATEMENT_VACUUM: put_vacuum(deparse, statement->as.vacuum, "VACUUM"); break;
    case STATEMENT_LOCK_TABLE: put_lock(deparse, statement->as.lock_table); break;
    case STATEMENT_DECLARE_CURSOR: put_declare(deparse, statement->as.declare_cursor); break;
    case STATEMENT_FETCH: put_fetch(deparse, statement->as.fetch); break;
    case STATEMENT_CLOSE_CURSOR:
        put_optional(deparse, "CLOSE ", statement->as.close_cursor->name);
        break;
    case STATEMENT_UNLISTEN:
        put(deparse, "UNLISTEN ");
        if (statement->as.unlisten->channel == NULL)
            put(deparse, "*");
        else
            put_name(deparse, statement->as.unlisten->channel);
        break;
    case STATEMENT_CALL:
        put(deparse, "CALL ");
        put_expr(deparse, statement->as.call->function);
        break;
    default: return false;
    }
    return true;
}

bool put_session_statement(struct deparse *deparse, const struct statement *statement)
{
    return put_transaction(deparse, statement) || put_utility(deparse, statement);
}

// --- roles and privileges ------------------------------------------------------------------------

static void put_role_option(struct deparse *deparse, const struct option *option)
{
    const struct expr *value = option->value;
    bool flag = value->kind == EXPR_LITERAL && value->literal.kind == LITERAL_BOOL;
    put(deparse, " ");
    if (flag && !value->literal.boolean) put(deparse, "NO");
    put_upper(deparse, option->name);
    if (flag) return;
    put(deparse, " ");
    bool secret = strcmp(option->name, "password") == 0 &&
                  (deparse->flags & (DEPARSE_REDACT | DEPARSE_HIDE_LITERALS)) != 0;
    if (secret && value->kind == EXPR_LITERAL && value->literal.kind == LITERAL_STRING) {
        put(deparse, "'*****'");
    } else if (value->kind == EXPR_ROW) {
        for (uint32_t i = 0; i < value->row.items.count; i++) {
            struct bytes name = value->row.items.items[i]->literal.text;
            if (i > 0) put(deparse, ", ");
            put_name(deparse, arena_string(deparse->out->arena, name));
        }
    } else {
        put_expr(deparse, value);
    }
}

static void put_role_statement(
    struct deparse *deparse, const struct role_statement *role, bool alter)
{
    put(deparse, alter ? "ALTER " : "CREATE ");
    put(deparse, role->is_user ? "USER " : "ROLE ");
    if (role->if_not_exists) put(deparse, alter ? "IF EXISTS " : "IF NOT EXISTS ");
    put_role(deparse, role->role);
    if (role->options.count > 0) put(deparse, " WITH");
    for (uint32_t i = 0; i < role->options.count; i++)
        put_role_option(deparse, &role->options.items[i]);
}

static void put_privileges(struct deparse *deparse, const struct grant *grant)
{
    if (grant->privilege_count == 0) put(deparse, "ALL");
    for (uint32_t i = 0; i < grant->privilege_count; i++) {
        const struct privilege *privilege = &grant->privileges[i];
        if (i > 0) put(deparse, ", ");
        const char *name = privilege->name == NULL ? "all" : privilege->name;
        put_upper(deparse, name);
        if (privilege->columns.count > 0) put(deparse, " ");
        put_name_list(deparse, privilege->columns);
    }
}

static void put_grant_objects(struct deparse *deparse, const struct grant *grant)
{
    const char *plural = NULL;
    switch (grant->object) {
    case OBJECT_TABLE: plural = "TABLE"; break;
    case OBJECT_SEQUENCE: plural = "SEQUENCE"; break;
    case OBJECT_DATABASE: plural = "DATABASE"; break;
    case OBJECT_SCHEMA: plural = "SCHEMA"; break;
    case OBJECT_TYPE: plural = "TYPE"; break;
    case OBJECT_DOMAIN: plural = "DOMAIN"; break;
    case OBJECT_FUNCTION: plural = "FUNCTION"; break;
    case OBJECT_PROCEDURE: plural = "PROCEDURE"; break;
    case OBJECT_LANGUAGE: plural = "LANGUAGE"; break;
    case OBJECT_LARGE_OBJECT: plural = "LARGE OBJECT"; break;
    default: plural = "ROUTINE";
    }
    put(deparse, " ON ");
    if (grant->target == GRANT_ON_OBJECTS) {
        put(deparse, plural);
        put(deparse, " ");
        for (uint32_t i = 0; grant->object == OBJECT_LARGE_OBJECT && i < grant->names.count; i++) {
            if (i > 0) put(deparse, ", ");
            put(deparse, grant->names.items[i].name);
        }
        if (grant->object != OBJECT_LARGE_OBJECT) put_object_names(deparse, grant->names);
        return;
    }
    if (grant->target == GRANT_ON_ALL_IN_SCHEMA) put(deparse, "ALL ");
    put(deparse, plural);
    put(deparse, "S");
    if (grant->target == GRANT_DEFAULTS) return;
    put(deparse, " IN SCHEMA ");
    put_object_names(deparse, grant->names);
}

static void put_grant(struct deparse *deparse, const struct grant *grant)
{
    put(deparse, grant->revoke ? "REVOKE " : "GRANT ");
    if (grant->revoke && grant->grant_option) put(deparse, "GRANT OPTION FOR ");
    put_privileges(deparse, grant);
    put_grant_objects(deparse, grant);
    put(deparse, grant->revoke ? " FROM " : " TO ");
    put_roles(deparse, grant->grantees);
    if (!grant->revoke && grant->grant_option) put(deparse, " WITH GRANT OPTION");
    if (grant->granted_by) {
        struct role_list grantor = {.items = (struct role_name *)(uintptr_t)&grant->grantor, .count = 1};
        put(deparse, " GRANTED BY ");
        put_roles(deparse, grantor);
    }
    put_behavior(deparse, grant->behavior);
}

static void put_grant_role(struct deparse *deparse, const struct grant_role *grant)
{
    put(deparse, grant->revoke ? "REVOKE " : "GRANT ");
    if (grant->revoke && grant->admin_option) put(deparse, "ADMIN OPTION FOR ");
    put_names(deparse, grant->roles);
    put(deparse, grant->revoke ? " FROM " : " TO ");
    put_roles(deparse, grant->grantees);
    if (!grant->revoke && grant->admin_option) put(deparse, " WITH ADMIN OPTION");
    put_behavior(deparse, grant->behavior);
}

static void put_grant_system(struct deparse *deparse, const struct grant_system *grant)
{
    put(deparse, grant->revoke ? "REVOKE " : "GRANT ");
    if (grant->revoke && grant->grant_option) put(deparse, "GRANT OPTION FOR ");
    put(deparse, "SYSTEM ");
    for (uint32_t i = 0; i < grant->privileges.count; i++) {
        if (i > 0) put(deparse, ", ");
        const char *name = grant->privileges.items[i];
        put_upper(deparse, name);
    }
    put(deparse, grant->revoke ? " FROM " : " TO ");
    put_roles(deparse, grant->grantees);
    if (!grant->revoke && grant->grant_option) put(deparse, " WITH GRANT OPTION");
}

static void put_default_privileges(
    struct deparse *deparse, const struct default_privileges *privileges)
{
    put(deparse, "ALTER DEFAULT PRIVILEGES");
    if (privileges->for_roles.count > 0) {
        put(deparse, " FOR ROLE ");
        put_roles(deparse, privileges->for_roles);
    }
    if (privileges->in_schemas.count > 0) {
        put(deparse, " IN SCHEMA ");
        put_names(deparse, privileges->in_schemas);
    }
    put(deparse, " ");
    if (privileges->grant != NULL) put_grant(deparse, privileges->grant);
}

bool put_privilege_statement(struct deparse *deparse, const struct statement *statement)
{
    switch (statement->tag) {
    case STATEMENT_CREATE_ROLE:
        put_role_statement(deparse, statement->as.role_statement, false);
        break;
    case STATEMENT_ALTER_ROLE:
        put_role_statement(deparse, statement->as.role_statement, true);
        break;
    case STATEMENT_DROP_ROLE:
        put(deparse, statement->as.drop_role->if_exists ? "DROP ROLE IF EXISTS " : "DROP ROLE ");
        put_roles(deparse, statement->as.drop_role->roles);
        break;
    case STATEMENT_GRANT:
    case STATEMENT_REVOKE: put_grant(deparse, statement->as.grant); break;
    case STATEMENT_GRANT_ROLE:
    case STATEMENT_REVOKE_ROLE: put_grant_role(deparse, statement->as.grant_role); break;
    case STATEMENT_GRANT_SYSTEM:
    case STATEMENT_REVOKE_SYSTEM: put_grant_system(deparse, statement->as.grant_system); break;
    case STATEMENT_ALTER_DEFAULT_PRIVILEGES:
        put_default_privileges(deparse, statement->as.default_privileges);
        break;
    case STATEMENT_REASSIGN_OWNED:
        put(deparse, "REASSIGN OWNED BY ");
        put_roles(deparse, statement->as.owned->roles);
        put(deparse, " TO ");
        put_role(deparse, statement->as.owned->new_owner);
        break;
    case STATEMENT_DROP_OWNED:
        put(deparse, "DROP OWNED BY ");
        put_roles(deparse, statement->as.owned->roles);
        put_behavior(deparse, statement->as.owned->behavior);
        break;
    default: return false;
    }
    return true;
}

// --- any statement -------------------------------------------------------------------------------

void put_statement(struct deparse *deparse, const struct statement *statement)
{
    bool known = put_query_statement(deparse, statement) || put_ddl_statement(deparse, statement) ||
                 put_session_statement(deparse, statement) ||
                 put_privilege_statement(deparse, statement) ||
                 put_own_statement(deparse, statement);
    if (!known) put(deparse, statement_name(statement));
    // BACKUP and RESTORE have options after it and write it themselves.
    // EXPLAIN only shows its statement's.
    if (statement->as_of == NULL || statement->tag == STATEMENT_BACKUP ||
        statement->tag == STATEMENT_RESTORE || statement->tag == STATEMENT_EXPLAIN)
        return;
    put(deparse, " AS OF SYSTEM TIME ");
    put_operand(deparse, statement->as_of);
}

static void statement_on_stack(void *arg)
{
    struct deparse_call *call = arg;
    put_statement(&call->deparse, call->tree);
}

void deparse_statement(struct buffer *out, const struct statement *statement, uint32_t flags)
{
    struct deparse_call call = {{out, flags}, statement};
    stack_call(statement_on_stack, &call);
}
