// SPDX-License-Identifier: GPL-3.0-or-later
//
// What sessions do, on this node and on all others, and asking one of them to stop: behind SHOW SESSIONS, pg_stat_activity,
// CANCEL, pg_cancel_backend and the protocol's CancelRequest.
//
// A session is named by its node and its id, 32 hexadecimal digits in SQL; by clients of PostgreSQL by its process number,
// which tells the node too (ACTIVITY_PROCESS_BITS).
//
// Shard    Any. Asks every shard of every node, and suspends.
// Memory   Results are in the arena given, which must not be accounted to one shard.
// Errors   Nodes that do not answer within ACTIVITY_NODE_NS are left out.
#pragma once
#include "core/arena.h"
#include "sql/session/session.h"

#define ACTIVITY_NODE_NS UINT64_C(3000000000)
#define ACTIVITY_SESSIONS_MAX 100000u
// The process number's lower bits are the node's own; those above, up to the sign, its id.
#define ACTIVITY_PROCESS_BITS 21u

struct activity {
    uint32_t node, process;
    uint64_t session;
    const char *user, *database, *application, *address;
    const char *statement; // NULL: none is running.
    const char *last_statement;  // That has ended, without its values; "": not known.
    const char *authentication, *isolation;
    int64_t start_us, txn_us, statement_us;
    enum txn_state txn_state;
    uint64_t txn; // 0: none.
    uint32_t txn_statements, txn_retries; // In it, so far.
    uint64_t txns_ended;
    const char *tls_version, *tls_cipher, *tls_peer; // NULL: no TLS; no certificate.
    int tls_bits;
};
struct activity_list {
    struct activity *items;
    uint32_t count, capacity;
    uint32_t silent; // Nodes that did not answer.
};
// Sessions of the tenant, without the server's own. Of this node, or (`everywhere`) of all.
CHECKED struct status activity_list(struct task *task, uint64_t tenant, bool everywhere,
    struct arena *arena, struct activity_list *list);

// Cancels the statement that a session is running (57014), or ends the session (57P01). *found false: no such session.
CHECKED struct status activity_signal(
    struct task *task, uint32_t node, uint64_t session, bool terminate, bool *found);
// As the protocol's CancelRequest, on whichever node it belongs to. Nobody learns whether there was one.
CHECKED struct status activity_cancel_process(struct task *task, uint32_t process, uint32_t secret);

// PostgreSQL's rule: one's own, and those of roles that one is in, or with CANCELQUERY; what an administrator runs (*admin)
// is for administrators only.
CHECKED struct status activity_may_signal(
    struct task *task, struct session *session, const char *user, bool *may, bool *admin);

const char *activity_id_format(struct arena *arena, uint32_t node, uint64_t session);
bool activity_id_parse(const char *text, uint32_t *node, uint64_t *session);

void activity_register(void);            // RPC methods: once a process.
void activity_statements_register(void); // CANCEL QUERY and CANCEL SESSION.
