// SPDX-License-Identifier: GPL-3.0-or-later
//
// pg_opclass and pg_opfamily: the B-tree orders that indexes are in, and what inverted ones hold. Ids are PostgreSQL's; every type has the one order
// that its comparison gives, so the others are there for their names only.
#include "sql/catalog/pg_catalog.h"
#include "sql/type/range.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))
#define ROWS(name_) \
    static struct status name_( \
        struct task *task, struct session *session, struct virtual_table_sink *sink)

// clang-format off
static const struct operator_class {
    uint32_t oid, family;
    type_oid type;
    const char *name, *family_name;
    bool is_default;
    uint32_t method; // 0: B-tree.
} classes[] = {
    {1978, 1976, 23, "int4_ops", "integer_ops", true, 0},
    {1979, 1976, 21, "int2_ops", "integer_ops", true, 0},
    {1981, 1989, 26, "oid_ops", "oid_ops", true, 0},
    {3122, 434, 1082, "date_ops", "datetime_ops", true, 0},
    {3123, 1970, 701, "float8_ops", "float_ops", true, 0},
    {3124, 1976, 20, "int8_ops", "integer_ops", true, 0},
    {3125, 1988, 1700, "numeric_ops", "numeric_ops", true, 0},
    {3126, 1994, 25, "text_ops", "text_ops", true, 0},
    {3127, 434, 1184, "timestamptz_ops", "datetime_ops", true, 0},
    {3128, 434, 1114, "timestamp_ops", "datetime_ops", true, 0},
    {4217, 2095, 25, "text_pattern_ops", "text_pattern_ops", false, 0},
    {4218, 2095, 25, "varchar_pattern_ops", "text_pattern_ops", false, 0},
    {4219, 2097, 1042, "bpchar_pattern_ops", "bpchar_pattern_ops", false, 0},
    {10000, 397, 2277, "array_ops", "array_ops", true, 0},
    {10002, 423, 1560, "bit_ops", "bit_ops", true, 0},
    {10003, 424, 16, "bool_ops", "bool_ops", true, 0},
    {10004, 426, 1042, "bpchar_ops", "bpchar_ops", true, 0},
    {10006, 428, 17, "bytea_ops", "bytea_ops", true, 0},
    {10007, 429, 18, "char_ops", "char_ops", true, 0},
    {10009, 1974, 869, "cidr_ops", "network_ops", false, 0},
    {10012, 1970, 700, "float4_ops", "float_ops", true, 0},
    {10015, 1974, 869, "inet_ops", "network_ops", true, 0},
    {10022, 1982, 1186, "interval_ops", "interval_ops", true, 0},
    {10047, 2099, 790, "money_ops", "money_ops", true, 0},
    {10024, 1984, 829, "macaddr_ops", "macaddr_ops", true, 0},
    {10026, 3371, 774, "macaddr8_ops", "macaddr8_ops", true, 0},
    {10028, 1994, 19, "name_ops", "text_ops", true, 0},
    {10032, 1991, 30, "oidvector_ops", "oidvector_ops", true, 0},
    {10034, 2994, 2249, "record_ops", "record_ops", true, 0},
    {10036, 3194, 2249, "record_image_ops", "record_image_ops", false, 0},
    {10038, 1996, 1083, "time_ops", "time_ops", true, 0},
    {10041, 2000, 1266, "timetz_ops", "timetz_ops", true, 0},
    {10043, 2002, 1562, "varbit_ops", "varbit_ops", true, 0},
    {10044, 1994, 25, "varchar_ops", "text_ops", false, 0},
    {10065, 2968, 2950, "uuid_ops", "uuid_ops", true, 0},
    {10067, 3253, 3220, "pg_lsn_ops", "pg_lsn_ops", true, 0},
    {10053, 5067, 5069, "xid8_ops", "xid8_ops", true, 0},
    {10076, 3901, 3831, "range_ops", "range_ops", true, 0},
    {10080, 4199, 4537, "multirange_ops", "multirange_ops", true, 0},
    {10069, 3522, 3500, "enum_ops", "enum_ops", true, 0},
    {10088, 4033, 3802, "jsonb_ops", "jsonb_ops", true, 0},
    {10064, 2745, 2277, "array_ops", "array_ops", true, PG_AM_GIN},
    {10090, 4036, 3802, "jsonb_ops", "jsonb_ops", true, PG_AM_GIN},
    {10091, 4037, 3802, "jsonb_path_ops", "jsonb_path_ops", false, PG_AM_GIN},
};
// clang-format on

// The type that a class of the type is declared for.
static type_oid class_type(type_oid type)
{
    const struct type_info *info = type_info(type);
    type_oid wanted = type;
    if (type == TYPE_VARCHAR) wanted = TYPE_TEXT;
    if (type >= TYPE_REGPROC && info != NULL && info->category == 'N' && info->length == 4 &&
        info->name[0] == 'r' && info->name[1] == 'e' && info->name[2] == 'g')
        wanted = TYPE_OID;
    if (info != NULL && info->category == 'A' && info->element != 0) wanted = TYPE_ANYARRAY;
    if (type_is_range(type)) wanted = TYPE_ANYRANGE;
    if (multirange_type_of(type) != NULL) wanted = TYPE_ANYMULTIRANGE;
    return wanted;
}

uint32_t pg_operator_class(type_oid type)
{
    type_oid wanted = class_type(type);
    for (unsigned i = 0; i < COUNT(classes); i++)
        if (classes[i].type == wanted && classes[i].is_default && classes[i].method == 0)
            return classes[i].oid;
    return 0;
}

uint32_t pg_operator_class_named(const char *name, type_oid type, bool *known)
{
    *known = false;
    for (unsigned i = 0; i < COUNT(classes); i++) {
        if (classes[i].method != 0 || strcmp(classes[i].name, name) != 0) continue;
        *known = true;
        if (classes[i].type == type || classes[i].type == class_type(type)) return classes[i].oid;
    }
    return 0;
}

const char *pg_operator_class_name(uint32_t oid)
{
    for (unsigned i = 0; i < COUNT(classes); i++)
        if (classes[i].oid == oid) return classes[i].name;
    return NULL;
}

// What a gin index of the class stores, as PostgreSQL tells it.
static type_oid key_type(uint32_t class)
{
    return class == 10064   ? TYPE_ANYELEMENT
           : class == 10090 ? TYPE_TEXT
           : class == 10091 ? TYPE_INT4
           : class == 10028 ? TYPE_CSTRING
                            : 0;
}

ROWS(class_rows)
{
    struct status st = STATUS_OK;
    struct pg_row row;
    (void)task;
    (void)session;
    for (unsigned i = 0; i < COUNT(classes); i++) {
        pg_row_begin(&row, sink);
        pg_put_int(&row, "oid", classes[i].oid);
        pg_put_int(&row, "opcmethod", classes[i].method != 0 ? classes[i].method : PG_AM_BTREE);
        pg_put_text(&row, "opcname", classes[i].name);
        pg_put_int(&row, "opcnamespace", PG_NAMESPACE_CATALOG);
        pg_put_int(&row, "opcowner", PG_ADMIN_OID);
        pg_put_int(&row, "opcfamily", classes[i].family);
        pg_put_int(&row, "opcintype", classes[i].type);
        pg_put_bool(&row, "opcdefault", classes[i].is_default);
        pg_put_int(&row, "opckeytype", key_type(classes[i].oid));
        TRY(pg_row_send(&row));
    }
out:
    return st;
}

ROWS(family_rows)
{
    struct status st = STATUS_OK;
    struct pg_row row;
    (void)task;
    (void)session;
    for (unsigned i = 0; i < COUNT(classes); i++) {
        bool seen = false;
        for (unsigned j = 0; j < i; j++) seen |= classes[j].family == classes[i].family;
        if (seen) continue;
        pg_row_begin(&row, sink);
        pg_put_int(&row, "oid", classes[i].family);
        pg_put_int(&row, "opfmethod", classes[i].method != 0 ? classes[i].method : PG_AM_BTREE);
        pg_put_text(&row, "opfname", classes[i].family_name);
        pg_put_int(&row, "opfnamespace", PG_NAMESPACE_CATALOG);
        pg_put_int(&row, "opfowner", PG_ADMIN_OID);
        TRY(pg_row_send(&row));
    }
out:
    return st;
}

static const struct pg_table tables[] = {
    {"pg_opclass",
        "oid oid, opcmethod oid, opcname name, opcnamespace oid, opcowner oid, "
        "opcfamily oid, opcintype oid, opcdefault bool, opckeytype oid",
        class_rows},
    {"pg_opfamily",
        "oid oid, opfmethod oid, opfname name, opfnamespace oid, opfowner oid",
        family_rows},
};

void pg_catalog_operators_register(void)
{
    pg_tables_register("pg_catalog", tables, COUNT(tables));
}
