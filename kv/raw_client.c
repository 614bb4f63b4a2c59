// SPDX-License-Identifier: GPL-3.0-or-later
//
// Raw versions for replication, backup and administration (kv/admin.h): finds the slices, checks
// the tenant at each leader, puts the answers together. The leaders' side is kv/leader_raw.c.
#include "core/invariant.h"
#include "kv/key.h"
#include "kv/leader_raw.h"
#include "kv/move.h"
#include "kv/range_admin.h"
#include "kv/slice_list.h"
#include "kv/txn.h"

// --- export --------------------------------------------------------------------------------------

struct export_visit {
    struct kv_export *export;
    struct arena *arena;
    struct kv_version **versions;
    uint32_t *count;
};

static void versions_take(struct leader_export *call, struct export_visit *visit)
{
    *visit->versions = call->versions;
    *visit->count = call->count;
    if (!call->call.remote) return;
    struct kv_version *copies = ARENA_ARRAY(visit->arena, struct kv_version, call->count);
    for (uint32_t i = 0; i < call->count; i++) {
        copies[i] = call->versions[i];
        copies[i].key = arena_copy(visit->arena, copies[i].key);
        if (copies[i].value.data != NULL) {
            copies[i].value = arena_copy(visit->arena, copies[i].value);
        }
    }
    *visit->versions = copies;
}

// One piece of one range, then K_END to stop the walk.
static struct status export_part(
    struct task *task, void *arg, const struct range *range, struct span part)
{
    struct status st = STATUS_OK;
    struct export_visit *visit = arg;
    struct kv_export *whole = visit->export;
    struct leader_export call = {.export = *whole};
    call.export.span = part;
    call.export.resume = (struct bytes){0};
    call.export.done = false;
    call.call.slice = range->slice;
    TRY(leader_call(task, &call.call, visit->arena, LEADER_EXPORT));
    versions_take(&call, visit);
    // Lives with the task: the arena of this call may be reset before the next.
    whole->resume = arena_copy(task->arena, call.export.done ? part.end : call.export.resume);
    whole->done = bytes_compare(whole->resume, whole->span.end) >= 0;
    if (*visit->count > 0) st = status_make(K_END, "enough");
out:
    leader_reply_end(&call.call);
    return st;
}

struct status kv_export_next(struct task *task, struct kv_export *export, struct arena *arena,
    struct kv_version **versions, uint32_t *count)
{
    struct export_visit visit = {export, arena, versions, count};
    struct status st = leader_check_span(export->tenant, export->span);
    if (failed(st)) return st;
    *versions = NULL;
    *count = 0;
    while (!export->done && *count == 0) {
        struct span rest = export->span;
        if (export->resume.data != NULL) rest.start = export->resume;
        st = range_walk(task, rest, export_part, &visit);
        if (failed(st) && !status_is(st, K_END)) return st;
        if (bytes_compare(rest.start, export->span.end) >= 0) export->done = true;
    }
    return STATUS_OK;
}

// --- ingest --------------------------------------------------------------------------------------

struct ingest_parts {
    struct arena *arena;
    struct leader_ingest *calls;
    uint32_t count, capacity;
};

static struct leader_ingest *ingest_part(
    struct ingest_parts *parts, uint64_t slice, uint32_t versions_max)
{
    for (uint32_t i = parts->count; i-- > 0;) {
        if (parts->calls[i].call.slice == slice) return &parts->calls[i];
    }
    if (parts->count == parts->capacity) {
        uint32_t capacity = parts->capacity == 0 ? 4 : parts->capacity * 2;
        parts->calls = arena_grow(parts->arena, parts->calls,
            parts->capacity * sizeof *parts->calls, capacity * sizeof *parts->calls);
        parts->capacity = capacity;
    }
    struct leader_ingest *call = &parts->calls[parts->count++];
    memset(call, 0, sizeof *call);
    call->call.slice = slice;
    call->versions = ARENA_ARRAY(parts->arena, struct kv_version, versions_max);
    return call;
}

static struct status ingest_once(struct task *task, struct arena *arena, uint64_t tenant,
    const struct kv_version *versions, uint32_t count)
{
    struct status st = STATUS_OK;
    struct ingest_parts parts = {.arena = arena};
    for (uint32_t i = 0; i < count; i++) {
        const struct range *range;
        TRY(leader_check_key(tenant, versions[i].key));
        TRY(router_find(task, versions[i].key, false, &range));
        struct leader_ingest *call = ingest_part(&parts, range->slice, count - i);
        call->call.tenant = tenant;
        call->versions[call->count++] = versions[i];
    }
    struct leader_item *items = ARENA_ARRAY(arena, struct leader_item, parts.count);
    for (uint32_t i = 0; i < parts.count; i++) {
        items[i] = (struct leader_item){.kind = LEADER_INGEST, .call = &parts.calls[i].call};
    }
    leader_call_many(task, items, parts.count, arena);
    for (uint32_t i = 0; i < parts.count; i++) {
        // Any other failure than a stale route stands.
        if (failed(items[i].status) && (!failed(st) || status_is(st, K_WRONG_RANGE))) {
            st = items[i].status;
        }
        leader_reply_end(&parts.calls[i].call);
    }
out:
    return st;
}

struct status kv_ingest(
    struct task *task, uint64_t tenant, const struct kv_version *versions, uint32_t count)
{
    struct status st = STATUS_OK;
    for (uint32_t attempt = 0; count > 0 && attempt < ROUTE_ATTEMPTS_MAX; attempt++) {
        struct arena arena;
        arena_init(&arena, NULL);
        st = ingest_once(task, &arena, tenant, versions, count);
        arena_fini(&arena);
        if (!status_is(st, K_WRONG_RANGE)) return st;
        // What was written already is written again: the same version twice is one.
        st = router_evict_all(task, attempt);
        if (failed(st)) return st;
    }
    return st;
}

// --- all slices ----------------------------------------------------------------------------------

// `done` may be NULL.
static struct status job_all(struct task *task, struct leader_job *job, kv_slice_done done, void *arg)
{
    struct status st = STATUS_OK;
    const struct kv_shard *kv = kv_shard_of(task->shard);
    if (kv == NULL || kv->stopping) return status_make(E_ADMIN_SHUTDOWN, "storage is stopping");
    uint64_t *slices;
    uint32_t count;
    TRY(slice_list_all(task, task->arena, &slices, &count));
    for (uint32_t i = 0; i < count && !failed(st); i++) {
        job->call.slice = slices[i];
        st = leader_call(task, &job->call, task->arena, LEADER_JOB);
        leader_reply_end(&job->call);
        if (done != NULL && !failed(st)) done(arg, slices[i], job->removed);
    }
out:
    return st;
}

// One after the other; stops at the first failure.
struct status leader_job_all(struct task *task, struct leader_job *job)
{
    return job_all(task, job, NULL, NULL);
}

// In every slice, also those that hold nothing of the tenant: its ranges may be handed over later.
struct status kv_ingest_begin(struct task *task, uint64_t tenant)
{
    struct leader_job job = {.call.tenant = tenant, .what = LEADER_JOB_MARK, .mark = KV_INGEST_BEGIN};
    return leader_job_all(task, &job);
}

struct status kv_ingest_join(struct task *task, uint64_t tenant)
{
    struct leader_job job = {
        .call.tenant = tenant, .what = LEADER_JOB_MARK, .mark = KV_INGEST_JOIN};
    return leader_job_all(task, &job);
}

struct status kv_ingest_end(struct task *task, uint64_t tenant, struct hlc_timestamp upto)
{
    struct leader_job job = {
        .call.tenant = tenant, .what = LEADER_JOB_MARK, .mark = KV_INGEST_END, .ts = upto};
    return leader_job_all(task, &job);
}

struct status kv_revert(
    struct task *task, uint64_t tenant, struct hlc_timestamp ts, uint64_t *removed)
{
    return kv_revert_told(task, tenant, ts, removed, NULL, NULL);
}

struct status kv_revert_told(struct task *task, uint64_t tenant, struct hlc_timestamp ts,
    uint64_t *removed, kv_slice_done done, void *arg)
{
    struct leader_job job = {.call.tenant = tenant, .what = LEADER_JOB_REVERT, .ts = ts};
    struct status st;
    uint64_t before, after;
    // A range that went from a slice that was not yet reverted to one that was: once more.
    do {
        TRY(move_switches(task, &before));
        TRY(job_all(task, &job, done, arg));
        TRY(move_switches(task, &after));
    } while (before != after);
out:
    if (removed != NULL) *removed = job.removed;
    return st;
}

// --- spans ---------------------------------------------------------------------------------------

static struct status job_part(
    struct task *task, void *arg, const struct range *range, struct span part)
{
    struct leader_job *job = arg;
    job->call.slice = range->slice;
    job->span = part;
    struct status st = leader_call(task, &job->call, task->arena, LEADER_JOB);
    leader_reply_end(&job->call);
    return st;
}

static struct status clear_as(
    struct task *task, uint64_t tenant, struct span span, enum leader_job_kind what)
{
    struct leader_job job = {.call.tenant = tenant, .what = what};
    struct status st = leader_check_span(tenant, span);
    if (failed(st)) return st;
    return range_walk(task, span, job_part, &job);
}

struct status kv_clear(struct task *task, uint64_t tenant, struct span span)
{
    return clear_as(task, tenant, span, LEADER_JOB_CLEAR);
}

struct status kv_ingest_clear(struct task *task, uint64_t tenant, struct span span)
{
    return clear_as(task, tenant, span, LEADER_JOB_INGEST_CLEAR);
}

struct status kv_fingerprint(struct task *task, uint64_t tenant, struct span span,
    struct hlc_timestamp ts, struct kv_fingerprint *fingerprint)
{
    struct leader_job job = {.call.tenant = tenant, .what = LEADER_JOB_FINGERPRINT, .ts = ts};
    struct status st = leader_check_span(tenant, span);
    if (!failed(st)) st = range_walk(task, span, job_part, &job);
    *fingerprint = job.fingerprint;
    return st;
}
