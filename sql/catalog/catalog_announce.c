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
    uint64_t until_ns; // It is not committed beyond it.
};

static bool change_read(struct bytes body, struct change *change)
{
    struct codec_reader in = codec_read(body);
    change->tenant = codec_get_u64(&in);
    change->node = codec_get_u32(&in);
    change->id = codec_get_u64(&in);
    change->until_ns = codec_get_u64(&in);
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

static void unsettled_add(struct tenant_catalog *tenant, const struct change *change)
{
    if (tenant->unsettled_count == tenant->unsettled_capacity) {
        tenant->unsettled_capacity = tenant->unsettled_capacity == 0 ? 4 : tenant->unsettled_capacity * 2;
        tenant->unsettled =
            realloc(tenant->unsettled, tenant->unsettled_capacity * sizeof tenant->unsettled[0]);
        invariant(tenant->unsettled != NULL);
    }
    tenant->unsettled[tenant->unsettled_count++] =
        (struct unsettled){change->id, change->node, {change->until_ns, UINT32_MAX}};
    reliance_shake(&tenant->reliance);
}

static struct status begin_heard(struct task *task, struct bytes body)
{
    struct change change;
    if (!change_read(body, &change)) return status_make(E_PROTOCOL_VIOLATION, "malformed announcement");
    if (task->shard->slots[SHARD_SLOT_CATALOG] == NULL) return STATUS_OK; // Has nothing cached yet.
    struct tenant_catalog *tenant = catalog_tenant_of(task->shard, change.tenant);
    if (unsettled_find(tenant, &change) == NULL) unsettled_add(tenant, &change);
    return reliance_wait(task, &tenant->reliance);
}

static struct hlc_timestamp begin_relied(struct shard *shard, struct bytes body)
{
    struct change change;
    if (!change_read(body, &change) || shard->slots[SHARD_SLOT_CATALOG] == NULL) return HLC_ZERO;
    return hlc_max(catalog_tenant_of(shard, change.tenant)->reliance.high, hlc_now(&shard->hlc));
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
    .relied = begin_relied,
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

#define CHANGE_BYTES 28u

static struct bytes change_write(const struct change *change, uint8_t body[CHANGE_BYTES])
{
    codec_store(body, change->tenant, 8);
    codec_store(body + 8, change->node, 4);
    codec_store(body + 12, change->id, 8);
    codec_store(body + 20, change->until_ns, 8);
    return bytes_of(body, CHANGE_BYTES);
}

// Whoever was told of the beginning is told of the end, or has gone down: a shard that has no fiber free now will
// have one. Whoever could not be told caches nothing until it is.
static struct status end_everywhere(struct task *task, void *arg)
{
    struct status st;
    uint8_t body[CHANGE_BYTES];
    struct bytes message = change_write(arg, body);
    uint64_t until = task_now_ns(task) + END_FOR_NS;
    while (failed(st = cluster_announce(task, ANNOUNCE_CATALOG_END, message))) {
        if (status_is(st, E_ADMIN_SHUTDOWN) || task_now_ns(task) >= until) break;
        if (failed(task_sleep(task, END_RETRY_NS))) break;
    }
    return STATUS_OK;
}

struct beginning {
    struct change *change;
    struct hlc_timestamp *after;
};

// All or none.
static struct status begin_everywhere(struct task *task, void *arg)
{
    const struct beginning *beginning = arg;
    uint8_t body[CHANGE_BYTES];
    struct bytes message = change_write(beginning->change, body);
    struct status st = cluster_announce_above(task, ANNOUNCE_CATALOG_BEGIN, message, beginning->after);
    if (failed(st)) (void)end_everywhere(task, beginning->change).code;
    return st;
}

struct status catalog_announce_begin(
    struct task *task, uint64_t tenant, uint64_t *id, struct catalog_change_bounds *bounds)
{
    struct change change = {
        .tenant = tenant, .id = task->shard->env->random(task->shard->env), .node = task->shard->node->id};
    struct beginning beginning = {&change, &bounds->after};
    *id = change.id;
    bounds->until = cluster_change_until(task->shard);
    change.until_ns = bounds->until.wall_ns;
    return task_uncancelled(task, begin_everywhere, &beginning);
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
