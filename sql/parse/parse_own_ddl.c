// SPDX-License-Identifier: GPL-3.0-or-later
//
// CREATE, ALTER and DROP where PostgreSQL's grammar has no room: roles with their options,
// databases, zone configurations, splits, primary keys; GRANT SYSTEM; jobs; BACKUP and RESTORE.
#include <stdio.h>

#include "sql/parse/parse_internal.h"

// --- roles ---------------------------------------------------------------------------------------

static struct expr *bool_expr(struct own *own, bool value, uint32_t position)
{
    struct expr *expr = own_string_expr(own, "", position);
    expr->literal.kind = LITERAL_BOOL;
    expr->literal.boolean = value;
    return expr;
}

static struct expr *role_names(struct own *own, uint32_t position)
{
    struct expr *row = own_string_expr(own, "", position);
    row->kind = EXPR_ROW;
    row->row.items = (struct expr_list){0};
    row->row.spelled = false;
    struct role_list roles = own_roles(own);
    row->row.items.items = ARENA_ARRAY(own->arena, struct expr *, roles.count);
    for (uint32_t i = 0; i < roles.count; i++) {
        const char *name = roles.items[i].kind == ROLE_NAMED     ? roles.items[i].name
                           : roles.items[i].kind == ROLE_SESSION ? "session_user"
                           : roles.items[i].kind == ROLE_PUBLIC  ? "public"
                                                                 : "current_user";
        row->row.items.items[row->row.items.count++] =
            own_string_expr(own, name, roles.items[i].position);
    }
    return row;
}

static const char *const role_flags[] = {"superuser", "login", "createdb", "createrole", "inherit",
    "replication", "bypassrls", "createlogin", "controljob", "controlchangefeed", "cancelquery",
    "modifyclustersetting", "viewactivity", "viewactivityredacted", "viewclustersetting",
    "sqllogin", NULL};

// SUPERUSER, NOLOGIN...
static bool role_flag(struct own *own, struct option *option)
{
    for (const char *const *flag = role_flags; *flag != NULL; flag++) {
        if (own_is(own, *flag)) {
            option->name = *flag;
            option->value = bool_expr(own, true, option->position);
            own_advance(own);
            return true;
        }
        char negated[32];
        snprintf(negated, sizeof negated, "no%s", *flag);
        if (own_is(own, negated)) {
            option->name = *flag;
            option->value = bool_expr(own, false, option->position);
            own_advance(own);
            return true;
        }
    }
    return false;
}

// One value: a string, $n or NULL.
static struct expr *role_value(struct own *own)
{
    uint32_t start = own->token.position;
    bool fits =
        own->token.kind == LEX_STRING || own->token.kind == LEX_PARAMETER || own_is(own, "null");
    if (!fits) {
        own_fail(own);
        return own_string_expr(own, "", start);
    }
    own_advance(own);
    return parse_expression_in(own->parse, start, own->last_end);
}

static bool role_option(struct own *own, struct option *option)
{
    option->position = own->token.position;
    if (role_flag(own, option)) return true;
    if (own_take(own, "encrypted password") || own_take(own, "password")) {
        option->name = "password";
        option->value = role_value(own);
    } else if (own_take(own, "connection limit")) {
        uint32_t start = own->token.position;
        (void)own_take_char(own, '-');
        if (own->token.kind != LEX_INTEGER) own_fail(own);
        own_advance(own);
        option->name = "connection limit";
        option->value = parse_expression_in(own->parse, start, own->last_end);
    } else if (own_take(own, "valid until")) {
        option->name = "valid until";
        option->value = role_value(own);
    } else if (own_take(own, "in role") || own_take(own, "in group")) {
        option->name = "in role";
        option->value = role_names(own, option->position);
    } else if (own_take(own, "role")) {
        option->name = "role";
        option->value = role_names(own, option->position);
    } else if (own_take(own, "admin")) {
        option->name = "admin";
        option->value = role_names(own, option->position);
    } else if (own_take(own, "user")) {
        option->name = "user";
        option->value = role_names(own, option->position);
    } else {
        return false;
    }
    return true;
}

// The lexer stands after ROLE, USER or GROUP.
bool own_role_statement(struct own *own, bool alter)
{
    struct role_statement *role = OWN_NEW(own, role_statement, struct role_statement);
    own->out->tag = alter ? STATEMENT_ALTER_ROLE : STATEMENT_CREATE_ROLE;
    role->if_not_exists = own_take(own, alter ? "if exists" : "if not exists");
    role->role = own_role(own);
    (void)own_take(own, "with");
    while (!own_at_end(own)) {
        struct option option = {0};
        if (!role_option(own, &option)) {
            own_fail(own);
            break;
        }
        role->options.items = arena_grow(own->arena, role->options.items,
            sizeof option * role->options.count, sizeof option * (role->options.count + 1));
        role->options.items[role->options.count++] = option;
    }
    return true;
}

// --- CREATE, DROP --------------------------------------------------------------------------------

bool own_create(struct own *own)
{
    own_expect(own, "create");
    if (own_take_tenant_word(own, false)) return own_create_tenant(own);
    if (own_is(own, "external connection")) {
        own_external_connection(own, STATEMENT_CREATE_EXTERNAL_CONNECTION);
        return true;
    }
    if (own_is(own, "user mapping")) return false;
    bool user = own_is(own, "user");
    if (user || own_is(own, "role") || own_is(own, "group")) {
        own_advance(own);
        (void)own_role_statement(own, false);
        own->out->as.role_statement->is_user = user;
        return true;
    }
    return false;
}

static void drop_database(struct own *own)
{
    struct drop *drop = OWN_NEW(own, drop, struct drop);
    own->out->tag = STATEMENT_DROP_DATABASE;
    drop->object = OBJECT_DATABASE;
    drop->if_exists = own_take(own, "if exists");
    drop->names.items = ARENA_ARRAY(own->arena, struct object_name, 1);
    drop->names.items[0].position = own->token.position;
    drop->names.items[0].name = own_identifier(own);
    drop->names.count = 1;
    if (own_take(own, "cascade")) {
        drop->behavior = DROP_CASCADE;
    } else if (own_take(own, "restrict")) {
        drop->behavior = DROP_RESTRICT;
    }
    (void)own_take(own, "with");
    if (own_take_char(own, '(')) {
        own_expect(own, "force");
        own_expect_char(own, ')');
        drop->force = true;
    }
}

bool own_drop(struct own *own)
{
    own_expect(own, "drop");
    if (own_take_tenant_word(own, false)) return own_drop_tenant(own);
    if (own_is(own, "external connection")) {
        own_external_connection(own, STATEMENT_DROP_EXTERNAL_CONNECTION);
        return true;
    }
    if (!own_take(own, "database")) return false;
    drop_database(own);
    return true;
}

// --- ALTER ---------------------------------------------------------------------------------------

// RANGE r | DATABASE d | TABLE t | INDEX t@i | PARTITION p OF TABLE t | PARTITION p OF INDEX t@i
bool own_zone(struct own *own, struct zone_target *target)
{
    if (own_take(own, "range")) {
        target->object = OBJECT_RANGE;
        target->name.position = own->token.position;
        target->name.name = own_identifier(own);
    } else if (own_take(own, "database")) {
        target->object = OBJECT_DATABASE;
        target->name.position = own->token.position;
        target->name.name = own_identifier(own);
    } else if (own_take(own, "table")) {
        target->object = OBJECT_TABLE;
        target->name = own_object_name(own);
    } else if (own_take(own, "index")) {
        target->object = OBJECT_INDEX;
        target->name = own_object_name(own);
    } else if (own_take(own, "partition")) {
        target->object = OBJECT_PARTITION;
        target->partition = own_identifier(own);
        own_expect(own, "of");
        if (!own_take(own, "table")) own_expect(own, "index");
        target->name = own_object_name(own);
    } else {
        return false;
    }
    return true;
}

// [CONFIGURE ZONE] USING a = 1, b = COPY FROM PARENT | DISCARD
static void configure_zone(struct own *own, struct zone_target target)
{
    struct zone_config *zone = OWN_NEW(own, zone_config, struct zone_config);
    own->out->tag = STATEMENT_CONFIGURE_ZONE;
    zone->target = target;
    if (own_take(own, "discard")) {
        zone->discard = true;
        return;
    }
    own_expect(own, "using");
    if (own_take(own, "default")) { // All from the parent: as DISCARD.
        zone->discard = true;
        return;
    }
    do {
        struct option option = {.position = own->token.position};
        const char *name = own_identifier(own);
        while (own_take_char(own, '.'))
            name = arena_printf(own->arena, "%s.%s", name, own_identifier(own));
        option.name = name;
        own_expect_char(own, '=');
        if (!own_take(own, "copy from parent")) option.value = own_setting_value(own, NULL);
        zone->options.items = arena_grow(own->arena, zone->options.items,
            sizeof option * zone->options.count, sizeof option * (zone->options.count + 1));
        zone->options.items[zone->options.count++] = option;
    } while (own_take_char(own, ','));
}

// SPLIT AT rows [WITH EXPIRATION t]: the rows end before WITH at the outermost level.
static void split_rows(struct own *own, struct split *split)
{
    uint32_t start = own->token.position, depth = 0;
    while (!own_at_end(own) && own->token.kind != LEX_ERROR) {
        if (depth == 0 && own_is(own, "with expiration")) break;
        if (own_is_char(own, '(')) depth++;
        if (own_is_char(own, ')')) depth--;
        own_advance(own);
    }
    if (own->last_end <= start) {
        own_fail(own);
        return;
    }
    struct statement *statement = parse_statement(own->parse, start, own->last_end);
    if (failed(own->parse->st)) return;
    if (statement->tag != STATEMENT_SELECT) {
        parse_fail_at(own->parse, E_SYNTAX_ERROR, start, "syntax error: a query was expected");
        return;
    }
    split->rows = statement->as.select;
    if (own_take(own, "with expiration")) split->expiration = own_expr(own, NULL);
}

static struct expr_list expr_list_in_parentheses(struct own *own)
{
    struct expr_list list = {0};
    own_expect_char(own, '(');
    do {
        list.items = arena_grow(
            own->arena, list.items, sizeof(void *) * list.count, sizeof(void *) * (list.count + 1));
        list.items[list.count++] = own_expr(own, NULL);
    } while (own_take_char(own, ','));
    own_expect_char(own, ')');
    return list;
}

static bool split_statement(struct own *own, const struct zone_target *target)
{
    struct split split = {.table = target->name, .is_index = target->object == OBJECT_INDEX};
    if (own_take(own, "split at")) {
        split.kind = SPLIT_AT;
        split_rows(own, &split);
    } else if (own_take(own, "unsplit all")) {
        split.kind = UNSPLIT_ALL;
    } else if (own_take(own, "unsplit at")) {
        split.kind = UNSPLIT_AT;
        split_rows(own, &split);
    } else if (own_take(own, "scatter")) {
        split.kind = SCATTER;
        if (own_take(own, "from")) {
            split.from = expr_list_in_parentheses(own);
            own_expect(own, "to");
            split.to = expr_list_in_parentheses(own);
        }
    } else {
        return false;
    }
    own->out->tag = STATEMENT_SPLIT;
    *OWN_NEW(own, split, struct split) = split;
    return true;
}

// ALTER TABLE t ALTER PRIMARY KEY USING COLUMNS (a, b)
static bool alter_primary_key(struct own *own, const struct zone_target *target)
{
    uint32_t position = own->token.position;
    if (!own_take(own, "alter primary key using columns")) return false;
    struct alter_table *alter = OWN_NEW(own, alter_table, struct alter_table);
    own->out->tag = STATEMENT_ALTER_TABLE;
    alter->object = OBJECT_TABLE;
    alter->name = target->name;
    alter->commands = ARENA_NEW(own->arena, struct alter_command);
    alter->command_count = 1;
    alter->commands->kind = ALTER_PRIMARY_KEY;
    alter->commands->position = position;
    struct constraint *key = ARENA_NEW(own->arena, struct constraint);
    alter->commands->constraint = key;
    key->kind = CONSTRAINT_PRIMARY_KEY;
    key->position = position;
    own_expect_char(own, '(');
    do {
        key->columns.items = arena_grow(own->arena, key->columns.items,
            sizeof(char *) * key->columns.count, sizeof(char *) * (key->columns.count + 1));
        key->columns.items[key->columns.count++] = own_identifier(own);
    } while (own_take_char(own, ','));
    own_expect_char(own, ')');
    if (own_is(own, "using hash")) own_unsupported(own, "USING HASH");
    return true;
}

// ALTER RANGE 5 RELOCATE LEASE TO 2 | [VOTERS] FROM 1 TO 2; ALTER RANGE RELOCATE ... FOR SELECT ...
static bool relocate(struct own *own)
{
    static const char *const before_verb[] = {"relocate", NULL}, *const before_to[] = {"to", NULL},
                      *const before_for[] = {"for", NULL};
    struct own_mark mark = own_mark(own);
    struct split split = {.kind = RELOCATE_VOTERS};
    own_advance(own); // RANGE
    const bool one = own->token.kind == LEX_INTEGER;
    if (one) split.range = own_expr(own, before_verb);
    if (failed(own->parse->st) || !own_take(own, "relocate")) {
        if (failed(own->parse->st)) return true;
        own_back(own, mark);
        return false;
    }
    if (own_take(own, "nonvoters") || own_take(own, "non_voters")) {
        own_unsupported(own, "ALTER RANGE ... RELOCATE NONVOTERS");
        return true;
    }
    if (own_take(own, "lease"))
        split.kind = RELOCATE_LEASE;
    else
        (void)own_take(own, "voters");
    if (split.kind == RELOCATE_VOTERS) {
        own_expect(own, "from");
        split.from_node = own_expr(own, before_to);
    }
    own_expect(own, "to");
    split.to_node = own_expr(own, one ? NULL : before_for);
    if (!one) {
        own_expect(own, "for");
        split.rows = own_select(own);
    }
    own->out->tag = STATEMENT_SPLIT;
    *OWN_NEW(own, split, struct split) = split;
    return true;
}

// A name that may be followed by what is ours: a quiet look, so that PostgreSQL's grammar reports.
static bool alter_object(struct own *own)
{
    if (!own_is(own, "range") && !own_is(own, "database") && !own_is(own, "table") &&
        !own_is(own, "index") && !own_is(own, "partition"))
        return false;
    if (own_is(own, "range") && relocate(own)) return true;
    struct zone_target target = {0};
    if (own_is(own, "table if") || own_is(own, "index if") || own_is(own, "table only"))
        return false;
    if (own->token.kind == LEX_WORD && !own_is(own, "range") && !own_is(own, "partition")) {
        struct own_mark mark = own_mark(own);
        own_advance(own);
        bool name = own->token.kind == LEX_WORD || own->token.kind == LEX_QUOTED;
        own_back(own, mark);
        if (!name) return false;
    }
    struct status before = own->parse->st;
    if (!own_zone(own, &target)) return false;
    if (failed(own->parse->st) && !failed(before)) return true;
    if (own_take(own, "configure zone")) {
        configure_zone(own, target);
        return true;
    }
    if (target.object == OBJECT_RANGE || target.object == OBJECT_PARTITION) {
        own_fail(own);
        return true;
    }
    if (target.object == OBJECT_DATABASE) return false;
    return split_statement(own, &target) ||
           (target.object == OBJECT_TABLE && alter_primary_key(own, &target));
}

// ALTER ROLE r RENAME, SET and RESET are PostgreSQL's to read.
static bool alter_role(struct own *own)
{
    if (!own_is(own, "role") && !own_is(own, "user") && !own_is(own, "group")) return false;
    if (own_is(own, "user mapping")) return false;
    bool user = own_is(own, "user");
    bool group = own_is(own, "group");
    struct own look = *own;
    own_advance(&look);
    if (own_is(&look, "all")) return false;
    (void)own_take(&look, "if exists");
    if (look.token.kind != LEX_WORD && look.token.kind != LEX_QUOTED &&
        look.token.kind != LEX_STRING)
        return false;
    own_advance(&look);
    if (own_is(&look, "rename") || own_is(&look, "set") || own_is(&look, "reset") ||
        own_is(&look, "in database") || group)
        return false;
    own_advance(own);
    (void)own_role_statement(own, true);
    own->out->as.role_statement->is_user = user;
    return true;
}

bool own_alter(struct own *own)
{
    own_expect(own, "alter");
    if (own_take_tenant_word(own, false)) return own_alter_tenant(own);
    return alter_role(own) || alter_object(own);
}

// --- GRANT SYSTEM --------------------------------------------------------------------------------

bool own_grant(struct own *own, bool revoke)
{
    own_advance(own);
    bool option_for = revoke && own_take(own, "grant option for");
    // A role may be called system: then TO or a comma follows.
    if (!own_take(own, "system")) return false;
    if (own_is(own, "to") || own_is(own, "from") || own_is_char(own, ',')) return false;
    struct grant_system *grant = OWN_NEW(own, grant_system, struct grant_system);
    own->out->tag = revoke ? STATEMENT_REVOKE_SYSTEM : STATEMENT_GRANT_SYSTEM;
    grant->revoke = revoke;
    do {
        const char *name = own_identifier(own);
        if (strcmp(name, "all") == 0) (void)own_take(own, "privileges");
        grant->privileges.items = arena_grow(own->arena, grant->privileges.items,
            sizeof name * grant->privileges.count, sizeof name * (grant->privileges.count + 1));
        grant->privileges.items[grant->privileges.count++] = name;
    } while (own_take_char(own, ','));
    own_expect(own, revoke ? "from" : "to");
    grant->grantees = own_roles(own);
    grant->grant_option = option_for || (!revoke && own_take(own, "with grant option"));
    return true;
}

// --- jobs ----------------------------------------------------------------------------------------

static bool query_follows(struct own *own)
{
    struct own_mark mark = own_mark(own);
    while (own_is_char(own, '('))
        own_advance(own);
    bool query = own_is(own, "select") || own_is(own, "values") || own_is(own, "with");
    own_back(own, mark);
    return query;
}

static void cancel_activity(struct own *own, bool session, bool plural)
{
    struct cancel *cancel = OWN_NEW(own, cancel, struct cancel);
    own->out->tag = STATEMENT_CANCEL;
    cancel->session = session;
    cancel->if_exists = own_take(own, "if exists");
    if (plural || query_follows(own)) {
        cancel->query = own_select(own);
    } else {
        cancel->id = own_expr(own, NULL);
    }
}

bool own_jobs(struct own *own, enum job_action action)
{
    static const char *const stops[] = {"with", NULL};
    if (action == JOB_CANCEL) {
        bool session = own_is(own, "session") || own_is(own, "sessions");
        bool plural = own_is(own, "queries") || own_is(own, "sessions");
        if (session || plural || own_is(own, "query")) {
            own_advance(own);
            cancel_activity(own, session, plural);
            return true;
        }
    }
    struct job_control *control = OWN_NEW(own, job_control, struct job_control);
    own->out->tag = STATEMENT_JOB_CONTROL;
    control->action = action;
    if (own_take(own, "all")) {
        control->all_type = own_identifier(own);
        own_expect(own, "jobs");
        return true;
    }
    bool plural = own_take(own, "jobs");
    if (!plural) own_expect(own, "job");
    if (plural || query_follows(own)) {
        control->query = own_select(own);
        return true;
    }
    control->id = own_expr(own, stops);
    if (own_take(own, "with reason")) {
        own_expect_char(own, '=');
        control->reason = own_expr(own, NULL);
    }
    return true;
}

// --- BACKUP, RESTORE -----------------------------------------------------------------------------

static struct object_name_list names(struct own *own)
{
    struct object_name_list list = {0};
    do {
        list.items = arena_grow(own->arena, list.items, sizeof *list.items * list.count,
            sizeof *list.items * (list.count + 1));
        list.items[list.count++] = own_object_name(own);
    } while (own_take_char(own, ','));
    return list;
}

// One value, or several in parentheses.
static struct expr_list values(struct own *own, const char *const *stops)
{
    struct expr_list list = {0};
    bool parenthesized = own_take_char(own, '(');
    do {
        list.items = arena_grow(
            own->arena, list.items, sizeof(void *) * list.count, sizeof(void *) * (list.count + 1));
        list.items[list.count++] = own_setting_value(own, stops);
    } while (parenthesized && own_take_char(own, ','));
    if (parenthesized) own_expect_char(own, ')');
    return list;
}

bool own_backup(struct own *own, bool restore)
{
    static const char *const tenant_stops[] = {"into", "from", NULL};
    static const char *const stops[] = {"in", "as", "with", NULL};
    static const char *const with_stops[] = {"with", NULL};
    struct backup *backup = OWN_NEW(own, backup, struct backup);
    own->out->tag = restore ? STATEMENT_RESTORE : STATEMENT_BACKUP;
    backup->restore = restore;
    if (own_take(own, "database") || own_take(own, "databases")) {
        backup->target = BACKUP_DATABASES;
        backup->names = names(own);
    } else if (own_take_tenant_word(own, false)) {
        backup->target = BACKUP_TENANT;
        backup->tenant = own_tenant(own, tenant_stops);
    } else if (!own_is(own, "into") && !own_is(own, "from")) {
        if (!own_take(own, "table")) (void)own_take(own, "tables");
        backup->target = BACKUP_TABLES;
        backup->names = names(own);
    }
    own_expect(own, restore ? "from" : "into");
    if (own_take(own, "latest")) {
        backup->latest = true;
        own_expect(own, "in");
        backup->uris = values(own, stops);
    } else {
        struct expr_list first = values(own, stops);
        if (own_take(own, "in")) {
            backup->subdirectory = first;
            backup->uris = values(own, stops);
        } else {
            backup->uris = first;
        }
    }
    if (own_take(own, "as of system time")) own->out->as_of = own_expr(own, with_stops);
    if (!own_take(own, "with")) return true;
    bool parenthesized = own_take(own, "options") && own_take_char(own, '(');
    backup->options = own_options(own);
    if (parenthesized) own_expect_char(own, ')');
    return true;
}
