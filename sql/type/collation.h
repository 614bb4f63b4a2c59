// SPDX-License-Identifier: GPL-3.0-or-later
//
// Collations: in which order texts are, and which are equal. Those of the provider libc ("C", "POSIX") and
// "default" compare bytes, and cost nothing; ICU's compare as a language does. A deterministic one takes texts
// for equal only when their bytes are; where ICU finds no difference, bytes decide.
//
// A collation is told by its definition, a text that columns and indexes are stored with, so that whoever
// writes their entries needs no catalog. Each shard numbers the definitions that it has met; struct type
// carries the number. A type with an ICU collation has an id of its own (collation_type), which sorting,
// hashing and keys go by: nothing else in the executor knows of collations.
//
// Shard    The table of numbers is the current task's shard's; a number means nothing on another one.
// Memory   Collators are ICU's, made when first used and kept as long as the shard. COLLATIONS_MAX of them.
// Errors   42704, 54000 when the table is full, 22023 for a locale that ICU does not know.
// Source   PostgreSQL 15, manual chapter 24.2; Unicode Technical Standard 10.
#pragma once
#include "core/arena.h"
#include "sql/type/type.h"

#define COLLATIONS_MAX 4000u
#define COLLATION_ID_DEFAULT 100u
#define COLLATION_ID_C 950u
#define COLLATION_ID_POSIX 951u
#define COLLATION_NONE 0u                 // The default one, or a type without.
#define COLLATION_CONFLICT UINT32_MAX     // Of an expression: which one it is cannot be said.

enum collation_provider {
    COLLATION_DEFAULT = 'd',
    COLLATION_LIBC = 'c',
    COLLATION_ICU = 'i',
};
struct collation {
    uint32_t id;                 // pg_collation.oid
    enum collation_provider provider;
    bool deterministic;
    const char *locale;
    const char *name;
};
// "13042 i d de-DE de-DE-x-icu": id, provider, 'd' or 'n', locale, name.
const char *collation_definition(struct arena *arena, const struct collation *collation);
uint32_t collation_definition_id(const char *definition); // 0 for NULL.
bool collation_parse(struct arena *arena, const char *definition, struct collation *collation);

// The definition's number on this shard; COLLATION_NONE for NULL and "default", COLLATION_CONFLICT when the table
// is full: nothing can be compared by it then.
uint32_t collation_number(const char *definition);
const struct collation *collation_of(uint32_t number); // NULL: none of that number.
const char *collation_definition_of(uint32_t number);  // NULL: the default one.
static inline bool collation_is_set(uint32_t number)
{
    return number != COLLATION_NONE && number != COLLATION_CONFLICT;
}
bool collation_is_icu(uint32_t number);
bool collation_is_ascii(uint32_t number); // "C" and "POSIX": they know no letters but those of ASCII.
bool collation_is_deterministic(uint32_t number);

// Those that are there without anybody having made them, in order of name; NULL past the end. By name: NULL when
// there is none. ICU's are its locales, "de-x-icu" and so on.
const struct collation *collation_built_in(uint32_t index);
const struct collation *collation_built_in_named(const char *name);
// Whether ICU has rules for it (or falls back to those of its root).
CHECKED struct status collation_check_locale(struct arena *arena, const char *locale);

// Whether texts of the type have a collation: text and its kin, and arrays of them.
bool collation_takes(type_oid type);
// The id that values of the type are compared by.
type_oid collation_type(struct type type);
// Among ids of types: those of collation_type with an ICU collation.
#define COLLATION_TYPE_BASE 0x20000000u
#define COLLATION_TYPE_END 0x30000000u
static inline bool collation_is_type(type_oid oid)
{
    return oid >= COLLATION_TYPE_BASE && oid < COLLATION_TYPE_END;
}
type_oid collation_type_plain(type_oid oid);      // The type without its collation.
uint32_t collation_type_number(type_oid oid);

// lower, upper and initcap by the rules of an ICU collation's language.
enum collation_case { COLLATION_LOWER, COLLATION_UPPER, COLLATION_INITCAP };
CHECKED struct status collation_change_case(struct arena *arena, uint32_t number,
    enum collation_case to, struct bytes text, struct bytes *result);

// A shard's table; zeroed is empty.
struct collations;
// The hook that finds the current shard's; one for all where it is not set (tests).
extern struct collations **(*collations_current)(void);
void collations_fini(struct collations *collations);
