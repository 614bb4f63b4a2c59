// SPDX-License-Identifier: GPL-3.0-or-later
#include "sql/plan/statistics.h"

#include "kv/key.h"
#include "sql/catalog/catalog_store.h"
#include "sql/type/numeric.h"
#include "sql/session/session.h"

#define STATISTICS_FORMAT 3u // 1: without histograms. 2: without those of several columns.
#define COMMON_MAX 10000u

bool statistics_rank(type_oid type, struct datum value, uint64_t *rank)
{
    const uint64_t sign = UINT64_C(1) << 63;
    double real = value.real;
    *rank = 0;
    switch (type) {
    case TYPE_INT2:
    case TYPE_INT4:
    case TYPE_INT8:
    case TYPE_DATE:
    case TYPE_TIME:
    case TYPE_TIMESTAMP:
    case TYPE_TIMESTAMPTZ: *rank = (uint64_t)value.integer ^ sign; return true;
    case TYPE_BOOL: *rank = value.boolean; return true;
    case TYPE_NUMERIC: real = numeric_to_double(value); break;
    case TYPE_FLOAT4:
    case TYPE_FLOAT8: break;
    case TYPE_TEXT:
    case TYPE_VARCHAR:
    case TYPE_BPCHAR:
    case TYPE_BYTEA:
    case TYPE_UUID:
        for (uint32_t i = 0; i < 8; i++)
            *rank = *rank << 8 | (i < value.size ? value.data[i] : 0);
        return true;
    default: return false;
    }
    uint64_t bits;
    memcpy(&bits, &real, sizeof bits);
    *rank = bits & sign ? ~bits : bits | sign;
    return true;
}

static uint32_t rank_family(type_oid type)
{
    switch (type) {
    case TYPE_INT2:
    case TYPE_INT4:
    case TYPE_INT8: return TYPE_INT8;
    case TYPE_FLOAT4:
    case TYPE_FLOAT8:
    case TYPE_NUMERIC: return TYPE_FLOAT8;
    case TYPE_VARCHAR:
    case TYPE_BPCHAR:
    case TYPE_TEXT: return TYPE_TEXT;
    default: return type;
    }
}

bool statistics_rank_comparable(type_oid a, type_oid b)
{
    return rank_family(a) == rank_family(b);
}

static void number_encode(struct buffer *out, double number)
{
    key_append_double(out, number, KEY_ASCENDING);
}

static void common_encode(struct buffer *out, const struct common_estimate *common, uint32_t members)
{
    number_encode(out, common->frequency);
    number_encode(out, common->base_frequency);
    for (uint32_t k = 0; k < members; k++) {
        struct bytes text = bytes_of_string(common->texts[k] == NULL ? "" : common->texts[k]);
        key_append_uvarint(out, common->hashes[k]);
        key_append_uvarint(out, common->texts[k] == NULL ? 0 : text.size + 1);
        buffer_append_bytes(out, text);
    }
}

// Counts before what they count; the members of a combination are counted once for all.
static void joint_encode(struct buffer *out, const struct statistics_estimate *joint)
{
    key_append_uvarint(out, joint->id);
    key_append_uvarint(out, joint->group_count);
    for (uint32_t i = 0; i < joint->group_count; i++) {
        key_append_uvarint(out, joint->groups[i].members);
        number_encode(out, joint->groups[i].distinct);
    }
    key_append_uvarint(out, joint->dependency_count);
    for (uint32_t i = 0; i < joint->dependency_count; i++) {
        key_append_uvarint(out, joint->dependencies[i].from);
        key_append_uvarint(out, joint->dependencies[i].to);
        number_encode(out, joint->dependencies[i].degree);
    }
    key_append_uvarint(out, joint->expression_count);
    for (uint32_t i = 0; i < joint->expression_count; i++) {
        number_encode(out, joint->expressions[i].distinct);
        number_encode(out, joint->expressions[i].null_fraction);
        number_encode(out, joint->expressions[i].size_average);
    }
    key_append_uvarint(out, joint->member_count);
    key_append_uvarint(out, joint->common_count);
    for (uint32_t i = 0; i < joint->common_count; i++)
        common_encode(out, &joint->common[i], joint->member_count);
}

// format, created, row count, name, then for each column four numbers and its histogram: the number of
// bounds, the first, and the differences.
void statistics_encode(struct buffer *out, const struct table_statistics *statistics)
{
    struct bytes name = bytes_of_string(statistics->name == NULL ? "" : statistics->name);
    buffer_append_u8(out, STATISTICS_FORMAT);
    key_append_uvarint(out, (uint64_t)statistics->created_us);
    key_append_uvarint(out, statistics->row_count);
    key_append_uvarint(out, name.size);
    buffer_append_bytes(out, name);
    key_append_uvarint(out, statistics->column_count);
    for (uint32_t i = 0; i < statistics->column_count; i++) {
        const struct column_statistics *column = &statistics->columns[i];
        key_append_uvarint(out, column->column_id);
        key_append_uvarint(out, column->distinct_count);
        key_append_uvarint(out, column->null_count);
        key_append_uvarint(out, column->size_average);
        key_append_uvarint(out, column->bound_count);
        for (uint32_t k = 0; k < column->bound_count; k++)
            key_append_uvarint(out, column->bounds[k] - (k == 0 ? 0 : column->bounds[k - 1]));
    }
    key_append_uvarint(out, statistics->joint_count);
    for (uint32_t i = 0; i < statistics->joint_count; i++)
        joint_encode(out, &statistics->joint[i]);
}

static struct status corrupt(void)
{
    return status_make(E_DATA_CORRUPTED, "table statistics do not decode");
}

static struct status count_decode(struct bytes *in, uint64_t most, uint32_t *count)
{
    uint64_t found;
    struct status st = key_decode_uvarint(in, &found);
    if (!failed(st) && found > most) st = corrupt();
    *count = failed(st) ? 0 : (uint32_t)found;
    return st;
}

static struct status number_decode(struct bytes *in, double *number)
{
    return key_decode_double(in, KEY_ASCENDING, number);
}

static struct status common_decode(
    struct arena *arena, struct bytes *in, struct common_estimate *common, uint32_t members)
{
    struct status st = STATUS_OK;
    uint64_t size;
    common->hashes = ARENA_ARRAY(arena, uint64_t, members);
    common->texts = ARENA_ARRAY(arena, const char *, members);
    TRY(number_decode(in, &common->frequency));
    TRY(number_decode(in, &common->base_frequency));
    for (uint32_t k = 0; k < members; k++) {
        TRY(key_decode_uvarint(in, &common->hashes[k]));
        TRY(key_decode_uvarint(in, &size));
        if (size == 0) continue;
        if (--size > in->size) return corrupt();
        common->texts[k] = arena_string(arena, (struct bytes){in->data, (size_t)size});
        *in = bytes_skip(*in, (size_t)size);
    }
out:
    return st;
}

static struct status joint_decode(
    struct arena *arena, struct bytes *in, struct statistics_estimate *joint)
{
    struct status st = STATUS_OK;
    TRY(count_decode(in, UINT32_MAX, &joint->id));
    TRY(count_decode(in, 1u << STATISTICS_MEMBERS_MAX, &joint->group_count));
    joint->groups = ARENA_ARRAY(arena, struct group_estimate, joint->group_count);
    for (uint32_t i = 0; i < joint->group_count; i++) {
        TRY(count_decode(in, (1u << STATISTICS_MEMBERS_MAX) - 1, &joint->groups[i].members));
        TRY(number_decode(in, &joint->groups[i].distinct));
    }
    TRY(count_decode(in, STATISTICS_MEMBERS_MAX << STATISTICS_MEMBERS_MAX, &joint->dependency_count));
    joint->dependencies = ARENA_ARRAY(arena, struct dependency_estimate, joint->dependency_count);
    for (uint32_t i = 0; i < joint->dependency_count; i++) {
        struct dependency_estimate *each = &joint->dependencies[i];
        TRY(count_decode(in, (1u << STATISTICS_MEMBERS_MAX) - 1, &each->from));
        TRY(count_decode(in, STATISTICS_MEMBERS_MAX - 1, &each->to));
        TRY(number_decode(in, &each->degree));
    }
    TRY(count_decode(in, STATISTICS_MEMBERS_MAX, &joint->expression_count));
    joint->expressions = ARENA_ARRAY(arena, struct expression_estimate, joint->expression_count);
    for (uint32_t i = 0; i < joint->expression_count; i++) {
        TRY(number_decode(in, &joint->expressions[i].distinct));
        TRY(number_decode(in, &joint->expressions[i].null_fraction));
        TRY(number_decode(in, &joint->expressions[i].size_average));
    }
    TRY(count_decode(in, STATISTICS_MEMBERS_MAX, &joint->member_count));
    TRY(count_decode(in, COMMON_MAX, &joint->common_count));
    joint->common = ARENA_ARRAY(arena, struct common_estimate, joint->common_count);
    for (uint32_t i = 0; i < joint->common_count; i++)
        TRY(common_decode(arena, in, &joint->common[i], joint->member_count));
out:
    return st;
}

static struct status bounds_decode(
    struct arena *arena, struct bytes *in, struct column_statistics *column)
{
    struct status st = STATUS_OK;
    uint64_t count, step, at = 0;
    TRY(key_decode_uvarint(in, &count));
    if (count > STATISTICS_BOUNDS_MAX)
        return corrupt();
    column->bound_count = (uint32_t)count;
    column->bounds = ARENA_ARRAY(arena, uint64_t, count);
    for (uint32_t k = 0; k < count; k++) {
        TRY(key_decode_uvarint(in, &step));
        column->bounds[k] = at += step;
    }
out:
    return st;
}

struct status statistics_decode(
    struct arena *arena, struct bytes in, struct table_statistics *statistics)
{
    struct status st = STATUS_OK;
    uint64_t created, size, count;

    *statistics = (struct table_statistics){0};
    if (in.size == 0 || in.data[0] == 0 || in.data[0] > STATISTICS_FORMAT) return corrupt();
    bool histograms = in.data[0] >= 2, joint = in.data[0] >= 3;
    in = bytes_skip(in, 1);
    TRY(key_decode_uvarint(&in, &created));
    statistics->created_us = (int64_t)created;
    TRY(key_decode_uvarint(&in, &statistics->row_count));
    TRY(key_decode_uvarint(&in, &size));
    if (size > in.size) return corrupt();
    statistics->name = arena_string(arena, (struct bytes){in.data, (size_t)size});
    in = bytes_skip(in, (size_t)size);
    TRY(key_decode_uvarint(&in, &count));
    if (count > TABLE_COLUMNS_MAX + 1) return corrupt(); // And a hidden key.
    statistics->column_count = (uint32_t)count;
    statistics->columns = ARENA_ARRAY(arena, struct column_statistics, count);
    for (uint32_t i = 0; i < count; i++) {
        struct column_statistics *column = &statistics->columns[i];
        uint64_t id;
        TRY(key_decode_uvarint(&in, &id));
        column->column_id = (uint32_t)id;
        TRY(key_decode_uvarint(&in, &column->distinct_count));
        TRY(key_decode_uvarint(&in, &column->null_count));
        TRY(key_decode_uvarint(&in, &column->size_average));
        if (histograms) TRY(bounds_decode(arena, &in, column));
    }
    if (!joint) goto out;
    TRY(count_decode(&in, in.size, &statistics->joint_count));
    statistics->joint = ARENA_ARRAY(arena, struct statistics_estimate, statistics->joint_count);
    for (uint32_t i = 0; i < statistics->joint_count; i++)
        TRY(joint_decode(arena, &in, &statistics->joint[i]));
out:
    return st;
}

static void *copy_of(struct arena *arena, const void *items, size_t size)
{
    void *copy = arena_alloc(arena, size);
    if (size > 0) memcpy(copy, items, size);
    return copy;
}

void statistics_estimate_copy(struct arena *arena, struct statistics_estimate *estimate)
{
    estimate->groups = copy_of(arena, estimate->groups, estimate->group_count * sizeof *estimate->groups);
    estimate->dependencies = copy_of(
        arena, estimate->dependencies, estimate->dependency_count * sizeof *estimate->dependencies);
    estimate->expressions = copy_of(
        arena, estimate->expressions, estimate->expression_count * sizeof *estimate->expressions);
    estimate->common = copy_of(arena, estimate->common, estimate->common_count * sizeof *estimate->common);
    for (uint32_t i = 0; i < estimate->common_count; i++) {
        struct common_estimate *common = &estimate->common[i];
        common->texts = NULL;
        common->hashes = copy_of(arena, common->hashes, estimate->member_count * sizeof *common->hashes);
    }
}

// Most often it is the next one, as both are in the order in which columns were made; NULL: there is none.
static const struct column_statistics *column_find(
    const struct table_statistics *statistics, uint32_t id, uint32_t *next)
{
    for (uint32_t i = 0; i < statistics->column_count; i++) {
        const uint32_t at = (*next + i) % statistics->column_count;
        if (statistics->columns[at].column_id != id) continue;
        *next = at + 1;
        return &statistics->columns[at];
    }
    return NULL;
}

void statistics_apply(
    struct arena *arena, const struct table_statistics *statistics, struct table_desc *table)
{
    table->row_estimate = statistics->row_count;
    table->statistics_estimate_count = statistics->joint_count;
    table->statistics_estimates = copy_of(
        arena, statistics->joint, statistics->joint_count * sizeof *statistics->joint);
    for (uint32_t i = 0; i < statistics->joint_count; i++)
        statistics_estimate_copy(arena, &table->statistics_estimates[i]);
    table->column_estimates = ARENA_ARRAY(arena, struct column_estimate, table->column_count);
    for (uint32_t i = 0, next = 0; i < table->column_count; i++) {
        const struct column_statistics *column = column_find(statistics, table->columns[i].id, &next);
        if (column == NULL) continue;
        struct column_estimate *estimate = &table->column_estimates[i];
        estimate->distinct = (double)column->distinct_count;
        if (statistics->row_count > 0)
            estimate->null_fraction = (double)column->null_count / (double)statistics->row_count;
        estimate->bound_count = column->bound_count;
        estimate->bounds = ARENA_ARRAY(arena, uint64_t, column->bound_count);
        if (column->bound_count > 0)
            memcpy(estimate->bounds, column->bounds, column->bound_count * sizeof(uint64_t));
    }
}

struct status statistics_read(struct task *task, struct session *session, struct arena *arena,
    uint32_t table_id, struct table_statistics *statistics, bool *found)
{
    struct status st = STATUS_OK;
    struct bytes value;

    TRY(kv_get(task, session->txn, NULL, catalog_statistics_key(arena, session->tenant, table_id),
        arena, &value));
    *found = value.data != NULL;
    if (*found) TRY(statistics_decode(arena, value, statistics));
out:
    return st;
}
