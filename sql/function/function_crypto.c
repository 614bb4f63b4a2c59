// SPDX-License-Identifier: GPL-3.0-or-later
//
// Functions of PostgreSQL's extensions uuid-ossp and pgcrypto, which are there from the start: uuids by time, at random
// and by name; digests, keyed digests and random bytes. Not pgcrypto's encryption, nor crypt() and its salts.
//
// Source   RFC 4122; RFC 2104; PostgreSQL 15 manual, appendices F.28 and F.49.
#include <string.h>

#include "core/crypto.h"
#include "core/env.h"
#include "core/shard.h"
#include "core/task.h"
#include "sql/function/function_table.h"
#include "sql/session/session.h"

#define DIGEST_BYTES_MAX 64
#define BLOCK_BYTES_MAX 128
#define RANDOM_BYTES_MAX 1024
#define UUID_BYTES 16

// --- digests ---------------------------------------------------------------------------------------------

static const struct hash {
    const char *name;
    void (*digest)(struct bytes data, uint8_t *out);
    size_t size, block_size;
} hashes[] = {{"md5", crypto_md5, 16, 64}, {"sha1", crypto_sha1, 20, 64}, {"sha224", crypto_sha224, 28, 64},
    {"sha256", crypto_sha256, 32, 64}, {"sha384", crypto_sha384, 48, 128}, {"sha512", crypto_sha512, 64, 128}};

static struct status hash_named(struct function_call *call, struct bytes name, const struct hash **found)
{
    const char *text = arena_string(call->arena, name);
    for (size_t i = 0; i < sizeof hashes / sizeof hashes[0]; i++) {
        *found = &hashes[i];
        if (strcasecmp(text, hashes[i].name) == 0) return STATUS_OK;
    }
    return status_format(call->arena, E_INVALID_PARAMETER_VALUE, "Cannot use \"%s\": No such hash algorithm", text);
}

BODY(digest)
{
    const struct hash *hash;
    struct status st = hash_named(call, datum_as_bytes(args[1]), &hash);
    if (failed(st)) return st;
    uint8_t *out = arena_alloc(call->arena, hash->size);
    hash->digest(datum_as_bytes(args[0]), out);
    *result = datum_bytes(bytes_of(out, hash->size));
    return STATUS_OK;
}

// H((key ^ opad) || H((key ^ ipad) || data)), the key filled up with zeroes to a block.
static void keyed_digest(struct arena *arena, const struct hash *hash, struct bytes key, struct bytes data, uint8_t *out)
{
    uint8_t block[BLOCK_BYTES_MAX] = {0}, inner[DIGEST_BYTES_MAX];
    struct buffer text;
    if (key.size > hash->block_size)
        hash->digest(key, block);
    else if (key.size > 0)
        memcpy(block, key.data, key.size);
    buffer_init(&text, arena);
    for (size_t i = 0; i < hash->block_size; i++) buffer_append_u8(&text, block[i] ^ 0x36);
    buffer_append_bytes(&text, data);
    hash->digest(buffer_bytes(&text), inner);
    text.size = 0;
    for (size_t i = 0; i < hash->block_size; i++) buffer_append_u8(&text, block[i] ^ 0x5c);
    buffer_append(&text, inner, hash->size);
    hash->digest(buffer_bytes(&text), out);
    crypto_wipe(block, sizeof block);
}

BODY(hmac)
{
    const struct hash *hash;
    struct status st = hash_named(call, datum_as_bytes(args[2]), &hash);
    if (failed(st)) return st;
    uint8_t *out = arena_alloc(call->arena, hash->size);
    keyed_digest(call->arena, hash, datum_as_bytes(args[1]), datum_as_bytes(args[0]), out);
    *result = datum_bytes(bytes_of(out, hash->size));
    return arena_check(call->arena);
}

// --- randomness and time -----------------------------------------------------------------------------------

static struct env *env_of(const struct function_call *call)
{
    if (call->task != NULL) return call->task->shard->env;
    return call->session == NULL ? NULL : call->session->shard->env;
}

static struct status no_env(void)
{
    return status_make(E_INTERNAL, "volatile function outside of a statement");
}

BODY(random_bytes)
{
    struct env *env = env_of(call);
    if (env == NULL) return no_env();
    if (args[0].integer < 1 || args[0].integer > RANDOM_BYTES_MAX)
        return status_make(SQLSTATE('3', '9', '0', '0', '0'), "Length not in range");
    size_t size = (size_t)args[0].integer;
    uint8_t *out = arena_alloc(call->arena, size);
    env->random_bytes(env, out, size);
    *result = datum_bytes(bytes_of(out, size));
    return STATUS_OK;
}

static void mark(uint8_t uuid[UUID_BYTES], uint8_t version)
{
    uuid[6] = (uint8_t)((uuid[6] & 0x0f) | version << 4);
    uuid[8] = (uint8_t)((uuid[8] & 0x3f) | 0x80);
}

// The time in steps of 100 ns since 1582-10-15. The node and the clock's sequence are random: no address is told, and
// two at one instant differ.
BODY(time_uuid)
{
    struct env *env = env_of(call);
    (void)args;
    if (env == NULL) return no_env();
    uint8_t *uuid = arena_alloc(call->arena, UUID_BYTES);
    env->random_bytes(env, uuid, UUID_BYTES);
    uint64_t ticks = (uint64_t)(env->wall_ns(env) / 100) + UINT64_C(0x01b21dd213814000);
    static const uint8_t shifts[8] = {24, 16, 8, 0, 40, 32, 56, 48};
    for (size_t i = 0; i < 8; i++) uuid[i] = (uint8_t)(ticks >> shifts[i]);
    mark(uuid, 1);
    uuid[10] |= 1; // A multicast address is nobody's.
    *result = datum_bytes(bytes_of(uuid, UUID_BYTES));
    return STATUS_OK;
}

// --- by name -----------------------------------------------------------------------------------------------

static struct status named_uuid(
    struct function_call *call, const struct datum *args, const struct hash *hash, uint8_t version, struct datum *result)
{
    struct buffer text;
    uint8_t digest[DIGEST_BYTES_MAX];
    buffer_init(&text, call->arena);
    buffer_append_bytes(&text, datum_as_bytes(args[0]));
    buffer_append_bytes(&text, datum_as_bytes(args[1]));
    hash->digest(buffer_bytes(&text), digest);
    mark(digest, version);
    *result = datum_bytes(arena_copy(call->arena, bytes_of(digest, UUID_BYTES)));
    return arena_check(call->arena);
}

BODY(md5_uuid)
{
    return named_uuid(call, args, &hashes[0], 3, result);
}
BODY(sha1_uuid)
{
    return named_uuid(call, args, &hashes[1], 5, result);
}

static const uint8_t nil[UUID_BYTES] = {0};

BODY(nil_uuid)
{
    (void)call;
    (void)args;
    *result = datum_bytes(bytes_of(nil, UUID_BYTES));
    return STATUS_OK;
}

// 6ba7b810-9dad-11d1-80b4-00c04fd430c8 and its neighbours.
#define NAMESPACE(fn_, last_) \
    BODY(fn_) \
    { \
        static const uint8_t uuid[UUID_BYTES] = {0x6b, 0xa7, 0xb8, last_, 0x9d, 0xad, 0x11, 0xd1, 0x80, 0xb4, 0x00, 0xc0, \
            0x4f, 0xd4, 0x30, 0xc8}; \
        (void)call; \
        (void)args; \
        *result = datum_bytes(bytes_of(uuid, UUID_BYTES)); \
        return STATUS_OK; \
    }
NAMESPACE(namespace_dns, 0x10)
NAMESPACE(namespace_url, 0x11)
NAMESPACE(namespace_oid, 0x12)
NAMESPACE(namespace_x500, 0x14)

// clang-format off
static const struct function table[] = {
    SCALAR("digest", 110300, BYTEA, digest, TYPE_TEXT, TYPE_TEXT),
    SCALAR("digest", 110301, BYTEA, digest, TYPE_BYTEA, TYPE_TEXT),
    SCALAR("hmac", 110302, BYTEA, hmac, TYPE_TEXT, TYPE_TEXT, TYPE_TEXT),
    SCALAR("hmac", 110303, BYTEA, hmac, TYPE_BYTEA, TYPE_BYTEA, TYPE_TEXT),
    {.name = "gen_random_bytes", .kind = FUNCTION_SCALAR, .oid = 110304, .result = TYPE_BYTEA, .strict = true,
        .fn = random_bytes, .volatility = FUNCTION_VOLATILE, FN_ARGS(TYPE_INT4)},
    SCALAR_NO_ARGS("uuid_generate_v1", 110305, UUID, time_uuid, FUNCTION_VOLATILE),
    SCALAR_NO_ARGS("uuid_generate_v1mc", 110306, UUID, time_uuid, FUNCTION_VOLATILE),
    SCALAR("uuid_generate_v3", 110307, UUID, md5_uuid, TYPE_UUID, TYPE_TEXT),
    SCALAR("uuid_generate_v5", 110308, UUID, sha1_uuid, TYPE_UUID, TYPE_TEXT),
    SCALAR_NO_ARGS("uuid_nil", 110309, UUID, nil_uuid, FUNCTION_IMMUTABLE),
    SCALAR_NO_ARGS("uuid_ns_dns", 110310, UUID, namespace_dns, FUNCTION_IMMUTABLE),
    SCALAR_NO_ARGS("uuid_ns_url", 110311, UUID, namespace_url, FUNCTION_IMMUTABLE),
    SCALAR_NO_ARGS("uuid_ns_oid", 110312, UUID, namespace_oid, FUNCTION_IMMUTABLE),
    SCALAR_NO_ARGS("uuid_ns_x500", 110313, UUID, namespace_x500, FUNCTION_IMMUTABLE),
};
// clang-format on

void functions_crypto_register(void)
{
    function_register(table, TABLE_COUNT(table));
}
