// SPDX-License-Identifier: GPL-3.0-or-later
//
// pg_catalog, information_schema and their functions: the catalog as PostgreSQL's tools look at it. Everything is made
// from descriptors when it is read.
//
// Oids     Descriptors of databases, schemas and relations have the oid PG_OID_BASE + id; indexes, constraints and defaults
//          have one made from their table's id and their own. System objects have PostgreSQL's.
// Shard    Any. Reading suspends.
// Source   PostgreSQL 15 manual, chapters 53 (system catalogs), 54 (system views), 37 (information schema).
#pragma once
#include "core/arena.h"
#include "sql/array.h"
#include "sql/catalog.h"
#include "sql/session.h"

#define PG_OID_BASE 16384u
#define PG_NAMESPACE_CATALOG 11u
#define PG_NAMESPACE_INFORMATION 13000u
#define PG_NAMESPACE_INTERNAL 13001u
#define PG_CLASS_OID 1259u

static inline uint32_t pg_oid(uint32_t id)
{
    return id >= CATALOG_VIRTUAL_ID_FIRST ? id : PG_OID_BASE + id;
}
static inline uint32_t pg_index_oid(uint32_t table_id, uint32_t index_id)
{
    return 0x40000000u + (table_id & 0xfffffu) * 256u + (index_id & 0xffu);
}
static inline uint32_t pg_constraint_oid(uint32_t table_id, uint32_t constraint_id)
{
    return 0x50000000u + (table_id & 0xfffffu) * 256u + (constraint_id & 0xffu);
}
// PRIMARY KEY and UNIQUE constraints are their indexes.
static inline uint32_t pg_index_constraint_oid(uint32_t table_id, uint32_t index_id)
{
    return 0x60000000u + (table_id & 0xfffffu) * 256u + (index_id & 0xffu);
}
static inline uint32_t pg_default_oid(uint32_t table_id, uint32_t column_id)
{
    return 0x70000000u + (table_id & 0xffffu) * 4096u + (column_id & 0xfffu);
}

// What a table's row function works with.
struct pg_rows {
    struct task *task;
    struct session *session;
    struct virtual_table_sink *sink;
    struct arena arena;
    const struct database_desc *database; // The current one.
    const struct table_desc **tables;
    uint32_t table_count;
    const struct schema_desc **schemas;
    uint32_t schema_count;
};
// Loads what is asked for; the arena is the caller's to finish with pg_rows_close.
CHECKED struct status pg_rows_open(struct pg_rows *rows, struct task *task, struct session *session,
    struct virtual_table_sink *sink);
void pg_rows_close(struct pg_rows *rows);
const char *pg_schema_name(const struct pg_rows *rows, uint32_t schema_id);
// Number of a column as in pg_attribute: from 1; 0 when there is none.
int64_t pg_attnum(const struct table_desc *table, uint32_t column_id);
CHECKED struct status pg_role_oid(struct task *task, struct session *session, const char *name, uint32_t *oid);
// {owner=privileges/grantor,...}: relacl and its kin; NULL when nothing was granted.
struct datum pg_acl(struct arena *arena, const char *owner, const struct privilege_grant *grants, uint32_t count);

// "CREATE INDEX i ON s.t USING btree (a, b)"; "PRIMARY KEY (a)"; "FOREIGN KEY (a) REFERENCES t(b)"...
void pg_index_definition(struct buffer *out, const struct table_desc *table, const struct index_desc *index,
    const char *schema);
CHECKED struct status pg_constraint_definition(struct task *task, struct session *session,
    struct buffer *out, const struct table_desc *table, const struct constraint_desc *constraint);
void pg_index_constraint_definition(
    struct buffer *out, const struct table_desc *table, const struct index_desc *index);

// regclass and its kin, for type_context.names.
extern const struct type_names pg_type_names;

void pg_catalog_register(void);
void pg_catalog_global_register(void);
void pg_catalog_views_register(void);
void information_schema_register(void);
void pg_functions_register(void);
