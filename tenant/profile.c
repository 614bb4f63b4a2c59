// SPDX-License-Identifier: GPL-3.0-or-later
#include "tenant/profile.h"

#include <string.h>

#include "core/log.h"
#include "kv/admin.h"
#include "sql/session/internal.h"
#include "sql/service/settings.h"
#include "tenant/tenant.h"

static const struct profile {
    const char *name;
    const char *template, *application; // Virtual clusters to make, or NULL.
    bool rangefeeds;
} profiles[] = {
    {"default", NULL, NULL, false},
    {"replication-source", "template", "application", true},
    {"virtual+app+sharedservice+repl", "template", "application", true},
    {"replication-target", "template", NULL, true},
    {"virtual+noapp+repl", "template", NULL, true},
    {"virtual+app", NULL, "main", true},
    {"virtual+noapp", NULL, NULL, true},
};

static const struct profile *find(const char *name)
{
    for (unsigned i = 0; i < sizeof profiles / sizeof profiles[0]; i++)
        if (strcmp(profiles[i].name, name) == 0) return &profiles[i];
    return NULL;
}

struct status profile_check(const char *name)
{
    if (find(name) != NULL) return STATUS_OK;
    return status_make(E_INVALID_PARAMETER_VALUE,
        "unknown configuration profile: choose default, replication-source, replication-target, "
        "virtual+app or virtual+noapp");
}

static struct status make(struct task *task, const char *name, uint64_t like, struct tenant **tenant)
{
    struct status st;
    TRY(tenant_read_by_name(task, NULL, task->arena, name, tenant));
    // Half made by a start that was interrupted: tenant_node_start has dropped it.
    if (*tenant == NULL) TRY(tenant_create(task, task->arena, name, like, tenant));
out:
    return st;
}

struct status profile_apply(struct task *task, const char *name)
{
    struct status st;
    struct internal_result result;
    const struct profile *profile = find(name);
    TRY(profile_check(name));
    TRY(internal_query(task, TENANT_SYSTEM, NULL, task->arena, &result,
        "SELECT name FROM system.public.config_profiles", 0, NULL, NULL));
    if (result.row_count > 0) goto out;
    struct tenant *template = NULL, *application = NULL;
    if (profile->rangefeeds) {
        TRY(settings_store(task, TENANT_SYSTEM, "kv.rangefeed.enabled", "true"));
        TRY(settings_announce(task, 0));
    }
    if (profile->template != NULL) TRY(make(task, profile->template, 0, &template));
    if (profile->application != NULL) {
        TRY(make(task, profile->application, template == NULL ? 0 : template->id, &application));
        TRY(tenant_start_service(task, application->id));
        TRY(settings_store(
            task, TENANT_SYSTEM, "server.controller.default_target_cluster", profile->application));
        TRY(settings_announce(task, TENANT_SYSTEM));
    }
    struct datum params[] = {datum_text(name)};
    TRY(internal_query(task, TENANT_SYSTEM, NULL, task->arena, NULL,
        "INSERT INTO system.public.config_profiles (name, applied) VALUES ($1, now())", 1, params,
        (type_oid[]){TYPE_TEXT}));
    log_info(TENANT_SYSTEM, "applied configuration profile %s", name);
out:
    return st;
}
