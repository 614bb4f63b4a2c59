// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/crypto.h"

#include <openssl/base64.h>
#include <openssl/digest.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <openssl/md5.h>
#include <openssl/mem.h>
#include <openssl/sha.h>

#include "core/invariant.h"

struct crypto_digest *crypto_digest_begin(enum crypto_digest_kind kind)
{
    const EVP_MD *const kinds[] = {[CRYPTO_MD5] = EVP_md5(),
        [CRYPTO_SHA1] = EVP_sha1(),
        [CRYPTO_SHA224] = EVP_sha224(),
        [CRYPTO_SHA256] = EVP_sha256(),
        [CRYPTO_SHA384] = EVP_sha384(),
        [CRYPTO_SHA512] = EVP_sha512()};
    EVP_MD_CTX *context = EVP_MD_CTX_new();
    invariant(context != NULL && EVP_DigestInit_ex(context, kinds[kind], NULL) == 1);
    return (struct crypto_digest *)context;
}

void crypto_digest_add(struct crypto_digest *digest, struct bytes data)
{
    invariant(EVP_DigestUpdate((EVP_MD_CTX *)digest, data.data, data.size) == 1);
}

size_t crypto_digest_end(struct crypto_digest *digest, uint8_t out[CRYPTO_DIGEST_BYTES_MAX])
{
    unsigned size = 0;
    invariant(EVP_DigestFinal_ex((EVP_MD_CTX *)digest, out, &size) == 1);
    EVP_MD_CTX_free((EVP_MD_CTX *)digest);
    return size;
}

void crypto_sha256(struct bytes data, uint8_t out[32])
{
    SHA256(data.data, data.size, out);
}

void crypto_sha224(struct bytes data, uint8_t out[28])
{
    SHA224(data.data, data.size, out);
}

void crypto_sha384(struct bytes data, uint8_t out[48])
{
    SHA384(data.data, data.size, out);
}

void crypto_sha512(struct bytes data, uint8_t out[64])
{
    SHA512(data.data, data.size, out);
}

void crypto_sha1(struct bytes data, uint8_t out[20])
{
    SHA1(data.data, data.size, out);
}

void crypto_md5(struct bytes data, uint8_t out[16])
{
    MD5(data.data, data.size, out);
}

void crypto_hmac_sha256(struct bytes key, struct bytes data, uint8_t out[32])
{
    // An absent key and an empty one are told apart by the library; to us they are the same.
    unsigned size = 32;
    const void *at = key.size == 0 ? "" : (const void *)key.data;
    invariant(HMAC(EVP_sha256(), at, key.size, data.data, data.size, out, &size) != NULL);
}

void crypto_pbkdf2_sha256(
    struct bytes password, struct bytes salt, uint32_t rounds, uint8_t out[32])
{
    invariant(rounds > 0);
    invariant(PKCS5_PBKDF2_HMAC((const char *)password.data, password.size, salt.data, salt.size,
                  rounds, EVP_sha256(), 32, out) == 1);
}

bool crypto_equal(const void *a, const void *b, size_t size)
{
    return CRYPTO_memcmp(a, b, size) == 0;
}

void crypto_wipe(void *secret, size_t size)
{
    OPENSSL_cleanse(secret, size);
}

size_t crypto_base64_encode(struct bytes data, char *out, size_t out_size)
{
    invariant(data.size < SIZE_MAX / 4 && (data.size + 2) / 3 * 4 + 1 <= out_size);
    return EVP_EncodeBlock((uint8_t *)out, data.data, data.size);
}

bool crypto_base64_decode(struct bytes text, uint8_t *out, size_t out_size, size_t *size)
{
    // The library wants room for what padding stands for, so the last four go through a copy.
    uint8_t tail[3];
    size_t tail_size = 0;
    *size = 0;
    if (text.size == 0) return true;
    if (text.size % 4 != 0) return false;
    size_t body = text.size - 4;
    if (EVP_DecodeBase64(tail, &tail_size, sizeof tail, text.data + body, 4) != 1) return false;
    if (body / 4 * 3 + tail_size > out_size) return false;
    if (body > 0 && EVP_DecodeBase64(out, size, out_size, text.data, body) != 1) return false;
    if (*size != body / 4 * 3) return false; // Padding in the middle.
    memcpy(out + *size, tail, tail_size);
    *size += tail_size;
    return true;
}

void crypto_hex_encode(struct bytes data, char *out)
{
    static const char digits[] = "0123456789abcdef";
    for (size_t i = 0; i < data.size; i++) {
        *out++ = digits[data.data[i] >> 4];
        *out++ = digits[data.data[i] & 15];
    }
    *out = 0;
}

static int hex_digit(uint8_t c)
{
    if (c >= '0' && c <= '9') return c - '0';
    if (c >= 'a' && c <= 'f') return c - 'a' + 10;
    if (c >= 'A' && c <= 'F') return c - 'A' + 10;
    return -1;
}

bool crypto_hex_decode(struct bytes text, uint8_t *out, size_t out_size, size_t *size)
{
    if (text.size % 2 != 0 || text.size / 2 > out_size) return false;
    for (size_t i = 0; i < text.size / 2; i++) {
        int high = hex_digit(text.data[2 * i]), low = hex_digit(text.data[2 * i + 1]);
        if (high < 0 || low < 0) return false;
        out[i] = (uint8_t)(high << 4 | low);
    }
    *size = text.size / 2;
    return true;
}

// --- CRC-32C -------------------------------------------------------------------------------------

// The reflected polynomial 0x1EDC6F41, a nibble at a time: for machines without the instruction.
static uint32_t crc32c_plain(uint32_t crc, const uint8_t *at, size_t size)
{
    static const uint32_t nibbles[16] = {0x00000000, 0x105ec76f, 0x20bd8ede, 0x30e349b1, 0x417b1dbc,
        0x5125dad3, 0x61c69362, 0x7198540d, 0x82f63b78, 0x92a8fc17, 0xa24bb5a6, 0xb21572c9,
        0xc38d26c4, 0xd3d3e1ab, 0xe330a81a, 0xf36e6f75};
    for (; size > 0; size--, at++) {
        crc ^= *at;
        crc = crc >> 4 ^ nibbles[crc & 15];
        crc = crc >> 4 ^ nibbles[crc & 15];
    }
    return crc;
}

#if defined(__x86_64__)
__attribute__((target("sse4.2"))) static uint32_t crc32c_fast(
    uint32_t crc, const uint8_t *at, size_t size)
{
    uint64_t wide = crc;
    for (; size >= 8; size -= 8, at += 8) {
        uint64_t word;
        memcpy(&word, at, 8);
        wide = __builtin_ia32_crc32di(wide, word);
    }
    crc = (uint32_t)wide;
    for (; size > 0; size--, at++)
        crc = __builtin_ia32_crc32qi(crc, *at);
    return crc;
}
static bool has_fast(void)
{
    return __builtin_cpu_supports("sse4.2");
}
#elif defined(__ARM_FEATURE_CRC32)
#include <arm_acle.h>
static uint32_t crc32c_fast(uint32_t crc, const uint8_t *at, size_t size)
{
    for (; size >= 8; size -= 8, at += 8) {
        uint64_t word;
        memcpy(&word, at, 8);
        crc = __crc32cd(crc, word);
    }
    for (; size > 0; size--, at++)
        crc = __crc32cb(crc, *at);
    return crc;
}
static bool has_fast(void)
{
    return true;
}
#else
#define crc32c_fast crc32c_plain
static bool has_fast(void)
{
    return false;
}
#endif

uint32_t crypto_crc32c(uint32_t crc, const void *data, size_t size)
{
    return ~(has_fast() ? crc32c_fast : crc32c_plain)(~crc, data, size);
}
