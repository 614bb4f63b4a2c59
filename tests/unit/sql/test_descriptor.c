// SPDX-License-Identifier: GPL-3.0-or-later
#include <criterion/criterion.h>

#include "sql/catalog/descriptor.h"
#include "sql/user/privilege.h"

static struct arena arena;

static void setup(void)
{
    arena_init(&arena, NULL);
}

static void teardown(void)
{
    arena_fini(&arena);
}

TestSuite(descriptor, .init = setup, .fini = teardown);

static struct column_desc columns[] = {
    {.id = 1,
        .name = "a",
        .type = {.oid = TYPE_INT8, .typmod = -1},
        .not_null = true,
        .default_sql = "nextval(16500::regclass)",
        .owned_sequence = 116},
    {.id = 3, .name = "b", .type = {TYPE_VARCHAR, 24}, .default_sql = ""},
    {.id = 4,
        .name = "rowid",
        .type = {.oid = TYPE_INT8, .typmod = -1},
        .hidden = true,
        .identity = 'a',
        .missing = {(const uint8_t *)"\x01\x02", 2},
        .state = ELEMENT_WRITE_ONLY},
};
static struct index_column key[] = {{.column_id = 1}};
static struct index_column parts[] = {
    {.column_id = 3, .descending = true}, {.expression_sql = "lower(b)"}};
static uint32_t stored[] = {4};
static struct index_desc indexes[] = {
    {.id = 2,
        .name = "t_pkey",
        .unique = true,
        .primary = true,
        .from_constraint = true,
        .columns = key,
        .column_count = 1},
    {.id = 3,
        .name = "i",
        .columns = parts,
        .column_count = 2,
        .stored = stored,
        .stored_count = 1,
        .predicate_sql = "a > 0",
        .state = ELEMENT_WRITE_ONLY},
};
static uint32_t fk_columns[] = {1, 3}, fk_referenced[] = {7, 8};
static struct constraint_desc constraints[] = {
    {.id = 1,
        .name = "c",
        .kind = TABLE_CHECK,
        .check_sql = "a > 0",
        .columns = fk_columns,
        .column_count = 1,
        .not_valid = true},
    {.id = 2,
        .name = "f",
        .kind = TABLE_FOREIGN_KEY,
        .columns = fk_columns,
        .column_count = 2,
        .referenced_table = 200,
        .referenced_columns = fk_referenced,
        .on_delete = REFERENCE_CASCADE,
        .on_update = REFERENCE_SET_NULL},
};
static struct fk_back_reference references[] = {{.table_id = 300, .constraint_id = 4}};
static struct privilege_grant grants[] = {{.role = "public", .privileges = 5, .grantable = 1}};
static uint32_t views[] = {400, 401};

static struct table_desc example(void)
{
    return (struct table_desc){.id = 123,
        .database_id = 52,
        .schema_id = 53,
        .version = 9,
        .name = "t",
        .kind = RELATION_TABLE,
        .columns = columns,
        .column_count = 3,
        .next_column_id = 5,
        .next_index_id = 4,
        .next_constraint_id = 3,
        .indexes = indexes,
        .index_count = 2,
        .constraints = constraints,
        .constraint_count = 2,
        .referenced_by = references,
        .referenced_by_count = 1,
        .writes_blocked = true,
        .depended_by = views,
        .depended_by_count = 2,
        .owner = "root",
        .grants = grants,
        .grant_count = 1};
}

static struct bytes encode(const struct table_desc *table)
{
    struct buffer out;
    buffer_init(&out, &arena);
    descriptor_encode_table(&out, table);
    return buffer_bytes(&out);
}

Test(descriptor, table_comes_back_as_it_was)
{
    struct table_desc table = example(), back;
    struct bytes bytes = encode(&table);
    cr_assert_eq(descriptor_kind_of(bytes), DESCRIPTOR_TABLE);
    struct status st = descriptor_decode_table(&arena, bytes, &back);
    cr_assert(!failed(st), "%s", st.message);
    // The same bytes again: every field was read.
    struct bytes again = encode(&back);
    cr_assert(bytes_equal(bytes, again));
    cr_expect_eq(back.column_count, 3);
    cr_expect_eq(back.columns[0].type.typmod, -1);
    cr_expect_eq(back.columns[1].type.typmod, 24);
    cr_expect_str_eq(back.columns[1].default_sql, "");
    cr_expect_null(back.columns[2].default_sql, "no default is not an empty one");
    cr_expect_eq(back.columns[2].missing.size, 2);
    cr_expect_eq(back.columns[2].state, ELEMENT_WRITE_ONLY);
    cr_expect(back.indexes[1].columns[0].descending);
    cr_expect_str_eq(back.indexes[1].columns[1].expression_sql, "lower(b)");
    cr_expect_eq(back.constraints[1].referenced_columns[1], 8);
    cr_expect_eq(back.depended_by[1], 401);
    cr_expect(back.writes_blocked);
}

Test(descriptor, sequence_options_come_back)
{
    struct table_desc table = {.id = 5,
        .name = "s",
        .owner = "root",
        .kind = RELATION_SEQUENCE,
        .sequence = {.type = TYPE_INT4,
            .start = -7,
            .increment = -1,
            .minimum = INT64_MIN,
            .maximum = -1,
            .cache = 10,
            .cycle = true,
            .owner_table = 9,
            .owner_column = 2}};
    struct table_desc back;
    struct status st = descriptor_decode_table(&arena, encode(&table), &back);
    cr_assert(!failed(st), "%s", st.message);
    cr_expect_eq(back.sequence.minimum, INT64_MIN);
    cr_expect_eq(back.sequence.start, -7);
    cr_expect_eq(back.sequence.owner_column, 2);
    cr_expect(back.sequence.cycle);
}

// Bytes come from disk and from other clusters: none of them may bring the server down.
Test(descriptor, every_truncation_and_flip_is_refused_or_sound)
{
    struct table_desc table = example(), back;
    struct bytes bytes = encode(&table);
    for (size_t size = 0; size < bytes.size; size++) {
        struct status st = descriptor_decode_table(&arena, (struct bytes){bytes.data, size}, &back);
        if (failed(st)) cr_expect_eq(st.code, E_DATA_CORRUPTED);
    }
    uint8_t *copy = arena_alloc(&arena, bytes.size);
    for (size_t i = 0; i < bytes.size; i++) {
        for (int bit = 0; bit < 8; bit++) {
            memcpy(copy, bytes.data, bytes.size);
            copy[i] ^= (uint8_t)(1 << bit);
            struct status st =
                descriptor_decode_table(&arena, (struct bytes){copy, bytes.size}, &back);
            if (failed(st)) cr_expect_eq(st.code, E_DATA_CORRUPTED);
        }
    }
}

Test(descriptor, dangling_references_are_refused)
{
    struct table_desc table = example(), back;
    static struct index_column missing_column[] = {{.column_id = 2}};
    struct index_desc broken[] = {indexes[0]};
    broken[0].columns = missing_column;
    table.indexes = broken;
    table.index_count = 1;
    cr_expect_eq(descriptor_decode_table(&arena, encode(&table), &back).code, E_DATA_CORRUPTED);

    table = example();
    table.index_count = 0;
    cr_expect_eq(descriptor_decode_table(&arena, encode(&table), &back).code, E_DATA_CORRUPTED,
        "a table without a primary index");
    table = example();
    table.next_column_id = 4;
    cr_expect_eq(descriptor_decode_table(&arena, encode(&table), &back).code, E_DATA_CORRUPTED,
        "an id that would be given out again");
}

Test(descriptor, names_lead_to_what_they_did)
{
    struct name_value value, values[] = {{NAME_DATABASE, 52, 0}, {NAME_INDEX, 4000000, 300}};
    for (size_t i = 0; i < 2; i++) {
        struct buffer out;
        buffer_init(&out, &arena);
        name_value_encode(&out, values[i]);
        cr_assert(!failed(name_value_decode(buffer_bytes(&out), &value)));
        cr_expect_eq(value.kind, values[i].kind);
        cr_expect_eq(value.id, values[i].id);
        cr_expect_eq(value.index_id, values[i].index_id);
        out.size--;
        cr_expect(failed(name_value_decode(buffer_bytes(&out), &value)));
    }
}

// Whoever went by names with a schema of before USAGE was asked for still does, until it is revoked: what is written anew
// says only what it says.
Test(descriptor, schemas_of_before_are_everybodys_to_use)
{
    static const struct {
        const char *name;
        uint32_t temp_node;
        bool granted, everybody;
    } rows[] = {{"s", 0, false, true}, {"s", 0, true, true}, {"public", 0, false, false}, {"pg_temp_7", 1, false, false}};
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct privilege_grant grant = {.role = "public", .privileges = PRIVILEGE_CREATE};
        struct schema_desc back, schema = {.id = 100,
            .database_id = 52,
            .name = rows[i].name,
            .owner = "root",
            .temp_node = rows[i].temp_node,
            .grants = &grant,
            .grant_count = rows[i].granted};
        struct buffer out;
        buffer_init(&out, &arena);
        descriptor_encode_schema(&out, &schema);
        cr_assert(!failed(descriptor_decode_schema(&arena, buffer_bytes(&out), &back)));
        cr_expect_eq(back.grant_count, schema.grant_count, "of now");
        out.size -= 3; // The last field: that USAGE counts.
        cr_assert(!failed(descriptor_decode_schema(&arena, buffer_bytes(&out), &back)));
        bool usage = false;
        for (uint32_t k = 0; k < back.grant_count; k++)
            usage |= strcmp(back.grants[k].role, "public") == 0 && (back.grants[k].privileges & PRIVILEGE_USAGE) != 0;
        cr_expect_eq(usage, rows[i].everybody, "%s", rows[i].name);
        cr_expect_eq(back.grant_count, rows[i].granted || rows[i].everybody ? 1 : 0);
        back.grant_count = 0; // Revoked, and so written anew.
        buffer_init(&out, &arena);
        descriptor_encode_schema(&out, &back);
        cr_assert(!failed(descriptor_decode_schema(&arena, buffer_bytes(&out), &back)));
        cr_expect_eq(back.grant_count, 0);
    }
}
