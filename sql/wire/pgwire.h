// SPDX-License-Identifier: GPL-3.0-or-later
//
// PostgreSQL's wire protocol 3.0, the server's side: connections become sessions, messages become
// statements. Which virtual cluster a connection means is decided by the layer above (pgwire_route_register);
// the session then lives on the shard that leads that virtual cluster's slice.
//
// Life     accept (any shard) -> start-up, TLS, authentication -> conn_migrate to the session's shard -> ready.
//          An idle connection has no task: a task is started when a whole message is there and ends when
//          there is none left.
// Retries  A statement in its own transaction that meets 40001 runs again, up to 10 times, as long as none of its
//          rows has left the result buffer (16 KiB).
// Bounds   Start-up packet 10,000 bytes; message 160 MiB (a longer one is read over and refused, 54000; so is one
//          for which there is no memory, 53200); 10 s to log in.
// Source   PostgreSQL 15 manual, chapter 55.
#pragma once
#include "core/net.h"
#include "sql/session/session.h"

struct pgwire_route {
    uint64_t tenant;
    const char *name;  // Of the virtual cluster.
    uint32_t shard;
    uint64_t reader;   // sql/session/session.h; 0: none.
};
// Finds the virtual cluster `requested` (NULL: the default one). A failed status goes to the client as FATAL.
typedef struct status (*pgwire_route_fn)(
    struct task *task, struct arena *arena, const char *requested, struct pgwire_route *route);
void pgwire_route_register(pgwire_route_fn route);

// Session settings that come from outside of the start-up packet (defaults of the virtual cluster), applied
// before the client's own. May be NULL.
typedef struct status (*pgwire_defaults_fn)(struct task *task, struct session *session);
void pgwire_defaults_register(pgwire_defaults_fn defaults);

struct pgwire_options {
    const char *address;
    struct tls_context *tls; // NULL: plaintext only.
    bool insecure;           // No passwords are asked for. Loopback trials only.
    bool starting;           // Clients are told 57P03 until pgwire_ready.
};
// Listens on every shard. `bound` (64 bytes) gets the address with the port chosen.
CHECKED struct status pgwire_start(
    struct task *task, const struct pgwire_options *options, char bound[64]);
// From now on clients may log in. Nodes that call on the same port (core/rpc.h) could before.
void pgwire_ready(struct node *node);
// New TLS material for connections to come.
void pgwire_tls_set(struct node *node, struct tls_context *tls);
// Stops accepting, tells idle sessions 57P01, waits for busy ones up to `grace_ns`, then cancels them.
CHECKED struct status pgwire_drain(struct task *task, uint64_t grace_ns);

// Ends every session of a virtual cluster on this node (57P01), or with `reader` those that read it through that, and
// waits until they are gone.
CHECKED struct status pgwire_cancel_tenant(struct task *task, uint64_t tenant, uint64_t reader);

// Cancels the running statement of a session (57014), from its id; on any shard. False: no such session.
CHECKED struct status pgwire_cancel_session(
    struct task *task, uint64_t session_id, bool terminate, bool *found);

// Ends a session of this shard (57P01). Does not suspend.
void pgwire_terminate(struct session *session);

// The process number that the session's client was told at log-in; 0 for the server's own sessions.
uint32_t pgwire_process(const struct session *session);
