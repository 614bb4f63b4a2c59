// SPDX-License-Identifier: GPL-3.0-or-later
#include "kv/leader_raw.h"

#include "kv/key.h"
#include "kv/leader_wire.h"
#include "kv/move_side.h"
#include "kv/range.h"

static struct status wrong_span(void)
{
    return status_make_retry(K_WRONG_RANGE, RETRY_STATEMENT, "the slice does not serve this span");
}

static struct status check_part(struct slice *slice, uint64_t tenant, struct span part)
{
    struct status st = leader_check_span(tenant, part);
    if (failed(st)) return st;
    if (range_set_covers(slice->ranges, part)) return STATUS_OK;
    return wrong_span();
}

struct status leader_export(struct task *task, void *arg)
{
    struct status st = STATUS_OK;
    struct leader_export *export = arg;
    struct slice *slice;
    TRY(leader_slice(task, &export->call, &slice));
    TRY(check_part(slice, export->export.tenant, export->export.span));
    TRY(slice_export(task, slice, &export->export, export->call.arena, &export->versions,
        &export->count));
    if (export->export.resume.data != NULL) {
        export->export.resume = arena_copy(export->call.arena, export->export.resume);
    }
    // It yields: the range may have left meanwhile, and what it had here is erased then.
    TRY(check_part(slice, export->export.tenant, export->export.span));
out:
    return st;
}

struct status leader_ingest(struct task *task, void *arg)
{
    struct status st = STATUS_OK;
    struct leader_ingest *ingest = arg;
    struct slice *slice;
    TRY(leader_slice(task, &ingest->call, &slice));
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

// --- jobs ----------------------------------------------------------------------------------------

static struct status run_revert(struct task *task, struct slice *slice, struct leader_job *job)
{
    uint64_t removed = 0;
    struct status st = slice_revert(task, slice, job->call.tenant, job->ts, &removed);
    job->removed += removed;
    return st;
}

static struct status run_clear(struct task *task, struct slice *slice, struct leader_job *job)
{
    struct status st = slice_admit(task, slice, 0);
    if (!failed(st)) st = check_part(slice, job->call.tenant, job->span);
    if (!failed(st) && move_shuts_span(slice, job->span)) st = wrong_span();
    if (failed(st)) return st;
    return job->what == LEADER_JOB_INGEST_CLEAR
               ? slice_ingest_clear(task, slice, job->call.tenant, job->span)
               : slice_clear(task, slice, job->call.tenant, job->span);
}

static struct status run_fingerprint(
    struct task *task, struct slice *slice, struct leader_job *job)
{
    struct kv_fingerprint part = {0};
    struct status st = check_part(slice, job->call.tenant, job->span);
    if (!failed(st)) {
        st = slice_fingerprint(task, slice, job->call.tenant, job->span, job->ts, &part);
    }
    // It yields: the range may have left meanwhile, and what it had here is erased then.
    if (!failed(st)) st = check_part(slice, job->call.tenant, job->span);
    if (failed(st)) return st;
    // Sums of hashes of rows: the order of the parts does not matter.
    job->fingerprint.hash += part.hash;
    job->fingerprint.keys += part.keys;
    job->fingerprint.bytes += part.bytes;
    return STATUS_OK;
}

struct status leader_job(struct task *task, void *arg)
{
    struct leader_job *job = arg;
    struct slice *slice;
    struct status st = leader_slice(task, &job->call, &slice);
    if (failed(st)) return st;
    switch (job->what) {
    case LEADER_JOB_MARK:
        return slice_ingest_mark(task, slice, job->call.tenant, job->mark, job->ts);
    case LEADER_JOB_REVERT: return run_revert(task, slice, job);
    case LEADER_JOB_CLEAR:
    case LEADER_JOB_INGEST_CLEAR: return run_clear(task, slice, job);
    case LEADER_JOB_FINGERPRINT: return run_fingerprint(task, slice, job);
    case LEADER_JOB_THRESHOLD:
        if (!hlc_less(job->ts, slice_gc_threshold(slice, job->call.tenant))) return STATUS_OK;
        return status_make(E_NOT_IN_PREREQUISITE_STATE,
            "cannot protect a timestamp below the garbage collection threshold");
    case LEADER_JOB_KIND_END: break;
    }
    return status_make(E_INTERNAL, "unknown job");
}

// --- as bytes ------------------------------------------------------------------------------------

#define VERSION_BYTES_LEAST (2u + HLC_ENCODED_BYTES + 1u)

void wire_put_versions(struct buffer *out, const struct kv_version *versions, uint32_t count)
{
    wire_put_u64(out, count);
    for (uint32_t i = 0; i < count; i++) {
        wire_put_bytes(out, versions[i].key);
        wire_put_bytes(out, versions[i].value);
        wire_put_ts(out, versions[i].ts);
        wire_put_bool(out, versions[i].tombstone);
    }
}

struct kv_version *wire_take_versions(struct wire_in *in, uint32_t *count)
{
    *count = wire_take_count(in, VERSION_BYTES_LEAST);
    struct kv_version *versions = ARENA_ARRAY(in->arena, struct kv_version, *count);
    for (uint32_t i = 0; i < *count && !in->bad; i++) {
        versions[i].key = wire_take_key(in);
        versions[i].value = wire_take_bytes(in);
        versions[i].ts = wire_take_ts(in);
        versions[i].tombstone = wire_take_bool(in);
        if (!versions[i].tombstone && versions[i].value.data == NULL) in->bad = true;
        if (versions[i].value.size > VALUE_BYTES_MAX) in->bad = true;
    }
    return versions;
}

static void export_ask(struct buffer *out, const void *request)
{
    const struct kv_export *export = &((const struct leader_export *)request)->export;
    wire_put_u64(out, export->tenant);
    wire_put_span(out, export->span);
    wire_put_ts(out, export->after);
    wire_put_ts(out, export->at);
    wire_put_bool(out, export->all);
    wire_put_u64(out, export->bytes_max);
}

static void export_asked(struct wire_in *in, void *request)
{
    struct kv_export *export = &((struct leader_export *)request)->export;
    export->tenant = wire_take_u64(in);
    export->span = wire_take_span(in);
    export->after = wire_take_ts(in);
    export->at = wire_take_ts(in);
    export->all = wire_take_bool(in);
    export->bytes_max = wire_take_u64(in);
}

static void export_answer(struct buffer *out, const void *request)
{
    const struct leader_export *export = request;
    wire_put_bytes(out, export->export.resume);
    wire_put_bool(out, export->export.done);
    wire_put_versions(out, export->versions, export->count);
}

static void export_answered(struct wire_in *in, void *request)
{
    struct leader_export *export = request;
    export->export.resume = wire_take_bytes(in);
    export->export.done = wire_take_bool(in);
    export->versions = wire_take_versions(in, &export->count);
}

static void ingest_ask(struct buffer *out, const void *request)
{
    const struct leader_ingest *ingest = request;
    wire_put_versions(out, ingest->versions, ingest->count);
}

static void ingest_asked(struct wire_in *in, void *request)
{
    struct leader_ingest *ingest = request;
    ingest->versions = wire_take_versions(in, &ingest->count);
}

static void job_ask(struct buffer *out, const void *request)
{
    const struct leader_job *job = request;
    wire_put_u64(out, job->what);
    wire_put_bytes(out, job->span.start);
    wire_put_bytes(out, job->span.end);
    wire_put_ts(out, job->ts);
    wire_put_u64(out, job->mark);
}

static void job_asked(struct wire_in *in, void *request)
{
    struct leader_job *job = request;
    job->what = (enum leader_job_kind)wire_take_enum(in, LEADER_JOB_KIND_END - 1);
    bool spans = job->what == LEADER_JOB_CLEAR || job->what == LEADER_JOB_INGEST_CLEAR ||
                 job->what == LEADER_JOB_FINGERPRINT;
    job->span.start = spans ? wire_take_key(in) : wire_take_bytes(in);
    job->span.end = spans ? wire_take_key(in) : wire_take_bytes(in);
    job->ts = wire_take_ts(in);
    job->mark = (enum kv_ingest_mark)wire_take_enum(in, KV_INGEST_JOIN);
}

static void job_answer(struct buffer *out, const void *request)
{
    const struct leader_job *job = request;
    wire_put_u64(out, job->removed);
    wire_put_u64(out, job->fingerprint.hash);
    wire_put_u64(out, job->fingerprint.keys);
    wire_put_u64(out, job->fingerprint.bytes);
}

static void job_answered(struct wire_in *in, void *request)
{
    struct leader_job *job = request;
    job->removed += wire_take_u64(in);
    job->fingerprint.hash += wire_take_u64(in);
    job->fingerprint.keys += wire_take_u64(in);
    job->fingerprint.bytes += wire_take_u64(in);
}

const struct leader_codec leader_raw_codecs[LEADER_KIND_END] = {
    [LEADER_EXPORT] = {.name = "leader.export", .size = sizeof(struct leader_export),
        .run = leader_export, .bulk = true, .ask = export_ask, .asked = export_asked,
        .answer = export_answer, .answered = export_answered},
    [LEADER_INGEST] = {.name = "leader.ingest", .size = sizeof(struct leader_ingest),
        .run = leader_ingest, .bulk = true, .ask = ingest_ask, .asked = ingest_asked,
        .answer = wire_put_nothing, .answered = wire_take_nothing},
    [LEADER_JOB] = {.name = "leader.job", .size = sizeof(struct leader_job), .run = leader_job,
        .bulk = true, .ask = job_ask, .asked = job_asked, .answer = job_answer,
        .answered = job_answered},
};
