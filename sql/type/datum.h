// SPDX-License-Identifier: GPL-3.0-or-later
//
// One SQL value: sixteen bytes, by value. What its bits mean is said by its type (sql/type/type.h), which
// travels beside it, never inside.
//
//   bool                      boolean
//   int2 int4 int8 oid        integer
//   float4 float8             real
//   date                      integer: days since 2000-01-01; DATE_INFINITY, DATE_MINUS_INFINITY
//   time timestamp timestamptz integer: microseconds (of the day; since 2000-01-01 UTC)
//   text varchar char name bytea numeric jsonb uuid interval timetz bit arrays ...
//                             data/size: bytes in the arena, the statement or a stored row; never NUL-terminated
//
// numeric: sql/type/numeric.h. jsonb: sql/type/json.h. uuid: 16 bytes. interval: struct interval (sql/type/datetime.h).
//
// Memory   `data` is borrowed: whoever gives a datum out says how long it lives.
#pragma once
#include <stdbool.h>
#include <stdint.h>

#include "core/bytes.h"

struct datum {
    union {
        bool boolean;
        int64_t integer;
        double real;
        const uint8_t *data;
    };
    uint32_t size; // Of data, in bytes.
    bool null;
};

#define DATUM_NULL ((struct datum){.null = true})

static inline struct datum datum_bool(bool value)
{
    return (struct datum){.boolean = value};
}
static inline struct datum datum_int(int64_t value)
{
    return (struct datum){.integer = value};
}
static inline struct datum datum_real(double value)
{
    return (struct datum){.real = value};
}
static inline struct datum datum_bytes(struct bytes bytes)
{
    return (struct datum){.data = bytes.data, .size = (uint32_t)bytes.size};
}
static inline struct datum datum_text(const char *text)
{
    return datum_bytes(bytes_of_string(text));
}
static inline struct bytes datum_as_bytes(struct datum datum)
{
    return (struct bytes){datum.data, datum.size};
}
