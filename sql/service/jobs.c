// SPDX-License-Identifier: GPL-3.0-or-later
#include "sql/service/announce.h"
#include "sql/service/jobs_internal.h"

#include <stdlib.h>

#include "core/env.h"
#include "core/hlc.h"
#include "core/invariant.h"
#include "core/log.h"
#include "core/work.h"
#include "sql/catalog/catalog_store.h"
#include "sql/session/internal.h"
#include "sql/service/settings.h"

#define JOB_TYPES_MAX 32u
#define RETRY_PAUSE_MIN_NS 100000000ull
#define RETRY_PAUSE_MAX_NS 30000000000ull

static const struct job_type *types[JOB_TYPES_MAX];
static uint32_t type_count;

static const char *const job_status_names[] = {"pending", "running", "pause-requested", "paused",
    "cancel-requested", "reverting", "succeeded", "failed", "canceled", "revert-failed"};
#define STATUS_COUNT (sizeof job_status_names / sizeof job_status_names[0])

const char *job_status_name(enum job_status status)
{
    invariant(status < STATUS_COUNT);
    return job_status_names[status];
}

bool job_status_terminal(enum job_status status)
{
    return status >= JOB_SUCCEEDED;
}

static bool status_parse(const char *name, enum job_status *status)
{
    for (uint32_t i = 0; i < STATUS_COUNT; i++) {
        if (strcmp(job_status_names[i], name) != 0) continue;
        *status = (enum job_status)i;
        return true;
    }
    return false;
}

void job_type_register(const struct job_type *type)
{
    invariant(type_count < JOB_TYPES_MAX);
    types[type_count++] = type;
}

const struct job_type *job_type_at(uint32_t index)
{
    return index < type_count ? types[index] : NULL;
}

static const struct job_type *type_find(const char *name)
{
    for (uint32_t i = 0; i < type_count; i++) {
        if (strcmp(types[i]->name, name) == 0) return types[i];
    }
    return NULL;
}

// --- per shard -------------------------------------------------------------------------------------------

// One incarnation of the node: records that another one runs are orphans.
struct jobs_node {
    int64_t incarnation;
    uint64_t last_id;
};

void jobs_node_init(struct node *node)
{
    struct jobs_node *state = calloc(1, sizeof *state);
    invariant(state != NULL);
    // Of which node, and which of its lives.
    state->incarnation = (int64_t)((uint64_t)node->id << JOB_INCARNATION_BITS |
                                   node->env->random(node->env) >> (64 - JOB_INCARNATION_BITS));
    node->slots[NODE_SLOT_JOBS] = state;
}

void jobs_node_fini(struct node *node)
{
    free(node->slots[NODE_SLOT_JOBS]);
    node->slots[NODE_SLOT_JOBS] = NULL;
}

static int64_t incarnation(struct shard *shard)
{
    const struct jobs_node *state = shard->node->slots[NODE_SLOT_JOBS];
    invariant(state != NULL);
    return state->incarnation;
}

struct jobs_shard *jobs_of(struct shard *shard)
{
    void **slot = catalog_jobs_slot(shard);
    if (*slot == NULL) {
        struct jobs_shard *jobs = calloc(1, sizeof *jobs);
        invariant(jobs != NULL);
        list_init(&jobs->claims);
        list_init(&jobs->running);
        list_init(&jobs->adoptions);
        list_init(&jobs->waiters);
        *slot = jobs;
    }
    return *slot;
}

// Time in 10 us since 2015, 15 bits of the shard and of chance: grows, and is unique in the cluster.
int64_t job_new_id(struct shard *shard)
{
    uint64_t ns = hlc_now(&shard->hlc).wall_ns;
    uint64_t since = (ns - 1420070400000000000ull) / 10000;
    uint64_t salt = shard->env->random(shard->env) & 0x7ff;
    return (int64_t)((since << 15 | (shard->index & 0xf) << 11 | salt) & INT64_MAX);
}

// --- records -----------------------------------------------------------------------------------------------

static struct datum text_or_null(const char *text)
{
    return text == NULL ? DATUM_NULL : datum_text(text);
}

struct status job_create(struct task *task, uint64_t tenant, struct session *session,
    const struct job_options *options, int64_t *id)
{
    struct hlc_timestamp now = hlc_now(&task->shard->hlc);
    *id = options->id != 0 ? options->id : job_new_id(task->shard);
    struct datum params[] = {datum_int(*id),
        datum_text(job_status_name(options->paused ? JOB_PAUSED : JOB_PENDING)),
        datum_text(options->type->name), datum_text(options->description),
        text_or_null(options->statement),
        datum_text(options->user_name == NULL ? "node" : options->user_name),
        datum_int((int64_t)(options->delay_ns / 1000)), datum_bytes(options->payload),
        datum_int((int64_t)now.wall_ns), datum_int((int64_t)now.logical),
        options->while_here ? datum_int(incarnation(task->shard)) : DATUM_NULL};
    static const type_oid param_types[] = {TYPE_INT8, TYPE_TEXT, TYPE_TEXT, TYPE_TEXT, TYPE_TEXT,
        TYPE_TEXT, TYPE_INT8, TYPE_BYTEA, TYPE_INT8, TYPE_INT8, TYPE_INT8};
    return internal_query(task, tenant, session, task->arena, NULL,
        "INSERT INTO system.public.jobs (id, status, job_type, description, statement, user_name, "
        "created, start_after, modified, fraction_completed, payload, created_wall, "
        "created_logical, coordinator_id) VALUES ($1, $2, $3, $4, $5, $6, now(), "
        "now() + $7 * interval '1 microsecond', now(), 0, $8, $9, $10, $11)",
        11, params, param_types);
}

static const char *text_of(struct arena *arena, struct datum value)
{
    return value.null ? NULL : arena_string(arena, datum_as_bytes(value));
}

static struct bytes bytes_value(struct datum value)
{
    return value.null ? (struct bytes){NULL, 0} : datum_as_bytes(value);
}

static uint32_t code_of(const char *text)
{
    return text != NULL && strlen(text) == 5 ? sqlstate_parse(text) : E_INTERNAL;
}

// The record as the session's transaction (or the present) sees it.
static struct status read_record(struct task *task, uint64_t tenant, struct session *session,
    struct arena *arena, int64_t id, struct job **out)
{
    struct status st = STATUS_OK;
    struct internal_result result;
    struct datum params[] = {datum_int(id)};

    *out = NULL;
    TRY(internal_query(task, tenant, session, arena, &result,
        "SELECT status, job_type, description, user_name, payload, progress, fraction_completed, "
        "running_status, error, error_code, error_detail, created_wall, created_logical "
        "FROM system.public.jobs WHERE id = $1",
        1, params, (const type_oid[]){TYPE_INT8}));
    if (result.row_count == 0) goto out;
    struct job *job = ARENA_NEW(arena, struct job);
    list_init(&job->link);
    job->id = id;
    job->tenant = tenant;
    const char *type = text_of(arena, internal_value(&result, 0, 1));
    job->type = type_find(type);
    if (!status_parse(text_of(arena, internal_value(&result, 0, 0)), &job->status))
        return status_format(
            task->arena, E_DATA_CORRUPTED, "job %lld has an unknown status", (long long)id);
    if (job->type == NULL)
        return status_format(
            task->arena, E_FEATURE_NOT_SUPPORTED, "job type \"%s\" is not supported", type);
    job->description = text_of(arena, internal_value(&result, 0, 2));
    job->user_name = text_of(arena, internal_value(&result, 0, 3));
    job->payload = bytes_value(internal_value(&result, 0, 4));
    job->progress = bytes_value(internal_value(&result, 0, 5));
    job->fraction = internal_value(&result, 0, 6).real;
    job->running_status = text_of(arena, internal_value(&result, 0, 7));
    const char *error = text_of(arena, internal_value(&result, 0, 8));
    if (error != NULL) {
        job->error = status_make(code_of(text_of(arena, internal_value(&result, 0, 9))), error);
        const char *detail = text_of(arena, internal_value(&result, 0, 10));
        if (detail != NULL) job->error = status_detail(arena, job->error, "%s", detail);
    }
    job->created = (struct hlc_timestamp){(uint64_t)internal_value(&result, 0, 11).integer,
        (uint32_t)internal_value(&result, 0, 12).integer};
    *out = job;
out:
    return st;
}

struct status job_read(
    struct task *task, uint64_t tenant, struct arena *arena, int64_t id, struct job **job)
{
    return read_record(task, tenant, NULL, arena, id, job);
}

struct status jobs_no_such(struct task *task, int64_t id)
{
    return status_format(
        task->arena, E_UNDEFINED_OBJECT, "job with ID %lld does not exist", (long long)id);
}

struct status job_error(
    struct task *task, uint64_t tenant, struct arena *arena, int64_t id, struct status *out)
{
    struct status st = STATUS_OK;
    struct job *job;
    *out = STATUS_OK;
    TRY(job_read(task, tenant, arena, id, &job));
    if (job == NULL) return jobs_no_such(task, id);
    *out = job->error;
out:
    return st;
}

// --- changes of status -----------------------------------------------------------------------------------

// `decide` looks at the status and says what it becomes; a failure leaves the record alone.
struct transition {
    int64_t id;
    struct arena *arena;
    struct status (*decide)(struct task *task, struct transition *transition);
    struct job *job;     // As read; NULL: no such record.
    int64_t coordinator; // As read; 0: none.
    enum job_status next;
    bool keep;           // Nothing to write.
    bool claim, release; // Coordinator becomes this incarnation, or nobody.
    bool orphan;         // The coordinator's node is known to have stopped.
    uint32_t foreign;    // Answer of decide_claim: another node's, which may run.
    struct status error; // To be recorded.
    struct job *undo;    // The one that runs here: when it is to revert, all that it did is undone in the same transaction.
    void *arg;
};

static struct status write_transition(
    struct task *task, struct session *session, struct transition *transition)
{
    const struct status_report *report = status_report_of(transition->error);
    char code[6] = "";
    if (failed(transition->error)) status_sqlstate(transition->error, code);
    bool finished = job_status_terminal(transition->next);
    struct datum params[] = {datum_int(transition->id),
        datum_text(job_status_name(transition->next)),
        failed(transition->error) ? datum_text(transition->error.message) : DATUM_NULL,
        failed(transition->error) ? datum_text(code) : DATUM_NULL,
        report != NULL && report->detail != NULL ? datum_text(report->detail) : DATUM_NULL,
        datum_bool(finished), datum_bool(transition->next == JOB_RUNNING),
        transition->claim && !finished ? datum_int(incarnation(task->shard)) : DATUM_NULL,
        datum_bool(transition->claim || transition->release || finished)};
    static const type_oid param_types[] = {TYPE_INT8, TYPE_TEXT, TYPE_TEXT, TYPE_TEXT, TYPE_TEXT,
        TYPE_BOOL, TYPE_BOOL, TYPE_INT8, TYPE_BOOL};
    return internal_query(task, session->tenant, session, transition->arena, NULL,
        "UPDATE system.public.jobs SET status = $2, modified = now(), "
        "error = coalesce($3, error), error_code = coalesce($4, error_code), "
        "error_detail = coalesce($5, error_detail), "
        "finished = CASE WHEN $6 THEN now() ELSE finished END, "
        "fraction_completed = CASE WHEN $2 = 'succeeded' THEN 1 ELSE fraction_completed END, "
        "started = CASE WHEN $7 THEN coalesce(started, now()) ELSE started END, "
        "coordinator_id = CASE WHEN $9 THEN $8 ELSE coordinator_id END WHERE id = $1",
        9, params, param_types);
}

// Its time has not come, and whoever made it has not gone either.
static bool is_early(struct task *task, const struct transition *transition, bool due)
{
    const bool here = transition->coordinator == 0 || transition->coordinator == incarnation(task->shard);
    return transition->claim && transition->job->status == JOB_PENDING && !due && here;
}

static struct status run_transition(struct task *task, struct session *session, void *arg)
{
    struct status st = STATUS_OK;
    struct transition *transition = arg;
    struct internal_result result;
    struct datum params[] = {datum_int(transition->id)};

    TRY(read_record(
        task, session->tenant, session, transition->arena, transition->id, &transition->job));
    if (transition->job == NULL) {
        transition->keep = true;
        goto out;
    }
    TRY(internal_query(task, session->tenant, session, transition->arena, &result,
        "SELECT coordinator_id, start_after <= now() FROM system.public.jobs WHERE id = $1", 1,
        params, (const type_oid[]){TYPE_INT8}));
    struct datum coordinator = internal_value(&result, 0, 0);
    transition->coordinator = coordinator.null ? 0 : coordinator.integer;
    // What a former attempt decided is not so any more.
    transition->keep = transition->release = false;
    transition->error = STATUS_OK;
    if (transition->arg == NULL) transition->arg = transition;
    TRY(transition->decide(task, transition));
    if (is_early(task, transition, internal_value(&result, 0, 1).boolean)) transition->keep = true;
    if (transition->keep) goto out;
    if (transition->undo != NULL && transition->next == JOB_REVERTING) {
        bool stands = false;
        TRY(transition->undo->type->undo(task, session, transition->undo, &stands));
        transition->next = failed(transition->error) ? JOB_FAILED : JOB_CANCELED;
        if (stands) {
            transition->next = JOB_SUCCEEDED;
            transition->error = STATUS_OK;
        }
    }
    TRY(write_transition(task, session, transition));
out:
    return st;
}

static struct status change_status(
    struct task *task, uint64_t tenant, struct transition *transition)
{
    return internal_transaction(task, tenant, run_transition, transition);
}

// --- stop requests -----------------------------------------------------------------------------------------

struct stop_call {
    uint64_t tenant;
    int64_t id; // 0: all of the tenant.
};

void job_request_stop(struct job *job)
{
    if (job->stop_requested) return;
    job->stop_requested = true;
    if (job->task != NULL)
        task_cancel(job->task, status_make(E_QUERY_CANCELED, "the job was asked to stop"));
}

static struct status stop_here(struct task *task, void *arg)
{
    const struct stop_call *call = arg;
    struct jobs_shard *jobs = jobs_of(task->shard);
    for (struct list_link *at = jobs->running.next; at != &jobs->running; at = at->next) {
        struct job *job = container_of(at, struct job, link);
        if (job->tenant == call->tenant && (call->id == 0 || call->id == job->id))
            job_request_stop(job);
    }
    return STATUS_OK;
}

static struct status stop_heard(struct task *task, struct bytes body)
{
    struct codec_reader in = codec_read(body);
    struct stop_call call = {.tenant = codec_get_u64(&in)};
    call.id = codec_get_i64(&in);
    if (!codec_done(&in)) return status_make(E_PROTOCOL_VIOLATION, "malformed announcement");
    if (task->shard->slots[SHARD_SLOT_CATALOG] == NULL) return STATUS_OK;
    return stop_here(task, &call);
}

// Others may have taken this node's jobs for orphans meanwhile: they are stopped, and adopted by whoever may.
static void jobs_reset(struct shard *shard)
{
    if (shard->slots[SHARD_SLOT_CATALOG] == NULL) return;
    struct jobs_shard *jobs = jobs_of(shard);
    for (struct list_link *at = jobs->running.next; at != &jobs->running; at = at->next)
        job_request_stop(container_of(at, struct job, link));
}

static const struct cluster_announcement announcement = {.id = ANNOUNCE_JOBS_STOP,
    .name = "a job's stop",
    .heard = stop_heard,
    .reset = jobs_reset};

void jobs_announcements_register(void)
{
    cluster_announcement_register(&announcement);
}

static struct status stop_everywhere(struct task *task, uint64_t tenant, int64_t id)
{
    uint8_t body[16];
    codec_store(body, tenant, 8);
    codec_store(body + 8, (uint64_t)id, 8);
    return cluster_announce(task, ANNOUNCE_JOBS_STOP, bytes_of(body, sizeof body));
}

int64_t job_coordinator(struct shard *shard)
{
    return incarnation(shard);
}

static struct status taken(void)
{
    return status_make(E_JOB_TAKEN, "another node has taken the job over");
}

struct status job_check_own(struct task *task, struct job *job)
{
    struct internal_result result;
    struct datum params[] = {datum_int(job->id), datum_int(incarnation(task->shard))};
    struct status st = internal_query(task, job->tenant, NULL, task->arena, &result,
        "SELECT 1 FROM system.public.jobs WHERE id = $1 AND coordinator_id = $2", 2, params,
        (const type_oid[]){TYPE_INT8, TYPE_INT8});
    if (failed(st) || result.row_count == 1) return st;
    job->stop_requested = true;
    return taken();
}

static struct status decide_pause(struct task *task, struct transition *transition)
{
    struct job *job = transition->job;
    switch (job->status) {
    case JOB_PENDING:
        transition->next = JOB_PAUSED;
        transition->release = true;
        break;
    case JOB_RUNNING: transition->next = JOB_PAUSE_REQUESTED; break;
    case JOB_PAUSE_REQUESTED:
    case JOB_PAUSED: transition->keep = true; return STATUS_OK;
    default:
        return status_format(transition->arena, E_NOT_IN_PREREQUISITE_STATE,
            "job with status %s cannot be requested to be paused", job_status_name(job->status));
    }
    return job->type->on_pause == NULL ? STATUS_OK : job->type->on_pause(task, job);
}

struct status job_pause(struct task *task, uint64_t tenant, int64_t id, const char *reason)
{
    struct status st = STATUS_OK;
    struct transition transition = {.id = id, .arena = task->arena, .decide = decide_pause};
    (void)reason; // For the log.
    TRY(change_status(task, tenant, &transition));
    if (transition.job == NULL) return jobs_no_such(task, id);
    if (reason != NULL) log_info(tenant, "job %lld: pausing: %s", (long long)id, reason);
    TRY(stop_everywhere(task, tenant, id));
out:
    return st;
}

static struct status decide_resume(struct task *task, struct transition *transition)
{
    struct job *job = transition->job;
    if (job->status == JOB_RUNNING || job->status == JOB_PENDING) {
        transition->keep = true;
        return STATUS_OK;
    }
    if (job->status != JOB_PAUSED)
        return status_format(transition->arena, E_NOT_IN_PREREQUISITE_STATE,
            "job with status %s cannot be resumed", job_status_name(job->status));
    transition->next = failed(job->error) ? JOB_REVERTING : JOB_RUNNING;
    transition->release = true;
    return job->type->on_resume == NULL ? STATUS_OK : job->type->on_resume(task, job);
}

struct status job_resume(struct task *task, uint64_t tenant, int64_t id)
{
    struct status st = STATUS_OK;
    struct transition transition = {.id = id, .arena = task->arena, .decide = decide_resume};
    TRY(change_status(task, tenant, &transition));
    if (transition.job == NULL) return jobs_no_such(task, id);
    if (!transition.keep) TRY(job_start_committed(task, tenant, id));
out:
    return st;
}

static struct status decide_cancel(struct task *task, struct transition *transition)
{
    struct job *job = transition->job;
    bool force = transition->arg != transition;
    (void)task;
    if (job->type->not_cancelable && !force)
        return status_format(transition->arena, E_NOT_IN_PREREQUISITE_STATE,
            "job %lld: not cancelable", (long long)job->id);
    switch (job->status) {
    case JOB_PENDING:
    case JOB_PAUSED:
        transition->release = true;
        transition->next = JOB_CANCEL_REQUESTED;
        break;
    case JOB_RUNNING:
    case JOB_PAUSE_REQUESTED: transition->next = JOB_CANCEL_REQUESTED; break;
    case JOB_CANCEL_REQUESTED:
    case JOB_CANCELED: transition->keep = true; break;
    default:
        return status_format(transition->arena, E_NOT_IN_PREREQUISITE_STATE,
            "job with status %s cannot be requested to be canceled", job_status_name(job->status));
    }
    return STATUS_OK;
}

struct status job_cancel(struct task *task, uint64_t tenant, int64_t id, bool force)
{
    struct status st = STATUS_OK;
    struct transition transition = {.id = id, .arena = task->arena, .decide = decide_cancel};
    if (force) transition.arg = &force;
    TRY(change_status(task, tenant, &transition));
    if (transition.job == NULL) return jobs_no_such(task, id);
    if (transition.keep) goto out;
    TRY(stop_everywhere(task, tenant, id));
    if (transition.release) TRY(job_start_committed(task, tenant, id));
out:
    return st;
}

// --- inside of a job -----------------------------------------------------------------------------------------

struct status job_check(struct job *job)
{
    if (job->stop_requested || (job->task != NULL && job->task->shard->node->draining)) {
        job->stop_requested = true;
        return status_make(E_QUERY_CANCELED, "the job was asked to stop");
    }
    return STATUS_OK;
}

struct update_call {
    struct job *job;
    double fraction;
    const char *running_status;
    struct internal_result result;
};

static struct status update_record(struct task *task, void *arg)
{
    struct update_call *call = arg;
    struct job *job = call->job;
    struct arena_mark mark = arena_mark(task->arena);
    struct datum params[] = {datum_int(job->id), datum_bytes(job->progress),
        call->fraction < 0 ? DATUM_NULL : datum_real(call->fraction),
        text_or_null(call->running_status), datum_int(incarnation(task->shard))};
    static const type_oid param_types[] = {TYPE_INT8, TYPE_BYTEA, TYPE_FLOAT8, TYPE_TEXT, TYPE_INT8};
    struct status st = internal_query(task, job->tenant, NULL, task->arena, &call->result,
        "UPDATE system.public.jobs SET progress = $2, modified = now(), "
        "fraction_completed = coalesce($3, fraction_completed), "
        "running_status = coalesce($4, running_status) WHERE id = $1 AND coordinator_id = $5",
        5, params, param_types);
    if (!failed(st)) arena_release(task->arena, mark);
    return st;
}

struct status job_update(struct task *task, struct job *job, struct bytes progress, double fraction,
    const char *running_status)
{
    struct status st = STATUS_OK;
    struct update_call call = {.job = job, .fraction = fraction, .running_status = running_status};
    job->progress = progress;
    if (fraction >= 0) job->fraction = fraction;
    if (job->cancelled) return job_check(job); // Nobody goes on from there.
    // Progress is written even when the job is to stop: it goes on from there.
    TRY(task_uncancelled(task, update_record, &call));
    if (call.result.row_count == 0) {
        // Whoever has taken it over, or erased its record, does not need what is known here.
        job->stop_requested = true;
        return taken();
    }
    TRY(job_check(job));
out:
    return st;
}

// --- running -----------------------------------------------------------------------------------------------

static struct status decide_claim(struct task *task, struct transition *transition)
{
    struct job *job = transition->job;
    bool mine = transition->coordinator == incarnation(task->shard) && job->status != JOB_PENDING;
    transition->claim = true;
    // Of a node that may still be at it.
    uint32_t node = (uint32_t)((uint64_t)transition->coordinator >> JOB_INCARNATION_BITS);
    if (!mine && transition->coordinator != 0 && node != task->shard->node->id && !transition->orphan) {
        transition->keep = true;
        transition->foreign = node;
        return STATUS_OK;
    }
    if (mine || job_status_terminal(job->status) || job->status == JOB_PAUSED) {
        transition->keep = true;
        return STATUS_OK;
    }
    switch (job->status) {
    case JOB_PENDING: transition->next = JOB_RUNNING; break;
    case JOB_PAUSE_REQUESTED:
        transition->next = JOB_PAUSED;
        transition->claim = false;
        transition->release = true;
        break;
    case JOB_CANCEL_REQUESTED: transition->next = JOB_REVERTING; break;
    default: transition->next = job->status; break;
    }
    return STATUS_OK;
}

struct outcome {
    struct status status;
    bool stopped;   // The job was asked to stop before it ended,
    bool cancelled; // in memory alone, by the statement that waits for it.
};

bool jobs_is_temporary(struct status st)
{
    return st.retry == RETRY_TRANSACTION || status_is(st, E_SERIALIZATION_FAILURE) ||
           status_is(st, E_AMBIGUOUS_RESULT) || status_is(st, E_CONNECTION_FAILURE) ||
           status_is(st, E_CONNECTION_REFUSED) || status_is(st, E_CONNECTION_EXCEPTION) ||
           status_is(st, E_ADMIN_SHUTDOWN) || status_is(st, E_CANNOT_CONNECT_NOW) ||
           status_is(st, E_DISK_FULL);
}

// Whoever was silent for too long decides nothing any more.
static bool is_taken(struct task *task, struct transition *transition)
{
    transition->keep = transition->coordinator != incarnation(task->shard);
    return transition->keep;
}

// What follows from the outcome of resume(), given what has been asked for meanwhile.
static struct status decide_after_resume(struct task *task, struct transition *transition)
{
    const struct outcome *ended = transition->arg;
    struct status outcome = ended->status;
    struct job *job = transition->job;
    if (is_taken(task, transition)) return STATUS_OK;
    if (!failed(outcome)) {
        transition->next = JOB_SUCCEEDED;
    } else if (ended->cancelled) {
        transition->next = JOB_REVERTING;
    } else if (job->status == JOB_PAUSE_REQUESTED) {
        transition->next = JOB_PAUSED;
        transition->release = true;
    } else if (job->status == JOB_CANCEL_REQUESTED) {
        transition->next = JOB_REVERTING;
    } else if (ended->stopped && (status_is(outcome, E_QUERY_CANCELED) || jobs_is_temporary(outcome))) {
        // The service stops, not the job: whoever serves the tenant next adopts it.
        transition->next = job->status;
        transition->release = true;
    } else {
        transition->error = outcome;
        transition->next = job->type->revert == NULL ? JOB_FAILED : JOB_REVERTING;
    }
    return STATUS_OK;
}

static struct status decide_after_revert(struct task *task, struct transition *transition)
{
    struct status outcome = ((const struct outcome *)transition->arg)->status;
    if (is_taken(task, transition)) return STATUS_OK;
    if (failed(outcome)) {
        transition->next = JOB_REVERT_FAILED;
        transition->error = outcome;
    } else {
        transition->next = failed(transition->job->error) ? JOB_FAILED : JOB_CANCELED;
    }
    return STATUS_OK;
}

static struct status decide_release(struct task *task, struct transition *transition)
{
    if (is_taken(task, transition)) return STATUS_OK;
    transition->next = transition->job->status;
    transition->release = true;
    return STATUS_OK;
}

bool jobs_go_down(const struct task *task)
{
    return task->shard->node->draining || node_stopping(task->shard->node);
}

struct settle_call {
    struct job *job;
    struct transition transition;
};

static struct status settle(struct task *task, void *arg)
{
    struct settle_call *call = arg;
    struct status st = STATUS_OK;
    // The outcome must be recorded: only a node that goes down gives up, and adoption finds the job again.
    for (uint64_t pause = RETRY_PAUSE_MIN_NS; !jobs_go_down(task); pause *= 2) {
        st = change_status(task, call->job->tenant, &call->transition);
        if (!failed(st) || !jobs_is_temporary(st)) break;
        if (pause > RETRY_PAUSE_MAX_NS) pause = RETRY_PAUSE_MAX_NS;
        if (failed(task_sleep(task, pause))) break;
    }
    return st;
}

// With `undo` a job that is to revert has done so by the time that this returns, when it does not fail.
static struct status record_outcome(struct task *task, struct job *job, struct status ended, bool undo,
    struct status (*decide)(struct task *task, struct transition *transition))
{
    struct outcome outcome = {.status = ended, .stopped = job->stop_requested, .cancelled = job->cancelled};
    struct settle_call call = {.job = job,
        .transition = {.id = job->id, .arena = task->arena, .decide = decide, .undo = undo ? job : NULL, .arg = &outcome}};
    const enum task_class class = task->class;
    // Requests to stop come too late now, and must not cut the recording short.
    job->task = NULL;
    if (job->cancelled) task->class = TASK_DEFAULT; // Somebody waits for it.
    struct status st = task_uncancelled(task, settle, &call);
    task->class = class;
    job->task = task;
    if (!failed(st) && call.transition.keep) return taken();
    if (!failed(st) && call.transition.job != NULL) {
        job->status = call.transition.next;
        if (failed(call.transition.error)) job->error = call.transition.error;
    }
    return st;
}

// Runs one of the two phases until it ends for good, or the job is to stop.
static struct status run_phase(struct task *task, struct job *job,
    struct status (*fn)(struct task *task, struct job *job), bool stoppable)
{
    struct status st = STATUS_OK;
    uint64_t pause = RETRY_PAUSE_MIN_NS;
    for (;;) {
        st = fn(task, job);
        if (!failed(st) || (stoppable && job->stop_requested) || !jobs_is_temporary(st)) break;
        if (jobs_go_down(task)) break;
        st = status_copy(task->arena, st);
        log_info(job->tenant, "job %lld: will be tried again: %s", (long long)job->id, st.message);
        if (failed(task_sleep(task, pause))) break;
        pause = pause * 2 > RETRY_PAUSE_MAX_NS ? RETRY_PAUSE_MAX_NS : pause * 2;
    }
    return st;
}

static struct status run_claimed(struct task *task, struct job *job)
{
    struct status st = STATUS_OK, outcome;

    if (job->status == JOB_RUNNING) {
        // It may have been cancelled while it was claimed.
        outcome = job_check(job);
        if (!failed(outcome)) outcome = run_phase(task, job, job->type->resume, true);
        if (failed(outcome) && jobs_go_down(task)) {
            // Not its end: the next incarnation goes on.
            st = record_outcome(task, job, outcome, false, decide_release);
            goto out;
        }
        if (failed(outcome)) outcome = status_copy(task->arena, outcome);
        st = record_outcome(task, job, outcome, job->type->undo != NULL, decide_after_resume);
        // What cannot be undone like that is tried on its own, and the record says how that went.
        if (failed(st) && job->type->undo != NULL && !status_is(st, E_JOB_TAKEN))
            st = record_outcome(task, job, outcome, false, decide_after_resume);
        TRY(st);
        if (failed(job->error) && (job->status == JOB_FAILED || job->status == JOB_REVERTING))
            log_warning(job->tenant, "job %lld (%s) has failed: %s", (long long)job->id, job->type->name, job->error.message);
        task_cancel_clear(task);
        job->stop_requested = job->cancelled = false;
    }
    if (job->status == JOB_REVERTING) {
        outcome = STATUS_OK;
        if (job->type->revert != NULL) outcome = run_phase(task, job, job->type->revert, false);
        if (failed(outcome) && jobs_go_down(task)) {
            st = record_outcome(task, job, outcome, false, decide_release);
            goto out;
        }
        TRY(record_outcome(task, job, outcome, false, decide_after_revert));
    }
out:
    return st;
}

static struct status run_job(struct task *task, void *arg)
{
    struct status st = STATUS_OK;
    struct run_request *request = arg;
    struct jobs_shard *jobs = jobs_of(task->shard);
    struct transition claim = {.id = request->id, .arena = task->arena, .decide = decide_claim};
    struct job *job = NULL;

    request->task = task;
    TRY(change_status(task, request->tenant, &claim));
    if (claim.foreign != 0 && !cluster_alive(task->shard, claim.foreign)) {
        TRY(cluster_fence(task, claim.foreign, &claim.orphan));
        claim.foreign = 0;
        if (claim.orphan) TRY(change_status(task, request->tenant, &claim));
    }
    if (claim.keep || claim.job == NULL || !claim.claim) goto out;
    job = claim.job;
    job->status = claim.next;
    job->task = task;
    job->cancelled = request->cancelled || jobs_waiter_cancels(task->shard, job->tenant, job->id);
    job->stop_requested = job->cancelled;
    list_remove(&request->link);
    list_append(&jobs->running, &job->link);
    log_info(job->tenant, "job %lld (%s): %s", (long long)job->id, job->type->name,
        job_status_name(job->status));
    st = run_claimed(task, job);
    list_remove(&job->link);
    if (!failed(st))
        log_info(job->tenant, "job %lld (%s): %s", (long long)job->id, job->type->name,
            job_status_name(job->status));
out:
    if (failed(st)) log_info(request->tenant, "job %lld: %s", (long long)request->id, st.message);
    list_remove(&request->link);
    jobs_wake_waiters(task->shard, request->tenant, request->id);
    free(request);
    return st;
}

struct status job_start_committed(struct task *task, uint64_t tenant, int64_t id)
{
    struct run_request *request = malloc(sizeof *request);
    if (request == NULL) return status_make(E_OUT_OF_MEMORY, "out of memory");
    *request = (struct run_request){.tenant = tenant, .id = id};
    struct task_options options = {
        .fn = run_job, .arg = request, .kind = "job", .tenant = tenant, .class = TASK_BULK};
    struct status st = task_start(task->shard, &options);
    if (failed(st))
        free(request);
    else
        list_append(&jobs_of(task->shard)->claims, &request->link);
    return st;
}
