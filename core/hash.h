// SPDX-License-Identifier: GPL-3.0-or-later
//
// Hashes of bytes and numbers, for tables and fingerprints in memory. XXH3: fast, not
// cryptographic. What is stored or sent uses crypto_crc32c or crypto_sha256 (core/crypto.h); these
// values may change between releases.
#pragma once
#include <stdint.h>

#include "core/bytes.h"

uint64_t hash_bytes(struct bytes bytes);
uint64_t hash_bytes_seed(struct bytes bytes, uint64_t seed);

// A bijection of 64 bits: different numbers have different hashes.
static inline uint64_t hash_u64(uint64_t x)
{
    x ^= x >> 32;
    x *= 0xd6e8feb86659fd93u;
    x ^= x >> 32;
    x *= 0xd6e8feb86659fd93u;
    x ^= x >> 32;
    return x;
}

// Folds `next` into a running hash; order matters.
static inline uint64_t hash_combine(uint64_t hash, uint64_t next)
{
    return hash_u64(hash ^ (next + 0x9e3779b97f4a7c15u + (hash << 6) + (hash >> 2)));
}
