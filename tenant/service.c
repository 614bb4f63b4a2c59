// SPDX-License-Identifier: GPL-3.0-or-later
//
// Which virtual clusters this node serves, known to every shard; and the job that erases dropped ones.
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/invariant.h"
#include "core/log.h"
#include "core/mark.h"
#include "kv/admin.h"
#include "sql/service/announce.h"
#include "sql/catalog/catalog_store.h"
#include "sql/session/internal.h"
#include "sql/service/jobs.h"
#include "sql/wire/pgwire.h"
#include "sql/session/register.h"
#include "sql/user/role.h"
#include "sql/service/settings.h"
#include "tenant/internal.h"

#define FOLLOW_POLL_NS UINT64_C(5000000)
#define LOOK_AGAIN_NS UINT64_C(1000000000)
#define SLOW_START_NS UINT64_C(400000000) // Under simulation.

// One a shard, in SHARD_SLOT_TENANT: its own copy of the list.
struct service_list {
    struct served_tenant *items;
    uint32_t count, capacity;
    bool following; // On shard 0: a record is being followed.
    bool looking, look_again; // On shard 0: at all records; once more when that is done.
};

static struct service_list *service_list(struct shard *shard)
{
    struct service_list *list = shard->slots[SHARD_SLOT_TENANT];
    if (list == NULL) {
        list = calloc(1, sizeof *list);
        invariant(list != NULL);
        shard->slots[SHARD_SLOT_TENANT] = list;
    }
    return list;
}

const struct served_tenant *tenant_lookup(struct shard *shard, const char *name)
{
    const struct service_list *list = shard->slots[SHARD_SLOT_TENANT];
    for (uint32_t i = 0; list != NULL && i < list->count; i++)
        if (strcmp(list->items[i].name, name) == 0) return &list->items[i];
    return NULL;
}

const struct served_tenant *tenant_lookup_id(struct shard *shard, uint64_t id)
{
    const struct service_list *list = shard->slots[SHARD_SLOT_TENANT];
    const struct served_tenant *reader = NULL;
    for (uint32_t i = 0; list != NULL && i < list->count; i++) {
        if (list->items[i].id != id) continue;
        if (list->items[i].record == id) return &list->items[i];
        reader = &list->items[i];
    }
    return reader;
}

static struct served_tenant *find_record(struct shard *shard, uint64_t record)
{
    struct service_list *list = shard->slots[SHARD_SLOT_TENANT];
    for (uint32_t i = 0; list != NULL && i < list->count; i++)
        if (list->items[i].record == record) return &list->items[i];
    return NULL;
}

const struct served_tenant *tenant_lookup_record(struct shard *shard, uint64_t record)
{
    return find_record(shard, record);
}

const struct served_tenant *tenant_service_at(struct shard *shard, uint32_t index)
{
    const struct service_list *list = shard->slots[SHARD_SLOT_TENANT];
    return list != NULL && index < list->count ? &list->items[index] : NULL;
}

// --- readers -----------------------------------------------------------------------------------------

static uint64_t reader_of_tenant(struct shard *shard, uint64_t tenant)
{
    const struct served_tenant *found = tenant_lookup_id(shard, tenant);
    return found == NULL || found->record == tenant ? 0 : found->record;
}

static struct hlc_timestamp reader_read_time(struct shard *shard, uint64_t reader)
{
    const struct served_tenant *found = find_record(shard, reader);
    return found == NULL ? HLC_ZERO : found->read_ts;
}

static const struct session_reader_hooks reader_hooks = {
    .of_tenant = reader_of_tenant, .time = reader_read_time};

void service_readers_register(void)
{
    session_readers_register(&reader_hooks);
}

struct read_time_call {
    uint64_t record;
    struct hlc_timestamp ts;
};

static struct status read_time_on_shard(struct task *task, void *arg)
{
    const struct read_time_call *call = arg;
    struct served_tenant *service = find_record(task->shard, call->record);
    if (service == NULL || !hlc_less(service->read_ts, call->ts)) return STATUS_OK;
    service->read_ts = call->ts;
    // Of the present, once the virtual cluster is served itself.
    if (reader_of_tenant(task->shard, service->id) == 0) return STATUS_OK;
    role_forget(task->shard, service->id);
    settings_forget(task->shard, service->id);
    return settings_load(task, service->id);
}

struct status service_read_time_set(struct task *task, uint64_t record, struct hlc_timestamp ts)
{
    struct read_time_call call = {record, ts};
    return shard_call_all(task, read_time_on_shard, &call);
}

// --- who is served -----------------------------------------------------------------------------------

static struct status add_on_shard(struct task *task, void *arg)
{
    const struct served_tenant *service = arg;
    struct service_list *list = service_list(task->shard);
    struct served_tenant *before = find_record(task->shard, service->record);
    // Replication announces no change of the catalog; a virtual cluster that is served does.
    bool unannounced = service->record != service->id && find_record(task->shard, service->id) == NULL;
    if (service->record == service->id || unannounced)
        catalog_unannounced_set(task->shard, service->id, unannounced);
    if (before != NULL) {
        *before = *service;
        return settings_load(task, service->id);
    }
    if (list->count == list->capacity) {
        list->capacity = list->capacity == 0 ? 16 : list->capacity * 2;
        list->items = realloc(list->items, list->capacity * sizeof *list->items);
        invariant(list->items != NULL);
    }
    list->items[list->count++] = *service;
    return settings_load(task, service->id); // A reader's as of its time, that is: from here on.
}

static struct status remove_on_shard(struct task *task, void *arg)
{
    uint64_t record = *(const uint64_t *)arg;
    struct service_list *list = service_list(task->shard);
    for (uint32_t i = 0; i < list->count; i++) {
        if (list->items[i].record != record) continue;
        list->items[i] = list->items[--list->count];
        break;
    }
    return STATUS_OK;
}

static struct status forget_on_shard(struct task *task, void *arg)
{
    struct service_list *list = service_list(task->shard);
    (void)arg;
    free(list->items);
    free(list);
    task->shard->slots[SHARD_SLOT_TENANT] = NULL;
    return STATUS_OK;
}

static struct status serve(struct task *task, uint64_t id, const char *name)
{
    struct status st;
    struct served_tenant service = {.id = id, .record = id};
    snprintf(service.name, sizeof service.name, "%s", name);
    TRY(kv_tenant_shard(task, id, &service.shard));
    log_tenant_name_set(id, name);
    TRY(sql_tenant_forget(task, id));
    TRY(shard_call_all(task, add_on_shard, &service));
    TRY(jobs_tenant_start(task, id));
    log_info(id, "serving virtual cluster %s on shard %u", name, service.shard);
out:
    return st;
}

static struct status unserve(struct task *task, uint64_t id)
{
    struct status st;
    TRY(shard_call_all(task, remove_on_shard, &id));
    TRY(pgwire_cancel_tenant(task, id, 0));
    TRY(jobs_tenant_stop(task, id));
out:
    return st;
}

static struct status serve_reader(struct task *task, const struct tenant *reader)
{
    struct status st;
    struct served_tenant service = {.id = reader->reads, .record = reader->id};
    TRY(reader_time(task, reader->reads, &service.read_ts));
    if (hlc_is_zero(service.read_ts)) goto out; // Once replication knows better it says so.
    snprintf(service.name, sizeof service.name, "%s", reader->name);
    TRY(kv_tenant_shard(task, reader->reads, &service.shard));
    // What is served itself knows better what is cached.
    const struct served_tenant *source = tenant_lookup_id(task->shard, reader->reads);
    if (source == NULL) {
        log_tenant_name_set(reader->reads, reader->name);
        TRY(sql_tenant_forget(task, reader->reads));
    }
    TRY(shard_call_all(task, add_on_shard, &service));
    log_info(reader->reads, "serving virtual cluster %s, which reads another, on shard %u", reader->name,
        service.shard);
    if (SIM_MAYBE("service.poll_refused")) TRY(status_make(E_OUT_OF_MEMORY, "the time of a reader cannot be followed"));
    TRY(reader_poll_start(task, reader->id));
out:
    return st;
}

static struct status unserve_reader(struct task *task, uint64_t record, uint64_t source)
{
    struct status st;
    TRY(shard_call_all(task, remove_on_shard, &record));
    st = pgwire_cancel_tenant(task, source, record);
out:
    return st;
}

// --- the cluster -------------------------------------------------------------------------------------

// Not half of it: whoever tries again must find that it is not served.
static struct status serve_whole(struct task *task, const struct tenant *tenant)
{
    const uint64_t id = tenant->id, source = tenant->reads;
    struct status st = source != 0 ? serve_reader(task, tenant) : serve(task, id, tenant->name);
    if (!failed(st)) return st;
    struct status undone = source != 0 ? unserve_reader(task, id, source) : unserve(task, id);
    if (failed(undone))
        log_warning(id, "virtual cluster %s is served in part: %s", tenant->name, undone.message);
    return st;
}

static struct status follow_now(struct task *task, uint64_t id)
{
    struct status st;
    struct tenant *tenant;
    TRY(tenant_read(task, NULL, task->arena, id, &tenant));
    bool wanted = tenant != NULL && tenant->data_state == TENANT_READY && tenant->service_mode == TENANT_SHARED;
    const struct served_tenant *served = tenant_lookup_record(task->shard, id);
    uint64_t source = served == NULL ? 0 : served->id;
    if (wanted && served == NULL && SIM_MAYBE("service.slow_start")) TRY(task_sleep(task, SLOW_START_NS));
    if (wanted && served == NULL) TRY(serve_whole(task, tenant));
    if (!wanted && served != NULL) TRY(source != id ? unserve_reader(task, id, source) : unserve(task, id));
out:
    return st;
}

// Makes this node serve the virtual cluster, or not, as its record says. One at a time: who is told of a change while
// another is at it by what the record said before must find what that one has done.
static struct status follow_record(struct task *task, uint64_t id)
{
    struct status st = STATUS_OK;
    while (service_list(task->shard)->following) TRY(task_sleep(task, FOLLOW_POLL_NS));
    service_list(task->shard)->following = true;
    st = follow_now(task, id);
    service_list(task->shard)->following = false;
out:
    return st;
}

static struct status service_heard(struct task *task, struct bytes body)
{
    uint64_t id;
    if (!announced_u64(body, &id)) return status_make(E_PROTOCOL_VIOLATION, "malformed announcement");
    // Until the system's own is served the node is starting, and reads all records.
    if (task->shard->index != 0 || tenant_lookup_id(task->shard, TENANT_SYSTEM) == NULL) return STATUS_OK;
    return follow_record(task, id);
}

static struct status look_at_all(struct task *task)
{
    struct status st;
    struct tenant **tenants;
    uint32_t count;
    if (SIM_MAYBE("service.look_fails")) TRY(status_make(E_CANNOT_CONNECT_NOW, "services cannot be looked at"));
    TRY(tenant_list(task, NULL, task->arena, &tenants, &count));
    for (uint32_t i = 0; i < count; i++)
        if (tenants[i]->id != TENANT_SYSTEM) TRY(follow_record(task, tenants[i]->id));
    // Records that are gone.
    for (uint32_t i = 0; tenant_service_at(task->shard, i) != NULL; i++) {
        uint64_t id = tenant_service_at(task->shard, i)->record;
        if (id != TENANT_SYSTEM) TRY(follow_record(task, id));
    }
out:
    return st;
}

static bool serves_itself(struct shard *shard)
{
    return !shard->node->draining && tenant_lookup_id(shard, TENANT_SYSTEM) != NULL;
}

// Nobody tells this node again what it has missed: it looks until it has seen everything.
static struct status follow_all(struct task *task, void *arg)
{
    struct status st = STATUS_OK;
    (void)arg;
    while (!failed(st) && serves_itself(task->shard) && service_list(task->shard)->look_again) {
        struct arena_mark mark = arena_mark(task->arena);
        service_list(task->shard)->look_again = false;
        struct status looked = look_at_all(task);
        if (failed(looked)) {
            log_warning(TENANT_SYSTEM, "services are looked at anew later: %s", looked.message);
            if (serves_itself(task->shard)) service_list(task->shard)->look_again = true;
            st = task->cancelled ? task->cancel_status : task_sleep(task, LOOK_AGAIN_NS);
        }
        arena_release(task->arena, mark);
    }
    return STATUS_OK;
}

static void look_ended(struct task *task, struct status st, void *arg)
{
    struct service_list *list = task->shard->slots[SHARD_SLOT_TENANT]; // NULL: the node stops.
    (void)st;
    (void)arg;
    if (list != NULL) list->looking = false;
}

static void service_reset(struct shard *shard)
{
    const struct task_options options = {
        .fn = follow_all, .kind = "tenant services", .class = TASK_DEFAULT, .ended = look_ended};
    if (shard->index != 0 || tenant_lookup_id(shard, TENANT_SYSTEM) == NULL) return;
    struct service_list *list = service_list(shard);
    list->look_again = true;
    if (list->looking) return;
    struct status st = task_start(shard, &options);
    list->looking = !failed(st);
    if (failed(st)) log_warning(TENANT_SYSTEM, "services are not looked at anew: %s", st.message);
}

static const struct cluster_announcement announcement = {
    .id = ANNOUNCE_SERVICE, .name = "a service's start or stop", .heard = service_heard, .reset = service_reset};

void service_announcements_register(void)
{
    cluster_announcement_register(&announcement);
}

void service_rename(struct task *task, uint64_t id, const char *name)
{
    (void)task;
    log_tenant_name_set(id, name);
}

static struct status set_mode(struct task *task, uint64_t id, enum tenant_service_mode mode)
{
    struct datum params[] = {datum_int((int64_t)id), datum_int((int64_t)mode)};
    return internal_query(task, TENANT_SYSTEM, NULL, task->arena, NULL,
        "UPDATE system.public.tenants SET service_mode = $2 WHERE id = $1", 2, params,
        (type_oid[]){TYPE_INT8, TYPE_INT8});
}

static struct status is_stopping(void)
{
    return status_make(E_NOT_IN_PREREQUISITE_STATE,
        "service currently stopping, cannot start service until stop has completed");
}

// Somebody may have begun to stop it since it was looked at: then that stands.
static struct status set_shared(struct task *task, uint64_t id)
{
    struct status st;
    struct internal_result result;
    struct datum params[] = {datum_int((int64_t)id), datum_int(TENANT_SHARED), datum_int(TENANT_STOPPING)};
    TRY(internal_query(task, TENANT_SYSTEM, NULL, task->arena, &result,
        "UPDATE system.public.tenants SET service_mode = $2 WHERE id = $1 AND service_mode <> $3 RETURNING id", 3, params,
        (type_oid[]){TYPE_INT8, TYPE_INT8, TYPE_INT8}));
    if (result.row_count == 0) st = is_stopping();
out:
    return st;
}

struct status tenant_start_service(struct task *task, uint64_t id)
{
    struct status st;
    struct tenant *tenant;
    TRY(tenant_read(task, NULL, task->arena, id, &tenant));
    if (tenant == NULL)
        TRY(status_format(task->arena, E_UNDEFINED_OBJECT, "tenant \"%" PRIu64 "\" does not exist", id));
    if (tenant->data_state != TENANT_READY)
        TRY(status_format(task->arena, E_NOT_IN_PREREQUISITE_STATE,
            "cannot use tenant service mode shared with data state %s",
            tenant_data_state_name(tenant->data_state)));
    if (tenant->service_mode == TENANT_STOPPING) TRY(is_stopping());
    if (tenant->service_mode != TENANT_SHARED) TRY(set_shared(task, id));
    TRY(announce_u64(task, ANNOUNCE_SERVICE, id));
out:
    return st;
}

struct status tenant_stop_service(struct task *task, uint64_t id)
{
    struct status st;
    TRY(set_mode(task, id, TENANT_STOPPING));
    TRY(announce_u64(task, ANNOUNCE_SERVICE, id));
    TRY(set_mode(task, id, TENANT_NONE));
out:
    return st;
}

// --- dropping ----------------------------------------------------------------------------------------

struct status tenant_forget_records(struct task *task, uint64_t id)
{
    struct status st = STATUS_OK;
    struct datum params[] = {datum_int((int64_t)id)};
    static const char *const statements[] = {
        "DELETE FROM system.public.tenant_settings WHERE tenant_id = $1",
        "DELETE FROM system.public.tenant_capabilities WHERE tenant_id = $1",
        "DELETE FROM system.public.tenants WHERE id = $1",
    };
    for (unsigned i = 0; i < sizeof statements / sizeof statements[0]; i++)
        TRY(internal_query(task, TENANT_SYSTEM, NULL, task->arena, NULL, statements[i], 1, params,
            (type_oid[]){TYPE_INT8}));
out:
    return st;
}

static struct status gc_resume(struct task *task, struct job *job)
{
    struct status st;
    uint64_t id;
    if (job->payload.size != sizeof id)
        return status_make(E_DATA_CORRUPTED, "the record of a tenant's GC job is damaged");
    memcpy(&id, job->payload.data, sizeof id);
    TRY(kv_tenant_erase(task, id));
    TRY(tenant_forget_records(task, id));
    log_info(TENANT_SYSTEM, "erased the data of virtual cluster %" PRIu64, id);
out:
    return st;
}

static const struct job_type gc_job = {
    .name = "GC TENANT", .resume = gc_resume, .not_cancelable = true, .class = TASK_BULK};

#define MAKING_NS 600000000000ull // Nothing takes that long to be made.
#define UNMAKE_PAUSE_NS 1000000000ull
#define UNMAKE_ATTEMPTS_MAX 6u
#define DROPPED_NS 14400000000000ull

static struct status unmake_record(struct task *task, struct session *session, void *arg);

struct unmake_call {
    uint64_t id;
    int64_t making, gc; // Jobs.
};

static struct status unmake_here(struct task *task, void *arg)
{
    struct unmake_call *call = arg;
    struct status st = internal_transaction(task, TENANT_SYSTEM, unmake_record, call);
    if (!failed(st) && call->gc != 0) st = job_start_committed(task, TENANT_SYSTEM, call->gc);
    return st;
}

// Made in time, its record of the job is gone, or finds it so.
static struct status making_resume(struct task *task, struct job *job)
{
    struct unmake_call call = {.making = 0};
    if (job->payload.size != sizeof call.id)
        return status_make(E_DATA_CORRUPTED, "the record of a job is damaged");
    memcpy(&call.id, job->payload.data, sizeof call.id);
    return unmake_here(task, &call);
}

static const struct job_type making_job = {.name = "CREATE TENANT CLEANUP",
    .resume = making_resume,
    .not_cancelable = true,
    .automatic = true,
    .class = TASK_BULK};

struct status tenant_making_job_create(
    struct task *task, struct session *session, uint64_t id, int64_t *job)
{
    struct job_options options = {.type = &making_job,
        .description = arena_printf(task->arena, "drops tenant %" PRIu64 " if it stays half made", id),
        .user_name = "node",
        .payload = bytes_of(&id, sizeof id),
        .delay_ns = MAKING_NS,
        .while_here = true};
    return job_create(task, TENANT_SYSTEM, session, &options, job);
}

// What keeps it from being undone at once may pass, as a lack of memory does; otherwise the job comes at its time.
static struct status unmake_patiently(struct task *task, void *arg)
{
    struct status st;
    for (uint32_t attempt = 1;; attempt++) {
        st = unmake_here(task, arg);
        if (!failed(st) || attempt == UNMAKE_ATTEMPTS_MAX || task->shard->node->draining) break;
        covered("tenant.unmade_later");
        st = status_copy(task->arena, st);
        if (failed(task_sleep(task, UNMAKE_PAUSE_NS))) break;
    }
    return st;
}

struct status tenant_unmake(struct task *task, const struct tenant *tenant)
{
    struct unmake_call call = {.id = tenant->id, .making = tenant->making_job};
    return task_uncancelled(task, unmake_patiently, &call);
}

void tenant_job_register(void)
{
    job_type_register(&gc_job);
    job_type_register(&making_job);
}

struct drop_call {
    uint64_t id;
    bool now;
    int64_t job;
};

static struct status gc_job_create(
    struct task *task, struct session *session, uint64_t id, uint64_t delay_ns, int64_t *job)
{
    struct job_options options = {.type = &gc_job,
        .description = arena_printf(task->arena, "GC for tenant %" PRIu64, id),
        .user_name = "node",
        .payload = bytes_of(&id, sizeof id),
        .delay_ns = delay_ns};
    return job_create(task, TENANT_SYSTEM, session, &options, job);
}

static struct status drop_record(struct task *task, struct session *session, void *arg)
{
    struct status st;
    struct drop_call *call = arg;
    struct datum params[] = {datum_int((int64_t)call->id)};
    TRY(internal_query(task, TENANT_SYSTEM, session, task->arena, NULL,
        "UPDATE system.public.tenants SET data_state = 2, active = false, name = NULL, replication_job_id = NULL "
        "WHERE id = $1",
        1, params, (type_oid[]){TYPE_INT8}));
    st = gc_job_create(task, session, call->id, call->now ? 0 : DROPPED_NS, &call->job);
out:
    return st;
}

// Only while it is half made. Otherwise it is ready, has a consumer, or is dropped already.
static struct status unmake_record(struct task *task, struct session *session, void *arg)
{
    struct status st;
    struct unmake_call *call = arg;
    struct internal_result result;
    struct datum params[] = {datum_int((int64_t)call->id)}, making[] = {datum_int(call->making)};
    call->gc = 0;
    TRY(internal_query(task, TENANT_SYSTEM, session, task->arena, &result,
        "UPDATE system.public.tenants SET data_state = 2, active = false, name = NULL "
        "WHERE id = $1 AND data_state = 0 AND replication_job_id IS NULL",
        1, params, (type_oid[]){TYPE_INT8}));
    if (result.row_count == 0) goto out;
    // A node that others take for gone may be at it still: what it writes is erased, too.
    TRY(gc_job_create(task, session, call->id, call->making != 0 ? 0 : MAKING_NS, &call->gc));
    if (call->making != 0)
        TRY(internal_query(task, TENANT_SYSTEM, session, task->arena, NULL,
            "DELETE FROM system.public.jobs WHERE id = $1", 1, making, (type_oid[]){TYPE_INT8}));
out:
    return st;
}

struct status tenant_drop(struct task *task, uint64_t id, bool now)
{
    struct status st;
    struct drop_call call = {.id = id, .now = now};
    TRY(internal_transaction(task, TENANT_SYSTEM, drop_record, &call));
    if (!now) goto out;
    TRY(job_start_committed(task, TENANT_SYSTEM, call.job));
    enum job_status status;
    TRY(job_wait(task, TENANT_SYSTEM, call.job, &status));
out:
    return st;
}

// --- the node ----------------------------------------------------------------------------------------

// What a crash left: stopping services are stopped; a virtual cluster half made is erased.
static struct status repair(struct task *task, const struct tenant *tenant)
{
    struct status st = STATUS_OK;
    if (tenant->service_mode == TENANT_STOPPING) TRY(set_mode(task, tenant->id, TENANT_NONE));
    if (tenant->data_state == TENANT_ADD && tenant->replication_job == 0 && tenant->reads == 0) {
        log_warning(TENANT_SYSTEM, "virtual cluster %s (%" PRIu64 ") was left half made: dropping it",
            tenant->name == NULL ? "" : tenant->name, tenant->id);
        TRY(tenant_drop(task, tenant->id, false));
    }
out:
    return st;
}

struct status tenant_node_start(struct task *task)
{
    struct status st;
    struct tenant **tenants;
    uint32_t count;
    TRY(serve(task, TENANT_SYSTEM, "system"));
    TRY(tenant_list(task, NULL, task->arena, &tenants, &count));
    for (uint32_t i = 0; i < count; i++) {
        if (tenants[i]->id == TENANT_SYSTEM) continue;
        // With other nodes what looks half made may be in the making.
        if (cluster_alone(task->shard)) TRY(repair(task, tenants[i]));
        if (tenants[i]->data_state == TENANT_READY && tenants[i]->service_mode == TENANT_SHARED)
            TRY(follow_record(task, tenants[i]->id));
    }
out:
    return st;
}

struct status tenant_node_stop(struct task *task)
{
    struct status st = STATUS_OK;
    const struct served_tenant *service;
    while ((service = tenant_service_at(task->shard, 0)) != NULL) {
        uint64_t id = service->id, record = service->record;
        TRY(record != id ? unserve_reader(task, record, id) : unserve(task, id));
    }
    st = shard_call_all(task, forget_on_shard, NULL);
out:
    return st;
}
