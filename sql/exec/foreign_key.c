// SPDX-License-Identifier: GPL-3.0-or-later
#include "sql/exec/foreign_key.h"

enum family { FAMILY_NONE, FAMILY_INTEGER, FAMILY_FLOAT, FAMILY_TIME, FAMILY_TEXT };

// Types that operators of one family compare with each other, without a cast.
static enum family family_of(type_oid oid)
{
    switch (oid) {
    case TYPE_INT2:
    case TYPE_INT4:
    case TYPE_INT8: return FAMILY_INTEGER;
    case TYPE_FLOAT4:
    case TYPE_FLOAT8: return FAMILY_FLOAT;
    case TYPE_DATE:
    case TYPE_TIMESTAMP:
    case TYPE_TIMESTAMPTZ: return FAMILY_TIME;
    case TYPE_TEXT:
    case TYPE_NAME: return FAMILY_TEXT;
    default: return FAMILY_NONE;
    }
}

// The type whose operators the keys of a type are compared with.
static type_oid compared_as(type_oid oid)
{
    if (oid == TYPE_VARCHAR) return TYPE_TEXT;
    if (oid == TYPE_CIDR) return TYPE_INET;
    if (oid == TYPE_BIT) return TYPE_VARBIT;
    const struct cast *alias = cast_find(oid, TYPE_OID, CAST_IMPLICIT);
    return alias != NULL && alias->binary ? TYPE_OID : oid;
}

static bool one_family(type_oid a, type_oid b)
{
    return family_of(a) != FAMILY_NONE && family_of(a) == family_of(b);
}

bool foreign_key_comparable(type_oid referring, type_oid referenced)
{
    type_oid as = compared_as(referenced);
    if (referring == referenced || one_family(referring, as)) return true;
    if (type_is_array(as)) return false;
    return cast_find(referring, as, CAST_IMPLICIT) != NULL;
}

bool foreign_key_same_form(type_oid referring, type_oid referenced)
{
    type_oid as = compared_as(referenced);
    if (compared_as(referring) == as) return true;
    enum family family = family_of(referring);
    return one_family(referring, as) && (family == FAMILY_INTEGER || family == FAMILY_TEXT);
}

static uint32_t equality(struct arena *arena, type_oid left, type_oid right)
{
    struct function_match match;
    const struct type types[] = {TYPE_OF(left), TYPE_OF(right)};
    struct status st = function_resolve(arena, FUNCTION_OPERATOR, NULL, "=", types, 2, &match);
    return failed(st) || match.function == NULL ? 0 : match.function->oid;
}

struct foreign_key_operators foreign_key_operators(struct arena *arena, type_oid referring, type_oid referenced)
{
    // Of bits, comparing as is done here is only the values': bit has an operator of its own.
    type_oid as = referenced == TYPE_BIT ? TYPE_BIT : compared_as(referenced);
    uint32_t own = equality(arena, as, as);
    if (!one_family(referring, as)) return (struct foreign_key_operators){own, own, own};
    return (struct foreign_key_operators){equality(arena, as, referring), own, equality(arena, referring, referring)};
}

struct status foreign_key_value(struct function_call *call, type_oid referring, type_oid referenced,
    struct datum in, struct datum *out, bool *possible)
{
    struct status st = STATUS_OK;
    type_oid as = compared_as(referenced);
    *out = in;
    *possible = true;
    if (in.null || foreign_key_same_form(referring, referenced)) return st;
    const struct cast *to = cast_find(referring, as, CAST_EXPLICIT);
    if (to == NULL) return status_make(E_DATA_CORRUPTED, "foreign key over types that do not compare");
    st = cast_apply(call, to, TYPE_OF(referring), TYPE_OF(as), false, in, out);
    if (!one_family(referring, as)) return st;
    // What the referenced type cannot hold is equal to none of its values, and what it rounds neither.
    struct datum back;
    if (!failed(st))
        st = cast_apply(call, cast_find(as, referring, CAST_EXPLICIT), TYPE_OF(as), TYPE_OF(referring), false, *out, &back);
    if (status_is(st, E_NUMERIC_OUT_OF_RANGE) || status_is(st, E_DATETIME_OVERFLOW)) {
        *possible = false;
        return STATUS_OK;
    }
    if (!failed(st)) *possible = type_equal(referring, in, back);
    return st;
}

struct status foreign_key_assigned(struct function_call *call, const char *column, struct type referring,
    type_oid referenced, struct datum in, struct datum *out)
{
    const struct cast *cast = cast_find(referenced, referring.oid, CAST_ASSIGNMENT);
    if (cast == NULL)
        return status_format(call->arena, E_DATATYPE_MISMATCH, "column \"%s\" is of type %s but expression is of type %s",
            column, type_format(call->arena, TYPE_OF(referring.oid)), type_format(call->arena, TYPE_OF(referenced)));
    return cast_apply(call, cast, TYPE_OF(referenced), referring, false, in, out);
}
