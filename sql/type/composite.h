// SPDX-License-Identifier: GPL-3.0-or-later
//
// Composite types: their fields, as values and in expressions.
//
// Memory   Fields point into the value; what is made lives in the arena given.
// Errors   XX001 for bytes that are no record; 42804 where a record does not fit.
#pragma once
#include "sql/function/function.h"
#include "sql/type/type_user.h"

// The field in that slot, in place; NULL, with *oid 0, past the end.
CHECKED struct status composite_field(
    struct datum value, uint32_t slot, type_oid *oid, struct datum *field);
// The same value with the names of the type's fields, as type record has them.
CHECKED struct status composite_to_record(struct arena *arena, type_oid oid, struct datum *value);

// Functions that only the binder calls. They know fields by their slots, which are the same in all versions of a type.
extern const struct function composite_make;    // (slots...) -> the result's type
extern const struct function composite_get;     // (value, slot) -> the field
extern const struct function composite_set;     // (value, slot, count of slots, field) -> the value, changed
extern const struct function composite_is_null; // (value, bool): every field is NULL, or is not
