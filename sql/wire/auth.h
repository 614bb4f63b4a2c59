// SPDX-License-Identifier: GPL-3.0-or-later
//
// SCRAM-SHA-256, both sides: the server proves who its client is without ever seeing a password, and our own
// client (sql/client.h) proves itself to servers. A user that does not exist is led through the same exchange
// with made-up values, so that nobody learns which names exist.
//
// Verifier  "SCRAM-SHA-256$rounds:salt$stored:server", base64, as PostgreSQL keeps it in pg_authid.
// Shard     Pure, but scram_verifier_make and scram_client_final are slow on purpose: run them in helper_call.
// Errors    28P01 wrong password; 08P01 malformed message.
// Source    RFC 5802, RFC 7677; PostgreSQL 15 manual, section 55.3.
#pragma once
#include "core/arena.h"
#include "core/bytes.h"
#include "core/env.h"
#include "core/status.h"

#define SCRAM_ROUNDS 4096u

// Makes a verifier for `password` with `salt` (16 bytes).
char *scram_verifier_make(struct arena *arena, const char *password, const uint8_t salt[16]);
bool scram_verifier_valid(const char *verifier);
// Whether `password` is the one behind `verifier` (clear-text authentication, ALTER USER checks). Slow.
bool scram_verify_password(const char *verifier, const char *password);

struct scram_server {
    struct arena *arena;
    uint8_t stored_key[32], server_key[32];
    uint8_t salt[64];
    size_t salt_size;
    uint32_t rounds;
    bool mock; // No such user, or no password: will fail at the end.
    const char *client_first_bare, *server_first, *nonce;
};
// `verifier` may be NULL: `user` and `secret` (the node's, 32 bytes) then give the made-up salt.
void scram_server_init(struct scram_server *scram, struct arena *arena, const char *verifier,
    const char *user, const uint8_t secret[32]);
CHECKED struct status scram_server_first(struct scram_server *scram, struct env *env,
    struct bytes client_first, struct bytes *server_first);
CHECKED struct status scram_server_final(
    struct scram_server *scram, struct bytes client_final, struct bytes *server_final);

struct scram_client {
    struct arena *arena;
    const char *password;
    const char *client_first_bare, *nonce;
    uint8_t server_signature[32];
};
struct bytes scram_client_first(
    struct scram_client *scram, struct arena *arena, struct env *env, const char *password);
CHECKED struct status scram_client_final(
    struct scram_client *scram, struct bytes server_first, struct bytes *client_final);
// 28000 when the server does not know the password either.
CHECKED struct status scram_client_verify(struct scram_client *scram, struct bytes server_final);
