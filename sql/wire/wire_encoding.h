// SPDX-License-Identifier: GPL-3.0-or-later
//
// Texts of the wire in the client's encoding (client_encoding); the server's is UTF8. In the text format a value is a
// text as a whole; in the binary format texts are texts, json, labels, and such parts of arrays and rows.
//
// Shard    Pure functions.
// Memory   Results lie in `arena`, or are the argument itself when nothing had to change.
// Errors   As encoding.h: 22021, 22P05.
// Source   PostgreSQL 15 manual, section 24.3.3 "Automatic Character Set Conversion Between Server and Client".
#pragma once
#include "sql/wire/wire.h"

// Whether texts come and go as they are.
bool wire_encoding_is_plain(int32_t encoding);
// A field of the type, from the client or to it. SQL_ASCII and UTF8 change nothing.
CHECKED struct status wire_encoding_field_in(struct arena *arena, int32_t encoding, type_oid oid, bool binary,
    struct bytes field, struct bytes *out);
CHECKED struct status wire_encoding_field_out(struct arena *arena, int32_t encoding, type_oid oid, bool binary,
    struct bytes field, struct bytes *out);
// The last of `out`, from `start` on, is the body of an ErrorResponse, NoticeResponse or ParameterStatus with its
// length before it. What the encoding lacks becomes a question mark: an error must reach the client.
void wire_encoding_report(struct arena *arena, int32_t encoding, struct buffer *out, size_t start);
// As wire_data_row and wire_row_description.
CHECKED struct status wire_encoding_data_row(struct buffer *out, struct arena *arena, int32_t encoding,
    const struct type_context *context, const struct result_column *columns, uint32_t count, const uint8_t *formats,
    const struct datum *values);
CHECKED struct status wire_encoding_row_description(struct buffer *out, struct arena *arena, int32_t encoding,
    const struct result_column *columns, uint32_t count, const uint8_t *formats);
