// SPDX-License-Identifier: GPL-3.0-or-later
//
// Result rows as text, for people and for scripts.
#pragma once
#include <stdbool.h>

#include "core/arena.h"
#include "sql/wire/pgclient.h"

enum table_format { TABLE_TABLE, TABLE_CSV, TABLE_TSV, TABLE_JSON, TABLE_NDJSON, TABLE_RAW, TABLE_RECORDS };
// By name; false when there is none.
bool table_format_parse(const char *name, enum table_format *format);
extern const char *const table_format_names[]; // NULL-terminated.

// Appends the rows. Control characters are escaped in tables.
void table_write(struct buffer *out, enum table_format format, const struct pgclient_result *result);
