// SPDX-License-Identifier: GPL-3.0-or-later
//
// SQL types, identified by PostgreSQL's own object ids, and what can be done with a value of each:
// text and binary form, comparison, hashing, key and row encoding.
//
// Memory   Functions that make bytes put them into the arena given.
// Errors   22P02 (text), 22P03 (binary), 22003, 22007, 22008, 22001, 22021: PostgreSQL's messages.
// Source   PostgreSQL 15: pg_type, manual chapter 8; binary forms as its send/recv functions.
#pragma once
#include "core/arena.h"
#include "core/status.h"
#include "kv/key.h"
#include "sql/type/datum.h"

enum type_id {
    TYPE_BOOL = 16, TYPE_BYTEA = 17, TYPE_CHAR_INTERNAL = 18, TYPE_NAME = 19, TYPE_INT8 = 20,
    TYPE_INT2 = 21, TYPE_INT2VECTOR = 22, TYPE_INT4 = 23, TYPE_REGPROC = 24, TYPE_TEXT = 25,
    TYPE_OID = 26, TYPE_TID = 27, TYPE_XID = 28, TYPE_CID = 29, TYPE_OIDVECTOR = 30, TYPE_JSON = 114,
    TYPE_XML = 142, TYPE_XML_ARRAY = 143,
    TYPE_POINT = 600, TYPE_LSEG = 601, TYPE_PATH = 602, TYPE_BOX = 603, TYPE_POLYGON = 604, TYPE_LINE = 628,
    TYPE_CIRCLE = 718, TYPE_MONEY = 790,
    TYPE_PG_NODE_TREE = 194, TYPE_CIDR = 650, TYPE_FLOAT4 = 700, TYPE_FLOAT8 = 701,
    TYPE_UNKNOWN = 705, TYPE_MACADDR8 = 774, TYPE_MACADDR = 829, TYPE_INET = 869, TYPE_ACLITEM = 1033, TYPE_BPCHAR = 1042,
    TYPE_VARCHAR = 1043, TYPE_DATE = 1082, TYPE_TIME = 1083, TYPE_TIMESTAMP = 1114,
    TYPE_TIMESTAMPTZ = 1184, TYPE_INTERVAL = 1186, TYPE_TIMETZ = 1266, TYPE_BIT = 1560,
    TYPE_VARBIT = 1562, TYPE_NUMERIC = 1700, TYPE_REGPROCEDURE = 2202, TYPE_REGCLASS = 2205,
    TYPE_REGTYPE = 2206, TYPE_RECORD = 2249, TYPE_CSTRING = 2275, TYPE_ANY = 2276,
    TYPE_ANYARRAY = 2277, TYPE_VOID = 2278, TYPE_TRIGGER = 2279, TYPE_INTERNAL = 2281,
    TYPE_ANYELEMENT = 2283, TYPE_ANYNONARRAY = 2776, TYPE_UUID = 2950, TYPE_PG_LSN = 3220,
    TYPE_ANYENUM = 3500, TYPE_JSONB = 3802, TYPE_JSONPATH = 4072, TYPE_REGNAMESPACE = 4089, TYPE_REGROLE = 4096,
    TYPE_REGOPER = 2203, TYPE_REGOPERATOR = 2204, TYPE_REGCOLLATION = 4191,
    TYPE_ANYRANGE = 3831, TYPE_ANYCOMPATIBLERANGE = 5080,
    TYPE_XID8 = 5069, TYPE_PG_SNAPSHOT = 5038, TYPE_TXID_SNAPSHOT = 2970,
    TYPE_INT4RANGE = 3904, TYPE_NUMRANGE = 3906, TYPE_TSRANGE = 3908, TYPE_TSTZRANGE = 3910,
    TYPE_DATERANGE = 3912, TYPE_INT8RANGE = 3926,
    TYPE_ANYMULTIRANGE = 4537, TYPE_ANYCOMPATIBLEMULTIRANGE = 4538,
    TYPE_INT4MULTIRANGE = 4451, TYPE_NUMMULTIRANGE = 4532, TYPE_TSMULTIRANGE = 4533,
    TYPE_TSTZMULTIRANGE = 4534, TYPE_DATEMULTIRANGE = 4535, TYPE_INT8MULTIRANGE = 4536,
    TYPE_ANYCOMPATIBLE = 5077, TYPE_ANYCOMPATIBLEARRAY = 5078, TYPE_ANYCOMPATIBLENONARRAY = 5079,
    // Array types: PostgreSQL's ids, by type_array_of(). Those named in code:
    TYPE_BOOL_ARRAY = 1000, TYPE_NAME_ARRAY = 1003, TYPE_INT2_ARRAY = 1005, TYPE_INT4_ARRAY = 1007,
    TYPE_TEXT_ARRAY = 1009, TYPE_INT8_ARRAY = 1016, TYPE_FLOAT8_ARRAY = 1022, TYPE_INTERVAL_ARRAY = 1187, TYPE_OID_ARRAY = 1028,
    TYPE_ACLITEM_ARRAY = 1034, TYPE_CHAR_INTERNAL_ARRAY = 1002, TYPE_NUMERIC_ARRAY = 1231,
};
typedef uint32_t type_oid; // An enum type_id, or the id of a user-defined type.

struct type {
    type_oid oid;
    int32_t typmod; // As PostgreSQL's atttypmod; -1: none.
    uint32_t collation; // Of this shard's numbers: sql/type/collation.h. 0: the default one, or none.
};
#define TYPE_OF(id) ((struct type){(id), -1, 0})

struct type_info {
    type_oid oid;
    const char *name;       // pg_type.typname: "int4"
    const char *sql_name;   // format_type: "integer"
    int16_t length;         // typlen: 4, -1, ...
    char category;          // typcategory: 'N', 'S', 'D', ...
    bool preferred;
    type_oid element;       // Of an array type, else 0.
    type_oid array;         // The array type over this one, or 0.
};
const struct type_info *type_info(type_oid oid); // NULL when unknown.
const struct type_info *type_info_at(uint32_t index); // All of them, for pg_type; NULL past the end.
// A name as written ("int", "character varying", "_int4", "timestamptz"); NULL when unknown.
const struct type_info *type_by_name(const char *name);
// "character varying(20)", "numeric(10,2)", "timestamp(3) without time zone".
char *type_format(struct arena *arena, struct type type);
// From modifiers as written, e.g. numeric(10,2). 22023, 42601 for what the type does not take.
CHECKED struct status type_make_typmod(struct arena *arena, type_oid oid, const int32_t *modifiers,
    uint32_t count, int32_t *typmod);
bool type_is_array(type_oid oid);
type_oid type_array_of(type_oid element); // 0 when there is none.
// Of a type whose values have so many parts that subscripts name, from 0 on: a point's numbers, a segment's ends. 0: it has none.
type_oid type_part(type_oid oid);
// Between the items of an array's text: ';' of boxes, which have commas.
char type_delimiter(type_oid element);
static inline bool type_is_by_value(type_oid oid)
{
    return oid == TYPE_BOOL || oid == TYPE_INT2 || oid == TYPE_INT4 || oid == TYPE_INT8 ||
           oid == TYPE_OID || oid == TYPE_FLOAT4 || oid == TYPE_FLOAT8 || oid == TYPE_DATE ||
           oid == TYPE_TIME || oid == TYPE_TIMESTAMP || oid == TYPE_TIMESTAMPTZ ||
           oid == TYPE_REGCLASS || oid == TYPE_REGTYPE || oid == TYPE_REGPROC ||
           oid == TYPE_REGPROCEDURE || oid == TYPE_PG_LSN || oid == TYPE_XID8 || oid == TYPE_REGNAMESPACE || oid == TYPE_REGROLE || oid == TYPE_XID || oid == TYPE_CID ||
           oid == TYPE_CHAR_INTERNAL || oid == TYPE_MONEY || oid == TYPE_REGOPER || oid == TYPE_REGOPERATOR || oid == TYPE_REGCOLLATION ||
           (oid & 0xf0000007u) == 0x10000000u; // Enums: sql/type/type_user.h.
}

// What text in and out depends on: the session's settings and clock.
enum date_order { DATE_ORDER_MDY, DATE_ORDER_DMY, DATE_ORDER_YMD };
enum date_style { DATE_STYLE_ISO, DATE_STYLE_POSTGRES, DATE_STYLE_SQL, DATE_STYLE_GERMAN };
enum interval_style { INTERVAL_POSTGRES, INTERVAL_POSTGRES_VERBOSE, INTERVAL_SQL, INTERVAL_ISO };
enum bytea_output { BYTEA_HEX, BYTEA_ESCAPE };
enum xml_binary { XML_BINARY_BASE64, XML_BINARY_HEX };
enum xml_option { XML_CONTENT, XML_DOCUMENT };
struct time_zone;
// Names of catalog objects for regclass and its kin; the session fills it. Both may suspend its task.
struct type_names {
    // 42P01, 42883, ... when `text` names nothing. `type` is TYPE_REGCLASS, TYPE_REGPROC, ...
    struct status (*find)(void *arg, type_oid type, struct arena *arena, struct bytes text,
        uint32_t *id);
    // Appends the name; false when there is none, and the number is printed.
    bool (*print)(void *arg, type_oid type, uint32_t id, struct buffer *out);
    void *arg;
};
struct type_context {
    const struct time_zone *zone;
    enum date_order date_order;
    enum date_style date_style;
    enum interval_style interval_style;
    enum bytea_output bytea_output;
    enum xml_binary xml_binary;
    enum xml_option xml_option; // Of texts that become xml.
    int32_t extra_float_digits; // 1: shortest that reads back the same.
    int64_t now_us;             // Of the transaction, since 2000-01-01 UTC: now(), 'now', 'today'.
    int64_t statement_us;       // statement_timestamp()
    const struct type_names *names; // May be NULL: regclass and its kin are numbers then.
};
extern const struct type_context type_context_default; // UTC, ISO, MDY: what a NULL context means.

CHECKED struct status type_input(struct arena *arena, const struct type_context *context,
    struct type type, struct bytes text, struct datum *value);
// Appends the text form; the datum must not be NULL.
void type_output(
    struct buffer *out, const struct type_context *context, type_oid oid, struct datum value);
CHECKED struct status type_receive(
    struct arena *arena, struct type type, struct bytes binary, struct datum *value);
void type_send(struct buffer *out, type_oid oid, struct datum value);

// Total order of the type, as btree's: neither may be NULL. Same type on both sides.
int type_compare(type_oid oid, struct datum a, struct datum b);
static inline bool type_equal(type_oid oid, struct datum a, struct datum b)
{
    return type_compare(oid, a, b) == 0;
}
uint64_t type_hash(type_oid oid, struct datum value); // Equal values hash equally.
bool type_is_ordered(type_oid oid);                   // Has btree operators (42883 otherwise).

// A copy whose bytes live in `arena`.
struct datum type_copy(struct arena *arena, type_oid oid, struct datum value);

// --- stored forms ------------------------------------------------------------------------------------

// As one column of a key; NULL allowed. char(n) and numeric keep what they need to come back equal
// in comparison; sql/exec/row.h stores the exact value beside the key where the key loses something.

CHECKED struct status type_key_encode(
    struct buffer *key, type_oid oid, struct datum value, enum key_order order);
CHECKED struct status type_key_decode(struct bytes *key, type_oid oid, enum key_order order,
    struct arena *arena, struct datum *value);
// Whether the key form gives the exact value back (numeric keeps no display scale: false). jsonb and arrays have
// no key form: 0A000..
bool type_key_is_exact(type_oid oid);
bool type_has_key(type_oid oid); // Whether it can be a column of an index.
// As a value in a row: not NULL. Self-delimiting.
void type_value_encode(struct buffer *out, type_oid oid, struct datum value);
// Takes one value off; datum.data points into `*in` where it can.
CHECKED struct status type_value_decode(struct bytes *in, type_oid oid, struct datum *value);
