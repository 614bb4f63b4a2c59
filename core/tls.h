// SPDX-License-Identifier: GPL-3.0-or-later
//
// TLS 1.2/1.3 (BoringSSL over memory BIOs). Certificates are made in core/cert.h, hashes in
// core/crypto.h; nothing but these three includes a BoringSSL header.
//
// Not the sockets: core/net.h feeds a session with ciphertext and takes it away.
//
// Shard    A context is made once and shared read-only by the node's shards; reloading swaps it
//          whole. A session belongs to its connection's shard.
// Memory   An idle session holds no buffers beyond the library's connection state (a few KiB).
// Errors   28000 a certificate that does not verify; 08P01 what is no TLS or was tampered with;
//          58P01, 58030 for files. After a failure there may be output (the alert): send it, then
//          close.
#pragma once
#include <stdbool.h>
#include <stdint.h>

#include "core/arena.h"
#include "core/bytes.h"
#include "core/cert.h"
#include "core/crypto.h"
#include "core/status.h"

struct tls_context;
struct tls_session;

// Making a context reads files and blocks: at start-up, or through helper_call.
struct tls_server_options {
    const char *cert_path,
        *key_path;       // PEM. The key file must not be readable by group or others: 58030.
    const char *ca_path; // For client certificates; NULL: none asked for.
};
CHECKED struct status tls_context_create_server(
    struct arena *arena, const struct tls_server_options *options, struct tls_context **context);

enum tls_verify {
    TLS_VERIFY_NONE,
    TLS_VERIFY_CA,
    TLS_VERIFY_FULL
}; // sslmode require, verify-ca, -full
struct tls_client_options {
    enum tls_verify verify;
    const char *ca_path;              // PEM file, or
    struct bytes ca_pem;              // the PEM text itself (sslinline=true).
    const char *cert_path, *key_path; // Client certificate, or NULL.
    struct bytes cert_pem, key_pem;
    bool at_most_tls12; // For peers and tests that need the older version.
};
CHECKED struct status tls_context_create_client(
    struct arena *arena, const struct tls_client_options *options, struct tls_context **context);
void tls_context_retain(struct tls_context *context);
void tls_context_release(struct tls_context *context);

// Client side: `server_name` (host name or IP address) is what the certificate must be for under
// TLS_VERIFY_FULL, and is sent as SNI. Server side: NULL.
CHECKED struct status tls_session_create(
    struct tls_context *context, const char *server_name, struct tls_session **session);
void tls_session_destroy(struct tls_session *session);
// Ciphertext from the peer in; plain text out through tls_session_read; ciphertext for the peer
// through tls_session_output/consume. `done` is set when the handshake has finished. Needs 100 KiB
// of stack: on a fiber call it through stack_call.
CHECKED struct status tls_session_handshake(struct tls_session *session, bool *done);
// 53200 when more than 4 MiB would be waiting: read first.
CHECKED struct status tls_session_input(struct tls_session *session, struct bytes ciphertext);
// Bytes of plain text, 0 when more ciphertext is needed; *ended at close_notify.
CHECKED struct status tls_session_read(
    struct tls_session *session, void *out, size_t size, size_t *read, bool *ended);
CHECKED struct status tls_session_write(struct tls_session *session, const void *data, size_t size);
// Queues the close_notify alert.
void tls_session_close(struct tls_session *session);
// Valid until the next call on the session.
struct bytes tls_session_output(struct tls_session *session);
void tls_session_output_consume(struct tls_session *session, size_t size);
// The verified peer certificate's common name; NULL when none was shown.
const char *tls_session_peer_name(const struct tls_session *session);
// "tenant-name scopes" of the verified peer certificate (URI SANs), NULL-terminated; NULL when
// none.
const char *const *tls_session_peer_uris(const struct tls_session *session);
const char *tls_session_version(const struct tls_session *session); // "TLSv1.3"
// "TLS_AES_128_GCM_SHA256" and its strength.
const char *tls_session_cipher(const struct tls_session *session, int *bits);
