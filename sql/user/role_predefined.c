// SPDX-License-Identifier: GPL-3.0-or-later
#include "sql/user/role_predefined.h"

#include <string.h>

const struct role_predefined roles_predefined[ROLES_PREDEFINED] = {
    {.id = 6171, .name = ROLE_DATABASE_OWNER},
    {.id = 3373, .name = "pg_monitor", .member_of = {"pg_read_all_settings", ROLE_READ_ALL_STATS}},
    {.id = 6181, .name = ROLE_READ_ALL_DATA},
    {.id = 3374, .name = "pg_read_all_settings", .system_privilege = "VIEWCLUSTERSETTING"},
    {.id = 3375, .name = ROLE_READ_ALL_STATS, .system_privilege = "VIEWACTIVITY"},
    {.id = 4200, .name = "pg_signal_backend", .system_privilege = "CANCELQUERY"},
    {.id = 6182, .name = ROLE_WRITE_ALL_DATA},
};

bool role_name_is_reserved(const char *name)
{
    return strncmp(name, "pg_", 3) == 0;
}

bool role_id_is_predefined(uint32_t id)
{
    for (uint32_t i = 0; i < ROLES_PREDEFINED; i++)
        if (roles_predefined[i].id == id) return true;
    return false;
}

const char *role_of_system_privilege(const char *privilege)
{
    for (uint32_t i = 0; i < ROLES_PREDEFINED; i++) {
        const char *own = roles_predefined[i].system_privilege;
        if (own != NULL && strcmp(own, privilege) == 0) return roles_predefined[i].name;
    }
    return NULL;
}
