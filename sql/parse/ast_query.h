// SPDX-License-Identifier: GPL-3.0-or-later
//
// Names, types, expressions, queries and data changes of the statement tree.
//
// Part of sql/parse/ast.h, which says what holds for all of the tree: include that one.
//
// Shard    Plain data; see sql/parse/ast.h.
// Memory   The parser's arena.
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
    const struct signature *signature; // Of functions, where written; NULL: none.
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
struct signature { // f(int, text): the input arguments.
    struct type_list types;
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
    EXPR_XML,            // XMLELEMENT(...) and its kin, IS DOCUMENT; XMLTABLE in FROM.
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
    SUBLINK_ROW,   // `test`, a row, op (query): with the one row that it gives, NULL when it gives none.
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
    bool between;         // Both ends were written.
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
    // "pg_catalog" for SQL-syntax forms (EXTRACT, TRIM, AT TIME ZONE ...). In what is stored, a user's function by its id:
    // function_reference().
    const char *schema;
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
    struct function_expr *written; // NULL, or the call that the binder has made this one of.
};

enum xml_form {
    XML_FORM_CONCAT,
    XML_FORM_ELEMENT,
    XML_FORM_FOREST,
    XML_FORM_PARSE,
    XML_FORM_PI,
    XML_FORM_ROOT,
    XML_FORM_SERIALIZE,
    XML_FORM_IS_DOCUMENT,
    XML_FORM_TABLE,
};
enum xml_standalone { XML_STANDALONE_YES, XML_STANDALONE_NO, XML_STANDALONE_NO_VALUE, XML_STANDALONE_OMITTED };
struct xml_named { // value AS name
    struct expr *value;
    const char *name; // NULL: none was written.
    uint32_t position;
};
struct xml_column { // Of XMLTABLE.
    const char *name;
    struct type_name *type; // NULL: FOR ORDINALITY.
    struct expr *path;      // NULL: its name.
    struct expr *otherwise; // DEFAULT, or NULL.
    bool not_null;
    uint32_t position;
};
struct xml_expr {
    enum xml_form form;
    const char *name;        // Of an element or a processing instruction.
    struct xml_named *named; // XMLATTRIBUTES, XMLFOREST, XMLNAMESPACES (name NULL: DEFAULT).
    uint32_t named_count;
    struct expr_list args;   // Of XMLROOT the value and the version, NULL for NO VALUE. Of XMLTABLE rows' path and document.
    bool document;           // PARSE, SERIALIZE: else CONTENT.
    bool preserve;           // PARSE: PRESERVE WHITESPACE.
    enum xml_standalone standalone;
    struct type_name *type;  // SERIALIZE.
    struct xml_column *columns;
    uint32_t column_count;
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
            bool apart; // The first after parentheses: (a[2:])[1] is an item of the slice.
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
        struct xml_expr *xml;
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
struct cte_search { // SEARCH DEPTH|BREADTH FIRST BY columns SET sequence
    struct name_list columns;
    bool breadth;
    const char *sequence;
    uint32_t position;
};
struct cte_cycle { // CYCLE columns SET mark TO value DEFAULT otherwise USING path
    struct name_list columns;
    const char *mark;
    struct expr *value, *otherwise; // true and false when not written.
    const char *path;
    uint32_t position;
};
struct cte {
    const char *name;
    struct name_list columns;
    enum cte_materialized materialized;
    struct statement *statement; // SELECT, INSERT, UPDATE or DELETE.
    struct cte_search *search;   // NULL: none.
    struct cte_cycle *cycle;
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

struct from_sample { // method (args) REPEATABLE (repeatable)
    struct object_name method;
    struct expr_list args;
    struct expr *repeatable; // Or NULL.
    uint32_t position;
};
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
            struct from_sample *sample; // TABLESAMPLE; or NULL.
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
    const char **columns;
    uint32_t count;
    bool row; // (a, b) = value, be it of one column: value is EXPR_ROW or EXPR_SUBLINK.
    struct expr ***parts; // Per column: EXPR_SUBSCRIPT and EXPR_FIELD without arg, outermost first.
    uint32_t *part_counts;
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
    struct expr ***parts;       // As of struct assignment; both NULL: none has any.
    uint32_t *part_counts;
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
