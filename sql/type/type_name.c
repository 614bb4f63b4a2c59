// SPDX-License-Identifier: GPL-3.0-or-later
//
// Names of types and their modifiers.
#include <stdlib.h>

#include "sql/type/type.h"
#include "sql/type/type_ops.h"

// Spellings that are neither typname nor format_type's.
static const struct {
    const char *name;
    type_oid oid;
} aliases[] = {
    {"int", TYPE_INT4},
    {"decimal", TYPE_NUMERIC},
    {"dec", TYPE_NUMERIC},
    {"float", TYPE_FLOAT8},
    {"timestamp with time zone", TYPE_TIMESTAMPTZ},
    {"time with time zone", TYPE_TIMETZ},
    {"string", TYPE_TEXT},
    {"bytes", TYPE_BYTEA},
    {"int64", TYPE_INT8},
    {"char varying", TYPE_VARCHAR},
};

static const struct type_info *find_name(struct bytes name)
{
    const struct type_info *info;
    for (uint32_t i = 0; (info = type_info_at(i)) != NULL; i++) {
        if (bytes_equal(name, bytes_of_string(info->name))) return info;
    }
    for (uint32_t i = 0; (info = type_info_at(i)) != NULL; i++) {
        if (bytes_equal(name, bytes_of_string(info->sql_name))) return info;
    }
    for (uint32_t i = 0; i < sizeof aliases / sizeof aliases[0]; i++) {
        if (bytes_equal(name, bytes_of_string(aliases[i].name))) return type_info(aliases[i].oid);
    }
    return NULL;
}

const struct type_info *type_by_name(const char *name)
{
    struct bytes text = bytes_of_string(name);
    bool array = false;
    while (text.size > 2 && memcmp(text.data + text.size - 2, "[]", 2) == 0) {
        array = true; // Further dimensions are the same type.
        text.size -= 2;
    }
    const struct type_info *info = find_name(text);
    if (array && info != NULL) info = info->array == 0 ? NULL : type_info(info->array);
    return info;
}

static int numeric_precision(int32_t typmod)
{
    return (typmod - 4) >> 16 & 0xffff;
}

static int numeric_scale(int32_t typmod)
{
    return (((typmod - 4) & 0x7ff) ^ 1024) - 1024;
}

// Bits of an interval's fields, as PostgreSQL numbers them.
static const struct {
    int32_t mask;
    const char *text;
} interval_ranges[] = {
    {1 << 2, " year"},
    {1 << 1, " month"},
    {1 << 3, " day"},
    {1 << 10, " hour"},
    {1 << 11, " minute"},
    {1 << 12, " second"},
    {1 << 2 | 1 << 1, " year to month"},
    {1 << 3 | 1 << 10, " day to hour"},
    {1 << 3 | 1 << 10 | 1 << 11, " day to minute"},
    {1 << 3 | 1 << 10 | 1 << 11 | 1 << 12, " day to second"},
    {1 << 10 | 1 << 11, " hour to minute"},
    {1 << 10 | 1 << 11 | 1 << 12, " hour to second"},
    {1 << 11 | 1 << 12, " minute to second"},
};

static char *format_interval(struct arena *arena, int32_t typmod)
{
    int32_t range = typmod >> 16 & 0x7fff, precision = typmod & 0xffff;
    const char *fields = "";
    for (uint32_t i = 0; i < sizeof interval_ranges / sizeof interval_ranges[0]; i++) {
        if (interval_ranges[i].mask == range) fields = interval_ranges[i].text;
    }
    if (precision == 0xffff) return arena_printf(arena, "interval%s", fields);
    return arena_printf(arena, "interval%s(%d)", fields, precision);
}

char *type_format(struct arena *arena, struct type type)
{
    const struct type_info *info = type_info(type.oid);
    if (info == NULL) return arena_strdup(arena, "???");
    if (info->element != 0 && info->category == 'A' && type.oid != TYPE_INT2VECTOR &&
        type.oid != TYPE_OIDVECTOR) {
        char *element = type_format(arena, (struct type){.oid = info->element, .typmod = type.typmod});
        return arena_printf(arena, "%s[]", element);
    }
    if (type.typmod < 0) {
        return arena_strdup(arena, type.oid == TYPE_BPCHAR ? "bpchar" : info->sql_name);
    }
    switch (type.oid) {
    case TYPE_BPCHAR:
    case TYPE_VARCHAR: return arena_printf(arena, "%s(%d)", info->sql_name, type.typmod - 4);
    case TYPE_BIT:
    case TYPE_VARBIT: return arena_printf(arena, "%s(%d)", info->sql_name, type.typmod);
    case TYPE_NUMERIC:
        return arena_printf(arena, "numeric(%d,%d)", numeric_precision(type.typmod),
            numeric_scale(type.typmod));
    case TYPE_TIME: return arena_printf(arena, "time(%d) without time zone", type.typmod);
    case TYPE_TIMETZ: return arena_printf(arena, "time(%d) with time zone", type.typmod);
    case TYPE_TIMESTAMP: return arena_printf(arena, "timestamp(%d) without time zone", type.typmod);
    case TYPE_TIMESTAMPTZ: return arena_printf(arena, "timestamp(%d) with time zone", type.typmod);
    case TYPE_INTERVAL: return format_interval(arena, type.typmod);
    default: return arena_strdup(arena, info->sql_name);
    }
}

#define CHAR_LENGTH_MAX 10485760
#define BIT_LENGTH_MAX (CHAR_LENGTH_MAX * 8)

static struct status length_typmod(struct arena *arena, const char *name, const int32_t *modifiers,
    uint32_t count, int32_t max, int32_t *length)
{
    if (count != 1) return status_make(E_INVALID_PARAMETER_VALUE, "invalid type modifier");
    if (modifiers[0] < 1)
        return status_format(
            arena, E_INVALID_PARAMETER_VALUE, "length for type %s must be at least 1", name);
    if (modifiers[0] > max)
        return status_format(
            arena, E_INVALID_PARAMETER_VALUE, "length for type %s cannot exceed %d", name, max);
    *length = modifiers[0];
    return STATUS_OK;
}

static struct status numeric_typmod(
    struct arena *arena, const int32_t *modifiers, uint32_t count, int32_t *typmod)
{
    int32_t precision = modifiers[0], scale = count == 2 ? modifiers[1] : 0;
    if (count > 2) return status_make(E_INVALID_PARAMETER_VALUE, "invalid NUMERIC type modifier");
    if (precision < 1 || precision > 1000)
        return status_format(arena, E_INVALID_PARAMETER_VALUE,
            "NUMERIC precision %d must be between 1 and 1000", precision);
    if (scale < -1000 || scale > 1000)
        return status_format(arena, E_INVALID_PARAMETER_VALUE,
            "NUMERIC scale %d must be between -1000 and 1000", scale);
    *typmod = (precision << 16 | (scale & 0x7ff)) + 4;
    return STATUS_OK;
}

static struct status time_typmod(struct arena *arena, const char *what, const int32_t *modifiers,
    uint32_t count, int32_t *typmod)
{
    if (count != 1) return status_make(E_INVALID_PARAMETER_VALUE, "invalid type modifier");
    if (modifiers[0] < 0)
        return status_format(arena, E_INVALID_PARAMETER_VALUE,
            what[0] == 'I' ? "INTERVAL(%d) precision must not be negative"
                           : "TIMESTAMP(%d) precision must not be negative",
            modifiers[0]);
    *typmod = modifiers[0] > 6 ? 6 : modifiers[0]; // PostgreSQL warns, and takes 6.
    return STATUS_OK;
}

// The grammar gives a mask of fields, then perhaps a precision.
static struct status interval_typmod(
    struct arena *arena, const int32_t *modifiers, uint32_t count, int32_t *typmod)
{
    struct status st = STATUS_OK;
    int32_t precision = 0xffff;
    if (count > 2) return status_make(E_INVALID_PARAMETER_VALUE, "invalid INTERVAL type modifier");
    if (count == 2) TRY(time_typmod(arena, "I", modifiers + 1, 1, &precision));
    if (count == 1 && modifiers[0] == 0x7fff) {
        *typmod = -1;
    } else {
        *typmod = (modifiers[0] & 0x7fff) << 16 | (precision & 0xffff);
    }
out:
    return st;
}

struct status type_make_typmod(struct arena *arena, type_oid oid, const int32_t *modifiers,
    uint32_t count, int32_t *typmod)
{
    const struct type_info *info = type_info(oid);
    if (count == 0) {
        *typmod = -1;
        return STATUS_OK;
    }
    if (info != NULL && info->element != 0 && oid != TYPE_INT2VECTOR && oid != TYPE_OIDVECTOR)
        return type_make_typmod(arena, info->element, modifiers, count, typmod);

    struct status st = STATUS_OK;
    switch (oid) {
    case TYPE_VARCHAR:
        st = length_typmod(arena, "varchar", modifiers, count, CHAR_LENGTH_MAX, typmod);
        if (!failed(st)) *typmod += 4;
        break;
    case TYPE_BPCHAR:
        st = length_typmod(arena, "char", modifiers, count, CHAR_LENGTH_MAX, typmod);
        if (!failed(st)) *typmod += 4;
        break;
    case TYPE_BIT: return length_typmod(arena, "bit", modifiers, count, BIT_LENGTH_MAX, typmod);
    case TYPE_VARBIT:
        return length_typmod(arena, "varbit", modifiers, count, BIT_LENGTH_MAX, typmod);
    case TYPE_NUMERIC: return numeric_typmod(arena, modifiers, count, typmod);
    case TYPE_TIME:
    case TYPE_TIMETZ:
    case TYPE_TIMESTAMP:
    case TYPE_TIMESTAMPTZ: return time_typmod(arena, "T", modifiers, count, typmod);
    case TYPE_INTERVAL: return interval_typmod(arena, modifiers, count, typmod);
    default:
        return status_format(arena, E_SYNTAX_ERROR, "type modifier is not allowed for type \"%s\"",
            info == NULL ? "unknown" : info->name);
    }
    return st;
}
