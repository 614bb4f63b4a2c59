// SPDX-License-Identifier: GPL-3.0-or-later
#include "sql/session/portal_rows.h"

#include <stdlib.h>

#include "core/invariant.h"
#include "core/shard.h"
#include "sql/exec/memory.h"
#include "sql/exec/row_list.h"

struct portal_rows {
    struct result_sink sink;
    struct session *session;
    struct memory_account memory;
    struct arena arena;
    struct spill spill;
    struct row_list rows;
    struct row_list_reader reader;
    uint64_t at; // Rows given.
};

static struct status take_columns(
    struct task *task, struct result_sink *sink, const struct result_column *columns, uint32_t count)
{
    (void)task, (void)sink, (void)columns, (void)count;
    return STATUS_OK;
}

static struct status take_row(struct task *task, struct result_sink *sink, const struct datum *values)
{
    struct portal_rows *self = container_of(sink, struct portal_rows, sink);
    struct row_list *rows = &self->rows;
    sink->rows_sent++;
    struct status st = row_list_add_row(task, rows, values);
    if (failed(st) || (rows->count & 63u) != 0) return st;
    uint64_t more = rows->store.count * 2 * sizeof(struct datum *);
    if (!rows->spilled && memory_spills(self->session, &self->memory, more)) row_list_spill(rows);
    return arena_check(&rows->store.arena);
}

struct portal_rows *portal_rows_make(struct session *session, const struct result_column *columns, uint32_t count)
{
    struct portal_rows *self = calloc(1, sizeof *self);
    invariant(self != NULL);
    self->sink = (struct result_sink){.columns = take_columns, .row = take_row};
    self->session = session;
    memory_account_init(&self->memory, &session->account, "portal", 0);
    arena_init(&self->arena, &self->memory);
    type_oid *types = ARENA_ARRAY(&self->arena, type_oid, count + 1u);
    for (uint32_t i = 0; i < count; i++) types[i] = columns[i].type.oid;
    spill_init(&self->spill, session->shard, &self->memory);
    row_list_init(&self->rows, &self->memory, types, count, &self->spill, NULL);
    row_list_reader_init(&self->reader, &self->rows, &self->memory);
    return self;
}

void portal_rows_free(struct task *task, struct portal_rows *self)
{
    row_list_reader_fini(&self->reader);
    row_list_fini(&self->rows);
    spill_fini(task, &self->spill);
    arena_fini(&self->arena);
    memory_account_fini(&self->memory);
    free(self);
}

struct result_sink *portal_rows_sink(struct portal_rows *self)
{
    return &self->sink;
}

struct status portal_rows_give(
    struct task *task, struct portal_rows *self, struct result_sink *sink, uint64_t rows_max, bool *done)
{
    struct status st = STATUS_OK;
    struct datum *row;
    uint64_t left = rows_max == 0 ? UINT64_MAX : rows_max;
    for (; left > 0 && self->at < self->rows.count; left--) {
        TRY(row_list_get(task, &self->reader, self->at, &row));
        TRY(sink->row(task, sink, row));
        self->at++;
        TRY(task_yield_if_due(task));
    }
    *done = left > 0;

out:
    return st;
}
