// SPDX-License-Identifier: GPL-3.0-or-later
//
// Stream connections on a shard: bytes in, bytes out, TLS or not, back-pressure both ways.
//
// An idle connection costs no fiber: when bytes arrive, `on_input` runs (not in a task, must not
// suspend) and its owner decides whether there is a whole message worth a task. A task that needs
// more bytes waits with conn_wait_input.
//
// Input    Bytes gather in one contiguous buffer up to input_bytes_max; at that mark receiving stops
//          until something is consumed (the kernel's window then pushes back on the peer).
// Output   conn_write appends; what a turn wrote leaves in one send at the end of the turn. A task that
//          writes a lot calls conn_drain, which suspends while more than the high-water mark is queued.
// TLS      conn_tls_start runs the handshake; after it input and output are plain text here and
//          ciphertext on the wire (core/tls.h over memory BIOs).
//
// Shard    A connection belongs to one shard; conn_migrate hands it to another.
// Errors   08006 peer gone; 57014; 08P01 more than input_bytes_max asked for.
#pragma once
#include <stdbool.h>
#include <stdint.h>

#include "core/bytes.h"
#include "core/shard.h"
#include "core/task.h"

struct conn;
struct listener;
struct tls_context;
struct tls_session;

struct conn_handler {
    // New bytes, or the stream has ended (conn_ended). Not called while a task waits in conn_wait_input
    // (that task is woken instead), nor for bytes that were unread already when the handler was set or
    // the task's wait ended: look at conn_input then.
    void (*on_input)(struct conn *conn);
};

struct listener_options {
    const char *address; // "127.0.0.1:0", "[::]:26257", ":8080" (all interfaces).
    size_t input_bytes_max; // Of each accepted connection; grows towards it on demand.
    void (*on_accept)(struct listener *listener, struct conn *conn); // Not in a task.
    void *arg;
};

#define NET_LISTEN_PATIENCE_NS UINT64_C(3000000000)

// Listens on this shard. Every shard of the node that shall accept calls it for itself, and the kernel
// spreads connections over them (SO_REUSEPORT); for a port that the system chose the others give
// listener_address of the first. Errors: 58030 the address is not this machine's, or taken for as
// long as NET_LISTEN_PATIENCE_NS: a process that was killed may hold it for a moment yet, until the
// kernel has ended what its rings had under way.
CHECKED struct status net_listen(
    struct task *task, const struct listener_options *options, struct listener **listener);
const char *listener_address(const struct listener *listener); // With the port that was bound.
void *listener_arg(const struct listener *listener);
void listener_close(struct listener *listener);

CHECKED struct status net_connect(struct task *task, const char *address, size_t input_bytes_max,
    struct conn **conn); // Resolves names on a helper thread.
// As above; 08006 when nobody has answered for so long.
CHECKED struct status net_connect_within(struct task *task, const char *address, size_t input_bytes_max, uint64_t patience_ns,
    struct conn **conn);

struct shard *conn_shard(const struct conn *conn);
const char *conn_peer(const struct conn *conn); // "127.0.0.1:5432"
const char *conn_here(const struct conn *conn); // Of one that was accepted: the address that the peer has reached.
void conn_set_handler(struct conn *conn, const struct conn_handler *handler, void *arg);
void *conn_arg(const struct conn *conn);

// Unread bytes; valid until the next conn_consume or suspension.
struct bytes conn_input(const struct conn *conn);
void conn_consume(struct conn *conn, size_t size);
// Takes the first `size` unread bytes out of the connection together with the memory that they lie in, for the caller to
// free(); the byte behind them is his, too. They stay where conn_input said. NULL: they are to be copied, and consumed.
void *conn_input_detach(struct conn *conn, size_t size);
bool conn_ended(const struct conn *conn); // The peer has closed, or an error: no more input will come.
// Suspends until at least `size` bytes are unread. 08006 when the stream ends first.
CHECKED struct status conn_wait_input(struct task *task, struct conn *conn, size_t size);
// Raises or lowers the bound (a COPY or a large message, after authentication).
void conn_input_bytes_max_set(struct conn *conn, size_t bytes);

// Space for `size` more bytes of output, contiguous; conn_write_commit takes what was filled in.
uint8_t *conn_write_reserve(struct conn *conn, size_t size);
void conn_write_commit(struct conn *conn, size_t size);
void conn_write(struct conn *conn, const void *data, size_t size);
size_t conn_output_bytes(const struct conn *conn); // Queued or in flight.
// Output is sent at the end of the turn once this is called (conn_drain implies it).
void conn_flush(struct conn *conn);
// Suspends while more than `bytes_max` are queued. 08006 when the peer is gone.
CHECKED struct status conn_drain(struct task *task, struct conn *conn, size_t bytes_max);

// Handshakes on this connection; bytes already unread are taken as its start. `server_name` is for
// the client side (verification and SNI), NULL on the server side.
CHECKED struct status conn_tls_start(
    struct task *task, struct conn *conn, struct tls_context *context, const char *server_name);
struct tls_session *conn_tls(const struct conn *conn); // NULL without TLS.

// Sends what is queued and sees to it that the peer can read it (for at most 5 s), then closes. The
// connection is gone for the caller at once; no task may be waiting on it.
void conn_close(struct conn *conn);
// Closes at once.
void conn_abort(struct conn *conn);

// Hands the connection to another shard of the node, input, output, TLS state and all; `adopted` runs
// there (not in a task) and sets the handler. The caller must not touch it after this returns.
void conn_migrate(struct conn *conn, uint32_t target,
    void (*adopted)(struct conn *conn, void *arg), void *arg);

// Figures for metrics and SHOW: bytes received and sent so far.
uint64_t conn_bytes_in(const struct conn *conn);
uint64_t conn_bytes_out(const struct conn *conn);
