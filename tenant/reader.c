// SPDX-License-Identifier: GPL-3.0-or-later
//
// Readers: virtual clusters without data of their own, which read another's while replication fills it.
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "core/codec.h"
#include "core/log.h"
#include "core/mark.h"
#include "kv/admin.h"
#include "sql/service/announce.h"
#include "sql/session/internal.h"
#include "sql/service/settings.h"
#include "tenant/internal.h"

#define INFO_READS 1u // First byte of system.tenants.info; then the id of what is read.
#define INFO_BYTES 9u
#define POLL_INTERVAL "bulkio.stream_ingestion.standby_read_ts_poll_interval"
#define TICK_NS 100000000u

// --- records -----------------------------------------------------------------------------------------

uint64_t reader_info_decode(struct datum info)
{
    if (info.null || info.size != INFO_BYTES) return 0;
    const uint8_t *data = datum_as_bytes(info).data;
    return data[0] == INFO_READS ? codec_load(data + 1, 8) : 0;
}

struct status tenant_reader_find(struct task *task, struct session *session, struct arena *arena,
    uint64_t source, struct tenant **reader)
{
    struct status st;
    struct tenant **tenants;
    uint32_t count;
    *reader = NULL;
    TRY(tenant_list(task, session, arena, &tenants, &count));
    for (uint32_t i = 0; i < count; i++)
        if (tenants[i]->reads == source && tenants[i]->data_state != TENANT_DROPPING) *reader = tenants[i];
out:
    return st;
}

struct status tenant_reader_name(struct arena *arena, const char *source, const char **name)
{
    *name = arena_printf(arena, "%s-readonly", source);
    if (strlen(*name) <= TENANT_NAME_BYTES_MAX) return STATUS_OK;
    return status_format(arena, E_INVALID_PARAMETER_VALUE,
        "the name of a virtual cluster to be read from has at most %u bytes",
        TENANT_NAME_BYTES_MAX - (unsigned)strlen("-readonly"));
}

struct status tenant_reader_insert(struct task *task, struct session *session, struct arena *arena,
    uint64_t source, const char *source_name)
{
    struct status st;
    const char *name;
    struct tenant *taken;
    struct internal_result result;
    uint8_t info[INFO_BYTES] = {INFO_READS};
    TRY(tenant_reader_name(arena, source_name, &name));
    TRY(tenant_reader_find(task, session, arena, source, &taken));
    if (taken != NULL) goto out;
    TRY(tenant_read_by_name(task, session, arena, name, &taken));
    if (taken != NULL)
        TRY(status_format(arena, E_DUPLICATE_OBJECT, "tenant \"%s\" already exists", name));
    TRY(tenant_next_id(task, session, arena, &result));
    codec_store(info + 1, source, 8);
    struct datum params[] = {
        internal_value(&result, 0, 0), datum_text(name), datum_bytes(bytes_of(info, sizeof info))};
    st = internal_query(task, TENANT_SYSTEM, session, arena, NULL,
        "INSERT INTO system.public.tenants (id, active, info, name, data_state, service_mode) "
        "VALUES ($1, false, $3, $2, 0, 0)",
        3, params, (type_oid[]){TYPE_INT8, TYPE_TEXT, TYPE_BYTEA});
out:
    return st;
}

struct status tenant_reader_open(struct task *task, uint64_t source)
{
    struct status st;
    struct tenant *reader;
    TRY(tenant_reader_find(task, NULL, task->arena, source, &reader));
    if (reader == NULL) goto out;
    if (reader->data_state == TENANT_READY) {
        // Once more: not every node may have heard of it.
        if (reader->service_mode == TENANT_SHARED) st = announce_u64(task, ANNOUNCE_SERVICE, reader->id);
        goto out;
    }
    struct datum params[] = {datum_int((int64_t)reader->id), datum_int(TENANT_READY),
        datum_int(TENANT_SHARED), datum_int(TENANT_ADD)};
    TRY(internal_query(task, TENANT_SYSTEM, NULL, task->arena, NULL,
        "UPDATE system.public.tenants SET data_state = $2, active = true, service_mode = $3 "
        "WHERE id = $1 AND data_state = $4",
        4, params, (type_oid[]){TYPE_INT8, TYPE_INT8, TYPE_INT8, TYPE_INT8}));
    log_info(TENANT_SYSTEM, "virtual cluster %s can be read from", reader->name);
    st = announce_u64(task, ANNOUNCE_SERVICE, reader->id);
out:
    return st;
}

struct status tenant_reader_erase(struct task *task, const struct tenant *reader)
{
    struct status st;
    if (reader->service_mode != TENANT_NONE) TRY(tenant_stop_service(task, reader->id));
    st = tenant_forget_records(task, reader->id);
out:
    return st;
}

struct status tenant_reader_drop(struct task *task, uint64_t source)
{
    struct status st;
    struct tenant *reader;
    TRY(tenant_reader_find(task, NULL, task->arena, source, &reader));
    if (reader == NULL) goto out;
    covered("reader.dropped");
    TRY(tenant_reader_erase(task, reader));
    log_info(TENANT_SYSTEM, "virtual cluster %s is dropped: what it read goes its own way", reader->name);
out:
    return st;
}

// --- the time ----------------------------------------------------------------------------------------

struct status reader_time(struct task *task, uint64_t source, struct hlc_timestamp *ts)
{
    struct status st;
    struct tenant *tenant;
    *ts = HLC_ZERO;
    TRY(tenant_read(task, NULL, task->arena, source, &tenant));
    if (tenant == NULL || tenant_replication == NULL) goto out;
    TRY(tenant_replication->reader_time(task, task->arena, tenant, ts));
    // The source's clock may be ahead of this one's.
    struct hlc_timestamp now = hlc_now(&task->shard->hlc);
    if (hlc_less(now, *ts)) *ts = now;
out:
    return st;
}

// Follows the replicated time as long as the reader is served on this node. On shard 0.
static struct status poll(struct task *task, void *arg)
{
    struct status st;
    uint64_t record = (uint64_t)(uintptr_t)arg;
    uint64_t since_ns = task_now_ns(task);
    for (;;) {
        TRY(task_sleep(task, TICK_NS));
        const struct served_tenant *served = tenant_lookup_record(task->shard, record);
        if (served == NULL) break;
        uint64_t every_ns = settings_duration_ns(task->shard, TENANT_SYSTEM, POLL_INTERVAL);
        if (task_now_ns(task) - since_ns < every_ns) continue;
        struct arena_mark mark = arena_mark(task->arena);
        struct hlc_timestamp ts;
        since_ns = task_now_ns(task);
        struct status found = reader_time(task, served->id, &ts);
        if (!failed(found)) found = service_read_time_set(task, record, ts);
        if (failed(found))
            log_warning(TENANT_SYSTEM, "the time of a virtual cluster that is read from is not known: %s",
                found.message);
        arena_release(task->arena, mark);
    }
out:
    return st;
}

struct status reader_poll_start(struct task *task, uint64_t record)
{
    struct task_options options = {.fn = poll,
        .arg = (void *)(uintptr_t)record,
        .kind = "reader's time",
        .class = TASK_DEFAULT};
    return task_start(task->shard, &options);
}
