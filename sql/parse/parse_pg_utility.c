// SPDX-License-Identifier: GPL-3.0-or-later
//
// Session, cursor, COPY, maintenance and privilege statements out of libpg_query's tree.
// Transaction control, SHOW, EXPLAIN, PREPARE and roles do not pass here: our own grammar reads
// them.
#include <ctype.h>

#include "sql/parse/parse_internal.h"

#define NODE(name) PG_QUERY__NODE__NODE_##name
#define NEW(member, type) (out->as.member = ARENA_NEW(convert->arena, type))

struct set_variable *pg_set_variable(
    struct convert *convert, const PgQuery__VariableSetStmt *stmt)
{
    struct set_variable *set = ARENA_NEW(convert->arena, struct set_variable);
    set->name = convert_string(convert, stmt->name);
    set->local = stmt->is_local;
    set->values = convert_exprs(convert, stmt->n_args, stmt->args);
    switch (stmt->kind) {
    case PG_QUERY__VARIABLE_SET_KIND__VAR_SET_DEFAULT: set->kind = SET_DEFAULT; break;
    case PG_QUERY__VARIABLE_SET_KIND__VAR_SET_CURRENT: set->kind = SET_CURRENT; break;
    case PG_QUERY__VARIABLE_SET_KIND__VAR_RESET: set->kind = SET_RESET; break;
    case PG_QUERY__VARIABLE_SET_KIND__VAR_RESET_ALL: set->kind = SET_RESET_ALL; break;
    default: set->kind = SET_VALUE;
    }
    return set;
}

static void copy(struct convert *convert, const PgQuery__CopyStmt *stmt, struct statement *out)
{
    struct copy *copy = NEW(copy, struct copy);
    out->tag = STATEMENT_COPY;
    copy->table = convert_range_var(convert, stmt->relation);
    copy->columns = convert_names(convert, stmt->n_attlist, stmt->attlist);
    copy->from = stmt->is_from;
    copy->program = stmt->is_program;
    copy->filename = convert_string(convert, stmt->filename);
    copy->stdio = copy->filename == NULL;
    copy->options = convert_options(convert, stmt->n_options, stmt->options);
    copy->where = convert_expr(convert, stmt->where_clause);
    if (stmt->query != NULL) {
        copy->query = pg_statement(convert, stmt->query);
        copy->query->as_of = NULL; // It stands in the COPY.
        if (copy->query->tag == STATEMENT_UNSUPPORTED) {
            out->tag = STATEMENT_UNSUPPORTED;
            out->as.unsupported = copy->query->as.unsupported;
        }
    }
}

static void vacuum(struct convert *convert, const PgQuery__VacuumStmt *stmt, struct statement *out)
{
    struct vacuum *vacuum = NEW(vacuum, struct vacuum);
    out->tag = stmt->is_vacuumcmd ? STATEMENT_VACUUM : STATEMENT_ANALYZE;
    vacuum->options = convert_options(convert, stmt->n_options, stmt->options);
    vacuum->tables = convert_range_vars(convert, stmt->n_rels, stmt->rels);
    vacuum->columns = ARENA_ARRAY(convert->arena, struct name_list, stmt->n_rels);
    for (size_t i = 0; i < stmt->n_rels; i++) {
        if (stmt->rels[i]->node_case != NODE(VACUUM_RELATION)) continue;
        const PgQuery__VacuumRelation *relation = stmt->rels[i]->vacuum_relation;
        vacuum->columns[i] = convert_names(convert, relation->n_va_cols, relation->va_cols);
    }
}

static void declare_cursor(
    struct convert *convert, const PgQuery__DeclareCursorStmt *stmt, struct statement *out)
{
    enum {
        BINARY = 0x1,
        SCROLL = 0x2,
        NO_SCROLL = 0x4,
        INSENSITIVE = 0x8,
        ASENSITIVE = 0x10,
        HOLD = 0x20
    };
    struct declare_cursor *cursor = NEW(declare_cursor, struct declare_cursor);
    out->tag = STATEMENT_DECLARE_CURSOR;
    uint32_t bits = (uint32_t)stmt->options;
    cursor->name = arena_strdup(convert->arena, stmt->portalname);
    cursor->binary = (bits & BINARY) != 0;
    cursor->hold = (bits & HOLD) != 0;
    cursor->scroll = bits & SCROLL ? TRI_YES : bits & NO_SCROLL ? TRI_NO : TRI_NONE;
    cursor->insensitive = bits & INSENSITIVE ? TRI_YES : bits & ASENSITIVE ? TRI_NO : TRI_NONE;
    if (stmt->query != NULL && stmt->query->node_case == NODE(SELECT_STMT))
        cursor->query = convert_select(convert, stmt->query->select_stmt);
}

static void fetch(struct convert *convert, const PgQuery__FetchStmt *stmt, struct statement *out)
{
    struct fetch *fetch = NEW(fetch, struct fetch);
    out->tag = STATEMENT_FETCH;
    fetch->cursor = arena_strdup(convert->arena, stmt->portalname);
    fetch->count = stmt->how_many;
    fetch->move = stmt->ismove;
    switch (stmt->direction) {
    case PG_QUERY__FETCH_DIRECTION__FETCH_BACKWARD: fetch->direction = FETCH_BACKWARD; break;
    case PG_QUERY__FETCH_DIRECTION__FETCH_ABSOLUTE: fetch->direction = FETCH_ABSOLUTE; break;
    case PG_QUERY__FETCH_DIRECTION__FETCH_RELATIVE: fetch->direction = FETCH_RELATIVE; break;
    default: fetch->direction = FETCH_FORWARD;
    }
}

static void lock_table(
    struct convert *convert, const PgQuery__LockStmt *stmt, struct statement *out)
{
    static const char *const modes[] = {"", "ACCESS SHARE", "ROW SHARE", "ROW EXCLUSIVE",
        "SHARE UPDATE EXCLUSIVE", "SHARE", "SHARE ROW EXCLUSIVE", "EXCLUSIVE", "ACCESS EXCLUSIVE"};
    struct lock_table *lock = NEW(lock_table, struct lock_table);
    out->tag = STATEMENT_LOCK_TABLE;
    lock->tables = convert_range_vars(convert, stmt->n_relations, stmt->relations);
    lock->mode = modes[stmt->mode >= 0 && stmt->mode <= 8 ? stmt->mode : 8];
    lock->nowait = stmt->nowait;
}

static void discard(const PgQuery__DiscardStmt *stmt, struct discard *out)
{
    switch (stmt->target) {
    case PG_QUERY__DISCARD_MODE__DISCARD_PLANS: out->what = DISCARD_PLANS; break;
    case PG_QUERY__DISCARD_MODE__DISCARD_SEQUENCES: out->what = DISCARD_SEQUENCES; break;
    case PG_QUERY__DISCARD_MODE__DISCARD_TEMP: out->what = DISCARD_TEMPORARY; break;
    default: out->what = DISCARD_ALL;
    }
}

static void alter_settings(struct convert *convert, struct alter_settings *out,
    const char *database, const PgQuery__VariableSetStmt *set)
{
    out->database = convert_string(convert, database);
    if (set != NULL) out->set = pg_set_variable(convert, set);
}

bool pg_utility_statement(struct convert *convert, const PgQuery__Node *node, struct statement *out)
{
    switch (node->node_case) {
    case NODE(VARIABLE_SET_STMT): {
        struct set_variable *set = pg_set_variable(convert, node->variable_set_stmt);
        out->as.set_variable = set;
        out->tag =
            set->kind == SET_RESET || set->kind == SET_RESET_ALL ? STATEMENT_RESET : STATEMENT_SET;
        return true;
    }
    case NODE(COPY_STMT): copy(convert, node->copy_stmt, out); return true;
    case NODE(VACUUM_STMT): vacuum(convert, node->vacuum_stmt, out); return true;
    case NODE(DECLARE_CURSOR_STMT):
        declare_cursor(convert, node->declare_cursor_stmt, out);
        return true;
    case NODE(FETCH_STMT): fetch(convert, node->fetch_stmt, out); return true;
    case NODE(CLOSE_PORTAL_STMT):
        out->tag = STATEMENT_CLOSE_CURSOR;
        NEW(close_cursor, struct close_cursor)->name =
            convert_string(convert, node->close_portal_stmt->portalname);
        return true;
    case NODE(UNLISTEN_STMT):
        out->tag = STATEMENT_UNLISTEN;
        NEW(unlisten, struct unlisten)->channel =
            convert_string(convert, node->unlisten_stmt->conditionname);
        return true;
    case NODE(LOCK_STMT): lock_table(convert, node->lock_stmt, out); return true;
    case NODE(EXECUTE_STMT): {
        out->tag = STATEMENT_EXECUTE;
        struct execute *execute = NEW(execute, struct execute);
        execute->name = arena_strdup(convert->arena, node->execute_stmt->name);
        execute->args =
            convert_exprs(convert, node->execute_stmt->n_params, node->execute_stmt->params);
        return true;
    }
    case NODE(DEALLOCATE_STMT):
        out->tag = STATEMENT_DEALLOCATE;
        NEW(deallocate, struct deallocate)->name =
            convert_string(convert, node->deallocate_stmt->name);
        return true;
    case NODE(DISCARD_STMT):
        out->tag = STATEMENT_DISCARD;
        discard(node->discard_stmt, NEW(discard, struct discard));
        return true;
    case NODE(CONSTRAINTS_SET_STMT): {
        out->tag = STATEMENT_SET_CONSTRAINTS;
        struct set_constraints *set = NEW(set_constraints, struct set_constraints);
        set->names = convert_range_vars(convert, node->constraints_set_stmt->n_constraints,
            node->constraints_set_stmt->constraints);
        set->deferred = node->constraints_set_stmt->deferred;
        return true;
    }
    case NODE(CALL_STMT): {
        out->tag = STATEMENT_CALL;
        PgQuery__Node wrapper = PG_QUERY__NODE__INIT;
        wrapper.node_case = NODE(FUNC_CALL);
        wrapper.func_call = node->call_stmt->funccall;
        NEW(call, struct call)->function = convert_expr(convert, &wrapper);
        return true;
    }
    case NODE(ALTER_DATABASE_SET_STMT):
        out->tag = STATEMENT_ALTER_DATABASE_SET;
        alter_settings(convert, NEW(alter_settings, struct alter_settings),
            node->alter_database_set_stmt->dbname, node->alter_database_set_stmt->setstmt);
        return true;
    case NODE(ALTER_ROLE_SET_STMT): {
        const PgQuery__AlterRoleSetStmt *stmt = node->alter_role_set_stmt;
        out->tag = STATEMENT_ALTER_ROLE_SET;
        struct alter_settings *alter = NEW(alter_settings, struct alter_settings);
        alter_settings(convert, alter, stmt->database, stmt->setstmt);
        alter->all_roles = stmt->role == NULL;
        alter->has_role = stmt->role != NULL;
        alter->role = convert_role(convert, stmt->role);
        return true;
    }
    default: return false;
    }
}

// --- privileges ----------------------------------------------------------------------------------

static enum object_kind grant_object(struct convert *convert, PgQuery__ObjectType type)
{
    switch (type) {
    case PG_QUERY__OBJECT_TYPE__OBJECT_TABLE: return OBJECT_TABLE;
    case PG_QUERY__OBJECT_TYPE__OBJECT_SEQUENCE: return OBJECT_SEQUENCE;
    case PG_QUERY__OBJECT_TYPE__OBJECT_DATABASE: return OBJECT_DATABASE;
    case PG_QUERY__OBJECT_TYPE__OBJECT_SCHEMA: return OBJECT_SCHEMA;
    case PG_QUERY__OBJECT_TYPE__OBJECT_TYPE: return OBJECT_TYPE;
    case PG_QUERY__OBJECT_TYPE__OBJECT_DOMAIN: return OBJECT_DOMAIN;
    case PG_QUERY__OBJECT_TYPE__OBJECT_FUNCTION: return OBJECT_FUNCTION;
    case PG_QUERY__OBJECT_TYPE__OBJECT_PROCEDURE: return OBJECT_PROCEDURE;
    case PG_QUERY__OBJECT_TYPE__OBJECT_ROUTINE: return OBJECT_ROUTINE;
    case PG_QUERY__OBJECT_TYPE__OBJECT_LANGUAGE: return OBJECT_LANGUAGE;
    case PG_QUERY__OBJECT_TYPE__OBJECT_LARGEOBJECT: return OBJECT_LARGE_OBJECT;
    default: convert_unsupported(convert, -1, "GRANT on this kind of object"); return OBJECT_OTHER;
    }
}

static struct object_name grant_name(struct convert *convert, const PgQuery__Node *node)
{
    struct object_name name = {.name = "", .position = POSITION_NONE};
    switch (node->node_case) {
    case NODE(RANGE_VAR): return convert_range_var(convert, node->range_var);
    case NODE(STRING): name.name = arena_strdup(convert->arena, node_text(node)); return name;
    case NODE(LIST):
        return convert_object_name(convert, node->list->n_items, node->list->items, POSITION_NONE);
    case NODE(OBJECT_WITH_ARGS): return convert_function_name(convert, node->object_with_args);
    case NODE(INTEGER):
    case NODE(FLOAT): return convert_number_name(convert, node);
    case NODE(TYPE_NAME):
        return convert_object_name(
            convert, node->type_name->n_names, node->type_name->names, POSITION_NONE);
    default: return name;
    }
}

static struct grant *grant(struct convert *convert, const PgQuery__GrantStmt *stmt)
{
    struct grant *grant = ARENA_NEW(convert->arena, struct grant);
    grant->revoke = !stmt->is_grant;
    grant->grant_option = stmt->grant_option;
    grant->behavior = convert_behavior(stmt->behavior);
    grant->target = stmt->targtype == PG_QUERY__GRANT_TARGET_TYPE__ACL_TARGET_ALL_IN_SCHEMA
                        ? GRANT_ON_ALL_IN_SCHEMA
                    : stmt->targtype == PG_QUERY__GRANT_TARGET_TYPE__ACL_TARGET_DEFAULTS
                        ? GRANT_DEFAULTS
                        : GRANT_ON_OBJECTS;
    grant->object = grant_object(convert, stmt->objtype);
    grant->names.items = ARENA_ARRAY(convert->arena, struct object_name, stmt->n_objects);
    for (size_t i = 0; i < stmt->n_objects; i++)
        grant->names.items[grant->names.count++] = grant_name(convert, stmt->objects[i]);
    grant->privileges = ARENA_ARRAY(convert->arena, struct privilege, stmt->n_privileges);
    for (size_t i = 0; i < stmt->n_privileges; i++) {
        if (stmt->privileges[i]->node_case != NODE(ACCESS_PRIV)) continue;
        const PgQuery__AccessPriv *node = stmt->privileges[i]->access_priv;
        struct privilege *privilege = &grant->privileges[grant->privilege_count++];
        privilege->name = convert_string(convert, node->priv_name);
        privilege->columns = convert_names(convert, node->n_cols, node->cols);
    }
    grant->grantees = convert_roles(convert, stmt->n_grantees, stmt->grantees);
    grant->granted_by = stmt->grantor != NULL;
    if (stmt->grantor != NULL) grant->grantor = convert_role(convert, stmt->grantor);
    return grant;
}

static void grant_role(
    struct convert *convert, const PgQuery__GrantRoleStmt *stmt, struct statement *out)
{
    struct grant_role *grant = NEW(grant_role, struct grant_role);
    out->tag = stmt->is_grant ? STATEMENT_GRANT_ROLE : STATEMENT_REVOKE_ROLE;
    grant->revoke = !stmt->is_grant;
    grant->admin_option = stmt->admin_opt;
    grant->behavior = convert_behavior(stmt->behavior);
    grant->roles.items = ARENA_ARRAY(convert->arena, const char *, stmt->n_granted_roles);
    for (size_t i = 0; i < stmt->n_granted_roles; i++) {
        const PgQuery__Node *node = stmt->granted_roles[i];
        if (node->node_case != NODE(ACCESS_PRIV)) continue;
        if (node->access_priv->n_cols > 0)
            parse_fail_at(convert->parse, E_SYNTAX_ERROR, POSITION_NONE,
                "column names cannot be included in GRANT/REVOKE ROLE");
        grant->roles.items[grant->roles.count++] =
            arena_strdup(convert->arena, node->access_priv->priv_name);
    }
    grant->grantees = convert_roles(convert, stmt->n_grantee_roles, stmt->grantee_roles);
    if (stmt->grantor != NULL) convert_unsupported(convert, stmt->grantor->location, "GRANTED BY");
}

static void default_privileges(
    struct convert *convert, const PgQuery__AlterDefaultPrivilegesStmt *stmt, struct statement *out)
{
    struct default_privileges *privileges = NEW(default_privileges, struct default_privileges);
    out->tag = STATEMENT_ALTER_DEFAULT_PRIVILEGES;
    for (size_t i = 0; i < stmt->n_options; i++) {
        if (stmt->options[i]->node_case != NODE(DEF_ELEM)) continue;
        const PgQuery__DefElem *element = stmt->options[i]->def_elem;
        if (element->arg == NULL || element->arg->node_case != NODE(LIST)) continue;
        const PgQuery__List *list = element->arg->list;
        if (strcmp(element->defname, "roles") == 0)
            privileges->for_roles = convert_roles(convert, list->n_items, list->items);
        if (strcmp(element->defname, "schemas") == 0)
            privileges->in_schemas = convert_names(convert, list->n_items, list->items);
    }
    if (stmt->action != NULL) privileges->grant = grant(convert, stmt->action);
}

bool pg_privilege_statement(
    struct convert *convert, const PgQuery__Node *node, struct statement *out)
{
    switch (node->node_case) {
    case NODE(GRANT_STMT):
        out->as.grant = grant(convert, node->grant_stmt);
        out->tag = out->as.grant->revoke ? STATEMENT_REVOKE : STATEMENT_GRANT;
        return true;
    case NODE(GRANT_ROLE_STMT): grant_role(convert, node->grant_role_stmt, out); return true;
    case NODE(ALTER_DEFAULT_PRIVILEGES_STMT):
        default_privileges(convert, node->alter_default_privileges_stmt, out);
        return true;
    case NODE(DROP_ROLE_STMT): {
        out->tag = STATEMENT_DROP_ROLE;
        struct drop_role *drop = NEW(drop_role, struct drop_role);
        drop->roles =
            convert_roles(convert, node->drop_role_stmt->n_roles, node->drop_role_stmt->roles);
        drop->if_exists = node->drop_role_stmt->missing_ok;
        return true;
    }
    case NODE(DROP_OWNED_STMT): {
        out->tag = STATEMENT_DROP_OWNED;
        struct owned *owned = NEW(owned, struct owned);
        owned->roles =
            convert_roles(convert, node->drop_owned_stmt->n_roles, node->drop_owned_stmt->roles);
        owned->behavior = convert_behavior(node->drop_owned_stmt->behavior);
        return true;
    }
    case NODE(REASSIGN_OWNED_STMT): {
        out->tag = STATEMENT_REASSIGN_OWNED;
        struct owned *owned = NEW(owned, struct owned);
        owned->roles = convert_roles(
            convert, node->reassign_owned_stmt->n_roles, node->reassign_owned_stmt->roles);
        owned->new_owner = convert_role(convert, node->reassign_owned_stmt->newrole);
        return true;
    }
    default: return false;
    }
}

// --- what the tree does not hold -----------------------------------------------------------------

static const char *define_name(PgQuery__ObjectType kind)
{
    switch (kind) {
    case PG_QUERY__OBJECT_TYPE__OBJECT_AGGREGATE: return "CREATE AGGREGATE";
    case PG_QUERY__OBJECT_TYPE__OBJECT_OPERATOR: return "CREATE OPERATOR";
    case PG_QUERY__OBJECT_TYPE__OBJECT_TYPE: return "CREATE TYPE of a base type";
    case PG_QUERY__OBJECT_TYPE__OBJECT_COLLATION: return "CREATE COLLATION";
    default: return "CREATE TEXT SEARCH";
    }
}

const char *pg_feature_name(const PgQuery__Node *node)
{
    static const struct {
        PgQuery__Node__NodeCase node_case;
        const char *name;
    } names[] = {
        {NODE(MERGE_STMT), "MERGE"},
        {NODE(CLUSTER_STMT), "CLUSTER"},
        {NODE(DO_STMT), "DO"},
        {NODE(RULE_STMT), "CREATE RULE"},
        {NODE(NOTIFY_STMT), "NOTIFY"},
        {NODE(LISTEN_STMT), "LISTEN"},
        {NODE(LOAD_STMT), "LOAD"},
        {NODE(ALTER_ROLE_STMT), "ALTER GROUP"},
        {NODE(CREATE_TRIG_STMT), "CREATE TRIGGER"},
        {NODE(CREATE_PLANG_STMT), "CREATE LANGUAGE"},
        {NODE(CHECK_POINT_STMT), "CHECKPOINT"},
        {NODE(CREATE_CONVERSION_STMT), "CREATE CONVERSION"},
        {NODE(CREATE_CAST_STMT), "CREATE CAST"},
        {NODE(CREATE_OP_CLASS_STMT), "CREATE OPERATOR CLASS"},
        {NODE(CREATE_OP_FAMILY_STMT), "CREATE OPERATOR FAMILY"},
        {NODE(ALTER_OP_FAMILY_STMT), "ALTER OPERATOR FAMILY"},
        {NODE(CREATE_TABLE_SPACE_STMT), "CREATE TABLESPACE"},
        {NODE(DROP_TABLE_SPACE_STMT), "DROP TABLESPACE"},
        {NODE(ALTER_TABLE_SPACE_OPTIONS_STMT), "ALTER TABLESPACE"},
        {NODE(ALTER_TABLE_MOVE_ALL_STMT), "ALTER TABLE ALL IN TABLESPACE"},
        {NODE(ALTER_OBJECT_DEPENDS_STMT), "ALTER ... DEPENDS ON EXTENSION"},
        {NODE(ALTER_OPERATOR_STMT), "ALTER OPERATOR"},
        {NODE(ALTER_TYPE_STMT), "ALTER TYPE"},
        {NODE(CREATE_RANGE_STMT), "CREATE TYPE of a range"},
        {NODE(ALTER_TSDICTIONARY_STMT), "ALTER TEXT SEARCH DICTIONARY"},
        {NODE(ALTER_TSCONFIGURATION_STMT), "ALTER TEXT SEARCH CONFIGURATION"},
        {NODE(CREATE_FDW_STMT), "CREATE FOREIGN DATA WRAPPER"},
        {NODE(ALTER_FDW_STMT), "ALTER FOREIGN DATA WRAPPER"},
        {NODE(CREATE_FOREIGN_SERVER_STMT), "CREATE SERVER"},
        {NODE(ALTER_FOREIGN_SERVER_STMT), "ALTER SERVER"},
        {NODE(CREATE_USER_MAPPING_STMT), "CREATE USER MAPPING"},
        {NODE(ALTER_USER_MAPPING_STMT), "ALTER USER MAPPING"},
        {NODE(DROP_USER_MAPPING_STMT), "DROP USER MAPPING"},
        {NODE(SEC_LABEL_STMT), "SECURITY LABEL"},
        {NODE(CREATE_FOREIGN_TABLE_STMT), "CREATE FOREIGN TABLE"},
        {NODE(IMPORT_FOREIGN_SCHEMA_STMT), "IMPORT FOREIGN SCHEMA"},
        {NODE(ALTER_EXTENSION_STMT), "ALTER EXTENSION"},
        {NODE(ALTER_EXTENSION_CONTENTS_STMT), "ALTER EXTENSION"},
        {NODE(CREATE_EVENT_TRIG_STMT), "CREATE EVENT TRIGGER"},
        {NODE(ALTER_EVENT_TRIG_STMT), "ALTER EVENT TRIGGER"},
        {NODE(REPLICA_IDENTITY_STMT), "REPLICA IDENTITY"},
        {NODE(ALTER_SYSTEM_STMT), "ALTER SYSTEM"},
        {NODE(CREATE_POLICY_STMT), "CREATE POLICY"},
        {NODE(ALTER_POLICY_STMT), "ALTER POLICY"},
        {NODE(CREATE_TRANSFORM_STMT), "CREATE TRANSFORM"},
        {NODE(CREATE_AM_STMT), "CREATE ACCESS METHOD"},
        {NODE(CREATE_PUBLICATION_STMT), "CREATE PUBLICATION"},
        {NODE(ALTER_PUBLICATION_STMT), "ALTER PUBLICATION"},
        {NODE(CREATE_SUBSCRIPTION_STMT), "CREATE SUBSCRIPTION"},
        {NODE(ALTER_SUBSCRIPTION_STMT), "ALTER SUBSCRIPTION"},
        {NODE(DROP_SUBSCRIPTION_STMT), "DROP SUBSCRIPTION"},
        {NODE(ALTER_COLLATION_STMT), "ALTER COLLATION"},
    };
    if (node->node_case == NODE(DEFINE_STMT)) return define_name(node->define_stmt->kind);
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        if (names[i].node_case == node->node_case) return names[i].name;
    }
    return "this statement";
}
