// SPDX-License-Identifier: GPL-3.0-or-later
//
// The few cryptographic primitives the project needs, over BoringSSL. Randomness is not here:
// secrets come from struct env's random_bytes.
#pragma once
#include <stdbool.h>
#include <stdint.h>

#include "core/bytes.h"

enum crypto_digest_kind {
    CRYPTO_MD5,
    CRYPTO_SHA1, // As md5: for ids and checks of others' data, not for secrets.
    CRYPTO_SHA224,
    CRYPTO_SHA256,
    CRYPTO_SHA384,
    CRYPTO_SHA512,
};
#define CRYPTO_DIGEST_BYTES_MAX 64

// A digest of what comes in parts. Each begin needs its end, which gives the digest's size.
struct crypto_digest;
struct crypto_digest *crypto_digest_begin(enum crypto_digest_kind kind);
void crypto_digest_add(struct crypto_digest *digest, struct bytes data);
size_t crypto_digest_end(struct crypto_digest *digest, uint8_t out[CRYPTO_DIGEST_BYTES_MAX]);

// Of what is short, at once.
void crypto_sha256(struct bytes data, uint8_t out[32]);
void crypto_sha224(struct bytes data, uint8_t out[28]);
void crypto_sha384(struct bytes data, uint8_t out[48]);
void crypto_sha512(struct bytes data, uint8_t out[64]);
void crypto_md5(struct bytes data, uint8_t out[16]);
void crypto_sha1(struct bytes data, uint8_t out[20]); // For ids and checks of others' data, not for secrets.
void crypto_hmac_sha256(struct bytes key, struct bytes data, uint8_t out[32]);
// Slow on purpose (0.64 ms for 4,096 rounds): call it through helper_call.
void crypto_pbkdf2_sha256(
    struct bytes password, struct bytes salt, uint32_t rounds, uint8_t out[32]);
bool crypto_equal(const void *a, const void *b, size_t size); // Constant time.
void crypto_wipe(void *secret, size_t size);                  // Not optimised away.

// Needs 4*ceil(n/3)+1 bytes of room; NUL-terminates and returns the length without the NUL.
size_t crypto_base64_encode(struct bytes data, char *out, size_t out_size);
// Strict: padding, no spaces. False when malformed or out_size is too small.
bool crypto_base64_decode(struct bytes text, uint8_t *out, size_t out_size, size_t *size);
// Writes 2n+1 characters, and reads them back in either case.
void crypto_hex_encode(struct bytes data, char *out);
bool crypto_hex_decode(struct bytes text, uint8_t *out, size_t out_size, size_t *size);

// CRC-32C (Castagnoli), in hardware where there is. Chain runs by passing the former result as
// `crc`.
uint32_t crypto_crc32c(uint32_t crc, const void *data, size_t size);
