// SPDX-License-Identifier: GPL-3.0-or-later
//
// Raw versions for replication, backup and administration (kv/admin.h): finds the slices, checks
// the tenant at each leader, puts the answers together. What a slice does is kv/slice_raw.c.
#include "core/invariant.h"
#include "kv/key.h"
#include "kv/range_admin.h"
#include "kv/txn.h"

static struct status leader_of(struct task *task, uint64_t id, struct slice **slice)
{
    struct kv_shard *kv = kv_shard_of(task->shard);
    if (kv == NULL || kv->stopping) return status_make(E_ADMIN_SHUTDOWN, "storage is stopping");
    *slice = kv_slice_find(kv, id);
    invariant(*slice != NULL);
    return STATUS_OK;
}

static struct status check_part(struct slice *slice, uint64_t tenant, struct span part)
{
    struct status st = leader_check_span(tenant, part);
    if (failed(st)) return st;
    if (range_set_covers(slice->ranges, part)) return STATUS_OK;
    return status_make_retry(K_WRONG_RANGE, RETRY_STATEMENT, "the slice does not serve this span");
}

// --- export --------------------------------------------------------------------------------------

struct export_call {
    struct leader_call call;
    struct kv_export export;
    struct kv_version *versions;
    uint32_t count;
};

static struct status export_on_leader(struct task *task, void *arg)
{
    struct status st = STATUS_OK;
    struct export_call *export = arg;
    struct slice *slice;
    TRY(leader_of(task, export->call.slice, &slice));
    TRY(check_part(slice, export->export.tenant, export->export.span));
    TRY(slice_export(task, slice, &export->export, export->call.arena, &export->versions,
        &export->count));
    if (export->export.resume.data != NULL) {
        export->export.resume = arena_copy(export->call.arena, export->export.resume);
    }
out:
    return st;
}

struct export_visit {
    struct kv_export *export;
    struct arena *arena;
    struct kv_version **versions;
    uint32_t *count;
};

static void versions_take(struct export_call *call, struct export_visit *visit)
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
    struct export_call call = {.export = *whole};
    call.export.span = part;
    call.export.resume = (struct bytes){0};
    call.export.done = false;
    call.call.slice = range->slice;
    TRY(leader_call(task, &call.call, visit->arena, export_on_leader));
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

struct ingest_call {
    struct leader_call call;
    struct kv_version *versions;
    uint32_t count;
};

static struct status ingest_on_leader(struct task *task, void *arg)
{
    struct status st = STATUS_OK;
    struct ingest_call *ingest = arg;
    struct slice *slice;
    TRY(leader_of(task, ingest->call.slice, &slice));
    for (uint32_t i = 0; i < ingest->count; i++) {
        TRY(leader_check_key(ingest->call.tenant, ingest->versions[i].key));
        if (range_set_find(slice->ranges, ingest->versions[i].key) == NULL) {
            st = status_make(K_WRONG_RANGE, "the slice does not serve this key");
            goto out;
        }
    }
    TRY(slice_ingest(task, slice, ingest->call.tenant, ingest->versions, ingest->count));
out:
    return st;
}

struct ingest_parts {
    struct arena *arena;
    struct ingest_call *calls;
    uint32_t count, capacity;
};

static struct ingest_call *ingest_part(
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
    struct ingest_call *call = &parts->calls[parts->count++];
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
        struct ingest_call *call = ingest_part(&parts, range->slice, count - i);
        call->call.tenant = tenant;
        call->versions[call->count++] = versions[i];
    }
    struct shard_call_item *items = ARENA_ARRAY(arena, struct shard_call_item, parts.count);
    for (uint32_t i = 0; i < parts.count; i++) {
        leader_call_prepare(task, &parts.calls[i].call, arena, ingest_on_leader, &items[i]);
    }
    (void)shard_call_many(task, items, parts.count).code;
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

// --- all slices of the node ----------------------------------------------------------------------

struct slice_job {
    struct leader_call call;
    struct status (*run)(struct task *task, struct slice *slice, struct slice_job *job);
    struct span span;
    struct hlc_timestamp ts;
    bool ingesting;
    uint64_t removed;
    struct kv_fingerprint fingerprint;
};

static struct status job_on_leader(struct task *task, void *arg)
{
    struct slice_job *job = arg;
    struct slice *slice;
    struct status st = leader_of(task, job->call.slice, &slice);
    if (!failed(st)) st = job->run(task, slice, job);
    return st;
}

// One after the other; stops at the first failure.
static struct status on_all_slices(struct task *task, struct slice_job *job)
{
    struct status st = STATUS_OK;
    const struct kv_shard *kv = kv_shard_of(task->shard);
    if (kv == NULL || kv->stopping) return status_make(E_ADMIN_SHUTDOWN, "storage is stopping");
    for (uint64_t id = 1; id <= kv->node->slice_count && !failed(st); id++) {
        job->call.slice = id;
        st = leader_call(task, &job->call, task->arena, job_on_leader);
        leader_reply_end(&job->call);
    }
    return st;
}

static struct status run_mark(struct task *task, struct slice *slice, struct slice_job *job)
{
    return slice_ingest_mark(task, slice, job->call.tenant, job->ingesting);
}

// In every slice, also those that hold nothing of the tenant: its ranges may be handed over later.
struct status kv_ingest_begin(struct task *task, uint64_t tenant)
{
    struct slice_job job = {.call.tenant = tenant, .run = run_mark, .ingesting = true};
    return on_all_slices(task, &job);
}

struct status kv_ingest_end(struct task *task, uint64_t tenant)
{
    struct slice_job job = {.call.tenant = tenant, .run = run_mark, .ingesting = false};
    return on_all_slices(task, &job);
}

static struct status run_revert(struct task *task, struct slice *slice, struct slice_job *job)
{
    uint64_t removed = 0;
    struct status st = slice_revert(task, slice, job->call.tenant, job->ts, &removed);
    job->removed += removed;
    return st;
}

struct status kv_revert(
    struct task *task, uint64_t tenant, struct hlc_timestamp ts, uint64_t *removed)
{
    struct slice_job job = {.call.tenant = tenant, .run = run_revert, .ts = ts};
    struct status st = on_all_slices(task, &job);
    if (removed != NULL) *removed = job.removed;
    return st;
}

// --- spans ---------------------------------------------------------------------------------------

static struct status job_part(
    struct task *task, void *arg, const struct range *range, struct span part)
{
    struct slice_job *job = arg;
    job->call.slice = range->slice;
    job->span = part;
    struct status st = leader_call(task, &job->call, task->arena, job_on_leader);
    leader_reply_end(&job->call);
    return st;
}

static struct status run_clear(struct task *task, struct slice *slice, struct slice_job *job)
{
    struct status st = check_part(slice, job->call.tenant, job->span);
    if (failed(st)) return st;
    return slice_clear(task, slice, job->call.tenant, job->span);
}

struct status kv_clear(struct task *task, uint64_t tenant, struct span span)
{
    struct slice_job job = {.call.tenant = tenant, .run = run_clear};
    struct status st = leader_check_span(tenant, span);
    if (failed(st)) return st;
    return range_walk(task, span, job_part, &job);
}

static struct status run_fingerprint(
    struct task *task, struct slice *slice, struct slice_job *job)
{
    struct kv_fingerprint part = {0};
    struct status st = check_part(slice, job->call.tenant, job->span);
    if (!failed(st)) {
        st = slice_fingerprint(task, slice, job->call.tenant, job->span, job->ts, &part);
    }
    if (failed(st)) return st;
    // Sums of hashes of rows: the order of the parts does not matter.
    job->fingerprint.hash += part.hash;
    job->fingerprint.keys += part.keys;
    job->fingerprint.bytes += part.bytes;
    return STATUS_OK;
}

struct status kv_fingerprint(struct task *task, uint64_t tenant, struct span span,
    struct hlc_timestamp ts, struct kv_fingerprint *fingerprint)
{
    struct slice_job job = {.call.tenant = tenant, .run = run_fingerprint, .ts = ts};
    struct status st = leader_check_span(tenant, span);
    if (!failed(st)) st = range_walk(task, span, job_part, &job);
    *fingerprint = job.fingerprint;
    return st;
}
