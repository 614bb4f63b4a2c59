// SPDX-License-Identifier: GPL-3.0-or-later
//
// Functions whose rows the binder describes: json as rows.
//
// Shard    Static tables.
#pragma once
#include "sql/function/function.h"

// Whether a call of it is to become one of those below.
bool function_makes_json_records(const struct function *function);
// (json, names, fields of the base row...): a row, a set of rows; without names of their own.
extern const struct function json_one_record, json_recordset;
