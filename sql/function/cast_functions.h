// SPDX-License-Identifier: GPL-3.0-or-later
//
// Bodies of casts, for the table in sql/type/cast.c. Each lives with its type's module.
#pragma once
#include "sql/function/function.h"

#define CAST_FUNCTION(name) \
    struct status name( \
        struct function_call *call, const struct datum *args, struct datum *result);

CAST_FUNCTION(cast_composite_to_record)
CAST_FUNCTION(cast_record_to_composite)
CAST_FUNCTION(cast_range_to_multirange)
CAST_FUNCTION(cast_int_to_int)
CAST_FUNCTION(cast_int8_to_oid)
CAST_FUNCTION(cast_int4_to_oid)
CAST_FUNCTION(cast_oid_to_int4)
CAST_FUNCTION(cast_int_to_float)
CAST_FUNCTION(cast_float_to_int)
CAST_FUNCTION(cast_float8_to_float4)
CAST_FUNCTION(cast_int4_to_bool)
CAST_FUNCTION(cast_bool_to_int4)
CAST_FUNCTION(cast_bool_to_text)
CAST_FUNCTION(cast_int4_to_char)
CAST_FUNCTION(cast_char_to_int4)
CAST_FUNCTION(cast_text_to_name)
CAST_FUNCTION(cast_bpchar_to_text)
CAST_FUNCTION(cast_char_to_text)
CAST_FUNCTION(cast_inet_to_cidr)
CAST_FUNCTION(cast_inet_to_text)
CAST_FUNCTION(cast_macaddr_to_macaddr8)
CAST_FUNCTION(cast_macaddr8_to_macaddr)
CAST_FUNCTION(cast_text_to_char)
CAST_FUNCTION(cast_text_to_regclass)
CAST_FUNCTION(cast_int_to_numeric)
CAST_FUNCTION(cast_float_to_numeric)
CAST_FUNCTION(cast_numeric_to_int)
CAST_FUNCTION(cast_numeric_to_float)
CAST_FUNCTION(cast_date_to_timestamp)
CAST_FUNCTION(cast_date_to_timestamptz)
CAST_FUNCTION(cast_timestamp_to_timestamptz)
CAST_FUNCTION(cast_timestamptz_to_timestamp)
CAST_FUNCTION(cast_timestamp_to_date)
CAST_FUNCTION(cast_timestamp_to_time)
CAST_FUNCTION(cast_timestamptz_to_timetz)
CAST_FUNCTION(cast_time_to_timetz)
CAST_FUNCTION(cast_timetz_to_time)
CAST_FUNCTION(cast_time_to_interval)
CAST_FUNCTION(cast_interval_to_time)
CAST_FUNCTION(cast_jsonb_to_bool)
CAST_FUNCTION(cast_jsonb_to_number)
CAST_FUNCTION(cast_int_to_bit)
CAST_FUNCTION(cast_bit_to_int)
