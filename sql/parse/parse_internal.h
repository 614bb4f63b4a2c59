// SPDX-License-Identifier: GPL-3.0-or-later
//
// What the files of the parser share; no one else includes it. Three parts: the parse of one text
// (parse.c), the reading of libpg_query's tree (parse_pg_*.c), and our own grammar (parse_own_*.c).
//
// Errors are sticky: the first one is kept in the context, later steps go on with harmless values
//        and
// stop soon; the entry point returns it.
//
// Shard    One parse runs on one thread from start to end.
// Memory   `arena` takes the tree, `scratch` what is needed while parsing.
#pragma once
#include <pg_query/pg_query.pb-c.h>

#include "core/arena.h"
#include "sql/parse/ast.h"
#include "sql/parse/lexer.h"
#include "sql/parse/parse.h"

// EXPLAIN of PREPARE of [statement] of ...: how deep statements stand in statements.
#define PARSE_STATEMENTS_NESTED_MAX 16u

// A string literal that libpg_query does not see: an empty one stands in its place, and the value comes from the text.
struct aside {
    struct token token;
    bool used;
};

struct parse {
    struct arena *arena;
    struct arena *scratch;
    struct bytes text; // As given; every position is an offset in it.
    struct status st;
    uint32_t nested;          // Statements around the current one.
    uint32_t parameter_count; // The highest $n of the top statement so far.
    uint32_t depth_max;       // And its deepest path.
    struct aside *asides;     // In the order of the text.
    uint32_t aside_count;
};

// The first of the literals put aside that begins at `position` or behind it: an index, aside_count for none.
uint32_t parse_aside_from(const struct parse *parse, uint32_t position);

// Keeps the first error.
void parse_fail(struct parse *parse, struct status st);
// 42601 `syntax error at or near "x"`, with the token at `position`, or `at end of input`.
void parse_fail_near(struct parse *parse, struct lexer *lexer, struct token token);
void parse_fail_at(struct parse *parse, uint32_t code, uint32_t position, const char *message);

// One statement in text[start, end), without semicolon.
struct statement *parse_statement(struct parse *parse, uint32_t start, uint32_t end);
// One expression in text[start, end).
struct expr *parse_expression_in(struct parse *parse, uint32_t start, uint32_t end);
struct type_name *parse_type_in(struct parse *parse, uint32_t start, uint32_t end);

// --- text for libpg_query (parse_rewrite.c) ------------------------------------------------------

// From `out` on, the rewritten text is the original from `in` on; or, `inserted`, stands for `in`.
struct segment {
    uint32_t out;
    uint32_t in;
    bool inserted;
};

// What was taken out of a statement before PostgreSQL's grammar sees it.
enum extra_kind {
    EXTRA_STATEMENT,   // [statement] in FROM; a table stands in its place
    EXTRA_INDEX_HINT,  // t@i: name; t@{NO_FULL_SCAN}: flag
    EXTRA_INDEX_TABLE, // t@i as the name of an index: at i
    EXTRA_NOT_VISIBLE, // of a column
    EXTRA_FAMILY,      // name of the family of the column
    EXTRA_VIRTUAL,     // computed column that is VIRTUAL, at its expression
    EXTRA_ON_UPDATE,   // expression
    EXTRA_UPSERT,      // at the table's name
    EXTRA_REMOVED,     // an element of CREATE TABLE that stands elsewhere
};
struct extra {
    enum extra_kind kind;
    uint32_t position; // Original offset of the token that it belongs to.
    const char *name;
    bool flag;
    bool used; // What no one asks for stood where it has no meaning.
    struct statement *statement;
    struct expr *expr;
    struct extra *next;
};

struct rewrite {
    struct parse *parse;
    struct buffer text; // Ends in a NUL that is not counted.
    struct segment *segments;
    uint32_t segment_count;
    uint32_t segment_capacity;
    uint32_t end; // Of the original as far as it is dealt with.
    struct extra *extras;
    struct expr *as_of;
    struct bytes as_of_text;
    bool if_not_exists; // CREATE DATABASE IF NOT EXISTS
    bool inverted;
    bool not_visible;             // CREATE INDEX ... NOT VISIBLE
    struct create_index *indexes; // Inside CREATE TABLE.
    uint32_t index_count;
    struct family *families;
    uint32_t family_count;
    // UPDATE and DELETE ... ORDER BY ... LIMIT
    struct sort_list order_by;
    struct expr *limit;
};

// What a first pass over the tokens saw, for the second to be skipped when there is nothing to do.
enum scan_flag {
    SCAN_AS_OF = 1 << 0,
    SCAN_BRACKET = 1 << 1,
    SCAN_AT = 1 << 2,
    SCAN_WORDS = 1 << 3, // STORING, COVERING, INVERTED, VISIBLE, INDEX, FAMILY, VIRTUAL, UPSERT...
};
// Finds the end of the statement at lexer->at: the offset after its last token; the lexer stops
// after the semicolon. *empty: no token at all. Bounds nesting.
uint32_t parse_scan_statement(
    struct parse *parse, struct lexer *lexer, uint32_t *start, uint32_t *flags, bool *empty);

void rewrite_init(struct rewrite *rewrite, struct parse *parse);
// Appends text[start, end) as it is.
void rewrite_keep(struct rewrite *rewrite, uint32_t start, uint32_t end);
// Appends text of our own, standing for the original offset `at`.
void rewrite_insert(struct rewrite *rewrite, const char *text, uint32_t at);
// Appends the statement text[start, end) with everything PostgreSQL lacks taken out.
void rewrite_statement(struct rewrite *rewrite, uint32_t start, uint32_t end, uint32_t flags);
// The original offset of an offset in the rewritten text; POSITION_NONE for a negative one.
uint32_t rewrite_position(const struct rewrite *rewrite, int32_t location);
const struct extra *rewrite_extra(
    const struct rewrite *rewrite, enum extra_kind kind, uint32_t position);
// Syntax error if something taken out was not used by the tree.
void rewrite_check_extras(const struct rewrite *rewrite);
struct extra *rewrite_add(struct rewrite *rewrite, enum extra_kind kind, uint32_t position);
// The token walk that rewriting is made of.
struct walk {
    struct rewrite *rewrite;
    struct lexer lexer; // Of text[0, end).
    uint32_t copied;    // The original is in the output up to here.
    uint32_t end;
};
// Emits up to `from`, then `text` in place of the original [from, to).
void walk_replace(struct walk *walk, uint32_t from, uint32_t to, const char *text);
// The elements of CREATE TABLE's parentheses, and the column of ALTER TABLE ... ADD
// (parse_rewrite_table.c).
void rewrite_table(struct walk *walk, uint32_t start);
void rewrite_alter_table(struct walk *walk, uint32_t start);

// --- reading libpg_query's tree (parse_pg.c and its family) --------------------------------------

struct convert {
    struct parse *parse;
    struct arena *arena;
    const struct rewrite *rewrite;
    uint32_t depth;
    uint32_t item_count; // For a look at the memory limit now and then.
};

// Parses rewrite->text. NULL on error.
PgQuery__ParseResult *pg_parse(struct parse *parse, const struct rewrite *rewrite);
// The one statement of `result`.
struct statement *pg_statement(struct convert *convert, const PgQuery__Node *node);
void convert_init(struct convert *convert, struct parse *parse, const struct rewrite *rewrite);

bool convert_enter(struct convert *convert);
static inline void convert_leave(struct convert *convert)
{
    convert->depth--;
}
void convert_unsupported(struct convert *convert, int32_t location, const char *what);
uint32_t convert_position(const struct convert *convert, int32_t location);
// Copies; NULL for an empty string.
const char *convert_string(struct convert *convert, const char *text);
const char *node_text(const PgQuery__Node *node); // String nodes; else "".

struct name_list convert_names(struct convert *convert, size_t count, PgQuery__Node **nodes);
struct object_name convert_object_name(
    struct convert *convert, size_t count, PgQuery__Node **nodes, uint32_t position);
// A large object's oid, as it is written.
struct object_name convert_number_name(struct convert *convert, const PgQuery__Node *node);
struct object_name convert_range_var(struct convert *convert, const PgQuery__RangeVar *var);
struct object_name_list convert_range_vars(
    struct convert *convert, size_t count, PgQuery__Node **nodes);
struct role_name convert_role(struct convert *convert, const PgQuery__RoleSpec *role);
struct role_list convert_roles(struct convert *convert, size_t count, PgQuery__Node **nodes);
struct option_list convert_options(struct convert *convert, size_t count, PgQuery__Node **nodes);
enum drop_behavior convert_behavior(PgQuery__DropBehavior behavior);
enum persistence convert_persistence(const PgQuery__RangeVar *var);

struct expr *convert_new(struct convert *convert, enum expr_kind kind, int32_t location);
struct expr *convert_expr(struct convert *convert, const PgQuery__Node *node); // NULL for NULL.
struct expr_list convert_exprs(struct convert *convert, size_t count, PgQuery__Node **nodes);
struct type_name *convert_type(struct convert *convert, const PgQuery__TypeName *type);
struct sort_list convert_sorts(struct convert *convert, size_t count, PgQuery__Node **nodes);
struct window *convert_window(struct convert *convert, const PgQuery__WindowDef *def);
// parse_pg_xml.c
struct expr *convert_xml(struct convert *convert, const PgQuery__XmlExpr *node);
struct expr *convert_xml_serialize(struct convert *convert, const PgQuery__XmlSerialize *node);
struct expr *convert_xml_table(struct convert *convert, const PgQuery__RangeTableFunc *node);
struct expr *convert_string_literal(struct convert *convert, const char *text, int32_t location);

struct select *convert_select(struct convert *convert, const PgQuery__SelectStmt *stmt);
struct insert *convert_insert(struct convert *convert, const PgQuery__InsertStmt *stmt);
struct update *convert_update(struct convert *convert, const PgQuery__UpdateStmt *stmt);
struct delete_ *convert_delete(struct convert *convert, const PgQuery__DeleteStmt *stmt);
struct index_element_list convert_index_elements(
    struct convert *convert, size_t count, PgQuery__Node **nodes);
struct column_definition convert_column(struct convert *convert, const PgQuery__ColumnDef *def);
struct create_table_as *convert_into(
    struct convert *convert, const PgQuery__IntoClause *into, struct statement *query);

// Statement groups: true when `node` is one of theirs, with *out filled in.
bool pg_ddl_statement(struct convert *convert, const PgQuery__Node *node, struct statement *out);
struct set_variable *pg_set_variable(
    struct convert *convert, const PgQuery__VariableSetStmt *stmt);
bool pg_function_statement(
    struct convert *convert, const PgQuery__Node *node, struct statement *out);
struct object_name convert_function_name(
    struct convert *convert, const PgQuery__ObjectWithArgs *node);
bool pg_alter_statement(struct convert *convert, const PgQuery__Node *node, struct statement *out);
bool pg_utility_statement(
    struct convert *convert, const PgQuery__Node *node, struct statement *out);
bool pg_privilege_statement(
    struct convert *convert, const PgQuery__Node *node, struct statement *out);
const char *pg_feature_name(const PgQuery__Node *node);

// --- our own grammar (parse_own.c and its family) ------------------------------------------------

struct own {
    struct parse *parse;
    struct arena *arena;
    struct lexer lexer; // Of text[0, end of the statement).
    struct token token; // The current one.
    uint32_t last_end;  // End of the one before.
    struct statement *out;
};
struct own_mark {
    struct lexer lexer;
    struct token token;
    uint32_t last_end;
};

// Parses text[start, end) if it is a statement of ours; false: it is PostgreSQL's.
bool own_statement(struct parse *parse, uint32_t start, uint32_t end, struct statement *out);

void own_init(struct own *own, struct parse *parse, uint32_t start, uint32_t end);
void own_advance(struct own *own);
static inline struct own_mark own_mark(const struct own *own)
{
    return (struct own_mark){own->lexer, own->token, own->last_end};
}
static inline void own_back(struct own *own, struct own_mark mark)
{
    own->lexer = mark.lexer;
    own->token = mark.token;
    own->last_end = mark.last_end;
}
// `words`: one or more lower-case words with single blanks between.
bool own_is(const struct own *own, const char *words); // Only the first word is looked at if one.
bool own_take(struct own *own, const char *words);     // All of them, or none.
void own_expect(struct own *own, const char *words);
bool own_is_char(const struct own *own, char c);
bool own_take_char(struct own *own, char c);
void own_expect_char(struct own *own, char c);
bool own_at_end(const struct own *own);
void own_expect_end(struct own *own);
void own_fail(struct own *own); // Syntax error at the current token.
const char *own_identifier(struct own *own);
struct object_name own_object_name(struct own *own); // Also t@i.
struct role_name own_role(struct own *own);
struct role_list own_roles(struct own *own);
// Up to (not including) the first of the words of `stops` outside parentheses, or a comma or
// closing parenthesis there, or the end.
struct expr *own_expr(struct own *own, const char *const *stops);
struct expr *own_string_expr(struct own *own, const char *text, uint32_t position);
// A value of SET: a word becomes a string literal; else an expression.
struct expr *own_setting_value(struct own *own, const char *const *stops);
struct select *own_select(struct own *own); // The rest of the statement.
struct select *own_parenthesized_select(struct own *own);
struct tenant_spec own_tenant(struct own *own, const char *const *stops);
bool own_take_tenant_word(struct own *own, bool plural); // VIRTUAL CLUSTER[S] or TENANT[S]
// name [= value] [, ...]; words of a name joined by an underscore. With `parenthesized` in (...).
struct option_list own_options(struct own *own);
void own_unsupported(struct own *own, const char *feature);

#define OWN_NEW(own, member, type) ((own)->out->as.member = ARENA_NEW((own)->arena, type))

bool own_transaction(struct own *own);
bool own_set(struct own *own);
bool own_reset(struct own *own);
bool own_show(struct own *own);
bool own_create(struct own *own);
bool own_alter(struct own *own);
bool own_drop(struct own *own);
bool own_grant(struct own *own, bool revoke);
bool own_explain(struct own *own);
bool own_prepare(struct own *own);
bool own_jobs(struct own *own, enum job_action action);
bool own_backup(struct own *own, bool restore);
bool own_zone(struct own *own, struct zone_target *target);
bool own_create_tenant(struct own *own);
void own_external_connection(struct own *own, enum statement_tag tag);
bool own_alter_tenant(struct own *own);
bool own_drop_tenant(struct own *own);
bool own_show_tenant(struct own *own);
bool own_role_statement(struct own *own, bool alter);
void own_for_tenant(struct own *own, bool *for_tenant, struct tenant_spec *tenant);
