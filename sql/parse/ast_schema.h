// SPDX-License-Identifier: GPL-3.0-or-later
//
// CREATE, ALTER, DROP and their parts in the statement tree.
//
// Part of sql/parse/ast.h, which says what holds for all of the tree: include that one.
//
// Shard    Plain data; see sql/parse/ast.h.
// Memory   The parser's arena.
#pragma once
#include "sql/parse/ast_query.h"

struct set_variable;

enum object_kind {
    OBJECT_TABLE,
    OBJECT_VIEW,
    OBJECT_MATERIALIZED_VIEW,
    OBJECT_INDEX,
    OBJECT_SEQUENCE,
    OBJECT_SCHEMA,
    OBJECT_DATABASE,
    OBJECT_TYPE,
    OBJECT_DOMAIN,
    OBJECT_FUNCTION,
    OBJECT_PROCEDURE,
    OBJECT_ROUTINE,
    OBJECT_AGGREGATE,
    OBJECT_COLUMN,
    OBJECT_CONSTRAINT, // Of a table.
    OBJECT_DOMAIN_CONSTRAINT,
    OBJECT_ROLE,
    OBJECT_TRIGGER,
    OBJECT_POLICY,
    OBJECT_EXTENSION,
    OBJECT_STATISTICS,
    OBJECT_COLLATION,
    OBJECT_ATTRIBUTE,
    OBJECT_LANGUAGE,
    OBJECT_LARGE_OBJECT,
    OBJECT_TABLESPACE,
    OBJECT_OTHER,
    OBJECT_RANGE,     // Zone configurations: RANGE default, and
    OBJECT_PARTITION, // PARTITION p OF TABLE t.
};
// "table", "materialized view"...: for messages.
const char *object_kind_name(enum object_kind kind);

enum drop_behavior { DROP_DEFAULT, DROP_RESTRICT, DROP_CASCADE };
enum persistence { PERSISTENCE_PERMANENT, PERSISTENCE_TEMPORARY, PERSISTENCE_UNLOGGED };

enum constraint_kind {
    CONSTRAINT_NULL,
    CONSTRAINT_NOT_NULL,
    CONSTRAINT_DEFAULT,   // expr
    CONSTRAINT_IDENTITY,  // by_default, options (of its sequence)
    CONSTRAINT_GENERATED, // expr, is_virtual
    CONSTRAINT_CHECK,     // expr
    CONSTRAINT_PRIMARY_KEY,
    CONSTRAINT_UNIQUE,
    CONSTRAINT_FOREIGN_KEY,
    CONSTRAINT_EXCLUSION, // Refused by DDL.
    CONSTRAINT_ON_UPDATE, // expr: c timestamptz ON UPDATE now()
};
enum reference_action {
    REFERENCE_NO_ACTION,
    REFERENCE_RESTRICT,
    REFERENCE_CASCADE,
    REFERENCE_SET_NULL,
    REFERENCE_SET_DEFAULT,
};
enum reference_match { MATCH_SIMPLE, MATCH_FULL, MATCH_PARTIAL };

struct constraint {
    enum constraint_kind kind;
    const char *name; // NULL: to be made up.
    uint32_t position;
    struct expr *expr;
    bool by_default; // IDENTITY: BY DEFAULT, not ALWAYS.
    bool is_virtual; // GENERATED ... VIRTUAL (own).
    bool nulls_not_distinct;
    bool deferrable;
    bool initially_deferred;
    bool not_valid;
    bool no_inherit;
    struct name_list columns;  // Keys; empty in a column's own constraint.
    struct name_list storing;  // INCLUDE, STORING
    const char *using_index;   // ADD PRIMARY KEY USING INDEX i
    struct option_list options;
    // Foreign keys
    struct object_name referenced;
    struct name_list referenced_columns; // Empty: the primary key.
    struct name_list set_columns;        // ON DELETE SET NULL (a, b)
    enum reference_match match;
    enum reference_action on_delete;
    enum reference_action on_update;
};

struct column_definition {
    const char *name;
    struct type_name *type;       // NULL in CREATE TABLE ... OF and in column lists of AS.
    struct object_name collation; // .name NULL: none.
    struct constraint *constraints; // Deferrability already folded into the constraint it follows.
    uint32_t constraint_count;
    bool not_visible; // NOT VISIBLE
    const char *family; // FAMILY f, CREATE FAMILY f; NULL: none.
    uint32_t position;
};

struct like_clause {
    struct object_name source;
    uint32_t options; // Bits of PostgreSQL's TableLikeOption.
    uint32_t after;   // How many of the statement's own columns stand before it.
};

struct create_index {
    const char *name; // NULL: to be made up.
    struct object_name table;
    bool if_not_exists;
    bool unique;
    bool concurrently;
    bool nulls_not_distinct;
    bool only;
    bool inverted;      // CREATE INVERTED INDEX
    bool not_visible;
    const char *method; // "btree" by default.
    struct index_element_list elements;
    struct name_list storing; // INCLUDE, STORING, COVERING
    struct expr *where;
    struct option_list options;
    uint32_t position;
};

struct family {
    const char *name; // NULL: none.
    struct name_list columns;
};

enum on_commit { ON_COMMIT_NONE, ON_COMMIT_PRESERVE, ON_COMMIT_DELETE, ON_COMMIT_DROP };

struct create_table {
    struct object_name name;
    bool if_not_exists;
    enum persistence persistence;
    struct column_definition *columns;
    uint32_t column_count;
    struct constraint *constraints;
    uint32_t constraint_count;
    struct like_clause *likes;
    uint32_t like_count;
    struct create_index *indexes; // INDEX i (a) inside the parentheses.
    uint32_t index_count;
    struct family *families; // FAMILY f (a, b)
    uint32_t family_count;
    struct object_name_list inherits;
    struct option_list options;
    enum on_commit on_commit;
    const char *method;      // USING m
    const char *tablespace;
    const char *unsupported; // "PARTITION BY", "OF type"...; else NULL.
};

struct create_table_as {
    struct object_name name;
    bool if_not_exists;
    bool materialized_view;
    bool select_into; // SELECT ... INTO t
    enum persistence persistence;
    struct name_list columns;
    struct option_list options;
    struct statement *query; // SELECT or EXECUTE.
    enum on_commit on_commit;
    bool with_no_data;
};

struct create_view {
    struct object_name name;
    bool or_replace;
    enum persistence persistence;
    struct name_list columns;
    struct select *query;
    bool into; // SELECT ... INTO, which a view may not be.
    enum { VIEW_CHECK_NONE, VIEW_CHECK_LOCAL, VIEW_CHECK_CASCADED } check;
    struct option_list options;
};

struct reindex {
    enum { REINDEX_INDEX, REINDEX_TABLE, REINDEX_SCHEMA, REINDEX_SYSTEM, REINDEX_DATABASE } kind;
    struct object_name name;    // Of a schema or database: only .name.
    struct option_list options; // verbose, concurrently, tablespace
};

struct refresh_view {
    struct object_name name;
    bool concurrently;
    bool with_no_data;
};

struct create_database {
    const char *name;
    bool if_not_exists;
    struct option_list options; // owner, template, encoding, ...
};

struct create_schema {
    const char *name; // NULL: that of the owner.
    bool if_not_exists;
    bool has_owner;
    struct role_name owner;
    struct statement **elements; // CREATE TABLE ... inside CREATE SCHEMA.
    uint32_t element_count;
};

// CREATE SEQUENCE, ALTER SEQUENCE. Options: start, increment, minvalue, maxvalue (without value: NO
// MAXVALUE), cache, cycle (bool), owned_by (EXPR_COLUMN; none is count 1 "none"), as, restart.
struct sequence {
    struct object_name name;
    bool if_not_exists; // ALTER: IF EXISTS.
    enum persistence persistence;
    struct option_list options;
    struct type_name *type; // AS type; NULL: bigint.
};

struct create_enum {
    struct object_name name;
    struct bytes *values;
    uint32_t value_count;
};

// --- functions ---

struct function_parameter {
    const char *name; // "": none.
    char mode;        // 'i' IN, 'o' OUT, 'b' INOUT, 'v' VARIADIC, 't' a column of RETURNS TABLE.
    struct type_name *type;
    struct expr *default_expr;
};
struct function_options { // 0: not written.
    char volatility; // 'i', 's', 'v'
    char parallel;   // 'u', 'r', 's'
    char strict, leakproof, security_definer; // 'y', 'n'
    const char *cost, *rows;
    struct set_variable **settings; // SET and RESET, in their order.
    uint32_t setting_count;
    const char *unsupported; // What else was written.
};
struct create_function {
    struct object_name name;
    bool replace, procedure;
    struct function_parameter *parameters;
    uint32_t parameter_count;
    struct type_name *returns; // NULL: from OUT parameters.
    const char *language;      // NULL: not written.
    struct function_options options;
    const char *body;               // AS '...'
    char body_kind;                 // 'q' a string, 'r' RETURN, 'a' BEGIN ATOMIC, 0 none.
    struct statement **statements;  // Of the last two.
    uint32_t statement_count;
};
struct alter_function {
    enum object_kind object;
    struct object_name name;
    struct function_options options;
};

struct create_collation {
    struct object_name name;
    bool if_not_exists;
    struct option_list options;
    struct object_name from; // .name NULL: from options.
};

struct create_composite {
    struct object_name name;
    struct column_definition *columns;
    uint32_t column_count;
};

struct create_domain {
    struct object_name name;
    struct type_name *type;
    struct object_name collation; // .name NULL: none.
    struct constraint *constraints;
    uint32_t constraint_count;
};

struct alter_domain {
    enum {
        DOMAIN_DEFAULT, // expr; NULL: DROP DEFAULT
        DOMAIN_SET_NOT_NULL,
        DOMAIN_DROP_NOT_NULL,
        DOMAIN_ADD_CONSTRAINT,
        DOMAIN_DROP_CONSTRAINT,
        DOMAIN_VALIDATE_CONSTRAINT,
    } kind;
    struct object_name name;
    const char *constraint_name;
    struct expr *expr;
    struct constraint *constraint;
    bool missing_ok;
    enum drop_behavior behavior;
};

struct alter_enum {
    struct object_name name;
    const char *old_value; // RENAME VALUE; else NULL.
    const char *new_value;
    const char *neighbor; // BEFORE or AFTER; else NULL.
    bool after;
    bool if_not_exists;
};

struct create_extension {
    const char *name;
    bool if_not_exists;
    struct option_list options;
};

struct create_statistics {
    struct object_name name;
    bool if_not_exists;
    struct name_list kinds;
    struct expr_list columns; // And expressions.
    struct object_name_list tables;
    bool other_than_names;    // FROM has more than these.
};

struct alter_statistics { // SET STATISTICS
    struct object_name name;
    bool if_exists;
    int64_t target;
};

enum alter_kind {
    ALTER_ADD_COLUMN,
    ALTER_DROP_COLUMN,
    ALTER_COLUMN_TYPE, // definition.type, .collation; expr: USING
    ALTER_COLUMN_SET_DEFAULT,
    ALTER_COLUMN_DROP_DEFAULT,
    ALTER_COLUMN_SET_NOT_NULL,
    ALTER_COLUMN_DROP_NOT_NULL,
    ALTER_COLUMN_SET_VISIBLE,
    ALTER_COLUMN_SET_NOT_VISIBLE,
    ALTER_COLUMN_ADD_IDENTITY,
    ALTER_COLUMN_SET_IDENTITY, // options: generated ('a', 'd'), restart and those of its sequence
    ALTER_COLUMN_DROP_IDENTITY,
    ALTER_COLUMN_DROP_EXPRESSION,
    ALTER_COLUMN_SET_STATISTICS,
    ALTER_ADD_CONSTRAINT,
    ALTER_DROP_CONSTRAINT,
    ALTER_VALIDATE_CONSTRAINT,
    ALTER_CONSTRAINT, // Only what `constraint` says of deferring.
    ALTER_SET_LOGGED,
    ALTER_SET_UNLOGGED,
    ALTER_PRIMARY_KEY, // ALTER PRIMARY KEY USING COLUMNS (...): constraint.columns
    ALTER_OWNER,
    ALTER_SET_OPTIONS,
    ALTER_RESET_OPTIONS,
    ALTER_UNSUPPORTED, // `unsupported` says what; such a statement comes as STATEMENT_UNSUPPORTED.
};
struct alter_command {
    enum alter_kind kind;
    const char *name; // Of the column or constraint.
    bool missing_ok;  // IF EXISTS, IF NOT EXISTS
    enum drop_behavior behavior;
    struct column_definition *definition;
    struct constraint *constraint;
    struct expr *expr; // Default, USING, or statistics target.
    struct role_name owner;
    struct option_list options;
    const char *unsupported;
    uint32_t position;
};
struct alter_table {
    enum object_kind object; // TABLE, INDEX, VIEW, MATERIALIZED_VIEW, SEQUENCE
    struct object_name name;
    bool if_exists;
    struct alter_command *commands;
    uint32_t command_count;
};

struct rename {
    enum object_kind object;   // COLUMN and CONSTRAINT: `part` of `name`.
    enum object_kind relation; // For COLUMN: of what.
    struct object_name name;   // DATABASE, SCHEMA, ROLE: only .name.
    const char *part;
    const char *new_name;
    bool if_exists;
    enum drop_behavior behavior;
};

struct alter_owner {
    enum object_kind object;
    struct object_name name;
    struct role_name owner;
};

struct alter_object_schema {
    enum object_kind object;
    struct object_name name;
    const char *new_schema;
    bool if_exists;
};

struct drop {
    enum object_kind object;
    struct object_name_list names; // SCHEMA, DATABASE, EXTENSION: only .name.
    struct name_list parts;        // TRIGGER, POLICY: names[i] is the table.
    bool if_exists;
    bool concurrently;
    bool force; // DROP DATABASE d WITH (FORCE)
    enum drop_behavior behavior;
};

struct truncate {
    struct object_name_list tables;
    bool restart_identity;
    enum drop_behavior behavior;
};

struct comment {
    enum object_kind object;
    struct object_name name; // COLUMN, CONSTRAINT: of the relation.
    const char *part;        // Column, constraint, trigger...
    bool is_null;
    struct bytes text;
};

// ALTER DATABASE d SET v = ..., ALTER ROLE r [IN DATABASE d] SET ...
struct alter_settings {
    const char *database; // NULL: none.
    bool all_roles;       // ALTER ROLE ALL
    bool has_role;
    struct role_name role;
    struct set_variable *set;
};

// ALTER DATABASE d WITH ...
struct alter_database {
    const char *name;
    struct option_list options;
};
