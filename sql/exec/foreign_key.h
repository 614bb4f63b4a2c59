// SPDX-License-Identifier: GPL-3.0-or-later
//
// How a column of a foreign key is compared with the one that it refers to where their types differ: by the operator
// that the referenced key's operator family has for both types (one key space of integers, floats, times, strings),
// else as values of the referenced key's type, to which the referring value is cast implicitly.
//
// Errors   What a cast says of a value (22003, ...).
// Source   PostgreSQL 15: ATAddForeignKeyConstraint, as seen from outside with all pairs of types.
#pragma once
#include "sql/function/function.h"

// Whether there is such an operator or such a cast; otherwise the key is refused (42804).
bool foreign_key_comparable(type_oid referring, type_oid referenced);
// Whether values and keys of both have one form: nothing is to be converted, and an index of either finds the other.
bool foreign_key_same_form(type_oid referring, type_oid referenced);
// The referring value as one of the referenced type, in call->arena. *possible false: no value of that type is equal to it.
CHECKED struct status foreign_key_value(struct function_call *call, type_oid referring, type_oid referenced,
    struct datum in, struct datum *out, bool *possible);
// The operators that compare the keys, as pg_constraint shows them: of a referenced with a referring value, of two
// referenced and of two referring ones. 0: PostgreSQL has none by that id.
struct foreign_key_operators {
    uint32_t across, referenced, referring;
};
struct foreign_key_operators foreign_key_operators(struct arena *arena, type_oid referring, type_oid referenced);
// The referenced value as one for the referring column, as an assignment: ON UPDATE CASCADE.
CHECKED struct status foreign_key_assigned(struct function_call *call, const char *column, struct type referring,
    type_oid referenced, struct datum in, struct datum *out);
