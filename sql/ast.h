// SPDX-License-Identifier: GPL-3.0-or-later
//
// The statement tree: what the parser makes of SQL text, and all that planning, DDL and
// administration read of it. It holds what was written, before any name or type is looked up. Both
// grammars (PostgreSQL's through libpg_query, and our own for the statements it lacks) make this
// tree.
//
// A statement is dispatched by `tag`; the member of the union `as` that goes with each tag stands
// in the list STATEMENT_TAGS. Identifiers are NUL-terminated, folded to lower case unless quoted,
// at most 63 bytes; an absent name is NULL. Literal texts are struct bytes.
//
// Shard    Plain data without owner or lock; read by whoever holds the arena.
// Memory   Everything lies in the arena given to parse_sql; nothing is freed piecewise. Texts of
//          literals are copied, so the tree does not need the statement's text.
// Errors   None: the tree is valid by construction, and what it can hold is more than what runs.
// Source   PostgreSQL 15 (parsenodes.h for the meaning of the fields), docs: reference pages.
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "core/bytes.h"

// Depth of the deepest path in a tree that parse_sql accepts; deeper is 54001.
#define AST_DEPTH_MAX 2000u
// Longest identifier in bytes; longer ones are cut, as in PostgreSQL.
#define IDENTIFIER_BYTES_MAX 63u

// A position is a byte offset into the text given to parse_sql (of all statements, from 0).
#define POSITION_NONE UINT32_MAX

struct expr;
struct select;
struct statement;
struct from_item;

// --- lists and names -----------------------------------------------------------------------------

struct expr_list {
    struct expr **items;
    uint32_t count;
};

struct name_list {
    const char **items;
    uint32_t count;
};

// [[catalog.]schema.]name. For an index written t@i, `name` is i and `table` is t.
struct object_name {
    const char *catalog;
    const char *schema;
    const char *name;
    const char *table;
    uint32_t position;
};

struct object_name_list {
    struct object_name *items;
    uint32_t count;
};

enum role_kind { ROLE_NAMED, ROLE_CURRENT, ROLE_SESSION, ROLE_PUBLIC };
struct role_name {
    enum role_kind kind;
    const char *name; // ROLE_NAMED.
    uint32_t position;
};
struct role_list {
    struct role_name *items;
    uint32_t count;
};

// name [= value], for every WITH (...) and option list. Names are lower case. A word given as value
// (FORMAT csv) is a string literal; a list in parentheses is EXPR_ROW; `*` is EXPR_COLUMN with
// star.
struct option {
    const char *name;
    struct expr *value; // NULL: written without one.
    uint32_t position;
};
struct option_list {
    struct option *items;
    uint32_t count;
};

// A type as written. Built-in spellings are normalised as PostgreSQL does: INT gives
// pg_catalog.int4, VARCHAR(5) gives pg_catalog.varchar with one modifier.
struct type_name {
    const char *schema;
    const char *name;
    struct expr_list modifiers; // numeric(10,2): 10 and 2. interval: field mask, precision.
    uint32_t array_dimensions;  // int[][]: 2. Bounds are not kept: PostgreSQL ignores them.
    bool setof;
    bool percent_type; // t.c%TYPE.
    uint32_t position;
};
struct type_list {
    struct type_name **items;
    uint32_t count;
};

// --- expressions ---------------------------------------------------------------------------------

enum expr_kind {
    EXPR_LITERAL,
    EXPR_PARAMETER,
    EXPR_COLUMN,
    EXPR_OPERATOR,
    EXPR_AND,
    EXPR_OR,
    EXPR_NOT,
    EXPR_IS,
    EXPR_DISTINCT, // a IS [NOT] DISTINCT FROM b
    EXPR_BETWEEN,
    EXPR_IN,       // a [NOT] IN (list); with a query it is EXPR_SUBLINK
    EXPR_LIKE,
    EXPR_ANY_ALL,  // a op ANY|ALL (array)
    EXPR_FUNCTION,
    EXPR_CAST,
    EXPR_CASE,
    EXPR_COALESCE,
    EXPR_GREATEST,
    EXPR_LEAST,
    EXPR_NULLIF,
    EXPR_SUBLINK,
    EXPR_ARRAY,     // ARRAY[...]
    EXPR_SUBSCRIPT, // a[i], a[i:j]
    EXPR_FIELD,     // (a).f, (a).*
    EXPR_ROW,       // ROW(...), (a, b)
    EXPR_COLLATE,
    EXPR_SQL_VALUE, // CURRENT_DATE and its family
    EXPR_DEFAULT,   // DEFAULT in VALUES or SET
    EXPR_GROUPING,  // GROUPING(a, b)
    EXPR_GROUPING_SET,
    EXPR_NAMED_ARGUMENT, // name => a
    EXPR_CURRENT_OF,     // WHERE CURRENT OF cursor
};

enum literal_kind {
    LITERAL_NULL,
    LITERAL_BOOL,
    LITERAL_INTEGER, // Fits int4: `integer`. What does not is LITERAL_DECIMAL, as in PostgreSQL.
    LITERAL_DECIMAL, // `text`: digits, point, exponent.
    LITERAL_STRING,  // `text`: without quotes, escapes resolved. Of type "unknown".
    LITERAL_BITS,    // `text`: b0101 or x1f.
};

enum is_test {
    IS_NULL,
    IS_NOT_NULL,
    IS_TRUE,
    IS_NOT_TRUE,
    IS_FALSE,
    IS_NOT_FALSE,
    IS_UNKNOWN,
    IS_NOT_UNKNOWN,
};

enum like_kind { LIKE_LIKE, LIKE_ILIKE, LIKE_SIMILAR };

enum sublink_kind {
    SUBLINK_EXISTS,
    SUBLINK_ANY, // `test` op ANY (query); IN is ANY with "="
    SUBLINK_ALL,
    SUBLINK_SCALAR,
    SUBLINK_ARRAY, // ARRAY(query)
};

enum sql_value {
    SQL_CURRENT_DATE,
    SQL_CURRENT_TIME,
    SQL_CURRENT_TIMESTAMP,
    SQL_LOCALTIME,
    SQL_LOCALTIMESTAMP,
    SQL_CURRENT_ROLE,
    SQL_CURRENT_USER,
    SQL_USER,
    SQL_SESSION_USER,
    SQL_CURRENT_CATALOG,
    SQL_CURRENT_SCHEMA,
};

enum grouping_set_kind { GROUPING_EMPTY, GROUPING_ROLLUP, GROUPING_CUBE, GROUPING_SETS };

enum sort_direction { SORT_DEFAULT, SORT_ASC, SORT_DESC, SORT_USING };
enum sort_nulls { SORT_NULLS_DEFAULT, SORT_NULLS_FIRST, SORT_NULLS_LAST };
struct sort_item {
    struct expr *expr;
    enum sort_direction direction;
    enum sort_nulls nulls;
    const char *using_operator; // SORT_USING.
    uint32_t position;
};
struct sort_list {
    struct sort_item *items;
    uint32_t count;
};

enum frame_mode { FRAME_NONE, FRAME_ROWS, FRAME_RANGE, FRAME_GROUPS };
enum frame_bound {
    FRAME_UNBOUNDED_PRECEDING,
    FRAME_OFFSET_PRECEDING,
    FRAME_CURRENT_ROW,
    FRAME_OFFSET_FOLLOWING,
    FRAME_UNBOUNDED_FOLLOWING,
};
enum frame_exclusion { EXCLUDE_NO_OTHERS, EXCLUDE_CURRENT_ROW, EXCLUDE_GROUP, EXCLUDE_TIES };
struct window {
    const char *name;      // In a WINDOW clause, and of OVER w; NULL in OVER (...).
    const char *reference; // OVER (w ...), WINDOW v AS (w ...): the window it is based on.
    struct expr_list partition_by;
    struct sort_list order_by;
    enum frame_mode mode; // FRAME_NONE: written without a frame.
    enum frame_bound start;
    enum frame_bound end;
    struct expr *start_offset;
    struct expr *end_offset;
    enum frame_exclusion exclusion;
    uint32_t position;
};

struct case_when {
    struct expr *condition; // With CASE x: the value that x is compared with.
    struct expr *result;
};

struct function_expr {
    const char *schema; // "pg_catalog" for SQL-syntax forms (EXTRACT, TRIM, AT TIME ZONE ...).
    const char *name;
    struct expr_list args; // For EXTRACT(f FROM x): 'f' and x. For x AT TIME ZONE z: z and x.
    struct sort_list order_by; // Inside the parentheses, or WITHIN GROUP.
    struct expr *filter;
    struct window *over;
    bool star;     // count(*)
    bool distinct;
    bool variadic; // The last argument.
    bool within_group;
    bool sql_syntax;
};

struct expr {
    enum expr_kind kind;
    uint32_t position;
    union {
        struct {
            enum literal_kind kind;
            bool boolean;
            int32_t integer;
            struct bytes text; // Also of an integer: its digits.
        } literal;
        struct {
            uint32_t number; // From 1.
        } parameter;
        struct {
            const char **names; // [catalog.][schema.][table.]column; without the star.
            uint32_t count;     // 0 to 4; 0 only for a bare *.
            bool star;
        } column;
        struct {
            const char *schema; // OPERATOR(s.+)
            const char *name;   // "+", "<>" (for != too), "->>"
            struct expr *left;  // NULL: prefix operator.
            struct expr *right;
        } op;
        struct expr_list list; // AND, OR, COALESCE, GREATEST, LEAST, ARRAY, GROUPING
        struct {
            struct expr *arg;
        } unary; // NOT
        struct {
            struct expr *arg;
            enum is_test test;
        } is;
        struct {
            struct expr *left;
            struct expr *right;
            bool negated; // IS NOT DISTINCT FROM
        } distinct;
        struct {
            struct expr *arg;
            struct expr *low;
            struct expr *high;
            bool negated;
            bool symmetric;
        } between;
        struct {
            struct expr *arg;
            struct expr_list items;
            bool negated;
        } in;
        struct {
            struct expr *arg;
            struct expr *pattern;
            struct expr *escape; // NULL: the default, a backslash.
            enum like_kind kind;
            bool negated;
        } like;
        struct {
            struct expr *left;
            const char *op;
            struct expr *array;
            bool all;
        } any_all;
        struct function_expr *function;
        struct {
            struct expr *arg;
            struct type_name *type;
        } cast;
        struct {
            struct expr *arg; // NULL: CASE WHEN.
            struct case_when *whens;
            uint32_t count;
            struct expr *otherwise; // NULL: NULL.
        } casing;
        struct {
            struct expr *left;
            struct expr *right;
        } nullif;
        struct {
            enum sublink_kind kind;
            struct expr *test; // ANY, ALL; EXPR_ROW for (a, b) IN (...).
            const char *op;    // ANY, ALL.
            struct select *query;
        } sublink;
        struct {
            struct expr *arg;
            struct expr *lower; // The index itself when not a slice; NULL: open.
            struct expr *upper;
            bool slice;
        } subscript;
        struct {
            struct expr *arg;
            const char *name; // NULL: star.
        } field;
        struct {
            struct expr_list items;
            bool spelled; // ROW was written.
        } row;
        struct {
            struct expr *arg;
            struct object_name name;
        } collate;
        struct {
            enum sql_value value;
            int32_t precision; // -1: none.
        } sql_value;
        struct {
            enum grouping_set_kind kind;
            struct expr_list items;
        } grouping_set;
        struct {
            const char *name;
            struct expr *arg;
        } named_argument;
        struct {
            const char *cursor;
        } current_of;
    };
};

// --- queries -------------------------------------------------------------------------------------

// expr [AS alias]: an item of a SELECT list or of RETURNING.
struct target {
    struct expr *expr;
    const char *alias; // NULL: none was written.
    uint32_t position;
};
struct target_list {
    struct target *items;
    uint32_t count;
};

enum cte_materialized { CTE_DEFAULT, CTE_MATERIALIZED, CTE_NOT_MATERIALIZED };
struct cte {
    const char *name;
    struct name_list columns;
    enum cte_materialized materialized;
    struct statement *statement; // SELECT, INSERT, UPDATE or DELETE.
    const char *unsupported;     // "SEARCH" or "CYCLE" when written; else NULL.
    uint32_t position;
};
struct with_clause {
    bool recursive;
    struct cte *items;
    uint32_t count;
    uint32_t position;
};

enum from_kind {
    FROM_TABLE,
    FROM_SUBQUERY,  // Also (VALUES ...) and LATERAL.
    FROM_FUNCTION,
    FROM_JOIN,
    FROM_STATEMENT, // [SHOW JOBS]
};
enum join_kind { JOIN_INNER, JOIN_LEFT, JOIN_RIGHT, JOIN_FULL, JOIN_CROSS };

struct column_definition;

struct from_item {
    enum from_kind kind;
    uint32_t position;
    const char *alias; // NULL: none.
    struct name_list column_aliases;
    bool lateral;
    union {
        struct {
            struct object_name name;
            bool only;               // ONLY t
            const char *index_hint;  // t@i; NULL: none.
            bool no_full_scan;       // t@{NO_FULL_SCAN}
            const char *unsupported; // "TABLESAMPLE"; else NULL.
        } table;
        struct select *query;
        struct {
            struct expr_list calls; // More than one: ROWS FROM (...).
            bool ordinality;
            struct column_definition *columns; // AS (a int, b text)
            uint32_t column_count;
        } function;
        struct {
            enum join_kind kind;
            bool natural;
            struct from_item *left;
            struct from_item *right;
            struct name_list using_columns;
            const char *using_alias;
            struct expr *on; // NULL: USING, NATURAL or CROSS.
        } join;
        struct statement *statement;
    };
};
struct from_list {
    struct from_item **items;
    uint32_t count;
};

enum lock_strength { LOCK_FOR_KEY_SHARE, LOCK_FOR_SHARE, LOCK_FOR_NO_KEY_UPDATE, LOCK_FOR_UPDATE };
enum lock_wait { LOCK_WAIT_BLOCK, LOCK_WAIT_SKIP, LOCK_WAIT_ERROR };
struct locking {
    enum lock_strength strength;
    enum lock_wait wait;
    struct object_name_list of; // Empty: all tables.
    uint32_t position;
};

enum select_kind { SELECT_SIMPLE, SELECT_VALUES, SELECT_UNION, SELECT_INTERSECT, SELECT_EXCEPT };

struct select {
    enum select_kind kind;
    uint32_t position;
    struct with_clause *with;

    // SELECT_SIMPLE
    bool distinct;
    struct expr_list distinct_on;
    struct target_list targets;
    struct from_list from;
    struct expr *where;
    struct expr_list group_by; // May hold EXPR_GROUPING_SET.
    bool group_distinct;
    struct expr *having;
    struct window *windows;
    uint32_t window_count;

    // SELECT_VALUES: `row_count` rows, as written (not checked to be of equal length).
    struct expr_list *rows;
    uint32_t row_count;

    // SELECT_UNION, SELECT_INTERSECT, SELECT_EXCEPT
    bool all;
    struct select *left;
    struct select *right;

    // Every kind
    struct sort_list order_by;
    struct expr *limit; // NULL: none, or LIMIT ALL (a NULL literal) as written.
    struct expr *offset;
    bool with_ties; // FETCH FIRST ... WITH TIES
    struct locking *lockings;
    uint32_t locking_count;
};

struct assignment {
    const char **columns; // More than one: (a, b) = value, with value EXPR_ROW or EXPR_SUBLINK.
    uint32_t count;
    bool indirection; // c[1] = ..., c.f = ...: refused by the planner.
    struct expr *value;
    uint32_t position;
};
struct assignment_list {
    struct assignment *items;
    uint32_t count;
};

struct table_target {
    struct object_name name;
    const char *alias;
    const char *index_hint;
    bool only;
};

// A column or expression of an index, or of ON CONFLICT (...).
struct index_element {
    const char *column; // NULL: `expr`.
    struct expr *expr;
    struct object_name collation;      // .name NULL: none.
    struct object_name operator_class; // .name NULL: none.
    enum sort_direction direction;
    enum sort_nulls nulls;
    uint32_t position;
};
struct index_element_list {
    struct index_element *items;
    uint32_t count;
};

enum conflict_action { CONFLICT_NONE, CONFLICT_NOTHING, CONFLICT_UPDATE };
enum insert_overriding { OVERRIDING_NONE, OVERRIDING_USER, OVERRIDING_SYSTEM };

struct insert {
    struct with_clause *with;
    struct table_target target;
    struct name_list columns;
    uint32_t *column_positions; // columns.count of them.
    bool indirection;           // A column was written with [i] or .f.
    enum insert_overriding overriding;
    struct select *source; // NULL: DEFAULT VALUES.
    bool upsert;           // UPSERT INTO
    enum conflict_action conflict;
    uint32_t conflict_position;
    struct index_element_list conflict_elements; // Empty: any, or by constraint.
    struct expr *conflict_elements_where;
    const char *conflict_constraint;
    struct assignment_list conflict_assignments;
    struct expr *conflict_where;
    struct target_list returning;
};

struct update {
    struct with_clause *with;
    struct table_target target;
    struct assignment_list assignments;
    struct from_list from;
    struct expr *where;
    struct sort_list order_by; // Beyond PostgreSQL: UPDATE ... ORDER BY ... LIMIT.
    struct expr *limit;
    struct target_list returning;
};

struct delete_ {
    struct with_clause *with;
    struct table_target target;
    struct from_list from; // USING
    struct expr *where;
    struct sort_list order_by;
    struct expr *limit;
    struct target_list returning;
};

// --- schema --------------------------------------------------------------------------------------

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
    bool with_no_data;
};

struct create_view {
    struct object_name name;
    bool or_replace;
    enum persistence persistence;
    struct name_list columns;
    struct select *query;
    enum { VIEW_CHECK_NONE, VIEW_CHECK_LOCAL, VIEW_CHECK_CASCADED } check;
    struct option_list options;
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
    struct expr_list columns;
    struct object_name table;
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
    ALTER_COLUMN_DROP_IDENTITY,
    ALTER_COLUMN_DROP_EXPRESSION,
    ALTER_COLUMN_SET_STATISTICS,
    ALTER_ADD_CONSTRAINT,
    ALTER_DROP_CONSTRAINT,
    ALTER_VALIDATE_CONSTRAINT,
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

// --- sessions, transactions, utilities -----------------------------------------------------------

enum set_kind { SET_VALUE, SET_DEFAULT, SET_CURRENT, SET_RESET, SET_RESET_ALL };
struct set_variable {
    enum set_kind kind;
    const char *name; // Lower case, dots kept: "search_path", "myapp.user".
    bool local;
    struct expr_list values; // Literals (a word is a string literal) or casts of them (intervals).
};

enum isolation { ISOLATION_NONE, READ_UNCOMMITTED, READ_COMMITTED, REPEATABLE_READ, SERIALIZABLE };
enum transaction_priority { PRIORITY_NONE, PRIORITY_LOW, PRIORITY_NORMAL, PRIORITY_HIGH };
enum tristate { TRI_NONE, TRI_NO, TRI_YES };
enum transaction_scope { SCOPE_TRANSACTION, SCOPE_SESSION }; // SET SESSION CHARACTERISTICS
struct transaction {
    // BEGIN, SET TRANSACTION. AS OF SYSTEM TIME stands in statement.as_of.
    enum isolation isolation;
    enum tristate read_only;
    enum tristate deferrable;
    enum transaction_priority priority;
    enum transaction_scope scope;
    const char *snapshot; // SET TRANSACTION SNAPSHOT 'x'; else NULL.
    bool chain;           // COMMIT AND CHAIN, ROLLBACK AND CHAIN
    const char *name;     // Savepoint; or the global id of PREPARE TRANSACTION and its family.
};

struct explain {
    bool analyze;
    struct option_list options; // verbose, costs, format, types, opt, distsql, vec, debug...
    struct statement *statement;
};

struct copy {
    struct object_name table; // .name NULL: `query`.
    struct name_list columns;
    struct statement *query;
    bool from;
    bool program;
    bool stdio;           // STDIN, STDOUT
    const char *filename; // When not stdio.
    struct expr *where;
    struct option_list options; // format, delimiter, null, header, quote, escape, ...
};

struct prepare {
    const char *name;
    struct type_list types;
    struct statement *statement;
};

struct execute {
    const char *name;
    struct expr_list args;
};

struct deallocate {
    const char *name; // NULL: ALL.
};

enum discard_what { DISCARD_ALL, DISCARD_PLANS, DISCARD_SEQUENCES, DISCARD_TEMPORARY };
struct discard {
    enum discard_what what;
};

struct vacuum { // VACUUM and ANALYZE
    struct option_list options;
    struct object_name_list tables; // Empty: all.
    struct name_list *columns;      // One list a table.
};

struct set_constraints {
    struct object_name_list names; // Empty: ALL.
    bool deferred;
};

struct lock_table {
    struct object_name_list tables;
    const char *mode; // "ACCESS EXCLUSIVE"
    bool nowait;
};

struct declare_cursor {
    const char *name;
    bool binary;
    bool hold;
    enum tristate scroll;
    enum tristate insensitive;
    struct select *query;
};

enum fetch_direction { FETCH_FORWARD, FETCH_BACKWARD, FETCH_ABSOLUTE, FETCH_RELATIVE };
struct fetch {
    const char *cursor;
    enum fetch_direction direction;
    int64_t count; // INT64_MAX: ALL.
    bool move;     // MOVE
};

struct close_cursor {
    const char *name; // NULL: ALL.
};

struct call {
    struct expr *function; // EXPR_FUNCTION
};

struct unsupported {
    const char *feature; // "CREATE TRIGGER": for the 0A000.
};

// --- users and privileges ------------------------------------------------------------------------

// CREATE and ALTER ROLE. Options, in lower case: superuser, login, createdb, createrole, inherit,
// replication, bypassrls, createlogin, ... with a bool literal (NOLOGIN: login false); password
// (string, parameter or NULL), "connection limit", "valid until" (string or NULL); and the lists
// "in role", role, admin, user as EXPR_ROW of strings.
struct role_statement {
    struct role_name role;
    bool is_user;       // USER was written: LOGIN is the default.
    bool if_not_exists; // ALTER: IF EXISTS.
    struct option_list options;
};

struct drop_role {
    struct role_list roles;
    bool if_exists;
};

struct privilege {
    const char *name; // Lower case; NULL: ALL.
    struct name_list columns;
};

enum grant_target { GRANT_ON_OBJECTS, GRANT_ON_ALL_IN_SCHEMA, GRANT_DEFAULTS };
struct grant { // GRANT and REVOKE
    bool revoke;
    bool grant_option; // WITH GRANT OPTION; REVOKE GRANT OPTION FOR
    enum grant_target target;
    enum object_kind object;
    struct object_name_list names; // Objects, or schemas of GRANT_ON_ALL_IN_SCHEMA.
    struct privilege *privileges;  // Empty: ALL.
    uint32_t privilege_count;
    struct role_list grantees;
    enum drop_behavior behavior;
};

struct grant_role { // GRANT role TO role
    bool revoke;
    bool admin_option;
    struct name_list roles;
    struct role_list grantees;
    enum drop_behavior behavior;
};

struct default_privileges {
    struct role_list for_roles;
    bool for_all_roles;
    struct name_list in_schemas;
    struct grant *grant;
};

struct owned { // DROP OWNED BY, REASSIGN OWNED BY ... TO
    struct role_list roles;
    struct role_name new_owner;
    enum drop_behavior behavior;
};

struct grant_system { // GRANT SYSTEM p, ... TO r
    bool revoke;
    bool grant_option;
    struct name_list privileges; // Lower case; "all" for ALL [PRIVILEGES].
    struct role_list grantees;
};

// --- beyond PostgreSQL: virtual clusters ---------------------------------------------------------

enum tenant_spec_kind {
    TENANT_BY_NAME, // name: an expression of type string (a bare or quoted name is a literal)
    TENANT_BY_ID,   // [id]: an expression of an integer type
    TENANT_ALL,     // ALTER VIRTUAL CLUSTER ALL
};
struct tenant_spec {
    enum tenant_spec_kind kind;
    struct expr *expr; // NULL for TENANT_ALL.
    uint32_t position;
};

// Options of replication: retention, expiration_window, read_virtual_cluster, resume_timestamp;
// with the value as written or NULL. Names are lower case with an underscore between words.
struct create_virtual_cluster {
    bool if_not_exists;
    struct tenant_spec tenant;
    bool has_like;
    struct tenant_spec like;
    bool replication; // FROM REPLICATION OF source ON uri
    struct tenant_spec source;
    struct expr *source_uri;
    struct option_list options;
};

enum alter_tenant_kind {
    ALTER_TENANT_RENAME,             // new_name
    ALTER_TENANT_START_SERVICE,      // service
    ALTER_TENANT_STOP_SERVICE,
    ALTER_TENANT_PAUSE_REPLICATION,
    ALTER_TENANT_RESUME_REPLICATION,
    ALTER_TENANT_COMPLETE_REPLICATION, // latest, or time
    ALTER_TENANT_SET_REPLICATION,    // options
    ALTER_TENANT_START_REPLICATION,  // source, source_uri, options
    ALTER_TENANT_RESET_DATA,         // time
    ALTER_TENANT_SET_SETTING,        // setting, value (NULL: DEFAULT)
    ALTER_TENANT_RESET_SETTING,      // setting
    ALTER_TENANT_GRANT_CAPABILITY,   // options, or all_capabilities
    ALTER_TENANT_REVOKE_CAPABILITY,
};
enum tenant_service { SERVICE_SHARED, SERVICE_EXTERNAL };
struct alter_virtual_cluster {
    enum alter_tenant_kind kind;
    struct tenant_spec tenant;
    struct tenant_spec new_name;
    enum tenant_service service;
    bool latest;
    struct expr *time;
    struct tenant_spec source;
    struct expr *source_uri;
    struct option_list options; // Replication options or capabilities.
    bool all_capabilities;
    const char *setting;
    struct expr *value;
};

struct drop_virtual_cluster {
    bool if_exists;
    bool immediate;
    struct tenant_spec tenant;
};

struct show_virtual_cluster {
    bool all; // SHOW VIRTUAL CLUSTERS
    struct tenant_spec tenant;
    bool with_replication_status;
    bool with_prior_replication;
    bool with_capabilities;
};

struct fingerprints { // SHOW EXPERIMENTAL_FINGERPRINTS FROM {VIRTUAL CLUSTER vc | TABLE t}
    bool of_tenant;
    struct tenant_spec tenant;
    struct object_name table;
    struct expr *start_timestamp; // WITH START TIMESTAMP; NULL: none.
};

// --- beyond PostgreSQL: settings, zones, jobs, SHOW ----------------------------------------------

struct cluster_setting { // SET, RESET and SHOW CLUSTER SETTING [FOR VIRTUAL CLUSTER]
    const char *name;
    struct expr *value; // SET; NULL: DEFAULT (and for RESET, SHOW).
    bool for_tenant;
    struct tenant_spec tenant;
};

struct show_cluster_settings {
    bool all; // SHOW ALL CLUSTER SETTINGS; otherwise the public ones.
    bool for_tenant;
    struct tenant_spec tenant;
};

struct zone_target {
    enum object_kind object; // RANGE, DATABASE, TABLE, INDEX, PARTITION
    struct object_name name; // RANGE, DATABASE: only .name. PARTITION: its table (or t@i).
    const char *partition;
};
struct zone_config { // CONFIGURE ZONE
    struct zone_target target;
    bool discard;
    struct option_list options; // value NULL: COPY FROM PARENT.
};
struct show_zone {
    bool all; // SHOW ZONE CONFIGURATIONS
    struct zone_target target;
};

enum split_kind { SPLIT_AT, UNSPLIT_AT, UNSPLIT_ALL, SCATTER };
struct split {
    enum split_kind kind;
    struct object_name table;
    bool is_index; // ALTER INDEX t@i ...
    struct select *rows;
    struct expr *expiration; // WITH EXPIRATION; NULL: none.
    struct expr_list from;   // SCATTER FROM (...) TO (...)
    struct expr_list to;
};

enum job_action { JOB_PAUSE, JOB_RESUME, JOB_CANCEL };
struct job_control { // PAUSE JOB 1; CANCEL JOBS (select)
    enum job_action action;
    struct expr *id;      // One job; else
    struct select *query; // the jobs of a query, or
    const char *all_type; // PAUSE ALL BACKUP JOBS: "backup".
    struct expr *reason;  // PAUSE JOB 1 WITH REASON = 'x'
};

struct cancel { // CANCEL QUERY, CANCEL SESSION
    bool session;
    bool if_exists;
    struct expr *id;
    struct select *query; // CANCEL QUERIES (select)
};

enum show_scope { SHOW_SCOPE_DEFAULT, SHOW_SCOPE_CLUSTER, SHOW_SCOPE_LOCAL };
enum show_flag {
    SHOW_WITH_COMMENT = 1 << 0,
    SHOW_WITH_TABLES = 1 << 1,
    SHOW_WITH_INDEXES = 1 << 2,
    SHOW_WITH_KEYS = 1 << 3,
    SHOW_WITH_DETAILS = 1 << 4,
    SHOW_WITH_EXPLAIN = 1 << 5,
    SHOW_WHEN_COMPLETE = 1 << 6, // SHOW JOB[S] WHEN COMPLETE
    SHOW_AUTOMATIC = 1 << 7,     // SHOW AUTOMATIC JOBS
    SHOW_ALL = 1 << 8,           // SHOW ALL STATEMENTS; SHOW CREATE ALL TABLES
    SHOW_USING_JSON = 1 << 9,
    SHOW_CURRENT_CATALOG = 1 << 10,
};
// Every SHOW of objects. What is absent is zero.
struct show {
    enum object_kind object;  // Of `target`: TABLE, INDEX, DATABASE, SCHEMA, ROLE...
    bool has_target;          // FROM or ON was written.
    struct object_name target; // SHOW TABLES FROM d[.s]: d in .name, or d.s in .schema.name
    struct object_name_list targets; // SHOW GRANTS ON a, b
    struct role_list roles;   // FOR
    enum show_scope scope;
    uint32_t flags;           // enum show_flag
    struct expr *id;          // SHOW JOB id
    struct select *query;     // SHOW JOBS (select)
};

// --- beyond PostgreSQL: backup -------------------------------------------------------------------

enum backup_target { BACKUP_CLUSTER, BACKUP_DATABASES, BACKUP_TABLES, BACKUP_TENANT };
struct backup { // BACKUP, RESTORE
    bool restore;
    enum backup_target target;
    struct object_name_list names;
    struct tenant_spec tenant;
    struct expr_list subdirectory; // INTO {LATEST | 'dir'} IN; LATEST is the string "LATEST".
    bool latest;
    struct expr_list uris;
    struct option_list options;
};
struct show_backup {
    bool list; // SHOW BACKUPS IN uri
    struct expr *subdirectory;
    struct expr *uri;
    struct option_list options;
};

// --- statements ----------------------------------------------------------------------------------

// X(tag, member of `as` that it uses, name). The name is CommandComplete's word where the statement
// has one (rows are counted by the caller), and the feature's name in messages.
#define STATEMENT_TAGS(X) \
    X(EMPTY, unsupported, "") \
    X(SELECT, select, "SELECT") \
    X(INSERT, insert, "INSERT") \
    X(UPDATE, update, "UPDATE") \
    X(DELETE, delete_, "DELETE") \
    X(CREATE_DATABASE, create_database, "CREATE DATABASE") \
    X(ALTER_DATABASE, alter_database, "ALTER DATABASE") \
    X(ALTER_DATABASE_SET, alter_settings, "ALTER DATABASE") \
    X(CREATE_SCHEMA, create_schema, "CREATE SCHEMA") \
    X(CREATE_TABLE, create_table, "CREATE TABLE") \
    X(CREATE_TABLE_AS, create_table_as, "CREATE TABLE AS") \
    X(CREATE_MATERIALIZED_VIEW, create_table_as, "CREATE MATERIALIZED VIEW") \
    X(CREATE_VIEW, create_view, "CREATE VIEW") \
    X(REFRESH_MATERIALIZED_VIEW, refresh_view, "REFRESH MATERIALIZED VIEW") \
    X(CREATE_INDEX, create_index, "CREATE INDEX") \
    X(CREATE_SEQUENCE, sequence, "CREATE SEQUENCE") \
    X(ALTER_SEQUENCE, sequence, "ALTER SEQUENCE") \
    X(CREATE_ENUM, create_enum, "CREATE TYPE") \
    X(ALTER_ENUM, alter_enum, "ALTER TYPE") \
    X(CREATE_EXTENSION, create_extension, "CREATE EXTENSION") \
    X(CREATE_STATISTICS, create_statistics, "CREATE STATISTICS") \
    X(ALTER_TABLE, alter_table, "ALTER TABLE") \
    X(RENAME, rename, "ALTER TABLE") \
    X(ALTER_OWNER, alter_owner, "ALTER OWNER") \
    X(ALTER_OBJECT_SCHEMA, alter_object_schema, "ALTER SCHEMA") \
    X(DROP, drop, "DROP") \
    X(DROP_DATABASE, drop, "DROP DATABASE") \
    X(TRUNCATE, truncate, "TRUNCATE TABLE") \
    X(COMMENT, comment, "COMMENT") \
    X(CREATE_ROLE, role_statement, "CREATE ROLE") \
    X(ALTER_ROLE, role_statement, "ALTER ROLE") \
    X(ALTER_ROLE_SET, alter_settings, "ALTER ROLE") \
    X(DROP_ROLE, drop_role, "DROP ROLE") \
    X(GRANT, grant, "GRANT") \
    X(REVOKE, grant, "REVOKE") \
    X(GRANT_ROLE, grant_role, "GRANT ROLE") \
    X(REVOKE_ROLE, grant_role, "REVOKE ROLE") \
    X(GRANT_SYSTEM, grant_system, "GRANT") \
    X(REVOKE_SYSTEM, grant_system, "REVOKE") \
    X(ALTER_DEFAULT_PRIVILEGES, default_privileges, "ALTER DEFAULT PRIVILEGES") \
    X(REASSIGN_OWNED, owned, "REASSIGN OWNED") \
    X(DROP_OWNED, owned, "DROP OWNED") \
    X(BEGIN, transaction, "BEGIN") \
    X(START_TRANSACTION, transaction, "START TRANSACTION") \
    X(COMMIT, transaction, "COMMIT") \
    X(ROLLBACK, transaction, "ROLLBACK") \
    X(SAVEPOINT, transaction, "SAVEPOINT") \
    X(RELEASE_SAVEPOINT, transaction, "RELEASE") \
    X(ROLLBACK_TO_SAVEPOINT, transaction, "ROLLBACK") \
    X(SET_TRANSACTION, transaction, "SET") \
    X(PREPARE_TRANSACTION, transaction, "PREPARE TRANSACTION") \
    X(COMMIT_PREPARED, transaction, "COMMIT PREPARED") \
    X(ROLLBACK_PREPARED, transaction, "ROLLBACK PREPARED") \
    X(SET, set_variable, "SET") \
    X(RESET, set_variable, "RESET") \
    X(SHOW, set_variable, "SHOW") \
    X(SHOW_ALL_VARIABLES, set_variable, "SHOW") \
    X(SET_CONSTRAINTS, set_constraints, "SET CONSTRAINTS") \
    X(EXPLAIN, explain, "EXPLAIN") \
    X(COPY, copy, "COPY") \
    X(PREPARE, prepare, "PREPARE") \
    X(EXECUTE, execute, "EXECUTE") \
    X(DEALLOCATE, deallocate, "DEALLOCATE") \
    X(DISCARD, discard, "DISCARD") \
    X(ANALYZE, vacuum, "ANALYZE") \
    X(VACUUM, vacuum, "VACUUM") \
    X(LOCK_TABLE, lock_table, "LOCK TABLE") \
    X(DECLARE_CURSOR, declare_cursor, "DECLARE CURSOR") \
    X(FETCH, fetch, "FETCH") \
    X(CLOSE_CURSOR, close_cursor, "CLOSE CURSOR") \
    X(CALL, call, "CALL") \
    X(CREATE_VIRTUAL_CLUSTER, create_virtual_cluster, "CREATE VIRTUAL CLUSTER") \
    X(ALTER_VIRTUAL_CLUSTER, alter_virtual_cluster, "ALTER VIRTUAL CLUSTER") \
    X(DROP_VIRTUAL_CLUSTER, drop_virtual_cluster, "DROP VIRTUAL CLUSTER") \
    X(SHOW_VIRTUAL_CLUSTER, show_virtual_cluster, "SHOW VIRTUAL CLUSTER") \
    X(SHOW_FINGERPRINTS, fingerprints, "SHOW EXPERIMENTAL_FINGERPRINTS") \
    X(SET_CLUSTER_SETTING, cluster_setting, "SET CLUSTER SETTING") \
    X(RESET_CLUSTER_SETTING, cluster_setting, "RESET CLUSTER SETTING") \
    X(SHOW_CLUSTER_SETTING, cluster_setting, "SHOW CLUSTER SETTING") \
    X(SHOW_CLUSTER_SETTINGS, show_cluster_settings, "SHOW CLUSTER SETTINGS") \
    X(CONFIGURE_ZONE, zone_config, "CONFIGURE ZONE") \
    X(SHOW_ZONE, show_zone, "SHOW ZONE CONFIGURATION") \
    X(SPLIT, split, "SPLIT") \
    X(JOB_CONTROL, job_control, "JOB CONTROL") \
    X(CANCEL, cancel, "CANCEL") \
    X(BACKUP, backup, "BACKUP") \
    X(RESTORE, backup, "RESTORE") \
    X(SHOW_BACKUP, show_backup, "SHOW BACKUP") \
    X(SHOW_DATABASES, show, "SHOW DATABASES") \
    X(SHOW_SCHEMAS, show, "SHOW SCHEMAS") \
    X(SHOW_TABLES, show, "SHOW TABLES") \
    X(SHOW_COLUMNS, show, "SHOW COLUMNS") \
    X(SHOW_INDEXES, show, "SHOW INDEXES") \
    X(SHOW_CONSTRAINTS, show, "SHOW CONSTRAINTS") \
    X(SHOW_CREATE, show, "SHOW CREATE") \
    X(SHOW_SEQUENCES, show, "SHOW SEQUENCES") \
    X(SHOW_TYPES, show, "SHOW TYPES") \
    X(SHOW_ENUMS, show, "SHOW ENUMS") \
    X(SHOW_FUNCTIONS, show, "SHOW FUNCTIONS") \
    X(SHOW_USERS, show, "SHOW USERS") \
    X(SHOW_ROLES, show, "SHOW ROLES") \
    X(SHOW_GRANTS, show, "SHOW GRANTS") \
    X(SHOW_SYSTEM_GRANTS, show, "SHOW SYSTEM GRANTS") \
    X(SHOW_DEFAULT_PRIVILEGES, show, "SHOW DEFAULT PRIVILEGES") \
    X(SHOW_SESSIONS, show, "SHOW SESSIONS") \
    X(SHOW_QUERIES, show, "SHOW QUERIES") \
    X(SHOW_TRANSACTIONS, show, "SHOW TRANSACTIONS") \
    X(SHOW_JOBS, show, "SHOW JOBS") \
    X(SHOW_RANGES, show, "SHOW RANGES") \
    X(SHOW_STATISTICS, show, "SHOW STATISTICS") \
    X(SHOW_SAVEPOINT_STATUS, show, "SHOW SAVEPOINT STATUS") \
    X(SHOW_TRANSACTION_STATUS, show, "SHOW TRANSACTION STATUS") \
    X(SHOW_TRANSFER_STATE, show, "SHOW TRANSFER STATE") \
    X(UNSUPPORTED, unsupported, "")

enum statement_tag {
#define STATEMENT_TAG_ENUM(tag, member, name) STATEMENT_##tag,
    STATEMENT_TAGS(STATEMENT_TAG_ENUM)
#undef STATEMENT_TAG_ENUM
        STATEMENT_TAG_COUNT
};

struct statement {
    enum statement_tag tag;
    uint32_t position; // Of its first token; `length` bytes to the end of its last one.
    uint32_t length;
    uint32_t parameter_count; // The highest $n in it, 0 for none.
    uint32_t depth;           // Of its deepest path: at most AST_DEPTH_MAX.
    // AS OF SYSTEM TIME; NULL: none. Of the whole statement: EXPLAIN has its statement's too, and
    // COPY (query) and CREATE TABLE AS have that of their query.
    struct expr *as_of;
    union {
        struct select *select;
        struct insert *insert;
        struct update *update;
        struct delete_ *delete_;
        struct create_database *create_database;
        struct alter_database *alter_database;
        struct alter_settings *alter_settings;
        struct create_schema *create_schema;
        struct create_table *create_table;
        struct create_table_as *create_table_as;
        struct create_view *create_view;
        struct refresh_view *refresh_view;
        struct create_index *create_index;
        struct sequence *sequence;
        struct create_enum *create_enum;
        struct alter_enum *alter_enum;
        struct create_extension *create_extension;
        struct create_statistics *create_statistics;
        struct alter_table *alter_table;
        struct rename *rename;
        struct alter_owner *alter_owner;
        struct alter_object_schema *alter_object_schema;
        struct drop *drop;
        struct truncate *truncate;
        struct comment *comment;
        struct role_statement *role_statement;
        struct drop_role *drop_role;
        struct grant *grant;
        struct grant_role *grant_role;
        struct grant_system *grant_system;
        struct default_privileges *default_privileges;
        struct owned *owned;
        struct transaction *transaction;
        struct set_variable *set_variable;
        struct set_constraints *set_constraints;
        struct explain *explain;
        struct copy *copy;
        struct prepare *prepare;
        struct execute *execute;
        struct deallocate *deallocate;
        struct discard *discard;
        struct vacuum *vacuum;
        struct lock_table *lock_table;
        struct declare_cursor *declare_cursor;
        struct fetch *fetch;
        struct close_cursor *close_cursor;
        struct call *call;
        struct create_virtual_cluster *create_virtual_cluster;
        struct alter_virtual_cluster *alter_virtual_cluster;
        struct drop_virtual_cluster *drop_virtual_cluster;
        struct show_virtual_cluster *show_virtual_cluster;
        struct fingerprints *fingerprints;
        struct cluster_setting *cluster_setting;
        struct show_cluster_settings *show_cluster_settings;
        struct zone_config *zone_config;
        struct show_zone *show_zone;
        struct split *split;
        struct job_control *job_control;
        struct cancel *cancel;
        struct backup *backup;
        struct show_backup *show_backup;
        struct show *show;
        struct unsupported *unsupported;
    } as;
};

struct statement_list {
    struct statement **items;
    uint32_t count;
};

// The name in STATEMENT_TAGS.
const char *statement_tag_name(enum statement_tag tag);
// CommandComplete's word for this very statement: "DROP TABLE", "CREATE TYPE", "ALTER INDEX"; for
// STATEMENT_UNSUPPORTED the feature. Static or in the statement's arena.
const char *statement_name(const struct statement *statement);

// "current_date" and so on.
const char *sql_value_name(enum sql_value value);

// The name a SELECT item gets: its alias, or what PostgreSQL derives from the expression ("count",
// "case", "?column?").
const char *target_name(const struct target *target);
