// SPDX-License-Identifier: GPL-3.0-or-later
//
// From the first byte to ReadyForQuery: TLS, the start-up packet, routing to a virtual cluster,
// authentication, and the session.
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/invariant.h"
#include "core/log.h"
#include "core/metrics.h"
#include "core/text.h"
#include "core/tls.h"
#include "sql/wire/connection_limit.h"
#include "sql/session/session_role.h"
#include "sql/ddl/temp.h"
#include "sql/wire/auth.h"
#include "sql/catalog/catalog.h"
#include "sql/insight/activity.h"
#include "sql/wire/pgwire_conn.h"
#include "sql/user/privilege.h"
#include "sql/user/role.h"
#include "sql/session/shard_state.h"
#include "sql/session/vars.h"

static pgwire_route_fn route_to;
static pgwire_defaults_fn apply_defaults;

void pgwire_route_register(pgwire_route_fn route)
{
    route_to = route;
}

void pgwire_defaults_register(pgwire_defaults_fn defaults)
{
    apply_defaults = defaults;
}

// --- the packet ----------------------------------------------------------------------------------------

// What is no start-up packet is not answered, as PostgreSQL has it: nobody knows what its sender would read.
static struct status packet_refuse(struct pgwire *wire, const char *why)
{
    wire->terminate = true;
    log_debug(0, "log-in of %s refused: %s", conn_peer(wire->conn), why);
    return STATUS_OK;
}

static struct status packet_read(struct task *task, struct pgwire *wire, struct bytes *body)
{
    struct status st;
    TRY(conn_wait_input(task, wire->conn, 4));
    struct bytes input = conn_input(wire->conn);
    uint32_t size = (uint32_t)input.data[0] << 24 | (uint32_t)input.data[1] << 16 |
                    (uint32_t)input.data[2] << 8 | input.data[3];
    if (size < 8 || size > WIRE_STARTUP_BYTES_MAX) return packet_refuse(wire, "invalid length of startup packet");
    TRY(conn_wait_input(task, wire->conn, size));
    input = conn_input(wire->conn);
    *body = arena_copy(task->arena, bytes_of(input.data + 4, size - 4));
    conn_consume(wire->conn, size);
out:
    return st;
}

// What came before the handshake in the same packet would be read as if it had been encrypted.
static struct status refuse_early(struct task *task, struct pgwire *wire, const char *request)
{
    if (conn_input(wire->conn).size == 0) return STATUS_OK;
    return status_detail(task->arena, status_format(task->arena, E_PROTOCOL_VIOLATION, "received unencrypted data after %s request", request),
        "This could be either a client-software bug or evidence of an attempted man-in-the-middle attack.");
}

static struct status start_tls(struct task *task, struct pgwire *wire, bool *accepted)
{
    struct tls_context *tls = __atomic_load_n(&wire->server->tls, __ATOMIC_ACQUIRE);
    *accepted = tls != NULL;
    conn_write(wire->conn, tls == NULL ? "N" : "S", 1);
    conn_flush(wire->conn);
    struct status st = refuse_early(task, wire, "SSL");
    return failed(st) || tls == NULL ? st : conn_tls_start(task, wire->conn, tls, NULL);
}

static void setting_add(struct pgwire_login *login, const char *name, const char *value, bool of_role)
{
    if (login->setting_count == login->setting_capacity) {
        login->setting_capacity = login->setting_capacity == 0 ? 16 : 2 * login->setting_capacity;
        login->settings = realloc(login->settings, login->setting_capacity * sizeof *login->settings);
        invariant(login->settings != NULL);
    }
    login->settings[login->setting_count++] =
        (struct pgwire_login_setting){.name = strdup(name), .value = value == NULL ? NULL : strdup(value), .of_role = of_role};
}

static struct status cluster_take(struct pgwire_login *login, const char *name)
{
    if (login->cluster != NULL && strcmp(login->cluster, name) != 0)
        return status_make(E_CONNECTION_EXCEPTION, "the virtual cluster is named twice, differently");
    free(login->cluster);
    login->cluster = strdup(name);
    return STATUS_OK;
}

// One option of `options`: -c name=value, --name=value. Dashes in names are underscores.
static struct status option_take(struct arena *arena, struct pgwire_login *login, const char *dashes, char *option)
{
    char *equals = strchr(option, '=');
    if (equals == NULL) {
        setting_add(login, arena_printf(arena, "%s%s", dashes, option), NULL, false);
        return STATUS_OK;
    }
    *equals = '\0';
    for (char *at = option; *at != '\0'; at++)
        if (*at == '-') *at = '_';
    if (strcmp(option, "cluster") == 0) return cluster_take(login, equals + 1);
    setting_add(login, option, equals + 1, false);
    return STATUS_OK;
}

// The server's other switches are short for settings, too.
static bool switch_take(struct arena *arena, struct pgwire_login *login, char letter, const char *value)
{
    static const struct {
        char letter;
        const char *name, *value; // NULL: what follows it.
    } switches[] = {{'B', "shared_buffers", NULL}, {'d', "log_min_messages", NULL}, {'e', "DateStyle", "euro"}, {'F', "fsync", "false"},
        {'h', "listen_addresses", NULL}, {'i', "listen_addresses", "*"}, {'k', "unix_socket_directories", NULL}, {'l', "ssl", "true"},
        {'N', "max_connections", NULL}, {'O', "allow_system_table_mods", "true"}, {'P', "ignore_system_indexes", "true"},
        {'p', "port", NULL}, {'S', "work_mem", NULL}, {'s', "log_statement_stats", "true"}, {'W', "post_auth_delay", NULL}};
    static const char *const methods[] = {"sseqscan", "iindexscan", "oindexonlyscan", "bbitmapscan", "ttidscan", "nnestloop", "mmergejoin", "hhashjoin"};
    if (letter == 'f' && value != NULL) {
        for (size_t i = 0; i < sizeof methods / sizeof methods[0]; i++) {
            if (methods[i][0] != value[0]) continue;
            setting_add(login, arena_printf(arena, "enable_%s", methods[i] + 1), "false", false);
            return true;
        }
        return false;
    }
    for (size_t i = 0; i < sizeof switches / sizeof switches[0]; i++) {
        if (switches[i].letter != letter) continue;
        if (switches[i].value == NULL && value == NULL) return false;
        if (letter == 'd') value = strcmp(value, "0") == 0 ? "notice" : arena_printf(arena, "debug%s", value);
        setting_add(login, switches[i].name, switches[i].value != NULL ? switches[i].value : value, false);
        return true;
    }
    return false;
}

static bool is_blank(char c)
{
    return c == ' ' || (c >= '\t' && c <= '\r');
}

// The next word, up to a blank; a backslash takes the next character as it is. NULL: none is left.
static char *next_word(struct arena *arena, const char **at)
{
    struct buffer word;
    while (is_blank(**at)) (*at)++;
    if (**at == '\0') return NULL;
    buffer_init(&word, arena);
    for (; **at != '\0' && !is_blank(**at); (*at)++) {
        if (**at == '\\' && (*at)[1] != '\0') (*at)++;
        buffer_append_u8(&word, (uint8_t)**at);
    }
    return buffer_string(&word);
}

// As a command line of the server's. What is wrong with it is told once the client has proved who it is.
static struct status options_take(struct arena *arena, struct pgwire_login *login, const char *options)
{
    struct status st = STATUS_OK;
    for (char *word; login->wrong_option == NULL && (word = next_word(arena, &options)) != NULL;) {
        const char letter = word[0] == '-' ? word[1] : '\0';
        if (letter == '-') {
            TRY(option_take(arena, login, "--", word + 2));
            continue;
        }
        const bool alone = letter != '\0' && strchr("eFilOPs", letter) != NULL;
        char *value = alone ? NULL : letter != '\0' && word[2] != '\0' ? word + 2 : next_word(arena, &options);
        if (letter == 'c' && value != NULL) {
            TRY(option_take(arena, login, "-c ", value));
        } else if (letter == '\0' || (alone && word[2] != '\0') || !switch_take(arena, login, letter, value)) {
            login->wrong_option = strdup(word);
        }
    }
out:
    return st;
}

// "cluster:NAME/db" or "cluster:NAME" in the place of the database.
static struct status database_take(struct arena *arena, struct pgwire_login *login)
{
    static const char prefix[] = "cluster:";
    if (login->database == NULL || strncmp(login->database, prefix, sizeof prefix - 1) != 0)
        return STATUS_OK;
    char *name = arena_strdup(arena, login->database + sizeof prefix - 1);
    char *slash = strchr(name, '/');
    if (slash != NULL) *slash = '\0';
    free(login->database);
    login->database = strdup(slash == NULL ? "" : slash + 1);
    return cluster_take(login, name);
}

// Streams of PostgreSQL's log, as pg_basebackup and its standbys ask for.
static struct status replication_take(struct arena *arena, const char *value)
{
    bool wanted = strcmp(value, "database") == 0;
    if (!wanted && !text_parse_bool(bytes_of_string(value), &wanted))
        return status_hint(arena,
            status_format(arena, E_INVALID_PARAMETER_VALUE, "invalid value for parameter \"replication\": \"%s\"", value),
            "Valid values are: \"false\", 0, \"true\", 1, \"database\".");
    if (!wanted) return STATUS_OK;
    return status_hint(arena, status_make(E_FEATURE_NOT_SUPPORTED, "replication connections are not supported"),
        "Virtual clusters are replicated by CREATE VIRTUAL CLUSTER ... FROM REPLICATION OF ...; pg_dump reads what is in one.");
}

// The next name and its value. False at the end, which must be the packet's: *whole says.
static bool parameter_next(struct bytes *rest, const char **name, const char **value, bool *whole)
{
    const uint8_t *end = rest->size == 0 ? NULL : memchr(rest->data, 0, rest->size);
    *whole = false;
    if (end == NULL) return false;
    *name = (const char *)rest->data;
    if (end == rest->data) {
        *whole = rest->size == 1;
        return false;
    }
    struct bytes after = bytes_skip(*rest, (size_t)(end - rest->data) + 1);
    const uint8_t *value_end = after.size == 0 ? NULL : memchr(after.data, 0, after.size);
    if (value_end == NULL) return false;
    *value = (const char *)after.data;
    *rest = bytes_skip(after, (size_t)(value_end - after.data) + 1);
    return true;
}

static void name_cut(char *name)
{
    if (name != NULL && strlen(name) > IDENTIFIER_BYTES_MAX) name[IDENTIFIER_BYTES_MAX] = '\0';
}

// `unknown`: names of extensions of the protocol, each with its end.
static struct status parameters_take(struct arena *arena, struct pgwire_login *login, struct bytes body, struct buffer *unknown)
{
    struct status st = STATUS_OK;
    const char *name, *value;
    struct bytes rest = body;
    bool whole;
    // What is set by its own name goes before what `options` says of it.
    while (parameter_next(&rest, &name, &value, &whole))
        if (strcmp(name, "options") == 0) TRY(options_take(arena, login, value));
    rest = body;
    while (parameter_next(&rest, &name, &value, &whole)) {
        if (strcmp(name, "user") == 0) {
            free(login->user);
            login->user = strdup(value);
        } else if (strcmp(name, "database") == 0) {
            free(login->database);
            login->database = strdup(value);
        } else if (strcmp(name, "replication") == 0) {
            TRY(replication_take(arena, value));
        } else if (strncmp(name, "_pq_.", 5) == 0) {
            buffer_append(unknown, name, strlen(name) + 1);
            login->unknown_count++;
        } else if (strcmp(name, "options") != 0) {
            setting_add(login, name, value, false);
        }
    }
    if (!whole)
        TRY(status_make(E_PROTOCOL_VIOLATION, "invalid startup packet layout: expected terminator as last byte"));
out:
    return st;
}

// Who logs in where, of what the packet has said.
static struct status names_take(struct arena *arena, struct pgwire_login *login)
{
    struct status st = STATUS_OK;
    if (login->user == NULL || login->user[0] == '\0')
        TRY(status_make(E_INVALID_AUTHORIZATION, "no PostgreSQL user name specified in startup packet"));
    TRY(database_take(arena, login));
    if (login->database == NULL || login->database[0] == '\0') {
        free(login->database);
        login->database = strdup("defaultdb");
    }
    name_cut(login->user);
    name_cut(login->database);
out:
    return st;
}

// --- authentication ------------------------------------------------------------------------------------

static void ask(struct pgwire *wire, uint32_t code, struct bytes data)
{
    size_t start = wire_begin(&wire->out, 'R');
    wire_u32(&wire->out, code);
    buffer_append_bytes(&wire->out, data);
    wire_end(&wire->out, start);
    pgwire_flush_now(wire);
}

static struct status answer(struct task *task, struct pgwire *wire, struct bytes *body)
{
    struct status st;
    uint8_t type;
    struct bytes raw;
    conn_input_bytes_max_set(wire->conn, PGWIRE_INPUT_BYTES);
    TRY(pgwire_message(task, wire, &type, &raw));
    *body = arena_copy(task->arena, raw);
    pgwire_message_done(wire, raw);
    if (type != 'p' || body->size > 4096)
        st = status_make(E_PROTOCOL_VIOLATION, "expected password response");
out:
    return st;
}

static struct status authenticate_scram(
    struct task *task, struct pgwire *wire, const struct role *role)
{
    struct status st;
    struct scram_server scram;
    scram_server_init(&scram, task->arena, role == NULL ? NULL : role->verifier, wire->login->user,
        wire->server->secret);
    ask(wire, 10, bytes_of("SCRAM-SHA-256\0", 15));
    struct bytes body;
    TRY(answer(task, wire, &body));
    struct wire_reader reader = wire_reader(body);
    const char *mechanism = wire_read_string(&reader);
    struct bytes first = wire_read_bytes(&reader, wire_read_u32(&reader));
    TRY(wire_reader_finish(&reader));
    if (strcmp(mechanism, "SCRAM-SHA-256") != 0)
        TRY(status_make(E_PROTOCOL_VIOLATION, "client selected an invalid SASL authentication mechanism"));
    struct bytes out_message;
    TRY(scram_server_first(&scram, task->shard->env, first, &out_message));
    ask(wire, 11, out_message);
    TRY(answer(task, wire, &body));
    st = scram_server_final(&scram, body, &out_message);
    if (failed(st)) {
        if (st.code == E_INVALID_PASSWORD)
            st = status_format(task->arena, E_INVALID_PASSWORD,
                "password authentication failed for user \"%s\"", wire->login->user);
        goto out;
    }
    ask(wire, 12, out_message);
out:
    return st;
}

// The name that a client certificate proves; NULL without one.
static const char *certificate_user(struct pgwire *wire)
{
    struct tls_session *tls = conn_tls(wire->conn);
    return tls == NULL ? NULL : tls_session_peer_name(tls);
}

static struct status authenticate(struct task *task, struct pgwire *wire)
{
    struct status st = STATUS_OK;
    struct pgwire_login *login = wire->login;
    struct role *role;
    TRY(role_find(task, login->tenant, task->arena, login->user, login->database, &role));
    login->authentication = wire->server->insecure ? "trust" : certificate_user(wire) != NULL ? "cert" : "scram-sha-256";
    if (!wire->server->insecure) {
        const char *proven = certificate_user(wire);
        if (proven != NULL && strcmp(proven, login->user) != 0)
            TRY(status_format(task->arena, E_INVALID_AUTHORIZATION,
                "certificate authentication failed for user \"%s\": the certificate is for \"%s\"",
                login->user, proven));
        if (proven == NULL) TRY(authenticate_scram(task, wire, role));
    }
    // Who it is is settled; whether they may log in is not.
    size_t start = wire_begin(&wire->out, 'R');
    wire_u32(&wire->out, 0);
    wire_end(&wire->out, start);
    if (role == NULL)
        TRY(status_format(task->arena, E_INVALID_AUTHORIZATION, "role \"%s\" does not exist", login->user));
    if (!role->login)
        TRY(status_format(task->arena, E_INVALID_AUTHORIZATION,
            "role \"%s\" is not permitted to log in", login->user));
    if (role->has_valid_until && role->valid_until_us < session_now_us(task->shard))
        TRY(status_format(task->arena, E_INVALID_PASSWORD,
            "password authentication failed for user \"%s\"", login->user));
    login->superuser = role->superuser;
    login->connection_limit = role->connection_limit;
    for (uint32_t i = 0; role->settings != NULL && role->settings[i] != NULL; i++) {
        char *copy = arena_strdup(task->arena, role->settings[i]);
        char *equals = strchr(copy, '=');
        if (equals == NULL) continue;
        *equals = '\0';
        setting_add(login, copy, equals + 1, true);
    }
out:
    return st;
}

static struct status require_tls(struct pgwire *wire)
{
    if (wire->server->insecure || conn_tls(wire->conn) != NULL) return STATUS_OK;
    return status_hint(&wire->in_arena,
        status_make(E_INVALID_AUTHORIZATION, "node is running secure mode, SSL connection required"),
        "Connect with sslmode=require or stronger.");
}

// Of a protocol before the third nobody knows messages with lengths and fields.
static struct status refuse_protocol(struct task *task, struct pgwire *wire, uint32_t code)
{
    struct status st = status_format(task->arena, E_FEATURE_NOT_SUPPORTED,
        "unsupported frontend protocol %u.%u: server supports 3.0 to 3.0", code >> 16, code & 0xffff);
    if (code >> 16 >= 3) return st;
    buffer_printf(&wire->out, "EFATAL:  %s\n", st.message);
    buffer_append_u8(&wire->out, 0);
    pgwire_flush_now(wire);
    return packet_refuse(wire, st.message);
}

// Up to the packet that names user and database. Either kind of encryption may be asked for once.
static struct status packet_await(struct task *task, struct pgwire *wire, uint32_t *code, struct bytes *body)
{
    struct status st;
    bool tls_asked = false, gss_asked = false, accepted = false;
    for (;;) {
        TRY(packet_read(task, wire, body));
        if (wire->terminate) return st;
        struct wire_reader reader = wire_reader(*body);
        *code = wire_read_u32(&reader);
        if (*code == WIRE_CANCEL_REQUEST) {
            wire->terminate = true;
            if (body->size != 12) return packet_refuse(wire, "invalid length of startup packet");
            uint32_t process = wire_read_u32(&reader), secret = wire_read_u32(&reader);
            if (!__atomic_load_n(&wire->server->starting, __ATOMIC_ACQUIRE)) TRY(activity_cancel_process(task, process, secret));
            return st;
        }
        if (*code == WIRE_SSL_REQUEST && !tls_asked) {
            TRY(start_tls(task, wire, &accepted));
            tls_asked = true;
            gss_asked |= accepted;
        } else if (*code == WIRE_GSSENC_REQUEST && !gss_asked) {
            conn_write(wire->conn, "N", 1);
            conn_flush(wire->conn);
            TRY(refuse_early(task, wire, "GSSAPI encryption"));
            gss_asked = true;
        } else {
            return *code >> 16 == 3 ? st : refuse_protocol(task, wire, *code);
        }
    }
out:
    return st;
}

static struct status startup(struct task *task, struct pgwire *wire)
{
    struct status st;
    struct bytes body;
    struct buffer unknown;
    uint32_t code = 0;
    TRY(packet_await(task, wire, &code, &body));
    if (wire->terminate) return st;
    wire->login = calloc(1, sizeof *wire->login);
    invariant(wire->login != NULL);
    buffer_init(&unknown, task->arena);
    TRY(parameters_take(task->arena, wire->login, bytes_skip(body, 4), &unknown));
    if ((code & 0xffff) != 0 || wire->login->unknown_count > 0) {
        size_t start = wire_begin(&wire->out, 'v');
        wire_u32(&wire->out, 3u << 16); // As PostgreSQL has it: the whole number, not its lower half.
        wire_u32(&wire->out, wire->login->unknown_count);
        buffer_append_bytes(&wire->out, buffer_bytes(&unknown));
        wire_end(&wire->out, start);
    }
    TRY(names_take(task->arena, wire->login));
    TRY(require_tls(wire));
    if (__atomic_load_n(&wire->server->starting, __ATOMIC_ACQUIRE))
        TRY(status_hint(task->arena, status_make(E_CANNOT_CONNECT_NOW, "the database system is starting up"),
            "Try again soon. The first node of a new cluster waits for isopod init, a node that was started alone for others."));
    if (wire->server->draining)
        TRY(status_make(SQLSTATE('5', '7', 'P', '0', '3'), "server is shutting down"));
    struct pgwire_route route = {.tenant = TENANT_SYSTEM, .name = "system"};
    if (route_to != NULL) TRY(route_to(task, task->arena, wire->login->cluster, &route));
    wire->login->tenant = route.tenant;
    wire->login->reader = route.reader;
    wire->login->tenant_name = strdup(route.name);
    wire->login->shard = route.shard;
    TRY(authenticate(task, wire));
    wire->state = PGWIRE_MOVING;
out:
    return st;
}

struct status pgwire_startup(struct task *task, void *arg)
{
    struct pgwire *wire = arg;
    list_append(&sql_shard(task->shard)->arriving, &wire->arriving);
    wire->task = task;
    struct status st = startup(task, wire);
    wire->task = NULL;
    list_remove(&wire->arriving);
    if (failed(st)) {
        pgwire_error(wire, "FATAL", st);
        pgwire_flush_now(wire);
        log_debug(0, "log-in of %s refused: %s", conn_peer(wire->conn), st.message);
        wire->terminate = true;
    }
    return STATUS_OK;
}

// --- on the session's shard ----------------------------------------------------------------------------

static void wire_notice(struct session *session, const char *severity, struct status st)
{
    static const char *const order[] = {"DEBUG", "LOG", "INFO", "NOTICE", "WARNING", "ERROR"};
    const char *least = vars_get(session, "client_min_messages");
    unsigned at = 3, floor_at = 3;
    for (unsigned i = 0; i < 6; i++) {
        if (strcmp(order[i], severity) == 0) at = i;
        if (strncasecmp(order[i], least, strlen(order[i])) == 0) floor_at = i;
    }
    if (at >= floor_at || at == 2) pgwire_report(session->wire, 'N', severity, st);
}

// The database must be there, and open to the user.
static struct status check_database(struct task *task, struct session *session)
{
    struct status st;
    const struct database_desc *database;
    TRY(session_txn_begin_reading(task, session));
    st = catalog_database(task, session, session->database, false, &database);
    if (!failed(st) && database->collate != NULL)
        st = vars_set(session, &session->statement_arena, "lc_collate", database->collate, VARS_STARTUP);
    if (!failed(st)) st = privilege_check_database(task, session, database, PRIVILEGE_CONNECT);
    if (failed(st)) st = status_copy(&session->statement_arena, st);
    session_txn_rollback(task, session);
out:
    return st;
}

static struct status apply_settings(struct task *task, struct session *session, const struct pgwire_login *login)
{
    struct status st = STATUS_OK;
    struct arena *arena = &session->statement_arena;
    if (login->wrong_option != NULL)
        TRY(status_hint(arena,
            status_format(arena, E_SYNTAX_ERROR, "invalid command-line argument for server process: %s", login->wrong_option),
            "Try \"-c name=value\" or \"--name=value\"."));
    for (uint32_t i = 0; i < login->setting_count; i++) {
        const struct pgwire_login_setting *setting = &login->settings[i];
        if (setting->value == NULL) TRY(status_format(arena, E_SYNTAX_ERROR, "%s requires a value", setting->name));
        TRY(session_set_variable(task, session, arena, setting->name, setting->value, setting->of_role ? VARS_ROLE : VARS_SESSION));
    }
out:
    return st;
}

static struct status log_in(struct task *task, struct pgwire *wire)
{
    struct status st;
    struct pgwire_login *login = wire->login;
    struct session_options options = {.tenant = login->tenant,
        .reader = login->reader,
        .tenant_name = login->tenant_name,
        .user = login->user,
        .database = login->database,
        .client_address = conn_peer(wire->conn),
        .server_address = conn_here(wire->conn),
        .superuser = login->superuser};
    TRY(session_open(task->shard, &options, &wire->session));
    struct session *session = wire->session;
    session->wire = wire;
    TRY(connection_enter(task, session, login->superuser, login->connection_limit));
    session->authentication = login->authentication;
    session->notice = wire_notice;
    session->task = task;
    TRY(vars_set(session, &session->statement_arena, "ssl", wire->server->insecure ? "off" : "on", VARS_STARTUP));
    if (apply_defaults != NULL) TRY(apply_defaults(task, session));
    TRY(check_database(task, session));
    TRY(apply_settings(task, session, login));
    vars_logged_in(session);
    pgwire_tell_changed_parameters(wire);
    size_t start = wire_begin(&wire->out, 'K');
    wire_u32(&wire->out, wire->process);
    wire_u32(&wire->out, wire->secret);
    wire_end(&wire->out, start);
    wire_ready(&wire->out, TXN_IDLE);
    pgwire_flush_now(wire);
out:
    return st;
}

struct status pgwire_adopted(struct task *task, void *arg)
{
    struct pgwire *wire = arg;
    wire->task = task;
    struct status st = log_in(task, wire);
    wire->task = NULL;
    if (failed(st)) {
        pgwire_error(wire, "FATAL", st);
        pgwire_flush_now(wire);
        wire->terminate = true;
    }
    pgwire_login_done(wire);
    if (wire->session != NULL && !wire->terminate) temp_sweep(task, wire->session);
    if (wire->session != NULL) {
        arena_reset(&wire->session->statement_arena);
        wire->session->task = NULL;
    }
    if (wire->terminate && wire->session != NULL) {
        session_close(task, wire->session);
        wire->session = NULL;
    }
    return STATUS_OK;
}
