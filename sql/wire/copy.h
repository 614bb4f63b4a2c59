// SPDX-License-Identifier: GPL-3.0-or-later
//
// COPY table FROM STDIN and COPY table | (query) TO STDOUT, in text, csv and binary format, over the wire connection
// of the session. Rows are inserted through a plan of INSERT, many a run.
//
// Memory   A line is at most 64 MiB; rows gather up to 256.
// Errors   22P04 with PostgreSQL's messages and a context line in the detail; 57014 CopyFail; 0A000 for files,
//          programs and options that are not there.
// Source   PostgreSQL 15 manual, COPY.
#pragma once
#include "sql/session/statement.h"

enum copy_format { COPY_TEXT, COPY_CSV, COPY_BINARY };
struct copy_options {
    enum copy_format format;
    char delimiter, quote, escape;
    int32_t encoding; // Of the file: sql/type/encoding.h
    struct bytes null_text;
    bool header;
    bool header_match; // The header's names must be those of the columns.
    // csv: of each column, in the order of the rows. NULL: of none.
    const bool *force_quote, *force_not_null, *force_null;
};

// A parser of COPY data: feed bytes, take rows.
struct copy_reader {
    const struct copy_options *options;
    struct bytes input; // Not yet consumed.
    bool ended;         // No more will come.
    bool begun;         // Binary: the header was read.
    bool trailed;       // Binary: the end mark was read.
};
// Takes one row: fields[i].data NULL for NULL; *count up to fields_max (22P04 beyond). *found false when more
// input is needed (or the data has ended). Fields live in `arena` or in the input.
CHECKED struct status copy_read_row(struct copy_reader *reader, struct arena *arena,
    struct bytes *fields, uint32_t fields_max, uint32_t *count, bool *found);
// `force_quote`: csv puts quotes around it whatever it is.
void copy_write_field(struct buffer *out, const struct copy_options *options, struct bytes text, bool null,
    bool force_quote);

// The binary format: sql/wire/copy_binary.c. As copy_read_row; a row must have `fields_max` fields.
CHECKED struct status copy_binary_read_row(struct copy_reader *reader, struct arena *arena,
    struct bytes *fields, uint32_t fields_max, uint32_t *count, bool *found);
void copy_binary_write_header(struct buffer *out);
void copy_binary_write_trailer(struct buffer *out);

struct status copy_execute(struct statement_context *context);
