// SPDX-License-Identifier: GPL-3.0-or-later
#include "repl/producer.h"

#include <inttypes.h>
#include <string.h>

#include "core/log.h"
#include "core/mark.h"
#include "kv/admin.h"
#include "kv/cluster.h"
#include "repl/internal.h"
#include "repl/progress.h"
#include "sql/catalog/bootstrap.h"
#include "sql/function/function_table.h"
#include "sql/session/internal.h"
#include "sql/service/jobs.h"
#include "sql/user/privilege.h"
#include "sql/service/settings.h"
#include "tenant/tenant.h"

#define PRODUCER_COLUMNS                                                                           \
    "stream_id, tenant_id, tenant_name, start_time, protected_time, expiration_us, heartbeat_us, " \
    "state, window_us"
#define POLL_NS 250000000u
#define RECORD_POLL_NS 1000000000u
#define SIZES_TIMEOUT_NS 3000000000ull

static const struct job_type producer_job;

static void protection_id(int64_t stream, uint8_t id[16])
{
    memcpy(id, "repl-src", 8);
    for (unsigned i = 0; i < 8; i++)
        id[8 + i] = (uint8_t)((uint64_t)stream >> (56 - 8 * i));
}

// --- records -----------------------------------------------------------------------------------------

struct status producer_read(
    struct task *task, struct arena *arena, int64_t stream, struct producer **producer)
{
    struct status st;
    struct internal_result result;
    struct datum params[] = {datum_int(stream)};
    TRY(internal_query(task, TENANT_SYSTEM, NULL, arena, &result,
        "SELECT " PRODUCER_COLUMNS " FROM system.public.replication_producers WHERE stream_id = $1",
        1, params, (type_oid[]){TYPE_INT8}));
    if (result.row_count == 0)
        return status_format(arena, E_INVALID_PARAMETER_VALUE,
            "job %" PRId64 " is not a replication stream job", stream);
    struct producer *out = ARENA_NEW(arena, struct producer);
    out->stream = stream;
    out->tenant = (uint64_t)internal_value(&result, 0, 1).integer;
    out->tenant_name = arena_string(arena, datum_as_bytes(internal_value(&result, 0, 2)));
    if (!repl_hlc_parse(internal_value(&result, 0, 3), &out->start) ||
        !repl_hlc_parse(internal_value(&result, 0, 4), &out->protected))
        return status_make(E_DATA_CORRUPTED, "the record of a replication stream is damaged");
    out->expiration_us = internal_value(&result, 0, 5).integer;
    out->heartbeat_us = internal_value(&result, 0, 6).integer;
    out->state = (enum producer_state)internal_value(&result, 0, 7).integer;
    out->window_us = internal_value(&result, 0, 8).integer;
    *producer = out;
out:
    return st;
}

static struct status set_state(
    struct task *task, int64_t stream, enum producer_state from, enum producer_state to)
{
    struct datum params[] = {datum_int(stream), datum_int(from), datum_int(to)};
    return internal_query(task, TENANT_SYSTEM, NULL, task->arena, NULL,
        "UPDATE system.public.replication_producers SET state = $3 WHERE stream_id = $1 AND state "
        "= $2",
        3, params, (type_oid[]){TYPE_INT8, TYPE_INT8, TYPE_INT8});
}

static int64_t window_us(struct task *task, const struct producer *producer)
{
    if (producer != NULL && producer->window_us > 0) return producer->window_us;
    uint64_t timeout_ns =
        settings_duration_ns(task->shard, TENANT_SYSTEM, "stream_replication.job_liveness_timeout");
    return (int64_t)(timeout_ns / 1000);
}

struct status producer_window_set(
    struct task *task, struct arena *arena, uint64_t tenant, int64_t window, uint32_t *count)
{
    struct status st;
    struct internal_result result;
    struct datum params[] = {
        datum_int((int64_t)tenant), datum_int(window), datum_int(window_us(task, NULL))};
    // The expiration moves by as much as the window grows or shrinks.
    TRY(internal_query(task, TENANT_SYSTEM, NULL, arena, &result,
        "UPDATE system.public.replication_producers SET window_us = $2, "
        "expiration_us = expiration_us + $2 - CASE WHEN window_us > 0 THEN window_us ELSE $3 END "
        "WHERE tenant_id = $1 AND state <> 2",
        3, params, (type_oid[]){TYPE_INT8, TYPE_INT8, TYPE_INT8}));
    *count = (uint32_t)result.row_count;
out:
    return st;
}

struct status producer_require_running(
    struct task *task, const struct producer *producer, const char *what)
{
    struct status st;
    struct job *job;
    TRY(job_read(task, TENANT_SYSTEM, task->arena, producer->stream, &job));
    bool running = job != NULL && (job->status == JOB_RUNNING || job->status == JOB_PENDING);
    if (running && producer->state == PRODUCER_ACTIVE) goto out;
    const char *status = job == NULL ? "gone" : running ? "finished" : job_status_name(job->status);
    st = status_format(task->arena, E_NOT_IN_PREREQUISITE_STATE,
        "replication job %" PRId64 " must be running (is %s) to %s", producer->stream, status,
        what);
out:
    return st;
}

struct status producer_require_privilege(struct function_call *call)
{
    struct session *session = call->session;
    if (session == NULL || call->task == NULL)
        return status_make(E_FEATURE_NOT_SUPPORTED, "replication streams need a session");
    if (session->tenant != TENANT_SYSTEM)
        return status_make(
            E_INSUFFICIENT_PRIVILEGE, "only the system tenant can stream other tenants");
    struct status st = privilege_check_system(call->task, session, "REPLICATION");
    if (status_is(st, E_INSUFFICIENT_PRIVILEGE))
        st = privilege_check_system(call->task, session, "REPLICATIONSOURCE");
    if (status_is(st, E_INSUFFICIENT_PRIVILEGE))
        st = status_hint(call->arena,
            status_format(call->arena, E_INSUFFICIENT_PRIVILEGE,
                "user %s does not have REPLICATION system privilege", session->user),
            "Run GRANT SYSTEM REPLICATION TO %s in the system virtual cluster of the primary.",
            session->user);
    return st;
}

// --- start -------------------------------------------------------------------------------------------

struct start_call {
    int64_t stream;
    uint64_t tenant;
    const char *tenant_name;
    struct hlc_timestamp start;
    const char *user;
    enum producer_state state;
};

static struct status write_records(struct task *task, struct session *session, void *arg)
{
    struct status st;
    const struct start_call *call = arg;
    char start[HLC_TEXT_BYTES];
    int64_t now_us = session_now_us(task->shard);
    struct datum params[] = {datum_int(call->stream), datum_int((int64_t)call->tenant),
        datum_text(call->tenant_name), datum_text(hlc_format(call->start, start)),
        datum_int(now_us + window_us(task, NULL)), datum_int(now_us), datum_int(call->state)};
    TRY(internal_query(task, TENANT_SYSTEM, session, task->arena, NULL,
        "INSERT INTO system.public.replication_producers (" PRODUCER_COLUMNS
        ") VALUES ($1, $2, $3, $4, $4, $5, $6, $7, 0)",
        7, params,
        (type_oid[]){
            TYPE_INT8, TYPE_INT8, TYPE_TEXT, TYPE_TEXT, TYPE_INT8, TYPE_INT8, TYPE_INT8}));
    struct job_options options = {.type = &producer_job,
        .description = arena_printf(
            task->arena, "History Retention for Physical Replication of %s", call->tenant_name),
        .user_name = call->user,
        .id = call->stream};
    int64_t id;
    TRY(job_create(task, TENANT_SYSTEM, session, &options, &id));
out:
    return st;
}

static struct status source_tenant(
    struct function_call *call, const char *name, struct tenant **tenant)
{
    struct status st;
    TRY(tenant_read_by_name(call->task, NULL, call->arena, name, tenant));
    if (*tenant == NULL)
        TRY(status_format(call->arena, E_UNDEFINED_OBJECT, "tenant \"%s\" does not exist", name));
    if ((*tenant)->id == TENANT_SYSTEM)
        TRY(status_make(
            E_FEATURE_NOT_SUPPORTED, "replication of the system virtual cluster is not supported"));
    if ((*tenant)->reads != 0)
        TRY(status_format(call->arena, E_FEATURE_NOT_SUPPORTED,
            "tenant \"%s\" reads another one: replicate that once it is cut over", name));
    if ((*tenant)->data_state != TENANT_READY)
        TRY(status_format(call->arena, E_NOT_IN_PREREQUISITE_STATE,
            "tenant \"%s\" cannot be replicated from while its data state is %s", name,
            tenant_data_state_name((*tenant)->data_state)));
    if (!settings_bool(call->task->shard, TENANT_SYSTEM, "kv.rangefeed.enabled"))
        TRY(status_hint(call->arena,
            status_make(E_NOT_IN_PREREQUISITE_STATE,
                "kv.rangefeed.enabled must be true to start a replication job"),
            "Run SET CLUSTER SETTING kv.rangefeed.enabled = true in the system virtual cluster of "
            "the primary."));
out:
    return st;
}

static struct status start_stream(struct function_call *call, const char *name,
    struct hlc_timestamp from, struct start_call *start)
{
    struct status st;
    struct task *task = call->task;
    struct tenant *tenant;
    bool protected = false;
    TRY(source_tenant(call, name, &tenant));
    *start = (struct start_call){.stream = job_new_id(task->shard),
        .tenant = tenant->id,
        .tenant_name = tenant->name,
        .start = from,
        .user = call->session->user};
    struct kv_protection protection = {
        .tenant = tenant->id, .meta = BYTES_LITERAL("physical replication, source")};
    protection_id(start->stream, protection.id);
    if (hlc_is_zero(from)) TRY(kv_now(task, tenant->id, &start->start));
    protection.ts = start->start;
    st = kv_protect(task, &protection);
    if (status_is(st, E_NOT_IN_PREREQUISITE_STATE) && !hlc_is_zero(from))
        st = status_format(task->arena, E_NOT_IN_PREREQUISITE_STATE,
            "the history of tenant \"%s\" since then is no longer kept", name);
    TRY(st);
    protected = true;
    TRY(internal_transaction(task, TENANT_SYSTEM, write_records, start));
    TRY(job_start_committed(task, TENANT_SYSTEM, start->stream));
    log_info(TENANT_SYSTEM,
        "replication stream %" PRId64 " of virtual cluster %s starts at %" PRIu64, start->stream,
        name, start->start.wall_ns);
out:
    if (failed(st) && protected) {
        struct status undone = kv_unprotect(task, protection.id);
        if (failed(undone))
            log_warning(TENANT_SYSTEM, "a protected timestamp was left behind: %s", undone.message);
    }
    return st;
}

static struct status start_start(struct function_call *call, void *state, const struct datum *args)
{
    struct status st;
    struct start_call *start = state;
    TRY(producer_require_privilege(call));
    st = start_stream(
        call, arena_string(call->state_arena, datum_as_bytes(args[0])), HLC_ZERO, start);
out:
    return st;
}

static struct status resume_start(struct function_call *call, void *state, const struct datum *args)
{
    struct status st;
    struct start_call *start = state;
    struct hlc_timestamp from;
    TRY(producer_require_privilege(call));
    if (!repl_hlc_parse(args[1], &from) || hlc_is_zero(from) ||
        hlc_less(hlc_now(&call->task->shard->hlc), from))
        TRY(status_make(E_INVALID_PARAMETER_VALUE,
            "the time at which a replication stream goes on is no time in the past"));
    st = start_stream(call, arena_string(call->state_arena, datum_as_bytes(args[0])), from, start);
out:
    return st;
}

struct status producer_retain(struct task *task, int64_t id, uint64_t tenant,
    const char *tenant_name, struct hlc_timestamp from)
{
    struct status st;
    struct job *job;
    struct start_call start = {.stream = id,
        .tenant = tenant,
        .tenant_name = tenant_name,
        .start = from,
        .user = "node",
        .state = PRODUCER_FINISHED};
    struct kv_protection protection = {
        .tenant = tenant, .ts = from, .meta = BYTES_LITERAL("physical replication, promoted")};
    TRY(job_read(task, TENANT_SYSTEM, task->arena, id, &job));
    if (job != NULL) goto out;
    protection_id(id, protection.id);
    TRY(kv_protect(task, &protection));
    TRY(internal_transaction(task, TENANT_SYSTEM, write_records, &start));
    st = job_start_committed(task, TENANT_SYSTEM, id);
out:
    return st;
}

static struct status start_next(
    struct function_call *call, void *state, struct datum *row, bool *done)
{
    struct start_call *start = state;
    char text[HLC_TEXT_BYTES];
    *done = start->stream == 0;
    if (*done) return STATUS_OK;
    row[0] = datum_int(start->stream);
    row[1] = datum_int((int64_t)start->tenant);
    row[2] = datum_text(repl_cluster_id(call->arena, call->task->shard->node));
    row[3] = datum_text(arena_strdup(call->arena, hlc_format(start->start, text)));
    start->stream = 0;
    return STATUS_OK;
}

static const char *const start_columns[] = {
    "stream_id", "source_tenant_id", "source_cluster_id", "start_time"};
static const type_oid start_types[] = {TYPE_INT8, TYPE_INT8, TYPE_TEXT, TYPE_TEXT};
static const struct set_ops start_ops = {.column_count = 4,
    .column_names = start_columns,
    .column_types = start_types,
    .state_bytes = sizeof(struct start_call),
    .start = start_start,
    .next = start_next};
static const struct set_ops resume_ops = {.column_count = 4,
    .column_names = start_columns,
    .column_types = start_types,
    .state_bytes = sizeof(struct start_call),
    .start = resume_start,
    .next = start_next};

// --- where it came from ------------------------------------------------------------------------------

static struct status prior_start(struct function_call *call, void *state, const struct datum *args)
{
    struct status st;
    struct tenant **tenant = state;
    const char *name = arena_string(call->state_arena, datum_as_bytes(args[0]));
    TRY(producer_require_privilege(call));
    TRY(tenant_read_by_name(call->task, NULL, call->state_arena, name, tenant));
    if (*tenant == NULL)
        st = status_format(call->arena, E_UNDEFINED_OBJECT, "tenant \"%s\" does not exist", name);
out:
    return st;
}

static struct status prior_next(
    struct function_call *call, void *state, struct datum *row, bool *done)
{
    struct tenant **held = state;
    const struct tenant *tenant = *held;
    char text[HLC_TEXT_BYTES];
    *done = tenant == NULL;
    if (*done) return STATUS_OK;
    *held = NULL;
    row[0] = datum_text(repl_cluster_id(call->arena, call->task->shard->node));
    row[1] = datum_int((int64_t)tenant->id);
    row[2] = row[3] = DATUM_NULL;
    if (tenant->source_id == NULL) return STATUS_OK;
    row[2] = datum_text(tenant->source_id);
    row[3] = datum_text(arena_strdup(call->arena, hlc_format(tenant->activation, text)));
    return STATUS_OK;
}

static const char *const prior_columns[] = {
    "cluster_id", "tenant_id", "source_id", "activation_time"};
static const type_oid prior_types[] = {TYPE_TEXT, TYPE_INT8, TYPE_TEXT, TYPE_TEXT};
static const struct set_ops prior_ops = {.column_count = 4,
    .column_names = prior_columns,
    .column_types = prior_types,
    .state_bytes = sizeof(struct tenant *),
    .start = prior_start,
    .next = prior_next};

// --- spec --------------------------------------------------------------------------------------------

struct spec_state {
    struct topology topology;
    uint32_t next;
};

static struct status spec_start(struct function_call *call, void *state, const struct datum *args)
{
    struct status st;
    struct spec_state *spec = state;
    struct producer *producer;
    TRY(producer_require_privilege(call));
    TRY(producer_read(call->task, call->state_arena, args[0].integer, &producer));
    TRY(producer_require_running(call->task, producer, "give its specification"));
    // Estimates are worth a short wait, in case a leader does not answer.
    uint64_t deadline = call->task->deadline_ns, limit = task_now_ns(call->task) + SIZES_TIMEOUT_NS;
    if (limit < deadline) call->task->deadline_ns = limit;
    st = topology_read(call->task, call->state_arena, producer->tenant, true, &spec->topology);
    call->task->deadline_ns = deadline;
    if (failed(st) && !call->task->cancelled)
        st = topology_read(call->task, call->state_arena, producer->tenant, false, &spec->topology);
out:
    return st;
}

// Of all nodes, with commas between: each of them serves what one serves.
static const char *addresses(struct function_call *call)
{
    struct buffer out;
    uint32_t count;
    const struct cluster_node *nodes = cluster_nodes(call->task->shard, &count);
    buffer_init(&out, call->arena);
    for (uint32_t i = 0; i < count && i < PROGRESS_ADDRESSES_MAX; i++) {
        if (nodes[i].membership == CLUSTER_DECOMMISSIONED) continue;
        if (out.size > 0) buffer_append_u8(&out, ',');
        buffer_append_string(&out, nodes[i].sql_address);
    }
    return buffer_string(&out);
}

static struct status spec_next(
    struct function_call *call, void *state, struct datum *row, bool *done)
{
    struct spec_state *spec = state;
    const struct topology *topology = &spec->topology;
    *done = spec->next == topology->count;
    if (*done) return STATUS_OK;
    const struct topology_span *at = &topology->spans[spec->next++];
    uint64_t bytes = 0;
    for (uint32_t i = 0; i < topology->count; i++)
        if (topology->spans[i].slice == at->slice) bytes += topology->spans[i].bytes;
    const struct cluster_node *node = cluster_node(call->task->shard, at->node);
    row[0] = datum_int((int64_t)at->slice);
    row[1] = datum_int((int64_t)at->node);
    row[2] = datum_int((int64_t)bytes);
    row[3] = datum_bytes(at->span.start);
    row[4] = datum_bytes(at->span.end);
    row[5] = datum_int(topology->hash);
    row[6] = node == NULL ? DATUM_NULL : datum_text(arena_strdup(call->arena, node->sql_address));
    row[7] = node == NULL ? DATUM_NULL : datum_text(arena_strdup(call->arena, node->locality));
    row[8] = datum_text(addresses(call));
    return STATUS_OK;
}

static const char *const spec_columns[] = {
    "slice", "node_id", "bytes", "start_key", "end_key", "topology", "sql_address", "locality",
    "addresses"};
static const type_oid spec_types[] = {
    TYPE_INT8, TYPE_INT8, TYPE_INT8, TYPE_BYTEA, TYPE_BYTEA, TYPE_INT8, TYPE_TEXT, TYPE_TEXT,
    TYPE_TEXT};
static const struct set_ops spec_ops = {.column_count = 9,
    .column_names = spec_columns,
    .column_types = spec_types,
    .state_bytes = sizeof(struct spec_state),
    .start = spec_start,
    .next = spec_next};

// --- heartbeat and end -------------------------------------------------------------------------------

static struct status heartbeat(
    struct task *task, const struct producer *producer, struct hlc_timestamp retained)
{
    struct status st;
    uint8_t id[16];
    char text[HLC_TEXT_BYTES];
    if (hlc_less(producer->protected, retained)) {
        protection_id(producer->stream, id);
        TRY(kv_protect_move(task, id, retained));
    }
    int64_t now_us = session_now_us(task->shard);
    struct datum params[] = {datum_int(producer->stream), datum_int(now_us),
        datum_int(now_us + window_us(task, producer)),
        datum_text(hlc_format(hlc_max(producer->protected, retained), text))};
    TRY(internal_query(task, TENANT_SYSTEM, NULL, task->arena, NULL,
        "UPDATE system.public.replication_producers SET heartbeat_us = $2, expiration_us = $3, "
        "protected_time = $4 "
        "WHERE stream_id = $1 AND state = 0",
        4, params, (type_oid[]){TYPE_INT8, TYPE_INT8, TYPE_INT8, TYPE_TEXT}));
out:
    return st;
}

BODY(fn_progress)
{
    struct status st;
    struct task *task = call->task;
    struct producer *producer;
    struct job *job;
    struct hlc_timestamp retained;
    TRY(producer_require_privilege(call));
    TRY(producer_read(task, call->arena, args[0].integer, &producer));
    if (!repl_hlc_parse(args[1], &retained) || hlc_less(hlc_now(&task->shard->hlc), retained))
        TRY(status_make(E_INVALID_PARAMETER_VALUE,
            "the time of a replication heartbeat is no time in the past"));
    TRY(job_read(task, TENANT_SYSTEM, call->arena, producer->stream, &job));
    const char *status = "UNKNOWN";
    if (producer->state != PRODUCER_ACTIVE || job == NULL || job_status_terminal(job->status) ||
        job->status == JOB_REVERTING || job->status == JOB_CANCEL_REQUESTED)
        status = "INACTIVE";
    else if (job->status == JOB_PAUSED || job->status == JOB_PAUSE_REQUESTED)
        status = "PAUSED";
    else
        status = "ACTIVE";
    if (producer->state == PRODUCER_ACTIVE) TRY(heartbeat(task, producer, retained));
    *result = datum_text(status);
out:
    return st;
}

BODY(fn_complete)
{
    struct status st;
    struct task *task = call->task;
    struct producer *producer;
    bool successful = args[1].boolean;
    TRY(producer_require_privilege(call));
    TRY(producer_read(task, call->arena, args[0].integer, &producer));
    TRY(set_state(
        task, producer->stream, PRODUCER_ACTIVE, successful ? PRODUCER_FINISHED : PRODUCER_ENDED));
    if (!successful) {
        // A job that does not run cannot notice.
        struct job *job;
        TRY(job_read(task, TENANT_SYSTEM, call->arena, producer->stream, &job));
        if (job != NULL && (job->status == JOB_PAUSED || job->status == JOB_PAUSE_REQUESTED))
            TRY(job_cancel(task, TENANT_SYSTEM, producer->stream, true));
    }
    log_info(TENANT_SYSTEM,
        "replication stream %" PRId64 " was completed by its consumer, %ssuccessfully",
        producer->stream, successful ? "" : "un");
    *result = datum_bool(true);
out:
    return st;
}

// --- the job -----------------------------------------------------------------------------------------

static struct status release(struct task *task, int64_t stream)
{
    uint8_t id[16];
    protection_id(stream, id);
    return kv_unprotect(task, id);
}

// What the record says about going on: *over when it is finished and expired.
static struct status check(struct task *task, struct arena *arena, struct job *job, bool *over)
{
    struct status st;
    struct producer *producer;
    struct tenant *tenant;
    *over = false;
    TRY(producer_read(task, arena, job->id, &producer));
    if (producer->state == PRODUCER_ENDED)
        TRY(status_make(
            E_NOT_IN_PREREQUISITE_STATE, "destination cluster job finished unsuccessfully"));
    bool expired = session_now_us(task->shard) >= producer->expiration_us;
    if (expired && producer->state == PRODUCER_ACTIVE) {
        TRY(set_state(task, job->id, PRODUCER_ACTIVE, PRODUCER_ENDED));
        TRY(status_format(task->arena, E_NOT_IN_PREREQUISITE_STATE,
            "replication stream %" PRId64 " timed out", job->id));
    }
    TRY(tenant_read(task, NULL, arena, producer->tenant, &tenant));
    if (tenant == NULL || tenant->data_state == TENANT_DROPPING)
        TRY(status_format(task->arena, E_NOT_IN_PREREQUISITE_STATE,
            "virtual cluster \"%s\" was dropped while it was replicated", producer->tenant_name));
    *over = expired;
out:
    if (failed(st)) st = status_copy(task->arena, st);
    return st;
}

static struct status producer_resume(struct task *task, struct job *job)
{
    struct status st = STATUS_OK;
    struct arena arena;
    uint64_t checked_ns = 0;
    arena_init(&arena, NULL);
    for (;;) {
        TRY(job_check(job));
        // Its end is told through its record, so that is looked at far more often than the expiration needs.
        uint64_t every_ns = settings_duration_ns(task->shard, TENANT_SYSTEM,
            "physical_replication.producer.stream_liveness_track_frequency");
        if (every_ns > RECORD_POLL_NS) every_ns = RECORD_POLL_NS;
        if (checked_ns == 0 || task_now_ns(task) - checked_ns >= every_ns) {
            bool over = false;
            checked_ns = task_now_ns(task);
            arena_reset(&arena);
            st = SIM_MAYBE("producer.look_refused") ? status_make(E_OUT_OF_MEMORY, "out of memory")
                                                    : check(task, &arena, job, &over);
            // A standby is not given up for a moment without memory: the next look is soon.
            if (status_is(st, E_OUT_OF_MEMORY)) {
                log_warning(TENANT_SYSTEM, "replication stream %" PRId64 " was not looked at: %s", job->id, st.message);
                continue;
            }
            TRY(st);
            if (over) {
                st = release(task, job->id);
                break;
            }
        }
        TRY(task_sleep(task, POLL_NS));
    }
out:
    arena_fini(&arena);
    return st;
}

static struct status producer_revert(struct task *task, struct job *job)
{
    struct status st;
    TRY(set_state(task, job->id, PRODUCER_ACTIVE, PRODUCER_ENDED));
    TRY(release(task, job->id));
    log_info(
        TENANT_SYSTEM, "replication stream %" PRId64 " is over: its history is released", job->id);
out:
    return st;
}

static const struct job_type producer_job = {
    .name = "REPLICATION STREAM PRODUCER",
    .resume = producer_resume,
    .revert = producer_revert,
    .class = TASK_SYSTEM,
};

// --- registration ------------------------------------------------------------------------------------

static const struct function functions[] = {
    {.name = "start_replication_stream",
        .schema = "crdb_internal",
        .kind = FUNCTION_SET,
        .oid = 120001,
        .result = TYPE_RECORD,
        .strict = true,
        .volatility = FUNCTION_VOLATILE,
        .set = &start_ops,
        FN_ARGS(TYPE_TEXT)},
    {.name = "start_replication_stream",
        .schema = "crdb_internal",
        .kind = FUNCTION_SET,
        .oid = 120006,
        .result = TYPE_RECORD,
        .strict = true,
        .volatility = FUNCTION_VOLATILE,
        .set = &resume_ops,
        FN_ARGS(TYPE_TEXT, TYPE_TEXT)},
    {.name = "replication_prior_details",
        .schema = "crdb_internal",
        .kind = FUNCTION_SET,
        .oid = 120007,
        .result = TYPE_RECORD,
        .strict = true,
        .volatility = FUNCTION_VOLATILE,
        .set = &prior_ops,
        FN_ARGS(TYPE_TEXT)},
    {.name = "replication_stream_spec",
        .schema = "crdb_internal",
        .kind = FUNCTION_SET,
        .oid = 120002,
        .result = TYPE_RECORD,
        .strict = true,
        .volatility = FUNCTION_VOLATILE,
        .set = &spec_ops,
        FN_ARGS(TYPE_INT8)},
    {.name = "replication_stream_progress",
        .schema = "crdb_internal",
        .kind = FUNCTION_SCALAR,
        .oid = 120003,
        .result = TYPE_TEXT,
        .strict = true,
        .volatility = FUNCTION_VOLATILE,
        .fn = fn_progress,
        FN_ARGS(TYPE_INT8, TYPE_TEXT)},
    {.name = "complete_replication_stream",
        .schema = "crdb_internal",
        .kind = FUNCTION_SCALAR,
        .oid = 120004,
        .result = TYPE_BOOL,
        .strict = true,
        .volatility = FUNCTION_VOLATILE,
        .fn = fn_complete,
        FN_ARGS(TYPE_INT8, TYPE_BOOL)},
};

static const struct bootstrap_table tables[] = {
    {.id = SYSTEM_REPL_FIRST,
        .ddl = "CREATE TABLE system.public.replication_producers (stream_id int8 PRIMARY KEY, "
               "tenant_id int8 NOT NULL, tenant_name text NOT NULL, start_time text NOT NULL, "
               "protected_time text NOT NULL, expiration_us int8 NOT NULL, heartbeat_us int8 NOT "
               "NULL, "
               "state int8 NOT NULL, window_us int8 NOT NULL)",
        .system_only = true,
        .protected = true},
};

void producer_register(void)
{
    bootstrap_register(tables, 1);
    function_register(functions, TABLE_COUNT(functions));
    job_type_register(&producer_job);
}
