// SPDX-License-Identifier: GPL-3.0-or-later
//
// The catalog of one virtual cluster: descriptors of databases, schemas, tables, views and sequences,
// kept as keys of that virtual cluster, so that they replicate and travel in time with its data.
//
// Keys     Everything of relation r lies under tenant prefix, uvarint(r); an index under that and
//          uvarint(index id). Descriptors, names and counters are relations 1..9 of the same form.
// Reading  catalog_* lookups answer as of the transaction's snapshot, its own uncommitted DDL included. Each
//          shard caches decoded descriptors; a cached one is used when it is known to have been in force at
//          the snapshot, otherwise the version of that time is read.
// Writing  DDL puts new descriptor versions in its transaction. Before it commits, every shard is told and
//          acknowledges: from then until the outcome is announced, that tenant's lookups read storage. So a
//          transaction whose snapshot is later than the change never sees the former version; one whose
//          snapshot is earlier has committed below the change, or is found at its commit: whatever writes (or locks)
//          calls catalog_depend for each table it uses, so that the transaction relies on the descriptor while
//          nothing was announced (kv/reliance.h), and has it in its read set otherwise.
//
// Shard    Cached descriptors belong to the shard. A struct table_desc is immutable and valid as long as the
//          transaction's view is open; catalog_pin keeps it longer (cached plans).
// Errors   3D000, 3F000, 42P01 (with PostgreSQL's messages), 42P07, XX001 for bytes that do not decode.
#pragma once
#include "core/arena.h"
#include "core/hlc.h"
#include "kv/client.h"
#include "sql/parse/ast.h"
#include "sql/type/type_user.h"

struct session;

// Fixed ids; others are handed out from CATALOG_FIRST_ID on, one sequence per virtual cluster.
enum catalog_table_id {
    CATALOG_DESCRIPTORS = 1, // (id) -> descriptor
    CATALOG_NAMES = 2,       // (parent, schema, name) -> id
    CATALOG_ID_COUNTER = 3,
    CATALOG_COMMENTS = 4,
    CATALOG_SEQUENCES = 5, // (sequence id) -> last value
    CATALOG_STATISTICS = 6,
    CATALOG_ZONE = 7, // (0) -> the virtual cluster's RANGE default
    CATALOG_TRANSACTIONS = 8, // sql/service/xact.h
    CATALOG_SYSTEM_TABLES =
        10, // 10..99: system tables with descriptors (users, settings, jobs, ...).
    CATALOG_SYSTEM_DATABASE = 50, // Its schema public is 51.
    CATALOG_SYSTEM_SCHEMA = 51,
    CATALOG_DEFAULT_DATABASE = 52, // defaultdb, public 53; postgres 54, public 55.
    CATALOG_DEFAULT_SCHEMA = 53,
    CATALOG_POSTGRES_DATABASE = 54,
    CATALOG_POSTGRES_SCHEMA = 55,
    CATALOG_FIRST_ID = 100,
};
// Virtual schemas are in every database and have ids of their own; virtual tables count down from the top.
#define CATALOG_PG_CATALOG_ID 11u
#define CATALOG_INFORMATION_SCHEMA_ID 4294967001u
#define CATALOG_CRDB_INTERNAL_ID 4294967002u
#define CATALOG_VIRTUAL_ID_FIRST 4294960000u

// Types are kept like relations, with which they share names; lookups of relations do not see them.
enum relation_kind {
    RELATION_TABLE,
    RELATION_VIEW,
    RELATION_SEQUENCE,
    RELATION_VIRTUAL,
    RELATION_ENUM,
    RELATION_DOMAIN, // columns[0] is the base type with NOT NULL and DEFAULT; constraints are its checks.
    RELATION_COMPOSITE, // columns are its fields.
    RELATION_FUNCTION,  // columns are its parameters; it has no name of its own in the catalog of names.
    RELATION_COLLATION, // `collation` is all of it; no name of its own there either.
};
static inline bool relation_is_type(enum relation_kind kind)
{
    return kind == RELATION_ENUM || kind == RELATION_DOMAIN || kind == RELATION_COMPOSITE;
}

enum element_state { // Of columns, indexes and constraints in a schema change.
    ELEMENT_PUBLIC,
    ELEMENT_WRITE_ONLY,  // Kept up to date by writes, not read.
    ELEMENT_DELETE_ONLY, // Deletes remove from it.
    ELEMENT_VALIDATING,  // A constraint that new rows must meet while the old ones are checked.
};

struct privilege_grant {
    const char *role;    // Role name; "public" for all.
    uint32_t privileges; // Bits of sql/user/privilege.h.
    uint32_t grantable;
    const char *grantor; // NULL: the owner.
};

struct column_desc {
    uint32_t id; // Never reused in its table.
    const char *name;
    struct type type;
    bool not_null;
    bool hidden;               // rowid
    const char *default_sql;   // Expression text, or NULL.
    const char *generated_sql; // GENERATED ALWAYS AS (...) STORED, or NULL.
    // 0, 'a' (always), 'd' (by default): default_sql is its nextval all the same. Of a function's parameter its
    // mode: 'i', 'o', 'b' (INOUT), 'v' (VARIADIC), 't' (a column of RETURNS TABLE).
    char identity;
    uint32_t owned_sequence; // SERIAL and identity; 0: none.
    struct bytes missing;    // Encoded value of rows older than the column; empty: NULL.
    enum element_state state;
    type_oid domain; // The column's declared type, when it is a domain; `type` is what it stands for.
    const char *collation; // Definition (sql/type/collation.h); NULL: the default one. `type` does not say.
    uint32_t statistics_target; // SET STATISTICS, plus one; 0: the default.
    struct privilege_grant *grants; // Of the column alone.
    uint32_t grant_count;
};

struct column_estimate {
    double distinct; // 0: unknown.
    double null_fraction;
    // Between neighbours lie equal shares of the rows that are not NULL: ranks of sql/plan/statistics.h,
    // ascending. 0: unknown.
    uint32_t bound_count;
    uint64_t *bounds;
};

// CREATE STATISTICS: what ANALYZE learns of several columns and expressions together, its members. The columns come
// first, in the table's order.
#define STATISTICS_MEMBERS_MAX 8u
enum statistics_kind {
    STATISTICS_NDISTINCT = 1 << 0,
    STATISTICS_DEPENDENCIES = 1 << 1,
    STATISTICS_MCV = 1 << 2,
};
struct statistics_desc {
    uint32_t id, schema_id; // Of ids like a relation's.
    const char *name, *owner;
    uint32_t kinds; // Of one expression alone: none.
    uint32_t *columns; // Ids.
    uint32_t column_count;
    struct statistics_expression {
        const char *sql;
        type_oid type;
    } *expressions;
    uint32_t expression_count;
    uint32_t target; // SET STATISTICS, plus one; 0: the default.
};
static inline uint32_t statistics_member_count(const struct statistics_desc *statistics)
{
    return statistics->column_count + statistics->expression_count;
}
// Sets of members are bits, in their order.
struct statistics_estimate {
    uint32_t id; // Of the statistics_desc.
    struct group_estimate {
        uint32_t members;
        double distinct;
    } *groups;
    uint32_t group_count;
    struct dependency_estimate {
        uint32_t from, to; // A set, and the number of a member.
        double degree;     // The share of rows in which those of the set tell the other.
    } *dependencies;
    uint32_t dependency_count;
    struct common_estimate { // A frequent combination of values.
        uint64_t *hashes;    // Of each member's value: type_hash; 0 of NULL.
        const char **texts;  // NULL: NULL. Not kept in descriptors.
        double frequency, base_frequency; // The latter: if they were independent.
    } *common;
    uint32_t common_count, member_count;
    struct expression_estimate {
        double distinct, null_fraction, size_average;
    } *expressions;
    uint32_t expression_count;
};

struct index_column {
    uint32_t column_id; // Of an expression: the oid of its type.
    bool descending;
    bool nulls_reversed; // NULLS FIRST of an ascending column, NULLS LAST of a descending one.
    const char *expression_sql; // Of an expression index, else NULL.
    const char *collation; // Its definition, where it is not the column's own; NULL.
    uint32_t operator_class; // pg_opclass's id, when it is not the type's default one; of a gin index always.
};
struct index_desc {
    uint32_t id; // Never reused in its table. The primary index is indexes[0], whatever its id.
    const char *name;
    bool unique, primary;
    bool from_constraint; // Made by UNIQUE or PRIMARY KEY.
    bool inverted; // USING gin: sql/type/inverted.h
    struct index_column *columns;
    uint32_t column_count;
    uint32_t *stored; // STORING/INCLUDE column ids.
    uint32_t stored_count;
    const char *predicate_sql;
    enum element_state state;
    struct bytes zone; // sql/service/zone_object.h; none: size 0.
    // Of a deferrable key, whose equal entries may be there until it is checked: as those of an index that is not unique.
    bool deferrable, initially_deferred;
    bool primary_key; // Is such a primary key; the rows lie in the hidden one.
    bool nulls_not_distinct; // Of a unique one: entries with NULLs in the same places are equal.
};
// No two entries are ever equal.
static inline bool index_is_unique(const struct index_desc *index)
{
    return index->unique && !index->deferrable;
}
// A PRIMARY KEY constraint's, or the hidden one.
static inline bool index_is_key(const struct index_desc *index)
{
    return index->primary || index->primary_key;
}

enum table_constraint_kind { TABLE_CHECK, TABLE_FOREIGN_KEY };
struct constraint_desc {
    uint32_t id;
    const char *name;
    enum table_constraint_kind kind;
    const char *check_sql;
    uint32_t *columns; // Of this table.
    uint32_t column_count;
    uint32_t referenced_table;
    uint32_t *referenced_columns;
    enum reference_action on_delete, on_update; // sql/parse/ast.h
    bool not_valid;
    enum element_state state;
    bool deferrable, initially_deferred; // Foreign keys.
    bool match_full;
    bool no_inherit; // As written of a check; there is no inheritance.
};
// A foreign key of another table that points here: what a delete or key update must look at.
struct fk_back_reference {
    uint32_t table_id;
    uint32_t constraint_id;
};

// What a table is to become. Rows that are written meanwhile are written as the target's too.
struct table_rewrite {
    struct table_desc *target;   // Its indexes are write-only.
    const char **column_sql;     // Per column of the target, over the table's own; NULL: NULL.
    uint32_t column_count;
    // How the values are made, whoever writes: settings of the session that asked for it.
    const char *zone;
    uint32_t date_style, date_order, interval_style, bytea_output, xml_binary, xml_option;
    int64_t float_digits;
};

struct table_desc {
    uint32_t id, database_id, schema_id;
    uint32_t version;
    struct hlc_timestamp
        modified; // An instant at which this version was in force (not the first one).
    const char *name;
    enum relation_kind kind;
    struct column_desc *columns; // In attnum order, dropped ones gone.
    uint32_t column_count;
    uint32_t next_column_id, next_index_id, next_constraint_id;
    struct index_desc *indexes; // indexes[0] is the primary one.
    uint32_t index_count;
    struct constraint_desc *constraints;
    uint32_t constraint_count;
    struct fk_back_reference *referenced_by;
    uint32_t referenced_by_count;
    bool unlogged; // Said to be: it is as safe as any other.
    bool writes_blocked; // Its rows are being rewritten: whoever writes gets 40001, to try again.
    struct table_rewrite *rewrite; // They are being rewritten, and whoever writes takes part; or NULL.
    const char *view_sql;
    char check_option; // Of a view: 0, 'l' (local), 'c' (cascaded).
    // Of a view: 0 (not said), 'f', 't'. No condition of a query is tried on rows that the view's own hide; who reads
    // it needs the right to what it reads.
    char security_barrier, security_invoker;
    bool materialized, populated; // A table that keeps the rows of view_sql.
    uint32_t *depends_on; // Relations a view uses.
    uint32_t depends_on_count;
    uint32_t *depended_by; // Views that use this one.
    uint32_t depended_by_count;
    struct sequence_options {
        type_oid type;
        int64_t start, increment, minimum, maximum, cache;
        bool cycle;
        uint32_t owner_table, owner_column;
    } sequence;
    struct function_desc {
        struct type result;     // void when it gives nothing.
        bool returns_set, returns_table; // The latter: written RETURNS TABLE.
        bool strict, leakproof;
        char kind;              // 'f' function, 'p' procedure.
        char volatility, parallel; // 'i' 's' 'v'; 'u' 'r' 's'
        char body_kind;         // 'q' view_sql is the body's text; 'r' and 'a' are of SQL's own form.
        const char *cost, *rows; // As written; NULL: the default.
        struct function_statement {
            const char *sql;
        } *statements; // The body's, one by one.
        uint32_t statement_count;
        struct function_setting { // What SET says: in force while it runs.
            const char *name, *value;
        } *settings;
        uint32_t setting_count;
    } function;
    struct statistics_desc *statistics;
    uint32_t statistics_count;
    const char *collation; // RELATION_COLLATION: its definition.
    struct bytes zone;     // sql/service/zone_object.h; none: size 0.
    struct type_label *labels; // RELATION_ENUM: in their order.
    uint32_t label_count, next_label_id;
    const char *owner;
    struct privilege_grant *grants;
    uint32_t grant_count;
    uint32_t public_revoked; // Of what everybody has of a function or type unless it is taken away.
    const struct virtual_table *virtual_table; // RELATION_VIRTUAL.
    // Estimates, from the newest statistics; 0 rows when there are none.
    uint64_t row_estimate;
    struct column_estimate *column_estimates; // In the order of `columns`; NULL: unknown.
    struct statistics_estimate *statistics_estimates; // In any order.
    uint32_t statistics_estimate_count;
};

// ALTER DEFAULT PRIVILEGES: what new objects of a role come with.
struct default_grant {
    const char *owner;  // Who makes them.
    uint32_t schema_id; // 0: in any.
    char object;        // 'r' tables and views, 'S' sequences, 'n' schemas, 'f' functions, 'T' types.
    const char *role;   // Who may.
    uint32_t privileges, grantable;
};
struct database_desc {
    uint32_t id;
    const char *name, *owner;
    const char *collate; // As LC_COLLATE was written; NULL: C.UTF-8. Whichever it is, bytes are compared.
    struct privilege_grant *grants;
    uint32_t grant_count;
    uint32_t *types; // Ids of its user-defined types.
    uint32_t type_count;
    uint32_t *collations; // Ids of its collations.
    uint32_t collation_count;
    uint32_t *functions; // Ids of its functions and procedures.
    uint32_t function_count;
    struct default_grant *defaults;
    uint32_t default_count;
    struct bytes zone; // sql/service/zone_object.h; none: size 0.
};
struct schema_desc {
    uint32_t temp_node;      // pg_temp_N: one more than the number of its session's node.
    int64_t temp_created_us; // When that session began.
    uint32_t id, database_id;
    const char *name, *owner;
    struct privilege_grant *grants;
    uint32_t grant_count;
};

// --- lookups, for the planner and everyone ------------------------------------------------------------

// A transaction's view of the catalog: pins what it uses, knows its own uncommitted changes. One per SQL
// transaction, in the session.
struct catalog_view;
CHECKED struct status catalog_view_open(
    struct task *task, struct kv_txn *txn, struct catalog_view **view);
void catalog_view_close(struct catalog_view *view); // Unpins everything. Does not suspend.
// After ROLLBACK TO SAVEPOINT took writes out of the transaction: what the view remembers is looked up anew.
void catalog_view_rolled_back(struct catalog_view *view);

// What a name stands for that is neither table nor view nor sequence: PostgreSQL has more kinds of relations.
enum other_relation {
    OTHER_NOTHING,
    OTHER_INDEX,
    OTHER_COMPOSITE, // A composite type.
    OTHER_DENIED,    // In a schema that the user may not use: the binder's.
};

// Names of relations and types are as their user has written them: who has no USAGE of a schema that one says gets 42501,
// `missing_ok` or not. (The search path has none of these schemas: sql/session/search_path.h.)
//
// `schema` NULL: the search path, in order. *table NULL with status ok when there is none and `missing_ok`.
// The search path always has pg_catalog first (virtual tables), as in PostgreSQL.
CHECKED struct status catalog_table(struct task *task, struct session *session,
    const char *database, const char *schema, const char *name, bool missing_ok,
    const struct table_desc **table);
// A name in the text of a view or the like, which somebody else has written: it needs no USAGE.
CHECKED struct status catalog_kept_table(struct task *task, struct session *session,
    const char *database, const char *schema, const char *name, bool missing_ok,
    const struct table_desc **table);
// For names of other things: that the user may use what is in the schema, when there is one of the name. NULL: ok.
CHECKED struct status catalog_check_usage(
    struct task *task, struct session *session, const char *database, const char *schema);
// Of a name for which catalog_table() has no table.
CHECKED struct status catalog_other_relation(struct task *task, struct session *session,
    const char *database, const char *schema, const char *name, enum other_relation *other);
// 42P01 when there is none.
CHECKED struct status catalog_table_by_id(
    struct task *task, struct session *session, uint32_t id, const struct table_desc **table);
// An index by its own name. *index NULL when there is none and `missing_ok`; else 42704.
CHECKED struct status catalog_index(struct task *task, struct session *session,
    const char *database, const char *schema, const char *name, bool missing_ok,
    const struct table_desc **table, const struct index_desc **index);
CHECKED struct status catalog_database(struct task *task, struct session *session, const char *name,
    bool missing_ok, const struct database_desc **database);
CHECKED struct status catalog_schema(struct task *task, struct session *session,
    const char *database, const char *name, bool missing_ok, const struct schema_desc **schema);
// By id, virtual schemas too. 3D000, 3F000 when there is none.
CHECKED struct status catalog_database_by_id(
    struct task *task, struct session *session, uint32_t id, const struct database_desc **database);
CHECKED struct status catalog_schema_by_id(
    struct task *task, struct session *session, uint32_t id, const struct schema_desc **schema);
// Adds the names of a table and of what is in it (or NULL) to an error.
struct status catalog_status_names(struct task *task, struct session *session, struct arena *arena,
    struct status st, const struct table_desc *table, const char *column, const char *constraint);
// Lists, in id order, in `arena`: for SHOW, pg_catalog and DROP ... CASCADE. database_id 0: all.
CHECKED struct status catalog_list_databases(struct task *task, struct session *session,
    struct arena *arena, const struct database_desc ***databases, uint32_t *count);
CHECKED struct status catalog_list_schemas(struct task *task, struct session *session,
    struct arena *arena, uint32_t database_id, const struct schema_desc ***schemas,
    uint32_t *count);
CHECKED struct status catalog_list_tables(struct task *task, struct session *session,
    struct arena *arena, uint32_t database_id, const struct table_desc ***tables, uint32_t *count);

// All that the database has of relations, types, functions and collations. Without estimates. database_id 0: all.
CHECKED struct status catalog_list_objects(struct task *task, struct session *session,
    struct arena *arena, uint32_t database_id, const struct table_desc ***objects, uint32_t *count);

// User-defined types: sql/catalog/catalog_type.c. By name, as catalog_table; NULL when there is none.
CHECKED struct status catalog_type(struct task *task, struct session *session, const char *database,
    const char *schema, const char *name, const struct table_desc **type);
// All of the database, in `arena`, in id order.
CHECKED struct status catalog_list_types(struct task *task, struct session *session,
    struct arena *arena, uint32_t database_id, const struct table_desc ***types, uint32_t *count);
// Functions and procedures of the database, in `arena`, in the order in which they were made.
CHECKED struct status catalog_list_collations(struct task *task, struct session *session,
    struct arena *arena, uint32_t database_id, const struct table_desc ***collations,
    uint32_t *count);
CHECKED struct status catalog_list_functions(struct task *task, struct session *session,
    struct arena *arena, uint32_t database_id, const struct table_desc ***functions,
    uint32_t *count);
// "s.mood": as a stored expression names it.
CHECKED struct status catalog_type_text(struct task *task, struct session *session,
    struct arena *arena, const struct table_desc *type, const char **text);
// Of a table or view: the type of its rows.
static inline type_oid catalog_type_oid(const struct table_desc *type)
{
    return type_user_oid(type->id, type->kind == RELATION_ENUM     ? TYPE_USER_ENUM
                                   : type->kind == RELATION_DOMAIN ? TYPE_USER_DOMAIN
                                                                   : TYPE_USER_COMPOSITE);
}
// Makes the shard know the type's labels, so that values can be read and written. A change that is not
// committed yet is not told, unless the type itself is new.
void catalog_type_install(struct session *session, const struct table_desc *type);
// The same for the types of a table's columns.
CHECKED struct status catalog_install_column_types(
    struct task *task, struct session *session, const struct table_desc *table);

const struct column_desc *table_column(const struct table_desc *table, const char *name);
const struct column_desc *table_column_by_id(const struct table_desc *table, uint32_t id);
const struct index_desc *table_index_by_id(const struct table_desc *table, uint32_t id);
// A number that differs whenever what this session reads of the catalog may differ from what another with the same number
// read. 0: changes are under way, or the session reads the past; never equal to anything.
uint64_t catalog_epoch(const struct session *session);
// Whether the cached plan's table is still the one in force for this view (same id and version).
// A load and a few compares when it is cached.
CHECKED struct status catalog_table_current(
    struct task *task, struct session *session, uint32_t id, uint32_t version, bool *current);

// To be called for each table that a transaction writes or locks, once it uses the descriptor: its commit
// then fails with 40001 when the table was changed meanwhile. 40001 at once when its rows are being
// rewritten. Virtual tables: nothing.
CHECKED struct status catalog_depend(struct session *session, const struct table_desc *table);
// The same for a table that is only read: a schema change moves rows (TRUNCATE, a new primary key) without
// touching those that were read, so that a transaction which writes elsewhere must notice it here.
void catalog_depend_read(struct session *session, const struct table_desc *table);
// For a table whose rows are being rewritten: waits until they are (or the task is cancelled), and then fails with
// 40001, because this transaction's snapshot is of before.
CHECKED struct status catalog_wait_writable(
    struct task *task, struct session *session, const struct table_desc *table);

// Keeps a descriptor beyond its view. Same shard.
void catalog_pin(const struct table_desc *table);
void catalog_unpin(const struct table_desc *table);

// Forgets all that this node has cached of a tenant: after its data was replaced beneath it (cutover, restore).
CHECKED struct status catalog_forget_tenant(struct task *task, uint64_t tenant);
// On this shard: whether the tenant's catalog changes without announcements, as replication brings it.
void catalog_unannounced_set(struct shard *shard, uint64_t tenant, bool unannounced);
// Sets up and takes down this layer's part of a shard.
void catalog_shard_init(struct shard *shard);
void catalog_shard_fini(struct shard *shard);

// --- keys --------------------------------------------------------------------------------------------

void catalog_append_index_prefix(
    struct buffer *key, uint64_t tenant, uint32_t table_id, uint32_t index_id);
struct span catalog_index_span(
    struct arena *arena, uint64_t tenant, uint32_t table_id, uint32_t index_id);
struct span catalog_relation_span(struct arena *arena, uint64_t tenant, uint32_t table_id);
struct bytes catalog_descriptor_key(struct arena *arena, uint64_t tenant, uint32_t id);

// --- virtual tables ----------------------------------------------------------------------------------

// A table whose rows are made when read: pg_catalog, information_schema, crdb_internal. Registered at
// start-up by any layer.
struct virtual_table_sink; // virtual_table_row(sink, datums): one row.
struct virtual_table {
    const char *schema, *name;
    const struct virtual_column {
        const char *name;
        type_oid type;
    } * columns;
    uint32_t column_count;
    // Produces all rows. May suspend.
    struct status (*rows)(
        struct task *task, struct session *session, struct virtual_table_sink *sink);
    bool system_only; // Listed in the system virtual cluster only; elsewhere its rows are refused.
};
void virtual_table_register(const struct virtual_table *table);
const struct virtual_table *virtual_table_of(const struct virtual_table_sink *sink);
// Datums are copied. 53200 beyond the statement's memory.
CHECKED struct status virtual_table_row(
    struct virtual_table_sink *sink, const struct datum *values);
// For the executor: all rows, row by row, in `arena`. 0A000 for a table whose rows nobody makes.
CHECKED struct status virtual_table_collect(struct task *task, struct session *session,
    const struct table_desc *table, struct arena *arena, struct datum **values,
    uint64_t *row_count);
