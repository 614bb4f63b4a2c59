// SPDX-License-Identifier: GPL-3.0-or-later
//
// Messages of PostgreSQL's wire protocol 3.0: reading what a client sends, with every length checked, and
// writing what a server sends. No state and no sockets; sql/wire/pgwire.c has those.
//
// Shard    Pure functions over the caller's bytes and buffers.
// Errors   08P01 for a message whose fields do not fit its length.
// Source   PostgreSQL 15 manual, chapter 55 "Frontend/Backend Protocol".
#pragma once
#include "core/arena.h"
#include "core/status.h"
#include "sql/session/statement.h"

#define WIRE_PROTOCOL_3_0 196608u
#define WIRE_CANCEL_REQUEST 80877102u
#define WIRE_SSL_REQUEST 80877103u
#define WIRE_GSSENC_REQUEST 80877104u
#define WIRE_STARTUP_BYTES_MAX 10000u

// --- reading ---------------------------------------------------------------------------------------

// A cursor over one message's body. After any read failed, `failed` stays set and reads give zeroes.
struct wire_reader {
    const uint8_t *data;
    size_t size;
    bool failed;
};
struct wire_reader wire_reader(struct bytes body);
uint8_t wire_read_u8(struct wire_reader *reader);
uint16_t wire_read_u16(struct wire_reader *reader);
uint32_t wire_read_u32(struct wire_reader *reader);
const char *wire_read_string(struct wire_reader *reader); // In place; "" after a failure.
// The same of what may be as long as a message: yields meanwhile, so that the message must be the reader's own.
const char *wire_read_text(struct wire_reader *reader);
struct bytes wire_read_bytes(struct wire_reader *reader, size_t size);
// 08P01 "invalid message format" when something failed or bytes are left over.
CHECKED struct status wire_reader_finish(const struct wire_reader *reader);

// --- writing ---------------------------------------------------------------------------------------

// Starts a message; wire_end fills in its length. Messages do not nest.
size_t wire_begin(struct buffer *out, char type);
void wire_end(struct buffer *out, size_t start);
// Writes into the four bytes at `at` how many follow them: a field of a row.
void wire_set_length(struct buffer *out, size_t at);
void wire_u8(struct buffer *out, uint8_t value);
void wire_u16(struct buffer *out, uint16_t value);
void wire_u32(struct buffer *out, uint32_t value);
void wire_string(struct buffer *out, const char *text);

void wire_ready(struct buffer *out, enum txn_state state);
void wire_command_complete(struct buffer *out, const char *tag);
void wire_parameter_status(struct buffer *out, const char *name, const char *value);
// ErrorResponse ('E') or NoticeResponse ('N').
void wire_report(struct buffer *out, char type, const char *severity, struct status st);
// `formats`: one a column, or NULL for text.
void wire_row_description(struct buffer *out, const struct result_column *columns, uint32_t count,
    const uint8_t *formats);
void wire_data_row(struct buffer *out, const struct type_context *context,
    const struct result_column *columns, uint32_t count, const uint8_t *formats,
    const struct datum *values);
