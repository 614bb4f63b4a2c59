// SPDX-License-Identifier: GPL-3.0-or-later
#include "repl/connection.h"

#include <string.h>

#include "core/rpc.h"
#include "core/text.h"
#include "kv/cluster.h"
#include "repl/source.h"
#include "sql/catalog/bootstrap.h"
#include "sql/session/internal.h"
#include "sql/user/privilege.h"
#include "sql/session/statement.h"
#include "tenant/tenant.h"

#define SCHEME "external://"
#define COLUMNS 3u

bool connection_is_name(const char *uri)
{
    if (strncmp(uri, SCHEME, strlen(SCHEME)) == 0) return true;
    return uri[0] != '\0' && strstr(uri, "://") == NULL;
}

const char *connection_address(struct arena *arena, const char *uri)
{
    return strncmp(uri, SCHEME, strlen(SCHEME)) == 0 ? uri : arena_printf(arena, SCHEME "%s", uri);
}

static struct status no_such(struct arena *arena, const char *name)
{
    return status_format(
        arena, E_UNDEFINED_OBJECT, "external connection with name \"%s\" does not exist", name);
}

struct status connection_resolve(
    struct task *task, struct arena *arena, const char *uri, const char **resolved)
{
    struct status st;
    struct internal_result result;
    *resolved = uri;
    if (!connection_is_name(uri)) return STATUS_OK;
    const char *name = connection_address(arena, uri) + strlen(SCHEME);
    struct datum params[] = {datum_text(name)};
    TRY(internal_query(task, TENANT_SYSTEM, NULL, arena, &result,
        "SELECT uri FROM system.public.external_connections WHERE connection_name = $1", 1, params,
        (type_oid[]){TYPE_TEXT}));
    if (result.row_count == 0) TRY(no_such(arena, name));
    *resolved = arena_string(arena, datum_as_bytes(internal_value(&result, 0, 0)));
out:
    return st;
}

// --- statements --------------------------------------------------------------------------------------

static struct status check(struct statement_context *context)
{
    struct status st = tenant_require_system(context->session, "external connection");
    if (failed(st)) return st;
    return privilege_check_system(context->task, context->session, "EXTERNALCONNECTION");
}

static struct status create(struct statement_context *context)
{
    struct status st;
    const struct external_connection *connection = context->statement->as.external_connection;
    struct pgclient_options options;
    struct internal_result result;
    struct datum value;
    TRY(check(context));
    TRY(statement_constant(context, connection->uri, TYPE_OF(TYPE_TEXT), &value));
    if (value.null)
        TRY(status_make(
            E_INVALID_PARAMETER_VALUE, "the address of an external connection cannot be NULL"));
    const char *uri = arena_string(context->arena, datum_as_bytes(value));
    // From here on the running statement shows without its secrets.
    context->session->statement_text = arena_printf(context->arena,
        "CREATE EXTERNAL CONNECTION %s AS '%s'", connection->name, source_redact(context->arena, uri));
    if (connection_is_name(uri))
        TRY(status_make(
            E_INVALID_PARAMETER_VALUE, "an external connection cannot name another one"));
    TRY(source_options(context->arena, uri, &options));
    struct datum params[] = {
        datum_text(connection->name), datum_text(uri), datum_text(context->session->user)};
    TRY(internal_query(context->task, TENANT_SYSTEM, context->session, context->arena, &result,
        "INSERT INTO system.public.external_connections (connection_name, connection_type, uri, owner) "
        "VALUES ($1, 'FOREIGNDATA', $2, $3) ON CONFLICT (connection_name) DO NOTHING",
        3, params, (type_oid[]){TYPE_TEXT, TYPE_TEXT, TYPE_TEXT}));
    if (result.row_count == 1) goto out;
    st = status_format(context->arena, E_DUPLICATE_OBJECT,
        "external connection with name \"%s\" already exists", connection->name);
    if (!connection->if_not_exists) goto out;
    session_notice(context->session, "NOTICE", st);
    st = STATUS_OK;
out:
    return st;
}

static struct status drop(struct statement_context *context)
{
    struct status st;
    const struct external_connection *connection = context->statement->as.external_connection;
    struct internal_result result;
    struct datum params[] = {datum_text(connection->name)};
    TRY(check(context));
    TRY(internal_query(context->task, TENANT_SYSTEM, context->session, context->arena, &result,
        "DELETE FROM system.public.external_connections WHERE connection_name = $1", 1,
        params, (type_oid[]){TYPE_TEXT}));
    if (result.row_count == 0) st = no_such(context->arena, connection->name);
out:
    return st;
}

static const struct result_column columns[COLUMNS] = {
    {.name = "connection_name", .type = TYPE_OF(TYPE_TEXT)},
    {.name = "connection_uri", .type = TYPE_OF(TYPE_TEXT)},
    {.name = "connection_type", .type = TYPE_OF(TYPE_TEXT)},
};

static struct status show_describe(
    struct statement_context *context, const struct result_column **described, uint32_t *count)
{
    (void)context;
    *described = columns;
    *count = COLUMNS;
    return STATUS_OK;
}

// Names, URIs with their secrets, and types, in the order of names. `name` NULL: of all.
static struct status find_connections(
    struct statement_context *context, const char *name, struct internal_result *result)
{
    struct datum params[] = {name == NULL ? DATUM_NULL : datum_text(name)};
    struct status st = check(context);
    if (failed(st)) return st;
    return internal_query(context->task, TENANT_SYSTEM, context->session, context->arena, result,
        "SELECT connection_name, uri, connection_type FROM system.public.external_connections "
        "WHERE $1 IS NULL OR connection_name = $1 ORDER BY 1",
        1, params, (type_oid[]){TYPE_TEXT});
}

static struct status show(struct statement_context *context)
{
    struct status st;
    const struct external_connection *connection = context->statement->as.external_connection;
    struct internal_result result;
    TRY(find_connections(context, connection->name, &result));
    TRY(context->sink->columns(context->task, context->sink, columns, COLUMNS));
    for (uint32_t i = 0; i < result.row_count; i++) {
        const char *uri = arena_string(context->arena, datum_as_bytes(internal_value(&result, i, 1)));
        struct datum row[COLUMNS] = {internal_value(&result, i, 0),
            datum_text(source_redact(context->arena, uri)), internal_value(&result, i, 2)};
        TRY(context->sink->row(context->task, context->sink, row));
    }
out:
    return st;
}

static const struct result_column create_columns[] = {
    {.name = "connection_name", .type = TYPE_OF(TYPE_TEXT)},
    {.name = "create_statement", .type = TYPE_OF(TYPE_TEXT)},
};

static struct status show_create_describe(
    struct statement_context *context, const struct result_column **described, uint32_t *count)
{
    (void)context;
    *described = create_columns;
    *count = 2;
    return STATUS_OK;
}

// Without its secrets: what is shown makes the same connection only once they are filled in.
static struct status show_create(struct statement_context *context)
{
    struct status st;
    const struct external_connection *connection = context->statement->as.external_connection;
    struct internal_result result;
    TRY(find_connections(context, connection->name, &result));
    if (result.row_count == 0 && connection->name != NULL) TRY(no_such(context->arena, connection->name));
    TRY(context->sink->columns(context->task, context->sink, create_columns, 2));
    for (uint32_t i = 0; i < result.row_count; i++) {
        struct bytes name = datum_as_bytes(internal_value(&result, i, 0));
        const char *uri = arena_string(context->arena, datum_as_bytes(internal_value(&result, i, 1)));
        struct buffer out;
        buffer_init(&out, context->arena);
        buffer_append_string(&out, "CREATE EXTERNAL CONNECTION ");
        text_quote_name(&out, name, NULL);
        buffer_append_string(&out, " AS ");
        text_quote_literal(&out, bytes_of_string(source_redact(context->arena, uri)));
        struct datum row[] = {internal_value(&result, i, 0), datum_text(buffer_string(&out))};
        TRY(context->sink->row(context->task, context->sink, row));
    }
out:
    return st;
}

// --- CHECK -------------------------------------------------------------------------------------------

#define CHECK_TIMEOUT_NS 10000000000ull
#define METHOD_CHECK (RPC_REPL + 1)

static const struct result_column check_columns[] = {
    {.name = "node_id", .type = TYPE_OF(TYPE_INT8)},
    {.name = "locality", .type = TYPE_OF(TYPE_TEXT)},
    {.name = "ok", .type = TYPE_OF(TYPE_BOOL)},
    {.name = "error", .type = TYPE_OF(TYPE_TEXT)},
};

static struct status check_describe(
    struct statement_context *context, const struct result_column **described, uint32_t *count)
{
    (void)context;
    *described = check_columns;
    *count = 4;
    return STATUS_OK;
}

// From this node: logs in at the address, and sees that a source can be asked there.
static struct status check_here(struct task *task, const char *uri)
{
    struct status st;
    struct pgclient *client = NULL;
    struct pgclient_result result;
    uint64_t deadline = task->deadline_ns, limit = task_now_ns(task) + CHECK_TIMEOUT_NS;
    if (limit < deadline) task->deadline_ns = limit;
    TRY(source_connect(task, uri, &client));
    st = pgclient_collect(task, client, task->arena, "SELECT crdb_internal.cluster_id()", &result);
out:
    task->deadline_ns = deadline;
    if (failed(st)) st = status_copy(task->arena, st);
    pgclient_close(client);
    return st;
}

// The reply is what is wrong; empty: nothing.
static struct status check_asked(struct task *task, const struct rpc_request *request, struct buffer *reply)
{
    if (memchr(request->body.data, 0, request->body.size) != NULL)
        return status_make(E_PROTOCOL_VIOLATION, "malformed address of a source");
    struct status st = check_here(task, arena_string(task->arena, request->body));
    if (failed(st) && task->cancelled) return st;
    if (failed(st)) buffer_append_string(reply, st.message);
    return STATUS_OK;
}

static const struct rpc_method check_method = {
    .id = METHOD_CHECK, .name = "repl.check", .class = TASK_DEFAULT, .call = check_asked};

static struct status check_execute(struct statement_context *context)
{
    struct status st;
    struct task *task = context->task;
    struct datum value;
    struct pgclient_options options;
    uint32_t count;
    TRY(check(context));
    TRY(statement_constant(
        context, context->statement->as.external_connection->uri, TYPE_OF(TYPE_TEXT), &value));
    if (value.null)
        TRY(status_make(
            E_INVALID_PARAMETER_VALUE, "the address of an external connection cannot be NULL"));
    const char *uri = arena_string(context->arena, datum_as_bytes(value));
    TRY(connection_resolve(task, context->arena, uri, &uri));
    TRY(source_options(context->arena, uri, &options));
    const struct cluster_node *known = cluster_nodes(task->shard, &count);
    struct cluster_node *nodes = ARENA_ARRAY(context->arena, struct cluster_node, count + 1);
    struct rpc_call *calls = ARENA_ARRAY(context->arena, struct rpc_call, count + 1);
    uint32_t asked = 0;
    for (uint32_t i = 0; i < count; i++) {
        if (known[i].membership == CLUSTER_DECOMMISSIONED) continue;
        nodes[asked] = known[i];
        calls[asked++] = (struct rpc_call){.node = known[i].id,
            .shard = RPC_ANY_SHARD,
            .method = METHOD_CHECK,
            .body = bytes_of_string(uri),
            .arena = context->arena};
    }
    // Each has its own answer; one that gives none is no failure of the statement.
    st = rpc_call_many(task, calls, asked);
    if (task->cancelled) goto out;
    TRY(context->sink->columns(task, context->sink, check_columns, 4));
    for (uint32_t i = 0; i < asked; i++) {
        bool answered = !failed(calls[i].status);
        struct datum wrong = answered ? datum_bytes(calls[i].reply) : datum_text(calls[i].status.message);
        bool good = answered && calls[i].reply.size == 0;
        struct datum row[] = {datum_int(nodes[i].id), datum_text(nodes[i].locality), datum_bool(good),
            good ? DATUM_NULL : wrong};
        TRY(context->sink->row(task, context->sink, row));
    }
out:
    return st;
}

// --- registration ------------------------------------------------------------------------------------

static const struct statement_handler handlers[] = {
    {STATEMENT_CREATE_EXTERNAL_CONNECTION, 0, NULL, create},
    {STATEMENT_DROP_EXTERNAL_CONNECTION, 0, NULL, drop},
    {STATEMENT_SHOW_EXTERNAL_CONNECTIONS, HANDLER_READ_ONLY, show_describe, show},
    {STATEMENT_SHOW_CREATE_EXTERNAL_CONNECTION, HANDLER_READ_ONLY, show_create_describe, show_create},
    {STATEMENT_CHECK_EXTERNAL_CONNECTION, HANDLER_READ_ONLY, check_describe, check_execute},
};

static const struct bootstrap_table tables[] = {
    {.id = SYSTEM_REPL_FIRST + 2,
        .ddl = "CREATE TABLE system.public.external_connections (connection_name text PRIMARY KEY, "
               "created timestamptz NOT NULL DEFAULT now(), connection_type text NOT NULL, uri text "
               "NOT NULL, owner text NOT NULL)",
        .system_only = true},
};

void connection_register(void)
{
    bootstrap_register(tables, 1);
    rpc_method_register(&check_method);
    statement_handler_register(handlers, sizeof handlers / sizeof handlers[0]);
}
