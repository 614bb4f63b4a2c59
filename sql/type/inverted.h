// SPDX-License-Identifier: GPL-3.0-or-later
//
// Inverted indexes (gin): what parts of a value they hold, and which parts a condition looks for. An entry of
// the index is one part of one row's value:
//
//   key      prefix of the index, u8 number of its column, the part, then the primary key's columns
//   part     u8 kind: EMPTY (the value has no parts) and NULL_ITEM (an array's NULL) alone; ITEM and its bytes;
//            HASH and 16 bytes, for items longer than INVERTED_ITEM_MAX and for all of jsonb_path_ops
//   items    of an array: the element's key form. jsonb_ops: object keys and strings in arrays 'k', other
//            strings 's', numbers 'n', booleans 'b', null '0'. jsonb_path_ops: the keys that lead to a scalar,
//            with it.
//
// A row whose column is NULL has no entry. Whoever finds rows by parts looks at the condition itself afterwards.
//
// Shard    Pure.
// Memory   The arena given.
// Errors   XX001 for an array that does not decode; what type_key_encode gives.
// Source   PostgreSQL 15, manual chapters 8.14.4 and 70.
#pragma once
#include "core/arena.h"
#include "sql/type/type.h"

#define INVERTED_ITEM_MAX 200u
#define INVERTED_PARTS_MAX 4096u // Of a condition; one with more looks at all rows.

// PostgreSQL's pg_opclass ids of the access method gin.
enum inverted_class {
    INVERTED_NONE,
    INVERTED_ARRAY = 10064,
    INVERTED_JSONB = 10090,
    INVERTED_JSONB_PATH = 10091,
};
const char *inverted_class_name(enum inverted_class class);
// The class that a type has when none is named; INVERTED_NONE: none.
enum inverted_class inverted_class_default(type_oid type);
// INVERTED_NONE when there is none of that name.
enum inverted_class inverted_class_by_name(const char *name);
bool inverted_class_takes(enum inverted_class class, type_oid type);

struct inverted_parts {
    struct bytes *items;
    uint32_t count, capacity;
};
// The parts of a value that is not NULL, sorted, without repetitions; at least one (EMPTY).
CHECKED struct status inverted_parts_of(struct arena *arena, enum inverted_class class,
    struct datum value, struct inverted_parts *parts);

enum inverted_strategy {
    INVERTED_NO_STRATEGY,
    INVERTED_CONTAINS,   // @>
    INVERTED_CONTAINED,  // <@
    INVERTED_OVERLAPS,   // &&
    INVERTED_EQUAL,      // =
    INVERTED_EXISTS,     // ?
    INVERTED_EXISTS_ANY, // ?|
    INVERTED_EXISTS_ALL, // ?&
};
// What `column operator value` is for the class. The types are those of the operator's sides.
enum inverted_strategy inverted_strategy_of(
    enum inverted_class class, const char *operator, type_oid column, type_oid value);

// Rows that may meet the condition have: every part (INVERTED_ALL), at least one (INVERTED_ANY), or they may
// be any rows, or none.
enum inverted_mode { INVERTED_ALL, INVERTED_ANY, INVERTED_EVERYTHING, INVERTED_NOTHING };
CHECKED struct status inverted_query(struct arena *arena, enum inverted_class class,
    enum inverted_strategy strategy, struct datum value, enum inverted_mode *mode,
    struct inverted_parts *parts);
