// SPDX-License-Identifier: GPL-3.0-or-later
//
// ALTER, DROP, RENAME, COMMENT and TRUNCATE out of libpg_query's tree.
#include "sql/parse/parse_internal.h"

#define NODE(name) PG_QUERY__NODE__NODE_##name
#define NEW(member, type) (out->as.member = ARENA_NEW(convert->arena, type))

static enum object_kind object_kind(PgQuery__ObjectType type)
{
    switch (type) {
    case PG_QUERY__OBJECT_TYPE__OBJECT_TABLE: return OBJECT_TABLE;
    case PG_QUERY__OBJECT_TYPE__OBJECT_VIEW: return OBJECT_VIEW;
    case PG_QUERY__OBJECT_TYPE__OBJECT_MATVIEW: return OBJECT_MATERIALIZED_VIEW;
    case PG_QUERY__OBJECT_TYPE__OBJECT_INDEX: return OBJECT_INDEX;
    case PG_QUERY__OBJECT_TYPE__OBJECT_SEQUENCE: return OBJECT_SEQUENCE;
    case PG_QUERY__OBJECT_TYPE__OBJECT_SCHEMA: return OBJECT_SCHEMA;
    case PG_QUERY__OBJECT_TYPE__OBJECT_DATABASE: return OBJECT_DATABASE;
    case PG_QUERY__OBJECT_TYPE__OBJECT_TYPE: return OBJECT_TYPE;
    case PG_QUERY__OBJECT_TYPE__OBJECT_DOMAIN: return OBJECT_DOMAIN;
    case PG_QUERY__OBJECT_TYPE__OBJECT_FUNCTION: return OBJECT_FUNCTION;
    case PG_QUERY__OBJECT_TYPE__OBJECT_PROCEDURE: return OBJECT_PROCEDURE;
    case PG_QUERY__OBJECT_TYPE__OBJECT_ROUTINE: return OBJECT_ROUTINE;
    case PG_QUERY__OBJECT_TYPE__OBJECT_AGGREGATE: return OBJECT_AGGREGATE;
    case PG_QUERY__OBJECT_TYPE__OBJECT_COLUMN: return OBJECT_COLUMN;
    case PG_QUERY__OBJECT_TYPE__OBJECT_TABCONSTRAINT: return OBJECT_CONSTRAINT;
    case PG_QUERY__OBJECT_TYPE__OBJECT_DOMCONSTRAINT: return OBJECT_DOMAIN_CONSTRAINT;
    case PG_QUERY__OBJECT_TYPE__OBJECT_ROLE: return OBJECT_ROLE;
    case PG_QUERY__OBJECT_TYPE__OBJECT_TRIGGER: return OBJECT_TRIGGER;
    case PG_QUERY__OBJECT_TYPE__OBJECT_POLICY: return OBJECT_POLICY;
    case PG_QUERY__OBJECT_TYPE__OBJECT_EXTENSION: return OBJECT_EXTENSION;
    case PG_QUERY__OBJECT_TYPE__OBJECT_STATISTIC_EXT: return OBJECT_STATISTICS;
    case PG_QUERY__OBJECT_TYPE__OBJECT_COLLATION: return OBJECT_COLLATION;
    case PG_QUERY__OBJECT_TYPE__OBJECT_ATTRIBUTE: return OBJECT_ATTRIBUTE;
    case PG_QUERY__OBJECT_TYPE__OBJECT_LANGUAGE: return OBJECT_LANGUAGE;
    case PG_QUERY__OBJECT_TYPE__OBJECT_LARGEOBJECT: return OBJECT_LARGE_OBJECT;
    case PG_QUERY__OBJECT_TYPE__OBJECT_TABLESPACE: return OBJECT_TABLESPACE;
    default: return OBJECT_OTHER;
    }
}

// t@i of DROP INDEX, ALTER INDEX: the table stands beside the text.
static void set_index_table(struct convert *convert, struct object_name *name)
{
    const struct extra *table = rewrite_extra(convert->rewrite, EXTRA_INDEX_TABLE, name->position);
    if (table != NULL) name->table = table->name;
}

struct object_name convert_number_name(struct convert *convert, const PgQuery__Node *node)
{
    return (struct object_name){.position = POSITION_NONE,
        .name = node->node_case == NODE(INTEGER) ? arena_printf(convert->arena, "%d", node->integer->ival)
                                                 : arena_strdup(convert->arena, node->float_->fval)};
}

// A name out of whatever node PostgreSQL chose for this kind of object.
static struct object_name any_name(struct convert *convert, const PgQuery__Node *node)
{
    struct object_name name = {.name = "", .position = POSITION_NONE};
    if (node == NULL) return name;
    switch (node->node_case) {
    case NODE(STRING): name.name = arena_strdup(convert->arena, node_text(node)); break;
    case NODE(LIST):
        name = convert_object_name(convert, node->list->n_items, node->list->items, POSITION_NONE);
        break;
    case NODE(TYPE_NAME):
        name = convert_object_name(convert, node->type_name->n_names, node->type_name->names,
            convert_position(convert, node->type_name->location));
        break;
    case NODE(OBJECT_WITH_ARGS):
        name = convert_function_name(convert, node->object_with_args);
        break;
    case NODE(RANGE_VAR): name = convert_range_var(convert, node->range_var); break;
    case NODE(INTEGER): // A large object's oid.
    case NODE(FLOAT): name = convert_number_name(convert, node); break;
    default: break;
    }
    return name;
}

// --- ALTER TABLE ---------------------------------------------------------------------------------

static const struct {
    PgQuery__AlterTableType subtype;
    enum alter_kind kind;
    const char *unsupported;
} alter_kinds[] = {
    {PG_QUERY__ALTER_TABLE_TYPE__AT_AddColumn, ALTER_ADD_COLUMN, NULL},
    {PG_QUERY__ALTER_TABLE_TYPE__AT_DropColumn, ALTER_DROP_COLUMN, NULL},
    {PG_QUERY__ALTER_TABLE_TYPE__AT_AlterColumnType, ALTER_COLUMN_TYPE, NULL},
    {PG_QUERY__ALTER_TABLE_TYPE__AT_SetNotNull, ALTER_COLUMN_SET_NOT_NULL, NULL},
    {PG_QUERY__ALTER_TABLE_TYPE__AT_DropNotNull, ALTER_COLUMN_DROP_NOT_NULL, NULL},
    {PG_QUERY__ALTER_TABLE_TYPE__AT_AddIdentity, ALTER_COLUMN_ADD_IDENTITY, NULL},
    {PG_QUERY__ALTER_TABLE_TYPE__AT_DropIdentity, ALTER_COLUMN_DROP_IDENTITY, NULL},
    {PG_QUERY__ALTER_TABLE_TYPE__AT_DropExpression, ALTER_COLUMN_DROP_EXPRESSION, NULL},
    {PG_QUERY__ALTER_TABLE_TYPE__AT_SetStatistics, ALTER_COLUMN_SET_STATISTICS, NULL},
    {PG_QUERY__ALTER_TABLE_TYPE__AT_AddConstraint, ALTER_ADD_CONSTRAINT, NULL},
    {PG_QUERY__ALTER_TABLE_TYPE__AT_DropConstraint, ALTER_DROP_CONSTRAINT, NULL},
    {PG_QUERY__ALTER_TABLE_TYPE__AT_ValidateConstraint, ALTER_VALIDATE_CONSTRAINT, NULL},
    {PG_QUERY__ALTER_TABLE_TYPE__AT_ChangeOwner, ALTER_OWNER, NULL},
    {PG_QUERY__ALTER_TABLE_TYPE__AT_SetRelOptions, ALTER_SET_OPTIONS, NULL},
    {PG_QUERY__ALTER_TABLE_TYPE__AT_ResetRelOptions, ALTER_RESET_OPTIONS, NULL},
    {PG_QUERY__ALTER_TABLE_TYPE__AT_SetOptions, ALTER_UNSUPPORTED, "SET options of a column"},
    {PG_QUERY__ALTER_TABLE_TYPE__AT_ResetOptions, ALTER_UNSUPPORTED, "RESET options of a column"},
    {PG_QUERY__ALTER_TABLE_TYPE__AT_SetStorage, ALTER_UNSUPPORTED, "SET STORAGE"},
    {PG_QUERY__ALTER_TABLE_TYPE__AT_SetCompression, ALTER_UNSUPPORTED, "SET COMPRESSION"},
    {PG_QUERY__ALTER_TABLE_TYPE__AT_AlterConstraint, ALTER_CONSTRAINT, NULL},
    {PG_QUERY__ALTER_TABLE_TYPE__AT_ClusterOn, ALTER_UNSUPPORTED, "CLUSTER ON"},
    {PG_QUERY__ALTER_TABLE_TYPE__AT_DropCluster, ALTER_UNSUPPORTED, "SET WITHOUT CLUSTER"},
    {PG_QUERY__ALTER_TABLE_TYPE__AT_SetLogged, ALTER_SET_LOGGED, NULL},
    {PG_QUERY__ALTER_TABLE_TYPE__AT_SetUnLogged, ALTER_SET_UNLOGGED, NULL},
    {PG_QUERY__ALTER_TABLE_TYPE__AT_SetAccessMethod, ALTER_UNSUPPORTED, "SET ACCESS METHOD"},
    {PG_QUERY__ALTER_TABLE_TYPE__AT_SetTableSpace, ALTER_UNSUPPORTED, "SET TABLESPACE"},
    {PG_QUERY__ALTER_TABLE_TYPE__AT_EnableTrig, ALTER_UNSUPPORTED, "ENABLE TRIGGER"},
    {PG_QUERY__ALTER_TABLE_TYPE__AT_DisableTrig, ALTER_UNSUPPORTED, "DISABLE TRIGGER"},
    {PG_QUERY__ALTER_TABLE_TYPE__AT_EnableTrigAll, ALTER_UNSUPPORTED, "ENABLE TRIGGER ALL"},
    {PG_QUERY__ALTER_TABLE_TYPE__AT_DisableTrigAll, ALTER_UNSUPPORTED, "DISABLE TRIGGER ALL"},
    {PG_QUERY__ALTER_TABLE_TYPE__AT_EnableTrigUser, ALTER_UNSUPPORTED, "ENABLE TRIGGER USER"},
    {PG_QUERY__ALTER_TABLE_TYPE__AT_DisableTrigUser, ALTER_UNSUPPORTED, "DISABLE TRIGGER USER"},
    {PG_QUERY__ALTER_TABLE_TYPE__AT_AddInherit, ALTER_UNSUPPORTED, "INHERIT"},
    {PG_QUERY__ALTER_TABLE_TYPE__AT_DropInherit, ALTER_UNSUPPORTED, "NO INHERIT"},
    {PG_QUERY__ALTER_TABLE_TYPE__AT_ReplicaIdentity, ALTER_UNSUPPORTED, "REPLICA IDENTITY"},
    {PG_QUERY__ALTER_TABLE_TYPE__AT_EnableRowSecurity, ALTER_UNSUPPORTED, "ROW LEVEL SECURITY"},
    {PG_QUERY__ALTER_TABLE_TYPE__AT_DisableRowSecurity, ALTER_UNSUPPORTED, "ROW LEVEL SECURITY"},
    {PG_QUERY__ALTER_TABLE_TYPE__AT_ForceRowSecurity, ALTER_UNSUPPORTED, "ROW LEVEL SECURITY"},
    {PG_QUERY__ALTER_TABLE_TYPE__AT_NoForceRowSecurity, ALTER_UNSUPPORTED, "ROW LEVEL SECURITY"},
    {PG_QUERY__ALTER_TABLE_TYPE__AT_AttachPartition, ALTER_UNSUPPORTED, "ATTACH PARTITION"},
    {PG_QUERY__ALTER_TABLE_TYPE__AT_DetachPartition, ALTER_UNSUPPORTED, "DETACH PARTITION"},
    {PG_QUERY__ALTER_TABLE_TYPE__AT_SetIdentity, ALTER_COLUMN_SET_IDENTITY, NULL},
};

static struct constraint *one_constraint(struct convert *convert, const PgQuery__Node *node)
{
    // A constraint as a column's own goes through the one reader of constraints.
    PgQuery__Node *nodes[1] = {(PgQuery__Node *)node};
    PgQuery__ColumnDef def = PG_QUERY__COLUMN_DEF__INIT;
    def.location = -1;
    def.n_constraints = 1;
    def.constraints = nodes;
    struct column_definition column = convert_column(convert, &def);
    return column.constraint_count > 0 ? column.constraints : NULL;
}

static void alter_definition(
    struct convert *convert, struct alter_command *out, const PgQuery__Node *def)
{
    if (def == NULL) return;
    switch (def->node_case) {
    case NODE(COLUMN_DEF): {
        out->definition = ARENA_NEW(convert->arena, struct column_definition);
        *out->definition = convert_column(convert, def->column_def);
        out->position = out->definition->position;
        if (out->kind != ALTER_COLUMN_TYPE) {
            out->name = out->definition->name;
        } else if (out->definition->constraint_count > 0) { // USING comes as a default.
            out->expr = out->definition->constraints[0].expr;
            out->definition->constraint_count = 0;
        }
        break;
    }
    case NODE(CONSTRAINT):
        out->constraint = one_constraint(convert, def);
        out->position = out->constraint == NULL ? POSITION_NONE : out->constraint->position;
        break;
    case NODE(LIST):
        out->options = convert_options(convert, def->list->n_items, def->list->items);
        break;
    case NODE(INTEGER):
        out->expr = convert_new(convert, EXPR_LITERAL, -1);
        out->expr->literal.kind = LITERAL_INTEGER;
        out->expr->literal.integer = def->integer->ival;
        out->expr->literal.text =
            bytes_of_string(arena_printf(convert->arena, "%d", def->integer->ival));
        break;
    default: out->expr = convert_expr(convert, def);
    }
}

static void alter_command(
    struct convert *convert, struct alter_command *out, const PgQuery__AlterTableCmd *node)
{
    out->kind = ALTER_UNSUPPORTED;
    out->unsupported = "this form of ALTER TABLE";
    out->position = POSITION_NONE;
    for (size_t i = 0; i < sizeof alter_kinds / sizeof alter_kinds[0]; i++) {
        if (alter_kinds[i].subtype != node->subtype) continue;
        out->kind = alter_kinds[i].kind;
        out->unsupported = alter_kinds[i].unsupported;
    }
    if (node->subtype == PG_QUERY__ALTER_TABLE_TYPE__AT_ColumnDefault) {
        out->kind = node->def == NULL ? ALTER_COLUMN_DROP_DEFAULT : ALTER_COLUMN_SET_DEFAULT;
        out->unsupported = NULL;
    }
    out->name = convert_string(convert, node->name);
    out->missing_ok = node->missing_ok;
    out->behavior = convert_behavior(node->behavior);
    if (node->newowner != NULL) out->owner = convert_role(convert, node->newowner);
    if (out->kind == ALTER_UNSUPPORTED) return;
    if (out->kind == ALTER_CONSTRAINT && node->def != NULL) {
        const PgQuery__Constraint *changed = node->def->constraint;
        out->constraint = ARENA_NEW(convert->arena, struct constraint);
        out->constraint->deferrable = changed->deferrable;
        out->constraint->initially_deferred = changed->initdeferred;
        out->name = convert_string(convert, changed->conname);
    } else if (out->kind == ALTER_COLUMN_SET_DEFAULT) {
        out->expr = convert_expr(convert, node->def);
    } else {
        alter_definition(convert, out, node->def);
    }
}

static void alter_table(
    struct convert *convert, const PgQuery__AlterTableStmt *stmt, struct statement *out)
{
    struct alter_table *alter = NEW(alter_table, struct alter_table);
    out->tag = STATEMENT_ALTER_TABLE;
    alter->object = object_kind(stmt->objtype);
    alter->name = convert_range_var(convert, stmt->relation);
    set_index_table(convert, &alter->name);
    alter->if_exists = stmt->missing_ok;
    alter->commands = ARENA_ARRAY(convert->arena, struct alter_command, stmt->n_cmds);
    for (size_t i = 0; i < stmt->n_cmds; i++) {
        if (stmt->cmds[i]->node_case != NODE(ALTER_TABLE_CMD)) continue;
        alter_command(
            convert, &alter->commands[alter->command_count++], stmt->cmds[i]->alter_table_cmd);
    }
    const char *feature = NULL;
    for (uint32_t i = 0; i < alter->command_count; i++) {
        if (alter->commands[i].kind == ALTER_UNSUPPORTED)
            feature =
                arena_printf(convert->arena, "ALTER TABLE ... %s", alter->commands[i].unsupported);
    }
    if (alter->object == OBJECT_OTHER) feature = "ALTER FOREIGN TABLE";
    if (feature == NULL) return;
    out->tag = STATEMENT_UNSUPPORTED;
    NEW(unsupported, struct unsupported)->feature = feature;
}

// --- RENAME, OWNER, SET SCHEMA -------------------------------------------------------------------

static void rename_object(
    struct convert *convert, const PgQuery__RenameStmt *stmt, struct statement *out)
{
    struct rename *rename = NEW(rename, struct rename);
    out->tag = STATEMENT_RENAME;
    rename->object = object_kind(stmt->rename_type);
    rename->relation = object_kind(stmt->relation_type);
    rename->name = stmt->relation != NULL ? convert_range_var(convert, stmt->relation)
                                          : any_name(convert, stmt->object);
    set_index_table(convert, &rename->name);
    bool by_subname = rename->object == OBJECT_SCHEMA || rename->object == OBJECT_DATABASE ||
                      rename->object == OBJECT_ROLE || rename->object == OBJECT_TABLESPACE;
    if (by_subname) {
        rename->name.name = arena_strdup(convert->arena, stmt->subname);
    } else {
        rename->part = convert_string(convert, stmt->subname);
    }
    rename->new_name = arena_strdup(convert->arena, stmt->newname);
    rename->if_exists = stmt->missing_ok;
    rename->behavior = convert_behavior(stmt->behavior);
}

// --- DROP, TRUNCATE, COMMENT ---------------------------------------------------------------------

static void drop(struct convert *convert, const PgQuery__DropStmt *stmt, struct statement *out)
{
    struct drop *drop = NEW(drop, struct drop);
    out->tag = STATEMENT_DROP;
    drop->object = object_kind(stmt->remove_type);
    drop->if_exists = stmt->missing_ok;
    drop->concurrently = stmt->concurrent;
    drop->behavior = convert_behavior(stmt->behavior);
    drop->names.items = ARENA_ARRAY(convert->arena, struct object_name, stmt->n_objects);
    drop->parts.items = ARENA_ARRAY(convert->arena, const char *, stmt->n_objects);
    bool has_parts = drop->object == OBJECT_TRIGGER || drop->object == OBJECT_POLICY;
    // DROP's names carry no positions: the extra of t@i is keyed by their order.
    for (size_t i = 0; i < stmt->n_objects; i++) {
        const PgQuery__Node *node = stmt->objects[i];
        struct object_name *name = &drop->names.items[drop->names.count++];
        if (has_parts && node->node_case == NODE(LIST) && node->list->n_items > 1) {
            size_t last = node->list->n_items - 1;
            drop->parts.items[drop->parts.count++] =
                arena_strdup(convert->arena, node_text(node->list->items[last]));
            *name = convert_object_name(convert, last, node->list->items, POSITION_NONE);
            continue;
        }
        *name = any_name(convert, node);
        if (drop->object == OBJECT_INDEX) {
            const struct extra *table =
                rewrite_extra(convert->rewrite, EXTRA_INDEX_TABLE, (uint32_t)i);
            if (table != NULL) name->table = table->name;
        }
    }
    if (drop->object == OBJECT_OTHER) {
        out->tag = STATEMENT_UNSUPPORTED;
        NEW(unsupported, struct unsupported)->feature = "DROP of this kind of object";
    }
}

static void comment(
    struct convert *convert, const PgQuery__CommentStmt *stmt, struct statement *out)
{
    struct comment *comment = NEW(comment, struct comment);
    out->tag = STATEMENT_COMMENT;
    comment->object = object_kind(stmt->objtype);
    comment->is_null = *stmt->comment == 0;
    comment->text = arena_copy(convert->arena, bytes_of_string(stmt->comment));
    const PgQuery__Node *object = stmt->object;
    bool of_relation = comment->object == OBJECT_COLUMN || comment->object == OBJECT_CONSTRAINT ||
                       comment->object == OBJECT_TRIGGER || comment->object == OBJECT_POLICY;
    if (of_relation && object != NULL && object->node_case == NODE(LIST) &&
        object->list->n_items > 1) {
        size_t last = object->list->n_items - 1;
        comment->part = convert_string(convert, node_text(object->list->items[last]));
        comment->name = convert_object_name(convert, last, object->list->items, POSITION_NONE);
    } else {
        comment->name = any_name(convert, object);
    }
    if (comment->object == OBJECT_OTHER) {
        out->tag = STATEMENT_UNSUPPORTED;
        NEW(unsupported, struct unsupported)->feature = "COMMENT ON this kind of object";
    }
}

static void alter_enum(
    struct convert *convert, const PgQuery__AlterEnumStmt *stmt, struct statement *out)
{
    struct alter_enum *alter = NEW(alter_enum, struct alter_enum);
    out->tag = STATEMENT_ALTER_ENUM;
    alter->name = convert_object_name(convert, stmt->n_type_name, stmt->type_name, POSITION_NONE);
    alter->old_value = convert_string(convert, stmt->old_val);
    alter->new_value = arena_strdup(convert->arena, stmt->new_val);
    alter->neighbor = convert_string(convert, stmt->new_val_neighbor);
    alter->after = stmt->new_val_is_after;
    alter->if_not_exists = stmt->skip_if_new_val_exists;
}

bool pg_alter_statement(struct convert *convert, const PgQuery__Node *node, struct statement *out)
{
    switch (node->node_case) {
    case NODE(ALTER_TABLE_STMT): alter_table(convert, node->alter_table_stmt, out); return true;
    case NODE(RENAME_STMT): rename_object(convert, node->rename_stmt, out); return true;
    case NODE(DROP_STMT): drop(convert, node->drop_stmt, out); return true;
    case NODE(COMMENT_STMT): comment(convert, node->comment_stmt, out); return true;
    case NODE(ALTER_ENUM_STMT): alter_enum(convert, node->alter_enum_stmt, out); return true;
    case NODE(TRUNCATE_STMT): {
        const PgQuery__TruncateStmt *stmt = node->truncate_stmt;
        out->tag = STATEMENT_TRUNCATE;
        struct truncate *truncate = NEW(truncate, struct truncate);
        truncate->tables = convert_range_vars(convert, stmt->n_relations, stmt->relations);
        truncate->restart_identity = stmt->restart_seqs;
        truncate->behavior = convert_behavior(stmt->behavior);
        return true;
    }
    case NODE(ALTER_OWNER_STMT): {
        const PgQuery__AlterOwnerStmt *stmt = node->alter_owner_stmt;
        out->tag = STATEMENT_ALTER_OWNER;
        struct alter_owner *alter = NEW(alter_owner, struct alter_owner);
        alter->object = object_kind(stmt->object_type);
        alter->name = stmt->relation != NULL ? convert_range_var(convert, stmt->relation)
                                             : any_name(convert, stmt->object);
        alter->owner = convert_role(convert, stmt->newowner);
        return true;
    }
    case NODE(ALTER_OBJECT_SCHEMA_STMT): {
        const PgQuery__AlterObjectSchemaStmt *stmt = node->alter_object_schema_stmt;
        out->tag = STATEMENT_ALTER_OBJECT_SCHEMA;
        struct alter_object_schema *alter = NEW(alter_object_schema, struct alter_object_schema);
        alter->object = object_kind(stmt->object_type);
        alter->name = stmt->relation != NULL ? convert_range_var(convert, stmt->relation)
                                             : any_name(convert, stmt->object);
        alter->new_schema = arena_strdup(convert->arena, stmt->newschema);
        alter->if_exists = stmt->missing_ok;
        return true;
    }
    case NODE(ALTER_DATABASE_STMT): {
        const PgQuery__AlterDatabaseStmt *stmt = node->alter_database_stmt;
        out->tag = STATEMENT_ALTER_DATABASE;
        struct alter_database *alter = NEW(alter_database, struct alter_database);
        alter->name = arena_strdup(convert->arena, stmt->dbname);
        alter->options = convert_options(convert, stmt->n_options, stmt->options);
        return true;
    }
    default: return false;
    }
}
