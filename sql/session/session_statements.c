// SPDX-License-Identifier: GPL-3.0-or-later
//
// Statements that act on the session itself: transactions and savepoints, SET and SHOW, PREPARE and EXECUTE,
// DISCARD, CANCEL.
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "core/text.h"
#include "sql/service/large_object.h"
#include "sql/session/session_role.h"
#include "sql/ddl/temp.h"
#include "sql/bind/as_of.h"
#include "sql/catalog/catalog.h"
#include "sql/wire/copy.h"
#include "sql/session/cursor.h"
#include "sql/exec/deferred.h"
#include "sql/type/datetime.h"
#include "sql/parse/deparse.h"
#include "sql/session/execute.h"
#include "sql/parse/parse.h"
#include "sql/service/named_lock.h"
#include "sql/wire/pgwire.h"
#include "sql/user/privilege.h"
#include "sql/service/sequence.h"
#include "sql/type/timezone.h"
#include "sql/session/vars.h"

#define E_INVALID_TRANSACTION_TERMINATION SQLSTATE('2', 'D', '0', '0', '0')

static void warn(struct session *session, uint32_t code, const char *message)
{
    session_notice(session, "WARNING", status_make(code, message));
}

// --- BEGIN, COMMIT, ROLLBACK -----------------------------------------------------------------------------

static const char *isolation_text(enum isolation isolation)
{
    static const char *const texts[] = {[READ_UNCOMMITTED] = "read uncommitted",
        [READ_COMMITTED] = "read committed",
        [REPEATABLE_READ] = "repeatable read",
        [SERIALIZABLE] = "serializable"};
    return texts[isolation];
}

// Before the first query the level can be chosen.
static bool before_any_query(const struct session *session)
{
    return session->txn == NULL || !session->txn_queried;
}

static struct status apply_modes(struct statement_context *context, const struct transaction *modes)
{
    struct status st = STATUS_OK;
    struct session *session = context->session;
    if (modes->snapshot != NULL)
        TRY(status_make(E_FEATURE_NOT_SUPPORTED, "SET TRANSACTION SNAPSHOT is not supported"));
    bool late = !before_any_query(session);
    if (modes->read_only == TRI_NO && session->txn_read_only && late)
        return status_make(E_ACTIVE_TRANSACTION, "transaction read-write mode must be set before any query");
    if (modes->read_only != TRI_NONE)
        TRY(vars_set(session, context->arena, "transaction_read_only",
            modes->read_only == TRI_YES ? "on" : "off", VARS_LOCAL));
    if (modes->isolation != ISOLATION_NONE) {
        const char *isolation = isolation_text(modes->isolation);
        if (late && strcmp(isolation, vars_get(session, "transaction_isolation")) != 0)
            return status_make(
                E_ACTIVE_TRANSACTION, "SET TRANSACTION ISOLATION LEVEL must be called before any query");
        if (session->savepoints != NULL && strcmp(isolation, vars_get(session, "transaction_isolation")) != 0)
            return status_make(
                E_ACTIVE_TRANSACTION, "SET TRANSACTION ISOLATION LEVEL must not be called in a subtransaction");
        TRY(vars_set(session, context->arena, "transaction_isolation", isolation, VARS_LOCAL));
    }
    if (modes->deferrable != TRI_NONE) {
        if (late)
            return status_make(
                E_ACTIVE_TRANSACTION, "SET TRANSACTION [NOT] DEFERRABLE must be called before any query");
        TRY(vars_set(session, context->arena, "transaction_deferrable",
            modes->deferrable == TRI_YES ? "on" : "off", VARS_LOCAL));
    }
out:
    return st;
}

static struct status begin_execute(struct statement_context *context)
{
    struct status st;
    struct session *session = context->session;
    const struct statement *statement = context->statement;
    const struct transaction *modes = statement->as.transaction;
    if (session->txn_state == TXN_OPEN) {
        warn(session, E_ACTIVE_TRANSACTION, "there is already a transaction in progress");
        return apply_modes(context, modes);
    }
    struct hlc_timestamp as_of = HLC_ZERO;
    if (statement->as_of != NULL)
        TRY(as_of_evaluate(context->task, session, context->arena, statement->as_of, AS_OF_PAST, &as_of));
    if (session->txn_state == TXN_IMPLICIT && hlc_is_zero(as_of)) {
        session->txn_state = TXN_OPEN; // What the same message did before is part of it.
    } else {
        if (session->txn_state == TXN_IMPLICIT) TRY(session_txn_commit(context->task, session));
        session->txn_as_of = as_of;
        TRY(session_txn_begin(context->task, session, false));
    }
    if (!hlc_is_zero(as_of) || session->read_only_default)
        TRY(vars_set(session, context->arena, "transaction_read_only", "on", VARS_LOCAL));
    const char *isolation = vars_get(session, "default_transaction_isolation");
    // What a query did before it may have chosen the level.
    if (!vars_set_in_txn(session, "transaction_isolation") &&
        strcmp(isolation, vars_get(session, "transaction_isolation")) != 0)
        TRY(vars_set(session, context->arena, "transaction_isolation", isolation, VARS_LOCAL));
    if (!vars_set_in_txn(session, "transaction_deferrable") && vars_bool(session, "default_transaction_deferrable"))
        TRY(vars_set(session, context->arena, "transaction_deferrable", "on", VARS_LOCAL));
    st = apply_modes(context, modes);
    if (failed(st)) session_txn_rollback(context->task, session);
out:
    return st;
}

// What a transaction is, for the next one of AND CHAIN.
struct modes {
    bool read_only;
    const char *isolation, *deferrable;
};
static struct modes modes_of(struct statement_context *context)
{
    struct session *session = context->session;
    return (struct modes){.read_only = session->txn_read_only,
        .isolation = arena_strdup(context->arena, vars_get(session, "transaction_isolation")),
        .deferrable = arena_strdup(context->arena, vars_get(session, "transaction_deferrable"))};
}

// Of one that has failed, what it was set to is undone with all else.
static struct modes modes_of_failed(struct statement_context *context)
{
    struct session *session = context->session;
    return (struct modes){.read_only = session->read_only_default,
        .isolation = arena_strdup(context->arena, vars_get(session, "default_transaction_isolation")),
        .deferrable = arena_strdup(context->arena, vars_get(session, "default_transaction_deferrable"))};
}

static struct status chain(struct statement_context *context, const struct modes *modes)
{
    struct status st;
    struct session *session = context->session;
    TRY(session_txn_begin(context->task, session, false));
    if (modes->read_only)
        TRY(vars_set(session, context->arena, "transaction_read_only", "on", VARS_LOCAL));
    TRY(vars_set(session, context->arena, "transaction_isolation", modes->isolation, VARS_LOCAL));
    TRY(vars_set(session, context->arena, "transaction_deferrable", modes->deferrable, VARS_LOCAL));
out:
    return st;
}

static struct status commit_execute(struct statement_context *context)
{
    struct status st = STATUS_OK;
    struct session *session = context->session;
    if (session->txn_state == TXN_IDLE || session->txn_state == TXN_IMPLICIT) {
        if (context->statement->as.transaction->chain)
            return status_make(E_NO_ACTIVE_TRANSACTION, "COMMIT AND CHAIN can only be used in transaction blocks");
        warn(session, E_NO_ACTIVE_TRANSACTION, "there is no transaction in progress");
        if (session->txn_state == TXN_IMPLICIT) st = session_txn_commit(context->task, session);
        return st;
    }
    struct modes modes = modes_of(context);
    if (session->txn_state == TXN_FAILED) {
        session_txn_rollback(context->task, session);
        modes = modes_of_failed(context);
        snprintf(context->tag, sizeof context->tag, "ROLLBACK");
    } else {
        TRY(session_txn_commit(context->task, session));
    }
    if (context->statement->as.transaction->chain) TRY(chain(context, &modes));
out:
    return st;
}

static struct status rollback_execute(struct statement_context *context)
{
    struct session *session = context->session;
    if (session->txn_state == TXN_IDLE || session->txn_state == TXN_IMPLICIT) {
        if (context->statement->as.transaction->chain)
            return status_make(E_NO_ACTIVE_TRANSACTION, "ROLLBACK AND CHAIN can only be used in transaction blocks");
        warn(session, E_NO_ACTIVE_TRANSACTION, "there is no transaction in progress");
        if (session->txn_state == TXN_IMPLICIT) session_txn_rollback(context->task, session);
        return STATUS_OK;
    }
    const bool failed_before = session->txn_state == TXN_FAILED;
    struct modes modes = modes_of(context);
    session_txn_rollback(context->task, session);
    if (failed_before) modes = modes_of_failed(context);
    if (context->statement->as.transaction->chain) return chain(context, &modes);
    return STATUS_OK;
}

static struct status set_transaction_execute(struct statement_context *context)
{
    struct status st = STATUS_OK;
    struct session *session = context->session;
    const struct transaction *modes = context->statement->as.transaction;
    if (session->txn_state == TXN_IDLE) // Up to the end of the query, or the Sync: as it began.
        TRY(session_txn_begin(context->task, session, true));
    if (modes->scope == SCOPE_SESSION) {
        if (modes->read_only != TRI_NONE)
            TRY(vars_set(session, context->arena, "default_transaction_read_only",
                modes->read_only == TRI_YES ? "on" : "off", VARS_SESSION));
        if (modes->isolation != ISOLATION_NONE)
            TRY(vars_set(session, context->arena, "default_transaction_isolation",
                isolation_text(modes->isolation), VARS_SESSION));
        if (modes->deferrable != TRI_NONE)
            TRY(vars_set(session, context->arena, "default_transaction_deferrable",
                modes->deferrable == TRI_YES ? "on" : "off", VARS_SESSION));
        goto out;
    }
    if (!statement_in_block(session))
        warn(session, E_NO_ACTIVE_TRANSACTION, "SET TRANSACTION can only be used in transaction blocks");
    if (context->statement->as_of != NULL) {
        struct hlc_timestamp ts;
        TRY(as_of_evaluate(context->task, session, context->arena, context->statement->as_of, AS_OF_PAST, &ts));
        if (kv_txn_has_writes(session->txn) || kv_txn_stats(session->txn)->requests > 0)
            TRY(status_make(E_ACTIVE_TRANSACTION,
                "SET TRANSACTION AS OF SYSTEM TIME must be called before any query"));
        const bool implicit = session->txn_state == TXN_IMPLICIT;
        session_txn_rollback(context->task, session);
        session->txn_as_of = ts;
        TRY(session_txn_begin(context->task, session, implicit));
        session->txn_read_only = true;
    }
    st = apply_modes(context, modes);
out:
    return st;
}

static struct status prepared_transaction_execute(struct statement_context *context)
{
    return status_format(context->arena, E_FEATURE_NOT_SUPPORTED, "%s is not supported",
        statement_name(context->statement));
}

// --- savepoints ------------------------------------------------------------------------------------------

static struct status require_block(struct statement_context *context, const char *what)
{
    if (context->session->txn_state == TXN_OPEN || context->session->txn_state == TXN_FAILED)
        return STATUS_OK;
    return status_format(context->arena, E_NO_ACTIVE_TRANSACTION,
        "%s can only be used in transaction blocks", what);
}

static struct savepoint *savepoint_find(struct statement_context *context, struct status *st)
{
    const char *name = context->statement->as.transaction->name;
    for (struct savepoint *at = context->session->savepoints; at != NULL; at = at->next)
        if (strcmp(at->name, name) == 0) return at;
    *st = status_format(context->arena, E_INVALID_SAVEPOINT, "savepoint \"%s\" does not exist", name);
    return NULL;
}

static struct status savepoint_execute(struct statement_context *context)
{
    struct session *session = context->session;
    struct status st = require_block(context, "SAVEPOINT");
    if (failed(st)) return st;
    struct savepoint *savepoint = ARENA_NEW(&session->txn_arena, struct savepoint);
    savepoint->name = arena_strdup(&session->txn_arena, context->statement->as.transaction->name);
    savepoint->kv = kv_txn_savepoint(session->txn);
    savepoint->locks = kv_txn_lock_mark(session->txn);
    savepoint->vars = vars_savepoint(session);
    savepoint->cursor_serial = session->statements->cursor_serial;
    savepoint->next = session->savepoints;
    session->savepoints = savepoint;
    deferred_save(session, savepoint);
    return st;
}

static struct status release_execute(struct statement_context *context)
{
    struct status st;
    TRY(require_block(context, "RELEASE SAVEPOINT"));
    struct savepoint *savepoint = savepoint_find(context, &st);
    if (savepoint == NULL) goto out;
    context->session->savepoints = savepoint->next;
out:
    return st;
}

static struct status rollback_to_execute(struct statement_context *context)
{
    struct status st;
    struct session *session = context->session;
    TRY(require_block(context, "ROLLBACK TO SAVEPOINT"));
    struct savepoint *savepoint = savepoint_find(context, &st);
    if (savepoint == NULL) goto out;
    if (session->txn == NULL)
        TRY(status_make(E_INVALID_SAVEPOINT, "the transaction has been rolled back already"));
    kv_txn_rollback_to(session->txn, savepoint->kv);
    kv_txn_unlock_to(session->txn, &savepoint->locks);
    catalog_view_rolled_back(session->catalog);
    cursors_rolled_back_to(context->task, session, savepoint->cursor_serial);
    portals_rolled_back_to(context->task, session, savepoint->cursor_serial);
    large_objects_rolled_back_to(session, savepoint->cursor_serial);
    vars_rollback_to(session, savepoint->vars);
    deferred_rolled_back_to(session, savepoint);
    session->savepoints = savepoint;
    if (session->txn_state == TXN_FAILED) session->txn_state = TXN_OPEN;
out:
    return st;
}

// --- SET, SHOW, RESET ------------------------------------------------------------------------------------

// SET TIME ZONE INTERVAL '-03:30': so far to the east of UTC.
static struct status zone_of_interval(
    struct statement_context *context, const struct expr *value, struct buffer *out)
{
    struct status st = STATUS_OK;
    struct datum datum;
    TRY(statement_constant(context, value, TYPE_OF(TYPE_INTERVAL), &datum));
    if (datum.null) return status_make(E_INVALID_PARAMETER_VALUE, "time zone interval is NULL");
    const struct interval interval = interval_of(datum);
    if (interval.months != 0 || interval.days != 0)
        return status_format(context->arena, E_INVALID_PARAMETER_VALUE,
            "cannot specify %s in time zone interval", interval.months != 0 ? "months" : "days");
    const struct time_zone *zone = time_zone_fixed((int32_t)(interval.us / US_PER_SECOND));
    if (zone == NULL) return status_make(E_INVALID_PARAMETER_VALUE, "UTC timezone offset is out of range.");
    buffer_append_string(out, time_zone_name(zone));
out:
    return st;
}

// The words of a SET as one text: 'a, b' for lists.
static struct status values_text(struct statement_context *context, const struct expr_list *values,
    const char **text)
{
    struct status st = STATUS_OK;
    struct buffer out;
    buffer_init(&out, context->arena);
    for (uint32_t i = 0; i < values->count; i++) {
        const struct expr *value = values->items[i];
        if (i > 0) buffer_append_string(&out, ", ");
        bool list = values->count > 1 || strcmp(context->statement->as.set_variable->name, "search_path") == 0;
        if (value->kind == EXPR_LITERAL && value->literal.kind == LITERAL_BOOL) {
            buffer_append_string(&out, value->literal.boolean ? "on" : "off");
        } else if (value->kind == EXPR_LITERAL) {
            bool quote = list && value->literal.kind == LITERAL_STRING &&
                         strcspn(arena_string(context->arena, value->literal.text), " ,\"") != value->literal.text.size;
            bool upper = false;
            for (size_t at = 0; list && at < value->literal.text.size; at++)
                if (value->literal.text.data[at] >= 'A' && value->literal.text.data[at] <= 'Z') upper = true;
            if (quote || upper) buffer_append_u8(&out, '"');
            buffer_append_bytes(&out, value->literal.text);
            if (quote || upper) buffer_append_u8(&out, '"');
        } else if (value->kind == EXPR_CAST && strcmp(value->cast.type->name, "interval") == 0) {
            TRY(zone_of_interval(context, value, &out));
        } else {
            struct datum datum;
            TRY(statement_constant(context, value, TYPE_OF(TYPE_TEXT), &datum));
            if (!datum.null) buffer_append_bytes(&out, datum_as_bytes(datum));
        }
    }
    *text = buffer_string(&out);
out:
    return st;
}

static struct status set_execute(struct statement_context *context)
{
    struct status st = STATUS_OK;
    const struct set_variable *set = context->statement->as.set_variable;
    struct session *session = context->session;
    const char *text = NULL;
    if (set->kind == SET_RESET_ALL) {
        vars_reset_all(session);
        goto out;
    }
    if (set->local && !statement_in_block(session))
        warn(session, E_NO_ACTIVE_TRANSACTION, "SET LOCAL can only be used in transaction blocks");
    if (set->kind == SET_CURRENT) text = vars_get(session, set->name);
    if (set->kind == SET_VALUE) TRY(values_text(context, &set->values, &text));
    if (strcmp(set->name, "database") == 0 && text != NULL) {
        const struct database_desc *database;
        TRY(catalog_database(context->task, session, text, false, &database));
    }
    TRY(session_set_variable(context->task, session, context->arena, set->name, text,
        set->local ? VARS_LOCAL : VARS_SESSION));
    if (set->kind == SET_RESET) snprintf(context->tag, sizeof context->tag, "RESET");
out:
    return st;
}

static const char *show_name(const struct statement_context *context)
{
    const char *name = context->statement->as.set_variable->name;
    if (strcmp(name, "time zone") == 0) return "TimeZone";
    if (strcmp(name, "transaction isolation level") == 0) return "transaction_isolation";
    struct status st = vars_check(context->session, context->arena, name, NULL, &name); // As it is spelled.
    (void)st;
    return name;
}

static struct status show_describe(struct statement_context *context,
    const struct result_column **columns, uint32_t *count)
{
    struct result_column *column = ARENA_NEW(context->arena, struct result_column);
    column->name = show_name(context);
    column->type = TYPE_OF(TYPE_TEXT);
    *columns = column;
    *count = 1;
    return STATUS_OK;
}

static struct status show_execute(struct statement_context *context)
{
    struct status st;
    const char *name = show_name(context);
    const char *value = vars_get(context->session, name);
    // Each statement outside of a transaction is one by itself, as new ones are, unless what came before it says otherwise.
    if (value != NULL && strncmp(name, "transaction_", strlen("transaction_")) == 0 &&
        context->session->txn_state != TXN_OPEN && !vars_set_in_txn(context->session, name)) {
        const char *new_ones = vars_get(context->session, arena_printf(context->arena, "default_%s", name));
        if (new_ones != NULL) value = new_ones;
    }
    if (value == NULL) TRY(vars_unknown(context->arena, name));
    const struct result_column *columns;
    uint32_t count;
    TRY(show_describe(context, &columns, &count));
    TRY(context->sink->columns(context->task, context->sink, columns, count));
    struct datum row = datum_text(value);
    TRY(context->sink->row(context->task, context->sink, &row));
out:
    return st;
}

static const struct result_column show_all_columns[] = {
    {.name = "name", .type = {.oid = TYPE_TEXT, .typmod = -1}},
    {.name = "setting", .type = {.oid = TYPE_TEXT, .typmod = -1}},
    {.name = "description", .type = {.oid = TYPE_TEXT, .typmod = -1}},
};

static struct status show_all_describe(struct statement_context *context,
    const struct result_column **columns, uint32_t *count)
{
    (void)context;
    *columns = show_all_columns;
    *count = 3;
    return STATUS_OK;
}

static struct status show_all_execute(struct statement_context *context)
{
    struct status st;
    struct vars_info info;
    TRY(context->sink->columns(context->task, context->sink, show_all_columns, 3));
    for (uint32_t i = 0; vars_at(context->session, i, &info); i++) {
        struct datum row[] = {datum_text(info.name), datum_text(info.value), datum_text(info.description)};
        TRY(context->sink->row(context->task, context->sink, row));
    }
out:
    return st;
}

static struct status transaction_status_describe(struct statement_context *context,
    const struct result_column **columns, uint32_t *count)
{
    static const struct result_column column = {.name = "TRANSACTION STATUS", .type = {.oid = TYPE_TEXT, .typmod = -1}};
    (void)context;
    *columns = &column;
    *count = 1;
    return STATUS_OK;
}

static struct status transaction_status_execute(struct statement_context *context)
{
    static const char *const names[] = {"NoTxn", "NoTxn", "Open", "Aborted"};
    struct status st;
    const struct result_column *columns;
    uint32_t count;
    TRY(transaction_status_describe(context, &columns, &count));
    TRY(context->sink->columns(context->task, context->sink, columns, count));
    struct datum row = datum_text(names[context->session->txn_state]);
    TRY(context->sink->row(context->task, context->sink, &row));
out:
    return st;
}

// LISTEN is refused, so that no session listens to anything: to stop is done at once.
static struct status unlisten_execute(struct statement_context *context)
{
    (void)context;
    return STATUS_OK;
}

// --- PREPARE, EXECUTE, DEALLOCATE, DISCARD -----------------------------------------------------------------

// By its full name: the search path may be another one when the statement is run.
static struct status name_domain(struct statement_context *context, const struct table_desc *domain,
    const struct type_name *written, struct type_name *name)
{
    struct status st;
    const struct schema_desc *schema;
    if (written->array_dimensions > 0)
        return status_make(E_FEATURE_NOT_SUPPORTED,
            "an array of a domain as the type of a parameter of PREPARE is not supported");
    *name = *written;
    name->name = arena_strdup(context->arena, domain->name);
    TRY(catalog_schema_by_id(context->task, context->session, domain->schema_id, &schema));
    name->schema = arena_strdup(context->arena, schema->name);
out:
    return st;
}

static void keep_domains(struct prepared *prepared, const struct type_name *domains, uint32_t count)
{
    struct arena *arena = &prepared->arena;
    bool any = false;
    for (uint32_t i = 0; i < count; i++) any |= domains[i].name != NULL;
    if (!any) return;
    prepared->param_domains = ARENA_ARRAY(arena, struct type_name, prepared->param_count + 1);
    for (uint32_t i = 0; i < count && i < prepared->param_count; i++) {
        if (domains[i].name == NULL) continue;
        prepared->param_domains[i] = (struct type_name){.schema = arena_strdup(arena, domains[i].schema),
            .name = arena_strdup(arena, domains[i].name),
            .position = POSITION_NONE};
    }
}

static struct status prepare_execute(struct statement_context *context)
{
    struct status st;
    struct session *session = context->session;
    const struct prepare *prepare = context->statement->as.prepare;
    if (prepared_find(session, prepare->name) != NULL)
        return status_format(context->arena, SQLSTATE('4', '2', 'P', '0', '5'),
            "prepared statement \"%s\" already exists", prepare->name);
    struct type *types = ARENA_ARRAY(context->arena, struct type, prepare->types.count + 1);
    struct type_name *domains =
        ARENA_ARRAY(context->arena, struct type_name, prepare->types.count + 1);
    for (uint32_t i = 0; i < prepare->types.count; i++) {
        const struct type_name *name = prepare->types.items[i];
        bool built_in = name->schema == NULL || strcmp(name->schema, "pg_catalog") == 0;
        const struct type_info *info = built_in ? type_by_name(name->name) : NULL;
        if (info == NULL) {
            const struct table_desc *type;
            TRY(catalog_type(context->task, session, NULL, name->schema, name->name, &type));
            if (type == NULL) { // A table's name stands for the type of its rows.
                TRY(catalog_table(context->task, session, NULL, name->schema, name->name, true, &type));
                if (type != NULL && type->kind != RELATION_TABLE && type->kind != RELATION_VIEW) type = NULL;
                if (type != NULL) TRY(catalog_install_column_types(context->task, session, type));
            }
            if (type != NULL) catalog_type_install(session, type);
            if (type != NULL && type->kind == RELATION_DOMAIN)
                TRY(name_domain(context, type, name, &domains[i]));
            if (type != NULL)
                info = type_info(type->kind == RELATION_DOMAIN ? type->columns[0].type.oid
                                                               : catalog_type_oid(type));
        }
        if (info == NULL)
            return status_format(context->arena, E_UNDEFINED_OBJECT, "type \"%s\" does not exist",
                prepare->types.items[i]->name);
        types[i] = TYPE_OF(prepare->types.items[i]->array_dimensions > 0 ? info->array : info->oid);
    }
    // Its text by itself, so that the statement owns what it is made of.
    struct buffer text;
    buffer_init(&text, context->arena);
    deparse_statement(&text, prepare->statement, 0);
    struct prepared *prepared;
    TRY(prepared_make(context->task, session, buffer_bytes(&text), NULL, types, prepare->types.count, &prepared));
    keep_domains(prepared, domains, prepare->types.count);
    prepared_add(session, prepare->name, context->text, true, prepared);
out:
    return st;
}

struct status execute_target(struct statement_context *context, const struct execute *execute, struct prepared **target)
{
    const char *name = execute->name;
    struct prepared *prepared = prepared_find(context->session, name);
    if (prepared == NULL)
        return status_format(context->arena, E_INVALID_SQL_STATEMENT_NAME,
            "prepared statement \"%s\" does not exist", name);
    // PREPARE has none of these; the protocol's Parse may.
    uint32_t flags = prepared->handler == NULL ? 0 : prepared->handler->flags;
    bool copy = prepared->statement != NULL && prepared->statement->tag == STATEMENT_COPY;
    if (copy || (flags & (HANDLER_TRANSACTION_CONTROL | HANDLER_NO_TRANSACTION)) != 0)
        return status_format(context->arena, E_FEATURE_NOT_SUPPORTED,
            "EXECUTE of a prepared %s is not supported", statement_name(prepared->statement));
    *target = prepared;
    return STATUS_OK;
}

static struct status execute_describe(struct statement_context *context,
    const struct result_column **columns, uint32_t *count)
{
    struct prepared *prepared;
    struct status st = STATUS_OK;
    *columns = NULL;
    *count = 0;
    // Whether it is there is told when it runs.
    if (prepared_find(context->session, context->statement->as.execute->name) == NULL) return st;
    TRY(execute_target(context, context->statement->as.execute, &prepared));
    st = prepared_describe(context->task, context->session, prepared, columns, count);
out:
    return st;
}

struct status execute_params(struct statement_context *context, const struct execute *execute,
    struct prepared *prepared, struct datum **params)
{
    struct status st = STATUS_OK;
    *params = NULL;
    if (prepared->param_count == 0) return st; // Whatever it is given.
    if (execute->args.count != prepared->param_count)
        TRY(status_detail(context->arena,
            status_format(context->arena, E_SYNTAX_ERROR,
                "wrong number of parameters for prepared statement \"%s\"", execute->name),
            "Expected %u parameters but got %u.", prepared->param_count, execute->args.count));
    *params = ARENA_ARRAY(context->arena, struct datum, prepared->param_count + 1);
    for (uint32_t i = 0; i < prepared->param_count; i++) {
        struct type type = prepared->param_types[i];
        if (type.oid == 0) type.oid = TYPE_TEXT;
        struct expr *value = execute->args.items[i];
        struct expr checked = {.kind = EXPR_CAST, .position = value->position};
        if (prepared->param_domains != NULL && prepared->param_domains[i].name != NULL) {
            checked.cast.arg = value;
            checked.cast.type = &prepared->param_domains[i];
            value = &checked;
        }
        TRY(plan_evaluate_argument(context, value, i + 1, type, &(*params)[i]));
    }
out:
    return st;
}

static struct status execute_execute(struct statement_context *context)
{
    struct status st;
    struct session *session = context->session;
    struct prepared *prepared = NULL;
    struct datum *params;
    struct execution execution = {.arena = context->arena};
    TRY(execute_target(context, context->statement->as.execute, &prepared));
    prepared->references++;
    if (session->txn_state == TXN_IDLE || session->txn_state == TXN_IMPLICIT)
        TRY(session_begin_if_idle(context->task, session));
    TRY(execute_params(context, context->statement->as.execute, prepared, &params));
    execution.prepared = prepared;
    execution.params = params;
    TRY(execution_begin(context->task, session, &execution, true));
    const struct result_column *columns;
    uint32_t count;
    TRY(prepared_describe(context->task, session, prepared, &columns, &count));
    if (columns != NULL) TRY(context->sink->columns(context->task, context->sink, columns, count));
    bool done;
    TRY(execution_next(context->task, session, &execution, context->sink, 0, &done));
    memcpy(context->tag, execution.tag, sizeof context->tag);
out:
    execution_close(context->task, &execution);
    if (prepared != NULL) {
        if (failed(st)) st = status_copy(&session->statement_arena, st);
        prepared_release(prepared);
    }
    return st;
}

static struct status deallocate_execute(struct statement_context *context)
{
    const char *name = context->statement->as.deallocate->name;
    if (name == NULL) {
        prepared_remove_named(context->session);
        snprintf(context->tag, sizeof context->tag, "DEALLOCATE ALL");
        return STATUS_OK;
    }
    if (!prepared_remove(context->session, name))
        return status_format(context->arena, E_INVALID_SQL_STATEMENT_NAME,
            "prepared statement \"%s\" does not exist", name);
    return STATUS_OK;
}

// PLANS and SEQUENCES know of no transactions; the others run outside of one.
static struct status discard_execute(struct statement_context *context)
{
    struct session *session = context->session;
    struct status st = STATUS_OK;
    const enum discard_what what = context->statement->as.discard->what;
    if (what == DISCARD_ALL) TRY(statement_alone(session, context->arena, "DISCARD ALL"));
    const bool inside = what == DISCARD_TEMPORARY && session->txn_state == TXN_OPEN;
    if (inside && session->txn_read_only && session->temp_name != NULL)
        return status_make(
            E_FEATURE_NOT_SUPPORTED, "DISCARD TEMP in a read-only transaction block is not supported");
    // What came before in the same message is finished first; before DISCARD ALL nothing did.
    if ((what == DISCARD_ALL || what == DISCARD_TEMPORARY) && session->txn_state == TXN_IMPLICIT)
        TRY(session_txn_commit(context->task, session));
    if (what == DISCARD_ALL) {
        session_statements_txn_end(context->task, session);
        cursors_close(context->task, session);
        prepared_remove_named(session);
        TRY(session_set_variable(context->task, session, context->arena, "session_authorization",
            NULL, VARS_SESSION));
        vars_reset_all(session);
        sequence_session_reset(session);
        temp_drop_all(context->task, session);
        st = named_lock_release_advisory(context->task, session);
        snprintf(context->tag, sizeof context->tag, "DISCARD ALL");
    } else if (what == DISCARD_PLANS) {
        snprintf(context->tag, sizeof context->tag, "DISCARD PLANS");
    } else if (what == DISCARD_SEQUENCES) {
        sequence_session_reset(session);
        snprintf(context->tag, sizeof context->tag, "DISCARD SEQUENCES");
    } else {
        if (inside)
            TRY(temp_drop_in_transaction(context->task, session));
        else
            temp_drop_all(context->task, session);
        snprintf(context->tag, sizeof context->tag, "DISCARD TEMP");
    }
out:
    return st;
}

#define TXN HANDLER_TRANSACTION_CONTROL
static const struct statement_handler handlers[] = {
    {STATEMENT_BEGIN, TXN, NULL, begin_execute},
    {STATEMENT_START_TRANSACTION, TXN, NULL, begin_execute},
    {STATEMENT_COMMIT, TXN | HANDLER_IN_FAILED, NULL, commit_execute},
    {STATEMENT_ROLLBACK, TXN | HANDLER_IN_FAILED, NULL, rollback_execute},
    {STATEMENT_SET_TRANSACTION, TXN, NULL, set_transaction_execute},
    {STATEMENT_PREPARE_TRANSACTION, TXN, NULL, prepared_transaction_execute},
    {STATEMENT_COMMIT_PREPARED, TXN, NULL, prepared_transaction_execute},
    {STATEMENT_ROLLBACK_PREPARED, TXN, NULL, prepared_transaction_execute},
    {STATEMENT_SAVEPOINT, TXN, NULL, savepoint_execute},
    {STATEMENT_RELEASE_SAVEPOINT, TXN, NULL, release_execute},
    {STATEMENT_ROLLBACK_TO_SAVEPOINT, TXN | HANDLER_IN_FAILED, NULL, rollback_to_execute},
    {STATEMENT_SET, HANDLER_READ_ONLY, NULL, set_execute},
    {STATEMENT_RESET, HANDLER_READ_ONLY, NULL, set_execute},
    {STATEMENT_SHOW, TXN, show_describe, show_execute},
    {STATEMENT_SHOW_ALL_VARIABLES, TXN, show_all_describe, show_all_execute},
    {STATEMENT_SHOW_TRANSACTION_STATUS, TXN | HANDLER_IN_FAILED, transaction_status_describe,
        transaction_status_execute},
    {STATEMENT_PREPARE, HANDLER_READ_ONLY, NULL, prepare_execute},
    {STATEMENT_EXECUTE, TXN, execute_describe, execute_execute},
    {STATEMENT_DEALLOCATE, TXN, NULL, deallocate_execute},
    {STATEMENT_DISCARD, TXN | HANDLER_READ_ONLY, NULL, discard_execute},
    {STATEMENT_COPY, 0, NULL, copy_execute},
    {STATEMENT_UNLISTEN, HANDLER_READ_ONLY, NULL, unlisten_execute},
};

void session_statements_register(void)
{
    statement_handler_register(handlers, sizeof handlers / sizeof handlers[0]);
}
