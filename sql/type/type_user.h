// SPDX-License-Identifier: GPL-3.0-or-later
//
// Types that users make: how their ids are built, and what each shard knows of them.
//
// An id says by itself what kind of type it is, so that storage and comparison never ask the catalog. A
// value of an enum is its label's order, an integer: keys and sorts need nothing else. Only text and
// binary forms need labels. These come from the shard's own table of types, which is filled from the
// catalog whenever a statement is bound (sql/catalog/catalog_type.c): a label that is not there yet is unknown.
//
// Shard    The table belongs to the shard of the current task; types are told apart by its tenant.
// Memory   The table's own; texts are valid until the type changes: copy them before suspending.
// Errors   22P02 for a text that is no label, in PostgreSQL's words.
#pragma once
#include "core/hashmap.h"
#include "sql/type/type.h"

enum type_user_kind {
    TYPE_USER_ENUM = 0,
    TYPE_USER_ENUM_ARRAY = 1,
    TYPE_USER_DOMAIN = 2,
    TYPE_USER_COMPOSITE = 4, // Made by CREATE TYPE, or the rows of a table or view.
    TYPE_USER_COMPOSITE_ARRAY = 5,
};
#define TYPE_USER_ARRAY_BIT 1u
#define TYPE_USER_BASE 0x10000000u
#define TYPE_USER_END 0x20000000u

static inline bool type_is_user(type_oid oid)
{
    return oid >= TYPE_USER_BASE && oid < TYPE_USER_END;
}
static inline type_oid type_user_oid(uint32_t id, enum type_user_kind kind)
{
    return TYPE_USER_BASE | id << 3 | (uint32_t)kind;
}
static inline uint32_t type_user_id(type_oid oid) // The descriptor's.
{
    return (oid & ~TYPE_USER_BASE) >> 3;
}
static inline enum type_user_kind type_user_kind(type_oid oid)
{
    return (enum type_user_kind)(oid & 7);
}
static inline bool type_is_domain(type_oid oid)
{
    return type_is_user(oid) && type_user_kind(oid) == TYPE_USER_DOMAIN;
}
static inline bool type_is_composite(type_oid oid)
{
    return type_is_user(oid) && type_user_kind(oid) == TYPE_USER_COMPOSITE;
}
// Of one label, for pg_enum.
static inline uint32_t type_label_oid(uint32_t id, uint32_t label_id)
{
    return 0x30000000u | (id & 0xffff) << 12 | (label_id & 0xfff);
}

// A built-in type of PostgreSQL's that is not here: refused by its name.
bool type_is_left_out(const char *name);

struct type_label {
    const char *name;
    int64_t order; // The value of this label.
    uint32_t id;   // Never reused in its type.
};
// Orders start at one step and are one step apart; a label between two others takes the middle.
#define TYPE_LABEL_STEP (INT64_C(1) << 24)
#define TYPE_LABELS_MAX 4096u

// Of a composite type, in order. Its values are records whose fields have no names of their own. The slot of a field
// that is dropped is not used again, so that values that were made before and after are told apart by nothing.
struct type_field {
    const char *name;
    struct type type;
    uint32_t slot; // The number of its field in values; those that end before it have it as NULL.
};

struct user_type {
    struct type_info info, array;
    struct arena arena; // Of the texts and labels.
    uint32_t version;   // 0: nothing is known but the id.
    const struct type_label *by_order, *by_name;
    uint32_t count;
    const struct type_field *fields;
    uint32_t field_count;
};

// A shard's table; zeroed is empty. `types` of a shard is found by the hook that sql/catalog/catalog_type.c sets.
struct user_types {
    struct hashmap tenants; // tenant -> struct hashmap of oid -> struct user_type
};
void user_types_fini(struct user_types *types);
bool user_types_know(const struct user_types *types, uint64_t tenant, type_oid oid);
void user_types_forget(struct user_types *types, uint64_t tenant);
// What the catalog says of a type. Labels and fields in their order.
struct user_type_facts {
    const char *name;
    const struct type_label *labels;
    uint32_t label_count;
    const struct type_field *fields;
    uint32_t field_count;
};
void user_types_put(struct user_types *types, uint64_t tenant, type_oid oid, uint32_t version,
    const struct user_type_facts *facts);
// NULL outside of any shard's task.
extern struct user_types *(*user_types_current)(uint64_t *tenant);

// For any user-defined id: made up from the id when the table does not have it. Never NULL.
const struct user_type *type_user(type_oid oid);
// NULL: no such label.
const struct type_label *type_label_of(type_oid oid, int64_t order);
const struct type_label *type_label_named(type_oid oid, struct bytes name);
