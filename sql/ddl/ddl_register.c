// SPDX-License-Identifier: GPL-3.0-or-later
//
// Everything of this side of the sql layer, plugged into its registries.
#include "sql/insight/activity.h"
#include "sql/ddl/ddl.h"
#include "sql/ddl/ddl_internal.h"
#include "sql/service/jobs.h"
#include "sql/user/privilege.h"
#include "sql/user/role.h"
#include "sql/ddl/schema_change.h"
#include "sql/service/sequence.h"
#include "sql/service/settings.h"
#include "sql/session/show.h"
#include "sql/plan/statistics.h"
#include "sql/service/zone_config.h"

static const struct statement_handler handlers[] = {
    {.tag = STATEMENT_CREATE_ROLE, .execute = role_create_execute},
    {.tag = STATEMENT_ALTER_ROLE, .execute = role_alter_execute},
    {.tag = STATEMENT_DROP_ROLE, .execute = role_drop_execute},
    {.tag = STATEMENT_ALTER_ROLE_SET, .execute = role_settings_execute},
    {.tag = STATEMENT_ALTER_DATABASE_SET, .execute = role_settings_execute},
    {.tag = STATEMENT_GRANT_ROLE, .execute = role_grant_execute},
    {.tag = STATEMENT_REVOKE_ROLE, .execute = role_grant_execute},
    {.tag = STATEMENT_GRANT, .execute = privilege_grant_execute},
    {.tag = STATEMENT_REVOKE, .execute = privilege_grant_execute},
    {.tag = STATEMENT_GRANT_SYSTEM, .execute = privilege_grant_system_execute},
    {.tag = STATEMENT_REVOKE_SYSTEM, .execute = privilege_grant_system_execute},
    {.tag = STATEMENT_ALTER_DEFAULT_PRIVILEGES, .execute = privilege_default_execute},
    {.tag = STATEMENT_REASSIGN_OWNED, .execute = privilege_owned_execute},
    {.tag = STATEMENT_DROP_OWNED, .execute = privilege_owned_execute},
};

void ddl_register(void)
{
    ddl_statements_register();
    statement_handler_register(handlers, sizeof handlers / sizeof handlers[0]);
    settings_register_builtin();
    settings_statements_register();
    jobs_statements_register();
    schema_change_register();
    sequence_functions_register();
    cluster_functions_register();
    statistics_statements_register();
    show_catalog_register();
    show_table_register();
    show_role_register();
    show_node_register();
    zone_config_register();
    split_register();
    activity_statements_register();
}
