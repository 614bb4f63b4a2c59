// SPDX-License-Identifier: GPL-3.0-or-later
#include "sql/session/register.h"

#include "core/shard.h"
#include "sql/insight/activity.h"
#include "sql/service/announce.h"
#include "sql/catalog/catalog.h"
#include "sql/session/cursor.h"
#include "sql/ddl/ddl.h"
#include "sql/exec/deferred.h"
#include "sql/session/execute.h"
#include "sql/function/function.h"
#include "sql/insight/insight.h"
#include "sql/service/jobs.h"
#include "sql/service/large_object.h"
#include "sql/exec/memory.h"
#include "sql/service/named_lock.h"
#include "sql/catalog/pg_catalog.h"
#include "sql/user/role.h"
#include "sql/service/settings.h"
#include "sql/session/shard_state.h"
#include "sql/exec/spill.h"
#include "sql/plan/statistics_auto.h"
#include "sql/service/zone_object.h"
#include "sql/ddl/temp.h"
#include "sql/service/xact.h"

void sql_register(void)
{
    static bool done;
    if (done) return;
    done = true;
    function_register_builtin();
    session_statements_register();
    explain_register();
    temp_register();
    cursor_register();
    deferred_register(); // Before schema changes announce themselves.
    ddl_register();
    pg_catalog_register();
    large_objects_register();
    catalog_announcements_register();
    settings_announcements_register();
    role_announcements_register();
    jobs_announcements_register();
    catalog_types_register();
    named_lock_register();
    xact_register();
    function_xact_register();
    activity_register();
    memory_register();
    insight_register();
    statistics_auto_register();
}

static struct status start_shard(struct task *task, void *arg)
{
    (void)arg;
    sql_shard(task->shard)->started_us = session_now_us(task->shard);
    catalog_shard_init(task->shard);
    settings_shard_init(task->shard);
    return STATUS_OK;
}

static struct status stop_shard(struct task *task, void *arg)
{
    (void)arg;
    statistics_auto_stop(task);
    zone_objects_stop(task);
    if (!sql_shard_end_sessions(task)) return STATUS_OK;
    plan_cache_clear(task->shard);
    sql_shard_fini(task->shard);
    settings_shard_fini(task->shard);
    catalog_shard_fini(task->shard);
    return STATUS_OK;
}

struct status sql_node_start(struct task *task)
{
    jobs_node_init(task->shard->node);
    return shard_call_all(task, start_shard, NULL);
}

struct status sql_node_stop(struct task *task)
{
    struct status st = shard_call_all(task, stop_shard, NULL);
    spill_node_stop(task->shard);
    jobs_node_fini(task->shard->node);
    return st;
}

static struct status forget_here(struct task *task, void *arg)
{
    uint64_t tenant = *(const uint64_t *)arg;
    role_forget(task->shard, tenant);
    settings_forget(task->shard, tenant);
    // Versions of descriptors may come again with other contents.
    plan_cache_clear(task->shard);
    return STATUS_OK;
}

struct status sql_tenant_forget(struct task *task, uint64_t tenant)
{
    struct status st = catalog_forget_tenant(task, tenant);
    return failed(st) ? st : shard_call_all(task, forget_here, &tenant);
}
