// SPDX-License-Identifier: GPL-3.0-or-later
//
// From the statement tree back to SQL text: for stored defaults and CHECKs, views, EXPLAIN, SHOW
// CREATE, the description of jobs, and logs. Text that parses again to the same tree (positions
// aside).
//
// Shard    Any. Recursion follows the tree, so each runs on the shard's big stack by itself. They do
//          not suspend.
// Memory   Appends to the caller's buffer.
// Errors   None. A statement without a text form of its own (STATEMENT_UNSUPPORTED) gives its name.
#pragma once
#include "core/arena.h"
#include "sql/parse/ast.h"

enum deparse_flag {
    DEPARSE_REDACT =
        1 << 0, // Passwords and the secrets of URIs are replaced: see deparse_redact_uri.
    DEPARSE_HIDE_LITERALS = 1 << 1, // Every literal is `_`: for statistics and logs.
    DEPARSE_LINES = 1 << 2, // A query's clauses on lines of their own, as PostgreSQL shows views.
};

void deparse_statement(struct buffer *out, const struct statement *statement, uint32_t flags);
void deparse_select(struct buffer *out, const struct select *select, uint32_t flags);
void deparse_expression(struct buffer *out, const struct expr *expr, uint32_t flags);
void deparse_type_name(struct buffer *out, const struct type_name *type);

// An identifier, in double quotes where it needs them (upper case, reserved words, odd bytes).
void deparse_identifier(struct buffer *out, const char *name);
// A string literal in single quotes, quotes doubled; E'...' when it has a backslash is not needed:
// standard_conforming_strings is always on.
void deparse_string(struct buffer *out, struct bytes text);

// postgresql://u:p@h:1/d?sslmode=x&sslkey=... becomes
// postgresql://u:redacted@h:1/d?sslmode=x&sslkey=redacted. What is no URI is copied.
void deparse_redact_uri(struct buffer *out, struct bytes uri);
