// SPDX-License-Identifier: GPL-3.0-or-later
//
// Expressions and queries, as they were bound, in the words of PostgreSQL's catalogs: what sql/catalog/expression_text.c and
// sql/catalog/query_text.c share. Others call plan_expression_text and plan_query_text (sql/plan/plan.h).
//
// Shard    The session's, on its big stack: nothing here suspends.
// Memory   The caller's arena.
// Source   The output of PostgreSQL 15's pg_get_viewdef, pg_get_expr and pg_get_constraintdef.
#pragma once
#include "sql/bind/bind.h"

// The names that tables have in one SELECT's text: those of queries around it are not used again.
struct text_level {
    const struct text_level *parent;
    const struct select *select;
    struct text_name {
        const struct from_item *item;
        const char *written, *shown;
    } *names;
    uint32_t count;
};

struct text_run {
    struct binder binder;
    struct buffer out;
    const struct table_desc *table;
    struct scope scope;
    struct type assigned; // What it is assigned to; oid 0: nothing.
    const char *sql;      // Of an expression;
    struct expr *expr;    // which it is.
    const struct statement *statement; // Of a query.
    const struct table_desc *view;     // That it is of.
    const struct text_level *level;
    bool pretty;
    uint32_t width; // Columns of a SELECT list share lines of so many characters.
    unsigned indent; // Columns of the lines of clauses.
    struct status status;
};

// sql/catalog/expression_text.c. show_casts: casts that nobody wrote, too.
void put_scalar_text(struct text_run *run, const struct scalar *scalar, bool show_casts);
void put_typed_const(struct text_run *run, const struct scalar *scalar);
void put_type_text(struct text_run *run, struct type type);
// A function that SQL has a syntax for; false: it has none.
bool put_syntax_text(struct text_run *run, const struct scalar *scalar);
void put_function_name(struct text_run *run, const struct function *function);
// A new line, `plus` columns further in than run->indent, that begins with `words`.
void put_text_line(struct text_run *run, unsigned plus, const char *words);

// sql/catalog/query_text.c.
void put_query_text(struct text_run *run, const struct select *select, bool plain_names);
// What has no form of its own as a scalar: columns, aggregates and window functions, queries.
void put_source_text(struct text_run *run, const struct scalar *scalar, bool show_casts, bool top);
