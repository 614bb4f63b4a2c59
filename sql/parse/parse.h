// SPDX-License-Identifier: GPL-3.0-or-later
//
// From SQL text to the statement tree of sql/parse/ast.h. PostgreSQL's own grammar (libpg_query) reads
// what is PostgreSQL's; our own reads what it lacks. It looks no name up and checks no type.
//
// Shard    Any; state of libpg_query is per thread. Runs for up to milliseconds and needs up to 32
//          MiB of stack: call the *_on_stack forms from a fiber, the plain ones from a thread's own
//          big stack.
// Memory   Results lie in `arena`; libpg_query's own memory is freed before returning.
// Errors   42601 syntax (PostgreSQL's messages, with position); 54001 nested deeper than
//          AST_DEPTH_MAX; 54000 longer than PARSE_TEXT_BYTES_MAX or PARSE_VALUES_BYTES_MAX; 22021 not UTF-8 or with a NUL;
//          0A000 for clauses that PostgreSQL's grammar knows and the tree does not.
// Source   PostgreSQL 15 gram.y by way of libpg_query 15-4.0.
#pragma once
#include "core/arena.h"
#include "core/status.h"
#include "sql/parse/ast.h"

// "15.1 (libpg_query)", for `isopod version`.
const char *parse_grammar_version(void);

// Longest text accepted (16 MiB), not counting string literals of 64 KiB and more that are values; and with them.
#define PARSE_TEXT_BYTES_MAX (16u << 20)
#define PARSE_VALUES_BYTES_MAX (160u << 20)

// Parses statements separated by semicolons. Empty ones are left out: text of blanks and comments
// gives a list of none. All or nothing: an error anywhere fails the whole.
CHECKED struct status parse_sql(struct arena *arena, struct bytes text, struct statement_list *out);

// One expression, the whole of `text`: a stored default or CHECK.
CHECKED struct status parse_expression(struct arena *arena, struct bytes text, struct expr **out);

// One type name, the whole of `text`: "numeric(10,2)", "int[]".
CHECKED struct status parse_type_name(
    struct arena *arena, struct bytes text, struct type_name **out);

// The same, on the shard's big stack (stack_call): for use in fibers. They do not suspend.
CHECKED struct status parse_sql_on_stack(
    struct arena *arena, struct bytes text, struct statement_list *out);
CHECKED struct status parse_expression_on_stack(
    struct arena *arena, struct bytes text, struct expr **out);
CHECKED struct status parse_type_name_on_stack(
    struct arena *arena, struct bytes text, struct type_name **out);

// The character position (from 1) that a client is told for a byte offset; 0 for POSITION_NONE.
uint32_t parse_position(struct bytes text, uint32_t offset);
// Sets that position on a failed status.
struct status parse_error_at(
    struct arena *arena, struct status st, struct bytes text, uint32_t offset);
