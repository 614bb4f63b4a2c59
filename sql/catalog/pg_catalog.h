// SPDX-License-Identifier: GPL-3.0-or-later
//
// pg_catalog, information_schema and their functions: the catalog as PostgreSQL's tools look at it. Everything is made
// from descriptors when it is read.
//
// Oids     Descriptors of databases, schemas and relations have the oid PG_OID_BASE + id; indexes, constraints and defaults
//          have one made from their table's id and their own (sql/catalog/catalog_store.h); a PRIMARY KEY or UNIQUE constraint
//          that of its index. System objects have PostgreSQL's.
// Shard    Any. Reading suspends.
// Source   PostgreSQL 15 manual, chapters 53 (system catalogs), 54 (system views), 37 (information schema).
#pragma once
#include "core/arena.h"
#include "sql/type/array.h"
#include "sql/catalog/catalog_store.h"
#include "sql/session/session.h"

#define PG_OID_BASE 16384u
#define PG_NAMESPACE_CATALOG 11u
#define PG_NAMESPACE_INFORMATION 13000u
#define PG_NAMESPACE_INTERNAL 13001u
#define PG_CLASS_OID 1259u
#define PG_NAMESPACE_OID 2615u
#define PG_STATISTICS_OID 3381u
#define PG_EXTENSION_OID 3079u
#define PG_EXTENSION_INTERNAL 13002u // What crdb_internal belongs to, so that tools know it as no user's.
#define PG_EXTENSION_STATEMENTS 13003u
#define PG_EXTENSION_UUID 13004u
#define PG_EXTENSION_CRYPTO 13005u
#define PG_ADMIN_OID 2u // The role that owns what the system made: sql/catalog/bootstrap.c.
#define PG_TABLESPACE_DEFAULT 1663
#define PG_TABLESPACE_GLOBAL 1664
#define PG_AM_HEAP 2u
#define PG_AM_BTREE 403u
#define PG_AM_GIN 2742u

static inline uint32_t pg_oid(uint32_t id)
{
    return id >= CATALOG_VIRTUAL_ID_FIRST ? id : PG_OID_BASE + id;
}
// 0 for what is no descriptor's oid.
static inline uint32_t pg_id(uint32_t oid)
{
    return oid > PG_OID_BASE && oid < 0x20000000u ? oid - PG_OID_BASE : 0;
}
static inline uint32_t pg_index_oid(uint32_t table_id, uint32_t index_id)
{
    return catalog_index_oid(table_id, index_id);
}
static inline uint32_t pg_constraint_oid(uint32_t table_id, uint32_t constraint_id)
{
    return catalog_constraint_oid(table_id, constraint_id);
}
static inline uint32_t pg_default_oid(uint32_t table_id, uint32_t column_id)
{
    return catalog_default_oid(table_id, column_id);
}
// The entry of a database's default privileges with this number.
static inline uint32_t pg_default_acl_oid(uint32_t database_id, uint32_t number)
{
    return 0x30000000u | (database_id & 0xffffu) << 12 | (number & 0xfffu);
}
// Of a schema, the virtual ones included.
static inline uint32_t pg_namespace_oid(uint32_t schema_id)
{
    return schema_id == CATALOG_PG_CATALOG_ID           ? PG_NAMESPACE_CATALOG
           : schema_id == CATALOG_INFORMATION_SCHEMA_ID ? PG_NAMESPACE_INFORMATION
           : schema_id == CATALOG_CRDB_INTERNAL_ID      ? PG_NAMESPACE_INTERNAL
                                                        : pg_oid(schema_id);
}
// Of a table, view, sequence or virtual table: PostgreSQL's own for its catalogs.
uint32_t pg_relation_oid(const struct table_desc *table);
// Whether a virtual table is a table in PostgreSQL's catalog, too, not a view.
bool pg_is_catalog_table(const struct table_desc *table);

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
    const struct table_desc **types; // User-defined ones; this shard knows them all.
    uint32_t type_count;
};
// Loads what is asked for; the arena is the caller's to finish with pg_rows_close.
CHECKED struct status pg_rows_open(struct pg_rows *rows, struct task *task, struct session *session,
    struct virtual_table_sink *sink);
void pg_rows_close(struct pg_rows *rows);
// The user-defined types of rows->database alone.
CHECKED struct status pg_rows_types(struct pg_rows *rows);
// `row` for each relation of the current database that has a descriptor.
CHECKED struct status pg_each_table(struct task *task, struct session *session,
    struct virtual_table_sink *sink,
    struct status (*row)(struct pg_rows *rows, const struct table_desc *table));
// Rows that a query over other views gives, as the session's user. `sql` is a string constant.
CHECKED struct status pg_query_rows(
    struct task *task, struct session *session, struct virtual_table_sink *sink, const char *sql);
const char *pg_schema_name(const struct pg_rows *rows, uint32_t schema_id);
// Number of a column as in pg_attribute: from 1; 0 when there is none.
int64_t pg_attnum(const struct table_desc *table, uint32_t column_id);
CHECKED struct status pg_role_oid(struct task *task, struct session *session, const char *name, uint32_t *oid);
// Which statements a relation takes, tables and views: sql/catalog/pg_updatable.c.
#define PG_EVENT_UPDATE (1u << 2)
#define PG_EVENT_INSERT (1u << 3)
#define PG_EVENT_DELETE (1u << 4)
CHECKED struct status pg_relation_events(struct task *task, struct session *session,
    struct arena *arena, const struct table_desc *relation, uint32_t *events);
// By its place among the relation's columns.
CHECKED struct status pg_column_is_updatable(struct task *task, struct session *session,
    struct arena *arena, const struct table_desc *relation, uint32_t column, bool *updatable);
// Extensions are there from the start, or not at all.
uint32_t pg_extension_oid(const char *name); // 0: it is not there.
uint32_t pg_extension_at(uint32_t index);    // One after the other; 0 past the end.
const char *pg_extension_comment(uint32_t oid); // What it comes with; NULL: there is no such extension.
// {owner=privileges/owner,role=privileges/owner,...}: relacl and its kin; NULL when nothing was granted.
// Of a function or type, which everybody may use unless that is taken away.
struct datum pg_acl_shared(
    struct arena *arena, enum object_kind kind, const struct table_desc *object);
struct datum pg_acl(struct arena *arena, enum object_kind kind, const char *owner,
    const struct privilege_grant *grants, uint32_t count);

// "CREATE INDEX i ON s.t USING btree (a, b)"; "PRIMARY KEY (a)"; "FOREIGN KEY (a) REFERENCES t(b)"...
// `schema` NULL: without it. `pretty` leaves out parentheses that are not needed.
CHECKED struct status pg_index_definition(struct task *task, struct session *session,
    struct buffer *out, const struct table_desc *table, const struct index_desc *index,
    const char *schema, bool pretty);
// One column or expression of it; its condition, *text NULL when there is none.
CHECKED struct status pg_index_column(struct task *task, struct session *session,
    struct buffer *out, const struct table_desc *table, const struct index_column *part, bool pretty);
CHECKED struct status pg_index_predicate(struct task *task, struct session *session,
    struct arena *arena, const struct table_desc *table, const struct index_desc *index, bool pretty,
    const char **text);
CHECKED struct status pg_constraint_definition(struct task *task, struct session *session,
    struct buffer *out, const struct table_desc *table, const struct constraint_desc *constraint,
    bool pretty);
void pg_index_constraint_definition(
    struct buffer *out, const struct table_desc *table, const struct index_desc *index);

// The oid of the unique index that a foreign key to these columns relies on.
uint32_t pg_referenced_index(const struct table_desc *table, const uint32_t *columns, uint32_t count);
// A hidden rowid's primary index is no business of tools.
bool pg_index_shown(const struct table_desc *table, const struct index_desc *index);
// PostgreSQL checks foreign keys by triggers: tables at either end of one have some.
bool pg_has_triggers(const struct table_desc *table);
// For pg_each_table: of each index its relid, indexrelid, schemaname, relname and indexrelname; no more.
CHECKED struct status pg_index_name_rows(struct pg_rows *rows, const struct table_desc *table);

// --- functions of users: sql/catalog/pg_routine.c ------------------------------------------------------------------

// NULL: the oid is no such function's.
const struct table_desc *pg_routine_of(struct task *task, struct session *session, uint32_t oid);
// "a integer, b text DEFAULT 'x'::text"; `identity`: without defaults.
CHECKED struct status pg_routine_arguments(struct task *task, struct session *session,
    const struct table_desc *function, bool identity, struct buffer *out);
CHECKED struct status pg_routine_result(struct task *task, struct session *session,
    const struct table_desc *function, struct buffer *out);
// A body in SQL-standard form (RETURN, BEGIN ATOMIC); *body NULL: it is text in quotes.
CHECKED struct status pg_routine_body(struct task *task, struct session *session, struct arena *arena,
    const struct table_desc *function, const char **body);
CHECKED struct status pg_routine_definition(struct task *task, struct session *session,
    const struct table_desc *function, struct buffer *out);
bool pg_routine_print(struct task *task, struct session *session, uint32_t oid, bool arguments,
    struct buffer *out);
// Those of the name; `types` NULL: whatever their arguments. `schema_name` NULL: along the search path.
CHECKED struct status pg_routine_find(struct task *task, struct session *session,
    struct arena *arena, const char *schema_name, const char *name, const type_oid *types,
    uint32_t count, uint32_t *oid, uint32_t *matches);
CHECKED struct status pg_routine_rows(
    struct task *task, struct session *session, struct virtual_table_sink *sink);

// --- names: sql/catalog/pg_names.c ---------------------------------------------------------------------------------

// regclass and its kin, for type_context.names.
extern const struct type_names pg_type_names;

// Whether its rows are a type by its name.
static inline bool relation_has_row_type(enum relation_kind kind)
{
    return kind == RELATION_TABLE || kind == RELATION_VIEW || kind == RELATION_COMPOSITE;
}
// The type of a column whose values are arrays of a domain's base type.
static inline bool type_is_domain_array(type_oid oid)
{
    return type_is_user(oid) && type_user_kind(oid) == (TYPE_USER_DOMAIN | TYPE_USER_ARRAY_BIT);
}
// What pg_class has a row for. Both NULL: none.
struct pg_relation {
    const struct table_desc *table;
    const struct index_desc *index; // NULL: the table itself.
};
// No error when there is none.
CHECKED struct status pg_relation_by_oid(
    struct task *task, struct session *session, uint32_t oid, struct pg_relation *relation);
// "t", "s.t", "d.s.t" with quotes where needed. 42602; 42P01 unless `missing_ok`.
CHECKED struct status pg_relation_by_name(struct task *task, struct session *session,
    struct arena *arena, struct bytes text, bool missing_ok, struct pg_relation *relation);
// Found without its schema: nothing in front of it in the search path has its name.
CHECKED struct status pg_relation_visible(struct task *task, struct session *session,
    const struct pg_relation *relation, bool *visible);
CHECKED struct status pg_schema_by_oid(
    struct task *task, struct session *session, uint32_t oid, const struct schema_desc **schema);
// A constraint by its oid: of `constraint` and `index` one is set, or neither.
struct pg_constraint_of {
    const struct table_desc *table;
    const struct constraint_desc *constraint;
    const struct index_desc *index;
};
CHECKED struct status pg_constraint_by_oid(
    struct task *task, struct session *session, uint32_t oid, struct pg_constraint_of *found);
// Parts between dots, folded unless quoted. 42602 when it is no name.
#define PG_NAME_PARTS_MAX 3u
CHECKED struct status pg_split_name(
    struct arena *arena, struct bytes text, char **parts, uint32_t *count);
// A user-defined type by its name: 42704.
CHECKED struct status pg_find_type(struct task *task, struct session *session, struct arena *arena,
    struct bytes text, uint32_t *oid);
// Appends its name, with its schema where it needs it; false when there is none.
bool pg_print_user_type(
    struct task *task, struct session *session, uint32_t oid, struct buffer *out);
CHECKED struct status pg_user_type_visible(
    struct task *task, struct session *session, uint32_t oid, bool *exists, bool *visible);
CHECKED struct status pg_user_type_rows(struct pg_rows *rows);
void pg_print_name(struct buffer *out, const char *schema, const char *name);
// Names of the functions behind a type's text and binary forms, which exist as names only.
struct pg_type_functions {
    type_oid type; // Of a whole family: what stands for it, TYPE_ANYARRAY or so.
    uint32_t oid[4]; // Input, output, receive, send.
    const char *name[4];
    char align, storage;
    uint32_t typmod_in, typmod_out;
};
const struct pg_type_functions *pg_type_functions(type_oid type);
// Argument types of the first to the fourth of them; returns how many.
uint32_t pg_type_function_args(
    const struct pg_type_functions *functions, unsigned which, type_oid args[3]);
// regoper, regoperator and regcollation: pg_names_more.c. 42883, 42725, 42704.
CHECKED struct status pg_find_operator(struct task *task, struct session *session,
    struct arena *arena, struct bytes text, bool with_types, uint32_t *oid);
CHECKED struct status pg_find_collation(struct task *task, struct session *session,
    struct arena *arena, struct bytes text, uint32_t *oid);
bool pg_write_operator(uint32_t oid, bool with_types, struct buffer *out);
bool pg_write_collation(
    struct task *task, struct session *session, uint32_t oid, struct buffer *out);
// " COLLATE s.c".
CHECKED struct status pg_print_collation(
    struct task *task, struct session *session, struct buffer *out, const char *definition);
// pg_collation's id for a column, or for the type where that is NULL.
uint32_t pg_column_collation(const struct column_desc *column, type_oid type);
uint32_t pg_operator_class(type_oid type); // The default one of B-trees; 0: there is none.
// Of B-trees, by name. *known: there is one of that name; 0: not for the type.
uint32_t pg_operator_class_named(const char *name, type_oid type, bool *known);
const char *pg_operator_class_name(uint32_t oid); // NULL: there is none.
// Text of the default or generating expression; NULL: none. An identity column's sequence is no default.
const char *pg_column_default(const struct column_desc *column);
// The same for people: sequences by name, literals with their type ("'x'::text").
CHECKED struct status pg_column_default_text(struct task *task, struct session *session, struct arena *arena,
    const struct table_desc *table, const struct column_desc *column, const char **text);
uint32_t pg_type_collation(type_oid type); // pg_type.typcollation; 0: takes none.

// --- rows by column name: sql/catalog/pg_table.c -------------------------------------------------------------------

// A virtual table whose columns are written as in CREATE TABLE: "oid oid, relname name, relacl aclitem[]".
struct pg_table {
    const char *name, *columns;
    struct status (*rows)(struct task *task, struct session *session, struct virtual_table_sink *sink);
};
// At start-up. `rows` NULL: there never are any.
void pg_tables_register(const char *schema, const struct pg_table *tables, uint32_t count);
// Likewise, of tables that are listed in the system interface alone; elsewhere their rows are refused.
void pg_tables_register_system(const char *schema, const struct pg_table *tables, uint32_t count);

// The next virtual table that this session is to see in lists, from index `*at` on; NULL: no more.
const struct table_desc *pg_next_virtual_table(const struct session *session, uint32_t *at);

// One row: every column NULL until it is put. Names are checked (an invariant).
#define PG_ROW_COLUMNS_MAX 96u
struct pg_row {
    struct virtual_table_sink *sink;
    const struct virtual_table *table;
    uint32_t next; // Where the last put was, plus one: puts come in the order of columns mostly.
    struct datum values[PG_ROW_COLUMNS_MAX];
};
void pg_row_begin(struct pg_row *row, struct virtual_table_sink *sink);
void pg_put(struct pg_row *row, const char *column, struct datum value);
void pg_put_text(struct pg_row *row, const char *column, const char *text); // NULL: NULL.
static inline void pg_put_int(struct pg_row *row, const char *column, int64_t value)
{
    pg_put(row, column, datum_int(value));
}
static inline void pg_put_bool(struct pg_row *row, const char *column, bool value)
{
    pg_put(row, column, datum_bool(value));
}
CHECKED struct status pg_row_send(struct pg_row *row);

// --- who may see what: sql/function/pg_functions_privilege.c --------------------------------------------------------

// Whether the session's user holds any of `bits`, by ownership, grants or administration.
CHECKED struct status pg_user_has_any(struct task *task, struct session *session, const char *owner,
    const struct privilege_grant *grants, uint32_t count, uint32_t bits, bool *has);

// An array of text, of what a NULL-terminated list has.
struct datum pg_text_array(struct arena *arena, type_oid element, const char *const *items, uint32_t count);

// An int2vector or oidvector: the array form with lower bound 0.
struct datum pg_vector(struct arena *arena, type_oid element, const int64_t *values, uint32_t count);

// Bytes that a relation's rows and indexes (or one index) take, from what ranges know and from counting.
CHECKED struct status pg_relation_bytes(struct task *task, struct session *session,
    const struct table_desc *table, const struct index_desc *index, uint64_t *bytes);
// A comment, in `arena`; *text NULL when there is none.
CHECKED struct status pg_comment(struct task *task, struct session *session, struct arena *arena,
    enum catalog_comment_class class, uint32_t object_id, uint32_t sub_id, const char **text);

void pg_catalog_register(void);
void pg_catalog_global_register(void);
void pg_catalog_types_register(void);
void pg_catalog_user_types_register(void);
void pg_catalog_views_register(void);
void pg_catalog_activity_register(void);
void pg_catalog_empty_register(void);
void pg_catalog_depend_register(void);
void pg_catalog_operators_register(void);
void pg_catalog_counters_register(void);
void pg_catalog_default_acl_register(void);
void information_schema_register(void);
void information_schema_constraints_register(void);
void information_schema_privileges_register(void);
void information_schema_routines_register(void);
void information_schema_empty_register(void);
void information_schema_sql_register(void);
void information_schema_types_register(void);
void crdb_internal_register(void);
void crdb_internal_node_register(void);
void crdb_internal_activity_register(void);
void pg_functions_register(void);
void pg_functions_definition_register(void);
void pg_functions_privilege_register(void);
void pg_functions_size_register(void);
void pg_functions_rows_register(void);
void pg_functions_describe_register(void);
void pg_functions_address_register(void);
void pg_statistics_register(void);
