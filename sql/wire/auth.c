// SPDX-License-Identifier: GPL-3.0-or-later
#include "sql/wire/auth.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/tls.h"

#define NONCE_BYTES 18u // 24 characters of base64.

// --- verifiers -------------------------------------------------------------------------------------

static void keys_of_password(const char *password, struct bytes salt, uint32_t rounds,
    uint8_t stored_key[32], uint8_t server_key[32])
{
    uint8_t salted[32], client_key[32];
    crypto_pbkdf2_sha256(bytes_of_string(password), salt, rounds, salted);
    crypto_hmac_sha256(bytes_of(salted, 32), BYTES_LITERAL("Client Key"), client_key);
    crypto_sha256(bytes_of(client_key, 32), stored_key);
    crypto_hmac_sha256(bytes_of(salted, 32), BYTES_LITERAL("Server Key"), server_key);
}

char *scram_verifier_make(struct arena *arena, const char *password, const uint8_t salt[16])
{
    uint8_t stored_key[32], server_key[32];
    keys_of_password(password, bytes_of(salt, 16), SCRAM_ROUNDS, stored_key, server_key);
    char salt_text[32], stored_text[64], server_text[64];
    crypto_base64_encode(bytes_of(salt, 16), salt_text, sizeof salt_text);
    crypto_base64_encode(bytes_of(stored_key, 32), stored_text, sizeof stored_text);
    crypto_base64_encode(bytes_of(server_key, 32), server_text, sizeof server_text);
    return arena_printf(arena, "SCRAM-SHA-256$%u:%s$%s:%s", SCRAM_ROUNDS, salt_text, stored_text,
        server_text);
}

struct verifier {
    uint32_t rounds;
    uint8_t salt[64];
    size_t salt_size;
    uint8_t stored_key[32], server_key[32];
};

static bool decode_field(const char *start, const char *end, uint8_t *out, size_t room, size_t *size)
{
    return end != NULL &&
           crypto_base64_decode(bytes_of(start, (size_t)(end - start)), out, room, size);
}

static bool verifier_parse(const char *text, struct verifier *verifier)
{
    static const char scheme[] = "SCRAM-SHA-256$";
    if (text == NULL || strncmp(text, scheme, sizeof scheme - 1) != 0) return false;
    char *after_rounds;
    unsigned long rounds = strtoul(text + sizeof scheme - 1, &after_rounds, 10);
    if (*after_rounds != ':' || rounds < 1 || rounds > 10000000) return false;
    verifier->rounds = (uint32_t)rounds;
    const char *salt = after_rounds + 1, *salt_end = strchr(salt, '$');
    if (!decode_field(salt, salt_end, verifier->salt, sizeof verifier->salt, &verifier->salt_size))
        return false;
    const char *stored = salt_end + 1, *stored_end = strchr(stored, ':');
    uint8_t key[64];
    size_t size;
    if (!decode_field(stored, stored_end, key, sizeof key, &size) || size != 32) return false;
    memcpy(verifier->stored_key, key, 32);
    const char *server = stored_end + 1;
    if (!decode_field(server, server + strlen(server), key, sizeof key, &size) || size != 32)
        return false;
    memcpy(verifier->server_key, key, 32);
    return true;
}

bool scram_verifier_valid(const char *text)
{
    struct verifier verifier;
    return verifier_parse(text, &verifier);
}

bool scram_verify_password(const char *text, const char *password)
{
    struct verifier verifier;
    if (!verifier_parse(text, &verifier)) return false;
    uint8_t stored_key[32], server_key[32];
    keys_of_password(password, bytes_of(verifier.salt, verifier.salt_size), verifier.rounds,
        stored_key, server_key);
    return crypto_equal(stored_key, verifier.stored_key, 32);
}

// --- attributes of messages --------------------------------------------------------------------------

// The value of attribute `name` in "a=x,b=y"; NULL when absent. In `arena`.
static const char *attribute(struct arena *arena, const char *message, char name)
{
    for (const char *at = message; at != NULL && *at != '\0';) {
        if (at[0] == name && at[1] == '=') {
            const char *end = strchr(at, ',');
            size_t size = end == NULL ? strlen(at + 2) : (size_t)(end - at - 2);
            return arena_string(arena, bytes_of(at + 2, size));
        }
        at = strchr(at, ',');
        if (at != NULL) at++;
    }
    return NULL;
}

static const char *nonce_make(struct arena *arena, struct env *env)
{
    uint8_t random[NONCE_BYTES];
    char text[32];
    env->random_bytes(env, random, sizeof random);
    crypto_base64_encode(bytes_of(random, sizeof random), text, sizeof text);
    return arena_strdup(arena, text);
}

static struct status malformed(void)
{
    return status_make(E_PROTOCOL_VIOLATION, "malformed SCRAM message");
}

// --- server ------------------------------------------------------------------------------------------

void scram_server_init(struct scram_server *scram, struct arena *arena, const char *text,
    const char *user, const uint8_t secret[32])
{
    *scram = (struct scram_server){.arena = arena};
    struct verifier verifier;
    if (verifier_parse(text, &verifier)) {
        scram->rounds = verifier.rounds;
        scram->salt_size = verifier.salt_size;
        memcpy(scram->salt, verifier.salt, verifier.salt_size);
        memcpy(scram->stored_key, verifier.stored_key, 32);
        memcpy(scram->server_key, verifier.server_key, 32);
        return;
    }
    uint8_t made_up[32];
    crypto_hmac_sha256(bytes_of(secret, 32), bytes_of_string(user), made_up);
    scram->mock = true;
    scram->rounds = SCRAM_ROUNDS;
    scram->salt_size = 16;
    memcpy(scram->salt, made_up, 16);
}

struct status scram_server_first(struct scram_server *scram, struct env *env,
    struct bytes client_first, struct bytes *server_first)
{
    const char *message = arena_string(scram->arena, client_first);
    // gs2 header: no channel binding offered ("n") or offered but not by us ("y"), no authzid.
    if (message[0] == 'p')
        return status_make(E_PROTOCOL_VIOLATION, "channel binding was not offered");
    if ((message[0] != 'n' && message[0] != 'y') || message[1] != ',') return malformed();
    if (message[2] != ',')
        return status_make(E_FEATURE_NOT_SUPPORTED, "SCRAM authorization identities are not supported");
    scram->client_first_bare = message + 3;
    const char *client_nonce = attribute(scram->arena, scram->client_first_bare, 'r');
    if (client_nonce == NULL || client_nonce[0] == '\0') return malformed();
    scram->nonce = arena_printf(
        scram->arena, "%s%s", client_nonce, nonce_make(scram->arena, env));
    char salt_text[96];
    crypto_base64_encode(bytes_of(scram->salt, scram->salt_size), salt_text, sizeof salt_text);
    scram->server_first =
        arena_printf(scram->arena, "r=%s,s=%s,i=%u", scram->nonce, salt_text, scram->rounds);
    *server_first = bytes_of_string(scram->server_first);
    return STATUS_OK;
}

struct status scram_server_final(
    struct scram_server *scram, struct bytes client_final, struct bytes *server_final)
{
    const char *message = arena_string(scram->arena, client_final);
    const char *binding = attribute(scram->arena, message, 'c');
    const char *nonce = attribute(scram->arena, message, 'r');
    const char *proof_text = attribute(scram->arena, message, 'p');
    const char *proof_at = strstr(message, ",p=");
    if (binding == NULL || nonce == NULL || proof_text == NULL || proof_at == NULL) return malformed();
    if ((strcmp(binding, "biws") != 0 && strcmp(binding, "eSws") != 0) ||
        strcmp(nonce, scram->nonce) != 0)
        return malformed();
    uint8_t proof[64];
    size_t proof_size;
    if (!crypto_base64_decode(bytes_of_string(proof_text), proof, sizeof proof, &proof_size) ||
        proof_size != 32)
        return malformed();
    const char *auth = arena_printf(scram->arena, "%s,%s,%.*s", scram->client_first_bare,
        scram->server_first, (int)(proof_at - message), message);
    uint8_t signature[32], stored_key[32];
    crypto_hmac_sha256(bytes_of(scram->stored_key, 32), bytes_of_string(auth), signature);
    for (size_t i = 0; i < 32; i++) proof[i] ^= signature[i]; // Now the client key.
    crypto_sha256(bytes_of(proof, 32), stored_key);
    bool right = crypto_equal(stored_key, scram->stored_key, 32);
    if (scram->mock || !right)
        return status_make(E_INVALID_PASSWORD, "password authentication failed");
    char text[64];
    crypto_hmac_sha256(bytes_of(scram->server_key, 32), bytes_of_string(auth), signature);
    crypto_base64_encode(bytes_of(signature, 32), text, sizeof text);
    *server_final = bytes_of_string(arena_printf(scram->arena, "v=%s", text));
    return STATUS_OK;
}

// --- client ------------------------------------------------------------------------------------------

struct bytes scram_client_first(
    struct scram_client *scram, struct arena *arena, struct env *env, const char *password)
{
    *scram = (struct scram_client){.arena = arena, .password = password};
    scram->nonce = nonce_make(arena, env);
    scram->client_first_bare = arena_printf(arena, "n=,r=%s", scram->nonce);
    return bytes_of_string(arena_printf(arena, "n,,%s", scram->client_first_bare));
}

struct status scram_client_final(
    struct scram_client *scram, struct bytes server_first_bytes, struct bytes *client_final)
{
    const char *server_first = arena_string(scram->arena, server_first_bytes);
    const char *nonce = attribute(scram->arena, server_first, 'r');
    const char *salt_text = attribute(scram->arena, server_first, 's');
    const char *rounds_text = attribute(scram->arena, server_first, 'i');
    if (nonce == NULL || salt_text == NULL || rounds_text == NULL) return malformed();
    size_t own = strlen(scram->nonce);
    if (strncmp(nonce, scram->nonce, own) != 0 || nonce[own] == '\0') return malformed();
    uint8_t salt[64];
    size_t salt_size;
    unsigned long rounds = strtoul(rounds_text, NULL, 10);
    if (rounds < 1 || rounds > 10000000 ||
        !crypto_base64_decode(bytes_of_string(salt_text), salt, sizeof salt, &salt_size))
        return malformed();
    uint8_t salted[32], client_key[32], stored_key[32], server_key[32], proof[32];
    crypto_pbkdf2_sha256(
        bytes_of_string(scram->password), bytes_of(salt, salt_size), (uint32_t)rounds, salted);
    crypto_hmac_sha256(bytes_of(salted, 32), BYTES_LITERAL("Client Key"), client_key);
    crypto_hmac_sha256(bytes_of(salted, 32), BYTES_LITERAL("Server Key"), server_key);
    crypto_sha256(bytes_of(client_key, 32), stored_key);
    const char *without_proof = arena_printf(scram->arena, "c=biws,r=%s", nonce);
    const char *auth = arena_printf(
        scram->arena, "%s,%s,%s", scram->client_first_bare, server_first, without_proof);
    crypto_hmac_sha256(bytes_of(stored_key, 32), bytes_of_string(auth), proof);
    for (size_t i = 0; i < 32; i++) proof[i] ^= client_key[i];
    crypto_hmac_sha256(
        bytes_of(server_key, 32), bytes_of_string(auth), scram->server_signature);
    char proof_text[64];
    crypto_base64_encode(bytes_of(proof, 32), proof_text, sizeof proof_text);
    *client_final =
        bytes_of_string(arena_printf(scram->arena, "%s,p=%s", without_proof, proof_text));
    return STATUS_OK;
}

struct status scram_client_verify(struct scram_client *scram, struct bytes server_final)
{
    const char *message = arena_string(scram->arena, server_final);
    const char *signature_text = attribute(scram->arena, message, 'v');
    uint8_t signature[64];
    size_t size;
    if (signature_text == NULL ||
        !crypto_base64_decode(
            bytes_of_string(signature_text), signature, sizeof signature, &size) ||
        size != 32 || !crypto_equal(signature, scram->server_signature, 32))
        return status_make(E_INVALID_AUTHORIZATION, "the server could not prove that it knows the password");
    return STATUS_OK;
}
