// SPDX-License-Identifier: GPL-3.0-or-later
//
// TLS 1.2/1.3 (BoringSSL over memory BIOs), certificates, and the few cryptographic primitives the rest
// of the project needs. Nothing else includes a BoringSSL header.
//
// Not the sockets: core/net.h feeds a session with ciphertext and takes it away.
//
// Shard    A context is made once and shared read-only by the node's shards; reloading swaps it whole. A session
//          belongs to its connection's shard.
#pragma once
#include <stdbool.h>
#include <stdint.h>

#include "core/arena.h"
#include "core/bytes.h"
#include "core/status.h"

struct tls_context;
struct tls_session;

struct tls_server_options {
    const char *cert_path, *key_path; // PEM. The key file must not be readable by group or others: 58030.
    const char *ca_path;              // For client certificates; NULL: none asked for.
};
CHECKED struct status tls_context_create_server(
    struct arena *arena, const struct tls_server_options *options, struct tls_context **context);

enum tls_verify { TLS_VERIFY_NONE, TLS_VERIFY_CA, TLS_VERIFY_FULL }; // sslmode require, verify-ca, -full
struct tls_client_options {
    enum tls_verify verify;
    const char *ca_path;              // PEM file, or
    struct bytes ca_pem;              // the PEM text itself (sslinline=true).
    const char *cert_path, *key_path; // Client certificate, or NULL.
    struct bytes cert_pem, key_pem;
};
CHECKED struct status tls_context_create_client(
    struct arena *arena, const struct tls_client_options *options, struct tls_context **context);
void tls_context_retain(struct tls_context *context);
void tls_context_release(struct tls_context *context);

CHECKED struct status tls_session_create(struct tls_context *context, const char *server_name,
    struct tls_session **session); // server_name NULL: server side.
void tls_session_destroy(struct tls_session *session);
// Ciphertext from the peer in; plain text out through tls_session_read; ciphertext for the peer through
// tls_session_output/consume. `done` is set when the handshake has finished. Runs on a big stack.
CHECKED struct status tls_session_handshake(struct tls_session *session, bool *done);
CHECKED struct status tls_session_input(struct tls_session *session, struct bytes ciphertext);
// Bytes of plain text, 0 when more ciphertext is needed; *ended at close_notify.
CHECKED struct status tls_session_read(
    struct tls_session *session, void *out, size_t size, size_t *read, bool *ended);
CHECKED struct status tls_session_write(struct tls_session *session, const void *data, size_t size);
struct bytes tls_session_output(struct tls_session *session);
void tls_session_output_consume(struct tls_session *session, size_t size);
// The verified peer certificate's common name; NULL when none was shown.
const char *tls_session_peer_name(const struct tls_session *session);
// "tenant-name scopes" of the verified peer certificate (URI SANs), NULL-terminated; NULL when none.
const char *const *tls_session_peer_uris(const struct tls_session *session);
const char *tls_session_version(const struct tls_session *session); // "TLSv1.3"

// --- certificates ----------------------------------------------------------------------------------

struct cert_options {
    const char *common_name;
    const char *const *hosts; // Subject alternative names (DNS or IP); NULL-terminated or NULL.
    const char *const *uris;
    uint32_t lifetime_hours;
    uint32_t key_bits;        // RSA; 0: ECDSA P-256.
    bool is_ca, is_server, is_client;
};
// Makes a key pair and a certificate, self-signed when ca_cert_pem is empty. Results are PEM.
CHECKED struct status cert_create(struct arena *arena, const struct cert_options *options,
    struct bytes ca_cert_pem, struct bytes ca_key_pem, struct bytes *cert_pem, struct bytes *key_pem);
struct cert_info {
    const char *common_name, *issuer;
    int64_t not_before_s, not_after_s;
    const char *const *uris;
};
CHECKED struct status cert_inspect(struct arena *arena, struct bytes cert_pem, struct cert_info *info);

// --- primitives ------------------------------------------------------------------------------------

void crypto_sha256(struct bytes data, uint8_t out[32]);
void crypto_md5(struct bytes data, uint8_t out[16]);
void crypto_hmac_sha256(struct bytes key, struct bytes data, uint8_t out[32]);
// Slow on purpose (0.64 ms for 4,096 rounds): call it through helper_call.
void crypto_pbkdf2_sha256(
    struct bytes password, struct bytes salt, uint32_t rounds, uint8_t out[32]);
bool crypto_equal(const void *a, const void *b, size_t size); // Constant time.
size_t crypto_base64_encode(struct bytes data, char *out, size_t out_size); // 4*ceil(n/3)+1 needed.
bool crypto_base64_decode(struct bytes text, uint8_t *out, size_t out_size, size_t *size);
uint32_t crypto_crc32c(uint32_t crc, const void *data, size_t size); // Hardware where there is.
