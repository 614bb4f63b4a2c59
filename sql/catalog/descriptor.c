// SPDX-License-Identifier: GPL-3.0-or-later
#include "sql/catalog/descriptor.h"

#include "core/invariant.h"
#include "kv/key.h"
#include "sql/user/privilege.h"
#include "sql/user/role.h"

#define FORMAT_VERSION 1u
#define TAGS_MAX 48u
#define NAME_BYTES_LIMIT 1024u
#define LIST_ITEMS_MAX 100000u

static struct status corrupt(void)
{
    return status_make(E_DATA_CORRUPTED, "a catalog descriptor does not decode");
}

// One record being written (`out` set) or read (`fields` filled). Each field function does either, so that
// the two directions cannot drift apart. Reading leaves the first failure in `status`.
struct codec {
    struct arena *arena;
    struct buffer *out; // NULL: reading.
    struct bytes fields[TAGS_MAX];
    struct status status;
    bool in_rewrite; // A table that another one is to become: it becomes nothing else.
};

static void codec_write(struct arena *arena, struct buffer *out, struct codec *codec)
{
    codec->arena = arena;
    codec->out = out;
    codec->status = STATUS_OK;
}

static void codec_read(struct arena *arena, struct bytes in, struct codec *codec)
{
    *codec = (struct codec){.arena = arena, .status = STATUS_OK};
    while (in.size > 0) {
        uint64_t tag, size;
        struct status st = key_decode_uvarint(&in, &tag);
        if (!failed(st)) st = key_decode_uvarint(&in, &size);
        if (failed(st) || size > in.size) {
            codec->status = corrupt();
            return;
        }
        if (tag < TAGS_MAX) codec->fields[tag] = (struct bytes){in.data, (size_t)size};
        in = bytes_skip(in, (size_t)size);
    }
}

static void field_bytes(struct codec *codec, uint32_t tag, struct bytes *value)
{
    if (codec->out != NULL) {
        if (value->size == 0) return;
        key_append_uvarint(codec->out, tag);
        key_append_uvarint(codec->out, value->size);
        buffer_append_bytes(codec->out, *value);
        return;
    }
    *value = codec->fields[tag].size == 0 ? (struct bytes){NULL, 0}
                                          : arena_copy(codec->arena, codec->fields[tag]);
}

static void field_u64(struct codec *codec, uint32_t tag, uint64_t *value, uint64_t maximum)
{
    if (codec->out != NULL) {
        if (*value == 0) return;
        uint8_t room[16];
        struct buffer number = {.arena = codec->arena, .data = room, .capacity = sizeof room};
        key_append_uvarint(&number, *value);
        struct bytes bytes = buffer_bytes(&number);
        field_bytes(codec, tag, &bytes);
        return;
    }
    *value = 0;
    struct bytes in = codec->fields[tag];
    if (in.size == 0) return;
    struct status st = key_decode_uvarint(&in, value);
    if (failed(st) || in.size != 0 || *value > maximum) {
        codec->status = corrupt();
        *value = 0;
    }
}

static void field_u32(struct codec *codec, uint32_t tag, uint32_t *value)
{
    uint64_t wide = *value;
    field_u64(codec, tag, &wide, UINT32_MAX);
    *value = (uint32_t)wide;
}

static void field_bool(struct codec *codec, uint32_t tag, bool *value)
{
    uint64_t wide = *value;
    field_u64(codec, tag, &wide, 1);
    *value = wide != 0;
}

static void field_char(struct codec *codec, uint32_t tag, char *value)
{
    uint64_t wide = (uint8_t)*value;
    field_u64(codec, tag, &wide, 127);
    *value = (char)wide;
}

static void field_i64(struct codec *codec, uint32_t tag, int64_t *value)
{
    uint8_t raw[8];
    if (codec->out != NULL) {
        if (*value == 0) return;
        for (int i = 0; i < 8; i++)
            raw[i] = (uint8_t)((uint64_t)*value >> (56 - 8 * i));
        struct bytes bytes = {raw, 8};
        field_bytes(codec, tag, &bytes);
        return;
    }
    *value = 0;
    struct bytes in = codec->fields[tag];
    if (in.size == 0) return;
    if (in.size != 8) {
        codec->status = corrupt();
        return;
    }
    uint64_t wide = 0;
    for (int i = 0; i < 8; i++)
        wide = wide << 8 | in.data[i];
    *value = (int64_t)wide;
}

// An enumeration whose values are 0..maximum.
#define field_enum(codec, tag, value, maximum)                                                     \
    do {                                                                                           \
        uint64_t wide_ = (uint64_t) * (value);                                                     \
        field_u64(codec, tag, &wide_, (uint64_t)(maximum));                                        \
        *(value) = (__typeof__(*(value)))wide_;                                                    \
    } while (0)

static void field_string(struct codec *codec, uint32_t tag, const char **value)
{
    if (codec->out != NULL) {
        if (*value == NULL) return;
        // A leading byte keeps "" apart from NULL.
        size_t size = strlen(*value);
        key_append_uvarint(codec->out, tag);
        key_append_uvarint(codec->out, size + 1);
        buffer_append_u8(codec->out, 's');
        buffer_append(codec->out, *value, size);
        return;
    }
    *value = NULL;
    struct bytes in = codec->fields[tag];
    if (in.size == 0) return;
    if (in.data[0] != 's' || memchr(in.data, 0, in.size) != NULL) {
        codec->status = corrupt();
        return;
    }
    *value = arena_string(codec->arena, bytes_skip(in, 1));
}

static void field_name(struct codec *codec, uint32_t tag, const char **value)
{
    field_string(codec, tag, value);
    if (codec->out == NULL && !failed(codec->status) &&
        (*value == NULL || strlen(*value) > NAME_BYTES_LIMIT))
        codec->status = corrupt();
}

// A list of records: `each` codes one item of `item_size` bytes.
static void field_list(struct codec *codec, uint32_t tag, void **items, uint32_t *count,
    size_t item_size, uint32_t count_max, void (*each)(struct codec *codec, void *item))
{
    if (codec->out != NULL) {
        if (*count == 0) return;
        struct buffer list, one;
        buffer_init(&list, codec->arena);
        struct codec *inner = ARENA_NEW(codec->arena, struct codec);
        for (uint32_t i = 0; i < *count; i++) {
            buffer_init(&one, codec->arena);
            codec_write(codec->arena, &one, inner);
            each(inner, (char *)*items + item_size * i);
            key_append_uvarint(&list, one.size);
            buffer_append_bytes(&list, buffer_bytes(&one));
        }
        struct bytes bytes = buffer_bytes(&list);
        field_bytes(codec, tag, &bytes);
        return;
    }
    *items = NULL;
    *count = 0;
    struct bytes in = codec->fields[tag], walk = in;
    uint32_t found = 0;
    while (walk.size > 0) {
        uint64_t size;
        struct status st = key_decode_uvarint(&walk, &size);
        if (failed(st) || size > walk.size || ++found > count_max) {
            codec->status = corrupt();
            return;
        }
        walk = bytes_skip(walk, (size_t)size);
    }
    if (found == 0) return;
    *items = arena_alloc_zero(codec->arena, item_size * found);
    *count = found;
    struct codec *inner = ARENA_NEW(codec->arena, struct codec);
    for (uint32_t i = 0; i < found; i++) {
        uint64_t size = 0;
        struct status st = key_decode_uvarint(&in, &size);
        invariant(!failed(st));
        codec_read(codec->arena, (struct bytes){in.data, (size_t)size}, inner);
        if (!failed(inner->status)) each(inner, (char *)*items + item_size * i);
        if (failed(inner->status)) {
            codec->status = inner->status;
            return;
        }
        in = bytes_skip(in, (size_t)size);
    }
}

static void field_ids(struct codec *codec, uint32_t tag, uint32_t **ids, uint32_t *count)
{
    if (codec->out != NULL) {
        if (*count == 0) return;
        struct buffer list;
        buffer_init(&list, codec->arena);
        for (uint32_t i = 0; i < *count; i++)
            key_append_uvarint(&list, (*ids)[i]);
        struct bytes bytes = buffer_bytes(&list);
        field_bytes(codec, tag, &bytes);
        return;
    }
    *ids = NULL;
    *count = 0;
    struct bytes in = codec->fields[tag];
    if (in.size == 0) return;
    if (in.size > LIST_ITEMS_MAX) {
        codec->status = corrupt();
        return;
    }
    *ids = ARENA_ARRAY(codec->arena, uint32_t, in.size);
    while (in.size > 0) {
        uint64_t id;
        struct status st = key_decode_uvarint(&in, &id);
        if (failed(st) || id > UINT32_MAX) {
            codec->status = corrupt();
            return;
        }
        (*ids)[(*count)++] = (uint32_t)id;
    }
}

// --- the records ---------------------------------------------------------------------------------
// Tags are for ever: a field that goes away leaves its number unused.

static void code_grant(struct codec *codec, void *item)
{
    struct privilege_grant *grant = item;
    field_name(codec, 1, &grant->role);
    field_u32(codec, 2, &grant->privileges);
    field_u32(codec, 3, &grant->grantable);
    field_string(codec, 4, &grant->grantor);
}

static void code_grants(
    struct codec *codec, uint32_t tag, struct privilege_grant **grants, uint32_t *count)
{
    field_list(codec, tag, (void **)grants, count, sizeof **grants, LIST_ITEMS_MAX, code_grant);
}

static void code_type(struct codec *codec, uint32_t tag, struct type *type)
{
    field_u32(codec, tag, &type->oid);
    uint64_t typmod = (uint64_t)((int64_t)type->typmod + 1);
    field_u64(codec, tag + 1, &typmod, (uint64_t)INT32_MAX + 1);
    type->typmod = (int32_t)((int64_t)typmod - 1);
}

static void code_column(struct codec *codec, void *item)
{
    struct column_desc *column = item;
    field_u32(codec, 1, &column->id);
    field_name(codec, 2, &column->name);
    code_type(codec, 3, &column->type); // 3 and 4.
    field_bool(codec, 5, &column->not_null);
    field_bool(codec, 6, &column->hidden);
    field_string(codec, 7, &column->default_sql);
    field_string(codec, 8, &column->generated_sql);
    field_char(codec, 9, &column->identity);
    field_u32(codec, 10, &column->owned_sequence);
    field_bytes(codec, 11, &column->missing);
    field_enum(codec, 12, &column->state, ELEMENT_VALIDATING);
    field_u32(codec, 13, &column->domain);
    field_string(codec, 14, &column->collation);
    code_grants(codec, 15, &column->grants, &column->grant_count);
    field_u32(codec, 16, &column->statistics_target);
}

static void code_index_column(struct codec *codec, void *item)
{
    struct index_column *column = item;
    field_u32(codec, 1, &column->column_id);
    field_bool(codec, 2, &column->descending);
    field_string(codec, 3, &column->expression_sql);
    field_bool(codec, 4, &column->nulls_reversed);
    field_u32(codec, 5, &column->operator_class);
    field_string(codec, 6, &column->collation);
}

static void code_index(struct codec *codec, void *item)
{
    struct index_desc *index = item;
    field_u32(codec, 1, &index->id);
    field_name(codec, 2, &index->name);
    field_bool(codec, 3, &index->unique);
    field_bool(codec, 4, &index->primary);
    field_bool(codec, 5, &index->from_constraint);
    field_list(codec, 6, (void **)&index->columns, &index->column_count, sizeof *index->columns,
        INDEX_COLUMNS_MAX, code_index_column);
    field_ids(codec, 7, &index->stored, &index->stored_count);
    field_string(codec, 8, &index->predicate_sql);
    field_enum(codec, 9, &index->state, ELEMENT_VALIDATING);
    field_bool(codec, 10, &index->inverted);
    field_bool(codec, 11, &index->deferrable);
    field_bool(codec, 12, &index->initially_deferred);
    field_bool(codec, 13, &index->primary_key);
    field_bool(codec, 14, &index->nulls_not_distinct);
    field_bytes(codec, 16, &index->zone);
}

static void code_statistics_expression(struct codec *codec, void *item)
{
    struct statistics_expression *expression = item;
    field_string(codec, 1, &expression->sql);
    field_u32(codec, 2, &expression->type);
    if (codec->out == NULL && expression->sql == NULL) codec->status = corrupt();
}

static void code_statistics(struct codec *codec, void *item)
{
    struct statistics_desc *statistics = item;
    field_u32(codec, 1, &statistics->id);
    field_u32(codec, 2, &statistics->schema_id);
    field_name(codec, 3, &statistics->name);
    field_name(codec, 4, &statistics->owner);
    field_u32(codec, 5, &statistics->kinds);
    field_ids(codec, 6, &statistics->columns, &statistics->column_count);
    field_list(codec, 7, (void **)&statistics->expressions, &statistics->expression_count,
        sizeof *statistics->expressions, STATISTICS_MEMBERS_MAX, code_statistics_expression);
    field_u32(codec, 8, &statistics->target);
    if (codec->out == NULL && statistics_member_count(statistics) > STATISTICS_MEMBERS_MAX)
        codec->status = corrupt();
}

static void code_constraint(struct codec *codec, void *item)
{
    struct constraint_desc *constraint = item;
    field_u32(codec, 1, &constraint->id);
    field_name(codec, 2, &constraint->name);
    field_enum(codec, 3, &constraint->kind, TABLE_FOREIGN_KEY);
    field_string(codec, 4, &constraint->check_sql);
    field_ids(codec, 5, &constraint->columns, &constraint->column_count);
    field_u32(codec, 6, &constraint->referenced_table);
    uint32_t referenced_count = constraint->column_count;
    if (constraint->referenced_columns == NULL) referenced_count = 0;
    field_ids(codec, 7, &constraint->referenced_columns, &referenced_count);
    field_enum(codec, 8, &constraint->on_delete, REFERENCE_SET_DEFAULT);
    field_enum(codec, 9, &constraint->on_update, REFERENCE_SET_DEFAULT);
    field_bool(codec, 10, &constraint->not_valid);
    field_enum(codec, 11, &constraint->state, ELEMENT_VALIDATING);
    field_bool(codec, 12, &constraint->deferrable);
    field_bool(codec, 13, &constraint->initially_deferred);
    field_bool(codec, 14, &constraint->match_full);
    field_bool(codec, 15, &constraint->no_inherit);
    if (codec->out == NULL && constraint->kind == TABLE_FOREIGN_KEY &&
        referenced_count != constraint->column_count)
        codec->status = corrupt();
    if (codec->out == NULL && constraint->kind == TABLE_CHECK && constraint->check_sql == NULL)
        codec->status = corrupt();
}

static void code_back_reference(struct codec *codec, void *item)
{
    struct fk_back_reference *reference = item;
    field_u32(codec, 1, &reference->table_id);
    field_u32(codec, 2, &reference->constraint_id);
}

static void code_sequence(struct codec *codec, void *item)
{
    struct sequence_options *sequence = item;
    field_u32(codec, 1, &sequence->type);
    field_i64(codec, 2, &sequence->start);
    field_i64(codec, 3, &sequence->increment);
    field_i64(codec, 4, &sequence->minimum);
    field_i64(codec, 5, &sequence->maximum);
    field_i64(codec, 6, &sequence->cache);
    field_bool(codec, 7, &sequence->cycle);
    field_u32(codec, 8, &sequence->owner_table);
    field_u32(codec, 9, &sequence->owner_column);
}

static void code_label(struct codec *codec, void *item)
{
    struct type_label *label = item;
    field_string(codec, 1, &label->name);
    field_i64(codec, 2, &label->order);
    field_u32(codec, 3, &label->id);
    if (codec->out == NULL && label->name == NULL) codec->status = corrupt();
}

static void code_function_statement(struct codec *codec, void *item)
{
    struct function_statement *statement = item;
    field_string(codec, 1, &statement->sql);
    if (codec->out == NULL && statement->sql == NULL) codec->status = corrupt();
}

static void code_function_setting(struct codec *codec, void *item)
{
    struct function_setting *setting = item;
    field_string(codec, 1, &setting->name);
    field_string(codec, 2, &setting->value);
    if (codec->out == NULL && (setting->name == NULL || setting->value == NULL)) codec->status = corrupt();
}

static void code_function(struct codec *codec, void *item)
{
    struct function_desc *function = item;
    code_type(codec, 1, &function->result); // 1 and 2.
    field_bool(codec, 3, &function->returns_set);
    field_bool(codec, 4, &function->returns_table);
    field_bool(codec, 5, &function->strict);
    field_bool(codec, 6, &function->leakproof);
    field_char(codec, 7, &function->kind);
    field_char(codec, 8, &function->volatility);
    field_char(codec, 9, &function->parallel);
    field_char(codec, 10, &function->body_kind);
    field_string(codec, 11, &function->cost);
    field_string(codec, 12, &function->rows);
    field_list(codec, 13, (void **)&function->statements, &function->statement_count,
        sizeof *function->statements, LIST_ITEMS_MAX, code_function_statement);
    field_list(codec, 14, (void **)&function->settings, &function->setting_count,
        sizeof *function->settings, LIST_ITEMS_MAX, code_function_setting);
}

static void code_text(struct codec *codec, void *item)
{
    field_string(codec, 1, item);
}

static void code_table(struct codec *codec, struct table_desc *table);

static void code_target(struct codec *codec, void *item)
{
    struct table_desc *table = item;
    table->kind = RELATION_TABLE;
    codec->in_rewrite = true;
    code_table(codec, table);
    if (codec->out == NULL && (table->index_count == 0 || table->kind != RELATION_TABLE))
        codec->status = corrupt();
}

static void code_rewrite(struct codec *codec, void *item)
{
    struct table_rewrite *rewrite = item;
    uint32_t one = 1;
    field_list(codec, 1, (void **)&rewrite->target, &one, sizeof *rewrite->target, 1, code_target);
    field_list(codec, 2, (void **)&rewrite->column_sql, &rewrite->column_count,
        sizeof *rewrite->column_sql, TABLE_COLUMNS_MAX + 1, code_text);
    field_string(codec, 3, &rewrite->zone);
    field_u32(codec, 4, &rewrite->date_style);
    field_u32(codec, 5, &rewrite->date_order);
    field_u32(codec, 6, &rewrite->interval_style);
    field_u32(codec, 7, &rewrite->bytea_output);
    field_i64(codec, 8, &rewrite->float_digits);
    field_u32(codec, 9, &rewrite->xml_binary);
    field_u32(codec, 10, &rewrite->xml_option);
    if (codec->out == NULL && !failed(codec->status) &&
        (one != 1 || rewrite->target->column_count != rewrite->column_count))
        codec->status = corrupt();
}

static void code_table(struct codec *codec, struct table_desc *table)
{
    field_u32(codec, 1, &table->id);
    field_u32(codec, 2, &table->database_id);
    field_u32(codec, 3, &table->schema_id);
    field_u32(codec, 4, &table->version);
    field_name(codec, 5, &table->name);
    field_enum(codec, 6, &table->kind, RELATION_COLLATION);
    field_list(codec, 7, (void **)&table->columns, &table->column_count, sizeof *table->columns,
        TABLE_COLUMNS_MAX + 1, code_column); // And a hidden key.
    field_u32(codec, 8, &table->next_column_id);
    field_u32(codec, 9, &table->next_index_id);
    field_u32(codec, 10, &table->next_constraint_id);
    field_list(codec, 11, (void **)&table->indexes, &table->index_count, sizeof *table->indexes,
        TABLE_INDEXES_MAX, code_index);
    field_list(codec, 12, (void **)&table->constraints, &table->constraint_count,
        sizeof *table->constraints, LIST_ITEMS_MAX, code_constraint);
    field_list(codec, 13, (void **)&table->referenced_by, &table->referenced_by_count,
        sizeof *table->referenced_by, LIST_ITEMS_MAX, code_back_reference);
    field_bool(codec, 14, &table->writes_blocked);
    field_string(codec, 15, &table->view_sql);
    field_ids(codec, 16, &table->depends_on, &table->depends_on_count);
    field_ids(codec, 17, &table->depended_by, &table->depended_by_count);
    uint32_t one = table->kind == RELATION_SEQUENCE ? 1 : 0;
    struct sequence_options *sequence = &table->sequence;
    field_list(codec, 18, (void **)&sequence, &one, sizeof *sequence, 1, code_sequence);
    if (codec->out == NULL && one == 1) table->sequence = *sequence;
    field_name(codec, 19, &table->owner);
    code_grants(codec, 20, &table->grants, &table->grant_count);
    field_list(codec, 21, (void **)&table->labels, &table->label_count, sizeof *table->labels,
        TYPE_LABELS_MAX, code_label);
    field_u32(codec, 22, &table->next_label_id);
    field_bool(codec, 23, &table->materialized);
    field_bool(codec, 24, &table->populated);
    field_char(codec, 26, &table->check_option);
    field_char(codec, 27, &table->security_barrier);
    field_char(codec, 28, &table->security_invoker);
    one = table->kind == RELATION_FUNCTION ? 1 : 0;
    struct function_desc *function = &table->function;
    field_list(codec, 25, (void **)&function, &one, sizeof *function, 1, code_function);
    if (codec->out == NULL && one == 1) table->function = *function;
    field_string(codec, 29, &table->collation);
    field_bytes(codec, 31, &table->zone);
    field_u32(codec, 32, &table->public_revoked);
    field_bool(codec, 33, &table->unlogged);
    field_list(codec, 34, (void **)&table->statistics, &table->statistics_count,
        sizeof *table->statistics, LIST_ITEMS_MAX, code_statistics);
    if (codec->in_rewrite) return;
    one = table->rewrite != NULL ? 1 : 0;
    field_list(codec, 30, (void **)&table->rewrite, &one, sizeof *table->rewrite, 1, code_rewrite);
}

static void code_default(struct codec *codec, void *item)
{
    struct default_grant *given = item;
    field_name(codec, 1, &given->owner);
    field_u32(codec, 2, &given->schema_id);
    field_char(codec, 3, &given->object);
    field_name(codec, 4, &given->role);
    field_u32(codec, 5, &given->privileges);
    field_u32(codec, 6, &given->grantable);
}

static void code_database(struct codec *codec, struct database_desc *database)
{
    field_u32(codec, 1, &database->id);
    field_name(codec, 5, &database->name);
    field_name(codec, 19, &database->owner);
    code_grants(codec, 20, &database->grants, &database->grant_count);
    field_ids(codec, 21, &database->types, &database->type_count);
    field_ids(codec, 22, &database->functions, &database->function_count);
    field_ids(codec, 24, &database->collations, &database->collation_count);
    field_list(codec, 23, (void **)&database->defaults, &database->default_count,
        sizeof *database->defaults, LIST_ITEMS_MAX, code_default);
    field_bytes(codec, 25, &database->zone);
    field_string(codec, 26, &database->collate);
}

// `usage_counts`: written by a version that asks for USAGE.
static void code_schema(struct codec *codec, struct schema_desc *schema, uint32_t *usage_counts)
{
    field_u32(codec, 1, &schema->id);
    field_u32(codec, 2, &schema->database_id);
    field_name(codec, 5, &schema->name);
    field_name(codec, 19, &schema->owner);
    code_grants(codec, 20, &schema->grants, &schema->grant_count);
    field_u32(codec, 21, &schema->temp_node);
    field_i64(codec, 22, &schema->temp_created_us);
    field_u32(codec, 23, usage_counts);
}

// A schema of before USAGE was asked for: everybody went by names with it, and does so until that is revoked. Schemas
// called public have said from the first who may.
static void grant_usage_of_before(struct arena *arena, struct schema_desc *schema)
{
    const uint32_t count = schema->grant_count;
    if (schema->temp_node != 0 || (schema->name != NULL && strcmp(schema->name, "public") == 0)) return;
    for (uint32_t i = 0; i < count; i++) {
        if (strcmp(schema->grants[i].role, ROLE_PUBLIC_NAME) != 0) continue;
        schema->grants[i].privileges |= PRIVILEGE_USAGE;
        return;
    }
    struct privilege_grant *grants = ARENA_ARRAY(arena, struct privilege_grant, count + 1);
    if (count > 0) memcpy(grants, schema->grants, count * sizeof *grants);
    grants[count] = (struct privilege_grant){.role = ROLE_PUBLIC_NAME, .privileges = PRIVILEGE_USAGE};
    schema->grants = grants;
    schema->grant_count = count + 1;
}

// --- whole descriptors ---------------------------------------------------------------------------

static struct codec *begin_write(struct buffer *out, enum descriptor_kind kind)
{
    struct codec *codec = ARENA_NEW(out->arena, struct codec);
    buffer_append_u8(out, (uint8_t)kind);
    buffer_append_u8(out, FORMAT_VERSION);
    codec_write(out->arena, out, codec);
    return codec;
}

void descriptor_encode_table(struct buffer *out, const struct table_desc *table)
{
    // The codec takes mutable fields because it reads as well; writing changes none of them.
    code_table(begin_write(out, DESCRIPTOR_TABLE), (struct table_desc *)(uintptr_t)table);
}

void descriptor_encode_database(struct buffer *out, const struct database_desc *database)
{
    code_database(
        begin_write(out, DESCRIPTOR_DATABASE), (struct database_desc *)(uintptr_t)database);
}

void descriptor_encode_schema(struct buffer *out, const struct schema_desc *schema)
{
    uint32_t usage_counts = 1;
    code_schema(begin_write(out, DESCRIPTOR_SCHEMA), (struct schema_desc *)(uintptr_t)schema, &usage_counts);
}

enum descriptor_kind descriptor_kind_of(struct bytes bytes)
{
    if (bytes.size < 2 || bytes.data[1] != FORMAT_VERSION) return 0;
    switch (bytes.data[0]) {
    case DESCRIPTOR_DATABASE:
    case DESCRIPTOR_SCHEMA:
    case DESCRIPTOR_TABLE: return (enum descriptor_kind)bytes.data[0];
    default: return 0;
    }
}

static struct codec *begin_read(struct arena *arena, struct bytes bytes, enum descriptor_kind kind)
{
    struct codec *codec = ARENA_NEW(arena, struct codec);
    if (descriptor_kind_of(bytes) != kind)
        codec->status = corrupt();
    else
        codec_read(arena, bytes_skip(bytes, 2), codec);
    return codec;
}

static bool has_column(const struct table_desc *table, uint32_t id)
{
    for (uint32_t i = 0; i < table->column_count; i++) {
        if (table->columns[i].id == id) return true;
    }
    return false;
}

static bool have_columns(const struct table_desc *table, const uint32_t *ids, uint32_t count)
{
    for (uint32_t i = 0; i < count; i++) {
        if (!has_column(table, ids[i])) return false;
    }
    return true;
}

// What the rest of the server relies on without looking again.
static bool table_is_sound(const struct table_desc *table)
{
    if (table->id == 0 || table->kind == RELATION_VIRTUAL) return false;
    for (uint32_t i = 0; i < table->column_count; i++) {
        const struct column_desc *column = &table->columns[i];
        if (column->id == 0 || column->id >= table->next_column_id) return false;
        for (uint32_t k = 0; k < i; k++) {
            if (table->columns[k].id == column->id) return false;
        }
    }
    if (table->kind == RELATION_TABLE && (table->index_count == 0 || !table->indexes[0].primary))
        return false;
    if (table->kind == RELATION_DOMAIN && table->column_count != 1) return false;
    for (uint32_t i = 1; i < table->label_count; i++) {
        if (table->labels[i].order <= table->labels[i - 1].order) return false;
    }
    for (uint32_t i = 0; i < table->index_count; i++) {
        const struct index_desc *index = &table->indexes[i];
        if (index->id == 0 || index->id >= table->next_index_id || index->column_count == 0)
            return false;
        for (uint32_t k = 0; k < index->column_count; k++) {
            if (index->columns[k].expression_sql == NULL &&
                !has_column(table, index->columns[k].column_id))
                return false;
        }
        if (!have_columns(table, index->stored, index->stored_count)) return false;
    }
    for (uint32_t i = 0; i < table->constraint_count; i++) {
        const struct constraint_desc *constraint = &table->constraints[i];
        if (!have_columns(table, constraint->columns, constraint->column_count)) return false;
    }
    return true;
}

struct status descriptor_decode_table(
    struct arena *arena, struct bytes bytes, struct table_desc *table)
{
    *table = (struct table_desc){0};
    struct codec *codec = begin_read(arena, bytes, DESCRIPTOR_TABLE);
    if (failed(codec->status)) return codec->status;
    code_table(codec, table);
    if (failed(codec->status)) return codec->status;
    return table_is_sound(table) ? STATUS_OK : corrupt();
}

struct status descriptor_decode_database(
    struct arena *arena, struct bytes bytes, struct database_desc *database)
{
    *database = (struct database_desc){0};
    struct codec *codec = begin_read(arena, bytes, DESCRIPTOR_DATABASE);
    if (!failed(codec->status)) code_database(codec, database);
    return codec->status;
}

struct status descriptor_decode_schema(
    struct arena *arena, struct bytes bytes, struct schema_desc *schema)
{
    *schema = (struct schema_desc){0};
    struct codec *codec = begin_read(arena, bytes, DESCRIPTOR_SCHEMA);
    uint32_t usage_counts = 0;
    if (!failed(codec->status)) code_schema(codec, schema, &usage_counts);
    if (!failed(codec->status) && usage_counts == 0) grant_usage_of_before(arena, schema);
    return codec->status;
}

// --- names ---------------------------------------------------------------------------------------

void name_value_encode(struct buffer *out, struct name_value value)
{
    buffer_append_u8(out, (uint8_t)value.kind);
    key_append_uvarint(out, value.id);
    key_append_uvarint(out, value.index_id);
}

struct status name_value_decode(struct bytes bytes, struct name_value *value)
{
    uint64_t id, index_id;
    if (bytes.size < 1 || strchr("dsrit", bytes.data[0]) == NULL || bytes.data[0] == 0)
        return corrupt();
    value->kind = (enum name_kind)bytes.data[0];
    bytes = bytes_skip(bytes, 1);
    struct status st = key_decode_uvarint(&bytes, &id);
    if (!failed(st)) st = key_decode_uvarint(&bytes, &index_id);
    if (failed(st) || bytes.size != 0 || id == 0 || id > UINT32_MAX || index_id > UINT32_MAX)
        return corrupt();
    value->id = (uint32_t)id;
    value->index_id = (uint32_t)index_id;
    return STATUS_OK;
}
