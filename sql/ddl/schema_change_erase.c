// SPDX-License-Identifier: GPL-3.0-or-later
//
// Data of dropped tables and of indexes that others have replaced: jobs that delete it.
#include "core/shard.h"
#include "sql/exec/row.h"
#include "sql/ddl/schema_change_internal.h"

#define ERASE_BATCH_KEYS 1000u
#define ERASE_DELAY_NS 30000000000ull

struct erase {
    struct span span;
    uint64_t keys;
};

static struct status erase_batch(struct task *task, struct change_batch *batch)
{
    struct status st = STATUS_OK;
    struct erase *erase = batch->arg;
    struct kv_scan scan;
    struct kv_batch found;

    kv_scan_init(&scan, erase->span);
    scan.limit = ERASE_BATCH_KEYS;
    erase->keys = 0;
    for (;;) {
        TRY(kv_scan_next(task, batch->txn, &scan, batch->arena, &found));
        if (found.count == 0) break;
        for (uint32_t i = 0; i < found.count; i++)
            TRY(kv_delete(task, batch->txn, found.pairs[i].key));
        erase->keys += found.count;
    }
out:
    return st;
}

struct status change_erase_span(struct task *task, struct job *job, struct span span)
{
    struct status st = STATUS_OK;
    struct arena arena;
    struct erase erase = {.span = span, .keys = ERASE_BATCH_KEYS};

    arena_init(&arena, &task->shard->account);
    struct change_batch batch = {.tenant = job->tenant, .arena = &arena, .arg = &erase};
    while (erase.keys == ERASE_BATCH_KEYS) {
        TRY(job_check(job));
        TRY(change_run_batch(task, &batch, erase_batch));
        TRY(task_yield(task));
    }
out:
    arena_fini(&arena);
    return st;
}

static struct status erase_resume(struct task *task, struct job *job)
{
    struct status st = STATUS_OK;
    struct change change;

    TRY(change_decode(task->arena, job->payload, &change));
    if (change.index_count == 0)
        return change_erase_span(task, job, row_table_span(task->arena, job->tenant, change.table_id));
    for (uint32_t i = 0; i < change.index_count; i++)
        TRY(change_erase_span(task, job,
            row_index_span(task->arena, job->tenant, change.table_id, change.indexes[i])));
out:
    return st;
}

static const struct job_type erase_type = {.name = "SCHEMA CHANGE GC",
    .resume = erase_resume,
    .not_cancelable = true,
    .automatic = true,
    .class = TASK_BULK};

// Whether the transaction sees nothing in a span. Rows that come after its snapshot make it conflict.
static struct status is_empty(struct statement_context *context, struct span span, bool *empty)
{
    struct kv_scan scan;
    struct kv_batch batch;
    kv_scan_init(&scan, span);
    scan.limit = 1;
    struct status st =
        kv_scan_next(context->task, context->session->txn, &scan, context->arena, &batch);
    *empty = !failed(st) && batch.count == 0;
    return st;
}

static struct status nothing_to_erase(struct statement_context *context, uint32_t table_id,
    const uint32_t *index_ids, uint32_t count, bool *empty)
{
    struct status st = STATUS_OK;
    uint64_t tenant = context->session->tenant;
    if (count == 0)
        return is_empty(context, row_table_span(context->arena, tenant, table_id), empty);
    *empty = true;
    for (uint32_t i = 0; i < count && *empty; i++)
        TRY(is_empty(
            context, row_index_span(context->arena, tenant, table_id, index_ids[i]), empty));
out:
    return st;
}

struct status ddl_erase_later(
    struct statement_context *context, uint32_t table_id, const uint32_t *index_ids, uint32_t count)
{
    bool empty;
    struct status st = nothing_to_erase(context, table_id, index_ids, count, &empty);
    if (failed(st) || empty) return st;
    struct change change = {.kind = CHANGE_ERASE,
        .table_id = table_id,
        .indexes = (uint32_t *)(uintptr_t)index_ids,
        .index_count = count};
    struct job_options options = {.type = &erase_type,
        .description = arena_printf(context->arena, "GC for relation %u", table_id),
        .payload = change_encode(context->arena, &change),
        .delay_ns = ERASE_DELAY_NS};
    int64_t id;
    // Started by adoption once its time has come.
    return job_create(context->task, context->session->tenant, context->session, &options, &id);
}

void change_erase_register(void)
{
    job_type_register(&erase_type);
}
