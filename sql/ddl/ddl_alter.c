// SPDX-License-Identifier: GPL-3.0-or-later
//
// ALTER TABLE. Commands run one after the other, each on the descriptor that the one before it left in the
// transaction.
#include "sql/ddl/ddl_alter.h"

#include "sql/parse/parse.h"
#include "sql/session/execute.h"
#include "sql/session/internal.h"
#include "sql/session/relation_use.h"
#include "sql/user/role.h"

#define PARTS_RETRIES_MAX 20u
#define PARTS_PAUSE_NS 2000000ull

static const char *action_name(const struct alter_command *command)
{
    static const char *const names[] = {[ALTER_ADD_COLUMN] = "ADD COLUMN",
        [ALTER_DROP_COLUMN] = "DROP COLUMN",
        [ALTER_COLUMN_TYPE] = "ALTER COLUMN ... SET DATA TYPE",
        [ALTER_COLUMN_SET_NOT_NULL] = "ALTER COLUMN ... SET NOT NULL",
        [ALTER_COLUMN_DROP_NOT_NULL] = "ALTER COLUMN ... DROP NOT NULL",
        [ALTER_COLUMN_SET_STATISTICS] = "ALTER COLUMN ... SET STATISTICS",
        [ALTER_COLUMN_ADD_IDENTITY] = "ALTER COLUMN ... ADD IDENTITY",
        [ALTER_COLUMN_SET_IDENTITY] = "ALTER COLUMN ... SET",
        [ALTER_COLUMN_DROP_IDENTITY] = "ALTER COLUMN ... DROP IDENTITY",
        [ALTER_COLUMN_DROP_EXPRESSION] = "ALTER COLUMN ... DROP EXPRESSION",
        [ALTER_ADD_CONSTRAINT] = "ADD CONSTRAINT",
        [ALTER_DROP_CONSTRAINT] = "DROP CONSTRAINT",
        [ALTER_VALIDATE_CONSTRAINT] = "VALIDATE CONSTRAINT",
        [ALTER_SET_LOGGED] = "SET LOGGED",
        [ALTER_SET_UNLOGGED] = "SET UNLOGGED"};
    return (size_t)command->kind < sizeof names / sizeof names[0] ? names[command->kind] : NULL;
}

// What tables alone can do, asked of another relation.
static struct status refuse_kind(struct alter *alter, struct status refused)
{
    struct status st = STATUS_OK;
    struct statement_context *context = alter->context;
    const struct table_desc *table;
    const char *action = action_name(alter->command);
    bool is_default = alter->command->kind == ALTER_COLUMN_SET_DEFAULT ||
                      alter->command->kind == ALTER_COLUMN_DROP_DEFAULT;
    if (!status_is(refused, E_WRONG_OBJECT_TYPE) || (action == NULL && !is_default)) return refused;
    const struct object_name *name = &alter->statement->name;
    enum other_relation other;
    TRY(catalog_other_relation(
        context->task, context->session, name->catalog, name->schema, name->name, &other));
    if (other == OTHER_COMPOSITE) return refused;
    if (other == OTHER_NOTHING) TRY(ddl_find(context, name, false, OBJECT_OTHER, &table));
    if (is_default) action = "ALTER COLUMN ... SET DEFAULT";
    st = ddl_error(context, E_WRONG_OBJECT_TYPE,
        "ALTER action %s cannot be performed on relation \"%s\"", action, name->name);
    st = status_detail(context->arena, st, "This operation is not supported for %s.",
        other == OTHER_INDEX             ? "indexes"
        : table->materialized            ? "materialized views"
        : table->kind == RELATION_VIEW   ? "views"
                                         : "sequences");

out:
    return st;
}

struct status alter_load(struct alter *alter)
{
    struct status st = STATUS_OK;
    struct statement_context *context = alter->context;

    st = ddl_edit(context, &alter->statement->name, alter->statement->if_exists, OBJECT_TABLE,
        &alter->table);
    // Of other relations, too, ALTER TABLE changes the owner, and of materialized views some more.
    static const enum object_kind others[] = {
        OBJECT_MATERIALIZED_VIEW, OBJECT_VIEW, OBJECT_SEQUENCE};
    enum alter_kind kind = alter->command->kind;
    bool stored = kind == ALTER_COLUMN_SET_STATISTICS || kind == ALTER_SET_OPTIONS ||
                  kind == ALTER_RESET_OPTIONS;
    size_t tried = kind == ALTER_OWNER ? sizeof others / sizeof others[0] : stored ? 1 : 0;
    for (size_t i = 0; i < tried; i++)
        if (status_is(st, E_WRONG_OBJECT_TYPE))
            st = ddl_edit(context, &alter->statement->name, alter->statement->if_exists, others[i],
                &alter->table);
    if (failed(st)) return refuse_kind(alter, st);
    if (alter->table == NULL) goto out;
    TRY(catalog_edit_table(
        context->task, context->session, context->arena, alter->table->id, &alter->source));
out:
    return st;
}

struct status alter_put(struct alter *alter)
{
    return catalog_put_table(alter->context->task, alter->context->session, alter->table);
}
// --- parts that are no column's -------------------------------------------------------------------

static struct status set_owner(struct alter *alter)
{
    struct status st = STATUS_OK;
    const char *owner;
    TRY(role_resolve(
        alter->context->task, alter->context->session, &alter->command->owner, false, &owner));
    alter->table->owner = owner;
    TRY(alter_put(alter));
out:
    return st;
}

static struct status refuse_options(struct alter *alter)
{
    const struct option_list *options = &alter->command->options;
    for (uint32_t i = 0; i < options->count; i++) {
        if (strcmp(options->items[i].name, "fillfactor") != 0 &&
            strncmp(options->items[i].name, "autovacuum_", 11) != 0)
            return ddl_error(alter->context, E_INVALID_PARAMETER_VALUE,
                "unrecognized parameter \"%s\"", options->items[i].name);
        ddl_notice(
            alter->context, "storage parameter \"%s\" has no effect", options->items[i].name);
    }
    return STATUS_OK;
}

// --- the statement ---------------------------------------------------------------------------------

static struct status run_command(struct alter *alter)
{
    switch (alter->command->kind) {
    case ALTER_ADD_COLUMN:
    case ALTER_DROP_COLUMN:
    case ALTER_COLUMN_TYPE:
    case ALTER_COLUMN_SET_DEFAULT:
    case ALTER_COLUMN_DROP_DEFAULT:
    case ALTER_COLUMN_SET_NOT_NULL:
    case ALTER_COLUMN_DROP_NOT_NULL:
    case ALTER_COLUMN_SET_VISIBLE:
    case ALTER_COLUMN_SET_NOT_VISIBLE:
    case ALTER_COLUMN_ADD_IDENTITY:
    case ALTER_COLUMN_SET_IDENTITY:
    case ALTER_COLUMN_DROP_IDENTITY:
    case ALTER_COLUMN_DROP_EXPRESSION:
    case ALTER_COLUMN_SET_STATISTICS: return alter_column(alter);
    case ALTER_ADD_CONSTRAINT: return alter_add_constraint(alter, alter->command->constraint, NULL);
    case ALTER_DROP_CONSTRAINT: return alter_drop_constraint(alter);
    case ALTER_VALIDATE_CONSTRAINT: return alter_validate_constraint(alter);
    case ALTER_CONSTRAINT: return alter_change_constraint(alter);
    case ALTER_SET_LOGGED:
    case ALTER_SET_UNLOGGED:
        alter->table->unlogged = alter->command->kind == ALTER_SET_UNLOGGED;
        return alter_put(alter);
    case ALTER_PRIMARY_KEY: {
        struct constraint *key = ARENA_NEW(alter->context->arena, struct constraint);
        *key = *alter->command->constraint;
        key->kind = CONSTRAINT_PRIMARY_KEY;
        return alter_set_primary_key(alter, key, NULL, true);
    }
    case ALTER_OWNER: return set_owner(alter);
    case ALTER_SET_OPTIONS:
    case ALTER_RESET_OPTIONS: return refuse_options(alter);
    case ALTER_UNSUPPORTED: return ddl_unsupported(alter->context, alter->command->unsupported);
    }
    return ddl_unsupported(alter->context, "this form of ALTER TABLE");
}

static struct status set_view_default(struct alter *alter)
{
    struct status st = STATUS_OK;
    struct column_desc *column;
    TRY(alter_find_column(alter, &column));
    column->default_sql = NULL;
    if (alter->command->kind == ALTER_COLUMN_SET_DEFAULT)
        TRY(ddl_lone_default_text(
            alter->context, alter->command->expr, column->type, &column->default_sql));
    TRY(alter_put(alter));
out:
    return st;
}

static struct status set_view_options(struct alter *alter)
{
    struct status st = STATUS_OK;
    const struct alter_command *command = alter->command;
    struct statement_list list;
    if (command->kind == ALTER_SET_OPTIONS) {
        char former = alter->table->check_option;
        TRY(ddl_view_options(alter->context, &command->options, alter->table));
        if (alter->table->check_option != former) {
            TRY(parse_sql_on_stack(
                alter->context->arena, bytes_of_string(alter->table->view_sql), &list));
            TRY(ddl_check_view_option(alter->context, list.items[0]->as.select));
        }
    }
    for (uint32_t i = 0; command->kind == ALTER_RESET_OPTIONS && i < command->options.count; i++) {
        const char *name = command->options.items[i].name;
        if (strcmp(name, "check_option") == 0) alter->table->check_option = 0;
        if (strcmp(name, "security_barrier") == 0) alter->table->security_barrier = 0;
        if (strcmp(name, "security_invoker") == 0) alter->table->security_invoker = 0;
    }
    TRY(alter_put(alter));
out:
    return st;
}

// The storage parameters of an index have no effect.
static struct status alter_index(struct statement_context *context)
{
    struct status st = STATUS_OK;
    const struct alter_table *statement = context->statement->as.alter_table;
    const struct object_name *name = &statement->name;
    const struct table_desc *table;
    const struct index_desc *index;
    TRY(catalog_index(context->task, context->session, name->catalog, name->schema, name->name,
        statement->if_exists, &table, &index));
    if (index == NULL) {
        ddl_notice(context, "relation \"%s\" does not exist, skipping", name->name);
        goto out;
    }
    TRY(privilege_check_owner(
        context->task, context->session, table->owner, OBJECT_INDEX, index->name));
    for (uint32_t i = 0; i < statement->command_count; i++) {
        struct alter alter = {
            .context = context, .statement = statement, .command = &statement->commands[i]};
        if (alter.command->kind == ALTER_UNSUPPORTED)
            return ddl_unsupported(context, alter.command->unsupported);
        if (alter.command->kind != ALTER_SET_OPTIONS && alter.command->kind != ALTER_RESET_OPTIONS)
            return ddl_unsupported(context, "this form of ALTER INDEX");
        TRY(refuse_options(&alter));
    }
out:
    return st;
}

// Views and sequences share ALTER ... OWNER TO with tables, and PostgreSQL lets ALTER TABLE do it too.
static struct status alter_other(struct statement_context *context, enum object_kind object)
{
    struct status st = STATUS_OK;
    const struct alter_table *statement = context->statement->as.alter_table;
    struct table_desc *table;

    TRY(ddl_edit(context, &statement->name, statement->if_exists, object, &table));
    if (table == NULL) goto out;
    struct alter alter = {.context = context, .statement = statement, .table = table};
    for (uint32_t i = 0; i < statement->command_count; i++) {
        alter.command = &statement->commands[i];
        bool is_view = table->kind == RELATION_VIEW;
        switch (alter.command->kind) {
        case ALTER_OWNER: TRY(set_owner(&alter)); break;
        case ALTER_COLUMN_SET_DEFAULT:
        case ALTER_COLUMN_DROP_DEFAULT:
            if (!is_view)
                return refuse_kind(&alter, status_make(E_WRONG_OBJECT_TYPE, "not a table"));
            TRY(set_view_default(&alter));
            break;
        case ALTER_COLUMN_SET_STATISTICS:
            if (!table->materialized)
                return refuse_kind(&alter, status_make(E_WRONG_OBJECT_TYPE, "not a table"));
            TRY(alter_column(&alter));
            break;
        case ALTER_SET_OPTIONS:
        case ALTER_RESET_OPTIONS:
            if (is_view) TRY(set_view_options(&alter));
            else TRY(refuse_options(&alter));
            break;
        case ALTER_UNSUPPORTED: return ddl_unsupported(context, alter.command->unsupported);
        default:
            if (action_name(alter.command) != NULL)
                return refuse_kind(&alter, status_make(E_WRONG_OBJECT_TYPE, "not a table"));
            return ddl_unsupported(context, "this form of ALTER for views, indexes and sequences");
        }
    }
out:
    return st;
}

// ALTER TABLE of a view, with what ALTER VIEW can do.
static struct status is_for_view(struct statement_context *context, bool *yes)
{
    struct status st = STATUS_OK;
    const struct alter_table *statement = context->statement->as.alter_table;
    const struct object_name *name = &statement->name;
    const struct table_desc *found;
    *yes = false;
    for (uint32_t i = 0; i < statement->command_count; i++) {
        enum alter_kind kind = statement->commands[i].kind;
        if (kind != ALTER_COLUMN_SET_DEFAULT && kind != ALTER_COLUMN_DROP_DEFAULT &&
            kind != ALTER_SET_OPTIONS && kind != ALTER_RESET_OPTIONS)
            return st;
    }
    TRY(catalog_table(context->task, context->session, name->catalog, name->schema, name->name,
        true, &found));
    *yes = found != NULL && found->kind == RELATION_VIEW;
out:
    return st;
}

// PostgreSQL's passes: in whatever order the parts of a statement are written, what goes goes before what comes.
enum alter_pass {
    PASS_DROP,
    PASS_TYPE,
    PASS_ADD_COLUMN,
    PASS_COLUMN,
    PASS_KEY,
    PASS_CONSTRAINT,
    PASS_OTHER,
    PASS_COUNT,
};

static enum alter_pass pass_of(const struct alter_command *command)
{
    switch (command->kind) {
    case ALTER_DROP_COLUMN:
    case ALTER_DROP_CONSTRAINT:
    case ALTER_COLUMN_DROP_DEFAULT:
    case ALTER_COLUMN_DROP_NOT_NULL:
    case ALTER_COLUMN_DROP_IDENTITY:
    case ALTER_COLUMN_DROP_EXPRESSION: return PASS_DROP;
    case ALTER_COLUMN_TYPE: return PASS_TYPE;
    case ALTER_ADD_COLUMN: return PASS_ADD_COLUMN;
    case ALTER_COLUMN_SET_NOT_NULL:
    case ALTER_COLUMN_SET_IDENTITY: return PASS_COLUMN;
    case ALTER_PRIMARY_KEY: return PASS_KEY;
    case ALTER_ADD_CONSTRAINT:
        return command->constraint->kind == CONSTRAINT_PRIMARY_KEY || command->constraint->kind == CONSTRAINT_UNIQUE
                   ? PASS_KEY
                   : PASS_CONSTRAINT;
    case ALTER_COLUMN_SET_DEFAULT:
    case ALTER_COLUMN_ADD_IDENTITY: return PASS_CONSTRAINT;
    default: return PASS_OTHER;
    }
}

// A command of the statement, or one of the constraints that ADD COLUMN has with it.
struct alter_step {
    const struct alter_command *command;
    const struct constraint *constraint; // NULL: the command itself.
};

static void step_add(struct arena *arena, struct alter_step **steps, uint32_t *count,
    const struct alter_command *command, const struct constraint *constraint)
{
    const struct alter_step step = {.command = command, .constraint = constraint};
    DDL_APPEND(arena, *steps, *count, step);
}

static struct alter_step *steps_of(struct arena *arena, const struct alter_table *statement, uint32_t *count)
{
    struct alter_step *steps = NULL;
    *count = 0;
    for (enum alter_pass pass = 0; pass < PASS_COUNT; pass++) {
        for (uint32_t i = 0; i < statement->command_count; i++) {
            const struct alter_command *command = &statement->commands[i];
            if (pass_of(command) != pass) continue;
            step_add(arena, &steps, count, command, NULL);
            if (command->kind != ALTER_ADD_COLUMN) continue;
            for (uint32_t k = 0; k < command->definition->constraint_count; k++)
                step_add(arena, &steps, count, command, &command->definition->constraints[k]);
        }
    }
    return steps;
}

struct status alter_again(
    struct statement_context *context, struct status lost, uint32_t attempt, bool *again)
{
    struct status st = execute_settle(context->task, context->session, lost, false);
    *again = lost.retry == RETRY_TRANSACTION && attempt < PARTS_RETRIES_MAX;
    st.retry = RETRY_NEVER;
    if (!*again) return st;
    *again = false;
    TRY(task_sleep(context->task, PARTS_PAUSE_NS << (attempt < 8 ? attempt : 8)));
    context->session->attempt++;
    TRY(session_txn_begin(context->task, context->session, true));
    *again = true;
out:
    return st;
}

// Whether what the transaction did that had this id is committed: the statement has begun another one.
static bool is_committed(const struct session *session, uint64_t txn)
{
    return session->txn != NULL && kv_txn_id(session->txn) != txn;
}

// From steps[*done] on, which then is the first of those that are not committed yet. Of a column that was there nothing more is
// added.
static struct status run_steps(
    struct alter *alter, const struct alter_step *steps, uint32_t count, uint32_t *done)
{
    struct status st = STATUS_OK;
    struct statement_context *context = alter->context;
    struct session *session = context->session;
    uint64_t txn = kv_txn_id(session->txn);
    for (uint32_t i = *done; i < count; i++) {
        alter->command = steps[i].command;
        if (steps[i].constraint != NULL && alter->skips == alter->command) continue;
        TRY(alter_load(alter));
        if (alter->table == NULL) goto out;
        if (alter->before == NULL) {
            TRY(relation_refuse_used(context, alter->table, "ALTER TABLE"));
            alter->before = alter->source;
        }
        if (steps[i].constraint == NULL)
            TRY(run_command(alter));
        else
            TRY(alter_add_constraint(alter, steps[i].constraint, alter->command->definition->name));
        if (is_committed(session, txn)) *done = i + 1;
        txn = kv_txn_id(session->txn);
    }
    // What is left is committed here, where it can be made again without what came before.
    if (*done > 0 && *done < count) {
        TRY(session_txn_commit(context->task, session));
        *done = count;
        TRY(session_txn_begin(context->task, session, true));
        txn = kv_txn_id(session->txn);
    }
out:
    if (is_committed(session, txn)) st.retry = RETRY_NEVER; // A step that has committed a part of itself.
    return st;
}

struct status ddl_alter_table(struct statement_context *context)
{
    struct status st = STATUS_OK;
    struct alter alter = {.context = context, .statement = context->statement->as.alter_table};
    uint32_t count, done = 0;

    if (alter.statement->object == OBJECT_TYPE) return ddl_alter_composite(context);
    if (alter.statement->object == OBJECT_INDEX) return alter_index(context);
    if (alter.statement->object != OBJECT_TABLE) return alter_other(context, alter.statement->object);
    bool for_view;
    TRY(is_for_view(context, &for_view));
    if (for_view) return alter_other(context, OBJECT_VIEW);
    const struct alter_step *steps = steps_of(context->arena, alter.statement, &count);
    for (uint32_t attempt = 0;; attempt++) {
        st = run_steps(&alter, steps, count, &done);
        if (done == 0 || !failed(st)) break;
        bool again;
        st = alter_again(context, st, attempt, &again);
        if (!again) break;
    }
out:
    return st;
}
