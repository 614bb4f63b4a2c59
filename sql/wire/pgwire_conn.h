// SPDX-License-Identifier: GPL-3.0-or-later
//
// The inside of a wire connection, shared by sql/wire/pgwire*.c. Not for others.
//
// Shard    Moves with its connection (conn_migrate), until the session is made; then stays.
// Memory   malloc'ed; freed by pgwire_free once no task runs for it.
#pragma once
#include "core/hashmap.h"
#include "core/net.h"
#include "sql/session/execute.h"
#include "sql/wire/pgwire.h"
#include "sql/wire/wire.h"

#define PGWIRE_MESSAGE_BYTES_MAX (160u << 20) // 64 MiB of bytea as text, and what goes with it.
#define PGWIRE_LENGTH_MAX                                                                          \
    0x3fffffffu // PostgreSQL's; beyond it nothing is known of where the next one begins.
#define PGWIRE_RESULT_BUFFER_BYTES (16u << 10)
#define PGWIRE_OUTPUT_BYTES_MAX (256u << 10)
#define PGWIRE_INPUT_BYTES (64u << 10)

struct pgwire_server {
    struct node *node;
    struct node_exit_hook exit_hook;
    struct tls_context *tls;
    bool insecure;
    bool draining;
    bool starting; // Nobody may log in yet.
    uint8_t secret[32]; // For made-up SCRAM salts.
    struct listener *listeners[256]; // One a shard.
};

// What the start-up packet asked for; malloc'ed strings.
struct pgwire_login_setting {
    char *name, *value; // `value` NULL: of an option that lacks one.
    bool of_role;       // Not the client's own wish.
};
struct pgwire_login {
    char *user, *database, *cluster;
    struct pgwire_login_setting *settings;
    uint32_t setting_count, setting_capacity;
    char *wrong_option;     // Of `options`, where reading it has ended; or NULL.
    uint32_t unknown_count; // Extensions of the protocol that it named.
    uint64_t tenant, reader;
    char *tenant_name;
    uint32_t shard;
    bool superuser;
    int32_t connection_limit; // The role's; -1: none.
    const char *authentication; // Static.
};

enum pgwire_state { PGWIRE_STARTUP, PGWIRE_MOVING, PGWIRE_READY, PGWIRE_CLOSING };

struct pgwire {
    struct pgwire_server *server;
    struct conn *conn;
    struct session *session;   // NULL until log-in is done.
    struct pgwire_login *login;
    enum pgwire_state state;
    bool busy;                 // A task runs for it.
    bool cancellable;          // It works on a statement.
    struct task *task;
    uint32_t process, secret;  // For CancelRequest.
    bool skip_to_sync;         // After an error in the extended protocol.
    bool terminate;            // Close after the current message.
    bool refused;              // pgwire_message has read a message over, and its status says why.
    struct arena in_arena;     // The message being handled.
    struct arena out_arena;
    struct buffer out;         // Messages on their way to the connection.
    struct arena recoded_arena; // Texts of one row or message, while the client's encoding is not UTF8.
    uint64_t counted;          // Tenant whose sql.conns has this connection; 0: none.
    bool spilled;              // Some left `out` since the statement began.
    struct timer idle_timer;   // Log-in, idle in transaction.
    struct list_link arriving; // In struct sql_shard, while it logs in.
};

void pgwire_free(struct pgwire *wire);
// Hands `out` to the connection; suspends while too much is queued there.
CHECKED struct status pgwire_flush(struct task *task, struct pgwire *wire);
// As above, for what is written outside of a task.
void pgwire_flush_now(struct pgwire *wire);
void pgwire_error(struct pgwire *wire, const char *severity, struct status st);
// ErrorResponse or NoticeResponse, and ParameterStatus, in the client's encoding.
void pgwire_report(struct pgwire *wire, char type, const char *severity, struct status st);
void pgwire_parameter(struct pgwire *wire, const char *name, const char *value);
// From the client, whole and outside of rows: in `arena`, or as it is.
CHECKED struct status pgwire_text_in(struct pgwire *wire, struct arena *arena, const char *text, const char **out);
// The same of a name, which must be a text of the encoding before anything is looked for by it.
CHECKED struct status pgwire_name_in(struct pgwire *wire, struct arena *arena, const char *name, const char **out);
// Runs the messages that are there; the task function of a ready connection.
struct status pgwire_serve(struct task *task, void *arg);
// Starts a task for the connection when it has work and none runs.
void pgwire_wake(struct pgwire *wire);
// Whether a whole message (or the end of the stream) can be taken.
bool pgwire_has_work(struct pgwire *wire);

// Suspends until so many bytes of what the client sends are there.
CHECKED struct status pgwire_client_input(struct task *task, struct pgwire *wire, size_t size);
CHECKED struct status pgwire_row_description(
    struct pgwire *wire, const struct result_column *columns, uint32_t count, const uint8_t *formats);
// ParameterStatus of each setting that the client hears of and whose value is not what it was told last.
void pgwire_tell_changed_parameters(struct pgwire *wire);

// Rows of a result to the client. Lives with the statement.
struct pgwire_sink {
    struct result_sink sink;
    struct pgwire *wire;
    const struct result_column *columns;
    uint32_t column_count;
    const uint8_t *formats;
    bool describes; // The simple protocol: RowDescription goes before the rows.
    bool value;     // FunctionCall: the one value of the one row, as FunctionCallResponse.
    bool described;
};

struct pgwire_sink pgwire_sink(struct pgwire *wire, const struct prepared *prepared,
    const uint8_t *formats, bool describes);

// Next message of a connection in COPY: suspends until it is whole. *type is its first byte; the body stays
// valid until pgwire_message_done.
CHECKED struct status pgwire_message(
    struct task *task, struct pgwire *wire, uint8_t *type, struct bytes *body);
void pgwire_message_done(struct pgwire *wire, struct bytes body);

// One statement, or as much of a portal as is asked for.
struct pgwire_run {
    struct prepared *prepared;
    const struct datum *params;
    const uint8_t *formats;
    struct execution *execution;
    bool simple;     // RowDescription is ours to send.
    bool value;      // FunctionCall: FunctionCallResponse is all that is sent.
    bool commit;     // Commit an implicit transaction with it.
    bool first;      // Of a client's transaction, which can begin anew with it.
    uint64_t rows_max;
    bool cursor;          // It fetches from a cursor, as if that were a portal: so many rows, 0 for all.
    uint64_t cursor_rows;
    bool done;       // Out: no rows are left.
    bool ended;      // Out: it did what it says, whether or not its transaction could commit.
};
// Runs it, again after conflicts when nobody has seen anything of it, and writes CommandComplete or
// PortalSuspended. Errors are the caller's to write.
CHECKED struct status pgwire_run_statement(struct task *task, struct pgwire *wire, struct pgwire_run *run);
// A statement, or what goes before one, has failed: ends or fails its transaction, and tells the client.
void pgwire_fail_statement(struct task *task, struct pgwire *wire, struct status st);
void pgwire_tell_failure(struct pgwire *wire, struct status st); // What ends the session is fatal.
// ReadyForQuery, with the settings that have changed before it. Ends a cycle of the protocol, unless it is the last.
void pgwire_ready_for_query(struct pgwire *wire);
// Parse, Bind, Describe, Execute or Close.
void pgwire_extended(struct task *task, struct pgwire *wire, uint8_t type, struct bytes body);
void pgwire_sync(struct task *task, struct pgwire *wire);
// FunctionCall, with its ReadyForQuery.
void pgwire_function(struct task *task, struct pgwire *wire, struct bytes body);

void pgwire_login_done(struct pgwire *wire); // Frees wire->login.
// The log-in's last part, on the session's shard: task function.
struct status pgwire_adopted(struct task *task, void *arg);
struct status pgwire_startup(struct task *task, void *arg);
void pgwire_register_cancel(struct pgwire *wire);
void pgwire_unregister_cancel(struct pgwire *wire);
// CancelRequest: finds the process on its shard.
CHECKED struct status pgwire_cancel_process(
    struct task *task, struct node *node, uint32_t process, uint32_t secret);
