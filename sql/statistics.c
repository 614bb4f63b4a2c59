// SPDX-License-Identifier: GPL-3.0-or-later
#include "sql/statistics.h"

#include "kv/key.h"
#include "sql/catalog_store.h"
#include "sql/numeric.h"
#include "sql/session.h"

#define STATISTICS_FORMAT 2u

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
}

static struct status bounds_decode(
    struct arena *arena, struct bytes *in, struct column_statistics *column)
{
    struct status st = STATUS_OK;
    uint64_t count, step, at = 0;
    TRY(key_decode_uvarint(in, &count));
    if (count > STATISTICS_BOUNDS_MAX)
        return status_make(E_DATA_CORRUPTED, "table statistics do not decode");
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
    if (in.size == 0 || in.data[0] == 0 || in.data[0] > STATISTICS_FORMAT) goto corrupt;
    bool histograms = in.data[0] >= 2;
    in = bytes_skip(in, 1);
    TRY(key_decode_uvarint(&in, &created));
    statistics->created_us = (int64_t)created;
    TRY(key_decode_uvarint(&in, &statistics->row_count));
    TRY(key_decode_uvarint(&in, &size));
    if (size > in.size) goto corrupt;
    statistics->name = arena_string(arena, (struct bytes){in.data, (size_t)size});
    in = bytes_skip(in, (size_t)size);
    TRY(key_decode_uvarint(&in, &count));
    if (count > TABLE_COLUMNS_MAX) goto corrupt;
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
out:
    return st;
corrupt:
    return status_make(E_DATA_CORRUPTED, "table statistics do not decode");
}

void statistics_apply(
    struct arena *arena, const struct table_statistics *statistics, struct table_desc *table)
{
    table->row_estimate = statistics->row_count;
    table->column_estimates = ARENA_ARRAY(arena, struct column_estimate, table->column_count);
    for (uint32_t i = 0; i < table->column_count; i++) {
        for (uint32_t k = 0; k < statistics->column_count; k++) {
            const struct column_statistics *column = &statistics->columns[k];
            if (column->column_id != table->columns[i].id) continue;
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
