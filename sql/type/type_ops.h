// SPDX-License-Identifier: GPL-3.0-or-later
//
// What each type brings for sql/type/type.h: one table of functions a type. Private to the type modules
// (type*.c, numeric.c, datetime*.c, json*.c, array*.c); everyone else calls sql/type/type.h.
#pragma once
#include "sql/type/type.h"

enum type_storage {
    TYPE_STORE_BOOL,   // datum.boolean
    TYPE_STORE_INT,    // datum.integer
    TYPE_STORE_FLOAT4, // datum.real
    TYPE_STORE_FLOAT8, // datum.real
    TYPE_STORE_BYTES,  // datum.data, datum.size
};

struct type_ops {
    enum type_storage storage;
    bool key_inexact; // The key form does not give the exact value back.
    struct status (*input)(struct arena *arena, const struct type_context *context,
        struct type type, struct bytes text, struct datum *value);
    void (*output)(struct buffer *out, const struct type_context *context, type_oid oid,
        struct datum value);
    struct status (*receive)(
        struct arena *arena, struct type type, struct bytes binary, struct datum *value);
    void (*send)(struct buffer *out, type_oid oid, struct datum value);
    int (*compare)(type_oid oid, struct datum a, struct datum b); // NULL: not ordered.
    uint64_t (*hash)(type_oid oid, struct datum value);           // NULL: of the stored bits.
    // NULL: by storage (bytes for TYPE_STORE_BYTES).
    void (*key_encode)(
        struct buffer *key, type_oid oid, struct datum value, enum key_order order);
    struct status (*key_decode)(struct bytes *key, type_oid oid, enum key_order order,
        struct arena *arena, struct datum *value);
    bool no_key;
    bool (*element_has_key)(type_oid element); // Arrays: whether they have keys.
    // Length, scale or precision; NULL when the type takes no typmod.
    struct status (*coerce)(struct arena *arena, struct type type, bool is_explicit,
        struct datum in, struct datum *out);
};

extern const struct type_ops type_ops_bool, type_ops_int2, type_ops_int4, type_ops_int8,
    type_ops_oid, type_ops_float4, type_ops_float8, type_ops_char, type_ops_reg, type_ops_lsn,
    type_ops_text, type_ops_bpchar, type_ops_name, type_ops_bytea, type_ops_uuid, type_ops_tid,
    type_ops_numeric, type_ops_date, type_ops_time, type_ops_timestamp, type_ops_timestamptz,
    type_ops_interval, type_ops_timetz, type_ops_json, type_ops_jsonb, type_ops_array,
    type_ops_vector, type_ops_bit, type_ops_inet, type_ops_macaddr, type_ops_record, type_ops_void, type_ops_enum,
    type_ops_composite, type_ops_jsonpath, type_ops_collated, type_ops_range,
    type_ops_range_inexact, type_ops_multirange, type_ops_multirange_inexact, type_ops_geometry, type_ops_money,
    type_ops_xml, type_ops_xid8, type_ops_snapshot;

// Of types with an ICU collation: sql/type/collation.c.
void collation_key_encode(
    struct buffer *key, type_oid oid, struct datum value, enum key_order order);
CHECKED struct status collation_key_decode(
    struct bytes *key, type_oid oid, enum key_order order, struct arena *arena);

const struct type_ops *type_ops(type_oid oid); // Never NULL: types without a form of their own refuse.

// --- shared by the modules ---------------------------------------------------------------------------

// "invalid input syntax for type integer: "abc"": 22P02.
struct status type_error_syntax(struct arena *arena, const char *type, struct bytes text);
// "value "99999" is out of range for type smallint": 22003.
struct status type_error_range(struct arena *arena, const char *type, struct bytes text);
// "invalid byte sequence for encoding "UTF8": 0xff": 22021.
struct status type_check_utf8(struct arena *arena, struct bytes text);
struct bytes type_trim(struct bytes text); // White space at both ends.
// Words as PostgreSQL compares them: ASCII letters in either case.
bool type_word_is(struct bytes text, const char *word);

int64_t type_load_int(const uint8_t *data, uint32_t size); // Big-endian, signed.
void type_store_int(struct buffer *out, uint64_t value, uint32_t size);
// A value within the binary form of another: its size in four bytes (of NULL: -1), then itself. Taking one gives false when
// there is none, or it is cut short.
void type_send_part(struct buffer *out, type_oid type, struct datum value);
bool type_take_part(struct bytes *in, struct bytes *part, bool *null);
// A receive function's answer to a wrong size: 22P03, "insufficient data left in message" or so.
struct status type_error_binary(struct arena *arena, const char *type);

void type_append_uvarint(struct buffer *out, uint64_t value); // LEB128.
CHECKED struct status type_take_uvarint(struct bytes *in, uint64_t *value);

// Digits of floating point numbers: shortest that read back the same, as PostgreSQL prints them.
void type_print_float8(struct buffer *out, double value, int extra_float_digits);
void type_print_float4(struct buffer *out, float value, int extra_float_digits);
CHECKED struct status type_parse_float8(struct arena *arena, struct bytes text, double *value);
CHECKED struct status type_parse_float4(struct arena *arena, struct bytes text, double *value);
// White space around is allowed. `type` is the SQL name for messages.
CHECKED struct status type_parse_int(struct arena *arena, const char *type, struct bytes text,
    int64_t min, int64_t max, int64_t *value);
void type_print_int(struct buffer *out, int64_t value);
