// SPDX-License-Identifier: GPL-3.0-or-later
#include <criterion/criterion.h>

#include "core/crypto.h"

static const char *hex(const uint8_t *data, size_t size)
{
    static char text[129];
    crypto_hex_encode(bytes_of(data, size), text);
    return text;
}

// Vectors: FIPS 180-2; RFC 1321; RFC 4231 case 2; RFC 7914 section 11; RFC 3720 appendix B.4.
Test(crypto, published_vectors)
{
    uint8_t out[32];
    crypto_sha256(BYTES_LITERAL("abc"), out);
    cr_assert_str_eq(
        hex(out, 32), "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
    crypto_md5(BYTES_LITERAL("abc"), out);
    cr_assert_str_eq(hex(out, 16), "900150983cd24fb0d6963f7d28e17f72");
    crypto_hmac_sha256(BYTES_LITERAL("Jefe"), BYTES_LITERAL("what do ya want for nothing?"), out);
    cr_assert_str_eq(
        hex(out, 32), "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843");
    crypto_pbkdf2_sha256(BYTES_LITERAL("passwd"), BYTES_LITERAL("salt"), 1, out);
    cr_assert_str_eq(
        hex(out, 32), "55ac046e56e3089fec1691c22544b605f94185216dde0465e68b9d57c20dacbc");
    cr_assert_eq(crypto_crc32c(0, "123456789", 9), 0xe3069283);
    uint8_t zeroes[32] = {0};
    cr_assert_eq(crypto_crc32c(0, zeroes, 32), 0x8a9136aa);
}

Test(crypto, crc32c_of_parts_is_that_of_the_whole)
{
    uint8_t data[301];
    for (size_t i = 0; i < sizeof data; i++)
        data[i] = (uint8_t)(i * 7);
    uint32_t whole = crypto_crc32c(0, data, sizeof data);
    for (size_t cut = 0; cut <= sizeof data; cut += 13)
        cr_assert_eq(
            crypto_crc32c(crypto_crc32c(0, data, cut), data + cut, sizeof data - cut), whole);
}

Test(crypto, base64_and_hex_go_there_and_back_and_refuse_garbage)
{
    uint8_t data[50], back[50];
    char text[120];
    size_t size;
    for (size_t i = 0; i < sizeof data; i++)
        data[i] = (uint8_t)(i * 37);
    for (size_t n = 0; n <= sizeof data; n++) {
        size_t length = crypto_base64_encode(bytes_of(data, n), text, sizeof text);
        cr_assert(crypto_base64_decode(bytes_of(text, length), back, sizeof back, &size));
        cr_assert(size == n && memcmp(data, back, n) == 0);
        crypto_hex_encode(bytes_of(data, n), text);
        cr_assert(crypto_hex_decode(bytes_of_string(text), back, sizeof back, &size));
        cr_assert(size == n && memcmp(data, back, n) == 0);
    }
    cr_assert_not(crypto_base64_decode(BYTES_LITERAL("YQ="), back, sizeof back, &size));
    cr_assert_not(crypto_base64_decode(BYTES_LITERAL("Y Q="), back, sizeof back, &size));
    cr_assert_not(crypto_base64_decode(BYTES_LITERAL("YWJjZGVm"), back, 3, &size), "no room");
    cr_assert_not(crypto_hex_decode(BYTES_LITERAL("0g"), back, sizeof back, &size));
    cr_assert_not(crypto_hex_decode(BYTES_LITERAL("000"), back, sizeof back, &size));
}
