// SPDX-License-Identifier: GPL-3.0-or-later
//
// A client of PostgreSQL's wire protocol, on tasks: what the shell, the workloads and the replication consumer
// talk to servers with. TLS, SCRAM, simple and extended queries, rows as they come.
//
// Shard    A client belongs to the shard that connected it. All of it suspends, except close.
// Memory   Values of a row are valid during the callback; collected results live in the arena given.
// Errors   The server's own, with its SQLSTATE, detail and hint; 08001 cannot connect, 08006 connection lost; 22023 a
//          malformed URL. After 08006 the client can only be closed.
// Source   PostgreSQL 15 manual, chapter 55; libpq's connection URIs, 34.1.1.2.
#pragma once
#include "core/net.h"
#include "sql/type/type.h"

struct pgclient;

enum pgclient_ssl { PGCLIENT_SSL_DISABLE, PGCLIENT_SSL_PREFER, PGCLIENT_SSL_REQUIRE, PGCLIENT_SSL_VERIFY_CA, PGCLIENT_SSL_VERIFY_FULL };

struct pgclient_options {
    const char *hosts[8];      // Tried in order.
    uint16_t ports[8];
    uint32_t host_count;
    const char *user, *password, *database;
    const char *options;       // "-ccluster=system"
    const char *application_name;
    enum pgclient_ssl ssl;
    const char *ssl_root_cert, *ssl_cert, *ssl_key; // Paths; with ssl_inline: the PEM texts themselves.
    bool ssl_inline;
    uint64_t connect_timeout_ns; // 0: 10 s.
};
// postgresql://user:password@host:port,host2/db?sslmode=verify-full&sslrootcert=...&options=-ccluster%3Dsystem.
// Unknown parameters are refused. Fields it does not name keep what *options has.
CHECKED struct status pgclient_url_parse(
    struct arena *arena, const char *url, struct pgclient_options *options);

CHECKED struct status pgclient_connect(
    struct task *task, const struct pgclient_options *options, struct pgclient **client);
void pgclient_close(struct pgclient *client);
// A ParameterStatus value the server has sent; NULL when it has not.
const char *pgclient_parameter(const struct pgclient *client, const char *name);
// In a callback: whether the whole next message is here already. As long as the callback has not waited.
bool pgclient_has_more(const struct pgclient *client);
char pgclient_txn_status(const struct pgclient *client); // 'I', 'T', 'E'
void pgclient_keys(const struct pgclient *client, uint32_t *process, uint32_t *secret);
// Asks the server to cancel what the client of these keys is running, over a connection of its own.
CHECKED struct status pgclient_cancel(
    struct task *task, const struct pgclient_options *options, uint32_t process, uint32_t secret);

struct pgclient_column {
    const char *name;
    type_oid type;
};
struct pgclient_sink {
    // Before the rows of each result that has some. May be NULL. Columns live until the next result.
    struct status (*columns)(struct task *task, void *arg, const struct pgclient_column *columns, uint32_t count);
    // values[i].data NULL: NULL. May be NULL. A failure ends the query with a cancel, and is returned.
    struct status (*row)(struct task *task, void *arg, const struct bytes *values, uint32_t count);
    // After each statement: "INSERT 0 1". May be NULL.
    void (*complete)(void *arg, const char *tag);
    // NOTICE and WARNING. May be NULL.
    void (*notice)(void *arg, const char *severity, struct status st);
    void *arg;
    // For results without an end: a failed callback returns at once and leaves the client fit only to be closed.
    bool endless;
};

// One or more statements in the simple protocol; results in text form. `sink` may be NULL.
CHECKED struct status pgclient_query(
    struct task *task, struct pgclient *client, const char *sql, const struct pgclient_sink *sink);

// Collected rows, text form.
struct pgclient_result {
    uint32_t column_count;
    const struct pgclient_column *columns;
    uint64_t row_count;
    struct bytes *values; // Row by row.
    const char *tag;
};
CHECKED struct status pgclient_collect(struct task *task, struct pgclient *client,
    struct arena *arena, const char *sql, struct pgclient_result *result);
static inline struct bytes pgclient_value(const struct pgclient_result *result, uint64_t row, uint32_t column)
{
    return result->values[row * result->column_count + column];
}

// Extended protocol: prepares once by name, then runs with parameters in text form (data NULL: NULL).
CHECKED struct status pgclient_prepare(
    struct task *task, struct pgclient *client, const char *name, const char *sql);
// `binary_results`: values reach the sink in binary form.
CHECKED struct status pgclient_execute(struct task *task, struct pgclient *client, const char *name,
    const struct bytes *params, uint32_t param_count, bool binary_results, const struct pgclient_sink *sink);
// Parse, bind, execute in one round trip, unnamed.
CHECKED struct status pgclient_run(struct task *task, struct pgclient *client, const char *sql,
    const struct bytes *params, uint32_t param_count, bool binary_results, const struct pgclient_sink *sink);
