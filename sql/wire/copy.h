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

struct table_desc;

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

// What the statement says of them, checked (22023, 42601, 0A000). `encoding`: the client's.
CHECKED struct status copy_options_take(
    struct arena *arena, const struct copy *copy, int32_t encoding, struct copy_options *out);
// FORCE_QUOTE, FORCE_NOT_NULL and FORCE_NULL, of the columns that are copied. `table` NULL: they are a query's.
CHECKED struct status copy_force_columns(struct arena *arena, const struct copy *copy, const struct table_desc *table,
    const char *const *names, uint32_t count, struct copy_options *out);

// A parser of COPY data: feed bytes, take lines or rows.
struct copy_reader {
    const struct copy_options *options;
    struct bytes input; // Not yet consumed.
    bool ended;         // No more will come.
    bool begun;         // Binary: the header was read.
    bool trailed;       // Binary: the end mark was read.
    // Text and csv:
    bool finished;         // The end of the data was read, or `\.`: what else comes is passed over.
    bool in_line;          // `line` counts the one that `input` begins with already.
    bool quoted, escaped;  // csv: where the next byte is.
    uint8_t line_ends;     // Which line ends the data has: copy_read.c.
    uint64_t line;         // Of the line read last, or being read; line ends in quotes count.
    size_t scanned, valid; // So much of `input` has been looked at for its line's end; is known to be UTF-8.
};
// Text and csv: takes one line, without its end, valid UTF-8 (22021). *found false when more input is needed (or the
// data has ended). It lies in the input.
CHECKED struct status copy_read_line(struct copy_reader *reader, struct arena *arena, struct bytes *line, bool *found);
// Its fields: data NULL for NULL; they lie in `arena` or in the line. *count may be more than `fields_max`: the
// others are checked and passed over. Of a long line it may suspend, and breaks off when the task is cancelled:
// task_check says so.
CHECKED struct status copy_split_line(const struct copy_options *options, struct arena *arena, struct bytes line,
    struct bytes *fields, uint32_t fields_max, uint32_t *count);
// `force_quote`: csv puts quotes around it whatever it is.
void copy_write_field(struct buffer *out, const struct copy_options *options, struct bytes text, bool null,
    bool force_quote);

// The binary format: sql/wire/copy_binary.c. One row, which must have `fields_max` fields; *found as copy_read_line.
CHECKED struct status copy_binary_read_row(struct copy_reader *reader, struct arena *arena,
    struct bytes *fields, uint32_t fields_max, uint32_t *count, bool *found);
void copy_binary_write_header(struct buffer *out);
void copy_binary_write_trailer(struct buffer *out);

struct status copy_execute(struct statement_context *context);
