// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/hash.h"

// Inlined, so that none of its symbols meets the copy of another version inside libpg_query.
#define XXH_INLINE_ALL
#include <xxhash.h>

uint64_t hash_bytes(struct bytes bytes)
{
    return XXH3_64bits(bytes.data, bytes.size);
}

uint64_t hash_bytes_seed(struct bytes bytes, uint64_t seed)
{
    return XXH3_64bits_withSeed(bytes.data, bytes.size, seed);
}
