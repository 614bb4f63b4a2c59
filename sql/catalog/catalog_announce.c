// SPDX-License-Identifier: GPL-3.0-or-later
//
// Schema changes that are about to commit, told to every shard: until each has heard of the end, nothing cached
// of the tenant is used.
#include <stdlib.h>

#include "core/env.h"
#include "core/invariant.h"
#include "core/shard.h"
#include "sql/service/announce.h"
#include "sql/catalog/catalog_cache.h"

#define END_RETRY_NS UINT64_C(1000000)
#define END_FOR_NS UINT64_C(30000000000)

struct change {
    uint64_t tenant, id;
    uint32_t node;
};

static bool change_read(struct bytes body, struct change *change)
{
    struct codec_reader in = codec_read(body);
    change->tenant = codec_get_u64(&in);
    change->node = codec_get_u32(&in);
    change->id = codec_get_u64(&in);
    return codec_done(&in);
}

static struct unsettled *unsettled_find(struct tenant_catalog *tenant, const struct change *change)
{
    for (uint32_t i = 0; i < tenant->unsettled_count; i++) {
        struct unsettled *each = &tenant->unsettled[i];
        if (each->change == change->id && each->node == change->node) return each;
    }
    return NULL;
}

static struct status begin_heard(struct task *task, struct bytes body)
{
    struct change change;
    if (!change_read(body, &change)) return status_make(E_PROTOCOL_VIOLATION, "malformed announcement");
    if (task->shard->slots[SHARD_SLOT_CATALOG] == NULL) return STATUS_OK; // Has nothing cached yet.
    struct tenant_catalog *tenant = catalog_tenant_of(task->shard, change.tenant);
    if (unsettled_find(tenant, &change) != NULL) return STATUS_OK;
    if (tenant->unsettled_count == tenant->unsettled_capacity) {
        tenant->unsettled_capacity = tenant->unsettled_capacity == 0 ? 4 : tenant->unsettled_capacity * 2;
        tenant->unsettled =
            realloc(tenant->unsettled, tenant->unsettled_capacity * sizeof tenant->unsettled[0]);
        invariant(tenant->unsettled != NULL);
    }
    tenant->unsettled[tenant->unsettled_count++] =
        (struct unsettled){change.id, change.node, shard_now_ns(task->shard)};
    tenant->epoch++;
    return STATUS_OK;
}

static struct status end_heard(struct task *task, struct bytes body)
{
    struct change change;
    if (!change_read(body, &change)) return status_make(E_PROTOCOL_VIOLATION, "malformed announcement");
    if (task->shard->slots[SHARD_SLOT_CATALOG] == NULL) return STATUS_OK;
    struct tenant_catalog *tenant = catalog_tenant_of(task->shard, change.tenant);
    struct unsettled *each = unsettled_find(tenant, &change);
    if (each != NULL) *each = tenant->unsettled[--tenant->unsettled_count];
    catalog_tenant_forget(task->shard, tenant);
    return STATUS_OK;
}

static void catalog_reset(struct shard *shard)
{
    struct catalog_shard *catalog = shard->slots[SHARD_SLOT_CATALOG];
    uint32_t cursor = 0;
    struct hashmap_entry *each;
    if (catalog == NULL) return;
    while ((each = hashmap_next(&catalog->tenants, &cursor)) != NULL)
        catalog_tenant_forget(shard, each->value);
}

static const struct cluster_announcement announce_begin = {.id = ANNOUNCE_CATALOG_BEGIN,
    .name = "a schema change",
    .heard = begin_heard,
    .reset = catalog_reset};
static const struct cluster_announcement announce_end = {
    .id = ANNOUNCE_CATALOG_END, .name = "the end of a schema change", .heard = end_heard};

void catalog_announcements_register(void)
{
    cluster_announcement_register(&announce_begin);
    cluster_announcement_register(&announce_end);
}

static struct status forget_here(struct task *task, void *arg)
{
    const uint64_t *tenant_id = arg;
    struct tenant_catalog *tenant = catalog_tenant_of(task->shard, *tenant_id);
    catalog_tenant_forget(task->shard, tenant);
    // The counters may be others now: numbers taken from the former ones could be given out twice.
    memset(tenant->counters, 0, sizeof tenant->counters);
    user_types_forget(&catalog_of(task->shard)->types, *tenant_id);
    return STATUS_OK;
}

static struct status change_announce(struct task *task, enum announcement_id id, const struct change *change)
{
    uint8_t body[20];
    codec_store(body, change->tenant, 8);
    codec_store(body + 8, change->node, 4);
    codec_store(body + 12, change->id, 8);
    return cluster_announce(task, (uint16_t)id, bytes_of(body, sizeof body));
}

// Whoever was told of the beginning is told of the end, or has gone down: a shard that has no fiber free now will
// have one. Whoever could not be told caches nothing until it is.
static struct status end_everywhere(struct task *task, void *arg)
{
    struct status st;
    uint64_t until = task_now_ns(task) + END_FOR_NS;
    while (failed(st = change_announce(task, ANNOUNCE_CATALOG_END, arg))) {
        if (status_is(st, E_ADMIN_SHUTDOWN) || task_now_ns(task) >= until) break;
        if (failed(task_sleep(task, END_RETRY_NS))) break;
    }
    return STATUS_OK;
}

// All or none.
static struct status begin_everywhere(struct task *task, void *arg)
{
    struct status st = change_announce(task, ANNOUNCE_CATALOG_BEGIN, arg);
    if (failed(st)) (void)end_everywhere(task, arg).code;
    return st;
}

struct status catalog_announce_begin(struct task *task, uint64_t tenant, uint64_t *id)
{
    struct change change = {
        .tenant = tenant, .id = task->shard->env->random(task->shard->env), .node = task->shard->node->id};
    *id = change.id;
    return task_uncancelled(task, begin_everywhere, &change);
}

void catalog_announce_end(struct task *task, uint64_t tenant, uint64_t id)
{
    struct change change = {.tenant = tenant, .id = id, .node = task->shard->node->id};
    struct status st = task_uncancelled(task, end_everywhere, &change);
    invariant(!failed(st));
}

void catalog_unannounced_set(struct shard *shard, uint64_t tenant_id, bool unannounced)
{
    struct tenant_catalog *tenant = catalog_tenant_of(shard, tenant_id);
    if (tenant->unannounced == unannounced) return;
    catalog_tenant_forget(shard, tenant);
    tenant->unannounced = unannounced;
}

struct status catalog_forget_tenant(struct task *task, uint64_t tenant)
{
    return shard_call_all(task, forget_here, &tenant);
}
