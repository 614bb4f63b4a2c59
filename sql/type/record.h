// SPDX-License-Identifier: GPL-3.0-or-later
//
// Values of type record: rows in expressions. Each says itself what its fields are called and of what type.
//
// Memory   Bytes in the caller's buffer; what a cursor gives points into the value.
// Errors   XX001 for bytes that are no record.
#pragma once
#include "core/bytes.h"
#include "sql/type/type.h"

struct record_field {
    struct bytes name;
    type_oid type;
    struct datum value;
};
void record_begin(struct buffer *out, uint32_t count);
void record_add(struct buffer *out, struct bytes name, type_oid type, struct datum value);

struct record_cursor {
    struct bytes rest;
    uint32_t count; // Fields not yet taken.
};
CHECKED struct status record_open(struct datum value, struct record_cursor *cursor);
CHECKED struct status record_next(struct record_cursor *cursor, struct record_field *field);
