// SPDX-License-Identifier: GPL-3.0-or-later
//
// Rows that operators and cursors keep.
//
// Memory   Charged to the account given; checked by who adds rows, once a batch (53200).
#pragma once
#include "core/arena.h"
#include "core/work.h"
#include "sql/type/datum.h"
#include "sql/type/type.h"

// Rows copied out of batches: `width` datums each, then bytes of what they point to.
struct row_store {
    struct arena arena;
    const type_oid *types;
    uint32_t width;
    uint64_t count;
    uint64_t unseen;       // Bytes of values added since row_store_work.
    struct datum **rows;   // Pointers to them, in order of arrival; grows by doubling.
    uint64_t capacity;
};
void row_store_init(
    struct row_store *store, struct memory_account *account, const type_oid *types, uint32_t width);
void row_store_reset(struct row_store *store);
void row_store_fini(struct row_store *store);
// Room for one row, its datums not yet set.
struct datum *row_store_new(struct row_store *store);
// May suspend when the value is large.
#define ROW_STORE_LARGE_BYTES (256u << 10)
static inline void row_store_set(
    struct row_store *store, struct datum *row, uint32_t column, struct datum value)
{
    if (!value.null && !type_is_by_value(store->types[column])) {
        const bool large = value.size >= ROW_STORE_LARGE_BYTES;
        if (!large) store->unseen += value.size;
        value.data = (large ? task_copy : arena_copy)(&store->arena, datum_as_bytes(value)).data;
    }
    row[column] = value;
}
// Rows were added: yields when that is due. In every loop that adds rows, at each: they may be of any size.
#define ROW_STORE_ROW_WORK 64u
#define ROW_STORE_COLUMN_WORK sizeof(struct datum)
static inline CHECKED struct status row_store_work(struct task *task, struct row_store *store)
{
    const uint64_t bytes = store->unseen + ROW_STORE_ROW_WORK + store->width * ROW_STORE_COLUMN_WORK;
    store->unseen = 0;
    return task_work(task, bytes);
}
struct datum *row_store_add(
    struct row_store *store, struct datum *const *columns, const uint32_t *map, uint32_t at);
