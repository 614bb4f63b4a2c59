// SPDX-License-Identifier: GPL-3.0-or-later
//
// How rows are stored: what is written comes back, equal unique keys collide, corrupt bytes are refused.
#include <criterion/criterion.h>

#include "sql/function/function.h"
#include "sql/exec/row.h"

enum { A, B, C, D, COLUMNS };

static struct column_desc columns[COLUMNS];
static struct index_column primary_columns[1], unique_columns[2], plain_columns[1];
static uint32_t stored[1] = {4};
static struct index_desc indexes[3];
static struct table_desc table;
static struct arena arena;

// a int4 key, b text, c numeric, d int8 with what rows older than the column have.
static void set_up(void)
{
    arena_init(&arena, NULL);
    columns[A] = (struct column_desc){.id = 1, .name = "a", .type = TYPE_OF(TYPE_INT4)};
    columns[B] = (struct column_desc){.id = 2, .name = "b", .type = TYPE_OF(TYPE_TEXT)};
    columns[C] = (struct column_desc){.id = 3, .name = "c", .type = TYPE_OF(TYPE_NUMERIC)};
    columns[D] = (struct column_desc){.id = 4, .name = "d", .type = TYPE_OF(TYPE_INT8)};
    primary_columns[0] = (struct index_column){.column_id = 1};
    unique_columns[0] = (struct index_column){.column_id = 2, .descending = true};
    unique_columns[1] = (struct index_column){.column_id = 3};
    plain_columns[0] = (struct index_column){.column_id = 3};
    indexes[0] = (struct index_desc){
        .id = 1, .name = "t_pkey", .unique = true, .primary = true, .columns = primary_columns, .column_count = 1};
    indexes[1] = (struct index_desc){
        .id = 2, .name = "t_b_c", .unique = true, .columns = unique_columns, .column_count = 2};
    indexes[2] = (struct index_desc){.id = 3, .name = "t_c", .columns = plain_columns,
        .column_count = 1, .stored = stored, .stored_count = 1};
    table = (struct table_desc){.id = 104, .name = "t", .columns = columns,
        .column_count = COLUMNS, .indexes = indexes, .index_count = 3};
}

static void tear_down(void)
{
    arena_fini(&arena);
}

TestSuite(row, .init = set_up, .fini = tear_down);

static struct datum numeric(const char *text)
{
    static const struct type_context context;
    struct datum value;
    struct status st =
        type_input(&arena, &context, TYPE_OF(TYPE_NUMERIC), bytes_of_string(text), &value);
    cr_assert(!failed(st));
    return value;
}

static const char *text_of(type_oid type, struct datum value)
{
    static const struct type_context context;
    struct buffer out;
    if (value.null) return "NULL";
    buffer_init(&out, &arena);
    type_output(&out, &context, type, value);
    return buffer_string(&out);
}

static struct row_index index_of(uint32_t at)
{
    struct row_index index;
    cr_assert(!failed(row_index_init(&arena, 5, &table, &indexes[at], &index)));
    return index;
}

static struct status decode(const struct row_index *index, const uint32_t *ordinals, uint32_t count,
    struct bytes key, struct bytes value, struct datum *out)
{
    struct row_decoder decoder;
    struct datum *slots[COLUMNS];
    for (uint32_t i = 0; i < count; i++) slots[i] = &out[i];
    struct status st = row_decoder_init(&arena, index, ordinals, count, &decoder);
    return failed(st) ? st : row_decode(&decoder, key, value, &arena, slots, 0);
}

Test(row, every_index_gives_back_what_it_covers)
{
    struct datum row[COLUMNS] = {datum_int(-7), datum_text("text"), numeric("1.500"), datum_int(1 << 30)};
    static const struct {
        uint32_t index, count;
        uint32_t ordinals[COLUMNS];
        const char *texts[COLUMNS];
        const char *why;
    } rows[] = {
        {0, 4, {A, B, C, D}, {"-7", "text", "1.500", "1073741824"}, "the primary index has all"},
        {0, 2, {D, A}, {"1073741824", "-7"}, "in any order of slots"},
        {1, 3, {C, B, A}, {"1.500", "text", "-7"}, "a unique one: its columns, exactly, and the key"},
        {2, 3, {A, D, C}, {"-7", "1073741824", "1.500"}, "a plain one: key and stored columns"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct row_index index = index_of(rows[i].index);
        struct bytes key, value;
        struct datum out[COLUMNS];
        cr_assert(!failed(row_entry(&index, row, &arena, &key, &value)));
        cr_assert(!failed(decode(&index, rows[i].ordinals, rows[i].count, key, value, out)));
        for (uint32_t c = 0; c < rows[i].count; c++)
            cr_expect_str_eq(text_of(columns[rows[i].ordinals[c]].type.oid, out[c]),
                rows[i].texts[c], "%s", rows[i].why);
    }
}

Test(row, equal_unique_keys_collide_unless_one_column_is_null)
{
    struct row_index index = index_of(1);
    struct datum one[COLUMNS] = {datum_int(1), datum_text("x"), numeric("2.0"), datum_int(0)};
    struct datum two[COLUMNS] = {datum_int(2), datum_text("x"), numeric("2.00"), datum_int(9)};
    struct bytes key_one, key_two, value;
    cr_assert(!failed(row_entry(&index, one, &arena, &key_one, &value)));
    cr_assert(!failed(row_entry(&index, two, &arena, &key_two, &value)));
    cr_expect(bytes_equal(key_one, key_two), "2.0 and 2.00 are equal");
    one[B] = two[B] = DATUM_NULL;
    cr_assert(!failed(row_entry(&index, one, &arena, &key_one, &value)));
    cr_assert(!failed(row_entry(&index, two, &arena, &key_two, &value)));
    cr_expect(!bytes_equal(key_one, key_two), "NULL equals nothing");
}

Test(row, keys_sort_as_their_columns_do)
{
    struct row_index index = index_of(1); // b descending, c ascending
    static const struct {
        const char *b, *c;
    } order[] = {{NULL, "1"}, {"z", "-5"}, {"z", "10"}, {"a", "-1"}, {"a", "2"}, {"a", NULL}};
    struct bytes before = {0}, key, value;
    for (size_t i = 0; i < sizeof order / sizeof order[0]; i++) {
        struct datum row[COLUMNS] = {datum_int(1), DATUM_NULL, DATUM_NULL, DATUM_NULL};
        if (order[i].b != NULL) row[B] = datum_text(order[i].b);
        if (order[i].c != NULL) row[C] = numeric(order[i].c);
        cr_assert(!failed(row_entry(&index, row, &arena, &key, &value)));
        if (i > 0) cr_expect_lt(bytes_compare(before, key), 0, "row %zu comes after the one before", i);
        before = key;
    }
}

Test(row, columns_that_the_row_is_older_than_have_their_missing_value)
{
    struct datum row[COLUMNS] = {datum_int(3), datum_text("old"), DATUM_NULL, DATUM_NULL};
    struct bytes key, value;
    struct datum out[2];
    const uint32_t wanted[2] = {D, B};
    struct row_index old = index_of(0);
    cr_assert(!failed(row_entry(&old, row, &arena, &key, &value)));
    struct buffer missing;
    buffer_init(&missing, &arena);
    type_value_encode(&missing, TYPE_INT8, datum_int(42));
    columns[D].missing = buffer_bytes(&missing);
    struct row_index now = index_of(0);
    cr_assert(!failed(decode(&now, wanted, 2, key, value, out)));
    cr_expect_str_eq(text_of(TYPE_INT8, out[0]), "42");
    cr_expect_str_eq(text_of(TYPE_TEXT, out[1]), "old");
    // A NULL written since is a NULL.
    cr_assert(!failed(row_entry(&now, row, &arena, &key, &value)));
    cr_assert(!failed(decode(&now, wanted, 2, key, value, out)));
    cr_expect(out[0].null);
}

Test(row, columns_that_are_gone_are_passed_over)
{
    struct datum row[COLUMNS] = {datum_int(3), datum_text("gone"), numeric("7"), datum_int(8)};
    struct bytes key, value;
    struct datum out[1];
    struct row_index all = index_of(0);
    cr_assert(!failed(row_entry(&all, row, &arena, &key, &value)));
    struct column_desc kept[2] = {columns[A], columns[D]};
    struct table_desc less = table;
    less.columns = kept;
    less.column_count = 2;
    less.index_count = 1;
    struct row_index now;
    const uint32_t wanted[1] = {1};
    cr_assert(!failed(row_index_init(&arena, 5, &less, &indexes[0], &now)));
    cr_assert(!failed(decode(&now, wanted, 1, key, value, out)));
    cr_expect_eq(out[0].integer, 8);
}

static bool kept_by(const struct row_index *index, const struct datum *row, uint32_t condition_ordinal,
    struct row_condition condition, struct datum *out)
{
    const uint32_t ordinals[] = {A, B, C, D};
    struct row_decoder decoder;
    struct row_condition items[1];
    struct row_conditions conditions = {.items = items};
    struct datum *slots[COLUMNS];
    struct bytes key, value;
    bool kept;
    for (uint32_t i = 0; i < COLUMNS; i++) slots[i] = &out[i];
    cr_assert(!failed(row_decoder_init(&arena, index, ordinals, COLUMNS, &decoder)));
    condition.slot = condition_ordinal;
    cr_assert(row_conditions_add(&decoder, &conditions, condition));
    cr_assert(!failed(row_entry(index, row, &arena, &key, &value)));
    // The entry's own bytes are gone when its columns are looked at.
    uint8_t *entry = arena_alloc(&arena, value.size);
    memcpy(entry, value.data, value.size);
    cr_assert(!failed(row_decode_kept(&decoder, &conditions, key, bytes_of(entry, value.size), &arena,
        slots, 0, &kept)));
    memset(entry, 0xee, value.size);
    return kept;
}

// Whatever column is asked about, before, among or behind those that the row has, all of a kept row is there.
Test(row, conditions_keep_what_meets_them_and_all_of_it)
{
    struct row_index index = index_of(0);
    const struct datum row[COLUMNS] = {
        datum_int(7), datum_text("seven"), numeric("7.50"), datum_int(-70)};
    const struct datum older[COLUMNS] = {datum_int(8), DATUM_NULL, numeric("8"), datum_int(0)};
    struct datum out[COLUMNS];
    const struct {
        uint32_t ordinal;
        struct row_condition condition;
        bool row, older;
    } cases[] = {
        {A, {.low = 7, .high = 7}, true, false},
        {A, {.low = 8, .high = INT64_MAX}, false, true},
        {B, {.bytes = true, .value = BYTES_LITERAL("seven")}, true, false},
        {B, {.bytes = true, .value = BYTES_LITERAL("seve")}, false, false},
        {D, {.low = -70, .high = -1}, true, false},
        {D, {.low = INT64_MIN, .high = INT64_MAX}, true, true},
        {D, {.low = 1, .high = 0}, false, false},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        cr_expect_eq(kept_by(&index, row, cases[i].ordinal, cases[i].condition, out), cases[i].row, "%zu", i);
        if (cases[i].row) {
            cr_expect_str_eq(text_of(TYPE_INT4, out[A]), "7");
            cr_expect_str_eq(text_of(TYPE_TEXT, out[B]), "seven");
            cr_expect_str_eq(text_of(TYPE_NUMERIC, out[C]), "7.50");
            cr_expect_str_eq(text_of(TYPE_INT8, out[D]), "-70");
        }
        cr_expect_eq(kept_by(&index, older, cases[i].ordinal, cases[i].condition, out), cases[i].older, "%zu", i);
        if (cases[i].older) cr_expect(out[B].null && out[D].integer == 0, "%zu", i);
    }
}

Test(row, damaged_bytes_are_refused_not_believed)
{
    struct datum row[COLUMNS] = {datum_int(3), datum_text("some text"), numeric("7.25"), datum_int(8)};
    struct row_index index = index_of(0);
    struct bytes key, value;
    struct datum out[COLUMNS];
    const uint32_t wanted[COLUMNS] = {A, B, C, D};
    cr_assert(!failed(row_entry(&index, row, &arena, &key, &value)));
    cr_expect(status_is(decode(&index, wanted, 4, key, (struct bytes){0}, out), E_DATA_CORRUPTED));
    for (size_t cut = 1; cut < value.size; cut++) {
        // Cut anywhere, it is refused or gives columns that are there; never more.
        uint8_t *copy = arena_alloc(&arena, cut);
        memcpy(copy, value.data, cut);
        struct status st = decode(&index, wanted, 4, key, bytes_of(copy, cut), out);
        cr_expect(!failed(st) || status_is(st, E_DATA_CORRUPTED), "cut at %zu", cut);
    }
    for (size_t at = 0; at < value.size; at++)
        for (uint32_t bit = 0; bit < 8; bit++) {
            uint8_t *copy = arena_alloc(&arena, value.size);
            memcpy(copy, value.data, value.size);
            copy[at] ^= (uint8_t)(1u << bit);
            struct status st = decode(&index, wanted, 4, key, bytes_of(copy, value.size), out);
            cr_expect(!failed(st) || st.code != 0, "bit %u of byte %zu", bit, at);
        }
    cr_expect(status_is(decode(&index, wanted, 4, bytes_of("x", 1), value, out), E_DATA_CORRUPTED));
}
