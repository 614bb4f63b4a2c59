// SPDX-License-Identifier: GPL-3.0-or-later
//
// A SQL session: who is connected to which virtual cluster and database, with which settings, in which
// transaction. Sessions are made by pgwire (clients) and by sql/session/internal.h (the server itself).
//
// Shard    Belongs to one shard from log-in to the end. A session has no task while it is idle; while a
//          statement runs, session->task is its task.
// Memory   session->arena lives as long as the session; txn_arena as long as the transaction;
//          statement_arena until the next statement.
#pragma once
#include "core/arena.h"
#include "core/status.h"
#include "core/task.h"
#include "kv/client.h"
#include "sql/type/type.h"

struct catalog_view;
struct session;
struct plan;

enum txn_state {
    TXN_IDLE,     // 'I'
    TXN_IMPLICIT, // A statement's own transaction.
    TXN_OPEN,     // 'T'
    TXN_FAILED,   // 'E'
};

// What the running transaction is made of, for sql/insight/insight.h.
#define INSIGHT_TXN_STATEMENTS 16u
struct session_insight {
    uint64_t hash, rows, retries, started_ns;
    uint64_t statements[INSIGHT_TXN_STATEMENTS];
    uint32_t count;          // Of statements so far.
    bool explicit;
    uint64_t last;           // Key of the last statement; 0: none.
    uint64_t txns_ended;
    struct insight_shard *shard; // NULL: not looked for yet.
};

struct session {
    uint64_t id;                 // Unique in the cluster; shown as 32 hex digits.
    struct shard *shard;
    struct task *task;           // NULL while idle.
    uint64_t tenant;
    const char *tenant_name;
    uint64_t reader;             // Reads at the time that session_reader_hooks says, and only reads; 0: an ordinary one.
    const char *user;            // The role whose privileges count (current_user): sql/session/session_role.h.
    const char *session_user, *login_user; // SET SESSION AUTHORIZATION; as authenticated.
    struct session_role *roles;  // That it may act as.
    const char *database;
    const char *application_name;
    const char *client_address;
    const char *server_address; // That the client has reached; empty when there is none.
    const char *authentication;  // How the user has proved who they are; static.
    bool internal;               // Made by the server: no privilege checks.
    bool administers;            // As session_options says.
    bool superuser;              // Member of admin: refreshed when roles change.
    struct arena arena, txn_arena, statement_arena;
    struct memory_account account;
    uint32_t
        nested; // Prepared statements and portals that name each other, in EXECUTE and FETCH: how deep now.
    struct tenant_memory *memory; // sql/exec/memory.h
    uint64_t work_bytes;          // work_mem

    struct session_vars *vars;   // sql/session/vars.h
    uint32_t statement_timeout_ms, lock_timeout_ms, idle_in_transaction_timeout_ms; // 0: none.
    struct type_context types;   // What vars say about text forms.
    int32_t client_encoding;     // sql/type/encoding.h; texts on the wire are in it.
    struct type_names names;     // Of types.
    const struct function_frame *frame; // While a statement of a function's body is planned and runs.
    uint32_t function_depth;
    uint32_t attempt; // Of the statement at work: how often it has lost against other transactions.
    const char *calling; // While CALL is planned: the procedure's name, which then is no function's; NULL.
    const char *const *search_path; // NULL-terminated; "$user" expanded: sql/session/search_path.h
    struct session_path {
        const char *const *named; // As the setting has it.
        const char **settled;     // Room for as many.
        uint64_t epoch;           // catalog_epoch() at which it was settled; 0: it has to be.
        bool fixed;               // Somebody else says what is searched.
        bool kept; // The names at hand are of what is kept or of the server's making: they need no USAGE.
    } path;

    enum txn_state txn_state;
    struct kv_txn *txn;
    struct catalog_view *catalog; // Of the transaction.
    bool shows_catalog; // Rows of a table of the catalog are made: what is read for them is not validated.
    bool reads_weak; // Of a statement at READ COMMITTED: what it reads is not validated.
    struct deferred_state *deferred; // Of the transaction: sql/exec/deferred.h. NULL when none.
    struct temp_state *temp;      // sql/ddl/temp.h; NULL when none.
    const char *temp_name;        // Its schema, first of the search path; NULL when none.
    uint32_t temp_generation;     // Grows with each temporary relation: plans name what was there before.
    struct ddl_state *ddl;        // Uncommitted schema changes: sql/ddl/ddl.h. NULL when none.
    struct xact *xact;            // sql/service/xact.h; NULL when none.
    struct savepoint *savepoints; // Newest first, in txn_arena.
    struct hlc_timestamp txn_as_of; // Zero: none.
    bool txn_read_only;
    bool read_only_default;       // default_transaction_read_only: what new transactions are.
    bool txn_counted;             // In sql/wire/connection_limit.h.
    bool txn_fresh;               // Opened by the client, who has not been told anything of its data so far.
    bool txn_queried;             // A statement of it has taken a snapshot: SET TRANSACTION comes too late.
    int64_t txn_start_us, statement_start_us; // Since 2000-01-01, for now() and statement_timestamp().
    int64_t start_us;            // When the session began.
    struct hlc_timestamp commit_ts; // Of the last transaction that wrote.
    bool commit_unsure;             // While it ends: it has failed, and may have been committed yet.
    const char *statement_text;  // Of the running statement, for SHOW QUERIES; NULL when idle.
    uint64_t last_sequence_value; // lastval()
    uint32_t last_sequence;       // Whose.
    bool has_last_sequence_value;
    uint64_t random_state;       // random() after setseed().
    bool random_seeded;
    struct sequence_memory *sequences; // currval(): sql/service/sequence.h
    struct session_insight insight;
    double log_min_duration_ms;  // Slower statements are logged; below 0: none.
    const char *counted_as;      // Under this role in sql/wire/connection_limit.h; NULL: not counted.
    uint8_t named_locks;         // What sql/service/named_lock.h may hold for it.

    struct pgwire *wire;         // The client's connection, NULL for internal sessions.
    // Sends a NoticeResponse at once (or drops it, for internal sessions).
    void (*notice)(struct session *session, const char *severity, struct status st);
    struct session_statements *statements; // Prepared statements and portals: sql/session/execute.h
    struct list_link link;       // In the shard's list of sessions.
};

// Raises NOTICE or WARNING to the client: session_notice(s, "NOTICE", status_format(...)).
void session_notice(struct session *session, const char *severity, struct status st);

// A client's place in its transaction to go back to.
struct savepoint {
    struct savepoint *next;
    const char *name;
    uint64_t kv;
    struct kv_lock_mark locks;
    uint64_t cursor_serial; // Of the last cursor before it.
    const struct var_undo *vars; // vars_savepoint
};

// Virtual clusters that replication fills can be read at a time that follows it: a reader is the virtual cluster under
// whose name that is done. All transactions in one are as of its time. Filled in by the layer that serves them.
struct session_reader_hooks {
    // The reader through which alone the tenant is read on this shard; 0: none, or the tenant is served itself.
    uint64_t (*of_tenant)(struct shard *shard, uint64_t tenant);
    struct hlc_timestamp (*time)(struct shard *shard, uint64_t reader); // Zero: not read any more.
};
void session_readers_register(const struct session_reader_hooks *hooks);

struct session_options {
    uint64_t tenant;
    uint64_t reader; // 0: none, or as the hook says for internal ones.
    const char *tenant_name;
    const char *user;
    const char *database;
    const char *client_address; // NULL: internal.
    const char *server_address; // NULL: internal.
    bool internal;
    bool administers; // Its memory is the node's: what the server needs to know of a virtual cluster hangs on no quota of that.
    bool superuser;
};
// Makes a session on the current shard. Names are copied.
CHECKED struct status session_open(
    struct shard *shard, const struct session_options *options, struct session **session);
// Rolls back what is open and frees the session.
void session_close(struct task *task, struct session *session);

// Transactions of a session, as statements see them. txn and catalog are there while a statement runs.
CHECKED struct status session_txn_begin(struct task *task, struct session *session, bool implicit);
// As an implicit one that only reads and so needs no validation.
CHECKED struct status session_txn_begin_reading(struct task *task, struct session *session);
CHECKED struct status session_txn_commit(struct task *task, struct session *session);
void session_txn_rollback(struct task *task, struct session *session);
// A fresh one begins anew, after a conflict in its first statement.
CHECKED struct status session_txn_restart(struct task *task, struct session *session);
// Ends an implicit transaction in which nothing was done but planning; portals stay.
void session_txn_forget(struct task *task, struct session *session);
// A statement of an open transaction has failed: only ROLLBACK [TO] is left.
void session_txn_fail(struct task *task, struct session *session);
int64_t session_now_us(struct shard *shard); // Microseconds since 2000-01-01 UTC.
// Hooks of other modules around the end of a transaction: DDL announcements, sequences, deferred checks.
struct session_txn_hook {
    // Before commit, inside the transaction; a failure aborts it. May be NULL.
    struct status (*before_commit)(struct task *task, struct session *session);
    // After it; `committed` says which way. May suspend. May be NULL.
    void (*after)(struct task *task, struct session *session, bool committed);
};
void session_txn_hook_register(const struct session_txn_hook *hook);

// All sessions of this shard, for SHOW SESSIONS and CANCEL.
struct session *session_first(struct shard *shard);
struct session *session_next(struct session *session);
