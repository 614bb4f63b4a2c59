// SPDX-License-Identifier: GPL-3.0-or-later
#include "sql/wire/pgclient.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/hashmap.h"
#include "core/invariant.h"
#include "core/text.h"
#include "core/tls.h"
#include "sql/wire/auth.h"
#include "sql/wire/wire.h"

#define CLIENT_INPUT_BYTES (64u << 10)
#define CLIENT_MESSAGE_BYTES_MAX (128u << 20)
#define E_CANNOT_CONNECT SQLSTATE('0', '8', '0', '0', '1')

struct pgclient {
    struct conn *conn;
    struct arena arena;         // As long as the client.
    struct arena result_arena;  // As long as one result.
    struct buffer out;
    struct hashmap parameters;  // Name -> value.
    uint32_t process, secret;
    char txn_status;
    bool broken;
    const struct pgclient_column *columns;
    uint32_t column_count;
    struct bytes *values;
    size_t taken; // Of the connection's input: the message in hand.
    struct tls_context *tls;
};

// --- URLs --------------------------------------------------------------------------------------------

static struct status bad_url(struct arena *arena, const char *what)
{
    return status_format(arena, E_INVALID_PARAMETER_VALUE, "malformed connection URL: %s", what);
}

static int hex_digit(char c)
{
    if (c >= '0' && c <= '9') return c - '0';
    c = ascii_lower(c);
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

static struct status decode(struct arena *arena, struct bytes raw, const char **out)
{
    char *text = arena_alloc(arena, raw.size + 1);
    size_t size = 0;
    for (size_t i = 0; i < raw.size; i++) {
        char c = (char)raw.data[i];
        if (c == '%') {
            if (i + 2 >= raw.size) return bad_url(arena, "incomplete percent escape");
            int high = hex_digit((char)raw.data[i + 1]), low = hex_digit((char)raw.data[i + 2]);
            if (high < 0 || low < 0 || high + low == 0) return bad_url(arena, "invalid percent escape");
            c = (char)(high << 4 | low);
            i += 2;
        }
        text[size++] = c;
    }
    text[size] = '\0';
    *out = text;
    return STATUS_OK;
}

static struct status take_ssl_mode(
    struct arena *arena, const char *text, struct pgclient_options *options)
{
    static const char *const names[] = {"disable", "prefer", "require", "verify-ca", "verify-full"};
    for (unsigned i = 0; i < 5; i++) {
        if (strcmp(text, names[i]) != 0) continue;
        options->ssl = (enum pgclient_ssl)i;
        return STATUS_OK;
    }
    if (strcmp(text, "allow") == 0) {
        options->ssl = PGCLIENT_SSL_PREFER;
        return STATUS_OK;
    }
    return bad_url(arena, "unknown sslmode");
}

static struct status take_parameter(struct arena *arena, const char *name, const char *value,
    struct pgclient_options *options)
{
    if (strcmp(name, "sslmode") == 0) return take_ssl_mode(arena, value, options);
    if (strcmp(name, "sslrootcert") == 0) {
        options->ssl_root_cert = value;
    } else if (strcmp(name, "sslcert") == 0) {
        options->ssl_cert = value;
    } else if (strcmp(name, "sslkey") == 0) {
        options->ssl_key = value;
    } else if (strcmp(name, "sslinline") == 0) {
        options->ssl_inline = strcmp(value, "true") == 0 || strcmp(value, "1") == 0;
    } else if (strcmp(name, "options") == 0) {
        options->options = value;
    } else if (strcmp(name, "application_name") == 0) {
        options->application_name = value;
    } else if (strcmp(name, "user") == 0) {
        options->user = value;
    } else if (strcmp(name, "password") == 0) {
        options->password = value;
    } else if (strcmp(name, "dbname") == 0) {
        options->database = value;
    } else if (strcmp(name, "connect_timeout") == 0) {
        options->connect_timeout_ns = strtoull(value, NULL, 10) * 1000000000u;
    } else {
        return status_format(arena, E_INVALID_PARAMETER_VALUE, "unknown parameter \"%s\" in the connection URL", name);
    }
    return STATUS_OK;
}

static struct status take_query(struct arena *arena, struct bytes query, struct pgclient_options *options)
{
    struct status st = STATUS_OK;
    while (query.size > 0) {
        const uint8_t *end = memchr(query.data, '&', query.size);
        size_t size = end == NULL ? query.size : (size_t)(end - query.data);
        const uint8_t *equals = memchr(query.data, '=', size);
        if (equals == NULL) TRY(bad_url(arena, "a parameter without a value"));
        const char *name, *value;
        size_t name_size = (size_t)(equals - query.data);
        TRY(decode(arena, bytes_of(query.data, name_size), &name));
        TRY(decode(arena, bytes_of(equals + 1, size - name_size - 1), &value));
        TRY(take_parameter(arena, name, value, options));
        query = bytes_skip(query, end == NULL ? size : size + 1);
    }
out:
    return st;
}

static struct status take_hosts(struct arena *arena, struct bytes hosts, struct pgclient_options *options)
{
    struct status st = STATUS_OK;
    options->host_count = 0;
    while (hosts.size > 0) {
        const uint8_t *end = memchr(hosts.data, ',', hosts.size);
        size_t size = end == NULL ? hosts.size : (size_t)(end - hosts.data);
        struct bytes host = {hosts.data, size};
        uint16_t port = 26257;
        const uint8_t *bracket = size > 0 && host.data[0] == '[' ? memchr(host.data, ']', size) : NULL;
        const uint8_t *from = bracket == NULL ? host.data : bracket;
        const uint8_t *colon = memchr(from, ':', size - (size_t)(from - host.data));
        if (colon != NULL) {
            uint64_t number;
            size_t at = (size_t)(colon - host.data);
            if (!text_parse_u64(bytes_of(colon + 1, size - at - 1), &number) || number == 0 || number > 65535)
                TRY(bad_url(arena, "invalid port"));
            port = (uint16_t)number;
            host.size = at;
        }
        if (bracket != NULL) host = bytes_of(host.data + 1, (size_t)(bracket - host.data) - 1);
        if (options->host_count == 8) TRY(bad_url(arena, "more than 8 hosts"));
        TRY(decode(arena, host, &options->hosts[options->host_count]));
        if (options->hosts[options->host_count][0] == '\0') options->hosts[options->host_count] = "localhost";
        options->ports[options->host_count++] = port;
        hosts = bytes_skip(hosts, end == NULL ? size : size + 1);
    }
out:
    return st;
}

struct status pgclient_url_parse(struct arena *arena, const char *url, struct pgclient_options *options)
{
    struct status st = STATUS_OK;
    const char *rest = strstr(url, "://");
    if (rest == NULL ||
        (strncmp(url, "postgresql://", 13) != 0 && strncmp(url, "postgres://", 11) != 0))
        return bad_url(arena, "it must begin with postgresql://");
    rest += 3;
    const char *query = strchrnul(rest, '?');
    struct bytes authority = bytes_of(rest, (size_t)(query - rest));
    if (*query == '?') TRY(take_query(arena, bytes_of_string(query + 1), options));
    const uint8_t *slash = memchr(authority.data, '/', authority.size);
    if (slash != NULL) {
        size_t at = (size_t)(slash - authority.data);
        if (authority.size > at + 1) TRY(decode(arena, bytes_skip(authority, at + 1), &options->database));
        authority.size = at;
    }
    const uint8_t *at_sign = memrchr(authority.data, '@', authority.size);
    if (at_sign != NULL) {
        struct bytes user = {authority.data, (size_t)(at_sign - authority.data)};
        const uint8_t *colon = memchr(user.data, ':', user.size);
        if (colon != NULL) {
            size_t at = (size_t)(colon - user.data);
            TRY(decode(arena, bytes_skip(user, at + 1), &options->password));
            user.size = at;
        }
        if (user.size > 0) TRY(decode(arena, user, &options->user));
        authority = bytes_skip(authority, (size_t)(at_sign - authority.data) + 1);
    }
    if (authority.size > 0 || options->host_count == 0) TRY(take_hosts(arena, authority, options));
    if (options->host_count == 0) {
        options->hosts[0] = "localhost";
        options->ports[0] = 26257;
        options->host_count = 1;
    }
out:
    return st;
}

// --- messages ----------------------------------------------------------------------------------------

static struct status lost(struct pgclient *client, struct status st)
{
    client->broken = true;
    return st;
}

static void send_out(struct pgclient *client)
{
    conn_write(client->conn, client->out.data, client->out.size);
    client->out.size = 0;
    conn_flush(client->conn);
}

// The next message; its body is valid until the next call.
static struct status receive(
    struct task *task, struct pgclient *client, uint8_t *type, struct bytes *body, size_t *consumed)
{
    struct status st = STATUS_OK;
    if (*consumed > 0) {
        conn_consume(client->conn, *consumed);
        if (*consumed > CLIENT_INPUT_BYTES) conn_input_bytes_max_set(client->conn, CLIENT_INPUT_BYTES);
        *consumed = 0;
    }
    TRY(conn_wait_input(task, client->conn, 5));
    struct bytes input = conn_input(client->conn);
    uint32_t size = (uint32_t)input.data[1] << 24 | (uint32_t)input.data[2] << 16 |
                    (uint32_t)input.data[3] << 8 | input.data[4];
    if (size < 4 || size > CLIENT_MESSAGE_BYTES_MAX)
        TRY(status_make(E_PROTOCOL_VIOLATION, "the server has sent a message of invalid length"));
    if (input.size < size + 1u) {
        if (size + 1u > CLIENT_INPUT_BYTES) conn_input_bytes_max_set(client->conn, size + 1u);
        TRY(conn_wait_input(task, client->conn, size + 1u));
        input = conn_input(client->conn);
    }
    *type = input.data[0];
    *body = bytes_of(input.data + 5, size - 4);
    client->taken = *consumed = size + 1u;
out:
    return failed(st) ? lost(client, st) : st;
}

// ErrorResponse or NoticeResponse into a status in `arena`.
static struct status report_read(struct arena *arena, struct bytes body, const char **severity)
{
    struct wire_reader reader = wire_reader(body);
    const char *message = "", *code = "XX000", *detail = NULL, *hint = NULL;
    *severity = "ERROR";
    for (;;) {
        uint8_t field = wire_read_u8(&reader);
        if (field == 0 || reader.failed) break;
        const char *text = arena_strdup(arena, wire_read_string(&reader));
        if (field == 'S') *severity = text;
        if (field == 'C') code = text;
        if (field == 'M') message = text;
        if (field == 'D') detail = text;
        if (field == 'H') hint = text;
    }
    uint32_t packed = strlen(code) == 5 ? sqlstate_parse(code) : 0;
    struct status st = status_format(arena, packed == 0 ? SQLSTATE('X', 'X', '0', '0', '0') : packed, "%s", message);
    if (detail != NULL) st = status_detail(arena, st, "%s", detail);
    if (hint != NULL) st = status_hint(arena, st, "%s", hint);
    if (packed == E_SERIALIZATION_FAILURE) st.retry = RETRY_TRANSACTION;
    if (packed == E_AMBIGUOUS_RESULT) st.retry = RETRY_AMBIGUOUS;
    return st;
}

static void parameter_take(struct pgclient *client, struct bytes body)
{
    struct wire_reader reader = wire_reader(body);
    const char *name = wire_read_string(&reader), *value = wire_read_string(&reader);
    if (reader.failed || client->parameters.count >= 100) return;
    hashmap_put_copy(&client->parameters, bytes_of_string(name), arena_strdup(&client->arena, value));
}

// --- connecting --------------------------------------------------------------------------------------

static struct status tls_start(struct task *task, struct pgclient *client,
    const struct pgclient_options *options, const char *host)
{
    struct status st;
    static const uint8_t request[] = {0, 0, 0, 8, 4, 210, 22, 47};
    conn_write(client->conn, request, sizeof request);
    conn_flush(client->conn);
    TRY(conn_wait_input(task, client->conn, 1));
    uint8_t answer = conn_input(client->conn).data[0];
    conn_consume(client->conn, 1);
    if (answer != 'S') {
        if (options->ssl >= PGCLIENT_SSL_REQUIRE)
            st = status_make(E_CANNOT_CONNECT, "the server does not support TLS, but sslmode requires it");
        goto out;
    }
    struct tls_client_options tls = {.verify = options->ssl == PGCLIENT_SSL_VERIFY_FULL ? TLS_VERIFY_FULL
                                               : options->ssl == PGCLIENT_SSL_VERIFY_CA || options->ssl_root_cert != NULL
                                                   ? TLS_VERIFY_CA
                                                   : TLS_VERIFY_NONE};
    if (options->ssl_inline) {
        if (options->ssl_root_cert != NULL) tls.ca_pem = bytes_of_string(options->ssl_root_cert);
        if (options->ssl_cert != NULL) tls.cert_pem = bytes_of_string(options->ssl_cert);
        if (options->ssl_key != NULL) tls.key_pem = bytes_of_string(options->ssl_key);
    } else {
        tls.ca_path = options->ssl_root_cert;
        tls.cert_path = options->ssl_cert;
        tls.key_path = options->ssl_key;
    }
    TRY(tls_context_create_client(task->arena, &tls, &client->tls));
    TRY(conn_tls_start(task, client->conn, client->tls, host));
out:
    return st;
}

static void startup_send(struct pgclient *client, const struct pgclient_options *options)
{
    struct buffer *out = &client->out;
    size_t start = out->size;
    wire_u32(out, 0);
    wire_u32(out, WIRE_PROTOCOL_3_0);
    const char *pairs[][2] = {{"user", options->user == NULL ? "root" : options->user},
        {"database", options->database}, {"options", options->options},
        {"application_name", options->application_name}, {"client_encoding", "UTF8"}};
    for (unsigned i = 0; i < 5; i++) {
        if (pairs[i][1] == NULL) continue;
        wire_string(out, pairs[i][0]);
        wire_string(out, pairs[i][1]);
    }
    wire_u8(out, 0);
    wire_end(out, start);
    send_out(client);
}

struct slow_scram {
    struct scram_client *scram;
    struct bytes server_first, out;
    struct status st;
};
static void slow_scram(void *arg)
{
    struct slow_scram *call = arg;
    call->st = scram_client_final(call->scram, call->server_first, &call->out);
}

static void sasl_send(struct pgclient *client, bool first, struct bytes data)
{
    size_t start = wire_begin(&client->out, 'p');
    if (first) {
        wire_string(&client->out, "SCRAM-SHA-256");
        wire_u32(&client->out, (uint32_t)data.size);
    }
    buffer_append_bytes(&client->out, data);
    wire_end(&client->out, start);
    send_out(client);
}

static struct status authenticate(struct task *task, struct pgclient *client,
    const struct pgclient_options *options, struct scram_client *scram, struct bytes body, bool *done)
{
    struct status st = STATUS_OK;
    struct wire_reader reader = wire_reader(body);
    uint32_t code = wire_read_u32(&reader);
    struct bytes data = arena_copy(task->arena, bytes_of(reader.data, reader.size));
    if (code != 0 && options->password == NULL)
        TRY(status_make(E_INVALID_PASSWORD, "the server asks for a password, and none was given"));
    if (code == 0) {
        *done = true;
    } else if (code == 3) {
        size_t start = wire_begin(&client->out, 'p');
        wire_string(&client->out, options->password);
        wire_end(&client->out, start);
        send_out(client);
    } else if (code == 10) {
        sasl_send(client, true, scram_client_first(scram, task->arena, task->shard->env, options->password));
    } else if (code == 11) {
        struct slow_scram call = {.scram = scram, .server_first = data};
        TRY(helper_call(task, slow_scram, &call));
        TRY(call.st);
        sasl_send(client, false, call.out);
    } else if (code == 12) {
        TRY(scram_client_verify(scram, data));
    } else {
        st = status_format(task->arena, E_FEATURE_NOT_SUPPORTED, "the server asks for an unknown kind of authentication (%u)", code);
    }
out:
    return st;
}

static struct status log_in(
    struct task *task, struct pgclient *client, const struct pgclient_options *options)
{
    struct status st;
    struct scram_client scram;
    bool authenticated = false;
    size_t consumed = 0;
    startup_send(client, options);
    for (;;) {
        uint8_t type;
        struct bytes body;
        TRY(receive(task, client, &type, &body, &consumed));
        if (type == 'E') {
            const char *severity;
            TRY(report_read(task->arena, body, &severity));
        } else if (type == 'R') {
            TRY(authenticate(task, client, options, &scram, body, &authenticated));
        } else if (type == 'S') {
            parameter_take(client, body);
        } else if (type == 'K') {
            struct wire_reader reader = wire_reader(body);
            client->process = wire_read_u32(&reader);
            client->secret = wire_read_u32(&reader);
        } else if (type == 'Z') {
            client->txn_status = body.size > 0 ? (char)body.data[0] : 'I';
            break;
        }
    }
    conn_consume(client->conn, consumed);
    if (!authenticated) st = status_make(E_PROTOCOL_VIOLATION, "the server has let us in without authentication");
out:
    return st;
}

static struct status connect_host(struct task *task, const struct pgclient_options *options,
    uint32_t index, struct pgclient **out)
{
    struct status st;
    struct pgclient *client = calloc(1, sizeof *client);
    if (client == NULL) return status_make(E_OUT_OF_MEMORY, "out of memory");
    arena_init(&client->arena, NULL);
    arena_init(&client->result_arena, NULL);
    buffer_init(&client->out, &client->arena);
    hashmap_init(&client->parameters, &client->arena);
    const char *host = options->hosts[index];
    char *address = arena_printf(task->arena, strchr(host, ':') != NULL ? "[%s]:%u" : "%s:%u", host, options->ports[index]);
    TRY(net_connect(task, address, CLIENT_INPUT_BYTES, &client->conn));
    if (options->ssl != PGCLIENT_SSL_DISABLE) TRY(tls_start(task, client, options, host));
    TRY(log_in(task, client, options));
out:
    if (failed(st)) {
        st = status_copy(task->arena, st);
        pgclient_close(client);
        client = NULL;
    }
    *out = client;
    return st;
}

struct status pgclient_connect(
    struct task *task, const struct pgclient_options *options, struct pgclient **client)
{
    struct status st = status_make(E_CANNOT_CONNECT, "no host to connect to");
    uint64_t deadline = task->deadline_ns;
    uint64_t limit = task_now_ns(task) +
                     (options->connect_timeout_ns == 0 ? 10000000000u : options->connect_timeout_ns);
    if (limit < deadline) task->deadline_ns = limit;
    for (uint32_t i = 0; i < options->host_count; i++) {
        st = connect_host(task, options, i, client);
        if (!failed(st)) break;
    }
    task->deadline_ns = deadline;
    return st;
}

void pgclient_close(struct pgclient *client)
{
    if (client == NULL) return;
    if (client->conn != NULL) {
        if (!client->broken) {
            conn_write(client->conn, "X\0\0\0\4", 5);
            conn_flush(client->conn);
        }
        conn_close(client->conn);
    }
    if (client->tls != NULL) tls_context_release(client->tls);
    arena_fini(&client->result_arena);
    arena_fini(&client->arena);
    free(client);
}

bool pgclient_has_more(const struct pgclient *client)
{
    struct bytes input = conn_input(client->conn);
    if (input.size < client->taken + 5) return false;
    const uint8_t *at = input.data + client->taken;
    uint32_t size = (uint32_t)at[1] << 24 | (uint32_t)at[2] << 16 | (uint32_t)at[3] << 8 | at[4];
    return input.size - client->taken > size;
}

const char *pgclient_parameter(const struct pgclient *client, const char *name)
{
    return hashmap_get_string(&client->parameters, name);
}

char pgclient_txn_status(const struct pgclient *client)
{
    return client->txn_status;
}

void pgclient_keys(const struct pgclient *client, uint32_t *process, uint32_t *secret)
{
    *process = client->process;
    *secret = client->secret;
}

struct status pgclient_cancel(struct task *task, const struct pgclient_options *options,
    uint32_t process, uint32_t secret)
{
    struct status st;
    struct conn *conn;
    char *address = arena_printf(task->arena, strchr(options->hosts[0], ':') != NULL ? "[%s]:%u" : "%s:%u",
        options->hosts[0], options->ports[0]);
    TRY(net_connect(task, address, CLIENT_INPUT_BYTES, &conn));
    struct buffer out;
    buffer_init(&out, task->arena);
    wire_u32(&out, 16);
    wire_u32(&out, WIRE_CANCEL_REQUEST);
    wire_u32(&out, process);
    wire_u32(&out, secret);
    conn_write(conn, out.data, out.size);
    conn_flush(conn);
    conn_close(conn);
out:
    return st;
}

// --- queries -----------------------------------------------------------------------------------------

static struct status columns_take(
    struct task *task, struct pgclient *client, struct bytes body, const struct pgclient_sink *sink)
{
    struct wire_reader reader = wire_reader(body);
    arena_reset(&client->result_arena);
    uint32_t count = wire_read_u16(&reader);
    struct pgclient_column *columns = ARENA_ARRAY(&client->result_arena, struct pgclient_column, count + 1u);
    for (uint32_t i = 0; i < count; i++) {
        columns[i].name = arena_strdup(&client->result_arena, wire_read_string(&reader));
        wire_read_u32(&reader);
        wire_read_u16(&reader);
        columns[i].type = wire_read_u32(&reader);
        wire_read_u16(&reader);
        wire_read_u32(&reader);
        wire_read_u16(&reader);
    }
    struct status st = wire_reader_finish(&reader);
    if (failed(st)) return st;
    client->columns = columns;
    client->column_count = count;
    client->values = ARENA_ARRAY(&client->result_arena, struct bytes, count + 1u);
    if (sink == NULL || sink->columns == NULL) return STATUS_OK;
    return sink->columns(task, sink->arg, columns, count);
}

static struct status row_take(
    struct task *task, struct pgclient *client, struct bytes body, const struct pgclient_sink *sink)
{
    struct wire_reader reader = wire_reader(body);
    uint32_t count = wire_read_u16(&reader);
    if (client->values == NULL || count != client->column_count)
        return status_make(E_PROTOCOL_VIOLATION, "the server has sent a row without its description");
    for (uint32_t i = 0; i < count; i++) {
        uint32_t size = wire_read_u32(&reader);
        client->values[i] = (struct bytes){NULL, 0};
        if (size != UINT32_MAX) client->values[i] = wire_read_bytes(&reader, size);
    }
    struct status st = wire_reader_finish(&reader);
    if (failed(st) || sink == NULL || sink->row == NULL) return st;
    return sink->row(task, sink->arg, client->values, count);
}

// Takes messages until ReadyForQuery. The first error wins; rows after a failed callback are thrown away.
static struct status drain(struct task *task, struct pgclient *client, const struct pgclient_sink *sink)
{
    struct status st = STATUS_OK, outcome = STATUS_OK;
    size_t consumed = 0;
    for (;;) {
        uint8_t type;
        struct bytes body;
        const char *severity;
        TRY(receive(task, client, &type, &body, &consumed));
        if (type == 'Z') {
            client->txn_status = body.size > 0 ? (char)body.data[0] : 'I';
            break;
        } else if (type == 'E') {
            struct status error = report_read(task->arena, body, &severity);
            if (!failed(outcome)) outcome = error;
        } else if (type == 'N') {
            struct status notice = report_read(task->arena, body, &severity);
            if (sink != NULL && sink->notice != NULL) sink->notice(sink->arg, severity, notice);
        } else if (type == 'S') {
            parameter_take(client, body);
        } else if (type == 'T' && !failed(outcome)) {
            outcome = columns_take(task, client, body, sink);
        } else if (type == 'D' && !failed(outcome)) {
            outcome = row_take(task, client, body, sink);
            if (failed(outcome) && sink != NULL && sink->endless) TRY(lost(client, outcome));
        } else if (type == 'C' && sink != NULL && sink->complete != NULL && !failed(outcome)) {
            struct wire_reader reader = wire_reader(body);
            sink->complete(sink->arg, wire_read_string(&reader));
        } else if (type == 'G') {
            size_t start = wire_begin(&client->out, 'f');
            wire_string(&client->out, "COPY FROM STDIN is not supported by this client");
            wire_end(&client->out, start);
            send_out(client);
        }
    }
    conn_consume(client->conn, consumed);
out:
    return failed(st) ? st : outcome;
}

static struct status usable(const struct pgclient *client)
{
    if (client->broken) return status_make(E_CONNECTION_FAILURE, "the connection to the server is lost");
    return STATUS_OK;
}

struct status pgclient_query(
    struct task *task, struct pgclient *client, const char *sql, const struct pgclient_sink *sink)
{
    struct status st;
    TRY(usable(client));
    size_t start = wire_begin(&client->out, 'Q');
    wire_string(&client->out, sql);
    wire_end(&client->out, start);
    send_out(client);
    st = drain(task, client, sink);
out:
    return st;
}

struct collector {
    struct arena *arena;
    struct pgclient_result *result;
    size_t capacity;
};

static struct status collect_columns(
    struct task *task, void *arg, const struct pgclient_column *columns, uint32_t count)
{
    struct collector *self = arg;
    (void)task;
    struct pgclient_column *copy = ARENA_ARRAY(self->arena, struct pgclient_column, count + 1u);
    for (uint32_t i = 0; i < count; i++)
        copy[i] = (struct pgclient_column){arena_strdup(self->arena, columns[i].name), columns[i].type};
    *self->result = (struct pgclient_result){.column_count = count, .columns = copy};
    self->capacity = 0;
    return STATUS_OK;
}

static struct status collect_row(struct task *task, void *arg, const struct bytes *values, uint32_t count)
{
    struct collector *self = arg;
    struct pgclient_result *result = self->result;
    (void)task;
    size_t used = (size_t)result->row_count * count;
    if (used + count > self->capacity) {
        self->capacity = self->capacity == 0 ? 16u * (count + 1u) : self->capacity * 2;
        struct bytes *grown = ARENA_ARRAY(self->arena, struct bytes, self->capacity);
        if (used > 0) memcpy(grown, result->values, used * sizeof *grown);
        result->values = grown;
    }
    for (uint32_t i = 0; i < count; i++)
        result->values[used + i] = values[i].data == NULL ? values[i] : arena_copy(self->arena, values[i]);
    result->row_count++;
    return STATUS_OK;
}

static void collect_complete(void *arg, const char *tag)
{
    struct collector *self = arg;
    self->result->tag = arena_strdup(self->arena, tag);
}

struct status pgclient_collect(struct task *task, struct pgclient *client, struct arena *arena,
    const char *sql, struct pgclient_result *result)
{
    *result = (struct pgclient_result){0};
    struct collector collector = {.arena = arena, .result = result};
    struct pgclient_sink sink = {
        .columns = collect_columns, .row = collect_row, .complete = collect_complete, .arg = &collector};
    return pgclient_query(task, client, sql, &sink);
}

static void parse_send(struct pgclient *client, const char *name, const char *sql)
{
    size_t start = wire_begin(&client->out, 'P');
    wire_string(&client->out, name);
    wire_string(&client->out, sql);
    wire_u16(&client->out, 0);
    wire_end(&client->out, start);
}

static void execute_send(struct pgclient *client, const char *name, const struct bytes *params,
    uint32_t param_count, bool binary_results)
{
    struct buffer *out = &client->out;
    size_t start = wire_begin(out, 'B');
    wire_string(out, "");
    wire_string(out, name);
    wire_u16(out, 0);
    wire_u16(out, (uint16_t)param_count);
    for (uint32_t i = 0; i < param_count; i++) {
        wire_u32(out, params[i].data == NULL ? UINT32_MAX : (uint32_t)params[i].size);
        if (params[i].data != NULL) buffer_append_bytes(out, params[i]);
    }
    wire_u16(out, 1);
    wire_u16(out, binary_results ? 1 : 0);
    wire_end(out, start);
    start = wire_begin(out, 'D');
    wire_u8(out, 'P');
    wire_string(out, "");
    wire_end(out, start);
    start = wire_begin(out, 'E');
    wire_string(out, "");
    wire_u32(out, 0);
    wire_end(out, start);
    wire_end(out, wire_begin(out, 'S'));
}

struct status pgclient_prepare(
    struct task *task, struct pgclient *client, const char *name, const char *sql)
{
    struct status st;
    TRY(usable(client));
    parse_send(client, name, sql);
    wire_end(&client->out, wire_begin(&client->out, 'S'));
    send_out(client);
    st = drain(task, client, NULL);
out:
    return st;
}

struct status pgclient_execute(struct task *task, struct pgclient *client, const char *name,
    const struct bytes *params, uint32_t param_count, bool binary_results,
    const struct pgclient_sink *sink)
{
    struct status st;
    TRY(usable(client));
    execute_send(client, name, params, param_count, binary_results);
    send_out(client);
    st = drain(task, client, sink);
out:
    return st;
}

struct status pgclient_run(struct task *task, struct pgclient *client, const char *sql,
    const struct bytes *params, uint32_t param_count, bool binary_results,
    const struct pgclient_sink *sink)
{
    struct status st;
    TRY(usable(client));
    parse_send(client, "", sql);
    execute_send(client, "", params, param_count, binary_results);
    send_out(client);
    st = drain(task, client, sink);
out:
    return st;
}
