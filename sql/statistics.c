// SPDX-License-Identifier: GPL-3.0-or-later
#include "sql/statistics.h"

#include "kv/key.h"
#include "sql/catalog_store.h"
#include "sql/session.h"

#define STATISTICS_FORMAT 1u

// format, created, row count, name, then four numbers a column.
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
    }
}

struct status statistics_decode(
    struct arena *arena, struct bytes in, struct table_statistics *statistics)
{
    struct status st = STATUS_OK;
    uint64_t created, size, count;

    *statistics = (struct table_statistics){0};
    if (in.size == 0 || in.data[0] != STATISTICS_FORMAT) goto corrupt;
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
    table->distinct_estimates = ARENA_ARRAY(arena, uint64_t, table->column_count);
    for (uint32_t i = 0; i < table->column_count; i++) {
        for (uint32_t k = 0; k < statistics->column_count; k++) {
            if (statistics->columns[k].column_id == table->columns[i].id)
                table->distinct_estimates[i] = statistics->columns[k].distinct_count;
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
