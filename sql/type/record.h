// SPDX-License-Identifier: GPL-3.0-or-later
//
// Values of type record: rows in expressions. Each says itself what its fields are called and of what type. Values of
// composite types (type_user.h) are records without names that have their fields where the type says.
//
// Memory   Bytes in the caller's buffer; what a cursor gives points into the value.
// Errors   XX001 for bytes that are no record.
#pragma once
#include "core/bytes.h"
#include "sql/type/type_user.h"

struct record_field {
    struct bytes name;
    type_oid type;
    struct datum value;
};
void record_begin(struct buffer *out, uint32_t count);
void record_add(struct buffer *out, struct bytes name, type_oid type, struct datum value);
// A value of composite type `type`; of any other one, a record of `count` fields. The fields that it has now, in order.
struct record_writer {
    struct buffer *out;
    const struct user_type *type; // NULL: a record.
    uint32_t field, slot;         // Next ones.
};
void record_write_begin(
    struct record_writer *writer, struct buffer *out, type_oid type, uint32_t count);
void record_write(struct record_writer *writer, type_oid type, struct datum value);

struct record_cursor {
    struct bytes rest;
    uint32_t count; // Fields not yet taken.
    // Of a composite type whose fields are known, else NULL: what has been taken of it, and what is there.
    const struct user_type *type;
    uint32_t field, slot, slot_count;
};
// As it lies there.
CHECKED struct status record_open(struct datum value, struct record_cursor *cursor);
// The fields that composite type `type` has now, whichever it had when the value was made; otherwise as record_open.
CHECKED struct status record_open_as(
    type_oid type, struct datum value, struct record_cursor *cursor);
CHECKED struct status record_next(struct record_cursor *cursor, struct record_field *field);

// What values of composite types do as records.
void record_output(
    struct buffer *out, const struct type_context *context, type_oid oid, struct datum value);
void record_send(struct buffer *out, type_oid oid, struct datum value);
int record_compare(type_oid oid, struct datum a, struct datum b);
uint64_t record_hash(type_oid oid, struct datum value);
