// SPDX-License-Identifier: GPL-3.0-or-later
#include "repl/source.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "core/crypto.h"
#include "core/text.h"
#include "kv/key.h"
#include "repl/connection.h"

#define PARAMETERS_MAX 32u
#define SPEC_ROWS_MAX 1000000u
#define SOURCE_NODE_TIMEOUT_NS 4000000000ull // For one of several addresses.

// --- addresses ---------------------------------------------------------------------------------------

// The parameter's place in the address: from its name to the '&' after it, or the end. False: it has none.
static bool find_parameter(const char *uri, const char *name, struct bytes *found)
{
    const char *at = strchr(uri, '?');
    size_t size = strlen(name);
    while (at != NULL) {
        if (strncmp(at + 1, name, size) == 0 && at[1 + size] == '=') {
            *found = bytes_of(at + 1, (size_t)(strchrnul(at + 1, '&') - at - 1));
            return true;
        }
        at = strchr(at + 1, '&');
    }
    return false;
}

// Takes crdb_route out of the address, which no other server would understand.
static struct status route_of(
    struct arena *arena, const char *uri, const char **without, bool *gateway)
{
    struct bytes found;
    struct buffer out;
    *without = uri;
    *gateway = false;
    if (!find_parameter(uri, "crdb_route", &found)) return STATUS_OK;
    struct bytes value = bytes_skip(found, strlen("crdb_route="));
    *gateway = text_equal_nocase(value, BYTES_LITERAL("gateway"));
    if (!*gateway && !text_equal_nocase(value, BYTES_LITERAL("node")))
        return status_make(E_INVALID_PARAMETER_VALUE, "crdb_route is one of node and gateway");
    const char *start = (const char *)found.data, *rest = start + found.size;
    // With one of the signs around it: the first parameter's '?' stays.
    if (*rest == '&')
        rest++;
    else
        start--;
    buffer_init(&out, arena);
    buffer_append(&out, uri, (size_t)(start - uri));
    buffer_append_string(&out, rest);
    *without = buffer_string(&out);
    return STATUS_OK;
}

struct status source_options(struct arena *arena, const char *uri, struct pgclient_options *options)
{
    *options = (struct pgclient_options){
        .options = "-ccluster=system", .application_name = "isopod replication"};
    bool gateway;
    struct status st = route_of(arena, uri, &uri, &gateway);
    if (!failed(st)) st = pgclient_url_parse(arena, uri, options);
    return st;
}

static bool is_secret(struct bytes name)
{
    static const char *const names[] = {
        "password", "sslrootcert", "sslcert", "sslkey", "sslpassword", NULL};
    for (unsigned i = 0; names[i] != NULL; i++)
        if (text_equal_nocase(name, bytes_of_string(names[i]))) return true;
    return false;
}

struct parameter {
    struct bytes name, value;
};

static int parameter_order(const void *a, const void *b)
{
    return bytes_compare(((const struct parameter *)a)->name, ((const struct parameter *)b)->name);
}

// The value with the first '=' of an option escaped, as URLs are printed.
static void append_value(struct buffer *out, struct bytes value)
{
    for (size_t i = 0; i < value.size; i++) {
        if (value.data[i] == '=')
            buffer_append_string(out, "%3D");
        else
            buffer_append_u8(out, value.data[i]);
    }
}

static void redact_query(struct buffer *out, const char *query)
{
    struct parameter parameters[PARAMETERS_MAX];
    uint32_t count = 0;
    struct bytes rest = bytes_of_string(query);
    while (rest.size > 0 && count < PARAMETERS_MAX) {
        const uint8_t *end = memchr(rest.data, '&', rest.size);
        size_t size = end == NULL ? rest.size : (size_t)(end - rest.data);
        const uint8_t *equals = memchr(rest.data, '=', size);
        size_t name_size = equals == NULL ? size : (size_t)(equals - rest.data);
        parameters[count].name = bytes_of(rest.data, name_size);
        parameters[count].value =
            equals == NULL ? (struct bytes){0} : bytes_of(equals + 1, size - name_size - 1);
        count++;
        rest = bytes_skip(rest, end == NULL ? size : size + 1);
    }
    qsort(parameters, count, sizeof parameters[0], parameter_order);
    for (uint32_t i = 0; i < count; i++) {
        buffer_append_u8(out, i == 0 ? '?' : '&');
        buffer_append_bytes(out, parameters[i].name);
        buffer_append_u8(out, '=');
        if (is_secret(parameters[i].name))
            buffer_append_string(out, "redacted");
        else
            append_value(out, parameters[i].value);
    }
}

const char *source_redact(struct arena *arena, const char *uri)
{
    struct buffer out;
    buffer_init(&out, arena);
    const char *rest = strstr(uri, "://");
    // What cannot be understood is not shown at all.
    if (rest == NULL) return "redacted";
    buffer_append(&out, uri, (size_t)(rest - uri) + 3);
    rest += 3;
    const char *query = strchrnul(rest, '?');
    struct bytes authority = bytes_of(rest, (size_t)(query - rest));
    const uint8_t *at = memrchr(authority.data, '@', authority.size);
    if (at != NULL) {
        size_t user_size = (size_t)(at - authority.data);
        const uint8_t *colon = memchr(authority.data, ':', user_size);
        if (colon == NULL) {
            buffer_append(&out, authority.data, user_size);
        } else {
            buffer_append(&out, authority.data, (size_t)(colon - authority.data));
            buffer_append_string(&out, ":redacted");
        }
        authority = bytes_skip(authority, user_size);
    }
    buffer_append_bytes(&out, authority);
    if (*query == '?') redact_query(&out, query + 1);
    return buffer_string(&out);
}

// --- calls -------------------------------------------------------------------------------------------

struct status source_connect(struct task *task, const char *uri, struct pgclient **client)
{
    struct status st;
    struct pgclient_options options;
    *client = NULL;
    TRY(connection_resolve(task, task->arena, uri, &uri));
    TRY(source_options(task->arena, uri, &options));
    TRY(pgclient_connect(task, &options, client));
out:
    return st;
}

static struct status call(struct task *task, struct pgclient *client, struct arena *arena,
    const char *sql, struct pgclient_result *result);

static struct status unexpected(void)
{
    return status_make(
        E_PROTOCOL_VIOLATION, "the source cluster has given an answer that is not understood");
}

static bool address_of(struct arena *arena, const char *text, struct pgclient_options *options)
{
    uint64_t port;
    const char *colon = strrchr(text, ':');
    if (colon == NULL || colon == text) return false;
    if (!text_parse_u64(bytes_of_string(colon + 1), &port) || port == 0 || port > UINT16_MAX)
        return false;
    struct bytes host = bytes_of(text, (size_t)(colon - text));
    if (host.size > 2 && host.data[0] == '[') host = bytes_of(host.data + 1, host.size - 2);
    options->hosts[0] = arena_string(arena, host);
    options->ports[0] = (uint16_t)port;
    options->host_count = 1;
    return true;
}

// What a node says of itself need not lead there from here, and what is configured may lead elsewhere since: another
// cluster may be found at the same address.
static struct status check_cluster(
    struct task *task, struct pgclient *client, const char *cluster_id)
{
    struct status st;
    struct arena arena;
    struct pgclient_result result;
    arena_init(&arena, NULL);
    TRY(call(task, client, &arena, "SELECT crdb_internal.cluster_id()", &result));
    if (result.row_count != 1 || result.column_count != 1) TRY(unexpected());
    struct bytes found = pgclient_value(&result, 0, 0);
    if (!bytes_equal(found, bytes_of_string(cluster_id)))
        st = status_format(&arena, E_CONNECTION_FAILURE,
            "the address leads to cluster %.*s, and the stream is of cluster %s", (int)found.size,
            (const char *)found.data, cluster_id);
out:
    if (failed(st)) st = status_copy(task->arena, st);
    arena_fini(&arena);
    return st;
}

static struct status connect_address(struct task *task, const struct source_where *where,
    const char *address, struct pgclient **client)
{
    struct status st;
    struct pgclient_options options;
    *client = NULL;
    TRY(source_options(task->arena, where->uri, &options));
    if (!address_of(task->arena, address, &options))
        TRY(status_make(E_CONNECTION_FAILURE, "malformed address of a node"));
    options.connect_timeout_ns = SOURCE_NODE_TIMEOUT_NS;
    TRY(pgclient_connect(task, &options, client));
    st = check_cluster(task, *client, where->cluster_id);
out:
    if (failed(st) && *client != NULL) {
        pgclient_close(*client);
        *client = NULL;
    }
    return st;
}

static struct status connect_configured(
    struct task *task, const struct source_where *where, struct pgclient **client)
{
    struct status st;
    TRY(source_connect(task, where->uri, client));
    st = check_cluster(task, *client, where->cluster_id);
out:
    if (failed(st) && *client != NULL) {
        pgclient_close(*client);
        *client = NULL;
    }
    return st;
}

struct status source_connect_any(
    struct task *task, const struct source_where *where, struct pgclient **client)
{
    const char *without;
    bool gateway = false;
    struct status st = connect_configured(task, where, client);
    if (!failed(st) || failed(route_of(task->arena, where->uri, &without, &gateway)) || gateway)
        return st;
    for (uint32_t i = 0; i < where->address_count && !task->cancelled; i++) {
        if (!failed(connect_address(task, where, where->addresses[i], client))) return STATUS_OK;
    }
    return st; // Of the configured address.
}

struct status source_connect_node(struct task *task, const struct source_where *where,
    const char *address, struct pgclient **client)
{
    struct status st;
    const char *without;
    bool gateway;
    TRY(route_of(task->arena, where->uri, &without, &gateway));
    if (address != NULL && !gateway) {
        st = connect_address(task, where, address, client);
        if (!failed(st) || task->cancelled) goto out;
    }
    st = source_connect_any(task, where, client);
out:
    return st;
}

// Runs one statement that has to end within the time for a call.
static struct status call(struct task *task, struct pgclient *client, struct arena *arena,
    const char *sql, struct pgclient_result *result)
{
    uint64_t deadline = task->deadline_ns, limit = task_now_ns(task) + SOURCE_CALL_TIMEOUT_NS;
    if (limit < deadline) task->deadline_ns = limit;
    struct status st = pgclient_collect(task, client, arena, sql, result);
    if (status_is(st, E_QUERY_CANCELED) && task_now_ns(task) >= limit)
        st = status_make(E_CONNECTION_FAILURE, "the source cluster does not answer");
    task->deadline_ns = deadline;
    return st;
}

static bool hlc_of(struct arena *arena, struct bytes text, struct hlc_timestamp *ts)
{
    return text.data != NULL && hlc_parse(arena_string(arena, text), ts);
}

struct status source_start(struct task *task, struct pgclient *client, struct arena *arena,
    const char *tenant_name, struct source_stream *stream)
{
    return source_resume(task, client, arena, tenant_name, HLC_ZERO, stream);
}

struct status source_prior(struct task *task, struct pgclient *client, struct arena *arena,
    const char *tenant_name, struct source_prior *prior)
{
    struct status st;
    struct pgclient_result result;
    struct buffer sql;
    buffer_init(&sql, arena);
    buffer_append_string(&sql,
        "SELECT cluster_id, tenant_id, source_id, activation_time FROM "
        "crdb_internal.replication_prior_details(");
    text_quote_literal(&sql, bytes_of_string(tenant_name));
    buffer_append_string(&sql, ")");
    TRY(call(task, client, arena, buffer_string(&sql), &result));
    if (result.row_count != 1 || result.column_count != 4) return unexpected();
    *prior = (struct source_prior){
        .cluster_id = arena_string(arena, pgclient_value(&result, 0, 0)), .source_id = ""};
    if (!text_parse_u64(pgclient_value(&result, 0, 1), &prior->tenant)) return unexpected();
    if (pgclient_value(&result, 0, 2).data == NULL) goto out;
    prior->source_id = arena_string(arena, pgclient_value(&result, 0, 2));
    if (!hlc_of(arena, pgclient_value(&result, 0, 3), &prior->activation)) return unexpected();
out:
    return st;
}

struct status source_resume(struct task *task, struct pgclient *client, struct arena *arena,
    const char *tenant_name, struct hlc_timestamp from, struct source_stream *stream)
{
    struct status st;
    struct pgclient_result result;
    struct buffer sql;
    char time[HLC_TEXT_BYTES];
    buffer_init(&sql, arena);
    buffer_append_string(&sql,
        "SELECT stream_id, source_tenant_id, source_cluster_id, start_time FROM "
        "crdb_internal.start_replication_stream(");
    text_quote_literal(&sql, bytes_of_string(tenant_name));
    if (!hlc_is_zero(from)) buffer_printf(&sql, ", '%s'", hlc_format(from, time));
    buffer_append_string(&sql, ")");
    TRY(call(task, client, arena, buffer_string(&sql), &result));
    if (result.row_count != 1 || result.column_count != 4) return unexpected();
    uint64_t tenant;
    if (!text_parse_i64(pgclient_value(&result, 0, 0), &stream->id) ||
        !text_parse_u64(pgclient_value(&result, 0, 1), &tenant) ||
        !hlc_of(arena, pgclient_value(&result, 0, 3), &stream->start))
        return unexpected();
    stream->tenant = tenant;
    stream->cluster_id = arena_string(arena, pgclient_value(&result, 0, 2));
out:
    return st;
}

struct status source_progress(struct task *task, struct pgclient *client, int64_t stream,
    struct hlc_timestamp retained, enum source_status *status)
{
    static const char *const names[] = {"ACTIVE", "PAUSED", "INACTIVE", "UNKNOWN"};
    struct status st;
    struct pgclient_result result;
    char text[HLC_TEXT_BYTES];
    struct arena arena;
    arena_init(&arena, NULL);
    TRY(call(task, client, &arena,
        arena_printf(&arena, "SELECT crdb_internal.replication_stream_progress(%" PRId64 ", '%s')",
            stream, hlc_format(retained, text)),
        &result));
    if (result.row_count != 1 || result.column_count != 1) TRY(unexpected());
    *status = SOURCE_UNKNOWN;
    for (unsigned i = 0; i < 4; i++)
        if (bytes_equal(pgclient_value(&result, 0, 0), bytes_of_string(names[i])))
            *status = (enum source_status)i;
out:
    if (failed(st)) st = status_copy(task->arena, st);
    arena_fini(&arena);
    return st;
}

static struct status bytea_of(struct arena *arena, struct bytes text, struct bytes *value)
{
    if (text.size < 2 || text.data[0] != '\\' || text.data[1] != 'x' ||
        text.size > 2 + 2 * KEY_BYTES_MAX)
        return unexpected();
    size_t size = (text.size - 2) / 2;
    uint8_t *out = arena_alloc(arena, size + 1);
    if (!crypto_hex_decode(bytes_skip(text, 2), out, size + 1, &size)) return unexpected();
    *value = bytes_of(out, size);
    return STATUS_OK;
}

static struct status spec_row(struct arena *arena, const struct pgclient_result *result,
    uint64_t row, struct source_spec *spec)
{
    uint64_t slice, bytes, node;
    struct span span;
    if (!text_parse_i64(pgclient_value(result, row, 0), &spec->topology) ||
        !text_parse_u64(pgclient_value(result, row, 1), &slice) ||
        !text_parse_u64(pgclient_value(result, row, 2), &bytes) ||
        !text_parse_u64(pgclient_value(result, row, 5), &node) || node > UINT32_MAX)
        return unexpected();
    struct status st = bytea_of(arena, pgclient_value(result, row, 3), &span.start);
    if (!failed(st)) st = bytea_of(arena, pgclient_value(result, row, 4), &span.end);
    if (failed(st)) return st;
    struct bytes address = pgclient_value(result, row, 6);
    struct source_partition *partition =
        spec->count == 0 ? NULL : &spec->partitions[spec->count - 1];
    // Rows come in the order of slices.
    if (partition == NULL || partition->slice != slice) {
        partition = &spec->partitions[spec->count++];
        *partition =
            (struct source_partition){.slice = slice, .bytes = bytes, .node = (uint32_t)node};
        if (address.size > 0) partition->address = arena_string(arena, address);
        uint64_t last = row;
        while (last < result->row_count &&
               bytes_equal(pgclient_value(result, last, 1), pgclient_value(result, row, 1)))
            last++;
        partition->spans = ARENA_ARRAY(arena, struct span, last - row);
    }
    if (bytes_compare(span.start, span.end) >= 0) return unexpected();
    partition->spans[partition->span_count++] = span;
    return STATUS_OK;
}

struct status source_spec(struct task *task, struct pgclient *client, struct arena *arena,
    int64_t stream, struct source_spec *spec)
{
    struct status st;
    struct pgclient_result result;
    *spec = (struct source_spec){0};
    TRY(call(task, client, arena,
        arena_printf(arena,
            "SELECT topology, slice, bytes, start_key, end_key, node_id, sql_address, addresses FROM "
            "crdb_internal.replication_stream_spec(%" PRId64 ")",
            stream),
        &result));
    if (result.row_count == 0 || result.row_count > SPEC_ROWS_MAX || result.column_count != 8)
        return unexpected();
    spec->partitions = ARENA_ARRAY(arena, struct source_partition, result.row_count);
    for (uint64_t i = 0; i < result.row_count; i++)
        TRY(spec_row(arena, &result, i, spec));
    spec->addresses = pgclient_value(&result, 0, 7);
out:
    return st;
}

struct status source_complete(
    struct task *task, struct pgclient *client, int64_t stream, bool successful)
{
    struct pgclient_result result;
    return call(task, client, task->arena,
        arena_printf(task->arena,
            "SELECT crdb_internal.complete_replication_stream(%" PRId64 ", %s)", stream,
            successful ? "true" : "false"),
        &result);
}

struct status source_complete_at(struct task *task, const struct source_where *where,
    int64_t stream, bool successful, uint64_t timeout_ns)
{
    struct status st;
    struct pgclient *client = NULL;
    uint64_t deadline = task->deadline_ns, limit = task_now_ns(task) + timeout_ns;
    if (limit < deadline) task->deadline_ns = limit;
    TRY(source_connect_any(task, where, &client));
    TRY(source_complete(task, client, stream, successful));
out:
    pgclient_close(client);
    task->deadline_ns = deadline;
    return st;
}
