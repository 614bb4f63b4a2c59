// SPDX-License-Identifier: GPL-3.0-or-later
//
// X.509 certificates: making those of a cluster's own authority, and reading what others made.
//
// Time     Seconds since 1970, UTC.
// Memory   Results are in the arena given.
// Errors   22023 for options that make no certificate, XX000 when the library fails.
// Source   RFC 5280.
#pragma once
#include <stdbool.h>
#include <stdint.h>

#include "core/arena.h"
#include "core/bytes.h"
#include "core/status.h"

struct cert_options {
    const char *common_name;
    const char *const *hosts; // Subject alternative names (DNS or IP); NULL-terminated or NULL.
    const char *const *uris;
    int64_t start_s;         // First second of validity; 0: an hour before now (clocks differ).
    uint32_t lifetime_hours; // From start_s; 0: ten years.
    uint32_t key_bits;       // RSA, 2,048 to 8,192; 0: ECDSA P-256.
    bool is_ca, is_server, is_client;
};

// Makes a key pair and a certificate, self-signed when ca_cert_pem is empty. Results are PEM. Its
// lifetime is cut to its authority's. Slow with RSA keys: for tools, or through helper_call.
CHECKED struct status cert_create(struct arena *arena, const struct cert_options *options,
    struct bytes ca_cert_pem, struct bytes ca_key_pem, struct bytes *cert_pem,
    struct bytes *key_pem);

struct cert_info {
    const char *common_name, *issuer;
    int64_t not_before_s, not_after_s;
    const char *const *uris;  // NULL-terminated.
    const char *const *hosts; // DNS names and IP addresses, NULL-terminated.
    bool is_ca;
};
// The first certificate in the text. 22P02 when there is none.
CHECKED struct status cert_inspect(
    struct arena *arena, struct bytes cert_pem, struct cert_info *info);
// "key values match": whether the key belongs to the certificate.
CHECKED struct status cert_key_check(struct bytes cert_pem, struct bytes key_pem);
