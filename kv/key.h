// SPDX-License-Identifier: GPL-3.0-or-later
//
// Keys: order-preserving encodings, so that memcmp on keys is the order of the values. Every key of a
// virtual cluster starts with its tenant prefix, and nothing else does.
//
//   0x01 ...                     the physical cluster's own: meta ranges, node records
//   0x02 uvarint(tenant) ...     a tenant's; the system virtual cluster is tenant 1
//
// uvarint is ordered: 0x00..0xf7 stand for themselves, 0xf8+n-1 is followed by n big-endian bytes.
// Column values carry a type tag, so that NULL sorts where it should and a descending column is the
// complement of its ascending bytes. What a table or an index is, is not known here.
//
// Errors   Decoding checks every byte: XX001 for a key that is not one of ours.
// Bounds   A key is at most KEY_BYTES_MAX; the KV client refuses longer ones with 54000.
#pragma once
#include "core/arena.h"
#include "core/bytes.h"
#include "core/status.h"

#define KEY_BYTES_MAX (16u * 1024u)
#define VALUE_BYTES_MAX (64u * 1024u * 1024u)
#define TENANT_SYSTEM 1u

void key_append_uvarint(struct buffer *key, uint64_t value);
CHECKED struct status key_decode_uvarint(struct bytes *key, uint64_t *value);

// [start, end) of everything that belongs to `tenant`, in `arena`.
struct span key_tenant_span(struct arena *arena, uint64_t tenant);
void key_append_tenant_prefix(struct buffer *key, uint64_t tenant);
// Takes the prefix off `*key`. XX001 when it is not a tenant's key.
CHECKED struct status key_decode_tenant_prefix(struct bytes *key, uint64_t *tenant);
bool key_in_tenant(struct bytes key, uint64_t tenant);
// The key with its tenant prefix replaced: what replication does to every key.
struct bytes key_rewrite_tenant(struct arena *arena, struct bytes key, uint64_t to_tenant);

// The smallest key greater than every key that starts with `prefix`, in `arena`.
struct bytes key_prefix_end(struct arena *arena, struct bytes prefix);
// The smallest key greater than `key`.
struct bytes key_next(struct arena *arena, struct bytes key);

// --- column values ---------------------------------------------------------------------------------

enum key_order { KEY_ASCENDING, KEY_DESCENDING };

// NULL sorts last ascending and first descending, as in PostgreSQL.
void key_append_null(struct buffer *key, enum key_order order);
void key_append_int(struct buffer *key, int64_t value, enum key_order order);
void key_append_double(
    struct buffer *key, double value, enum key_order order); // -0 as 0; NaN last.
void key_append_bytes(struct buffer *key, struct bytes value, enum key_order order);
// sign (-1, 0, 1), decimal exponent and digits (0..9 each, no leading or trailing zero): value 0.d1d2d3... x
// 10^exponent. Signs -2 and 2 are the infinities, 3 is NaN (last); they and zero have no digits.
void key_append_decimal(struct buffer *key, int sign, int32_t exponent, const uint8_t *digits,
    uint32_t digit_count, enum key_order order);

// True and the NULL taken off when the next value is NULL.
bool key_decode_null(struct bytes *key, enum key_order order);
CHECKED struct status key_decode_int(struct bytes *key, enum key_order order, int64_t *value);
CHECKED struct status key_decode_double(struct bytes *key, enum key_order order, double *value);
CHECKED struct status key_decode_bytes(
    struct bytes *key, enum key_order order, struct arena *arena, struct bytes *value);
CHECKED struct status key_decode_decimal(struct bytes *key, enum key_order order,
    struct arena *arena, int *sign, int32_t *exponent, const uint8_t **digits,
    uint32_t *digit_count);

// "/Table/52/1/..." style text for logs and SHOW RANGES, in `arena`.
char *key_format(struct arena *arena, struct bytes key);
